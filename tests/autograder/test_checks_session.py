"""How hidden checks are run on evidence, what becomes of each of their endings, and how points follow."""

import logging
import sys
import textwrap
import time

import pytest
from hostile_text import examples
from hypothesis import given
from hypothesis import strategies as st

from autograder.assignment import Assignment, Question
from autograder.checks import points, session
from autograder.checks.outcomes import CheckResult
from autograder.errors import AssignmentError, GraderFault
from autograder.evidence import CellOutcome, ErrorText, Evidence, Value
from autograder.report.model import Curve, Training
from autograder.sandbox.job import PlannedCell

HEAD = "import pytest\nfrom autograder.checks import fail, note, review, show, skip\nquestion = pytest.mark.question\n"


class Course:
    """A course in a folder of its own, whose checks a test writes."""

    def __init__(self, root, name="tiny"):
        self.root, self.name = root, name
        (root / "source" / name).mkdir(parents=True)
        self.checks = root / "tests" / name
        self.checks.mkdir(parents=True)
        questions = (
            Question("one", "The first", 10.0, False),
            Question("two", "The second", 5.0, False),
            Question("three", "The third", 3.0, True),
        )
        self.assignment = Assignment(name, root, 18.0, questions, ())

    def write(self, text, name="test_it.py"):
        (self.checks / name).write_text(HEAD + textwrap.dedent(text), encoding="utf-8")

    def run(self, text=None, evidence=None, cells=()):
        if text is not None:
            self.write(text)
        return session.run(self.assignment, evidence or Evidence(), session.Context(cells=tuple(cells)))

    def only(self, text, **more):
        (result,) = self.run(text, **more)
        return result


@pytest.fixture
def course(tmp_path):
    return Course(tmp_path)


# What a check's ending becomes


def test_the_docstring_is_the_title_and_its_first_paragraph_only(course):
    result = course.only('''
        @question("one", weight=3)
        def test_first_layer():
            """The first layer
            has 8 filters.

            For instructors: something else.
            """
    ''')
    assert (result.title, result.status, result.weight) == ("The first layer has 8 filters.", "passed", 3.0)
    assert (result.id, result.question, result.message) == ("one/first-layer", "one", "")


def test_the_message_of_an_assertion_is_the_message(course):
    result = course.only('''
        @question("one")
        def test_it():
            """A title."""
            limit = 0.0635
            assert 1 < limit, "second convolution: 16 filters expected, 32 found"
    ''')
    assert (result.status, result.message) == ("failed", "second convolution: 16 filters expected, 32 found")


def test_a_bare_assertion_shows_the_title_and_neither_code_nor_numbers(course):
    result = course.only('''
        @question("one")
        def test_it():
            """It learns."""
            hidden_limit = 0.0635
            assert 1 < hidden_limit
    ''')
    assert (result.status, result.message) == ("failed", "This is not the case: It learns.")


def test_a_check_without_docstring_gets_a_title_from_its_name(course):
    assert course.only('@question("one")\ndef test_the_last_layer(): pass').title == "The last layer."


@pytest.mark.parametrize("statement", ["1 / 0", "{}['hidden']", "raise SystemExit(3)", "import no_such_module"])
def test_an_exception_in_a_check_is_our_fault_and_never_a_zero(course, caplog, statement):
    with caplog.at_level(logging.ERROR, "autograder.checks"):
        result = course.only(f'@question("one")\ndef test_it():\n    {statement}')
    assert (result.status, result.awaits, result.kept) == ("needs_review", True, 0.0)
    assert "person" in result.message
    assert "hidden" not in result.message
    assert "test_it.py" in caplog.text  # the details are for the instructor


def test_an_assertion_that_fails_inside_a_library_is_our_fault(course):
    result = course.only("""
        import unittest
        @question("one")
        def test_it():
            unittest.TestCase().assertEqual(1, 0.0635)
    """)
    assert result.status == "needs_review"
    assert "0.0635" not in result.message


def test_a_fault_after_the_end_of_a_check_is_reported_once(course):
    result = course.only("""
        @pytest.fixture
        def thing():
            yield 1
            raise OSError
        @question("one")
        def test_it(thing): pass
    """)
    assert result.status == "needs_review"


@pytest.mark.parametrize(
    ("ending", "status", "kept", "message"),
    [
        ("fail('Wrong.')", "failed", 0.0, "Wrong."),
        ("fail('Wrong.', cost=0.5)", "failed", 0.5, "Wrong. 50% of the points of this check are kept."),
        ("fail('Beside the point.', cost=0)", "passed", 1.0, "Beside the point."),
        ("pytest.fail('Wrong.')", "failed", 0.0, "Wrong."),
        ("review('A Lambda layer.')", "needs_review", 0.0, "A Lambda layer."),
        ("skip('No encoder.', because='two')", "skipped", 0.0, "No encoder."),
        ("note('Valid padding is right, too.')", "passed", 1.0, "Valid padding is right, too."),
        ("note('First.'); note('First.'); note('Second.')", "passed", 1.0, "First. Second."),
        ("note('By the way.'); fail('Wrong.')", "failed", 0.0, "Wrong. By the way."),
    ],
)
def test_a_check_speaks_in_these_ways(course, ending, status, kept, message):
    result = course.only(f'@question("one")\ndef test_it():\n    {ending}')
    assert (result.status, result.kept, result.message) == (status, kept, message)


def test_findings_are_named_and_listed_once(course):
    results = course.run("""
        @question("one")
        def test_a(): fail("x", finding="third-max-pooling")
        @question("one")
        def test_b(): note("x", finding="fixed-latent-dimension")
        @question("two")
        def test_c(): review("x", finding="third-max-pooling")
    """)
    assert points.findings(results) == ("third-max-pooling", "fixed-latent-dimension")


def test_notes_belong_to_one_check(course):
    first, second = course.run("""
        @question("one")
        def test_a(): note("Only here.")
        @question("one")
        def test_b(): pass
    """)
    assert (first.message, second.message) == ("Only here.", "")


def test_a_fixture_speaks_for_every_check_that_uses_it(course):
    results = course.run("""
        @pytest.fixture(scope="module")
        def model(): fail("The function returns nothing.")
        @question("one")
        def test_a(model): pass
        @question("one")
        def test_b(model): pass
    """)
    assert [(result.status, result.message) for result in results] == [("failed", "The function returns nothing.")] * 2


CURVE = """
from autograder.report.model import Curve
def curve(title):
    return Curve(question="one", title=title, x_label="x", y_label="y", points=((1.0, 2.0),))
"""


def test_what_a_check_or_its_fixture_shows_is_kept_once_and_decides_nothing(course):
    results = course.run(
        f'''{CURVE}
        @pytest.fixture(scope="module")
        def shared():
            show(lambda: curve("of the fixture"))

        @question("one")
        def test_first(shared):
            show(lambda: curve("of the check"))
            show(lambda: None)
            fail("wrong")

        @question("one")
        def test_second(shared):
            """Right."""
    '''.replace("\n        ", "\n")
    )
    assert [result.status for result in results] == ["failed", "passed"]
    assert [one.title for one in points.exhibits(results, Curve)] == ["of the fixture", "of the check"]
    assert points.exhibits(results, Training) == ()


@pytest.mark.parametrize("ending", ["1 / 0", 'fail("not the fault of the check")', 'review("x")', "curve(3)"])
def test_what_goes_wrong_in_showing_leaves_the_check_as_it_is(course, ending):
    result = course.only(
        f"""{CURVE}
        @question("one")
        def test_it():
            show(lambda: {ending})
    """.replace("\n        ", "\n")
    )
    assert (result.status, result.message, result.exhibits) == ("passed", "", ())


def test_a_very_long_message_is_cut(course):
    assert len(course.only('@question("one")\ndef test_it(): fail("x" * 100_000)').message) < 2_000


# Dependence and order


def test_checks_run_in_the_order_of_the_questions_each_after_what_it_depends_on(course):
    results = course.run("""
        @question("two")
        def test_c(): pass
        @question("one", depends_on=["test_b"])
        def test_a(): pass
        @question("one")
        def test_b(): pass
    """)
    assert [result.id for result in results] == ["one/b", "one/a", "two/c"]


def test_a_check_is_skipped_with_the_name_of_the_question_that_failed(course):
    _, result = course.run("""
        @question("one")
        def test_a(): fail("no")
        @question("two", depends_on=["one"])
        def test_b(): 1 / 0
    """)
    assert (result.status, result.awaits, result.because) == ("skipped", True, "one")
    assert "one" in result.message


def test_a_check_that_was_skipped_for_its_own_question_costs_nothing_more(course):
    results = course.run('''
        @question("one", weight=1)
        def test_a():
            """The layer is there."""
            fail("no")
        @question("one", weight=4, depends_on=["test_a"])
        def test_b(): 1 / 0
        @question("one", weight=1)
        def test_c(): pass
    ''')
    assert results[1].message == "Not judged, because of: The layer is there."
    assert points.shared(10.0, results) == (5.0, 0.0)


def test_what_depends_on_a_review_waits_with_it(course):
    results = course.run("""
        @question("one")
        def test_a(): review("A Lambda layer.")
        @question("one", depends_on=["test_a"])
        def test_b(): pass
    """)
    assert points.shared(10.0, results) == (0.0, 10.0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('@question("one", depends_on=["test_z"])\ndef test_a(): pass', "test_z"),
        (
            '@question("one", depends_on=["test_b"])\ndef test_a(): pass\n'
            '@question("one", depends_on=["test_a"])\ndef test_b(): pass',
            "depends on itself",
        ),
        ("def test_a(): pass", "names no question"),
        ('@question("four")\ndef test_a(): pass', "names no question"),
        ('@question("one", weight=0)\ndef test_a(): pass', "weight"),
        ('@question("one", wait=2)\ndef test_a(): pass', "wait"),
        ("import no_such_module", "no_such_module"),
        ("def broken(:", "test_it.py"),
        ("", "holds no checks"),
    ],
)
def test_checks_that_can_not_be_used_are_refused_with_the_reason(course, text, problem):
    with pytest.raises(AssignmentError, match=problem):
        course.run(text)


def test_a_run_that_stops_early_is_the_graders_fault(course):
    with pytest.raises(GraderFault):
        course.run('@question("one")\ndef test_a(): pytest.exit("enough")\n@question("one")\ndef test_b(): pass')


# What checks see


def test_checks_see_the_evidence_and_say_what_is_missing(course):
    text = """
        @question("one")
        def test_a(submitted): assert submitted.found("one", "n", "a number named n", kind="plain").plain == 3
    """
    cells = [PlannedCell(0, "n = 3", "answer", "one")]
    value = {"question": "one", "label": "n", "cell": 0, "name": "n"}

    def ending(*values, error=None, source="n = 3"):
        evidence = Evidence(values=list(values), cells=[CellOutcome(index=0, status="ok", error=error)])
        result = course.only(text, evidence=evidence, cells=[PlannedCell(0, source, "answer", "one")])
        return result.status, result.message

    assert (
        course.only(text, evidence=Evidence(values=[Value(**value, kind="plain", plain=3)]), cells=cells).status
        == "passed"
    )
    assert ending() == ("failed", "There is no number named n.")
    name_error = ErrorText(type="NameError", message="name 'k' is not defined")
    stopped = "There is no number named n: the cell stopped with NameError: name 'k' is not defined."
    assert ending(error=name_error) == ("failed", stopped)
    assert ending(source="# YOUR CODE HERE") == ("failed", "Not answered.")
    raised = Value(**value, kind="error", arguments=[2], error=ErrorText(type="ValueError", message="bad"))
    assert ending(raised) == ("failed", "n(2) raised ValueError: bad.")
    nothing = Value(**value, kind="other", type_name="NoneType", arguments=[2])
    assert ending(nothing) == ("failed", "n(2) returns nothing. Does the function end with return?")
    assert ending(nothing, source="def n(x):\n    '''Doc.'''\n    # YOUR CODE HERE") == ("failed", "Not answered.")
    other = Value(**value, kind="other", type_name="History")
    assert ending(other)[1].endswith("found: an object of type History.")
    alias = Value(**value | {"name": "m"}, kind="plain", plain=3, matched="alias")
    assert ending(alias) == ("passed", "There is no number named n; m was graded in its place.")


def test_a_spelling_of_keras_2_is_named_as_such(course):
    message = "Argument(s) not recognized: {'lr': 0.01}"
    error = ErrorText(type="ValueError", message=message)
    value = Value(question="one", label="n", cell=0, kind="error", name="f", arguments=[1], error=error)
    result = course.only(
        '@question("one")\ndef test_a(submitted): submitted.found("one", "n", "a function named f")',
        evidence=Evidence(values=[value]),
    )
    assert "Keras 2" in result.message


def test_what_needs_an_unanswered_question_is_not_answered_either(course):
    text = """
        @question("one")
        def test_a(submitted): submitted.unanswered("one")
        @question("two", depends_on=["one"])
        def test_b(submitted): 1 / 0
    """
    blank = [PlannedCell(0, "# YOUR CODE HERE", "answer", "one"), PlannedCell(1, "", "answer", "two")]
    assert [result.message for result in course.run(text, cells=blank)] == ["Not answered."] * 2
    written = [blank[0], PlannedCell(1, "x = f(2)", "answer", "two")]
    assert [result.status for result in course.run(text, cells=written)] == ["failed", "skipped"]


# A run leaves nothing behind and takes nothing in


def test_settings_of_the_environment_and_of_the_repository_are_ignored(course, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_such_plugin")
    (course.root / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (course.checks / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (course.root / "conftest.py").write_text("raise RuntimeError('above the checks')")
    (course.root / "tests" / "conftest.py").write_text("raise RuntimeError('above the checks')")
    before = dict(sys.modules), sys.path.copy()
    result = course.only('import warnings\n@question("one")\ndef test_a(): warnings.warn("x")')
    assert result.status == "passed"
    assert sys.path == before[1]
    assert "test_it" not in sys.modules
    import os

    assert os.environ["PYTEST_ADDOPTS"] == "--no-such-option"
    assert not (course.checks / ".pytest_cache").exists()


def test_nothing_is_printed(course, capfd):
    course.run(
        'import sys\n@question("one")\ndef test_a():\n    print("hidden"); print("x", file=sys.stderr); fail("no")'
    )
    assert capfd.readouterr() == ("", "")


def test_two_courses_with_files_of_the_same_name_keep_apart(tmp_path):
    text = '@question("one")\ndef test_a():\n    from helper import ANSWER\n    note(ANSWER)'
    courses = [Course(tmp_path / name) for name in ("a", "b")]
    for one in courses:
        (one.checks / "helper.py").write_text(f"ANSWER = {one.root.name!r}")
    assert [one.only(text).message for one in (*courses, *courses)] == ["a", "b", "a", "b"]


def test_a_changed_check_counts_at_once(course):
    assert course.only('@question("one")\ndef test_a(): fail("old")').message == "old"
    assert course.only('@question("one")\ndef test_a(): fail("newer")').message == "newer"


def test_a_warm_run_costs_little(course):
    course.write("\n".join(f'@question("one")\ndef test_{n}(): pass' for n in range(60)))
    course.run()
    start = time.process_time()
    for _ in range(5):
        assert len(course.run()) == 60
    assert (time.process_time() - start) / 5 < 0.5


# Points


def result_of(share=1.0, *, weight=1.0, awaits=False, status=None, question="one", because=None):
    status = status or ("needs_review" if awaits else "passed" if share == 1 else "failed")
    return CheckResult("one/x", question, "x", weight, status, kept=share, awaits=awaits, because=because)


@pytest.mark.parametrize(
    ("total", "results", "expected"),
    [
        (10.0, [result_of(), result_of()], (10.0, 0.0)),
        (10.0, [result_of(), result_of(0.0)], (5.0, 0.0)),
        (10.0, [result_of(weight=3), result_of(0.0, weight=1)], (7.5, 0.0)),
        (8.0, [result_of(), result_of(0.5)], (6.0, 0.0)),
        (10.0, [result_of(), result_of(0.0, awaits=True)], (5.0, 5.0)),
        (10.0, [result_of(0.0)] * 3, (0.0, 0.0)),
        # Thirds are rounded once, at the question, and never up to the full points.
        (10.0, [result_of(), result_of(), result_of(0.0)], (6.5, 0.0)),
        (2.0, [result_of(weight=99), result_of(0.0, weight=1)], (1.5, 0.0)),
        (10.0, [result_of(), result_of(0.0), result_of(0.0, awaits=True)], (3.5, 3.0)),
    ],
)
def test_weights_share_the_points_of_a_question(total, results, expected):
    assert points.shared(total, results) == expected


@examples(200)
@given(
    st.integers(1, 40).map(lambda halves: halves / 2),
    st.lists(
        st.builds(result_of, st.sampled_from([0.0, 0.5, 1.0]), weight=st.floats(0.1, 9), awaits=st.booleans()),
        min_size=1,
        max_size=12,
    ),
)
def test_points_are_multiples_of_a_half_and_never_more_than_there_are(total, results):
    score, awaiting = points.shared(total, results)
    assert score >= 0 and awaiting >= 0 and score + awaiting <= total
    assert (2 * score).is_integer() and (2 * awaiting).is_integer()
    assert (score == total) == all(result.kept == 1 for result in results)


def test_a_question_for_a_person_waits_as_a_whole(course):
    one, two, three = points.questions(course.assignment, [result_of()])
    assert (one.score, one.awaiting_review, one.status) == (10.0, 0.0, "passed")
    assert (two.score, two.awaiting_review, two.status) == (0.0, 5.0, "needs_review")  # no check has judged it
    assert (three.score, three.awaiting_review, three.status) == (0.0, 3.0, "needs_review")


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([result_of(), result_of()], "passed"),
        ([result_of(), result_of(0.0)], "partial"),
        ([result_of(0.5)], "partial"),
        ([result_of(0.0), result_of(0.0)], "failed"),
        ([result_of(), result_of(0.0, awaits=True)], "needs_review"),
        ([result_of(0.0), result_of(0.0, awaits=True)], "needs_review"),
        ([result_of(0.0, awaits=True, status="skipped", because="two")], "skipped"),
        ([result_of(), result_of(0.0, awaits=True, status="skipped", because="two")], "needs_review"),
        ([result_of(0.0), result_of(0.0, status="skipped", because="one")], "failed"),
    ],
)
def test_the_status_of_a_question_follows_its_checks(course, results, status):
    assert points.questions(course.assignment, results)[0].status == status
