"""Calls of ``fit``: what was given is kept, one eager step raises what Keras would raise.

A step on one batch finds every error of shapes, types and compilation that the whole training would find in its
first batch, for a hundredth of the cost; nothing of the verdict rests on weights that a notebook has trained.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from autograder.sandbox.guest.eager import eagerly
from autograder.sandbox.guest.errors import error_text
from autograder.sandbox.guest.given import (
    are_arrays,
    batches,
    bound,
    count,
    data_of,
    dataset_of,
    equal_lengths,
    first_element,
    is_dataset,
    length,
    parts,
    rows,
    share,
    single,
    truth,
)
from autograder.sandbox.guest.plain import type_name
from autograder.sandbox.guest.session import Session

ROWS = 32
SHORT_EPOCHS = 2
SHORT_STEPS = 60
_EPOCHS_LIMIT = 10_000
_FITS_LIMIT = 400

Method = Callable[..., Any]
Arguments = dict[str, Any]


def fit(session: Session, original: Method, model: Any, args: tuple[Any, ...], kwargs: Arguments) -> Any:
    """Record a call of ``fit`` and perform as much of it as the session's training says."""
    if session.depth.fit:
        return original(model, *args, **kwargs)
    arguments = bound(original, model, args, kwargs)
    given = _Given(arguments if arguments is not None else dict(kwargs))
    record: dict[str, Any] | None = None
    with session.quietly("a fit"):
        record = _record(session, model, given)
    try:
        with session.inside("fit"):
            if arguments is None:
                return original(model, *args, **kwargs)
            history = _perform(session, original, model, given)
        with session.quietly("a fit"):
            session.models.mark_trained(model.trainable_variables)
        return history
    except BaseException as error:
        if record is not None:
            record["error"] = error_text(error)
        raise
    finally:
        session.fits += 1
        if record is not None and session.fits <= _FITS_LIMIT:
            session.channel.record("fit", record)


def train_on_batch(session: Session, original: Method, model: Any, args: tuple[Any, ...], kwargs: Arguments) -> Any:
    """Record that a loop of the notebook's own trains a model: once for each model and cell."""
    if session.depth.fit:
        return original(model, *args, **kwargs)
    key = (session.cell, session.models.identities.number(model))
    if key not in session.own_loops:
        session.own_loops.add(key)
        with session.quietly("train_on_batch"):
            _record_loop(session, model, *args[:2], **{key: kwargs[key] for key in ("x", "y") if key in kwargs})
    with session.inside("fit"):
        result = original(model, *args, **kwargs)
    session.models.mark_trained(model.trainable_variables)
    return result


def _record_loop(session: Session, model: Any, x: Any = None, y: Any = None) -> None:
    record = {
        "cell": session.cell,
        "model": session.models.position(model),
        "kind": "other",
        "x": session.arrays.position(x),
        "y": session.arrays.position(y),
        "performed": True,
        **session.probe_fields,
    }
    session.channel.record("fit", record)


class _Given:
    """The arguments of one call, with its data looked at once: a generator gives its first batch only once."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.x, self.y = arguments.get("x"), arguments.get("y")
        self.weights = arguments.get("sample_weight")
        self.validation = arguments.get("validation_data")
        self.kind = "other"
        self.element: Any = None
        if are_arrays(self.x) and (self.y is None or are_arrays(self.y)):
            self.kind = "arrays"
        elif is_dataset(self.x):
            self.element = first_element(self.x)
            self.kind = "dataset" if self.element is not None else "other"

    @property
    def consistent(self) -> bool:
        """Whether all arrays have as many rows: if not, Keras shall see them as they are."""
        data = [part for part in (self.x, self.y, self.weights) if part is not None]
        return all(map(are_arrays, data)) and equal_lengths(*data)


def _record(session: Session, model: Any, given: _Given) -> dict[str, Any]:
    arguments = given.arguments
    record: dict[str, Any] = {
        "cell": session.cell,
        "model": session.models.position(model),
        "kind": given.kind,
        "batch_size": count(arguments.get("batch_size")),
        "epochs": count(arguments.get("epochs", 1)),
        "initial_epoch": count(arguments.get("initial_epoch", 0)) or 0,
        "steps_per_epoch": count(arguments.get("steps_per_epoch")),
        "validation_split": share(arguments.get("validation_split", 0.0)),
        "shuffle": truth(arguments.get("shuffle", True)),
        "weighted": any(arguments.get(key) is not None for key in ("sample_weight", "class_weight")),
        "callbacks": _callback_names(arguments.get("callbacks")),
        "performed": session.training != "record",
        **session.probe_fields,
    }
    if given.kind == "dataset":
        record |= _dataset_fields(session, given)
    else:
        record |= {"x": session.arrays.position(single(given.x)), "y": session.arrays.position(single(given.y))}
        record["sample_count"] = length(given.x)
    validation = data_of(given.validation)
    record["validation_x"] = session.arrays.position(single(validation[0]))
    record["validation_y"] = session.arrays.position(single(validation[1]))
    return record


def _dataset_fields(session: Session, given: _Given) -> dict[str, Any]:
    x, y, weights = parts(given.element)
    batch, number = length(x), batches(given.x)
    return {
        "x": session.arrays.position(single(x)),
        "y": session.arrays.position(single(y)),
        "batch_size": batch,
        "sample_count": batch * number if batch is not None and number is not None else None,
        "weighted": weights is not None or given.arguments.get("class_weight") is not None,
    }


def _perform(session: Session, original: Method, model: Any, given: _Given) -> Any:
    if session.training == "full":
        return original(model, **given.arguments)
    stretched = _stretched_callbacks(model, given)
    if session.training == "short":
        epochs = count(given.arguments.get("epochs", 1))
        shortened = given.arguments | {"callbacks": stretched}
        if epochs is not None:
            first = count(given.arguments.get("initial_epoch", 0)) or 0
            shortened["epochs"] = min(epochs, first + SHORT_EPOCHS)
        steps = _steps(given)
        with contextlib.nullcontext() if steps is not None and steps <= SHORT_STEPS else _steps_at_most(SHORT_STEPS):
            return original(model, **shortened)
    arguments = _one_batch(given) | {"callbacks": stretched, "verbose": 0}
    with contextlib.ExitStack() as stack:
        stack.enter_context(eagerly(model, arrays=_only_arrays(arguments)))
        if given.kind == "other":
            stack.enter_context(_steps_at_most(1))
        stack.enter_context(_finite_weights(model))
        stack.enter_context(session.inside("step"))
        return original(model, **arguments)


@contextlib.contextmanager
def _finite_weights(model: Any) -> Iterator[None]:
    """Take back a recorded step that left weights that are no numbers: all that follows would be judged on them."""
    before = [np.array(variable) for variable in model.trainable_variables]
    try:
        yield
    finally:
        after = model.trainable_variables
        if len(after) == len(before) and not all(np.isfinite(variable).all() for variable in after):
            for variable, value in zip(after, before, strict=True):
                variable.assign(value)


def _one_batch(given: _Given) -> Arguments:
    """Return the arguments cut to one batch of one epoch; what is wrong as a whole stays whole."""
    arguments = dict(given.arguments)
    first = count(arguments.get("initial_epoch", 0)) or 0
    epochs = count(arguments.get("epochs", 1))
    if epochs is not None:
        arguments["epochs"] = min(epochs, first + 1)
    if given.kind == "arrays" and given.consistent:
        arguments |= _cut_arrays(given)
    elif given.kind == "dataset":
        arguments["x"] = dataset_of(given.element)
    if count(arguments.get("steps_per_epoch")):
        arguments["steps_per_epoch"] = 1
    if given.validation is not None:
        arguments["validation_data"] = _cut_validation(given.validation)
        if count(arguments.get("validation_steps")):
            arguments["validation_steps"] = 1
    return arguments


def _cut_arrays(given: _Given) -> Arguments:
    """Return the data cut to one batch; what is split off for validation becomes validation data."""
    batch = min(ROWS, count(given.arguments.get("batch_size")) or ROWS)
    split = given.arguments.get("validation_split")
    data = {"x": given.x, "y": given.y, "sample_weight": given.weights}
    data = {key: part for key, part in data.items() if part is not None}
    if not split or given.validation is not None:
        return {key: rows(part, 0, batch) for key, part in data.items()}
    total = length(given.x) or 0
    end = math.floor(total * (1.0 - split))
    if not 0 < end < total:
        return {}  # Keras refuses this share, and says why.
    cut = {key: rows(part, 0, min(batch, end)) for key, part in data.items()}
    validation = tuple(rows(part, end, end + batch) for part in data.values())
    return {**cut, "validation_split": 0.0, "validation_data": validation}


def _cut_validation(validation: Any) -> Any:
    if is_dataset(validation):
        element = first_element(validation)
        return validation if element is None else dataset_of(element)
    data = [part for part in parts(validation) if part is not None]
    if type(validation) not in (list, tuple) or not all(map(are_arrays, data)) or not equal_lengths(*data):
        return validation
    return tuple(rows(part, 0, ROWS) for part in data)


def _stretched_callbacks(model: Any, given: _Given) -> Any:
    """Return callbacks that go through all the epochs that were asked, with the values of the last one performed."""
    callbacks = given.arguments.get("callbacks")
    epochs = count(given.arguments.get("epochs", 1))
    if isinstance(callbacks, keras.callbacks.CallbackList) or epochs is None:
        return callbacks

    last = min(epochs, _EPOCHS_LIMIT)

    class Stretched(keras.callbacks.CallbackList):  # type: ignore[misc]
        seen: tuple[int, Any] | None = None

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seen = (epoch, dict(logs or {}))
            super().on_epoch_end(epoch, logs)

        def on_train_end(self, logs: Any = None) -> None:
            if self.seen is not None:
                performed, values = self.seen
                for epoch in range(performed + 1, last):
                    self.on_epoch_begin(epoch)
                    super().on_epoch_end(epoch, dict(values))
            super().on_train_end(logs)

    steps = _steps(given)
    return Stretched(callbacks, add_history=True, add_progbar=False, verbose=0, epochs=epochs, steps=steps, model=model)


@contextlib.contextmanager
def _steps_at_most(steps: int) -> Iterator[None]:
    before = keras.config.max_steps_per_epoch()
    keras.config.set_max_steps_per_epoch(steps)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Limiting ")
            yield
    finally:
        keras.config.set_max_steps_per_epoch(before)


def _only_arrays(arguments: Arguments) -> bool:
    validation = parts(arguments.get("validation_data"))
    data = [arguments.get("x"), arguments.get("y"), arguments.get("sample_weight"), *validation]
    dataset = is_dataset(arguments.get("validation_data"))
    return not dataset and all(part is None or are_arrays(part) for part in data)


def _steps(given: _Given) -> int | None:
    steps = count(given.arguments.get("steps_per_epoch"))
    if steps is not None or given.kind == "other":
        return steps
    if given.kind == "dataset":
        return batches(given.x)
    return math.ceil((length(given.x) or 0) / (count(given.arguments.get("batch_size")) or 32))


def _callback_names(callbacks: Any) -> list[str]:
    if callbacks is None:
        return []
    if type(callbacks) in (list, tuple):
        return [type_name(callback) for callback in callbacks[:50]]
    return [type_name(callbacks)]
