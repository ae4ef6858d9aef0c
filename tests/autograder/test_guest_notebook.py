"""A complete notebook at its simplest: every question leaves its evidence, and the whole costs little."""

from __future__ import annotations

import numpy as np
import pytest
from warm import run

IMAGE = [28, 28, 1]
CELLS = {
    "data": "import numpy as np, matplotlib.pyplot as plt, keras\n"
    "from keras import layers, Model\n"
    "(X_train, y_train), (X_test, y_test) = keras.datasets.mnist.load_data()\n"
    "X_train = X_train[..., None] / 255; X_test = X_test[..., None] / 255",
    "digits": "fig, axes = plt.subplots(1, 5)\n"
    "for image, ax in zip(X_train, axes): ax.imshow(image, cmap='gray')\n"
    "plt.show()",
    "encoder": "def build_encoder(latent_dimension):\n"
    "    return keras.Sequential([layers.Input((28, 28, 1)), layers.Conv2D(8, 2, activation='relu'), "
    "layers.MaxPooling2D(2),\n"
    "        layers.Conv2D(16, 2, activation='relu'), layers.MaxPooling2D(2), layers.Conv2D(32, 2, "
    "activation='relu'), layers.Flatten(), layers.Dense(latent_dimension, activation='tanh')])",
    "encoder-size": "encoder = build_encoder(2)\nencoder.summary()",
    "decoder": "def build_decoder(latent_dimension):\n"
    "    return keras.Sequential([layers.Input((latent_dimension,)), layers.Dense(392, "
    "activation='tanh'), layers.Reshape((7, 7, 8)),\n"
    "        layers.Conv2DTranspose(8, 2, strides=2, padding='same', activation='relu'), "
    "layers.Conv2DTranspose(1, 2, strides=2, padding='same', activation='relu')])\n"
    "decoder = build_decoder(2)",
    "autoencoder": "def build_autoencoder(encoder, decoder):\n"
    "    image = layers.Input((28, 28, 1)); return Model(image, decoder(encoder(image)))\n"
    "autoencoder = build_autoencoder(encoder, decoder)",
    "compile": "def compile_autoencoder(model):\n    model.compile(loss='mse', optimizer='adam')",
    "fit": "compile_autoencoder(autoencoder)\nautoencoder.fit(X_train, X_train, batch_size=32, epochs=20)",
    "reconstructions": "rebuilt = autoencoder.predict(X_test[:4])\n"
    "for i in range(4):\n"
    "    plt.subplot(2, 4, i + 1); plt.imshow(X_test[i]); plt.subplot(2, 4, i + 5); "
    "plt.imshow(rebuilt[i])",
    "encode": "X_encoded = encoder.predict(X_train)\n"
    "plt.scatter(X_encoded[:, 0], X_encoded[:, 1], c=y_train, cmap='tab10'); plt.show()",
    "noise": "noise_factor = 0.5\n"
    "X_train_noisy = X_train + noise_factor * np.random.normal(0, 1, X_train.shape)\n"
    "X_test_noisy = X_test + noise_factor * np.random.normal(0, 1, X_test.shape)",
    "denoiser": "denoiser = build_autoencoder(build_encoder(2), build_decoder(2)); compile_autoencoder(denoiser)\n"
    "denoiser.fit(X_train_noisy, X_train, batch_size=32, epochs=20)",
    "sweep": "latent_errors = {}\n"
    "for d in (2, 8, 16, 32):\n"
    "    m = build_autoencoder(build_encoder(d), build_decoder(d)); compile_autoencoder(m)\n"
    "    m.fit(X_train_noisy, X_train, batch_size=32, epochs=20, verbose=0)\n"
    "    latent_errors[d] = m.evaluate(X_test_noisy, X_test, verbose=0)\n"
    "best_latent_dimension = min(latent_errors, key=latent_errors.get)",
}
PROBES = {
    "data": {"X_train": {"find": "array", "names": ["X_train"]}, "y_train": {"find": "array", "names": ["y_train"]}},
    "encoder": {
        "two": {"find": "function", "names": ["build_encoder"], "arguments": [2]},
        "five": {"find": "function", "names": ["build_encoder"], "arguments": [5]},
    },
    "encoder-size": {"encoder": {"find": "model", "names": ["encoder"]}},
    "autoencoder": {"autoencoder": {"find": "model", "names": ["autoencoder"]}},
    "compile": {
        "compile": {
            "find": "function",
            "names": ["compile_autoencoder"],
            "arguments": [{"model": "plain", "shape": IMAGE}],
            "returns": "any",
        }
    },
    "encode": {"X_encoded": {"find": "array", "names": ["X_encoded"]}},
    "sweep": {
        "errors": {"find": "plain", "names": ["latent_errors"]},
        "best": {"find": "plain", "names": ["best_latent_dimension"]},
    },
}


@pytest.fixture(scope="module")
def done():
    cells = [
        {"source": source, "question": name, "exports": [name] if name in PROBES else []}
        for name, source in CELLS.items()
    ]
    return run(cells, probes=PROBES)


def cell(name):
    return list(CELLS).index(name)


def test_everything_runs_and_every_probe_finds_its_answer(done):
    assert done.statuses() == ["ok"] * len(CELLS)
    assert [c.note for c in done.evidence.cells] == [""] * len(CELLS)
    assert {v.kind for v in done.evidence.values} == {"array", "model", "plain", "other"}
    assert [v.label for v in done.evidence.values if v.kind == "other"] == ["compile"]
    assert done.evidence.ended


def test_the_fits_say_what_was_fitted_to_what(done):
    arrays = done.evidence.arrays
    clean = done.evidence.value("data", "X_train").array
    first, denoiser, *sweep = done.evidence.fits
    assert (first.x, first.y) == (clean, clean)
    assert {fit.y for fit in (denoiser, *sweep)} == {clean} and {fit.x for fit in (denoiser, *sweep)} == {denoiser.x}
    noise = arrays[denoiser.x].values - arrays[denoiser.y].values
    assert arrays[denoiser.x].rows == arrays[clean].rows and abs(noise.std() - 0.5) < 0.05
    models = [done.evidence.models[fit.model] for fit in (first, denoiser, *sweep)]
    assert not any(model.trained for model in models)
    assert len({model.identity for model in models}) == 6
    assert {(fit.batch_size, fit.epochs, fit.error) for fit in done.evidence.fits} == {(32, 20, None)}


def test_the_plots_hold_what_was_drawn(done):
    digits, rebuilt, latent = done.evidence.figures
    assert len(digits.axes) == 5 and len(rebuilt.axes) == 8
    sample = done.evidence.arrays[done.evidence.value("data", "X_train").array]
    np.testing.assert_allclose(digits.axes[2].pictures[0].values, sample.values[2, :, :, 0], atol=1e-6)
    encoded = done.evidence.arrays[done.evidence.value("encode", "X_encoded").array]
    points = latent.axes[0].points[0]
    np.testing.assert_allclose(points.positions[list(encoded.rows)], encoded.values, atol=1e-6)
    labels = done.evidence.arrays[done.evidence.value("data", "y_train").array]
    np.testing.assert_array_equal(points.values[list(labels.rows)], labels.values)


def test_the_encoded_images_are_the_encoders_own(done):
    snapshot = done.evidence.models[done.evidence.value("encoder-size", "encoder").model]
    assert sum(weights.size for weights in snapshot.weights) == 4_250
    errors = done.evidence.value("sweep", "errors").plain["pairs"]
    assert [pair[0] for pair in errors] == [2, 8, 16, 32]
    evaluations = [p for p in done.evidence.predictions if p.cell == cell("sweep")]
    assert [p.result for p in evaluations] == [pair[1] for pair in errors]


def test_the_whole_notebook_costs_little(done):
    # About 3 on a quiet machine; graphs traced for each model would make it 25.
    assert sum(c.cpu_seconds for c in done.evidence.cells) < 12
