"""Weaken the hidden checks, one place at a time, and see that the corpus notices each; writes docs/mutation.md.

    python benchmarks/mutation.py                    all of them, after the notebooks were run; writes the page
    python benchmarks/mutation.py decoder strides    only places whose description holds a word; writes nothing

The notebooks of the corpus are run once in the sandbox, and what came of them is kept in the cache. Only the checks are
run again: for each place on those submissions that came by it, until one is judged otherwise.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from page import put

from autograder import assignment as assignments
from autograder.assignment import Assignment
from autograder.checks import plugin, session
from autograder.checks.outcomes import CheckResult
from autograder.evidence import Evidence
from autograder.grade import Grader, Settings
from autograder.sandbox.job import PlannedCell
from autograder.store import Store
from autograder.submission.reading import read

COURSE = Path(__file__).resolve().parent.parent
CHECKS = COURSE / "tests" / "autoencoders"
PAGE = COURSE / "docs" / "mutation.md"
ENDS = ("fail", "review", "skip")
STATEMENT = "statement.py"
# Places that can be taken out without any difference, and why: part of the description -> the reason.
EQUIVALENT: Mapping[str, str] = {
    "sweep: submitted.unanswered": "what comes next finds out as well that nothing was written",
    "chained: submitted.unanswered": "what comes next finds out as well that nothing was written",
    "X_encoded: submitted.unanswered": "what comes next finds out as well that nothing was written",
    "'padding': 'same'": "with the stated kernel and strides both paddings compute the same: another sentence, no more",
    "'dilation_rate': (1, 1)": "Keras has no dilation with strides of 2, so the strides of such a layer differ as well",
}

Verdict = tuple[str, float, str | None, str]
Place = tuple[str, int]


# --- what is taken out ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mutation:
    """One place of the checks and what stands there instead."""

    file: str
    function: str
    line: int
    what: str
    source: str
    """The whole file after the change."""
    is_check: bool = False
    is_assert: bool = False

    @property
    def description(self) -> str:
        """Say what is taken out, on one line."""
        return f"{self.function}: {self.what}"


def mutations() -> list[Mutation]:
    """Return all places of all files of the hidden checks, in order."""
    files = sorted(path for path in CHECKS.glob("*.py") if path.name not in ("conftest.py", "probes.py"))
    return [mutation for path in files for mutation in _of_file(path)]


def _of_file(path: Path) -> Iterator[Mutation]:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    if path.name == STATEMENT:
        yield from _of_statement(path.name, source, tree)
        return
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        if function.name.startswith("test_"):
            first, last = function.body[1], function.body[-1]
            changed = _replaced(source, first, last, "pass")
            yield Mutation(path.name, function.name, function.lineno, "the whole check", changed, is_check=True)
        for node in _own_statements(function):
            instead = _weakened(node, function)
            if instead is not None:
                what = " ".join(ast.unparse(node).split())
                changed = _replaced(source, node, node, instead)
                kind = isinstance(node, ast.Assert)
                yield Mutation(path.name, function.name, node.lineno, what, changed, is_assert=kind)


def _of_statement(file: str, source: str, tree: ast.Module) -> Iterator[Mutation]:
    """Yield each field that the statement fixes, left out."""
    for node in ast.walk(tree):
        for key, value in zip(node.keys, node.values, strict=True) if isinstance(node, ast.Dict) else ():
            if key is not None:
                what = f"{ast.unparse(key)}: {ast.unparse(value)}"
                changed = _replaced(source, key, value, "**{}")
                yield Mutation(file, "the statement", key.lineno, what, changed)


def _own_statements(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Yield the statements of a function, those of functions inside it left out."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.FunctionDef):
            continue
        if isinstance(node, ast.stmt):
            yield node
        pending = [*ast.iter_child_nodes(node), *pending]


def _weakened(node: ast.stmt, function: ast.FunctionDef) -> str | None:
    """Return what stands in the place of a statement that says no; None for other statements."""
    match node:
        case ast.Assert():
            return "pass"
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))) if name in ENDS:
            return "pass"
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="unanswered"))):
            return "pass"
        case ast.Return(value=ast.JoinedStr() | ast.Constant(value=str()) | ast.Tuple() as value) if _is_problem(value):
            empty = any(isinstance(other, ast.Return) and _text(other.value) == "" for other in ast.walk(function))
            return 'return ""' if empty else "return None"
    return None


def _is_problem(value: ast.expr | None) -> bool:
    """Tell whether a returned value is a sentence for the student, alone or with its finding."""
    first = value.elts[0] if isinstance(value, ast.Tuple) else value
    return isinstance(first, ast.JoinedStr) or len(_text(first) or "") > 20


def _text(value: ast.expr | None) -> str | None:
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _replaced(source: str, first: ast.stmt | ast.expr, last: ast.stmt | ast.expr, new: str) -> str:
    """Return a source in which what stands from one node to another is something else."""
    lines = source.encode().splitlines(keepends=True)
    assert last.end_lineno is not None and last.end_col_offset is not None
    begin = sum(map(len, lines[: first.lineno - 1])) + first.col_offset
    end = sum(map(len, lines[: last.end_lineno - 1])) + last.end_col_offset
    return (source.encode()[:begin] + new.encode() + source.encode()[end:]).decode()


# --- the submissions --------------------------------------------------------------------------------


@dataclass
class Run:
    """One notebook of the corpus after its execution, how its checks end, and the places that they came by."""

    name: str
    words: Mapping[str, str]
    """What the message of a check must hold, by check."""
    evidence: Evidence
    cells: tuple[PlannedCell, ...]
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    lines: set[Place] = field(default_factory=set)
    raised: set[Place] = field(default_factory=set)

    def notices(self, check: str, how: Verdict) -> bool:
        """Tell whether an end of a check is another one: status, share of the points, finding, or what it must say."""
        before = self.verdicts.get(check)
        return before is None or before[:3] != how[:3] or self.words.get(check, "") not in how[3]


def executed(assignment: Assignment) -> Iterator[Run]:
    """Run the notebooks of the corpus in the sandbox, those alone that say something of a check, and yield each."""
    sys.path.insert(0, str(COURSE / "tests" / "autograder"))
    bundles, grading = importlib.import_module("corpus.bundles"), importlib.import_module("corpus.grading")
    chosen = [variant for variant in grading.variants() if bundles.named(variant) or variant.mentions]
    wrong, right = ([one for one in chosen if one.right is side] for side in (False, True))
    notebooks = [bundles.together(members) for members in (*bundles.bundled(wrong), *bundles.bundled(right))]
    with Grader(assignment, Settings(isolation="namespaces")) as grader:
        for variant in notebooks:
            evidence, cells = _execute(grader, variant.text(), variant.suffix)
            words = {check: lost.says for check, lost in variant.losses.items()} | dict(variant.waits)
            yield Run(variant.name, words, evidence, cells)


def _execute(grader: Grader, text: str, suffix: str) -> tuple[Evidence, tuple[PlannedCell, ...]]:
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        file = Path(folder) / f"autoencoders{suffix}"
        file.write_text(text, encoding="utf-8")
        submission = read(file, grader.assignment)
    return grader.execute(submission).evidence, submission.cells


def observe(assignment: Assignment, run: Run, store: Store) -> None:
    """Judge a submission with the checks as they are, and note by which places of them it came."""
    folder = str(assignment.tests.resolve())
    original = plugin._result

    def follow(frame: FrameType, event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(folder):
            return None
        if event == "line":
            run.lines.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
        return follow

    def result(item: pytest.Item, error: BaseException | None) -> CheckResult:
        trace = error.__traceback__ if error else None
        while trace is not None:
            run.raised.add((Path(trace.tb_frame.f_code.co_filename).name, trace.tb_lineno))
            trace = trace.tb_next
        return original(item, error)

    plugin._result = result
    before = sys.gettrace()
    sys.settrace(follow)
    try:
        run.verdicts = judge(assignment, run, store)
    finally:
        sys.settrace(before)
        plugin._result = original


def judge(assignment: Assignment, run: Run, store: Store) -> dict[str, Verdict]:
    """Return how each check ends: what the corpus compares with what it expects."""
    results = session.run(assignment, run.evidence, session.Context(cells=run.cells, store=store))
    return {one.id: (one.status, one.kept, one.finding, one.message) for one in results}


# --- taking out -------------------------------------------------------------------------------------


def noticed_by(mutation: Mutation, runs: Sequence[Run], course: Path, store: Store) -> str | None:
    """Return the first submission that is judged otherwise with a place taken out; None when there is none."""
    candidates = [run for run in runs if _concerns(mutation, run)]
    if not candidates or mutation.is_check:
        # A check that always passes is missed by every submission for which it did not pass: that need not be tried.
        return next((run.name for run in candidates), None)
    with tempfile.TemporaryDirectory(prefix="mutation-") as made:
        assignment = _with(mutation, Path(made), course)
        for run in candidates:
            if any(run.notices(check, how) for check, how in judge(assignment, run, store).items()):
                return run.name
    return None


def _concerns(mutation: Mutation, run: Run) -> bool:
    """Tell whether a submission could be judged otherwise: it came by the place, or the check did not pass."""
    place = (mutation.file, mutation.line)
    if mutation.is_check:
        name = mutation.function.removeprefix("test_").replace("_", "-")
        return any(check.endswith(f"/{name}") and how[0] != "passed" for check, how in run.verdicts.items())
    if mutation.file == STATEMENT:
        return any(check.startswith("build-") and how[0] == "failed" for check, how in run.verdicts.items())
    return place in (run.raised if mutation.is_assert else run.lines)


def _with(mutation: Mutation, root: Path, course: Path) -> Assignment:
    """Return an assignment with a place of its checks taken out, and without the files of checks that do not use it."""
    (root / "source").symlink_to(course / "source")
    (root / "data").symlink_to(course / "data")
    checks = root / "tests" / "autoencoders"
    shutil.copytree(CHECKS, checks, ignore=shutil.ignore_patterns("__pycache__"))
    (checks / mutation.file).write_text(mutation.source, encoding="utf-8")
    for path in checks.glob("test_*.py"):
        if mutation.file not in _used_by(path):
            path.unlink()
    return assignments.load(root, "autoencoders")


def _used_by(path: Path) -> set[str]:
    """Return the names of the files that a file of the checks consists of: itself and what it imports."""
    used, pending = set(), [path]
    while pending:
        file = pending.pop()
        if file.name not in used and file.exists():
            used.add(file.name)
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module:
                    pending.append(file.parent / f"{node.module}.py")
    return used


@dataclass(frozen=True)
class Outcome:
    """What became of one mutation: the submission that noticed it, or the reason why none can."""

    mutation: Mutation
    by: str | None = None
    equivalent: str | None = None

    @property
    def survived(self) -> bool:
        """Nobody noticed, and nobody said why."""
        return self.by is None and self.equivalent is None


def outcome(mutation: Mutation, runs: Sequence[Run], store: Store) -> Outcome:
    """Take one place out and see who notices."""
    by = noticed_by(mutation, runs, COURSE, store)
    reason = next((why for part, why in EQUIVALENT.items() if part in mutation.description), None)
    return Outcome(mutation, by, None if by else reason)


def figures(outcomes: Sequence[Outcome], runs: Sequence[Run]) -> str:
    """Return the measured part of the page."""
    noticed = sum(one.by is not None for one in outcomes)
    checks = [one for one in outcomes if one.mutation.is_check]
    lines = [
        f"{len(outcomes)} places, {len(checks)} of them whole checks; {len(runs)} notebooks of the corpus. "
        f"Noticed: {noticed} ({sum(one.by is not None for one in checks)} of {len(checks)} whole checks). "
        f"Equivalent: {sum(one.equivalent is not None for one in outcomes)}. "
        f"Survived: {sum(one.survived for one in outcomes)}.",
        "",
        "| file | taken out | noticed by |",
        "|---|---|---|",
    ]
    for one in outcomes:
        by = one.by or (f"nobody: {one.equivalent}" if one.equivalent else "**nobody**")
        what = _cell(f"`{one.mutation.function}`: {_code(one.mutation.what)}")
        lines.append(f"| {one.mutation.file} | {what} | {_cell(by)} |")
    return "\n".join(lines)


def _code(text: str, most: int = 100) -> str:
    short = text if len(text) <= most else f"{text[:most]}…"
    return text if text == "the whole check" else f"`{short.replace('`', ' ')}`"


def _cell(text: str) -> str:
    short = text if len(text) <= 220 else f"{text[:220]}…"
    return short.replace("|", "\\|")


def main() -> int:
    """Run the corpus, take out one place after the other; return 1 when something was not noticed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="parts of descriptions; all places without one")
    words = parser.parse_args().words
    chosen = [one for one in mutations() if not words or any(word in one.description for word in words)]
    assignment, store, runs = assignments.load(COURSE, "autoencoders"), Store(), []
    session.warm()
    for run in executed(assignment):
        observe(assignment, run, store)
        runs.append(run)
        print(f"ran {run.name}", flush=True)
    outcomes = []
    for mutation in chosen:
        outcomes.append(outcome(mutation, runs, store))
        if outcomes[-1].by is None:
            how = "NOT NOTICED" if outcomes[-1].survived else "equivalent"
            print(f"{how}: {mutation.file}, {mutation.description}", flush=True)
    if not words:
        put(PAGE, figures(outcomes, runs))
    survived = sum(one.survived for one in outcomes)
    print(f"{len(outcomes)} places, {survived} not noticed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
