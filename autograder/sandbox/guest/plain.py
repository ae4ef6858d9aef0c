"""Objects of a student as plain JSON and short texts, whatever these objects do when they are looked at."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder.evidence import JSON_DEPTH_LIMIT, JSON_NODE_LIMIT, TEXT_LIMIT

NAME_LIMIT = 200
_PREFIX = sys.prefix
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


class NotPlain(Exception):
    """Raised when a value has no faithful form as plain JSON."""


def text(value: object, limit: int = TEXT_LIMIT) -> str:
    """Return ``str(value)`` without escape sequences and lone surrogates, cut in the middle to ``limit`` characters."""
    try:
        result = value if type(value) is str else str(value)
    except BaseException as error:
        result = f"(no text: {type(error).__name__})"
    result = _ESCAPES.sub("", str.__str__(result)[: 16 * limit])
    result = result.encode("utf-8", "replace").decode("utf-8")
    if len(result) <= limit:
        return result
    half = (limit - 20) // 2
    return f"{result[:half]}\n[…]\n{result[-half:]}"


def without_paths(value: str) -> str:
    """Return a text in which the folders of the interpreter are named by a sign: they say nothing to a student."""
    return value.replace(_PREFIX, "…")


def name(value: object) -> str:
    """Return a short text, for fields that hold a name."""
    return text(value, NAME_LIMIT)


def type_name(value: object) -> str:
    """Return the name of an object's class, or of the class itself where it is one."""
    kind = value if isinstance(value, type) else type(value)
    return name(type.__getattribute__(kind, "__name__"))


def plain(value: Any) -> Any:
    """Return a value as plain JSON of bounded size; raise NotPlain where it has no such form.

    Numbers of NumPy become numbers, tuples lists, NaN and infinities strings. Keys become strings: ``plain_pairs``
    serves dictionaries of a student.
    """
    return _Converter(pairs=False).convert(value, 0)


def plain_pairs(value: Any) -> Any:
    """Return a student's value as plain JSON: a dictionary becomes ``{"pairs": [[key, value], ...]}``."""
    return _Converter(pairs=True).convert(value, 0)


class _Converter:
    def __init__(self, pairs: bool) -> None:
        self._pairs = pairs
        self._nodes = 0

    def convert(self, value: Any, depth: int) -> Any:
        self._nodes += 1
        if depth > JSON_DEPTH_LIMIT - 2 or self._nodes > JSON_NODE_LIMIT // 2:
            raise NotPlain("nested too deeply or too large")
        if value is None or isinstance(value, (bool, np.bool_)):
            return None if value is None else bool(value)
        if isinstance(value, (int, float, np.integer, np.floating)):
            return _number(value)
        if isinstance(value, str):
            return _string(value)
        if isinstance(value, bytes):
            return _string(value.decode("utf-8", "replace"))
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, (list, tuple, set, frozenset, range)) or _is_dictionary_view(value):
            return [self.convert(child, depth + 1) for child in value]
        if (array := numbers_of(value)) is not None and array.size <= 10_000:
            return self.convert(array.tolist(), depth)
        raise NotPlain(f"a {type_name(value)}")

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        if self._pairs:
            return {
                "pairs": [
                    [self.convert(key, depth + 3), self.convert(child, depth + 3)] for key, child in value.items()
                ]
            }
        result = {}
        for key, child in value.items():
            if not isinstance(key, (str, int, float, np.integer)):
                raise NotPlain(f"a key that is a {type_name(key)}")
            result[_string(str(key))] = self.convert(child, depth + 1)
        return result


def numbers_of(value: Any) -> np.ndarray[Any, Any] | None:
    """Return the numbers of an array-like object of NumPy, TensorFlow, Keras or pandas; None for anything else."""
    if isinstance(value, np.ndarray):
        masked = isinstance(value, np.ma.MaskedArray) and value.dtype.kind == "f"
        return np.asarray(np.ma.filled(value, np.nan) if masked else value)
    if isinstance(value, np.generic):
        return np.asarray(value)
    owner = type(value).__module__.partition(".")[0]
    try:
        if owner in ("tensorflow", "keras") and hasattr(value, "numpy"):
            return np.asarray(value.numpy())
        if owner == "pandas" and hasattr(value, "to_numpy"):
            return np.asarray(value.to_numpy())
        if owner in ("jax", "jaxlib", "torch", "PIL"):
            return np.asarray(value)
    except Exception:
        return None
    return None


def _is_dictionary_view(value: Any) -> bool:
    return type(value) in (type({}.keys()), type({}.values()), type({}.items()))


def _number(value: Any) -> int | float | str:
    if isinstance(value, (int, np.integer)):
        number = int(value)
        return number if abs(number) <= 2**63 else _string(hex(number))
    number_ = float(value)
    return number_ if math.isfinite(number_) else str(number_)


def _string(value: str) -> str:
    if len(value) > TEXT_LIMIT:
        raise NotPlain("a text that is too long")
    return value.encode("utf-8", "replace").decode("utf-8")
