"""The example class, graded by the real command line: each submission gets what its one difference deserves."""

from __future__ import annotations

import filecmp
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from example_class import Graded

COURSE = Path(__file__).resolve().parents[2]
RIGHT = ["ada-reference", "bo-functional", "chen-same-padding", "dina-add-and-huge-sweep", "quin-colab-export"]
SINGLE_MISTAKES = {
    "elif-third-pooling": {"build-encoder/nothing-beyond-encoder"},
    "farid-wrong-filters": {"build-encoder/second-convolution"},
    "gita-labels-as-target": {"fit/the-same-images-as-target"},
    "hugo-fixed-dimension": {"build-encoder/latent-dimension-of-encoder"},
    "jonas-one-model": {"best-latent-dimension/a-fresh-model-for-each"},
    "liam-endless-loop": {"plot-digits/images-of-the-data"},
}
Reports = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def graded(example_class: Graded) -> tuple[subprocess.CompletedProcess[str], Path]:
    return example_class.done, example_class.out


@pytest.fixture(scope="module")
def reports(graded: tuple[subprocess.CompletedProcess[str], Path]) -> Reports:
    done, out = graded
    found = {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/report.json")}
    assert found, done.stderr
    return found


def failed(report: dict[str, Any]) -> set[str]:
    checks = [check for question in report["questions"] for check in question["checks"]]
    return {check["id"] for check in checks if check["status"] == "failed"}


def test_the_committed_examples_are_what_the_script_writes(tmp_path):
    subprocess.run(
        [sys.executable, "examples/make_examples.py", "--out", str(tmp_path)],
        cwd=COURSE, check=True, capture_output=True,
    )  # fmt: skip
    comparison = filecmp.dircmp(tmp_path, COURSE / "examples" / "submitted")
    assert not comparison.left_only and not comparison.right_only
    for written in tmp_path.rglob("autoencoders.*"):
        committed = COURSE / "examples" / "submitted" / written.relative_to(tmp_path)
        assert written.read_bytes() == committed.read_bytes(), f"{written.name}: run make examples"


def test_the_whole_class_is_graded_and_the_table_names_everyone(graded, reports):
    done, out = graded
    students = {path.name for path in (COURSE / "examples" / "submitted").iterdir()}
    assert done.returncode == 0, done.stderr
    assert set(reports) == students
    assert all(student in done.stdout for student in students)
    for name in ("summary.json", "scores.csv", "index.html"):
        assert (out / name).stat().st_size > 0


@pytest.mark.parametrize("student", RIGHT)
def test_a_right_submission_gets_every_machine_point(reports, student):
    report = reports[student]
    assert (report["score"], report["awaiting_review"], report["max_score"]) == (91.0, 9.0, 100.0)
    assert report["status"] == "graded"
    assert report["execution"]["isolation"] == "namespaces"


@pytest.mark.parametrize(("student", "expected"), SINGLE_MISTAKES.items())
def test_a_single_mistake_fails_its_own_check_alone(reports, student, expected):
    report = reports[student]
    assert failed(report) == expected
    assert report["awaiting_review"] == 9.0
    assert report["score"] < 91


def test_a_wrong_loss_costs_the_points_of_the_compilation_only(reports):
    report = reports["ines-wrong-loss"]
    assert failed(report) == {"compile/loss-compares-pixels"}
    assert (report["score"], report["awaiting_review"]) == (83.0, 9.0)
    assert report["findings"] == ["classification-loss"]


def test_a_syntax_error_costs_its_own_cell_only(reports):
    report = reports["kira-syntax-error"]
    assert {check.split("/")[0] for check in failed(report)} == {"noisy-images"}
    assert any("SyntaxError" in (cell["error"] or "") for cell in report["cells"])


def test_an_endless_loop_is_stopped_and_said_so(reports):
    cells = [cell for cell in reports["liam-endless-loop"]["cells"] if cell["question"] == "plot-digits"]
    assert [cell["status"] for cell in cells] == ["timeout"]


def test_a_dead_process_loses_nothing_but_its_own_cell(reports):
    report = reports["mona-dead-kernel"]
    assert report["execution"]["salvaged"]
    assert report["fault"]["whose"] == "student"
    assert "signal 11" in report["fault"]["message"]
    assert {check.split("/")[0] for check in failed(report)} <= {"latent-space"}
    assert report["score"] + report["awaiting_review"] >= 96


def test_a_blank_notebook_earns_nothing_and_waits_for_nobody(reports):
    report = reports["noor-blank"]
    assert report["score"] == 0
    assert all(question["status"] == "failed" for question in report["questions"] if question["checks"])
    assert not any("Traceback" in check["message"] for q in report["questions"] for check in q["checks"])


def test_patched_comparisons_and_lying_models_earn_nothing(reports):
    report = reports["omar-patches-everything"]
    scores = {question["id"]: question["score"] for question in report["questions"]}
    assert not any(scores[question] for question in ("build-encoder", "encoder-size", "autoencoder", "denoising-error"))
    # The class is called Dense, but it is not Keras's: whether it may stand for it, a person decides.
    assert report["status"] == "needs_review"
    assert report["score"] <= 40


def test_forged_results_earn_nothing_and_hidden_files_are_not_there(reports, graded):
    report = reports["pia-forges-results"]
    assert report["score"] <= 40
    assert all(question["score"] == 0 for question in report["questions"] if question["id"] == "build-encoder")
    assert "test_encoder" not in json.dumps(report)


def test_every_page_shows_names_and_no_script_but_our_own_on_the_page_of_the_class(graded):
    _, out = graded
    for page in out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "Content-Security-Policy" in text
        assert text.count("<script") == (page.parent == out)
        script = (COURSE / "autograder" / "report" / "class.js").read_text(encoding="utf-8")
        assert page.parent != out or f"<script>{script}</script>" in text


def test_the_readme_shows_this_very_table(graded):
    done, _ = graded
    readme = (COURSE / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("<!-- examples: begin -->")[2].partition("<!-- examples: end -->")[0]
    rows = [line for line in done.stdout.splitlines() if " / 100" in line]
    assert len(rows) == len(list((COURSE / "examples" / "submitted").iterdir()))
    beginning = len("mona-dead-kernel           87 / 100          9  graded      ")
    for row in rows:
        assert row[:beginning].rstrip() in shown, f"README.md does not show: {row}"
