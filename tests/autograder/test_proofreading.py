"""What would make a bad release is told from the source notebook alone, with the cell and the mend."""

import miniature
import pytest
from miniature import cell, place

from autograder import assignment
from autograder.release import proofreading

PICTURE = {"a.png": {"image/png": "iVBORw0KGgo="}}


def _problems(tmp_path, change=lambda document: None):
    document = miniature.source()
    change(document)
    loaded = miniature.load(tmp_path, document)
    return list(proofreading.problems(loaded, assignment.read_source(loaded.source)))


def _replace(grade_id, old, new):
    def change(document):
        found = cell(document, grade_id)
        assert old in found["source"]
        found["source"] = found["source"].replace(old, new)

    return change


def _append(grade_id, text):
    return lambda document: cell(document, grade_id).update(source=cell(document, grade_id)["source"] + text)


def _nbgrader(grade_id, **fields):
    return lambda document: cell(document, grade_id)["metadata"]["nbgrader"].update(fields)


def _set(grade_id, **fields):
    return lambda document: cell(document, grade_id).update(fields)


def _swap(one, other):
    def change(document):
        cells, a, b = document["cells"], place(document, one), place(document, other)
        cells[a], cells[b] = cells[b], cells[a]

    return change


def _without(grade_id):
    return lambda document: document["cells"].remove(cell(document, grade_id))


def _both(*changes):
    def change(document):
        for each in changes:
            each(document)

    return change


def test_the_sources_of_this_repository_are_well_written(tmp_path):
    assert _problems(tmp_path) == []
    loaded = assignment.load(miniature.ROOT, "autoencoders")
    assert list(proofreading.problems(loaded, assignment.read_source(loaded.source))) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("square", id="numbers"), 'cell 12 (square) has the "id" of the cell 6: give it one of its own'),
        (_set("square", id="a b"), 'cell 12 (square) has no valid "id"'),
        (lambda d: cell(d, "square").pop("id"), "without an id (cell 12 (square)): open the notebook in JupyterLab"),
        (lambda d: d.update(nbformat_minor=4), "is of format 4.4, without ids"),
        (lambda d: cell(d, "square").pop("outputs"), "cell 12 (square) is not as nbformat wants it"),
        (_set("square", note="x"), "cell 12 (square) is not as nbformat wants it"),
        (_nbgrader("square", note="x"), "cell 12 (square) is not as nbgrader wants it"),
        (_nbgrader("square", cell_type="markdown"), "cell 12 (square) is code, but its nbgrader metadata say"),
        (_set("given-noise", execution_count=3), "Outputs are left in cell 9 (given-noise): in JupyterLab, Edit"),
        (
            _set("given-noise", outputs=[{"output_type": "stream", "name": "stdout", "text": "1"}]),
            "Outputs are left in cell 9 (given-noise)",
        ),
        (lambda d: d["metadata"].pop("kernelspec"), "names no Python kernel: choose Python 3"),
        (lambda d: d["metadata"]["kernelspec"].update(language="R"), "names no Python kernel"),
        (lambda d: d["metadata"]["autograder"].update(assignment="cubes"), "it is 'cubes', its folder 'squares'"),
    ],
)
def test_a_file_that_jupyter_or_nbgrader_would_not_keep_is_refused(tmp_path, change, message):
    assert message in "\n".join(_problems(tmp_path, change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _set("drawing-answer", source="### BEGIN SOLUTION\n# nothing yet\n### END SOLUTION"),
            "cell 16 (drawing-answer) has an empty solution region",
        ),
        (_replace("numbers-answer", "sum(numbers)", "sum(numbers"), "cell 4 (numbers-answer) is no valid Python: mend"),
        (_append("numbers-answer", "\n# total = sum(numbers)"), "has 'total = sum(numbers)' in a comment outside"),
        (_append("numbers-answer", "\n# print(numbers)"), "has 'print(numbers)' in a comment outside"),
        (_append("square-remark", "\nThey grow."), "cell 14 (square-remark) has 'They grow.' outside of its solution"),
        (
            _set("square-remark", source="<!-- BEGIN SOLUTION -->\n<!-- END SOLUTION -->"),
            "cell 14 (square-remark) has an empty solution region",
        ),
        (_append("square", "\nassert square(2) == 4"), "cell 12 (square) holds code: hidden checks live in the folder"),
    ],
)
def test_a_solution_that_is_missing_or_in_the_wrong_place_is_refused(tmp_path, change, message):
    assert message in "\n".join(_problems(tmp_path, change))


@pytest.mark.parametrize(
    "text",
    [
        "\n# Make the numbers, then add them up.",
        "\n# total = ...",
        "\n# numbers",
        "\n# Hint: a list.",
        '\n"""A hint."""',
    ],
)
def test_a_hint_in_an_answer_cell_is_allowed(tmp_path, text):
    assert _problems(tmp_path, _append("numbers-answer", text)) == []


def test_the_stub_of_nbgrader_itself_is_no_solution_outside_its_region(tmp_path):
    course = miniature.course(tmp_path)
    (course / "nbgrader_config.py").unlink()
    loaded = assignment.load(course)
    assert list(proofreading.problems(loaded, assignment.read_source(loaded.source))) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_replace("square-statement", "**5 points**", "**6 points**"), "cell 8 (square-statement) states 6 points"),
        (
            _replace("square", "5 points", "4.5 points"),
            "cell 12 (square) states 4.5 points, but the question square is",
        ),
        (
            _replace("square-statement", "❓ 2.", "❓ 3."),
            "cell 8 (square-statement) is question 3 but follows question 1",
        ),
        (_replace("drawing-statement", "❓ 3.", "❓ 1."), "cell 15 (drawing-statement) is question 1 but follows"),
        (_swap("square-answer", "square"), "cell 12 (square-answer) stands below the cell 11 (square-sanity)"),
        (_swap("square-statement", "square-answer"), "cell 10 (square-statement) stands below the cell 8"),
        (_swap("square-answer", "square-sanity"), "cell 11 (square-answer) stands below the cell 10 (square-sanity)"),
    ],
)
def test_points_numbers_and_orders_that_disagree_are_refused(tmp_path, change, message):
    assert message in "\n".join(_problems(tmp_path, change))


def test_points_that_are_changed_everywhere_are_right(tmp_path):
    change = _both(
        _nbgrader("square", points=4.5),
        _nbgrader("numbers", points=3.5),
        _replace("square-statement", "5 points", "4.5 points"),
        _replace("numbers-statement", "3 points", "3.5 points"),
        _replace("square", "5 points", "4.5 points"),
        _replace("numbers", "3 points", "3.5 points"),
    )
    assert _problems(tmp_path, change) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("given-imports"), "cell 8 (given-noise) uses random, but no cell binds it"),
        (_without("numbers-answer"), "(given-noise) uses numbers, but no cell binds it"),
        (_append("given-noise", "\nprint(nunbers)"), "cell 9 (given-noise) uses nunbers, but no cell binds it"),
        (_append("given-noise", "\ndef f():\n    return nunbers"), "cell 9 (given-noise) uses nunbers, but no cell"),
        (_append("given-imports", "\nprint(square(2))"), "cell 2 (given-imports) uses square, but only a cell below"),
        (_append("given-imports", "\nimport no_such_package.sub"), "imports no_such_package, which is not installed"),
        (_append("square-sanity", "\nfrom helper import f"), "cell 11 (square-sanity) imports helper, which is not"),
    ],
)
def test_a_name_that_nothing_binds_is_refused(tmp_path, change, message):
    assert message in "\n".join(_problems(tmp_path, change))


@pytest.mark.parametrize(
    "text",
    [
        "\n%matplotlib inline\nfiles = !ls\nprint(files, __name__)\ndisplay(get_ipython())",
        "\ndef f(x, *rest, key=1):\n    return [y + later() for y in rest if key]\ndef later():\n    return math.pi",
        "\ntry:\n    import google.colab\nexcept ImportError as error:\n    print(error)",
        "\nclass A:\n    b = 1\n    def c(self):\n        return A.b, lambda q: q + self.b",
        "\nwith open('x') as a, open('y') as b:\n    print(a, b)\nfor i, (j, k) in []:\n    print(i, j, k)",
        "\nfrom math import *\nprint(sqrt(2))",
    ],
)
def test_names_of_python_and_jupyter_are_known(tmp_path, text):
    assert _problems(tmp_path, _append("given-imports", text)) == []


@pytest.mark.parametrize(
    ("text", "attachments", "message"),
    [
        ("![a](attachment:a.png)", {}, "shows 'a.png', which is not attached to it: paste the picture into the cell"),
        ("![a](attachment:b.png)", PICTURE, "shows 'b.png', which is not attached"),
        ("![a](attachment:a.png)", {"a.png": {}}, "shows 'a.png', which is not attached"),
        ("![a](attachment:a.png)", {"a.png": {"image/png": "!!!"}}, "shows 'a.png', which is not attached"),
        ("![a](a.png)", {}, "shows 'a.png', which students do not get"),
        ('<img width="2" src="/home/me/a.png">', {}, "shows '/home/me/a.png', which students do not get"),
        ("<details>\n<summary>A</summary>\nB", {}, "opens <details> 1 times but closes it 0 times"),
        ("<details>\n<summary>A\nB\n</details>", {}, "opens <summary> 1 times but closes it 0 times"),
        ("```python\nx = 1", {}, "has a code block that is never closed"),
    ],
)
def test_a_text_that_would_not_be_shown_is_refused(tmp_path, text, attachments, message):
    change = _both(_append("part-2", f"\n\n{text}"), _set("part-2", attachments=attachments))
    assert [p for p in _problems(tmp_path, change) if "cell 7 (part-2)" in p and message in p]


@pytest.mark.parametrize(
    "text",
    [
        "![a](attachment:a.png)",
        "![a](https://example.org/a.png)",
        "A picture is written `![a](attachment:b.png)`, a fold `<details>`.",
        "```html\n<details>\n```",
        "<details>\n<summary>A</summary>\n\n```python\nx\n```\n</details>",
    ],
)
def test_a_text_that_is_shown_is_right(tmp_path, text):
    change = _both(_append("part-2", f"\n\n{text}"), _set("part-2", attachments=PICTURE))
    assert _problems(tmp_path, change) == []
