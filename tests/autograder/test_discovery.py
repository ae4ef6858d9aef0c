"""Which submissions a path holds, and whose they are."""

import os
import stat
import time
import warnings
import zipfile
from pathlib import Path

import pytest

from autograder.submission import archive as zips
from autograder.submission.discovery import Discovery, discover

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
    monkeypatch.setattr(zips, "SIZE_LIMIT", 10_000)
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
    assert result.submissions[1:] == (("ben", tmp_path / "submitted" / "ben" / NAME),), "reading it refuses it"
    linked = find(tmp_path, tmp_path / "linked")
    assert linked.submissions == () and linked.problems[0].endswith("it is a link; name what it points to")


def test_a_link_to_a_file_is_a_submission_so_that_it_is_refused_by_name(tmp_path: Path) -> None:
    make(tmp_path, "class/ada.ipynb")
    (tmp_path / "class" / "ben.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "class" / "cy.ipynb")
    assert list(found(tmp_path, tmp_path / "class")) == ["ada", "ben", "cy"]


def test_nobody_in_an_nbgrader_tree_is_passed_over(tmp_path: Path) -> None:
    root = make(
        tmp_path / "submitted",
        f"ada/{NAME}/{NAME}.ipynb",
        f"ben/{NAME[:-1]}/{NAME}.ipynb",
        f"cy/{NAME.title()}/{NAME}.ipynb",
        f"dee/{NAME}.ipynb",
        "eve.ipynb",
        f"fay/{NAME}/deeper/{NAME}.ipynb",
        f"gus/{NAME}/essay.docx",
        f"hal/{NAME}/{NAME}.zip",
        f"ivy/{NAME}/{NAME}.ipynb.txt",
        "jo/other/other.ipynb",
        "course.py",
    )
    (root / "kai").mkdir()
    (root / "lia" / NAME / f"{NAME}.ipynb").mkdir(parents=True)
    (root / "mo").symlink_to(root / "ada")
    (root / "ned").mkdir()
    (root / "ned" / NAME).symlink_to("nowhere")
    result = find(tmp_path, root)
    assert result.problems == ()
    assert {student: str(file.relative_to(root)) for student, file in result.submissions} == {
        "ada": f"ada/{NAME}/{NAME}.ipynb",
        "ben": f"ben/{NAME[:-1]}/{NAME}.ipynb",
        "cy": f"cy/{NAME.title()}/{NAME}.ipynb",
        "dee": f"dee/{NAME}.ipynb",
        "eve": "eve.ipynb",
        "fay": f"fay/{NAME}/deeper/{NAME}.ipynb",
        "gus": f"gus/{NAME}",
        "hal": f"hal/{NAME}/{NAME}.zip",
        "ivy": f"ivy/{NAME}/{NAME}.ipynb.txt",
        "kai": "kai",
        "lia": f"lia/{NAME}/{NAME}.ipynb",
        "mo": "mo",
        "ned": f"ned/{NAME}",
    }


def test_a_folder_with_nearly_the_assignments_name_and_another_file_is_named(tmp_path: Path) -> None:
    make(tmp_path, f"submitted/ada/{NAME}/{NAME}.ipynb", f"submitted/ben/{NAME[:-1]}/mine.ipynb")
    (problem,) = find(tmp_path, tmp_path / "submitted").problems
    assert f"submitted/ben/{NAME[:-1]} was left out" in problem and "Rename it" in problem


def test_a_tree_in_which_all_folders_are_misnamed_keeps_the_students_apart(tmp_path: Path) -> None:
    make(tmp_path, f"submitted/ada/homework/{NAME}.ipynb", f"submitted/ben/homework/{NAME}.ipynb")
    assert list(found(tmp_path, tmp_path / "submitted")) == ["ada", "ben"]


def test_folders_that_begin_with_the_assignments_name_are_students(tmp_path: Path) -> None:
    make(tmp_path, f"class/2026/{NAME}-ada/{NAME}.ipynb", f"class/2026/{NAME}-ben/{NAME}.ipynb")
    assert list(found(tmp_path, tmp_path / "class")) == [f"{NAME}-ada", f"{NAME}-ben"]


def test_nobody_in_a_flat_folder_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "class/ada.ipynb", "class/ada.py", "class/ben.py", "class/cy.IPYNB", "class/dee.ipynb.txt")
    make(tmp_path, "class/eve.zip", "class/fay.docx", "class/data/notes.txt")
    (tmp_path / "class" / "gus.ipynb").mkdir()
    (tmp_path / "class" / "hal.ipynb").symlink_to("..")
    result = find(tmp_path, tmp_path / "class")
    assert sorted(student for student, _ in result.submissions) == ["ada", "ben", "cy", "dee", "eve", "gus", "hal"]
    assert result.notes == (f"{tmp_path}/class/fay.docx was left out: it is no notebook",)


def test_nobody_with_a_folder_of_her_own_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "class/ada/x.ipynb", "class/ben/essay.docx", "class/cy/work.zip")
    (tmp_path / "class" / "dee").mkdir()
    (tmp_path / "class" / "eve").symlink_to("ada")
    result = find(tmp_path, tmp_path / "class")
    assert sorted(student for student, _ in result.submissions) == ["ada", "ben", "cy", "dee", "eve"]


def test_other_files_beside_the_assignments_own_are_left_out_with_a_note(tmp_path: Path) -> None:
    make(tmp_path, f"ada/{NAME}.ipynb", "ada/scratch.ipynb", "ada/helper.py")
    result = find(tmp_path, tmp_path / "ada")
    assert [student for student, _ in result.submissions] == ["ada"]
    assert [note.partition(" was left out")[0] for note in result.notes] == [
        f"{tmp_path}/ada/helper.py", f"{tmp_path}/ada/scratch.ipynb",
    ]  # fmt: skip


def test_a_whole_course_of_nbgrader_means_its_submitted_folder(tmp_path: Path) -> None:
    make(tmp_path, f"course/source/{NAME}/{NAME}.ipynb", f"course/submitted/ada/{NAME}/{NAME}.ipynb")
    assert list(found(tmp_path, tmp_path / "course")) == ["ada"]


@pytest.mark.parametrize("name", [" ", "\u200b", "\u2800", "\u202e", "\x07"])
def test_a_student_always_has_a_name_that_can_be_seen(tmp_path: Path, name: str) -> None:
    make(tmp_path, f"class/{name}.ipynb")
    assert list(found(tmp_path, tmp_path / "class")) == ["unnamed"]


def test_a_folder_that_can_not_be_entered_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "class/ada.ipynb", "class/closed/ben.ipynb")
    scan = os.scandir

    def refuse(path: str) -> object:
        # The tests may run as root, to whom no folder is closed.
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = find(tmp_path, tmp_path / "class")
    assert [student for student, _ in result.submissions] == ["ada"]
    assert result.problems == (f"{tmp_path}/class/closed can not be read: Permission denied",)


def test_files_of_a_zip_are_called_by_their_place_in_it(tmp_path: Path) -> None:
    make(tmp_path / "in", "class/ada/work.ipynb", "class/ben/work.ipynb")
    result = find(tmp_path, zipped(tmp_path / "in", tmp_path / "class.zip"))
    assert sorted(result.labels.values()) == ["class.zip/class/ada/work.ipynb", "class.zip/class/ben/work.ipynb"]
    empty = find(tmp_path, zipped(make(tmp_path / "none", "notes.txt"), tmp_path / "none.zip"))
    assert empty.problems == (f"none.zip holds no submission of {NAME}",)


def test_what_programs_put_into_zips_is_passed_over(tmp_path: Path) -> None:
    root = make(tmp_path / "in", "class/ada/a.ipynb", "class/ada/._a.ipynb", "__MACOSX/class/ada/._a.ipynb")
    make(root, "class/ada/.ipynb_checkpoints/a-checkpoint.ipynb", "class/.DS_Store", "class/ben/b.ipynb")
    assert list(found(tmp_path, zipped(root, tmp_path / "class.zip"))) == ["ada", "ben"]


def test_an_archive_in_a_zip_and_an_empty_folder_in_it_are_told(tmp_path: Path) -> None:
    root = make(tmp_path / "in", f"submitted/ada/{NAME}/{NAME}.ipynb", "submitted/ben.zip")
    (root / "submitted" / "cy" / NAME).mkdir(parents=True)
    result = find(tmp_path, zipped(root, tmp_path / "class.zip"))
    assert [student for student, _ in result.submissions] == ["ada", "cy"]
    assert result.problems == ("submitted/ben.zip in class.zip is an archive itself: unpack it first",)


def test_an_encrypted_zip_is_said_to_be_encrypted(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as stream:
        stream.writestr("ada.ipynb", "{}")
        stream.infolist()[0].flag_bits |= 1
    assert (
        "ada.ipynb in class.zip can not be read: it is encrypted" in find(tmp_path, tmp_path / "class.zip").problems[0]
    )


def test_a_pipe_named_like_a_zip_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "class.zip")
    assert find(tmp_path, tmp_path / "class.zip").problems == (
        f"{tmp_path}/class.zip can not be read: it is no regular file",
    )


def test_a_class_of_thousands_is_found_in_seconds(tmp_path: Path) -> None:
    for number in range(1_500):
        make(tmp_path, f"submitted/ada-{number}/{NAME}/{NAME}.ipynb", f"submitted/ben-{number}/other/other.ipynb")
    before = time.process_time()
    assert len(find(tmp_path, tmp_path / "submitted").submissions) == 1_500
    assert time.process_time() - before < 20


def test_one_file_given_twice_is_one_submission(tmp_path: Path) -> None:
    make(tmp_path, "ada.ipynb")
    assert len(find(tmp_path, tmp_path / "ada.ipynb", tmp_path / "ada.ipynb").submissions) == 1
