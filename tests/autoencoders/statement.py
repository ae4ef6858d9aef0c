"""What the statement asks for, as data: the layers of the encoder and of the decoder in order.

Only what is written in the notebook stands here. Where the statement is silent (the padding of the encoder,
names, initialisers), nothing does. A convolution of which no strides are said takes every pixel, one after the other.
"""

from autograder.models.comparison import ExpectedLayer
from autograder.models.description import Layer, ModelDescription

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

# What Keras takes where nothing is said, for the sizes that are shown beside a student's.
SILENT = {"Conv2D": {"padding": "valid", "use_bias": True}, "MaxPooling2D": {"padding": "valid"},
          "Dense": {"use_bias": True}, "Conv2DTranspose": {"output_padding": None, "use_bias": True}}  # fmt: skip


def in_keras(layers, input_shape: tuple[int, ...], latent_dimension: int) -> ModelDescription:
    """The statement's layers as Keras builds them; where neurons are not counted, they are the latent dimension."""
    open_ones = {"units": latent_dimension}
    built = [
        Layer(layer.kind, layer.name, {**SILENT.get(layer.kind, {}),
              **(open_ones if layer.kind == "Dense" else {}), **layer.fields})
        for layer in layers
    ]  # fmt: skip
    return ModelDescription(input_shape, tuple(built))
