"""Run the hidden checks of an assignment on one submission's evidence, with pytest, in this process.

A run leaves nothing behind: it ignores the environment's and the repository's settings of pytest, writes no cache,
prints nothing, and forgets the modules of the checks afterwards, so that one warm process grades many submissions.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from autograder.checks.outcomes import CheckResult
from autograder.errors import AssignmentError, GraderFault

if TYPE_CHECKING:
    from autograder.assignment import Assignment
    from autograder.evidence import Evidence
    from autograder.sandbox.job import PlannedCell
    from autograder.store import Store

_WITHOUT = (
    "cacheprovider", "terminal", "logging", "faulthandler", "unraisableexception", "threadexception", "junitxml",
    "pastebin", "doctest", "unittest", "nose", "stepwise", "debugging",
)  # fmt: skip
_FORGET_EVERY = 10
_RUNS = itertools.count(1)


@dataclass(frozen=True)
class Context:
    """What the checks know besides the evidence: the cells that were run, and where long results are kept."""

    cells: tuple[PlannedCell, ...] = ()
    store: Store | None = None


def warm() -> None:
    """Import now what the first run would import, and let TensorFlow compute in one thread, which costs the least."""
    import keras  # noqa: F401
    import pytest  # noqa: F401
    import tensorflow  # noqa: F401

    import autograder.checks.plugin  # noqa: F401
    from autograder.models.training import use_one_thread

    use_one_thread()


def _forget_models() -> None:
    """Let go, now and then, of what TensorFlow keeps of each variable that was ever made: 35 KiB, and they are many."""
    # What keras.utils.clear_session does, but for the names of layers: those that are there keep theirs.
    context = sys.modules.get("tensorflow.python.eager.context")
    if context is not None and next(_RUNS) % _FORGET_EVERY == 0:
        context.context().clear_kernel_cache()


def run(assignment: Assignment, evidence: Evidence, context: Context | None = None) -> tuple[CheckResult, ...]:
    """Return the result of each hidden check, in the order of the questions.

    Raises AssignmentError when the checks themselves can not be used, GraderFault when pytest stopped early.
    """
    import pytest

    from autograder.checks import plugin
    from autograder.checks.submitted import Submitted

    context = context or Context()
    submission = plugin.Submission(assignment, Submitted(evidence, context.cells), context.store)
    grading = plugin.Grading(submission)
    tests = assignment.tests.resolve()
    try:
        with _alone(tests):
            code = pytest.main(_arguments(tests), plugins=[grading])
    finally:
        _forget_models()
    if grading.problems:
        raise AssignmentError("The hidden checks can not be used:\n" + "\n".join(grading.problems))
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise AssignmentError(f"{assignment.tests}: holds no checks.")
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        details = "\n".join(["", *grading.faults])
        raise GraderFault(f"pytest stopped the hidden checks early (exit code {int(code)}).{details}")
    return tuple(grading.results)


def _arguments(tests: Path) -> list[str]:
    without = [argument for name in _WITHOUT for argument in ("-p", f"no:{name}")]
    return [
        str(tests),
        *("-c", os.devnull, f"--rootdir={tests}", f"--confcutdir={tests}"),
        *("-p", "autograder.checks.plugin", "--disable-plugin-autoload", *without),
        *("--assert=plain", "--capture=sys", "-W", "ignore"),
    ]


@contextmanager
def _alone(tests: Path) -> Iterator[None]:
    """Hide the environment's settings of pytest for one run, and forget the checks' modules after it."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PYTEST")}
    path = sys.path.copy()
    displaced = _displaced_modules(tests)
    try:
        yield
    finally:
        os.environ.update(hidden)
        sys.path[:] = path
        for name in modules_of(tests):
            del sys.modules[name]
        sys.modules.update(displaced)


def _displaced_modules(tests: Path) -> dict[str, ModuleType]:
    """Take modules out of the way that have the name of a file of the checks (another assignment's, for example)."""
    names = {path.stem for path in tests.glob("*.py")}
    return {name: sys.modules.pop(name) for name in names & set(sys.modules)}


def modules_of(tests: Path) -> list[str]:
    """Return the names of the imported modules whose files lie in a folder of hidden checks."""
    folder = f"{tests}{os.sep}"
    # Not by getattr, which some libraries answer with an import.
    files = [(name, getattr(module, "__dict__", {}).get("__file__")) for name, module in sys.modules.items()]
    return [name for name, file in files if file and file.startswith(folder)]
