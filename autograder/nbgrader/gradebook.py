"""nbgrader's gradebook: the assignment's cells, and the entry of one submission, written in one transaction.

What a person wrote (scores, comments, extra credit) is never touched. Rows are read and written under one lock, so
that a person who grades in formgrader at the same moment loses nothing and is overwritten by nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nbformat import from_dict
from nbgrader.api import BaseCell, Comment, Grade, Gradebook, InvalidEntry, MissingEntry
from nbgrader.preprocessors import ComputeChecksums, SaveCells
from sqlalchemy import text
from sqlalchemy.exc import SAWarning

from autograder.assignment import Assignment
from autograder.errors import AssignmentError
from autograder.nbgrader.notebook import Handed, harmless
from autograder.report.model import Question, Report
from autograder.report.text import clean
from autograder.report.wording import check_lines, headline

BUSY_SECONDS = 60
"""How long a writer waits for another one; SQLite's own five seconds are few for a class."""
NO_RESPONSE = "No response."


@dataclass(frozen=True)
class Place:
    """Where an entry stands: the gradebook's address, course, assignment, student."""

    db_url: str
    course_id: str
    assignment: str
    student: str


@dataclass(frozen=True)
class Verdict:
    """The grade of one cell by machine; ``changed`` tells that a person who judged it has to look again."""

    auto_score: float | None
    waits: bool
    changed: bool = True


@dataclass(frozen=True)
class Entry:
    """What is recorded of one submission, by the ids of cells."""

    grades: Mapping[str, Verdict]
    comments: Mapping[str, str | None] = field(default_factory=dict)


@contextmanager
def opened(db_url: str, course_id: str) -> Iterator[Any]:
    """Open a gradebook whose writers wait for each other."""
    if db_url.startswith("sqlite:") and "?" not in db_url:
        db_url += f"?timeout={BUSY_SECONDS}"
    with Gradebook(db_url, course_id) as book:
        yield book


@contextmanager
def _writing(db_url: str, course_id: str) -> Iterator[Any]:
    """Open a gradebook for one transaction, which holds the right to write from its beginning."""
    with opened(db_url, course_id) as book:
        if book.engine.dialect.name == "sqlite":
            book.db.commit()
            book.db.execute(text("BEGIN IMMEDIATE"))
        try:
            yield book
            book.db.commit()
        except BaseException:
            book.db.rollback()
            raise


def register(db_url: str, course_id: str, assignment: Assignment, blank: Mapping[str, Any]) -> None:
    """Enter the assignment's cells where they are missing or have other points; ``blank`` is its empty notebook.

    Raises AssignmentError where questions were added or removed after submissions were recorded.
    """
    graded = {question.id: question.points for question in assignment.questions}
    answered = {cell.grade_id for cell in assignment.cells if cell.kind in ("answer", "remark")}
    with opened(db_url, course_id) as book:
        try:
            known = book.find_notebook(assignment.name, assignment.name)
            points = {cell.name: cell.max_score for cell in known.grade_cells}
            if points == graded and {cell.name for cell in known.solution_cells} == answered:
                return
        except MissingEntry:
            book.update_or_create_assignment(assignment.name)
    resources = {"nbgrader": {"notebook": assignment.name, "assignment": assignment.name, "db_url": db_url}}
    try:
        SaveCells().preprocess(*ComputeChecksums().preprocess(from_dict(dict(blank)), resources))
    except RuntimeError as error:
        raise AssignmentError(
            f"The questions of {assignment.name} are others than those in the gradebook, which holds submissions "
            f"already: {error}. Keep the questions of an assignment that was handed in, or begin a new gradebook."
        ) from error


def enter(place: Place, timestamp: datetime | None) -> None:
    """Enter the student and the submission, with the time when it was handed in where that is known."""
    known = {} if timestamp is None else {"timestamp": timestamp}

    def make() -> None:
        with warnings.catch_warnings(), opened(place.db_url, place.course_id) as book:
            # nbgrader makes rows before it adds them to the session; SQLAlchemy has a word to say about it for each.
            warnings.simplefilter("ignore", SAWarning)
            book.update_or_create_student(place.student)
            book.update_or_create_submission(place.assignment, place.student, **known)

    try:
        make()
    except InvalidEntry:
        # Another grader was quicker to enter the same student.
        make()


def record(place: Place, entry: Entry) -> None:
    """Record an entry: automatic scores and comments, and what waits for a person."""
    with _writing(place.db_url, place.course_id) as book:
        notebook = book.find_submission_notebook(place.assignment, place.assignment, place.student)
        grades, comments = _rows(book, Grade, notebook.id), _rows(book, Comment, notebook.id)
        cells = {cell.name: cell.id for cell in notebook.notebook.grade_cells}
        for name, verdict in entry.grades.items():
            grade = grades.get(name)
            if grade is None:
                grade = Grade(cell_id=cells[name], notebook_id=notebook.id)
                book.db.add(grade)
            judged = grade.manual_score is not None
            same = not verdict.changed and not grade.needs_manual_grade
            grade.auto_score = verdict.auto_score
            # What a person has judged she judges again only where it has become something else.
            grade.needs_manual_grade = not same if judged else verdict.waits
        for name, comment in entry.comments.items():
            if name in comments:
                comments[name].auto_comment = comment


def _rows(book: Any, kind: Any, notebook_id: str) -> dict[str, Any]:
    rows = (
        book.db.query(kind, BaseCell.name)
        .join(BaseCell, kind.cell_id == BaseCell.id)
        .filter(kind.notebook_id == notebook_id)
        .with_for_update(of=kind)
    )
    return {name: row for row, name in rows}


def entry_of(
    assignment: Assignment, handed: Handed, report: Report, changed: Callable[[str], bool] = lambda question: True
) -> Entry:
    """Return what the gradebook shall hold of a report."""
    questions = {question.id: question for question in report.questions}
    grades = {}
    for question in assignment.questions:
        found = questions.get(question.id)
        waits = question.manual or found is None or found.awaiting_review > 0
        score = 0.0 if found is None else min(found.score, question.points)
        grades[question.id] = Verdict(None if question.manual else score, waits, changed(question.id))
    return Entry(grades, _comments(assignment, handed, report))


def _comments(assignment: Assignment, handed: Handed, report: Report) -> dict[str, str | None]:
    """Return the comments by cell; what is to be said of the whole submission stands at the first one."""
    questions = {question.id: question for question in report.questions}
    comments: dict[str, str | None] = {}
    for cell in assignment.cells:
        if cell.kind == "remark":
            empty = handed.submission is not None and not handed.remarks.get(str(cell.question))
            comments[cell.grade_id] = NO_RESPONSE if empty else None
        elif cell.kind == "answer":
            question = questions.get(str(cell.question))
            comments[cell.grade_id] = _comment(question) if question is not None else None
    reason = headline(report) if report.status == "ungradable" else report.fault.message if report.fault else ""
    if reason and comments:
        first = next(iter(comments))
        comments[first] = _plain("\n\n".join(filter(None, [reason, comments[first]])))
    return comments


def _comment(question: Question) -> str | None:
    """Return what was not right in a question, one line a check; nothing where all was."""
    wrong = [check for check in question.checks if check.status != "passed" or check.message]
    if not wrong:
        return None
    paragraphs = []
    for check in wrong:
        title, *message = check_lines(question.model_copy(update={"checks": (check,)}))
        paragraphs.append(f"{title}: {' '.join(line.strip() for line in message)}" if message else title)
    return _plain("\n\n".join(paragraphs))


def _plain(text: str) -> str:
    """Return text that reads the same in formgrader's field and as Markdown: no tag, link or formula in it."""
    return harmless(clean(text)).replace("](", "] (").replace("$", "＄")
