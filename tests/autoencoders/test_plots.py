"""Drawings of images: questions 10 (reconstructions), 13 (noisy-images) and 16 (denoised-images), told by value."""

import numpy as np
import pytest
from consequences import broken, broken_before
from fitting import variables_of
from painting import UNRECOGNISED, coincide, drawing, figures_for, mention_elsewhere, origins, painters
from recognition import LIBRARY, holds_part, own_images, recognise

from autograder.checks import fail, note, review, skip
from autograder.checks.figures import best_pairing, has_pictures
from autograder.checks.images import background_noise

NOISE = 0.5
# How a model comes to trained weights without being trained itself.
LOADING = ("load_model", "load_weights", "set_weights")


def _drawn(submitted, question, judge):
    """Return what was drawn for a question; end the check when nothing was."""
    found = drawing(submitted, question, judge)
    mention_elsewhere(submitted, question)
    return found


@pytest.mark.question("reconstructions")
def test_reconstructions(submitted):
    """Images that the autoencoder predicts are drawn."""
    _judge_reconstructions(submitted, _drawn(submitted, "reconstructions", _judge_reconstructions))


def _judge_reconstructions(submitted, drawn):
    if not drawn.others:
        _blame_size(submitted, "reconstructions", drawn)
        kind = "images with noise" if drawn.noisy else "the original images"
        fail(f"Only {kind} are drawn; draw what the autoencoder predicts for them.")
    used = painters(submitted, "reconstructions", drawn.figures)
    found = origins(drawn, used)
    if found is None:
        _blame_size(submitted, "reconstructions", drawn)
        _unexplained(used)
    _check_reconstruction_model(submitted, found)
    if drawn.originals and not _follow(drawn, found, drawn.originals) and not coincide(found.painter):
        note("The originals beside the predictions are other images: they do not belong together.")


def _blame_size(submitted, question, drawn):
    """Skip where the pictures that are missing have another size, because the network does not give images."""
    pictures = [picture for figure in drawn.figures for axes in figure.axes for picture in axes.pictures]
    earlier = broken_before(submitted, question)
    if earlier is not None and submitted.cell_error(question) is not None:
        skip(
            "Your cell stopped before it drew what your network predicts, because of an earlier question.",
            because=earlier,
        )
    if earlier is not None and any(picture.values.shape[:2] != LIBRARY.size for picture in pictures):
        skip("What your network predicts are no images of 28 by 28 pixels.", because=earlier)


def _check_reconstruction_model(submitted, found):
    denoiser = variables_of(submitted, "fit-denoiser", "denoiser")
    autoencoder = variables_of(submitted, "autoencoder", "autoencoder")
    if autoencoder and not autoencoder & found.painter.variables:
        if denoiser & found.painter.variables:
            fail("The images are predicted by the denoiser; the predictions of the autoencoder are asked for.")
        _accept_another(submitted, found.painter, "the one that question 7 built")


def _accept_another(submitted, painter, than):
    """Note that another model predicts, such as one that was saved and loaded; a fresh one waits for a person."""
    snapshot = submitted.model(painter.prediction.model).snapshot
    loads = any(word in cell.source for cell in submitted.cells for word in LOADING)
    if not snapshot.trained and snapshot.compilation is None and not loads:
        review("The images are predicted by a model that was neither compiled nor trained. A person will look at it.")
    note(f"The images are predicted by another model than {than}.")


def _unexplained(used):
    """End the check when drawn images were not found among the outputs of any model."""
    if used.problems:
        review(used.problems[0])
    review(UNRECOGNISED)


def _follow(drawn, found, partners):
    """Tell whether painted images stand beside the image that they were painted from."""
    painted = list(found.pictures)
    origin = dict(zip(found.pictures, found.sources, strict=True))

    def belong(pairs):
        return np.asarray([
            int(drawn.matches.index[partners[left]]) in origin[painted[right]] for left, right in pairs
        ])  # fmt: skip

    best = best_pairing(drawn.drawn(partners), drawn.drawn(painted), belong)
    return best.belonging >= 0.6 * max(1, len(best.pairs))


@pytest.fixture(scope="module")
def noisy_drawing(submitted):
    """What was drawn for question 13."""
    return _drawn(submitted, "noisy-images", _judge_pairs)


@pytest.mark.question("noisy-images", weight=2)
def test_pairs_of_original_and_noisy(submitted, noisy_drawing):
    """Pairs are drawn: an original image, and beside it the same image with noise."""
    _judge_pairs(submitted, noisy_drawing)


def _judge_pairs(submitted, drawn):
    with_noise = drawn.where(~drawn.matches.exact)
    if not with_noise:
        fail("Only original images are drawn; draw the same images with noise beside them.")
    if not drawn.originals and any(own is not None and own.altered for own in _own_parts(submitted)):
        skip("The grey tones of your images were changed, so that pairs can not be recognised.", because="load-data")
    if not drawn.originals:
        if drawn.noisy:
            fail("Only images with noise are drawn; draw the originals beside them.")
        review(UNRECOGNISED)
    best = _noisy_pairs(drawn, with_noise)
    if best.belonging >= max(1, 0.5 * len(best.pairs)):
        if best.belonging < 2:
            note("Only one pair is drawn; some are asked for.")
        return
    if len(drawn.noisy) < 0.5 * len(with_noise):
        review(UNRECOGNISED)
    fail("The originals and the noisy images that are drawn do not belong together: they show different images.")


def _own_parts(submitted):
    return own_images(submitted, "X_train"), own_images(submitted, "X_test")


def _noisy_pairs(drawn, with_noise):
    index = drawn.matches.index

    def belong(pairs):
        rows = np.stack([drawn.images[with_noise[right]].values for _, right in pairs])
        return LIBRARY.belongs(rows, np.asarray([index[drawn.originals[left]] for left, _ in pairs]))

    return best_pairing(drawn.drawn(drawn.originals), drawn.drawn(with_noise), belong)


@pytest.mark.question("noisy-images", weight=1)
def test_noise(submitted):
    """The noise is 0.5 times standard normal noise, added to the images."""
    judged = [problem for name in ("train", "test") if (problem := _array_noise(submitted, name)) is not None]
    if not judged:
        judged = [_drawn_noise(submitted)]
    problems = [problem for problem in judged if problem]
    if problems:
        text, finding = problems[0]
        fail(text, finding=finding)
    if submitted.blank("noisy-images") and not has_pictures(figures_for(submitted, "noisy-images")):
        submitted.unanswered("noisy-images")


def _array_noise(submitted, part):
    """Judge the noise of a whole array: None when it can not be read, an empty text when it is right."""
    value = submitted.value("noisy-images", f"X_{part}_noisy")
    own = submitted.value("load-data", f"X_{part}")
    if value.kind != "array":
        return None
    sample = submitted.array(value)
    clean = own_images(submitted, f"X_{part}") if own.kind == "array" else None
    if clean is not None and clean.sample.rows == sample.rows and clean.sample.values.size == sample.values.size:
        before = clean.sample.values.reshape(len(clean.sample.values), -1).astype(np.float64)
        background = before.min() if clean.scale >= 0 else before.max()
    else:
        images = recognise(sample)
        if images is None or not images.matches.known.any():
            return None
        known = images.matches.known
        before = LIBRARY.images(images.index[known]).astype(np.float64)
        background = 0.0
        return _judge_noise(images.sample.values[known].reshape(len(before), -1) - before, before == background)
    return _judge_noise(sample.values.reshape(len(before), -1) - before, before == background)


def _drawn_noise(submitted):
    drawn = _drawn(submitted, "noisy-images", _judge_pairs)
    if not drawn.noisy:
        review(UNRECOGNISED)
    values = drawn.values(drawn.noisy).reshape(len(drawn.noisy), -1)
    images = LIBRARY.images(drawn.matches.index[drawn.noisy])
    return _judge_noise(values - images, images == 0)


def _judge_noise(added, background):
    """Return a problem and its finding; an empty text when the noise is of the right size, clipped or not."""
    mean, size = float(added.mean()), float(added.std())
    centre, spread = background_noise(added, ~background)
    if size < 1e-3:
        return "No noise is added to the images.", None
    for middle, width in ((mean, size), (centre, spread)):
        if abs(middle) <= 0.1 and abs(width - NOISE) <= 0.1:
            return ""
    if 0.3 < centre < 0.7 and (spread > 0.7 or size > 0.7 or added[background].max() <= 1):
        return "The noise factor is added to the noise: it should be multiplied with it.", "plus-for-times"
    return "The noise that is added does not have the size that the statement gives.", None


@pytest.fixture(scope="module")
def denoised_drawing(submitted):
    """What was drawn for question 16."""
    return _drawn(submitted, "denoised-images", _judge_denoised_images)


@pytest.fixture(scope="module")
def denoised(submitted, denoised_drawing):
    """The images in the drawing that a model predicted from noisy images; ends the check when there are none."""
    return _denoised(submitted, denoised_drawing)


def _denoised(submitted, drawn):
    if not drawn.others:
        _blame_size(submitted, "denoised-images", drawn)
        fail("No denoised image is drawn; draw what the denoiser predicts.")
    used = painters(submitted, "denoised-images", drawn.figures)
    found = origins(drawn, used)
    if found is None:
        _blame_size(submitted, "denoised-images", drawn)
        _unexplained(used)
    return found


def _judge_denoised_images(submitted, drawn):
    found = _denoised(submitted, drawn)
    _judge_denoised(submitted, drawn, found)
    _judge_part(submitted, drawn, found)


@pytest.mark.question("denoised-images", weight=1)
def test_denoised_images(submitted, denoised_drawing, denoised):
    """Images that the denoiser predicts from noisy images are drawn."""
    _judge_denoised(submitted, denoised_drawing, denoised)


def _judge_denoised(submitted, drawn, denoised):
    denoiser = variables_of(submitted, "fit-denoiser", "denoiser")
    if denoiser and not denoiser & denoised.painter.variables:
        if variables_of(submitted, "autoencoder", "autoencoder") & denoised.painter.variables:
            fail("The images are predicted by the autoencoder; the predictions of the denoiser are asked for.")
        _accept_another(submitted, denoised.painter, "denoiser")
    if not coincide(denoised.painter):
        # Where the noise is none, or nearly so, that was paid in question 13.
        if denoised.matches.exact.all() and not _starts_with(submitted, denoised.painter.prediction.x, "X_test_noisy"):
            fail("The denoiser predicts clean images here; noisy images are asked for.", finding="clean-input")
        partners = drawn.noisy
        if partners and not _follow(drawn, denoised, partners):
            fail(
                "The noisy images beside the denoised ones are other images: the pairs do not belong together.",
                cost=0.5,
            )


@pytest.mark.question("denoised-images", weight=1)
def test_of_the_test_set(submitted, denoised_drawing, denoised):
    """The denoised images are images of the test set."""
    _judge_part(submitted, denoised_drawing, denoised)


def _judge_part(submitted, drawn, denoised):
    known = denoised.matches.index[denoised.matches.known]
    if coincide(denoised.painter) and drawn.noisy:
        known = drawn.matches.index[drawn.noisy]
    if not len(known) and _starts_with(submitted, denoised.painter.prediction.x, "X_test_noisy"):
        return
    if len(known) and LIBRARY.in_part(known, "test").mean() >= 0.5:
        return
    own = own_images(submitted, "X_test")
    if own is not None and own.share_of("test") < 0.5 and holds_part(submitted, own, "test"):
        note("These are the images that X_test holds; which ones these are was graded in question 1.")
        return
    if own is not None and own.altered and _starts_with(submitted, denoised.painter.prediction.x, "X_test_noisy"):
        note("These are your noisy test images, whose grey tones were changed before; that was graded in question 1.")
        return
    if len(known) < 0.5 * len(denoised.matches.known):
        review("The grader could not tell which images were denoised. A person will look at them.")
    assert broken(submitted, "load-data"), "Images of the test set are asked for; these look like training images."
    review("The grader could not tell which images were denoised. A person will look at them.")


def _starts_with(submitted, position, label):
    """Tell whether a recorded array begins like one of the noisy arrays."""
    value = submitted.value("noisy-images", label)
    if position is None or value.kind != "array":
        return False
    given, known = submitted.array(position), submitted.array(value)
    rows = min(8, len(given.values), len(known.values))
    return given.shape[1:] == known.shape[1:] and np.allclose(given.values[:rows], known.values[:rows], atol=1e-5)
