"""Decide about each fork of a confined tree, where no namespace bounds it (seccomp_unotify(2), Linux 5.5).

The filter of ``seccomp.for_landlock`` makes each fork wait for the one who holds the listener. That gives two
things which Linux has no other way to give an ordinary user: a bound on the processes of one tree alone,
and an end. Once the listener is closed, no process of the tree can make another one, so whoever kills
what is left does not race against a chain of forks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct

from autograder.sandbox import processes

_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV and _SEND
_SET_FLAGS, _SYNCHRONOUS_WAKE_UP = 0x40082104, 1  # SECCOMP_IOCTL_NOTIF_SET_FLAGS, Linux 6.6
_NOTIFICATION_BYTES = 80
_CONTINUE = 1


class ForkGate:
    """Lets forks of this process's descendants pass while there are at most ``limit`` of these.

    ``listener`` is the descriptor that the installing of the filter returned.
    """

    def __init__(self, listener: int, limit: int) -> None:
        self._listener = listener
        self._limit = limit
        # So many forks can pass without a look at what is there: one descendant exists, which asks.
        self._spare = limit - 1
        # Until the request is received a signal interrupts the fork, which a shell with a child takes for a failure.
        with contextlib.suppress(OSError):
            fcntl.ioctl(listener, _SET_FLAGS, _SYNCHRONOUS_WAKE_UP)

    def fileno(self) -> int:
        """Return the listener, readable when a fork waits."""
        return self._listener

    def answer(self) -> None:
        """Answer the fork that waits; the one who asked may have died meanwhile."""
        request = bytearray(_NOTIFICATION_BYTES)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, request)
            (number,) = struct.unpack_from("=Q", request)
            refused = 0 if self._may_pass() else -errno.EAGAIN
            fcntl.ioctl(self._listener, _SEND, struct.pack("=QqiI", number, 0, refused, 0 if refused else _CONTINUE))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINTR):
                raise

    def _may_pass(self) -> bool:
        if self._spare <= 0:
            self._spare = self._limit - len(processes.descendants(os.getpid()))
        self._spare -= 1
        return self._spare >= 0
