"""The table of errors: what is counted, in which column, and what makes `make accuracy` fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import accuracy
from corpus.variant import Replaced, right, wrong

CHANGE = Replaced("compile", 'loss="mse"', 'loss="mean_squared_error"')
MISTAKE = Replaced("build-encoder", "layers.Conv2D(16,", "layers.Conv2D(32,")
CHECK, OTHER = "build-encoder/second-convolution", "build-encoder/first-convolution"


def judged(variant, failed=(), waiting=(), differences=()):
    return accuracy.Judged(variant, frozenset(failed), frozenset(waiting), tuple(differences))


def a_right_one(name="right", failed=(), waiting=(), **more):
    return judged(right(name, CHANGE, **more), failed, waiting, ["it differs"] if failed or waiting else [])


def a_wrong_one(failed=(CHECK,), waiting=()):
    differences = [] if (failed, waiting) == ((CHECK,), ()) else ["it differs"]
    return judged(wrong("wrong", MISTAKE, fails={CHECK: None}), failed, waiting, differences)


def row(ones, question=""):
    """Return the counts of a row of the table by column."""
    lines = accuracy.table(ones, ["compile", "build-encoder"]).splitlines()
    line = next(line for line in lines if line.startswith(f"| {question or '**all**'} |"))
    columns = [cell.strip() for cell in lines[0].strip("|").split("|")][1:]
    counts = [cell.strip().split(" (")[0] for cell in line.strip("|").split("|")][1:]
    return dict(zip(columns, counts, strict=True))


def test_a_corpus_without_errors_counts_none():
    counts = row([a_right_one(), a_wrong_one()])
    assert set(counts.values()) == {"0 of 1"}


@pytest.mark.parametrize(
    ("one", "column"),
    [
        (a_right_one(failed=["compile/loss-compares-pixels"]), "right, failed"),
        (a_right_one(waiting=["compile/loss-compares-pixels"]), "right, to review"),
        (a_wrong_one(failed=()), "wrong, passed"),
        (a_wrong_one(failed=(OTHER,)), "wrong, caught by another check"),
        (a_wrong_one(failed=(CHECK, OTHER)), "wrong, caught by another check"),
        (a_wrong_one(waiting=(OTHER,)), "wrong, to review"),
    ],
)
def test_an_error_is_counted_in_its_own_column_alone_and_is_a_regression(one, column):
    counted = [name for name, count in row([one]).items() if count == "1 of 1"]
    assert counted == [column]
    assert any("it differs" in line for line in accuracy.regressions([one]))


def test_a_question_counts_who_tries_it():
    ones = [a_right_one(), a_wrong_one()]
    assert row(ones, "compile") == dict(
        zip([*accuracy.RIGHT, *accuracy.WRONG], ["0 of 1"] * 2 + ["none tried"] * 3, strict=True)
    )
    assert row(ones, "build-encoder")["wrong, passed"] == "0 of 1"


def test_more_than_three_percent_to_review_is_a_regression_even_where_it_was_expected():
    waits = judged(right("waits", CHANGE, waits={CHECK: ""}), waiting=[CHECK])
    few = [waits, *(a_right_one() for _ in range(40))]
    assert list(accuracy.regressions(few)) == []
    assert "3%" in "".join(accuracy.regressions([*few, waits]))


@pytest.mark.parametrize(
    ("count", "trials", "bounds"), [(0, 100, (0, 0.0362)), (100, 100, (0.9638, 1)), (3, 60, (0.0104, 0.1392))]
)
def test_intervals_are_those_of_clopper_and_pearson(count, trials, bounds):
    assert accuracy.interval(count, trials) == pytest.approx(bounds, abs=5e-5)
