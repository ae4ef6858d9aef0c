"""The report of one graded submission: the one document that every door shows.

Its JSON Schema is published as ``docs/report.schema.json``; a test pins the two to each other.
All text is cleaned as it enters (see ``text``), so that whoever shows a report only has to
quote it for its own format.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from autograder.report.text import clean, one_line

SCHEMA_VERSION: Literal[1] = 1

Text = Annotated[str, AfterValidator(clean)]
Line = Annotated[str, AfterValidator(one_line)]
MOST_PICTURE_CHARACTERS = 400_000
"""In all pictures of a report: its page stays below a megabyte."""
MOST_POINTS_OF_A_CURVE = 100
LARGEST = 1e12
Png = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=MOST_PICTURE_CHARACTERS)]
Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
CheckStatus = Literal["passed", "failed", "needs_review", "skipped"]
FoundBy = Literal["metadata", "text", "position", "none"]
LayerStatus = Literal["as stated", "different", "elsewhere", "missing", "extra"]
QuestionStatus = Literal["passed", "partial", "failed", "needs_review", "skipped"]
ReportStatus = Literal["graded", "needs_review", "ungradable"]
CellStatus = Literal["ok", "error", "timeout", "skipped"]


class Part(BaseModel):
    """Base of all parts of a report: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


class Check(Part):
    """The outcome of one hidden check; ``title`` is its docstring, ``message`` what the student reads."""

    id: Line
    title: Line
    status: CheckStatus
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    message: Text = ""
    finding: Line | None = None


class Question(Part):
    """The outcome of one question; ``score`` holds what machines decided.

    ``found_by`` tells how sure it is which cell answers it: by the notebook's own marks, by the text around, by its
    place alone; "none" where no cell is its own, and names and records decide. ``pictures`` (PNG in base64) are drawn
    by the grader from what was given to matplotlib; what a person has to look at comes first where room is short.
    """

    id: Line
    title: Line
    score: Points
    max_score: Points
    status: QuestionStatus
    awaiting_review: Points = 0.0
    found_by: FoundBy = "metadata"
    checks: tuple[Check, ...] = ()
    pictures: tuple[Png, ...] = ()


class Cell(Part):
    """How one code cell of the submission ended.

    ``line`` is the innermost line of the cell that an error came up in, counted from 1; ``traceback`` is shortened to
    the notebook's own lines and the last ones below them.
    """

    index: int
    question: Line | None = None
    status: CellStatus
    cpu_seconds: Seconds = 0.0
    error: Text | None = None
    line: int | None = None
    traceback: Text = ""


class ComparedLayer(Part):
    """A layer of the statement, the layer that was found for it, or both.

    ``asked`` and ``found`` are in words, ``output`` and ``stated_output`` the shapes of what they give, ``difference``
    says what is not as stated. Sizes are None where they can not be worked out.
    """

    status: LayerStatus
    name: Line
    asked: Line = ""
    found: Line = ""
    difference: Line = ""
    output: tuple[int, ...] | None = None
    parameters: int | None = None
    stated_output: tuple[int, ...] | None = None
    stated_parameters: int | None = None


class Architecture(Part):
    """A network of the submission, layer by layer beside the statement's.

    ``digest`` is equal for equal networks, whatever their layers are called and however their weights start;
    ``remark`` says for what it was built, and how the statement's sizes were worked out.
    """

    name: Line
    question: Line
    digest: Line
    remark: Line = ""
    input_shape: tuple[int, ...] | None = None
    layers: tuple[ComparedLayer, ...] = ()

    @property
    def differences(self) -> tuple[str, ...]:
        """What is not as stated, in words; empty where nothing is."""
        return tuple(layer.difference for layer in self.layers if layer.difference)


class Named(Part):
    """A number with its name in words."""

    name: Line
    value: Annotated[float, Field(allow_inf_nan=False)]


class Strip(Part):
    """A picture with its name in words: images side by side, drawn by the grader, as PNG in base64."""

    name: Line
    picture: Png


class Training(Part):
    """A training that the grader did itself with the submitted architecture.

    ``error`` is what it came to, as ``measure`` names it, beside the errors of answers that need no learning; None
    where nothing could be measured. No limit stands here. ``strips`` show what the trained model gives for images
    that it has not seen.
    """

    question: Line
    title: Line
    measure: Line
    error: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    baselines: tuple[Named, ...] = ()
    strips: tuple[Strip, ...] = ()
    remark: Text = ""


class Curve(Part):
    """Pairs of numbers that the submission itself measured; ``title`` is equal for what can be compared in a class.

    ``remark`` is what a reader has to know before comparing the numbers with others.
    """

    question: Line
    title: Line
    remark: Line = ""
    x_label: Line
    y_label: Line
    points: Annotated[
        tuple[
            tuple[
                Annotated[float, Field(ge=-LARGEST, le=LARGEST)],
                Annotated[float, Field(ge=-LARGEST, le=LARGEST)],
            ],
            ...,
        ],
        Field(max_length=MOST_POINTS_OF_A_CURVE),
    ]


class Submission(Part):
    """Which file was graded."""

    file: Line
    digest: Line


class Execution(Part):
    """How the submission was executed.

    ``lane`` is "fast" where models were evaluated on some of the rows given, and nothing hung on it.
    ``key`` is a digest of all that decided the verdict (submission, assignment, engine, settings): a batch
    that is resumed keeps a report of an equal key. ``finished`` is the moment in UTC, as in ISO 8601, and ``versions``
    are those of what the submission ran with.
    """

    isolation: Literal["namespaces", "landlock", "none"]
    training: Literal["record", "short", "full"]
    lane: Literal["fast", "full"] = "full"
    salvaged: bool = False
    cpu_seconds: Seconds = 0.0
    wall_seconds: Seconds = 0.0
    peak_memory_bytes: int = 0
    from_cache: bool = False
    key: Line = ""
    finished: Line = ""
    versions: tuple[Line, ...] = ()


class Fault(Part):
    """Why a submission could not be graded as a whole, or what went wrong on the way."""

    whose: Literal["student", "grader"]
    message: Text


class Report(Part):
    """The whole report. ``score`` plus ``awaiting_review`` never exceeds ``max_score``."""

    schema_version: Literal[1] = SCHEMA_VERSION
    assignment: Line
    student: Line
    submission: Submission
    score: Points
    max_score: Points
    awaiting_review: Points
    status: ReportStatus
    questions: tuple[Question, ...] = ()
    findings: tuple[Line, ...] = ()
    notes: tuple[Text, ...] = ()
    cells: tuple[Cell, ...] = ()
    architectures: tuple[Architecture, ...] = ()
    trainings: tuple[Training, ...] = ()
    curves: tuple[Curve, ...] = ()
    execution: Execution
    fault: Fault | None = None
    autograder_version: Line

    @model_validator(mode="after")
    def _points_add_up(self) -> Self:
        # A hair of tolerance: scores are sums of rounded floats.
        if self.score + self.awaiting_review > self.max_score + 1e-6:
            raise ValueError("score and awaiting_review exceed max_score")
        return self
