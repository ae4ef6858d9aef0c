"""A report in words, for the formats that are plain text: the same sentences in each of them."""

from __future__ import annotations

from autograder.report.model import Check, Question, Report
from autograder.report.summary import NO_ISOLATION_WARNING
from autograder.report.text import points

WORDS = {
    "passed": "passed",
    "partial": "partly right",
    "failed": "not right yet",
    "needs_review": "waits for a person",
    "skipped": "skipped",
    "ok": "ran",
    "error": "stopped with an error",
    "timeout": "stopped: it took too long",
}
_SIGNS = {"passed": "✓", "failed": "✗", "needs_review": "…", "skipped": "–"}


def headline(report: Report) -> str:
    """Return the result in one sentence: points, and what waits for a person."""
    if report.status == "ungradable":
        return f"Not graded: {report.fault.message if report.fault else 'nothing could be read'}"
    sentence = f"{points(report.score)} of {points(report.max_score)} points"
    if report.awaiting_review:
        sentence += f"; {points(report.awaiting_review)} more wait for a person"
    return sentence + "."


def remarks(report: Report) -> list[str]:
    """Return what is said of the submission as a whole: why it ended early, how it was read, how it was isolated."""
    said = [] if report.fault is None or report.status == "ungradable" else [report.fault.message]
    said += report.notes
    if report.execution.isolation == "none":
        said.append(NO_ISOLATION_WARNING)
    return said


def question_points(question: Question) -> str:
    """Return the points of a question, ``12.5 of 15``, and what of it waits for a person."""
    text = f"{points(question.score)} of {points(question.max_score)}"
    return text + (f", {points(question.awaiting_review)} waiting" if question.awaiting_review else "")


def check_lines(question: Question) -> list[str]:
    """Return a line for each check of a question, with its message below it."""
    if not question.checks:
        return ["A person reads this answer."] if question.status == "needs_review" else []
    return [line for check in question.checks for line in _lines(check)]


def _lines(check: Check) -> list[str]:
    message = [f"  {line}" for line in check.message.splitlines()]
    return [f"{_SIGNS[check.status]} {check.title} ({WORDS[check.status]})", *message]
