"""User ids that belong to one submission alone: who may hand them out, and which is free."""

from __future__ import annotations

import os
from pathlib import Path

_HOST_ID_BASE = 0x7000_0000  # above every id that systemd or a distribution hands out


def is_powerful_root() -> bool:
    """Tell whether this process is root and has other user ids to drop to."""
    return os.geteuid() == 0 and _usable_ids()[1] >= 4096


def _usable_ids() -> tuple[int, int]:
    """Return the first of the longest run of user ids that exist here, and its length."""
    lines = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    runs = [(int(first), int(count)) for first, _, count in (line.split() for line in lines)]
    return max(runs, key=lambda run: run[1])


def free_host_id(number: int) -> int:
    """Return a user id that nobody else has, out of those that this (perhaps itself mapped) root may use."""
    first, count = _usable_ids()
    if first <= _HOST_ID_BASE and first + count > _HOST_ID_BASE + 2**22:
        return _HOST_ID_BASE + number
    return first + count - 1 - number % (count // 2)
