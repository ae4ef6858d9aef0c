"""The filter of system calls: what its program answers, and what the kernel does with it in a real child."""

import errno
import json
import platform
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from small_sandbox import HERE

from autograder.sandbox import linux, seccomp
from autograder.sandbox.seccomp import ALLOW, KILL, NOTIFY, Condition, Rule, program, refused

X86_64 = 0xC000003E
FILTERS = {
    "namespaces": seccomp.for_namespaces(),
    "landlock": seccomp.for_landlock(own_user=True),
    "landlock, the grader's user": seccomp.for_landlock(own_user=False),
}


@pytest.fixture(autouse=True)
def one_machine(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def answer(rules, call, *arguments, architecture=X86_64, number=None):
    """Run the program as the kernel would, and return the action."""
    number = linux.call_number(call) if number is None else number
    values = [value & (2**64 - 1) for value in (*arguments, *[0] * 6)[:6]]
    data = struct.pack("=iIQ6Q", number if number < 2**31 else number - 2**32, architecture, 0, *values)
    instructions, position, accumulator = program(rules), 0, None
    while True:
        code, if_true, if_false, operand = instructions[position]
        position += 1
        match code:
            case 0x20:  # load a word
                (accumulator,) = struct.unpack_from("=I", data, operand)
            case 0x15:
                position += if_true if accumulator == operand else if_false
            case 0x35:
                position += if_true if accumulator >= operand else if_false
            case 0x45:
                position += if_true if accumulator & operand else if_false
            case 0x06:
                return operand
            case _:
                raise AssertionError(hex(code))


@pytest.mark.parametrize("rules", FILTERS.values(), ids=FILTERS)
def test_every_jump_lands_inside_the_program_and_every_path_returns(rules):
    instructions = program(rules)
    assert len(instructions) <= 4096
    for position, (code, if_true, if_false, operand) in enumerate(instructions):
        assert 0 <= operand < 2**32
        if code in (0x15, 0x35, 0x45):
            assert 0 <= if_true < 256
            assert 0 <= if_false < 256
            assert position + 1 + max(if_true, if_false) < len(instructions)
    assert instructions[-1][0] == 0x06


@pytest.mark.parametrize("rules", FILTERS.values(), ids=FILTERS)
def test_calls_that_no_rule_names_are_allowed_whatever_stands_before_them(rules):
    named = {linux.call_number(rule.call) for rule in rules}
    for number in set(range(seccomp.FIRST_UNKNOWN_CALL)) - named:
        assert answer(rules, "", 2**64 - 1, 2**64 - 1, number=number) == ALLOW, number


@pytest.mark.parametrize("rules", FILTERS.values(), ids=FILTERS)
def test_what_is_not_known_does_not_exist_and_other_ways_in_are_deadly(rules):
    for number in (seccomp.FIRST_UNKNOWN_CALL, 470, 1000, 2**30 - 1):
        assert answer(rules, "", number=number) == refused(errno.ENOSYS)
    assert answer(rules, "", number=0x40000000 + 41) == KILL  # the x32 form of socket
    assert answer(rules, "", number=2**32 - 1) == KILL
    assert answer(rules, "", number=0, architecture=0x40000003) == KILL  # 32 bits


LANDLOCK = ("landlock", "landlock, the grader's user")
CASES = [
    (("namespaces",), "socket", (40,), refused(errno.EAFNOSUPPORT)),  # to the machine around this one
    (("namespaces",), "socket", (38,), refused(errno.EAFNOSUPPORT)),
    (("namespaces",), "socket", (2,), ALLOW),
    (("namespaces",), "socket", (1,), ALLOW),
    (LANDLOCK, "socket", (1,), refused(errno.EAFNOSUPPORT)),
    (LANDLOCK, "socket", (2,), refused(errno.EAFNOSUPPORT)),
    (LANDLOCK, "socketpair", (1,), ALLOW),
    (LANDLOCK, "socketpair", (30,), refused(errno.EAFNOSUPPORT)),
    (tuple(FILTERS), "io_uring_setup", (), refused(errno.ENOSYS)),
    (tuple(FILTERS), "memfd_create", (), refused(errno.ENOSYS)),
    (tuple(FILTERS), "ptrace", (), refused(errno.EPERM)),
    (tuple(FILTERS), "keyctl", (), refused(errno.EPERM)),
    (tuple(FILTERS), "ioctl", (0, 0x5412), refused(errno.EPERM)),  # typing into a terminal
    (tuple(FILTERS), "ioctl", (0, 0x5401), ALLOW),
    (tuple(FILTERS), "personality", (0xFFFFFFFF,), ALLOW),
    (tuple(FILTERS), "personality", (0x0040000,), refused(errno.EPERM)),
    (LANDLOCK, "unshare", (0x10000000,), refused(errno.EPERM)),
    (LANDLOCK, "clone3", (), refused(errno.ENOSYS)),
    (LANDLOCK, "clone", (0x10000000 | 17,), refused(errno.EPERM)),
    (LANDLOCK, "clone", (17,), NOTIFY),
    (LANDLOCK, "clone", (0x003D0F00,), ALLOW),  # a thread, as the C library makes it
    (LANDLOCK, "clone", (0x003D0F00 | 0x20000000,), refused(errno.EPERM)),
    (LANDLOCK, "vfork", (), NOTIFY),
    (LANDLOCK, "shmget", (), refused(errno.ENOSYS)),
    (tuple(FILTERS), "prlimit64", (0, 4), refused(errno.EPERM)),  # of core dumps
    (tuple(FILTERS), "setrlimit", (4,), refused(errno.EPERM)),
    (tuple(FILTERS), "setrlimit", (7,), ALLOW),
    (("landlock",), "fchmodat", (), ALLOW),
    (("landlock, the grader's user",), "fchmodat", (), refused(0)),
    (("landlock, the grader's user",), "fchown", (), refused(errno.EPERM)),
    (("landlock, the grader's user",), "prlimit64", (0, 7), ALLOW),
    (("landlock, the grader's user",), "prlimit64", (1234, 7), refused(errno.EPERM)),
    (("landlock, the grader's user",), "prlimit64", (2**32 + 1234, 7), refused(errno.EPERM)),
    (("landlock, the grader's user",), "setpriority", (0, 0, 19), ALLOW),
    (("landlock, the grader's user",), "setpriority", (2, 0, 19), refused(errno.EPERM)),  # all of the user's
    (("landlock, the grader's user",), "setpriority", (0, 77, 19), refused(errno.EPERM)),
    (("landlock, the grader's user",), "prctl", (4, 0), refused(errno.EPERM)),
    (("landlock, the grader's user",), "prctl", (1, 9), ALLOW),
    (("landlock, the grader's user",), "fcntl", (5, 1024, 1), refused(errno.EPERM)),
    (("landlock, the grader's user",), "fcntl", (5, 2, 1), ALLOW),
    (("landlock, the grader's user",), "ioctl", (5, 0x40086602), refused(errno.EPERM)),
]


@pytest.mark.parametrize(("names", "call", "arguments", "action"), CASES)
def test_each_of_these_calls_is_answered_so(names, call, arguments, action):
    assert [answer(FILTERS[name], call, *arguments) for name in names] == [action] * len(names)


def test_conditions_read_the_lower_half_alone_as_the_kernel_does():
    rules = [Rule("socket", refused(1), (Condition(0, "one of", (40,)),))]
    assert answer(rules, "socket", 2**32 + 40) == refused(1)


def test_one_condition_of_several_is_enough_and_the_next_rule_of_a_call_still_counts():
    rules = [
        Rule("fcntl", refused(1), (Condition(0, "one of", (1, 2, 3)), Condition(1, "none of", (4, 5)))),
        Rule("fcntl", refused(2), (Condition(2, "any bit of", (6,)),)),
        Rule("fcntl", refused(3), (Condition(2, "no bit of", (8,)),)),
        Rule("prctl", refused(4)),
    ]
    for arguments, action in [
        ((1, 4), 1), ((2, 4), 1), ((3, 4), 1), ((0, 6), 1), ((0, 4, 2), 2), ((0, 5, 4), 2), ((0, 5, 0), 3),
    ]:  # fmt: skip
        assert answer(rules, "fcntl", *arguments) == refused(action), arguments
    assert answer(rules, "fcntl", 0, 5, 8) == ALLOW
    assert answer(rules, "prctl", 1, 1) == refused(4)


def test_calls_that_a_machine_never_had_are_left_out(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    rules = [Rule("fork", NOTIFY), Rule("chroot", refused(1))]
    assert answer(rules, "chroot", architecture=0xC00000B7) == refused(1)
    assert len(program(rules)) == 9  # nothing of fork
    assert answer(rules, "chroot", number=0x40000000 + 1, architecture=0xC00000B7) == refused(errno.ENOSYS)


HEADERS = [
    ("x86_64", Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")),
    ("aarch64", Path("/usr/include/asm-generic/unistd.h")),
]


@pytest.mark.parametrize(("machine", "header"), HEADERS)
def test_the_numbers_are_those_of_the_kernels_headers(monkeypatch, machine, header):
    if not header.exists():
        pytest.skip(f"the kernel's headers are not installed: {header}")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    numbers = {name: int(number) for name, number in found}
    known = {name: linux.call_number(name) for name in (*linux._OLD_CALLS, *linux._NEW_CALLS)}
    newest = max(numbers.values())
    assert {name: number for name, number in known.items() if (number or 0) <= newest} == {
        name: numbers.get(name) for name, number in known.items() if (number or 0) <= newest
    }


TRY = """
import ctypes, errno, json, os, socket, sys, threading, fcntl, subprocess
from autograder.sandbox import linux, seccomp
linux.forbid_new_privileges()
assert seccomp.install(seccomp.for_namespaces()) is None
def attempt(action):
    try: action()
    except OSError as error: return errno.errorcode[error.errno]
    return "done"
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
print(json.dumps({
    "status": open("/proc/self/status").read().split("Seccomp:")[1].split()[0],
    "vsock": attempt(lambda: socket.socket(40, socket.SOCK_STREAM)),
    "unix": attempt(lambda: socket.socket(socket.AF_UNIX)),
    "memfd": attempt(lambda: os.memfd_create("x")),
    "uring": attempt(lambda: linux.call("io_uring_setup", 1, None)),
    "ptrace": attempt(lambda: linux.call("ptrace", 0, 0, 0, 0)),
    "keyring": attempt(lambda: linux.call("keyctl", 0, -3, 0)),
    "unknown": attempt(lambda: linux._checked("x", linux._libc.syscall(ctypes.c_long(467)))),
    "program": subprocess.run(["true"]).returncode,
}))
"""


def test_the_kernel_takes_the_filter_and_answers_as_it_says():
    result = subprocess.run([sys.executable, "-c", TRY], capture_output=True, text=True, check=False, cwd=HERE)
    assert json.loads(result.stdout or "{}") == {
        "status": "2", "vsock": "EAFNOSUPPORT", "unix": "done", "memfd": "ENOSYS", "uring": "ENOSYS",
        "ptrace": "EPERM", "keyring": "EPERM", "unknown": "ENOSYS", "program": 0,
    }, result.stderr  # fmt: skip


def test_the_other_way_of_making_calls_kills():
    script = (
        "import ctypes\nfrom autograder.sandbox import linux, seccomp\n"
        "linux.forbid_new_privileges()\nseccomp.install(seccomp.for_namespaces())\n"
        "linux._libc.syscall(ctypes.c_long(0x40000000 + 39))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=HERE).returncode == -31  # SIGSYS
