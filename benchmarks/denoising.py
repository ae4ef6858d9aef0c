"""Measure how often the grader's own training (question 15) errs, and write the figures to docs/calibration.md.

    python benchmarks/denoising.py               20 seeds a design, some 15 minutes
    python benchmarks/denoising.py --seeds 3     a quick look, nothing is written

Each seed is a measurement as in grading (``models/training.py``, the protocol of ``calibration.json``) with other
fresh weights, other noise and other batches. Nothing is taken from, or put into, a cache.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import page

from autograder import datasets
from autograder.models.description import ModelDescription, parse
from autograder.models.training import Protocol, TrainingResult, measure, use_one_thread

COURSE = Path(__file__).resolve().parent.parent
PAGE = COURSE / "docs" / "calibration.md"
SEEDS = 20


def design(
    padding: str = "valid", latent: int = 2, poolings: int = 2, strides: int = 2, tanh: bool = True, blank: bool = False
) -> ModelDescription:
    """Return the statement's autoencoder with some differences; ``blank``: its decoder can not use the code."""
    import keras
    from keras import layers

    parts: list[Any] = [keras.Input((28, 28, 1))]
    for number, filters in enumerate((8, 16, 32)):
        parts.append(layers.Conv2D(filters, 2, padding=padding, activation="relu"))
        if number < poolings:
            parts.append(layers.MaxPooling2D(2))
    parts += [layers.Flatten(), layers.Dense(latent, activation="tanh" if tanh else None)]
    if blank:
        parts.append(layers.Rescaling(0.0))
    side = 28 // strides**2
    parts += [layers.Dense(side * side * 8, activation="tanh"), layers.Reshape((side, side, 8))]
    for filters in (8, 1):
        parts.append(layers.Conv2DTranspose(filters, 2, strides=strides, padding="same", activation="relu"))
    model = keras.Sequential(parts)
    return parse(json.loads(json.dumps({"class_name": "Sequential", "config": model.get_config()})))


DESIGNS: dict[str, tuple[str, Callable[[], ModelDescription]]] = {
    "the statement's, valid padding": ("passes", design),
    "the statement's, same padding": ("passes", lambda: design("same")),
    "one max-pooling more, valid padding": ("passes", lambda: design(poolings=3)),
    "one max-pooling more, same padding": ("passes", lambda: design("same", poolings=3)),
    "no tanh on the code": ("passes", lambda: design(tanh=False)),
    "latent dimension 32": ("passes", lambda: design(latent=32)),
    "a code that does not reach the decoder": ("falls", lambda: design(blank=True)),
}


def measured(description: ModelDescription, seeds: int) -> list[TrainingResult]:
    """Return the measurement of a design for each seed."""
    protocol = Protocol.read(COURSE / "tests" / "autoencoders" / "calibration.json")
    data = datasets.load(COURSE / "data", "mnist")
    train, test = (np.divide(data[name][..., None], np.float32(255), dtype="float32") for name in ("x_train", "x_test"))
    results = []
    for seed in range(seeds):
        changed = dataclasses.replace(protocol, seed=protocol.seed + 1 + seed)
        results.append(measure(description, None, changed, train, test))
        print(f"  seed {seed}: {results[-1].status} with {results[-1].attempts} attempts", file=sys.stderr, flush=True)
    return results


def row(name: str, expected: str, results: list[TrainingResult]) -> str:
    """Return one line of the table."""
    passed = sum(result.status == "passed" for result in results)
    attempts = statistics.mean(result.attempts for result in results)
    steps = statistics.mean(result.steps for result in results)
    seconds = statistics.median(result.cpu_seconds for result in results)
    errors = [result.error for result in results if result.error is not None]
    return (
        f"| {name} | {expected} | {passed} of {len(results)} | {attempts:.2f} (at most "
        f"{max(result.attempts for result in results)}) | {steps:.0f} | {min(errors):.4f} to {max(errors):.4f} | "
        f"{seconds:.1f} |"
    )


def main() -> None:
    """Measure all designs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many measurements a design (default {SEEDS})")
    seeds = parser.parse_args().seeds
    use_one_thread()
    lines = [
        "| design | should | passed | attempts, mean | steps, mean | error when it ended | CPU-s, median |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (expected, make) in DESIGNS.items():
        print(name, file=sys.stderr, flush=True)
        # What falls needs all its attempts every time: a few of those say as much.
        lines.append(row(name, expected, measured(make(), seeds if expected == "passes" else min(seeds, 3))))
    print("\n".join(lines))
    if seeds == SEEDS:
        page.put(PAGE, "\n".join(lines))


if __name__ == "__main__":
    main()
