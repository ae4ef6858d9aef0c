"""One model that the grader trains to remove noise, from fresh weights as often as it is asked.

Times and steps are bounded by the caller, sizes too. Keras is imported inside the functions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.errors import AssignmentError
from autograder.models.arithmetic import shapes
from autograder.models.compilation import REFERENCE_LOSS, REFERENCE_OPTIMIZER, Loss, Optimizer
from autograder.models.fields import Shape
from autograder.models.layers import ModelDescription
from autograder.models.rebuild import rebuild, rebuild_loss, rebuild_optimizer

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

EVALUATION_ACTIVATIONS = 15_000_000
ANSWERS_KEPT = 10


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
        if self.clean_steps % self.interval or self.clean_steps >= self.steps:
            raise AssignmentError(f"{path}: clean_steps must be a multiple of the interval, and fewer than steps")


@dataclass(frozen=True)
class Images:
    """Clean images in [0, 1] along the first axis, to train with and to measure with."""

    train: Array
    test: Array

    @classmethod
    def taken(cls, train: Array, test: Array, protocol: Protocol) -> Images:
        """Return the images with which a protocol trains and measures, out of all that there are."""
        # Evenly from all: the first ones of a set are often easier.
        stride = max(1, len(test) // protocol.test_images)
        return cls(train, test[::stride][: protocol.test_images])

    @property
    def shape(self) -> Shape:
        """The shape of one image."""
        return tuple(int(side) for side in self.train.shape[1:])


class Trainer:
    """One compiled model that is started afresh for each attempt: tracing it costs as much as 1 000 steps.

    ``target`` and ``noisy`` are the images that it is measured with; ``answers`` is what it gave for the first of them
    when it was measured last.
    """

    def __init__(self, description: ModelDescription, protocol: Protocol, images: Images) -> None:
        import numpy as np

        self._description = description
        self._protocol = protocol
        self._images = images
        self.target = np.asarray(images.test, np.float32)
        noise = np.random.default_rng((protocol.seed, 0)).standard_normal(self.target.shape, np.float32)
        self.noisy = self.target + np.float32(protocol.noise) * noise
        self.answers = np.zeros_like(self.target[:ANSWERS_KEPT])
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
        """Yield the step and the error after each interval on noisy images of one attempt, from fresh weights."""
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
            if done >= protocol.clean_steps:
                yield done + protocol.interval, self._error()

    def _error(self) -> float:
        """Return the mean squared error on the noisy test images; eager, which spares the tracing."""
        import numpy as np

        total = 0.0
        kept: list[Array] = []
        for start in range(0, len(self.noisy), self._evaluation_batch):
            part = slice(start, start + self._evaluation_batch)
            output = np.asarray(self._model(self.noisy[part], training=False), np.float64)
            kept.append(output[: max(0, ANSWERS_KEPT - start)])
            with np.errstate(over="ignore", invalid="ignore"):
                total += float(np.sum((output - self.target[part]) ** 2))
        self.answers = np.concatenate(kept)
        return total / self.target.size
