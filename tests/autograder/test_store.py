"""The store keeps results, shares them between processes, and never hands out a damaged one."""

import json
import multiprocessing
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.errors import InputError
from autograder.store import Store, StoreSize, bytes_of, default_root, digest_of

KEY = digest_of("a key")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def entry(store: Store, kind: str = "report", key: str = KEY) -> Path:
    return store.root / kind / key[:2] / f"{key}.json"


def test_what_was_put_is_got(store: Store) -> None:
    value = {"error": 0.051, "curve": [[500, 0.06]], "note": "é", "none": None}
    assert store.put("report", KEY, value)
    assert store.get("report", KEY) == value


def test_what_was_never_put_is_absent(store: Store) -> None:
    assert store.get("report", KEY) is None
    assert not store.root.exists(), "reading makes no folder"


def test_kinds_do_not_share_keys(store: Store) -> None:
    store.put("report", KEY, 1)
    assert store.get("training", KEY) is None


def test_equal_values_have_equal_digests() -> None:
    assert digest_of({"a": 1, "b": (2, 3)}) == digest_of({"b": [2, 3], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 1.5})
    assert digest_of([1]) != digest_of(["1"])


@pytest.mark.parametrize("value", [float("nan"), {"x": float("inf")}, {1, 2}, object()])
def test_what_is_not_finite_json_is_refused(store: Store, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        store.put("report", KEY, value)
    assert store.get("report", KEY) is None


@pytest.mark.parametrize("damage", [b"", b"{", b'{"format": 1}', b"[1, 2]", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_entry_is_absent_and_removed(store: Store, damage: bytes) -> None:
    store.put("report", KEY, {"score": 91.0})
    entry(store).write_bytes(damage)
    assert store.get("report", KEY) is None
    assert not entry(store).exists()


def test_an_entry_with_a_changed_value_is_absent(store: Store) -> None:
    store.put("report", KEY, {"score": 91.0})
    entry(store).write_text(entry(store).read_text().replace("91.0", "100.0"))
    assert store.get("report", KEY) is None


def test_an_entry_under_another_key_is_absent(store: Store) -> None:
    store.put("report", KEY, {"score": 91.0})
    other = digest_of("another key")
    entry(store, key=other).parent.mkdir(parents=True, exist_ok=True)
    entry(store).rename(entry(store, key=other))
    assert store.get("report", other) is None


@pytest.mark.parametrize(("kind", "key"), [("report", "../../etc/passwd"), ("../x", KEY), ("Report", KEY), ("", KEY)])
def test_keys_and_kinds_can_not_leave_the_folder(store: Store, kind: str, key: str) -> None:
    uses = (lambda: store.get(kind, key), lambda: store.put(kind, key, 1), lambda: store.lock(kind, key).__enter__())
    for use in uses:
        with pytest.raises(ValueError, match="not a k"):
            use()


def test_the_folder_is_private(store: Store) -> None:
    store.put("report", KEY, 1)
    for path in (store.root, entry(store).parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry(store).stat().st_mode) == 0o600


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(InputError, match="chmod 700"):
        Store(tmp_path)


def test_a_file_as_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(InputError, match="not a folder"):
        Store(tmp_path / "cache")


def test_a_disk_that_does_not_allow_writing_costs_nothing_but_the_result(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    store.put("report", KEY, 1)
    monkeypatch.setattr(os, "fsync", full)
    assert not store.put("report", KEY, 2)
    assert "could not be kept" in caplog.text
    assert store.get("report", KEY) == 1
    assert [path.name for path in entry(store).parent.iterdir()] == [entry(store).name], "no half-written file stays"


def test_size_and_clear_count_entries(store: Store) -> None:
    store.put("report", KEY, [0] * 1000)
    store.put("training", KEY, 1)
    with store.lock("report", KEY):
        size = store.size()
    assert size.entries == 2
    assert size.bytes > 2000
    assert store.clear("training") == 1
    assert store.size().entries == 1
    assert store.clear() == 1
    assert store.get("report", KEY) is None


def test_bytes_are_kept_as_they_are_and_beside_values(store: Store) -> None:
    assert store.get_bytes("execution", KEY) is None
    assert store.put_bytes("execution", KEY, b"\n{\x00")
    store.put("execution", KEY, 1)
    assert store.get_bytes("execution", KEY) == b"\n{\x00"
    assert store.get("execution", KEY) == 1
    assert store.sizes()["execution"].entries == 2


@pytest.mark.parametrize("damage", [b"", b"{}\nabc", b"[1]\nabc", b'{"format": 1}', b"\xff\xfe\n"])
def test_damaged_bytes_are_absent_and_removed(store: Store, damage: bytes) -> None:
    store.put_bytes("execution", KEY, b"abc")
    path = entry(store, "execution").with_suffix(".bin")
    path.write_bytes(damage)
    assert store.get_bytes("execution", KEY) is None
    assert not path.exists()


def test_what_was_not_used_for_longest_is_pruned_first(store: Store) -> None:
    keys = [digest_of(number) for number in range(4)]
    for age, key in enumerate(keys):
        store.put_bytes("execution", key, b"x" * 1000)
        os.utime(entry(store, "execution", key).with_suffix(".bin"), (10**9 + age, 10**9 + age))
    assert store.get_bytes("execution", keys[0]) is not None, "which uses it"
    size = store.size().bytes // 4
    assert store.prune(2 * size) == StoreSize(2, 2 * size)
    assert [store.get_bytes("execution", key) is None for key in keys] == [False, True, True, False]
    assert store.prune(2 * size).entries == 0
    assert store.prune(0).entries == 2


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("500M", 500 * 2**20), ("1.5g", 3 * 2**29), ("8 GiB", 8 * 2**30), ("2KB", 2048)]
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "1P", "1e9", "nan"])
def test_what_is_no_size_is_told(text: str) -> None:
    with pytest.raises(InputError, match="is no size"):
        bytes_of(text)


def test_the_default_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOGRADER_CACHE", str(tmp_path / "here"))
    assert default_root() == tmp_path / "here"
    monkeypatch.delenv("AUTOGRADER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "autoencoders-autograder"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_root() == tmp_path / ".cache" / "autoencoders-autograder"


def _work_once(root: str, log: str) -> None:
    store = Store(Path(root))
    with store.lock("training", KEY):
        if store.get("training", KEY) is None:
            time.sleep(0.05)
            with Path(log).open("a") as file:
                file.write("worked\n")
            store.put("training", KEY, {"by": os.getpid()})


def test_the_same_work_is_done_once_by_many_processes(store: Store, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    workers = [context.Process(target=_work_once, args=(str(store.root), str(log))) for _ in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 5
    assert log.read_text() == "worked\n"
    assert not list((store.root / ".locks").iterdir()), "locks leave nothing behind"


def _put_often(root: str, number: int) -> None:
    store = Store(Path(root))
    for _ in range(20):
        store.put("report", KEY, {"by": number, "filling": "x" * 10_000})
        found = store.get("report", KEY)
        assert found is not None
        assert len(found["filling"]) == 10_000


def test_an_entry_is_whole_while_many_write_it(store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_put_often, args=(str(store.root), number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 3


def test_the_lock_of_a_killed_process_is_free(store: Store) -> None:
    code = (
        "import sys, time; from pathlib import Path; from autograder.store import Store\n"
        f"with Store(Path({str(store.root)!r})).lock('training', {KEY!r}):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.kill()
        process.wait(10)
    start = time.monotonic()
    with store.lock("training", KEY):
        assert time.monotonic() - start < 5


def test_a_lock_ends_with_an_exception(store: Store) -> None:
    def fail() -> None:
        with store.lock("training", KEY):
            raise RuntimeError("training broke")

    with pytest.raises(RuntimeError):
        fail()
    with store.lock("training", KEY):
        pass


def test_an_entry_is_plain_json_that_a_person_can_read(store: Store) -> None:
    store.put("report", KEY, {"score": 91.0})
    assert json.loads(entry(store).read_text())["value"] == {"score": 91.0}


def test_a_user_without_a_home_has_a_private_folder_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("AUTOGRADER_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert default_root().name == f"autoencoders-autograder-{os.geteuid()}"


def test_a_place_that_can_not_be_looked_at_is_a_store_without_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", closed)
    monkeypatch.setattr(Path, "mkdir", closed)
    store = Store(tmp_path / "closed")
    assert store.get("report", KEY) is None
    assert not store.put("report", KEY, 1)
