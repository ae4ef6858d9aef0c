"""Reading secrets: whatever is found is raised as an error, so that it would stand in the report."""

from payloads.payload import search

ROOT = "a private root without the host's files"
PROCESSES = "process ids of its own"
MEMORY = "the fork server's memory holds no secret"

PAYLOADS = [
    search(
        "hidden files are looked for by their names",
        ROOT,
        """
import glob
places = ["/", ".", "..", "/home/*", "/root", "/opt/*", "/srv/*", "/tmp", "/workspace", "/autograder", "/var", COURSE]
names = ("tests/autoencoders/*", "solutions/*/*", "calibration.json", "*/tests/autoencoders/test_*.py", "submitted/*")
for place in places:
    for name in names:
        look(lambda: [path[-20:] for path in glob.glob(f"{place}/{name}")])
""",
        bites=True,
    ),
    search(
        "hidden files are looked for around the grader's own package",
        "of the package only the sandbox's folder is shown",
        """
import autograder, pathlib
home = pathlib.Path(autograder.__file__).parent
for above in (home, *list(home.parents)[:3]):
    for name in ("tests", "solutions", "source", ".git", "data", "checks", "models", "grade.py", "nbgrader_config.py"):
        look(lambda: [path.name for path in (above / name).iterdir()] if (above / name).is_dir()
             else (above / name).read_text()[:20])
""",
        bites=True,
    ),
    search(
        "the whole file system is walked for hidden files",
        ROOT,
        """
import os, time
parts = (("calibra", "tion.json"), ("marker-of-", "the-host.txt"), ("test_denoising", "_error.py"))
words = ["".join(both) for both in parts]
started = time.monotonic()
for folder, folders, files in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys")]
    found += [name for name in files if name in words]
    if time.monotonic() - started > 20:
        break
""",
    ),
    search("a file of the host is read by its path", ROOT, "look(lambda: open(MARKER).read())", bites=True),
    search(
        "a file of the host is reached through links and dots",
        ROOT,
        """
import os
os.symlink(MARKER, "link")
look(lambda: open("link").read())
for start in ("/proc/self/root", "/proc/1/root", "/proc/1/cwd", "/proc/thread-self/root", "/dev/fd/../../../..", "/.."):
    look(lambda: open(start + MARKER).read())
look(lambda: os.link(MARKER, "hard") or open("hard").read())
""",
        bites=True,
    ),
    search(
        "the gradebook is read",
        ROOT,
        """
import sqlite3
look(lambda: sqlite3.connect(f"file:{GRADEBOOK}?mode=ro", uri=True).execute("select * from grades").fetchall())
""",
        bites=True,
    ),
    search(
        "results, notebooks and the cache of the class are read",
        ROOT,
        """
import os
for folder in (OUT, SUBMITTED, CACHE):
    look(lambda: os.listdir(folder))
""",
        bites=True,
    ),
    search(
        "the history of the course is read",
        ROOT,
        """
import os, subprocess
look(lambda: os.listdir(COURSE + "/.git"))
look(lambda: subprocess.run(["git", "-C", COURSE, "log"], capture_output=True).stdout)
look(lambda: subprocess.run(["git", "log"], capture_output=True).stdout)
""",
        bites=True,
    ),
    search(
        "leftovers of earlier submissions are looked for",
        "a scratch folder of its own that ends with it",
        """
import os
for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/run/user", "/home", "/scratch", "/mnt"):
    look(lambda: [name for name in os.listdir(folder) if not name.startswith("ipython-") and name != "student"])
look(lambda: [name for name in os.listdir(".") if name not in (".ipython", "tmp")])
look(lambda: [name for name in os.listdir("tmp") if not name.startswith("ipython-")])
for folder in ("/tmp", "/dev/shm", ".", "tmp"):
    try:
        open(f"{folder}/left-for-the-next", "w").write("leftover")
    except OSError:
        pass
""",
    ),
    search(
        "leftovers are looked for once more",
        "a scratch folder of its own that ends with it",
        """
import glob
for folder in ("/tmp", "/dev/shm", ".", "/var/tmp"):
    look(lambda: glob.glob(f"{folder}/left-for-the-*"))
""",
    ),
    search(
        "objects of this process are searched for words of the checks",
        MEMORY,
        """
import gc
words = {"".join(parts) for parts in (("calibra", "tion"), ("submitted_", "restarts"), ("NEEDS_", "REVIEW"))}
for item in gc.get_objects():
    if type(item) is dict and item is not globals():
        found += [text for text in list(item) if type(text) is str and text in words]
""",
    ),
    search(
        "frames above the cell are searched",
        "the runner that calls the cell knows no verdict",
        """
import sys, traceback
words = ["".join(parts) for parts in (("expec", "ted"), ("solu", "tion"), ("test_", "second"), ("work_", "limit"))]
frame = sys._getframe(1)
while frame is not None:
    found += [name for name in frame.f_locals if any(word in name for word in words)]
    found += [name for name in frame.f_globals if any(word in name for word in words)]
    frame = frame.f_back
found += [entry.filename[-20:] for entry in traceback.extract_stack() if "/checks/" in entry.filename]
""",
    ),
    search(
        "constants of all functions are searched",
        "no check is imported where the notebook runs",
        """
import gc, types
parts = (("The second ", "convolution has"), ("max-pooling of", " 2 by 2"), ("0.06", "35"))
words = ["".join(words) for words in parts]
for item in gc.get_objects():
    if isinstance(item, types.FunctionType) and item.__module__ != "__main__":
        found += [str(text)[:30] for text in item.__code__.co_consts if any(word in str(text) for word in words)]
""",
    ),
    search(
        "sources and caches of lines are searched",
        "no check is imported where the notebook runs",
        """
import linecache, sys
found += [name for name in linecache.cache if "/tests/" in name and "autoencoders" in name]
ours = [name for name in sys.modules if name.startswith("autograder.")]
found += [name for name in ours if not name.startswith(("autograder.sandbox", "autograder.evidence"))]
""",
    ),
    search(
        "the hidden checks are imported",
        "of the package only the sandbox's folder is shown",
        """
import importlib
for name in ("checks", "checks.plugin", "report", "models", "grade", "store", "submission", "assignment", "reference"):
    look(lambda: importlib.import_module(f"autograder.{name}").__name__)
for name in ("statement", "designs", "test_compilation", "conftest", "tests.autoencoders.statement", "probes"):
    look(lambda: importlib.import_module(name).__name__)
""",
        bites=True,
    ),
    search(
        "the own memory is searched for the secrets of the environment",
        MEMORY,
        """
import re
pattern = re.compile(SECRET_PATTERN)
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb") as memory:
    for line in maps:
        place, rights, *_, = line.split()
        first, last = (int(number, 16) for number in place.split("-"))
        if rights.startswith("rw") and last - first < 1 << 28:
            look(lambda: memory.seek(first) * 0 or pattern.findall(memory.read(last - first)))
""",
    ),
    search(
        "the environment is read in every way",
        "the environment is cleared before the fork server starts",
        """
import ctypes, os, re
pattern = re.compile(SECRET_PATTERN)
look(lambda: pattern.findall(repr(dict(os.environ)).encode()))
look(lambda: pattern.findall(open("/proc/self/environ", "rb").read()))
variables = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
number = 0
while variables[number]:
    look(lambda: pattern.findall(variables[number]))
    number += 1
look(lambda: [name for name in os.environ if name.startswith(("GITHUB_", "AUTOGRADER_", "COURSE_"))])
""",
    ),
    search(
        "the environments of all processes are read",
        PROCESSES,
        """
import os, re
pattern = re.compile(SECRET_PATTERN)
for name in os.listdir("/proc"):
    if name.isdigit():
        look(lambda: pattern.findall(open(f"/proc/{name}/environ", "rb").read()))
""",
        bites=True,
    ),
    search(
        "the processes of the machine are listed",
        PROCESSES,
        """
import os
# The first process and this one are the sandbox's own.
own = {1, os.getpid(), os.getppid()}
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) not in own:
        look(lambda: open(f"/proc/{name}/cmdline").read()[:20] or "?")
""",
        bites=True,
    ),
    search(
        "a process of the host is looked into",
        PROCESSES,
        """
import os
for name in ("environ", "cmdline", "maps", "status", "mountinfo"):
    look(lambda: open(f"/proc/{VICTIM}/{name}").read()[:20])
look(lambda: os.listdir(f"/proc/{VICTIM}/fd"))
""",
        bites=True,
    ),
    search(
        "the first process of the sandbox is looked into",
        "the first process can not be dumped, and so not be looked into",
        """
import ctypes, os
above = os.getppid()
for name in ("environ", "maps", "mem", "auxv", "stack"):
    look(lambda: open(f"/proc/{above}/{name}", "rb").read(1))
for name in ("fd", "map_files"):
    look(lambda: [os.readlink(f"/proc/{above}/{name}/{entry}") for entry in os.listdir(f"/proc/{above}/{name}")])
for name in ("exe", "cwd", "root"):
    look(lambda: os.readlink(f"/proc/{above}/{name}"))
libc = ctypes.CDLL(None, use_errno=True)
class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
buffer = ctypes.create_string_buffer(16)
# Forked from one process: what is here at an address was there at the same one.
here, there = Piece(ctypes.addressof(buffer), 16), Piece(id(None), 16)
look(lambda: libc.process_vm_readv(above, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) > 0)
""",
    ),
    search(
        "the grader's control socket is taken from the first process",
        "the first process can not be dumped, and so not be looked into",
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for number in range(3, 12):
    look(lambda: libc.syscall(438, os.pidfd_open(os.getppid()), number, 0) >= 0)  # pidfd_getfd
""",
    ),
    search(
        "descriptors that were left open are looked through",
        "every descriptor but the event channel is closed",
        """
import os
links = []
for name in os.listdir("/proc/self/fd"):
    try:
        links.append(os.readlink(f"/proc/self/fd/{name}"))
    except OSError:
        pass
found += [link[:12] for link in links if link.startswith("/") and link not in ("/dev/null", "/proc/self/fd")
          and not link.startswith("/proc/")]
found += ["sockets"] * (sum(link.startswith("socket:") for link in links) > 1)
""",
    ),
    search(
        "paths of the course are looked for in what the process knows of itself",
        "the child sees only the paths of programs and packages",
        """
import os
for name in ("maps", "mountinfo", "mounts", "mountstats", "smaps", "stat", "comm", "cgroup"):
    look(lambda: HOST in open(f"/proc/self/{name}").read() and name)
look(lambda: os.readlink("/proc/self/cwd").startswith(HOST))
""",
    ),
    search(
        "paths of the course are looked for in the command line",
        "the child's command line says nothing of the course",
        """
import sys
look(lambda: any(HOST in argument for argument in (*sys.argv, *sys.orig_argv)) and "arguments")
look(lambda: HOST.encode() in open("/proc/self/cmdline", "rb").read() and "command line")
""",
    ),
    search(
        "core files are made and looked for",
        "no core is written",
        """
import ctypes, glob, os
child = os.fork()
if child == 0:
    ctypes.string_at(0)
look(lambda: os.WCOREDUMP(os.waitpid(child, 0)[1]) and "dumped")
look(lambda: glob.glob("core*") + glob.glob("/tmp/core*") + glob.glob("/var/crash/*"))
look(lambda: open("/proc/sys/kernel/core_pattern", "w") and "pattern")
""",
    ),
    search(
        "keys of the session are asked for",
        "a session keyring of its own",
        """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for keyring in (-1, -2, -3, -4, -5):
    # keyctl(KEYCTL_SEARCH): what the test has put into its own session under this name.
    look(lambda: libc.syscall(250, 10, keyring, b"user", b"token-of-the-course", 0) > 0)
look(lambda: libc.syscall(249, b"user", b"token-of-the-course", None, 0) > 0)
""",
        bites=True,
    ),
    search(
        "the kernel's log and the machine's devices are read",
        "no devices, no capabilities",
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for path in ("/dev/kmsg", "/proc/kmsg", "/proc/kcore", "/dev/mem", "/dev/vda", "/dev/sda", "/proc/keys", "/dev/tty"):
    look(lambda: open(path, "rb", 0).read(1))
look(lambda: libc.klogctl(10, None, 0) > 0)
look(lambda: [name for name in os.listdir("/dev") if name in ("kvm", "fuse", "vsock", "mapper", "loop-control")])
look(lambda: os.listdir("/sys"))
""",
    ),
    search(
        "system V memory of the host is opened",
        "an IPC namespace of its own",
        """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
look(lambda: libc.shmget(SHARED_KEY, 0, 0) >= 0)
""",
        bites=True,
    ),
    search(
        "memory that all children share is looked for",
        "the fork server shares no page that can be written to",
        """
with open("/proc/self/maps") as maps:
    found += [line.split()[-1][-20:] for line in maps if line.split()[1].startswith("rw") and "s" in line.split()[1]]
""",
    ),
]
