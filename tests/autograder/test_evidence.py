"""The parser of evidence against hostile records: it never raises, and what it accepts fits the schema."""

from __future__ import annotations

import contextlib
import json
import math
import tracemalloc

import numpy as np
import pytest
from hostile_text import examples
from hypothesis import given
from hypothesis import strategies as st

from autograder.evidence import DTYPES, TEXT_LIMIT, Evidence, merge, parse
from autograder.sandbox.limits import Limits
from autograder.sandbox.protocol import Decoder, Frame, ProtocolError, encode

BLOB = np.arange(6, dtype="<f4").tobytes()
ARRAY = {
    "shape": [2, 3],
    "dtype": "float32",
    "minimum": 0.0,
    "maximum": 5.0,
    "mean": 2.5,
    "standard_deviation": 1.7,
    "finite": True,
    "rows": [0, 1],
    "values": {"blob": 0, "dtype": "<f4", "shape": [2, 3]},
}
MODEL = {
    "identity": 1,
    "class_name": "Sequential",
    "config": {"class_name": "Sequential", "config": {}},
    "built": True,
    "weight_shapes": [[2, 3]],
    "weights": [{"blob": 0, "dtype": "<f4", "shape": [2, 3]}],
    "variables": [1],
}
VALID = {
    "array": ARRAY,
    "model": MODEL,
    "cell": {"index": 0, "status": "error", "error": {"type": "NameError", "message": "x", "line": 3}},
    "output": {"index": 0, "stream": "stdout", "text": "hello"},
    "compilation": {"cell": 0, "model_identity": 1, "loss": "mse", "optimizer": {"class_name": "Adam"}},
    "value": {"question": "q", "label": "l", "cell": 0, "kind": "model", "model": 0},
    "fit": {"cell": 0, "model": 0, "kind": "arrays", "x": 0, "y": 0, "epochs": 20},
    "prediction": {"cell": 0, "model": 0, "method": "predict", "x": 0, "output": 0},
    "figure": {
        "cell": 0,
        "axes": [{"row": 0, "column": 0, "pictures": [{"values": {"blob": 0, "dtype": "<f4", "shape": [2, 3]}}]}],
    },
}
TABLES = {
    "cell": "cells",
    "output": "outputs",
    "model": "models",
    "array": "arrays",
    "compilation": "compilations",
    "value": "values",
    "fit": "fits",
    "prediction": "predictions",
    "figure": "figures",
}


def frame(event, record):
    return Frame({"event": event, "record": record}, (BLOB,))


def whole():
    return [frame(event, record) for event, record in VALID.items()]


def test_valid_records_are_all_taken():
    evidence = parse([*whole(), Frame({"event": "end"})])
    assert evidence.malformed == [] and evidence.ended
    assert all(len(getattr(evidence, table)) == 1 for table in TABLES.values())
    assert evidence.value("q", "l").model == 0 and evidence.value("q", "x") is None
    assert not evidence.arrays[0].values.flags.writeable


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.just("x" * 5_000)
)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def damaged(draw):
    """A valid record in which one place, at any depth, holds something else, is missing, or has a companion."""
    event = draw(st.sampled_from(sorted(VALID)))
    record = json.loads(json.dumps(VALID[event]))
    spot, path = record, draw(st.lists(st.integers(0, 9), min_size=1, max_size=4))
    for step in path[:-1]:
        children = list(spot.values()) if isinstance(spot, dict) else spot
        containers = [child for child in children if isinstance(child, (dict, list)) and child]
        if not containers:
            break
        spot = containers[step % len(containers)]
    keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
    key = keys[path[-1] % len(keys)]
    match draw(st.sampled_from(["change", "drop", "add"])):
        case "change":
            spot[key] = draw(junk)
        case "drop":
            del spot[key]
        case "add":
            spot["surprise" if isinstance(spot, dict) else slice(0, 0)] = (
                draw(junk) if isinstance(spot, dict) else [draw(junk)]
            )
    return event, record


def assert_sound(evidence: Evidence) -> None:
    """What was accepted fits the schema, by rules written a second time here."""
    models, arrays = len(evidence.models), len(evidence.arrays)
    for sample in evidence.arrays:
        assert sample.values.shape == (len(sample.rows), *sample.shape[1:])
        assert sample.values.dtype in DTYPES.values()
        assert all(0 <= row < sample.shape[0] for row in sample.rows)
        figures = (sample.minimum, sample.maximum, sample.mean, sample.standard_deviation)
        assert all(number is None or (type(number) is float and math.isfinite(number)) for number in figures)
    for fit in evidence.fits:
        assert 0 <= fit.model < models and math.isfinite(fit.validation_split)
    for record in [*evidence.fits, *evidence.predictions]:
        for name in ("x", "y", "output", "validation_x", "validation_y"):
            position = getattr(record, name, None)
            assert position is None or 0 <= position < arrays
    for value in evidence.values:
        assert (value.kind == "model") == (value.model is not None) and (value.model or 0) < max(models, 1)
        assert (value.kind == "array") == (value.array is not None) and (value.array or 0) < max(arrays, 1)
    for cell in evidence.cells:
        assert 0 <= cell.cpu_seconds <= 1e6 and len(cell.traceback) <= TEXT_LIMIT
    texts = json.dumps(
        [
            [m.config for m in evidence.models],
            [v.plain for v in evidence.values],
            [p.result for p in evidence.predictions],
            [c.loss for c in evidence.compilations],
        ],
        allow_nan=False,
        ensure_ascii=False,
    )
    texts.encode("utf-8")
    [text.encode("utf-8") for text in evidence.malformed]


@examples(400)
@given(st.lists(damaged(), min_size=1, max_size=4))
def test_damaged_records_never_raise_and_never_pass_unsound(records):
    evidence = parse([*whole(), *(frame(event, record) for event, record in records)])
    assert_sound(evidence)
    accepted = sum(len(getattr(evidence, table)) for table in TABLES.values())
    placeholders = sum(model.problem == "malformed" for model in evidence.models) + sum(
        a.dtype == "malformed" for a in evidence.arrays
    )
    assert accepted - placeholders + len(evidence.malformed) == len(VALID) + len(records), "nothing is lost silently"


@examples(200)
@given(st.lists(st.tuples(st.sampled_from([*VALID, "end", "job", "surprise"]) | junk, junk), max_size=6))
def test_junk_never_raises(records):
    assert_sound(parse(Frame({"event": event, "record": record}, (BLOB,)) for event, record in records))


@examples(100)
@given(st.binary(max_size=400))
def test_bytes_that_are_no_frames_never_reach_the_parser(data):
    with contextlib.suppress(ProtocolError):
        assert_sound(parse(Decoder().feed(data)))


STREAM = b"".join(encode({"event": event, "record": record}, [BLOB]) for event, record in VALID.items())


@examples(200)
@given(
    st.lists(st.tuples(st.integers(0, len(STREAM) - 1), st.integers(0, 4), st.binary(max_size=4)), max_size=6),
    st.integers(1, 2000),
)
def test_a_stream_of_which_bytes_are_changed_is_evidence_or_a_protocol_error(changes, size):
    stream = bytearray(STREAM)
    for start, length, content in changes:
        stream[start : start + length] = content
    decoder = Decoder()
    with contextlib.suppress(ProtocolError):
        pieces = (bytes(stream[start : start + size]) for start in range(0, len(stream), size))
        assert_sound(parse(frame for piece in pieces for frame in decoder.feed(piece)))


MANY = 300_000


@pytest.mark.parametrize(
    ("event", "change", "told"),
    [
        ("array", {"rows": [-1] * MANY}, "array: rows.0"),
        ("array", {"shape": [-1] * MANY}, "array: shape.0"),
        ("model", {"weights": [0] * MANY}, "model: weights.0"),
        ("figure", {"axes": [{}] * MANY}, "figure: axes.0"),
        ("cell", {f"surprise {number}": 0 for number in range(MANY)}, f"cell: {MANY} faults"),
    ],
)
def test_a_record_of_many_faults_takes_no_memory_for_each(event, change, told):
    hostile = frame(event, {**VALID[event], **change})
    tracemalloc.start()
    try:
        (problem,) = parse([*whole(), hostile]).malformed
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert problem.startswith(told)
    assert most < 40 * MANY


@pytest.mark.parametrize(
    ("event", "change"),
    [
        ("array", {"values": {"blob": 0, "dtype": "<f4", "shape": [3, 2]}}),
        ("array", {"values": {"blob": 0, "dtype": "|O", "shape": [2, 3]}}),
        ("array", {"values": {"blob": 0, "dtype": "<u4", "shape": [2, 3]}}),
        ("array", {"values": {"blob": 0, "dtype": "<c8", "shape": [1, 3]}, "shape": [1, 3], "rows": [0]}),
        ("array", {"values": {"blob": -1, "dtype": "<f4", "shape": [2, 3]}}),
        ("array", {"values": {"blob": True, "dtype": "<f4", "shape": [2, 3]}}),
        ("array", {"values": {"blob": 0, "dtype": "<f4", "shape": [2, -3]}}),
        ("array", {"values": {"blob": 0, "dtype": "|b1", "shape": [24]}, "shape": [24], "rows": list(range(24))}),
        ("array", {"rows": [0, 7]}),
        ("array", {"rows": [0]}),
        ("array", {"mean": float("nan")}),
        ("array", {"maximum": float("inf")}),
        ("array", {"shape": []}),
        ("model", {"config": {"a": float("nan")}}),
        ("model", {"config": {"a": "\ud800"}}),
        ("model", {"config": {"\udfff": 1}}),
        ("model", {"config": 2**70}),
        ("model", {"built": 1}),
        ("model", {"class_name": "x" * 300}),
        ("value", {"kind": "array"}),
        ("value", {"model": None}),
        ("value", {"model": 99}),
        ("value", {"kind": "plain"}),
        ("fit", {"x": 99}),
        ("fit", {"model": None}),
        ("fit", {"epochs": "20"}),
        ("fit", {"epochs": True}),
        ("fit", {"epochs": -1}),
        ("fit", {"validation_split": float("nan")}),
        ("cell", {"status": "perfect"}),
        ("cell", {"cpu_seconds": float("nan")}),
        ("cell", {"index": -1}),
        ("output", {"text": "\ud800"}),
        ("output", {"text": "x" * (TEXT_LIMIT + 1)}),
    ],
)
def test_each_of_these_is_refused_and_named(event, change):
    evidence = parse([*whole(), frame(event, {**VALID[event], **change})])
    assert len(evidence.malformed) == 1 and evidence.malformed[0].startswith(event)


def test_a_refused_row_keeps_its_place_in_the_table():
    evidence = parse(
        [
            frame("model", {}),
            frame("array", {"x": 1}),
            frame("model", MODEL),
            frame("array", ARRAY),
            frame("fit", {**VALID["fit"], "model": 1, "x": 1, "y": 1}),
        ]
    )
    assert [model.problem for model in evidence.models] == ["malformed", ""]
    assert evidence.arrays[evidence.fits[0].x].dtype == "float32"


def test_deep_wide_and_many_records_are_bounded():
    deep: list = []
    for _ in range(500):
        deep = [deep]
    evidence = parse(
        [*whole(), frame("model", {**MODEL, "config": deep}), frame("model", {**MODEL, "config": [0] * 60_000})]
    )
    assert len(evidence.malformed) == 2
    many = parse(frame("output", VALID["output"]) for _ in range(Limits().frames + 50))
    assert len(many.outputs) == Limits().frames and "more than" in many.malformed[-1]


def test_what_is_sent_is_what_is_parsed():
    data = b"".join(encode({"event": event, "record": record}, [BLOB]) for event, record in VALID.items())
    decoder = Decoder()
    frames = [frame for start in range(0, len(data), 7) for frame in decoder.feed(data[start : start + 7])]
    assert parse(frames).malformed == []


def cells(*statuses, start=0):
    return [frame("cell", {"index": start + i, "status": status}) for i, status in enumerate(statuses)]


def test_merging_keeps_the_ended_cells_and_adds_the_others():
    first = parse(
        [
            *whole()[:2],
            *cells("ok", "ok"),
            frame("value", VALID["value"]),
            frame("fit", {**VALID["fit"], "cell": 5}),
            frame("output", VALID["output"]),
        ]
    )
    late = {**VALID["value"], "label": "other", "cell": 2}
    second = parse(
        [
            *whole()[:2],
            *cells("ok", "error", "ok"),
            frame("value", VALID["value"]),
            frame("value", late),
            frame("fit", {**VALID["fit"], "cell": 2}),
            Frame({"event": "end"}),
        ]
    )
    merged = merge(first, second)
    assert [cell.index for cell in merged.cells] == [0, 1, 2] and merged.cells[1].status == "ok"
    assert [(v.label, v.model) for v in merged.values] == [("l", 0), ("other", 1)], (
        "positions of the second move behind the first"
    )
    assert [(fit.cell, fit.model, fit.x) for fit in merged.fits] == [(2, 1, 1)], (
        "an unfinished cell's records are replaced"
    )
    assert len(merged.models) == len(merged.arrays) == 2 and len(merged.outputs) == 1
    assert merged.ended
    assert_sound(merged)


def test_merging_with_nothing_changes_nothing():
    evidence = parse(whole())
    assert merge(evidence, Evidence()).cells == evidence.cells
    assert len(merge(Evidence(), evidence).values) == 1
