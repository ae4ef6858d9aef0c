"""Arrays of a student as figures of the whole and some rows in full, each content sent once."""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from typing import Any

import numpy as np

from autograder.sandbox.guest.channel import Blobs, Channel
from autograder.sandbox.guest.plain import NotPlain, name, numbers_of
from autograder.sandbox.limits import Limits

FIRST_ROWS = 8
SAMPLED_ROWS = 32
_BLOCK = 65_536
_EXACT_VALUES = 4_096
_FINGERPRINT_VALUES = 4_096
_LIST_LIMIT = 200_000

Floats = np.ndarray[Any, Any]


class ArrayTable:
    """The arrays sent so far. Equal lengths are sampled at equal rows, so that pairs stay pairs."""

    def __init__(self, channel: Channel, seed: int, rows: int = SAMPLED_ROWS, limits: Limits | None = None) -> None:
        self._channel = channel
        self._limits = limits or Limits()
        self._seed = seed
        self._rows = max(rows, SAMPLED_ROWS)
        self._sampled: dict[int, np.ndarray[Any, Any]] = {}
        self._known: dict[bytes, int] = {}

    def position(self, value: Any) -> int | None:
        """Send an array unless an equal one was sent; return its position, None when it is no array of numbers."""
        found = _read(value)
        if found is None:
            return None
        array, dtype = found
        view = _View(name(dtype), array if array.ndim else array.reshape(1), self.sample, self._limits)
        digest = view.digest
        if digest not in self._known:
            if len(self._known) >= self._limits.arrays:
                return None
            self._known[digest] = self._channel.row("array", view.record)
        return self._known[digest]

    def sample(self, length: int) -> np.ndarray[Any, Any]:
        """Return the rows at which arrays of a length are sampled: the first few, and others by the seed alone."""
        if length <= self._rows:
            return np.arange(length)
        if length not in self._sampled:
            generator = np.random.Generator(np.random.PCG64([self._seed, length]))
            others = generator.choice(length - FIRST_ROWS, self._rows - FIRST_ROWS, replace=False)
            rows = np.concatenate([np.arange(FIRST_ROWS), FIRST_ROWS + np.sort(others)])
            self._sampled[length] = rows
        return self._sampled[length]


class _View:
    """One array on its way out."""

    def __init__(self, dtype: str, array: Floats, sample: Any, limits: Limits) -> None:
        self._dtype = dtype
        self._array = array
        self._row_numbers = sample(len(array))
        self._values_limit = limits.array_values

    @cached_property
    def _rows(self) -> np.ndarray[Any, Any]:
        """The rows to export: fewer where rows are large, so that the values stay bounded."""
        row_size = max(1, math.prod(self._array.shape[1:]))
        rows: np.ndarray[Any, Any] = self._row_numbers[: self._values_limit // row_size]
        return rows

    @cached_property
    def _values(self) -> Floats:
        values: Floats = self._array[self._rows]
        if values.dtype.kind == "f" and (values.dtype != np.float64 or values.size > _EXACT_VALUES):
            with np.errstate(over="ignore"):
                values = values.astype(np.float32)
        return values

    @cached_property
    def digest(self) -> bytes:
        """A digest of shape, type, the exported rows and some thousand values from all over the array."""
        array = self._array
        digest = hashlib.blake2b(repr((array.shape, self._dtype)).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self._values).tobytes())
        step = max(1, array.size // _FINGERPRINT_VALUES)
        flat = array.reshape(-1) if array.flags.c_contiguous else array.flat
        digest.update(np.ascontiguousarray(flat[::step]).tobytes())
        return digest.digest()

    def record(self, blobs: Blobs) -> dict[str, Any]:
        minimum, maximum, mean, deviation, finite = statistics(self._array)
        return {
            "shape": [int(side) for side in self._array.shape],
            "dtype": self._dtype,
            "minimum": minimum,
            "maximum": maximum,
            "mean": mean,
            "standard_deviation": deviation,
            "finite": finite,
            "rows": [int(row) for row in self._rows],
            "values": blobs.add(self._values),
        }


def as_array(value: Any) -> Floats | None:
    """Return an object's numbers as an array of at most eight axes; None where it holds no numbers.

    Lists of numbers or of arrays count; texts that are numbers (labels such as ``"7"``) are read as such.
    """
    found = _read(value)
    return None if found is None else found[0]


def _read(value: Any) -> tuple[Floats, np.dtype[Any]] | None:
    """Return an object's numbers and the type in which they stood."""
    array = numbers_of(value)
    if array is None and type(value) in (list, tuple) and 0 < len(value) <= _LIST_LIMIT:
        try:
            array = np.asarray([_leaf(child) for child in value])
        except (NotPlain, ValueError, TypeError, OverflowError):
            return None
    if array is None or array.ndim > 8:
        return None
    if array.dtype.kind in "USO":
        numbers = _texts_as_numbers(array)
        return None if numbers is None else (numbers, array.dtype)
    return (array, array.dtype) if array.dtype.kind in "biuf" else None


def _leaf(value: Any) -> Any:
    if isinstance(value, (bool, int, float, str, list, tuple)):
        return value
    array = numbers_of(value)
    if array is None:
        raise NotPlain
    return array


def _texts_as_numbers(array: np.ndarray[Any, Any]) -> Floats | None:
    if array.size > 1_000_000:
        return None
    try:
        return array.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        return None


def statistics(array: Floats) -> tuple[float | None, float | None, float | None, float | None, bool]:
    """Return minimum, maximum, mean and standard deviation over the finite values, and whether all are finite.

    The array is read once, in blocks that stay in the processor's cache.
    """
    if not array.size:
        return None, None, None, None, True
    with np.errstate(all="ignore"):
        figures = [_block_figures(block) for block in _blocks(array)]
    counts, minima, maxima, sums, squares, finite = (np.array(column) for column in zip(*figures, strict=True))
    count = counts.sum()
    if not count:
        return None, None, None, None, False
    filled = counts > 0
    with np.errstate(all="ignore"):
        mean = float(sums[filled].sum() / count)
        # Sums of squares are about each block's own mean: no cancellation.
        within = squares[filled].sum()
        between = (counts[filled] * (sums[filled] / counts[filled] - mean) ** 2).sum()
        deviation = math.sqrt((within + between) / count)
    result = (float(minima[filled].min()), float(maxima[filled].max()), mean, deviation)
    if not all(map(math.isfinite, result)):
        return (*(number if math.isfinite(number) else None for number in result), bool(finite.all()))  # type: ignore[return-value]
    return (*result, bool(finite.all()))


def _blocks(array: Floats) -> Any:
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        for start in range(0, flat.size, _BLOCK):
            yield flat[start : start + _BLOCK]
        return
    rows = max(1, _BLOCK // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), rows):
        yield np.ascontiguousarray(array[start : start + rows]).reshape(-1)


def _block_figures(block: Floats) -> tuple[int, float, float, float, float, bool]:
    if block.dtype.kind in "biu":
        block = block.astype(np.float32 if block.dtype.itemsize <= 2 else np.float64)
    elif block.dtype not in (np.float32, np.float64):
        block = block.astype(np.float64 if block.dtype.itemsize > 4 else np.float32)
    minimum, maximum = float(block.min()), float(block.max())
    finite = math.isfinite(minimum) and math.isfinite(maximum)
    if not finite:
        block = block[np.isfinite(block)]
        if not block.size:
            return 0, 0.0, 0.0, 0.0, 0.0, False
        minimum, maximum = float(block.min()), float(block.max())
    total = float(block.sum(dtype=None if block.dtype == np.float64 or maximum - minimum < 1e6 else np.float64))
    centred = block - block.dtype.type(total / block.size)
    np.square(centred, out=centred)
    # Not by a dot product: the threads of a linear algebra library cost more than they save here.
    return block.size, minimum, maximum, total, float(centred.sum()), finite
