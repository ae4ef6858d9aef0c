"""The grader's own training tells designs that can remove noise from those that can not, and trains nothing twice."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from architectures import configuration
from keras import layers

from autograder import datasets
from autograder.errors import AssignmentError
from autograder.evidence import Compilation
from autograder.models import training
from autograder.models.description import Layer, ModelDescription, parse
from autograder.models.training import Protocol, TrainingResult, measure
from autograder.sandbox.guest.compilation import described
from autograder.store import Store

ROOT = Path(__file__).parents[2]
CALIBRATION = ROOT / "tests" / "autoencoders" / "calibration.json"
SMALL = Protocol(
    limit=0.01, noise=0.1, batch_size=8, steps=200, interval=100, clean_steps=0, restarts=2, submitted_restarts=1,
    test_images=50, steps_per_execution=50, seed=5, work_limit=1e10, cpu_seconds_limit=100,
)  # fmt: skip
SIDE = (6, 6, 1)


def small_images(count: int, seed: int) -> np.ndarray[Any, Any]:
    """Return mixtures of two patterns, in [0, 1]: two numbers describe an image."""
    generator = np.random.default_rng(seed)
    patterns = np.random.default_rng(0).uniform(0, 0.5, (2, *SIDE))
    return np.tensordot(generator.uniform(0, 1, (count, 2)), patterns, axes=1).astype(np.float32)


TRAIN, TEST = small_images(400, 1), small_images(100, 2)


def described_model(*parts: Any, shape: tuple[int, ...] = SIDE) -> ModelDescription:
    return parse(configuration(keras.Sequential([keras.Input(shape), *parts])))


def hourglass(latent: int = 4) -> ModelDescription:
    return described_model(
        layers.Flatten(), layers.Dense(latent), layers.Dense(36, activation="sigmoid"), layers.Reshape(SIDE)
    )


def compiled(loss: Any = "mse", optimizer: Any = "adam") -> Compilation:
    return Compilation(cell=0, model_identity=1, loss=described(loss), optimizer=described(optimizer))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("shared") / "cache")


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("something was trained")

    monkeypatch.setattr(training, "Trainer", refuse)


def run(
    description: ModelDescription, compilation: Compilation | None, store: Store | None = None, **changes: Any
) -> TrainingResult:
    return measure(description, compilation, dataclasses.replace(SMALL, **changes), TRAIN, TEST, store)


def test_a_design_that_can_passes_with_its_own_compilation() -> None:
    result = run(hourglass(), compiled(keras.losses.MeanSquaredError(), keras.optimizers.Adam(0.02)))
    assert (result.status, result.passed_with, result.note) == ("passed", "submitted", "")
    assert result.error is not None
    assert result.error < SMALL.limit
    assert result.curve[-1] == (result.steps, result.error)
    assert result.attempts == 1
    assert result.cpu_seconds > 0


def test_what_was_measured_is_shown_with_what_no_learning_comes_to(store: Store) -> None:
    first = run(hourglass(), compiled("mse", keras.optimizers.Adam(0.02)), store)
    shown = first.shown
    assert shown is not None
    count = math.prod(shown.shape)
    clean, noisy, denoised = (
        np.frombuffer(part, np.uint8).reshape(shown.shape) / 255 for part in (shown.clean, shown.noisy, shown.denoised)
    )
    assert shown.shape == (10, *SIDE) and count == clean.size
    assert np.allclose(clean, TEST[::2][:10], atol=1 / 255)
    # It was taken at the measurement that passed, on more images than are shown.
    error = float(((denoised - clean) ** 2).mean())
    assert error == pytest.approx(first.error, rel=0.6)
    assert error < float(((noisy - clean) ** 2).mean())
    target = TEST[::2]
    zero, mean, given = shown.baselines
    assert zero == pytest.approx(float((target**2).mean()), rel=1e-4)
    assert mean == pytest.approx(float(((target - TRAIN.mean(axis=0)) ** 2).mean()), rel=1e-4)
    assert given == pytest.approx(SMALL.noise**2, rel=0.1)
    again = run(hourglass(), compiled("mse", keras.optimizers.Adam(0.02)), store)
    assert again.from_cache and again.shown == shown


@pytest.mark.usefixtures("no_training")
def test_what_is_not_trained_shows_nothing() -> None:
    flat = described_model(layers.Flatten(), layers.Dense(7))
    assert run(flat, compiled()).shown is None


def test_a_design_that_can_not_is_missed_after_all_attempts() -> None:
    result = run(hourglass(), compiled(), limit=1e-9, clean_steps=100)
    assert (result.status, result.passed_with) == ("missed", None)
    assert (result.attempts, result.steps) == (SMALL.restarts, SMALL.restarts * SMALL.steps)
    assert [step for step, _ in result.curve] == [200], "nothing is measured while the images are clean"
    assert result.error == min(error for _, error in result.curve)
    assert not result.needs_review


def test_attempts_start_from_fresh_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    original = training.Trainer._error

    def spy(self: Any) -> float:
        starts.append([weight.copy() for weight in self._model.get_weights()])
        starts.append([variable.numpy() for variable in self._model.optimizer.variables])
        return original(self)

    monkeypatch.setattr(training.Trainer, "_error", spy)
    run(hourglass(), compiled(), limit=1e-9, steps=50, interval=50)
    first, second = starts[0], starts[2]
    assert not np.allclose(first[0], second[0])
    assert int(starts[1][0]) == int(starts[3][0]) == 50, "the optimizer counts its steps anew"


def test_an_optimizer_that_can_not_is_told_from_a_design_that_can_not() -> None:
    result = run(hourglass(), compiled(optimizer=keras.optimizers.SGD(1e-6)), limit=0.05)
    assert (result.status, result.passed_with) == ("passed", "reference")
    assert "Adam" in result.note
    assert result.attempts >= 2


@pytest.mark.filterwarnings("ignore:overflow")
def test_errors_that_are_no_numbers_never_pass() -> None:
    exploding = described_model(layers.Flatten(), layers.Dense(36), layers.Reshape(SIDE))
    result = run(exploding, compiled(optimizer=keras.optimizers.SGD(1e20)), limit=1e-9, restarts=1)
    assert result.status == "missed"
    assert result.error is not None, "the attempt with the reference compilation gave numbers"
    assert all(np.isfinite(error) for _, error in result.curve)


@pytest.mark.parametrize(
    ("compilation", "words"),
    [
        (None, "never compiled"),
        (compiled("categorical_crossentropy"), "categorical crossentropy"),
        (compiled("no_such_loss"), "no_such_loss"),
        (compiled("mse", {"other": "Mine"}), "optimizer was replaced"),
    ],
)
def test_what_can_not_be_trained_with_is_replaced_and_noted(
    compilation: Compilation | None, words: str, shared_store: Store
) -> None:
    result = run(hourglass(), compilation, shared_store, limit=0.05)
    assert result.status == "passed"
    assert words in result.note


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("description", "words", "needs_review"),
    [
        (described_model(layers.Flatten(), layers.Dense(35)), "output has the shape", False),
        (described_model(layers.Conv2D(1, 2)), "output has the shape", False),
        (described_model(layers.Flatten(), shape=(5, 5, 1)), "takes inputs of shape", False),
        (
            parse(configuration(keras.Sequential([layers.Flatten(), layers.MaxPooling2D(2)]))),
            "do not fit each other",
            False,
        ),
        (described_model(layers.Activation("relu")), "no weights", False),
        (described_model(layers.Dense(1, trainable=False)), "no weights", False),
        (described_model(layers.BatchNormalization(center=False, scale=False)), "no weights", False),
        (described_model(layers.Dense(30_000), layers.Dense(1)), "too large", True),
        (described_model(layers.Dense(1), *(layers.ReLU() for _ in range(290))), "too large", True),
        (parse(configuration(keras.Sequential([layers.Dense(10**6), layers.Dense(1000)]))), "more than", True),
    ],
)
def test_the_hopeless_and_the_huge_are_not_trained(
    description: ModelDescription, words: str, needs_review: bool
) -> None:
    result = run(description, compiled())
    assert result.status == "not trained"
    assert words in result.reason
    assert (result.needs_review, result.attempts) == (needs_review, 0)


def test_equal_work_is_done_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(hourglass(), compiled("mse", "adam"), store, limit=0.05)
    assert not first.from_cache
    monkeypatch.setattr(training, "Trainer", lambda *_: pytest.fail("trained twice"))
    renamed = described_model(
        layers.Flatten(name="a"), layers.Dense(4, name="b"), layers.Dense(36, activation="sigmoid", name="c"),
        layers.Reshape(SIDE),
    )  # fmt: skip
    same = compiled(keras.losses.MeanSquaredError(), keras.optimizers.Adam(1e-3))
    for compilation in (same, None, compiled("hinge")):
        again = run(renamed, compilation, store, limit=0.05)
        assert again.from_cache
        assert (again.error, again.curve, again.attempts) == (first.error, first.curve, first.attempts)


def test_everything_that_matters_is_in_the_key_of_a_result() -> None:
    def key(**changes: Any) -> str:
        given = {"description": hourglass(), "protocol": SMALL, "loss": "mse", "optimizer": "adam", "train": TRAIN}
        given |= {"test": TEST, "wanted": 2, **changes}
        images = training.Images(given["train"], given["test"])
        measurement = training._Measurement(given["description"], given["protocol"], images, None)
        loss, optimizer = training.normalise_loss(given["loss"]), training.parse_optimizer(given["optimizer"])
        assert optimizer is not None
        return measurement._key(loss, optimizer, given["wanted"])

    others = [
        {"description": hourglass(5)}, {"protocol": dataclasses.replace(SMALL, seed=6)}, {"loss": "mae"},
        {"protocol": dataclasses.replace(SMALL, limit=0.011)}, {"optimizer": "sgd"}, {"train": TRAIN * 0.9},
        {"optimizer": described(keras.optimizers.Adam(1e-2))}, {"test": TEST[::-1]}, {"wanted": 3},
        {"loss": described(keras.losses.MeanSquaredError(reduction="sum"))},
    ]  # fmt: skip
    assert len({key(), *(key(**other) for other in others)}) == 1 + len(others)
    assert key() == key(loss="MSE", optimizer=described(keras.optimizers.Adam()))


def test_numbers_that_keras_refuses_wait_for_a_person() -> None:
    odd = Layer("SpatialDropout2D", "odd", {"rate": 0.5, "activity_regularizer": ("L2", ("l2", 0.1))})
    design = hourglass()
    result = run(ModelDescription(SIDE, (odd, *design.layers)), compiled())
    assert (result.status, result.needs_review) == ("not trained", True)


def test_what_was_cut_short_waits_for_a_person_and_is_not_kept(store: Store) -> None:
    result = run(hourglass(), compiled(), store, limit=1e-9, cpu_seconds_limit=0.0)
    assert (result.status, result.needs_review) == ("not trained", True)
    assert store.size().entries == 0


def test_a_large_model_gets_fewer_attempts_and_then_waits_for_a_person() -> None:
    sample = training.multiply_adds(hourglass()) + 4 * training.LAYER_MULTIPLY_ADDS
    work = 3 * 8 * SMALL.steps * sample
    result = run(hourglass(), compiled(), limit=1e-9, work_limit=1.5 * work)
    assert (result.status, result.needs_review, result.attempts) == ("not trained", True, 1)
    assert run(hourglass(), compiled(), limit=0.05, work_limit=1.5 * work).status == "passed"


def test_layers_that_compute_otherwise_in_training_are_measured_in_use() -> None:
    noisy = described_model(
        layers.GaussianNoise(0.1), layers.Flatten(), layers.BatchNormalization(), layers.Dense(8),
        layers.Dropout(0.01), layers.Dense(36, activation="sigmoid"), layers.Reshape(SIDE),
    )  # fmt: skip
    assert run(noisy, compiled(optimizer=keras.optimizers.Adam(0.01)), limit=0.03).status == "passed"


def test_the_shipped_protocol_is_sound() -> None:
    protocol = Protocol.read(CALIBRATION)
    assert 0.06 < protocol.limit < 0.0675
    assert protocol.noise == 0.5


@pytest.mark.parametrize(
    "changes",
    [{"limit": "0.06"}, {"limit": None}, {"steps": 0}, {"steps": 2.5}, {"batch_size": 0}, {"restarts": -1},
     {"extra": 1}, {"interval": 70}, {"clean_steps": 30}, {"clean_steps": 200}, {"noise": float("nan")}],
)  # fmt: skip
def test_an_unsound_protocol_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    values = dataclasses.asdict(SMALL)
    path.write_text(json.dumps({"denoising": {"protocol": values}}))
    assert Protocol.read(path) == SMALL
    path.write_text(json.dumps({"denoising": {"protocol": {**values, **changes}}}))
    with pytest.raises(AssignmentError, match=r"calibration\.json"):
        Protocol.read(path)


def test_a_missing_protocol_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssignmentError, match="no sound section"):
        Protocol.read(tmp_path / "calibration.json")


def test_the_statements_design_removes_noise_from_digits() -> None:
    data = datasets.load(ROOT / "data", "mnist")
    train, test = (data[name][..., None] / np.float32(255) for name in ("x_train", "x_test"))
    design = described_model(
        layers.Conv2D(8, 2, activation="relu"), layers.MaxPooling2D(2), layers.Conv2D(16, 2, activation="relu"),
        layers.MaxPooling2D(2), layers.Conv2D(32, 2, activation="relu"), layers.Flatten(),
        layers.Dense(2, activation="tanh"), layers.Dense(392, activation="tanh"), layers.Reshape((7, 7, 8)),
        layers.Conv2DTranspose(8, 2, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(1, 2, strides=2, padding="same", activation="relu"), shape=(28, 28, 1),
    )  # fmt: skip
    protocol = Protocol.read(CALIBRATION)
    result = measure(design, compiled(), protocol, train, test)
    assert (result.status, result.passed_with) == ("passed", "submitted")
    # The mean image alone has .0675: a pass must lie well below it.
    assert result.error is not None
    assert 0.04 < result.error < protocol.limit
