"""Images are recognised by their values alone: under any scaling, with noise, and never by chance."""

from pathlib import Path

import numpy as np
import pytest

from autograder.checks.images import UNKNOWN, ImageLibrary, _largest, background_noise, library

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def mnist():
    return library(DATA, "mnist")


@pytest.fixture(scope="module")
def index(mnist):
    return np.random.Generator(np.random.PCG64(1)).integers(0, len(mnist), 120)


@pytest.fixture(scope="module")
def images(mnist, index):
    return mnist.images(index)


@pytest.fixture(scope="module")
def normal(images):
    return np.random.Generator(np.random.PCG64(2)).normal(size=images.shape)


SCALINGS = {
    "divided by 255": lambda x: x,
    "divided by 256": lambda x: x * 255 / 256,
    "as stored": lambda x: np.round(x * 255).astype("uint8"),
    "-1 to 1": lambda x: 2 * x - 1,
    "black and white exchanged": lambda x: 1 - x,
    "standardised": lambda x: (x - 0.13) / 0.31,
    "in half precision": lambda x: x.astype("float16"),
    "cut to integers after 256": lambda x: (x * 255 / 256 * 255).astype("uint8"),
}


@pytest.mark.parametrize("name", SCALINGS)
def test_an_image_is_found_under_any_scaling(mnist, index, images, name):
    matches = mnist.identify(SCALINGS[name](images))
    assert np.array_equal(matches.index, index)
    assert matches.exact.all() and not matches.noisy.any()


def test_scale_and_offset_are_told(mnist, images):
    matches = mnist.identify(5 * images - 3)
    assert np.allclose(matches.scale, 5, atol=1e-3) and np.allclose(matches.offset, -3, atol=1e-3)


@pytest.mark.parametrize("shape", [(-1, 28, 28), (-1, 28, 28, 1), (-1, 784), (-1, 1, 28, 28)])
def test_rows_may_have_any_shape(mnist, index, images, shape):
    assert np.array_equal(mnist.identify(images[:5].reshape(shape)).index, index[:5])


def test_rows_of_another_size_are_refused(mnist):
    with pytest.raises(ValueError, match="no images of 784 pixels"):
        mnist.identify(np.zeros((2, 10)))


NOISES = {
    "as in the statement": lambda x, n: x + 0.5 * n,
    "clipped": lambda x, n: np.clip(x + 0.5 * n, 0, 1),
    "weak": lambda x, n: x + 0.1 * n,
    "uniform": lambda x, n: x + np.abs(np.sin(n * 99)),
}


@pytest.mark.parametrize("name", NOISES)
def test_a_noisy_image_is_found(mnist, index, images, normal, name):
    matches = mnist.identify(NOISES[name](images, normal))
    assert matches.noisy.all() and not matches.exact.any()
    assert (matches.index == index).mean() > 0.9


def test_a_hint_settles_which_of_two_like_images_a_noisy_row_is(mnist, index, images, normal):
    matches = mnist.identify(images + 0.5 * normal, hint=index)
    assert np.array_equal(matches.index, index)


def test_a_wrong_hint_is_not_believed(mnist, index, images, normal):
    wrong = np.roll(index, 1)
    assert np.array_equal(mnist.identify(images, hint=wrong).index, index)
    assert (mnist.identify(images + 0.5 * normal, hint=wrong).index == wrong).mean() < 0.02


def test_the_size_of_the_noise_is_told(mnist, images, normal):
    matches = mnist.identify(images + 0.5 * normal)
    assert np.allclose(matches.residual_deviation, 0.5, atol=0.05)


def test_noise_alone_is_no_image(mnist, normal):
    matches = mnist.identify(normal)
    assert not matches.known.any() and (matches.index == UNKNOWN).all()


@pytest.mark.parametrize(
    "change",
    [lambda x: x > 0.5, np.sqrt, lambda x: np.cumsum(x.reshape(-1, 28, 28), axis=1), np.zeros_like],
    ids=["black and white", "another tone curve", "sums", "empty"],
)
def test_a_changed_image_is_neither_exact_nor_noisy(mnist, images, change):
    assert not mnist.identify(np.asarray(change(images))).known.any()


def test_what_a_network_paints_is_no_noisy_image(mnist, images):
    smooth = images.reshape(-1, 28, 28)
    for axis in (1, 2):
        smooth = (np.roll(smooth, 1, axis) + smooth + np.roll(smooth, -1, axis)) / 3
    assert not mnist.identify(smooth).known.any()


def test_numbers_that_are_no_numbers_do_no_harm(mnist, images):
    broken = images[:3].copy()
    broken[0, :] = np.nan
    broken[1, 0] = np.inf
    broken[2, 5] = 1e38
    assert len(mnist.identify(broken).index) == 3


def test_a_noisy_row_belongs_to_its_own_image_only(mnist, index, images, normal):
    rows = images + 0.5 * normal
    assert mnist.belongs(rows, index).all()
    assert not mnist.belongs(rows, np.roll(index, 1)).any()


def test_the_nearest_image_is_that_of_a_full_search(mnist, images, normal):
    rows = (images + 0.5 * normal)[:10]
    found, correlation = mnist.nearest(rows)
    centred = rows - rows.mean(axis=1, keepdims=True)
    everything = mnist.images(np.arange(len(mnist)))
    everything -= everything.mean(axis=1, keepdims=True)
    full = (centred @ everything.T) / np.linalg.norm(everything, axis=1) / np.linalg.norm(centred, axis=1)[:, None]
    assert np.array_equal(found, full.argmax(axis=1))
    assert np.allclose(correlation, full.max(axis=1), atol=1e-4)


def test_what_is_remembered_is_what_a_fresh_library_finds(mnist, index, images, normal):
    rows = np.concatenate([images[:20], (images + 0.5 * normal)[20:40], normal[:5]])
    pictures = np.round(images * 255).astype("uint8").reshape(-1, 28, 28)
    fresh = ImageLibrary({"all": pictures}, {"all": mnist.labels[index]})
    for hint, noisy in ((None, True), (np.arange(45), True), (None, False), (np.arange(45)[::-1], True), (None, True)):
        first = fresh.identify(rows, hint, noisy)
        again = fresh.identify(rows.copy(), hint, noisy)
        fresh._identified.clear()
        fresh._nearest.clear()
        anew = fresh.identify(rows, hint, noisy)
        for name in ("index", "exact", "noisy", "scale", "offset", "residual_deviation"):
            assert np.array_equal(getattr(first, name), getattr(again, name)), name
            assert np.array_equal(getattr(first, name), getattr(anew, name)), name
    assert fresh.identify(rows, noisy=True).noisy[20:40].all() and not fresh.identify(rows, noisy=False).noisy.any()


def test_nearest_images_of_known_and_new_rows_keep_their_order(mnist, images, normal):
    rows = images + 0.5 * normal
    alone = [mnist.nearest(row[None])[0][0] for row in rows[:6]]
    assert mnist.nearest(rows[[5, 40, 0, 41, 5]])[0][[0, 2, 4]].tolist() == [alone[5], alone[0], alone[5]]


def test_little_is_remembered_whatever_comes(mnist, images, normal, monkeypatch):
    monkeypatch.setattr("autograder.checks.images.REMEMBERED_ROWS", 10)
    monkeypatch.setattr("autograder.checks.images.REMEMBERED_ARRAYS", 3)
    for number in range(8):
        mnist.identify(images[number : number + 4] + normal[:4])
        assert len(mnist._nearest) <= 10 and len(mnist._identified) <= 3
    assert len(mnist.nearest(images + normal)[0]) == len(images)


def test_what_is_remembered_can_not_be_changed(mnist, images):
    with pytest.raises(ValueError, match="read-only"):
        mnist.identify(images[:3]).index[0] = 7


def test_positions_and_parts_belong_together(mnist):
    assert mnist.position(0) == ("train", 0)
    assert mnist.position(59_999) == ("train", 59_999)
    assert mnist.position(60_000) == ("test", 0)
    assert mnist.start("test") == 60_000 and mnist.count("test") == 10_000 and len(mnist) == 70_000
    assert mnist.in_part(np.asarray([-1, 0, 60_000]), "train").tolist() == [False, True, False]


def test_a_library_serves_images_of_any_size():
    generator = np.random.Generator(np.random.PCG64(5))
    parts = {"train": generator.integers(0, 256, (40, 9, 7), dtype=np.uint8)}
    small = ImageLibrary(parts, {"train": np.zeros(40)})
    rows = parts["train"][[7, 3]] / 255
    assert small.identify(rows).index.tolist() == [7, 3]


@pytest.mark.parametrize("clip", [False, True])
def test_noise_on_the_background_is_measured_clipped_or_not(images, normal, clip):
    noisy = images + 0.5 * normal
    centre, size = background_noise(np.clip(noisy, 0, 1) if clip else noisy, images)
    assert abs(centre) < 0.02 and abs(size - 0.5) < 0.02


def test_an_image_without_background_has_no_noise_to_measure():
    assert np.isnan(background_noise(np.ones((28, 28)), np.ones((28, 28)))).all()


@pytest.mark.parametrize(("columns", "count"), [(70_000, 32), (70_033, 32), (2_241, 32), (100, 32), (32, 32)])
def test_the_largest_values_are_found_group_by_group(columns, count):
    values = np.random.default_rng(columns).normal(size=(7, columns)).astype(np.float32)
    found = np.sort(_largest(values, count), axis=1)
    assert (found == np.sort(np.argsort(values, axis=1)[:, -count:], axis=1)).all()
