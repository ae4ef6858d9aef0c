"""The release is nbgrader's own, and nothing that students must not see passes its gate."""

import base64
import copy
import json
import shutil
import zipfile
import zlib

import miniature
import pytest
from miniature import cell

from autograder import assignment
from autograder.errors import InputError, ReleaseRefused
from autograder.release import gate as release
from autograder.release import leaks, solutions
from autograder.report import model as report


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return miniature.course(tmp_path_factory.mktemp("course"))


@pytest.fixture(scope="module")
def released(course):
    """The path of the released notebook, made by nbgrader once for all tests here."""
    return release.build(course)


@pytest.fixture
def squares(course):
    return assignment.load(course)


@pytest.fixture
def inspected(squares, released, tmp_path):
    """A function that lets the gate look at a changed copy of the honest release."""

    def inspect(change):
        document = json.loads(released.read_text(encoding="utf-8"))
        change(document)
        return release.inspect(squares, miniature.write(document, tmp_path / "squares" / "squares.ipynb"))

    return inspect


# What nbgrader makes


def test_the_honest_release_passes(inspected):
    assert inspected(lambda document: None) == []


def test_our_students_version_is_the_one_of_nbgrader(squares, released):
    cells = json.loads(released.read_text(encoding="utf-8"))["cells"]
    assert ["".join(c["source"]) for c in cells] == [c.source for c in squares.cells]


def test_the_committed_release_is_equal_to_what_the_source_generates(course, released, tmp_path):
    copied = tmp_path / "course"
    shutil.copytree(course, copied)
    source = miniature.source()
    cell(source, "part-2")["source"] += " Really."
    source["metadata"]["kernelspec"]["display_name"] = "Python"
    miniature.write(source, copied / "source" / "squares" / "squares.ipynb")
    (copied / "release" / "squares" / "forgotten.txt").write_text("")
    (copied / "release" / "squares" / "README.md").write_text("How to start.")
    (copied / "source" / "squares" / "README.md").write_text("How to start, mended.")
    assert release.check_committed(copied) == (
        "forgotten.txt is in the committed release only: run `make release`.",
        "README.md of the release differs from the source: run `make release`.",
        "The cell 7 (part-2) of the release differs from the source: run `make release`.",
        "The metadata of the committed release differ from the source: run `make release`.",
        "solutions/squares/squares.ipynb is missing: run `make solutions`.",
    )


def test_a_refused_release_leaves_the_former_one(course, released, tmp_path):
    copied = tmp_path / "course"
    shutil.copytree(course, copied)
    before = (copied / "release" / "squares" / "squares.ipynb").read_bytes()
    graded = []

    def grade(path):
        graded.append(path.name)
        return _report(_cells(_1="NameError: name 'x' is not defined"))

    with pytest.raises(ReleaseRefused, match=r"cell 4 \(numbers-answer\) fails in the blank release"):
        release.build(copied, grade_release=grade)
    assert graded == ["squares.ipynb"]
    assert (copied / "release" / "squares" / "squares.ipynb").read_bytes() == before
    assert [p.name for p in (copied / "release").iterdir()] == ["squares"]


def test_a_new_release_takes_the_place_of_the_old_one_as_a_whole(tmp_path):
    new, target = tmp_path / "new", tmp_path / "release" / "squares"
    for folder, name in ((new, "fresh.txt"), (target, "old.txt")):
        folder.mkdir(parents=True)
        (folder / name).write_text(name)
    release._replace(new, target)
    assert [p.name for p in target.iterdir()] == ["fresh.txt"]
    assert [p.name for p in target.parent.iterdir()] == ["squares"]


def test_a_missing_nbgrader_is_named(squares, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"nbgrader is not installed: pip install"):
        release.generate(squares, tmp_path)


def test_the_committed_release_of_this_repository_passes_the_gate():
    autoencoders = assignment.load(miniature.ROOT, "autoencoders")
    committed = miniature.ROOT / "release" / "autoencoders" / "autoencoders.ipynb"
    assert release.inspect(autoencoders, committed) == []


# Seeded leaks

STATEMENT = "numbers = list(range(1, 11))"
CALL = "return sum([x * x, 0])"
HIDDEN = 'assert square(12345) == 152399025, f"{square(12345)} is not the square"'


def _append(grade_id, text):
    def change(document):
        found = cell(document, grade_id)
        found["source"] = "".join(found["source"]) + text

    return change


@pytest.mark.parametrize(
    ("grade_id", "text"),
    [
        ("given-noise", f"\n{STATEMENT}"),
        ("given-noise", "\nnumbers=list( range(1,11,) )"),
        ("given-noise", f"\nif True:\n    if random:\n        {STATEMENT}"),
        ("given-noise", f"\n# {STATEMENT}"),
        ("given-noise", "\n# numbers = list(\n#     range(1, 11),\n# )"),
        ("part-2", f"\n\n`{STATEMENT}`"),
        ("part-2", "\n\n```python\nnumbers = list(\n    range(1,\n          11))\n```"),
        ("part-2", "\n\n> numbers = list(range(1,\n> 11))"),
        ("part-2", f"\n\n<!-- {STATEMENT} -->"),
    ],
)
def test_a_statement_of_a_solution_is_found(inspected, grade_id, text):
    problems = inspected(_append(grade_id, text))
    assert any(
        f"({grade_id}) shows 'numbers = " in p and "the solution of cell 4 (numbers-answer)" in p for p in problems
    ), problems


def test_a_leak_in_the_source_itself_is_found_in_its_release(tmp_path):
    source = miniature.source()
    cell(source, "introduction")["source"] += f"\n\n    {STATEMENT}"
    loaded = miniature.load(tmp_path, source)
    for item, students in zip(source["cells"], loaded.cells, strict=True):
        item["source"] = students.source
    problems = release.inspect(loaded, miniature.write(source, tmp_path / "release" / "squares.ipynb"))
    assert len(problems) == 1
    assert "cell 1 (introduction) shows" in problems[0] and "the solution of cell 4" in problems[0]


@pytest.mark.parametrize(
    "text",
    [
        f"\ndef f(x):\n    {CALL}",
        "\ndef f(x):\n    return sum([x\n        * x, 0,])",
        "\n# return sum(\n#    [x * x, 0])",
        "\n# A power would do as well as the product.",
        "\nfor (number, _) in zip(numbers, range(4)):\n    pass",
        '\nprint("*" * square(number))',
    ],
)
def test_calls_over_lines_comments_and_heads_of_loops_are_found(inspected, text):
    problems = inspected(_append("given-noise", text))
    assert any("(given-noise) shows" in p and "which belongs to the solution of" in p for p in problems), problems


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"\n{HIDDEN}", "assert square(12345)"),
        ("\nassert (square(12345)\n        == 152399025), (f'{square(12345)} is not the square')", "assert square"),
        ("\n# assert square(12345) == 152399025, f'{square(12345)} is not the square'", "assert square"),
        ("\n# Large numbers tell a table from a computation.", "Large numbers"),
    ],
)
def test_a_line_of_a_hidden_check_is_found(inspected, text, what):
    problems = inspected(_append("square-sanity", text))
    assert any(what in p and "the hidden checks in test_square.py" in p for p in problems), problems


def test_the_docstring_of_a_hidden_check_is_no_secret(inspected):
    assert inspected(_append("part-2", "\n\nThe square of a number is the number times itself.")) != []
    problems = inspected(_append("part-2", "\n\nThe square of a number is the number times itself."))
    assert not any("shows" in p for p in problems)


def test_a_written_solution_is_found_in_other_lines(inspected):
    text = "\n\nThe squares grow faster\nand faster, because each step adds more than the last."
    assert any("the solution of cell 14 (square-remark)" in p for p in inspected(_append("closing", text)))


def test_a_part_of_a_sentence_of_a_written_solution_is_found(inspected):
    text = "\n\nThey grow *faster and faster, because each step adds more than* before."
    assert any("the solution of cell 14 (square-remark)" in p for p in inspected(_append("closing", text)))
    few = inspected(_append("closing", "\n\nBecause each step adds more, they grow faster and faster."))
    assert not any("shows" in p for p in few)


def _in_metadata(document):
    cell(document, "given-noise")["metadata"]["note"] = {"for": ["me", STATEMENT]}


def _in_notebook_metadata(document):
    document["metadata"]["note"] = STATEMENT


def _in_attachment(document):
    content = base64.b64encode(f"# solution\n{STATEMENT}\n".encode()).decode()
    cell(document, "introduction")["attachments"] = {"notes.txt": {"text/plain": content}}


def _in_output(document):
    cell(document, "given-noise")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": ["numbers = \n", "list(range(1, 11))"]}
    ]


def _in_notebook_metadata_packed(document):
    document["metadata"]["note"] = base64.b64encode(STATEMENT.encode()).decode()


def _in_a_field_of_its_own(document):
    cell(document, "given-noise")["note"] = STATEMENT


@pytest.mark.parametrize(
    "change",
    [
        _in_metadata,
        _in_notebook_metadata,
        _in_notebook_metadata_packed,
        _in_attachment,
        _in_output,
        _in_a_field_of_its_own,
    ],
)
def test_a_statement_is_found_wherever_a_notebook_can_hide_it(inspected, change):
    assert any("numbers = list(range(1, 11))" in p and "numbers-answer" in p for p in inspected(change))


def test_a_statement_in_a_file_beside_the_notebook_is_found(squares, released, tmp_path):
    shutil.copytree(released.parent, tmp_path / "squares")
    (tmp_path / "squares" / "helper.py").write_text(f"def f():\n    {STATEMENT}\n")
    shutil.copy(squares.source, tmp_path / "squares" / "copy.ipynb")
    problems = release.inspect(squares, tmp_path / "squares" / "squares.ipynb")
    assert any("The file helper.py shows" in p for p in problems)
    assert any("The file copy.ipynb shows" in p for p in problems)


def test_trivial_lines_are_no_leak(inspected):
    text = "\nimport math\nprint(numbers)\nsquare(3)\nx = 1"
    assert not any("shows" in p for p in inspected(_append("given-noise", text)))


# The same in disguise: a longer solution, and what a copyist makes of it

SOLUTION = """### BEGIN SOLUTION
scaled = values[..., np.axis].astype("float32") / 255
grid = draw(values[..., np.axis].astype("float32") / 255, marker="o", size=12)
paint(grid, first, first, rows=32, columns=20, quiet=True)
grid.shape, grid.size
### END SOLUTION"""


@pytest.fixture(scope="module")
def painted():
    """The secrets of an answer with calls that have keywords."""
    document = miniature.source()
    cell(document, "drawing-answer")["source"] = SOLUTION
    return leaks.secrets(document, miniature.ROOT / "no-tests-here")


def _found(tmp_path, hidden, text, cell_type="markdown"):
    item = {"cell_type": cell_type, "metadata": {}, "source": text}
    path = miniature.write({"cells": [item], "metadata": {}}, tmp_path / "notebook.ipynb")
    return [str(leak) for leak in leaks.search(tmp_path, path, hidden)]


@pytest.mark.parametrize(
    "text",
    [
        "`paint(grid, first, first, columns=20, quiet=True, rows=32)`",
        "`tools.paint(picture, image, image, rows=32, columns=20, quiet=True)`",
        "`paint(grid, first, first, rows=32, columns=20)`",
        "`images[..., lib.axis].astype('float32') / 255`",
        "<code>draw(values[..., np.axis].astype(&quot;float32&quot;) / 255, marker=&quot;o&quot;, size=12)</code>",
        'grid = **draw**(values\\[..., np.axis\\].astype("float32") / 255, marker="o", size=12)',
        ">>> grid = draw(values[..., np.axis].astype('float32')\n...     / 255, marker='o', size=12)",
        "1. `paint(grid, first, first, quiet=True, rows=32, columns=20)`",
        "```python\npaint(a, b, b, quiet=True, rows=32, columns=20)",
        "<details><summary>paint(a, b, b, quiet=True, rows=32, columns=20)</summary></details>",
        "<!-- paint(a, b, b, quiet=True, rows=32, columns=20) -->",
        "[a](https://example.org/?q=paint%28grid%2C%20first%2C%20first%2C%20rows%3D32%2C%20columns%3D20%2C%20quiet%3DTrue%29",
    ],
)
def test_a_solution_is_found_under_other_names_orders_and_marks(tmp_path, painted, text):
    found = _found(tmp_path, painted, text)
    assert found and "the solution of cell 16 (drawing-answer): take it out" in found[0]


@pytest.mark.parametrize(
    "code",
    [
        "plot = other.draw(x[..., lib.axis].astype('float32') / 255.0, size=12, marker='o')",
        "x = 1  # paint(grid, first, first, rows=32, columns=20, quiet=True)",
        "text = ('paint(grid, first, first, '\n        'rows=32, columns=20, quiet=True)')",
        "def f():\n    '''A tool.\n\n    paint(a, b, b, quiet=True, rows=32, columns=20)\n    '''",
        "def _reference(a, b):\n    return paint(a, b, b, rows=32, columns=20, quiet=True)",
    ],
)
def test_a_solution_is_found_in_given_code_under_other_names(tmp_path, painted, code):
    assert _found(tmp_path, painted, code, "code")


@pytest.mark.parametrize(
    "text",
    [
        "Look at `grid.shape, grid.size`.",
        "`paint(grid, left, right, rows=32, columns=20)` paints two images.",
        "`paint(..., rows=32, columns=20)` and `draw(marker='o')` are what you need.",
        "With rows=32 and columns=20, and 255 grey tones, it takes a minute.",
    ],
)
def test_a_hint_is_no_leak(tmp_path, painted, text):
    assert _found(tmp_path, painted, text) == []


def test_a_number_at_the_end_of_a_secret_is_not_found_in_a_longer_one():
    assert leaks._stands_in("seed1", "aseed1b")
    assert not leaks._stands_in("seed1", "aseed12b")
    assert leaks._stands_in("seed1", "seed12seed1")


@pytest.mark.parametrize("text", ["The limit is 0.0635.", "limit = 6.35e-2", "seed(731204)", '{"limit": 0.0635}'])
def test_a_telling_number_of_the_calibration_is_found(tmp_path, text):
    tests = tmp_path / "tests"
    miniature.write({"a": {"limit": 0.0635, "noise": 0.5}, "b": [731204, 2000, 1e12, True]}, tests / "calibration.json")
    hidden = leaks.secrets(miniature.source(), tests)
    assert list(hidden.numbers) == [0.0635, 731204.0]
    found = _found(tmp_path / "release", hidden, text)
    assert found and "the hidden checks in calibration.json" in found[0]
    assert _found(tmp_path / "other", hidden, "Noise of 0.5, 2000 images, 10.0635 and 0.06357, in 2024.") == []


def _in_zip(folder):
    with zipfile.ZipFile(folder / "more.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("helper.py", STATEMENT)


def _in_script(folder):
    (folder / "helper.py").write_text("def f(start):\n    many = list(range(1, 11))\n    numbers = many\n" + CALL)


@pytest.mark.parametrize("hide", [_in_zip, _in_script])
def test_a_statement_is_found_in_what_lies_beside_the_notebook(squares, released, tmp_path, hide):
    shutil.copytree(released.parent, tmp_path / "squares")
    hide(tmp_path / "squares")
    problems = release.inspect(squares, tmp_path / "squares" / "squares.ipynb")
    assert problems and all("The file " in p and "shows" in p for p in problems)


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
def test_a_statement_is_found_in_the_remarks_of_a_picture(inspected, kind):
    text = STATEMENT.encode()
    body = {b"tEXt": b"a\0" + text, b"zTXt": b"a\0\0" + zlib.compress(text)}.get(
        kind, b"a\0\1\0\0\0" + zlib.compress(text)
    )
    chunk = len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunk).decode()

    def change(document):
        cell(document, "introduction")["attachments"] = {"a.png": {"image/png": picture}}

    assert any("The attachments of cell 1 (introduction) shows 'numbers = " in p for p in inspected(change))


# The rest of the gate


def test_outputs_and_counts_are_refused(inspected):
    def change(document):
        cell(document, "given-noise")["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
        cell(document, "given-imports")["execution_count"] = 3

    assert inspected(change) == [
        "The cell 2 (given-imports) holds an execution count: clear the outputs.",
        "The cell 9 (given-noise) holds outputs: clear them.",
    ]


def test_a_changed_cell_is_refused(inspected):
    problems = inspected(_append("drawing-answer", "\nprint(1)"))
    assert problems == [
        "The cell 16 (drawing-answer) should hold the stub alone, but it does not: generate the release again."
    ]
    problems = inspected(_append("square-statement", " More."))
    assert "cell 8 (square-statement) should be as in the source" in problems[0]


def test_missing_and_renamed_cells_are_refused(inspected):
    assert "has 19 cells, the source 20" in inspected(lambda document: document["cells"].pop())[0]

    def rename(document):
        cell(document, "closing")["metadata"]["nbgrader"]["grade_id"] = "ending"

    assert "cell 20 (closing) has another grade_id" in inspected(rename)[0]


def _build(tmp_path, change):
    source = miniature.source()
    change(source)
    with pytest.raises(ReleaseRefused) as caught:
        release.build(miniature.course(tmp_path, source))
    return str(caught.value)


def _answer(grade_id, old, new):
    def change(document):
        found = cell(document, grade_id)
        assert old in found["source"]
        found["source"] = found["source"].replace(old, new)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _answer("numbers-answer", "### BEGIN SOLUTION", "### begin solution"),
            "cell 4 (numbers-answer), line 1: unknown",
        ),
        (_answer("numbers-answer", "### BEGIN SOLUTION", "### BEGIN SOLUTON"), "write '### BEGIN SOLUTION'"),
        (_answer("numbers-answer", "### BEGIN SOLUTION", "# BEGIN SOLUTION"), "line 1: unknown marker"),
        (_answer("numbers-answer", "### BEGIN SOLUTION\n", ""), "'### END SOLUTION' without a beginning"),
        (_answer("numbers-answer", "total", "### BEGIN SOLUTION\ntotal"), "line 3: a second"),
        (
            _answer("numbers-answer", "### BEGIN SOLUTION\nnumbers", "numbers = 0\n### BEGIN SOLUTION\nnumbers"),
            "cell 4 (numbers-answer) has 'numbers = 0' outside of its solution region: move it inside",
        ),
        (
            _answer("square-answer", "    ### END SOLUTION", "    ### END SOLUTION\n    return x * x"),
            "cell 10 (square-answer) has 'return x * x' outside of its solution region",
        ),
        (
            _answer("square-answer", '    """Return the square of `x`."""\n', ""),
            "cell 10 (square-answer) is no valid Python without its solution: put a docstring above the region",
        ),
        (
            lambda d: cell(d, "drawing-answer").update(source="print(1)"),
            "cell 16 (drawing-answer) has no solution region",
        ),
        (lambda d: cell(d, "square-remark").update(source="Well."), "cell 14 (square-remark) has no solution region"),
        (
            lambda d: d["cells"].append(copy.deepcopy(cell(d, "square"))),
            "cell 21 (square) has the grade_id of the cell 12",
        ),
        (lambda d: cell(d, "square")["metadata"]["nbgrader"].update(points=6), "sum to 15"),
    ],
)
def test_a_faulty_source_is_refused_with_cell_and_mend(tmp_path, change, message):
    assert message in _build(tmp_path, change)


# The run of the blank release


def _report(submission_cells, questions=(), fault=None):
    return report.Report(
        assignment="squares",
        student="release",
        submission=report.Submission(file="squares.ipynb", digest="sha256:0"),
        score=sum(q.score for q in questions),
        max_score=14,
        awaiting_review=0,
        status="graded",
        questions=questions,
        cells=submission_cells,
        fault=fault,
        execution=report.Execution(isolation="namespaces", training="record"),
        autograder_version="0",
    )


def _cells(**errors):
    """Return the cells of a run of the blank miniature; ``errors`` by number, as ``_3="..."``."""
    found = {int(name.strip("_")): error for name, error in errors.items()}
    return tuple(report.Cell(index=n, status="error" if n in found else "ok", error=found.get(n)) for n in range(7))


def _run_problems(squares, released, made):
    return release._problems_of_run(squares, released, made)


def test_a_blank_release_that_fails_its_checks_alone_passes(squares, released):
    cells = _cells(
        _2="AssertionError: There are no numbers yet.",
        _5="AssertionError: The square of 3 is 9.",
        _3="NameError: name 'numbers' is not defined",
    )
    assert _run_problems(squares, released, _report(cells)) == []


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ({"_2": "NameError: name 'numbers' is not defined"}, "cell 5 (numbers-sanity) fails in the blank release"),
        ({"_0": "ModuleNotFoundError: No module named 'math'"}, "cell 2 (given-imports) fails"),
        ({"_3": "NameError: name 'nunbers' is not defined"}, "cell 9 (given-noise) fails"),
        ({"_1": "NameError: name 'x' is not defined"}, "cell 4 (numbers-answer) fails"),
    ],
)
def test_any_other_failure_of_the_blank_release_is_ours(squares, released, errors, message):
    problems = _run_problems(squares, released, _report(_cells(**errors)))
    assert len(problems) == 1 and message in problems[0]


def test_points_for_a_blank_release_are_refused(squares, released):
    question = report.Question(id="square", title="", score=1, max_score=5, status="partial")
    assert _run_problems(squares, released, _report(_cells(), (question,))) == [
        "The question square gives 1 points for the blank release."
    ]


def test_a_question_that_no_hidden_check_grades_is_refused(squares, released):
    questions = tuple(
        report.Question(id=name, title="", score=0, max_score=5, status="needs_review")
        for name in ("square", "square-remark")
    )
    problems = _run_problems(squares, released, _report(_cells(), questions))
    assert len(problems) == 1 and "No hidden check grades the question square: mark one with" in problems[0]


def test_a_fault_of_the_grader_is_refused(squares, released):
    made = _report((), fault=report.Fault(whose="grader", message="No isolation."))
    assert _run_problems(squares, released, made) == ["The blank release can not be graded: No isolation."]


# The executed reference


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    source = miniature.source()
    cell(source, "numbers-answer")["source"] = (
        "### BEGIN SOLUTION\nnumbers = list(range(1, 11))\ntotal = sum(numbers)\n"
        "import sys\nprint('a warning', file=sys.stderr)\nprint(total)\n### END SOLUTION"
    )
    root = miniature.course(tmp_path_factory.mktemp("executed"), source)
    return solutions.execute_reference(root)


def test_the_executed_reference_has_outputs_but_no_warnings(executed):
    document = assignment.read_source(executed)
    outputs = cell(document, "numbers-answer")["outputs"]
    assert [(o["name"], "".join(o["text"])) for o in outputs] == [("stdout", "55\n")]
    assert "execution" not in cell(document, "numbers-answer")["metadata"]
    assert [path.name for path in executed.parent.iterdir()] == ["squares.ipynb"]


def test_the_executed_reference_is_compared_with_the_source(executed):
    root = executed.parent.parent.parent
    loaded = assignment.load(root)
    assert solutions.differences(loaded) == ()
    changed = assignment.read_source(executed)
    cell(changed, "square-answer")["source"] += "\n# changed"
    cell(changed, "drawing-answer")["outputs"] = [{"output_type": "error", "ename": "E", "evalue": ""}]
    kept = executed.read_bytes()
    miniature.write(changed, executed)
    try:
        assert [d.split(" of ")[0] for d in solutions.differences(loaded)] == [
            "The cell 10 (square-answer)",
            "The cell 16 (drawing-answer)",
        ]
    finally:
        executed.write_bytes(kept)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: cell(d, "numbers-answer").update(execution_count=None), "cell 4 (numbers-answer) of the executed"),
        (
            lambda d: cell(d, "introduction").update(attachments={}),
            "cell 1 (introduction) of the executed reference is",
        ),
        (
            lambda d: cell(d, "numbers-answer")["outputs"][0].update(text="/home/ann/data"),
            "cell 4 (numbers-answer) of the executed reference shows '/home/ann'",
        ),
        (lambda d: d["metadata"].update(note="x" * 3_000_000), "squares.ipynb is larger than 3 MB"),
    ],
)
def test_a_reference_that_was_not_executed_or_can_not_be_committed_is_named(executed, change, problem):
    changed = assignment.read_source(executed)
    change(changed)
    kept = executed.read_bytes()
    miniature.write(changed, executed)
    try:
        found = solutions.differences(assignment.load(executed.parent.parent.parent))
    finally:
        executed.write_bytes(kept)
    assert len(found) == 1 and problem in found[0]


def test_a_missing_reference_is_named(squares):
    assert solutions.differences(squares) == ("solutions/squares/squares.ipynb is missing: run `make solutions`.",)


def test_a_reference_that_fails_is_not_written(tmp_path):
    source = miniature.source()
    cell(source, "drawing-answer")["source"] = "### BEGIN SOLUTION\n1 / 0\n### END SOLUTION"
    with pytest.raises(assignment.AssignmentError, match="ZeroDivisionError"):
        solutions.execute_reference(miniature.course(tmp_path, source))
    assert not (tmp_path / "solutions").exists()
