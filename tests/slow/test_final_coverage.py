"""T17 end to end: does the interval that a whole study prints hold the true gain in 95 %?

Each study is `assay.tune` on fresh rows of a known distribution: seal, search, recheck, freeze,
refits, test. The truth is the gain of the same two configs, fitted on the same development rows
with seeds of their own, on 20,000 further rows. Figures go to results/final_coverage.json.
"""

from __future__ import annotations

import faulthandler
import json
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
import pytest

import assay
from assay import Choice, Int, Ordinal, Space
from assay.core.events import Opened
from assay.evaluation.splits import hold_out

pytestmark = pytest.mark.slow

STUDIES = 200
TRIALS = 8
SHARE = 0.3
FUTURE = 20_000
TRUE_FITS = 10
RESULTS = Path(__file__).with_name("results") / "final_coverage.json"


def numbers(rng, n):
    """Ten features, three of which matter, and a target with heavy noise."""
    X = rng.normal(size=(n, 10))
    return X, X[:, 0] + 0.5 * X[:, 1] + np.maximum(X[:, 2], 0) + rng.standard_t(5, size=n)


def classes(rng, n):
    """The same, as two classes."""
    X, y = numbers(rng, n)
    return X, (y > 0.8).astype(int)


def ridge():
    from sklearn.linear_model import Ridge

    return Ridge(alpha=300.0)


def regression_tree():
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor()


def tree():
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier()


RANDOM_TREES = Space(
    splitter=Choice(["best", "random"], default="best"),
    max_features=Ordinal([0.3, 0.6, 1.0], default=1.0),
    min_samples_leaf=Int(1, 32, log=True, default=16),
)


@dataclass(frozen=True)
class Kind:
    """What is tuned on what."""

    draw: object
    model: object
    metric: str
    rows: int
    space: Space | None = None


KINDS = {
    "ridge, rmse": Kind(numbers, ridge, "rmse", 300),
    "tree, rmse": Kind(numbers, regression_tree, "rmse", 400),
    "tree, log_loss": Kind(classes, tree, "log_loss", 600),
    "tree, accuracy": Kind(classes, tree, "accuracy", 300),
    "tree, roc_auc": Kind(classes, tree, "roc_auc", 600),
    "random trees, accuracy": Kind(classes, lambda: tree().set_params(min_samples_leaf=16), "accuracy", 300, RANDOM_TREES),
    "random trees, roc_auc": Kind(classes, lambda: tree().set_params(min_samples_leaf=16), "roc_auc", 400, RANDOM_TREES),
}  # fmt: skip


def study_of(kind, X, y, number):
    return assay.tune(
        kind.model(), X, y, metric=kind.metric, space=kind.space, budget=TRIALS, test=SHARE,
        seed=number, isolation="none", progress=False,
    )  # fmt: skip


def true_gain(kind, X, y, future, number, configs):
    """The gain of the second config over the first, positive if it is better."""
    labels = y if kind.draw is classes else None
    dev, _ = hold_out(SHARE, n=len(y), y=labels, groups=None, time=None, seed=number)
    control, challenger = (
        np.mean([score(kind, fitted(kind, config, seed, X[dev], y[dev]), *future) for seed in range(TRUE_FITS)])
        for config in configs
    )  # fmt: skip
    return challenger - control


def fitted(kind, config, seed, X, y):
    model = kind.model().set_params(**config)
    if "random_state" in model.get_params():
        model.set_params(random_state=seed)
    return model.fit(X, y)


def score(kind, model, X, y):
    """The metric, higher is better; independent of the package's own formulas."""
    from sklearn.metrics import get_scorer

    names = {"rmse": "neg_root_mean_squared_error", "log_loss": "neg_log_loss"}
    return get_scorer(names.get(kind.metric, kind.metric))(model, X, y)
