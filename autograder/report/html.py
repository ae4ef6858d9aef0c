"""Reports as web pages: one file a page, no script, no network.

Jinja2 escapes every value; the content security policy allows one style sheet by its digest
and nothing else, so that even markup that slipped through could not act. Widths of bars
are SVG attributes, because the policy forbids inline styles as well.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from autograder.report import text
from autograder.report.model import Check, Question, Report
from autograder.report.summary import NO_ISOLATION_WARNING, STATUS_WORDS, Summary
from autograder.report.wording import WORDS

_FOLDER = Path(__file__).parent
_TRAINING = {
    "record": "fits were recorded, not performed; the grader trained the models itself where needed",
    "short": "fits were performed with few steps",
    "full": "fits were performed in full",
}
_ISOLATION = {
    "namespaces": "namespaces: no network, a private file system",
    "landlock": "landlock: no network, files closed off",
    "none": "none",
}
_HISTOGRAM_BINS = 10
_SHOWN_AT_ONCE = 8
"""Files that could not be graded, above which their list is folded: the students come next."""


def render_student(report: Report) -> str:
    """Return the page of one report."""
    problems = [cell for cell in report.cells if cell.status in ("error", "timeout")]
    return _page(
        "student.html",
        report=report,
        titles={question.id: question.title for question in report.questions},
        problems=problems,
        skipped_cells=sum(cell.status == "skipped" for cell in report.cells),
        warning=NO_ISOLATION_WARNING if report.execution.isolation == "none" else None,
        isolation=_ISOLATION[report.execution.isolation],
        training=_TRAINING[report.execution.training],
    )


def render_class(summary: Summary, student_file: str) -> str:
    """Return the page of a class; ``student_file`` is the file in each student's folder to link to."""
    return _page(
        "class.html",
        summary=summary,
        student_file=student_file,
        rows=[row for row in summary.students if row.counts],
        faults=[row for row in summary.students if row.fault_of("grader")],
        unreadable=[row for row in summary.students if row.status == "ungradable" and not row.fault_of("grader")],
        shown_at_once=_SHOWN_AT_ONCE,
        histogram=_histogram(summary),
    )


def _page(template: str, **values: object) -> str:
    style, digest = _style()
    page = _environment().get_template(template).render(style=style, style_digest=digest, **values)
    # A page is UTF-8 whatever reached it.
    return page.encode("utf-8", "replace").decode()


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "points": text.points,
        "line": text.one_line,
        "word": WORDS.__getitem__,
        "status_word": STATUS_WORDS.__getitem__,
        "percent": _percent,
        "address": lambda folder: quote(folder, safe=""),
        "megabytes": lambda size: f"{size / 2**20:.0f} MB",
        "needs_a_look": _needs_a_look,
        "sorted_checks": _sorted_checks,
        "common_message": _common_message,
    }
    return environment


@cache
def _style() -> tuple[Markup, str]:
    """Return the style sheet, and its digest as the content security policy names it."""
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return Markup(style), f"sha256-{digest}"  # noqa: S704  our own file


def _percent(part: float, whole: float) -> str:
    """Return a share for an SVG attribute, ``62.5%``; nothing of nothing is nothing."""
    return f"{min(max(100 * part / whole, 0), 100) if whole else 0:.2f}%"


def _needs_a_look(question: Question) -> bool:
    """Say whether a question is shown unfolded: it is not simply right, a check has a note, or there is a picture."""
    if question.pictures:
        return True
    if _common_message(question) or not question.checks:
        return False
    return question.status != "passed" or any(check.message for check in question.checks)


def _common_message(question: Question) -> str:
    """Return the message that all checks of a question share, such as "Not answered.": it is told once."""
    messages = {check.message for check in question.checks}
    statuses = {check.status for check in question.checks}
    return messages.pop() if len(messages) == len(statuses) == 1 and len(question.checks) > 1 else ""


def _sorted_checks(checks: tuple[Check, ...]) -> list[Check]:
    """Return the checks with those first that a reader came for; otherwise in their order."""
    order = {"failed": 0, "needs_review": 1, "skipped": 2, "passed": 3}
    return sorted(checks, key=lambda check: order[check.status])


def _histogram(summary: Summary) -> list[tuple[str, int, float, float]]:
    """Return (label, students, x in percent, height in percent) of each tenth of the points."""
    counts = [0] * _HISTOGRAM_BINS
    for row in summary.students:
        if row.counts and row.max_score:
            counts[min(int(_HISTOGRAM_BINS * row.score / row.max_score), _HISTOGRAM_BINS - 1)] += 1
    tallest = max(counts) or 1
    step = 100 / _HISTOGRAM_BINS
    return [
        (f"{position * step:g}–{(position + 1) * step:g} %", count, position * step, 100 * count / tallest)
        for position, count in enumerate(counts)
    ]
