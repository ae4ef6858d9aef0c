"""What is wrong in a source notebook that can be read, found without running it.

``assignment.load`` refuses what is no assignment at all; here is what would make a bad release of it. Every
finding names the cell, counted from 1, and says how to mend it.
"""

from __future__ import annotations

import ast
import base64
import binascii
import builtins
import copy
import importlib.util
import itertools
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from autograder import syntax
from autograder.assignment import BEGIN, Assignment, SourceCell, place, without_solution
from autograder.release.leaks import regions

_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NUMBERED = re.compile(r"^#{1,6}\s*❓?\s*(\d+)\s*[.:)]", re.MULTILINE)
_STATED_LINE = re.compile(r"^\W*(\d+(?:\.\d+)?)\s+points?\W*$", re.MULTILINE)
_STATED = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s+points?\b")
_CODE_IN_TEXT = re.compile(r"^[ \t]*(```|~~~).*?^[ \t]*\1[ \t]*$|(`+)[^`]+?\2", re.MULTILINE | re.DOTALL)
_FENCE_LINE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_PICTURE = re.compile(r"""!\[[^\]]*\]\(\s*<?([^)\s>]+)|<img\b[^>]*?\bsrc\s*=\s*["']?([^"'\s>]+)""", re.IGNORECASE)
_ELSEWHERE = re.compile(r"(?:https?:)?//|data:", re.IGNORECASE)
_FOLDS = ("details", "summary")
_IN_JUPYTER = frozenset(dir(builtins)) | {"get_ipython", "display", "In", "Out", "_", "__name__", "__doc__"}
_ORDER = ("text", "answer", "sanity", "grade")


def problems(assignment: Assignment, document: Mapping[str, Any]) -> Iterator[str]:
    """Yield in sentences what is wrong in a source notebook (as JSON)."""
    yield from _of_format(document)
    yield from _of_name(assignment, document)
    yield from _of_answers(assignment, document)
    yield from _of_questions(assignment)
    yield from _of_names(assignment, document)
    for cell in assignment.cells:
        if cell.cell_type == "markdown":
            yield from _of_text(assignment, cell, document["cells"][cell.index].get("attachments") or {})


def _where(cell: SourceCell) -> str:
    return f"The {place(cell.index, cell.grade_id)}"


def _place(index: int, document: Mapping[str, Any]) -> str:
    return place(index, document["cells"][index]["metadata"].get("nbgrader", {}).get("grade_id", ""))


def _listed(cells: Sequence[int], document: Mapping[str, Any]) -> str:
    named = [_place(index, document) for index in cells[:5]]
    return ", ".join(named) + (f" and {len(cells) - 5} more" if len(cells) > 5 else "")


# The file


def _of_format(document: Mapping[str, Any]) -> Iterator[str]:
    cells = document["cells"]
    saved = "open the notebook in JupyterLab and save it."
    if not isinstance(document.get("nbformat_minor"), int) or document["nbformat_minor"] < 5:
        yield f"The source notebook is of format 4.{document.get('nbformat_minor')}, without ids of cells: {saved}"
        return
    if missing := [index for index, cell in enumerate(cells) if "id" not in cell]:
        yield f"Cells without an id ({_listed(missing, document)}): {saved}"
    wrong = [index for index, cell in enumerate(cells) if "id" in cell and not _CELL_ID.fullmatch(str(cell["id"]))]
    for index in wrong:
        yield f'The {_place(index, document)} has no valid "id" (1 to 64 letters, digits, - and _): give it another.'
    first: dict[str, int] = {}
    for index, cell in enumerate(cells):
        if (known := first.setdefault(str(cell.get("id", index)), index)) != index:
            yield f'The {_place(index, document)} has the "id" of the {place(known)}: give it one of its own.'
    used = [i for i, c in enumerate(cells) if c.get("outputs") or c.get("execution_count") is not None]
    if used:
        yield f"Outputs are left in {_listed(used, document)}: in JupyterLab, Edit, Clear Outputs of All Cells; save."
    kernel = document.get("metadata", {}).get("kernelspec")
    if not isinstance(kernel, dict) or str(kernel.get("language", "python")).lower() != "python":
        yield "The source notebook names no Python kernel: choose Python 3 in JupyterLab and save."
    if not missing and not wrong and len(first) == len(cells):
        yield from _of_schemas(document)


def _of_schemas(document: Mapping[str, Any]) -> Iterator[str]:
    """Ask nbformat and nbgrader themselves; each tells of the first fault that it finds."""
    try:
        import nbformat
        from nbgrader.nbgraderformat import MetadataValidator
    except ImportError:
        return  # The release can not be generated then, which is told in its place.
    own = copy.deepcopy(dict(document))
    try:
        nbformat.validate(own, relax_add_props=False)
    except nbformat.ValidationError as error:
        path = list(getattr(error, "absolute_path", None) or getattr(error, "path", None) or ())
        index = path[1] if len(path) > 1 and path[0] == "cells" and isinstance(path[1], int) else None
        where = "The source notebook" if index is None else f"The {_place(index, document)}"
        yield f"{where} is not as nbformat wants it ({_first_line(error)}): mend it in a text editor."
    for index, cell in enumerate(own["cells"]):
        try:
            MetadataValidator().validate_cell(nbformat.from_dict(cell))
        except Exception as error:  # of several modules of nbgrader and jsonschema
            where = f"The {_place(index, document)}"
            yield f"{where} is not as nbgrader wants it ({_first_line(error)}): mend its metadata."
        stated = cell["metadata"].get("nbgrader", {}).get("cell_type", cell["cell_type"])
        if stated != cell["cell_type"]:
            where = f"The {_place(index, document)}"
            yield f"{where} is {cell['cell_type']}, but its nbgrader metadata say {stated!r}: mend them."


def _of_name(assignment: Assignment, document: Mapping[str, Any]) -> Iterator[str]:
    stated = document["metadata"]["autograder"].get("assignment", assignment.name)
    if stated != assignment.name:
        yield f"The notebook's metadata say that it is {stated!r}, its folder {assignment.name!r}: mend the metadata."


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:160]


# Answers and grade cells


def _of_answers(assignment: Assignment, document: Mapping[str, Any]) -> Iterator[str]:
    for cell in assignment.cells:
        source = document["cells"][cell.index]["source"]
        if cell.kind == "grade" and syntax.has_work(source):
            yield (
                f"{_where(cell)} holds code: hidden checks live in the folder tests/, visible ones in a cell "
                f"'{cell.question}-sanity'; leave a comment alone."
            )
        if cell.kind not in ("answer", "remark"):
            continue
        if BEGIN not in source:
            yield f"{_where(cell)} has no solution region: put its BEGIN and END markers around the solution."
        elif cell.kind == "answer":
            yield from _of_region(cell, source)
            yield from _outside_region(cell, source)
        else:
            yield from _of_remark(cell, source)


def _of_region(cell: SourceCell, source: str) -> Iterator[str]:
    if syntax.parse(source) is None:
        yield f"{_where(cell)} is no valid Python: mend its solution."
    elif not any(syntax.has_work(textwrap.dedent(region)) for region in regions(source)):
        yield f"{_where(cell)} has an empty solution region: write the solution between its markers."


def _of_remark(cell: SourceCell, source: str) -> Iterator[str]:
    if not any(region.strip() for region in regions(source)):
        yield f"{_where(cell)} has an empty solution region: write the solution between its markers."
    if outside := without_solution(source, "").strip():
        shown = outside.split("\n")[0][:60]
        yield f"{_where(cell)} has {shown!r} outside of its solution region: move it inside, or to the statement."


def _outside_region(cell: SourceCell, source: str) -> Iterator[str]:
    if syntax.parse(cell.source) is None:
        yield f"{_where(cell)} is no valid Python without its solution: put a docstring above the region."
        return
    # The stub is nbgrader's: what it says (the default one raises) is none of the answer's code.
    around = without_solution(source, "pass")
    tree = syntax.parse(around)
    for node in syntax.statements(tree) if tree else ():
        if not _is_scaffold(node):
            first_line = ast.unparse(node).split("\n")[0]
            yield f"{_where(cell)} has {first_line!r} outside of its solution region: move it inside."
    for line in around.split("\n"):
        comment = line.strip().lstrip("# ")
        if line.strip().startswith("#") and _is_code(comment):
            yield f"{_where(cell)} has {comment!r} in a comment outside of its solution region: move it inside."


def _is_scaffold(node: ast.stmt) -> bool:
    """Tell whether a statement only gives an answer its frame: a function's head, a docstring, an import."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Pass))


def _is_code(comment: str) -> bool:
    """Tell whether a comment is a statement that does something; ``x = ...`` is a hint with a gap."""
    tree = syntax.parse(comment)
    if tree is None or not tree.body or any(isinstance(n, ast.Constant) and n.value is ... for n in ast.walk(tree)):
        return False
    node = tree.body[0]
    called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    return called or isinstance(node, (ast.Assign, ast.AugAssign, ast.Return))


# Questions


def _of_questions(assignment: Assignment) -> Iterator[str]:
    points = {question.id: question.points for question in assignment.questions}
    last = 0
    for cell in assignment.cells:
        if cell.question is None:
            continue
        pattern = {"text": _STATED_LINE, "grade": _STATED}.get(cell.kind)
        for stated in pattern.findall(cell.source) if pattern else ():
            if abs(float(stated) - points[cell.question]) > 1e-9:
                yield (
                    f"{_where(cell)} states {stated} points, but the question {cell.question} is worth "
                    f"{points[cell.question]:g}: mend one of the two."
                )
        heading = _NUMBERED.search(cell.source) if cell.kind == "text" else None
        if heading is not None:
            if int(heading[1]) not in (last, last + 1):
                yield (
                    f"{_where(cell)} is question {heading[1]} but follows {f'question {last}' if last else 'none'}: "
                    "put the questions in order, or number them anew."
                )
            last = int(heading[1])
    for question in points:
        yield from _of_order([cell for cell in assignment.cells if cell.question == question])


def _of_order(cells: Sequence[SourceCell]) -> Iterator[str]:
    """Compare each cell of a question with the one above it; ``cells`` are in the notebook's order."""
    ranked = [cell for cell in cells if cell.kind in _ORDER]
    for above, below in itertools.pairwise(ranked):
        if _ORDER.index(above.kind) > _ORDER.index(below.kind):
            yield (
                f"{_where(below)} stands below the {place(above.index, above.grade_id)}: the order is statement, "
                "answer, quick check, grade cell."
            )


# Names


def _of_names(assignment: Assignment, document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names that a cell of the source (solutions included) uses although no cell above binds them."""
    cells = [cell for cell in assignment.cells if cell.cell_type == "code"]
    yield from _of_imports(assignment, cells)
    known = [syntax.names(document["cells"][cell.index]["source"]) for cell in cells]
    readable = [(cell, found) for cell, found in zip(cells, known, strict=True) if found is not None]
    if len(readable) < len(cells):
        return  # What binds names we can not tell.
    everywhere = frozenset[str]().union(*(found.bound for _, found in readable))
    bound = _IN_JUPYTER
    for cell, found in readable:
        bound |= found.bound
        for name in sorted(found.needed - bound):
            below = "only a cell below binds it" if name in everywhere else "no cell binds it"
            yield f"{_where(cell)} uses {name}, but {below}: mend the name, the order or the missing cell."
        for name in sorted(found.needed_later - everywhere - _IN_JUPYTER - found.needed):
            yield f"{_where(cell)} uses {name}, but no cell binds it: mend the name or the missing cell."


def _of_imports(assignment: Assignment, cells: Sequence[SourceCell]) -> Iterator[str]:
    """Yield what a cell of ours imports although it is neither installed nor beside the notebook.

    The grader forgives a student a missing package; a missing one of ours would go unseen.
    """
    folder = assignment.source.parent
    for cell in cells:
        for module in sorted(syntax.imported_modules(cell.source) - {"google"}):  # only Colab has google.colab
            beside = (folder / f"{module}.py").exists() or (folder / module).is_dir()
            if not beside and importlib.util.find_spec(module) is None:
                yield f"{_where(cell)} imports {module}, which is not installed: mend the name, or install it."


# Texts


def _of_text(assignment: Assignment, cell: SourceCell, attachments: Mapping[str, Any]) -> Iterator[str]:
    if len(_FENCE_LINE.findall(cell.source)) % 2:
        yield f"{_where(cell)} has a code block that is never closed: put ``` on a line below it."
    plain = _CODE_IN_TEXT.sub("", cell.source)
    tags = Counter(tag.lower() for tag in re.findall(r"<(/?\w+)", plain))
    for tag in _FOLDS:
        if tags[tag] != tags[f"/{tag}"]:
            yield f"{_where(cell)} opens <{tag}> {tags[tag]} times but closes it {tags[f'/{tag}']} times: mend it."
    for match in _PICTURE.finditer(plain):
        target = unquote(match[1] or match[2])
        if target.startswith("attachment:"):
            name = target.removeprefix("attachment:")
            if not _is_picture(attachments.get(name)):
                yield f"{_where(cell)} shows {name!r}, which is not attached to it: paste the picture into the cell."
        elif not _ELSEWHERE.match(target) and not _is_beside(assignment.source.parent, target):
            yield f"{_where(cell)} shows {target!r}, which students do not get: paste the picture into the cell."


def _is_picture(bundle: Any) -> bool:
    if not isinstance(bundle, dict) or not bundle:
        return False
    for content in bundle.values():
        text = "".join(content) if isinstance(content, (str, list)) else ""
        try:
            if not text or (not text.lstrip().startswith("<") and not base64.b64decode(text.encode(), validate=False)):
                return False
        except (binascii.Error, ValueError):
            return False
    return True


def _is_beside(folder: Path, target: str) -> bool:
    path = PurePosixPath(target.partition("#")[0].partition("?")[0])
    return not path.is_absolute() and ".." not in path.parts and (folder / path).is_file()
