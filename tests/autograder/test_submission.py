"""A submission is read whatever its age and form, repaired, aligned with the questions, or refused in one sentence."""

import copy
import gzip
import json
import os

import miniature
import pytest
from hostile_text import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from miniature import NOTEBOOKS, cell, code, markdown, place

from autograder import syntax
from autograder.errors import SubmissionError
from autograder.submission import notebook
from autograder.submission import reading as submission


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    return miniature.load(tmp_path_factory.mktemp("course"))


@pytest.fixture
def read(squares, tmp_path):
    def read_document(document, name="squares.ipynb"):
        return submission.read(miniature.write(document, tmp_path / "ada" / "squares" / name), squares)

    return read_document


def plan(found):
    """Return (kind, question, first line) of each cell."""
    return [(c.kind, c.question, c.source.split("\n")[0]) for c in found.cells]


def exporting(found, question):
    """Return the sources of the cells after which a question is exported."""
    return [c.source for c in found.cells if question in c.exports]


# Reading


def test_an_honest_submission_is_taken_as_it_is(read):
    found = read(miniature.right())
    assert found.notes == ()
    assert (found.student, found.file, found.blank) == ("ada", "squares.ipynb", False)
    assert plan(found) == [
        ("given", None, "import math"),
        ("answer", "numbers", "numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"),
        ("sanity", "numbers", "# A quick check."),
        ("given", None, "noisy_numbers = [number + random.random() for number in numbers]"),
        ("answer", "square", "def square(x):"),
        ("sanity", "square", "# A quick check."),
        ("answer", "drawing", "print('*' * square(4))"),
    ]
    assert [c.exports for c in found.cells] == [(), ("numbers",), (), (), ("square",), (), ("drawing", "judged")]
    assert [c.index for c in found.cells] == list(range(7))
    assert found.positions == (1, 3, 4, 8, 9, 10, 15)
    assert set(found.alignment.items()) == {
        ("numbers", "metadata"),
        ("square", "metadata"),
        ("drawing", "metadata"),
        ("judged", "none"),
    }
    assert found.remarks == {"square-remark": "They grow and grow."}
    assert all(found.answered.values()) and set(found.answered) == {q.id for q in miniature_questions()}


def miniature_questions():
    return [type("Q", (), {"id": name}) for name in ("numbers", "square", "square-remark", "drawing", "judged")]


def test_a_blank_notebook_has_no_work(read):
    found = read(miniature.blank())
    assert found.blank
    assert not any(found.answered.values())
    assert found.remarks == {"square-remark": ""}


def test_a_comment_or_a_docstring_is_no_work(read):
    document = miniature.blank()
    cell(document, "numbers-answer")["source"] = "# I do not know."
    cell(document, "square-answer")["source"] = 'def square(x):\n    """Another text."""\n    pass'
    assert read(document).blank


def test_a_written_remark_alone_is_work(read):
    document = miniature.blank()
    cell(document, "square-remark")["source"] = "They grow."
    found = read(document)
    assert not found.blank and found.answered["square-remark"] and not found.answered["square"]


def test_a_remark_below_its_cell_counts_and_is_bounded(read):
    document = miniature.right()
    document["cells"].insert(place(document, "square-remark") + 1, markdown("And " + "more " * 10_000))
    remark = read(document).remarks["square-remark"]
    assert remark.startswith("They grow and grow.\n\nAnd more")
    assert len(remark) == submission.REMARK_LIMIT + 1 and remark.endswith("…")


@pytest.mark.parametrize("minor", range(6))
def test_each_minor_version_of_format_4_is_read(read, minor):
    document = miniature.right()
    document["nbformat_minor"] = minor
    for item in document["cells"]:
        item["source"] = item["source"].splitlines(keepends=True)
        if minor < 5:
            item.pop("id")
    assert read(document).digest == read(miniature.right()).digest


def test_format_3_is_read(squares):
    found = submission.read(NOTEBOOKS / "Format 3.ipynb", squares)
    own = [entry for entry in plan(found) if entry[0] == "answer"]
    assert own == [("answer", "numbers", "numbers = list(range(1, 11))"), ("answer", "square", "def square(x):")]
    assert dict(found.alignment) == {"numbers": "text", "square": "text", "drawing": "none", "judged": "none"}


@pytest.mark.parametrize("missing", ["metadata", "nbformat", "nbformat_minor"])
def test_missing_parts_of_the_document_do_not_matter(read, missing):
    document = miniature.right()
    del document[missing]
    assert read(document).digest == read(miniature.right()).digest


@pytest.mark.parametrize("missing", ["metadata", "outputs", "execution_count", "source"])
def test_missing_parts_of_a_cell_do_not_matter(read, missing):
    document = miniature.right()
    document["cells"].append(code("print(1)"))
    del document["cells"][-1][missing]
    assert read(document).answered["square"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_read_in_each_encoding(squares, tmp_path, encoding):
    document = miniature.right()
    cell(document, "numbers-answer")["source"] = "numbers = ['é', '❓']"
    path = tmp_path / "squares.ipynb"
    path.write_bytes(json.dumps(document, ensure_ascii=False).encode(encoding))
    found = submission.read(path, squares)
    assert found.cells[1].source == "numbers = ['é', '❓']"
    assert found.notes == ()


def test_latin_1_is_read_with_a_note(squares, tmp_path):
    document = miniature.right()
    for item in document["cells"]:
        item["source"] = item["source"].replace("❓", "")
    cell(document, "numbers-answer")["source"] = "numbers = 'é'"
    path = tmp_path / "squares.ipynb"
    path.write_bytes(json.dumps(document, ensure_ascii=False).encode("latin-1"))
    found = submission.read(path, squares)
    assert found.cells[1].source == "numbers = 'é'"
    assert found.notes == ("The file is not in UTF-8; it was read as Latin-1.",)


def test_line_ends_and_lone_surrogates_do_not_matter(read):
    document = miniature.right()
    cell(document, "numbers-answer")["source"] = "numbers = 1\r\ntotal = '\ud800'\r"
    assert read(document).cells[1].source == "numbers = 1\ntotal = '?'\n"


def test_outputs_text_and_counts_do_not_change_the_digest_but_code_does(read):
    document = miniature.right()
    answer = cell(document, "square-answer")
    answer["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    answer["execution_count"] = 7
    document["cells"].insert(1, markdown("Hello."))
    assert read(document).digest == read(miniature.right()).digest
    answer["source"] += "\n"
    assert read(document).digest != read(miniature.right()).digest


# Exports


@pytest.mark.parametrize("name", ["Colab Export.py", "Percent Export.py", "Prompts Export.py"])
def test_an_export_is_aligned_like_its_notebook(squares, name):
    found = submission.read(NOTEBOOKS / name, squares)
    own = {c.question: c.source for c in found.cells if c.kind == "answer"}
    assert set(own) == {"numbers", "square", "drawing"}
    assert [c.kind for c in found.cells].count("given") == 2
    assert [c.kind for c in found.cells].count("sanity") == 2
    assert found.remarks == {"square-remark": "They grow and grow."}
    assert dict(found.alignment) == {"numbers": "text", "square": "text", "drawing": "text", "judged": "none"}
    assert "x**2" in exporting(found, "square")[0]
    assert not any("Graded by" in c.source for c in found.cells)


def test_magics_that_an_export_commented_out_come_back(squares):
    found = submission.read(NOTEBOOKS / "Colab Export.py", squares)
    sources = [c.source for c in found.cells if c.question == "numbers" and c.kind == "answer"]
    assert sources[0].startswith("%matplotlib inline\nnumbers = [")
    assert 'legend = """' in sources[0]
    assert sources[1] == '%%time\ntotal = sum(numbers)\nif total != 55:\n    print("odd")'
    assert exporting(found, "numbers") == [sources[1]]
    percent = submission.read(NOTEBOOKS / "Percent Export.py", squares)
    first = next(c.source for c in percent.cells if c.kind == "answer")
    assert first.startswith('%%time\nnumbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n!echo "a remark"')


def test_a_script_without_any_text_is_one_cell_and_exported_at_its_end(squares, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import math\nnumbers = [1]\n\ndef square(x):\n    return x * x\n")
    found = submission.read(path, squares)
    assert plan(found) == [("other", None, "import math")]
    assert found.cells[0].exports == ("numbers", "square", "drawing", "judged")
    assert not found.blank and found.answered["square"] and found.answered["drawing"]


def test_a_script_gets_the_given_cells_whose_names_it_uses(squares, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("numbers = [1]\nprint(noisy_numbers)\n")
    assert [c.kind for c in submission.read(path, squares).cells] == ["given", "other"]


def test_a_notebook_named_py_is_read_as_what_it_is(read):
    assert read(miniature.right(), "squares.py").digest == read(miniature.right()).digest


# Refusing


def refused(path, squares, message):
    with pytest.raises(SubmissionError, match=message) as caught:
        submission.read(path, squares)
    text = str(caught.value)
    assert text.startswith(notebook.shown(path.name)) and "\n" not in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"\0" * 100, "is empty"),
        (b"\n<!DOCTYPE html><html>", "is not a notebook: it is a web page"),
        (b"In [1]: print(1)", "is not a notebook: its text is not JSON"),
        (b'{"cells": [{"cell_type": "code"', "its end is missing or it was damaged"),
        (b"PK\x03\x04 and so on", "is a zip archive or an office document"),
        (gzip.compress(b"{}"), "is packed with gzip: unpack it first"),
        (b"%PDF-1.7", "is a PDF"),
        (b"\x00\x01\x02\xff", "is not a notebook"),
        (b"[]", "no list of cells"),
        (b"{}", "no list of cells"),
        (b'{"cells": {}}', "no list of cells"),
        (b'{"cells": []}', "has no cells"),
        (b'{"cells": [1, null, {"cell_type": "raw"}]}', "has no cells"),
        (b'{\n<<<<<<< HEAD\n"cells": []\n=======\n>>>>>>> mine\n}', "unresolved merge"),
        (b'{"cells": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested too deeply"),
        (b'{"cells": [' + b"{}," * 1_100_000 + b"{}]}", "more than 1,000,000 parts"),
        (b'{"cells": [' + b"{}," * 2_001 + b"{}]}", "more than 2000 cells"),
        (b'{"cells": [' + b"1" * 10_000 + b"]}", "has no cells"),
    ],
)
def test_what_is_no_notebook_is_refused_in_one_sentence(squares, tmp_path, content, message):
    path = tmp_path / "squares.ipynb"
    path.write_bytes(content)
    refused(path, squares, message)


def test_a_file_above_the_limit_is_refused_without_being_read_whole(squares, tmp_path):
    path = tmp_path / "squares.ipynb"
    with path.open("wb") as stream:
        stream.truncate(400 * 2**30)  # sparse: reading it would take for ever
    refused(path, squares, "larger than 20 MB: clear all outputs")


def test_a_huge_cell_is_refused(squares, tmp_path):
    document = miniature.right()
    document["cells"].append(code("x" * (notebook.CELL_SOURCE_LIMIT + 1)))
    refused(miniature.write(document, tmp_path / "squares.ipynb"), squares, "characters in cell 21")


def test_a_missing_file_is_refused(squares, tmp_path):
    refused(tmp_path / "squares.ipynb", squares, "can not be opened")


def test_links_are_not_followed(squares, tmp_path):
    target = miniature.write(miniature.right(), tmp_path / "target.ipynb")
    link = tmp_path / "squares.ipynb"
    link.symlink_to(target)
    refused(link, squares, "is a symbolic link")


def test_a_number_that_python_does_not_read_hinders_nothing(squares, tmp_path):
    path = miniature.write(miniature.right(), tmp_path / "squares.ipynb")
    honest = submission.read(path, squares)
    path.write_text(path.read_text().replace("{", '{"huge": -' + "9" * 5_000 + ", ", 1))
    assert submission.read(path, squares).digest == honest.digest


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"name": "ir", "language": "R"}}, "R"),
        ({"language_info": {"name": "julia"}}, "julia"),
        ({"kernelspec": {"language": "\x1b[31mR"}}, "\ufffd[31mR"),
        ({"kernelspec": {"name": "python3", "language": "python"}}, None),
        ({"kernelspec": {"language": ["R"]}, "language_info": "R"}, None),
        ([], None),
    ],
)
def test_a_notebook_for_another_language_is_run_as_python_with_a_note(squares, tmp_path, metadata, language):
    document = miniature.right() | {"metadata": metadata}
    found = submission.read(miniature.write(document, tmp_path / "squares.ipynb"), squares)
    expected = f"The notebook was made for {language}, not for Python; its cells were run as Python."
    assert found.notes == ((expected,) if language else ())


def test_a_hard_link_is_noted(squares, tmp_path):
    target = miniature.write(miniature.right(), tmp_path / "target.ipynb")
    link = tmp_path / "squares.ipynb"
    os.link(target, link)
    assert submission.read(link, squares).notes == ("squares.ipynb has a second name on this disk (a hard link).",)


def test_pipes_folders_and_devices_are_refused_without_waiting(squares, tmp_path):
    pipe = tmp_path / "pipe.ipynb"
    os.mkfifo(pipe)
    refused(pipe, squares, "is a named pipe")
    folder = tmp_path / "folder.ipynb"
    folder.mkdir()
    refused(folder, squares, "is a folder with nothing in it")
    for name in ("essay.docx", "b\x1b[31m.txt", "c", "d", ".hidden"):
        (folder / name).write_text("")
    refused(folder, squares, r"holds b\ufffd\[31m\.txt, c, d and 1 more\. Hand in the notebook file itself\.$")
    with pytest.raises(SubmissionError, match="is a device"):
        submission.read(type(tmp_path)("/dev/null"), squares)


def test_a_hostile_file_name_is_shown_without_its_control_characters(squares, tmp_path):
    path = tmp_path / "a\x1b[31m\u202egnp.ipynb"
    path.write_bytes(b"")
    with pytest.raises(SubmissionError) as caught:
        submission.read(path, squares)
    assert "\x1b" not in str(caught.value) and "\u202e" not in str(caught.value)


def test_a_binary_file_named_py_is_refused(squares, tmp_path):
    path = tmp_path / "squares.py"
    path.write_bytes(b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00")
    refused(path, squares, "is not a Python file")


# Repairing


def test_a_changed_locked_cell_is_restored_with_a_note(read):
    document = miniature.right()
    cell(document, "square-sanity")["source"] = '# A quick check.\nassert callable(globals().get("square"))\npass'
    found = read(document)
    assert found.digest == read(miniature.right()).digest
    assert found.notes == ("The locked cell 11 (square-sanity) had been changed and was restored.",)


def test_a_changed_given_cell_is_restored(read):
    document = miniature.right()
    cell(document, "given-noise")["source"] = "noisy_numbers = [number for number in numbers]  # no noise"
    found = read(document)
    assert [c.source for c in found.cells if c.kind == "given"][1].startswith("noisy_numbers = [number + random")


def test_a_deleted_locked_cell_is_put_back_at_its_place(read):
    document = miniature.right()
    for name in ("given-imports", "numbers-sanity", "given-noise"):
        document["cells"].remove(cell(document, name))
    found = read(document)
    assert found.digest == read(miniature.right()).digest
    assert found.positions == (None, 2, None, None, 6, 7, 12)
    assert found.notes == (
        "These locked cells were missing and were put back: given-imports, numbers-sanity, given-noise.",
    )


def test_a_deleted_check_comes_below_the_whole_answer(read):
    document = miniature.right()
    document["cells"][place(document, "square-sanity")] = code("square = square")
    found = read(document)
    sources = [c.source for c in found.cells]
    check = next(c.index for c in found.cells if c.kind == "sanity" and c.question == "square")
    assert sources.index("square = square") < check


def test_a_doubled_locked_cell_runs_once(read):
    document = miniature.right()
    document["cells"].append(copy.deepcopy(cell(document, "given-noise")))
    found = read(document)
    assert found.digest == read(miniature.right()).digest
    assert found.notes == ("These locked cells stood there more than once and were run once: given-noise.",)


def test_doubled_answers_all_run_and_the_last_one_is_exported(read):
    document = miniature.right()
    second = copy.deepcopy(cell(document, "square-answer"))
    second["source"] = "def square(x):\n    return x * x"
    document["cells"].insert(place(document, "square-sanity"), second)
    found = read(document)
    assert [c.source[-8:] for c in found.cells if c.question == "square" and c.kind == "answer"] == [
        "urn x**2",
        "rn x * x",
    ]
    assert exporting(found, "square") == [second["source"]]


def test_an_answer_that_was_copied_to_another_question_belongs_there(read):
    document = miniature.right()
    copied = copy.deepcopy(cell(document, "numbers-answer"))
    copied["source"] = "def square(x):\n    return x * x"
    document["cells"][place(document, "square-answer")] = copied
    found = read(document)
    assert exporting(found, "square") == [copied["source"]]
    assert exporting(found, "numbers") == [cell(document, "numbers-answer")["source"]]


def test_flags_tags_and_unknown_ids_are_ignored(read):
    document = miniature.right()
    for item in document["cells"]:
        item["metadata"]["tags"] = ["skip-execution"]
        flags = item["metadata"]["nbgrader"]
        flags.update(grade=not flags["grade"], locked=not flags["locked"], solution=True, points=1000)
    assert read(document).digest == read(miniature.right()).digest
    cell(document, "square-answer")["metadata"]["nbgrader"]["grade_id"] = "cell-4711"
    found = read(document)
    assert found.digest == read(miniature.right()).digest
    assert found.alignment["square"] == "position"


def test_a_notebook_without_metadata_is_aligned_by_its_text(read):
    found = read(miniature.without_metadata(miniature.right()))
    assert found.digest == read(miniature.right()).digest
    assert set(found.alignment.values()) == {"text", "none"}
    assert found.remarks == {"square-remark": "They grow and grow."}


def test_code_added_to_a_locked_cell_is_kept_as_an_own_cell(read):
    document = miniature.right()
    cell(document, "given-imports")["source"] += "\nfrom math import (\n    pi,\n)"
    found = read(document)
    assert [c.source for c in found.cells[:2]] == ["import math\nimport random", "from math import (\n    pi,\n)"]
    assert found.notes == (
        "The locked cell 2 (given-imports) was restored; the code added to it was run as a cell of its own.",
    )


def test_an_answer_written_into_the_grade_cell_is_not_lost(read):
    document = miniature.blank()
    cell(document, "square")["source"] += "\ndef square(x):\n    return x * x"
    found = read(document)
    assert "return x * x" in exporting(found, "square")[0]
    assert found.answered["square"]


def test_a_copied_locked_cell_that_became_something_else_is_the_students(read):
    document = miniature.right()
    copied = copy.deepcopy(cell(document, "square-sanity"))
    copied["source"] = "print('my own test')"
    document["cells"].insert(place(document, "square-sanity"), copied)
    found = read(document)
    assert ("answer", "square", "print('my own test')") in plan(found)
    assert [c.kind for c in found.cells].count("sanity") == 2


# Aligning


def test_an_answer_split_over_two_cells_is_exported_after_the_second(read):
    document = miniature.right()
    cell(document, "numbers-answer")["source"] = "numbers = list(range(1, 11))"
    document["cells"].insert(place(document, "numbers-sanity"), code("total = sum(numbers)"))
    found = read(document)
    assert exporting(found, "numbers") == ["total = sum(numbers)"]
    assert found.alignment["numbers"] == "position"


def test_a_cell_below_the_grade_cell_does_not_delay_the_export(read):
    document = miniature.right()
    document["cells"].insert(place(document, "numbers") + 1, code("numbers = 'played with'"))
    found = read(document)
    assert exporting(found, "numbers") == [cell(document, "numbers-answer")["source"]]


def test_an_answer_below_its_grade_cell_counts_when_nothing_stands_above(read):
    document = miniature.right()
    cell(document, "drawing-answer")["source"] = miniature.STUB
    document["cells"].insert(place(document, "drawing") + 1, code("print('*')"))
    assert exporting(read(document), "drawing") == ["print('*')"]


def test_code_below_a_part_belongs_to_no_question(read):
    document = miniature.right()
    document["cells"].insert(place(document, "part-2") + 1, code("print('hello')"))
    assert ("other", None, "print('hello')") in plan(read(document))


def test_a_definition_below_its_use_is_exported_where_it_is(read):
    document = miniature.right()
    cell(document, "square-answer")["source"] = miniature.STUB
    document["cells"].append(code("def Square(x):\n    return x * x"))
    found = read(document)
    assert exporting(found, "square")[-1] == "def Square(x):\n    return x * x"
    assert found.answered["square"]


def test_one_cell_for_everything_is_exported_at_the_stubs(read):
    document = miniature.blank()
    cell(document, "numbers-answer")["source"] = "numbers = [1]\ntotal = 1\ndef square(x):\n    return x * x"
    found = read(document)
    assert found.answered["square"] and not found.answered["drawing"]
    assert exporting(found, "square") == [cell(document, "square-answer")["source"]]


def test_a_deleted_answer_cell_without_a_trace_is_exported_at_the_end(read):
    document = miniature.right()
    document["cells"].remove(cell(document, "drawing-answer"))
    found = read(document)
    assert "drawing" in found.cells[-1].exports
    assert found.alignment["drawing"] == "none" and not found.answered["drawing"]


def test_code_above_the_check_belongs_there_when_the_statement_was_deleted(read):
    document = miniature.right()
    document["cells"].remove(cell(document, "drawing-statement"))
    document["cells"][place(document, "drawing-answer")] = code("print('**')")
    assert ("answer", "drawing", "print('**')") in plan(read(document))


def test_a_statement_with_its_own_words_changed_is_still_found(read):
    document = miniature.without_metadata(miniature.right())
    for item in document["cells"]:
        item["source"] = item["source"].replace("### ❓ 2. Write the square", "## Exercise two: WRITE the square!")
    assert read(document).alignment["square"] == "text"


def test_a_file_of_another_name_in_an_nbgrader_tree_is_noted(read):
    assert read(miniature.right(), "final version.ipynb").notes == (
        "The file is named final version.ipynb, not squares.ipynb; it was taken all the same.",
    )


def test_magics_and_syntax_errors_do_not_hide_work(read):
    document = miniature.blank()
    cell(document, "numbers-answer")["source"] = "%%time\n!ls\nnumbers = !ls\ntotal = 1"
    cell(document, "drawing-answer")["source"] = "# YOUR CODE HERE\nprint('*'"
    found = read(document)
    assert found.answered["numbers"] and found.answered["drawing"]


# Never anything but a Submission or a SubmissionError


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
SOURCES = (
    st.text(max_size=60)
    | st.sampled_from(
        [
            "### ❓ 2. Write the square",
            "# YOUR CODE HERE",
            "%%bash\nls",
            '"""',
            "def f(:",
            "lambda: " * 200,
            "\0",
            "import math",
        ]
    )
    | JSON
)
CELLS = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw", "heading", 3]),
        "source": SOURCES,
        "input": SOURCES,
        "level": JSON,
        "metadata": JSON
        | st.fixed_dictionaries(
            {
                "nbgrader": JSON
                | st.fixed_dictionaries(
                    {
                        "grade_id": st.sampled_from(
                            [
                                "numbers-answer",
                                "square",
                                "square-sanity",
                                "given-noise",
                                "square-statement",
                                "square-remark",
                            ]
                        )
                        | JSON
                    }
                )
            }
        ),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {}, optional={"cells": st.lists(CELLS | JSON, max_size=8), "metadata": JSON, "worksheets": JSON}
)
QUICK = settings(examples(120), suppress_health_check=[HealthCheck.function_scoped_fixture])


def _read_bytes(content, suffix, squares, tmp_path):
    path = tmp_path / f"squares{suffix}"
    path.write_bytes(content)
    try:
        found = submission.read(path, squares)
    except SubmissionError as error:
        assert "\n" not in str(error)
    else:
        assert len(found.positions) == len(found.cells) > 0
        exported = [question for c in found.cells for question in c.exports]
        assert set(exported) == {"numbers", "square", "drawing", "judged"}


@QUICK
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".ipynb", ".py"]))
def test_any_bytes_are_read_or_refused(squares, tmp_path, content, suffix):
    _read_bytes(content, suffix, squares, tmp_path)


@QUICK
@given(document=DOCUMENTS | JSON)
def test_any_json_is_read_or_refused(squares, tmp_path, document):
    _read_bytes(json.dumps(document).encode(), ".ipynb", squares, tmp_path)


@QUICK
@given(
    parts=st.lists(
        st.sampled_from(
            [
                '"""',
                "'''",
                "\n",
                "# %%",
                "# In[1]:",
                " [markdown]",
                "# ",
                "x = 1",
                "\\",
                '"',
                "!ls",
                "# %%time",
                "(",
                "❓ ",
                "### 2. Write the square",
                "# Commented out IPython magic to ensure Python compatibility.",
                "def square(x):",
            ]
        ),
        max_size=40,
    )
)
def test_any_script_is_read_or_refused(squares, tmp_path, parts):
    _read_bytes("".join(parts).encode(), ".py", squares, tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        "(" * 20_000,
        "[" * 300 + "]" * 300,
        "-" * 100_000 + "1",
        "not " * 50_000 + "x",
        "x = " + "1+" * 20_000 + "1",
        "x" + ".a" * 50_000,
        "a" + "[0]" * 50_000,
        "lambda: " * 5_000 + "0",
        "if x:\n pass\n" + "elif x:\n pass\n" * 5_000,
        "\n".join(" " * n + "if x:" for n in range(500)),
        "x = '" + "{" * 10_000 + "'",
        'f"' + "{x!r:" * 500 + '"',
        "x = y = " * 10_000 + "1",
        "{" * 200,
        "\0",
        "a if b else " * 5_000 + "c",
        "0" * 100_000,
        "\x0c" * 10_000 + "x",
        "@a\n" * 20_000 + "def f(): pass",
        "x: " * 3_000,
        "print(" * 90 + ")" * 90,
        "(((lambda:" * 30 + "0" + ")))" * 30,
    ],
)
def test_no_source_holds_up_or_breaks_the_reader(read, source):
    document = miniature.right()
    cell(document, "square-answer")["source"] = source
    assert read(document).cells[4].source == source
    syntax.used_names(source)
