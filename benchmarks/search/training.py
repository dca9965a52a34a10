"""scikit-learn models, trained on the spot; new folds each time are the noise."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from benchmarks.search.params import Param
from benchmarks.search.problems import Problem

_MOST_ROWS = 700
_WORST = 2.0  # loss of a model that could not be fitted


def _number(name, low, high, *, log=False):
    return Param(name, "int" if isinstance(high, int) else "float", low, high, log)


def _choice(name, *choices):
    return Param(name, "cat", choices=choices)


def _if(parent, values, param):
    return replace(param, when=((parent, values),))


_SPACES = {
    "svm": [
        _number("C", 1e-3, 1e3, log=True),
        _choice("kernel", "rbf", "poly", "sigmoid", "linear"),
        _if("kernel", ("rbf", "poly", "sigmoid"), _number("gamma", 1e-5, 10.0, log=True)),
        _if("kernel", ("poly",), _number("degree", 2, 5)),
        _if("kernel", ("poly", "sigmoid"), _number("coef0", -1.0, 1.0)),
        _number("tol", 1e-5, 1e-1, log=True),
    ],
    "tree": [
        _choice("algo", "rf", "gbm", "tree"),
        _number("min_samples_leaf", 1, 64, log=True),
        _number("max_depth", 1, 16),
        _if("algo", ("rf", "gbm"), _number("max_features", 0.05, 1.0)),
        _if("algo", ("rf", "gbm"), _number("n_estimators", 5, 60, log=True)),
        _if("algo", ("gbm",), _number("learning_rate", 1e-3, 1.0, log=True)),
        _if("algo", ("gbm",), _number("subsample", 0.3, 1.0)),
        _if("algo", ("rf",), _choice("bootstrap", True, False)),
        _if("algo", ("tree",), _number("ccp_alpha", 1e-6, 1e-1, log=True)),
    ],
}


class Training(Problem):
    """Error of three folds: share of wrong classes, or RMSE in sd of the target."""

    noisy = True

    def __init__(self, name):
        from sklearn import datasets

        super().__init__(name)
        self.model, dataset = name.split(":")[1].split("/")
        self.X, self.y = getattr(datasets, f"load_{dataset}")(return_X_y=True)
        if len(self.y) > _MOST_ROWS:
            keep = np.random.default_rng(0).permutation(len(self.y))[:_MOST_ROWS]
            self.X, self.y = self.X[keep], self.y[keep]
        self.numeric = dataset == "diabetes"
        self.space = _SPACES[self.model]

    def losses(self, config, rng=None):
        return [self._error(config, 7 if rng is None else int(rng.integers(2**30)))]

    def true_losses(self, config):
        return [float(np.mean([self._error(config, seed) for seed in (7, 8)]))]

    def _error(self, config, seed):
        from sklearn.model_selection import KFold, StratifiedKFold

        folds = (KFold if self.numeric else StratifiedKFold)(3, shuffle=True, random_state=seed)
        errors = []
        for train, test in folds.split(self.X, self.y):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model = self._model(config, seed).fit(self.X[train], self.y[train])
                    error = self._loss(model.predict(self.X[test]), self.y[test])
            except ValueError:
                error = _WORST
            errors.append(min(error, _WORST) if np.isfinite(error) else _WORST)
        return float(np.mean(errors))

    def _loss(self, predicted, truth):
        if self.numeric:
            return float(np.sqrt(np.mean((predicted - truth) ** 2)) / np.std(self.y))
        return float(np.mean(predicted != truth))

    def _model(self, config, seed):
        from sklearn import ensemble, svm, tree
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        given = dict(config)
        if self.model == "svm":
            model = (svm.SVR if self.numeric else svm.SVC)(max_iter=5000, **given)
        else:
            kind = "Regressor" if self.numeric else "Classifier"
            home, name = {
                "rf": (ensemble, "RandomForest"),
                "gbm": (ensemble, "GradientBoosting"),
                "tree": (tree, "DecisionTree"),
            }[given.pop("algo")]
            model = getattr(home, name + kind)(random_state=seed, **given)
        return make_pipeline(StandardScaler(), model)
