"""What is imported before it is needed: a list of packages, since times depend on the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from command_line import BLANK, ROOT, autograder

HEAVY = {
    "tensorflow",
    "keras",
    "numpy",
    "matplotlib",
    "IPython",
    "pytest",
    "nbgrader",
    "jinja2",
    "pandas",
    "distributed",
}
RENDERING = {"jinja2"}  # writes the page of the class anew
REPORTING = {"pydantic"}  # reads the reports that are kept
PROGRAM = """
import json, sys
from autograder.cli import main
try:
    code = main({arguments!r})
except SystemExit as end:
    code = end.code
json.dump([code, sorted({{name.partition(".")[0] for name in sys.modules}})], open({told!r}, "w"))
"""


def imported(tmp_path, *arguments):
    """Run the command line and return the packages that are imported at its end."""
    told = tmp_path / "told.json"
    program = PROGRAM.format(arguments=[str(one) for one in arguments], told=str(told))
    environment = os.environ | {"AUTOGRADER_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert told.exists(), done.stderr
    code, names = json.loads(told.read_text(encoding="utf-8"))
    assert code == 0, done.stderr
    return set(names)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["grade", "--help"], ["check", "--help"]])
def test_help_imports_nothing_but_the_standard_library(tmp_path, arguments):
    assert not imported(tmp_path, *arguments) & (HEAVY | REPORTING)


def test_a_graded_submission_is_kept_without_any_import_of_what_grades(tmp_path):
    arguments = ["grade", BLANK, "--out", tmp_path / "out", "--jobs", "1"]
    assert autograder(*arguments, cache=tmp_path / "cache").returncode == 0
    assert imported(tmp_path, *arguments) & HEAVY == RENDERING
