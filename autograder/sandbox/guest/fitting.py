"""Calls of ``fit``: what was given is kept, one eager step raises what Keras would raise.

A step on one batch finds every error of shapes, types and compilation that the whole training would find in its
first batch, for a hundredth of the cost; nothing of the verdict rests on weights that a notebook has trained.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any

from autograder.sandbox.guest.errors import error_text
from autograder.sandbox.guest.plain import name, type_name
from autograder.sandbox.guest.session import Session

ROWS = 32
SHORT_EPOCHS = 2
SHORT_STEPS = 60
_EPOCHS_LIMIT = 10_000
_LEAVES_LIMIT = 16
_FITS_LIMIT = 400

Method = Callable[..., Any]
Arguments = dict[str, Any]


def fit(session: Session, original: Method, model: Any, args: tuple[Any, ...], kwargs: Arguments) -> Any:
    """Record a call of ``fit`` and perform as much of it as the session's training says."""
    from autograder.sandbox.guest.recording import bound

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
            return _perform(session, original, model, given)
    except BaseException as error:
        if record is not None:
            record["error"] = error_text(error)
        raise
    finally:
        with session.quietly("a fit"):
            _finish(session, model, record)


def train_on_batch(
    session: Session, original: Method, model: Any, args: tuple[Any, ...], kwargs: Arguments
) -> Any:
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


def _finish(session: Session, model: Any, record: dict[str, Any] | None) -> None:
    session.fits += 1
    if record is not None and session.fits <= _FITS_LIMIT:
        session.channel.record("fit", record)
    session.models.mark_trained(model.trainable_variables)


class _Given:
    """The arguments of one call, with its data looked at once: a generator gives its first batch only once."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.x, self.y = arguments.get("x"), arguments.get("y")
        self.weights = arguments.get("sample_weight")
        self.validation = arguments.get("validation_data")
        self.kind = "other"
        self.element: Any = None
        if _are_arrays(self.x) and (self.y is None or _are_arrays(self.y)):
            self.kind = "arrays"
        elif _is_dataset(self.x):
            self.element = _first_element(self.x)
            self.kind = "dataset" if self.element is not None else "other"


def _record(session: Session, model: Any, given: _Given) -> dict[str, Any]:
    arguments = given.arguments
    record: dict[str, Any] = {
        "cell": session.cell,
        "model": session.models.position(model),
        "kind": given.kind,
        "batch_size": _count(arguments.get("batch_size")),
        "epochs": _count(arguments.get("epochs", 1)),
        "initial_epoch": _count(arguments.get("initial_epoch", 0)) or 0,
        "steps_per_epoch": _count(arguments.get("steps_per_epoch")),
        "validation_split": _share(arguments.get("validation_split", 0.0)),
        "shuffle": bool(_quiet_truth(arguments.get("shuffle", True))),
        "weighted": any(arguments.get(key) is not None for key in ("sample_weight", "class_weight")),
        "callbacks": _callback_names(arguments.get("callbacks")),
        "performed": session.training != "record",
        **session.probe_fields,
    }
    if given.kind == "dataset":
        record |= _dataset_fields(session, given)
    else:
        record |= {"x": session.arrays.position(_single(given.x)), "y": session.arrays.position(_single(given.y))}
        record["sample_count"] = _length(given.x)
    validation = _parts(given.validation)
    record["validation_x"] = session.arrays.position(_single(validation[0]))
    record["validation_y"] = session.arrays.position(_single(validation[1]))
    return record


def _dataset_fields(session: Session, given: _Given) -> dict[str, Any]:
    x, y, weights = _parts(given.element)
    batch = _length(x)
    batches = _batches(given.x)
    return {
        "x": session.arrays.position(_single(x)),
        "y": session.arrays.position(_single(y)),
        "batch_size": batch,
        "sample_count": batch * batches if batch is not None and batches is not None else None,
        "weighted": weights is not None or given.arguments.get("class_weight") is not None,
    }


def _perform(session: Session, original: Method, model: Any, given: _Given) -> Any:
    import keras

    if session.training == "full":
        return original(model, **given.arguments)
    stretched = _stretched_callbacks(model, given)
    if session.training == "short":
        epochs = _count(given.arguments.get("epochs", 1))
        shortened = given.arguments | {"callbacks": stretched}
        if epochs is not None:
            first = _count(given.arguments.get("initial_epoch", 0)) or 0
            shortened["epochs"] = min(epochs, first + SHORT_EPOCHS)
        with _steps_at_most(keras, SHORT_STEPS):
            return original(model, **shortened)
    arguments = _one_batch(given) | {"callbacks": stretched, "verbose": 0}
    with contextlib.ExitStack() as stack:
        stack.enter_context(_eagerly(model))
        if given.kind == "other":
            stack.enter_context(_steps_at_most(keras, 1))
        return original(model, **arguments)


def _one_batch(given: _Given) -> Arguments:
    """Return the arguments cut to one batch of one epoch; raises what Keras raises on the lengths of the whole."""
    from keras.src.trainers.data_adapters.data_adapter_utils import check_data_cardinality

    arguments = dict(given.arguments)
    first = _count(arguments.get("initial_epoch", 0)) or 0
    epochs = _count(arguments.get("epochs", 1))
    if epochs is not None:
        arguments["epochs"] = min(epochs, first + 1)
    rows = min(ROWS, _count(arguments.get("batch_size")) or ROWS)
    if given.kind == "arrays":
        check_data_cardinality((given.x, given.y, given.weights))
        arguments |= _cut_arrays(given, rows)
    elif given.kind == "dataset":
        arguments["x"] = _dataset_of(given.element)
    if _count(arguments.get("steps_per_epoch")):
        arguments["steps_per_epoch"] = 1
    if given.validation is not None:
        arguments["validation_data"] = _cut_validation(given.validation)
        if _count(arguments.get("validation_steps")):
            arguments["validation_steps"] = 1
    return arguments


def _cut_arrays(given: _Given, rows: int) -> Arguments:
    length = _length(given.x) or 0
    share = given.arguments.get("validation_split")
    parts = {"x": given.x, "y": given.y, "sample_weight": given.weights}
    if not share or given.validation is not None:
        return {key: _rows(part, 0, rows) for key, part in parts.items() if part is not None}
    end = math.floor(length * (1.0 - share))
    if not 0 < end < length:
        return {}  # Keras refuses this share, and says why.
    cut = {key: _rows(part, 0, min(rows, end)) for key, part in parts.items() if part is not None}
    validation = tuple(_rows(part, end, end + rows) for part in (given.x, given.y, given.weights) if part is not None)
    return cut | {"validation_split": 0.0, "validation_data": validation}


def _cut_validation(validation: Any) -> Any:
    from keras.src.trainers.data_adapters.data_adapter_utils import check_data_cardinality

    if _is_dataset(validation):
        element = _first_element(validation)
        return validation if element is None else _dataset_of(element)
    parts = _parts(validation)
    if not _are_arrays(parts[0]) or not all(part is None or _are_arrays(part) for part in parts):
        return validation
    check_data_cardinality(parts)
    return tuple(_rows(part, 0, ROWS) for part in parts if part is not None)


def _stretched_callbacks(model: Any, given: _Given) -> Any:
    """Return callbacks that go through all the epochs that were asked, with the values of the last one performed."""
    import keras

    callbacks = given.arguments.get("callbacks")
    epochs = _count(given.arguments.get("epochs", 1))
    if isinstance(callbacks, keras.callbacks.CallbackList) or epochs is None:
        return callbacks

    class Stretched(keras.callbacks.CallbackList):  # type: ignore[misc]
        seen: tuple[int, Any] | None = None

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seen = (epoch, dict(logs or {}))
            super().on_epoch_end(epoch, logs)

        def on_train_end(self, logs: Any = None) -> None:
            if self.seen is not None:
                performed, values = self.seen
                for epoch in range(performed + 1, min(epochs, _EPOCHS_LIMIT)):
                    self.on_epoch_begin(epoch)
                    super().on_epoch_end(epoch, dict(values))
            super().on_train_end(logs)

    steps = _steps(given)
    return Stretched(callbacks, add_history=True, add_progbar=False, verbose=0, epochs=epochs, steps=steps, model=model)


@contextlib.contextmanager
def _eagerly(model: Any) -> Iterator[None]:
    """Run a model's steps without tracing a graph; nothing made here is left for later calls."""
    before = model.run_eagerly, model.steps_per_execution
    model.run_eagerly, model.steps_per_execution = True, 1
    model.train_function = model.test_function = None
    try:
        yield
    finally:
        model.run_eagerly, model.steps_per_execution = before
        model.train_function = model.test_function = model.predict_function = None


@contextlib.contextmanager
def _steps_at_most(keras: Any, steps: int) -> Iterator[None]:
    before = keras.config.max_steps_per_epoch()
    keras.config.set_max_steps_per_epoch(steps)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Limiting ")
            yield
    finally:
        keras.config.set_max_steps_per_epoch(before)


def _is_array(value: Any) -> bool:
    """Whether a value is one array whose rows can be taken."""
    return hasattr(value, "shape") and hasattr(value, "__getitem__") and _length(value) is not None


def _are_arrays(value: Any) -> bool:
    if _is_array(value):
        return True
    leaves = value.values() if type(value) is dict else value if type(value) in (list, tuple) else ()
    return 0 < len(leaves) <= _LEAVES_LIMIT and all(_is_array(leaf) for leaf in leaves)


def _rows(value: Any, start: int, end: int) -> Any:
    if type(value) is dict:
        return {key: _rows(leaf, start, end) for key, leaf in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_rows(leaf, start, end) for leaf in value)
    return value.iloc[start:end] if hasattr(value, "iloc") else value[start:end]


def _length(value: Any) -> int | None:
    if type(value) is dict:
        value = next(iter(value.values()), None)
    elif type(value) in (list, tuple):
        value = value[0] if value else None
    try:
        return int(value.shape[0])
    except (AttributeError, IndexError, TypeError, ValueError):
        return None


def _single(value: Any) -> Any:
    """Return the only array of a list or a dictionary of one."""
    if type(value) in (list, tuple) and len(value) == 1:
        return value[0]
    if type(value) is dict and len(value) == 1:
        return next(iter(value.values()))
    return value if type(value) not in (list, tuple, dict) else None


def _parts(data: Any) -> tuple[Any, Any, Any]:
    """Return ``x, y, sample_weight`` of what Keras takes for a batch or for validation data."""
    if type(data) in (list, tuple) and 1 <= len(data) <= 3:
        return (*data, None, None)[:3]  # type: ignore[return-value]
    return (None, None, None) if _is_dataset(data) else (data, None, None)


def _is_dataset(value: Any) -> bool:
    import keras
    import tensorflow as tf

    if isinstance(value, (tf.data.Dataset, tf.distribute.DistributedDataset, keras.utils.PyDataset)):
        return True
    return hasattr(value, "__next__")


def _first_element(dataset: Any) -> Any:
    import keras

    try:
        if isinstance(dataset, keras.utils.PyDataset):
            return dataset[0]
        return next(iter(dataset), None)
    except Exception:
        return None


def _dataset_of(element: Any) -> Any:
    """Return a data set of one batch, for which Keras says what it would say of the whole."""
    import tensorflow as tf

    try:
        return tf.data.Dataset.from_tensors(tuple(element) if type(element) is list else element)
    except (TypeError, ValueError):
        return iter([element])


def _batches(dataset: Any) -> int | None:
    try:
        count = dataset.cardinality() if hasattr(dataset, "cardinality") else len(dataset)
        count = int(count)
    except Exception:
        return None
    return count if count >= 0 else None


def _steps(given: _Given) -> int | None:
    steps = _count(given.arguments.get("steps_per_epoch"))
    if steps is not None or given.kind == "other":
        return steps
    if given.kind == "dataset":
        return _batches(given.x)
    return math.ceil((_length(given.x) or 0) / (_count(given.arguments.get("batch_size")) or 32))


def _count(value: Any) -> int | None:
    """Return a number of epochs, steps or rows; None for what is no such number."""
    if isinstance(value, Integral) and not isinstance(value, bool) and 0 <= int(value) < 2**62:
        return int(value)
    return None


def _share(value: Any) -> float:
    usual = isinstance(value, Real) and math.isfinite(value)
    return float(value) if usual else 0.0


def _quiet_truth(value: Any) -> bool:
    try:
        return bool(value)
    except Exception:
        return True


def _callback_names(callbacks: Any) -> list[str]:
    if callbacks is None:
        return []
    if type(callbacks) in (list, tuple):
        return [name(type_name(callback)) for callback in callbacks[:50]]
    return [type_name(callbacks)]
