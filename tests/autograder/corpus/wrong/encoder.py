"""Wrong encoders: every number, order and activation of question 3 changed once, layers missing and layers too many."""

from corpus.variant import Lost, Replaced, Variant, wrong

FIRST = '        layers.Conv2D(8, (2, 2), activation="relu"),\n'
SECOND = '        layers.Conv2D(16, (2, 2), activation="relu"),\n'
THIRD = '        layers.Conv2D(32, (2, 2), activation="relu"),\n'
POOL = "        layers.MaxPooling2D((2, 2)),\n"
FLATTEN = "        layers.Flatten(),\n"
DENSE = '        layers.Dense(latent_dimension, activation="tanh"),\n'
INPUT = "        Input(shape=(28, 28, 1)),\n"

FIXED = "fixed-latent-dimension"
# The comparison of dimensions takes as long as all the rest, and can not tell these mistakes.
SWEEP = ("best-latent-dimension",)

# Without a chain of the two there is nothing to fit, to predict with, or to draw.
NO_CHAIN = (
    "autoencoder/autoencoder-is-the-chain",
    "autoencoder/autoencoder-goes-from-image-to-image",
    "autoencoder/autoencoder-contains-the-two",
    "fit/training-images-as-input",
    "fit/the-same-images-as-target",
    "fit/batch-size",
    "fit/epochs",
    "fit/compiled-first",
    "reconstructions/reconstructions",
    "fit-denoiser/noisy-images-as-input",
    "fit-denoiser/clean-images-as-target",
    "fit-denoiser/fresh-weights",
    "fit-denoiser/two-latent-dimensions",
    "fit-denoiser/batch-size-of-the-denoiser",
    "fit-denoiser/epochs-of-the-denoiser",
    "denoised-images/denoised-images",
    "denoised-images/of-the-test-set",
)
NO_CODES = (
    "encode/two-values-for-each-image",
    "encode/codes-of-the-images",
    "latent-space/points-are-the-encoded-images",
    "latent-space/colours-follow-the-digits",
)
# The grader's short training stays where nothing is learnt yet; a person sees whether that is the design's fault.
SLOW = {"denoising-error/denoising-error": "no further than the average of all digits"}


def changed(name: str, old: str, new: str, check: str, says: str = "", finding: str | None = None, **more) -> Variant:
    """Return an encoder of which a part is another one, which must cost one check."""
    fails = {f"build-encoder/{check}": Lost(finding, says), **more.pop("fails", {})}
    if finding != FIXED:
        more.setdefault("without", SWEEP)
    return wrong(f"encoder, {name}", Replaced("build-encoder", old, new), fails=fails, **more)


def layer(**fields: str) -> str:
    """Return the line of a convolution."""
    wanted = {"filters": "16", "kernel_size": "2", "activation": '"relu"'} | fields
    return f"        layers.Conv2D({', '.join(f'{key}={value}' for key, value in wanted.items())}),\n"


VARIANTS = [
    # the convolutions
    changed("8 filters become 16", "Conv2D(8,", "Conv2D(16,", "first-convolution", "8 filters expected, 16 found"),
    changed("16 filters become 32", "Conv2D(16,", "Conv2D(32,", "second-convolution", "16 filters expected, 32 found"),
    changed("32 filters become 64", "Conv2D(32,", "Conv2D(64,", "third-convolution", "32 filters expected, 64 found"),
    changed("first kernel 3 x 3", FIRST, layer(filters="8", kernel_size="3"), "first-convolution", "3 x 3 found"),
    changed("second kernel 3 x 3", SECOND, layer(kernel_size="(3, 3)"), "second-convolution", "3 x 3 found"),
    changed("third kernel 3 x 3", THIRD, layer(filters="32", kernel_size="3"), "third-convolution", "3 x 3 found"),
    changed("third kernel 2 x 3", THIRD, layer(filters="32", kernel_size="(2, 3)"), "third-convolution", "2 x 3 found"),
    changed("no first relu", FIRST, layer(filters="8", activation="None"), "first-convolution", "none found"),
    changed("no second relu", SECOND, layer(activation="None"), "second-convolution", "none found"),
    changed("no third relu", THIRD, layer(filters="32", activation="None"), "third-convolution", "none found"),
    changed("first elu", FIRST, layer(filters="8", activation='"elu"'), "first-convolution", "elu found"),
    changed("second tanh", SECOND, layer(activation='"tanh"'), "second-convolution", "tanh found"),
    changed(
        "third sigmoid",
        THIRD,
        layer(filters="32", activation='"sigmoid"'),
        "third-convolution",
        "sigmoid found",
        waits=SLOW,
    ),
    changed("first strides of 2", FIRST, layer(filters="8", strides="2"), "first-convolution", "2 x 2 found"),
    changed("second strides of 2", SECOND, layer(strides="2"), "second-convolution", "strides of 1 x 1 expected"),
    changed("third strides of 2", THIRD, layer(filters="32", strides="2"), "third-convolution", "strides of 1 x 1"),
    changed("second dilated", SECOND, layer(dilation_rate="2"), "second-convolution", "dilation"),
    changed("second in groups", SECOND, layer(groups="2"), "second-convolution", "groups"),
    changed("second separable", "layers.Conv2D(16,", "layers.SeparableConv2D(16,", "second-convolution", "separable"),
    changed("no first convolution", FIRST, "", "first-convolution", "missing"),
    changed("no second convolution", SECOND, "", "second-convolution", "missing"),
    changed("no third convolution", THIRD, "", "third-convolution", "missing"),
    # the max-poolings
    changed(
        "first window 3 x 3",
        FIRST + POOL,
        FIRST + POOL.replace("2)", "3)").replace("(2", "(3"),
        "first-max-pooling",
        "3 x 3 found",
    ),
    changed(
        "second window 3 x 3",
        SECOND + POOL,
        SECOND + POOL.replace("2)", "3)").replace("(2", "(3"),
        "second-max-pooling",
        "3 x 3 found",
    ),
    changed(
        "first average pooling",
        FIRST + POOL,
        FIRST + POOL.replace("Max", "Average"),
        "first-max-pooling",
        "an average pooling found",
    ),
    changed(
        "second average pooling",
        SECOND + POOL,
        SECOND + POOL.replace("Max", "Average"),
        "second-max-pooling",
        "an average pooling found",
    ),
    changed(
        "second window moved by 1",
        SECOND + POOL,
        SECOND + POOL.replace("(2, 2)", "2, strides=1"),
        "second-max-pooling",
        "strides of 2 x 2 expected",
    ),
    changed(
        "second window 3 x 3, moved by 2",
        SECOND + POOL,
        SECOND + POOL.replace("(2, 2)", "3, strides=2"),
        "second-max-pooling",
        "a window of 2 x 2 expected",
    ),
    changed("no first max-pooling", FIRST + POOL, FIRST, "first-max-pooling", "missing"),
    changed("no second max-pooling", SECOND + POOL, SECOND, "second-max-pooling", "missing"),
    # what makes a code of it
    changed(
        "no flatten layer",
        FLATTEN,
        "",
        "flatten-layer",
        "missing",
        fails={"denoising-error/denoising-error": None},
        skips=dict.fromkeys((*NO_CHAIN, *NO_CODES), "build-encoder"),
    ),
    changed(
        "global max-pooling for the flatten layer",
        FLATTEN,
        "        layers.GlobalMaxPooling2D(),\n",
        "flatten-layer",
        "global max-pooling found",
    ),
    changed(
        "global average pooling for the flatten layer",
        FLATTEN,
        "        layers.GlobalAveragePooling2D(),\n",
        "flatten-layer",
        "global average pooling found",
    ),
    changed(
        "code without tanh", DENSE, DENSE.replace(', activation="tanh"', ""), "dense-layer-of-encoder", "none found"
    ),
    changed("code of relu", DENSE, DENSE.replace("tanh", "relu"), "dense-layer-of-encoder", "relu found"),
    changed("code of sigmoid", DENSE, DENSE.replace("tanh", "sigmoid"), "dense-layer-of-encoder", "sigmoid found"),
    changed("code of softmax", DENSE, DENSE.replace("tanh", "softmax"), "dense-layer-of-encoder", "softmax found"),
    changed(
        "no dense layer",
        DENSE,
        "",
        "dense-layer-of-encoder",
        "missing",
        skips={
            "build-encoder/latent-dimension-of-encoder": "build-encoder",
            **dict.fromkeys((*NO_CHAIN, *NO_CODES[2:]), "build-encoder"),
        },
    ),
    changed(
        "latent dimension 2 whatever it is told",
        DENSE,
        DENSE.replace("latent_dimension", "2"),
        "latent-dimension-of-encoder",
        "ends with 2 neurons",
        FIXED,
    ),
    changed(
        "latent dimension 10 whatever it is told",
        DENSE,
        DENSE.replace("latent_dimension", "10"),
        "latent-dimension-of-encoder",
        "ends with 10 neurons",
        FIXED,
        skips=dict.fromkeys((*NO_CHAIN, *NO_CODES[2:]), "build-encoder"),
    ),
    changed(
        "one number too many",
        DENSE,
        DENSE.replace("latent_dimension", "latent_dimension + 1"),
        "latent-dimension-of-encoder",
        "3 neurons; 2 expected",
        FIXED,
        skips=dict.fromkeys((*NO_CHAIN, *NO_CODES[2:]), "build-encoder"),
    ),
    changed(
        "raises unless it is told 2",
        "    return Sequential",
        "    layers_for = {2: 2}\n    latent_dimension = layers_for[latent_dimension]\n    return Sequential",
        "latent-dimension-of-encoder",
        "KeyError",
        FIXED,
    ),
    # the input shape
    changed(
        "no input shape",
        INPUT,
        "",
        "input-shape-of-encoder",
        "none found",
    ),
    changed(
        "input shape (32, 32, 1)",
        INPUT,
        INPUT.replace("28, 28", "32, 32"),
        "input-shape-of-encoder",
        "(32, 32, 1) found",
        skips=dict.fromkeys((*NO_CHAIN, *NO_CODES), "build-encoder"),
    ),
    # the order
    changed(
        "filters in the order 16, 8, 32",
        FIRST + POOL + SECOND,
        SECOND + POOL + FIRST,
        "order-of-encoder",
        "first convolution and the second convolution",
    ),
    changed(
        "filters in the order 32, 16, 8",
        FIRST + POOL + SECOND + POOL + THIRD,
        THIRD + POOL + SECOND + POOL + FIRST,
        "order-of-encoder",
        "another place",
    ),
    changed(
        "first max-pooling before the convolution", FIRST + POOL, POOL + FIRST, "order-of-encoder", "another place"
    ),
    changed(
        "second max-pooling after the third convolution",
        POOL + THIRD,
        THIRD + POOL,
        "order-of-encoder",
        "another place",
    ),
    # layers too many
    changed(
        "a third max-pooling",
        THIRD,
        THIRD + POOL,
        "nothing-beyond-encoder",
        "A third max-pooling, after the third convolution",
        "third-max-pooling",
    ),
    changed(
        "a third max-pooling, same padding all over",
        THIRD + FLATTEN,
        THIRD.replace('"relu"', '"relu", padding="same"') + POOL.replace("2))", '2), padding="same")') + FLATTEN,
        "nothing-beyond-encoder",
        "A third max-pooling",
        "third-max-pooling",
    ),
    changed(
        "a dropout",
        FLATTEN,
        FLATTEN + "        layers.Dropout(0.2),\n",
        "nothing-beyond-encoder",
        "A dropout",
        "dropout",
    ),
    changed(
        "a batch normalisation",
        FIRST,
        FIRST + "        layers.BatchNormalization(),\n",
        "nothing-beyond-encoder",
        "A batch normalisation",
        "batch-normalisation",
    ),
    changed(
        "a fourth convolution",
        THIRD,
        THIRD + layer(filters="64"),
        "nothing-beyond-encoder",
        "A fourth convolution",
        "fourth-convolution",
    ),
    changed(
        "a dense layer before the last",
        FLATTEN,
        FLATTEN + '        layers.Dense(16, activation="relu"),\n',
        "nothing-beyond-encoder",
        "dense layer",
        "second-dense-layer",
    ),
    changed(
        "a rescaling",
        INPUT,
        INPUT + "        layers.Rescaling(1 / 255),\n",
        "nothing-beyond-encoder",
        "Rescaling",
        "Rescaling-layer",
        waits=SLOW,
    ),
]
