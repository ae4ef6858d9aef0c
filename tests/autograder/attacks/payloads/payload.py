"""What one payload is: code in one cell of a notebook whose other cells are honest, or a change of the notebook."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Notebook = dict[str, Any]
Base = Literal["builders", "small", "whole"]
Twin = tuple[Base, str, str]
"""What is graded for comparison: the base, the question of the payload, and what honestly stands in its cell."""


@dataclass(frozen=True)
class Payload:
    """A hostile notebook. ``claim`` says what it tries, ``stopped_by`` what stands against it.

    ``code`` stands in the cell of ``question``, in a notebook of which only ``base`` was answered: questions 3 to 8
    ("builders", half a second), everything but the comparison, on few images ("small"), or everything ("whole").
    ``honest`` is what stands there in the notebook to compare with: nothing, or an honest wrong answer.
    ``ends``: the process ends, or is ended, before the end of the notebook; None where both may be.
    ``searches``: the code raises AssertionError with what it has found, which must be nothing.
    ``bites``: without isolation it finds something, or writes what it wanted to. ``edit`` changes the notebook.
    ``by_chance``: what comes of it depends on the moment, so that two gradings may differ (the soak compares no such).
    """

    claim: str
    stopped_by: str
    code: str = ""
    question: str = "plot-digits"
    base: Base = "builders"
    honest: str = ""
    ends: bool | None = False
    searches: bool = False
    bites: bool = False
    by_chance: bool = False
    edit: Callable[[Notebook], None] | None = None

    @property
    def slug(self) -> str:
        """The claim as a part of a file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.claim.lower()).strip("-")[:70]

    @property
    def twin(self) -> Twin:
        """What it is compared with."""
        return self.base, self.question, self.honest


_LOOK = """\
found = []
def look(function):
    try:
        seen = function()
    except BaseException:
        seen = None
    if seen:
        found.append(seen)

"""


def search(claim: str, stopped_by: str, code: str, **options: Any) -> Payload:
    """Return a payload that looks for something: ``look(function)`` in its code keeps what is found, errors do not."""
    whole = f"{_LOOK}{code.strip()}\nraise AssertionError(found)\n"
    return Payload(claim, stopped_by, whole, searches=True, **options)


def cell(notebook: Notebook, grade_id: str) -> dict[str, Any]:
    """Return the cell of a notebook with a grade_id."""
    return next(c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def code_cell(source: str, **metadata: Any) -> dict[str, Any]:
    """Return a code cell that the student added."""
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": [], "source": source}
