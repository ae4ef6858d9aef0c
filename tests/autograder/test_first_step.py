"""The step of a recorded fit: what Keras refuses is refused in the same words, and the notebook sees a step."""

from __future__ import annotations

import re

import pytest
from warm import run

SETUP = """
import numpy as np, tensorflow as tf, keras
from keras import layers, losses, metrics, optimizers, ops
rng = np.random.default_rng(0)
X = rng.random((96, 8, 8, 1)).astype('float32'); Y = rng.random((96, 2)).astype('float32')
def build(optimizer='adam', loss='mse', last=2, compiled=True, activation=None, **more):
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(4, 2, activation='relu'), layers.Flatten(),
                              layers.Dense(last, activation=activation)])
    if compiled: model.compile(optimizer=optimizer, loss=loss, **more)
    return model
def fit(model, x=X, y=Y, **more): model.fit(x, y, epochs=2, verbose=0, **more)
"""
# Mistakes that Keras finds in the first step, or in the way to it.
REFUSED = {
    "not compiled": "fit(build(compiled=False))",
    "images too small": "fit(build(), X[:, :6])",
    "no channel axis": "fit(build(), X[..., 0, 0])",
    "target of another size": "fit(build(), y=rng.random((96, 3)))",
    "other lengths": "fit(build(), y=Y[:50])",
    "text as images": "fit(build(), np.array([['a'] * 64] * 96))",
    "text as target": "fit(build(), y=np.array([['a', 'b']] * 96))",
    "labels out of range": "fit(build(loss='sparse_categorical_crossentropy'), y=np.full(96, -1.5)[:, None, None])",
    "categorical loss for one number": "fit(build(loss='categorical_crossentropy'), y=Y[:, :1])",
    "a metric of another shape": "fit(build(metrics=[metrics.MeanIoU(2)]), y=rng.random((96, 3)))",
    "no gradient": "fit(build(activation=lambda x: tf.round(x)))",
    "a loss without gradient": "fit(build(loss=lambda y, p: tf.cast(tf.argmax(p, -1), 'float32')))",
    "a loss that raises": "fit(build(loss=lambda y, p: undefined))",
    "a schedule that raises": (
        "class Slow(optimizers.schedules.LearningRateSchedule):\n"
        "    def __call__(self, step): raise ValueError('there is no rate here')\n"
        "fit(build(optimizers.Adam(Slow())))"
    ),
    "an optimizer of two models": "o = optimizers.Adam()\nfit(build(o))\nfit(build(o))",
    "an optimizer of two models, momentum": "o = optimizers.SGD(momentum=0.9)\nfit(build(o))\nfit(build(o))",
    "an optimizer of two models, own loop": (
        "o = optimizers.Adam()\nfit(build(o))\nother = build(o)\nother.train_on_batch(X[:8], Y[:8])"
    ),
}
ACCEPTED = {
    name: f"m = build({optimizer})\nbefore = [w.numpy() for w in m.trainable_weights]\nfit(m)\nfit(m)\n"
    "assert all((a != w.numpy()).any() for a, w in zip(before, m.trainable_weights)); assert m.optimizer.iterations > 0"
    for name, optimizer in {
        "adam": "optimizers.Adam(1e-3)",
        "rmsprop": "'rmsprop'",
        "sgd": "optimizers.SGD(0.1)",
        "momentum": "optimizers.SGD(0.1, momentum=0.9)",
        "clipped": "optimizers.Adam(clipnorm=1.0)",
        "decay": "optimizers.AdamW(1e-3)",
        "schedule": "optimizers.Adam(optimizers.schedules.ExponentialDecay(1e-3, 10, 0.9))",
        "adadelta": "'adadelta'",
        "lion": "'lion'",
    }.items()
} | {
    "own loop afterwards": "m = build()\nfit(m)\nm.train_on_batch(X[:8], Y[:8])\nassert len(m.optimizer.variables) > 4",
    "own model, own step": (
        "class Own(keras.Model):\n"
        "    def __init__(self):\n        super().__init__(); self.d = layers.Dense(2); self.f = layers.Flatten()\n"
        "    def call(self, x): return self.d(self.f(x))\n"
        "m = Own(); m.compile('adam', 'mse'); fit(m)"
    ),
    "saved": "m = build()\nfit(m)\nm.save('m.keras')\nassert len(keras.models.load_model('m.keras').layers) == 3",
    "nothing to train": "m = build()\nm.trainable = False\nm.compile('adam', 'mse')\nfit(m)",
    "a constraint": (
        "d = layers.Dense(2, kernel_constraint='non_neg')\n"
        "m = keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), d])\n"
        "m.compile('adam', 'mse')\nfit(m)\nassert (m.weights[0].numpy() >= 0).all()"
    ),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Run all cells with fits that are recorded, and with fits that Keras performs."""
    cells = [SETUP, *REFUSED.values(), *ACCEPTED.values()]
    with pytest.MonkeyPatch.context() as patch:
        # One of them saves a model beside itself.
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        return run(cells), run(cells, training="full")


@pytest.mark.parametrize("mistake", REFUSED)
def test_a_recorded_fit_raises_what_keras_raises(both, mistake):
    index = 1 + list(REFUSED).index(mistake)
    recorded, performed = (result.cell(index) for result in both)
    assert recorded.status == performed.status == "error", (recorded.error, performed.error)
    types = {recorded.error.type, performed.error.type}
    assert len(types) == 1 or types & OF_TENSORFLOW, (recorded.error, performed.error)
    shared = words(recorded.error.message) & words(performed.error.message)
    assert len(shared) >= 2 or types & OF_TENSORFLOW, (recorded.error, performed.error)


# What TensorFlow itself refuses, a graph words in another way, or when it is traced already.
OF_TENSORFLOW = {"InvalidArgumentError", "UnimplementedError"}


def words(message):
    return set(re.findall(r"[a-z]{4,}", message.lower()))


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_recorded_fit_accepts_what_keras_accepts_and_moves_the_weights(both, case):
    index = 1 + len(REFUSED) + list(ACCEPTED).index(case)
    recorded, performed = (result.cell(index) for result in both)
    assert (recorded.status, performed.status) == ("ok", "ok"), (recorded.error, performed.error)
