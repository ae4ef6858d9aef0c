"""Grade the corpus with ours, stock nbgrader and stock otter, and write how often each errs to docs/accuracy.md.

    python benchmarks/peers_accuracy.py                    all of it
    python benchmarks/peers_accuracy.py --only decoder     variants whose names contain the text; writes no page
    python benchmarks/peers_accuracy.py --every 6          each sixth variant, for a first look; writes no page

The questions are those that need no training; the cells of the others are left out, for all three graders alike, and
variants in which nothing else differs from the reference are left out as well. The peers run in `.venv-peers`, which
`make setup-peers` makes, with the asserts of `benchmarks/peers/asserts.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import page
from peers import courses, notebooks, verdicts
from peers.notebooks import COURSE, NAME, QUESTIONS

PAGE = COURSE / "docs" / "accuracy.md"
PART = "peers"
GRADERS = {"ours": "ours", "nbgrader": "stock nbgrader", "otter": "stock otter"}
HEADING = "\n## Compared with stock nbgrader and stock otter\n\n<!-- peers: begin -->\n<!-- peers: end -->\n"


@dataclass(frozen=True)
class Chosen:
    """The submissions that are compared, what each question of theirs deserves, and how many were left out."""

    submissions: Sequence[courses.Submission]
    expected: Mapping[str, Mapping[str, verdicts.Expected]]
    untouched: int
    training: int


def choose(variants: Sequence[Any], only: str = "", every: int = 1) -> Chosen:
    """Choose from the corpus what can be compared on the questions without training."""
    submissions, expected, untouched, training = [], {}, 0, 0
    examples = importlib.import_module("make_examples")
    answers = examples.reference_answers(notebooks.read("source"))
    reference = notebooks.cut(examples.filled_in(notebooks.read("release"), answers))
    seen = {json.dumps(reference)}
    for variant in variants:
        whole = variant.document()
        document = notebooks.cut(whole)
        deserved = verdicts.expected(QUESTIONS, variant.fails, (*variant.waits, *variant.skips))
        written = variant.written or (examples.as_colab_script if variant.suffix == ".py" else json.dumps)
        submission = courses.Submission(variant.student, document, variant.suffix, written)
        text = submission.text()
        if text in seen:
            untouched += 1
        elif notebooks.trains(document) or notebooks.answers_elsewhere(whole):
            training += 1
        elif only in variant.student:
            submissions.append(submission)
            expected[variant.student] = deserved
        seen.add(text)
    kept = submissions[::every]
    return Chosen(kept, {one.student: expected[one.student] for one in kept}, untouched, training)


def grade_ours(submissions: Sequence[courses.Submission], folder: Path, jobs: int) -> dict[str, dict[str, Any]]:
    """Grade with the command line and a cache of its own; return the questions of each report by student."""
    for submission in submissions:
        target = folder / "submitted" / submission.student / NAME / f"{NAME}{submission.suffix}"
        target.parent.mkdir(parents=True)
        target.write_text(submission.text(), encoding="utf-8")
    command = [sys.executable, "-m", "autograder", "grade", str(folder / "submitted"), "--out", str(folder / "graded"),
               "--jobs", str(jobs), "--format", "json"]  # fmt: skip
    environment = os.environ | {"AUTOGRADER_CACHE": str(folder / "cache")}
    done = subprocess.run(command, cwd=COURSE, env=environment, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SystemExit(f"autograder grade ended with {done.returncode}")
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "graded").glob("*/report.json")]
    return {report["student"]: {one["id"]: one for one in report["questions"]} for report in reports}


@dataclass(frozen=True)
class Graded:
    """The verdicts of all graders on all submissions, what each grading cost, and why submissions had no result."""

    cases: Sequence[verdicts.Case]
    cost: Mapping[str, tuple[float, float]]
    trouble: Mapping[str, Mapping[str, str]]


def grade(chosen: Chosen, folder: Path, jobs: int) -> Graded:
    """Grade the same submissions with all three, one grader after the other."""
    points = notebooks.points(notebooks.read("source"))
    given: dict[str, dict[str, dict[str, verdicts.Verdict]]] = {student: {} for student in chosen.expected}
    cost: dict[str, tuple[float, float]] = {}
    trouble: dict[str, dict[str, str]] = {}
    with _cost("ours", cost):
        for student, questions in grade_ours(chosen.submissions, folder / "ours", jobs).items():
            given[student]["ours"] = {
                name: verdicts.verdict(questions[name]["score"], points[name], questions[name]["awaiting_review"])
                for name in QUESTIONS
            }
    for peer in courses.PEERS:
        with _cost(peer, cost):
            progress = _progress(peer, len(chosen.submissions))
            results = courses.grade(peer, chosen.submissions, folder / peer, jobs=jobs, progress=progress)
        trouble[peer] = {student: result.trouble for student, result in results.items() if result.trouble}
        for student, result in results.items():
            given[student][peer] = {
                name: verdicts.verdict(result.points.get(name, 0.0), points[name]) for name in QUESTIONS
            }
    cases = [verdicts.Case(student, chosen.expected[student], given[student]) for student in chosen.expected]
    return Graded(cases, cost, trouble)


@contextlib.contextmanager
def _cost(grader: str, cost: dict[str, tuple[float, float]]) -> Iterator[None]:
    print(f"grading with {GRADERS[grader]}", file=sys.stderr, flush=True)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    yield
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cost[grader] = cpu, time.monotonic() - started


def _progress(peer: str, count: int) -> Callable[[str], None]:
    done: list[str] = []

    def progress(student: str) -> None:
        done.append(student)
        print(f"{peer}: {len(done)} of {count} ({student})", file=sys.stderr, flush=True)

    return progress


def render(chosen: Chosen, graded: Graded) -> str:
    """Return the part of the page."""
    count = len(graded.cases)
    lines = [
        f"The questions that need no training ({', '.join(QUESTIONS)}), in {count} variants of the corpus, graded by "
        "all three from the same notebooks, without the cells of the other questions. The peers grade with the asserts "
        "of `benchmarks/peers/asserts.py`, written from the statement before the corpus was there, as a careful "
        "instructor would; `make accuracy-peers` grades again. Left out are "
        f"{chosen.untouched} variants which differ from the reference, or from one another, in other questions only, "
        f"and {chosen.training} which train in a cell that answers one of these.",
        "",
        *verdicts.table(graded.cases, GRADERS),
        _cost_row(graded.cost, count),
        "",
        "A variant is failed when a question in which all is right loses points, and passed when a question in which "
        "something is wrong gets all of them. In which questions, with up to three of them by name:",
        "",
        *verdicts.kinds(graded.cases, GRADERS),
    ]
    for peer, reasons in graded.trouble.items():
        if reasons:
            named = ", ".join(f"`{student}`" for student in sorted(reasons))
            lines += ["", f"{GRADERS[peer].capitalize()} gave no result at all for {len(reasons)}: {named}."]
    return "\n".join(lines)


def _cost_row(cost: Mapping[str, tuple[float, float]], count: int) -> str:
    return f"| CPU seconds a submission | {' | '.join(f'{cost[grader][0] / count:.1f}' for grader in GRADERS)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="part of the names of variants; nothing is written to the page")
    parser.add_argument("--every", type=int, default=1, help="take each so-many-th variant; nothing is written")
    parser.add_argument("--jobs", type=int, default=2, help="submissions that are graded at once (default 2)")
    parser.add_argument("--out", type=Path, default=COURSE / "build" / "peers.json", help="where all verdicts go")
    parser.add_argument("--corpus", type=Path, default=COURSE / "tests" / "autograder", help="the folder of the corpus")
    options = parser.parse_args()
    if trouble := courses.missing():
        raise SystemExit(trouble)
    sys.path[:0] = [str(COURSE / "examples"), str(options.corpus)]
    variants = importlib.import_module("corpus.grading").variants()
    chosen = choose(variants, options.only, options.every)
    print(f"{len(chosen.submissions)} of {len(variants)} variants are compared", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        graded = grade(chosen, Path(folder), options.jobs)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    report = {"cases": verdicts.as_json(graded.cases), "cost": graded.cost, "trouble": graded.trouble}
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    figures = render(chosen, graded)
    print(figures)
    if not options.only and options.every == 1:
        if f"<!-- {PART}: begin -->" not in (
            text := PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Accuracy\n"
        ):
            PAGE.write_text(text + HEADING, encoding="utf-8")
        page.put(PAGE, figures, PART)


if __name__ == "__main__":
    main()
