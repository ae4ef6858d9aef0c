"""The grader's own training, which finds out whether a submitted architecture can remove noise.

Fresh weights are trained to predict clean images from noisy ones, compiled as the student did, and the mean
squared error on noisy test images is measured at intervals; the first error below the limit passes. Right
models sometimes stay at the mean image, so a miss is tried again with new weights, and then with the
reference compilation, which tells architecture and compilation apart. Every number of this stands in the
assignment's ``calibration.json``.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import importlib.metadata
import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from autograder.evidence import Compilation
from autograder.models.arithmetic import (
    Unbuildable,
    multiply_adds,
    output_shape,
    trainable_count,
)
from autograder.models.compilation import (
    REFERENCE_LOSS,
    REFERENCE_OPTIMIZER,
    Loss,
    Optimizer,
    normalise_loss,
    parse_optimizer,
)
from autograder.models.description import digest
from autograder.models.fields import Shape, TooLarge, Unrecognised
from autograder.models.layers import ModelDescription
from autograder.models.trainer import Images, Protocol, Trainer
from autograder.store import Store, digest_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

__all__ = ["Protocol", "TrainingResult", "measure", "use_one_thread"]

_Curve: TypeAlias = tuple[tuple[int, float], ...]
BASELINES = ("zero", "mean image", "noisy input")

KIND = "training"
# Raised whenever a training measures something else than before: results that were kept then no longer count.
VERSION = 2
# A training step costs about three times the multiply-adds of the way forward,
STEP_FACTOR = 3
# and each layer, however small, as much time as this many of them (measured on chains of 100 and 300 layers).
LAYER_MULTIPLY_ADDS = 100_000


@dataclass(frozen=True)
class Shown:
    """Some of the images that a model was measured with, as bytes of their grey tones from 0 to 255.

    ``shape`` is that of each of the three: number of images, height, width, channels. ``baselines`` are the errors of
    three answers that need no learning, on all images that are measured with, in the order of ``BASELINES``.
    """

    shape: Shape
    clean: bytes
    noisy: bytes
    denoised: bytes
    baselines: tuple[float, float, float]


@dataclass(frozen=True)
class TrainingResult:
    """What the measurement found.

    ``shown`` are images that it was measured with and what the model made of them, None where nothing was trained.
    ``status`` is "not trained" where there is nothing to conclude; ``reason`` then says why (a clause), and
    ``needs_review`` whether only the grader is at a loss: a model too large, or not understood. ``error`` is
    the smallest mean squared error that was measured, None where none was finite; ``curve`` holds (step, error)
    of that attempt; ``steps`` and ``cpu_seconds`` count all. ``note`` is a sentence for the student, or empty.
    """

    status: Literal["passed", "missed", "not trained"]
    reason: str = ""
    needs_review: bool = False
    error: float | None = None
    passed_with: Literal["submitted", "reference"] | None = None
    attempts: int = 0
    steps: int = 0
    curve: _Curve = ()
    cpu_seconds: float = 0.0
    note: str = ""
    from_cache: bool = False
    shown: Shown | None = None


def measure(
    description: ModelDescription,
    compilation: Compilation | None,
    protocol: Protocol,
    clean_train: Array,
    clean_test: Array,
    store: Store | None = None,
) -> TrainingResult:
    """Train the described model to remove noise and return what became of it.

    ``clean_train`` and ``clean_test`` hold images in [0, 1] along their first axis; the noise is made here.
    Raises nothing on what a student wrote. Results are looked up and kept in ``store``.
    """
    shape = tuple(int(side) for side in clean_train.shape[1:])
    refused = _refused(description, shape, protocol)
    if refused is not None:
        return refused
    measurement = _Measurement(description, protocol, Images.taken(clean_train, clean_test, protocol), store)
    try:
        return _measured(measurement, *_submitted(compilation))
    except Unrecognised as error:
        return TrainingResult("not trained", f"the grader does not know {error.reason}", needs_review=True)


def _measured(measurement: _Measurement, compiled: tuple[Loss, Optimizer] | None, note: str) -> TrainingResult:
    """Run the submitted compilation and, where that does not pass, the reference."""
    first = None
    if compiled is not None:
        first = measurement.run(*compiled)
        if first.passed or compiled == (REFERENCE_LOSS, REFERENCE_OPTIMIZER):
            return _result([first], "submitted", note)
    second = measurement.run(REFERENCE_LOSS, REFERENCE_OPTIMIZER)
    if second.passed and not note:
        note = "Trained as it was compiled, the model did not learn to remove noise; "
        note += "with Adam and the mean squared error it did."
    return _result([run for run in (first, second) if run is not None], "reference", note)


def use_one_thread() -> bool:
    """Tell TensorFlow to compute in one thread, which costs the least; return False when it was too late.

    To be called before TensorFlow's first operation. Nothing else depends on it.
    """
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return False
    return True


def _refused(description: ModelDescription, shape: Shape, protocol: Protocol) -> TrainingResult | None:
    """Return the result of a model that is not worth a training, None for one that is."""
    reason, needs_review = "", False
    try:
        output = output_shape(description, shape)
        if description.input_shape not in (None, shape):
            reason = f"it takes inputs of shape {description.input_shape}, and the images have {shape}"
        elif output != shape:
            reason = f"its output has the shape {output}, and the images have {shape}"
        elif trainable_count(description, shape) == 0:
            reason = "it has no weights that are trained"
        elif _attempts(description, shape, protocol, protocol.restarts) < 1:
            reason, needs_review = "it is too large to be trained here", True
    except Unbuildable as error:
        reason = f"its layers do not fit each other: {error.reason}"
    except TooLarge as error:
        reason, needs_review = f"it is {error.reason}", True
    except Unrecognised as error:
        reason, needs_review = f"the grader does not know {error.reason}", True
    return TrainingResult("not trained", reason, needs_review) if reason else None


def _attempts(description: ModelDescription, shape: Shape, protocol: Protocol, wanted: int) -> int:
    """Return how many of the wanted attempts the work limit allows for a model; 0 when not one."""
    sample = multiply_adds(description, shape) + LAYER_MULTIPLY_ADDS * len(description.layers)
    attempt = STEP_FACTOR * sample * protocol.batch_size * protocol.steps
    return min(wanted, int(protocol.work_limit // max(attempt, 1)))


def _submitted(compilation: Compilation | None) -> tuple[tuple[Loss, Optimizer] | None, str]:
    """Return the submitted loss and optimizer where the grader can train with them, and a sentence on it."""
    if compilation is None:
        return None, "The model was never compiled; it was trained with Adam and the mean squared error."
    loss, optimizer = normalise_loss(compilation.loss), parse_optimizer(compilation.optimizer)
    if loss.category not in ("mean_squared_error", "reconstruction"):
        return None, f"The loss ({loss.text}) was replaced by the mean squared error to train the model."
    if optimizer is None:
        return (loss, REFERENCE_OPTIMIZER), "The optimizer was replaced by Adam to train the model."
    return (loss, optimizer), ""


@dataclass(frozen=True)
class _Run:
    """All attempts with one compilation. ``complete`` is False where size or time cut them short."""

    passed: bool
    complete: bool
    error: float | None
    attempts: int
    steps: int
    curve: _Curve
    cpu_seconds: float
    from_cache: bool = False
    shown: Shown | None = None


def _result(runs: list[_Run], how: Literal["submitted", "reference"], note: str) -> TrainingResult:
    last = runs[-1]
    best = min(runs, key=lambda run: math.inf if run.error is None else run.error)
    shown = last if last.passed else best
    cut = not last.passed and not last.complete
    return TrainingResult(
        status="passed" if last.passed else "not trained" if cut else "missed",
        reason="it is too large to be trained long enough here" if cut else "",
        needs_review=cut,
        error=shown.error,
        passed_with=how if last.passed else None,
        attempts=sum(run.attempts for run in runs),
        steps=sum(run.steps for run in runs),
        curve=shown.curve,
        cpu_seconds=sum(run.cpu_seconds for run in runs),
        note=note,
        from_cache=all(run.from_cache for run in runs),
        shown=shown.shown,
    )


class _Measurement:
    """One model, one protocol and one set of images; runs are looked up before they are made."""

    def __init__(self, description: ModelDescription, protocol: Protocol, images: Images, store: Store | None) -> None:
        self._description = description
        self._protocol = protocol
        self._images = images
        self._store = store

    def run(self, loss: Loss, optimizer: Optimizer) -> _Run:
        """Return the outcome of up to the allowed number of attempts with one compilation."""
        reference = (loss, optimizer) == (REFERENCE_LOSS, REFERENCE_OPTIMIZER)
        wanted = self._protocol.restarts if reference else self._protocol.submitted_restarts
        key = self._key(loss, optimizer, wanted)
        if self._store is None:
            return self._train(loss, optimizer, wanted)
        if (known := self._known(key)) is not None:
            return known
        with self._store.lock(KIND, key):
            if (known := self._known(key)) is not None:
                return known
            run = self._train(loss, optimizer, wanted)
            # What was cut short by time may go further on another day.
            if run.complete:
                self._store.put(KIND, key, {**asdict(run), "from_cache": True, "shown": _plain(run.shown)})
        return run

    def _known(self, key: str) -> _Run | None:
        assert self._store is not None
        value = self._store.get(KIND, key)
        if value is None:
            return None
        curve = tuple((int(step), float(error)) for step, error in value["curve"])
        return _Run(**{**value, "curve": curve, "shown": _read(value["shown"])})

    def _key(self, loss: Loss, optimizer: Optimizer, wanted: int) -> str:
        """Return the digest of everything that the outcome depends on."""
        versions = [importlib.metadata.version(name) for name in ("keras", "numpy")]
        return digest_of(
            {
                "version": [VERSION, *versions],
                "model": digest(self._description),
                "compilation": [loss.name, loss.fields, optimizer.name, optimizer.fields, wanted],
                "protocol": asdict(self._protocol),
                "data": [data_digest(self._images.train[::50]), data_digest(self._images.test)],
            }
        )

    def _train(self, loss: Loss, optimizer: Optimizer, wanted: int) -> _Run:
        start = time.process_time()
        protocol = self._protocol
        allowed = _attempts(self._description, self._images.shape, protocol, wanted)
        trainer = Trainer(self._description, protocol, self._images)
        trainer.compile(loss, optimizer)
        best: _Curve = ()
        answers: Array | None = None
        passed, made, steps = False, 0, 0
        while made < allowed and not passed and self._seconds_left(start):
            curve: _Curve = ()
            done = 0
            for done, error in trainer.attempt(made):
                if not math.isfinite(error):
                    break
                if error < min(_lowest(curve), _lowest(best)):
                    answers = trainer.answers
                curve = (*curve, (done, error))
                if error < protocol.limit or not self._seconds_left(start):
                    break
            made, steps = made + 1, steps + done
            best = min(best, curve, key=_lowest)
            # Written so that what is no number does not pass.
            passed = _lowest(best) < protocol.limit
        error = _lowest(best)
        complete = passed or (made == wanted and self._seconds_left(start))
        seconds = time.process_time() - start
        shown = None if answers is None else _shown(trainer, self._images, answers)
        del trainer
        _give_memory_back()
        return _Run(passed, complete, error if best else None, made, steps, best, seconds, shown=shown)

    def _seconds_left(self, start: float) -> bool:
        return time.process_time() - start < self._protocol.cpu_seconds_limit


def _give_memory_back() -> None:
    """Return to the system what a training freed: 40 to 80 MB, which the C library would keep for the next one."""
    with contextlib.suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def _shown(trainer: Trainer, images: Images, answers: Array) -> Shown:
    """Return the first images that are measured with beside what was given for them, and what no learning comes to."""
    import numpy as np

    # Some thousand images give the mean as well as all of them.
    mean = np.asarray(images.train[:: max(1, len(images.train) // 6000)], np.float64).mean(axis=0)
    guesses = (np.float64(0.0), mean, trainer.noisy)
    zero, average, noisy = (float(np.mean((trainer.target - guess) ** 2)) for guess in guesses)
    count = len(answers)
    clean, given, denoised = (_grey(part) for part in (trainer.target[:count], trainer.noisy[:count], answers))
    return Shown(tuple(answers.shape), clean, given, denoised, (zero, average, noisy))


def _grey(images: Array) -> bytes:
    import numpy as np

    return (np.nan_to_num(images).clip(0, 1) * 255).round().astype(np.uint8).tobytes()


def _plain(shown: Shown | None) -> dict[str, Any] | None:
    """Return what is shown as plain JSON."""
    if shown is None:
        return None
    return {name: _text(value) if isinstance(value, bytes) else value for name, value in asdict(shown).items()}


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _read(value: dict[str, Any] | None) -> Shown | None:
    if value is None:
        return None
    parts = {name: base64.b64decode(value[name]) for name in ("clean", "noisy", "denoised")}
    zero, mean, noisy = value["baselines"]
    return Shown(shape=tuple(value["shape"]), baselines=(zero, mean, noisy), **parts)


def _lowest(curve: _Curve) -> float:
    return min((error for _, error in curve), default=math.inf)


def data_digest(images: Array) -> str:
    """Return the digest of images, their shape and type included."""
    import numpy as np

    head = f"{images.shape}{images.dtype}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(images).tobytes()).hexdigest()
