"""Each hostile notebook, graded by the real command line, earns no more than it would honestly, and touches nothing.

All are graded in one batch, with the reference before and after them, as a class would be.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
COURSE = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent), str(COURSE / "examples")]
import make_examples as examples  # noqa: E402
from payloads import PAYLOADS  # noqa: E402
from small_sandbox import needs  # noqa: E402

pytestmark = needs("namespaces")
SECRET = "swordfish-of-the-grader"
NEIGHBOURS = ("aaa-before", "zzz-after")


@dataclass(frozen=True)
class Graded:
    """One batch: how the command ended, what it wrote, and whether anybody came through to the listener."""

    done: subprocess.CompletedProcess[str]
    out: Path
    submitted: Path
    visitors: int
    survivors: int

    def report(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.out / name / "report.json").read_text(encoding="utf-8"))
        return document


def student(name: str) -> str:
    return name.replace(" ", "-").lower()


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graded]:
    folder = tmp_path_factory.mktemp("attacks")
    source, release = (
        json.loads((COURSE / kind / "autoencoders" / "autoencoders.ipynb").read_text(encoding="utf-8"))
        for kind in ("source", "release")
    )
    reference = examples.reference_answers(source)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        for name in NEIGHBOURS:
            write(folder, name, examples.filled_in(release, reference))
        for name, payload in PAYLOADS.items():
            code = payload.code.replace("PORT", str(listener.getsockname()[1]))
            write(folder, student(name), examples.filled_in(release, {**reference, payload.question: code}))
        before = confined()
        environment = os.environ | {"AUTOGRADER_CACHE": str(folder / "cache"), "COURSE_TOKEN": SECRET}
        done = subprocess.run(
            [sys.executable, "-m", "autograder", "grade", str(folder / "submitted"), "--out", str(folder / "out")],
            cwd=COURSE, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        survivors = len(confined() - before)
        yield Graded(done, folder / "out", folder / "submitted", visitors(listener), survivors)


def write(folder: Path, name: str, notebook: Any) -> None:
    path = folder / "submitted" / name / "autoencoders" / "autoencoders.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def confined() -> set[str]:
    """The processes of all sandboxes of this machine: as root, they have user ids that nobody else has."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if path.stat().st_uid >= 0x7000_0000:
                found.add(path.name)
    return found


def visitors(listener: socket.socket) -> int:
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_the_grader_lives_and_reports_on_everybody(graded):
    assert graded.done.returncode == 0, graded.done.stderr
    assert {path.parent.name for path in graded.out.glob("*/report.json")} == {
        *map(student, PAYLOADS), *NEIGHBOURS,
    }  # fmt: skip
    assert "Traceback" not in graded.done.stderr + graded.done.stdout


@pytest.mark.parametrize("name", PAYLOADS)
def test_no_attack_earns_more_than_the_honest_notebook(graded, name):
    report = graded.report(student(name))
    assert report["score"] <= PAYLOADS[name].honest, {q["id"]: q["score"] for q in report["questions"]}
    assert report["score"] + report["awaiting_review"] <= 100


@pytest.mark.parametrize("name", PAYLOADS)
def test_every_outcome_is_classified(graded, name):
    report = graded.report(student(name))
    assert report["status"] in ("graded", "needs_review")
    fault = report["fault"]
    assert (fault is not None) == PAYLOADS[name].ends or fault["whose"] == "student"


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_the_neighbours_are_graded_as_if_alone(graded, name):
    report = graded.report(name)
    assert (report["score"], report["awaiting_review"], report["status"]) == (91.0, 9.0, "graded")


def test_nothing_hidden_reaches_what_students_read(graded):
    calibration = json.loads((COURSE / "tests" / "autoencoders" / "calibration.json").read_text(encoding="utf-8"))
    protocol = calibration["denoising"]["protocol"]
    hidden = (SECRET, str(protocol["limit"]), str(protocol["seed"]), "tests/autoencoders", "submitted_restarts",
              str(graded.submitted), "def test_", "\x1b[31m", "\u202e")  # fmt: skip
    for path in graded.out.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert not [word for word in hidden if word in text], path
            assert path.suffix != ".html" or "<script" not in text, path


def test_the_searches_came_back_empty(graded):
    searches = [name for name, payload in PAYLOADS.items() if "raise AssertionError(" in payload.code]
    assert len(searches) == 4
    for name in searches:
        errors = [cell["error"] for cell in graded.report(student(name))["cells"] if cell["error"]]
        assert "AssertionError: []" in errors, (name, errors)


def test_nobody_reached_the_listener(graded):
    assert graded.visitors == 0


def test_the_host_is_untouched(graded):
    assert not Path("/autograder").exists()
    assert sorted(path.name for path in graded.submitted.glob("*/*/*")) == ["autoencoders.ipynb"] * (len(PAYLOADS) + 2)
    assert sorted(path.name for path in graded.out.iterdir() if not path.is_dir()) == [
        "index.html", "scores.csv", "summary.json",
    ]  # fmt: skip


@pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user's children have its own user id")
def test_no_process_survives(graded):
    assert graded.survivors == 0
