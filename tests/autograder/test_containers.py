"""A class is graded alike where namespaces are forbidden, as root of a container and as an ordinary user."""

import json
import os
import sys
import tempfile
from pathlib import Path

import pytest
from command_line import ROOT, autograder
from small_sandbox import HERE, needs

pytestmark = needs("landlock")
DOCKER = (sys.executable, str(HERE / "docker_filter.py"))
ORDINARY_USER = (sys.executable, str(HERE / "as_ordinary_user.py"))
SUBMISSIONS = ("ada-reference", "omar-patches-everything", "mona-dead-kernel")


def graded(folder: Path, *options: str, through: tuple[str, ...] = ()) -> dict[str, dict]:
    """Grade some of the examples and return the reports, without what differs from run to run."""
    folder.chmod(0o777)
    paths = [ROOT / "examples" / "submitted" / name for name in SUBMISSIONS]
    arguments = ("grade", *paths, "--out", folder / "out", *options)
    result = autograder(*arguments, cache=folder / "cache", through=through)
    assert result.returncode == 0, result.stderr
    reports = {}
    for path in (folder / "out").glob("*/report.json"):
        report = json.loads(path.read_text(encoding="utf-8"))
        reports[report["student"]] = report
        for name in ("cpu_seconds", "wall_seconds", "peak_memory_bytes", "key", "finished"):
            del report["execution"][name]
        for cell in report["cells"]:
            del cell["cpu_seconds"]
    assert sorted(reports) == sorted(SUBMISSIONS)
    return reports


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    reports = graded(tmp_path_factory.mktemp("usual"))
    assert reports["ada-reference"]["score"] == 91.0
    return reports


SURROUNDINGS = {"root of a container": DOCKER}
if os.getuid() == 0:
    SURROUNDINGS["ordinary user"] = (*ORDINARY_USER, *DOCKER[1:])


@pytest.mark.parametrize("surrounding", SURROUNDINGS)
def test_reports_are_equal_but_for_the_name_of_the_backend(usual, surrounding):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        reports = graded(Path(folder), through=SURROUNDINGS[surrounding])
    for report in reports.values():
        assert report["execution"].pop("isolation") == "landlock"
    assert reports == {
        student: report | {"execution": {k: v for k, v in report["execution"].items() if k != "isolation"}}
        for student, report in usual.items()
    }
