"""Each limit at its edge: what is just below it passes, what is just above is stopped or cut, with the reason.

The tests of the sandbox also run as an ordinary user (the last test starts them all again as one).
"""

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from small_sandbox import HERE, ROOT, SMALL, SmallSandbox, job, lacking, said, statuses
from test_evidence import BLOB, MODEL, VALID, frame

from autograder.evidence import parse
from autograder.sandbox import cgroups, execution, launch
from autograder.sandbox.limits import MEBIBYTE, Limits
from autograder.sandbox.protocol import Frame, encode

NO_GROUP = cgroups.find().problem
needs_namespaces = pytest.mark.skipif(bool(lacking()), reason=lacking())
needs_group = pytest.mark.skipif(bool(NO_GROUP), reason=NO_GROUP)


@dataclasses.dataclass(frozen=True)
class Edge:
    """Cells on both sides of a limit, and what is told of each: how the child ended, or the first error in it."""

    limit: str
    below: tuple[str, ...]
    above: tuple[str, ...]
    told: str
    told_below: str = ""
    limits: dict = dataclasses.field(default_factory=dict)
    marks: tuple = (needs_namespaces,)


HELPERS = """
import os, threading, time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end: pass
def children(count, work, stay):
    for _ in range(count):
        if os.fork() == 0:
            try: kept = work()
            finally: time.sleep(stay); os._exit(0)
    time.sleep(stay)
def threads(count):
    done = threading.Event()
    try:
        for _ in range(count): threading.Thread(target=done.wait).start()
    finally: done.set()
def write(name, size):
    with open(name, 'wb', 0) as file:
        for start in range(0, size, 2**20): file.write(b'x' * min(2**20, size - start))
def in_memory(files, size):
    kept = []
    for _ in range(files):
        kept.append(os.memfd_create('x'))
        os.write(kept[-1], b'x' * size)
    return kept
def send_bytes(size):
    channel.sendall(encode({'event': 'said', 'record': 0}, [b'x' * size])); time.sleep(0.3)
def after_interruption(work):
    try: burn(60)
    except KeyboardInterrupt: work()
"""
# The first process and the runner are always there, and so are four descriptors of the runner.
EDGES = [
    Edge("cell_cpu_seconds", ("burn(0.3)",), ("burn(20)",), "interrupted"),
    Edge("notebook_cpu_seconds", ("burn(0.4)",) * 4, ("burn(0.4)",) * 8, "stopped after 2 CPU seconds in all"),
    Edge(
        "grace_cpu_seconds",
        ("after_interruption(lambda: burn(0.1))",),
        ("after_interruption(lambda: burn(20))",),
        "stopped after 0.5 CPU seconds in one cell",
        told_below="interrupted",
    ),
    Edge(
        "grace_wall_seconds",
        ("after_interruption(lambda: time.sleep(0.3))",),
        ("after_interruption(lambda: time.sleep(20))",),
        "stopped after 0.5 CPU seconds in one cell",
        told_below="interrupted",
    ),
    Edge("idle_wall_seconds", ("time.sleep(0.5)",), ("time.sleep(20)",), "interrupted", limits={"idle_wall_seconds": 2}),
    Edge(
        "idle_cpu_seconds",
        ("for _ in range(20): burn(0.05); time.sleep(0.1)",),
        ("for _ in range(20): burn(0.001); time.sleep(0.2)",),
        "interrupted",
        limits={"idle_wall_seconds": 2, "cell_cpu_seconds": 10},
    ),
    Edge(
        "notebook_wall_seconds",
        ("time.sleep(0.5)",),
        ("time.sleep(20)",),
        "stopped after 2 seconds of waiting",
        limits={"notebook_wall_seconds": 2},
    ),
    Edge("memory_bytes", ("kept = bytearray(460 * 2**20)",), ("kept = bytearray(513 * 2**20)",), "MemoryError"),
    Edge(
        "memory_bytes",
        ("children(2, lambda: b'x' * 200 * 2**20, 0.5)",),
        ("children(3, lambda: b'x' * 200 * 2**20, 20)",),
        "stopped above 512 MiB of memory",
        limits={"cell_cpu_seconds": 20, "notebook_cpu_seconds": 20},
    ),
    # Of no process: seen by the kernel's group alone, whose bound is 512 + 32 MiB and some of its own.
    Edge(
        "memory_bytes",
        ("kept = in_memory(40, 13 * 2**20)",),
        ("kept = in_memory(50, 15 * 2**20)",),
        "stopped above 512 MiB of memory",
        limits={"cell_cpu_seconds": 20, "notebook_cpu_seconds": 20},
        marks=(needs_namespaces, needs_group),
    ),
    Edge(
        "scratch_bytes",
        ("for n in range(3): write(f'/tmp/{n}', 10 * 2**20)",),
        ("for n in range(3): write(f'/dev/shm/{n}', 11 * 2**20)",),
        "OSError: [Errno 28]",
    ),
    Edge(
        "scratch_files",
        ("for n in range(196): write(f'/tmp/{n}', 0)",),
        ("for n in range(197): write(f'/tmp/{n}', 0)",),
        "OSError: [Errno 28]",
        limits={"scratch_files": 200},
    ),
    Edge(
        "file_bytes", ("write('/tmp/a', 16 * 2**20)",), ("write('/tmp/a', 16 * 2**20 + 1)",), "OSError: [Errno 27]"
    ),
    Edge("tasks", ("threads(62)",), ("threads(63)",), "RuntimeError: can't start new thread"),
    Edge(
        "processes",
        ("children(18, int, 0.5)",),
        ("children(19, int, 20)",),
        "stopped above 20 processes at once",
        limits={"processes": 20},
    ),
    Edge(
        "open_files",
        ("kept = [os.open('/dev/null', 0) for _ in range(60)]",),
        ("kept = [os.open('/dev/null', 0) for _ in range(61)]",),
        "OSError: [Errno 24]",
    ),
    Edge(
        "stream_bytes",
        ("send_bytes(2**20 - 1000)",),
        ("send_bytes(2**20)",),
        "stopped after 1 MiB of results",
        limits={"stream_bytes": MEBIBYTE},
    ),
    Edge(
        "header_bytes",
        ("say('x' * (2**20 - 1000)); time.sleep(0.3)",),
        ("say('x' * 2**20); time.sleep(0.3)",),
        "stopped after 1 MiB of records",
        limits={"header_bytes": MEBIBYTE},
    ),
    # Four records are always there: ready, the cell's start and end, and the end of the notebook.
    Edge(
        "frames",
        ("for _ in range(94): say(0)",),
        ("for _ in range(95): say(0)",),
        "stopped after 100 records",
        limits={"frames": 100},
    ),
]


@pytest.fixture(scope="module")
def server():
    with SmallSandbox("namespaces", SMALL, ROOT / "data") as started:
        yield started.server_path


def told(server, edge, cells):
    """Run cells; return how the child ended, where it did not complete, else its interruption or first error."""
    limits = dataclasses.replace(SMALL, **edge.limits)
    sandbox = SmallSandbox("namespaces", limits, ROOT / "data", server=server)
    outcome = sandbox.run(job(HELPERS, *cells))
    if outcome.ending != "completed":
        return outcome.reason
    errors = [word for word in said(outcome) if isinstance(word, str) and "Error" in word]
    return "interrupted" if outcome.interrupted else "".join(errors[:1])


@pytest.mark.parametrize(
    "edge", [pytest.param(edge, marks=edge.marks, id=f"{edge.limit}-{n}") for n, edge in enumerate(EDGES)]
)
def test_just_below_a_limit_passes_and_just_above_is_stopped_with_the_reason(server, edge):
    assert told(server, edge, edge.below) == edge.told_below
    assert told(server, edge, edge.above).startswith(edge.told)
