"""What a builder of the student gives for several latent dimensions, compared with the statement's layers."""

from dataclasses import dataclass
from functools import cached_property

from statement import IMAGE, in_keras

from autograder.checks import fail, note, review, show, skip
from autograder.checks.submitted import error_sentence
from autograder.models.comparison import align, kind_words, normalised
from autograder.models.description import Unbuildable, Unrecognised, output_shape, parameter_counts
from autograder.models.side_by_side import side_by_side

LABELS = ("latent-2", "drawn-1", "drawn-2")


@dataclass(frozen=True)
class Design:
    """One builder: its models by latent dimension, the statement's layers, and where it raised."""

    builder: str
    models: dict
    expected: tuple
    errors: dict

    @cached_property
    def alignments(self):
        """How each model is aligned with the statement; ends the check where the layers can not be read."""
        return {dimension: align(model.description.layers, self.expected) for dimension, model in self.models.items()}

    def require_readable(self):
        """End the check where the layers of a model can not be read: what it tells of itself earns nothing."""
        for model in self.models.values():
            _ = model.description

    @property
    def answered(self):
        """The output shapes by latent dimension of the models that told them because their layers can not be read."""
        return {dimension: model.answered[1] for dimension, model in self.models.items() if model.answered}

    @property
    def layers(self):
        """The layers for a latent dimension of 2 (or for the first one that could be built)."""
        return next(iter(self.models.values())).description.layers

    def found(self, name):
        """Return the layer that stands for one of the statement's, by latent dimension, wherever there is one."""
        matches = {dimension: alignment.match(name) for dimension, alignment in self.alignments.items()}
        return {dimension: match.found for dimension, match in matches.items() if match.found is not None}

    def require(self, name):
        """Fail unless a layer of the statement is there and as stated, for each latent dimension."""
        for dimension, alignment in self.alignments.items():
            match = alignment.match(name)
            if not match.right:
                fail(f"{self.in_words(match.sentence(), dimension)}.")

    def require_order(self):
        """Fail when layers of the statement stand at other places than there."""
        for dimension, alignment in self.alignments.items():
            if alignment.moved:
                names = " and ".join(f"the {match.expected.name}" for match in alignment.moved)
                order = ", ".join(kind_words(layer.kind) for layer in alignment.found)
                fail(self.in_words(f"{names} at another place than in the statement; your order: {order}.", dimension))

    def require_nothing_beyond(self, costs):
        """Fail on layers beyond the statement; ``costs`` gives the share of the check that one costs, by name."""
        for dimension, alignment in self.alignments.items():
            extras = [extra for extra in alignment.extras if not _is_half_of_a_replacement(extra, alignment)]
            if extras:
                finding = extras[0].name.replace(" ", "-")
                sentence = " and ".join(extra.sentence() for extra in extras)
                fail(self.in_words(f"{sentence}.", dimension), finding=finding, cost=costs.get(finding, 1.0))

    def require_every_dimension(self):
        """Fail when the builder raised for some latent dimension."""
        for dimension, error in self.errors.items():
            fail(f"{self.builder}({dimension}) {error}", finding="fixed-latent-dimension")

    def in_words(self, sentence, dimension):
        """Add the latent dimension where the sentence does not hold for each of them."""
        text = sentence[:1].upper() + sentence[1:]
        return text if dimension == next(iter(self.models)) else f"{text} (with {self.builder}({dimension}))"


def _is_half_of_a_replacement(extra, alignment):
    """Tell whether an up-sampling stands, with a convolution, for one transposed convolution: paid where that is."""
    replaced = [match for match in alignment.matches if match.expected.kind == "Conv2DTranspose" and match.found]
    wrong = [match.found for match in replaced if match.found.kind == "Conv2D"]
    if extra.layer.kind != "UpSampling2D":
        return False
    place = next(place for place, layer in enumerate(alignment.found) if layer is extra.layer)
    return any(layer is other for layer in alignment.found[place + 1 : place + 2] for other in wrong)


def design_of(submitted, question, builder, expected):
    """Return the design of a builder; end the check where not a single model came out of it."""
    values = [submitted.value(question, label) for label in LABELS]
    if not any(value.kind == "model" for value in values):
        submitted.found(question, LABELS[0], f"a function named {builder}")
    name, models, errors = builder, {}, {}
    for label, value in zip(LABELS, values, strict=True):
        dimension = value.arguments[0] if value.arguments else label
        if value.kind == "model":
            submitted.found(question, label, f"a function named {builder}")
            name, models[dimension] = value.name or builder, submitted.model(value)
        elif value.kind == "error":
            errors[dimension] = f"raised {error_sentence(value.error)}"
        elif value.kind != "missing":
            errors[dimension] = "returned no model."
    return Design(name, models, tuple(expected), errors)


def show_beside_the_statement(name, question, design, input_shape_for):
    """Show what a builder gives for a latent dimension of 2 (or for the first one that could be built)."""

    def make():
        dimension, model = next(iter(design.models.items()))
        stated = in_keras(design.expected, input_shape_for(dimension), dimension)
        remark = f"Built by {design.builder}({dimension}). What the statement leaves open is as Keras has it."
        return side_by_side(name, question, model.description, design.expected, stated, remark)

    show(make)


def built_model(submitted, question):
    """Return the model that a builder gave for a latent dimension of 2, None when there is none."""
    value = submitted.value(question, LABELS[0])
    return submitted.model(value) if value.kind == "model" else None


def named_model(submitted, question, label, earlier):
    """Return the model that a name of the statement holds.

    ``earlier`` are (question, label) of what it is made from: where one of these is no model, a missing name
    follows from that and is skipped, not failed.
    """
    value = submitted.value(question, label)
    for because, made_from in earlier if value.kind != "model" else ():
        if submitted.value(because, made_from).kind != "model":
            if submitted.blank(question):
                submitted.unanswered(question)
            skip(f"There is no {label} to judge, because of question {because}.", because=because)
    return submitted.model(submitted.found(question, label, f"a model named {label}"))


def require_fitting(encoder, decoder):
    """Skip when the student's two models can not be chained: that was paid where they were built."""
    sizes = size_of(encoder, IMAGE, because="build-encoder"), decoder.input_shape
    if encoder.input_shape not in (IMAGE, None):
        skip("Your encoder does not take images, so the two can not be chained.", because="build-encoder")
    if sizes[1] is not None and sizes[0] != sizes[1]:
        because = "build-encoder" if sizes[0] != (2,) else "build-decoder"
        skip(f"Your encoder gives {sizes[0]}, your decoder takes {sizes[1]}: they can not be chained.", because=because)


def size_of(model, default_input, because):
    """Return the output shape of a model; where it states no input shape, of what it gives for the default one."""
    if model.answered is not None:
        return model.answered[1]
    description = model.description
    try:
        return output_shape(description, description.input_shape or default_input)
    except Unbuildable as error:
        skip(f"Its layers do not fit each other: {error.reason}.", because=because)
    except Unrecognised as error:
        review(f"The grader can not tell its shape ({error.reason}), so a person will look at it.")


def tell_parameters(name, model, default_input):
    """Note the number of parameters as the grader counts it, layer by layer."""
    description = model.description
    counts = [count for count in parameter_counts(description, description.input_shape or default_input) if count]
    note(f"{name} has {sum(counts)} parameters: {' + '.join(map(str, counts))}.")


def without_latent_dimension(layers):
    """Return classes and fields of the layers, without the number of neurons of the last dense layer."""
    plain = [(layer.kind, dict(layer.fields)) for layer in normalised(layers)]
    for kind, fields in reversed(plain):
        if kind == "Dense":
            del fields["units"]
            break
    return plain
