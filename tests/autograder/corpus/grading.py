"""The corpus graded by the real command line, and each report compared with what is expected."""

from __future__ import annotations

import importlib
import json
import math
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus import right, wrong
from corpus.bundles import bundled, together
from corpus.variant import ROOT, Variant

Report = dict[str, Any]
STEP = 0.5
DENOISING, TRAINED = "denoising-error", {"build-encoder", "build-decoder", "compile"}
# Variants in one notebook; more would say less about what goes wrong.
MOST = 8


@dataclass(frozen=True)
class Graded:
    """A variant, the notebook in which it was handed in (alone, or together with others), and the report."""

    variant: Variant
    notebook: Variant
    others: tuple[Variant, ...]
    report: Report

    @property
    def foreign(self) -> set[str]:
        """The questions that the others answer: what happens there is theirs."""
        foreign = {question for other in self.others for question in other.questions} - self.variant.questions
        # Each of two changes of the network may be trained well, and both of them not.
        members = [other for other in (self.variant, *self.others) if other.questions & TRAINED]
        return foreign | ({DENOISING} if len(members) > 1 else set())

    @property
    def differences(self) -> list[str]:
        """Sentences that say where the report is not what is expected of the variant; none when all is well."""
        found = [*_checks_differ(self.notebook, self.report), *_points_differ(self.notebook, self.report)]
        kept = [sentence for question, sentence in found if question not in self.foreign]
        return [*kept, *_findings_differ(self.notebook, self.report), *_unsaid(self.variant, self.report)]

    def ended(self, *statuses: str) -> set[str]:
        """Return the checks that ended with one of the statuses, without those of others and of left out questions."""
        return {
            check["id"]
            for question in self.report["questions"]
            if question["id"] not in {*self.foreign, *self.notebook.without}
            for check in question["checks"]
            if check["status"] in statuses
        }


def variants() -> list[Variant]:
    """Return the whole corpus, the right ones first; names are unique."""
    found = [
        variant
        for package in (right, wrong)
        for about in pkgutil.iter_modules(package.__path__)
        for variant in importlib.import_module(f"{package.__name__}.{about.name}").VARIANTS
    ]
    students = [variant.student for variant in found]
    twice = {student for student in students if students.count(student) > 1}
    if twice:
        raise ValueError(f"named twice: {', '.join(sorted(twice))}")
    return found


def grade(chosen: Sequence[Variant], folder: Path, *, apart: bool = False, jobs: int = 2) -> dict[str, Graded]:
    """Hand variants in below a folder, grade them with a cache of their own, and return the outcomes by student.

    Several of them share one notebook where none touches a question of another one, unless they are graded
    ``apart``; right ones are never in a notebook with wrong ones. Where a notebook that is shared is not as expected,
    its members are graded once more, apart: that decides.
    """
    graded = _graded(chosen, folder, apart, jobs)
    doubtful = {
        one.variant.student: one.variant
        for outcome in graded.values()
        if outcome.others and outcome.differences
        for one in (outcome, *(graded[other.student] for other in outcome.others))
    }
    return graded | (_graded(list(doubtful.values()), folder / "apart", True, jobs) if doubtful else {})


def _graded(chosen: Sequence[Variant], folder: Path, apart: bool, jobs: int) -> dict[str, Graded]:
    groups = [
        group for kind in (True, False) for group in bundled(_widest_first(chosen, kind), most=1 if apart else MOST)
    ]
    notebooks = {f"notebook-{number:03}": group for number, group in enumerate(groups)}
    notebooks = {group[0].student if len(group) == 1 else name: group for name, group in notebooks.items()}
    made = {name: group[0] if len(group) == 1 else together(group, name) for name, group in notebooks.items()}
    reports = _grade(made, folder, jobs)
    return {
        variant.student: Graded(variant, made[name], tuple(one for one in group if one is not variant), reports[name])
        for name, group in notebooks.items()
        for variant in group
    }


def _widest_first(chosen: Sequence[Variant], kind: bool) -> list[Variant]:
    """Return the right or the wrong ones; those that touch many questions come first, which fills fewer notebooks."""
    return sorted((variant for variant in chosen if variant.right is kind), key=lambda one: -len(one.questions))


def _grade(notebooks: Mapping[str, Variant], folder: Path, jobs: int) -> dict[str, Report]:
    for name, variant in notebooks.items():
        target = folder / "submitted" / name / "autoencoders" / f"autoencoders{variant.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(variant.text(), encoding="utf-8")
    command = [sys.executable, "-m", "autograder", "grade", str(folder / "submitted"), "--out", str(folder / "graded")]
    options = ["--jobs", str(jobs), "--isolation", "namespaces", "--format", "json"]
    environment = os.environ | {"AUTOGRADER_CACHE": str(folder / "cache")}
    done = subprocess.run([*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"autograder grade ended with {done.returncode}:\n{done.stderr}")
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "graded").glob("*/report.json")]
    return {report["student"]: report for report in reports}


def _checks_differ(variant: Variant, report: Report) -> Iterator[tuple[str, str]]:
    """Yield questions and sentences: which checks ended, or say, something else than they must."""
    expected = {
        **dict.fromkeys(variant.fails, "failed"),
        **dict.fromkeys(variant.waits, "needs_review"),
        **dict.fromkeys(variant.skips, "skipped"),
    }
    parts = {**{check: lost.says for check, lost in variant.losses.items()}, **variant.waits}
    checks = {check["id"]: check for check in _checks(report)}
    for unknown in sorted(set(expected) - set(checks)):
        yield unknown.partition("/")[0], f"there is no check {unknown}"
    for name, check in checks.items():
        question = name.partition("/")[0]
        wanted = expected.get(name, "failed" if question in variant.without else "passed")
        if check["status"] != wanted:
            found = f"{check['status']} found ({check['message'] or 'no message'})"
            yield question, f"{name}: {wanted} expected, {found}"
        if parts.get(name, "") not in check["message"]:
            yield question, f"{name}: {parts[name]!r} is not in {check['message']!r}"
        lost = variant.losses.get(name)
        if lost is not None and check["status"] == "failed" and check["finding"] != lost.finding:
            yield question, f"{name}: the finding {lost.finding} expected, {check['finding']} found"


def _points_differ(variant: Variant, report: Report) -> Iterator[tuple[str, str]]:
    """Yield questions and sentences: where more or less is lost than the shares of the checks that must fail."""
    losses = variant.losses
    for question in report["questions"]:
        name, points, checks = question["id"], question["max_score"], question["checks"]
        if not checks:
            continue
        found = question["score"] + question["awaiting_review"]
        sharing = [check for check in checks if variant.skips.get(check["id"]) != name]
        weights = sum(check["weight"] for check in sharing)
        lost = sum(check["weight"] * losses[check["id"]].cost for check in sharing if check["id"] in losses)
        possible = _rounded(points, 1 - lost / weights) if lost else points
        possible = 0 if name in variant.without else possible
        if found != possible:
            yield name, f"{name}: {points - possible} points lost expected, {points - found} found"


def _findings_differ(notebook: Variant, report: Report) -> Iterator[str]:
    expected = {lost.finding for lost in notebook.losses.values() if lost.finding} | set(notebook.mentions)
    if set(report["findings"]) != expected:
        yield f"findings: {sorted(expected)} expected, {sorted(report['findings'])} found"


def _unsaid(variant: Variant, report: Report) -> Iterator[str]:
    told = [told for told in [*report["notes"], *(check["message"] for check in _checks(report))] if told]
    for part in variant.says:
        if not any(part in one for one in told):
            yield f"nowhere is said {part!r}; what is said: {told}"


def _rounded(points: float, share: float) -> float:
    """Return the points of a question of which something is lost: rounded to half points, at least one step less."""
    return max(0.0, min(math.floor(points * share / STEP + 0.5 + 1e-9) * STEP, points - STEP))


def _checks(report: Report) -> list[dict[str, Any]]:
    return [check for question in report["questions"] for check in question["checks"]]
