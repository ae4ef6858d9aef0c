"""What waits for a person is drawn again: from numbers alone, bounded, and whatever the numbers are."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from autograder import pictures
from autograder.evidence import Axes, Figure, Picture, Points
from autograder.report.html import render_student
from autograder.report.model import MOST_PICTURE_CHARACTERS, Check, Question, Report

NOISE = np.random.Generator(np.random.PCG64(5)).random((28, 28))
ANY = st.floats(width=32, allow_nan=True, allow_infinity=True)


def points(positions, **more):
    given = {"colors": np.asarray([[1.0, 0, 0, 1]]), "values": None, "label": "", "connected": False} | more
    return Points.model_construct(positions=np.asarray(positions, np.float64).reshape(-1, 2), **given)


def axes(row, column, *images, points=()):
    drawn = tuple(Picture.model_construct(values=np.asarray(values)) for values in images)
    texts = {"title": "<b>", "x_label": "$x", "y_label": ""}
    return Axes.model_construct(row=row, column=column, pictures=drawn, points=points, **texts)


def figure(*parts, cell=3):
    return Figure.model_construct(cell=cell, axes=parts, truncated=False)


def opened(picture):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB"), np.float64)


def question(name, *statuses):
    checks = tuple(Check(id=f"{name}/{n}", title="A check.", status=status) for n, status in enumerate(statuses))
    return Question(id=name, title=name, score=0, max_score=1, status="needs_review", awaiting_review=1, checks=checks)


def test_images_stand_where_they_stood_and_look_as_they_did():
    white, black = np.ones((28, 28)), np.zeros((28, 28))
    white[0, 0], black[0, 0] = 0, 1
    seen = opened(pictures.draw(figure(axes(0, 0, white), axes(0, 5, black), axes(7, 0, black), axes(7, 5, white))))
    height, width, _ = seen.shape
    quarters = seen.reshape(2, height // 2, 2, width // 2, 3).mean(axis=(1, 3, 4))
    assert (quarters > 128).tolist() == [[True, False], [False, True]]


def test_points_keep_their_colours():
    colors = np.asarray([[1.0, 0, 0, 1]] * 40 + [[0, 0, 1.0, 1]] * 40)
    cloud = np.concatenate([np.random.Generator(np.random.PCG64(1)).normal(side, 0.1, (40, 2)) for side in (-3, 3)])
    seen = opened(pictures.draw(figure(axes(0, 0, points=(points(cloud, colors=colors),)))))
    red = np.argwhere((seen[..., 0] > 200) & (seen[..., 2] < 50))
    blue = np.argwhere((seen[..., 2] > 200) & (seen[..., 0] < 50))
    assert red[:, 1].mean() < blue[:, 1].mean() and red[:, 0].mean() > blue[:, 0].mean()


def test_questions_get_the_pictures_of_their_own_cells_and_all_of_them_where_a_check_waits():
    own, more, other = figure(axes(0, 0, NOISE)), figure(axes(0, 0, NOISE.T)), figure(axes(0, 0, 1 - NOISE), cell=4)
    earlier = figure(axes(0, 0, NOISE**2), cell=4)
    given = [question("failed", "failed"), question("waits", "passed", "needs_review"), question("text")]
    seen = pictures.attach(given, [own, more, earlier, other], {3: "waits", 4: "failed", 5: "text"})
    drawn = [tuple(map(pictures.draw, figures)) for figures in ([other], [own, more], [])]
    assert [one.pictures for one in seen] == drawn


def test_what_waits_for_a_person_comes_first_where_room_is_short():
    given = [question("passed", "passed"), question("waits", "needs_review")]
    own, other = figure(axes(0, 0, NOISE), cell=3), figure(axes(0, 0, NOISE.T), cell=4)
    room = max(len(pictures.draw(one)) for one in (own, other))
    seen = pictures.attach(given, [own, other], {3: "passed", 4: "waits"}, room)
    assert [len(one.pictures) for one in seen] == [0, 1]


def test_curves_of_fits_that_were_only_recorded_are_left_out_unless_a_person_has_to_judge_them():
    curve = figure(axes(0, 0, points=(points([[0.0, 1.0], [1.0, 0.5]], connected=True),)))
    for status, trained, count in (("passed", True, 1), ("passed", False, 0), ("needs_review", False, 1)):
        (seen,) = pictures.attach([question("fit", status)], [curve], {3: "fit"}, trained=trained)
        assert len(seen.pictures) == count


def test_images_beside_points_are_drawn_as_those_alone_are():
    near = points([[5.0, 5.0]], colors=np.asarray([[0.0, 0, 0, 1]]))
    alone, beside = (
        opened(pictures.draw(figure(axes(0, 0, NOISE), *more))) for more in ((), (axes(0, 1, points=(near,)),))
    )
    assert alone.mean() == pytest.approx(beside[:, : beside.shape[1] // 2].mean(), rel=0.05)


def test_pictures_of_a_report_are_bounded():
    large = figure(*(axes(row, column, NOISE) for row in range(10) for column in range(10)))
    many = [question(name, "needs_review") for name in "abcdefgh"]
    seen = pictures.attach(many, [large] * 50, dict.fromkeys(range(9), "a") | {3: "a"})
    assert 1 <= len(seen[0].pictures) <= pictures.MOST_PICTURES
    assert sum(len(one) for each in seen for one in each.pictures) <= MOST_PICTURE_CHARACTERS


def test_the_page_shows_a_picture_and_the_report_takes_nothing_else_for_one():
    (seen,) = pictures.attach([question("waits", "needs_review")], [figure(axes(0, 0, NOISE))], {3: "waits"})
    report = Report.model_validate(
        {
            "assignment": "autoencoders", "student": "anna", "submission": {"file": "a.ipynb", "digest": "0"},
            "score": 0, "max_score": 1, "awaiting_review": 1, "status": "needs_review",
            "questions": [seen.model_dump()],
            "execution": {"isolation": "namespaces", "training": "record"}, "autograder_version": "1",
        }
    )  # fmt: skip
    page = render_student(report)
    assert f'src="data:image/png;base64,{seen.pictures[0]}"' in page
    assert '<details class="question needs_review" open>' in page
    with pytest.raises(ValueError, match="pictures"):
        Question.model_validate(seen.model_dump() | {"pictures": ['"><script>']})


shapes = st.one_of(
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 5)),
)


@given(
    images=st.lists(arrays(np.float32, shapes, elements=ANY), max_size=2),
    positions=arrays(np.float32, st.tuples(st.integers(0, 5), st.just(2)), elements=ANY),
    color=arrays(np.float32, (1, 4), elements=ANY),
    connected=st.booleans(),
    place=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)),
)
def test_whatever_the_numbers_are_something_or_nothing_is_drawn(images, positions, color, connected, place):
    drawn = (points(positions, colors=color, connected=connected),)
    picture = pictures.draw(figure(axes(*place, *images, points=drawn), axes(0, 0)))
    assert picture == "" or opened(picture).ndim == 3
