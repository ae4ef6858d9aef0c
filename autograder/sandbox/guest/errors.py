"""Exceptions of a student's code as short plain text, without frames of the grader."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from autograder.sandbox.guest.plain import name, text, type_name, without_paths

_OURS = str(Path(__file__).resolve().parents[1])
_FOREIGN = ("IPython", "traitlets")
_FRAMES_LIMIT = 12
_LAST_FRAMES = 3
CELL_FILE = "<cell {}>"


def error_text(error: BaseException, cell_file: str | None = None) -> dict[str, Any]:
    """Return the record of an exception; ``line`` is the innermost line in the cell's own code, where there is one."""
    return {"type": type_name(error), "message": _message(error), "line": _line(error, cell_file)}


def traceback_text(error: BaseException, cell_file: str) -> str:
    """Return a traceback as plain text, without frames of IPython and of this package."""
    lines = []
    frames = [entry for entry in _entries(error) if not _hidden(entry.filename)]
    # The notebook's own lines, and where the error came up below them.
    shown = [entry for entry in frames[:-_LAST_FRAMES] if entry.filename.startswith("<cell")] + frames[-_LAST_FRAMES:]
    if len(shown) > _FRAMES_LIMIT:
        lines.append(f"({len(shown) - _FRAMES_LIMIT} lines left out)")
        shown = shown[: _FRAMES_LIMIT // 2] + shown[-_FRAMES_LIMIT // 2 :]
    for entry in shown:
        file = entry.filename
        place = file.strip("<>") if file.startswith("<cell") else name(Path(file).name)
        lines.append(f"{place}, line {entry.lineno}, in {entry.name}")
        if entry.line:
            lines.append(f"    {entry.line.strip()}")
    if isinstance(error, SyntaxError):
        lines.append(f"{cell_file.strip('<>')}, line {error.lineno}")
        lines.append(f"    {str(error.text or '').strip()}")
    lines.append(f"{type_name(error)}: {_message(error)}")
    return text("\n".join(lines))


def first_line(error: BaseException, cell_file: str) -> int | None:
    """Return the line of the cell's own top level at which an exception came up."""
    lines = _cell_lines(error, cell_file)
    return lines[0] if lines else None


def _message(error: BaseException) -> str:
    return without_paths(text(error.msg if isinstance(error, SyntaxError) else error))


def _line(error: BaseException, cell_file: str | None) -> int | None:
    if cell_file is None:
        return None
    if isinstance(error, SyntaxError) and error.filename in (cell_file, None):
        return error.lineno if type(error.lineno) is int and error.lineno >= 0 else None
    lines = _cell_lines(error, cell_file)
    return lines[-1] if lines else None


def _cell_lines(error: BaseException, cell_file: str) -> list[int]:
    lines: list[int] = []
    entry = _traceback(error)
    while entry is not None and len(lines) < 10_000:
        if entry.tb_frame.f_code.co_filename == cell_file and entry.tb_lineno is not None:
            lines.append(entry.tb_lineno)
        entry = entry.tb_next
    return lines


def _entries(error: BaseException) -> list[traceback.FrameSummary]:
    try:
        return list(traceback.extract_tb(_traceback(error), limit=-200))
    except Exception:
        return []


def _traceback(error: BaseException) -> TracebackType | None:
    return BaseException.__dict__["__traceback__"].__get__(error)  # type: ignore[no-any-return]


def _hidden(file: str) -> bool:
    return file.startswith(_OURS) or any(f"/{package}/" in file for package in _FOREIGN)
