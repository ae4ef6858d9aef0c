"""A class whose names, files and messages are hostile, graded by the real command line: what it prints and writes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import BLANK, autograder
from hostile_text import assert_commands_no_build, assert_inert
from test_report_hostile import assert_sound, strings

NAMES = (
    "::error::name", "  ::add-mask::name", "\t::stop-commands::name", "##[error]name", "##vso[task.complete]name",
    "two\n::error::lines", "two\r##[group]lines", "\x1b[31m\x1b]0;title\x07red", "\u202egnp.exe", "=1+1", "@SUM(1)",
    "ada;=1+1", "<script>alert(1)</script>", "javascript:alert(1)", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}",
    "-rf", "--out", "summary.json", "\x85::error::next", "\u2028::error::next", "\xa0::error::space",
)  # fmt: skip
# One is no text in any encoding that is in use.
FOLDERS = (*(name.replace("/", "%") for name in NAMES), os.fsdecode(b"\xff\xfe::error::bytes"))
MESSAGE = "first\n::error::second\r\n  ::add-mask::third\n##[error]fourth\x1b[31m\u202e<script>alert(1)</script>"
RAISING = f"def build_encoder(latent_dimension):\n    raise ValueError({MESSAGE!r})\nbuild_encoder(2)\n"


@dataclass(frozen=True)
class Printed:
    """One command that was run to its end, and where its results are."""

    done: subprocess.CompletedProcess[str]
    out: Path
    cache: Path


def raising(path: Path) -> Path:
    """The blank notebook in which one answer raises a hostile message."""
    document = json.loads(BLANK.read_text(encoding="utf-8"))
    for cell in document["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "build-encoder-answer":
            cell["source"] = RAISING
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Printed:
    folder = tmp_path_factory.mktemp("class")
    for name in FOLDERS:
        home = folder / "submitted" / name / "autoencoders"
        home.mkdir(parents=True)
        (home / "autoencoders.ipynb").write_text('{"cells": [')
    raising(folder / "submitted" / "\n::error::raises.ipynb")
    result = autograder("grade", folder / "submitted", "--out", folder / "out", cache=folder / "cache")
    return Printed(result, folder / "out", folder / "cache")


def test_everybody_has_a_report_whatever_the_name(graded: Printed) -> None:
    assert graded.done.returncode == 2, graded.done.stderr
    assert len(list(graded.out.glob("*/report.json"))) == len(FOLDERS) + 1
    summary = json.loads((graded.out / "summary.json").read_bytes())
    assert len(summary["students"]) == len(FOLDERS) + 1
    assert sum("ValueError" in path.read_text() for path in graded.out.glob("*/report.json")) == 1


def test_what_is_printed_is_plain_lines_that_command_no_build(graded: Printed) -> None:
    assert "꞉:error::name" in graded.done.stdout and "] ::error::name: not gradable" in graded.done.stderr
    assert "##(error]name" in graded.done.stdout and "##(error]name" in graded.done.stderr
    for printed in (graded.done.stdout, graded.done.stderr):
        assert_inert(printed)
        assert_commands_no_build(printed)


def test_what_is_written_does_not_act(graded: Printed) -> None:
    pages = [*graded.out.glob("index.html"), *graded.out.glob("*/index.html")]
    assert len(pages) == len(FOLDERS) + 2
    for page in pages:
        assert_sound(page.read_text(encoding="utf-8"))
    for document in (graded.out / "summary.json", *graded.out.glob("*/report.json")):
        for text in strings(json.loads(document.read_bytes())):
            assert_inert(text)
    with (graded.out / "scores.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(FOLDERS) + 1
    assert not [row for row in rows if row["student"].startswith(("=", "+", "-", "@")) or ";=" in row["student"]]


def test_folders_of_results_are_plain_names(graded: Printed) -> None:
    for folder in graded.out.iterdir():
        assert folder.name.isprintable() and not folder.name.startswith(("-", ".")), ascii(folder.name)


def test_messages_of_a_notebook_that_is_checked_command_no_build(graded: Printed, tmp_path: Path) -> None:
    result = autograder("check", raising(tmp_path / "::error::x.ipynb"), cache=graded.cache)
    assert result.returncode == 1, result.stderr
    assert "second" in result.stdout and "third" in result.stdout and "fourth" in result.stdout
    assert_inert(result.stdout)
    assert_commands_no_build(result.stdout)


def test_arguments_that_a_shell_made_of_file_names_command_no_build(graded: Printed, tmp_path: Path) -> None:
    for name in ("-x\n::error::y.ipynb", "--x\n##[error]y.ipynb", "x\n::error::y.ipynb", "##[error]y.ipynb"):
        (tmp_path / name).write_text("{")
        for arguments in (("grade", name), ("check", name)):
            result = autograder(*arguments, "--out", tmp_path / "out", cache=graded.cache)
            assert result.returncode == 2
            assert_inert(result.stderr)
            assert_commands_no_build(result.stdout + result.stderr)
