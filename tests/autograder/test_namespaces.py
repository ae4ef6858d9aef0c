"""What a child sees and may do inside namespaces of its own, as root and (the last test) as an ordinary user."""

import ctypes
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from small_sandbox import (
    FILL,
    FORKS,
    ROOT,
    SMALL,
    SmallSandbox,
    assert_no_survivor,
    job,
    limited,
    needs,
    run_as_ordinary_user,
    said,
)

pytestmark = needs("namespaces")


@pytest.fixture(scope="module")
def sandbox():
    with SmallSandbox("namespaces", SMALL, ROOT / "data") as started:
        yield started


@pytest.fixture
def patient(sandbox):
    """Writing much costs CPU time too, and that is not what these tests are about."""
    return limited(sandbox, cell_cpu_seconds=20, notebook_cpu_seconds=20)


def test_home_and_temporary_folder_can_be_written_to_and_start_empty(sandbox):
    payload = (
        "import os, pathlib, tempfile\n"
        "places = [os.path.expanduser('~'), tempfile.gettempdir(), '/dev/shm']\n"
        "say([os.listdir(place) for place in places])\n"
        "for place in places: pathlib.Path(place, 'mine').write_text('x')\n"
        "say(os.getcwd())"
    )
    # Where this checkout lies below /tmp itself, the way to it is seen there.
    visible = [ROOT.parts[2]] if ROOT.parts[:2] == ("/", "tmp") else []
    for _ in range(2):
        assert said(sandbox.run(job(payload))) == [[[], visible, []], "/home/student"]


def test_a_terminal_can_be_opened(sandbox):
    assert said(sandbox.run(job("import pty, os; say(os.ttyname(pty.openpty()[1]))"))) == ["/dev/pts/0"]


def test_no_network_interface_is_up_and_no_route_exists(sandbox):
    routes = "say(open('/proc/net/route').read().splitlines()[1:])"
    outcome = sandbox.run(job(routes, "say(open('/proc/net/if_inet6').read())"))
    assert said(outcome) == [[], ""]


def test_files_of_the_host_are_invisible(sandbox, tmp_path):
    marker = tmp_path / "marker"
    marker.write_text("secret")
    marker.chmod(0o644)
    hidden = [
        marker,
        tmp_path,
        ROOT / "tests",
        ROOT / "solutions",
        ROOT / "source",
        ROOT / "data",
        ROOT / ".git",
        ROOT / "autograder" / "checks",
        "/etc/shadow",
        "/var/lib",
        "/opt",
        "/sys/kernel",
    ]
    hidden = [str(path) for path in hidden]
    assert said(sandbox.run(job(f"import os; say([p for p in {hidden!r} if os.path.lexists(p)])"))) == [[]]


def test_of_the_engine_only_the_sandbox_is_visible(sandbox):
    package = str(ROOT / "autograder")
    (names,) = said(sandbox.run(job(f"import os; say(sorted(os.listdir({package!r})))")))
    assert names == ["__init__.py", "sandbox"]


def test_packages_below_the_temporary_folder_are_visible_and_read_only():
    class Moved(SmallSandbox):
        def _command(self):
            return [sys.executable, "-I", str(folder / "tests" / "autograder" / "small_server.py")]

    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copytree(ROOT / "autograder" / "sandbox", folder / "autograder" / "sandbox")
        for part in ("autograder/__init__.py", "autograder/errors.py", "tests/autograder/small_server.py"):
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, folder / part)
        package = str(folder / "autograder")
        payload = f"import os\nsay(sorted(os.listdir({package!r})))\nopen({package + '/sandbox/x'!r}, 'w')"
        with Moved("namespaces", SMALL, ROOT / "data") as moved:
            names, error = said(moved.run(job(payload)))
    assert names == ["__init__.py", "sandbox"]
    assert "Read-only file system" in error


def test_the_private_folder_of_the_server_is_invisible(sandbox):
    folder = str(sandbox.server_path.parent)
    assert said(sandbox.run(job(f"import os; say(os.path.lexists({folder!r}))"))) == [False]


def test_other_processes_are_invisible_and_can_not_be_signalled(sandbox):
    payload = (
        "import os\n"
        "say(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()))\n"
        f"for pid in ({os.getpid()}, {os.getppid()}):\n"
        "    try: os.kill(pid, 0); say('found')\n"
        "    except ProcessLookupError: say('none')"
    )
    assert said(sandbox.run(job(payload))) == [[1, 2], "none", "none"]


def test_user_id_and_capabilities_are_gone(sandbox):
    payload = (
        "import os\n"
        "status = dict(l.split(':', 1) for l in open('/proc/self/status').read().splitlines() if ':' in l)\n"
        "say([os.getresuid(), os.getresgid(), os.getgroups()])\n"
        "say([status[n].strip() for n in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs')])\n"
        "say(open('/proc/self/uid_map').read().split())"
    )
    ids, capabilities, map_ = said(sandbox.run(job(payload)))
    assert ids[:2] == [[1000] * 3, [1000] * 3]
    assert capabilities == ["0" * 16] * 5 + ["1"]
    if os.getuid() == 0:
        assert ids[2] == []
        assert int(map_[1]) >= 65536  # the id on the host is nobody's


def test_two_submissions_have_different_user_ids(sandbox):
    if os.getuid() != 0:
        pytest.skip("an ordinary user has one id; the user namespaces tell submissions apart")
    payload = "say(open('/proc/self/uid_map').read().split()[1])"
    assert said(sandbox.run(job(payload))) != said(sandbox.run(job(payload)))


def test_every_mount_but_the_private_folders_is_read_only(sandbox):
    payload = (
        "mounts = [line.split() for line in open('/proc/self/mountinfo')]\n"
        "say(sorted(fields[4] for fields in mounts if 'rw' in fields[5].split(',')))\n"
        "say([fields[4] for fields in mounts if 'nosuid' not in fields[5].split(',')])"
    )
    writable, with_suid = said(sandbox.run(job(payload)))
    assert writable == ["/dev/pts", "/dev/shm", "/home/student", "/tmp"]
    assert with_suid == []


def test_shared_memory_of_the_host_is_invisible_and_that_of_the_child_is_bounded(sandbox):
    libc = ctypes.CDLL(None)
    segment = libc.shmget(0, 4096, 0o1666)
    assert segment != -1
    try:
        payload = (
            "import ctypes\n"
            "say(open('/proc/sysvipc/shm').read().splitlines()[1:])\n"
            "say([ctypes.CDLL(None).shmget(0, ctypes.c_size_t(size), 0o1666) >= 0 for size in (2**20, 2**27)])"
        )
        assert said(sandbox.run(job(payload))) == [[], [True, False]]
    finally:
        libc.shmctl(segment, 0, None)  # IPC_RMID


def test_signalling_everybody_reaches_only_the_own_processes(sandbox):
    payload = (
        "import os, time\n"
        "confined = os.getpid() == 2 and sorted(n for n in os.listdir('/proc') if n.isdigit()) == ['1', '2']\n"
        "assert confined, 'not tried outside of a sandbox'\n"
        "if os.fork() == 0: time.sleep(20); os._exit(0)\n"
        "os.kill(-1, 9); say(os.waitstatus_to_exitcode(os.wait()[1]))",
        "say('alive')",
    )
    outcome = sandbox.run(job(*payload))
    assert (outcome.ending, said(outcome)) == ("completed", [-9, "alive"])


def test_all_writable_folders_share_one_bound(patient):
    payload = (
        "say([fill(p, 50, 10**7)[0] == errno.ENOSPC for p in ('/tmp/a{}', '/home/student/b{}', '/dev/shm/c{}')])\n"
        "import os; os.remove('/tmp/a0')\n"
        "say(fill('/dev/shm/d{}', 1, 10**7))"
    )
    outcome = patient.run(job(FILL + payload))
    assert said(outcome)[0] == [True, True, True]
    assert said(outcome)[1] == ["no limit", 10]


def test_the_number_of_files_is_bounded(sandbox):
    payload = (
        "made = 0\n"
        "try:\n"
        "    for made in range(3000): open(f'/tmp/{made}', 'w').close()\n"
        "except OSError: pass\n"
        "say(made)"
    )
    assert said(limited(sandbox, scratch_files=200).run(job(payload)))[0] < 200


def test_a_fork_bomb_is_bounded(sandbox):
    outcome = limited(sandbox, processes=100, cell_cpu_seconds=20, notebook_cpu_seconds=20).run(
        job(FORKS.format(tries=3000, then=""))
    )
    assert outcome.ending == "completed"
    assert 30 < said(outcome)[0] < 64
    assert_no_survivor(sandbox)


def test_too_many_processes_at_once_are_killed(sandbox):
    outcome = limited(sandbox, processes=20, cell_cpu_seconds=20).run(
        job(FORKS.format(tries=40, then="time.sleep(20)"))
    )
    assert (outcome.ending, outcome.reason) == ("killed", "stopped above 20 processes at once")
    assert_no_survivor(sandbox)


def test_two_jobs_at_once_run_side_by_side_and_do_not_see_each_other(sandbox):
    # Of the host's /tmp nothing is seen but what Python needs, where that lies there: hence a folder.
    payload = (
        "import os, pathlib, time\n"
        "began = time.monotonic()\n"
        "os.mkdir('/tmp/jobs')\n"
        "pathlib.Path('/tmp/jobs/{name}').touch()\n"
        "time.sleep(1)\n"
        "say([os.listdir('/tmp/jobs'), sorted(n for n in os.listdir('/proc') if n.isdigit())])\n"
        "say([began, time.monotonic()])"
    )
    outcomes = {}

    def run(name):
        outcomes[name] = sandbox.run(job(payload.format(name=name)))

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (one, first), (two, second) = said(outcomes["one"]), said(outcomes["two"])
    assert (one, two) == ([["one"], ["1", "2"]], [["two"], ["1", "2"]])
    assert max(first[0], second[0]) < min(first[1], second[1]), "one after the other"


@pytest.mark.skipif(os.getuid() != 0, reason="runs already as an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too():
    run_as_ordinary_user(Path(__file__))
