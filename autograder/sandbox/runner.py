"""Runs the cells of one notebook inside the sandbox and streams what they leave.

The process is forked from a server in which everything is imported, confined, and then enters ``main`` with one
socket. Nothing that a cell does ends the notebook: only the end of the process does, and the trusted side sees that.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import os
import resource
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from autograder.sandbox.guest import data, recording, tolerance
from autograder.sandbox.guest.arrays import SAMPLED_ROWS, ArrayTable
from autograder.sandbox.guest.channel import Channel, Interrupts
from autograder.sandbox.guest.errors import CELL_FILE, error_text, traceback_text
from autograder.sandbox.guest.export import Exporter
from autograder.sandbox.guest.figures import Figures
from autograder.sandbox.guest.lookup import Namespace
from autograder.sandbox.guest.outputs import Outputs
from autograder.sandbox.guest.plain import text
from autograder.sandbox.guest.session import Session, Training
from autograder.sandbox.guest.shell import NotebookShell, make_shell
from autograder.sandbox.guest.snapshots import ModelTable
from autograder.sandbox.limits import Lane, Limits

_RESUMPTIONS_LIMIT = 20
_ROWS_LIMIT = 256


@dataclass(frozen=True)
class Cell:
    """One code cell: ``exports`` are the questions whose probes are exported when it ends."""

    index: int
    source: str
    kind: str
    question: str | None
    exports: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """What to run, as the trusted side sends it."""

    cells: tuple[Cell, ...]
    probes: Mapping[str, Mapping[str, Any]]
    seed: int
    training: Training
    reduced: frozenset[int]
    limits: Limits
    lane: Lane = "full"

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> Job:
        """Read the job from its frame; it comes from the trusted side."""
        cells = [Cell(**{**cell, "exports": tuple(cell["exports"])}) for cell in header["cells"]]
        return cls(
            cells=tuple(cells),
            probes=header["probes"],
            seed=int(header["seed"]),
            training=header["training"],
            reduced=frozenset(header.get("reduced", ())),
            limits=Limits.from_json(header.get("limits") or {}),
            lane=header.get("lane", "full"),
        )

    @property
    def rows(self) -> int:
        """How many rows of an array are exported: as many as the most demanding probe asks for."""
        asked: list[int] = [probe.get("rows", 0) for labels in self.probes.values() for probe in labels.values()]
        return min(_ROWS_LIMIT, max([SAMPLED_ROWS, *asked]))


def main(connection: socket.socket) -> None:
    """Receive one job, run it, stream its records, and return when the notebook has ended.

    The caller leaves the process by ``os._exit``: threads and exit handlers of the notebook are not waited for.
    """
    # The fork server ignores the ends of its children; a notebook waits for those that it starts.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    interrupts = Interrupts()
    interrupts.install()
    channel = Channel(connection, interrupts)
    channel.send({"event": "ready"})
    job = Job.from_header(channel.receive().header)
    Runner(job, channel, interrupts).run()


class Runner:
    """One notebook, from the first cell to the last."""

    def __init__(self, job: Job, channel: Channel, interrupts: Interrupts) -> None:
        self._job = job
        self._channel = channel
        self._interrupts = interrupts
        self._outputs = Outputs(channel, job.limits.output_characters, job.limits.notebook_output_characters)
        self._outputs.install()
        self._prepare_libraries()
        self._session = Session(
            channel,
            ArrayTable(channel, job.seed, job.rows, job.limits),
            ModelTable(channel, job.limits, job.seed),
            training=job.training,
            limits=job.limits,
            lane=job.lane,
        )
        self._figures = Figures(self._session)
        recording.install(self._session)
        self._figures.install()
        self._shell: NotebookShell = make_shell(
            self._outputs.result, self._figures.record, self._outputs.clear, self._end_figures
        )
        self._builtins = dict(vars(builtins))
        self._namespace = Namespace(self._shell.user_ns)
        self._exporter = Exporter(self._session, self._namespace, self._figures, interrupts, job.probes)
        self._stopped: list[Cell] = []

    def run(self) -> None:
        """Run all cells, export what is left, and say that the end was reached."""
        for cell in self._job.cells:
            self._run(cell)
            if not self._channel.owned:
                os._exit(0)  # a fork that the notebook has made and that came back from its cell
        self._exporter.finish()
        for cell in self._stopped:
            self._run_with_stand_ins(cell)
        self._channel.send({"event": "end"})

    def _prepare_libraries(self) -> None:
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(self._job.limits.threads)
            tf.config.threading.set_inter_op_parallelism_threads(self._job.limits.threads)
        keras.utils.set_random_seed(self._job.seed % 2**32)
        # There is no network: an installer shall say so at once.
        os.environ |= {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        data.install()
        tolerance.install()

    def _run(self, cell: Cell) -> None:
        self._channel.send({"event": "start", "index": cell.index})
        self._interrupts.install()
        self._interrupts.clear()
        self._session.start(cell.index)
        self._figures.start()
        self._outputs.start(cell.index)
        started = _cpu_seconds()
        error, notes = self._execute(cell)
        seconds = _cpu_seconds() - started
        if self._channel.owned:
            self._finish(cell, error, notes, seconds)
            if isinstance(error, Exception) and cell.kind == "answer" and not self._interrupts.arrived:
                self._stopped.append(cell)

    def _run_with_stand_ins(self, cell: Cell) -> None:
        """Run a cell that stopped once more where it rests on builders that do not work, with others in their place.

        What it records counts for its question; nothing else of it is seen, and the notebook's builders come back.
        """
        question, names = cell.question or "", self._shell.user_ns
        replacing = self._exporter.stand_ins(question)
        if not replacing:
            return
        before = {name: names[name] for name in replacing if name in names}
        self._interrupts.install()
        self._interrupts.clear()
        self._session.start(cell.index)
        names.update(replacing)
        try:
            with self._exporter.undisturbed():
                error, _ = self._execute(cell)
            if not self._channel.owned:
                os._exit(0)
        finally:
            for name in replacing:
                names.pop(name, None)
            names.update(before)
        with self._session.quietly("the answer"):
            self._exporter.export_again(question, cell.index, sorted(replacing), error is None)

    def _finish(self, cell: Cell, error: BaseException | None, notes: list[str], seconds: float) -> None:
        self._end_figures()
        self._outputs.finish()
        self._namespace.note(given=cell.kind in ("given", "sanity"))
        with self._session.quietly("the answer"):
            self._exporter.export(cell.exports, cell.index)
        file = CELL_FILE.format(cell.index)
        if self._interrupts.arrived and isinstance(error, KeyboardInterrupt) and not error.args:
            error.args = ("stopped, the cell took too long",)
        record: dict[str, Any] = {
            "index": cell.index,
            "status": "timeout" if self._interrupts.arrived else "error" if error is not None else "ok",
            "cpu_seconds": max(0.0, seconds),
            "note": text("; ".join([*notes, *self._session.problems])),
        }
        if error is not None:
            record |= {"error": error_text(error, file), "traceback": traceback_text(error, file)}
        self._channel.record("cell", record)

    def _end_figures(self) -> None:
        with self._session.quietly("a figure"):
            self._figures.finish()

    def _execute(self, cell: Cell) -> tuple[BaseException | None, list[str]]:
        """Run one cell, going on behind statements that can only work on another machine; return error and notes."""
        transformers: list[ast.NodeTransformer] = []
        if cell.index in self._job.reduced:
            transformers.append(tolerance.Definitions())
        notes: list[str] = []
        while True:
            error = self._execute_once(cell, transformers)
            if error is None or self._interrupts.arrived or len(notes) >= _RESUMPTIONS_LIMIT:
                return error, notes
            resumed = self._resumption(cell, transformers, error)
            if resumed is None:
                return error, notes
            transformers.append(resumed[0])
            notes.append(resumed[1])

    def _execute_once(self, cell: Cell, transformers: Sequence[ast.NodeTransformer]) -> BaseException | None:
        transformer = _Chain(transformers) if transformers else None
        try:
            with self._interrupts.student():
                return self._shell.run(cell.source, cell.index, transformer)
        except BaseException as error:
            return error
        finally:
            self._restore_builtins()

    def _resumption(
        self, cell: Cell, transformers: list[ast.NodeTransformer], error: BaseException
    ) -> tuple[ast.NodeTransformer, str] | None:
        if not isinstance(error, Exception) or isinstance(error, SyntaxError):
            return None
        with contextlib.suppress(Exception):
            body = self._shell.statements(cell.source, transformers)
            return tolerance.resumption(body, error, CELL_FILE.format(cell.index))
        return None

    def _restore_builtins(self) -> None:
        """Put Python's own built-ins back, whatever the cell has put in their place: the rest depends on them."""
        vars(builtins).update(self._builtins)


class _Chain(ast.NodeTransformer):
    """Several changes of one cell, one after the other."""

    def __init__(self, transformers: Sequence[ast.NodeTransformer]) -> None:
        self._transformers = list(transformers)

    def visit(self, node: ast.AST) -> Any:
        """Apply all changes."""
        for transformer in self._transformers:
            node = transformer.visit(node)
        return node


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
