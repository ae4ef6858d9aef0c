"""A plain run of pytest in a course judges the reference solution, by ``-p autograder.reference``.

The reference is executed once, as a submission would be, when the first hidden check of its assignment runs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder import assignment as assignments
from autograder.checks.plugin import SUBMISSIONS, Submission
from autograder.checks.submitted import Submitted
from autograder.grade import Grader, Settings
from autograder.store import Store
from autograder.submission.reading import read


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Execute the reference solution before the first of its hidden checks."""
    folder = _folder_of_checks(item.path)
    known = item.config.stash[SUBMISSIONS]
    if folder is not None and folder not in known:
        known[folder] = _execute(folder)


def _folder_of_checks(path: Path) -> Path | None:
    """Return tests/<assignment> for one of its files, None for a file of other tests."""
    for folder in path.parents:
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
