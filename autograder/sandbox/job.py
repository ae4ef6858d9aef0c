"""What goes into an execution and what comes out of it, as the trusted side sees both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autograder.sandbox.limits import Lane, Limits
from autograder.sandbox.protocol import Frame, encode


@dataclass(frozen=True)
class PlannedCell:
    """One code cell to run. ``exports`` are the questions whose evidence is exported when it ends."""

    index: int
    source: str
    kind: Literal["answer", "given", "sanity", "other"]
    question: str | None
    exports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """All that the sandbox is told about a submission.

    ``probes`` are plain data (question -> label -> what to look for); ``reduced`` are the cells of which
    only imports and definitions run. In the ``fast`` lane models are evaluated on some of the rows given.
    """

    cells: tuple[PlannedCell, ...]
    probes: Mapping[str, Mapping[str, Any]]
    seed: int
    training: Literal["record", "short", "full"]
    reduced: frozenset[int] = frozenset()
    lane: Lane = "full"


@dataclass(frozen=True)
class Outcome:
    """What an execution left behind.

    ``frames`` are as the hostile side sent them. ``ending``: the notebook's end was reached, the process
    died by itself, or it was killed at a limit; ``reason`` is then a sentence for the report and ``cell``
    the cell that ran. ``interrupted`` are the cells that were sent SIGINT at a soft limit.
    Seconds are of the whole process tree; ``peak_memory_bytes`` is the most that was seen of the tree, or
    that the kernel counted for its largest process (with the libraries that it shares with others) or its group.
    """

    frames: tuple[Frame, ...]
    ending: Literal["completed", "died", "killed"]
    reason: str
    cell: int | None
    interrupted: tuple[int, ...]
    cpu_seconds: float
    wall_seconds: float
    peak_memory_bytes: int
    isolation: str


def encode_job(job: Job, limits: Limits) -> bytes:
    """Return the one frame that the child gets."""
    cells = [
        {
            "index": cell.index,
            "source": cell.source,
            "kind": cell.kind,
            "question": cell.question,
            "exports": list(cell.exports),
        }
        for cell in job.cells
    ]
    return encode(
        {
            "event": "job",
            "cells": cells,
            "probes": {question: dict(labels) for question, labels in job.probes.items()},
            "seed": job.seed,
            "training": job.training,
            "reduced": sorted(job.reduced),
            "lane": job.lane,
            "limits": limits.to_json(),
        }
    )
