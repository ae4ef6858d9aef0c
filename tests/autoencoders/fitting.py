"""Which calls of ``fit`` answer a question, and what they add up to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from consequences import nothing_to_judge, without_batch
from recognition import FitData, fit_data

from autograder.checks import fail, note, review
from autograder.checks.submitted import Submitted
from autograder.evidence import Fit, ModelSnapshot

KERAS_BATCH = 32
OWN_LOOPS = ("GradientTape", "train_on_batch", "train_step", "apply_gradients")
LABELS = "The target of fit is the digit of each image. An autoencoder learns to output an image: no label is needed."


@dataclass(frozen=True)
class Training:
    """All calls of ``fit`` on one model that answer a question, the one that counts, and its data."""

    fits: tuple[Fit, ...]
    data: FitData
    snapshot: ModelSnapshot

    @property
    def fit(self) -> Fit:
        """The call that is judged where one is enough: the last one with data that are images."""
        return self.data.fit

    @property
    def epochs(self) -> int:
        """The epochs of all calls; calls that Keras refused count as they were written."""
        return sum((one.epochs if one.epochs is not None else 1) - one.initial_epoch for one in self.fits)

    @property
    def batch_size(self) -> int | None:
        """The batch size; Keras takes 32 for arrays where none is given."""
        given = self.fit.batch_size
        return KERAS_BATCH if given is None and self.fit.kind == "arrays" else given


def training(submitted: Submitted, question: str, fits: Sequence[Fit], preferred: frozenset[int]) -> Training:
    """Return the training that answers a question, out of the fits of its cells; end the check when there is none.

    ``preferred`` are the variables of the model that the statement names: a fit that trains any of them comes first.
    """
    if not fits:
        _no_fit(submitted, question)
    groups: dict[int, list[Fit]] = {}
    for one in fits:
        groups.setdefault(submitted.model(one.model).snapshot.identity, []).append(one)

    def rank(group: list[Fit]) -> tuple[bool, bool, int, int]:
        variables = frozenset(submitted.model(group[-1].model).snapshot.variables)
        trial = any(_is_trial_of(group, other) for other in groups.values())
        return not trial, bool(variables & preferred), max(one.epochs or 1 for one in group), group[-1].cell

    chosen = max(groups.values(), key=rank)
    # The data of the longest call count, of equal ones the last; a trial on a few images before it does no harm.
    longest = max(reversed(chosen), key=lambda one: one.epochs if one.epochs is not None else 1)
    snapshot = submitted.model(chosen[0].model).snapshot
    return Training(tuple(chosen), fit_data(submitted, longest), snapshot)


def _is_trial_of(group: Sequence[Fit], other: Sequence[Fit]) -> bool:
    """Tell whether one model was only tried, on fewer images for fewer epochs, before another was fitted instead."""
    epochs, images = ([_most(one, field) for one in (group, other)] for field in ("epochs", "sample_count"))
    return group is not other and epochs[0] < epochs[1] and images[0] < images[1]


def _most(fits: Sequence[Fit], field: str) -> int:
    return max(getattr(one, field) or 1 for one in fits)


def _no_fit(submitted: Submitted, question: str) -> NoReturn:
    source = "\n".join(cell.source for cell in submitted.cells if cell.question == question)
    if any(word in source for word in OWN_LOOPS):
        review("The model is trained by a loop of its own instead of fit. A person will look at it.")
    nothing_to_judge(submitted, question, "fit was not called")


def variables_of(submitted: Submitted, question: str, label: str) -> frozenset[int]:
    """Return the variables of the model that was found for a probe."""
    value = submitted.value(question, label)
    return frozenset(submitted.model(value).snapshot.variables) if value.kind == "model" else frozenset()


def check_enough_images(count: int | None, available: int, word: str) -> None:
    """End the check when a fit saw few of the available training images; most of them are fine."""
    if count is None:
        review("The number of images that were fitted could not be found out. A person will look at it.")
    if count < min(1_000, available / 2):
        fail(f"The model is fitted on {count} images; fit it on all {word}.")
    if count < available / 2:
        fail(f"The model is fitted on {count} images only; fit it on all {word}.", cost=0.5)
    if count < available:
        note(f"The model is fitted on {count} of the {available} {word}.")


def check_unusual(training: Training) -> None:
    """Send arguments to a person that change what is trained in ways that the grader does not follow."""
    for one in training.fits:
        if one.weighted:
            review("Weights of samples, classes or outputs change what is trained. A person will look at it.")
        if one.steps_per_epoch is not None:
            review("steps_per_epoch changes how much is trained. A person will look at it.")
        if one.kind == "other":
            review("The data were given to fit in a form that the grader does not know. A person will look at it.")


def check_batch_size(training: Training) -> None:
    """Fail unless the batch size is 32."""
    size = training.batch_size
    if size is None:
        review("The batch size could not be found out. A person will look at it.")
    assert size == 32, f"batch_size: 32 expected, {size} found."
    if training.fit.batch_size is None:
        note("No batch_size is given; 32 is what Keras takes then.")


def mention_extras(training: Training) -> None:
    """Add a note for accepted extras."""
    fit = training.fit
    if any("EarlyStopping" in name for name in fit.callbacks):
        note("EarlyStopping may end the training before the last epoch; that is accepted.")
    if fit.validation_split or fit.validation_x is not None:
        note("Validation data are used; that is accepted.")


def maps_images_to_images(snapshot: ModelSnapshot) -> bool | None:
    """Tell whether a model has images as input and output; None when its shapes are not known."""
    inputs, outputs = without_batch(snapshot.input_shape), without_batch(snapshot.output_shape)
    if inputs is None or outputs is None:
        return None
    return _pixels(inputs) == _pixels(outputs) == 784


def _pixels(shape: list[Any]) -> int:
    product = 1
    for side in shape:
        product *= side if side is not None else 28
    return product


def latent_dimension(snapshot: ModelSnapshot) -> int | None:
    """Return the size of the bottleneck: the narrowest side of all dense layers; None where there is none."""
    sides = [side for shape in snapshot.weight_shapes if len(shape) == 2 for side in shape]
    return min(sides) if sides else None


def adds_noise(snapshot: ModelSnapshot) -> bool:
    """Tell whether a model adds noise to its input itself, in a layer that is active in training only."""
    return "GaussianNoise" in json.dumps(snapshot.config)
