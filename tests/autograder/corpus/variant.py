"""What one submission of the corpus is: the reference solution, a few changes of it, and what is expected of it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "examples"))

import make_examples as examples  # noqa: E402

Answers = dict[str, str]
Notebook = dict[str, Any]
Cell = dict[str, Any]


# --- changes ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """The whole answer to a question is another one; an empty source leaves the stub of the release."""

    question: str
    source: str

    def apply(self, answers: Answers) -> None:
        """Put the answer in the place of the reference's."""
        if answers[self.question] == self.source:
            raise ValueError(f"{self.question}: this is the reference's answer")
        if self.source:
            answers[self.question] = self.source
        else:
            del answers[self.question]


@dataclass(frozen=True)
class Replaced:
    """A part of the answer to a question, which stands there exactly once, is another one."""

    question: str
    old: str
    new: str

    def apply(self, answers: Answers) -> None:
        """Replace the part."""
        found = answers[self.question].count(self.old)
        if found != 1:
            raise ValueError(f"{self.question}: {self.old!r} stands there {found} times")
        answers[self.question] = answers[self.question].replace(self.old, self.new)


@dataclass(frozen=True)
class Everywhere:
    """A pattern (a regular expression) is replaced in all answers, or in those of some questions."""

    old: str
    new: str
    questions: tuple[str, ...] = ()

    def apply(self, answers: Answers) -> None:
        """Replace the pattern; it has to be found."""
        found = 0
        for question in self.questions or tuple(answers):
            answers[question], times = re.subn(self.old, self.new, answers[question])
            found += times
        if not found:
            raise ValueError(f"{self.old!r} stands nowhere")


@dataclass(frozen=True)
class Added:
    """Lines are added below the answer to a question, or above it."""

    question: str
    source: str
    above: bool = False

    def apply(self, answers: Answers) -> None:
        """Add the lines."""
        old = answers[self.question]
        answers[self.question] = self.source + old if self.above else old + self.source


@dataclass(frozen=True)
class Edited:
    """The notebook itself is edited: a function changes the document in place."""

    edit: Callable[[Notebook], None]

    def apply(self, answers: Answers) -> None:
        """Change no answer."""


Change = Answer | Replaced | Everywhere | Added | Edited


# --- expectations -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lost:
    """How a check fails: the named finding, a part of the message, and the share of the check's points that is lost."""

    finding: str | None = None
    says: str = ""
    cost: float = 1.0


@dataclass(frozen=True)
class Variant:
    """One submission and what is expected of it; what is not named here must pass without a finding.

    ``fails`` maps checks to how they fail (a text is the finding, None is a failure without one), ``waits`` maps
    checks to a part of the reason why a person decides, ``skips`` maps checks to the question that is to blame.
    ``says`` are parts of sentences that the student must read somewhere in the report; ``mentions`` are findings of
    notes, which cost nothing. ``without`` are questions whose answers are left out, where the change can not matter for
    them and they take long: they lose all their points.
    """

    name: str
    changes: tuple[Change, ...]
    right: bool
    fails: Mapping[str, Lost | str | None] = field(default_factory=dict)
    waits: Mapping[str, str] = field(default_factory=dict)
    skips: Mapping[str, str] = field(default_factory=dict)
    says: Sequence[str] = ()
    mentions: Sequence[str] = ()
    without: Sequence[str] = ()
    suffix: str = ".ipynb"
    written: Callable[[Notebook], str] | None = None

    @property
    def student(self) -> str:
        """The name of the folder in which it is handed in."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def losses(self) -> dict[str, Lost]:
        """How checks fail, by check."""
        return {check: lost if isinstance(lost, Lost) else Lost(lost) for check, lost in self.fails.items()}

    @property
    def questions(self) -> set[str]:
        """The questions whose answers differ from the reference's, or whose checks must not pass."""
        mine, reference = self.answers(), reference_answers()
        changed = {question for question in reference if mine.get(question) != reference[question]}
        return (changed - set(self.without)) | {
            check.partition("/")[0] for check in (*self.fails, *self.waits, *self.skips)
        }

    def answers(self) -> Answers:
        """Return the answers by question."""
        answers = reference_answers()
        for change in self.changes:
            change.apply(answers)
        for question in self.without:
            del answers[question]
        return answers

    def document(self) -> Notebook:
        """Return the notebook."""
        document = examples.filled_in(_notebook("release"), self.answers())
        for change in self.changes:
            if isinstance(change, Edited):
                change.edit(document)
        return document

    def text(self) -> str:
        """Return the file as it is handed in."""
        written = self.written or (examples.as_colab_script if self.suffix == ".py" else _as_json)
        return written(self.document())


def right(name: str, *changes: Change, **expected: Any) -> Variant:
    """Return a right submission: full points from the machine, but for what ``waits`` for a person."""
    return Variant(name, changes, right=True, **expected)


def wrong(name: str, *changes: Change, fails: Mapping[str, Lost | str | None], **expected: Any) -> Variant:
    """Return a wrong submission: exactly the checks of ``fails`` fail, and those of ``waits`` and ``skips`` do so."""
    return Variant(name, changes, right=False, fails=fails, **expected)


def no_sweep(*variants: Variant) -> list[Variant]:
    """Return variants without the comparison of dimensions, where it can not matter: it takes as long as the rest."""
    return [replace(variant, without=("best-latent-dimension",)) for variant in variants]


# --- the reference ----------------------------------------------------------------------------------


def reference_answers() -> Answers:
    """Return the reference's answers by question."""
    answers: Answers = examples.reference_answers(_notebook("source"))
    return answers


def answer_cell(document: Notebook, question: str) -> Cell:
    """Return the cell of a notebook in which a question is answered."""
    return cell_of(document, f"{question}-answer")


def cell_of(document: Notebook, grade_id: str) -> Cell:
    """Return the cell of a notebook that has a name of nbgrader's."""
    cells = [cell for cell in document["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id]
    if len(cells) != 1:
        raise ValueError(f"{len(cells)} cells are called {grade_id}")
    return cells[0]


def code_cell(source: str) -> Cell:
    """Return a code cell as a student adds one."""
    lines = source.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": lines}


def _as_json(document: Notebook) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


@cache
def _read(kind: str) -> str:
    return (ROOT / kind / "autoencoders" / "autoencoders.ipynb").read_text(encoding="utf-8")


def _notebook(kind: str) -> Notebook:
    document: Notebook = json.loads(_read(kind))
    return document
