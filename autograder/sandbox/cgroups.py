"""One group of the kernel (cgroup) for each submission, where groups can be made.

A group counts what belongs to no process as well: files in memory that nobody has mapped, pipes, buffers of sockets.
So its bound is that of memory and of files together, and some more for the kernel's own tables. It stands behind the
other bounds: a process gets a MemoryError first, and the watch on the tree stops what is above its memory.

Version 1 has a tree of groups for each controller, and groups are made below our own one in each. In version 2 a group
with groups below it holds no processes itself, so the programs that run in our own one have to go into a leaf below
it first. That is done only in a group that was handed over (delegated) to us and that holds no program of others.

Groups are named after the monitor that made them. One whose monitor was killed stays behind, empty, until the next
submission is run: only such ones are ever removed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autograder.sandbox.limits import MEBIBYTE, Limits

PREFIX = "autograder-"
LEAF = f"{PREFIX}itself"
_CONTROLLERS = ("memory", "pids")
# Page tables, inodes, System V memory, and the folders of the private root.
_KERNEL_BYTES = 128 * MEBIBYTE
_MOVES = 20
_CLOSE_WALL_SECONDS = 1.0
_PROC = Path("/proc")


@dataclass(frozen=True)
class Ground:
    """Where groups can be made: a folder for each controller. Without any, ``problem`` says why, for people."""

    version: int = 0
    folders: Mapping[str, Path] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class _Mount:
    kind: str
    root: Path
    point: Path
    options: frozenset[str]


@functools.cache
def find(proc: Path = _PROC) -> Ground:
    """Find out where groups can be made below our own group; this is looked up once for a process."""
    own = dict(_own_groups(_read(proc / "self/cgroup")))
    if not own:
        return Ground(problem="this kernel has no groups")
    folders = {}
    for name in _CONTROLLERS:
        folder = _own_folder(name, proc)
        if folder is not None and _can_make_groups(folder):
            folders[name] = folder
    if folders:
        return Ground(1, folders)
    if set(_CONTROLLERS) & set(own):
        return Ground(problem="no group can be made below our own one (version 1): it is read-only or not ours")
    folder = _own_folder("", proc)
    if folder is None:
        return Ground(problem="our own group is not seen in the file system")
    if folder.name == LEAF:
        folder = folder.parent
    problem = _lacking(folder, proc)
    return Ground(problem=problem) if problem else Ground(2, dict.fromkeys(_CONTROLLERS, folder))


def memory_limit(proc: Path = _PROC) -> int | None:
    """Return the least bound on memory, in bytes, of our own group and of those above it that can be seen."""
    found = []
    for controller, name in (("memory", "memory.limit_in_bytes"), ("", "memory.max")):
        folder = _own_folder(controller, proc)
        while folder is not None and (folder / "cgroup.procs").exists():
            text = _read(folder / name).strip()
            found += [int(text)] if text.isdigit() else []  # "max" is no bound
            folder = folder.parent
    return min(found, default=None)


class Group:
    """The group of one submission; where there is no ground it bounds nothing.

    All of it is reached by descriptors: whoever made it may see another root folder afterwards.
    """

    def __init__(self, version: int = 0, folders: Mapping[str, _Folder] | None = None) -> None:
        self._version = version
        self._folders = dict(folders or {})

    @classmethod
    def create(cls, ground: Ground, limits: Limits) -> Group:
        """Make an empty group with the bounds of one submission; where that fails, one that bounds nothing."""
        made: dict[Path, _Folder] = {}
        try:
            for parent in dict.fromkeys(ground.folders.values()):
                _sweep(parent)
                if ground.version == 2:
                    _make_room(parent)
                made[parent] = _Folder.create(parent, f"{PREFIX}{os.getpid()}")
            group = cls(ground.version, {name: made[parent] for name, parent in ground.folders.items()})
            group._set_bounds(limits)
        except OSError:
            for folder in made.values():
                folder.remove()
            return cls()
        return group

    def enter(self) -> None:
        """Move this process into the group; all that it starts is born there."""
        for folder in self._unique():
            # Where the kernel does not let us, the watch on the tree stands all the same.
            with contextlib.suppress(OSError):
                os.write(folder.entry, b"0")

    def exhausted(self) -> bool:
        """Tell whether the kernel has killed a process of this group because the group's memory was used up."""
        name = "memory.events" if self._version == 2 else "memory.oom_control"
        return self._number(name, "oom_kill ") > 0

    def peak_bytes(self) -> int:
        """Return the most memory that was in use, files that were read included; 0 where that is not known."""
        return self._number("memory.peak" if self._version == 2 else "memory.max_usage_in_bytes")

    def close(self) -> None:
        """Remove the group, whose processes are dead or dying; done once, however often it is asked for."""
        for folder in self._unique():
            folder.remove()
        self._folders = {}

    def _unique(self) -> list[_Folder]:
        return list(dict.fromkeys(self._folders.values()))

    def _set_bounds(self, limits: Limits) -> None:
        memory = str(limits.memory_bytes + limits.scratch_bytes + _KERNEL_BYTES)
        if self._version == 2:
            bounds = {"memory": {"memory.max": memory, "memory.swap.max": "0", "memory.oom.group": "1"}}
        else:
            bounds = {"memory": {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory}}
        bounds["pids"] = {"pids.max": str(limits.tasks)}
        for controller, folder in self._folders.items():
            for name, value in bounds[controller].items():
                # Files about swap are missing where the kernel counts none.
                with contextlib.suppress(FileNotFoundError):
                    _write(name, value, folder.own)

    def _number(self, name: str, key: str = "") -> int:
        """Return the number in a file of the memory group, on the line that starts with ``key``."""
        if "memory" not in self._folders:
            return 0
        text = _read(name, self._folders["memory"].own)
        lines = [line for line in text.splitlines() if line.startswith(key)]
        return int(lines[0].removeprefix(key)) if lines else 0


@dataclass(frozen=True)
class _Folder:
    """A group's folder: descriptors of it, of the one above it, and of the file by which processes enter."""

    name: str
    parent: int
    own: int
    entry: int

    @classmethod
    def create(cls, parent: Path, name: str) -> _Folder:
        """Make a folder, in place of an empty one that was left behind; raise OSError where that can not be."""
        _remove(parent / name)
        (parent / name).mkdir()
        with contextlib.ExitStack() as stack:
            stack.callback(_remove, parent / name)
            above = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, above)
            own = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=above)
            stack.callback(os.close, own)
            entry = os.open("cgroup.procs", os.O_WRONLY, dir_fd=own)
            stack.pop_all()
        return cls(name, above, own, entry)

    def remove(self) -> None:
        """Remove the folder and let go of it; the last processes may need a moment to leave it."""
        os.close(self.entry)
        os.close(self.own)
        deadline = time.monotonic() + _CLOSE_WALL_SECONDS
        while not _remove(self.name, self.parent) and time.monotonic() < deadline:
            time.sleep(0.005)
        os.close(self.parent)


def _own_groups(text: str) -> Iterator[tuple[str, str]]:
    """Yield each controller and the path of our group in its tree; the controller of version 2 is empty."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            yield name, path


def _mounts(text: str) -> Iterator[_Mount]:
    for line in text.splitlines():
        about, _, of_kind = line.partition(" - ")
        kind, _, options = of_kind.split(" ", 2)
        root, point = about.split(" ")[3:5]
        yield _Mount(kind, Path(root), Path(point), frozenset(options.split(",")))


def _own_folder(controller: str, proc: Path) -> Path | None:
    """Return the folder of the group in which this process really is; what the names say may mislead."""
    path = dict(_own_groups(_read(proc / "self/cgroup"))).get(controller)
    kind, own = "cgroup" if controller else "cgroup2", str(os.getpid())
    for mount in _mounts(_read(proc / "self/mountinfo")):
        if path is None or mount.kind != kind or (controller and controller not in mount.options):
            continue
        below = path.removeprefix(str(mount.root)).lstrip("/")
        for folder in (mount.point / below, mount.point):
            if own in _read(folder / "cgroup.procs").split():
                return folder
    return None


def _can_make_groups(folder: Path) -> bool:
    trial = folder / f"{PREFIX}{os.getpid()}-trial"
    try:
        trial.mkdir()
    except OSError:
        return False
    return _remove(trial)


def _lacking(folder: Path, proc: Path) -> str:
    """Say why no groups can be made below our own one of version 2; nothing where they can."""
    if not set(_CONTROLLERS) <= set(_read(folder / "cgroup.controllers").split()):
        return "our group has no control of memory and processes (version 2)"
    needed = (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control")
    if not all(os.access(path, os.W_OK) for path in needed):
        return "no group can be made below our own one (version 2): have it delegated to this user"
    if _hands_on(folder):
        return ""
    is_root = not (folder / "cgroup.type").exists()
    if is_root or not _is_delegated(folder, proc):
        return "our own group was not delegated to us (version 2): start with systemd-run --scope -p Delegate=yes"
    if _strangers(folder, proc):
        return "other programs run in our own group (version 2), and they would have to be moved"
    return ""


def _hands_on(folder: Path) -> bool:
    return set(_CONTROLLERS) <= set(_read(folder / "cgroup.subtree_control").split())


def _is_delegated(folder: Path, proc: Path) -> bool:
    """Tell whether a group is ours to divide: marked so by systemd, or the uppermost that a container sees."""
    if dict(_own_groups(_read(proc / "self/cgroup"))).get("") == "/":
        return True
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(folder, name) == b"1":
                return True
    return False


def _strangers(folder: Path, proc: Path) -> set[int]:
    """Return the processes of a group that neither started us nor were started by what started us."""
    parents = {}
    for path in proc.glob("[0-9]*/stat"):
        fields = _read(path).rpartition(")")[2].split()
        if len(fields) > 1:
            parents[int(path.parent.name)] = int(fields[1])
    family = {os.getpid()}
    above = parents.get(os.getpid(), 0)
    root = above
    while above:
        family.add(above)
        above = parents.get(above, 0)
    for process in parents:
        line = [process]
        while line[-1] in parents and line[-1] != root:
            line.append(parents[line[-1]])
        if root and line[-1] == root:
            family.update(line)
    return {int(number) for number in _read(folder / "cgroup.procs").split()} - family


def _make_room(folder: Path) -> None:
    """Have a group of version 2 hand its controllers on, after its own programs have moved into a leaf."""
    if _hands_on(folder):
        return
    (folder / LEAF).mkdir(exist_ok=True)
    for _ in range(_MOVES):
        processes = _read(folder / "cgroup.procs").split()
        if not processes:
            break
        for process in processes:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                _write(folder / LEAF / "cgroup.procs", process)
    _write(folder / "cgroup.subtree_control", "+memory +pids")


def _sweep(folder: Path) -> None:
    """Remove the groups of monitors that are dead; one that still holds a process stays."""
    for group in folder.glob(f"{PREFIX}[0-9]*"):
        if not (_PROC / group.name.removeprefix(PREFIX).partition("-")[0]).exists():
            _remove(group)


def _remove(path: Path | str, parent: int | None = None) -> bool:
    """Remove an empty group; tell whether it is gone."""
    try:
        os.rmdir(path, dir_fd=parent)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _read(path: Path | str, folder: int | None = None) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY, dir_fd=folder)
    except OSError:
        return ""
    with os.fdopen(descriptor, encoding="utf-8", errors="surrogateescape") as file, contextlib.suppress(OSError):
        return file.read()
    return ""


def _write(path: Path | str, text: str, folder: int | None = None) -> None:
    # Without O_CREAT: where the kernel has no such file there is nothing to bound.
    descriptor = os.open(path, os.O_WRONLY, dir_fd=folder)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
