"""Somebody grades from within the folder of a student, who has left modules and settings there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from batch import notebook  # noqa: E402
from small_sandbox import needs  # noqa: E402
from surroundings import ROOT, Surroundings  # noqa: E402

from autograder import cli  # noqa: E402

pytestmark = needs("namespaces")
# What the command line, its workers, the fork server and pytest import, before and after they do anything.
SHADOWED = (
    "pickle", "json", "socket", "random", "struct", "selectors", "tempfile", "argparse", "copyreg", "multiprocessing",
    "numpy", "keras", "tensorflow", "IPython", "pytest", "pydantic", "jinja2", "sitecustomize", "usercustomize",
    "conftest", "statement", "designs",
)  # fmt: skip


@pytest.mark.parametrize(
    "program",
    [[str(Path(sys.executable).with_name("autograder"))], [sys.executable, "-m", "autograder"]],
    ids=["autograder", "python -m autograder"],
)
def test_modules_of_a_student_are_not_imported_where_the_verdict_is_made(program):
    with Surroundings() as surroundings:
        for name in SHADOWED:
            trap = f"open({str(surroundings.planted / name)!r}, 'w').write('shadow')\n"
            (surroundings.submitted / f"{name}.py").write_text(trap, encoding="utf-8")
        (surroundings.submitted / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n", encoding="utf-8")
        (surroundings.submitted / "eve.ipynb").write_text(json.dumps(notebook("builders")), encoding="utf-8")
        environment = {"PATH": "/usr/bin:/bin", "AUTOGRADER_CACHE": str(surroundings.cache), "HOME": "/nowhere"}
        done = subprocess.run(
            [*program, "grade", "eve.ipynb", "--course", str(ROOT), "--out", str(surroundings.out)],
            cwd=surroundings.submitted, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert [path.name for path in surroundings.planted.iterdir()] == []
        assert done.returncode == 0, done.stderr
        report = json.loads((surroundings.out / "eve" / "report.json").read_text(encoding="utf-8"))
        assert (report["score"], report["fault"]) == (52.0, None)


def test_a_student_who_hands_in_a_course_does_not_bring_the_checks(tmp_path, monkeypatch):
    own = tmp_path / "submitted" / "eve" / "autoencoders"
    for folder in (tmp_path, own):
        for name in ("source", "tests"):
            (folder / name).mkdir(parents=True)
    monkeypatch.chdir(own / "tests")
    assert cli.course_root(None) == tmp_path
    assert cli.course_root(own) == own
