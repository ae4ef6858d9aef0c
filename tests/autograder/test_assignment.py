"""The assignment is what the source notebook says, and what is wrong in it is named with cell and mend."""

import json

import miniature
import pytest
from miniature import cell, place

from autograder import assignment
from autograder.errors import AssignmentError


def test_points_titles_and_order_come_from_the_source_notebook(tmp_path):
    loaded = miniature.load(tmp_path)
    assert loaded.total_points == 14
    assert [(q.id, q.title, q.points, q.manual) for q in loaded.questions] == [
        ("numbers", "Make the numbers", 3.0, False),
        ("square", "Write the square", 5.0, False),
        ("square-remark", "Write the square: your remarks", 2.0, True),
        ("drawing", "Draw the squares", 3.0, False),
        ("judged", "How good is it?", 1.0, False),
    ]


def test_the_names_that_a_statement_fixes_are_known(tmp_path):
    names = {question.id: question.names for question in miniature.load(tmp_path).questions}
    assert names["numbers"] == ("numbers", "total")
    assert names["square"] == ("square",)
    assert names["drawing"] == ()


def test_each_cell_has_its_kind_and_question(tmp_path):
    kinds = {c.grade_id: (c.kind, c.question) for c in miniature.load(tmp_path).cells}
    assert kinds["introduction"] == ("text", None)
    assert kinds["numbers-statement"] == ("text", "numbers")
    assert kinds["given-noise"] == ("given", None)
    assert kinds["numbers-answer"] == ("answer", "numbers")
    assert kinds["square-sanity"] == ("sanity", "square")
    assert kinds["square"] == ("grade", "square")
    assert kinds["square-remark"] == ("remark", "square-remark")


def test_cells_are_the_students_version(tmp_path):
    sources = {c.grade_id: c.source for c in miniature.load(tmp_path).cells}
    blank = miniature.blank()
    for grade_id, found in sources.items():
        assert found == cell(blank, grade_id)["source"], grade_id


def test_without_settings_the_stubs_are_those_of_nbgrader(tmp_path):
    course = miniature.course(tmp_path)
    (course / "nbgrader_config.py").unlink()
    sources = {c.grade_id: c.source for c in assignment.load(course).cells}
    assert sources["numbers-answer"] == "# YOUR CODE HERE\nraise NotImplementedError()"
    assert sources["square-remark"] == "YOUR ANSWER HERE"


def test_the_only_assignment_needs_no_name(tmp_path):
    assert assignment.load(miniature.course(tmp_path), None).name == "squares"


def test_a_wrong_name_is_answered_with_the_right_one(tmp_path):
    with pytest.raises(AssignmentError, match=r"Did you mean 'squares'\?"):
        assignment.load(miniature.course(tmp_path), "square")


def test_several_assignments_need_a_name(tmp_path):
    miniature.course(tmp_path)
    miniature.write(miniature.source(), tmp_path / "source" / "cubes" / "cubes.ipynb")
    with pytest.raises(AssignmentError, match="cubes, squares"):
        assignment.load(tmp_path)
    assert assignment.load(tmp_path, "cubes").name == "cubes"


def test_a_folder_without_assignments_is_named(tmp_path):
    with pytest.raises(AssignmentError, match="holds no assignment"):
        assignment.load(tmp_path)


def _refused(tmp_path, document, message):
    with pytest.raises(AssignmentError, match=message) as caught:
        miniature.load(tmp_path, document)
    return str(caught.value)


def _numbered(document, grade_id):
    return rf"cell {place(document, grade_id) + 1} \({grade_id}\)"


def test_a_double_grade_id_is_refused(tmp_path):
    document = miniature.source()
    cell(document, "square")["metadata"]["nbgrader"]["grade_id"] = "numbers"
    _refused(tmp_path, document, r"cell 12 \(numbers\) has the grade_id of the cell 6: ")


def test_a_missing_statement_is_refused(tmp_path):
    document = miniature.source()
    document["cells"].remove(cell(document, "square-statement"))
    _refused(tmp_path, document, _numbered(document, "square") + " has no statement above it.*square-statement")


def test_a_statement_below_its_question_is_refused(tmp_path):
    document = miniature.source()
    moved = cell(document, "square-statement")
    document["cells"].remove(moved)
    document["cells"].append(moved)
    _refused(tmp_path, document, _numbered(document, "square") + " has no statement above it")


def test_an_answer_without_a_question_is_refused(tmp_path):
    document = miniature.source()
    cell(document, "drawing-answer")["metadata"]["nbgrader"]["grade_id"] = "drawings-answer"
    _refused(tmp_path, document, _numbered(document, "drawings-answer") + " belongs to no graded question")


def test_a_wrong_sum_of_points_is_refused(tmp_path):
    document = miniature.source()
    document["metadata"]["autograder"]["total_points"] = 15
    _refused(tmp_path, document, "sum to 14, but the notebook's metadata states 15")


def test_an_unstated_sum_of_points_is_refused(tmp_path):
    document = miniature.source()
    del document["metadata"]["autograder"]
    _refused(tmp_path, document, "does not state its points")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("points", None, "no valid points"),
        ("points", True, "no valid points"),
        ("points", -1, "no valid points"),
        ("points", float("nan"), "no valid points"),
        ("grade_id", "a b", "no valid grade_id"),
        ("grade_id", None, "no valid grade_id"),
        ("locked", "yes", "no valid flag 'locked'"),
        ("schema_version", 2, "of an old schema"),
        ("task", True, "is a task"),
        ("solution", True, "flags that fit no kind"),
    ],
)
def test_malformed_metadata_is_refused_with_the_cell(tmp_path, field, value, message):
    document = miniature.source()
    cell(document, "square")["metadata"]["nbgrader"][field] = value
    assert "cell 12" in _refused(tmp_path, document, message)


def test_code_without_metadata_is_refused(tmp_path):
    document = miniature.source()
    document["cells"].insert(3, miniature.code("x = 1"))
    _refused(tmp_path, document, "cell 4 of the source notebook has no nbgrader metadata")


def test_text_without_metadata_is_allowed(tmp_path):
    document = miniature.source()
    document["cells"].insert(3, miniature.markdown("A word in between."))
    assert miniature.load(tmp_path, document).cells[3].kind == "text"


def test_a_statement_without_a_heading_is_refused(tmp_path):
    document = miniature.source()
    cell(document, "drawing-statement")["source"] = "Draw."
    _refused(tmp_path, document, "has no heading")


@pytest.mark.parametrize(
    "line",
    [
        "### begin solution", "### BEGIN SOLUTON", "# BEGIN SOLUTION", "#### BEGIN SOLUTION", "###BEGIN SOLUTION",
        "### BEGIN SOLUTIONS", "### BEGINSOLUTION", "### BEGIN_SOLUTION", "### Begin Solution", "### BEGN SOLUTION",
    ],
)  # fmt: skip
def test_a_misspelt_marker_is_refused_with_cell_and_line(tmp_path, line):
    document = miniature.source()
    answer = cell(document, "numbers-answer")
    answer["source"] = answer["source"].replace("### BEGIN SOLUTION", line)
    message = _refused(tmp_path, document, r"cell 4 \(numbers-answer\), line 1: unknown marker")
    assert "write '### BEGIN SOLUTION'" in message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n### END SOLUTION", "line 2: '### END SOLUTION' without a beginning"),
        ("### BEGIN SOLUTION\nx = 1", "never closed"),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "line 2: a second"),
        ("### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n### END SOLUTION", "line 4: '### END SOLUTION' without"),
        ("### BEGIN SOLUTION\nx = 1\n### ENDSOLUTION", "line 3: unknown marker"),
        ("### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n### BEGIN HIDDEN TESTS", "hidden checks live in"),
    ],
)
def test_markers_that_do_not_pair_are_refused(tmp_path, source, message):
    document = miniature.source()
    cell(document, "numbers-answer")["source"] = source
    _refused(tmp_path, document, message)


@pytest.mark.parametrize("line", ["# The solution begins here.", "# In the beginning", "x = 'END'", "# SOLUTIONS"])
def test_an_ordinary_line_is_no_marker(tmp_path, line):
    document = miniature.source()
    answer = cell(document, "numbers-answer")
    answer["source"] = answer["source"].replace("total", f"{line}\ntotal", 1)
    miniature.load(tmp_path, document)


def test_a_region_in_a_locked_cell_is_refused(tmp_path):
    document = miniature.source()
    cell(document, "given-noise")["source"] = "### BEGIN SOLUTION\nx = 1\n### END SOLUTION"
    _refused(tmp_path, document, _numbered(document, "given-noise") + " holds a solution region but is no answer")


def test_a_source_that_is_no_notebook_is_refused(tmp_path):
    course = miniature.course(tmp_path)
    (course / "source" / "squares" / "squares.ipynb").write_text(json.dumps({"worksheets": []}))
    with pytest.raises(AssignmentError, match="is not a notebook of format 4"):
        assignment.load(course)


def test_the_course_of_this_repository_has_a_hundred_points():
    loaded = assignment.load(miniature.ROOT, "autoencoders")
    assert loaded.total_points == 100
    assert sum(question.points for question in loaded.questions if question.manual) == 9
    assert {question.id: question.points for question in loaded.questions} == {
        "load-data": 5, "plot-digits": 2, "build-encoder": 15, "encoder-size": 2, "build-decoder": 15,
        "decoder-size": 2, "autoencoder": 4, "compile": 8, "fit": 6, "reconstructions": 2,
        "reconstructions-remark": 2, "encode": 3, "latent-space": 4, "latent-space-remark": 3, "noisy-images": 3,
        "fit-denoiser": 6, "denoising-error": 6, "denoised-images": 2, "best-latent-dimension": 6,
        "best-latent-dimension-remark": 4,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(nbformat=3), "nbformat 3"),
        (lambda d: d["cells"][3].update(cell_type="heading"), "cell 4 is of no known type"),
        (lambda d: d["cells"][3].update(metadata=None), "cell 4 has no metadata"),
        (lambda d: d["cells"][3].update(source=None), "cell 4 has no source"),
        (lambda d: d["cells"][3].update(source=["x", 1]), "cell 4 has no source"),
        (lambda d: d["cells"].__setitem__(3, "x"), "cell 4 is of no known type"),
    ],
)
def test_a_broken_cell_is_named_by_its_number(tmp_path, change, message):
    document = miniature.source()
    change(document)
    path = miniature.write(document, tmp_path / "broken.ipynb")
    with pytest.raises(AssignmentError, match=message):
        assignment.read_source(path)


@pytest.mark.parametrize("total", [float("nan"), float("inf"), "14", True])
def test_a_sum_of_points_that_is_no_number_is_refused(tmp_path, total):
    document = miniature.source()
    document["metadata"]["autograder"]["total_points"] = total
    _refused(tmp_path, document, "does not state its points")


@pytest.mark.parametrize(
    ("grade_id", "change"),
    [
        ("square", {"locked": False}),
        ("square-sanity", "markdown"),
        ("square-statement", "code"),
        ("drawing-answer", "markdown"),
    ],
)
def test_a_cell_whose_name_its_type_or_flags_belie_is_refused(tmp_path, grade_id, change):
    document = miniature.source()
    found = cell(document, grade_id)
    if isinstance(change, str):
        found["cell_type"] = change
    else:
        found["metadata"]["nbgrader"].update(change)
    _refused(tmp_path, document, _numbered(document, grade_id) + " has flags that fit no kind of cell")


@pytest.mark.parametrize(
    "line", ["<!-- BEGIN SOLUTION -->\nx\n<!-- END SOLUTION -->", "### begin solution", "A\n# BEGN SOLUTION"]
)
def test_a_marker_in_a_text_without_metadata_is_refused(tmp_path, line):
    document = miniature.source()
    document["cells"].insert(3, miniature.markdown(line))
    _refused(tmp_path, document, "cell 4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c = (", "nbgrader_config.py can not be read"),
        ("c = get_config()\nc.ClearSolutions.code_stub = 3\n", "line 2: code_stub is no text"),
        ("c = get_config()\nc.ClearSolutions.code_stub = {'python': None}\n", "line 2: code_stub is no text"),
        ("c = get_config()\nc.ClearSolutions.text_stub = str(1)\n", "line 2: text_stub is not a plain value"),
    ],
)
def test_a_configuration_that_can_not_be_read_is_refused_with_its_line(tmp_path, text, message):
    course = miniature.course(tmp_path)
    (course / "nbgrader_config.py").write_text(text)
    with pytest.raises(AssignmentError, match=message):
        assignment.load(course)
