"""Part 2 of the notebook: the encoder, the decoder, and the two chained.

A question's points are shared by the weights of its checks. The builders were called in the sandbox for a latent
dimension of 2 and for two others that nobody can foresee; a layer has to be right in all of them.
"""

import pytest
from designs import (
    built_model,
    design_of,
    named_model,
    require_fitting,
    show_beside_the_statement,
    size_of,
    tell_parameters,
    without_latent_dimension,
)
from statement import DECODER, ENCODER, IMAGE

from autograder.checks import fail, note, skip
from autograder.models.comparison import align, normalised, same_layers

# The share of its check that a layer beyond the statement costs, by name; all others cost the whole check.
# 0 would make it a remark. The third max-pooling comes from another edition of this exercise.
COSTS = {"third-max-pooling": 1.0}

BUILD_ENCODER = ("build-encoder", "latent-2")
BUILD_DECODER = ("build-decoder", "latent-2")


@pytest.fixture(scope="module")
def encoder_design(submitted):
    design = design_of(submitted, "build-encoder", "build_encoder", ENCODER)
    show_beside_the_statement("Encoder", "build-encoder", design, lambda _: IMAGE)
    return design


@pytest.fixture(scope="module")
def decoder_design(submitted):
    design = design_of(submitted, "build-decoder", "build_decoder", DECODER)
    show_beside_the_statement("Decoder", "build-decoder", design, lambda dimension: (dimension,))
    return design


# ❓ 3. Build the encoder


@pytest.mark.question("build-encoder", weight=1)
def test_input_shape_of_encoder(encoder_design):
    """The first layer receives the input shape (28, 28, 1)."""
    for dimension, model in encoder_design.models.items():
        found = model.input_shape
        if found != IMAGE:
            fail(encoder_design.in_words(f"input shape (28, 28, 1) expected, {found or 'none'} found.", dimension))
    encoder_design.require_readable()


@pytest.mark.question("build-encoder", weight=2)
def test_first_convolution(encoder_design):
    """The first convolution has 8 filters of 2 x 2 and relu."""
    encoder_design.require("first convolution")
    if any(layer.fields.get("padding") == "same" for layer in encoder_design.found("first convolution").values()):
        note("You chose same padding, which the statement leaves open: the encoder then has more parameters.",
             finding="same-padding")  # fmt: skip


@pytest.mark.question("build-encoder", weight=1)
def test_first_max_pooling(encoder_design):
    """After the first convolution comes a max-pooling of 2 x 2."""
    encoder_design.require("first max-pooling")


@pytest.mark.question("build-encoder", weight=2)
def test_second_convolution(encoder_design):
    """The second convolution has 16 filters of 2 x 2 and relu."""
    encoder_design.require("second convolution")


@pytest.mark.question("build-encoder", weight=1)
def test_second_max_pooling(encoder_design):
    """After the second convolution comes a max-pooling of 2 x 2."""
    encoder_design.require("second max-pooling")


@pytest.mark.question("build-encoder", weight=2)
def test_third_convolution(encoder_design):
    """The third convolution has 32 filters of 2 x 2 and relu."""
    encoder_design.require("third convolution")


@pytest.mark.question("build-encoder", weight=1)
def test_flatten_layer(encoder_design):
    """A layer flattens what the third convolution gives."""
    encoder_design.require("flatten layer")
    if any(layer.kind == "Reshape" for model in encoder_design.models.values() for layer in model.description.layers):
        note("Reshape does here what Flatten does.")


@pytest.mark.question("build-encoder", weight=1)
def test_dense_layer_of_encoder(encoder_design):
    """The last layer is dense, with tanh."""
    encoder_design.require("dense layer")


@pytest.mark.question("build-encoder", weight=2)
def test_latent_dimension_of_encoder(encoder_design):
    """The last layer has as many neurons as latent_dimension says, whatever its value."""
    encoder_design.require_every_dimension()
    for dimension, shape in encoder_design.answered.items():
        if shape != (dimension,):
            fail(f"{encoder_design.builder}({dimension}) gives values of shape {shape}; ({dimension},) expected.",
                 finding="fixed-latent-dimension")  # fmt: skip
    encoder_design.require_readable()
    last = encoder_design.found("dense layer")
    if not last:
        skip("There is no dense layer, whose neurons could be counted.", because="build-encoder")
    for dimension, layer in last.items():
        units = layer.fields["units"]
        if units != dimension:
            fail(f"{encoder_design.builder}({dimension}) ends with {units} neurons; {dimension} expected.",
                 finding="fixed-latent-dimension")  # fmt: skip


@pytest.mark.question("build-encoder", weight=1)
def test_order_of_encoder(encoder_design):
    """The layers stand in the order of the statement."""
    encoder_design.require_order()


@pytest.mark.question("build-encoder", weight=1)
def test_nothing_beyond_encoder(encoder_design):
    """There is no layer beyond those of the statement."""
    encoder_design.require_nothing_beyond(COSTS)


# ❓ 4. How large is the encoder?


@pytest.mark.question("encoder-size", weight=1)
def test_encoder_gives_two_numbers(submitted):
    """The model named encoder has a latent dimension of 2."""
    model = named_model(submitted, "encoder-size", "encoder", [BUILD_ENCODER])
    found = size_of(model, IMAGE, because="build-encoder")
    built = built_model(submitted, "build-encoder")
    if found != ((2,) if built is None else size_of(built, IMAGE, because="build-encoder")):
        fail(f"encoder gives values of shape {found} for an image: two numbers expected.")
    _ = model.description


@pytest.mark.question("encoder-size", weight=1)
def test_encoder_is_built_by_the_function(submitted):
    """The model named encoder is what build_encoder gives, with its number of parameters."""
    model = named_model(submitted, "encoder-size", "encoder", [BUILD_ENCODER])
    require_same_layers("encoder", model, built_model(submitted, "build-encoder"))
    tell_parameters("encoder", model, IMAGE)


# ❓ 5. Build the decoder


@pytest.mark.question("build-decoder", weight=1)
def test_input_shape_of_decoder(decoder_design):
    """The dense layer receives an input shape of one axis."""
    for dimension, model in decoder_design.models.items():
        found = model.input_shape
        if found is None or len(found) != 1:
            expected = "input shape (latent_dimension,) expected"
            fail(decoder_design.in_words(f"{expected}, {found or 'none'} found.", dimension))
    decoder_design.require_readable()


@pytest.mark.question("build-decoder", weight=2)
def test_dense_layer_of_decoder(decoder_design):
    """The first layer is dense, with 7 * 7 * 8 neurons and tanh."""
    decoder_design.require("dense layer")


@pytest.mark.question("build-decoder", weight=2)
def test_reshape_layer(decoder_design):
    """A layer reshapes to (7, 7, 8)."""
    decoder_design.require("reshape layer")


@pytest.mark.question("build-decoder", weight=3)
def test_first_transposed_convolution(decoder_design):
    """The first transposed convolution has 8 filters of 2 x 2, strides of 2, same padding and relu."""
    decoder_design.require("first transposed convolution")
    note_padding(decoder_design, "first transposed convolution")


@pytest.mark.question("build-decoder", weight=3)
def test_second_transposed_convolution(decoder_design):
    """The second transposed convolution has 1 filter of 2 x 2, strides of 2, same padding and relu."""
    decoder_design.require("second transposed convolution")
    note_padding(decoder_design, "second transposed convolution")


@pytest.mark.question("build-decoder", weight=2, depends_on=["test_input_shape_of_decoder"])
def test_latent_dimension_of_decoder(decoder_design):
    """The input is as long as latent_dimension says, whatever its value."""
    decoder_design.require_every_dimension()
    for dimension, model in decoder_design.models.items():
        found = model.input_shape
        if found != (dimension,):
            fail(f"{decoder_design.builder}({dimension}) takes inputs of shape {found}; ({dimension},) expected.",
                 finding="fixed-latent-dimension")  # fmt: skip
    decoder_design.require_readable()


@pytest.mark.question("build-decoder", weight=1)
def test_order_of_decoder(decoder_design):
    """The layers stand in the order of the statement."""
    decoder_design.require_order()


@pytest.mark.question("build-decoder", weight=1)
def test_nothing_beyond_decoder(decoder_design):
    """There is no layer beyond those of the statement."""
    decoder_design.require_nothing_beyond(COSTS)


# ❓ 6. How large is the decoder?


@pytest.mark.question("decoder-size", weight=1)
def test_decoder_takes_two_numbers(submitted):
    """The model named decoder has a latent dimension of 2."""
    model = named_model(submitted, "decoder-size", "decoder", [BUILD_DECODER])
    built = built_model(submitted, "build-decoder")
    found = model.input_shape
    if found not in ((2,), None if built is None else built.input_shape):
        fail(f"decoder takes inputs of shape {found}: (2,) expected.")
    _ = model.description


@pytest.mark.question("decoder-size", weight=1)
def test_decoder_is_built_by_the_function(submitted):
    """The model named decoder is what build_decoder gives, with its number of parameters."""
    model = named_model(submitted, "decoder-size", "decoder", [BUILD_DECODER])
    require_same_layers("decoder", model, built_model(submitted, "build-decoder"))
    tell_parameters("decoder", model, (2,))


# ❓ 7. Put the two together


@pytest.mark.question("autoencoder", weight=2)
def test_autoencoder_is_the_chain(submitted):
    """The autoencoder is the encoder followed by the decoder, from image to image."""
    layers = chained(submitted).description.layers
    parts = parts_of(submitted)
    if align(layers, (*ENCODER, *DECODER)).right:
        return
    expected = [] if None in parts else [*parts[0].description.layers, *parts[1].description.layers]
    if not same_layers(layers, expected) and without_units(layers) != without_units(expected):
        fail("autoencoder is not your encoder followed by your decoder: it has other layers.")


@pytest.mark.question("autoencoder", weight=1, depends_on=["test_autoencoder_is_the_chain"])
def test_autoencoder_goes_from_image_to_image(submitted):
    """Images of shape (28, 28, 1) go in, images of the same shape come out."""
    model = chained(submitted)
    found = model.input_shape
    if found not in (IMAGE, None):
        fail(f"autoencoder takes inputs of shape {found}: (28, 28, 1) expected.")
    size = size_of(model, IMAGE, because="build-decoder")
    if size != IMAGE:
        note(f"Its outputs have the shape {size}: that follows from the decoder, and costs nothing here.")


@pytest.mark.question("autoencoder", weight=1, depends_on=["test_autoencoder_is_the_chain"])
def test_autoencoder_contains_the_two(submitted):
    """The autoencoder contains the very models encoder and decoder, so that training it trains them."""
    variables = set(chained(submitted).snapshot.variables)
    for question, label in (("encoder-size", "encoder"), ("decoder-size", "decoder")):
        value = submitted.value(question, label)
        if value.kind != "model":
            continue
        part = set(submitted.model(value).snapshot.variables)
        if part and not part <= variables:
            fail(f"autoencoder does not contain your {label}, but another one like it: "
                 f"when you train autoencoder, {label} learns nothing.", finding="chained-other-models")  # fmt: skip


def require_same_layers(name, model, built):
    """Fail when a model has other layers than the one that its builder returns."""
    if built is None:
        return
    if without_latent_dimension(model.description.layers) != without_latent_dimension(built.description.layers):
        fail(f"{name} has other layers than the model that build_{name}(2) returns.")


def note_padding(design, name):
    """Say that without same padding the layer computes the same."""
    if any(layer.fields.get("padding") != "same" for layer in design.found(name).values()):
        note("With a kernel of 2 x 2 and strides of 2, valid padding gives the same function as same padding.")


def chained(submitted):
    """Return the model named autoencoder."""
    earlier = [BUILD_ENCODER, BUILD_DECODER, ("encoder-size", "encoder"), ("decoder-size", "decoder")]
    parts = parts_of(submitted)
    if submitted.value("autoencoder", "autoencoder").kind != "model" and None not in parts:
        if submitted.blank("autoencoder"):
            submitted.unanswered("autoencoder")
        require_fitting(*parts)
    return named_model(submitted, "autoencoder", "autoencoder", earlier)


def parts_of(submitted):
    """Return the encoder and the decoder of the student, None for one that there is not."""
    parts = []
    for question, label, builder in (
        ("encoder-size", "encoder", "build-encoder"),
        ("decoder-size", "decoder", "build-decoder"),
    ):
        value = submitted.value(question, label)
        parts.append(submitted.model(value) if value.kind == "model" else built_model(submitted, builder))
    return parts


def without_units(layers):
    """Return the layers without any number of neurons: an autoencoder of another latent dimension is one, too."""
    plain = [(layer.kind, dict(layer.fields)) for layer in normalised(layers)]
    return [(kind, {key: value for key, value in fields.items() if key != "units"}) for kind, fields in plain]
