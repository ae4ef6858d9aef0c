"""Reports for nbgrader's submissions: what is kept is read, the rest is graded by `autograder grade`, many at once.

nbgrader's own process runs no notebook and imports no TensorFlow: its pass over the students only records.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from autograder.assignment import Assignment
from autograder.batch import Item, default_jobs, fault_report, shown_path
from autograder.errors import GraderFault
from autograder.grade import Grader, Settings
from autograder.report.files import read_report
from autograder.report.model import Execution, Report, Submission
from autograder.report.text import one_line
from autograder.scratch import scratch_folder

NOT_RUN = "was not run: nbgrader was told not to execute notebooks, and no earlier result is kept"
FAILED = "could not be graded on this machine; the log of nbgrader says why"
_REASON_LINES = 12

Log = Callable[[str], None]


class Reports:
    """The reports of one assignment's submissions, each of them graded at most once."""

    def __init__(self, assignment: Assignment, settings: Settings, jobs: int = 0) -> None:
        self._assignment = assignment
        self._settings = settings
        self._jobs = jobs
        self._grader = Grader(assignment, settings)
        self._fresh: dict[Path, Report] = {}

    def grade(self, submissions: Sequence[tuple[str, Path]], log: Log) -> None:
        """Grade those (student, file) whose report is not kept, in parallel, in a process of their own."""
        missing = [(student, file) for student, file in submissions if self._kept(student, file) is None]
        if not missing:
            return
        # How the batch calls a file must name one student alone: it runs in this folder, links in its path resolved.
        root = self._assignment.root.resolve()
        paths = {file: self._path(file) for _, file in missing}
        log(f"{len(missing)} of {len(submissions)} submissions have no kept result: grading them")
        with scratch_folder() as scratch:
            command = [
                sys.executable, "-P", "-m", "autograder", "grade", "--course", str(root),
                "--assignment", self._assignment.name, "--isolation", self._settings.isolation, "--format", "json",
                "--jobs", str(self._jobs or default_jobs()), "--out", str(scratch), "--",
                *map(str, paths.values()),
            ]  # fmt: skip
            said = _run(command, root, log)
            found = [report for report in map(read_report, scratch.iterdir()) if report is not None]
        reports = {report.submission.file: report for report in found}
        labels = {file: one_line(shown_path(path, root)) for file, path in paths.items()}
        once = Counter(labels.values())
        for student, file in missing:
            report = reports.get(labels[file])
            if report is not None and once[labels[file]] == 1:
                self._fresh[file] = report.model_copy(update={"student": one_line(student)})
        if not found:
            log("\n".join(said))

    def _path(self, file: Path) -> Path:
        """Return the path of a file below the resolved folder of the course; links further down stay links."""
        root, path = self._assignment.root.absolute(), file.absolute()
        return root.resolve() / path.relative_to(root) if path.is_relative_to(root) else path

    def of(self, student: str, file: Path) -> Report:
        """Return the report of a submission; where there is none, one in which every point waits for a person."""
        report = self._kept(student, file) or self._fresh.get(file)
        return report if report is not None else self.waiting(student, file, FAILED)

    def kept(self, student: str, file: Path) -> Report:
        """Return the report that was kept; nothing is run for it."""
        return self._kept(student, file) or self.waiting(student, file, NOT_RUN)

    def waiting(self, student: str, file: Path, reason: str) -> Report:
        """Return a report without any verdict: it says why, and all points wait for a person."""
        item = Item(student, file, "", "", shown_path(file))
        execution = Execution(isolation="namespaces", training=self._settings.training)
        report = fault_report(self._assignment, item, execution, "")
        assert report.fault is not None
        fault = report.fault.model_copy(update={"message": f"This submission {reason}. A person looks at it."})
        return report.model_copy(update={"fault": fault, "submission": Submission(file=item.label, digest="")})

    def _kept(self, student: str, file: Path) -> Report | None:
        try:
            return self._grader.kept(file, student)
        except GraderFault:
            # No isolation on this machine: who asks for the grading is told.
            return None


def _run(command: Sequence[str], root: Path, log: Log) -> list[str]:
    """Run the batch, hand on what it says line by line, and return the last lines."""
    said: list[str] = []
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if not line.startswith("results are in"):
                    log(line.rstrip())
                said = [*said[1 - _REASON_LINES :], line.rstrip()]
        except BaseException:
            # It keeps what it has, and ends its workers itself.
            process.terminate()
            raise
    return said
