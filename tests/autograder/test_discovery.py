"""Which submissions a path holds, and whose they are."""

import os
import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from autograder import discovery
from autograder.discovery import Discovery, discover

NAME = "autoencoders"


def make(root: Path, *files: str) -> Path:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return root


def found(tmp_path: Path, *paths: Path) -> dict[str, str]:
    """Whose which file is, with paths below ``tmp_path``; there must be no problem."""
    result = find(tmp_path, *paths)
    assert result.problems == ()
    return {student: str(file.relative_to(tmp_path)) for student, file in result.submissions}


def find(tmp_path: Path, *paths: Path) -> Discovery:
    return discover(paths, NAME, tmp_path / "scratch")


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as stream:
        for file in sorted(folder.rglob("*")):
            stream.write(file, file.relative_to(folder))
    return archive


def test_a_file_belongs_to_its_own_name(tmp_path: Path) -> None:
    make(tmp_path, "ada.ipynb", "ben.py")
    assert found(tmp_path, tmp_path / "ada.ipynb", tmp_path / "ben.py") == {"ada": "ada.ipynb", "ben": "ben.py"}


def test_a_file_with_the_assignments_name_belongs_to_the_folder_around_it(tmp_path: Path) -> None:
    make(tmp_path, f"ada/{NAME}.ipynb", f"submitted/ben/{NAME}/{NAME}.ipynb")
    assert list(found(tmp_path, tmp_path / f"ada/{NAME}.ipynb")) == ["ada"]
    assert list(found(tmp_path, tmp_path / f"submitted/ben/{NAME}/{NAME}.ipynb")) == ["ben"]


def test_a_file_in_the_current_folder_belongs_to_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make(tmp_path, f"{NAME}.ipynb"))
    assert discover([Path(f"{NAME}.ipynb")], NAME, tmp_path).submissions == ((NAME, Path(f"{NAME}.ipynb")),)


def test_a_flat_folder_holds_a_file_a_student(tmp_path: Path) -> None:
    make(tmp_path, "class/ada.ipynb", "class/ben.ipynb", "class/.hidden.ipynb", "class/notes.txt")
    assert list(found(tmp_path, tmp_path / "class")) == ["ada", "ben"]


def test_an_nbgrader_tree_holds_a_folder_a_student(tmp_path: Path) -> None:
    make(
        tmp_path,
        f"submitted/ada/{NAME}/{NAME}.ipynb",
        f"submitted/ada/{NAME}/.ipynb_checkpoints/{NAME}-checkpoint.ipynb",
        "submitted/ada/other/other.ipynb",
        f"submitted/ben/{NAME}/{NAME}.py",
        f"submitted/cy/{NAME}/{NAME}.ipynb",
        f"submitted/cy/{NAME}/helper.py",
        "submitted/dee/other/other.ipynb",
    )
    expected = {
        "ada": f"submitted/ada/{NAME}/{NAME}.ipynb",
        "ben": f"submitted/ben/{NAME}/{NAME}.py",
        "cy": f"submitted/cy/{NAME}/{NAME}.ipynb",
    }
    assert found(tmp_path, tmp_path / "submitted") == expected
    assert list(found(tmp_path, tmp_path / "submitted" / "ada")) == ["ada"]
    assert list(found(tmp_path, tmp_path / "submitted" / "ada" / NAME)) == ["ada"]


def test_another_file_name_in_an_nbgrader_tree_is_taken_all_the_same(tmp_path: Path) -> None:
    make(tmp_path, f"submitted/ada/{NAME}/my final version.ipynb")
    assert list(found(tmp_path, tmp_path / "submitted")) == ["ada"]


def test_a_folder_a_student_without_the_assignments_folder(tmp_path: Path) -> None:
    make(tmp_path, f"class/Ada L_123_file/{NAME}.ipynb", "class/Ben/homework.ipynb", "class/Ben/utils.py")
    assert list(found(tmp_path, tmp_path / "class")) == ["Ada L_123_file", "Ben"]


def test_two_notebooks_in_one_folder_are_two_submissions(tmp_path: Path) -> None:
    make(tmp_path, "class/ada/first.ipynb", "class/ada/second.ipynb")
    assert list(found(tmp_path, tmp_path / "class")) == ["ada first", "ada second"]


@pytest.mark.parametrize("wrapper", ["", "submitted/", "class/2026/"])
def test_a_zip_is_as_the_folder_in_it(tmp_path: Path, wrapper: str) -> None:
    make(tmp_path / "in", f"{wrapper}ada/{NAME}/{NAME}.ipynb", f"{wrapper}ben/{NAME}/{NAME}.py")
    assert list(found(tmp_path, zipped(tmp_path / "in", tmp_path / "class.zip"))) == ["ada", "ben"]


def test_a_flat_zip_and_a_zip_of_one_file(tmp_path: Path) -> None:
    make(tmp_path / "flat", "ada.ipynb", "ben.ipynb")
    make(tmp_path / "one", f"{NAME}.ipynb")
    make(tmp_path / "student", f"cy/{NAME}.ipynb")
    assert list(found(tmp_path, zipped(tmp_path / "flat", tmp_path / "class.zip"))) == ["ada", "ben"]
    archives = [zipped(tmp_path / "one", tmp_path / "dee.zip"), zipped(tmp_path / "student", tmp_path / "x.zip")]
    assert list(found(tmp_path, *archives)) == ["dee", "cy"]


def test_a_zip_writes_nowhere_else(tmp_path: Path) -> None:
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as stream:
        stream.writestr("ada.ipynb", "{}")
        stream.writestr("../outside.ipynb", "{}")
        stream.writestr("a/../../outside.ipynb", "{}")
        stream.writestr("..\\outside.ipynb", "{}")
        stream.writestr(str(tmp_path / "absolute.ipynb"), "{}")
        link = zipfile.ZipInfo("link.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        stream.writestr(link, "/etc/passwd")
        stream.writestr("run.sh", "#!/bin/sh")
    result = find(tmp_path, archive)
    assert [student for student, _ in result.submissions] == ["ada"]
    assert len(result.problems) == 5 and "link.ipynb in evil.zip" in result.problems[-1]
    assert not list(tmp_path.rglob("outside*")) and not (tmp_path / "absolute.ipynb").exists()
    assert not any(path.is_symlink() or path.suffix == ".sh" for path in (tmp_path / "scratch").rglob("*"))


def test_a_zip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "ZIP_SIZE_LIMIT", 10_000)
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as stream:
        for number in range(5):
            stream.writestr(f"{number}.ipynb", b"0" * 5_000)
    result = find(tmp_path, archive)
    assert result.submissions == () and "unpacks to more than" in result.problems[0]


def test_a_damaged_encrypted_or_doubled_member_hinders_no_other(tmp_path: Path) -> None:
    archive = tmp_path / "class.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as stream:
        warnings.simplefilter("ignore")
        for name in ("ada", "ben", "cy", "cy"):
            stream.writestr(f"{name}.ipynb", name * 100)
        encrypted = stream.infolist()[0]
        damaged = stream.infolist()[1].header_offset + 40
        encrypted.flag_bits |= 1
    content = bytearray(archive.read_bytes())
    content[damaged : damaged + 8] = b"\xff" * 8
    archive.write_bytes(content)
    result = find(tmp_path, archive)
    assert [student for student, _ in result.submissions] == ["cy"]
    assert [problem.split(" ")[0] for problem in result.problems] == ["ada.ipynb", "ben.ipynb", "cy.ipynb"]


def test_what_can_not_be_read_is_named_and_the_rest_is_found(tmp_path: Path) -> None:
    make(tmp_path, "ada.ipynb", "notes.txt", "empty/notes.txt", "bad.zip")
    paths = [tmp_path / name for name in ("ada.ipynb", "notes.txt", "missing.ipynb", "empty", "bad.zip")]
    result = find(tmp_path, *paths)
    assert [student for student, _ in result.submissions] == ["ada"]
    for problem, words in zip(
        result.problems, ["no notebook", "No such file", "holds no submission", "zip"], strict=True
    ):
        assert words in problem


def test_links_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/secret.ipynb", f"submitted/ada/{NAME}/{NAME}.ipynb")
    (tmp_path / "submitted" / "ben").mkdir()
    (tmp_path / "submitted" / "ben" / NAME).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "linked").symlink_to(tmp_path / "elsewhere")
    result = find(tmp_path, tmp_path / "submitted")
    assert [student for student, _ in result.submissions] == ["ada"]
    assert result.problems == (f"{tmp_path}/submitted/ben/{NAME} holds no notebook",)
    assert find(tmp_path, tmp_path / "linked").submissions == ()


def test_a_link_to_a_file_is_a_submission_so_that_it_is_refused_by_name(tmp_path: Path) -> None:
    make(tmp_path, "class/ada.ipynb")
    (tmp_path / "class" / "ben.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "class" / "cy.ipynb")
    assert list(found(tmp_path, tmp_path / "class")) == ["ada", "ben", "cy"]


def test_one_file_given_twice_is_one_submission(tmp_path: Path) -> None:
    make(tmp_path, "ada.ipynb")
    assert len(find(tmp_path, tmp_path / "ada.ipynb", tmp_path / "ada.ipynb").submissions) == 1
