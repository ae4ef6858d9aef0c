"""What a child sees and may do under Landlock: as root, and (the last tests) as an ordinary user and in a container."""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from small_sandbox import (
    FILL,
    FORKS,
    HERE,
    ROOT,
    SMALL,
    SmallSandbox,
    assert_no_survivor,
    job,
    limited,
    needs,
    processes_with,
    run_as_ordinary_user,
    said,
)

from autograder.sandbox import landlock, launch, processes
from autograder.sandbox.limits import MEBIBYTE
from autograder.sandbox.place import survey

pytestmark = needs("landlock")
IS_ROOT = os.getuid() == 0


@pytest.fixture(scope="module")
def sandbox():
    with SmallSandbox("landlock", SMALL, ROOT / "data") as started:
        yield started


@pytest.fixture
def patient(sandbox):
    """Writing much costs CPU time too, and that is not what these tests are about."""
    return limited(sandbox, cell_cpu_seconds=20, notebook_cpu_seconds=20)


TRY = """
import os
def attempt(action):
    try: action()
    except OSError as error: return type(error).__name__
    return 'done'
"""

# Files


def test_home_and_temporary_folder_are_private_and_start_empty(sandbox):
    payload = (
        "import os, pathlib, stat, tempfile\n"
        "home, temporary = os.path.expanduser('~'), tempfile.gettempdir()\n"
        "say([os.listdir(home), os.listdir(temporary), os.getcwd() == home, temporary == home + '/tmp'])\n"
        "say([oct(stat.S_IMODE(os.stat(home).st_mode)), os.stat(home).st_uid == os.getuid()])\n"
        "for place in (home, temporary): pathlib.Path(place, 'mine').write_text('x')\n"
        "say(home)"
    )
    for _ in range(2):
        about, mode, home = said(sandbox.run(job(payload)))
        assert about == [["tmp"], [], True, True]
        assert mode == ["0o700", True]
        assert not Path(home).exists()


def test_nothing_of_the_host_can_be_read_or_listed(sandbox, tmp_path):
    marker = tmp_path / "marker"
    marker.write_text("secret")
    for path in (marker, tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/tmp") and len(path.parts) > 2:
            path.chmod(path.stat().st_mode | 0o055)
    hidden = [
        marker,
        tmp_path,
        "/",
        "/tmp",
        "/etc",
        "/etc/passwd",
        "/proc",
        "/proc/1/cmdline",
        f"/proc/{os.getpid()}/cmdline",
    ]
    hidden += [
        ROOT,
        ROOT / "tests",
        ROOT / "source",
        ROOT / "data",
        ROOT / "autograder" / "grade.py",
        "/dev/shm",
        "/sys",
    ]
    hidden += [
        ROOT / "README.md",
        sandbox.server_path.parent,
        sandbox.server_path.parent / "log",
        "/dev/ptmx",
        "/dev/mem",
        "/proc/self/net/unix",
        "/proc/self/mountinfo",
        "/proc/self/task",
        "/proc/net/tcp",
    ]
    hidden = [str(path) for path in hidden]
    payload = (
        f"{TRY}\n"
        f"for path in {hidden!r}:\n"
        "    say([path, attempt(lambda: os.listdir(path) if os.path.isdir(path) else open(path).read())])"
    )
    assert {outcome for _, outcome in said(sandbox.run(job(payload)))} <= {"PermissionError", "FileNotFoundError"}


def test_the_home_of_another_child_can_neither_be_read_nor_entered(sandbox):
    """One child tells the test where its home is, and stays; the next one is told, and tries."""
    homes = launch.homes_beside(sandbox.server_path.parent)
    stay = "open('secret', 'w').write('x')\nimport time; time.sleep(3)"
    thread = threading.Thread(target=sandbox.run, args=(job(stay),))
    thread.start()
    deadline = time.monotonic() + 20
    while not list(homes.glob("*/secret")) and time.monotonic() < deadline:
        time.sleep(0.02)
    (home,) = [str(path.parent) for path in homes.glob("*/secret")]
    payload = (
        f"{TRY}\n"
        f"say(attempt(lambda: os.listdir({str(homes)!r})))\n"
        f"say(attempt(lambda: os.listdir({home!r})))\n"
        f"say(attempt(lambda: open({home!r} + '/secret')))\n"
        f"say(attempt(lambda: open({home!r} + '/new', 'w')))"
    )
    assert said(sandbox.run(job(payload))) == ["PermissionError"] * 4
    thread.join()


CHANGES = {
    "mode": "os.chmod({!r}, 0o777)",
    "mode by descriptor": "os.fchmod(os.open({!r}, os.O_RDONLY), 0o777)",
    "times": "os.utime({!r}, (0, 0))",
    "owner": "os.chown({!r}, os.getuid(), os.getgid())",
    "attributes": "os.setxattr({!r}, 'user.x', b'x')",
    "size": "os.truncate({!r}, 0)",
    "content": "open({!r}, 'a').write('x')",
    "name": "os.rename({!r}, os.getcwd() + '/taken')",
    "links": "os.link({!r}, os.getcwd() + '/linked')",
    "existence": "os.remove({!r})",
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_file_of_the_host_can_be_changed(sandbox, change):
    """Both a file that a child may read, which lies among Python's packages, and one that it may not."""
    folders = [ROOT / "autograder" / "sandbox", Path(tempfile.gettempdir())]
    for folder in folders:
        with tempfile.NamedTemporaryFile(dir=folder if os.access(folder, os.W_OK) else None, suffix=".txt") as victim:
            path = Path(victim.name)
            path.write_text("whole")
            path.chmod(0o666)  # that nothing is refused for its mode
            before = path.stat()
            sandbox.run(job(f"{TRY}\nsay(attempt(lambda: {CHANGES[change].format(str(path))}))"))
            after = path.stat()
            assert path.read_text() == "whole"
            for name in ("st_mode", "st_uid", "st_size", "st_mtime_ns", "st_nlink"):
                assert getattr(after, name) == getattr(before, name)
            assert os.listxattr(path) == []


def test_files_of_its_own_can_be_made_copied_moved_and_removed(sandbox):
    payload = (
        "import os, pathlib, shutil, tempfile, zipfile\n"
        "pathlib.Path('a/b').mkdir(parents=True)\n"
        "pathlib.Path('a/b/c').write_text('x')\n"
        "shutil.copy2('a/b/c', 'd'); shutil.copytree('a', 'e'); os.rename('a/b/c', 'f'); os.symlink('f', 'g')\n"
        "with zipfile.ZipFile('h.zip', 'w') as archive: archive.write('f')\n"
        "shutil.unpack_archive('h.zip', 'i')\n"
        "pathlib.Path('d').touch(); os.chmod('d', 0o600); shutil.rmtree('e')\n"
        "with tempfile.NamedTemporaryFile() as file: file.write(b'x')\n"
        "with tempfile.TemporaryDirectory() as folder: pathlib.Path(folder, 'x').write_text('x')\n"
        "say(sorted(os.listdir()))"
    )
    assert said(sandbox.run(job(payload))) == [["a", "d", "f", "g", "h.zip", "i", "tmp"]]


def test_a_deep_and_closed_home_is_removed_all_the_same(sandbox):
    payload = (
        "import os\n"
        "say(os.getcwd())\n"
        "for number in range(150): os.mkdir('x'); os.chdir('x')\n"
        "open('y', 'w'); os.mkdir('closed', 0); os.chmod('..', 0)"
    )
    (home,) = said(sandbox.run(job(payload)))
    assert not Path(home).exists()


# Processes


def test_other_processes_can_neither_be_seen_nor_signalled_nor_limited(sandbox):
    sandbox.run(job("x = 1"))  # the server needs a moment to be one
    others = [os.getpid(), os.getppid(), processes_with(str(sandbox.server_path))[0]]
    payload = (
        f"{TRY}\n"
        "import resource, signal\n"
        f"for pid in [os.getppid(), *{others!r}]:\n"
        "    say(attempt(lambda: os.kill(pid, 0)))\n"
        "    say(attempt(lambda: signal.pidfd_send_signal(os.pidfd_open(pid), 0)))\n"
        "    say(attempt(lambda: resource.prlimit(pid, resource.RLIMIT_CPU)))\n"
        "    say(attempt(lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)))\n"
        "    say(attempt(lambda: os.sched_setaffinity(pid, {0})))\n"
        "    say(attempt(lambda: open(f'/proc/{pid}/status')))\n"
        "    say(attempt(lambda: os.readlink(f'/proc/{pid}/exe')))\n"
        "    say(attempt(lambda: os.listdir(f'/proc/{pid}/fd')))"
    )
    outcomes = said(sandbox.run(job(payload)))
    assert len(outcomes) == 8 * 4
    # A descriptor of another process can not even be asked for: that call does not exist.
    assert set(outcomes) == {"PermissionError", "OSError"}
    assert outcomes.count("OSError") == 4


def test_the_priority_of_everything_that_the_user_runs_can_not_be_changed(sandbox):
    payload = f"{TRY}\nsay(attempt(lambda: os.setpriority(os.PRIO_USER, {os.getuid()}, 19)))"
    assert said(sandbox.run(job(payload)))[0] in ("PermissionError", "ProcessLookupError")
    assert os.getpriority(os.PRIO_PROCESS, 0) == 0


def test_children_of_its_own_can_be_signalled_and_waited_for(sandbox):
    payload = (
        "import os, signal, subprocess\n"
        "child = subprocess.Popen(['sleep', '60.987'])\n"
        "child.terminate(); say(child.wait())\n"
        "say(os.waitstatus_to_exitcode(os.system('kill -9 $$')))"
    )
    assert said(sandbox.run(job(payload))) == [-15, -9]


def test_as_root_each_child_has_a_user_of_its_own_and_no_power_but_to_read(sandbox):
    if not IS_ROOT:
        pytest.skip("an ordinary user has one id; Landlock tells submissions apart")
    payload = (
        "import os\n"
        "status = dict(l.split(':', 1) for l in open('/proc/self/status').read().splitlines() if ':' in l)\n"
        "say([os.getresuid(), os.getresgid(), os.getgroups()])\n"
        "say([int(status[n], 16) for n in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')])\n"
        "say([status['NoNewPrivs'].strip(), status['Seccomp'].strip()])"
    )
    (first, powers, state), (second, _, _) = (said(sandbox.run(job(payload))) for _ in range(2))
    assert first != second
    assert first[0] == first[1] == [first[0][0]] * 3
    assert first[2] == []
    assert first[0][0] >= 0x7000_0000
    # DAC_READ_SEARCH, where Python lies below a folder that others can not enter.
    assert set(powers) in ({0}, {1 << 2})
    assert state == ["1", "2"]


def test_a_program_that_it_starts_has_no_more_powers(sandbox):
    payload = (
        "import subprocess, sys\n"
        "say([line.split()[1] for line in open('/proc/self/status') if line.startswith('CapEff')])\n"
        "say(subprocess.run(['grep', 'CapEff', '/proc/self/status'], capture_output=True).returncode)\n"
        "program = [sys.executable, '-c', 'import os; print(os.getuid())']\n"
        "say(subprocess.run(program, capture_output=True).stdout.decode())"
    )
    powers, grep, user = said(sandbox.run(job(payload)))
    assert int(powers[0], 16) in (0, 1 << 2)
    assert grep != 0  # of /proc a child sees its own folder alone, and this one is another process
    assert int(user) != 0


NAMESPACES = (0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x08000000, 0x04000000, 0x02000000)


def test_namespaces_mounts_and_shared_memory_are_refused(sandbox):
    payload = (
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "say(libc.mount(b'tmpfs', os.getcwd().encode(), b'tmpfs', 0, None))\n"
        f"say([libc.unshare(flag) for flag in {NAMESPACES}])\n"
        f"say([libc.syscall(56, flag | 17, 0, 0, 0, 0) for flag in {NAMESPACES}])\n"
        "say([libc.shmget(0, 4096, 0o1666), libc.semget(0, 1, 0o1666), libc.msgget(0, 0o1666)])\n"
        "say(libc.mq_open(b'/x', os.O_CREAT | os.O_RDWR, 0o600, None))"
    )
    assert said(sandbox.run(job(payload))) == [-1, [-1] * 7, [-1] * 7, [-1] * 3, -1]


@pytest.mark.parametrize("family", ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_VSOCK", "AF_PACKET"])
def test_no_socket_of_any_family_can_be_made(sandbox, family):
    payload = f"{TRY}\nimport socket\nsay(attempt(lambda: socket.socket(socket.{family}, socket.SOCK_DGRAM)))"
    assert said(sandbox.run(job(payload))) == ["OSError"]


def test_what_needs_no_network_works_without_sockets(sandbox):
    payload = (
        "import asyncio, socket, subprocess, urllib.request\n"
        "async def answer(): await asyncio.sleep(0); return 42\n"
        "say(asyncio.run(answer()))\n"
        "one, two = socket.socketpair(); one.send(b'x'); say(two.recv(1).decode())\n"
        "try: urllib.request.urlopen('http://localhost:1')\n"
        "except OSError as error: say(type(error).__name__)"
    )
    assert said(sandbox.run(job(payload))) == [42, "x", "URLError"]


# The end


CHAIN = """
import os, time
ends = time.monotonic() + 15
while time.monotonic() < ends:
    if os.fork(): os._exit(0)
"""


def test_a_chain_of_forks_that_runs_away_is_caught(sandbox):
    """Each member starts the next one and ends; a look at /proc is always too late."""
    payload = (
        f"import os\nif os.fork() == 0:\n    os.setsid()\n{CHAIN.replace(chr(10), chr(10) + '    ')}\n    os._exit(0)"
    )
    sandbox.run(job(payload, "import time; time.sleep(0.2)"))
    assert_no_survivor(sandbox)


DETACH = """
import os, time
ready, started = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(started, str(os.getpid()).encode())
        time.sleep(50)
    os._exit(0)
os.wait()
detached = int(os.read(ready, 20))
"""


def test_when_a_run_has_ended_no_detached_process_is_left(sandbox):
    (process,) = said(sandbox.run(job(DETACH + "say(detached)")))
    assert not Path(f"/proc/{process}").exists()


def test_the_processes_of_a_child_that_loses_its_monitor_die_too():
    """The monitor is killed, and init with it; what had detached itself comes down to the server, which kills it."""
    with SmallSandbox("landlock", SMALL, ROOT / "data") as mortal:
        mortal.run(job("x = 1"))
        assert_no_survivor(mortal)
        (server,) = processes_with(str(mortal.server_path))
        outcomes = []
        detach = job(DETACH + "time.sleep(2)", "say('whole')")
        thread = threading.Thread(target=lambda: outcomes.append(mortal.run(detach)))
        thread.start()
        deadline = time.monotonic() + 20
        # Init has two children when the detached one has lost its parent.
        first, detached = {}, False
        while not detached and time.monotonic() < deadline:
            first = processes.descendants(server)
            detached = any(len(processes.children(process)) == 2 for process in first)
        first = processes.descendants(server)
        (monitor,) = processes.children(server)
        os.kill(monitor, signal.SIGKILL)
        while [process for process in first if Path(f"/proc/{process}").exists()] and time.monotonic() < deadline:
            time.sleep(0.02)
        assert detached
        assert [process for process in first if Path(f"/proc/{process}").exists()] == []
        thread.join()
        assert said(outcomes[0]) == ["whole"]


def test_a_fork_bomb_is_bounded_for_this_tree_alone(sandbox):
    outcome = limited(sandbox, processes=40, tasks=400, cell_cpu_seconds=20, notebook_cpu_seconds=20).run(
        job(FORKS.format(tries=300, then=""))
    )
    assert outcome.ending == "completed"
    assert 30 < said(outcome)[0] < 40
    assert_no_survivor(sandbox)


def test_after_a_fork_bomb_has_ended_forks_pass_again(sandbox):
    payload = "import os\nfor _ in range(100):\n    if os.fork() == 0: os._exit(0)\n    os.wait()\nsay('passed')"
    outcome = limited(sandbox, processes=10, cell_cpu_seconds=20, notebook_cpu_seconds=20).run(job(payload))
    assert said(outcome) == ["passed"]


# Space


@pytest.mark.parametrize(
    "payload",
    [
        "fill('a{}', 50, 10**7)",
        "fill('tmp/a{}', 50, 10**7)",
        "files = [open(f'{n}', 'wb') for n in range(30)]\n"
        "for file in files: os.remove(file.name); file.write(b'x' * 10**7); file.flush()",
        "import mmap\nmaps = []\n"
        "for n in range(30):\n"
        "    with open(f'{n}', 'w+b') as file:\n"
        "        file.write(b'x' * 10**7); file.flush()\n"
        "        maps.append(mmap.mmap(file.fileno(), 0)); os.remove(file.name)",
    ],
    ids=["home", "temporary", "removed but open", "removed but mapped"],
)
def test_what_is_written_is_bounded(patient, payload):
    outcome = patient.run(job(FILL + "import os, time\n" + payload + "\ntime.sleep(15)"))
    assert (outcome.ending, outcome.reason) == ("killed", "stopped above 32 MiB of files")


def test_a_little_less_than_the_bound_may_be_written(patient):
    payload = FILL + "import time\nsay(fill('a{}', 3, 10**7)); time.sleep(0.5); say('alive')"
    outcome = patient.run(job(payload))
    assert said(outcome) == [["no limit", 30], "alive"]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("for n in range(3000): open(f'{n}', 'w').close()", "stopped above 200 files"),
        ("for n in range(190): os.mkdir(f'{n}'); os.mkdir(f'{n}/x')", "stopped above 200 files"),
        ("for n in range(300): os.mkdir('x'); os.chdir('x')", "stopped above 200 files"),
    ],
)
def test_the_number_of_files_is_bounded(sandbox, payload, reason):
    outcome = limited(sandbox, scratch_files=200).run(job(f"import os, time\n{payload}\ntime.sleep(15)"))
    assert (outcome.ending, outcome.reason) == ("killed", reason)


def test_folders_can_not_be_nested_without_end(sandbox):
    payload = "import os, time\nfor n in range(600): os.mkdir('x'); os.chdir('x')\ntime.sleep(15)"
    outcome = limited(sandbox, scratch_files=1000).run(job(payload))
    assert (outcome.ending, outcome.reason) == ("killed", "stopped because of folders more than 200 deep")


def test_links_out_of_the_home_are_not_followed(sandbox):
    payload = "import os, time\nos.symlink('/usr', 'x'); os.symlink('/', 'y'); time.sleep(0.5); say('alive')"
    assert said(limited(sandbox, scratch_files=50).run(job(payload))) == ["alive"]


@pytest.mark.skipif(not IS_ROOT, reason="only root can look as somebody else")
def test_looking_as_the_child_changes_nothing_else_of_the_one_who_looks():
    script = (
        "import ctypes, json, os, re\nfrom autograder.sandbox import linux\n"
        "def state():\n"
        "    signal = ctypes.c_int()\n"
        "    ctypes.CDLL(None).prctl(2, ctypes.byref(signal))\n"
        "    status = open('/proc/thread-self/status').read()\n"
        "    return [signal.value, *re.findall(r'(?:Uid|Gid|Cap...):.*', status)]\n"
        "linux.die_with_parent()\n"
        "before = state()\n"
        "with linux.looking_as(54321): between = state()\n"
        "print(json.dumps([before, between, state()]))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=HERE)
    before, between, after = json.loads(result.stdout)
    assert before == after
    assert before[0] == signal.SIGKILL
    assert "54321" in between[1]


# Older kernels


@pytest.mark.parametrize("version", range(1, landlock.version() + 1))
def test_the_rights_of_every_version_are_taken_by_the_kernel_and_close_files(version, tmp_path):
    marker = tmp_path / "marker"
    marker.write_text("secret")
    (tmp_path / "home").mkdir()
    script = (
        "import sys; from pathlib import Path\n"
        "from autograder.sandbox import landlock, linux, place\n"
        "linux.forbid_new_privileges()\n"
        "seen = place.survey(Path('/nowhere'))\n"
        f"landlock.restrict(seen, Path({str(tmp_path / 'home')!r}), {version})\n"
        f"Path({str(tmp_path / 'home' / 'mine')!r}).write_text('x'); import json.tool\n"
        f"try: Path({str(marker)!r}).read_text()\n"
        "except PermissionError: print('closed')"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=HERE)
    assert result.stdout == "closed\n", result.stderr


@pytest.mark.parametrize(
    ("version", "as_root", "text"),
    [
        (0, True, "no Landlock here: use Linux 5.13"),
        (0, False, "no Landlock here"),
        (5, False, "version 6 (Linux 6.12) is needed"),
        (1, True, None),
        (6, False, None),
    ],
)
def test_an_incomplete_combination_is_named_with_its_mend(version, as_root, text):
    found = landlock.lacking(version, as_root)
    assert (found == []) if text is None else (text in found[0])


def test_what_an_older_version_leaves_to_others_is_said():
    oldest, newest = (" ".join(landlock.uncovered(version, True)) for version in (1, 7))
    for word in ("truncation", "TCP", "devices", "signals"):
        assert word in oldest
        assert word not in newest


# What is visible


def test_a_hidden_folder_inside_a_visible_one_gets_no_right(tmp_path):
    hidden = tmp_path / "lib" / "course"
    for folder in (hidden / "tests", tmp_path / "lib" / "other", tmp_path / "lib" / "more"):
        folder.mkdir(parents=True)
    assert set(landlock._without(tmp_path / "lib", [hidden])) == {tmp_path / "lib" / "other", tmp_path / "lib" / "more"}
    assert list(landlock._without(tmp_path / "lib", [])) == [tmp_path / "lib"]


@pytest.mark.skipif(not IS_ROOT, reason="only root hands out user ids")
def test_the_power_to_read_is_kept_only_where_python_can_not_be_reached_without_it(tmp_path):
    place = survey(tmp_path)
    closed = [folder for path in place.visible for folder in path.parents if not folder.stat().st_mode & stat.S_IXOTH]
    assert landlock.identity(place, True, os.getpid()).powers == (frozenset({2}) if closed else frozenset())
    assert landlock.identity(place, False, os.getpid()) == landlock.Identity(None)


# In a container, and as an ordinary user

IN_CONTAINER = """
import json, sys
sys.path.insert(0, {here!r})
from small_sandbox import *
with SmallSandbox("auto", SMALL, ROOT / "data") as sandbox:
    outcome = sandbox.run(job(
        "import os; say(os.getuid())",
        "say([line.split()[1] for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapPrm'))])",
        "import subprocess; say(subprocess.run('echo hi', shell=True).returncode)",
        "if os.fork() == 0:\\n    os.setsid()\\n    import time; time.sleep(50)", "os.kill(os.getppid(), 0)"))
    assert_no_survivor(sandbox)
    patient = limited(sandbox, cell_cpu_seconds=20, notebook_cpu_seconds=20, all_open_files=200)
    reasons = [patient.run(job(FILL + "import os, time\\n" + cell)).reason for cell in json.loads(sys.argv[1])]
print(json.dumps([outcome.isolation, outcome.ending, statuses(outcome), said(outcome), reasons]))
"""
# What can be seen only by looking into the child's own folders of /proc, which root of a container may not do as root.
SEEN_FROM_OUTSIDE = {
    "files = [open(f'{n}', 'wb') for n in range(30)]\n"
    "for file in files: os.remove(file.name); file.write(b'x' * 10**7); file.flush()\ntime.sleep(15)": (
        "stopped above 32 MiB of files"
    ),
    "kept = [os.open('/dev/null', 0) for _ in range(40)]\n"
    "for _ in range(8):\n    if os.fork() == 0: time.sleep(15)\ntime.sleep(15)": "stopped above 200 open files at once",
    "block = b'x' * 200_000_000\nfor _ in range(5):\n    if os.fork() == 0: time.sleep(0.5); os._exit(0)\n"
    "time.sleep(0.7)": "",
}


def in_container(*arguments):
    script = IN_CONTAINER.format(here=str(HERE))
    command = [*arguments, sys.executable, "-c", script, json.dumps(list(SEEN_FROM_OUTSIDE))]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def docker_filter(*options):
    """Run as under Docker's filter, and see that what holds there holds; return the powers that the child has."""
    isolation, ending, cells, words, reasons = in_container(sys.executable, str(HERE / "docker_filter.py"), *options)
    assert (isolation, ending, cells) == ("landlock", "completed", ["ok", "ok", "ok", "ok", "error"])
    user, powers, *rest = words
    assert rest == [0, "PermissionError: [Errno 1] Operation not permitted"]
    assert (user >= 0x7000_0000) if IS_ROOT else (user == os.getuid())
    assert reasons == list(SEEN_FROM_OUTSIDE.values())
    return {int(power, 16) for power in powers}


@pytest.mark.parametrize("options", [[], ["--keep-powers"]], ids=["powers of a container", "all powers"])
def test_under_dockers_filter_landlock_is_taken_and_holds(options):
    # At most the power to read (or of those that a container has the one that includes it).
    assert docker_filter(*options) <= {0, 1 << 1, 1 << 2}


@pytest.mark.skipif(not IS_ROOT, reason="only root can make another view of the machine's folders")
@pytest.mark.parametrize("options", [[], ["--keep-powers"]], ids=["powers of a container", "all powers"])
def test_where_python_can_be_reached_the_child_has_no_power_at_all(options):
    assert docker_filter("--reachable", *options) == {0}


@pytest.mark.skipif(not IS_ROOT, reason="runs already as an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too():
    run_as_ordinary_user(Path(__file__))


def test_the_emulated_filter_does_refuse_namespaces():
    command = [
        sys.executable,
        str(HERE / "docker_filter.py"),
        sys.executable,
        "-I",
        "-m",
        "autograder.sandbox.isolation",
    ]
    result = subprocess.run([*command, "namespaces"], capture_output=True, text=True, check=False)
    assert "unshare" in json.loads(result.stdout)["missing"][0]


def test_space_limits_of_this_file_are_those_of_the_small_sandbox():
    assert SMALL.scratch_bytes == 32 * MEBIBYTE
