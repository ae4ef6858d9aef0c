"""Configurations of models are hostile text: what Keras makes is understood, anything else waits for a person."""

from __future__ import annotations

import contextlib
import copy
import random
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
from architectures import configuration, random_input_shape, random_layers
from hostile_text import examples
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from autograder.models.arithmetic import trainable_count
from autograder.models.description import (
    Layer,
    ModelDescription,
    TooLarge,
    Unbuildable,
    Unrecognised,
    activation_of,
    digest,
    multiply_adds,
    output_shape,
    parameter_counts,
    parse,
    shapes,
    weight_shapes,
)

IMAGE = (28, 28, 1)


def encoder_layers(latent: int = 2, padding: str = "valid") -> list[Any]:
    return [
        layers.Conv2D(8, 2, activation="relu", padding=padding),
        layers.MaxPooling2D(2),
        layers.Conv2D(16, (2, 2), activation="relu", padding=padding),
        layers.MaxPool2D(pool_size=(2, 2)),
        layers.Conv2D(32, 2, padding=padding, activation=keras.activations.relu),
        layers.Flatten(),
        layers.Dense(latent, activation="tanh"),
    ]


def decoder_layers() -> list[Any]:
    return [
        layers.Dense(7 * 7 * 8, activation="tanh"),
        layers.Reshape((7, 7, 8)),
        layers.Conv2DTranspose(8, 2, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(1, (2, 2), strides=(2, 2), padding="same", activation="relu"),
    ]


def chained(parts: list[Any], shape: tuple[int, ...]) -> Any:
    """Return the parts as a functional model."""
    start = tensor = keras.Input(shape)
    for part in parts:
        tensor = part(tensor)
    return keras.Model(start, tensor)


def reason_of(model: Any) -> str:
    with pytest.raises(Unrecognised) as caught:
        parse(configuration(model))
    return caught.value.reason


def test_nothing_heavy_is_imported_to_read_a_configuration() -> None:
    code = (
        "import sys, autograder.models.description, autograder.models.compilation, autograder.models.training;"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_statements_encoder_has_the_statements_sizes() -> None:
    description = parse(configuration(keras.Sequential([keras.Input(IMAGE), *encoder_layers()])))
    assert [layer.kind for layer in description.layers] == [
        "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Conv2D", "Flatten", "Dense",
    ]  # fmt: skip
    assert description.input_shape == IMAGE
    assert [shape[0] for shape in shapes(description)] == [27, 13, 12, 6, 5, 800, 2]
    assert parameter_counts(description) == (40, 0, 528, 0, 2080, 0, 1602)
    assert description.layers[0].fields["activation"] == "relu"
    assert description.layers[1].fields["pool_size"] == (2, 2)


@pytest.mark.parametrize("latent", [1, 2, 5, 16])
def test_the_known_totals_are_found(latent: int) -> None:
    both = [keras.Sequential(encoder_layers(latent)), keras.Sequential(decoder_layers())]
    encoder, decoder = (parse(configuration(model)) for model in both)
    assert sum(parameter_counts(encoder, IMAGE)) == 2648 + 801 * latent
    assert sum(parameter_counts(decoder, (latent,))) == 392 * (latent + 1) + 297


def test_sequential_functional_and_nested_models_are_one() -> None:
    nested = keras.Sequential(
        [
            keras.Sequential([keras.Input(IMAGE), *encoder_layers()], name="coder"),
            keras.Sequential([keras.Input((2,)), *decoder_layers()]),
        ]
    )
    functional = chained([*encoder_layers(), *decoder_layers()], IMAGE)
    both = chained([chained(encoder_layers(), IMAGE), keras.Sequential(decoder_layers())], IMAGE)
    flat = keras.Sequential([keras.Input(IMAGE), *encoder_layers(), *decoder_layers()])
    descriptions = [parse(configuration(model)) for model in (nested, functional, both, flat)]
    assert {len(description.layers) for description in descriptions} == {11}
    assert {description.input_shape for description in descriptions} == {IMAGE}
    assert {output_shape(description) for description in descriptions} == {IMAGE}
    assert {sum(parameter_counts(description)) for description in descriptions} == {5723}
    assert digest(descriptions[1]) == digest(descriptions[3])


def test_the_digest_does_not_depend_on_names_and_does_on_numbers() -> None:
    def described(**changes: Any) -> str:
        fields = {"filters": 8, "kernel_size": 2, "activation": "relu", **changes}
        return digest(parse(configuration(keras.Sequential([keras.Input(IMAGE), layers.Conv2D(**fields)]))))

    same = {described(), described(name="mine"), described(kernel_initializer=keras.initializers.GlorotUniform(seed=1))}
    assert len(same) == 1
    different = [
        {}, {"filters": 9}, {"kernel_size": 3}, {"activation": "tanh"}, {"padding": "same"}, {"strides": 2},
        {"use_bias": False}, {"kernel_initializer": "he_normal"}, {"kernel_regularizer": "l2"}, {"trainable": False},
        {"activity_regularizer": "l1"}, {"dilation_rate": 2}, {"activation": layers.LeakyReLU(0.1)},
    ]  # fmt: skip
    assert len({described(**changes) for changes in different}) == len(different)


def test_a_model_that_was_never_built_has_no_input_shape() -> None:
    description = parse(configuration(keras.Sequential(decoder_layers())))
    assert description.input_shape is None
    with pytest.raises(Unrecognised, match="without an input shape"):
        shapes(description)
    assert output_shape(description, (3,)) == IMAGE


def test_activations_as_argument_layer_function_and_object_are_told() -> None:
    tensorflow = pytest.importorskip("tensorflow")
    model = keras.Sequential(
        [
            layers.Dense(3, activation=tensorflow.nn.relu),
            layers.Dense(3, activation=layers.ReLU()),
            layers.Activation(keras.activations.tanh),
            layers.ReLU(),
            layers.Dense(3, activation="swish"),
            layers.Dense(3),
            layers.Dense(3, activation=layers.LeakyReLU(0.3)),
            layers.Flatten(),
        ]
    )
    description = parse(configuration(model))
    kinds = [layer.kind for layer in description.layers]
    assert kinds == ["Dense", "Dense", "Activation", "ReLU", "Dense", "Dense", "Dense", "LeakyReLU", "Flatten"]
    assert [activation_of(layer) for layer in description.layers] == [
        "relu", "relu", "tanh", "relu", "silu", "linear", "linear", "LeakyReLU", None,
    ]  # fmt: skip
    assert description.layers[7].fields["negative_slope"] == pytest.approx(0.3)


def test_a_frozen_model_freezes_its_layers() -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.BatchNormalization()])
    inner.trainable = False
    description = parse(configuration(keras.Sequential([keras.Input((4,)), inner, layers.Dense(2)])))
    assert [layer.trainable for layer in description.layers] == [False, False, True]
    assert trainable_count(description) == 8


def test_shapes_and_weights_agree_with_keras_on_random_models() -> None:
    outcomes = {"built": 0, "refused": 0}
    for seed in range(170):
        generator = random.Random(seed)
        shape = random_input_shape(generator)
        model = keras.Sequential(random_layers(generator, generator.randint(1, 6)))
        description = parse(configuration(model))
        expected = _built(model, shape)
        try:
            found = shapes(description, shape)
        except Unbuildable:
            assert not expected, f"seed {seed}: Keras builds it"
            outcomes["refused"] += 1
            continue
        assert expected, f"seed {seed}: Keras refuses it"
        outcomes["built"] += 1
        assert found[-1] == tuple(model.output_shape[1:]), f"seed {seed}"
        ours = [one for group in weight_shapes(description, shape) for one in group]
        assert ours == [tuple(weight.shape) for weight in model.weights], f"seed {seed}"
        assert sum(parameter_counts(description, shape)) == model.count_params()
        trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
        assert trainable_count(description, shape) == trained, f"seed {seed}"
    assert min(outcomes.values()) > 50, outcomes


def _built(model: Any, shape: tuple[int, ...]) -> bool:
    """Whether Keras builds the model, and something is left at its end."""
    try:
        model.build((None, *shape))
    except Exception:
        return False
    return all(0 not in layer.output.shape for layer in model.layers)


def test_what_is_not_a_chain_is_named() -> None:
    start = keras.Input((4,))
    dense = layers.Dense(4)
    other = keras.Input((4,))
    assert "joined by Add" in reason_of(keras.Model(start, layers.Add()([dense(start), start])))
    assert "used twice" in reason_of(keras.Model(start, dense(dense(start))))
    assert "operation Multiply" in reason_of(keras.Model(start, layers.Dense(3)(start) * 2.0))
    assert "more than one output" in reason_of(keras.Model(start, [layers.Dense(3)(start), layers.Dense(2)(start)]))
    assert reason_of(keras.Model([start, other], layers.Add()([start, other])))
    assert "training=" in reason_of(keras.Model(start, layers.Dropout(0.5)(start, training=True)))


def test_calling_with_training_is_fine_where_it_changes_nothing() -> None:
    start = keras.Input((4,))
    description = parse(configuration(keras.Model(start, layers.Dense(3)(start, training=False))))
    assert [layer.kind for layer in description.layers] == ["Dense"]


def test_a_layer_that_is_active_in_training_only_is_read_in_a_functional_model() -> None:
    start = keras.Input((4,))
    # Keras writes training=False down for it, although nobody gave it.
    description = parse(configuration(keras.Model(start, layers.Dense(3)(layers.GaussianNoise(0.5)(start)))))
    assert [layer.kind for layer in description.layers] == ["GaussianNoise", "Dense"]


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (keras.activations.relu, "relu"),
        (keras.ops.relu, "relu"),
        (keras.activations.tanh, "tanh"),
        (keras.ops.tanh, "tanh"),
        (keras.activations.sigmoid, "sigmoid"),
    ],
)
def test_an_activation_that_is_called_as_a_function_is_an_activation(function: Any, name: str) -> None:
    start = keras.Input((4,))
    (dense, activation, last) = parse(
        configuration(keras.Model(start, layers.Dense(2)(function(layers.Dense(3)(start)))))
    ).layers
    assert (dense.kind, activation_of(activation), last.kind) == ("Dense", name, "Dense")
    bounded = keras.activations.relu(layers.Dense(3)(start), max_value=6.0)
    assert activation_of(parse(configuration(keras.Model(start, bounded))).layers[1]) != "relu"


class Doubled(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return 2 * inputs


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Doubled, "custom layer Doubled"),
        (lambda: layers.Lambda(keras.ops.abs), "a Lambda layer"),
        (lambda: layers.LSTM(3), "a LSTM layer"),
        (lambda: layers.Dense(3, activation=_cubed), "activation _cubed"),
        (lambda: layers.Dense(3, activation=lambda x: x), "activation"),
        (lambda: layers.Dense(3, activation=layers.Dense(3)), "activation"),
        (lambda: layers.Dense(3, activation=keras.config.set_backend), "activation set_backend"),
        (lambda: layers.Dense(3, kernel_constraint="non_neg"), "kernel_constraint"),
        (lambda: layers.Dense(3, kernel_regularizer="orthogonal_regularizer"), "kernel_regularizer"),
        (lambda: layers.Dense(3, kernel_initializer=_initial), "kernel_initializer"),
        (lambda: layers.Dense(3, dtype="mixed_bfloat16"), "float32"),
        (lambda: layers.Conv2D(3, 2, data_format="channels_first"), "data_format"),
        (lambda: layers.BatchNormalization(renorm=True), "renorm"),
        (lambda: layers.Dropout(0.5, noise_shape=(None, 1)), "noise_shape"),
    ],
)
def test_layers_and_fields_that_are_not_known_are_named(layer: Any, reason: str) -> None:
    assert reason in reason_of(keras.Sequential([layer()]))


def _cubed(x: Any) -> Any:
    return x**3


def _initial(shape: Any, dtype: Any = None) -> Any:
    return keras.ops.ones(shape, dtype)


def plain_configuration() -> Any:
    model = keras.Sequential([keras.Input(IMAGE), *encoder_layers(), *decoder_layers()])
    return configuration(model)


PLAIN = plain_configuration()
FUNCTIONAL = configuration(chained([chained(encoder_layers(), IMAGE), keras.Sequential(decoder_layers())], IMAGE))


def changed(config: Any, path: tuple[Any, ...], value: Any) -> Any:
    config = copy.deepcopy(config)
    place = config
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return config


DENSE = ("config", "layers", 7, "config")
CONVOLUTION = ("config", "layers", 1, "config")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*DENSE, "units"), True),
        ((*DENSE, "units"), 2.0),
        ((*DENSE, "units"), "2"),
        ((*DENSE, "units"), -2),
        ((*DENSE, "units"), [2]),
        ((*DENSE, "activation"), None),
        ((*DENSE, "activation"), "Tanh"),
        ((*DENSE, "activation"), "tanhh"),
        ((*DENSE, "activation"), "keras.config.set_backend"),
        ((*DENSE, "activation"), {"module": "builtins", "class_name": "function", "config": "tanh"}),
        ((*DENSE, "activation"), {"module": "keras.layers", "class_name": "Lambda", "config": {}}),
        ((*DENSE, "activation"), {"module": "mine", "class_name": "ReLU", "config": {}}),
        ((*DENSE, "use_bias"), 1),
        ((*DENSE, "kernel_initializer"), "glorot_uniform"),
        ((*DENSE, "kernel_initializer", "module"), "os"),
        ((*DENSE, "kernel_initializer", "registered_name"), "Package>Mine"),
        ((*DENSE, "kernel_initializer", "config", "input_axes"), [0]),
        (
            (*DENSE, "kernel_regularizer"),
            {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": "nan"}, "registered_name": None},
        ),
        ((*DENSE, "lora_rank"), 4),
        ((*DENSE, "quantization_config"), {}),
        ((*DENSE, "dtype"), "float16"),
        ((*DENSE, "dtype", "config", "name"), "int8"),
        ((*DENSE, "trainable"), "yes"),
        ((*DENSE, "name"), 5),
        ((*CONVOLUTION, "padding"), "VALID"),
        ((*CONVOLUTION, "padding"), "causal"),
        ((*CONVOLUTION, "strides"), [1, 1, 1]),
        ((*CONVOLUTION, "strides"), 1),
        ((*CONVOLUTION, "strides"), [0, 1]),
        ((*CONVOLUTION, "kernel_size"), [2, None]),
        ((*CONVOLUTION, "data_format"), "channels_first"),
        (("config", "layers", 0, "config", "batch_shape"), [None, None, 28, 1]),
        (("config", "layers", 0, "config", "batch_shape"), [None, 28, 28, 0]),
        (("config", "layers", 0, "config", "batch_shape"), "28"),
        (("config", "layers", 0, "config", "dtype"), "string"),
        (("config", "layers", 0, "config", "sparse"), True),
        (("config", "layers", 7, "module"), "keras.src.layers"),
        (("config", "layers", 7, "registered_name"), "Custom>Dense"),
        (("config", "layers", 7, "class_name"), "TFSMLayer"),
        (("config", "layers", 7, "class_name"), ["Dense"]),
        (("config", "layers", 7), "Dense"),
        (("config", "layers"), {}),
        (("config", "custom"), 1),
        (("config", "trainable"), 1),
        (("config",), None),
        (("class_name",), "Model"),
        (("class_name",), ["Sequential"]),
        (("module",), "keras"),
    ],
)  # fmt: skip
def test_a_value_that_keras_would_not_write_is_not_replaced_by_a_default(path: tuple[Any, ...], value: Any) -> None:
    parse(PLAIN)
    with pytest.raises(Unrecognised):
        parse(changed(PLAIN, path, value))


@pytest.mark.parametrize(
    "model",
    [
        lambda: [layers.Dense(10**9)],
        lambda: [layers.ZeroPadding2D(10**6)],
        lambda: [layers.ReLU() for _ in range(301)],
        lambda: [layers.UpSampling2D(10**6)],
        lambda: [layers.Flatten(), layers.Dense(100_000)],
        lambda: [layers.UpSampling2D(1000), layers.UpSampling2D(1000), layers.UpSampling2D(1000)],
        lambda: [layers.Flatten(), layers.RepeatVector(10**6)],
    ],
)
def test_absurd_sizes_are_found_before_anything_is_built(model: Any) -> None:
    entry = configuration(keras.Sequential(model()))
    with pytest.raises(TooLarge):
        shapes(parse(entry), IMAGE)


@pytest.mark.parametrize(
    ("build", "shape", "above"),
    [
        (lambda extra: [layers.ReLU() for _ in range(300 + extra)], (4,), "more than 300 layers"),
        (lambda extra: [layers.Dense(50_000, use_bias=bool(extra))], (1_000,), "more than 50,000,000 parameters"),
        (lambda extra: [layers.RepeatVector(10**6), *[layers.Flatten()] * extra], (100,), "or 100,000,000 outputs"),
    ],
)
def test_sizes_of_models_are_bounded_at_their_edge(build: Any, shape: tuple[int, ...], above: str) -> None:
    below, larger = (configuration(keras.Sequential(build(extra))) for extra in (0, 1))
    shapes(parse(below), shape)
    with pytest.raises(TooLarge, match=above):
        shapes(parse(larger), shape)


@pytest.mark.parametrize(("depth", "refused"), [(6, False), (7, True)])
def test_nesting_is_bounded_at_its_edge(depth: int, refused: bool) -> None:
    config = configuration(keras.Sequential([layers.Flatten()]))
    for _ in range(depth):
        inner = {**config, "module": "keras", "registered_name": None}
        config = {"class_name": "Sequential", "config": {**config["config"], "layers": [inner]}}
    with pytest.raises(TooLarge, match="nested more than 6 deep") if refused else contextlib.nullcontext():
        parse(config)


def test_models_nested_without_end_are_too_large() -> None:
    config = configuration(keras.Sequential([layers.Flatten()]))
    for _ in range(20):
        inner = {**config, "module": "keras", "registered_name": None}
        config = {"class_name": "Sequential", "config": {**config["config"], "layers": [inner]}}
    with pytest.raises(TooLarge, match="nested"):
        parse(config)


def test_a_graph_that_runs_in_a_circle_ends() -> None:
    config = configuration(chained([layers.Dense(4), layers.Dense(4)], (4,)))
    entries = config["config"]["layers"]
    history = entries[1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"]
    history[0] = entries[2]["name"]
    with pytest.raises(Unrecognised):
        parse(config)


def test_layers_that_are_in_no_path_are_not_passed_over() -> None:
    config = configuration(chained([layers.Dense(4), layers.Dense(3)], (4,)))
    extra = copy.deepcopy(config["config"]["layers"][1])
    extra["name"] = "hidden"
    config["config"]["layers"].append(extra)
    with pytest.raises(Unrecognised):
        parse(config)


def test_a_nested_model_must_get_the_shape_that_it_states() -> None:
    config = configuration(chained([layers.Dense(4), chained([layers.Dense(3)], (4,))], (4,)))
    assert output_shape(parse(config)) == (3,)
    inner = config["config"]["layers"][2]["config"]["layers"][0]["config"]
    inner["batch_shape"] = [None, 5]
    with pytest.raises(Unbuildable, match=r"\(5,\)"):
        shapes(parse(config))


def test_multiply_adds_count_the_work() -> None:
    description = ModelDescription((6, 6, 1), (conv := parse(_one(layers.Conv2D(4, 3))).layers[0],))
    assert conv.kind == "Conv2D"
    assert multiply_adds(description) == 9 * 4 * 16 + 64


def _one(layer: Any) -> Any:
    return configuration(keras.Sequential([layer]))


def test_a_description_can_not_be_changed() -> None:
    layer = Layer("Flatten", "flatten", {"a": 1})
    with pytest.raises(TypeError):
        layer.fields["a"] = 2  # type: ignore[index]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values in a configuration."""
    found = [path] if path else []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        found += places(child, (*path, key))
    return found


# What may change without changing the function: names, seeds, and notes of Keras on how a layer was built.
NEUTRAL = {"name", "seed", "build_config", "compile_config", "build_input_shape", "shape", "input_shape"}
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(), st.text(max_size=8),
    st.sampled_from(["relu", "tanh", "Dense", "keras", "Zeros", "same", "float64", "Sequential"]),
    st.lists(st.integers(-3, 9), max_size=4), st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)  # fmt: skip


@examples(300)
@given(data=st.data(), functional=st.booleans())
def test_whatever_is_changed_is_seen_or_refused(data: st.DataObject, functional: bool) -> None:
    config = FUNCTIONAL if functional else PLAIN
    path = data.draw(st.sampled_from(PATHS[functional]))
    value = data.draw(JUNK)
    original = _at(config, path)
    try:
        description = parse(changed(config, path, value))
        shapes(description, IMAGE)
    except (Unrecognised, Unbuildable):
        return
    same = type(value) is type(original) and value == original
    if not same and not NEUTRAL & set(path) and not _means_the_same(path, value):
        assert digest(description) != digest(parse(config)), f"{path} = {value!r} was passed over"


def _means_the_same(path: tuple[Any, ...], value: Any) -> bool:
    """Whether a change is one of those that do change nothing: a batch size, a cast, a flag that is not set."""
    if "args" in path and path[-1] in ("dtype", 0):
        return True  # what Keras notes of a tensor, not of a layer
    if path[-1] == "dtype":
        return value == "float64"
    if path[-1] in ("sparse", "ragged", "optional"):
        return not value
    if path[-1] in ("mask", "training"):
        return True
    if (path[-1], value) == ("config", {}):
        return True  # every field of the layer as Keras has it; where one has no such value, it is refused
    return path[-2:] == ("batch_shape", 0) or (path[-1], value) in (("module", "keras"), ("registered_name", None))


def _at(config: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        config = config[key]
    return config


PATHS = {False: places(PLAIN), True: places(FUNCTIONAL)}


JSON = st.recursive(
    JUNK,
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.sampled_from(["class_name", "config", "layers", "module", "name", "inbound_nodes", "args", "kwargs"]),
            children,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@examples(300)
@given(config=JSON, kind=st.sampled_from(["Sequential", "Functional"]), layer=st.sampled_from(["Dense", "Reshape"]))
def test_any_json_is_read_or_refused(config: Any, kind: str, layer: str) -> None:
    entry = {"class_name": layer, "module": "keras.layers", "registered_name": None, "config": config, "name": "a"}
    for value in (config, {"class_name": kind, "config": config}, {"class_name": kind, "config": {"layers": [entry]}}):
        with contextlib.suppress(Unrecognised, Unbuildable):
            shapes(parse(value), IMAGE)
