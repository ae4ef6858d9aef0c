"""Reports to show: made by hand, as the grader would make them, the hostile ones included."""

from __future__ import annotations

from pathlib import Path

from autograder.assignment import Assignment
from autograder.assignment import Question as AssignmentQuestion
from autograder.report.model import Cell, Check, Execution, Fault, Question, Report, Submission

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
            ),
        ),
        "execution": Execution(
            isolation="namespaces",
            training="record",
            cpu_seconds=6.42,
            wall_seconds=7.1,
            peak_memory_bytes=1_400_000_000,
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
        cells=(Cell(index=1, question=HOSTILE, status="error", error=HOSTILE),),
        fault=Fault(whose="student", message=HOSTILE),
        autograder_version=HOSTILE,
    )
