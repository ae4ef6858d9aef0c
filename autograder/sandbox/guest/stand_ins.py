"""Plain models in place of a builder that does not work, so that code which calls it can be judged on its own.

A probe of a function may hold ``stand_in``, the shapes of a model in which ``"argument"`` is the number that the
function is given. The models made here have these shapes and nothing else of what the statement asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any

from keras import Sequential, layers

ARGUMENT = "argument"


def builder(shapes: Mapping[str, Sequence[int | str]]) -> Callable[..., Sequential]:
    """Return a function from a number to a new model whose shapes follow it; it takes any further arguments."""

    def build(*arguments: Any, **options: Any) -> Sequential:
        number = _number([*arguments, *options.values()])
        inputs, outputs = (
            tuple(number if side == ARGUMENT else int(side) for side in shapes[key])
            for key in ("input_shape", "output_shape")
        )
        return Sequential(
            [layers.Input(inputs), layers.Flatten(), layers.Dense(math.prod(outputs)), layers.Reshape(outputs)]
        )

    return build


def _number(given: Sequence[Any]) -> int:
    for value in given:
        if isinstance(value, Integral) and not isinstance(value, bool):
            return int(value)
    raise TypeError("a whole number was expected")
