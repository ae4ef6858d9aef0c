"""Which submissions a path holds, and whose they are.

A path is a notebook, a ``.py`` export, a folder, an nbgrader tree
(``submitted/<student>/<assignment>/``) or a zip of these. Nothing is read here but names, and links are
never followed. A link, an empty folder or an archive in the place of a submission counts as one, so that
its owner gets a report that says what is wrong: nobody is passed over in silence.
"""

from __future__ import annotations

import difflib
import os
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from autograder.submission import archive
from autograder.submission.archive import reason
from autograder.submission.notebook import shown

DEPTH_LIMIT = 8
NOTEBOOKS = (".ipynb", ".ipynb.txt", ".ipynb.json")
"""Some browsers and mail programs add the last two endings."""
SUFFIXES = (*NOTEBOOKS, ".py")
ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".rar", ".7z")
DOCUMENTS = (".docx", ".doc", ".odt", ".pdf", ".html", ".htm")
ALIKE = 0.8
"""How like the assignment's a folder's name must be to be taken for a slip of the pen."""
_IGNORED_FOLDERS = {"__pycache__", "__MACOSX", "node_modules"}
_VISIBLE = "LNPS"
# Letters and symbols of Unicode that show nothing.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"

Found = tuple[str, Path]
"""Whose, and which file."""


@dataclass(frozen=True)
class Discovery:
    """The submissions as (student, file), and a sentence for each path that can not be graded.

    ``notes`` tell what was left out with good reason. ``labels`` hold how a file is called in reports
    where its path means nothing to anyone, since it was unpacked from a zip.
    """

    submissions: tuple[Found, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    labels: Mapping[Path, str] = field(default_factory=dict)


def discover(paths: Sequence[Path], assignment: str, scratch: Path) -> Discovery:
    """Find the submissions of an assignment in ``paths``; zips are unpacked into the folder ``scratch``."""
    parts: list[Discovery] = []
    for path in paths:
        try:
            parts.append(_of_path(path, assignment, scratch))
        except archive.UNREADABLE as error:
            parts.append(Discovery(problems=(f"{shown(str(path))} can not be read: {reason(error)}",)))
    named = dict.fromkeys((_visible(student), file) for part in parts for student, file in part.submissions)
    return Discovery(
        tuple(named),
        tuple(problem for part in parts for problem in part.problems),
        tuple(note for part in parts for note in part.notes),
        {file: label for part in parts for file, label in part.labels.items()},
    )


def _of_path(path: Path, assignment: str, scratch: Path) -> Discovery:
    if path.is_symlink() and not _may_be_submission(path.name):
        raise ValueError("it is a link; name what it points to")
    if path.is_dir() and not path.is_symlink():
        return _Search(_submitted(path), assignment, str(path)).result()
    if path.suffix.lower() == ".zip":
        return _of_zip(path, assignment, scratch)
    os.lstat(path)
    if not _may_be_submission(path.name):
        return Discovery(problems=(f"{shown(str(path))} is no notebook, no .py export, no folder and no zip",))
    return Discovery(((_student_of_file(path, assignment), path),))


def _of_zip(path: Path, assignment: str, scratch: Path) -> Discovery:
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=scratch)) / "unpacked"
    inner: list[str] = []

    def wanted(inside: PurePosixPath) -> bool:
        if _IGNORED_FOLDERS & set(inside.parts) or any(part.startswith(".") and part != ".." for part in inside.parts):
            return False
        if inside.name.lower().endswith(ARCHIVES):
            inner.append(f"{shown(str(inside))} in {shown(path.name)} is an archive itself: unpack it first")
        # Folders have no suffix of their own that would tell.
        return _may_be_submission(inside.name) or "." not in inside.name

    refused = archive.unpack(path, folder, wanted)
    found = _Search(_without_wrappers(folder, assignment), assignment, path.name, path.stem).result()
    labels = {file: f"{path.name}/{file.relative_to(folder)}" for _, file in found.submissions}
    return Discovery(found.submissions, (*refused, *inner, *found.problems), found.notes, labels)


def _submitted(path: Path) -> Path:
    """Return the folder of the submissions where ``path`` is a whole course of nbgrader, else ``path``."""
    inside = path / "submitted"
    return inside if (path / "source").is_dir() and inside.is_dir() and not inside.is_symlink() else path


class _Search:
    """Looks through one folder. ``title`` is how it is called to people, ``name`` whose it is if of one student."""

    def __init__(self, root: Path, assignment: str, title: str, name: str | None = None) -> None:
        self._root = root
        self._assignment = assignment
        self._title = title
        self._names = {root: name or root.absolute().name, root.parent: root.absolute().parent.name}
        self._problems: list[str] = []
        self._notes: list[str] = []
        self._files: dict[Path, list[Path]] = {}
        self._archives: dict[Path, list[Path]] = {}
        self._links: list[Path] = []
        self._without_suffix: list[Path] = []
        self._walk()
        self._full = {above for folder, files in self._files.items() if files for above in (folder, *folder.parents)}
        self._take_folders_named_like_notebooks()
        # A class may have thousands of folders: nothing below looks through all of them for each of them.
        self._inside: dict[Path, list[Path]] = {}
        self._below: dict[Path, list[Path]] = {folder: [folder] for folder in self._files}
        for folder in self._files:
            self._inside.setdefault(folder.parent, []).append(folder)
            for above in folder.parents[: len(folder.relative_to(self._root).parts)]:
                self._below[above].append(folder)

    def result(self) -> Discovery:
        """Return what the folder holds."""
        homes = self._homes()
        odd = [path for path in (*self._links, *self._without_suffix) if self._is_named_as_assignment(path)]
        found = [*self._of_homes(homes), *((self._name(path.parent), path) for path in odd)]
        levels = {home.parent.parent for home in (*homes, *odd) if self._root not in (home, home.parent)}
        if homes or odd:
            owners = {home.parent for home in (*homes, *odd)}
            found += [one for level in sorted(levels) for one in self._beside_homes(level, owners)]
            found += self._loose(levels)
        else:
            found += self._of_flat_folder()
        if not found and not self._problems:
            self._problems.append(f"{shown(self._title)} holds no submission of {self._assignment}")
        return Discovery(tuple(found), tuple(self._problems), tuple(self._notes))

    def _walk(self) -> None:
        def failed(error: OSError) -> None:
            if Path(error.filename) == self._root:
                raise error
            self._problems.append(f"{self._shown(Path(error.filename))} can not be read: {reason(error)}")

        for name, folders, files in os.walk(self._root, onerror=failed, followlinks=False):
            folder = Path(name)
            deep = len(folder.relative_to(self._root).parts) >= DEPTH_LIMIT
            inside = sorted(child for child in folders if not child.startswith(".") and child not in _IGNORED_FOLDERS)
            links = [child for child in inside if (folder / child).is_symlink()]
            folders[:] = [] if deep else [child for child in inside if child not in links]
            self._links += [folder / link for link in links if not _may_be_submission(link)]
            paths = [folder / file for file in sorted((*files, *links)) if not file.startswith(".")]
            self._files[folder] = [path for path in paths if _may_be_submission(path.name)]
            self._archives[folder] = [path for path in paths if path.name.lower().endswith(ARCHIVES)]
            self._without_suffix += [folder / file for file in files if "." not in file]
            if folder == self._root:
                self._tell_documents(paths)

    def _tell_documents(self, paths: Sequence[Path]) -> None:
        for path in paths:
            if path.name.lower().endswith(DOCUMENTS):
                self._notes.append(f"{self._shown(path)} was left out: it is no notebook")

    def _take_folders_named_like_notebooks(self) -> None:
        """Take an empty folder that is called ``x.ipynb`` as the submission that it stands for."""
        for folder in self._files:
            if folder not in self._full and folder != self._root and _may_be_submission(folder.name):
                self._files[folder.parent].append(folder)
                self._full |= {folder, *folder.parents}

    def _shown(self, path: Path) -> str:
        inside = path.relative_to(self._root)
        return shown(str(Path(self._title, inside)))

    def _name(self, folder: Path) -> str:
        return self._names.get(folder, folder.name)

    def _is_named_as_assignment(self, path: Path) -> bool:
        return self._name(path).casefold() == self._assignment.casefold()

    def _homes(self) -> list[Path]:
        """Return the folders of the assignment: ``<student>/<assignment>`` in an nbgrader tree."""
        homes: set[Path] = set()
        for folder in sorted(self._files):
            if homes.isdisjoint(folder.parents) and (self._is_named_as_assignment(folder) or self._is_slip(folder)):
                homes.add(folder)
        return sorted(homes)

    def _is_slip(self, folder: Path) -> bool:
        """Say whether a student's folder with the right file in it has nearly the assignment's name."""
        if len(folder.relative_to(self._root).parts) < 2 or not self._is_alike(folder):
            return False
        siblings = [other for other in self._inside[folder.parent] if self._is_alike(other)]
        return siblings == [folder] and any(self._is_named(file) for file in self._files[folder])

    def _is_alike(self, folder: Path) -> bool:
        names = (folder.name.casefold(), self._assignment.casefold())
        return difflib.SequenceMatcher(None, *names, autojunk=False).ratio() >= ALIKE

    def _is_named(self, file: Path) -> bool:
        return _stem(file).casefold() == self._assignment.casefold()

    def _of_homes(self, homes: Sequence[Path]) -> Iterator[Found]:
        for home in homes:
            files = next((chosen for folder in self._below[home] if (chosen := self._chosen(folder))), [home])
            yield from _of_student(self._name(home.parent), files)

    def _beside_homes(self, level: Path, owners: set[Path]) -> Iterator[Found]:
        """Yield what lies among the students' folders of a tree and not in a folder of the assignment.

        Other assignments of the same students are none of our business.
        """
        for link in self._links:
            if link.parent == level:
                yield link.name, link
        for student in sorted(self._inside.get(level, ())):
            below = self._below[student]
            if not owners.isdisjoint(below):
                continue
            named = [folder for folder in below if any(self._is_named(file) for file in self._files[folder])]
            alike = [folder for folder in below if folder != student and self._is_alike(folder)]
            if named or self._chosen(student):
                yield from _of_student(student.name, self._chosen((*named, student)[0]))
            elif alike:
                self._problems.append(
                    f"{self._shown(alike[0])} was left out: the folder is not called {self._assignment}. "
                    "Rename it, or grade it by itself"
                )
            elif below == [student]:
                yield student.name, student

    def _loose(self, levels: set[Path]) -> Iterator[Found]:
        """Yield the files that lie above the students' folders of a tree or among them: each its own student's."""
        for folder in sorted({above for level in levels for above in (level, *level.parents)} & set(self._files)):
            # Scripts in such a place run the course.
            yield from (
                (_stem(file), file) for file in self._files[folder] if _is_notebook(file) or self._is_named(file)
            )

    def _of_flat_folder(self) -> Iterator[Found]:
        own = self._files[self._root]
        others = sorted(folder for folder, files in self._files.items() if files and folder != self._root)
        yield from self._of_root()
        names = Counter(folder.name.casefold() for folder in others)
        for folder in others:
            # Where all students' folders hold one of the same name, it is the folder above that tells whose.
            owner = folder if names[folder.name.casefold()] == 1 or folder.parent == self._root else folder.parent
            yield from _of_student(owner.name, self._chosen(folder))
        if others and not own:
            # A folder a student: one without a submission is a student's all the same.
            empty = [folder for folder in self._inside.get(self._root, ()) if folder not in self._full]
            yield from ((path.name, path) for path in (*empty, *self._links) if path.parent == self._root)

    def _of_root(self) -> Iterator[Found]:
        """Yield the files of the folder itself: each its own student's, unless one has the assignment's name."""
        files = self._files[self._root]
        if named := [file for file in files if self._is_named(file)]:
            file = next((file for file in named if _is_notebook(file)), named[0])
            yield self._names[self._root], file
            for other in files:
                if other not in named:
                    self._notes.append(
                        f"{self._shown(other)} was left out: {file.name} beside it has the assignment's name. "
                        "Name it by itself to grade it"
                    )
            return
        notebooks = {_stem(file) for file in files if _is_notebook(file)}
        for file in files:
            if _is_notebook(file) or _stem(file) not in notebooks:
                yield _stem(file), file
        if len(files) != 1:
            # Beside a single notebook an archive holds its data.
            yield from ((_stem(path), path) for path in self._archives[self._root])

    def _chosen(self, folder: Path) -> list[Path]:
        """Return the file of the assignment's name, or else all notebooks, all scripts, all archives."""
        files = self._files[folder]
        notebooks = [file for file in files if _is_notebook(file)]
        for candidates in (notebooks, files):
            named = [file for file in candidates if self._is_named(file)]
            if named:
                return named[:1]
        return notebooks or list(files) or self._archives[folder]


def _of_student(student: str, files: Sequence[Path]) -> Iterator[Found]:
    """Yield the files of one student, each under a name of its own where there are several."""
    for file in files:
        yield student if len(files) == 1 else f"{student} {_stem(file)}", file


def _may_be_submission(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _is_notebook(path: Path) -> bool:
    return path.name.lower().endswith(NOTEBOOKS)


def _stem(path: Path) -> str:
    """Return the name of a file without the endings that say what it is."""
    name = path.name
    for suffix in (*ARCHIVES, *NOTEBOOKS[::-1], ".py"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return name


def _visible(student: str) -> str:
    """Return a name that a person can see, whatever signs it is made of."""
    seen = any(unicodedata.category(sign)[0] in _VISIBLE and sign not in _BLANK for sign in student)
    return student if seen else "unnamed"


def _student_of_file(path: Path, assignment: str) -> str:
    """Return whose a single file is: of the folder around it where the file has the assignment's name."""
    around = [part for part in path.parent.parts if part not in (".", "..", "/", path.anchor)]
    if _stem(path) != assignment:
        return _stem(path)
    while around and around[-1] == assignment:
        around.pop()
    return around[-1] if around else _stem(path)


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
