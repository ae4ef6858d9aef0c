"""Courses for stock nbgrader and stock otter in a temporary folder, and the grading of submissions in them.

The peers run in an environment of their own, which ``make setup-peers`` makes: otter needs another wrapt than ours.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from peers import notebooks
from peers.notebooks import COURSE, NAME, Notebook

PYTHON = COURSE / ".venv-peers" / "bin" / "python"
SUBMISSION_WALL_SECONDS = 900.0
_ASSIGNMENT = "peers"
# What `keras.datasets` would load from the network lies in data/.
_STARTUP = """
import importlib
importlib.import_module("keras.src.datasets.mnist").get_file = lambda *_, **__: {path!r}
"""

Peer = Literal["nbgrader", "otter"]
PEERS: tuple[Peer, ...] = ("nbgrader", "otter")


@dataclass(frozen=True)
class Submission:
    """What one student hands in: the notebook, and how it is written to a file."""

    student: str
    notebook: Notebook
    suffix: str = ".ipynb"
    written: Callable[[Notebook], str] = json.dumps

    def text(self, peer: Peer | None = None) -> str:
        """Return the file's text, as it looks in a course with the peer."""
        return self.written(notebooks.for_otter(self.notebook) if peer == "otter" else self.notebook)


@dataclass(frozen=True)
class Result:
    """The points by question that a grader gave, and why there are none."""

    points: Mapping[str, float] = field(default_factory=dict)
    trouble: str = ""


def missing() -> str:
    """Return what is missing for the peers, as a sentence; empty when all is there."""
    return "" if PYTHON.exists() else f"{PYTHON.relative_to(COURSE)} is missing: run `make setup-peers`"


def make(peer: Peer, submissions: Sequence[Submission], folder: Path, *, source: Notebook) -> None:
    """Write a course with its submissions into a new folder; ``source`` is our source notebook, cut or not."""
    if peer == "nbgrader":
        path = folder / "source" / _ASSIGNMENT / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(notebooks.for_nbgrader(source)), encoding="utf-8")
    else:
        (folder / "tests").mkdir(parents=True)
        for question, points in notebooks.points(source).items():
            (folder / "tests" / f"{question}.py").write_text(notebooks.otter_test(question, points), encoding="utf-8")
    for submission in submissions:
        below = (submission.student, _ASSIGNMENT) if peer == "nbgrader" else (submission.student,)
        target = folder.joinpath("submitted", *below, f"{NAME}{submission.suffix}")
        target.parent.mkdir(parents=True)
        target.write_text(submission.text(peer), encoding="utf-8")
    startup = folder / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "data.py").write_text(_STARTUP.format(path=str(COURSE / "data" / "mnist.npz")), encoding="utf-8")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of the peers' processes in a course."""
    path = f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"IPYTHONDIR": str(folder / "ipython"), "PATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}


def start(peer: Peer, folder: Path, students: Sequence[str]) -> subprocess.Popen[str]:
    """Start a process that grades students of a course, and prints a line of JSON for each."""
    driver = Path(__file__).with_name(f"{peer}_grading.py")
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [str(PYTHON), str(driver)], cwd=folder, env=environment(folder),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps({"course": str(folder), "students": list(students)}))
    process.stdin.close()
    return process


def grade(
    peer: Peer,
    submissions: Sequence[Submission],
    folder: Path,
    *,
    jobs: int = 2,
    progress: Callable[[str], None] = lambda student: None,
) -> dict[str, Result]:
    """Grade submissions, the questions without training alone, in so many courses at once; return results by student.

    Neither peer grades several submissions at once by itself: each course has its own gradebook and its own process.
    """
    source = notebooks.cut(notebooks.read("source"))
    found: dict[str, Result] = {}
    faults: queue.Queue[BaseException] = queue.Queue()

    def work(number: int) -> None:
        mine, course = submissions[number::jobs], folder / str(number)
        try:
            make(peer, mine, course, source=source)
            for student, result in _results(peer, course, [one.student for one in mine]):
                found[student] = result
                progress(student)
        except BaseException as fault:
            faults.put(fault)

    threads = [
        threading.Thread(target=work, args=(number,), daemon=True) for number in range(min(jobs, len(submissions)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not faults.empty():
        raise faults.get()
    return found


def _results(peer: Peer, folder: Path, students: Sequence[str]) -> Iterator[tuple[str, Result]]:
    """Grade students of one course; who takes too long, or ends the process, has no points, and the rest goes on."""
    waiting = list(students)
    while waiting:
        ready = False
        for line in _lines(start(peer, folder, waiting)):
            if "ready" in line:
                ready = True
                continue
            yield line["student"], Result(line["points"], line["trouble"])
            waiting.remove(line["student"])
        if not ready:
            raise RuntimeError(f"{peer} did not start:\n{(folder / 'log.txt').read_text(encoding='utf-8')[-2000:]}")
        if waiting:
            yield waiting.pop(0), Result(trouble="the grader ended without a result")


def _lines(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Yield what a process prints, line by line; end it where nothing comes for too long."""
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    output = process.stdout

    def read() -> None:
        for line in output:
            lines.put(line)
        lines.put("")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        while line := lines.get(timeout=SUBMISSION_WALL_SECONDS):
            yield json.loads(line)
    except queue.Empty:
        # Its kernel ends by itself when the parent is gone.
        process.kill()
    finally:
        process.wait()
        reader.join()
        output.close()
