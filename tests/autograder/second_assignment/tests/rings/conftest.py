"""What the hidden checks of the rings share."""

import numpy as np
import pytest
from statement import rings, standardised


@pytest.fixture(scope="module")
def points():
    """The points of the given cell, and the ring of each."""
    return rings(7)


@pytest.fixture(scope="module")
def scaled(points):
    """The points as question 1 asks for them."""
    return standardised(points[0], points[0])


@pytest.fixture(scope="module")
def holds(submitted):
    """The function that tells whether an array of the student (by its position) holds the true values, row by row."""

    def compared(position, true):
        if position is None:
            return False
        sample = submitted.array(position)
        rows = np.asarray(sample.rows)
        same_size = sample.shape[:1] == true.shape[:1] and sample.values.size == true[rows].size
        # A standard deviation with n - 1 in place of n differs by less.
        return same_size and np.allclose(sample.values.reshape(true[rows].shape), true[rows], atol=0.01)

    return compared
