"""The data sets of Keras, served from arrays that the fork server has read: no network, no file, fresh copies.

The functions ``load_data`` themselves get other code: however a notebook has imported one of them, it is the same
object.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

_PARTS = (("x_train", "y_train"), ("x_test", "y_test"))
_provided: dict[str, Mapping[str, np.ndarray[Any, Any]]] = {}


def provide(arrays: Mapping[str, Mapping[str, np.ndarray[Any, Any]]]) -> None:
    """Keep the arrays of data sets for all later forks, by the name of their Keras module and of the array."""
    _provided.clear()
    _provided.update(arrays)


def install() -> None:
    """Serve every provided data set; the others stay as Keras has them, and fail without a network."""
    for name, arrays in _provided.items():
        if all(key in arrays for part in _PARTS for key in part):
            _serve(name)


def served(name: str) -> tuple[tuple[Any, Any], ...]:
    """Return ``(x_train, y_train), (x_test, y_test)`` of a data set, as copies that belong to the caller."""
    arrays = _provided[name]
    return tuple((arrays[x].copy(), arrays[y].copy()) for x, y in _PARTS)


def _serve(name: str) -> None:
    try:
        module = importlib.import_module(f"keras.src.datasets.{name}")
    except ModuleNotFoundError:
        return
    load_data = module.load_data
    # Its globals are its own module's, its defaults stay: only what it does is replaced.
    template = _load_data_with_path if load_data.__code__.co_argcount else _load_data
    constants = tuple(name if constant == "NAME" else constant for constant in template.__code__.co_consts)
    load_data.__code__ = template.__code__.replace(co_consts=constants)


def _load_data() -> Any:
    from autograder.sandbox.guest.data import served

    return served("NAME")


def _load_data_with_path(path: str = "") -> Any:
    from autograder.sandbox.guest.data import served

    return served("NAME")
