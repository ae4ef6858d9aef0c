"""A helper process that imports everything once and forks a child for each notebook that a test runs.

The child is the sandbox's runner without its walls: what is tested here is what it does, not what it can not reach.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from autograder.evidence import Evidence, parse
from autograder.sandbox.protocol import Decoder, Frame, encode

TIMEOUT = 120


class WarmProcess:
    """The client's side: ``run`` runs one notebook in a fresh fork."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.autograder.warm", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
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

    def run(self, cells: Sequence[Any], **options: Any) -> Run:
        """Run cells (sources, or dictionaries of a planned cell) to the end; return what came out."""
        channel, pid = self.start(job(cells, **options))
        with channel:
            frames = list(_frames(channel))
        return Run(frames, pid)


class Run:
    """The frames of one execution and the evidence in them."""

    def __init__(self, frames: list[Frame], pid: int) -> None:
        self.frames = frames
        self.pid = pid
        self.evidence: Evidence = parse(frames)
        assert self.evidence.malformed == []

    def printed(self, cell: int, stream: str = "stdout") -> str:
        texts = (o.text for o in self.evidence.outputs if o.index == cell and o.stream == stream)
        return "".join(texts)

    def statuses(self) -> list[str]:
        return [cell.status for cell in self.evidence.cells]


def job(
    cells: Sequence[Any],
    probes: Mapping[str, Any] | None = None,
    seed: int = 7,
    training: str = "record",
    reduced: Sequence[int] = (),
    limits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    planned = []
    for index, cell in enumerate(cells):
        given = {"source": cell} if isinstance(cell, str) else dict(cell)
        given["source"] = textwrap.dedent(given["source"]).strip("\n")
        planned.append({"index": index, "kind": "answer", "question": None, "exports": [], **given})
    return {
        "cells": planned,
        "probes": probes or {},
        "seed": seed,
        "training": training,
        "reduced": list(reduced),
        "limits": limits or {},
    }


def _frames(channel: socket.socket):
    decoder = Decoder()
    while data := channel.recv(1 << 20):
        yield from decoder.feed(data)


def _serve(descriptor: int) -> None:
    """Fork a child for each socket that arrives, until the client is gone."""
    import numpy as np

    from autograder.sandbox import forkserver, runner
    from autograder.sandbox.guest import data

    forkserver.preload()
    data.provide({"mnist": _small_digits(np)})
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, _, _ = socket.recv_fds(server, 1, 1)
        if not message:
            return
        pid = os.fork()
        if pid == 0:
            server.close()
            status = 1
            try:
                runner.main(socket.socket(fileno=descriptors[0]))
                status = 0
            except BaseException:
                import traceback

                traceback.print_exc(file=sys.__stderr__)
            finally:
                os._exit(status)
        os.close(descriptors[0])
        server.sendall(pid.to_bytes(4, "little"))


def _small_digits(np: Any) -> dict[str, Any]:
    """Return a small data set of the shape of MNIST: honest digits where the file is there, else noise."""
    from pathlib import Path

    path = Path(__file__).parents[2] / "data" / "mnist.npz"
    with np.load(path, allow_pickle=False) as archive:
        sizes = {"x_train": 2_000, "y_train": 2_000, "x_test": 500, "y_test": 500}
        return {key: archive[key][:size] for key, size in sizes.items()}




if __name__ == "__main__":
    _serve(int(sys.argv[1]))
