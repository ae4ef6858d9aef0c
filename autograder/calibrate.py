"""The command ``autograder calibrate``: train an assignment's known designs, and write what came of it.

The designs stand in ``tests/<assignment>/calibration_designs.py``: ``SECTION`` names the part of ``calibration.json``,
``images(data)`` returns clean images to train and to measure with, ``DESIGNS`` lists ``models.calibration.Design``.
Each attempt is kept in the store when it ends, so that a command that was stopped goes on where it was.
"""

from __future__ import annotations

import importlib.util
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any

from autograder.assignment import Assignment
from autograder.errors import AssignmentError
from autograder.models.calibration import CONFIDENCE, Attempt, Design, attempts, derived_limit, plateau, summary
from autograder.models.trainer import Images, Protocol
from autograder.models.training import use_one_thread
from autograder.report.files import write_text
from autograder.store import Store

DESIGNS = "calibration_designs.py"
FILE = "calibration.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Task:
    """One design by its place in the assignment's list, and how many attempts it gets, some of them to the end."""

    tests: Path
    data: Path
    protocol: Protocol
    place: int
    wanted: int
    full: int


def calibrate(
    tests: Path, data: Path, page: Path, seeds: int, other: int, jobs: int, say: Callable[[str], None]
) -> str:
    """Measure all designs, write ``calibration.json``, the page's measured part and its figure; return the table.

    The limit follows from the first round by ``derived_limit``; where it changes, attempts that were stopped by the
    old one go on. Raises AssignmentError where the rule finds no room, and then writes nothing.
    """
    module = load_designs(tests)
    protocol = Protocol.read(tests / FILE, module.SECTION)
    designs: Sequence[Design] = module.DESIGNS
    train, test = module.images(data)
    ignoring = plateau(Images.taken(train, test, protocol))
    for _ in range(2):
        wanted = [(seeds if design.expected == "passes" else other) for design in designs]
        tasks = [
            Task(tests, data, protocol, place, count, min(count, other)) for place, count in enumerate(wanted)
        ]  # fmt: skip
        made = _all(tasks, [design.name for design in designs], jobs, say)
        right = [part for design, part in zip(designs, made, strict=True) if design.expected == "passes"]
        limit = derived_limit(right, ignoring)
        if limit is None:
            raise AssignmentError(
                "no limit tells right designs from what ignores its input: right designs end too near to it. "
                "Nothing was written; let the protocol train longer."
            )
        if limit == protocol.limit:
            break
        say("the rule gives another limit: attempts that the old one stopped go on")
        protocol = replace(protocol, limit=limit)
    measured = [
        summary(design, part, task.full, protocol) for design, part, task in zip(designs, made, tasks, strict=True)
    ]
    write_text(tests / FILE, json.dumps(_document(tests / FILE, module.SECTION, protocol, measured), indent=2) + "\n")
    table = render(measured)
    if page.exists():
        figure = page.with_suffix(".svg")
        draw(figure, {design.name: part for design, part in zip(designs, made, strict=True)}, ignoring)
        write_text(page, put(page.read_text(encoding="utf-8"), f"{table}\n\n![Errors of the designs]({figure.name})"))
    return table


def page_of(assignment: Assignment) -> Path:
    """Return the page in ``docs/`` on an assignment's calibration: the one that names its file of figures.

    Where none does, it is the path of a page that is not there.
    """
    docs = assignment.root / "docs"
    for page in sorted(docs.glob("calibration*.md")):
        if f"tests/{assignment.name}/{FILE}" in page.read_text(encoding="utf-8"):
            return page
    return docs / f"calibration-{assignment.name}.md"


def load_designs(tests: Path) -> ModuleType:
    """Return the assignment's module of designs; raise AssignmentError where there is none, or no sound one."""
    path = tests / DESIGNS
    if not path.is_file():
        raise AssignmentError(f"{path} is missing: an assignment without designs has nothing to calibrate")
    spec = importlib.util.spec_from_file_location(f"calibration_designs_{tests.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise AssignmentError(f"{path} can not be imported: {error!r}") from error
    missing = [name for name in ("SECTION", "DESIGNS", "images") if not hasattr(module, name)]
    if missing:
        raise AssignmentError(f"{path} does not define {', '.join(missing)}")
    if not any(design.expected == "passes" for design in module.DESIGNS):
        raise AssignmentError(f"{path} has no design that passes: the limit follows from these")
    return module


def _all(tasks: Sequence[Task], names: Sequence[str], jobs: int, say: Callable[[str], None]) -> list[list[Attempt]]:
    made = []
    with ExitStack() as stack:
        mapped: Callable[..., Iterator[list[Attempt]]] = map
        if jobs > 1:
            mapped = stack.enter_context(ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))).map
        for name, task, part in zip(names, tasks, mapped(_run, tasks), strict=True):
            passed = sum(attempt.passing(task.protocol.limit) is not None for attempt in part)
            say(f"{name}: {passed} of {len(part)} attempts passed")
            made.append(part)
    return made


def _run(task: Task) -> list[Attempt]:
    use_one_thread()
    module = load_designs(task.tests)
    train, test = module.images(task.data)
    images = Images.taken(train, test, task.protocol)
    made: list[Attempt] = []
    for attempt in attempts(module.DESIGNS[task.place], task.protocol, images, task.wanted, task.full, Store()):
        made.append(attempt)
        if len(made) % 10 == 0:
            print(f"  {len(made)} of {task.wanted}", file=sys.stderr, flush=True)
    return made


def _document(path: Path, section: str, protocol: Protocol, measured: list[dict[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    document["schema_version"] = SCHEMA_VERSION
    document[section] = {"protocol": asdict(protocol), "confidence": CONFIDENCE, "measured": measured}
    return document


def render(measured: Sequence[dict[str, Any]]) -> str:
    """Return the table of the page; it does not name the limit."""
    lines = [
        "| design | should | attempts | passed | error at the pass, median | error at the end, median | CPU-s, mean | "
        "wrong, an attempt: at most | wrong, all attempts: at most |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    words = {"passes": "pass", "misses": "miss", "either": "not told apart"}
    for row in measured:
        errors = [f"{row[name][2]:.4f}" if row[name] else "none" for name in ("passing_error", "final_error")]
        bounds = [f"{row[name]:.1e}" if name in row else "" for name in ("bound_an_attempt", "bound")]
        cells = [row["name"], words[row["expected"]], str(row["attempts"]), str(row["passed"]), *errors]
        lines.append("| " + " | ".join([*cells, f"{row['cpu_seconds_mean']:.1f}", *bounds]) + " |")
    return "\n".join(lines)


def put(text: str, figures: str, part: str = "measured") -> str:
    """Return a page with what stands between the two remarks that name a part replaced.

    Raises AssignmentError where the page has no such part.
    """
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    if begin not in text or end not in text:
        raise AssignmentError(f"the page has no part {begin} ... {end}")
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{figures}\n{end}{rest.partition(end)[2]}"


def draw(path: Path, made: dict[str, list[Attempt]], ignoring: float) -> None:
    """Draw the last error of each attempt, a row a design, on a ground of its own that suits light and dark pages."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.35 * len(made) + 1), facecolor="#f6f6f2", layout="constrained")
    axes = figure.subplots()
    for row, part in enumerate(made.values()):
        errors = [attempt.curve[-1][1] for attempt in part if attempt.curve]
        axes.plot(errors, [row] * len(errors), "|", color="#2457a6", markersize=12)
    axes.axvline(ignoring, color="#b3541e", linestyle="--", label="the mean image")
    axes.set_yticks(range(len(made)), list(made))
    axes.invert_yaxis()
    axes.set_xlabel("mean squared error when the attempt ended")
    axes.legend()
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    write_text(path, text.getvalue())
