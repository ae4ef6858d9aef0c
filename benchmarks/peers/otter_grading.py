"""Grade submissions with stock otter, in one process; run by the peers' own Python.

Reads one JSON object from its input: ``course`` (a folder that holds ``tests`` and ``submitted``), and ``students``.
Prints a line of JSON for each student: the points by question, as otter's results give them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Make the autograder's zip if that was not done, and grade each student."""
    task = json.load(sys.stdin)
    root = Path(task["course"])
    from otter.api import grade_submission
    from otter.generate import main as generate

    archive = root / "autograder.zip"
    # What otter and the notebooks print must not come between the lines of results.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if not archive.exists():
        os.chdir(root)
        generate(tests_dir=str(root / "tests"), output_path=str(archive), no_environment=True)
    print(json.dumps({"ready": True}), file=results, flush=True)
    for student in task["students"]:
        (file,) = (root / "submitted" / student).iterdir()
        points, trouble = {}, ""
        try:
            graded = grade_submission(str(file), str(archive), quiet=True)
            points = {name: float(test.score) for name, test in graded.results.items()}
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}".strip().splitlines()[-1]
        print(json.dumps({"student": student, "points": points, "trouble": trouble}), file=results, flush=True)


if __name__ == "__main__":
    main()
