"""Measure what a confined tree has written where no file system of its own bounds it.

Its home lies on a disk of the machine. What was removed but is still open, or mapped into memory, takes space
as well. Everything here was named and nested by hostile code: no link is followed, and counting ends at
the limits.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from autograder.sandbox.limits import MEBIBYTE, Limits

_BLOCK_BYTES = 512
_DEEPEST = 200


def problem(home: Path, processes: Iterable[int], limits: Limits) -> str | None:
    """Return why the tree has to be stopped for what it has written below ``home``, or None."""
    taken: dict[tuple[int, int], int] = {}
    files = 0
    folders = [(str(home), 0)]
    while folders:
        folder, depth = folders.pop()
        if depth > _DEEPEST:
            return f"stopped because of folders more than {_DEEPEST} deep"
        for path, about in _entries(folder):
            files += 1
            taken[about.st_dev, about.st_ino] = about.st_blocks * _BLOCK_BYTES
            if stat.S_ISDIR(about.st_mode):
                folders.append((path, depth + 1))
            if files > limits.scratch_files:
                return f"stopped above {limits.scratch_files} files"
    for process in processes:
        taken.update(_open_but_removed(process))
        taken.update(_mapped_but_removed(process, str(home)))
    if sum(taken.values()) > limits.scratch_bytes:
        return f"stopped above {limits.scratch_bytes / MEBIBYTE:.0f} MiB of files"
    return None


def _entries(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield (path, about) of what is in a folder now; nothing of a folder that has become a link, or has gone."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    with suppress(OSError):  # it has gone meanwhile
                        yield os.path.join(folder, entry.name), entry.stat(follow_symlinks=False)  # noqa: PTH118
        finally:
            os.close(descriptor)


def _open_but_removed(process: int) -> Iterator[tuple[tuple[int, int], int]]:
    with suppress(OSError):
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                about = descriptor.stat()
                if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
                    yield (about.st_dev, about.st_ino), about.st_blocks * _BLOCK_BYTES


def _mapped_but_removed(process: int, home: str) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield the mapped size of removed files: how many blocks they hold is not told any more."""
    with suppress(OSError):
        text = Path(f"/proc/{process}/maps").read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            if line.endswith("(deleted)") and home in line:
                span, _, _, device, inode = line.split()[:5]
                first, last = (int(part, 16) for part in span.split("-"))
                major, minor = (int(part, 16) for part in device.split(":"))
                yield (os.makedev(major, minor), int(inode)), last - first
