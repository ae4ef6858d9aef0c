"""What happens to foreign text before anybody sees it."""

import json
import re

import pytest
from hostile_text import ANY_TEXT, TEXTS, assert_inert
from hypothesis import given
from hypothesis import strategies as st

from autograder.report import text


@given(TEXTS)
def test_cleaned_text_holds_nothing_that_acts(value: str) -> None:
    cleaned = text.clean(value)
    assert_inert(cleaned)
    assert json.loads(json.dumps(cleaned, ensure_ascii=False).encode("utf-8")) == cleaned


@given(TEXTS)
def test_cleaning_twice_changes_nothing_more(value: str) -> None:
    assert text.clean(text.clean(value)) == text.clean(value)
    assert text.one_line(text.one_line(value)) == text.one_line(value)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_ordinary_text_in_any_script_is_left_alone(value: str) -> None:
    assert text.clean(value) == value


@given(ANY_TEXT, st.integers(1, 200))
def test_one_line_is_one_line_of_bounded_length(value: str, limit: int) -> None:
    line = text.one_line(value, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07shown", "shown"),
        ("\x1b]8;;http://example.org\x1b\\a link\x1b]8;;\x1b\\", "a link"),
        ("\x9b2Jgone", "gone"),
        ("\x1bcreset", "reset"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("exe.\u202egnp", "exe.gnp"),
        ("a\ud800b", "a�b"),
        ("nul\x00bell\x07", "nul�bell�"),
    ],
)
def test_terminal_sequences_and_controls_are_removed(value: str, expected: str) -> None:
    assert text.clean(value) == expected


def test_a_huge_message_is_cut_and_says_by_how_much() -> None:
    cleaned = text.clean("x" * 10_000_000)
    assert len(cleaned) <= text.TEXT_LIMIT
    kept, dropped = re.fullmatch(r"(x+)… \((\d+) more characters\)", cleaned).groups()
    assert len(kept) + int(dropped) == 10_000_000


@given(TEXTS)
def test_no_csv_cell_is_a_formula(value: str) -> None:
    cell = text.csv_cell(value)
    assert isinstance(cell, str)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", " "))


@pytest.mark.parametrize(
    "value",
    ["=1", "+1", "-1", "@A", "\t=1", "\r=1", " =1", "\xa0=1", '"=1', "'=1", "`=1", "\u200b=1", "\u00ad=1", "＝1",
     "＋1", "－1", "＠A", "﹦1", "﹢1", "﹣1", "﹫A", "\u22121", "\n=1"],
)  # fmt: skip
def test_every_form_of_a_formula_gets_an_apostrophe(value: str) -> None:
    assert text.csv_cell(value) == "'" + text.one_line(value)
    assert text.csv_cell(f"ada;{value}") == "ada;'" + text.one_line(f"ada;{value}").removeprefix("ada;")


def test_numbers_stay_numbers_in_csv_cells() -> None:
    assert text.csv_cell(-1.5) == -1.5
    assert text.csv_cell("-1.5") == "'-1.5"


@given(TEXTS)
def test_a_folder_name_is_one_plain_part_of_a_path(student: str) -> None:
    folder = text.folder_name(student)
    assert folder not in ("", ".", "..")
    assert not set(folder) & set('/\\:*?"<>|\0\n')
    assert folder == folder.strip(" .") and len(folder.encode()) <= 4 * text.NAME_LIMIT + 9
    assert folder.casefold() not in ("index.html", "summary.json", "scores.csv", "grader.log")
    folder.encode()


@given(ANY_TEXT, ANY_TEXT)
def test_different_students_have_different_folders(first: str, second: str) -> None:
    if first != second:
        assert text.folder_name(first) != text.folder_name(second)


@pytest.mark.parametrize("name", ["ada", "Ada Lovelace", "José-María", "山田 太郎", "a.b_c+d@e (2)"])
def test_a_plain_name_is_its_own_folder(name: str) -> None:
    assert text.folder_name(name) == name


@pytest.mark.parametrize(
    "name", ["..", "../../etc/passwd", "CON", "nul.txt", "index.html", "Summary.JSON", "", "-", "-rf"]
)
def test_a_name_that_would_do_harm_is_not_the_folder(name: str) -> None:
    folder = text.folder_name(name)
    assert folder != name
    assert not folder.startswith("-"), "whoever works on the folders with a shell would pass an option"
    assert "/" not in folder


@given(ANY_TEXT, st.integers(2, 60))
def test_a_fitted_cell_takes_exactly_its_columns(value: str, columns: int) -> None:
    assert text.width(text.fit(value, columns)) == columns


@pytest.mark.parametrize(
    ("value", "expected"),
    [(15.0, "15"), (7.5, "7.5"), (0.0, "0"), (33.333, "33.33"), (1_000_000.0, "1000000")],
)
def test_points_are_written_as_people_write_them(value: float, expected: str) -> None:
    assert text.points(value) == expected
