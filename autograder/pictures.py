"""Draw again, from the recorded values, what a submission drew: for its author, and for the person who has to judge it.

Nothing of the student's own files is shown: a picture holds the numbers that were given to matplotlib, and no text.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.report.model import MOST_PICTURE_CHARACTERS, Question

if TYPE_CHECKING:
    from autograder.evidence import Axes, Figure, Picture, Points

MOST_PICTURES = 4
MOST_OTHER_CHARACTERS = 200_000
_INCH = 100
_WIDEST, _TALLEST = 960, 1440
_MOST_PIXELS, _MOST_POINTS = 300, 3000
_LARGEST_NUMBER = 1e12


def attach(
    questions: Iterable[Question],
    figures: Sequence[Figure],
    question_of: Mapping[int, str | None],
    most: int = MOST_PICTURE_CHARACTERS,
) -> tuple[Question, ...]:
    """Return the questions, with pictures of what the cells of those that have checks drew.

    ``question_of`` tells which question the cell of an index answers. What a check could not judge is drawn first and
    may take ``most`` characters; the rest has to do with ``MOST_OTHER_CHARACTERS`` and one picture a question.
    """
    questions = tuple(questions)
    pictures: dict[str, tuple[str, ...]] = {}
    left = most
    for waits in (True, False):
        left = left if waits else min(left, MOST_OTHER_CHARACTERS)
        for question in questions:
            if not question.checks or waits != any(check.status == "needs_review" for check in question.checks):
                continue
            own = [figure for figure in figures if question_of.get(figure.cell) == question.id]
            drawn = []
            for figure in own[-1:] if not waits else own[:MOST_PICTURES]:
                picture = draw(figure) if left else ""
                if picture and len(picture) <= left:
                    drawn.append(picture)
                    left -= len(picture)
            pictures[question.id] = tuple(drawn)
    return tuple(one.model_copy(update={"pictures": pictures.get(one.id, ())}) for one in questions)


def draw(figure: Figure) -> str:
    """Return a figure as PNG in base64, its axes where they stood; empty where none of its parts can be shown."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    rows = sorted({axes.row for axes in figure.axes})
    columns = sorted({axes.column for axes in figure.axes})
    if not rows:
        return ""
    largest = 480 if len(figure.axes) == 1 else 160
    side = max(12, min(largest, _WIDEST // len(columns), _TALLEST // len(rows)))
    canvas = Canvas(figsize=(side * len(columns) / _INCH, side * len(rows) / _INCH), dpi=_INCH, facecolor="white")
    FigureCanvasAgg(canvas)
    shown = False
    for axes in figure.axes:
        left, top = columns.index(axes.column) / len(columns), rows.index(axes.row) / len(rows)
        width, height = 1 / len(columns), 1 / len(rows)
        place = (left + 0.03 * width, 1 - top - 0.97 * height, 0.94 * width, 0.94 * height)
        shown |= _draw_axes(canvas.add_axes(place), axes)
    if not shown:
        return ""
    file = io.BytesIO()
    canvas.savefig(file, format="png", metadata={"Software": None})
    return base64.b64encode(file.getvalue()).decode()


def _draw_axes(target: Any, axes: Axes) -> bool:
    target.set_xticks([])
    target.set_yticks([])
    images = [image for image in map(_image, axes.pictures) if image is not None]
    for image in images:
        target.imshow(image, cmap="gray", aspect="auto" if axes.points else "equal")
    drawn = [_draw_points(target, points) for points in axes.points]
    return bool(images) or any(drawn)


def _image(picture: Picture) -> Any | None:
    """Return the values of a picture as matplotlib takes them: finite, not too many, colours from 0 to 1."""
    values = np.asarray(picture.values, np.float64)
    if values.ndim not in (2, 3) or not values.size:
        return None
    steps = [max(1, -(-length // _MOST_PIXELS)) for length in values.shape[:2]]
    values = _finite(values[:: steps[0], :: steps[1]])
    if values.ndim == 2:
        return values
    if values.shape[2] in (3, 4):
        return np.clip(values / 255 if values.max() > 1 else values, 0, 1)
    return values[:, :, 0]


def _draw_points(target: Any, points: Points) -> bool:
    positions = np.asarray(points.positions, np.float64).reshape(-1, 2)
    colors = _finite(np.asarray(points.colors, np.float64)).reshape(-1, 4).clip(0, 1)
    step = max(1, -(-len(positions) // _MOST_POINTS))
    positions = _finite(positions[::step])
    if not len(positions) or not len(colors):
        return False
    if points.connected:
        target.plot(*positions.T, color=colors[0])
    else:
        each = colors[::step] if len(colors) == len(points.positions) else colors[:1]
        target.scatter(*positions.T, c=each, s=4)
    return True


def _finite(values: Any) -> Any:
    return np.nan_to_num(values, nan=0.0, posinf=_LARGEST_NUMBER, neginf=-_LARGEST_NUMBER).clip(
        -_LARGEST_NUMBER, _LARGEST_NUMBER
    )
