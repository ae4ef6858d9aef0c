"""How a model is compiled: the recorded loss and optimizer, as names that the grader knows.

Read from ``evidence.Compilation``: text of a student's process, never looked up by name in Keras.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autograder.models.fields import Field, shown

LossCategory = Literal[
    "mean_squared_error", "reconstruction", "classification", "other", "custom", "unknown", "missing"
]


@dataclass(frozen=True)
class Loss:
    """A loss: its canonical Keras name (None where Keras has no such loss), its use, its name for a person.

    ``fields`` are the numbers of a loss object that differ from Keras's defaults, ``(("delta", 0.5),)``.
    """

    name: str | None
    category: LossCategory
    text: str
    fields: tuple[tuple[str, Field], ...] = ()


@dataclass(frozen=True)
class Optimizer:
    """An optimizer that the grader can rebuild: its Keras class and fields.

    ``learning_rate`` is a number, or a schedule ``("ExponentialDecay", (field, value), ...)``.
    """

    name: str
    fields: tuple[tuple[str, Field], ...] = ()


REFERENCE_LOSS = Loss("mean_squared_error", "mean_squared_error", "mean squared error")
# With Keras's own learning rate, 0.001.
REFERENCE_OPTIMIZER = Optimizer("Adam")

_RECONSTRUCTION = ("mean_absolute_error", "huber", "log_cosh", "binary_crossentropy")
_CLASSIFICATION = (
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "categorical_focal_crossentropy",
    "binary_focal_crossentropy",
    "hinge",
    "squared_hinge",
    "categorical_hinge",
    "poisson",
    "kl_divergence",
)
_OTHER = (
    "mean_absolute_percentage_error",
    "mean_squared_logarithmic_error",
    "cosine_similarity",
    "dice",
    "tversky",
    "circle",
    "ctc",
)
_CLASSES = {
    "KLDivergence": "kl_divergence",
    "CTC": "ctc",
    "LogCosh": "log_cosh",
    **{
        "".join(part.capitalize() for part in name.split("_")): name
        for name in ("mean_squared_error", *_RECONSTRUCTION, *_CLASSIFICATION, *_OTHER)
    },
}
_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
}
# The short names exist in these two spellings only.
_NAMES = {
    **{name: name for name in _CLASSES.values()},
    **_CLASSES,
    **_ALIASES,
    **{short.upper(): name for short, name in _ALIASES.items()},
}
_FUNCTION_MODULES = ("keras.losses", "keras.src.losses", "keras.metrics", "keras.src.metrics")


def normalise_loss(loss: Any) -> Loss:
    """Return what the recorded ``loss`` argument of ``compile`` is; never raises.

    One name for ``"mse"``, ``"MSE"``, ``"mean_squared_error"``, ``keras.losses.MeanSquaredError()`` and the
    function, alone or as the only member of a list or dictionary.
    """
    loss = _only_member(loss)
    if loss is None:
        return Loss(None, "missing", "no loss")
    if isinstance(loss, str):
        name = _NAMES.get(loss)
        return _named(name) if name else Loss(None, "unknown", f"'{shown(loss)}', which Keras does not know")
    if isinstance(loss, list):
        return Loss(None, "custom", "several losses")
    if isinstance(loss, dict):
        return _described(loss)
    return Loss(None, "custom", shown(type(loss).__name__))


_SERIALISED = {"other", "function", "class_name"}


def _only_member(loss: Any) -> Any:
    for _ in range(3):
        if isinstance(loss, list) and len(loss) == 1:
            loss = loss[0]
        elif isinstance(loss, dict) and len(loss) == 1 and not set(loss) & _SERIALISED:
            loss = next(iter(loss.values()))
    return loss


def _named(name: str, fields: tuple[tuple[str, Field], ...] = ()) -> Loss:
    category: LossCategory = "other"
    if name == "mean_squared_error":
        category = "mean_squared_error"
    elif name in _RECONSTRUCTION:
        category = "reconstruction"
    elif name in _CLASSIFICATION:
        category = "classification"
    return Loss(name, category, name.replace("_", " "), fields)


def _described(loss: dict[str, Any]) -> Loss:
    module = str(loss.get("module", ""))
    if "function" in loss or loss.get("class_name") == "function":
        called = loss.get("function", loss.get("config"))
        name = _NAMES.get(called) if isinstance(called, str) else None
        # A function of the same name from anywhere else may compute anything.
        if name is not None and any(f"{module}.".startswith(f"{known}.") for known in _FUNCTION_MODULES):
            return _named(name)
        return Loss(None, "custom", f"the function {shown(called)}")
    class_name = loss.get("class_name")
    if module == "keras.losses" and loss.get("registered_name") is None and isinstance(class_name, str):
        fields = _loss_fields(loss.get("config"))
        if class_name in _CLASSES and fields is not None:
            return _named(_CLASSES[class_name], fields)
    if class_name is None and not set(loss) & {"other", "module"}:
        return Loss(None, "custom", "several losses")
    return Loss(None, "custom", shown(class_name or loss.get("other") or "an object"))


_LOSS_DEFAULTS: Mapping[str, Any] = {
    "reduction": "sum_over_batch_size",
    "from_logits": False,
    "axis": -1,
    "label_smoothing": 0.0,
    "ignore_class": None,
    "delta": 1.0,
    "dtype": "float32",
}


def _loss_fields(config: Any) -> tuple[tuple[str, Field], ...] | None:
    """Return what differs from the defaults; None where a field is not plain."""
    if not isinstance(config, dict):
        return None
    fields = []
    for key, value in sorted(config.items()):
        plain = value is None or isinstance(value, (str, bool, int)) or _is_finite(value)
        if key == "dtype" and isinstance(value, dict):
            continue
        if not plain:
            return None
        if key != "name" and _LOSS_DEFAULTS.get(key) != value:
            fields.append((shown(key), value if not isinstance(value, str) else shown(value)))
    return tuple(fields)


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


# fmt: off
_COMMON: Mapping[str, Any] = {
    "learning_rate": 0.001, "weight_decay": None, "gradient_accumulation_steps": None,
    "clipnorm": None, "global_clipnorm": None, "clipvalue": None,
    "use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None,
}
# fmt: on
_ADAM: Mapping[str, Any] = {**_COMMON, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
# Every optimizer that is rebuilt, with the fields that it may carry and Keras's defaults.
OPTIMIZERS: Mapping[str, Mapping[str, Any]] = {
    "Adadelta": {**_COMMON, "rho": 0.95, "epsilon": 1e-7},
    "Adagrad": {**_COMMON, "initial_accumulator_value": 0.1, "epsilon": 1e-7},
    "Adam": {**_ADAM, "amsgrad": False},
    "Adamax": _ADAM,
    "AdamW": {**_ADAM, "amsgrad": False, "weight_decay": 0.004},
    "Lion": {**_COMMON, "beta_1": 0.9, "beta_2": 0.99},
    "Nadam": _ADAM,
    "RMSprop": {**_COMMON, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False},
    "SGD": {**_COMMON, "learning_rate": 0.01, "momentum": 0.0, "nesterov": False},
}
_START = "initial_learning_rate"
SCHEDULES: Mapping[str, frozenset[str]] = {
    "CosineDecay": frozenset((_START, "decay_steps", "alpha", "warmup_target", "warmup_steps")),
    "CosineDecayRestarts": frozenset((_START, "first_decay_steps", "t_mul", "m_mul", "alpha")),
    "ExponentialDecay": frozenset((_START, "decay_steps", "decay_rate", "staircase")),
    "InverseTimeDecay": frozenset((_START, "decay_steps", "decay_rate", "staircase")),
    "PiecewiseConstantDecay": frozenset(("boundaries", "values")),
    "PolynomialDecay": frozenset((_START, "decay_steps", "end_learning_rate", "power", "cycle")),
}
_BY_NAME = {name.lower(): name for name in OPTIMIZERS}


def parse_optimizer(optimizer: Any) -> Optimizer | None:
    """Return the recorded ``optimizer`` argument of ``compile``; None where the grader can not rebuild it.

    Fields that have Keras's default are left out, so that ``"adam"`` and ``Adam(1e-3)`` are equal.
    """
    if isinstance(optimizer, str):
        name = _BY_NAME.get(optimizer.lower())
        return Optimizer(name) if name else None
    if not isinstance(optimizer, dict) or not _is_keras(optimizer, "keras.optimizers"):
        return None
    name, config = str(optimizer.get("class_name")), optimizer.get("config")
    if name not in OPTIMIZERS or not isinstance(config, dict) or "learning_rate" not in config:
        return None
    rate = config["learning_rate"]
    config = {**config, "learning_rate": _schedule(rate) if isinstance(rate, dict) else _rate(rate)}
    # Scaling of the loss is for half precision only.
    if config["learning_rate"] is None or config.pop("loss_scale_factor", None) is not None:
        return None
    # Averaged weights are put in place at the end of a fit: the measurement in between would be another one.
    if config.get("use_ema") is not False:
        return None
    fields = _plain_fields(config, OPTIMIZERS[name])
    return Optimizer(name, fields) if fields is not None else None


def _is_keras(value: dict[str, Any], module: str) -> bool:
    return value.get("module") == module and value.get("registered_name") is None


def _rate(value: Any) -> float | None:
    """Return a learning rate, which Keras keeps in float32, as it was written: 0.001 for 0.0010000000475."""
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= 1e6:
        return None
    return float(f"{value:.6g}")


def _schedule(value: dict[str, Any]) -> tuple[Field, ...] | None:
    name, config = str(value.get("class_name")), value.get("config")
    if not _is_keras(value, "keras.optimizers.schedules"):
        return None
    if name not in SCHEDULES or not isinstance(config, dict):
        return None
    fields = _plain_fields(config, dict.fromkeys(SCHEDULES[name], _NO_DEFAULT))
    return (name, *fields) if fields is not None else None


_NO_DEFAULT = object()


def _plain_fields(config: dict[str, Any], defaults: Mapping[str, Any]) -> tuple[tuple[str, Field], ...] | None:
    """Return the fields that differ from the defaults; None where one is not known or not plain."""
    fields: list[tuple[str, Field]] = []
    for key, value in sorted(config.items()):
        if key == "name":
            continue
        if key not in defaults or not (isinstance(value, tuple) or _is_plain(value)):
            return None
        if value != defaults[key] or type(value) is not type(defaults[key]):
            fields.append((key, tuple(value) if isinstance(value, list) else value))
    return tuple(fields)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= 100 and all(type(item) in (int, float) and _is_plain(item) for item in value)
    if isinstance(value, bool) or value is None:
        return True
    return isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= 1e12
