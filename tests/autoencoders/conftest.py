"""What the hidden checks of this assignment share: true data as arrays, and the student's models as Keras models.

A builder is not called here: it was called in the sandbox, and what it returned is rebuilt from its layers.
"""

import numpy as np
import pytest
from designs import design_of
from statement import DECODER, ENCODER, IMAGE


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


@pytest.fixture(scope="module")
def encoder_for(submitted):
    """The function from a latent dimension (2, or one of those that were drawn) to the Keras model of build_encoder."""
    models = design_of(submitted, "build-encoder", "build_encoder", ENCODER).models
    return lambda dimension: models[dimension].keras_for(IMAGE)


@pytest.fixture(scope="module")
def decoder_for(submitted):
    """The function from a latent dimension (2, or one of those that were drawn) to the Keras model of build_decoder."""
    models = design_of(submitted, "build-decoder", "build_decoder", DECODER).models
    return lambda dimension: models[dimension].keras_for((dimension,))


@pytest.fixture(scope="module")
def encoder(encoder_for):
    """What build_encoder(2) returns, as a Keras model."""
    return encoder_for(2)


@pytest.fixture(scope="module")
def decoder(decoder_for):
    """What build_decoder(2) returns, as a Keras model."""
    return decoder_for(2)


@pytest.fixture(scope="module")
def autoencoder(submitted):
    """The model named autoencoder, as a Keras model."""
    return submitted.model(submitted.found("autoencoder", "autoencoder", "a model named autoencoder")).keras_for(IMAGE)


def _prepared(images):
    return np.divide(images[..., np.newaxis], np.float32(255), dtype="float32")
