"""The tasks: real tables, a model that one would tune on each, and its space in words that all tuners know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.datasets import make_friedman1
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from tests.slow.real_data import data_set

FOLDS = 3


class Range(NamedTuple):
    """From low to high, both included; whole numbers if both are."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self):
        return isinstance(self.low, int)


@dataclass(frozen=True, eq=False)
class Task:
    """A table, a model, and where to search it.

    Attributes:
        space: a `Range`, or a list of choices, for each parameter.
        grid: what a person would write for GridSearchCV; at most 60 candidates.
        cheap: the values that make a fit cheap, which FLAML asks for.
    """

    name: str
    table: Callable[[], tuple[np.ndarray, np.ndarray]]
    model: Callable[[], Any]
    scoring: str
    space: Mapping[str, Any]
    grid: Mapping[str, list[Any]]
    cheap: Mapping[str, Any]

    @cache  # noqa: B019 - there are eight tasks
    def rows(self, seed):
        """(X, X sealed, y, y sealed): 70 % to search on; each seed draws its own, for all tuners alike."""
        X, y = self.table()
        classes = y if self.scoring in ("accuracy", "neg_log_loss") else None
        return train_test_split(X, y, test_size=0.3, random_state=seed, stratify=classes)

    def splitter(self, seed):
        kind = StratifiedKFold if self.scoring in ("accuracy", "neg_log_loss") else KFold
        return kind(FOLDS, shuffle=True, random_state=seed)


def _table(name):
    def load():
        found = data_set(name)
        return found.X, found.y

    return load


def _digits():
    from sklearn.datasets import load_digits

    return load_digits(return_X_y=True)


def _some_of_randhie():
    X, y = _table("randhie")()
    rows = np.random.default_rng(0).permutation(len(y))[:6000]
    return X[rows], y[rows]


def _boosting():
    return LGBMClassifier(n_jobs=1, verbose=-1, random_state=0)


BOOSTING = {
    "n_estimators": Range(10, 300, log=True),
    "learning_rate": Range(0.005, 0.5, log=True),
    "num_leaves": Range(3, 127, log=True),
    "min_child_samples": Range(1, 100, log=True),
    "reg_lambda": Range(1e-3, 100.0, log=True),
    "colsample_bytree": Range(0.2, 1.0),
}
BOOSTING_GRID = {
    "n_estimators": [50, 100, 200],
    "learning_rate": [0.03, 0.1, 0.3],
    "num_leaves": [7, 31],
    "min_child_samples": [5, 20],
}
BOOSTING_CHEAP = {"n_estimators": 10, "num_leaves": 3}
VECTORS_GRID = {
    "svc__C": [0.1, 1.0, 10.0, 100.0, 1000.0],
    "svc__gamma": [1e-4, 1e-3, 1e-2, 1e-1, 1.0],
}


def _neighbours(step):
    return {
        f"{step}__n_neighbors": Range(1, 200, log=True),
        f"{step}__weights": ["uniform", "distance"],
        f"{step}__p": [1, 2],
    }


def _neighbours_grid(step):
    return _neighbours(step) | {f"{step}__n_neighbors": [1, 3, 5, 10, 20, 50, 100]}


TASKS = [
    Task(
        "digits", _digits, lambda: make_pipeline(StandardScaler(), SVC()), "accuracy",
        {"svc__C": Range(1e-3, 1e3, log=True), "svc__gamma": Range(1e-5, 10.0, log=True)},
        VECTORS_GRID, {},
    ),
    Task(
        "breast_cancer", _table("breast_cancer"), _boosting, "neg_log_loss",
        BOOSTING, BOOSTING_GRID, BOOSTING_CHEAP,
    ),
    Task(
        "wine", _table("wine"), _boosting, "neg_log_loss",
        BOOSTING, BOOSTING_GRID, BOOSTING_CHEAP,
    ),
    Task(
        "diabetes", _table("diabetes"), lambda: make_pipeline(StandardScaler(), SVR()),
        "neg_root_mean_squared_error",
        {
            "svr__C": Range(1e-2, 1e4, log=True),
            "svr__gamma": Range(1e-5, 1.0, log=True),
            "svr__epsilon": Range(1e-2, 100.0, log=True),
        },
        {
            "svr__C": [1.0, 10.0, 100.0, 1000.0],
            "svr__gamma": [1e-3, 1e-2, 1e-1, 1.0],
            "svr__epsilon": [0.1, 1.0, 10.0],
        },
        {},
    ),
    Task(
        "fair", _table("fair"), _boosting, "neg_log_loss",
        BOOSTING, BOOSTING_GRID, BOOSTING_CHEAP,
    ),
    Task(
        "randhie", _some_of_randhie,
        lambda: make_pipeline(StandardScaler(), KNeighborsRegressor()),
        "neg_root_mean_squared_error", _neighbours("kneighborsregressor"),
        _neighbours_grid("kneighborsregressor"), {},
    ),
    Task(
        "bananas", _table("bananas"),
        lambda: make_pipeline(StandardScaler(), KNeighborsClassifier()), "neg_log_loss",
        _neighbours("kneighborsclassifier"), _neighbours_grid("kneighborsclassifier"), {},
    ),
    Task(
        "friedman", lambda: make_friedman1(1000, noise=1.0, random_state=0),
        lambda: make_pipeline(StandardScaler(), KernelRidge(kernel="rbf")),
        "neg_root_mean_squared_error",
        {
            "kernelridge__alpha": Range(1e-5, 1e2, log=True),
            "kernelridge__gamma": Range(1e-4, 10.0, log=True),
        },
        {
            "kernelridge__alpha": [1e-3, 1e-2, 1e-1, 1.0, 10.0],
            "kernelridge__gamma": [1e-3, 1e-2, 1e-1, 1.0],
        },
        {},
    ),
]  # fmt: skip
SMALL = next(task for task in TASKS if task.name == "diabetes")
