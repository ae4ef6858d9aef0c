"""Each limit at its edge: what is just below it passes, what is just above is stopped or cut, with the reason.

The tests of the sandbox also run as an ordinary user (the last test starts them all again as one).
"""

import contextlib
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
from small_sandbox import HERE, ROOT, SMALL, SmallSandbox, job, needs, said, statuses
from test_evidence import MODEL, VALID, frame

from autograder.evidence import parse
from autograder.sandbox import cgroups, execution, launch
from autograder.sandbox.limits import MEBIBYTE, Limits
from autograder.sandbox.protocol import Frame, encode

NO_GROUP = cgroups.find().problem
needs_namespaces = needs("namespaces")
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
import os, socket, threading, time
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
def in_buffers(pairs):
    kept = []
    for _ in range(pairs):
        kept += socket.socketpair()
        for end in kept[-2:]:
            end.setblocking(False)
            try:
                while True: end.send(b'x' * 2**16)
            except BlockingIOError: pass
    return kept
def page_tables(size):
    import ctypes
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    start = libc.mmap(None, ctypes.c_size_t(size * 512), 1, 0x4022, -1, ctypes.c_long(0))
    for place in range(start, start + size * 512, 2**21): ctypes.string_at(place, 1)
def send_bytes(size):
    channel.sendall(encode({'event': 'said', 'record': 0}, [b'x' * size])); time.sleep(1)
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
        ("after_interruption(lambda: burn(6))",),
        "stopped after 0.5 CPU seconds in one cell",
        told_below="interrupted",
        limits={"grace_wall_seconds": 60, "notebook_cpu_seconds": 60},
    ),
    Edge(
        "grace_wall_seconds",
        ("after_interruption(lambda: time.sleep(0.3))",),
        ("after_interruption(lambda: time.sleep(20))",),
        "stopped after 0.5 CPU seconds in one cell",
        told_below="interrupted",
        limits={"grace_wall_seconds": 2},
    ),
    Edge(
        "idle_wall_seconds", ("time.sleep(0.5)",), ("time.sleep(20)",), "interrupted", limits={"idle_wall_seconds": 2}
    ),
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
        "stopped after 3 seconds of waiting",
        limits={"notebook_wall_seconds": 3},
    ),
    Edge("memory_bytes", ("kept = bytearray(460 * 2**20)",), ("kept = bytearray(513 * 2**20)",), "MemoryError"),
    Edge(
        "memory_bytes",
        ("children(2, lambda: b'x' * 200 * 2**20, 0.5)",),
        ("children(3, lambda: b'x' * 200 * 2**20, 20)",),
        "stopped above 512 MiB of memory",
        limits={"cell_cpu_seconds": 20, "notebook_cpu_seconds": 20},
    ),
    # Addresses from which zeros are read cost no memory but that of their tables.
    Edge(
        "memory_bytes",
        ("page_tables(300 * 2**20); time.sleep(0.5)",),
        ("page_tables(700 * 2**20); time.sleep(20)",),
        "stopped above 512 MiB of memory",
        limits={"cell_cpu_seconds": 20, "notebook_cpu_seconds": 20},
    ),
    # Of no process: seen by the kernel's group alone, whose bound is 512 + 32 MiB and some of its own.
    Edge(
        "memory_bytes",
        ("children(1, lambda: in_buffers(500), 1)",),
        ("children(6, lambda: in_buffers(500), 20)",),
        "stopped above 512 MiB of memory",
        limits={"cell_cpu_seconds": 20, "notebook_cpu_seconds": 20, "open_files": 1100, "all_open_files": 100_000},
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
    Edge("file_bytes", ("write('/tmp/a', 16 * 2**20)",), ("write('/tmp/a', 16 * 2**20 + 1)",), "OSError: [Errno 27]"),
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
    # Every process has four more than it opens itself.
    Edge(
        "all_open_files",
        ("children(2, lambda: [os.open('/dev/null', 0) for _ in range(30)], 0.5)",),
        ("children(3, lambda: [os.open('/dev/null', 0) for _ in range(30)], 20)",),
        "stopped above 100 open files at once",
        limits={"all_open_files": 100},
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
        ("say('x' * (2**20 - 1000))",),
        ("say('x' * 2**20); time.sleep(1)",),
        "stopped after 1 MiB of records",
        limits={"header_bytes": MEBIBYTE},
    ),
    # Six records are always there: ready, start and end of the helpers and of the cell, and the end of the notebook.
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


# Those with tests of their own: further down, and in the tests of what is named here.
APART = {
    "start_wall_seconds": "execution", "gone_wall_seconds": "supervisor",
    "poll_wall_seconds": "no edge: it is how often the watch looks", "threads": "limits",
    "output_characters": "limits", "notebook_output_characters": "limits", "models": "here",
    "model_parameters": "limits", "arrays": "limits", "array_values": "limits", "figures": "limits",
    "figure_images": "limits", "figure_values": "here",
}  # fmt: skip


def test_no_limit_is_without_an_edge():
    assert {edge.limit for edge in EDGES} | set(APART) == {bound.name for bound in Limits.bounds()}


# What only the watch sees, or several bounds at once


@pytest.mark.parametrize(("threads", "ending", "reason"), [
    (6, "completed", ""), (7, "killed", "stopped above 7 processes and threads at once"),
])  # fmt: skip
def test_threads_of_the_whole_tree_are_counted_where_the_kernel_bounds_none(threads, ending, reason):
    """A real process with one more task, its main thread, watched as the child of a backend without own processes."""
    program = f"import threading\nfor _ in range({threads}): threading.Thread(target=lambda: input()).start()"
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET), socket.socketpair()]
    (control, remote), (channel, hostile) = pairs
    with subprocess.Popen([sys.executable, "-c", f"{program}\nprint(flush=True)"], stdin=-1, stdout=-1) as child:
        child.stdout.readline()
        pidfd, proc = os.pidfd_open(child.pid), os.open("/proc", os.O_RDONLY)
        launch.send(remote, "forked", [pidfd], process=child.pid)
        launch.send(remote, "started", [pidfd, proc], home="/nowhere", user=None)

        def monitor():
            hostile.sendall(encode({"event": "ready"}))
            # The watch looks at once, and again a moment later.
            if ending == "completed":
                threading.Event().wait(0.3)
                hostile.sendall(encode({"event": "end"}))
            child.wait()
            launch.send(remote, "gone", cpu_seconds=0.1, peak_resident_bytes=1)

        waiting = threading.Thread(target=monitor)
        waiting.start()
        seen = execution.run(control, channel, b"", frozenset(), dataclasses.replace(SMALL, tasks=7))
        waiting.join()
        child.stdin.close()
    for descriptor in (pidfd, proc):
        os.close(descriptor)
    for side in (*pairs[0], *pairs[1]):
        side.close()
    assert (seen.ending, seen.reason, child.returncode) == (ending, reason, -signal.SIGKILL)


def outputs_of(server, limits, *cells):
    sandbox = SmallSandbox("namespaces", dataclasses.replace(SMALL, **limits), ROOT / "data", server=server)
    outcome = sandbox.run(job(*cells))
    assert (outcome.ending, set(statuses(outcome))) == ("completed", {"ok"})
    return Counter(f.header["record"]["index"] for f in outcome.frames if f.header["event"] == "output")


def printing(index, count):
    record = f"{{'index': {index}, 'stream': 'stdout', 'text': 'y' * 1000}}"
    return f"for _ in range({count}): send('output', record={record})"


@needs_namespaces
@pytest.mark.parametrize(("limits", "expected"), [
    # Above the limit there is room for the runner's last piece and its remark: four records here.
    ({"output_characters": 3000}, {0: 7, 1: 7, 2: 7}),
    ({"output_characters": 8000, "notebook_output_characters": 20_000}, {0: 12, 1: 12}),
    ({"output_characters": 26_000}, {0: 30, 1: 30, 2: 30}),
])  # fmt: skip
def test_what_is_printed_in_spite_of_the_limits_is_dropped_and_the_notebook_goes_on(server, limits, expected):
    assert outputs_of(server, limits, *(printing(index, 30) for index in range(3))) == expected


@needs_namespaces
@needs_group
@pytest.mark.parametrize("payload", [
    "in_buffers(1)",
    "os.kill(os.getpid(), 9)",
    "children(6, lambda: in_buffers(25), 20)",
    "children(3, lambda: b'x' * 200 * 2**20, 20)",
])  # fmt: skip
def test_no_group_is_left_behind(server, payload):
    sandbox = SmallSandbox("namespaces", dataclasses.replace(SMALL, cell_cpu_seconds=20), ROOT / "data", server=server)
    sandbox.run(job(HELPERS, payload))
    assert left_behind() == []


@needs_namespaces
@needs_group
def test_the_group_of_a_killed_monitor_is_removed_before_the_next_submission():
    with SmallSandbox("namespaces", SMALL, ROOT / "data") as sandbox:
        outcomes = []
        running = threading.Thread(target=lambda: outcomes.append(sandbox.run(job("import time; time.sleep(1)"))))
        running.start()
        (monitor,) = wait_for(lambda: monitors_with_group(sandbox.server_path))
        os.kill(monitor, signal.SIGKILL)
        running.join()
    assert (outcomes[0].ending, left_behind()) == ("completed", [])


def monitors():
    """Return the monitors after which a group is named."""
    own = cgroups.find().folders["memory"]
    found = [path.name.removeprefix(cgroups.PREFIX) for path in own.glob(f"{cgroups.PREFIX}[0-9]*")]
    # What has more in its name is a trial, of this batch or of another one on this machine.
    return [int(name) for name in found if name.isdecimal()]


def left_behind():
    return [monitor for monitor in monitors() if not Path("/proc", str(monitor)).exists()]


def monitors_with_group(server):
    """Return those monitors, forked from one server, whose submission has entered its group."""
    own, entered = cgroups.find().folders["memory"], []
    for monitor in monitors():
        with contextlib.suppress(OSError):
            command = Path("/proc", str(monitor), "cmdline").read_bytes()
            if str(server).encode() in command and (own / f"{cgroups.PREFIX}{monitor}/cgroup.procs").read_text():
                entered.append(monitor)
    return entered


def wait_for(look):
    for _ in range(1000):
        if found := look():
            return found
        threading.Event().wait(0.01)
    raise AssertionError("nothing was seen within ten seconds")


# The parser of what leaves the sandbox


SMALL_EVIDENCE = Limits(
    models=2, model_parameters=6, arrays=2, array_values=6, figures=2, figure_images=2, figure_values=60
)
BLOBS = (np.zeros(6, np.float32).tobytes(), np.zeros(7, np.float32).tobytes())


def numbers(blob, size, *more):
    return {"blob": blob, "dtype": "<f4", "shape": [size, *more]}


def model(size):
    fields = {"weight_shapes": [[size]], "weights": [numbers(size - 6, size)], "variables": [1]}
    return Frame({"event": "model", "record": {**MODEL, **fields}}, BLOBS)


def array(size):
    record = {**VALID["array"], "shape": [size], "rows": list(range(size)), "values": numbers(size - 6, size)}
    return Frame({"event": "array", "record": record}, BLOBS)


def figure(cell=0, images=1, size=6):
    axes = {"row": 0, "column": 0, "pictures": [{"values": numbers(size - 6, size, 1)}] * images}
    return Frame({"event": "figure", "record": {"cell": cell, "axes": [axes]}}, BLOBS)


@pytest.mark.parametrize(("below", "above", "told"), [
    ([model(6)] * 2, [model(6)] * 3, "model: more than 2 models"),
    ([model(6)], [model(7)], "model: more than 6 parameters"),
    ([array(6)] * 2, [array(6)] * 3, "array: more than 2 arrays"),
    ([array(6)], [array(7)], "array: more than 6 values"),
    ([figure(0), figure(0), figure(1)], [figure(0)] * 3, "figure: more than 2 figures in a cell"),
    ([figure(images=2)], [figure(images=3)], "figure: more than 2 images in a figure"),
])  # fmt: skip
def test_evidence_just_below_a_limit_is_kept_and_above_it_is_dropped_by_name(below, above, told):
    assert parse(below, SMALL_EVIDENCE).malformed == []
    assert parse(above, SMALL_EVIDENCE).malformed == [told]


@pytest.mark.parametrize(("limit", "malformed"), [(12, []), (11, ["figure: more than 11 values in a figure"])])
def test_pixels_and_points_of_a_figure_are_bounded_together(limit, malformed):
    limits = dataclasses.replace(SMALL_EVIDENCE, figure_values=limit)
    assert parse([figure(images=2)], limits).malformed == malformed


def test_what_refers_to_a_model_above_the_limit_waits_for_a_person():
    evidence = parse([model(6)] * 3 + [frame("array", VALID["array"]), frame("fit", {**VALID["fit"], "model": 2})],
                     SMALL_EVIDENCE)  # fmt: skip
    assert (evidence.models[evidence.fits[0].model].problem, evidence.models[2].config) == ("malformed", None)


# Once more as an ordinary user


@pytest.mark.skipif(os.getuid() != 0, reason="runs already as an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too():
    command = [sys.executable, str(HERE / "as_ordinary_user.py"), "-m", "pytest", "-q", "-x"]
    command += ["-p", "no:cacheprovider", str(Path(__file__))]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    passed = re.search(r"(\d+) passed", result.stdout)
    assert passed and int(passed[1]) > len(EDGES)
