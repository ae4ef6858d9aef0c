"""What was drawn, as plain values: images in the order in which they are seen, pairs of them, and coloured points.

Works on any layout: an axes for each image, one image in each figure, or one large picture that images were put
together to (a montage).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.evidence import Axes, Figure, Picture

Array = np.ndarray[Any, Any]

GAPS = (0, 1, 2, 3, 4)
MONTAGE_LIMIT = 4_096


@dataclass(frozen=True)
class Drawn:
    """One image as it was drawn: ``figure`` counts figures, ``row`` and ``column`` rank it within its figure.

    ``order`` counts all images as they were drawn; ``covered`` tells that a later one lies in the same axes, above it.
    """

    figure: int
    row: int
    column: int
    order: int
    values: Array
    covered: bool = False


@dataclass(frozen=True)
class Scatter:
    """Points of one pair of axes: ``positions`` (n, 2), ``colors`` (n, 4), and ``group``, the call that drew each."""

    positions: Array
    colors: Array
    group: Array

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.positions)


@dataclass(frozen=True)
class Pairing:
    """One way to read a drawing as pairs: positions in the two lists that were paired, and how many belong together."""

    pairs: tuple[tuple[int, int], ...]
    belonging: int


@dataclass(frozen=True)
class ColorUse:
    """How colours follow labels: the ``colors`` used, labels that share a colour, and labels of several colours."""

    colors: int
    shared: tuple[tuple[int, int], ...]
    scattered: tuple[int, ...]

    @property
    def one_color_a_label(self) -> bool:
        """Each label has one colour, and no other label has it."""
        return not self.shared and not self.scattered


def drawn_images(
    figures: Sequence[Figure], size: tuple[int, int], known: Callable[[Array], Array] | None = None
) -> tuple[Drawn, ...]:
    """Return all images of ``size`` that the figures show, in order, as grey values of shape ``size``.

    ``known`` tells for images (n, height, width) which are recognised: it decides how a large picture is cut.
    """
    found: list[Drawn] = []
    for number, figure in enumerate(figures):
        places = [place for axes in figure.axes for place in _places(axes, size, known)]
        rows = _ranks([row for row, _, _, _ in places])
        columns = _ranks([column for _, column, _, _ in places])
        for row, column, (_, _, values, covered) in sorted(
            zip(rows, columns, places, strict=True), key=lambda entry: entry[:2]
        ):
            found.append(Drawn(number, row, column, len(found), values, covered))
    return tuple(found)


def has_pictures(figures: Iterable[Figure]) -> bool:
    """Tell whether any picture was drawn, of whatever size."""
    return any(axes.pictures for figure in figures for axes in figure.axes)


def best_pairing(
    first: Sequence[Drawn], second: Sequence[Drawn], belongs: Callable[[Sequence[tuple[int, int]]], Array]
) -> Pairing:
    """Return the natural reading of the drawing in which most of ``second`` belong to their partner in ``first``.

    ``belongs`` tells for pairs of positions (in ``first``, in ``second``) which belong together.
    """
    readings = [pairs for pairs in _readings(first, second) if pairs]
    asked = sorted({pair for pairs in readings for pair in pairs})
    answers = dict(zip(asked, (bool(answer) for answer in belongs(asked)), strict=True)) if asked else {}
    best = Pairing((), 0)
    for pairs in readings:
        belonging = sum(answers[pair] for pair in pairs)
        if not best.pairs or (belonging, -len(pairs)) > (best.belonging, -len(best.pairs)):
            best = Pairing(tuple(pairs), belonging)
    return best


def scatters(figures: Iterable[Figure]) -> tuple[Scatter, ...]:
    """Return the points of every axes that has some, in order; lines that join points do not count."""
    result = []
    for figure in figures:
        for axes in figure.axes:
            scatter = _scatter(axes)
            if scatter is not None:
                result.append(scatter)
    return tuple(result)


def color_use(colors: Array, labels: Array, tolerance: float = 0.1) -> ColorUse:
    """Tell how colours (n, 4) follow labels (n,): a share of ``tolerance`` of the points of a label may be astray."""
    rounded = np.round(np.asarray(colors, np.float64)[:, :3] * 255).astype(np.int64)
    _, color = np.unique(rounded, axis=0, return_inverse=True)
    color = color.reshape(-1)
    usual: dict[int, int] = {}
    scattered = []
    for label in np.unique(labels):
        counts = np.bincount(color[labels == label])
        usual[int(label)] = int(counts.argmax())
        if counts.max() < (1 - tolerance) * counts.sum():
            scattered.append(int(label))
    pairs = [
        (one, other)
        for one in usual
        for other in usual
        if one < other and usual[one] == usual[other] and one not in scattered and other not in scattered
    ]
    return ColorUse(int(color.max(initial=-1)) + 1, tuple(pairs), tuple(scattered))


def _places(
    axes: Axes, size: tuple[int, int], known: Callable[[Array], Array] | None
) -> Iterator[tuple[tuple[int, int], tuple[int, int], Array, bool]]:
    """Yield the place (row and tile row, column and tile column), values and cover of each image in the axes."""
    for number, picture in enumerate(axes.pictures):
        covered = number + 1 < len(axes.pictures)
        values = _grey(picture)
        if values is None:
            continue
        for tile_row, tile_column, tile in _tiles(values, size, known):
            yield (axes.row, tile_row), (axes.column, tile_column), tile, covered


def _grey(picture: Picture) -> Array | None:
    values = np.asarray(picture.values, np.float64)
    if values.ndim == 3 and values.shape[2] in (3, 4):
        values = values[:, :, :3].mean(axis=2)
    elif values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    return values if values.ndim == 2 and values.size else None


def _tiles(
    values: Array, size: tuple[int, int], known: Callable[[Array], Array] | None
) -> list[tuple[int, int, Array]]:
    """Cut a picture into images of ``size``; of several ways, the one with most recognised images."""
    if values.shape == size:
        return [(0, 0, values)]
    best: list[tuple[int, int, Array]] = []
    best_count = -1
    for rows, columns in _cuts(values.shape, size):
        tiles = [
            (i, j, values[top : top + size[0], left : left + size[1]])
            for i, top in enumerate(rows)
            for j, left in enumerate(columns)
        ]
        tiles = [tile for tile in tiles if np.ptp(tile[2]) > 0]
        count = int(known(np.stack([tile[2] for tile in tiles])).sum()) if known and tiles else 0
        if count > best_count:
            best, best_count = tiles, count
    return best


def _cuts(shape: tuple[int, ...], size: tuple[int, int]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield starts of rows and columns for all regular ways to cut: with gaps or none, with a rim or without."""
    for gap in GAPS:
        for rim in {0, gap}:
            starts = []
            for length, side in zip(shape, size, strict=True):
                count, rest = divmod(length - 2 * rim + gap, side + gap)
                starts.append([rim + k * (side + gap) for k in range(count)] if rest == 0 else [])
            if starts[0] and starts[1] and len(starts[0]) * len(starts[1]) <= MONTAGE_LIMIT:
                yield starts[0], starts[1]


def _ranks(values: Sequence[tuple[int, int]]) -> list[int]:
    ranks = {value: rank for rank, value in enumerate(sorted(set(values)))}
    return [ranks[value] for value in values]


def _readings(first: Sequence[Drawn], second: Sequence[Drawn]) -> Iterator[list[tuple[int, int]]]:
    """Yield the natural ways to see pairs: one above or beside the other, one after the other, first with first."""
    at = {(one.figure, one.row, one.column): position for position, one in enumerate(first)}
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1), (-2, 0), (2, 0), (0, -2), (0, 2)):
        places = [(other.figure, other.row + down, other.column + right) for other in second]
        yield [(at[place], position) for position, place in enumerate(places) if place in at]
    by_order = {one.order: position for position, one in enumerate(first)}
    for step in (-1, 1, -2, 2):
        orders = [other.order + step for other in second]
        yield [(by_order[order], position) for position, order in enumerate(orders) if order in by_order]
    yield [(position, position) for position in range(min(len(first), len(second)))]


def _scatter(axes: Axes) -> Scatter | None:
    positions, colors, groups = [], [], []
    for number, points in enumerate(axes.points):
        place = np.asarray(points.positions, np.float64)
        color = np.asarray(points.colors, np.float64)
        if points.connected or place.ndim != 2 or place.shape[1:] != (2,) or not len(place):
            continue
        if color.ndim != 2 or color.shape[1] < 3 or len(color) not in (1, len(place)):
            continue
        positions.append(place)
        colors.append(np.broadcast_to(color[:, :4], (len(place), color[:, :4].shape[1])))
        groups.append(np.full(len(place), number))
    if not positions:
        return None
    width = min(color.shape[1] for color in colors)
    return Scatter(
        np.concatenate(positions),
        np.concatenate([color[:, :width] for color in colors]),
        np.concatenate(groups),
    )
