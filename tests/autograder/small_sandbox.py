"""A sandbox whose children run a small runner: everything else is the real thing."""

import os
import sys
from pathlib import Path

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


def lacking() -> str:
    """Say what this machine lacks for namespaces, and nothing where tests have to run.

    An open door is a fault of ours, not of the machine, and a gate is no place to skip in: there they run, and fail.
    """
    report = isolation.probe()[0]
    ours = any("fault of the sandbox" in text for text in report.missing)
    return "" if report.complete or ours or os.environ.get("CI") else f"no namespaces here: {report.missing}"


class SmallSandbox(Sandbox):
    def _command(self) -> list[str]:
        return [sys.executable, "-I", str(HERE / "small_server.py")]


def job(*sources: str) -> Job:
    cells = tuple(PlannedCell(index, source, "answer", None) for index, source in enumerate(sources))
    return Job(cells, probes={}, seed=0, training="record")


def said(outcome: Outcome) -> list:
    return [frame.header["record"] for frame in outcome.frames if frame.header["event"] == "said"]


def statuses(outcome: Outcome) -> list[str]:
    return [frame.header["record"]["status"] for frame in outcome.frames if frame.header["event"] == "cell"]
