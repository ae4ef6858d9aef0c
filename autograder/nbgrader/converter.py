"""nbgrader's Autograde for assignments with hidden checks of ours: graded in the sandbox, recorded one by one.

Options, lists of steps, folders, gradebook and formgrader stay nbgrader's. What differs: every student folder ends
in an entry of the gradebook, whatever is in it; files of students are not copied, and links are not followed.
Assignments without hidden checks are graded by nbgrader as ever.
"""

from __future__ import annotations

import glob
import json
import os
import shutil
import stat
from collections.abc import Mapping
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from nbconvert.preprocessors import ExecutePreprocessor
from nbformat import from_dict
from nbgrader.converters import Autograde as Stock
from nbgrader.converters.base import NbGraderException
from nbgrader.utils import parse_utc
from traitlets import Enum, Integer, List

from autograder.assignment import Assignment, load
from autograder.errors import AutograderError
from autograder.grade import Settings
from autograder.nbgrader import gradebook
from autograder.nbgrader.grading import Reports
from autograder.nbgrader.notebook import MARK, Handed, answers, build, handed_in
from autograder.report.text import one_line
from autograder.submission.discovery import discover

TIMESTAMP, TIMESTAMP_BYTES = "timestamp.txt", 1_000
AUTOGRADED_BYTES = 64 * 2**20


class Autograde(Stock):  # type: ignore[misc]
    """Autograde with our grading where the assignment has hidden checks, with nbgrader's own everywhere else."""

    autograde_preprocessors = List(
        ["autograder.nbgrader.preprocessors.SaveGrades", "nbgrader.preprocessors.AssignLatePenalties"]
    ).tag(config=True)
    jobs = Integer(0, help="How many submissions are graded at a time; 0 for as many as there are cores.").tag(
        config=True
    )
    isolation = Enum(
        ("auto", "namespaces", "landlock", "none"),
        "auto",
        help="How submitted code is confined, as in `autograder grade`.",
    ).tag(config=True)

    _ours: Assignment | None = None
    _reports: Reports
    _files: dict[str, Path]
    _former: Mapping[str, Any]

    def start(self) -> None:
        """Grade what was handed in and record it."""
        self._ours = self._assignment()
        if self._ours is None:
            self.autograde_preprocessors = Stock.autograde_preprocessors.default_args[0]
        self._troubles: list[str] = []
        super().start()

    def init_notebooks(self) -> None:
        """Find the students' folders, those without a usable notebook too."""
        if self._ours is None:
            super().init_notebooks()
            return
        name = self._ours.name
        self.assignments, self._files = {}, {}
        # Links that lead nowhere are found too, which pathlib's own would leave out.
        for folder in sorted(glob.glob(self._format_source(name, self.coursedir.student_id))):  # noqa: PTH207
            if fnmatch(name, self.coursedir.notebook_id):
                self.assignments[folder] = [str(Path(folder, f"{name}.ipynb"))]
                self._files[folder] = _file_of(Path(folder), name)
        if not self.assignments:
            # It tells what is missing, and what may have been meant.
            super().init_notebooks()

    def convert_notebooks(self) -> None:
        """Grade all that is due, in parallel; then record it, student by student."""
        if self._ours is None:
            super().convert_notebooks()
            return
        try:
            self._reports = Reports(self._ours, Settings(isolation=self.isolation), self.jobs)
            nobody = self._reports.waiting("", self._ours.source, "is empty")
            blank = build(self._ours, Handed(None), nobody)
            gradebook.register(self.coursedir.db_url, self.coursedir.course_id, self._ours, blank)
            if self._executes:
                due = [
                    (self._student_of(folder), self._files[folder])
                    for folder in self.assignments
                    if self._is_due(folder)
                ]
                self._reports.grade(due, self.log.info)
        except AutograderError as error:
            self.log.error("%s", error)
            raise NbGraderException(str(error)) from error
        super().convert_notebooks()
        if self._troubles:
            # The entries are there, and wait for a person; the next run without --force tries these again.
            for trouble in self._troubles:
                self.log.error("%s", trouble)
            raise NbGraderException(f"{len(self._troubles)} submissions could not be graded")

    def init_destination(self, assignment_id: str, student_id: str) -> bool:
        """Say whether a submission is to be graded, and make room for it."""
        if self._ours is None:
            return bool(super().init_destination(assignment_id, student_id))
        target = Path(self._format_dest(assignment_id, student_id))
        if not self._is_due(self._format_source(assignment_id, student_id)):
            self.log.info("Skipping existing assignment: %s", target)
            return False
        self._former = _mark_of(target / f"{assignment_id}.ipynb")
        if target.is_symlink() or target.is_file():
            target.unlink()
        elif target.exists():
            self.log.warning("Removing existing assignment: %s", target)
            shutil.rmtree(target)
        return True

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """Enter the submission in the gradebook; nothing but its time is taken over from the student's folder."""
        if self._ours is None:
            super().init_assignment(assignment_id, student_id)
            return
        place = self._place(assignment_id, student_id)
        if not self.create_student:
            with gradebook.opened(place.db_url, place.course_id) as book:
                book.find_student(student_id)
        source = Path(self._format_source(assignment_id, student_id))
        text, moment = _timestamp(source)
        if text and moment is None:
            self.log.warning("%s of %s is no time: %s", TIMESTAMP, student_id, one_line(text))
        gradebook.enter(place, moment)
        target = Path(self._format_dest(assignment_id, student_id))
        target.mkdir(parents=True, exist_ok=True)
        if moment is not None:
            (target / TIMESTAMP).write_text(text, encoding="utf-8")

    def convert_single_notebook(self, notebook_filename: str) -> None:
        """Make the autograded notebook of a submission, record its grades, write it."""
        if self._ours is None:
            super().convert_single_notebook(notebook_filename)
            return
        resources = self.init_single_notebook_resources(notebook_filename)
        student = resources["nbgrader"]["student"]
        file = self._files[str(Path(notebook_filename).parent)]
        try:
            report = (self._reports.of if self._executes else self._reports.kept)(student, file)
            handed = handed_in(file, self._ours)
            before, now = self._former.get("answers", {}), answers(self._ours, handed, report)
            entry = gradebook.entry_of(self._ours, handed, report, lambda name: before.get(name) != now[name])
            resources[MARK] = {"place": self._place(self._ours.name, student), "entry": entry}
            self._sanitizing = False
            self._init_preprocessors()
            self.log.info("Recording %s", notebook_filename)
            made = from_dict(build(self._ours, handed, report))
            output, resources = self.exporter.from_notebook_node(made, resources)
            self.write_single_notebook(output, resources)
        except Exception as error:
            self._record_failure(student, error)
            raise
        finally:
            self._sanitizing = True
        if report.fault is not None and report.fault.whose == "grader":
            self._troubles.append(f"{student}: {report.fault.message}")

    def _init_preprocessors(self) -> None:
        """Take the steps of the configuration, except those that would run a student's code in a plain kernel."""
        super()._init_preprocessors()
        if self._ours is not None:
            # nbconvert knows no other way to take a step back.
            steps = self.exporter._preprocessors
            running = [step for step in steps if isinstance(step, ExecutePreprocessor)]
            for step in running:
                self.log.warning("%s is left out: notebooks run in the sandbox only", type(step).__name__)
                steps.remove(step)

    def _record_failure(self, student: str, error: Exception) -> None:
        """Record that a person has to look at a submission which could not be shown, for a fault of ours."""
        assert self._ours is not None
        reason = f"This submission could not be recorded ({type(error).__name__}). A person looks at it."
        # Nothing of what may just have failed is used again.
        grades = {one.id: gradebook.Verdict(None if one.manual else 0.0, waits=True) for one in self._ours.questions}
        first = [cell.grade_id for cell in self._ours.cells if cell.kind in ("answer", "remark")][:1]
        entry = gradebook.Entry(grades, dict.fromkeys(first, reason))
        gradebook.record(self._place(self._ours.name, student), entry)

    @property
    def _executes(self) -> bool:
        """Whether notebooks may be run: `--no-execute` says that they may not."""
        return bool(self.config.Execute.get("enabled", True))

    def _assignment(self) -> Assignment | None:
        """Return the assignment where hidden checks of ours belong to it."""
        root, name = Path(self.coursedir.root), self.coursedir.assignment_id
        if not (root / "tests" / name / "probes.py").is_file():
            return None
        try:
            return load(root, name)
        except AutograderError as error:
            self.log.error("%s", error)
            raise NbGraderException(str(error)) from error

    def _place(self, assignment_id: str, student_id: str) -> gradebook.Place:
        return gradebook.Place(self.coursedir.db_url, self.coursedir.course_id, assignment_id, student_id)

    def _student_of(self, folder: str) -> str:
        (notebook,) = self.assignments[folder]
        return str(self.init_single_notebook_resources(notebook)["nbgrader"]["student"])

    def _is_due(self, folder: str) -> bool:
        """Say whether a submission is to be graded: it is new, newer, asked for, or could not be graded before."""
        assert self._ours is not None
        student = self._student_of(folder)
        if student in filter(None, self.coursedir.student_id_exclude.split(",")):
            return False
        target = Path(self._format_dest(self._ours.name, student))
        notebook = target / f"{self._ours.name}.ipynb"
        if self.force or not notebook.exists() or _mark_of(notebook).get("fault") == "grader":
            return True
        new, old = _timestamp(Path(folder))[1], _timestamp(target)[1]
        return new is not None and old is not None and new > old


def _file_of(folder: Path, name: str) -> Path:
    """Return the file of a student's folder that is graded: the notebook of the right name, else what may be meant."""
    for linked in (folder.parent, folder):
        if linked.is_symlink():
            # It is the link that is refused: what lies behind it may be another student's.
            return linked
    expected = folder / f"{name}.ipynb"
    if os.path.lexists(expected):
        return expected
    try:
        found = [file for _, file in discover([folder], name, folder / "none").submissions]
    except (AutograderError, OSError, ValueError):
        found = []
    return found[0] if len(found) == 1 else expected


def _timestamp(folder: Path) -> tuple[str, datetime | None]:
    """Return the text of a folder's timestamp, and the moment that it names; nothing of what is no plain file."""
    path = folder / TIMESTAMP
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return "", None
        with path.open("rb") as stream:
            text = stream.read(TIMESTAMP_BYTES).decode("utf-8", "replace").strip()
        return text, parse_utc(text) if text else None
    except (FileNotFoundError, NotADirectoryError):
        return "", None
    except (OSError, ValueError, OverflowError, TypeError, AttributeError):
        return "?", None


def _mark_of(path: Path) -> Mapping[str, Any]:
    """Return what an autograded notebook says of its own grading; nothing where it can not be read."""
    try:
        if path.stat().st_size > AUTOGRADED_BYTES:
            return {}
        mark = json.loads(path.read_bytes()).get("metadata", {}).get(MARK, {})
    except (OSError, ValueError, AttributeError):
        return {}
    return mark if isinstance(mark, dict) else {}
