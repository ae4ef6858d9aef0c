"""What was drawn with matplotlib, by value, without rendering a pixel.

Seaborn and pandas draw through matplotlib and are seen as well. A figure is looked at when it is shown, saved,
cleared or closed, and when its cell ends; equal states of one figure in a cell are sent once.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot
from matplotlib._pylab_helpers import Gcf
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from autograder.sandbox.guest.channel import Blobs
from autograder.sandbox.guest.plain import text
from autograder.sandbox.guest.session import Session
from autograder.sandbox.limits import Limits

AXES_LIMIT = 100
POINTS_LIMIT = 100_000
_TITLE_LIMIT = 500


class Figures:
    """The figures of the present cell."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._sent: set[bytes] = set()
        self.muted = False

    def install(self) -> None:
        """Look at figures before they are saved, cleared or closed."""
        for method in ("savefig", "clear"):
            setattr(Figure, method, self._looking(getattr(Figure, method)))
        for method in ("destroy", "destroy_fig", "destroy_all"):
            setattr(Gcf, method, staticmethod(self._looking_at_all(getattr(Gcf, method))))

    def start(self) -> None:
        """Begin a cell."""
        self._sent.clear()

    def finish(self) -> None:
        """Record and close what is still open when a cell ends."""
        self._record_open()
        if pyplot.get_fignums():
            pyplot.close("all")

    def record(self, figure: Any) -> None:
        """Send a figure as it stands unless it was sent in this state."""
        if self.muted or self._session.probe or len(self._sent) >= self._session.limits.figures:
            return
        extract = _Extract(self._session.limits)
        axes = extract.axes(figure)
        if not any(entry["pictures"] or entry["points"] for entry in axes) and not extract.truncated:
            return
        record = {"cell": self._session.cell, "axes": axes, "truncated": extract.truncated}
        digest = hashlib.blake2b(json.dumps(record).encode(), digest_size=16)
        for blob in extract.blobs.raw:
            digest.update(blob)
        if digest.digest() not in self._sent:
            self._sent.add(digest.digest())
            self._session.channel.record("figure", record, extract.blobs)

    def _record_open(self) -> None:
        for manager in list(Gcf.figs.values()):
            self._record_quietly(manager.canvas.figure)

    def _record_quietly(self, figure: Any) -> None:
        with self._session.quietly("a figure"):
            self.record(figure)

    def _looking(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def looked(figure: Any, *args: Any, **kwargs: Any) -> Any:
            # A figure clears itself while it is being made.
            if hasattr(figure, "_localaxes") and figure.axes:
                self._record_quietly(figure)
            return original(figure, *args, **kwargs)

        return looked

    def _looking_at_all(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def looked(*args: Any, **kwargs: Any) -> Any:
            self._record_open()
            return original(*args, **kwargs)

        return looked


class _Extract:
    """The contents of one figure, bounded in number and size."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.blobs = Blobs()
        self.truncated = False
        self._pictures = 0
        self._values = 0

    def axes(self, figure: Any) -> list[dict[str, Any]]:
        everything = [axes for axes in figure.axes if not hasattr(axes, "_colorbar")]
        self.truncated |= len(everything) > AXES_LIMIT
        shown = everything[:AXES_LIMIT]
        return [self._axes(axes, row, column) for axes, (row, column) in zip(shown, _places(shown), strict=True)]

    def _axes(self, axes: Any, row: int, column: int) -> dict[str, Any]:
        pictures, points = [], []
        for artist in axes.get_children():
            kind = _kind(artist)
            try:
                if kind == "picture" and artist.get_visible():
                    pictures += self._picture(artist)
                elif kind is not None and artist.get_visible():
                    points += self._points(artist, kind)
            except Exception:
                self.truncated = True
        titles = [axes.get_title(loc) for loc in ("center", "left", "right")]
        return {
            "row": row,
            "column": column,
            "title": text(next(filter(None, titles), ""), _TITLE_LIMIT),
            "x_label": text(axes.get_xlabel(), _TITLE_LIMIT),
            "y_label": text(axes.get_ylabel(), _TITLE_LIMIT),
            "pictures": pictures,
            "points": points,
        }

    def _picture(self, artist: Any) -> list[dict[str, Any]]:
        values = artist.get_array()
        if values is None:
            return []
        values = np.asarray(_filled(values))
        usual = values.ndim in (2, 3) and min(values.shape[:2]) > 1
        if not usual or values.dtype.kind not in "biuf" or not self._fits(values.size, 1):
            return []
        if self._pictures >= self._limits.figure_images:
            self.truncated = True
            return []
        self._pictures += 1
        return [{"values": self.blobs.add(values if values.dtype == np.uint8 else values.astype(np.float32))}]

    def _points(self, artist: Any, kind: str) -> list[dict[str, Any]]:
        positions = _positions(artist, kind)
        if positions is None or not len(positions):
            return []
        count = min(len(positions), POINTS_LIMIT)
        colors = _scatter_colors(artist) if kind == "scatter" else _line_color(artist)
        values = _mapped_values(artist, len(positions)) if kind == "scatter" else None
        colors = colors[:count] if len(colors) == len(positions) else colors[:1]
        self.truncated |= count < len(positions)
        if not self._fits(2 * count + colors.size + (0 if values is None else count), 3):
            return []
        return [
            {
                "positions": self.blobs.add(positions[:count].astype(np.float32)),
                "colors": self.blobs.add(colors.astype(np.float32)),
                "values": None if values is None else self.blobs.add(values[:count].astype(np.float32)),
                "label": _label(artist),
                "connected": kind == "line" and _connected(artist),
            }
        ]

    def _fits(self, values: int, blobs: int) -> bool:
        if self._values + values > self._limits.figure_values or self.blobs.full:
            self.truncated = True
            return False
        self._values += values
        return True


def _kind(artist: Any) -> str | None:
    if isinstance(artist, (AxesImage, QuadMesh)):
        return "picture"
    if isinstance(artist, PathCollection):
        return "scatter"
    return "line" if isinstance(artist, Line2D) else None


def _places(everything: Sequence[Any]) -> list[tuple[int, int]]:
    """Return row and column of each pair of axes: from the grid where all share one, else as they lie on the page."""
    grids = [_grid_place(axes) for axes in everything]
    shapes = {grid[0] for grid in grids if grid is not None}
    if len(shapes) == 1 and None not in grids:
        return [grid[1] for grid in grids if grid is not None]
    boxes = [axes.get_position(original=True) for axes in everything]
    tops = _ranks([-box.y1 for box in boxes])
    lefts = _ranks([box.x0 for box in boxes])
    return list(zip(tops, lefts, strict=True))


def _grid_place(axes: Any) -> tuple[tuple[int, ...], tuple[int, int]] | None:
    spec = axes.get_subplotspec()
    if spec is None or spec.get_topmost_subplotspec() is not spec:
        return None
    # Axes of different subfigures share no grid, however alike their grids are.
    owner = id(axes.get_figure(root=False))
    place = int(spec.rowspan.start), int(spec.colspan.start)
    return (owner, *map(int, spec.get_gridspec().get_geometry())), place


def _ranks(positions: Sequence[float]) -> list[int]:
    ranks, rank, last = [0] * len(positions), -1, -np.inf
    for index in sorted(range(len(positions)), key=positions.__getitem__):
        if positions[index] > last + 0.01:
            rank, last = rank + 1, positions[index]
        ranks[index] = rank
    return ranks


def _filled(values: Any) -> Any:
    if not np.ma.isMaskedArray(values):
        return values
    if not np.ma.is_masked(values):
        return values.data
    return np.ma.filled(values.astype(np.float32), np.nan)


def _positions(artist: Any, kind: str) -> np.ndarray[Any, Any] | None:
    if kind == "scatter":
        positions = np.asarray(_filled(artist.get_offsets()), dtype=np.float64)
    else:
        columns = [np.asarray(_filled(column), dtype=np.float64) for column in artist.get_data(orig=False)]
        if len(columns[0]) != len(columns[1]):
            return None
        positions = np.column_stack(columns)
    return positions if positions.ndim == 2 and positions.shape[1] == 2 else None


def _scatter_colors(artist: Any) -> np.ndarray[Any, Any]:
    values = artist.get_array()
    if values is not None:
        return np.asarray(artist.to_rgba(values, alpha=artist.get_alpha())).reshape(-1, 4)
    for colors in (artist.get_facecolor(), artist.get_edgecolor()):
        if len(colors):
            return np.asarray(colors).reshape(-1, 4)
    return np.zeros((1, 4))


def _line_color(artist: Any) -> np.ndarray[Any, Any]:
    marked = not _connected(artist) and artist.get_markerfacecolor() not in ("none", "auto")
    color = artist.get_markerfacecolor() if marked else artist.get_color()
    return np.asarray([to_rgba(color, artist.get_alpha())])


def _mapped_values(artist: Any, count: int) -> np.ndarray[Any, Any] | None:
    values = artist.get_array()
    if values is None:
        return None
    values = np.asarray(_filled(values)).reshape(-1)
    return values if len(values) == count and values.dtype.kind in "biuf" else None


def _connected(artist: Any) -> bool:
    return str(artist.get_linestyle()).lower() not in ("none", "", " ")


def _label(artist: Any) -> str:
    label = str(artist.get_label())
    return "" if label.startswith("_") else text(label, _TITLE_LIMIT)
