"""Mistakes in models of the student's own classes: they cost what they cost elsewhere; what is no layer waits."""

from __future__ import annotations

from corpus.right.classes import DECODER, ENCODER
from corpus.variant import Answer, wrong

VARIANTS = [
    wrong(
        "the class of the encoder has 32 filters in the second convolution",
        Answer("build-encoder", ENCODER.replace("Conv2D(16, 2", "Conv2D(32, 2")),
        fails={"build-encoder/second-convolution": None},
    ),
    wrong(
        "the class of the encoder states no shape of its inputs",
        Answer("build-encoder", ENCODER.replace("        self.build((None, 28, 28, 1))\n", "")),
        fails={"build-encoder/input-shape-of-encoder": None},
    ),
    wrong(
        "the class of the decoder ends without activation",
        Answer(
            "build-decoder",
            DECODER.replace(
                'layers.Conv2DTranspose(1, 2, strides=2, padding="same", activation="relu")',
                'layers.Conv2DTranspose(1, 2, strides=2, padding="same")',
            ),
        ),
        fails={"build-decoder/second-transposed-convolution": None},
    ),
]
