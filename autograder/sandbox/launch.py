"""Start one confined child: a monitor outside, the first process inside, and the runner as its child.

    fork server ── monitor ── init (process id 1 inside) ── runner (process id 2, the student's code)

Each of the three dies with its parent. The monitor and init hold the control socket, on which the
trusted side learns what the kernel says; the runner holds the event channel alone.

Control messages, one JSON object a packet: ``forked`` (with a descriptor of init), ``started`` (of the
runner and of /proc), ``failed``, ``exited`` (the runner's wait status), ``gone`` (all dead; what was used).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from autograder.sandbox import cgroups, linux, namespaces
from autograder.sandbox.limits import Limits

Entry = Callable[[socket.socket], None]
Backend = Literal["namespaces", "none"]
CONTROL_BYTES = 64 * 1024
_CHANNEL, _CONTROL, _PARENT, _LAST = 3, 4, 5, 6


@dataclass(frozen=True)
class Confinement:
    """How a child is to be confined: by what, within which limits, and what it sees.

    ``as_root``: with the powers of root; otherwise a user namespace gives them. ``ground``: where the kernel's
    group for it can be made.
    """

    backend: Backend
    limits: Limits
    place: namespaces.Place
    as_root: bool = field(default_factory=namespaces.is_powerful_root)
    ground: cgroups.Ground = field(default_factory=cgroups.find)


def send(control: socket.socket, event: str, descriptors: Sequence[int] = (), **fields: Any) -> None:
    """Send one control message; silently lost when nobody listens any more."""
    packet = json.dumps({"event": event, **fields}).encode()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if descriptors:
            socket.send_fds(control, [packet], list(descriptors))
        else:
            control.send(packet)


def start(control: socket.socket, channel: socket.socket, confinement: Confinement, entry: Entry) -> int:
    """Fork a monitor, which starts the confined child; return the monitor's process id.

    The caller keeps its copies of both sockets (and closes them); ``entry(channel)`` runs in the runner.
    """
    parent = os.pidfd_open(os.getpid())
    try:
        monitor = os.fork()
        if monitor == 0:
            _monitor(parent, control, channel, confinement, entry)
    finally:
        os.close(parent)
    return monitor


def _monitor(
    parent: int, control: socket.socket, channel: socket.socket, confinement: Confinement, entry: Entry
) -> NoReturn:
    group = cgroups.Group()
    try:
        group = cgroups.Group.create(confinement.ground, confinement.limits)
        os.setsid()
        _reset_signals()
        _die_with(parent)
        linux.become_subreaper()
        if confinement.backend == "namespaces":
            namespaces.leave_host(confinement.as_root)
            _die_with(parent)
            cpu, peak = _watch_child(control, channel, confinement, entry, namespaces.HOME, group)
        else:
            with tempfile.TemporaryDirectory(dir=confinement.place.mount_point.parent) as home:
                cpu, peak = _watch_child(control, channel, confinement, entry, home, group)
        exhausted, peak = group.exhausted(), max(peak, group.peak_bytes())
        group.close()
        send(control, "gone", cpu_seconds=cpu, peak_resident_bytes=peak, memory_exhausted=exhausted)
    except BaseException as error:
        send(control, "failed", reason=_describe(error))
    finally:
        group.close()
        os._exit(0)


def _watch_child(
    control: socket.socket,
    channel: socket.socket,
    confinement: Confinement,
    entry: Entry,
    home: str,
    group: cgroups.Group,
) -> tuple[float, int]:
    """Start init, wait for the end of its tree; return its CPU seconds and its peak memory (bytes).

    The tree is killed when the trusted side closes the control socket.
    """
    monitor = os.pidfd_open(os.getpid())
    init = os.fork()
    if init == 0:
        group.enter()
        _init(monitor, control, channel, confinement, entry, home)
    os.close(monitor)
    channel.close()
    pidfd = os.pidfd_open(init)
    send(control, "forked", [pidfd], process=init)
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    waiting.register(control, select.POLLIN)
    while pidfd not in (ready := [descriptor for descriptor, _ in waiting.poll()]):
        if control.fileno() in ready and not control.recv(CONTROL_BYTES):
            waiting.unregister(control)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    _, _, usage = os.wait4(init, 0)
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
    if confinement.backend == "none":
        more = _kill_orphans()
        cpu, peak = cpu + more[0], max(peak, more[1])
    return cpu, peak * 1024


def _kill_orphans() -> tuple[float, int]:
    """Kill and reap what outlived init where no namespace did so; return its CPU seconds and peak (kB)."""
    cpu, peak = 0.0, 0
    while True:
        for process in _children_of_this_process():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return cpu, peak
        cpu, peak = cpu + usage.ru_utime + usage.ru_stime, max(peak, usage.ru_maxrss)


def _children_of_this_process() -> list[int]:
    own, children = os.getpid(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == own:
                children.append(int(folder.name))
    return children


def _init(
    monitor: int,
    control: socket.socket,
    channel: socket.socket,
    confinement: Confinement,
    entry: Entry,
    home: str,
) -> NoReturn:
    """Confine this process, start the runner in it, reap orphans, and say how the runner ended."""
    try:
        host_number = int(Path("/proc/self/stat").read_text(errors="replace").split()[0])
        descriptors = [channel.detach(), control.detach(), monitor]
        channel, control, monitor = _keep_only(descriptors)
        if confinement.backend == "namespaces":
            proc = namespaces.confine(confinement.place, confinement.limits, confinement.as_root, host_number)
        else:
            proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
            os.chdir(home)
        linux.set_dumpable(False)  # the runner may not look into this process, which holds the control socket
        _die_with(monitor)
        os.close(monitor)
        _set_resource_limits(confinement)
        _set_environment(home)
        _point_at_null()
        runner = os.fork()
        if runner == 0:
            os.close(proc)
            control.close()
            _runner(channel, entry)
        channel.close()
        pidfd = os.pidfd_open(runner)
        send(control, "started", [pidfd, proc], private=confinement.backend == "namespaces")
        os.close(pidfd)
        os.close(proc)
        send(control, "exited", status=_reap_until(runner))
    except BaseException as error:
        with contextlib.suppress(Exception):
            send(control, "failed", reason=_describe(error))
    finally:
        os._exit(0)


def _runner(channel: socket.socket, entry: Entry) -> NoReturn:
    status = 70
    try:
        linux.set_dumpable(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        entry(channel)
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    finally:
        os._exit(status & 0xFF)


def _reap_until(runner: int) -> int:
    while True:
        process, status = os.wait()
        if process == runner:
            return status


def _die_with(parent: int) -> None:
    linux.die_with_parent()
    watch = select.poll()
    watch.register(parent, select.POLLIN)
    if watch.poll(0):  # it was gone before the kernel was asked
        os._exit(1)


def _reset_signals() -> None:
    """Forget inherited handlers; writing to a closed pipe or beyond a limit stays an error, not a death."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _keep_only(descriptors: list[int]) -> tuple[socket.socket, socket.socket, int]:
    """Close every descriptor but the given three, and give these low, fixed numbers."""
    high = [_duplicate_above(descriptor, 64) for descriptor in descriptors]
    null = _duplicate_above(os.open(os.devnull, os.O_RDWR), 64)
    for number in (0, 1, 2):
        os.dup2(null, number)
    for number, descriptor in zip((_CHANNEL, _CONTROL, _PARENT), high, strict=True):
        os.dup2(descriptor, number, inheritable=False)
    os.closerange(_LAST, 2**31 - 1)
    return socket.socket(fileno=_CHANNEL), socket.socket(fileno=_CONTROL), _PARENT


def _duplicate_above(descriptor: int, lowest: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)


def _point_at_null() -> None:
    """Point input, output and errors at the /dev/null that is seen now, not at the host's."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)


def _set_resource_limits(confinement: Confinement) -> None:
    limits = confinement.limits
    cpu = int(limits.notebook_cpu_seconds + 2 * limits.grace_cpu_seconds) + 1
    wanted = {
        resource.RLIMIT_DATA: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    if confinement.backend == "namespaces":
        # Counted for a user id: without namespaces it would count the grader's own processes too.
        wanted[resource.RLIMIT_NPROC] = limits.tasks
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def _set_environment(home: str) -> None:
    """Clear the environment and set what programs and notebooks expect."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    os.environ.clear()
    os.environ.update(
        kept,
        HOME=home,
        USER="student",
        LOGNAME="student",
        PATH=f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        LANG="C.UTF-8",
        TERM="xterm-color",
        PAGER="cat",
        MPLBACKEND="module://matplotlib_inline.backend_inline",
        KERAS_BACKEND="tensorflow",
        TF_CPP_MIN_LOG_LEVEL="2",
        CUDA_VISIBLE_DEVICES="-1",
        OMP_NUM_THREADS="1",
        OPENBLAS_NUM_THREADS="1",
        PYTHONDONTWRITEBYTECODE="1",
        PYTHONNOUSERSITE="1",
    )
    tempfile.tempdir = None
    with contextlib.suppress(OSError):
        os.umask(0o022)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
