"""The report itself: its published schema, and what it refuses."""

import json
import math
from pathlib import Path

import jsonschema
import pytest
import report_samples as samples
from pydantic import ValidationError

from autograder.report.formats import render_json
from autograder.report.model import Check, Execution, Report
from autograder.report.schema import SCHEMAS, schema_text
from autograder.report.summary import render_json as render_summary_json
from autograder.report.summary import row_of, summarise

DOCS = Path(__file__).parents[2] / "docs"
SAMPLES = [samples.report(), samples.ungradable(), samples.grader_fault(), samples.hostile()]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_the_models_own(name: str) -> None:
    published = (DOCS / name).read_text(encoding="utf-8")
    assert published == schema_text(SCHEMAS[name]), "run: python -m autograder.report.schema"


@pytest.mark.parametrize("report", SAMPLES)
def test_a_written_report_fits_the_published_schema(report: Report) -> None:
    schema = json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8"))
    document = strict_json(render_json(report))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["schema_version"] == 1


def test_a_written_summary_fits_the_published_schema() -> None:
    schema = json.loads((DOCS / "summary.schema.json").read_text(encoding="utf-8"))
    summary = summarise(samples.assignment(), [row_of(report, "folder") for report in SAMPLES], 9)
    jsonschema.Draft202012Validator(schema).validate(strict_json(render_summary_json(summary)))


@pytest.mark.parametrize("report", SAMPLES)
def test_a_report_is_read_back_as_it_was_written(report: Report) -> None:
    assert Report.model_validate_json(render_json(report)) == report


def test_every_field_that_the_design_names_is_there() -> None:
    document = strict_json(render_json(samples.report()))
    assert set(document) >= {
        "schema_version", "assignment", "student", "submission", "score", "max_score", "awaiting_review", "status",
        "questions", "findings", "cells", "execution", "fault", "autograder_version",
    }  # fmt: skip
    assert set(document["questions"][0]) >= {"id", "title", "score", "max_score", "status", "checks"}
    assert set(document["questions"][0]["checks"][0]) == {
        "id",
        "title",
        "status",
        "weight",
        "message",
        "finding",
    }
    assert set(document["cells"][0]) == {
        "index", "question", "status", "cpu_seconds", "error", "line", "traceback",
    }  # fmt: skip
    assert set(document["execution"]) >= {
        "isolation", "training", "salvaged", "cpu_seconds", "wall_seconds", "peak_memory_bytes", "from_cache",
    }  # fmt: skip


@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0])
def test_a_number_that_json_can_not_hold_is_refused(number: float) -> None:
    with pytest.raises(ValidationError):
        samples.report(score=number)
    with pytest.raises(ValidationError):
        Execution(isolation="none", training="record", cpu_seconds=number)
    with pytest.raises(ValidationError):
        Check(id="a", title="a", status="passed", weight=number)


def test_more_points_than_there_are_is_refused() -> None:
    samples.report(score=34.0, awaiting_review=7.0)
    with pytest.raises(ValidationError, match="exceed"):
        samples.report(score=34.5, awaiting_review=7.0)


def test_hostile_text_is_cleaned_as_it_enters() -> None:
    text = render_json(samples.hostile())
    for forbidden in ("\\u001b", "\\u0000", "\\ud800", "\u202e", "\u2066"):
        assert forbidden not in text
    text.encode("utf-8")


def strict_json(text: str) -> dict:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)
