"""The students' version of an assignment: nbgrader makes it, the release gate lets it pass or not.

Nothing is replaced before every check has passed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from autograder import syntax
from autograder.release import leaks
from autograder.release import proofreading
from autograder.release import solutions
from autograder.assignment import Assignment, load, place, read_source
from autograder.errors import AssignmentError, InputError, ReleaseRefused
from autograder.report.model import Report
from autograder.submission.reading import read

GENERATE_SECONDS = 180
"""Wall seconds that nbgrader may take."""
_SHOWN_PROBLEMS = 20

GradeRelease = Callable[[Path], Report]


def build(root: Path, name: str | None = None, *, grade_release: GradeRelease | None = None) -> Path:
    """Generate, inspect and replace ``release/<name>/``; return the released notebook.

    ``grade_release`` grades the blank release as a submission, in the sandbox. Raises ReleaseRefused, whose
    text names the cells and the mends, and leaves the former release as it was.
    """
    assignment = _checked_assignment(root, name)
    with tempfile.TemporaryDirectory(prefix="autograder-release-") as scratch:
        generated = generate(assignment, Path(scratch))
        problems = inspect(assignment, generated)
        if not problems and grade_release is not None:
            problems = _problems_of_run(assignment, generated, grade_release(generated))
        if problems:
            raise ReleaseRefused(_refusal(problems))
        target = root / "release" / assignment.name
        _replace(generated.parent, target)
    return target / generated.name


def check_committed(root: Path, name: str | None = None) -> tuple[str, ...]:
    """Return in sentences how the committed release, and the executed reference, differ from the source."""
    assignment = _checked_assignment(root, name)
    committed = root / "release" / assignment.name / f"{assignment.name}.ipynb"
    if not committed.exists():
        return (f"release/{assignment.name}/{committed.name} is missing: run `make release`.",)
    with tempfile.TemporaryDirectory(prefix="autograder-release-") as scratch:
        generated = generate(assignment, Path(scratch))
        return (*_differences(committed, generated), *solutions.differences(assignment))


def _checked_assignment(root: Path, name: str | None) -> Assignment:
    try:
        assignment = load(root, name)
    except ReleaseRefused:
        raise
    except AssignmentError as error:
        raise ReleaseRefused(str(error)) from error
    problems = list(proofreading.problems(assignment, read_source(assignment.source)))
    if problems:
        raise ReleaseRefused(_refusal(problems))
    return assignment


def _refusal(problems: list[str]) -> str:
    more = [f"... and {len(problems) - _SHOWN_PROBLEMS} more."] if len(problems) > _SHOWN_PROBLEMS else []
    return "\n".join(["The release was refused:", *(f"- {p}" for p in problems[:_SHOWN_PROBLEMS]), *more])


def generate(assignment: Assignment, scratch: Path) -> Path:
    """Let nbgrader generate the release in a course of its own below ``scratch``; return the notebook."""
    if importlib.util.find_spec("nbgrader") is None:
        raise InputError("nbgrader is not installed: pip install 'autoencoders-autograder[instructor]'.")
    course = scratch / "course"
    shutil.copytree(assignment.source.parent, course / "source" / assignment.name)
    if (assignment.root / "nbgrader_config.py").exists():
        shutil.copy(assignment.root / "nbgrader_config.py", course)
    command = [
        sys.executable,
        "-m",
        "nbgrader",
        "generate_assignment",
        assignment.name,
        "--create",
        "--force",
    ]
    try:
        done = subprocess.run(
            [*command, f"--CourseDirectory.db_url=sqlite:///{course / 'gradebook.db'}"],
            cwd=course,
            env=_private_environment(scratch),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GENERATE_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise ReleaseRefused(f"nbgrader did not end within {GENERATE_SECONDS} seconds.") from error
    notebook = course / "release" / assignment.name / f"{assignment.name}.ipynb"
    if done.returncode != 0 or not notebook.exists():
        lines = [line for line in done.stderr.split("\n") if "ERROR" in line or "Error" in line]
        raise ReleaseRefused(
            "nbgrader could not generate the release: " + " ".join(lines[-3:] or done.stderr.split("\n")[-3:])
        )
    return notebook


def _private_environment(scratch: Path) -> dict[str, str]:
    """Return the environment with all settings of the person who runs this left aside."""
    home = scratch / "home"
    home.mkdir()
    folders = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    # nbgrader starts `alembic`, which lies beside the interpreter.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return dict(os.environ) | dict.fromkeys(folders, str(home)) | {"PATH": path}


def inspect(assignment: Assignment, notebook: Path) -> list[str]:
    """Return in sentences what hinders a generated notebook (and the files beside it) from being released."""
    try:
        document = read_source(notebook)
    except AssignmentError as error:
        return [str(error)]
    problems = list(_problems_of_cells(assignment, document))
    source = read_source(assignment.source)
    hidden = leaks.secrets(source, assignment.tests)
    problems += [str(leak) for leak in leaks.search(notebook.parent, notebook, hidden)]
    return problems


def _problems_of_cells(assignment: Assignment, document: Mapping[str, Any]) -> Iterator[str]:
    cells = document["cells"]
    if len(cells) != len(assignment.cells):
        yield f"The release has {len(cells)} cells, the source {len(assignment.cells)}: generate it again."
        return
    for cell, released in zip(assignment.cells, cells, strict=True):
        where = f"The {place(cell.index, cell.grade_id)}"
        if released.get("outputs"):
            yield f"{where} holds outputs: clear them."
        if released.get("execution_count") is not None:
            yield f"{where} holds an execution count: clear the outputs."
        if released["cell_type"] != cell.cell_type:
            yield f"{where} has changed its type: generate the release again."
        if released["metadata"].get("nbgrader", {}).get("grade_id", "") != cell.grade_id:
            yield f"{where} has another grade_id in the release: generate it again."
        if released["source"] != cell.source:
            stub = "hold the stub alone" if cell.kind in ("answer", "remark") else "be as in the source"
            yield f"{where} should {stub}, but it does not: generate the release again."
        if cell.cell_type == "code" and syntax.parse(released["source"]) is None:
            yield f"{where} is no valid Python: mend it in the source notebook."


def _problems_of_run(assignment: Assignment, notebook: Path, report: Report) -> list[str]:
    """Return what went wrong when the blank release was run and graded."""
    submission = read(notebook, assignment)
    kinds = {cell.index: cell.kind for cell in submission.cells}
    students = _names_of_students(assignment)
    problems = []
    if report.fault is not None:
        problems.append(f"The blank release can not be graded: {report.fault.message}")
    if not submission.blank:
        problems.append("The blank release counts as one in which a student has worked.")
    for cell in report.cells:
        position = submission.positions[cell.index]
        where = (
            f"The {place(assignment.cells[position].index, assignment.cells[position].grade_id)}"
            if position
            else "A cell"
        )
        if cell.status != "ok" and not _is_allowed(kinds[cell.index], cell.error or "", students):
            problems.append(f"{where} fails in the blank release: {cell.error or cell.status}.")
    manual = {question.id for question in assignment.questions if question.manual}
    for question in report.questions:
        if question.score > 0:
            problems.append(f"The question {question.id} gives {question.score:g} points for the blank release.")
        elif not question.checks and question.id not in manual:
            problems.append(
                f"No hidden check grades the question {question.id}: mark one with "
                f"@pytest.mark.question({question.id!r}) in tests/{assignment.name}/."
            )
    return problems


def _names_of_students(assignment: Assignment) -> frozenset[str]:
    """Return the names that answers bind: what is missing in a blank notebook."""
    document = read_source(assignment.source)
    answers = [document["cells"][cell.index]["source"] for cell in assignment.cells if cell.kind == "answer"]
    return frozenset[str]().union(*map(syntax.bound_names, answers))


def _is_allowed(kind: str, error: str, students: frozenset[str]) -> bool:
    """Tell whether a cell of a blank notebook may end so: a failed check, given code without its names."""
    if kind == "sanity":
        return error.startswith("AssertionError")
    missing = re.match(r"NameError: name '(\w+)' is not defined", error)
    return kind == "given" and missing is not None and missing[1] in students


def _replace(new: Path, target: Path) -> None:
    """Put a folder in the place of another: as a whole, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as beside:
        fresh, former = Path(beside) / "new", Path(beside) / "old"
        shutil.copytree(new, fresh)
        if target.exists():
            target.rename(former)
        try:
            fresh.rename(target)
        except OSError:
            if former.exists():
                former.rename(target)
            raise


def _differences(committed: Path, generated: Path) -> Iterator[str]:
    folders = [
        {
            p.relative_to(path.parent).as_posix()
            for p in path.parent.rglob("*")
            if p.is_file() and ".ipynb_checkpoints" not in p.parts
        }
        for path in (committed, generated)
    ]
    for file in sorted(folders[0] ^ folders[1]):
        place_of_file = "committed release" if file in folders[0] else "source"
        yield f"{file} is in the {place_of_file} only: run `make release`."
    for file in sorted((folders[0] & folders[1]) - {committed.name}):
        if (committed.parent / file).read_bytes() != (generated.parent / file).read_bytes():
            yield f"{file} of the release differs from the source: run `make release`."
    old, new = (
        json.loads(committed.read_text(encoding="utf-8")),
        json.loads(generated.read_text(encoding="utf-8")),
    )
    if len(old["cells"]) != len(new["cells"]):
        yield f"The release has {len(old['cells'])} cells, not {len(new['cells'])}: run `make release`."
        return
    for index, (mine, theirs) in enumerate(zip(old.pop("cells"), new.pop("cells"), strict=True)):
        if mine != theirs:
            grade_id = theirs["metadata"].get("nbgrader", {}).get("grade_id", "")
            yield f"The {place(index, grade_id)} of the release differs from the source: run `make release`."
    if old != new:
        yield "The metadata of the committed release differ from the source: run `make release`."
