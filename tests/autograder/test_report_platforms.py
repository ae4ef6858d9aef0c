"""The formats that platforms read: each by the rules of its reader, which are restated here from their sources."""

from __future__ import annotations

import html
import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import report_samples as samples
from hostile_text import assert_commands_no_build, assert_inert, examples
from hypothesis import given
from markdown_it import MarkdownIt
from test_report_hostile import hostile_reports

from autograder.errors import InputError
from autograder.report import classroom50, github, gradescope, junit
from autograder.report.files import write_report
from autograder.report.formats import FORMATS, Format, parse_formats
from autograder.report.model import Report

REPORTS: dict[str, Callable[[], Report]] = {
    "complete": samples.report,
    "ungradable": samples.ungradable,
    "the grader's fault": samples.grader_fault,
    "hostile": samples.hostile,
}
EACH = pytest.mark.parametrize("report", [make() for make in REPORTS.values()], ids=list(REPORTS))

# --- Gradescope ---------------------------------------------------------------------------------------

VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
GRADESCOPE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["score", "tests"],
    "properties": {
        "score": {"type": "number", "minimum": 0},
        "execution_time": {"type": "number", "minimum": 0},
        "output": {"type": "string"},
        "output_format": FORMAT,
        "test_output_format": FORMAT,
        "test_name_format": FORMAT,
        "visibility": VISIBILITY,
        "stdout_visibility": VISIBILITY,
        "extra_data": {"type": "object"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "score": {"type": "number"},
                    "max_score": {"type": "number"},
                    "status": {"enum": ["passed", "failed"]},
                    "name": {"type": "string"},
                    "number": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)*$"},
                    "output": {"type": "string"},
                    "visibility": VISIBILITY,
                    "extra_data": {"type": "object"},
                },
            },
        },
    },
}


@EACH
def test_gradescope_reads_every_report(report: Report) -> None:
    text = gradescope.render(report)
    assert "\r" not in text
    jsonschema.validate(json.loads(text), GRADESCOPE)


def test_gradescope_shows_the_total_and_no_wait_as_a_mistake() -> None:
    document = gradescope.document(samples.report())
    assert document["score"] == 25.5
    assert document["visibility"] == "visible" and document["stdout_visibility"] == "hidden"
    # One hidden test would hide the total.
    assert {test["visibility"] for test in document["tests"]} == {"visible"}
    assert [test["number"] for test in document["tests"]] == ["1", "2", "3", "4", "5", "6"]
    scored = {test["extra_data"]["id"]: (test.get("score"), test.get("status")) for test in document["tests"]}
    assert scored == {
        "load-data": (5.0, "passed"),
        "build-encoder": (12.5, "failed"),
        "compile": (8.0, "passed"),
        "fit": (0.0, "failed"),
        "latent-space": (None, None),
        "latent-space-remark": (None, None),
    }
    assert "second convolution: 16 filters expected, 32 found" in document["tests"][1]["output"]
    assert document["output"].splitlines()[0] == "25.5 of 41 points; 7 more wait for a person."


def test_gradescope_is_told_why_nothing_was_graded() -> None:
    document = gradescope.document(samples.ungradable())
    assert document["score"] == 0 and document["tests"] == []
    assert document["output"] == "Not graded: The file is not a notebook: it ends in the middle of a string."


# --- JUnit --------------------------------------------------------------------------------------------

# The xunit2 schema: for each element its attributes (those that must stand first), and what may stand in it.
XUNIT2 = {
    "testsuites": ({}, {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url", "version", "group"},
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "properties": ({}, {}, {"property"}),
    "property": ({"name", "value"}, {}, {}),
    "testcase": ({"name"}, {"time", "classname", "group"}, {"skipped", "errors", "failure", "system-out"}),
    "skipped": ({}, {"type", "message"}, {}),
    "failure": ({}, {"type", "message"}, {}),
    "system-out": ({}, {}, {}),
}  # fmt: skip


def assert_valid(element: ET.Element) -> None:
    required, optional, children = (set(names) for names in XUNIT2[element.tag])
    assert required <= set(element.attrib) <= required | optional, element.tag
    if element.tag in ("testsuite", "testsuites") and "time" in element.attrib:
        assert re.fullmatch(r"\d+\.\d{3}", element.attrib["time"])
    for child in element:
        assert child.tag in children, (element.tag, child.tag)
        assert_valid(child)
    if element.tag == "testsuite":
        cases = element.findall("testcase")
        assert int(element.attrib["tests"]) == len(cases)
        assert int(element.attrib["failures"]) == sum(case.find("failure") is not None for case in cases)
        assert int(element.attrib["skipped"]) == sum(case.find("skipped") is not None for case in cases)


@EACH
def test_junit_is_valid_by_the_schema_of_xunit2(report: Report) -> None:
    root = ET.fromstring(junit.render(report))
    assert root.tag == "testsuites"
    assert_valid(root)


def test_junit_has_a_case_for_each_check_and_the_points_as_properties() -> None:
    root = ET.fromstring(junit.render(samples.report()))
    suites = {suite.attrib["name"]: suite for suite in root}
    encoder = suites["autoencoders.build-encoder"]
    properties = {one.attrib["name"]: one.attrib["value"] for one in encoder.iter("property")}
    assert properties["points"] == "12.5" and properties["max-points"] == "15"
    failures = [one.attrib for one in encoder.iter("failure")]
    assert failures[0]["message"] == "second convolution: 16 filters expected, 32 found"
    assert failures[1]["type"] == "third-max-pooling"
    assert suites["autoencoders.latent-space"].find("testcase/skipped") is not None
    total = {one.attrib["name"]: one.attrib["value"] for one in suites["autoencoders"].iter("property")}
    assert (total["points"], total["points-awaiting-review"]) == ("25.5", "7")


def test_junit_fails_where_the_submission_can_not_be_graded() -> None:
    root = ET.fromstring(junit.render(samples.ungradable()))
    assert [one.attrib["message"] for one in root.iter("failure")] == [
        "The file is not a notebook: it ends in the middle of a string."
    ]


# --- GitHub -------------------------------------------------------------------------------------------

ELEMENTS = {"h2", "h3", "ul", "li", "p", "table", "thead", "tbody", "tr", "th", "td", "br"}


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        assert not attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def rendered(report: Report) -> Elements:
    """Return what GitHub's Markdown makes of the summary: tables and links of bare addresses included."""
    elements = Elements()
    elements.feed(MarkdownIt("gfm-like", {"linkify": False}).render(github.render(report)))
    return elements


@EACH
def test_the_summary_is_a_table_and_nothing_of_it_is_made_by_a_submission(report: Report) -> None:
    assert rendered(report).seen <= ELEMENTS


def test_the_summary_says_what_is_right_and_what_is_wrong() -> None:
    text = html.unescape(github.render(samples.report()))
    assert "25.5 of 41 points; 7 more wait for a person." in text
    assert "| 12.5 of 15 | 🟡 partly right |" in text
    assert "second convolution: 16 filters expected, 32 found" in text
    shown = "".join(rendered(samples.report()).text)
    assert "✗ The second convolution has 16 filters of 2 by 2 and relu. (not right yet)" in shown


def test_no_person_is_mentioned_and_no_issue_linked() -> None:
    summary = github.render(samples.report(notes=("@octocat see #1 and octocat@example.org",)))
    assert "octocat" in summary
    assert not re.search(r"@|(?<!&)#\d|&#(64|35);\w", summary)


def test_a_summary_stays_below_what_github_takes() -> None:
    question = samples.questions()[1]
    check = question.checks[1].model_copy(update={"message": "ä" * 7_000})
    many = question.model_copy(update={"checks": (check,) * 400})
    summary = github.render(samples.report(questions=(many,) * 30))
    assert len(summary.encode()) < 1024 * 1024
    assert "The rest is left out here" in summary


@EACH
def test_annotations_are_commands_on_one_line_within_the_limits(report: Report) -> None:
    commands = github.annotation_commands(report)
    assert len(commands) <= 10
    for command in commands:
        assert re.fullmatch(r"::error file=[^:,\n\r]*,title=[^:,\n\r]*::[^\n\r]*", command), command


def test_an_error_is_annotated_with_its_cell() -> None:
    first, *others = github.annotation_commands(samples.report())
    assert first.startswith("::error file=submitted/Ada Lovelace/autoencoders.ipynb,title=Cell 18 (fit)::ValueError")
    assert len(others) == 3


def test_the_outputs_of_the_step_are_plain() -> None:
    expected = "score=25.5\nmax-score=41\nawaiting-review=7\nstatus=needs_review\n"
    assert github.outputs(samples.report()) == expected


# --- Classroom 50 -------------------------------------------------------------------------------------

SCORE = {"type": "integer", "minimum": 0}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
ADDRESS = {"type": "string", "pattern": "^https://"}
CLASSROOM_50 = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "schema", "classroom", "assignment", "assignment_type", "owner", "submission", "commit", "release", "review",
        "datetime", "score", "max-score", "tests",
    ],
    "properties": {
        "schema": {"const": "classroom50/result/v1"},
        "classroom": {"type": "string"},
        "assignment": {"type": "string"},
        "assignment_type": {"enum": ["individual", "group", "team"]},
        "owner": {"type": "string"},
        "submission": {"type": "string", "pattern": "^submit/"},
        "commit": ADDRESS,
        "release": ADDRESS,
        "review": ADDRESS,
        "datetime": MOMENT,
        "graded_at": MOMENT,
        "score": SCORE,
        "max-score": SCORE,
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["test-name", "passed", "score", "max-score"],
                "properties": {
                    "test-name": {"type": "string"}, "passed": {"type": "boolean"}, "score": SCORE, "max-score": SCORE,
                },
            },
        },
    },
}  # fmt: skip
NOW = datetime(2026, 11, 25, 12, 30, 5, tzinfo=UTC)


@EACH
def test_classroom50_reads_every_report(report: Report) -> None:
    document = classroom50.document(report, samples.CLASSROOM50, NOW)
    jsonschema.validate(document, CLASSROOM_50)
    assert document["score"] <= document["max-score"]


def test_classroom50_gets_half_points_as_whole_numbers() -> None:
    document = classroom50.document(samples.report(), samples.CLASSROOM50, NOW)
    assert (document["score"], document["max-score"]) == (51, 82)
    assert document["datetime"] == document["graded_at"] == "2026-11-25T12:30:05Z"
    assert [test["passed"] for test in document["tests"]] == [True, False, True, False, False, False]
    assert sum(test["score"] for test in document["tests"]) == document["score"]


def test_classroom50_is_told_when_a_submission_was_made_however_late_it_is_graded() -> None:
    tag = "submit/2026-11-20T09-05-59Z-a1b2c3d"
    document = classroom50.document(samples.report(), samples.CLASSROOM50 | {"SUBMISSION_TAG": tag}, NOW)
    assert (document["datetime"], document["graded_at"]) == ("2026-11-20T09:05:59Z", "2026-11-25T12:30:05Z")


@pytest.mark.parametrize("given", [{}, {"REVIEW_URL": ""}])
def test_classroom50_reviews_the_commit_where_there_is_nothing_to_compare_it_with(given: dict[str, str]) -> None:
    variables = {name: value for name, value in samples.CLASSROOM50.items() if name != "REVIEW_URL"} | given
    document = classroom50.document(samples.report(), variables, NOW)
    jsonschema.validate(document, CLASSROOM_50)
    assert document["review"] == variables["COMMIT_URL"]


# --- all ----------------------------------------------------------------------------------------------


@examples(60)
@given(hostile_reports())
def test_no_text_of_a_submission_acts_in_any_of_them(report: Report) -> None:
    jsonschema.validate(json.loads(gradescope.render(report)), GRADESCOPE)
    root = ET.fromstring(junit.render(report))
    assert_valid(root)
    assert rendered(report).seen <= ELEMENTS
    jsonschema.validate(classroom50.document(report, samples.CLASSROOM50, NOW), CLASSROOM_50)
    for text in (gradescope.render(report), github.render(report)):
        assert_inert(text)
    assert_commands_no_build(github.render(report))


def test_a_format_of_a_platform_is_refused_outside_of_it_before_anything_is_graded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SUBMISSION_TAG", raising=False)
    with pytest.raises(InputError, match=r"the format classroom50 needs .*SUBMISSION_TAG"):
        parse_formats("json,classroom50")
    for name, value in samples.CLASSROOM50.items():
        monkeypatch.setenv(name, value)
    assert parse_formats("json,classroom50") == ("json", "classroom50")
    jsonschema.validate(json.loads(FORMATS["classroom50"].render(samples.report())), CLASSROOM_50)


def test_the_format_of_the_manual_is_written_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "adding-a-format.md").read_text(encoding="utf-8")
    code, line = re.findall(r"<!-- \w+: begin -->\n```python\n(.*?)```\n", page, re.DOTALL)
    module = ModuleType("autograder.report.lines")
    exec(code, vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    ((name, about),) = eval("{" + line + "}", {"Format": Format}).items()
    monkeypatch.setitem(FORMATS, name, about)
    write_report(tmp_path, samples.report(), parse_formats("json,lines"))
    lines = (tmp_path / "lines.txt").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "build-encoder: 12.5 of 15" and lines[-1] == "latent-space-remark: 0 of 3, 3 waiting"
