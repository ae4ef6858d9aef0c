"""`nbgrader validate` where the visible checks are cells of their own: they decide, and nothing on stderr does.

nbgrader looks at grade cells alone, in which nothing is run here, and takes whatever a library prints to stderr for
a failure. In a course's folder the notebook runs in the sandbox, its training recorded and not performed; elsewhere
nbgrader runs it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from nbformat import from_dict
from nbgrader.preprocessors import CheckCellMetadata, ClearOutput
from nbgrader.utils import is_grade, is_locked
from nbgrader.validator import Validator as Stock

from autograder.errors import InputError
from autograder.nbgrader.notebook import MARK
from autograder.nbgrader.outputs import error


class Validator(Stock):  # type: ignore[misc]
    """A validator for which a locked or grade cell fails where it stopped with an error."""

    _file: Path

    def validate(self, filename: str) -> dict[str, Any]:
        """Return what is wrong with a notebook, as nbgrader does."""
        self._file = Path(filename).absolute()
        return dict(super().validate(filename))

    def _preprocess(self, nb: Any) -> Any:
        """Run the notebook; return it with the outputs of its checks."""
        name = nb.metadata.get(MARK, {}).get("assignment")
        course = _course_of(self._file, name) if isinstance(name, str) else None
        if course is None:
            return super()._preprocess(nb)
        for step in (CheckCellMetadata, ClearOutput):
            nb, _ = step(parent=self).preprocess(nb, {})
        isolation = self.config.Autograde.get("isolation", "auto")
        told = _visible_checks(self._file, course, name, isolation)
        for cell in nb.cells:
            message = told.get(cell.metadata.get("nbgrader", {}).get("grade_id", "").removesuffix("-sanity"))
            if message and cell.cell_type == "code" and _is_checked(cell) and not is_grade(cell):
                kind, _, text = message.partition(": ")
                cell.outputs = [from_dict(error(kind, text, message))]
        return nb

    def _get_failed_cells(self, nb: Any) -> list[Any]:
        return [cell for cell in nb.cells if cell.cell_type == "code" and _is_checked(cell) and _stopped(cell)]

    def _get_passed_cells(self, nb: Any) -> list[Any]:
        return [cell for cell in nb.cells if cell.cell_type == "code" and _is_checked(cell) and not _stopped(cell)]

    def _extract_error(self, cell: Any) -> str:
        return "\n".join(line for output in cell.outputs if output.output_type == "error" for line in output.traceback)


def _visible_checks(file: Path, course: Path, name: str, isolation: str) -> dict[str, str]:
    """Return the error of each visible check by question. Raises InputError where the notebook can not be run."""
    command = [sys.executable, "-P", "-m", "autograder.nbgrader.visible", str(file), str(course), name, isolation]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise InputError(f"{file.name} can not be validated: {done.stderr.strip()[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _course_of(file: Path, name: str) -> Path | None:
    """Return the course's folder around a notebook, where there are hidden checks of the assignment."""
    return next((folder for folder in file.parents if (folder / "tests" / name / "probes.py").is_file()), None)


def _is_checked(cell: Any) -> bool:
    return bool(is_grade(cell) or is_locked(cell))


def _stopped(cell: Any) -> bool:
    return any(output.output_type == "error" for output in cell.outputs)
