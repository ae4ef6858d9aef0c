"""What weakens the hidden checks one place at a time: it finds every place, and says the truth on what is noticed.

The whole of it is ``make mutation``; here it is tried on one submission.
"""

import ast
import sys

import pytest

from autograder import assignment as assignments
from autograder.checks import session
from autograder.checks.marks import dashed
from autograder.grade import Grader, Settings
from autograder.store import Store
from corpus.grading import variants
from corpus.variant import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import mutation

PLACES = mutation.mutations()
ORDER = "encoder, filters in the order 16, 8, 32"


def checks() -> set[str]:
    """Return the names of all hidden checks, read from their files."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in mutation.CHECKS.glob("test_*.py"))
    functions = (node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


def test_each_hidden_check_is_taken_out_once():
    assert sorted(place.function for place in PLACES if place.is_check) == sorted(checks())


def test_each_hidden_check_must_fail_for_a_wrong_variant():
    caught = {check.partition("/")[2] for variant in variants() if not variant.right for check in variant.fails}
    assert {dashed(name) for name in checks()} - caught == set()


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.file}-{place.line}-{place.what[:20]}")
def test_a_place_is_taken_out_and_nothing_above_it(place):
    before = (mutation.CHECKS / place.file).read_text(encoding="utf-8").splitlines()
    assert ast.dump(ast.parse(place.source)) != ast.dump(ast.parse("\n".join(before)))
    assert place.source.splitlines()[: place.line - 1] == before[: place.line - 1]


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Run one wrong submission and judge it with the checks as they are."""
    (variant,) = (one for one in variants() if one.name == ORDER)
    assignment, store = assignments.load(ROOT, "autoencoders"), Store(tmp_path_factory.mktemp("store"))
    session.warm()
    with Grader(assignment, Settings()) as grader:
        evidence, cells = mutation._execute(grader, variant.text(), variant.suffix)
    run = mutation.Run(ORDER, {}, evidence, cells)
    mutation.observe(assignment, run, store)
    return run, store


def test_a_check_that_is_taken_out_is_missed_by_the_submission_that_it_caught(judged):
    run, store = judged
    noticed = {
        place.function
        for place in PLACES
        if place.file == "test_encoder_and_decoder.py" and place.is_check and mutation.outcome(place, [run], store).by
    }
    assert noticed == {"test_order_of_encoder"}


def test_a_place_that_no_submission_came_by_survives(judged):
    run, store = judged
    (place,) = (one for one in PLACES if one.is_check and one.function == "test_order_of_decoder")
    assert mutation.outcome(place, [run], store).survived
