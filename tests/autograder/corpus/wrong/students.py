"""Mistakes of real students that are none of a single number: Keras 2 idioms, helpers that mislead, foreign recipes."""

from corpus.variant import Added, Answer, Lost, Replaced, Variant, wrong
from corpus.wrong.comparison import BUILT, EVALUATED, MEASURED, TRAINED
from corpus.wrong.comparison import FIT as CANDIDATE_FIT
from corpus.wrong.decoder import DENSE, INPUT, NO_DECODER, NO_DECODER_TO_USE
from corpus.wrong.encoder import NO_CHAIN
from corpus.wrong.models import COMPILE
from corpus.wrong.training import DENOISE, FIT
from corpus.wrong.unanswered import checks_of

KERAS_2 = "worked in Keras 2"
KERAS_2_FINDING = "keras-2-spelling"


def compile_of_keras_2(name: str, arguments: str) -> Variant:
    """Return a compilation that Keras 2 took: nothing can be fitted with it."""
    skipped = checks_of("fit", "fit-denoiser", "best-latent-dimension")
    return wrong(
        f"Keras 2, {name}",
        Replaced("compile", COMPILE, f"model.compile({arguments})"),
        fails=dict.fromkeys(checks_of("compile"), Lost(KERAS_2_FINDING, says=KERAS_2)),
        skips=dict.fromkeys(skipped, "compile"),
    )


def decoder_of_keras_2(name: str, old: str, new: str) -> Variant:
    """Return a decoder that Keras 2 built: there is no model to judge."""
    return wrong(
        f"Keras 2, {name}",
        Replaced("build-decoder", old, new),
        fails=dict.fromkeys(NO_DECODER, Lost(KERAS_2_FINDING, says=KERAS_2)),
        skips=NO_DECODER_TO_USE,
    )


VARIANTS = [
    compile_of_keras_2("lr for learning_rate", 'optimizer=keras.optimizers.Adam(lr=0.001), loss="mse"'),
    compile_of_keras_2("metrics as one text", 'optimizer="adam", loss="mse", metrics="mse"'),
    decoder_of_keras_2("units computed by NumPy", DENSE, DENSE.replace("7 * 7 * 8", "np.prod((7, 7, 8))")),
    decoder_of_keras_2("units with a decimal point", DENSE, DENSE.replace("7 * 7 * 8", "7 * 7 * 16 / 2")),
    decoder_of_keras_2(
        "Input of a plain number", INPUT, INPUT.replace("shape=(latent_dimension,)", "latent_dimension")
    ),
    wrong(
        "Keras 2, fit_generator",
        Replaced("fit", FIT, FIT.replace("fit(", "fit_generator(")),
        fails=dict.fromkeys(checks_of("fit"), Lost(says="fit_generator")),
    ),
    wrong(
        "a helper that trains towards its input",
        Replaced("fit-denoiser", DENOISE, "train(denoiser, X_train_noisy, X_train)"),
        Added(
            "fit-denoiser",
            "def train(model, x, y):\n    return model.fit(x, x, batch_size=32, epochs=20, verbose=0)\n\n",
            above=True,
        ),
        fails={"fit-denoiser/clean-images-as-target": "noisy-target"},
    ),
    wrong(
        "a helper with defaults of its own",
        Replaced("fit", FIT, "train(autoencoder, X_train)"),
        Added(
            "fit",
            "def train(model, x, batch_size=256, epochs=20):\n"
            "    return model.fit(x, x, batch_size=batch_size, epochs=epochs, verbose=0)\n\n",
            above=True,
        ),
        fails={"fit/batch-size": Lost(says="256 found")},
    ),
    wrong(
        "a comparison on clean images from end to end",
        Replaced("best-latent-dimension", CANDIDATE_FIT, "candidate.fit(X_train, X_train, "),
        Replaced("best-latent-dimension", EVALUATED, "candidate.evaluate(X_test, X_test, verbose=0)"),
        fails={TRAINED: "clean-input", MEASURED: "clean-input"},
    ),
    wrong(
        "a comparison whose loop measures a model of another name",
        Replaced("best-latent-dimension", BUILT, BUILT.replace("candidate", "autoencoder_d")),
        Replaced("best-latent-dimension", "compile_autoencoder(candidate)", "compile_autoencoder(autoencoder_d)"),
        Replaced("best-latent-dimension", CANDIDATE_FIT, CANDIDATE_FIT.replace("candidate", "autoencoder_d")),
        Replaced("best-latent-dimension", EVALUATED, EVALUATED.replace("candidate", "autoencoder")),
        fails={"best-latent-dimension/a-fresh-model-for-each": "one-model-evaluated"},
    ),
    wrong(
        "the encoder for classes, of an earlier exercise",
        Answer(
            "build-encoder",
            "def build_encoder(latent_dimension):\n    return Sequential([\n        Input((28, 28, 1)),\n"
            '        layers.Conv2D(8, 2, activation="relu"), layers.MaxPooling2D(2),\n'
            '        layers.Conv2D(16, 2, activation="relu"), layers.MaxPooling2D(2),\n'
            '        layers.Conv2D(32, 2, activation="relu"), layers.Flatten(),\n'
            '        layers.Dense(latent_dimension, activation="softmax"),\n    ])\n',
        ),
        fails={"build-encoder/dense-layer-of-encoder": Lost(says="softmax found")},
    ),
    wrong(
        "no function, a model at once",
        Answer("build-encoder", "def build_encoder(latent_dimension):\n    layers.Flatten()\n"),
        fails=dict.fromkeys(checks_of("build-encoder"), Lost(says="returns nothing")),
        skips=dict.fromkeys(
            (*checks_of("encoder-size", "denoising-error", "encode", "latent-space"), *NO_CHAIN), "build-encoder"
        ),
    ),
    wrong(
        "a syntax error in one drawing",
        Answer("plot-digits", "plt.imshow(X_train[0]\nplt.show()\n"),
        fails={"plot-digits/images-of-the-data": Lost(says="SyntaxError")},
        skips={"plot-digits/several-images": "plot-digits"},
    ),
]
