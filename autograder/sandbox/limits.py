"""Every bound on one execution, in one place: its value, its unit, its range, and what enforces it.

Bounds are on CPU time where that is possible, so that a busy machine never changes a grade;
the bounds on wall time stand behind them and are far away from what honest work needs.

A course sets its own in ``tests/<assignment>/limits.toml``; ``docs/limits.md`` shows how, with a table of all.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

KIBIBYTE = 1024
MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE
HOUR = 3600.0
# In the fast lane a model is evaluated on about so many rows, out of more.
EVALUATED_ROWS = 250
FILE = "limits.toml"

Unit = Literal["CPU seconds", "wall seconds", "bytes", "characters", ""]
Training = Literal["record", "short", "full"]
Lane = Literal["fast", "full"]
Enforcer = Literal["watch", "process", "group", "mount", "reader", "guest"]
_SIZES = {"KiB": KIBIBYTE, "MiB": MEBIBYTE, "GiB": GIBIBYTE}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(KiB|MiB|GiB)")
# Fits that are performed need time. A literal notebook trains for minutes here, for more than an hour elsewhere, most
# of it in one cell; each fit of a few steps costs the tracing of a graph, for each dimension of a comparison.
_TIMES: Mapping[str, Mapping[str, Any]] = {
    "record": {},
    "short": {"cell_cpu_seconds": 300.0, "notebook_cpu_seconds": 1200.0},
    "full": {
        "cell_cpu_seconds": 6 * HOUR,
        "notebook_cpu_seconds": 12 * HOUR,
        "notebook_wall_seconds": 24 * HOUR,
    },
}


@dataclass(frozen=True)
class Bound:
    """What is known of one limit besides its value.

    ``least`` and ``most`` are what a course may set. ``by`` names what enforces it: the ``watch`` on the tree, the
    kernel for each ``process`` or for the ``group`` of all, the ``mount`` of the folders that can be written to, the
    ``reader`` of what leaves the sandbox, or the ``guest`` in it (whose word is never enough: it only cuts earlier).
    """

    name: str
    unit: Unit
    least: float
    most: float
    by: tuple[Enforcer, ...]
    text: str
    default: float


def _bound(default: float, unit: Unit, least: float, most: float, by: str, text: str) -> Any:
    about = {"unit": unit, "least": least, "most": most, "by": tuple(by.split()), "text": text}
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class Limits:
    """What one submission, with all of its processes, may use; see ``bounds`` for what each limit means."""

    cell_cpu_seconds: float = _bound(
        60.0, "CPU seconds", 1, 48 * HOUR, "watch", "one cell; then it is interrupted, as by the stop button"
    )
    notebook_cpu_seconds: float = _bound(
        600.0, "CPU seconds", 1, 96 * HOUR, "watch process", "all cells; then everything is killed"
    )
    grace_cpu_seconds: float = _bound(
        5.0, "CPU seconds", 0.1, HOUR, "watch", "what an interrupted cell may still use before it is killed"
    )
    grace_wall_seconds: float = _bound(
        20.0, "wall seconds", 0.1, HOUR, "watch", "how long an interrupted cell may still run before it is killed"
    )
    idle_wall_seconds: float = _bound(
        120.0, "wall seconds", 1, 24 * HOUR, "watch", "how long a cell may wait without computing"
    )
    idle_cpu_seconds: float = _bound(
        1.0, "CPU seconds", 0.01, 60, "watch", "what has to be used in that time to count as computing"
    )
    notebook_wall_seconds: float = _bound(HOUR, "wall seconds", 10, 96 * HOUR, "watch", "all cells; the last resort")
    start_wall_seconds: float = _bound(
        180.0, "wall seconds", 1, HOUR, "watch", "how long the sandbox may take to start (ours, not the student's)"
    )
    gone_wall_seconds: float = _bound(
        60.0, "wall seconds", 0.1, HOUR, "watch", "how long a kill may take; then the sandbox is started again"
    )
    memory_bytes: int = _bound(
        4 * GIBIBYTE, "bytes", 256 * MEBIBYTE, 1024 * GIBIBYTE, "watch process group",
        "memory of all processes together; a single one gets a MemoryError first",
    )  # fmt: skip
    scratch_bytes: int = _bound(
        GIBIBYTE,
        "bytes",
        MEBIBYTE,
        1024 * GIBIBYTE,
        "mount watch group",
        "temporary and home folder and /dev/shm together",
    )
    scratch_files: int = _bound(20_000, "", 100, 10_000_000, "mount watch", "files and folders in them")
    file_bytes: int = _bound(GIBIBYTE, "bytes", MEBIBYTE, 1024 * GIBIBYTE, "process", "one file")
    tasks: int = _bound(512, "", 16, 32_768, "watch process group", "processes and threads at once")
    processes: int = _bound(128, "", 4, 32_768, "watch", "processes at once")
    open_files: int = _bound(512, "", 64, 1_048_576, "process", "open files of one process")
    all_open_files: int = _bound(4_096, "", 64, 16_777_216, "watch", "open files of all processes together")
    threads: int = _bound(1, "", 1, 1024, "guest", "threads of each of TensorFlow's two pools")
    stream_bytes: int = _bound(
        256 * MEBIBYTE, "bytes", MEBIBYTE, 4 * GIBIBYTE, "reader", "evidence and all else that leaves the sandbox"
    )
    header_bytes: int = _bound(
        24 * MEBIBYTE, "bytes", 64 * KIBIBYTE, 256 * MEBIBYTE, "reader", "the part of it that is text, not numbers"
    )
    frames: int = _bound(20_000, "", 100, 1_000_000, "reader", "records of all kinds")
    output_characters: int = _bound(
        20_000, "characters", 0, 10_000_000, "guest reader", "printed by one cell; the rest is cut with a note"
    )
    notebook_output_characters: int = _bound(
        400_000, "characters", 0, 10_000_000, "guest reader", "printed by all cells; the rest is cut with a note"
    )
    models: int = _bound(1_500, "", 1, 100_000, "guest reader", "states of models that are recorded")
    model_parameters: int = _bound(
        2_000_000, "", 0, 4_000_000, "guest reader", "parameters of a model; the weights of a larger one stay behind"
    )
    arrays: int = _bound(4_000, "", 1, 100_000, "guest reader", "arrays that are recorded")
    array_values: int = _bound(
        1_000_000, "", 1_000, 4_000_000, "guest reader", "numbers of one array that are recorded; then fewer rows"
    )
    figures: int = _bound(60, "", 0, 10_000, "guest reader", "figures of one cell")
    figure_images: int = _bound(200, "", 0, 10_000, "guest reader", "images in one figure")
    figure_values: int = _bound(1_000_000, "", 0, 4_000_000, "guest reader", "pixels and points in one figure")
    poll_wall_seconds: float = _bound(0.25, "wall seconds", 0.01, 5, "watch", "how often the watch looks")

    @classmethod
    def bounds(cls) -> tuple[Bound, ...]:
        """Return what is known of each limit, in their order."""
        return tuple(Bound(name=one.name, default=getattr(cls, one.name), **one.metadata) for one in fields(cls))

    @classmethod
    def fitting(cls, training: str) -> Limits:
        """Return the limits of an execution in which fits are recorded, run a few steps ("short") or in "full"."""
        return replace(cls(), **_TIMES.get(training, {}))

    def changed(self, values: Mapping[str, object]) -> Limits:
        """Return these limits with others in place of some; ValueError says which one can not be, and why."""
        known = {bound.name: bound for bound in self.bounds()}
        for name in values:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                raise ValueError(f"there is no limit {name!r}." + (f" Did you mean {close[0]}?" if close else ""))
        checked: dict[str, Any] = {name: _checked(known[name], value) for name, value in values.items()}
        return replace(self, **checked)

    def to_json(self) -> dict[str, Any]:
        """Return the limits as plain JSON, as the job frame and the fork server's request carry them."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Limits:
        """Build the limits from ``to_json``'s result; an unknown name raises TypeError."""
        return cls(**values)


def of_course(tests: Path, training: str) -> Limits:
    """Return the limits that an assignment sets in ``limits.toml`` beside its checks, or the usual ones.

    The table ``limits`` holds for all; a table ``limits.record``, ``limits.short`` or ``limits.full`` for executions
    with such fits alone. The longer times that performed fits have are changed by their own table only. Raises
    AssignmentError.
    """
    from autograder.errors import AssignmentError  # not a part of what the sandbox sees

    path = tests / FILE
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Limits.fitting(training)
    except (OSError, ValueError) as error:
        raise AssignmentError(f"{path} can not be read: {error}") from error
    try:
        return _from_document(document, training)
    except ValueError as error:
        raise AssignmentError(f"{path}: {error}") from error


def _from_document(document: Mapping[str, Any], training: str) -> Limits:
    table = document.get("limits")
    if not isinstance(table, dict) or set(document) != {"limits"}:
        raise ValueError("expected one table, [limits], and nothing else")
    own = {name: values for name, values in table.items() if name in _TIMES}
    if any(isinstance(value, dict) != (name in _TIMES) for name, value in table.items()):
        raise ValueError("the tables in it are [limits.record], [limits.short] and [limits.full], and no others")
    usual = Limits().changed({name: value for name, value in table.items() if name not in own})
    # A mistake in a table is told even when another one is used.
    found = {name: replace(usual, **_TIMES[name]).changed(own.get(name, {})) for name in _TIMES}
    return found[training]


def _checked(bound: Bound, value: object) -> float:
    """Return the number that a setting stands for; sizes may be texts such as ``"2 GiB"``."""
    size = _SIZE.fullmatch(value) if isinstance(value, str) and bound.unit == "bytes" else None
    number: Any = float(size[1]) * _SIZES[size[2]] if size else value
    whole = isinstance(bound.default, int)
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
    if not is_number or (whole and number != int(number)):
        kind = 'bytes as a whole number, or a text such as "2 GiB"' if bound.unit == "bytes" else "a whole number"
        raise ValueError(f"{bound.name} is {kind if whole else 'a number'}, not {value!r}")
    if not bound.least <= number <= bound.most:
        least, most = (amount(limit, bound.unit) for limit in (bound.least, bound.most))
        raise ValueError(f"{bound.name} is from {least} to {most}, not {amount(number, bound.unit)}")
    return int(number) if whole else float(number)


def amount(value: float, unit: Unit) -> str:
    """Return a value with its unit as people read it: ``4 GiB``, ``60 CPU seconds``, ``20,000 characters``."""
    if unit == "bytes":
        for name in ("GiB", "MiB", "KiB"):
            if value >= _SIZES[name]:
                return f"{value / _SIZES[name]:.4g} {name}"
        return f"{value:g} bytes"
    return f"{value:,.10g} {unit}".rstrip()
