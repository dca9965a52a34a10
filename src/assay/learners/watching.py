"""Models that stop by themselves: what they watch is a part of the training rows.

XGBoost, LightGBM and CatBoost with `early_stopping_rounds` want rows to watch. The validation rows of a
fold judge the trial, so they cannot be those: a number of trees that was chosen on them flatters it.
"""

from __future__ import annotations

from contextlib import suppress
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.core.errors import DataError
from assay.core.rng import stream
from assay.math.deal import held_out, plain_array

SHARE = 0.15
"""Of the training rows, those that are watched."""

_ROUNDS = ("early_stopping_rounds", "early_stopping_round")


def stops_by_watching(model: Any) -> bool:
    """Whether an estimator, or the last step of a pipeline, wants rows to watch for its early stopping."""
    last = _last(model)
    params = last.get_params(deep=False)
    rounds = [params[name] for name in _ROUNDS if params.get(name) is not None]
    return any(number > 0 for number in rounds) and "eval_set" in signature(last.fit).parameters


def fit_watching(model: Any, X: Any, y: NDArray[Any], *, groups: Any, time: Any, seed: int) -> Any:
    """The model, fitted on most of the rows while it watches the others.

    Args:
        X, y: the training rows.
        groups: (n,) labels; rows of one group are all fitted or all watched. None: no groups.
        time: (n,) values; the latest rows are watched, and none as late as those is fitted. None: at
            random, each class in its share where `y` holds classes.
        seed: chooses the rows.
    """
    rows = _watched(y, groups, time, seed)
    fitted = np.setdiff1d(np.arange(len(y)), rows)
    inner, outer = _take(X, fitted), _take(X, rows)
    last = _last(model)
    if last is not model and len(model.steps) > 1:
        head = model[:-1]
        inner = head.fit_transform(inner, y[fitted])
        outer = head.transform(outer)
    last.fit(inner, y[fitted], **_words(last, outer, y[rows]))
    return model


def _last(model: Any) -> Any:
    steps = getattr(model, "steps", None)
    return steps[-1][1] if steps else model


def _words(last: Any, X: Any, y: NDArray[Any]) -> dict[str, Any]:
    known = signature(last.fit).parameters
    words: dict[str, Any] = {"verbose": False} if "verbose" in known else {}
    if "eval_X" in known:  # LightGBM from 4.7 on
        return {**words, "eval_X": X, "eval_y": y}
    return {**words, "eval_set": [(X, y)]}


def _watched(y: NDArray[Any], groups: Any, time: Any, seed: int) -> NDArray[np.intp]:
    """The rows to watch: of the rows too few to be parted in this way, some at random."""
    n = len(y)
    columns = {"groups": groups, "time": time}
    labels = {name: None if c is None else plain_array(c) for name, c in columns.items()}
    rng = stream(seed, "watch")
    with suppress(DataError):
        rows = held_out(SHARE, n, rng, y=None if y.dtype.kind == "f" else plain_array(y), **labels)
        if 0 < len(rows) < n:
            return rows
    return held_out(SHARE, n, rng, y=None, groups=None, time=None)


def _take(X: Any, rows: NDArray[np.intp]) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
