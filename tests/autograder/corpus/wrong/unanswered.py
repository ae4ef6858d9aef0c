"""Each question left blank once: it is not answered, and what rests on it can not be judged, or can all the same."""

from collections.abc import Iterable

from corpus.variant import Answer, Lost, Variant, reference_answers, wrong
from corpus.wrong.encoder import NO_CHAIN, NO_CODES

CHECKS = {
    "load-data": ("training-images", "test-images", "scaling", "channel-axis", "labels"),
    "plot-digits": ("images-of-the-data", "several-images"),
    "build-encoder": (
        "input-shape-of-encoder", "first-convolution", "first-max-pooling", "second-convolution", "second-max-pooling",
        "third-convolution", "flatten-layer", "dense-layer-of-encoder", "latent-dimension-of-encoder",
        "order-of-encoder", "nothing-beyond-encoder",
    ),
    "encoder-size": ("encoder-gives-two-numbers", "encoder-is-built-by-the-function"),
    "build-decoder": (
        "input-shape-of-decoder", "dense-layer-of-decoder", "reshape-layer", "first-transposed-convolution",
        "second-transposed-convolution", "latent-dimension-of-decoder", "order-of-decoder", "nothing-beyond-decoder",
    ),
    "decoder-size": ("decoder-takes-two-numbers", "decoder-is-built-by-the-function"),
    "autoencoder": (
        "autoencoder-is-the-chain", "autoencoder-goes-from-image-to-image", "autoencoder-contains-the-two",
    ),
    "compile": ("loss-compares-pixels", "loss-is-mean-squared-error"),
    "fit": ("training-images-as-input", "the-same-images-as-target", "batch-size", "epochs", "compiled-first"),
    "reconstructions": ("reconstructions",),
    "encode": ("two-values-for-each-image", "codes-of-the-images"),
    "latent-space": ("points-are-the-encoded-images", "colours-follow-the-digits"),
    "noisy-images": ("pairs-of-original-and-noisy", "noise"),
    "fit-denoiser": (
        "noisy-images-as-input", "clean-images-as-target", "fresh-weights", "two-latent-dimensions",
        "batch-size-of-the-denoiser", "epochs-of-the-denoiser",
    ),
    "denoising-error": ("denoising-error",),
    "denoised-images": ("denoised-images", "of-the-test-set"),
    "best-latent-dimension": (
        "at-least-four-dimensions", "one-of-16-or-more", "a-fresh-model-for-each", "trained-from-noisy-to-clean",
        "measured-on-noisy-test-images", "best-latent-dimension",
    ),
}  # fmt: skip


def checks_of(*questions: str) -> tuple[str, ...]:
    """Return the names of all checks of questions."""
    return tuple(f"{question}/{check}" for question in questions for check in CHECKS[question])


# What can not be judged when a question was left blank; the rest passes.
FOLLOWS = {
    "load-data": checks_of(
        "plot-digits", "fit", "reconstructions", "encode", "latent-space", "noisy-images", "fit-denoiser",
        "denoised-images", "best-latent-dimension",
    ),
    "build-encoder": (*checks_of("encoder-size", "denoising-error"), *NO_CHAIN, *NO_CODES),
    "build-decoder": (*checks_of("decoder-size", "denoising-error"), *NO_CHAIN),
    "encoder-size": (*NO_CHAIN[:9], *NO_CODES),
    "decoder-size": NO_CHAIN[:9],
    "autoencoder": NO_CHAIN[3:9],
    "compile": (
        "fit/compiled-first",
        "fit-denoiser/epochs-of-the-denoiser",
        "best-latent-dimension/at-least-four-dimensions",
        "best-latent-dimension/one-of-16-or-more",
        "best-latent-dimension/measured-on-noisy-test-images",
        "best-latent-dimension/best-latent-dimension",
    ),
    "encode": checks_of("latent-space"),
    "fit-denoiser": checks_of("denoised-images"),
}  # fmt: skip


def unanswered(question: str, follows: Iterable[str] = ()) -> Variant:
    """Return a notebook in which one question was left blank."""
    fails = dict.fromkeys(checks_of(question), Lost(says="Not answered."))
    return wrong(
        f"{question} left blank",
        Answer(question, ""),
        fails=fails,
        skips=dict.fromkeys(follows, question),
    )


VARIANTS = [unanswered(question, FOLLOWS.get(question, ())) for question in reference_answers()]
