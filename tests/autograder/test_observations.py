"""What is said of a notebook as a whole: found in those that are so, and in no other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from autograder import assignment as assignments
from autograder.evidence import CellOutcome, Evidence, OutputText
from autograder.observations import SENTENCES, observe
from autograder.submission.notebook import totals
from autograder.submission.reading import read

ROOT = Path(__file__).resolve().parents[2]
COURSE = assignments.load(ROOT, "autoencoders")
SUMMARY = " Total params: 4,250 (16.60 KB)\n Trainable params: 4,250 (16.60 KB)\n"
STYLED = "\x1b[1m Total params: \x1b[0m\x1b[38;5;34m4,250\x1b[0m (16.60 KB)"


def notebook(tmp_path: Path, folder: str = "solutions", **changed: object) -> Path:
    """Write the reference, or the release, with another output of the cell that shows the encoder's size."""
    document = json.loads((ROOT / folder / "autoencoders" / "autoencoders.ipynb").read_text(encoding="utf-8"))
    for cell in document["cells"]:
        if cell["cell_type"] == "code" and changed.get("cleared"):
            cell["outputs"], cell["execution_count"] = [], None
        if "encoder.summary()" in "".join(cell["source"]) and "printed" in changed:
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": changed["printed"]}]
    target = tmp_path / "autoencoders.ipynb"
    target.write_text(json.dumps(document), encoding="utf-8")
    return target


def evidence_of(submission, printed=SUMMARY):
    """Return what a run gives in which each cell that has a recorded total prints a text."""
    return Evidence(
        cells=[CellOutcome(index=index, status="ok", cpu_seconds=0.0) for index in submission.totals],
        outputs=[OutputText(index=index, stream="stdout", text=printed) for index in submission.totals],
    )


def seen(path: Path, printed: str = SUMMARY) -> list[str]:
    submission = read(path, COURSE)
    return observe(submission, evidence_of(submission, printed))


@pytest.mark.parametrize("text", [SUMMARY, STYLED, "Total params: 4250"])
def test_the_total_of_a_summary_is_read_whatever_its_style(text):
    assert totals(text) == {4250}


def test_a_blank_notebook_is_told(tmp_path):
    assert seen(notebook(tmp_path, "release")) == ["blank-notebook"]


def test_a_notebook_that_was_never_run_is_told(tmp_path):
    assert seen(notebook(tmp_path, cleared=True)) == ["never-run"]


def test_a_total_that_the_code_does_not_give_is_told(tmp_path):
    path = notebook(tmp_path, cleared=True, printed=SUMMARY.replace("4,250", "2,906"))
    assert seen(path) == ["recorded-output-differs"]


def test_a_total_that_the_code_gives_is_no_finding(tmp_path):
    assert seen(notebook(tmp_path, cleared=True, printed=STYLED)) == []


def test_a_cell_that_shows_no_total_in_our_run_says_nothing(tmp_path):
    path = notebook(tmp_path, cleared=True, printed=SUMMARY.replace("4,250", "2,906"))
    assert seen(path, printed="") == []


def test_each_observation_has_a_sentence_for_the_student():
    assert all(sentence[-1] in ".?" for sentence in SENTENCES.values())


def test_the_page_of_findings_tells_of_each_that_the_checks_and_the_grader_name():
    told = set(re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")))
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "autoencoders").glob("*.py"))
    named = set(re.findall(r'finding="([a-z0-9-]+)"', code)) | set(SENTENCES)
    assert named <= told
    engine = (ROOT / "autograder" / "checks" / "plugin.py").read_text(encoding="utf-8")
    layers = {"third-max-pooling", "batch-normalisation"}
    for name in told - set(SENTENCES) - layers:
        assert f'"{name}"' in code + engine, f"{name} is told of and found nowhere"
