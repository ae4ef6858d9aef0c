"""A submission as it will be executed: read, repaired, its cells aligned with the questions.

A file that can not be read is refused with one sentence (SubmissionError); whatever else is wrong with it
becomes a note, and is graded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from autograder import syntax
from autograder.assignment import Assignment, Question
from autograder.sandbox.job import PlannedCell
from autograder.submission import alignment, notebook
from autograder.submission.alignment import Certainty, Piece
from autograder.submission.notebook import shown
from autograder.submission.repair import repair

__all__ = ["PlannedCell", "Submission", "read"]

REMARK_LIMIT = 20_000
"""Characters of one written answer that are kept."""
NOTE_LIMIT = 50


@dataclass(frozen=True)
class Submission:
    """One submission, ready to be executed.

    ``cells`` are numbered from 0 in the order of execution, so that equal code has equal numbers whatever
    text stands between; ``positions`` holds for each its place in the student's file, None for one that we
    put back. ``digest`` is over what is executed, and over nothing else (neither outputs nor text).
    ``answered`` tells for each question whether there may be work for it: code beyond the stub in its own
    cells, one of its names bound elsewhere, a text written. ``alignment`` tells how the cell was found
    after which a question is exported. ``blank``: nothing was done at all; ``never_run``: no cell was when the file was
    saved. ``totals`` holds, for cells that were, the totals of parameters that their recorded outputs show.
    """

    file: str
    student: str
    digest: str
    cells: tuple[PlannedCell, ...]
    positions: tuple[int | None, ...]
    notes: tuple[str, ...]
    answered: Mapping[str, bool]
    alignment: Mapping[str, Certainty]
    remarks: Mapping[str, str]
    blank: bool
    never_run: bool
    totals: Mapping[int, frozenset[int]]


def read(path: Path, assignment: Assignment, student: str | None = None) -> Submission:
    """Read one notebook or ``.py`` export; the student's name comes from the path where it is not given.

    Raises SubmissionError, whose text is for the student, and nothing else whatever the file holds.
    """
    raw = notebook.read(path)
    pieces, notes = repair(alignment.recognise(raw, assignment), assignment)
    pieces = alignment.attribute(pieces)
    code = [piece for piece in pieces if _is_executed(piece)]
    stubs = {cell.grade_id: cell.source for cell in assignment.cells if cell.kind == "answer"}
    bound = [_bound_by_work(piece, stubs) for piece in code]
    exports = _Exports(pieces, code, bound, assignment)
    cells = tuple(
        PlannedCell(index, piece.source, _kind(piece), piece.question, exports.at(index))
        for index, piece in enumerate(code)
    )
    remarks = _remarks(pieces, assignment)
    notes = (*raw.notes, *_name_notes(path, assignment), *notes)
    return Submission(
        file=shown(path.name),
        student=student if student is not None else student_of(path, assignment),
        digest=digest(cells),
        cells=cells,
        positions=tuple(piece.position for piece in code),
        notes=notes if len(notes) <= NOTE_LIMIT else (*notes[:NOTE_LIMIT], f"{len(notes) - NOTE_LIMIT} more notes."),
        answered=MappingProxyType(exports.answered() | {name: bool(text) for name, text in remarks.items()}),
        alignment=MappingProxyType(exports.certainty()),
        remarks=MappingProxyType(remarks),
        blank=all(names is None for names in bound) and not any(remarks.values()),
        never_run=not raw.from_script and not any(cell.was_run for cell in raw.cells),
        totals=MappingProxyType(_recorded_totals(raw, code)),
    )


def student_of(path: Path, assignment: Assignment) -> str:
    """Return the student's name as ``<student>/<assignment>/<file>`` tells it, else the file's name."""
    inside = path.absolute().parent
    in_tree = inside.name == assignment.name and inside.parent.name
    return shown(inside.parent.name if in_tree else path.stem) or "unnamed"


def digest(cells: Iterable[PlannedCell]) -> str:
    """Return the digest of what is executed: sources, kinds, questions and exports, in order."""
    content = [[cell.source, cell.kind, cell.question, list(cell.exports)] for cell in cells]
    return "sha256:" + hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _recorded_totals(raw: notebook.Notebook, code: Sequence[Piece]) -> dict[int, frozenset[int]]:
    recorded = {cell.position: cell.totals for cell in raw.cells if cell.totals}
    return {
        index: recorded[piece.position]
        for index, piece in enumerate(code)
        if piece.position is not None and piece.position in recorded
    }


def _name_notes(path: Path, assignment: Assignment) -> tuple[str, ...]:
    if path.parent.name == assignment.name and path.stem != assignment.name:
        return (f"The file is named {shown(path.name)}, not {assignment.name}.ipynb; it was taken all the same.",)
    return ()


def _is_executed(piece: Piece) -> bool:
    if piece.cell_type != "code" or (piece.known is not None and piece.known.kind == "grade"):
        return False
    return bool(piece.source.strip()) or piece.known is not None


def _is_own(piece: Piece) -> bool:
    return piece.known is None or piece.known.kind == "answer"


def _bound_by_work(piece: Piece, stubs: Mapping[str, str]) -> frozenset[str] | None:
    """Return the names that a student's cell binds, None for a cell in which she did nothing."""
    if not _is_own(piece) or not syntax.has_work(piece.source, _stub(piece, stubs)):
        return None
    return frozenset(map(_plain, syntax.bound_names(piece.source)))


def _stub(piece: Piece, stubs: Mapping[str, str]) -> str:
    if piece.known is not None:
        return piece.known.source
    return stubs.get(f"{piece.question}-answer", "")


def _kind(piece: Piece) -> Literal["answer", "given", "sanity", "other"]:
    """Return what a cell is in the plan: "answer" is the student's code for a question, "other" for none."""
    if piece.known is not None and piece.known.kind == "given":
        return "given"
    if piece.known is not None and piece.known.kind == "sanity":
        return "sanity"
    return "answer" if piece.question is not None else "other"


class _Exports:
    """Decides after which cell the evidence of each question is exported.

    That is the last of its own cells with work in it. A question whose names are first bound further below
    (definitions below their use, one cell for everything) is exported there once more; a
    question without any cell at the end.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        code: Sequence[Piece],
        bound: Sequence[frozenset[str] | None],
        assignment: Assignment,
    ) -> None:
        self._code = code
        self._working = [names is not None for names in bound]
        self._questions = assignment.questions
        self._bound = [names or frozenset() for names in bound]
        self._after_grade = _after_grade_cells(pieces)
        self._has_answer = {str(cell.question) for cell in assignment.cells if cell.kind == "answer"}
        known = {piece.known.question for piece in pieces if piece.known is not None}
        self._placed: set[str | None] = known | {piece.question for piece in pieces}
        self._at: dict[int, list[str]] = {}
        self._main: dict[str, int | None] = {}
        for question in assignment.questions:
            if not question.manual and code:
                self._main[question.id] = main = self._main_cell(question)
                later = self._later_cell(question, -1 if main is None else main)
                places = {place for place in (main, later) if place is not None} or {len(code) - 1}
                for place in places:
                    self._at.setdefault(place, []).append(question.id)

    def at(self, index: int) -> tuple[str, ...]:
        """Return the questions that are exported when a cell ends."""
        return tuple(self._at.get(index, ()))

    def _own(self, question: str) -> list[int]:
        return [n for n, piece in enumerate(self._code) if _is_own(piece) and piece.question == question]

    def _main_cell(self, question: Question) -> int | None:
        own = self._own(question.id)
        with_work = [n for n in own if self._working[n]]
        # Cells below the grade cell count only where nothing above it does, or where they are answer cells.
        inside = [n for n in with_work if id(self._code[n]) not in self._after_grade]
        return next((group[-1] for group in (inside, with_work, own) if group), None)

    def _later_cell(self, question: Question, main: int) -> int | None:
        """Return the cell further below by which the names that were missing so far are bound, else None."""
        missing = {_plain(name) for name in question.names}
        for bound in self._bound[: main + 1]:
            missing -= bound
        later = None
        for n in range(main + 1, len(self._code)):
            if missing & self._bound[n]:
                missing -= self._bound[n]
                later = n
        return later

    def answered(self) -> dict[str, bool]:
        """Return for each question by machine whether there may be work for it."""
        worked = any(self._working)
        everything: frozenset[str] = frozenset[str]().union(*self._bound)
        result = {}
        for question in self._questions:
            if question.manual:
                continue
            own = any(self._working[n] for n in self._own(question.id))
            named = any(_plain(name) in everything for name in question.names)
            unknown = question.id not in self._placed or question.id not in self._has_answer
            result[question.id] = own or named or (unknown and worked)
        return result

    def certainty(self) -> dict[str, Certainty]:
        """Return for each question by machine how its own cell was found."""
        return {name: "none" if main is None else self._code[main].by for name, main in self._main.items()}


def _plain(name: str) -> str:
    """Return a name without case and underscores, as names are looked up."""
    return name.replace("_", "").casefold()


def _after_grade_cells(pieces: Sequence[Piece]) -> frozenset[int]:
    """Return the ids of the pieces below their question's grade cell that are no answer cells."""
    after: set[int] = set()
    closed: set[str] = set()
    for piece in pieces:
        if piece.known is not None and piece.known.kind == "grade" and piece.known.question is not None:
            closed.add(piece.known.question)
        elif piece.known is None and piece.question in closed:
            after.add(id(piece))
    return frozenset(after)


def _remarks(pieces: Sequence[Piece], assignment: Assignment) -> dict[str, str]:
    """Return the student's text for each question that a person grades; empty where only the stub is left."""
    stubs = {cell.question: cell.source for cell in assignment.cells if cell.kind == "remark"}
    texts: dict[str, list[str]] = {question: [] for question in stubs if question}
    current: str | None = None
    for piece in pieces:
        known = piece.known
        if known is not None and known.kind in ("text", "remark"):
            current = known.question if known.question in texts else None
        elif known is not None or piece.cell_type == "code":
            current = None if known is not None else current
            continue
        if current is not None:
            own = piece.source if known is None or known.kind == "remark" else _beyond(piece.source, known.source)
            texts[current].append(own.replace(stubs[current], "").strip())
    joined = {question: "\n\n".join(part for part in parts if part) for question, parts in texts.items()}
    return {
        question: text[:REMARK_LIMIT] + ("…" if len(text) > REMARK_LIMIT else "") for question, text in joined.items()
    }


def _beyond(text: str, statement: str) -> str:
    """Return the lines of a text cell that do not stand in the statement (an export joins the two)."""
    known = {line.strip() for line in statement.split("\n")}
    return "\n".join(line for line in text.split("\n") if line.strip() not in known)
