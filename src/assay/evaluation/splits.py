"""Splits: which rows train and which validate, the same for every trial of a study.

A split depends only on (seed, repeat): repeat 0, 1, 2, … are different and reproducible, so that
fresh splits for a recheck are simply higher repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.core.errors import DataError, SpecError, did_you_mean
from assay.core.rng import stream
from assay.math.deal import (
    Rows,
    check_classes,
    discrete,
    even_folds,
    even_sample,
    group_folds,
    held_out,
    origin_shift,
    part_of,
    plain_array,
    rarest,
)

Fold: TypeAlias = tuple[Rows, Rows]
Window: TypeAlias = tuple[int, int]
Kind: TypeAlias = Literal["holdout", "kfold", "grouped", "forward"]

_FEW_GROUPS = 10
_FEW_ROWS = 30  # in a validation part: one row more or less then moves a rate by 3 points

_FIELDS: dict[str, tuple[str, ...]] = {
    "holdout": ("test", "stratify"),
    "kfold": ("count", "repeats", "stratify"),
    "grouped": ("count",),
    "forward": ("count", "gap", "horizon", "mode"),
}


@dataclass(frozen=True)
class Splits:
    """A rule that divides rows into train and validation parts; make one with the constructors.

    Attributes:
        kind: "holdout", "kfold", "grouped" or "forward".
        count: folds in one repeat; 1 for holdout.
        repeats: repeats in the search; further ones serve rechecks.
        stratify: "auto" keeps class shares equal in all parts when `y` holds classes.

    >>> splits = Splits.kfold(3)
    >>> [len(valid) for train, valid in splits.folds(0, n=10, seed=7)]
    [3, 4, 3]
    >>> Splits.from_json(splits.to_json()) == splits
    True
    """

    kind: Kind
    count: int = 1
    repeats: int = 1
    test: float = 0.25
    gap: int = 0
    horizon: int | None = None
    mode: Literal["expanding", "sliding"] = "expanding"
    stratify: bool | Literal["auto"] = "auto"

    def __post_init__(self) -> None:
        if self.kind not in _FIELDS:
            raise SpecError(
                f"No splits of kind {self.kind!r}. {did_you_mean(str(self.kind), _FIELDS)}"
            )
        least = 1 if self.kind in ("holdout", "forward") else 2
        _whole("folds", self.count, least)
        _whole("repeats", self.repeats, 1)
        _whole("gap", self.gap, 0)
        if self.horizon is not None:
            _whole("horizon", self.horizon, 1)
        _share(self.test)
        if self.mode not in ("expanding", "sliding"):
            raise SpecError(
                f'Forward splits need mode="expanding" or "sliding", got {self.mode!r}.'
            )
        if self.stratify not in ("auto", True, False):
            raise SpecError(f'Splits need stratify="auto", True or False, got {self.stratify!r}.')

    @staticmethod
    def holdout(test: float = 0.25, *, stratify: bool | Literal["auto"] = "auto") -> Splits:
        """One train and one validation part; `test` is the share of rows that validate."""
        return Splits("holdout", test=test, stratify=stratify)

    @staticmethod
    def kfold(folds: int = 5, *, stratify: bool | Literal["auto"] = "auto") -> Splits:
        """`folds` parts of equal size; each validates once, the others train."""
        return Splits("kfold", folds, stratify=stratify)

    @staticmethod
    def repeated(
        folds: int = 5, repeats: int = 3, *, stratify: bool | Literal["auto"] = "auto"
    ) -> Splits:
        """k-fold, `repeats` times with new folds."""
        return Splits("kfold", folds, repeats, stratify=stratify)

    @staticmethod
    def grouped(folds: int = 5) -> Splits:
        """k-fold in which all rows of a group stay together; classes are not balanced."""
        return Splits("grouped", folds)

    @staticmethod
    def forward(
        n: int = 5,
        gap: int = 0,
        horizon: int | None = None,
        mode: Literal["expanding", "sliding"] = "expanding",
    ) -> Splits:
        """Train on the past, validate on the block that follows, `n` times.

        Args:
            gap: rows left out between train and validation; at least the label's horizon.
            horizon: rows of a validation block; None for all rows / (n + 1).
            mode: "expanding" trains on all earlier rows, "sliding" on a window of constant length.
        """
        return Splits("forward", n, gap=gap, horizon=horizon, mode=mode)

    def for_task(self, task: str) -> Splits:
        """The same rule with `stratify="auto"` settled: True for classification, else False."""
        if self.stratify != "auto" or self.kind not in ("holdout", "kfold"):
            return self
        return replace(self, stratify=task == "classification")

    def folds(
        self,
        repeat: int,
        *,
        n: int,
        y: Any = None,
        groups: Any = None,
        time: Any = None,
        seed: int,
    ) -> list[Fold]:
        """The (train, validation) row numbers of one repeat, each sorted (forward: in time order).

        In k-fold and grouped splits every row validates exactly once. Forward splits take rows in
        the order given, or in that of `time`; repeat 0 ends at the last row, later repeats move
        all origins back by less than one block.

        Args:
            y: (n,) classes, for stratification; with stratify="auto" other targets are ignored.
            groups: (n,) labels of what must stay together; only for grouped splits.
            time: (n,) values that order the rows; only for forward splits.

        Raises:
            DataError: too few rows, groups or rows of a class.
            SpecError: groups with splits that ignore them, or none where they are needed.
        """
        y, groups, time = _columns(n, y=y, groups=groups, time=time)
        self._check_groups(groups)
        if n < max(self.count, 2):
            raise DataError(
                f"{n} rows cannot make {self.count} folds. Use fewer folds or more rows."
            )
        rng = stream(seed, "split", repeat)
        if self.kind == "forward":
            return self._forward(repeat, n, time, seed)
        if self.kind == "grouped":
            return _folds(group_folds(groups, self.count, rng), self.count)
        labels = self._labels(y)
        if self.kind == "holdout":
            valid = even_sample(part_of(self.test, n), n, labels, rng)
            return [(np.setdiff1d(np.arange(n), valid), valid)]
        if labels is not None:
            remedy = "use fewer folds or stratify=False"
            check_classes(labels, self.count, f"{self.count} folds", remedy)
        return _folds(even_folds(n, self.count, labels, rng), self.count)

    def test_train_ratio(self, n: int) -> float:
        """Validation rows per training row, n₂/n₁ of the corrected t-test (mean over folds).

        >>> Splits.kfold(5).test_train_ratio(100)
        0.25
        """
        if self.kind == "holdout":
            held = part_of(self.test, n)
            return held / (n - held)
        if self.kind != "forward":
            return 1 / (self.count - 1)
        folds = self._forward(0, n, None, 0)
        return float(np.mean([len(valid) / len(train) for train, valid in folds]))

    def advice(self, *, n: int, y: Any = None, groups: Any = None) -> list[str]:
        """What to know before trusting these splits, in sentences; empty if nothing."""
        texts = []
        if groups is not None:
            found = len(np.unique(plain_array(groups)))
            if found < _FEW_GROUPS:
                texts.append(
                    f"Only {found} groups: what holds for these may not hold for others, and "
                    "intervals count groups, not rows."
                )
            if found == self.count:
                texts.append(
                    f"{found} groups in {self.count} folds: every repeat is the same split."
                )
        size = self.valid_rows(n)
        if size < _FEW_ROWS:
            texts.append(f"A validation part holds about {size} rows: its scores will be noisy.")
        if y is not None and discrete(plain_array(y)):
            label, rows = rarest(plain_array(y))
            if rows * size < 5 * n:
                texts.append(
                    f"Class {label!r} has {rows} rows, about {rows * size / n:.1f} in a validation part."
                )
        return texts

    def to_json(self) -> dict[str, Any]:
        """A form that `from_json` reads back: what matters for this kind."""
        return {"kind": self.kind} | {name: getattr(self, name) for name in _FIELDS[self.kind]}

    @staticmethod
    def from_json(form: Mapping[str, Any]) -> Splits:
        """The rule that `to_json` wrote.

        Raises:
            SpecError: not such a form.
        """
        kind = form.get("kind")
        if not isinstance(kind, str) or kind not in _FIELDS:
            raise SpecError(f"No splits of kind {kind!r}. {did_you_mean(str(kind), _FIELDS)}")
        for name in form:
            if name not in ("kind", *_FIELDS[kind]):
                raise SpecError(
                    f"Splits of kind {kind!r} have no {name!r}. {did_you_mean(name, _FIELDS[kind])}"
                )
        return Splits(**form)

    def _check_groups(self, groups: NDArray[Any] | None) -> None:
        if groups is not None and self.kind != "grouped":
            raise SpecError(
                f"The data has groups, and {self.kind} splits would tear them apart. "
                "Use grouped splits, or leave the groups out."
            )
        if groups is None and self.kind == "grouped":
            raise SpecError("Grouped splits need groups, got none. Give them, or use kfold splits.")

    def _labels(self, y: NDArray[Any] | None) -> NDArray[Any] | None:
        if self.stratify is True and y is None:
            raise SpecError("stratify=True needs y, got none.")
        if y is None or self.stratify is False or (self.stratify == "auto" and not discrete(y)):
            return None
        return y

    def _block(self, n: int) -> int:
        return self.horizon if self.horizon is not None else n // (self.count + 1)

    def valid_rows(self, n: int) -> int:
        """About how many of `n` rows validate in a fold; exactly so for hold-out and forward splits."""
        if self.kind == "holdout":
            return part_of(self.test, n)
        return self._block(n) if self.kind == "forward" else n // self.count

    def windows(self, n: int, shift: int = 0) -> list[tuple[Window, Window]]:
        """Where each forward fold trains and where it validates, in the order of time.

        Args:
            n: rows.
            shift: by so many rows all of it comes earlier.

        Raises:
            DataError: too few rows.

        >>> Splits.forward(2, gap=5).windows(90)
        [((0, 25), (30, 60)), ((0, 55), (60, 90))]
        """
        block, first = self._block(n), self._first(n)
        found = []
        for k in range(self.count):
            start = n - shift - (self.count - k) * block
            stop = start - self.gap
            begin = stop - (first - shift) if self.mode == "sliding" else 0
            found.append(((begin, stop), (start, start + block)))
        return found

    def _first(self, n: int) -> int:
        """How many rows train in the earliest forward fold."""
        block = self._block(n)
        first = n - self.count * block - self.gap
        if block < 1 or first < 1:
            raise DataError(
                f"{n} rows are too few for {self.count} forward folds of {max(block, 1)} rows with a "
                f"gap of {self.gap}: nothing is left to train on. Use fewer folds or a smaller "
                "horizon or gap."
            )
        return first

    def _forward(self, repeat: int, n: int, time: NDArray[Any] | None, seed: int) -> list[Fold]:
        shift = origin_shift(repeat, min(self._block(n) - 1, self._first(n) // 2), seed)
        order = np.arange(n) if time is None else np.argsort(time, kind="stable")
        folds = []
        for k, (trains, validates) in enumerate(self.windows(n, shift)):
            train, valid = order[slice(*trains)], order[slice(*validates)]
            if time is not None:  # rows of the same moment as the first validation row do not train
                train = train[time[train] < time[valid[0]]]
            if not len(train):
                raise DataError(f"Forward fold {k} has no row before its validation rows begin.")
            folds.append((train, valid))
        return folds


def hold_out(
    test: float = 0.2,
    *,
    n: int,
    y: Any = None,
    groups: Any = None,
    time: Any = None,
    seed: int,
) -> Fold:
    """The (development, sealed test) row numbers, sorted: chosen once, before anything is fitted.

    With `time` the test rows are the last ones, and no development row is as late as the first of
    them; with `groups` whole groups are taken; otherwise rows at random, with class shares kept
    when `y` holds classes.

    Args:
        y: (n,) classes; give none for regression.
        test: share of rows to seal, 0 < test < 1; with groups or equal times as near as possible.

    Raises:
        DataError: too few rows, groups or rows of a class.
        SpecError: both groups and time are given.

    >>> dev, sealed = hold_out(0.2, n=10, time=range(10), seed=0)
    >>> sealed.tolist()
    [8, 9]
    """
    _share(test)
    y, groups, time = _columns(n, y=y, groups=groups, time=time)
    if groups is not None and time is not None:
        raise SpecError(
            "Seal the last rows (time) or whole groups, not both: leave one of them out."
        )
    if n < 2:
        raise DataError(f"{n} rows cannot be divided into development and test rows.")
    sealed = held_out(test, n, stream(seed, "seal"), y=y, groups=groups, time=time)
    dev = np.setdiff1d(np.arange(n), sealed)
    if not len(dev) or not len(sealed):
        raise DataError(
            "The rows cannot be divided: all would fall on one side. "
            "The time or group column needs more distinct values."
        )
    return dev, sealed


def seal_share(n: int, *, smallest_gain: float = 0.01) -> tuple[float, list[str]]:
    """The share of `n` rows worth sealing, and the reasons in words.

    Above 20,000 rows as many as a paired test needs to see `smallest_gain` (a share of rows) with
    80 % power when the two models disagree on 10 % of rows, at most 20 %.

    >>> seal_share(5_000)[0]
    0.2
    """
    if n < 1_000:
        text = (
            f"{n:,} rows are few: 30 % sealed leaves a wide interval. The alternative is no sealed "
        )
        return 0.3, [text + "test set and an estimate corrected for selection."]
    if n <= 20_000:
        return 0.2, []
    # (z_0.975 + z_0.8)² (p - δ²) / δ²
    needed = (1.959964 + 0.841621) ** 2 * (0.1 - smallest_gain**2) / smallest_gain**2
    share = min(0.2, max(ceil(needed), 2_000) / n)
    return share, [
        f"{round(share * n):,} of {n:,} rows are enough to see a gain of {smallest_gain:g}."
    ]


def _whole(what: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise SpecError(f"Splits need {what} to be a whole number >= {least}, got {value!r}.")


def _share(test: Any) -> None:
    if isinstance(test, bool) or not isinstance(test, int | float) or not 0 < test < 1:
        raise SpecError(f"The test share must lie between 0 and 1, got {test!r}; 0.2 is a fifth.")


def _columns(n: int, **columns: Any) -> list[NDArray[Any] | None]:
    arrays = [None if values is None else plain_array(values) for values in columns.values()]
    for name, array in zip(columns, arrays, strict=True):
        if array is not None and array.shape != (n,):
            raise DataError(
                f"{name} must have one value for each of the {n} rows, got {array.shape}."
            )
    return arrays


def _folds(fold: Rows, count: int) -> list[Fold]:
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(count)]
