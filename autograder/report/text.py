"""Foreign text made safe to show: the one place where every renderer's text is cleaned.

Names of students, error messages, titles and outputs were written by people whom we do not
trust, or by their code. Here they lose what acts on a terminal, a page or a parser, and
are cut at a length. Quoting for one format (HTML, CSV) is the business of its renderer.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from datetime import UTC, datetime

TEXT_LIMIT = 8_000
LINE_LIMIT = 300
NAME_LIMIT = 100
_SUFFIX_LIMIT = 40
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
ELLIPSIS = "…"

# Terminal sequences: CSI (colours, cursor), strings up to their terminator (titles, links), two-byte ones.
_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    # What opens such a string is no part of it: else many of them would be looked at over and over.
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\x9d\x90\x98\x9e\x9f]*+(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-Z\\^-~]"
)
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029]")
# Marks, overrides and isolates of direction, invisible tags, and the byte-order mark.
_INVISIBLE = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
# Control characters other than tab and line feed, surrogates, and what XML forbids.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_FOLDER_NAMES = re.compile(r"[^\w.@+ ()-]+")
# In front of a formula some spreadsheets drop spaces, quotes and signs that are not seen; some know the wide and
# the small forms of its first sign. In many countries a semicolon begins the next cell, quoted or not.
_FORMULA = re.compile("(^|;)([\\s\"'`\u00ad\u180e\u200b-\u200d\u2060-\u2064\ufeff]*[=+\\-@\u2212＝＋－＠﹦﹢﹣﹫])")
# What the services that run commands of a build obey in its output: GitHub at the start of a line, whatever spaces
# stand there, and in its older form, as Azure and TeamCity, anywhere.
_LINE_COMMAND = re.compile(r"(?m)^([^\S\n]*):(?=:)")
_COMMAND = re.compile(r"##(\w*)\[")


def clean(value: str, limit: int = TEXT_LIMIT) -> str:
    """Return text without control characters, terminal sequences, surrogates and direction overrides.

    Line feeds and tabs stay. Text longer than ``limit`` characters is cut to less and says by how much;
    cleaning twice changes nothing more.
    """
    # What is far too long is cut first, so that the expressions below never see megabytes.
    text = value[: 2 * limit]
    text = _LINE_ENDS.sub("\n", _ANSI.sub("", text))
    text = _FORBIDDEN.sub(REPLACEMENT, _INVISIBLE.sub("", text))
    dropped = max(len(text) - limit, 0) + max(len(value) - 2 * limit, 0)
    if not dropped:
        return text
    kept = text[: limit - _SUFFIX_LIMIT].rstrip()
    dropped += min(len(text), limit) - len(kept)
    return f"{kept}{ELLIPSIS} ({dropped} more characters)"


def one_line(value: str, limit: int = LINE_LIMIT) -> str:
    """Return cleaned text on one line, cut with an ellipsis to at most ``limit`` characters."""
    text = " ".join(clean(value[: 4 * limit], 4 * limit).split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def csv_cell(value: str | float | int | None) -> str | float | int | None:
    """Return a cell that no spreadsheet takes for a formula, nor any part of it: such text gets an apostrophe."""
    if not isinstance(value, str):
        return value
    return _FORMULA.sub(r"\1'\2", one_line(value))


def without_commands(text: str) -> str:
    """Return text of which no line is a command to the service that runs a build and reads what it prints.

    ``::error::`` and ``##[error]`` lose one sign to another that looks like it, so that the text is as wide as before.
    """
    return _COMMAND.sub(r"##\1(", _LINE_COMMAND.sub("\\1\N{MODIFIER LETTER COLON}", text))


def folder_name(student: str) -> str:
    """Return a folder name for a student that is safe on every system.

    A plain name stays as it is. Where a character has to go, eight digits of a digest of the
    whole name are added, so that different students never share a folder.
    """
    name = _NOT_IN_FOLDER_NAMES.sub("_", unicodedata.normalize("NFC", clean(student, NAME_LIMIT)))
    # A dash in front would be an option to whoever works on the folders with a shell.
    name = name[:NAME_LIMIT].strip(" .").lstrip("- .") or "student"
    if name == student and not _is_reserved(name):
        return name
    digest = hashlib.sha256(student.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name}-{digest}"


def _is_reserved(name: str) -> bool:
    """Say whether Windows keeps the name for a device, or we keep it for a file beside the folders."""
    stem = name.partition(".")[0].strip().upper()
    device = stem in {"CON", "PRN", "AUX", "NUL"} or re.fullmatch(r"(COM|LPT)\d", stem) is not None
    return device or name.lower() in {"summary.json", "scores.csv", "index.html", "grader.log"}


def width(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return sum(_columns(character) for character in text)


def fit(text: str, columns: int) -> str:
    """Return one line of text, cut or padded to exactly ``columns`` columns of a terminal."""
    text = one_line(text)
    if width(text) > columns:
        while text and width(text) > columns - 1:
            text = text[:-1]
        text = text.rstrip() + ELLIPSIS
    return text + " " * (columns - width(text))


def timestamp(moment: datetime) -> str:
    """Return a moment as ISO 8601 has it, in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def points(value: float) -> str:
    """Return points as people write them: ``15``, ``7.5``."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
