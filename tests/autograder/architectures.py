"""Random Keras models, right and wrong ones, and their configurations as they arrive from the sandbox."""

from __future__ import annotations

import json
import random
from typing import Any


def configuration(model: Any) -> Any:
    """Return a model's configuration as plain JSON, as the sandbox exports it."""
    return json.loads(json.dumps({"class_name": type(model).__name__, "config": model.get_config()}))


def random_layers(generator: random.Random, count: int) -> list[Any]:
    """Return layers that often, but not always, fit each other."""
    return [_layer(generator) for _ in range(count)]


def random_input_shape(generator: random.Random) -> tuple[int, ...]:
    if generator.random() < 0.85:
        return generator.randint(4, 13), generator.randint(4, 13), generator.randint(1, 4)
    return tuple(generator.randint(1, 8) for _ in range(generator.randint(1, 2)))


def _layer(generator: random.Random) -> Any:
    from keras import layers

    def small(low: int = 1, high: int = 3) -> int:
        return generator.randint(low, high)

    def pair(low: int = 1, high: int = 3) -> Any:
        return generator.choice((small(low, high), (small(low, high), small(low, high))))

    padding = generator.choice(("valid", "same"))
    activation = generator.choice((None, "relu", "tanh", "swish", layers.LeakyReLU(0.1), layers.ReLU()))
    use_bias = generator.random() < 0.8
    convolution = {"padding": padding, "activation": activation, "use_bias": use_bias}
    strides = pair(1, 2)
    dilation = generator.choice((1, 1, 2)) if strides in (1, (1, 1)) else 1
    choices = (
        lambda: layers.Conv2D(small(1, 6), pair(), strides=strides, dilation_rate=dilation, **convolution),
        lambda: layers.Conv2D(2 * small(), pair(), groups=generator.choice((1, 2)), **convolution),
        lambda: layers.Conv2DTranspose(small(1, 6), pair(), strides=pair(1, 3), **convolution),
        lambda: layers.Conv2DTranspose(small(), pair(2, 4), strides=2, output_padding=small(0, 1), padding=padding),
        lambda: layers.SeparableConv2D(
            small(1, 6), pair(), strides=generator.choice((1, 2)), depth_multiplier=small(1, 2), **convolution
        ),
        lambda: layers.MaxPooling2D(pair(), strides=generator.choice((None, pair(1, 2))), padding=padding),
        lambda: layers.AveragePooling2D(pair(), padding=padding),
        lambda: layers.GlobalAveragePooling2D(keepdims=generator.random() < 0.7),
        lambda: layers.GlobalMaxPooling2D(keepdims=generator.random() < 0.7),
        lambda: layers.Dense(small(1, 9), activation=activation, use_bias=use_bias, kernel_regularizer="l2"),
        lambda: layers.Reshape(generator.choice(((-1,), (1, 1, -1), (-1, 1), (2, -1), (2, 2, -1), (3, 7)))),
        lambda: layers.Permute(generator.choice(((2, 1, 3), (1, 2, 3), (3, 1, 2), (2, 1)))),
        lambda: layers.UpSampling2D(pair(1, 2), interpolation=generator.choice(("nearest", "bilinear"))),
        lambda: layers.ZeroPadding2D(generator.choice((1, (1, 2), ((0, 1), (2, 0))))),
        lambda: layers.Cropping2D(generator.choice((1, (1, 0), ((0, 1), (2, 0))))),
        lambda: layers.BatchNormalization(
            axis=generator.choice((-1, -1, 1, 3)), scale=generator.random() < 0.5, center=use_bias
        ),
        lambda: layers.LayerNormalization(axis=generator.choice((-1, -1, (1, 2), -2)), center=use_bias),
        lambda: layers.PReLU(shared_axes=generator.choice((None, None, (1, 2)))),
        lambda: layers.Softmax(axis=generator.choice((-1, 1))),
        layers.Flatten,
        layers.Identity,
        layers.ELU,
        layers.LeakyReLU,
        lambda: layers.ReLU(max_value=6.0),
        lambda: layers.Rescaling(1 / 255, offset=-0.5),
        lambda: layers.Activation(activation or "sigmoid"),
        lambda: layers.Dropout(0.2),
        lambda: layers.SpatialDropout2D(0.2),
        lambda: layers.GaussianNoise(0.1),
        lambda: layers.GaussianDropout(0.1),
        lambda: layers.RepeatVector(small()),
    )
    return generator.choice(choices)()
