"""The hidden checks of the architecture and of compile: right variants pass, each mistake fails its own check alone.

The evidence comes from real Keras models, described as the sandboxed child describes them.
"""

import shutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import keras
import pytest
from keras import Input, Model, Sequential, layers
from keras_evidence import QUESTIONS, Recorder, cells

from autograder import assignment as assignments
from autograder.checks import points, session

COURSE = Path(__file__).parents[2]
FILES = (
    "conftest.py", "consequences.py", "designs.py", "statement.py", "test_encoder_and_decoder.py",
    "test_compilation.py",
)  # fmt: skip


def encoder_layers(d, *, filters=(8, 16, 32), kernel=(2, 2), activation="relu"):
    convolutions = [layers.Conv2D(count, kernel, activation=activation) for count in filters]
    return [
        Input((28, 28, 1)), convolutions[0], layers.MaxPooling2D((2, 2)), convolutions[1],
        layers.MaxPooling2D((2, 2)), convolutions[2], layers.Flatten(), layers.Dense(d, activation="tanh"),
    ]  # fmt: skip


def decoder_layers(d):
    return [
        Input((d,)), layers.Dense(7 * 7 * 8, activation="tanh"), layers.Reshape((7, 7, 8)),
        layers.Conv2DTranspose(8, (2, 2), strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(1, (2, 2), strides=2, padding="same", activation="relu"),
    ]  # fmt: skip


def changed(base, *changes):
    """Return a builder: ``base`` with (position, new layers) changed; position 0 is the input."""

    def build(d):
        stack = [[layer] for layer in base(d)]
        for position, make in changes:
            new = make(d)
            stack[position] = new if isinstance(new, list) else [new]
        return Sequential([layer for group in stack for layer in group])

    return build


def conv(count=16, kernel=2, **more):
    return lambda d: layers.Conv2D(count, kernel, **{"activation": "relu", **more})


def up(count=8, kernel=2, **more):
    settings = {"strides": 2, "padding": "same", "activation": "relu", **more}
    return lambda d: layers.Conv2DTranspose(count, kernel, **settings)


def nothing(d):
    return []


def functional(make):
    """Return a builder of the same layers as a functional model."""

    def build(d):
        start, *rest = make(d)
        tensor = start
        for layer in rest:
            tensor = layer(tensor)
        return Model(start, tensor)

    return build


def nested(make):
    """Return a builder that puts the second half of the layers in a model of their own."""

    def build(d):
        stack = make(d)
        return Sequential([*stack[:3], Sequential(stack[3:])])

    return build


def added_one_by_one(make):
    def build(d):
        model = Sequential(name=f"my_{make.__name__}")
        for layer in make(d):
            model.add(layer)
        return model

    return build


def with_input_shape_argument(d):
    with pytest.warns(UserWarning, match="input_shape"):
        first = layers.Conv2D(8, 2, activation="relu", input_shape=(28, 28, 1))
    return Sequential([first, *encoder_layers(d)[2:]])


def encoder(*changes):
    return changed(encoder_layers, *changes)


def decoder(*changes):
    return changed(decoder_layers, *changes)


def separate_activations(make):
    """Return a builder in which each activation is a layer of its own."""

    def build(d):
        stack = []
        for layer in make(d):
            config = layer.get_config() if isinstance(layer, layers.Layer) else {}
            if config.get("activation") in ("relu", "tanh"):
                bare = type(layer).from_config({**config, "activation": "linear"})
                name = config["activation"]
                stack += [bare, layers.ReLU() if name == "relu" else layers.Activation(name)]
            else:
                stack.append(layer)
        return Sequential(stack)

    return build


def relu_after_pooling(d):
    return Sequential([
        Input((28, 28, 1)), layers.Conv2D(8, 2), layers.MaxPool2D(2), layers.Activation("relu"),
        layers.Conv2D(16, 2), layers.MaxPool2D(), layers.Activation("relu"),
        layers.Conv2D(32, 2, activation=keras.activations.relu), layers.Reshape((-1,)), layers.Dense(d, "tanh"),
    ])  # fmt: skip


@cache
def kept(build, dimension):
    """Build a model of the reference once for all tests: they only read it."""
    return build(dimension)


REFERENCE_ENCODER, REFERENCE_DECODER = encoder(), decoder()


class OwnModel(keras.Model):
    def __init__(self, d):
        super().__init__()
        self.inside = Sequential(encoder_layers(d))

    def call(self, inputs):
        # What is computed outside of layers has no place in a list of them.
        return 1.0 * self.inside(inputs)


@dataclass
class Work:
    """What a student made; the reference, unless something else is said."""

    build_encoder: object = staticmethod(lambda d: kept(REFERENCE_ENCODER, d))
    build_decoder: object = staticmethod(lambda d: kept(REFERENCE_DECODER, d))
    encoder: object = None
    decoder: object = None
    chain: object = None
    compile: object = staticmethod(lambda model: model.compile(optimizer="adam", loss="mse"))
    extra: dict = field(default_factory=dict)


def small_model():
    pixels = Input((28, 28, 1))
    return Model(pixels, layers.Dense(1)(pixels))


def build_autoencoder(encoder, decoder):
    image = Input((28, 28, 1))
    return Model(inputs=image, outputs=decoder(encoder(image)))


def attempt(make):
    try:
        return make()
    except Exception:
        return None


def evidence_of(work):
    recorder = Recorder()
    recorder.builder("build-encoder", "build_encoder", work.build_encoder)
    recorder.builder("build-decoder", "build_decoder", work.build_decoder)
    encoder = attempt(work.encoder or (lambda: work.build_encoder(2)))
    decoder = attempt(work.decoder or (lambda: work.build_decoder(2)))
    recorder.model("encoder-size", "encoder", encoder)
    recorder.model("decoder-size", "decoder", decoder)
    chained = attempt(lambda: (work.chain or build_autoencoder)(encoder, decoder))
    if chained is None:
        recorder.value("autoencoder", "autoencoder", kind="missing")
    else:
        recorder.model("autoencoder", "autoencoder", chained)
    compile_function = work.compile
    if work.extra.get("compiles_autoencoder"):
        compile_function = lambda model: chained.compile(loss="mse")  # noqa: E731
    recorder.compiler(compile_function, small_model())
    return recorder.evidence


@dataclass(frozen=True)
class Course:
    assignment: object
    checks: Path


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The assignment with the checks of these questions alone, so that nothing is trained here."""
    root = tmp_path_factory.mktemp("course")
    shutil.copytree(COURSE / "source", root / "source")
    checks = root / "tests" / "autoencoders"
    checks.mkdir(parents=True)
    for name in FILES:
        shutil.copy(COURSE / "tests" / "autoencoders" / name, checks)
    return Course(assignments.load(root, "autoencoders"), checks)


@pytest.fixture
def graded(course):
    def grade(work, **sources):
        return session.run(course.assignment, evidence_of(work), session.Context(cells=cells(**sources)))

    return grade


def shown(results):
    """The networks that are shown, by name."""
    return {one.name: one for result in results for one in result.exhibits}


@pytest.mark.parametrize(
    ("work", "name", "statuses", "difference"),
    [
        (Work(), "Encoder", {"as stated"}, None),
        (Work(encoder((3, conv(32)))), "Encoder", {"as stated", "different"}, "second convolution: 16 filters"),
        (Work(encoder((4, nothing))), "Encoder", {"as stated", "missing"}, "second max-pooling: missing"),
        (
            Work(encoder((5, lambda d: [layers.Conv2D(32, 2, activation="relu"), layers.MaxPooling2D(2)]))),
            "Encoder", {"as stated", "extra"}, "a third max-pooling",
        ),
        (Work(build_decoder=decoder((4, up(3)))), "Decoder", {"as stated", "different"}, "1 filter expected, 3 found"),
    ],
)  # fmt: skip
def test_a_network_is_shown_beside_the_statement_with_what_differs(graded, work, name, statuses, difference):
    network = shown(graded(work))[name]
    assert {layer.status for layer in network.layers} == statuses
    assert (difference is None) == (network.differences == ())
    assert difference is None or difference in network.differences[0]


def test_the_sizes_that_are_shown_are_those_of_keras(graded):
    build = encoder((1, conv(8, padding="same")), (3, conv(16, padding="same")), (5, conv(32, padding="same")))
    networks = shown(graded(Work(build)))
    network, built = networks["Encoder"], build(2)
    assert [layer.parameters for layer in network.layers] == [layer.count_params() for layer in built.layers]
    assert [layer.output for layer in network.layers] == [tuple(layer.output.shape[1:]) for layer in built.layers]
    stated = sum(layer.stated_parameters for layer in network.layers)
    assert (stated, sum(layer.stated_parameters for layer in networks["Decoder"].layers)) == (4250, 1473)


def test_equal_networks_have_one_digest_whatever_their_names_and_first_weights(graded):
    works = [
        Work(),
        Work(encoder((3, conv(16, name="mine", kernel_initializer="he_normal", kernel_regularizer="l2")))),
        Work(functional(encoder_layers)),
        Work(encoder((3, conv(32)))),
    ]
    plain, named, chained, other = (shown(graded(work))["Encoder"].digest for work in works)
    assert plain == named == chained != other


def test_layers_that_can_not_be_read_are_not_shown_and_cost_nothing_more(graded):
    class Mine(layers.Dense):
        pass

    results = graded(Work(encoder((7, lambda d: Mine(d, activation="tanh")))))
    assert "Encoder" not in shown(results) and "Decoder" in shown(results)
    assert not [result for result in results if "mistake of its own" in result.message]


def not_passed(results, *statuses):
    return {result.id.partition("/")[2] for result in results if result.status in (statuses or ("failed",))}


RIGHT = {
    "the reference": Work(),
    "functional": Work(functional(encoder_layers), functional(decoder_layers)),
    "nested": Work(nested(encoder_layers), nested(decoder_layers)),
    "add": Work(added_one_by_one(encoder_layers), added_one_by_one(decoder_layers)),
    "same padding": Work(
        encoder((1, conv(8, padding="same")), (3, conv(16, padding="same")), (5, conv(32, padding="same")))
    ),
    "padding of one convolution and one pooling": Work(
        encoder((3, conv(padding="same")), (4, lambda d: layers.MaxPool2D(2, padding="same")))
    ),
    "input_shape argument": Work(with_input_shape_argument),
    "activation layers": Work(separate_activations(encoder_layers), separate_activations(decoder_layers)),
    "relu after pooling, Reshape((-1,))": Work(relu_after_pooling),
    "other initialisers, names and regularisers": Work(
        encoder((3, conv(16, name="mine", kernel_initializer="he_normal", kernel_regularizer="l2")))
    ),
    "decoder with valid padding": Work(build_decoder=decoder((3, up(padding="valid")), (4, up(1, padding="valid")))),
    "reshape that works out a side": Work(build_decoder=decoder((2, lambda d: layers.Reshape((7, 7, -1))))),
    "ints for tuples": Work(encoder((1, conv(8, (2, 2), strides=1)), (2, lambda d: layers.MaxPooling2D(2, 2)))),
    "relu twice": Work(encoder((1, lambda d: [layers.Conv2D(8, 2, activation="relu"), layers.ReLU()]))),
    "an inline Model": Work(chain=lambda encoder, decoder: Model(encoder.inputs, decoder(encoder.outputs[0]))),
    "a Sequential of two": Work(chain=lambda encoder, decoder: Sequential([encoder, decoder])),
    "the class of the loss": Work(compile=lambda m: m.compile("sgd", keras.losses.MeanSquaredError())),
    "the function of the loss": Work(compile=lambda m: m.compile("rmsprop", keras.losses.mean_squared_error)),
    "the long name": Work(compile=lambda m: m.compile(loss="mean_squared_error", metrics=["mae"])),
    "the alias": Work(compile=lambda m: m.compile(loss=["MSE"], optimizer=keras.optimizers.Adam(0.01))),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_variant_passes_every_check(graded, name):
    results = graded(RIGHT[name])
    assert {
        (result.id, result.message) for result in results if result.question in QUESTIONS and result.status != "passed"
    } == set()
    assert len([result for result in results if result.question in QUESTIONS]) == 28


# What a student does wrong, the one check that fails, and words that its message must hold.
MISTAKES = {
    # the encoder
    "first convolution: 16 filters": (
        Work(encoder((1, conv(16)))),
        "first-convolution",
        "8 filters expected, 16 found",
    ),
    "second convolution: 32 filters": (
        Work(encoder((3, conv(32)))),
        "second-convolution",
        "Second convolution: 16 filters expected, 32 found",
    ),
    "third convolution: 64 filters": (
        Work(encoder((5, conv(64)))),
        "third-convolution",
        "32 filters expected, 64 found",
    ),
    "first convolution: 3 x 3": (
        Work(encoder((1, conv(8, 3)))),
        "first-convolution",
        "kernel of 2 x 2 expected, 3 x 3",
    ),
    "second convolution: 3 x 3": (Work(encoder((3, conv(16, 3)))), "second-convolution", "3 x 3 found"),
    "third convolution: 1 x 2": (Work(encoder((5, conv(32, (1, 2))))), "third-convolution", "1 x 2 found"),
    "first convolution: no relu": (
        Work(encoder((1, conv(8, activation=None)))),
        "first-convolution",
        "relu expected, none found",
    ),
    "second convolution: tanh": (Work(encoder((3, conv(activation="tanh")))), "second-convolution", "tanh found"),
    "third convolution: sigmoid": (Work(encoder((5, conv(32, activation="sigmoid")))), "third-convolution", "sigmoid"),
    "second convolution: strides": (
        Work(encoder((3, conv(strides=2)))),
        "second-convolution",
        "strides of 1 x 1 expected",
    ),
    "second convolution: dilation": (Work(encoder((3, conv(dilation_rate=2)))), "second-convolution", "dilation"),
    "second convolution: two mistakes in one layer": (
        Work(encoder((3, conv(24, 3, activation="elu")))),
        "second-convolution",
        "16 filters expected, 24 found; ",
    ),
    "second convolution: depthwise separable": (
        Work(encoder((3, lambda d: layers.SeparableConv2D(16, 2, activation="relu")))),
        "second-convolution",
        "a separable convolution found",
    ),
    "first max-pooling: 3 x 3": (
        Work(encoder((2, lambda d: layers.MaxPool2D(3)))),
        "first-max-pooling",
        "window of 2 x 2 expected, 3 x 3 found",
    ),
    "second max-pooling: average": (
        Work(encoder((4, lambda d: layers.AveragePooling2D(2)))),
        "second-max-pooling",
        "an average pooling found",
    ),
    "second max-pooling: strides of 1": (
        Work(encoder((4, lambda d: layers.MaxPool2D(2, strides=1)))),
        "second-max-pooling",
        "strides of 2 x 2",
    ),
    "first convolution missing": (Work(encoder((1, nothing))), "first-convolution", "First convolution: missing"),
    "first max-pooling missing": (Work(encoder((2, nothing))), "first-max-pooling", "missing"),
    "second convolution missing": (Work(encoder((3, nothing))), "second-convolution", "missing"),
    "second max-pooling missing": (Work(encoder((4, nothing))), "second-max-pooling", "missing"),
    "third convolution missing": (Work(encoder((5, nothing))), "third-convolution", "missing"),
    "flatten missing": (Work(encoder((6, nothing))), "flatten-layer", "missing"),
    "global pooling for flatten": (
        Work(encoder((6, lambda d: layers.GlobalMaxPooling2D()))),
        "flatten-layer",
        "a global max-pooling found",
    ),
    "dense missing": (Work(encoder((7, nothing))), "dense-layer-of-encoder", "missing"),
    "dense: no tanh": (Work(encoder((7, layers.Dense))), "dense-layer-of-encoder", "tanh expected, none found"),
    "dense: relu": (
        Work(encoder((7, lambda d: layers.Dense(d, "relu")))),
        "dense-layer-of-encoder",
        "tanh expected, relu found",
    ),
    "latent dimension fixed at 2": (
        Work(encoder((7, lambda d: layers.Dense(2, "tanh")))),
        "latent-dimension-of-encoder",
        "build_encoder(7) ends with 2 neurons",
    ),
    "latent dimension fixed at 10": (
        Work(encoder((7, lambda d: layers.Dense(10, "tanh")))),
        "latent-dimension-of-encoder",
        "ends with 10 neurons",
    ),
    "one neuron too many": (
        Work(encoder((7, lambda d: layers.Dense(d + 1, "tanh")))),
        "latent-dimension-of-encoder",
        "3 neurons; 2 expected",
    ),
    "filters follow the latent dimension": (
        Work(encoder((1, lambda d: layers.Conv2D(4 * d, 2, activation="relu")))),
        "first-convolution",
        "28 found (with build_encoder(7))",
    ),
    "a third max-pooling": (
        Work(encoder((5, lambda d: [layers.Conv2D(32, 2, activation="relu"), layers.MaxPool2D(2)]))),
        "nothing-beyond-encoder",
        "A third max-pooling, after the third convolution, which the statement",
    ),
    "a dropout": (
        Work(encoder((6, lambda d: [layers.Flatten(), layers.Dropout(0.2)]))),
        "nothing-beyond-encoder",
        "A dropout, after",
    ),
    "a fourth convolution": (
        Work(encoder((5, lambda d: [conv(32)(d), conv(64)(d)]))),
        "nothing-beyond-encoder",
        "A fourth convolution",
    ),
    "a dense layer before the last": (
        Work(encoder((6, lambda d: [layers.Flatten(), layers.Dense(16, "relu")]))),
        "nothing-beyond-encoder",
        "dense layer",
    ),
    "first two layers exchanged": (
        Work(encoder((1, lambda d: layers.MaxPool2D(2)), (2, conv(8)))),
        "order-of-encoder",
        "another place",
    ),
    "filters of two convolutions exchanged": (
        Work(encoder((1, conv(16)), (3, conv(8)))),
        "order-of-encoder",
        "first convolution and the second convolution",
    ),
    "second max-pooling after the third convolution": (
        Work(encoder((4, conv(32)), (5, lambda d: layers.MaxPool2D(2)))),
        "order-of-encoder",
        "another place",
    ),
    "no input shape": (Work(encoder((0, nothing))), "input-shape-of-encoder", "(28, 28, 1) expected, none found"),
    "another input shape": (
        Work(encoder((0, lambda d: Input((32, 32, 1))))),
        "input-shape-of-encoder",
        "(32, 32, 1) found",
    ),
    # the decoder
    "dense: 7 * 7 * 4 neurons": (
        Work(build_decoder=decoder((1, lambda d: layers.Dense(196, "tanh")), (2, lambda d: layers.Reshape((7, 7, 4))))),
        {"dense-layer-of-decoder", "reshape-layer"},
        "392 neurons expected, 196 found",
    ),
    "decoder's dense: relu": (
        Work(build_decoder=decoder((1, lambda d: layers.Dense(392, "relu")))),
        "dense-layer-of-decoder",
        "relu found",
    ),
    "decoder's dense: no activation": (
        Work(build_decoder=decoder((1, lambda d: layers.Dense(392)))),
        "dense-layer-of-decoder",
        "none found",
    ),
    "reshape to (14, 14, 2)": (
        Work(build_decoder=decoder((2, lambda d: layers.Reshape((14, 14, 2))))),
        "reshape-layer",
        "the shape (7, 7, 8) expected, (14, 14, 2) found",
    ),
    "transposed convolution: 16 filters": (
        Work(build_decoder=decoder((3, up(16)))),
        "first-transposed-convolution",
        "8 filters expected, 16 found",
    ),
    "transposed convolution: 3 x 3": (
        Work(build_decoder=decoder((3, up(8, 3)))),
        "first-transposed-convolution",
        "3 x 3 found",
    ),
    "transposed convolution: no strides": (
        Work(build_decoder=decoder((3, up(strides=1)))),
        "first-transposed-convolution",
        "strides of 2 x 2 expected, 1 x 1",
    ),
    "transposed convolution: no activation": (
        Work(build_decoder=decoder((3, up(activation=None)))),
        "first-transposed-convolution",
        "none found",
    ),
    "transposed convolution: valid padding and strides of 1": (
        Work(build_decoder=decoder((3, up(strides=1, padding="valid")))),
        "first-transposed-convolution",
        "same padding",
    ),
    "a convolution for the transposed one": (
        Work(build_decoder=decoder((3, conv(8, padding="same")))),
        "first-transposed-convolution",
        "a convolution found",
    ),
    "an up-sampling and a convolution for the transposed one": (
        Work(build_decoder=decoder((3, lambda d: [layers.UpSampling2D(2), conv(8, padding="same")(d)]))),
        "first-transposed-convolution",
        "a convolution found",
    ),
    "last layer: 3 filters": (
        Work(build_decoder=decoder((4, up(3)))),
        "second-transposed-convolution",
        "1 filter expected, 3 found",
    ),
    "last layer: sigmoid": (
        Work(build_decoder=decoder((4, up(1, activation="sigmoid")))),
        "second-transposed-convolution",
        "sigmoid found",
    ),
    "last layer missing": (Work(build_decoder=decoder((4, nothing))), "second-transposed-convolution", "missing"),
    "one layer more": (
        Work(build_decoder=decoder((4, lambda d: [up(1)(d), conv(1, padding="same")(d)]))),
        "nothing-beyond-decoder",
        "A convolution, after the second transposed convolution",
    ),
    "decoder without input shape": (
        Work(build_decoder=decoder((0, nothing))),
        "input-shape-of-decoder",
        "(latent_dimension,) expected, none found",
    ),
    "decoder fixed at 2": (
        Work(build_decoder=decoder((0, lambda d: Input((2,))))),
        "latent-dimension-of-decoder",
        "build_decoder(7) takes inputs of shape (2,)",
    ),
    "decoder's last two exchanged": (
        Work(build_decoder=decoder((3, up(1)), (4, up(8)))),
        "order-of-decoder",
        "another place",
    ),
    # the sizes, and the chain
    "encoder for 3": (
        Work(encoder=lambda: encoder()(3), chain=lambda e, d: build_autoencoder(e, decoder()(3))),
        {"encoder-gives-two-numbers", "autoencoder-contains-the-two"},
        "two numbers expected",
    ),
    "decoder for 3": (
        Work(decoder=lambda: decoder()(3), chain=lambda e, d: build_autoencoder(encoder()(3), d)),
        {"decoder-takes-two-numbers", "autoencoder-contains-the-two"},
        "(2,) expected",
    ),
    "larger images": (
        Work(
            encoder=lambda: encoder((0, lambda d: Input((29, 29, 1))))(2),
            chain=lambda e, d: Sequential([Input((29, 29, 1)), e, d]),
        ),
        "autoencoder-goes-from-image-to-image",
        "(28, 28, 1) expected",
    ),
    "another encoder": (
        Work(encoder=lambda: encoder((5, conv(16)))(2)),
        "encoder-is-built-by-the-function",
        "other layers than",
    ),
    "another decoder": (
        Work(decoder=lambda: decoder((4, up(1, activation="sigmoid")))(2)),
        "decoder-is-built-by-the-function",
        "other layers",
    ),
    "chain of fresh models": (
        Work(chain=lambda e, d: build_autoencoder(encoder()(2), decoder()(2))),
        "autoencoder-contains-the-two",
        "does not contain your encoder",
    ),
    "only the encoder": (
        Work(chain=lambda e, d: Model(e.inputs, e.outputs)),
        "autoencoder-is-the-chain",
        "not your encoder",
    ),
    "a layer between the two": (
        Work(chain=lambda e, d: Sequential([e, layers.Dense(2), d])),
        "autoencoder-is-the-chain",
        "other layers",
    ),
    # compile
    "mean absolute error": (
        Work(compile=lambda m: m.compile(loss="mae")),
        "loss-is-mean-squared-error",
        "mean squared error was expected",
    ),
    "binary cross-entropy": (
        Work(compile=lambda m: m.compile(loss=keras.losses.BinaryCrossentropy())),
        "loss-is-mean-squared-error",
        "can rebuild",
    ),
    "a loss for classes": (
        Work(compile=lambda m: m.compile(loss="sparse_categorical_crossentropy")),
        "loss-compares-pixels",
        "classes",
    ),
    "no loss": (Work(compile=lambda m: m.compile(optimizer="adam")), "loss-compares-pixels", "without a loss"),
    "a name that Keras does not know": (Work(compile=lambda m: m.compile(loss="msee")), "loss-compares-pixels", "msee"),
    "compiles the autoencoder": (
        Work(extra={"compiles_autoencoder": True}),
        "loss-compares-pixels",
        "use its argument",
    ),
}


CHAIN = {"autoencoder-is-the-chain", "autoencoder-goes-from-image-to-image", "autoencoder-contains-the-two"}
# What can not be judged, or is part of what the failed check says: skipped, and nothing lost by it.
CONSEQUENCES = {
    **dict.fromkeys(
        ("flatten missing", "latent dimension fixed at 10", "one neuron too many", "another input shape"), CHAIN
    ),
    "dense missing": {"latent-dimension-of-encoder", *CHAIN},
    "decoder without input shape": {"latent-dimension-of-decoder"},
    "only the encoder": CHAIN - {"autoencoder-is-the-chain"},
    "a layer between the two": CHAIN - {"autoencoder-is-the-chain"},
    "a loss for classes": {"loss-is-mean-squared-error"},
    "no loss": {"loss-is-mean-squared-error"},
    "a name that Keras does not know": {"loss-is-mean-squared-error"},
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_fails_its_own_check_alone(graded, name):
    work, expected, words = MISTAKES[name]
    results = graded(work)
    expected = {expected} if isinstance(expected, str) else expected
    assert not_passed(results) == expected
    assert not_passed(results, "needs_review") == set(), [r.message for r in results if r.status == "needs_review"]
    assert not_passed(results, "skipped") <= CONSEQUENCES.get(name, set())
    assert words in " ".join(result.message for result in results if result.status == "failed")


# Two mistakes at once: (change of the encoder, the check that fails).
SINGLE = [
    ((1, conv(9)), "first-convolution"),
    ((2, lambda d: layers.AveragePooling2D(2)), "first-max-pooling"),
    ((3, conv(16, activation=None)), "second-convolution"),
    ((4, nothing), "second-max-pooling"),
    ((5, nothing), "third-convolution"),
    ((6, lambda d: [layers.Flatten(), layers.Dropout(0.1)]), "nothing-beyond-encoder"),
    ((7, lambda d: layers.Dense(2, "tanh")), "latent-dimension-of-encoder"),
    ((0, nothing), "input-shape-of-encoder"),
]


@pytest.mark.parametrize("first", range(len(SINGLE)))
def test_two_mistakes_fail_their_two_checks(graded, first):
    second = (first + 3) % len(SINGLE)
    changes, checks = zip(SINGLE[first], SINGLE[second], strict=True)
    assert not_passed(graded(Work(encoder(*changes)))) == set(checks)


def score_of(course, results, question):
    (found,) = (one for one in points.questions(course.assignment, results) if one.id == question)
    return found.score, found.awaiting_review, found.status


@pytest.mark.parametrize(
    ("name", "question", "expected"),
    [
        ("the reference", "build-encoder", (15.0, 0.0, "passed")),
        ("the reference", "compile", (8.0, 0.0, "passed")),
        ("a third max-pooling", "build-encoder", (14.0, 0.0, "partial")),
        ("second convolution missing", "build-encoder", (13.0, 0.0, "partial")),
        ("decoder fixed at 2", "build-decoder", (13.0, 0.0, "partial")),
        ("mean absolute error", "compile", (4.0, 0.0, "partial")),
        ("compiles the autoencoder", "compile", (6.0, 0.0, "partial")),
        ("a loss for classes", "compile", (0.0, 0.0, "failed")),
        ("latent dimension fixed at 10", "autoencoder", (0.0, 4.0, "skipped")),
    ],
)
def test_points_follow_the_weights(graded, course, name, question, expected):
    work = RIGHT[name] if name in RIGHT else MISTAKES[name][0]
    assert score_of(course, graded(work), question) == expected


def test_the_cost_of_a_layer_too_many_is_a_setting(graded, course):
    file = course.checks / "test_encoder_and_decoder.py"
    before = file.read_text()
    file.write_text(before.replace('"third-max-pooling": 1.0', '"third-max-pooling": 0'))
    try:
        results = graded(MISTAKES["a third max-pooling"][0])
    finally:
        file.write_text(before)
    (result,) = (result for result in results if result.id == "build-encoder/nothing-beyond-encoder")
    assert (result.status, result.finding) == ("passed", "third-max-pooling")
    assert result.message.startswith("A third max-pooling, after the third convolution")


# What the grader can not know waits for a person


class Dense(layers.Dense):
    """A class of the notebook's own under the name of Keras's."""


UNKNOWN = {
    "a subclassed model": OwnModel,
    "a Lambda layer": encoder((6, lambda d: [layers.Lambda(lambda x: x), layers.Flatten()])),
    "a class of one's own": encoder((7, lambda d: Dense(d, activation="tanh"))),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_waits_for_a_person(graded, course, name):
    results = graded(Work(UNKNOWN[name]))
    assert not_passed(results, "failed") == set()
    assert score_of(course, results, "build-encoder") == (0.0, 15.0, "needs_review")
    told = "It goes from (28, 28, 1) to (2,)." if name != "a subclassed model" else ""
    assert told in next(result.message for result in results if result.id == "build-encoder/first-convolution")
    assert score_of(course, results, "autoencoder") == (0.0, 4.0, "needs_review")
    assert score_of(course, results, "build-decoder") == (15.0, 0.0, "passed")


@pytest.mark.parametrize(
    ("build", "check", "says"),
    [
        (encoder((7, lambda d: Dense(3, activation="tanh"))), "latent-dimension-of-encoder", "(3,); (2,) expected"),
        (encoder((0, lambda d: Input((32, 32, 1))), (7, Dense)), "input-shape-of-encoder", "(32, 32, 1)"),
    ],
)
def test_a_shape_that_is_wrong_is_seen_where_layers_can_not_be_read(graded, build, check, says):
    results = graded(Work(build))
    assert not_passed(results, "failed") == {check}
    assert says in next(result.message for result in results if result.id == f"build-encoder/{check}")


def test_weights_that_do_not_belong_to_the_layers_are_no_right_answer(course):
    evidence = evidence_of(Work())
    position = evidence.value("build-encoder", "latent-2").model
    snapshot = evidence.models[position]
    shapes = (*snapshot.weight_shapes[:-2], (5, 2), (2,))
    evidence.models[position] = snapshot.model_copy(update={"weight_shapes": shapes, "weights": ()})
    results = session.run(course.assignment, evidence, session.Context(cells=cells()))
    assert score_of(course, results, "build-encoder") == (0.0, 0.0, "failed")
    assert "do not belong to its layers" in results[0].message


# Nothing there, or an error in its place


def raising(d):
    raise ValueError("Kernel size must be positive")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (raising, "build_encoder(2) raised ValueError: Kernel size must be positive."),
        (lambda d: None, "build_encoder(2) returns nothing. Does the function end with return?"),
    ],
)
def test_a_builder_that_gives_no_model_pays_once_with_the_reason(graded, course, build, message):
    results = graded(Work(build))
    assert {result.message for result in results if result.question == "build-encoder"} == {message}
    assert score_of(course, results, "build-encoder") == (0.0, 0.0, "failed")
    assert score_of(course, results, "encoder-size") == (0.0, 2.0, "skipped")
    assert score_of(course, results, "autoencoder") == (0.0, 4.0, "skipped")
    assert score_of(course, results, "build-decoder") == (15.0, 0.0, "passed")


def test_a_builder_that_raises_for_other_dimensions_fails_there_alone(graded):
    results = graded(Work(lambda d: encoder()(d) if d == 2 else raising(d)))
    assert not_passed(results) == {"latent-dimension-of-encoder"}
    assert any("build_encoder(7) raised ValueError" in result.message for result in results)


def test_an_empty_answer_is_not_answered_and_no_row_of_errors(graded, course):
    stub = 'def build_encoder(latent_dimension):\n    """Return a new encoder."""\n    # YOUR CODE HERE'
    empty = dict.fromkeys(("encoder_size", "autoencoder", "decoder_size", "compile"), "# YOUR CODE HERE")
    nothing_built = Work(lambda d: None, lambda d: None, compile=lambda model: None)
    results = graded(nothing_built, build_encoder=stub, build_decoder=stub, **empty)
    assert {(result.status, result.message) for result in results} == {("failed", "Not answered.")}
    assert {score_of(course, results, question)[:2] for question in QUESTIONS} == {(0.0, 0.0)}


def test_an_encoder_without_its_function_is_judged_where_it_was_asked_for(graded, course):
    results = graded(Work(raising, encoder=lambda: encoder()(2)))
    assert score_of(course, results, "build-encoder") == (0.0, 0.0, "failed")
    assert score_of(course, results, "encoder-size") == (2.0, 0.0, "passed")
    assert score_of(course, results, "autoencoder") == (4.0, 0.0, "passed")


def own_loss(target, output):
    return keras.ops.mean((target - output) ** 2)


@pytest.mark.parametrize(
    ("compile_function", "expected", "words"),
    [
        (lambda model: model.compile(loss=own_loss), (0.0, 8.0, "needs_review"), "own_loss"),
        (lambda model: None, (0.0, 0.0, "failed"), "never calls model.compile"),
        (raising, (0.0, 0.0, "failed"), "raised ValueError: Kernel size"),
        (lambda model: model.compile(keras.optimizers.Adam(lr=0.1), "mse"), (0.0, 0.0, "failed"), "Keras 2"),
        (lambda model: [model.compile(loss="mae"), model.compile(loss="mse")], (8.0, 0.0, "passed"), ""),
        (lambda model: [model.compile(loss="mse"), model.compile(loss="mae")], (4.0, 0.0, "partial"), "mean absolute"),
    ],
)
def test_compilations_are_judged_by_what_was_given_to_compile(graded, course, compile_function, expected, words):
    results = graded(Work(compile=compile_function))
    assert score_of(course, results, "compile") == expected
    assert words in " ".join(result.message for result in results if result.question == "compile")


def test_a_compilation_without_the_function_is_right_with_a_note(course):
    recorder = Recorder()
    record = {"cell": QUESTIONS.index("compile"), "model_identity": 1, "loss": "mse", "optimizer": "adam"}
    recorder.channel.record("compilation", record)
    recorder.value("compile", "compile", kind="missing")
    results = session.run(course.assignment, recorder.evidence, session.Context(cells=cells()))
    assert score_of(course, results, "compile") == (8.0, 0.0, "passed")
    assert any("without it was graded" in result.message for result in results)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def get_ready(model):\n    model.compile('adam', 'mse')\n", (0.0, 8.0, "needs_review")),
        ("%time\ndef get_ready(model):\n    if model:\n        model.compile()\n", (0.0, 8.0, "needs_review")),
        ("def get_ready(model):\n    return model\n", (0.0, 0.0, "failed")),
        ("def get_ready(model:\n", (0.0, 0.0, "failed")),
    ],
)
def test_a_function_of_another_name_that_compiles_and_was_never_used_waits_for_a_person(course, source, expected):
    recorder = Recorder()
    recorder.channel.record("cell", {"index": QUESTIONS.index("compile"), "status": "ok"})
    recorder.value("compile", "compile", kind="missing")
    results = session.run(course.assignment, recorder.evidence, session.Context(cells=cells(compile=source)))
    assert score_of(course, results, "compile") == expected


def test_a_compilation_beside_a_function_that_was_left_empty_is_right_with_a_note(course):
    recorder = Recorder()
    record = {"cell": QUESTIONS.index("compile"), "model_identity": 1, "loss": "mse", "optimizer": "adam"}
    recorder.channel.record("compilation", record)
    recorder.compiler(lambda model: None, small_model())
    stub = 'def compile_autoencoder(model):\n    """Compile it."""\n    # YOUR CODE HERE'
    results = session.run(course.assignment, recorder.evidence, session.Context(cells=cells(compile=stub)))
    assert score_of(course, results, "compile") == (8.0, 0.0, "passed")
    assert any("without it was graded" in result.message for result in results)


# The fixtures with which an instructor writes


def test_fixtures_are_keras_models_and_arrays(course):
    file = course.checks / "test_added.py"
    file.write_text(
        """
import numpy as np, pytest

@pytest.mark.question("encoder-size")
def test_added(encoder, decoder, autoencoder, encoder_for, decoder_for):
    assert (encoder.count_params(), decoder.count_params(), autoencoder.count_params()) == (4250, 1473, 5723)
    assert encoder_for(7).output_shape == (None, 7) and decoder_for(7).input_shape == (None, 7)
    image = np.zeros((1, 28, 28, 1), "float32")
    assert autoencoder(image).shape == image.shape
"""
    )
    try:
        results = session.run(course.assignment, evidence_of(Work()), session.Context(cells=cells()))
    finally:
        file.unlink()
    assert [result.status for result in results if result.id == "encoder-size/added"] == ["passed"]
