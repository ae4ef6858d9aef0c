"""The comparison with stock nbgrader and otter is a fair one: what they get is well made, and is counted right."""

import contextlib
import doctest
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import nbformat
import pytest
from nbgrader.preprocessors import ClearHiddenTests

COURSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(COURSE / "benchmarks"), str(COURSE / "examples")]

import make_examples  # noqa: E402
import peers_accuracy  # noqa: E402
import peers_speed  # noqa: E402
from peers import courses, notebooks, verdicts  # noqa: E402
from peers.asserts import CELLS  # noqa: E402
from peers.verdicts import Case  # noqa: E402

MISTAKES = [
    ("load-data", "/ 255", "/ 100"),
    ("load-data", "X_test[..., np.newaxis]", "X_test"),
    ("load-data", "X_train.shape, X_test.shape", "y_train = y_train[::-1]"),
    ("load-data", "X_train.shape, X_test.shape", "y_test = y_test[::-1]"),
    ("build-encoder", "layers.Conv2D(16,", "layers.Conv2D(32,"),
    ("build-encoder", "layers.Conv2D(8, (2, 2)", "layers.Conv2D(8, (3, 3)"),
    ("build-encoder", '"tanh"', '"relu"'),
    ("build-encoder", "layers.Dense(latent_dimension", "layers.Dense(2"),
    ("encoder-size", "build_encoder(2)", "build_encoder(3)"),
    ("build-decoder", '"tanh"', '"relu"'),
    ("build-decoder", "Conv2DTranspose(8, (2, 2)", "Conv2DTranspose(8, (3, 3)"),
    ("build-decoder", "Input(shape=(latent_dimension,))", "Input(shape=(2,))"),
    ("decoder-size", "build_decoder(2)", "build_decoder(3)"),
    ("autoencoder", "(encoder, decoder)", "(encoder, build_decoder(2))"),
    ("compile", '"mse"', '"categorical_crossentropy"'),
    ("compile", "model.compile(", "Model(model.inputs, model.outputs).compile("),
]


def answers():
    return make_examples.reference_answers(notebooks.read("source"))


def handed_in(changed=None):
    return notebooks.cut(make_examples.filled_in(notebooks.read("release"), changed or answers()))


def run(source, space):
    with contextlib.redirect_stdout(io.StringIO()):
        exec(source, space)


def as_otter_does(question, space):
    """Run otter's test of a question as its checker does; return the number of examples that fail."""
    written = {}
    exec(notebooks.otter_test(question, 1.0), written)
    (case,) = written["test"]["suites"][0]["cases"]
    test = doctest.DocTest(doctest.DocTestParser().get_examples(case["code"]), space, question, None, None, None)
    return doctest.DocTestRunner().run(test, out=lambda text: None, clear_globs=False).failed


@pytest.fixture(scope="module")
def solved():
    """The names that the reference leaves, without its training."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("keras.src.datasets.mnist.get_file", lambda *_, **__: str(COURSE / "data" / "mnist.npz"))
        space = {}
        for cell in handed_in()["cells"]:
            if cell["cell_type"] == "code":
                run(notebooks.source_of(cell), space)
        yield space
    keras.backend.clear_session()


# --- what the peers get -----------------------------------------------------------------------------


@pytest.mark.parametrize("question", CELLS)
def test_the_asserts_pass_on_the_reference_and_print_nothing(solved, question, capfd):
    exec(CELLS[question], dict(solved))
    assert as_otter_does(question, dict(solved)) == 0
    # nbgrader takes whatever stands on the error stream for a failure.
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("question", "old", "new"), MISTAKES)
def test_the_asserts_fail_on_a_mistake(solved, question, old, new):
    answer, space = answers()[question], dict(solved)
    assert old in answer
    run(answer.replace(old, new), space)
    with pytest.raises((AssertionError, ValueError)):
        exec(CELLS[question], dict(space))
    assert as_otter_does(question, dict(space)) > 0


def test_students_of_nbgrader_see_no_asserts():
    written = json.dumps(notebooks.for_nbgrader(notebooks.cut(notebooks.read("source"))))
    released, _ = ClearHiddenTests().preprocess(nbformat.reads(written, as_version=4), {})
    given = {notebooks.grade_id_of(cell): notebooks.source_of(cell) for cell in notebooks.read("release")["cells"]}
    graded = {cell.metadata.nbgrader.grade_id: cell.source for cell in released.cells if is_graded(cell)}
    assert set(graded) == set(CELLS)
    assert graded == {name: given[name] for name in graded}


def is_graded(cell):
    return cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")


def test_each_question_is_checked_once_in_the_notebook_for_otter():
    code = [
        notebooks.source_of(cell) for cell in notebooks.for_otter(handed_in())["cells"] if cell["cell_type"] == "code"
    ]
    assert [text for text in code if text.startswith("grader.check")] == [f'grader.check("{name}")' for name in CELLS]
    assert code[0].startswith("import otter")


def test_no_cell_that_trains_is_left():
    whole = make_examples.filled_in(notebooks.read("release"), answers())
    whole["cells"].append(
        {"cell_type": "code", "metadata": {}, "source": "autoencoder.fit(X_train, X_train, epochs=20)"}
    )
    assert notebooks.trains(whole)
    assert not notebooks.trains(notebooks.cut(whole))


# --- what is compared -------------------------------------------------------------------------------


def variant(student, *changes, fails=(), waits=(), skips=()):
    changed = answers()
    for question, old, new in changes:
        make_examples.change(changed, question, old, new)
    document = make_examples.filled_in(notebooks.read("release"), changed)
    return SimpleNamespace(
        student=student, document=lambda: document, fails=fails, waits=waits, skips=skips, suffix=".ipynb", written=None
    )


def test_variants_are_compared_where_these_questions_differ():
    wrong = ("build-encoder", "layers.Conv2D(16,", "layers.Conv2D(32,")
    another = ("build-encoder", "layers.Conv2D(16,", "layers.Conv2D(64,")
    chosen = peers_accuracy.choose([
        variant("the reference"),
        variant("another fit", ("fit", "X_train, X_train", "X_train, y_train"), fails=["fit/target"]),
        variant("wrong filters", wrong, fails=["build-encoder/second-convolution"], skips=["autoencoder/chain"]),
        variant("wrong filters and fit", wrong, ("fit", "X_train, X_train", "X_train, y_train")),
        variant("trained too early", ("load-data", "X_train.shape,", "keras.Model().fit(X_train, epochs=3),")),
        variant("compiled too late", another, ("fit", "compile_autoencoder(", "autoencoder.compile(loss='mse')\n(")),
        variant("other labels", ("load-data", "X_train.shape,", "")),
    ])  # fmt: skip
    assert [one.student for one in chosen.submissions] == ["wrong filters", "other labels"]
    assert (chosen.untouched, chosen.training) == (3, 2)
    deserved = chosen.expected["wrong filters"]
    assert (deserved["build-encoder"], deserved["autoencoder"], deserved["compile"]) == ("wrong", "open", "right")


@pytest.mark.parametrize(
    ("points", "awaiting", "expected"),
    [
        (15.0, 0.0, "full"),
        (14.5, 0.0, "less"),
        (0.0, 15.0, "review"),
        (7.5, 7.5, "review"),
        (7.0, 7.5, "less"),
        (0.0, 0.0, "less"),
    ],
)
def test_a_verdict_tells_lost_points_from_those_that_wait(points, awaiting, expected):
    assert verdicts.verdict(points, 15.0, awaiting) == expected


FULL, LESS, REVIEW = "full", "less", "review"
FAILED, LEFT, PASSED, WRONG_LEFT, TWICE = verdicts.HEAD


def case(student, expected, given):
    return Case(student, dict(zip("pq", expected, strict=True)), {"g": dict(zip("pq", given, strict=True))})


COUNTED = [
    (case("a", ("right", "right"), (FULL, FULL)), {}),
    (case("b", ("right", "right"), (FULL, LESS)), {FAILED: ["q"]}),
    (case("c", ("right", "open"), (REVIEW, LESS)), {LEFT: ["p"]}),
    (case("d", ("wrong", "right"), (LESS, FULL)), {}),
    (case("e", ("wrong", "wrong"), (LESS, FULL)), {PASSED: ["q"]}),
    (case("f", ("wrong", "right"), (LESS, LESS)), {TWICE: ["q"]}),
    (case("g", ("wrong", "open"), (REVIEW, LESS)), {WRONG_LEFT: ["p"]}),
]


@pytest.mark.parametrize(("counted", "expected"), COUNTED)
def test_a_mistake_of_a_grader_is_of_one_kind(counted, expected):
    assert verdicts.mistakes(counted, "g") == expected


def test_the_table_counts_submissions_of_each_side():
    rows = list(verdicts.table([counted for counted, _ in COUNTED], {"g": "the grader"}))
    assert rows[0] == "| | the grader |"
    assert rows[2:] == [
        "| right variants failed | 1 of 3 |",
        "| right variants left to a person | 1 of 3 |",
        "| wrong variants passed | 1 of 4 |",
        "| wrong variants left to a person | 1 of 4 |",
        "| wrong variants that pay for more than their mistake | 1 of 4 |",
    ]


def test_three_submissions_are_named_as_examples():
    many = [case(name, ("right", "right"), (LESS, FULL)) for name in ("one", "two", "three", "four")]
    *_, row = verdicts.kinds(many, {"g": "the grader"})
    assert row == "| the grader | right variants failed | p | 4 | `one`, `two`, `three` |"


# --- what is measured -------------------------------------------------------------------------------


def test_twenty_epochs_are_nineteen_more_in_each_fit():
    epoch = peers_speed.Epoch(cpu_seconds=30.0, wall_seconds=20.0, fits=7)
    literal = epoch.literal(peers_speed.Cost(cpu_seconds=210.0, wall_seconds=150.0))
    assert (literal.cpu_seconds, literal.wall_seconds) == (210.0 + 7 * 19 * 30.0, 150.0 + 7 * 19 * 20.0)


def test_the_reference_fits_seven_times_and_every_fit_is_shortened():
    whole = peers_speed.reference()
    assert peers_speed.count_fits(whole) == 7
    code = "".join(notebooks.source_of(cell) for cell in notebooks.with_epochs(whole, 1)["cells"])
    assert code.count("epochs=1,") == 3
    assert "epochs=20," not in code


# --- the peers themselves ---------------------------------------------------------------------------


@pytest.mark.skipif(bool(courses.missing()), reason=courses.missing())
@pytest.mark.parametrize("peer", courses.PEERS)
def test_a_peer_gives_the_reference_all_points_and_a_mistake_none(tmp_path, peer):
    wrong = answers()
    make_examples.change(wrong, "compile", '"mse"', '"categorical_crossentropy"')
    submissions = [courses.Submission("right", handed_in()), courses.Submission("wrong", handed_in(wrong))]
    results = courses.grade(peer, submissions, tmp_path, jobs=1)
    most = notebooks.points(notebooks.read("source"))
    assert results["right"] == courses.Result(most)
    assert results["wrong"] == courses.Result({**most, "compile": 0.0})
