"""The encoder, with one number, order or layer changed."""

from corpus.variant import Replaced, wrong

VARIANTS = [
    wrong(
        "the second convolution has 32 filters",
        Replaced("build-encoder", "layers.Conv2D(16,", "layers.Conv2D(32,"),
        fails={"build-encoder/second-convolution": None},
    ),
]
