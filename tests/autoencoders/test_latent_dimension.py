"""Question 17 (best-latent-dimension): a comparison as asked, and a best one that fits the student's own errors."""

import math

import pytest
from consequences import broken, nothing_to_judge
from fitting import LABELS, adds_noise, latent_dimension
from recognition import TRAINING_IMAGES, holds_part, is_own, own_count, pair
from sweep import (
    QUESTION,
    identities,
    measured_data,
    ran_with_stand_ins,
    read_dimension,
    read_error,
    sweep,
    trained_data,
)

from autograder.checks import fail, note, review, show, skip
from autograder.report.model import LARGEST, Curve

WIDE = 16
NARROW = 6


@pytest.fixture(scope="module")
def comparison(submitted):
    """The recorded comparison; ends the check when there is none."""
    found = sweep(submitted)
    if ran_with_stand_ins(submitted):
        note("Your builders are graded above; here others were put in their place, so that the comparison could run.")
    if not found.errors and not found.fits:
        _blame_builders(submitted)
        nothing_to_judge(submitted, QUESTION, "no dimensions were compared")
    show(lambda: measured_curve(found))
    return found


def measured_curve(found):
    """The errors by latent dimension, where models were trained: those of recorded fits say nothing."""
    points = sorted((dimension, error) for dimension, error in found.errors.items() if abs(error) < LARGEST)
    if len(points) < 2 or not found.fits or not all(one.performed and not one.error for one in found.fits):
        return None
    return Curve(question=QUESTION, title="Denoising error by latent dimension", x_label="latent dimension",
                 y_label="mean squared error", points=tuple(points)[:100])  # fmt: skip


@pytest.fixture(scope="module")
def dimensions(submitted, comparison):
    """The dimensions that were compared: the keys of latent_errors, or those of the models that were fitted."""
    if comparison.errors:
        return sorted(comparison.errors)
    if submitted.value(QUESTION, "errors").kind == "missing":
        _blame_builders(submitted)
    found = {latent_dimension(submitted.model(one.model).snapshot) for one in comparison.fits} - {None}
    note("latent_errors could not be read; the models that were fitted were counted instead.")
    return sorted(found)


def _blame_builders(submitted):
    """Skip when the comparison stopped because a builder or the compilation does not do for other dimensions.

    Such a comparison was run again with working models in place of the builder's; then it is judged by that.
    """
    if submitted.cell_error(QUESTION) is None or ran_with_stand_ins(submitted):
        return
    for earlier in ("load-data", "build-encoder", "build-decoder", "compile"):
        if broken(submitted, earlier):
            skip("The comparison stopped because of an earlier question.", because=earlier)


@pytest.mark.question(QUESTION, weight=0.75)
def test_at_least_four_dimensions(submitted, dimensions):
    """At least four values of latent_dimension are compared."""
    errors = submitted.value(QUESTION, "errors")
    if errors.matched == "alias":
        note(f"There is no dictionary named latent_errors; {errors.name} was graded in its place.")
    if len(dimensions) < 4:
        _blame_builders(submitted)
    listed = ", ".join(map(str, dimensions))
    assert len(dimensions) >= 4, f"At least four dimensions should be compared; found: {listed}."


@pytest.mark.question(QUESTION, weight=0.75)
def test_one_of_16_or_more(submitted, dimensions):
    """One of the compared dimensions is 16 or more."""
    if max(dimensions, default=0) < WIDE:
        _blame_builders(submitted)
    assert dimensions, "No dimension was found."
    assert max(dimensions) >= WIDE, f"One of the dimensions should be 16 or more; the largest is {max(dimensions)}."


@pytest.mark.question(QUESTION, weight=1)
def test_a_fresh_model_for_each(submitted, comparison, dimensions):
    """Each dimension has a model of its own, which starts from fresh weights."""
    fitted = identities(submitted, comparison.fits)
    if not fitted:
        _no_fits(submitted)
    if len(dimensions) > 1 and len(fitted) == 1:
        fail("The same model is fitted for every dimension; build a fresh one for each.", finding="weights-not-fresh")
    _check_measured_models(submitted, comparison, dimensions)
    _check_fresh(submitted, comparison)
    latent = {latent_dimension(submitted.model(one.model).snapshot) for one in comparison.fits} - {None}
    if len(dimensions) > 1 and len(latent) == 1:
        if any(broken(submitted, earlier) for earlier in ("build-encoder", "build-decoder")):
            note("All models have the same latent dimension because of the builders, which were graded before.")
            return
        fail(f"All models that are fitted have the latent dimension {latent.pop()}; build one for each dimension.")
    # The denoiser of question 14 may stand for one of the dimensions.
    if len(fitted) < len(dimensions) - 1:
        review(f"{len(dimensions)} dimensions are compared, but {len(fitted)} models were fitted. A person will look.")


def _no_fits(submitted):
    _blame_builders(submitted)
    source = "\n".join(cell.source for cell in submitted.cells if cell.question == QUESTION)
    if any(word in source for word in ("GradientTape", "train_on_batch")):
        review("The models are trained by a loop of its own instead of fit. A person will look at it.")
    if submitted.cell_error(QUESTION):
        nothing_to_judge(submitted, QUESTION, "no model was fitted")
    fail("No model is fitted for this comparison.")


def _check_measured_models(submitted, comparison, dimensions):
    """End the check when one and the same model was measured for several dimensions."""
    measured = _counted(comparison)
    models = identities(submitted, measured)
    if len(measured) < len(dimensions) or len(models) >= len(dimensions):
        return
    if len(models) == 1 < len(dimensions):
        fail("The same model is measured for every dimension, so that the errors say nothing about the dimensions.",
             finding="one-model-evaluated")  # fmt: skip
    review("Fewer models were measured than dimensions compared. A person will look at it.")


def _check_fresh(submitted, comparison):
    """End the check when a model that is fitted first shares variables with one that was trained before."""
    seen = set()
    for one in comparison.fits:
        snapshot = submitted.model(one.model).snapshot
        if snapshot.identity in seen:
            continue
        seen.add(snapshot.identity)
        if snapshot.trained:
            fail("A model of the comparison was trained before: build a fresh one for each dimension.",
                 finding="weights-not-fresh")  # fmt: skip


@pytest.mark.question(QUESTION, weight=1)
def test_trained_from_noisy_to_clean(submitted, comparison):
    """Each model is trained to predict the clean training image from the noisy one."""
    if not comparison.fits:
        _no_fits(submitted)
    judged, seen = set(), {}
    for one in comparison.fits:
        seen.setdefault(submitted.model(one.model).snapshot.identity, []).append(one)
    for fits in seen.values():
        kinds = {_training_kind(submitted, one) for one in fits if _new(judged, one) or len(fits) > 1}
        if "clean" in kinds and "noisy" in kinds:
            review(
                "The models are trained on clean images first: these are no fresh weights. A person will look at it."
            )
        if "clean" in kinds:
            fail(
                "The input of the training should be the noisy images; clean images were given.", finding="clean-input"
            )
    _check_counts(submitted, comparison)


def _new(judged, fit):
    key = (fit.x, fit.y)
    new = key not in judged
    judged.add(key)
    return new


def _training_kind(submitted, fit):
    """Tell whether a fit starts from noisy or clean images; end the check when its target is wrong."""
    x, y, labels = trained_data(submitted, fit)
    if labels:
        fail(LABELS, finding="labels-as-target")
    if is_own(submitted, fit.x, "noisy-images", "X_train_noisy") and is_own(submitted, fit.y, "load-data", "X_train"):
        return "noisy"
    if x is None or y is None:
        review("The data of a training could not be read. A person will look at it.")
    if y.noisy:
        fail("The target of the training should be the clean images; noisy images were given.", finding="noisy-target")
    noise_layer = adds_noise(submitted.model(fit.model).snapshot)
    if not (x.noisy or x.clean) or not (y.clean or y.altered):
        review("The images of a training were not recognised. A person will look at it.")
    if not holds_part(submitted, x, "train"):
        fail("The models are trained on the test images; the noisy training images are meant.")
    assert x.clean or x.same_images_as(y), "The target of each noisy image should be the same image without noise."
    return "noisy" if x.noisy or noise_layer else "clean"


def _check_counts(submitted, comparison):
    if any(one.kind == "other" and one.epochs is None for one in comparison.fits):
        review("The models are trained by a loop of its own instead of fit. A person will look at it.")
    counts = [one.sample_count for one in comparison.fits if one.sample_count is not None]
    available = own_count(submitted, "X_train", TRAINING_IMAGES)
    if counts and max(counts) < min(1_000, available):
        fail(f"The models are trained on {max(counts)} images; train on the noisy training images.", cost=0.5)
    if counts and max(counts) < available:
        note(f"The models are trained on {max(counts)} of the {available} noisy training images.")


@pytest.mark.question(QUESTION, weight=1)
def test_measured_on_noisy_test_images(submitted, comparison):
    """The error of each model is measured on the noisy test images, against the clean ones."""
    measured = _counted(comparison)
    if not measured:
        _judge_validation(submitted, comparison)
        return
    if all(_is_untrained(submitted, comparison, one) for one in measured):
        fail("The error is measured before the model is trained.", finding="measured-before-training")
    problems = {}
    for one in measured:
        key = (one.x, one.y, one.method)
        if key not in problems:
            problems[key] = _measurement_problem(submitted, one)
    if any(problem is None for problem in problems.values()):
        return
    text, finding = next(iter(problems.values()))
    if finding == "unknown":
        review(text)
    fail(text, finding=finding)


def _is_untrained(submitted, comparison, measurement):
    """Tell whether a model was measured before it was fitted; a fit that raised trains nothing, and is no measure."""
    snapshot = submitted.model(measurement.model).snapshot
    own = [one for one in comparison.fits if submitted.model(one.model).snapshot.identity == snapshot.identity]
    return not snapshot.trained and any(one.error is None for one in own)


def _counted(comparison):
    """Return the measurements that gave the errors: evaluations with these results, else all, else predictions."""
    evaluated = [one for one in comparison.measurements if one.method == "evaluate"]
    errors = [error for error in comparison.errors.values() if not math.isnan(error)]
    giving = [one for one in evaluated if _is_among(read_error(_plain_result(one.result)), errors)]
    if giving or evaluated:
        return tuple(giving or evaluated)
    return tuple(one for one in comparison.measurements if one.output is not None)


def _plain_result(result):
    return {"pairs": list(map(list, result.items()))} if isinstance(result, dict) else result


def _is_among(result, errors):
    return any(math.isclose(result, error, rel_tol=1e-3, abs_tol=1e-9) for error in errors)


def _measurement_problem(submitted, measurement):
    """Return what is wrong with a measurement and the name of the finding; None when it is right."""
    x, y, labels = measured_data(submitted, measurement)
    own_x = is_own(submitted, measurement.x, "noisy-images", "X_test_noisy")
    if own_x and (measurement.method != "evaluate" or is_own(submitted, measurement.y, "load-data", "X_test")):
        return None  # what these two hold was graded where they were made
    if measurement.method == "evaluate":
        if labels:
            return "The target of the measurement is the digit of each image.", "labels-as-target"
        if y is not None and y.noisy:
            return "The error is measured against noisy images; the clean ones are the target.", "noisy-target"
    if x is None or not (x.clean or x.noisy):
        return "The data that the errors are measured on were not recognised. A person will look at it.", "unknown"
    if x.clean and not adds_noise(submitted.model(measurement.model).snapshot):
        return "The errors are measured on clean images; measure them on the noisy test images.", "clean-input"
    if not holds_part(submitted, x, "test"):
        return "The errors are measured on training images; measure them on the noisy test images.", None
    if measurement.method == "evaluate" and (y is None or not x.same_images_as(y)):
        return "The target of each noisy test image should be the same image without noise.", None
    return None


def _judge_validation(submitted, comparison):
    """Judge errors that come from the validation of fit; end the check when there is no validation either."""
    for one in comparison.fits:
        if one.validation_x is not None:
            x, y, _ = pair(submitted, one.validation_x, one.validation_y)
            if y is not None and y.noisy:
                fail("The validation target should be the clean images; noisy ones were given.", finding="noisy-target")
            if x is not None and x.clean:
                fail("The errors are measured on clean images; measure them on noisy ones.", finding="clean-input")
            note("The errors come from the validation of fit; that is accepted.")
            return
        if one.validation_split:
            note("The errors come from the validation of fit, on a part of the training images; that is accepted.")
            return
    if not comparison.fits:
        _no_fits(submitted)
    if submitted.cell_error(QUESTION):
        _blame_builders(submitted)
        nothing_to_judge(submitted, QUESTION, "no error was measured")
    review("No measurement on the noisy test images was found. A person will look at it.")


@pytest.mark.question(QUESTION, weight=1.5)
def test_best_latent_dimension(submitted, comparison, dimensions):
    """best_latent_dimension names one of the compared dimensions, with an error that speaks for it."""
    value = submitted.value(QUESTION, "best")
    if value.kind == "missing":
        _blame_builders(submitted)
    value = submitted.found(QUESTION, "best", "a number named best_latent_dimension", None)
    best = read_dimension(value.plain) if value.kind == "plain" else None
    if best is None:
        if value.kind == "array":
            best = read_dimension(submitted.array(value).values.reshape(-1).tolist())
        assert best is not None, "best_latent_dimension should be a number, one of the compared dimensions."
    if best not in dimensions:
        fail(f"best_latent_dimension should be one of the compared dimensions; {best} is none of them.")
    errors = {dimension: error for dimension, error in comparison.errors.items() if not math.isnan(error)}
    if best >= WIDE or (errors and errors.get(best, math.inf) <= min(errors.values())):
        return
    if not errors and broken(submitted, "compile"):
        note("The loss leaves no errors to compare; it was graded in question 8.")
        return
    if best <= NARROW:
        fail(f"{best} is too narrow: your own errors are smaller for another dimension." if errors
             else f"{best} is too narrow: more than a few numbers are needed to rebuild a digit.")  # fmt: skip
    review(f"{best} does not have the smallest of your errors. A person will read why you chose it.")
