"""Every bound on one execution, in one place and with its unit.

Bounds are on CPU time where that is possible, so that a busy machine never changes a grade;
the bounds on wall time stand behind them and are far away from what honest work needs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE
HOUR = 3600.0


@dataclass(frozen=True)
class Limits:
    """What one submission may use; seconds are CPU seconds of its process tree unless the name says wall.

    Time
        ``cell_cpu_seconds``: then the runner gets SIGINT, as from the stop button of a notebook;
        ``grace_cpu_seconds`` or ``grace_wall_seconds`` later the tree is killed.
        ``notebook_cpu_seconds``: then the tree is killed.
        ``idle_wall_seconds``: a window of wall time; when less than ``idle_cpu_seconds`` were used in it, the
        cell sleeps or waits for what never comes: SIGINT, grace, kill.
        ``notebook_wall_seconds``: the last resort. ``start_wall_seconds``: how long the fork server may take
        to be ready (it imports TensorFlow) and to have confined a child. ``gone_wall_seconds``: how long a kill
        may take.
    Memory
        ``memory_bytes``: of the whole tree, watched from outside; also the data segment of each single
        process, so that one process gets a MemoryError before anything is killed.
        ``scratch_bytes``, ``scratch_files``: /tmp, the home folder and /dev/shm together;
        ``file_bytes``: one file.
    Numbers
        ``tasks``: processes and threads together (RLIMIT_NPROC); ``processes``: processes (killed above it);
        ``open_files``: descriptors of one process; ``threads``: of each of TensorFlow's two pools.
    Stream
        ``stream_bytes``: all that is read from one child; ``header_bytes``: the part of it that is JSON;
        ``frames``: how many messages; ``output_characters``: printed text of one cell; the runner cuts
        there, and what comes in spite of that is dropped.
    """

    cell_cpu_seconds: float = 60.0
    notebook_cpu_seconds: float = 600.0
    grace_cpu_seconds: float = 5.0
    grace_wall_seconds: float = 20.0
    idle_wall_seconds: float = 120.0
    idle_cpu_seconds: float = 1.0
    notebook_wall_seconds: float = 3600.0
    start_wall_seconds: float = 180.0
    gone_wall_seconds: float = 60.0
    memory_bytes: int = 4 * GIBIBYTE
    scratch_bytes: int = 1 * GIBIBYTE
    scratch_files: int = 20_000
    file_bytes: int = 1 * GIBIBYTE
    tasks: int = 512
    processes: int = 128
    open_files: int = 512
    threads: int = 1
    stream_bytes: int = 256 * MEBIBYTE
    header_bytes: int = 24 * MEBIBYTE
    frames: int = 20_000
    output_characters: int = 20_000
    poll_wall_seconds: float = 0.25

    @classmethod
    def fitting(cls, training: str) -> Limits:
        """Return the limits of an execution in which fits are recorded, run a few steps ("short") or in "full"."""
        if training == "full":
            # A literal notebook trains for minutes here, for more than an hour elsewhere; most of it in one cell.
            return cls(cell_cpu_seconds=6 * HOUR, notebook_cpu_seconds=12 * HOUR, notebook_wall_seconds=24 * HOUR)
        if training == "short":
            # Each fit of a few steps costs the tracing of a graph, for each dimension of a comparison.
            return cls(cell_cpu_seconds=300.0, notebook_cpu_seconds=1200.0)
        return cls()

    def to_json(self) -> dict[str, Any]:
        """Return the limits as plain JSON, as the job frame and the fork server's request carry them."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Limits:
        """Build the limits from ``to_json``'s result; an unknown name raises TypeError."""
        return cls(**values)
