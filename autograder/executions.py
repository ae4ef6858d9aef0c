"""Executions that are kept on disk: when a hidden check changes, no notebook has to run again.

What is kept is what the sandboxed child sent, byte by byte, and how it ended; it is parsed anew, as hostile as it was.
The key holds all that an execution depends on: the job (cells, probes, seed, training, lane), the limits, the
isolation, the data, the code of the sandbox, and every package that a notebook can import. Checks are no part of it.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from autograder import __version__
from autograder.assignment import Assignment
from autograder.sandbox.isolation import choose
from autograder.sandbox.job import Job, Outcome, encode_job
from autograder.sandbox.limits import Limits
from autograder.sandbox.protocol import Decoder, ProtocolError, encode
from autograder.store import Store, digest_of, digest_of_files

KIND = "execution"
_TOLD = ("ending", "reason", "cell", "interrupted", "cpu_seconds", "wall_seconds", "peak_memory_bytes", "isolation")


class Runs(Protocol):
    """What runs jobs: a sandbox, or what keeps its outcomes."""

    def run(self, job: Job) -> Outcome:
        """Run one job to its end and return what came of it."""
        ...


class KeptExecutions:
    """Runs each job once, and hands out what was kept of it ever after."""

    def __init__(
        self,
        sandbox: Callable[[], Runs],
        store: Store,
        assignment: Assignment,
        limits: Limits,
        isolation: str,
        use: bool,
    ) -> None:
        """``sandbox`` is asked for when a job has to run; without ``use`` every job runs, and is kept."""
        self._sandbox = sandbox
        self._store = store
        self._assignment = assignment
        self._limits = limits
        self._isolation = isolation
        self._use = use
        self._surroundings: dict[str, Any] | None = None

    def run(self, job: Job) -> Outcome:
        """Return what came of a job, now or before; raises what the sandbox raises."""
        key = self._key(job)
        kept = self._store.get_bytes(KIND, key) if self._use else None
        outcome = None if kept is None else unpacked(kept)
        if outcome is None:
            outcome = self._sandbox().run(job)
            self._store.put_bytes(KIND, key, packed(outcome))
        return outcome

    def _key(self, job: Job) -> str:
        if self._surroundings is None:
            self._surroundings = {
                "isolation": choose(self._isolation),
                "data": digest_of_files(sorted(self._assignment.data.glob("*.json"))),
                "sandbox": _code_of_the_sandbox(),
                "packages": _packages(),
                "version": __version__,
            }
        told = hashlib.sha256(encode_job(job, self._limits)).hexdigest()
        return digest_of({"job": told, **self._surroundings})


def packed(outcome: Outcome) -> bytes:
    """Return an outcome as bytes: frames, of which the first one tells how it ended."""
    told = {name: getattr(outcome, name) for name in _TOLD}
    frames = [encode({"event": KIND, "record": told})]
    return b"".join([*frames, *(encode(frame.header, frame.blobs) for frame in outcome.frames)])


def unpacked(data: bytes) -> Outcome | None:
    """Return the outcome of which these are the bytes; None where they are not such."""
    try:
        first, *frames = Decoder().feed(data)
        told = first.header["record"]
        return Outcome(tuple(frames), **{**told, "interrupted": tuple(told["interrupted"])})
    except (ProtocolError, LookupError, TypeError, ValueError):
        return None


@cache
def _code_of_the_sandbox() -> str:
    engine = Path(__file__).parent
    return digest_of_files([engine / "evidence.py", *sorted((engine / "sandbox").rglob("*.py"))])


@cache
def _packages() -> str:
    """Return the digest of all that a notebook can import: Python, and every installed package by its version."""
    # Their folders carry the version; reading what is in them takes longer than all else.
    found = sorted({path.name for folder in sys.path for path in Path(folder).glob("*.dist-info")})
    return digest_of([platform.python_version(), found])
