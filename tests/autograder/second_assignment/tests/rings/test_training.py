"""Questions 3 (build-classifier), 4 (fit) and 5 (accuracy)."""

import keras
import numpy as np
import pytest
from statement import BATCH_SIZE, EPOCHS, LAYERS, rings, standardised

from autograder.checks import fail, note, skip
from autograder.checks.submitted import error_sentence
from autograder.models.comparison import align
from autograder.models.compilation import normalise_loss

RIGHT_SHARE, STARTS = 0.9, 3


@pytest.fixture(scope="module")
def models(submitted):
    """What build_classifier gives, by the number of neurons that it was called with."""
    values = [submitted.found("build-classifier", label, "a function named build_classifier")
              for label in ("eight", "drawn")]  # fmt: skip
    return {value.arguments[0]: submitted.model(value) for value in values}


@pytest.fixture(scope="module")
def alignments(models):
    return {neurons: align(model.description.layers, LAYERS) for neurons, model in models.items()}


@pytest.mark.question("build-classifier")
def test_input_shape(models):
    """The first layer receives the input shape (2,)."""
    for model in models.values():
        assert model.input_shape == (2,), f"Input shape (2,) expected, {model.input_shape or 'none'} found."


@pytest.mark.question("build-classifier", weight=2)
@pytest.mark.parametrize("name", [layer.name for layer in LAYERS])
def test_layer(alignments, name):
    """The hidden layer is dense with tanh, the output layer is dense with one neuron and sigmoid."""
    for alignment in alignments.values():
        match = alignment.match(name)
        assert match.right, f"{match.sentence().capitalize()}."


@pytest.mark.question("build-classifier")
def test_neurons(alignments):
    """The hidden layer has as many neurons as the function is told."""
    for neurons, alignment in alignments.items():
        found = alignment.match("hidden layer").found
        if found is None or found.kind != "Dense":
            skip("There is no hidden layer whose neurons could be counted.", because="build-classifier")
        units = found.fields["units"]
        if units != neurons:
            fail(f"build_classifier({neurons}) has {units} neurons in its hidden layer.", finding="fixed-size")


@pytest.mark.question("build-classifier")
def test_nothing_beyond(alignments):
    """There is no layer beyond these."""
    for alignment in alignments.values():
        for extra in alignment.extras:
            fail(f"{extra.sentence().capitalize()}.")


@pytest.fixture(scope="module")
def fit(submitted):
    """The longest of the calls of fit in the cell of question 4."""
    fits = submitted.fits_of("fit")
    if fits:
        return max(fits, key=lambda one: one.epochs or 1)
    if submitted.blank("fit"):
        submitted.unanswered("fit")
    error = submitted.cell_error("fit")
    if error is not None and "build_classifier" in error.message:
        skip("Your cell needs build_classifier, which is not there.", because="build-classifier")
    fail(f"Your cell stopped with {error_sentence(error)}" if error else "fit is not called in this cell.")


@pytest.mark.question("fit")
def test_loss(submitted, fit):
    """The loss is the one for two classes, the binary cross-entropy."""
    compilation = submitted.model(fit.model).snapshot.compilation
    loss = normalise_loss(compilation.loss if compilation else None)
    assert loss.name == "binary_crossentropy", f"The loss is {loss.text}; the binary cross-entropy was expected."


@pytest.mark.question("fit")
def test_data(submitted, fit, points, scaled, holds):
    """fit learns the ring of each point from its scaled coordinates."""
    value = submitted.value("scale", "X_scaled")
    if value.kind == "array" and not holds(value.array, scaled):
        own = submitted.array(value)
        same = fit.x is not None and np.array_equal(submitted.array(fit.x).values, own.values)
        assert same, "The input of fit is not your X_scaled."
        note("Your X_scaled was graded in question 1.")
    else:
        assert holds(fit.x, scaled), "The input of fit is not X_scaled."
    assert holds(fit.y, points[1]), "The target of fit is not the ring of each point."


@pytest.mark.question("fit")
def test_epochs_and_batches(fit):
    """It runs for 30 epochs, with a batch size of 16."""
    assert fit.epochs == EPOCHS, f"epochs: {EPOCHS} expected, {fit.epochs} found."
    assert fit.batch_size == BATCH_SIZE, f"batch_size: {BATCH_SIZE} expected, {fit.batch_size or 32} found."


@pytest.mark.question("accuracy")
def test_accuracy(models, alignments, points, scaled):
    """Trained by the grader, your design tells the rings of new points apart."""
    new, ring = rings(11)
    new = standardised(new, points[0])
    for seed in range(STARTS):
        fresh = models[8].fresh((2,), seed)
        fresh.compile(optimizer=keras.optimizers.Adam(0.02), loss="binary_crossentropy", jit_compile=False)
        fresh.fit(scaled, points[1], batch_size=32, epochs=40, verbose=0)
        predicted = fresh.predict(new, batch_size=600, verbose=0)[:, 0] > 0.5
        if (predicted == ring).mean() >= RIGHT_SHARE:
            return
    if not all(match.right for match in alignments[8].matches):
        skip("A layer of your design is not as stated, and it was paid there.", because="build-classifier")
    fail("Trained several times, this design did not learn to tell the rings apart.")
