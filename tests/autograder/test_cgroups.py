"""Where groups of the kernel can be made, and what is written into them.

Version 1 is used for real by the tests of the limits, where this machine has it. Of version 2 the decisions are tried
here on a tree of plain files: it holds what the kernel would show, and does nothing by itself.
"""

import os

import pytest

from autograder.sandbox import cgroups
from autograder.sandbox.limits import MEBIBYTE, Limits

OWN, ABOVE, BESIDE, STRANGER = os.getpid(), 700, 800, 900


class Machine:
    """A tree with the files that /proc and /sys/fs/cgroup have."""

    def __init__(self, folder):
        self.proc, self.groups = folder / "proc", folder / "cgroup"
        for process, parent in ((OWN, ABOVE), (ABOVE, 1), (BESIDE, ABOVE), (STRANGER, 1), (1, 0)):
            self.write(self.proc / str(process) / "stat", f"{process} (a) b) S {parent} 0 0")

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def found(self, own, *mounts):
        """Look for ground; a mount is (kind, root, folder, options)."""
        lines = [
            f"30 25 0:1 {root} {self.groups / at} rw - {kind} x rw,{options}\n" for kind, root, at, options in mounts
        ]
        self.write(self.proc / "self/mountinfo", "".join(lines))
        self.write(self.proc / "self/cgroup", own)
        return cgroups.find(self.proc)

    def group(self, name, processes=(OWN,), **files):
        for file, text in ({"cgroup.procs": "".join(f"{one}\n" for one in processes)} | files).items():
            self.write(self.groups / name / file, text)
        return self.groups / name


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def machine(tmp_path):
    yield Machine(tmp_path)
    cgroups.find.cache_clear()


@pytest.mark.parametrize(("root", "path", "folder"), [
    ("/", "/service/x", "memory/service/x"),  # the whole tree is seen
    ("/docker/y", "/docker/y/z", "memory/z"),  # a container sees a part of it
    ("/", "/docker/y", "memory"),  # names are those of the host, and the mount is that of the container
])  # fmt: skip
def test_the_own_group_of_version_1_is_the_one_that_holds_this_process(machine, root, path, folder):
    memory = machine.group(folder)
    own = f"4:memory:{path}\n3:pids:{path}\n0::/\n"
    ground = machine.found(own, ("cgroup", root, "memory", "memory"), ("cgroup2", "/", "unified", ""))
    assert (ground.version, ground.folders, ground.problem) == (1, {"memory": memory}, "")
    assert names(memory) == ["cgroup.procs"], "nothing is left of the trial"


def test_a_folder_without_this_process_is_somebody_elses(machine):
    machine.group("memory", [STRANGER])
    ground = machine.found("4:memory:/\n", ("cgroup", "/", "memory", "memory"))
    assert not ground.folders and "no group can be made" in ground.problem


HANDED_ON = {"cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": "memory pids\n"}
DELEGATED = {**HANDED_ON, "cgroup.subtree_control": "", "cgroup.type": "domain\n"}
V2 = ("cgroup2", "/", "v2", "nsdelegate")


@pytest.mark.parametrize(("path", "processes", "files", "problem"), [
    ("/", [OWN, ABOVE, BESIDE], DELEGATED, ""),
    ("/", [OWN, STRANGER], DELEGATED, "other programs run in our own group"),
    ("/", [OWN], {**DELEGATED, "cgroup.controllers": "cpu pids\n"}, "no control of memory"),
    ("/user/session", [OWN], DELEGATED, "was not delegated to us"),
    ("/", [OWN], HANDED_ON, ""),  # the root of the machine: processes and groups side by side
    ("/", [OWN], {**HANDED_ON, "cgroup.subtree_control": ""}, "was not delegated to us"),
])  # fmt: skip
def test_version_2_is_used_only_where_that_disturbs_nobody(machine, path, processes, files, problem):
    folder = machine.group(f"v2{path}".rstrip("/"), processes, **files)
    ground = machine.found(f"0::{path}\n", V2)
    assert problem in ground.problem and bool(ground.problem) == bool(problem)
    assert ground.folders == ({} if problem else {"memory": folder, "pids": folder})
    assert names(folder) == sorted({"cgroup.procs", *files}), "looking changes nothing"


def test_a_group_that_systemd_has_marked_is_delegated(machine):
    folder = machine.group("v2/user/scope", **DELEGATED)
    try:
        os.setxattr(folder, "user.delegate", b"1")
    except OSError:
        pytest.skip("this file system keeps no attributes of users")
    assert machine.found("0::/user/scope\n", V2).version == 2


def test_from_within_the_leaf_groups_are_made_beside_it(machine):
    folder = machine.group("v2/scope", [], **HANDED_ON)
    machine.group(f"v2/scope/{cgroups.LEAF}")
    assert machine.found(f"0::/scope/{cgroups.LEAF}\n", V2).folders["memory"] == folder


@pytest.mark.parametrize(("name", "bounds", "expected"), [
    ("memory.max", ("max\n", "max\n"), None),
    ("memory.max", ("max\n", "500\n"), 500),
    ("memory.max", ("700\n", "500\n"), 500),
    ("memory.limit_in_bytes", ("700\n", "9223372036854771712\n"), 700),
])  # fmt: skip
def test_what_bounds_our_own_group_or_one_above_it_is_known(machine, name, bounds, expected):
    own, above = bounds
    machine.group("v/service", **{name: own})
    machine.group("v", [], **{name: above})
    first = name == "memory.limit_in_bytes"
    mount = ("cgroup", "/", "v", "memory") if first else ("cgroup2", "/", "v", "")
    machine.found("4:memory:/service\n" if first else "0::/service\n", mount)
    assert cgroups.memory_limit(machine.proc) == expected


def test_nothing_at_all_is_said_to_be_nothing(machine):
    assert "no groups" in cgroups.find(machine.proc / "nowhere").problem
    assert "not seen" in machine.found("0::/\n").problem
    assert cgroups.memory_limit(machine.proc) is None
    assert cgroups.Group.create(cgroups.Ground(), Limits()).exhausted() is False


def test_own_programs_go_into_a_leaf_before_the_controllers_are_handed_on(machine):
    folder = machine.group("v2", [OWN], **DELEGATED)
    leaf = machine.group(f"v2/{cgroups.LEAF}", [])
    cgroups._make_room(folder)
    assert (leaf / "cgroup.procs").read_text() == str(OWN)
    assert (folder / "cgroup.subtree_control").read_text() == "+memory +pids"


@pytest.mark.parametrize(("version", "files", "events"), [
    (1, {"memory.limit_in_bytes": "M", "memory.memsw.limit_in_bytes": "M"},
     ("memory.oom_control", "memory.max_usage_in_bytes")),
    (2, {"memory.max": "M", "memory.swap.max": "0", "memory.oom.group": "1"}, ("memory.events", "memory.peak")),
])  # fmt: skip
def test_bounds_are_written_and_events_are_read(machine, version, files, events):
    limits = Limits(memory_bytes=512 * MEBIBYTE, scratch_bytes=32 * MEBIBYTE, tasks=77)
    folder = machine.group("submission", [], **dict.fromkeys([*files, "pids.max"], ""))
    own = os.open(folder, os.O_RDONLY)
    group = cgroups.Group(version, dict.fromkeys(("memory", "pids"), cgroups._Folder("submission", -1, own, -1)))
    group._set_bounds(limits)
    written = {name: (folder / name).read_text() for name in [*files, "pids.max"]}
    memory = str((512 + 32 + 128) * MEBIBYTE)
    assert written == {name: memory if value == "M" else value for name, value in files.items()} | {"pids.max": "77"}
    assert (group.exhausted(), group.peak_bytes()) == (False, 0)
    (folder / events[0]).write_text("oom 3\nunder_oom 0\noom_kill 0\noom_group_kill 4\n")
    (folder / events[1]).write_text("4096\n")
    assert (group.exhausted(), group.peak_bytes()) == (False, 4096)
    (folder / events[0]).write_text("oom_kill 1\n")
    assert group.exhausted()
    os.close(own)


def test_only_empty_groups_of_dead_monitors_are_swept(machine):
    folder = machine.group("own")
    dead = 2**22 + 5  # above every process id
    for name in (f"autograder-{dead}", f"autograder-{OWN}", cgroups.LEAF, "of-somebody"):
        (folder / name).mkdir()
    machine.group(f"own/autograder-{dead + 1}")
    cgroups._sweep(folder)
    left = sorted([f"autograder-{OWN}", f"autograder-{dead + 1}", cgroups.LEAF, "of-somebody", "cgroup.procs"])
    assert names(folder) == left
