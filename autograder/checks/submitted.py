"""What hidden checks see of a submission: its evidence by question, with readable reasons where something is not there.

Nothing here judges; it finds, parses and rebuilds. Where there is nothing to judge it ends the check that asked, by
``fail`` (not answered, not found, raised the student's error) or ``review`` (what the grader does not understand).
"""

from __future__ import annotations

import ast
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from autograder.checks.outcomes import Failed, fail, note, review
from autograder.evidence import (
    ENDED,
    ArraySample,
    Compilation,
    ErrorText,
    Evidence,
    Figure,
    Fit,
    ModelSnapshot,
    Prediction,
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from keras import Sequential

    from autograder.models.description import ModelDescription, Unrecognised
    from autograder.models.rebuild import WeightsMismatch
    from autograder.sandbox.job import PlannedCell

T = TypeVar("T")
NOT_ANSWERED = "Not answered."
_ERROR_LIMIT = 300
# How a probe's kind of value is called in a sentence.
_KINDS = {"model": "a Keras model", "array": "an array", "plain": "a number, text, list or dictionary"}


class SubmittedModel:
    """One model of the student: its snapshot, its description, and the Keras model that the grader builds from it."""

    def __init__(self, snapshot: ModelSnapshot) -> None:
        self.snapshot = snapshot

    @cached_property
    def description(self) -> ModelDescription:
        """The layers; ends the check when they can not be read (review) or are not those of its weights (failed)."""
        from autograder.models.description import Unrecognised
        from autograder.models.rebuild import WeightsMismatch

        match self._described:
            case Unrecognised() as error:
                known = f"This model has something that the grader does not know ({error.reason})"
                review(f"{known}: a person will look at it.{self._told_shapes()}")
            case WeightsMismatch() as error:
                fail(f"The weights of this model do not belong to its layers: {error.reason}.")
            case description:
                return description

    @cached_property
    def _described(self) -> ModelDescription | Unrecognised | WeightsMismatch:
        from autograder.models.description import Unrecognised
        from autograder.models.rebuild import WeightsMismatch, describe

        try:
            return describe(self.snapshot)
        except (Unrecognised, WeightsMismatch) as error:
            return error

    def _told_shapes(self) -> str:
        return f" It goes from {self.answered[0] or 'any shape'} to {self.answered[1]}." if self.answered else ""

    @property
    def answered(self) -> tuple[tuple[int, ...] | None, tuple[int, ...]] | None:
        """The shapes of one input and one output as the model itself told them, where its layers can not be read.

        They are those of what it gave for drawn inputs; of a model that consists of Keras's classes, Keras's word. A
        function that returns zeros tells the right ones as well: wrong ones fail, right ones earn nothing.
        """
        from autograder.models.description import Unrecognised

        if not isinstance(self._described, Unrecognised):
            return None
        told, built = self.snapshot.answer, self.snapshot.built
        if told is not None:
            return (tuple(told.shape) if built else None), tuple(told.values.shape[1:])
        shapes = [_without_samples(shape) for shape in (self.snapshot.input_shape, self.snapshot.output_shape)]
        if self.snapshot.problem or shapes[1] is None:
            return None
        return shapes[0], shapes[1]

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """The shape of one input, None where the model states none; ends the check when nothing is known of it."""
        return self.description.input_shape if self.answered is None else self.answered[0]

    @cached_property
    def keras(self) -> Sequential:
        """The model, rebuilt by the grader from known layers, with the submitted weights where there are any."""
        return self.keras_for(self.description.input_shape)

    @cached_property
    def function(self) -> Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
        """What the model computes, as a function of inputs (n, ...); cheaper than ``keras`` where only that matters."""
        from autograder.models.rebuild import function

        return self._built(lambda: function(self.description, self.snapshot.weights))

    def keras_for(self, input_shape: tuple[int, ...] | None) -> Sequential:
        """Return the rebuilt model; one that states no input shape is built, with fresh weights, for the given one."""
        from autograder.models.rebuild import rebuild, submitted

        if self.description.input_shape is None:
            return self._built(lambda: rebuild(self.description, input_shape))
        return self._built(lambda: submitted(self.snapshot))

    def fresh(self, input_shape: tuple[int, ...], seed: int) -> Sequential:
        """Return the rebuilt model with the fresh weights of a seed, for a check that trains it.

        A clone of ``keras`` would not do: its layers start at zero, since its weights are replaced at once.
        """
        from autograder.models.rebuild import rebuild

        return self._built(lambda: rebuild(self.description, input_shape, seed=seed))

    def _built(self, build: Callable[[], T]) -> T:
        """Return what ``build`` gives; end the check with the reason where there is no such model."""
        from autograder.models.description import Unbuildable, Unrecognised
        from autograder.models.rebuild import WeightsMismatch

        try:
            return build()
        except Unrecognised as error:
            review(f"The grader can not build this model ({error.reason}), so a person will look at it.")
        except Unbuildable as error:
            fail(f"The layers of this model do not fit each other: {error.reason}.")
        except WeightsMismatch as error:
            fail(f"The weights of this model can not be used: {error.reason}.")


class Submitted:
    """The evidence of one submission, and the cells that were run."""

    def __init__(self, evidence: Evidence, cells: tuple[PlannedCell, ...] = ()) -> None:
        self.evidence = evidence
        self.cells = cells
        self._models: dict[int, SubmittedModel] = {}

    def value(self, question: str, label: str) -> Value:
        """Return the last value of a probe; one of kind "missing" when there is none."""
        found = self.evidence.value(question, label)
        return found or Value(question=question, label=label, cell=None, kind="missing")

    def found(self, question: str, label: str, what: str, kind: str | None = "model") -> Value:
        """Return the value of a probe when it is of the kind asked for; otherwise fail with the reason.

        ``what`` names it in a sentence: ``a function named build_encoder``.
        """
        value = self.value(question, label)
        if value.kind == "missing":
            self._missing(question, what)
        _say_how_it_was_found(value, what)
        called = _called(value)
        if value.kind == "error":
            fail(f"{called} raised {error_sentence(value.error)}")
        if kind is not None and value.kind != kind:
            nothing = value.type_name == "NoneType" or (value.kind == "plain" and value.plain is None)
            if nothing and self.blank(question):
                self.unanswered(question)
            if nothing:
                fail(f"{called} returns nothing. Does the function end with return?" if value.arguments is not None
                     else f"{called} is None: nothing was stored in it.")  # fmt: skip
            found = f"an object of type {value.type_name}" if value.type_name else _KINDS.get(value.kind, value.kind)
            fail(f"{called} should be {_KINDS.get(kind, kind)}; found: {found}.")
        return value

    def model(self, source: int | Value) -> SubmittedModel:
        """Return a model of the table by its position, or the one that a value holds."""
        position = source.model if isinstance(source, Value) else source
        assert position is not None, "a value without a model"
        if position not in self._models:
            self._models[position] = SubmittedModel(self.evidence.models[position])
        return self._models[position]

    def array(self, source: int | Value) -> ArraySample:
        """Return an array of the table by its position, or the one that a value holds."""
        position = source.array if isinstance(source, Value) else source
        assert position is not None, "a value without an array"
        return self.evidence.arrays[position]

    def cells_of(self, question: str) -> frozenset[int]:
        """Return the indices of the cells that belong to a question."""
        return frozenset(cell.index for cell in self.cells if cell.question == question)

    def cell_error(self, question: str) -> ErrorText | None:
        """Return the first error in the cells of a question that a student writes."""
        own = {cell.index for cell in self.cells if cell.question == question and cell.kind in ("answer", "other")}
        return next((cell.error for cell in self.evidence.cells if cell.index in own and cell.error), None)

    def import_left_out(self, name: str) -> str | None:
        """Return the module that is not installed here and whose import was to bind a name; None when none was."""
        notes = {cell.index: cell.note for cell in self.evidence.cells}
        for cell in self.cells:
            for module in re.findall(r"No module named '([\w.]+)'", notes.get(cell.index, "")):
                if name in _bound_by_import(cell.source, module.partition(".")[0]):
                    return str(module)
        return None

    def bound_below(self, question: str, name: str) -> bool:
        """Whether a name that a question's cell did not find is defined or assigned in a later cell of the student."""
        failed = {cell.index for cell in self.evidence.cells if cell.error and cell.index in self.cells_of(question)}
        binding = re.compile(rf"^(?:def|class)\s+{re.escape(name)}\b|^{re.escape(name)}\s*=[^=]", re.MULTILINE)
        later = (
            cell for cell in self.cells if failed and cell.index > min(failed) and cell.kind in ("answer", "other")
        )
        return bool(name) and any(binding.search(cell.source) for cell in later)

    def blank(self, question: str) -> bool:
        """Whether the question's cells hold nothing that a student wrote to answer it.

        Where it has no cell at all, as in a notebook made anew, its answer may stand in any cell of no question.
        """
        own = [cell for cell in self.cells if cell.question == question and cell.kind in ("answer", "other")]
        if not self.cells_of(question):
            own = [cell for cell in self.cells if cell.question is None and cell.kind == "other"]
        return all(is_blank(cell.source) for cell in own)

    def unanswered(self, question: str) -> NoReturn:
        """Fail: the question was not answered."""
        raise Failed(NOT_ANSWERED, unanswered=True)

    def fits_of(self, question: str) -> tuple[Fit, ...]:
        """Return the calls of ``fit`` in the cells of a question."""
        return self._of(question, self.evidence.fits) if self.cells_of(question) else self._free(question, "fits")

    def predictions_of(self, question: str) -> tuple[Prediction, ...]:
        """Return the calls of ``predict``, ``evaluate`` and models in the cells of a question."""
        if not self.cells_of(question):
            return self._free(question, "predictions")
        return self._of(question, self.evidence.predictions)

    def figures_of(self, question: str) -> tuple[Figure, ...]:
        """Return the figures that the cells of a question drew."""
        return self._of(question, self.evidence.figures)

    def compilations_of(self, question: str) -> tuple[Compilation, ...]:
        """Return the calls of ``compile`` in the cells of a question."""
        return self._of(question, self.evidence.compilations)

    def fits_on(self, identity: int) -> tuple[Fit, ...]:
        """Return the calls of ``fit`` on one model object, anywhere in the notebook."""
        return tuple(fit for fit in self.evidence.fits if self.evidence.models[fit.model].identity == identity)

    def predictions_on(self, identity: int) -> tuple[Prediction, ...]:
        """Return the calls of ``predict`` and the like on one model object, anywhere in the notebook."""
        return tuple(one for one in self.evidence.predictions if self.evidence.models[one.model].identity == identity)

    def _free(self, question: str, table: str) -> tuple[Any, ...]:
        """Return the records in cells of no question that no other question claims by the name of its model."""
        free = {cell.index for cell in self.cells if cell.question is None and cell.kind == "other"}
        models = self.evidence.models
        claimed = {
            models[value.model].identity
            for value in self.evidence.values
            if value.model is not None and value.question != question
        }
        return tuple(
            record
            for record in getattr(self.evidence, table)
            if record.cell in free and models[record.model].identity not in claimed
        )

    def _of(self, question: str, records: list[Any]) -> tuple[Any, ...]:
        cells = self.cells_of(question)
        return tuple(record for record in records if record.cell in cells)

    def _missing(self, question: str, what: str) -> NoReturn:
        if self.blank(question):
            self.unanswered(question)
        error = self.cell_error(question)
        if error is not None:
            fail(f"There is no {_bare(what)}: the cell stopped with {error_sentence(error)}")
        if self.cells_of(question) - {cell.index for cell in self.evidence.cells}:
            review(f"There is no {_bare(what)}: the notebook ended before this cell did. A person will look at it.")
        fail(f"There is no {_bare(what)}.")


def _without_samples(shape: object) -> tuple[int, ...] | None:
    """Return a shape that Keras told without its axis of samples; None when it is no single, settled one."""
    if not isinstance(shape, list) or len(shape) < 2 or not all(type(side) is int for side in shape[1:]):
        return None
    return tuple(shape[1:])


def _bound_by_import(source: str, package: str) -> set[str]:
    """Return the names that imports from a package bind; read line by line, since a cell may hold magics."""
    names = set()
    for line in re.findall(r"^[ \t]*import[ \t]+([^#\n]*)", source, re.MULTILINE):
        for part in line.split(","):
            module, _, alias = part.partition(" as ")
            if module.strip().partition(".")[0] == package:
                names.add(alias.strip() or package)
    for module, line in re.findall(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]+\(?([^)#\n]*)", source, re.MULTILINE):
        if module.partition(".")[0] == package:
            names |= {part.rpartition(" as ")[2].strip() for part in line.split(",")}
    return names


def error_sentence(error: ErrorText | None) -> str:
    """Return a student's error as one sentence, bounded; a Keras 2 spelling is named as such."""
    if error is None:
        return "an error."
    message = " ".join(error.message.split())
    message = message if len(message) <= _ERROR_LIMIT else f"{message[:_ERROR_LIMIT]}…"
    if error.type == ENDED:
        return f"the process: {message.rstrip('. ')}."
    text = f"{error.type}: {message}".rstrip(". ") + "."
    return f"{text} {KERAS_2}" if _is_keras_2_spelling(error) else text


KERAS_2 = "This spelling worked in Keras 2 and is no longer accepted by Keras 3."
_KERAS_2_SIGNS = (
    "Argument(s) not recognized: {'lr'", "unexpected keyword argument 'lr'", "'decay'",
    "Expected `metrics` argument to be a list", "has no attribute 'output_shape'", "has no attribute 'input_shape'",
    "has no attribute 'int_shape'", "module 'keras._tf_keras.keras",
)  # fmt: skip

# Keras 2 made an integer of a number of NumPy's or with a decimal point, and a shape of one number.
_KERAS_2_NUMBERS = re.compile(r"invalid value for `units`.*units=\d|Cannot convert '\d+' to a shape")


def _is_keras_2_spelling(error: ErrorText) -> bool:
    return any(sign in error.message for sign in _KERAS_2_SIGNS) or bool(_KERAS_2_NUMBERS.search(error.message))


def is_blank(source: str) -> bool:
    """Whether code does nothing: comments, docstrings, imports, ``pass``, and definitions of nothing else.

    Code that is no Python is not blank.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return not any(line.strip() and not line.lstrip().startswith("#") for line in source.splitlines())
    return all(_does_nothing(statement) for statement in tree.body)


def _does_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Return(value=None | ast.Constant(value=None)):
            return True
        case ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError"))):
            return True
        case ast.FunctionDef(body=body):
            return all(_does_nothing(inner) for inner in body)
    return False


def _called(value: Value) -> str:
    """Return how a value came to be, as a student would write it: ``build_encoder(2)``."""
    if value.arguments is None:
        return value.name or value.label
    given = value.arguments if isinstance(value.arguments, list) else [value.arguments]
    arguments = ", ".join("model" if isinstance(argument, (dict, list)) else str(argument) for argument in given)
    return f"{value.name or value.label}({arguments})"


def _say_how_it_was_found(value: Value, what: str) -> None:
    if value.matched == "alias":
        note(f"There is no {_bare(what)}; {value.name} was graded in its place.")
    elif value.matched == "behaviour":
        note(f"There is no {_bare(what)}; {value.name} was graded in its place, since it behaves like it.")


def _bare(what: str) -> str:
    return what.removeprefix("a ").removeprefix("an ")
