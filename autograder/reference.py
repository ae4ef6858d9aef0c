"""A plain run of pytest in a course judges the reference solution, by ``-p autograder.reference``.

The reference is executed once, as a submission would be, when the first hidden check of its assignment runs.
The files of two assignments may have the same names, as they may when submissions are graded.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType

import pytest

from autograder import assignment as assignments
from autograder.checks.plugin import SUBMISSIONS, Submission
from autograder.checks.session import modules_of
from autograder.checks.submitted import Submitted
from autograder.grade import Grader, Settings
from autograder.store import Store
from autograder.submission.reading import read


class Modules:
    """The modules of the hidden checks that can be imported now: those of one assignment at a time."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._kept: dict[Path, dict[str, ModuleType]] = {}

    def enter(self, folder: Path | None) -> None:
        """Put the modules of another assignment's checks aside, and this one's back; None changes nothing."""
        if folder is None or folder == self._folder:
            return
        if self._folder is not None:
            self._kept[self._folder] = {name: sys.modules.pop(name) for name in modules_of(self._folder)}
        sys.modules.update(self._kept.pop(folder, {}))
        # pytest has put each folder in front when it came to it, and comes to each but once.
        sys.path[:] = [str(folder), *(path for path in sys.path if path != str(folder))]
        self._folder = folder


_MODULES = pytest.StashKey[Modules]()


def pytest_configure(config: pytest.Config) -> None:
    """Make room for what one run knows."""
    config.stash[_MODULES] = Modules()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let a folder of hidden checks import its own modules while it is collected."""
    collector.config.stash[_MODULES].enter(_folder_of_checks(collector.path))
    return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Execute the reference solution before the first of its hidden checks."""
    folder = _folder_of_checks(item.path)
    item.config.stash[_MODULES].enter(folder)
    known = item.config.stash[SUBMISSIONS]
    if folder is not None and folder not in known:
        known[folder] = _execute(folder)


def _folder_of_checks(path: Path) -> Path | None:
    """Return tests/<assignment> for it or one of its files, None for other tests."""
    for folder in (path, *path.parents):
        if folder.parent.name == "tests" and (folder.parents[1] / "source" / folder.name).is_dir():
            return folder
    return None


def _execute(folder: Path) -> Submission:
    """Run the reference solution, which stands in the source notebook."""
    assignment = assignments.load(folder.parents[1], folder.name)
    solution = read(assignment.source, assignment)
    with Grader(assignment, Settings()) as grader:
        evidence = grader.execute(solution).evidence
    return Submission(assignment, Submitted(evidence, solution.cells), Store())
