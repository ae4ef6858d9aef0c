"""Execute one submission: in the sandbox, again with less after a death, and its evidence parsed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autograder.assignment import Assignment
from autograder.report import model as report
from autograder.sandbox.limits import Limits, Training
from autograder.submission.reading import Submission

if TYPE_CHECKING:
    from autograder.evidence import Evidence
    from autograder.sandbox.supervisor import Outcome, Sandbox


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
    sandbox: Sandbox, assignment: Assignment, submission: Submission, training: Training, limits: Limits
) -> Execution:
    """Run, and after a death run again with less: first without the guilty cell's statements, then definitions only."""
    from autograder import evidence as schema
    from autograder.checks.probes import load, resolved
    from autograder.sandbox.supervisor import Job

    job = Job(
        cells=submission.cells,
        probes=resolved(load(assignment.probes), submission.digest),
        seed=int(hashlib.sha256(submission.digest.encode()).hexdigest()[:8], 16) % 2**31,
        training=training,
    )
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
            "training": training,
            "salvaged": len(outcomes) > 1,
            "cpu_seconds": round(sum(outcome.cpu_seconds for outcome in outcomes), 2),
            "wall_seconds": round(sum(outcome.wall_seconds for outcome in outcomes), 2),
            "peak_memory_bytes": max(outcome.peak_memory_bytes for outcome in outcomes),
        }
    )
    deaths = {one.cell: one for one in outcomes if one.cell is not None and one.ending != "completed"}
    return Execution(evidence, summary, frozenset(outcomes[0].interrupted), deaths, trouble)


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
