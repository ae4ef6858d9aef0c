"""Locked cells as the assignment has them: restored when changed, put back when deleted, once when doubled.

What a student added to a locked cell is her work: it is kept as a cell of her own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from autograder import syntax
from autograder.assignment import Assignment, SourceCell, place
from autograder.submission.alignment import Piece, code_lines

_LOCKED = ("given", "sanity")
SAME_CELL_SHARE = 0.3
"""Share of a locked cell's statements below which a cell with its grade_id is something else."""


def repair(pieces: Sequence[Piece], assignment: Assignment) -> tuple[list[Piece], tuple[str, ...]]:
    """Return the pieces with every given and sanity cell as in the assignment, and notes on what was done."""
    restored, notes = _restored(pieces)
    single, doubled = _once(restored)
    complete, missing = _completed(single, assignment)
    if doubled:
        notes.append(f"These locked cells stood there more than once and were run once: {', '.join(doubled)}.")
    if missing:
        notes.append(f"These locked cells were missing and were put back: {', '.join(missing)}.")
    return complete, tuple(notes)


def _restored(pieces: Sequence[Piece]) -> tuple[list[Piece], list[str]]:
    result: list[Piece] = []
    notes: list[str] = []
    for piece in pieces:
        known = piece.known
        if (
            known is None
            or known.kind not in (*_LOCKED, "grade")
            or code_lines(piece.source) == code_lines(known.source)
        ):
            result.append(piece)
            continue
        restored = replace(piece, source=known.source)
        own = _additions(piece.source, known)
        where = place(piece.position or 0, known.grade_id)
        if own is None:
            result.append(replace(piece, known=None, by="none"))
            notes.append(f"The {where} has the name of a locked cell but is something else; it was run as it is.")
        elif own:
            result += (
                [Piece("code", own, piece.position), restored]
                if known.kind == "grade"
                else [restored, Piece("code", own, piece.position)]
            )
            notes.append(f"The locked {where} was restored; the code added to it was run as a cell of its own.")
        else:
            result.append(restored)
            if known.kind != "grade":
                notes.append(f"The locked {where} had been changed and was restored.")
    return result, notes


def _additions(source: str, known: SourceCell) -> str | None:
    """Return the code added to a locked cell: empty when it was changed, None when it is another cell."""
    if known.kind == "grade":
        return source if syntax.has_work(source) else ""
    tree, original = syntax.parse(source), syntax.parse(known.source)
    if tree is None or original is None:
        shared = set(code_lines(source)) & set(code_lines(known.source))
        return "" if len(shared) >= SAME_CELL_SHARE * len(code_lines(known.source)) else None
    wanted = [syntax.text_of(node) for node in original.body]
    found = [syntax.text_of(node) for node in tree.body]
    if not found:
        return ""
    share = sum(statement in found for statement in wanted) / max(1, len(wanted))
    if share < SAME_CELL_SHARE and not _alike(source, known.source):
        return None
    if share < 1:
        return ""
    lines = source.split("\n")
    own = [node for node, text in zip(tree.body, found, strict=True) if text not in wanted]
    return "\n".join("\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in own)


def _alike(source: str, original: str) -> bool:
    shared = set(code_lines(source)) & set(code_lines(original))
    return len(shared) >= SAME_CELL_SHARE * len(set(code_lines(original)))


def _once(pieces: Sequence[Piece]) -> tuple[list[Piece], list[str]]:
    seen: set[str] = set()
    result: list[Piece] = []
    doubled: dict[str, None] = {}
    for piece in pieces:
        if piece.known is not None and piece.known.kind in _LOCKED:
            if piece.known.grade_id in seen:
                doubled[piece.known.grade_id] = None
                continue
            seen.add(piece.known.grade_id)
        result.append(piece)
    return result, list(doubled)


def _completed(pieces: Sequence[Piece], assignment: Assignment) -> tuple[list[Piece], list[str]]:
    """Put missing locked cells back at their places.

    A file without any of the assignment's structure (a script of one's own) gets only those
    given cells whose names it uses and does not define.
    """
    result = list(pieces)
    added: list[str] = []
    present = {piece.known.grade_id for piece in pieces if piece.known is not None}
    locked = [cell for cell in assignment.cells if cell.kind in _LOCKED]
    structured = (
        any(piece.by == "metadata" for piece in pieces)
        or 2 * sum(cell.grade_id in present for cell in locked) >= len(locked)
        or not any(piece.cell_type == "code" and piece.source.strip() for piece in pieces)
    )
    for cell in locked:
        if cell.grade_id in present:
            continue
        at = _place(result, cell, assignment) if structured else _first_use(result, cell)
        if at is not None:
            result.insert(at, Piece("code", cell.source, None, cell, "metadata"))
            added.append(cell.grade_id)
    return result, added


def _place(pieces: Sequence[Piece], cell: SourceCell, assignment: Assignment) -> int:
    """Return where a missing cell belongs: given ones right below what precedes, checks below the answer."""
    before = [other.grade_id for other in assignment.cells[: cell.index] if other.grade_id]
    after = [other.grade_id for other in assignment.cells[cell.index + 1 :] if other.grade_id]
    where = {
        piece.known.grade_id: number
        for number, piece in enumerate(pieces)
        if piece.known is not None and not (piece.known.kind == "grade" and piece.by == "text")
    }
    previous = next((where[grade_id] for grade_id in reversed(before) if grade_id in where), -1)
    following = next((where[grade_id] for grade_id in after if grade_id in where), len(pieces))
    if cell.kind == "sanity" and following > previous:
        return following
    return previous + 1


def _first_use(pieces: Sequence[Piece], cell: SourceCell) -> int | None:
    """Return where a given cell's names are first used, None when they are not, or bound by the student."""
    if cell.kind != "given":
        return None
    own = [(number, piece) for number, piece in enumerate(pieces) if piece.cell_type == "code"]
    wanted = syntax.bound_names(cell.source) - {name for _, piece in own for name in syntax.bound_names(piece.source)}
    return next((number for number, piece in own if wanted & syntax.used_names(piece.source)), None)
