"""The fork server: imports everything once, holds no secret, and forks a confined child for each request.

    python -I -m autograder.sandbox.forkserver --socket PATH

The first line of its standard input says what it is to serve (``Setup``): a child sees the arguments of the
program that it was forked from, and those name no folder of the course.

Trusted workers connect to the socket (in a folder that nobody else can enter) and send one packet: the
backend, the limits, and the child's end of the event channel as a descriptor. The connection then is
the control socket of that child; see ``launch`` for what is said on it.

Nothing but imports and the reading of data runs here: no TensorFlow operation, so that the eager
context is made in each child, and no line of a student. Children can read all of this memory.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import selectors
import shutil
import signal
import socket
import stat
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from autograder.sandbox import launch, linux, processes
from autograder.sandbox.limits import Limits
from autograder.sandbox.place import Place, survey
from autograder.sandbox.preloading import preload, provide_data

_BACKLOG = 128
_PRIVATE = 0o700
_OWNER_CHECK_SECONDS = 1.0


@dataclass(frozen=True)
class Setup:
    """What a server is told at its start: the folder of the data, and folders that no child may see.

    Without a folder it serves synthetic data.
    """

    data: Path | None
    hidden: tuple[Path, ...] = ()

    def to_line(self) -> bytes:
        """Return it as the one line that the server reads."""
        data = None if self.data is None else str(self.data)
        return json.dumps({"data": data, "hidden": [str(path) for path in self.hidden]}).encode() + b"\n"

    @classmethod
    def read(cls) -> Setup:
        """Read it from standard input, of which nothing else is read; EOFError when the owner has gone before."""
        line = bytearray()
        while not line.endswith(b"\n"):
            piece = os.read(0, 1)
            if not piece:
                raise EOFError("the owner of this server has gone")
            line += piece
        fields = json.loads(line)
        data = None if fields["data"] is None else Path(fields["data"])
        return cls(data, tuple(Path(path) for path in fields["hidden"]))


def main(arguments: list[str] | None = None) -> None:
    """Run the server of real executions until its owner is gone."""
    parser = argparse.ArgumentParser(prog="autograder.sandbox.forkserver")
    parser.add_argument("--socket", type=Path, required=True)
    options = parser.parse_args(arguments)
    # A notebook's programs look at these; they are none of its business.
    sys.argv[:], sys.orig_argv[:] = [""], []

    def prepare(setup: Setup) -> launch.Entry:
        preload()
        provide_data(setup.data)
        from autograder.sandbox.runner import main as run

        return run

    serve(options.socket, prepare)


def serve(path: Path, prepare: Callable[[Setup], launch.Entry]) -> None:
    """Listen at ``path``, prepare, then fork a child for each request until the owner is gone.

    ``path`` lies in a private folder that holds nothing else; the server removes that folder, and the one of homes
    beside it, when it ends.
    The owner holds the other end of standard input: it writes the set-up there, and the end of that stream, or another
    parent, means that it is gone. Clients may connect while ``prepare`` still runs: they wait.
    """
    owner = os.getppid()
    about = path.parent.stat()
    if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) != _PRIVATE:
        raise SystemExit(f"{path.parent} is not a private folder (mode 700) of this user")
    mount_point = path.parent / "root"
    mount_point.mkdir(mode=_PRIVATE, exist_ok=True)
    homes = launch.make_homes(path.parent)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(path))
    listener.listen(_BACKLOG)
    setup = Setup.read()
    place = survey(mount_point, setup.hidden)
    entry = prepare(setup)
    # Monitors report on their own, so nobody waits for them, nor for what a killed monitor leaves.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    linux.become_subreaper()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(KeyboardInterrupt):
        _Server(listener, place, entry).run(owner)
    for folder in (path.parent, homes):
        shutil.rmtree(folder, ignore_errors=True)


class _Server:
    """The loop of the server: accepts connections and serves their one request each."""

    def __init__(self, listener: socket.socket, place: Place, entry: launch.Entry) -> None:
        self._listener = listener
        self._place = place
        self._entry = entry
        # This kind of selector holds no descriptor that a child would have to close.
        self._selector = selectors.PollSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(0, selectors.EVENT_READ)
        self._monitors: set[int] = set()

    def run(self, owner: int) -> None:
        """Serve until standard input ends or the parent is another one."""
        while os.getppid() == owner:
            self._kill_strays()
            for key, _ in self._selector.select(_OWNER_CHECK_SECONDS):
                if key.fd == 0:
                    if not os.read(0, 1):
                        return
                elif key.fileobj is self._listener:
                    self._accept()
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._answer(key.fileobj)

    def _kill_strays(self) -> None:
        """Kill what a monitor has left that was itself killed: without a namespace it comes down to this process."""
        if self._monitors:
            children = processes.children(os.getpid())
            for process in children - self._monitors:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self._monitors &= children

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        peer = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if peer[1] not in (os.geteuid(), 0):
            connection.close()
            return
        self._selector.register(connection, selectors.EVENT_READ)

    def _answer(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        with connection:
            packet, descriptors, _, _ = socket.recv_fds(connection, launch.CONTROL_BYTES, 1)
            channels = [socket.socket(fileno=descriptor) for descriptor in descriptors]
            try:
                if packet and channels:
                    self._monitors.add(launch.start(connection, channels[0], self._confinement(packet), self._entry))
            except Exception as error:
                launch.send(connection, "failed", reason=f"{type(error).__name__}: {error}")
            finally:
                for channel in channels:
                    channel.close()

    def _confinement(self, packet: bytes) -> launch.Confinement:
        request: dict[str, Any] = json.loads(packet)
        backend = request["isolation"]
        if backend not in get_args(launch.Backend):
            raise ValueError(f"no such isolation backend here: {backend!r}")
        return launch.Confinement(backend, Limits.from_json(request["limits"]), self._place)


if __name__ == "__main__":
    main()
