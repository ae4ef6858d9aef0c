"""The report as the ``result.json`` of Classroom 50, in the form of its schema ``classroom50/result/v1``.

Its scores are whole numbers: ours are multiplied by two, which makes every half point a whole one; other parts of a
point, which no check gives, are rounded down. The names of the course and of the submission are those that
Classroom 50's runner puts into the environment.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from autograder.report.model import Question, Report
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
    "review": "REVIEW_URL",
}


def render(report: Report) -> str:
    """Return the text of ``result.json`` for the submission that this runner is grading now."""
    found = document(report, os.environ, datetime.now(UTC))
    return json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def document(report: Report, environment: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Return the JSON document. Raises KeyError where the environment is not that of Classroom 50."""
    names = {name: environment[variable] for name, variable in VARIABLES.items()}
    return {
        "schema": SCHEMA,
        **names,
        "datetime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": _units(report.score),
        "max-score": _units(report.max_score),
        "tests": [_test(question) for question in report.questions],
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
