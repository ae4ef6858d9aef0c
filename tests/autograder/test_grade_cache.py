"""A report from the cache is one of the file at hand: equal code, but its own name, place and notes."""

from __future__ import annotations

import shutil
from pathlib import Path

from command_line import BLANK, autograder

from autograder.report.files import read_report


def test_a_report_from_the_cache_has_the_notes_of_its_own_file(tmp_path: Path) -> None:
    submitted = tmp_path / "submitted"
    submitted.mkdir()
    shutil.copy(BLANK, submitted / "clean.ipynb")
    with_mark = b"\xef\xbb\xbf" + BLANK.read_bytes()
    odd = with_mark.replace(b'"language": "python"', b'"language": "R"', 1).replace(b'"name": "python"', b'"name": "R"')
    (submitted / "odd.ipynb").write_bytes(odd)
    for names in (["odd"], ["clean"]):
        files = [submitted / f"{name}.ipynb" for name in names]
        assert autograder("grade", *files, "--out", tmp_path / "out", cache=tmp_path / "cache").returncode == 0
    first, second = (read_report(tmp_path / "out" / name) for name in ("odd", "clean"))
    assert first is not None and second is not None
    assert second.execution.from_cache and not first.execution.from_cache
    assert set(first.notes) - set(second.notes) == {first.notes[0]} and "R, not for Python" in first.notes[0]
