"""The fast lane: what it spares, that nothing else differs, and when a submission runs again in the full lane."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from warm import run

from autograder import assignment
from autograder.grade import Grader, Settings

ROOT = Path(__file__).parents[2]
SETUP = """
import numpy as np, keras
from keras import layers
rng = np.random.default_rng(0)
X = rng.random((4000, 6)).astype('float32'); Y = rng.random((4000, 2)).astype('float32')
calls = []
def count(x):
    calls.append(x.shape[0]); return x
model = keras.Sequential([layers.Input((6,)), layers.Lambda(count, output_shape=(6,)), layers.Dense(2)])
model.compile('sgd', 'mse'); calls.clear()
"""
EVALUATE = "calls.clear(); {}; print(sum(calls))"


@pytest.mark.parametrize(
    ("call", "fast"),
    [
        ("model.evaluate(X, Y)", 250),
        ("model.evaluate(X, Y, batch_size=7)", 250),
        ("model.evaluate(X[:400], Y[:400])", 400),
        ("model.evaluate(X, Y, sample_weight=np.ones(4000))", 4000),
        ("model.evaluate([X], Y)", 4000),
        ("Z = X.copy(); Z[3999, 0] = np.nan; model.evaluate(Z, Y)", 4000),
        ("Z = Y.copy(); Z[7, 1] = np.inf; model.evaluate(X, Z)", 4000),
        ("model.predict(X)", 4000),
        ("model(X)", 4000),
    ],
)
def test_the_fast_lane_spares_rows_of_evaluations_of_plain_numbers_alone(call, fast):
    for lane, rows in (("fast", fast), ("full", 4000 if "400]" not in call else 400)):
        done = run([SETUP, EVALUATE.format(call)], lane=lane)
        assert done.printed(1).split()[-1:] == [str(rows)], lane


def test_what_was_evaluated_is_recorded_whole_in_both_lanes():
    for lane in ("fast", "full"):
        evidence = run([SETUP, "model.evaluate(X, Y)"], lane=lane).evidence
        (one,) = evidence.predictions
        assert evidence.arrays[one.x].shape == (4000, 6) and evidence.arrays[one.y].shape == (4000, 2)


def test_an_evaluation_that_keras_refuses_is_refused_alike_in_both_lanes():
    cells = [SETUP, "model.evaluate(X, Y[:3999])", "model.evaluate(X[:, :5], Y)", "model.evaluate(X, Y[:, :1, None])"]
    fast, full = (run(cells, lane=lane).evidence.cells for lane in ("fast", "full"))
    assert [cell.error for cell in fast] == [cell.error for cell in full]
    assert [cell.status for cell in fast] == ["ok", "error", "error", "ok"]


@pytest.fixture(scope="module")
def course():
    return assignment.load(ROOT, "autoencoders")


@pytest.fixture(scope="module")
def graders(course, tmp_path_factory):
    """Return a grader for each lane, with one store of trainings between them and no kept reports."""
    patch = pytest.MonkeyPatch()
    patch.setenv("AUTOGRADER_CACHE", str(tmp_path_factory.mktemp("cache")))
    with (
        Grader(course, Settings(use_cache=False)) as fast,
        Grader(course, Settings(use_cache=False, lane="full"), fast_server(fast)) as full,
    ):
        yield {"fast": fast, "full": full}
    patch.undo()


def fast_server(grader: Grader) -> Path:
    grader.start()
    return grader._sandbox.server_path


def example(name: str) -> Path:
    return ROOT / "examples" / "submitted" / name / "autoencoders" / "autoencoders.ipynb"


def verdict(report):
    """Return a report without what was measured and how it was come by."""
    document = report.model_dump(mode="json")
    document["execution"] = {"salvaged": report.execution.salvaged, "training": report.execution.training}
    for cell in document["cells"]:
        del cell["cpu_seconds"]
    return document


def changed(name: str, folder: Path, old: str, new: str) -> Path:
    """Copy an example with one line of it exchanged."""
    notebook = json.loads(example(name).read_text(encoding="utf-8"))
    text = json.dumps(notebook)
    exchanged = text.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])
    assert exchanged != text, old
    path = folder / "autoencoders.ipynb"
    path.write_text(exchanged, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "lane"),
    [
        ("dina-add-and-huge-sweep", "fast"),
        ("gita-labels-as-target", "fast"),
        ("hugo-fixed-dimension", "full"),
        ("jonas-one-model", "fast"),
        ("kira-syntax-error", "fast"),
        ("noor-blank", "fast"),
    ],
)
def test_both_lanes_give_one_report(graders, name, lane):
    fast, full = (graders[lane].grade(example(name), "someone") for lane in ("fast", "full"))
    assert verdict(fast) == verdict(full)
    assert (fast.execution.lane, full.execution.lane) == (lane, "full")


ODDITIES = {
    "some images": ("X_train, X_train, batch_size", "X_train[:5000], X_train[:5000], batch_size", "fast"),
    "the last images": ("X_train, X_train, batch_size", "X_train[-10000:], X_train[-10000:], batch_size", "fast"),
    "a test of the size": (
        "X_encoded = ",
        "assert len(X_train) == 60000 and X_test.shape == (10000, 28, 28, 1)\nX_encoded = ",
        "fast",
    ),
    "another answer for fewer": (
        "history = autoencoder.fit(X_train, X_train",
        "few = X_train if len(X_train) < 60000 else X_train[:100]\nhistory = autoencoder.fit(few, few",
        "fast",
    ),
    "an error that is compared": (
        "    latent_errors[latent_dimension] = error",
        "    mine = float(np.mean((candidate.predict(X_test_noisy, verbose=0) - X_test) ** 2))\n"
        "    np.testing.assert_allclose(error, mine, rtol=1e-4)\n"
        "    latent_errors[latent_dimension] = error",
        "full",
    ),
}  # fmt: skip


@pytest.mark.parametrize("oddity", ODDITIES)
def test_what_looks_at_sizes_or_errors_is_judged_as_in_the_full_lane(graders, tmp_path, oddity):
    old, new, lane = ODDITIES[oddity]
    file = changed("dina-add-and-huge-sweep", tmp_path, old, new)
    fast, full = (graders[lane].grade(file, "someone") for lane in ("fast", "full"))
    assert verdict(fast) == verdict(full)
    assert fast.execution.lane == lane
    # Two runs are counted as two.
    assert lane == "fast" or fast.execution.cpu_seconds > full.execution.cpu_seconds
    whole = all(cell.status == "ok" for cell in full.cells)
    assert whole, [cell for cell in full.cells if cell.status != "ok"]
    assert (full.score == 91) == (oddity in ("a test of the size", "an error that is compared"))
