"""Models and layers of a notebook's own classes, taken apart into the plain layers that they call.

``call`` of each such class is run once on a symbolic tensor; what it passes through is a functional model of the same
layers, with the same variables, which has a configuration. How the model itself answers to drawn images is told
beside it, so that the grader can see whether both compute the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional

from autograder.evidence import drawn_inputs

NEVER_BUILT = "never built for an input"
_MOST_VALUES = 200_000
# What a class of one's own is derived from when it only arranges other layers; a kind of convolution is none of these.
_BASES = ("Layer", "Model", "Sequential", "Functional")


class NotTaken(Exception):
    """Raised when a model can not be taken apart; says why, as a clause."""


def is_own(kind: type) -> bool:
    """Whether a class is none of Keras's. A class of the student may carry any name, and says so by its module."""
    return not kind.__module__.startswith("keras.")


def holds_own(model: Any) -> bool:
    """Whether a model, or a layer anywhere in it, is of a class of the notebook's own."""
    return any(is_own(type(layer)) for layer in model._flatten_layers())


def take_apart(model: Any, shape: tuple[int, ...] | None) -> Any:
    """Return a functional model of the layers of a model, for the inputs that it was built for, else of a shape.

    Raises NotTaken, or whatever the student's ``call`` raises.
    """
    shape = built_for(model) or shape
    if shape is None:
        raise NotTaken(NEVER_BUILT)
    with _inlined():
        inputs = keras.Input(shape)
        outputs = model(inputs)
        if not isinstance(outputs, keras.KerasTensor):
            raise NotTaken("which gives more than one tensor")
        layers = keras.Model(inputs, outputs)
    if not same_weights(layers, model):
        raise NotTaken("with weights that it does not use")
    return layers


def same_weights(layers: Any, model: Any) -> bool:
    """Whether a model has the variables of its layers, and no others."""
    return {id(one) for one in layers.weights} == {id(one) for one in model.weights}


def answer(model: Any, shape: tuple[int, ...], seed: int) -> np.ndarray[Any, Any]:
    """Return what a model itself, and not its layers, gives for inputs of a shape drawn with a seed; float32.

    Raises NotTaken where that is no array of numbers for each input, or too many of them.
    """
    inputs = drawn_inputs(seed, shape)
    with _unrecorded():
        given = model(inputs)
        values = np.asarray(given, np.float32)
    if (
        isinstance(given, (list, tuple, dict))
        or values.ndim < 2
        or len(values) != len(inputs)
        or values.size > _MOST_VALUES
    ):
        raise NotTaken("which gives no array of numbers for each input")
    return values


def built_for(model: Any) -> tuple[int, ...] | None:
    """Return the shape of the inputs, without samples, that a model was built for; None where it was not."""
    if not model.built:
        return None
    if _is_graph(model):
        shape = model.input_shape
    else:
        config = model.get_build_config() or {}
        shape = config.get("input_shape") or next(iter((config.get("shapes_dict") or {}).values()), None)
    if not isinstance(shape, (tuple, list)) or len(shape) < 2 or not all(type(side) is int for side in shape[1:]):
        return None
    return tuple(shape[1:])


def _is_graph(model: Any) -> bool:
    """Whether a model has been put together from layers and leaves it to Keras to call them."""
    return type(model).call in (keras.Sequential.call, Functional.call)


@contextmanager
def _inlined() -> Iterator[None]:
    """Let a layer of an own class, when it is called, be what its ``call`` does, and record nothing."""
    original = keras.Layer.__call__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        kind = type(self)
        base = next(one for one in kind.__mro__ if not is_own(one))
        if not (is_own(kind) and base.__name__ in _BASES) and not (_is_graph(self) and holds_own(self)):
            return original(self, *args, **kwargs)
        if not self.built:
            original(self, *args, **kwargs)
        if _is_graph(self):
            return _through(self, args[0])
        _settle_training(self.call, kwargs)
        return self.call(*args, **kwargs)

    with _replaced(call):
        yield


def _through(model: Any, inputs: Any) -> Any:
    """Call the layers of a model one by one, which Keras does only after a conversion that is no layer."""
    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            inputs = layer(inputs)
        return inputs
    return model._run_through_graph(inputs, operation_fn=lambda operation: operation)


def _settle_training(call: Any, kwargs: dict[str, Any]) -> None:
    """Give or take the argument ``training`` as Keras does: only to a ``call`` that has it."""
    parameters = inspect.signature(call).parameters
    if "training" in parameters:
        kwargs.setdefault("training", False)
    elif not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        kwargs.pop("training", None)


@contextmanager
def _unrecorded() -> Iterator[None]:
    """Let models be called as Keras has them."""
    with _replaced(keras.Layer.__call__):
        yield


@contextmanager
def _replaced(call: Any) -> Iterator[None]:
    owners = [owner for owner in (keras.Layer, keras.Model) if "__call__" in owner.__dict__]
    kept = [owner.__dict__["__call__"] for owner in owners]
    for owner in owners:
        owner.__call__ = call
    try:
        yield
    finally:
        for owner, before in zip(owners, kept, strict=True):
            owner.__call__ = before
