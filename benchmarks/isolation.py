"""Measure what isolation costs a submission, and write the figures to docs/performance.md.

    python benchmarks/isolation.py            some minutes, on a quiet machine
    python benchmarks/isolation.py --dry-run  measure and print, write nothing

The same notebooks run with each backend in turn, in children of the same kind of fork server: an empty one, for what
starting and ending a confined child takes, and a complete one. CPU seconds are those of all processors of the
machine that were not idle, since the kernel does much of the work on nobody's account; so close other programs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from contextlib import ExitStack
from pathlib import Path

import page

from autograder import assignment
from autograder.checks.probes import load, resolved
from autograder.sandbox import isolation
from autograder.sandbox.limits import Limits
from autograder.sandbox.supervisor import Job, PlannedCell, Sandbox
from autograder.submission.reading import read

COURSE = Path(__file__).resolve().parent.parent
PAGE = COURSE / "docs" / "performance.md"
TYPICAL = COURSE / "examples" / "submitted" / "dina-add-and-huge-sweep" / "autoencoders" / "autoencoders.ipynb"
TICKS = os.sysconf("SC_CLK_TCK")
ROUNDS, EMPTY_JOBS = 7, 20
BACKENDS: tuple[str, ...] = ("none", *isolation.BACKENDS)


def busy_seconds() -> float:
    """Return the CPU seconds that this machine was not idle since its start."""
    fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]]
    user, nice, system, _, _, interrupts, soft = fields[:7]
    return (user + nice + system + interrupts + soft) / TICKS


def timed(sandbox: Sandbox, job: Job, times: int) -> tuple[float, float]:
    """Return (wall, CPU) seconds of one run of a job, the mean of some."""
    began, busy = time.monotonic(), busy_seconds()
    for _ in range(times):
        outcome = sandbox.run(job)
        assert outcome.ending == "completed", outcome.reason
    return (time.monotonic() - began) / times, (busy_seconds() - busy) / times


def jobs() -> tuple[Job, Job]:
    """Return a job with one empty cell, and the complete one of the example with the longest comparison."""
    course = assignment.load(COURSE, "autoencoders")
    submission = read(TYPICAL, course)
    empty = Job((PlannedCell(0, "pass", "other", None),), probes={}, seed=0, training="record")
    probes = resolved(load(course.probes), submission.digest)
    return empty, Job(submission.cells, probes=probes, seed=0, training="record")


def measure() -> str:
    """Measure every backend, round after round, and return the table."""
    empty, complete = jobs()
    figures: dict[str, list[tuple[float, float, float, float]]] = {backend: [] for backend in BACKENDS}
    with ExitStack() as stack:
        sandboxes = {name: stack.enter_context(Sandbox(name, Limits(), COURSE / "data")) for name in BACKENDS}
        for sandbox in sandboxes.values():
            sandbox.run(complete)
        for number in range(ROUNDS):
            print(f"measuring: round {number + 1} of {ROUNDS}", flush=True)
            for name, sandbox in sandboxes.items():
                figures[name].append((*timed(sandbox, empty, EMPTY_JOBS), *timed(sandbox, complete, 1)))
    lines = [
        "| isolation | an empty notebook | CPU | a complete notebook | CPU | CPU against none |",
        "|---|---|---|---|---|---|",
    ]
    middle = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in figures.items()}
    for name, (empty_wall, empty_cpu, wall, cpu) in middle.items():
        ratio = statistics.median(
            theirs[3] / none[3] for theirs, none in zip(figures[name], figures["none"], strict=True)
        )
        lines.append(
            f"| {name} | {empty_wall * 1000:.0f} ms | {empty_cpu * 1000:.0f} ms | {wall:.2f} s | {cpu:.2f} s "
            f"| {ratio - 1:+.1%} |"
        )
    lines += ["", f"The median of {ROUNDS} rounds, in which the backends took turns; the ratio is that of each round."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="print the figures and leave the page as it is")
    dry_run = parser.parse_args().dry_run
    figures = measure()
    print(figures)
    if not dry_run:
        page.put(PAGE, figures, "isolation")


if __name__ == "__main__":
    main()
