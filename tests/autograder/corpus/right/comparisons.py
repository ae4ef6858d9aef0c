"""Question 17: the same comparison of dimensions, written in other ways."""

from corpus.variant import Added, Answer, Everywhere, Replaced, right

DIMENSIONS = "(2, 4, 8, 16, 32)"
EVALUATED = "error = candidate.evaluate(X_test_noisy, X_test, verbose=0)"


def compare(name, source, *more, **expected):
    return right(name, Answer("best-latent-dimension", source), *more, **expected)


def measured(name, written, *more, **expected):
    return right(name, Replaced("best-latent-dimension", EVALUATED, written), *more, **expected)


LOOP = """\
latent_errors = {}
for dim in [4, 8, 16, 24]:
    model = build_autoencoder(build_encoder(dim), build_decoder(dim))
    compile_autoencoder(model)
    history = model.fit(X_train_noisy, X_train, batch_size=32, epochs=20, verbose=0%s)
    latent_errors[dim] = %s
best_latent_dimension = %s
"""
EVALUATE = "model.evaluate(X_test_noisy, X_test, verbose=0)"
MINIMUM = "min(latent_errors, key=latent_errors.get)"

VARIANTS = [
    right("four dimensions are compared", Replaced("best-latent-dimension", DIMENSIONS, "[2, 8, 16, 24]")),
    right("one of the dimensions is one", Replaced("best-latent-dimension", DIMENSIONS, "(1, 4, 8, 16)")),
    right("dimensions are a range", Replaced("best-latent-dimension", DIMENSIONS, "range(4, 20, 4)")),
    right(
        "dimensions are powers of two by NumPy",
        Replaced("best-latent-dimension", DIMENSIONS, "(2 ** np.arange(1, 6)).tolist()"),
    ),
    right("the best dimension is written by hand", Replaced("best-latent-dimension", MINIMUM, "16")),
    right("the best dimension is a text", Replaced("best-latent-dimension", MINIMUM, "'32'")),
    compare(
        "a function trains one model and a comprehension asks for all",
        """\
def test_error(dimension):
    model = build_autoencoder(build_encoder(dimension), build_decoder(dimension))
    compile_autoencoder(model)
    model.fit(X_train_noisy, X_train, batch_size=32, epochs=20, verbose=0)
    return model.evaluate(X_test_noisy, X_test, verbose=0)

latent_errors = {dimension: test_error(dimension) for dimension in (2, 6, 12, 18)}
best_latent_dimension = sorted(latent_errors, key=latent_errors.get)[0]
""",
    ),
    compare(
        "errors are a list with a metric",
        LOOP % ("", EVALUATE, "min(latent_errors, key=lambda d: latent_errors[d][0])"),
        Replaced("compile", '"mse"', '"mse", metrics=["mae"]'),
    ),
    compare(
        "errors come from a dictionary of results", LOOP % ("", EVALUATE[:-1] + ", return_dict=True)['loss']", MINIMUM)
    ),
    compare(
        "errors are validation errors of the history",
        LOOP % (", validation_data=(X_test_noisy, X_test)", "min(history.history['val_loss'])", MINIMUM),
        says=("validation",),
    ),
    compare(
        "errors are computed from predictions by NumPy",
        LOOP % ("", "np.mean((model.predict(X_test_noisy, verbose=0) - X_test) ** 2)", MINIMUM),
    ),
    compare(
        "errors are computed by scikit-learn",
        "from sklearn.metrics import mean_squared_error\n\n"
        + LOOP % ("", "mean_squared_error(X_test.ravel(), model.predict(X_test_noisy).ravel())", MINIMUM),
    ),
    compare("errors are readable texts", LOOP % ("", f"f'{{{EVALUATE}:.4f}}'", MINIMUM)),
    compare("errors are rounded", LOOP % ("", f"round({EVALUATE}, 4)", MINIMUM)),
    compare(
        "dimensions are texts in the dictionary",
        LOOP.replace("latent_errors[dim]", "latent_errors[str(dim)]") % ("", EVALUATE, "int(" + MINIMUM + ")"),
    ),
    compare(
        "lists are zipped to a dictionary",
        """\
dims, errors = [2, 4, 8, 16], []
for d in dims:
    auto = build_autoencoder(build_encoder(d), build_decoder(d))
    compile_autoencoder(auto)
    auto.fit(X_train_noisy, X_train, epochs=20, batch_size=32)
    errors.append(auto.evaluate(X_test_noisy, X_test))
latent_errors = dict(zip(dims, errors))
best_latent_dimension = dims[np.argmin(errors)]
plt.bar([str(d) for d in dims], errors)
""",
    ),
    compare(
        "a data frame collects the errors",
        """\
import pandas as pd

rows = []
for d in (2, 4, 8, 16):
    model = build_autoencoder(build_encoder(d), build_decoder(d))
    compile_autoencoder(model)
    model.fit(X_train_noisy, X_train, batch_size=32, epochs=20, verbose=0)
    rows.append({"dimension": d, "error": model.evaluate(X_test_noisy, X_test, verbose=0)})
table = pd.DataFrame(rows).set_index("dimension")["error"]
latent_errors = table.to_dict()
best_latent_dimension = table.idxmin()
table.plot(marker="o", logx=True)
""",
    ),
    compare(
        "models are kept in a dictionary and measured later",
        """\
models = {}
for d in (2, 4, 8, 16):
    models[d] = build_autoencoder(build_encoder(d), build_decoder(d))
    compile_autoencoder(models[d])
    models[d].fit(X_train_noisy, X_train, batch_size=32, epochs=20, verbose=0)

latent_errors = {d: model.evaluate(X_test_noisy, X_test, verbose=0) for d, model in models.items()}
best_latent_dimension = min(latent_errors.items(), key=lambda pair: pair[1])[0]
""",
    ),
    compare(
        "the denoiser stands for the dimension of two",
        """\
latent_errors = {2: denoiser.evaluate(X_test_noisy, X_test, verbose=0)}
"""
        + (LOOP % ("", EVALUATE, MINIMUM)).partition("\n")[2],
    ),
    compare(
        "encoder and decoder are rebound in the loop",
        """\
latent_errors = dict()
for latent_dimension in [2, 5, 10, 20]:
    encoder = build_encoder(latent_dimension)
    decoder = build_decoder(latent_dimension)
    autoencoder = build_autoencoder(encoder, decoder)
    compile_autoencoder(autoencoder)
    autoencoder.fit(X_train_noisy, X_train, batch_size=32, epochs=20)
    latent_errors[latent_dimension] = autoencoder.evaluate(X_test_noisy, X_test)
best_latent_dimension = min(latent_errors, key=latent_errors.get)
""",
    ),
    compare(
        "the best is followed in the loop",
        """\
latent_errors, best_error = {}, float("inf")
for d in (3, 9, 16, 30):
    m = build_autoencoder(build_encoder(d), build_decoder(d))
    compile_autoencoder(m)
    m.fit(X_train_noisy, X_train, batch_size=32, epochs=20, verbose=0)
    latent_errors[d] = e = m.evaluate(X_test_noisy, X_test, verbose=0)
    if e < best_error:
        best_error, best_latent_dimension = e, d
""",
    ),
    right(
        "the comparison stops early",
        Replaced(
            "best-latent-dimension",
            "epochs=20, verbose=0",
            "epochs=20, verbose=0, validation_split=0.1, callbacks=[keras.callbacks.EarlyStopping(patience=1)]",
        ),
    ),
    right(
        "the comparison is trained on ten thousand images",
        Replaced("best-latent-dimension", "X_train_noisy, X_train,", "X_train_noisy[:10_000], X_train[:10_000],"),
        says=("10000 of the 60000",),
    ),
    right(
        "the comparison frees memory between models",
        Added("best-latent-dimension", "import gc\n\n", above=True),
        Replaced(
            "best-latent-dimension",
            "    keras.utils.set_random_seed(1)\n",
            "    keras.backend.clear_session()\n    gc.collect()\n",
        ),
    ),
    measured(
        "the error is measured in large batches",
        "error = float(candidate.evaluate(X_test_noisy, X_test, batch_size=500, verbose=0))",
    ),
    right(
        "the errors have another name",
        Everywhere("latent_errors", "errors", ("best-latent-dimension",)),
        says=("errors",),
    ),
]
