"""Temporary folders that do not outlive their process for long: what a killed one left is removed by the next.

Whoever uses a folder holds a lock on it, which ends with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "autograder-scratch-"
_OPEN_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a private folder and remove it at the end, and now those of processes that are no more."""
    remove_abandoned(PREFIX)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    # In the moment before, it may have looked abandoned: then it is made again where it is used.
    lock = hold(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def hold(folder: Path) -> int:
    """Lock a folder for as long as the returned descriptor, or a copy of it in another process, is open."""
    lock = os.open(folder, _OPEN_FLAGS)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def remove_abandoned(prefix: str, beside: Callable[[Path], Path] | None = None) -> None:
    """Remove the temporary folders with that prefix that nobody holds, and for each the one ``beside`` it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # Folders of others, and those in use, are none of our business.
        with contextlib.suppress(OSError):
            lock = os.open(folder, _OPEN_FLAGS)
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if beside is not None:
                        shutil.rmtree(beside(folder), ignore_errors=True)
                    shutil.rmtree(folder)
            finally:
                os.close(lock)
