"""The codes and their map: questions 11 (encode) and 12 (latent-space)."""

import numpy as np
import pytest
from codes import TOLERANCE, all_codes, encoders, resolve, same
from consequences import broken, broken_before, nothing_to_judge, without_batch
from fitting import variables_of
from painting import figures_for, mention_elsewhere, nothing_drawn
from recognition import LIBRARY, digits_of, recognise

from autograder.checks import fail, note, review, skip
from autograder.checks.figures import color_use, scatters

JUDGED_POINTS = 400


@pytest.fixture(scope="module")
def X_encoded(submitted):
    """The array X_encoded; ends the check when there is none."""
    if submitted.value("encode", "X_encoded").kind == "missing":
        if submitted.blank("encode"):
            submitted.unanswered("encode")
        if submitted.cell_error("encode"):
            nothing_to_judge(submitted, "encode", "there is no X_encoded")
    return submitted.array(submitted.found("encode", "X_encoded", "an array named X_encoded", "array"))


@pytest.mark.question("encode", weight=1)
def test_two_values_for_each_image(submitted, X_encoded):
    """X_encoded has two values for each image."""
    shape = X_encoded.shape
    if recognise(X_encoded) is not None and len(shape) > 2:
        fail("X_encoded holds images: encode with the encoder alone, not with the whole autoencoder.")
    earlier = broken_before(submitted, "encode")
    if len(shape) != 2 and earlier is not None and _code_shape(submitted) == shape[1:]:
        skip(f"X_encoded has the shape {shape}, as your encoder gives it.", because=earlier)
    assert len(shape) == 2, f"X_encoded should be a table with two values for each image; its shape is {shape}."
    if shape[1] != 2 and broken(submitted, "encoder-size") and _code_shape(submitted) == shape[1:]:
        note("X_encoded has as many values an image as your encoder gives; the encoder was graded before.")
        return
    assert shape[1] == 2, f"X_encoded should have two values for each image; it has {shape[1]}."


def _code_shape(submitted):
    value = submitted.value("encoder-size", "encoder")
    if value.kind != "model":
        return None
    shape = without_batch(submitted.model(value).snapshot.output_shape)
    return None if shape is None else tuple(shape)


@pytest.mark.question("encode", weight=2, depends_on=["test_two_values_for_each_image"])
def test_codes_of_the_images(submitted, X_encoded):
    """X_encoded holds what the encoder gives for images of the data."""
    known = encoders(submitted)
    found = resolve(submitted, X_encoded, known)
    if found is None:
        # Codes that saturate may read like digits, so this comes after they were looked for.
        if digits_of(X_encoded) is not None:
            fail("X_encoded holds labels, not the codes of images.")
        if known.problems:
            review(known.problems[0])
        if not known.found:
            if broken(submitted, "encoder-size"):
                skip("There is no encoder to compare X_encoded with.", because="encoder-size")
            review("The encoder behind X_encoded was not found. A person will look at it.")
        fail("X_encoded is not what your encoder gives for images of the data.")
    if found.count < 100:
        note(f"X_encoded holds {found.count} images only; a map of the latent space needs more.")
    trained = variables_of(submitted, "autoencoder", "autoencoder")
    if trained and not trained & found.encoder.variables:
        note("The encoder that was used is not a part of your autoencoder, so training did not change it.")


@pytest.fixture(scope="module")
def points(submitted):
    """The scatter plots of question 12; ends the check when there is none."""
    figures = figures_for(submitted, "latent-space")
    found = scatters(figures)
    if not found:
        if any(axes.pictures for figure in figures for axes in figure.axes):
            fail("Images are drawn; a scatter plot of X_encoded is asked for.")
        nothing_drawn(submitted, "latent-space", "no scatter plot was drawn")
    mention_elsewhere(submitted, "latent-space")
    return found, max(figure.cell for figure in figures)


@pytest.fixture(scope="module")
def judged(submitted, points):
    """The points that could be told apart: their colours, and the digit and the position of the image of each."""
    found, last = points
    known = encoders(submitted, last)
    for codes in all_codes(submitted, known, last):
        for scatter in sorted(found, key=len, reverse=True):
            if codes.coincide and len(scatter) >= 2 and _near(scatter.positions, codes.sample.values[:1]).any():
                return None
            for positions in (scatter.positions, scatter.positions[:, ::-1]):
                match = _in_order(positions, codes) or _by_value(positions, codes) or _by_encoder(positions, codes)
                if match is not None:
                    rows, index = match
                    return scatter.colors[rows], index
    if known.problems:
        review(known.problems[0])
    if broken(submitted, "encode") and not known.found:
        skip("There are no encoded images to compare the points with.", because="encode")
    review("Points are drawn, but they were not recognised as encoded images. A person will look at them.")


def _near(positions, code):
    return np.abs(positions - code[:, :2]).max(axis=1) <= 20 * TOLERANCE if code.shape[1] >= 2 else np.zeros(1, bool)


def _in_order(positions, codes):
    """Match points that stand in the order of the codes: all of them, or the first ones."""
    rows = np.asarray(codes.sample.rows)
    inside = rows < len(positions)
    if codes.sample.shape[1] != 2 or inside.sum() < min(5, len(positions)):
        return None
    if same(positions[rows[inside]], codes.sample.values[inside]).mean() < 0.98:
        return None
    if codes.start is None:
        known = inside & (codes.index >= 0)
        return rows[known], codes.index[known]
    # The sampled rows are among them: those for which the student's own labels are known, too.
    chosen = np.union1d(_spread(len(positions)), rows[inside])
    return chosen, codes.start + chosen


def _by_value(positions, codes):
    """Match sampled codes with points of the same place, wherever they stand; None unless most of them are there."""
    if codes.sample.shape[1] != 2 or not len(positions):
        return None
    rows, index = [], []
    matched = 0
    for code, image in zip(codes.sample.values, codes.index, strict=True):
        distance = np.abs(positions - code).max(axis=1)
        nearest = int(distance.argmin())
        if distance[nearest] > TOLERANCE:
            continue
        matched += 1
        if image >= 0 and (distance <= TOLERANCE / 5).sum() == 1:
            rows.append(nearest)
            index.append(image)
    if matched < 0.9 * len(codes.index) or len(rows) < 5:
        return None
    return np.asarray(rows), np.asarray(index)


def _by_encoder(positions, codes):
    """Match some points with the codes of all images that were encoded, computed by the rebuilt encoder."""
    if codes.encoder is None or codes.start is None or codes.count > 20_000:
        return None
    index = codes.start + np.arange(min(codes.count, len(LIBRARY) - codes.start))
    all_codes_ = codes.encoder.encode(index)
    if all_codes_.shape[1:] != (2,):
        return None
    rows, images = [], []
    chosen = _spread(len(positions))
    matched = 0
    for row in chosen:
        distance = np.abs(all_codes_ - positions[row]).max(axis=1)
        nearest = int(distance.argmin())
        matched += distance[nearest] <= TOLERANCE
        if distance[nearest] <= TOLERANCE and (distance <= TOLERANCE / 5).sum() <= 1:
            rows.append(row)
            images.append(index[nearest])
    if matched < 0.9 * len(chosen) or len(rows) < min(5, len(chosen)):
        return None
    return np.asarray(rows), np.asarray(images)


def _spread(count):
    """Return at most some hundred positions, spread evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, JUDGED_POINTS)).astype(np.int64))


@pytest.mark.question("latent-space", weight=2)
def test_points_are_the_encoded_images(judged):
    """The scatter plot shows the encoded images, each one point."""
    if judged is None:
        note("All codes are the same here, so that the points lie one above the other.")


@pytest.mark.question("latent-space", weight=2)
def test_colours_follow_the_digits(submitted, points, judged):
    """The points are coloured by digit: one colour a digit."""
    if judged is None:
        colors = np.concatenate([scatter.colors for scatter in points[0]])
        assert len(np.unique(np.round(colors, 3), axis=0)) > 1, (
            "All points have one colour; colour them by their digit."
        )
        return
    colors, index = judged
    digits = LIBRARY.labels[index]
    use = color_use(colors, digits)
    if use.one_color_a_label:
        return
    own = _own_digits(submitted, index)
    if (
        own is not None
        and not np.array_equal(own[own >= 0], digits[own >= 0])
        and color_use(colors[own >= 0], own[own >= 0]).one_color_a_label
    ):
        note("The colours follow your labels, which were graded in question 1.")
        return
    assert use.colors > 1, "All points have one colour; colour them by their digit."
    if use.scattered:
        fail("The colours do not follow the digits: points of one digit have several colours.")
    one, other = use.shared[0]
    fail(f"The digits {one} and {other} have the same colour; each digit needs a colour of its own.", cost=0.5)


def _own_digits(submitted, index):
    """Return the labels that the student has for images of the data, -1 where they were not recorded."""
    result = np.full(len(index), -1, np.int64)
    for part in ("train", "test"):
        value = submitted.value("load-data", f"y_{part}")
        if value.kind != "array":
            continue
        sample = submitted.array(value)
        digits = digits_of(sample)
        if digits is None:
            continue
        known = dict(zip((LIBRARY.start(part) + np.asarray(sample.rows)).tolist(), digits.tolist(), strict=True))
        for row, image in enumerate(index.tolist()):
            result[row] = known.get(image, result[row])
    return result if (result >= 0).sum() >= 3 else None
