"""How a batch is going, on the standard error: one redrawn line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from typing import TextIO

from autograder.report.summary import STATUS_WORDS, Row
from autograder.report.text import fit, logged, one_line, points

BAR_COLUMNS = 24
_CLEAR_LINE = "\r\x1b[2K"


@dataclass
class Progress:
    """Tells on ``stream`` what happens to a batch of ``total`` submissions."""

    stream: TextIO
    total: int = 0
    done: int = 0
    failed: int = 0
    waiting: int = 0
    _kept: int = 0
    _began: float = field(default_factory=time.monotonic)
    _running: dict[str, float] = field(default_factory=dict)

    @property
    def _redraws(self) -> bool:
        return self.stream.isatty()

    def begin(self, total: int) -> None:
        """Say how many submissions there are."""
        self.total = total
        self.draw()

    def started(self, student: str) -> None:
        """A submission is being graded."""
        self._running[student] = time.monotonic()
        self.draw()

    def retried(self, student: str, reason: str) -> None:
        """The grader failed on a submission and tries it once more."""
        self._running.pop(student, None)
        self.say(f"{one_line(student, 60)}: the grading process {one_line(reason)}; it is tried once more")

    def finished(self, row: Row) -> None:
        """A submission has its report."""
        self._running.pop(row.student, None)
        self.done += 1
        self._kept += row.kept
        self.failed += row.status == "ungradable" or row.fault_of("grader")
        self.waiting += row.status == "needs_review"
        if self._redraws:
            self.draw()
        else:
            self.say(f"[{self.done}/{self.total}] {_outcome(row)}")

    def say(self, line: str) -> None:
        """Print a line of its own, above the redrawn one."""
        self._write((_CLEAR_LINE if self._redraws else "") + line + "\n")
        self.draw()

    def draw(self) -> None:
        """Draw the line again, on a terminal only."""
        if self._redraws and self.total:
            columns = shutil.get_terminal_size().columns - 1
            self._write(_CLEAR_LINE + fit(self.line(), columns).rstrip())

    def close(self) -> None:
        """Take the redrawn line away: what stays on the terminal is the results."""
        if self._redraws:
            self._write(_CLEAR_LINE)

    def line(self) -> str:
        """Return the line: bar, counts, time left, the slowest."""
        filled = BAR_COLUMNS * self.done // max(self.total, 1)
        parts = ["█" * filled + "░" * (BAR_COLUMNS - filled) + f" {self.done}/{self.total}"]
        if self.waiting:
            parts.append(f"{self.waiting} to review")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if (left := self.seconds_left()) is not None:
            parts.append(f"about {_duration(left)} left")
        if self._running:
            slowest = min(self._running, key=self._running.__getitem__)
            seconds = time.monotonic() - self._running[slowest]
            parts.append(f"{one_line(slowest, 30)} {_duration(seconds)}")
        elif self.done < self.total:
            parts.append("warming up")
        return " · ".join(parts)

    def seconds_left(self) -> float | None:
        """Return the wall seconds that are left at the pace so far, None while there is no pace."""
        graded = self.done - self._kept
        if not graded or self.done >= self.total:
            return None
        return (time.monotonic() - self._began) / graded * (self.total - self.done)

    def _write(self, text: str) -> None:
        self.stream.write(logged(text))
        self.stream.flush()


def _outcome(row: Row) -> str:
    student = one_line(row.student, 60)
    if row.status == "ungradable" or row.fault_of("grader"):
        return f"{student}: {STATUS_WORDS[row.status]}: {one_line(row.remark)}"
    score = f"{points(row.score)} of {points(row.max_score)}"
    waiting = f", {points(row.awaiting_review)} to review" if row.awaiting_review else ""
    time_taken = "kept" if row.kept else f"{row.wall_seconds:.1f} s"
    return f"{student}: {score}{waiting} ({time_taken})"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
