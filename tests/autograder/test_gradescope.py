"""Gradescope: what the package holds, what runs in it, and what a course's rules make of late and repeated work."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime, timedelta

import pytest
from command_line import BLANK, ROOT, autograder, environment
from example_class import example

from autograder.assignment import load
from autograder.errors import AssignmentError, InputError
from autograder.gradescope import package, policy
from autograder.gradescope.policy import Attempts, Late, Policy, applied, metadata, refused
from autograder.report import gradescope
from autograder.report.model import Report

WORDS = ("score", "output", "tests", "extra_data")
NOON = "2026-03-02T12:00:00.000000-08:00"
RESULT = {"score": 80.0, "output": "80 of 100 points.", "tests": [{"name": "1", "score": 80.0}]}
LATE = Policy(late=Late(grace_minutes=15, percent_per_day=10, most_percent=25))
FIVE = Policy(attempts=Attempts(most=2, hours=24))


def told(created=NOON, due=NOON, earlier=()):
    return metadata({"created_at": created, "assignment": {"due_date": due}, "previous_submissions": list(earlier)})


def before(hours, score="50.0", failed=False):
    time = datetime.fromisoformat(NOON) - timedelta(hours=hours)
    return {"submission_time": time.isoformat(), "score": score, "autograder_error": failed}


# What a course's rules make of a result


@pytest.mark.parametrize(
    ("created", "score"),
    [
        ("2026-03-02T11:00:00-08:00", 80.0),
        ("2026-03-02T12:15:00-08:00", 80.0),
        ("2026-03-02T12:16:00-08:00", 72.0),
        ("2026-03-02T20:16:00+00:00", 72.0),
        ("2026-03-03T12:16:00-08:00", 64.0),
        ("2026-03-12T12:00:00-08:00", 60.0),
    ],
)
def test_each_day_late_costs_its_share_after_the_grace_and_never_more_than_the_most(created, score):
    result = applied(LATE, told(created), RESULT)
    assert result["score"] == score
    assert ("late" in result["output"]) == (score < 80)
    assert result["output"].startswith(RESULT["output"]) and result["tests"] == RESULT["tests"]


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"created_at": 5, "assignment": []}, {"created_at": "soon"}, {"created_at": "2026-03-09"}],
)
def test_metadata_that_tell_nothing_cost_nothing(document):
    assert policy.applied(LATE, metadata(document), RESULT) == RESULT
    assert refused(FIVE, metadata(document)) is None


def test_without_rules_a_late_submission_counts_in_full():
    late = told("2026-04-01T00:00:00-08:00", earlier=[before(1)] * 50)
    assert policy.applied(Policy(), late, RESULT) == RESULT
    assert refused(Policy(), late) is None


@pytest.mark.parametrize(
    ("earlier", "graded"),
    [
        ([before(1)], True),
        ([before(1), before(2)], False),
        ([before(1), before(25)], True),
        ([before(1), before(2, failed=True)], True),
    ],
)
def test_one_submission_too_many_is_not_graded_and_keeps_the_points_of_the_last(earlier, graded):
    result = refused(FIVE, told(earlier=earlier))
    assert (result is None) == graded
    if result is not None:
        assert result["score"] == 50.0
        assert "2 within 24 hours" in result["output"] and "2026-03-03 10:00 (UTC-0800)" in result["output"]


def test_a_submission_that_the_platform_stopped_is_explained_in_the_next_result():
    assert (
        "stopped by the platform" in policy.applied(Policy(), told(earlier=[before(1, failed=True)]), RESULT)["output"]
    )
    assert policy.applied(Policy(), told(earlier=[before(2, failed=True), before(1)]), RESULT) == RESULT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[late]\npercent_per_day = 200", "late.percent_per_day"),
        ("[attempts]\nmost = -1", "attempts.most"),
        ("[later]", "later"),
        ("late =", "can not be read"),
    ],
)
def test_rules_that_can_not_be_read_are_told(tmp_path, text, words):
    (tmp_path / policy.FILE).write_text(text)
    with pytest.raises(AssignmentError, match=words):
        policy.load(tmp_path)


def test_the_rules_of_the_manual_are_read(tmp_path):
    manual = policy.__doc__
    lines = [line.strip() for line in manual.splitlines() if line.startswith("    ")]
    (tmp_path / policy.FILE).write_text("\n".join(lines))
    assert policy.load(tmp_path) == Policy(
        late=Late(grace_minutes=10, percent_per_day=10, most_percent=50), attempts=Attempts(most=5, hours=24)
    )


# The package


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    target = tmp_path_factory.mktemp("package") / "package.zip"
    done = autograder("package", "gradescope", "--out", target, cache=target.parent / "cache")
    assert done.returncode == 0, done.stderr
    assert "4 GB of memory" in done.stdout
    return target


def test_the_package_holds_what_grades_and_neither_solutions_nor_submissions(packed):
    with zipfile.ZipFile(packed) as archive:
        names = set(archive.namelist())
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert packed.stat().st_size < package.MOST_BYTES
    assert {"setup.sh", "run_autograder", "package.json", "course/data/mnist.npz", "course/requirements.lock"} <= names
    assert "course/tests/autoencoders/test_data.py" in names and "course/autograder/sandbox/guest/session.py" in names
    forbidden = ("solutions/", "examples/", "tests/autograder", "submitted/", "__pycache__", ".git/")
    assert not [name for name in names for word in forbidden if word in name]
    assert modes["setup.sh"] == modes["run_autograder"] == 0o755


def test_the_same_course_gives_the_same_package(packed, tmp_path):
    package.write(load(ROOT, "autoencoders"), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_a_course_that_is_no_whole_checkout_makes_no_package(tmp_path):
    for folder in ("source", "tests/autoencoders", "data"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    with pytest.raises(InputError, match=r"pyproject\.toml is missing"):
        package.write(load(tmp_path, "autoencoders"), tmp_path / "package.zip")


# What runs in it


def unpacked(package, folder):
    """Unpack a package as the platform does; the environment is this one instead of that of ``setup.sh``."""
    root = folder / "autograder"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(root / "source")
    (root / "submission").mkdir()
    (root / "results").mkdir()
    return root


@pytest.fixture
def platform(packed, tmp_path):
    return unpacked(packed, tmp_path)


def run(root, cache):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "autograder.gradescope.run", "--root", str(root)],
        cwd=root, env=environment(cache), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    file = root / "results" / "results.json"
    return done, json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def test_what_lies_beside_a_notebook_and_empty_metadata_do_no_harm(platform, example_class, tmp_path):
    name = "noor-blank"
    shutil.copy(example(name), platform / "submission")
    (platform / "submission" / "notes.txt").write_text("mine")
    (platform / "submission_metadata.json").write_text("")
    shutil.copytree(example_class.cache, tmp_path / "cache")
    done, result = run(platform, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    report = Report.model_validate_json((example_class.out / name / "report.json").read_bytes())
    expected = json.loads(gradescope.render(report))
    assert {word: result[word] for word in WORDS} == {word: expected[word] for word in WORDS}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "No notebook was handed in: hand in autoencoders.ipynb."),
        (["a.ipynb", "b.ipynb"], "2 notebooks were handed in (a.ipynb, b.ipynb): hand in one"),
        ([".ipynb_checkpoints/a.ipynb"], "No notebook was handed in"),
    ],
)
def test_what_is_no_one_notebook_is_said(platform, tmp_path, files, words):
    for name in files:
        path = platform / "submission" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    done, result = run(platform, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert result["score"] == 0 and words in result["output"]


def test_an_unreadable_notebook_has_a_result_that_says_so(platform, tmp_path):
    (platform / "submission" / "mine.ipynb").write_text("{")
    done, result = run(platform, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert result["score"] == 0 and "JSON" in result["output"]
    assert result["tests"] == []


def test_one_submission_too_many_is_not_run(platform, tmp_path):
    (platform / "source" / "course" / "tests" / "autoencoders" / policy.FILE).write_text("[attempts]\nmost = 1\n")
    shutil.copy(BLANK, platform / "submission")
    document = {"created_at": NOON, "previous_submissions": [before(1, "33.5")]}
    (platform / "submission_metadata.json").write_text(json.dumps(document))
    done, result = run(platform, tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert result["score"] == 33.5 and "was not graded" in result["output"]
    assert not (tmp_path / "cache").exists()


def test_a_fault_of_the_grader_leaves_no_result_behind(platform, tmp_path):
    shutil.copy(BLANK, platform / "submission")
    (platform / "source" / "course" / "data" / "mnist.npz").unlink()
    done, result = run(platform, tmp_path / "cache")
    # Exit code 2 is the student's, but with no report it is ours.
    assert done.returncode == 3 and result is None
    assert "mnist.npz" in done.stderr
