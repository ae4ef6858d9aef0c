"""Line charts as paths of SVG, worked out by hand: numbers go in, numbers come out, no text of a submission.

The process that writes the pages imports neither NumPy nor matplotlib, and a page must hold no style of its own.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autograder.report.model import Curve

LEFT, RIGHT, TOP, BOTTOM = 50.0, 630.0, 12.0, 204.0
_MOST_TICKS = 10
_MOST_THIN = 1_000
# A curve that runs away must not press all others to the floor.
_SHOWN_SHARE = 0.98
# What only few students measured is no median of the class.
_LEAST_SHARE = 0.1


@dataclass(frozen=True)
class Chart:
    """A chart ready to be drawn: paths and places in a frame of 640 by 240, and the numbers as a table.

    ``table`` holds (x, how many curves have it, their median) as texts.
    """

    title: str
    description: str
    x_label: str
    y_label: str
    thick: str
    thin: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    table: tuple[tuple[str, int, str], ...]
    remark: str


def charts(curves: Sequence[Curve]) -> list[Chart]:
    """Return a chart for each title among the curves: each curve thin, their median thick (one alone: thick)."""
    titles: dict[str, list[Curve]] = {}
    for curve in curves:
        if curve.points:
            titles.setdefault(curve.title, []).append(curve)
    return [_chart(same) for same in titles.values()]


def number(value: float) -> str:
    """Return a number as people read it, with three digits that count."""
    return f"{value:.3g}" if abs(value) < 1000 or abs(value) >= 1e6 else f"{value:.0f}"


def _chart(curves: Sequence[Curve]) -> Chart:
    values: dict[float, list[float]] = {}
    for curve in curves:
        for x, y in curve.points:
            values.setdefault(x, []).append(y)
    medians = {x: statistics.median(values[x]) for x in sorted(values)}
    common = {x: y for x, y in medians.items() if len(values[x]) >= _LEAST_SHARE * len(curves)} or medians
    ordered = sorted(y for each in values.values() for y in each)
    least, most = min(0.0, ordered[0]), max(ordered[math.ceil(_SHOWN_SHARE * len(ordered)) - 1], *common.values())
    across = _scale(list(medians), LEFT + 20, RIGHT - 20, logarithmic=min(medians) > 0)
    upwards = _scale([least, most], BOTTOM, TOP)

    def path(points: Sequence[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{across(x)} {upwards(y)}" for x, y in sorted(points))

    first = curves[0]
    kind = "median" if len(curves) > 1 else "value"
    shown = list(common.items())
    return Chart(
        title=first.title,
        description=f"{first.y_label}, {kind} by {first.x_label}: "
        + "; ".join(f"{number(y)} at {number(x)}" for x, y in shown[:_MOST_TICKS])
        + ".",
        x_label=first.x_label,
        y_label=first.y_label,
        thick=path(shown),
        thin=tuple(path(curve.points) for curve in curves[:_MOST_THIN]) if len(curves) > 1 else (),
        dots=tuple((across(x), upwards(y)) for x, y in shown),
        x_ticks=tuple((across(x), number(x)) for x in _frequent(values)),
        y_ticks=tuple((upwards(y), number(y)) for y in (least, (least + most) / 2, most)) if most > least else (),
        table=tuple((number(x), len(values[x]), number(medians[x])) for x in medians),
        remark=next((curve.remark for curve in curves if curve.remark), ""),
    )


def _frequent(values: dict[float, list[float]]) -> list[float]:
    """Return the places that most curves have, in their order."""
    counts = Counter({x: len(each) for x, each in values.items()})
    return sorted(x for x, _ in counts.most_common(_MOST_TICKS))


def _scale(values: Sequence[float], start: float, end: float, logarithmic: bool = False) -> Callable[[float], float]:
    """Return the function from a value to its place between start and end; what lies beyond stands at the edge."""
    least, most = (_transformed(bound(values), logarithmic) for bound in (min, max))

    def place(value: float) -> float:
        # Halved, so that the difference of the largest numbers is still one.
        share = (_transformed(value, logarithmic) / 2 - least / 2) / (most / 2 - least / 2) if most > least else 0.5
        return round(start + min(max(share, 0.0), 1.0) * (end - start), 1)

    return place


def _transformed(value: float, logarithmic: bool) -> float:
    return math.log2(value) if logarithmic else value
