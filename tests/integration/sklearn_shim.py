"""scikit-learn's own tests of its searches, with SearchCV in the place of GridSearchCV and RandomizedSearchCV.

Run by test_sklearn_suite.py as `pytest --pyargs` would, with this module as a plug-in.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.model_selection import ParameterGrid

from assay.sklearn import SearchCV


class Plain(SearchCV):
    """Without what SearchCV has on top: one test compares all attributes of two searches."""

    def fit(self, X, y=None, **params):
        super().fit(X, y, **params)
        del self.study_, self.verdict_, self.control_, self.shadow_
        return self


class Grid(Plain):
    """GridSearchCV's signature: every candidate of the grid, no control, the best score."""

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        error_score=np.nan,
        return_train_score=False,
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
            **_SETTINGS,
        )
        self.param_grid = param_grid

    space = property(lambda self: self.param_grid, lambda self, value: None)
    n_trials = property(lambda self: len(self.given), lambda self, value: None)
    given = property(lambda self: list(ParameterGrid(self.param_grid)), lambda self, value: None)


class Randomized(Plain):
    """RandomizedSearchCV's signature; all of a grid comes in the grid's order, as there."""

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_iter=10,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        random_state=None,
        error_score=np.nan,
        return_train_score=False,
    ):
        super().__init__(
            estimator,
            param_distributions,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
            **{**_SETTINGS, "sampler": "random"},
        )
        self.param_distributions = param_distributions
        self.n_iter = n_iter

    space = property(lambda self: self.param_distributions, lambda self, value: None)
    n_trials = property(lambda self: self.n_iter, lambda self, value: None)
    given = property(lambda self: self._whole_grid(), lambda self, value: None)

    def _whole_grid(self):
        grids = self.param_distributions
        grids = [grids] if isinstance(grids, Mapping) else grids
        if any(hasattr(v, "rvs") for grid in grids for v in grid.values()):
            return []
        grid = list(ParameterGrid(grids))
        return grid if len(grid) <= self.n_iter else []


_SETTINGS = {
    "sampler": "random",
    "control": False,
    "evidence": None,
    "select": "score",
    "portfolio": False,
}


def pytest_collection_modifyitems(items):
    from sklearn.model_selection.tests import test_search

    test_search.GridSearchCV = Grid
    test_search.RandomizedSearchCV = Randomized
