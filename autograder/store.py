"""Content-addressed results on disk, so that the same work is never done twice.

A result is plain JSON under ``root/kind/ab/abcdef....json``; its key is the digest of everything
that it depends on. Entries are written atomically and carry their own digest: a damaged one counts
as absent and is removed. A cache that can not be written costs time, never a grade.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.errors import InputError

FORMAT = 1
ENTRY_BYTES_LIMIT = 256 * 1024 * 1024
LOCKS = ".locks"
_KIND = re.compile(r"[a-z][a-z0-9-]{0,40}")
_KEY = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger(__name__)


def digest_of(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON value, equal for equal values whatever the order of their keys.

    Tuples count as lists. Raises TypeError or ValueError on what is not finite plain JSON.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def default_root() -> Path:
    """Return ``$AUTOGRADER_CACHE``, else the user's cache folder of this program."""
    if chosen := os.environ.get("AUTOGRADER_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        # A user without a home, as containers have them. The folder is private wherever it is.
        return Path(tempfile.gettempdir()) / f"autoencoders-autograder-{os.geteuid()}"
    return folder / "autoencoders-autograder"


@dataclass(frozen=True)
class StoreSize:
    """How much a store holds: number of entries, and their bytes."""

    entries: int
    bytes: int


class Store:
    """Results under one private folder, shared by any number of processes.

    The folder is made on first use with mode 0700. Raises InputError where it exists but belongs to
    somebody else or can be written by others: whoever can write results can write grades.
    """

    def __init__(self, root: Path | None = None) -> None:
        """Use the folder ``root``, or the default one."""
        self.root = root if root is not None else default_root()
        # A place that can not even be looked at is one without results.
        with contextlib.suppress(OSError):
            if self.root.exists():
                _refuse_foreign(self.root)

    def get(self, kind: str, key: str) -> Any | None:
        """Return the value that was put under ``kind`` and ``key``, or None where there is no sound one."""
        path = self._path(kind, key)
        try:
            if path.stat().st_size > ENTRY_BYTES_LIMIT:
                raise ValueError("entry too large")
            entry = json.loads(path.read_bytes())
            if (entry["format"], entry["kind"], entry["key"]) != (FORMAT, kind, key):
                raise ValueError("another entry")
            if entry["digest"] != digest_of(entry["value"]):
                raise ValueError("damaged")
        except OSError:
            return None
        except (ValueError, KeyError, TypeError, RecursionError):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return entry["value"]

    def put(self, kind: str, key: str, value: Any) -> bool:
        """Write a JSON value under ``kind`` and ``key``; return False where the disk does not allow it.

        Raises TypeError or ValueError on a value that is not finite plain JSON.
        """
        path = self._path(kind, key)
        entry = {"format": FORMAT, "kind": kind, "key": key, "digest": digest_of(value), "value": value}
        text = json.dumps(entry, allow_nan=False)
        try:
            self._make_folder(path.parent)
            _write_atomically(path, text.encode())
        except OSError as error:
            _log.warning("a result could not be kept in %s: %s", self.root, error)
            return False
        return True

    @contextlib.contextmanager
    def lock(self, kind: str, key: str) -> Iterator[None]:
        """Hold the right to work out one result; others (processes and threads) wait until it is given back.

        The lock ends with its process, however that ends. Where the disk knows no locks it is void.
        """
        self._path(kind, key)
        path = self.root / LOCKS / f"{kind}-{key}.lock"
        descriptor = None
        try:
            self._make_folder(path.parent)
            descriptor = _acquire(path)
        except OSError as error:
            _log.warning("no lock in %s: %s", self.root, error)
        try:
            yield
        finally:
            if descriptor is not None:
                # Removed while still held: who waits for it sees another inode and starts afresh.
                with contextlib.suppress(OSError):
                    path.unlink()
                os.close(descriptor)

    def size(self) -> StoreSize:
        """Return the number of entries and their bytes."""
        sizes = []
        for path in self._entries("*"):
            with contextlib.suppress(OSError):
                sizes.append(path.stat().st_size)
        return StoreSize(entries=len(sizes), bytes=sum(sizes))

    def clear(self, kind: str | None = None) -> int:
        """Remove all entries (of one kind); return how many there were."""
        if kind is not None:
            _check(kind, "0" * 64)
        removed = 0
        for path in self._entries(kind or "*"):
            with contextlib.suppress(OSError):
                path.unlink()
                removed += 1
        return removed

    def _entries(self, kind: str) -> list[Path]:
        return [path for path in self.root.glob(f"{kind}/??/*.json") if _KEY.fullmatch(path.stem)]

    def _path(self, kind: str, key: str) -> Path:
        _check(kind, key)
        return self.root / kind / key[:2] / f"{key}.json"

    def _make_folder(self, folder: Path) -> None:
        if not self.root.exists():
            self.root.parent.mkdir(parents=True, exist_ok=True)
            self.root.mkdir(mode=0o700, exist_ok=True)
            _refuse_foreign(self.root)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _check(kind: str, key: str) -> None:
    if not _KIND.fullmatch(kind):
        raise ValueError(f"not a kind of result: {kind!r}")
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a key: {key!r}")


def _refuse_foreign(root: Path) -> None:
    status = root.stat()
    if not root.is_dir():
        raise InputError(f"{root}: is not a folder. Name another one in AUTOGRADER_CACHE.")
    if status.st_uid != os.geteuid():
        raise InputError(f"{root}: belongs to another user. Name a folder of your own in AUTOGRADER_CACHE.")
    if status.st_mode & 0o022:
        raise InputError(f"{root}: others can write there, and so could write grades. Run: chmod 700 {root}")


def _write_atomically(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            held = os.fstat(descriptor)
            with contextlib.suppress(FileNotFoundError):
                named = path.stat()
                if (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
