"""The command line from outside: help, usage, exit codes."""

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import BLANK, ROOT, autograder, environment

from autograder import __version__, cli
from autograder.sandbox.isolation import BACKENDS, probe
from autograder.store import Store, digest_of

COMMANDS = ("grade", "check", "release", "doctor")
HEAVY = ("tensorflow", "keras", "numpy", "nbformat", "pydantic", "IPython", "matplotlib", "jinja2", "pytest")


@pytest.mark.parametrize("arguments", [("--help",), *((command, "--help") for command in COMMANDS)])
def test_every_command_explains_itself_with_examples(arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = autograder(*arguments, cache=tmp_path, cwd=tmp_path)
    assert result.returncode == 0 and result.stderr == ""
    assert "exit codes:" in result.stdout
    for word in COMMANDS if arguments == ("--help",) else ("examples:", f"autograder {arguments[0]} "):
        assert word in result.stdout


def test_the_version_is_told(tmp_path: Path) -> None:
    assert autograder("--version", cache=tmp_path).stdout == f"autograder {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["grade", "--help"], ["--version"], ["grade"], ["nonsense"]])
def test_nothing_heavy_is_imported_before_a_command_runs(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys, autograder.cli\n"
        "try: autograder.cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert result.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "COMMAND"),
        (("grde", "x"), "invalid choice: 'grde'"),
        (("grade",), "PATH"),
        (("grde", "x"), "Did you mean grade?"),
        (("grade", "x", "--isolatoin", "none"), "unrecognized arguments: --isolatoin none. Did you mean --isolation?"),
        (("grade", "x", "--isolatoin=none"), "Did you mean --isolation?"),
        (("grade", "x", "--isolation", "namespace"), "Did you mean namespaces?"),
        (("grade", "x", "--format", "htlm"), "Did you mean html?"),
        (("grade", ""), "argument PATH: an empty text is no path"),
        (("grade", "x", "--out", ""), "argument --out: an empty text is no path"),
        (("check", "docs"), "docs is a folder: name the notebook in it"),
        (("grade", "x", "--format", "json,gif"), "there is no format 'gif'; the formats are json, html"),
        (("grade", "x", "--format", ""), "no format was named"),
        (("grade", "x", "--jobs", "0"), "'0' is not a number of at least 1"),
        (("grade", "x", "--jobs", "many"), "'many' is not a number of at least 1"),
        (("grade", "x", "--fail-under", "101"), "'101' is not a number from 0 to 100"),
        (("grade", "x", "--fail-under", "nan"), "'nan' is not a number from 0 to 100"),
        (("grade", "x", "--training", "long"), "invalid choice: 'long'"),
        (("grade", "x", "--isolation", "bwrap"), "invalid choice: 'bwrap'"),
        (("grade", "x", "--fail", "50"), "unrecognized arguments: --fail"),
        (("grade", "x", "--assignment", "autoencoder"), "Did you mean 'autoencoders'?"),
        (("grade", "nowhere.ipynb"), "nowhere.ipynb can not be read: No such file or directory"),
        (("grade", "pyproject.toml"), "pyproject.toml is no notebook, no .py export, no folder and no zip"),
        (("check", "nowhere.ipynb"), "nowhere.ipynb can not be opened"),
        (("grade", "x", "--course", "docs"), "docs is no course folder"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_wrong(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    result = autograder(*arguments, cache=tmp_path)
    assert result.returncode == 2
    assert words in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == ""


def test_outside_of_a_course_it_says_where_to_go(tmp_path: Path) -> None:
    result = autograder("grade", "x.ipynb", cache=tmp_path, cwd=tmp_path)
    assert result.returncode == 2
    assert "no course folder here" in result.stderr and "--course DIR" in result.stderr


def test_the_course_is_found_from_a_folder_in_it_and_by_its_option(tmp_path: Path) -> None:
    for cwd, options in ((ROOT / "docs", ()), (tmp_path, ("--course", ROOT))):
        result = autograder("grade", "nowhere.ipynb", *options, cache=tmp_path, cwd=cwd)
        assert "nowhere.ipynb can not be read" in result.stderr


def test_a_hostile_path_does_not_reach_the_terminal(tmp_path: Path) -> None:
    result = autograder("grade", "\x1b[31m\u202egnp.ipynb", cache=tmp_path)
    assert result.returncode == 2
    assert "\x1b" not in result.stderr and "\u202e" not in result.stderr


@pytest.mark.parametrize("argument", ["--\x1b]0;title\x07=3", "\x1b[31mred", "--\u202eteg"])
def test_a_hostile_argument_does_not_reach_the_terminal(argument: str, tmp_path: Path) -> None:
    for arguments in (("grade", "x", argument), (argument,), ("grade", "x", "--isolation", argument)):
        result = autograder(*arguments, cache=tmp_path)
        assert result.returncode == 2
        assert not set(result.stderr) & set("\x1b\x07\u202e")


def test_a_file_whose_name_looks_like_an_option_is_told_how_to_be_written(tmp_path: Path) -> None:
    (tmp_path / "-rf.ipynb").write_text("{")
    result = autograder("grade", "x", "-rf.ipynb", "--course", ROOT, cache=tmp_path, cwd=tmp_path)
    assert result.returncode == 2 and "Write ./ in front of a file" in result.stderr


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A broken notebook, and the results folder in which its report is: grading it again is quick."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "broken.ipynb").write_text("{")
    autograder("grade", folder / "broken.ipynb", "--out", folder / "out", cache=folder / "cache")
    return folder / "broken.ipynb", folder / "out"


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-", "| head -c 0", "> /dev/full", "2> /dev/null"])
def test_closed_full_and_broken_streams_do_not_change_the_exit_code(
    redirection: str, broken: tuple[Path, Path], tmp_path: Path
) -> None:
    file, out = broken
    command = f"set -o pipefail; {sys.executable} -m autograder grade {file} --out {out} {redirection}"
    result = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr and "Exception ignored" not in result.stderr


def test_workers_start_although_the_standard_output_is_closed(tmp_path: Path) -> None:
    (tmp_path / "broken.ipynb").write_text("{")
    command = f"{sys.executable} -m autograder grade {tmp_path}/broken.ipynb --out {tmp_path}/out >&-"
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=environment(tmp_path / "cache"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2 and "[1/1] broken: not gradable" in result.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_can_not_show_all_signs_gets_question_marks(
    encoding: str, broken: tuple[Path, Path], tmp_path: Path
) -> None:
    file, out = broken
    command = [sys.executable, "-m", "autograder", "grade", str(file), "--out", str(out)]
    variables = environment(tmp_path) | {"PYTHONIOENCODING": encoding}
    result = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "broken" in result.stdout and "?" in result.stdout and "Traceback" not in result.stderr


def test_a_removed_current_folder_is_named(tmp_path: Path) -> None:
    command = f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m autograder grade x"
    variables = environment(tmp_path) | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2 and "the current folder has been removed" in result.stderr


def test_an_unexpected_error_is_the_graders_own_fault_and_no_low_score(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by \x1b[31mnothing")

    monkeypatch.setattr(cli, "course_root", fail)
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    assert cli.main(["grade", "x"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("autograder: unexpected ZeroDivisionError: by nothing.") and "Traceback" not in said


def test_damaged_data_are_told_before_anything_is_run(tmp_path: Path) -> None:
    course = tmp_path / "course"
    for folder in ("source", "tests/autoencoders"):
        shutil.copytree(ROOT / folder, course / folder)
    (course / "data").mkdir()
    shutil.copy(ROOT / "data" / "digests.json", course / "data")
    result = autograder("grade", BLANK, "--course", course, cache=tmp_path, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.endswith("mnist.npz: is missing. Restore it with: git checkout -- data/mnist.npz")
    assert not (tmp_path / "graded").exists()


def test_without_complete_isolation_nothing_is_graded(tmp_path: Path) -> None:
    through = (sys.executable, str(ROOT / "tests" / "autograder" / "docker_filter.py"))
    out = ("--out", tmp_path / "out", "--isolation", "namespaces")
    result = autograder("grade", BLANK, *out, cache=tmp_path / "cache", through=through)
    assert result.returncode == 3
    assert "no complete isolation" in result.stderr and "- namespaces: " in result.stderr and "unshare" in result.stderr
    assert not list((tmp_path / "out").glob("*/report.json"))


def test_grading_without_isolation_is_warned_of_everywhere(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = autograder("grade", BLANK, "--out", out, "--isolation", "none", cache=tmp_path / "cache")
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("WARNING: --isolation none")
    for page in (out / "index.html", *out.glob("*/index.html")):
        assert "Graded without isolation" in page.read_text(encoding="utf-8")
    assert '"isolation": "none"' in (out / "summary.json").read_text(encoding="utf-8")
    assert len(list(out.glob("*/index.html"))) == 1


def test_the_cache_is_shown_pruned_and_cleared(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    store = Store(cache)
    for number in range(3):
        store.put_bytes("execution", digest_of(number), b"x" * 2**20)
    store.put("report", digest_of("a"), 1)

    def said(*arguments: str) -> list[str]:
        done = autograder("cache", *arguments, cache=cache, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    shown = said()
    assert shown[0] == f"in {cache}"
    assert [line.split()[:2] for line in shown[1:3]] == [["execution", "3"], ["report", "1"]]
    assert said("prune", "--to", "1500K")[0].startswith("removed 2 entries")
    assert said("clear", "--kind", "execution") == ["removed 1 entries"]
    assert said("clear") == ["removed 1 entries"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prune", "--to", "much"], "'much' is no size"),
        (["--to", "1G"], "--to belongs to autograder cache prune"),
        (["prune", "--kind", "report"], "--kind belongs to autograder cache clear"),
    ],
)
def test_wrong_uses_of_the_cache_are_told(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = autograder("cache", *arguments, cache=tmp_path, cwd=tmp_path)
    assert done.returncode == 2 and words in done.stderr


def test_a_bound_of_the_cache_that_is_no_size_is_told_before_anything_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOGRADER_CACHE_LIMIT", "much")
    done = autograder("grade", BLANK, "--out", tmp_path / "out", cache=tmp_path / "cache")
    assert done.returncode == 2 and "is no size" in done.stderr
    assert not list((tmp_path / "out").glob("*/report.json"))


def test_check_shows_the_visible_checks_and_nothing_hidden(tmp_path: Path) -> None:
    result = autograder("check", BLANK, cache=tmp_path)
    assert (result.returncode, result.stderr) == (1, "")
    marks = [line for line in result.stdout.splitlines() if line[:1] in "✓✗○–" and line[:1]]
    assert len(marks) == 19 and all(mark.endswith(": not yet answered") for mark in marks)
    assert re.search(r"^0 of \d\d visible checks passed\.$", result.stdout, re.MULTILINE)
    assert "points" not in result.stdout and "/100" not in result.stdout


def test_on_a_terminal_the_progress_is_one_line_and_the_table_is_as_wide_as_it(tmp_path: Path) -> None:
    (tmp_path / "broken.ipynb").write_text("{")
    shown = in_a_terminal("grade", tmp_path / "broken.ipynb", "--out", tmp_path / "out", cache=tmp_path / "cache")
    assert "░ 0/1 · warming up" in shown and "[1/1]" not in shown
    table = shown[shown.index("Student") :].splitlines()
    assert all(len(line) <= 80 for line in table[:4])


def in_a_terminal(*arguments: object, cache: Path) -> str:
    """What a command shows on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "autograder", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(cache), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:
        # Linux says so when the last process has closed the terminal.
        pass
    finally:
        os.close(ours)
        process.wait(60)
    return shown.decode()


def test_what_is_committed_here_is_what_the_source_generates(tmp_path: Path) -> None:
    """The gate's own check: release/ is generated again, and the code of solutions/ is compared with the source's."""
    result = autograder("release", "--check", cache=tmp_path)
    assert (result.returncode, result.stderr) == (0, "the committed release is up to date\n")


def test_a_committed_release_that_is_not_up_to_date_is_refused(tmp_path: Path) -> None:
    course = tmp_path / "course"
    for folder in ("source", "tests/autoencoders", "release"):
        shutil.copytree(ROOT / folder, course / folder)
    shutil.copy(ROOT / "nbgrader_config.py", course)
    released = course / "release" / "autoencoders" / "autoencoders.ipynb"
    released.write_text(released.read_text(encoding="utf-8").replace("YOUR CODE HERE", "your code here"))
    result = autograder("release", "--check", "--course", course, cache=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("autograder: ") and "Traceback" not in result.stderr


def test_the_doctor_says_what_this_machine_can_do(tmp_path: Path) -> None:
    result = autograder("doctor", cache=tmp_path)
    assert result.returncode == (0 if any(backend.complete for backend in map(probe, BACKENDS)) else 3)
    for word in ("namespaces", "landlock", "tensorflow", "mnist.npz"):
        assert word in result.stdout


def test_the_doctor_finds_damaged_data(tmp_path: Path) -> None:
    for folder in ("source", "tests"):
        (tmp_path / "course" / folder).mkdir(parents=True)
    shutil.copytree(ROOT / "data", tmp_path / "course" / "data")
    with (tmp_path / "course" / "data" / "mnist.npz").open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"damage")
    result = autograder("doctor", "--course", tmp_path / "course", cache=tmp_path)
    assert result.returncode == 3
    assert "mnist.npz" in result.stdout
