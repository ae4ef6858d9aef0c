"""Whole notebooks in the manner of one student: terse, careful, fond of classes, of pandas, of tf.data."""

from corpus.variant import Added, Answer, Everywhere, Replaced, right

VARIANTS = [
    right(
        "she writes as little as she can",
        Answer(
            "load-data",
            "(X_train, y_train), (X_test, y_test) = keras.datasets.mnist.load_data()\nX_train, X_test = (a[..., None] / 255 for a in (X_train, X_test))\n",
        ),
        Answer("plot-digits", "for a, x in zip(plt.subplots(1, 9)[1], X_train): a.imshow(x)\n"),
        Answer(
            "build-encoder",
            """\
C, P = layers.Conv2D, layers.MaxPool2D
def build_encoder(d):
    return Sequential([Input((28, 28, 1)), C(8, 2, activation="relu"), P(), C(16, 2, activation="relu"), P(),
                       C(32, 2, activation="relu"), layers.Flatten(), layers.Dense(d, "tanh")])
""",
        ),
        Answer("encoder-size", "encoder = build_encoder(2); encoder.count_params()\n"),
        Answer(
            "build-decoder",
            """\
T = lambda n: layers.Conv2DTranspose(n, 2, 2, "same", activation="relu")
build_decoder = lambda d: Sequential([Input((d,)), layers.Dense(392, "tanh"), layers.Reshape((7, 7, 8)), T(8), T(1)])
""",
        ),
        Answer("decoder-size", "decoder = build_decoder(2); decoder.count_params()\n"),
        Answer("autoencoder", "autoencoder = build_autoencoder(encoder, decoder); autoencoder.count_params()\n"),
        Answer("compile", 'compile_autoencoder = lambda m: m.compile("adam", "mse")\n'),
        Answer("fit", "compile_autoencoder(autoencoder); autoencoder.fit(X_train, X_train, epochs=20);\n"),
        Answer(
            "reconstructions",
            """\
a = plt.subplots(2, 5)[1]
for i, r in enumerate(autoencoder.predict(X_test[:5])): a[0, i].imshow(X_test[i]); a[1, i].imshow(r)
""",
        ),
        Answer("encode", "X_encoded = encoder.predict(X_test)\n"),
        Answer("latent-space", "plt.scatter(*X_encoded.T, c=y_test, cmap='tab10'); plt.colorbar();\n"),
        Answer(
            "noisy-images",
            """\
a = plt.subplots(2, 5)[1]
for i in range(5): a[0, i].imshow(X_train[i]); a[1, i].imshow(X_train_noisy[i])
""",
        ),
        Answer(
            "fit-denoiser",
            """\
denoiser = build_autoencoder(build_encoder(2), build_decoder(2)); compile_autoencoder(denoiser)
denoiser.fit(X_train_noisy, X_train, epochs=20);
""",
        ),
        Answer(
            "denoised-images",
            """\
a = plt.subplots(2, 5)[1]
for i, r in enumerate(denoiser.predict(X_test_noisy[:5])): a[0, i].imshow(X_test_noisy[i]); a[1, i].imshow(r)
""",
        ),
        Answer(
            "best-latent-dimension",
            """\
def e(d):
    m = build_autoencoder(build_encoder(d), build_decoder(d)); compile_autoencoder(m)
    m.fit(X_train_noisy, X_train, epochs=20, verbose=0); return m.evaluate(X_test_noisy, X_test, verbose=0)
latent_errors = {d: e(d) for d in [2, 4, 8, 16]}
best_latent_dimension = min(latent_errors, key=latent_errors.get)
""",
        ),
    ),
    right(
        "he writes everything in functions with type hints",
        Answer(
            "load-data",
            '''\
from dataclasses import dataclass
from typing import Sequence


def scale(images: np.ndarray) -> np.ndarray:
    """Scale the pixels to [0, 1] and add the channel axis."""
    return (images.astype("float32") / 255.0).reshape(*images.shape, 1)


(X_train, y_train), (X_test, y_test) = keras.datasets.mnist.load_data()
X_train: np.ndarray = scale(X_train)
X_test: np.ndarray = scale(X_test)
''',
        ),
        Answer(
            "plot-digits",
            '''\
def show(images: Sequence[np.ndarray], titles: Sequence[str] | None = None, *, columns: int = 5) -> plt.Figure:
    """Show images in a grid."""
    rows: int = -(-len(images) // columns)
    fig, axes = plt.subplots(rows, columns, figsize=(columns * 1.5, rows * 1.5))
    for number, ax in enumerate(axes.ravel()):
        ax.axis("off")
        if number < len(images):
            ax.imshow(images[number].squeeze(), cmap="gray")
            if titles is not None:
                ax.set_title(str(titles[number]))
    return fig


show(X_train[:15], y_train[:15]);
''',
        ),
        Answer(
            "fit",
            '''\
@dataclass(frozen=True)
class Settings:
    batch_size: int = 32
    epochs: int = 20


def train(model: keras.Model, x: np.ndarray, y: np.ndarray, settings: Settings = Settings()) -> list[float]:
    """Compile and fit, and return the losses."""
    compile_autoencoder(model)
    history = model.fit(x, y, batch_size=settings.batch_size, epochs=settings.epochs, verbose=0)
    return history.history["loss"]


losses: list[float] = train(autoencoder, X_train, X_train)
''',
        ),
        Answer("reconstructions", "show([*X_test[:5], *autoencoder.predict(X_test[:5])]);\n"),
        Answer("noisy-images", "show([*X_train[:5], *X_train_noisy[:5]]);\n"),
        Answer(
            "fit-denoiser",
            """\
def fresh(latent_dimension: int) -> keras.Model:
    return build_autoencoder(build_encoder(latent_dimension), build_decoder(latent_dimension))


denoiser: keras.Model = fresh(2)
train(denoiser, X_train_noisy, X_train)
""",
        ),
        Answer("denoised-images", "show([*X_test_noisy[:5], *denoiser.predict(X_test_noisy[:5])]);\n"),
        Answer(
            "best-latent-dimension",
            """\
latent_errors: dict[int, float] = {}
for dimension in (2, 8, 16, 32):
    candidate = fresh(dimension)
    train(candidate, X_train_noisy, X_train)
    latent_errors[dimension] = float(candidate.evaluate(X_test_noisy, X_test, verbose=0))
best_latent_dimension: int = min(latent_errors, key=lambda dimension: latent_errors[dimension])
""",
        ),
    ),
    right(
        "she imports everything from Keras by star",
        Added(
            "load-data",
            "from keras.datasets import *\nfrom keras.layers import *\nfrom keras.models import *\nfrom keras import Input\n\n",
            above=True,
        ),
        Replaced("load-data", "keras.datasets.mnist", "mnist"),
        Everywhere(r"\blayers\.", "", ("build-encoder", "build-decoder")),
    ),
    right(
        "he knows only tf.keras",
        Added("load-data", "import tensorflow as tf\n\n", above=True),
        Everywhere(
            r"(?<![.\w])(keras|layers|Sequential|Input)\b(?=[.(])",
            lambda found: (
                "tf.keras.layers.Input"
                if found[1] == "Input"
                else {"keras": "tf.keras", "layers": "tf.keras.layers", "Sequential": "tf.keras.models.Sequential"}[
                    found[1]
                ]
            ),
        ),
    ),
    right(
        "she uses the Keras that stands by itself",
        Added("load-data", "import keras\nfrom keras import layers, Sequential, Input, Model\n\n", above=True),
    ),
    right(
        "he keeps all in a class",
        Answer(
            "fit-denoiser",
            """\
class Experiment:
    def __init__(self, size, epochs=20, batch=32):
        self.size, self.epochs, self.batch = size, epochs, batch
        self.encoder, self.decoder = build_encoder(size), build_decoder(size)
        self.model = build_autoencoder(self.encoder, self.decoder)
        compile_autoencoder(self.model)

    def run(self, x, y):
        self.history = self.model.fit(x, y, batch_size=self.batch, epochs=self.epochs, verbose=0)
        return self

    def error(self, x, y):
        return self.model.evaluate(x, y, verbose=0)

denoiser = Experiment(2).run(X_train_noisy, X_train).model
""",
        ),
        Answer(
            "best-latent-dimension",
            """\
experiments = [Experiment(size).run(X_train_noisy, X_train) for size in (2, 4, 8, 16)]
latent_errors = {one.size: one.error(X_test_noisy, X_test) for one in experiments}
best_latent_dimension = min(experiments, key=lambda one: latent_errors[one.size]).size
""",
        ),
    ),
    right(
        "she pipes everything through data sets of TensorFlow",
        Answer(
            "fit",
            """\
import tensorflow as tf

def batches(x, y, training=True):
    data = tf.data.Dataset.from_tensor_slices((x, y))
    return (data.shuffle(10_000) if training else data).batch(32).prefetch(2)

compile_autoencoder(autoencoder)
autoencoder.fit(batches(X_train, X_train), epochs=20, validation_data=batches(X_test, X_test, False))
""",
        ),
        Answer(
            "fit-denoiser",
            """\
denoiser = build_autoencoder(build_encoder(2), build_decoder(2))
compile_autoencoder(denoiser)
denoiser.fit(batches(X_train_noisy, X_train), epochs=20)
""",
        ),
        Answer(
            "best-latent-dimension",
            """\
latent_errors = {}
for d in (2, 4, 8, 16):
    model = build_autoencoder(build_encoder(d), build_decoder(d))
    compile_autoencoder(model)
    model.fit(batches(X_train_noisy, X_train), epochs=20, verbose=0)
    latent_errors[d] = model.evaluate(batches(X_test_noisy, X_test, False), verbose=0)
best_latent_dimension = min(latent_errors, key=latent_errors.get)
""",
        ),
    ),
    right(
        "he explains each line and prints a lot",
        Everywhere(r"(?m)^(\w+ = .*[^(\[,{])$", r'\1\nprint("done with this line")'),
    ),
    right(
        "she follows the statement with names of layers",
        Answer(
            "build-encoder",
            """\
def build_encoder(latent_dimension):
    # The input is a grey image.
    image = keras.Input(shape=(28, 28, 1), name="image")
    # Down ...
    x = layers.Conv2D(filters=8, kernel_size=(2, 2), activation="relu", name="encoder_conv_1")(image)
    x = layers.MaxPooling2D(pool_size=(2, 2), name="encoder_pool_1")(x)
    x = layers.Conv2D(filters=16, kernel_size=(2, 2), activation="relu", name="encoder_conv_2")(x)
    x = layers.MaxPooling2D(pool_size=(2, 2), name="encoder_pool_2")(x)
    x = layers.Conv2D(filters=32, kernel_size=(2, 2), activation="relu", name="encoder_conv_3")(x)
    # ... to the code.
    x = layers.Flatten(name="encoder_flatten")(x)
    code = layers.Dense(units=latent_dimension, activation="tanh", name="code")(x)
    return keras.Model(inputs=image, outputs=code, name=f"encoder_{latent_dimension}")
""",
        ),
        Answer(
            "build-decoder",
            """\
def build_decoder(latent_dimension):
    code = keras.Input(shape=(latent_dimension,), name="code")
    x = layers.Dense(units=7 * 7 * 8, activation="tanh", name="decoder_dense")(code)
    x = layers.Reshape(target_shape=(7, 7, 8), name="decoder_reshape")(x)
    x = layers.Conv2DTranspose(
        filters=8, kernel_size=(2, 2), strides=2, padding="same", activation="relu", name="decoder_conv_1"
    )(x)
    image = layers.Conv2DTranspose(
        filters=1, kernel_size=(2, 2), strides=2, padding="same", activation="relu", name="decoder_conv_2"
    )(x)
    return keras.Model(inputs=[code], outputs=[image], name=f"decoder_{latent_dimension}")
""",
        ),
    ),
]
