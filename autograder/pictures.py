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
_COLORS = 64
_WIDEST, _TALLEST = 960, 1440
_MOST_PIXELS, _MOST_POINTS = 300, 3000
_LARGEST_NUMBER = 1e12


def attach(
    questions: Iterable[Question],
    figures: Sequence[Figure],
    question_of: Mapping[int, str | None],
    most: int = MOST_PICTURE_CHARACTERS,
    trained: bool = True,
) -> tuple[Question, ...]:
    """Return the questions, with pictures of what the cells of those that have checks drew.

    ``question_of`` tells which question the cell of an index answers. What a check could not judge is drawn first and
    may take ``most`` characters; the rest has to do with ``MOST_OTHER_CHARACTERS`` and one picture a question, and
    leaves out mere curves where nothing was ``trained``: they hold what a training would have measured.
    """
    questions = tuple(questions)
    pictures: dict[str, tuple[str, ...]] = {}
    left = most
    for waits in (True, False):
        left = left if waits else min(left, MOST_OTHER_CHARACTERS)
        for question in questions:
            if not question.checks or waits != any(check.status == "needs_review" for check in question.checks):
                continue
            own = [
                figure
                for figure in figures
                if question_of.get(figure.cell) == question.id and (waits or trained or not _is_curve(figure))
            ]
            drawn = []
            for figure in own[-1:] if not waits else own[:MOST_PICTURES]:
                picture = draw(figure) if left else ""
                if picture and len(picture) <= left:
                    drawn.append(picture)
                    left -= len(picture)
            pictures[question.id] = tuple(drawn)
    return tuple(one.model_copy(update={"pictures": pictures.get(one.id, ())}) for one in questions)


def _is_curve(figure: Figure) -> bool:
    """Tell whether a figure holds connected points and nothing else."""
    return all(not axes.pictures and all(points.connected for points in axes.points) for axes in figure.axes)


def draw(figure: Figure) -> str:
    """Return a figure as PNG in base64, its axes where they stood; empty where none of its parts can be shown."""
    rows = sorted({axes.row for axes in figure.axes})
    columns = sorted({axes.column for axes in figure.axes})
    if not rows:
        return ""
    largest = 480 if len(figure.axes) == 1 else 160
    side = max(12, min(largest, _WIDEST // len(columns), _TALLEST // len(rows)))
    size = side * len(columns), side * len(rows)
    boxes = [(columns.index(axes.column) * side, rows.index(axes.row) * side, side) for axes in figure.axes]
    alone = not any(axes.points for axes in figure.axes)
    picture = (_of_images if alone else _of_points)(figure.axes, boxes, size)
    if picture is None:
        return ""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _of_images(each: Sequence[Axes], boxes: Sequence[tuple[int, int, int]], size: tuple[int, int]) -> Any | None:
    """Return images side by side, pixel by pixel: matplotlib needs a hundred times as long for the same."""
    from PIL import Image

    shown: list[tuple[Any, tuple[int, int, int]]] = []
    for axes, box in zip(each, boxes, strict=True):
        images = [image for image in map(_image, axes.pictures) if image is not None]
        # Of images on top of each other the last one is seen.
        shown += [(_shades(images[-1]), box)] if images else []
    if not shown:
        return None
    canvas = Image.new("L" if all(image.ndim == 2 for image, _ in shown) else "RGB", size, "white")
    for image, (left, top, side) in shown:
        room = max(1, round(0.94 * side))
        height, width = image.shape[:2]
        scale = room / max(height, width)
        part = Image.fromarray(image).resize(
            (max(1, round(width * scale)), max(1, round(height * scale))),
            Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX,
        )
        canvas.paste(part, (left + (side - part.width) // 2, top + (side - part.height) // 2))
    return canvas


def _shades(image: Any) -> Any:
    """Return the values from 0 to 255; grey ones from the darkest to the brightest, as matplotlib does."""
    if image.ndim == 3:
        return (image * 255).round().astype(np.uint8)[:, :, :3]
    least, most = image.min(), image.max()
    return ((image - least) / ((most - least) or 1.0) * 255).round().astype(np.uint8)


def _of_points(each: Sequence[Axes], boxes: Sequence[tuple[int, int, int]], size: tuple[int, int]) -> Any | None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas
    from PIL import Image

    canvas = Canvas(figsize=(size[0] / _INCH, size[1] / _INCH), dpi=_INCH, facecolor="white")
    agg: Any = FigureCanvasAgg(canvas)
    shown = False
    for axes, (left, top, side) in zip(each, boxes, strict=True):
        width, height = side / size[0], side / size[1]
        place = (
            left / size[0] + 0.03 * width,
            1 - top / size[1] - 0.97 * height,
            0.94 * width,
            0.94 * height,
        )
        shown |= _draw_axes(canvas.add_axes(place), axes)
    if not shown:
        return None
    agg.draw()
    drawn = Image.fromarray(np.asarray(agg.buffer_rgba())).convert("RGB")
    # Some shades less, and a quarter of the bytes.
    return drawn.quantize(_COLORS, Image.Quantize.FASTOCTREE)


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
