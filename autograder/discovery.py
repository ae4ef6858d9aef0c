"""Which submissions a path holds, and whose they are.

A path is a notebook, a ``.py`` export, a folder, an nbgrader tree
(``submitted/<student>/<assignment>/``) or a zip of these. Nothing is read here but names; links are
never followed, and are submissions only so that reading them can refuse them.
"""

from __future__ import annotations

import lzma
import os
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autograder.notebook import FILE_LIMIT, shown

SUFFIXES = (".ipynb", ".py")
DEPTH_LIMIT = 8
ZIP_MEMBER_LIMIT = 20_000
ZIP_SIZE_LIMIT = 2 * 1024**3
# What reading one member of a zip raises: damaged, encrypted, of an unknown kind, there twice.
_UNREADABLE_MEMBER = (
    OSError, ValueError, RuntimeError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
)  # fmt: skip
_IGNORED_FOLDERS = {"__pycache__", "__MACOSX", "node_modules"}


@dataclass(frozen=True)
class Discovery:
    """The submissions as (student, file), and a sentence for each path that can not be graded."""

    submissions: tuple[tuple[str, Path], ...]
    problems: tuple[str, ...]


def discover(paths: Sequence[Path], assignment: str, scratch: Path) -> Discovery:
    """Find the submissions of an assignment in ``paths``; zips are unpacked into the folder ``scratch``."""
    submissions: list[tuple[str, Path]] = []
    problems: list[str] = []
    for path in paths:
        try:
            found = _of_path(path, assignment, scratch)
        except (OSError, ValueError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as error:
            problems.append(f"{shown(str(path))} can not be read: {_reason(error)}")
            continue
        submissions += found.submissions
        problems += found.problems
    unique = dict.fromkeys((student, file) for student, file in submissions)
    return Discovery(tuple(unique), tuple(problems))


def _of_path(path: Path, assignment: str, scratch: Path) -> Discovery:
    if path.is_dir() and not path.is_symlink():
        return _of_folder(path, assignment)
    if path.suffix.lower() == ".zip":
        scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=scratch))
        refused = _unpack(path, folder)
        found = _of_folder(_without_wrappers(folder, assignment), assignment, name=path.stem)
        return Discovery(found.submissions, (*refused, *found.problems))
    os.lstat(path)
    if path.suffix.lower() not in SUFFIXES:
        problem = f"{shown(str(path))} is no notebook, no .py export, no folder and no zip"
        return Discovery((), (problem,))
    return Discovery(((_student_of_file(path, assignment), path),), ())


def _of_folder(root: Path, assignment: str, name: str | None = None) -> Discovery:
    """Find what a folder holds; ``name`` stands for the folder where its own name says nothing."""
    folders = {folder: files for folder, files in _walk(root) if files}
    names = {folder: folder.name for folder in folders}
    names |= {root: name or root.absolute().name, root.parent: root.absolute().parent.name}
    problems = [f"{shown(str(folder))} holds no notebook" for folder in _empty(root, assignment, folders)]
    own = [folder for folder in folders if names[folder] == assignment and folder != root]
    if own:
        # An nbgrader tree: other assignments of the same students lie beside and are none of our business.
        folders = {folder: folders[folder] for folder in own}
    submissions: list[tuple[str, Path]] = []
    for folder, files in sorted(folders.items()):
        owner = folder.parent if names[folder] == assignment else folder
        student = names.get(owner, owner.name)
        submissions += _named(student, _chosen(files, assignment), assignment, is_root=folder == root)
    if not submissions and not problems:
        problems = [f"{shown(str(root))} holds no submission of {assignment}"]
    return Discovery(tuple(submissions), tuple(problems))


def _named(student: str, files: Sequence[Path], assignment: str, *, is_root: bool) -> Iterator[tuple[str, Path]]:
    """Yield the files of one folder with whose they are: the folder's, or in a flat one each its own."""
    for file in files:
        if len(files) == 1 and (not is_root or file.stem == assignment):
            yield student, file
        else:
            yield (file.stem if is_root else f"{student} {file.stem}"), file


def _empty(root: Path, assignment: str, full: dict[Path, list[Path]]) -> list[Path]:
    """Return the students' folders of the assignment that hold nothing, or that are links."""
    candidates = (student / assignment for student in sorted(root.iterdir()))
    return [folder for folder in candidates if os.path.lexists(folder) and folder not in full]


def _walk(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield every folder with the files in it that may be submissions; links are files here."""
    for name, folders, files in os.walk(root, followlinks=False):
        folder = Path(name)
        depth = len(folder.relative_to(root).parts)
        folders[:] = sorted(
            child
            for child in folders
            if depth < DEPTH_LIMIT and not child.startswith(".") and child not in _IGNORED_FOLDERS
        )
        yield folder, sorted(folder / file for file in files if _may_be_submission(file))


def _may_be_submission(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _chosen(files: Sequence[Path], assignment: str) -> list[Path]:
    """Return the file of the assignment's name, or else all notebooks, or else all scripts."""
    notebooks = [file for file in files if file.suffix.lower() == ".ipynb"]
    for candidates in (notebooks, files):
        named = [file for file in candidates if file.stem == assignment]
        if named:
            return named[:1]
    return notebooks or list(files)


def _student_of_file(path: Path, assignment: str) -> str:
    """Return whose a single file is: of the folder around it where the file has the assignment's name."""
    around = [part for part in path.parent.parts if part not in (".", "..", "/", path.anchor)]
    if path.stem != assignment:
        return path.stem
    while around and around[-1] == assignment:
        around.pop()
    return around[-1] if around else path.stem


def _unpack(path: Path, folder: Path) -> tuple[str, ...]:
    """Unpack the notebooks and scripts of a zip; return a sentence for each that was left out.

    Raises ValueError on an absurd zip.
    """
    left = ZIP_SIZE_LIMIT
    refused: list[str] = []
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > ZIP_MEMBER_LIMIT:
            raise ValueError(f"it holds more than {ZIP_MEMBER_LIMIT} files")
        for member in members:
            inside = PurePosixPath(member.filename.replace("\\", "/"))
            if member.is_dir() or not _may_be_submission(inside.name) or _IGNORED_FOLDERS & set(inside.parts):
                continue
            try:
                left -= _unpack_member(archive, member, inside, folder, left)
            except _UNREADABLE_MEMBER as error:
                refused.append(f"{shown(member.filename)} in {shown(path.name)} can not be read: {_reason(error)}")
            if left < 0:
                raise ValueError(f"it unpacks to more than {ZIP_SIZE_LIMIT // 2**20} MB")
    return tuple(refused)


def _unpack_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, inside: PurePosixPath, folder: Path, limit: int
) -> int:
    """Write one member of a zip and return its size; raise ValueError on one that wants to go elsewhere."""
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        raise ValueError("it is a link or a device")
    if inside.is_absolute() or ".." in inside.parts or len(inside.parts) > DEPTH_LIMIT + 1:
        raise ValueError("it points out of its folder, or is too deep in it")
    # The sizes that a zip tells are not to be believed: what comes out is counted.
    with archive.open(member) as stream:
        content = stream.read(min(FILE_LIMIT, limit) + 1)
    target = folder / inside
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as sink:
        sink.write(content)
    return len(content)


def _without_wrappers(folder: Path, assignment: str) -> Path:
    """Return the folder below those that hold one folder and nothing else, as many programs pack them."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name == assignment:
            return folder
        below = list(inside[0].iterdir())
        if any(assignment in (item.name, item.stem) for item in below):
            return folder
        folder = inside[0]


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "it is not there"
    return str(error) or type(error).__name__
