"""Models of a notebook's own classes: taken apart where their parts are plain, left to a person where they are not."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import Input, Model, Sequential, layers, ops
from keras_evidence import Recorder

from autograder.checks.outcomes import NeedsReview
from autograder.checks.submitted import SubmittedModel
from autograder.evidence import drawn_inputs
from autograder.models.fields import Unrecognised
from autograder.models.rebuild import describe, submitted

IMAGE = (28, 28, 1)


class Encoder(Model):
    """Layers as attributes, called one after the other."""

    def __init__(self, size=2):
        super().__init__()
        self.convolution = layers.Conv2D(8, 2, activation="relu")
        self.pooling, self.flatten = layers.MaxPooling2D(2), layers.Flatten()
        self.code = layers.Dense(size, activation="tanh")

    def call(self, images):
        return self.code(self.flatten(self.pooling(self.convolution(images))))


class SequentialEncoder(Sequential):
    def __init__(self):
        super().__init__([Input(IMAGE), layers.Conv2D(8, 2, activation="relu"), layers.MaxPooling2D(2),
                          layers.Flatten(), layers.Dense(2, activation="tanh")])  # fmt: skip


class FunctionalEncoder(Model):
    def __init__(self):
        images = Input(IMAGE)
        x = layers.MaxPooling2D(2)(layers.Conv2D(8, 2, activation="relu")(images))
        super().__init__(images, layers.Dense(2, activation="tanh")(layers.Flatten()(x)))


class Block(layers.Layer):
    """A layer that arranges two others."""

    def __init__(self):
        super().__init__()
        self.convolution, self.pooling = layers.Conv2D(8, 2, activation="relu"), layers.MaxPooling2D(2)

    def call(self, images, training=None):
        return self.pooling(self.convolution(images))


class Loop(Model):
    """The parts in a list."""

    def __init__(self):
        super().__init__()
        self.parts = [layers.Conv2D(8, 2, activation="relu"), layers.MaxPooling2D(2), layers.Flatten()]
        self.parts.append(layers.Dense(2, activation="tanh"))

    def call(self, images, training=False):
        for part in self.parts:
            images = part(images, training=training) if isinstance(part, layers.Dropout) else part(images)
        return images


class Whole(Model):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def call(self, images, training=None):
        return self.decoder(self.encoder(images, training=training))


class Doubled(Encoder):
    """Computes with tensors, outside of any layer."""

    def call(self, images):
        return 2 * super().call(images)


class Unused(Encoder):
    def __init__(self):
        super().__init__()
        self.spare = layers.Dense(4)
        self.spare.build((None, 3))


class TwoFaced(Encoder):
    """Shows other layers to whoever tries it with a symbol than it computes with."""

    def call(self, images):
        code = super().call(images)
        return code if isinstance(images, keras.KerasTensor) else ops.zeros_like(code)


class Raising(Encoder):
    def call(self, images):
        raise RuntimeError("not for you")


def built(model: Model, shape: tuple[int, ...] = IMAGE) -> Model:
    model(np.zeros((1, *shape), np.float32))
    return model


def around(model: Model) -> Model:
    images = Input(IMAGE)
    return Model(images, model(images))


def decoder() -> Sequential:
    return Sequential([Input((2,)), layers.Dense(784, activation="tanh"), layers.Reshape(IMAGE)])


ENCODER = ["Conv2D", "MaxPooling2D", "Flatten", "Dense"]
TAKEN = {
    "layers as attributes": (lambda: built(Encoder()), ENCODER),
    "a subclass of Sequential": (SequentialEncoder, ENCODER),
    "a subclass with inputs and outputs": (FunctionalEncoder, ENCODER),
    "layers in a list": (lambda: built(Loop()), ENCODER),
    "a layer of its own in a Sequential": (
        lambda: Sequential([Input(IMAGE), Block(), layers.Flatten(), layers.Dense(2, activation="tanh")]), ENCODER,
    ),
    "a model of its own in a functional one": (lambda: around(Encoder()), ENCODER),
    "a wrapper of plain models": (lambda: built(Whole(SequentialEncoder(), decoder())), [*ENCODER, "Dense", "Reshape"]),
    "a wrapper of wrappers": (lambda: built(Whole(Encoder(), decoder())), [*ENCODER, "Dense", "Reshape"]),
    "built by its shape": (lambda: shaped(Whole(Encoder(), decoder())), [*ENCODER, "Dense", "Reshape"]),
}  # fmt: skip
LEFT = {
    "arithmetic outside of layers": (lambda: built(Doubled()), "the operation Multiply"),
    "weights that are not used": (lambda: built(Unused()), "with weights that it does not use"),
    "two faces": (lambda: built(TwoFaced()), "computes something else than the layers in it"),
    "never built": (Encoder, "never built"),
    "a call that raises": (lambda: shaped(Raising()), "RuntimeError"),
    "a Lambda": (lambda: Sequential([Input((2,)), layers.Lambda(lambda x: x + 1)]), "Lambda"),
}


def shaped(model: Model) -> Model:
    model.build((None, *IMAGE))
    return model


def snapshot_of(model, shape=None):
    recorder = Recorder()
    position = recorder.models.position(model, shape=shape)
    return recorder.evidence.models[position]


@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer")
@pytest.mark.parametrize("name", TAKEN)
def test_a_model_whose_parts_are_plain_is_read_by_its_parts(name):
    make, kinds = TAKEN[name]
    snapshot = snapshot_of(make())
    description = describe(snapshot)
    assert [layer.kind for layer in description.layers] == kinds
    assert description.input_shape == IMAGE


@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer")
@pytest.mark.parametrize("name", TAKEN)
def test_what_the_grader_builds_of_it_computes_the_same(name):
    model = TAKEN[name][0]()
    rebuilt = submitted(snapshot_of(model))
    images = np.random.default_rng(1).random((5, *IMAGE), dtype=np.float32)
    np.testing.assert_allclose(rebuilt(images), model(images), atol=1e-5)
    assert rebuilt.count_params() == model.count_params()


@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer")
@pytest.mark.parametrize("name", LEFT)
def test_a_model_that_can_not_be_taken_apart_is_for_a_person(name):
    make, reason = LEFT[name]
    with pytest.raises(NeedsReview, match=reason):
        _ = SubmittedModel(snapshot_of(make())).description


@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer")
@pytest.mark.parametrize("name", LEFT)
def test_one_that_can_not_be_taken_apart_tells_its_shapes_where_it_can_be_called(name):
    shapes = {"never built": None, "a call that raises": None, "a Lambda": ((2,), (2,))}
    assert SubmittedModel(snapshot_of(LEFT[name][0]())).answered == shapes.get(name, (IMAGE, (2,)))


@pytest.mark.filterwarnings("ignore:`build\\(\\)` was called on layer")
def test_what_a_model_gives_beyond_an_array_of_a_bounded_size_is_no_answer():
    class Many(Encoder):
        def call(self, images):
            return [images, images]

    class Large(Encoder):
        def call(self, images):
            return ops.zeros((len(images), 10**6))

    for kind in (Many, Large):
        assert SubmittedModel(snapshot_of(built(kind()))).answered is None


def test_one_that_was_never_built_is_tried_with_the_shape_of_the_statement_and_states_none():
    description = describe(snapshot_of(Encoder(), shape=IMAGE))
    assert [layer.kind for layer in description.layers] == ENCODER
    assert description.input_shape is None


def test_an_answer_that_does_not_fit_the_layers_is_for_a_person():
    snapshot = snapshot_of(built(Encoder()))
    answer = snapshot.answer.model_copy(update={"values": snapshot.answer.values + 0.01})
    changed = snapshot.model_copy(update={"answer": answer})
    with pytest.raises(Unrecognised, match="computes something else"):
        describe(changed)


def test_taking_a_model_apart_leaves_it_as_it_was_and_is_no_prediction_of_the_notebook():
    calls = keras.Layer.__call__, keras.Model.__call__
    model = built(Whole(Encoder(), decoder()))
    before = model.get_weights()
    assert snapshot_of(model).identity == 1
    assert (keras.Layer.__call__, keras.Model.__call__) == calls
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_drawn_inputs_are_those_of_their_seed():
    np.testing.assert_array_equal(drawn_inputs(3, IMAGE), drawn_inputs(3, IMAGE))
    assert not np.array_equal(drawn_inputs(3, IMAGE), drawn_inputs(4, IMAGE))
    assert drawn_inputs(3, IMAGE).shape == (2, *IMAGE)
