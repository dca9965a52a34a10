"""Rows dealt into parts at random: evenly, class by class, or group by group."""

from __future__ import annotations

from math import ceil
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.core.errors import DataError
from assay.core.rng import stream

Rows: TypeAlias = NDArray[np.intp]
Labels: TypeAlias = NDArray[Any]

_MOST_CLASSES = 20


def plain_array(values: Any) -> NDArray[Any]:
    """An array; objects become text, so that they sort."""
    array = np.asarray(values)
    return array.astype(str) if array.dtype == object else array


def discrete(y: Labels) -> bool:
    """Text, booleans, or few whole numbers."""
    if y.dtype.kind not in "iuf":
        return True
    values = np.unique(y)
    return len(values) <= _MOST_CLASSES and bool(np.all(values == np.round(values)))


def codes_of(values: NDArray[Any]) -> Rows:
    """The number of each value among the sorted distinct values."""
    return np.unique(values, return_inverse=True)[1].astype(np.intp)


def rarest(y: Labels) -> tuple[Any, int]:
    """The class with the fewest rows, and how many."""
    labels, sizes = np.unique(y, return_counts=True)
    return labels[sizes.argmin()].item(), int(sizes.min())


def check_classes(labels: Labels, least: int, what: str, remedy: str) -> None:
    """DataError if a class has fewer than `least` rows."""
    label, rows = rarest(labels)
    if rows < least:
        raise DataError(
            f"Class {label!r} has {rows} rows; {what} with equal class shares need at least {least}. "
            f"Merge or drop the class, or {remedy}."
        )


def _order(n: int, labels: Labels | None, rng: np.random.Generator) -> Rows:
    """Rows in random order, class after class."""
    luck = rng.random(n)
    return np.argsort(luck) if labels is None else np.lexsort((luck, codes_of(labels)))


def even_folds(n: int, count: int, labels: Labels | None, rng: np.random.Generator) -> Rows:
    """A fold for each row: dealt out like cards, so classes and folds differ by one row at most."""
    fold = np.empty(n, dtype=np.intp)
    fold[_order(n, labels, rng)] = np.arange(n) % count
    return rng.permutation(count)[fold]


def group_folds(groups: Labels, count: int, rng: np.random.Generator) -> Rows:
    """Groups in random order, each to the lightest fold: sizes differ by one group at most."""
    codes = codes_of(groups)
    sizes = np.bincount(codes)
    if len(sizes) < count:
        raise DataError(
            f"{len(sizes)} groups cannot make {count} folds. Use at most {len(sizes)} folds."
        )
    fold_of = np.empty(len(sizes), dtype=np.intp)
    load = np.zeros(count)
    for group in rng.permutation(len(sizes)):
        fold_of[group] = load.argmin()
        load[fold_of[group]] += sizes[group]
    return fold_of[codes]


def even_sample(held: int, n: int, labels: Labels | None, rng: np.random.Generator) -> Rows:
    """`held` rows, sorted: every (n / held)-th row of the class-wise random order."""
    if labels is not None:
        part = min(held, n - held)
        what = f"parts of {part} and {n - part} rows"
        check_classes(labels, ceil(n / part), what, "divide more evenly")
    places = np.floor((np.arange(held) + rng.random()) * n / held).astype(np.intp)
    return np.sort(_order(n, labels, rng)[np.minimum(places, n - 1)])


def some_groups(groups: Labels, held: int, rng: np.random.Generator) -> Rows:
    """The rows of random groups: a group is taken if that brings the total nearer to `held`."""
    codes = codes_of(groups)
    sizes = np.bincount(codes)
    taken: list[int] = []
    total = 0
    for group in rng.permutation(len(sizes)):
        if abs(total + sizes[group] - held) < abs(total - held) and len(taken) < len(sizes) - 1:
            taken.append(int(group))
            total += int(sizes[group])
    if not taken and len(sizes) > 1:
        taken = [int(sizes.argmin())]
    return np.flatnonzero(np.isin(codes, taken))


def part_of(share: float, n: int) -> int:
    """How many of n rows a share is: at least one, and never all."""
    return min(max(round(share * n), 1), n - 1)


def held_out(
    share: float,
    n: int,
    rng: np.random.Generator,
    *,
    y: Labels | None,
    groups: Labels | None,
    time: Labels | None,
) -> Rows:
    """About this share of n rows, sorted: the last ones in time, whole groups, or rows at random.

    With `time` all rows as late as the first of them are taken; at random, class shares are kept when `y`
    holds classes. At least one row, and never all that could be left.

    Raises:
        DataError: a class has too few rows to be in both parts.

    >>> held_out(0.2, 10, np.random.default_rng(0), y=None, groups=None, time=np.arange(10)).tolist()
    [8, 9]
    """
    held = part_of(share, n)
    if time is not None:
        return np.flatnonzero(time >= np.sort(time)[n - held])
    if groups is not None:
        return some_groups(groups, held, rng)
    return even_sample(held, n, y if y is not None and discrete(y) else None, rng)


def origin_shift(repeat: int, most: int, seed: int) -> int:
    """How far repeat moves the origins back: distinct for the first `most` repeats after 0."""
    if repeat == 0 or most < 1:
        return 0
    return int(stream(seed, "split origins").permutation(most)[(repeat - 1) % most]) + 1
