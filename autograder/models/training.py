"""The grader's own training, which finds out whether a submitted architecture can remove noise.

Fresh weights are trained to predict clean images from noisy ones, compiled as the student did, and the mean
squared error on noisy test images is measured at intervals; the first error below the limit passes. Right
models sometimes stay at the mean image, so a miss is tried again with new weights, and then with the
reference compilation, which tells architecture and compilation apart. Every number of this stands in the
assignment's ``calibration.json``.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from autograder.errors import AssignmentError
from autograder.evidence import Compilation
from autograder.models.arithmetic import (
    Unbuildable,
    multiply_adds,
    output_shape,
    shapes,
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
from autograder.models.rebuild import rebuild, rebuild_loss, rebuild_optimizer
from autograder.store import Store, digest_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

_Curve: TypeAlias = tuple[tuple[int, float], ...]

KIND = "training"
# Raised whenever the code below measures something else than before: cached results then no longer count.
VERSION = 1
# A training step costs about three times the multiply-adds of the way forward.
STEP_FACTOR = 3
EVALUATION_ACTIVATIONS = 60_000_000


@dataclass(frozen=True)
class Protocol:
    """How the measurement is made; all counts of steps are optimizer steps.

    ``noise`` is the standard deviation added to images in [0, 1]. ``clean_steps`` are spent on images without
    noise first. ``restarts`` bounds the attempts with the reference compilation, ``submitted_restarts`` those
    with another one. ``test_images`` are taken evenly from all. ``work_limit`` bounds the multiply-adds of all
    attempts with one compilation, and so the size of a model; ``cpu_seconds_limit`` bounds their time.
    """

    limit: float
    noise: float
    batch_size: int
    steps: int
    interval: int
    clean_steps: int
    restarts: int
    submitted_restarts: int
    test_images: int
    steps_per_execution: int
    seed: int
    work_limit: float
    cpu_seconds_limit: float

    @classmethod
    def read(cls, path: Path, section: str = "denoising") -> Protocol:
        """Read one section of a ``calibration.json``; raise AssignmentError where it is not sound."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))[section]["protocol"]
            protocol = cls(**values)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AssignmentError(f"{path}: no sound section '{section}' ({error!r})") from error
        protocol._check(path)
        return protocol

    def _check(self, path: Path) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            types = (int,) if field.type == "int" else (int, float)
            if type(value) not in types or not math.isfinite(value) or value < 0:
                raise AssignmentError(f"{path}: {field.name} = {value!r} is not usable")
        positive = (self.batch_size, self.interval, self.restarts, self.steps_per_execution, self.test_images)
        if min(positive) < 1 or self.steps < self.interval or self.interval % self.steps_per_execution:
            raise AssignmentError(f"{path}: steps, intervals and steps_per_execution do not fit each other")
        if self.clean_steps % self.interval:
            raise AssignmentError(f"{path}: clean_steps must be a multiple of the interval")


@dataclass(frozen=True)
class TrainingResult:
    """What the measurement found.

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
    # Evenly from all: the first ones of a set are often easier.
    stride = max(1, len(clean_test) // protocol.test_images)
    images = _Images(clean_train, clean_test[::stride][: protocol.test_images])
    measurement = _Measurement(description, protocol, images, store)
    compiled, note = _submitted(compilation)
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
        elif _attempts(multiply_adds(description, shape), protocol, protocol.restarts) < 1:
            reason, needs_review = "it is too large to be trained here", True
    except Unbuildable as error:
        reason = f"its layers do not fit each other: {error.reason}"
    except TooLarge as error:
        reason, needs_review = f"it is {error.reason}", True
    except Unrecognised as error:
        reason, needs_review = f"the grader does not know {error.reason}", True
    return TrainingResult("not trained", reason, needs_review) if reason else None


def _attempts(work: int, protocol: Protocol, wanted: int) -> int:
    """Return how many attempts a model of ``work`` multiply-adds a sample is worth; 0 when not one."""
    one = STEP_FACTOR * work * protocol.batch_size * protocol.steps
    return min(wanted, int(protocol.work_limit // max(one, 1)))


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
    )


@dataclass(frozen=True)
class _Images:
    train: Array
    test: Array

    @property
    def shape(self) -> Shape:
        return tuple(int(side) for side in self.train.shape[1:])


class _Measurement:
    """One model, one protocol and one set of images; runs are looked up before they are made."""

    def __init__(
        self, description: ModelDescription, protocol: Protocol, images: _Images, store: Store | None
    ) -> None:
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
                self._store.put(KIND, key, {**asdict(run), "from_cache": True})
        return run

    def _known(self, key: str) -> _Run | None:
        assert self._store is not None
        value = self._store.get(KIND, key)
        if value is None:
            return None
        return _Run(**{**value, "curve": tuple((int(step), float(error)) for step, error in value["curve"])})

    def _key(self, loss: Loss, optimizer: Optimizer, wanted: int) -> str:
        """Return the digest of everything that the outcome depends on."""
        versions = [importlib.metadata.version(name) for name in ("keras", "numpy")]
        return digest_of(
            {
                "version": [VERSION, *versions],
                "model": digest(self._description),
                "compilation": [loss.name, loss.fields, optimizer.name, optimizer.fields, wanted],
                "protocol": asdict(self._protocol),
                "data": [_data_digest(self._images.train[::50]), _data_digest(self._images.test)],
            }
        )

    def _train(self, loss: Loss, optimizer: Optimizer, wanted: int) -> _Run:
        start = time.process_time()
        protocol = self._protocol
        allowed = _attempts(multiply_adds(self._description, self._images.shape), protocol, wanted)
        trainer = _Trainer(self._description, protocol, self._images)
        trainer.compile(loss, optimizer)
        best: _Curve = ()
        passed, made, steps = False, 0, 0
        while made < allowed and not passed and self._seconds_left(start):
            curve: _Curve = ()
            for done, error in trainer.attempt(made):
                steps += protocol.interval
                if not math.isfinite(error):
                    break
                curve = (*curve, (done, error))
                if error < protocol.limit or not self._seconds_left(start):
                    break
            made += 1
            best = min(best, curve, key=_lowest)
            # Written so that what is no number does not pass.
            passed = _lowest(best) < protocol.limit
        error = _lowest(best)
        complete = passed or (made == wanted and self._seconds_left(start))
        seconds = time.process_time() - start
        return _Run(passed, complete, error if best else None, made, steps, best, seconds)

    def _seconds_left(self, start: float) -> bool:
        return time.process_time() - start < self._protocol.cpu_seconds_limit


def _lowest(curve: _Curve) -> float:
    return min((error for _, error in curve), default=math.inf)


def _data_digest(images: Array) -> str:
    import numpy as np

    head = f"{images.shape}{images.dtype}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(images).tobytes()).hexdigest()


class _Trainer:
    """One compiled model that is started afresh for each attempt: tracing it costs as much as 1 000 steps."""

    def __init__(self, description: ModelDescription, protocol: Protocol, images: _Images) -> None:
        import numpy as np

        self._description = description
        self._protocol = protocol
        self._images = images
        self._target = np.asarray(images.test, np.float32)
        noise = np.random.default_rng((protocol.seed, 0)).standard_normal(self._target.shape, np.float32)
        self._noisy = self._target + np.float32(protocol.noise) * noise
        outputs = sum(math.prod(shape) for shape in shapes(description, images.shape))
        self._evaluation_batch = max(1, EVALUATION_ACTIVATIONS // max(outputs, 1))
        self._model = rebuild(description, images.shape, seed=protocol.seed)

    def compile(self, loss: Loss, optimizer: Optimizer) -> None:
        """Compile the model; to be done once, before the first attempt."""
        self._model.compile(
            optimizer=rebuild_optimizer(optimizer) or rebuild_optimizer(REFERENCE_OPTIMIZER),
            loss=rebuild_loss(loss) or rebuild_loss(REFERENCE_LOSS),
            steps_per_execution=self._protocol.steps_per_execution,
            jit_compile=False,
        )
        self._model.optimizer.build(self._model.trainable_variables)
        self._start = [variable.numpy() for variable in self._model.optimizer.variables]

    def attempt(self, number: int) -> Iterator[tuple[int, float]]:
        """Yield the step and the error after each interval of one attempt, from fresh weights."""
        import numpy as np

        protocol = self._protocol
        generator = np.random.default_rng((protocol.seed, 1, number))
        fresh = rebuild(self._description, self._images.shape, seed=int(generator.integers(2**31 - 1)))
        self._model.set_weights(fresh.get_weights())
        for variable, value in zip(self._model.optimizer.variables, self._start, strict=True):
            variable.assign(value)
        count = protocol.interval * protocol.batch_size
        for done in range(0, protocol.steps, protocol.interval):
            rows = generator.integers(len(self._images.train), size=count)
            target = np.asarray(self._images.train[rows], np.float32)
            noise = np.float32(0.0 if done < protocol.clean_steps else protocol.noise)
            noisy = target + noise * generator.standard_normal(target.shape, np.float32)
            self._model.fit(noisy, target, batch_size=protocol.batch_size, shuffle=False, verbose=0)
            yield done + protocol.interval, self._error()

    def _error(self) -> float:
        """Return the mean squared error on the noisy test images; eager, which spares the tracing."""
        import numpy as np

        total = 0.0
        for start in range(0, len(self._noisy), self._evaluation_batch):
            part = slice(start, start + self._evaluation_batch)
            output = np.asarray(self._model(self._noisy[part], training=False), np.float64)
            with np.errstate(over="ignore", invalid="ignore"):
                total += float(np.sum((output - self._target[part]) ** 2))
        return total / self._target.size
