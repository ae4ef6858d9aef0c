"""A filter of system calls, for good, for this process and all that come from it (seccomp, Linux 5.5).

What a namespace or Landlock leaves open is closed here, in both backends: parts of the kernel that no
notebook needs and that are not divided by namespaces. Where namespaces are forbidden the filter also does what
Landlock can not: it refuses sockets of every kind, shared memory between strangers, and changes of what belongs to the
grader's own user; and each fork waits for a word of the process that watches (``forks``).

The filter is a program for the kernel's classic packet filter (seccomp(2), filter.txt of the kernel's networking
documentation). It names what is refused: a call that it does not know, because it is newer than this
list, does not exist here.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from autograder.sandbox import linux

ALLOW, KILL, NOTIFY, _ERRNO = 0x7FFF0000, 0x80000000, 0x7FC00000, 0x00050000
FIRST_UNKNOWN_CALL = 463
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "riscv64": 0xC00000F3}
_X32_CALLS = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16
_SET_MODE_FILTER, _SPECULATION_ALLOWED, _NEW_LISTENER, _WAIT_KILLABLE = 1, 4, 8, 32

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_CLONE_THREAD, _CLONE_NAMESPACES = 0x00010000, 0x7E020000
_TIOCSTI, _TIOCLINUX, _FS_IOC_SETFLAGS, _FS_IOC_FSSETXATTR = 0x5412, 0x541C, 0x40086602, 0x401C5820
_RLIMIT_CORE, _PR_SET_DUMPABLE, _F_SETLEASE, _F_NOTIFY = 4, 4, 1024, 1026
_UNCHANGED_PERSONALITY = (0, 0xFFFFFFFF)

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand: one ``sock_filter``."""


def refused(number: int) -> int:
    """Return the action that ends a call with an error number; 0 pretends that it was done."""
    return _ERRNO | number


@dataclass(frozen=True)
class Condition:
    """A test of the lower 32 bits of one argument, counted from 0; the kernel reads no more of any that is tested."""

    argument: int
    kind: Literal["one of", "none of", "any bit of", "no bit of"]
    values: tuple[int, ...]


@dataclass(frozen=True)
class Rule:
    """What to do with a call: always, or where one of the conditions holds."""

    call: str
    action: int
    conditions: tuple[Condition, ...] = ()


def for_namespaces() -> list[Rule]:
    """Return what is refused inside namespaces of one's own: what these do not divide, and what no notebook needs."""
    families = Condition(0, "none of", (_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK))
    return [
        *_unneeded(),
        # Virtual sockets reach the machine around this one from every network namespace.
        *(Rule(call, refused(errno.EAFNOSUPPORT), (families,)) for call in ("socket", "socketpair")),
    ]


def for_landlock(own_user: bool) -> list[Rule]:
    """Return what is refused where Landlock alone restricts.

    ``own_user`` tells that the user id belongs to this submission alone, so that the kernel protects what
    belongs to the grader; otherwise the filter has to.
    """
    no_entry = ("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "name_to_handle_at")
    shared = ("shmget", "semget", "msgget", "mq_open", "inotify_init", "inotify_init1", "pidfd_open")
    rules = [
        *_unneeded(),
        *(Rule(call, refused(errno.EPERM)) for call in no_entry),
        *(Rule(call, refused(errno.ENOSYS)) for call in shared),
        Rule("socket", refused(errno.EAFNOSUPPORT)),
        Rule("socketpair", refused(errno.EAFNOSUPPORT), (Condition(0, "none of", (_AF_UNIX,)),)),
        # Its flags are in memory, where no filter can read them; the C library falls back to clone.
        Rule("clone3", refused(errno.ENOSYS)),
        Rule("clone", refused(errno.EPERM), (Condition(0, "any bit of", (_CLONE_NAMESPACES,)),)),
        Rule("clone", NOTIFY, (Condition(0, "no bit of", (_CLONE_THREAD,)),)),
        Rule("fork", NOTIFY),
        Rule("vfork", NOTIFY),
    ]
    return rules if own_user else [*rules, *_belonging_to_the_same_user()]


def _unneeded() -> Iterable[Rule]:
    powers = (
        "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp", "process_madvise", "process_mrelease",
        "bpf", "perf_event_open", "userfaultfd", "add_key", "request_key", "keyctl", "open_by_handle_at",
        "fanotify_init", "fanotify_mark", "quotactl", "quotactl_fd", "swapon", "swapoff", "reboot", "kexec_load",
        "kexec_file_load", "init_module", "finit_module", "delete_module", "acct", "syslog", "settimeofday",
        "clock_settime", "iopl", "ioperm", "vhangup", "lookup_dcookie", "nfsservctl", "uselib", "ustat", "sysfs",
        "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "statmount",
        "listmount", "lsm_set_self_attr", "migrate_pages", "move_pages",
    )  # fmt: skip
    # Memory that belongs to no process would escape the watch on the tree's memory.
    absent = ("io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_create", "memfd_secret")
    yield from (Rule(call, refused(errno.EPERM)) for call in powers)
    yield from (Rule(call, refused(errno.ENOSYS)) for call in absent)
    yield Rule("ioctl", refused(errno.EPERM), (Condition(1, "one of", (_TIOCSTI, _TIOCLINUX)),))
    # The limit on core dumps stays what it is, lest a crash be handed to a program of the machine.
    yield Rule("setrlimit", refused(errno.EPERM), (Condition(0, "one of", (_RLIMIT_CORE,)),))
    yield Rule("prlimit64", refused(errno.EPERM), (Condition(1, "one of", (_RLIMIT_CORE,)),))
    yield Rule("personality", refused(errno.EPERM), (Condition(0, "none of", _UNCHANGED_PERSONALITY),))


def _belonging_to_the_same_user() -> Iterable[Rule]:
    """Refuse what a user may do to processes and files of one's own, which here are the grader's too."""
    # Programs that copy files change modes and times of the copy, and would stop at an error.
    pretended = ("chmod", "fchmod", "fchmodat", "fchmodat2", "utime", "utimes", "futimesat", "utimensat")
    owners = ("chown", "fchown", "lchown", "fchownat")
    attributes = ("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr")
    not_itself = Condition(0, "none of", (0,))
    of_others = ("prlimit64", "sched_setaffinity", "sched_setparam", "sched_setscheduler", "sched_setattr")
    yield from (Rule(call, refused(0)) for call in pretended)
    yield from (Rule(call, refused(errno.EPERM)) for call in owners)
    yield from (Rule(call, refused(errno.ENOTSUP)) for call in attributes)
    yield from (Rule(call, refused(errno.EPERM), (not_itself,)) for call in of_others)
    yield Rule("setpriority", refused(errno.EPERM), (not_itself, Condition(1, "none of", (0,))))
    # 1 means a process; then 0 means the caller.
    yield Rule("ioprio_set", refused(errno.EPERM), (Condition(0, "none of", (1,)), Condition(1, "none of", (0,))))
    # Whoever watches could not look into it any more.
    yield Rule("prctl", refused(errno.EPERM), (Condition(0, "one of", (_PR_SET_DUMPABLE,)),))
    # A lease on a file keeps others waiting who open it.
    yield Rule("fcntl", refused(errno.EPERM), (Condition(1, "one of", (_F_SETLEASE, _F_NOTIFY)),))
    yield Rule("ioctl", refused(errno.EPERM), (Condition(1, "one of", (_FS_IOC_SETFLAGS, _FS_IOC_FSSETXATTR)),))


def program(rules: Sequence[Rule]) -> list[Instruction]:
    """Return the filter for this machine: rules of one call in their order, and everything else allowed."""
    instructions: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        (_EQUAL, 1, 0, _ARCHITECTURES[platform.machine()]),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
    ]
    if platform.machine() == "x86_64":
        # Another way to make the same calls, with other numbers.
        instructions += [(_AT_LEAST, 0, 1, _X32_CALLS), (_RETURN, 0, 0, KILL)]
    instructions += [(_AT_LEAST, 0, 1, FIRST_UNKNOWN_CALL), (_RETURN, 0, 0, refused(errno.ENOSYS))]
    by_number: dict[int, list[Rule]] = {}
    for rule in rules:
        number = linux.call_number(rule.call)
        if number is not None:
            by_number.setdefault(number, []).append(rule)
    for number, same in by_number.items():
        # A block always returns, so no argument is ever left where the next block expects the number.
        block = [instruction for rule in same for instruction in _rule(rule)]
        if same[-1].conditions:
            block.append((_RETURN, 0, 0, ALLOW))
        instructions += [(_EQUAL, 0, len(block), number), *block]
    return [*instructions, (_RETURN, 0, 0, ALLOW)]


def _rule(rule: Rule) -> list[Instruction]:
    if not rule.conditions:
        return [(_RETURN, 0, 0, rule.action)]
    instructions: list[Instruction] = []
    for condition in rule.conditions:
        instructions.append((_LOAD, 0, 0, _ARGUMENTS_OFFSET + 8 * condition.argument))
        values = condition.values
        match condition.kind:
            case "one of":
                # To the return behind the last comparison, or past it.
                last = len(values) - 1
                instructions += [(_EQUAL, last - i, int(i == last), value) for i, value in enumerate(values)]
            case "none of":
                instructions += [(_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values)]
            case "any bit of":
                instructions.append((_ANY_BIT, 0, 1, values[0]))
            case "no bit of":
                instructions.append((_ANY_BIT, 1, 0, values[0]))
        instructions.append((_RETURN, 0, 0, rule.action))
    return instructions


def install(rules: Sequence[Rule]) -> int | None:
    """Put the filter before this process, for good; return the descriptor on which NOTIFY waits, if a rule has it.

    Privileges must have been given up for good before (``linux.forbid_new_privileges``). Raises OSError.
    """
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program(rules))

    class _Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]

    # Without the flag older kernels slow every process down that has a filter.
    flags = _SPECULATION_ALLOWED
    listens = any(rule.action == NOTIFY for rule in rules)
    if listens:
        # A call that waits is not to be interrupted by a signal: shells take an interrupted fork for a failed one.
        flags |= _NEW_LISTENER | _WAIT_KILLABLE
    value = _Program(len(packed) // 8, packed)
    try:
        result = linux.call("seccomp", _SET_MODE_FILTER, flags, ctypes.byref(value))
    except OSError as error:
        if not listens or error.errno != errno.EINVAL:
            raise
        # Before Linux 5.19 there is no such wait.
        result = linux.call("seccomp", _SET_MODE_FILTER, flags & ~_WAIT_KILLABLE, ctypes.byref(value))
    return result if listens else None
