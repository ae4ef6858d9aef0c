"""Questions 3 to 7: the same networks, written in the ways that Keras offers."""

from corpus.variant import Added, Answer, Everywhere, Replaced, no_sweep, right

ENCODER = """\
def build_encoder(latent_dimension):
    return Sequential([
        {first},
        layers.MaxPooling2D((2, 2)),
        layers.Conv2D(16, (2, 2), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Conv2D(32, (2, 2), activation="relu"),
        layers.Flatten(),
        layers.Dense(latent_dimension, activation="tanh"),
    ])
"""
FIRST = 'layers.Conv2D(8, (2, 2), activation="relu"'
INPUT = "Input(shape=(28, 28, 1))"
TRANSPOSED = 'layers.Conv2DTranspose({}, (2, 2), strides=2, padding="same", activation="relu")'


def encoder(name, source, **expected):
    return right(name, Answer("build-encoder", source), **expected)


def decoder(name, source, **expected):
    return right(name, Answer("build-decoder", source), **expected)


def chained(name, written, **expected):
    return right(name, Replaced("autoencoder", "build_autoencoder(encoder, decoder)", written), **expected)


VARIANTS = no_sweep(
    # The input.
    encoder("the first convolution has the input shape", ENCODER.format(first=FIRST + ", input_shape=(28, 28, 1))")),
    encoder(
        "the first layer is an InputLayer", ENCODER.format(first=f"layers.InputLayer(shape=(28, 28, 1)), {FIRST})")
    ),
    encoder("the input states its batch", ENCODER.format(first=f"Input(batch_shape=(None, 28, 28, 1)), {FIRST})")),
    encoder(
        "the encoder is built for a shape when all layers are there",
        ENCODER.format(first=f"{FIRST})").replace("return Sequential", "model = Sequential")
        + "    model.build((None, 28, 28, 1))\n    return model\n",
    ),
    right(
        "the dense layer of the decoder has an input dimension",
        Replaced("build-decoder", "        Input(shape=(latent_dimension,)),\n", ""),
        Replaced("build-decoder", 'activation="tanh"', 'activation="tanh", input_dim=latent_dimension'),
    ),
    right(
        "the input of the decoder is a bare number in brackets",
        Replaced("build-decoder", "Input(shape=(latent_dimension,))", "Input([latent_dimension])"),
    ),
    # Padding, sizes and strides.
    right(
        "all convolutions of the encoder have same padding",
        Everywhere(r"\(2, 2\), act", '(2, 2), padding="same", act', ("build-encoder",)),
        mentions=("same-padding",),
    ),
    right(
        "one convolution alone has same padding",
        Replaced("build-encoder", "layers.Conv2D(16, (2, 2)", 'layers.Conv2D(16, (2, 2), padding="same"'),
    ),
    right(
        "the poolings have same padding",
        Everywhere(r"MaxPooling2D\(\(2, 2\)\)", 'MaxPooling2D((2, 2), padding="same")', ("build-encoder",)),
    ),
    right(
        "what is the default is stated",
        Everywhere(
            r"\(2, 2\), act",
            '(2, 2), strides=(1, 1), padding="valid", use_bias=True, data_format="channels_last", act',
            ("build-encoder",),
        ),
    ),
    right("sizes are single numbers", Everywhere(r"\(2, 2\)", "2", ("build-encoder", "build-decoder"))),
    right("sizes are lists", Everywhere(r"\(2, 2\)", "[2, 2]", ("build-encoder", "build-decoder"))),
    right(
        "the strides of the poolings are stated",
        Everywhere(r"MaxPooling2D\(\(2, 2\)\)", "MaxPool2D(pool_size=2, strides=2)", ("build-encoder",)),
    ),
    right("the poolings have no argument", Everywhere(r"MaxPooling2D\(\(2, 2\)\)", "MaxPool2D()", ("build-encoder",))),
    right("the strides of the decoder are pairs", Everywhere("strides=2", "strides=(2, 2)", ("build-decoder",))),
    right(
        "the decoder has valid padding, which is the same function",
        Everywhere('padding="same"', 'padding="valid"', ("build-decoder",)),
        says=("valid",),
    ),
    right("padding is written in capitals", Everywhere('padding="same"', 'padding="SAME"', ("build-decoder",))),
    # Spellings of layers and activations.
    right("quotes are single", Everywhere('"', "'", ("build-encoder", "build-decoder", "compile"))),
    right("layers have their long names", Everywhere(r"Conv2D", "Convolution2D", ("build-encoder", "build-decoder"))),
    right(
        "all arguments have names",
        Everywhere(r"Conv2D\((\d+), \(2, 2\)", r"Conv2D(filters=\1, kernel_size=(2, 2)", ("build-encoder",)),
    ),
    right(
        "activations are functions of Keras",
        Everywhere(r'"(relu|tanh)"', r"keras.activations.\1", ("build-encoder", "build-decoder")),
    ),
    right(
        "activations are functions of TensorFlow",
        Everywhere(r'"(relu)"', r"tf.nn.\1", ("build-encoder", "build-decoder")),
        Everywhere(r'"(tanh)"', r"tf.\1", ("build-encoder", "build-decoder")),
        Added("load-data", "import tensorflow as tf\n\n", above=True),
    ),
    right(
        "activations are layers of their own",
        Everywhere(r', activation=("\w+")\)', r"), layers.Activation(\1)", ("build-encoder", "build-decoder")),
    ),
    right(
        "relu is a layer of its own",
        Everywhere(r', activation="relu"\)', r"), layers.ReLU()", ("build-encoder", "build-decoder")),
    ),
    right(
        "layers and models have names",
        Replaced("build-encoder", 'activation="tanh")', 'activation="tanh", name="code")'),
        Replaced("build-encoder", "    ])", '    ], name="encoder")'),
        Replaced("build-decoder", "    ])", '    ], name="decoder")'),
    ),
    right(
        "weights start by another rule",
        Everywhere(
            'activation="relu"',
            'activation="relu", kernel_initializer="he_uniform"',
            ("build-encoder", "build-decoder"),
        ),
    ),
    right(
        "the flatten layer is a reshape, which is the same function",
        Replaced("build-encoder", "layers.Flatten()", "layers.Reshape((-1,))"),
        says=("Reshape",),
    ),
    right(
        "the number of neurons is computed by NumPy and made an integer",
        Replaced("build-decoder", "7 * 7 * 8", "int(np.prod((7, 7, 8)))"),
    ),
    right(
        "a shape is asked of the backend, as in Keras 2",
        Replaced(
            "build-decoder", "    return", "    print(keras.backend.int_shape(Input((latent_dimension,))))\n    return"
        ),
    ),
    right("the number of neurons is written out", Replaced("build-decoder", "7 * 7 * 8", "392")),
    right(
        "the shape in the middle is a list of names",
        Replaced("build-decoder", "    return", "    height, width, channels = 7, 7, 8\n    return"),
        Replaced("build-decoder", "7 * 7 * 8", "height * width * channels"),
        Replaced("build-decoder", "(7, 7, 8)", "(height, width, channels)"),
    ),
)
VARIANTS += [
    # Ways of building.
    encoder(
        "the encoder is functional",
        """\
def build_encoder(latent_dimension):
    inputs = keras.Input(shape=(28, 28, 1), name="image")
    x = layers.Conv2D(8, 2, activation="relu", name="conv_1")(inputs)
    x = layers.MaxPooling2D(2, name="pool_1")(x)
    x = layers.Conv2D(16, 2, activation="relu", name="conv_2")(x)
    x = layers.MaxPooling2D(2, name="pool_2")(x)
    x = layers.Conv2D(32, 2, activation="relu", name="conv_3")(x)
    x = layers.Flatten(name="flat")(x)
    outputs = layers.Dense(latent_dimension, activation="tanh", name="code")(x)
    return keras.Model(inputs, outputs, name="encoder")
""",
    ),
    decoder(
        "the decoder is functional",
        """\
def build_decoder(latent_dimension):
    code = Input((latent_dimension,))
    x = layers.Dense(7 * 7 * 8, activation="tanh")(code)
    x = layers.Reshape((7, 7, 8))(x)
    for filters in [8, 1]:
        x = layers.Conv2DTranspose(filters, 2, strides=2, padding="same", activation="relu")(x)
    return Model(code, x)
""",
    ),
    encoder(
        "layers are added one by one in a loop",
        """\
def build_encoder(latent_dimension):
    model = Sequential()
    model.add(Input((28, 28, 1)))
    for number, filters in enumerate([8, 16, 32]):
        model.add(layers.Conv2D(filters, (2, 2), activation="relu"))
        if number < 2:
            model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Flatten())
    model.add(layers.Dense(latent_dimension, activation="tanh"))
    return model
""",
    ),
    encoder(
        "the encoder is nested: a part of its layers is a model",
        """\
def build_encoder(latent_dimension):
    convolutions = Sequential([
        layers.Conv2D(8, 2, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(16, 2, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(32, 2, activation="relu"),
    ])
    return Sequential([Input((28, 28, 1)), convolutions, layers.Flatten(), layers.Dense(latent_dimension, "tanh")])
""",
    ),
    encoder(
        "a helper makes the blocks",
        """\
def conv_block(x, filters, pool=True):
    x = layers.Conv2D(filters, kernel_size=2, activation="relu")(x)
    return layers.MaxPooling2D(pool_size=2)(x) if pool else x

def build_encoder(latent_dimension):
    inputs = x = Input(shape=(28, 28, 1))
    for filters, pool in ((8, True), (16, True), (32, False)):
        x = conv_block(x, filters, pool)
    return Model(inputs, layers.Dense(latent_dimension, activation="tanh")(layers.Flatten()(x)))
""",
    ),
    decoder(
        "the decoder is a lambda",
        """\
build_decoder = lambda n: Sequential([
    Input((n,)), layers.Dense(7 * 7 * 8, "tanh"), layers.Reshape((7, 7, 8)),
    *[layers.Conv2DTranspose(f, 2, strides=2, padding="same", activation="relu") for f in (8, 1)],
])
""",
    ),
    decoder(
        "the decoder is made by a partial function",
        """\
from functools import partial

def _build(latent_dimension, activation, filters):
    steps = [layers.Conv2DTranspose(n, 2, 2, padding="same", activation=activation) for n in filters]
    return Sequential([Input((latent_dimension,)), layers.Dense(392, activation="tanh"), layers.Reshape((7, 7, 8)), *steps])

build_decoder = partial(_build, activation="relu", filters=[8, 1])
""",
    ),
    encoder(
        "the builder has type hints, defaults and checks of its own",
        ENCODER.format(first=f"{INPUT}, {FIRST})").replace(
            "def build_encoder(latent_dimension):\n",
            "def build_encoder(latent_dimension: int = 2, *, verbose: bool = False) -> keras.Model:\n"
            '    """Build the encoder."""\n'
            "    assert isinstance(latent_dimension, (int, np.integer)) and latent_dimension > 0\n"
            '    if verbose:\n        print(f"{latent_dimension = }")\n',
        ),
    ),
    right(
        "the builder is defined twice and the last one is right",
        Added("build-encoder", "def build_encoder(latent_dimension):\n    pass  # first try\n\n\n", above=True),
    ),
    encoder(
        "the encoder is a subclass of Sequential",
        """\
class Encoder(Sequential):
    def __init__(self, size):
        super().__init__([
            Input((28, 28, 1)),
            layers.Conv2D(8, 2, activation="relu"), layers.MaxPooling2D(2),
            layers.Conv2D(16, 2, activation="relu"), layers.MaxPooling2D(2),
            layers.Conv2D(32, 2, activation="relu"),
            layers.Flatten(), layers.Dense(size, activation="tanh"),
        ])

def build_encoder(latent_dimension):
    return Encoder(latent_dimension)
""",
    ),
    right(
        "the builder prints a summary",
        Replaced("build-decoder", "    return Sequential(", "    model = Sequential("),
        Added("build-decoder", "    model.summary()\n    return model\n"),
    ),
    right(
        "the builders are static methods under the names of the statement",
        Added(
            "build-encoder",
            """

class Builders:
    @staticmethod
    def encoder(size):
        return Sequential([Input((28, 28, 1)), *Builders.convolutions(), layers.Flatten(), layers.Dense(size, "tanh")])

    @staticmethod
    def convolutions():
        pool = layers.MaxPooling2D
        return [layers.Conv2D(8, 2, activation="relu"), pool(), layers.Conv2D(16, 2, activation="relu"), pool(),
                layers.Conv2D(32, 2, activation="relu")]

build_encoder = Builders.encoder
""",
        ),
    ),
    right(
        "the functions that build have other names",
        Everywhere("build_encoder", "make_encoder"),
        Everywhere("build_decoder", "make_decoder"),
        says=("make_encoder", "make_decoder"),
    ),
    right(
        "a builder of an unforeseen name is found by what it does",
        Everywhere("build_decoder", "upwards"),
        says=("upwards",),
    ),
]
VARIANTS += no_sweep(
    # Sizes.
    right(
        "the number of parameters is printed",
        Replaced("encoder-size", "encoder.summary()", 'print(f"{encoder.count_params():,} parameters")'),
    ),
    right(
        "the parameters are counted by hand",
        Replaced(
            "decoder-size", "decoder.summary()", "sum(np.prod(weight.shape) for weight in decoder.trainable_weights)"
        ),
    ),
    right(
        "the model is plotted although the tool for it is missing",
        Added("encoder-size", "keras.utils.plot_model(encoder, show_shapes=True)\n"),
    ),
    # Chaining.
    chained("the two are chained by hand with Model", "Model(encoder.inputs, decoder(encoder.outputs[0]))"),
    chained("the two are chained in a Sequential", "Sequential([encoder, decoder])"),
    chained("the two are chained with names of arguments", "build_autoencoder(encoder=encoder, decoder=decoder)"),
    chained(
        "the given function is written once more",
        """None

def build_autoencoder(enc, dec):
    inp = Input(shape=(28, 28, 1))
    return Model(inp, dec(enc(inp)), name="autoencoder")

autoencoder = build_autoencoder(encoder, decoder)""",
    ),
    right(
        "the autoencoder has another name",
        Everywhere(r"\bautoencoder\b", "model", ("autoencoder", "fit", "reconstructions")),
        says=("model was graded in its place",),
    ),
    right(
        "the autoencoder is found by what it does",
        Everywhere(r"\bautoencoder\b", "auto", ("autoencoder", "fit", "reconstructions")),
        says=("auto",),
    ),
    chained(
        "a subclassed autoencoder exposes its parts",
        """None

class Autoencoder(keras.Model):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def call(self, images):
        return self.decoder(self.encoder(images))

autoencoder = Autoencoder(encoder, decoder)
autoencoder.build((None, 28, 28, 1))""",
    ),
)
