"""One class, all doors: whatever a course grades with, a submission gets the same points and the same messages.

A door is a function in ``DOORS``. It is given the files that were handed in, by student, and a folder of its own that
holds nothing but a cache, and returns what its platform shows.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
import report_samples as samples
from command_line import ROOT, autograder, environment
from example_class import Graded, example
from nbgrader_course import NAME, autograded, by_id, grades, hand_in, make_course
from nbgrader_course import run as run_nbgrader
from small_sandbox import HERE
from test_github_action import grade as run_action
from test_gradescope import unpacked
from test_report_platforms import CLASSROOM_50

from autograder.assignment import load
from autograder.report.classroom50 import UNITS_A_POINT
from autograder.report.model import Report
from autograder.report.wording import check_lines

STUDENTS = ("ada-reference", "farid-wrong-filters", "ines-wrong-loss", "noor-blank", "quin-colab-export")
# On a platform nothing is kept from the command line's run. Each door grades one submission so, all of it anew; for
# the others it finds the results in the cache, and what is tried is all that the door itself does.
ANEW = {"action": "farid-wrong-filters", "gradescope": "quin-colab-export", "classroom 50": "noor-blank",
        "nbgrader": "noor-blank"}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """What a platform shows of one submission: points, and for each question its points and the lines of its checks."""

    score: float
    questions: Mapping[str, tuple[float, tuple[str, ...]]]


Door = Callable[[Mapping[str, Path], Path], dict[str, Shown]]


def of_report(path: Path) -> Shown:
    report = Report.model_validate_json(path.read_bytes())
    return Shown(report.score, {one.id: (one.score, tuple(check_lines(one))) for one in report.questions})


def action(files: Mapping[str, Path], folder: Path) -> dict[str, Shown]:
    """The steps of the composite action; summary, annotations and outputs have to tell what the report tells."""
    found = {}
    for student, file in files.items():
        place = folder / student
        place.mkdir()
        step = run_action(place, file, own={"AUTOGRADER_CACHE": str(folder / "cache")})
        assert step.code == 0, step.said
        report = place / "workspace" / step.outputs["report"]
        found[student] = of_report(report)
        assert (float(step.outputs["score"]), step.outputs["max-score"]) == (found[student].score, "100")
        assert {path.name for path in report.parent.iterdir()} == {
            "report.json", "index.html", "junit.xml", "summary.md",
        }  # fmt: skip
        lines = [line for _, told in found[student].questions.values() for line in told if "(passed)" not in line]
        summary = html.unescape(step.summary)
        assert summary.startswith("## autoencoders: ")
        assert not [line for line in lines if line.strip() not in summary]
        is_wrong = any("(not right yet)" in line for line in lines)
        assert is_wrong == any(line.startswith("::error ") for line in step.said.splitlines())
    return found


def gradescope(files: Mapping[str, Path], folder: Path) -> dict[str, Shown]:
    """The package as the platform unpacks it, and its script, with the system calls and the powers of a container."""
    zipped = folder / "package.zip"
    assert autograder("package", "gradescope", "--out", zipped, cache=folder / "cache").returncode == 0
    found = {}
    for student, file in files.items():
        root = unpacked(zipped, folder / student)
        # What setup.sh would have installed; test_gradescope_root.py lets it do so.
        (root / "venv").symlink_to(sys.prefix)
        shutil.copy(file, root / "submission")
        done = subprocess.run(
            [sys.executable, str(HERE / "docker_filter.py"), "/bin/bash", str(root / "source" / "run_autograder")],
            cwd=root, env=environment(folder / "cache") | {"AUTOGRADER_ROOT": str(root)},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        result = json.loads((root / "results" / "results.json").read_bytes())
        questions = {
            test["extra_data"]["id"]: (test.get("score", 0.0), tuple(test["output"].splitlines()))
            for test in result["tests"]
        }
        found[student] = Shown(result["score"], questions)
    return found


def classroom50(files: Mapping[str, Path], folder: Path) -> dict[str, Shown]:
    """The script of docs/platforms.md, in the checkout of a student's repository, on a runner that has the course."""
    page = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"<!-- classroom 50: begin -->\n```python\n(.*?)```\n", page, re.DOTALL)
    script, course = folder / "autograder.py", folder / "course"
    script.write_text(code)
    course.mkdir()
    for path in ROOT.iterdir():
        if path.name not in (".venv", ".git"):
            (course / path.name).symlink_to(path)
    (course / ".venv").symlink_to(sys.prefix)
    ids = [question.id for question in load(ROOT, "autoencoders").questions]
    found = {}
    for student, file in files.items():
        checkout = folder / student
        checkout.mkdir()
        shutil.copy(file, checkout)
        (checkout / "result.json").write_text('{"score": 200}')
        variables = environment(folder / "cache") | samples.CLASSROOM50 | {"AUTOGRADER_COURSE": str(course)}
        done = subprocess.run([sys.executable, str(script)], cwd=checkout, env=variables, check=False)
        assert done.returncode == 0
        result = json.loads((checkout / "result.json").read_bytes())
        jsonschema.validate(result, CLASSROOM_50)
        questions = {
            question: (test["score"] / UNITS_A_POINT, tuple(test["hint"].splitlines()))
            for question, test in zip(ids, result["tests"], strict=True)
        }
        found[student] = Shown(result["score"] / UNITS_A_POINT, questions)
        assert "points" in (checkout / "release-body.md").read_text(encoding="utf-8")
    return found


def nbgrader(files: Mapping[str, Path], folder: Path) -> dict[str, Shown]:
    """`nbgrader autograde` in a course's folder: the points of the gradebook, the lines below each grade cell."""
    course = make_course(folder / "course")
    for student, file in files.items():
        hand_in(course, student, file.read_text(encoding="utf-8"), file.name)
    codes, said = run_nbgrader(course, folder / "cache", ["autograde", NAME])
    assert codes == [0], said
    found = {}
    for student in files:
        cells = by_id(autograded(course, student))
        questions = {}
        for name, (points, by_person, waits) in grades(course / "gradebook.db", student).items():
            assert by_person is None
            # A text has no cell that could show lines: the gradebook says that it waits.
            lines = ["A person reads this answer."] if waits else []
            if cells[name]["cell_type"] == "code":
                lines = "".join(cells[name]["outputs"][0]["data"]["text/plain"]).splitlines()[1:]
            questions[name] = (points or 0.0, tuple(lines))
        found[student] = Shown(sum(points for points, _ in questions.values()), questions)
    return found


DOORS: dict[str, Door] = {
    "action": action, "gradescope": gradescope, "classroom 50": classroom50, "nbgrader": nbgrader,
}  # fmt: skip


@pytest.fixture(scope="module", params=DOORS)
def shown(request: pytest.FixtureRequest, example_class: Graded, tmp_path_factory: pytest.TempPathFactory):
    """What one door shows of the class; one of the submissions it grades without anything kept."""
    folder = tmp_path_factory.mktemp("door")
    door = DOORS[request.param]
    files = {student: example(student) for student in STUDENTS}
    anew = ANEW[request.param]
    (folder / "anew").mkdir()
    found = door({anew: files.pop(anew)}, folder / "anew")
    (folder / "kept").mkdir()
    shutil.copytree(example_class.cache, folder / "kept" / "cache")
    return found | door(files, folder / "kept")


@pytest.mark.parametrize("student", STUDENTS)
def test_a_submission_gets_the_same_points_and_messages_through_every_door(
    shown: dict[str, Shown], example_class: Graded, student: str
) -> None:
    expected = of_report(example_class.out / student / "report.json")
    assert len(expected.questions) == 20
    assert shown[student] == expected
