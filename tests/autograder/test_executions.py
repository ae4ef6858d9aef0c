"""An execution is kept: changed checks judge it anew, and nothing that it depends on may change unnoticed."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
from command_line import ROOT, autograder

from autograder import executions
from autograder.assignment import load
from autograder.executions import KIND, KeptExecutions, packed, unpacked
from autograder.sandbox.job import Job, Outcome, PlannedCell
from autograder.sandbox.limits import Limits
from autograder.sandbox.protocol import Frame
from autograder.store import Store

EXAMPLE = ROOT / "examples" / "submitted" / "noor-blank" / "autoencoders" / "autoencoders.ipynb"
JOB = Job(cells=(PlannedCell(0, "x = 1", "answer", "compile", ("compile",)),), probes={}, seed=3, training="record")
FRAMES = (
    Frame({"event": "ready"}),
    Frame({"event": "output", "record": {"text": "\ud800 é", "nothing": None, "share": float("inf")}}),
    Frame({"event": "model", "record": {"weights": [0, 1]}}, (b"\x00\xff", b"")),
)
OUTCOME = Outcome(FRAMES, "killed", "stopped after 60 CPU seconds", 0, (0,), 61.5, 70.25, 2**31, "namespaces")


class Counting:
    """Stands for a sandbox: what is kept must not ask it."""

    def __init__(self):
        self.jobs = []

    def run(self, job):
        self.jobs.append(job)
        return OUTCOME


@pytest.fixture
def assignment():
    return load(ROOT, "autoencoders")


def kept(tmp_path, assignment, sandbox, **more):
    given = {"limits": Limits(), "isolation": "none", "use": True} | more
    return KeptExecutions(lambda: sandbox, Store(tmp_path / "cache"), assignment, **given)


def test_what_is_kept_of_an_execution_is_all_of_it():
    assert unpacked(packed(OUTCOME)) == OUTCOME


@pytest.mark.parametrize("data", [b"", b"abc", packed(OUTCOME)[4:], b"\xff\xff\xff\xff", b"\x02\x00\x00\x00{}"])
def test_bytes_that_are_no_outcome_are_none(data):
    assert unpacked(data) is None


def test_a_job_runs_once_whoever_asks(tmp_path, assignment):
    sandbox = Counting()
    for _ in range(3):
        assert kept(tmp_path, assignment, sandbox).run(JOB) == OUTCOME
    assert len(sandbox.jobs) == 1


def test_without_use_it_runs_again_and_is_kept(tmp_path, assignment):
    sandbox = Counting()
    for _ in range(2):
        kept(tmp_path, assignment, sandbox, use=False).run(JOB)
    kept(tmp_path, assignment, sandbox).run(JOB)
    assert len(sandbox.jobs) == 2


CHANGES = {
    "a cell": {"cells": (dataclasses.replace(JOB.cells[0], source="x = 2"),)},
    "a probe": {"probes": {"compile": {"compile": {"find": "function"}}}},
    "the seed": {"seed": 4},
    "the training": {"training": "short"},
    "the lane": {"lane": "fast"},
    "reduced cells": {"reduced": frozenset({0})},
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_job_is_another_execution(tmp_path, assignment, change):
    sandbox = Counting()
    kept(tmp_path, assignment, sandbox).run(JOB)
    kept(tmp_path, assignment, sandbox).run(dataclasses.replace(JOB, **CHANGES[change]))
    assert len(sandbox.jobs) == 2


def test_other_limits_data_packages_code_or_isolation_are_another_execution(tmp_path, assignment, monkeypatch):
    sandbox = Counting()
    kept(tmp_path, assignment, sandbox).run(JOB)
    kept(tmp_path, assignment, sandbox, limits=Limits(cell_cpu_seconds=61)).run(JOB)
    data = tmp_path / "data"
    data.mkdir()
    (data / "digests.json").write_text("{}")
    kept(tmp_path, dataclasses.replace(assignment, root=tmp_path), sandbox).run(JOB)
    for name in ("choose", "_code_of_the_sandbox", "_packages"):
        monkeypatch.setattr(executions, name, lambda *_: "another")
        kept(tmp_path, assignment, sandbox).run(JOB)
    assert len(sandbox.jobs) == 6


def test_a_damaged_entry_is_run_again(tmp_path, assignment):
    sandbox = Counting()
    kept(tmp_path, assignment, sandbox).run(JOB)
    (entry,) = (tmp_path / "cache" / KIND).glob("??/*.bin")
    entry.write_bytes(entry.read_bytes()[:-1] + b"?")
    assert kept(tmp_path, assignment, sandbox).run(JOB) == OUTCOME
    assert len(sandbox.jobs) == 2


def test_the_digest_of_the_packages_is_that_of_what_is_installed(monkeypatch, tmp_path):
    before = executions._packages()
    (tmp_path / "new-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    executions._packages.cache_clear()
    assert executions._packages() != before
    executions._packages.cache_clear()


def test_a_changed_check_judges_what_was_kept_and_runs_no_notebook(tmp_path):
    course, out = tmp_path / "course", tmp_path / "out"
    for folder in ("source", "tests/autoencoders", "data"):
        shutil.copytree(ROOT / folder, course / folder)
    arguments = ("grade", EXAMPLE, "--course", course, "--out", out, "--jobs", "1")

    def graded():
        done = autograder(*arguments, cache=tmp_path / "cache", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        (report,) = out.glob("*/report.json")
        return json.loads(report.read_text(encoding="utf-8"))

    first = graded()
    file = course / "tests" / "autoencoders" / "test_data.py"
    source = file.read_text(encoding="utf-8")
    changed = source.replace('@pytest.mark.question("load-data"', '@pytest.mark.question("plot-digits"', 1)
    assert changed != source
    file.write_text(changed, encoding="utf-8")
    second = graded()
    checks = [sum(len(question["checks"]) for question in one["questions"][:1]) for one in (first, second)]
    assert checks[1] == checks[0] - 1
    spent = ("cpu_seconds", "wall_seconds", "peak_memory_bytes")
    assert [second["execution"][name] for name in spent] == [first["execution"][name] for name in spent]
    assert second["cells"] == first["cells"]
