"""What a student's notebook showed when it was handed in, as far as it may be shown again: texts and pictures.

Outputs are hostile: whoever grades looks at them in a browser that is logged in to the notebook server. HTML,
JavaScript, SVG and widgets are left out; texts are cleaned, pictures are decoded, looked at and encoded anew.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from autograder.report.text import clean, one_line

Output = dict[str, Any]

OUTPUTS_LIMIT = 40
"""Outputs of one cell."""
TEXT_LIMIT = 20_000
"""Characters of one output."""
PICTURE_LIMIT = 3 * 2**20
"""Bytes of one picture."""
NOTEBOOK_LIMIT = 16 * 2**20
"""Bytes of all pictures of a notebook."""
_SIGNATURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
_OLD_NAMES = {"png": "image/png", "jpeg": "image/jpeg"}
_NOT_SHOWN = "(Something was shown here that is neither text nor a picture.)"


class Saved:
    """The saved outputs of one notebook, cell by cell; pictures up to a bound in all."""

    def __init__(self) -> None:
        self._left = NOTEBOOK_LIMIT

    def outputs(self, item: Any) -> list[Output]:
        """Return what can be shown of a cell's outputs, in nbformat 4."""
        found = item.get("outputs") if isinstance(item, dict) else None
        if not isinstance(found, list):
            return []
        shown = [output for raw in found[:OUTPUTS_LIMIT] if isinstance(raw, dict) for output in self._output(raw)]
        if len(found) > OUTPUTS_LIMIT:
            shown.append(stream(f"({len(found) - OUTPUTS_LIMIT} more outputs)"))
        return shown

    def attachments(self, item: Any) -> dict[str, dict[str, str]]:
        """Return the pictures that are attached to a text cell."""
        found = item.get("attachments") if isinstance(item, dict) else None
        if not isinstance(found, dict):
            return {}
        pictures = {str(name): self._picture(data) for name, data in found.items() if isinstance(data, dict)}
        return {name: picture for name, picture in pictures.items() if picture}

    def _output(self, raw: Mapping[str, Any]) -> Iterator[Output]:
        kind = raw.get("output_type")
        if kind == "stream":
            yield stream(_text(raw.get("text")))
        elif kind in ("error", "pyerr"):
            lines = raw.get("traceback")
            trace = "\n".join(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else ""
            yield error(_text(raw.get("ename")), _text(raw.get("evalue")), trace)
        elif kind in ("display_data", "execute_result", "pyout"):
            data = raw.get("data")
            if not isinstance(data, dict):
                data = {**raw, "text/plain": raw.get("text"), **{new: raw.get(old) for old, new in _OLD_NAMES.items()}}
            picture = self._picture(data)
            plain = _text(data.get("text/plain"))
            if picture:
                yield display({**picture, "text/plain": clean(plain, TEXT_LIMIT)})
            elif plain:
                yield stream(plain)
            elif data:
                yield stream(_NOT_SHOWN)

    def _picture(self, data: Mapping[str, Any]) -> dict[str, str]:
        for kind, signature in _SIGNATURES.items():
            encoded = _text(data.get(kind))
            # Four characters are three bytes.
            if not encoded or len(encoded) > 1.5 * min(PICTURE_LIMIT, self._left):
                continue
            try:
                content = base64.b64decode("".join(encoded.split()), validate=True)
            except (binascii.Error, ValueError):
                continue
            if content.startswith(signature):
                self._left -= len(content)
                return {kind: base64.b64encode(content).decode()}
        return {}


def stream(text: str) -> Output:
    """Return an output of plain text, cleaned."""
    return {"output_type": "stream", "name": "stdout", "text": clean(text, TEXT_LIMIT).rstrip("\n") + "\n"}


def error(kind: str, message: str, trace: str) -> Output:
    """Return the output of a cell that stopped with an error, its texts cleaned."""
    lines = clean(trace, TEXT_LIMIT).split("\n")
    return {
        "output_type": "error",
        "ename": one_line(kind),
        "evalue": one_line(message),
        "traceback": lines if trace else [f"{one_line(kind)}: {one_line(message)}"],
    }


def display(data: Mapping[str, str]) -> Output:
    """Return an output that is shown in the richest of its forms."""
    return {"output_type": "display_data", "data": dict(data), "metadata": {}}


def heading(text: str) -> Output:
    """Return a line that says whose the outputs below it are."""
    style = "margin: 0.4em 0; padding: 0.1em 0.5em; border-left: 4px solid #8899aa; color: #445566; font-style: italic"
    return display({"text/plain": text, "text/html": f'<p style="{style}">{escape(text)}</p>'})


def result(score: float) -> Output:
    """Return the one output that nbgrader reads as the score of a cell."""
    return {
        "output_type": "execute_result",
        "execution_count": 1,
        "data": {"text/plain": repr(float(score))},
        "metadata": {},
    }


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
