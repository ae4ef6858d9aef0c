"""The same thing, spelled differently."""

from corpus.variant import Replaced, right

VARIANTS = [
    right("the loss is written out", Replaced("compile", 'loss="mse"', 'loss="mean_squared_error"')),
]
