"""What is handed in is no notebook, or more than one: files, folders, archives and names."""

from __future__ import annotations

import io
import json
import os
import pickle
import socket
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Place = Path
"""The folder of one student, or of one archive."""


@dataclass(frozen=True)
class Made:
    """What a delivery is made from: the honest notebook as text, and a marker file of the host."""

    notebook: str
    marker: Path
    planted: Path


@dataclass(frozen=True)
class Delivery:
    """Something handed in. ``make`` writes it to the file where the notebook is expected.

    ``refused``: it is not gradable, by the student's fault; otherwise it is graded as the honest notebook is.
    ``student`` is the name of the student's folder, where that is the attack.
    """

    claim: str
    stopped_by: str
    make: Callable[[Path, Made], Any]
    refused: bool = True
    student: str | bytes = ""


REGULAR = "regular files alone are opened, without following a link"
SIZE = "the size is known before anything is read"
JSON = "JSON is bounded in parts, digits and depth"
TEXT = "what is no notebook is refused in a sentence"
NAMES = "names are cleaned for people, and made safe for folders"


def write(text: str | bytes) -> Callable[[Path, Made], Any]:
    """Return a delivery that is a file of this content."""
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return lambda path, made: path.write_bytes(content)


def honest(path: Path, made: Made) -> None:
    path.write_text(made.notebook, encoding="utf-8")


def unix_socket(path: Path, made: Made) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        server.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)


def device(path: Path, made: Made) -> None:
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        path.symlink_to("/dev/zero")


def sparse(path: Path, made: Made) -> None:
    with path.open("wb") as file:
        file.truncate(600 * 2**20)


def shadowed(path: Path, made: Made) -> None:
    """Put modules and settings beside the notebook that tell, by a file, when anything takes them."""
    honest(path, made)
    trap = f"open({str(made.planted)!r}, 'w').write('shadow')\n"
    names = (
        "numpy",
        "keras",
        "tensorflow",
        "sitecustomize",
        "usercustomize",
        "conftest",
        "pytest",
        "json",
        "autograder",
    )
    for folder in (path.parent, path.parent.parent):
        for name in names:
            (folder / f"{name}.py").write_text(trap, encoding="utf-8")
        (folder / "evil.pth").write_text(f"import os; {trap}", encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n", encoding="utf-8")
        (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '--co'\n", encoding="utf-8")
        (folder / ".env").write_text("PYTEST_ADDOPTS=--co\n", encoding="utf-8")
        (folder / "nbgrader_config.py").write_text(trap, encoding="utf-8")


class Trap:
    """What touches a file when it is unpickled."""

    def __init__(self, planted: Path) -> None:
        self.planted = planted

    def __reduce__(self) -> Any:
        return open, (str(self.planted), "w")


def with_models(path: Path, made: Made) -> None:
    """Put files beside the notebook which run code, or blow up, where they are opened."""
    honest(path, made)
    trap = pickle.dumps(Trap(made.planted))
    for name in ("model.pkl", "weights.pickle", "model.dill", "model.joblib", "labels.npy"):
        (path.parent / name).write_bytes(trap)
    (path.parent / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\xff" * 4096)
    with zipfile.ZipFile(path.parent / "data.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", bytes(100_000_000))
        archive.writestr("y.npy", b"\x93NUMPY\x01\x00" + trap)
    with zipfile.ZipFile(path.parent / "model.keras", "w") as archive:
        archive.writestr(
            "config.json", json.dumps({"module": "os", "class_name": "system", "config": {"command": "true"}})
        )
        archive.writestr("../../../planted", "planted")


def pickled(path: Path, made: Made) -> None:
    path.write_bytes(pickle.dumps(Trap(made.planted)))


def linked_folder(path: Path, made: Made) -> None:
    path.parent.rmdir()
    path.parent.symlink_to(made.marker.parent, target_is_directory=True)


DELIVERIES = [
    Delivery("a link to a file of the host", REGULAR, lambda path, made: path.symlink_to(made.marker)),
    Delivery("a link to itself", REGULAR, lambda path, made: path.symlink_to(path)),
    Delivery("a folder that is a link to a folder of the host", REGULAR, linked_folder),
    Delivery("a pipe that nobody writes to", REGULAR, lambda path, made: os.mkfifo(path)),
    Delivery("a socket", REGULAR, unix_socket),
    Delivery("a device without an end", REGULAR, device),
    Delivery("a folder in the place of the notebook", REGULAR, lambda path, made: (path / "x").mkdir(parents=True)),
    Delivery(
        "a hard link",
        "a second name is told, and nothing is written to it",
        lambda path, made: (honest(path.with_name("x.txt"), made), os.link(path.with_name("x.txt"), path)),
        refused=False,
    ),
    Delivery("a sparse file of six hundred megabytes", SIZE, sparse),
    Delivery("an empty file", TEXT, write("")),
    Delivery("brackets without end", JSON, write('{"cells": ' + "[" * 900_000)),
    Delivery("a million objects", JSON, write('{"cells": [' + "{}," * 1_100_000 + "{}]}")),
    Delivery("a number of a million digits", JSON, write('{"cells": [], "nbformat": ' + "9" * 1_000_000 + "}")),
    Delivery("a web page of comments without end", "each comment is read once", write("<!---->" * 1_000 + "{")),
    Delivery("a pickle", TEXT, pickled),
    Delivery("a notebook that is an HDF5 file", TEXT, write(b"\x89HDF\r\n\x1a\n" + bytes(1000))),
    Delivery("a list in the place of an object", TEXT, write("[" + "1," * 1000 + "1]")),
    Delivery("an unresolved merge", TEXT, write("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n")),
    Delivery(
        "a code cell of two million characters",
        SIZE,
        write(json.dumps({"cells": [{"cell_type": "code", "source": "x = 1\n" * 340_000, "metadata": {}}]})),
    ),
    Delivery(
        "five thousand cells",
        SIZE,
        write(json.dumps({"cells": [{"cell_type": "code", "source": "1", "metadata": {}}] * 5_000})),
    ),
    Delivery(
        "modules and settings beside the notebook", "the notebook alone enters the sandbox", shadowed, refused=False
    ),
    Delivery("models and pickles beside the notebook", "the notebook alone is opened", with_models, refused=False),
    Delivery("a student whose name is a script", NAMES, honest, False, "<script>alert(1)<'\">"),
    Delivery("a student whose name is a formula", NAMES, honest, False, "=HYPERLINK(1)"),
    Delivery("a student whose name is a command of a CI service", NAMES, honest, False, "::error::pwned"),
    Delivery("a student whose name is another service's command", NAMES, honest, False, "##[error]pwned"),
    Delivery("a student whose name colours the terminal", NAMES, honest, False, "\x1b[31m\x1b]0;pwned\x07red"),
    Delivery("a student whose name runs from right to left", NAMES, honest, False, "\u202egnp.exe\u2066"),
    Delivery("a student whose name has lines", NAMES, honest, False, "one\n::error::pwned\r\ntwo"),
    Delivery("a student whose name is no Unicode", NAMES, honest, False, b"\xff\xfe\x80name"),
    Delivery("a student whose name is a file of the results", NAMES, honest, False, "summary.json"),
    Delivery("a student whose name is an option", NAMES, honest, False, "--out=elsewhere"),
    Delivery("a student whose name is as long as can be", NAMES, honest, False, "long" * 63),
    Delivery("a student whose name shows nothing", NAMES, honest, False, "\u3164\u200b"),
]


def archive(members: list[tuple[str, bytes]], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of members; a member whose name ends in "@" is a link."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as packed:
        for name, content in members:
            information = zipfile.ZipInfo(name.rstrip("@"))
            information.compress_type = kind
            information.external_attr = ((stat.S_IFLNK if name.endswith("@") else stat.S_IFREG) | 0o777) << 16
            packed.writestr(information, content)
    return buffer.getvalue()


@dataclass(frozen=True)
class Archive:
    """A zip that is named on the command line.

    ``said`` is a part of what the grader says of it, ``student`` who is refused.
    """

    claim: str
    stopped_by: str
    make: Callable[[Made], bytes]
    said: str = ""
    student: str = ""


LINKS = "no member may be a link or leave its folder"

ARCHIVES = [
    Archive(
        "a zip whose members leave its folder",
        LINKS,
        lambda made: archive(
            [
                ("../../../escaped.ipynb", b"{}"),
                ("/tmp/escaped.ipynb", b"{}"),
                ("a/../../b/escaped.ipynb", b"{}"),
                ("..\\..\\escaped.ipynb", b"{}"),
                (f"{made.planted}.ipynb", b"{}"),
            ]
        ),
        "points out of its folder",
    ),
    Archive(
        "a zip of links",
        LINKS,
        lambda made: archive([("eve/autoencoders/autoencoders.ipynb@", str(made.marker).encode())]),
        "is a link",
    ),
    Archive(
        "a zip whose notebook is far larger than it says",
        "what comes out is counted",
        lambda made: archive([("bomb/autoencoders/autoencoders.ipynb", bytes(100 * 2**20))]),
        student="bomb",
    ),
    Archive(
        "a zip that unpacks to gigabytes in one piece",
        "ways to pack that can not be unpacked bit by bit are refused",
        lambda made: archive([("bomb2/autoencoders/autoencoders.ipynb", bytes(100 * 2**20))], zipfile.ZIP_BZIP2),
        "packed in an unusual way",
    ),
    Archive(
        "a zip of twenty thousand and one files",
        "members are counted first",
        lambda made: archive([(f"{n}.ipynb", b"") for n in range(20_001)], zipfile.ZIP_STORED),
        "holds more than",
    ),
    Archive(
        "a zip in which a file is a folder too",
        "what can not be unpacked is told, and the others are",
        lambda made: archive([("eve", b"x"), ("eve/autoencoders/autoencoders.ipynb", b"{}")]),
        "can not be read",
    ),
    Archive(
        "a zip in a zip",
        "an archive in an archive is not unpacked",
        lambda made: archive([("inner.zip", archive([("a.ipynb", b"{}")]))]),
        "is an archive itself",
    ),
    Archive("a zip that is cut off", TEXT, lambda made: archive([("a.ipynb", b"{}")])[:40], "no zip"),
]
