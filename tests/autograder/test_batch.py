"""A batch, from outside and with the real parts: sandbox, workers, files."""

import csv
import io
import json
import os
import re
import shutil
import signal
import threading
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import report_samples as samples
from command_line import BLANK, ROOT, autograder, descendants, start, wait_until, workers

from autograder import batch as batches
from autograder.assignment import load
from autograder.batch import Item, _Results, fault_report, items_of, shown_path
from autograder.grade import Settings
from autograder.progress import Progress
from autograder.report.files import read_report
from autograder.report.model import Execution, Report
from autograder.report.summary import Summary
from autograder.report.text import one_line


@dataclass(frozen=True)
class Run:
    """One batch that was run to its end, and where."""

    submissions: Path
    out: Path
    cache: Path
    code: int
    stdout: str
    stderr: list[str]
    imported: str

    def summary(self) -> Summary:
        return Summary.model_validate_json((self.out / "summary.json").read_bytes())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A class of three: a blank notebook, a broken one, a link."""
    folder = tmp_path_factory.mktemp("batch")
    submissions = folder / "submitted"
    submissions.mkdir()
    shutil.copy(BLANK, submissions / "noor.ipynb")
    (submissions / "broken.ipynb").write_text('{"cells": [')
    (submissions / "link.ipynb").symlink_to("/etc/passwd")
    arguments = ("grade", submissions, folder / "missing.ipynb", "--out", folder / "out", "--jobs", 2)
    result = autograder(*arguments, cache=folder / "cache", flags=("-X", "importtime"))
    lines = result.stderr.splitlines()
    return Run(
        submissions, folder / "out", folder / "cache", result.returncode, result.stdout,
        [line for line in lines if not line.startswith("import time:")],
        "\n".join(line for line in lines if line.startswith("import time:")),
    )  # fmt: skip


def test_the_readable_ones_are_graded_although_others_can_not_be_read(run: Run) -> None:
    assert run.code == 2
    status = {row.student: row.status for row in run.summary().students}
    assert status == {"broken": "ungradable", "link": "ungradable", "noor": status["noor"]}
    assert status["noor"] in ("graded", "needs_review")


def test_every_submission_has_its_report_and_its_page(run: Run) -> None:
    for student in ("broken", "link", "noor"):
        report = read_report(run.out / student)
        assert report is not None and report.student == student
        assert student in (run.out / student / "index.html").read_text(encoding="utf-8")
    assert {path.name for path in run.out.iterdir()} == {
        "broken", "link", "noor", "index.html", "scores.csv", "summary.json",
    }  # fmt: skip


def test_a_blank_notebook_gets_no_points_and_every_question(run: Run) -> None:
    report = read_report(run.out / "noor")
    assert report is not None and report.score == 0
    assert [question.id for question in report.questions] == [
        question.id for question in load(ROOT, "autoencoders").questions
    ]
    assert report.execution.isolation != "none" and report.execution.key.startswith("sha256:")


def test_reports_tell_no_path_of_this_machine(run: Run) -> None:
    for file in run.out.rglob("*"):
        if file.is_file():
            assert str(run.out.parent) not in file.read_text(encoding="utf-8"), file


def test_the_scores_are_a_csv_with_a_column_a_question(run: Run) -> None:
    with (run.out / "scores.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["student"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {"broken", "link", "noor"}
    assert rows["noor"]["build-encoder"] == "0" and rows["broken"]["build-encoder"] == ""


def test_progress_goes_to_the_standard_error_and_results_to_the_standard_output(run: Run) -> None:
    assert run.stderr[0].endswith("missing.ipynb can not be read: No such file or directory")
    assert [line[:5] for line in run.stderr[1:4]] == ["[1/3]", "[2/3]", "[3/3]"]
    assert run.stderr[4:] == [f"results are in {run.out}/index.html"]
    table = run.stdout.splitlines()
    assert table[0].split() == ["Student", "Score", "To", "review", "Status", "Remark"]
    assert [line.split()[0] for line in table[2:5]] == ["broken", "link", "noor"]
    assert table[-1].startswith("3 submissions, mean 0 of 100")


def test_the_process_that_leads_a_batch_never_imports_tensorflow(run: Run) -> None:
    assert "autograder.batch" in run.imported
    for module in ("tensorflow", "keras", "nbformat", "IPython", "matplotlib"):
        assert f" {module}\n" not in run.imported


def test_an_equal_batch_keeps_its_reports_and_starts_nothing(run: Run) -> None:
    before = (run.out / "noor" / "report.json").read_text()
    files = [run.submissions / "noor.ipynb", run.submissions / "broken.ipynb"]
    again = autograder("grade", *files, "--out", run.out, cache=run.cache, flags=("-X", "importtime"))
    assert again.returncode == 2
    assert again.stdout.count("(kept)") == 2
    assert "autograder.sandbox.supervisor\n" not in again.stderr
    assert (run.out / "noor" / "report.json").read_text() == before
    assert read_summary(run.out).students[1].kept


def test_a_kept_report_is_shown_in_the_formats_that_are_asked_for_now(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.out / "noor", tmp_path / "noor")
    (tmp_path / "noor" / "index.html").unlink()
    autograder("grade", run.submissions / "noor.ipynb", "--out", tmp_path, cache=run.cache)
    assert (tmp_path / "noor" / "index.html").exists()


def test_fail_under_tells_a_low_score_by_the_exit_code(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.out / "noor", tmp_path / "noor")
    arguments = ("grade", run.submissions / "noor.ipynb", "--out", tmp_path, "--format", "json")
    assert autograder(*arguments, "--fail-under", "0.5", cache=run.cache).returncode == 1
    assert autograder(*arguments, "--fail-under", "0", cache=run.cache).returncode == 0


def test_a_report_is_not_kept_when_something_that_decides_it_has_changed(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files = {}
    for change in ("nothing", "submission", "fault", "student", "damage"):
        files[change] = tmp_path / f"{change}.ipynb"
        files[change].write_text((run.submissions / "broken.ipynb").read_text())
        shutil.copytree(run.out / "broken", out / change)
        edit(out / change, student=change)
    files["submission"].write_text('{"cells": [[')
    edit(out / "fault", fault={"whose": "grader", "message": "The disk was full."})
    edit(out / "student", student="somebody else")
    (out / "damage" / "report.json").write_text("{")
    result = autograder("grade", *files.values(), "--out", out, cache=run.cache)
    assert result.returncode == 2
    assert [row.student for row in read_summary(out).students if row.kept] == ["nothing"]
    assert len(read_summary(out).students) == 5


def test_a_report_of_other_settings_is_not_kept(run: Run, tmp_path: Path) -> None:
    shutil.copytree(run.out / "broken", tmp_path / "broken")
    file = run.submissions / "broken.ipynb"
    result = autograder("grade", file, "--out", tmp_path, "--training", "short", cache=run.cache)
    assert "(kept)" not in result.stdout
    assert read_report(tmp_path / "broken").execution.training == "short"


def edit(folder: Path, **changes: object) -> None:
    """Change a report on disk behind the grader's back."""
    report = folder / "report.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | changes))


def test_an_output_folder_that_can_not_be_written_is_told_before_any_work(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = autograder(
        "grade", run.submissions / "noor.ipynb", "--out", tmp_path / "file" / "out", "--no-cache", cache=run.cache
    )
    assert result.returncode == 2
    assert result.stderr.startswith("autograder: can not write") and "Traceback" not in result.stderr


def test_a_worker_that_is_killed_twice_costs_its_own_submission_alone(run: Run, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    files = [run.submissions / "noor.ipynb", run.submissions / "broken.ipynb"]
    batch = start("grade", *files, "--out", tmp_path / "out", "--no-cache", "--jobs", 1, cache=run.cache, errors=errors)
    try:
        killed: set[int] = set()
        for attempt in range(2):
            # TensorFlow in the worker says that it has begun with the blank notebook.
            wait_until(lambda: [pid for pid in workers(batch.pid) if pid not in killed and has_tensorflow(pid)])
            (pid,) = [pid for pid in workers(batch.pid) if pid not in killed]
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
            if attempt == 0:
                wait_until(lambda: "tried once more" in errors.read_text())
        stdout, _ = batch.communicate(timeout=120)
    finally:
        batch.kill()
    assert batch.returncode == 3, errors.read_text()
    assert "noor: the grading process ended by signal 9; it is tried once more" in errors.read_text()
    report = read_report(tmp_path / "out" / "noor")
    assert report is not None and report.fault is not None and report.fault.whose == "grader"
    assert (report.status, report.score, report.awaiting_review) == ("needs_review", 0.0, 100.0)
    assert read_report(tmp_path / "out" / "broken").fault.whose == "student"
    assert "our fault" in stdout
    assert (tmp_path / "out" / "grader.log").exists()


def test_control_c_stops_at_once_and_keeps_what_is_done(run: Run, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    out = tmp_path / "out"
    # The second one is still running when the signal comes, however busy the machine is.
    endless = ROOT / "examples" / "submitted" / "liam-endless-loop" / "autoencoders" / "autoencoders.ipynb"
    files = [run.submissions / "broken.ipynb", endless]
    batch = start("grade", *files, "--out", out, "--jobs", 1, "--no-cache", cache=run.cache, errors=errors)
    try:
        wait_until(lambda: "[1/2]" in errors.read_text())
        wait_until(lambda: any(has_tensorflow(pid) for pid in workers(batch.pid)))
        below = descendants(batch.pid)
        os.killpg(batch.pid, signal.SIGINT)
        stdout, _ = batch.communicate(timeout=30)
    finally:
        batch.kill()
    assert batch.returncode == 130
    assert errors.read_text().splitlines()[1:] == [
        f"Stopped. What was graded is in {out}/ and is kept: run the same command again to go on."
    ]
    assert stdout == ""
    wait_until(lambda: not any(is_running(pid) for pid in below), 20)
    assert read_summary(out).expected == 2 and len(read_summary(out).students) == 1
    assert not list(out.rglob("*.part"))
    again = autograder("grade", files[0], "--out", out, cache=run.cache)
    assert "(kept)" in again.stdout


def read_summary(out: Path) -> Summary:
    return Summary.model_validate_json((out / "summary.json").read_bytes())


def has_tensorflow(pid: int) -> bool:
    try:
        return "tensorflow" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_fault_of_the_grader_leaves_all_points_to_a_person() -> None:
    item = Item("ada", Path("ada.ipynb"), "ada", "", "ada.ipynb")
    execution = Execution(isolation="namespaces", training="record")
    report = fault_report(samples.assignment(), item, execution, "ended by signal 9")
    assert report.awaiting_review == report.max_score == sum(q.awaiting_review for q in report.questions)
    assert report.status == "needs_review" and report.fault.message == "The grading process ended by signal 9, twice."
    assert Report.model_validate_json(report.model_dump_json()) == report


def arriving(out: Path, count: int) -> tuple[_Results, list[Item]]:
    items = [
        Item(f"student {number}", Path("x.ipynb"), f"folder-{number}", "key", "x.ipynb") for number in range(count)
    ]
    results = _Results(samples.assignment(), out, ("json", "html"), count, Progress(io.StringIO(), count), "a machine")
    return results, items


def test_the_page_of_the_class_is_whole_at_each_moment_and_says_that_the_grading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "SUMMARY_EVERY_WALL_SECONDS", 0.0)
    monkeypatch.setattr(batches, "SUMMARY_WAITS", 0)
    results, items = arriving(tmp_path, 40)
    results.write_summary()
    page, ended, seen = tmp_path / "index.html", threading.Event(), []

    def look() -> None:
        while not ended.is_set():
            seen.append(page.read_text(encoding="utf-8"))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for item in items:
            results.add(item, samples.report(item.student))
    finally:
        ended.set()
        reader.join()
    told = [re.search(r"still running:</b> (\d+) of 40 ", text) for text in seen]
    assert all(text.rstrip().endswith("</html>") for text in seen) and all(told)
    numbers = [int(one[1]) for one in told if one]
    assert numbers == sorted(numbers) and len(set(numbers)) > 3
    results.write_summary(running=False)
    final = page.read_text(encoding="utf-8")
    assert "still running" not in final and "a machine" in final
    assert read_summary(tmp_path).batch.running is False


def test_a_thousand_results_do_not_cost_a_thousand_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is ours: each result takes a second, each page a tenth of it for each hundred students."""
    now = [0.0]
    monkeypatch.setattr(batches.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(batches, "write_report", lambda *_: None)
    written: list[int] = []

    def render(summary: Summary, _: str) -> str:
        written.append(len(summary.students))
        now[0] += len(summary.students) / 1000
        return "page"

    monkeypatch.setattr("autograder.report.html.render_class", render)
    results, items = arriving(tmp_path, 300)
    results._begun = 0.0
    report = samples.report()
    for item in items:
        now[0] += 1.0
        results.add(item, report)
    spent = sum(written) / 1000
    assert spent < 300 / batches.SUMMARY_WAITS + 1
    # The first ones come as they did, and no pause is longer than it has to be.
    assert written[:3] == [1, 3, 5] and max(after - before for before, after in pairwise(written)) <= 10


def test_a_path_is_shown_from_the_current_folder_or_by_its_last_two_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(Path("class/ada/homework.ipynb")) == "class/ada/homework.ipynb"
    assert shown_path(Path("/home/somebody/class/ada/homework.ipynb")) == "ada/homework.ipynb"


def items(*students: str, labels: dict[Path, str] | None = None) -> list[Item]:
    files = [(student, Path(f"{number}.ipynb")) for number, student in enumerate(students)]
    return items_of(load(ROOT, "autoencoders"), files, Settings(), labels or {})


def test_names_that_differ_in_case_alone_stay_and_their_folders_differ() -> None:
    found = items("Ada", "ada", "ADA", "ada (2)")
    assert [item.student for item in found] == ["Ada", "ada", "ADA", "ada (2)"]
    assert len({item.folder.casefold() for item in found}) == 4


def test_names_that_a_reader_can_not_tell_apart_get_a_number() -> None:
    found = items("ada", "ada", " ada", "a\u200eda", "ada\n")
    assert len({item.folder for item in found}) == len({one_line(item.student) for item in found}) == 5


def test_a_file_from_a_zip_is_called_as_in_the_zip() -> None:
    (item,) = items("ada", labels={Path("0.ipynb"): "class.zip/ada.ipynb"})
    assert item.label == "class.zip/ada.ipynb"
    report = fault_report(samples.assignment(), item, Execution(isolation="namespaces", training="record"), "died")
    assert report.submission.file == "class.zip/ada.ipynb"


def test_another_batch_into_the_same_folder_may_remove_the_log_first(run: Run, tmp_path: Path) -> None:
    errors = tmp_path / "errors"
    arguments = ("grade", run.submissions / "broken.ipynb", "--out", tmp_path / "out", "--no-cache")
    batch = start(*arguments, cache=run.cache, errors=errors)
    log = tmp_path / "out" / "grader.log"
    try:
        wait_until(log.exists)
        log.unlink()
        batch.communicate(timeout=120)
    finally:
        batch.kill()
    assert batch.returncode == 2 and "unexpected" not in errors.read_text()
