"""A cross-check: what a child sees and can do in our namespaces is no more than in those that bubblewrap makes.

Bubblewrap (the package of that name) is set up as strictly as it can be, with the same folders of the system
shown. Each facet is a set of words for what was found; ours has to lie within its.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from small_sandbox import ROOT, SMALL, SmallSandbox, job, needs, said

from autograder.sandbox.place import survey

pytestmark = [
    needs("namespaces"),
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt-get install bubblewrap"),
]

LOOK = """
import ctypes, fcntl, hashlib, os, pathlib, socket, struct

def attempt(action):
    try: return action()
    except (OSError, ValueError): return None

def names(folder):
    return {f"{folder}/{name}" for name in attempt(lambda: os.listdir(folder)) or ()}

def flags(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return struct.unpack("16sh14x", fcntl.ioctl(s, 0x8913, struct.pack("16sh14x", name.encode(), 0)))[1]

def can_write(folder):
    path = os.path.join(folder, "written-by-a-test")
    descriptor = attempt(lambda: os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    if descriptor is None: return False
    os.close(descriptor); os.remove(path)
    return True

def reach(family, kind, address):
    with socket.socket(family, kind) as s:
        s.settimeout(2)
        s.connect(tuple(address) if isinstance(address, list) else address)
        return True

def call(number, *arguments):
    child = os.fork()
    if child == 0:
        os._exit(int(libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) < 0))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

SYSTEM = ("/usr", "/etc", "/proc/sys")
libc = ctypes.CDLL(None, use_errno=True)
status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
mounts = [line.split() for line in open("/proc/self/mountinfo")]
view = {
    "folders": {name for folder in ("", "/home", "/var", "/run", "/opt", "/srv", "/mnt", "/root", "/boot", "/sys")
                for name in names(folder) if not folder or attempt(lambda: os.listdir(name))},
    "devices": names("/dev"),
    "files of the host": {path for path, digest in HOST.items()
                          if (data := attempt(lambda: pathlib.Path(path).read_bytes())) is not None
                          and hashlib.sha256(data).hexdigest() == digest},
    "processes": {str(min(int(name), 3)) for name in os.listdir("/proc") if name.isdigit()},
    "interfaces": {name for _, name in socket.if_nameindex() if attempt(lambda: flags(name) & 1)},
    "listeners": {name for name, where in LISTENERS.items() if attempt(lambda: reach(*where))},
    "environment": {name for name in os.environ if name.startswith("AUTOGRADER")},
    "capabilities": {name for name in ("CapPrm", "CapEff", "CapInh", "CapAmb") if int(status[name], 16)},
    "writable": {folder for folder in ("/", "/usr", "/usr/bin", "/etc", "/proc", "/sys", "/dev") if can_write(folder)},
    "writable mounts": {m[4] for m in mounts if "rw" in m[5].split(",") and m[4].startswith(SYSTEM)},
    "mounts that obey set-user-id": {m[4] for m in mounts if "nosuid" not in m[5].split(",")},
    "shared memory": set(open("/proc/sysvipc/shm").read().splitlines()[1:]),
    "calls": {name for name, (number, *arguments) in CALLS.items() if call(number, *arguments)},
}
view = {facet: sorted(words) for facet, words in view.items()}
"""
CALLS = {
    "a user namespace": (272, 0x10000000), "a mount namespace": (272, 0x00020000),
    "a network namespace": (272, 0x40000000), "a ring of requests": (425, 1, 0), "a keyring": (250, 0, -3, 1),
    "a virtual socket": (41, 40, 1, 0), "a socket of the kernel's cryptography": (41, 38, 5, 0),
    "memory of no process": (319, 0, 0), "events of performance": (298, 0, 0, -1, -1, 0),
    "faults in user space": (323, 0), "a program of the kernel": (321, 0, 0, 0), "a root of its own": (161, 0),
    "another host name": (170, 0, 0),
}  # fmt: skip


def look(tmp_path, listeners):
    marker = tmp_path / "marker"
    marker.write_text("a file of the host")
    files = [marker, ROOT / "README.md", Path("/etc/passwd"), Path("/etc/hostname"), Path("/etc/machine-id")]
    files += [Path("/etc/shadow"), *(ROOT / "tests" / "autoencoders").glob("*")]
    readable = [path for path in files if path.is_file() and os.access(path, os.R_OK)]
    digests = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in readable}
    return f"HOST, LISTENERS, CALLS = {digests!r}, {listeners!r}, {CALLS!r}\n{LOOK}"


def in_bubblewrap(script):
    place = survey(Path("/nowhere"), hidden=[ROOT])
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"]
    for path in place.visible:
        command += ["--ro-bind", str(path), str(path)]
    for path, target in place.links:
        command += ["--symlink", target, str(path)]
    command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/home", "--chdir", "/tmp"]
    command += [sys.executable, "-I", "-c", f"{script}\nimport json; print(json.dumps(view))"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    """The same look around: ours, bubblewrap's, and without any isolation."""
    os.environ["AUTOGRADER_TEST_SECRET"] = "swordfish"
    abstract = f"\0autograder-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
        local.bind(abstract)
        local.listen()
        listeners = {"tcp": (2, 1, tcp.getsockname()), "abstract": (1, 1, abstract)}
        script = look(tmp_path_factory.mktemp("host"), listeners)
        with SmallSandbox("namespaces", SMALL, ROOT / "data") as sandbox:
            (ours,) = said(sandbox.run(job(f"{script}\nsay(view)")))
        command = [sys.executable, "-c", f"{script}\nimport json; print(json.dumps(view))"]
        unconfined = subprocess.run(command, capture_output=True, text=True, check=True)
        yield ours, in_bubblewrap(script), json.loads(unconfined.stdout)


FACETS = (
    "folders", "devices", "files of the host", "processes", "interfaces", "listeners", "environment", "capabilities",
    "writable", "writable mounts", "mounts that obey set-user-id", "shared memory", "calls",
)  # fmt: skip
# An empty folder in which nothing is, and what bubblewrap has no use for.
MADE_BY_US = {"folders": {"/scratch", "/var"}}


@pytest.mark.parametrize("facet", FACETS)
def test_our_namespaces_show_no_more_than_those_of_bubblewrap(views, facet):
    ours, theirs, _ = views
    assert set(ours[facet]) - MADE_BY_US.get(facet, set()) <= set(theirs[facet])


def test_the_look_around_finds_all_of_this_where_nothing_isolates(views):
    unconfined = views[2]
    for facet in ("files of the host", "interfaces", "listeners", "environment", "calls"):
        assert unconfined[facet], facet
    assert len(unconfined["files of the host"]) > 5
    assert "3" in unconfined["processes"]
