"""A ``.py`` export of a notebook, split into its cells again.

Three forms are known: Jupytext's and VS Code's ``# %%``, nbconvert's ``# In[3]:``, and Colab's, in which
text cells are bare strings in triple quotes, magics are commented out, and the borders between two code
cells are lost. Anything else is one code cell. Nothing is parsed as Python: a student's slip must not matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_PERCENT = re.compile(r"^# ?%%(?:[ \t]+(?P<title>.*))?$")
_PROMPT = re.compile(r"^# In\[[ \d*]*\]:\s*$")
_HEADER = re.compile(r"\A(?:#!.*\n)?(?:# ?-\*-.*\n)?(?:# ---\n(?:#.*\n)*?# ---\n)?")
_COLAB_MARK = "# Commented out IPython magic to ensure Python compatibility."
_MAGIC = re.compile(r"^(?P<indent>\s*)# ?(?P<magic>%{1,2}[A-Za-z].*|![A-Za-z].*)$")
_OPENING = re.compile(r"""#|"{3}|'{3}|["'\n]""")


@dataclass(frozen=True)
class ScriptCell:
    """One cell of an export."""

    cell_type: Literal["code", "markdown"]
    source: str


def split(text: str) -> list[ScriptCell]:
    """Return the cells of an export, in order, without empty ones."""
    lines = text.split("\n")
    if any(_PROMPT.match(line) for line in lines):
        cells = _split_prompts(_HEADER.sub("", text, count=1))
    elif any(_PERCENT.match(line) for line in lines):
        cells = _split_percent(_HEADER.sub("", text, count=1))
    else:
        cells = _split_strings(text)
    return [ScriptCell(cell.cell_type, cell.source.strip("\n")) for cell in cells if cell.source.strip()]


def _split_percent(text: str) -> list[ScriptCell]:
    cells: list[ScriptCell] = []
    title, lines = "", list[str]()
    for line in [*text.split("\n"), "# %%"]:
        marker = _PERCENT.match(line)
        if not marker:
            lines.append(line)
            continue
        if "[markdown]" in title or "[md]" in title:
            cells.append(ScriptCell("markdown", _uncommented_text("\n".join(lines))))
        else:
            cells.append(ScriptCell("code", _with_magics("\n".join(lines))))
        title, lines = marker["title"] or "", []
    return cells


def _uncommented_text(block: str) -> str:
    """Return the text of a markdown cell that is written as comments or as one string."""
    stripped = block.strip()
    for quotes in ('"""', "'''"):
        if stripped.startswith(quotes):
            return stripped.removeprefix(quotes).removesuffix(quotes)
    return "\n".join(re.sub(r"^# ?", "", line) for line in block.split("\n"))


def _split_prompts(text: str) -> list[ScriptCell]:
    """Split nbconvert's form: what follows a prompt is code, then comment blocks that are text cells."""
    cells: list[ScriptCell] = []
    for number, segment in enumerate(re.split(r"(?m)^# In\[[ \d*]*\]:\s*$", text)):
        blocks = re.split(r"\n{2,}", segment.strip("\n"))
        first_text = len(blocks)
        # The first block of a prompt is always code, even when it holds comments alone.
        while first_text > (1 if number else 0) and _only_comments(blocks[first_text - 1]):
            first_text -= 1
        cells.append(ScriptCell("code", _with_magics("\n\n".join(blocks[:first_text]))))
        cells.extend(ScriptCell("markdown", _uncommented_text(block)) for block in blocks[first_text:])
    return cells


def _only_comments(block: str) -> bool:
    return all(line.startswith("#") for line in block.split("\n"))


def _split_strings(text: str) -> list[ScriptCell]:
    """Split Colab's form at the bare strings; without any the whole text is one code cell."""
    cells: list[ScriptCell] = []
    end = 0
    for start, stop in _bare_strings(text):
        cells.extend(_colab_code(text[end:start]))
        cells.append(ScriptCell("markdown", text[start + 3 : stop - 3]))
        end = stop
    cells.extend(_colab_code(text[end:]))
    return cells


def _colab_code(segment: str) -> list[ScriptCell]:
    """Split at Colab's mark, which opens every cell with a magic, and bring the magics back."""
    first, *marked = segment.split(_COLAB_MARK)
    return [
        ScriptCell("code", first),
        *(ScriptCell("code", _with_magics(part.lstrip("\n"))) for part in marked),
    ]


def _with_magics(code: str) -> str:
    """Bring back commented magics; below a cell magic at the head every line loses its comment sign."""
    lines = code.split("\n")
    head = next((number for number, line in enumerate(lines) if line.strip()), 0)
    stop = next((number for number in range(head, len(lines)) if not lines[number].strip()), len(lines))
    first = _MAGIC.match(lines[head])
    # Colab comments the whole cell out, Jupytext the magic alone.
    if first and first["magic"].startswith("%%") and all(line.startswith("#") for line in lines[head:stop]):
        lines[head:stop] = [re.sub(r"^# ?", "", line) for line in lines[head:stop]]
    return "\n".join(_MAGIC.sub(r"\g<indent>\g<magic>", line) for line in lines)


def _bare_strings(text: str) -> list[tuple[int, int]]:
    """Return start and end of every string in triple quotes that stands alone, from the first column on."""
    found: list[tuple[int, int]] = []
    position = 0
    while (opening := _OPENING.search(text, position)) is not None:
        mark, start = opening[0], opening.start()
        position = opening.end()
        if mark == "#":
            line_end = text.find("\n", position)
            position = len(text) if line_end < 0 else line_end
        elif len(mark) == 3:
            stop = _closing(text, mark, position)
            if stop is None:
                break
            if _stands_alone(text, start, stop):
                found.append((start, stop))
            position = stop
        elif mark != "\n":
            position = _string_end(text, mark, position)
    return found


def _closing(text: str, quotes: str, position: int) -> int | None:
    """Return the end of a string in triple quotes, escaped quotes left aside; None when it never ends."""
    while (end := text.find(quotes, position)) >= 0:
        backslashes = 0
        while end - backslashes > position and text[end - backslashes - 1] == "\\":
            backslashes += 1
        if backslashes % 2 == 0:
            return end + 3
        position = end + 1
    return None


def _string_end(text: str, quote: str, position: int) -> int:
    while position < len(text) and text[position] not in (quote, "\n"):
        position += 2 if text[position] == "\\" else 1
    return position + 1 if position < len(text) and text[position] == quote else position


def _stands_alone(text: str, start: int, stop: int) -> bool:
    if start and text[start - 1] != "\n":
        return False
    line_end = text.find("\n", stop)
    rest = text[stop:] if line_end < 0 else text[stop:line_end]
    above = text[max(0, start - 200) : start].rstrip()
    return not rest.strip() and not above.endswith(("(", "[", "{", ",", "=", "\\"))
