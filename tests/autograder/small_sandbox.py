"""A sandbox whose children run a small runner: everything else is the real thing."""

import contextlib
import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.sandbox import isolation
from autograder.sandbox.limits import MEBIBYTE, Limits
from autograder.sandbox.supervisor import Job, Outcome, PlannedCell, Sandbox

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SMALL = Limits(
    cell_cpu_seconds=0.5,
    notebook_cpu_seconds=2.0,
    grace_cpu_seconds=0.3,
    grace_wall_seconds=1.0,
    idle_wall_seconds=20.0,
    idle_cpu_seconds=0.1,
    notebook_wall_seconds=60.0,
    start_wall_seconds=60.0,
    memory_bytes=512 * MEBIBYTE,
    scratch_bytes=32 * MEBIBYTE,
    file_bytes=16 * MEBIBYTE,
    tasks=64,
    processes=48,
    open_files=64,
    poll_wall_seconds=0.1,
)


def lacking(backend: str) -> str:
    """Say what this machine lacks for a backend, and nothing where tests have to run.

    An open door is a fault of ours, not of the machine, and a gate is no place to skip in: there they run, and fail.
    """
    report = isolation.probe(backend)
    ours = any("fault of the sandbox" in text for text in report.missing)
    return "" if report.complete or ours or os.environ.get("CI") else f"no {backend} here: {report.missing}"


def needs(backend: str) -> pytest.MarkDecorator:
    """Return the mark of tests that a backend has to be there for."""
    return pytest.mark.skipif(bool(lacking(backend)), reason=lacking(backend))


BACKENDS = [pytest.param(name, marks=needs(name)) for name in isolation.BACKENDS]


class SmallSandbox(Sandbox):
    @property
    def backend(self) -> str:
        return self._isolation

    def _command(self) -> list[str]:
        return [sys.executable, "-I", str(HERE / "small_server.py")]


def limited(sandbox: SmallSandbox, **limits) -> SmallSandbox:
    """Return a sandbox that shares the server and has other limits."""
    own = dataclasses.replace(SMALL, **limits)
    return SmallSandbox(sandbox.backend, own, ROOT / "data", server=sandbox.server_path)


def processes_with(text: str) -> list[int]:
    """Return the ids of all processes of this machine in whose command line the text stands."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if text.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def run_as_ordinary_user(tests: Path) -> None:
    """Run a file of tests once more, as an ordinary user of this machine."""
    command = [sys.executable, str(HERE / "as_ordinary_user.py"), "-m", "pytest", "-q", "-x"]
    command += ["-p", "no:cacheprovider", str(tests)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    assert "passed" in result.stdout


def job(*sources: str) -> Job:
    cells = tuple(PlannedCell(index, source, "answer", None) for index, source in enumerate(sources))
    return Job(cells, probes={}, seed=0, training="record")


def said(outcome: Outcome) -> list:
    return [frame.header["record"] for frame in outcome.frames if frame.header["event"] == "said"]


def statuses(outcome: Outcome) -> list[str]:
    return [frame.header["record"]["status"] for frame in outcome.frames if frame.header["event"] == "cell"]


def assert_no_survivor(sandbox):
    """Children keep the command line of the server that they were forked from."""
    deadline = time.monotonic() + 5  # a monitor needs a moment to leave after its last word
    while len(processes_with(str(sandbox.server_path))) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(processes_with(str(sandbox.server_path))) == 1


FILL = """
def fill(pattern, count, size):
    written = 0
    try:
        for number in range(count):
            with open(pattern.format(number), 'wb') as file:
                for _ in range(size // 10**6):
                    file.write(b'x' * 10**6); written += 1
    except OSError as error:
        return [error.errno, written]
    return ['no limit', written]
import errno
"""

FORKS = """
import os, time
made = 0
for _ in range({tries}):
    try:
        if os.fork() == 0:
            time.sleep(20); os._exit(0)
        made += 1
    except OSError: pass
say(made)
{then}
"""
