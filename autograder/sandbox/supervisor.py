"""The trusted side of the sandbox: owns a fork server and runs submissions in its confined children.

    with Sandbox(data=root / "data") as sandbox:
        outcome = sandbox.run(job)

Several threads, and several processes through ``server_path``, may share one fork server.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from autograder.errors import GraderFault
from autograder.sandbox import execution, isolation, launch
from autograder.sandbox.forkserver import Setup
from autograder.sandbox.job import Job, Outcome, PlannedCell, encode_job
from autograder.sandbox.limits import Limits
from autograder.scratch import hold, remove_abandoned

__all__ = ["Job", "Limits", "Outcome", "PlannedCell", "Sandbox"]

_STOP_WALL_SECONDS = 5.0
_LONGEST_SOCKET_PATH = 100
_LOG_CHARACTERS = 2000
_FOLDER_PREFIX = "autograder-server-"


class Sandbox:
    """Runs jobs, each in a child of its own that can reach nothing.

    ``isolation`` names the backend; ``auto`` takes the best complete one. ``data`` is the folder of data
    files that students may load; with None they get synthetic data, and nothing may be graded. ``server`` is the
    socket of a fork server that somebody else owns; without it, or when that one is dead, this object starts its
    own. ``hidden`` are folders that no child may see even where they lie inside the interpreter's folders; the
    folder above ``data`` is always one.
    """

    def __init__(
        self,
        isolation: str = "auto",
        limits: Limits | None = None,
        data: Path | None = Path("data"),
        server: Path | None = None,
        hidden: Sequence[Path] = (),
    ) -> None:
        self._isolation = isolation
        self._limits = limits or Limits()
        self._data = None if data is None else data.resolve()
        self._foreign_server = server
        self._hidden = (*(() if self._data is None else (self._data.parent,)), *hidden)
        self._own: _Server | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Sandbox:
        """Start the fork server; return at once."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the fork server and everything below it."""
        self.close()

    @property
    def server_path(self) -> Path:
        """The socket of the fork server in use, for the ``server`` argument of other workers."""
        with self._lock:
            return self._server_path()

    def start(self) -> None:
        """Have a fork server start, if none runs yet; it imports TensorFlow while the caller goes on."""
        with self._lock:
            self._server_path()

    def close(self) -> None:
        """Stop the own fork server, and with it all its children."""
        with self._lock:
            if self._own is not None:
                self._own.stop()
            self._own = None

    def run(self, job: Job) -> Outcome:
        """Run one job to its end and return what came of it; no process of it is left.

        Raises IsolationUnavailable when no complete isolation runs on this machine, and GraderFault when the
        sandbox itself failed, twice. Nothing that a submission does raises.
        """
        backend = isolation.choose(self._isolation)
        message = encode_job(job, self._limits)
        cells = frozenset(cell.index for cell in job.cells)
        path = self._current_path()
        try:
            seen = self._execute(path, backend, message, cells)
        except (execution.ChildLost, OSError) as error:
            self._replace(path, broken=isinstance(error, execution.ChildSurvived))
            try:
                seen = self._execute(self._current_path(), backend, message, cells)
            except (execution.ChildLost, OSError) as error:
                raise GraderFault(f"the sandbox failed twice: {error}. {self._log()}") from error
        return Outcome(
            frames=tuple(seen.frames),
            ending=seen.ending,
            reason=seen.reason,
            cell=seen.cell if seen.ending != "completed" else None,
            interrupted=tuple(seen.interrupted),
            cpu_seconds=seen.cpu_seconds,
            wall_seconds=seen.wall_seconds,
            peak_memory_bytes=seen.peak_memory_bytes,
            isolation=backend,
        )

    def _execute(self, path: Path, backend: str, message: bytes, cells: frozenset[int]) -> execution.Watched:
        ours, theirs = socket.socketpair()
        with ours, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
            with theirs:
                self._connect(control, path)
                request = json.dumps({"isolation": backend, "limits": self._limits.to_json()}).encode()
                socket.send_fds(control, [request], [theirs.fileno()])
            return execution.run(control, ours, message, cells, self._limits)

    def _connect(self, control: socket.socket, path: Path) -> None:
        """Connect to the server, which may still be on its way to its socket."""
        deadline = time.monotonic() + self._limits.start_wall_seconds
        while True:
            try:
                control.connect(str(path))
                return
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline or not self._may_be_starting(path):
                    raise
            time.sleep(0.02)

    def _may_be_starting(self, path: Path) -> bool:
        own = self._own
        if own is not None and own.path == path:
            return own.is_alive()
        # Of somebody else's server the folder is seen alone: it is there before the socket, and goes with it.
        return path.parent.exists() and not path.exists()

    def _current_path(self) -> Path:
        with self._lock:
            return self._server_path()

    def _server_path(self) -> Path:
        if self._foreign_server is not None:
            return self._foreign_server
        if self._own is None:
            self._own = _Server(self._command(), self._data, self._hidden)
        return self._own.path

    def _command(self) -> list[str]:
        """Return the program that is the fork server, without its arguments."""
        return [sys.executable, "-I", "-m", "autograder.sandbox.forkserver"]

    def _replace(self, path: Path, broken: bool) -> None:
        """Give up the server at ``path`` if it is broken or does not answer; another thread may have done so."""
        if not broken and _answers(path):
            return
        with self._lock:
            if self._foreign_server == path:
                self._foreign_server = None
            elif self._own is not None and self._own.path == path:
                self._own.stop()
                self._own = None

    def _log(self) -> str:
        with self._lock:
            return self._own.log() if self._own is not None else ""


class _Server:
    """A fork server process in its private folder; it ends when this process does."""

    def __init__(self, command: list[str], data: Path | None, hidden: Sequence[Path]) -> None:
        self._folder = _private_folder()
        self._lock = hold(self._folder)
        self.path = self._folder / "socket"
        home = self._folder / "home"
        home.mkdir(mode=0o700)
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--socket", str(self.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=_environment(home),
                cwd=self._folder,
                start_new_session=True,
                # It holds the folder too, and so does each monitor: what outlives the owner is not abandoned.
                pass_fds=[self._lock],
            )
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has failed already, and its log says why
            self._process.stdin.write(Setup(data, tuple(hidden)).to_line())
            self._process.stdin.flush()

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.poll() is None

    def log(self) -> str:
        """Return the end of what the server wrote to its standard error."""
        try:
            return (self._folder / "log").read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:]
        except OSError:
            return ""

    def stop(self) -> None:
        """Ask the server to end by closing its standard input, kill it if it does not, and tidy up."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_WALL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for folder in (self._folder, launch.homes_beside(self._folder)):
            shutil.rmtree(folder, ignore_errors=True)
        os.close(self._lock)


def _answers(path: Path) -> bool:
    """Tell whether the fork server at ``path`` is there and takes connections."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(_STOP_WALL_SECONDS)
        try:
            connection.connect(str(path))
            connection.shutdown(socket.SHUT_WR)
            return not connection.recv(1)
        except OSError:
            return False


def _private_folder() -> Path:
    """Make the folder of a server, and remove those of servers that were killed together with their owners."""
    remove_abandoned(_FOLDER_PREFIX, launch.homes_beside)
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
    if len(str(folder)) > _LONGEST_SOCKET_PATH - len("/socket"):
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir="/tmp"))
    return folder


def _environment(home: Path) -> dict[str, str]:
    """Return the clean environment of the server: nothing of the caller's but where libraries are."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return kept | {
        "HOME": str(home),
        "PATH": f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "agg",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "-1",
        # Threads would not survive the fork, and those of one student would slow the neighbours.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
