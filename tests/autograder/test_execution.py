"""The watch over one execution, against a control socket that the test itself speaks on."""

import os
import socket
import subprocess
import threading

import pytest

from autograder.sandbox import execution, launch
from autograder.sandbox.limits import Limits
from autograder.sandbox.protocol import encode


@pytest.fixture
def sockets():
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET), socket.socketpair()]
    yield [side for pair in pairs for side in pair]
    for pair in pairs:
        for side in pair:
            side.close()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux only")
@pytest.mark.parametrize("order", [("forked", "started"), ("started", "forked")])
def test_monitor_and_init_may_speak_in_any_order(sockets, order):
    """Of a shared /proc only the child's own tree is metered, and the child is killed, whoever speaks first."""
    control, remote, channel, hostile = sockets
    with subprocess.Popen(["sleep", "60"]) as child:
        pidfd, proc = os.pidfd_open(child.pid), os.open("/proc", os.O_RDONLY)
        for event in order:
            if event == "forked":
                launch.send(remote, "forked", [pidfd], process=child.pid)
            else:
                launch.send(remote, "started", [pidfd, proc], home="/nowhere", user=None)
        os.close(pidfd)
        os.close(proc)

        def monitor():
            child.wait()
            launch.send(remote, "gone", cpu_seconds=0.1, peak_resident_bytes=1)

        waiting = threading.Thread(target=monitor)
        waiting.start()
        hostile.sendall(encode({"event": "start", "index": 0}) + encode({"event": "end"}))
        seen = execution.run(control, channel, b"", frozenset([0]), Limits(start_wall_seconds=20.0))
        waiting.join()
    assert (seen.ending, child.returncode) == ("completed", -9)
    assert seen.cpu_seconds < 10  # this machine's processes together have used more


def test_a_monitor_that_dies_before_the_start_is_a_loss(sockets):
    control, remote, channel, _ = sockets
    remote.close()
    with pytest.raises(execution.ChildLost, match="died"):
        execution.run(control, channel, b"", frozenset(), Limits(start_wall_seconds=5.0))


def test_a_silent_server_is_a_loss(sockets):
    control, _, channel, _ = sockets
    with pytest.raises(execution.ChildLost, match="does not answer"):
        execution.run(control, channel, b"", frozenset(), Limits(start_wall_seconds=0.2))


def test_a_child_that_could_not_be_confined_is_a_loss_with_the_reason(sockets):
    control, remote, channel, _ = sockets
    launch.send(remote, "failed", reason="PermissionError: unshare")
    with pytest.raises(execution.ChildLost, match="PermissionError: unshare"):
        execution.run(control, channel, b"", frozenset(), Limits())
