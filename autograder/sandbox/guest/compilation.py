"""What was given to ``compile``, described without trusting what the objects say of themselves more than needed."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import keras

from autograder.sandbox.guest.plain import NotPlain, plain, text, type_name

_DEPTH_LIMIT = 4
_ITEMS_LIMIT = 50
# Known by identity: any function can be given the name of another one, and of its module.
_OF_KERAS = {id(item) for module in (keras.losses, keras.metrics, keras.optimizers) for item in vars(module).values()}


def described(value: Any, depth: int = 0) -> Any:
    """Return a loss, an optimizer or metrics as plain JSON, as ``evidence.Compilation`` says."""
    if value is None or isinstance(value, (bool, int, float)):
        return plain(value)
    if isinstance(value, str):
        return text(value, 200)
    if depth < _DEPTH_LIMIT:
        if isinstance(value, (list, tuple)):
            return [described(child, depth + 1) for child in value[:_ITEMS_LIMIT]]
        if type(value) is dict:
            items = list(value.items())[:_ITEMS_LIMIT]
            return {text(key, 200): described(child, depth + 1) for key, child in items}
    if isinstance(value, (types.FunctionType, type)):
        # A class of losses stands for its instance: Keras makes one.
        return {"function": text(value.__name__, 200), "module": _module(value)}
    return _keras_object(value) or {"other": type_name(value)}


def _module(value: Any) -> str:
    """Return the module of a function or class; one that only claims to be of Keras is the notebook's own."""
    module = text(value.__module__, 200)
    return "__main__" if module.startswith("keras.") and id(value) not in _OF_KERAS else module


def _keras_object(value: Any) -> dict[str, Any] | None:
    """Return Keras's own description of an object of one of its classes."""
    if not type(value).__module__.startswith("keras."):
        return None
    try:
        config = plain(keras.saving.serialize_keras_object(value))
    except (Exception, NotPlain):
        return None
    known = isinstance(config, dict) and {"module", "class_name", "config", "registered_name"} <= set(config)
    return {key: config[key] for key in ("module", "class_name", "config", "registered_name")} if known else None


def compilation_record(cell: int, identity: int, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of one call of ``compile`` from its arguments by name."""
    others = [key for key in arguments if key not in ("optimizer", "loss", "metrics")]
    return {
        "cell": cell,
        "model_identity": identity,
        "loss": described(arguments.get("loss")),
        "optimizer": described(arguments.get("optimizer", "rmsprop")),
        "metrics": described(arguments.get("metrics")),
        "arguments": [text(key, 200) for key in others],
    }
