"""Reports on disk."""

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import report_samples as samples

from autograder.errors import InputError
from autograder.report.files import read_report, write_report, write_text
from autograder.report.formats import FORMATS, parse_formats


def test_a_report_is_written_in_the_formats_and_read_back(tmp_path: Path) -> None:
    report = samples.report()
    write_report(tmp_path / "ada", report, ("html", "json"))
    assert sorted(file.name for file in (tmp_path / "ada").iterdir()) == ["index.html", "report.json"]
    assert read_report(tmp_path / "ada") == report


def test_the_json_report_is_written_whatever_the_formats(tmp_path: Path) -> None:
    write_report(tmp_path, samples.report(), ("html",))
    assert read_report(tmp_path) == samples.report()


def test_a_half_written_report_is_no_report(tmp_path: Path) -> None:
    write_report(tmp_path, samples.report(), ("json",))
    whole = (tmp_path / "report.json").read_bytes()
    for content in (whole[:-20], b"", b"[]", b"\xff\xfe", b"[" * 100_000):
        (tmp_path / "report.json").write_bytes(content)
        assert read_report(tmp_path) is None
    assert read_report(tmp_path / "nowhere") is None


def test_a_pipe_in_the_place_of_a_report_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "report.json")
    assert read_report(tmp_path) is None
    write_report(tmp_path, samples.report(), ("json",))
    assert read_report(tmp_path) == samples.report()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "summary.json"
    write_text(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(file, "new \ud800")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_can_not_be_written_is_the_callers_mistake_and_the_mend_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"can not write .*/file is no folder; choose another one with --out$"):
        write_text(tmp_path / "file" / "ada" / "report.json", "{}")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"can not write .*/folder: it is a folder; move it away"):
        write_text(tmp_path / "folder", "{}")


def test_a_folder_that_can_not_be_looked_into_is_told_with_what_to_do(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    attempt = """
import os, sys
from pathlib import Path
from autograder.errors import InputError
from autograder.report.files import sweep, write_text
if os.geteuid() == 0:
    os.setgid(54321)
    os.setuid(54321)
else:
    os.chmod(sys.argv[1], 0)
out = Path(sys.argv[1]) / "below" / "graded"
sweep(out)
try:
    write_text(out / "summary.json", "{}")
except InputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", attempt, str(closed)], capture_output=True, text=True, check=False)
    closed.chmod(0o700)
    assert done.stdout.endswith("Permission denied; choose another folder with --out\n"), done.stderr


def test_a_full_disk_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"No space left on device; free some space, then run the same command again"):
        write_text(tmp_path / "report.json", "{}")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    file = full / "report.json"
    file.write_text("old")
    limit = 4 * 1024
    with pytest.raises(InputError, match="can not write"), file_size_limit(limit):
        write_text(file, "x" * (limit + 1))
    assert file.read_text() == "old"
    assert list(full.iterdir()) == [file]


class file_size_limit:
    """A bound on what this process writes into one file, as a full disk would be."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        self.handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.limits[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.limits)
        signal.signal(signal.SIGXFSZ, self.handler)


def test_a_format_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"no format 'gif'.*json, html"):
        parse_formats("json,gif")
    with pytest.raises(InputError, match="no format was named"):
        parse_formats(" , ")
    assert parse_formats("html, json,html") == ("html", "json")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_renders_every_report(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in samples.CLASSROOM50.items():
        monkeypatch.setenv(variable, value)
    for report in (samples.report(), samples.ungradable(), samples.grader_fault(), samples.hostile()):
        FORMATS[name].render(report).encode("utf-8")
