"""Measure ours, stock nbgrader and stock otter on the same notebook, and write the comparison to docs/performance.md.

    python benchmarks/peers_speed.py            all of it, about half an hour on a quiet machine
    python benchmarks/peers_speed.py --quick    without any training: tries that all is in order; writes nothing

The notebook is the reference. The peers perform what it says, with one epoch a fit in place of twenty; what twenty
would cost is extrapolated from the measured cost of an epoch, and labelled so. CPU seconds and memory are those of
all processes that worked for a grading, counted as `benchmarks/speed.py` does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import page
import speed
from peers import courses, notebooks
from peers.notebooks import COURSE, Notebook

PAGE = COURSE / "docs" / "performance.md"
FIGURE = COURSE / "docs" / "performance-peers.svg"
PART = "peers"
EPOCHS = 20
OURS_EACH_JOB = 3
WARM_REPETITIONS = 5
OURS, PEER, TEXT, LINE = "#0969da", "#bc4c00", "#1f2328", "#d0d7de"
HEADING = "\n## Compared with stock nbgrader and stock otter\n\n<!-- peers: begin -->\n<!-- peers: end -->\n"
EXPLANATION = """\
*Cold* is a new process; for ours with an empty cache, so that the one training of its own is among it. *Warm* is a
process that has graded before; the peers start a new kernel all the same. Neither peer grades several notebooks at
once: two jobs are two courses side by side. The peers have asserts in the questions that need no training, and gave all
their points. nbgrader leaves out what it has graded unless it is forced, otter grades it again."""


@dataclass(frozen=True)
class Cost:
    """What a grading cost; memory is of all its processes together, 0 where it was not looked at."""

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int = 0

    def divided(self, by: int) -> Cost:
        return replace(self, cpu_seconds=self.cpu_seconds / by, wall_seconds=self.wall_seconds / by)


@dataclass(frozen=True)
class Measured:
    """The costs of one grader. ``literal`` is one cold grading with all epochs; it is extrapolated for the peers."""

    cold: Cost
    warm: Cost
    one_job: Cost
    two_jobs: Cost
    literal: Cost
    cached: Cost | None = None


@dataclass(frozen=True)
class Epoch:
    """What one epoch costs, and how many of them the reference asks for in all its fits."""

    cpu_seconds: float
    wall_seconds: float
    fits: int

    def literal(self, cost: Cost, epochs: int = EPOCHS) -> Cost:
        """Return what a grading would cost with so many epochs a fit, from its cost with one."""
        more = self.fits * (epochs - 1)
        return replace(
            cost,
            cpu_seconds=cost.cpu_seconds + more * self.cpu_seconds,
            wall_seconds=cost.wall_seconds + more * self.wall_seconds,
        )


def reference() -> Notebook:
    """Return the reference as a student hands it in."""
    examples = import_module("make_examples")
    answers = examples.reference_answers(notebooks.read("source"))
    notebook: Notebook = examples.filled_in(notebooks.read("release"), answers)
    return notebook


def distinct(notebook: Notebook, number: int) -> Notebook:
    """Return a notebook that differs from all others by a comment, lest one be taken for the other."""
    cells = [dict(cell) for cell in notebook["cells"]]
    cell = next(cell for cell in cells if notebooks.grade_id_of(cell) == "load-data-answer")
    cell["source"] = f"# submission {number}\n" + notebooks.source_of(cell)
    return {**notebook, "cells": cells}


def measure_ours(notebook: Notebook, folder: Path) -> Measured:
    """Measure the command line in new processes, and one warm process."""

    def write(name: str, count: int) -> Path:
        for number in range(count):
            target = folder / name / f"student-{number}" / "autoencoders" / "autoencoders.ipynb"
            target.parent.mkdir(parents=True)
            target.write_text(json.dumps(distinct(notebook, number)), encoding="utf-8")
        return folder / name

    def grade(path: Path, cache: str, jobs: int) -> Cost:
        arguments = ["grade", str(path), "--out", str(folder / f"graded-{cache}"), "--jobs", str(jobs)]
        usage = speed.command(arguments, folder / f"cache-{cache}")
        return Cost(usage.cpu_seconds, usage.wall_seconds, usage.peak_bytes)

    single, several = write("single", 1), write("several", 2 * OURS_EACH_JOB)
    say("ours, one notebook, cold and cached")
    cold, cached = grade(single, "single", 1), grade(single, "single", 1)
    say("ours, several notebooks, one job and two")
    one, two = grade(several, "one", 1), grade(several, "two", 2)
    say("ours, warm")
    warm = _warm(next(single.rglob("*.ipynb")), folder / "cache-warm")
    count = 2 * OURS_EACH_JOB
    return Measured(cold, warm, one.divided(count), two.divided(count), literal=cold, cached=cached)


def _warm(path: Path, cache: Path) -> Cost:
    from autograder import assignment
    from autograder.grade import Grader, Settings

    os.environ["AUTOGRADER_CACHE"] = str(cache)
    cpu, wall = [], []
    with Grader(assignment.load(COURSE, "autoencoders"), Settings(use_cache=False)) as grader:
        grader.grade(path, "warm-up")  # pays the imports and the one training of this design
        for _ in range(WARM_REPETITIONS):
            before, started = time.process_time(), time.monotonic()
            report = grader.grade(path, "warm")
            wall.append(time.monotonic() - started)
            cpu.append(time.process_time() - before + report.execution.cpu_seconds)
    return Cost(statistics.median(cpu), statistics.median(wall))


def measure_peer(peer: courses.Peer, notebook: Notebook, source: Notebook, folder: Path, epoch: Epoch) -> Measured:
    """Measure one process that grades two submissions, one after the other, and two processes side by side."""
    submissions = [courses.Submission(f"student-{number}", distinct(notebook, number)) for number in range(4)]
    names = ("one", "left", "right")
    members = (submissions[:2], submissions[2:3], submissions[3:])
    for name, mine in zip(names, members, strict=True):
        courses.make(peer, mine, folder / name, source=source)
    say(f"{peer}, two notebooks, one after the other")
    cold, warm = _run(peer, folder / "one", ["student-0", "student-1"])
    say(f"{peer}, two notebooks, side by side")
    costs: dict[str, Cost] = {}

    def work(name: str, student: str) -> None:
        (costs[name],) = _run(peer, folder / name, [student])

    started = time.monotonic()
    threads = [threading.Thread(target=work, args=pair) for pair in (("left", "student-2"), ("right", "student-3"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.monotonic() - started
    if len(costs) < 2:
        raise SystemExit(f"{peer} failed with two jobs")
    both = Cost(sum(c.cpu_seconds for c in costs.values()), wall, sum(c.peak_bytes for c in costs.values()))
    one = Cost(cold.cpu_seconds + warm.cpu_seconds, cold.wall_seconds + warm.wall_seconds, warm.peak_bytes)
    return Measured(cold, warm, one.divided(2), both.divided(2), literal=epoch.literal(cold))


def _run(peer: courses.Peer, folder: Path, students: Sequence[str]) -> list[Cost]:
    """Grade students in one process; return the cost of each, the first with the start of the process."""
    costs: list[Cost] = []
    started, cpu = time.monotonic(), 0.0
    with contextlib.ExitStack() as stack:
        process = courses.start(peer, folder, students)
        stack.callback(process.wait)
        usage = stack.enter_context(speed.watched(process.pid))
        assert process.stdout is not None
        for text in process.stdout:
            line = json.loads(text)
            if "ready" in line:
                continue
            usage.sample(process.pid)
            _expect_full_points(peer, line)
            now, used = time.monotonic(), usage.cpu_seconds
            costs.append(Cost(used - cpu, now - started, usage.peak_bytes))
            started, cpu = now, used
        process.stdout.close()
    if len(costs) < len(students):
        raise SystemExit(f"{peer} ended early:\n{(folder / 'log.txt').read_text(encoding='utf-8')[-2000:]}")
    return costs


def _expect_full_points(peer: str, line: Mapping[str, Any]) -> None:
    """See that what was measured is a whole grading: the reference has all points of the questions with asserts."""
    most = notebooks.points(notebooks.read("source"))
    found = {question: line["points"].get(question) for question in most}
    if line["trouble"] or found != most:
        raise SystemExit(f"{peer} graded the reference otherwise than expected: {line}")


def measure_epoch(notebook: Notebook) -> Epoch:
    """Measure an epoch in the peers' environment, and count the fits of the reference."""
    say("one epoch")
    wanted = (
        "given-imports",
        "build-encoder-answer",
        "build-decoder-answer",
        "given-build-autoencoder",
        "compile-answer",
    )
    code = "\n".join(notebooks.source_of(cell) for cell in notebook["cells"] if notebooks.grade_id_of(cell) in wanted)
    data = COURSE / "data" / "mnist.npz"
    done = subprocess.run(
        [str(courses.PYTHON), str(Path(__file__).parent / "peers" / "epoch.py"), str(data)],
        input=code, capture_output=True, text=True, check=False, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"an epoch can not be measured:\n{done.stderr[-2000:]}")
    cpu, wall = json.loads(done.stdout.splitlines()[-1])
    return Epoch(cpu, wall, count_fits(notebook))


def count_fits(notebook: Notebook) -> int:
    """Return how many fits the reference makes: one in each cell that trains, one for each dimension of the sweep."""
    fits = 0
    for cell in notebook["cells"]:
        text = notebooks.source_of(cell)
        if cell["cell_type"] != "code" or ".fit(" not in text:
            continue
        dimensions = re.search(r"for latent_dimension in \(([^)]*)\)", text)
        fits += len(dimensions[1].split(",")) if dimensions else 1
    return fits


def render(measured: Mapping[str, Measured], epoch: Epoch) -> str:
    """Return the part of the page: the table, the figure and how it was measured."""
    ours, nbgrader, otter = (measured[name] for name in ("ours", "nbgrader", "otter"))
    three = (ours, nbgrader, otter)
    rows = [
        ("epochs a fit", "recorded, not performed", "1", "1"),
        ("one notebook, cold", *(_cost(one.cold) for one in three)),
        ("one notebook, warm", *(_cost(one.warm) for one in three)),
        ("the same again, unchanged", _cost(ours.cached) if ours.cached else "", "", ""),
        ("several notebooks, one job, each", *(_cost(one.one_job) for one in three)),
        ("several notebooks, two jobs, each", *(_cost(one.two_jobs) for one in three)),
        ("peak memory, one job", *(_memory(one.one_job) for one in three)),
        ("peak memory, two jobs", *(_memory(one.two_jobs) for one in three)),
        (f"**extrapolated** to {EPOCHS} epochs a fit, cold", "as above", *(_cost(one.literal) for one in three[1:])),
    ]
    lines = ["| | ours | stock nbgrader | stock otter |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    ratios = [peer.warm.cpu_seconds / ours.warm.cpu_seconds for peer in three[1:]]
    literal = [peer.literal.cpu_seconds / ours.cold.cpu_seconds for peer in three[1:]]
    lines += [
        "",
        f"![CPU seconds of one notebook with ours, stock nbgrader and stock otter]({FIGURE.name})",
        "",
        f"Warm, ours needs {ratios[0]:.0f} times less CPU time than nbgrader and {ratios[1]:.0f} times less than "
        f"otter, which train one epoch a fit. Against {EPOCHS} epochs, extrapolated and cold, it needs "
        f"{literal[0]:.0f} and {literal[1]:.0f} times less. An epoch was measured with {epoch.cpu_seconds:.1f} CPU-s "
        f"({epoch.wall_seconds:.1f} s wall), and the notebook has {epoch.fits} fits: the extrapolation adds "
        f"{epoch.fits} · {EPOCHS - 1} epochs.",
        "",
        EXPLANATION,
    ]
    return "\n".join(lines)


def _cost(cost: Cost) -> str:
    return f"{_seconds(cost.cpu_seconds, 'CPU-s')}, {_seconds(cost.wall_seconds, 's wall')}"


def _seconds(value: float, unit: str) -> str:
    return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"


def _memory(cost: Cost) -> str:
    return f"{cost.peak_bytes / 1e9:.1f} GB"


def draw(measured: Mapping[str, Measured], path: Path) -> None:
    """Draw the CPU seconds of one notebook, logarithmic, on a card that can be read on light and dark pages."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "peers", "font.family": "sans-serif"})
    import matplotlib.pyplot as plt

    ours, nbgrader, otter = (measured[name] for name in ("ours", "nbgrader", "otter"))
    bars: list[tuple[str, float, str, bool]] = [
        ("ours, warm", ours.warm.cpu_seconds, OURS, False),
        ("ours, cold", ours.cold.cpu_seconds, OURS, False),
        ("nbgrader, 1 epoch a fit", nbgrader.cold.cpu_seconds, PEER, False),
        ("otter, 1 epoch a fit", otter.cold.cpu_seconds, PEER, False),
        (f"nbgrader, {EPOCHS} epochs (extrapolated)", nbgrader.literal.cpu_seconds, PEER, True),
        (f"otter, {EPOCHS} epochs (extrapolated)", otter.literal.cpu_seconds, PEER, True),
    ]
    if ours.cached:
        bars.insert(0, ("ours, unchanged", ours.cached.cpu_seconds, OURS, False))
    figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained", facecolor="white", edgecolor=LINE, linewidth=1.5)
    for position, (_, value, colour, extrapolated) in enumerate(bars):
        face, hatch = ("white", "///") if extrapolated else (colour, None)
        ax.barh(position, value, edgecolor=colour, facecolor=face, hatch=hatch)
        ax.annotate(
            f"{value:,.0f}" if value >= 10 else f"{value:.1f}",
            (value, position),
            (4, 0),
            textcoords="offset points",
            va="center",
            color=TEXT,
            fontsize=9,
        )
    ax.set_yticks(range(len(bars)), [name for name, *_ in bars], color=TEXT)
    ax.invert_yaxis()
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    ax.margins(x=0.12)
    ax.set_xlabel("CPU seconds for one notebook (logarithmic)", color=TEXT)
    ax.tick_params(colors=TEXT)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    figure.savefig(path, format="svg", metadata={"Date": None}, facecolor="white", edgecolor=LINE)
    plt.close(figure)


def say(text: str) -> None:
    print(f"measuring: {text}", file=sys.stderr, flush=True)


def measure(quick: bool) -> tuple[dict[str, Measured], Epoch]:
    """Measure all three; without any training of the notebook's own where it must be quick."""
    whole, source = reference(), notebooks.read("source")
    one_epoch = notebooks.cut(whole) if quick else notebooks.with_epochs(whole, 1)
    epoch = measure_epoch(whole)
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        measured = {"ours": measure_ours(notebooks.cut(whole) if quick else whole, Path(folder, "ours"))}
        for peer in courses.PEERS:
            course = notebooks.cut(source) if quick else source
            measured[peer] = measure_peer(peer, one_epoch, course, Path(folder, peer), epoch)
    return measured, epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave out what trains; print, and draw into build/ only")
    quick = parser.parse_args().quick
    if trouble := courses.missing():
        raise SystemExit(trouble)
    sys.path.insert(0, str(COURSE / "examples"))
    measured, epoch = measure(quick)
    figures = render(measured, epoch)
    if quick:
        print("Tried without what trains: these are no figures for the page.\n")
    print(figures)
    if quick:
        (COURSE / "build").mkdir(exist_ok=True)
        draw(measured, COURSE / "build" / FIGURE.name)
        return
    draw(measured, FIGURE)
    if f"<!-- {PART}: begin -->" not in (text := PAGE.read_text(encoding="utf-8")):
        PAGE.write_text(text + HEADING, encoding="utf-8")
    page.put(PAGE, figures, PART)


if __name__ == "__main__":
    main()
