"""Confinement by Linux namespaces: a private root, no network, own processes, no powers.

As root the steps run with the powers of root and end in one unused user id of the host for each
submission. As an ordinary user they run inside a user namespace. Both ways end alike, in a last user
namespace that is full: nothing in it can make another one, so a child can not win back the power to
mount (and with it memory that nobody counts).

What a confined process can still reach, and why that is accepted:

- The kernel's system calls, but for those that ``seccomp`` refuses. Without capabilities, devices, set-user-id
  programs, user namespaces and network, what is left is the surface of an ordinary process.
- Keyrings: the inherited session keyring is left for a new one; user keyrings belong to the last user
  namespace, or to a user id that nobody else has.
- /proc shows the processes of this namespace alone and is mounted read-only. Machine-wide figures
  (memory, load, processors, kernel version) and the *paths* of the folders below can be read.
- Memory in pipes and socket buffers is not part of any process, so the watch on the tree's memory does not
  see it; the number of descriptors bounds it, and a control group where there is one.
- As an ordinary user the child has the grader's own user id on the host. It sees none of the files that this
  could open: only the folders named in ``Place``.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from autograder.sandbox import linux, user_ids
from autograder.sandbox.limits import MEBIBYTE, Limits
from autograder.sandbox.place import Place

HOME = "/home/student"
_SCRATCH_FOLDERS = {"tmp": "/tmp", "shm": "/dev/shm", "home": HOME}  # noqa: S108
INSIDE_ID = 1000
_DEVICES = ("null", "zero", "full", "random", "urandom")
_FILES = {
    "etc/passwd": "root:x:0:0:root:/:/bin/false\nstudent:x:{inside}:{inside}::{home}:/bin/sh\n"
    "student:x:{id}:{id}::{home}:/bin/sh\n",
    "etc/group": "root:x:0:\nstudent:x:{inside}:\nstudent:x:{id}:\n",
    "etc/hosts": "127.0.0.1 localhost sandbox\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "etc/hostname": "sandbox\n",
}


def leave_host(as_root: bool) -> None:
    """Move this process into new namespaces; its next child is the first process of the new process ids."""
    flags = linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWNET
    flags |= linux.CLONE_NEWIPC | linux.CLONE_NEWUTS | linux.CLONE_NEWCGROUP
    if as_root:
        linux.unshare(flags)
        return
    user, group = os.geteuid(), os.getegid()
    linux.unshare(flags | linux.CLONE_NEWUSER)
    proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    _map_ids(proc, 0, user, group)
    os.close(proc)


def confine(place: Place, limits: Limits, as_root: bool, number: int) -> int:
    """Confine this process, the first one of its process ids, for good.

    ``number`` tells this submission from all others that run on the machine (a process id of the host).
    Returns a descriptor of the new /proc, from which the trusted side, and nobody else, meters the tree.
    """
    host_id = user_ids.free_host_id(number) if as_root else 0
    root = _build_root(place, limits, host_id if as_root else INSIDE_ID)
    proc, watched = _mount_proc(root)
    _fill_scratch(root, limits, host_id)
    attributes = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
    for target in _show(place, root, below_scratch=True):
        linux.set_mount_attributes(target, attributes, recursive=True)
    linux.set_hostname("sandbox")
    _bound_shared_memory(proc)
    with contextlib.suppress(OSError):  # the kernel's killer takes a child before anything trusted
        _write(proc, "self/oom_score_adj", "1000")
    linux.enter_root(root)
    linux.join_new_session_keyring()
    _drop_powers(proc, host_id, as_root)
    os.close(proc)
    os.chdir(HOME)
    return watched


def _build_root(place: Place, limits: Limits, user_id: int) -> str:
    """Mount the private root and fill it with everything that is read-only."""
    root = str(place.mount_point)
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("tmpfs", root, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=4m,nr_inodes=8192")
    _show(place, root, below_scratch=False)
    linux.set_mount_attributes(root, linux.MOUNT_ATTR_NODEV, recursive=True)
    for link, target in place.links:
        Path(root + str(link)).symlink_to(target)
    for name, text in _FILES.items():
        path = Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(id=user_id, inside=INSIDE_ID, home=HOME), encoding="utf-8")
    for device in _DEVICES:
        _bind(f"/dev/{device}", f"{root}/dev/{device}")
    for folder in ("tmp", "scratch", "proc", "var", "dev/shm", "dev/pts", HOME[1:]):
        Path(root, folder).mkdir(parents=True, exist_ok=True)
    links = {"var/tmp": "/tmp", "dev/fd": "/proc/self/fd", "dev/ptmx": "pts/ptmx"}  # noqa: S108
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        links[f"dev/{name}"] = f"/proc/self/fd/{number}"
    for name, target in links.items():
        Path(root, name).symlink_to(target)
    linux.set_mount_attributes(root, linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID, recursive=True)
    return root


def _show(place: Place, root: str, below_scratch: bool) -> list[str]:
    """Bind what is to be seen, and cover what is to be hidden; return where.

    What lies below a folder that can be written to has to wait until that one is mounted.
    """
    targets = []
    for path in sorted((*place.visible, *place.hidden)):
        if below_scratch != any(Path(folder) in path.parents for folder in _SCRATCH_FOLDERS.values()):
            continue
        targets.append(root + str(path))
        if path in place.hidden:
            linux.mount("tmpfs", targets[-1], "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=1m")
        else:
            _bind(str(path), targets[-1])
    return targets


def _bind(source: str, target: str) -> None:
    if Path(source).is_dir():
        Path(target).mkdir(parents=True, exist_ok=True)
    else:
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).touch()
    # An ordinary user may only bind a tree together with what is mounted inside it.
    linux.mount(source, target, None, linux.MS_BIND | linux.MS_REC)


def _mount_proc(root: str) -> tuple[int, int]:
    """Mount a read-only /proc; return descriptors of a writable one, out of sight, and of that one."""
    target = f"{root}/proc"
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    linux.mount("proc", target, "proc", flags)
    writable = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    linux.unmount(target)
    linux.mount("proc", target, "proc", flags | linux.MS_RDONLY)
    return writable, os.open(target, os.O_RDONLY | os.O_DIRECTORY)


def _fill_scratch(root: str, limits: Limits, owner: int) -> None:
    """Mount the one place that can be written to; show its parts as /tmp, the home folder and /dev/shm."""
    flags = linux.MS_NOSUID | linux.MS_NODEV
    scratch = f"{root}/scratch"
    size = f"mode=755,size={limits.scratch_bytes},nr_inodes={limits.scratch_files}"
    linux.mount("tmpfs", scratch, "tmpfs", flags, size)
    for name, target in _SCRATCH_FOLDERS.items():
        folder = Path(scratch, name)
        folder.mkdir()
        folder.chmod(0o700)
        os.chown(folder, owner, owner)
        linux.mount(str(folder), root + target, None, linux.MS_BIND)
    linux.unmount(scratch)
    options = "newinstance,mode=600,ptmxmode=666,max=16"
    linux.mount("devpts", f"{root}/dev/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, options)


def _bound_shared_memory(proc: int) -> None:
    """Bound System V memory and messages: they belong to no process and would escape the watch."""
    page = os.sysconf("SC_PAGE_SIZE")
    _write(proc, "sys/kernel/shmall", str(64 * MEBIBYTE // page))
    _write(proc, "sys/kernel/msgmni", "32")


def _drop_powers(proc: int, host_id: int, as_root: bool) -> None:
    """Give up the user id (as root), then every capability, and close the way back to them."""
    if as_root:
        linux.empty_bounding_set()
        os.setgroups([])
        os.setresgid(host_id, host_id, host_id)
        os.setresuid(host_id, host_id, host_id)
        linux.set_dumpable(True)  # else the next step could not write to its own /proc folder
    try:
        _enter_full_user_namespace(proc, host_id)
    except OSError:
        # Root has become an ordinary id already. What it may not do here, the child may not do either.
        if not as_root:
            raise
    linux.drop_capabilities()
    linux.forbid_new_privileges()


def _enter_full_user_namespace(proc: int, host_id: int) -> None:
    linux.unshare(linux.CLONE_NEWUSER)
    _map_ids(proc, INSIDE_ID, host_id, host_id)
    _write(proc, "sys/user/max_user_namespaces", "0")
    linux.empty_bounding_set()


def _map_ids(proc: int, inside: int, user: int, group: int) -> None:
    _write(proc, "self/setgroups", "deny")
    _write(proc, "self/uid_map", f"{inside} {user} 1")
    _write(proc, "self/gid_map", f"{inside} {group} 1")


def _write(folder: int, name: str, text: str) -> None:
    descriptor = os.open(name, os.O_WRONLY, dir_fd=folder)
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"writing /proc/{name}") from error
    finally:
        os.close(descriptor)
