"""What must not be released, and where a released notebook holds it all the same.

Secrets are the solution regions of the source notebook and the hidden checks. A statement is recognised by
its syntax tree, so that layout does not hide it, and by its text with all spaces left out, so that it is
found in comments, in text cells, in metadata and in attachments too. Lines that say too little to be
secret (imports, ``plt.show()``, a single name) do not count.
"""

from __future__ import annotations

import ast
import base64
import binascii
import json
import keyword
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder import syntax
from autograder.assignment import BEGIN, END, place

TOKENS = 4
"""Names, numbers, texts and operators that a statement must hold to be worth hiding."""
PROSE_WORDS = 6
SQUEEZED_LENGTH = 10
_TOKEN = re.compile(r"""[A-Za-z_]\w*|\d[\w.]*|"[^"\n]*"|'[^'\n]*'|[-+*/%@<>=!&|^~]+""")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*\n(.*?)^[ \t]*(?:```|~~~)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Leak:
    """A secret that was found: where, what, and from where it comes."""

    where: str
    what: str
    origin: str

    def __str__(self) -> str:
        """Say it in one sentence, for the instructor."""
        return f"{self.where} shows {self.what!r}, which belongs to {self.origin}."


@dataclass
class Secrets:
    """Statements, by their syntax tree, and texts, by their letters; each with what it is and its origin."""

    statements: dict[str, tuple[str, str]] = field(default_factory=dict)
    texts: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add_code(self, source: str, origin: str, *, comments: bool) -> None:
        """Hide every statement and every line of a piece of code, the comments too where asked for."""
        source = textwrap.dedent(source)
        tree = syntax.parse(source)
        texts = set() if tree is None else _constant_lines(tree)
        for node in syntax.statements(tree) if tree else ():
            shown = _text(node)
            if shown and is_telling(shown):
                self.statements.setdefault(syntax.text_of(syntax.head(node)), (shown, origin))
                self._add_text(shown, origin)
        for number, line in enumerate(source.split("\n"), start=1):
            comment = line.strip().lstrip("# ") if line.strip().startswith("#") else None
            if number in texts or (comment is not None and not comments):
                continue
            if comment is not None:
                self._add_comment(comment, origin)
            elif is_telling(line) and not line.lstrip().startswith(("import ", "from ", "def ", "@")):
                self._add_text(line, origin)

    def _add_comment(self, comment: str, origin: str) -> None:
        """Hide a comment that is a sentence, or code."""
        self._add_prose(comment, origin)
        if is_telling(comment) and re.search(r"[=(]", comment) and syntax.parse(comment) is not None:
            self._add_text(comment, origin)

    def add_prose(self, text: str, origin: str) -> None:
        """Hide every line and every sentence of a text."""
        for part in [*text.split("\n"), *re.split(r"(?<=[.!?:;])\s", " ".join(text.split()))]:
            self._add_prose(part, origin)

    def _add_prose(self, part: str, origin: str) -> None:
        if len(re.findall(r"\w{2,}", part)) >= PROSE_WORDS:
            self._add_text(part, origin)

    def _add_text(self, text: str, origin: str) -> None:
        squeezed = squeeze(text)
        if len(squeezed) >= SQUEEZED_LENGTH:
            self.texts.setdefault(squeezed, (text.strip()[:80], origin))


def squeeze(text: str) -> str:
    """Return a text without spaces, case, kinds of quotes and commas before a closing bracket."""
    plain = re.sub(r"\s+", "", text).replace("'", '"').casefold()
    return re.sub(r",(?=[)\]}])", "", plain).rstrip(",;")


def is_telling(code: str) -> bool:
    """Tell whether a statement says enough to be a secret."""
    if re.match(r"\s*(import|from)\s", code):
        return False
    return (
        sum(not keyword.iskeyword(token) or token in ("True", "False", "None") for token in _TOKEN.findall(code))
        >= TOKENS
    )


def _text(node: ast.stmt) -> str:
    """Return a statement as canonical text, empty for imports and bare texts; of a compound one its head."""
    if isinstance(node, (ast.Import, ast.ImportFrom)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ):
        return ""
    try:
        return ast.unparse(syntax.head(node)).rstrip(":\n ")
    except (RecursionError, ValueError):
        return ""


def _constant_lines(tree: ast.Module) -> set[int]:
    """Return the lines of docstrings: students read them in reports, they are no secret."""
    lines: set[int] = set()
    for node in syntax.statements(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def secrets(document: Mapping[str, Any], tests: Path) -> Secrets:
    """Collect what a source notebook (as JSON) and a folder of hidden checks must not show to students."""
    found = Secrets()
    for index, cell in enumerate(document["cells"]):
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        for region in regions(cell["source"]):
            origin = f"the solution of {place(index, grade_id)}"
            if cell["cell_type"] == "code":
                found.add_code(region, origin, comments=True)
            else:
                found.add_prose(region, origin)
    for path in sorted(tests.glob("**/*.py")):
        found.add_code(path.read_text(encoding="utf-8"), f"the hidden checks in {path.name}", comments=True)
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
        yield from _in_code(f"The {where}", source, cell["cell_type"], hidden)
        yield from _in_text(f"The {where}", source, hidden)
        for name in ("metadata", "attachments", "outputs"):
            for text in _strings(cell.get(name)):
                yield from _in_text(f"The {name} of {where}", text, hidden)
                yield from _in_text(f"The {name} of {where}", _decoded(text), hidden)
    for text in _strings(document.get("metadata")):
        yield from _in_text("The metadata of the notebook", text, hidden)


def _in_code(where: str, source: str, cell_type: str, hidden: Secrets) -> Iterator[Leak]:
    """Compare statement by statement: the cell itself, fenced code in a text, code in comments."""
    pieces = [source, *_comment_blocks(source)] if cell_type == "code" else [m[1] for m in _FENCE.finditer(source)]
    for piece in pieces:
        tree = syntax.parse(textwrap.dedent(piece))
        for node in syntax.statements(tree) if tree else ():
            found = hidden.statements.get(syntax.text_of(syntax.head(node)))
            if found is not None:
                yield Leak(where, *found)


def _comment_blocks(source: str) -> Iterator[str]:
    for block in re.findall(r"(?:^[ \t]*#[^\n]*\n?)+", source, re.MULTILINE):
        yield re.sub(r"(?m)^[ \t]*#+ ?", "", block)


def _in_text(where: str, text: str, hidden: Secrets) -> Iterator[Leak]:
    views = {squeeze(text), squeeze(re.sub(r"(?m)^[ \t]*[#>|]+", "", text))}
    views = {view for view in views if len(view) >= SQUEEZED_LENGTH}
    for squeezed, (shown, origin) in hidden.texts.items() if views else ():
        if any(squeezed in view for view in views):
            yield Leak(where, shown, origin)


def _in_file(path: Path, hidden: Secrets) -> Iterator[Leak]:
    text = path.read_bytes().decode("utf-8", "replace")
    try:
        texts = [*_strings(json.loads(text)), text]
    except (ValueError, RecursionError):
        texts = [text]
    for part in texts:
        yield from _in_text(f"The file {path.name}", part, hidden)


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


def _decoded(text: str) -> str:
    """Return what a text in base64 holds, as Latin-1; empty for any other text."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("latin-1") if len(text) >= 16 else ""
    except (binascii.Error, ValueError):
        return ""
