"""What all recorders of one execution share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from autograder.sandbox.guest.arrays import ArrayTable
from autograder.sandbox.guest.channel import Channel
from autograder.sandbox.guest.plain import text, type_name
from autograder.sandbox.guest.snapshots import ModelTable
from autograder.sandbox.limits import Lane, Limits

Training = Literal["record", "short", "full"]


class _Depth(threading.local):
    """How deep the present thread is inside calls that are being recorded."""

    fit = 0
    step = 0
    prediction = 0


@dataclass
class Session:
    """The present cell and probe, and the tables that records refer to."""

    channel: Channel
    arrays: ArrayTable
    models: ModelTable
    training: Training = "record"
    limits: Limits = field(default_factory=Limits)
    lane: Lane = "full"
    cell: int = 0
    probe: tuple[str, str] | None = None
    probe_compilations: list[dict[str, Any]] = field(default_factory=list)
    depth: _Depth = field(default_factory=_Depth)
    predictions: int = 0
    cell_predictions: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    fits: int = 0
    compilations: int = 0
    own_loops: set[tuple[int, int]] = field(default_factory=set)

    def start(self, cell: int) -> None:
        """Begin a cell."""
        self.cell = cell
        self.cell_predictions.clear()
        self.problems.clear()

    @contextmanager
    def probing(self, question: str, label: str) -> Iterator[None]:
        """Mark what is recorded as caused by a probe, not by the notebook."""
        self.probe, self.probe_compilations = (question, label), []
        try:
            yield
        finally:
            self.probe = None

    @contextmanager
    def quietly(self, what: str) -> Iterator[None]:
        """Keep a failure of recording from the student's code; it is named in the cell's note.

        Interrupts wait until the block ends: what is raised in it comes from the objects that are looked at.
        """
        with self.channel.interrupts.protected():
            try:
                yield
            except BaseException as error:
                self.problems.append(f"{what} could not be recorded: {type_name(error)}: {text(error, 200)}")

    @contextmanager
    def inside(self, what: Literal["fit", "step", "prediction"]) -> Iterator[None]:
        """Mark a call whose own inner calls are not recorded; a "step" is the one of a recorded fit."""
        setattr(self.depth, what, getattr(self.depth, what) + 1)
        try:
            yield
        finally:
            setattr(self.depth, what, getattr(self.depth, what) - 1)

    @property
    def probe_fields(self) -> dict[str, str]:
        """The fields of a record that name the probe during which it arose."""
        return {"question": self.probe[0], "label": self.probe[1]} if self.probe else {}
