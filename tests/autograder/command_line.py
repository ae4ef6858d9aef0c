"""The command line as a person runs it, for the tests that look at it from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLANK = ROOT / "release" / "autoencoders" / "autoencoders.ipynb"


def environment(cache: Path) -> dict[str, str]:
    """The environment of a run: results of earlier runs are looked for in ``cache`` alone."""
    return os.environ | {"AUTOGRADER_CACHE": str(cache), "COLUMNS": "80", "NO_COLOR": "1"}


def autograder(
    *arguments: object, cache: Path, cwd: Path = ROOT, flags: tuple[str, ...] = (), through: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; ``through`` are programs that start it in another surrounding."""
    return subprocess.run(
        [*through, sys.executable, *flags, "-m", "autograder", *map(str, arguments)],
        cwd=cwd, env=environment(cache), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def start(*arguments: object, cache: Path, errors: Path) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, as a shell does."""
    with errors.open("w") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "autograder", *map(str, arguments)],
            cwd=ROOT, env=environment(cache), text=True, stdout=subprocess.PIPE, stderr=stream,
            process_group=0,
        )  # fmt: skip


def wait_until(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until something holds; fail when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def descendants(pid: int) -> dict[int, str]:
    """The processes below one, with their command lines."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            commands[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {child: commands.get(child, "") for child in found - {pid}}


def workers(pid: int) -> list[int]:
    """The worker processes of a batch."""
    return sorted(child for child, command in descendants(pid).items() if "spawn_main" in command)
