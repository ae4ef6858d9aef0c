"""When the running cell is to be stopped: its CPU clock, its interruption, and the watch for idleness."""

from __future__ import annotations

import time

from autograder.sandbox.limits import Limits


class CellClock:
    """The clock of one execution; every time that is given is the CPU seconds of its tree so far."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._idle_since = (0.0, time.monotonic())
        self.start_cell(0.0)

    def start_cell(self, cpu: float) -> None:
        """Start the clock of a cell at ``cpu`` seconds."""
        self._cell_cpu = cpu
        self._interrupted_at: tuple[float, float] | None = None
        self._reason: str | None = None
        self._idle_since = (cpu, time.monotonic())

    def problem(self, cpu: float, in_cell: bool) -> str | None:
        """Return why the cell is to be stopped, once that is so; it stays so until the next cell starts."""
        limits, now = self._limits, time.monotonic()
        if self._reason is not None and in_cell:
            return self._reason
        if cpu - self._idle_since[0] >= limits.idle_cpu_seconds:
            self._idle_since = (cpu, now)
        self._reason = None
        if in_cell and cpu - self._cell_cpu > limits.cell_cpu_seconds:
            self._reason = f"stopped after {limits.cell_cpu_seconds:g} CPU seconds in one cell"
        elif now - self._idle_since[1] > limits.idle_wall_seconds:
            self._reason = f"stopped because nothing was computed for {limits.idle_wall_seconds:g} seconds"
        return self._reason

    def may_interrupt(self) -> bool:
        """Tell whether this cell was not interrupted yet."""
        return self._interrupted_at is None

    def interrupted(self, cpu: float) -> None:
        """Note that the cell was interrupted now, at ``cpu`` seconds."""
        self._interrupted_at = (cpu, time.monotonic())

    def grace_is_over(self, cpu: float) -> bool:
        """Tell whether the cell had its chance to end after the interruption."""
        assert self._interrupted_at is not None
        cpu_then, wall_then = self._interrupted_at
        used, waited = cpu - cpu_then, time.monotonic() - wall_then
        return used > self._limits.grace_cpu_seconds or waited > self._limits.grace_wall_seconds
