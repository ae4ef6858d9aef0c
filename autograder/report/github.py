"""The report where GitHub Actions shows it: a job summary in Markdown, annotations, outputs of a step.

Source: GitHub's documentation of workflow commands. A summary above 1 024 KiB is refused as a whole, and a step may
set ten errors and ten warnings. No text of a submission is Markdown here, nor HTML, nor a command.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from autograder.report.files import read_report
from autograder.report.formats import FORMATS
from autograder.report.model import Question, Report
from autograder.report.text import one_line, points, without_commands
from autograder.report.wording import WORDS, check_lines, headline, question_points, remarks

SUMMARY_BYTES_LIMIT = 1024 * 1024
ANNOTATIONS_LIMIT = 10
_BYTES_FOR_THE_END = 1024
_ICONS = {"passed": "✅", "partial": "🟡", "failed": "❌", "needs_review": "⏳", "skipped": "➖"}
# Every character of ASCII that can begin or end something in GitHub's Markdown or HTML, or makes a link of a word.
_ACTIVE = re.compile(r"[\\`*_{}\[\]()<>#+\-.!|~&@:=$^/\"']")


def render(report: Report) -> str:
    """Return the job summary: a table of the questions, then the checks of those that are not simply right."""
    head = [f"## {_quoted(report.assignment)}: {_quoted(headline(report))}", ""]
    head += [f"- {_quoted(remark)}" for remark in remarks(report)]
    if report.questions:
        head += ["", "| question | points | |", "|---|---|---|"]
        head += [
            f"| {_quoted(question.title)} | {_quoted(question_points(question))} "
            f"| {_ICONS[question.status]} {WORDS[question.status]} |"
            for question in report.questions
        ]
    parts = ["\n".join(head) + "\n"]
    left = SUMMARY_BYTES_LIMIT - _BYTES_FOR_THE_END - len(parts[0].encode())
    for question in filter(_needs_a_look, report.questions):
        part = _details(question)
        left -= len(part.encode())
        if left < 0:
            parts.append("\nThe rest is left out here; the report holds all of it.\n")
            break
        parts.append(part)
    return "".join(parts)


def annotation_commands(report: Report) -> list[str]:
    """Return workflow commands that show errors of cells and failed checks at the notebook, within GitHub's limits."""
    where = _property(report.submission.file)
    found = []
    if report.fault is not None:
        found.append(f"::error file={where},title=Submission::{_message(report.fault.message)}")
    for cell in report.cells:
        if cell.error:
            title = _property(f"Cell {cell.index + 1}" + (f" ({cell.question})" if cell.question else ""))
            found.append(f"::error file={where},title={title}::{_message(cell.error)}")
    for question in report.questions:
        for check in question.checks:
            if check.status == "failed":
                text = _message(f"{check.title} {check.message}")
                found.append(f"::error file={where},title={_property(question.title)}::{text}")
    return found[:ANNOTATIONS_LIMIT]


def outputs(report: Report) -> str:
    """Return the lines for ``GITHUB_OUTPUT``: score, max-score, awaiting-review and status."""
    values = {
        "score": points(report.score),
        "max-score": points(report.max_score),
        "awaiting-review": points(report.awaiting_review),
        "status": report.status,
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _needs_a_look(question: Question) -> bool:
    return question.status != "passed" or any(check.message for check in question.checks)


def _details(question: Question) -> str:
    lines = check_lines(question)
    if not lines:
        return ""
    items = "".join(f"- {_quoted(line)}\n" if line[0] != " " else f"  {_quoted(line)}\n" for line in lines)
    return f"\n### {_quoted(question.title)}\n\n{items}"


def _quoted(text: str) -> str:
    """Return one line in which nothing is Markdown, HTML, a mention or a link: by numbers of characters.

    Names of people and numbers of issues are looked for in what has been rendered: a space without width parts them.
    """
    return _ACTIVE.sub(lambda match: f"&#{ord(match[0])};" + ("&#8203;" if match[0] in "@#" else ""), one_line(text))


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(one_line(without_commands(text))).replace(":", "%3A").replace(",", "%2C")


def main(out: Path) -> None:
    """Show the results of a folder in the running step: summary and outputs go to the step's files, annotations out.

    The outputs are those of the only submission; where there are several, or none, only the summary tells of them.
    """
    folders = [path.parent for path in sorted(out.glob(f"*/{FORMATS['json'].file}"))]
    found = [(folder, report) for folder in folders if (report := read_report(folder)) is not None]
    summary = "\n".join(render(report) for _, report in found) or "Nothing was graded: the log of this step says why.\n"
    if len(summary.encode()) > SUMMARY_BYTES_LIMIT:
        summary = f"{len(found)} submissions were graded; what was found is too long for this page.\n"
    _append("GITHUB_STEP_SUMMARY", summary)
    for _, report in found:
        print(*annotation_commands(report), sep="\n")
    if len(found) == 1:
        folder, report = found[0]
        _append("GITHUB_OUTPUT", outputs(report) + f"report={folder / FORMATS['json'].file}\n")


def _append(variable: str, text: str) -> None:
    """Append to a file of the step; elsewhere than in a step there is none, and it is shown."""
    if path := os.environ.get(variable):
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(text)
    else:
        print(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
