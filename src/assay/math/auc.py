"""Areas under curves of ranked scores: for many weightings of the same rows at once; the variance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from assay.core.errors import DataError
from assay.math.checks import Array, finite


class RankedScores:
    """Scores sorted once, so that the AUC of any weighting of their rows costs one pass.

    Ties count one half. Higher is better; the positive rows are those where `positive` is true.

    >>> RankedScores([False, True, True], [0.1, 0.4, 0.1]).auc(np.array([[1.0, 1.0, 1.0]]))
    array([0.75])
    """

    def __init__(self, positive: npt.ArrayLike, scores: npt.ArrayLike) -> None:
        values = finite(scores, "scores", ndim=1)
        is_positive = two_classes(positive, values.size)
        ranked = np.argsort(values, kind="stable")
        self._positive = ranked[is_positive[ranked]]
        self._negative = ranked[~is_positive[ranked]]
        ladder = values[self._negative]
        self._below = np.searchsorted(ladder, values[self._positive], side="left")
        self._to = np.searchsorted(ladder, values[self._positive], side="right")
        self._ties = bool((self._below < self._to).any())

    def auc(self, weights: Array) -> Array:
        """The AUC for each row of `weights`, shape (draws, n); NaN where a class has no weight.

        Fastest if `weights` is in Fortran order, as all of it is done for one row after the other.
        """
        of_positive = weights.T[self._positive]
        passed = np.zeros((self._negative.size + 1, len(weights)))
        np.cumsum(weights.T[self._negative], axis=0, out=passed[1:])
        wins = passed[self._below]
        if self._ties:
            wins += passed[self._to]
            wins *= 0.5
        pairs = of_positive.sum(axis=0) * passed[-1]
        return _share(np.einsum("ij,ij->j", of_positive, wins), pairs)


def average_precision(positive: npt.ArrayLike, scores: npt.ArrayLike) -> Callable[[Array], Array]:
    """From weights of rows, (draws, n), to the average precision for each; sorted once.

    The mean of the precision at each positive row, where rows of equal score are let in together.
    NaN where a class has no weight. Higher is better.

    Raises:
        DataError: shapes that differ, values not finite, or one class only.

    >>> average_precision([0, 1, 1], [0.1, 0.4, 0.1])(np.ones((1, 3)))
    array([0.83333333])
    """
    values = finite(scores, "scores", ndim=1)
    is_positive = two_classes(positive, values.size)
    order = np.argsort(-values, kind="stable")
    right = order[is_positive[order]]
    # The last row, and the last positive row, that come in together with each positive row.
    last = np.searchsorted(-values[order], -values[right], side="right") - 1
    last_right = np.searchsorted(-values[right], -values[right], side="right") - 1

    def of(weights: Array) -> Array:
        of_right = weights.T[right]
        passed = weights.T[order]
        np.cumsum(passed, axis=0, out=passed)  # in place: fresh megabytes cost more than the sum
        hits = of_right.cumsum(axis=0)
        precision = hits[last_right]
        let_in = passed[last]
        precision /= np.maximum(let_in, 1.0, out=let_in)  # none before the first row that was drawn
        area = np.einsum("ij,ij->j", of_right, precision)
        return _share(area, np.where(hits[-1] < passed[-1], hits[-1], 0.0))

    return of


def delong_variance(
    positive: npt.ArrayLike, scores_control: npt.ArrayLike, scores_selected: npt.ArrayLike
) -> float:
    """The variance of the difference of two AUCs on the same rows, one fit each.

    Raises:
        DataError: a class with fewer than two rows, shapes that differ, values not finite.

    Source: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44, 837-845.

    >>> delong_variance([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, 3, 4])
    0.0
    """
    control = finite(scores_control, "scores_control", ndim=1)
    selected = finite(scores_selected, "scores_selected", ndim=1)
    is_positive = two_classes(positive, control.size)
    if selected.size != control.size or min(is_positive.sum(), (~is_positive).sum()) < 2:
        raise DataError("DeLong needs the same rows for both, with at least two of each class.")
    of_positive, of_negative = (
        a - b
        for a, b in zip(
            _placements(is_positive, selected), _placements(is_positive, control), strict=True
        )
    )
    return float(
        of_positive.var(ddof=1) / of_positive.size + of_negative.var(ddof=1) / of_negative.size
    )


def two_classes(positive: npt.ArrayLike, n: int) -> npt.NDArray[np.bool_]:
    """`positive` as booleans, checked: n rows, both classes there, nothing but 0 and 1.

    >>> two_classes([0, 1, 1], 3)
    array([False,  True,  True])
    """
    values = np.asarray(positive)
    if values.shape != (n,):
        raise DataError(f"positive needs one entry for each of {n} rows, got {values.shape}.")
    if not set(np.unique(values).tolist()) == {0, 1}:
        raise DataError(
            "AUC needs rows of exactly two classes, marked 0 (negative) and 1 (positive), got "
            f"the values {np.unique(values)[:5].tolist()}."
        )
    return values.astype(bool)


def _share(part: Array, whole: Array) -> Array:
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


def _placements(is_positive: npt.NDArray[np.bool_], scores: Array) -> tuple[Array, Array]:
    """The share of the other class that each positive and each negative row beats."""
    positive, negative = scores[is_positive], scores[~is_positive]
    return _share_below(positive, np.sort(negative)), 1 - _share_below(negative, np.sort(positive))


def _share_below(values: Array, ladder: Array) -> Array:
    below = np.searchsorted(ladder, values, side="left")
    to = np.searchsorted(ladder, values, side="right")
    return np.asarray((below + to) / (2 * ladder.size))
