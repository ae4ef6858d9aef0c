"""Readers of single values in a model's configuration: hostile JSON in, plain bounded scalars out.

A reader returns a scalar or a tuple of scalars, or raises ValueError; absurd numbers raise TooLarge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Shape: TypeAlias = tuple[int, ...]
# Plain scalars, and tuples of them: ("L2", ("l2", 0.01)).
Field: TypeAlias = Any
Reader: TypeAlias = Callable[[Any], Field]

LARGEST_SIDE = 1_000_000


class Unrecognised(Exception):
    """Raised on a model that the grader can not understand; ``reason`` tells a person what it met.

    It is no verdict: the model waits for a person.
    """

    def __init__(self, reason: str) -> None:
        """Keep the reason, a noun phrase."""
        super().__init__(reason)
        self.reason = reason


class TooLarge(Unrecognised):
    """Raised on a model of absurd size, before anything of that size exists."""


def shown(text: Any) -> str:
    """Return foreign text, short and printable, for a message."""
    return "".join(c if c.isprintable() else "?" for c in str(text)[:60]) or "?"


@dataclass(frozen=True)
class Neutral:
    """A field that must have one value (or be absent, as in other versions of Keras) and is not kept."""

    value: Any

    def __call__(self, value: Any) -> None:
        """Raise ValueError on any other value."""
        if type(value) is not type(self.value) or value != self.value:
            raise ValueError


@dataclass(frozen=True)
class Dropped(Neutral):
    """A field that does not change what a freshly started model is: a seed. Each training sets its own."""

    def __call__(self, value: Any) -> None:
        """Accept anything."""


def integer(low: int = 1, high: int = LARGEST_SIDE) -> Reader:
    """Read an integer from ``low`` to ``high``; above it is too large."""

    def read(value: Any) -> int:
        if type(value) is not int or value < low:
            raise ValueError
        if value > high:
            raise TooLarge(f"the number {shown(value)} in a layer")
        return value

    return read


def integers(count: int | tuple[int, int], low: int = 1, high: int = LARGEST_SIDE) -> Reader:
    """Read ``count`` (or from, to) integers as a tuple."""

    fewest, most = (count, count) if isinstance(count, int) else count
    one = integer(low, high)

    def read(value: Any) -> tuple[int, ...]:
        if not isinstance(value, (list, tuple)) or not fewest <= len(value) <= most:
            raise ValueError
        return tuple(one(item) for item in value)

    return read


def number(low: float = -1e6, high: float = 1e6) -> Reader:
    """Read a finite number as a float."""

    def read(value: Any) -> float:
        if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
            raise ValueError
        return float(value)

    return read


def choice(*names: str) -> Reader:
    """Read one of the names."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError
        return value

    return read


def either(*readers: Reader) -> Reader:
    """Read by the first reader that accepts the value."""

    def read(value: Any) -> Field:
        for reader in readers:
            try:
                return reader(value)
            except ValueError:
                continue
        raise ValueError

    return read


def boolean(value: Any) -> bool:
    """Read True or False."""
    if type(value) is not bool:
        raise ValueError
    return value


def none(value: Any) -> None:
    """Read None."""
    if value is not None:
        raise ValueError


def target_shape(value: Any) -> Shape:
    """Read sides, one of which may be -1."""
    sides: Shape = integers((0, 7), low=-1, high=100 * LARGEST_SIDE)(value)
    if 0 in sides or sides.count(-1) > 1:
        raise ValueError
    return sides


def margins(value: Any) -> tuple[Shape, ...]:
    """Read ((before, after), (before, after))."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ValueError
    return tuple(integers(2, low=0)(side) for side in value)


def axes(value: Any) -> Field:
    """Read one axis, or several."""
    return either(integer(-8, 8), integers((1, 8), -8, 8))(value)


def plain_object(value: Any, module: str, table: Mapping[str, Mapping[str, Reader]]) -> tuple[Field, ...]:
    """Read a serialised Keras object, ``{"module", "class_name", "config", "registered_name"}``, by a table.

    Returns ``(class name, (field, value), ...)``; raises ValueError on anything that is not in the table.
    """
    if not isinstance(value, dict) or set(value) - {"module", "class_name", "config", "registered_name"}:
        raise ValueError
    name, config = value.get("class_name"), value.get("config")
    if value.get("module") != module or value.get("registered_name") is not None:
        raise ValueError(f"not an object of {module}")
    if not isinstance(name, str) or name not in table or not isinstance(config, dict):
        raise ValueError(shown(name))
    readers = table[name]
    if set(config) - set(readers):
        raise ValueError(shown(name))
    items: list[Field] = []
    for key, reader in readers.items():
        if key not in config and isinstance(reader, Neutral):
            continue
        if key not in config:
            raise ValueError(f"{name} without {key}")
        read = reader(config[key])
        if not isinstance(reader, Neutral):
            items.append((key, read))
    return (name, *items)


SEED = Dropped(None)
_SCALED = {"seed": SEED, "input_axes": Neutral(None), "output_axes": Neutral(None)}
# fmt: off
_INITIALIZERS: Mapping[str, Mapping[str, Reader]] = {
    **dict.fromkeys(
        ("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal"), _SCALED
    ),
    "RandomNormal": {"mean": number(), "stddev": number(0), "seed": SEED},
    "TruncatedNormal": {"mean": number(), "stddev": number(0), "seed": SEED},
    "RandomUniform": {"minval": number(), "maxval": number(), "seed": SEED},
    "VarianceScaling": {
        **_SCALED, "scale": number(1e-9), "mode": choice("fan_in", "fan_out", "fan_avg"),
        "distribution": choice("truncated_normal", "untruncated_normal", "uniform"),
    },
    "Orthogonal": {"gain": number(), "seed": SEED},
    "Zeros": {}, "Ones": {}, "Constant": {"value": number()},
}
_REGULARIZERS: Mapping[str, Mapping[str, Reader]] = {
    "L1": {"l1": number(0)}, "L2": {"l2": number(0)}, "L1L2": {"l1": number(0), "l2": number(0)},
}
# fmt: on


def initializer(value: Any) -> tuple[Field, ...]:
    """Read an initialiser, as ``(name, (field, value), ...)``; its seed is dropped."""
    return plain_object(value, "keras.initializers", _INITIALIZERS)


def regularizer(value: Any) -> tuple[Field, ...] | None:
    """Read a regulariser, or None."""
    return None if value is None else plain_object(value, "keras.regularizers", _REGULARIZERS)
