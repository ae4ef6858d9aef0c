"""Codes of images: whether an array holds what an encoder gives for images of the data, and for which ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from consequences import IMAGE, without_batch
from recognition import LIBRARY, own_images, recognise

from autograder.checks.outcomes import Failed, NeedsReview, Skipped
from autograder.checks.submitted import Submitted
from autograder.evidence import ArraySample, Prediction

TOLERANCE = 1e-4
SEARCH_BLOCK = 2_000


@dataclass(frozen=True)
class Encoder:
    """An encoder of the student at one moment, and the range of the images that it was given."""

    function: Callable[[np.ndarray], np.ndarray]
    variables: frozenset[int]
    scale: float
    offset: float

    def encode(self, index: np.ndarray) -> np.ndarray:
        """Return the codes of images of the data by position."""
        return self.function(self.scale * LIBRARY.images(np.asarray(index)) + self.offset)


@dataclass(frozen=True)
class Codes:
    """An array of codes: its sampled rows, which image each of them encodes, and where images in order start."""

    sample: ArraySample
    index: np.ndarray
    encoder: Encoder | None

    @property
    def count(self) -> int:
        """The number of codes in the whole array."""
        return self.sample.shape[0]

    @property
    def start(self) -> int | None:
        """The position in the data of the first image, where the images are consecutive."""
        known = self.index >= 0
        starts = np.unique(self.index[known] - np.asarray(self.sample.rows)[known])
        return int(starts[0]) if len(starts) == 1 and starts[0] >= 0 else None

    @property
    def coincide(self) -> bool:
        """All codes are the same: nothing can be told from their values."""
        values = self.sample.values
        return bool(np.ptp(values, axis=0).max(initial=0) <= 10 * TOLERANCE)


@dataclass(frozen=True)
class Encoders:
    """The encoders that a notebook used, and why others could not be rebuilt."""

    found: tuple[Encoder, ...]
    problems: tuple[str, ...]


def encoders(submitted: Submitted, last: int | None = None) -> Encoders:
    """Return all states of models from images to a few numbers, those used latest first, up to cell ``last``."""
    own = own_images(submitted, "X_train")
    usual = (own.scale, own.offset) if own is not None and own.matches.known.any() else (1.0, 0.0)
    wanted: list[tuple[int, tuple[float, float]]] = []
    for prediction in reversed(submitted.evidence.predictions):
        if (last is None or prediction.cell <= last) and prediction.output is not None:
            inputs = recognise(submitted.array(prediction.x)) if prediction.x is not None else None
            if inputs is not None and len(submitted.array(prediction.output).shape) == 2:
                known = inputs.matches.known.any()
                wanted.append((prediction.model, (inputs.scale, inputs.offset) if known else usual))
    for question in ("encode", "encoder-size"):
        value = submitted.value(question, "encoder")
        if value.kind == "model" and value.model is not None:
            wanted.append((value.model, usual))
    found: list[Encoder] = []
    problems: list[str] = []
    for position, (scale, offset) in dict.fromkeys(wanted):
        snapshot = submitted.model(position).snapshot
        outputs = without_batch(snapshot.output_shape)
        if without_batch(snapshot.input_shape) == IMAGE and outputs is not None and len(outputs) != 1:
            continue
        try:
            function = submitted.model(position).function
        except (NeedsReview, Failed, Skipped) as problem:
            problems.append(str(problem))
            continue
        found.append(Encoder(function, frozenset(snapshot.variables), scale, offset))
    return Encoders(tuple(found), tuple(dict.fromkeys(problems)))


def resolve(submitted: Submitted, sample: ArraySample, known: Encoders) -> Codes | None:
    """Find out which images an array of codes encodes, and by which encoder; None when it holds no codes of images."""
    for prediction in reversed(submitted.evidence.predictions):
        codes = _of_prediction(submitted, sample, prediction)
        if codes is not None:
            return codes
    for encoder in known.found:
        for index in _guesses(sample):
            if same(encoder.encode(index), sample.values).mean() >= 0.9:
                return Codes(sample, index, encoder)
    for encoder in known.found[:1]:
        index = _search(encoder, sample.values)
        if (index >= 0).mean() >= 0.9:
            return Codes(sample, index, encoder)
    return None


def all_codes(submitted: Submitted, known: Encoders, last: int) -> Iterator[Codes]:
    """Yield every array of codes that models gave up to a cell, the named one first."""
    value = submitted.value("encode", "X_encoded")
    if value.kind == "array":
        codes = resolve(submitted, submitted.array(value), known)
        if codes is not None:
            yield codes
    for prediction in reversed(submitted.evidence.predictions):
        if prediction.cell <= last and prediction.output is not None:
            codes = _of_prediction(submitted, submitted.array(prediction.output), prediction)
            if codes is not None:
                yield codes


def _of_prediction(submitted: Submitted, sample: ArraySample, prediction: Prediction) -> Codes | None:
    """Return the codes when a recorded prediction gave them, for images, and the rebuilt model gives them again."""
    if prediction.output is None or prediction.x is None or len(sample.shape) != 2:
        return None
    output, x = submitted.array(prediction.output), submitted.array(prediction.x)
    if output.shape != sample.shape or output.rows != sample.rows or x.rows != sample.rows:
        return None
    if not same(output.values, sample.values).all():
        return None
    inputs = recognise(x)
    if inputs is None or not (inputs.index >= 0).any():
        return None
    try:
        function = submitted.model(prediction.model).function
    except (NeedsReview, Failed, Skipped):
        return None
    if same(function(x.values), sample.values).mean() < 0.9:
        return None
    variables = frozenset(submitted.model(prediction.model).snapshot.variables)
    return Codes(sample, inputs.index, Encoder(function, variables, inputs.scale, inputs.offset))


def _guesses(sample: ArraySample) -> Iterator[np.ndarray]:
    """Yield positions in the data that the sampled rows may have: the first images of a part."""
    rows = np.asarray(sample.rows, np.int64)
    for part in ("test", "train"):
        if len(rows) and rows.max() < LIBRARY.count(part):
            yield LIBRARY.start(part) + rows


def _search(encoder: Encoder, values: np.ndarray) -> np.ndarray:
    """Return for each code the image of the whole data that has it, -1 where none has: the last resort."""
    index = np.full(len(values), -1, np.int64)
    order = np.roll(np.arange(len(LIBRARY)), -LIBRARY.start("test"))
    for block in np.array_split(order, -(-len(order) // SEARCH_BLOCK)):
        codes = encoder.encode(block)
        if codes.shape[1:] != values.shape[1:]:
            return index
        for row in np.flatnonzero(index < 0):
            distance = np.abs(codes - values[row]).max(axis=1)
            if distance.min() <= TOLERANCE / 10:
                index[row] = int(block[distance.argmin()])
        if (index >= 0).all():
            break
    return index


def same(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Tell for each row whether two arrays of codes agree."""
    if first.shape != second.shape or not first.size:
        return np.zeros(len(second), bool)
    result: np.ndarray = np.abs(first - second).max(axis=1) <= TOLERANCE
    return result
