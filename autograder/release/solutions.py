"""The executed reference: the source notebook run in full, with its plots, for instructors to read.

``python -m autograder.release.solutions [ASSIGNMENT]`` writes ``solutions/<assignment>/``; it trains all,
which takes half an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autograder.assignment import BEGIN, END, Assignment, load, place, read_source
from autograder.errors import AssignmentError, AutograderError, InputError

SIZE_LIMIT = 3_000_000
"""Bytes that the executed reference may hold: it is committed."""
_PATH_OF_A_MACHINE = re.compile(r"(?:/(?:home|root|tmp|Users)/|[A-Z]:\\\\Users\\\\)[\w.-]+")
_STARTUP = """
def _serve_local_data(files):
    import importlib
    for name, path in files.items():
        try:
            module = importlib.import_module("keras.src.datasets." + name)
        except ImportError:
            continue
        module.get_file = lambda *_, _path=path, **__: _path

_serve_local_data({files!r})
del _serve_local_data
"""


def path_of(assignment: Assignment) -> Path:
    """Return where the executed reference lies."""
    return assignment.root / "solutions" / assignment.name / f"{assignment.name}.ipynb"


def differences(assignment: Assignment) -> tuple[str, ...]:
    """Return in sentences where the executed reference's cells are not the source's."""
    path = path_of(assignment)
    if not path.exists():
        return (f"{path.relative_to(assignment.root)} is missing: run `make solutions`.",)
    mine, theirs = read_source(path)["cells"], read_source(assignment.source)["cells"]
    if len(mine) != len(theirs):
        return (f"The executed reference has {len(mine)} cells, the source {len(theirs)}: run `make solutions`.",)
    found = []
    if path.stat().st_size > SIZE_LIMIT:
        found.append(f"{path.relative_to(assignment.root)} is larger than {SIZE_LIMIT // 1_000_000} MB: print less.")
    for index, (executed, source) in enumerate(zip(mine, theirs, strict=True)):
        grade_id = source["metadata"].get("nbgrader", {}).get("grade_id", "")
        if problem := _problem_of(executed, source):
            found.append(f"The {place(index, grade_id)} of the executed reference {problem}")
    return tuple(found)


def _problem_of(executed: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    """Return how a cell of the executed reference is not the source's with its outputs, empty if it is."""
    same = ("cell_type", "attachments")
    if _without_markers(executed["source"]) != _without_markers(source["source"]) or any(
        executed.get(name) != source.get(name) for name in same
    ):
        return "is not the source's: run `make solutions`."
    outputs = executed.get("outputs", [])
    if any(output.get("output_type") == "error" for output in outputs):
        return "ended with an error."
    if executed["cell_type"] == "code" and executed.get("execution_count") is None:
        return "was not executed: run `make solutions`."
    texts = [(o.get("text"), {k: v for k, v in o.get("data", {}).items() if k.startswith("text/")}) for o in outputs]
    if path := _PATH_OF_A_MACHINE.search(json.dumps(texts)):
        return f"shows {path[0]!r}, a folder of the machine where it ran: do not print it."
    return ""


def _without_markers(source: str) -> str:
    return "\n".join(line for line in source.split("\n") if BEGIN not in line and END not in line)


def execute_reference(
    root: Path, name: str | None = None, *, progress: Callable[[str], None] = lambda line: None
) -> Path:
    """Execute the source notebook in full and write it, atomically; return where.

    Data come from ``data/``. What was printed to stderr is left out. Raises AssignmentError if a cell fails.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError as error:
        raise InputError("nbclient is not installed: pip install 'autoencoders-autograder[instructor]'.") from error
    assignment = load(root, name)
    notebook = nbformat.read(assignment.source, as_version=4)
    with tempfile.TemporaryDirectory(prefix="autograder-solutions-") as scratch:
        client = NotebookClient(
            notebook,
            timeout=None,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": scratch}},
            on_cell_executed=lambda cell, cell_index, execute_reply: progress(f"{place(cell_index)} done"),
        )
        try:
            client.execute(env=_environment(Path(scratch), assignment))
        except CellExecutionError as error:
            raise AssignmentError(f"The source notebook fails: {error.ename}: {error.evalue}") from error
    _tidy(notebook)
    target = path_of(assignment)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.new")
    nbformat.write(notebook, beside)
    beside.replace(target)
    return target


def _environment(scratch: Path, assignment: Assignment) -> dict[str, str]:
    """Return the kernel's environment, in which data sets are those of ``data/`` and none is downloaded."""
    files = {path.stem: str(path.absolute()) for path in sorted(assignment.data.glob("*.npz"))}
    startup = scratch / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-data.py").write_text(_STARTUP.format(files=files), encoding="utf-8")
    return dict(os.environ) | {"IPYTHONDIR": str(scratch / "ipython"), "TF_CPP_MIN_LOG_LEVEL": "2"}


def _tidy(notebook: Any) -> None:
    """Take away what differs from run to run and tells nothing: warnings on stderr, names of the machine."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    language = {"name": "python"}
    notebook.metadata["language_info"] = language


def main(arguments: list[str] | None = None) -> int:
    """Execute the reference of an assignment; return the exit code."""
    parser = argparse.ArgumentParser(description="Execute the reference in full and write solutions/.")
    parser.add_argument("assignment", nargs="?", help="the assignment, where the course has several")
    parser.add_argument("--check", action="store_true", help="only compare the committed reference with the source")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            problems = differences(load(Path(), options.assignment))
            print("\n".join(problems) or "The executed reference is the source's.")
            return 1 if problems else 0
        print(execute_reference(Path(), options.assignment, progress=lambda line: print(line, file=sys.stderr)))
    except AutograderError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
