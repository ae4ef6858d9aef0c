"""What ``run_autograder`` does on Gradescope: grade the one submission that is there, and write ``results.json``.

    python -m autograder.gradescope.run [--root /autograder]

A result is written before any work: should the platform stop the grading, for its memory or time, that one tells so.
Exit code 0 with a result; another one, and no result, where the grader itself failed: Gradescope then tells the student
that the autograder failed, and gives no score.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from autograder import assignment as assignments
from autograder.errors import AutograderError
from autograder.gradescope import policy
from autograder.gradescope.package import COURSE, SETTINGS
from autograder.report.files import write_text

NOTEBOOKS, SCRIPTS = "*.ipynb", "*.py"
EXIT_GRADED = (0, 2)
"""With 2 the submission can not be read, which its report says."""
_STOPPED = (
    "The grading was stopped before it had ended, most likely by the platform: it ran out of memory or of time. "
    "That says nothing about your work. Staff: TensorFlow needs a container of 4 GB; choose it, and a longer "
    "timeout, in the settings of the autograder."
)


def main(arguments: list[str] | None = None) -> int:
    """Grade the submission below ``--root`` and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("/autograder"), metavar="DIR", help="default: /autograder")
    root: Path = parser.parse_args(arguments).root
    target = root / "results" / "results.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    _write(target, {"score": 0, "output": _STOPPED, "output_format": "text", "visibility": "visible", "tests": []})
    try:
        _write(target, _result(root))
    except (AutograderError, OSError, ValueError) as error:
        target.unlink(missing_ok=True)
        print(f"autograder: {error}", file=sys.stderr)
        return 3
    return 0


def _result(root: Path) -> dict[str, Any]:
    source = root / "source"
    settings = json.loads((source / SETTINGS).read_text(encoding="utf-8"))
    course, name = source / COURSE, settings["assignment"]
    rules = policy.load(assignments.load(course, name).tests)
    told = policy.metadata(_metadata(root))
    refused = policy.refused(rules, told)
    if refused is not None:
        return refused
    handed_in = _handed_in(root / "submission", name)
    if isinstance(handed_in, str):
        return {"score": 0, "output": handed_in, "output_format": "text", "visibility": "visible", "tests": []}
    return policy.applied(rules, told, _graded(course, name, handed_in))


def _metadata(root: Path) -> Any:
    """Return the platform's metadata; None where it gives none, or an empty file as otter's emulation does."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads((root / "submission_metadata.json").read_text(encoding="utf-8"))
    return None


def _handed_in(folder: Path, name: str) -> Path | str:
    """Return the one notebook that was handed in, or a sentence that says what is wrong."""
    for pattern in (NOTEBOOKS, SCRIPTS):
        found = sorted(path for path in folder.rglob(pattern) if not any(part[0] == "." for part in path.parts[1:]))
        named = [path for path in found if path.stem == name]
        if len(named or found) == 1:
            return (named or found)[0]
        if found:
            names = ", ".join(path.name for path in found[:5])
            return f"{len(found)} notebooks were handed in ({names}): hand in one, called {name}.ipynb."
    return f"No notebook was handed in: hand in {name}.ipynb."


def _graded(course: Path, name: str, notebook: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="graded-") as out:
        command = [
            sys.executable, "-P", "-m", "autograder", "grade", "--course", str(course), "--assignment", name,
            "--jobs", "1", "--format", "json,gradescope", "--out", out, "--", str(notebook),
        ]  # fmt: skip
        done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
        results = list(Path(out).glob("*/results.json"))
        if done.returncode not in EXIT_GRADED or len(results) != 1:
            raise ValueError(f"the grading ended with {done.returncode}: {done.stderr[-2000:]}")
        # Staff see what the program said; to students the platform does not show it.
        print(done.stderr, end="")
        result: dict[str, Any] = json.loads(results[0].read_text(encoding="utf-8"))
        return result


def _write(target: Path, result: dict[str, Any]) -> None:
    write_text(target, json.dumps(result, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
