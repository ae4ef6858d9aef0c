"""Keras models as they are at one moment, each state sent once."""

from __future__ import annotations

import hashlib
import json
import math
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from autograder.sandbox.guest import taking_apart
from autograder.sandbox.guest.channel import Blobs, Channel
from autograder.sandbox.guest.plain import NotPlain, plain, text, type_name
from autograder.sandbox.limits import Limits

WEIGHTS_LIMIT = 400
_OWN = "a class of your own"
_NEVER_BUILT = f"{_OWN}, {taking_apart.NEVER_BUILT}"


class Identities:
    """Numbers for objects: equal for the same object, never used again for another one."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Callable[[], Any], int]] = {}
        self._next = 0

    def number(self, item: object) -> int:
        """Return the object's number."""
        known = self._known.get(id(item))
        if known is not None and known[0]() is item:
            return known[1]
        reference: Callable[[], Any]
        try:
            reference = weakref.ref(item)
        except TypeError:
            reference = _strong(item)
        self._next += 1
        self._known[id(item)] = (reference, self._next)
        return self._next


def _strong(item: object) -> Callable[[], Any]:
    return lambda: item


class ModelTable:
    """The models sent so far, the variables that were trained, and how each model was compiled."""

    def __init__(self, channel: Channel, limits: Limits | None = None, seed: int = 0) -> None:
        """``seed`` is that of the inputs for which models of own classes tell what they give."""
        self._limits = limits or Limits()
        self._seed = seed
        self.identities = Identities()
        self.compilations: dict[int, dict[str, Any]] = {}
        self._layers: dict[int, tuple[Any, str]] = {}
        self._channel = channel
        self._variables = Identities()
        self._trained: set[int] = set()
        self._sent: dict[bytes, int] = {}
        self._last: dict[int, tuple[bytes, int]] = {}

    def position(self, model: Any, configuration: bool = True, shape: tuple[int, ...] | None = None) -> int:
        """Send a model's present state unless it was sent; return its position.

        Without ``configuration`` the state is taken as known when weights, training and compilation are as they
        were the last time. ``shape`` is that of the inputs with which a model that was never built is tried.
        """
        identity = self.identities.number(model)
        built = bool(_quietly(lambda: model.built, False))
        layers, problem = self._apart(model, identity, shape)
        weights = _weights(model if layers is None else layers, self._limits.model_parameters)
        state = self._state(identity, weights)
        last = self._last.get(identity)
        if last is not None and ((last[0] == state and not configuration) or len(self._sent) >= self._limits.models):
            return last[1]
        record = self._record(model, identity, weights, layers) | {"built": built}
        answer = None
        if layers is not None or problem:
            answer = _quietly(lambda: _answer(model, layers, shape, self._seed), None)
            problem = problem if answer is not None or problem else f"{_OWN}, which can not be called on images"
        record["problem"] = problem or record["problem"]
        digest = hashlib.blake2b(state, digest_size=16)
        digest.update(json.dumps(record, sort_keys=True).encode())
        key = digest.digest()
        if key not in self._sent:
            if answer is not None:
                record["answer"] = {"seed": self._seed, "shape": list(answer[0])}
            told = None if answer is None else answer[1]
            self._sent[key] = self._channel.row("model", lambda blobs: _with_arrays(record, weights, told, blobs))
        self._last[identity] = (state, self._sent[key])
        return self._sent[key]

    def _apart(self, model: Any, identity: int, shape: tuple[int, ...] | None) -> tuple[Any, str]:
        """Return the layers of a model of own classes; None and, where it should have some, why there are none.

        A model is taken apart once, and again when it has other variables: its ``call`` is the student's and may print.
        """
        layers, problem = self._layers.get(identity, (None, ""))
        tried = bool(problem) and problem != _NEVER_BUILT
        if not tried and (layers is None or not _still(layers, model)):
            layers, problem = self._layers[identity] = _taken_apart(model, shape)
        return layers, problem

    def mark_trained(self, variables: Iterable[Any]) -> None:
        """Remember that training has touched these variables."""
        self._trained.update(self._variables.number(variable) for variable in variables)

    def _state(self, identity: int, weights: list[tuple[Any, np.ndarray[Any, Any] | None]]) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        touched = [self._variables.number(variable) in self._trained for variable, _ in weights]
        digest.update(json.dumps([identity, touched, self.compilations.get(identity)]).encode())
        for _, values in weights:
            digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
        return digest.digest()

    def _record(
        self, model: Any, identity: int, weights: list[tuple[Any, np.ndarray[Any, Any] | None]], layers: Any
    ) -> dict[str, Any]:
        config, problem = _configuration(model if layers is None else layers)
        numbers = [self._variables.number(variable) for variable, _ in weights]
        return {
            "identity": identity,
            "class_name": type_name(model),
            "config": config,
            "problem": problem,
            "input_shape": _quietly(lambda: plain(model.input_shape), None),
            "output_shape": _quietly(lambda: plain(model.output_shape), None),
            "weight_shapes": [_shape(variable) for variable, _ in weights],
            "variables": numbers,
            "trained": not self._trained.isdisjoint(numbers),
            "compilation": self.compilations.get(identity),
        }


def _quietly(read: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return read()
    except BaseException:
        return otherwise


def _taken_apart(model: Any, shape: tuple[int, ...] | None) -> tuple[Any, str]:
    try:
        if not taking_apart.is_own(type(model)) and not taking_apart.holds_own(model):
            return None, ""
        return taking_apart.take_apart(model, shape), ""
    except BaseException as error:
        own = isinstance(error, taking_apart.NotTaken)
        reason = str(error) if own else f"{type_name(error)}: {text(error, 200)}"
        return None, f"{_OWN}, {text(reason, 150)}"


def _answer(
    model: Any, layers: Any, shape: tuple[int, ...] | None, seed: int
) -> tuple[tuple[int, ...], np.ndarray[Any, Any]] | None:
    """Return the shape of one input and what a model gives for drawn ones; None where no shape is known."""
    inputs = tuple(layers.input_shape[1:]) if layers is not None else taking_apart.built_for(model) or shape
    return None if inputs is None else (inputs, taking_apart.answer(model, inputs, seed))


def _still(layers: Any, model: Any) -> bool:
    return bool(_quietly(lambda: taking_apart.same_weights(layers, model), False))


def _configuration(model: Any) -> tuple[Any, str]:
    """Return a model's class and configuration as plain JSON, or None and why there is none."""
    try:
        config = {"class_name": type_name(model), "config": plain(model.get_config())}
    except BaseException as error:
        reason = text(error, 300) if isinstance(error, NotPlain) else f"{type_name(error)}: {text(error, 300)}"
        return None, f"the model has no configuration: {reason}"
    return config, ""


def _weights(model: Any, limit: int) -> list[tuple[Any, np.ndarray[Any, Any] | None]]:
    """Return the variables of a model with their values; without values when they are too many."""
    variables = _quietly(lambda: list(model.weights), [])[:10_000]
    size = sum(math.prod(_shape(variable)) for variable in variables)
    if size > limit or len(variables) > WEIGHTS_LIMIT:
        return [(variable, None) for variable in variables]
    return [(variable, _quietly(partial(_values, variable), None)) for variable in variables]


def _values(variable: Any) -> np.ndarray[Any, Any]:
    return np.asarray(variable.numpy())


def _shape(variable: Any) -> list[int]:
    shape: list[int] = _quietly(lambda: [int(side) for side in variable.shape], [])
    return shape


def _with_arrays(
    record: dict[str, Any],
    weights: list[tuple[Any, np.ndarray[Any, Any] | None]],
    answer: np.ndarray[Any, Any] | None,
    blobs: Blobs,
) -> dict[str, Any]:
    if answer is not None:
        record = {**record, "answer": {**record["answer"], "values": blobs.add(answer)}}
    values = [array for _, array in weights if array is not None]
    if len(values) != len(weights):
        return {**record, "weights": []}
    with np.errstate(over="ignore"):
        return {**record, "weights": [blobs.add(array.astype(np.float32)) for array in values]}
