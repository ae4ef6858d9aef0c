"""A zip of submissions, unpacked with care: its names, sizes and kinds are not to be believed."""

from __future__ import annotations

import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from autograder.submission.notebook import FILE_LIMIT, shown

DEPTH_LIMIT = 9
MEMBER_LIMIT = 20_000
SIZE_LIMIT = 2 * 1024**3
UNREADABLE = (
    OSError, ValueError, RuntimeError, EOFError, MemoryError, zlib.error, lzma.LZMAError, zipfile.BadZipFile
)  # fmt: skip
"""What reading a zip or one of its members raises: damaged, encrypted, of an unknown kind, there twice, too large."""
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The ways to pack that are unpacked piece by piece: by the others a kilobyte may become gigabytes at once."""


def unpack(path: Path, folder: Path, wanted: Callable[[PurePosixPath], bool]) -> tuple[str, ...]:
    """Unpack the members of a zip whose paths are wanted; return a sentence for each that was left out.

    Raises one of UNREADABLE on what is no zip, and ValueError on an absurd one.
    """
    # Looked at first: opening a pipe would wait for ever.
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise ValueError("it is no regular file")
    left = SIZE_LIMIT
    refused: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MEMBER_LIMIT:
            raise ValueError(f"it holds more than {MEMBER_LIMIT} files")
        for member in members:
            inside = PurePosixPath(member.filename.replace("\\", "/"))
            if not wanted(inside):
                continue
            try:
                left -= _unpack_member(archive, member, inside, folder, left)
            except UNREADABLE as error:
                refused.append(f"{shown(member.filename)} in {shown(path.name)} can not be read: {reason(error)}")
            if left < 0:
                raise ValueError(f"it unpacks to more than {SIZE_LIMIT // 2**20} MB")
    return tuple(refused)


def reason(error: Exception) -> str:
    """Return why a path or a member of a zip can not be read, without the paths of this machine."""
    if isinstance(error, FileExistsError):
        return "its name is there twice"
    if isinstance(error, zipfile.BadZipFile):
        return "it is no zip, or it is damaged; make or download it again"
    if isinstance(error, OSError):
        return error.strerror or "it is not there"
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    return str(error) or type(error).__name__


def _unpack_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, inside: PurePosixPath, folder: Path, limit: int
) -> int:
    """Write one member of a zip and return its size; raise ValueError on one that wants to go elsewhere."""
    target = folder / inside
    if not inside.name:
        raise ValueError("it has no name")
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError("it is a link or a device")
    if inside.is_absolute() or ".." in inside.parts or len(inside.parts) > DEPTH_LIMIT:
        raise ValueError("it points out of its folder, or is too deep in it")
    if member.is_dir():
        # Kept although it may be empty: whose folder holds nothing is told so.
        target.mkdir(parents=True, exist_ok=True)
        return 0
    if member.flag_bits & _ENCRYPTED:
        raise ValueError("it is encrypted; unpack it and name the folder")
    if member.compress_type not in _METHODS:
        raise ValueError("it is packed in an unusual way; unpack it and name the folder")
    # The sizes that a zip tells are not to be believed: what comes out is counted.
    with archive.open(member) as stream:
        content = stream.read(min(FILE_LIMIT, limit) + 1)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as sink:
        sink.write(content)
    return len(content)
