"""The summary of a class: what ``summary.json``, ``scores.csv``, the class page and the table show.

It is computed from reports alone. Means leave out what could not be graded, so that a broken file
or a fault of the grader does not look like a class that knows little.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from autograder import __version__
from autograder.assignment import Assignment
from autograder.report.model import Curve, Fault, Line, Part, Points, Report, ReportStatus, Seconds, Text
from autograder.report.text import csv_cell, one_line, points

SUMMARY_SCHEMA_VERSION: Literal[1] = 1
_FEWEST_TO_CORRELATE = 3
_LEAST_REST = 1e-9
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


class Network(Part):
    """One network of a student: equal ones have one digest; ``differences`` say what is not as stated."""

    name: Line
    digest: Line
    differences: tuple[Line, ...] = ()


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
    cpu_seconds: Seconds = 0.0
    kept: bool = False
    findings: tuple[Line, ...] = ()
    questions: tuple[QuestionScore, ...] = ()
    networks: tuple[Network, ...] = ()
    curves: tuple[Curve, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether the score says something about the class."""
        return self.status != "ungradable" and not self.fault_of("grader")

    def fault_of(self, whose: Literal["student", "grader"]) -> bool:
        """Say whether something went wrong that is the fault of the student, or of the grader."""
        return self.fault is not None and self.fault.whose == whose


class QuestionMean(Part):
    """One question over the whole class; points per student.

    ``share`` is the mean share of the points (0 to 1) where nothing waits for a person any more, which ``decided``
    students have; a high one means an easy question. ``discrimination`` is the correlation (-1 to 1) of the points
    with the share of the decided points that the same students have in all other questions; None where there are
    fewer than three such students, or all have the same. ``manual`` says that a person always grades it.
    """

    id: Line
    title: Line
    max_score: Points
    mean_score: Points
    mean_awaiting_review: Points
    manual: bool = False
    decided: int = 0
    share: float | None = None
    discrimination: float | None = None


class FindingCount(Part):
    """A misconception that was recognised by name, how many students have it, and their folders."""

    finding: Line
    students: int
    folders: tuple[str, ...] = ()


class NetworkGroup(Part):
    """Students whose networks of a name are equal, and what in these is not as stated."""

    name: Line
    digest: Line
    differences: tuple[Line, ...] = ()
    students: int
    folders: tuple[str, ...] = ()


class Batch(Part):
    """The grading as a whole: whether it goes on, when this was written (UTC), for how long it has run, and where."""

    running: bool = False
    written: Line = ""
    wall_seconds: Seconds = 0.0
    machine: Line = ""


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
    networks: tuple[NetworkGroup, ...] = ()
    batch: Batch = Batch()

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
        cpu_seconds=report.execution.cpu_seconds,
        kept=kept,
        findings=report.findings,
        questions=tuple(
            QuestionScore(id=question.id, score=question.score, awaiting_review=question.awaiting_review)
            for question in report.questions
        ),
        networks=tuple(
            Network(name=one.name, digest=one.digest, differences=one.differences) for one in report.architectures
        ),
        curves=report.curves,
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


def summarise(assignment: Assignment, rows: Iterable[Row], expected: int, batch: Batch | None = None) -> Summary:
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
        networks=_network_groups(students),
        batch=batch or Batch(),
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
    scores: dict[str, list[tuple[Row, QuestionScore]]] = defaultdict(list)
    for row in counted:
        for found in row.questions:
            scores[found.id].append((row, found))
    means = []
    for question in assignment.questions:
        own = scores[question.id]
        decided = [(row, found) for row, found in own if not found.awaiting_review]
        shares = [found.score / question.points for _, found in decided] if question.points else []
        means.append(
            QuestionMean(
                id=question.id,
                title=question.title,
                max_score=question.points,
                mean_score=_mean([found.score for _, found in own]),
                mean_awaiting_review=_mean([found.awaiting_review for _, found in own]),
                manual=question.manual,
                decided=len(decided),
                share=round(sum(shares) / len(shares), 4) if shares else None,
                discrimination=_discrimination(question.points, decided),
            )
        )
    return tuple(means)


def _discrimination(points: float, decided: Sequence[tuple[Row, QuestionScore]]) -> float | None:
    """Return the correlation of a question's points with the share that is earned of all others that are decided."""
    pairs = []
    for row, found in decided:
        rest = row.max_score - row.awaiting_review - points
        if rest > _LEAST_REST:
            pairs.append((found.score, (row.score - found.score) / rest))
    if len(pairs) < _FEWEST_TO_CORRELATE or len({one for one, _ in pairs}) < 2 or len({rest for _, rest in pairs}) < 2:
        return None
    try:
        return round(max(-1.0, min(1.0, statistics.correlation(*zip(*pairs, strict=True)))), 4)
    except statistics.StatisticsError:
        # Numbers that differ by less than can be told apart once they are squared.
        return None


def _finding_counts(rows: Sequence[Row]) -> tuple[FindingCount, ...]:
    members: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        for finding in set(row.findings):
            members[finding].append(row.folder)
    ordered = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        FindingCount(finding=finding, students=len(folders), folders=tuple(folders)) for finding, folders in ordered
    )


def _network_groups(rows: Sequence[Row]) -> tuple[NetworkGroup, ...]:
    """Return the groups of equal networks, the largest first; by name in the order in which names come up."""
    groups: dict[tuple[str, str], tuple[Network, list[str]]] = {}
    for row in rows:
        for network in row.networks:
            groups.setdefault((network.name, network.digest), (network, []))[1].append(row.folder)
    names = list(dict.fromkeys(name for name, _ in groups))
    ordered = sorted(groups.values(), key=lambda group: (names.index(group[0].name), -len(group[1]), group[0].digest))
    return tuple(
        NetworkGroup(
            name=network.name,
            digest=network.digest,
            differences=network.differences,
            students=len(folders),
            folders=tuple(folders),
        )
        for network, folders in ordered
    )


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 2) if values else 0.0


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
