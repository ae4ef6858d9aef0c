"""A student's model configuration, read as hostile text into one chain of known layers.

``parse`` accepts what ``get_config`` of Keras 3 makes of Sequential and functional models, and of
models nested in them, when they are one chain from one input to one output. Everything else is
Unrecognised and waits for a person. Sizes are worked out by ``arithmetic`` before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from autograder.models.arithmetic import (
    Unbuildable,
    multiply_adds,
    output_shape,
    parameter_counts,
    shapes,
    weight_shapes,
)
from autograder.models.fields import Field, Shape, TooLarge, Unrecognised, shown
from autograder.models.layers import (
    TRAINING_DEPENDENT,
    Layer,
    ModelDescription,
    activation_of,
    is_pure_activation,
    parse_layer,
    require_float32,
)
from autograder.store import digest_of

__all__ = [
    "Field",
    "Layer",
    "ModelDescription",
    "Shape",
    "TooLarge",
    "Unbuildable",
    "Unrecognised",
    "activation_of",
    "digest",
    "is_pure_activation",
    "multiply_adds",
    "output_shape",
    "parameter_counts",
    "parse",
    "shapes",
    "weight_shapes",
]

LAYER_LIMIT = 300
NESTING_LIMIT = 6
_MODEL_MODULES = {
    "Sequential": ("keras", "keras.models", "keras.src.models.sequential"),
    "Functional": ("keras", "keras.models", "keras.src.models.functional"),
}
# What stands in a functional model where an activation was called on a tensor: its module and class, and the
# activation that it is. Keras's own relu carries the fields of the layer ReLU.
_OPERATIONS = {
    ("keras.src.activations.activations", "ReLU"): "ReLU",
    ("keras.src.ops.nn", "Relu"): "relu",
    ("keras.src.ops.nn", "Sigmoid"): "sigmoid",
    ("keras.src.ops.numpy", "Tanh"): "tanh",
}
_ENVELOPE = {
    "module",
    "class_name",
    "config",
    "registered_name",
    "build_config",
    "compile_config",
    "name",
    "inbound_nodes",
}


def parse(config: Any) -> ModelDescription:
    """Return the description of ``{"class_name": "Sequential" or "Functional", "config": get_config()}``.

    Raises Unrecognised with a reason for a person, or TooLarge.
    """
    if not isinstance(config, dict) or set(config) - {"class_name", "config"}:
        raise Unrecognised("a model without a readable configuration")
    items = _model(config.get("class_name"), config.get("config"), depth=0, trainable=True)
    input_shape: Shape | None = None
    expects: Shape | None = None
    layers: list[Layer] = []
    for item in items:
        if isinstance(item, Layer):
            layers.append(replace(item, expects=expects))
            expects = None
        elif not layers:
            input_shape = _agreed(input_shape, item)
        else:
            expects = _agreed(expects, item)
        if len(layers) > LAYER_LIMIT:
            raise TooLarge(f"more than {LAYER_LIMIT} layers")
    return ModelDescription(input_shape, tuple(layers))


def digest(description: ModelDescription) -> str:
    """Return a SHA-256 that is equal for equal models, whatever their layers are called."""
    layers = [[part.kind, dict(part.fields), part.trainable, part.expects] for part in description.layers]
    return digest_of([description.input_shape, layers])


def _agreed(first: Shape | None, second: Shape) -> Shape:
    if first is not None and first != second:
        raise Unrecognised(f"a model for inputs of shape {second} inside one for {first}")
    return second


def _model(kind: Any, config: Any, depth: int, trainable: bool) -> Iterator[Layer | Shape]:
    """Yield the layers of a model in order, and the input shapes that it and the models in it state."""
    if kind not in ("Sequential", "Functional"):
        raise Unrecognised(f"a model of the class {shown(kind)}")
    if depth > NESTING_LIMIT:
        raise TooLarge(f"models nested more than {NESTING_LIMIT} deep")
    if not isinstance(config, dict) or not isinstance(config.get("layers"), (list, tuple)):
        raise Unrecognised("a model without a list of layers")
    require_float32("model", config.get("dtype", "float32"))
    own = config.get("trainable", True)
    if type(own) is not bool:
        raise Unrecognised("a model with a strange flag")
    if len(config["layers"]) > 2 * LAYER_LIMIT:
        raise TooLarge(f"more than {LAYER_LIMIT} layers")
    ordered = _sequence(config) if kind == "Sequential" else _chain(config)
    for entry in ordered:
        yield from _entry(entry, depth, trainable and own)


def _entry(entry: dict[str, Any], depth: int, trainable: bool) -> Iterator[Layer | Shape]:
    """Yield what one entry of a model's list of layers stands for."""
    kind, module, registered = entry.get("class_name"), entry.get("module"), entry.get("registered_name")
    if not isinstance(kind, str) or set(entry) - _ENVELOPE:
        raise Unrecognised("an entry that is no layer")
    if kind in _MODEL_MODULES:
        if module not in _MODEL_MODULES[kind] or registered not in (None, kind):
            raise Unrecognised(f"a model of another class called {kind}")
        yield from _model(kind, entry.get("config"), depth + 1, trainable)
        return
    called = _called_activation(entry)
    if called is not None:
        yield called
        return
    if module != "keras.layers" or registered is not None:
        raise Unrecognised(_foreign(kind, module))
    if kind == "InputLayer":
        yield _input_shape(entry.get("config"))
        return
    for layer in parse_layer(kind, entry.get("config")):
        yield layer if trainable else replace(layer, trainable=False)


def _called_activation(entry: dict[str, Any]) -> Layer | None:
    """Return the layer that does what an activation called on a tensor does; None where the entry is none."""
    module, kind, config = entry.get("module"), entry.get("class_name"), entry.get("config")
    name = _OPERATIONS.get((module, kind)) if isinstance(module, str) and isinstance(kind, str) else None
    if name is None:
        return None
    if entry.get("registered_name") not in (None, kind) or not isinstance(config, dict):
        raise Unrecognised(_foreign(str(kind), module))
    if name != "ReLU" and set(config) != {"name"}:
        raise Unrecognised(f"the operation {name} with fields of its own")
    (layer,) = (
        parse_layer("ReLU", config) if name == "ReLU" else parse_layer("Activation", config | {"activation": name})
    )
    return layer


def _foreign(kind: str, module: Any) -> str:
    if _is_operation(module):
        return f"the operation {shown(kind)} outside of a layer"
    return f"a custom layer {shown(kind)}"


def _is_operation(module: Any) -> bool:
    return str(module).startswith("keras.src.ops")


def _input_shape(config: Any) -> Shape:
    if not isinstance(config, dict):
        raise Unrecognised("an input without a configuration")
    shape = config.get("batch_shape")
    if not isinstance(shape, (list, tuple)) or not 1 <= len(shape) <= 8:
        raise Unrecognised("an input without a shape")
    if config.get("sparse") or config.get("ragged") or config.get("optional"):
        raise Unrecognised("a sparse, ragged or optional input")
    # float64 is cast to float32 by the first layer: the same function.
    if config.get("dtype") not in ("float32", "float64"):
        raise Unrecognised(f"an input of the type {shown(config.get('dtype'))}")
    sides = tuple(shape[1:])
    if any(type(side) is not int for side in sides):
        raise Unrecognised(f"an input of the variable shape {shown(sides)}")
    if any(not 1 <= side <= 1_000_000 for side in sides):
        raise TooLarge(f"an input of the shape {shown(sides)}")
    return sides


def _sequence(config: dict[str, Any]) -> list[dict[str, Any]]:
    if set(config) - {"name", "trainable", "dtype", "layers", "build_input_shape"}:
        raise Unrecognised("a Sequential model with fields of its own")
    return [_mapping(entry) for entry in config["layers"]]


def _mapping(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise Unrecognised("an entry that is no layer")
    return entry


def _chain(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of a functional model from its input to its output, if it is one chain."""
    if set(config) - {"name", "trainable", "dtype", "layers", "input_layers", "output_layers"}:
        raise Unrecognised("a functional model with fields of its own")
    entries: dict[str, dict[str, Any]] = {}
    for entry in map(_mapping, config["layers"]):
        name = entry.get("name")
        if not isinstance(name, str) or name in entries:
            raise Unrecognised("two layers of one name")
        entries[name] = entry
    start = _endpoint(config.get("input_layers"), "input")
    end = _endpoint(config.get("output_layers"), "output", _functional(entries))
    sources = {name: _source(name, entry, is_input=name == start) for name, entry in entries.items()}
    return _ordered(entries, sources, start, end)


def _ordered(
    entries: dict[str, dict[str, Any]], sources: dict[str, str | None], start: str, end: str
) -> list[dict[str, Any]]:
    followers: dict[str, str] = {}
    for name, source in sources.items():
        if source is not None:
            if source in followers:
                raise Unrecognised("a layer whose output goes to two others")
            followers[source] = name
    ordered: list[dict[str, Any]] = []
    name = start
    while name in entries and len(ordered) < len(entries):
        ordered.append(entries[name])
        if name not in followers:
            break
        name = followers[name]
    if name != end or len(ordered) != len(entries):
        raise Unrecognised("a graph of layers that is not one chain from input to output")
    return ordered


def _functional(entries: dict[str, dict[str, Any]]) -> frozenset[str]:
    """Return the names of the nested functional models: Keras counts the first use of such a model as its second."""
    return frozenset(name for name, entry in entries.items() if entry.get("class_name") == "Functional")


def _endpoint(value: Any, what: str, functional: frozenset[str] = frozenset()) -> str:
    """Return the layer's name in ``["name", 0, 0]`` or ``[["name", 0, 0]]``; ``["name", 1, 0]`` for ``functional``."""
    if isinstance(value, (list, tuple)) and len(value) == 1 and isinstance(value[0], (list, tuple)):
        value = value[0]
    if isinstance(value, dict):
        raise Unrecognised(f"named {what}s")
    if not isinstance(value, (list, tuple)) or len(value) != 3 or not isinstance(value[0], str):
        raise Unrecognised(f"more than one {what}")
    if (
        type(value[1]) is not int
        or type(value[2]) is not int
        or (value[1], value[2])
        != (
            int(value[0] in functional),
            0,
        )
    ):
        raise Unrecognised("a layer that is used twice")
    return str(value[0])


def _source(name: str, entry: dict[str, Any], is_input: bool) -> str | None:
    """Return the name of the layer that feeds this one; None for the input."""
    nodes = entry.get("inbound_nodes")
    if not isinstance(nodes, (list, tuple)):
        raise Unrecognised("a layer that is not connected")
    if is_input:
        if nodes or entry.get("class_name") != "InputLayer":
            raise Unrecognised("an input that is no InputLayer")
        return None
    if entry.get("class_name") == "InputLayer":
        raise Unrecognised("more than one input")
    if len(nodes) != 1:
        raise Unrecognised("a layer that is used twice" if nodes else "a layer that is not connected")
    return _tensor_of(entry, _mapping(nodes[0]))


def _tensor_of(entry: dict[str, Any], node: dict[str, Any]) -> str:
    arguments, named = node.get("args"), node.get("kwargs")
    if set(node) != {"args", "kwargs"} or not isinstance(named, dict):
        raise Unrecognised("a layer that is not connected")
    if not isinstance(arguments, (list, tuple)):
        raise Unrecognised("a layer that is not connected")
    kind = shown(entry.get("class_name"))
    if _is_operation(entry.get("module")) and _called_activation(entry) is None:
        raise Unrecognised(_foreign(kind, entry.get("module")))
    options = {key: value for key, value in named.items() if value is not None}
    if not arguments and "inputs" in options:
        arguments = (options.pop("inputs"),)
    # False is what Keras itself writes down for a plain call; fit and predict say otherwise when they need to.
    if options.pop("training", None) not in (None, False) and _depends_on_training(entry):
        raise Unrecognised(f"a {kind} that is called with training=...")
    if len(arguments) == 1 and isinstance(arguments[0], (list, tuple)):
        raise Unrecognised(f"branches that are joined by {kind}")
    if options or len(arguments) != 1:
        raise Unrecognised(f"a {kind} that is called with more than one tensor")
    return _endpoint(_history(arguments[0]), "output")


def _history(tensor: Any) -> Any:
    config = tensor.get("config") if isinstance(tensor, dict) else None
    if not isinstance(config, dict) or tensor.get("class_name") != "__keras_tensor__":
        raise Unrecognised("a layer that is called with something else than a tensor")
    history = config.get("keras_history")
    return list(history) if isinstance(history, (list, tuple)) else history


def _depends_on_training(entry: dict[str, Any]) -> bool:
    """Tell whether a layer, or any layer of a nested model, computes otherwise in training."""
    stack: list[Any] = [entry]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if item.get("class_name") in TRAINING_DEPENDENT:
                return True
            stack.append(item.get("config"))
            stack.append(item.get("layers"))
        elif isinstance(item, (list, tuple)):
            stack.extend(item)
    return False
