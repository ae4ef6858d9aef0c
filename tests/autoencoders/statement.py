"""What the statement asks for, as data: the layers of the encoder and of the decoder in order.

Only what is written in the notebook stands here. Where the statement is silent (the padding of the encoder,
names, initialisers), nothing does. A convolution of which no strides are said takes every pixel, one after the other.
"""

from autograder.models.comparison import ExpectedLayer

IMAGE = (28, 28, 1)
PLAIN = {"strides": (1, 1), "dilation_rate": (1, 1), "groups": 1}
POOLING = {"pool_size": (2, 2), "strides": (2, 2)}
DOUBLING = {"kernel_size": (2, 2), "strides": (2, 2), "padding": "same", "activation": "relu",
            "dilation_rate": (1, 1)}  # fmt: skip


def convolution(name: str, filters: int) -> ExpectedLayer:
    return ExpectedLayer(name, "Conv2D", {"filters": filters, "kernel_size": (2, 2), "activation": "relu", **PLAIN})


# The number of neurons of the last layer is the latent dimension: a check of its own looks at it.
ENCODER = (
    convolution("first convolution", 8),
    ExpectedLayer("first max-pooling", "MaxPooling2D", POOLING),
    convolution("second convolution", 16),
    ExpectedLayer("second max-pooling", "MaxPooling2D", POOLING),
    convolution("third convolution", 32),
    ExpectedLayer("flatten layer", "Flatten", {}),
    ExpectedLayer("dense layer", "Dense", {"activation": "tanh"}),
)

DECODER = (
    ExpectedLayer("dense layer", "Dense", {"units": 7 * 7 * 8, "activation": "tanh"}),
    ExpectedLayer("reshape layer", "Reshape", {"target_shape": (7, 7, 8)}),
    ExpectedLayer("first transposed convolution", "Conv2DTranspose", {"filters": 8, **DOUBLING}),
    ExpectedLayer("second transposed convolution", "Conv2DTranspose", {"filters": 1, **DOUBLING}),
)
