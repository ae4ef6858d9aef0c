"""The pages tell the truth: commands run, links lead somewhere, figures and excerpts are those of their origin."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from links import addresses, anchors, problems, tokens
from miniature import ROOT

OTHERS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "data/README.md", "examples/README.md")
PAGES = [*(ROOT / page for page in OTHERS), *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = (".", "docs", "data", "examples", "release", "source", "solutions", "tests", ".github")
MARKDOWN = sorted({
    path
    for folder in FOLDERS
    for path in (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")
    if ".pytest_cache" not in path.parts
})  # fmt: skip

# The hosts that our pages link to. A new one is added after it was looked at.
HOSTS = frozenset({
    "colab.research.google.com", "creativecommons.org", "distributed.dask.org", "docs.pytest.org", "example.org",
    "github.com", "jobqueue.dask.org", "kubernetes.dask.org", "nbgrader.readthedocs.io", "ngshare.readthedocs.io",
})  # fmt: skip
# Commands that are not run here, each with the reason. A key may end with *.
NOT_RUN = {
    "make test": "it is what runs this test",
    "make setup*": "downloads packages; the gate begins with it",
    "make solutions": "an hour",
    "make examples": "test_examples.py compares what the script writes",
    "make lock": "asks the package index",
    "make soak": "an hour or two",
    "make fuzz": "some minutes a round",
    "make mutation": "half an hour",
    "make attacks": "test_attacks.py compares the page with the payloads",
    "make take-out": "changes the working tree for some minutes",
    "make calibration": "some minutes; test_calibrate.py runs the command on a tiny course",
    "make simulation": "ten minutes, on a quiet machine",
    "make benchmark*": "half an hour and more, on a quiet machine",
    "make accuracy*": "some minutes; the gate grades the same corpus in test_corpus.py",
    "make test-gradescope": "ten minutes, as root",
    "make lint": "the gate runs it before the tests",
    "make release ASSIGNMENT=rings": "of a second assignment: test_second_assignment.py",
    "make grade ASSIGNMENT=rings *": "of a second assignment: test_second_assignment.py",
    ".venv/bin/autograder grade submitted/ --assignment rings": "of a second assignment: test_second_assignment.py",
    "autograder calibrate": "some minutes; test_calibrate.py runs it on a tiny course",
    "autograder grade submitted/ --scheduler *": "needs a cluster; test_cluster.py starts one",
    "git checkout -- data/mnist.npz": "what is tried here is no checkout",
    "dask *": "needs other machines; test_cluster.py starts scheduler and workers",
    "pip install *": "downloads packages",
    "systemd-run *": "needs a running systemd",
    ".venv/bin/jupyter lab": "does not end by itself",
    "jupyter lab": "does not end by itself",
    "jupyter server": "does not end by itself; test_formgrader.py starts one",
    "nbgrader *": "what nbgrader does with our configuration, its own tests run",
    "make autograde": "records in nbgrader's gradebook: the tests of that door run it",
    "autograder export*": "reads nbgrader's gradebook: the tests of that door run it",
    "autograder grade ada.ipynb --format json,lines": "the format is the page's example: the test of platforms adds it",
    "git clone *": "needs the network",
    "cd course": "changes the shell alone",
    ". .venv/bin/activate": "changes the shell alone",
    ".venv/bin/pip wheel *": "asks the package index",
    ".venv/bin/python -m pytest tests/autoencoders": "a part of `make test`, in which this test runs",
}
# What a command exits with where it is not 0: the blank notebook, which is graded here, has no points.
EXITS = {
    "autograder grade notebook.ipynb --fail-under 60 --format json": 1,
    "autograder check autoencoders.ipynb": 1,
}
_PROGRAMS = r"make|autograder|dask|docker|git|jupyter|nbgrader|pip|pytest|python3?|sudo|systemd-run|\.venv/bin/\S+"
_COMMAND = re.compile(rf"(?:{_PROGRAMS}) \S.*")
# Named in a sentence, where what they take is left out.
_NAME_ALONE = re.compile(r"autograder (grade|check)( FILE)?|python -m autograder")


def commands(page: Path) -> Iterator[str]:
    """The commands of a page: lines of console blocks, and what stands in a sentence as code."""
    for token in tokens(page):
        if token.type == "fence" and token.info.strip() == "console":
            for line in token.content.replace("\\\n", " ").splitlines():
                if command := re.sub(r"(^|\s)#.*", "", line).strip():
                    yield " ".join(command.split())
        elif token.type == "code_inline" and _COMMAND.fullmatch(token.content):
            yield " ".join(token.content.split())


COMMANDS = {command: page.name for page in PAGES for command in commands(page)}


def reason_not_to_run(command: str) -> str | None:
    for known, reason in NOT_RUN.items():
        if command == known or (known.endswith("*") and command.startswith(known[:-1])):
            return reason
    return None


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the course as an instructor has it, with a tiny class: one student, who has written nothing."""
    if not (Path(sys.prefix) / ".installed").exists():
        assert "CI" not in os.environ, "the gate's environment is the one of make setup"
        pytest.skip("this environment was not made by make setup, so make would make one")
    root = tmp_path_factory.mktemp("documented") / "course"
    for folder in ("autograder", "data", "docs", "release", "scripts", "solutions", "source", "tests/autoencoders"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, root)
    for file in ("requirements.lock", "pyproject.toml"):
        os.utime(root / file, (0, 0))  # older than the environment: nothing is to be installed
    (root / ".venv").symlink_to(sys.prefix)
    blank = Path("noor-blank/autoencoders/autoencoders.ipynb")
    for folder in ("submitted", "examples/submitted"):
        (root / folder / blank).parent.mkdir(parents=True)
        shutil.copy(ROOT / "examples" / "submitted" / blank, root / folder / blank)
    for name in ("notebook.ipynb", "autoencoders.ipynb", "submission.ipynb"):
        shutil.copy(root / "submitted" / blank, root / name)
    with zipfile.ZipFile(root / "class.zip", "w") as archive:
        archive.write(root / "submitted" / blank, str(blank))
    return root


def run(command: str, course: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "AUTOGRADER_CACHE": str(cache), "JOBS": "1", "STUDENT": "noor-blank", "NO_COLOR": "1", "COLUMNS": "100",
        "PATH": f"{course / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    environment.pop("MAKEFLAGS", None)
    return subprocess.run(
        ["bash", "-c", command], cwd=course, env=environment, capture_output=True, text=True, timeout=300,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def cache(course: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the tiny class has been graded once, by the first command of the README."""
    folder = tmp_path_factory.mktemp("documented-cache")
    done = run("make grade", course, folder)
    assert done.returncode == 0, done.stderr
    assert "noor-blank" in done.stdout
    shutil.copytree(course / "graded", course / "first")
    return folder


@pytest.mark.parametrize("command", sorted(command for command in COMMANDS if not reason_not_to_run(command)))
def test_a_command_that_a_page_shows_runs(course: Path, cache: Path, command: str) -> None:
    if command == "make pictures" and not shutil.which("chromium"):
        assert "CI" not in os.environ, "the gate installs chromium"
        pytest.skip("there is no chromium here")
    asked = f"{command.removesuffix(' FILE')} --help" if _NAME_ALONE.fullmatch(command) else command
    done = run(asked, course, cache)
    assert done.returncode == EXITS.get(command, 0), f"{COMMANDS[command]}: {command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("command", sorted(command for command in COMMANDS if reason_not_to_run(command)))
def test_a_command_that_is_not_run_here_is_at_least_known(course: Path, command: str) -> None:
    if command.startswith("make "):
        done = run(f"{command} --dry-run", course, course)
    elif words := re.match(r"(?:\.venv/bin/)?autograder \w+", command):
        done = run(f"{words[0]} --help", course, course)
    else:
        return
    assert done.returncode == 0, f"{COMMANDS[command]}: {command}\n{done.stderr}"


def test_the_commands_are_found_and_none_is_shown_as_another_language():
    assert {"make grade", "autograder check autoencoders.ipynb", "autograder doctor"} <= set(COMMANDS)
    languages = {token.info.strip() for page in PAGES for token in tokens(page) if token.type == "fence"}
    assert languages <= {"console", "python", "markdown", "text", "toml", "yaml", "json"}, "commands are of console"


# Links


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_text_leads_somewhere(path: Path) -> None:
    assert problems(path, HOSTS) == []


def test_the_pages_of_a_class_link_to_each_other_alone(course: Path, cache: Path) -> None:
    pages = sorted((course / "first").rglob("*.html"))
    assert {page.parent.name for page in pages} == {"first", "noor-blank"}
    assert "noor-blank/index.html" in addresses(course / "first" / "index.html")
    assert [problem for page in pages for problem in problems(page, frozenset())] == []


def test_every_page_can_be_reached_from_the_first_one():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.is_file():
            continue
        reached.add(page)
        linked = [(page.parent / address.partition("#")[0]).resolve() for address in addresses(page)]
        waiting += [path for path in linked if path.suffix == ".md"]
    assert [page.name for page in PAGES if page not in reached] == []


def test_links_that_lead_nowhere_are_found(tmp_path):
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# One\n\n## The `first` part, twice\n\n## The first part twice\n")
    page.write_text(
        "# Page\n[a](other.md) [b](other.md#the-first-part-twice-1) [c](#page) <https://docs.pytest.org/x>\n\n"
        "[d](gone.md) [e](other.md#three) ![f](gone.png) [g](http://docs.pytest.org) see https://example.net/now.\n"
        '<img src="lost.svg">\n'
    )
    found = [problem.split()[1] for problem in problems(page, HOSTS)]
    assert found == [
        "gone.md", "gone.png", "http://docs.pytest.org", "https://example.net/now", "lost.svg", "other.md#three",
    ]  # fmt: skip
    assert anchors(tmp_path / "other.md") == {"one", "the-first-part-twice", "the-first-part-twice-1"}


# Figures and excerpts

FIGURES = {
    "accuracy.md": [
        (r"\| \*\*all\*\* \| (0 of \d+) \(0\.0% to ([\d.]+%)\)", "{0} (at most {1} at 95% confidence)"),
        (r"\| \*\*all\*\* \|[^|]*\|[^|]*\| (0 of \d+) \(0\.0% to ([\d.]+%)\)", "{0} ({1})"),
    ],
    "mutation.md": [(r"\((\d+) of \1 whole checks\)", "0 of {0}")],
    "attacks.md": [(r"^(\d+) hostile submissions", "0 of {0}, in every run of the tests")],
    "performance.md": [(r"^\| one complete submission, [^|]*\| ([\d.]+) CPU-s", "| {0} CPU seconds |")],
}


@pytest.mark.parametrize(("page", "pattern", "shown"), [(page, *row) for page, rows in FIGURES.items() for row in rows])
def test_the_first_page_shows_the_figures_that_were_measured(page: str, pattern: str, shown: str) -> None:
    found = re.search(pattern, (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"docs/{page} has no figure of the form that README.md shows: mend both"
    assert shown.format(*found.groups()) in (ROOT / "README.md").read_text(encoding="utf-8"), found[0]


def test_excerpts_are_those_of_their_files():
    text = (ROOT / "docs" / "writing-checks.md").read_text(encoding="utf-8")
    excerpts = re.findall(r"<!-- from: (\S+) -->\n```python\n(.*?)```", text, re.DOTALL)
    shown = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert excerpts and shown
    for file, excerpt in excerpts:
        assert excerpt in (Path(__file__).parent / "second_assignment" / file).read_text(encoding="utf-8"), file
    assert shown[1] in (ROOT / "tests/autoencoders/test_encoder_and_decoder.py").read_text(encoding="utf-8")


# The architecture

ENGINE = ROOT / "autograder"
# The steps of the way of the data, in the order of docs/architecture.md, and what steps hand on to each other.
STEPS = (
    ("assignment", "syntax"), ("submission",), ("execute", "executions", "sandbox"), ("evidence",), ("models",),
    ("checks",), ("report", "pictures", "observations"), ("grade",), ("batch", "pool", "cluster"), ("cli",),
)  # fmt: skip
FORMS_OF_DATA = {"evidence", "sandbox.job", "report.model", "checks.probes"}
RANK = {name: rank for rank, names in enumerate(STEPS) for name in names}


def imported(path: Path) -> Iterator[str]:
    """The modules of the engine that a module imports, wherever in it, without the package's name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("autograder."):
            module = str(node.module).removeprefix("autograder").removeprefix(".")
            whole = (ENGINE / module.replace(".", "/")).is_dir()
            yield from [f"{module}.{alias.name}".strip(".") for alias in node.names] if whole else [module]


def test_no_step_imports_a_later_one_but_for_forms_of_data():
    found = []
    for path in sorted(ENGINE.rglob("*.py")):
        rank = RANK.get(path.relative_to(ENGINE).parts[0].removesuffix(".py"))
        for module in imported(path) if rank is not None else ():
            if RANK.get(module.split(".")[0], -1) > rank and module not in FORMS_OF_DATA:
                found.append(f"{path.relative_to(ENGINE)} imports {module}")
    assert found == []


def test_the_page_on_architecture_names_every_part_of_the_engine():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    parts = {path.name if path.suffix == ".py" else f"{path.name}/" for path in ENGINE.iterdir()}
    parts -= {"__init__.py", "__main__.py", "__pycache__/", "py.typed/"}
    assert sorted(part for part in parts if not re.search(rf"[`/]{re.escape(part)}", page)) == []
