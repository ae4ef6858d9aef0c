"""Digits that nobody has written: data in the form of MNIST, for runs of which nothing is graded.

They have its shapes, dtypes and ranges, grey tones at their edges, and ten classes that can be told apart. Every
process makes the same ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_SEED = 28
_SIDE, _VARIANTS = 28, 20
_ROWS = {"train": 60_000, "test": 10_000}
# The strokes of a pocket calculator's display, from (x, y) to (x, y), in a square from -1 to 1 with y downwards.
_STROKES = {
    "a": ((-1, -1), (1, -1)), "b": ((1, -1), (1, 0)), "c": ((1, 0), (1, 1)), "d": ((-1, 1), (1, 1)),
    "e": ((-1, 0), (-1, 1)), "f": ((-1, -1), (-1, 0)), "g": ((-1, 0), (1, 0)),
}  # fmt: skip
_DIGITS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")

Array = np.ndarray[Any, Any]


def data_sets() -> Mapping[str, Mapping[str, Array]]:
    """Return the arrays of each data set by the name of its Keras module, as ``data.provide`` takes them."""
    random = np.random.default_rng(_SEED)
    drawn = np.stack([_drawn(digit, random) for digit in _DIGITS for _ in range(_VARIANTS)])
    arrays: dict[str, Array] = {}
    for part, rows in _ROWS.items():
        chosen = random.integers(len(drawn), size=rows)
        arrays[f"x_{part}"] = drawn[chosen]
        arrays[f"y_{part}"] = (chosen // _VARIANTS).astype(np.uint8)
    return {"mnist": arrays}


def _drawn(digit: str, random: np.random.Generator) -> Array:
    """Return one picture of a digit: a little shifted, slanted, of any size and with a pen of any width."""
    rows, columns = np.mgrid[:_SIDE, :_SIDE].astype(float)
    (x, y), slant = random.uniform(-2, 2, size=2), random.uniform(-0.3, 0.3)
    height, width, pen = random.uniform(7, 9), random.uniform(4, 6), random.uniform(0.9, 1.6)
    down = rows - (_SIDE - 1) / 2 - y
    points = np.stack([columns - (_SIDE - 1) / 2 - x + slant * down, down], axis=-1)
    scale = np.array([width, height])
    distances = [_distance(points, *(scale * end for end in np.array(_STROKES[stroke]))) for stroke in digit]
    ink: Array = 255 * np.clip(1.5 - np.min(distances, axis=0) / pen, 0, 1)
    return ink.round().astype(np.uint8)


def _distance(points: Array, start: Array, end: Array) -> Array:
    """Return how far each point is from the stroke between two points, in pixels."""
    along = end - start
    share = np.clip((points - start) @ along / (along @ along), 0, 1)
    distance: Array = np.linalg.norm(points - start - share[..., None] * along, axis=-1)
    return distance
