"""Worker processes: what is done, what is tried again, and what never survives."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from autograder import pool
from autograder.errors import GraderFault, IsolationUnavailable

LONG = 60.0


@contextmanager
def work(folder: Path) -> Iterator[Callable[[str], str]]:
    """What the workers here do: the task says how it goes."""

    def do(task: str) -> str:
        name, _, argument = task.partition(" ")
        with (folder / f"pid-{os.getpid()}").open("a") as stream:
            stream.write(task + "\n")
        return str(getattr(Tasks(folder), name)(argument))

    yield do


class Tasks:
    """Things that happen to a worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tell_pid(self, _: str) -> int:
        return os.getpid()

    def echo(self, argument: str) -> str:
        return argument

    def die(self, _: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def die_once(self, _: str) -> str:
        marker = self.folder / "died"
        if not marker.exists():
            marker.touch()
            os._exit(7)
        return "second time"

    def fail(self, _: str) -> None:
        raise ValueError("a hidden number: 0.0314")

    def fault(self, _: str) -> None:
        raise GraderFault("the fork server is gone")

    def no_isolation(self, _: str) -> None:
        raise IsolationUnavailable("install bubblewrap")

    def sleep(self, seconds: str) -> str:
        time.sleep(float(seconds))
        return "awake"

    def shout(self, words: str) -> str:
        print(words, flush=True)
        subprocess.run([sys.executable, "-c", f"print('child: {words}')"], check=True)
        return "shouted"

    def interrupt_oneself(self, _: str) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return "went on"

    def interrupt_in_a_child(self, _: str) -> str:
        code = "import signal; print(signal.getsignal(2) is signal.default_int_handler, signal.pthread_sigmask(0, []))"
        return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@contextmanager
def broken_work(error: type[Exception] | None) -> Iterator[Callable[[str], str]]:
    if error is None:
        os._exit(3)
    raise error("install bubblewrap")
    yield


def run(folder: Path, *tasks: str, jobs: int = 1, patience: float = LONG) -> list[pool.Event]:
    events = pool.run(partial(work, folder), tasks, jobs, folder / "log", patience)
    return [event for event in events if not isinstance(event, (pool.Tick, pool.Started))]


def test_one_worker_does_one_task_after_the_other(tmp_path: Path) -> None:
    first, second = run(tmp_path, "tell_pid", "tell_pid")
    assert first.result == second.result != str(os.getpid())


def test_results_come_with_the_number_of_their_task(tmp_path: Path) -> None:
    events = run(tmp_path, *(f"echo {number}" for number in range(6)), jobs=2)
    assert sorted((event.task, event.result) for event in events) == [(n, str(n)) for n in range(6)]


def test_no_more_workers_than_tasks_are_started(tmp_path: Path) -> None:
    run(tmp_path, "echo a", jobs=3)
    assert len(list(tmp_path.glob("pid-*"))) == 1


def test_a_worker_begins_with_its_next_task_while_the_result_of_the_last_one_is_written(tmp_path: Path) -> None:
    events = pool.run(partial(work, tmp_path), ["echo a", "echo b"], 1, tmp_path / "log", LONG)
    next(event for event in events if isinstance(event, pool.Finished))
    deadline = time.monotonic() + LONG
    while not any("echo b" in path.read_text() for path in tmp_path.glob("pid-*")):
        assert time.monotonic() < deadline, "the second task waits for the listener"
        time.sleep(0.02)
    assert [type(event) for event in events if not isinstance(event, pool.Tick)] == [pool.Started, pool.Finished]


def test_the_surroundings_of_the_caller_stay_as_they_were(tmp_path: Path) -> None:
    before = dict(os.environ)
    run(tmp_path, "echo a", jobs=1)
    assert dict(os.environ) == before


def test_a_worker_that_dies_is_replaced_and_its_task_tried_once_more(tmp_path: Path) -> None:
    assert run(tmp_path, "die_once", "echo after") == [
        pool.Retried(0, "ended without a word"),
        pool.Finished(0, "second time"),
        pool.Finished(1, "after"),
    ]


def test_a_task_that_kills_two_workers_is_given_up_and_the_others_go_on(tmp_path: Path) -> None:
    events = run(tmp_path, "echo a", "die", "echo b")
    assert events == [
        pool.Finished(0, "a"),
        pool.Retried(1, "ended by signal 9"),
        pool.Failed(1, "ended by signal 9"),
        pool.Finished(2, "b"),
    ]


def test_an_exception_is_named_but_its_text_stays_in_the_log(tmp_path: Path) -> None:
    events = run(tmp_path, "fail")
    assert events[-1] == pool.Failed(0, "met an unexpected ValueError")
    assert "0.0314" in (tmp_path / "log").read_text()


def test_a_fault_of_the_grader_is_tried_again_in_a_new_process(tmp_path: Path) -> None:
    assert [type(event) for event in run(tmp_path, "fault")] == [pool.Retried, pool.Failed]
    assert len(list(tmp_path.glob("pid-*"))) == 2


def test_a_worker_that_hangs_is_killed(tmp_path: Path) -> None:
    events = run(tmp_path, "sleep 60", "echo after", patience=1.0)
    assert events == [
        pool.Retried(0, "was not done within 1 seconds"),
        pool.Failed(0, "was not done within 1 seconds"),
        pool.Finished(1, "after"),
    ]


def test_what_ends_every_task_ends_the_run_at_once(tmp_path: Path) -> None:
    with pytest.raises(IsolationUnavailable, match="install bubblewrap"):
        run(tmp_path, "no_isolation", "echo after")


def test_an_error_while_workers_are_made_is_raised_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(IsolationUnavailable, match="install bubblewrap"):
        list(pool.run(partial(broken_work, IsolationUnavailable), ["a"], 1, tmp_path / "log", LONG))


@pytest.mark.parametrize("error", [None, RuntimeError])
def test_workers_that_die_as_they_start_are_not_started_for_ever(tmp_path: Path, error: type[Exception]) -> None:
    with pytest.raises(GraderFault, match=r"as they start; see .*log"):
        list(pool.run(partial(broken_work, error), ["a"], 1, tmp_path / "log", LONG))


def test_an_unexpected_error_while_workers_are_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraderFault, match=r"met an unexpected ZeroDivisionError \(install bubblewrap\) as they start"):
        list(pool.run(partial(broken_work, ZeroDivisionError), ["echo a"], 1, tmp_path / "log", LONG))
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()


def test_what_workers_and_their_children_print_goes_to_the_log(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    run(tmp_path, "shout hello")
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "log").read_text() == "hello\nchild: hello\n"


def test_control_c_reaches_workers_without_harm_and_their_children_as_usual(tmp_path: Path) -> None:
    events = run(tmp_path, "interrupt_oneself", "interrupt_in_a_child")
    assert [event.result for event in events] == ["went on", "True set()\n"]


def test_no_worker_survives_the_end_of_the_run(tmp_path: Path) -> None:
    events = pool.run(partial(work, tmp_path), ["sleep 60", "sleep 60"], 2, tmp_path / "log", LONG)
    started = 0
    while started < 2:
        started += isinstance(next(events), pool.Started)
    pids = wait_for_pids(tmp_path, 2)
    events.close()
    assert not any(is_alive(pid) for pid in pids)


def test_no_worker_survives_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "from functools import partial; from pathlib import Path; import test_pool; from autograder import pool\n"
        "if __name__ == '__main__':\n"
        f"    folder = Path({str(tmp_path)!r})\n"
        "    tasks = ['echo a', 'sleep 60']\n"
        "    list(pool.run(partial(test_pool.work, folder), tasks, 1, folder / 'log', 60))\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    (pid,) = wait_for_pids(tmp_path, 1)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_alive(pid)


def wait_for_pids(folder: Path, count: int) -> list[int]:
    deadline = time.monotonic() + 30
    while len(files := list(folder.glob("pid-*"))) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return [int(file.name.removeprefix("pid-")) for file in files]


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
