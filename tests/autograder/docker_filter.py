"""Run a program as under Docker's usual filter of system calls, and with the usual powers of a container's root.

    python docker_filter.py [--keep-powers] [--reachable] PROGRAM ARGUMENT...

Emulates what the public profile refuses to a container that has no power over the system: namespaces, mounts, a new
root, kernel modules, tracing of performance, keyrings and their like (profiles/seccomp/default.json of the
Moby project). Root is left with the fourteen capabilities that Docker leaves it, unless ``--keep-powers`` is given.
With ``--reachable`` Python lies below no folder that others can not enter, as in a container's image.
"""

import errno
import os
import sys

import as_ordinary_user

from autograder.sandbox import linux, seccomp
from autograder.sandbox.seccomp import Condition, Rule, refused

# CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD,
# AUDIT_WRITE, SETFCAP.
POWERS_OF_A_CONTAINER = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31})
REFUSED = (
    "acct", "add_key", "bpf", "clock_settime", "delete_module", "fanotify_init", "finit_module", "fsconfig", "fsmount",
    "fsopen", "fspick", "init_module", "ioperm", "iopl", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mount", "mount_setattr", "move_mount",
    "move_pages", "nfsservctl", "open_by_handle_at", "open_tree", "perf_event_open", "pivot_root", "quotactl",
    "quotactl_fd", "reboot", "request_key", "setns", "settimeofday", "swapoff", "swapon", "sysfs", "syslog", "umount2",
    "unshare", "uselib", "userfaultfd", "ustat", "vhangup",
)  # fmt: skip
NAMESPACES = 0x7E020000


def rules() -> list[Rule]:
    return [
        *(Rule(call, refused(errno.EPERM)) for call in REFUSED),
        Rule("clone", refused(errno.EPERM), (Condition(0, "any bit of", (NAMESPACES,)),)),
        Rule("clone3", refused(errno.ENOSYS)),
        # Families 38 and 40 are the kernel's cryptography and virtual sockets.
        Rule("socket", refused(errno.EPERM), (Condition(0, "one of", (38, 40)),)),
    ]


def main() -> None:
    arguments = sys.argv[1:]
    options = set()
    while arguments[0].startswith("--"):
        options.add(arguments.pop(0))
    if "--reachable" in options:
        as_ordinary_user.make_reachable(as_ordinary_user.needed())
    if "--keep-powers" not in options and os.geteuid() == 0:
        linux.empty_bounding_set(POWERS_OF_A_CONTAINER)
    linux.forbid_new_privileges()
    seccomp.install(rules())
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    main()
