"""A helper process that imports everything once and forks a child for each notebook that a test runs.

The child is the sandbox's runner without its walls: what is tested here is what it does, not what it can not reach.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from autograder.evidence import CellOutcome, Evidence, parse
from autograder.sandbox.limits import Limits
from autograder.sandbox.protocol import Decoder, Frame, encode

TIMEOUT = 240


class Run:
    """The frames of one execution and the evidence in them."""

    def __init__(self, frames: list[Frame], limits: Limits | None = None) -> None:
        self.frames = frames
        self.evidence: Evidence = parse(frames, limits)

    def cell(self, index: int) -> CellOutcome:
        return next(cell for cell in self.evidence.cells if cell.index == index)

    def statuses(self) -> list[str]:
        return [cell.status for cell in self.evidence.cells]

    def printed(self, index: int, stream: str = "stdout") -> str:
        return "".join(o.text for o in self.evidence.outputs if o.index == index and o.stream == stream)


class WarmProcess:
    """The client's side of the helper process."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
            stderr=subprocess.DEVNULL,
        )
        theirs.close()

    def close(self) -> None:
        self._socket.close()
        self._process.wait(TIMEOUT)

    def start(self, job: Mapping[str, Any]) -> tuple[socket.socket, int]:
        """Fork a child for a job; return the channel to it and its process id."""
        ours, theirs = socket.socketpair()
        ours.settimeout(TIMEOUT)
        socket.send_fds(self._socket, [b"x"], [theirs.fileno()])
        theirs.close()
        pid = int.from_bytes(self._socket.recv(4), "little")
        ours.sendall(encode({"event": "job", **job}))
        return ours, pid


@cache
def warm() -> WarmProcess:
    """Return the helper process of this test session."""
    process = WarmProcess()
    atexit.register(process.close)
    return process


def run(cells: Sequence[Any], **options: Any) -> Run:
    """Run cells (sources, or dictionaries of a planned cell) to the end; what comes out must be well formed."""
    channel, _ = warm().start(job(cells, **options))
    with channel:
        result = Run(list(frames(channel)), Limits(**(options.get("limits") or {})))
    assert result.evidence.malformed == []
    return result


def job(
    cells: Sequence[Any],
    probes: Mapping[str, Any] | None = None,
    seed: int = 7,
    training: str = "record",
    reduced: Sequence[int] = (),
    lane: str = "full",
    limits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    planned = []
    for index, cell in enumerate(cells):
        given = {"source": cell} if isinstance(cell, str) else dict(cell)
        given["source"] = textwrap.dedent(given["source"]).strip("\n")
        planned.append({"index": index, "kind": "answer", "question": None, "exports": [], **given})
    options = {"seed": seed, "training": training, "reduced": list(reduced), "lane": lane, "limits": limits or {}}
    return {"cells": planned, "probes": probes or {}, **options}


def frames(channel: socket.socket) -> Iterator[Frame]:
    """Yield the frames that arrive until the child has gone."""
    decoder = Decoder()
    while data := channel.recv(1 << 20):
        yield from decoder.feed(data)


def _serve(descriptor: int) -> None:
    """Fork a child for each socket that arrives, until the client is gone."""
    from autograder.sandbox import forkserver, runner
    from autograder.sandbox.guest import data

    forkserver.preload()
    data.provide({"mnist": _some_digits()})
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, _, _ = socket.recv_fds(server, 1, 1)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            try:
                server.close()
                runner.main(socket.socket(fileno=descriptors[0]))
            finally:
                os._exit(0)
        os.close(descriptors[0])
        server.sendall(pid.to_bytes(4, "little"))


def _some_digits() -> dict[str, Any]:
    """Return the first images of the data set: as many as keep the tests quick."""
    import numpy as np

    with np.load(Path(__file__).parents[2] / "data" / "mnist.npz", allow_pickle=False) as archive:
        sizes = {"x_train": 2_000, "y_train": 2_000, "x_test": 500, "y_test": 500}
        return {key: archive[key][:size] for key, size in sizes.items()}


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
