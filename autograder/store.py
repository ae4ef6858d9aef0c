"""Content-addressed results on disk, so that the same work is never done twice.

A result is plain JSON under ``root/kind/ab/abcdef....json``, or bytes under ``....bin``; its key is the digest of
everything that it depends on. Entries are written atomically and carry their own digest: a damaged one counts
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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from autograder.errors import InputError

FORMAT = 1
ENTRY_BYTES_LIMIT = 256 * 1024 * 1024
LOCKS = ".locks"
USUAL_BYTES = 8 * 1024**3
"""What a store may hold unless ``AUTOGRADER_CACHE_LIMIT`` says otherwise."""
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_KIND = re.compile(r"[a-z][a-z0-9-]{0,40}")
_KEY = re.compile(r"[0-9a-f]{64}")
_Value = TypeVar("_Value")
_log = logging.getLogger(__name__)


def digest_of(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON value, equal for equal values whatever the order of their keys.

    Tuples count as lists. Raises TypeError or ValueError on what is not finite plain JSON.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_files(files: Iterable[Path]) -> str:
    """Return the SHA-256 (hex) of the names and contents of files, in their order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


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

        def opened(data: bytes) -> Any:
            entry = json.loads(data)
            _refuse_damaged(entry, kind, key, digest_of(entry["value"]))
            return entry["value"]

        return self._read(self._path(kind, key), opened)

    def get_bytes(self, kind: str, key: str) -> bytes | None:
        """Return the bytes that were put under ``kind`` and ``key``, or None where there are no sound ones."""

        def opened(data: bytes) -> bytes:
            head, _, value = data.partition(b"\n")
            _refuse_damaged(json.loads(head), kind, key, hashlib.sha256(value).hexdigest())
            return value

        return self._read(self._path(kind, key, "bin"), opened)

    def put(self, kind: str, key: str, value: Any) -> bool:
        """Write a JSON value under ``kind`` and ``key``; return False where the disk does not allow it.

        Raises TypeError or ValueError on a value that is not finite plain JSON.
        """
        entry = {"format": FORMAT, "kind": kind, "key": key, "digest": digest_of(value), "value": value}
        return self._write(self._path(kind, key), json.dumps(entry, allow_nan=False).encode())

    def put_bytes(self, kind: str, key: str, value: bytes) -> bool:
        """Write bytes under ``kind`` and ``key``; return False where there are too many, or the disk says no."""
        digest = hashlib.sha256(value).hexdigest()
        head = json.dumps({"format": FORMAT, "kind": kind, "key": key, "digest": digest}).encode()
        path = self._path(kind, key, "bin")
        return len(value) < ENTRY_BYTES_LIMIT - len(head) - 1 and self._write(path, head + b"\n" + value)

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
        sizes = self.sizes().values()
        return StoreSize(sum(one.entries for one in sizes), sum(one.bytes for one in sizes))

    def sizes(self) -> dict[str, StoreSize]:
        """Return the number of entries and their bytes, by kind."""
        found: dict[str, list[int]] = {}
        for path, status in self._entries("*"):
            found.setdefault(path.parts[-3], []).append(status.st_size)
        return {kind: StoreSize(len(sizes), sum(sizes)) for kind, sizes in sorted(found.items())}

    def prune(self, most_bytes: int) -> StoreSize:
        """Remove what was not used for longest until no more than ``most_bytes`` are left; return how much it was."""
        entries = sorted(self._entries("*"), key=lambda entry: entry[1].st_mtime_ns)
        excess = sum(status.st_size for _, status in entries) - most_bytes
        removed = StoreSize(0, 0)
        for path, status in entries:
            if removed.bytes >= excess:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                removed = StoreSize(removed.entries + 1, removed.bytes + status.st_size)
        return removed

    def clear(self, kind: str | None = None) -> int:
        """Remove all entries (of one kind); return how many there were."""
        if kind is not None:
            _check(kind, "0" * 64)
        removed = 0
        for path, _ in self._entries(kind or "*"):
            with contextlib.suppress(OSError):
                path.unlink()
                removed += 1
        return removed

    def _entries(self, kind: str) -> list[tuple[Path, os.stat_result]]:
        found = []
        for path in self.root.glob(f"{kind}/??/*"):
            if path.suffix in (".json", ".bin") and _KEY.fullmatch(path.stem):
                with contextlib.suppress(OSError):
                    found.append((path, path.stat()))
        return found

    def _path(self, kind: str, key: str, suffix: str = "json") -> Path:
        _check(kind, key)
        return self.root / kind / key[:2] / f"{key}.{suffix}"

    def _read(self, path: Path, opened: Callable[[bytes], _Value]) -> _Value | None:
        """Return what ``opened`` makes of an entry, and remember that it was used; remove it where that raises."""
        try:
            if path.stat().st_size > ENTRY_BYTES_LIMIT:
                raise ValueError("entry too large")
            value = opened(path.read_bytes())
        except OSError:
            return None
        except (ValueError, KeyError, TypeError, RecursionError):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return value

    def _write(self, path: Path, data: bytes) -> bool:
        try:
            self._make_folder(path.parent)
            _write_atomically(path, data)
        except OSError as error:
            _log.warning("a result could not be kept in %s: %s", self.root, error)
            return False
        return True

    def _make_folder(self, folder: Path) -> None:
        if not self.root.exists():
            self.root.parent.mkdir(parents=True, exist_ok=True)
            self.root.mkdir(mode=0o700, exist_ok=True)
            _refuse_foreign(self.root)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def bytes_of(text: str) -> int:
    """Return the number of bytes that "500M", "8G" or a plain number stands for. Raises InputError."""
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,3})?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise InputError(f"{text!r} is no size: write 500M, 8G or a number of bytes")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def most_bytes() -> int:
    """Return how much a store may hold: ``$AUTOGRADER_CACHE_LIMIT``, else the usual bound. Raises InputError."""
    return bytes_of(os.environ.get("AUTOGRADER_CACHE_LIMIT") or str(USUAL_BYTES))


def _refuse_damaged(entry: Any, kind: str, key: str, digest: str) -> None:
    if (entry["format"], entry["kind"], entry["key"]) != (FORMAT, kind, key):
        raise ValueError("another entry")
    if entry["digest"] != digest:
        raise ValueError("damaged")


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
