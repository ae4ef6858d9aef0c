"""The report as JUnit XML, in the form of the xunit2 schema that Jenkins and pytest use.

A suite for each question, which carries the points as properties (a single test case can not), and a case for each
check. What waits for a person is a skipped case: it is neither right nor wrong.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from autograder.report.model import Check, Question, Report
from autograder.report.text import points
from autograder.report.wording import headline, remarks


def render(report: Report) -> str:
    """Return the text of ``junit.xml``; times in seconds."""
    root = ET.Element("testsuites", name=f"{report.assignment}: {report.student}")
    whole = _suite(root, report.assignment, [], report.execution.wall_seconds)
    _properties(
        whole,
        {
            "student": report.student,
            "points": points(report.score),
            "max-points": points(report.max_score),
            "points-awaiting-review": points(report.awaiting_review),
            "status": report.status,
            "digest": report.submission.digest,
            "autograder-version": report.autograder_version,
        },
    )
    if report.fault is not None:
        _add_fault(whole, report)
    ET.SubElement(whole, "system-out").text = "\n".join([headline(report), *remarks(report)])
    for question in report.questions:
        _add_question(root, report, question)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, name: str, checks: list[Check] | tuple[Check, ...], seconds: float = 0.0) -> ET.Element:
    statuses = [check.status for check in checks]
    return ET.SubElement(
        root,
        "testsuite",
        name=name,
        tests=str(len(checks)),
        failures=str(statuses.count("failed")),
        errors="0",
        skipped=str(statuses.count("needs_review") + statuses.count("skipped")),
        time=f"{seconds:.3f}",
    )


def _properties(suite: ET.Element, values: dict[str, str]) -> None:
    properties = ET.SubElement(suite, "properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", name=name, value=value)


def _add_fault(suite: ET.Element, report: Report) -> None:
    """Add a case that fails because the submission as a whole could not be graded, or not to its end."""
    assert report.fault is not None
    case = ET.SubElement(suite, "testcase", classname=report.assignment, name="The submission runs to its end")
    ET.SubElement(case, "failure", message=report.fault.message).text = report.fault.message
    suite.set("tests", "1")
    suite.set("failures", "1")


def _add_question(root: ET.Element, report: Report, question: Question) -> None:
    suite = _suite(root, f"{report.assignment}.{question.id}", question.checks)
    _properties(
        suite,
        {
            "title": question.title,
            "points": points(question.score),
            "max-points": points(question.max_score),
            "points-awaiting-review": points(question.awaiting_review),
            "status": question.status,
        },
    )
    for check in question.checks:
        case = ET.SubElement(suite, "testcase", classname=f"{report.assignment}.{question.id}", name=check.title)
        if check.status == "failed":
            ET.SubElement(case, "failure", message=check.message, type=check.finding or "failed").text = check.message
        elif check.status != "passed":
            ET.SubElement(case, "skipped", message=check.message, type=check.status)
        elif check.message:
            ET.SubElement(case, "system-out").text = check.message
