"""Grade submissions with stock nbgrader, in one process; run by the peers' own Python.

Reads one JSON object from its input: ``course`` (a folder that holds ``source/peers`` and ``submitted``), and
``students``. Prints a line of JSON for each student: the points by question, read from the gradebook.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ASSIGNMENT = "peers"
CELL_WALL_SECONDS = 3600  # the stock value is 30: an instructor of such a course raises it


def main() -> None:
    """Release the assignment if that was not done, and grade each student."""
    task = json.load(sys.stdin)
    root = Path(task["course"])
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    config = Config()
    config.CourseDirectory.root = str(root)
    config.Execute.timeout = CELL_WALL_SECONDS
    config.OverwriteCells.add_missing_cells = True
    api = NbGraderAPI(config=config)
    if not (root / "release" / ASSIGNMENT).exists():
        done = api.generate_assignment(ASSIGNMENT)
        if not done["success"]:
            raise SystemExit(f"the assignment can not be released:\n{done.get('error')}\n{done.get('log')}")
    print(json.dumps({"ready": True}), flush=True)
    for student in task["students"]:
        done = api.autograde(ASSIGNMENT, student)
        trouble = "" if done["success"] else _last_line(done)
        print(json.dumps({"student": student, "points": _points(api, student), "trouble": trouble}), flush=True)


def _points(api: Any, student: str) -> dict[str, float]:
    from nbgrader.api import MissingEntry

    try:
        with api.gradebook as gradebook:
            submission = gradebook.find_submission(ASSIGNMENT, student)
            return {
                grade.name: float(grade.auto_score or 0)
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
    except MissingEntry:
        return {}


def _last_line(done: dict[str, Any]) -> str:
    lines = (done.get("error") or done.get("log") or "no reason is given").strip().splitlines()
    return str(lines[-1])


if __name__ == "__main__":
    main()
