"""A miniature assignment, small enough to be read at a glance, and submissions of it."""

import copy
import json
import shutil
from pathlib import Path

from autograder import assignment
from autograder.assignment import Assignment

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NOTEBOOKS = HERE / "notebooks"
NAME = "squares"
STUB = "# YOUR CODE HERE"
TEXT_STUB = "*Your answer here.*"

HIDDEN_CHECK = '''"""The hidden checks of the miniature."""

import pytest


@pytest.mark.question("square")
def test_square(square):
    """The square of a number is the number times itself."""
    # Large numbers tell a table from a computation.
    assert square(12345) == 152399025, f"{square(12345)} is not the square"
'''


def _metadata(grade_id, *, grade=False, solution=False, locked=False, points=None):
    metadata = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    return {"nbgrader": metadata | ({} if points is None else {"points": points})}


def _code(grade_id, source, **flags):
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": grade_id,
        "metadata": _metadata(grade_id, **flags),
        "outputs": [],
        "source": source,
    }


def _markdown(grade_id, source, **flags):
    return {"cell_type": "markdown", "id": grade_id, "metadata": _metadata(grade_id, **flags), "source": source}


def text(grade_id, source):
    return _markdown(grade_id, source, locked=True)


def statement(question, source):
    return text(f"{question}-statement", source)


def given(grade_id, source):
    return _code(grade_id, source, locked=True)


def answer(question, source):
    return _code(f"{question}-answer", source, solution=True)


def grade(question, points):
    return _code(question, f"# Graded by the autograder: {points} points.", grade=True, locked=True, points=points)


def remark(question, source, points):
    return _markdown(question, source, grade=True, solution=True, points=points)


def source() -> dict:
    """Return the source notebook of the miniature, as JSON."""
    cells = [
        text("introduction", "# Squares\n\nA small assignment about numbers and their squares."),
        given("given-imports", "import math\nimport random"),
        statement(
            "numbers",
            (
                "### ❓ 1. Make the numbers\n\n**3 points**\n\n"
                "Make a list `numbers` of the whole numbers from 1 to 10, and let `total` be their sum."
            ),
        ),
        answer("numbers", "### BEGIN SOLUTION\nnumbers = list(range(1, 11))\ntotal = sum(numbers)\n### END SOLUTION"),
        given(
            "numbers-sanity",
            (
                '# A quick check.\nassert "numbers" in globals(), "There are no numbers yet."\n'
                'assert len(numbers) == 10, f"There should be ten numbers, not {len(numbers)}."'
            ),
        ),
        grade("numbers", 3),
        text("part-2", "## Part 2. Squares\n\nFrom numbers to what one can do with them."),
        statement(
            "square",
            (
                "### ❓ 2. Write the square\n\n**5 points**\n\n"
                "Write a function `square(x)` that returns the product of a number with itself."
            ),
        ),
        given("given-noise", "noisy_numbers = [number + random.random() for number in numbers]"),
        answer(
            "square",
            (
                'def square(x):\n    """Return the square of `x`."""\n    ### BEGIN SOLUTION\n'
                "    # A power would do as well as the product.\n    return sum(\n        [x * x, 0],\n    )\n"
                "    ### END SOLUTION"
            ),
        ),
        given(
            "square-sanity",
            (
                '# A quick check.\nassert callable(globals().get("square")), "There is no function square yet."\n'
                'assert square(3) == 9, "The square of 3 is 9."'
            ),
        ),
        grade("square", 5),
        statement(
            "square-remark",
            (
                "### ❓ 2. What do you remark?\n\n**2 points**\n\n"
                "How quickly do the squares grow, and what does that mean for large numbers?"
            ),
        ),
        remark(
            "square-remark",
            (
                "<!-- BEGIN SOLUTION -->\n"
                "The squares grow faster and faster, because each step adds more than the last.\n"
                "<!-- END SOLUTION -->"
            ),
            2,
        ),
        statement("drawing", "### ❓ 3. Draw the squares\n\n**3 points**\n\nPrint one star for each unit of a square."),
        answer(
            "drawing",
            (
                "### BEGIN SOLUTION\nfor number, _ in zip(numbers, range(4)):\n"
                '    print("*" * square(number))\n### END SOLUTION'
            ),
        ),
        grade("drawing", 3),
        statement("judged", "### ❓ 4. How good is it?\n\n**1 point**\n\nHere you have nothing to write."),
        grade("judged", 1),
        text("closing", "## The end\n\nWell done, whatever came out of it."),
    ]
    return {
        "cells": cells,
        "metadata": {
            "autograder": {"assignment": NAME, "total_points": 14},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def cell(document: dict, grade_id: str) -> dict:
    return next(c for c in document["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def place(document: dict, grade_id: str) -> int:
    return document["cells"].index(cell(document, grade_id))


def write(document: dict, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def course(root: Path, document: dict | None = None) -> Path:
    """Make a course folder with the miniature in it; return it."""
    write(source() if document is None else document, root / "source" / NAME / f"{NAME}.ipynb")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    (root / "tests" / NAME).mkdir(parents=True, exist_ok=True)
    (root / "tests" / NAME / "test_square.py").write_text(HIDDEN_CHECK, encoding="utf-8")
    return root


def load(root: Path, document: dict | None = None) -> Assignment:
    return assignment.load(course(root, document), NAME)


def blank() -> dict:
    """Return the students' version."""
    document = source()
    cell(document, "numbers-answer")["source"] = STUB
    cell(document, "square-answer")["source"] = f'def square(x):\n    """Return the square of `x`."""\n    {STUB}'
    cell(document, "drawing-answer")["source"] = STUB
    cell(document, "square-remark")["source"] = TEXT_STUB
    return document


def right() -> dict:
    """Return the submission of a student who did everything."""
    document = blank()
    cell(document, "numbers-answer")["source"] = "numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\ntotal = 55"
    cell(document, "square-answer")["source"] = "def square(x):\n    return x**2"
    cell(document, "drawing-answer")["source"] = "print('*' * square(4))"
    cell(document, "square-remark")["source"] = "They grow and grow."
    return document


def without_metadata(document: dict) -> dict:
    """Return a notebook as one that was typed anew: same cells, no metadata."""
    bare = copy.deepcopy(document)
    for item in bare["cells"]:
        item["metadata"] = {}
    bare["metadata"] = {}
    return bare


def code(source: str) -> dict:
    """Return a code cell that the student added."""
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}


def markdown(source: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": source}
