"""What an assignment is: its folders, its questions and points, its cells.

Everything is read from the source notebook; nothing else holds a point value.
"""

from __future__ import annotations

import ast
import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from autograder import syntax
from autograder.errors import AssignmentError

CellKind = Literal["text", "given", "answer", "sanity", "grade", "remark"]

_LEFT_BEHIND = ("__pycache__", ".ipynb_checkpoints")
BEGIN, END = "BEGIN SOLUTION", "END SOLUTION"
_REGION_LINES = {
    "code": ("### BEGIN SOLUTION", "### END SOLUTION"),
    "markdown": ("<!-- BEGIN SOLUTION -->", "<!-- END SOLUTION -->"),
}
_GRADE_ID = re.compile(r"[A-Za-z0-9_-]+")
_COMMENT_LINE = re.compile(r"^\s*(?:#+|<!--)\s*(?P<text>[^#].*?)\s*(?:-->)?\s*$")
_HEADING = re.compile(r"^#{1,6}\s*❓?\s*(?:\d+\s*[.:)]\s*)?(?P<title>\S.*?)\s*#*$", re.MULTILINE)


@dataclass(frozen=True)
class SourceCell:
    """One cell of the source notebook, as students get it (solution regions replaced by the stub)."""

    index: int
    grade_id: str
    kind: CellKind
    cell_type: Literal["code", "markdown"]
    question: str | None
    source: str


@dataclass(frozen=True)
class Question:
    """One graded question. ``manual`` questions are graded by a person alone.

    ``names`` are those that the statement fixes: they stand in its code marks, and the reference binds them.
    """

    id: str
    title: str
    points: float
    manual: bool
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Assignment:
    """An assignment and its folders; ``root`` is the course folder that holds source/, tests/ and data/."""

    name: str
    root: Path
    total_points: float
    questions: tuple[Question, ...]
    cells: tuple[SourceCell, ...]

    @property
    def source(self) -> Path:
        """The source notebook."""
        return self.root / "source" / self.name / f"{self.name}.ipynb"

    @property
    def tests(self) -> Path:
        """The folder of the hidden checks."""
        return self.root / "tests" / self.name

    @property
    def probes(self) -> Path:
        """The one file of the hidden checks that enters the sandbox."""
        return self.tests / "probes.py"

    @property
    def data(self) -> Path:
        """The folder of the data files that grading needs."""
        return self.root / "data"

    def files(self) -> Iterator[Path]:
        """Yield the files of the course that grading needs, wherever it is done: source, hidden checks, data."""
        for folder in (self.source.parent, self.tests, self.data):
            yield from plain_files(folder)
        if (self.root / "nbgrader_config.py").is_file():
            yield self.root / "nbgrader_config.py"


def plain_files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in order, without links and what Python and Jupyter leave behind."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not any(part in _LEFT_BEHIND for part in path.parts):
            yield path


def load(root: Path, name: str | None = None) -> Assignment:
    """Read an assignment of a course folder, the only one where no name is given; raise AssignmentError."""
    name = _chosen(root, name)
    path = root / "source" / name / f"{name}.ipynb"
    document = read_source(path)
    stubs = _stubs(root)
    cells = tuple(_source_cell(index, cell, stubs) for index, cell in enumerate(document["cells"]))
    answers = {str(cell.question): document["cells"][cell.index]["source"] for cell in cells if cell.kind == "answer"}
    return _assembled(name, root, document, cells, {name: syntax.bound_names(text) for name, text in answers.items()})


def load_released(path: Path) -> Assignment:
    """Read an assignment from its released notebook alone, which is all that a student has; raise AssignmentError.

    Where the reference would tell which of the statement's names an answer binds, the visible checks do: the first
    one that asks for a name in quotes.
    """
    document = read_source(path)
    cells = tuple(_source_cell(index, cell, None) for index, cell in enumerate(document["cells"]))
    checks = {str(cell.question): cell.source for cell in cells if cell.kind == "sanity"}
    looked_at = {name: frozenset(re.findall(r"[\"'](\w+)[\"']", source)) for name, source in checks.items()}
    assignment = _assembled(path.stem, path.parent, document, cells, looked_at)
    first = {name: question.id for question in reversed(assignment.questions) for name in question.names}
    questions = (
        replace(question, names=tuple(name for name in question.names if first[name] == question.id))
        for question in assignment.questions
    )
    return replace(assignment, questions=tuple(questions))


def _assembled(
    name: str,
    root: Path,
    document: Mapping[str, Any],
    cells: tuple[SourceCell, ...],
    bound: Mapping[str, frozenset[str]],
) -> Assignment:
    """Return the assignment of these cells; ``bound`` holds for each question the names that its answer binds."""
    _check_ids(cells)
    _check_questions(cells)
    questions = tuple(_questions(cells, document["cells"], bound))
    return Assignment(name, root, _total(document, questions), questions, cells)


def place(index: int, grade_id: str = "") -> str:
    """Return how messages name a cell: counted from 1, with its grade_id."""
    return f"cell {index + 1} ({grade_id})" if grade_id else f"cell {index + 1}"


def names(root: Path) -> tuple[str, ...]:
    """Return the names of all assignments of a course folder."""
    return tuple(sorted(path.stem for path in (root / "source").glob("*/*.ipynb") if path.stem == path.parent.name))


def _chosen(root: Path, name: str | None) -> str:
    known = names(root)
    if not known:
        raise AssignmentError(
            f"{root} holds no assignment: expected source/NAME/NAME.ipynb. Run this in the course folder."
        )
    if name is None:
        if len(known) > 1:
            raise AssignmentError(f"This course has several assignments ({', '.join(known)}): say which one.")
        return known[0]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise AssignmentError(f"There is no assignment {name!r}; there is: {', '.join(known)}.{hint}")
    return name


def read_source(path: Path) -> dict[str, Any]:
    """Return an instructor's notebook as JSON, every cell's source as one string; raise AssignmentError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["nbformat"] != 4:
            raise ValueError(f"nbformat {document['nbformat']}")
        for index, cell in enumerate(document["cells"]):
            _check_cell(index, cell)
            cell["source"] = "".join(cell["source"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssignmentError(
            f"{path} is not a notebook of format 4 ({error}): open and save it in Jupyter."
        ) from error
    return dict(document)


def _check_cell(index: int, cell: Any) -> None:
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        raise ValueError(f"{place(index)} is of no known type")
    if not isinstance(cell.get("metadata"), dict):
        raise ValueError(f"{place(index)} has no metadata")
    source = cell.get("source")
    if not isinstance(source, str) and not (isinstance(source, list) and all(isinstance(line, str) for line in source)):
        raise ValueError(f"{place(index)} has no source")


def _stubs(root: Path) -> Mapping[str, str]:
    """Return what takes the place of a solution in code and in text cells, as nbgrader_config.py sets it.

    Read without executing the file; where it says nothing, nbgrader's own defaults hold.
    """
    stubs = {"code": "# YOUR CODE HERE\nraise NotImplementedError()", "markdown": "YOUR ANSWER HERE"}
    path = root / "nbgrader_config.py"
    try:
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
    except (OSError, SyntaxError, ValueError) as error:
        raise AssignmentError(f"nbgrader_config.py can not be read ({error}): mend it.") from error
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not ast.unparse(node.targets[0]).startswith("c.ClearSolutions."):
            continue
        setting = ast.unparse(node.targets[0]).removeprefix("c.ClearSolutions.")
        try:
            value = ast.literal_eval(node.value)
        except ValueError as error:
            raise AssignmentError(f"nbgrader_config.py, line {node.lineno}: {setting} is not a plain value.") from error
        if setting not in ("code_stub", "text_stub"):
            continue
        stub = value.get("python", stubs["code"]) if isinstance(value, dict) else value
        if not isinstance(stub, str):
            raise AssignmentError(f"nbgrader_config.py, line {node.lineno}: {setting} is no text: put it in quotes.")
        stubs["code" if setting == "code_stub" else "markdown"] = stub
    return stubs


def _source_cell(index: int, cell: Mapping[str, Any], stubs: Mapping[str, str] | None) -> SourceCell:
    """Return one cell as students get it; without ``stubs`` it is so already."""
    metadata = cell["metadata"].get("nbgrader")
    cell_type = cell["cell_type"]
    if metadata is None and cell_type == "markdown":
        check_markers(index, "", cell_type, cell["source"])
        if BEGIN in cell["source"]:
            raise AssignmentError(
                f"The {place(index)} holds a solution region but is no answer: make it a manually graded answer "
                "in Jupyter's Create Assignment panel, or remove the markers."
            )
        return SourceCell(index, "", "text", "markdown", None, cell["source"])
    if not isinstance(metadata, dict):
        raise AssignmentError(
            f"The {place(index)} of the source notebook has no nbgrader metadata: mark it in Jupyter's "
            "Create Assignment panel as read-only, as an answer or as autograder tests."
        )
    grade_id = _checked_metadata(index, metadata)
    kind = _kind(index, grade_id, cell_type, metadata)
    check_markers(index, grade_id, cell_type, cell["source"])
    source = cell["source"]
    if kind in ("answer", "remark") and stubs is not None:
        source = without_solution(source, stubs[cell_type])
    elif any(marker in source for marker in (BEGIN, END)):
        raise AssignmentError(
            f"The {place(index, grade_id)} holds a solution region but is no answer: "
            "remove the markers or make it an answer cell."
        )
    question = _question_of(grade_id, kind)
    return SourceCell(index, grade_id, kind, cell_type, question, source)


def _checked_metadata(index: int, metadata: Mapping[str, Any]) -> str:
    grade_id = metadata.get("grade_id")
    mend = "mend it in Jupyter's Create Assignment panel."
    if not isinstance(grade_id, str) or not _GRADE_ID.fullmatch(grade_id):
        raise AssignmentError(f"The {place(index)} has no valid grade_id (letters, digits, - and _): {mend}")
    for flag in ("grade", "solution", "locked"):
        if not isinstance(metadata.get(flag), bool):
            raise AssignmentError(f"The {place(index, grade_id)} has no valid flag {flag!r}: {mend}")
    if metadata.get("schema_version") != 3 or metadata.get("task"):
        raise AssignmentError(f"The {place(index, grade_id)} is a task or of an old schema, not supported here: {mend}")
    points = metadata.get("points")
    if metadata["grade"] and (
        isinstance(points, bool) or not isinstance(points, (int, float)) or not 0 <= points < 1e6
    ):
        raise AssignmentError(f"The {place(index, grade_id)} is graded but has no valid points: {mend}")
    return grade_id


def _kind(index: int, grade_id: str, cell_type: str, metadata: Mapping[str, Any]) -> CellKind:
    flags = metadata["grade"], metadata["solution"], metadata["locked"]
    suffix = grade_id.rpartition("-")[2]
    if cell_type == "markdown":
        if flags == (True, True, False):
            return "remark"
        if flags == (False, False, True) and suffix not in ("answer", "sanity"):
            return "text"
    elif cell_type == "code" and suffix != "statement":
        if flags == (False, True, False) and suffix == "answer":
            return "answer"
        if flags == (True, False, True):
            return "grade"
        if flags == (False, False, True):
            return "sanity" if suffix == "sanity" else "given"
    raise AssignmentError(
        f"The {place(index, grade_id)} has flags that fit no kind of cell: a {cell_type} cell with "
        f"grade, solution, locked = {flags}. An answer is a code cell named '<question>-answer', a statement a text "
        "cell named '<question>-statement', a grade cell is locked: give it a usual kind."
    )


def _question_of(grade_id: str, kind: CellKind) -> str | None:
    if kind in ("grade", "remark"):
        return grade_id
    suffix = {"answer": "-answer", "sanity": "-sanity", "text": "-statement"}.get(kind)
    return grade_id.removesuffix(suffix) if suffix and grade_id.endswith(suffix) else None


def check_markers(index: int, grade_id: str, cell_type: str, source: str) -> None:
    """Raise AssignmentError on a marker that nbgrader would overlook, or that opens or closes nothing."""
    begin, end = _REGION_LINES["markdown" if cell_type == "markdown" else "code"]
    inside = False
    for number, line in enumerate(source.split("\n"), start=1):
        where = f"The {place(index, grade_id)}, line {number}"
        if line.strip() == begin:
            if inside:
                raise AssignmentError(f"{where}: a second {begin!r} within a region; close the first one before.")
            inside = True
        elif line.strip() == end:
            if not inside:
                raise AssignmentError(f"{where}: {end!r} without a beginning; put {begin!r} above the solution.")
            inside = False
        elif (meant := _meant_marker(line)) in (BEGIN, END):
            right = begin if meant == BEGIN else end
            raise AssignmentError(f"{where}: unknown marker {line.strip()[:60]!r}; write {right!r}.")
        elif meant:
            raise AssignmentError(f"{where}: {meant!r} is not used here; hidden checks live in the folder tests/.")
    if inside:
        raise AssignmentError(
            f"The {place(index, grade_id)}: a region is never closed; put {end!r} below the solution."
        )


def _meant_marker(line: str) -> str | None:
    """Return the marker that a line seems to mean, None for an ordinary line."""
    comment = _COMMENT_LINE.match(line)
    hidden = ("BEGIN HIDDEN TESTS", "END HIDDEN TESTS", "BEGIN MARK SCHEME", "END MARK SCHEME")
    for marker in (BEGIN, END, *hidden):
        if marker in line or (comment and _similar(comment["text"].upper(), marker)):
            return marker
    return None


def _similar(text: str, marker: str) -> bool:
    letters = re.sub(r"[^A-Z]+", " ", text).strip()
    return abs(len(letters) - len(marker)) <= 4 and difflib.SequenceMatcher(None, letters, marker).ratio() >= 0.8


def without_solution(source: str, stub: str) -> str:
    """Replace the solution regions of a cell by the stub, indented like the first marker (as nbgrader does).

    A cell without any region becomes the stub.
    """
    kept: list[str] = []
    inside = found = False
    for line in source.split("\n"):
        if BEGIN in line:
            inside = found = True
            indent = line[: len(line) - len(line.lstrip())]
            kept += [indent + part for part in stub.split("\n")]
        elif END in line:
            inside = False
        elif not inside:
            kept.append(line)
    return "\n".join(kept) if found else stub


def _check_ids(cells: Sequence[SourceCell]) -> None:
    seen: dict[str, int] = {}
    for cell in cells:
        if cell.grade_id and cell.grade_id in seen:
            raise AssignmentError(
                f"The {place(cell.index, cell.grade_id)} has the grade_id of the "
                f"{place(seen[cell.grade_id])}: give it one of its own."
            )
        seen[cell.grade_id] = cell.index


def _check_questions(cells: Sequence[SourceCell]) -> None:
    graded = {cell.question for cell in cells if cell.kind in ("grade", "remark")}
    statements = {str(cell.question): cell.index for cell in cells if cell.kind == "text" and cell.question}
    for cell in cells:
        if cell.kind in ("grade", "remark") and statements.get(str(cell.question), cell.index) >= cell.index:
            raise AssignmentError(
                f"The {place(cell.index, cell.grade_id)} has no statement above it: "
                f"add a read-only text cell with the grade_id '{cell.question}-statement'."
            )
        if cell.question and cell.question not in graded:
            raise AssignmentError(
                f"The {place(cell.index, cell.grade_id)} belongs to no graded question: "
                f"add a grade cell with the grade_id '{cell.question}', or rename this one."
            )


def _questions(
    cells: Sequence[SourceCell], raw: Sequence[Mapping[str, Any]], bound: Mapping[str, frozenset[str]]
) -> Iterator[Question]:
    statements = {cell.question: cell for cell in cells if cell.kind == "text" and cell.question}
    for cell in cells:
        if cell.kind not in ("grade", "remark") or cell.question is None:
            continue
        manual = cell.kind == "remark"
        base = statements.get(cell.question.removesuffix("-remark")) if manual else None
        title = _title(base) + ": your remarks" if base and manual else _title(statements[cell.question])
        marked = re.findall(r"`([A-Za-z_]\w*)[^`]*`", statements[cell.question].source)
        fixed = tuple(dict.fromkeys(name for name in marked if name in bound.get(cell.question, ())))
        points = float(raw[cell.index]["metadata"]["nbgrader"]["points"])
        yield Question(cell.question, title, points, manual, fixed)


def _title(statement: SourceCell) -> str:
    heading = _HEADING.search(statement.source)
    if heading is None:
        raise AssignmentError(
            f"The {place(statement.index, statement.grade_id)} has no heading: begin it with '### ❓ 1. Its title'."
        )
    return heading["title"]


def _total(document: Mapping[str, Any], questions: Sequence[Question]) -> float:
    section = document.get("metadata", {}).get("autograder")
    stated = section.get("total_points") if isinstance(section, dict) else None
    if isinstance(stated, bool) or not isinstance(stated, (int, float)) or not math.isfinite(stated):
        raise AssignmentError(
            'The source notebook does not state its points: add "autograder": {"total_points": 100} to its metadata.'
        )
    total = sum(question.points for question in questions)
    if abs(total - stated) > 1e-9:
        raise AssignmentError(
            f"The points of the questions sum to {total:g}, but the notebook's metadata states {stated:g}: mend one of "
            "the two (total_points: in JupyterLab's Property Inspector, at the right, under Advanced Tools)."
        )
    return float(stated)
