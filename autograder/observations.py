"""What is seen of a notebook as a whole, beside its questions: named findings that cost nothing.

They group a class, and tell a person where to look; a student reads the sentence.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from autograder.submission.notebook import totals
from autograder.submission.reading import Submission

if TYPE_CHECKING:
    from autograder.evidence import Evidence

SENTENCES = {
    "blank-notebook": "Nothing was written in this notebook: it is as it was handed out.",
    "never-run": "No cell of this notebook had been run when it was saved; it was run for the grading all the same.",
    "recorded-output-differs": (
        "A number of parameters that is printed in the notebook is not what its code gives: was a cell changed after "
        "it was run, or not run again?"
    ),
}


def observe(submission: Submission, evidence: Evidence) -> list[str]:
    """Return the names of what is seen; the keys of ``SENTENCES``."""
    if submission.blank:
        return ["blank-notebook"]
    seen = ["never-run"] if submission.never_run else []
    return [*seen, "recorded-output-differs"] if _differs(submission, evidence) else seen


def _differs(submission: Submission, evidence: Evidence) -> bool:
    """Tell whether a cell that ran to its end shows a total in the file, and not one of those it shows in our run."""
    printed: dict[int, str] = defaultdict(str)
    for output in evidence.outputs:
        if output.index in submission.totals:
            printed[output.index] += output.text
    ended = {cell.index for cell in evidence.cells if cell.status == "ok"}
    return any(
        bool(found := totals(printed[index])) and recorded.isdisjoint(found)
        for index, recorded in submission.totals.items()
        if index in ended
    )
