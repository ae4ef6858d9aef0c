"""Watch one execution: read its frames, meter its tree, and stop it at its limits.

Everything that arrives on the event channel was written by a process in which a student's code runs.
What ends an execution is decided by what the kernel says (CPU time, memory, exits) alone.
"""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from autograder.sandbox import launch, linux, scratch
from autograder.sandbox.clock import CellClock
from autograder.sandbox.limits import MEBIBYTE, Limits
from autograder.sandbox.protocol import Decoder, Frame, ProtocolError
from autograder.sandbox.tree import Tree, Usage

_RECEIVE_BYTES = 1 * MEBIBYTE
_EXIT_WALL_SECONDS = 2.0
_OUTPUT_SLACK = 4_000  # the runner's last piece and its remark that the rest was cut

Ending = Literal["completed", "died", "killed"]


class ChildLost(Exception):
    """Raised when the fork server or a monitor failed: the execution says nothing about the student."""


class ChildSurvived(ChildLost):
    """Raised when a child was killed and something of it is still there."""


class _Stop(Exception):
    """Raised inside the watch to end it: why, and how that is to be called."""

    def __init__(self, ending: Ending, reason: str) -> None:
        super().__init__(reason)
        self.ending: Ending = ending


@dataclass
class Watched:
    """What is known of an execution so far; times are CPU seconds, of the tree, since its start."""

    frames: list[Frame] = field(default_factory=list)
    ending: Ending = "died"
    reason: str = ""
    cell: int | None = None
    interrupted: list[int] = field(default_factory=list)
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_memory_bytes: int = 0


def run(control: socket.socket, channel: socket.socket, job: bytes, cells: frozenset[int], limits: Limits) -> Watched:
    """Send the job to a child that is being confined and watch it to its end; then nothing of it is left.

    ``cells`` are the indices that the child may announce. Raises ChildLost when the trusted part failed.
    """
    with ExitStack() as stack:
        execution = _Execution(control, channel, cells, limits, stack)
        try:
            execution.wait_until_started()
            execution.send_job(job)
            execution.watch()
        except _Stop as stop:
            execution.seen.ending, execution.seen.reason = stop.ending, str(stop)
        finally:
            execution.kill()
        execution.say_if_memory_was_exhausted()
        return execution.seen


class _Execution:
    """One execution; descriptors that arrive are closed by the caller's exit stack."""

    def __init__(
        self,
        control: socket.socket,
        channel: socket.socket,
        cells: frozenset[int],
        limits: Limits,
        stack: ExitStack,
    ) -> None:
        self.seen = Watched()
        self._control = control
        self._channel = channel
        self._cells = cells
        self._limits = limits
        self._stack = stack
        self._decoder = Decoder()
        self._received_bytes = 0
        self._output_characters = self._notebook_output_characters = 0
        self._init: int | None = None
        self._init_process: int | None = None
        self._runner: int | None = None
        self._proc: int | None = None
        self._home: Path | None = None
        self._user: int | None = None
        self._tree: Tree | None = None
        self._status: int | None = None
        self._gone = False
        self._memory_exhausted = False
        self._started_wall = time.monotonic()
        self._clock = CellClock(limits)
        self._announced: set[int] = set()

    # Starting

    def wait_until_started(self) -> None:
        """Wait until the child is confined and its runner waits for the job."""
        deadline = time.monotonic() + self._limits.start_wall_seconds
        # Two processes speak on the control socket, so either message may come first.
        while self._init is None or self._runner is None:
            self._read_control(max(0.0, deadline - time.monotonic()))
        assert self._proc is not None
        self._tree = Tree(self._proc, None if self._home is None else self._init_process)
        self._started_wall = time.monotonic()

    def send_job(self, job: bytes) -> None:
        """Send the job; no line of the student runs before all of it has arrived."""
        self._channel.settimeout(self._limits.start_wall_seconds)
        try:
            self._channel.sendall(job)
        except TimeoutError as error:
            raise ChildLost("the runner did not take the job") from error
        except OSError:
            pass  # it died first: the control socket tells how

    # Watching

    def watch(self) -> None:
        """Read frames until the end of the notebook, the end of the process, or a limit (as ``_Stop``)."""
        self._channel.setblocking(False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(self._control, selectors.EVENT_READ)
            next_poll = time.monotonic()
            while True:
                for key, _ in selector.select(max(0.0, next_poll - time.monotonic())):
                    if key.fileobj is self._control:
                        self._read_control(0.0)
                    elif not self._read_channel():
                        self._classify_exit()
                if self._gone:
                    selector.unregister(self._control)
                    self._drain()
                if time.monotonic() >= next_poll:
                    self._check_limits()
                    next_poll = time.monotonic() + self._limits.poll_wall_seconds

    def _read_channel(self) -> bool:
        """Read what is there; False at the end of the stream."""
        try:
            data = self._channel.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        self._received_bytes += len(data)
        try:
            for frame in self._decoder.feed(data):
                self._take(frame)
        except ProtocolError as error:
            raise _Stop("killed", f"stopped because its records could not be read: {error}") from error
        self._check_stream()
        return True

    def _take(self, frame: Frame) -> None:
        event, record = frame.header.get("event"), frame.header.get("record")
        if event == "output" and not self._keep_output(record):
            return
        if event == "start":
            self._announce(frame.header.get("index"))
        if event == "cell" and isinstance(record, Mapping) and record.get("index") == self.seen.cell:
            self.seen.cell = None
        self.seen.frames.append(frame)
        if len(self.seen.frames) > self._limits.frames:
            raise _Stop("killed", f"stopped after {self._limits.frames} records")
        if event == "end":
            raise _Stop("completed", "")

    def _announce(self, index: Any) -> None:
        """A cell starts, and its clock; one that is announced twice or was never planned starts no clock."""
        if type(index) is not int or index not in self._cells or index in self._announced:
            return
        self._announced.add(index)
        self.seen.cell = index
        self._output_characters = 0
        self._meter()
        self._clock.start_cell(self.seen.cpu_seconds)

    def _keep_output(self, record: Any) -> bool:
        text = record.get("text") if isinstance(record, Mapping) else None
        size = len(text) if isinstance(text, str) else 1000
        self._output_characters += size
        if self._output_characters > self._limits.output_characters + _OUTPUT_SLACK:
            return False
        self._notebook_output_characters += size
        return self._notebook_output_characters <= self._limits.notebook_output_characters + _OUTPUT_SLACK

    def _check_stream(self) -> None:
        if self._received_bytes > self._limits.stream_bytes:
            raise _Stop("killed", f"stopped after {self._limits.stream_bytes / MEBIBYTE:.0f} MiB of results")
        if self._decoder.header_bytes > self._limits.header_bytes:
            raise _Stop("killed", f"stopped after {self._limits.header_bytes / MEBIBYTE:.0f} MiB of records")

    # Limits

    def _meter(self) -> Usage:
        """Measure the tree; stop it above its memory."""
        assert self._tree is not None
        with self._looking():
            usage = self._tree.measure(self._limits.memory_bytes)
        self.seen.cpu_seconds = max(self.seen.cpu_seconds, usage.cpu_seconds)
        self.seen.peak_memory_bytes = max(self.seen.peak_memory_bytes, usage.memory_bytes)
        if usage.memory_bytes > self._limits.memory_bytes:
            raise _Stop("killed", self._above_memory())
        return usage

    def _check_limits(self) -> None:
        limits = self._limits
        usage = self._meter()
        if usage.processes > limits.processes:
            raise _Stop("killed", f"stopped above {limits.processes} processes at once")
        if usage.tasks > limits.tasks:
            raise _Stop("killed", f"stopped above {limits.tasks} processes and threads at once")
        if usage.open_files > limits.all_open_files:
            raise _Stop("killed", f"stopped above {limits.all_open_files} open files at once")
        if self.seen.cpu_seconds > limits.notebook_cpu_seconds:
            raise _Stop("killed", f"stopped after {limits.notebook_cpu_seconds:g} CPU seconds in all")
        if self._home is not None:
            with self._looking():
                written = scratch.problem(self._home, usage.members, limits)
            if written:
                raise _Stop("killed", written)
        if time.monotonic() - self._started_wall > limits.notebook_wall_seconds:
            raise _Stop("killed", f"stopped after {limits.notebook_wall_seconds:g} seconds of waiting")
        reason = self._clock.problem(self.seen.cpu_seconds, in_cell=self.seen.cell is not None)
        if reason is None:
            return
        if self._clock.may_interrupt():
            assert self._runner is not None
            self._clock.interrupted(self.seen.cpu_seconds)
            if self.seen.cell is not None:
                self.seen.interrupted.append(self.seen.cell)
            _signal(self._runner, signal.SIGINT)
        elif self._clock.grace_is_over(self.seen.cpu_seconds):
            raise _Stop("killed", reason)

    def _looking(self) -> AbstractContextManager[None]:
        return nullcontext() if self._user is None else linux.looking_as(self._user)

    # Ending

    def _classify_exit(self) -> None:
        """The stream has ended before the notebook: say why, as ``_Stop``."""
        deadline = time.monotonic() + _EXIT_WALL_SECONDS
        while self._status is None and not self._gone and time.monotonic() < deadline:
            self._read_control(deadline - time.monotonic(), patient=True)
        if self._gone and self._status is None and not self._memory_exhausted:
            # No submission can kill init, which alone knows how the runner ended; only the kernel, out of memory.
            raise ChildLost("the first process of the sandbox was killed from outside")
        raise _Stop("died", self._describe_exit())

    def _drain(self) -> None:
        """The process is gone; read what it had sent, which ends with the end of the stream."""
        self._channel.settimeout(_EXIT_WALL_SECONDS)
        while self._read_channel():
            pass
        self._classify_exit()

    def _describe_exit(self) -> str:
        if self._status is None:
            return "the process closed its channel to the grader"
        code = os.waitstatus_to_exitcode(self._status)
        if code >= 0:
            return f"the process ended with exit status {code} before the end of the notebook"
        try:
            name = f" ({signal.Signals(-code).name})"
        except ValueError:
            name = ""
        return f"the process ended by signal {-code}{name}"

    def kill(self) -> None:
        """Kill the whole tree and wait until nothing is left of it; raise ChildLost where that is not seen."""
        if self._init is None:
            return
        _signal(self._init, signal.SIGKILL)
        deadline = time.monotonic() + self._limits.gone_wall_seconds
        try:
            while not self._gone:
                self._read_control(deadline - time.monotonic(), patient=True)
                if not self._gone and time.monotonic() > deadline:
                    raise ChildSurvived(f"a child was still there {self._limits.gone_wall_seconds:g} s after its kill")
        except ChildSurvived:
            raise
        except ChildLost:
            # Its monitor is dead, and init with it; its pid namespace ends before init does.
            select.select([self._init], [], [], self._limits.gone_wall_seconds)
            raise
        self.seen.wall_seconds = time.monotonic() - self._started_wall

    def say_if_memory_was_exhausted(self) -> None:
        """Name the kernel's kill of an exhausted group by its cause; it arrives as a death like any other."""
        if self._memory_exhausted and self.seen.ending == "died" and self._status in (None, signal.SIGKILL):
            self.seen.ending, self.seen.reason = "killed", self._above_memory()

    def _above_memory(self) -> str:
        return f"stopped above {self._limits.memory_bytes / MEBIBYTE:.0f} MiB of memory"

    # The control socket

    def _read_control(self, timeout: float, patient: bool = False) -> None:
        """Read one control message; ``patient`` callers accept that none comes in time."""
        self._control.settimeout(max(timeout, 0.001))
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._control, launch.CONTROL_BYTES, 2)
        except (TimeoutError, BlockingIOError) as error:
            if patient:
                return
            raise ChildLost("the fork server or a monitor does not answer") from error
        except OSError as error:
            raise ChildLost(f"the connection to the fork server broke: {error}") from error
        for descriptor in descriptors:
            self._stack.callback(os.close, descriptor)
        if not packet:
            raise ChildLost("the fork server or a monitor died")
        self._obey(json.loads(packet), descriptors)

    def _obey(self, message: dict[str, Any], descriptors: list[int]) -> None:
        match message["event"]:
            case "forked":
                (self._init,) = descriptors
                self._init_process = message["process"]
            case "started":
                self._runner, self._proc = descriptors
                self._home = Path(message["home"]) if message["home"] else None
                self._user = message["user"]
            case "exited":
                self._status = message["status"]
            case "gone":
                self._gone = True
                self._memory_exhausted = bool(message.get("memory_exhausted"))
                self.seen.cpu_seconds = max(self.seen.cpu_seconds, message["cpu_seconds"])
                self.seen.peak_memory_bytes = max(self.seen.peak_memory_bytes, message["peak_resident_bytes"])
            case "failed":
                raise ChildLost(f"a child was lost: {message['reason']}")


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it has ended by itself
        signal.pidfd_send_signal(process, number)
