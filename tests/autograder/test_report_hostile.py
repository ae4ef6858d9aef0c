"""Every renderer, with reports in which every text is hostile: what it writes is well formed and does not act."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator

import pytest
import report_samples as samples
from hostile_text import TEXTS, assert_commands_no_build, assert_inert, examples
from hypothesis import given
from hypothesis import strategies as st
from test_report_html import OUR_ATTRIBUTES, OUR_ELEMENTS, OUR_PICTURES, OUR_SCRIPT

from autograder.progress import Progress
from autograder.report import text
from autograder.report.formats import render_json
from autograder.report.html import render_class, render_student
from autograder.report.model import Report
from autograder.report.summary import Summary, render_csv, row_of, summarise
from autograder.report.summary import render_json as render_summary
from autograder.report.table import render_table

NUMBERS = st.floats(-1e12, 1e12)
POINTS = st.floats(0, 1e6) | st.just(0.0)
TAG = r"<(?P<name>[a-z][a-z0-9]*)(?P<attributes>(?: [A-Za-z-]+(?:=\"[^\"<>]*\")?)*)(?P<empty>/?)>"
TOKEN = re.compile(rf"<!DOCTYPE html>|</(?P<end>[a-z0-9]+)>|{TAG}|(?P<text>[^<>]+)")
WITHOUT_END = {"meta", "img", "input"}


def layers_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, object]]]:
    sizes = st.none() | st.integers(0, 10**9)
    shapes = st.none() | st.lists(st.integers(0, 10**6), max_size=3)
    return st.lists(
        st.fixed_dictionaries(
            {
                "status": st.sampled_from(["as stated", "different", "elsewhere", "missing", "extra"]),
                "name": texts, "asked": texts, "found": texts, "difference": texts,
                "output": shapes, "parameters": sizes, "stated_output": shapes, "stated_parameters": sizes,
            }
        ),
        max_size=2,
    )  # fmt: skip


@st.composite
def hostile_reports(draw: st.DrawFn) -> Report:
    """A report of any shape, in which every text comes from a student."""
    pool = draw(st.lists(TEXTS, min_size=1, max_size=4))
    texts = st.sampled_from(pool)
    statuses = st.sampled_from(["passed", "failed", "needs_review", "skipped"])
    checks = st.fixed_dictionaries(
        {"id": texts, "title": texts, "status": statuses, "message": texts, "finding": st.none() | texts}
    )
    questions = st.fixed_dictionaries(
        {
            "id": texts,
            "title": texts,
            "score": POINTS,
            "max_score": POINTS,
            "awaiting_review": POINTS,
            "status": statuses | st.just("partial"),
            "checks": st.lists(checks, max_size=3),
        }
    )
    cells = st.fixed_dictionaries(
        {
            "index": st.integers(0, 3000),
            "question": st.none() | texts,
            "status": st.sampled_from(["ok", "error", "timeout", "skipped"]),
            "error": st.none() | texts,
            "line": st.none() | st.integers(0, 99),
            "traceback": texts,
        }
    )
    shown = st.fixed_dictionaries(
        {
            "architectures": st.lists(
                st.fixed_dictionaries(
                    {"name": texts, "question": texts, "digest": texts, "remark": texts, "layers": layers_of(texts)}
                ),
                max_size=2,
            ),
            "trainings": st.lists(
                st.fixed_dictionaries(
                    {
                        "question": texts, "title": texts, "measure": texts, "error": st.none() | POINTS,
                        "remark": texts,
                        "baselines": st.lists(st.fixed_dictionaries({"name": texts, "value": NUMBERS}), max_size=2),
                        "strips": st.lists(
                            st.fixed_dictionaries({"name": texts, "picture": st.just(samples.PIXEL)}), max_size=2
                        ),
                    }
                ),
                max_size=1,
            ),
            "curves": st.lists(
                st.fixed_dictionaries(
                    {
                        "question": texts, "title": texts, "x_label": texts, "y_label": texts, "remark": texts,
                        "points": st.lists(st.tuples(NUMBERS, NUMBERS), max_size=5),
                    }
                ),
                max_size=2,
            ),
        }
    )  # fmt: skip
    faults = st.none() | st.fixed_dictionaries({"whose": st.sampled_from(["student", "grader"]), "message": texts})
    return Report.model_validate(
        {
            "assignment": draw(texts),
            "student": draw(texts),
            "submission": {"file": draw(texts), "digest": draw(texts)},
            "score": draw(st.floats(0, 20)),
            "max_score": 41.0,
            "awaiting_review": draw(st.floats(0, 20)),
            "status": draw(st.sampled_from(["graded", "needs_review", "ungradable"])),
            "questions": draw(st.lists(questions, max_size=3)),
            "findings": draw(st.lists(texts, max_size=3)),
            "notes": draw(st.lists(texts, max_size=3)),
            "cells": draw(st.lists(cells, max_size=3)),
            "execution": {
                "isolation": draw(st.sampled_from(["namespaces", "none"])),
                "training": "record",
                "cpu_seconds": draw(POINTS),
                "key": draw(texts),
            },
            **draw(shown),
            "fault": draw(faults),
            "autograder_version": draw(texts),
        }
    )


CLASSES = st.lists(hostile_reports(), min_size=1, max_size=3)


def class_of(reports: list[Report]) -> Summary:
    rows = [row_of(report, text.folder_name(report.student)) for report in reports]
    return summarise(samples.assignment(), rows, len(rows))


def strings(value: object) -> Iterator[str]:
    """Every text in a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (part for item in value.items() for child in item for part in strings(child))
    elif isinstance(value, list):
        yield from (part for child in value for part in strings(child))


def assert_sound(page: str) -> None:
    """A page is well formed, holds our own elements alone, and can neither act nor ask anybody for anything."""
    page.encode()
    assert_inert(page)
    head, style, rest = re.fullmatch(r"(.*<style>)([^<]*)(</style>.*)", page, re.DOTALL).groups()
    assert head.index("default-src 'none'") < len(head) and "url(" not in style and "@import" not in style
    position, around = 0, list[str]()
    # Only the page of a class has a script, and only this one.
    rest, count = rest.replace(f"<script>{OUR_SCRIPT}</script>", ""), rest.count("<script>")
    assert count == ("script-src" in head)
    markup = head + rest
    while position < len(markup):
        token = TOKEN.match(markup, position)
        assert token is not None, markup[position : position + 80]
        position = token.end()
        if token["text"]:
            assert not re.search(r"&(?!amp;|lt;|gt;|#3[49];)", token["text"]), token["text"]
        elif token["end"]:
            assert around.pop() == token["end"]
        elif token["name"]:
            assert token["name"] in OUR_ELEMENTS
            for name, value in re.findall(r" ([A-Za-z-]+)(?:=\"([^\"]*)\")?", token["attributes"]):
                assert name.lower() in OUR_ATTRIBUTES
                assert name != "href" or re.fullmatch(r"[\w%.~-]+/index\.html(#q\d+)?", value), value
                assert name != "src" or re.fullmatch(OUR_PICTURES, value), value
            assert token["name"] != "script"
            if not token["empty"] and token["name"] not in WITHOUT_END:
                around.append(token["name"])
    assert around == []


@examples(60)
@given(hostile_reports())
def test_the_page_of_any_report_is_well_formed_and_nothing_in_it_acts(report: Report) -> None:
    assert_sound(render_student(report))


@examples(40)
@given(CLASSES)
def test_the_page_of_any_class_is_well_formed_and_nothing_in_it_acts(reports: list[Report]) -> None:
    assert_sound(render_class(class_of(reports), "index.html"))


@examples(60)
@given(CLASSES)
def test_the_json_of_any_report_is_strict_and_reads_back_the_same(reports: list[Report]) -> None:
    summary = class_of(reports)
    for model, written in ((summary, render_summary(summary)), *((report, render_json(report)) for report in reports)):
        assert type(model).model_validate_json(written.encode()) == model
        for part in strings(json.loads(written, parse_constant=str)):
            assert part not in ("NaN", "Infinity", "-Infinity")
            assert_inert(part)
            assert len(part) <= text.TEXT_LIMIT


@examples(60)
@given(CLASSES)
def test_the_scores_of_any_class_are_rows_in_which_no_cell_is_a_formula(reports: list[Report]) -> None:
    summary = class_of(reports)
    written = render_csv(summary)
    header, *rows = csv.reader(io.StringIO(written), strict=True)
    assert len(rows) == len(reports) and {len(row) for row in rows} == {len(header)}
    for cell in (cell for row in rows for cell in row):
        assert_inert(cell)
        for part in cell.split(";"):
            assert not is_formula(part), cell
    assert len(written.splitlines()) == len(reports) + 1


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may compute a cell, once what it does not show is left out."""
    seen = [sign for sign in cell if not sign.isspace() and unicodedata.category(sign) != "Cf" and sign not in '"`']
    return bool(seen) and unicodedata.normalize("NFKC", seen[0])[:1] in ("=", "+", "-", "@", "\u2212")


@examples(60)
@given(CLASSES, st.integers(40, 200))
def test_what_a_batch_prints_is_plain_lines_that_command_nobody(reports: list[Report], columns: int) -> None:
    table = text.without_commands(render_table(class_of(reports), columns))
    assert len(table.splitlines()) == len(reports) + 4
    stream = io.StringIO()
    progress = Progress(stream, total=len(reports))
    for report in reports:
        progress.retried(report.student, report.student)
        progress.finished(row_of(report, "folder"))
    assert len(stream.getvalue().splitlines()) == 2 * len(reports)
    for printed in (table, stream.getvalue()):
        assert_inert(printed)
        assert_commands_no_build(printed)


@examples(200)
@given(TEXTS)
def test_no_text_commands_a_build_and_taking_the_commands_out_changes_no_width(value: str) -> None:
    cleaned = text.clean(value)
    inert = text.without_commands(cleaned)
    assert_commands_no_build(inert)
    assert text.width(inert) == text.width(cleaned) and text.without_commands(inert) == inert


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", ["\x9d", "\x90", "\x1b]", "\x1b]0;", "\x1b[", "\x9b0", "\x9b ", "\x1b", "\x1b "])
def test_texts_of_half_begun_terminal_sequences_are_cleaned_in_linear_time(unit: str) -> None:
    """As many steps as signs: the square of them would take minutes."""
    text.clean(unit * 200_000, 200_000)
