"""Recording of ``compile``, ``fit``, ``predict``, ``evaluate`` and direct calls, at the class that all models share.

``keras.Model`` gets methods of ours over Keras's own, which stay as they are: Sequential, functional and subclassed
models all pass here. What a notebook itself puts in their place is its own affair.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras.src.optimizers.base_optimizer import BaseOptimizer

from autograder.sandbox.guest import eager, fitting, prediction
from autograder.sandbox.guest.compilation import compilation_record
from autograder.sandbox.guest.errors import error_text
from autograder.sandbox.guest.first_step import FirstSteps
from autograder.sandbox.guest.given import bound
from autograder.sandbox.guest.session import Session

_RECORDS_LIMIT = 400
Method = Callable[..., Any]


def install(session: Session) -> None:
    """Put the recording methods in place."""
    eager.install()
    model = keras.Model
    _wrap(model, "compile", session, _compile)
    _wrap(model, "fit", session, fitting.fit)
    _wrap(model, "train_on_batch", session, fitting.train_on_batch)
    _wrap(model, "predict", session, prediction.predict)
    _wrap(model, "predict_on_batch", session, prediction.predict_on_batch)
    _wrap(model, "evaluate", session, prediction.evaluate)
    _wrap(model, "__call__", session, prediction.call)
    _wrap_optimizer(session)


def _wrap(owner: type, method: str, session: Session, record: Callable[..., Any]) -> None:
    original: Method = getattr(owner, method)

    @functools.wraps(original)
    def recorded(self: Any, *args: Any, **kwargs: Any) -> Any:
        return record(session, original, self, args, kwargs)

    setattr(owner, method, recorded)


def _wrap_optimizer(session: Session) -> None:
    """Spare recorded fits most of their step; notice the variables that a notebook's own training loop changes."""
    original = BaseOptimizer.apply
    first_steps = FirstSteps()

    @functools.wraps(original)
    def apply(self: Any, grads: Any, trainable_variables: Any = None) -> Any:
        if session.depth.step:
            return first_steps.apply(original, self, grads, trainable_variables)
        first_steps.settle(self)
        result = original(self, grads, trainable_variables)
        if not session.depth.fit:
            session.models.mark_trained(
                trainable_variables if trainable_variables is not None else self._trainable_variables
            )
        return result

    BaseOptimizer.apply = apply


def _compile(session: Session, original: Method, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    arguments = bound(original, model, args, kwargs)
    record = compilation_record(
        session.cell, session.models.identities.number(model), kwargs if arguments is None else arguments
    )
    record |= session.probe_fields
    try:
        result = original(model, *args, **kwargs)
    except BaseException as error:
        record["error"] = error_text(error)
        raise
    else:
        session.models.compilations[record["model_identity"]] = record
        return result
    finally:
        session.compilations += 1
        if session.probe:
            session.probe_compilations.append(record)
        if session.compilations <= _RECORDS_LIMIT:
            session.channel.record("compilation", record)
