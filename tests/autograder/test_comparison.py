"""How a model's layers are aligned with those of a statement, and what is said about the differences."""

import pytest

from autograder.models.comparison import ExpectedLayer, align, normalised, ordinal, same_layers
from autograder.models.description import Layer


def conv(filters, activation="relu", **fields):
    given = {"filters": filters, "kernel_size": (2, 2), "strides": (1, 1), "padding": "valid"}
    return Layer("Conv2D", f"c{filters}", {**given, "activation": activation, **fields})


def pool(size=2):
    return Layer("MaxPooling2D", "p", {"pool_size": (size, size), "strides": (size, size), "padding": "valid"})


def up(filters, **fields):
    given = {"filters": filters, "kernel_size": (2, 2), "strides": (2, 2), "padding": "same", "activation": "relu"}
    return Layer("Conv2DTranspose", "t", {**given, **fields})


def dense(units, activation="linear"):
    return Layer("Dense", "d", {"units": units, "activation": activation})


def activation(name):
    return Layer("Activation", "a", {"activation": name})


FLATTEN = Layer("Flatten", "f")
DROPOUT = Layer("Dropout", "o", {"rate": 0.5})


def expected_conv(name, filters):
    return ExpectedLayer(name, "Conv2D", {"filters": filters, "kernel_size": (2, 2), "activation": "relu"})


STATEMENT = (
    expected_conv("first convolution", 8),
    ExpectedLayer("first max-pooling", "MaxPooling2D", {"pool_size": (2, 2)}),
    expected_conv("second convolution", 16),
    ExpectedLayer("second max-pooling", "MaxPooling2D", {"pool_size": (2, 2)}),
    ExpectedLayer("flatten layer", "Flatten", {}),
    ExpectedLayer("dense layer", "Dense", {"units": 2, "activation": "tanh"}),
)
RIGHT = (conv(8), pool(), conv(16), pool(), FLATTEN, dense(2, "tanh"))


def said(layers, statement=STATEMENT):
    """Return everything that is said about the layers."""
    alignment = align(layers, statement)
    moved = [f"{match.expected.name} moved" for match in alignment.moved]
    extras = [extra.sentence() for extra in alignment.extras]
    return [*filter(None, (match.sentence() for match in alignment.matches)), *extras, *moved]


def without(position):
    return [*RIGHT[:position], *RIGHT[position + 1 :]]


def with_layer(position, layer):
    return [*RIGHT[:position], layer, *RIGHT[position:]]


def replaced(position, layer):
    return [*RIGHT[:position], layer, *RIGHT[position + 1 :]]


def test_the_layers_of_the_statement_are_right():
    assert align(RIGHT, STATEMENT).right
    assert said(RIGHT) == []


@pytest.mark.parametrize(("position", "name"), list(enumerate(layer.name for layer in STATEMENT)))
def test_a_missing_layer_is_one_difference(position, name):
    assert said(without(position)) == [f"{name}: missing"]
    assert not align(without(position), STATEMENT).right


@pytest.mark.parametrize("position", range(7))
def test_an_extra_layer_is_one_difference_wherever_it_stands(position):
    (sentence,) = said(with_layer(position, DROPOUT))
    where = f"after the {STATEMENT[position - 1].name}" if position else "at the beginning"
    assert sentence == f"a dropout, {where}, which the statement does not ask for"


def test_the_empty_model_lacks_every_layer():
    assert said([]) == [f"{layer.name}: missing" for layer in STATEMENT]


def test_a_pooling_too_many_is_named_by_its_number():
    third = said([*RIGHT[:4], pool(), *RIGHT[4:]])
    assert third == ["a third max-pooling, after the second max-pooling, which the statement does not ask for"]
    fourth = align([*RIGHT[:4], pool(), pool(), *RIGHT[4:]], STATEMENT).extras
    assert [extra.name for extra in fourth] == ["third max-pooling", "fourth max-pooling"]


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (conv(32), "second convolution: 16 filters expected, 32 found"),
        (conv(1), "second convolution: 16 filters expected, 1 found"),
        (conv(16, kernel_size=(3, 3)), "second convolution: a kernel of 2 x 2 expected, 3 x 3 found"),
        (conv(16, "linear"), "second convolution: relu expected, none found"),
        (conv(16, "elu"), "second convolution: relu expected, elu found"),
        (conv(32, "elu"), "second convolution: 16 filters expected, 32 found; relu expected, elu found"),
        (Layer("SeparableConv2D", "s"), "second convolution: a convolution expected, a separable convolution found"),
        (dense(4), "second convolution: a convolution expected, a dense layer found"),
    ],
)
def test_a_wrong_layer_is_one_difference_of_its_own(layer, sentence):
    assert said(replaced(2, layer)) == [sentence]


def test_articles_follow_the_word():
    assert said(replaced(1, Layer("AveragePooling2D", "p")))[0].endswith("an average pooling found")


def test_a_moved_layer_is_wrong_in_place_only():
    later = [conv(8), conv(16), pool(), pool(), FLATTEN, dense(2, "tanh")]
    assert said(later) in (["first max-pooling moved"], ["second convolution moved"])
    assert said([pool(), conv(8), *RIGHT[2:]]) in (["first convolution moved"], ["first max-pooling moved"])


def test_a_moved_layer_that_is_also_wrong_says_both():
    layers = [conv(8), pool(), pool(), conv(24), FLATTEN, dense(2, "tanh")]
    assert said(layers) in (
        ["second convolution: 16 filters expected, 24 found", "second convolution moved"],
        ["second convolution: 16 filters expected, 24 found", "second max-pooling moved"],
    )


def test_two_exchanged_layers_are_right_in_the_wrong_order():
    assert said([conv(16), pool(), conv(8), *RIGHT[3:]]) == ["first convolution moved", "second convolution moved"]


def test_three_layers_in_a_circle_are_right_in_the_wrong_order():
    statement = tuple(expected_conv(name, filters) for name, filters in (("a", 1), ("b", 2), ("c", 3)))
    assert said([conv(2), conv(3), conv(1)], statement) == ["a moved", "b moved", "c moved"]


def test_a_wrong_number_that_is_right_elsewhere_is_still_a_wrong_number():
    assert said([conv(16), *RIGHT[1:]]) == ["first convolution: 8 filters expected, 16 found"]
    assert said([conv(16), pool(), conv(32), *RIGHT[3:]]) == [
        "first convolution: 8 filters expected, 16 found",
        "second convolution: 16 filters expected, 32 found",
    ]


PAIRS = {
    "two wrong numbers": ([conv(9), pool(), conv(17), *RIGHT[3:]], 2),
    "missing and wrong": ([conv(9), *RIGHT[2:]], 2),
    "two missing": ([conv(8), pool(), FLATTEN, dense(2, "tanh")], 2),
    "extra and wrong": ([conv(8), DROPOUT, pool(), conv(17), *RIGHT[3:]], 2),
    "extra and missing": ([conv(8), DROPOUT, pool(), *RIGHT[3:]], 2),
    "two extras": ([DROPOUT, *RIGHT, DROPOUT], 2),
    "wrong and no activation": ([conv(9), pool(), conv(16, "linear"), *RIGHT[3:]], 2),
    "another kind and a wrong number": ([*replaced(1, Layer("AveragePooling2D", "p"))[:-1], dense(3, "tanh")], 2),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_mistakes_are_two_differences(name):
    layers, count = PAIRS[name]
    assert len(said(layers)) == count, said(layers)


@pytest.mark.parametrize(
    "layers",
    [
        [conv(8, "linear"), activation("relu"), *RIGHT[1:]],
        [conv(8, "linear"), pool(), activation("relu"), *RIGHT[2:]],
        [
            conv(8, "linear"),
            Layer("ReLU", "r", {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}),
            *RIGHT[1:],
        ],
        [conv(8), activation("relu"), *RIGHT[1:]],
        [conv(8), activation("linear"), Layer("Identity", "i"), *RIGHT[1:]],
        [*RIGHT[:5], dense(2), activation("tanh")],
        [*RIGHT[:4], Layer("Reshape", "r", {"target_shape": (-1,)}), RIGHT[5]],
        [*RIGHT[:4], Layer("Reshape", "r", {"target_shape": (576,)}), RIGHT[5]],
    ],
)
def test_what_computes_the_same_is_the_same(layers):
    assert said(layers) == []
    assert same_layers(layers, [*layers])


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        ([conv(8, "linear"), DROPOUT, activation("relu"), *RIGHT[1:]], "first convolution: relu expected, none found"),
        ([conv(8), activation("tanh"), *RIGHT[1:]], "an activation layer, after the first convolution"),
        ([conv(8), Layer("ReLU", "r", {"max_value": 6.0}), *RIGHT[1:]], "a ReLU layer, after the first convolution"),
        ([activation("relu"), *RIGHT], "an activation layer, at the beginning"),
        ([*RIGHT[:5], dense(2, "tanh"), activation("tanh")], "an activation layer, after the dense layer"),
    ],
)
def test_an_activation_that_computes_something_else_is_not_joined(layers, sentence):
    assert said(layers)[0].startswith(sentence)


def test_softmax_is_not_exchanged_with_layers_that_move_values():
    layers = [conv(8, "linear"), pool(), activation("softmax")]
    assert [layer.kind for layer in normalised(layers)] == ["Conv2D", "MaxPooling2D", "Activation"]


DECODER = (
    ExpectedLayer("reshape layer", "Reshape", {"target_shape": (7, 7, 8)}),
    ExpectedLayer("transposed convolution", "Conv2DTranspose", {"filters": 8, "strides": (2, 2), "padding": "same"}),
)


@pytest.mark.parametrize("target", [(7, 7, 8), (7, 7, -1), (-1, 7, 8)])
def test_a_side_that_keras_works_out_is_right(target):
    assert said([Layer("Reshape", "r", {"target_shape": target}), up(8)], DECODER) == []


@pytest.mark.parametrize("target", [(7, 8, 7), (14, 14, 2), (-1, 8, 8), (7, 56), (7, 7, 8, 1)])
def test_another_target_shape_is_wrong(target):
    (sentence,) = said([Layer("Reshape", "r", {"target_shape": target}), up(8)], DECODER)
    assert sentence == f"reshape layer: the shape (7, 7, 8) expected, {target} found"


def test_padding_does_not_matter_where_windows_only_touch():
    reshape = Layer("Reshape", "r", {"target_shape": (7, 7, 8)})
    assert said([reshape, up(8, padding="valid")], DECODER) == []
    overlapping = up(8, padding="valid", kernel_size=(3, 3))
    assert said([reshape, overlapping], DECODER) == ["transposed convolution: same padding expected, valid found"]


def test_names_do_not_make_layers_differ():
    assert same_layers([Layer("Dense", "a", {"units": 1})], [Layer("Dense", "b", {"units": 1})])
    assert not same_layers([Layer("Dense", "a", {"units": 1})], [Layer("Dense", "a", {"units": 2})])


def test_ordinals_go_on_in_figures():
    assert [ordinal(1), ordinal(3), ordinal(10), ordinal(11)] == ["first", "third", "tenth", "11th"]
