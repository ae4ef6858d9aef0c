"""The isolation backends: which are complete on this machine, and what the others lack.

A backend is complete when a child that was really confined by it, right now, finds every door closed
from the inside. That is tried in a process of its own (``python -I -m autograder.sandbox.isolation``),
because the caller may have threads.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autograder.errors import InputError, IsolationUnavailable
from autograder.sandbox import launch, linux, namespaces
from autograder.sandbox.limits import MEBIBYTE, Limits

Isolation = Literal["auto", "namespaces", "landlock", "none"]
_PROBE_WALL_SECONDS = 60.0
_OLDEST_KERNEL = (5, 12)
_PROBE_LIMITS = Limits(scratch_bytes=4 * MEBIBYTE, notebook_cpu_seconds=10.0)


@dataclass(frozen=True)
class BackendReport:
    """One backend on this machine; ``missing`` names what it lacks, each with what to install or allow."""

    name: str
    complete: bool
    missing: tuple[str, ...] = ()


def choose(isolation: str) -> launch.Backend:
    """Return the backend to use; raise IsolationUnavailable, with the mend, when it is not complete.

    ``auto`` takes the best complete backend and never ``none``, which has to be asked for by name.
    """
    if isolation == "none":
        return "none"
    if isolation not in ("auto", "namespaces", "landlock"):
        raise InputError(f"no isolation backend is called {isolation!r}: auto, namespaces, landlock or none")
    reports = [report for report in probe() if isolation in ("auto", report.name)]
    if any(report.complete and report.name == "namespaces" for report in reports):
        return "namespaces"
    missing = "\n".join(f"- {report.name}: {text}" for report in reports for text in report.missing)
    raise IsolationUnavailable(
        f"no complete isolation on this machine, so no submission was run.\n{missing}\n"
        "Mend one of these, or ask for --isolation none by name where every submission is trusted."
    )


@functools.cache
def probe() -> tuple[BackendReport, ...]:
    """Try every backend once in this process's life and report; best first, ``none`` left out."""
    landlock = BackendReport("landlock", False, ("this version has no Landlock backend yet; use namespaces",))
    return (_probe_namespaces(), landlock)


def _probe_namespaces() -> BackendReport:
    missing = _foreseen()
    if not missing:
        command = [sys.executable, "-I", "-m", "autograder.sandbox.isolation"]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_WALL_SECONDS, check=False)
            missing = json.loads(result.stdout)["missing"]
        except subprocess.TimeoutExpired:
            missing = [f"a child could not be confined within {_PROBE_WALL_SECONDS:.0f} seconds"]
        except (ValueError, KeyError):
            missing = [f"the probe failed: {(result.stderr.strip().splitlines() or ['no word'])[-1][:500]}"]
    return BackendReport("namespaces", not missing, tuple(missing))


def _foreseen() -> list[str]:
    """Name what can be seen to be missing without trying."""
    if platform.system() != "Linux":
        return ["namespaces exist on Linux only: use a Linux machine, WSL 2 or a container on one"]
    missing = []
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if release < _OLDEST_KERNEL:
        missing.append(f"Linux {platform.release()} is too old: 5.12 or later is needed")
    if not linux.machine_is_known():
        missing.append(f"the numbers of system calls are not known for {platform.machine()}")
    return missing


def main() -> None:
    """Confine a child here and now and print what it lacks as JSON; for ``probe`` alone."""
    folder = Path(tempfile.mkdtemp(prefix="autograder-probe-"))
    try:
        missing = _attempt(folder)
    finally:
        shutil.rmtree(folder)
    json.dump({"missing": missing}, sys.stdout)


def _attempt(folder: Path) -> list[str]:
    """Confine a child that looks around, and return what it should not have seen or could not reach."""
    (folder / "root").mkdir()
    marker = folder / "marker"
    marker.write_text("to be seen by nobody", encoding="utf-8")
    packages = [str(Path(__file__).parent), str(Path(json.__file__).parent)]
    packages += [path for path in sys.path if path.endswith("-packages") and Path(path).is_dir()]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control, remote = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    confinement = launch.Confinement("namespaces", _PROBE_LIMITS, namespaces.survey(folder / "root"))
    with socket.create_server(("127.0.0.1", 0)) as listener, ours, control:
        address = listener.getsockname()

        def entry(channel: socket.socket) -> None:
            channel.sendall(json.dumps(look_around(str(marker), address, packages)).encode())
            channel.recv(1)  # stay until this process was looked at from outside

        with theirs, remote:
            launch.start(remote, theirs, confinement, entry)
        missing = _follow(control, ours)
        data = ours.recv(launch.CONTROL_BYTES)
    if missing:
        return missing
    return open_doors(json.loads(data)) if data else ["the confined child died without a word"]


def _follow(control: socket.socket, channel: socket.socket) -> list[str]:
    """Read what the monitor and init say until the child is gone; return what went wrong.

    The child stays until it is told, by the end of the channel, that it was looked at.
    """
    missing: list[str] = []
    while True:
        packet, descriptors, _, _ = socket.recv_fds(control, launch.CONTROL_BYTES, 2)
        for descriptor in descriptors:
            os.close(descriptor)
        message = json.loads(packet) if packet else {"event": "gone"}
        if message["event"] == "failed":
            missing += _mends(message["reason"])
        if message["event"] == "forked":
            process = Path("/proc", str(message["process"]), "status")
        if message["event"] == "started":
            if _field(process.read_text(encoding="ascii"), "Uid")[0] == "0":
                missing.append("the child kept the user id of root: map more user ids into this container")
            channel.shutdown(socket.SHUT_WR)
        if message["event"] == "gone":
            return missing


def look_around(marker: str, address: tuple[str, int], packages: list[str]) -> dict[str, Any]:
    """Describe, from inside, what this process can see and do; only harmless attempts are made."""
    status = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace")
    return {
        "interfaces_up": _interfaces_up(),
        "connected": _can_connect(address),
        "processes": [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()],
        "marker": os.access(marker, os.R_OK),
        "unreadable": [path for path in packages if not os.access(path, os.R_OK | os.X_OK)],
        "writable": [path for path in ("/", "/usr/bin", "/etc", packages[0]) if os.access(path, os.W_OK)],
        "first_process": os.access("/proc/1/environ", os.R_OK),
        "user": os.getuid(),
        "capabilities": int(_field(status, "CapEff")[0], 16) | int(_field(status, "CapPrm")[0], 16),
        "new_privileges": _field(status, "NoNewPrivs")[0] != "1",
        "nested": _can_mount_in_nested_namespace(),
    }


def open_doors(view: dict[str, Any]) -> list[str]:
    """Name every door that ``look_around`` found open, and what confinement needs and did not get."""
    doors = {
        "a network interface is up": view["interfaces_up"],
        "a listener on the host's loopback was reached": view["connected"],
        "other processes are seen": set(view["processes"]) - {1, 2},
        "a file of the host can be read": view["marker"],
        "the system's folders can be written to": view["writable"],
        "the first process can be looked into": view["first_process"],
        "the child is user 0": view["user"] == 0,
        "the child has capabilities": view["capabilities"],
        "the child can gain privileges": view["new_privileges"],
        "the child can mount in a user namespace of its own": view["nested"],
    }
    found = [f"{door}: a fault of the sandbox, please report it" for door, open_ in doors.items() if open_]
    for path in view["unreadable"]:
        found.append(f"a confined child can not read {path}: let others read and enter it (chmod -R o+rX)")
    return found


def _interfaces_up() -> list[str]:
    get_flags, is_up = 0x8913, 1  # SIOCGIFFLAGS, IFF_UP
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            answer = fcntl.ioctl(any_socket, get_flags, struct.pack("16sh14x", name.encode(), 0))
            if struct.unpack("16sh14x", answer)[1] & is_up:
                found.append(name)
    return found


def _can_connect(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1.0).close()
    except OSError:
        return False
    return True


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


def _mends(reason: str) -> list[str]:
    """Say what to install or allow after a step of confinement was refused by this machine."""
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
