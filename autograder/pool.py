"""A pool of trusted worker processes that survives the death of any of them.

``concurrent.futures`` gives up a whole pool when one process dies and can not say whose task
killed it; here the task is tried once more in a new process, then given up, and the others
go on. Tasks and results are strings, so that nothing is unpickled on the way back.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from autograder import errors
from autograder.sandbox import linux

MakeWork = Callable[[], AbstractContextManager[Callable[[str], str]]]
"""Makes what a worker does, in the worker, once: a picklable function of no arguments."""

ATTEMPTS = 2
START_ATTEMPTS = 3
TICK_WALL_SECONDS = 0.5
STOP_WALL_SECONDS = 3.0


@dataclass(frozen=True)
class Started:
    """A worker has begun with a task."""

    task: int


@dataclass(frozen=True)
class Finished:
    """A task has its result."""

    task: int
    result: str


@dataclass(frozen=True)
class Retried:
    """A task has failed once and waits for its second attempt."""

    task: int
    reason: str


@dataclass(frozen=True)
class Failed:
    """A task has failed for the last time."""

    task: int
    reason: str


@dataclass(frozen=True)
class Tick:
    """Nothing happened for a moment."""


Event = Started | Finished | Retried | Failed | Tick


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    ready: bool = False
    task: int | None = None
    since: float = field(default_factory=time.monotonic)


def run(
    make: MakeWork, tasks: Sequence[str], jobs: int, log: Path, patience_wall_seconds: float
) -> Generator[Event, None, None]:
    """Yield what happens while at most ``jobs`` workers do the tasks; closing the iterator ends them all.

    What workers print goes to ``log``. A task that takes longer than ``patience_wall_seconds`` counts as
    failed. Raises the AutograderError that a worker met while it was being made, and GraderFault when
    workers die as they start.
    """
    pool = _Pool(make, tasks, jobs, log, patience_wall_seconds)
    try:
        while pool.unfinished:
            yield from pool.step()
    finally:
        pool.stop()


class _Pool:
    def __init__(
        self, make: MakeWork, tasks: Sequence[str], jobs: int, log: Path, patience_wall_seconds: float
    ) -> None:
        self._make = make
        self._tasks = tasks
        self._jobs = jobs
        self._log = log
        self._patience = patience_wall_seconds
        self._queue = deque(range(len(tasks)))
        self._attempts = dict.fromkeys(range(len(tasks)), 0)
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self.unfinished = len(tasks)

    def step(self) -> Iterator[Event]:
        """Start what can start, wait a moment, and yield what happened."""
        while len(self._workers) < min(self._jobs, self.unfinished):
            self._workers.append(_start(self._make, self._log))
        yield from self._hand_out()
        sources: list[Any] = [worker.connection for worker in self._workers]
        sources += [worker.process.sentinel for worker in self._workers]
        ready = wait(sources, TICK_WALL_SECONDS)
        if not ready:
            yield Tick()
        for worker in list(self._workers):
            if worker not in self._workers:
                continue  # lost as it was given its next task
            if worker.connection in ready:
                yield from self._receive(worker)
            elif worker.process.sentinel in ready:
                yield from self._lose(worker, _ending(worker.process))
            elif worker.task is not None and time.monotonic() - worker.since > self._patience:
                yield from self._lose(worker, f"was not done within {self._patience:.0f} seconds")

    def stop(self) -> None:
        """End all workers."""
        for worker in self._workers:
            _end(worker)
        self._workers.clear()

    def _hand_out(self) -> Iterator[Event]:
        for worker in list(self._workers):
            if not (worker.ready and worker.task is None and self._queue):
                continue
            task = self._queue.popleft()
            worker.task, worker.since = task, time.monotonic()
            self._attempts[task] += 1
            try:
                worker.connection.send_bytes(self._tasks[task].encode())
            except OSError:
                yield from self._lose(worker, _ending(worker.process))
            else:
                yield Started(task)

    def _receive(self, worker: _Worker) -> Iterator[Event]:
        try:
            message = json.loads(worker.connection.recv_bytes())
        except (EOFError, OSError):
            yield from self._lose(worker, _ending(worker.process))
            return
        match message["event"]:
            case "ready":
                worker.ready = True
                self._failed_starts = 0
            case "result" if worker.task is not None:
                task, worker.task = worker.task, None
                self.unfinished -= 1
                # The worker goes on while whoever listens writes the result.
                handed_out = list(self._hand_out())
                yield Finished(task, message["text"])
                yield from handed_out
            case "failed":
                yield from self._lose(worker, message["text"])
            case _:
                raise _error(message["kind"], message["text"])

    def _lose(self, worker: _Worker, reason: str) -> Iterator[Event]:
        """Give a worker up; its task is tried again or given up as well."""
        _end(worker)
        self._workers.remove(worker)
        if worker.task is None:
            self._failed_starts += not worker.ready
            if self._failed_starts >= START_ATTEMPTS:
                raise errors.GraderFault(f"the grading processes {reason} as they start; see {self._log}")
        elif self._attempts[worker.task] < ATTEMPTS:
            self._queue.appendleft(worker.task)
            yield Retried(worker.task, reason)
        else:
            self.unfinished -= 1
            yield Failed(worker.task, reason)


def _start(make: MakeWork, log: Path) -> _Worker:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_main, args=(theirs, make, log), daemon=True)
    # Ctrl-C reaches the whole group: it waits until the worker has said what to do with it (nothing).
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with _safe_path():
            process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    theirs.close()
    return _Worker(process, ours)


@contextlib.contextmanager
def _safe_path() -> Iterator[None]:
    """Keep a new Python from looking for modules in the current folder, which may be a student's with a pickle.py."""
    name = "PYTHONSAFEPATH"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        # What else this process starts is none of ours to change.
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _end(worker: _Worker) -> None:
    worker.connection.close()
    worker.process.terminate()
    worker.process.join(STOP_WALL_SECONDS)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()


def _ending(process: SpawnProcess) -> str:
    process.join(STOP_WALL_SECONDS)
    code = process.exitcode
    if code is not None and code < 0:
        return f"ended by signal {-code}"
    return "ended without a word"


def _error(kind: str, text: str) -> errors.AutograderError:
    """Return an error that a worker met, of its class in our own tree."""
    found = getattr(errors, kind, None)
    if isinstance(found, type) and issubclass(found, errors.AutograderError):
        return found(text)
    return errors.GraderFault(text)


def _main(connection: Connection, make: MakeWork, log: Path) -> None:
    """Do tasks until there are none: the main function of a worker."""
    # A handler of our own, not SIG_IGN, which every process started from here would inherit.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _redirect_output(log)
    if not _bound_to_parent():
        return
    # A parent that has gone away is no reason to complain.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        _work(connection, make)


def _bound_to_parent() -> bool:
    """Have this process end with its parent, however that ends; False where the parent is gone already.

    A worker hears of it by itself only when its submission is done, which may take an hour.
    """
    if sys.platform == "linux":
        linux.die_with_parent()
    parent = parent_process()
    return parent is not None and parent.is_alive()


def _work(connection: Connection, make: MakeWork) -> None:
    def send(event: str, text: str, kind: str = "") -> None:
        connection.send_bytes(json.dumps({"event": event, "text": text, "kind": kind}).encode())

    try:
        with make() as work:
            send("ready", "")
            while True:
                task = connection.recv_bytes().decode()
                try:
                    result = work(task)
                except (errors.IsolationUnavailable, errors.InputError):
                    raise
                except Exception as error:
                    traceback.print_exc()
                    # Students may read this one; the rest is for the log alone.
                    send("failed", f"met an unexpected {type(error).__name__}")
                    return
                send("result", result)
    except errors.AutograderError as error:
        send("fatal", str(error), type(error).__name__)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:
        traceback.print_exc()
        send("failed", f"met an unexpected {type(error).__name__} ({error})")


def _redirect_output(log: Path) -> None:
    """Send what this process and the libraries in it print to the log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
