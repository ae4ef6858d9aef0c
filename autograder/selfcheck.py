"""A student's own check: her notebook is run, and its visible checks tell what is right so far.

Needs neither a course folder nor hidden checks nor data: the assignment is the released notebook, a copy of which is
installed with this package, and the data are synthetic. The checks that are run are those of the assignment, whatever
has become of them in the notebook. Nothing is graded here, and no score is given.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from autograder.assignment import Assignment, Question, load_released
from autograder.errors import InputError, IsolationUnavailable, did_you_mean
from autograder.report.text import clean, one_line
from autograder.sandbox.job import Job, Outcome, PlannedCell
from autograder.sandbox.limits import Limits
from autograder.submission.notebook import FILE_LIMIT
from autograder.submission.reading import Submission, read

if TYPE_CHECKING:
    from autograder.evidence import CellOutcome

State = Literal["passed", "failed", "written", "empty"]

RELEASED = Path(__file__).parent / "released"
_SEED = 1
_SIGNS: Mapping[State, str] = {"passed": "✓", "failed": "✗", "written": "–", "empty": "○"}
_WORDS: Mapping[State, str] = {
    "passed": "passed",
    "failed": "failed",
    "written": "answered (it has no quick check)",
    "empty": "not yet answered",
}
_NUMBER = re.compile(r"^#{1,6}\s*❓?\s*(\d+)\s*[.:)]", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """One question: what its visible check found, or, where it has none, whether there is an answer at all."""

    title: str
    state: State
    message: str = ""
    advice: str = ""


@dataclass(frozen=True)
class _Run:
    """What is known of the run of a notebook: its cells as planned, how each ended, and how all did."""

    submission: Submission
    cells: Sequence[PlannedCell]
    ended: Mapping[int, CellOutcome]
    outcome: Outcome

    def passed(self, cell: PlannedCell) -> bool:
        """Tell whether a cell ran to its end without an error."""
        return cell.index in self.ended and self.ended[cell.index].status == "ok"

    def where(self, index: int) -> str:
        """Name a cell by its place in the student's file, counted from 1."""
        positions = self.submission.positions
        position = positions[index] if index < len(positions) else None
        return "a cell" if position is None else f"cell {position + 1}"

    def stop(self, cell: PlannedCell) -> str:
        """Return a sentence on a cell that stopped; empty for one that ran, or was not reached."""
        where = f"Your {self.where(cell.index)}"
        found = self.ended.get(cell.index)
        if found is None:
            died = self.outcome.ending != "completed" and self.outcome.cell == cell.index
            return f"{where} ended the whole notebook: {self.outcome.reason}." if died else ""
        if found.status == "timeout":
            return f"{where} was stopped: it took too long."
        if found.error is None:
            return ""
        line = f" in its line {found.error.line}" if found.error.line else ""
        return f"{where} stopped{line} with {found.error.type}: {found.error.message}"


@dataclass(frozen=True)
class Checked:
    """What came of a check. ``surroundings`` tells where the notebook was run, ``notes`` how it was read."""

    results: tuple[Result, ...]
    notes: tuple[str, ...]
    surroundings: str
    checks: int
    passed: int

    @property
    def is_right(self) -> bool:
        """Whether every visible check passed, and no question's own cell stopped."""
        return self.passed == self.checks and all(result.state != "failed" for result in self.results)


def released(notebook: Path, name: str | None = None) -> Assignment:
    """Return the assignment that a notebook belongs to: by its name, its metadata, its file's name, or the only one.

    Raises InputError where there is no such one here.
    """
    known = {path.stem: path for path in sorted(RELEASED.glob("*/*.ipynb")) if path.stem == path.parent.name}
    if name is not None and name not in known:
        there = f"there is: {', '.join(known)}" if known else "there is none"
        raise InputError(f"there is no assignment {one_line(name)!r} here; {there}.{did_you_mean(name, known)}")
    for candidate in (name, _named_in(notebook), notebook.stem, *(known if len(known) == 1 else ())):
        if candidate in known:
            return load_released(known[candidate])
    raise InputError(f"which assignment is this? Say it with --assignment, one of: {', '.join(known)}")


def _named_in(notebook: Path) -> str | None:
    """Return the assignment that a notebook's metadata name, if they do; what can not be read is told later."""
    try:
        if not notebook.is_file() or notebook.stat().st_size > FILE_LIMIT:
            return None
        name = json.loads(notebook.read_text(encoding="utf-8"))["metadata"]["autograder"]["assignment"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return name if isinstance(name, str) else None


def check(
    notebook: Path, assignment: Assignment, data: Path | None, isolation: str, warn: Callable[[str], None]
) -> Checked:
    """Run a notebook and say of each question what its visible check found.

    ``data`` is a folder of true data, None for synthetic ones. Without a sandbox on this machine the notebook runs
    all the same, after a word to ``warn``, unless ``isolation`` asks for one by name: it is the caller's own. Raises
    SubmissionError.
    """
    submission = read(notebook, assignment)
    cells = _complete(submission, assignment)
    job = Job(cells=cells, probes={}, seed=_SEED, training="record", lane="fast")
    outcome, surroundings = _execute(job, Limits.fitting("record"), data, isolation, warn)
    run = _Run(submission, cells, _ended(outcome), outcome)
    checks = [cell for cell in cells if cell.kind == "sanity"]
    return Checked(
        results=tuple(_results(assignment, run)),
        notes=(*submission.notes, *_notes(run)),
        surroundings=surroundings,
        checks=len(checks),
        passed=sum(map(run.passed, checks)),
    )


def _complete(submission: Submission, assignment: Assignment) -> tuple[PlannedCell, ...]:
    """Return the cells to run; a file without any of the notebook's structure gets the visible checks at its end."""
    there = {cell.question for cell in submission.cells if cell.kind == "sanity"}
    missing = [cell for cell in assignment.cells if cell.kind == "sanity" and cell.question not in there]
    start = len(submission.cells)
    added = [PlannedCell(start + n, cell.source, "sanity", cell.question) for n, cell in enumerate(missing)]
    return (*submission.cells, *added)


def _execute(
    job: Job, limits: Limits, data: Path | None, isolation: str, warn: Callable[[str], None]
) -> tuple[Outcome, str]:
    why = "as you asked"
    if isolation != "none":
        try:
            return _run_in_sandbox(job, limits, data, isolation), "in a sandbox"
        except IsolationUnavailable:
            if isolation != "auto":
                raise
            why = "since this machine has none that is complete"
    from autograder.sandbox import plain

    where = f"without a sandbox, {why}: it can do here whatever you can do"
    warn(f"The notebook is run {where}.")
    return plain.run(job, limits, data), where


def _run_in_sandbox(job: Job, limits: Limits, data: Path | None, isolation: str) -> Outcome:
    if platform.system() != "Linux":
        # What the sandbox is made of can not even be imported elsewhere.
        raise IsolationUnavailable(f"isolation exists on Linux only, not on {platform.system()}")
    from autograder.sandbox.isolation import choose
    from autograder.sandbox.supervisor import Sandbox

    backend = choose(isolation)
    with Sandbox(backend, limits, data) as sandbox:
        # Imported here while the fork server imports TensorFlow.
        import autograder.evidence  # noqa: F401

        return sandbox.run(job)


def _ended(outcome: Outcome) -> dict[int, CellOutcome]:
    """Return how each cell ended; what came out of the process and is no such record is left out."""
    from pydantic import ValidationError

    from autograder.evidence import CellOutcome

    ended: dict[int, CellOutcome] = {}
    for frame in outcome.frames:
        if frame.header.get("event") == "cell":
            try:
                cell = CellOutcome.model_validate(frame.header.get("record"))
            except ValidationError:
                continue
            ended.setdefault(cell.index, cell)
    return ended


def _results(assignment: Assignment, run: _Run) -> Iterator[Result]:
    answerable = {cell.question for cell in assignment.cells if cell.kind in ("answer", "remark", "sanity")}
    numbers = {
        cell.question: found[1]
        for cell in assignment.cells
        if cell.kind == "text" and (found := _NUMBER.search(cell.source))
    }
    for question in assignment.questions:
        if question.id in answerable:
            number = numbers.get(question.id) or numbers.get(question.id.removesuffix("-remark"))
            title = f"{number}. {question.title}" if number else question.title
            yield _result(title, question, run, _altered(question, assignment, run.submission))


def _result(title: str, question: Question, run: _Run, altered: Sequence[str]) -> Result:
    mine = [cell for cell in run.cells if cell.question == question.id]
    checks = [cell for cell in mine if cell.kind == "sanity"]
    failed = [cell for cell in checks if not run.passed(cell)]
    answered = run.submission.answered.get(question.id, False)
    stopped = [text for cell in mine if cell.kind == "answer" and (text := run.stop(cell))]
    mend_error = "Mend that error first: run the cell in the notebook, where Python shows the line."
    if checks and not failed:
        return Result(title, "passed", "\n".join([*stopped, *altered]))
    if not failed:
        if stopped:
            return Result(title, "failed", "\n".join(stopped), mend_error)
        return Result(title, "written" if answered else "empty")
    found = run.ended.get(failed[0].index)
    advice = mend_error if stopped else "Change your answer to this question, then check again."
    message = found.error.message if found is not None and found.error else "The check was stopped."
    if found is None:
        message = "The check was not reached, since the notebook ended above it."
        advice = advice if stopped else "Mend what ended the notebook first, then check again."
    lines = "\n".join([message, *stopped, *altered])
    return Result(title, "failed", lines, advice) if answered else Result(title, "empty", lines)


def _altered(question: Question, assignment: Assignment, submission: Submission) -> list[str]:
    """Return a sentence where a question's check was not as released, as the notes on the reading say."""
    for cell in assignment.cells:
        if cell.kind == "sanity" and cell.question == question.id:
            name = re.compile(rf"(?<![\w-]){re.escape(cell.grade_id)}(?![\w-])")
            if any(name.search(note) for note in submission.notes):
                return ["The check of this question was altered in your notebook: the released one was run."]
    return []


def _notes(run: _Run) -> Iterator[str]:
    """Yield what stopped in cells that belong to no question, and where the notebook ended before its end."""
    for cell in run.cells:
        if cell.kind == "other" and (text := run.stop(cell)):
            yield text
    outcome = run.outcome
    if outcome.ending != "completed":
        where = "" if outcome.cell is None else f" in {run.where(outcome.cell)}"
        yield f"The notebook did not run to its end: {outcome.reason}{where}. What comes below was not reached."


def render(checked: Checked, name: str) -> str:
    """Return what a student reads on her terminal."""
    lines = [
        f"{one_line(name)} was run {checked.surroundings}.",
        "Each fit was tried on one batch only, and the digits may be made up: what a model learns is not seen here.",
        "",
        *(f"! {one_line(note, 1_000)}" for note in checked.notes),
        *([""] if checked.notes else []),
    ]
    for result in checked.results:
        lines.append(f"{_SIGNS[result.state]} {one_line(result.title)}: {_WORDS[result.state]}")
        lines += [f"    {line}" for line in clean(result.message).splitlines() if line.strip()]
        lines += [f"    → {result.advice}"] if result.advice else []
    counts = {state: sum(result.state == state for result in checked.results) for state in _SIGNS}
    lines += ["", f"{checked.passed} of {checked.checks} visible checks passed."]
    if counts["failed"]:
        lines.append("Mend what is marked ✗ from the top: one mistake often makes the checks below it fail as well.")
    if counts["empty"]:
        lines.append("What is marked ○ waits for your answer.")
    if checked.is_right:
        lines.append("That is a good sign, not yet full marks: the grader looks at more than these checks.")
    return "\n".join(lines) + "\n"
