"""The probes of an assignment: read, checked, and resolved for one submission.

The file is plain data in Python; it is the only one of the hidden checks that enters the sandbox, as JSON.
"""

from __future__ import annotations

import hashlib
import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from autograder.errors import AssignmentError

Probes = Mapping[str, Mapping[str, Any]]

_FIELDS = {"find", "names", "arguments", "like", "rows", "returns", "stand_in", "again_with"}
_KINDS = ("function", "model", "array", "plain")


def load(path: Path) -> Probes:
    """Return ``PROBES`` of the file; raise AssignmentError, naming the entry, when it has not the form of probes."""
    if not path.is_file():
        raise AssignmentError(f"{path}: is missing. It holds PROBES, a dictionary of what to export.")
    try:
        probes = runpy.run_path(str(path)).get("PROBES")
    except Exception as error:
        raise AssignmentError(f"{path}: can not be read ({type(error).__name__}: {error}).") from error
    _check(path, probes)
    # Through JSON and back: what can not cross the trust line is found here, and nothing is shared.
    try:
        result: Probes = json.loads(json.dumps(probes, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AssignmentError(f"{path}: PROBES holds something else than plain data ({error}).") from error
    resolved(result, "")
    return result


def resolved(probes: Probes, digest: str) -> dict[str, dict[str, Any]]:
    """Return the probes as JSON in which every draw is a number.

    The numbers depend on the submission's digest alone: the same in each run, unknown to its author.
    """
    return {
        question: {label: _resolved(probe, _random(digest, question, label), {}) for label, probe in labels.items()}
        for question, labels in probes.items()
    }


def _random(digest: str, question: str, label: str) -> Random:
    seed = hashlib.sha256(f"{digest}\n{question}\n{label}".encode()).digest()
    return Random(int.from_bytes(seed[:8], "little"))  # noqa: S311  (no secret hangs on it)


def _resolved(item: Any, random: Random, drawn: dict[str, int]) -> Any:
    if isinstance(item, list):
        return [_resolved(child, random, drawn) for child in item]
    if not isinstance(item, Mapping):
        return item
    if "draw" in item:
        return _draw(item, random, drawn)
    if "drawn" in item:
        if set(item) != {"drawn"} or item["drawn"] not in drawn:
            raise AssignmentError(f"probes: {dict(item)} names no number that was drawn before it.")
        return drawn[item["drawn"]]
    return {key: _resolved(child, random, drawn) for key, child in item.items()}


def _draw(item: Mapping[str, Any], random: Random, drawn: dict[str, int]) -> int:
    bounds = item["draw"]
    usual = isinstance(bounds, list) and len(bounds) == 2 and all(type(bound) is int for bound in bounds)
    if not set(item) <= {"draw", "as"} or not usual or bounds[0] > bounds[1]:
        raise AssignmentError(f'probes: {dict(item)} is not {{"draw": [low, high], "as": name}}.')
    number = random.randint(bounds[0], bounds[1])
    if "as" in item:
        drawn[item["as"]] = number
    return number


def _check(path: Path, probes: Any) -> None:
    if not isinstance(probes, Mapping) or not probes:
        raise AssignmentError(f"{path}: PROBES is not a dictionary from question to probes.")
    for question, labels in probes.items():
        if not isinstance(question, str) or not isinstance(labels, Mapping) or not labels:
            raise AssignmentError(f"{path}: the probes of {question!r} are not a dictionary from label to probe.")
        for label, probe in labels.items():
            problem = _problem(probe)
            if problem:
                raise AssignmentError(f"{path}: probe {label!r} of {question!r} {problem}.")


def _problem(probe: Any) -> str:
    """Say what is wrong with the form of one probe, or nothing."""
    if not isinstance(probe, Mapping):
        return "is not a dictionary"
    unknown = set(probe) - _FIELDS
    if unknown:
        return f"has unknown fields {sorted(map(str, unknown))}; known are {sorted(_FIELDS)}"
    if probe.get("find") not in _KINDS:
        return f"has no 'find' out of {list(_KINDS)}"
    names = probe.get("names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        return "has no 'names', a list of names to look for"
    if (probe["find"] == "function") != isinstance(probe.get("arguments"), list):
        return "needs 'arguments', a list, exactly when it finds a function"
    if "stand_in" in probe and not _is_stand_in(probe):
        return "has a 'stand_in' that is no function's, or that has not the shapes input_shape and output_shape"
    again_with = probe.get("again_with", [])
    if not isinstance(again_with, list) or not all(isinstance(name, str) for name in again_with):
        return "has an 'again_with' that is no list of questions"
    if not isinstance(probe.get("rows", 1), int) or not isinstance(probe.get("like", {}), Mapping):
        return "has 'rows' that are no number or 'like' that is no dictionary"
    return ""


def _is_stand_in(probe: Mapping[str, Any]) -> bool:
    shapes = probe["stand_in"]
    if probe["find"] != "function" or not isinstance(shapes, Mapping) or set(shapes) != {"input_shape", "output_shape"}:
        return False
    sides = [side for shape in shapes.values() for side in shape]
    return all(side == "argument" or (type(side) is int and side > 0) for side in sides)
