"""The designs that ``autograder calibrate`` trains to measure how often question 15 errs: plain Keras builders.

Noise and pairs of images are always the grader's own, so what a student does to them (shuffled targets, labels as
target, images from 0 to 255) never reaches this measurement; other checks look at it.
"""

from functools import partial

import numpy as np

from autograder import datasets
from autograder.models.calibration import Design

SECTION = "denoising"


def images(data):
    """Return clean images in [0, 1] to train and to measure with, from the course's folder of data."""
    digits = datasets.load(data, "mnist")
    return tuple(np.divide(digits[name][..., None], np.float32(255), dtype="float32") for name in ("x_train", "x_test"))


def autoencoder(
    padding="valid", latent=2, poolings=2, strides=2, code="tanh", kernel=2, convolutions=3, output="relu", scale=None
):
    """Return the statement's autoencoder with some differences; ``scale`` is what the code is multiplied by."""
    import keras
    from keras import layers

    parts = [keras.Input((28, 28, 1))]
    for number, filters in enumerate((8, 16, 32)[:convolutions]):
        parts.append(layers.Conv2D(filters, kernel, padding=padding, activation="relu"))
        if number < poolings:
            parts.append(layers.MaxPooling2D(2))
    parts += [layers.Flatten(), layers.Dense(latent, activation=code)]
    if scale is not None:
        parts.append(layers.Rescaling(scale))
    side = 7 if strides == 2 else 28
    parts += [layers.Dense(side * side * 8, activation="tanh"), layers.Reshape((side, side, 8))]
    parts.append(layers.Conv2DTranspose(8, 2, strides=strides, padding="same", activation="relu"))
    parts.append(layers.Conv2DTranspose(1, 2, strides=strides, padding="same", activation=output))
    return keras.Sequential(parts)


def constant(value):
    """Return a model that learns nothing but how bright its image is: the code is off, and the output nearly so."""
    import keras
    from keras import layers

    parts = [keras.Input((28, 28, 1)), layers.Rescaling(0.0), layers.Conv2D(1, 1), layers.Rescaling(value)]
    return keras.Sequential(parts)


def mean_image():
    """Return a model that can learn one image only, the mean one."""
    import keras
    from keras import layers

    parts = [keras.Input((28, 28, 1)), layers.Rescaling(0.0), layers.Flatten(), layers.Dense(784)]
    return keras.Sequential([*parts, layers.Reshape((28, 28, 1))])


DESIGNS = (
    Design("the statement's, valid padding", "passes", autoencoder),
    Design("the statement's, same padding", "passes", partial(autoencoder, "same")),
    Design("a code that does not reach the decoder", "misses", partial(autoencoder, scale=0.0)),
    Design("the mean image only", "misses", mean_image),
    Design("an output of zero", "misses", partial(constant, 0.0)),
    Design("compiled with SGD", "misses", autoencoder, optimizer="sgd"),
    Design("compiled with the mean absolute error", "misses", autoencoder, loss="mae"),
    Design("a stride of 1 twice", "either", partial(autoencoder, strides=1)),
    Design("latent dimension 1", "either", partial(autoencoder, latent=1)),
    Design("latent dimension 32", "either", partial(autoencoder, latent=32)),
    Design("no tanh on the code", "either", partial(autoencoder, code=None)),
    Design("one max-pooling more", "either", partial(autoencoder, poolings=3)),
    Design("3x3 kernels", "either", partial(autoencoder, kernel=3)),
    Design("no third convolution", "either", partial(autoencoder, convolutions=2)),
    Design("a linear output", "either", partial(autoencoder, output=None)),
)
