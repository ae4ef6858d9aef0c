"""From the results of checks to the questions of the report: weights share the points, rounded once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from autograder.checks.outcomes import OUR_FAULT
from autograder.report import model as report

if TYPE_CHECKING:
    from autograder.assignment import Assignment, Question
    from autograder.checks.outcomes import CheckResult

STEP = 0.5
_Shown = TypeVar("_Shown", report.Architecture, report.Training, report.Curve)


def questions(
    assignment: Assignment,
    results: Sequence[CheckResult],
    found_by: Mapping[str, report.FoundBy] = MappingProxyType({}),
) -> tuple[report.Question, ...]:
    """Return the report's questions in the order of the assignment; ``found_by`` tells how their cells were found.

    A question that a person grades waits as a whole; so does one that has no check.
    """
    return tuple(
        _question(
            question,
            [result for result in results if result.question == question.id],
            found_by.get(question.id, "metadata"),
        )
        for question in assignment.questions
    )


def findings(results: Sequence[CheckResult]) -> tuple[str, ...]:
    """Return the named findings, each once, in the order of the checks."""
    return tuple(dict.fromkeys(result.finding for result in results if result.finding))


def stumbled(graded: report.Report) -> tuple[str, ...]:
    """Return the ids of the checks that made a mistake of their own, of which the log tells more."""
    checks = (check for question in graded.questions for check in question.checks)
    return tuple(check.id for check in checks if check.status == "needs_review" and check.message == OUR_FAULT)


def exhibits(results: Sequence[CheckResult], kind: type[_Shown]) -> tuple[_Shown, ...]:
    """Return what the checks show of one kind, in the order of the checks."""
    return tuple(one for result in results for one in result.exhibits if isinstance(one, kind))


def _question(question: Question, results: Sequence[CheckResult], found_by: report.FoundBy) -> report.Question:
    if question.manual or not results:
        score, awaiting = 0.0, question.points
    else:
        score, awaiting = shared(question.points, results)
    return report.Question(
        id=question.id,
        title=question.title,
        score=score,
        max_score=question.points,
        status=_status(score, awaiting, question, results),
        awaiting_review=awaiting,
        found_by=found_by,
        checks=tuple(_check(result) for result in results),
    )


def shared(points: float, results: Sequence[CheckResult]) -> tuple[float, float]:
    """Return the points that were earned and those that wait for a person.

    Both are multiples of ``STEP`` (as far as ``points`` is one), rounded to the nearest; where anything was lost, at
    least one step is. A check that was skipped because of another one of its question takes no part: that one paid.
    """
    sharing = [result for result in results if result.awaits or result.because != result.question]
    weights = sum(result.weight for result in sharing) or math.inf
    earned = sum(result.weight * result.kept for result in sharing) / weights
    waiting = sum(result.weight * (1 - result.kept) for result in sharing if result.awaits) / weights
    score = _rounded(points, earned)
    possible = _rounded(points, earned + waiting)
    return score, max(0.0, possible - score)


def _rounded(points: float, share: float) -> float:
    if share > 1 - 1e-9:
        return points
    nearest = math.floor(points * share / STEP + 0.5 + 1e-9) * STEP
    return max(0.0, min(nearest, points - STEP))


def _status(score: float, awaiting: float, question: Question, results: Sequence[CheckResult]) -> report.QuestionStatus:
    if question.manual or not results:
        return "needs_review"
    statuses = {result.status for result in results}
    if statuses == {"passed"}:
        return "passed"
    if statuses == {"skipped"}:
        return "skipped"
    if awaiting or "needs_review" in statuses:
        return "needs_review"
    return "partial" if score else "failed"


def _check(result: CheckResult) -> report.Check:
    return report.Check(
        id=result.id,
        title=result.title,
        status=result.status,
        weight=result.weight,
        message=result.message,
        finding=result.finding,
    )
