"""No hidden check could be taken out unnoticed: each has a mistake whose test names it.

Those tests compare the set of checks that fail with the expected one, so a check that caught nothing would be missed.
"""

from __future__ import annotations

import ast
from pathlib import Path

import test_hidden_checks_architecture as architecture
import test_hidden_checks_records as records

from autograder.checks.marks import dashed

CHECKS = Path(__file__).parents[1] / "autoencoders"
# Judged by a training of the grader's own, in test_hidden_checks_denoising.py.
TRAINED = {"denoising-error"}


def written_checks() -> set[str]:
    """Return the names of all hidden checks, read from their files."""
    return {
        dashed(node.name)
        for path in CHECKS.glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def caught() -> set[str]:
    """Return the checks that some tested mistake must fail, or send to a person."""
    built = [{fails} if isinstance(fails, str) else set(fails) for _, fails, _ in architecture.MISTAKES.values()]
    recorded = [
        {one.fails} if isinstance(one.fails, str) else {name for name, how in one.fails.items() if how != "skipped"}
        for one in records.WRONG.values()
    ]
    return set().union(*built, *recorded)


def test_every_hidden_check_catches_a_mistake_of_these_tests():
    assert written_checks() - caught() == TRAINED


def test_no_mistake_names_a_check_that_does_not_exist():
    assert caught() <= written_checks()
