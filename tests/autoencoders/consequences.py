"""One mistake costs once: what to say when a cell left nothing to judge, by its own fault or an earlier question's."""

from __future__ import annotations

import re
from typing import NoReturn

from autograder.checks import fail, review, skip
from autograder.checks.submitted import Submitted
from autograder.evidence import ENDED, Compilation
from autograder.models.compilation import normalise_loss

IMAGE = [28, 28, 1]

# The bound is the grader's: the same cell may run on the student's machine.
OUT_OF_MEMORY = ("MemoryError", "_ArrayMemoryError", "ResourceExhaustedError")

# A model that is compiled with one of these can not learn images, whatever is right about the rest.
LOSSES_THAT_DO_NOT_TRAIN = ("classification", "missing", "unknown")

# Which question provides a name of the statement.
PROVIDERS = {
    "X_train": "load-data",
    "y_train": "load-data",
    "X_test": "load-data",
    "y_test": "load-data",
    "X_train_noisy": "load-data",
    "X_test_noisy": "load-data",
    "build_encoder": "build-encoder",
    "encoder": "encoder-size",
    "build_decoder": "build-decoder",
    "decoder": "decoder-size",
    "autoencoder": "autoencoder",
    "compile_autoencoder": "compile",
    "X_encoded": "encode",
    "denoiser": "fit-denoiser",
}
# What a question needs, the earliest first.
NEEDS = {
    "plot-digits": ("load-data",),
    "fit": ("load-data", "build-encoder", "encoder-size", "build-decoder", "decoder-size", "autoencoder", "compile"),
    "reconstructions": ("load-data", "build-encoder", "encoder-size", "build-decoder", "decoder-size", "autoencoder"),
    "encode": ("load-data", "build-encoder", "encoder-size"),
    "latent-space": ("load-data", "build-encoder", "encoder-size", "encode"),
    "noisy-images": ("load-data",),
    "fit-denoiser": ("load-data", "build-encoder", "build-decoder", "compile"),
    "denoised-images": ("load-data", "build-encoder", "build-decoder", "fit-denoiser"),
    "best-latent-dimension": ("load-data", "build-encoder", "build-decoder", "compile"),
}


def nothing_to_judge(submitted: Submitted, question: str, missing: str) -> NoReturn:
    """End the check, because ``missing`` ("no figure was drawn"): not answered, skipped, failed, or for a person."""
    if submitted.blank(question):
        submitted.unanswered(question)
    error = submitted.cell_error(question)
    if error is not None and error.type == ENDED:
        fail(f"Your cell did not come to its end ({_short(error.message)}), so {missing}.")
    if error is not None:
        name = _undefined_name(error.message) if error.type == "NameError" else ""
        module = submitted.import_left_out(name)
        if module is not None:
            review(f"Your cell needs {module}, which is not installed here, so {missing}. A person will look at it.")
        earlier = _cause(submitted, question, error.type, error.message)
        if earlier is not None:
            skip(f"Your cell stopped with {error.type}, because of an earlier question.", because=earlier)
        if submitted.bound_below(question, name):
            review(
                f"Your cell uses {name}, which a later cell defines: run from top to bottom, it stops, and {missing}."
            )
        if error.type in OUT_OF_MEMORY:
            review(f"Your cell needs more memory than the grader gives, so {missing}. A person will look at it.")
        fail(f"Your cell stopped with {error.type} ({_short(error.message)}), so {missing}.")
    outcomes = {cell.index: cell.status for cell in submitted.evidence.cells}
    # The visible check below an answer stops where there is nothing to judge: that says nothing of the answer's cell.
    own = [cell.index for cell in submitted.cells if cell.question == question and cell.kind in ("answer", "other")]
    if any(outcomes.get(index, "skipped") != "ok" for index in own):
        review(f"Your cell did not run to its end, so {missing}.")
    fail(f"{missing[:1].upper()}{missing[1:]} in this cell.")


def _cause(submitted: Submitted, question: str, error_type: str, message: str) -> str | None:
    """Return the earlier question to which an error goes back, None when it is the cell's own."""
    name = _undefined_name(message) if error_type == "NameError" else ""
    if name and _is_written(submitted, question, name):
        provider = PROVIDERS.get(name)
        known = provider is not None and provider != question
        return provider if known and _is_left_undefined(submitted, provider, name) else None
    return broken_before(submitted, question)


def _is_written(submitted: Submitted, question: str, name: str) -> bool:
    """Tell whether a question's own cells use a name; otherwise a function of an earlier question does."""
    source = "\n".join(cell.source for cell in submitted.cells if cell.question == question)
    return re.search(rf"\b{re.escape(name)}\b", source) is not None


def _is_left_undefined(submitted: Submitted, provider: str, name: str) -> bool:
    """Tell whether the question that provides a name is at fault when a later cell does not find it."""
    labels = name in ("y_train", "y_test") and submitted.value("load-data", name).kind != "array"
    stopped = submitted.blank(provider) or submitted.cell_error(provider) is not None
    return labels or stopped or broken(submitted, provider)


def broken_before(submitted: Submitted, question: str) -> str | None:
    """Return the earliest question whose broken answer a question rests on, None when all are usable."""
    return next((earlier for earlier in NEEDS[question] if broken(submitted, earlier)), None)


def _undefined_name(message: str) -> str:
    name = re.search(r"name '(\w+)' is not defined", message)
    return name.group(1) if name else ""


def broken(submitted: Submitted, question: str) -> bool:
    """Tell whether later cells can not build on what a question was to provide; not whether it is right in detail."""
    match question:
        case "load-data":
            return not all(_images_fit(submitted, name) for name in ("X_train", "X_test"))
        case "build-encoder" | "build-decoder":
            return not all(_builds(submitted, question, label) for label in ("latent-2", "drawn-1"))
        case "encoder-size":
            return not _fits(submitted, question, "encoder", IMAGE, [2])
        case "decoder-size":
            return not _fits(submitted, question, "decoder", [2], IMAGE)
        case "autoencoder":
            return not _fits(submitted, question, "autoencoder", IMAGE, IMAGE)
        case "fit-denoiser":
            return not _fits(submitted, question, "denoiser", IMAGE, IMAGE)
        case "compile":
            value = submitted.value("compile", "compile")
            if value.kind in ("missing", "error") or not value.compilations:
                return True
            last = value.compilations[-1]
            useless = normalise_loss(last.loss).category in LOSSES_THAT_DO_NOT_TRAIN
            return useless or compiles_another_model(submitted, last)
        case "encode":
            value = submitted.value("encode", "X_encoded")
            return value.kind != "array" or list(submitted.array(value).shape[1:]) != [2]
    return False


def compiles_another_model(submitted: Submitted, compilation: Compilation) -> bool:
    """Tell whether the function of question 8 compiled a model of the notebook instead of the one that it was given."""
    evidence = submitted.evidence
    others = {value.model for value in evidence.values if value.question != "compile"} - {None}
    used = others | {fit.model for fit in evidence.fits} | {one.model for one in evidence.predictions}
    identities = {evidence.models[position].identity for position in used if position is not None}
    return compilation.model_identity in identities


def _images_fit(submitted: Submitted, name: str) -> bool:
    value = submitted.value("load-data", name)
    return value.kind == "array" and list(submitted.array(value).shape[1:]) == IMAGE


def _fits(submitted: Submitted, question: str, label: str, inputs: list[int], outputs: list[int]) -> bool:
    value = submitted.value(question, label)
    if value.kind != "model":
        return False
    snapshot = submitted.model(value).snapshot
    return without_batch(snapshot.input_shape) == inputs and without_batch(snapshot.output_shape) == outputs


def _builds(submitted: Submitted, question: str, label: str) -> bool:
    value = submitted.value(question, label)
    if value.kind != "model":
        return False
    dimension = (value.arguments or [2])[0] if isinstance(value.arguments, list) else 2
    inputs, outputs = (IMAGE, [dimension]) if question == "build-encoder" else ([dimension], IMAGE)
    snapshot = submitted.model(value).snapshot
    return without_batch(snapshot.input_shape) == inputs and without_batch(snapshot.output_shape) == outputs


def without_batch(shape: object) -> list[int] | None:
    """Return a recorded shape without its batch axis, None when it is no single shape."""
    if not isinstance(shape, list) or not shape or not all(side is None or type(side) is int for side in shape):
        return None
    return shape[1:]


def _short(text: str) -> str:
    return " ".join(text.split())[:160]
