"""Finding what a probe asks for among the names of a notebook: by its name, by an alias, by what it does."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from autograder.sandbox.guest.arrays import as_array
from autograder.sandbox.guest.plain import NotPlain, plain_pairs

CANDIDATES_LIMIT = 8
_HIDDEN = {"In", "Out", "exit", "quit", "open", "get_ipython"}


@dataclass(frozen=True)
class Found:
    """An object of the notebook and how it was found: ``matched`` is None when only its name fits."""

    name: str
    item: Any
    matched: str | None


class Namespace:
    """The notebook's names, and which of them its own cells have bound (and not given code)."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self._seen: dict[str, int] = {key: id(item) for key, item in names.items()}
        self._own: set[str] = set()

    def note(self, given: bool) -> None:
        """Remember who bound the names that are new or changed since the last time."""
        for key, item in list(self.names.items()):
            if self._seen.get(key) != id(item):
                self._seen[key] = id(item)
                (self._own.discard if given else self._own.add)(key)

    def own(self) -> list[tuple[str, Any]]:
        """Return what the student's own cells have bound, in order of definition."""
        return [
            (key, self.names[key])
            for key in self.names
            if isinstance(key, str) and key in self._own and not key.startswith("_") and key not in _HIDDEN
        ]


def find(probe: Mapping[str, Any], namespace: Namespace, guess: bool = True) -> Found | None:
    """Return what a probe looks for; where nothing of that kind has its name, what else has the name, or None.

    Where it may ``guess``, the one object counts that behaves like it, whatever its name.
    """
    fits = _KINDS[probe["find"]]
    named = _named(probe["names"], namespace.names)
    for found in named:
        if fits(found.item):
            return found
    like = probe.get("like")
    if guess and like and probe["find"] in ("model", "array"):
        alike = [(key, item) for key, item in namespace.own() if fits(item) and _is_like(item, like)]
        if len({id(item) for _, item in alike}) == 1:
            return Found(alike[0][0], alike[0][1], "behaviour")
    # ``Model``, the class, is called like ``model``, but nobody meant it.
    meant = [one for one in named if one.name in probe["names"] or not isinstance(one.item, (type, types.ModuleType))]
    return Found(meant[0].name, meant[0].item, None) if meant else None


def candidates(namespace: Namespace) -> list[tuple[str, Callable[..., Any]]]:
    """Return the student's own functions that can be called with one argument, the first few."""
    result: list[tuple[str, Callable[..., Any]]] = []
    for key, item in namespace.own():
        if isinstance(item, types.FunctionType) and item.__module__ == "__main__" and _takes_one(item):
            result.append((key, item))
    return result[:CANDIDATES_LIMIT]


def returns_like(result: Any, like: Mapping[str, Any]) -> bool:
    """Whether a result is a model of the shapes that a probe describes."""
    return is_model(result) and _is_like(result, like)


def is_model(item: Any) -> bool:
    """Whether an object is a Keras model."""
    return isinstance(item, keras.Model)


def is_function(item: Any) -> bool:
    """Whether an object is called to do something: models and layers are called, too, but are things."""
    return callable(item) and not isinstance(item, (keras.Layer, types.ModuleType))


def _named(names: Sequence[str], namespace: Mapping[str, Any]) -> list[Found]:
    exact = [
        Found(key, namespace[key], "name" if position == 0 else "alias")
        for position, key in enumerate(names)
        if key in namespace
    ]
    known = {found.name for found in exact}
    plainer = [_plainer(key) for key in names]
    similar = sorted(
        (plainer.index(_plainer(key)), key)
        for key in namespace
        if isinstance(key, str) and key not in known and key not in _HIDDEN and _plainer(key) in plainer
    )
    return exact + [Found(key, namespace[key], "alias") for _, key in similar]


def _plainer(key: str) -> str:
    return key.replace("_", "").lower() if not key.startswith("_") else key


def _is_array(item: Any) -> bool:
    return as_array(item) is not None


def _is_plain(item: Any) -> bool:
    try:
        plain_pairs(item)
    except (NotPlain, Exception):
        return False
    return True


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "function": is_function,
    "model": is_model,
    "array": _is_array,
    "plain": _is_plain,
}


def _is_like(item: Any, like: Mapping[str, Any]) -> bool:
    return all(_shape_fits(item, attribute, wanted) for attribute, wanted in like.items())


def _shape_fits(item: Any, attribute: str, wanted: Any) -> bool:
    if attribute not in ("input_shape", "output_shape", "shape"):
        return True
    try:
        shape = list(getattr(item, attribute))
    except Exception:
        return False
    sides = shape if attribute == "shape" else shape[1:]
    return len(sides) == len(wanted) and all(
        side is None or side == actual for side, actual in zip(wanted, sides, strict=True)
    )


def _takes_one(function: types.FunctionType) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return False
    required = [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    keyword_only = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    return len(required) == 1 and not keyword_only
