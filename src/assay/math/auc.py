"""Area under the ROC curve: for many weightings of the same rows at once, and its variance."""

from __future__ import annotations

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
        self._positive = np.flatnonzero(is_positive)
        negative = np.flatnonzero(~is_positive)
        self._negative = negative[np.argsort(values[negative], kind="stable")]
        ladder = values[self._negative]
        self._below = np.searchsorted(ladder, values[self._positive], side="left")
        self._to = np.searchsorted(ladder, values[self._positive], side="right")

    def auc(self, weights: Array) -> Array:
        """The AUC for each row of `weights`, shape (draws, n); NaN where a class has no weight."""
        of_positive = weights[:, self._positive]
        passed = np.zeros((weights.shape[0], self._negative.size + 1))
        np.cumsum(weights[:, self._negative], axis=1, out=passed[:, 1:])
        wins = passed[:, self._below]
        wins += passed[:, self._to]
        pairs = of_positive.sum(axis=1) * passed[:, -1]
        area = 0.5 * np.einsum("ij,ij->i", of_positive, wins)
        share = np.full(area.shape, np.nan)
        np.divide(area, pairs, out=share, where=pairs > 0)
        return share


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


def _placements(is_positive: npt.NDArray[np.bool_], scores: Array) -> tuple[Array, Array]:
    """The share of the other class that each positive and each negative row beats."""
    positive, negative = scores[is_positive], scores[~is_positive]
    return _share_below(positive, np.sort(negative)), 1 - _share_below(negative, np.sort(positive))


def _share_below(values: Array, ladder: Array) -> Array:
    below = np.searchsorted(ladder, values, side="left")
    to = np.searchsorted(ladder, values, side="right")
    return np.asarray((below + to) / (2 * ladder.size))
