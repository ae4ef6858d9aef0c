"""Wrong trainings: questions 9 (fit) and 14 (fit-denoiser)."""

from corpus.variant import Added, Answer, Lost, Replaced, Variant, wrong

FIT = "autoencoder.fit(X_train, X_train, batch_size=32, epochs=20, verbose=0)"
DENOISE = "denoiser.fit(X_train_noisy, X_train, batch_size=32, epochs=20, verbose=0)"
FRESH = "denoiser = build_autoencoder(build_encoder(2), build_decoder(2))\n"
HALF = Lost(cost=0.5)


def fit(name: str, new: str, fails, **more) -> Variant:
    """Return a notebook whose autoencoder is fitted in another way."""
    return wrong(f"fit, {name}", Replaced("fit", FIT, new), fails=fails, **more)


def denoiser(name: str, new: str, fails, **more) -> Variant:
    """Return a notebook whose denoiser is fitted in another way."""
    return wrong(f"denoiser, {name}", Replaced("fit-denoiser", DENOISE, new), fails=fails, **more)


def built(name: str, new: str, fails, **more) -> Variant:
    """Return a notebook whose denoiser is built in another way."""
    return wrong(f"denoiser, {name}", Replaced("fit-denoiser", FRESH, new), fails=fails, **more)


TARGET = "fit/the-same-images-as-target"
INPUT = "fit/training-images-as-input"
CLEAN = "fit-denoiser/clean-images-as-target"
NOISY = "fit-denoiser/noisy-images-as-input"
FRESH_WEIGHTS = "fit-denoiser/fresh-weights"
NOT_FITTED = (INPUT, TARGET, "fit/batch-size", "fit/epochs", "fit/compiled-first")
NO_DENOISER = (
    NOISY, CLEAN, FRESH_WEIGHTS, "fit-denoiser/two-latent-dimensions", "fit-denoiser/batch-size-of-the-denoiser",
    "fit-denoiser/epochs-of-the-denoiser",
)  # fmt: skip
NOT_DENOISED = dict.fromkeys(("denoised-images/denoised-images", "denoised-images/of-the-test-set"), "fit-denoiser")

VARIANTS = [
    fit("labels as target", FIT.replace("X_train, X_train", "X_train, y_train"),
        {TARGET: Lost("labels-as-target", "no label is needed")}),
    fit("one-hot labels as target", FIT.replace("X_train, X_train", "X_train, keras.utils.to_categorical(y_train)"),
        {TARGET: Lost("labels-as-target", "no label is needed")}),
    fit("images of others as target", FIT.replace("X_train, X_train", "X_train, X_train[::-1]"),
        {TARGET: Lost(says="other images were given")}),
    fit("no target", FIT.replace("X_train, X_train", "X_train"), {TARGET: Lost(says="No target is given")}),
    fit("a noisy target", FIT.replace("X_train, X_train", "X_train, X_train + 0.5 * np.random.normal(size=X_train.shape)"),
        {TARGET: Lost("noisy-target", "noisy images were given")}),
    fit("a noisy input", FIT.replace("X_train, X_train", "X_train + 0.5 * np.random.normal(size=X_train.shape), X_train"),
        {INPUT: Lost(says="noisy images were given")}),
    fit("a target of another range", FIT.replace("X_train, X_train", "X_train, X_train * 255"),
        {TARGET: Lost(says="the same range")}),
    fit("sums of rows as target", FIT.replace("X_train, X_train", "X_train, X_train.mean(axis=(2, 3))"),
        {TARGET: Lost(says="should be images")}),
    fit("test images", FIT.replace("X_train, X_train", "X_test, X_test"), {INPUT: Lost(says="test images")}),
    fit("ten images", FIT.replace("X_train, X_train", "X_train[:10], X_train[:10]"), {INPUT: Lost(says="on 10 images")}),
    fit("a sixth of the images", FIT.replace("X_train, X_train", "X_train[:10000], X_train[:10000]"),
        {INPUT: Lost(says="on 10000 images only", cost=0.5)}),
    fit("batch size 64", FIT.replace("32", "64"), {"fit/batch-size": Lost(says="32 expected, 64 found")}),
    fit("batch size 320", FIT.replace("32", "320"), {"fit/batch-size": Lost(says="32 expected, 320 found")}),
    fit("10 epochs", FIT.replace("20", "10"), {"fit/epochs": Lost(says="20 expected, 10 found")}),
    fit("200 epochs", FIT.replace("20", "200"), {"fit/epochs": Lost(says="20 expected, 200 found")}),
    fit("no number of epochs", FIT.replace("epochs=20, ", ""), {"fit/epochs": Lost(says="20 expected, 1 found")}),
    wrong("fit, the encoder instead of the autoencoder",
          Replaced("fit", "compile_autoencoder(autoencoder)\nhistory = autoencoder.fit",
                   "compile_autoencoder(encoder)\nhistory = encoder.fit"),
          fails={INPUT: Lost(says="not the autoencoder")}),
    fit("weighted samples", FIT.replace("verbose=0", "verbose=0, sample_weight=np.linspace(0, 1, 60000)"), {},
        waits=dict.fromkeys((INPUT, TARGET), "Weights of samples")),
    fit("some steps only", FIT.replace("verbose=0", "verbose=0, steps_per_epoch=10"), {},
        waits=dict.fromkeys((INPUT, TARGET), "steps_per_epoch")),
    fit("a later first epoch", FIT.replace("verbose=0", "verbose=0, initial_epoch=5"), {},
        waits={"fit/epochs": "initial_epoch"}),
    fit("sums of rows as input", FIT.replace("X_train, X_train", "X_train.mean(axis=(2, 3)), X_train"),
        {INPUT: Lost(says="something else was given")}, waits={TARGET: "not recognised"}),
    fit("images upside down", FIT.replace("X_train, X_train", "X_train[:, ::-1], X_train[:, ::-1]"), {},
        waits={INPUT: "not recognised"}),
    fit("images upside down as target", FIT.replace("X_train, X_train", "X_train, X_train[:, ::-1]"), {},
        waits={TARGET: "not recognised"}),
    wrong("fit, from a generator of its own",
          Replaced("fit", FIT, "autoencoder.fit(batches(), steps_per_epoch=1875, epochs=20, verbose=0)"),
          Added("fit", "def batches():\n    while True:\n        yield X_train[:32], X_train[:32]\n\n", above=True),
          fails={}, waits=dict.fromkeys((INPUT, TARGET), "steps_per_epoch")),
    wrong("fit, without compiling", Replaced("fit", "compile_autoencoder(autoencoder)\n", ""),
          fails={"fit/compiled-first": Lost(says="without having been compiled")}),
    wrong("fit, compiled and never fitted", Answer("fit", "compile_autoencoder(autoencoder)\n"),
          fails=dict.fromkeys(NOT_FITTED, Lost(says="Fit was not called"))),
    wrong(
        "fit, by a loop of its own",
        Answer(
            "fit",
            "compile_autoencoder(autoencoder)\nfor start in range(0, 320, 32):\n"
            "    batch = X_train[start:start + 32]\n    autoencoder.train_on_batch(batch, batch)\n",
        ),
        fails={},
        waits={INPUT: "form that the grader does not know", TARGET: "form that the grader does not know",
               "fit/batch-size": "could not be found", "fit/epochs": "loop of its own"},
    ),
    wrong(
        "fit, by a gradient tape",
        Answer(
            "fit",
            "import tensorflow as tf\n\ncompile_autoencoder(autoencoder)\noptimizer = keras.optimizers.Adam()\n"
            "for start in range(0, 96, 32):\n    batch = X_train[start:start + 32]\n"
            "    with tf.GradientTape() as tape:\n"
            "        loss = tf.reduce_mean((autoencoder(batch, training=True) - batch) ** 2)\n"
            "    gradients = tape.gradient(loss, autoencoder.trainable_variables)\n"
            "    optimizer.apply_gradients(zip(gradients, autoencoder.trainable_variables))\n",
        ),
        fails={}, waits=dict.fromkeys(NOT_FITTED, "loop of its own"),
    ),
    wrong("fit, an error of its own", Replaced("fit", FIT, FIT.replace("X_train, X_train", "X_trian, X_trian")),
          fails=dict.fromkeys(NOT_FITTED, Lost(says="X_trian"))),
    # the denoiser
    denoiser("clean input", DENOISE.replace("X_train_noisy", "X_train"), {NOISY: Lost("clean-input", "clean images were")}),
    denoiser("noisy target", DENOISE.replace("X_train,", "X_train_noisy,"),
             {CLEAN: Lost("noisy-target", "noisy images were given")}),
    denoiser("labels as target", DENOISE.replace("X_train,", "y_train,"), {CLEAN: Lost("labels-as-target")}),
    denoiser("one-hot labels as target", DENOISE.replace("X_train,", "keras.utils.to_categorical(y_train),"),
             {CLEAN: Lost("labels-as-target")}),
    denoiser("noisy and clean exchanged", DENOISE.replace("X_train_noisy, X_train", "X_train, X_train_noisy"),
             {NOISY: Lost("clean-input"), CLEAN: Lost("noisy-target")}),
    denoiser("images of others as target", DENOISE.replace("X_train,", "X_train[::-1],"),
             {CLEAN: Lost(says="the same image without noise")}),
    denoiser("no target", DENOISE.replace("X_train_noisy, X_train", "X_train_noisy"), {CLEAN: Lost(says="No target")}),
    denoiser("test images", DENOISE.replace("X_train_noisy, X_train", "X_test_noisy, X_test"),
             {NOISY: Lost(says="test images")}),
    denoiser("a hundred images", DENOISE.replace("X_train_noisy, X_train", "X_train_noisy[:100], X_train[:100]"),
             {NOISY: Lost(says="on 100 images")}),
    denoiser("a fifth of the images", DENOISE.replace("X_train_noisy, X_train", "X_train_noisy[:12000], X_train[:12000]"),
             {NOISY: Lost(says="on 12000 images only", cost=0.5)}),
    denoiser("batch size 128", DENOISE.replace("32", "128"),
             {"fit-denoiser/batch-size-of-the-denoiser": Lost(says="32 expected, 128 found")}),
    denoiser("two epochs", DENOISE.replace("20", "2"), {"fit-denoiser/epochs-of-the-denoiser": Lost(says="2 found")}),
    denoiser("weighted samples", DENOISE.replace("verbose=0", "verbose=0, sample_weight=np.linspace(0, 1, 60000)"), {},
             waits=dict.fromkeys((NOISY, CLEAN), "Weights of samples")),
    denoiser("a later first epoch", DENOISE.replace("verbose=0", "verbose=0, initial_epoch=5"), {},
             waits={"fit-denoiser/epochs-of-the-denoiser": "initial_epoch"}),
    denoiser("clean images first", DENOISE.replace("denoiser.fit(X_train_noisy, X_train",
             "denoiser.fit(X_train, X_train, batch_size=32, epochs=5, verbose=0)\n"
             "history = denoiser.fit(X_train_noisy, X_train"), {}, waits={FRESH_WEIGHTS: "clean images first"}),
    denoiser("images upside down", DENOISE.replace("X_train_noisy", "X_train_noisy[:, ::-1]"), {CLEAN: Lost(says="the same image without noise")}),
    denoiser("images upside down as target", DENOISE.replace("X_train,", "X_train[:, ::-1],"), {},
             waits={CLEAN: "not recognised"}),
    denoiser("sums of rows as input", DENOISE.replace("X_train_noisy,", "X_train_noisy.mean(axis=(2, 3)),"),
             {NOISY: Lost(says="something else was given")}, waits={CLEAN: "not recognised"}),
    denoiser("sums of rows as target", DENOISE.replace("X_train,", "X_train.mean(axis=(2, 3)),"),
             {CLEAN: Lost(says="should be images")}),
    built("without a bottleneck",
          "denoiser = Sequential([Input((28, 28, 1)), layers.Conv2D(1, 3, padding='same', activation='relu')])\n", {},
          waits={"fit-denoiser/two-latent-dimensions": "bottleneck"}),
    built("a new model around the trained encoder", "denoiser = build_autoencoder(encoder, decoder)\n",
          {FRESH_WEIGHTS: Lost("weights-not-fresh", "shares all weights")}),
    built("the trained decoder again", "denoiser = build_autoencoder(build_encoder(2), decoder)\n",
          {FRESH_WEIGHTS: Lost("weights-not-fresh", "shares some weights")}),
    built("the autoencoder itself", "denoiser = autoencoder\n", {FRESH_WEIGHTS: Lost("weights-not-fresh")}),
    built("eight latent dimensions", FRESH.replace("2", "8"),
          {"fit-denoiser/two-latent-dimensions": Lost(says="2 dimensions; it has 8")}),
    wrong("denoiser, without compiling", Replaced("fit-denoiser", "compile_autoencoder(denoiser)\n", ""),
          fails={"fit-denoiser/epochs-of-the-denoiser": Lost(says="without having been compiled")}),
    wrong("denoiser, its encoder fitted alone",
          Replaced("fit-denoiser", f"compile_autoencoder(denoiser)\nhistory = {DENOISE}",
                   f"compile_autoencoder(denoiser.layers[1])\nhistory = {DENOISE.replace('fit', 'layers[1].fit')}"),
          fails={NOISY: Lost(says="not a denoiser")}),
    wrong("denoiser, built and never fitted",
          Answer("fit-denoiser", FRESH + "compile_autoencoder(denoiser)\n"),
          fails=dict.fromkeys(NO_DENOISER, Lost(says="Fit was not called"))),
    wrong("denoiser, trained in the question before",
          Added("noisy-images", FRESH + "compile_autoencoder(denoiser)\n"
                "denoiser.fit(X_train_noisy, X_train, batch_size=32, epochs=20, verbose=0)\n"),
          Replaced("fit-denoiser", FRESH + "compile_autoencoder(denoiser)\n", ""),
          fails={FRESH_WEIGHTS: Lost("weights-not-fresh", "trained before, in another question")}),
]  # fmt: skip
