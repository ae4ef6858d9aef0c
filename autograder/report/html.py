"""Reports as web pages: one file a page, no network; a student's page has no script.

Jinja2 escapes every value; the content security policy allows one style sheet by its digest, on the page of a class
our one script as well, and nothing else, so that even markup that slipped through could not act. Widths of bars
are SVG attributes, because the policy forbids inline styles as well.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from autograder.report import text
from autograder.report.charts import charts, number
from autograder.report.model import Architecture, Check, Question, Report, Training
from autograder.report.summary import NO_ISOLATION_WARNING, STATUS_WORDS, Row, Summary
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
_FINDING = re.compile("[a-z0-9-]+")
_HISTOGRAM_BINS = 10
_SHOWN_AT_ONCE = 8
"""Files that could not be graded, above which their list is folded: the students come next."""
_SHOWN_IN_QUEUE = 30
_LAYER_SIGNS = {"as stated": "=", "different": "≠", "elsewhere": "↕", "missing": "−", "extra": "+"}
_LAYER_WORDS = {"different": "Different", "elsewhere": "Elsewhere", "missing": "Missing", "extra": "Too much"}
_BROADEST = 2.0**15
"""Numbers that a layer passes on which fill the whole width of its bar."""


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
        curves=charts(report.curves),
    )


def render_class(summary: Summary, student_file: str) -> str:
    """Return the page of a class; ``student_file`` is the file in each student's folder to link to."""
    rows = [row for row in summary.students if row.counts]
    # What the table can be filtered by: a name for each finding and for each network, without any text of a student.
    marks: dict[str, list[str]] = {row.folder: [] for row in rows}
    found = [finding.folders for finding in summary.findings]
    networks = [group.folders for group in summary.networks]
    for kind, groups in (("f", found), ("n", networks)):
        for place, folders in enumerate(groups, 1):
            for folder in marks.keys() & set(folders):
                marks[folder].append(f"{kind}{place}")
    return _page(
        "class.html",
        summary=summary,
        student_file=student_file,
        rows=rows,
        table=[(row, " ".join(marks[row.folder])) for row in rows],
        queue=_queue(summary, rows),
        by_folder={row.folder: row for row in summary.students},
        curves=charts([curve for row in rows for curve in row.curves]),
        kept=sum(row.kept for row in summary.students),
        spent=sum(row.cpu_seconds for row in summary.students),
        longest=max((row.wall_seconds for row in summary.students), default=0.0),
        shown_in_queue=_SHOWN_IN_QUEUE,
        faults=[row for row in summary.students if row.fault_of("grader")],
        unreadable=[row for row in summary.students if row.status == "ungradable" and not row.fault_of("grader")],
        shown_at_once=_SHOWN_AT_ONCE,
        histogram=_histogram(summary),
    )


def _queue(summary: Summary, rows: Sequence[Row]) -> list[tuple[Row, float, list[tuple[int, str]]]]:
    """Return who has to be looked at: row, points that wait where a machine should have decided, and the questions.

    A place is that of the question in the student's report, counted from 1. The most points come first.
    """
    titles = {question.id: question.title for question in summary.questions}
    manual = {question.id for question in summary.questions if question.manual}
    queue = []
    for row in rows:
        if row.status != "needs_review":
            continue
        waiting = [
            (place, found)
            for place, found in enumerate(row.questions, 1)
            if found.awaiting_review and found.id not in manual
        ]
        places = [(place, titles.get(found.id, found.id)) for place, found in waiting]
        queue.append((row, sum(found.awaiting_review for _, found in waiting), places))
    return sorted(queue, key=lambda entry: -entry[1])


def _page(template: str, **values: object) -> str:
    style, digest = _asset("style.css")
    script, script_digest = _asset("class.js") if template == "class.html" else (None, "")
    assets = {"style": style, "style_digest": digest, "script": script, "script_digest": script_digest}
    page = _environment().get_template(template).render(**assets, **values)
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
        "spaced": lambda name: name.replace("-", " ") if _FINDING.fullmatch(name) else name,
        "moment": lambda moment: moment.replace("T", " ").replace("Z", " UTC"),
        "duration": _duration,
        "measured": lambda value: f"{value:.3f}" if abs(value) < 1000 else number(value),
        "breadth": _breadth,
        "sign": _LAYER_SIGNS.__getitem__,
        "layer_word": lambda status: _LAYER_WORDS.get(status, ""),
        "total": _total,
        "highest": _highest,
    }
    return environment


@cache
def _asset(name: str) -> tuple[Markup, str]:
    """Return the style sheet or the script, and its digest as the content security policy names it."""
    content = (_FOLDER / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return Markup(content), f"sha256-{digest}"  # noqa: S704  our own file


def _percent(part: float, whole: float) -> str:
    """Return a share for an SVG attribute, ``62.5%``; nothing of nothing is nothing."""
    return f"{min(max(100 * part / whole, 0), 100) if whole else 0:.2f}%"


def _duration(seconds: float) -> str:
    """Return a time as people say it: ``3.2 seconds``, ``14 minutes``, ``2.5 hours``."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} seconds"


def _breadth(shape: tuple[int, ...]) -> float:
    """Return the width of a layer's bar in percent: the logarithm of how many numbers it passes on."""
    numbers = max(math.prod(shape), 1)
    return round(min(100.0, 4 + 96 * math.log2(numbers) / math.log2(_BROADEST)), 1)


def _total(network: Architecture, field: str) -> str:
    """Return the parameters of all layers of one side in words; nothing where some are not known."""
    side = "asked" if field == "stated_parameters" else "found"
    counts = [getattr(layer, field) for layer in network.layers if getattr(layer, side)]
    return "" if None in counts else f"{sum(counts):,} parameters in all"


def _highest(training: Training) -> float:
    """Return the largest error that a training shows."""
    return max([training.error or 0.0, *(baseline.value for baseline in training.baselines)])


def _needs_a_look(question: Question) -> bool:
    """Say whether a question is shown unfolded: it is not simply right, or a check has a note."""
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
