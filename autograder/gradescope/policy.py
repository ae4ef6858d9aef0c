"""A course's rules on late and repeated submissions, and what they make of a result on Gradescope.

Set in ``tests/<assignment>/gradescope.toml``; without that file every submission counts in full.

    [late]
    grace_minutes = 10     # so long after the due date nothing is lost
    percent_per_day = 10   # of the points that were earned, for each day that has begun
    most_percent = 50      # and never more than that

    [attempts]
    most = 5               # submissions that are graded within ...
    hours = 24             # ... so many hours; one more is not graded, and keeps the points of the one before

Source of the metadata's fields: Gradescope's documentation of autograders, "Submission metadata".
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autograder.errors import AssignmentError
from autograder.report.text import points

FILE = "gradescope.toml"
_Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
_DAY = timedelta(days=1)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Late(_Table):
    """What a late submission loses."""

    grace_minutes: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    percent_per_day: _Percent = 0
    most_percent: _Percent = 100


class Attempts(_Table):
    """How many submissions are graded within some hours; 0 stands for any number."""

    most: Annotated[int, Field(ge=0)] = 0
    hours: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 24


class Policy(_Table):
    """The rules of a course."""

    late: Late = Late()
    attempts: Attempts = Attempts()


@dataclass(frozen=True)
class Metadata:
    """What Gradescope tells of a submission; each part is None or empty where it tells nothing that can be read."""

    created: datetime | None = None
    due: datetime | None = None
    earlier: tuple[Mapping[str, Any], ...] = ()

    def earlier_since(self, moment: datetime) -> list[datetime]:
        """Return when the submissions after a moment were made that were graded, the first one first."""
        times = [
            time
            for one in self.earlier
            if not one.get("autograder_error") and (time := _time(one.get("submission_time"))) is not None
        ]
        return sorted(time for time in times if time > moment)

    @property
    def last(self) -> Mapping[str, Any] | None:
        """The submission before this one."""
        known = [one for one in self.earlier if _time(one.get("submission_time")) is not None]
        return max(known, key=lambda one: str(_time(one["submission_time"])), default=None)


def load(tests: Path) -> Policy:
    """Return the rules of an assignment, the usual ones where it sets none. Raises AssignmentError."""
    path = tests / FILE
    try:
        return Policy.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Policy()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise AssignmentError(f"{path}: {where}: {first['msg']}") from error
    except (OSError, ValueError) as error:
        raise AssignmentError(f"{path} can not be read: {error}") from error


def metadata(document: Any) -> Metadata:
    """Return what a ``submission_metadata.json`` tells; whatever is missing or strange in it tells nothing."""
    if not isinstance(document, dict):
        return Metadata()
    assignment, earlier = document.get("assignment"), document.get("previous_submissions")
    return Metadata(
        created=_time(document.get("created_at")),
        due=_time(assignment.get("due_date")) if isinstance(assignment, dict) else None,
        earlier=tuple(one for one in earlier if isinstance(one, dict)) if isinstance(earlier, list) else (),
    )


def refused(policy: Policy, told: Metadata) -> dict[str, Any] | None:
    """Return the result of a submission that is one too many, and is not graded; None where it may be graded."""
    attempts = policy.attempts
    if not attempts.most or told.created is None:
        return None
    window = timedelta(hours=attempts.hours)
    recent = told.earlier_since(told.created - window)
    if len(recent) < attempts.most:
        return None
    again = recent[-attempts.most] + window
    last = told.last or {}
    score = _number(last.get("score"))
    text = (
        f"This submission was not graded: {attempts.most} within {attempts.hours:g} hours are, and you have made "
        f"{len(recent)}. The next one is graded after {again:%Y-%m-%d %H:%M} (UTC{again:%z}). "
        "Your points are those of your last submission."
    )
    return {"score": score, "output": text, "output_format": "text", "visibility": "visible", "tests": []}


def applied(policy: Policy, told: Metadata, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result with what lateness costs, and a word on a submission before it that the platform stopped."""
    said = [str(result.get("output", ""))]
    changes: dict[str, Any] = {}
    days, percent = _lateness(policy.late, told)
    if percent:
        earned = _number(result.get("score"))
        lost = earned * percent / 100
        changes["score"] = round(earned - lost, 2)
        of_days = f"{days} day{'' if days == 1 else 's'} late"
        said.append(f"Handed in {of_days}: {percent:g}% of {points(earned)} points are lost, {points(lost)} in all.")
    if told.last is not None and told.last.get("autograder_error"):
        said.append(
            "Your submission before this one was stopped by the platform while it was graded: it ran out of the memory "
            "or of the time that the course has set. You did not lose points by it; a staff member can set more."
        )
    return {**result, **changes, "output": "\n".join(filter(None, said))}


def _lateness(late: Late, told: Metadata) -> tuple[int, float]:
    """Return how many days late a submission is, and which share of its points it loses, in percent."""
    if told.created is None or told.due is None:
        return 0, 0.0
    over = told.created - told.due - timedelta(minutes=late.grace_minutes)
    days = max(0, math.ceil(over / _DAY))
    return days, min(days * late.percent_per_day, late.most_percent)


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo is not None else None


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
