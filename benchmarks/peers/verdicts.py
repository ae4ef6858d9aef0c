"""How often each grader errs: verdicts by submission and question, and the table made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["full", "less", "review"]
Expected = Literal["right", "wrong", "open"]
EXAMPLES = 3
HEAD = ("right variants failed", "right variants left to a person", "wrong variants passed",
        "wrong variants left to a person", "wrong variants that pay for more than their mistake")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One submission: what each question deserves, and the verdicts of each grader on it.

    ``open`` is a question of which neither is expected: a person decides, or an earlier mistake leaves nothing to
    judge.
    """

    student: str
    expected: Mapping[str, Expected]
    verdicts: Mapping[str, Mapping[str, Verdict]] = field(default_factory=dict)

    @property
    def right(self) -> bool:
        return "wrong" not in self.expected.values()

    def questions(self, grader: str, expected: Expected, verdict: Verdict) -> list[str]:
        """Return the questions that deserve the one and got the other."""
        given = self.verdicts[grader]
        return [name for name, deserved in self.expected.items() if deserved == expected and given[name] == verdict]


def verdict(points: float, most: float, awaiting: float = 0.0) -> Verdict:
    """Return what the points of a question say: all, some lost, or some that wait for a person and none lost."""
    if points + awaiting < most:
        return "less"
    return "review" if points < most else "full"


def expected(questions: Sequence[str], fails: Iterable[str], undecided: Iterable[str]) -> dict[str, Expected]:
    """Return what each question deserves, from the checks that must fail and those that wait or are skipped."""
    wrong = {check.partition("/")[0] for check in fails}
    left = {check.partition("/")[0] for check in undecided}
    return {name: "wrong" if name in wrong else "open" if name in left else "right" for name in questions}


def mistakes(case: Case, grader: str) -> dict[str, list[str]]:
    """Return the questions of each kind of mistake (the columns of the table) that a grader made; none are left out."""
    if case.right:
        found = {HEAD[0]: case.questions(grader, "right", "less"), HEAD[1]: case.questions(grader, "right", "review")}
    else:
        found = {
            HEAD[2]: case.questions(grader, "wrong", "full"),
            HEAD[3]: case.questions(grader, "wrong", "review"),
            HEAD[4]: case.questions(grader, "right", "less"),
        }
    return {kind: questions for kind, questions in found.items() if questions}


def counts(cases: Sequence[Case], grader: str) -> dict[str, int]:
    """Return how many submissions each kind of mistake met."""
    met = [mistakes(case, grader) for case in cases]
    return {kind: sum(kind in one for one in met) for kind in HEAD}


def table(cases: Sequence[Case], graders: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the table: a row for each kind of mistake, a column for each grader (its name, its title)."""
    right = sum(case.right for case in cases)
    columns = {grader: counts(cases, grader) for grader in graders}
    yield f"| | {' | '.join(graders.values())} |"
    yield f"|---|{'---|' * len(graders)}"
    for kind in HEAD:
        whole = right if kind.startswith("right") else len(cases) - right
        yield f"| {kind} | {' | '.join(f'{columns[grader][kind]} of {whole}' for grader in graders)} |"


def kinds(cases: Sequence[Case], graders: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the table that says in which questions each grader errs, with some examples by name."""
    yield "| grader | what | question | submissions | for example |"
    yield "|---|---|---|---|---|"
    for grader, title in graders.items():
        met: dict[tuple[str, str], list[str]] = defaultdict(list)
        for case in cases:
            for kind, questions in mistakes(case, grader).items():
                for question in questions:
                    met[kind, question].append(case.student)
        for kind, question in sorted(met, key=lambda pair: HEAD.index(pair[0])):
            students = met[kind, question]
            named = ", ".join(f"`{student}`" for student in students[:EXAMPLES])
            yield f"| {title} | {kind} | {question} | {len(students)} | {named} |"


def as_json(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Return all verdicts as plain data."""
    return [
        {"student": case.student, "right": case.right, "expected": case.expected, "verdicts": case.verdicts}
        for case in cases
    ]
