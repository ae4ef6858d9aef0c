"""The payloads that isolation alone stops come through without it: what the other suite sees is no accident.

Only payloads that are harmless by themselves are run here: they read, ask and plant a file where the test made room.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
from batch import ALL, Batch, grade, submit  # noqa: E402
from small_sandbox import needs  # noqa: E402
from surroundings import Surroundings  # noqa: E402

pytestmark = needs("namespaces")
BITING = [name for name, payload in ALL.items() if payload.bites]


@pytest.fixture(scope="module")
def batch() -> Iterator[Batch]:
    with Surroundings() as surroundings:
        submit(surroundings, BITING)
        yield grade(surroundings, "none", "--format", "json")


@pytest.mark.parametrize("name", BITING)
def test_without_isolation_it_comes_through(batch, name):
    surroundings, payload = batch.surroundings, ALL[name]
    lacking_here = {"IPv6": surroundings.has_ipv6, "system V": surroundings.has_shared_memory,
                    "keys": surroundings.has_keyring}  # fmt: skip
    if any(word in payload.claim and not there for word, there in lacking_here.items()):
        pytest.skip("this machine has no such thing")
    if payload.searches:
        error = batch.error_of(name, payload.question)
        assert error.startswith("AssertionError: [") and error != "AssertionError: []"
    elif "datagram" in payload.claim:
        assert "UDP_PORT" in batch.reached
    else:
        assert (surroundings.planted / payload.slug).exists()


def test_without_isolation_every_report_says_so(batch):
    assert "WARNING: --isolation none" in batch.done.stderr
    assert {report["execution"]["isolation"] for report in batch.reports.values()} == {"none"}
