"""The system calls that Python 3.11 has no function for, each raising OSError that names the call.

Only what confinement needs: namespaces, mounts, capabilities, keyrings. Numbers of system calls without
a wrapper in the C library are known for x86-64 and for the newer machines that share one table.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x00020000, 0x02000000, 0x04000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 36, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
_KEYCTL_JOIN_SESSION_KEYRING = 1
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_MOUNT_SETATTR = 442  # the same number on every machine, as for all calls added since 2019
_OLD_CALLS, _NEW_CALLS = {"pivot_root": 155, "keyctl": 250}, {"pivot_root": 41, "keyctl": 219}
_CALLS = {"x86_64": _OLD_CALLS, "aarch64": _NEW_CALLS, "riscv64": _NEW_CALLS}

_libc = ctypes.CDLL(None, use_errno=True)


def machine_is_known() -> bool:
    """Tell whether the numbers of the system calls are known for this machine."""
    return platform.machine() in _CALLS


def unshare(flags: int) -> None:
    """Move this process (its children, for process ids) into new namespaces."""
    _checked("unshare", _libc.unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount a file system, or bind a folder with MS_BIND."""
    encoded = kind.encode() if kind else None
    result = _libc.mount(source.encode(), target.encode(), encoded, ctypes.c_ulong(flags), options.encode() or None)
    _checked(f"mount {source} on {target}", result)


def unmount(target: str) -> None:
    """Take a mount out of sight; it goes away when its last user has closed it."""
    _checked(f"umount {target}", _libc.umount2(target.encode(), MNT_DETACH))


def set_mount_attributes(target: str, attributes: int, recursive: bool = False) -> None:
    """Add attributes such as MOUNT_ATTR_RDONLY to a mount, or to all mounts of a tree (Linux 5.12)."""

    class _MountAttributes(ctypes.Structure):
        _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]

    values = _MountAttributes(attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    result = _syscall(_MOUNT_SETATTR, _AT_FDCWD, target.encode(), flags, ctypes.byref(values), ctypes.sizeof(values))
    _checked(f"mount_setattr {target}", result)


def enter_root(folder: str) -> None:
    """Make ``folder``, a mount point, the root folder, and let go of the old root."""
    os.chdir(folder)
    _checked("pivot_root", _syscall(_CALLS[platform.machine()]["pivot_root"], b".", b"."))
    unmount(".")
    os.chdir("/")


def set_hostname(name: str) -> None:
    """Set the host name that this UTS namespace shows."""
    _checked("sethostname", _libc.sethostname(name.encode(), ctypes.c_size_t(len(name))))


def join_new_session_keyring() -> None:
    """Leave the inherited session keyring for a new, empty one."""
    number = _CALLS[platform.machine()]["keyctl"]
    result = _syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, None)
    _checked("keyctl", 0 if result >= 0 else result)


def die_with_parent() -> None:
    """Have this process killed when its parent dies; a parent that is dead already goes unnoticed.

    Lost at every change of user id, so it must be called after the last one.
    """
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def set_dumpable(value: bool) -> None:
    """Allow or forbid processes of equal user id to trace this one and to look into its /proc folder."""
    _prctl(_PR_SET_DUMPABLE, int(value))


def become_subreaper() -> None:
    """Adopt the orphans among all descendants."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def forbid_new_privileges() -> None:
    """Make set-user-id programs and file capabilities void, for good."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def empty_bounding_set() -> None:
    """Drop every capability from the bounding set, so that no program can gain one."""
    for capability in range(64):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            if capability == 0:
                raise
            break  # one above the last that this kernel knows


def drop_capabilities() -> None:
    """Give up every capability: effective, permitted, inheritable and ambient."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()
    _checked("capset", _libc.capset(ctypes.byref(header), ctypes.byref(data)))


def _prctl(option: int, value: int) -> None:
    arguments = [ctypes.c_ulong(argument) for argument in (value, 0, 0, 0)]
    _checked(f"prctl {option}", _libc.prctl(ctypes.c_int(option), *arguments))


def _syscall(number: int, *arguments: object) -> int:
    # Integers go as long: a plain int argument would leave the upper half of the register undefined.
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result: int = _libc.syscall(ctypes.c_long(number), *converted)
    return result


def _checked(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
