"""Question 8: how the model is compiled, by the recorded arguments of ``compile``.

Half of the points are for a loss that measures pixels, half for the statement's usual choice, the mean squared
error. To accept other reconstruction losses in full, set ``OTHER_LOSS_COST`` to 0.
"""

import ast

import pytest
from consequences import compiles_another_model

from autograder.checks import fail, note, review, skip
from autograder.checks.submitted import error_sentence
from autograder.models.compilation import normalise_loss
from autograder.syntax import parse

# The share of its check that a reconstruction loss other than the mean squared error costs.
OTHER_LOSS_COST = 1.0
# The share of its check that a function costs which compiles another model than the one it is given.
OTHER_MODEL_COST = 0.5


@pytest.fixture(scope="module")
def compilation(submitted):
    """The last compilation that the student's function made, or else the one that was written without it."""
    value = submitted.value("compile", "compile")
    if value.compilations:
        return value.compilations[-1]
    written = [one for one in submitted.evidence.compilations if one.question is None and one.error is None]
    preferred = [one for one in written if one.cell in submitted.cells_of("compile") | submitted.cells_of("fit")]
    if written and (value.kind in ("missing", "error") or submitted.blank("compile")):
        return (preferred or written)[-1]
    unused = function_that_compiles(submitted) if value.kind == "missing" else None
    if unused is not None and submitted.cell_error("compile") is None:
        review(f"There is no function named compile_autoencoder; {unused} may be it, but nothing used it. A person "
               "will look at it.")  # fmt: skip
    found = submitted.found("compile", "compile", "a function named compile_autoencoder", kind=None)
    if submitted.blank("compile"):
        submitted.unanswered("compile")
    fail(f"{found.name}(model) does not compile the model: it never calls model.compile.")


@pytest.fixture(scope="module")
def loss(compilation):
    """The loss under its one name."""
    if compilation.error is not None:
        fail(f"compile raised {error_sentence(compilation.error)}")
    return normalise_loss(compilation.loss)


@pytest.mark.question("compile", weight=1)
def test_loss_compares_pixels(submitted, compilation, loss):
    """The model is compiled with a loss for values, such as pixels, and not for classes."""
    if loss.category == "missing":
        fail("The model is compiled without a loss: nothing says what a good output is.", finding="no-loss")
    if loss.category == "classification":
        fail(f"The loss {loss.text} compares classes. The network predicts pixels, which are values.",
             finding="classification-loss")  # fmt: skip
    if loss.category == "unknown":
        fail(f"The loss is {loss.text}.")
    if loss.category in ("custom", "other"):
        review(f"The loss {loss.text} is not one that the grader can judge: a person will.", finding="custom-loss")
    require_given_model(submitted, compilation)


@pytest.mark.question("compile", weight=1)
def test_loss_is_mean_squared_error(loss):
    """The loss is the mean squared error."""
    if loss.category in ("custom", "other"):
        review(f"The loss {loss.text} is not one that the grader can judge.")
    if loss.category in ("missing", "classification", "unknown"):
        skip("It is not a loss for pixels.", because="compile")
    if loss.category != "mean_squared_error":
        fail(f"The loss {loss.text} can rebuild images; the mean squared error was expected.", finding="other-loss",
             cost=OTHER_LOSS_COST)  # fmt: skip


def function_that_compiles(submitted):
    """The name of a function in the question's own cell that compiles something; None where there is none."""
    for cell in submitted.cells:
        if cell.question != "compile":
            continue
        for function in ast.walk(parse(cell.source) or ast.Module([], [])):
            if isinstance(function, ast.FunctionDef) and any(
                isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "compile"
                for node in ast.walk(function)
            ):
                return function.name
    return None


def require_given_model(submitted, compilation):
    """Fail when it is not the function that compiled, or not the model that it was given."""
    value = submitted.value("compile", "compile")
    if value.kind == "missing" or (submitted.blank("compile") and not value.compilations):
        missing = "There is no function named" if value.kind == "missing" else "Nothing was written in the function"
        note(f"{missing} compile_autoencoder; what was compiled without it was graded.")
        return
    submitted.found("compile", "compile", "a function named compile_autoencoder", kind=None)
    if compiles_another_model(submitted, compilation):
        fail("The function compiles another model than the one that it is given: use its argument.",
             finding="compiles-another-model", cost=OTHER_MODEL_COST)  # fmt: skip
