"""Models, losses and optimizers are built again from names in our own tables, and weights must fit them exactly."""

from __future__ import annotations

import copy
import dataclasses
import random
from typing import Any

import keras
import numpy as np
import pytest
from architectures import configuration, random_input_shape, random_layers
from hostile_text import examples
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from test_models_description import places

from autograder.evidence import ModelSnapshot
from autograder.evidence import parse as parse_evidence
from autograder.models.arithmetic import PARAMETER_LIMIT
from autograder.models.compilation import (
    OPTIMIZERS,
    REFERENCE_LOSS,
    REFERENCE_OPTIMIZER,
    Loss,
    Optimizer,
    normalise_loss,
    parse_optimizer,
)
from autograder.models.description import (
    Layer,
    ModelDescription,
    TooLarge,
    Unbuildable,
    Unrecognised,
    digest,
    parse,
    shapes,
)
from autograder.models.rebuild import (
    WeightsMismatch,
    describe,
    function,
    rebuild,
    rebuild_loss,
    rebuild_optimizer,
    submitted,
)
from autograder.sandbox.guest.compilation import described
from autograder.sandbox.protocol import Frame


def small_model() -> Any:
    return keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Conv2D(2, 2, activation="relu"), layers.Flatten(), layers.Dense(3)]
    )


def snapshot_of(model: Any, **changes: Any) -> ModelSnapshot:
    """Return what the trusted side reads of a model, by the real parser."""
    weights = [np.asarray(weight, np.float32) for weight in model.get_weights()]
    record = {
        "identity": 1,
        "class_name": type(model).__name__,
        "config": configuration(model),
        "built": model.built,
        "weight_shapes": [list(weight.shape) for weight in weights],
        "weights": [
            {"blob": number, "dtype": "<f4", "shape": list(weight.shape)} for number, weight in enumerate(weights)
        ],
        **changes,
    }
    evidence = parse_evidence([Frame({"event": "model", "record": record}, tuple(w.tobytes() for w in weights))])
    assert not evidence.malformed
    return evidence.models[0]


def test_a_rebuilt_model_computes_what_the_students_did() -> None:
    compared = 0
    values = np.random.default_rng(0)
    for seed in range(60):
        generator = random.Random(seed)
        shape = random_input_shape(generator)
        model = keras.Sequential(random_layers(generator, generator.randint(1, 4)))
        description = parse(configuration(model))
        try:
            shapes(description, shape)
        except Unbuildable:
            continue
        model.build((None, *shape))
        weights = [values.standard_normal(weight.shape).astype(np.float32) ** 2 for weight in model.get_weights()]
        model.set_weights(weights)
        ours = rebuild(description, shape, weights)
        images = values.standard_normal((2, *shape)).astype(np.float32)
        expected, found = (np.asarray(one(images, training=False)) for one in (model, ours))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=f"seed {seed}")
        compared += 1
    assert compared > 25


def test_functions_of_models_of_equal_layers_keep_their_own_weights_whatever_the_order() -> None:
    models = [small_model() for _ in range(3)]
    snapshots = [snapshot_of(model) for model in models]
    functions = [function(describe(snapshot), snapshot.weights) for snapshot in snapshots]
    inputs = np.random.default_rng(0).random((7, 36), np.float32)
    expected = [np.asarray(model(inputs.reshape(-1, 6, 6, 1))) for model in models]
    for place in (0, 1, 2, 0, 2, 2, 1):
        np.testing.assert_allclose(functions[place](inputs), expected[place], rtol=1e-5, atol=1e-6)
    assert not np.allclose(expected[0], expected[1])
    assert functions[0](inputs[:0]).shape == (0, 3)


def test_a_function_that_is_asked_often_gives_the_same_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograder.models.rebuild._CALLS_WITHOUT_GRAPH", 3)
    values, compared = np.random.default_rng(11), 0
    for seed in range(25):
        generator = random.Random(f"often {seed}")
        shape = random_input_shape(generator)
        description = parse(configuration(keras.Sequential(random_layers(generator, generator.randint(1, 4)))))
        description = dataclasses.replace(description, input_shape=shape)
        try:
            model = rebuild(description)
        except Unbuildable:
            continue
        each = [
            [values.standard_normal(weight.shape).astype(np.float32) ** 2 for weight in model.get_weights()]
            for _ in "ab"
        ]
        if not each[0]:
            continue
        functions = [function(description, weights) for weights in each]
        inputs = values.standard_normal((9, *shape)).astype(np.float32)
        before = functions[0](inputs)
        for count in (4, 9, 2, 1, 9):
            for one in functions:
                one(inputs[:count])
        np.testing.assert_allclose(functions[0](inputs), before, rtol=1e-5, atol=1e-6, err_msg=f"seed {seed}")
        compared += 1
    assert compared > 10


def test_equal_layers_with_other_numbers_are_other_functions() -> None:
    plain, tanh = (
        keras.Sequential([keras.Input((2,)), layers.Dense(2, activation=name, kernel_initializer="ones")])
        for name in (None, "tanh")
    )
    inputs = np.ones((1, 2), np.float32)
    found = [function(describe(one), one.weights)(inputs)[0, 0] for one in map(snapshot_of, (plain, tanh))]
    np.testing.assert_allclose(found, [2.0, np.tanh(2.0)], rtol=1e-5)


def test_a_function_is_refused_where_a_model_would_be() -> None:
    snapshot = snapshot_of(small_model())
    weights = [*snapshot.weights[:-1], np.full_like(snapshot.weights[-1], np.nan)]
    with pytest.raises(WeightsMismatch, match="finite"):
        function(describe(snapshot), weights)
    with pytest.raises(WeightsMismatch):
        function(describe(snapshot), snapshot.weights[:-1])
    with pytest.raises(Unrecognised, match="input shape"):
        function(ModelDescription(None, describe(snapshot).layers), snapshot.weights)


def test_a_model_is_rebuilt_with_its_own_numbers() -> None:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(4, 3, groups=2, kernel_initializer=keras.initializers.RandomNormal(0.1, 0.2)),
            layers.Dense(2, trainable=False),
            layers.BatchNormalization(axis=-1, momentum=0.5, epsilon=0.01),
            layers.LayerNormalization(axis=(1, 2)),
            layers.Conv2DTranspose(
                3, 3, strides=2, output_padding=1, bias_regularizer=keras.regularizers.L1L2(0.1, 0.2)
            ),
            layers.PReLU(shared_axes=(1, 2)),
            layers.GaussianNoise(0.3),
            layers.Dense(3, kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out", "uniform")),
        ]
    )
    description = parse(configuration(model))
    again = parse(configuration(rebuild(description, seed=3)))
    assert digest(again) == digest(description)
    assert [layer.name for layer in again.layers] == [layer.name for layer in description.layers]


def test_equal_seeds_give_equal_weights_and_others_do_not() -> None:
    description = parse(configuration(small_model()))
    first, second, third, free = (rebuild(description, seed=seed).get_weights() for seed in (1, 1, 2, None))
    assert all((one == other).all() for one, other in zip(first, second, strict=True))
    assert not (first[0] == third[0]).all()
    assert not (first[0] == free[0]).all()
    assert first[0].std() > 0


def test_a_students_own_seed_does_not_fix_the_fresh_weights() -> None:
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(5, kernel_initializer=keras.initializers.HeNormal(seed=7))]
    )
    description = parse(configuration(model))
    first, second = (rebuild(description, seed=seed).get_weights()[0] for seed in (1, 2))
    assert not (first == second).all()


def test_layers_of_equal_fields_do_not_start_with_equal_weights() -> None:
    description = ModelDescription((4,), parse(configuration(keras.Sequential([layers.Dense(4)]))).layers * 2)
    weights = rebuild(description, seed=5).get_weights()
    assert not (weights[0] == weights[2]).all()


@pytest.mark.parametrize("name", ["", "a/b", "ünï cödé", "_x", "x" * 200, "../../etc", "dense", "<script>"])
def test_any_name_of_a_layer_can_be_rebuilt(name: str) -> None:
    (layer,) = parse(configuration(keras.Sequential([layers.Dense(2)]))).layers
    twice = tuple(Layer(layer.kind, name, layer.fields) for _ in range(3))
    model = rebuild(ModelDescription((2,), twice))
    assert len({built.name for built in model.layers}) == 3
    assert model(np.zeros((1, 2), np.float32)).shape == (1, 2)


def test_names_that_keras_takes_are_kept() -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="bottle-neck.1"), layers.Dense(1, name="out")])
    assert [layer.name for layer in rebuild(parse(configuration(model))).layers] == ["bottle-neck.1", "out"]


def test_weights_that_do_not_fit_are_refused() -> None:
    description = parse(configuration(small_model()))
    weights = small_model().get_weights()
    rebuild(description, weights=weights)
    transposed = [*weights[:2], weights[2].T, weights[3]]
    with pytest.raises(WeightsMismatch, match="4 arrays of weights, and 3"):
        rebuild(description, weights=weights[:3])
    with pytest.raises(WeightsMismatch, match=r"\(50, 3\) are expected, and \(3, 50\)"):
        rebuild(description, weights=transposed)
    for value in (np.nan, np.inf):
        broken = [weight.copy() for weight in weights]
        broken[2][0, 0] = value
        with pytest.raises(WeightsMismatch, match="finite"):
            rebuild(description, weights=broken)


def test_nothing_absurd_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = parse(configuration(keras.Sequential([layers.Dense(10**6), layers.Dense(10**6)])))
    unfit = parse(configuration(keras.Sequential([layers.Flatten(), layers.MaxPooling2D(2)])))
    monkeypatch.setattr(keras.Sequential, "add", lambda *_: pytest.fail("a layer was built"))
    with pytest.raises(TooLarge):
        rebuild(huge, (100,))
    with pytest.raises(Unbuildable) as caught:
        rebuild(unfit, (4, 4, 1))
    assert (caught.value.position, caught.value.layer.kind) == (1, "MaxPooling2D")
    with pytest.raises(Unrecognised, match="input shape"):
        rebuild(unfit)


def test_numbers_that_keras_refuses_wait_for_a_person() -> None:
    (layer,) = parse(configuration(keras.Sequential([layers.SpatialDropout2D(0.5)]))).layers
    odd = Layer(layer.kind, "odd", {**layer.fields, "activity_regularizer": ("L2", ("l2", 0.1))})
    with pytest.raises(Unrecognised, match="SpatialDropout2D"):
        rebuild(ModelDescription((4, 4, 1), (odd,)))


def test_a_description_made_by_hand_can_not_name_another_class() -> None:
    with pytest.raises(Unrecognised, match="TFSMLayer"):
        rebuild(ModelDescription((2,), (Layer("TFSMLayer", "x"),)))


def test_a_submitted_model_comes_back_with_its_weights() -> None:
    model = small_model()
    snapshot = snapshot_of(model)
    images = np.random.default_rng(1).standard_normal((3, 6, 6, 1)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(submitted(snapshot)(images)), np.asarray(model(images)), rtol=1e-5, atol=1e-6)


def test_a_configuration_with_weights_of_another_model_is_told() -> None:
    right = snapshot_of(small_model())
    forged = keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(2, 2), layers.Flatten(), layers.Dense(4)])
    with pytest.raises(WeightsMismatch):
        describe(snapshot_of(small_model(), config=configuration(forged)))
    assert len(describe(right).layers) == 3


def test_a_class_of_the_notebooks_own_waits_for_a_person() -> None:
    model = small_model()
    for changes in (
        {"config": None, "problem": "the model has no configuration: NotImplementedError"},
        {"class_name": "Autoencoder", "problem": "a class of your own, never built for an input"},
    ):
        with pytest.raises(Unrecognised):
            describe(snapshot_of(model, **changes))


def test_weights_shared_out_of_sight_wait_for_a_person() -> None:
    shared = layers.Dense(4, name="shared")
    inner = keras.Sequential([keras.Input((4,)), shared])
    with pytest.raises(Unrecognised, match="used twice"):
        describe(snapshot_of(keras.Sequential([keras.Input((4,)), inner, shared])))


LOSSES = {
    "mean_squared_error": ("mse", "MSE", "MeanSquaredError"),
    "mean_absolute_error": ("mae", "MAE", "MeanAbsoluteError"),
    "huber": ("Huber",),
    "log_cosh": ("LogCosh",),
    "binary_crossentropy": ("bce", "BCE", "BinaryCrossentropy"),
    "categorical_crossentropy": ("CategoricalCrossentropy",),
    "sparse_categorical_crossentropy": ("SparseCategoricalCrossentropy",),
    "hinge": ("Hinge",),
    "poisson": ("Poisson",),
    "kl_divergence": ("kld", "KLDivergence"),
    "cosine_similarity": ("CosineSimilarity",),
    "mean_squared_logarithmic_error": ("msle", "MeanSquaredLogarithmicError"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_all_spellings_of_a_loss_are_one(name: str) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    class_name = LOSSES[name][-1]
    spellings = [
        name, *LOSSES[name], getattr(keras.losses, name), getattr(tensorflow.keras.losses, class_name)(),
        getattr(keras.losses, class_name), getattr(keras.losses, class_name)(),
        getattr(keras.losses, class_name)(name="mine"), [name], {"decoder": name},
        [getattr(keras.losses, class_name)()],
    ]  # fmt: skip
    found = {normalise_loss(described(spelling)) for spelling in spellings}
    assert len(found) == 1, found
    (loss,) = found
    assert (loss.name, loss.fields) == (name, ())


def mean_squared_error(expected: Any, found: Any) -> Any:
    """A loss of the student's own, under the name of Keras's."""
    return keras.ops.mean(keras.ops.abs(expected - found))


class MeanSquaredError(keras.losses.Loss):
    """Another one, as a class."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(y_true - y_pred)


@pytest.mark.parametrize(
    ("loss", "category", "name"),
    [
        ("mse", "mean_squared_error", "mean_squared_error"),
        (keras.losses.Huber(0.3), "reconstruction", "huber"),
        (keras.losses.KLDivergence(), "classification", "kl_divergence"),
        (keras.losses.CosineSimilarity(), "other", "cosine_similarity"),
        ("meansquarederror", "unknown", None),
        (None, "missing", None),
        (mean_squared_error, "custom", None),
        (MeanSquaredError(), "custom", None),
        (MeanSquaredError, "custom", None),
        (lambda y, p: p, "custom", None),
        (keras.metrics.MeanSquaredError(), "custom", None),
        (["mse", "mae"], "custom", None),
        ({"a": "mse", "b": "mae"}, "custom", None),
        ([], "custom", None),
        ({}, "custom", None),
        (3, "custom", None),
    ],
)
def test_losses_are_told_apart(loss: Any, category: str, name: str | None) -> None:
    found = normalise_loss(described(loss))
    assert (found.category, found.name) == (category, name)
    assert found.text


def test_the_numbers_of_a_loss_are_kept() -> None:
    loss = normalise_loss(described(keras.losses.BinaryCrossentropy(from_logits=True, reduction="sum")))
    assert loss.fields == (("from_logits", True), ("reduction", "sum"))
    built = rebuild_loss(loss)
    assert built is not None
    assert built.get_config()["from_logits"] is True
    assert built.reduction == "sum"


@pytest.mark.parametrize("loss", [Loss(None, "custom", "x"), normalise_loss("hinge"), normalise_loss("mse_")])
def test_only_losses_that_compare_images_are_built(loss: Loss) -> None:
    assert rebuild_loss(loss) is None


def numbers(optimizer: Any) -> dict[str, Any]:
    return {key: value for key, value in optimizer.get_config().items() if key != "name"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_is_rebuilt_with_its_own_numbers(name: str) -> None:
    original = getattr(keras.optimizers, name)(learning_rate=0.0123, clipnorm=1.5)
    parsed = parse_optimizer(described(original))
    assert parsed is not None
    assert parsed.fields == (("clipnorm", 1.5), ("learning_rate", 0.0123))
    again = rebuild_optimizer(parsed)
    assert again is not None
    assert type(again) is type(original)
    assert numbers(again) == numbers(original)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_by_name_is_the_one_with_keras_defaults(name: str) -> None:
    plain = Optimizer(name)
    assert parse_optimizer(name.lower()) == plain
    assert parse_optimizer(described(getattr(keras.optimizers, name)())) == plain
    again = rebuild_optimizer(plain)
    assert again is not None
    assert numbers(again) == numbers(getattr(keras.optimizers, name)())


def test_the_reference_compilation_is_what_most_students_write() -> None:
    assert parse_optimizer(described(keras.optimizers.Adam(1e-3))) == REFERENCE_OPTIMIZER == parse_optimizer("adam")
    assert normalise_loss("mse") == REFERENCE_LOSS


@pytest.mark.parametrize(
    "schedule",
    [
        keras.optimizers.schedules.ExponentialDecay(1e-3, 100, 0.9, staircase=True),
        keras.optimizers.schedules.CosineDecay(1e-3, 100),
        keras.optimizers.schedules.CosineDecayRestarts(1e-2, 10),
        keras.optimizers.schedules.PiecewiseConstantDecay([10, 20], [0.1, 0.2, 0.3]),
        keras.optimizers.schedules.PolynomialDecay(0.1, 10),
        keras.optimizers.schedules.InverseTimeDecay(0.1, 10, 0.1),
    ],
)
def test_schedules_of_the_learning_rate_are_rebuilt(schedule: Any) -> None:
    original = keras.optimizers.Adam(schedule)
    parsed = parse_optimizer(described(original))
    assert parsed is not None
    again = rebuild_optimizer(parsed)
    assert again is not None
    for step in (0, 5, 15, 50):
        assert float(again._learning_rate(step)) == pytest.approx(float(schedule(step)))


class Halved(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step: Any) -> Any:
        return 1e-3 / (1 + step)

    def get_config(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    "optimizer",
    [
        None,
        "adamm",
        ["adam"],
        {"other": "Mine"},
        described(keras.optimizers.Ftrl()),
        described(keras.optimizers.Adam(Halved())),
        described(keras.optimizers.Adam(use_ema=True)),
        described(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())),
        {**described(keras.optimizers.Adam()), "module": "mine"},
        {**described(keras.optimizers.Adam()), "registered_name": "Mine>Adam"},
        {**described(keras.optimizers.Adam()), "config": {"learning_rate": float("nan")}},
        {**described(keras.optimizers.Adam()), "config": {"learning_rate": "0.1"}},
        {**described(keras.optimizers.Adam()), "config": {"learning_rate": True}},
        {**described(keras.optimizers.Adam()), "config": {"learning_rate": 0.1, "beta_1": {"a": 1}}},
        {**described(keras.optimizers.Adam()), "config": {"learning_rate": 0.1, "custom": 1}},
        {**described(keras.optimizers.Adam()), "class_name": "MultiOptimizer"},
    ],
)
def test_what_is_no_known_optimizer_is_not_rebuilt(optimizer: Any) -> None:
    assert parse_optimizer(optimizer) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
    | st.sampled_from(["keras.losses", "keras.optimizers", "Adam", "MeanSquaredError", "mse"]),
    lambda children: st.lists(children, max_size=3)
    | st.dictionaries(
        st.sampled_from(["module", "class_name", "config", "function", "other", "learning_rate", "reduction"]),
        children,
        max_size=5,
    ),
    max_leaves=15,
)  # fmt: skip


@examples(400)
@given(value=JSON)
def test_any_compilation_is_read_without_an_exception(value: Any) -> None:
    loss = normalise_loss(value)
    assert len(loss.text) < 200
    rebuild_loss(loss)
    optimizer = parse_optimizer(value)
    if optimizer is not None:
        rebuild_optimizer(optimizer)
    parse_optimizer({"module": "keras.optimizers", "class_name": "Adam", "config": value, "registered_name": None})
    normalise_loss({"module": "keras.losses", "class_name": "Huber", "config": value, "registered_name": None})


SMALL = small_model()
SMALL_CONFIG = configuration(SMALL)
NUMBERS = st.sampled_from([-1, 0, 1, 2, 3, 7, 28, 1000, 10**6, 10**6 + 1, 10**9, 2**62, 0.5, float("nan"), "1", True])


@st.composite
def changed_configurations(draw: st.DrawFn) -> Any:
    """The configuration of a small model in which some values are others, most of them absurd numbers."""
    config = copy.deepcopy(SMALL_CONFIG)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES))
        spot = config
        for key in path[:-1]:
            spot = spot[key] if isinstance(spot, (dict, list)) and _has(spot, key) else None
        if isinstance(spot, (dict, list)) and _has(spot, path[-1]):
            spot[path[-1]] = draw(NUMBERS | st.lists(NUMBERS, max_size=4) | JSON)
    return config


def _has(spot: Any, key: Any) -> bool:
    return key in spot if isinstance(spot, dict) else isinstance(key, int) and key < len(spot)


PLACES = places(SMALL_CONFIG)


@examples(100)
@given(config=changed_configurations(), shapes_=st.none() | st.lists(st.lists(NUMBERS, max_size=5), max_size=5))
def test_a_changed_model_is_rebuilt_within_bounds_or_refused(config: Any, shapes_: Any) -> None:
    """From the record to Keras: what is built is no larger than the limits, whatever was written."""
    changes = {"config": config} | ({} if shapes_ is None else {"weight_shapes": shapes_, "weights": []})
    try:
        snapshot = snapshot_of(SMALL, **changes)
    except AssertionError:
        return  # the parser of records has dropped it
    try:
        model = submitted(snapshot)
    except (Unrecognised, WeightsMismatch, Unbuildable):
        return
    assert model.count_params() <= PARAMETER_LIMIT
