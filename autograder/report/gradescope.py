"""The report as Gradescope's ``results.json``.

Source: Gradescope's documentation of autograders, "Output format". All texts have the format "text", in which
nothing acts; no test is hidden, because one hidden test would hide the student's total.
"""

from __future__ import annotations

import json
from typing import Any

from autograder.report.model import Question, Report
from autograder.report.wording import check_lines, headline, question_points, remarks


def render(report: Report) -> str:
    """Return the text of ``results.json``: the score in points, seconds as a number, a test for each question."""
    return json.dumps(document(report), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def document(report: Report) -> dict[str, Any]:
    """Return the JSON document of ``results.json``."""
    execution = report.execution
    return {
        "score": report.score,
        "execution_time": execution.wall_seconds,
        "output": "\n".join([headline(report), *remarks(report)]),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [_test(number, question) for number, question in enumerate(report.questions, start=1)],
        "extra_data": {
            "autograder_version": report.autograder_version,
            "awaiting_review": report.awaiting_review,
            "digest": report.submission.digest,
            "findings": list(report.findings),
            "isolation": execution.isolation,
            "status": report.status,
        },
    }


def _test(number: int, question: Question) -> dict[str, Any]:
    """Return one question. The numbers are places in the assignment, so that they never change between students."""
    test = {
        "number": str(number),
        "name": question.title,
        "score": question.score,
        "max_score": question.max_score,
        "status": "passed" if question.status == "passed" else "failed",
        "output": "\n".join(check_lines(question)),
        "visibility": "visible",
        "extra_data": {"id": question.id, "status": question.status},
    }
    if question.awaiting_review:
        # Gradescope knows passed and failed only: what waits must not look like a mistake.
        test["name"] = f"{question.title} (waits for a person: {question_points(question)})"
        del test["status"]
        if not question.score:
            del test["score"]
    return test
