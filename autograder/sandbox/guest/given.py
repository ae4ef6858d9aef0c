"""Looking at the arguments of a call as they were given: arrays, data sets, numbers, whatever else."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import keras
import tensorflow as tf

LEAVES_LIMIT = 16


def bound(
    original: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any] | None:
    """Return the given arguments by name, None when they do not fit the method."""
    try:
        arguments = dict(inspect.signature(original).bind(model, *args, **kwargs).arguments)
    except TypeError:
        return None
    arguments.pop("self", None)
    return arguments


def is_array(value: Any) -> bool:
    """Whether a value is one array whose rows can be taken."""
    return hasattr(value, "shape") and hasattr(value, "__getitem__") and length(value) is not None


def are_arrays(value: Any) -> bool:
    """Whether a value is an array or a short list or dictionary of arrays."""
    if is_array(value):
        return True
    leaves = value.values() if type(value) is dict else value if type(value) in (list, tuple) else ()
    return 0 < len(leaves) <= LEAVES_LIMIT and all(is_array(leaf) for leaf in leaves)


def is_dataset(value: Any) -> bool:
    """Whether a value gives batches one after the other."""
    if isinstance(value, (tf.data.Dataset, tf.distribute.DistributedDataset, keras.utils.PyDataset)):
        return True
    return hasattr(value, "__next__")


def rows(value: Any, start: int, end: int) -> Any:
    """Return some rows of an array, or of each array of a list or dictionary."""
    if type(value) is dict:
        return {key: rows(leaf, start, end) for key, leaf in value.items()}
    if type(value) in (list, tuple):
        return type(value)(rows(leaf, start, end) for leaf in value)
    return value.iloc[start:end] if hasattr(value, "iloc") else value[start:end]


def length(value: Any) -> int | None:
    """Return the number of rows."""
    if type(value) is dict:
        value = next(iter(value.values()), None)
    elif type(value) in (list, tuple):
        value = value[0] if value else None
    try:
        return int(value.shape[0])
    except (AttributeError, IndexError, TypeError, ValueError):
        return None


def equal_lengths(*values: Any) -> bool:
    """Whether all arrays of some values have the same number of rows."""
    leaves: list[Any] = []
    for value in values:
        leaves += value.values() if type(value) is dict else value if type(value) in (list, tuple) else [value]
    return len({length(leaf) for leaf in leaves}) == 1


def single(value: Any) -> Any:
    """Return the array itself, also out of a list or a dictionary of one; None for several."""
    if type(value) in (list, tuple, dict):
        leaves = list(value.values()) if type(value) is dict else value
        return leaves[0] if len(leaves) == 1 else None
    return value


def parts(data: Any) -> tuple[Any, Any, Any]:
    """Return ``x, y, sample_weight`` of what Keras takes for a batch or for validation data."""
    if type(data) in (list, tuple) and 1 <= len(data) <= 3:
        padded = [*data, None, None]
        return padded[0], padded[1], padded[2]
    return (None, None, None) if is_dataset(data) else (data, None, None)


def data_of(data: Any) -> tuple[Any, Any, Any]:
    """Return ``x, y, sample_weight`` of data; of a data set that can be read again, those of its first batch."""
    again = is_dataset(data) and not hasattr(data, "__next__")
    return parts(first_element(data) if again else data)


def first_element(dataset: Any) -> Any:
    """Return the first batch of a data set, None where there is none."""
    try:
        if isinstance(dataset, keras.utils.PyDataset):
            return dataset[0]
        return next(iter(dataset), None)
    except Exception:
        return None


def dataset_of(element: Any) -> Any:
    """Return a data set of one batch, of which Keras says what it would say of the whole."""
    try:
        return tf.data.Dataset.from_tensors(tuple(element) if type(element) is list else element)
    except (TypeError, ValueError):
        return iter([element])


def batches(dataset: Any) -> int | None:
    """Return the number of batches of a data set, None when it is unknown or without end."""
    try:
        number = int(dataset.cardinality() if hasattr(dataset, "cardinality") else len(dataset))
    except Exception:
        return None
    return number if number >= 0 else None


def count(value: Any) -> int | None:
    """Return a number of epochs, steps or rows; None for what is no such number."""
    if isinstance(value, Integral) and not isinstance(value, bool) and 0 <= int(value) < 2**62:
        return int(value)
    return None


def share(value: Any) -> float:
    """Return a share of the data; 0 for what is no number."""
    return float(value) if isinstance(value, Real) and math.isfinite(value) else 0.0


def truth(value: Any) -> bool:
    """Return whether a value counts as true, and True where it does not say."""
    try:
        return bool(value)
    except Exception:
        return True
