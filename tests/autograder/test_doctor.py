"""The doctor: what is missing is named with its mend, and nothing else is."""

import json
import os
from importlib import metadata

import pytest
from small_sandbox import ROOT

from autograder import doctor
from autograder.sandbox import cgroups, isolation
from autograder.sandbox.isolation import BackendReport
from autograder.sandbox.limits import Limits


@pytest.fixture
def complete(monkeypatch):
    monkeypatch.setattr(isolation, "probe", lambda name: BackendReport(name, True, uncovered=(f"a part of {name}",)))


def of(findings, topic):
    return [finding for finding in findings if finding.topic == topic]


def test_this_machine_can_grade(complete):
    findings = doctor.examine(ROOT)
    assert doctor.can_grade(findings), doctor.render(findings)
    assert {finding.topic for finding in findings} == {"isolation", "python", "packages", "data", "limits"}
    assert "This machine can grade." in doctor.render(findings)


def test_without_a_complete_backend_it_can_not_grade_and_the_mend_is_shown(monkeypatch):
    mends = {"namespaces": "do this", "landlock": "or that"}
    monkeypatch.setattr(isolation, "probe", lambda name: BackendReport(name, False, (mends[name],)))
    findings = doctor.examine(ROOT)
    assert not doctor.can_grade(findings)
    text = doctor.render(findings)
    assert "do this" in text
    assert "or that" in text
    assert "This machine can not grade yet." in text


def test_what_a_backend_leaves_to_others_is_told(complete):
    assert "left to others: a part of landlock" in doctor.render(doctor.examine(ROOT))


def test_one_complete_backend_is_enough(monkeypatch):
    monkeypatch.setattr(isolation, "probe", lambda name: BackendReport(name, name == "namespaces", ("or that",)))
    assert [finding.status for finding in of(doctor.examine(ROOT), "isolation")] == ["ok", "warning", "ok"]


def limit_rows(root):
    """Return the doctor's row on each limit, by name, and all that it says on limits."""
    findings = of(doctor.examine(root), "limits")
    names = {bound.name for bound in Limits.bounds()}
    rows: dict[str, str] = {}
    for line in (line for finding in findings for line in finding.details):
        if line.split()[0] in names:
            rows.setdefault(line.split()[0], line)
    return rows, findings


def test_every_limit_is_shown_with_its_value_and_what_enforces_it(complete):
    rows, findings = limit_rows(ROOT)
    assert list(rows) == [bound.name for bound in Limits.bounds()]
    assert (
        rows["cell_cpu_seconds"].split("  ")[-1].strip() == "watch" and " 60 CPU seconds " in rows["cell_cpu_seconds"]
    )
    assert " 4 GiB " in rows["memory_bytes"] and "resource limit" in rows["memory_bytes"]
    assert not any("*" in row or "nothing here" in row for row in rows.values())
    shown = doctor.render(findings)
    assert all(row in shown for row in rows.values()) and max(map(len, shown.splitlines())) <= 160
    for words in ("layers of a model  ", "with --training full: cell_cpu_seconds 21,600 CPU seconds"):
        assert words in shown


@pytest.mark.parametrize(
    ("backend", "controllers", "row", "by"),
    [
        ("namespaces", ("memory", "pids"), "memory_bytes", "watch, resource limit, cgroup"),
        ("namespaces", ("pids",), "memory_bytes", "watch, resource limit"),
        ("namespaces", ("pids",), "tasks", "watch, resource limit, cgroup"),
        ("namespaces", (), "tasks", "watch, resource limit"),
        ("landlock", (), "tasks", "watch, resource limit" if os.getuid() == 0 else "watch"),
        ("none", (), "tasks", "watch"),
        ("namespaces", (), "scratch_bytes", "mount"),
        ("landlock", (), "scratch_files", "watch"),
        ("none", (), "scratch_bytes", "watch"),
    ],
)
def test_only_what_is_there_is_said_to_enforce_a_limit(monkeypatch, backend, controllers, row, by):
    monkeypatch.setattr(isolation, "probe", lambda name: BackendReport(name, name == backend))
    ground = cgroups.Ground(
        2 if controllers else 0, dict.fromkeys(controllers, ROOT), "" if controllers else "no ground"
    )
    monkeypatch.setattr(cgroups, "find", lambda: ground)
    rows, findings = limit_rows(ROOT)
    assert rows[row].endswith(f"  {by}")
    assert ("not here, no ground" in doctor.render(findings)) == (not controllers)


def test_limits_that_a_course_has_set_are_marked_and_those_that_can_not_be_used_are_a_problem(complete, tmp_path):
    for folder in ("source/small", "tests/small"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "source/small/small.ipynb").write_text("{}")
    (tmp_path / "tests/small/limits.toml").write_text("[limits]\nmodels = 3")
    rows = limit_rows(tmp_path)[0]
    assert [name for name, row in rows.items() if "*" in row] == ["models"] and " 3 * " in rows["models"]
    (tmp_path / "tests/small/limits.toml").write_text("[limits]\nmodel = 3")
    (problem,) = [finding for finding in limit_rows(tmp_path)[1] if finding.status == "problem"]
    assert "small: its limits can not be used" in problem.text and "Did you mean models?" in problem.mend


@pytest.mark.parametrize(("gibibytes", "status", "words"), [
    (None, "ok", "--jobs"), (9, "ok", " 9.0 GiB of memory: --jobs"), (3, "warning", " 3.0 GiB of memory"),
])  # fmt: skip
def test_a_container_with_less_memory_than_a_submission_may_use_is_a_warning(
    complete, monkeypatch, gibibytes, status, words
):
    monkeypatch.setattr(cgroups, "memory_limit", lambda: gibibytes and gibibytes * 2**30)
    (machine,) = [one for one in of(doctor.examine(ROOT), "limits") if one.text.startswith("this machine:")]
    assert machine.status == status and words in machine.text


def test_the_page_on_limits_holds_the_table_of_all():
    assert doctor.markdown_table() in (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")


def test_a_damaged_data_file_is_a_problem(complete, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mnist.npz").write_bytes(b"not the data")
    (tmp_path / "data" / "digests.json").write_text(json.dumps({"mnist.npz": "0" * 64}))
    (finding,) = of(doctor.examine(tmp_path), "data")
    assert (finding.status, finding.text) == ("problem", "mnist.npz is not the file it should be")
    assert "damaged" in finding.mend


def test_a_course_may_have_no_data_at_all_and_is_warned(complete, tmp_path):
    findings = doctor.examine(tmp_path)
    (finding,) = of(findings, "data")
    assert finding.status == "warning" and "git checkout" in finding.mend
    assert doctor.can_grade(findings)


def test_a_data_folder_without_digests_is_a_problem(complete, tmp_path):
    (tmp_path / "data").mkdir()
    (finding,) = of(doctor.examine(tmp_path), "data")
    assert finding.status == "problem"


@pytest.mark.parametrize(
    ("name", "version", "status"),
    [
        ("keras", "2.15.0", "problem"),
        ("keras", None, "problem"),
        ("pandas", "2.0", "warning"),
        ("pandas", None, "warning"),
    ],
)
def test_a_missing_or_old_package_is_named(complete, monkeypatch, name, version, status):
    original = metadata.version

    def installed(asked):
        if asked != name:
            return original(asked)
        if version is None:
            raise metadata.PackageNotFoundError(asked)
        return version

    monkeypatch.setattr(metadata, "version", installed)
    (finding,) = [f for f in of(doctor.examine(ROOT), "packages") if f.text.split()[0] == name]
    assert finding.status == status
    assert finding.mend.startswith("pip install")
