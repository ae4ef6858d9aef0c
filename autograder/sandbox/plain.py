"""Run a job without any isolation, on any system: for who runs her own notebook on her own machine.

    python -I -m autograder.sandbox.plain DESCRIPTOR

The notebook runs in a process of its own and in a temporary folder, so that what it saves under a plain name takes the
place of no file of its owner: its models are hardly trained. Nothing here is for the code of others.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

from autograder.errors import GraderFault
from autograder.sandbox.job import Job, Outcome, encode_job
from autograder.sandbox.limits import Limits
from autograder.sandbox.protocol import Decoder, Frame, ProtocolError

CELL_WALL_SECONDS = 120.0
"""How long one cell may run; whoever waits can also press Ctrl-C."""
_RECEIVED_AT_ONCE = 1 << 20
_EXIT_WALL_SECONDS = 5.0
_LOG_CHARACTERS = 500


def run(job: Job, limits: Limits, data: Path | None) -> Outcome:
    """Run a job to its end and return what came of it; ``data`` as ``Sandbox`` takes it.

    Raises GraderFault where the process did not come as far as the first cell.
    """
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryDirectory(prefix="autograder-plain-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-I", "-m", "autograder.sandbox.plain", str(theirs.fileno())]
        with theirs, Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, *([] if data is None else [str(data.resolve())])],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, pass_fds=[theirs.fileno()],
                cwd=folder, env=_environment(folder),
                # Ctrl-C is for this process alone, which then ends the whole group.
                start_new_session=True,
            )  # fmt: skip
        try:
            watched = _Watched(ours, limits)
            ours.sendall(encode_job(job, limits))
            watched.follow()
        except OSError:
            watched.reason = "the process ended"
        finally:
            _end(process)
        if not watched.started:
            said = Path(folder, "log").read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:]
            raise GraderFault(f"the notebook could not be started: {said}")
        return watched.outcome()


class _Watched:
    """What is known of the run so far."""

    def __init__(self, channel: socket.socket, limits: Limits) -> None:
        self.reason = ""
        self.started = False
        self._channel = channel
        self._limits = limits
        self._frames: list[Frame] = []
        self._ending: Literal["completed", "died", "killed"] = "died"
        self._cell: int | None = None
        self._began = time.monotonic()
        self._deadline = self._began + limits.start_wall_seconds

    def follow(self) -> None:
        """Read until the end of the notebook, of the process, or of the time that a cell may take."""
        decoder = Decoder()
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            while self._ending == "died" and not self.reason:
                if not selector.select(max(0.0, self._deadline - time.monotonic())):
                    self._ending = "killed"
                    self.reason = f"stopped: a cell ran for more than {CELL_WALL_SECONDS:.0f} seconds"
                elif data := self._channel.recv(_RECEIVED_AT_ONCE):
                    try:
                        for frame in decoder.feed(data):
                            self._take(frame)
                    except ProtocolError as error:
                        self._ending, self.reason = "killed", f"stopped: its records could not be read ({error})"
                else:
                    self.reason = "the process ended before the end of the notebook"

    def _take(self, frame: Frame) -> None:
        event, index = frame.header.get("event"), frame.header.get("index")
        if event == "start" and type(index) is int:
            self.started = True
            self._cell, self._deadline = index, time.monotonic() + CELL_WALL_SECONDS
        self._frames.append(frame)
        if len(self._frames) > self._limits.frames:
            self._ending, self.reason = "killed", f"stopped after {self._limits.frames} records"
        if event == "end":
            self._ending = "completed"

    def outcome(self) -> Outcome:
        """Return what came of the run."""
        return Outcome(
            frames=tuple(self._frames),
            ending=self._ending,
            reason=self.reason,
            cell=None if self._ending == "completed" else self._cell,
            interrupted=(),
            cpu_seconds=0.0,
            wall_seconds=time.monotonic() - self._began,
            peak_memory_bytes=0,
            isolation="none",
        )


def _environment(folder: str) -> dict[str, str]:
    return os.environ | {
        "HOME": folder,
        "TMPDIR": folder,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the notebook's process and what it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_EXIT_WALL_SECONDS)


def main() -> None:
    """Be the process in which the notebook runs: the channel is the descriptor that the first argument names."""
    descriptor, *folders = sys.argv[1:]
    connection = socket.socket(fileno=int(descriptor))
    # A notebook's programs look at these; they are none of its business.
    sys.argv[:], sys.orig_argv[:] = [""], []
    from autograder.sandbox.preloading import preload, provide_data

    preload()
    provide_data(Path(folders[0]) if folders else None)
    from autograder.sandbox import runner

    runner.main(connection)
    # Threads and exit handlers of the notebook are not waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
