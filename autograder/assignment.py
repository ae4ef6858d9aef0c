"""What an assignment is: its folders, its questions and points, its cells.

Everything is read from the source notebook; nothing else holds a point value.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CellKind = Literal["text", "given", "answer", "sanity", "grade", "remark"]


@dataclass(frozen=True)
class SourceCell:
    """One cell of the source notebook, as students get it (solution regions replaced by the stub)."""

    index: int
    grade_id: str
    kind: CellKind
    cell_type: Literal["code", "markdown"]
    question: str | None
    source: str


@dataclass(frozen=True)
class Question:
    """One graded question. ``manual`` questions are graded by a person alone."""

    id: str
    title: str
    points: float
    manual: bool


@dataclass(frozen=True)
class Assignment:
    """An assignment and its folders; ``root`` is the course folder that holds source/, tests/ and data/."""

    name: str
    root: Path
    total_points: float
    questions: tuple[Question, ...]
    cells: tuple[SourceCell, ...]

    @property
    def source(self) -> Path:
        """The source notebook."""
        return self.root / "source" / self.name / f"{self.name}.ipynb"

    @property
    def tests(self) -> Path:
        """The folder of the hidden checks."""
        return self.root / "tests" / self.name

    @property
    def probes(self) -> Path:
        """The one file of the hidden checks that enters the sandbox."""
        return self.tests / "probes.py"

    @property
    def data(self) -> Path:
        """The folder of the data files that grading needs."""
        return self.root / "data"
