"""Two mistakes at once, in different questions: each costs what it costs alone, and nothing more."""

from collections.abc import Mapping
from dataclasses import replace

from corpus.bundles import together
from corpus.variant import Variant
from corpus.wrong import comparison, data, decoder, drawings, encoder, models, students, training

ALONE = {
    variant.name: variant
    for module in (comparison, data, decoder, drawings, encoder, models, students, training)
    for variant in module.VARIANTS
}


def pair(first: str, second: str, waits: Mapping[str, str] | None = None) -> Variant:
    """Return both mistakes in one notebook; what is expected follows from the two, but for what ``waits`` as well."""
    both = together((ALONE[first], ALONE[second]))
    return replace(both, waits={**both.waits, **(waits or {})})


VARIANTS = [
    pair("pixels from 0 to 255", "encoder, 16 filters become 32"),
    pair("pixels from -1 to 1", "fit, labels as target"),
    pair("training labels out of order", "map, one colour"),
    pair("no channel axis", "pairs, of different images"),
    pair("one digit drawn", "noise, plus for times"),
    pair("encoder, a third max-pooling", "decoder, last sigmoid", encoder.SLOW),
    pair("encoder, latent dimension 2 whatever it is told", "comparison, evaluates the denoiser each time"),
    pair("encoder, code without tanh", "codes, random numbers"),
    pair("encoder, no second relu", "denoiser, a new model around the trained encoder"),
    pair("decoder, first 16 filters", "compile, mean absolute error"),
    pair("decoder, input of two values whatever it is told", "comparison, best, 64, which was not compared"),
    pair("decoder, last 3 filters", "fit, batch size 64"),
    pair("chain of new models", "denoiser, clean input"),
    pair("compile, categorical cross-entropy", "denoised, training images"),
    pair("compile, binary cross-entropy", "comparison, three dimensions"),
    pair("fit, 10 epochs", "reconstructions, the originals alone"),
    pair("fit, labels as target", "denoiser, noisy target"),
    pair("noise, too little", "denoiser, two epochs"),
    pair("map, 8 and 9 in one colour", "denoised, beside other noisy images"),
    pair("Keras 2, lr for learning_rate", "encoder, no second max-pooling"),
]
