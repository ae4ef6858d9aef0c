"""The corpus graded by the real command line, and each report compared with what is expected."""

from __future__ import annotations

import importlib
import json
import math
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from corpus import right, wrong
from corpus.variant import ROOT, Variant

Report = dict[str, Any]
STEP = 0.5


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


def grade(chosen: Sequence[Variant], folder: Path, jobs: int = 2) -> dict[str, Report]:
    """Hand variants in below a folder and grade them with a cache of their own; return the reports by student."""
    for variant in chosen:
        target = folder / "submitted" / variant.student / "autoencoders" / f"autoencoders{variant.suffix}"
        target.parent.mkdir(parents=True)
        target.write_text(variant.text(), encoding="utf-8")
    command = [sys.executable, "-m", "autograder", "grade", str(folder / "submitted"), "--out", str(folder / "graded")]
    options = ["--jobs", str(jobs), "--isolation", "namespaces", "--format", "json"]
    environment = os.environ | {"AUTOGRADER_CACHE": str(folder / "cache")}
    done = subprocess.run([*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"autograder grade ended with {done.returncode}:\n{done.stderr}")
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "graded").glob("*/report.json")]
    return {report["student"]: report for report in reports}


def ended(variant: Variant, report: Report, *statuses: str) -> set[str]:
    """Return the checks that ended with one of the statuses, without those of questions that were left out."""
    return {
        check["id"]
        for question in report["questions"]
        if question["id"] not in variant.without
        for check in question["checks"]
        if check["status"] in statuses
    }


def differences(variant: Variant, report: Report) -> list[str]:
    """Return in sentences where a report is not what is expected of a variant; none when all is well."""
    return [*_checks_differ(variant, report), *_points_differ(variant, report), *_sentences_differ(variant, report)]


def _checks_differ(variant: Variant, report: Report) -> Iterator[str]:
    expected = {
        **dict.fromkeys(variant.fails, "failed"),
        **dict.fromkeys(variant.waits, "needs_review"),
        **dict.fromkeys(variant.skips, "skipped"),
    }
    checks = {check["id"]: check for check in _checks(report)}
    for unknown in sorted(set(expected) - set(checks)):
        yield f"there is no check {unknown}"
    for name, check in checks.items():
        left_out = name.partition("/")[0] in variant.without
        wanted = expected.get(name, "failed" if left_out else "passed")
        if check["status"] != wanted:
            yield f"{name}: {wanted} expected, {check['status']} found ({check['message'] or 'no message'})"
    for name, lost in variant.losses.items():
        if name in checks and lost.says not in checks[name]["message"]:
            yield f"{name}: {lost.says!r} is not in {checks[name]['message']!r}"
    for name, why in variant.waits.items():
        if name in checks and why not in checks[name]["message"]:
            yield f"{name}: {why!r} is not in {checks[name]['message']!r}"
    findings = {lost.finding for lost in variant.losses.values() if lost.finding} | set(variant.mentions)
    if set(report["findings"]) != findings:
        yield f"findings: {sorted(findings)} expected, {sorted(report['findings'])} found"


def _points_differ(variant: Variant, report: Report) -> Iterator[str]:
    """Compare the points that are lost with the shares of the checks that must fail."""
    for question in report["questions"]:
        if not question["checks"]:
            continue
        if question["id"] in variant.without:
            if question["score"] or question["awaiting_review"]:
                yield f"{question['id']} was left out, but has points"
            continue
        sharing = [check for check in question["checks"] if variant.skips.get(check["id"]) != question["id"]]
        weights = sum(check["weight"] for check in sharing)
        lost = sum(
            check["weight"] * variant.losses[check["id"]].cost for check in sharing if check["id"] in variant.losses
        )
        points = question["max_score"]
        possible = _rounded(points, 1 - lost / weights) if lost else points
        found = question["score"] + question["awaiting_review"]
        if found != possible:
            yield f"{question['id']}: {points - possible} points lost expected, {points - found} found"


def _sentences_differ(variant: Variant, report: Report) -> Iterator[str]:
    told = "\n".join([*report["notes"], *(check["message"] for check in _checks(report))])
    for part in variant.says:
        if part not in told:
            yield f"nowhere is said {part!r}; what is said:\n{told}"


def _rounded(points: float, share: float) -> float:
    """Return the points of a question of which something is lost: rounded to half points, at least one step less."""
    return max(0.0, min(math.floor(points * share / STEP + 0.5 + 1e-9) * STEP, points - STEP))


def _checks(report: Report) -> list[dict[str, Any]]:
    return [check for question in report["questions"] for check in question["checks"]]
