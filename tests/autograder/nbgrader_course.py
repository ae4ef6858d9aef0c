"""A course folder with a small class, as an instructor of nbgrader has it; submissions with few answers are cheap."""

from __future__ import annotations

import base64
import copy
import json
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from command_line import BLANK, ROOT, environment

NAME = "autoencoders"
NOTEBOOK = f"{NAME}.ipynb"
HERE = Path(__file__).resolve().parent
ANSWERS = {
    "load-data": """\
(X_train, y_train), (X_test, y_test) = keras.datasets.mnist.load_data()
X_train = X_train[..., None] / 255
X_test = X_test[..., None] / 255
""",
    "plot-digits": "fig, ax = plt.subplots()\nax.plot([1, 2], [2, 1])\n",
    "build-encoder": """\
def build_encoder(latent_dimension):
    return Sequential([
        layers.Input((28, 28, 1)),
        layers.Conv2D(8, 2, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(32, 2, activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(32, 2, activation="relu"),
        layers.Flatten(), layers.Dense(latent_dimension, activation="tanh"),
    ])
""",
}
REMARK = "Blurred <img src=x onerror=alert(1)>, but **the same digits**."


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(red: int = 200) -> str:
    """A small picture of one colour, in base64."""
    row = b"\0" + bytes([red, 30, 30]) * 40
    head = (40).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    data = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(row * 40)) + _chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode()


def submission(answers: Mapping[str, str] = ANSWERS, remark: str = REMARK) -> dict[str, Any]:
    """The released notebook with some answers, the outputs of a student who has run them, and a written text."""
    document = json.loads(BLANK.read_text(encoding="utf-8"))
    for cell in document["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if grade_id.removesuffix("-answer") in answers and grade_id.endswith("-answer"):
            cell["source"] = answers[grade_id.removesuffix("-answer")]
            cell["execution_count"] = 7
        if grade_id == "reconstructions-remark" and remark:
            cell["source"] = remark
    found = by_id(document)
    if "plot-digits" in answers:
        found["load-data-answer"]["outputs"] = [{"output_type": "stream", "name": "stderr", "text": "hers on stderr"}]
        found["plot-digits-answer"]["outputs"] = [
            {"output_type": "display_data", "metadata": {}, "data": {"image/png": png(), "text/plain": "<Figure>"}},
            {
                "output_type": "display_data",
                "metadata": {},
                "data": {"text/html": "<script>alert('hers')</script>", "text/plain": "a table of hers"},
            },
        ]
    return document


def by_id(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The cells of a notebook by grade_id; of doubled ones the last."""
    return {
        cell["metadata"]["nbgrader"]["grade_id"]: cell
        for cell in document["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade_id")
    }


def make_course(folder: Path) -> Path:
    """Make a course without submissions: source, release, hidden checks, data, nbgrader's configuration."""
    for name in (f"source/{NAME}", f"release/{NAME}", f"tests/{NAME}", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    return folder


def hand_in(course: Path, student: str, document: Mapping[str, Any] | str, file: str = NOTEBOOK) -> Path:
    """Write a submission where nbgrader looks for it."""
    path = course / "submitted" / student / NAME / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def changed(edit: Callable[[dict[str, Any]], None], document: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A copy of a submission with a change."""
    result = copy.deepcopy(dict(document or submission()))
    edit(result)
    return result


def start(course: Path, cache: Path, steps: Sequence[Mapping[str, Any]]) -> subprocess.Popen[str]:
    """Start a process that runs commands of nbgrader one after the other."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "nbgrader_steps.py")],
        cwd=course, env=environment(cache), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(list(steps)))
    process.stdin.close()
    process.stdin = None
    return process


def run(course: Path, cache: Path, *steps: Sequence[str] | Mapping[str, Any]) -> tuple[list[int], str]:
    """Run commands of nbgrader in one process; return their exit codes, and what was said."""
    asked = [step if isinstance(step, Mapping) else {"command": list(step)} for step in steps]
    process = start(course, cache, asked)
    out, errors = process.communicate(timeout=300)
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert process.returncode == 0 and len(lines) == len(asked), errors
    return [line["code"] for line in lines], errors + out


_FROM = """
    join base_cell on base_cell.id = row.cell_id
    join submitted_notebook on submitted_notebook.id = row.notebook_id
    join submitted_assignment on submitted_assignment.id = submitted_notebook.assignment_id
    where submitted_assignment.student_id = ?
"""


def grades(database: Path, student: str) -> dict[str, tuple[float | None, float | None, bool]]:
    """By question: the score by machine, a person's score, and whether somebody has to look."""
    query = f"select base_cell.name, auto_score, manual_score, needs_manual_grade from grade row {_FROM}"
    with closing(sqlite3.connect(database)) as book:
        return {name: (auto, manual, bool(waits)) for name, auto, manual, waits in book.execute(query, (student,))}


def comments(database: Path, student: str) -> dict[str, tuple[str | None, str | None]]:
    """By cell: the comment of the machine, and that of a person."""
    query = f"select base_cell.name, auto_comment, manual_comment from comment row {_FROM}"
    with closing(sqlite3.connect(database)) as book:
        return {name: (auto, manual) for name, auto, manual in book.execute(query, (student,))}


def judge(database: Path, student: str, question: str, score: float, comment: str = "") -> None:
    """Write a person's score and comment as formgrader does: a row is read, then these columns are written."""
    with closing(sqlite3.connect(database, timeout=30)) as book, book:
        for table, change, value in (
            ("grade", "manual_score = ?, needs_manual_grade = 0", score),
            ("comment", "manual_comment = ?", comment),
        ):
            if value != "":
                query = f"select row.id from {table} row {_FROM} and base_cell.name = ?"
                (found,) = book.execute(query, (student, question)).fetchone()
                book.execute(f"update {table} set {change} where id = ?", (value, found))


def penalty(database: Path, student: str) -> float | None:
    """What a student loses for being late."""
    query = """select late_submission_penalty from submitted_notebook join submitted_assignment
        on submitted_assignment.id = submitted_notebook.assignment_id where student_id = ?"""
    with closing(sqlite3.connect(database)) as book:
        (found,) = book.execute(query, (student,)).fetchone()
    return None if found is None else float(found)


def autograded(course: Path, student: str) -> dict[str, Any]:
    """The autograded notebook of a student."""
    return dict(json.loads((course / "autograded" / student / NAME / NOTEBOOK).read_text(encoding="utf-8")))
