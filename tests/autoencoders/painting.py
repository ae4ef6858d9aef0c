"""What was drawn for a question, and whether drawn images are what a model makes of images of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

import numpy as np
from consequences import IMAGE, nothing_to_judge, without_batch
from recognition import LIBRARY, Recognised, recognise

from autograder.checks import note, review
from autograder.checks.figures import Drawn, drawn_images, has_pictures
from autograder.checks.images import Matches
from autograder.checks.outcomes import Failed, NeedsReview, Skipped, running_notes
from autograder.checks.submitted import Submitted
from autograder.evidence import Figure, Prediction

PLOT_QUESTIONS = ("plot-digits", "reconstructions", "latent-space", "noisy-images", "denoised-images")
TOLERANCE = 2e-4
# How pictures are shown without matplotlib.
OTHER_MEANS = ("fromarray(", "array_to_img(", "plotly", "px.", "bokeh", "altair", "cv2", "HTML(")
# Of a grey level, how far the grader's own output may be from the one that was drawn.
LEVEL_TOLERANCE = 0.02
PREFIX = 64
SEARCHED = 10_000
# Of figures that could be for any question, so many are looked at.
GROUPS = 20
UNRECOGNISED = "Pictures were drawn, but the grader could not tell what they show. A person will look at them."


@dataclass(frozen=True)
class Drawing:
    """The images that were drawn for a question, and which digits they are."""

    images: tuple[Drawn, ...]
    matches: Matches
    figures: tuple[Figure, ...]

    def where(self, chosen: np.ndarray) -> list[int]:
        """Return the positions of the chosen images."""
        return [int(position) for position in np.flatnonzero(chosen)]

    @property
    def originals(self) -> list[int]:
        """Positions of images of the data."""
        return self.where(self.matches.exact)

    @property
    def noisy(self) -> list[int]:
        """Positions of images of the data with noise."""
        return self.where(self.matches.noisy)

    @property
    def others(self) -> list[int]:
        """Positions of images that are neither: painted by a model, perhaps."""
        return self.where(~self.matches.known)

    def drawn(self, positions: Sequence[int]) -> list[Drawn]:
        """Return images by position."""
        return [self.images[position] for position in positions]

    def values(self, positions: Sequence[int]) -> np.ndarray:
        """Return the values of images by position, shape (n, 28, 28)."""
        return np.stack([self.images[position].values for position in positions])


def figures_for(submitted: Submitted, question: str) -> tuple[Figure, ...]:
    """Return the figures of a question's own cells; where there are none, those of cells of no plot question."""
    own = submitted.figures_of(question)
    if own or (submitted.cells_of(question) and not submitted.blank(question)):
        return own
    others: set[int] = set()
    for other in PLOT_QUESTIONS:
        others |= submitted.cells_of(other)
    return tuple(figure for figure in submitted.evidence.figures if figure.cell not in others)


def drawing(submitted: Submitted, question: str, judge: Callable[[Submitted, Drawing], None]) -> Drawing:
    """Return what was drawn for a question; ends the check when no image was.

    Figures of the question's own cells are taken together. Where it has none, the figures of other cells are tried,
    all of a cell and each alone, and those are taken with which ``judge`` (a check) is satisfied most.
    """
    groups = [figures_for(submitted, question)]
    if not submitted.figures_of(question):
        groups = _groups(groups[0])
    found = [drawn for group in groups if (drawn := _drawing_of(group)) is not None]
    if not found:
        if has_pictures(figures_for(submitted, question)):
            review(UNRECOGNISED)
        nothing_drawn(submitted, question)
    if len(found) == 1:
        return found[0]
    ranks = [_rank(submitted, drawn, judge) for drawn in found]
    if min(ranks) == max(_RANKS.values()):
        nothing_drawn(submitted, question)
    return found[ranks.index(min(ranks))]


_RANKS = {"passed": 0, "in part": 1, "undecided": 2, "failed": 3}


def _rank(submitted: Submitted, drawn: Drawing, judge: Callable[[Submitted, Drawing], None]) -> int:
    """Return how far a drawing is from what a check asks for, without a word to the student."""
    token = running_notes.set(None)
    try:
        judge(submitted, drawn)
    except (NeedsReview, Skipped):
        return _RANKS["undecided"]
    except AssertionError as problem:
        return _RANKS["in part" if isinstance(problem, Failed) and problem.cost < 1 else "failed"]
    finally:
        running_notes.reset(token)
    return _RANKS["passed"]


def _groups(figures: tuple[Figure, ...]) -> list[tuple[Figure, ...]]:
    """Return all figures of each cell, then each one alone where a cell drew several: the first few."""
    cells = dict.fromkeys(figure.cell for figure in figures)
    together = [tuple(figure for figure in figures if figure.cell == cell) for cell in cells]
    alone = [(figure,) for group in together if len(group) > 1 for figure in group]
    return [*together, *alone][:GROUPS]


def _drawing_of(figures: tuple[Figure, ...]) -> Drawing | None:
    images = drawn_images(figures, LIBRARY.size, lambda values: LIBRARY.identify(values, noisy=False).exact)
    if not images:
        return None
    return Drawing(images, LIBRARY.identify(np.stack([one.values for one in images])), figures)


def nothing_drawn(submitted: Submitted, question: str, missing: str = "no image was drawn") -> NoReturn:
    """End the check because matplotlib drew nothing; what is shown by other means waits for a person."""
    source = "\n".join(cell.source for cell in submitted.cells if cell.question == question)
    if submitted.cell_error(question) is None and any(word in source for word in OTHER_MEANS):
        review(f"The grader sees what matplotlib draws, and {missing} by it. A person will look at it.")
    nothing_to_judge(submitted, question, missing)


@dataclass(frozen=True)
class Painter:
    """A model that was used to predict images, and the inputs that it was given."""

    identity: int
    variables: frozenset[int]
    functions: Sequence[Callable[[np.ndarray], np.ndarray]]
    inputs: Recognised | None
    prediction: Prediction

    def paint(self, images: np.ndarray) -> np.ndarray:
        """Return what the model makes of inputs (n, ...), as (n, 28, 28)."""
        for function in self.functions:
            images = function(images)
        return images.reshape(-1, *LIBRARY.size)


class Painters:
    """The models that predicted images for a question, rebuilt one by one as they are asked for.

    The first one is nearly always the one that is looked for, and a comparison of dimensions has made many.
    ``problems`` tells why some of those that were asked for could not be rebuilt.
    """

    def __init__(self, submitted: Submitted, predictions: Sequence[Prediction]) -> None:
        self.problems: list[str] = []
        self._submitted = submitted
        self._coming = iter(predictions)
        self._found: list[Painter] = []

    def __iter__(self) -> Iterator[Painter]:
        yield from self._found
        for prediction in self._coming:
            painter = self._painter(prediction)
            if painter is not None:
                self._found.append(painter)
                yield painter

    def _painter(self, prediction: Prediction) -> Painter | None:
        snapshot = self._submitted.model(prediction.model).snapshot
        inputs, chain = _inputs(self._submitted, prediction)
        try:
            functions = [self._submitted.model(position).function for position in chain]
        except (NeedsReview, Failed, Skipped) as problem:
            self.problems.append(str(problem))
            return None
        return Painter(snapshot.identity, frozenset(snapshot.variables), functions, inputs, prediction)


def painters(submitted: Submitted, question: str, figures: Sequence[Figure]) -> Painters:
    """Return the models whose outputs have the shape of an image, those of the question's own cells first."""
    last = max((figure.cell for figure in figures), default=0)
    own = submitted.predictions_of(question)
    earlier = [one for one in submitted.evidence.predictions if one.cell <= last and one not in own]
    return Painters(
        submitted,
        [one for one in (*own, *reversed(earlier)) if one.output is not None and _paints_images(submitted, one)],
    )


def _paints_images(submitted: Submitted, prediction: Prediction) -> bool:
    output = submitted.array(prediction.output)
    return int(np.prod(output.shape[1:])) == LIBRARY.pixels


def _inputs(submitted: Submitted, prediction: Prediction) -> tuple[Recognised | None, list[int]]:
    """Return the images that went in, and the models they went through: codes are followed back to the encoder."""
    if prediction.x is None:
        return None, [prediction.model]
    sample = submitted.array(prediction.x)
    images = recognise(sample)
    if images is not None:
        return images, [prediction.model]
    for other in submitted.evidence.predictions:
        if other.output is None or other.x is None:
            continue
        codes = submitted.array(other.output)
        if codes.shape == sample.shape and codes.rows == sample.rows and np.allclose(codes.values, sample.values):
            return recognise(submitted.array(other.x)), [other.model, prediction.model]
    return None, [prediction.model]


def painted(pictures: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Tell which picture (n, 28, 28) is which output (m, 28, 28), as booleans (n, m); the grey scale may be changed."""
    left = pictures.reshape(len(pictures), -1).astype(np.float64)
    right = outputs.reshape(len(outputs), -1).astype(np.float64)
    same = np.zeros((len(left), len(right)), bool)
    for candidate in (right, np.clip(right, 0, 1)):
        size = max(1e-3, float(np.abs(candidate).max(initial=0)))
        for row, values in enumerate(left):
            same[row] |= np.abs(candidate - values).max(axis=1) <= TOLERANCE * size
        for row, values in enumerate(_scaled(left)):
            same[row] |= np.abs(_scaled(candidate) - values).max(axis=1) <= 1 / 255
    whole = _in_grey_levels(left)
    same[whole] |= _as_grey_levels(left[whole], right)
    return same


def _in_grey_levels(rows: np.ndarray) -> np.ndarray:
    """Tell which pictures hold whole numbers from 0 to 255, and not one alone: ``uint8`` images."""
    whole: np.ndarray = (rows == np.round(rows)).all(axis=1) & (np.ptp(rows, axis=1) >= 1)
    return whole & (rows >= 0).all(axis=1) & (rows <= 255).all(axis=1)


def _as_grey_levels(pictures: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Tell which picture is which output times 255, cut or rounded; a faint one fills a few of the levels only."""
    levels = 255 * np.clip(outputs, 0, 1)
    same = np.zeros((len(pictures), len(outputs)), bool)
    for row, values in enumerate(pictures):
        rest = levels - values
        cut = (rest >= -LEVEL_TOLERANCE) & (rest <= 1 + LEVEL_TOLERANCE)
        rounded = np.abs(rest) <= 0.5 + LEVEL_TOLERANCE
        same[row] = cut.all(axis=1) | rounded.all(axis=1)
    return same


def _scaled(rows: np.ndarray) -> np.ndarray:
    low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
    return (rows - low) / np.maximum(high - low, 1e-9)


@dataclass(frozen=True)
class Origin:
    """Which inputs drawn images were painted from, and by which model.

    ``pictures`` are positions in the drawing, ``sources`` for each of them the positions in the data of all
    inputs that give this picture; ``matches`` tells what all these inputs are.
    """

    painter: Painter
    pictures: tuple[int, ...]
    sources: tuple[frozenset[int], ...]
    matches: Matches


def origins(drawing: Drawing, painters: Painters) -> Origin | None:
    """Return the model that painted most of the other images, and from what; None when no model painted any."""
    best = _search(drawing, painters, _candidates)
    return best or _search(drawing, islice(painters, 1), _all_images)


def _search(
    drawing: Drawing,
    painters: Iterable[Painter],
    candidates: Callable[[Drawing, Painter], Iterator[tuple[np.ndarray, Matches]]],
) -> Origin | None:
    best: Origin | None = None
    others = drawing.others
    pictures = drawing.values(others)
    for painter in painters:
        for inputs, matches in candidates(drawing, painter):
            same = painted(pictures, painter.paint(inputs))
            hits = np.flatnonzero(same.any(axis=1))
            if len(hits) and (best is None or len(hits) > len(best.pictures)):
                sources = tuple(frozenset(int(index) for index in matches.index[same[row]]) for row in hits)
                chosen = _chosen(matches, np.flatnonzero(same.any(axis=0)))
                best = Origin(painter, tuple(others[row] for row in hits), sources, chosen)
            if best is not None and len(best.pictures) == len(pictures):
                return best
    return best


def _candidates(drawing: Drawing, painter: Painter) -> Iterator[tuple[np.ndarray, Matches]]:
    """Yield inputs that a picture may have been painted from, the likely ones first, and which images they are."""
    if painter.inputs is not None:
        yield painter.inputs.sample.values, painter.inputs.matches
    if drawing.noisy:
        yield drawing.values(drawing.noisy), _chosen(drawing.matches, np.asarray(drawing.noisy))
    if drawing.originals:
        index = drawing.matches.index[drawing.originals]
        yield _scaled_images(painter, index), _chosen(drawing.matches, np.asarray(drawing.originals))
    for part in ("test", "train"):
        index = LIBRARY.start(part) + np.arange(PREFIX)
        yield _scaled_images(painter, index), _as_matches(index)


def _all_images(drawing: Drawing, painter: Painter) -> Iterator[tuple[np.ndarray, Matches]]:
    """Yield all clean images of the part that the model was given: the last resort, which costs seconds."""
    if painter.inputs is not None and painter.inputs.clean:
        part = "train" if painter.inputs.share_of("train") >= 0.5 else "test"
        index = LIBRARY.start(part) + np.arange(min(painter.inputs.count, LIBRARY.count(part), SEARCHED))
        yield _scaled_images(painter, index), _as_matches(index)


def _scaled_images(painter: Painter, index: np.ndarray) -> np.ndarray:
    inputs = painter.inputs
    images: np.ndarray = LIBRARY.images(index)
    return images if inputs is None else inputs.scale * images + inputs.offset


def _chosen(matches: Matches, rows: np.ndarray) -> Matches:
    return Matches(*(getattr(matches, field)[rows] for field in Matches.__dataclass_fields__))


def _as_matches(index: np.ndarray) -> Matches:
    count = len(index)
    truth, zeros = np.ones(count, bool), np.zeros(count, np.float32)
    return Matches(index, truth, ~truth, zeros + 1, zeros, zeros)


def coincide(painter: Painter) -> bool:
    """Tell whether the model paints the same picture of everything, so that pictures can not be told apart."""
    outputs = painter.paint(LIBRARY.images(np.arange(0, 200, 10)))
    return bool(np.ptp(outputs, axis=0).max() <= TOLERANCE)


def is_image_model(submitted: Submitted, position: int) -> bool:
    """Tell whether a recorded model maps images to images."""
    snapshot = submitted.model(position).snapshot
    return without_batch(snapshot.input_shape) == IMAGE and without_batch(snapshot.output_shape) == IMAGE


def mention_elsewhere(submitted: Submitted, question: str) -> None:
    """Add a note when the figures were found outside of the question's own cells."""
    if not submitted.figures_of(question):
        note("Your figure was found in another cell than the one for this question.")
