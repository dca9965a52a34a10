"""Ways to draw rows again: which rows of a test set vary independently of each other.

A resample draws *units* with replacement: single rows, whole groups, or blocks of time. It is
held as counts, shape (draws, units): how often each unit came up. A statistic that is a mean
needs only the sums over units; any other needs `weights`, the counts of the single rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Protocol

import numpy as np
import numpy.typing as npt

from assay.core.errors import DataError, SpecError
from assay.math.checks import Array, at_least


class Rows(Protocol):
    """How the rows of a test set are drawn again."""

    @property
    def n(self) -> int:
        """Rows."""

    @property
    def independent(self) -> float:
        """Independent units on which the scarcest part of a resample rests."""

    @property
    def kind(self) -> str:
        """Plain name for the report."""

    def draw(self, rng: np.random.Generator, draws: int) -> Array:
        """Counts of units, shape (draws, units)."""

    def sums(self, values: Array) -> Array:
        """Sums over the rows of each unit: (..., n) to (..., units)."""

    def weights(self, counts: Array) -> Array:
        """Counts of single rows: (draws, units) to (draws, n)."""

    def longer(self) -> Rows:
        """These rows in units twice as long, where units cut through what hangs together."""


@dataclass(frozen=True, slots=True)
class Independent:
    """Every row is drawn on its own.

    >>> Independent(3).draw(np.random.default_rng(0), 1)
    array([[0., 2., 1.]])
    """

    n: int

    def __post_init__(self) -> None:
        at_least(self.n, 2, "rows")

    @property
    def independent(self) -> float:
        return float(self.n)

    @property
    def kind(self) -> str:
        return "rows"

    def draw(self, rng: np.random.Generator, draws: int) -> Array:
        return _counts(rng, draws, self.n, self.n)

    def sums(self, values: Array) -> Array:
        return values

    def weights(self, counts: Array) -> Array:
        return counts

    def longer(self) -> Independent:
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Stratified:
    """Rows are drawn within their class, so that no resample lacks one.

    `classes` holds the number of each row's class, 0 to k - 1; build it with `stratified`.
    """

    classes: npt.NDArray[np.intp]
    sizes: tuple[int, ...]

    @property
    def n(self) -> int:
        return self.classes.size

    @property
    def independent(self) -> float:
        return float(min(self.sizes))

    @property
    def kind(self) -> str:
        return "rows within classes"

    def draw(self, rng: np.random.Generator, draws: int) -> Array:
        counts = np.zeros((draws, self.n))
        for label, size in enumerate(self.sizes):
            counts[:, self.classes == label] = _counts(rng, draws, size, size)
        return counts

    def sums(self, values: Array) -> Array:
        return values

    def weights(self, counts: Array) -> Array:
        return counts

    def longer(self) -> Stratified:
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """Whole groups are drawn; rows of one group stay together.

    `groups` holds the number of each row's group, 0 to count - 1; build it with `grouped`.
    """

    groups: npt.NDArray[np.intp]
    count: int

    @property
    def n(self) -> int:
        return self.groups.size

    @property
    def independent(self) -> float:
        return float(self.count)

    @property
    def kind(self) -> str:
        return "groups"

    def draw(self, rng: np.random.Generator, draws: int) -> Array:
        return _counts(rng, draws, self.count, self.count)

    def sums(self, values: Array) -> Array:
        flat = values.reshape(-1, self.n)
        summed = np.empty((len(flat), self.count))
        for i, row in enumerate(flat):
            summed[i] = np.bincount(self.groups, row, minlength=self.count)
        return summed.reshape(*values.shape[:-1], self.count)

    def weights(self, counts: Array) -> Array:
        return counts[:, self.groups]

    def longer(self) -> Grouped:
        return self


@dataclass(frozen=True, slots=True)
class Ordered:
    """Blocks of consecutive rows are drawn; rows must stand in order of time.

    The series is closed to a circle (Politis and Romano 1992), so that every row is equally
    likely; a unit is the block that starts at a row. Build it with `ordered`.

    Blocks cut through what hangs together, so a variance from them is too small by about
    c / block. Extrapolating from blocks twice as long removes that: 2 v(2 block) - v(block), the
    flat-top window of Politis and Romano 1995 (Journal of Time Series Analysis 16, 67-103). The
    price is a variance with 0.375 n / block degrees of freedom.
    """

    n: int
    block: int

    @property
    def independent(self) -> float:
        return 1 + 0.375 * self.n / self.block

    @property
    def kind(self) -> str:
        return f"blocks of {self.block} rows"

    def draw(self, rng: np.random.Generator, draws: int) -> Array:
        return _counts(rng, draws, self.n, ceil(self.n / self.block))

    def sums(self, values: Array) -> Array:
        return self._windows(np.concatenate([values, values[..., : self.block - 1]], axis=-1))

    def weights(self, counts: Array) -> Array:
        # A row is in the blocks that start at it or up to block - 1 rows before it.
        before = counts[:, self.n - (self.block - 1) :]
        return self._windows(np.concatenate([before, counts], axis=-1))

    def longer(self) -> Ordered:
        return Ordered(self.n, min(2 * self.block, self.n))

    def _windows(self, longer: Array) -> Array:
        total = np.concatenate([np.zeros_like(longer[..., :1]), longer.cumsum(axis=-1)], axis=-1)
        return np.asarray(total[..., self.block :] - total[..., : -self.block])


def stratified(classes: npt.ArrayLike) -> Stratified:
    """Rows drawn within the classes given, one label per row.

    Raises:
        DataError: fewer than two rows in a class.

    >>> stratified(["no", "yes", "no", "yes"]).sizes
    (2, 2)
    """
    labels, numbers, sizes = _numbered(classes, "classes")
    if sizes.min() < 2:
        lonely = labels[sizes.argmin()]
        raise DataError(
            f"Class {lonely!r} has a single row, so its noise cannot be measured. "
            "Use a larger test set, or leave the class out."
        )
    return Stratified(numbers, tuple(int(size) for size in sizes))


def grouped(groups: npt.ArrayLike) -> Grouped:
    """Whole groups drawn, one group label per row.

    Raises:
        DataError: fewer than two groups.

    >>> grouped(["ann", "ann", "bob"]).count
    2
    """
    labels, numbers, _ = _numbered(groups, "groups")
    if labels.size < 2:
        raise DataError(
            "All rows belong to one group, so nothing can be said about new groups. "
            "Seal at least two groups, better twenty."
        )
    return Grouped(numbers, int(labels.size))


def ordered(n: int, horizon: int = 1) -> Ordered:
    """Blocks of max(horizon, n^(1/3)) rows in order of time, rounded up.

    Raises:
        SpecError: n < 4, or the horizon not a whole number from 1 to n / 2.

    >>> ordered(1000).block, ordered(1000, horizon=24).block
    (10, 24)
    """
    n, horizon = at_least(n, 4, "rows in time"), at_least(horizon, 1, "horizon")
    if 2 * horizon > n:
        raise SpecError(
            f"A horizon of {horizon} needs at least {2 * horizon} test rows in time, got {n}. "
            "Seal a longer stretch, or forecast fewer steps ahead."
        )
    # Rounding first: the cube root of 1000 may come out as 10.000000000000002.
    return Ordered(n, max(horizon, min(ceil(round(n ** (1 / 3), 9)), n // 4)))


def _numbered(
    values: npt.ArrayLike, name: str
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    array = np.asarray(values)
    if array.ndim != 1 or array.size < 2:
        raise DataError(f"{name} needs one label per row, at least 2, got shape {array.shape}.")
    labels, numbers, sizes = np.unique(array, return_inverse=True, return_counts=True)
    return labels, numbers, sizes


def _counts(rng: np.random.Generator, draws: int, units: int, size: int) -> Array:
    chosen = rng.integers(units, size=(draws, size))
    chosen += units * np.arange(draws)[:, None]
    counts = np.bincount(chosen.ravel(), minlength=draws * units)
    return counts.reshape(draws, units).astype(np.float64)
