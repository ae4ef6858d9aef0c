"""Start one confined child: a monitor outside, the first process inside, and the runner as its child.

    fork server ── monitor ── init (process id 1 inside) ── runner (process id 2, the student's code)

The monitor and init hold the control socket, on which the trusted side learns what the kernel says; the
runner holds the event channel alone. Init dies with the monitor, and the runner with init. With
namespaces nothing outlives init; without them the monitor kills whatever descends from it.

Control messages, one JSON object a packet: ``forked`` (with a descriptor of init), ``started`` (of the
runner and of /proc; with the home, where it lies among the machine's files, and the user id, where the child
has its own), ``failed``, ``exited`` (the runner's wait status), ``gone`` (all dead; what was used).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from autograder.sandbox import cgroups, landlock, linux, namespaces, processes, seccomp, user_ids
from autograder.sandbox.forks import ForkGate
from autograder.sandbox.limits import Limits
from autograder.sandbox.place import Place

Entry = Callable[[socket.socket], None]
Backend = Literal["namespaces", "landlock", "none"]
CONTROL_BYTES = 64 * 1024
_READY = b"ready"
_REAP_WALL_MILLISECONDS = 250
_CHANNEL, _CONTROL, _PARENT, _LAST = 3, 4, 5, 6


@dataclass(frozen=True)
class Confinement:
    """How a child is to be confined: by what, within which limits, and what it sees.

    ``as_root``: with the powers of root; otherwise a user namespace gives them. ``ground``: where the kernel's
    group for it can be made.
    """

    backend: Backend
    limits: Limits
    place: Place
    as_root: bool = field(default_factory=user_ids.is_powerful_root)
    ground: cgroups.Ground = field(default_factory=cgroups.find)

    @property
    def homes(self) -> Path:
        """The folder in which children without a private root have their homes."""
        return homes_beside(self.place.mount_point.parent)


@dataclass(frozen=True)
class _Child:
    """Who the child is to be, and where it may write."""

    home: Path
    identity: landlock.Identity


def homes_beside(folder: Path) -> Path:
    """Return where homes lie that belong to a fork server with that private folder: others have to pass it."""
    return folder.with_name(f"homes-of-{folder.name}")


def make_homes(folder: Path) -> Path:
    """Make the folder of homes beside a private folder; what is in it can be entered by who knows its name."""
    homes = homes_beside(folder)
    homes.mkdir()
    homes.chmod(0o711)
    return homes


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
        linux.become_subreaper()
        if confinement.backend == "namespaces":
            _die_with(parent)
            namespaces.leave_host(confinement.as_root)
            _die_with(parent)
            child = _Child(Path(namespaces.HOME), landlock.Identity(None))
            cpu, peak = _watch_child(parent, control, channel, confinement, entry, child, group)
        else:
            with _private_home(confinement, parent) as child:
                cpu, peak = _watch_child(parent, control, channel, confinement, entry, child, group)
        exhausted, peak = group.exhausted(), max(peak, group.peak_bytes())
        group.close()
        send(control, "gone", cpu_seconds=cpu, peak_resident_bytes=peak, memory_exhausted=exhausted)
    except BaseException as error:
        send(control, "failed", reason=_describe(error))
    finally:
        group.close()
        os._exit(0)


@contextlib.contextmanager
def _private_home(confinement: Confinement, parent: int) -> Iterator[_Child]:
    """Make a home that its owner alone can enter, for as long as the child lives; ``parent`` is the fork server."""
    wants_identity = confinement.backend == "landlock" and confinement.as_root
    identity = landlock.identity(confinement.place, wants_identity, os.getpid())
    home = Path(tempfile.mkdtemp(prefix="student-", dir=confinement.homes))
    try:
        (home / "tmp").mkdir()
        if identity.user is not None:
            for folder in (home / "tmp", home):
                os.chown(folder, identity.user, identity.user)
        yield _Child(home, identity)
    finally:
        _remove(home)
        if _has_ended(parent):
            # Whoever is last takes the folder away.
            with contextlib.suppress(OSError):
                confinement.homes.rmdir()


def _remove(home: Path) -> None:
    """Remove a home, however deep its folders are nested and whatever their modes forbid."""
    try:
        shutil.rmtree(home)
    except (OSError, RecursionError):
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*command, "--", str(home)], stderr=subprocess.DEVNULL, check=False)


def _watch_child(
    parent: int,
    control: socket.socket,
    channel: socket.socket,
    confinement: Confinement,
    entry: Entry,
    child: _Child,
    group: cgroups.Group,
) -> tuple[float, int]:
    """Start init, wait for the end of its tree; return its CPU seconds and its peak memory (bytes).

    The tree is killed when the trusted side closes the control socket, and when the fork server dies.
    """
    monitor = os.pidfd_open(os.getpid())
    init = os.fork()
    if init == 0:
        group.enter()
        _init(monitor, control, channel, confinement, entry, child)
    os.close(monitor)
    channel.close()
    pidfd = os.pidfd_open(init)
    send(control, "forked", [pidfd], process=init)
    waiting = select.poll()
    for descriptor in (pidfd, parent, control.fileno()):
        waiting.register(descriptor, select.POLLIN)
    while pidfd not in (ready := [descriptor for descriptor, _ in waiting.poll()]):
        for descriptor in ready:
            if descriptor == parent:
                send(control, "failed", reason="the fork server died")
            elif control.recv(CONTROL_BYTES):
                continue
            waiting.unregister(descriptor)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    _, _, usage = os.wait4(init, 0)
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
    if confinement.backend != "namespaces":
        more = _kill_orphans(child.identity.user)
        cpu, peak = cpu + more[0], max(peak, more[1])
    return cpu, peak * 1024


def _kill_orphans(user: int | None) -> tuple[float, int]:
    """Kill and reap what outlived init where no namespace did so; return its CPU seconds and peak (kB).

    Everything that descends from this process becomes its child when it loses its parent. Where ``user`` belongs to
    the submission alone, none of its processes may be left.
    """
    cpu, peak = 0.0, 0
    while True:
        left = processes.children(os.getpid()) | (processes.of_user(user) if user is not None else set())
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            if not left:
                return cpu, peak
        else:
            cpu, peak = cpu + usage.ru_utime + usage.ru_stime, max(peak, usage.ru_maxrss)


def _init(
    monitor: int,
    control: socket.socket,
    channel: socket.socket,
    confinement: Confinement,
    entry: Entry,
    child: _Child,
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
            os.chdir(child.home)
            linux.become_subreaper()  # so that the tree below this process stays whole
        linux.set_dumpable(False)  # the runner may not look into this process, which holds the control socket
        _die_with(monitor)
        os.close(monitor)
        _set_resource_limits(confinement, child.identity)
        _set_environment(confinement.backend, child.home)
        _point_at_null()
        runner, gate = _start_runner([proc, control.fileno()], channel, confinement, entry, child)
        channel.close()
        pidfd = os.pidfd_open(runner)
        home = None if confinement.backend == "namespaces" else str(child.home)
        send(control, "started", [pidfd, proc], home=home, user=child.identity.user)
        os.close(proc)
        send(control, "exited", status=_reap_until(runner, pidfd, gate))
    except BaseException as error:
        with contextlib.suppress(Exception):
            send(control, "failed", reason=_describe(error))
    finally:
        os._exit(0)


def _start_runner(
    trusted: Sequence[int], channel: socket.socket, confinement: Confinement, entry: Entry, child: _Child
) -> tuple[int, ForkGate | None]:
    """Fork the runner, without the ``trusted`` descriptors; return its process id, and what its forks have to pass.

    The runner takes the last steps of confinement itself, and this process waits until it has.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    runner = os.fork()
    if runner == 0:
        for descriptor in trusted:
            os.close(descriptor)
        ours.close()
        _runner(theirs, channel, confinement, entry, child)
    theirs.close()
    with ours:
        word, descriptors, _, _ = socket.recv_fds(ours, CONTROL_BYTES, 1)
    if word != _READY:
        raise OSError(word.decode(errors="replace") or "the child died before it was confined")
    # This process is one of those that are counted.
    gates = [ForkGate(descriptor, confinement.limits.processes - 1) for descriptor in descriptors]
    return runner, gates[0] if gates else None


def _runner(
    init: socket.socket, channel: socket.socket, confinement: Confinement, entry: Entry, child: _Child
) -> NoReturn:
    status = 70
    try:
        with init:
            _confine_runner(init, confinement, child)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        entry(channel)
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    finally:
        os._exit(status & 0xFF)


def _confine_runner(init: socket.socket, confinement: Confinement, child: _Child) -> None:
    """Take the last steps of confinement in the runner itself, and tell init how they went."""
    linux.set_dumpable(True)
    try:
        listeners = []
        if confinement.backend == "namespaces":
            seccomp.install(seccomp.for_namespaces())
        if confinement.backend == "landlock":
            listeners.append(landlock.confine(confinement.place, child.home, child.identity, landlock.version()))
        if confinement.backend != "namespaces":
            linux.die_with_parent()
    except OSError as error:
        init.send(_describe(error).encode())
        raise SystemExit(1) from error
    socket.send_fds(init, [_READY], listeners)
    for listener in listeners:
        os.close(listener)


def _reap_until(runner: int, pidfd: int, gate: ForkGate | None) -> int:
    """Reap orphans, and answer the forks at the gate, until the runner has ended; return its wait status."""
    waiting = select.poll()
    waiting.register(pidfd, select.POLLIN)
    if gate is not None:
        waiting.register(gate, select.POLLIN)
    while True:
        for descriptor, event in waiting.poll(_REAP_WALL_MILLISECONDS):
            if gate is None or descriptor != gate.fileno():
                continue
            if event & select.POLLIN:
                gate.answer()
            else:
                waiting.unregister(gate)  # nobody is left who could ask
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == runner:
                return ended[1]


def _die_with(parent: int) -> None:
    linux.die_with_parent()
    if _has_ended(parent):  # before the kernel was asked
        os._exit(1)


def _has_ended(process: int) -> bool:
    watch = select.poll()
    watch.register(process, select.POLLIN)
    return bool(watch.poll(0))


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


def _set_resource_limits(confinement: Confinement, identity: landlock.Identity) -> None:
    limits = confinement.limits
    cpu = int(limits.notebook_cpu_seconds + 2 * limits.grace_cpu_seconds) + 1
    wanted = {
        resource.RLIMIT_DATA: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: limits.open_files,
        # With 0 a crash would still be handed to a program of the machine, where core_pattern names one; 1 means none.
        resource.RLIMIT_CORE: 1,
        resource.RLIMIT_CPU: cpu,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_NICE: 0,
    }
    if confinement.backend == "namespaces" or identity.user is not None:
        # Counted for a user id: of the grader's own it would count the grader's processes too.
        wanted[resource.RLIMIT_NPROC] = limits.tasks
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def _set_environment(backend: Backend, home: Path) -> None:
    """Clear the environment and set what programs and notebooks expect."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    os.environ.clear()
    os.environ.update(
        kept,
        HOME=str(home),
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
    if backend == "landlock":
        os.environ["TMPDIR"] = str(home / "tmp")  # that of the machine is closed
    tempfile.tempdir = None
    with contextlib.suppress(OSError):
        os.umask(0o022)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
