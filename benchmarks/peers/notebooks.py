"""The notebooks that the peers get: ours, with the questions that need no training, and with asserts as tests."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from peers.asserts import CELLS

COURSE = Path(__file__).resolve().parents[2]
QUESTIONS = tuple(CELLS)
NAME = "autoencoders"

Notebook = dict[str, Any]
Cell = dict[str, Any]

# Cells of these are left out: they train, they plot what was trained, or a person reads them.
_LEFT_OUT = (
    "plot-digits", "fit", "reconstructions", "reconstructions-remark", "encode", "latent-space", "latent-space-remark",
    "given-noise", "noisy-images", "fit-denoiser", "denoising-error", "denoised-images", "best-latent-dimension",
    "best-latent-dimension-remark",
)  # fmt: skip
_SUFFIXES = re.compile(r"-(answer|sanity|statement)$")
_USES_TRAINING = re.compile(r"\.(fit|predict|evaluate|train_on_batch)\(|GradientTape")
# What answers a question that is graded, and would be missing if it stood in a cell that is left out.
_ANSWERS = re.compile(
    r"\.compile\(|^ *def (build|compile)_|^(X_train|y_train|X_test|y_test|encoder|decoder|autoencoder) *[,=](?!=)",
    re.MULTILINE,
)
_TRAINS = re.compile(r"epochs\s*=|\.train_on_batch\(|GradientTape")


def read(kind: str) -> Notebook:
    """Return the source or the release notebook of the course."""
    notebook: Notebook = json.loads((COURSE / kind / NAME / f"{NAME}.ipynb").read_text(encoding="utf-8"))
    return notebook


def cut(notebook: Notebook) -> Notebook:
    """Return the notebook without the questions that need training; cells that belong to no question stay."""
    return {**notebook, "cells": [cell for cell in notebook["cells"] if _is_kept(cell)]}


def trains(notebook: Notebook) -> bool:
    """Tell whether a cell trains, so that a grader that executes it would take minutes."""
    return any(_TRAINS.search(source_of(cell)) for cell in notebook["cells"] if is_code(cell))


def answers_elsewhere(notebook: Notebook) -> bool:
    """Tell whether a cell that ``cut`` leaves out answers one of the questions that stay."""
    return any(_ANSWERS.search(source_of(cell)) for cell in notebook["cells"] if is_code(cell) and not _is_kept(cell))


def for_nbgrader(source: Notebook, asserts: bool = True) -> Notebook:
    """Return nbgrader's source notebook: the asserts stand in the grade cells, hidden from students."""
    notebook = json.loads(json.dumps(source))
    for cell in notebook["cells"]:
        question = grade_id_of(cell)
        if asserts and _is_graded(cell) and question in CELLS:
            tests = f"### BEGIN HIDDEN TESTS\n{CELLS[question]}### END HIDDEN TESTS"
            cell["source"] = (source_of(cell).rstrip("\n") + "\n" + tests).splitlines(keepends=True)
    made: Notebook = notebook
    return made


def for_otter(notebook: Notebook) -> Notebook:
    """Return a submission as it looks in a course with otter: its check stands where nbgrader's grade cell does."""
    cells = []
    for cell in notebook["cells"]:
        question = grade_id_of(cell)
        checks = _is_graded(cell) and question in CELLS
        cells.append({**cell, "source": [f'grader.check("{question}")']} if checks else cell)
    begin = _code_cell("import otter\n\ngrader = otter.Notebook()")
    return {**notebook, "cells": [begin, *cells]}


def otter_test(question: str, points: float) -> str:
    """Return otter's test file of a question: the same asserts, in the format that ``otter assign`` writes."""
    case = {"code": _as_doctest(CELLS[question]), "hidden": True, "locked": False}
    suite = {"cases": [case], "scored": True, "setup": "", "teardown": "", "type": "doctest"}
    test = {"name": question, "points": points, "suites": [suite]}
    return f"OK_FORMAT = True\n\ntest = {test!r}\n"


def points(source: Notebook) -> dict[str, float]:
    """Return the points of each question that the peers grade."""
    graded = {grade_id_of(cell): cell["metadata"]["nbgrader"] for cell in source["cells"] if _is_graded(cell)}
    return {question: float(graded[question]["points"]) for question in QUESTIONS}


def with_epochs(notebook: Notebook, epochs: int) -> Notebook:
    """Return the notebook with another number of epochs in every fit."""
    text = json.dumps(notebook)
    changed, times = re.subn(r"epochs=20\b", f"epochs={epochs}", text)
    if not times:
        raise ValueError("no fit of the notebook has 20 epochs")
    made: Notebook = json.loads(changed)
    return made


def source_of(cell: Cell) -> str:
    """Return a cell's text; files hold it as one text or as lines."""
    return "".join(cell["source"])


def grade_id_of(cell: Cell) -> str:
    """Return nbgrader's name of a cell; empty where it has none."""
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def is_code(cell: Cell) -> bool:
    """Tell whether a cell holds code."""
    return bool(cell["cell_type"] == "code")


def _is_graded(cell: Cell) -> bool:
    return is_code(cell) and bool(cell["metadata"].get("nbgrader", {}).get("grade"))


def _is_kept(cell: Cell) -> bool:
    grade_id = grade_id_of(cell)
    if grade_id:
        return _SUFFIXES.sub("", grade_id) not in _LEFT_OUT
    return not is_code(cell) or not _USES_TRAINING.search(source_of(cell))


def _as_doctest(source: str) -> str:
    lines = source.splitlines()
    return "\n".join(_statements(lines, ast.parse(source).body)) + "\n"


def _statements(lines: list[str], statements: Iterable[ast.stmt]) -> Iterable[str]:
    for statement in statements:
        for number in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
            yield ("... " if number >= statement.lineno else ">>> ") + lines[number]


def _code_cell(source: str) -> Cell:
    return {"cell_type": "code", "execution_count": None, "id": "otter-begins", "metadata": {}, "outputs": [],
            "source": source.splitlines(keepends=True)}  # fmt: skip
