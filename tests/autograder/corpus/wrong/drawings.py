"""Wrong drawings, codes and noise: questions 10 to 13 and 16."""

from corpus.variant import Added, Answer, Everywhere, Lost, Replaced, wrong

RECONSTRUCTIONS = "reconstructions/reconstructions"
POINTS, COLOURS = "latent-space/points-are-the-encoded-images", "latent-space/colours-follow-the-digits"
TWO_VALUES, CODES = "encode/two-values-for-each-image", "encode/codes-of-the-images"
NO_CODES_ON_THE_MAP = dict.fromkeys((POINTS, COLOURS), "not recognised as encoded images")
PAIRS, NOISE = "noisy-images/pairs-of-original-and-noisy", "noisy-images/noise"
DENOISED, OF_THE_TEST_SET = "denoised-images/denoised-images", "denoised-images/of-the-test-set"
NORMAL = "noise_factor * np.random.normal(size={}.shape)"


def scatter(name: str, new: str, fails, **more):
    """Return a map whose points or colours are others."""
    old = 'plt.scatter(first, second, c=y_test[:5000], cmap="tab10", vmin=-0.5, vmax=9.5, s=4)\n'
    bar = 'plt.colorbar(ticks=range(10), label="digit")\n'
    return wrong(f"map, {name}", Replaced("latent-space", old + bar, new), fails=fails, **more)


def noise(name: str, formula: str, finding: str | None = None, **more):
    """Return noise of one's own, which is written over the given one."""
    lines = "".join(f"X_{part}_noisy = {formula.format(f'X_{part}')}\n" for part in ("train", "test"))
    fails = {NOISE: finding, **more.pop("others", {})}
    return wrong(f"noise, {name}", Added("noisy-images", lines, above=True), fails=fails, **more)


def draw_pairs(left: str, right: str) -> Everywhere:
    """Return the drawing of question 13 with other images in its two rows."""
    return Everywhere(r"zip\(axes\.T, X_train, X_train_noisy\)", f"zip(axes.T, {left}, {right})", ("noisy-images",))


VARIANTS = [
    # the reconstructions
    wrong(
        "reconstructions, the originals alone",
        Replaced("reconstructions", "column[1].imshow(reconstruction,", "column[1].imshow(original,"),
        fails={RECONSTRUCTIONS: Lost(says="Only the original images are drawn")},
    ),
    wrong(
        "reconstructions, noisy images instead",
        Replaced(
            "reconstructions", "autoencoder.predict(originals, verbose=0)",
            "originals + 0.5 * np.random.normal(size=originals.shape)",
        ),
        fails={RECONSTRUCTIONS: Lost(says="Only images with noise are drawn")},
    ),
    wrong(
        "reconstructions, printed",
        Answer("reconstructions", "reconstructions = autoencoder.predict(X_test[:10], verbose=0)\nreconstructions.shape\n"),
        fails={RECONSTRUCTIONS: Lost(says="No image was drawn")},
    ),
    wrong(
        "reconstructions, of a fresh model",
        Replaced(
            "reconstructions", "reconstructions = autoencoder.",
            "reconstructions = build_autoencoder(build_encoder(2), build_decoder(2)).",
        ),
        fails={}, waits={RECONSTRUCTIONS: "neither compiled nor trained"},
    ),
    wrong(
        "reconstructions, the denoiser's",
        Answer("reconstructions", ""),
        Answer(
            "fit-denoiser",
            "denoiser = build_autoencoder(build_encoder(2), build_decoder(2))\ncompile_autoencoder(denoiser)\n"
            "denoiser.fit(X_train_noisy, X_train, batch_size=32, epochs=20, verbose=0)\n"
            "plt.figure()\nplt.imshow(np.hstack(denoiser.predict(X_test[:4], verbose=0)))\n",
        ),
        fails={RECONSTRUCTIONS: Lost(says="predicted by the denoiser")},
    ),
    wrong(
        "reconstructions, sums of the predictions",
        Replaced("reconstructions", "column[1].imshow(reconstruction,", "column[1].imshow(reconstruction.cumsum(axis=0),"),
        fails={}, waits={RECONSTRUCTIONS: "could not tell what they show"},
    ),
    # the codes
    wrong(
        "codes, of the whole autoencoder",
        Replaced("encode", "encoder.predict", "autoencoder.predict"),
        fails={TWO_VALUES: Lost(says="with the encoder alone")},
        skips={CODES: "encode", POINTS: "encode", COLOURS: "encode"},
    ),
    wrong(
        "codes, flattened images",
        Replaced("encode", "encoder.predict(X_test[:5000], verbose=0)", "X_test[:5000].reshape(5000, -1)"),
        fails={TWO_VALUES: Lost(says="it has 784")},
        skips={CODES: "encode", POINTS: "encode", COLOURS: "encode"},
    ),
    wrong(
        "codes, one value of the two",
        Replaced("encode", "verbose=0)", "verbose=0)[:, :1]"),
        fails={TWO_VALUES: Lost(says="it has 1")},
        skips={CODES: "encode", POINTS: "encode", COLOURS: "encode"},
    ),
    wrong(
        "codes, random numbers",
        Replaced("encode", "encoder.predict(X_test[:5000], verbose=0)", "np.random.uniform(-1, 1, size=(5000, 2))"),
        fails={CODES: Lost(says="not what your encoder gives")},
        waits=NO_CODES_ON_THE_MAP,
    ),
    wrong(
        "codes, the labels twice",
        Replaced(
            "encode", "encoder.predict(X_test[:5000], verbose=0)", "np.stack([y_test[:5000], y_test[:5000]], axis=1)"
        ),
        fails={CODES: Lost(says="labels")},
        waits=NO_CODES_ON_THE_MAP,
    ),
    wrong(
        "codes, the table turned on its side",
        Replaced("encode", "verbose=0)", "verbose=0).T"),
        fails={TWO_VALUES: Lost(says="it has 5000")},
        skips={CODES: "encode", POINTS: "encode", COLOURS: "encode"},
    ),
    wrong(
        "codes, the first values alone",
        Replaced("encode", "verbose=0)", "verbose=0)[:, 0]"),
        fails={TWO_VALUES: Lost(says="its shape is (5000,)")},
        skips={CODES: "encode", POINTS: "encode", COLOURS: "encode"},
    ),
    # the map
    scatter("one colour", "plt.scatter(first, second, s=4)\n", {COLOURS: Lost(says="All points have one colour")}),
    scatter("colours of other images", "plt.scatter(first, second, c=y_train[:5000], cmap='tab10')\n",
            {COLOURS: Lost(says="do not follow the digits")}),
    scatter("colours of the code", "plt.scatter(first, second, c=first)\n", {COLOURS: Lost(says="do not follow the digits")}),
    scatter("8 and 9 in one colour", "plt.scatter(first, second, c=np.minimum(y_test[:5000], 8), cmap='tab10')\n",
            {COLOURS: Lost(says="The digits 8 and 9", cost=0.5)}),
    scatter("even and odd digits", "plt.scatter(first, second, c=y_test[:5000] % 2, cmap='coolwarm')\n",
            {COLOURS: Lost(says="have the same colour", cost=0.5)}),
    scatter("a line plot", "plt.plot(first, second)\n", {POINTS: Lost(says="No scatter plot"), COLOURS: None}),
    scatter("images", "plt.imshow(X_test[0], cmap='gray')\n", {POINTS: Lost(says="Images are drawn"), COLOURS: None}),
    scatter("points that are no codes", "plt.scatter(np.random.normal(size=5000), second, c=y_test[:5000], cmap='tab10')\n",
            {}, waits=dict.fromkeys((POINTS, COLOURS), "not recognised as encoded images")),
    wrong(
        "map, one colour, of codes that are all the same",
        Added(
            "encode",
            "kernel, bias = encoder.layers[-1].get_weights()\nencoder.layers[-1].set_weights([kernel * 0, bias + 9])\n",
            above=True,
        ),
        Replaced("latent-space", 'c=y_test[:5000], cmap="tab10", vmin=-0.5, vmax=9.5, ', ""),
        Replaced("latent-space", 'plt.colorbar(ticks=range(10), label="digit")\n', ""),
        fails={COLOURS: Lost(says="All points have one colour")},
    ),
    # the noise and its pairs
    noise("plus for times", "{0} + noise_factor + np.random.normal(size={0}.shape)", "plus-for-times"),
    noise("plus for times, clipped", "np.clip({0} + noise_factor + np.random.normal(size={0}.shape), 0, 1)", "plus-for-times"),
    noise("too little", "{0} + 0.2 * np.random.normal(size={0}.shape)"),
    noise("without its factor", "{0} + np.random.normal(size={0}.shape)"),
    noise("uniform", "{0} + noise_factor * np.random.uniform(size={0}.shape)"),
    noise("uniform around 0", "{0} + noise_factor * np.random.uniform(-1, 1, size={0}.shape)"),
    noise(
        "multiplied",
        "{0} * noise_factor * np.random.normal(size={0}.shape)",
        waits={PAIRS: "could not tell what they show"},
    ),
    noise("none at all", "{0}.copy()", others={PAIRS: Lost(says="Only original images are drawn")}),
    wrong(
        "noise, another factor",
        Added(
            "noisy-images",
            "noise_factor = 0.1\n"
            + "".join(f"X_{p}_noisy = X_{p} + {NORMAL.format(f'X_{p}')}\n" for p in ("train", "test")),
            above=True,
        ),
        fails={NOISE: None},
    ),
    wrong(
        "noise, of the test images alone",
        Added("noisy-images", "X_test_noisy = X_test + 2 * np.random.normal(size=X_test.shape)\n", above=True),
        fails={NOISE: None},
    ),
    wrong("pairs, of different images", draw_pairs("X_train", "X_train_noisy[1:]"),
          fails={PAIRS: Lost(says="do not belong together")}),
    wrong("pairs, of training and test images", draw_pairs("X_train", "X_test_noisy"),
          fails={PAIRS: Lost(says="do not belong together")}),
    wrong("pairs, originals twice", draw_pairs("X_train", "X_train"), fails={PAIRS: Lost(says="Only original images")}),
    wrong("pairs, noisy images twice", draw_pairs("X_train_noisy", "X_train_noisy"),
          fails={PAIRS: Lost(says="Only images with noise")}),
    wrong("pairs, of pictures that are none", draw_pairs("np.random.random((8, 28, 28))", "np.random.random((8, 28, 28))"),
          fails={}, waits={PAIRS: "could not tell"}),
    wrong("pairs, printed", Answer("noisy-images", "X_train[0].std(), X_train_noisy[0].std()\n"),
          fails={PAIRS: Lost(says="No image was drawn")}),
    wrong("pairs, of originals and random pictures", draw_pairs("X_train", "np.random.random((8, 28, 28))"),
          fails={}, waits={PAIRS: "could not tell"}),
    # the denoised images
    wrong(
        "denoised, the noisy images alone",
        Replaced("denoised-images", "column[1].imshow(denoised,", "column[1].imshow(noisy,"),
        fails=dict.fromkeys((DENOISED, OF_THE_TEST_SET), Lost(says="No denoised image is drawn")),
    ),
    wrong(
        "denoised, clean images predicted",
        Replaced("denoised-images", "noisy_digits = X_test_noisy[:8]", "noisy_digits = X_test[:8]"),
        fails={DENOISED: Lost("clean-input", "clean images here")},
    ),
    wrong(
        "denoised, by the autoencoder",
        Replaced("denoised-images", "denoiser.predict", "autoencoder.predict"),
        fails={DENOISED: Lost(says="predicted by the autoencoder")},
    ),
    wrong(
        "denoised, by a fresh model",
        Replaced("denoised-images", "denoiser.predict", "build_autoencoder(build_encoder(2), build_decoder(2)).predict"),
        fails={}, waits={DENOISED: "neither compiled nor trained"},
    ),
    wrong(
        "denoised, training images",
        Replaced("denoised-images", "X_test_noisy[:8]", "X_train_noisy[:8]"),
        fails={OF_THE_TEST_SET: Lost(says="these look like training images")},
    ),
    wrong(
        "denoised, beside other noisy images",
        Replaced("denoised-images", "zip(axes.T, noisy_digits,", "zip(axes.T, X_test_noisy[8:16],"),
        fails={DENOISED: Lost(says="do not belong together", cost=0.5)},
    ),
    wrong(
        "denoised, printed",
        Answer("denoised-images", "denoiser.predict(X_test_noisy[:8], verbose=0).shape\n"),
        fails=dict.fromkeys((DENOISED, OF_THE_TEST_SET), Lost(says="No image was drawn")),
    ),
    wrong(
        "denoised, sums of the predictions",
        Replaced("denoised-images", "column[1].imshow(denoised,", "column[1].imshow(denoised.cumsum(axis=0),"),
        fails={}, waits=dict.fromkeys((DENOISED, OF_THE_TEST_SET), "could not tell what they show"),
    ),
    wrong(
        "denoised, images upside down",
        Replaced("denoised-images", "X_test_noisy[:8]", "X_test_noisy[:8, ::-1]"),
        fails={OF_THE_TEST_SET: Lost(says="Images of the test set are asked for")},
    ),
]  # fmt: skip
