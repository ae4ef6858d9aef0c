"""Keras's own loops without their two costs: tracing a graph for each model, and a data pipeline for each call.

``fit``, ``evaluate`` and ``predict`` stay Keras's; only where their batches come from, and how a step runs, is
replaced, and only within an ``eagerly`` block.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from keras.src import tree
from keras.src.backend.tensorflow import trainer
from keras.src.trainers.epoch_iterator import EpochIterator

LARGEST_BATCH = 5_000
_VALUES_LIMIT = 7_000_000
_UNKNOWN_BATCH = 500


class _Active(threading.local):
    arrays = False


_active = _Active()


class _ArrayIterator(EpochIterator):  # type: ignore[misc]
    """Batches of arrays as tensors, one after the other, as ``TFEpochIterator`` would give them."""

    def __init__(self, distribute_strategy: Any = None, **arguments: Any) -> None:
        super().__init__(**arguments)

    def _get_iterator(self) -> Iterator[Any]:
        for batch in self.data_adapter.get_numpy_iterator():
            yield tree.map_structure(tf.convert_to_tensor, batch)

    def __next__(self) -> Any:
        return next(self._epoch_iterator)


def install() -> None:
    """Let Keras's trainer take its batches from here within ``eagerly`` blocks."""
    original = trainer.TFEpochIterator

    def iterator(*args: Any, **arguments: Any) -> Any:
        return (_ArrayIterator if _active.arrays else original)(*args, **arguments)

    trainer.TFEpochIterator = iterator


@contextlib.contextmanager
def eagerly(model: Any, arrays: bool) -> Iterator[None]:
    """Run a model's steps one by one without a graph; nothing made here is left for later calls.

    ``arrays`` says that all data of the call are arrays, and not data sets.
    """
    before = model.run_eagerly, model.steps_per_execution, _active.arrays
    model.run_eagerly, model.steps_per_execution = True, 1
    _forget_functions(model)
    _active.arrays = arrays
    try:
        yield
    finally:
        model.run_eagerly, model.steps_per_execution, _active.arrays = before
        _forget_functions(model)


def largest_batch(model: Any) -> int:
    """Return how many samples may go through a model at once: many, but bounded by its widest layer."""
    try:
        shapes = [layer.output.shape[1:] for layer in model._flatten_layers(include_self=False)]
        widest = max(_product(shape) for shape in shapes)
    except (AttributeError, TypeError, ValueError):
        return _UNKNOWN_BATCH
    return max(1, min(LARGEST_BATCH, _VALUES_LIMIT // max(1, widest)))


def _product(shape: Any) -> int:
    product = 1
    for side in shape:
        product *= int(side)
    return product


def _forget_functions(model: Any) -> None:
    model.train_function = model.test_function = model.predict_function = None
