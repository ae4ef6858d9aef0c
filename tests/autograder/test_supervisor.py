"""The sandbox from outside: whatever a child does, the grader lives, classifies it, and leaves nothing behind.

Every test here also runs as an ordinary user (the last test starts them all again as one).
"""

import contextlib
import ctypes
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from small_sandbox import HERE, ROOT, SMALL, SmallSandbox, job, lacking, said, statuses

from autograder.errors import GraderFault, InputError, IsolationUnavailable
from autograder.sandbox import isolation
from autograder.sandbox.limits import MEBIBYTE, Limits
from autograder.sandbox.supervisor import Sandbox

os.environ["AUTOGRADER_TEST_SECRET"] = "swordfish-in-the-environment"

pytestmark = pytest.mark.skipif(bool(lacking()), reason=lacking())


@pytest.fixture(scope="module")
def sandbox():
    with SmallSandbox("namespaces", SMALL, ROOT / "data") as started:
        yield started


@pytest.fixture
def unconfined():
    with SmallSandbox("none", SMALL, ROOT / "data") as started:
        yield started


def limited(sandbox, **limits):
    """Return a sandbox that shares the server and has other limits."""
    return SmallSandbox("namespaces", dataclasses.replace(SMALL, **limits), ROOT / "data", server=sandbox.server_path)


def processes_with(text):
    """Return the ids of all processes of this machine in whose command line the text stands."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if text.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def assert_no_survivor(sandbox):
    """Children keep the command line of the server that they were forked from."""
    deadline = time.monotonic() + 5  # a monitor needs a moment to leave after its last word
    while len(processes_with(str(sandbox.server_path))) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(processes_with(str(sandbox.server_path))) == 1


# What honest work gets


def test_cells_run_in_order_and_their_frames_arrive(sandbox):
    outcome = sandbox.run(job("x = 20", "say(x + 1)", "1 / 0"))
    assert outcome.ending == "completed"
    assert (said(outcome)[0], statuses(outcome)) == (21, ["ok", "ok", "error"])
    assert (outcome.cell, outcome.interrupted, outcome.isolation) == (None, (), "namespaces")
    assert 0 < outcome.cpu_seconds < 5
    assert outcome.peak_memory_bytes > 0


def test_the_child_is_told_the_whole_job(sandbox):
    outcome = sandbox.run(job("say([job['event'], job['training'], job['limits']['cell_cpu_seconds']])"))
    assert said(outcome) == [["job", "record", 0.5]]


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


def test_programs_of_the_system_and_of_the_environment_run(sandbox):
    payload = (
        "import subprocess, sys\n"
        "say(subprocess.run('echo hello | tr a-z A-Z', shell=True, capture_output=True, text=True).stdout)\n"
        "say(subprocess.run([sys.executable, '-c', 'import json; print(6 * 7)'],"
        " capture_output=True, text=True).stdout)"
    )
    assert said(sandbox.run(job(payload))) == ["HELLO\n", "42\n"]


def test_a_terminal_can_be_opened(sandbox):
    assert said(sandbox.run(job("import pty, os; say(os.ttyname(pty.openpty()[1]))"))) == ["/dev/pts/0"]


# Reaching out

CONNECT = """
import socket
def attempt(family, kind, address):
    try:
        with socket.socket(family, kind) as s:
            s.settimeout(2)
            s.connect(address)
            if kind == socket.SOCK_DGRAM:
                s.send(b'x')
        return 'reached'
    except OSError as error:
        return type(error).__name__
"""


@pytest.fixture
def listeners(tmp_path):
    with contextlib.ExitStack() as stack:
        stream, datagram = socket.SOCK_STREAM, socket.SOCK_DGRAM
        addresses = {}
        for name, family, kind, address in [
            ("tcp", socket.AF_INET, stream, ("127.0.0.1", 0)),
            ("udp", socket.AF_INET, datagram, ("127.0.0.1", 0)),
            ("ipv6", socket.AF_INET6, stream, ("::1", 0)),
            ("abstract", socket.AF_UNIX, stream, f"\0autograder-test-{os.getpid()}"),
            ("file", socket.AF_UNIX, stream, str(tmp_path / "listener")),
        ]:
            listener = stack.enter_context(socket.socket(family, kind))
            listener.bind(address)
            if kind == stream:
                listener.listen()
            addresses[name] = (int(family), int(kind), listener.getsockname())
        yield addresses


def connect_cell(listeners):
    return f"{CONNECT}\nsay({{name: attempt(*where) for name, where in {listeners!r}.items()}})"


def test_no_listener_of_the_host_is_reached(sandbox, listeners):
    (reached,) = said(sandbox.run(job(connect_cell(listeners))))
    assert set(reached) == set(listeners)
    assert "reached" not in reached.values()


def test_the_same_attempts_do_reach_them_without_isolation(unconfined, listeners):
    (reached,) = said(unconfined.run(job(connect_cell(listeners))))
    assert set(reached.values()) == {"reached"}


def test_no_network_interface_is_up_and_no_route_exists(sandbox):
    routes = "say(open('/proc/net/route').read().splitlines()[1:])"
    outcome = sandbox.run(job(routes, "say(open('/proc/net/if_inet6').read())"))
    assert said(outcome) == [[], ""]


# Reading secrets


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


def test_the_environment_of_the_grader_is_not_inherited(sandbox):
    payload = (
        "import glob, os\n"
        "texts = [str(dict(os.environ))]\n"
        "for path in glob.glob('/proc/[0-9]*/environ'):\n"
        "    try: texts.append(open(path).read())\n"
        "    except PermissionError: pass\n"
        "say([len(texts), any('swordfish' in text for text in texts)])"
    )
    ((count, found),) = said(sandbox.run(job(payload)))
    assert count == 2  # its own environment twice; that of the first process can not be read
    assert not found


def test_other_processes_are_invisible_and_can_not_be_signalled(sandbox):
    payload = (
        "import os\n"
        "say(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()))\n"
        f"for pid in ({os.getpid()}, {os.getppid()}):\n"
        "    try: os.kill(pid, 0); say('found')\n"
        "    except ProcessLookupError: say('none')"
    )
    assert said(sandbox.run(job(payload))) == [[1, 2], "none", "none"]


def test_the_first_process_can_neither_be_looked_into_nor_killed(sandbox):
    payload = (
        "import os, signal\n"
        "for name in ('mem', 'environ', 'fd', 'maps'):\n"
        "    try: (os.listdir if name == 'fd' else open)(f'/proc/1/{name}'); say(name)\n"
        "    except PermissionError: pass\n"
        "for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSEGV): os.kill(1, number)",
        "say('alive')",
    )
    outcome = sandbox.run(job(*payload))
    assert (said(outcome), outcome.ending) == (["alive"], "completed")


def test_only_the_event_channel_is_open(sandbox):
    payload = (
        "import os\n"
        "names = os.listdir('/proc/self/fd')\n"
        "links = {name: f'/proc/self/fd/{name}' for name in names}\n"
        "say({name: os.readlink(link) for name, link in links.items() if os.path.lexists(link)})"
    )
    (names,) = said(sandbox.run(job(payload)))
    assert sorted(names) == ["0", "1", "2", "3"]
    assert {names[number] for number in "012"} == {"/dev/null"}
    assert names["3"].startswith("socket:")


# Powers


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


def test_mounting_and_new_user_namespaces_are_refused(sandbox):
    payload = (
        "import ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "say(libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None))\n"
        "say([libc.unshare(flag) for flag in (0x10000000, 0x00020000, 0x20000000, 0x40000000)])"
    )
    assert said(sandbox.run(job(payload))) == [-1, [-1, -1, -1, -1]]


def test_the_root_and_proc_are_read_only(sandbox):
    places = [
        "/x",
        "/usr/bin/x",
        "/etc/x",
        "/etc/passwd",
        str(ROOT / "autograder" / "sandbox" / "x.py"),
        f"{sys.prefix}/lib/x",
        "/proc/self/oom_score_adj",
        "/proc/sys/kernel/hostname",
        "/dev/x",
    ]
    payload = (
        "written = []\n"
        f"for place in {places!r}:\n"
        "    try: open(place, 'w').close(); written.append(place)\n"
        "    except OSError: pass\n"
        "say(written)"
    )
    assert said(sandbox.run(job(payload))) == [[]]


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


# Ends


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("import os; os._exit(0)", "exit status 0"),
        ("import os; os._exit(3)", "exit status 3"),
        ("import sys; sys.exit(4)", "exit status 4"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11 (SIGSEGV)"),
        ("import ctypes; ctypes.string_at(0)", "signal 11 (SIGSEGV)"),
        ("import os; os.abort()", "signal 6 (SIGABRT)"),
        ("import os; os.kill(os.getpid(), 9)", "signal 9 (SIGKILL)"),
    ],
)
def test_a_dead_child_is_reported_with_the_cell_that_ran(sandbox, payload, reason):
    outcome = sandbox.run(job("x = 1", payload, "say('never')"))
    assert (outcome.ending, outcome.cell, statuses(outcome)) == ("died", 1, ["ok"])
    assert reason in outcome.reason


def test_a_cell_that_computes_too_long_is_interrupted_and_the_next_one_runs(sandbox):
    outcome = sandbox.run(job("while True: pass", "say('next')"))
    assert (outcome.ending, outcome.interrupted, statuses(outcome)) == ("completed", (0,), ["timeout", "ok"])
    assert said(outcome) == ["next"]
    assert 0.5 < outcome.cpu_seconds < 1.5


def test_a_cell_that_swallows_the_interruption_is_killed(sandbox):
    swallow = "while True:\n    try:\n        while True: sum(range(1000))\n    except BaseException: pass"
    outcome = sandbox.run(job("x = 1", swallow, "say('never')"))
    assert (outcome.ending, outcome.cell, outcome.interrupted) == ("killed", 1, (1,))
    assert outcome.reason == "stopped after 0.5 CPU seconds in one cell"
    assert said(outcome) == []


def test_a_computation_in_c_that_holds_the_interpreter_is_killed(sandbox):
    outcome = sandbox.run(job("sum(range(10**12))"))
    assert (outcome.ending, outcome.cell) == ("killed", 0)


def test_a_notebook_that_computes_too_long_in_all_is_killed(sandbox):
    cell = "import time\nstart = time.process_time()\nwhile time.process_time() - start < 0.4: pass"
    outcome = sandbox.run(job(*[cell] * 12))
    assert (outcome.ending, outcome.interrupted) == ("killed", ())
    assert outcome.reason == "stopped after 2 CPU seconds in all"
    assert 4 <= len(statuses(outcome)) <= 6


def test_announcing_cells_again_and_again_buys_no_time(sandbox):
    outcome = sandbox.run(job("while True: send('start', index=0); sum(range(10**6))", "x = 1"))
    assert (outcome.ending, outcome.interrupted) == ("completed", (0,))


def test_cpu_time_of_children_counts_even_of_dead_ones(sandbox):
    payload = (
        "import os\nwhile True:\n    if os.fork() == 0:\n        sum(range(3_000_000)); os._exit(0)\n    os.wait()"
    )
    outcome = sandbox.run(job(payload))
    assert outcome.interrupted == (0,)
    assert outcome.cpu_seconds < 1.5


def test_a_sleeping_cell_is_interrupted(sandbox):
    outcome = limited(sandbox, idle_wall_seconds=1.0).run(job("import time; time.sleep(50)", "say('next')"))
    assert (outcome.ending, outcome.interrupted, said(outcome)) == ("completed", (0,), ["next"])
    assert outcome.wall_seconds < 10


def test_a_sleeping_cell_that_ignores_signals_is_killed(sandbox):
    payload = (
        "import signal, time\n"
        "for number in signal.valid_signals() - {9, 19}: signal.signal(number, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "time.sleep(50)"
    )
    outcome = limited(sandbox, idle_wall_seconds=1.0).run(job(payload))
    assert (outcome.ending, outcome.cell) == ("killed", 0)
    assert outcome.reason == "stopped because nothing was computed for 1 seconds"


def test_the_last_wall_limit_ends_what_never_idles(sandbox):
    payload = "import time\nwhile True: sum(range(20_000)); time.sleep(0.01)"
    outcome = limited(sandbox, notebook_wall_seconds=1.5, idle_cpu_seconds=0.01).run(job(payload))
    assert (outcome.ending, outcome.reason) == ("killed", "stopped after 1.5 seconds of waiting")


DETACH = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in signal.valid_signals() - {9, 19}: signal.signal(number, signal.SIG_IGN)
        for number in range(64):
            try: os.close(number)
            except OSError: pass
        time.sleep(60)
    os._exit(0)
os.wait()
"""


HOLD = """
while True:
    try: time.sleep(9)
    except BaseException: pass
"""


@pytest.mark.parametrize(("then", "ending"), [("", "completed"), ("os._exit(1)", "died"), (HOLD, "killed")])
def test_detached_processes_die_with_the_submission(sandbox, then, ending):
    outcome = limited(sandbox, idle_wall_seconds=1.0).run(job(DETACH + then))
    assert outcome.ending == ending
    assert_no_survivor(sandbox)


def test_without_isolation_detached_processes_die_too(unconfined):
    assert unconfined.run(job(DETACH)).ending == "completed"
    assert_no_survivor(unconfined)


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


def test_another_program_in_place_of_the_runner_is_stopped(sandbox):
    outcome = sandbox.run(job("import os; os.execv('/bin/sleep', ['sleep', '60.123'])"))
    assert (outcome.ending, outcome.cell) == ("died", 0)
    assert "closed its channel" in outcome.reason
    assert processes_with("60.123") == []


def test_another_program_that_writes_into_the_channel_is_stopped(sandbox):
    payload = "import os; os.dup2(3, 1); os.execv('/bin/sh', ['sh', '-c', 'while :; do echo garbage; done'])"
    outcome = sandbox.run(job(payload))
    assert (outcome.ending, outcome.cell) == ("killed", 0)
    assert "could not be read" in outcome.reason
    assert_no_survivor(sandbox)


# Forging and flooding


def test_a_forged_end_ends_the_execution(sandbox):
    outcome = sandbox.run(job("send('end'); import time; time.sleep(30)", "say('never')"))
    assert (outcome.ending, said(outcome)) == ("completed", [])
    assert outcome.wall_seconds < 20
    assert_no_survivor(sandbox)


@pytest.mark.parametrize(
    "bytes_",
    [b"\xff\xff\xff\xff", b"\x04\x00\x00\x00oops", b"\x02\x00\x00\x00[]", b'\x0c\x00\x00\x00{"blobs":-1}',
     b'\x11\x00\x00\x00{"blobs":[9e999]}', b'\x18\x00\x00\x00{"blobs":[999999999999]}'],
)  # fmt: skip
def test_bytes_that_are_no_frame_end_the_execution(sandbox, bytes_):
    outcome = sandbox.run(job("x = 1", f"channel.sendall({bytes_!r})\nwhile True: pass"))
    assert (outcome.ending, outcome.cell, statuses(outcome)) == ("killed", 1, ["ok"])


def test_a_closed_channel_ends_the_execution(sandbox):
    outcome = sandbox.run(job("channel.close()\nimport os, time\nos.closerange(0, 99)\ntime.sleep(60)"))
    assert (outcome.ending, outcome.cell) == ("died", 0)
    assert outcome.wall_seconds < 20


def test_endless_frames_are_cut(sandbox):
    outcome = limited(sandbox, frames=500, cell_cpu_seconds=30).run(job("while True: say('x')"))
    assert (outcome.ending, outcome.reason) == ("killed", "stopped after 500 records")
    assert len(outcome.frames) <= 501


def test_endless_bytes_are_cut(sandbox):
    payload = "blob = b'x' * 2**20\nwhile True: channel.sendall(encode({'event': 'said', 'record': 0}, [blob]))"
    outcome = limited(sandbox, stream_bytes=20 * MEBIBYTE, notebook_cpu_seconds=30).run(job(payload))
    assert (outcome.ending, outcome.reason) == ("killed", "stopped after 20 MiB of results")


def test_records_that_would_take_much_memory_when_parsed_are_cut(sandbox):
    payload = "while True: channel.sendall(encode({'event': 'said', 'record': [[]] * 10**5}))"
    outcome = limited(sandbox, header_bytes=2 * MEBIBYTE, notebook_cpu_seconds=30).run(job(payload))
    assert (outcome.ending, outcome.reason) == ("killed", "stopped after 2 MiB of records")


def test_endless_output_of_one_cell_is_dropped_and_the_next_is_kept(sandbox):
    printing = "for _ in range(100): send('output', record={'index': 0, 'stream': 'stdout', 'text': 'y' * 1000})"
    outcome = limited(sandbox, output_characters=1000).run(job(printing, printing))
    assert outcome.ending == "completed"
    assert len([frame for frame in outcome.frames if frame.header["event"] == "output"]) == 10


# Exhausting


@pytest.fixture
def patient(sandbox):
    """Taking much memory costs CPU time too, and that is not what these tests are about."""
    return limited(sandbox, cell_cpu_seconds=20, notebook_cpu_seconds=20)


def test_six_gigabytes_end_in_a_memory_error(patient):
    payload = "blocks = []\nfor _ in range(60): blocks.append(b'x' * 100_000_000)"
    outcome = patient.run(job(payload, "del blocks; say('alive')"))
    assert outcome.ending == "completed"
    assert said(outcome) == ["MemoryError: ", "alive"]
    assert outcome.peak_memory_bytes < 700 * MEBIBYTE


def test_memory_of_many_processes_together_is_bounded(patient, sandbox):
    payload = (
        "import os, time\n"
        "for _ in range(6):\n"
        "    if os.fork() == 0:\n"
        "        block = b'x' * 200_000_000; time.sleep(30); os._exit(0)\n"
        "time.sleep(30)"
    )
    outcome = patient.run(job(payload))
    assert (outcome.ending, outcome.reason) == ("killed", "stopped above 512 MiB of memory")
    assert_no_survivor(sandbox)


def test_shared_memory_is_bounded(patient):
    payload = "import mmap, time\nm = mmap.mmap(-1, 6 * 10**9)\nfor i in range(0, 6 * 10**9, 4096): m[i] = 1"
    outcome = patient.run(job(payload))
    assert (outcome.ending, outcome.reason) == ("killed", "stopped above 512 MiB of memory")


def test_memory_that_a_fork_shares_counts_once(patient):
    payload = (
        "import os, time\n"
        "block = b'x' * 200_000_000\n"
        "for _ in range(5):\n"
        "    if os.fork() == 0: time.sleep(0.5); os._exit(0)\n"
        "time.sleep(0.7)\n"
        "say('alive')"
    )
    outcome = patient.run(job(payload))
    assert (outcome.ending, said(outcome)) == ("completed", ["alive"])


FILL = """
def fill(pattern, count, size):
    written = 0
    try:
        for number in range(count):
            with open(pattern.format(number), 'wb') as file:
                for _ in range(size // 10**6):
                    file.write(b'x' * 10**6); written += 1
    except OSError as error:
        return [error.errno, written]
    return ['no limit', written]
import errno
"""


def test_the_size_of_one_file_is_bounded(patient):
    outcome = patient.run(job(FILL + "say(fill('/tmp/big{}', 1, 100 * 10**6)[0] == errno.EFBIG)"))
    assert said(outcome) == [True]


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


FORKS = """
import os, time
made = 0
for _ in range({tries}):
    try:
        if os.fork() == 0:
            time.sleep(20); os._exit(0)
        made += 1
    except OSError: pass
say(made)
{then}
"""


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


def test_descriptors_are_bounded_and_no_core_is_written(sandbox):
    payload = "import resource as r; say([r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE)])"
    assert said(sandbox.run(job(payload))) == [[[64, 64], [0, 0]]]


# Many, and faults of our own


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


def test_thirty_jobs_leave_nothing_behind(own_temporary_folder):
    with SmallSandbox("namespaces", SMALL, ROOT / "data") as sandbox:
        run_thirty_jobs_and_compare(sandbox)
    assert list(own_temporary_folder.iterdir()) == []


@pytest.fixture
def own_temporary_folder(monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def run_thirty_jobs_and_compare(sandbox):
    sandbox.run(job("x = 1"))
    assert_no_survivor(sandbox)
    server = processes_with(str(sandbox.server_path))[0]

    def traces():
        folder = sandbox.server_path.parent
        return {
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "descriptors of the server": len(list(Path(f"/proc/{server}/fd").iterdir())),
            "mounts": Path("/proc/self/mountinfo").read_text(),
            "files": sorted(str(path) for path in folder.parent.rglob("*")),
            "queues": Path("/proc/sysvipc/shm").read_text(),
        }

    before = traces()
    for number in range(30):
        ending = ["", "\nos._exit(1)", "\nsend('end')"][number % 3]
        sandbox.run(job(f"import os, pathlib; pathlib.Path('/tmp/x').write_text('x'); os.fork(){ending}"))
    assert_no_survivor(sandbox)
    assert traces() == before


def test_a_dead_server_is_replaced_and_the_job_runs(sandbox):
    with SmallSandbox("namespaces", SMALL, ROOT / "data") as mortal:
        mortal.run(job("x = 1"))
        first = mortal.server_path
        assert_no_survivor(mortal)
        os.kill(processes_with(str(first))[0], signal.SIGKILL)
        assert said(mortal.run(job("say('again')"))) == ["again"]
        assert mortal.server_path != first
        assert not first.parent.exists()


def test_a_server_that_dies_during_a_job_is_replaced_and_the_job_runs_again(sandbox):
    with SmallSandbox("namespaces", SMALL, ROOT / "data") as mortal:
        mortal.run(job("x = 1"))
        first = mortal.server_path
        assert_no_survivor(mortal)
        (server,) = processes_with(str(first))
        killer = threading.Timer(0.5, os.kill, (server, signal.SIGKILL))
        killer.start()
        outcome = mortal.run(job("import time; time.sleep(1.5); say('whole')"))
        assert (outcome.ending, said(outcome)) == ("completed", ["whole"])
        assert processes_with(str(first)) == []


def test_a_server_that_can_not_start_is_the_graders_fault():
    class Broken(Sandbox):
        def _command(self):
            return [sys.executable, "-I", "-c", "raise SystemExit('no such package')"]

    with Broken("namespaces", SMALL, ROOT / "data") as broken, pytest.raises(GraderFault, match="no such package"):
        broken.run(job("x = 1"))


def test_several_sandboxes_share_one_server(sandbox):
    with SmallSandbox("namespaces", SMALL, ROOT / "data", server=sandbox.server_path) as second:
        assert said(second.run(job("say(1)"))) == [1]
        assert second.server_path == sandbox.server_path
    assert said(sandbox.run(job("say(2)"))) == [2]


def test_a_shared_server_that_is_gone_is_replaced_by_an_own_one(tmp_path):
    with SmallSandbox("namespaces", SMALL, ROOT / "data", server=tmp_path / "gone" / "socket") as alone:
        assert said(alone.run(job("say(1)"))) == [1]


OWNER = """
import sys, time
sys.path.insert(0, {here!r})
from small_sandbox import *
sandbox = SmallSandbox("namespaces", SMALL, ROOT / "data")
print(sandbox.server_path, flush=True)
sandbox.run(job("import time; time.sleep(60)"))
"""


def test_server_and_children_die_with_their_owner():
    with subprocess.Popen(
        [sys.executable, "-c", OWNER.format(here=str(HERE))], stdout=subprocess.PIPE, text=True
    ) as owner:
        path = Path(owner.stdout.readline().strip())
        deadline = time.monotonic() + 20
        while len(processes_with(str(path))) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(processes_with(str(path))) == 4  # server, monitor, init, runner
        owner.kill()
    while processes_with(str(path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_with(str(path)) == []
    assert not path.parent.exists()


def test_a_child_dies_with_the_worker_that_asked_for_it(sandbox):
    script = OWNER.replace('ROOT / "data")', 'ROOT / "data", server=Path(sys.argv[1]))')
    command = [sys.executable, "-c", script.format(here=str(HERE)), str(sandbox.server_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as worker:
        deadline = time.monotonic() + 20
        while len(processes_with(str(sandbox.server_path))) < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(processes_with(str(sandbox.server_path))) == 5  # the worker's command line too
        worker.kill()
    assert_no_survivor(sandbox)


def test_a_child_dies_with_its_monitor_and_the_job_runs_again(sandbox):
    with SmallSandbox("namespaces", SMALL, ROOT / "data") as mortal:
        mortal.run(job("x = 1"))
        assert_no_survivor(mortal)
        (server,) = processes_with(str(mortal.server_path))
        first = []

        def kill_monitor():
            while len(first) < 4:
                first[:] = processes_with(str(mortal.server_path))
            (monitor,) = [process for process in first if parent_of(process) == server]
            os.kill(monitor, signal.SIGKILL)
            deadline = time.monotonic() + 1.5
            while len(first) > 1 and time.monotonic() < deadline:
                first[:] = [process for process in first if Path(f"/proc/{process}").exists()]
                time.sleep(0.02)

        killer = threading.Thread(target=kill_monitor)
        killer.start()
        outcome = mortal.run(job("import time; time.sleep(2); say('whole')"))
        killer.join()
        assert first == [server]  # and no later than the job would have ended by itself
        assert (outcome.ending, said(outcome)) == ("completed", ["whole"])


def parent_of(process):
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def test_nothing_is_left_of_a_closed_sandbox():
    with SmallSandbox("namespaces", SMALL, ROOT / "data") as closed:
        closed.run(job("x = 1"))
        path = closed.server_path
    assert not path.parent.exists()
    assert processes_with(str(path)) == []


# The choice of a backend


def test_incomplete_isolation_is_refused_with_what_to_mend(monkeypatch):
    lacking = (isolation.BackendReport("namespaces", False, ("as root: sysctl -w this.is=the.mend",)),)
    monkeypatch.setattr(isolation, "probe", lambda: lacking)
    for name in ("auto", "namespaces"):
        with pytest.raises(IsolationUnavailable, match=r"this\.is=the\.mend") as refusal:
            Sandbox(name, data=ROOT / "data").run(job("x = 1"))
        assert refusal.value.exit_code == 3


def test_landlock_says_that_it_is_not_available():
    with pytest.raises(IsolationUnavailable, match="landlock: this version has no Landlock backend"):
        Sandbox("landlock", data=ROOT / "data").run(job("x = 1"))


def test_an_unknown_backend_is_an_input_error():
    with pytest.raises(InputError, match="'bubbles'"):
        Sandbox("bubbles", data=ROOT / "data").run(job("x = 1"))


def test_none_runs_when_asked_for_by_name_and_says_so(unconfined):
    outcome = unconfined.run(job("import os; say(os.getcwd())", "import os; os._exit(2)"))
    assert (outcome.isolation, outcome.ending) == ("none", "died")
    assert not Path(said(outcome)[0]).exists()


def test_the_limits_in_force_are_the_documented_ones():
    limits = Limits()
    assert (limits.cell_cpu_seconds, limits.notebook_cpu_seconds, limits.grace_cpu_seconds) == (60, 600, 5)
    assert (limits.idle_wall_seconds, limits.memory_bytes) == (120, 4 * 2**30)
    assert Limits.from_json(limits.to_json()) == limits


# Once more as an ordinary user


@pytest.mark.skipif(os.getuid() != 0, reason="runs already as an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too():
    command = [sys.executable, str(HERE / "as_ordinary_user.py"), "-m", "pytest", "-q", "-x"]
    command += ["-p", "no:cacheprovider", str(HERE / "test_supervisor.py")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
    assert "passed" in result.stdout
