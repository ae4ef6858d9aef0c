"""The true data of an assignment, read from ``data/`` after its digest was checked."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.errors import DataError

if TYPE_CHECKING:
    import numpy as np

DIGESTS = "digests.json"


def load(folder: Path, name: str) -> Mapping[str, np.ndarray[Any, Any]]:
    """Return the arrays of ``folder/name.npz``, read-only and as stored; they are read once per process.

    Raises DataError when the file is missing, is not the one whose digest stands in ``digests.json``, or is damaged.
    """
    return _load(folder.resolve(), name)


@cache
def _load(folder: Path, name: str) -> Mapping[str, np.ndarray[Any, Any]]:
    import numpy as np

    path = folder / f"{name}.npz"
    verify(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: is not a readable .npz file ({error}). {_mend(path)}") from error
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


def verify(path: Path) -> None:
    """Raise DataError unless the file's SHA-256 is the one that ``digests.json`` beside it names."""
    expected = digests(path.parent).get(path.name)
    if expected is None:
        raise DataError(f"{path}: {path.parent / DIGESTS} names no digest for it. Add its SHA-256 there.")
    if not path.is_file():
        raise DataError(f"{path}: is missing. {_mend(path)}")
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: can not be read ({error.strerror}). {_mend(path)}") from error
    if found != expected:
        raise DataError(f"{path}: is damaged (SHA-256 {found[:12]}…, expected {expected[:12]}…). {_mend(path)}")


def verify_folder(folder: Path) -> None:
    """Raise DataError unless every data file of a course is there and whole; a course may have none at all."""
    if folder.is_dir():
        for name in sorted(digests(folder)):
            verify(folder / name)


def digests(folder: Path) -> Mapping[str, str]:
    """Return the expected SHA-256 of each data file of the folder."""
    path = folder / DIGESTS
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: can not be read ({error.strerror}). {_mend(path)}") from error
    except ValueError as error:
        raise DataError(f"{path}: is damaged, it is not JSON. {_mend(path)}") from error
    if not isinstance(table, dict) or not all(isinstance(digest, str) for digest in table.values()):
        raise DataError(f"{path}: is damaged, it is no table of digests. {_mend(path)}")
    return table


def _mend(path: Path) -> str:
    return f"Restore it with: git checkout -- {path.parent.name}/{path.name}"
