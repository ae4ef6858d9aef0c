"""What attacks have shown to be open, and was mended: small tests of each, beside the payloads that found it."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from autograder.checks.submitted import _bound_by_import
from autograder.evidence import DRAWN_LIMIT, parse
from autograder.models.description import parse as parse_model
from autograder.models.rebuild import rebuild
from autograder.report.text import clean
from autograder.sandbox.guest.compilation import described
from autograder.sandbox.protocol import Frame
from autograder.submission.archive import unpack

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "autoencoders"))
from sweep import read_dimension  # noqa: E402


def figure(times: int, side: int = 1000) -> Frame:
    """Return a figure that draws one blob many times."""
    picture = {"values": {"blob": 0, "dtype": "|u1", "shape": [side, side]}}
    axes = {"row": 0, "column": 0, "pictures": [picture] * times, "points": []}
    return Frame({"event": "figure", "record": {"cell": 0, "axes": [axes]}}, (bytes(side * side),))


def test_a_blob_that_is_drawn_without_end_is_dropped():
    most = DRAWN_LIMIT // 10**6
    assert len(parse([figure(1)] * most).figures) == most
    found = parse([figure(1)] * (most + 1))
    assert len(found.figures) == most and "drawn" in found.malformed[0]
    assert "values in a figure" in parse([figure(2)]).malformed[0]


def test_points_that_are_drawn_without_end_are_dropped():
    points = {"positions": {"blob": 0, "dtype": "<f4", "shape": [10**6, 2]},
              "colors": {"blob": 1, "dtype": "<f4", "shape": [1, 4]}}  # fmt: skip
    axes = {"row": 0, "column": 0, "pictures": [], "points": [points] * 11}
    frame = Frame({"event": "figure", "record": {"cell": 0, "axes": [axes]}}, (bytes(8 * 10**6), bytes(16)))
    assert parse([frame]).figures == []


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_can_not_be_unpacked_bit_by_bit_is_refused(tmp_path, kind):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", kind) as archive:
        archive.writestr("a.ipynb", "{}")
    (refused,) = unpack(tmp_path / "a.zip", tmp_path / "out", lambda path: True)
    assert "packed in an unusual way" in refused and not list((tmp_path / "out").iterdir())


def test_what_opens_a_terminal_sequence_many_times_opens_it_once():
    assert clean("\x9d" * 3 + "title\x07text") == "\N{REPLACEMENT CHARACTER}" * 2 + "text"
    assert clean("\x1b]0;title\x07text\x90a\x9cb") == "textb"


def test_imports_are_read_line_by_line():
    source = "\n\n  import numpy as np, pandas\n\n\tfrom numpy.linalg import (norm as n, det)\n\nfrom os import path\n"
    assert _bound_by_import(source, "numpy") == {"np", "n", "det"}


@pytest.mark.parametrize("value", ["9" * 400, 10**400, float("inf"), "1e999", [["9" * 4000]], True, -1, 0, 2.5])
def test_dimensions_of_any_size_are_read_without_a_fault(value):
    assert read_dimension(value) is None


def test_ordinary_dimensions_are_read():
    assert [read_dimension(value) for value in (2, 16.0, "d=32", [8], np.float64(4))] == [2, 16, 32, 8, 4]


def test_a_long_model_is_put_together_once(monkeypatch):
    parts = [keras.Input((4,)), *(keras.layers.Dense(4) for _ in range(40))]
    description = parse_model({"class_name": "Sequential", "config": keras.Sequential(parts).get_config()})
    times = []
    once = keras.Sequential._maybe_rebuild
    monkeypatch.setattr(keras.Sequential, "_maybe_rebuild", lambda self: times.append(1) or once(self))
    assert len(rebuild(description).layers) == 40
    assert len(times) == 1


@pytest.mark.parametrize(
    "value", [keras.losses.mean_squared_error, keras.losses.MeanSquaredError, keras.metrics.mean_squared_error]
)
def test_functions_of_keras_are_known_and_what_has_their_name_is_not(value):
    assert described(value)["module"].startswith("keras.")

    def pretender(y_true, y_pred):
        return 0.0

    pretender.__name__, pretender.__module__ = value.__name__, value.__module__
    assert described(pretender)["module"] == "__main__"
