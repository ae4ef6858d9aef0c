"""Past one machine: a real scheduler of Dask and two worker processes, on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import ROOT, autograder, environment, start, wait_until

from autograder.assignment import load
from autograder.cluster import packed

distributed = pytest.importorskip("distributed")

EXAMPLES = ("noor-blank", "kira-syntax-error", "quin-colab-export")
COPIES = 2
TIMES = ("cpu_seconds", "wall_seconds", "peak_memory_bytes", "from_cache", "finished")


class Cluster:
    """A scheduler and its workers, which end with the test."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self.workers: list[subprocess.Popen] = []
        self.file = folder / "scheduler.json"
        self.scheduler = self._start(
            "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"
        )
        wait_until(self.file.exists)
        self.address = json.loads(self.file.read_text())["address"]

    def add_worker(self) -> None:
        number = len(self.workers)
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", f"worker-{number}")
        self.workers.append(self._start("dask_worker", *options, "--local-directory", str(self._folder)))

    def start_grading(self, submitted: Path, out: Path, folder: Path) -> subprocess.Popen:
        """Start the command that has this cluster grade; its cache and what it says are in a folder."""
        options = ("--out", out, "--scheduler", self.address)
        return start("grade", submitted, *options, cache=folder / "c", errors=folder / "errors")

    def _start(self, program: str, *options: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.{program}", "--scheduler-file", str(self.file), *options]
        log = self._stack.enter_context((self._folder / f"{program}-{len(self.workers)}.log").open("w"))
        process = subprocess.Popen(
            command, cwd=self._folder, env=environment(self._folder / "cache"), stdout=log, stderr=log
        )
        self._stack.callback(_end, process)
        return process


def _end(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with contextlib.ExitStack() as stack:
        yield Cluster(tmp_path, stack)


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a class in which no two notebooks are the same."""
    folder = tmp_path_factory.mktemp("class") / "submitted"
    for name in EXAMPLES:
        (file,) = (ROOT / "examples" / "submitted" / name / "autoencoders").iterdir()
        for number in range(COPIES):
            place = folder / f"{name}-{number}" / "autoencoders"
            place.mkdir(parents=True)
            text = file.read_text(encoding="utf-8")
            (place / file.name).write_text(text.replace("random_state", f"random_state_{number}"), encoding="utf-8")
    return folder


def reports(out: Path) -> dict[str, dict]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in out.glob("*/report.json")]
    for report in found:
        report["execution"] = {key: value for key, value in report["execution"].items() if key not in TIMES}
        for cell in report["cells"]:
            del cell["cpu_seconds"]
    return {report["student"]: report for report in found}


def test_a_worker_that_is_killed_in_the_middle_loses_nothing_and_reports_are_those_of_one_machine(
    cluster: Cluster, submitted: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        cluster.add_worker()
    out = tmp_path / "out"
    command = cluster.start_grading(submitted, out, tmp_path)
    wait_until(lambda: list(out.glob("*/report.json")) or command.poll() is not None)
    # Results arrive as they are done; that worker is in the middle of another one, or holds what is to come.
    os.kill(cluster.workers[0].pid, signal.SIGKILL)
    command.communicate(timeout=300)
    assert command.returncode == 0, (tmp_path / "errors").read_text()
    local = tmp_path / "local"
    assert autograder("grade", submitted, "--out", local, "--no-cache", cache=tmp_path / "d").returncode == 0
    assert reports(out) == reports(local)
    assert len(reports(out)) == COPIES * len(EXAMPLES)
    assert not list((tmp_path / "c").glob("execution/*/*")), "nothing was run here"


def test_without_an_answer_at_the_address_nothing_is_graded(tmp_path: Path, submitted: Path) -> None:
    arguments = ("--out", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9")
    done = autograder("grade", submitted, *arguments, cache=tmp_path / "cache")
    assert done.returncode == 2
    assert "no scheduler of Dask answers at tcp://127.0.0.1:9" in done.stderr


def test_a_scheduler_that_ends_on_the_way_is_told_and_the_same_command_goes_on(
    cluster: Cluster, submitted: Path, tmp_path: Path
) -> None:
    # Without a worker nothing is ever done.
    out = tmp_path / "out"
    command = cluster.start_grading(submitted, out, tmp_path)
    with distributed.Client(cluster.address) as watcher:
        wait_until(lambda: watcher.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)))
    _end(cluster.scheduler)
    command.communicate(timeout=120)
    assert command.returncode == 3
    assert "was lost" in (tmp_path / "errors").read_text()


def test_what_travels_is_the_course_and_no_submission(tmp_path: Path) -> None:
    import io
    import zipfile

    names = zipfile.ZipFile(io.BytesIO(packed(load(ROOT, "autoencoders")))).namelist()
    assert {name.split("/")[0] for name in names} == {"source", "tests", "data", "nbgrader_config.py"}
    assert not [name for name in names if name.startswith("tests/autograder")]
