"""What the checks look at: a table of numbers, its target, and how its rows are divided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.math.checks import Array

Rows: TypeAlias = NDArray[np.intp]
Fold: TypeAlias = tuple[Rows, Rows]

MOST_ROWS = 4_000
"""Of longer tables so many rows are fitted; counts use all."""


@dataclass(frozen=True)
class Subject:
    """The development rows of a study.

    Attributes:
        names: of the features, (d,).
        cells: (n, d) the features as numbers: categories are numbered, what is missing is NaN.
        words: (d,) whether a feature holds categories.
        y: (n,) class codes, or numbers.
        classes: how many classes; None for regression.
        folds: (training, validation) rows of the first repeat of the splits.
        splits: the kind of splits, such as "kfold".
        known_groups, known_time: whether the user said which rows belong together, or when they were.
    """

    names: tuple[str, ...]
    cells: Array
    words: tuple[bool, ...]
    y: NDArray[Any]
    classes: int | None
    folds: tuple[Fold, ...]
    splits: str
    known_groups: bool = False
    known_time: bool = False

    def __len__(self) -> int:
        return len(self.y)

    @property
    def targets(self) -> Array:
        """(n, C) one column for each class, or (n, 1): what squared errors are taken of."""
        if self.classes is None:
            return np.asarray(self.y, np.float64)[:, None]
        return np.asarray(np.eye(self.classes)[self.y])

    @property
    def filled(self) -> Array:
        """The features with a number below all others where one is missing."""
        low = np.nanmin(self.cells, axis=0, initial=0.0, where=~np.isnan(self.cells))
        return np.where(np.isnan(self.cells), low - 1.0, self.cells)


def cells_of(columns: Mapping[str, Any]) -> tuple[Array, tuple[bool, ...]]:
    """Columns as numbers, and which of them hold categories.

    >>> cells_of({"size": [1.5, 2.0], "colour": ["red", None]})[0]
    array([[1.5, 1. ],
           [2. , nan]])
    """
    read = [_numbers(np.asarray(values)) for values in columns.values()]
    return np.column_stack([cells for cells, _ in read]), tuple(words for _, words in read)


def _numbers(values: NDArray[Any]) -> tuple[Array, bool]:
    if values.dtype.kind in "iufb":
        return values.astype(np.float64), False
    texts = np.array(
        ["" if v is None or repr(v) in ("nan", "<NA>", "NaT") else str(v) for v in values.tolist()]
    )
    codes = np.unique(texts, return_inverse=True)[1].astype(np.float64)
    codes[texts == ""] = np.nan
    return codes, True


def thinned(rows: int, most: int = MOST_ROWS) -> Rows:
    """At most so many rows, evenly spaced."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).astype(np.intp))


def shuffled_folds(n: int, rng: np.random.Generator, count: int = 3) -> tuple[Fold, ...]:
    """Plain folds of n rows."""
    part = rng.permutation(n) % count
    return tuple((np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(count))


def unit_folds(units: NDArray[Any], rng: np.random.Generator, count: int = 3) -> tuple[Fold, ...]:
    """Folds that keep the rows of one unit together."""
    codes = np.unique(units, return_inverse=True)[1]
    part = (rng.permutation(codes.max() + 1) % count)[codes]
    return tuple((np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(count))


def forward_folds(order: Rows, count: int = 3) -> tuple[Fold, ...]:
    """Folds that train on what comes before in this order."""
    parts: Sequence[Rows] = np.array_split(order, count + 1)
    return tuple((np.concatenate(parts[:k]), parts[k]) for k in range(1, count + 1))
