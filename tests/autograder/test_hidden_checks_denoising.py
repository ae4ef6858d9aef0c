"""The hidden check of question 15, with real training under a short protocol."""

import base64
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from keras import initializers, layers
from keras_evidence import cells
from PIL import Image
from test_hidden_checks_architecture import Work, decoder, encoder, evidence_of, nothing, raising, up

from autograder import assignment as assignments
from autograder.checks import session
from autograder.store import Store

COURSE = Path(__file__).parents[2]
FILES = ("conftest.py", "designs.py", "statement.py", "test_denoising_error.py", "calibration.json")
# Every model that learns anything soon does better than this, and none does better than that.
EASY, IMPOSSIBLE = 0.1, 0.001


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    root = tmp_path_factory.mktemp("course")
    shutil.copytree(COURSE / "source", root / "source")
    (root / "data").symlink_to(COURSE / "data")
    checks = root / "tests" / "autoencoders"
    checks.mkdir(parents=True)
    for name in FILES:
        shutil.copy(COURSE / "tests" / "autoencoders" / name, checks)
    return assignments.load(root, "autoencoders")


@pytest.fixture(scope="module")
def judged(course, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))

    def judge(work, limit, **sources):
        path = course.tests / "calibration.json"
        calibration = json.loads(path.read_text())
        short = {"limit": limit, "steps": 200, "interval": 100, "restarts": 1, "submitted_restarts": 1}
        calibration["denoising"]["protocol"].update(short, clean_steps=0, test_images=200)
        path.write_text(json.dumps(calibration))
        evidence = evidence_of(work)
        (result,) = session.run(course, evidence, session.Context(cells=cells(**sources), store=store))
        return result

    return judge


WRONG_LAYER = Work(build_decoder=decoder((4, up(1, activation="sigmoid"))))


def test_a_design_that_learns_passes(judged):
    result = judged(Work(), EASY)
    assert (result.status, result.message) == ("passed", "")


def test_the_training_is_shown_beside_answers_that_need_no_learning_and_without_the_limit(judged):
    limit = 0.10123
    (training,) = judged(Work(), limit).exhibits
    named = {baseline.name: baseline.value for baseline in training.baselines}
    assert set(named) == {"zero", "mean image", "noisy input"}
    assert named["mean image"] < named["zero"] < named["noisy input"] == pytest.approx(0.25, abs=0.01)
    assert 0 < training.error < named["noisy input"] and training.error == round(training.error, 3)
    assert [strip.name for strip in training.strips] == ["clean", "noisy", "denoised"]
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(strip.picture)))) for strip in training.strips]
    assert {picture.shape for picture in pictures} == {(56, 2 * (10 * 30 - 2))}
    assert pictures[0].std() > 30 and not np.array_equal(pictures[0], pictures[2])
    assert str(limit) not in training.model_dump_json()


def test_a_design_that_differs_passes_when_it_learns(judged):
    assert judged(WRONG_LAYER, EASY).status == "passed"


def test_a_wrong_loss_was_paid_before_and_is_only_noted_here(judged):
    result = judged(Work(compile=lambda model: model.compile(loss="sparse_categorical_crossentropy")), EASY)
    assert result.status == "passed"
    assert "mean squared error" in result.message


def test_the_statements_own_layers_never_fail_here(judged):
    result = judged(Work(), IMPOSSIBLE)
    assert (result.status, result.awaits) == ("needs_review", True)


# Its last layer is dead: it paints black whatever it is trained to do.
DEAD = Work(build_decoder=decoder((3, up(4)), (4, up(1, bias_initializer=initializers.Constant(-100)))))


def test_other_layers_that_can_not_learn_fail_without_a_hidden_number(judged):
    result = judged(DEAD, IMPOSSIBLE)
    assert result.status == "failed"
    assert not any(character.isdigit() for character in result.message)


def test_other_layers_that_stay_at_the_mean_image_wait_for_a_person(judged):
    """A wrong activation was paid for where it was built; that it learns more slowly is no second mistake."""
    result = judged(Work(build_decoder=decoder((4, up(1, activation=None)))), IMPOSSIBLE)
    assert (result.status, result.awaits) == ("needs_review", True)
    assert not any(character.isdigit() for character in result.message)


def test_a_design_that_gives_no_images_fails_with_the_reason(judged):
    result = judged(Work(build_decoder=decoder((4, nothing))), EASY)
    assert result.status == "failed"
    assert "(28, 28, 1)" in result.message


def test_an_unknown_layer_waits_for_a_person(judged):
    lambda_layer = encoder((6, lambda d: [layers.Lambda(lambda x: x), layers.Flatten()]))
    assert judged(Work(lambda_layer), EASY).status == "needs_review"


def test_without_a_builder_there_is_nothing_to_judge(judged):
    result = judged(Work(raising), EASY)
    assert (result.status, result.because, result.awaits) == ("skipped", "build-encoder", True)


STUB = "def build(d):\n    # YOUR CODE HERE\n    pass"


def test_one_builder_that_is_not_answered_is_not_paid_again_here(judged):
    result = judged(Work(lambda d: None), EASY, build_encoder=STUB)
    assert (result.status, result.because, result.awaits) == ("skipped", "build-encoder", True)


def test_without_any_work_it_is_not_answered(judged):
    work = Work(lambda d: None, lambda d: None)
    result = judged(work, EASY, build_encoder=STUB, build_decoder=STUB)
    assert (result.status, result.message) == ("failed", "Not answered.")
