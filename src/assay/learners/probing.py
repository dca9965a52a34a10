"""Cheap models that look at data before the user's own does: trees, forests and a linear model.

All of them minimise squared errors of (n, C) targets, one column for each class: the probabilities
that come out are judged by the Brier score. Skill is the share of the target's variance that is
explained on rows not trained on: 0 for the mean, 1 for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from assay.math.auc import RankedScores

Array: TypeAlias = NDArray[np.float64]
Fold: TypeAlias = tuple[NDArray[np.intp], NDArray[np.intp]]

_TREES = 40


def forest(X: Array, targets: Array, folds: Sequence[Fold]) -> tuple[Array, Array]:
    """A random forest, out of fold.

    Returns:
        (n, C) predictions, NaN for rows that no fold validates; and the skill in each fold.
    """

    def make() -> Any:
        return RandomForestRegressor(
            _TREES, min_samples_leaf=2, max_features=0.5, random_state=0, n_jobs=1
        )

    return _out_of_fold(make, X, targets, folds)


def small_tree(X: Array, targets: Array, folds: Sequence[Fold]) -> float:
    """The mean skill of a tree of depth 3."""
    skills = _out_of_fold(_shallow, X, targets, folds)[1]
    return float(skills.mean())


def each_alone(X: Array, targets: Array, folds: Sequence[Fold]) -> Array:
    """(d,) the skill of a small tree on each feature alone."""
    return np.array([small_tree(X[:, [j]], targets, folds) for j in range(X.shape[1])])


def told_apart(X: Array, second: NDArray[np.bool_], folds: Sequence[Fold]) -> float:
    """The AUC, out of fold, of a forest that tells two sets of rows apart."""
    chances, _ = forest(X, second.astype(float)[:, None], folds)
    known = ~np.isnan(chances[:, 0])
    weights = np.ones((1, int(known.sum())))
    return float(RankedScores(second[known], chances[known, 0]).auc(weights)[0])


def references(task: str) -> dict[str, Any]:
    """Cheap models of two other kinds, untuned, for tables of numbers, by name."""
    if task == "classification":
        return {
            "linear model": make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
            "boosting of trees": HistGradientBoostingClassifier(max_iter=60),
        }
    return {
        "linear model": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 7))),
        "boosting of trees": HistGradientBoostingRegressor(max_iter=60),
    }


def fitted_parts(estimator: Any) -> tuple[str, ...]:
    """The parts of a model that come already fitted, by class."""
    values = estimator.get_params(deep=True).values()
    parts = [estimator, *(v for v in values if hasattr(v, "fit") and not isinstance(v, type))]
    return tuple(dict.fromkeys(type(part).__name__ for part in parts if _is_fitted(part)))


def _is_fitted(part: Any) -> bool:
    # a part without anything to fit calls itself fitted
    if not any(name.endswith("_") and not name.startswith("_") for name in vars(part)):
        return False
    try:
        check_is_fitted(part)
    except (NotFittedError, TypeError):
        return False
    return True


def _shallow() -> Any:
    return DecisionTreeRegressor(max_depth=3, min_samples_leaf=5, random_state=0)


def _out_of_fold(make: Any, X: Array, targets: Array, folds: Sequence[Fold]) -> tuple[Array, Array]:
    found = np.full(targets.shape, np.nan)
    skills = []
    for train, valid in folds:
        known = targets[train] if targets.shape[1] > 1 else targets[train, 0]
        predicted = make().fit(X[train], known).predict(X[valid])
        found[valid] = predicted.reshape(len(valid), -1)
        missed = float(((targets[valid] - found[valid]) ** 2).sum())
        dull = float(((targets[valid] - targets[train].mean(axis=0)) ** 2).sum())
        skills.append(1 - missed / dull if dull > 0 else 0.0)
    return found, np.array(skills)
