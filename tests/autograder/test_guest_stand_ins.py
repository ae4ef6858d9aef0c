"""Stand-ins: a cell that stops for a builder's fault runs once more with a model of the right shapes in its place."""

from __future__ import annotations

from typing import Any

import pytest
from warm import Run, run

KERAS = "import keras\nfrom keras import layers"
RIGHT = "def build(n): return keras.Sequential([layers.Input((3,)), layers.Dense(n)])"
FIXED = "def build(n): return keras.Sequential([layers.Input((3,)), layers.Dense(2)])"
LOOP = """
widths = {}
for n in (2, 4, 8):
    model = build(n)
    assert model.output_shape == (None, n)
    widths[n] = model.output_shape[1]
"""
SHAPES = {"input_shape": [3], "output_shape": ["argument"]}


def builder(number: int) -> dict[str, Any]:
    like = {"input_shape": [3], "output_shape": [number]}
    return {"find": "function", "names": ["build"], "arguments": [number], "like": like, "stand_in": SHAPES}


PROBES = {
    "build": {"two": builder(2), "five": builder(5)},
    "compare": {"widths": {"find": "plain", "names": ["widths"], "again_with": ["build"]}},
}


def graded(definition: str, loop: str = LOOP, **cell: Any) -> Run:
    cells = [
        {"source": KERAS, "kind": "given"},
        {"source": definition, "question": "build", "exports": ["build"]},
        {"source": loop, "question": "compare", "exports": ["compare"], **cell},
        "print(build(7).output_shape)",
    ]
    return run(cells, probes=PROBES)


def widths(result: Run) -> Any:
    return result.evidence.value("compare", "widths").plain


def told(result: Run) -> Any:
    value = result.evidence.value("compare", "stand-ins")
    return None if value is None else value.plain


@pytest.mark.parametrize("definition", [FIXED, "def build(n): return None", "def build(n): raise ValueError", "pass"])
def test_a_loop_over_a_builder_that_does_not_work_is_recorded_to_its_end(definition):
    result = graded(definition)
    assert widths(result) == {"pairs": [[2, 2], [4, 4], [8, 8]]}
    assert told(result) == {"replaced": ["build"], "completed": True}
    assert result.cell(2).status == "error", "the student's own run is what the report shows"


def test_the_notebooks_own_builder_comes_back():
    result = graded(FIXED)
    models = [result.evidence.value("build", label).model for label in ("two", "five")]
    assert [result.evidence.models[model].output_shape for model in models] == [[None, 2], [None, 2]]
    assert result.printed(3) == "(None, 2)\n"


def test_a_builder_that_works_is_never_replaced():
    result = graded(RIGHT, LOOP + "raise RuntimeError('a mistake of its own')")
    assert told(result) is None
    assert result.cell(2).status == "error"


def test_a_cell_that_ends_by_itself_is_not_run_again():
    result = graded(FIXED, "widths = {2: build(2).output_shape[1]}")
    assert told(result) is None
    assert widths(result) == {"pairs": [[2, 2]]}


def test_a_mistake_of_the_loop_itself_is_told_apart():
    result = graded(FIXED, LOOP.replace("widths[n]", "widht[n]"))
    assert told(result) == {"replaced": ["build"], "completed": False}


def test_a_cell_of_no_student_is_not_run_again():
    assert told(graded(FIXED, kind="sanity")) is None
