"""Shapes and sizes of a described model, worked out before anything of that size exists.

The formulas are Keras's own, written again: a test compares them with Keras on many random models.
All shapes are those of one sample, without the batch axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from autograder.models.fields import Shape, TooLarge, Unrecognised, shown
from autograder.models.layers import Layer, ModelDescription

PARAMETER_LIMIT = 50_000_000
ACTIVATION_LIMIT = 100_000_000


class Unbuildable(Exception):
    """Raised where a layer can not take what the one before it gives: Keras would raise too.

    ``position`` is the layer's place in the chain, ``layer`` the layer itself.
    """

    def __init__(self, reason: str, position: int, layer: Layer) -> None:
        """Keep the reason, and which layer it is about."""
        super().__init__(reason)
        self.reason = reason
        self.position = position
        self.layer = layer


@dataclass(frozen=True)
class Step:
    """What one layer does to a sample: its output shape, its weights' shapes, its multiply-adds."""

    output: Shape
    weights: tuple[Shape, ...] = ()
    multiply_adds: int = 0


def shapes(description: ModelDescription, input_shape: Shape | None = None) -> tuple[Shape, ...]:
    """Return the output shape of each layer.

    ``input_shape`` stands in for the model's own. Raises Unbuildable, TooLarge, and Unrecognised where no
    input shape is known.
    """
    return tuple(step.output for step in _steps(description, input_shape))


def output_shape(description: ModelDescription, input_shape: Shape | None = None) -> Shape:
    """Return the shape of the model's output."""
    given = known_input_shape(description, input_shape)
    return (given, *shapes(description, given))[-1]


def weight_shapes(description: ModelDescription, input_shape: Shape | None = None) -> tuple[tuple[Shape, ...], ...]:
    """Return for each layer the shapes of its weights, in the order of Keras's ``layer.weights``."""
    return tuple(step.weights for step in _steps(description, input_shape))


def parameter_counts(description: ModelDescription, input_shape: Shape | None = None) -> tuple[int, ...]:
    """Return the number of parameters of each layer, those that are not trained included."""
    return tuple(_count(step) for step in _steps(description, input_shape))


def trainable_count(description: ModelDescription, input_shape: Shape | None = None) -> int:
    """Return the number of parameters that training changes."""
    steps = _steps(description, input_shape)
    return sum(
        _count(step) - (2 * step.weights[0][0] if layer.kind == "BatchNormalization" else 0)
        for layer, step in zip(description.layers, steps, strict=True)
        if layer.trainable
    )


def multiply_adds(description: ModelDescription, input_shape: Shape | None = None) -> int:
    """Return the multiplications of one sample on its way through the model; at least one for each output."""
    return sum(step.multiply_adds + math.prod(step.output) for step in _steps(description, input_shape))


def known_input_shape(description: ModelDescription, input_shape: Shape | None = None) -> Shape:
    """Return the given input shape, else the model's own; raise Unrecognised where there is none."""
    shape = input_shape if input_shape is not None else description.input_shape
    if shape is None:
        raise Unrecognised("a model without an input shape")
    return tuple(shape)


def _steps(description: ModelDescription, input_shape: Shape | None) -> list[Step]:
    shape = known_input_shape(description, input_shape)
    steps: list[Step] = []
    parameters = activations = 0
    for position, layer in enumerate(description.layers):
        try:
            _check_expected(layer, shape)
            step = _RULES.get(layer.kind, _unchanged)(layer, shape)
        except ValueError as error:
            raise Unbuildable(str(error), position, layer) from None
        if any(side < 1 for side in step.output):
            raise Unbuildable(f"nothing is left of an input of shape {shape}", position, layer)
        parameters += _count(step)
        activations += math.prod(step.output)
        if parameters > PARAMETER_LIMIT or activations > ACTIVATION_LIMIT:
            limits = f"{PARAMETER_LIMIT:,} parameters or {ACTIVATION_LIMIT:,} outputs"
            raise TooLarge(f"a model with more than {limits}")
        steps.append(step)
        shape = step.output
    return steps


def _count(step: Step) -> int:
    return sum(math.prod(shape) for shape in step.weights)


def _check_expected(layer: Layer, shape: Shape) -> None:
    if layer.expects is None or layer.expects == shape:
        return
    if math.prod(layer.expects) == math.prod(shape):
        raise Unrecognised(f"a model for inputs of shape {layer.expects} that is given {shape}")
    raise ValueError(f"inputs of shape {layer.expects} are expected, and {shape} is given")


Rule: TypeAlias = Callable[[Layer, Shape], Step]


def _unchanged(layer: Layer, shape: Shape) -> Step:
    return Step(shape)


def _image(shape: Shape) -> tuple[Shape, int]:
    """Return (height, width) and channels."""
    if len(shape) != 3:
        raise ValueError(f"an image (height, width, channels) is expected, and {shape} is given")
    return shape[:2], shape[2]


def _windows(layer: Layer, size: Shape, window: Shape, dilation: Shape = (1, 1)) -> Shape:
    """Return how many windows fit along each side."""
    strides = layer.fields["strides"]
    if layer.fields["padding"] == "same":
        return tuple((side - 1) // stride + 1 for side, stride in zip(size, strides, strict=True))
    return tuple(
        (side - spread * (length - 1) - 1) // stride + 1
        for side, length, stride, spread in zip(size, window, strides, dilation, strict=True)
    )


def _bias(layer: Layer, count: int) -> tuple[Shape, ...]:
    return ((count,),) if layer.fields["use_bias"] else ()


def _check_strides(layer: Layer) -> None:
    if max(layer.fields["strides"]) > 1 and max(layer.fields["dilation_rate"]) > 1:
        raise ValueError("strides and dilation can not both be larger than 1")


def _convolution(layer: Layer, shape: Shape) -> Step:
    size, channels = _image(shape)
    fields = layer.fields
    filters, kernel, groups = fields["filters"], fields["kernel_size"], fields["groups"]
    _check_strides(layer)
    if channels % groups or filters % groups:
        raise ValueError(f"{channels} channels and {filters} filters can not be split into {groups} groups")
    weights = (*kernel, channels // groups, filters)
    output = (*_windows(layer, size, kernel, fields["dilation_rate"]), filters)
    return Step(output, (weights, *_bias(layer, filters)), math.prod(weights) * math.prod(output[:2]))


def _separable_convolution(layer: Layer, shape: Shape) -> Step:
    size, channels = _image(shape)
    fields = layer.fields
    _check_strides(layer)
    inner = channels * fields["depth_multiplier"]
    depthwise = (*fields["kernel_size"], channels, fields["depth_multiplier"])
    pointwise = (1, 1, inner, fields["filters"])
    output = (*_windows(layer, size, fields["kernel_size"], fields["dilation_rate"]), fields["filters"])
    work = (math.prod(depthwise) + math.prod(pointwise)) * math.prod(output[:2])
    return Step(output, (depthwise, pointwise, *_bias(layer, fields["filters"])), work)


def _transposed_convolution(layer: Layer, shape: Shape) -> Step:
    size, channels = _image(shape)
    fields = layer.fields
    filters = fields["filters"]
    _check_strides(layer)
    paddings = fields["output_padding"] or (None, None)
    sides = tuple(
        _transposed_side(layer, axis, side, padding)
        for axis, (side, padding) in enumerate(zip(size, paddings, strict=True))
    )
    weights = (*fields["kernel_size"], filters, channels)
    return Step((*sides, filters), (weights, *_bias(layer, filters)), math.prod(weights) * math.prod(size))


def _transposed_side(layer: Layer, axis: int, side: int, padding: int | None) -> int:
    fields = layer.fields
    stride = fields["strides"][axis]
    length = (fields["kernel_size"][axis] - 1) * fields["dilation_rate"][axis] + 1
    if padding is not None and padding >= stride:
        raise ValueError("the output padding must be smaller than the stride")
    if fields["padding"] == "valid":
        added = max(length, stride) - length if padding is None else padding
        return int((side - 1) * stride + length + added)
    return int(side * stride if padding is None else (side - 1) * stride + length % 2 + padding)


def _dense(layer: Layer, shape: Shape) -> Step:
    if not shape:
        raise ValueError("at least one axis is expected")
    units = layer.fields["units"]
    work = math.prod(shape) * units
    return Step((*shape[:-1], units), ((shape[-1], units), *_bias(layer, units)), work)


def _pooling(layer: Layer, shape: Shape) -> Step:
    size, channels = _image(shape)
    window = layer.fields["pool_size"]
    output = (*_windows(layer, size, window), channels)
    return Step(output, (), math.prod(output) * math.prod(window))


def _global_pooling(layer: Layer, shape: Shape) -> Step:
    _, channels = _image(shape)
    return Step((1, 1, channels) if layer.fields["keepdims"] else (channels,), (), math.prod(shape))


def _flatten(layer: Layer, shape: Shape) -> Step:
    return Step((math.prod(shape),))


def _reshape(layer: Layer, shape: Shape) -> Step:
    target, total = layer.fields["target_shape"], math.prod(shape)
    if -1 in target:
        known = -math.prod(target)
        if total % known:
            raise ValueError(f"{shape} can not be reshaped into {target}")
        target = tuple(total // known if side == -1 else side for side in target)
    if math.prod(target) != total:
        raise ValueError(f"{shape} can not be reshaped into {target}")
    return Step(target)


def _permute(layer: Layer, shape: Shape) -> Step:
    dims = layer.fields["dims"]
    if sorted(dims) != list(range(1, len(shape) + 1)):
        raise ValueError(f"the axes of {shape} can not be ordered as {dims}")
    return Step(tuple(shape[axis - 1] for axis in dims))


def _repeat(layer: Layer, shape: Shape) -> Step:
    if len(shape) != 1:
        raise ValueError(f"one axis is expected, and {shape} is given")
    return Step((layer.fields["n"], shape[0]))


def _upsampling(layer: Layer, shape: Shape) -> Step:
    size, channels = _image(shape)
    sides = (side * factor for side, factor in zip(size, layer.fields["size"], strict=True))
    return Step((*sides, channels))


def _margin(layer: Layer, shape: Shape) -> Step:
    size, channels = _image(shape)
    sign, margins = (1, "padding") if layer.kind == "ZeroPadding2D" else (-1, "cropping")
    sides = (side + sign * sum(pair) for side, pair in zip(size, layer.fields[margins], strict=True))
    return Step((*sides, channels))


def _image_unchanged(layer: Layer, shape: Shape) -> Step:
    _image(shape)
    return Step(shape)


def _axes(axes: int | tuple[int, ...], rank: int) -> list[int]:
    """Return axes that count the batch (0) as axes of one sample; refuse the batch itself."""
    listed = [axes] if isinstance(axes, int) else list(axes)
    found = [axis - 1 if axis >= 0 else axis + rank for axis in listed]
    if any(not 0 <= axis < rank for axis in found) or len(set(found)) != len(found):
        raise ValueError(f"there is no such axis: {shown(axes)}")
    return found


def _batch_normalization(layer: Layer, shape: Shape) -> Step:
    (axis,) = _axes(layer.fields["axis"], len(shape))
    learnt = layer.fields["scale"] + layer.fields["center"]
    return Step(shape, ((shape[axis],),) * (learnt + 2))


def _layer_normalization(layer: Layer, shape: Shape) -> Step:
    axes = _axes(layer.fields["axis"], len(shape))
    weights = (tuple(shape[axis] for axis in axes),)
    return Step(shape, weights * (layer.fields["scale"] + layer.fields["center"]))


def _softmax(layer: Layer, shape: Shape) -> Step:
    _axes(layer.fields["axis"], len(shape))
    return Step(shape)


def _parametric_relu(layer: Layer, shape: Shape) -> Step:
    shared = layer.fields["shared_axes"] or ()
    if any(axis > len(shape) for axis in shared):
        raise ValueError(f"there is no such axis: {shared}")
    return Step(shape, (tuple(1 if axis in shared else side for axis, side in enumerate(shape, start=1)),))


_RULES: dict[str, Rule] = {
    "AveragePooling2D": _pooling,
    "BatchNormalization": _batch_normalization,
    "Conv2D": _convolution,
    "Conv2DTranspose": _transposed_convolution,
    "Cropping2D": _margin,
    "Dense": _dense,
    "Flatten": _flatten,
    "GlobalAveragePooling2D": _global_pooling,
    "GlobalMaxPooling2D": _global_pooling,
    "LayerNormalization": _layer_normalization,
    "MaxPooling2D": _pooling,
    "PReLU": _parametric_relu,
    "Permute": _permute,
    "RepeatVector": _repeat,
    "Reshape": _reshape,
    "SeparableConv2D": _separable_convolution,
    "Softmax": _softmax,
    "SpatialDropout2D": _image_unchanged,
    "UpSampling2D": _upsampling,
    "ZeroPadding2D": _margin,
}
