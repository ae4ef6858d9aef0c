"""Recording of compile, fit, predict, evaluate and direct calls: as given, and a notebook sees no difference."""

from __future__ import annotations

import numpy as np
import pytest
from warm import run

SETUP = """
import numpy as np, tensorflow as tf, keras
from keras import layers
rng = np.random.default_rng(0)
X = rng.random((100, 6)).astype('float32'); Y = rng.random((100, 2)).astype('float32')
labels = rng.integers(0, 2, 100)
def build(compiled=True):
    model = keras.Sequential([layers.Input((6,)), layers.Dense(4, activation='relu'), layers.Dense(2)])
    if compiled: model.compile(optimizer='adam', loss='mse')
    return model
model = build()
"""


def fits(result, cell):
    return [fit for fit in result.evidence.fits if fit.cell == cell]


def predictions(result, cell):
    return [prediction for prediction in result.evidence.predictions if prediction.cell == cell]


@pytest.fixture(scope="module")
def fitted():
    return run(
        [
            SETUP,
            "h = model.fit(X, Y, 16, 20, validation_split=0.1, shuffle=False)\n"
            "print(len(h.history['loss']), len(h.history['val_loss']), h.epoch[-1])",
            "build().fit(x=X, y=Y, batch_size=16, epochs=20, validation_data=(X[:50], Y[:50]), "
            "callbacks=[keras.callbacks.EarlyStopping(patience=2)], verbose=0); None",
            "build().fit(X, Y[:90])",
            "build(False).fit(X, Y)",
            "build().fit(X[:, :5], Y)",
            "data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(20)\n"
            "h = build().fit(data, epochs=3, validation_data=data)\n"
            "print(h.history.keys(), len(h.epoch))",
            "def generate():\n"
            "    while True: yield X[:8], Y[:8]\n"
            "build().fit(generate(), steps_per_epoch=5, epochs=2); None",
            "m = build(); m.fit(X, labels, epochs=2); None",
            "model.fit(X, Y)\n"
            "b = build(); shared = keras.Sequential([layers.Input((6,)), model.layers[0], layers.Dense(2)])\n"
            "shared.compile(loss='mse'); shared.fit(X, Y); None",
            "m = build()\nfor _ in range(3): m.train_on_batch(X[:8], Y[:8])\nm.fit(X, Y); None",
            "build().fit(X, Y, epoch=3)",
            "build().fit(X, Y, sample_weight=np.ones(100), epochs=2); None",
            "h = build().fit([X], {'y': Y}, validation_split=1.5)",
            "m = build()\ntry: m.fit(X[:, :5], Y)\nexcept ValueError: m.fit(X, Y)\nNone",
        ]
    )


def test_arguments_are_kept_whether_positional_or_by_name(fitted):
    positional, named = fits(fitted, 1)[0], fits(fitted, 2)[0]
    assert (positional.batch_size, positional.epochs, positional.validation_split) == (16, 20, 0.1)
    assert positional.shuffle is False and not positional.performed
    assert (named.batch_size, named.epochs, named.callbacks) == (16, 20, ("EarlyStopping",))
    arrays = fitted.evidence.arrays
    assert arrays[named.x].shape == (100, 6) and arrays[named.y].shape == (100, 2)
    assert arrays[named.validation_x].shape == (50, 6)
    assert (named.x, named.y) == (positional.x, positional.y), "equal arrays are sent once"


def test_the_history_is_as_long_as_asked_and_has_the_validation_keys(fitted):
    assert fitted.printed(1) == "20 20 19\n"
    assert fitted.cell(2).status == "ok"


def test_what_keras_would_raise_is_raised_and_recorded(fitted):
    for cell, words in ((3, "cardinality"), (4, "compile"), (5, "shape"), (11, "epoch")):
        error = fitted.cell(cell).error
        assert words in error.message, error
        assert fits(fitted, cell)[0].error.type == error.type
    assert fitted.cell(13).status == "error"


def test_datasets_and_generators_are_seen_by_their_first_batch(fitted):
    dataset, generator = fits(fitted, 6)[0], fits(fitted, 7)[0]
    assert (dataset.kind, dataset.sample_count, dataset.batch_size, dataset.epochs) == ("dataset", 100, 20, 3)
    assert fitted.evidence.arrays[dataset.x].values.shape == (20, 6)
    assert (dataset.validation_x, dataset.validation_y) == (dataset.x, dataset.y)
    assert "'val_loss'" in fitted.printed(6) and fitted.printed(6).endswith(" 3\n")
    assert (generator.kind, generator.batch_size, generator.steps_per_epoch) == ("dataset", 8, 5)
    assert fitted.cell(7).status == "ok"


def test_labels_as_target_are_recorded_as_they_are(fitted):
    target = fitted.evidence.arrays[fits(fitted, 8)[0].y]
    assert target.shape == (100,) and target.dtype == "int64" and target.maximum == 1.0


def test_trained_tells_models_that_share_a_fitted_layer(fitted):
    models = fitted.evidence.models
    first = fits(fitted, 1)[0]
    again, shared = fits(fitted, 9)
    assert not models[first.model].trained and models[again.model].trained and models[shared.model].trained
    assert models[first.model].identity == models[again.model].identity != models[shared.model].identity
    assert set(models[again.model].variables) & set(models[shared.model].variables)
    assert not models[fits(fitted, 2)[0].model].trained


def test_a_fit_that_failed_has_trained_nothing(fitted):
    failed, mended = fits(fitted, 14)
    assert failed.error is not None and mended.error is None
    assert not fitted.evidence.models[mended.model].trained


def test_a_loop_of_the_notebooks_own_is_told_once_and_counts_as_training(fitted):
    own, after = fits(fitted, 10)
    assert (own.kind, own.performed) == ("other", True)
    assert fitted.evidence.models[after.model].trained


def test_weights_and_configuration_are_those_before_the_fit(fitted):
    snapshot = fitted.evidence.models[fits(fitted, 1)[0].model]
    assert snapshot.weight_shapes == ((6, 4), (4,), (4, 2), (2,))
    assert np.all(snapshot.weights[1] == 0), "a bias that no step has moved"
    assert snapshot.config["class_name"] == "Sequential"
    assert snapshot.compilation.loss == "mse"
    assert fits(fitted, 12)[0].weighted


@pytest.fixture(scope="module")
def predicted():
    return run(
        [
            SETUP,
            "a = model.predict(X); a2 = np.asarray(model(X)); "
            "print(type(a).__name__, a.shape, a.dtype, np.allclose(a, a2, atol=1e-6))",
            "def by_keras(f):\n    model.predict_function = model.test_function = None\n    return f()\n"
            "model.compile(loss='mse', metrics=['mae', keras.metrics.MeanSquaredError(name='again')])\n"
            "e = model.evaluate(X, Y, verbose=0); d = model.evaluate(X, Y, return_dict=True); "
            "print(len(e), sorted(d), type(e).__name__)\n"
            "w = model.evaluate(X, Y, sample_weight=np.linspace(0, 1, 100), batch_size=7, verbose=0)\n"
            "expected = float(np.mean((model.predict(X) - Y) ** 2)); print(abs(e[0] - expected) < 1e-5, w[0] < e[0])",
            "big = np.ones((12_000, 6)); print(model.predict(big).shape); "
            "print(model.evaluate(tf.data.Dataset.from_tensor_slices((X, Y)).batch(9))[0] - e[0] < 1e-5)",
            "model.predict(X[:, :3])",
            "for i in range(120): model.predict(X[i % 100:][:1], verbose=0)",
            "with tf.GradientTape() as tape:\n"
            "    loss = tf.reduce_mean(model(X))\n"
            "model(X[:5], training=True); keras.Model(model.inputs, model(model.inputs)); None",
            "out = keras.Model(model.inputs, {'a': model.output, 'b': model.layers[0].output}).predict(X); "
            "print(sorted(out), out['b'].shape)",
            "m = build(); m.fit(X, Y); m.predict(X); m.evaluate(X, Y)\n"
            "print(m.run_eagerly, m.steps_per_execution, m.train_function, m.test_function, m.predict_function)\n"
            "m.fit(X, Y)\n"
            "print(m.evaluate(X, Y) >= 0, m.predict(tf.constant(X)).shape, m.predict([X]).shape)",
        ]
    )


def test_predictions_have_the_values_shapes_and_types_of_keras(predicted):
    assert predicted.statuses() == ["ok", "ok", "ok", "ok", "error", "ok", "ok", "ok", "ok"]
    assert predicted.printed(1) == "ndarray (100, 2) float32 True\n"
    assert predicted.printed(2) == "3 ['again', 'loss', 'mae'] list\nTrue True\n"
    assert predicted.printed(3).splitlines()[0] == "(12000, 2)" and "True" in predicted.printed(3)
    assert predicted.printed(7) == "['a', 'b'] (100, 4)\n"
    assert predicted.printed(8) == "False 1 None None None\nTrue (100, 2) (100, 2)\n"


def test_input_and_output_of_a_prediction_are_sampled_at_the_same_rows(predicted):
    by_predict, by_call = predictions(predicted, 1)
    arrays = predicted.evidence.arrays
    assert (by_predict.method, by_call.method) == ("predict", "call")
    assert arrays[by_predict.x].rows == arrays[by_predict.output].rows
    weights = predicted.evidence.models[by_predict.model].weights
    hidden = np.maximum(arrays[by_predict.x].values @ weights[0] + weights[1], 0)
    np.testing.assert_allclose(hidden @ weights[2] + weights[3], arrays[by_predict.output].values, atol=1e-5)


def test_evaluations_carry_what_they_returned(predicted):
    first = predictions(predicted, 2)[0]
    assert first.method == "evaluate" and len(first.result) == 3 and first.y is not None
    by_dataset = predictions(predicted, 3)[1]
    assert [predicted.evidence.arrays[part].shape for part in (by_dataset.x, by_dataset.y)] == [(9, 6), (9, 2)]


def test_an_error_of_a_prediction_is_the_students_to_see(predicted):
    assert predicted.cell(4).error.type == "ValueError" and "shape" in predicted.cell(4).error.message


def test_a_loop_of_predictions_is_bounded_and_training_calls_are_not_recorded(predicted):
    assert 20 <= len(predictions(predicted, 5)) <= 60
    assert predictions(predicted, 6) == []


def test_compilations_are_described_by_what_was_given():
    result = run(
        [
            SETUP,
            "model.compile('sgd', keras.losses.MeanSquaredError(), metrics=['mae'])",
            "model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.01), "
            "loss=keras.losses.mean_squared_error, run_eagerly=True)",
            "def mine(a, b): return 0.0\n"
            "class Own(keras.losses.Loss):\n"
            "    def call(self, a, b): return 0.0\n"
            "model.compile(loss=[mine])\n"
            "model.compile(loss=Own())",
            "model.compile(optimizer=keras.optimizers.Adam(lr=0.1), loss='mse')",
            "model.compile(loss='mse', lr=0.1)",
            "model.compile(loss='mse', metrics='mse')\nmodel.fit(X, Y)",
            "model.compile(loss=keras.losses.MeanSquaredError)",
            "class Bad:\n"
            "    def __repr__(self): raise SystemExit\n"
            "    def get_config(self): raise SystemExit\n"
            "    __str__ = __eq__ = __bool__ = __repr__\n"
            "model.compile(loss=Bad(), optimizer='adam')",
        ]
    )
    by_cell = {c.cell: c for c in result.evidence.compilations if c.cell}
    assert by_cell[1].optimizer == "sgd" and by_cell[1].metrics == ["mae"]
    assert (by_cell[1].loss["class_name"], by_cell[1].loss["module"]) == ("MeanSquaredError", "keras.losses")
    assert by_cell[2].loss["function"] == "mean_squared_error" and by_cell[2].loss["module"].startswith("keras")
    assert abs(by_cell[2].optimizer["config"]["learning_rate"] - 0.01) < 1e-6 and by_cell[2].arguments == (
        "run_eagerly",
    )
    assert [c.loss for c in result.evidence.compilations if c.cell == 3] == [
        [{"function": "mine", "module": "__main__"}],
        {"other": "Own"},
    ]
    assert 4 not in by_cell and result.cell(4).error is not None
    assert by_cell[5].error.type == "TypeError" and "lr" in by_cell[5].error.message
    assert result.cell(6).status == "error"
    assert by_cell[7].loss["function"] == "MeanSquaredError" and by_cell[7].loss["module"].startswith("keras")
    assert by_cell[8].loss == {"other": "Bad"}
    assert result.evidence.ended


def test_broken_models_and_replaced_methods_do_no_harm_to_others():
    result = run(
        [
            SETUP,
            "class Broken(keras.Model):\n"
            "    def __init__(self):\n"
            "        super().__init__(); self.d = layers.Dense(2)\n"
            "    def call(self, x): return self.d(x)\n"
            "    def get_config(self): raise SystemExit\n"
            "    @property\n"
            "    def output_shape(self): raise KeyboardInterrupt\n"
            "    def __eq__(self, other): return True\n"
            "    __hash__ = lambda self: 1\n"
            "    @property\n    def input_shape(self): return object()\n"
            "b = Broken(); b.compile(loss='mse'); print(b.fit(X, Y, epochs=2).epoch)",
            "old = keras.Model.fit\n"
            "keras.Model.fit = lambda self, *a, **k: 'mine'\n"
            "print(build().fit(X, Y))\n"
            "keras.Model.fit = old",
            "build().fit(X, Y); None",
            "class Lies(np.ndarray):\n"
            "    def __getitem__(self, i): raise OSError\n"
            "    def __eq__(self, other): return True\n"
            "build().fit(X.view(Lies), Y)",
            "print(keras.Model.fit.__name__, 'epochs' in __import__('inspect').signature(keras.Model.fit).parameters)",
        ]
    )
    assert fits(result, 1)[0].kind == "arrays"
    assert "a class of your own" in result.evidence.models[fits(result, 1)[0].model].problem
    assert result.printed(1) == "[0, 1]\n"
    assert result.printed(2) == "mine\n" and fits(result, 2) == []
    assert len(fits(result, 3)) == 1
    assert result.printed(5) == "fit True\n"
    assert result.evidence.ended


@pytest.mark.parametrize(("training", "epochs"), [("short", 2), ("full", 3)])
def test_training_is_performed_when_asked_for(training, epochs):
    result = run(
        [
            SETUP,
            "calls = []\n"
            "h = model.fit(X, Y, epochs=3, verbose=0, "
            "callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: calls.append(1))])\n"
            "print(len(h.history['loss']), len(set(h.history['loss'])), len(calls))",
        ],
        training=training,
    )
    assert fits(result, 1)[0].performed
    assert result.printed(1) == f"3 {epochs} {4 * epochs}\n"
