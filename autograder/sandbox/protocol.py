"""Frames on the one socket between the trusted side and a sandboxed child.

A frame is a four-byte little-endian length, that many bytes of JSON (an object), and the
raw bytes of its blobs one after the other; their sizes stand in the object under ``"blobs"``.
Reading is written for a hostile writer: every length is checked before memory is taken.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

HEADER_LIMIT = 8 * 1024 * 1024
BLOB_LIMIT = 64 * 1024 * 1024
BLOBS_PER_FRAME_LIMIT = 512
_LENGTH = struct.Struct("<I")


class ProtocolError(Exception):
    """Raised when the bytes on the socket are not a frame; the writer is then not listened to any more."""


@dataclass(frozen=True)
class Frame:
    """One message: a JSON object and the raw blobs that it refers to by number."""

    header: dict[str, Any]
    blobs: tuple[bytes, ...] = field(default=())


def encode(header: dict[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """Return the bytes of one frame."""
    text = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}, allow_nan=True).encode()
    return b"".join([_LENGTH.pack(len(text)), text, *blobs])


class Decoder:
    """Turn received bytes into frames, however the socket has cut them.

    Work is linear in the bytes: a header is parsed once, however long its blobs take to arrive.
    ``header_bytes`` counts the bytes of JSON so far; parsed, they may take twenty times as much memory.
    """

    def __init__(self) -> None:
        self.header_bytes = 0
        self._buffer = bytearray()
        self._header: tuple[dict[str, Any], list[int], int] | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame that is complete with ``data``; raise ProtocolError on anything else."""
        self._buffer += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        if self._header is None and not self._read_header():
            return None
        assert self._header is not None
        header, sizes, total = self._header
        if len(self._buffer) < total:
            return None
        blobs, end = [], 0
        for size in sizes:
            blobs.append(bytes(self._buffer[end : end + size]))
            end += size
        del self._buffer[:end]
        self._header = None
        return Frame(header, tuple(blobs))

    def _read_header(self) -> bool:
        """Move a complete header from the buffer to ``_header``; tell whether there was one."""
        if len(self._buffer) < _LENGTH.size:
            return False
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > HEADER_LIMIT:
            raise ProtocolError(f"a header of {length} bytes")
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return False
        header, sizes = _parse_header(bytes(self._buffer[_LENGTH.size : end]))
        del self._buffer[:end]
        self.header_bytes += length
        self._header = (header, sizes, sum(sizes))
        return True


def _parse_header(text: bytes) -> tuple[dict[str, Any], list[int]]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a header that is not JSON") from error
    if not isinstance(header, dict):
        raise ProtocolError("a header that is not an object")
    sizes = header.pop("blobs", [])
    valid = isinstance(sizes, list) and all(type(size) is int and size >= 0 for size in sizes)
    if not valid or len(sizes) > BLOBS_PER_FRAME_LIMIT or sum(sizes) > BLOB_LIMIT:
        raise ProtocolError("blob sizes out of bounds")
    return header, sizes
