"""The layers that the grader knows: an allow-list of classes, and of every field that they may carry.

A layer's configuration was written by a student's process. Nothing in it is looked up or called by
name: a class, field or value that does not stand in the tables below is not recognised, and a
person reviews the model. Nothing is ever replaced by a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from autograder.models.fields import (
    SEED,
    Dropped,
    Field,
    Neutral,
    Reader,
    Shape,
    Unrecognised,
    axes,
    boolean,
    choice,
    either,
    initializer,
    integer,
    integers,
    margins,
    none,
    number,
    regularizer,
    shown,
    target_shape,
)

__all__ = [
    "ACTIVATIONS",
    "LAYERS",
    "TRAINING_DEPENDENT",
    "Field",
    "Layer",
    "ModelDescription",
    "Shape",
    "Unrecognised",
    "activation_of",
    "is_pure_activation",
    "parse_layer",
    "require_float32",
]

NAME_LIMIT = 200


@dataclass(frozen=True)
class Layer:
    """One layer: its Keras class, the student's name for it, and its fields under Keras's own names.

    Activations are names of Keras functions (``"relu"``); initialisers and regularisers are tuples
    such as ``("GlorotUniform",)`` and ``("L2", ("l2", 0.01))``, or None. ``expects`` is the input
    shape that a nested model states just before this layer.
    """

    kind: str
    name: str
    fields: Mapping[str, Field] = field(default_factory=dict, hash=False)
    trainable: bool = True
    expects: Shape | None = None

    def __post_init__(self) -> None:
        """Make the fields read-only."""
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))


@dataclass(frozen=True)
class ModelDescription:
    """A model that is one chain of layers. Shapes are those of one sample, without the batch axis."""

    input_shape: Shape | None
    layers: tuple[Layer, ...]


def parse_layer(kind: str, config: Any) -> list[Layer]:
    """Return one layer's description from its class and ``get_config()``.

    There are two layers where the activation was given as a layer with numbers of its own
    (``Conv2D(..., activation=LeakyReLU(0.3))``): it then stands after the layer, as it is computed.
    Raises Unrecognised, or TooLarge on absurd numbers.
    """
    if kind not in LAYERS:
        raise Unrecognised(f"a {shown(kind)} layer")
    if not isinstance(config, dict):
        raise Unrecognised(f"a {kind} layer without a configuration")
    name, trainable = _common(kind, config)
    fields, following = _fields(kind, config)
    layers = [Layer(kind, name, fields, trainable)]
    if following is not None:
        if kind == "Activation":
            layers = []
        elif "activity_regularizer" in fields:
            raise Unrecognised(f"a {kind} layer with a regularised activation of its own")
        own_name = f"{name}_{following.name}"[:NAME_LIMIT]
        layers.append(Layer(following.kind, own_name, following.fields, trainable))
    return layers


def activation_of(layer: Layer) -> str | None:
    """Return the activation that ends a layer, as Keras names it; None where the layer has no such thing.

    ``"relu"`` for ``Conv2D(activation="relu")``, ``Activation("relu")`` and a plain ``ReLU()``.
    """
    if "activation" in layer.fields:
        return str(layer.fields["activation"])
    named = _ACTIVATION_LAYERS.get(layer.kind)
    if named is None:
        return None
    name, fields = named
    return name if dict(layer.fields) == fields else layer.kind


def is_pure_activation(layer: Layer) -> bool:
    """Tell whether the layer does nothing but apply ``activation_of(layer)``."""
    return layer.kind == "Activation" or layer.kind in _ACTIVATION_LAYERS


def _common(kind: str, config: dict[str, Any]) -> tuple[str, bool]:
    """Read what every layer carries: its name, whether it is trained, and its number type."""
    name, trainable = config.get("name", ""), config.get("trainable", True)
    if not isinstance(name, str) or type(trainable) is not bool:
        raise Unrecognised(f"a {kind} layer with a strange name or flag")
    require_float32(f"{kind} layer", config.get("dtype", "float32"))
    return name[:NAME_LIMIT], trainable


_FLOAT32_POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32"},
    "registered_name": None,
}


def require_float32(kind: str, value: Any) -> None:
    """Raise Unrecognised unless a number type, plain or as a Keras policy, is float32."""
    if value not in ("float32", _FLOAT32_POLICY):
        raise Unrecognised(f"a {kind} that does not compute in float32")


def _fields(kind: str, config: dict[str, Any]) -> tuple[dict[str, Field], Layer | None]:
    table = LAYERS[kind]
    for key in config:
        if key not in table and key not in ("name", "trainable", "dtype", "activity_regularizer"):
            raise Unrecognised(f"the field '{shown(key)}' of a {kind} layer")
    fields: dict[str, Field] = {}
    following: Layer | None = None
    if config.get("activity_regularizer") is not None:
        fields["activity_regularizer"] = _read(kind, "activity_regularizer", regularizer, config)
    for key, reader in table.items():
        if key not in config and isinstance(reader, Neutral):
            continue
        value = _read(kind, key, reader, config)
        if isinstance(value, Layer):
            following = value
            value = "linear"
        if not isinstance(reader, Neutral):
            fields[key] = value
    return fields, following


def _read(kind: str, key: str, reader: Reader, config: dict[str, Any]) -> Field:
    if key not in config:
        raise Unrecognised(f"a {kind} layer without its field '{key}'")
    try:
        return reader(config[key])
    except ValueError as error:
        raise Unrecognised(f"the field '{key}' of a {kind} layer{_because(error)}") from None


def _because(error: ValueError) -> str:
    return f": {error}" if str(error) else ""


# Keras's own functions of one tensor that keep its shape; glu halves it.
ACTIVATIONS = frozenset(
    (
        "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh",
        "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid",
        "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid",
        "sparsemax", "squareplus", "tanh", "tanh_shrink",
    )
)  # fmt: skip
_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}
# Layers that are nothing but an activation: the function's name where all fields are as here.
_ACTIVATION_LAYERS: Mapping[str, tuple[str, Mapping[str, Field]]] = {
    "ReLU": ("relu", {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}),
    "ELU": ("elu", {"alpha": 1.0}),
    "LeakyReLU": ("leaky_relu", {"negative_slope": 0.2}),
    "Softmax": ("softmax", {"axis": -1}),
}


def _activation(value: Any) -> str | Layer:
    """Return the function's name, or a layer where the activation is one with numbers of its own."""
    if isinstance(value, str):
        name = _ALIASES.get(value, value)
        if name not in ACTIVATIONS:
            raise ValueError(f"the activation {shown(value)}")
        return name
    if not isinstance(value, dict):
        raise ValueError
    if (value.get("class_name"), value.get("module")) == ("function", "keras.activations"):
        return _activation(str(value.get("config")))
    if value.get("module") != "keras.layers" or value.get("class_name") not in _ACTIVATION_LAYERS:
        raise ValueError(f"the activation {shown(value.get('config'))[:40]}")
    (layer,) = parse_layer(str(value["class_name"]), value.get("config"))
    name = activation_of(layer) or ""
    return name if name in ACTIVATIONS else layer


def _weights(*names: str) -> dict[str, Reader]:
    """Fields of named weights: an initialiser, a regulariser, no constraint."""
    return {
        **{f"{name}_initializer": initializer for name in names},
        **{f"{name}_regularizer": regularizer for name in names},
        **{f"{name}_constraint": Neutral(None) for name in names},
    }


_CHANNELS: dict[str, Reader] = {"data_format": Neutral("channels_last")}
_PADDING: dict[str, Reader] = {"padding": choice("valid", "same")}
_WINDOW: dict[str, Reader] = {"strides": integers(2), **_PADDING, **_CHANNELS}
_CONVOLUTION: dict[str, Reader] = {
    "filters": integer(),
    "kernel_size": integers(2),
    **_WINDOW,
    "dilation_rate": integers(2),
    "activation": _activation,
    "use_bias": boolean,
}
_POOLING: dict[str, Reader] = {"pool_size": integers(2), **_WINDOW}
_GLOBAL: dict[str, Reader] = {"keepdims": boolean, **_CHANNELS}
_RATE: dict[str, Reader] = {"rate": number(0, 1), "seed": SEED}
_NORMALIZATION: dict[str, Reader] = {
    "epsilon": number(0, 1e3),
    "center": boolean,
    "scale": boolean,
    **_weights("beta", "gamma"),
}

# fmt: off
LAYERS: Mapping[str, Mapping[str, Reader]] = {
    "Activation": {"activation": _activation},
    "AveragePooling2D": _POOLING,
    "BatchNormalization": {
        "axis": integer(-8, 8), "momentum": number(0, 1), **_NORMALIZATION,
        "moving_mean_initializer": initializer, "moving_variance_initializer": initializer,
        "synchronized": Neutral(False), "renorm": Neutral(False), "renorm_clipping": Neutral(None),
        "renorm_momentum": Dropped(None),
    },
    "Conv2D": {**_CONVOLUTION, "groups": integer(), **_weights("kernel", "bias")},
    "Conv2DTranspose": {
        **_CONVOLUTION, "output_padding": either(none, integers(2, low=0)), **_weights("kernel", "bias"),
    },
    "Cropping2D": {"cropping": margins, **_CHANNELS},
    "Dense": {
        "units": integer(), "activation": _activation, "use_bias": boolean,
        **_weights("kernel", "bias"), "quantization_config": Neutral(None),
    },
    "Dropout": {**_RATE, "noise_shape": Neutral(None)},
    "ELU": {"alpha": number()},
    "Flatten": _CHANNELS,
    "GaussianDropout": _RATE,
    "GaussianNoise": {"stddev": number(0), "seed": SEED},
    "GlobalAveragePooling2D": _GLOBAL,
    "GlobalMaxPooling2D": _GLOBAL,
    "Identity": {},
    "LayerNormalization": {"axis": axes, **_NORMALIZATION, "rms_scaling": Neutral(False)},
    "LeakyReLU": {"negative_slope": number(0)},
    "MaxPooling2D": _POOLING,
    "PReLU": {**_weights("alpha"), "shared_axes": either(none, integers((1, 8), 1, 8))},
    "Permute": {"dims": integers((1, 8), 1, 8)},
    "ReLU": {
        "max_value": either(none, number(0)), "negative_slope": number(0), "threshold": number(0),
    },
    "RepeatVector": {"n": integer()},
    "Rescaling": {"scale": number(), "offset": number()},
    "Reshape": {"target_shape": target_shape},
    "SeparableConv2D": {
        **_CONVOLUTION, "depth_multiplier": integer(), **_weights("depthwise", "pointwise", "bias"),
    },
    "Softmax": {"axis": axes},
    "SpatialDropout2D": {**_RATE, **_CHANNELS},
    "UpSampling2D": {
        "size": integers(2), "interpolation": choice("nearest", "bilinear", "bicubic"), **_CHANNELS,
    },
    "ZeroPadding2D": {"padding": margins, **_CHANNELS},
}
# fmt: on
# Layers that compute otherwise in training than in use.
TRAINING_DEPENDENT = frozenset(
    ("BatchNormalization", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout2D")
)
