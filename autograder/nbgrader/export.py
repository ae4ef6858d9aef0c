"""Grades out of nbgrader's gradebook as CSV: with a column a question, and as Canvas and Moodle import them.

Everything is quoted as CSV asks for, and no text is a formula to a spreadsheet.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbgrader.api import BaseCell, Grade, Gradebook, MissingEntry, SubmittedNotebook
from nbgrader.apps import NbGrader
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import ExportPlugin
from traitlets import Enum

from autograder.errors import InputError
from autograder.report.files import write_text
from autograder.report.text import csv_cell, points

_ABOUT = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score", "needs_manual_grade",
)  # fmt: skip
_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class Row:
    """What one student has for one assignment; ``handed_in`` is False where there is no submission."""

    assignment: str
    student_id: str
    first_name: str
    last_name: str
    email: str
    lms_user_id: str
    duedate: str
    max_score: float
    handed_in: bool = False
    timestamp: str = ""
    raw_score: float = 0.0
    penalty: float = 0.0
    waiting: int = 0
    questions: Mapping[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The points that count: what was earned less the penalty, never below zero."""
        return max(0.0, self.raw_score - self.penalty)

    @property
    def name(self) -> str:
        """Last name and first name, as far as they are known; else the id."""
        return ", ".join(filter(None, [self.last_name, self.first_name])) or self.student_id


class GradesExporter(ExportPlugin):  # type: ignore[misc]
    """`nbgrader export`: quoted CSV with a column a question, or the form of Canvas or Moodle."""

    form = Enum(("csv", "canvas", "moodle"), "csv", help="csv, canvas or moodle").tag(config=True)

    def export(self, gradebook: Gradebook) -> None:
        """Write the file that `--to` names, grades.csv without it."""
        found = rows(gradebook, [str(name) for name in self.assignment], [str(name) for name in self.student])
        target = Path(self.to or "grades.csv")
        write_text(target, FORMS[self.form](found))
        self.log.info("Exported %d rows to %s", len(found), target)


def export(root: Path, assignment: str, form: str, target: Path, db_url: str | None) -> str:
    """Write the grades of a course's assignment to a file; return in a sentence what it holds.

    The gradebook is the one of nbgrader's configuration unless another one is named. Raises InputError.
    """
    db_url = db_url or _configured(root)
    file = Path(db_url.removeprefix(_SQLITE).partition("?")[0])
    if db_url.startswith(_SQLITE) and not file.is_file():
        raise InputError(f"there is no gradebook {file}: it is made by nbgrader autograde {assignment}")
    with Gradebook(db_url) as book:
        found = rows(book, [assignment], [])
    write_text(target, FORMS[form](found))
    waiting = sum(row.waiting > 0 for row in found)
    note = f"; {waiting} of them are not final, since a person has to grade something" if waiting else ""
    return f"wrote the grades of {sum(row.handed_in for row in found)} submissions to {target}{note}"


def rows(book: Any, assignments: Sequence[str], students: Sequence[str]) -> list[Row]:
    """Return what all students of a gradebook have; only some assignments, or some students, where they are named."""
    found = []
    for assignment in book.assignments:
        if assignments and assignment.name not in assignments:
            continue
        for student in book.students:
            if not students or student.id in students:
                found.append(_row(book, assignment, student))
    return found


def _row(book: Any, assignment: Any, student: Any) -> Row:
    about = {
        "assignment": assignment.name,
        "student_id": student.id,
        "first_name": student.first_name or "",
        "last_name": student.last_name or "",
        "email": student.email or "",
        "lms_user_id": student.lms_user_id or "",
        "duedate": str(assignment.duedate or ""),
        "max_score": assignment.max_score,
    }
    try:
        submission = book.find_submission(assignment.name, student.id)
    except MissingEntry:
        return Row(**about)
    grades = (
        book.db.query(Grade, BaseCell.name)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .filter(SubmittedNotebook.assignment_id == submission.id)
        .all()
    )
    by_name = {name: grade.score for grade, name in grades}
    order = [cell.name for notebook in assignment.notebooks for cell in notebook.source_cells if cell.name in by_name]
    return Row(
        **about | {"duedate": str(submission.duedate or "")},
        handed_in=True,
        timestamp=str(submission.timestamp or ""),
        raw_score=submission.score,
        penalty=submission.late_submission_penalty or 0.0,
        waiting=sum(grade.needs_manual_grade for grade, _ in grades),
        questions={name: by_name[name] for name in dict.fromkeys([*order, *by_name])},
    )


def render_csv(found: Sequence[Row]) -> str:
    """Return nbgrader's columns, how many questions wait for a person, and a column for each question."""
    questions = list(dict.fromkeys(name for row in found for name in row.questions))
    lines: list[list[str]] = [[*_ABOUT, *questions]]
    for row in found:
        about = [row.assignment, row.duedate, row.timestamp, row.student_id, row.last_name, row.first_name, row.email]
        numbers = [points(value) for value in (row.raw_score, row.penalty, row.score, row.max_score)]
        each = [points(row.questions[name]) if name in row.questions else "" for name in questions]
        lines.append([*map(_cell, about), *numbers, str(row.waiting), *each])
    return _written(lines)


def render_canvas(found: Sequence[Row]) -> str:
    """Return what Canvas imports: a column an assignment, the points possible, an empty cell for no submission."""
    assignments = _assignments(found)
    lines = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *map(_cell, assignments)],
        ["    Points Possible", "", "", "", "", *(points(most) for most in assignments.values())],
    ]
    for own in _by_student(found):
        first = own[0]
        about = [first.name, first.lms_user_id, "", first.student_id, ""]
        lines.append([*map(_cell, about), *_scores(own, assignments)])
    return _written(lines)


def render_moodle(found: Sequence[Row]) -> str:
    """Return what Moodle imports: who it is in each of the ways that Moodle can map, and a column an assignment."""
    assignments = _assignments(found)
    lines = [["Username", "ID number", "First name", "Last name", "Email address", *map(_cell, assignments)]]
    for own in _by_student(found):
        first = own[0]
        about = [first.student_id, first.lms_user_id, first.first_name, first.last_name, first.email]
        lines.append([*map(_cell, about), *_scores(own, assignments)])
    return _written(lines)


FORMS: Mapping[str, Callable[[Sequence[Row]], str]] = {
    "csv": render_csv,
    "canvas": render_canvas,
    "moodle": render_moodle,
}


def _assignments(found: Iterable[Row]) -> dict[str, float]:
    return {row.assignment: row.max_score for row in found}


def _by_student(found: Iterable[Row]) -> list[list[Row]]:
    students: dict[str, list[Row]] = {}
    for row in found:
        students.setdefault(row.student_id, []).append(row)
    return list(students.values())


def _scores(own: Iterable[Row], assignments: Iterable[str]) -> list[str]:
    scores = {row.assignment: points(row.score) for row in own if row.handed_in}
    return [scores.get(name, "") for name in assignments]


def _cell(value: str) -> str:
    return str(csv_cell(value))


def _written(lines: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(lines)
    return stream.getvalue()


def _configured(root: Path) -> str:
    """Return the address of the gradebook that nbgrader uses in a course's folder."""
    with chdir(root):
        app = NbGrader()
        app.load_config_file()
        return str(CourseDirectory(config=app.config, root=str(root)).db_url)
