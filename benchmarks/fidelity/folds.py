"""Trees on real tables, fold by fold: squared errors of the chances they give, and the size of the tree.

`folds:breast_cancer` and `folds:digits`, 10 folds of at most 400 rows; a step is a fold. A tree's size
is the logarithm of its leaves.
"""

from __future__ import annotations

import math
import warnings
from functools import cache

import numpy as np

import assay
from benchmarks.search.params import Param
from benchmarks.search.problems import Problem

_SPACE = [
    Param("max_depth", "int", 1, 30, log=True),
    Param("min_samples_leaf", "int", 1, 100, log=True),
    Param("min_samples_split", "int", 2, 100, log=True),
    Param("max_features", "float", 0.05, 1.0),
    Param("ccp_alpha", "float", 1e-5, 0.1, log=True),
    Param("criterion", "cat", choices=("gini", "entropy")),
]


@cache
def _divided(name, folds):
    """(X, y, the rows of each fold)."""
    from sklearn import datasets
    from sklearn.model_selection import StratifiedKFold

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    kept = np.random.default_rng(0).permutation(len(y))[:400]
    X, y = X[kept], y[kept]
    divided = StratifiedKFold(folds, shuffle=True, random_state=0).split(X, y)
    return X, y, list(divided)


class Folds(Problem):
    """A problem in the form of `curves.Curve`; its losses are those of single folds."""

    objectives = 2

    def __init__(self, name):
        super().__init__(name)
        self.data, self.space = name.split(":")[1], _SPACE
        self.fidelity = assay.Fidelity("folds", 1, 10, "folds")

    def losses_until(self, config, until):
        """The losses of folds 1 to `until`."""
        return [self._fold(tuple(sorted(config.items())), number) for number in range(until)]

    def losses(self, config, rng=None):
        """The means of all folds."""
        return np.mean(self.losses_until(config, self.fidelity.most), axis=0).tolist()

    @cache  # noqa: B019 - one problem a process
    def _fold(self, config, number):
        from sklearn.tree import DecisionTreeClassifier

        X, y, divided = _divided(self.data, self.fidelity.most)
        train, valid = divided[number]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = DecisionTreeClassifier(**dict(config), random_state=0).fit(X[train], y[train])
        right = y[valid][:, None] == model.classes_
        squares = (model.predict_proba(X[valid]) - right) ** 2
        return [float(squares.sum(axis=1).mean()), math.log10(model.get_n_leaves())]
