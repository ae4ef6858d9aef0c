"""Measure what grading costs, and write the figures to docs/performance.md.

    python benchmarks/speed.py            all of it, some minutes
    python benchmarks/speed.py --dry-run  measure and print, write nothing

CPU seconds are of all processes that worked for a grading, the confined ones included; memory is the sum of the
proportional set sizes of all of them, so that pages shared by several processes count once. Close other programs
first: walls depend on them, CPU seconds hardly.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import page

from autograder.sandbox.limits import Lane

COURSE = Path(__file__).resolve().parent.parent
PAGE = COURSE / "docs" / "performance.md"
TICKS = os.sysconf("SC_CLK_TCK")
# The reference's sweep has five dimensions; this example's has six.
TYPICAL = COURSE / "examples" / "submitted" / "dina-add-and-huge-sweep" / "autoencoders" / "autoencoders.ipynb"
REPETITIONS = 5
COPIES = 8  # of one submission, for comparing one job with two
SAMPLE_WALL_SECONDS = 0.2
MEMORY_EVERY = 20  # adding up the memory of processes costs the kernel much more than their times


@dataclass
class Usage:
    """What the processes below one process used: ``peak_bytes`` at once, CPU seconds of those that were seen."""

    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    wall_seconds: float = 0.0
    _seen: dict[int, float] = field(default_factory=dict)

    def sample(self, root: int, memory: bool = True) -> None:
        """Look at all processes below ``root`` once."""
        members = descendants(root)
        for process, seconds in members.items():
            self._seen[process] = max(seconds, self._seen.get(process, 0.0))
        self.cpu_seconds = sum(self._seen.values())
        if memory:
            self.peak_bytes = max(self.peak_bytes, sum(map(proportional_bytes, members)))


def descendants(root: int) -> dict[int, float]:
    """Return process id and CPU seconds of a process and of all below it, sessions and namespaces whatever."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
        seconds[int(folder.name)] = (int(fields[11]) + int(fields[12])) / TICKS
    members = {root}
    while more := {process for process, parent in parents.items() if parent in members} - members:
        members |= more
    return {process: seconds[process] for process in members if process in seconds}


def proportional_bytes(process: int) -> int:
    """Return a process's proportional set size; 0 when it has just ended."""
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


@contextmanager
def watched(process: int) -> Iterator[Usage]:
    """Sample the processes below one until the block ends."""
    usage, ended = Usage(), threading.Event()

    def watch() -> None:
        number = 0
        while not ended.wait(SAMPLE_WALL_SECONDS):
            usage.sample(process, memory=number % MEMORY_EVERY == 0)
            number += 1

    thread = threading.Thread(target=watch)
    started = time.monotonic()
    thread.start()
    try:
        yield usage
    finally:
        usage.wall_seconds = time.monotonic() - started
        ended.set()
        thread.join()


def command(arguments: Sequence[str], cache: Path) -> Usage:
    """Run the command line once, with a cache of its own, and watch it."""
    environment = os.environ | {"AUTOGRADER_CACHE": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(
        [sys.executable, "-m", "autograder", *arguments],
        cwd=COURSE, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        with watched(process.pid) as usage:
            _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"autograder {' '.join(arguments)}: exit code {process.returncode}\n{errors}")
    return usage


def warm_submission(lane: Lane = "fast") -> tuple[list[float], list[float]]:
    """Return CPU seconds of the student's side and of the grader's, of one submission graded again and again."""
    from autograder import assignment
    from autograder.grade import Grader, Settings

    confined, trusted = [], []
    with Grader(assignment.load(COURSE, "autoencoders"), Settings(use_cache=False, lane=lane)) as grader:
        grader.grade(TYPICAL, "warm-up")  # pays the imports, and the one training of this design
        for _ in range(REPETITIONS):
            before = time.process_time()
            report = grader.grade(TYPICAL, "typical")
            trusted.append(time.process_time() - before)
            confined.append(report.execution.cpu_seconds)
            assert report.score == 91, report.score
    return confined, trusted


def scaling(folder: Path) -> float:
    """Return how many times as fast two jobs are as one, start-up left out by grading some and then more."""
    walls = {}
    for jobs in (1, 2):
        for count in (2, 2 + COPIES):
            submitted = folder / str(count)
            for number in range(count):
                place = submitted / f"student-{number}" / "autoencoders"
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(TYPICAL, place)
            arguments = ["grade", str(submitted), "--out", str(folder / "out"), "--no-cache", "--jobs", str(jobs)]
            walls[jobs, count] = command(arguments, folder / "cache").wall_seconds
            shutil.rmtree(folder / "out")
    one, two = (walls[jobs, 2 + COPIES] - walls[jobs, 2] for jobs in (1, 2))
    return one / two


def imports() -> dict[str, float]:
    """Return the CPU seconds of starting the command line, and of importing what a worker needs."""
    commands = {
        "`autograder --help`": ["-m", "autograder", "--help"],
        "what a worker imports": ["-c", "import autograder.checks.session as s; s.warm()"],
    }
    result = {}
    for name, arguments in commands.items():
        seconds = []
        for _ in range(3):
            before = os.times()
            subprocess.run(
                [sys.executable, *arguments], cwd=COURSE, capture_output=True, check=False,
                env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            )  # fmt: skip
            after = os.times()
            seconds.append(after[2] + after[3] - before[2] - before[3])
        result[name] = statistics.median(seconds)
    return result


def measure() -> str:
    """Measure everything and return the part of the page that holds the figures."""
    with tempfile.TemporaryDirectory() as folder:
        out, cache = Path(folder, "graded"), Path(folder, "cache")
        os.environ["AUTOGRADER_CACHE"] = str(Path(folder, "warm"))
        say("one submission in a warm process")
        confined, trusted = warm_submission()
        in_full = [sum(pair) for pair in zip(*warm_submission("full"), strict=True)]
        both = [sum(pair) for pair in zip(confined, trusted, strict=True)]
        say("one new notebook, cold")
        first = command(["grade", str(TYPICAL), "--out", str(out / "a")], cache)
        second = command(["grade", str(TYPICAL), "--out", str(out / "b"), "--no-cache"], cache)
        say("the example class, cold, two jobs")
        example = command(["grade", "examples/submitted", "--out", str(out / "c"), "--jobs", "2"], Path(folder, "new"))
        again = command(["grade", "examples/submitted", "--out", str(out / "c"), "--jobs", "2"], Path(folder, "new"))
        say("one job and two")
        ratio = scaling(Path(folder, "jobs"))
        count = len(json.loads((out / "c" / "summary.json").read_text(encoding="utf-8"))["students"])
    rows = [
        ("one complete submission, sweep of six dimensions, warm", cpu(both), "3 CPU-s",
         f"student's side {cpu(confined)}, checks and report {cpu(trusted)}"),
        ("the same in the full lane", cpu(in_full), "10 CPU-s", ""),
        ("two jobs against one, warm", f"{ratio:.2f} times as fast", "1.8 times", ""),
        ("one new notebook, cold, with its one training", wall(first), "15 s wall", f"{first.cpu_seconds:.1f} CPU-s"),
        ("the same, cold, the training known", wall(second), "15 s wall", f"{second.cpu_seconds:.1f} CPU-s"),
        (f"`make grade`: the {count} examples, set-up apart, nothing known", wall(example), "240 s wall",
         f"{example.cpu_seconds:.0f} CPU-s, of which 60 are one endless loop"),
        ("the same again, nothing changed", wall(again), "", f"{again.cpu_seconds:.1f} CPU-s"),
        ("memory of all processes together, two jobs", f"{example.peak_bytes / 1e9:.1f} GB", "4 GB", ""),
    ]  # fmt: skip
    rows += [(name, f"{seconds:.2f} CPU-s", "", "") for name, seconds in imports().items()]
    lines = ["| what | measured | goal | of which |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    packages = ", ".join(f"{name} {version(name)}" for name in ("keras", "numpy"))
    lines += ["", f"Python {platform.python_version()}, {packages}, Linux {platform.release().split('-')[0]}, "
              f"{os.cpu_count()} cores; the median of {REPETITIONS} where there is a range."]  # fmt: skip
    return "\n".join(lines)


def cpu(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} CPU-s ({min(values):.1f} to {max(values):.1f})"


def wall(usage: Usage) -> str:
    return f"{usage.wall_seconds:.0f} s wall" if usage.wall_seconds >= 1 else "under 1 s wall"


def say(text: str) -> None:
    print(f"measuring: {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="print the figures and leave the page as it is")
    dry_run = parser.parse_args().dry_run
    figures = measure()
    print(figures)
    if not dry_run:
        page.put(PAGE, figures)


if __name__ == "__main__":
    main()
