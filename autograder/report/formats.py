"""The formats that a report can be written in: one pure function of the report for each.

Renderers are imported when they are used, so that naming a format costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from autograder.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from autograder.report.model import Report


@dataclass(frozen=True)
class Format:
    """One format: the file beside ``report.json`` that it is written to, and where its renderer is."""

    file: str
    renderer: str

    def render(self, report: Report) -> str:
        """Return the report as text in this format."""
        module, function = self.renderer.split(":")
        return cast(Callable[["Report"], str], getattr(import_module(module), function))(report)


FORMATS: Mapping[str, Format] = {
    "json": Format("report.json", "autograder.report.formats:render_json"),
    "html": Format("index.html", "autograder.report.html:render_student"),
}
DEFAULT_FORMATS = ("json", "html")


def parse_formats(names: str) -> tuple[str, ...]:
    """Return the formats in a list such as ``json,html``; raise InputError on one that does not exist."""
    wanted = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown or not wanted:
        what = f"there is no format {unknown[0]!r}" if unknown else "no format was named"
        hint = did_you_mean(unknown[0], FORMATS) if unknown else ""
        raise InputError(f"{what}; the formats are {', '.join(FORMATS)}.{hint}")
    return wanted


def render_json(report: Report) -> str:
    """Return the report as strict JSON: UTF-8 as it is, no NaN, a line feed at the end."""
    return report.model_dump_json(indent=2) + "\n"
