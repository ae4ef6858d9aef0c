"""The report as the ``result.json`` of Classroom 50, in the form of its schema ``classroom50/result/v1``.

Its scores are whole numbers: ours are multiplied by two, which makes every half point a whole one; other parts of a
point, which no check gives, are rounded down, question by question, so that the score is the sum of the tests. The
names of the course and of the submission are those that Classroom 50's runner puts into the environment.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from autograder.report.model import Question, Report
from autograder.report.text import timestamp
from autograder.report.wording import check_lines

SCHEMA = "classroom50/result/v1"
UNITS_A_POINT = 2
VARIABLES = {
    "classroom": "CLASSROOM",
    "assignment": "ASSIGNMENT",
    "assignment_type": "ASSIGNMENT_TYPE",
    "owner": "USERNAME",
    "submission": "SUBMISSION_TAG",
    "commit": "COMMIT_URL",
    "release": "RELEASE_URL",
}
# A submission's tag tells when it was made: submit/2026-06-01T14-32-05Z-a1b2c3d.
_MADE = re.compile(r"submit/(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d)Z\b")


def render(report: Report) -> str:
    """Return the text of ``result.json`` for the submission that this runner is grading now."""
    found = document(report, os.environ, datetime.now(UTC))
    return json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def document(report: Report, environment: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Return the JSON document. Raises KeyError where the environment is not that of Classroom 50."""
    names = {name: environment[variable] for name, variable in VARIABLES.items()}
    tests = [_test(question) for question in report.questions]
    graded_at = timestamp(now)
    made = _MADE.match(names["submission"])
    return {
        "schema": SCHEMA,
        **names,
        # A submission that is the first one has nothing to be compared with.
        "review": environment.get("REVIEW_URL") or names["commit"],
        # Grading again makes nobody late.
        "datetime": f"{made[1]}{made[2]}:{made[3]}:{made[4]}Z" if made else graded_at,
        "graded_at": graded_at,
        "score": sum(test["score"] for test in tests),
        "max-score": _units(report.max_score),
        "tests": tests,
    }


def _test(question: Question) -> dict[str, Any]:
    return {
        "test-name": question.title,
        "passed": question.status == "passed",
        "score": _units(question.score),
        "max-score": _units(question.max_score),
        "hint": "\n".join(check_lines(question)),
        "awaiting-review": _units(question.awaiting_review),
    }


def _units(value: float) -> int:
    return int(value * UNITS_A_POINT + 1e-9)
