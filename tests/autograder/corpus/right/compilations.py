"""Question 8, compiled in all the ways in which one writes the mean squared error."""

from corpus.variant import Added, Answer, Everywhere, Replaced, no_sweep, right

LOSS = 'loss="mse"'


def loss(name, written):
    return right(name, Replaced("compile", LOSS, f"loss={written}"))


VARIANTS = no_sweep(
    loss("the loss is written out", '"mean_squared_error"'),
    loss("the loss is spelled in capitals", '"MSE"'),
    loss("the loss has the name of its class", '"MeanSquaredError"'),
    loss("the loss is an object", "keras.losses.MeanSquaredError()"),
    loss("the loss is a class", "keras.losses.MeanSquaredError"),
    loss("the loss is a function of Keras", "keras.losses.MSE"),
    loss("the loss is looked up by its name", 'keras.losses.get("mse")'),
    loss("the loss is a list of one", '["mse"]'),
    loss("the loss is an object with a name and a reduction", 'keras.losses.MeanSquaredError("mean", name="pixels")'),
    right(
        "the loss is a function of the Keras that stands by itself",
        Replaced("compile", LOSS, "loss=losses.mean_squared_error"),
        Added("compile", "from keras import losses\n\n", above=True),
    ),
    right(
        "the loss is imported by its name",
        Replaced("compile", LOSS, "loss=MeanSquaredError()"),
        Added("compile", "from tensorflow.keras.losses import MeanSquaredError\n\n", above=True),
    ),
    right(
        "the arguments of compile have no names", Replaced("compile", 'optimizer="adam", loss="mse"', '"adam", "mse"')
    ),
    right(
        "the optimizer is an object with a rate",
        Replaced("compile", 'optimizer="adam"', "optimizer=keras.optimizers.RMSprop(learning_rate=0.001)"),
    ),
    right(
        "the rate of learning falls by a schedule",
        Answer(
            "compile",
            """\
def compile_autoencoder(model):
    rate = keras.optimizers.schedules.ExponentialDecay(1e-3, decay_steps=10_000, decay_rate=0.9)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
""",
        ),
    ),
    right(
        "the optimizer has a decay, which Keras 3 only warns of",
        Replaced("compile", 'optimizer="adam"', "optimizer=keras.optimizers.Adam(decay=1e-5)"),
    ),
    right("several steps are taken at once", Replaced("compile", LOSS, 'loss="mse", steps_per_execution=10')),
)
VARIANTS += [
    right(
        "metrics are measured as well",
        Replaced("compile", LOSS, 'loss="mse", metrics=["mae", "mse"]'),
        Replaced("best-latent-dimension", "X_test, verbose=0)", "X_test, verbose=0)[0]"),
    ),
    right(
        "the compiled model is returned and used",
        Added("compile", "    return model\n"),
        Replaced("fit", "compile_autoencoder(autoencoder)", "autoencoder = compile_autoencoder(autoencoder)"),
        Replaced("fit-denoiser", "compile_autoencoder(denoiser)", "denoiser = compile_autoencoder(denoiser)"),
    ),
    right(
        "compile has parameters with defaults",
        Answer(
            "compile",
            """\
def compile_autoencoder(autoencoder, optimizer=None, loss="mse", *, rate: float = 1e-3, **options):
    if optimizer is None:
        optimizer = keras.optimizers.Adam(learning_rate=rate)
    autoencoder.compile(optimizer=optimizer, loss=loss, **options)
    return autoencoder
""",
        ),
    ),
    right(
        "the function that compiles has another name",
        Everywhere("compile_autoencoder", "compile_model"),
        says=("compile_model",),
    ),
    right(
        "the function that compiles has a name that nobody foresaw",
        Everywhere("compile_autoencoder", "get_ready"),
        says=("what was compiled without it was graded",),
    ),
    right(
        "the models are compiled without a function",
        Answer("compile", ""),
        Everywhere(r"compile_autoencoder\((\w+)\)", r'\1.compile(optimizer="adam", loss="mse")'),
        says=("what was compiled without it was graded",),
    ),
    right(
        "the loss is written by hand",
        Answer(
            "compile",
            """\
import tensorflow as tf

def squared_error(truth, predicted):
    return tf.reduce_mean(tf.square(truth - predicted))

def compile_autoencoder(model):
    model.compile(optimizer="adam", loss=squared_error)
""",
        ),
        waits={
            "compile/loss-compares-pixels": "a person will",
            "compile/loss-is-mean-squared-error": "not one that the grader can judge",
        },
        mentions=("custom-loss",),
    ),
]
