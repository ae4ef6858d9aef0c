"""Calls of ``predict``, ``evaluate`` and of the model itself: what went in and what came out.

When fits are only recorded, predictions on arrays run eagerly in large batches: the same numbers and types without
tracing a graph for each model. In the fast lane a model is evaluated on some of the rows given: no verdict rests on how
large the error is of a model that was not trained.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python import pywrap_tfe

from autograder.sandbox.guest.eager import eagerly, largest_batch
from autograder.sandbox.guest.given import are_arrays, bound, data_of, is_dataset
from autograder.sandbox.guest.plain import NotPlain, plain
from autograder.sandbox.guest.session import Session
from autograder.sandbox.limits import EVALUATED_ROWS

PREDICTIONS_LIMIT = 400
CELL_LIMIT = 50

Method = Callable[..., Any]
Arguments = dict[str, Any]


def predict(session: Session, original: Method, model: Any, args: tuple[Any, ...], kwargs: Arguments) -> Any:
    """Record a call of ``predict``."""
    arguments = bound(original, model, args, kwargs)
    if arguments is None or session.depth.prediction:
        return original(model, *args, **kwargs)
    with session.inside("prediction"):
        result = _perform(session, original, model, arguments)
    _record(session, model, "predict", arguments.get("x"), output=result)
    return result


def predict_on_batch(session: Session, original: Method, model: Any, args: tuple[Any, ...], kwargs: Arguments) -> Any:
    """Record a call of ``predict_on_batch``, which predicts all that it is given at once."""
    arguments = bound(original, model, args, kwargs)
    if arguments is None or session.depth.prediction:
        return original(model, *args, **kwargs)
    with session.inside("prediction"):
        result = original(model, **arguments)
    _record(session, model, "predict", arguments.get("x"), output=result)
    return result


def evaluate(session: Session, original: Method, model: Any, args: tuple[Any, ...], kwargs: Arguments) -> Any:
    """Record a call of ``evaluate``."""
    arguments = bound(original, model, args, kwargs)
    # Inside of ``fit`` Keras validates by this method, and tells so.
    if arguments is None or session.depth.prediction or "_use_cached_eval_dataset" in kwargs:
        return original(model, *args, **kwargs)
    arguments |= arguments.pop("kwargs", {})
    with session.inside("prediction"):
        result = _evaluated(session, original, model, arguments)
    x, y = arguments.get("x"), arguments.get("y")
    if is_dataset(x):
        x, y, _ = data_of(x)
    _record(session, model, "evaluate", x, y=y, result=result)
    return result


def call(session: Session, original: Method, model: Any, args: tuple[Any, ...], kwargs: Arguments) -> Any:
    """Record a direct call of a model on concrete data, outside of training."""
    depth = session.depth
    if depth.prediction or depth.fit or len(args) != 1 or kwargs.get("training") or not _concrete(args[0]):
        return original(model, *args, **kwargs)
    with session.inside("prediction"):
        result = original(model, *args, **kwargs)
    if _concrete(result):
        _record(session, model, "call", args[0], output=result)
    return result


def _perform(session: Session, original: Method, model: Any, arguments: Arguments) -> Any:
    """Let Keras do it: in its own batches, or in large ones where that changes nothing."""
    batched = arguments.get("steps") is not None or arguments.get("callbacks") is not None
    data = [arguments[key] for key in ("x", "y", "sample_weight") if arguments.get(key) is not None]
    # A sum over a batch depends on its size; a mean over all samples does not.
    summed = getattr(model.loss, "reduction", None) == "sum" and "y" in arguments
    plain_batches = batched or summed or _is_spread(model, arguments.get("y"))
    if session.training != "record" or plain_batches or not model.built or not all(map(are_arrays, data)):
        return original(model, **arguments)
    with eagerly(model, arrays=True):
        return original(model, **{**arguments, "batch_size": largest_batch(model), "verbose": 0})


def _evaluated(session: Session, original: Method, model: Any, arguments: Arguments) -> Any:
    """Evaluate on all rows; in the fast lane on some, unless that fails: a message may tell how many there were."""
    spared = _spared(session, arguments)
    if spared is not None:
        with contextlib.suppress(Exception):
            return _perform(session, original, model, spared)
    return _perform(session, original, model, arguments)


def _spared(session: Session, arguments: Arguments) -> Arguments | None:
    """Return the arguments of ``evaluate`` in the fast lane, with rows from all over the data in place of all rows.

    None where all rows are evaluated: where they are few, or hold what is no number, so that each one may matter.
    """
    x, y = arguments.get("x"), arguments.get("y")
    if session.lane != "fast" or session.training != "record" or arguments.get("sample_weight") is not None:
        return None
    if type(x) is not np.ndarray or type(y) is not np.ndarray or not x.ndim or x.shape[:1] != y.shape[:1]:
        return None
    step = len(x) // EVALUATED_ROWS
    if step < 2 or not all(data.dtype.kind in "biuf" and np.isfinite(data).all() for data in (x, y)):
        return None
    return {**arguments, "x": x[::step], "y": y[::step]}


def _is_spread(model: Any, target: Any) -> bool:
    """Whether a loss would spread a target of another shape over all outputs, which takes the square of the batch."""
    shape, outputs = getattr(target, "shape", None), getattr(model, "output_shape", None)
    return shape is not None and isinstance(outputs, tuple) and tuple(shape[1:]) != outputs[1:]


def _concrete(value: Any) -> bool:
    """Whether a value is an array, or a tensor that holds numbers and is not being differentiated."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    if not isinstance(value, tf.__internal__.EagerTensor) or not value.shape.rank:
        return False
    return bool(pywrap_tfe.TFE_Py_TapeSetIsEmpty())


def _record(
    session: Session, model: Any, method: str, x: Any, y: Any = None, output: Any = None, result: Any = None
) -> None:
    """Send one record; a notebook that predicts in a loop is recorded up to a number of calls."""
    if session.probe or session.depth.fit:
        return
    in_cell = session.cell_predictions.get(method, 0)
    if session.predictions >= PREDICTIONS_LIMIT or in_cell >= CELL_LIMIT:
        return
    session.predictions += 1
    session.cell_predictions[method] = in_cell + 1
    with session.quietly("a prediction"):
        record = {
            "cell": session.cell,
            "model": session.models.position(model, configuration=False),
            "method": method,
            "x": session.arrays.position(x),
            "y": session.arrays.position(y),
            "output": session.arrays.position(output),
            "result": _plain_or_none(result),
        }
        session.channel.record("prediction", record)


def _plain_or_none(result: Any) -> Any:
    try:
        return plain(result)
    except NotPlain:
        return None
