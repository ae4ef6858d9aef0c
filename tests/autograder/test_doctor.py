"""The doctor: what is missing is named with its mend, and nothing else is."""

import json
from importlib import metadata

import pytest
from small_sandbox import ROOT

from autograder import doctor
from autograder.sandbox import isolation
from autograder.sandbox.isolation import BackendReport


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


def test_a_damaged_data_file_is_a_problem(complete, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mnist.npz").write_bytes(b"not the data")
    (tmp_path / "data" / "digests.json").write_text(json.dumps({"mnist.npz": "0" * 64}))
    (finding,) = of(doctor.examine(tmp_path), "data")
    assert (finding.status, finding.text) == ("problem", "mnist.npz is not the file it should be")
    assert "damaged" in finding.mend


def test_a_folder_without_data_is_a_problem(complete, tmp_path):
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
