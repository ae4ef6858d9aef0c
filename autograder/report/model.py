"""The report of one graded submission: the one document that every door shows.

Its JSON Schema is published as ``docs/report.schema.json``; a test pins the two to each other.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]
CheckStatus = Literal["passed", "failed", "needs_review", "skipped"]
QuestionStatus = Literal["passed", "partial", "failed", "needs_review", "skipped"]
ReportStatus = Literal["graded", "needs_review", "ungradable"]
CellStatus = Literal["ok", "error", "timeout", "skipped"]


class Part(BaseModel):
    """Base of all parts of a report: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(Part):
    """The outcome of one hidden check; ``title`` is its docstring, ``message`` what the student reads."""

    id: str
    title: str
    status: CheckStatus
    weight: Annotated[float, Field(gt=0)] = 1.0
    message: str = ""
    finding: str | None = None


class Question(Part):
    """The outcome of one question; ``score`` holds what machines decided."""

    id: str
    title: str
    score: Points
    max_score: Points
    status: QuestionStatus
    awaiting_review: Points = 0.0
    checks: tuple[Check, ...] = ()


class Cell(Part):
    """How one code cell of the submission ended."""

    index: int
    question: str | None = None
    status: CellStatus
    cpu_seconds: float = 0.0
    error: str | None = None


class Submission(Part):
    """Which file was graded."""

    file: str
    digest: str


class Execution(Part):
    """How the submission was executed."""

    isolation: Literal["namespaces", "landlock", "none"]
    training: Literal["record", "short", "full"]
    salvaged: bool = False
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_memory_bytes: int = 0
    from_cache: bool = False


class Fault(Part):
    """Why a submission could not be graded as a whole, or what went wrong on the way."""

    whose: Literal["student", "grader"]
    message: str


class Report(Part):
    """The whole report. ``score`` plus ``awaiting_review`` never exceeds ``max_score``."""

    schema_version: Literal[1] = SCHEMA_VERSION
    assignment: str
    student: str
    submission: Submission
    score: Points
    max_score: Points
    awaiting_review: Points
    status: ReportStatus
    questions: tuple[Question, ...] = ()
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()
    execution: Execution
    fault: Fault | None = None
    autograder_version: str
