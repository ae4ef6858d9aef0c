"""One batch: all payloads with their honest twins and neighbours, graded by the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from payloads import control_flow, exhausting, forging, notebook_tricks, reaching_out, reading_secrets, tampering
from payloads.documents import ARCHIVES, DELIVERIES, Delivery, Made
from payloads.payload import Notebook, Payload, Twin
from surroundings import ROOT, Surroundings, running

sys.path.insert(0, str(ROOT / "examples"))
import make_examples as examples

from autograder.report.text import one_line

THEMES: Mapping[str, tuple[str, Sequence[Payload]]] = {
    "control-flow": ("Control flow", control_flow.PAYLOADS),
    "exhausting": ("Exhausting the machine", exhausting.PAYLOADS),
    "forging": ("Forging the result", forging.PAYLOADS),
    "notebook": ("The notebook itself", notebook_tricks.PAYLOADS),
    "reaching-out": ("Reaching out", reaching_out.PAYLOADS),
    "secrets": ("Reading secrets", reading_secrets.PAYLOADS),
    "tampering": ("Tampering with the judging", tampering.PAYLOADS),
}
ALL = {f"{theme}-{payload.slug}": payload for theme, (_, payloads) in THEMES.items() for payload in payloads}
FIRST = "aaa-neighbour"
NEIGHBOURS = (FIRST, *(f"{theme}-zz-neighbour" for theme in THEMES), "zzz-neighbour")
SMALL_DATA = "\nX_train, y_train, X_test, y_test = X_train[:2000], y_train[:2000], X_test[:1000], y_test[:1000]\n"
BUILDERS = ("build-encoder", "encoder-size", "build-decoder", "decoder-size", "autoencoder", "compile")


def answers(base: str) -> dict[str, str]:
    """Return the reference's answers as far as a base has them."""
    reference = examples.reference_answers(_read("source"))
    if base == "builders":
        return {question: reference[question] for question in BUILDERS}
    if base == "small":
        del reference["best-latent-dimension"]
        reference["load-data"] += SMALL_DATA
    return reference


def _read(kind: str) -> Notebook:
    text = (ROOT / kind / "autoencoders" / "autoencoders.ipynb").read_text(encoding="utf-8")
    document: Notebook = json.loads(text)
    return document


def notebook(base: str, question: str = "", code: str = "", mark: str = "") -> Notebook:
    """Return the released notebook with a base's answers and one other; ``mark`` tells it from equal ones."""
    given = answers(base)
    if question:
        given[question] = code or "# Nothing was written.\n"
    if mark:
        given["compile"] += f"# {mark}\n"
    return examples.filled_in(_read("release"), given)


def hostile(payload: Payload, code: str) -> Notebook:
    """Return the notebook of a payload whose names were replaced."""
    document = notebook(payload.base, payload.question, code)
    if payload.edit:
        payload.edit(document)
    return document


@dataclass
class Batch:
    """What one run of the command line left, and what was seen of the machine around it."""

    surroundings: Surroundings
    isolation: str
    done: subprocess.CompletedProcess[str]
    before: dict[str, str]
    after: dict[str, str]
    reached: tuple[str, ...]
    survivors: list[str]

    @cached_property
    def reports(self) -> dict[str, dict[str, Any]]:
        """The reports by student."""
        found = [json.loads(path.read_text("utf-8")) for path in self.surroundings.out.glob("*/report.json")]
        return {report["student"]: report for report in found}

    def error_of(self, student: str, question: str) -> str:
        """Return the error of a question's cell."""
        cells = self.reports[student]["cells"]
        errors = [cell["error"] for cell in cells if cell["question"] == question and cell["error"]]
        return errors[0] if errors else ""


def twin_name(twin: Twin) -> str:
    return f"honest-{TWINS.index(twin):02}"


TWINS: list[Twin] = sorted({payload.twin for payload in ALL.values()})


def student_of(delivery: Delivery) -> str | bytes:
    return delivery.student or "documents-" + "-".join(delivery.claim.split())


def seen(delivery: Delivery) -> str:
    """Return the name under which a delivery's student is reported."""
    name = one_line(os.fsdecode(student_of(delivery)))
    return name if name.strip("\u3164\u200b ") else "unnamed"


def submit(surroundings: Surroundings, names: Iterable[str] = ALL) -> None:
    """Write the payloads of some names."""
    for name in names:
        payload = ALL[name]
        _write(surroundings, name, hostile(payload, surroundings.aimed(payload.code, payload.slug)))


def submit_honest(surroundings: Surroundings) -> None:
    """Write the twins and the neighbours."""
    for twin in TWINS:
        _write(surroundings, twin_name(twin), notebook(*twin, mark="a twin"))
    for name in NEIGHBOURS:
        _write(surroundings, name, notebook("small", mark=name))


def submit_documents(surroundings: Surroundings) -> None:
    """Write everything that is no notebook, or is one under a strange name or in strange company."""
    for number, delivery in enumerate(DELIVERIES):
        folder = surroundings.submitted / os.fsdecode(student_of(delivery)) / "autoencoders"
        folder.mkdir(parents=True)
        mark = "" if delivery.student else f"delivery {number}"
        made = Made(
            json.dumps(notebook("builders", mark=mark)), surroundings.marker, surroundings.planted / f"d{number}"
        )
        delivery.make(folder / "autoencoders.ipynb", made)
    for number, archive in enumerate(ARCHIVES):
        made = Made("", surroundings.marker, surroundings.planted / f"a{number}")
        (surroundings.folder / f"class-{number}.zip").write_bytes(archive.make(made))


def _write(surroundings: Surroundings, student: str, document: Notebook) -> None:
    path = surroundings.submitted / student / "autoencoders" / "autoencoders.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document), encoding="utf-8")


def grade(surroundings: Surroundings, isolation: str, *options: str, prefix: Sequence[str] = ()) -> Batch:
    """Grade what was submitted and look at the machine before and after; ``prefix`` runs the command elsewhere."""
    before = surroundings.state()
    done = surroundings.grade("--isolation", isolation, *options, prefix=prefix)
    survivors = running(surroundings.left, str(surroundings.folder))
    return Batch(surroundings, isolation, done, before, surroundings.state(), tuple(surroundings.reached), survivors)
