"""The comparison of latent dimensions as recorded: the student's errors, and the fits and measurements behind them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from consequences import broken, nothing_to_judge
from recognition import Recognised, fit_data, pair

from autograder.checks.submitted import Submitted
from autograder.evidence import Fit, Prediction

QUESTION = "best-latent-dimension"


@dataclass(frozen=True)
class Sweep:
    """The dimensions that were compared and their errors (NaN where one can not be read), the fits and measurements."""

    errors: dict[int, float]
    fits: tuple[Fit, ...]
    measurements: tuple[Prediction, ...]


def sweep(submitted: Submitted) -> Sweep:
    """Return the recorded comparison; ends the check when there is none."""
    if submitted.blank(QUESTION):
        submitted.unanswered(QUESTION)
    fits = tuple(one for one in submitted.fits_of(QUESTION) if one.kind != "other" or one.x is not None)
    measurements = tuple(one for one in submitted.predictions_of(QUESTION))
    return Sweep(read_errors(_errors_value(submitted)), fits, measurements)


def ran_with_stand_ins(submitted: Submitted) -> bool:
    """Tell whether the comparison came to its end with other models in place of builders that do not work."""
    told = submitted.value(QUESTION, "stand-ins").plain
    return isinstance(told, dict) and told.get("completed") is True


def _errors_value(submitted: Submitted) -> Any:
    value = submitted.value(QUESTION, "errors")
    return value.plain if value.kind == "plain" else None


def read_errors(plain: Any) -> dict[int, float]:
    """Read the exported dictionary: dimension to error; what can not be read as a dimension is left out."""
    pairs = plain.get("pairs") if isinstance(plain, dict) else None
    if pairs is None and isinstance(plain, list) and all(isinstance(item, list) and len(item) == 2 for item in plain):
        pairs = plain
    result: dict[int, float] = {}
    for entry in pairs or []:
        dimension = read_dimension(entry[0]) if isinstance(entry, list) and len(entry) == 2 else None
        if dimension is not None:
            result[dimension] = read_error(entry[1])
    return result


def read_dimension(value: Any) -> int | None:
    """Read a latent dimension, ``32``, ``32.0``, ``"32"`` or ``"d=32"``; None where there is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        numbers = re.findall(r"\d+", value)
        value = int(numbers[0]) if len(numbers) == 1 else None
    if isinstance(value, list) and len(value) == 1:
        return read_dimension(value[0])
    if isinstance(value, (int, float)) and 1 <= value < 100_000 and value == int(value):
        return int(value)
    return None


def read_error(value: Any) -> float:
    """Read an error: a number, a list whose first entry is the loss, or a text; NaN where there is none."""
    if isinstance(value, dict) and isinstance(value.get("pairs"), list):
        named = {str(entry[0]): entry[1] for entry in value["pairs"] if isinstance(entry, list) and len(entry) == 2}
        value = named.get("loss", named.get("val_loss", next(iter(named.values()), None)))
    while isinstance(value, list):
        if not value:
            return math.nan
        value = value[0]
    if isinstance(value, bool):
        return math.nan
    if isinstance(value, str):
        found = re.search(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?", value)
        return float(found.group()) if found else math.nan
    return float(value) if isinstance(value, (int, float)) else math.nan


def identities(submitted: Submitted, records: tuple[Any, ...]) -> list[int]:
    """Return the different model objects behind records, in order."""
    return list(dict.fromkeys(submitted.model(record.model).snapshot.identity for record in records))


def nothing(submitted: Submitted, missing: str) -> None:
    """End the check because the comparison is not there: by its own fault or by that of a builder."""
    nothing_to_judge(submitted, QUESTION, missing)


def builders_are_broken(submitted: Submitted) -> bool:
    """Tell whether the builders do not give models for other dimensions, which was graded with them."""
    return broken(submitted, "build-encoder") or broken(submitted, "build-decoder")


def trained_data(submitted: Submitted, fit: Fit) -> tuple[Recognised | None, Recognised | None, bool]:
    """Return input, target and whether the target are labels, of one fit."""
    data = fit_data(submitted, fit)
    return data.x, data.y, data.labels


def measured_data(submitted: Submitted, measurement: Prediction) -> tuple[Recognised | None, Recognised | None, bool]:
    """Return input, target and whether the target are labels, of one measurement."""
    return pair(submitted, measurement.x, measurement.y)
