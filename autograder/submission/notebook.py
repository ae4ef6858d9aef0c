"""A notebook file as plain cells: whatever its age, encoding and form, and refused when it is none.

The file is hostile: it is opened without following links, its size is known before it is read,
and only sources and a few fields of the metadata are kept. Outputs are dropped.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from autograder.errors import SubmissionError
from autograder.submission import script

FILE_LIMIT = 20 * 2**20
"""Bytes of one file; a notebook above it holds outputs that nobody needs for grading."""
CELL_COUNT_LIMIT = 2_000
CELL_SOURCE_LIMIT = 1_000_000
"""Characters of one cell."""
CODE_LIMIT = 1_000_000
"""Characters of all code cells."""
PART_LIMIT = 1_000_000
"""Lists and objects in the JSON of one notebook."""

_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FOLDER_LIMIT, _SHOWN_IN_FOLDER = 1_000, 3
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a symbolic link",
}


@dataclass(frozen=True)
class RawCell:
    """One cell as it stands in the file. ``nbgrader`` is its metadata under that name, or empty.

    Of what was recorded when it ran, only this is kept: ``was_run``, and the ``totals`` of parameters that Keras's
    summaries had in its output.
    """

    position: int
    cell_type: Literal["code", "markdown"]
    source: str
    nbgrader: Mapping[str, Any] = field(default_factory=dict)
    was_run: bool = False
    totals: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Notebook:
    """The cells of one file, in order. A ``.py`` export (``from_script``) does not show all their borders."""

    cells: tuple[RawCell, ...]
    metadata: Mapping[str, Any]
    notes: tuple[str, ...]
    from_script: bool


_SIGNATURES = (
    (b"\x1f\x8b", "packed with gzip: unpack it first"),
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"),
    (b"%PDF", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "an office document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"\x89HDF", "saved weights or a saved model"),
)
# What a summary of Keras ends with, whatever styles of a terminal stand between the words and the number.
_TOTAL = re.compile(r"Total params:(?:\x1b\[[\d;]{0,20}m|\s){0,8}(\d[\d,]{0,15})")
_TOTALS_LIMIT, _OUTPUT_LIMIT = 20, 200_000
# Each comment is taken once and for all: to try other ends would take ages where many comments stand.
_WEB_PAGE = re.compile(r"\s*(?:(?><!--.*?-->)\s*+)*+<(?:!doctype html|html|head|script)\b", re.IGNORECASE | re.DOTALL)
_DIGITS_LIMIT = 1_000
"""Digits of a number in the JSON; Python refuses longer ones, and nothing that is read here is a number."""


def shown(name: str) -> str:
    """Return a file name as it may be printed: without control or direction characters, at most 120 long."""
    visible = "".join("\ufffd" if unicodedata.category(c)[0] == "C" else c for c in name)
    return visible if len(visible) <= 120 else visible[:100] + "…" + visible[-19:]


def read(path: Path) -> Notebook:
    """Read a notebook or a ``.py`` export; raise SubmissionError on anything that is neither."""
    name = shown(path.name)
    content, notes = read_file(path)
    for signature, kind in _SIGNATURES:
        if content.startswith(signature):
            raise SubmissionError(f"{name} is {kind}. Hand in the .ipynb file itself.")
    text, note = _decoded(content)
    notes += (note,) if note else ()
    if not text.strip("\0 \t\r\n"):
        raise SubmissionError(f"{name} is empty: save the notebook, then hand it in again.")
    if path.suffix.lower() == ".py" and not _looks_like_notebook(text):
        return _from_script(text, name, notes)
    return _from_json(text, name, notes)


def items(path: Path) -> list[Any]:
    """Return the cells of a notebook as they stand in its JSON, hostile as they are; none of a ``.py`` export.

    They have the order and the positions that ``read`` counts by. Raises SubmissionError where there is no JSON.
    """
    text, _ = _decoded(read_file(path)[0])
    if path.suffix.lower() == ".py" and not _looks_like_notebook(text):
        return []
    return _cell_items(_document(text, shown(path.name))) or []


def read_file(path: Path) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a regular file within FILE_LIMIT, and notes; raise SubmissionError on all else."""
    name = shown(path.name)
    try:
        before = os.lstat(path)
        if stat.S_ISDIR(before.st_mode):
            raise SubmissionError(_of_folder(path))
        if not stat.S_ISREG(before.st_mode):
            raise SubmissionError(f"{name} is {_kind(before)}: hand in the notebook file itself.")
        descriptor = os.open(path, _OPEN_FLAGS)
    except (OSError, ValueError) as error:
        raise SubmissionError(f"{name} can not be opened: {_reason(error)}.") from error
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        # Looked at before, so that no device is opened; compared, so that nobody swaps the file between.
        if not stat.S_ISREG(status.st_mode) or not os.path.samestat(before, status):
            raise SubmissionError(f"{name} is {_kind(status)}: hand in the notebook file itself.")
        try:
            content = stream.read(FILE_LIMIT + 1)
        except OSError as error:
            raise SubmissionError(f"{name} can not be read: {_reason(error)}.") from error
    if len(content) > FILE_LIMIT:
        raise SubmissionError(
            f"{name} is larger than {FILE_LIMIT // 2**20} MB: clear all outputs, save, and hand it in again."
        )
    linked = (f"{name} has a second name on this disk (a hard link).",) if status.st_nlink > 1 else ()
    return content, linked


def _of_folder(path: Path) -> str:
    """Return what is wrong with a folder in the place of a notebook, with what is in it instead."""
    name = shown(path.name)
    with os.scandir(path) as entries:
        inside = sorted(entry.name for entry in islice(entries, _FOLDER_LIMIT) if not entry.name.startswith("."))
    if not inside:
        return f"{name} is a folder with nothing in it: hand in the notebook file itself."
    more = f" and {len(inside) - _SHOWN_IN_FOLDER} more" if len(inside) > _SHOWN_IN_FOLDER else ""
    listed = ", ".join(shown(file) for file in inside[:_SHOWN_IN_FOLDER]) + more
    return f"{name} is a folder without a notebook; it holds {listed}. Hand in the notebook file itself."


def _kind(status: os.stat_result) -> str:
    return _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "it is a symbolic link; hand in the notebook file itself"
    return (error.strerror or "it is not there") if isinstance(error, OSError) else "its name is not valid"


def _decoded(content: bytes) -> tuple[str, str | None]:
    """Return the text in UTF-8, UTF-16 or UTF-32, with or without a mark; all else is read as Latin-1."""
    try:
        text = content.decode(json.detect_encoding(content))
    except ValueError:
        return content.decode("latin-1"), "The file is not in UTF-8; it was read as Latin-1."
    return text.removeprefix("\ufeff"), None


def _looks_like_notebook(text: str) -> bool:
    return text.lstrip().startswith("{") and '"cells"' in text


def _from_script(text: str, name: str, notes: tuple[str, ...]) -> Notebook:
    if "\0" in text:
        raise SubmissionError(f"{name} is not a Python file: export the notebook again, or hand in the notebook.")
    cells = tuple(
        RawCell(position, cell.cell_type, _clean(cell.source))
        for position, cell in enumerate(script.split(_with_line_feeds(text)))
    )
    if not cells:
        raise SubmissionError(f"{name} has no cells: export the notebook again, or hand in the notebook.")
    _check_sizes(cells, name)
    return Notebook(cells, {}, notes, from_script=True)


def _from_json(text: str, name: str, notes: tuple[str, ...]) -> Notebook:
    document = _document(text, name)
    items = _cell_items(document)
    if items is None:
        raise SubmissionError(f"{name} is not a notebook: it has no list of cells. Hand in the .ipynb file itself.")
    if len(items) > CELL_COUNT_LIMIT:
        raise SubmissionError(
            f"{name} has more than {CELL_COUNT_LIMIT} cells: hand in the assignment's notebook alone."
        )
    cells = tuple(cell for position, item in enumerate(items) if (cell := _raw_cell(position, item)) is not None)
    if not cells:
        raise SubmissionError(f"{name} has no cells: save the notebook, then hand it in again.")
    _check_sizes(cells, name)
    found = document.get("metadata")
    metadata = found if isinstance(found, dict) else {}
    return Notebook(cells, metadata, (*notes, *_language_notes(metadata)), from_script=False)


def _language_notes(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Say that a notebook was made for another language than Python; it is run as Python all the same."""
    for part in ("kernelspec", "language_info"):
        told = metadata.get(part)
        language = (
            (told.get("language") or (told.get("name") if part == "language_info" else None))
            if told and isinstance(told, dict)
            else None
        )
        if isinstance(language, str) and language and not language.lower().startswith(("python", "ipython")):
            return (f"The notebook was made for {shown(language)}, not for Python; its cells were run as Python.",)
    return ()


def _document(text: str, name: str) -> dict[str, Any]:
    if text.count("[") + text.count("{") > PART_LIMIT:
        raise SubmissionError(f"{name} holds more than {PART_LIMIT:,} parts: clear all outputs and hand it in again.")
    try:
        document = json.loads(text, strict=False, parse_int=_integer)
    except RecursionError as error:
        raise SubmissionError(f"{name} is nested too deeply for a notebook: save it again from Jupyter.") from error
    except ValueError as error:
        if re.search(r"^(<<<<<<<|>>>>>>>) ", text, re.MULTILINE):
            raise SubmissionError(f"{name} holds an unresolved merge of two versions: resolve it first.") from error
        raise SubmissionError(f"{name} is not a notebook: {_instead(text)}. Hand in the .ipynb file itself.") from error
    if not isinstance(document, dict):
        raise SubmissionError(f"{name} is not a notebook: it has no list of cells. Hand in the .ipynb file itself.")
    return document


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _DIGITS_LIMIT else 0


def _instead(text: str) -> str:
    """Say what a text that is not JSON is."""
    if _WEB_PAGE.match(text[:10_000]):
        return "it is a web page, perhaps one that asks to log in"
    if text.lstrip().startswith("{") and '"cells"' in text[:100_000]:
        return "its end is missing or it was damaged (its text is not JSON)"
    return "its text is not JSON"


def _cell_items(document: dict[str, Any]) -> list[Any] | None:
    """Return the cells of format 4 (``cells``) or of formats 2 and 3 (``worksheets``)."""
    cells = document.get("cells")
    if isinstance(cells, list):
        return cells
    worksheets = document.get("worksheets")
    if not isinstance(worksheets, list):
        return None
    sheets = [
        sheet["cells"] for sheet in worksheets if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)
    ]
    return [cell for sheet in sheets for cell in sheet]


def _raw_cell(position: int, item: Any) -> RawCell | None:
    """Return a code or text cell; None for what is neither executed nor read (raw cells, damaged ones)."""
    if not isinstance(item, dict):
        return None
    kind = item.get("cell_type")
    source = _clean(_joined(item.get("source", item.get("input"))))
    metadata = item.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    nbgrader = nbgrader if isinstance(nbgrader, dict) else {}
    if kind == "code":
        outputs = item.get("outputs")
        was_run = bool(outputs) or item.get("execution_count", item.get("prompt_number")) is not None
        return RawCell(position, "code", source, nbgrader, was_run, totals(_texts(outputs)))
    if kind == "heading":
        level = item.get("level")
        marks = "#" * (level if isinstance(level, int) and 1 <= level <= 6 else 1)
        return RawCell(position, "markdown", f"{marks} {source}", nbgrader)
    return RawCell(position, "markdown", source, nbgrader) if kind in ("markdown", "html") else None


def totals(text: str) -> frozenset[int]:
    """Return the numbers of parameters that summaries of models in a text end with, the first few."""
    found = islice(_TOTAL.finditer(text), _TOTALS_LIMIT)
    return frozenset(int(match[1].replace(",", "")) for match in found)


def _texts(outputs: Any) -> str:
    """Return the printed and shown texts of a cell, as far as they are looked at."""
    parts: list[str] = []
    for output in outputs if isinstance(outputs, list) else ():
        if isinstance(output, dict):
            data = output.get("data")
            shown_text = data.get("text/plain") if isinstance(data, dict) else None
            parts += [_joined(output.get("text"))[:_OUTPUT_LIMIT], _joined(shown_text)[:_OUTPUT_LIMIT]]
    return "\n".join(parts)[:_OUTPUT_LIMIT]


def _joined(source: Any) -> str:
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _clean(source: str) -> str:
    """Return a source with plain line ends and without lone surrogates, which no file could hold."""
    return _with_line_feeds(source).encode("utf-8", "replace").decode("utf-8")


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _check_sizes(cells: tuple[RawCell, ...], name: str) -> None:
    if len(cells) > CELL_COUNT_LIMIT:
        raise SubmissionError(
            f"{name} has more than {CELL_COUNT_LIMIT} cells: hand in the assignment's notebook alone."
        )
    for cell in cells:
        if len(cell.source) > CELL_SOURCE_LIMIT:
            raise SubmissionError(
                f"{name} has more than {CELL_SOURCE_LIMIT:,} characters in cell {cell.position + 1}: "
                "remove the data that was pasted into it."
            )
    if sum(len(cell.source) for cell in cells if cell.cell_type == "code") > CODE_LIMIT:
        raise SubmissionError(f"{name} has more than {CODE_LIMIT:,} characters of code: hand in your own work alone.")
