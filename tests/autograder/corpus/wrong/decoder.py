"""Wrong decoders: every number, order, stride and padding of question 5 changed once, and layers too many or missing."""

from corpus.variant import Lost, Replaced, Variant, wrong
from corpus.wrong.encoder import FIXED, NO_CHAIN, SWEEP

INPUT = "        Input(shape=(latent_dimension,)),\n"
DENSE = '        layers.Dense(7 * 7 * 8, activation="tanh"),\n'
RESHAPE = "        layers.Reshape((7, 7, 8)),\n"
UP = '        layers.Conv2DTranspose({}, (2, 2), strides=2, padding="same", activation="relu"),\n'
FIRST, SECOND = UP.format(8), UP.format(1)

# The pictures have another size, or there are none: what is drawn can not be judged.
NO_PICTURES = dict.fromkeys(
    ("reconstructions/reconstructions", "denoised-images/denoised-images", "denoised-images/of-the-test-set"),
    "build-decoder",
)
BUILD_DECODER = tuple(
    f"build-decoder/{check}"
    for check in (
        "input-shape-of-decoder",
        "dense-layer-of-decoder",
        "reshape-layer",
        "first-transposed-convolution",
        "second-transposed-convolution",
        "latent-dimension-of-decoder",
        "order-of-decoder",
        "nothing-beyond-decoder",
    )
)
# Without a model the last check is not asked: it depends on another one.
LATENT_DIMENSION = "build-decoder/latent-dimension-of-decoder"
NO_DECODER = tuple(check for check in BUILD_DECODER if check != LATENT_DIMENSION)
DECODER_SIZE = ("decoder-size/decoder-takes-two-numbers", "decoder-size/decoder-is-built-by-the-function")
NO_DECODER_TO_USE = dict.fromkeys(
    (LATENT_DIMENSION, *DECODER_SIZE, "denoising-error/denoising-error", *NO_CHAIN), "build-decoder"
)
CAN_NOT_DENOISE = {"denoising-error/denoising-error": Lost(says="can not be trained")}


def changed(name: str, old: str, new: str, check: str, says: str = "", finding: str | None = None, **more) -> Variant:
    """Return a decoder of which a part is another one, which must cost one check."""
    fails = {f"build-decoder/{check}": Lost(finding, says), **more.pop("fails", {})}
    if finding != FIXED:
        more.setdefault("without", SWEEP)
    return wrong(f"decoder, {name}", Replaced("build-decoder", old, new), fails=fails, **more)


def no_pictures(name: str, old: str, new: str, check: str, says: str = "", **more) -> Variant:
    """Return a decoder that does not give images of 28 by 28 pixels, so that it can not learn to denoise either."""
    return changed(name, old, new, check, says, fails=CAN_NOT_DENOISE, skips=NO_PICTURES, **more)


VARIANTS = [
    # the dense layer and the reshape layer
    changed("dense relu", DENSE, DENSE.replace("tanh", "relu"), "dense-layer-of-decoder", "relu found"),
    changed("dense sigmoid", DENSE, DENSE.replace("tanh", "sigmoid"), "dense-layer-of-decoder", "sigmoid found"),
    changed(
        "dense without tanh", DENSE, DENSE.replace(', activation="tanh"', ""), "dense-layer-of-decoder", "none found"
    ),
    changed(
        "dense of 7 * 7 * 4 and its reshape",
        DENSE + RESHAPE,
        (DENSE + RESHAPE).replace("8", "4"),
        "dense-layer-of-decoder",
        "392 neurons expected, 196 found",
        fails={"build-decoder/reshape-layer": None},
    ),
    changed(
        "reshape to (14, 14, 2)",
        "(7, 7, 8)",
        "(14, 14, 2)",
        "reshape-layer",
        "(14, 14, 2) found",
        fails=CAN_NOT_DENOISE,
        skips=NO_PICTURES,
    ),
    changed(
        "reshape to (8, 7, 7)",
        "(7, 7, 8)",
        "(8, 7, 7)",
        "reshape-layer",
        "(8, 7, 7) found",
        fails=CAN_NOT_DENOISE,
        skips=NO_PICTURES,
    ),
    wrong(
        "decoder, dense of 7 * 7 * 9, which can not be reshaped",
        Replaced("build-decoder", "7 * 7 * 8", "7 * 7 * 9"),
        fails=dict.fromkeys(NO_DECODER, Lost(says="build_decoder(2) raised")),
        skips=NO_DECODER_TO_USE,
    ),
    # the transposed convolutions
    changed(
        "first 16 filters",
        "Conv2DTranspose(8,",
        "Conv2DTranspose(16,",
        "first-transposed-convolution",
        "8 filters expected, 16 found",
    ),
    changed(
        "last 3 filters",
        "Conv2DTranspose(1,",
        "Conv2DTranspose(3,",
        "second-transposed-convolution",
        "1 filter expected, 3 found",
        fails=CAN_NOT_DENOISE,
        waits=dict.fromkeys(NO_PICTURES, "could not tell what they show"),
    ),
    changed(
        "first kernel 3 x 3", FIRST, FIRST.replace("(2, 2)", "(3, 3)"), "first-transposed-convolution", "3 x 3 found"
    ),
    changed("last kernel 3 x 3", SECOND, SECOND.replace("(2, 2)", "3"), "second-transposed-convolution", "3 x 3 found"),
    no_pictures(
        "first strides of 1",
        FIRST,
        FIRST.replace("strides=2", "strides=1"),
        "first-transposed-convolution",
        "strides of 2 x 2 expected, 1 x 1 found",
    ),
    no_pictures(
        "last without strides",
        SECOND,
        SECOND.replace("strides=2, ", ""),
        "second-transposed-convolution",
        "strides of 2 x 2 expected, 1 x 1 found",
    ),
    no_pictures(
        "first strides of 4",
        FIRST,
        FIRST.replace("strides=2", "strides=4"),
        "first-transposed-convolution",
        "4 x 4 found",
    ),
    no_pictures(
        "first valid padding, kernel 3 x 3",
        FIRST,
        FIRST.replace("(2, 2)", "3").replace("same", "valid"),
        "first-transposed-convolution",
        "same padding expected",
    ),
    changed(
        "first without relu",
        FIRST,
        FIRST.replace(', activation="relu"', ""),
        "first-transposed-convolution",
        "none found",
    ),
    changed("first tanh", FIRST, FIRST.replace("relu", "tanh"), "first-transposed-convolution", "tanh found"),
    changed(
        "last sigmoid", SECOND, SECOND.replace("relu", "sigmoid"), "second-transposed-convolution", "sigmoid found"
    ),
    changed("last tanh", SECOND, SECOND.replace("relu", "tanh"), "second-transposed-convolution", "tanh found"),
    changed(
        "last without relu",
        SECOND,
        SECOND.replace(', activation="relu"', ""),
        "second-transposed-convolution",
        "none found",
    ),
    no_pictures(
        "first no transposed convolution",
        FIRST,
        FIRST.replace("Transpose", "").replace("strides=2, ", ""),
        "first-transposed-convolution",
        "a convolution found",
    ),
    changed(
        "up-sampling and convolution for the last",
        SECOND,
        '        layers.UpSampling2D(2),\n        layers.Conv2D(1, (2, 2), padding="same", activation="relu"),\n',
        "second-transposed-convolution",
        "a convolution found",
    ),
    no_pictures("no first transposed convolution", FIRST, "", "first-transposed-convolution", "missing"),
    no_pictures("no last transposed convolution", SECOND, "", "second-transposed-convolution", "missing"),
    # the input
    changed(
        "no input shape",
        INPUT,
        "",
        "input-shape-of-decoder",
        "none found",
        skips={"build-decoder/latent-dimension-of-decoder": "build-decoder"},
    ),
    changed(
        "input of two values whatever it is told",
        INPUT,
        INPUT.replace("latent_dimension", "2"),
        "latent-dimension-of-decoder",
        "takes inputs of shape (2,)",
        finding=FIXED,
    ),
    changed(
        "input of three values whatever it is told",
        INPUT,
        INPUT.replace("latent_dimension", "3"),
        "latent-dimension-of-decoder",
        "takes inputs of shape (3,)",
        finding=FIXED,
        skips=dict.fromkeys(NO_CHAIN, "build-decoder"),
    ),
    changed(
        "raises unless it is told 2",
        "    return Sequential",
        "    assert latent_dimension == 2\n    return Sequential",
        "latent-dimension-of-decoder",
        "AssertionError",
        FIXED,
    ),
    # the order, and layers too many
    no_pictures(
        "transposed convolutions exchanged", FIRST + SECOND, SECOND + FIRST, "order-of-decoder", "another place"
    ),
    changed(
        "one convolution more",
        SECOND,
        SECOND + '        layers.Conv2D(1, (2, 2), padding="same", activation="relu"),\n',
        "nothing-beyond-decoder",
        "A convolution, after the second transposed convolution",
        "convolution",
    ),
    changed(
        "a dropout",
        RESHAPE,
        RESHAPE + "        layers.Dropout(0.1),\n",
        "nothing-beyond-decoder",
        "A dropout",
        "dropout",
    ),
    changed(
        "a batch normalisation",
        FIRST,
        FIRST + "        layers.BatchNormalization(),\n",
        "nothing-beyond-decoder",
        "A batch normalisation",
        "batch-normalisation",
    ),
    changed(
        "a third transposed convolution",
        FIRST,
        FIRST + FIRST.replace("strides=2", "strides=1"),
        "nothing-beyond-decoder",
        "A third transposed convolution",
        "third-transposed-convolution",
    ),
]
