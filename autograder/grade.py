"""Grade one submission: every step of the way of the data, in order.

    file -> submission -> sandbox -> evidence -> checks -> report

All doors (command line, nbgrader, CI) call ``Grader.grade`` and show what it returns.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from autograder import __version__
from autograder.assignment import Assignment
from autograder.checks.points import stumbled
from autograder.errors import SubmissionError
from autograder.execute import Execution, execute
from autograder.observations import SENTENCES, observe
from autograder.report import model as report
from autograder.report.text import timestamp
from autograder.sandbox.limits import Lane, Limits, Training, of_course
from autograder.store import Store, digest_of, digest_of_files
from autograder.submission.reading import Submission, read

if TYPE_CHECKING:
    from autograder.evidence import Evidence
    from autograder.executions import KeptExecutions
    from autograder.sandbox.supervisor import Sandbox

_CUT = "Printed more than"
_SHORT = "Each training was cut to a few steps, so these errors are higher than those of whole trainings."
_CELLS_NAMED = 10
_TRACEBACK_CHARACTERS = 2_000
# TensorFlow comes under one name or the other.
_PACKAGES = {
    "Keras": ("keras",),
    "TensorFlow": ("tensorflow", "tensorflow-cpu"),
    "NumPy": ("numpy",),
    "matplotlib": ("matplotlib",),
}


@dataclass(frozen=True)
class Settings:
    """How submissions are graded; part of the key under which results are kept."""

    training: Training = "record"
    isolation: str = "auto"
    use_cache: bool = True
    lane: Lane = "fast"
    """The lane in which an execution begins; what the fast one leaves open is decided in the full one."""
    own_limits: Limits | None = None
    """Other limits than those of the assignment."""

    def limits(self, assignment: Assignment) -> Limits:
        """Return the limits of each execution: those that the assignment sets for the training, else the usual ones."""
        return self.own_limits or of_course(assignment.tests, self.training)

    def key_parts(self, course: str, limits: Limits) -> dict[str, Any]:
        """Return what decides a report beside the submission itself: the course by its digest, version, settings."""
        return {
            "course": course,
            "version": __version__,
            "training": self.training,
            "isolation": self.isolation,
            "lane": self.lane,
            "limits": asdict(limits),
        }


class Grader:
    """Grades submissions of one assignment, one after the other, in this process.

    The sandbox and TensorFlow are started by the first use or by ``start``. Raises GraderFault (and its kinds) where
    the machine can not grade; whatever is wrong with a submission ends in its report.
    """

    def __init__(self, assignment: Assignment, settings: Settings, server: Path | None = None) -> None:
        self.assignment = assignment
        self.settings = settings
        self.limits = settings.limits(assignment)
        self._server = server
        self._sandbox: Sandbox | None = None
        self._kept: KeptExecutions | None = None
        self._store = Store()
        self._course_digest = course_digest(assignment)

    def start(self) -> None:
        """Start the sandbox's fork server, and import here what the checks need while it does the same."""
        if self._sandbox is not None:
            return
        from autograder.sandbox.supervisor import Sandbox

        self._sandbox = Sandbox(
            isolation=self.settings.isolation,
            limits=self.limits,
            data=self.assignment.data,
            server=self._server,
        )
        self._sandbox.start()
        importlib.import_module("autograder.checks.session").warm()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sandbox is not None:
            self._sandbox.__exit__(kind, error, trace)
            self._sandbox = None

    def grade(self, file: Path, student: str) -> report.Report:
        """Return the report of one submission."""
        known = self._known(file, student)
        if isinstance(known, report.Report):
            return known
        graded = self._graded(known, file, student)
        # A check that stumbled is asked again: whoever mends it needs the traceback.
        if (graded.fault is None or graded.fault.whose == "student") and not stumbled(graded):
            self._store.put("report", self._key(known), graded.model_dump(mode="json"))
        return graded

    def kept(self, file: Path, student: str) -> report.Report | None:
        """Return the report for which nothing has to run, else None: one that was kept, or that of a refused file.

        Neither the sandbox nor TensorFlow is started.
        """
        known = self._known(file, student)
        return known if isinstance(known, report.Report) else None

    def _known(self, file: Path, student: str) -> report.Report | Submission:
        """Return the report where nothing has to run for it, else the submission that is to be run."""
        try:
            submission = read(file, self.assignment)
        except SubmissionError as error:
            return self._ungradable(file, student, str(error))
        kept = self._store.get("report", self._key(submission)) if self.settings.use_cache else None
        if kept is None:
            return submission
        return _of_this_file(report.Report.model_validate(kept), submission, file, student)

    def execute(self, submission: Submission) -> Execution:
        """Run a submission in the sandbox, or take what was kept of its execution; return what came out, parsed."""
        from autograder.executions import KeptExecutions

        if self._kept is None:
            settings = self.settings
            self._kept = KeptExecutions(
                self._started, self._store, self.assignment, self.limits, settings.isolation, settings.use_cache
            )
        return execute(self._kept, self.assignment, submission, self.settings.training, self.limits, self.settings.lane)

    def _started(self) -> Sandbox:
        self.start()
        assert self._sandbox is not None
        return self._sandbox

    def _graded(self, submission: Submission, file: Path, student: str) -> report.Report:
        from autograder.checks import points, session
        from autograder.pictures import attach

        execution = self.execute(submission)
        context = session.Context(cells=submission.cells, store=self._store)
        results = session.run(self.assignment, execution.evidence, context)
        trainings = points.exhibits(results, report.Training)
        strips = sum(len(strip.picture) for training in trainings for strip in training.strips)
        questions = attach(
            points.questions(self.assignment, results, submission.alignment),
            execution.evidence.figures,
            {cell.index: cell.question for cell in submission.cells},
            report.MOST_PICTURE_CHARACTERS - strips,
            trained=self.settings.training != "record",
        )
        waiting = sum(question.awaiting_review for question in questions)
        seen = observe(submission, execution.evidence)
        return report.Report(
            assignment=self.assignment.name,
            student=student,
            submission=report.Submission(file=str(file), digest=submission.digest),
            score=sum(question.score for question in questions),
            max_score=self.assignment.total_points,
            awaiting_review=waiting,
            status=_status(questions, self.assignment),
            questions=questions,
            findings=(*points.findings(results), *seen),
            notes=(
                *submission.notes,
                *(SENTENCES[name] for name in seen),
                *_cut_output(execution.evidence, self.limits),
            ),
            cells=_cells(submission, execution),
            architectures=points.exhibits(results, report.Architecture),
            trainings=trainings,
            curves=tuple(
                curve.model_copy(update={"remark": _SHORT}) if self.settings.training == "short" else curve
                for curve in points.exhibits(results, report.Curve)
            ),
            execution=execution.summary.model_copy(
                update={"finished": timestamp(datetime.now(UTC)), "versions": _versions()}
            ),
            fault=report.Fault(whose="student", message=execution.trouble) if execution.trouble else None,
            autograder_version=__version__,
        )

    def _ungradable(self, file: Path, student: str, message: str) -> report.Report:
        from autograder.sandbox.isolation import choose

        return report.Report(
            assignment=self.assignment.name,
            student=student,
            submission=report.Submission(file=str(file), digest=""),
            score=0.0,
            max_score=self.assignment.total_points,
            awaiting_review=0.0,
            status="ungradable",
            execution=report.Execution(
                isolation=choose(self.settings.isolation),
                training=self.settings.training,
            ),
            fault=report.Fault(whose="student", message=message),
            autograder_version=__version__,
        )

    def _key(self, submission: Submission) -> str:
        return digest_of(
            {
                "submission": submission.digest,
                "recorded": [submission.blank, submission.never_run, _sorted(submission.totals)],
                **self.settings.key_parts(self._course_digest, self.limits),
            }
        )


def course_digest(assignment: Assignment) -> str:
    """Return the digest of everything of the assignment that a grade depends on: source, checks, data, engine."""
    engine = Path(__file__).parent
    files = [
        assignment.source,
        *sorted(assignment.tests.rglob("*.py")),
        *sorted(assignment.tests.rglob("*.json")),
        *sorted(assignment.data.glob("*.json")),
        *sorted(engine.rglob("*.py")),
    ]
    versions = [importlib.metadata.version(name) for name in ("keras", "numpy", "matplotlib")]
    return digest_of([versions, digest_of_files(files)])


@cache
def _versions() -> tuple[str, ...]:
    """Return what a submission runs with, by its versions."""
    versions = [f"Python {platform.python_version()}"]
    for name, packages in _PACKAGES.items():
        for package in packages:
            with suppress(importlib.metadata.PackageNotFoundError):
                versions.append(f"{name} {importlib.metadata.version(package)}")
                break
    return tuple(versions)


def _status(questions: tuple[report.Question, ...], assignment: Assignment) -> report.ReportStatus:
    """Return "needs_review" when a machine could not decide; the parts that a person always grades do not count."""
    manual = {question.id for question in assignment.questions if question.manual}
    undecided = any(question.awaiting_review for question in questions if question.id not in manual)
    return "needs_review" if undecided else "graded"


def _cells(submission: Submission, execution: Execution) -> tuple[report.Cell, ...]:
    ended = {outcome.index: outcome for outcome in execution.evidence.cells}
    cells = []
    for planned in submission.cells:
        cell = report.Cell(index=planned.index, question=planned.question, status="skipped")
        outcome, death = ended.get(planned.index), execution.deaths.get(planned.index)
        changes: dict[str, Any] = {}
        if death is not None:
            changes = {"status": "error" if death.ending == "died" else "timeout", "error": death.reason}
        elif outcome is not None:
            changes = {
                "status": "timeout" if planned.index in execution.interrupted else outcome.status,
                "cpu_seconds": round(outcome.cpu_seconds, 3),
                "error": f"{outcome.error.type}: {outcome.error.message}" if outcome.error else None,
                "line": outcome.error.line if outcome.error else None,
                "traceback": _counted_from_one(outcome.traceback) if outcome.error else "",
            }
        cells.append(report.Cell.model_validate(cell.model_dump() | changes))
    return tuple(cells)


def _counted_from_one(traceback: str) -> str:
    """Return a traceback, cut, in which cells are counted as on the page: from 1."""
    cut = traceback[:_TRACEBACK_CHARACTERS]
    return re.sub(r"(?m)^cell (\d{1,6}), line", lambda found: f"cell {int(found[1]) + 1}, line", cut)


def _cut_output(evidence: Evidence, limits: Limits) -> tuple[str, ...]:
    """Say where more was printed than is kept: there the text is as long as it may be, and says so at its end."""
    printed: Counter[int] = Counter()
    for output in evidence.outputs:
        printed[output.index] += len(output.text)
    cells = sorted(index for index, length in printed.items() if length > limits.output_characters)
    notes = []
    if cells:
        where = ", ".join(str(index + 1) for index in cells[:_CELLS_NAMED]) + (", …" if cells[_CELLS_NAMED:] else "")
        notes.append(f"{_CUT} {limits.output_characters:,} characters in a cell (cell {where}): the rest was cut.")
    if printed.total() > limits.notebook_output_characters:
        notes.append(f"{_CUT} {limits.notebook_output_characters:,} characters in all: the rest was cut.")
    return tuple(notes)


def _sorted(totals: Mapping[int, frozenset[int]]) -> list[tuple[int, list[int]]]:
    return [(index, sorted(found)) for index, found in sorted(totals.items())]


def _of_this_file(kept: report.Report, submission: Submission, file: Path, student: str) -> report.Report:
    """Return the kept report of an equal submission as one of this file: what differs is not what was judged."""
    document = kept.model_dump()
    document["student"] = student
    document["submission"]["file"] = str(file)
    document["execution"]["from_cache"] = True
    own = (_CUT, *SENTENCES.values())
    document["notes"] = (*submission.notes, *(note for note in kept.notes if note.startswith(own)))
    return report.Report.model_validate(document)
