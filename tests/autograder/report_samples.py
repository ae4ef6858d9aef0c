"""Reports to show: made by hand, as the grader would make them, the hostile ones included."""

from __future__ import annotations

import random
from pathlib import Path

from autograder.assignment import Assignment
from autograder.assignment import Question as AssignmentQuestion
from autograder.report.model import (
    Architecture,
    Cell,
    Check,
    ComparedLayer,
    Curve,
    Execution,
    Fault,
    Named,
    Question,
    Report,
    Strip,
    Submission,
    Training,
)
from autograder.report.summary import Batch, Summary, row_of, summarise

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31mred\x1b]0;title\x07 \u202egnp.exe\u2066"
    '\x00\x07\ud800&quot;\'"{{ 7 * 7 }}{% raw %}</style></title>=HYPERLINK("http://x")'
)

QUESTIONS = (
    AssignmentQuestion("load-data", "1. The data", 5.0, manual=False),
    AssignmentQuestion("build-encoder", "3. The encoder", 15.0, manual=False),
    AssignmentQuestion("compile", "8. Compile", 8.0, manual=False),
    AssignmentQuestion("fit", "9. Train", 6.0, manual=False),
    AssignmentQuestion("latent-space", "12. The latent space", 4.0, manual=False),
    AssignmentQuestion("latent-space-remark", "12. The latent space: your remark", 3.0, manual=True),
)

# What the runner of Classroom 50 puts into the environment.
CLASSROOM50 = {
    "CLASSROOM": "deep-learning", "ASSIGNMENT": "autoencoders", "ASSIGNMENT_TYPE": "individual", "USERNAME": "ada",
    "SUBMISSION_TAG": "submit/3", "COMMIT_URL": "https://example.org/c", "RELEASE_URL": "https://example.org/r",
    "REVIEW_URL": "https://example.org/p",
}  # fmt: skip


ENCODER = Architecture(
    name="Encoder",
    question="build-encoder",
    digest="5e" * 8,
    remark="Built by build_encoder(2).",
    input_shape=(28, 28, 1),
    layers=(
        ComparedLayer(
            status="as stated", name="first convolution", asked="convolution: 8 filters, a kernel of 2 x 2, relu",
            found="convolution: 8 filters, a kernel of 2 x 2, same padding, relu", output=(28, 28, 8), parameters=40,
            stated_output=(27, 27, 8), stated_parameters=40,
        ),
        ComparedLayer(
            status="different", name="second convolution", asked="convolution: 16 filters",
            found="convolution: 32 filters",
            difference="second convolution: 16 filters expected, 32 found", output=(13, 13, 32), parameters=1056,
            stated_output=(12, 12, 16), stated_parameters=528,
        ),
        ComparedLayer(
            status="extra", name="third max-pooling", found="max-pooling: a window of 2 x 2",
            difference="a third max-pooling that the statement does not ask for", output=(6, 6, 32), parameters=0,
        ),
        ComparedLayer(
            status="missing", name="flatten layer", asked="flatten layer", difference="flatten layer: missing",
            stated_output=(800,), stated_parameters=0,
        ),
        ComparedLayer(
            status="elsewhere", name="dense layer", asked="dense layer: tanh", found="dense layer: 2 neurons, tanh",
            difference="dense layer: at another place than in the statement", stated_output=(2,),
            stated_parameters=1602,
        ),
    ),
)  # fmt: skip
# One grey pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
TRAINING = Training(
    question="fit",
    title="Denoising of digits that were never seen",
    measure="mean squared error",
    error=0.058,
    baselines=(
        Named(name="zero", value=0.102), Named(name="mean image", value=0.067), Named(name="noisy input", value=0.25),
    ),
    strips=tuple(Strip(name=name, picture=PIXEL) for name in ("clean", "noisy", "denoised")),
    remark="Trained with Adam.",
)  # fmt: skip
CURVE = Curve(
    question="fit",
    title="Denoising error by latent dimension",
    x_label="latent dimension",
    y_label="mean squared error",
    points=((2.0, 0.058), (4.0, 0.045), (8.0, 0.034), (16.0, 0.029)),
)


def assignment(root: Path = Path("course")) -> Assignment:
    return Assignment("autoencoders", root, 41.0, QUESTIONS, cells=())


def report(student: str = "Ada Lovelace", **changes: object) -> Report:
    """A report with a question of each kind."""
    values: dict[str, object] = {
        "assignment": "autoencoders",
        "student": student,
        "submission": Submission(file=f"submitted/{student}/autoencoders.ipynb", digest="sha256:" + "5e" * 32),
        "score": 25.5,
        "max_score": 41.0,
        "awaiting_review": 7.0,
        "status": "needs_review",
        "questions": questions(),
        "findings": ("third-max-pooling",),
        "notes": ("Your images are called x_train; they were graded as X_train.",),
        "cells": (
            Cell(index=3, question="load-data", status="ok", cpu_seconds=0.4),
            Cell(
                index=17,
                question="fit",
                status="error",
                cpu_seconds=1.2,
                error="ValueError: Input 0 of layer 'dense' is incompatible with the layer: expected axis -1\n"
                "of input shape to have value 2, but received input with shape (32, 3)",
                line=2,
                traceback="cell 18, line 2, in <module>\n    autoencoder.fit(X_train, y_train)",
            ),
        ),
        "architectures": (ENCODER,),
        "trainings": (TRAINING,),
        "curves": (CURVE,),
        "execution": Execution(
            isolation="namespaces",
            training="record",
            cpu_seconds=6.42,
            wall_seconds=7.1,
            peak_memory_bytes=1_400_000_000,
            finished="2026-11-02T09:30:00Z",
            versions=("Python 3.13.5", "Keras 3.12.0"),
        ),
        "autograder_version": "0.1.0",
    }
    return Report.model_validate(values | changes)


def questions() -> tuple[Question, ...]:
    return (
        Question(
            id="load-data",
            title="1. The data",
            score=5.0,
            max_score=5.0,
            status="passed",
            checks=(
                Check(id="shape", title="The images have shape (60000, 28, 28, 1).", status="passed"),
                Check(id="scale", title="The values are between 0 and 1.", status="passed"),
            ),
        ),
        Question(
            id="build-encoder",
            title="3. The encoder",
            score=12.5,
            max_score=15.0,
            status="partial",
            checks=(
                Check(
                    id="first",
                    title="The first convolution has 8 filters of 2 by 2 and relu.",
                    status="passed",
                ),
                Check(
                    id="second",
                    title="The second convolution has 16 filters of 2 by 2 and relu.",
                    status="failed",
                    weight=2.0,
                    message="second convolution: 16 filters expected, 32 found",
                ),
                Check(
                    id="pooling",
                    title="Two max-poolings of 2 by 2, one after each of the first two convolutions.",
                    status="failed",
                    message="one pooling more than the statement: after the third convolution",
                    finding="third-max-pooling",
                ),
                Check(
                    id="output",
                    title="The last layer has latent_dimension neurons and tanh.",
                    status="passed",
                    message="The activation is a layer of its own; that is the same.",
                ),
            ),
        ),
        Question(
            id="compile",
            title="8. Compile",
            score=8.0,
            max_score=8.0,
            status="passed",
            checks=(Check(id="loss", title="The loss is the mean squared error.", status="passed"),),
        ),
        Question(
            id="fit",
            title="9. Train",
            score=0.0,
            max_score=6.0,
            status="failed",
            checks=(
                Check(
                    id="target",
                    title="The model is trained to output its own input.",
                    status="failed",
                    message="The digits (y_train) were given as the target; an autoencoder's target is its input.",
                    finding="labels-as-target",
                ),
                Check(
                    id="epochs",
                    title="20 epochs with batches of 32.",
                    status="skipped",
                    message='Not judged, because "The model is trained to output its own input" failed.',
                ),
            ),
        ),
        Question(
            id="latent-space",
            title="12. The latent space",
            score=0.0,
            max_score=4.0,
            status="needs_review",
            awaiting_review=4.0,
            checks=(
                Check(
                    id="scatter",
                    title="A scatter plot of the encoded images, coloured by digit.",
                    status="needs_review",
                    message="A figure was drawn, but its points could not be matched with the encoded images.",
                ),
            ),
        ),
        Question(
            id="latent-space-remark",
            title="12. The latent space: your remark",
            score=0.0,
            max_score=3.0,
            status="needs_review",
            awaiting_review=3.0,
        ),
    )


def ungradable(student: str = "Blaise Pascal") -> Report:
    return report(
        student,
        score=0.0,
        awaiting_review=0.0,
        status="ungradable",
        questions=(),
        findings=(),
        notes=(),
        cells=(),
        submission=Submission(file=f"submitted/{student}/autoencoders.ipynb", digest=""),
        architectures=(),
        trainings=(),
        curves=(),
        execution=Execution(isolation="namespaces", training="record"),
        fault=Fault(whose="student", message="The file is not a notebook: it ends in the middle of a string."),
    )


def grader_fault(student: str = "Emmy Noether") -> Report:
    return report(
        student,
        score=0.0,
        awaiting_review=41.0,
        questions=(),
        findings=(),
        notes=(),
        cells=(),
        architectures=(),
        trainings=(),
        curves=(),
        execution=Execution(isolation="namespaces", training="record"),
        fault=Fault(whose="grader", message="The grading process ended twice (signal 9)."),
    )


def hostile() -> Report:
    """Every text of a report is hostile."""
    check = Check(id=HOSTILE, title=HOSTILE, status="failed", message=HOSTILE, finding=HOSTILE)
    return report(
        HOSTILE,
        submission=Submission(file=HOSTILE, digest=HOSTILE),
        questions=(Question(id=HOSTILE, title=HOSTILE, score=1.0, max_score=2.0, status="partial", checks=(check,)),),
        findings=(HOSTILE,),
        notes=(HOSTILE,),
        cells=(Cell(index=1, question=HOSTILE, status="error", error=HOSTILE, line=3, traceback=HOSTILE),),
        architectures=(
            Architecture(
                name=HOSTILE,
                question=HOSTILE,
                digest=HOSTILE,
                remark=HOSTILE,
                layers=(ComparedLayer(status="extra", name=HOSTILE, found=HOSTILE, difference=HOSTILE),),
            ),
        ),
        trainings=(
            Training(
                question=HOSTILE,
                title=HOSTILE,
                measure=HOSTILE,
                error=1e300,
                baselines=(Named(name=HOSTILE, value=-1e300),),
                strips=(Strip(name=HOSTILE, picture=PIXEL),),
                remark=HOSTILE,
            ),
        ),
        curves=(
            Curve(
                question=HOSTILE,
                title=HOSTILE,
                x_label=HOSTILE,
                y_label=HOSTILE,
                points=((-1e12, 1e12), (0.0, -1e12), (1e12, 1e-308)),
            ),
        ),
        fault=Fault(whose="student", message=HOSTILE),
        autograder_version=HOSTILE,
    )


def large_class(count: int = 1000, running: bool = False) -> Summary:
    """A class of so many students, as different as students are; the same each time."""
    generator = random.Random(8)
    rows = []
    for number in range(count):
        student = f"{generator.choice(FIRST)} {generator.choice(LAST)} {number:04}"
        if number % 97 == 5:
            found = ungradable(student)
        elif number % 251 == 7:
            found = grader_fault(student)
        else:
            found = _somebody(student, generator)
        rows.append(row_of(found, f"student-{number:04}"))
    batch = Batch(running=running, written="2026-11-02T10:00:00Z", wall_seconds=5400.0, machine="Linux x86_64, 2 cores")
    return summarise(assignment(), rows, count * 2 if running else count, batch)


FIRST = ("Ada", "Bo", "Chen", "Dina", "Élif", "Farid", "Gita", "Hugo", "Ines", "Jonas", "김", "Løvise")
LAST = ("Lovelace", "Noether", "Turing", "Gauß", "Ramanujan", "Curie", "Ångström", "Hopper")
FINDINGS = ("third-max-pooling", "labels-as-target", "same-padding", "weights-not-fresh", "clean-input", "unscaled")


def _somebody(student: str, generator: random.Random) -> Report:
    """A report of somebody who knows more or less, of which little or nothing waits for a person."""
    knows, waits = generator.random(), generator.random() < 0.06
    answered = []
    for question in questions():
        share = min(1.0, max(0.0, generator.gauss(knows, 0.3)))
        manual = question.id.endswith("remark")
        awaiting = question.max_score if manual or (waits and question.id == "latent-space") else 0.0
        score = 0.0 if awaiting else round(question.max_score * share * 2) / 2
        status = "needs_review" if awaiting else "passed" if score == question.max_score else "partial"
        answered.append(question.model_copy(update={"score": score, "awaiting_review": awaiting, "status": status}))
    differs = generator.choice([(), (), ENCODER.layers[1:2], ENCODER.layers[1:3]])
    network = ENCODER.model_copy(update={"layers": (ENCODER.layers[0], *differs), "digest": f"{len(differs):016x}"})
    errors = tuple((x, max(0.01, y + generator.gauss(0, 0.004))) for x, y in CURVE.points)
    return report(
        student,
        score=sum(question.score for question in answered),
        awaiting_review=sum(question.awaiting_review for question in answered),
        status="needs_review" if waits else "graded",
        questions=tuple(answered),
        findings=tuple(name for name in FINDINGS if generator.random() < 0.12),
        architectures=(network,),
        trainings=(),
        curves=(CURVE.model_copy(update={"points": errors}),),
    )
