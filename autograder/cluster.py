"""Grade on a cluster: submissions go to the workers of a Dask scheduler, reports come back as they are done.

What travels is the course, packed once for each worker, and each submission's bytes; no worker needs a disk in common
with this machine. Every worker has to run the same version of this package. It isolates submissions as it can do by
itself: what its machine lacks is told as a fault of the grader, and nothing is run.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import shutil
import threading
import warnings
import zipfile
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from autograder import pool
from autograder.assignment import Assignment, load
from autograder.errors import AutograderError, GraderFault, InputError
from autograder.grade import Grader, Settings, course_digest
from autograder.report.model import Report
from autograder.sandbox.limits import Limits

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_WALL_SECONDS = "10s"
TICK_WALL_SECONDS = 0.5
AHEAD = 3
"""Submissions that are sent ahead for each thread of the cluster, so that none waits for the network."""
ATTEMPTS = 2
_lock = threading.Lock()
_graders: dict[str, Grader] = {}


def run(
    address: str, assignment: Assignment, settings: Settings, tasks: Sequence[tuple[Path, str]]
) -> Generator[pool.Event, None, None]:
    """Yield what happens while the workers of the scheduler at ``address`` do the tasks (file, student).

    Closing the iterator cancels what is left. Raises InputError where ``distributed`` is not installed or nobody
    answers at the address, GraderFault when the scheduler is lost on the way; what was yielded before is done.
    """
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            "--scheduler needs Dask's distributed: install this package with its extra, cluster"
        ) from error
    try:
        client = distributed.Client(address, timeout=CONNECT_WALL_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"no scheduler of Dask answers at {address}: {error}") from error
    with client:
        try:
            yield from _Batch(client, assignment, settings, tasks).events()
        except (OSError, TimeoutError, CancelledError) as error:
            raise GraderFault(f"the scheduler at {address} was lost: {error}. Run the same command to go on") from error


class _Batch:
    """The tasks of one batch, some of them on their way at any moment."""

    def __init__(
        self, client: Client, assignment: Assignment, settings: Settings, tasks: Sequence[tuple[Path, str]]
    ) -> None:
        self._client = client
        self._tasks = tasks
        # A task and no scattered data: when the worker that holds it dies, the scheduler makes it again.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            self._course: Future = client.submit(bytes, packed(assignment), pure=False)
        self._about = {
            "assignment": assignment.name,
            "digest": course_digest(assignment),
            "settings": {**asdict(settings), "own_limits": None},
            "limits": None if settings.own_limits is None else asdict(settings.own_limits),
        }
        self._waiting = deque(range(len(tasks)))
        self._running: dict[Future, int] = {}

    def events(self) -> Generator[pool.Event, None, None]:
        """Yield each start and each end."""
        from distributed import wait

        try:
            while self._waiting or self._running:
                yield from self._send()
                with contextlib.suppress(TimeoutError):
                    wait(list(self._running), timeout=TICK_WALL_SECONDS, return_when="FIRST_COMPLETED")
                ended = [future for future in self._running if future.done()]
                for future in ended:
                    yield self._end(future)
                if not ended:
                    self._fail_if_nobody_works()
                    yield pool.Tick()
        finally:
            for future in self._running:
                future.cancel()

    def _send(self) -> Generator[pool.Event, None, None]:
        threads = sum(self._client.nthreads().values())
        while self._waiting and len(self._running) < AHEAD * max(1, threads):
            number = self._waiting.popleft()
            file, student = self._tasks[number]
            # The folders above say whose it is.
            parts = file.absolute().relative_to("/").parts[-3:]
            future = self._client.submit(
                grade, self._course, self._about, parts, _content(file), student, pure=False, retries=ATTEMPTS - 1
            )
            self._running[future] = number
            yield pool.Started(number)

    def _end(self, future: Future) -> pool.Event:
        number = self._running.pop(future)
        if future.status == "finished":
            return pool.Finished(number, future.result())
        if future.status != "error":
            raise OSError("it forgot what it was to do")
        error = future.exception()
        if isinstance(error, AutograderError):
            raise error
        return pool.Failed(number, f"failed on the cluster ({type(error).__name__}: {error})")

    def _fail_if_nobody_works(self) -> None:
        if self._client.status != "running":
            raise OSError("the connection was closed")


def _content(file: Path) -> bytes | None:
    """Return a submission's bytes; None for what is no file, which the worker finds out as well."""
    try:
        return file.read_bytes() if file.is_file() and not file.is_symlink() else None
    except OSError:
        return None


def packed(assignment: Assignment) -> bytes:
    """Return what grading needs of a course as a zip: the source, the hidden checks, the data."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in assignment.files():
            archive.write(path, path.relative_to(assignment.root))
    return buffer.getvalue()


def grade(course: bytes, about: Mapping[str, Any], parts: Sequence[str], content: bytes | None, student: str) -> str:
    """Grade one submission in a worker of the cluster; return the report as JSON.

    One at a time in each process: a worker with several threads lets the others wait. Raises GraderFault where this
    machine can not grade, or has another version of this package.
    """
    with _lock:
        grader = _grader(course, about)
        folder = Path(mkdtemp(prefix="autograder-task-"))
        file = folder.joinpath(*parts)
        file.parent.mkdir(parents=True, exist_ok=True)
        if content is not None:
            file.write_bytes(content)
        try:
            report = grader.grade(file, student)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return Report.model_validate(report.model_dump()).model_dump_json()


def _grader(course: bytes, about: Mapping[str, Any]) -> Grader:
    """Return this process's grader for a course, made on first use and kept warm."""
    key = json.dumps(about, sort_keys=True)
    if key not in _graders:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        root = Path(mkdtemp(prefix="autograder-course-"))
        atexit.register(shutil.rmtree, root, ignore_errors=True)
        with zipfile.ZipFile(io.BytesIO(course)) as archive:
            archive.extractall(root)
        assignment = load(root, about["assignment"])
        if course_digest(assignment) != about["digest"]:
            raise GraderFault("a worker of the cluster has another version of this package, of Keras or of NumPy")
        limits = None if about["limits"] is None else Limits(**about["limits"])
        grader = Grader(assignment, Settings(**{**about["settings"], "own_limits": limits}))
        grader.start()
        _graders[key] = grader
    return _graders[key]
