"""What must not be released, and where a released notebook holds it all the same.

Secrets are the solution regions of the source notebook and the hidden checks. A statement is recognised by
its syntax tree, so that layout does not hide it, by its skeleton, so that other names of variables and another
order of keywords do not, and by its text with all spaces left out, so that it is found in comments, in text
cells, in metadata and in attachments too. Lines that say too little to be secret (imports, ``plt.show()``, a
single name) do not count. Telling numbers of the JSON files beside the hidden checks (thresholds, seeds) do.
"""

from __future__ import annotations

import ast
import base64
import binascii
import html
import io
import itertools
import json
import keyword
import re
import textwrap
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from autograder import syntax
from autograder.assignment import BEGIN, END, place
from autograder.errors import AssignmentError

TOKENS = 4
"""Names, numbers, texts and operators that a statement must hold to be worth hiding."""
PROSE_WORDS = 6
RUN_OF_WORDS = 10
"""Words of a written solution that no one writes in the same order by chance."""
SQUEEZED_LENGTH = 10
LETTERS_LENGTH = 16
"""Letters and digits that a text must hold to be looked for without everything else."""
SKELETON_WEIGHT = 5
"""Functions, attributes, keywords and constants that an expression must hold to be told by its skeleton."""
CHECK_WEIGHT = 8
"""The same for the hidden checks, which are written with the same everyday calls as any other code."""
_ARCHIVE_BYTES = 4 << 20
_PNG = b"\x89PNG\r\n\x1a\n"
_TOKEN = re.compile(r"""[A-Za-z_]\w*|\d[\w.]*|"[^"\n]*"|'[^'\n]*'|[-+*/%@<>=!&|^~]+""")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*\n(.*?)(?:^[ \t]*(?:```|~~~)|\Z)", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(`+)(.+?)\1|<(?:code|pre)>(.+?)</(?:code|pre)>", re.DOTALL)
_TAG = re.compile(r"<!--|-->|</?[A-Za-z][^<>]*>")
_PROMPT = re.compile(r"(?m)^[ \t]*(?:>>>|\.\.\.|In \[\d*\]:) ?")
_BULLET = re.compile(r"^[ \t]*(?:[-*+>|]+|\d+[.):])[ \t]*")
_NUMBER = re.compile(r"(?<![\w.])(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?!\w|\.\d)")


@dataclass(frozen=True)
class Leak:
    """A secret that was found: where, what, and from where it comes."""

    where: str
    what: str
    origin: str

    def __str__(self) -> str:
        """Say it in one sentence, for the instructor."""
        return (
            f"{self.where} shows {self.what!r}, which belongs to {self.origin}: take it out, or say it in other words."
        )


@dataclass
class Secrets:
    """What is hidden, in each of the forms in which it is looked for; each with what it is and its origin."""

    statements: dict[str, tuple[str, str]] = field(default_factory=dict)
    skeletons: dict[str, tuple[str, str]] = field(default_factory=dict)
    texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    letters: dict[str, tuple[str, str]] = field(default_factory=dict)
    numbers: dict[float, tuple[str, str]] = field(default_factory=dict)

    def add_code(self, source: str, origin: str, *, solution: bool) -> None:
        """Hide every statement and every line of a piece of code, the comments too."""
        source = textwrap.dedent(source)
        tree = syntax.parse(source)
        idle = set() if tree is None else _idle_lines(tree)
        for node in syntax.statements(tree) if tree else ():
            shown = _text(node)
            if shown and is_telling(shown):
                self.statements.setdefault(syntax.text_of(syntax.head(node)), (shown, origin))
                self._add_text(shown, origin)
            if shown:
                self._add_skeletons(node, origin, solution=solution)
        for number, line in enumerate(source.split("\n"), start=1):
            if number in idle:
                continue
            if line.strip().startswith("#"):
                self._add_comment(line.strip().lstrip("# "), origin)
            elif is_telling(line) and not line.lstrip().startswith(("import ", "from ", "def ", "@")):
                self._add_text(line, origin)

    def _add_skeletons(self, node: ast.stmt, origin: str, *, solution: bool) -> None:
        weight = SKELETON_WEIGHT if solution else CHECK_WEIGHT
        for expression in syntax.expressions(node, calls=solution):
            shown = ast.unparse(expression)[:80]
            for skeleton in (syntax.skeleton(expression), *(syntax.shorter_calls(expression) if solution else ())):
                if skeleton.weight >= weight:
                    self.skeletons.setdefault(skeleton.text, (shown, origin))

    def _add_comment(self, comment: str, origin: str) -> None:
        """Hide a comment that is a sentence, or code."""
        self._add_prose(comment, origin)
        if is_telling(comment) and re.search(r"[=(]", comment) and syntax.parse(comment) is not None:
            self._add_text(comment, origin)

    def add_prose(self, text: str, origin: str) -> None:
        """Hide every line, every sentence and every long run of words of a text."""
        words = text.split()
        for part in [*text.split("\n"), *re.split(r"(?<=[.!?:;])\s", " ".join(words))]:
            self._add_prose(part, origin)
        for start in range(len(words) - RUN_OF_WORDS + 1):
            self._add_prose(" ".join(words[start : start + RUN_OF_WORDS]), origin)

    def _add_prose(self, part: str, origin: str) -> None:
        if len(re.findall(r"\w{2,}", part)) >= PROSE_WORDS:
            self._add_text(part, origin)

    def _add_text(self, text: str, origin: str) -> None:
        shown = (text.strip()[:80], origin)
        squeezed, only = squeeze(text), letters(text)
        if len(squeezed) >= SQUEEZED_LENGTH:
            self.texts.setdefault(squeezed, shown)
        if len(only) >= LETTERS_LENGTH:
            self.letters.setdefault(only, shown)

    def add_numbers(self, value: Any, origin: str) -> None:
        """Hide the numbers of a piece of JSON that no one writes by chance: 0.0635, not 0.5 or 2000."""
        if isinstance(value, dict):
            for item in value.values():
                self.add_numbers(item, origin)
        elif isinstance(value, list):
            for item in value:
                self.add_numbers(item, origin)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            digits = re.sub(r"e.*|\D", "", repr(value)).strip("0")
            if len(digits) >= (3 if value % 1 else 5):
                self.numbers.setdefault(float(value), (repr(value), origin))


def squeeze(text: str) -> str:
    """Return a text without spaces, case, kinds of quotes and commas before a closing bracket."""
    plain = re.sub(r"\s+", "", text).replace("'", '"').casefold()
    return re.sub(r",(?=[)\]}])", "", plain).rstrip(",;")


def letters(text: str) -> str:
    """Return the letters and digits of a text alone: emphasis, escapes and line breaks hide nothing."""
    return re.sub(r"[\W_]+", "", text).casefold()


def is_telling(code: str) -> bool:
    """Tell whether a statement says enough to be a secret."""
    if re.match(r"\s*(import|from)\s", code):
        return False
    return (
        sum(not keyword.iskeyword(token) or token in ("True", "False", "None") for token in _TOKEN.findall(code))
        >= TOKENS
    )


def _text(node: ast.stmt) -> str:
    """Return a statement as canonical text, empty for imports and bare values; of a compound one its head."""
    if isinstance(node, (ast.Import, ast.ImportFrom)) or _is_idle(node):
        return ""
    try:
        return ast.unparse(syntax.head(node)).rstrip(":\n ")
    except (RecursionError, ValueError):
        return ""


def _idle_lines(tree: ast.Module) -> set[int]:
    """Return the lines that are no secret: docstrings, which reports show, and values that are only looked at."""
    lines: set[int] = set()
    for node in syntax.statements(tree):
        if _is_idle(node):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def _is_idle(node: ast.stmt) -> bool:
    plain = (ast.Constant, ast.Name, ast.Attribute, ast.Tuple, ast.expr_context)
    return isinstance(node, ast.Expr) and all(isinstance(part, plain) for part in ast.walk(node.value))


def secrets(document: Mapping[str, Any], tests: Path) -> Secrets:
    """Collect what a source notebook (as JSON) and a folder of hidden checks must not show to students."""
    found = Secrets()
    for index, cell in enumerate(document["cells"]):
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        for region in regions(cell["source"]):
            origin = f"the solution of {place(index, grade_id)}"
            if cell["cell_type"] == "code":
                found.add_code(region, origin, solution=True)
            else:
                found.add_prose(region, origin)
    for path in sorted(tests.glob("**/*.py")):
        found.add_code(path.read_text(encoding="utf-8"), f"the hidden checks in {path.name}", solution=False)
    for path in sorted(tests.glob("**/*.json")):
        try:
            found.add_numbers(json.loads(path.read_text(encoding="utf-8")), f"the hidden checks in {path.name}")
        except ValueError as error:
            raise AssignmentError(f"{path} is no JSON ({error}): mend it, or write it again.") from error
    return found


def regions(source: str) -> Iterator[str]:
    """Yield the solution regions of a cell, without their markers."""
    lines: list[str] | None = None
    for line in source.split("\n"):
        if BEGIN in line:
            lines = []
        elif END in line and lines is not None:
            yield "\n".join(lines)
            lines = None
        elif lines is not None:
            lines.append(line)


def search(folder: Path, notebook: Path, hidden: Secrets) -> list[Leak]:
    """Return every leak in a release folder: in the notebook, cell by cell, and in the files beside it."""
    leaks = list(_search_notebook(json.loads(notebook.read_text(encoding="utf-8")), hidden))
    for path in sorted(folder.glob("**/*")):
        if path.is_file() and path != notebook:
            leaks.extend(_in_file(path, hidden))
    return list(dict.fromkeys(leaks))


def _search_notebook(document: Mapping[str, Any], hidden: Secrets) -> Iterator[Leak]:
    for index, cell in enumerate(document["cells"]):
        where = place(index, cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", ""))
        source = "".join(cell["source"])
        pieces = _pieces_of_code(source) if cell["cell_type"] == "code" else _pieces_of_text(source)
        yield from _in_pieces(f"The {where}", pieces, hidden)
        yield from _in_text(f"The {where}", source, hidden)
        for name, value in cell.items():
            if name not in ("source", "cell_type"):
                yield from _in_json(f"The {name} of {where}", value, hidden)
    for name, value in document.items():
        if name != "cells":
            yield from _in_json("The metadata of the notebook", {name: value}, hidden)


def _pieces_of_code(source: str) -> Iterator[str]:
    """Yield what may be Python in a code cell: the cell itself, its comments and its texts."""
    yield source
    for block in re.findall(r"(?:^[ \t]*#[^\n]*\n?)+", source, re.MULTILINE):
        yield re.sub(r"(?m)^[ \t]*#+ ?", "", block)
    for line in source.split("\n"):
        yield line.partition("#")[2]
    tree = syntax.parse(source)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.split("\n")


def _pieces_of_text(source: str) -> Iterator[str]:
    """Yield what may be Python in a text: fenced code, code marks, each line."""
    plain = html.unescape(source)
    for match in _FENCE.finditer(plain):
        yield _PROMPT.sub("", match[1])
    for match in _SPAN.finditer(plain):
        yield match[2] or match[3]
    for line in _TAG.sub("\n", plain).split("\n"):
        yield _BULLET.sub("", line).rstrip("| ")


def _in_pieces(where: str, pieces: Iterator[str], hidden: Secrets) -> Iterator[Leak]:
    """Compare statement by statement, and expression by expression."""
    for piece in pieces:
        tree = syntax.parse(textwrap.dedent(piece).strip().rstrip(",")) if "(" in piece or "=" in piece else None
        for node in syntax.statements(tree) if tree else ():
            found = hidden.statements.get(syntax.text_of(syntax.head(node)))
            if found is not None:
                yield Leak(where, *found)
                continue
            for expression in syntax.expressions(node, calls=True):
                forms = (syntax.skeleton(expression), syntax.skeleton(expression, rename=False))
                hits = (hidden.skeletons.get(form.text) for form in forms)
                yield from (Leak(where, *hit) for hit in hits if hit is not None)


def _in_text(where: str, text: str, hidden: Secrets) -> Iterator[Leak]:
    plain = unquote(html.unescape(text))
    unquoted = _PROMPT.sub("", re.sub(r"(?m)^[ \t]*[#>|]+", "", plain))
    if len(plain) < 3:
        return
    views = {squeeze(text), squeeze(plain), squeeze(unquoted)}
    for squeezed, (shown, origin) in hidden.texts.items():
        if any(squeezed in view for view in views):
            yield Leak(where, shown, origin)
    alone = {letters(plain), letters(unquoted)}
    for secret, (shown, origin) in hidden.letters.items():
        if any(_stands_in(secret, view) for view in alone):
            yield Leak(where, shown, origin)
    for match in _NUMBER.finditer(plain) if hidden.numbers else ():
        found = hidden.numbers.get(float(match[0]))
        if found is not None:
            yield Leak(where, *found)


def _stands_in(secret: str, view: str) -> bool:
    """Tell whether a text holds another one, whose numbers at its ends are not parts of longer ones."""
    start = view.find(secret)
    while start >= 0:
        before, after = view[start - 1 : start], view[start + len(secret) :][:1]
        if not (secret[0].isdigit() and before.isdigit()) and not (secret[-1].isdigit() and after.isdigit()):
            return True
        start = view.find(secret, start + 1)
    return False


def _in_json(where: str, value: Any, hidden: Secrets) -> Iterator[Leak]:
    for text in _strings(value):
        yield from _in_text(where, text, hidden)
        for content in _contents(_decoded(text)):
            yield from _in_text(where, content.decode("latin-1"), hidden)


def _in_file(path: Path, hidden: Secrets) -> Iterator[Leak]:
    where = f"The file {path.name}"
    for content in _contents(path.read_bytes()):
        text = content.decode("utf-8", "replace")
        try:
            parts = [*_strings(json.loads(text)), text]
        except (ValueError, RecursionError):
            parts = [text]
        for part in parts:
            yield from _in_text(where, part, hidden)
        if path.suffix in (".py", ".md", ".txt", ".ipynb"):
            pieces = itertools.chain.from_iterable(map(_pieces_of_code, parts))
            yield from _in_pieces(where, pieces, hidden)


def _contents(data: bytes) -> Iterator[bytes]:
    """Yield a file's content, and what is packed in it: a zip's members, the remarks in a PNG."""
    yield data
    if data.startswith(_PNG):
        yield from _remarks_of_png(data)
    elif data.startswith(b"PK"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for member in archive.infolist()[:100]:
                    with archive.open(member) as packed:
                        yield packed.read(_ARCHIVE_BYTES)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, zlib.error):
            return


def _remarks_of_png(data: bytes) -> Iterator[bytes]:
    """Yield the compressed remarks of a picture; the others can be read in it as they are."""
    start = len(_PNG)
    while start + 8 <= len(data):
        length, kind = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8]
        remark = data[start + 8 : start + 8 + length].partition(b"\0")[2]
        start += 12 + length
        if kind == b"zTXt":
            packed = remark[1:]
        elif kind == b"iTXt" and remark[:1] == b"\1":
            packed = remark[2:].split(b"\0", 2)[-1]
        else:
            continue
        try:
            yield zlib.decompressobj().decompress(packed, _ARCHIVE_BYTES)
        except zlib.error:
            continue


def _strings(value: Any) -> Iterator[str]:
    """Yield every text in a piece of JSON, lists of lines joined, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        if value and all(isinstance(item, str) for item in value):
            yield "".join(value)
        else:
            for item in value:
                yield from _strings(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _strings(item)


def _decoded(text: str) -> bytes:
    """Return what a text in base64 holds; empty for any other text."""
    try:
        return base64.b64decode("".join(text.split()), validate=True) if len(text) >= 16 else b""
    except (binascii.Error, ValueError):
        return b""
