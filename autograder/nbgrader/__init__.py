"""At home in nbgrader: its commands and formgrader run our grading. ``nbgrader_config.py`` calls ``install``."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

_HANDLERS = "nbgrader.server_extensions.validate_assignment.handlers"


def install(config: Any) -> None:
    """Let nbgrader autograde assignments with hidden checks by our grading, and show it in the feedback.

    ``config`` is what ``get_config()`` returns. Calling it twice, as nbgrader does by loading its configuration
    twice, changes nothing more. What the configuration sets below the call holds.
    """
    from autograder.nbgrader.converter import Autograde
    from autograder.nbgrader.validation import Validator

    # Autograde and Validator can not be chosen in a configuration: nbgrader's programs name these classes.
    for module in ("nbgrader.apps.autogradeapp", "nbgrader.apps.api"):
        importlib.import_module(module).Autograde = Autograde  # type: ignore[attr-defined]
    importlib.import_module("nbgrader.apps.validateapp").Validator = Validator  # type: ignore[attr-defined]
    if _HANDLERS in sys.modules:
        sys.modules[_HANDLERS].Validator = Validator  # type: ignore[attr-defined]
    config.GenerateFeedback.preprocessors = [
        "nbgrader.preprocessors.GetGrades",
        "autograder.nbgrader.preprocessors.ScoreTable",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    config.ExportApp.plugin_class = "autograder.nbgrader.export.GradesExporter"
    if shutil.which("alembic") is None:
        # A new gradebook is stamped by this program, which lies beside the interpreter.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
