"""Find processes of this machine by their parent or by their user, as /proc shows them now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


def children(parent: int) -> set[int]:
    """Return the process ids of the children of a process."""
    return {process for process, above in _parents() if above == parent}


def descendants(root: int) -> set[int]:
    """Return the process ids of all that descend from a process, itself left out."""
    below: dict[int, list[int]] = {}
    for process, above in _parents():
        below.setdefault(above, []).append(process)
    found: set[int] = set()
    waiting = [root]
    while waiting:
        new = [process for process in below.get(waiting.pop(), []) if process not in found]
        found.update(new)
        waiting += new
    return found


def of_user(user: int) -> set[int]:
    """Return the process ids of all processes with that real user id, the dead that nobody has reaped left out."""
    found = set()
    for process, text in _each("status"):
        fields = dict(line.split(":", 1) for line in text.splitlines() if line.startswith(("State:", "Uid:")))
        if int(fields["Uid"].split()[0]) == user and fields["State"].split()[0] not in "ZX":
            found.add(process)
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for process, text in _each("stat"):
        # The name in parentheses is the process's own choice and may hold anything.
        yield process, int(text.rpartition(")")[2].split()[1])


def _each(name: str) -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended
                yield int(folder.name), (folder / name).read_text(encoding="utf-8", errors="replace")
