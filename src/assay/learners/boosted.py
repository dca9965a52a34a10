"""The models of LightGBM, XGBoost and CatBoost, as they come, on one core and silent."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from assay.core.errors import SpecError


class Coded(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # they ship no types
    """A classifier that takes whole numbers as classes, given classes of any kind.

    Args:
        estimator: XGBoost's, for one.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, **params: Any) -> Coded:
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.estimator_ = clone(self.estimator).fit(X, codes, **params)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        return np.asarray(self.classes_[self.estimator_.predict(X)])

    def predict_proba(self, X: Any) -> NDArray[Any]:
        return np.asarray(self.estimator_.predict_proba(X))


def lightgbm(task: str) -> Any:
    """LightGBM's own defaults."""
    _must_have("lightgbm")
    from lightgbm import LGBMClassifier, LGBMRegressor

    make = LGBMClassifier if task == "classification" else LGBMRegressor
    return make(n_jobs=1, verbose=-1, random_state=0)


def xgboost(task: str) -> Any:
    """XGBoost's own defaults."""
    _must_have("xgboost")
    from xgboost import XGBClassifier, XGBRegressor

    if task == "classification":
        return Coded(XGBClassifier(n_jobs=1, random_state=0))
    return XGBRegressor(n_jobs=1, random_state=0)


def catboost(task: str) -> Any:
    """CatBoost's documented defaults, written out because it does not tell those that were not given.

    Its learning rate depends on the data unless it is given; this is the documented 0.03.
    """
    _must_have("catboost")
    from catboost import CatBoostClassifier, CatBoostRegressor

    make = CatBoostClassifier if task == "classification" else CatBoostRegressor
    return make(
        iterations=1000, learning_rate=0.03, depth=6, l2_leaf_reg=3.0, random_strength=1.0,
        subsample=0.8, bootstrap_type="MVS", rsm=1.0, thread_count=1, random_state=0,
        verbose=False, allow_writing_files=False,
    )  # fmt: skip


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return find_spec(package) is not None


def _must_have(package: str) -> None:
    if not installed(package):
        raise SpecError(
            f"The model needs {package}, which is not installed: pip install 'assay[boosting]'."
        )
