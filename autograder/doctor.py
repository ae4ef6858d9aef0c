"""What this machine can do: isolation, Python and packages, data, and the limits in force."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, get_args

from autograder.errors import AutograderError
from autograder.sandbox import cgroups, isolation, user_ids
from autograder.sandbox.limits import GIBIBYTE, MEBIBYTE, Bound, Enforcer, Limits, Training, amount, of_course

Status = Literal["ok", "warning", "problem"]
_DISTRIBUTION = "autoencoders-autograder"
_OLDEST_PYTHON = (3, 11)
ENFORCERS: Mapping[Enforcer, str] = {
    "watch": "watch",
    "process": "resource limit",
    "group": "cgroup",
    "mount": "mount",
    "guest": "sandbox",
    "reader": "reader",
}
_SYMBOLS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. A ``problem`` stops grading, a ``warning`` does not; ``mend`` says what to do.

    ``details`` are lines to show below the text.
    """

    topic: Literal["isolation", "python", "packages", "data", "limits"]
    status: Status
    text: str
    mend: str = ""
    details: tuple[str, ...] = ()


def examine(root: Path) -> list[Finding]:
    """Look at everything that grading the course folder ``root`` needs on this machine; nothing is changed."""
    return [
        *_examine_isolation(),
        *_examine_python(),
        *_examine_packages(),
        *_examine_data(root / "data"),
        *_examine_limits(root, _best_backend()),
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
        lines += [f"            {line}" for line in (*finding.details, *finding.mend.splitlines())]
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


def _best_backend() -> str:
    return next((name for name in isolation.BACKENDS if isolation.probe(name).complete), "none")


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

    if not folder.is_dir():
        # As grading sees it: an assignment may make its data itself.
        mend = "right for a course whose notebooks make their data; else restore it with: git checkout -- data"
        yield Finding("data", "warning", f"{folder} is not there", mend)
        return
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


def _examine_limits(root: Path, backend: str) -> Iterator[Finding]:
    """Show the limits of each assignment, what they mean on this machine, and where it gives less."""
    from autograder.assignment import names

    usual = Limits()
    if not names(root):
        yield _table("a submission may use:", usual, backend)
        yield from _examine_machine(usual)
    for name in names(root):
        try:
            settings = {training: of_course(root / "tests" / name, training) for training in get_args(Training)}
        except AutograderError as error:
            yield Finding("limits", "problem", f"{name}: its limits can not be used", str(error))
            continue
        yield _table(f"a submission of {name} may use:", settings["record"], backend)
        for training, limits in settings.items():
            others = _differences(limits, settings["record"])
            if others:
                yield Finding("limits", "ok", f"with --training {training}: {', '.join(others)}")
        yield from _examine_machine(settings["record"])
    yield Finding("limits", "ok", "and, the same for every course:", details=_lines(_fixed()))
    yield Finding("limits", "ok", "enforced by:", details=_lines(_enforcers(cgroups.find())))


def _enforcers(ground: cgroups.Ground) -> list[tuple[str, str]]:
    """Say what each word for an enforcer means, and of groups whether there are any here."""
    group = "the kernel, for all processes of a submission together: "
    group += (
        f"not here, {ground.problem}" if ground.problem else f"version {ground.version}, {', '.join(ground.folders)}"
    )
    meanings: Mapping[Enforcer, str] = {
        "watch": "what all processes use together, measured from outside; they are interrupted or killed",
        "process": "the kernel, for each process, to which it is an error",
        "group": group,
        "mount": "the size of the one place that can be written to",
        "guest": "cut where the notebook runs, which goes on",
        "reader": "what leaves the sandbox is read no further, or dropped and named",
    }
    return [(words, meanings[by]) for by, words in ENFORCERS.items()]


def _table(title: str, limits: Limits, backend: str) -> Finding:
    """Return all limits as a table: name, value, and what enforces it here; a star marks what the course has set."""
    rows = []
    for bound in Limits.bounds():
        value = getattr(limits, bound.name)
        star = "" if value == bound.default else " *"
        rows.append((bound.name, amount(value, bound.unit) + star, ", ".join(_enforced(bound, backend))))
    return Finding("limits", "ok", title, details=_lines(rows))


def _enforced(bound: Bound, backend: str) -> list[str]:
    """Return what enforces a limit on this machine, each in a word or two."""
    here = set(bound.by)
    if ("pids" if bound.name == "tasks" else "memory") not in cgroups.find().folders:
        here.discard("group")
    if backend != "namespaces":
        here.discard("mount")
        # Counted for a user id, which only root can keep apart from others.
        if bound.name == "tasks" and not (backend == "landlock" and user_ids.is_powerful_root()):
            here.discard("process")
    if "mount" in here:
        here.discard("watch")
    return [words for by, words in ENFORCERS.items() if by in here] or ["nothing here"]


def _differences(limits: Limits, others: Limits) -> list[str]:
    return [
        f"{bound.name} {amount(getattr(limits, bound.name), bound.unit)}"
        for bound in Limits.bounds()
        if getattr(limits, bound.name) != getattr(others, bound.name)
    ]


def _fixed() -> list[tuple[str, str, str]]:
    """Return the bounds that no course sets, but that decide what is read of a submission."""
    from autograder import evidence
    from autograder.models import arithmetic, description
    from autograder.submission import archive, notebook

    parser, reading = "parser of models", "reading of files"
    return [
        ("layers of a model", f"{description.LAYER_LIMIT:,}", parser),
        ("models in models", f"{description.NESTING_LIMIT:,} deep", parser),
        ("parameters of a model that is built", f"{arithmetic.PARAMETER_LIMIT:,}", parser),
        ("outputs of all its layers", f"{arithmetic.ACTIVATION_LIMIT:,}", parser),
        ("numbers of one array", f"{evidence.ELEMENT_LIMIT:,}", "parser of evidence"),
        ("numbers in all figures of a notebook", f"{evidence.DRAWN_LIMIT:,}", "parser of evidence"),
        ("one text", amount(evidence.TEXT_LIMIT, "characters"), "parser of evidence"),
        ("one notebook file", amount(notebook.FILE_LIMIT, "bytes"), reading),
        ("cells of a notebook", f"{notebook.CELL_COUNT_LIMIT:,}", reading),
        ("code of a notebook", amount(notebook.CODE_LIMIT, "characters"), reading),
        ("one archive, unpacked", amount(archive.SIZE_LIMIT, "bytes"), reading),
        ("files in one archive", f"{archive.MEMBER_LIMIT:,}", reading),
    ]


def _lines(rows: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return tuple("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def markdown_table() -> str:
    """Return the table of all limits that stands in ``docs/limits.md``."""
    lines = ["| name | default | may be | enforced by | bounds |", "|---|---|---|---|---|"]
    for bound in Limits.bounds():
        least, most = (amount(limit, "bytes" if bound.unit == "bytes" else "") for limit in (bound.least, bound.most))
        by = ", ".join(words for by, words in ENFORCERS.items() if by in bound.by)
        default = amount(bound.default, bound.unit)
        lines.append(f"| `{bound.name}` | {default} | {least} to {most} | {by} | {bound.text} |")
    return "\n".join(lines)


def _examine_machine(limits: Limits) -> Iterator[Finding]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    memory = min(memory, cgroups.memory_limit() or memory)  # as in a container
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
