"""Reports on disk: written whole or not at all, read back with care."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from autograder.errors import InputError
from autograder.report.formats import FORMATS
from autograder.report.model import Report
from autograder.submission.notebook import shown

REPORT_FILE = "report.json"
REPORT_SIZE_LIMIT = 32 * 1024 * 1024


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, as ``write_bytes`` does."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically: a reader sees the old one or the new one, never a half.

    Raises InputError when the disk is full or the folder can not be written; what was there stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                _lock(descriptor)
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            # mkstemp makes files that only the owner reads; reports are shared like any other file.
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(f"can not write {shown(str(path))}: {_why(path, error)}") from error


def sweep(folder: Path) -> None:
    """Remove the halves of files that a killed process left in a folder; those that are being written stay."""
    halves: list[Path] = []
    # A folder that can not be looked at is found out by what is written to it.
    with contextlib.suppress(OSError):
        halves = list(folder.glob(".*.part"))
    for path in halves:
        with contextlib.suppress(OSError), path.open("r+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def write_report(folder: Path, report: Report, formats: Iterable[str]) -> None:
    """Write a report in the formats into a student's folder; ``report.json`` always, as the last one.

    A batch that is resumed keeps what has a ``report.json``, so nothing may be missing beside it.
    """
    for name in (*(name for name in formats if name != "json"), "json"):
        write_text(folder / FORMATS[name].file, FORMATS[name].render(report))


def read_report(folder: Path) -> Report | None:
    """Return the report in a student's folder, or None where there is none that can be read."""
    path = folder / REPORT_FILE
    try:
        # A pipe would be waited for, where results lie among what students handed in.
        if not path.is_file() or path.stat().st_size > REPORT_SIZE_LIMIT:
            return None
        return Report.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _why(path: Path, error: OSError) -> str:
    """Return why a file can not be written and what to do about it; what was written before is kept."""
    if isinstance(error, PermissionError):
        # Nothing can be seen there, so nothing more can be said.
        return f"{error.strerror}; choose another folder with --out"
    blocking = next((above for above in path.parents if above.exists() and not above.is_dir()), None)
    if blocking is not None:
        return f"{shown(str(blocking))} is no folder; choose another one with --out"
    if path.is_dir():
        return "it is a folder; move it away, or choose another place with --out"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error.strerror}; free some space, then run the same command again to go on"
    return f"{error.strerror or error}; choose another folder with --out"


def _lock(descriptor: int) -> None:
    """Show that a file is being written, for as long as it is open; void on a disk that knows no locks."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
