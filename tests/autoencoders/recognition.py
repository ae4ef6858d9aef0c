"""What the recorded arrays are: which digits, clean or noisy, of the training or of the test set, or their labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from autograder.checks.images import Matches, library
from autograder.checks.submitted import Submitted
from autograder.evidence import ArraySample, Fit

LIBRARY = library(Path(__file__).resolve().parents[2] / "data", "mnist")
TRAINING_IMAGES = LIBRARY.count("train")
TEST_IMAGES = LIBRARY.count("test")
PIXELS = LIBRARY.pixels
MOST = 0.9
# With fewer images nothing can be said of one pixel over all of them.
FEW = 16
# What was recognised so far; this module is imported anew for each submission.
_KNOWN: dict[tuple[int, bytes], Recognised] = {}


@dataclass(frozen=True)
class Recognised:
    """An array of the student, and what its sampled rows turned out to be."""

    sample: ArraySample
    matches: Matches

    @property
    def count(self) -> int:
        """The number of images in the whole array."""
        return self.sample.shape[0]

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of one image."""
        return self.sample.shape[1:]

    @cached_property
    def clean(self) -> bool:
        """The rows are images of the data, in whatever range."""
        return bool(self.matches.exact.mean() >= MOST)

    @cached_property
    def noisy(self) -> bool:
        """The rows are images of the data with noise; very strong noise hides some of them."""
        return bool(not self.matches.exact.any() and self.matches.noisy.mean() >= 0.4)

    @cached_property
    def altered(self) -> bool:
        """The rows are images of the data whose grey tones were changed, for example to black and white."""
        if self.clean:
            return False
        if self._standardised is not None:
            return True
        return bool(not self.noisy and ((self._likeness >= 0.7) | self._floored).mean() >= MOST)

    @cached_property
    def _floored(self) -> np.ndarray:
        """Rows of which a floor division left whole numbers."""
        return self._floored_at(self._place)

    @cached_property
    def _place(self) -> np.ndarray:
        """Where in the data floored rows are: the first images of the part with which they agree more."""
        return max(self._places, key=lambda place: self._floored_at(place).sum())

    @cached_property
    def _places(self) -> list[np.ndarray]:
        """Where in the data rows in their usual order can be."""
        rows = np.asarray(self.sample.rows, np.int64)
        firsts = [np.minimum(LIBRARY.start(part) + rows, len(LIBRARY) - 1) for part in ("test", "train")]
        return [usual_place(self.sample), *firsts]

    @cached_property
    def _standardised(self) -> np.ndarray | None:
        """Where in the data rows are of which each pixel was scaled on its own: no image looks like itself then."""
        values = self.sample.values.reshape(len(self.sample.values), -1).astype(np.float64)
        if len(values) < FEW or not np.isfinite(values).all():
            return None
        for place in self._places:
            truth = LIBRARY.images(place).reshape(len(values), -1).astype(np.float64)
            varied = truth.std(axis=0) > 0.1
            left, right = (one[:, varied] - one[:, varied].mean(axis=0) for one in (values, truth))
            size = np.sqrt((left**2).sum(axis=0) * (right**2).sum(axis=0))
            if varied.any() and ((left * right).sum(axis=0) >= 0.999 * size).mean() >= MOST and size.min() > 0:
                return place
        return None

    def _floored_at(self, place: np.ndarray) -> np.ndarray:
        values = self.sample.values.reshape(len(self.sample.values), -1)
        result: np.ndarray = (values == np.floor(LIBRARY.images(place))).all(axis=1)
        return result

    @cached_property
    def _nearest(self) -> np.ndarray:
        return LIBRARY.nearest(self.sample.values)[0]

    @cached_property
    def _likeness(self) -> np.ndarray:
        return LIBRARY.correlation(self.sample.values, self._nearest)

    @cached_property
    def index(self) -> np.ndarray:
        """The position of each sampled row in the data, -1 where it was not recognised."""
        if not self.altered:
            return self.matches.index
        if self._standardised is not None:
            return self._standardised
        return np.where(self._floored, self._place, self._nearest)

    def share_of(self, part: str) -> float:
        """The share of the recognised rows that lie in a part of the data."""
        known = self.index[self.index >= 0]
        return float(LIBRARY.in_part(known, part).mean()) if len(known) else 0.0

    @property
    def scale(self) -> float:
        """The factor from pixels in [0, 1] to the values of the array."""
        return float(np.median(self.matches.scale[self.matches.known])) if self.matches.known.any() else 1.0

    @property
    def offset(self) -> float:
        """What was added to the pixels."""
        return float(np.median(self.matches.offset[self.matches.known])) if self.matches.known.any() else 0.0

    def same_images_as(self, other: Recognised) -> bool:
        """Each row shows the image that the same row of another array shows."""
        if len(self.index) != len(other.index):
            return False
        known = (self.index >= 0) & (other.index >= 0)
        return bool(known.any() and (self.index[known] == other.index[known]).mean() >= MOST)

    def describe(self) -> str:
        """Say in the statement's words what the rows are."""
        if self.clean or self.noisy:
            kind = "clean" if self.clean else "noisy"
            part = {1.0: "training ", 0.0: "test "}.get(self.share_of("train"), "")
            return f"{kind} {part}images"
        return "images that were changed" if self.altered else "arrays that are no images of the data"


def recognise(sample: ArraySample, hint: np.ndarray | None = None) -> Recognised | None:
    """Recognise the images of an array; None when its rows do not have as many values as an image, or it has none.

    ``hint`` holds likely positions in the data, one a sampled row.
    """
    rows = len(sample.values)
    if not rows or sample.values.size != rows * PIXELS:
        return None
    if hint is None:
        hint = usual_place(sample)
    # Several checks ask the same. The sample is kept with its key, so that no other one can take its place.
    key = id(sample), hint.tobytes()
    if key not in _KNOWN:
        _KNOWN[key] = Recognised(sample, LIBRARY.identify(sample.values, hint))
    return _KNOWN[key]


def usual_place(sample: ArraySample) -> np.ndarray:
    """Return where in the data the sampled rows are when the images are in their usual order."""
    start = LIBRARY.start("test") if sample.shape[0] == TEST_IMAGES else LIBRARY.start("train")
    result: np.ndarray = np.minimum(start + np.asarray(sample.rows, np.int64), len(LIBRARY) - 1)
    return result


def digits_of(sample: ArraySample) -> np.ndarray | None:
    """Read the sampled rows as digits 0 to 9, as numbers or one-hot; None when they can not be read so."""
    values = np.asarray(sample.values, np.float64)
    values = values.reshape(len(values), -1)
    if not values.size or not np.isfinite(values).all():
        return None
    if (values == values[:, :1]).all() and np.isin(values[:, 0], np.arange(10)).all():
        return values[:, 0].astype(np.int64)
    if values.shape[1] == 10 and (values.max(axis=1) > values.mean(axis=1)).all() and _is_one_hot(values):
        return values.argmax(axis=1)
    return None


def _is_one_hot(values: np.ndarray) -> bool:
    low, high = values.min(), values.max()
    return bool(np.isin(values, (low, high)).all() and ((values == high).sum(axis=1) == 1).all())


@dataclass(frozen=True)
class FitData:
    """What one call of ``fit`` was given: its images, and its targets (None where they are no images)."""

    fit: Fit
    x: Recognised | None
    y: Recognised | None
    labels: bool

    @property
    def same_images(self) -> bool:
        """Each target shows the digit of its input."""
        return self.x is not None and self.y is not None and self.x.same_images_as(self.y)


def fit_data(submitted: Submitted, fit: Fit) -> FitData:
    """Recognise input and target of a fit. The target is read first: a noisy input is then looked for at its place."""
    return FitData(fit, *pair(submitted, fit.x, fit.y))


def pair(submitted: Submitted, x: int | None, y: int | None) -> tuple[Recognised | None, Recognised | None, bool]:
    """Recognise an input and its target; the third tells that the target holds the labels."""
    target_sample = None if y is None else submitted.array(y)
    target = None if target_sample is None else recognise(target_sample)
    hint = target.index if target is not None and target.clean else None
    input_sample = None if x is None else submitted.array(x)
    if input_sample is not None and hint is not None and len(hint) != len(input_sample.values):
        hint = None
    images = None if input_sample is None else recognise(input_sample, hint)
    if target is not None and target.noisy and images is not None and images.clean:
        target = recognise(target.sample, images.index) if len(images.index) == len(target.index) else target
    labels = target is None and target_sample is not None and digits_of(target_sample) is not None
    return images, target, labels


def is_own(submitted: Submitted, position: int | None, question: str, label: str) -> bool:
    """Tell whether a recorded array is the very one that was found under a name: equal arrays have one position."""
    value = submitted.value(question, label)
    return position is not None and value.kind == "array" and value.array == position


def own_images(submitted: Submitted, name: str) -> Recognised | None:
    """Return what the student's X_train or X_test holds, None where there is none."""
    value = submitted.value("load-data", name)
    return recognise(submitted.array(value)) if value.kind == "array" else None


def holds_part(submitted: Submitted, images: Recognised, part: str) -> bool:
    """Tell whether images are of a part of the data, or of what the student took for it in question 1."""
    if images.share_of(part) >= 0.5:
        return True
    own = own_images(submitted, f"X_{part}")
    return own is not None and own.index.max() >= 0 and own.share_of(part) < 0.5


def own_count(submitted: Submitted, name: str, count: int) -> int:
    """Return how many images the student's array holds, at most ``count``; ``count`` where there is none."""
    value = submitted.value("load-data", name)
    return min(count, submitted.array(value).shape[0]) if value.kind == "array" else count
