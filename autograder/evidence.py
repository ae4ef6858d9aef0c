"""The schema of what leaves the sandbox, and its strict parser.

Everything here was written by a process in which a student's code ran: it is parsed as
hostile input. A record that does not fit the schema is dropped and named in
``Evidence.malformed``; nothing in a record is ever executed, unpickled or looked up by name.

Tables (``models``, ``arrays``) are referred to by position, so that the same weights or
images cross the socket once. All positions are checked here, so that readers need not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from autograder.sandbox.limits import Limits
from autograder.sandbox.protocol import Frame

TEXT_LIMIT = 4_000
ELEMENT_LIMIT = 4_000_000
DRAWN_LIMIT = 6_000_000
"""Numbers in all pictures and points of one submission: a figure may refer to one blob as often as it likes."""
JSON_DEPTH_LIMIT = 24
JSON_NODE_LIMIT = 50_000
ANSWER_ROWS = 2
"""For so many drawn inputs a model that was taken apart tells what it gives."""
FAULT_LIMIT = 100
"""Faults of one record of which the first is told; of more only their number, since to list them takes memory."""
DTYPES = {"<f4": np.float32, "<f8": np.float64, "|u1": np.uint8, "<i8": np.int64, "|b1": np.bool_}


def _array(value: Any, info: ValidationInfo) -> np.ndarray[Any, Any]:
    """Read ``{"blob": 0, "dtype": "<f4", "shape": [2, 3]}`` as a read-only array."""
    if not isinstance(value, dict) or set(value) != {"blob", "dtype", "shape"}:
        raise ValueError("not a reference to a blob")
    blobs: tuple[bytes, ...] = (info.context or {})["blobs"]
    position, dtype, shape = value["blob"], value["dtype"], value["shape"]
    if type(position) is not int or not 0 <= position < len(blobs):
        raise ValueError("no such blob")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError("dtype is not allowed")
    if not isinstance(shape, list) or len(shape) > 8:
        raise ValueError("shape is not a short list")
    if any(type(side) is not int or not 0 <= side <= ELEMENT_LIMIT for side in shape):
        raise ValueError("shape out of bounds")
    count = math.prod(shape)
    if count > ELEMENT_LIMIT or count * np.dtype(dtype).itemsize != len(blobs[position]):
        raise ValueError("blob size does not fit the shape")
    if dtype == "|b1" and blobs[position].strip(b"\x00\x01"):
        raise ValueError("a boolean that is neither 0 nor 1")
    return np.frombuffer(blobs[position], dtype=dtype).reshape(shape)


def drawn_inputs(seed: int, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return ``ANSWER_ROWS`` inputs of a shape, float32 in [0, 1), the same for the same seed."""
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.random((ANSWER_ROWS, *shape), dtype=np.float32)


def _bounded_json(value: Any) -> Any:
    """Accept plain JSON of bounded depth and size; raise ValueError on anything else."""
    nodes = 0
    stack: list[tuple[Any, int]] = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        nodes += 1
        if depth > JSON_DEPTH_LIMIT or nodes > JSON_NODE_LIMIT:
            raise ValueError("nested too deeply or too large")
        if isinstance(item, dict):
            if not all(isinstance(key, str) for key in item):
                raise ValueError("a key that is not a string")
            stack.extend((key, depth + 1) for key in item)
            stack.extend((child, depth + 1) for child in item.values())
        elif isinstance(item, list):
            stack.extend((child, depth + 1) for child in item)
        elif isinstance(item, str):
            if len(item) > TEXT_LIMIT:
                raise ValueError("a string that is too long")
            if any("\ud800" <= character <= "\udfff" for character in item):
                raise ValueError("a string that is not Unicode text")
        elif item is not None and not isinstance(item, (bool, int, float)):
            raise ValueError("not plain JSON")
        elif isinstance(item, int) and abs(item) > 2**63:
            raise ValueError("an integer that is too large")
        elif isinstance(item, float) and not math.isfinite(item):
            raise ValueError("a number that is not finite")
    return value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


T = TypeVar("T")
Text = Annotated[str, Field(max_length=TEXT_LIMIT)]
Name = Annotated[str, Field(max_length=200)]
Count = Annotated[int, Field(ge=0, le=2**62)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Array = Annotated[np.ndarray[Any, Any], PlainValidator(_array)]
Json = Annotated[Any, PlainValidator(_bounded_json)]
# The first fault is enough: a million of them would take gigabytes.
Sequence_ = Annotated[tuple[T, ...], FailFast(), BeforeValidator(_tuple), Field(max_length=10_000)]
Shape = Annotated[tuple[Count, ...], FailFast(), BeforeValidator(_tuple), Field(max_length=8)]


class Record(BaseModel):
    """Base of all records: strict, closed, frozen."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)


ENDED = "Ended"
"""The type of the error of a cell in which the process ended, or was stopped; its message says how."""


class ErrorText(Record):
    """An exception as text: ``NameError``, its message and the student's own line number within the cell."""

    type: Name
    message: Text
    line: Count | None = None


class CellOutcome(Record):
    """How one cell ended. ``cpu_seconds`` is the child's own measure and only informs."""

    index: Count
    status: Literal["ok", "error", "timeout", "skipped"]
    error: ErrorText | None = None
    traceback: Text = ""
    cpu_seconds: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    note: Text = ""


class OutputText(Record):
    """What a cell printed, cut at a length; shown to people only."""

    index: Count
    stream: Literal["stdout", "stderr", "result"]
    text: Text


class ArraySample(Record):
    """An array of the student: figures of all of it, and some of its rows in full.

    ``shape`` and ``dtype`` are of the whole array; ``rows`` are the indices (along the first
    axis) of the exported rows, ``values`` has shape ``(len(rows), *shape[1:])``. Arrays of equal
    length are sampled at equal rows. The figures are over finite values, None where there are none.
    """

    shape: Shape
    dtype: Name
    minimum: Number | None
    maximum: Number | None
    mean: Number | None
    standard_deviation: Number | None
    finite: bool
    rows: Sequence_[Count]
    values: Array

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        if self.values.shape != (len(self.rows), *self.shape[1:]) or any(r >= self.shape[0] for r in self.rows):
            raise ValueError("rows and values do not fit the shape")
        return self


class Compilation(Record):
    """The recorded arguments of ``compile``, serialised by Keras or, for objects it can not name, described.

    ``loss``, ``optimizer`` and ``metrics`` hold either a string as the student gave it, Keras's own
    ``{"module", "class_name", "config", "registered_name"}``, ``{"function": "mean_squared_error", "module":
    "keras..."}`` for a function, or ``{"other": "type name"}``; lists and dicts of these as given.
    ``arguments`` names every other argument that was given.
    """

    cell: Count
    model_identity: Count
    loss: Json
    optimizer: Json
    metrics: Json = None
    arguments: Sequence_[Name] = ()
    question: Name | None = None
    label: Name | None = None
    error: ErrorText | None = None


class Answer(Record):
    """What a model itself gives for the inputs that ``drawn_inputs`` draws with a seed; float32, samples first.

    ``shape`` is that of one input.
    """

    seed: Count
    shape: Shape
    values: Array


class ModelSnapshot(Record):
    """A Keras model at one moment: configuration, weights and compilation.

    ``identity`` is equal for the same object of one execution; ``variables`` hold one number for each
    weight, equal for the same variable, so that shared layers are seen. ``config`` is
    ``{"class_name": ..., "config": model.get_config()}``, None where the model has none (``problem``
    then says why). ``weights`` follow ``weight_shapes``; they are left out (empty) above a size.
    ``trained`` says whether an earlier ``fit`` of this execution touched any of the variables.
    A model of a class of the notebook's own is told by the layers that it calls where there are such, and comes with an
    ``answer``; one that was not ``built`` states no input shape, whatever its layers were tried with.
    """

    identity: Count
    class_name: Name
    config: Json
    problem: Text = ""
    built: bool
    input_shape: Json = None
    output_shape: Json = None
    weight_shapes: Sequence_[Shape]
    weights: Sequence_[Array] = ()
    variables: Sequence_[Count] = ()
    trained: bool = False
    compilation: Compilation | None = None
    answer: Answer | None = None


class Value(Record):
    """What was found for one probe of one question at the end of a cell.

    ``kind`` tells which of the other fields hold: ``model`` and ``array`` are positions in the tables,
    ``plain`` is JSON. ``name`` is the name that was found, ``None`` when nothing was; ``label`` names the probe.
    ``matched`` says how: by the statement's name, an alias, or by behaviour alone.
    """

    question: Name
    label: Name
    cell: Count | None
    kind: Literal["missing", "error", "model", "array", "plain", "other"]
    name: Name | None = None
    matched: Literal["name", "alias", "behaviour"] | None = None
    arguments: Json = None
    model: Count | None = None
    array: Count | None = None
    plain: Json = None
    type_name: Name = ""
    error: ErrorText | None = None
    compilations: Sequence_[Compilation] = ()

    @model_validator(mode="after")
    def _holds_its_kind(self) -> Self:
        if (self.kind == "model") != (self.model is not None) or (self.kind == "array") != (self.array is not None):
            raise ValueError("the kind and what is held do not fit")
        return self


class Fit(Record):
    """One call of ``fit``: what was given, as it was given. ``model`` is a snapshot from just before the call.

    ``question`` and ``label`` name the probe whose call of a student's function made it; the notebook's own have none.
    """

    cell: Count
    model: Count
    kind: Literal["arrays", "dataset", "other"]
    x: Count | None = None
    y: Count | None = None
    sample_count: Count | None = None
    batch_size: Count | None = None
    epochs: Count | None = None
    initial_epoch: Count = 0
    steps_per_epoch: Count | None = None
    validation_x: Count | None = None
    validation_y: Count | None = None
    validation_split: Number = 0.0
    shuffle: bool = True
    weighted: bool = False
    callbacks: Sequence_[Name] = ()
    performed: bool = False
    question: Name | None = None
    label: Name | None = None
    error: ErrorText | None = None


class Prediction(Record):
    """One call of ``predict``, ``evaluate`` or the model itself outside of training.

    ``x``, ``y`` and ``output`` are positions in ``arrays``; ``result`` is what ``evaluate`` returned.
    """

    cell: Count
    model: Count
    method: Literal["predict", "evaluate", "call"]
    x: Count | None
    y: Count | None = None
    output: Count | None = None
    result: Json = None


class Picture(Record):
    """An image drawn in axes, values as given to matplotlib: (height, width) or with channels, any range."""

    values: Array


class Points(Record):
    """Points drawn in axes: ``positions`` (n, 2); ``colors`` (n, 4) RGBA or (1, 4) when all are one colour.

    ``values`` are the numbers given to a colour map, where there were; ``connected`` tells a line from markers.
    """

    positions: Array
    colors: Array
    values: Array | None = None
    label: Text = ""
    connected: bool = False


class Axes(Record):
    """What was drawn in one pair of axes; ``row`` and ``column`` order the axes of a figure as they are seen."""

    row: Count
    column: Count
    title: Text = ""
    x_label: Text = ""
    y_label: Text = ""
    pictures: Sequence_[Picture] = ()
    points: Sequence_[Points] = ()


class Figure(Record):
    """One figure as it stood when its cell ended (or when it was shown). ``truncated``: parts were too large."""

    cell: Count
    axes: Sequence_[Axes]
    truncated: bool = False

    @property
    def size(self) -> int:
        """How many numbers its pictures and points hold."""
        pictures = sum(picture.values.size for axes in self.axes for picture in axes.pictures)
        return pictures + sum(one.positions.size + one.colors.size for axes in self.axes for one in axes.points)


class Evidence(BaseModel):
    """All that is known of one submission's execution."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    cells: list[CellOutcome] = Field(default_factory=list)
    outputs: list[OutputText] = Field(default_factory=list)
    models: list[ModelSnapshot] = Field(default_factory=list)
    arrays: list[ArraySample] = Field(default_factory=list)
    compilations: list[Compilation] = Field(default_factory=list)
    values: list[Value] = Field(default_factory=list)
    fits: list[Fit] = Field(default_factory=list)
    predictions: list[Prediction] = Field(default_factory=list)
    figures: list[Figure] = Field(default_factory=list)
    malformed: list[str] = Field(default_factory=list)
    ended: bool = False
    _drawn: int = PrivateAttr(0)

    def value(self, question: str, label: str) -> Value | None:
        """Return the last value of a probe, or None when its question was never exported."""
        found = [v for v in self.values if v.question == question and v.label == label]
        return found[-1] if found else None


_TABLES: Mapping[str, tuple[str, type[Record]]] = {
    "cell": ("cells", CellOutcome),
    "output": ("outputs", OutputText),
    "model": ("models", ModelSnapshot),
    "array": ("arrays", ArraySample),
    "compilation": ("compilations", Compilation),
    "value": ("values", Value),
    "fit": ("fits", Fit),
    "prediction": ("predictions", Prediction),
    "figure": ("figures", Figure),
}
_REFERENCES = {"model": "models"} | dict.fromkeys(
    ("x", "y", "output", "array", "validation_x", "validation_y"), "arrays"
)


def parse(frames: Iterable[Frame], limits: Limits | None = None) -> Evidence:
    """Build the evidence of one execution from the frames ``{"event": NAME, "record": {...}}`` that arrived.

    The event ``end`` says that the child came to the end of the notebook. Unknown events and
    malformed records are dropped and named in ``malformed``, and so is what is above the limits.
    """
    limits = limits or Limits()
    evidence = Evidence()
    drawn: Counter[int] = Counter()
    for number, frame in enumerate(frames):
        if number >= limits.frames:
            evidence.malformed.append(f"more than {limits.frames} records")
            break
        event = frame.header.get("event")
        if event == "end":
            evidence.ended = True
        elif isinstance(event, str) and event in _TABLES:
            _append(evidence, event, frame, limits, drawn)
        elif event not in ("ready", "start"):
            evidence.malformed.append("a record of an unknown kind")
    return evidence


def _append(evidence: Evidence, event: str, frame: Frame, limits: Limits, drawn: Counter[int]) -> None:
    table, record_type = _TABLES[event]
    try:
        raw = frame.header.get("record")
        record = record_type.model_validate(raw, context={"blobs": frame.blobs})
        _check_references(evidence, record)
        _check_limits(evidence, record, limits, drawn)
        _check_drawn(evidence, record)
    except (ValidationError, ValueError, RecursionError) as error:
        # A table that others refer to by position keeps its place.
        evidence.malformed.append(f"{event}: {_first_problem(error)}")
        placeholder = _PLACEHOLDERS.get(event)
        if placeholder is not None:
            getattr(evidence, table).append(placeholder)
        return
    getattr(evidence, table).append(record)


def _check_references(evidence: Evidence, record: Record) -> None:
    for field, table in _REFERENCES.items():
        position = getattr(record, field, None)
        if position is not None and position >= len(getattr(evidence, table)):
            raise ValueError(f"{field} refers to nothing")


def _check_limits(evidence: Evidence, record: Record, limits: Limits, drawn: Counter[int]) -> None:
    """Raise ValueError above a limit; ``drawn`` counts the figures of each cell."""
    match record:
        case ModelSnapshot():
            _check_limit("models", len(evidence.models) + 1, limits.models)
            _check_limit("parameters", sum(weight.size for weight in record.weights), limits.model_parameters)
        case ArraySample():
            _check_limit("arrays", len(evidence.arrays) + 1, limits.arrays)
            _check_limit("values", record.values.size, limits.array_values)
        case Figure():
            images = [picture.values for axes in record.axes for picture in axes.pictures]
            points = [points for axes in record.axes for points in axes.points]
            parts = [array for part in points for array in (part.positions, part.colors, part.values)]
            drawn[record.cell] += 1
            _check_limit("figures in a cell", drawn[record.cell], limits.figures)
            _check_limit("images in a figure", len(images), limits.figure_images)
            size = sum(array.size for array in (*images, *parts) if array is not None)
            _check_limit("values in a figure", size, limits.figure_values)


def _check_limit(what: str, number: int, limit: int) -> None:
    if number > limit:
        raise ValueError(f"more than {limit} {what}")


def _check_drawn(evidence: Evidence, record: Record) -> None:
    if isinstance(record, Figure):
        if evidence._drawn + record.size > DRAWN_LIMIT:
            raise ValueError("more is drawn than anybody would look at")
        evidence._drawn += record.size


def _first_problem(error: Exception) -> str:
    if isinstance(error, ValidationError):
        if error.error_count() > FAULT_LIMIT:
            return f"{error.error_count()} faults"
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"{where[:100]}: {first['msg'][:100]}"
    return str(error)[:200]


_PLACEHOLDERS: dict[str, Record] = {
    "model": ModelSnapshot.model_construct(
        identity=0, class_name="", config=None, problem="malformed", built=False, weight_shapes=()
    ),
    "array": ArraySample.model_construct(
        shape=(0,),
        dtype="malformed",
        minimum=None,
        maximum=None,
        mean=None,
        standard_deviation=None,
        finite=False,
        rows=(),
        values=np.zeros((0,), np.float32),
    ),
}


def merge(first: Evidence, second: Evidence) -> Evidence:
    """Return the evidence of two executions of one notebook: the second only adds cells that the first did not end.

    Used after a child has died: what had been exported before counts, the salvage run supplies the rest.
    """
    ended = {cell.index for cell in first.cells}
    models, arrays = len(first.models), len(first.arrays)
    merged = first.model_copy(deep=False)
    for table in ("cells", "outputs", "compilations", "values", "fits", "predictions", "figures"):
        setattr(merged, table, _merged_table(getattr(first, table), getattr(second, table), ended, models, arrays))
    merged.models = first.models + second.models
    merged.arrays = first.arrays + second.arrays
    merged.malformed = first.malformed + second.malformed
    merged.ended = second.ended
    return merged


def _merged_table(first: list[Any], second: list[Any], ended: set[int], models: int, arrays: int) -> list[Any]:
    def cell_of(record: Any) -> int | None:
        cell: int | None = record.index if hasattr(record, "index") else record.cell
        return cell

    known = {(v.question, v.label) for v in first if isinstance(v, Value) and v.cell in ended}
    result = [record for record in first if cell_of(record) in ended]
    for record in second:
        if isinstance(record, Value):
            keep = (record.question, record.label) not in known
        else:
            keep = cell_of(record) not in ended
        if keep:
            result.append(_moved(record, models, arrays))
    return result


def _moved(record: Record, models: int, arrays: int) -> Record:
    offsets = {"models": models, "arrays": arrays}
    changes = {
        field: getattr(record, field) + offsets[table]
        for field, table in _REFERENCES.items()
        if getattr(record, field, None) is not None
    }
    return record.model_copy(update=changes) if changes else record
