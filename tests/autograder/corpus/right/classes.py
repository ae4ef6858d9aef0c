"""Models and layers of the student's own classes: they are right by their parts."""

from __future__ import annotations

from corpus.variant import Answer, right

ENCODER = """\
class Encoder(keras.Model):
    def __init__(self, size):
        super().__init__()
        self.first = layers.Conv2D(8, 2, activation="relu")
        self.second = layers.Conv2D(16, 2, activation="relu")
        self.third = layers.Conv2D(32, 2, activation="relu")
        self.pool1, self.pool2, self.flatten = layers.MaxPooling2D(2), layers.MaxPooling2D(2), layers.Flatten()
        self.code = layers.Dense(size, activation="tanh")
        self.build((None, 28, 28, 1))

    def call(self, images):
        x = self.pool1(self.first(images))
        x = self.pool2(self.second(x))
        return self.code(self.flatten(self.third(x)))


def build_encoder(latent_dimension):
    return Encoder(latent_dimension)
"""
DECODER = """\
class Decoder(keras.Model):
    def __init__(self, size, **options):
        super().__init__(**options)
        self.steps = [
            layers.Dense(7 * 7 * 8, activation="tanh"),
            layers.Reshape((7, 7, 8)),
            layers.Conv2DTranspose(8, 2, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(1, 2, strides=2, padding="same", activation="relu"),
        ]
        self.build((None, size))

    def call(self, codes, training=False):
        for step in self.steps:
            codes = step(codes)
        return codes


def build_decoder(latent_dimension):
    return Decoder(latent_dimension, name="decoder")
"""
WRAPPER = """\
class Autoencoder(keras.Model):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def call(self, images, training=None):
        return self.decoder(self.encoder(images, training=training), training=training)


def build_autoencoder(encoder, decoder):
    model = Autoencoder(encoder, decoder)
    model.build((None, 28, 28, 1))
    return model


autoencoder = build_autoencoder(encoder, decoder)
autoencoder.summary()
"""

VARIANTS = [
    right("the encoder is a class with a layer for each attribute", Answer("build-encoder", ENCODER)),
    right("the decoder is a class with a list of layers", Answer("build-decoder", DECODER)),
    right(
        "encoder and decoder and their chain are classes",
        Answer("build-encoder", ENCODER),
        Answer("build-decoder", DECODER),
        Answer("autoencoder", WRAPPER),
    ),
    right(
        "the encoder is made of blocks that are layers of one's own",
        Answer(
            "build-encoder",
            """\
class Block(layers.Layer):
    def __init__(self, filters):
        super().__init__()
        self.convolution = layers.Conv2D(filters, 2, activation="relu")
        self.pooling = layers.MaxPooling2D(2)

    def call(self, x):
        return self.pooling(self.convolution(x))


def build_encoder(latent_dimension):
    last = layers.Conv2D(32, 2, activation="relu")
    return Sequential([
        Input((28, 28, 1)), Block(8), Block(16), last, layers.Flatten(), layers.Dense(latent_dimension, "tanh"),
    ])
""",
        ),
    ),
    right(
        "the decoder is a class of inputs and outputs",
        Answer(
            "build-decoder",
            """\
class Decoder(Model):
    def __init__(self, size):
        code = Input((size,))
        x = layers.Reshape((7, 7, 8))(layers.Dense(392, activation="tanh")(code))
        for filters in (8, 1):
            x = layers.Conv2DTranspose(filters, 2, strides=2, padding="same", activation="relu")(x)
        super().__init__(inputs=code, outputs=x)

build_decoder = Decoder
""",
        ),
    ),
    right(
        "the wrapper is first called on images",
        Answer(
            "autoencoder",
            WRAPPER.replace("    model.build((None, 28, 28, 1))\n", "    model(X_train[:1])\n"),
        ),
    ),
]
