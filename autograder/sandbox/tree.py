"""Meter the process tree of one execution from outside: CPU seconds, memory, and the number of processes and threads.

Everything is read from a /proc that the confined side can not change. Of a private process id namespace
that /proc shows the whole tree and nothing else, however its members have detached themselves.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

_TICKS = os.sysconf("SC_CLK_TCK")
_READ_BYTES = 4096
_INIT = 1  # in a namespace of its own
_CPU, _THREADS = slice(11, 15), 17  # fields of ``stat``, counted from the state on


@dataclass(frozen=True)
class Usage:
    """What a tree has used (``cpu_seconds``, with all its dead) and uses now.

    ``tasks`` are processes and threads together; ``open_files`` are descriptors of all processes. Behind each of these
    may stand memory that belongs to no process, such as the buffers of a socket. ``members`` are the
    process ids of the tree, its root included.
    """

    cpu_seconds: float
    memory_bytes: int
    processes: int
    tasks: int
    open_files: int
    members: frozenset[int]


class Tree:
    """The processes that one /proc shows, or, of a shared one, the descendants of ``root``.

    ``proc`` is an open descriptor of the folder; whoever opened it closes it.
    """

    def __init__(self, proc: int, root: int | None = None) -> None:
        self._proc = proc
        self._root = root

    def measure(self, memory_limit: int) -> Usage:
        """Return what is used now; memory is exact where it matters.

        Pages that a fork shares with its parent are counted once, which is costly to find out: it is
        done only when the simple sum, which counts them twice, is above ``memory_limit``.
        """
        stats = dict(self._stats())
        members = stats if self._root is None else self._descendants(stats)
        ticks = sum(sum(int(field) for field in fields[_CPU]) for fields in members.values())
        memory = sum(self._unshared_bytes(process) for process in members)
        if memory > memory_limit and len(members) > 1:
            memory = self._proportional_bytes(members, memory_limit)
        tasks = sum(int(fields[_THREADS]) for fields in members.values())
        open_files = sum(map(self._open_files, members))
        return Usage(ticks / _TICKS, memory, len(members), tasks, open_files, frozenset(members))

    def _stats(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (process id, the fields of its ``stat`` from the state on)."""
        for name in os.listdir(self._proc):  # noqa: PTH208 (a descriptor is no path)
            if name.isdigit() and (text := self._read(f"{name}/stat")):
                yield int(name), text.rpartition(")")[2].split()

    def _descendants(self, stats: dict[int, list[str]]) -> dict[int, list[str]]:
        children: dict[int, list[int]] = {}
        for process, fields in stats.items():
            children.setdefault(int(fields[1]), []).append(process)
        found: dict[int, list[str]] = {}
        waiting = [self._root] if self._root is not None else []
        while waiting:
            process = waiting.pop()
            if process in stats:
                found[process] = stats[process]
                waiting += children.get(process, [])
        return found

    def _unshared_bytes(self, process: int) -> int:
        """Return anonymous and shared memory, and page tables; mapped files (the libraries) are not the student's."""
        return _kilobytes(self._read(f"{process}/status"), ("RssAnon:", "RssShmem:", "VmPTE:")) * 1024

    def _open_files(self, process: int) -> int:
        with contextlib.suppress(OSError):  # it has ended, or is init, which can not be looked into
            descriptor = os.open(f"{process}/fd", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._proc)
            try:
                return len(os.listdir(descriptor))  # noqa: PTH208 (a descriptor is no path)
            finally:
                os.close(descriptor)
        return 0

    def _proportional_bytes(self, processes: dict[int, list[str]], limit: int) -> int:
        total = 0
        for process in processes:
            shared = self._read(f"{process}/smaps_rollup")
            if shared:
                total += _kilobytes(shared, ("Pss_Anon:", "Pss_Shmem:")) * 1024
                total += _kilobytes(self._read(f"{process}/status"), ("VmPTE:",)) * 1024
            elif process not in (_INIT, self._root):
                # It does not let itself be looked into: then what it shares is counted as its own. Init never does,
                # and holds little but what it shares with the fork server.
                total += self._unshared_bytes(process)
            if total > limit:
                break
        return total

    def _read(self, name: str) -> str:
        with contextlib.suppress(OSError):
            descriptor = os.open(name, os.O_RDONLY, dir_fd=self._proc)
            try:
                return os.read(descriptor, _READ_BYTES).decode(errors="replace")
            finally:
                os.close(descriptor)
        return ""


def _kilobytes(text: str, fields: tuple[str, ...]) -> int:
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(fields))
