"""The system calls that Python 3.11 has no function for, each raising OSError that names the call.

Only what confinement needs: namespaces, mounts, capabilities, keyrings. Numbers of system calls are known
for x86-64 and for the newer machines that share one table.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
from collections.abc import Iterator

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x00020000, 0x02000000, 0x04000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8

_PR_SET_PDEATHSIG, _PR_GET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 2, 4, 24
_PR_SET_KEEPCAPS, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 8, 36, 38, 47
_PR_CAP_AMBIENT_RAISE, _PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
_CAPABILITY_VERSION_3 = 0x20080522
_KEYCTL_JOIN_SESSION_KEYRING = 1
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
# Added before 2019: (x86-64, the machines that share a table); None where a machine never had the call.
_OLD_CALLS: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89), "add_key": (248, 217), "bpf": (321, 280), "chmod": (90, None), "chown": (92, None),
    "chroot": (161, 51), "clock_settime": (227, 112), "clone": (56, 220), "delete_module": (176, 106),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchown": (93, 55), "fchownat": (260, 54), "fcntl": (72, 25), "finit_module": (313, 273), "fork": (57, None),
    "fremovexattr": (199, 16), "fsetxattr": (190, 7), "futimesat": (261, None), "init_module": (175, 105),
    "inotify_init": (253, None), "inotify_init1": (294, 26), "ioctl": (16, 29), "ioperm": (173, None),
    "iopl": (172, None), "ioprio_set": (251, 30), "kcmp": (312, 272), "kexec_file_load": (320, 294),
    "kexec_load": (246, 104), "keyctl": (250, 219), "lchown": (94, None), "lookup_dcookie": (212, 18),
    "lremovexattr": (198, 15), "lsetxattr": (189, 6), "memfd_create": (319, 279), "migrate_pages": (256, 238),
    "mount": (165, 40), "move_pages": (279, 239), "mq_open": (240, 180), "msgget": (68, 186),
    "name_to_handle_at": (303, 264), "nfsservctl": (180, 42), "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241), "personality": (135, 92), "pivot_root": (155, 41), "prctl": (157, 167),
    "prlimit64": (302, 261), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "quotactl": (179, 60), "reboot": (169, 142), "removexattr": (197, 14), "request_key": (249, 218),
    "sched_setaffinity": (203, 122), "sched_setattr": (314, 274), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "seccomp": (317, 277), "semget": (64, 190), "setns": (308, 268),
    "setpriority": (141, 140), "setrlimit": (160, 164), "settimeofday": (164, 170), "setxattr": (188, 5),
    "shmget": (29, 194),
    "socket": (41, 198), "socketpair": (53, 199), "swapoff": (168, 225), "swapon": (167, 224), "sysfs": (139, None),
    "syslog": (103, 116), "umount2": (166, 39), "unshare": (272, 97), "uselib": (134, None),
    "userfaultfd": (323, 282), "ustat": (136, None), "utime": (132, None), "utimensat": (280, 88),
    "utimes": (235, None), "vfork": (58, None), "vhangup": (153, 58),
}  # fmt: skip
# Added since 2019: the same number on every machine.
_NEW_CALLS = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438,
    "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "landlock_create_ruleset": 444,
    "landlock_add_rule": 445, "landlock_restrict_self": 446, "memfd_secret": 447, "process_mrelease": 448,
    "fchmodat2": 452, "statmount": 457, "listmount": 458, "lsm_set_self_attr": 460,
}  # fmt: skip
_COLUMNS = {"x86_64": 0, "aarch64": 1, "riscv64": 1}

_libc = ctypes.CDLL(None, use_errno=True)


def machine_is_known() -> bool:
    """Tell whether the numbers of the system calls are known for this machine."""
    return platform.machine() in _COLUMNS


def call_number(name: str) -> int | None:
    """Return the number of a system call on this machine, or None where it has no such call; KeyError if unknown."""
    if name in _NEW_CALLS:
        return _NEW_CALLS[name]
    return _OLD_CALLS[name][_COLUMNS[platform.machine()]]


def call(name: str, *arguments: object) -> int:
    """Make a system call by its name; return its result, or raise OSError that names it."""
    # Integers go as long: a plain int argument would leave the upper half of the register undefined.
    converted = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result: int = _libc.syscall(ctypes.c_long(call_number(name) or -1), *converted)
    _checked(name, min(result, 0))
    return result


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
    call("mount_setattr", _AT_FDCWD, target.encode(), flags, ctypes.byref(values), ctypes.sizeof(values))


def enter_root(folder: str) -> None:
    """Make ``folder``, a mount point, the root folder, and let go of the old root."""
    os.chdir(folder)
    call("pivot_root", b".", b".")
    unmount(".")
    os.chdir("/")


def set_hostname(name: str) -> None:
    """Set the host name that this UTS namespace shows."""
    _checked("sethostname", _libc.sethostname(name.encode(), ctypes.c_size_t(len(name))))


def join_new_session_keyring() -> None:
    """Leave the inherited session keyring for a new, empty one."""
    call("keyctl", _KEYCTL_JOIN_SESSION_KEYRING, None)


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


def empty_bounding_set(kept: frozenset[int] = frozenset()) -> None:
    """Drop every capability but the ``kept`` ones from the bounding set, so that no program can gain one."""
    for capability in range(64):
        if capability in kept:
            continue
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError:
            if capability == 0:
                raise
            break  # one above the last that this kernel knows


def keep_capabilities_when_changing_user() -> None:
    """Have the next change of user id leave the permitted capabilities as they are."""
    _prctl(_PR_SET_KEEPCAPS, 1)


def drop_capabilities(kept: frozenset[int] = frozenset()) -> None:
    """Give up every capability but the ``kept`` ones, which programs that are started keep as well."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, once for the lower and once for the upper 32.
    halves = [sum(1 << bit % 32 for bit in kept if bit // 32 == half) for half in (0, 1)]
    data = (ctypes.c_uint32 * 6)(*[half for half in halves for _ in range(3)])
    _checked("capset", _libc.capset(ctypes.byref(header), ctypes.byref(data)))
    for capability in kept:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


@contextlib.contextmanager
def looking_as(user: int) -> Iterator[None]:
    """Have this thread open files, those of /proc above all, as another user who may have fewer powers.

    Root of a container may not trace others, and so can not look into their /proc folders; their own user can.
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    before, raised = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    _checked("capget", _libc.capget(ctypes.byref(header), ctypes.byref(before)))
    parent, at_its_death = os.getppid(), ctypes.c_int()
    _checked("prctl", _libc.prctl(ctypes.c_int(_PR_GET_PDEATHSIG), ctypes.byref(at_its_death)))
    _libc.setfsgid(ctypes.c_uint(user))
    _libc.setfsuid(ctypes.c_uint(user))
    try:
        # The change has taken some powers away, and nobody looks into a process with more powers than one's own.
        for half in (0, 3):
            raised[half] = raised[half + 1] = before[half + 1]
            raised[half + 2] = before[half + 2]
        _checked("capset", _libc.capset(ctypes.byref(header), ctypes.byref(raised)))
        yield
    finally:
        _libc.setfsuid(ctypes.c_uint(os.geteuid()))
        _libc.setfsgid(ctypes.c_uint(os.getegid()))
        _checked("capset", _libc.capset(ctypes.byref(header), ctypes.byref(before)))
        # Each change of user id forgets what is to happen when the parent dies.
        _prctl(_PR_SET_PDEATHSIG, at_its_death.value)
        if at_its_death.value and os.getppid() != parent:
            os.kill(os.getpid(), at_its_death.value)


def _prctl(option: int, *values: int) -> None:
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _checked(f"prctl {option}", _libc.prctl(ctypes.c_int(option), *arguments))


def _checked(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
