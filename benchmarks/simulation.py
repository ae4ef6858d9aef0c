"""Simulate 10 000 and 100 000 submissions from measured service times; writes into docs/scaling.md.

    python benchmarks/simulation.py              measure (ten minutes, quiet machine), check the model, simulate
    python benchmarks/simulation.py --dry-run    the same, written nowhere

The model: workers take submissions in the order of their arrival; each has started up once; how long a submission
takes is drawn from those of a class that was really graded, trainings included, as if no two students of a course
shared a network. The model is checked on a second class, of other submissions, before anything is simulated with it.
"""

from __future__ import annotations

import argparse
import heapq
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import page
from classes import make_class
from speed import COURSE, Usage, command, say

PAGE = COURSE / "docs" / "scaling.md"
FIGURE = COURSE / "docs" / "scaling.svg"
MEASURED, CHECKED = 40, 80
COUNTS = (10_000, 100_000)
WORKERS = (2, 16, 64, 256, 1024)
CENTS_A_CORE_HOUR = 4.0
# A deadline burst: this share of all arrives in the last hours before the deadline, evenly spread; the rest in a week.
BURST_SHARE, BURST_HOURS, WEEK_HOURS = 0.6, 6.0, 168.0
SEED = 20_260

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Measured:
    """Service times of one class in seconds, one for each submission, and of starting up."""

    services: Floats
    start_up: float


@dataclass(frozen=True)
class Simulated:
    """What became of simulated submissions: all in seconds, waiting from a submission's arrival to its report."""

    end: float
    waits: Floats
    busy: float


def grade(folder: Path, submissions: int, jobs: int) -> tuple[Floats, float]:
    """Grade a class with nothing known; return when each report was there, in seconds from the start, and the wall."""
    out = folder / f"out-{jobs}"
    arguments = ["grade", str(folder / "submitted"), "--out", str(out), "--jobs", str(jobs)]
    usage: Usage = command(arguments, folder / f"cache-{jobs}")
    written = sorted(report.stat().st_mtime for report in out.glob("*/report.json"))
    if len(written) != submissions:
        raise SystemExit(f"{len(written)} of {submissions} submissions were graded")
    # The pages of the class are the last thing that is written.
    began = (out / "summary.json").stat().st_mtime - usage.wall_seconds
    return np.array(written) - began, usage.wall_seconds


def measure(folder: Path) -> tuple[Measured, float]:
    """Grade one class with one job and with two; return its service times, and how much two jobs slow each other."""
    make_class(MEASURED, folder / "submitted")
    say(f"{MEASURED} submissions, one job")
    alone, _ = grade(folder, MEASURED, 1)
    say(f"{MEASURED} submissions, two jobs")
    _, together = grade(folder, MEASURED, 2)
    gaps = np.diff(alone)
    # The first report's time holds the start-up; what a submission takes is known of the others.
    measured = Measured(gaps, max(0.0, float(alone[0] - np.median(gaps))))
    services = np.insert(gaps, 0, np.median(gaps))
    slowed = (together - measured.start_up) / simulate(np.zeros(MEASURED), services, 2, 0.0).end
    return measured, float(slowed)


def simulate(arrivals: Floats, services: Floats, workers: int, start_up: float) -> Simulated:
    """Let workers take submissions in the order of arrival; all times in seconds."""
    order = np.argsort(arrivals, kind="stable")
    free = [start_up] * workers
    waits = np.empty(len(arrivals))
    end = 0.0
    for position in order:
        begins = max(heapq.heappop(free), float(arrivals[position]))
        done = begins + float(services[position])
        heapq.heappush(free, done)
        waits[position] = done - arrivals[position]
        end = max(end, done)
    return Simulated(end, waits, float(services.sum()) + workers * start_up)


def _drawn(measured: Measured, count: int, seed: int) -> Floats:
    return np.random.default_rng((SEED, seed)).choice(measured.services, count)


def check(folder: Path, measured: Measured, slowed: float) -> tuple[float, float, float]:
    """Return the wall that the model predicts for a class of other submissions, its 90% range, and what it took."""
    make_class(CHECKED, folder / "submitted")
    say(f"{CHECKED} other submissions, two jobs")
    _, wall = grade(folder, CHECKED, 2)
    ends = [
        simulate(np.zeros(CHECKED), _drawn(measured, CHECKED, seed) * slowed, 2, measured.start_up).end
        for seed in range(1, 400)
    ]
    low, high = np.quantile(ends, (0.05, 0.95))
    return float(low), float(high), wall


def arrivals(count: int, burst: bool) -> Floats:
    """Return when submissions arrive, in seconds: all at once, or over a week with most of them at its end."""
    if not burst:
        return np.zeros(count)
    generator = np.random.default_rng((SEED, count))
    hours = generator.uniform(0, WEEK_HOURS, count)
    late = generator.random(count) < BURST_SHARE
    hours[late] = generator.uniform(WEEK_HOURS - BURST_HOURS, WEEK_HOURS, int(late.sum()))
    return hours * 3600


def rows(measured: Measured, slowed: float) -> list[str]:
    """Return the lines of the table."""
    lines = [
        "| submissions | worker processes | all at once, done after | machine time | cost | deadline: half within "
        "| 95% within | the last after |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for count in COUNTS:
        services = _drawn(measured, count, count) * slowed
        for workers in WORKERS:
            batch = simulate(arrivals(count, False), services, workers, measured.start_up)
            burst = simulate(arrivals(count, True), services, workers, measured.start_up)
            hours = batch.busy / 3600
            half, most = np.quantile(burst.waits, (0.5, 0.95))
            lines.append(
                f"| {count:,} | {workers:,} | {lasting(batch.end)} | {hours:,.0f} core-hours "
                f"| ${hours * CENTS_A_CORE_HOUR / 100:,.2f} | {lasting(half)} | {lasting(most)} "
                f"| {lasting(burst.waits.max())} |".replace(",", " ")
            )
    return lines


def lasting(seconds: float) -> str:
    """Return a time as people say it."""
    for size, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} s"


def draw(measured: Measured, slowed: float, path: Path) -> None:
    """Draw how long a deadline's submissions wait, by the number of workers."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    plt.rcParams["svg.hashsalt"] = "scaling"
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    numbers: Sequence[int] = [2**power for power in range(1, 11)]
    for count, marker in zip(COUNTS, "os", strict=True):
        services = _drawn(measured, count, count) * slowed
        late = [
            float(np.quantile(simulate(arrivals(count, True), services, workers, measured.start_up).waits, 0.95))
            for workers in numbers
        ]
        axes.plot(numbers, np.array(late) / 60, marker=marker, label=f"{count:,} submissions".replace(",", " "))
    axes.set(xscale="log", yscale="log", xlabel="worker processes", ylabel="minutes",
             title="A deadline: 95% of the reports are there after")  # fmt: skip
    axes.set_xticks(numbers, [str(number) for number in numbers])
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="print the figures and leave the page as it is")
    dry_run = parser.parse_args().dry_run
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
        measured, slowed = measure(Path(folder, "measured"))
        low, high, wall = check(Path(folder, "checked"), measured, slowed)
    services = measured.services
    lines = [
        *rows(measured, slowed),
        "",
        f"Measured on {os.cpu_count()} cores: {MEASURED} submissions with one job, {np.mean(services):.1f} s each ("
        f"{np.min(services):.1f} to {np.max(services):.1f} s, half below {np.median(services):.1f} s) after a start-up "
        f"of {measured.start_up:.0f} s; two jobs side by side take {slowed:.2f} times as long for each submission. "
        f"Checked on {CHECKED} submissions of another cut, two jobs: predicted {low:.0f} to {high:.0f} s (nine in ten "
        f"simulations), measured {wall:.0f} s. Cost at {CENTS_A_CORE_HOUR:.0f} cents a core-hour.",
    ]
    print("\n".join(lines))
    if not dry_run:
        page.put(PAGE, "\n".join(lines), "simulation")
        draw(measured, slowed, FIGURE)
    if not low <= wall <= high:
        raise SystemExit("The model did not predict the class that it was checked on.")


if __name__ == "__main__":
    main()
