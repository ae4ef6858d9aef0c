"""What was drawn is read in any layout: images in order, pairs of them, and coloured points."""

import numpy as np
import pytest

from autograder.checks.figures import best_pairing, color_use, drawn_images, has_pictures, scatters
from autograder.evidence import Axes, Figure, Picture, Points

SIZE = (4, 4)
IMAGES = np.random.Generator(np.random.PCG64(3)).random((12, *SIZE))


def picture(values):
    return Picture.model_construct(values=np.asarray(values))


def axes(row, column, *pictures, points=()):
    return Axes.model_construct(
        row=row, column=column, title="", x_label="", y_label="", pictures=tuple(map(picture, pictures)), points=points
    )


def figure(*parts):
    return Figure.model_construct(cell=1, axes=parts, truncated=False)


def grid(*rows):
    return figure(*(axes(r, c, image) for r, row in enumerate(rows) for c, image in enumerate(row)))


def which(drawn):
    """Return the number of each drawn image."""
    return [int(np.abs(IMAGES - one.values).max(axis=(1, 2)).argmin()) for one in drawn]


def known(values):
    return np.asarray([np.isclose(IMAGES, one).all(axis=(1, 2)).any() for one in values])


def test_images_come_in_the_order_in_which_they_are_seen():
    shuffled = figure(axes(1, 0, IMAGES[2]), axes(0, 1, IMAGES[1]), axes(0, 0, IMAGES[0]))
    drawn = drawn_images([shuffled, grid([IMAGES[3]])], SIZE)
    assert which(drawn) == [0, 1, 2, 3]
    assert [(one.figure, one.row, one.column) for one in drawn] == [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]


@pytest.mark.parametrize("gap", [0, 1, 2])
@pytest.mark.parametrize("rim", [False, True])
def test_a_montage_is_cut_into_its_images(gap, rim):
    canvas = np.zeros((2 * 4 + gap + 2 * gap * rim, 3 * 4 + 2 * gap + 2 * gap * rim))
    for number in range(6):
        top, left = (gap * rim + (number // 3) * (4 + gap), gap * rim + (number % 3) * (4 + gap))
        canvas[top : top + 4, left : left + 4] = IMAGES[number]
    drawn = drawn_images([figure(axes(0, 0, canvas))], SIZE, known)
    assert which(drawn) == [0, 1, 2, 3, 4, 5]
    assert [(one.row, one.column) for one in drawn] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_pictures_in_colour_and_with_a_channel_axis_are_read():
    colour = np.repeat(IMAGES[0][..., None], 4, axis=2)
    assert which(drawn_images([grid([colour, IMAGES[1][..., None]])], SIZE)) == [0, 1]


def test_a_picture_of_another_size_shows_no_image():
    odd = figure(axes(0, 0, np.ones((5, 7))))
    assert drawn_images([odd], SIZE) == ()
    assert has_pictures([odd]) and not has_pictures([figure(axes(0, 0))])


def test_a_picture_under_another_is_told_apart():
    drawn = drawn_images([figure(axes(0, 0, IMAGES[0], IMAGES[1]))], SIZE)
    assert [one.covered for one in drawn] == [True, False]


TWINS = IMAGES + 100
LAYOUTS = {
    "one above the other": [grid(IMAGES[:4], TWINS[:4])],
    "the other above the one": [grid(TWINS[:4], IMAGES[:4])],
    "left and right": [grid([IMAGES[0], TWINS[0], IMAGES[1], TWINS[1]])],
    "in two columns": [grid([IMAGES[0], TWINS[0]], [IMAGES[1], TWINS[1]], [IMAGES[2], TWINS[2]])],
    "a figure for each": [grid([IMAGES[0]]), grid([TWINS[0]]), grid([IMAGES[1]]), grid([TWINS[1]])],
    "a figure for each kind": [grid(IMAGES[:3]), grid(TWINS[:3])],
    "one picture of each pair": [figure(axes(0, 0, np.hstack([IMAGES[k], TWINS[k]]))) for k in range(3)],
    "with something between": [grid(IMAGES[:3], np.zeros((3, 4, 4)), TWINS[:3])],
}


def paired(figures):
    drawn = drawn_images(figures, SIZE, lambda values: known(np.where(values > 50, values - 100, values)))
    first = [one for one in drawn if one.values.max() < 50 and one.values.any()]
    second = [one for one in drawn if one.values.max() > 50]

    def belongs(pairs):
        return np.asarray([np.allclose(first[i].values + 100, second[j].values) for i, j in pairs])

    return best_pairing(first, second, belongs), len(second)


@pytest.mark.parametrize("name", LAYOUTS)
def test_pairs_are_seen_in_any_layout(name):
    pairing, count = paired(LAYOUTS[name])
    assert pairing.belonging == count >= 2


@pytest.mark.parametrize("shift", [1, 3])
def test_pairs_that_do_not_belong_together_are_not_seen_as_pairs(shift):
    pairing, count = paired([grid(IMAGES[:4], np.roll(TWINS[:4], shift, axis=0))])
    assert pairing.pairs and pairing.belonging <= 1 < count


def test_nothing_can_not_be_paired():
    assert best_pairing([], [], lambda pairs: np.zeros(0)).pairs == ()


def points(positions, colors, connected=False):
    return Points.model_construct(
        positions=np.asarray(positions, float),
        colors=np.asarray(colors, float),
        values=None,
        label="",
        connected=connected,
    )


RED, BLUE, GREEN = (1, 0, 0, 1), (0, 0, 1, 1), (0, 1, 0, 0.5)


def test_points_of_one_axes_are_taken_together():
    calls = (points([[0, 0], [1, 1]], [RED]), points([[2, 2]], [BLUE]), points([[3, 3], [4, 4]], [RED, GREEN]))
    (found,) = scatters([figure(axes(0, 0, points=calls), axes(0, 1))])
    assert len(found) == 5 and found.group.tolist() == [0, 0, 1, 2, 2]
    assert found.colors.tolist() == [list(color) for color in (RED, RED, BLUE, RED, GREEN)]


def test_a_curve_is_no_scatter_plot():
    assert scatters([figure(axes(0, 0, points=(points([[0, 0], [1, 1]], [RED], connected=True),)))]) == ()


def test_points_whose_colours_do_not_fit_are_left_out():
    assert scatters([figure(axes(0, 0, points=(points([[0, 0], [1, 1], [2, 2]], [RED, BLUE]),)))]) == ()


def test_one_colour_a_digit_is_told_from_everything_else():
    labels = np.asarray([0, 0, 1, 1, 2, 2])
    palette = np.asarray([RED, BLUE, GREEN])
    assert color_use(palette[labels], labels).one_color_a_label
    assert color_use(np.asarray([RED] * 6), labels).colors == 1
    assert color_use(palette[[0, 0, 1, 1, 1, 1]], labels).shared == ((1, 2),)
    assert color_use(palette[[0, 1, 1, 2, 2, 0]], labels).scattered == (0, 1, 2)


def test_transparency_is_no_colour_of_its_own():
    faint = np.asarray([(1, 0, 0, 0.2), (1, 0, 0, 0.9), BLUE, BLUE])
    assert color_use(faint, np.asarray([0, 0, 1, 1])).one_color_a_label
