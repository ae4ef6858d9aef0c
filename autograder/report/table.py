"""The results as a table for a terminal."""

from __future__ import annotations

from autograder.report.summary import STATUS_WORDS, Row, Summary
from autograder.report.text import fit, one_line, points, width

STUDENT_COLUMNS = 24
REMARK_COLUMNS_AT_LEAST = 20
GAP = "  "
_HEADER = ("Student", "Score", "To review", "Status", "Remark")


def render_table(summary: Summary, columns: int = 100) -> str:
    """Return an aligned table, one line a student, ``columns`` wide where that leaves room for remarks."""
    cells = [_HEADER, *(_cells(row) for row in summary.students)]
    widths = [max(width(line[position]) for line in cells) for position in range(4)]
    widths[0] = min(widths[0], STUDENT_COLUMNS)
    room = max(columns - sum(widths) - len(GAP) * 4, REMARK_COLUMNS_AT_LEAST)
    lines = [_line(line, widths, room) for line in cells]
    rule = "─" * min(columns, max(width(line) for line in lines))
    return "\n".join([lines[0], rule, *lines[1:], rule, _totals(summary)]) + "\n"


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    score = "—" if row.status == "ungradable" else f"{points(row.score)} / {points(row.max_score)}"
    waiting = points(row.awaiting_review) if row.awaiting_review else ""
    status = STATUS_WORDS[row.status] + (" (kept)" if row.kept else "")
    return one_line(row.student), score, waiting, status, one_line(row.remark)


def _line(cells: tuple[str, ...], widths: list[int], room: int) -> str:
    student, score, waiting, status, remark = cells
    parts = [
        fit(student, widths[0]),
        " " * (widths[1] - width(score)) + score,
        " " * (widths[2] - width(waiting)) + waiting,
        fit(status, widths[3]),
        fit(remark, room),
    ]
    return GAP.join(parts).rstrip()


def _totals(summary: Summary) -> str:
    done = len(summary.students)
    parts = [f"{done} submission{'' if done == 1 else 's'}"]
    if not summary.complete:
        parts = [f"{done} of {summary.expected} submissions"]
    if summary.mean_score is not None:
        parts.append(f"mean {points(summary.mean_score)} of {points(summary.max_score)}")
    if summary.awaiting_review:
        parts.append(f"{points(summary.awaiting_review)} points wait for a person")
    if broken := sum(row.status == "ungradable" for row in summary.students):
        parts.append(f"{broken} not gradable")
    if ours := sum(row.fault_of("grader") for row in summary.students):
        parts.append(f"{ours} with a fault of the grader")
    return ", ".join(parts)
