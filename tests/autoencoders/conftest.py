"""What the hidden checks of this assignment share: true data as arrays, and the student's models as Keras models.

A builder is not called here: it was called in the sandbox, and what it returned is rebuilt from its layers.
"""

import numpy as np
import pytest
from autograder.checks import fail
from autograder.models import comparison
from statement import DECODER, ENCODER


@pytest.fixture(scope="module")
def mnist(true_data):
    """MNIST as it is stored: x_train, y_train, x_test, y_test."""
    return true_data("mnist")


@pytest.fixture(scope="module")
def X_train(mnist):
    return _prepared(mnist["x_train"])


@pytest.fixture(scope="module")
def X_test(mnist):
    return _prepared(mnist["x_test"])


@pytest.fixture(scope="module")
def y_train(mnist):
    return mnist["y_train"]


@pytest.fixture(scope="module")
def y_test(mnist):
    return mnist["y_test"]


def _prepared(images):
    return np.divide(images[..., np.newaxis], np.float32(255), dtype="float32")
