"""Frames: however the socket cuts them they arrive whole, and a hostile writer gains nothing."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.sandbox import protocol
from autograder.sandbox.protocol import Decoder, Frame, ProtocolError, encode


def framed(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


@given(
    st.lists(
        st.tuples(st.dictionaries(st.sampled_from("abc"), st.integers()), st.lists(st.binary(max_size=9))), max_size=4
    ),
    st.integers(1, 40),
)
def test_frames_arrive_whole_however_they_are_cut(messages, size):
    stream = b"".join(encode(header, blobs) for header, blobs in messages)
    decoder = Decoder()
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    assert frames == [Frame(header, tuple(blobs)) for header, blobs in messages]


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_frames_or_a_protocol_error(data, size):
    decoder = Decoder()
    try:
        for start in range(0, len(data), size):
            for frame in decoder.feed(data[start : start + size]):
                assert isinstance(frame.header, dict)
    except ProtocolError:
        pass


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists, max_leaves=9))
def test_any_json_is_a_frame_or_a_protocol_error(value):
    for header in (value, {"blobs": value}, {"event": value}):
        try:
            frames = list(Decoder().feed(framed(json.dumps(header).encode())))
        except ProtocolError:
            continue
        assert all(isinstance(frame.header, dict) for frame in frames)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"1", b'"x"', b"\xff", b"[" * 100_000, b"1" * 10_000,
     b'{"blobs": -1}', b'{"blobs": [-1]}', b'{"blobs": [true]}', b'{"blobs": [1.0]}', b'{"blobs": {"a": 1}}',
     b'{"blobs": [99999999999]}', b'{"blobs": [1e400]}', b'{"blobs": [' + b"0," * 600 + b"0]}"],
)  # fmt: skip
def test_a_malformed_header_is_a_protocol_error(text):
    with pytest.raises(ProtocolError):
        list(Decoder().feed(framed(text)))


def test_a_header_that_is_too_long_is_refused_before_it_arrives():
    with pytest.raises(ProtocolError, match="header of 4294967295 bytes"):
        list(Decoder().feed(b"\xff\xff\xff\xff"))


def test_a_header_is_parsed_once_however_slowly_its_blob_arrives(monkeypatch):
    parsed = []
    original = protocol._parse_header
    monkeypatch.setattr(protocol, "_parse_header", lambda text: parsed.append(1) or original(text))
    decoder = Decoder()
    stream = encode({"event": "x"}, [b"y" * 1000])
    frames = [frame for position in range(len(stream)) for frame in decoder.feed(stream[position : position + 1])]
    assert (len(frames), len(parsed)) == (1, 1)


def test_frames_before_a_fault_are_delivered():
    feed = Decoder().feed(encode({"event": "good"}) + framed(b"bad"))
    assert next(feed).header == {"event": "good"}
    with pytest.raises(ProtocolError):
        next(feed)


def test_the_bytes_of_json_are_counted_apart_from_those_of_blobs():
    decoder = Decoder()
    list(decoder.feed(encode({"event": "x"}, [b"y" * 1000])))
    assert decoder.header_bytes == len('{"event": "x", "blobs": [1000]}')
