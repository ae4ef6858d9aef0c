"""Which cell of a submission is which cell of the assignment, and to which question the others belong.

Metadata comes first; where it was lost (exports, notebooks made anew) the text decides, then the place.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from autograder.assignment import Assignment, SourceCell
from autograder.submission.notebook import Notebook, RawCell

Certainty = Literal["metadata", "text", "position", "none"]

HEADING_LIKENESS = 0.9
BODY_SHARE = 0.75
"""Share of a statement's words that a text must hold to be that statement."""
BODY_WORDS = 12
SECTION_LIMIT = 1_000
"""Headings of one submission that are compared with the statements; comparing costs time."""
_COMPARED_CHARACTERS = 4_000
_SECTION = re.compile(r"(?m)^(?=#{1,6}\s)")


@dataclass(frozen=True)
class Piece:
    """A cell of a submission, or a part of one, and what it is.

    ``known`` is the cell of the assignment that it is, ``by`` how that was seen; ``question`` is where the
    student's own code belongs. ``position`` is the cell's number in the file, None for what we put in.
    """

    cell_type: Literal["code", "markdown"]
    source: str
    position: int | None
    known: SourceCell | None = None
    by: Certainty = "none"
    question: str | None = None


def recognise(notebook: Notebook, assignment: Assignment) -> list[Piece]:
    """Return the pieces of a submission in order, each with the cell of the assignment that it is."""
    finder = _Finder(assignment)
    pieces: list[Piece] = []
    for cell in notebook.cells:
        known = finder.by_metadata(cell)
        if known is not None:
            pieces.append(Piece(cell.cell_type, cell.source, cell.position, known, "metadata"))
        elif cell.cell_type == "markdown":
            pieces.extend(finder.sections(cell))
        elif notebook.from_script:
            pieces.extend(finder.code_parts(cell))
        else:
            pieces.append(finder.whole_code(cell))
    return _without_doubtful_texts(pieces)


def _without_doubtful_texts(pieces: Sequence[Piece]) -> list[Piece]:
    """Take texts as the student's own that only read like a cell which is there by its metadata."""
    certain = {piece.known.grade_id for piece in pieces if piece.known is not None and piece.by == "metadata"}
    return [
        replace(piece, known=None, by="none")
        if piece.known is not None
        and piece.known.kind == "text"
        and piece.by == "text"
        and piece.known.grade_id in certain
        else piece
        for piece in pieces
    ]


class _Finder:
    """Finds cells of one assignment by metadata and by text."""

    def __init__(self, assignment: Assignment) -> None:
        self._by_id = {cell.grade_id: cell for cell in assignment.cells if cell.grade_id}
        self._sections_left = SECTION_LIMIT
        self._texts = [
            (cell, _heading(cell.source), _words(cell.source)) for cell in assignment.cells if cell.kind == "text"
        ]
        locked = [cell for cell in assignment.cells if cell.kind in ("given", "sanity", "grade")]
        self._locked = {tuple(code_lines(cell.source)): cell for cell in reversed(locked)}
        self._first_lines = {lines[0] for lines in self._locked if lines}

    def by_metadata(self, cell: RawCell) -> SourceCell | None:
        grade_id = cell.nbgrader.get("grade_id")
        known = self._by_id.get(grade_id) if isinstance(grade_id, str) else None
        return known if known is not None and known.cell_type == cell.cell_type else None

    def sections(self, cell: RawCell) -> Iterator[Piece]:
        """Yield a text cell; one that holds several statements (Colab joins neighbours) in parts."""
        parts = [part for part in _SECTION.split(cell.source) if part.strip()]
        self._sections_left -= len(parts)
        found = [self._text(part) for part in parts] if self._sections_left >= 0 else []
        if not any(found):
            yield Piece("markdown", cell.source, cell.position)
            return
        for part, known in zip(parts, found, strict=True):
            yield Piece("markdown", part, cell.position, known, "text" if known else "none")

    def _text(self, part: str) -> SourceCell | None:
        heading, words = _heading(part), _words(part)
        best: tuple[float, SourceCell | None] = (0.0, None)
        for cell, its_heading, its_words in self._texts:
            likeness = _likeness(heading, its_heading)
            share = len(words & its_words) / len(its_words) if len(its_words) >= BODY_WORDS else 0.0
            if likeness >= HEADING_LIKENESS or share >= BODY_SHARE:
                best = max(best, (likeness + share, cell), key=lambda found: found[0])
        return best[1]

    def whole_code(self, cell: RawCell) -> Piece:
        known = self._locked.get(tuple(code_lines(cell.source)))
        return Piece("code", cell.source, cell.position, known, "text" if known else "none")

    def code_parts(self, cell: RawCell) -> Iterator[Piece]:
        """Yield the parts of joined code cells: each locked cell that is in it word by word, and the rest."""
        lines = cell.source.split("\n")
        kept: list[str] = []
        number = 0
        while number < len(lines):
            known, length = self._locked_at(lines, number)
            if known is None:
                kept.append(lines[number])
                number += 1
                continue
            yield from _code_piece(kept, cell.position)
            yield Piece("code", known.source, cell.position, known, "text")
            kept, number = [], number + length
        yield from _code_piece(kept, cell.position)

    def _locked_at(self, lines: Sequence[str], start: int) -> tuple[SourceCell | None, int]:
        if lines[start].rstrip() not in self._first_lines:
            return None, 0
        for wanted, cell in self._locked.items():
            if not wanted or lines[start].rstrip() != wanted[0]:
                continue
            number, matched = start, 0
            # Exports add and drop blank lines: they do not count.
            while number < len(lines) and matched < len(wanted):
                line = lines[number].rstrip()
                if line and line != wanted[matched]:
                    break
                matched += bool(line)
                number += 1
            if matched == len(wanted):
                return cell, number - start
        return None, 0


def _code_piece(lines: Sequence[str], position: int) -> Iterator[Piece]:
    source = "\n".join(lines).strip("\n")
    if source.strip():
        yield Piece("code", source, position)


def code_lines(source: str) -> list[str]:
    """Return the lines of a code cell by which it is recognised: no blank ones, no spaces at the end."""
    return [line.rstrip() for line in source.split("\n") if line.strip()]


def _heading(text: str) -> str:
    first = next((line for line in text.split("\n") if line.strip()), "")
    if not re.match(r"\s*(#{1,6}\s|\*\*|__)", first):
        return ""
    return re.sub(r"^\d+ ", "", _plain(first[:200]))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def _words(text: str) -> frozenset[str]:
    return frozenset(_plain(text[:_COMPARED_CHARACTERS]).split())


def _likeness(first: str, second: str) -> float:
    if not first or not second:
        return 0.0
    matcher = difflib.SequenceMatcher(None, first, second)
    return matcher.ratio() if matcher.quick_ratio() >= HEADING_LIKENESS else 0.0


def attribute(pieces: Sequence[Piece]) -> list[Piece]:
    """Return the pieces with the question to which each one belongs that the student wrote.

    An answer cell is known by its grade_id; a copy of it below another question's statement belongs there,
    as long as one copy stayed at home. Other code belongs to the statement above it.
    """
    above = list(_questions_above(pieces))
    at_home = {
        piece.known.grade_id
        for piece, (question, _) in zip(pieces, above, strict=True)
        if piece.known is not None and piece.known.kind == "answer" and piece.known.question == question
    }
    result = []
    for piece, (question, certainty) in zip(pieces, above, strict=True):
        known = piece.known
        if known is None:
            result.append(replace(piece, question=question, by=certainty))
        elif known.kind == "answer" and (question in (None, known.question) or known.grade_id not in at_home):
            result.append(replace(piece, question=known.question, by="metadata"))
        elif known.kind == "answer":
            result.append(replace(piece, question=question, by=certainty))
        else:
            result.append(replace(piece, question=known.question))
    return result


def _questions_above(pieces: Sequence[Piece]) -> Iterator[tuple[str | None, Certainty]]:
    """Yield for each piece the question whose place it is in, and how that is known."""
    below = _questions_below(pieces)
    question: str | None = None
    certainty: Certainty = "none"
    closed = False
    for number, piece in enumerate(pieces):
        if piece.known is None and (closed or question is None) and below[number] is not None:
            # The statement was deleted, but the cell stands above its question's locked cells.
            yield below[number], "position"
        else:
            yield question, certainty if question else "none"
        known = piece.known
        if known is None or known.kind == "given":
            continue
        if known.kind == "grade":
            # All grade cells of equal points read alike: by its text one only closes the question above.
            question = known.question if piece.by == "metadata" else question
            certainty = certainty if certainty != "none" else "position"
            closed = True
        elif known.kind in ("text", "remark"):
            question = known.question if known.kind == "text" else None
            certainty = "text" if piece.by == "text" else "position"
            closed = False
        elif known.kind == "sanity" or question is None:
            question, certainty, closed = known.question, "position", False


def _questions_below(pieces: Sequence[Piece]) -> list[str | None]:
    """Return for each piece the question of the next answer or locked cell, None if a text comes before."""
    below: list[str | None] = []
    question: str | None = None
    for piece in reversed(pieces):
        below.append(question)
        known = piece.known
        if known is not None and known.kind in ("text", "remark"):
            question = None
        elif known is not None and known.kind != "given" and (known.kind != "grade" or piece.by == "metadata"):
            question = known.question
    return below[::-1]
