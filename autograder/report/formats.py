"""The formats that a report can be written in: one pure function of the report for each.

Renderers are imported when they are used, so that naming a format costs nothing.
"""

from __future__ import annotations

import os
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

    def missing(self) -> list[str]:
        """Return the variables of the environment, in which a platform tells of the submission, that are not there."""
        module = import_module(self.renderer.partition(":")[0])
        return [name for name in getattr(module, "VARIABLES", {}).values() if name not in os.environ]


FORMATS: Mapping[str, Format] = {
    "json": Format("report.json", "autograder.report.formats:render_json"),
    "html": Format("index.html", "autograder.report.html:render_student"),
    "gradescope": Format("results.json", "autograder.report.gradescope:render"),
    "junit": Format("junit.xml", "autograder.report.junit:render"),
    "github": Format("summary.md", "autograder.report.github:render"),
    "classroom50": Format("result.json", "autograder.report.classroom50:render"),
}
DEFAULT_FORMATS = ("json", "html")


def parse_formats(names: str) -> tuple[str, ...]:
    """Return the formats in a list such as ``json,html``; raise InputError on one that can not be written."""
    wanted = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown or not wanted:
        what = f"there is no format {unknown[0]!r}" if unknown else "no format was named"
        hint = did_you_mean(unknown[0], FORMATS) if unknown else ""
        raise InputError(f"{what}; the formats are {', '.join(FORMATS)}.{hint}")
    for name in wanted:
        if missing := FORMATS[name].missing():
            raise InputError(
                f"the format {name} needs what its platform puts into the environment, and {', '.join(missing)} is not "
                "there; leave this format out elsewhere."
            )
    return wanted


def render_json(report: Report) -> str:
    """Return the report as strict JSON: UTF-8 as it is, no NaN, a line feed at the end."""
    return report.model_dump_json(indent=2) + "\n"
