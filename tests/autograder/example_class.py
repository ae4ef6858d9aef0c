"""The example class, graded once by the command line for all tests that look at it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from command_line import ROOT, environment

SUBMITTED = ROOT / "examples" / "submitted"


@dataclass(frozen=True)
class Graded:
    """What the command line left behind; ``cache`` holds what it has kept."""

    done: subprocess.CompletedProcess[str]
    out: Path
    cache: Path


def example(name: str) -> Path:
    """The file that one student of the class has handed in."""
    (file,) = (SUBMITTED / name / "autoencoders").iterdir()
    return file


def grade_examples(folder: Path) -> Graded:
    """Grade the whole class into a new folder."""
    out, cache = folder / "out", folder / "cache"
    command = [sys.executable, "-m", "autograder", "grade", "examples/submitted", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, env=environment(cache), capture_output=True, text=True, check=False)
    return Graded(done, out, cache)
