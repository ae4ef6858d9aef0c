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

from autograder.sandbox import isolation, namespaces

CLOSED = {
    "interfaces_up": [],
    "connected": False,
    "processes": [1, 2],
    "marker": False,
    "unreadable": [],
    "writable": [],
    "first_process": False,
    "user": 1000,
    "capabilities": 0,
    "new_privileges": False,
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
        ("marker", True, "file of the host"),
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


def test_looking_around_unconfined_finds_the_doors_open(tmp_path):
    marker = tmp_path / "marker"
    marker.write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # A process of its own, because the attempt at a nested namespace forks.
        script = (
            "import json, sys; from autograder.sandbox import isolation;"
            "print(json.dumps(isolation.look_around(sys.argv[1], ('127.0.0.1', int(sys.argv[2])), [sys.argv[1]])))"
        )
        command = [sys.executable, "-c", script, str(marker), str(listener.getsockname()[1])]
        view = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert view["connected"]
    assert view["marker"]
    assert view["new_privileges"]
    assert os.getpid() in view["processes"]
    assert len(isolation.open_doors(view)) >= 4


def test_the_probe_says_the_same_as_trying(monkeypatch):
    report = isolation.probe()[0]
    result = subprocess.run(
        [sys.executable, "-I", "-m", "autograder.sandbox.isolation"], capture_output=True, check=True
    )
    assert json.loads(result.stdout) == {"missing": list(report.missing)}


def test_a_busy_machine_does_not_change_what_the_probe_says():
    slow = """
import socket, time
from autograder.sandbox import isolation
receive = socket.recv_fds
socket.recv_fds = lambda *arguments: (time.sleep(0.5), receive(*arguments))[1]
isolation.main()
"""
    result = subprocess.run([sys.executable, "-c", slow], capture_output=True, text=True, check=False)
    assert json.loads(result.stdout) == {"missing": []}, result.stderr


def test_the_probe_leaves_nothing_behind():
    def traces():
        return sorted(Path(tempfile.gettempdir()).glob("autograder-probe-*"))

    subprocess.run([sys.executable, "-I", "-m", "autograder.sandbox.isolation"], capture_output=True, check=True)
    mine = Path("/proc/self/mountinfo").read_text()
    assert "autograder-probe-" not in mine
    assert traces() == []


def test_auto_takes_the_complete_backend(monkeypatch):
    monkeypatch.setattr(isolation, "probe", lambda: (isolation.BackendReport("namespaces", True),))
    assert isolation.choose("auto") == "namespaces"
    assert isolation.choose("none") == "none"


@pytest.mark.parametrize(
    ("system", "release", "machine", "text"),
    [
        ("Darwin", "23.1.0", "x86_64", "exist on Linux only"),
        ("Linux", "5.10.0-27-amd64", "x86_64", "5.12 or later"),
        ("Linux", "6.1.0", "s390x", "not known for s390x"),
    ],
)
def test_an_unfit_machine_is_named_without_trying(monkeypatch, system, release, machine, text):
    monkeypatch.setattr(isolation.platform, "system", lambda: system)
    monkeypatch.setattr(isolation.platform, "release", lambda: release)
    monkeypatch.setattr(isolation.platform, "machine", lambda: machine)
    isolation.probe.cache_clear()
    try:
        report = isolation.probe()[0]
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
        "os.execv(sys.executable, [sys.executable, '-I', '-m', 'autograder.sandbox.isolation'])\n"
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
    seen = namespaces.survey(tmp_path / "root").visible
    assert {tmp_path / "bin", tmp_path / "lib"} <= set(seen)
    assert not {tmp_path, tmp_path / "tests", tmp_path / "submitted"} & set(seen)


def test_a_folder_to_hide_inside_a_visible_one_is_hidden_and_the_visible_inside_of_it_is_seen(tmp_path, monkeypatch):
    course = tmp_path / "lib" / "course"
    environment = course / "environment"
    (environment / "lib").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "exec_prefix", str(environment))
    place = namespaces.survey(tmp_path / "root", hidden=[course])
    assert place.hidden == (course,)
    assert environment / "lib" in place.visible


def test_a_folder_to_hide_that_is_not_seen_anyway_needs_no_hiding():
    assert namespaces.survey(Path("/nowhere"), hidden=[ROOT]).hidden == ()


def test_the_hidden_tests_and_solutions_are_in_no_visible_folder():
    for path in namespaces.survey(Path("/nowhere")).visible:
        for secret in ("tests", "solutions", "source", "examples", "autograder/checks"):
            assert path != ROOT / secret
            assert path not in (ROOT / secret).parents
