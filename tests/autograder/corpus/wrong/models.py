"""Wrong models and compilations: questions 4, 6, 7 and 8."""

from corpus.variant import Answer, Lost, Replaced, wrong
from corpus.wrong.comparison import ALL, BEST, FOUR, MEASURED, WIDE
from corpus.wrong.encoder import NO_CHAIN, NO_CODES

COMPILE = 'model.compile(optimizer="adam", loss="mse")'
NO_MAP = NO_CODES[2:]  # of three values a point, the reference's two variables can not be made
# It raises in the first training, so that no dimension is compared with another one.
NO_SWEEP = dict.fromkeys((FOUR, WIDE, MEASURED, BEST), "compile")
# Each cell that compiles stops there.
NOTHING_COMPILED = (
    "fit/training-images-as-input",
    "fit/the-same-images-as-target",
    "fit/batch-size",
    "fit/epochs",
    "fit/compiled-first",
    "fit-denoiser/noisy-images-as-input",
    "fit-denoiser/clean-images-as-target",
    "fit-denoiser/fresh-weights",
    "fit-denoiser/two-latent-dimensions",
    "fit-denoiser/batch-size-of-the-denoiser",
    "fit-denoiser/epochs-of-the-denoiser",
    *ALL,
)
NO_LOSS_TO_JUDGE = {"compile/loss-is-mean-squared-error": "compile"}
CHAIN = "build_autoencoder(encoder, decoder)"


def loss(name: str, new: str, check: str, finding: str | None, says: str = "", **more):
    """Return a compilation with another loss."""
    fails = {f"compile/{check}": Lost(finding, says)}
    changed = Replaced("compile", COMPILE, f"model.compile({new})")
    skips = NO_LOSS_TO_JUDGE if check == "loss-compares-pixels" else {}
    return wrong(f"compile, {name}", changed, fails=fails, skips=skips | more.pop("skips", {}), **more)


def for_classes(name: str, new: str, says: str, **more):
    """Return a compilation for classes."""
    return loss(name, new, "loss-compares-pixels", "classification-loss", says, **more)


def other(name: str, new: str, says: str):
    """Return a compilation with another loss for pixels than the statement's usual choice."""
    return loss(name, new, "loss-is-mean-squared-error", "other-loss", says)


VARIANTS = [
    # the named models
    wrong(
        "encoder for three numbers",
        Replaced("encoder-size", "build_encoder(2)", "build_encoder(3)"),
        fails={"encoder-size/encoder-gives-two-numbers": Lost(says="two numbers expected")},
        skips=dict.fromkeys((*NO_CHAIN[:9], *NO_MAP), "encoder-size"),
        says=("as many values an image as your encoder gives",),
    ),
    wrong(
        "encoder of other layers",
        Answer(
            "encoder-size",
            "encoder = Sequential([\n    Input((28, 28, 1)), layers.Flatten(), layers.Dense(2, activation='tanh')\n])\n"
            "encoder.summary()\n",
        ),
        fails={"encoder-size/encoder-is-built-by-the-function": Lost(says="other layers")},
    ),
    wrong(
        "decoder for three numbers",
        Replaced("decoder-size", "build_decoder(2)", "build_decoder(3)"),
        fails={"decoder-size/decoder-takes-two-numbers": Lost(says="(2,) expected")},
        skips=dict.fromkeys(NO_CHAIN[:9], "decoder-size"),
    ),
    wrong(
        "decoder of other layers",
        Answer(
            "decoder-size",
            "decoder = Sequential([\n    Input((2,)), layers.Dense(784, activation='relu'), layers.Reshape((28, 28, 1))\n])\n"
            "decoder.summary()\n",
        ),
        fails={"decoder-size/decoder-is-built-by-the-function": Lost(says="other layers")},
    ),
    wrong(
        "both for three numbers",
        Replaced("encoder-size", "build_encoder(2)", "build_encoder(3)"),
        Replaced("decoder-size", "build_decoder(2)", "build_decoder(3)"),
        fails={"encoder-size/encoder-gives-two-numbers": None, "decoder-size/decoder-takes-two-numbers": None},
        skips=dict.fromkeys(NO_MAP, "encoder-size"),
        says=("as many values an image as your encoder gives",),
    ),
    # the chain
    wrong(
        "chain of new models",
        Replaced("autoencoder", CHAIN, "build_autoencoder(build_encoder(2), build_decoder(2))"),
        fails={
            "autoencoder/autoencoder-contains-the-two": Lost("chained-other-models", "does not contain your encoder")
        },
        says=("not a part of your autoencoder",),
    ),
    wrong(
        "chain with another decoder",
        Replaced("autoencoder", CHAIN, "build_autoencoder(encoder, build_decoder(2))"),
        fails={
            "autoencoder/autoencoder-contains-the-two": Lost("chained-other-models", "does not contain your decoder")
        },
    ),
    wrong(
        "a layer between the two",
        Replaced("autoencoder", CHAIN, "Sequential([encoder, layers.Dense(2), decoder])"),
        fails={"autoencoder/autoencoder-is-the-chain": Lost(says="other layers")},
        skips=dict.fromkeys(NO_CHAIN[1:3], "autoencoder"),
    ),
    wrong(
        "the decoder left out of the chain",
        Replaced("autoencoder", CHAIN, "Model(encoder.inputs, encoder.outputs)"),
        fails={"autoencoder/autoencoder-is-the-chain": Lost(says="other layers")},
        skips=dict.fromkeys(NO_CHAIN[1:3], "autoencoder") | {"reconstructions/reconstructions": "autoencoder"},
    ),
    wrong(
        "the chain the wrong way round",
        Replaced("autoencoder", CHAIN, "build_autoencoder(decoder, encoder)"),
        fails={NO_CHAIN[0]: Lost(says="There is no model named autoencoder")},
        skips=dict.fromkeys(NO_CHAIN[1:9], "autoencoder"),
    ),
    # the compilation
    for_classes("categorical cross-entropy", 'optimizer="adam", loss="categorical_crossentropy"', "compares classes"),
    for_classes(
        "sparse categorical cross-entropy",
        'optimizer="adam", loss="sparse_categorical_crossentropy"',
        "compares classes",
        skips=NO_SWEEP,
    ),
    for_classes("a class for classes", "loss=keras.losses.CategoricalCrossentropy()", "compares classes"),
    for_classes("hinge", 'optimizer="adam", loss="hinge"', "compares classes"),
    other("mean absolute error", 'optimizer="adam", loss="mae"', "the mean squared error was expected"),
    other(
        "binary cross-entropy", 'optimizer="adam", loss="binary_crossentropy"', "the mean squared error was expected"
    ),
    other("huber", 'optimizer="adam", loss=keras.losses.Huber()', "the mean squared error was expected"),
    loss("no loss", 'optimizer="adam"', "loss-compares-pixels", "no-loss", "without a loss", skips=NO_SWEEP),
    loss(
        "an unknown loss", 'optimizer="adam", loss="mse_loss"', "loss-compares-pixels", None, "mse_loss", skips=NO_SWEEP
    ),
    wrong(
        "compile, accuracy for the loss",
        Replaced("compile", COMPILE, 'model.compile(optimizer="adam", loss="accuracy")'),
        fails={"compile/loss-compares-pixels": None},
        skips=NO_LOSS_TO_JUDGE | NO_SWEEP,
    ),
    wrong(
        "compile, a loss of her own",
        Replaced(
            "compile", COMPILE, 'model.compile(optimizer="adam", loss=lambda y, out: keras.ops.mean((y - out) ** 4))'
        ),
        fails={},
        waits=dict.fromkeys(("compile/loss-compares-pixels", "compile/loss-is-mean-squared-error"), "can judge"),
        mentions=("custom-loss",),
    ),
    wrong(
        "compile, another model than the argument",
        Replaced("compile", COMPILE, 'autoencoder.compile(optimizer="adam", loss="mse")'),
        fails={"compile/loss-compares-pixels": Lost("compiles-another-model", "use its argument", cost=0.5)},
        skips={"fit-denoiser/epochs-of-the-denoiser": "compile", **NO_SWEEP},
    ),
    wrong(
        "compile, nothing but a sentence",
        Replaced("compile", COMPILE, 'print("compiled")'),
        fails=dict.fromkeys(
            ("compile/loss-compares-pixels", "compile/loss-is-mean-squared-error"),
            Lost(says="never calls model.compile"),
        ),
        skips={"fit/compiled-first": "compile", "fit-denoiser/epochs-of-the-denoiser": "compile", **NO_SWEEP},
    ),
    wrong(
        "compile, raises an error of its own",
        Replaced("compile", COMPILE, 'model.compile(optimizer="adam", loss=mean_squared_error)'),
        fails=dict.fromkeys(
            ("compile/loss-compares-pixels", "compile/loss-is-mean-squared-error"), Lost(says="mean_squared_error")
        ),
        skips=dict.fromkeys(NOTHING_COMPILED, "compile"),
    ),
]
