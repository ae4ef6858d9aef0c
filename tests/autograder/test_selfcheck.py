"""``autograder check`` as a student runs it: one notebook in an empty folder, and nothing of the course."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import ROOT, autograder, environment
from example_class import example

from autograder import selfcheck
from autograder.assignment import load, load_released
from autograder.errors import GraderFault
from autograder.sandbox import plain
from autograder.sandbox.guest import synthetic
from autograder.sandbox.job import Job
from autograder.sandbox.limits import Limits
from autograder.selfcheck import RELEASED, released

SIGNS = {"✓": "passed", "✗": "failed", "○": "not yet answered", "–": "answered"}
STUB = "# YOUR CODE HERE"
FIXED = """\
def build_encoder(latent_dimension):
    return Sequential([Input((28, 28, 1)), layers.Flatten(), layers.Dense(2, activation="tanh")])
"""


def notebook(folder: Path, changes: Mapping[str, str | tuple[str, str] | None]) -> Path:
    """Write the reference with other sources, or other words, in some cells, by grade_id; with None one is deleted."""
    document = json.loads(example("ada-reference").read_text(encoding="utf-8"))
    cells = []
    for cell in document["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        source = changes.get(grade_id, cell["source"])
        if isinstance(source, tuple):
            text = "".join(cell["source"])
            assert source[0] in text
            source = text.replace(*source)
        if source is not None:
            cells.append({**cell, "source": source})
    path = folder / "autoencoders.ipynb"
    path.write_text(json.dumps({**document, "cells": cells}), encoding="utf-8")
    return path


def questions(shown: str) -> dict[str, tuple[str, str]]:
    """What is shown of each question: its state, and the lines below it."""
    found: dict[str, tuple[str, str]] = {}
    title = ""
    for line in shown.splitlines():
        if line[:1] in SIGNS:
            title, _, word = line[2:].rpartition(": ")
            assert word.startswith(SIGNS[line[0]])
            found[title] = (SIGNS[line[0]], "")
        elif line.startswith("    "):
            found[title] = (found[title][0], f"{found[title][1]}{line.strip()}\n")
    return found


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Check a notebook with a mistake, an error, a gap, a changed check and a deleted one, in an empty folder."""
    folder = tmp_path_factory.mktemp("empty")
    notebook(
        folder,
        {
            "plot-digits-answer": "plt.imshow(no_such_image)",
            "build-encoder-answer": FIXED,
            "build-encoder-sanity": 'print("The encoder is perfect.")',
            "decoder-size-sanity": ("28", "29"),
            "encode-sanity": None,
            "best-latent-dimension-answer": STUB,
        },
    )
    return autograder("check", "autoencoders.ipynb", cwd=folder, cache=folder / "cache")


def test_each_question_is_passed_or_failed_or_not_yet_answered(mixed: subprocess.CompletedProcess[str]) -> None:
    assert (mixed.returncode, mixed.stderr) == (1, "")
    found = {title: state for title, (state, _) in questions(mixed.stdout).items()}
    assert found["1. Load the data"] == "passed"
    assert found["2. Plot some digits"] == "failed"
    assert found["3. Build the encoder"] == "failed"
    assert found["4. How large is the encoder?"] == "passed"
    assert found["17. Choose the size of the bottleneck"] == "not yet answered"
    empty = [title for title, state in found.items() if state == "not yet answered"]
    assert [title for title in empty if "your remarks" not in title] == ["17. Choose the size of the bottleneck"]
    assert not any("15." in title for title in found)  # there nobody has to write anything


def test_a_failed_question_has_the_message_of_its_check_and_what_to_do(mixed: subprocess.CompletedProcess[str]) -> None:
    found = questions(mixed.stdout)
    wrong, stopped, empty = (next(text for title, (_, text) in found.items() if title.startswith(start))
                             for start in ("3.", "2.", "17. Choose"))  # fmt: skip
    assert "build_encoder(3) should give outputs of shape (3,), not (2,)." in wrong and "→ Change your answer" in wrong
    assert (
        "stopped in its line 1 with NameError: name 'no_such_image' is not defined" in stopped
        and "→ Mend that error" in stopped
    )
    assert "There is no dictionary named latent_errors yet." in empty


@pytest.mark.parametrize(
    ("start", "state"), [("3. Build", "failed"), ("6. How large", "passed"), ("11. Encode", "passed")]
)
def test_a_check_that_was_changed_or_deleted_is_run_as_it_was_released(
    mixed: subprocess.CompletedProcess[str], start: str, state: str
) -> None:
    found, lines = next(shown for title, shown in questions(mixed.stdout).items() if title.startswith(start))
    assert found == state
    assert "was altered in your notebook: the released one was run" in lines
    assert mixed.stdout.count("was altered") == 3


def test_the_number_of_passed_checks_is_told(mixed: subprocess.CompletedProcess[str]) -> None:
    checks = len([cell for cell in load(ROOT).cells if cell.kind == "sanity"])
    assert f"{checks - 2} of {checks} visible checks passed." in mixed.stdout


def test_a_check_gives_no_score_and_tells_that_a_sandbox_was_used(mixed: subprocess.CompletedProcess[str]) -> None:
    assert mixed.stdout.startswith("autoencoders.ipynb was run in a sandbox.\n")
    assert not re.search(r"\d points|/ ?100", mixed.stdout)


# What only Linux has; put into an environment, it makes of this machine one where none of that can be imported.
ELSEWHERE = """\
import platform, sys

LINUX = ("cgroups", "execution", "forkserver", "isolation", "landlock", "launch", "linux", "namespaces", "processes",
         "seccomp", "supervisor", "tree", "user_ids")

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("autograder.sandbox.") and name.rpartition(".")[2] in LINUX:
            raise ImportError(f"{name} on another system")

sys.meta_path.insert(0, Finder())
platform.system = lambda: "Darwin"
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel that students get, in an environment of its own that is not Linux; return that one's Python.

    The other packages are those of this environment, but not its own copy of the grader: that one is found by a hook
    that only the environment itself obeys.
    """
    folder = tmp_path_factory.mktemp("student")
    source = folder / "source"
    source.mkdir()
    for name in ("autograder", "release", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder))
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], check=True)
    venv.create(folder / "env", symlinks=True)
    packages = folder / "env" / Path(os.path.relpath(_site_packages(), sys.prefix))
    (packages / "elsewhere.py").write_text(ELSEWHERE)
    (packages / "others.pth").write_text(f"{_site_packages()}\nimport elsewhere\n")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    return folder / "env" / "bin" / "python"


def _site_packages() -> Path:
    return Path(pytest.__file__).parents[1]


def test_what_students_install_holds_the_released_notebook_and_nothing_hidden(installed: Path) -> None:
    (wheel,) = installed.parents[2].glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    released_notebook = (ROOT / "release" / "autoencoders" / "autoencoders.ipynb").read_bytes()
    assert contents["autograder/released/autoencoders/autoencoders.ipynb"] == released_notebook
    folders = {name.split("/")[0] for name in contents}
    assert {one for one in folders if not one.endswith(".dist-info")} == {"autograder"}
    hidden = [
        path.read_bytes()
        for folder in ("tests/autoencoders", "source", "solutions", "data", "examples")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    ]
    assert len(hidden) > 20 and not set(hidden) & set(contents.values())
    command = [str(installed), "-I", "-c", "import autograder; print(autograder.__file__)"]
    used = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert used.startswith(str(installed.parents[1]))


def test_a_right_export_passes_where_only_the_wheel_is_installed_and_nothing_of_linux_is_there(
    installed: Path, tmp_path: Path
) -> None:
    export = tmp_path / "autoencoders.py"
    export.write_bytes(example("quin-colab-export").read_bytes())
    done = subprocess.run(
        [str(installed), "-I", "-m", "autograder", "check", export.name],
        cwd=tmp_path, env=environment(tmp_path / "cache"), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.startswith("autograder: The notebook is run without a sandbox")
    assert "without a sandbox, since this machine has none" in done.stdout and "✗" not in done.stdout
    assert not list(tmp_path.glob("*.keras"))


def test_a_cell_that_ends_the_notebook_is_named_and_what_it_hides_is_not_called_wrong(tmp_path: Path) -> None:
    saves = "from pathlib import Path\nPath('model.keras').write_text('hardly trained')\n"
    path = notebook(tmp_path, {"encoder-size-answer": f"{saves}import os\nos._exit(3)", "fit-answer": STUB})
    said: list[str] = []
    checked = selfcheck.check(path, released(path), None, "none", said.append)
    found = {result.title.split(".")[0]: result for result in checked.results if "remarks" not in result.title}
    assert (found["3"].state, found["4"].state, found["9"].state) == ("passed", "failed", "empty")
    assert "ended the whole notebook" in found["4"].message and "Mend that error" in found["4"].advice
    assert "was not reached" in found["5"].message and found["5"].advice.startswith("Mend what ended the notebook")
    assert not checked.is_right and "did not run to its end" in checked.notes[-1]
    assert said and "without a sandbox" in said[0]
    # What it saves is not put in the place of its owner's files.
    assert not Path("model.keras").exists() and not (tmp_path / "model.keras").exists()


def test_a_process_that_can_not_be_started_is_a_fault_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(GraderFault, match="could not be started"):
        plain.run(Job((), probes={}, seed=1, training="record"), Limits(), None)


@pytest.mark.parametrize("content", ["{", "no notebook", '{"nbformat": 4, "cells": 5}'])
def test_what_can_not_be_read_is_told_before_anything_is_started(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.ipynb").write_text(content)
    done = autograder("check", "mine.ipynb", cwd=tmp_path, cache=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("autograder: ") and "Traceback" not in done.stderr


def test_a_name_that_is_no_assignment_is_told_with_those_that_are(tmp_path: Path) -> None:
    notebook(tmp_path, {})
    done = autograder("check", "autoencoders.ipynb", "--assignment", "autoencoder", cwd=tmp_path, cache=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "autograder: there is no assignment 'autoencoder' here; there is: autoencoders. Did you mean autoencoders?\n"
    )


def test_the_released_notebook_alone_tells_what_the_source_does() -> None:
    course, alone = load(ROOT), load_released(RELEASED / "autoencoders" / "autoencoders.ipynb")
    assert alone.cells == course.cells and alone.total_points == course.total_points
    # One name is bound by the reference's answer, and no check asks for it.
    only_bound = {name for one in course.questions for name in one.names} - {
        name for one in alone.questions for name in one.names
    }
    assert only_bound == {"latent_dimension"}
    for ours, theirs in zip(alone.questions, course.questions, strict=True):
        assert replace(ours, names=()) == replace(theirs, names=())
        assert set(ours.names) == set(theirs.names) - only_bound


def test_a_notebook_tells_by_its_metadata_which_assignment_it_is(tmp_path: Path) -> None:
    path = notebook(tmp_path, {}).rename(tmp_path / "Copy of mine (2).ipynb")
    assert released(path).name == "autoencoders"


def test_synthetic_digits_have_the_form_of_the_true_ones_and_are_the_same_each_time() -> None:
    import numpy as np

    made, again = (synthetic.data_sets()["mnist"] for _ in range(2))
    with np.load(ROOT / "data" / "mnist.npz", allow_pickle=False) as true:
        assert set(made) == set(true.files)
        for name, array in made.items():
            assert (array.shape, array.dtype) == (true[name].shape, true[name].dtype)
            assert (array.min(), array.max()) == (true[name].min(), true[name].max())
            assert np.array_equal(array, again[name])
    assert set(made["y_test"][:200]) == set(range(10))


def test_the_page_for_students_names_the_points_that_there_are() -> None:
    page = (ROOT / "release" / "autoencoders" / "README.md").read_text(encoding="utf-8")
    course = load(ROOT)
    by_a_person = sum(question.points for question in course.questions if question.manual)
    said = [int(number) for number in re.findall(r"^- (\d+) points", page, re.MULTILINE)]
    assert f"{course.total_points:g} points" in page
    assert said[-1] == by_a_person and sum(said) == course.total_points
