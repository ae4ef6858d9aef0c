"""What a cell prints: pipes on the descriptors 1 and 2, read by a thread, sent on as bounded plain text.

Pipes and not replaced streams, so that child processes and C libraries are heard as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import sys
import threading
import time
from typing import Any, Literal, TextIO

from autograder.sandbox.guest.channel import Channel
from autograder.sandbox.guest.plain import text, without_paths

Stream = Literal["stdout", "stderr", "result"]
_CHUNK = 3_500
_PAUSE_SECONDS = 0.01
_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 16


class Outputs:
    """The texts of the present cell.

    ``limit`` bounds the characters that are kept for a cell, ``notebook_limit`` those of all cells together.
    """

    def __init__(self, channel: Channel, limit: int, notebook_limit: int) -> None:
        self._channel = channel
        self._limit = limit
        self._notebook_left = notebook_limit
        self._lock = threading.RLock()
        self._cell = 0
        self._left = min(limit, notebook_limit)
        self._is_cut = False
        self._pending: dict[Stream, bytearray] = {"stdout": bytearray(), "stderr": bytearray(), "result": bytearray()}
        self._read: dict[int, Stream] = {}
        self._write: dict[int, int] = {}
        self._streams: dict[int, TextIO] = {}

    def install(self) -> None:
        """Put pipes on the descriptors 1 and 2, nothing on 0, and start reading."""
        _replace(0, os.open(os.devnull, os.O_RDONLY))
        for descriptor, stream in ((1, "stdout"), (2, "stderr")):
            reading, writing = os.pipe()
            with contextlib.suppress(OSError):
                fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            os.set_blocking(reading, False)
            self._read[reading] = stream  # type: ignore[assignment]
            self._write[descriptor] = writing
            os.dup2(writing, descriptor)
            self._streams[descriptor] = os.fdopen(descriptor, "w", 1, "utf-8", "replace", closefd=False)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  (a descriptor, open to the end)
        self._restore()
        threading.Thread(target=self._read_on, name="outputs", daemon=True).start()

    def start(self, cell: int) -> None:
        """Begin a cell: its texts are its own, and the streams are in place again."""
        self._drain()
        with self._lock:
            self._send_pending()
            self._cell, self._left, self._is_cut = cell, min(self._limit, self._notebook_left), False
        self._restore()

    def finish(self) -> None:
        """Send all that the cell has printed."""
        for stream in {sys.stdout, sys.stderr, *self._streams.values()}:
            with contextlib.suppress(BaseException):
                stream.flush()
        self._drain()
        with self._lock:
            self._send_pending()

    def result(self, value: str) -> None:
        """Add the text of a displayed object."""
        with self._lock:
            self._add("result", value.encode("utf-8", "replace")[: 4 * self._limit] + b"\n")

    def clear(self) -> None:
        """Drop what was printed and not sent yet, as ``clear_output`` asks."""
        with contextlib.suppress(Exception):
            self._streams[1].flush()
        self._drain()
        with self._lock:
            for pending in self._pending.values():
                pending.clear()

    def _restore(self) -> None:
        """Undo what the student's code has done to the streams."""
        for descriptor, writing in self._write.items():
            if _identity(descriptor) != _identity(writing):
                os.dup2(writing, descriptor)
            if self._streams[descriptor].closed:
                self._streams[descriptor] = os.fdopen(descriptor, "w", 1, "utf-8", "replace", closefd=False)
        sys.stdout = sys.__stdout__ = self._streams[1]  # type: ignore[misc, assignment]
        sys.stderr = sys.__stderr__ = self._streams[2]  # type: ignore[misc, assignment]

    def _read_on(self) -> None:
        poll = select.poll()
        for reading in self._read:
            poll.register(reading, select.POLLIN)
        while True:
            poll.poll()
            self._drain()
            # The pipe holds a lot: reading now and then leaves the interpreter's lock to the notebook.
            time.sleep(_PAUSE_SECONDS)

    def _drain(self) -> None:
        """Take all that waits in the pipes, in whichever thread comes first."""
        with self._lock:
            for reading, stream in self._read.items():
                with contextlib.suppress(BlockingIOError):
                    while data := os.read(reading, _READ_BYTES):
                        self._add(stream, data)

    def _add(self, stream: Stream, data: bytes) -> None:
        pending = self._pending[stream]
        if len(pending) < self._left + 4 * _CHUNK:
            pending += data
        if len(pending) > 4 * _CHUNK and not self._is_cut:
            # Cut at a line's end, so that what a carriage return overwrites is seen as a whole.
            end = pending.rfind(b"\n") + 1 or len(pending)
            self._send(stream, bytes(pending[:end]))
            del pending[:end]

    def _send_pending(self) -> None:
        for stream, pending in self._pending.items():
            if pending:
                self._send(stream, bytes(pending))
                pending.clear()

    def _send(self, stream: Stream, data: bytes) -> None:
        if self._is_cut:
            return
        whole = _as_seen(data.decode("utf-8", "replace"))
        shown = without_paths(whole[: self._left].replace("\b", ""))
        self._is_cut = len(whole) > self._left
        self._left -= len(shown)
        self._notebook_left -= len(shown)
        if self._is_cut:
            shown += "\n[more was printed and is left out]\n"
        for start in range(0, len(shown), _CHUNK):
            part = text(shown[start : start + _CHUNK])
            self._channel.record("output", {"index": self._cell, "stream": stream, "text": part})


def _as_seen(value: str) -> str:
    """Return a text as a terminal shows it, where a carriage return starts its line again."""
    if "\r" not in value:
        return value
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in value.split("\n"))


def _replace(descriptor: int, by: int) -> None:
    if by != descriptor:
        os.dup2(by, descriptor)
        os.close(by)


def _identity(descriptor: int) -> Any:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None  # closed
    return status.st_dev, status.st_ino
