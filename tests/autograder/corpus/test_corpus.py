"""The corpus, graded once by the real command line: each submission gets what it deserves, check by check.

Only what is selected is graded, so that ``-k decoder`` takes seconds.
"""

from __future__ import annotations

import pytest

from corpus.grading import differences, grade, variants

CORPUS = {variant.student: variant for variant in variants()}


@pytest.fixture(scope="module")
def reports(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    selected = {
        item.callspec.params["student"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    }
    return grade([CORPUS[student] for student in selected], tmp_path_factory.mktemp("corpus"))


def _cases(right: bool) -> list:
    return [
        pytest.param(student, marks=pytest.mark.xfail(reason=variant.pending, strict=True) if variant.pending else ())
        for student, variant in CORPUS.items()
        if variant.right is right
    ]


@pytest.mark.parametrize("student", _cases(right=True))
def test_a_right_variant_loses_nothing(reports, student):
    assert differences(CORPUS[student], reports[student]) == []


@pytest.mark.parametrize("student", _cases(right=False))
def test_a_wrong_variant_is_caught_by_its_own_checks_alone(reports, student):
    assert differences(CORPUS[student], reports[student]) == []
