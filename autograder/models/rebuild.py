"""Keras models, losses and optimizers that the grader builds itself from descriptions.

Classes come from Keras by the names in our own tables, never by a name that a student wrote.
Keras is imported inside the functions, so that reading a submission does not pay for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from autograder.evidence import Answer, ModelSnapshot, drawn_inputs
from autograder.models.arithmetic import Unbuildable, known_input_shape, weight_shapes
from autograder.models.compilation import OPTIMIZERS, SCHEDULES, Loss, Optimizer
from autograder.models.description import parse
from autograder.models.fields import Field, Shape, Unrecognised, shown
from autograder.models.layers import LAYERS, Layer, ModelDescription

if TYPE_CHECKING:
    import keras
    import numpy as np

_SEEDED_LAYERS = ("Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout2D")
_UNSEEDED_INITIALIZERS = ("Zeros", "Ones", "Constant")
_SEED_RANGE = 2**31 - 1
# Sums of some hundred products in float32 differ in the order of the sum by less than a thousandth of this.
ANSWER_GAP = 1e-3
_KEPT_BODIES, _LARGEST_KEPT = 32, 500_000
_BLOCK = 500
_CALLS_WITHOUT_GRAPH = 25


class WeightsMismatch(Exception):
    """Raised when weights are not those of the configuration that came with them; ``reason`` says how."""

    def __init__(self, reason: str) -> None:
        """Keep the reason, a clause."""
        super().__init__(reason)
        self.reason = reason


def describe(snapshot: ModelSnapshot) -> ModelDescription:
    """Return the layers of a submitted model, after its weights were found to fit them.

    Raises Unrecognised, TooLarge or WeightsMismatch. A model that was never built has no weights yet.
    """
    if snapshot.config is None or snapshot.problem:
        problem = f" ({shown(snapshot.problem)})" if snapshot.problem else ""
        raise Unrecognised(f"the class {shown(snapshot.class_name)} of this model{problem}")
    description = parse(snapshot.config)
    if description.input_shape is not None and (snapshot.built or snapshot.answer is not None):
        _check_shapes(description, snapshot.weight_shapes)
    if snapshot.answer is not None:
        _check_answer(description, snapshot, snapshot.answer)
    # What was never built states no shape: its layers were tried with one that the statement names.
    return description if snapshot.built else replace(description, input_shape=None)


def _check_answer(description: ModelDescription, snapshot: ModelSnapshot, answer: Answer) -> None:
    """Raise Unrecognised unless a model's layers, rebuilt with its weights, compute what the model itself gave."""
    import numpy as np

    if description.input_shape is None or (snapshot.weight_shapes and not snapshot.weights):
        raise Unrecognised("a class of the notebook's own, of which not all could be read")
    model = rebuild(description, weights=snapshot.weights)
    found = np.asarray(model(drawn_inputs(answer.seed, description.input_shape), training=False))
    scale = max(1.0, float(np.abs(found).max(initial=0.0)))
    if found.shape != answer.values.shape or not np.allclose(found, answer.values, rtol=0.0, atol=ANSWER_GAP * scale):
        raise Unrecognised("a class of the notebook's own, which computes something else than the layers in it")


def _check_shapes(description: ModelDescription, found: Sequence[Shape]) -> None:
    try:
        expected = [shape for shapes in weight_shapes(description) for shape in shapes]
    except Unbuildable as error:
        # Keras has built it, and we say that it can not: a person decides who is right.
        kind = error.layer.kind
        raise Unrecognised(f"how a {kind} layer of this model was built ({error.reason})") from error
    if list(found) == expected:
        return
    if len({(layer.kind, layer.name) for layer in description.layers}) < len(description.layers):
        raise Unrecognised("a layer that is used twice")
    if len(found) != len(expected):
        raise WeightsMismatch(_count_reason(len(expected), len(found)))
    first = next(i for i, (one, other) in enumerate(zip(found, expected, strict=True)) if one != other)
    raise WeightsMismatch(f"weights of shape {expected[first]} are expected, and {found[first]} was found")


def _count_reason(expected: int, found: int) -> str:
    return f"its layers have {expected} arrays of weights, and {found} were found"


def submitted(snapshot: ModelSnapshot) -> keras.Sequential:
    """Return a submitted model, rebuilt, with its own weights where they came with it (fresh ones otherwise).

    Raises Unrecognised, TooLarge, WeightsMismatch or Unbuildable.
    """
    description = describe(snapshot)
    return rebuild(description, weights=snapshot.weights if snapshot.weights else None)


def function(
    description: ModelDescription, weights: Sequence[np.ndarray[Any, Any]] | None
) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Return what a described model computes: a function of inputs (n, ...), in any form of the model's input shape.

    A rebuilt model can be changed by who gets it; this can not, so models of equal layers share one that is built
    once, whoever submitted them. Without ``weights`` they are fresh ones. Raises what ``rebuild`` raises.
    """
    if not weights:
        body = _new_body(description)
    else:
        _check_weights(weights, [one for shapes in weight_shapes(description) for one in shapes])
        # The names of layers compute nothing.
        nameless = replace(description, layers=tuple(replace(layer, name="") for layer in description.layers))
        body = (_kept_body if sum(array.size for array in weights) <= _LARGEST_KEPT else _new_body)(nameless)
    return lambda inputs: body.compute(inputs, weights or None)


@dataclass
class _Body:
    """A rebuilt model that takes on the weights of the one whose turn it is."""

    model: keras.Sequential
    _weights: Sequence[np.ndarray[Any, Any]] | None = None
    _calls: int = 0
    _graph: Callable[[np.ndarray[Any, Any]], Any] | None = None

    def compute(
        self, inputs: np.ndarray[Any, Any], weights: Sequence[np.ndarray[Any, Any]] | None
    ) -> np.ndarray[Any, Any]:
        import numpy as np

        if weights is not self._weights:
            assert weights is not None  # a body with fresh weights is nobody else's
            self.model.set_weights(list(weights))
            self._weights = weights
        shape = self.model.input_shape[1:]
        rows = np.asarray(inputs, np.float32)
        blocks = [rows[start : start + _BLOCK].reshape(-1, *shape) for start in range(0, len(rows), _BLOCK)]
        outputs = [np.asarray(self._outputs(block)) for block in blocks]
        return np.concatenate(outputs) if outputs else np.zeros((0, *self.model.output_shape[1:]), np.float32)

    def _outputs(self, block: np.ndarray[Any, Any]) -> Any:
        """Compute one block, as a graph once that pays: tracing costs as much as a dozen calls and spares most of each.

        Both give the same but for the rounding of single precision, far below every tolerance.
        """
        self._calls += 1
        if self._calls == _CALLS_WITHOUT_GRAPH:
            import tensorflow as tf

            signature = [tf.TensorSpec((None, *self.model.input_shape[1:]), tf.float32)]
            self._graph = tf.function(lambda inputs: self.model(inputs, training=False), input_signature=signature)
        return self.model(block, training=False) if self._graph is None else self._graph(block)


def _new_body(description: ModelDescription) -> _Body:
    return _Body(rebuild(description))


_kept_body = lru_cache(maxsize=_KEPT_BODIES)(_new_body)


def rebuild(
    description: ModelDescription,
    input_shape: Shape | None = None,
    weights: Sequence[np.ndarray[Any, Any]] | None = None,
    seed: int | None = None,
) -> keras.Sequential:
    """Return the described model as a built ``keras.Sequential`` of plain layers under the student's names.

    Shapes and sizes are worked out first, so that nothing absurd is built: raises Unbuildable, TooLarge, or
    Unrecognised where no input shape is known. ``weights`` (ordered as ``model.weights``) must fit exactly and
    be finite, else WeightsMismatch. A ``seed`` makes fresh weights, and all noise of layers, repeatable.
    """
    import keras

    shape = known_input_shape(description, input_shape)
    expected = [one for shapes in weight_shapes(description, shape) for one in shapes]
    if weights is not None:
        _check_weights(weights, expected)
    used: set[str] = set()
    layers = []
    for position, layer in enumerate(description.layers):
        try:
            name, seeds = _legal_name(layer, position, used), _Seeds(seed, position)
            layers.append(_layer(layer, name, seeds, fresh=weights is None))
        except (TypeError, ValueError) as error:
            # A combination of known numbers that Keras refuses; the student's own Keras has refused it, too.
            raise Unrecognised(f"a {layer.kind} layer that Keras does not take ({shown(error)})") from error
    try:
        # All at once: adding them one by one builds the whole model anew for each of them.
        model = keras.Sequential([keras.Input(shape), *layers])
    except (TypeError, ValueError) as error:
        raise Unrecognised(f"layers that Keras does not put together ({shown(error)})") from error
    if weights is not None:
        model.set_weights(list(weights))
    return model


def _check_weights(weights: Sequence[np.ndarray[Any, Any]], expected: Sequence[Shape]) -> None:
    import numpy as np

    if len(weights) != len(expected):
        raise WeightsMismatch(_count_reason(len(expected), len(weights)))
    for array, shape in zip(weights, expected, strict=True):
        if tuple(array.shape) != shape:
            found = tuple(array.shape)
            raise WeightsMismatch(f"weights of shape {shape} are expected, and {found} was found")
        if not np.isfinite(array).all():
            raise WeightsMismatch("some weights are not finite numbers")


class _Seeds:
    """Seeds of one layer, different for each of its weights; all None when nothing is to be repeated."""

    def __init__(self, seed: int | None, position: int) -> None:
        self._seed = seed
        self._position = position
        self._count = 0

    def next(self) -> int | None:
        if self._seed is None:
            return None
        import numpy as np

        self._count += 1
        sequence = np.random.SeedSequence((self._seed, self._position, self._count))
        return int(sequence.generate_state(1)[0]) % _SEED_RANGE


def _legal_name(layer: Layer, position: int, used: set[str]) -> str:
    """Return the student's name where Keras and TensorFlow take it and it is free, else one of ours."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", layer.name)[:100]
    if not re.match(r"[A-Za-z0-9.]", name):
        name = f"{layer.kind.lower()}_{position}"
    while name in used:
        name = f"{name}_{position}"
    used.add(name)
    return name


def _layer(layer: Layer, name: str, seeds: _Seeds, fresh: bool) -> keras.Layer:
    import keras

    if layer.kind not in LAYERS:
        raise Unrecognised(f"a {shown(layer.kind)} layer")
    arguments: dict[str, Any] = {}
    for key, value in layer.fields.items():
        if key.endswith("_initializer"):
            # Weights that are replaced at once need no random start.
            arguments[key] = _initializer(value, seeds) if fresh else "zeros"
        elif key.endswith("_regularizer"):
            arguments[key] = None if value is None else _plain(keras.regularizers, value)
        else:
            arguments[key] = list(value) if key == "axis" and isinstance(value, tuple) else value
    if layer.kind in _SEEDED_LAYERS:
        arguments["seed"] = seeds.next()
    built: keras.Layer = getattr(keras.layers, layer.kind)(**arguments, name=name)
    if not layer.trainable:
        built.trainable = False
    return built


def _initializer(value: tuple[Field, ...], seeds: _Seeds) -> Any:
    import keras

    seeded = value[0] not in _UNSEEDED_INITIALIZERS
    return _plain(keras.initializers, value, **({"seed": seeds.next()} if seeded else {}))


def _plain(module: Any, value: tuple[Field, ...], **more: Any) -> Any:
    """Return what ``(class name, (field, value), ...)`` stands for; the parser has checked it by its tables."""
    name, *fields = value
    return getattr(module, name)(**dict(fields), **more)


_LOSS_FIELDS = ("reduction", "from_logits", "axis", "label_smoothing", "delta")
_LOSS_CLASSES = {
    "mean_squared_error": "MeanSquaredError",
    "mean_absolute_error": "MeanAbsoluteError",
    "huber": "Huber",
    "log_cosh": "LogCosh",
    "binary_crossentropy": "BinaryCrossentropy",
}


def rebuild_loss(loss: Loss) -> keras.Loss | None:
    """Return a Keras loss of the kind that compares images; None for any other one."""
    import keras

    if loss.name not in _LOSS_CLASSES or any(key not in _LOSS_FIELDS for key, _ in loss.fields):
        return None
    try:
        built: keras.Loss = getattr(keras.losses, _LOSS_CLASSES[loss.name])(**dict(loss.fields))
    except (TypeError, ValueError):
        return None
    return built


def rebuild_optimizer(optimizer: Optimizer) -> keras.Optimizer | None:
    """Return a fresh Keras optimizer; None where Keras does not take its numbers."""
    import keras

    if optimizer.name not in OPTIMIZERS:
        return None
    fields = dict(optimizer.fields)
    rate = fields.get("learning_rate")
    try:
        if isinstance(rate, tuple):
            if rate[0] not in SCHEDULES:
                return None
            lists = {key: list(v) if isinstance(v, tuple) else v for key, v in rate[1:]}
            fields["learning_rate"] = getattr(keras.optimizers.schedules, rate[0])(**lists)
        built: keras.Optimizer = getattr(keras.optimizers, optimizer.name)(**fields)
    except (TypeError, ValueError):
        return None
    return built
