"""The limits fit what is executed, a course may set its own, and each is told to the guest and obeyed there."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from command_line import BLANK, ROOT, autograder
from warm import run

from autograder.assignment import Assignment
from autograder.errors import AssignmentError
from autograder.grade import Settings
from autograder.report.files import read_report
from autograder.sandbox.limits import MEBIBYTE, Limits, amount

# A literal fit of 20 epochs takes about 600 CPU seconds, and a comparison of six dimensions six of them.
LITERAL_COMPARISON = 6 * 20 * 30.0


@pytest.fixture
def limits_of(tmp_path):
    """Return the limits that an assignment has with the given text as its ``limits.toml``."""
    assignment = Assignment("small", tmp_path, 0.0, (), ())
    assignment.tests.mkdir(parents=True)

    def read(text: str | None = None, **settings) -> Limits:
        if text is not None:
            (assignment.tests / "limits.toml").write_text(text)
        return Settings(**settings).limits(assignment)

    return read


def test_recorded_fits_have_the_documented_limits(limits_of):
    assert limits_of() == Limits()


def test_a_literal_notebook_has_the_time_that_it_needs_in_full(limits_of):
    limits = limits_of(training="full")
    assert limits.cell_cpu_seconds > 3 * LITERAL_COMPARISON
    assert limits.notebook_cpu_seconds >= limits.cell_cpu_seconds
    assert limits.notebook_wall_seconds > limits.notebook_cpu_seconds


@pytest.mark.parametrize("training", ["short", "full"])
def test_nothing_but_time_is_more_generous(limits_of, training):
    times = {"cell_cpu_seconds", "notebook_cpu_seconds", "notebook_wall_seconds"}
    changed = dataclasses.asdict(limits_of(training=training))
    usual = dataclasses.asdict(Limits())
    assert {name for name in usual if changed[name] != usual[name]} <= times
    assert all(changed[name] >= usual[name] for name in times)


def test_limits_of_ones_own_count_whatever_the_training(limits_of):
    own = Limits(cell_cpu_seconds=7.0)
    assert limits_of("[limits]\nmodels = 3", training="full", own_limits=own) == own


def test_a_course_sets_its_own_for_all_and_for_one_training(limits_of):
    text = """
        [limits]
        cell_cpu_seconds = 90
        memory_bytes = "1.5 GiB"
        models = 7
        [limits.full]
        models = 8
        notebook_cpu_seconds = 80_000
    """
    recorded = limits_of(text)
    assert recorded == Limits(cell_cpu_seconds=90.0, memory_bytes=1536 * MEBIBYTE, models=7)
    full = limits_of(training="full")
    assert (full.models, full.memory_bytes, full.notebook_cpu_seconds) == (8, 1536 * MEBIBYTE, 80_000.0)
    assert full.cell_cpu_seconds == Limits.fitting("full").cell_cpu_seconds, "it is not shortened by the way"
    assert type(recorded.cell_cpu_seconds) is float and type(recorded.memory_bytes) is int


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[limits]\ncell_cpu_second = 90", "there is no limit 'cell_cpu_second'. Did you mean cell_cpu_seconds?"),
        ("[limits]\nmemory = 90", "there is no limit 'memory'. Did you mean memory_bytes?"),
        ("[limits]\nxyz = 90", "there is no limit 'xyz'."),
        ("[limits]\ncell_cpu_seconds = '90'", "cell_cpu_seconds is a number, not '90'"),
        ("[limits]\ncell_cpu_seconds = nan", "cell_cpu_seconds is a number, not nan"),
        ("[limits]\ncell_cpu_seconds = true", "cell_cpu_seconds is a number, not True"),
        ("[limits]\ncell_cpu_seconds = 0.5", "cell_cpu_seconds is from 1 CPU seconds to 172,800 CPU seconds, not 0.5"),
        ("[limits]\nmodels = 2.5", "models is a whole number, not 2.5"),
        ("[limits]\nmodels = '2 GiB'", "models is a whole number, not '2 GiB'"),
        ("[limits]\nmodels = inf", "models is a whole number, not inf"),
        (
            "[limits]\nmemory_bytes = '4 GB'",
            """memory_bytes is bytes as a whole number, or a text such as "2 GiB", not""",
        ),
        ("[limits]\nmemory_bytes = '1 MiB'", "memory_bytes is from 256 MiB to 1024 GiB, not 1 MiB"),
        ("[limits.full]\nmodels = -1", "models is from 1 to 100,000, not -1"),
        ("[limits]\nfull = 3", "the tables in it are [limits.record], [limits.short] and [limits.full]"),
        ("[limits.recorded]\nmodels = 3", "the tables in it are [limits.record], [limits.short] and [limits.full]"),
        ("models = 3", "expected one table, [limits], and nothing else"),
        ("limits = 3", "expected one table, [limits], and nothing else"),
        ("[limits]\n[other]", "expected one table, [limits], and nothing else"),
        ("[limits", "can not be read"),
    ],
)
def test_a_mistake_in_the_file_is_told_whatever_the_training(limits_of, text, told):
    with pytest.raises(AssignmentError) as error:
        limits_of(text)
    assert told in str(error.value) and "limits.toml" in str(error.value)


@pytest.mark.parametrize("bound", Limits.bounds(), ids=lambda bound: bound.name)
def test_the_ends_of_each_range_are_allowed_and_what_is_beyond_is_not(bound):
    assert bound.least <= bound.default <= bound.most and bound.by and bound.text
    for value, beyond in ((bound.least, bound.least - 1), (bound.most, bound.most * 2)):
        assert getattr(Limits().changed({bound.name: value}), bound.name) == value
        with pytest.raises(ValueError, match=f"^{bound.name} is from "):
            Limits().changed({bound.name: beyond})


def test_amounts_are_written_for_people():
    values = [(4 * 2**30, "bytes"), (1536 * MEBIBYTE, "bytes"), (100, "bytes"), (600.0, "CPU seconds"), (20_000, "")]
    assert [amount(*one) for one in values] == ["4 GiB", "1.5 GiB", "100 bytes", "600 CPU seconds", "20,000"]


# In the guest: what is above a limit is cut there, with a note, and what leaves it holds before the parser


def test_what_is_printed_is_cut_with_a_note_above_the_limit_of_a_cell_and_of_the_notebook():
    cells = ["print('a' * 99)", "print('b' * 100)", "print('c' * 99)", "print('d')", "print('d')", "answer = 1"]
    result = run(cells, limits={"output_characters": 100, "notebook_output_characters": 302})
    left_out = "\n[more was printed and is left out]\n"
    printed = [result.printed(index) for index in range(6)]
    assert printed == ["a" * 99 + "\n", "b" * 100 + left_out, "c" * 99 + "\n", "d\n", left_out, ""]
    assert set(result.statuses()) == {"ok"}


def test_values_of_a_cell_are_cut_like_what_it_prints():
    result = run(["'x' * 300", "print('after')"], limits={"output_characters": 100})
    assert 100 < len(result.printed(0, "result")) < 150 and "left out" in result.printed(0, "result")
    assert result.printed(1) == "after\n"


def test_models_arrays_and_figures_stay_within_their_limits():
    limits = {
        "model_parameters": 10,
        "arrays": 3,
        "array_values": 1_000,
        "figures": 2,
        "figure_images": 2,
        "threads": 2,
    }
    setup = "import keras, numpy as np, tensorflow as tf, matplotlib.pyplot as plt\n"
    result = run(
        [
            setup + "exact, larger = (keras.Sequential([keras.Input((n,)), keras.layers.Dense(2)]) for n in (4, 5))\n"
            "for model, size in ((exact, 4), (larger, 5)): model.predict(np.ones((3, size)), verbose=0)",
            "for number in range(3): plt.plot([number, 1]); plt.show()",
            "axes = plt.figure().subplots(1, 3)\nfor ax in axes: ax.imshow(np.eye(4))",
            "axes = plt.figure().subplots(1, 2)\nfor ax in axes: ax.imshow(np.eye(4))",
            "print(tf.config.threading.get_intra_op_parallelism_threads())",
        ],
        limits=limits,
    )
    evidence = result.evidence
    assert [len(model.weights) for model in evidence.models] == [2, 0], "larger ones keep their weights"
    assert evidence.models[1].weight_shapes == ((5, 2), (2,))
    assert len(evidence.arrays) == 3 and evidence.predictions[-1].output is None
    drawn = {cell: [figure for figure in evidence.figures if figure.cell == cell] for cell in (1, 2, 3)}
    assert len(drawn[1]) == 2
    images = [sum(len(axes.pictures) for axes in drawn[cell][0].axes) for cell in (2, 3)]
    assert (images, drawn[2][0].truncated, drawn[3][0].truncated) == ([2, 2], True, False)
    assert result.printed(4) == "2\n"


@pytest.mark.parametrize(("values", "rows"), [(1_000, 10), (999, 9)])
def test_of_a_large_array_fewer_rows_are_recorded(values, rows):
    probes = {"q": {"images": {"find": "array", "names": ["images"]}}}
    cell = {"source": "import numpy as np\nimages = np.ones((10, 10, 10))", "exports": ["q"]}
    (array,) = run([cell], probes=probes, limits={"array_values": values}).evidence.arrays
    assert (array.shape, len(array.rows)) == ((10, 10, 10), rows)


# By the command line


def cut_of(report):
    return tuple(note for note in report.notes if note.startswith("Printed"))


def test_a_course_with_own_limits_has_its_submissions_cut_there_and_graded_anew_when_they_change(
    tmp_path: Path,
) -> None:
    course = tmp_path / "course"
    for folder in ("source", "tests/autoencoders", "data"):
        shutil.copytree(ROOT / folder, course / folder)
    notebook = json.loads(BLANK.read_text(encoding="utf-8"))
    cell = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": "print('x' * 3000)"}
    notebook["cells"].insert(0, cell)

    def graded(toml: str, *students: str):
        (course / "tests/autoencoders/limits.toml").write_text(f"[limits]\n{toml}")
        files = [tmp_path / f"{student}.ipynb" for student in students]
        for file in files:
            file.write_text(json.dumps(notebook), encoding="utf-8")
        arguments = ("grade", *files, "--course", course, "--out", tmp_path / "out", "--jobs", 1)
        result = autograder(*arguments, cache=tmp_path / "cache")
        return result, [read_report(tmp_path / "out" / student) for student in students]

    cut = ("Printed more than 2,000 characters in a cell (cell 1): the rest was cut.",)
    reports = graded("output_characters = 2000", "ada", "bo")[1] + graded("output_characters = 20_000", "ada")[1]
    assert [(cut_of(one), one.execution.from_cache) for one in reports] == [(cut, False), (cut, True), ((), False)]
    result, _ = graded("outputs = 2000", "di")
    assert result.returncode == 2
    assert "limits.toml: there is no limit 'outputs'. Did you mean output_characters?" in result.stderr
