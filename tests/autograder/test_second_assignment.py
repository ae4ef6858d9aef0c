"""A second assignment, a classifier of points, in one course with the first: nothing in the engine knows of it."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from command_line import autograder
from miniature import ROOT, answer, cell, grade, statement, write

from autograder.release import gate as release

SECOND = Path(__file__).parent / "second_assignment"
NAME = "rings"
# What docs/writing-checks.md adds to the assignment as it is committed: a check, and a question with its own.
TRIED = dict(
    re.findall(
        r"<!-- tried: (\S+) -->\n```\w+\n(.*?)```",
        (ROOT / "docs" / "writing-checks.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
)

RIGHT = {
    "scale": "mean, deviation = X.mean(0, keepdims=True), X.std(0, ddof=1)\nX_scaled = (X - mean) / deviation",
    "draw": "for ring in (0, 1):\n    plt.plot(*X_scaled[y == ring].T, 'o', color=f'C{ring}')",
    "build-classifier": """
def build_classifier(neurons):
    point = Input((2,))
    hidden = layers.Activation("tanh")(layers.Dense(neurons)(point))
    return keras.Model(point, layers.Dense(1, activation=keras.activations.sigmoid)(hidden))
""",
    "inner-radius": "inner_radius = np.sqrt((X[y == 0] ** 2).sum(axis=1)).mean()",
    "fit": """
classifier = build_classifier(neurons=8)
classifier.compile(loss=keras.losses.BinaryCrossentropy(), optimizer=keras.optimizers.SGD(0.1))
classifier.fit(x=X_scaled, y=y[:, np.newaxis], epochs=30, batch_size=16, validation_split=0.1)
""",
}
# One mistake a question.
WRONG = {
    "scale": "X_scaled = X / np.abs(X).max(axis=0)",
    "draw": "plt.scatter(X[:, 0], X[:, 1])",
    "build-classifier": RIGHT["build-classifier"].replace('"tanh"', '"relu"'),
    "fit": RIGHT["fit"].replace("epochs=30", "epochs=3"),
    "inner-radius": "inner_radius = X[y == 0].mean()",
}
BROKEN = RIGHT | {"draw": "import os\nos._exit(3)", "fit": "classifier = build_classifier(8"}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course folder with both assignments, after what the page on writing checks adds to the second."""
    root = tmp_path_factory.mktemp("course")
    for folder in ("source/autoencoders", "tests/autoencoders", "data", "scripts"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("nbgrader_config.py", "pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, root)
    shutil.copytree(SECOND, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    source, tests = root / "source" / NAME / f"{NAME}.ipynb", root / "tests" / NAME
    document = json.loads(source.read_text(encoding="utf-8"))
    document["cells"] += [
        statement("inner-radius", TRIED["statement"].strip()),
        answer("inner-radius", TRIED["answer"].strip()),
        grade("inner-radius", 2),
    ]
    document["metadata"]["autograder"]["total_points"] += 2
    write(document, source)
    for file, added in (("probes.py", ["probe"]), ("test_data.py", ["check", "question"])):
        with (tests / file).open("a", encoding="utf-8") as stream:
            stream.write("".join(f"\n\n{TRIED[name]}" for name in added))
    return root


@pytest.fixture(scope="module")
def released(course):
    """The students' version, made by nbgrader and let through by the gate, but for its run of the blank notebook."""
    return json.loads(release.build(course, NAME).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def graded(course, released, tmp_path_factory):
    """The folder of results of a class of four."""
    for student, answers in (("right", RIGHT), ("wrong", WRONG), ("broken", BROKEN), ("blank", {})):
        document = json.loads(json.dumps(released))
        for question, text in answers.items():
            cell(document, f"{question}-answer")["source"] = text.strip("\n")
        write(document, course / "submitted" / student / NAME / f"{NAME}.ipynb")
    done = autograder(
        "grade", "submitted", "--assignment", NAME, "--jobs", "1",
        cwd=course, cache=tmp_path_factory.getbasetemp() / "cache-rings",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return course / "graded"


def report(graded, student):
    return json.loads((graded / student / "report.json").read_text(encoding="utf-8"))


def checks(document, status):
    found = [check for question in document["questions"] for check in question["checks"]]
    return {check["id"] for check in found if check["status"] == status}


def test_the_release_of_a_second_assignment_passes_the_gate_and_holds_no_solution(released):
    text = json.dumps(released)
    assert "# YOUR CODE HERE" in cell(released, "scale-answer")["source"]
    assert "binary_crossentropy" not in text and "straight line, and none" not in text


def test_a_right_answer_in_other_words_gets_every_point_of_the_machine(graded):
    document = report(graded, "right")
    assert checks(document, "failed") == set()
    assert (document["score"], document["awaiting_review"], document["max_score"]) == (20.0, 2.0, 22.0)
    assert document["status"] == "graded"
    assert {"draw/every-point-is-drawn", "inner-radius/inner-radius"} <= checks(document, "passed")


def test_each_mistake_fails_its_own_check_alone(graded):
    document = report(graded, "wrong")
    assert checks(document, "failed") == {
        "scale/mean-and-deviation", "draw/colours-follow-the-rings", "build-classifier/layer[hidden layer]",
        "fit/epochs-and-batches", "inner-radius/inner-radius",
    }  # fmt: skip
    scores = {question["id"]: question["score"] for question in document["questions"]}
    assert scores == {"scale": 1, "draw": 0, "build-classifier": 4.5, "fit": 3.5, "fit-remark": 0, "accuracy": 2,
                      "inner-radius": 0}  # fmt: skip
    assert "other-scaling" in document["findings"]


def test_a_blank_notebook_earns_nothing_and_only_its_remarks_wait(graded):
    document = report(graded, "blank")
    assert (document["score"], document["awaiting_review"]) == (0.0, 2.0)


def test_a_dead_process_and_a_cell_that_is_no_python_cost_their_own_questions(graded):
    document = report(graded, "broken")
    scores = {question["id"]: question["score"] for question in document["questions"]}
    assert document["execution"]["salvaged"]
    assert scores == {"scale": 3, "draw": 0, "build-classifier": 6, "fit": 0, "fit-remark": 0, "accuracy": 2,
                      "inner-radius": 2}  # fmt: skip


def test_a_check_that_makes_a_mistake_is_named_and_its_traceback_kept(course, graded, tmp_path, tmp_path_factory):
    mine = course / "tests" / NAME / "test_mine.py"
    mine.write_text("import pytest\n\n@pytest.mark.question('draw')\ndef test_mine(drawn_dots):\n    pass\n")
    try:
        done = autograder(
            "grade", "submitted/right", "--assignment", NAME, "--out", tmp_path / "out",
            cwd=course, cache=tmp_path_factory.getbasetemp() / "cache-rings",
        )  # fmt: skip
    finally:
        mine.unlink()
    assert "the check draw/mine made a mistake of its own in 1 of the submissions: see " in done.stderr
    log = (tmp_path / "out" / "grader.log").read_text(encoding="utf-8")
    assert "check test_mine.py::test_mine" in log and "FixtureLookupError: ('drawn_dots'" in log


def test_pages_and_reports_say_nothing_of_the_first_assignment(graded):
    pages = [*graded.rglob("*.html"), *graded.rglob("*.json"), *graded.glob("*.csv")]
    assert len(pages) >= 8
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"[\w-]*(?:encoder|digit|latent|MNIST)[\w-]*", text), page


def test_where_there_are_two_assignments_the_command_asks_which(course, tmp_path):
    done = autograder("grade", "submitted", cwd=course, cache=tmp_path)
    assert done.returncode == 2
    assert "autoencoders, rings" in done.stderr and "say which one" in done.stderr


def test_the_package_for_a_platform_holds_the_one_assignment(course, tmp_path):
    done = autograder("package", "gradescope", NAME, "--out", tmp_path / "zip", cwd=course, cache=tmp_path)
    assert done.returncode == 0, done.stderr
    names = set(zipfile.ZipFile(tmp_path / "zip").namelist())
    assert "course/tests/rings/probes.py" in names and "course/source/rings/rings.ipynb" in names
    assert not [name for name in names if "autoencoders" in name]


def test_the_engine_knows_no_word_of_the_second_assignment():
    words = re.compile(r"\brings?\b|X_scaled|classifier")
    engine = [*(ROOT / "autograder").rglob("*.py"), *(ROOT / "autograder").rglob("*.html")]
    assert engine and not [path for path in engine if words.search(path.read_text(encoding="utf-8"))]


def test_the_files_of_two_assignments_may_have_the_same_names(tmp_path):
    for name in ("one", "two"):
        folder = tmp_path / "tests" / name
        folder.mkdir(parents=True)
        (tmp_path / "source" / name).mkdir(parents=True)
        (folder / "statement.py").write_text(f"WORD = '{name}'\n")
        (folder / "conftest.py").write_text("import statement\nassert statement.WORD in __file__\n")
        (folder / "test_it.py").write_text(
            "import pytest\nfrom statement import WORD\n\n"
            "@pytest.mark.parametrize('word', [WORD])\ndef test_it(word): pass\n"
        )
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n")
    command = ["-m", "pytest", "--collect-only", "-q", "-p", "autograder.checks.plugin", "-p", "autograder.reference"]
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "tests/one/test_it.py::test_it[one]" in done.stdout, done.stdout
    assert "tests/two/test_it.py::test_it[two]" in done.stdout, done.stdout
