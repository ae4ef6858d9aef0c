"""The two trainings: questions 9 (fit) and 14 (fit-denoiser), judged by the recorded arguments of fit."""

import re

import pytest
from consequences import broken
from fitting import (
    LABELS,
    adds_noise,
    check_batch_size,
    check_enough_images,
    check_unusual,
    latent_dimension,
    maps_images_to_images,
    mention_extras,
    training,
    variables_of,
)
from recognition import TRAINING_IMAGES, fit_data, holds_part, is_own, own_count

from autograder.checks import fail, note, review, skip


@pytest.fixture(scope="module")
def autoencoder_training(submitted):
    """The fit of the autoencoder."""
    variables = variables_of(submitted, "autoencoder", "autoencoder")
    # Of a notebook whose cells are of no question, the fits of this model are meant.
    fits = submitted.fits_of("fit") if submitted.cells_of("fit") else ()
    if not fits:
        denoising = submitted.cells_of("fit-denoiser") | submitted.cells_of("best-latent-dimension")
        fits = tuple(
            one
            for one in submitted.evidence.fits
            if one.cell not in denoising and variables & set(submitted.model(one.model).snapshot.variables)
        )
    return training(submitted, "fit", fits, variables)


@pytest.mark.question("fit", weight=1.5)
def test_training_images_as_input(submitted, autoencoder_training):
    """The autoencoder is fitted on the training images: they are the input."""
    check_unusual(autoencoder_training)
    x, fit = autoencoder_training.data.x, autoencoder_training.fit
    if maps_images_to_images(autoencoder_training.snapshot) is False and not broken(submitted, "autoencoder"):
        fail("The model that is fitted is not the autoencoder: it does not map images to images.")
    if x is None:
        _unreadable(submitted, autoencoder_training)
    if not x.clean and not x.altered:
        if x.noisy:
            fail("The input should be the clean training images here; noisy images were given.")
        if is_own(submitted, fit.x, "load-data", "X_train"):
            return
        review("The images that the autoencoder is fitted on were not recognised. A person will look at them.")
    if not holds_part(submitted, x, "train"):
        fail("The autoencoder is fitted on the test images; the training images are meant.")
    available = own_count(submitted, "X_train", TRAINING_IMAGES)
    check_enough_images(fit.sample_count, available, "training images")


@pytest.mark.question("fit", weight=1.5)
def test_the_same_images_as_target(submitted, autoencoder_training):
    """The target (the label) of each image is the image itself."""
    check_unusual(autoencoder_training)
    data, fit = autoencoder_training.data, autoencoder_training.fit
    if data.labels:
        fail(LABELS, finding="labels-as-target")
    if data.y is None:
        _no_target(submitted, autoencoder_training)
    if data.y.noisy:
        fail("The target should be the clean images; noisy images were given.", finding="noisy-target")
    if not (data.y.clean or data.y.altered) or data.x is None:
        if fit.x is not None and fit.x == fit.y:
            return
        review("The target of the fit was not recognised. A person will look at it.")
    assert data.same_images, "The target of each image should be the same image; other images were given."
    if abs(data.x.scale - data.y.scale) > 0.01 * abs(data.x.scale):
        fail("Input and target should have the same range of pixel values.")


@pytest.mark.question("fit", weight=1)
def test_batch_size(autoencoder_training):
    """The batch size is 32."""
    check_batch_size(autoencoder_training)


@pytest.mark.question("fit", weight=1)
def test_epochs(autoencoder_training):
    """The autoencoder is fitted for 20 epochs."""
    _check_initial_epoch(autoencoder_training)
    epochs, longest = autoencoder_training.epochs, autoencoder_training.fit.epochs
    assert epochs == 20 or longest == 20, f"epochs: 20 expected, {epochs} found."
    if len(autoencoder_training.fits) > 1:
        note(f"fit is called {len(autoencoder_training.fits)} times on this model; epochs add up.")
    mention_extras(autoencoder_training)


@pytest.mark.question("fit", weight=1)
def test_compiled_first(submitted, autoencoder_training):
    """The autoencoder is compiled before it is fitted."""
    _check_compiled(submitted, autoencoder_training)


@pytest.fixture(scope="module")
def denoiser_training(submitted):
    """The fit of the denoiser."""
    variables = variables_of(submitted, "fit-denoiser", "denoiser")
    fits = submitted.fits_of("fit-denoiser")
    if not fits:
        elsewhere = submitted.cells_of("fit") | submitted.cells_of("best-latent-dimension")
        fits = tuple(
            one
            for one in submitted.evidence.fits
            if one.cell not in elsewhere and variables & set(submitted.model(one.model).snapshot.variables)
        )
    return training(submitted, "fit-denoiser", fits, variables)


@pytest.mark.question("fit-denoiser", weight=1.5)
def test_noisy_images_as_input(submitted, denoiser_training):
    """The denoiser is trained on the noisy training images: they are the input."""
    if submitted.value("fit-denoiser", "denoiser").kind == "missing":
        note("There is no model named denoiser; the one that is fitted in this cell was graded in its place.")
    check_unusual(denoiser_training)
    x, fit = denoiser_training.data.x, denoiser_training.fit
    if maps_images_to_images(denoiser_training.snapshot) is False and not broken(submitted, "autoencoder"):
        fail("The model that is fitted is not a denoiser: it does not map images to images.")
    if x is None:
        _unreadable(submitted, denoiser_training)
    own = is_own(submitted, fit.x, "noisy-images", "X_train_noisy")
    if x.clean and not adds_noise(denoiser_training.snapshot) and not own:
        fail("The input of the denoiser should be the noisy images; clean images were given.", finding="clean-input")
    if own and not x.noisy:
        note("The noisy images are graded in the question before.")
        return
    if not (x.clean or x.noisy):
        review("The images that the denoiser is fitted on were not recognised. A person will look at them.")
    if not holds_part(submitted, x, "train"):
        fail("The denoiser is trained on the test images; the noisy training images are meant.")
    available = own_count(submitted, "X_train", TRAINING_IMAGES)
    check_enough_images(fit.sample_count, available, "noisy training images")


@pytest.mark.question("fit-denoiser", weight=1.5)
def test_clean_images_as_target(submitted, denoiser_training):
    """The target of each noisy image is its clean image."""
    check_unusual(denoiser_training)
    data, fit = denoiser_training.data, denoiser_training.fit
    if data.labels:
        fail(LABELS, finding="labels-as-target")
    if data.y is None:
        _no_target(submitted, denoiser_training)
    if data.y.noisy:
        fail("The target should be the clean images; noisy images were given.", finding="noisy-target")
    own = is_own(submitted, fit.y, "load-data", "X_train")
    if not (data.y.clean or data.y.altered or own) or data.x is None:
        review("The target of the denoiser was not recognised. A person will look at it.")
    given = own and is_own(submitted, fit.x, "noisy-images", "X_train_noisy")
    if given and data.y.altered:
        return  # noisy images whose grey tones were changed before may be taken for others
    if (data.x.index < 0).mean() > 0.6 or (data.y.index < 0).all():
        if given:
            return
        review("The images that the denoiser is fitted on were not recognised. A person will look at them.")
    assert data.same_images, "The target of each noisy image should be the same image without noise."


@pytest.mark.question("fit-denoiser", weight=1)
def test_fresh_weights(submitted, denoiser_training):
    """The denoiser starts from fresh weights of its own."""
    snapshot = denoiser_training.snapshot
    earlier = variables_of(submitted, "autoencoder", "autoencoder")
    for one in submitted.fits_of("fit"):
        if all(one is not own for own in denoiser_training.fits):
            earlier |= set(submitted.model(one.model).snapshot.variables)
    own = set(snapshot.variables)
    if own & earlier:
        shared = "all weights" if own <= earlier else "some weights"
        fail(
            f"The denoiser shares {shared} with the autoencoder: build a new encoder and a new decoder.",
            finding="weights-not-fresh",
        )
    _check_warm_up(submitted, denoiser_training)
    if not snapshot.trained:
        return
    first = next(n for n, one in enumerate(submitted.evidence.fits) if one is denoiser_training.fits[0])
    before = [one for one in submitted.evidence.fits[:first] if own & _variables(submitted, one)]
    if any(one.cell not in submitted.cells_of("fit-denoiser") for one in before):
        fail(
            "The denoiser was trained before, in another question: start from fresh weights.",
            finding="weights-not-fresh",
        )
    review("The denoiser's weights were trained before this fit. A person will look at it.")


def _check_warm_up(submitted, training):
    """Send a training to a person that begins on clean images and goes on with noisy ones."""
    x = training.data.x
    if x is None or not x.noisy:
        return
    for earlier in training.fits[: training.fits.index(training.fit)]:
        warm = fit_data(submitted, earlier).x
        if warm is not None and warm.clean:
            review("The denoiser is fitted on clean images first: its weights are not fresh. A person will look.")


@pytest.mark.question("fit-denoiser", weight=0.5)
def test_two_latent_dimensions(submitted, denoiser_training):
    """The latent space of the denoiser has 2 dimensions."""
    dimension = latent_dimension(denoiser_training.snapshot)
    if dimension is None:
        review("The bottleneck of the denoiser was not found. A person will look at it.")
    if dimension != 2 and broken(submitted, "build-encoder"):
        note("The latent space has another size because of build_encoder; that was graded there.")
        return
    assert dimension == 2, f"The latent space of the denoiser should have 2 dimensions; it has {dimension}."


@pytest.mark.question("fit-denoiser", weight=0.75)
def test_batch_size_of_the_denoiser(denoiser_training):
    """The batch size is 32."""
    check_batch_size(denoiser_training)


@pytest.mark.question("fit-denoiser", weight=0.75)
def test_epochs_of_the_denoiser(submitted, denoiser_training):
    """The denoiser is trained for 20 epochs; a few less are enough."""
    _check_compiled(submitted, denoiser_training)
    _check_initial_epoch(denoiser_training)
    epochs = denoiser_training.epochs
    assert epochs >= 5, f"epochs: 20 expected, {epochs} found."
    if epochs != 20:
        note(f"The denoiser is trained for {epochs} epochs instead of 20; that is accepted.")
    mention_extras(denoiser_training)


def _variables(submitted, fit):
    return set(submitted.model(fit.model).snapshot.variables)


def _check_initial_epoch(training):
    if any(one.kind == "other" and one.epochs is None for one in training.fits):
        review("The model is trained by a loop of its own instead of fit. A person will look at it.")
    if any(one.initial_epoch for one in training.fits):
        review("initial_epoch changes how long is trained. A person will look at it.")


def _check_compiled(submitted, training):
    if training.snapshot.compilation is not None or any(one.performed and not one.error for one in training.fits):
        return
    if broken(submitted, "compile"):
        skip("The model is not compiled, because of compile_autoencoder.", because="compile")
    if any(one.error for one in submitted.evidence.compilations):
        note("The compilation raised an error, which was graded with compile_autoencoder.")
        return
    error = next((one.error for one in training.fits if one.error), None)
    if error is not None and re.search(r"compile", error.message, re.IGNORECASE):
        fail("The model is fitted without having been compiled.")
    review("The grader can not tell whether the model was compiled. A person will look at it.")


def _no_target(submitted, training):
    fit = training.fit
    if fit.y is None:
        assert fit.kind != "arrays", "No target is given: fit needs the input and the target."
        review("The target of the fit could not be read. A person will look at it.")
    shape = submitted.array(fit.y).shape
    _blame_the_images(submitted, fit.y)
    fail(f"The target should be images; an array of shape {shape} was given.")


def _blame_the_images(submitted, position):
    """Skip when it is the student's own images that are no images of 28 by 28 pixels."""
    own = (("load-data", "X_train"), ("noisy-images", "X_train_noisy"))
    if broken(submitted, "load-data") and any(is_own(submitted, position, *name) for name in own):
        skip("These are the images of question 1, which are no images of 28 by 28 pixels.", because="load-data")


def _unreadable(submitted, training):
    fit = training.fit
    if fit.x is None:
        review("The images that were given to fit could not be read. A person will look at it.")
    _blame_the_images(submitted, fit.x)
    fail("The input of fit should be images of 28 by 28 pixels; something else was given.")
