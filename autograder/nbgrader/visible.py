"""Run a notebook in the sandbox and tell how its visible checks ended, as JSON: for `nbgrader validate`.

    python -m autograder.nbgrader.visible NOTEBOOK COURSE ASSIGNMENT ISOLATION

Training is recorded and not performed, so that this takes seconds where the notebook takes an hour.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from autograder.assignment import load
from autograder.errors import AutograderError
from autograder.grade import Grader, Settings
from autograder.submission.reading import read


def main() -> int:
    """Print ``{question: error}`` for each visible check, with an empty error where it passed."""
    file, course, name, isolation = sys.argv[1:]
    try:
        with Grader(load(Path(course), name), Settings(isolation=isolation)) as grader:
            submission = read(Path(file), grader.assignment)
            execution = grader.execute(submission)
    except AutograderError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    ended = {outcome.index: outcome for outcome in execution.evidence.cells}
    told = {}
    for cell in submission.cells:
        if cell.kind == "sanity":
            outcome = ended.get(cell.index)
            if outcome is None:
                told[cell.question] = execution.trouble or "This check was not reached."
            else:
                told[cell.question] = f"{outcome.error.type}: {outcome.error.message}" if outcome.error else ""
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
