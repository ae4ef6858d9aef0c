"""The limits fit what is executed: fits that are performed get the time that they need, all else stays bounded."""

from __future__ import annotations

import dataclasses

import pytest

from autograder.grade import Settings
from autograder.sandbox.limits import Limits

# A literal fit of 20 epochs takes about 600 CPU seconds, and a comparison of six dimensions six of them.
LITERAL_COMPARISON = 6 * 20 * 30.0


def test_recorded_fits_have_the_documented_limits():
    assert Settings().limits == Limits()


def test_a_literal_notebook_has_the_time_that_it_needs_in_full():
    limits = Settings(training="full").limits
    assert limits.cell_cpu_seconds > 3 * LITERAL_COMPARISON
    assert limits.notebook_cpu_seconds >= limits.cell_cpu_seconds
    assert limits.notebook_wall_seconds > limits.notebook_cpu_seconds


@pytest.mark.parametrize("training", ["short", "full"])
def test_nothing_but_time_is_more_generous(training):
    times = {"cell_cpu_seconds", "notebook_cpu_seconds", "notebook_wall_seconds"}
    changed = dataclasses.asdict(Settings(training=training).limits)
    usual = dataclasses.asdict(Limits())
    assert {name for name in usual if changed[name] != usual[name]} <= times
    assert all(changed[name] >= usual[name] for name in times)


def test_limits_of_ones_own_count_whatever_the_training():
    own = Limits(cell_cpu_seconds=7.0)
    assert Settings(training="full", own_limits=own).limits == own
