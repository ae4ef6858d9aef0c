"""The mark ``question`` of a hidden check, and the order of checks that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pytest

from autograder.errors import AssignmentError

LINE = "question(id, weight=1, depends_on=()): the question that a hidden check belongs to, and its share of points."


@dataclass(frozen=True)
class Mark:
    """The mark of one check."""

    question: str
    weight: float
    depends_on: tuple[str, ...]


def mark_of(item: pytest.Item) -> Mark | None:
    """Return the mark ``question`` of a check, None where it has none; raise AssignmentError when it is not usable."""
    marker = item.get_closest_marker("question")
    if marker is None:
        return None
    try:
        return _read_mark(*marker.args, **marker.kwargs)
    except TypeError as error:
        raise AssignmentError(f"{item.nodeid}: its mark is not {LINE.partition(':')[0]} ({error}).") from error


def _read_mark(id: str, weight: float = 1.0, depends_on: str | list[str] | tuple[str, ...] = ()) -> Mark:
    if not isinstance(id, str) or not weight > 0:
        raise TypeError("id is a text and weight is above 0")
    return Mark(id, float(weight), (depends_on,) if isinstance(depends_on, str) else tuple(depends_on))


def required_mark(item: pytest.Item) -> Mark:
    """Return the mark of a check that collection has accepted."""
    mark = mark_of(item)
    assert mark is not None, "collection refuses checks without a mark"
    return mark


def ordered(items: list[pytest.Item], questions: Mapping[str, int]) -> list[pytest.Item]:
    """Return the items by question, then as written, each moved behind what it depends on."""
    waiting = sorted(items, key=lambda item: questions[required_mark(item).question])
    names = {dashed(original_name(item)) for item in items} | set(questions)
    for item in items:
        for name in required_mark(item).depends_on:
            if name not in questions and dashed(name) not in names:
                raise AssignmentError(f"{item.nodeid}: depends on {name!r}, which is no question and no check.")
    result: list[pytest.Item] = []
    while waiting:
        ready = next((item for item in waiting if not _pending(item, waiting, questions)), None)
        if ready is None:
            raise AssignmentError(f"{waiting[0].nodeid}: depends on itself, by way of others.")
        waiting.remove(ready)
        result.append(ready)
    return result


def _pending(item: pytest.Item, waiting: list[pytest.Item], questions: Mapping[str, int]) -> bool:
    for name in required_mark(item).depends_on:
        for other in waiting:
            if name in questions and required_mark(other).question == name:
                return True
            if name not in questions and dashed(original_name(other)) == dashed(name):
                return True
    return False


def original_name(item: pytest.Item) -> str:
    """Return the name of the check's function, without parameters."""
    return cast(str, getattr(item, "originalname", None) or item.name)


def dashed(name: str) -> str:
    """Return ``first-layer`` for ``test_first_layer``."""
    return name.removeprefix("test_").replace("_", "-")
