"""The isolation backends: which are complete on this machine, and what the others lack.

A backend is complete when a child that was really confined by it, right now, finds every door closed
from the inside. That is tried in a process of its own (``python -I -m autograder.sandbox.isolation``),
because the caller may have threads.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import platform
import resource
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from autograder.errors import InputError, IsolationUnavailable
from autograder.sandbox import landlock, launch, linux, user_ids
from autograder.sandbox.limits import MEBIBYTE, Limits
from autograder.sandbox.place import survey

Isolation = Literal["auto", "namespaces", "landlock", "none"]
BACKENDS: tuple[launch.Backend, ...] = ("namespaces", "landlock")
"""Those that isolate, best first."""

_PROBE_WALL_SECONDS = 60.0
_OLDEST_KERNELS = {"namespaces": (5, 12), "landlock": (5, 13)}
_PROBE_LIMITS = Limits(scratch_bytes=4 * MEBIBYTE, notebook_cpu_seconds=10.0)


@dataclass(frozen=True)
class BackendReport:
    """One backend on this machine; ``missing`` names what it lacks, each with what to install or allow.

    ``uncovered`` is what it leaves to something else, or leaves open, on this machine.
    """

    name: str
    complete: bool
    missing: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()


def choose(isolation: str) -> launch.Backend:
    """Return the backend to use; raise IsolationUnavailable, with the mend, when it is not complete.

    ``auto`` takes the best complete backend and never ``none``, which has to be asked for by name.
    """
    if isolation == "none":
        return "none"
    if isolation not in ("auto", *BACKENDS):
        raise InputError(f"no isolation backend is called {isolation!r}: auto, namespaces, landlock or none")
    missing = []
    for name in BACKENDS if isolation == "auto" else (isolation,):
        report = probe(name)
        if report.complete:
            return cast(launch.Backend, name)
        missing += [f"- {name}: {text}" for text in report.missing]
    raise IsolationUnavailable(
        "no complete isolation on this machine, so no submission was run.\n" + "\n".join(missing) + "\n"
        "Mend one of these, or ask for --isolation none by name where every submission is trusted."
    )


@functools.cache
def probe(name: str) -> BackendReport:
    """Try a backend once in this process's life and report."""
    missing = _foreseen(name)
    if not missing:
        command = [sys.executable, "-I", "-m", "autograder.sandbox.isolation", name]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_WALL_SECONDS, check=False)
            missing = json.loads(result.stdout)["missing"]
        except subprocess.TimeoutExpired:
            missing = [f"a child could not be confined within {_PROBE_WALL_SECONDS:.0f} seconds"]
        except (ValueError, KeyError):
            missing = [f"the probe failed: {(result.stderr.strip().splitlines() or ['no word'])[-1][:500]}"]
    uncovered: tuple[str, ...] = ()
    if name == "landlock" and not missing:
        uncovered = tuple(landlock.uncovered(landlock.version(), user_ids.is_powerful_root()))
    return BackendReport(name, not missing, tuple(missing), uncovered)


def _foreseen(name: str) -> list[str]:
    """Name what can be seen to be missing without trying."""
    if platform.system() != "Linux":
        return [f"{name} exists on Linux only: use a Linux machine, WSL 2 or a container on one"]
    missing = []
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    oldest = _OLDEST_KERNELS[name]
    if release < oldest:
        missing.append(f"Linux {platform.release()} is too old: {oldest[0]}.{oldest[1]} or later is needed")
    if not linux.machine_is_known():
        missing.append(f"the numbers of system calls are not known for {platform.machine()}")
    if not missing and name == "landlock":
        missing += landlock.lacking(landlock.version(), user_ids.is_powerful_root())
        if os.geteuid() == 0 and not user_ids.is_powerful_root():
            missing.append("root has no other user id to give to a child: map more into this container, or use a user")
    return missing


def main() -> None:
    """Confine a child here and now by the named backend and print what it lacks as JSON; for ``probe`` alone."""
    (backend,) = (name for name in BACKENDS if name == sys.argv[1])
    folder = Path(tempfile.mkdtemp(prefix="autograder-probe-"))
    homes = launch.make_homes(folder)
    try:
        missing = _attempt(backend, folder)
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(homes)
    json.dump({"missing": missing}, sys.stdout)


@dataclass(frozen=True)
class Outside:
    """What a child must not reach: a file and a process of this machine, a network address, an abstract socket."""

    marker: str
    process: int
    address: tuple[str, int]
    abstract: str


def _attempt(backend: launch.Backend, folder: Path) -> list[str]:
    """Confine a child that looks around, and return what it should not have seen or could not reach."""
    (folder / "root").mkdir()
    marker = folder / "marker"
    marker.write_text("to be seen by nobody", encoding="utf-8")
    marker.chmod(0o644)
    if os.geteuid() == 0:
        folder.chmod(0o711)  # that the marker can not be read shall not be due to the folder
    packages = [str(Path(__file__).parent), str(Path(json.__file__).parent)]
    packages += [path for path in sys.path if path.endswith("-packages") and Path(path).is_dir()]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control, remote = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    confinement = launch.Confinement(backend, _PROBE_LIMITS, survey(folder / "root"))
    abstract = f"\0autograder-probe-{uuid.uuid4()}"
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as local, ours, control:
        local.bind(abstract)
        local.listen()
        outside = Outside(str(marker), os.getpid(), listener.getsockname(), abstract)

        def entry(channel: socket.socket) -> None:
            channel.sendall(json.dumps(look_around(outside, packages)).encode())
            channel.recv(1)  # stay until this process was looked at from outside

        with theirs, remote:
            launch.start(remote, theirs, confinement, entry)
        missing = _follow(backend, control, ours, own_user=confinement.as_root)
        data = ours.recv(launch.CONTROL_BYTES)
    if missing:
        return missing
    if not data:
        return ["the confined child died without a word"]
    return open_doors(json.loads(data), landlock.identity(confinement.place, confinement.as_root, os.getpid()).powers)


def _follow(backend: launch.Backend, control: socket.socket, channel: socket.socket, own_user: bool) -> list[str]:
    """Read what the monitor and init say until the child is gone; return what went wrong.

    The child stays until it is told, by the end of the channel, that it was looked at.
    """
    missing: list[str] = []
    while True:
        packet, descriptors, _, _ = socket.recv_fds(control, launch.CONTROL_BYTES, 2)
        message = json.loads(packet) if packet else {"event": "gone"}
        if message["event"] == "failed":
            missing += _mends(backend, message["reason"])
        if message["event"] == "started":
            user = _user_of(descriptors[0])
            if user == 0 or (own_user and user == os.geteuid()):
                missing.append("the child kept the user id of the grader: map more user ids into this container")
            channel.shutdown(socket.SHUT_WR)
        for descriptor in descriptors:
            os.close(descriptor)
        if message["event"] == "gone":
            return missing


def _user_of(pidfd: int) -> int:
    """Return the user id, as this machine sees it, of a process that is held by a descriptor."""
    about = Path("/proc/self/fdinfo", str(pidfd)).read_text(encoding="ascii")
    status = Path("/proc", _field(about, "Pid")[0], "status").read_text(encoding="utf-8", errors="replace")
    return int(_field(status, "Uid")[0])


def look_around(outside: Outside, packages: list[str]) -> dict[str, Any]:
    """Describe, from inside, what this process can see and do; only harmless attempts are made."""
    status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    marker = Path(outside.marker)
    folders = [Path("/"), Path("/usr/bin"), Path("/etc"), Path(packages[0]), marker.parent]
    return {
        "interfaces_up": _interfaces_up(),
        "connected": _can(lambda: socket.create_connection(outside.address, timeout=1.0).close()),
        "abstract": _can(lambda: _connect_abstract(outside.abstract)),
        "processes": _processes(),
        "signalled": _can(lambda: os.kill(outside.process, 0)),
        "limited": _can(lambda: resource.prlimit(outside.process, resource.RLIMIT_CORE)),
        "marker": _can(marker.read_bytes),
        "marker_changed": _can(lambda: marker.chmod(0o600)) and stat.S_IMODE(marker.stat().st_mode) == 0o600,
        "unreadable": [path for path in packages if not _can(functools.partial(os.listdir, path))],
        "writable": [str(folder) for folder in folders if _can_write(folder)],
        "first_process": _can(Path("/proc/1/environ").read_bytes),
        "user": os.getuid(),
        "capabilities": int(_field(status, "CapEff")[0], 16) | int(_field(status, "CapPrm")[0], 16),
        "new_privileges": _field(status, "NoNewPrivs")[0] != "1",
        "unfiltered": _field(status, "Seccomp")[0] != "2",
        "nested": _can_mount_in_nested_namespace(),
    }


def open_doors(view: dict[str, Any], powers: frozenset[int] = frozenset()) -> list[str]:
    """Name every door that ``look_around`` found open, and what confinement needs and did not get.

    ``powers`` are capabilities that the child has on purpose.
    """
    kept = sum(1 << power for power in powers)
    doors = {
        "a network interface is up": view["interfaces_up"],
        "a listener on the host's loopback was reached": view["connected"],
        "an abstract socket of the host was reached": view["abstract"],
        "other processes are seen": set(view["processes"]) - {1, 2},
        "a process of the host can be signalled": view["signalled"],
        "limits of a process of the host can be set": view["limited"],
        "a file of the host can be read": view["marker"],
        "the mode of a file of the host can be changed": view["marker_changed"],
        "folders of the host can be written to": view["writable"],
        "the first process can be looked into": view["first_process"],
        "the child is user 0": view["user"] == 0,
        "the child has capabilities": view["capabilities"] & ~kept,
        "the child can gain privileges": view["new_privileges"],
        "no filter of system calls is in force": view["unfiltered"],
        "the child can mount in a user namespace of its own": view["nested"],
    }
    found = [f"{door}: a fault of the sandbox, please report it" for door, open_ in doors.items() if open_]
    for path in view["unreadable"]:
        found.append(f"a confined child can not read {path}: let others read and enter it (chmod -R o+rX)")
    return found


def _can(attempt: Callable[[], object]) -> bool:
    """Tell whether an attempt succeeds; any kind of refusal will do."""
    try:
        attempt()
    except OSError:
        return False
    return True


def _can_write(folder: Path) -> bool:
    with contextlib.suppress(OSError), tempfile.NamedTemporaryFile(dir=folder):
        return True
    return False


def _connect_abstract(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as attempt:
        attempt.connect(name)


def _processes() -> list[int]:
    with contextlib.suppress(OSError):
        return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return []


def _interfaces_up() -> list[str]:
    get_flags, is_up = 0x8913, 1  # SIOCGIFFLAGS, IFF_UP
    found = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            answer = fcntl.ioctl(any_socket, get_flags, struct.pack("16sh14x", name.encode(), 0))
            if struct.unpack("16sh14x", answer)[1] & is_up:
                found.append(name)
    return found


def _can_mount_in_nested_namespace() -> bool:
    child = os.fork()
    if child == 0:
        try:
            linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
            linux.mount("tmpfs", "/tmp", "tmpfs", linux.MS_NOSUID)  # noqa: S108
            os._exit(1)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def _mends(backend: launch.Backend, reason: str) -> list[str]:
    """Say what to install or allow after a step of confinement was refused by this machine."""
    if backend == "landlock":
        return [f"{reason}. Run as root with the usual powers of a container, or as an ordinary user on Linux 6.12"]
    switches = {
        "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
        "/proc/sys/user/max_user_namespaces": ("0", "sysctl -w user.max_user_namespaces=15000"),
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or give Python an AppArmor profile",
        ),
    }
    mends = []
    if os.geteuid() != 0:
        for path, (refusing, mend) in switches.items():
            if Path(path).is_file() and Path(path).read_text(encoding="ascii").strip() == refusing:
                mends.append(f"ordinary users may not make user namespaces here; as root: {mend}")
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        mends.append(
            "this is a container: start it with --privileged, or with --security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined --security-opt systempaths=unconfined --cap-add SYS_ADMIN"
        )
    return [f"{reason}. {mend}" for mend in mends] or [f"{reason}. Run as root, or allow user namespaces"]


def _field(status: str, name: str) -> list[str]:
    line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
    return line.split()[1:]


if __name__ == "__main__":
    main()
