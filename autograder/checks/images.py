"""Which image of the data each row or picture is, told by its values alone.

A row may be an image itself under any scaling (``x / 255``, ``x / 256``, ``0..255``, ``1 - x``), or an image with noise
added. What can not be told stays unknown. Known positions are tried first, then a hash of the background pixels,
then the nearest image by correlation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from autograder.datasets import load

Floats = np.ndarray[Any, np.dtype[np.float32]]
Integers = np.ndarray[Any, np.dtype[np.int64]]
Booleans = np.ndarray[Any, np.dtype[np.bool_]]

BLOCK = 4_096
ROWS_AT_ONCE = 64
CANDIDATES = 32
GROUP = 70
REMEMBERED_ROWS = 4_000
REMEMBERED_ARRAYS = 200
UNKNOWN = -1
# An image written with integers differs from its affine copy by about one grey level of 255.
EXACT_TOLERANCE = 1.25 / 255
# Noise of standard deviation 1 on digits still correlates by about 0.3 with its own image, and by chance by 0.2.
LEAST_CORRELATION = 0.22
# Noise is independent from pixel to pixel; what a network paints is not, at some distance.
WHITE_CORRELATION = 0.3
WHITE_DISTANCES = (1, 2, 3, 4)
# Noise changes most pixels of the background, clipped noise nearly half of them; a blur only those near the strokes.
EVERYWHERE = 0.3
# Two images explain a noisy row equally well when their log-likelihoods differ by less.
LIKELIHOOD_MARGIN = 8.0


@dataclass(frozen=True)
class Matches:
    """What was recognised, one entry a row: ``row = scale * image + offset + residual``, images in [0, 1].

    ``index`` is a position in the library, -1 where unknown; ``exact`` rows have no residual, ``noisy`` ones a residual
    without structure, whose standard deviation is given in the units of the row.
    """

    index: Integers
    exact: Booleans
    noisy: Booleans
    scale: Floats
    offset: Floats
    residual_deviation: Floats

    @property
    def known(self) -> Booleans:
        """Rows whose image was recognised, with noise or without."""
        known: Booleans = self.exact | self.noisy
        return known


class ImageLibrary:
    """The images of a data set in named parts (``train``, ``test``), with what is needed to find one by its values."""

    def __init__(self, parts: Mapping[str, np.ndarray[Any, Any]], labels: Mapping[str, np.ndarray[Any, Any]]) -> None:
        arrays = list(parts.values())
        self.size: tuple[int, int] = arrays[0].shape[1:3]
        self._parts = [array.reshape(len(array), -1) for array in arrays]
        self._names = list(parts)
        self._starts = np.concatenate([[0], np.cumsum([len(array) for array in arrays])])
        self.labels: Integers = np.concatenate([labels[name] for name in parts]).astype(np.int64)
        self.pixels = self.size[0] * self.size[1]
        generator = np.random.Generator(np.random.PCG64(7))
        words = -(-self.pixels // 64)
        self._multipliers = generator.integers(1, 2**63, size=words, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._nearest: dict[bytes, tuple[int, float]] = {}
        self._identified: dict[bytes, Matches] = {}
        self._index_background()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def position(self, index: int) -> tuple[str, int]:
        """Return the part and the row within it of a position in the library."""
        part = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._names[part], int(index - self._starts[part])

    def start(self, part: str) -> int:
        """Return the position of the first image of a part."""
        return int(self._starts[self._names.index(part)])

    def count(self, part: str) -> int:
        """Return how many images a part holds."""
        return len(self._parts[self._names.index(part)])

    def in_part(self, index: Integers, part: str) -> Booleans:
        """Tell for each position whether it lies in a part."""
        start = self.start(part)
        inside: Booleans = (index >= start) & (index < start + self.count(part))
        return inside

    def images(self, index: Integers) -> Floats:
        """Return images by position, shape (n, pixels), values in [0, 1]."""
        result = np.zeros((len(index), self.pixels), np.float32)
        for start, part in zip(self._starts, self._parts, strict=False):
            inside = (index >= start) & (index < start + len(part))
            result[inside] = part[np.asarray(index)[inside] - start]
        result /= np.float32(255)
        return result

    def identify(self, rows: np.ndarray[Any, Any], hint: Integers | None = None, noisy: bool = True) -> Matches:
        """Tell which image each row is; rows have any shape (n, ...) with as many values as an image has pixels.

        ``hint`` are positions to try first, -1 for none. With ``noisy=False`` only exact copies are looked for.
        What was found for the last rows is remembered: several checks ask about the same pictures, and many submissions
        hold the same arrays.
        """
        flat = _as_rows(rows, self.pixels)
        key = _digest(flat, np.zeros(0) if hint is None else np.asarray(hint, np.int64), np.array(noisy))
        if key not in self._identified:
            _make_room(self._identified, 1, REMEMBERED_ARRAYS)
            matches = self._identified[key] = self._identify(flat, hint, noisy)
            for array in vars(matches).values():
                array.setflags(write=False)
        return self._identified[key]

    def _identify(self, flat: Floats, hint: Integers | None, noisy: bool) -> Matches:
        found = np.full(len(flat), UNKNOWN, np.int64)
        exact = np.zeros(len(flat), bool)
        if hint is not None:
            self._settle(flat, np.asarray(hint, np.int64), found, exact)
        for candidates in self._by_background(flat):
            self._settle(flat, candidates, found, exact)
        return self._describe(flat, found, exact, hint, noisy)

    def nearest(self, rows: np.ndarray[Any, Any]) -> tuple[Integers, Floats]:
        """Return for each row the image of largest correlation, and that correlation.

        A search among images of half the size gives some candidates, which are compared in full.
        """
        flat = _as_rows(rows, self.pixels)
        keys = [_digest(row) for row in flat]
        _make_room(self._nearest, len(keys), REMEMBERED_ROWS)
        new = {key: row for row, key in enumerate(keys) if key not in self._nearest}
        if new:
            found = self._search(flat[list(new.values())])
            self._nearest.update(zip(new, zip(*found, strict=True), strict=True))
        pairs = np.array([self._nearest[key] for key in keys]).reshape(-1, 2)
        return pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.float32)

    def _search(self, flat: Floats) -> tuple[Integers, Floats]:
        standard = _standardised(flat)
        index = np.full(len(flat), UNKNOWN, np.int64)
        best = np.zeros(len(flat), np.float32)
        for start in range(0, len(flat), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            rough = _standardised(_halved(flat[part].reshape(-1, *self.size))) @ self._rough.T
            candidates = _largest(rough, CANDIDATES)
            images = _standardised(self.images(candidates.reshape(-1))).reshape(*candidates.shape, -1)
            correlation = np.einsum("ij,ikj->ik", standard[part], images)
            top = correlation.argmax(axis=1)
            index[part] = np.take_along_axis(candidates, top[:, None], axis=1)[:, 0]
            best[part] = correlation[np.arange(len(top)), top]
        return index, best

    @cached_property
    def _rough(self) -> Floats:
        """All images at half the size, standardised: 55 MB for MNIST, made when first needed."""
        rough = np.empty((len(self), (self.size[0] // 2) * (self.size[1] // 2)), np.float32)
        for first, part in zip(self._starts, self._parts, strict=False):
            for start in range(0, len(part), BLOCK):
                block = part[start : start + BLOCK].reshape(-1, *self.size)
                rough[first + start : first + start + len(block)] = _standardised(_halved(block))
        return rough

    def correlation(self, rows: np.ndarray[Any, Any], index: Integers) -> Floats:
        """Return the correlation of each row with the image at its position."""
        mine, theirs = _standardised(_as_rows(rows, self.pixels)), _standardised(self.images(index))
        result: Floats = np.einsum("ij,ij->i", mine, theirs)
        return result

    def belongs(self, rows: np.ndarray[Any, Any], index: Integers) -> Booleans:
        """Tell whether each row, an image with noise, may well be a noisy copy of the image at its position."""
        if not len(rows):
            return np.zeros(0, bool)
        return self._as_likely(self.correlation(rows, index), self.nearest(rows)[1])

    def _describe(self, flat: Floats, found: Integers, exact: Booleans, hint: Integers | None, noisy: bool) -> Matches:
        white = np.zeros(len(flat), bool)
        hopeful = np.flatnonzero(~exact & (flat.std(axis=1) > 0)) if noisy else np.zeros(0, np.int64)
        if len(hopeful):
            closest = self._closest(flat[hopeful], None if hint is None else np.asarray(hint)[hopeful])
            proposal = np.full(len(flat), UNKNOWN, np.int64)
            proposal[hopeful] = closest
            self._settle(flat, proposal, found, exact)
            residual = self._fit(flat[hopeful], closest)[2].reshape(-1, *self.size)
            close = self.correlation(flat[hopeful], closest) >= LEAST_CORRELATION
            everywhere = self._reaches_background(flat[hopeful], closest, residual)
            white[hopeful] = _is_white(residual) & close & everywhere & ~exact[hopeful]
            found[hopeful] = np.where(exact[hopeful] | white[hopeful], closest, UNKNOWN)
        scale, offset, residual = self._fit(flat, found)
        return Matches(found, exact, white, scale, offset, residual.std(axis=1))

    def _reaches_background(self, flat: Floats, index: Integers, residual: Floats) -> Booleans:
        """Tell in which rows the background varies as well: noise is everywhere, a change of grey tones is not."""
        result = np.zeros(len(flat), bool)
        size = residual.std(axis=(1, 2))
        for row, background in enumerate(self.images(index) == 0):
            values = flat[row, background] if background.any() else flat[row]
            differing = np.abs(values - np.median(values)) > 0.2 * size[row]
            result[row] = differing.mean() >= EVERYWHERE
        return result

    def _closest(self, flat: Floats, hint: Integers | None) -> Integers:
        """Return the nearest image of each row, or its hint where some thousand other images are no nearer."""
        if hint is None:
            return self.nearest(flat)[0]
        closest = np.clip(hint, 0, len(self) - 1)
        rivals = (_standardised(flat) @ self._rivals.T).max(axis=1)
        doubtful = (hint < 0) | ~self._as_likely(self.correlation(flat, closest), rivals)
        if doubtful.any():
            closest[doubtful] = self.nearest(flat[doubtful])[0]
        return closest

    def _as_likely(self, own: Floats, best: Floats) -> Booleans:
        """Tell for which rows an image of correlation ``own`` explains the row about as well as the best one."""
        lost = self.pixels / 2 * np.log(np.maximum(1 - own**2, 1e-9) / np.maximum(1 - best**2, 1e-9))
        likely: Booleans = (own >= LEAST_CORRELATION) & (lost <= LIKELIHOOD_MARGIN)
        return likely

    def _settle(self, flat: Floats, proposal: Integers, found: Integers, exact: Booleans) -> None:
        """Accept the proposed positions whose image is the row under an affine map."""
        trial = np.flatnonzero(~exact & (proposal >= 0) & (proposal < len(self)))
        if not len(trial):
            return
        scale, _, residual = self._fit(flat[trial], proposal[trial])
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.abs(residual).max(axis=1) / np.abs(scale)
        right = trial[(error < EXACT_TOLERANCE) & (np.abs(scale) > 0)]
        found[right], exact[right] = proposal[right], True

    def _fit(self, flat: Floats, index: Integers) -> tuple[Floats, Floats, Floats]:
        """Return scale, offset and residual of the least-squares line from image to row."""
        images = self.images(index)
        image_mean = images.mean(axis=1, keepdims=True)
        row_mean = flat.mean(axis=1, keepdims=True)
        centred = images - image_mean
        spread = np.maximum((centred**2).sum(axis=1, keepdims=True), 1e-12)
        scale = (centred * (flat - row_mean)).sum(axis=1, keepdims=True) / spread
        offset = row_mean - scale * image_mean
        return scale[:, 0], offset[:, 0], flat - scale * images - offset

    def _index_background(self) -> None:
        keys = [self._key(part != 0) for part in self._parts]
        joined = np.concatenate(keys)
        self._order: Integers = np.argsort(joined, kind="stable")
        self._keys = joined[self._order]

    def _by_background(self, flat: Floats) -> list[Integers]:
        """Return proposals, a position for each row: images whose background (dark or bright) is in the same places."""
        candidates: list[Integers] = []
        for background in (flat.min(axis=1, keepdims=True), flat.max(axis=1, keepdims=True)):
            keys = self._key(flat != background)
            first = np.searchsorted(self._keys, keys)
            for step in range(2):
                place = np.minimum(first + step, len(self._keys) - 1)
                candidates.append(np.where(self._keys[place] == keys, self._order[place], UNKNOWN))
        return candidates

    def _key(self, ink: Booleans) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Return a 64-bit hash of each row of booleans."""
        packed = np.packbits(ink, axis=1)
        padded = np.zeros((len(packed), 8 * len(self._multipliers)), np.uint8)
        padded[:, : packed.shape[1]] = packed
        words = padded.view(np.uint64)
        words ^= words >> np.uint64(29)
        key = (words * self._multipliers).sum(axis=1, dtype=np.uint64)
        result: np.ndarray[Any, np.dtype[np.uint64]] = key ^ (key >> np.uint64(32))
        return result

    @cached_property
    def _rivals(self) -> Floats:
        """Some thousand images, standardised: a hint must explain a row better than these."""
        return _standardised(self.images(np.arange(min(BLOCK, len(self)))))


@lru_cache(maxsize=2)
def library(
    folder: Path,
    name: str,
    images: tuple[str, ...] = ("x_train", "x_test"),
    labels: tuple[str, ...] = ("y_train", "y_test"),
) -> ImageLibrary:
    """Return the library of a data set of ``data/``, made once per process; parts are named after ``_`` (``train``)."""
    arrays = load(folder, name)
    return ImageLibrary(
        {key.split("_")[-1]: arrays[key] for key in images},
        {key.split("_")[-1]: arrays[key] for key in labels},
    )


def background_noise(row: np.ndarray[Any, Any], image: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return centre and size of the noise on the background pixels of one row, also when it was clipped from below.

    The size is the standard deviation that a normal distribution with the same upper part would have.
    """
    background = np.asarray(row, np.float64).ravel()[np.asarray(image).ravel() == 0]
    if len(background) < 50:
        return float("nan"), float("nan")
    median, upper = np.quantile(background, [0.5, 0.8])
    return float(median), float((upper - median) / 0.841621)


def _digest(*arrays: np.ndarray[Any, Any]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _make_room(remembered: dict[bytes, Any], count: int, limit: int) -> None:
    """Forget all where so many more would be too many: what is asked again comes back by itself."""
    if len(remembered) + count > limit:
        remembered.clear()


def _as_rows(rows: np.ndarray[Any, Any], pixels: int) -> Floats:
    flat = np.asarray(rows).reshape(len(rows), -1).astype(np.float32)
    if flat.shape[1] != pixels and len(flat):
        raise ValueError(f"rows of {flat.shape[1]} values are no images of {pixels} pixels")
    flat = np.nan_to_num(flat.reshape(len(flat), pixels), nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(flat, -1e6, 1e6)


def _largest(values: Floats, count: int) -> Integers:
    """Return the columns of the ``count`` largest values of each row, in no order.

    They lie in the ``count`` groups whose maxima are the largest, which leaves few to choose from.
    """
    groups = values.shape[1] // GROUP
    whole = values[:, : groups * GROUP].reshape(len(values), groups, GROUP)
    if groups <= count:
        return np.argpartition(values, -count, axis=1)[:, -count:]
    best = np.argpartition(whole.max(axis=2), -count, axis=1)[:, -count:]
    columns = (best[:, :, None] * GROUP + np.arange(GROUP)).reshape(len(values), -1)
    rest = np.broadcast_to(np.arange(groups * GROUP, values.shape[1]), (len(values), values.shape[1] % GROUP))
    columns = np.concatenate([columns, rest], axis=1)
    chosen = np.argpartition(np.take_along_axis(values, columns, axis=1), -count, axis=1)[:, -count:]
    result: Integers = np.take_along_axis(columns, chosen, axis=1)
    return result


def _standardised(flat: Floats) -> Floats:
    centred = flat - flat.mean(axis=1, keepdims=True)
    norms = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    result: Floats = centred / np.maximum(norms, 1e-12)
    return result


def _halved(images: np.ndarray[Any, Any]) -> Floats:
    """Return images (n, height, width) at half the size, by means of 2 by 2 pixels, as rows."""
    height, width = images.shape[1] // 2 * 2, images.shape[2] // 2 * 2
    even = images[:, :height, :width].astype(np.float32)
    half = even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]
    return half.reshape(len(half), -1)


def _is_white(residual: Floats) -> Booleans:
    """Tell which residuals (n, height, width) have no correlation between pixels at small distances."""
    centred = residual - residual.mean(axis=(1, 2), keepdims=True)
    variance = np.maximum((centred**2).mean(axis=(1, 2)), 1e-12)
    white = np.ones(len(residual), bool)
    for distance in WHITE_DISTANCES:
        down = (centred[:, distance:, :] * centred[:, :-distance, :]).mean(axis=(1, 2))
        right = (centred[:, :, distance:] * centred[:, :, :-distance]).mean(axis=(1, 2))
        white &= (np.abs(down) < WHITE_CORRELATION * variance) & (np.abs(right) < WHITE_CORRELATION * variance)
    return white
