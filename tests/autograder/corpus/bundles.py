"""Several mistakes in one notebook, each in a question of its own, where each must cost exactly what it costs alone.

A notebook of a bundle holds what many notebooks of one mistake hold, so the whole corpus is run in a few of them. It
also asks more: that mistakes do not cover one another, and that none of them costs twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from corpus.variant import Answer, Edited, Variant, reference_answers

MOST = 7
# What is drawn is told by the images that it shows, so images or noise that are wrong come first.
IMAGES_REACH = ("plot-digits", "reconstructions", "encode", "latent-space", "noisy-images", "denoised-images")
NOISE, NOISE_REACHES = "noisy-images/noise", ("fit-denoiser", "denoised-images", "best-latent-dimension")
# Which later questions a mistake that leaves nothing to build on reaches, even where it does not stop them.
REACHES = {
    "load-data": None,
    "build-encoder": None,
    "build-decoder": None,
    "compile": ("fit", "fit-denoiser", "denoised-images", "best-latent-dimension"),
    "encoder-size": ("autoencoder", "fit", "reconstructions", "encode", "latent-space"),
    "decoder-size": ("autoencoder", "fit", "reconstructions", "encode", "latent-space"),
    "autoencoder": ("fit", "reconstructions", "encode", "latent-space"),
    "encode": ("latent-space",),
    "fit-denoiser": ("denoised-images",),
}


def named(variant: Variant) -> set[str]:
    """Return the checks of which a variant says that they do not pass."""
    return {*variant.fails, *variant.waits, *variant.skips}


def together(variants: Sequence[Variant], name: str = "") -> Variant:
    """Return all mistakes in one notebook; what is expected of it follows from its members.

    Raises ValueError when two of them speak of the same check.
    """
    checks = [check for variant in variants for check in named(variant)]
    twice = {check for check in checks if checks.count(check) > 1}
    if twice:
        raise ValueError(f"{[variant.name for variant in variants]} all speak of {sorted(twice)}")
    return Variant(
        name or " and ".join(variant.name for variant in variants),
        tuple(change for variant in variants for change in variant.changes),
        right=all(variant.right for variant in variants),
        fails={check: how for variant in variants for check, how in variant.fails.items()},
        waits={check: why for variant in variants for check, why in variant.waits.items()},
        skips={check: because for variant in variants for check, because in variant.skips.items()},
        says=tuple(part for variant in variants for part in variant.says),
        mentions=tuple(finding for variant in variants for finding in variant.mentions),
        without=tuple(
            question for question in variants[0].without if all(question in variant.without for variant in variants)
        ),
    )


def bundled(variants: Iterable[Variant], most: int = MOST) -> list[tuple[Variant, ...]]:
    """Share variants out over few notebooks: none touches a question that another one of its notebook touches."""
    bundles: list[tuple[list[Variant], set[str]]] = []
    for variant in variants:
        alone, own = _stays_alone(variant), variant.questions | _reached(variant)
        for members, touched in bundles if not alone else ():
            if len(members) < most and own.isdisjoint(touched):
                members.append(variant)
                touched.update(own)
                break
        else:
            # A notebook that no other one may join is one that touches everything.
            bundles.append(([variant], own | (set(reference_answers()) if alone else set())))
    return [tuple(members) for members, _ in bundles]


def _reached(variant: Variant) -> set[str]:
    """Return the questions that have something else to work with, because of a mistake that stops others."""
    wrong = {check.partition("/")[0] for check in variant.fails or variant.waits}
    stops = not {check.partition("/")[0] for check in (*variant.skips, *variant.waits)} <= wrong
    reached = [REACHES.get(question, ()) for question in wrong] if stops else []
    # The grader trains what was built as it was compiled.
    reached += [("build-encoder", "build-decoder")] if "compile" in wrong else []
    reached += [NOISE_REACHES] if NOISE in variant.fails else []
    reached += [IMAGES_REACH] if "load-data" in wrong else []
    return {other for others in reached for other in (reference_answers() if others is None else others)}


def _stays_alone(variant: Variant) -> bool:
    """Tell whether a variant is more than changed answers, or leaves to others' answers what name or size is meant."""
    if any("latent-dimension-of" in check for check in variant.fails):
        return True
    if any(isinstance(change, Answer) and not change.source for change in variant.changes):
        return True
    edits = any(isinstance(change, Edited) for change in variant.changes)
    return edits or variant.written is not None or variant.suffix != ".ipynb"
