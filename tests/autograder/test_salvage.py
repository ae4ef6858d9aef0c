"""After deaths of the process, what was right counts, what killed it is lost, and what was never reached waits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COURSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(COURSE / "examples"))
import make_examples as examples  # noqa: E402

DEATH = "import os\nos._exit(3)\n"


@pytest.fixture(scope="module")
def twice_dead(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of the reference in which two cells end the process: questions 2 and 4."""
    folder = tmp_path_factory.mktemp("salvage")
    source, release = (
        json.loads((COURSE / kind / "autoencoders" / "autoencoders.ipynb").read_text(encoding="utf-8"))
        for kind in ("source", "release")
    )
    answers = examples.reference_answers(source)
    answers["plot-digits"] = answers["encoder-size"] = DEATH
    (folder / "dead.ipynb").write_text(json.dumps(examples.filled_in(release, answers)), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "autograder", "grade", str(folder / "dead.ipynb"), "--out", str(folder / "out")],
        cwd=COURSE, env=os.environ | {"AUTOGRADER_CACHE": str(folder / "cache")}, check=True, capture_output=True,
    )  # fmt: skip
    report: dict[str, Any] = json.loads((folder / "out" / "dead" / "report.json").read_text(encoding="utf-8"))
    return report


def question(report: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in report["questions"] if one["id"] == name)


@pytest.mark.parametrize("name", ["load-data", "build-encoder", "build-decoder", "compile", "denoising-error"])
def test_what_was_done_before_and_what_is_only_defined_counts(twice_dead, name):
    assert question(twice_dead, name)["status"] == "passed"


@pytest.mark.parametrize("name", ["plot-digits", "encoder-size"])
def test_the_cells_that_ended_the_process_are_lost(twice_dead, name):
    assert question(twice_dead, name)["score"] == 0
    assert question(twice_dead, name)["awaiting_review"] == 0


@pytest.mark.parametrize(
    "name", ["decoder-size", "autoencoder", "fit", "encode", "fit-denoiser", "best-latent-dimension"]
)
def test_a_cell_that_never_had_its_chance_waits_for_a_person(twice_dead, name):
    judged = question(twice_dead, name)
    assert judged["score"] + judged["awaiting_review"] == judged["max_score"], judged


def test_the_report_says_what_happened(twice_dead):
    assert twice_dead["execution"]["salvaged"]
    assert twice_dead["fault"]["whose"] == "student"
    assert "exit status 3" in twice_dead["fault"]["message"]
    # The first cell of a question is the student's own.
    assert next(cell["status"] for cell in twice_dead["cells"] if cell["question"] == "decoder-size") == "skipped"
