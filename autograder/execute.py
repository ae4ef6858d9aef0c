"""Execute one submission: in the sandbox, again with less after a death, and its evidence parsed.

It runs in the fast lane first, where a model is evaluated on some of the rows given. The data are whole there, and all
else is as in the full lane: nothing but the error of a model that was not trained comes out otherwise. Where a cell
stopped that may have looked at such an error, the submission is run again, in the full lane, before any verdict.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autograder.assignment import Assignment
from autograder.report import model as report
from autograder.sandbox.limits import EVALUATED_ROWS, Lane, Limits, Training
from autograder.submission.reading import Submission

if TYPE_CHECKING:
    from autograder.evidence import CellOutcome, Evidence
    from autograder.executions import Runs
    from autograder.sandbox.job import Job, Outcome

_SPENT = ("cpu_seconds", "wall_seconds")


@dataclass(frozen=True)
class Execution:
    """What one submission's execution gave: its evidence, and how it went."""

    evidence: Evidence
    summary: report.Execution
    interrupted: frozenset[int]
    deaths: Mapping[int, Outcome]
    """The cells in which the process ended, or was ended, and how."""
    trouble: str
    """Why the notebook did not run to its end, as a sentence; empty when it did."""


def execute(
    sandbox: Runs,
    assignment: Assignment,
    submission: Submission,
    training: Training,
    limits: Limits,
    lane: Lane = "full",
) -> Execution:
    """Run a submission in a lane, and what the fast lane leaves open in the full one too."""
    from autograder.checks.probes import load, resolved
    from autograder.sandbox.job import Job

    job = Job(
        cells=submission.cells,
        probes=resolved(load(assignment.probes), submission.digest),
        seed=int(hashlib.sha256(submission.digest.encode()).hexdigest()[:8], 16) % 2**31,
        training=training,
        # Fits that are performed give models whose errors mean something.
        lane=lane if training == "record" else "full",
    )
    first = _run(sandbox, job, submission, limits)
    if job.lane == "full" or not _is_open(first):
        return first
    second = _run(sandbox, replace(job, lane="full"), submission, limits)
    spent = {name: round(getattr(first.summary, name) + getattr(second.summary, name), 2) for name in _SPENT}
    return replace(second, summary=second.summary.model_copy(update=spent))


def _is_open(execution: Execution) -> bool:
    """Tell whether a cell stopped, or the process did, where an error of evaluation may have been the reason.

    Such an error is the one thing that the fast lane makes otherwise, by taking it of some rows. A notebook that
    hides that it evaluated hides nothing but its own right to a second run.
    """
    evidence = execution.evidence
    stopped = {cell.index for cell in evidence.cells if cell.status != "ok"} | set(execution.deaths)
    spared = [
        one.cell
        for one in evidence.predictions
        if one.method == "evaluate" and (one.x is None or evidence.arrays[one.x].shape[0] >= 2 * EVALUATED_ROWS)
    ]
    if execution.trouble and not execution.deaths:
        return bool(spared)
    return any(cell >= min(spared, default=math.inf) for cell in stopped)


def _run(sandbox: Runs, job: Job, submission: Submission, limits: Limits) -> Execution:
    """Run, and after a death run again with less: first without the guilty cell's statements, then definitions only."""
    from autograder import evidence as schema

    outcomes = [sandbox.run(job)]
    evidence = schema.parse(outcomes[0].frames, limits)
    trouble = _trouble(outcomes[0], submission)
    for reduced in _salvage_plans(submission, outcomes[0]):
        # Of one submission the runs together may wait no longer than one alone.
        spent = sum(outcome.wall_seconds for outcome in outcomes)
        if outcomes[-1].ending == "completed" or spent > limits.notebook_wall_seconds:
            break
        guilty = {outcome.cell for outcome in outcomes}
        outcomes.append(sandbox.run(replace(job, reduced=reduced)))
        salvaged = schema.parse(outcomes[-1].frames, limits)
        # A cell of which only the definitions ran, and that never had its chance, has not ended.
        salvaged.cells = [cell for cell in salvaged.cells if cell.index not in reduced - guilty]
        evidence = schema.merge(evidence, salvaged)
    summary = report.Execution.model_validate(
        {
            "isolation": outcomes[0].isolation,
            "training": job.training,
            "lane": job.lane,
            "salvaged": len(outcomes) > 1,
            "cpu_seconds": round(sum(outcome.cpu_seconds for outcome in outcomes), 2),
            "wall_seconds": round(sum(outcome.wall_seconds for outcome in outcomes), 2),
            "peak_memory_bytes": max(outcome.peak_memory_bytes for outcome in outcomes),
        }
    )
    deaths = {one.cell: one for one in outcomes if one.cell is not None and one.ending != "completed"}
    # Run again for its definitions alone, the cell ended well; what it was to do, it did not.
    evidence.cells = [_died(cell, deaths[cell.index]) if cell.index in deaths else cell for cell in evidence.cells]
    return Execution(evidence, summary, frozenset(outcomes[0].interrupted), deaths, trouble)


def _died(cell: CellOutcome, death: Outcome) -> CellOutcome:
    from autograder.evidence import ENDED, ErrorText

    error = ErrorText(type=ENDED, message=death.reason)
    return cell.model_copy(update={"status": "error", "error": error})


def _salvage_plans(submission: Submission, first: Outcome) -> list[frozenset[int]]:
    """Return the cells to reduce to imports and definitions, in the second and in the third run."""
    own = frozenset(cell.index for cell in submission.cells if cell.kind in ("answer", "other"))
    if first.cell is None:
        return [own]
    return [frozenset({first.cell}), own]


def _trouble(outcome: Outcome, submission: Submission) -> str:
    if outcome.ending == "completed":
        return ""
    where = ""
    if outcome.cell is not None:
        question = next(cell.question for cell in submission.cells if cell.index == outcome.cell)
        where = f" in a cell of question {question}" if question else " in a cell of no question"
    return f"The notebook did not run to its end: {outcome.reason}{where}. What it had done before counts."
