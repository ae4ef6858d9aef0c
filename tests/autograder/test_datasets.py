"""The data file is what its digest says, or a sentence tells how to mend it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from autograder import datasets
from autograder.errors import DataError

DATA = Path(__file__).resolve().parents[2] / "data"


def test_the_bundled_data_are_the_full_mnist():
    arrays = datasets.load(DATA, "mnist")
    assert {name: array.shape for name, array in arrays.items()} == {
        "x_train": (60000, 28, 28),
        "y_train": (60000,),
        "x_test": (10000, 28, 28),
        "y_test": (10000,),
    }
    assert np.bincount(arrays["y_test"]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_loaded_arrays_can_not_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        datasets.load(DATA, "mnist")["x_train"][0] = 1


def test_a_missing_file_is_named_with_the_mend(tmp_path):
    shutil.copy(DATA / "digests.json", tmp_path)
    with pytest.raises(DataError, match=r"mnist\.npz: is missing\. Restore it with: git checkout"):
        datasets.load(tmp_path, "mnist")


def test_a_damaged_file_is_refused(tmp_path):
    shutil.copy(DATA / "digests.json", tmp_path)
    damaged = bytearray((DATA / "mnist.npz").read_bytes())
    damaged[5_000_000] ^= 1
    (tmp_path / "mnist.npz").write_bytes(damaged)
    with pytest.raises(DataError, match="is damaged"):
        datasets.load(tmp_path, "mnist")


def test_a_file_without_a_digest_is_refused(tmp_path):
    (tmp_path / "digests.json").write_text(json.dumps({}))
    np.savez(tmp_path / "mnist.npz", x_train=np.zeros(3))
    with pytest.raises(DataError, match="names no digest"):
        datasets.load(tmp_path, "mnist")


def test_a_file_that_is_no_archive_is_refused_although_its_digest_fits(tmp_path):
    (tmp_path / "mnist.npz").write_bytes(b"not an archive")

    digest = hashlib.sha256(b"not an archive").hexdigest()
    (tmp_path / "digests.json").write_text(json.dumps({"mnist.npz": digest}))
    with pytest.raises(DataError, match="is not a readable"):
        datasets.load(tmp_path, "mnist")


@pytest.mark.parametrize("text", ["{", "[1]", '{"mnist.npz": 1}'])
def test_a_damaged_table_of_digests_is_named_with_the_mend(tmp_path, text):
    (tmp_path / "digests.json").write_text(text)
    with pytest.raises(DataError, match=r"digests\.json: is damaged.* git checkout"):
        datasets.verify_folder(tmp_path)


def test_a_folder_is_whole_when_all_its_files_are_and_may_be_absent(tmp_path):
    datasets.verify_folder(DATA)
    datasets.verify_folder(tmp_path / "absent")
    shutil.copy(DATA / "digests.json", tmp_path)
    with pytest.raises(DataError, match=r"mnist\.npz: is missing"):
        datasets.verify_folder(tmp_path)
