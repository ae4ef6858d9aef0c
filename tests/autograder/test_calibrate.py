"""``autograder calibrate``: the arithmetic of its bounds, the rule for the limit, and the command on a tiny course."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import miniature
import numpy as np
import pytest
from command_line import autograder
from scipy.stats import beta

from autograder.calibrate import load_designs, put
from autograder.errors import AssignmentError
from autograder.models.calibration import (
    Attempt,
    Design,
    all_miss,
    derived_limit,
    one_passes,
    plateau,
    quantile,
    restarts_needed,
    summary,
    upper_bound,
)
from autograder.models.trainer import Images, Protocol

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = Protocol.read(ROOT / "tests" / "autoencoders" / "calibration.json")
DESIGNS = """
from autograder.models.calibration import Design
import numpy as np

SECTION = "denoising"


def images(data):
    part = np.random.default_rng(1).random((200, 6, 6, 1), dtype=np.float32) ** 4
    return part[:150], part[150:]


def right():
    import keras
    from keras import layers
    return keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(4, 3, padding="same", activation="relu"),
                             layers.Conv2D(1, 3, padding="same")])


def blank():
    import keras
    from keras import layers
    return keras.Sequential([keras.Input((6, 6, 1)), layers.Rescaling(0.0), layers.Conv2D(1, 1), layers.Rescaling(0.0)])


DESIGNS = (Design("right", "passes", right), Design("an output of zero", "misses", blank))
"""
PAGE = (
    "# Calibration\n\nOf `tests/squares/calibration.json`.\n\n"
    "<!-- measured: begin -->\nold\n<!-- measured: end -->\n\nThe end.\n"
)


@pytest.mark.parametrize(("events", "trials"), [(0, 1), (0, 100), (1, 100), (7, 20), (99, 100)])
def test_the_bound_is_that_of_clopper_and_pearson(events: int, trials: int) -> None:
    assert upper_bound(events, trials) == pytest.approx(beta.ppf(0.95, events + 1, trials - events), abs=1e-9)


def test_where_all_or_nothing_was_seen_the_bound_says_so() -> None:
    assert upper_bound(3, 3) == 1.0 and upper_bound(0, 0) == 1.0
    with pytest.raises(ValueError, match="4 of 3"):
        upper_bound(4, 3)


def test_restarts_make_misses_rarer_and_wrong_passes_more_frequent() -> None:
    assert all_miss(0.1, 6) == pytest.approx(1e-6)
    assert one_passes(0.1, 2) == pytest.approx(0.19)


def test_quantiles_lie_between_the_nearest_values() -> None:
    values = [4.0, 1.0, 3.0, 2.0]
    assert [quantile(values, share) for share in (0, 0.5, 1)] == [1.0, 2.5, 4.0]
    assert quantile(values, 0.95) == pytest.approx(np.quantile(values, 0.95))


def attempts(*errors: float) -> list[Attempt]:
    return [Attempt(((250, error), (500, error / 2)), 1.0) for error in errors]


def test_the_limit_stands_half_way_between_right_designs_and_what_ignores_its_input() -> None:
    assert derived_limit([attempts(*[0.05] * 20), attempts(*[0.06] * 20)], 0.08) == 0.07


def test_no_limit_is_made_up_where_right_designs_end_at_what_ignores_its_input() -> None:
    assert derived_limit([attempts(*[0.0675] * 20)], 0.068) is None
    assert derived_limit([[Attempt((), 1.0)] * 20], 0.068) is None


def test_what_ignores_its_input_can_at_best_give_the_mean_image() -> None:
    train, test = np.zeros((4, 2, 2, 1), np.float32), np.full((3, 2, 2, 1), 0.5, np.float32)
    assert plateau(Images(train, test)) == pytest.approx(0.25)


def test_restarts_are_counted_between_passes() -> None:
    made = attempts(0.01, 0.5, 0.5, 0.02, 0.5)
    assert restarts_needed(made, 0.1) == [0, 2]


def test_a_design_is_summed_up_with_its_counts_and_bounds() -> None:
    protocol = replace(PROTOCOL, limit=0.1)
    right = summary(Design("right", "passes", object), attempts(*[0.01] * 19, 0.5), 20, protocol)
    assert (right["attempts"], right["passed"], right["false_fails"]) == (20, 19, 1)
    assert right["bound_an_attempt"] == pytest.approx(upper_bound(1, 20), rel=0.05)
    assert right["bound"] == pytest.approx(upper_bound(1, 20) ** protocol.restarts, rel=0.1)
    wrong = summary(Design("wrong", "misses", object), attempts(*[0.5] * 20), 20, protocol)
    assert wrong["false_passes"] == 0 and 0.5 < wrong["bound"] < 0.7
    assert "bound" not in summary(Design("told by nothing", "either", object), attempts(0.5), 1, protocol)


@pytest.fixture
def course(tmp_path: Path) -> Path:
    root = miniature.course(tmp_path / "course")
    tests = root / "tests" / miniature.NAME
    (root / "docs").mkdir()
    (root / "docs" / "calibration.md").write_text(PAGE)
    (root / "docs" / "calibration-of-another.md").write_text(PAGE.replace("squares", "another"))
    (tests / "calibration_designs.py").write_text(DESIGNS)
    tiny = {"limit": 0.05, "noise": 0.1, "batch_size": 8, "steps": 200, "interval": 50, "clean_steps": 50,
            "restarts": 2, "submitted_restarts": 1, "test_images": 50, "steps_per_execution": 50, "seed": 7,
            "work_limit": 1e12, "cpu_seconds_limit": 60}  # fmt: skip
    (tests / "calibration.json").write_text(json.dumps({"schema_version": 1, "denoising": {"protocol": tiny}}))
    return root


def test_the_command_measures_writes_and_does_nothing_twice(course: Path, tmp_path: Path) -> None:
    command = ["calibrate", "--course", course, "--seeds", "4", "--other-seeds", "2"]
    done = autograder(*command, cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert "right: 4 of 4 attempts passed" in done.stderr and "| right | pass | 4 |" in done.stdout
    document = json.loads((course / "tests" / miniature.NAME / "calibration.json").read_bytes())
    right, wrong = document["denoising"]["measured"]
    assert (right["false_fails"], wrong["false_passes"]) == (0, 0)
    # The limit is the rule's, not the one that stood there.
    assert document["denoising"]["protocol"]["limit"] != 0.05
    assert right["passing_error"][-1] < document["denoising"]["protocol"]["limit"] < wrong["final_error"][0]
    page = (course / "docs" / "calibration.md").read_text()
    assert page.startswith("# Calibration") and page.endswith("The end.\n") and "| right | pass | 4 |" in page
    another = (course / "docs" / "calibration-of-another.md").read_text()
    assert another == PAGE.replace("squares", "another"), "the page of another assignment is left alone"
    assert "old" not in page and str(document["denoising"]["protocol"]["limit"]) not in page
    assert (course / "docs" / "calibration.svg").read_text().startswith("<?xml")
    before = document["denoising"]["measured"]
    again = autograder(*command, cache=tmp_path / "cache")
    assert again.returncode == 0
    after = json.loads((course / "tests" / miniature.NAME / "calibration.json").read_bytes())
    assert after["denoising"]["measured"] == before, "attempts that are kept are not made again"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "is missing"),
        ("SECTION = 'denoising'\nDESIGNS = ()\n", "does not define images"),
        ("import nowhere\n", "can not be imported"),
        ("SECTION = ''\nDESIGNS = ()\ndef images(data): ...\n", "has no design that passes"),
    ],
)
def test_designs_that_are_not_sound_are_told(tmp_path: Path, text: str | None, what: str) -> None:
    if text is not None:
        (tmp_path / "calibration_designs.py").write_text(text)
    with pytest.raises(AssignmentError, match=what):
        load_designs(tmp_path)


def test_a_damaged_calibration_is_told_with_its_file(course: Path, tmp_path: Path) -> None:
    path = course / "tests" / miniature.NAME / "calibration.json"
    path.write_text(path.read_text().replace('"interval": 50', '"interval": "often"'))
    done = autograder("calibrate", "--course", course, cache=tmp_path / "cache")
    assert done.returncode == 2
    assert "calibration.json" in done.stderr and "interval" in done.stderr


def test_a_page_without_a_place_for_figures_is_told() -> None:
    with pytest.raises(AssignmentError, match="has no part"):
        put("# Calibration\n", "figures")
    assert math.isfinite(PROTOCOL.limit)
