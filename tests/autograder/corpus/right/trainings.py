"""Questions 9 and 14: the same trainings, asked for in other ways."""

from corpus.variant import Added, Answer, Everywhere, Replaced, no_sweep, right

FIT = "autoencoder.fit(X_train, X_train, batch_size=32, epochs=20, verbose=0)"
DENOISE = "denoiser.fit(X_train_noisy, X_train, batch_size=32, epochs=20, verbose=0)"
MADE = "denoiser = build_autoencoder(build_encoder(2), build_decoder(2))"
BATCHES = "tf.data.Dataset.from_tensor_slices(({}, X_train)).shuffle(60_000).batch(32).prefetch(tf.data.AUTOTUNE)"


def fit(name, options, *more, **expected):
    """Return a variant whose first fit has other options."""
    return right(name, Replaced("fit", "batch_size=32, epochs=20, verbose=0", options), *more, **expected)


def denoise(name, options, *more, **expected):
    """Return a variant whose denoiser is fitted with other options."""
    return right(name, Replaced("fit-denoiser", "batch_size=32, epochs=20, verbose=0", options), *more, **expected)


VARIANTS = no_sweep(
    # 9. The autoencoder.
    fit("the batch size is the one that Keras takes anyway", "epochs=20, verbose=0"),
    fit("a part of the training images is kept for validation", "batch_size=32, epochs=20, validation_split=0.2"),
    fit(
        "the test images are for validation", "epochs=20, batch_size=32, validation_data=(X_test, X_test), shuffle=True"
    ),
    fit(
        "fitting stops early",
        "batch_size=32, epochs=20, validation_split=0.1, callbacks=[stop]",
        Added(
            "fit",
            "stop = keras.callbacks.EarlyStopping(monitor='val_loss', patience=3, restore_best_weights=True)\n",
            above=True,
        ),
        says=("EarlyStopping",),
    ),
    fit(
        "callbacks of many kinds watch",
        "batch_size=32, epochs=20, callbacks=watchers, verbose=2",
        Added(
            "fit",
            """\
watchers = [
    keras.callbacks.ModelCheckpoint("best.weights.h5", monitor="loss", save_best_only=True, save_weights_only=True),
    keras.callbacks.CSVLogger("log.csv"),
    keras.callbacks.ReduceLROnPlateau(monitor="loss"),
    keras.callbacks.TerminateOnNaN(),
]
""",
            above=True,
        ),
    ),
    fit(
        "a callback of her own prints the loss",
        "batch_size=32, epochs=20, verbose=0, callbacks=[Shout()]",
        Added(
            "fit",
            """\
class Shout(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(f"epoch {epoch + 1}: {logs['loss']:.3f}!")

""",
            above=True,
        ),
    ),
    fit("what fit is given has names", "x=X_train, y=X_train, batch_size=32, epochs=20")
    if False
    else right(
        "what fit is given has names",
        Replaced("fit", FIT, "autoencoder.fit(epochs=20, batch_size=32, y=X_train, x=X_train)"),
    ),
    right("what fit is given has no names", Replaced("fit", FIT, "autoencoder.fit(X_train, X_train, 32, 20, 0)")),
    right(
        "sizes are constants in capitals",
        Everywhere("batch_size=32, epochs=20", "batch_size=BATCH_SIZE, epochs=EPOCHS"),
        Added("load-data", "BATCH_SIZE, EPOCHS = 32, 20\n\n", above=True),
    ),
    right(
        "options of fit are kept in a dictionary",
        Everywhere("batch_size=32, epochs=20, verbose=0", "**options"),
        Added("fit", "options = dict(batch_size=32, epochs=20, verbose=0)\n", above=True),
    ),
    right(
        "fit is called twenty times for one epoch",
        Replaced(
            "fit",
            f'history = {FIT}\nlosses = history.history["loss"]',
            """\
losses = []
for epoch in range(20):
    history = autoencoder.fit(X_train, X_train, batch_size=32, epochs=1, verbose=0)
    losses += history.history["loss"]""",
        ),
        says=("epochs add up",),
    ),
    right(
        "the images are given as a data set of TensorFlow",
        Replaced("fit", FIT, f"autoencoder.fit({BATCHES.format('X_train')}, epochs=20, verbose=0)"),
        Added("fit", "import tensorflow as tf\n\n", above=True),
    ),
    right(
        "a thousand images are tried first and the models built anew",
        Added(
            "fit",
            """\
compile_autoencoder(autoencoder)
autoencoder.fit(X_train[:1000], X_train[:1000], batch_size=32, epochs=1)

# It works. Once more from the beginning, with everything.
encoder, decoder = build_encoder(2), build_decoder(2)
autoencoder = build_autoencoder(encoder, decoder)
""",
            above=True,
        ),
    ),
    right(
        "the model is tried on a thousand images before it is fitted on all",
        Added(
            "fit",
            "compile_autoencoder(autoencoder)\nautoencoder.fit(X_train[:1000], X_train[:1000], epochs=1)\n\n",
            above=True,
        ),
    ),
    right(
        "the target is a copy under a name of its own",
        Replaced("fit", FIT, "autoencoder.fit(X_train, targets, batch_size=32, epochs=20)"),
        Added("fit", "targets = X_train.copy()\n", above=True),
    ),
    right(
        "the model is saved and loaded again",
        Added("fit", "\nautoencoder.save('autoencoder.keras')\nautoencoder.save_weights('auto.weights.h5')\n"),
    ),
    right(
        "the weights are loaded if there are any",
        Replaced(
            "fit",
            f"history = {FIT}",
            f"""\
import os
if os.path.exists("auto.weights.h5"):
    autoencoder.load_weights("auto.weights.h5")
else:
    history = {FIT}""",
        ),
    ),
    right(
        "the history has another name and is drawn by pandas",
        Answer(
            "fit",
            """\
import pandas as pd

compile_autoencoder(autoencoder)
h = autoencoder.fit(X_train, X_train, validation_data=(X_test, X_test), epochs=20, batch_size=32)
pd.DataFrame(h.history).plot(figsize=(8, 5), grid=True)
plt.gca().set_ylim(0, 0.1)
""",
        ),
    ),
    right("fitting is timed by a magic word", Added("fit", "%%time\n", above=True)),
    right(
        "fitting runs on a named device",
        Answer(
            "fit",
            """\
import tensorflow as tf

device = "/GPU:0" if tf.config.list_physical_devices("GPU") else "/CPU:0"
with tf.device(device):
    compile_autoencoder(autoencoder)
    autoencoder.fit(X_train, X_train, batch_size=32, epochs=20)
""",
        ),
    ),
    right(
        "a function trains and returns the history",
        Answer(
            "fit",
            """\
def train(model, inputs, targets, epochs=20):
    compile_autoencoder(model)
    return model.fit(inputs, targets, epochs=epochs, batch_size=32, verbose=0)

history = train(autoencoder, X_train, X_train)
""",
        ),
        Answer("fit-denoiser", f"{MADE}\nhistory = train(denoiser, X_train_noisy, X_train)\n"),
    ),
    # 14. The denoiser.
    denoise("the denoiser is trained for ten epochs", "batch_size=32, epochs=10", says=("10 epochs instead of 20",)),
    denoise("the denoiser is trained for five epochs", "batch_size=32, epochs=5", says=("5 epochs instead of 20",)),
    denoise(
        "the denoiser is validated on noisy test images",
        "batch_size=32, epochs=20, validation_data=(X_test_noisy, X_test)",
    ),
    denoise(
        "the denoiser stops early",
        "batch_size=32, epochs=20, validation_split=0.1, callbacks=[keras.callbacks.EarlyStopping(patience=2)]",
        says=("EarlyStopping",),
    ),
    right(
        "the denoiser learns from a data set of TensorFlow",
        Replaced("fit-denoiser", DENOISE, f"denoiser.fit({BATCHES.format('X_train_noisy')}, epochs=20)"),
        Added("fit-denoiser", "import tensorflow as tf\n\n", above=True),
    ),
    right(
        "the denoiser is made of named parts",
        Replaced(
            "fit-denoiser",
            MADE,
            "encoder_2 = build_encoder(2)\ndecoder_2 = build_decoder(2)\ndenoiser = build_autoencoder(encoder_2, decoder_2)",
        ),
    ),
    right(
        "encoder and decoder are built anew under their old names",
        Replaced(
            "fit-denoiser",
            MADE,
            "encoder, decoder = build_encoder(2), build_decoder(2)\ndenoiser = build_autoencoder(encoder, decoder)",
        ),
    ),
    right(
        "the denoiser is a clone with fresh weights",
        Replaced("fit-denoiser", MADE, "denoiser = keras.models.clone_model(autoencoder)"),
    ),
    right(
        "the session is cleared before the denoiser",
        Added("fit-denoiser", "import gc\n\nkeras.backend.clear_session()\ngc.collect()\n\n", above=True),
    ),
    right(
        "the denoiser has another name",
        Everywhere(r"\bdenoiser\b", "cleaner"),
        says=("the one that is fitted in this cell was graded",),
    ),
    right(
        "the denoiser makes its noise itself",
        Answer(
            "fit-denoiser",
            """\
denoiser = Sequential([Input((28, 28, 1)), layers.GaussianNoise(0.5), build_encoder(2), build_decoder(2)])
compile_autoencoder(denoiser)
denoiser.fit(X_train, X_train, batch_size=32, epochs=20)
""",
        ),
    ),
    right(
        "the denoiser learns from clipped noise",
        Replaced("fit-denoiser", "X_train_noisy, X_train", "X_train_noisy.clip(0, 1), X_train"),
    ),
)
