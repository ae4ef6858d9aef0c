"""Calls of ``predict``, ``evaluate`` and of the model itself: what went in and what came out.

When fits are only recorded, predictions run eagerly in large batches: the same numbers and types
as Keras's own loop, without tracing a graph for each model. Whatever is unusual is left to Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograder.sandbox.guest.plain import NotPlain, plain
from autograder.sandbox.guest.session import Session

BATCH = 1_000
PREDICTIONS_LIMIT = 400
CELL_LIMIT = 50
_PREDICT_ARGUMENTS = {"x", "batch_size", "verbose"}
_EVALUATE_ARGUMENTS = {"x", "y", "batch_size", "verbose", "return_dict"}

Method = Callable[..., Any]
Arguments = dict[str, Any]


class _Unusual(Exception):
    """Raised when a call is left to Keras."""


def predict(session: Session, original: Method, model: Any, args: tuple[Any, ...], kwargs: Arguments) -> Any:
    """Record a call of ``predict``."""
    from autograder.sandbox.guest.recording import bound

    arguments = bound(original, model, args, kwargs)
    if arguments is None or session.depth.prediction:
        return original(model, *args, **kwargs)
    with session.inside("prediction"):
        try:
            if session.training != "record":
                raise _Unusual
            result = _predict(model, arguments)
        except Exception:
            # Whatever went wrong, Keras's own loop decides what the notebook sees.
            result = original(model, *args, **kwargs)
    _record(session, model, "predict", arguments.get("x"), output=result)
    return result


def evaluate(session: Session, original: Method, model: Any, args: tuple[Any, ...], kwargs: Arguments) -> Any:
    """Record a call of ``evaluate``."""
    from autograder.sandbox.guest.recording import bound

    # Inside of ``fit`` Keras validates by this method.
    if session.depth.prediction or "_use_cached_eval_dataset" in kwargs:
        return original(model, *args, **kwargs)
    arguments = bound(original, model, args, kwargs) or {}
    with session.inside("prediction"):
        try:
            if session.training != "record":
                raise _Unusual
            result = _evaluate(model, arguments)
        except Exception:
            result = original(model, *args, **kwargs)
    _record(session, model, "evaluate", arguments.get("x"), y=arguments.get("y"), result=result)
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


def _concrete(value: Any) -> bool:
    """Whether a value is an array, or a tensor that holds numbers and is not being differentiated."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    import tensorflow as tf
    from tensorflow.python import pywrap_tfe

    if not isinstance(value, tf.__internal__.EagerTensor) or not value.shape.rank:
        return False
    return bool(pywrap_tfe.TFE_Py_TapeSetIsEmpty())


def _predict(model: Any, arguments: Arguments) -> Any:
    import keras
    from keras.src import tree

    _require_usual(model, arguments, _PREDICT_ARGUMENTS)
    model.predict_step  # noqa: B018  (a model without one is left to Keras)
    outputs = [model.predict_step((batch,)) for (batch,) in _batches(arguments["x"])]
    parts = [tree.map_structure(keras.ops.convert_to_numpy, output) for output in outputs]
    return tree.map_structure(lambda *arrays: np.concatenate(arrays) if len(arrays) > 1 else arrays[0], *parts)


def _evaluate(model: Any, arguments: Arguments) -> Any:
    from keras.src.utils.python_utils import pythonify_logs

    _require_usual(model, arguments, _EVALUATE_ARGUMENTS)
    if not model.compiled or getattr(model.loss, "reduction", "sum_over_batch_size") == "sum":
        raise _Unusual
    x, y = arguments["x"], arguments.get("y")
    if not isinstance(y, np.ndarray) or len(x) != len(y):
        raise _Unusual
    model.reset_metrics()
    logs: Any = {}
    for batch in _batches(x, y):
        logs = model.test_step(batch)
    logs = pythonify_logs(model._get_metrics_result_or_logs(logs))
    return logs if arguments.get("return_dict") else model._flatten_metrics_in_order(logs)


def _require_usual(model: Any, arguments: Arguments, known: set[str]) -> None:
    """Raise where Keras's own loop could come to another result than ours."""
    x = arguments.get("x")
    others = [key for key, value in arguments.items() if key not in known and value is not None]
    if others or not model.built or not isinstance(x, np.ndarray) or not x.ndim or not len(x):
        raise _Unusual
    if x.dtype.kind not in "biuf":
        raise _Unusual


def _batches(*arrays: np.ndarray[Any, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield batches as tensors, of the types that Keras makes of them."""
    import tensorflow as tf

    for start in range(0, len(arrays[0]), BATCH):
        parts = [array[start : start + BATCH] for array in arrays]
        yield tuple(
            tf.convert_to_tensor(part, tf.float32 if part.dtype.kind == "f" else None) for part in parts
        )


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
