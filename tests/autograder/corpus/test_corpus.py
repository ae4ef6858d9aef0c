"""The corpus, graded once by the real command line: each submission gets what it deserves, check by check.

Variants that touch different questions share a notebook: it is quicker, and mistakes must not cover one another nor
right answers disturb each other. Only what is selected is graded, so that ``-k decoder`` takes seconds.
"""

from __future__ import annotations

import pytest

from corpus.grading import grade, variants

# The first test waits for the whole class.
pytestmark = pytest.mark.timeout(3600)

# The gate takes each tenth wrong one, and every right one; ``make accuracy`` grades them all.
SHARE = 10
ALL = variants()
CORPUS = {one.student: one for one in (*(v for v in ALL if v.right), *[v for v in ALL if not v.right][::SHARE])}


@pytest.fixture(scope="module")
def graded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    selected = {
        item.callspec.params["student"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    }
    chosen = [variant for student, variant in CORPUS.items() if student in selected]
    return grade(chosen, tmp_path_factory.mktemp("corpus"))


def _cases(right: bool) -> list[str]:
    return [student for student, variant in CORPUS.items() if variant.right is right]


@pytest.mark.parametrize("student", _cases(right=True))
def test_a_right_variant_loses_nothing(graded, student):
    assert graded[student].differences == []


@pytest.mark.parametrize("student", _cases(right=False))
def test_a_wrong_variant_is_caught_by_its_own_checks_alone(graded, student):
    assert graded[student].differences == []
