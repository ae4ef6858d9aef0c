"""What the payloads may aim at: a copy of the course, listeners on loopback, a victim process, files, keys, memory.

All of it is made here and goes with the test. A payload's names in capitals are replaced by where these things are.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import itertools
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
SECRET = "swordfish-of-the-grader"
CANARY = "heron-of-the-hidden-checks"
KEY_NAME = b"token-of-the-course"
_SESSION_KEYRING, _SET_TIMEOUT, _UNLINK = -3, 15, 9
_NUMBERS = itertools.count()
_CI_FILES = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE")


class Surroundings:
    """A machine as a grader's is: made on entry, gone on exit."""

    def __init__(self) -> None:
        # Everybody may come this far, so that it is the sandbox that keeps a child out, and no folder's mode.
        self.folder = Path(tempfile.mkdtemp(prefix="attacked-"))
        self.folder.chmod(0o755)
        self.host = self.folder / "host"
        self.course = self.folder / "course"
        self.submitted = self.folder / "submitted"
        self.out = self.folder / "graded"
        self.cache = self.folder / "cache"
        self.kept = self.cache / "report" / "00" / f"{0:064}.json"
        self.planted = self.host / "open"
        self.marker = self.host / "marker-of-the-host.txt"
        self.reached: list[str] = []
        # There may be several at a time.
        self._number = next(_NUMBERS)
        self._tag = f"{os.getpid()}-{self._number}"
        self._stack = contextlib.ExitStack()
        self._names: dict[str, Any] = {}

    def __enter__(self) -> Surroundings:
        with self._stack as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._make_folders()
            self._make_victim(stack)
            self._listen(stack)
            self._share_memory(stack)
            self._keep_key(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _make_folders(self) -> None:
        for folder in (self.host, self.submitted, self.planted):
            folder.mkdir()
        self.planted.chmod(0o777)
        self.marker.write_text(f"{SECRET}-in-a-file\n", encoding="utf-8")
        for name in _CI_FILES:
            (self.host / name).touch()
            (self.host / name).chmod(0o666)
        for name in ("source", "tests/autoencoders", "data"):
            shutil.copytree(ROOT / name, self.course / name, ignore=shutil.ignore_patterns("__pycache__"))
        for path in (self.course / "tests").rglob("*.py"):
            if path.name != "probes.py":
                path.write_text(f"{path.read_text(encoding='utf-8')}\n# {CANARY}\n", encoding="utf-8")
        for name in ("solutions/autoencoders/autoencoders.ipynb", ".git/HEAD", "submitted/ada/autoencoders/a.ipynb"):
            (self.course / name).parent.mkdir(parents=True)
            (self.course / name).write_text(CANARY, encoding="utf-8")
        book = sqlite3.connect(self.course / "gradebook.db")
        with contextlib.closing(book), book:
            book.execute("create table grades (student text, score real)")
            book.execute("insert into grades values (?, ?)", (CANARY, 12.5))
        (self.course / "gradebook.db").chmod(0o666)
        # Somebody else's result.
        self.kept.parent.mkdir(parents=True)
        self.cache.chmod(0o700)
        self.kept.write_text(CANARY, encoding="utf-8")

    def _make_victim(self, stack: contextlib.ExitStack) -> None:
        word = f"victim-{self._tag}"
        victim = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(3000)", word], env={"COURSE_TOKEN": SECRET}
        )
        stack.callback(victim.wait)
        stack.callback(victim.kill)
        self.left = f"left-{self._tag}"
        self._names |= {"VICTIM": victim.pid, "VICTIM_WORD": word, "LEFT": self.left}
        self.victim = victim

    def _listen(self, stack: contextlib.ExitStack) -> None:
        listeners = {
            "PORT": socket.create_server(("127.0.0.1", 0)),
            "WEB_PORT": socket.create_server(("127.0.0.1", 0)),
            "ABSTRACT": socket.socket(socket.AF_UNIX),
            "SOCKET": socket.socket(socket.AF_UNIX),
        }
        self.has_ipv6 = socket.has_ipv6
        try:
            listeners["PORT6"] = socket.create_server(("::1", 0), family=socket.AF_INET6)
        except OSError:
            self.has_ipv6 = False
        abstract = f"attacked-{self._tag}"
        listeners["ABSTRACT"].bind(f"\0{abstract}")
        listeners["SOCKET"].bind(str(self.host / "socket"))
        (self.host / "socket").chmod(0o777)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        for name, listener in listeners.items():
            listener.listen()
            self._answer(stack, name, listener)
        self._answer(stack, "UDP_PORT", datagrams)
        ports = {name: listener.getsockname()[1] for name, listener in listeners.items() if "PORT" in name}
        self._names |= {"PORT6": 1, **ports, "UDP_PORT": datagrams.getsockname()[1]}
        self._names |= {"ABSTRACT": abstract, "SOCKET": str(self.host / "socket")}

    def _answer(self, stack: contextlib.ExitStack, name: str, listener: socket.socket) -> None:
        listener.settimeout(0.2)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    if listener.type == socket.SOCK_DGRAM:
                        listener.recv(4096)
                        self.reached.append(name)
                        continue
                    client, _ = listener.accept()
                    self.reached.append(name)
                    with client:
                        client.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\nreached")
                        client.shutdown(socket.SHUT_WR)
                        client.settimeout(1)
                        while client.recv(4096):
                            pass

        thread = threading.Thread(target=serve)
        thread.start()
        stack.callback(listener.close)
        stack.callback(thread.join)
        stack.callback(over.set)

    def _share_memory(self, stack: contextlib.ExitStack) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        key = 0x41000000 + (self._number << 24) + os.getpid()
        identity = libc.shmget(key, 4096, 0o1666)
        if identity >= 0:
            stack.callback(libc.shmctl, identity, 0, None)
        self.has_shared_memory = identity >= 0
        self._names["SHARED_KEY"] = key

    def _keep_key(self, stack: contextlib.ExitStack) -> None:
        """Keep a secret in this session's keyring, for half an hour at the most."""
        libc = ctypes.CDLL(None, use_errno=True)
        numbers = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(os.uname().machine)
        self.has_keyring = False
        if numbers is not None:
            value = SECRET.encode()
            key = libc.syscall(numbers[0], b"user", KEY_NAME, value, len(value), _SESSION_KEYRING)
            self.has_keyring = key > 0
            if key > 0:
                libc.syscall(numbers[1], _SET_TIMEOUT, key, 1800)
                stack.callback(libc.syscall, numbers[1], _UNLINK, key, _SESSION_KEYRING)

    def aimed(self, code: str, slug: str) -> str:
        """Return a payload's code in which the names in capitals are what they stand for."""
        names = self._names | {
            "HOST": str(self.folder),
            "MARKER": str(self.marker),
            "PLANTED": str(self.planted / slug),
            "COURSE": str(self.course),
            "GRADEBOOK": str(self.course / "gradebook.db"),
            "SUBMITTED": str(self.submitted),
            "OUT": str(self.out),
            "CACHE": str(self.cache),
            # Not the secret itself, lest the search find its own code.
            "SECRET_PATTERN": f"{SECRET[:-1]}[{SECRET[-1]}]".encode(),
        }
        # In a command of the shell the bare text is meant.
        bare = code.startswith("%%") or "= !" in code
        pattern = rf"(?<![\w\"'])({'|'.join(sorted(names, key=len, reverse=True))})(?!\w)"
        return re.sub(pattern, lambda match: str(names[match[1]]) if bare else repr(names[match[1]]), code)

    def grade(self, *options: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run the real command line on all that was submitted, as a CI service with secrets would.

        ``prefix`` is a command that runs it in another place.
        """
        environment = os.environ | {name: str(self.host / name) for name in _CI_FILES}
        environment |= {"AUTOGRADER_CACHE": str(self.cache), "COURSE_TOKEN": SECRET, "GITHUB_TOKEN": SECRET}
        archives = sorted(str(path) for path in self.folder.glob("*.zip"))
        command = [sys.executable, "-m", "autograder", "grade", str(self.submitted), *archives]
        return subprocess.run(
            [*prefix, *command, "--course", str(self.course), "--out", str(self.out), *options],
            cwd=self.folder, env=environment, capture_output=True, text=True, errors="surrogateescape", check=False,
        )  # fmt: skip

    def state(self) -> dict[str, str]:
        """Return digests of everything that nobody may change: the course, what was submitted, what lies beside it."""
        found = {}
        inside = [path for folder in (self.host, self.course, self.submitted) for path in sorted(folder.rglob("*"))]
        for path in (self.kept, *inside):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() and status.st_size < 2**25 else b""
            told = [status.st_mode, status.st_nlink, status.st_size, hashlib.sha256(content).hexdigest()]
            found[str(path.relative_to(self.folder))] = json.dumps(told)
        return {name: told for name, told in found.items() if "__pycache__" not in name}


def running(name: str, word: str) -> list[str]:
    """Return the command lines of the processes of this machine that are called ``name`` or were given ``word``."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if (path / "comm").read_text(errors="replace").strip() == name or word in line:
                found.append(line)
    return found
