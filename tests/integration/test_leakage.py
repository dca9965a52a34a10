"""No training row ever enters the fold that judges it: every splitter, every way to stop early."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import SGDRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

import assay
from assay import Evidence, Float, Space, Splits
from assay.analysis.overtuning import incumbents

N = 90
QUICK = Evidence(repeats=1, seeds=1, top=1, rechecks=1, refits=1)
FITTED: list[frozenset[int]] = []
WATCHED: list[tuple[frozenset[int], frozenset[int]]] = []
JUDGED: list[tuple[frozenset[int], frozenset[int]]] = []


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """No study of these tests has to do with rows that were sealed before."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    for noted in (FITTED, WATCHED, JUDGED):
        noted.clear()
    with threadpool_limits(1):  # the fits are tiny
        yield


def ids(X):
    """The rows know their numbers by the first column."""
    return frozenset(np.asarray(X)[:, 0].astype(int).tolist())


class Noting:
    """Notes which rows a model is fitted on, watches and judges."""

    def fit(self, X, y, **words):
        self.rows_ = ids(X)
        FITTED.append(self.rows_)
        for watched, _ in words.get("eval_set") or []:
            WATCHED.append((self.rows_, ids(watched)))
        if "eval_X" in words:
            WATCHED.append((self.rows_, ids(words["eval_X"])))
        return super().fit(X, y, **words)

    def predict(self, X, **words):
        if hasattr(self, "rows_"):  # not yet where a model scores itself while it is fitted
            JUDGED.append((self.rows_, ids(X)))
        return super().predict(X, **words)


class Mean(RegressorMixin, BaseEstimator):
    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y):
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_ + self.shift) + 0.01 * np.asarray(X)[:, 1]


class Witness(Noting, Mean):
    def fit(self, X, y):
        return super().fit(X, y)


class Watching(Noting, Mean):
    """Wants rows to watch, as boosting libraries do."""

    def __init__(self, shift=0.0, early_stopping_rounds=None):
        super().__init__(shift)
        self.early_stopping_rounds = early_stopping_rounds

    def fit(self, X, y, eval_set=None):
        self.rows_ = ids(X)
        FITTED.append(self.rows_)
        WATCHED.extend((self.rows_, ids(watched)) for watched, _ in eval_set or [])
        return Mean.fit(self, X, y)


class NotingHist(Noting, HistGradientBoostingRegressor):
    def fit(self, X, y):
        return super().fit(X, y)


class NotingSgd(Noting, SGDRegressor):
    def fit(self, X, y):
        return super().fit(X, y)


def xgboost():
    xgb = pytest.importorskip("xgboost")

    class NotingXgb(Noting, xgb.XGBRegressor):
        def fit(self, X, y, *, eval_set=None, verbose=True):
            return super().fit(X, y, eval_set=eval_set, verbose=verbose)

    return NotingXgb(
        n_estimators=20, learning_rate=0.1, max_depth=2, early_stopping_rounds=2, n_jobs=1
    )


def lightgbm():
    lgb = pytest.importorskip("lightgbm")

    class NotingLgb(Noting, lgb.LGBMRegressor):
        def fit(self, X, y, *, eval_set=None, eval_X=None, eval_y=None):
            return super().fit(X, y, eval_X=eval_X, eval_y=eval_y)

    class NotingOldLgb(Noting, lgb.LGBMRegressor):
        def fit(self, X, y, *, eval_set=None):
            return super().fit(X, y, eval_set=eval_set)

    new = "eval_X" in inspect.signature(lgb.LGBMRegressor.fit).parameters  # from 4.7 on
    return (NotingLgb if new else NotingOldLgb)(
        n_estimators=20, early_stopping_round=2, n_jobs=1, verbose=-1, num_leaves=3
    )


SHIFT = Space(shift=Float(-1, 1, default=0.0))
RATE = Space(learning_rate=Float(0.05, 0.5, default=0.1))
SGD = Space(alpha=Float(1e-5, 1e-2, log=True, default=1e-4))
PATHS = {
    "no early stopping": (Witness, SHIFT),
    "rows to watch": (lambda: Watching(early_stopping_rounds=5), SHIFT),
    "histogram boosting": (
        lambda: NotingHist(early_stopping=True, max_iter=5, min_samples_leaf=5),
        RATE,
    ),
    "passes": (lambda: NotingSgd(early_stopping=True, n_iter_no_change=2, max_iter=20), SGD),
    "xgboost": (xgboost, RATE),
    "lightgbm": (lightgbm, RATE),
}
SPLITS = {
    "kfold": (Splits.kfold(4), {}),
    "repeated": (Splits.repeated(3, 2), {}),
    "holdout": (Splits.holdout(0.3), {}),
    "grouped": (Splits.grouped(4), {"groups": np.arange(N) // 6}),
    "forward": (Splits.forward(4), {"time": np.arange(N)}),
    "sliding": (Splits.forward(3, gap=2, mode="sliding"), {"time": np.arange(N)}),
}


def searched(model, space, splits, told, scheduler=None):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(N), rng.normal(size=N)])
    y = X[:, 1] + rng.normal(size=N)
    return assay.tune(
        model, X, y, space=space, splits=splits, test=0.2, budget=3, sampler="random",
        evidence=QUICK, isolation="none", scheduler=scheduler, open_test=False, progress=False,
        **told,
    )  # fmt: skip


CASES = [(path, kind, None) for path in PATHS for kind in SPLITS]
CASES += [  # racing needs folds, and does not look at the model
    (path, kind, "racing")
    for path in ("no early stopping", "rows to watch")
    for kind in SPLITS
    if kind != "holdout"
]


@pytest.mark.parametrize(("path", "kind", "scheduler"), CASES)
def test_no_training_row_is_in_the_fold_that_judges(path, kind, scheduler):
    make, space = PATHS[path]
    splits, told = SPLITS[kind]
    study = searched(make(), space, splits, told, scheduler)
    assert not any(trial.state == "failed" for trial in study.trials)
    judged = by_others()
    assert len(judged) >= 3
    for known, rows in judged:
        assert not known & rows
        apart(known, rows, told)
    held_out = study.spec.data["seal"]["rows"]
    seen = frozenset().union(*FITTED, *(rows for _, rows in JUDGED + WATCHED))
    assert held_out >= 15
    assert len(seen) <= N - held_out  # no sealed row was fitted, watched or judged


def by_others():
    """(rows that a model knows, rows that judge it); scores on training rows are reported as such."""
    watched = dict(WATCHED)
    known = [(trained | watched.get(trained, frozenset()), rows) for trained, rows in JUDGED]
    return [(rows, judging) for rows, judging in known if rows != judging]


def apart(trained, rows, told):
    """Groups stay whole, and the past does not see the future."""
    if "groups" in told:
        assert not {row // 6 for row in trained} & {row // 6 for row in rows}
    if "time" in told:
        assert max(trained) < min(rows)


@pytest.mark.parametrize("kind", SPLITS)
@pytest.mark.parametrize("path", ["no early stopping", "rows to watch"])
def test_no_shadow_row_is_ever_searched_on(path, kind):
    """It is judged by itself, by fits on all rows of the search, as often as there were incumbents."""
    make, space = PATHS[path]
    splits, told = SPLITS[kind]
    study = searched(make(), space, splits, told | {"shadow": 0.2})
    size = study.spec.data["shadow"]["rows"]
    known = frozenset().union(*FITTED, *(rows for _, rows in WATCHED))
    alone = [(trained, rows) for trained, rows in JUDGED if not rows & known]
    assert len(alone) == len(incumbents(study.spec, study.history))
    assert len({rows for _, rows in alone}) == 1
    assert len(alone[0][1]) == size
    assert len(known) + size + study.spec.data["seal"]["rows"] <= N
    for trained, rows in alone:
        apart(trained, rows, told)


@pytest.mark.parametrize("kind", SPLITS)
@pytest.mark.parametrize("path", ["rows to watch", "xgboost", "lightgbm"])
def test_what_is_watched_is_part_of_the_training_rows(path, kind):
    make, space = PATHS[path]
    splits, told = SPLITS[kind]
    searched(make(), space, splits, told)
    assert WATCHED
    for trained, rows in WATCHED:
        assert rows
        assert not trained & rows
        apart(trained, rows, told)


def test_a_pipeline_prepares_what_is_watched():
    steps = [("double", FunctionTransformer(lambda X: X * [1, 2])), ("model", Watching(0.0, 5))]
    searched(Pipeline(steps), Space(model__shift=Float(-1, 1, default=0.0)), Splits.kfold(3), {})
    assert WATCHED
    assert all(trained and rows and not trained & rows for trained, rows in WATCHED)


def test_without_rounds_nothing_is_watched():
    searched(Watching(), SHIFT, Splits.kfold(3), {})
    assert not WATCHED
