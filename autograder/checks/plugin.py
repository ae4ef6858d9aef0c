"""The pytest plugin of the hidden checks: the mark ``question``, the fixtures every assignment has, and the results.

As a module (``-p autograder.checks.plugin``) it gives the mark and the fixtures; ``Grading`` is the plugin object
that carries one submission's evidence into a run and its results out. In a plain run of ``pytest``, without a
``Grading``, ``autograder.reference`` provides the submission.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autograder.checks.marks import LINE, dashed, mark_of, ordered, original_name, required_mark
from autograder.checks.outcomes import (
    OUR_FAULT,
    CheckResult,
    Failed,
    NeedsReview,
    Note,
    Skipped,
    Status,
    running_exhibits,
    running_notes,
)
from autograder.checks.submitted import KERAS_2, NOT_ANSWERED, Submitted
from autograder.errors import AssignmentError

if TYPE_CHECKING:
    import numpy as np

    from autograder.assignment import Assignment
    from autograder.store import Store

LOG = logging.getLogger("autograder.checks")
MESSAGE_LIMIT = 1_500


@dataclass(frozen=True)
class Submission:
    """What the fixtures of one folder of hidden checks see."""

    assignment: Assignment
    submitted: Submitted
    store: Store | None


SUBMISSIONS = pytest.StashKey[dict[Path, Submission]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, and make room for submissions."""
    config.addinivalue_line("markers", LINE)
    config.stash.setdefault(SUBMISSIONS, {})


@pytest.fixture(scope="module")
def submission(request: pytest.FixtureRequest) -> Submission:
    """The submission that is graded."""
    known = request.config.stash[SUBMISSIONS]
    folder = next((folder for folder in request.path.parents if folder in known), None)
    if folder is None:
        raise AssignmentError(f"{request.path}: no submission to judge; run pytest with -p autograder.reference")
    return known[folder]


@pytest.fixture(scope="module")
def submitted(submission: Submission) -> Submitted:
    """What came out of the sandbox, by question."""
    return submission.submitted


@pytest.fixture(scope="module")
def true_data(submission: Submission) -> Callable[[str], Mapping[str, np.ndarray[Any, Any]]]:
    """The function from the name of a data set to its true arrays."""
    from autograder.datasets import load

    return lambda name: load(submission.assignment.data, name)


@pytest.fixture(scope="module")
def store(submission: Submission) -> Store | None:
    """Where results that took long are kept; None where nothing is kept."""
    return submission.store


class Grading:
    """The plugin object of one run: gives the evidence to the fixtures, and collects the results."""

    def __init__(self, submission: Submission) -> None:
        self._submission = submission
        self._questions = {question.id: rank for rank, question in enumerate(submission.assignment.questions)}
        self._functions: dict[str, list[CheckResult]] = {}
        self.results: list[CheckResult] = []
        self.problems: list[str] = []
        self.faults: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Hand the evidence to the fixtures."""
        config.stash[SUBMISSIONS] = {self._submission.assignment.tests.resolve(): self._submission}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember the files that can not be read."""
        if report.failed:
            self.problems.append(f"{report.nodeid}: {report.longrepr}")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put the checks in the order of the questions, each after those that it depends on."""
        try:
            for item in items:
                mark = mark_of(item)
                if mark is None or mark.question not in self._questions:
                    raise AssignmentError(f"{item.nodeid}: names no question out of {', '.join(self._questions)}.")
            items[:] = ordered(items, self._questions)
        except AssignmentError as error:
            self.problems.append(str(error))
            items.clear()

    def pytest_internalerror(self, excrepr: object) -> bool:
        """Remember what pytest itself, or a plugin, stumbled over; say that nothing need be printed."""
        self.faults.append(str(excrepr))
        return True

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip a check when one that it depends on has not passed."""
        mark = required_mark(item)
        for name in mark.depends_on:
            for earlier in self._earlier(name):
                if earlier.status != "passed":
                    raise self._dependent(mark.question, earlier)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Give each check its own lists of notes and of what is shown."""
        notes, exhibits = running_notes.set([]), running_exhibits.set([])
        try:
            return (yield)
        finally:
            running_notes.reset(notes)
            running_exhibits.reset(exhibits)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
        """Turn the end of a phase into a result; tracebacks go to the log, and never to the student."""
        error = call.excinfo.value if call.excinfo else None
        if call.when == "call" or error is not None:
            self._record(_result(item, error))
        return pytest.TestReport(
            nodeid=item.nodeid,
            location=item.location,
            keywords={},
            outcome="passed" if error is None else "failed",
            longrepr=None,
            when=call.when,  # type: ignore[arg-type]  # a report of collection is made elsewhere
        )

    def _record(self, result: CheckResult) -> None:
        if self.results and self.results[-1].id == result.id:  # a teardown that failed after the check's end
            self._functions[_function(result)].remove(self.results.pop())
        self.results.append(result)
        self._functions.setdefault(_function(result), []).append(result)

    def _dependent(self, question: str, earlier: CheckResult) -> Exception:
        if earlier.unanswered and self._submission.submitted.blank(question):
            return Failed(NOT_ANSWERED, unanswered=True)
        if earlier.question == question:
            return Skipped(f"Not judged, because of: {earlier.title}", because=question, awaits=earlier.awaits)
        return Skipped(f"Can not be judged before question {earlier.question} is right.", because=earlier.question)

    def _earlier(self, name: str) -> list[CheckResult]:
        if name in self._questions:
            return [result for result in self.results if result.question == name]
        return self._functions.get(dashed(name), [])


def _result(item: pytest.Item, error: BaseException | None) -> CheckResult:
    mark, title = required_mark(item), title_of(item)
    notes = running_notes.get() or []
    status, message, finding, kept = _verdict(item, title, error, notes)
    if finding is None and status == "failed" and KERAS_2 in message:
        finding = "keras-2-spelling"
    because = error.because if isinstance(error, Skipped) else None
    awaits = status == "needs_review"
    if isinstance(error, Skipped):
        awaits = because != mark.question if error.awaits is None else error.awaits
    return CheckResult(
        id=f"{mark.question}/{dashed(item.name)}",
        question=mark.question,
        title=title,
        weight=mark.weight,
        status=status,
        message=message[:MESSAGE_LIMIT],
        finding=finding,
        kept=kept,
        awaits=awaits,
        because=because,
        unanswered=isinstance(error, Failed) and error.unanswered,
        exhibits=tuple(running_exhibits.get() or ()),
    )


def _verdict(
    item: pytest.Item, title: str, error: BaseException | None, notes: list[Note]
) -> tuple[Status, str, str | None, float]:
    """Return status, message, finding and the share of the weight that is kept."""
    noted = " ".join(note.text for note in notes)
    finding = next((note.finding for note in notes if note.finding), None)
    match error:
        case None:
            return "passed", noted, finding, 1.0
        case Failed(cost=cost) if cost <= 0:
            return "passed", _joined(error.message, noted), error.finding or finding, 1.0
        case Failed(cost=cost):
            kept = 1.0 - min(cost, 1.0)
            share = f"{kept:.0%} of the points of this check are kept." if kept else ""
            return "failed", _joined(error.message, share, noted), error.finding or finding, kept
        case NeedsReview():
            return "needs_review", _joined(error.message, noted), error.finding or finding, 0.0
        case Skipped() | pytest.skip.Exception():
            return "skipped", _joined(str(error), noted), finding, 0.0
        case AssertionError() | pytest.fail.Exception() if _is_a_verdict(item, error):
            return "failed", _joined(_sentence(error, title), noted), finding, 0.0
    LOG.error("check %s: %s", item.nodeid, error, exc_info=error)
    return "needs_review", OUR_FAULT, None, 0.0


def _is_a_verdict(item: pytest.Item, error: BaseException) -> bool:
    """Tell an ``assert`` of the check itself from one that failed somewhere inside a library, which is our fault."""
    if isinstance(error, pytest.fail.Exception):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and Path(trace.tb_frame.f_code.co_filename).is_relative_to(item.path.parent)


def _sentence(error: BaseException, title: str) -> str:
    """Return the assertion's own message. What pytest adds about the values is for instructors: it shows code."""
    text = "" if isinstance(error, AssertionError) and not error.args else str(error)
    rewritten = text.startswith("assert ") or text.endswith("\nassert False")
    return text.partition("\nassert ")[0] if text and not rewritten else f"This is not the case: {title}"


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def title_of(item: pytest.Item) -> str:
    """Return the first paragraph of the check's docstring as one line, or a title made of its name."""
    documentation = inspect.getdoc(getattr(item, "obj", None)) or ""
    first = " ".join(documentation.split("\n\n")[0].split())
    return first or dashed(original_name(item)).replace("-", " ").capitalize() + "."


def _function(result: CheckResult) -> str:
    return result.id.partition("/")[2].partition("[")[0]
