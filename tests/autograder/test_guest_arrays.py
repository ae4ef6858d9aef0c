"""Figures of whole arrays and samples of their rows; values as plain JSON."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from hostile_text import examples
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as extra

from autograder.sandbox.guest.arrays import ArrayTable, as_array, statistics
from autograder.sandbox.guest.plain import NotPlain, plain, plain_pairs, text

TYPES = ["float32", "float64", "float16", "uint8", "int64", "int16", "bool"]


class Kept:
    """Stands where the socket is: keeps the rows of the table."""

    def __init__(self):
        self.records = []

    def row(self, table, build):
        from autograder.sandbox.guest.channel import Blobs

        blobs = Blobs()
        self.records.append((build(blobs), blobs.raw))
        return len(self.records) - 1


@examples(80)
@given(st.sampled_from(TYPES).flatmap(lambda t: extra.arrays(t, extra.array_shapes(max_dims=3, max_side=6))))
def test_figures_are_numpys_over_the_finite_values(array):
    minimum, maximum, mean, deviation, finite = statistics(array)
    values = array.astype(np.float64)
    kept = values[np.isfinite(values)]
    assert finite == (kept.size == values.size)
    if not kept.size:
        assert minimum is maximum is mean is deviation is None
        return
    assert (minimum, maximum) == (kept.min(), kept.max())
    with np.errstate(all="ignore"):
        scale = max(1.0, float(np.abs(kept).max()))
        expected = float(kept.mean()), float(kept.std())
    for found, wanted in zip((mean, deviation), expected, strict=True):
        if found is not None and math.isfinite(wanted):
            assert abs(found - wanted) <= 1e-3 * scale


def test_figures_of_the_whole_data_are_exact_and_quick():
    generator = np.random.default_rng(0)
    for kind in ("float32", "float64"):
        array = (generator.random((60_000, 28, 28, 1)) + 100).astype(kind)
        started = time.process_time()
        minimum, maximum, mean, deviation, finite = statistics(array)
        seconds = time.process_time() - started
        assert abs(mean - 100.5) < 1e-3 and abs(deviation - 12**-0.5) < 1e-4 and finite
        assert 100 <= minimum < maximum <= 101.001
        assert seconds < 0.5, "about 0.06 on a quiet machine"


def test_a_view_in_another_order_is_read_as_it_is_seen():
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1)
    assert statistics(array)[:3] == (0, 23, 11.5)


def test_arrays_of_one_length_are_sampled_at_the_same_rows_and_equal_ones_sent_once():
    kept = Kept()
    table = ArrayTable(kept, seed=5)
    x, y = np.random.rand(1_000, 4), np.arange(1_000)
    assert [table.position(a) for a in (x, y, x.copy(), x.astype(np.float32))] == [0, 1, 0, 2]
    (first, _), (second, blobs), _ = kept.records
    assert first["rows"] == second["rows"] and first["rows"][:8] == list(range(8)) and len(first["rows"]) == 32
    assert np.frombuffer(blobs[0], "<i8").tolist() == second["rows"]
    assert ArrayTable(kept, seed=5).sample(1_000).tolist() == first["rows"]
    assert ArrayTable(kept, seed=6).sample(1_000).tolist() != first["rows"]
    changed = x
    changed[first["rows"][20]] += 1
    assert table.position(changed) == 3


def test_large_rows_are_left_out_and_not_sent_in_part():
    kept = Kept()
    ArrayTable(kept, seed=5).position(np.zeros((40, 700, 700), np.uint8))
    record, blobs = kept.records[0]
    assert len(record["rows"]) == 2 and len(blobs[0]) == 2 * 700 * 700


@pytest.mark.parametrize(
    "value", ["text", None, {}, [], [[1], [2, 3]], object(), 1j, np.array([object()]), [1, "a"], np.zeros((1,) * 9)]
)
def test_what_holds_no_numbers_is_no_array(value):
    assert as_array(value) is None


@pytest.mark.parametrize(
    ("value", "shape"),
    [([1, 2], (2,)), ([np.zeros(3), np.ones(3)], (2, 3)), (np.float32(1), ()), (np.array(["1", "2.5"]), (2,))],
)
def test_numbers_are_read_where_they_are(value, shape):
    assert as_array(value).shape == shape


hostile = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(st.characters())
    | st.binary()
    | st.just(object()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.floats(), inner) | st.tuples(inner),
    max_leaves=20,
)


@examples(100)
@given(hostile)
def test_what_becomes_plain_is_strict_json(value):
    for convert in (plain, plain_pairs):
        try:
            result = convert(value)
        except NotPlain:
            continue
        json.dumps(result, allow_nan=False).encode("utf-8")


@examples(100)
@given(st.text(st.characters(), max_size=200), st.integers(40, 60))
def test_texts_are_short_clean_and_unicode(value, limit):
    shown = text(value, limit)
    assert len(shown) <= limit
    shown.encode("utf-8")
