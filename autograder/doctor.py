"""What this machine can do: isolation, Python and packages, data, and the limits in force."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from autograder.errors import AutograderError
from autograder.sandbox import isolation
from autograder.sandbox.limits import GIBIBYTE, MEBIBYTE, Limits

Status = Literal["ok", "warning", "problem"]
_DISTRIBUTION = "autoencoders-autograder"
_OLDEST_PYTHON = (3, 11)
_SYMBOLS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. A ``problem`` stops grading, a ``warning`` does not; ``mend`` says what to do."""

    topic: Literal["isolation", "python", "packages", "data", "limits"]
    status: Status
    text: str
    mend: str = ""


def examine(root: Path) -> list[Finding]:
    """Look at everything that grading the course folder ``root`` needs on this machine; nothing is changed."""
    return [
        *_examine_isolation(),
        *_examine_python(),
        *_examine_packages(),
        *_examine_data(root / "data"),
        *_examine_limits(Limits()),
    ]


def can_grade(findings: list[Finding]) -> bool:
    """Tell whether nothing stands in the way of grading."""
    return all(finding.status != "problem" for finding in findings)


def render(findings: list[Finding]) -> str:
    """Return the findings as text for a terminal, topic by topic, the mend below each."""
    lines: list[str] = []
    topic = ""
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            lines += ["", topic] if lines else [topic]
        lines.append(f"  {_SYMBOLS[finding.status]}{finding.text}")
        lines += [f"            {line}" for line in finding.mend.splitlines()]
    lines += ["", "This machine can grade." if can_grade(findings) else "This machine can not grade yet."]
    return "\n".join(lines) + "\n"


def _examine_isolation() -> Iterator[Finding]:
    reports = [isolation.probe(name) for name in isolation.BACKENDS]
    one_is_complete = any(report.complete for report in reports)
    for report in reports:
        if report.complete:
            left = [f"left to others: {text}" for text in report.uncovered]
            yield Finding("isolation", "ok", f"{report.name}: complete, tried just now", "\n".join(left))
            continue
        # One complete backend is enough: what another one lacks is then only worth knowing.
        status: Status = "warning" if one_is_complete else "problem"
        yield Finding("isolation", status, f"{report.name}: not complete", "\n".join(report.missing))
    yield Finding("isolation", "ok", "none: no isolation at all, only when asked for by name")


def _examine_python() -> Iterator[Finding]:
    version = platform.python_version()
    text = f"Python {version} at {sys.executable}, on {platform.system()} {platform.release()}"
    if sys.version_info >= _OLDEST_PYTHON:
        yield Finding("python", "ok", text)
    else:
        oldest = ".".join(str(part) for part in _OLDEST_PYTHON)
        yield Finding("python", "problem", text, f"install Python {oldest} or later")


def _examine_packages() -> Iterator[Finding]:
    """Compare what is installed with what the project's own metadata ask for."""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(text) for text in metadata.requires(_DISTRIBUTION) or []]
    except metadata.PackageNotFoundError:
        yield Finding("packages", "problem", f"{_DISTRIBUTION} is not installed", "run: pip install -e .")
        return
    extras = sorted(metadata.metadata(_DISTRIBUTION).get_all("Provides-Extra") or [])
    for extra in ["", *extras]:
        for requirement in wanted:
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
            belongs = bool(extra) == (requirement.marker is not None and "extra" in str(requirement.marker))
            if applies and belongs:
                yield _examine_package(requirement.name, str(requirement.specifier), extra)


def _examine_package(name: str, specifier: str, extra: str) -> Finding:
    from packaging.specifiers import SpecifierSet

    mend = f"pip install -e '.[{extra}]'" if extra else "pip install -e ."
    purpose = f" (for {extra})" if extra else ""
    bad: Status = "warning" if extra else "problem"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding("packages", bad, f"{name}{purpose} is not installed", mend)
    if not SpecifierSet(specifier).contains(version, prereleases=True):
        return Finding("packages", bad, f"{name} {version}{purpose}, but {specifier} is needed", mend)
    return Finding("packages", "ok", f"{name} {version}{purpose}")


def _examine_data(folder: Path) -> Iterator[Finding]:
    from autograder import datasets

    try:
        names = sorted(datasets.digests(folder))
    except AutograderError as error:
        yield Finding("data", "problem", f"{folder} has no list of digests", str(error))
        return
    for name in names:
        try:
            datasets.verify(folder / name)
        except AutograderError as error:
            yield Finding("data", "problem", f"{name} is not the file it should be", str(error))
        else:
            yield Finding("data", "ok", f"{name}: digest verified")


def _examine_limits(limits: Limits) -> Iterator[Finding]:
    yield Finding(
        "limits",
        "ok",
        f"a submission: {limits.cell_cpu_seconds:g} CPU seconds a cell, {limits.notebook_cpu_seconds:g} in all, "
        f"{limits.memory_bytes / GIBIBYTE:g} GiB of memory, {limits.scratch_bytes / GIBIBYTE:g} GiB of files",
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    jobs = max(1, min(processors, int(memory / limits.memory_bytes)))
    text = f"this machine: {processors} processors, {memory / GIBIBYTE:.1f} GiB of memory"
    if memory < limits.memory_bytes:
        yield Finding("limits", "warning", text, "one submission may need more memory than there is")
    else:
        yield Finding("limits", "ok", f"{text}: --jobs {jobs} is safe")
    wanted = {
        "data segment": (resource.RLIMIT_DATA, limits.memory_bytes),
        "file size": (resource.RLIMIT_FSIZE, limits.file_bytes),
        "open files": (resource.RLIMIT_NOFILE, limits.open_files),
    }
    for name, (kind, value) in wanted.items():
        hard = resource.getrlimit(kind)[1]
        if hard not in (resource.RLIM_INFINITY, -1) and hard < value:
            text = f"the {name} of a process is bounded to {hard / MEBIBYTE:.0f} MiB here"
            if kind == resource.RLIMIT_NOFILE:
                text = f"a process may have {hard} {name} here"
            yield Finding("limits", "warning", text, "submissions get less than the documented limit; see ulimit -H")
