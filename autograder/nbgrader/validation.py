"""`nbgrader validate` where the visible checks are cells of their own: they decide, and nothing on stderr does.

nbgrader looks at grade cells alone, in which nothing is run here, and takes whatever a library prints to stderr for
a failure.
"""

from __future__ import annotations

from typing import Any

from nbgrader.utils import is_grade, is_locked
from nbgrader.validator import Validator as Stock


class Validator(Stock):  # type: ignore[misc]
    """A validator for which a locked or grade cell fails where it stopped with an error."""

    def _get_failed_cells(self, nb: Any) -> list[Any]:
        return [cell for cell in nb.cells if cell.cell_type == "code" and _is_checked(cell) and _stopped(cell)]

    def _get_passed_cells(self, nb: Any) -> list[Any]:
        return [cell for cell in nb.cells if cell.cell_type == "code" and _is_checked(cell) and not _stopped(cell)]

    def _extract_error(self, cell: Any) -> str:
        return "\n".join(line for output in cell.outputs if output.output_type == "error" for line in output.traceback)


def _is_checked(cell: Any) -> bool:
    return bool(is_grade(cell) or is_locked(cell))


def _stopped(cell: Any) -> bool:
    return any(output.output_type == "error" for output in cell.outputs)
