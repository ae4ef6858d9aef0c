"""Measure how often the grader is wrong, on the corpus of right and wrong submissions; writes docs/accuracy.md.

Exit code 1 when a right submission lost a point, a wrong one was not caught, or by the wrong check, or when more
right ones than 3% wait for a person: that is a regression, and each one is told.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from page import put

from autograder.models.calibration import upper_bound

COURSE = Path(__file__).resolve().parent.parent
PAGE = COURSE / "docs" / "accuracy.md"
MOST_TO_REVIEW = 0.03
CONFIDENCE = 0.95

Report = Mapping[str, Any]
Event = Callable[["Judged", str], bool]


@dataclass(frozen=True)
class Judged:
    """A variant of the corpus, the checks that failed and that wait for a person, and where it is not as expected."""

    variant: Any
    failed: frozenset[str]
    waiting: frozenset[str]
    differences: tuple[str, ...]

    @property
    def expected(self) -> frozenset[str]:
        """The checks that must fail."""
        return frozenset(self.variant.fails)

    def concerns(self, question: str) -> bool:
        """Tell whether the variant tries a question: a right one by another answer, a wrong one by a check to fail."""
        if self.variant.right:
            return question in self.variant.questions
        return bool(of(self.expected | frozenset(self.variant.waits), question))


def of(checks: frozenset[str], question: str) -> frozenset[str]:
    """Return the checks of a question; all of them where no question is named."""
    return frozenset(check for check in checks if check.startswith(f"{question}/")) if question else checks


def is_failed(judged: Judged, question: str) -> bool:
    """Tell whether a check failed."""
    return bool(of(judged.failed, question))


def is_waiting(judged: Judged, question: str) -> bool:
    """Tell whether a check waits for a person."""
    return bool(of(judged.waiting, question))


def has_passed(judged: Judged, question: str) -> bool:
    """Tell whether a mistake was not noticed: no check failed, and none waits."""
    return not of(judged.failed | judged.waiting, question)


def is_caught_elsewhere(judged: Judged, question: str) -> bool:
    """Tell whether a mistake was noticed, but other checks failed than those that must."""
    return not has_passed(judged, question) and of(judged.failed, question) != of(judged.expected, question)


RIGHT: Mapping[str, Event] = {"right, failed": is_failed, "right, to review": is_waiting}
WRONG: Mapping[str, Event] = {
    "wrong, passed": has_passed,
    "wrong, caught by another check": is_caught_elsewhere,
    "wrong, to review": is_waiting,
}


def interval(count: int, trials: int) -> tuple[float, float]:
    """Return the bounds of Clopper and Pearson for a share, at 95%; without trials nothing is known."""
    one_sided = (1 + CONFIDENCE) / 2
    return 1 - upper_bound(trials - count, trials, one_sided), upper_bound(count, trials, one_sided)


def judge(graded: Any) -> Judged:
    """Compare the report of a variant with what is expected."""
    return Judged(
        graded.variant,
        failed=frozenset(graded.ended("failed")),
        waiting=frozenset(graded.ended("needs_review", "skipped")),
        differences=tuple(graded.differences),
    )


def table(judged: Sequence[Judged], questions: Sequence[str]) -> str:
    """Return the table of errors: a row in total and one a question, with counts and intervals."""
    names = [*RIGHT, *WRONG]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for question in ("", *questions):
        cells = []
        for right, events in ((True, RIGHT), (False, WRONG)):
            tried = [one for one in judged if one.variant.right is right and (not question or one.concerns(question))]
            cells += [_cell(sum(event(one, question) for one in tried), len(tried)) for event in events.values()]
        lines.append(f"| {question or '**all**'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(count: int, trials: int) -> str:
    if not trials:
        return "none tried"
    lower, upper = interval(count, trials)
    return f"{count} of {trials} ({lower:.1%} to {upper:.1%})"


def regressions(judged: Sequence[Judged]) -> Iterator[str]:
    """Yield what must not be: differences from what is expected, and more to review than is allowed."""
    for one in judged:
        yield from (f"{one.variant.name}: {difference}" for difference in one.differences)
    right = [one for one in judged if one.variant.right]
    share = sum(is_waiting(one, "") for one in right) / max(1, len(right))
    if share > MOST_TO_REVIEW:
        yield f"{share:.1%} of the right submissions wait for a person; {MOST_TO_REVIEW:.0%} are allowed"


def figures(judged: Sequence[Judged], questions: Sequence[str], reports: Sequence[Report]) -> str:
    """Return the measured part of the page."""
    cpu = sum(report["execution"]["cpu_seconds"] for report in reports)
    right = sum(one.variant.right for one in judged)
    how = "each in a notebook of its own"
    if len(reports) < len(judged):
        how = f"in {len(reports)} notebooks, where those share one that touch different questions"
    text = [
        f"{len(judged)} submissions, {right} right and {len(judged) - right} wrong, {how}, graded by autograder "
        f"{reports[0]['autograder_version']} in {cpu:.0f} CPU-seconds of the notebooks.",
        "",
        table(judged, questions),
        "",
        *_named("Right submissions that lost points", judged, lambda one: one.variant.right and is_failed(one, "")),
        *_named(
            "Right submissions that wait for a person", judged, lambda one: one.variant.right and is_waiting(one, "")
        ),
        *_named("Wrong submissions that passed", judged, lambda one: not one.variant.right and has_passed(one, "")),
        *_named(
            "Wrong submissions caught by another check",
            judged,
            lambda one: not one.variant.right and is_caught_elsewhere(one, ""),
        ),
    ]
    return "\n".join(text).rstrip()


def _named(heading: str, judged: Sequence[Judged], chosen: Callable[[Judged], bool]) -> list[str]:
    names = [f"- {one.variant.name}" for one in judged if chosen(one)]
    return [f"{heading}: {len(names) or 'none'}.", *(["", *names] if names else []), ""]


def main() -> int:
    """Grade the corpus, write the page, tell what went wrong."""
    parser = argparse.ArgumentParser(description="Measure how often the grader is wrong; writes docs/accuracy.md.")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at a time (default: 2)")
    parser.add_argument("--folder", type=Path, help="where to work and to go on after a stop (default: a new one)")
    parser.add_argument("--apart", action="store_true", help="each submission in a notebook of its own (an hour)")
    arguments = parser.parse_args()
    sys.path.insert(0, str(COURSE / "tests" / "autograder"))
    grading = importlib.import_module("corpus.grading")
    with tempfile.TemporaryDirectory(prefix="accuracy-") as made:
        folder = arguments.folder or Path(made)
        graded = grading.grade(grading.variants(), folder, apart=arguments.apart, jobs=arguments.jobs)
    judged = [judge(one) for one in graded.values()]
    reports = list({one.report["student"]: one.report for one in graded.values()}.values())
    questions = [question["id"] for question in reports[0]["questions"] if question["checks"]]
    put(PAGE, figures(judged, questions, reports))
    wrong = list(regressions(judged))
    print("\n".join([*wrong, f"accuracy: {len(judged)} submissions, {len(wrong)} regressions"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
