"""How often the grader's own training errs: attempts of known designs, their distributions, and bounds.

An attempt is made exactly as in grading (``trainer.py``), restarts included: attempt number n of a model has its own
weights, noise and batches. So the misses of single attempts are counted, and a measurement of r attempts misses with
at most the r-th power of their rate, as far as attempts are independent.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from autograder.errors import AssignmentError
from autograder.models.compilation import REFERENCE_LOSS, REFERENCE_OPTIMIZER, normalise_loss, parse_optimizer
from autograder.models.description import digest, parse
from autograder.models.trainer import Images, Protocol, Trainer
from autograder.models.training import VERSION, data_digest
from autograder.store import Store, digest_of

KIND = "calibration"
CONFIDENCE = 0.95
QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)
# The share of the room that is left to right designs above their upper quantile: as much on one side as on the other.
SHARE = 1 / 2
# What is nearer than this part of the plateau is no room: errors on other test images differ by about as much.
LEAST_ROOM = 0.03


@dataclass(frozen=True)
class Design:
    """One known model: ``make`` returns a Keras model, not compiled; ``expected`` says what its training should do.

    "either" is a design that the error can not tell, kept to show it. ``loss`` and ``optimizer`` are compiled as given.
    """

    name: str
    expected: Literal["passes", "misses", "either"]
    make: Callable[[], Any]
    loss: Any = "mse"
    optimizer: Any = "adam"


@dataclass(frozen=True)
class Attempt:
    """One attempt: (step, error) as far as it went, and its CPU seconds."""

    curve: tuple[tuple[int, float], ...]
    cpu_seconds: float

    def passing(self, limit: float) -> tuple[int, float] | None:
        """Return the first step and error below the limit, None for a miss."""
        return next((point for point in self.curve if point[1] < limit), None)


def attempts(
    design: Design, protocol: Protocol, images: Images, wanted: int, full: int = 0, store: Store | None = None
) -> Iterator[Attempt]:
    """Yield so many attempts of a design; the first ``full`` go on after they pass, to show where they end.

    Raises AssignmentError for a loss or an optimizer that the grader does not train with.
    """
    description = parse({"class_name": type(model := design.make()).__name__, "config": _plain(model.get_config())})
    loss, optimizer = normalise_loss(design.loss), parse_optimizer(design.optimizer)
    if optimizer is None or loss.name is None:
        raise AssignmentError(f"the design '{design.name}': the grader can not train with its loss or optimizer")
    free = {**asdict(protocol), "limit": 0, "restarts": 0, "submitted_restarts": 0, "cpu_seconds_limit": 0}
    shared = {
        "version": [VERSION, *(importlib.metadata.version(name) for name in ("keras", "numpy"))],
        "model": digest(description),
        "compilation": [loss.name, loss.fields, optimizer.name, optimizer.fields],
        "protocol": free,
        "data": [data_digest(images.train[::50]), data_digest(images.test)],
    }
    trainer: Trainer | None = None
    for number in range(wanted):
        key = digest_of({**shared, "attempt": number})
        known = _known(store, key, protocol, number < full)
        if known is None:
            start = time.process_time()
            if trainer is None:
                trainer = Trainer(description, protocol, images)
                trainer.compile(loss, optimizer)
            curve = tuple(_followed(trainer, number, protocol.limit, number < full))
            known = Attempt(curve, time.process_time() - start)
            if store is not None:
                store.put(KIND, key, asdict(known))
        yield known


def _plain(config: Any) -> Any:
    return json.loads(json.dumps(config))


def _followed(trainer: Trainer, number: int, limit: float, to_the_end: bool) -> Iterator[tuple[int, float]]:
    for step, error in trainer.attempt(number):
        if not math.isfinite(error):
            return
        yield step, error
        if error < limit and not to_the_end:
            return


def _known(store: Store | None, key: str, protocol: Protocol, to_the_end: bool) -> Attempt | None:
    """Return a kept attempt that went far enough for this limit."""
    value = store.get(KIND, key) if store is not None else None
    if value is None:
        return None
    known = Attempt(tuple((int(step), float(error)) for step, error in value["curve"]), float(value["cpu_seconds"]))
    if known.curve and known.curve[-1][0] < protocol.steps and (to_the_end or known.passing(protocol.limit) is None):
        return None
    return known


def upper_bound(events: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Return Clopper and Pearson's upper bound, one-sided, of a rate of which so many events were seen; 1 for none."""
    if not 0 <= events <= trials:
        raise ValueError(f"{events} of {trials}")
    if events == trials:
        return 1.0
    low, high = events / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(events, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(events: int, trials: int, rate: float) -> float:
    """Return how probable so many events or fewer are."""
    if rate in (0.0, 1.0):
        return 1.0 if rate == 0.0 or events == trials else 0.0
    terms = (
        math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
        + count * math.log(rate) + (trials - count) * math.log1p(-rate)
        for count in range(events + 1)
    )  # fmt: skip
    return math.fsum(math.exp(term) for term in terms)


def all_miss(rate: float, restarts: int) -> float:
    """Return how probable it is that so many independent attempts all miss."""
    return rate**restarts


def one_passes(rate: float, restarts: int) -> float:
    """Return how probable it is that one of so many independent attempts passes."""
    return 1 - (1 - rate) ** restarts


def quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile between the two nearest values; raise ValueError where there are none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def plateau(images: Images) -> float:
    """Return the mean squared error of the best output that ignores its input: the mean of the training images."""
    import numpy as np

    mean = np.asarray(images.train, np.float32).mean(axis=0, dtype=np.float64)
    return float(np.mean((np.asarray(images.test, np.float64) - mean) ** 2))


def derived_limit(right: Sequence[Sequence[Attempt]], ignoring: float) -> float | None:
    """Return the limit: half-way from right designs to what ignores its input; None without room.

    Each right design counts by the 95% quantile of the first error that its attempts measured, the highest of all
    designs is taken, and the limit is rounded to four digits.
    """
    firsts = [[attempt.curve[0][1] if attempt.curve else math.inf for attempt in design] for design in right]
    upper = max(quantile(values, 0.95) for values in firsts)
    if not upper < (1 - LEAST_ROOM) * ignoring:
        return None
    return round(upper + SHARE * (ignoring - upper), 4)


def summary(design: Design, made: Sequence[Attempt], full: int, protocol: Protocol) -> dict[str, Any]:
    """Return what was measured of a design, as it is kept in ``calibration.json``; errors have five digits."""
    passed = [point for attempt in made if (point := attempt.passing(protocol.limit))]
    misses = len(made) - len(passed)
    ends = [attempt.curve[-1][1] for attempt in made[:full] if attempt.curve]
    result: dict[str, Any] = {
        "name": design.name,
        "expected": design.expected,
        "attempts": len(made),
        "passed": len(passed),
        "passing_error": _distribution([error for _, error in passed]),
        "final_error": _distribution(ends),
        "passing_step": _distribution([float(step) for step, _ in passed]),
        "restarts": _distribution([float(count) for count in restarts_needed(made, protocol.limit)]),
        "cpu_seconds_mean": round(math.fsum(attempt.cpu_seconds for attempt in made) / len(made), 1),
    }
    if design.expected == "passes":
        rate = upper_bound(misses, len(made))
        bound = all_miss(rate, protocol.restarts)
        result |= {"false_fails": misses, "bound_an_attempt": _short(rate), "bound": _short(bound)}
    elif design.expected == "misses":
        loss, optimizer = normalise_loss(design.loss), parse_optimizer(design.optimizer)
        rate = upper_bound(len(passed), len(made))
        reference = (loss, optimizer) == (REFERENCE_LOSS, REFERENCE_OPTIMIZER)
        tries = protocol.restarts if reference else protocol.submitted_restarts
        bound = one_passes(rate, tries)
        result |= {"false_passes": len(passed), "bound_an_attempt": _short(rate), "bound": _short(bound)}
    return result


def restarts_needed(made: Sequence[Attempt], limit: float) -> list[int]:
    """Return how many misses came before each pass, the attempts taken one after another."""
    needed, misses = [], 0
    for attempt in made:
        if attempt.passing(limit):
            needed.append(misses)
            misses = 0
        else:
            misses += 1
    return needed


def _distribution(values: Sequence[float]) -> list[float] | None:
    return [round(quantile(values, share), 5) for share in QUANTILES] if values else None


def _short(rate: float) -> float:
    return float(f"{rate:.2g}")
