"""The child's end of the socket: whole frames, in order, from one process, never cut by an interrupt."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Literal

import numpy as np

from autograder.sandbox.protocol import BLOBS_PER_FRAME_LIMIT, Decoder, Frame, encode

Table = Literal["model", "array"]
_RECEIVED_AT_ONCE = 65_536


class Interrupts:
    """SIGINT as the stop button of a notebook: it reaches the student's code and nothing else.

    ``arrived`` tells whether one came since ``clear``. Outside of ``student`` blocks an interrupt is only noted; inside
    a ``protected`` block it waits until the block ends.
    """

    def __init__(self) -> None:
        self.arrived = False
        self._student = 0
        self._protected = 0
        self._waiting = False

    def install(self) -> None:
        """Make this the handler of SIGINT; a handler that the student's code has set is replaced."""
        signal.signal(signal.SIGINT, self._handle)

    def clear(self) -> None:
        """Forget earlier interrupts."""
        self.arrived = self._waiting = False

    @contextmanager
    def student(self) -> Iterator[None]:
        """Mark a block in which the student's code runs and may be interrupted."""
        self._student += 1
        try:
            yield
        finally:
            self._student -= 1

    @contextmanager
    def protected(self) -> Iterator[None]:
        """Mark a block that must not be cut short, such as writing a frame."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._protected += 1
        try:
            yield
        finally:
            self._protected -= 1
        if self._waiting and not self._protected and self._student:
            self._waiting = False
            raise KeyboardInterrupt

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self.arrived = True
        if not self._student:
            return
        if self._protected:
            self._waiting = True
            return
        raise KeyboardInterrupt


class Blobs:
    """The raw arrays of one frame, referred to from its record by position."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []

    @property
    def full(self) -> bool:
        """Whether the frame has room for hardly any more."""
        return len(self.raw) >= BLOBS_PER_FRAME_LIMIT - 4

    def add(self, values: np.ndarray[Any, Any]) -> dict[str, Any]:
        """Take an array in and return the reference to it; its dtype becomes one of those that may cross."""
        values = np.ascontiguousarray(values).astype(wire_dtype(values.dtype), copy=False)
        self.raw.append(values.tobytes())
        return {
            "blob": len(self.raw) - 1,
            "dtype": values.dtype.str,
            "shape": [int(side) for side in values.shape],
        }


def wire_dtype(dtype: np.dtype[Any]) -> str:
    """Return the dtype in which numbers of a kind cross the socket."""
    if dtype.kind == "b":
        return "|b1"
    if dtype == np.uint8:
        return "|u1"
    if dtype.kind in "iu":
        return "<i8"
    return "<f8" if dtype == np.float64 else "<f4"


class Channel:
    """Send frames to the trusted side and count the rows of its tables."""

    def __init__(self, connection: socket.socket, interrupts: Interrupts) -> None:
        self._connection = connection
        self.interrupts = interrupts
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._rows: dict[str, int] = {"model": 0, "array": 0}
        connection.setblocking(True)

    @property
    def owned(self) -> bool:
        """Whether this is the process that was started for the notebook, and not a fork that its code made."""
        return os.getpid() == self._owner

    def receive(self) -> Frame:
        """Wait for one frame; raise EOFError when the other side has gone."""
        decoder = Decoder()
        while True:
            data = self._connection.recv(_RECEIVED_AT_ONCE)
            if not data:
                raise EOFError("the trusted side closed the connection")
            for frame in decoder.feed(data):
                return frame

    def send(self, header: dict[str, Any], blobs: Blobs | None = None) -> None:
        """Send one frame as a whole."""
        if not self.owned:
            return
        data = encode(header, blobs.raw if blobs else ())
        with self.interrupts.protected(), self._lock:
            self._connection.sendall(data)

    def record(self, event: str, record: dict[str, Any], blobs: Blobs | None = None) -> None:
        """Send one record of an event."""
        self.send({"event": event, "record": record}, blobs)

    def row(self, table: Table, build: Callable[[Blobs], dict[str, Any]]) -> int:
        """Send a row of a table and return its position in it."""
        with self.interrupts.protected(), self._lock:
            blobs = Blobs()
            self.record(table, build(blobs), blobs)
            self._rows[table] += 1
            return self._rows[table] - 1
