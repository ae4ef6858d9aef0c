"""Questions 1 (scale) and 2 (draw)."""

import numpy as np
import pytest
from statement import COUNT

from autograder.checks import fail, review
from autograder.checks.figures import color_use, scatters
from autograder.checks.submitted import error_sentence


@pytest.fixture(scope="module")
def X_scaled(submitted):
    return submitted.found("scale", "X_scaled", "an array named X_scaled", "array")


@pytest.mark.question("scale")
def test_all_points(submitted, X_scaled):
    """X_scaled holds the two coordinates of all 600 points."""
    shape = submitted.array(X_scaled).shape
    assert shape == (COUNT, 2), f"X_scaled should have the shape {(COUNT, 2)}; it has {shape}."


@pytest.mark.question("scale", weight=2, depends_on="test_all_points")
def test_mean_and_deviation(X_scaled, scaled, holds):
    """Each column of X_scaled has the mean 0 and the standard deviation 1."""
    if not holds(X_scaled.array, scaled):
        fail("The columns of X_scaled are not those of X with their own mean taken away, divided by their own standard "
             "deviation.", finding="other-scaling")  # fmt: skip


@pytest.fixture(scope="module")
def drawn(submitted):
    """The points that were drawn for question 2, with their colours."""
    found = scatters(submitted.figures_of("draw"))
    if found:
        return max(found, key=len)
    if submitted.blank("draw"):
        submitted.unanswered("draw")
    error = submitted.cell_error("draw")
    fail(f"Your cell stopped with {error_sentence(error)}" if error else "No scatter plot was drawn in this cell.")


@pytest.mark.question("draw")
def test_colours_follow_the_rings(drawn, points, scaled):
    """The points are drawn, each ring in a colour of its own."""
    for true in (points[0], scaled):
        distance = np.abs(drawn.positions[:, np.newaxis] - true[np.newaxis]).max(axis=2)
        if distance.min(axis=1).max() < 0.01:
            use = color_use(drawn.colors, points[1][distance.argmin(axis=1)])
            assert use.one_color_a_label, "The colours do not tell the two rings apart."
            return
    review("Points were drawn, but not recognised as those of the rings. A person will look at them.")
