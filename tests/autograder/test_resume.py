"""Batches that are disturbed: what is killed or finds no room, and that the results are those of an undisturbed one."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import BLANK, autograder, descendants, start, wait_until, workers

from autograder.scratch import PREFIX, scratch_folder

SLOW = "mia"
CLASS = {
    "ada": "import numpy as np\nX_train = np.zeros((60000, 28, 28, 1))\n",
    "ben": "1 / 0\n",
    SLOW: "import time\ntime.sleep(3)\nprint('awake')\n",
    "zoe": "print('the last one')\n",
}
JOBS = ("--jobs", 1, "--format", "json")
SERVER = "autograder.sandbox.forkserver"


def write_class(folder: Path, students: dict[str, str] = CLASS) -> Path:
    """The blank notebook, with one cell filled in: it is graded within a second."""
    for name, code in students.items():
        document = json.loads(BLANK.read_text(encoding="utf-8"))
        for cell in document["cells"]:
            cell.pop("attachments", None)
            if cell["metadata"].get("nbgrader", {}).get("grade_id") == "load-data-answer":
                cell["source"] = code
        path = folder / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Undisturbed:
    """A class, and the reports of a batch that nothing has disturbed."""

    submitted: Path
    reports: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    submitted = write_class(folder / "submitted")
    done = autograder("grade", submitted, "--out", folder / "out", *JOBS, cache=folder / "cache")
    assert done.returncode == 0, done.stderr
    return Undisturbed(submitted, essence(folder / "out"))


def essence(out: Path) -> dict[str, dict[str, Any]]:
    """The reports of a batch without what differs from run to run."""
    reports = {}
    for path in sorted(out.glob("*/report.json")):
        report = json.loads(path.read_bytes())
        kept = ("isolation", "training", "salvaged", "key")
        report["execution"] = {name: report["execution"][name] for name in kept}
        for cell in report["cells"]:
            del cell["cpu_seconds"]
        reports[path.parent.name] = report
    return reports


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of its own for the commands of a test."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@dataclass
class Batch:
    """A batch that runs; ``errors`` is what it has said when it is over, ``code`` how it ended."""

    process: subprocess.Popen[str]
    errors: str = ""
    code: int | None = None


@contextmanager
def in_the_midst(submitted: Path, out: Path, temporary: Path) -> Iterator[Batch]:
    """A batch that has graded two submissions and is in the midst of the third; afterwards no process of it is left."""
    errors = out.parent / "errors"
    process = start("grade", submitted, "--out", out, *JOBS, cache=out.parent / "cache", errors=errors)
    batch = Batch(process)
    seen: dict[int, str] = {}
    try:
        wait_until(lambda: "[2/4]" in errors.read_text() and len(servers(process.pid)) >= 4)
        seen = descendants(process.pid)
        yield batch
        process.communicate(timeout=240)
        wait_until(lambda: not [pid for pid in seen if is_running(pid)], 30)
    finally:
        batch.errors, batch.code = errors.read_text(), process.poll()
        for pid in (process.pid, *(pid for pid in seen if is_running(pid))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def servers(pid: int) -> list[int]:
    """Fork servers below a process and all that they have forked, which keep the command line: the servers first."""
    return sorted(child for child, command in descendants(pid).items() if SERVER in command)


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


VICTIMS: dict[str, Callable[[int], int]] = {
    "the worker": lambda batch: workers(batch)[0],
    "the fork server": lambda batch: servers(batch)[0],
    "the monitor of a child": lambda batch: servers(batch)[1],
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_batch_of_which_a_part_is_killed_goes_on_as_if_nothing_were(
    victim: str, undisturbed: Undisturbed, tmp_path: Path, temporary: Path
) -> None:
    with in_the_midst(undisturbed.submitted, tmp_path / "out", temporary) as batch:
        os.kill(VICTIMS[victim](batch.process.pid), signal.SIGKILL)
    assert batch.code == 0, batch.errors
    assert ("tried once more" in batch.errors) == (victim == "the worker")
    assert essence(tmp_path / "out") == undisturbed.reports
    assert list(temporary.iterdir()) == []


def test_a_batch_that_is_killed_resumes_and_grades_nothing_twice(
    undisturbed: Undisturbed, tmp_path: Path, temporary: Path
) -> None:
    out = tmp_path / "out"
    with in_the_midst(undisturbed.submitted, out, temporary) as batch:
        batch.process.kill()
    assert batch.code == -signal.SIGKILL
    assert sorted(essence(out)) == ["ada", "ben"]
    (out / "ada" / ".report.json-left.part").write_text("{")
    again = autograder("grade", undisturbed.submitted, "--out", out, *JOBS, cache=tmp_path / "cache")
    assert again.returncode == 0, again.stderr
    assert essence(out) == undisturbed.reports
    summary = json.loads((out / "summary.json").read_bytes())
    assert {row["student"]: row["kept"] for row in summary["students"]} == {
        "ada": True, "ben": True, SLOW: False, "zoe": False,
    }  # fmt: skip
    assert not [path for path in out.rglob("*") if path.name.endswith(".part")]
    assert list(temporary.iterdir()) == []


def test_a_submission_that_no_sandbox_survives_is_our_fault_and_the_others_are_graded(
    undisturbed: Undisturbed, tmp_path: Path, temporary: Path
) -> None:
    out = tmp_path / "out"
    with in_the_midst(undisturbed.submitted, out, temporary) as batch:
        killed = 0
        while batch.process.poll() is None and not (out / SLOW / "report.json").exists():
            # A server with a child of its own is at work on the slow one.
            for server in servers(batch.process.pid):
                if any(parent == server for parent in map(parent_of, servers(batch.process.pid))):
                    os.kill(server, signal.SIGKILL)
                    killed += 1
            time.sleep(0.05)
    assert batch.code == 3, batch.errors
    assert killed >= 4, "twice in each of two workers"
    report = essence(out)[SLOW]
    assert report["fault"]["whose"] == "grader" and report["status"] == "needs_review"
    assert (report["score"], report["awaiting_review"]) == (0.0, 100.0)
    assert {name: one for name, one in essence(out).items() if name != SLOW} == {
        name: one for name, one in undisturbed.reports.items() if name != SLOW
    }


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


# Temporary folders


def test_the_scratch_folder_of_a_killed_process_is_removed_by_the_next_and_one_in_use_is_not(temporary: Path) -> None:
    tempfile.tempdir = None
    try:
        (temporary / f"{PREFIX}abandoned").mkdir()
        (temporary / f"{PREFIX}abandoned" / "ada.ipynb").write_text("{}")
        with scratch_folder() as first, scratch_folder() as second:
            assert sorted(temporary.iterdir()) == sorted((first, second))
        assert list(temporary.iterdir()) == []
    finally:
        tempfile.tempdir = None


# Disks


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A disk of so many bytes at a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode:
        assert not os.environ.get("CI"), made.stderr
        pytest.skip(f"no disk can be mounted here: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Fill a disk to its last byte; return the file that does."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as stream:
        for size in (65536, 4096, 1):
            try:
                while True:
                    stream.write(b"x" * size)
            except OSError:
                continue
    return path


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts disks")
def test_a_full_disk_ends_a_batch_with_what_to_do_and_what_was_graded_stays(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    out = tmp_path / "disk" / "out"
    first, others = undisturbed.submitted / "ada.ipynb", [undisturbed.submitted / f"{n}.ipynb" for n in ("ben", "zoe")]
    with small_disk(tmp_path / "disk", 2 * 2**20):
        assert autograder("grade", first, "--out", out, *JOBS, cache=tmp_path / "cache").returncode == 0
        before = (out / "ada" / "report.json").read_bytes()
        filler = fill(out.parent)
        full = autograder("grade", first, *others, "--out", out, *JOBS, cache=tmp_path / "cache")
        assert full.returncode == 2, full.stderr
        assert f"can not write {out}" in full.stderr and "Traceback" not in full.stderr
        assert "No space left on device; free some space, then run the same command again to go on" in full.stderr
        assert (out / "ada" / "report.json").read_bytes() == before
        assert not list(out.rglob("*.part"))
        # Room for some more words, but not for a report.
        os.truncate(filler, filler.stat().st_size - 4 * 4096)
        full = autograder("grade", first, *others, "--out", out, *JOBS, cache=tmp_path / "cache")
        assert full.returncode == 2 and f"can not write {out}" in full.stderr, full.stderr
        for path in out.rglob("*.json"):
            json.loads(path.read_bytes())
        filler.unlink()
        again = autograder("grade", first, *others, "--out", out, *JOBS, cache=tmp_path / "cache")
        assert again.returncode == 0, again.stderr
        assert essence(out) == {name: undisturbed.reports[name] for name in ("ada", "ben", "zoe")}
        assert "(kept)" in again.stdout and not list(out.rglob("*.part"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts disks")
def test_a_disk_that_can_only_be_read_ends_a_batch_before_any_work(undisturbed: Undisturbed, tmp_path: Path) -> None:
    out = tmp_path / "disk" / "out"
    with small_disk(tmp_path / "disk", 2**20):
        remount(tmp_path / "disk", "ro")
        done = autograder("grade", undisturbed.submitted, "--out", out, *JOBS, cache=tmp_path / "cache")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"autograder: can not write {out}/summary.json: Read-only file system; choose another folder"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts disks")
@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_cache_without_room_stops_no_grading(trouble: str, undisturbed: Undisturbed, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with small_disk(cache, 2**16):
        if trouble == "full":
            fill(cache)
        else:
            remount(cache, "ro")
        done = autograder("grade", undisturbed.submitted / "ada.ipynb", "--out", tmp_path / "out", *JOBS, cache=cache)
    assert done.returncode == 0, done.stderr
    assert essence(tmp_path / "out") == {"ada": undisturbed.reports["ada"]}
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 3
