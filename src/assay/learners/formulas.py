"""The formulas of the metrics that are means over rows: the loss of each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
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
