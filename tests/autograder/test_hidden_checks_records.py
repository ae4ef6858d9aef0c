"""The hidden checks that rest on what a notebook loaded, fitted, predicted and drew.

Each right variant passes, each mistake fails its own check alone. The evidence is of true MNIST and real Keras models.
"""

import shutil
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import recorded_notebook as nb
from keras import Input, Sequential, layers
from matplotlib.figure import Figure
from recorded_notebook import (
    X_TEST,
    X_TEST_NOISY,
    X_TRAIN,
    X_TRAIN_NOISY,
    Y_TEST,
    Y_TRAIN,
    Rows,
    autoencoder,
    candidates,
    compare,
    denoised,
    denoiser,
    draw,
    encode,
    fit,
    fit_denoiser,
    latent_space,
    load_data,
    noisy,
    noisy_images,
    pictures,
    reconstructions,
    scatter,
)  # fmt: skip

from autograder import assignment as assignments
from autograder.checks import points, session
from autograder.report.model import Curve

FILES = (
    "conftest.py", "designs.py", "statement.py", "codes.py", "consequences.py", "fitting.py", "painting.py",
    "recognition.py", "sweep.py", "test_data.py", "test_latent_dimension.py", "test_latent_space.py", "test_plots.py",
    "test_training.py",
)  # fmt: skip
# What has to be in the notebook for a question to be judged; the rest is left blank, which saves time.
NEEDED = {
    "load-data": [],
    "plot-digits": ["load-data"],
    "fit": ["load-data", "autoencoder"],
    "reconstructions": ["load-data", "autoencoder", "fit"],
    "encode": ["load-data", "autoencoder"],
    "latent-space": ["load-data", "autoencoder", "encode"],
    "noisy-images": ["load-data"],
    "fit-denoiser": ["load-data", "autoencoder", "fit", "noisy-images"],
    "denoised-images": ["load-data", "autoencoder", "noisy-images", "fit-denoiser"],
    "best-latent-dimension": ["load-data", "autoencoder", "noisy-images"],
}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The assignment with the checks of these questions alone."""
    root = tmp_path_factory.mktemp("course")
    shutil.copytree(nb.COURSE / "source", root / "source")
    (root / "data").symlink_to(nb.COURSE / "data")
    checks = root / "tests" / "autoencoders"
    checks.mkdir(parents=True)
    for name in FILES:
        shutil.copy(nb.COURSE / "tests" / "autoencoders" / name, checks)
    return assignments.load(root, "autoencoders")


@pytest.fixture(scope="module")
def graded(course):
    """Grade a notebook with some steps replaced; returns the results by check, of one question where one is named."""

    def grade(steps, question=None, sources=None):
        if question is not None:
            kept = {question, *NEEDED[question], *steps}
            steps = {**dict.fromkeys(set(nb.STEPS) - kept), **steps}
        executed = nb.execute(steps, sources)
        results = session.run(course, executed.evidence, session.Context(executed.cells))
        return {result.id: result for result in results if question in (None, result.question)}

    return grade


def not_passed(results):
    return {name.partition("/")[2]: result.status for name, result in results.items() if result.status != "passed"}


@dataclass(frozen=True)
class Wrong:
    """One mistake in one question, and the checks that must fail because of it; statuses other than failed by name."""

    question: str
    step: Any
    fails: str | dict[str, str]
    finding: str | None = None
    kept: float = 0.0
    others: dict[str, Any] = field(default_factory=dict)
    source: str = "work()"


@dataclass(frozen=True)
class Right:
    """One right variant of one question; ``says`` is a part of the note that comes with it."""

    question: str
    step: Any
    says: str = ""
    others: dict[str, Any] = field(default_factory=dict)
    source: str = "work()"


def subset(rows, order):
    return rows.at(np.asarray(order))


SHUFFLED = np.random.Generator(np.random.PCG64(3)).permutation(60_000)
CHOSEN = np.random.Generator(np.random.PCG64(4)).choice(10_000, 3_000, replace=False)


def flat(rows):
    return rows.map(lambda x: x[..., 0])


def one_hot(rows):
    return rows.map(lambda y: np.eye(10, dtype="float32")[y])


def normalised(x):
    return x / np.maximum(np.sqrt((x**2).sum(axis=1, keepdims=True)), 1e-9)


# --- question 1 -------------------------------------------------------------------------------------------------------

TIMES_255 = X_TRAIN.map(lambda x: x * 255), X_TEST.map(lambda x: x * 255)
WRONG_DATA = {
    "unscaled": Wrong("load-data", load_data(TIMES_255[0], x_test=TIMES_255[1]), "scaling", "unscaled-data"),
    "test images unscaled": Wrong("load-data", load_data(x_test=TIMES_255[1]), "scaling", "unscaled-data", kept=0.5),
    "scaled to -1..1": Wrong("load-data", load_data(X_TRAIN.map(lambda x: 2 * x - 1), x_test=X_TEST.map(lambda x: 2 * x - 1)), "scaling"),
    "divided by 1000": Wrong("load-data", load_data(X_TRAIN.map(lambda x: x * 0.255), x_test=X_TEST.map(lambda x: x * 0.255)), "scaling"),
    "floor division": Wrong("load-data", load_data(X_TRAIN.map(np.floor), x_test=X_TEST.map(np.floor)), "scaling"),
    "normalised by columns": Wrong("load-data", load_data(X_TRAIN.map(normalised), x_test=X_TEST.map(normalised)), "scaling"),
    "no channel axis": Wrong("load-data", load_data(flat(X_TRAIN), x_test=flat(X_TEST)), "channel-axis", "missing-channel-axis"),
    "no channel axis in test": Wrong("load-data", load_data(x_test=flat(X_TEST)), "channel-axis", "missing-channel-axis", kept=0.5),
    "channels first": Wrong("load-data", load_data(X_TRAIN.map(lambda x: x.transpose(0, 3, 1, 2)), x_test=X_TEST.map(lambda x: x.transpose(0, 3, 1, 2))), "channel-axis"),
    "train and test swapped": Wrong("load-data", load_data(X_TEST, Y_TEST, X_TRAIN, Y_TRAIN), {"training-images": "failed", "test-images": "failed"}),
    "a part of the images": Wrong("load-data", load_data(X_TRAIN[:5000], Y_TRAIN[:5000]), "training-images"),
    "labels of the test set twice": Wrong("load-data", load_data(y_train=Y_TEST), "labels", kept=0.5),
    "labels out of order": Wrong("load-data", load_data(y_train=Y_TRAIN.at(SHUFFLED)), "labels", kept=0.5),
    "labels divided by 255": Wrong("load-data", load_data(y_train=Y_TRAIN.map(lambda y: y / 255)), "labels", kept=0.5),
    "no test labels": Wrong("load-data", load_data(y_test=None), "labels", kept=0.5),
    "random numbers": Wrong("load-data", load_data(nb.normal(60_000, 9).map(lambda n: np.clip(n, 0, 1))), "training-images"),
}  # fmt: skip
RIGHT_DATA = {
    "the reference": Right("load-data", load_data()),
    "divided by 256": Right("load-data", load_data(X_TRAIN.map(lambda x: x * 255 / 256), x_test=X_TEST.map(lambda x: x * 255 / 256)), "a little less than 1"),
    "one-hot labels": Right("load-data", load_data(y_train=one_hot(Y_TRAIN), y_test=one_hot(Y_TEST)), "one-hot"),
    "labels as a column": Right("load-data", load_data(y_train=Y_TRAIN.map(lambda y: y[:, None]))),
    "labels as numbers of text": Right("load-data", load_data(y_train=Y_TRAIN.map(lambda y: y.astype("float64")))),
    "shuffled together": Right("load-data", load_data(X_TRAIN.at(SHUFFLED), Y_TRAIN.at(SHUFFLED))),
    "half precision": Right("load-data", load_data(X_TRAIN.map(lambda x: x.astype("float16").astype("float32")))),
}  # fmt: skip


# --- question 2 -------------------------------------------------------------------------------------------------------


def montage(images, columns, gap=0):
    rows = [np.hstack([np.pad(one[..., 0], ((0, gap), (0, gap))) for one in images[start : start + columns]])
            for start in range(0, len(images), columns)]  # fmt: skip
    return np.vstack(rows)


def one_picture(values):
    return nb.figure_of(lambda axes: axes.imshow(values))


def single_figures(images):
    return [pictures([image]) for image in images]


TRAIN_12 = X_TRAIN[:12].values
WRONG_DIGITS = {
    "one image only": Wrong("plot-digits", draw(pictures(TRAIN_12[:1])), "several-images"),
    "the same image twice": Wrong("plot-digits", draw(pictures(TRAIN_12[[0, 0]])), "several-images"),
    "nothing drawn": Wrong("plot-digits", lambda notebook: None, {"images-of-the-data": "failed", "several-images": "skipped"}),
    "own error": Wrong("plot-digits", lambda notebook: notebook.stop(TypeError("imshow() missing 1 required argument")), {"images-of-the-data": "failed", "several-images": "skipped"}),
    "random pictures": Wrong("plot-digits", draw(pictures(nb.normal(4, 8).values)), {"images-of-the-data": "needs_review", "several-images": "skipped"}),
    "all in one place": Wrong("plot-digits", draw(pictures(TRAIN_12[:4], one_axes=True)), {"several-images": "needs_review"}),
}  # fmt: skip
RIGHT_DIGITS = {
    "a montage": Right("plot-digits", draw(one_picture(montage(TRAIN_12, 4)))),
    "a montage with gaps": Right("plot-digits", draw(one_picture(montage(TRAIN_12, 4, gap=2)[:-2, :-2]))),
    "a figure for each": Right("plot-digits", draw(*single_figures(TRAIN_12[:3]))),
    "inverted": Right("plot-digits", draw(pictures(1 - TRAIN_12[:4]))),
    "of the test set, as integers": Right("plot-digits", draw(pictures((X_TEST[:4].values * 255).astype("uint8")))),
    "in colour": Right("plot-digits", draw(pictures(np.repeat(TRAIN_12[:4], 3, axis=3)))),
    "unscaled data": Right("plot-digits", draw(pictures(TRAIN_12[:4] * 255)), others={"load-data": load_data(*TIMES_255[:1])}),
}  # fmt: skip


# --- question 9 -------------------------------------------------------------------------------------------------------


def several(*steps):
    def step(notebook):
        for one in steps:
            one(notebook)

    return step


UNCOMPILED = {"type": "ValueError", "message": "You must call `compile()` before calling `fit()`."}
WRONG_FIT = {
    "labels as target": Wrong("fit", fit(y=Y_TRAIN), "the-same-images-as-target", "labels-as-target"),
    "one-hot labels as target": Wrong("fit", fit(y=one_hot(Y_TRAIN)), "the-same-images-as-target", "labels-as-target"),
    "noisy target": Wrong("fit", fit(y=X_TRAIN_NOISY), "the-same-images-as-target", "noisy-target"),
    "shuffled target": Wrong("fit", fit(y=X_TRAIN.at(SHUFFLED)), "the-same-images-as-target"),
    "no target": Wrong("fit", fit(y=None), "the-same-images-as-target"),
    "noisy input": Wrong("fit", fit(X_TRAIN_NOISY), "training-images-as-input"),
    "test images": Wrong("fit", fit(X_TEST, X_TEST), "training-images-as-input"),
    "ten images": Wrong("fit", fit(X_TRAIN[:10], X_TRAIN[:10]), "training-images-as-input"),
    "a sixth of the images": Wrong("fit", fit(X_TRAIN[:10_000], X_TRAIN[:10_000]), "training-images-as-input", kept=0.5),
    "another batch size": Wrong("fit", fit(batch_size=128), "batch-size"),
    "too few epochs": Wrong("fit", fit(epochs=10), "epochs"),
    "epochs left out": Wrong("fit", fit(epochs=None), "epochs"),
    "not compiled": Wrong("fit", fit(model=nb.assemble(5).whole, compiled=False, error=UNCOMPILED), "compiled-first"),
    "sample weights": Wrong("fit", fit(weighted=True), {"training-images-as-input": "needs_review", "the-same-images-as-target": "needs_review"}),
    "never fitted": Wrong("fit", lambda notebook: None, dict.fromkeys(("training-images-as-input", "the-same-images-as-target", "batch-size", "epochs", "compiled-first"), "failed")),
    "a loop of its own": Wrong("fit", lambda notebook: None, dict.fromkeys(("training-images-as-input", "the-same-images-as-target", "batch-size", "epochs", "compiled-first"), "needs_review"), source="with tf.GradientTape() as tape: pass"),
}  # fmt: skip
MISMATCH = {"type": "ValueError", "message": "Dimensions must be equal, but are 28 and 24"}
RIGHT_FIT = {
    "batch size left out": Right("fit", fit(batch_size=None), "32 is what Keras takes"),
    "twenty calls of one epoch": Right("fit", several(*[fit(epochs=1)] * 20), "epochs add up"),
    "a trial before": Right("fit", several(fit(X_TRAIN[:100], X_TRAIN[:100], epochs=1), fit())),
    "a trial, then a model built anew": Right("fit", several(fit(X_TRAIN[:1000], X_TRAIN[:1000], epochs=1), fit(model=nb.assemble(6).whole))),
    "early stopping and validation": Right("fit", fit(callbacks=["EarlyStopping"], validation_split=0.2), "EarlyStopping"),
    "most of the images": Right("fit", fit(X_TRAIN.at(SHUFFLED[:48_000]), X_TRAIN.at(SHUFFLED[:48_000])), "48000 of the 60000"),
    "a data set": Right("fit", fit(X_TRAIN[:32], X_TRAIN[:32], kind="dataset", sample_count=60_000)),
    "raised because the model is wrong": Right("fit", fit(error=MISMATCH)),
    "unscaled": Right("fit", fit(TIMES_255[0], TIMES_255[0]), others={"load-data": load_data(*TIMES_255[:1])}),
    "swapped data": Right("fit", fit(X_TEST, X_TEST), others={"load-data": load_data(X_TEST, Y_TEST, X_TRAIN, Y_TRAIN)}),
}  # fmt: skip


# --- question 10 ------------------------------------------------------------------------------------------------------

SIX = X_TEST[:6]


def constant(parts):
    """An autoencoder whose codes saturate: it paints the same picture of everything."""
    kernel, bias = parts.encoder.layers[-1].get_weights()
    parts.encoder.layers[-1].set_weights([np.zeros_like(kernel), np.full_like(bias, 9)])
    return parts.whole


@cache
def saturated():
    return constant(nb.assemble(13))


@cache
def faint():
    """An autoencoder whose pictures are nearly black, as they are after little training."""
    parts = nb.assemble(14)
    kernel, bias = parts.decoder.layers[-1].get_weights()
    parts.decoder.layers[-1].set_weights([kernel * 0.02 / nb.outputs(parts.whole, SIX).max(), bias])
    return parts.whole


def decoded_codes(notebook):
    parts = autoencoder()
    codes = notebook.predict(parts.encoder, SIX)
    notebook.show(pictures(SIX.values, notebook.predict(parts.decoder, codes)))


@cache
def fresh():
    parts = nb.assemble(18)
    return nb.build_autoencoder(parts.encoder, parts.decoder)


WRONG_RECONSTRUCTIONS = {
    "originals alone": Wrong("reconstructions", reconstructions(figure=lambda x, out: pictures(x.values[:6])), "reconstructions"),
    "noisy images": Wrong("reconstructions", reconstructions(figure=lambda x, out: pictures(X_TEST_NOISY[:6].values)), "reconstructions"),
    "nothing": Wrong("reconstructions", lambda notebook: None, "reconstructions"),
    "by a fresh model": Wrong("reconstructions", reconstructions(model=fresh(), compiled=False), {"reconstructions": "needs_review"}),
    "something else": Wrong("reconstructions", reconstructions(figure=lambda x, out: pictures(np.cumsum(out[:6], axis=1))), {"reconstructions": "needs_review"}),
}  # fmt: skip
RIGHT_RECONSTRUCTIONS = {
    "predictions alone": Right("reconstructions", reconstructions(figure=lambda x, out: pictures(out[:6]))),
    "of thousands, some of which are drawn": Right("reconstructions", reconstructions(X_TEST[:3000], figure=lambda x, out: pictures(X_TEST[700:705].values, out[700:705]))),
    "of thousands, without originals": Right("reconstructions", reconstructions(X_TEST[:3000], figure=lambda x, out: pictures(out[700:705]))),
    "of the training set": Right("reconstructions", reconstructions(X_TRAIN[:6])),
    "by the two halves": Right("reconstructions", decoded_codes),
    "by calling the model": Right("reconstructions", lambda notebook: notebook.show(pictures(notebook.predict(autoencoder().whole, SIX, "call")))),
    "saturated": Right("reconstructions", reconstructions(model=saturated())),
    "other originals": Right("reconstructions", reconstructions(figure=lambda x, out: pictures(X_TEST[20:26].values, out)), "do not belong together"),
    "times 255": Right("reconstructions", reconstructions(figure=lambda x, out: pictures(out * 255))),
    "by a model that was saved and loaded": Right("reconstructions", reconstructions(model=fresh(), compiled=False), "another model", source="loaded = keras.models.load_model('a.keras')"),
    "faint, as integers": Right("reconstructions", reconstructions(model=faint(), figure=lambda x, out: pictures(x.values, (out * 255).astype("uint8")))),
    "as integers": Right("reconstructions", reconstructions(figure=lambda x, out: pictures(x.values, (out / out.max() * 255).astype("uint8")))),
}  # fmt: skip


# --- questions 11 and 12 ----------------------------------------------------------------------------------------------

WRONG_CODES = {
    "whole autoencoder": Wrong("encode", encode(SIX, codes=lambda codes: nb.outputs(autoencoder().whole, SIX)), {"two-values-for-each-image": "failed", "codes-of-the-images": "skipped"}),
    "labels": Wrong("encode", encode(codes=lambda codes: np.stack([Y_TEST[:5000].values] * 2, axis=1)), "codes-of-the-images"),
    "three values": Wrong("encode", encode(codes=lambda codes: np.hstack([codes, codes[:, :1]])), {"two-values-for-each-image": "failed", "codes-of-the-images": "skipped"}),
    "other numbers": Wrong("encode", encode(codes=lambda codes: np.random.default_rng(1).normal(size=(5000, 2)).astype("float32")), "codes-of-the-images"),
}  # fmt: skip


@cache
def ones_encoder():
    """An encoder whose codes are all exactly (1, 1)."""
    encoder = nb.assemble(17).encoder
    kernel, bias = encoder.layers[-1].get_weights()
    encoder.layers[-1].set_weights([kernel, bias + 100])
    return encoder


def fresh_encoder():
    return nb.assemble(31).encoder


RIGHT_CODES = {
    "of the whole test set": Right("encode", encode(X_TEST)),
    "of some training images": Right("encode", encode(X_TRAIN[1000:1500])),
    "of chosen images": Right("encode", encode(X_TEST.at(CHOSEN))),
    "a part of the codes": Right("encode", encode(codes=lambda codes: codes[:300])),
    "codes without a recorded prediction": Right("encode", encode(predicted=False)),
    "saturated at one": Right("encode", encode(X_TEST[:500], model=ones_encoder())),
    "of images that lost their grey tones in 1": Right("encode", encode(X_TEST[:500].map(np.floor)), others={"load-data": load_data(X_TRAIN.map(np.floor), x_test=X_TEST.map(np.floor))}),
    "a few images": Right("encode", encode(X_TEST[:20]), "20 images only"),
    "chosen afterwards": Right("encode", encode(codes=lambda codes: codes[CHOSEN[CHOSEN < 5000][:400]])),
    "never fitted": Right("encode", encode(X_TEST[:500], model=fresh_encoder()), "not a part of your autoencoder"),
}  # fmt: skip

LABELS = Y_TEST[:5000].values


def by_digit(codes, labels=LABELS, swap=False):
    figure = Figure()
    axes = figure.subplots()
    for digit in range(10):
        chosen = codes[labels == digit]
        axes.scatter(*(chosen.T[::-1] if swap else chosen.T), label=str(digit), s=3)
    axes.legend()
    return figure


def by_plot(codes):
    figure = Figure()
    axes = figure.subplots()
    for digit in range(10):
        axes.plot(*codes[digit == LABELS].T, ".")
    return figure


def image_map(codes):
    return pictures(X_TEST[:4].values)


TWO_WRONG = {"points-are-the-encoded-images": "failed", "colours-follow-the-digits": "failed"}
WRONG_MAP = {
    "one colour": Wrong("latent-space", latent_space(scatter), "colours-follow-the-digits"),
    "colours of other images": Wrong("latent-space", latent_space(lambda codes: scatter(codes, c=Y_TRAIN[:5000].values)), "colours-follow-the-digits"),
    "two digits of one colour": Wrong("latent-space", latent_space(lambda codes: scatter(codes, c=np.minimum(LABELS, 8), cmap="tab10")), "colours-follow-the-digits", kept=0.5),
    "coloured by the code": Wrong("latent-space", latent_space(lambda codes: scatter(codes, c=codes[:, 0])), "colours-follow-the-digits"),
    "nothing drawn": Wrong("latent-space", lambda notebook: None, TWO_WRONG),
    "images": Wrong("latent-space", latent_space(image_map), TWO_WRONG),
    "other points": Wrong("latent-space", latent_space(lambda codes: scatter(codes[:, ::-1] ** 2 + 1, c=LABELS)), {"points-are-the-encoded-images": "needs_review", "colours-follow-the-digits": "needs_review"}),
}  # fmt: skip
SWAPPED_LABELS = Y_TEST.map(lambda y: (y + 3) % 10)
WRONG_LABELS = Y_TEST.at(np.roll(np.arange(10_000), 1))
RIGHT_MAP = {
    "a scatter for each digit": Right("latent-space", latent_space(by_digit)),
    "plot with dots": Right("latent-space", latent_space(by_plot)),
    "the first 300": Right("latent-space", latent_space(lambda codes: scatter(codes[:300], c=LABELS[:300], cmap="jet"))),
    "axes exchanged": Right("latent-space", latent_space(lambda codes: by_digit(codes, swap=True))),
    "some points, by digit": Right("latent-space", latent_space(lambda codes: by_digit(codes[:900], LABELS[:900]))),
    "with transparency": Right("latent-space", latent_space(lambda codes: scatter(codes, c=LABELS, alpha=0.3))),
    "labels that were wrong": Right("latent-space", latent_space(lambda codes: scatter(codes, c=WRONG_LABELS.values[:5000], cmap="tab10")), "graded in question 1", others={"load-data": load_data(y_test=WRONG_LABELS)}),
    "drawn in the cell before": Right("latent-space", None, "in another cell", others={"encode": several(encode(), latent_space())}),
}  # fmt: skip


# --- question 13 ------------------------------------------------------------------------------------------------------


def changed_noise(change):
    return noisy(X_TRAIN, 1, change), noisy(X_TEST, 2, change)


def alternating(left, right):
    return pictures([image for pair in zip(left, right, strict=True) for image in pair])


PLUS = changed_noise(lambda x, n: x + 0.5 + n)
WRONG_NOISE = {
    "plus for times": Wrong("noisy-images", noisy_images(*PLUS), "noise", "plus-for-times"),
    "plus for times, clipped": Wrong("noisy-images", noisy_images(*changed_noise(lambda x, n: np.clip(x + 0.5 + n, 0, 1))), "noise", "plus-for-times"),
    "too little noise": Wrong("noisy-images", noisy_images(*changed_noise(lambda x, n: x + 0.2 * n)), "noise"),
    "no factor": Wrong("noisy-images", noisy_images(*changed_noise(lambda x, n: x + n)), "noise"),
    "other images": Wrong("noisy-images", noisy_images(figure=pictures(X_TEST[:6].values, X_TRAIN_NOISY[:6].values)), "pairs-of-original-and-noisy"),
    "shifted by one": Wrong("noisy-images", noisy_images(figure=pictures(X_TRAIN[:6].values, X_TRAIN_NOISY[1:7].values)), "pairs-of-original-and-noisy"),
    "noisy images alone": Wrong("noisy-images", noisy_images(figure=pictures(X_TRAIN_NOISY[:6].values)), "pairs-of-original-and-noisy"),
    "originals alone": Wrong("noisy-images", noisy_images(figure=pictures(X_TRAIN[:6].values)), "pairs-of-original-and-noisy"),
}  # fmt: skip
CLIPPED = changed_noise(lambda x, n: np.clip(x + 0.5 * n, 0, 1))
RIGHT_NOISE = {
    "clipped": Right("noisy-images", noisy_images(*CLIPPED)),
    "left and right": Right("noisy-images", noisy_images(figure=alternating(X_TRAIN[:4].values, X_TRAIN_NOISY[:4].values))),
    "of the test set": Right("noisy-images", noisy_images(figure=pictures(X_TEST_NOISY[:5].values, X_TEST[:5].values))),
    "one picture of each pair": Right("noisy-images", noisy_images(figure=pictures([np.hstack([a, b]) for a, b in zip(X_TEST[:5].values, X_TEST_NOISY[:5].values, strict=True)]))),
    "one pair": Right("noisy-images", noisy_images(figure=pictures(X_TRAIN[:1].values, X_TRAIN_NOISY[:1].values)), "Only one pair"),
    "own noise": Right("noisy-images", noisy_images(*(noisy(rows, 77) for rows in (X_TRAIN, X_TEST)))),
    "unscaled images": Right("noisy-images", noisy_images(*(noisy(rows, 7) for rows in TIMES_255), figure=pictures(TIMES_255[0][:4].values, noisy(TIMES_255[0], 7)[:4].values)), others={"load-data": load_data(TIMES_255[0], x_test=TIMES_255[1])}),
}  # fmt: skip


# --- question 14 ------------------------------------------------------------------------------------------------------


def shared_weights():
    """A new Model around the encoder and the decoder that are trained already."""
    whole = nb.build_autoencoder(autoencoder().encoder, autoencoder().decoder)
    whole.compile(optimizer="adam", loss="mse")
    return whole


def with_noise_layer():
    parts = nb.assemble(14)
    whole = Sequential([Input((28, 28, 1)), layers.GaussianNoise(0.5), parts.encoder, parts.decoder])
    whole.compile(optimizer="adam", loss="mse")
    return whole


WRONG_DENOISER = {
    "clean input": Wrong("fit-denoiser", fit_denoiser(X_TRAIN), "noisy-images-as-input", "clean-input"),
    "noisy target": Wrong("fit-denoiser", fit_denoiser(y=X_TRAIN_NOISY), "clean-images-as-target", "noisy-target"),
    "labels as target": Wrong("fit-denoiser", fit_denoiser(y=Y_TRAIN), "clean-images-as-target", "labels-as-target"),
    "another image as target": Wrong("fit-denoiser", fit_denoiser(y=X_TRAIN.at(SHUFFLED)), "clean-images-as-target"),
    "test images": Wrong("fit-denoiser", fit_denoiser(X_TEST_NOISY, X_TEST), "noisy-images-as-input"),
    "the same model": Wrong("fit-denoiser", fit_denoiser(model=autoencoder().whole), "fresh-weights", "weights-not-fresh"),
    "a new model around old weights": Wrong("fit-denoiser", fit_denoiser(model=shared_weights()), "fresh-weights", "weights-not-fresh"),
    "warmed up on clean images": Wrong("fit-denoiser", several(fit_denoiser(X_TRAIN), fit_denoiser()), {"fresh-weights": "needs_review"}),
    "eight dimensions": Wrong("fit-denoiser", fit_denoiser(model=nb.assemble(15, 8).whole), "two-latent-dimensions"),
    "another batch size": Wrong("fit-denoiser", fit_denoiser(batch_size=64), "batch-size-of-the-denoiser"),
    "two epochs": Wrong("fit-denoiser", fit_denoiser(epochs=2), "epochs-of-the-denoiser"),
    "a hundred images": Wrong("fit-denoiser", fit_denoiser(X_TRAIN_NOISY[:100], X_TRAIN[:100]), "noisy-images-as-input"),
}  # fmt: skip
RIGHT_DENOISER = {
    "five epochs": Right("fit-denoiser", fit_denoiser(epochs=5, callbacks=["EarlyStopping"], validation_split=0.1), "5 epochs instead of 20"),
    "clipped noise": Right("fit-denoiser", fit_denoiser(CLIPPED[0]), others={"noisy-images": noisy_images(*CLIPPED)}),
    "wrong noise, paid before": Right("fit-denoiser", fit_denoiser(PLUS[0]), others={"noisy-images": noisy_images(*PLUS)}),
    "noise of its own, shuffled": Right("fit-denoiser", fit_denoiser(noisy(X_TRAIN, 6).at(SHUFFLED[:50_000]), X_TRAIN.at(SHUFFLED[:50_000])), "50000 of the 60000"),
    "a layer that adds the noise": Right("fit-denoiser", fit_denoiser(X_TRAIN, model=with_noise_layer())),
}  # fmt: skip


# --- question 16 ------------------------------------------------------------------------------------------------------

TRAIN_SIX, NOISY_SIX = X_TRAIN_NOISY[:6], X_TEST_NOISY[:6]
BOTH_DENOISED = {"denoised-images": "failed", "of-the-test-set": "failed"}
WRONG_DENOISED = {
    "by a fresh model": Wrong("denoised-images", denoised(model=fresh(), compiled=False), {"denoised-images": "needs_review"}),
    "training images": Wrong("denoised-images", denoised(TRAIN_SIX), "of-the-test-set"),
    "clean images": Wrong("denoised-images", denoised(X_TEST[:6]), "denoised-images", "clean-input"),
    "by the autoencoder": Wrong("denoised-images", denoised(model=autoencoder().whole), "denoised-images"),
    "other partners": Wrong("denoised-images", denoised(figure=lambda x, out: pictures(X_TEST_NOISY[6:12].values, out)), "denoised-images", kept=0.5),
    "noisy images alone": Wrong("denoised-images", denoised(figure=lambda x, out: pictures(x.values)), BOTH_DENOISED),
}  # fmt: skip
RIGHT_DENOISED = {
    "denoised alone": Right("denoised-images", denoised(figure=lambda x, out: pictures(out))),
    "with the originals": Right("denoised-images", denoised(figure=lambda x, out: pictures(x.values, out, X_TEST[:6].values))),
    "some of thousands": Right("denoised-images", denoised(X_TEST_NOISY[:2000], figure=lambda x, out: pictures(X_TEST_NOISY[400:404].values, out[400:404]))),
    "saturated": Right("denoised-images", denoised(model=saturated())),
    "clipped noise": Right("denoised-images", denoised(CLIPPED[1][:6]), others={"noisy-images": noisy_images(*CLIPPED)}),
}  # fmt: skip


# --- question 17 ------------------------------------------------------------------------------------------------------

WHOLES = {d: parts.whole for d, parts in candidates().items()}
ONE = WHOLES[4]


def measured_first(notebook):
    for d, model in WHOLES.items():
        notebook.compiled(model)
        notebook.evaluate(model, X_TEST_NOISY, X_TEST, nb.ERRORS[d])
        notebook.fit(model, X_TRAIN_NOISY, X_TRAIN)
    notebook.plain("best-latent-dimension", "errors", nb.ERRORS)
    notebook.plain("best-latent-dimension", "best", 32)


WRONG_SWEEP = {
    "measured before the training": Wrong("best-latent-dimension", measured_first, "measured-on-noisy-test-images", "measured-before-training"),
    "three dimensions": Wrong("best-latent-dimension", compare(models={d: WHOLES[d] for d in (2, 8, 32)}), "at-least-four-dimensions"),
    "all narrow": Wrong("best-latent-dimension", compare(models={2: WHOLES[2], 4: WHOLES[4], 8: WHOLES[8], 12: nb.assemble(9, 12).whole}, best=12, errors={2: 0.6, 4: 0.5, 8: 0.4, 12: 0.3}), "one-of-16-or-more"),
    "one model measured": Wrong("best-latent-dimension", compare(measured=lambda model: ONE), "a-fresh-model-for-each", "one-model-evaluated"),
    "one model fitted": Wrong("best-latent-dimension", compare(models=dict.fromkeys(WHOLES, ONE)), "a-fresh-model-for-each", "weights-not-fresh"),
    "clean input": Wrong("best-latent-dimension", compare(x=X_TRAIN), "trained-from-noisy-to-clean", "clean-input"),
    "noisy target": Wrong("best-latent-dimension", compare(y=X_TRAIN_NOISY), "trained-from-noisy-to-clean", "noisy-target"),
    "labels as target": Wrong("best-latent-dimension", compare(y=Y_TRAIN), "trained-from-noisy-to-clean", "labels-as-target"),
    "measured on clean images": Wrong("best-latent-dimension", compare(test_x=X_TEST), "measured-on-noisy-test-images", "clean-input"),
    "measured on training images": Wrong("best-latent-dimension", compare(test_x=X_TRAIN_NOISY, test_y=X_TRAIN), "measured-on-noisy-test-images"),
    "measured against noisy images": Wrong("best-latent-dimension", compare(test_y=X_TEST_NOISY), "measured-on-noisy-test-images", "noisy-target"),
    "a narrow best": Wrong("best-latent-dimension", compare(best=4), "best-latent-dimension"),
    "a best that was not compared": Wrong("best-latent-dimension", compare(best=64), "best-latent-dimension"),
    "the error as the best": Wrong("best-latent-dimension", compare(best=0.02), "best-latent-dimension"),
    "a middling best": Wrong("best-latent-dimension", compare(best=8), {"best-latent-dimension": "needs_review"}),
}  # fmt: skip


def with_history(notebook):
    for model in WHOLES.values():
        notebook.compiled(model)
        notebook.fit(
            model, X_TRAIN_NOISY, X_TRAIN,
            validation_x=notebook.position(X_TEST_NOISY), validation_y=notebook.position(X_TEST),
        )  # fmt: skip
    notebook.plain("best-latent-dimension", "errors", nb.ERRORS)
    notebook.plain("best-latent-dimension", "best", 16)


def with_predictions(notebook):
    for model in WHOLES.values():
        notebook.compiled(model)
        notebook.fit(model, X_TRAIN_NOISY, X_TRAIN)
        notebook.predict(model, X_TEST_NOISY[:500])
    notebook.plain("best-latent-dimension", "errors", nb.ERRORS)
    notebook.plain("best-latent-dimension", "best", 32)


def denoiser_for_two(notebook):
    """Compare with the denoiser of question 14, which is trained already."""
    for d, model in {**WHOLES, 2: denoiser().whole}.items():
        if d != 2:
            notebook.compiled(model)
            notebook.fit(model, X_TRAIN_NOISY, X_TRAIN)
        notebook.evaluate(model, X_TEST_NOISY, X_TEST, nb.ERRORS[d])
    notebook.plain("best-latent-dimension", "errors", nb.ERRORS)
    notebook.plain("best-latent-dimension", "best", 32)


@cache
def fixed():
    return {d: nb.assemble(40 + d).whole for d in (2, 4, 8, 16)}


def hard_coded(notebook):
    nb.architecture(notebook)
    for label in ("drawn-1", "drawn-2"):
        notebook.model("build-encoder", label, nb._built_encoder(2), arguments=[9], name="build_encoder")
        notebook.model("build-decoder", label, nb._built_decoder(2), arguments=[9], name="build_decoder")


RIGHT_SWEEP = {
    "errors with a metric": Right("best-latent-dimension", compare(errors={d: [e, e] for d, e in nb.ERRORS.items()})),
    "errors as texts": Right("best-latent-dimension", compare(errors={str(d): f"{e:.4f}" for d, e in nb.ERRORS.items()}, best="32")),
    "sixteen is enough": Right("best-latent-dimension", compare(best=16)),
    "a narrow minimum of her own": Right("best-latent-dimension", compare(errors={**nb.ERRORS, 4: 0.001}, best=4)),
    "errors from the validation": Right("best-latent-dimension", with_history, "validation of fit"),
    "errors from predictions": Right("best-latent-dimension", with_predictions),
    "the denoiser stands for two": Right("best-latent-dimension", denoiser_for_two, others={"fit-denoiser": fit_denoiser()}),
    "a builder with a fixed dimension": Right("best-latent-dimension", compare(models=fixed(), best=16), "because of the builders", others={"autoencoder": hard_coded}),
    "both measured": Right("best-latent-dimension", several(compare(), lambda notebook: notebook.evaluate(ONE, X_TRAIN_NOISY, X_TRAIN, 0.7))),
}  # fmt: skip

WRONG = {
    f"{mistake.question}: {name}": mistake
    for table in (
        WRONG_DATA, WRONG_DIGITS, WRONG_FIT, WRONG_RECONSTRUCTIONS, WRONG_CODES, WRONG_MAP, WRONG_NOISE,
        WRONG_DENOISER, WRONG_DENOISED, WRONG_SWEEP,
    )
    for name, mistake in table.items()
}  # fmt: skip
RIGHT = {
    f"{variant.question}: {name}": variant
    for table in (
        RIGHT_DATA, RIGHT_DIGITS, RIGHT_FIT, RIGHT_RECONSTRUCTIONS, RIGHT_CODES, RIGHT_MAP, RIGHT_NOISE,
        RIGHT_DENOISER, RIGHT_DENOISED, RIGHT_SWEEP,
    )
    for name, variant in table.items()
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_fails_its_own_check_alone(graded, name):
    mistake = WRONG[name]
    steps = {**mistake.others, mistake.question: mistake.step}
    results = graded(steps, mistake.question, {mistake.question: mistake.source})
    expected = {mistake.fails: "failed"} if isinstance(mistake.fails, str) else mistake.fails
    messages = {result.id: result.message for result in results.values()}
    assert not_passed(results) == expected, messages
    if isinstance(mistake.fails, str):
        failed = results[f"{mistake.question}/{mistake.fails}"]
        assert failed.finding == mistake.finding
        assert failed.kept == mistake.kept
        assert failed.message


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_variant_passes(graded, name):
    variant = RIGHT[name]
    steps = {**variant.others, variant.question: variant.step}
    results = graded(steps, variant.question, {variant.question: variant.source})
    assert results
    assert not_passed(results) == {}, {result.id: result.message for result in results.values()}
    assert variant.says in " ".join(result.message for result in results.values())


def test_the_whole_reference_passes_without_a_word(graded):
    results = graded({})
    assert not_passed(results) == {}
    assert {result.message for result in results.values()} == {""}


def test_a_blank_notebook_is_not_answered_everywhere(graded):
    results = graded(dict.fromkeys(nb.STEPS))
    assert all(result.unanswered and result.message == "Not answered." for result in results.values())


def test_unscaled_data_cost_the_scaling_alone_in_the_whole_notebook(graded):
    train, test = TIMES_255
    train_noisy, test_noisy = noisy(train, 1), noisy(test, 2)
    results = graded({
        "load-data": load_data(train, x_test=test),
        "plot-digits": draw(pictures(train[:4].values)),
        "fit": fit(train, train),
        "reconstructions": reconstructions(test[:6]),
        "encode": encode(test[:300]),
        "latent-space": latent_space(lambda codes: scatter(nb.outputs(autoencoder().encoder, test[:300]), c=LABELS[:300], cmap="tab10")),
        "noisy-images": noisy_images(train_noisy, test_noisy, pictures(train[:4].values, train_noisy[:4].values)),
        "fit-denoiser": fit_denoiser(train_noisy, train),
        "denoised-images": denoised(test_noisy[:6]),
        "best-latent-dimension": compare(train_noisy, train, test_noisy, test),
    })  # fmt: skip
    assert not_passed(results) == {"scaling": "failed"}, {r.id: r.message for r in results.values()}


def test_missing_data_are_paid_once(graded):
    """Where X_train was never made, later cells raise NameError: their points wait."""

    def stopped(notebook):
        notebook.stop(NameError("name 'X_train' is not defined"))

    later = ("plot-digits", "fit", "fit-denoiser")
    step = load_data(x_train=None)
    results = graded(
        {**dict.fromkeys(nb.STEPS), "load-data": step, "autoencoder": nb.architecture} | dict.fromkeys(later, stopped)
    )
    for result in results.values():
        if result.question in later:
            assert result.status == "skipped"
            assert result.awaits


def test_a_sweep_that_a_fixed_builder_stops_is_not_paid_again(graded):
    def stopped(notebook):
        notebook.stop(ValueError("Input 0 of layer dense is incompatible with the layer"))

    results = graded({"autoencoder": hard_coded, "best-latent-dimension": stopped}, "best-latent-dimension")
    assert {(result.status, result.because) for result in results.values()} == {("skipped", "build-encoder")}


@pytest.mark.parametrize(
    ("question", "module", "source", "name"),
    [
        ("latent-space", "plotly", "import plotly.express as px\npx.scatter(*X_encoded.T)", "px"),
        ("fit", "tqdm", "from tqdm.keras import TqdmCallback\nautoencoder.fit(callbacks=[TqdmCallback()])", "TqdmCallback"),
        ("plot-digits", "cv2", "%time\n!ls\nimport os, cv2\ncv2.imshow('a', X_train[0])", "cv2"),
    ],
)  # fmt: skip
def test_a_cell_that_needs_a_package_that_is_not_installed_here_is_reviewed(graded, question, module, source, name):
    def stopped(notebook):
        notebook.leave_out(module)
        notebook.stop(NameError(f"name '{name}' is not defined"))

    results = graded({question: stopped}, question, {question: source})
    assert "needs_review" in {result.status for result in results.values()} <= {"needs_review", "skipped"}
    assert any(module in result.message for result in results.values())
    mistaken = graded({question: stopped}, question, {question: "import numpy\n" + name})
    assert "failed" in {result.status for result in mistaken.values()}


def test_a_cell_that_uses_what_a_later_cell_defines_is_reviewed(graded):
    def stopped(notebook):
        notebook.stop(NameError("name 'train' is not defined"))

    later = {"fit": "train(autoencoder)", "reconstructions": "def train(model):\n    model.fit(X_train, X_train)"}
    results = graded({"fit": stopped, "reconstructions": nb.STEPS["reconstructions"]}, "fit", later)
    assert {result.status for result in results.values()} == {"needs_review"}
    results = graded({"fit": stopped}, "fit", {"fit": "train(autoencoder)"})
    assert {result.status for result in results.values()} == {"failed"}


def test_the_errors_by_dimension_are_shown_where_models_were_trained_and_nowhere_else(course):
    executed = nb.execute({})
    for performed, titles in ((False, []), (True, ["Denoising error by latent dimension"])):
        fits = [one.model_copy(update={"performed": performed}) for one in executed.evidence.fits]
        evidence = executed.evidence.model_copy(update={"fits": fits})
        results = session.run(course, evidence, session.Context(executed.cells))
        curves = points.exhibits(results, Curve)
        assert [curve.title for curve in curves] == titles
    assert dict(curves[0].points) == {float(dimension): error for dimension, error in nb.ERRORS.items()}


def test_a_notebook_made_anew_whose_cells_are_of_no_question_loses_nothing(course):
    executed = nb.execute({})
    cells = tuple(replace(cell, question=None, kind="other", exports=()) for cell in executed.cells)
    results = {result.id: result for result in session.run(course, executed.evidence, session.Context(cells))}
    assert "failed" not in not_passed(results).values(), {r.id: r.message for r in results.values()}
    assert {r.status for r in results.values() if r.question in ("fit", "fit-denoiser", "best-latent-dimension")} == {
        "passed"
    }


def test_figures_that_stand_in_other_cells_are_found_one_by_one(graded):
    """Of two drawings in cells that are for no drawing, each question takes its own."""
    steps = {
        "fit": several(fit(), reconstructions()),
        "fit-denoiser": several(fit_denoiser(), denoised(), noisy_images()),
    }
    blank = dict.fromkeys(("reconstructions", "denoised-images", "noisy-images"))
    results = graded({**steps, **blank})
    drawn = {name: result for name, result in results.items() if result.question in blank}
    assert not_passed(drawn) == {}, {result.id: result.message for result in drawn.values()}
    assert "another cell" in drawn["denoised-images/denoised-images"].message


def test_pictures_that_are_shown_without_matplotlib_are_reviewed(graded):
    source = "from PIL import Image\ndisplay(Image.fromarray(X_train[0, ..., 0]))"
    results = graded({"plot-digits": lambda notebook: None}, "plot-digits", {"plot-digits": source})
    assert {result.status for result in results.values()} <= {"needs_review", "skipped"}
    results = graded({"plot-digits": lambda notebook: None}, "plot-digits", {"plot-digits": "print(X_train[0])"})
    assert "failed" in {result.status for result in results.values()}


@pytest.mark.parametrize("question", ["reconstructions", "denoised-images"])
def test_predictions_of_another_size_were_paid_with_the_decoder(graded, question):
    def small(notebook):
        nb.architecture(notebook)
        for label, d in (("latent-2", 2), ("drawn-1", 9)):
            decoder = Sequential([Input((d,)), layers.Dense(196), layers.Reshape((14, 14, 1))])
            notebook.model("build-decoder", label, decoder, arguments=[d], name="build_decoder")

    step = reconstructions if question == "reconstructions" else denoised
    drawn = step(figure=lambda x, out: pictures(x.values[:6], out[:6, ::2, ::2]))
    results = graded({"autoencoder": small, question: drawn}, question)
    assert {(result.status, result.because) for result in results.values()} == {("skipped", "build-decoder")}


def test_a_model_that_can_not_be_rebuilt_is_reviewed(graded):
    @keras.saving.register_keras_serializable(package="mine")
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.parts = nb.assemble(3)

        def call(self, x):
            return self.parts.whole(x)

    model = Mine()
    model(np.zeros((1, 28, 28, 1), "float32"))
    results = graded({"reconstructions": reconstructions(model=model)}, "reconstructions")
    assert not_passed(results) == {"reconstructions": "needs_review"}


def test_messages_hold_no_number_that_the_statement_does_not_give(graded):
    """Limits of the checks (shares, correlations, tolerances) are no business of a student."""
    results = graded({"fit": fit(X_TRAIN[:10], X_TRAIN[:10])}, "fit")
    assert "10 images" in results["fit/training-images-as-input"].message
    assert "1000" not in results["fit/training-images-as-input"].message


@pytest.mark.parametrize(("table", "least"), [(WRONG, 40), (RIGHT, 30)], ids=["wrong variants", "right variants"])
def test_there_are_enough_variants(table, least):
    assert len(table) >= least


def test_rows_are_computed_as_the_child_samples_them():
    rows = Rows(10, lambda index: index * 2)
    assert rows[3:5].values.tolist() == [6, 8]
    assert rows.at(np.asarray([7, 1])).values.tolist() == [14, 2]
