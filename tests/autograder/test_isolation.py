"""Backends: a complete one is recognised from the inside, an open door or a refusal is named with its mend."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from small_sandbox import HERE, ROOT

from autograder.sandbox import isolation
from autograder.sandbox.place import survey

CLOSED = {
    "interfaces_up": [],
    "connected": False,
    "abstract": False,
    "processes": [1, 2],
    "signalled": False,
    "limited": False,
    "marker": False,
    "marker_changed": False,
    "unreadable": [],
    "writable": [],
    "first_process": False,
    "user": 1000,
    "capabilities": 0,
    "new_privileges": False,
    "unfiltered": False,
    "nested": False,
}


def test_a_view_without_open_doors_is_complete():
    assert isolation.open_doors(CLOSED) == []


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("interfaces_up", ["lo"], "network interface"),
        ("connected", True, "loopback was reached"),
        ("processes", [1, 2, 77], "other processes"),
        ("abstract", True, "abstract socket of the host"),
        ("signalled", True, "can be signalled"),
        ("limited", True, "limits of a process"),
        ("unfiltered", True, "no filter"),
        ("marker", True, "file of the host can be read"),
        ("marker_changed", True, "mode of a file"),
        ("writable", ["/"], "written to"),
        ("first_process", True, "first process"),
        ("user", 0, "user 0"),
        ("capabilities", 1, "has capabilities"),
        ("new_privileges", True, "gain privileges"),
        ("nested", True, "user namespace of its own"),
        ("unreadable", ["/opt/python"], "chmod -R o+rX"),
    ],
)
def test_each_open_door_alone_is_named(key, value, text):
    (found,) = isolation.open_doors(CLOSED | {key: value})
    assert text in found


def test_a_power_that_was_left_on_purpose_is_no_open_door():
    assert isolation.open_doors(CLOSED | {"capabilities": 1 << 2}, frozenset({2})) == []
    assert isolation.open_doors(CLOSED | {"capabilities": 1 << 3}, frozenset({2})) != []


def test_looking_around_unconfined_finds_the_doors_open(tmp_path):
    marker = tmp_path / "marker"
    marker.write_text("x")
    abstract = f"\0autograder-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as local:
        local.bind(abstract)
        local.listen()
        # A process of its own, because the attempt at a nested namespace forks.
        script = (
            "import json, sys; from autograder.sandbox.isolation import Outside, look_around;"
            "marker, process, address, abstract = json.loads(sys.argv[1]);"
            "print(json.dumps(look_around(Outside(marker, process, tuple(address), abstract), [marker])))"
        )
        outside = json.dumps([str(marker), os.getpid(), listener.getsockname(), abstract])
        result = subprocess.run([sys.executable, "-c", script, outside], capture_output=True, check=True)
        view = json.loads(result.stdout)
    doors = (
        "connected",
        "abstract",
        "signalled",
        "limited",
        "marker",
        "marker_changed",
        "new_privileges",
        "unfiltered",
    )
    assert [door for door in doors if not view[door]] == []
    assert str(tmp_path) in view["writable"]
    assert os.getpid() in view["processes"]
    assert len(isolation.open_doors(view)) >= len(doors)


def tried(backend, *options):
    command = [sys.executable, *(options or ("-I", "-m", "autograder.sandbox.isolation")), backend]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("backend", isolation.BACKENDS)
def test_the_probe_says_the_same_as_trying(backend):
    report = isolation.probe(backend)
    assert json.loads(tried(backend).stdout) == {"missing": list(report.missing)}


@pytest.mark.parametrize("backend", isolation.BACKENDS)
def test_a_busy_machine_does_not_change_what_the_probe_says(backend):
    slow = """
import socket, time
from autograder.sandbox import isolation
receive = socket.recv_fds
socket.recv_fds = lambda *arguments: (time.sleep(0.5), receive(*arguments))[1]
isolation.main()
"""
    result = tried(backend, "-c", slow)
    assert json.loads(result.stdout) == {"missing": list(isolation.probe(backend).missing)}, result.stderr


TAKEN_OUT = {
    "the filter": (
        "seccomp.for_landlock = lambda own_user: [seccomp.Rule('fork', seccomp.NOTIFY)]",
        "network interface",
    ),
    "the rules for files": ("landlock.restrict = lambda *arguments: None", "file of the host can be read"),
    "the change of user": ("landlock.identity = lambda *arguments: landlock.Identity(None)", "user id of the grader"),
}


@pytest.mark.skipif(os.getuid() != 0, reason="as an ordinary user other doors are open")
@pytest.mark.parametrize("part", TAKEN_OUT)
def test_a_landlock_backend_without_one_of_its_parts_is_refused(part):
    taking, text = TAKEN_OUT[part]
    script = f"from autograder.sandbox import isolation, landlock, seccomp\n{taking}\nisolation.main()"
    missing = json.loads(tried("landlock", "-c", script).stdout)["missing"]
    assert any(text in door for door in missing), missing


@pytest.mark.parametrize("backend", isolation.BACKENDS)
def test_the_probe_leaves_nothing_behind(backend):
    tried(backend)
    assert "autograder-probe-" not in Path("/proc/self/mountinfo").read_text()
    assert sorted(Path(tempfile.gettempdir()).glob("autograder-probe-*")) == []


def test_auto_takes_the_complete_backend(monkeypatch):
    monkeypatch.setattr(isolation, "probe", lambda name: isolation.BackendReport(name, True))
    assert isolation.choose("auto") == "namespaces"
    assert isolation.choose("none") == "none"


@pytest.mark.parametrize("backend", isolation.BACKENDS)
@pytest.mark.parametrize(
    ("system", "release", "machine", "text"),
    [
        ("Darwin", "23.1.0", "x86_64", "exists on Linux only"),
        ("Linux", "5.10.0-27-amd64", "x86_64", "or later is needed"),
        ("Linux", "6.1.0", "s390x", "not known for s390x"),
    ],
)
def test_an_unfit_machine_is_named_without_trying(monkeypatch, system, release, machine, text, backend):
    monkeypatch.setattr(isolation.platform, "system", lambda: system)
    monkeypatch.setattr(isolation.platform, "release", lambda: release)
    monkeypatch.setattr(isolation.platform, "machine", lambda: machine)
    isolation.probe.cache_clear()
    try:
        report = isolation.probe(backend)
    finally:
        isolation.probe.cache_clear()
    assert not report.complete
    assert text in report.missing[0]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can take the permission away for a moment")
def test_where_user_namespaces_are_forbidden_an_ordinary_user_is_told_the_mend():
    """In a user namespace of its own, so that the machine's setting is untouched."""
    script = (
        "import os, sys; from autograder.sandbox import linux, namespaces\n"
        "linux.unshare(linux.CLONE_NEWUSER)\n"
        "proc = os.open('/proc', os.O_RDONLY)\n"
        "namespaces._map_ids(proc, 54321, 54321, 54321)\n"
        "namespaces._write(proc, 'sys/user/max_user_namespaces', '0')\n"
        "linux.drop_capabilities(); os.close(proc)\n"
        "os.execv(sys.executable, [sys.executable, '-I', '-m', 'autograder.sandbox.isolation', 'namespaces'])\n"
    )
    command = [sys.executable, str(HERE / "as_ordinary_user.py"), "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    missing = json.loads(result.stdout)["missing"]
    assert all("unshare" in text for text in missing)
    assert any("sysctl -w user.max_user_namespaces" in text for text in missing)


# What a child sees


def test_of_a_prefix_that_is_a_work_folder_only_programs_and_libraries_are_seen(tmp_path, monkeypatch):
    for name in ("bin", "lib", "tests", "submitted"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    seen = survey(tmp_path / "root").visible
    assert {tmp_path / "bin", tmp_path / "lib"} <= set(seen)
    assert not {tmp_path, tmp_path / "tests", tmp_path / "submitted"} & set(seen)


def test_a_folder_to_hide_inside_a_visible_one_is_hidden_and_the_visible_inside_of_it_is_seen(tmp_path, monkeypatch):
    course = tmp_path / "lib" / "course"
    environment = course / "environment"
    (environment / "lib").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "exec_prefix", str(environment))
    place = survey(tmp_path / "root", hidden=[course])
    assert place.hidden == (course,)
    assert environment / "lib" in place.visible


def test_a_folder_to_hide_that_is_not_seen_anyway_needs_no_hiding():
    assert survey(Path("/nowhere"), hidden=[ROOT]).hidden == ()


def test_the_hidden_tests_and_solutions_are_in_no_visible_folder():
    for path in survey(Path("/nowhere")).visible:
        for secret in ("tests", "solutions", "source", "examples", "autograder/checks"):
            assert path != ROOT / secret
            assert path not in (ROOT / secret).parents
