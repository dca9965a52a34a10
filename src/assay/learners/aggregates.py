"""Metrics of whole sets of rows, for many weightings of the same rows at once.

A resample is a weight for each row, and an interval needs the metric on thousands of them. So a
metric here prepares the rows once, and then turns weights, (draws, n), into values, (draws,):
NaN where it is not defined. Most are functions of a few sums over rows. Weights of 1 give the
value itself, which is that of scikit-learn's function of the same name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from assay.core.errors import DataError
from assay.learners.formulas import LOSSES, Numbers
from assay.math.auc import RankedScores, average_precision
from assay.math.resampling import Values, Weighted


def of_all(metric: Weighted, y: Any, p: Numbers) -> float:
    """The metric of the rows as they are.

    >>> of_all(AGGREGATES["f1"], np.array([0, 1, 1, 1]), np.array([0.0, 1.0, 1.0, 0.0]))
    0.8
    """
    return float(metric(y, p)(np.ones((1, len(y))))[0])


def _of_sums(
    columns: Callable[[Any, Numbers], Any], value: Callable[[Numbers], Numbers], y: Any, p: Numbers
) -> Values:
    """A value that follows from the weighted sums, (draws, k), of k columns, (n, k)."""
    summed = columns(y, p)
    return lambda weights: value(weights @ summed)


# --- classes: how many rows are right, are truly of a class, and are said to be of it


def _cells(y: Any, p: Numbers) -> Any:
    """Three columns for each class: right, true, told."""
    from scipy.sparse import csr_array  # three entries a row, however many the classes

    true, told, rows = y.astype(int), p.astype(int), np.arange(len(y))
    classes, right = int(max(true.max(), told.max())) + 1, np.flatnonzero(true == told)
    column = np.concatenate([true[right], classes + true, 2 * classes + told])
    places = np.concatenate([right, rows, rows]), column
    return csr_array((np.ones(len(column)), places), shape=(len(y), 3 * classes))


def _positive_cells(y: Any, p: Numbers) -> Numbers:
    true, told = y == 1, p == 1
    return np.stack([true & told, true, told], axis=1).astype(float)


def _share(part: Numbers, whole: Numbers) -> Numbers:
    """The part of the whole, and 0 where there is nothing to share."""
    return np.asarray(np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0))


def _precision(right: Numbers, true: Numbers, told: Numbers) -> Numbers:
    return _share(right, told)


def _recall(right: Numbers, true: Numbers, told: Numbers) -> Numbers:
    return _share(right, true)


def _f1(right: Numbers, true: Numbers, told: Numbers) -> Numbers:
    return _share(2 * right, true + told)


def _jaccard(right: Numbers, true: Numbers, told: Numbers) -> Numbers:
    return _share(right, true + told - right)


def _macro(of_class: Callable[..., Numbers], sums: Numbers) -> Numbers:
    """The mean over the classes that are there, in truth or in word."""
    right, true, told = np.split(sums, 3, axis=1)
    there = (true + told > 0).sum(axis=1)
    return np.asarray(of_class(right, true, told).sum(axis=1) / there)


def _weighted(of_class: Callable[..., Numbers], sums: Numbers) -> Numbers:
    right, true, told = np.split(sums, 3, axis=1)
    return np.asarray((of_class(right, true, told) * true).sum(axis=1) / true.sum(axis=1))


def _micro(of_class: Callable[..., Numbers], sums: Numbers) -> Numbers:
    """As if all classes were one; with a single class, that class."""
    return of_class(*(part.sum(axis=1) for part in np.split(sums, 3, axis=1)))


def _balanced_accuracy(sums: Numbers) -> Numbers:
    right, true, _ = np.split(sums, 3, axis=1)
    return np.asarray(_share(right, true).sum(axis=1) / (true > 0).sum(axis=1))


def _matthews(sums: Numbers) -> Numbers:
    """Gorodkin 2004, Computational Biology and Chemistry 28, eq. 8; 0 if all are of one class."""
    right, true, told = np.split(sums, 3, axis=1)
    n = true.sum(axis=1)
    together = right.sum(axis=1) * n - (true * told).sum(axis=1)
    apart = (n**2 - (true**2).sum(axis=1)) * (n**2 - (told**2).sum(axis=1))
    return _share(together, np.sqrt(apart))


_MEANS = {"macro": _macro, "micro": _micro, "weighted": _weighted}


def _of_classes(name: str, of_class: Callable[..., Numbers], *means: str) -> dict[str, Weighted]:
    """The metric of the positive class under its own name, and its means over all classes."""
    alone = partial(_of_sums, _positive_cells, partial(_micro, of_class))
    found: dict[str, Weighted] = {name: alone}
    for mean in means:
        value = partial(_MEANS[mean], of_class)
        found[f"{name}_{mean}"] = partial(_of_sums, _cells, value)
    return found


# --- numbers: moments of targets and errors


def _root_mean(loss: str, y: Any, p: Numbers) -> Values:
    columns = np.stack([np.ones(len(y)), LOSSES[loss](y, p)], axis=1)

    def root(weights: Numbers) -> Numbers:
        size, total = (weights @ columns).T
        return np.asarray(np.sqrt(total / size))

    return root


def _moments(y: Any, p: Numbers) -> Numbers:
    """Size; targets and errors, squared and plain, each from its mean lest small spreads cancel."""
    if len(y) < 2:
        raise DataError("r2 and its like need at least 2 held-out rows. Use fewer folds.")
    target, error = y - np.mean(y), y - p
    centred = error - np.mean(error)
    columns = [np.ones(len(y)), target, target**2, centred, centred**2, error**2]
    return np.stack(columns, axis=1)


def _r2(sums: Numbers) -> Numbers:
    size, target, squared, _, _, error = sums.T
    return _explained(error, _squares(size, target, squared))


def _explained_variance(sums: Numbers) -> Numbers:
    size, target, squared, centred, centred_squared, _ = sums.T
    return _explained(_squares(size, centred, centred_squared), _squares(size, target, squared))


def _squares(size: Numbers, total: Numbers, squared: Numbers) -> Numbers:
    """Squares around the mean; 0 where all are equal and only rounding is left."""
    around = squared - total**2 / size
    return np.where(around > 1e-12 * squared, around, 0.0)


def _explained(left: Numbers, spread: Numbers) -> Numbers:
    """1 - left / spread; where targets do not spread 1 for a perfect prediction, else 0."""
    return np.where(spread > 0, 1 - _share(left, spread), np.where(left > 0, 0.0, 1.0))


# --- the order of errors


def _median(y: Any, p: Numbers) -> Values:
    errors = np.abs(p - y)
    order = np.argsort(errors)
    ladder = errors[order]

    def median(weights: Numbers) -> Numbers:
        passed = np.cumsum(weights[:, order], axis=1)
        half = passed[:, -1:] / 2
        low, high = (passed < half).sum(axis=1), (passed <= half).sum(axis=1)
        return np.asarray((ladder[low] + ladder[high]) / 2)

    return median


def _largest(y: Any, p: Numbers) -> Values:
    errors = np.abs(p - y)
    order = np.argsort(-errors)
    ladder = errors[order]
    return lambda weights: ladder[(weights[:, order] > 0).argmax(axis=1)]


# --- rankings


def _both_classes(name: str, y: Any) -> None:
    if len(np.unique(y)) < 2:
        raise DataError(
            f"{name} is not defined: all {len(y)} held-out rows are of one class. "
            "Use fewer or stratified folds, or another metric (log_loss, accuracy)."
        )


def _roc_auc(y: Any, p: Numbers) -> Values:
    _both_classes("roc_auc", y)
    return RankedScores(y == 1, p).auc


def _average_precision(y: Any, p: Numbers) -> Values:
    _both_classes("average_precision", y)
    return average_precision(y == 1, p)


def _one_against_rest(by_size: bool, y: Any, p: Numbers) -> Values:
    """Mean AUC of each class against the rest; classes absent from a resample are left out."""
    if p.ndim == 1:
        return _roc_auc(y, p)
    _both_classes("roc_auc_ovr", y)
    codes = np.unique(y.astype(int))
    ranked = [RankedScores(y == code, p[:, code]) for code in codes]
    members = (y[:, None] == codes).astype(float)

    def mean(weights: Numbers) -> Numbers:
        areas = np.stack([one.auc(weights) for one in ranked], axis=1)
        sizes = weights @ members
        shares = sizes if by_size else (sizes > 0).astype(float)
        total = np.where(sizes > 0, areas, 0.0) * shares
        return np.asarray(total.sum(axis=1) / shares.sum(axis=1))  # NaN if a single class is left

    return mean


AGGREGATES: dict[str, Weighted] = {
    "balanced_accuracy": partial(_of_sums, _cells, _balanced_accuracy),
    "matthews_corrcoef": partial(_of_sums, _cells, _matthews),
    **_of_classes("f1", _f1, "macro", "micro", "weighted"),
    **_of_classes("precision", _precision, "macro", "weighted"),
    **_of_classes("recall", _recall, "macro", "weighted"),
    **_of_classes("jaccard", _jaccard),
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "roc_auc_ovr": partial(_one_against_rest, False),
    "roc_auc_ovr_weighted": partial(_one_against_rest, True),
    "rmse": partial(_root_mean, "mse"),
    "rmsle": partial(_root_mean, "msle"),
    "median_absolute_error": _median,
    "max_error": _largest,
    "r2": partial(_of_sums, _moments, _r2),
    "explained_variance": partial(_of_sums, _moments, _explained_variance),
}
