"""Figures by value: images, points, colours and places, in any layout, without rendering."""

from __future__ import annotations

import numpy as np
import pytest
from warm import run

SETUP = (
    "import numpy as np, matplotlib.pyplot as plt\n"
    "rng = np.random.default_rng(0)\n"
    "X = rng.random((12, 8, 8)); U = (X * 255).astype('uint8')\n"
    "P = rng.random((50, 2)); L = np.arange(50) % 10\n"
)
DRAWINGS = {
    "subplots": "fig, axes = plt.subplots(2, 3)\n"
    "for i in range(6):\n"
    "    axes.flat[i].imshow(X[i], cmap='gray'); axes.flat[i].set_title(str(i)); "
    "axes.flat[i].axis('off')\n"
    "plt.tight_layout(); plt.show()",
    "loop": "plt.figure(figsize=(9, 3))\n"
    "for i in range(6):\n"
    "    plt.subplot(2, 3, i + 1); plt.imshow(U[i].reshape(8, 8, 1)); plt.xticks([])",
    "one by one": "for i in range(3):\n    plt.imshow(X[i]); plt.show()",
    "free": "fig = plt.figure()\n"
    "for i in range(4):\n"
    "    ax = fig.add_axes([0.1 + 0.5 * (i % 2), 0.6 - 0.5 * (i // 2), 0.3, 0.3]); ax.matshow(X[i])",
    "montage": "plt.imshow(np.block([[X[0], X[1]], [X[2], X[3]]])); plt.colorbar()",
    "scatter": "plt.scatter(P[:, 0], P[:, 1], c=L, cmap='tab10', alpha=0.5); plt.xlabel('a'); plt.ylabel('b'); "
    "plt.title('t'); plt.colorbar()",
    "by digit": "for d in range(10):\n    plt.scatter(*P[L == d].T, label=str(d), color=plt.cm.tab10(d))\nplt.legend()",
    "markers": "for d in range(10): plt.plot(P[L == d, 0], P[L == d, 1], 'o')\nplt.plot([1, 2, 3], label='loss')",
    "seaborn": "import seaborn as sns\n"
    "sns.scatterplot(x=P[:, 0], y=P[:, 1], hue=L, palette='deep')\n"
    "plt.figure(); sns.heatmap(X[0])",
    "pandas": "import pandas as pd\n"
    "pd.DataFrame({'x': P[:, 0], 'y': P[:, 1], 'c': L}).plot.scatter('x', 'y', c='c', cmap='viridis')",
    "display": "fig = plt.figure(); fig.add_subplot().imshow(X[0]); display(fig); fig",
    "saved": "for i in range(2):\n"
    "    plt.imshow(X[i]); plt.savefig(f'/tmp/figure-of-a-test-{__import__(\"os\").getpid()}.png'); "
    "plt.clf()\n"
    "plt.close('all')",
    "closed": "plt.imshow(X[0]); plt.close()",
    "object": "from matplotlib.figure import Figure\nf = Figure(); f.subplots().imshow(X[0]); display(f)",
    "error": "plt.imshow(X[0])\n1 / 0",
    "other backends": "%matplotlib notebook\n"
    "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt; plt.imshow(X[0]); "
    "plt.show()",
    "style": "plt.style.use('seaborn-whitegrid'); plt.imshow(X[0])",
    "nothing": "plt.figure(); plt.show()",
    "large": "plt.scatter(*rng.random((2, 60_000)), c=np.arange(60_000) % 10)",
    "too large": "for i in range(4): plt.subplot(2, 2, i + 1); plt.imshow(np.zeros((600, 600)))",
    "replaced": "real = plt.imshow; plt.imshow = plt.show = lambda *a, **k: None; plt.imshow(X[0]); plt.show()",
}


@pytest.fixture(scope="module")
def drawn():
    result = run([SETUP, *DRAWINGS.values(), "plt.imshow = real; plt.imshow(X[0])"])
    assert result.evidence.ended
    return result


def figures(drawn, name):
    index = list(DRAWINGS).index(name) + 1
    return [figure for figure in drawn.evidence.figures if figure.cell == index]


@pytest.mark.parametrize("name", ["subplots", "loop"])
def test_axes_carry_their_place_and_their_image(drawn, name):
    (figure,) = figures(drawn, name)
    assert [(axes.row, axes.column) for axes in figure.axes] == [(i // 3, i % 3) for i in range(6)]
    expected = np.random.default_rng(0).random((12, 8, 8))
    for index, axes in enumerate(figure.axes):
        values = axes.pictures[0].values
        if name == "loop":
            np.testing.assert_array_equal(values, (expected[index] * 255).astype(np.uint8))
        else:
            np.testing.assert_allclose(values, expected[index], atol=1e-6)
            assert axes.title == str(index)


def test_free_axes_are_ordered_as_they_lie_on_the_page(drawn):
    (figure,) = figures(drawn, "free")
    assert [(axes.row, axes.column) for axes in figure.axes] == [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize(
    ("name", "count"),
    [("one by one", 3), ("display", 1), ("saved", 2), ("closed", 1), ("object", 1), ("nothing", 0), ("replaced", 0)],
)
def test_every_figure_is_recorded_once(drawn, name, count):
    assert len(figures(drawn, name)) == count


def test_a_montage_has_no_second_axes_for_its_colour_bar(drawn):
    (figure,) = figures(drawn, "montage")
    assert len(figure.axes) == 1 and figure.axes[0].pictures[0].values.shape == (16, 16)


def test_points_carry_positions_colours_and_numbers(drawn):
    (figure,) = figures(drawn, "scatter")
    (points,) = figure.axes[0].points
    assert points.positions.shape == (50, 2) and points.colors.shape == (50, 4)
    np.testing.assert_array_equal(points.values, np.arange(50) % 10)
    assert len(np.unique(points.colors, axis=0)) == 10
    assert (figure.axes[0].x_label, figure.axes[0].y_label, figure.axes[0].title) == ("a", "b", "t")


def test_one_scatter_a_digit_has_labels_and_one_colour_each(drawn):
    (figure,) = figures(drawn, "by digit")
    assert [points.label for points in figure.axes[0].points] == [str(d) for d in range(10)]
    assert all(points.colors.shape == (1, 4) and points.values is None for points in figure.axes[0].points)


def test_markers_are_told_from_lines(drawn):
    points = figures(drawn, "markers")[0].axes[0].points
    assert [p.connected for p in points] == [False] * 10 + [True]
    assert len({p.colors.tobytes() for p in points[:10]}) == 10 and points[10].label == "loss"


def test_seaborn_and_pandas_are_seen(drawn):
    scatter, heat = figures(drawn, "seaborn")
    colours = max((p.colors for p in scatter.axes[0].points), key=len)
    assert len(np.unique(colours, axis=0)) == 10
    assert heat.axes[0].pictures[0].values.shape == (8, 8)
    assert figures(drawn, "pandas")[0].axes[0].points[0].values is not None


@pytest.mark.parametrize("name", ["error", "other backends", "style"])
def test_a_picture_is_seen_whatever_happens_around_it(drawn, name):
    assert len(figures(drawn, name)[0].axes[0].pictures) == 1


def test_sizes_are_bounded_and_honest_ones_fit(drawn):
    (large,) = figures(drawn, "large")
    assert len(large.axes[0].points[0].positions) == 60_000 and not large.truncated
    (too_large,) = figures(drawn, "too large")
    assert too_large.truncated and sum(len(axes.pictures) for axes in too_large.axes) == 2


def test_nothing_is_rendered_for_a_figure_that_is_only_shown():
    source = """
from matplotlib.backends.backend_agg import FigureCanvasAgg as C
draw, drawn = C.draw, []
C.draw = lambda *a, **k: (drawn.append(1), draw(*a, **k))
"""
    result = run([SETUP + source, "plt.imshow(X[0]); plt.show()", "plt.scatter(*P.T); plt.gcf()", "print(len(drawn))"])
    assert result.printed(3) == "0\n"


def test_reading_a_figure_is_quick():
    result = run([SETUP, "plt.scatter(*rng.random((2, 60_000)), c=np.arange(60_000) % 10)"])
    assert result.cell(1).cpu_seconds < 0.6
