"""The formulas of the metrics: losses of single rows, and values of whole sets of rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import sklearn.metrics as sk
from numpy.typing import NDArray

from assay.core.errors import DataError

Numbers: TypeAlias = NDArray[np.float64]

_TINY = float(np.finfo(float).eps)  # scikit-learn clips probabilities to it, too


def _log_loss(y: Any, p: Numbers) -> Numbers:
    clipped = np.clip(_of_truth(y, p), _TINY, 1 - _TINY)
    return np.asarray(-np.log(clipped))


def _of_truth(y: Any, p: Numbers) -> Numbers:
    """The probability given to the class that is true."""
    codes = y.astype(int)
    if p.ndim == 1:
        return np.where(codes == 1, p, 1 - p)
    return np.asarray(p[np.arange(len(codes)), codes])


def _brier(y: Any, p: Numbers) -> Numbers:
    """Squared distance; with three classes and more the sum over classes (Brier 1950, eq. 2)."""
    if p.ndim == 1:
        return np.asarray((p - y) ** 2)
    truth = np.eye(p.shape[1])[y.astype(int)]
    return np.asarray(((p - truth) ** 2).sum(axis=1))


def _percentage(y: Any, p: Numbers) -> Numbers:
    return np.asarray(np.abs(p - y) / np.maximum(np.abs(y), _TINY))


def _squared_log(y: Any, p: Numbers) -> Numbers:
    if (y <= -1).any() or (p <= -1).any():
        raise DataError(
            "A squared log error needs targets and predictions above -1. Use rmse or mae instead."
        )
    return np.asarray((np.log1p(p) - np.log1p(y)) ** 2)


LOSSES: dict[str, Callable[[Any, Numbers], Numbers]] = {
    "accuracy": lambda y, p: (p != y).astype(float),
    "log_loss": _log_loss,
    "brier": _brier,
    "mae": lambda y, p: np.abs(p - y),
    "mse": lambda y, p: (p - y) ** 2,
    "mape": _percentage,
    "msle": _squared_log,
}


def _both_classes(name: str, y: Any) -> None:
    if len(np.unique(y)) < 2:
        raise DataError(
            f"{name} is not defined: all {len(y)} held-out rows are of one class. "
            "Use fewer or stratified folds, or another metric (log_loss, accuracy)."
        )


def _ranking(function: Callable[..., Any], y: Any, p: Numbers) -> float:
    _both_classes(function.__name__.removesuffix("_score"), y)
    return float(function(y == 1, p))


def _one_against_rest(weighted: bool, y: Any, p: Numbers) -> float:
    """Mean AUC of each class against the rest; classes absent from these rows are left out."""
    if p.ndim == 1:
        return _ranking(sk.roc_auc_score, y, p)
    _both_classes("roc_auc_ovr", y)
    present, sizes = np.unique(y.astype(int), return_counts=True)
    areas = [sk.roc_auc_score(y == code, p[:, code]) for code in present]
    return float(np.average(areas, weights=sizes if weighted else None))


def _plain(function: Callable[..., Any], **options: Any) -> Callable[[Any, Numbers], float]:
    return partial(_call, function, options)


def _call(function: Callable[..., Any], options: dict[str, Any], y: Any, p: Numbers) -> float:
    return float(function(y, p, **options))


def _averaged(name: str, function: Callable[..., Any], *averages: str) -> dict[str, Any]:
    return {f"{name}_{a}": _plain(function, average=a, zero_division=0.0) for a in averages}


AGGREGATES: dict[str, Callable[[Any, Numbers], float]] = {
    "balanced_accuracy": _plain(sk.balanced_accuracy_score),
    "matthews_corrcoef": _plain(sk.matthews_corrcoef),
    "f1": _plain(sk.f1_score, zero_division=0.0),
    "precision": _plain(sk.precision_score, zero_division=0.0),
    "recall": _plain(sk.recall_score, zero_division=0.0),
    "jaccard": _plain(sk.jaccard_score, zero_division=0.0),
    **_averaged("f1", sk.f1_score, "macro", "micro", "weighted"),
    **_averaged("precision", sk.precision_score, "macro", "weighted"),
    **_averaged("recall", sk.recall_score, "macro", "weighted"),
    "roc_auc": partial(_ranking, sk.roc_auc_score),
    "average_precision": partial(_ranking, sk.average_precision_score),
    "roc_auc_ovr": partial(_one_against_rest, False),
    "roc_auc_ovr_weighted": partial(_one_against_rest, True),
    "rmse": lambda y, p: float(np.sqrt(np.mean((p - y) ** 2))),
    "rmsle": lambda y, p: float(np.sqrt(np.mean(_squared_log(y, p)))),
    "median_absolute_error": _plain(sk.median_absolute_error),
    "max_error": _plain(sk.max_error),
    "r2": _plain(sk.r2_score),
    "explained_variance": _plain(sk.explained_variance_score),
}
