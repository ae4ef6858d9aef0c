"""How a hidden check ends: the words an instructor uses, and the result that the report is made of."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias

from autograder.report.model import Architecture, Curve, Training

LOG = logging.getLogger("autograder.checks")
Exhibit: TypeAlias = Architecture | Training | Curve

Status = Literal["passed", "failed", "needs_review", "skipped"]
OUR_FAULT = "The grader could not decide this one: it made a mistake of its own. A person will look at it."
"""What a student reads where a check stumbled; the traceback is for the log."""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check.

    ``kept`` is the share of the check's weight that was earned, ``awaits`` says that the rest waits for a
    person. ``because`` names the question without which a skipped check could not be judged: when that is its own
    question, it takes no part in sharing the points. ``unanswered`` tells that there was no work to judge.
    ``exhibits`` are shown to the student and decide nothing.
    """

    id: str
    question: str
    title: str
    weight: float
    status: Status
    message: str = ""
    finding: str | None = None
    kept: float = 0.0
    awaits: bool = False
    because: str | None = None
    unanswered: bool = False
    exhibits: tuple[Exhibit, ...] = ()


class Failed(AssertionError):
    """Raised by ``fail``: the check's answer is no."""

    def __init__(self, message: str, finding: str | None = None, cost: float = 1.0, unanswered: bool = False) -> None:
        super().__init__(message)
        self.message, self.finding, self.cost, self.unanswered = message, finding, cost, unanswered


class NeedsReview(Exception):
    """Raised by ``review``: the grader can not know, a person decides."""

    def __init__(self, why: str, finding: str | None = None) -> None:
        super().__init__(why)
        self.message, self.finding = why, finding


class Skipped(Exception):
    """Raised by ``skip``: an earlier question left nothing to judge."""

    def __init__(self, why: str, because: str, awaits: bool | None = None) -> None:
        super().__init__(why)
        self.message, self.because, self.awaits = why, because, awaits


@dataclass(frozen=True)
class Note:
    """A sentence that goes with full points."""

    text: str
    finding: str | None = None


# The notes of the check that runs; the plugin gives each check a list of its own.
running_notes: ContextVar[list[Note] | None] = ContextVar("running_notes", default=None)
running_exhibits: ContextVar[list[Exhibit] | None] = ContextVar("running_exhibits", default=None)


def fail(message: str, *, finding: str | None = None, cost: float = 1.0) -> NoReturn:
    """End the check as failed; ``cost`` is the share of its points that is lost (0: a note only)."""
    raise Failed(message, finding, cost)


def review(why: str, *, finding: str | None = None) -> NoReturn:
    """End the check undecided; its points wait for a person."""
    raise NeedsReview(why, finding)


def skip(why: str, *, because: str) -> NoReturn:
    """End the check because the question ``because`` left nothing to judge; its points wait for a person.

    When ``because`` is the check's own question, it takes no part in sharing the points: another check has failed.
    """
    raise Skipped(why, because)


def note(text: str, *, finding: str | None = None) -> None:
    """Add a sentence for the student (and a named finding) without any loss of points."""
    notes = running_notes.get()
    if notes is not None and Note(text, finding) not in notes:
        notes.append(Note(text, finding))


def show(make: Callable[[], Exhibit | None]) -> None:
    """Put what ``make`` returns on the student's page, beside the verdicts; in checks and in fixtures.

    It decides nothing, so whatever goes wrong in making it leaves the check as it is: what ends a check, such as a
    model that can not be read, leaves the page without it, and a mistake of ours goes to the log besides.
    """
    exhibits = running_exhibits.get()
    if exhibits is None:
        return
    try:
        made = make()
    except (Failed, NeedsReview, Skipped):
        return
    except Exception:
        LOG.exception("something could not be shown")
        return
    if made is not None:
        exhibits.append(made)
