"""The summary of a class: what ``summary.json``, ``scores.csv``, the class page and the table show.

It is computed from reports alone. Means leave out what could not be graded, so that a broken file
or a fault of the grader does not look like a class that knows little.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from autograder import __version__
from autograder.assignment import Assignment
from autograder.report.model import Fault, Line, Part, Points, Report, ReportStatus, Seconds, Text
from autograder.report.text import csv_cell, one_line, points

SUMMARY_SCHEMA_VERSION: Literal[1] = 1
STATUS_WORDS: dict[ReportStatus, str] = {
    "graded": "graded",
    "needs_review": "needs review",
    "ungradable": "not gradable",
}
NO_ISOLATION_WARNING = (
    "Graded without isolation: the submitted code could read the files and reach the network of the machine "
    "that graded it. Use this for notebooks that you trust, never for a class."
)


class QuestionScore(Part):
    """What one student has for one question."""

    id: Line
    score: Points
    awaiting_review: Points


class Row(Part):
    """One student in the summary.

    ``folder`` is where the report is, beside the summary; ``kept`` says that an earlier batch graded it.
    """

    student: Line
    folder: str
    file: Line
    score: Points
    max_score: Points
    awaiting_review: Points
    status: ReportStatus
    remark: Text = ""
    fault: Fault | None = None
    isolation: str
    wall_seconds: Seconds = 0.0
    kept: bool = False
    findings: tuple[Line, ...] = ()
    questions: tuple[QuestionScore, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether the score says something about the class."""
        return self.status != "ungradable" and not self.fault_of("grader")

    def fault_of(self, whose: Literal["student", "grader"]) -> bool:
        """Say whether something went wrong that is the fault of the student, or of the grader."""
        return self.fault is not None and self.fault.whose == whose


class QuestionMean(Part):
    """One question over the whole class; points per student."""

    id: Line
    title: Line
    max_score: Points
    mean_score: Points
    mean_awaiting_review: Points


class FindingCount(Part):
    """A misconception that was recognised by name, and how many students have it."""

    finding: Line
    students: int


class Summary(Part):
    """A class at one moment; ``expected`` is how many submissions the batch has, done or not."""

    schema_version: Literal[1] = SUMMARY_SCHEMA_VERSION
    assignment: Line
    autograder_version: Line
    max_score: Points
    expected: int
    mean_score: Points | None
    awaiting_review: Points
    warnings: tuple[Text, ...] = ()
    students: tuple[Row, ...]
    questions: tuple[QuestionMean, ...]
    findings: tuple[FindingCount, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every submission of the batch has a report."""
        return len(self.students) >= self.expected


def row_of(report: Report, folder: str, kept: bool = False) -> Row:
    """Return the row of one report."""
    return Row(
        student=report.student,
        folder=folder,
        file=report.submission.file,
        score=report.score,
        max_score=report.max_score,
        awaiting_review=report.awaiting_review,
        status=report.status,
        remark=remark(report),
        fault=report.fault,
        isolation=report.execution.isolation,
        wall_seconds=report.execution.wall_seconds,
        kept=kept,
        findings=report.findings,
        questions=tuple(
            QuestionScore(id=question.id, score=question.score, awaiting_review=question.awaiting_review)
            for question in report.questions
        ),
    )


def remark(report: Report) -> str:
    """Return a word on what is wrong: the fault, where points were lost, or what no machine could decide."""
    if report.fault is not None:
        prefix = "our fault: " if report.fault.whose == "grader" else ""
        return prefix + one_line(report.fault.message)
    lost = [question.id for question in report.questions if question.status in ("failed", "partial")]
    if lost:
        return "points lost: " + _listed(lost)
    if report.status == "needs_review":
        return "to review: " + _listed([q.id for q in report.questions if q.status == "needs_review"])
    return ""


def summarise(assignment: Assignment, rows: Iterable[Row], expected: int) -> Summary:
    """Return the summary of the rows that are there so far; ``expected`` says how many there will be."""
    students = tuple(sorted(rows, key=lambda row: (row.student.casefold(), row.student, row.folder)))
    counted = [row for row in students if row.counts]
    return Summary(
        assignment=assignment.name,
        autograder_version=__version__,
        max_score=assignment.total_points,
        expected=expected,
        mean_score=_mean([row.score for row in counted]) if counted else None,
        awaiting_review=sum(row.awaiting_review for row in students),
        warnings=(NO_ISOLATION_WARNING,) if any(row.isolation == "none" for row in students) else (),
        students=students,
        questions=_question_means(assignment, counted),
        findings=_finding_counts(students),
    )


def render_csv(summary: Summary) -> str:
    """Return the scores as CSV, one student a row and one question a column; no cell can be a formula."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    ids = [question.id for question in summary.questions]
    header = ["student", "score", "max_score", "awaiting_review", "status", *ids, "file", "remark"]
    writer.writerow([csv_cell(name) for name in header])
    for row in summary.students:
        scores = {question.id: points(question.score) for question in row.questions}
        writer.writerow(
            [
                csv_cell(row.student), points(row.score), points(row.max_score), points(row.awaiting_review),
                row.status, *(scores.get(id_, "") for id_ in ids), csv_cell(row.file),
                csv_cell(one_line(row.remark)),
            ]
        )  # fmt: skip
    return stream.getvalue()


def render_json(summary: Summary) -> str:
    """Return the summary as strict JSON."""
    return summary.model_dump_json(indent=2) + "\n"


def _question_means(assignment: Assignment, counted: Sequence[Row]) -> tuple[QuestionMean, ...]:
    scores: dict[str, list[QuestionScore]] = defaultdict(list)
    for row in counted:
        for found in row.questions:
            scores[found.id].append(found)
    return tuple(
        QuestionMean(
            id=question.id,
            title=question.title,
            max_score=question.points,
            mean_score=_mean([found.score for found in scores[question.id]]),
            mean_awaiting_review=_mean([found.awaiting_review for found in scores[question.id]]),
        )
        for question in assignment.questions
    )


def _finding_counts(rows: Sequence[Row]) -> tuple[FindingCount, ...]:
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        for finding in set(row.findings):
            counts[finding] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(FindingCount(finding=finding, students=count) for finding, count in ordered)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 2) if values else 0.0


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
