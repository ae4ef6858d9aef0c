"""Part 1, the data: questions 1 (load-data) and 2 (plot-digits)."""

import numpy as np
import pytest
from painting import drawing, mention_elsewhere
from recognition import LIBRARY, TEST_IMAGES, TRAINING_IMAGES, digits_of, recognise

from autograder.checks import fail, note, review

PARTS = {"X_train": ("train", "training", TRAINING_IMAGES), "X_test": ("test", "test", TEST_IMAGES)}


def _images(submitted, name):
    """Return the recognised images of a name; fail when there is no such array or no image in it."""
    value = submitted.found("load-data", name, f"an array named {name}", "array")
    sample = submitted.array(value)
    images = recognise(sample)
    if images is None:
        fail(f"{name} should hold images of 28 by 28 pixels; its shape is {sample.shape}.")
    return images


def _both(submitted, judge):
    """Ask ``judge`` about each array of images, for a problem and its finding or None; one of the two costs half."""
    problems = []
    for name in PARTS:
        if submitted.value("load-data", name).kind != "array":
            if submitted.blank("load-data"):
                submitted.unanswered("load-data")
            problems.append((f"There is no array named {name}.", None))
            continue
        problem = judge(name, submitted.array(submitted.value("load-data", name)))
        if problem is not None:
            problems.append(problem)
    if problems:
        sentences, findings = zip(*problems, strict=True)
        fail(" ".join(sentences), finding=next(filter(None, findings), None), cost=len(problems) / len(PARTS))


def _check_images(submitted, name):
    part, word, count = PARTS[name]
    images = _images(submitted, name)
    if not (images.clean or images.altered):
        if images.noisy:
            fail(f"{name} should hold the {word} images as they are; noise is added to it.")
        fail(f"{name} does not hold the images of MNIST.")
    share = images.share_of(part)
    if share < 0.5:
        fail(f"{name} should hold the {word} images; it holds images of the other part of MNIST.")
    # The nearest image of a changed one is not always its own.
    assert share > (0.97 if images.clean else 0.5), (
        f"{name} should hold the {word} images alone; images of the other part are among them."
    )
    assert images.count >= count, f"{name} should hold all {count} {word} images; it holds {images.count}."
    assert images.count == count, f"{name} should hold each {word} image once; it holds {images.count} images."
    distinct = len(np.unique(images.index[images.index >= 0]))
    assert distinct > 0.8 * len(images.index), f"{name} holds the same images again and again."


@pytest.mark.question("load-data", weight=1)
def test_training_images(submitted):
    """X_train holds the 60 000 training images of MNIST."""
    _check_images(submitted, "X_train")


@pytest.mark.question("load-data", weight=1)
def test_test_images(submitted):
    """X_test holds the 10 000 test images of MNIST."""
    _check_images(submitted, "X_test")


@pytest.mark.question("load-data", weight=1)
def test_scaling(submitted):
    """The pixels of X_train and X_test are scaled from 0..255 to values between 0 and 1."""
    _both(submitted, _scaling_problem)


def _scaling_problem(name, sample):
    images = recognise(sample)
    found = f"between {_number(sample.minimum)} and {_number(sample.maximum)}"
    if images is None or not (images.clean or images.altered):
        # Whether these are the right images is another check: here their range is judged alone.
        inside = sample.minimum is not None and sample.minimum >= 0 and sample.maximum <= 1.001
        return None if inside else (f"The pixels of {name} lie {found}, not between 0 and 1.", None)
    if images.altered:
        return f"The pixels of {name} are not the pixels of MNIST divided by 255: their grey tones were changed.", None
    scale, offset = images.scale, images.offset
    if abs(offset) < 0.003 and 0.98 <= scale <= 1.0005:
        if scale < 0.9985:
            note(f"The largest pixel of {name} is a little less than 1; dividing by 255 gives exactly 1.")
        return None
    if abs(offset - 1) < 0.02 and abs(scale + 1) < 0.02:
        review(f"The pixels of {name} lie between 0 and 1, but black and white are exchanged.")
    unscaled = "unscaled-data" if abs(offset) < 0.5 and abs(scale - 255) < 0.5 else None
    return f"The pixels of {name} should run from 0 to 1; they lie {found}.", unscaled


def _number(value):
    return "?" if value is None else f"{value:.4g}"


@pytest.mark.question("load-data", weight=1)
def test_channel_axis(submitted):
    """One image of X_train and of X_test has the shape (28, 28, 1), with the channel axis that convolutions expect."""
    _both(submitted, _shape_problem)


def _shape_problem(name, sample):
    shape = sample.shape[1:]
    if shape == (28, 28, 1):
        return None
    sentence = f"One image of {name} should have the shape (28, 28, 1); it has {shape}."
    return (
        (f"{sentence} The channel axis is missing.", "missing-channel-axis") if shape == (28, 28) else (sentence, None)
    )


@pytest.mark.question("load-data", weight=1)
def test_labels(submitted):
    """y_train and y_test hold the digit of each image of X_train and X_test."""
    problems = [problem for names in (("y_train", "X_train"), ("y_test", "X_test"))
                if (problem := _label_problem(submitted, *names))]  # fmt: skip
    if problems:
        fail(" ".join(problems), cost=len(problems) / 2)


def _label_problem(submitted, name, images_name):
    value = submitted.value("load-data", name)
    if value.kind != "array":
        if submitted.blank("load-data"):
            submitted.unanswered("load-data")
        return f"There is no array of labels named {name}."
    sample = submitted.array(value)
    part, _, count = PARTS[images_name]
    digits = digits_of(sample)
    if digits is None:
        return f"The digits can not be read from {name}."
    if sample.shape[0] != _count(submitted, images_name, count):
        return f"{name} should hold one label for each image of {images_name}; it holds {sample.shape[0]}."
    rows, truth = _true_digits(submitted, images_name, part, sample)
    if (digits[rows] != truth).mean() > 0.02:
        return f"The labels in {name} are not the digits of the images in {images_name}."
    if len(sample.shape) > 1 and sample.shape[1] == 10:
        note(f"{name} was changed to one-hot vectors; the digits can be read from it.")
    return None


def _count(submitted, images_name, count):
    value = submitted.value("load-data", images_name)
    return submitted.array(value).shape[0] if value.kind == "array" else count


def _true_digits(submitted, images_name, part, labels):
    """Return sampled rows and the digits that the labels should have there: those of the student's own images."""
    value = submitted.value("load-data", images_name)
    images = recognise(submitted.array(value)) if value.kind == "array" else None
    if images is not None and images.sample.rows == labels.rows and (images.clean or images.altered):
        rows = np.flatnonzero(images.index >= 0)
        return rows, LIBRARY.labels[images.index[rows]]
    rows = np.arange(len(labels.rows))
    positions = np.minimum(LIBRARY.start(part) + np.asarray(labels.rows), len(LIBRARY) - 1)
    return rows, LIBRARY.labels[positions]


@pytest.fixture(scope="module")
def drawn_digits(submitted):
    """What was drawn for question 2; ends the check when nothing was, or nothing that can be read."""
    return drawing(submitted, "plot-digits", _judge_digits)


def _judge_digits(submitted, drawn):
    if not drawn.originals and not _resembling(drawn).any():
        review("Pictures were drawn, but not recognised as images of the data. A person will look at them.")


@pytest.mark.question("plot-digits", weight=1)
def test_images_of_the_data(submitted, drawn_digits):
    """Images of the data are drawn."""
    _judge_digits(submitted, drawn_digits)
    mention_elsewhere(submitted, "plot-digits")


@pytest.mark.question("plot-digits", weight=1, depends_on=["test_images_of_the_data"])
def test_several_images(drawn_digits):
    """Some images are drawn: more than one."""
    recognised = drawn_digits.matches.known | _resembling(drawn_digits)
    shown = np.asarray([not one.covered for one in drawn_digits.images])
    if _different(drawn_digits, recognised & shown) < 2 <= _different(drawn_digits, recognised):
        review("Several images were drawn in one place, one above the other. A person will look at them.")
    assert _different(drawn_digits, recognised) >= 2, "Only one image of the data is drawn; plot some."


def _different(drawn, chosen):
    """Count the different images among the chosen ones."""
    return len({one.values.tobytes() for one, counts in zip(drawn.images, chosen, strict=True) if counts})


def _resembling(drawn):
    """Tell which drawn images are images of the data, also when their grey tones were changed."""
    if drawn.matches.known.all():
        return drawn.matches.known
    values = np.stack([one.values for one in drawn.images])
    return LIBRARY.nearest(values)[1] >= 0.7
