"""The first step of an optimizer without the variables that it keeps for later ones.

A recorded fit takes one step, and making two variables for each weight costs more than all the rest of it. The
usual optimizers begin alike: each weight moves by the learning rate against the sign of its gradient (SGD: by the
rate times the gradient). What an optimizer would refuse, it still refuses itself.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from keras import optimizers

_SIGNED = {optimizers.Adam, optimizers.Nadam, optimizers.Adamax, optimizers.RMSprop}
_PLAIN = {*_SIGNED, optimizers.SGD}
# What changes the first step, or what it needs, beyond the learning rate.
_CHANGES = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "loss_scale_factor", "use_ema", "momentum",
            "gradient_accumulation_steps")  # fmt: skip

Apply = Callable[..., Any]


class FirstSteps:
    """The optimizers that have taken such a step, and for which variables: Keras knows these by what it has built."""

    def __init__(self) -> None:
        self._variables: weakref.WeakKeyDictionary[Any, list[Any]] = weakref.WeakKeyDictionary()

    def apply(self, original: Apply, optimizer: Any, gradients: Sequence[Any], variables: Any) -> Any:
        """Take the first step, or let the optimizer do it where it is not a usual one or would refuse."""
        variables = None if variables is None else list(variables)
        if not self._simple(optimizer, gradients, variables):
            self.settle(optimizer)
            return original(optimizer, gradients, variables)
        rate = tf.cast(optimizer.learning_rate, tf.float32)
        for gradient, variable in zip(gradients, variables, strict=True):
            direction = tf.sign(gradient) if type(optimizer) in _SIGNED else tf.convert_to_tensor(gradient)
            variable.assign_sub(rate * direction)
        self._variables.setdefault(optimizer, variables)
        optimizer.iterations.assign_add(1)
        return None

    def settle(self, optimizer: Any) -> None:
        """Build an optimizer for the variables of its first step, as that would have done."""
        variables = self._variables.pop(optimizer, None)
        if variables is not None and not optimizer.built:
            optimizer.build(variables)

    def _simple(self, optimizer: Any, gradients: Sequence[Any], variables: list[Any] | None) -> bool:
        if type(optimizer) not in _PLAIN or optimizer.built or variables is None:
            return False
        if any(getattr(optimizer, name, None) for name in _CHANGES):
            return False
        known = {id(variable) for variable in self._variables.get(optimizer, variables)}
        if not gradients or any(id(variable) not in known for variable in variables):
            return False
        return all(
            gradient is not None and gradient.dtype == tf.float32 == tf.as_dtype(variable.dtype)
            and variable.constraint is None and not variable.overwrite_with_gradient
            for gradient, variable in zip(gradients, variables, strict=True)
        )  # fmt: skip
