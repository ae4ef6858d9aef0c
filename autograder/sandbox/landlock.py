"""Confinement where namespaces are forbidden, as in containers with Docker's usual filter of system calls.

As root the child gets a user id that nobody else has; as an ordinary user it keeps the grader's. Landlock
(landlock(7)) then restricts its view of files, its signals and its sockets, and a filter of system calls
(``seccomp``) refuses what Landlock knows nothing of. There is no private root, so a child's home is a private
folder of the machine, with a folder for temporary files in it.

What a confined process can still do, and why that is accepted:

- It can find out whether a path that it guesses exists, how large and how old the file is, but not
  read it, nor list a folder. As root, folders that are closed to others hide even that.
- Machine-wide figures (memory, load, processors, kernel version) can be read.
- Its files lie on a disk without a quota: a watch bounds them (``scratch``), and can be late by one look.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.sandbox import linux, processes, seccomp, user_ids
from autograder.sandbox.place import Place

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_CHARACTER_DEVICE, _MAKE_SOCKET, _MAKE_BLOCK_DEVICE = 1 << 6, 1 << 9, 1 << 11
_REFER, _TRUNCATE, _DEVICE_IOCTL = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICE_IOCTL
_FOLDER_RIGHTS_OF_VERSION_1 = (1 << 13) - 1
_TCP, _SCOPES = 0b11, 0b11  # bind and connect; abstract sockets and signals
_RULE_PATH_BENEATH, _QUERY_VERSION = 1, 1

_TRUNCATE_VERSION, _TCP_VERSION, _DEVICE_VERSION, _SCOPE_VERSION = 3, 4, 5, 6
_QUIET_VERSION, _QUIET = 7, 0b101  # refusals do not fill the machine's audit log
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2
_TRIES = 100

_DEVICES = ("null", "zero", "full", "random", "urandom")
_PROC_FILES = (
    "cpuinfo", "meminfo", "stat", "version", "filesystems", "loadavg", "uptime", "sys/kernel/osrelease",
    "sys/kernel/ostype", "sys/kernel/version", "sys/kernel/pid_max", "sys/kernel/random", "sys/vm/overcommit_memory",
)  # fmt: skip
# Of its own folder there a process needs these; the rest tells of the machine's mounts and connections.
_OWN_PROC_FILES = (
    "stat", "statm", "status", "maps", "smaps", "smaps_rollup", "cmdline", "comm", "environ", "auxv", "limits", "io",
    "fd", "fdinfo", "cgroup", "oom_score", "oom_score_adj",
)  # fmt: skip
# Libraries that count processors see that these exist, and stop at an error when they can not be read.
_PROCESSOR_FILES = ("/sys/devices/system/cpu", "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu")


@dataclass(frozen=True)
class Identity:
    """Who a confined process is: a user id of its own, or the grader's when that is None.

    ``powers`` are the capabilities that it keeps: at most one, to reach an interpreter that lies below a
    folder which others can not enter.
    """

    user: int | None
    powers: frozenset[int] = frozenset()

    @property
    def stands_apart(self) -> bool:
        """Whether the kernel protects the grader's files and processes from it even without any filter."""
        return self.user is not None and not self.powers


def version() -> int:
    """Return the version of Landlock that this kernel has and allows, 0 where there is none."""
    try:
        return linux.call("landlock_create_ruleset", None, 0, _QUERY_VERSION)
    except OSError:
        return 0


def lacking(found: int, as_root: bool) -> list[str]:
    """Say what a version lacks that nothing else makes up for, with the mend; nothing where it suffices."""
    if found == 0:
        return [
            "no Landlock here: use Linux 5.13 or later that starts with it (the kernel's lsm= option names landlock), "
            "and a container engine whose filter of system calls knows it (Docker 23 or later)"
        ]
    if not as_root and found < _SCOPE_VERSION:
        return [
            f"Landlock's version is {found}: version {_SCOPE_VERSION} (Linux 6.12) is needed to keep the submission of "
            "an ordinary user from signalling the grader. Grade as root, or with a newer kernel"
        ]
    return []


def uncovered(found: int, as_root: bool) -> list[str]:
    """Say what a version of Landlock does not restrict, and what does so instead."""
    notes = []
    if found < _TRUNCATE_VERSION:
        notes.append("the truncation of files: the child's own user id prevents it")
    if found < _TCP_VERSION:
        notes.append("TCP: the filter of system calls refuses every socket")
    if found < _DEVICE_VERSION:
        notes.append("commands to devices: only null, zero, full and random ones can be opened")
    if found < _SCOPE_VERSION:
        notes.append("signals and abstract sockets: the child's own user id and the filter prevent them")
    notes.append("whether a guessed path exists, its size and times: can be found out, nothing can be read or listed")
    if not as_root:
        notes.append("modes, owners and times of files: the filter of system calls leaves them as they are")
    notes.append("space on disk: watched, so a little more than the limit can be written for a moment")
    return notes


def identity(place: Place, as_root: bool, number: int) -> Identity:
    """Choose who the next child is; ``number`` tells it from all others that run (a process id).

    Only root can choose; nobody else's process has the user id that it returns.
    """
    if not as_root:
        return Identity(None)
    for candidate in range(number, number + _TRIES):
        user = user_ids.free_host_id(candidate)
        if not processes.of_user(user):
            return Identity(user, _powers_to_read(place))
    raise OSError(errno.EUSERS, "every user id that was tried has processes already")


def _powers_to_read(place: Place) -> frozenset[int]:
    """Return the least power with which a stranger can enter all folders above those that are to be seen."""
    above = {folder for path in place.visible for folder in path.parents}
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in above):
        return frozenset()
    permitted = int(re.findall(r"CapPrm:\s*(\w+)", Path("/proc/self/status").read_text(encoding="ascii"))[0], 16)
    # With either one Landlock alone guards the files, as it does for an ordinary user.
    return frozenset([power for power in (_DAC_READ_SEARCH, _DAC_OVERRIDE) if permitted & 1 << power][:1])


def confine(place: Place, home: Path, who: Identity, found: int) -> int:
    """Confine this process, which has one thread, for good; return the listener for a ``forks.ForkGate``.

    ``found`` is the version of Landlock. Raises OSError where a step is refused.
    """
    with contextlib.suppress(OSError):  # the kernel's killer takes a child before anything trusted
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if who.user is not None:
        linux.empty_bounding_set(who.powers)
        linux.keep_capabilities_when_changing_user()
        os.setgroups([])
        os.setresgid(who.user, who.user, who.user)
        os.setresuid(who.user, who.user, who.user)
        linux.set_dumpable(True)
    linux.drop_capabilities(who.powers)
    linux.forbid_new_privileges()
    os.chdir(home)
    restrict(place, home, found)
    listener = seccomp.install(seccomp.for_landlock(who.stands_apart))
    assert listener is not None
    return listener


def restrict(place: Place, home: Path, found: int) -> None:
    """Let this process, from now on, read what is to be seen, and write below ``home`` alone."""
    everything = _FOLDER_RIGHTS_OF_VERSION_1
    for since, right in ((2, _REFER), (_TRUNCATE_VERSION, _TRUNCATE), (_DEVICE_VERSION, _DEVICE_IOCTL)):
        everything |= right if found >= since else 0
    attributes = (ctypes.c_uint64 * 3)(
        everything, _TCP if found >= _TCP_VERSION else 0, _SCOPES if found >= _SCOPE_VERSION else 0
    )
    size = 8 * (1 if found < _TCP_VERSION else 2 if found < _SCOPE_VERSION else 3)
    ruleset = linux.call("landlock_create_ruleset", attributes, size, 0)
    try:
        for path, rights in _rules(place, home, everything):
            _allow(ruleset, path, rights & everything)
        linux.call("landlock_restrict_self", ruleset, _QUIET if found >= _QUIET_VERSION else 0)
    finally:
        os.close(ruleset)


def _rules(place: Place, home: Path, everything: int) -> Iterator[tuple[Path, int]]:
    for path in place.visible:
        for part in _without(path, place.hidden):
            yield part, _EXECUTE | _READ_FILE | _READ_DIR
    yield home, everything & ~(_MAKE_CHARACTER_DEVICE | _MAKE_BLOCK_DEVICE | _MAKE_SOCKET)
    for device in _DEVICES:
        yield Path("/dev", device), _READ_FILE | _WRITE_FILE | _DEVICE_IOCTL
    for name in _PROC_FILES:
        yield Path("/proc", name), _READ_FILE | _READ_DIR
    for name in _OWN_PROC_FILES:
        yield Path("/proc/self", name), _READ_FILE | _READ_DIR
    for name in _PROCESSOR_FILES:
        yield Path(name), _READ_FILE | _READ_DIR


def _without(path: Path, hidden: Iterable[Path]) -> Iterator[Path]:
    """Yield a folder, or what is in it apart from hidden folders: a right can not be taken back further down."""
    inside = [folder for folder in hidden if path in folder.parents]
    if not inside:
        yield path
        return
    for child in path.iterdir():
        if child not in inside:
            yield from _without(child, inside)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    """Add one rule: an access mask of 64 bits and a descriptor of 32, without a gap between them."""
    try:
        descriptor = os.open(path, os.O_PATH)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES):
            return  # what is not there, or can not be reached, needs no rule
        raise
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        linux.call("landlock_add_rule", ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)
