"""Grade many submissions: a pool of warm workers, resuming, and results that are on disk as they arrive.

The process that runs this never imports TensorFlow and never reads a notebook: workers do.
All of them share one fork server, which is started before them, so that it imports TensorFlow
while they do the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from autograder import __version__, pool
from autograder.assignment import Assignment
from autograder.checks.points import stumbled
from autograder.errors import SubmissionError
from autograder.grade import Grader, Settings, course_digest
from autograder.progress import Progress
from autograder.report import summary as summaries
from autograder.report.files import read_report, sweep, write_report, write_text
from autograder.report.formats import FORMATS
from autograder.report.model import Execution, Fault, Question, Report, Submission
from autograder.report.text import folder_name, one_line, timestamp
from autograder.sandbox.limits import Limits
from autograder.store import Store, most_bytes
from autograder.submission.notebook import read_file

if TYPE_CHECKING:
    from autograder.report.summary import Row, Summary

RUNS = 3
GRADERS_OWN_WALL_SECONDS = 3600.0
"""For what the grader does itself for one submission, its training above all."""

SUMMARY_EVERY_WALL_SECONDS = 2.0
SUMMARY_WAITS = 30
"""So many times as long as the last summary took, the next one waits at least: a thirtieth of the time, of one core."""

LOG_FILE = "grader.log"


@dataclass(frozen=True)
class Item:
    """One submission of a batch: whose, which file, the folder of its report, its key, how the file is called."""

    student: str
    file: Path
    folder: str
    key: str
    label: str


def grade_all(
    assignment: Assignment,
    submissions: Sequence[tuple[str, Path]],
    settings: Settings,
    *,
    out: Path,
    formats: Sequence[str],
    jobs: int,
    progress: Progress,
    labels: Mapping[Path, str] | None = None,
    scheduler: str | None = None,
) -> Summary:
    """Grade submissions (student, file) with ``jobs`` workers and write everything to ``out``.

    With the address of a ``scheduler`` of Dask its workers grade instead, wherever they are.
    ``labels`` tell how files are called in reports where their paths say nothing. A report of an earlier batch
    is kept when nothing that decides it has changed. Raises InputError when ``out`` can not be written and
    GraderFault when this machine can not grade; what was graded is on disk.
    """
    items = items_of(assignment, submissions, settings, labels or {})
    for folder in (out, *(out / item.folder for item in items)):
        sweep(folder)
    results = _Results(assignment, out, formats, len(items), progress, _machine(jobs, scheduler))
    progress.begin(len(items))
    try:
        todo = [item for item in items if not (settings.use_cache and results.keep(item))]
        # Written before any work: an unwritable folder is found out now.
        results.write_summary()
        if todo and scheduler is not None:
            _grade_on_cluster(scheduler, assignment, todo, settings, results)
        elif todo:
            _grade(assignment, todo, settings, jobs, results)
    finally:
        progress.close()
        results.write_summary(running=False)
    return results.summary()


def default_jobs() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _machine(jobs: int, scheduler: str | None) -> str:
    """Return where a batch is graded, in words."""
    where = "the workers of a Dask scheduler" if scheduler is not None else f"{jobs} at a time"
    cores = default_jobs()
    system = f"{platform.system()} {platform.machine()}, {cores} {'core' if cores == 1 else 'cores'}"
    return f"{system}, Python {platform.python_version()}, {where}"


def _grade(assignment: Assignment, todo: Sequence[Item], settings: Settings, jobs: int, results: _Results) -> None:
    from autograder.sandbox.isolation import choose
    from autograder.sandbox.supervisor import Sandbox

    backend, bound = choose(settings.isolation), most_bytes()
    log = results.out / LOG_FILE
    went_well = True
    limits = settings.limits(assignment)
    with Sandbox(isolation=settings.isolation, limits=limits, data=assignment.data) as sandbox:
        sandbox.start()
        make = partial(grading, assignment, settings, sandbox.server_path)
        tasks = [json.dumps([str(item.file.absolute()), item.student]) for item in todo]
        # Closed here and not when it is collected: the workers end before their fork server.
        # A worker that takes longer for one submission hangs: the sandbox bounds each run, and there are so many.
        patience = RUNS * limits.notebook_wall_seconds + GRADERS_OWN_WALL_SECONDS
        with closing(pool.run(make, tasks, min(jobs, len(todo)), log, patience)) as events:
            for event in events:
                went_well &= not isinstance(event, (pool.Retried, pool.Failed))
                _handle(event, todo, results, Execution(isolation=backend, training=settings.training))
    Store().prune(bound)
    for check, count in results.stumbled.items():
        results.progress.say(f"the check {check} made a mistake of its own in {count} of the submissions: see {log}")
    if went_well and not results.stumbled:
        # Nothing but the greetings of libraries is in it.
        # Another batch into the same folder may have been quicker.
        with suppress(OSError):
            log.unlink()


def _grade_on_cluster(
    scheduler: str, assignment: Assignment, todo: Sequence[Item], settings: Settings, results: _Results
) -> None:
    from autograder import cluster

    tasks = [(item.file, item.student) for item in todo]
    # How a worker that was lost would have isolated is not known here.
    execution = Execution(
        isolation="none" if settings.isolation == "none" else "namespaces", training=settings.training
    )
    with closing(cluster.run(scheduler, assignment, settings, tasks)) as events:
        for event in events:
            _handle(event, todo, results, execution)


def _handle(event: pool.Event, todo: Sequence[Item], results: _Results, lost: Execution) -> None:
    """Take note of an event; ``lost`` is the execution of a submission that no worker could grade."""
    progress = results.progress
    match event:
        case pool.Started(task):
            progress.started(todo[task].student)
        case pool.Retried(task, reason):
            progress.retried(todo[task].student, reason)
        case pool.Finished(task, result):
            results.add(todo[task], Report.model_validate_json(result))
        case pool.Failed(task, reason):
            item = todo[task]
            results.add(item, fault_report(results.assignment, item, lost, reason))
        case pool.Tick():
            progress.draw()


@contextmanager
def grading(assignment: Assignment, settings: Settings, server: Path | None) -> Iterator[Callable[[str], str]]:
    """Make what a worker does: grade the task ``[file, student]`` and return the report as JSON."""
    # TensorFlow's greetings would fill the log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with Grader(assignment, settings, server) as grader:

        def work(task: str) -> str:
            file, student = json.loads(task)
            report = grader.grade(Path(file), student)
            # Validated once more, because copies with changes skip what the model does to texts.
            return Report.model_validate(report.model_dump()).model_dump_json()

        yield work


def fault_report(assignment: Assignment, item: Item, execution: Execution, reason: str) -> Report:
    """Return the report of a submission on which the grader itself failed: all points wait for a person."""
    return Report(
        assignment=assignment.name,
        student=item.student,
        submission=Submission(file=item.label, digest=""),
        score=0.0,
        max_score=assignment.total_points,
        awaiting_review=assignment.total_points,
        status="needs_review",
        questions=tuple(
            Question(
                id=question.id,
                title=question.title,
                score=0.0,
                max_score=question.points,
                status="needs_review",
                awaiting_review=question.points,
            )
            for question in assignment.questions
        ),
        execution=execution,
        fault=Fault(whose="grader", message=f"The grading process {reason}, twice."),
        autograder_version=__version__,
    )


def shown_path(file: Path, folder: Path | None = None) -> str:
    """Return a path as students may see it: below the (current) folder, or its last two parts alone."""
    absolute, above = file.absolute(), folder or Path.cwd()
    if absolute.is_relative_to(above):
        return str(absolute.relative_to(above))
    return str(Path(*absolute.parts[-2:]))


def items_of(
    assignment: Assignment, submissions: Sequence[tuple[str, Path]], settings: Settings, labels: Mapping[Path, str]
) -> list[Item]:
    """Return the items of a batch.

    A student who is there twice, as a reader sees it, gets a number. Folders differ in more than upper and
    lower case, which not every disk tells apart; the names in them stay as they are.
    """
    course, limits = course_digest(assignment), settings.limits(assignment)
    names: set[str] = set()
    folders: set[str] = set()
    items = []
    for student, file in submissions:
        name = _free(student, names, one_line)
        folder = folder_name(_free(name, folders, lambda candidate: folder_name(candidate).casefold()))
        key = _key(file, course, settings, limits)
        items.append(Item(name, file, folder, key, labels.get(file) or shown_path(file)))
    return items


def _free(name: str, taken: set[str], form: Callable[[str], str]) -> str:
    """Return a name whose form is not taken yet, with a number where it has to be, and take it."""
    candidate, number = name, 1
    while form(candidate) in taken:
        number += 1
        candidate = f"{name} ({number})"
    taken.add(form(candidate))
    return candidate


def _key(file: Path, course: str, settings: Settings, limits: Limits) -> str:
    """Return the digest of all that decides a report, or nothing for a file that can not be read."""
    try:
        content, _ = read_file(file)
    except SubmissionError:
        return ""
    parts = {
        # The suffix says how the file is read.
        "suffix": file.suffix.lower(),
        "file": hashlib.sha256(content).hexdigest(),
        **settings.key_parts(course, limits),
    }
    return "sha256:" + hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@dataclass
class _Results:
    """The results of a batch, in memory as rows and on disk as reports."""

    assignment: Assignment
    out: Path
    formats: Sequence[str]
    expected: int
    progress: Progress
    machine: str = ""
    stumbled: Counter[str] = field(default_factory=Counter)
    _rows: list[Row] = field(default_factory=list)
    _begun: float = field(default_factory=time.monotonic)
    _due: float = 0.0

    def keep(self, item: Item) -> bool:
        """Keep the report of an earlier batch where it is still right, and say whether it was."""
        report = read_report(self.out / item.folder)
        if report is None or not item.key or report.execution.key != item.key:
            return False
        if report.student != one_line(item.student) or (report.fault is not None and report.fault.whose == "grader"):
            return False
        if stumbled(report):
            return False
        # Written again: the formats asked for, or their layout, may have changed.
        write_report(self.out / item.folder, report, self.formats)
        self._append(summaries.row_of(report, item.folder, kept=True))
        return True

    def add(self, item: Item, report: Report) -> None:
        """Write the report of an item, and the summary when it is due."""
        execution = report.execution.model_copy(update={"key": item.key})
        submission = report.submission.model_copy(update={"file": item.label})
        update = {"execution": execution, "submission": submission}
        report = Report.model_validate(report.model_copy(update=update).model_dump())
        write_report(self.out / item.folder, report, self.formats)
        self.stumbled.update(stumbled(report))
        self._append(summaries.row_of(report, item.folder))
        if time.monotonic() >= self._due:
            self.write_summary()

    def summary(self, running: bool = False) -> Summary:
        """Return the summary of what is there so far."""
        batch = summaries.Batch(
            running=running,
            written=timestamp(datetime.now(UTC)),
            wall_seconds=round(time.monotonic() - self._begun, 1),
            machine=self.machine,
        )
        return summaries.summarise(self.assignment, self._rows, self.expected, batch)

    def write_summary(self, running: bool = True) -> None:
        """Write the summary in all its formats; ``running`` says whether more is to come.

        The larger the class, the longer that takes and the longer the next one waits, so that all of them together
        take a small share of the time, however many results arrive.
        """
        started = time.monotonic()
        summary = self.summary(running)
        write_text(self.out / "summary.json", summaries.render_json(summary))
        write_text(self.out / "scores.csv", summaries.render_csv(summary))
        if "html" in self.formats:
            from autograder.report.html import render_class

            write_text(self.out / "index.html", render_class(summary, FORMATS["html"].file))
        ended = time.monotonic()
        self._due = ended + max(SUMMARY_EVERY_WALL_SECONDS, SUMMARY_WAITS * (ended - started))

    def _append(self, row: Row) -> None:
        self._rows.append(row)
        self.progress.finished(row)
