"""Each hostile submission, graded by the real command line, earns no more than it would honestly, and touches nothing.

All are graded in one batch, as a class would be, with the honest twin of each and with neighbours that stand between
them. ``BACKENDS`` holds the ways to isolate with which this is done.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import table  # noqa: E402
from batch import (  # noqa: E402
    ALL,
    FIRST,
    NEIGHBOURS,
    TWINS,
    Batch,
    grade,
    seen,
    submit,
    submit_documents,
    submit_honest,
    twin_name,
)
from payloads.documents import ARCHIVES, DELIVERIES  # noqa: E402
from small_sandbox import needs  # noqa: E402
from surroundings import CANARY, ROOT, SECRET, Surroundings  # noqa: E402

pytestmark = pytest.mark.timeout(1200)
BUILDERS, SMALL, COMPILE = 52.0, 83.0, 8.0
# Points that the honest twins earn, worked out by hand: all of their base but what their own cell loses.
EARNED = {
    ("builders", "plot-digits", ""): BUILDERS,
    ("builders", "load-data", ""): BUILDERS,
    ("small", "best-latent-dimension", ""): SMALL,
}
DENIED = "The grader could not decide this one"


@dataclass(frozen=True)
class Backend:
    """A way to isolate: the option of the command line, what the command line is run by, and what it is to hold."""

    name: str
    names: tuple[str, ...]
    prefix: tuple[str, ...] = ()


# What a verdict rests on is the same with each backend, and so are the two that only take their time.
OF_ISOLATION = ("control-flow-", "exhausting-", "reaching-out-", "secrets-")
LONG = {
    "control-flow-a-loop-swallows-every-interruption-and-never-gives-the-interpreter-bac",
    "control-flow-the-process-stops-itself",
}
assert set(ALL) >= LONG
HELD_BY_LANDLOCK = tuple(name for name in ALL if name.startswith(OF_ISOLATION) and name not in LONG)
# Landlock is for places where namespaces are forbidden.
BACKENDS = {
    Backend("namespaces", tuple(ALL)): needs("namespaces"),
    Backend("landlock", HELD_BY_LANDLOCK, (sys.executable, str(HERE.parent / "docker_filter.py"))): needs("landlock"),
}
EACH = [pytest.param(backend, id=backend.name, marks=mark) for backend, mark in BACKENDS.items()]
EACH_NAME = [
    pytest.param(backend, name, id=f"{backend.name}-{name}", marks=mark)
    for backend, mark in BACKENDS.items()
    for name in backend.names
]
SEARCHES = [param for param in EACH_NAME if ALL[str(param.values[1])].searches]


@pytest.fixture(scope="module")
def batches() -> Iterator[Callable[[Backend], Batch]]:
    """Grade the batch of each backend once, when it is first asked for, in whatever order the tests run."""
    made: dict[str, Batch] = {}
    with ExitStack() as stack:

        def batch_of(backend: Backend) -> Batch:
            if backend.name not in made:
                surroundings = stack.enter_context(Surroundings())
                submit_honest(surroundings)
                submit(surroundings, backend.names)
                submit_documents(surroundings)
                # One more than the cores: some payloads only wait.
                jobs = str((os.cpu_count() or 1) + 1)
                made[backend.name] = grade(surroundings, backend.name, "--jobs", jobs, prefix=backend.prefix)
            batch = made[backend.name]
            # Said once for all: hundreds of reports that are not there would hide why.
            if not batch.reports:
                said = f"exit {batch.done.returncode}\n{batch.done.stderr[-2000:]}"
                pytest.fail(f"nothing was graded: {said}", pytrace=False)
            return batch

        yield batch_of


@pytest.fixture(params=EACH)
def batch(request: pytest.FixtureRequest, batches: Callable[[Backend], Batch]) -> Batch:
    return batches(request.param)


def test_the_grader_lives_and_reports_on_everybody(batch):
    # What can not be read is told by the exit code, and all others are graded.
    assert batch.done.returncode == 2, batch.done.stderr
    (names,) = (backend.names for backend in BACKENDS if backend.name == batch.isolation)
    expected = {*names, *NEIGHBOURS, *map(twin_name, TWINS), *map(seen, DELIVERIES)}
    expected |= {archive.student for archive in ARCHIVES} - {""}
    assert set(batch.reports) == expected
    readable = [report for report in batch.reports.values() if report["status"] != "ungradable"]
    assert "Traceback" not in batch.done.stderr + batch.done.stdout
    assert all(report["execution"]["isolation"] == batch.isolation for report in readable)


@pytest.mark.parametrize("twin", TWINS, ids=map(twin_name, TWINS))
def test_honest_twins_earn_what_is_theirs(batch, twin):
    report = batch.reports[twin_name(twin)]
    base = BUILDERS if twin[0] == "builders" else SMALL
    lost = {"build-encoder": 15.0, "compile": 8.0, "encoder-size": 2.0, "fit": 6.0, "reconstructions": 2.0}
    least = base - lost.get(twin[1], 0.0) - 8.0
    assert least <= report["score"] <= base + 6.0, {q["id"]: q["score"] for q in report["questions"]}
    assert report["score"] == EARNED.get(twin, report["score"])
    assert report["fault"] is None


@pytest.mark.parametrize(("batch", "name"), EACH_NAME, indirect=["batch"])
def test_no_attack_earns_more_than_its_honest_twin(batch, name):
    report, twin = batch.reports[name], batch.reports[twin_name(ALL[name].twin)]
    scores = {q["id"]: (q["score"], t["score"]) for q, t in zip(report["questions"], twin["questions"], strict=True)}
    assert report["score"] <= twin["score"], scores
    assert report["score"] + report["awaiting_review"] <= report["max_score"] == 100


@pytest.mark.parametrize(("batch", "name"), EACH_NAME, indirect=["batch"])
def test_every_outcome_is_classified(batch, name):
    report, ends = batch.reports[name], ALL[name].ends
    assert report["status"] in ("graded", "needs_review")
    fault = report["fault"]
    assert fault is None or fault["whose"] == "student"
    assert ends is None or (fault is not None) == ends, fault
    assert DENIED not in json.dumps(report), [c for q in report["questions"] for c in q["checks"] if DENIED in str(c)]


@pytest.mark.parametrize(("batch", "name"), SEARCHES, indirect=["batch"])
def test_the_searches_come_back_empty(batch, name):
    assert batch.error_of(name, ALL[name].question) == "AssertionError: []"


@pytest.mark.parametrize("delivery", DELIVERIES, ids=lambda delivery: delivery.claim)
def test_what_is_no_notebook_is_refused_and_what_is_one_is_graded(batch, delivery):
    report = batch.reports[seen(delivery)]
    if delivery.refused:
        assert (report["status"], report["score"], report["fault"]["whose"]) == ("ungradable", 0.0, "student")
        assert report["fault"]["message"]
    else:
        assert (report["status"], report["score"], report["fault"]) == ("graded", BUILDERS, None)


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: archive.claim)
def test_a_hostile_archive_is_named_and_not_unpacked(batch, archive):
    number = ARCHIVES.index(archive)
    if archive.student:
        assert batch.reports[archive.student]["status"] == "ungradable"
        return
    said = [line for line in batch.done.stderr.splitlines() if f"class-{number}.zip" in line]
    assert any(archive.said in line for line in said), said


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbours_are_graded_as_if_alone(batch, name):
    report, first = batch.reports[name], batch.reports[FIRST]
    assert (report["score"], report["awaiting_review"], report["status"]) == (SMALL, 9.0, "graded")
    assert report["questions"] == first["questions"] and not report["execution"]["from_cache"]
    assert not report["execution"]["salvaged"]
    strip = [{key: cell[key] for key in ("index", "status", "error")} for cell in report["cells"]]
    assert strip == [{key: cell[key] for key in ("index", "status", "error")} for cell in first["cells"]]


def written(batch: Batch) -> Iterator[tuple[Path, str]]:
    """Yield every file of the results; each of them must be UTF-8."""
    for path in sorted(batch.surroundings.out.rglob("*")):
        if path.is_file():
            yield path, path.read_text(encoding="utf-8")


def test_nothing_hidden_reaches_what_people_read(batch):
    protocol = json.loads((ROOT / "tests" / "autoencoders" / "calibration.json").read_text("utf-8"))["denoising"]
    numbers = {str(protocol["protocol"][name]) for name in ("limit", "seed")}
    place = str(batch.surroundings.folder)
    hidden = (SECRET, CANARY, *numbers, "tests/autoencoders", "submitted_restarts", "def test_", place, "victim-")
    texts = [("out", batch.done.stdout), *((str(path), text) for path, text in written(batch))]
    found = {(path, word) for path, text in texts for word in hidden if word in text}
    assert {entry for entry in found if "command-line" not in entry[0]} == set()


# What was drawn is drawn again by the grader, from numbers alone; a picture of any other form is none of these.
OWN_PICTURE = re.compile(r'<img src="data:image/png;base64,[A-Za-z0-9+/]+={0,2}" alt="Picture [^"<>]*">')


# The one script that there is stands on the page of the class.
OWN_SCRIPT = f"<script>{(ROOT / 'autograder' / 'report' / 'class.js').read_text(encoding='utf-8')}</script>"


def test_nothing_acts_in_what_people_read(batch):
    for path, text in written(batch):
        acting = re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]", text)
        assert not acting, path
        if path.suffix == ".html":
            foreign = OWN_PICTURE.sub("", text)
            if path.parent == batch.surroundings.out:
                assert foreign.count(OWN_SCRIPT) == 1
                foreign = foreign.replace(OWN_SCRIPT, "")
            assert not re.search(r"<(script|img|iframe|object)|<[^>]*\son\w+\s*=|href=\"?\s*javascript:", foreign), path
            assert "Content-Security-Policy" in text, path
    with (batch.surroundings.out / "scores.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if (cell[:1] in "=+@\t" and cell) or re.match(r"-\D", cell)]


def test_nothing_acts_in_what_a_terminal_or_a_ci_service_reads(batch):
    for line in (batch.done.stdout + batch.done.stderr).splitlines():
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", line), line
        assert not re.match(r"\s*::", line) and not re.match(r"\s*##\w*\[", line), line
    for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"):
        assert (batch.surroundings.host / name).read_bytes() == b""


def test_nobody_reached_a_listener(batch):
    assert batch.reached == ()


def test_the_host_is_untouched(batch):
    assert batch.after == batch.before
    assert list(batch.surroundings.planted.iterdir()) == []
    assert not Path("/autograder").exists() and not list(Path("/tmp").glob("escaped*"))
    assert sorted(path.name for path in batch.surroundings.folder.iterdir() if path.suffix != ".zip") == [
        "cache", "course", "graded", "host", "submitted",
    ]  # fmt: skip
    assert sorted(path.name for path in batch.surroundings.out.iterdir() if not path.is_dir()) == [
        "index.html", "scores.csv", "summary.json",
    ]  # fmt: skip
    assert {path.name for path in batch.surroundings.out.glob("*/*")} == {"report.json", "index.html"}


def test_no_process_survives_and_none_of_the_host_was_ended(batch):
    assert batch.survivors == []
    assert batch.surroundings.victim.poll() is None


def test_the_page_of_the_attacks_is_in_step():
    assert table.PAGE.read_text(encoding="utf-8") == table.render(), "run: make attacks"
