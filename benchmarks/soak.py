"""Grade hundreds of mixed submissions in one run, watch what grows, and compare with a second run in another order.

    python benchmarks/soak.py                                300 submissions, two rounds; writes docs/soak.md
    python benchmarks/soak.py --submissions 40 --rounds 1    a quick look, nothing is written

Each submission differs from all others, and each round has a cache of its own, so that everything is graded. Exits
with 1 where something grows beyond its bound, where something is left, or where two rounds differ.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COURSE = Path(__file__).resolve().parent.parent
PAGE = COURSE / "docs" / "soak.md"
SUBMISSIONS = 300
ROUNDS = 2
JOBS = 2
SAMPLE_WALL_SECONDS = 2.0
MEBIBYTE = 1024 * 1024
SWEEP = "best-latent-dimension"
SHARE_COMPLETE, SHARE_HOSTILE, SHARE_BROKEN = 0.2, 0.3, 0.1
MOST_HOSTILE = 0.5

Answers = dict[str, str]
Notebook = dict[str, Any]

# What is sampled, its unit, and how much more its median may be in the last third of a run than in the first.
# Workers build many Keras models, of which TensorFlow keeps some; a leak of one image set would be 180 MB.
BOUNDS: Mapping[str, tuple[str, float]] = {
    "memory of the parent": ("MiB", 15.0),
    "memory of a worker": ("MiB", 150.0),
    "memory of the fork server": ("MiB", 15.0),
    "descriptors of the parent": ("", 3.0),
    "descriptors of a worker": ("", 3.0),
    "descriptors of the fork server": ("", 3.0),
    "processes outside of sandboxes": ("", 0.0),
    "processes in sandboxes": ("", 8.0),
    "mounts": ("", 0.0),
    "temporary files and folders": ("", 3.0),
    "control groups": ("", 2.0),
}


@dataclass(frozen=True)
class Submission:
    """One submission: what kind of work it is, and the file as it is handed in."""

    label: str
    kind: str
    suffix: str
    content: bytes
    by_chance: bool = False


# --- what is handed in ------------------------------------------------------------------------------


def read(kind: str) -> Notebook:
    notebook: Notebook = json.loads((COURSE / kind / "autoencoders" / "autoencoders.ipynb").read_text(encoding="utf-8"))
    return notebook


class Class:
    """Makes the submissions of a class; ``stack`` holds what hostile ones may aim at."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        sys.path[:0] = [str(COURSE / "examples"), str(COURSE / "tests" / "autograder" / "attacks")]
        self._examples = importlib.import_module("make_examples")
        self._reference: Answers = self._examples.reference_answers(read("source"))
        self._release = read("release")
        self._payloads = payloads()
        surroundings = importlib.import_module("surroundings").Surroundings()
        self._aimed, self._surroundings = surroundings.aimed, stack.enter_context(surroundings)

    def reached(self) -> int:
        """Return how many connections came out of the sandboxes."""
        return len(self._surroundings.reached)

    def make(self, count: int, seed: int) -> list[Submission]:
        """Return so many submissions, of all kinds, every payload among them where there is room."""
        hostile = max(int(count * SHARE_HOSTILE), min(len(self._payloads), int(count * MOST_HOSTILE)))
        complete, broken = int(count * SHARE_COMPLETE), int(count * SHARE_BROKEN)
        numbers = iter(range(count))
        made = [self._complete(next(numbers)) for _ in range(complete)]
        order = list(self._payloads)
        random.Random(seed).shuffle(order)
        made += [self._hostile(next(numbers), order[n % len(order)]) for n in range(hostile)]
        made += [self._broken(next(numbers)) for _ in range(broken)]
        made += [self._cheap(number) for number in numbers]
        return made

    def _notebook(self, answers: Answers, number: int) -> Notebook:
        # The digest is over the sources as they are: a comment makes a notebook another one.
        marked = {**answers, "load-data": f"# submission {number}\n" + answers.get("load-data", "")}
        notebook: Notebook = self._examples.filled_in(self._release, marked)
        return notebook

    def _submission(self, number: int, kind: str, name: str, answers: Answers) -> Submission:
        content = json.dumps(self._notebook(answers, number)).encode()
        return Submission(f"{kind}-{number:03}-{name}", kind, ".ipynb", content)

    def _example(self, names: Sequence[str], number: int) -> tuple[str, Answers]:
        name = names[number % len(names)]
        answers = dict(self._reference)
        self._examples.EXAMPLES[name](answers)
        return name, answers

    def _complete(self, number: int) -> Submission:
        name, answers = self._example(COMPLETE, number)
        return self._submission(number, "complete", name, answers)

    def _cheap(self, number: int) -> Submission:
        """Honest, right or wrong, without the comparison of dimensions, which is most of the work."""
        name, answers = self._example([*COMPLETE, *WRONG], number)
        del answers[SWEEP]
        if number % 2:
            # Plots and predictions are the rest of it.
            for question in ("reconstructions", "encode", "latent-space", "denoised-images"):
                del answers[question]
        return self._submission(number, "honest", name, answers)

    def _hostile(self, number: int, name: str) -> Submission:
        payload = self._payloads[name]
        answers = {**self._reference, payload.question: self._aimed(payload.code, name)}
        if payload.question != SWEEP:
            del answers[SWEEP]
        notebook = self._notebook(answers, number)
        if payload.edit:
            payload.edit(notebook)
        content = json.dumps(notebook).encode()
        return Submission(f"hostile-{number:03}-{name}", "hostile", ".ipynb", content, payload.by_chance)

    def _broken(self, number: int) -> Submission:
        make = list(BROKEN)[number % len(BROKEN)]
        label = f"broken-{number:03}-{make}"
        if callable(change := BROKEN[make]):
            answers = dict(self._reference)
            del answers[SWEEP]
            change(answers)
            return Submission(label, "broken", ".ipynb", json.dumps(self._notebook(answers, number)).encode())
        return Submission(label, "broken", ".ipynb", change + b" " * number)


COMPLETE = ("ada-reference", "bo-functional", "chen-same-padding", "dina-add-and-huge-sweep")
WRONG = (
    "elif-third-pooling", "farid-wrong-filters", "gita-labels-as-target", "hugo-fixed-dimension", "ines-wrong-loss",
    "jonas-one-model", "omar-patches-everything", "pia-forges-results",
)  # fmt: skip


def answer(question: str, code: str) -> Callable[[Answers], None]:
    def change(answers: Answers) -> None:
        answers[question] = code

    return change


BROKEN: Mapping[str, Callable[[Answers], None] | bytes] = {
    "blank": lambda answers: answers.clear(),
    "cut off": b'{"cells": [{"cell_type": "code", "source": "x = 1',
    "syntax error": answer("plot-digits", "plt.imshow(X_train[0]\n"),
    "dead kernel": answer("plot-digits", "import ctypes\nctypes.string_at(0)\n"),
    "no notebook": b"<!DOCTYPE html><html><body>Please log in</body></html>",
    "exception at the start": answer("load-data", "raise FileNotFoundError('mnist.npz')\n"),
    "a document": b"%PDF-1.7",
    "exit": answer("fit", "exit()\n"),
    "waiting for input": answer("fit", "answer = input('How many epochs? ')\n"),
    "an endless loop": answer("plot-digits", "while True:\n    pass\n"),
}


def payloads() -> dict[str, Any]:
    """Return all hostile payloads by a name that can stand in a path."""
    return {payload.slug: payload for payload in importlib.import_module("batch").ALL.values()}


# --- what is seen meanwhile -------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """What was seen at one moment, when so many submissions were done."""

    done: int
    values: Mapping[str, float]


def take_sample(root: int, done: int, temporary: Path) -> Sample | None:
    """Look at all processes below the parent of a batch; None while it starts or ends."""
    parents, commands = processes()
    children = [process for process, parent in parents.items() if parent == root]
    workers = [process for process in children if "spawn_main" in commands[process]]
    servers = [process for process in children if "autograder.sandbox.forkserver" in commands[process]]
    if not workers or not servers:
        return None
    below, new = {root}, {root}
    while new := {process for process, parent in parents.items() if parent in new} - below:
        below |= new
    outside = {root, *children, *(p for p, parent in parents.items() if parent in workers)}
    try:
        values = {
            "memory of the parent": resident(root),
            "memory of a worker": max(map(resident, workers)),
            "memory of the fork server": max(map(resident, servers)),
            "descriptors of the parent": descriptors(root),
            "descriptors of a worker": max(map(descriptors, workers)),
            "descriptors of the fork server": max(map(descriptors, servers)),
            "processes outside of sandboxes": len(outside),
            "processes in sandboxes": len(below - outside),
            "mounts": mounts(),
            "temporary files and folders": entries(temporary),
            "control groups": control_groups(),
        }
    except OSError:
        return None
    return Sample(done, values)


def processes() -> tuple[dict[int, int], dict[int, str]]:
    """Return the parent and the command line of every process of this machine."""
    parents, commands = dict[int, int](), dict[int, str]()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            parents[int(folder.name)] = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            commands[int(folder.name)] = command
    return parents, commands


def resident(process: int) -> float:
    """Return the resident memory of a process in MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MEBIBYTE


def descriptors(process: int) -> int:
    return sum(1 for _ in Path(f"/proc/{process}/fd").iterdir())


def mounts() -> int:
    return len(Path("/proc/self/mountinfo").read_text().splitlines())


def entries(folder: Path) -> int:
    return sum(len(folders) + len(files) for _, folders, files in os.walk(folder))


def control_groups() -> int:
    return sum(1 for _ in Path("/sys/fs/cgroup").glob("**/autograder*"))


# --- one round --------------------------------------------------------------------------------------


@dataclass
class Round:
    """One run of the command line over all submissions."""

    samples: list[Sample] = field(default_factory=list)
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    trainings: int = 0


def run_round(submissions: Sequence[Submission], folder: Path, jobs: int, seed: int) -> Round:
    """Grade all submissions in a random order with an empty cache, and say what is left afterwards."""
    order = list(submissions)
    random.Random(seed).shuffle(order)
    temporary, submitted, out = folder / "t", folder / "submitted", folder / "out"
    temporary.mkdir(parents=True)
    for position, submission in enumerate(order):
        home = submitted / f"{position:03}-{submission.label}".replace(" ", "-") / "autoencoders"
        home.mkdir(parents=True)
        (home / f"autoencoders{submission.suffix}").write_bytes(submission.content)
    environment = os.environ | {
        "AUTOGRADER_CACHE": str(folder / "cache"), "TMPDIR": str(temporary), "TF_CPP_MIN_LOG_LEVEL": "3"
    }  # fmt: skip
    command = [sys.executable, "-m", "autograder", "grade", str(submitted), "--out", str(out), "--jobs", str(jobs)]
    before = (mounts(), control_groups(), resource.getrusage(resource.RUSAGE_CHILDREN))
    result, started = Round(), time.monotonic()
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            [*command, "--format", "json"], cwd=COURSE, env=environment, stdout=subprocess.DEVNULL, stderr=errors
        )
    with process, watched(process.pid, folder / "errors", temporary, result.samples):
        code = process.wait()
    result.wall_seconds = time.monotonic() - started
    result.reports = reports(out, order)
    result.trainings = sum(1 for _ in (folder / "cache").glob("training*/*/*.json"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result.cpu_seconds = after.ru_utime + after.ru_stime - before[2].ru_utime - before[2].ru_stime
    # What runs in sandboxes is no child of ours that could be added up at its end.
    result.cpu_seconds += sum(report["execution"]["cpu_seconds"] for report in result.reports.values())
    said = (folder / "errors").read_text()
    if code not in (0, 2) or len(result.reports) != len(order):
        result.faults.append(f"exit code {code}, {len(result.reports)} of {len(order)} reports: {said[-500:]}")
    if "tried once more" in said:
        result.faults.append(f"{said.count('tried once more')} submissions were tried once more")
    result.faults += leftovers(temporary, before[0], before[1])
    if any(report["execution"]["from_cache"] for report in result.reports.values()):
        result.faults.append("some reports came from the cache")
    return result


@contextlib.contextmanager
def watched(process: int, errors: Path, temporary: Path, samples: list[Sample]) -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_WALL_SECONDS):
            done = errors.read_text().count("\n")
            if sample := take_sample(process, done, temporary):
                samples.append(sample)
                print(f"\r{done} done, worker {sample.values['memory of a worker']:.0f} MiB", end="", file=sys.stderr)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        print(file=sys.stderr)


def leftovers(temporary: Path, mounts_before: int, groups_before: int) -> list[str]:
    """Say what a batch that has ended has left behind."""
    deadline = time.monotonic() + 10
    while (left := processes_of(temporary)) and time.monotonic() < deadline:
        time.sleep(0.2)
    faults = [f"processes are left: {left}"] if left else []
    if names := sorted(path.name for path in temporary.iterdir()):
        faults.append(f"temporary files are left: {names}")
    if (now := mounts()) != mounts_before:
        faults.append(f"{now} mounts, {mounts_before} before")
    if (now := control_groups()) > groups_before:
        faults.append(f"{now} control groups, {groups_before} before")
    return faults


def processes_of(temporary: Path) -> list[int]:
    """Return the processes of a batch: fork server and sandboxes have its temporary folder in their command lines."""
    return [process for process, command in processes()[1].items() if str(temporary) in command]


def reports(out: Path, order: Sequence[Submission]) -> dict[str, dict[str, Any]]:
    """Return the reports by label."""
    found = {}
    for position, submission in enumerate(order):
        path = out / f"{position:03}-{submission.label}".replace(" ", "-") / "report.json"
        with contextlib.suppress(OSError):
            found[submission.label] = json.loads(path.read_bytes())
    return found


# --- what comes of it -------------------------------------------------------------------------------


def growth(samples: Sequence[Sample]) -> list[tuple[str, float, float, float, bool]]:
    """Return name, median of the first third, of the last, growth per 100 submissions, whether within bounds."""
    most = max((sample.done for sample in samples), default=0)
    # The first submissions pay for imports and first uses.
    first = [sample for sample in samples if min(10, most // 5) <= sample.done <= most / 3]
    last = [sample for sample in samples if sample.done >= 2 * most / 3]
    rows = []
    for name, (_, bound) in BOUNDS.items():
        if not first or not last:
            rows.append((name, 0.0, 0.0, 0.0, False))
            continue
        one, other = (statistics.median(sample.values[name] for sample in part) for part in (first, last))
        apart = statistics.median(s.done for s in last) - statistics.median(s.done for s in first)
        rows.append((name, one, other, 100 * (other - one) / max(apart, 1), other - one <= bound))
    return rows


def verdict(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what must be the same in every round."""
    fault = report["fault"] or {}
    return {
        "score": report["score"],
        "awaiting review": report["awaiting_review"],
        "status": report["status"],
        "findings": sorted(report["findings"]),
        "fault": fault.get("whose"),
        **{question["id"]: (question["score"], question["status"]) for question in report["questions"]},
    }


def differences(submissions: Sequence[Submission], rounds: Sequence[Round]) -> list[str]:
    """Say in which submissions, and in what, two rounds differ; those that differ by themselves are left out."""
    found = []
    compared = {submission.label for submission in submissions if not submission.by_chance}
    for other in rounds[1:]:
        for label in sorted(compared & rounds[0].reports.keys() & other.reports.keys()):
            one, two = verdict(rounds[0].reports[label]), verdict(other.reports[label])
            parts = [f"{key}: {one.get(key)} and {two.get(key)}" for key in one if one.get(key) != two.get(key)]
            if parts:
                found.append(f"{label}: {'; '.join(parts)}")
    return found


def outcome(report: Mapping[str, Any]) -> str:
    if report["fault"] and report["fault"]["whose"] == "grader":
        return "our fault"
    if report["status"] == "ungradable":
        return "not gradable"
    return "ended early" if report["fault"] else str(report["status"]).replace("_", " ")


def render(submissions: Sequence[Submission], rounds: Sequence[Round], jobs: int) -> str:
    """Return the page's figures."""
    lines = []
    for number, one in enumerate(rounds, start=1):
        minutes = one.wall_seconds / 60
        lines += [
            f"## Round {number}", "",
            f"{len(one.reports)} submissions with {jobs} jobs in {minutes:.1f} minutes: "
            f"{len(one.reports) / minutes:.1f} a minute, {one.cpu_seconds:.0f} CPU seconds, "
            f"{one.trainings} trainings of the grader's own.", "",
            "| what | first third | last third | growth per 100 submissions | bound of the growth | |",
            "|---|---|---|---|---|---|",
        ]  # fmt: skip
        for name, first, last, per_hundred, good in growth(one.samples):
            unit, bound = BOUNDS[name]
            lines.append(
                f"| {name} | {first:.0f} {unit} | {last:.0f} {unit} | {per_hundred:+.1f} {unit} | {bound:.0f} {unit} | "
                f"{'' if good else '**above**'} |"
            )
        lines += ["", *(f"- Fault: {fault}" for fault in one.faults), ""]
    lines += ["## Outcomes", "", "| kind | submissions | outcomes | scores |", "|---|---|---|---|"]
    for kind in dict.fromkeys(submission.kind for submission in submissions):
        graded = [rounds[0].reports[s.label] for s in submissions if s.kind == kind and s.label in rounds[0].reports]
        counts = Counter(map(outcome, graded))
        told = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        scores = [report["score"] for report in graded] or [0.0]
        lines.append(f"| {kind} | {len(graded)} | {told} | {min(scores):g} to {max(scores):g} |")
    if len(rounds) > 1:
        found = differences(submissions, rounds)
        chance = sum(submission.by_chance for submission in submissions)
        compared = len(submissions) - chance
        lines += ["", "## Differences between the rounds", ""]
        lines += [f"- {one}" for one in found] or [
            f"None: scores, statuses and findings of {compared} submissions are the same in both orders."
        ]
        lines += [f"- Not compared: {chance}, in which the moment decides what comes of it."] if chance else []
    return "\n".join(lines) + "\n"


HEAD = """# Soak

Hundreds of mixed submissions graded in one run, by `make soak` (`benchmarks/soak.py`): honest ones, broken ones and
every hostile one of `tests/autograder/attacks/`, each different from all others. Processes are looked at every two
seconds; the table compares the medians of the first and of the last third of a run, the first submissions left out.
A second round grades the same files in another order with an empty cache.

"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=SUBMISSIONS, help=f"how many (default {SUBMISSIONS})")
    parser.add_argument("--rounds", type=int, choices=(1, 2), default=ROUNDS, help=f"how many runs (default {ROUNDS})")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"workers (default {JOBS})")
    parser.add_argument("--seed", type=int, default=1, help="of the order (default 1)")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        # A short path: sockets lie in it.
        folder = Path(tempfile.mkdtemp(prefix="soak-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        group = Class(stack)
        submissions = group.make(options.submissions, options.seed)
        rounds = []
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            rounds.append(run_round(submissions, folder / str(number), options.jobs, options.seed + number))
        reached = group.reached()
    figures = render(submissions, rounds, options.jobs)
    if reached:
        figures += f"\n- Fault: {reached} connections came out of the sandbox\n"
    print(figures)
    if options.submissions >= SUBMISSIONS and options.rounds == ROUNDS:
        PAGE.write_text(HEAD + figures, encoding="utf-8")
    grown = [row for one in rounds for row in growth(one.samples) if not row[-1]]
    return int(bool(grown or reached or differences(submissions, rounds) or any(one.faults for one in rounds)))


if __name__ == "__main__":
    sys.exit(main())
