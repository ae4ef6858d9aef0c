"""The autograded notebook: every cell of the assignment once, in its place, with what the student wrote and showed.

It is made anew and not repaired: whatever was done to the marks of cells (flags, ids, tags, points, doubled or
deleted cells), nbgrader finds the notebook that the gradebook knows. Cells of the student's own stand where she put
them, without any mark. Nothing is executed here; the score of a question is the one output of its grade cell that
nbgrader reads.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from autograder import syntax
from autograder.assignment import Assignment, SourceCell, read_source
from autograder.errors import SubmissionError
from autograder.nbgrader.outputs import Output, Saved, display, error, heading, result, stream
from autograder.report.model import Cell, Question, Report
from autograder.report.text import clean
from autograder.report.wording import WORDS, check_lines, headline, question_points, remarks
from autograder.submission import alignment, notebook
from autograder.submission.alignment import Piece
from autograder.submission.reading import Submission, read
from autograder.submission.repair import repair

SAVED = "Saved in the notebook that was handed in:"
AGAIN = "Run again by the grader, where training is recorded and not repeated:"
DRAWN = "Drawn by the grader from the numbers that this notebook gave to matplotlib:"
MARK = "autograder"
"""The section of the notebook's metadata that tells feedback, and the next grading, what this one was."""
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_COLOURS = {"passed": "#1a7f37", "failed": "#b35900", "needs_review": "#0b5cad", "skipped": "#5b6570"}


@dataclass(frozen=True)
class Handed:
    """What was handed in: its pieces in order, each with what it is, and the cells' JSON; all empty if unreadable."""

    submission: Submission | None
    pieces: tuple[Piece, ...] = ()
    items: tuple[Any, ...] = ()

    @property
    def remarks(self) -> Mapping[str, str]:
        """The text for each question that a person grades; empty where nothing was written."""
        return self.submission.remarks if self.submission is not None else {}


def handed_in(file: Path, assignment: Assignment) -> Handed:
    """Return what a file holds; whatever is wrong with it."""
    try:
        submission = read(file, assignment)
        pieces, _ = repair(alignment.recognise(notebook.read(file), assignment), assignment)
        return Handed(submission, tuple(alignment.attribute(pieces)), tuple(notebook.items(file)))
    except SubmissionError:
        return Handed(None)


def build(assignment: Assignment, handed: Handed, report: Report) -> dict[str, Any]:
    """Return the autograded notebook as JSON of nbformat 4.5."""
    writer = _Writer(assignment, handed, report)
    cells = [_text(_summary(report)), *writer.cells()]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            MARK: {
                "assignment": assignment.name,
                "titles": {question.id: question.title for question in assignment.questions},
                "answers": answers(assignment, handed, report),
                "fault": report.fault.whose if report.fault is not None else None,
            },
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def answers(assignment: Assignment, handed: Handed, report: Report) -> dict[str, str]:
    """Return for each question a digest of what a person would judge: the text, or the code and our verdict."""
    found = {}
    scores = {question.id: [question.score, question.awaiting_review] for question in report.questions}
    for question in assignment.questions:
        own = [piece.source for piece in handed.pieces if piece.question == question.id and _is_own(piece)]
        judged = [handed.remarks.get(question.id, "")] if question.manual else [*own, str(scores.get(question.id))]
        found[question.id] = hashlib.sha256("\0".join(judged).encode("utf-8", "replace")).hexdigest()[:16]
    return found


class _Writer:
    """Writes the cells of one notebook."""

    def __init__(self, assignment: Assignment, handed: Handed, report: Report) -> None:
        self._assignment = assignment
        self._handed = handed
        self._report = report
        self._questions = {question.id: question for question in report.questions}
        self._points = {question.id: question.points for question in assignment.questions}
        self._saved = Saved()
        self._shown: set[int] = set()
        self._ran = _ran(handed, report)
        self._attachments = _attachments(assignment)
        self._placed = _placed(handed.pieces, assignment)

    def cells(self) -> Iterator[dict[str, Any]]:
        """Yield the assignment's cells in order, and below each what the student put there."""
        extras = self._extras()
        yield from self._own(extras[-1])
        for cell in self._assignment.cells:
            yield self._cell(cell, self._placed.get(cell.index))
            yield from self._own(extras[cell.index])

    def _extras(self) -> Mapping[int, list[Piece]]:
        chosen = {id(piece): index for index, piece in self._placed.items()}
        extras: dict[int, list[Piece]] = defaultdict(list)
        anchor = -1
        for piece in self._handed.pieces:
            if id(piece) in chosen:
                anchor = chosen[id(piece)]
            elif not self._is_said(piece):
                extras[anchor].append(piece)
        return extras

    def _is_said(self, piece: Piece) -> bool:
        """Tell whether a piece stands in the notebook anyway: as a locked cell, or in the text of a remark."""
        if piece.known is not None and piece.known.kind in ("text", "given", "sanity", "grade"):
            return True
        return piece.cell_type == "markdown" and any(
            piece.source.strip() in text for text in self._handed.remarks.values()
        )

    def _own(self, pieces: Iterable[Piece]) -> Iterator[dict[str, Any]]:
        for piece in pieces:
            if not piece.source.strip():
                continue
            if piece.cell_type == "code":
                yield _code(piece.source, self._outputs_of(piece))
            else:
                yield _text(harmless(piece.source), self._attached(piece))

    def _cell(self, cell: SourceCell, piece: Piece | None) -> dict[str, Any]:
        made: dict[str, Any]
        if cell.kind == "grade":
            made = _code(cell.source, self._graded(str(cell.question)))
        elif cell.kind == "remark":
            text = self._handed.remarks.get(str(cell.question), "")
            made = _text(harmless(text) if text else cell.source, self._attached(piece))
        elif cell.cell_type == "markdown":
            made = _text(cell.source, self._attachments.get(cell.index, {}))
        else:
            own = piece.source if piece is not None and cell.kind == "answer" else cell.source
            made = _code(own, [] if piece is None else self._outputs_of(piece))
        if cell.grade_id:
            made["metadata"]["nbgrader"] = self._mark(cell)
        return made

    def _mark(self, cell: SourceCell) -> dict[str, Any]:
        graded = cell.kind in ("grade", "remark")
        mark: dict[str, Any] = {
            "schema_version": 3,
            "grade_id": cell.grade_id,
            "grade": graded,
            "solution": cell.kind in ("answer", "remark"),
            "locked": cell.kind not in ("answer", "remark"),
            "task": False,
            "cell_type": cell.cell_type,
        }
        if graded:
            mark["points"] = self._points[str(cell.question)]
        return mark

    def _attached(self, piece: Piece | None) -> dict[str, dict[str, str]]:
        return self._saved.attachments(self._item(piece)) if piece is not None else {}

    def _item(self, piece: Piece) -> Any:
        items = self._handed.items
        return items[piece.position] if piece.position is not None and piece.position < len(items) else None

    def _outputs_of(self, piece: Piece) -> list[Output]:
        """Return what the student's cell showed, and then how it ended here; of a cell in parts, once."""
        if piece.position is None or piece.position in self._shown:
            return []
        self._shown.add(piece.position)
        saved = self._saved.outputs(self._item(piece))
        own = _is_own(piece)
        again = [output for cell in self._ran.get(piece.position, ()) for output in _ended(cell, own)]
        return ([heading(SAVED), *saved] if saved else []) + again

    def _graded(self, question_id: str) -> list[Output]:
        question = self._questions.get(question_id)
        if question is None:
            return [stream(headline(self._report)), result(0.0)]
        pictures = [display({"image/png": picture, "text/plain": "a picture"}) for picture in question.pictures]
        drawn = [heading(DRAWN), *pictures] if pictures else []
        return [_checks(question), *drawn, result(min(question.score, self._points[question_id]))]


def _placed(pieces: Sequence[Piece], assignment: Assignment) -> dict[int, Piece]:
    """Return for cells of the assignment, by index, the student's piece that takes its place.

    Of several the last one in which work was done, as nbgrader does it. Where no cell has the mark of an answer, code
    that belongs to the question is taken.
    """
    placed: dict[int, Piece] = {}
    for piece in pieces:
        known = piece.known
        if known is None:
            continue
        worked = known.kind not in ("answer", "remark") or syntax.has_work(piece.source, known.source)
        if known.index not in placed or (worked and known.kind in ("answer", "remark")):
            placed[known.index] = piece
    for cell in assignment.cells:
        if cell.kind == "answer" and cell.index not in placed:
            own = [one for one in pieces if one.known is None and one.question == cell.question]
            code = [one for one in own if one.cell_type == "code" and syntax.has_work(one.source, cell.source)]
            if code:
                placed[cell.index] = code[-1]
    return placed


def _ran(handed: Handed, report: Report) -> dict[int, list[Cell]]:
    """Return how the cells of the file ended, by position."""
    ran: dict[int, list[Cell]] = defaultdict(list)
    if handed.submission is not None:
        for cell in report.cells:
            position = handed.submission.positions[cell.index] if cell.index < len(handed.submission.cells) else None
            if position is not None:
                ran[position].append(cell)
    return ran


def _ended(cell: Cell, own: bool) -> Iterator[Output]:
    """Yield how a cell ended here; of the assignment's own cells only where they did not end well."""
    if cell.error or cell.status == "timeout" or (own and cell.status == "ok"):
        yield heading(f"{AGAIN} {WORDS[cell.status]} ({cell.cpu_seconds:.1f} s)")
    if cell.error:
        kind, _, message = cell.error.partition(": ")
        yield error(kind, message, cell.error)


def _attachments(assignment: Assignment) -> dict[int, dict[str, Any]]:
    cells = read_source(assignment.source)["cells"]
    return {index: cell["attachments"] for index, cell in enumerate(cells) if cell.get("attachments")}


def _checks(question: Question) -> Output:
    """Return the checks of a question as text and as HTML, in which every foreign sign is escaped."""
    title = f"{question.title}: {question_points(question)} points"
    plain = "\n".join([title, *check_lines(question)])
    rows = []
    for check in question.checks:
        colour = _COLOURS[check.status]
        message = escape(check.message).replace("\n", "<br>")
        told = f'<div style="margin-left: 1.6em">{message}</div>' if message else ""
        word = f'<b style="color: {colour}">{escape(WORDS[check.status])}</b>'
        rows.append(f'<li style="margin: 0.2em 0">{escape(check.title)} {word}{told}</li>')
    if not rows:
        rows = [f"<li>{escape(line)}</li>" for line in check_lines(question)]
    page = f'<div><b>{escape(title)}</b><ul style="margin: 0.3em 0 0 1.2em; padding: 0">{"".join(rows)}</ul></div>'
    return display({"text/plain": plain, "text/html": page})


def _summary(report: Report) -> str:
    """Return the text of the first cell: the result, and what is said of the notebook as a whole."""
    lines = [f"**Graded by machine:** {in_markdown(headline(report))}"]
    lines += [f"- {in_markdown(remark)}" for remark in remarks(report)]
    return "\n\n".join([lines[0], "\n".join(lines[1:])]).rstrip()


def in_markdown(text: str) -> str:
    """Return one line of text that is shown as it stands where Markdown, HTML and formulas are read."""
    line = " ".join(clean(text).split())
    return re.sub(r"([\\`*_\[\]{}|$~^#!])", r"\\\1", harmless(line)).replace("\\$", "＄")


def harmless(text: str) -> str:
    """Return Markdown without HTML of its own: behind what would open a tag stands a sign that nobody sees."""
    return _TAG.sub("<\u200b", clean(text, notebook.CELL_SOURCE_LIMIT))


def _is_own(piece: Piece) -> bool:
    return piece.known is None or piece.known.kind in ("answer", "remark")


def _code(source: str, outputs: Sequence[Output]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": list(outputs),
        "source": source,
    }


def _text(source: str, attachments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": "markdown", "metadata": {}, "source": source}
    return cell | ({"attachments": dict(attachments)} if attachments else {})
