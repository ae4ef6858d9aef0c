"""Question 15: the grader trains the submitted architecture itself, from noisy to clean, and measures its error."""

from pathlib import Path

import numpy as np
import pytest
from designs import built_model
from statement import DECODER, ENCODER, IMAGE

from autograder.checks import fail, note, review, show, skip
from autograder.checks.exhibits import denoising
from autograder.models.comparison import align
from autograder.models.description import ModelDescription

# What stays at the mean image ends a little above its error, which is measured on other images.
NEAR = 1.03
BUILDERS = ("build-encoder", "build-decoder")
CALIBRATION = Path(__file__).parent / "calibration.json"


@pytest.fixture(scope="module")
def architecture(submitted):
    """The layers of encoder and decoder for a latent dimension of 2, as one chain from image to image."""
    parts = [built_model(submitted, question) for question in BUILDERS]
    if None not in parts:
        return ModelDescription(IMAGE, tuple(layer for part in parts for layer in part.description.layers))
    for question, label in (("fit-denoiser", "denoiser"), ("autoencoder", "autoencoder")):
        value = submitted.value(question, label)
        if value.kind == "model":
            return submitted.model(value).description
    missing = [question for question, part in zip(BUILDERS, parts, strict=True) if part is None]
    if len(missing) == len(BUILDERS) and all(_is_unanswered(submitted, question) for question in missing):
        submitted.unanswered("denoising-error")
    # One builder that is missing was paid where it was asked for; the other one may well be right.
    skip("Without an encoder and a decoder there is nothing to train.", because=missing[0])


def _is_unanswered(submitted, builder):
    return submitted.blank(builder) and submitted.value(builder, "latent-2").kind != "error"


@pytest.fixture(scope="module")
def compilation(submitted):
    """How the student compiles: by the function, or else as the denoiser was compiled."""
    value = submitted.value("compile", "compile")
    if value.compilations:
        return value.compilations[-1]
    denoiser = submitted.value("fit-denoiser", "denoiser")
    return submitted.model(denoiser).snapshot.compilation if denoiser.kind == "model" else None


def error_of_the_mean_image(mnist):
    """Return the mean squared error of painting the same best image for every digit, which needs no learning."""
    mean = mnist["x_train"].mean(axis=0)
    return float(((mnist["x_test"] - mean) ** 2).mean() / 255**2)


class Digits:
    """Images with a channel axis, scaled to [0, 1] where they are taken: most submissions are known and take few."""

    def __init__(self, images):
        self._images = images
        self.shape = (*images.shape, 1)

    def __len__(self):
        return len(self._images)

    def __getitem__(self, rows):
        return np.divide(self._images[rows][..., np.newaxis], np.float32(255), dtype="float32")


@pytest.mark.question("denoising-error")
def test_denoising_error(architecture, compilation, mnist, store):
    """Trained by the grader on noisy digits, your design removes noise from digits that it has never seen."""
    from autograder.models.training import Protocol, measure

    images = Digits(mnist["x_train"]), Digits(mnist["x_test"])
    result = measure(architecture, compilation, Protocol.read(CALIBRATION), *images, store)
    show(lambda: denoising("denoising-error", "Denoising of digits that were never seen", result))
    if result.note:
        note(result.note)
    if result.status == "passed":
        return
    if result.needs_review:
        review(f"This design was not judged: {result.reason}. A person will look at it.")
    if result.status == "not trained":
        fail(f"This design can not be trained from image to image: {result.reason}.")
    if align(architecture.layers, (*ENCODER, *DECODER)).right:
        review("The layers are those of the statement, but training did not succeed. A person will look at it.")
    if result.error is not None and result.error <= NEAR * error_of_the_mean_image(mnist):
        review("In a short training this design came no further than the average of all digits, where right designs "
               "stay for long, too. A person will look at it.")  # fmt: skip
    fail("Trained several times, each time from a new start, this design did not learn to remove the noise.")
