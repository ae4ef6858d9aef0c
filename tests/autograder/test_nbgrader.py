"""At home in nbgrader: a class whose submissions are each awkward in another way, graded by nbgrader's own commands."""

from __future__ import annotations

import ast
import csv
import html
import io
import json
import re
import select
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import BLANK, ROOT, autograder
from nbgrader_course import (
    ANSWERS,
    NAME,
    NOTEBOOK,
    autograded,
    by_id,
    changed,
    comments,
    grades,
    hand_in,
    judge,
    make_course,
    penalty,
    png,
    run,
    start,
    submission,
)  # fmt: skip

from autograder.assignment import load
from autograder.grade import Grader, Settings

SCRIPT = "# %% [markdown]\n# ### ❓ 1. Load the data\n\n# %%\n" + ANSWERS["load-data"]
TEXTS = ("reconstructions-remark", "latent-space-remark", "best-latent-dimension-remark")
NEVER_SHOWN = ("test_data.py", "calibration", "pytest", "AUTOGRADER", "sha256", "cell_cpu_seconds")
# A list from before, with a step that would run the notebook in a plain kernel.
STOCK = ("Execute", "SaveAutoGrades", "AssignLatePenalties")
STOCK_LIST = f"--Autograde.autograde_preprocessors={[f'nbgrader.preprocessors.{name}' for name in STOCK]}"
LATE = """
from nbgrader.plugins import BasePlugin
from nbgrader.preprocessors import NbGraderPreprocessor

class Half(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score / 2

class Broken(NbGraderPreprocessor):
    def preprocess(self, nb, resources):
        raise ZeroDivisionError
"""


def _flip(document):
    for cell in document["cells"]:
        mark = cell["metadata"].get("nbgrader", {})
        if mark.get("grade"):
            mark |= {"grade": False, "solution": True, "locked": False, "points": 1000}
        elif mark.get("solution"):
            mark |= {"grade": True, "points": -5, "schema_version": 1}
        cell["metadata"]["tags"] = ["skip-execution", "remove_cell"]


def _double(document):
    found = by_id(document)
    document["cells"].remove(found["build-encoder"])
    document["cells"].append(json.loads(json.dumps(found["load-data"])) | {"id": "again"})
    found["plot-digits"]["outputs"] = [
        {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "2.0"}}
    ]


def _short():
    """A notebook whose checks all pass, because it ends early."""
    document = submission(ANSWERS | {"encoder-size": "encoder = build_encoder(2)"})
    end = document["cells"].index(by_id(document)["encoder-size"])
    return document | {"cells": document["cells"][:end]}


def _answered(question, source):
    return submission(ANSWERS | {question: source})


@dataclass(frozen=True)
class Class:
    course: Path
    cache: Path
    code: int
    said: str

    @property
    def first(self):
        return self.course / "first.db"

    def report(self, student):
        grader = Grader(load(self.course, NAME), Settings())
        (file,) = (self.course / "submitted" / student / NAME).glob("*.ipynb")
        return grader.kept(file, student)


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """The class after one `nbgrader autograde`."""
    folder = tmp_path_factory.mktemp("nbgrader")
    course, cache = make_course(folder / "course"), folder / "cache"
    (course / "tests" / NAME / "limits.toml").write_text("[limits]\ncell_cpu_seconds = 3\n")
    (course / "late.py").write_text(LATE)
    ada = hand_in(course, "ada", submission())
    (ada.parent / "timestamp.txt").write_text("2026-03-03 12:00:00 UTC")
    (ada.parent / "notes.txt").symlink_to(course / "tests" / NAME / "test_data.py")
    hand_in(course, "ben", BLANK.read_text(encoding="utf-8"))
    hand_in(course, "broken", "{")
    (hand_in(course, "flipped", changed(_flip)).parent / "timestamp.txt").write_text("yesterday")
    hand_in(course, "doubled", changed(_double))
    hand_in(course, "renamed", submission(), "my notebook (1).ipynb")
    hand_in(course, "script", SCRIPT, "autoencoders.py")
    hand_in(course, "dead", _answered("plot-digits", "import os\nos._exit(3)"))
    hand_in(course, "hang", _answered("plot-digits", "while True:\n    pass"))
    hand_in(course, "short", _short())
    link = hand_in(course, "linked", "")
    link.unlink()
    link.symlink_to(ada)
    (course / "submitted" / "neighbour").mkdir()
    (course / "submitted" / "neighbour" / NAME).symlink_to(ada.parent)
    (course / "submitted" / "empty" / NAME).mkdir(parents=True)
    (code,), said = run(course, cache, {"command": ["autograde", NAME], "keep": "first.db"})
    return Class(course, cache, code, said)


@pytest.fixture
def kept(graded, monkeypatch):
    monkeypatch.setenv("AUTOGRADER_CACHE", str(graded.cache))
    return graded


# One pass


def test_one_command_grades_a_whole_class_and_fails_for_nobody(graded):
    assert graded.code == 0, graded.said
    students = {path.name for path in (graded.course / "submitted").iterdir()}
    assert {path.name for path in (graded.course / "autograded").iterdir()} == students
    # Notebooks ran elsewhere: nbgrader's own process has nothing to do with them.
    assert '"heavy": []' in graded.said


@pytest.mark.parametrize("student", ["ada", "ben", "flipped", "doubled", "renamed", "dead", "hang"])
def test_grade_cells_get_the_points_of_the_command_line(kept, student):
    report = kept.report(student)
    assert report.execution.from_cache
    expected = {
        one.id: (None if one.id in TEXTS else one.score, None, one.id in TEXTS or one.awaiting_review > 0)
        for one in report.questions
    }
    assert grades(kept.first, student) == expected
    assert sum(auto or 0 for auto, _, _ in expected.values()) == report.score


def test_what_was_done_to_the_marks_of_cells_changes_no_score(graded):
    for student in ("flipped", "doubled", "renamed"):
        assert grades(graded.first, student) == grades(graded.first, "ada")
    assert grades(graded.first, "ada")["load-data"] == (5.0, None, False)
    assert grades(graded.first, "ada")["build-encoder"] == (13.0, None, False)


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ("broken", "is not a notebook"),
        ("linked", "is a symbolic link"),
        ("neighbour", "is a symbolic link"),
        ("empty", "is a folder with nothing in it"),
        ("dead", "did not run to its end"),
        ("hang", "stopped, the cell to"),
    ],
)
def test_a_submission_that_can_not_be_graded_has_an_entry_that_says_why(graded, student, words):
    said = "\n".join(auto or "" for auto, _ in comments(graded.first, student).values())
    shown = json.dumps(autograded(graded.course, student), ensure_ascii=False)
    assert words in said and words in shown
    found = grades(graded.first, student)
    assert len(found) == 20
    if student in ("broken", "linked", "neighbour", "empty"):
        assert all(not auto and waits for auto, _, waits in found.values())


def test_what_was_right_before_a_death_counts(graded):
    assert grades(graded.first, "dead")["load-data"][0] == 5.0
    assert grades(graded.first, "dead")["plot-digits"][0] == 0.0


@pytest.mark.parametrize("student", ["ada", "broken", "flipped", "doubled", "script", "hang"])
def test_each_grade_cell_stands_there_once_and_shows_one_score(graded, student):
    document = autograded(graded.course, student)
    scores = {}
    for cell in document["cells"]:
        mark = cell["metadata"].get("nbgrader", {})
        if mark.get("grade") and cell["cell_type"] == "code":
            assert mark["grade_id"] not in scores
            (result,) = [output for output in cell["outputs"] if output["output_type"] == "execute_result"]
            scores[mark["grade_id"]] = "".join(result["data"]["text/plain"])
            assert not any(output.get("name") == "stderr" for output in cell["outputs"])
    recorded = grades(graded.first, student)
    assert scores == {name: repr(recorded[name][0]) for name in recorded if name not in TEXTS}
    source = by_id(json.loads((ROOT / "source" / NAME / NOTEBOOK).read_text(encoding="utf-8")))
    for grade_id, cell in by_id(document).items():
        flags = ("grade", "solution", "locked", "points")
        assert [cell["metadata"]["nbgrader"].get(flag) for flag in flags] == [
            source[grade_id]["metadata"]["nbgrader"].get(flag) for flag in flags
        ]


def test_checks_are_readable_at_their_cell_and_comments_say_what_was_wrong(graded):
    cell = by_id(autograded(graded.course, "ada"))["build-encoder"]
    plain = "".join(cell["outputs"][0]["data"]["text/plain"])
    assert "✗ The second convolution has 16 filters" in plain and "16 filters expected, 32 found" in plain
    said = {name: auto for name, (auto, _) in comments(graded.first, "ada").items()}
    assert "16 filters expected, 32 found" in said["build-encoder-answer"]
    assert said["load-data-answer"] is None and said["latent-space-remark"] == "No response."
    assert said["reconstructions-remark"] is None


def test_her_own_outputs_stay_and_nothing_in_them_acts(graded):
    outputs = by_id(autograded(graded.course, "ada"))["plot-digits-answer"]["outputs"]
    shown = ["".join(output.get("data", {}).get("text/plain", output.get("text", ""))) for output in outputs]
    assert shown[0].startswith("Saved in the notebook") and "a table of hers" in "".join(shown)
    assert any("".join(output.get("data", {}).get("image/png", "")) == png() for output in outputs)
    assert shown[-1].startswith("Run again by the grader") and "ran" in shown[-1]
    text = json.dumps(autograded(graded.course, "ada"))
    assert "<script" not in text and "<img" not in text


def test_code_that_has_lost_its_marks_is_shown_in_its_place(graded):
    found = by_id(autograded(graded.course, "script"))
    assert "mnist.load_data()" in "".join(found["load-data-answer"]["source"])
    assert grades(graded.first, "script")["load-data"][0] == 5.0


def test_nothing_of_a_student_but_the_notebook_and_its_time_is_copied(graded):
    files = {path.name for path in (graded.course / "autograded").rglob("*") if path.is_file()}
    assert files == {NOTEBOOK, "timestamp.txt"}


# A second pass, beside a person


@dataclass(frozen=True)
class Again:
    codes: list[int]
    written: dict[tuple[str, str], float]
    times: int
    said: str


@pytest.fixture(scope="module")
def again(graded):
    """All graded again while a person grades; then late penalties, feedback, export and a pass without execution."""
    database = graded.course / "gradebook.db"
    judge(database, "ada", "reconstructions-remark", 1.5, "Say more about the 4 and the 9.")
    judge(database, "ada", "build-encoder", 14.0)
    with closing(sqlite3.connect(database)) as book, book:
        book.execute("update assignment set duedate = '2026-03-02 12:00:00'")
        book.execute("update student set first_name = '=1+1', last_name = 'O, \"Hara' where id = 'ada'")
    force = ["autograde", NAME, "--student", "ada", "--force"]
    broken = ["autograde", NAME, "--student", "script", "--force"]
    steps = [
        {"command": ["autograde", NAME, "--force"], "keep": "second.db"},
        {
            "command": [
                *force,
                "--LateSubmissionPlugin.penalty_method=zero",
                STOCK_LIST,
            ],
            "keep": "zero.db",
        },
        {"command": [*force, "--AssignLatePenalties.plugin_class=late.Half"], "keep": "half.db"},
        {"command": [*broken, "--Autograde.autograde_preprocessors=['late.Broken']"], "keep": "broken.db"},
        {"command": ["generate_feedback", NAME]},
        {"command": ["export", "--to", "grades.csv"]},
        {
            "command": ["autograde", NAME, "--student", "ben", "--force", "--no-execute"],
            "environment": {"AUTOGRADER_CACHE": str(graded.course / "nothing")},
            "keep": "not-run.db",
        },
        {"command": ["autograde", NAME], "environment": {"AUTOGRADER_CACHE": str(graded.cache)}, "keep": "run.db"},
    ]
    process = start(graded.course, graded.cache, steps)
    assert process.stdout is not None
    times, written = 0, {}
    while not select.select([process.stdout], [], [], 0.01)[0]:
        student = ("flipped", "doubled", "renamed", "dead", "hang", "ben")[times % 6]
        question = TEXTS[times % 3]
        written[student, question] = float(times % 7) / 4
        judge(database, student, question, written[student, question], f"said {times}")
        times += 1
    out, errors = process.communicate(timeout=300)
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert len(lines) == len(steps), errors
    return Again([line["code"] for line in lines], written, times, errors)


def test_a_persons_score_and_comment_survive_a_pass_with_force(graded, again):
    assert again.codes[0] == 0
    found = grades(graded.course / "second.db", "ada")
    # Nothing that she judged has changed, so nothing of it waits again.
    assert found["reconstructions-remark"] == (None, 1.5, False)
    assert found["build-encoder"] == (13.0, 14.0, False)
    said = comments(graded.course / "second.db", "ada")
    assert said["reconstructions-remark"] == (None, "Say more about the 4 and the 9.")


def test_two_graders_at_once_lose_nothing(graded, again):
    assert again.times > 20
    for (student, question), score in again.written.items():
        auto, manual, _ = grades(graded.course / "gradebook.db", student)[question]
        assert (auto, manual) == (None, score)
        assert comments(graded.course / "gradebook.db", student)[question][1].startswith("said ")
    for student in ("flipped", "doubled", "renamed", "dead", "hang"):
        before, after = grades(graded.first, student), grades(graded.course / "second.db", student)
        assert {name: row[0] for name, row in before.items()} == {name: row[0] for name, row in after.items()}


def test_late_penalties_are_taken_of_our_scores(graded, again):
    earned = 5 + 14 + 1.5
    assert penalty(graded.course / "second.db", "ada") is None
    assert penalty(graded.course / "zero.db", "ada") == earned
    assert penalty(graded.course / "half.db", "ada") == earned / 2


def test_a_list_of_steps_that_runs_notebooks_runs_none_and_records_the_same(graded, again):
    assert "Execute is left out: notebooks run in the sandbox only" in again.said
    before, after = grades(graded.first, "ada"), grades(graded.course / "zero.db", "ada")
    assert {name: row[0] for name, row in before.items()} == {name: row[0] for name, row in after.items()}


def test_a_step_that_fails_leaves_an_entry_that_waits_and_the_next_run_tries_again(graded, again):
    assert again.codes[3] == 1
    found = grades(graded.course / "broken.db", "script")
    assert all(not auto and waits for auto, _, waits in found.values())
    said = "\n".join(auto or "" for auto, _ in comments(graded.course / "broken.db", "script").values())
    assert "could not be recorded (ZeroDivisionError)" in said
    assert grades(graded.course / "run.db", "script") == grades(graded.first, "script")


def test_without_execution_and_without_a_kept_result_nothing_is_earned(graded, again):
    assert again.codes[6] == 1
    found = grades(graded.course / "not-run.db", "ben")
    assert all(not auto and waits for name, (auto, _, waits) in found.items() if name not in TEXTS)
    said = "\n".join(auto or "" for auto, _ in comments(graded.course / "not-run.db", "ben").values())
    assert "was not run" in said


def test_what_could_not_be_graded_is_tried_again_without_force(graded, again):
    assert again.codes[7] == 0
    assert not grades(graded.course / "run.db", "ben")["load-data"][2]


def _feedback(course, student):
    return (course / "feedback" / student / NAME / f"{NAME}.html").read_text(encoding="utf-8")


def test_feedback_has_the_table_the_findings_and_her_own_outputs(graded, again):
    assert again.codes[4] == 0
    page = html.unescape(_feedback(graded.course, "ada"))
    assert page.index("Your points") < page.index("Describe a handwritten digit")
    rows = dict(re.findall(r'<td[^>]*><a href="#([\w-]+)">[^<]*</a></td>\s*<td[^>]*>([^<]*)</td>', page))
    assert rows["build-encoder"] == "14" and rows["load-data"] == "5"
    assert list(rows) == [question.id for question in load(graded.course, NAME).questions]
    assert "Handed in late" in page
    for part in ("16 filters expected, 32 found", "Say more about the 4 and the 9.", png(), "hers on stderr"):
        assert part in page
    assert page.count("Saved in the notebook") == 2
    assert "waits for a person" in page


def _hidden_lines():
    """The lines of the hidden checks that do something, but for those that every student has."""
    known = BLANK.read_text(encoding="utf-8")
    code = (line.strip() for path in (ROOT / "tests" / NAME).glob("*.py") for line in path.read_text().splitlines())
    lines = {line for line in code if len(line) > 24 and line.startswith(("assert ", "return ", "if ", "def ", "for "))}
    assert len(lines) > 100
    return [line for line in lines if line not in known]


def test_nothing_hidden_and_nobody_else_is_in_what_students_get(graded, again):
    students = {path.name for path in (graded.course / "submitted").iterdir()}
    for student in ("ada", "dead", "linked", "neighbour"):
        shown = _feedback(graded.course, student).partition("<body>")[2]
        text = shown + json.dumps(autograded(graded.course, student))
        others = [f">{one}<" for one in students] + [f"submitted/{one}" for one in students]
        for word in (*NEVER_SHOWN, str(graded.course), *others, *_hidden_lines()):
            assert word not in text, word
        assert "<script>alert" not in shown and "onerror=alert(1)>" not in shown.replace("&lt;\u200bimg", "")


# Grades for elsewhere


def test_the_csv_is_quoted_and_holds_each_question_and_no_formula(graded, again):
    found = list(csv.DictReader(io.StringIO((graded.course / "grades.csv").read_text(encoding="utf-8"))))
    by_student = {row["student_id"]: row for row in found}
    assert len(found) == 13
    ada = by_student["ada"]
    assert ada["last_name"] == 'O, "Hara' and ada["first_name"] == "'=1+1"
    assert (ada["build-encoder"], ada["load-data"], ada["reconstructions-remark"]) == ("14", "5", "1.5")
    assert (ada["raw_score"], ada["late_submission_penalty"], ada["score"]) == ("20.5", "10.25", "10.25")
    assert by_student["broken"]["score"] == "0" and by_student["broken"]["needs_manual_grade"] == "20"


@pytest.mark.parametrize(
    ("form", "head", "line"),
    [
        ("canvas", ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", NAME], ['O, "Hara, =1+1', "ada"]),
        ("moodle", ["Username", "ID number", "First name", "Last name", "Email address", NAME], ["ada", "'=1+1"]),
    ],
)
def test_the_command_writes_what_platforms_import(graded, again, tmp_path, form, head, line):
    target = tmp_path / "out.csv"
    done = autograder("export", "--course", graded.course, "--form", form, "--out", target, cache=graded.cache)
    assert done.returncode == 0, done.stderr
    assert "13 submissions" in done.stdout and "not final" in done.stdout
    rows = list(csv.reader(io.StringIO(target.read_text(encoding="utf-8"))))
    assert rows[0] == head
    (ada,) = [row for row in rows if "ada" in row]
    assert set(line) <= set(ada) and ada[-1] == "10.25"
    if form == "canvas":
        assert rows[1] == ["    Points Possible", "", "", "", "", "100"]


def test_no_gradebook_is_told_and_none_is_made(tmp_path):
    course = make_course(tmp_path / "course")
    done = autograder("export", "--course", course, cache=tmp_path / "cache")
    assert done.returncode == 2 and "there is no gradebook" in done.stderr
    assert not (course / "gradebook.db").exists()


# The students' side


def test_validate_tells_what_the_visible_checks_found_and_minds_no_stderr(graded):
    # Both were executed before, and that is kept.
    notebooks = (f"submitted/short/{NAME}/{NOTEBOOK}", f"submitted/ben/{NAME}/{NOTEBOOK}")
    codes, said = run(graded.course, graded.cache, *(["validate", notebook] for notebook in notebooks))
    assert codes == [0, 0]
    _, _, second = said.partition("Success! Your notebook passes all the tests.")
    assert second, said
    assert "VALIDATION FAILED ON" in second and "There is no variable named X_train" in second, said


def test_the_release_is_a_notebook_for_every_program():
    document = json.loads(BLANK.read_text(encoding="utf-8"))
    assert document["nbformat"] == 4
    assert document["metadata"]["kernelspec"]["name"] == "python3"
    assert document["metadata"]["language_info"]["name"] == "python"
    code = "\n".join("".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code")
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(code))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in node.names
    }
    # What Colab and every Jupyter with TensorFlow have; nothing of this repository.
    assert {name.partition(".")[0] for name in imported} <= {"matplotlib", "numpy", "tensorflow", "keras"}
    assert not re.search(r"^\s*[%!]|/content|google\.colab|input\(", code, re.MULTILINE)
