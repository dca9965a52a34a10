"""Metrics of weighted rows: scikit-learn's values, on the rows themselves and on resamples of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.errors import DataError
from assay.learners.aggregates import AGGREGATES, of_all
from assay.learners.scoring import _ANY_CLASSES, _REGRESSION, METRICS, metric, weighted
from assay.math.resampling import gain_from_statistic, gain_from_weighted
from assay.math.rows import Independent, grouped, ordered, stratified

CLOSE = {"rel": 1e-12, "abs": 1e-12}
SEEDS = st.integers(0, 10_000)


def one_against_rest(average):
    def reference(y, p):
        if p.ndim == 1:
            return sk.roc_auc_score(y, p)
        present, sizes = np.unique(y, return_counts=True)
        areas = [sk.roc_auc_score(y == label, p[:, label]) for label in present]
        return np.average(areas, weights=sizes if average == "weighted" else None)

    return reference


def averaged(function, average):
    return lambda y, p: function(y, p, average=average, zero_division=0.0)


REFERENCE = {
    "balanced_accuracy": sk.balanced_accuracy_score,
    "matthews_corrcoef": sk.matthews_corrcoef,
    "f1": averaged(sk.f1_score, "binary"),
    "f1_macro": averaged(sk.f1_score, "macro"),
    "f1_micro": averaged(sk.f1_score, "micro"),
    "f1_weighted": averaged(sk.f1_score, "weighted"),
    "precision": averaged(sk.precision_score, "binary"),
    "precision_macro": averaged(sk.precision_score, "macro"),
    "precision_weighted": averaged(sk.precision_score, "weighted"),
    "recall": averaged(sk.recall_score, "binary"),
    "recall_macro": averaged(sk.recall_score, "macro"),
    "recall_weighted": averaged(sk.recall_score, "weighted"),
    "jaccard": averaged(sk.jaccard_score, "binary"),
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "roc_auc_ovr": one_against_rest("macro"),
    "roc_auc_ovr_weighted": one_against_rest("weighted"),
    "rmse": sk.root_mean_squared_error,
    "rmsle": sk.root_mean_squared_log_error,
    "median_absolute_error": sk.median_absolute_error,
    "max_error": sk.max_error,
    "r2": sk.r2_score,
    "explained_variance": sk.explained_variance_score,
}


def data(name, rng, n):
    """Truth and predictions with ties, and often with classes that only one of them knows."""
    if name in _REGRESSION:
        offset = rng.choice([0.0, 1e4]) if name in ("r2", "explained_variance", "rmse") else 0.0
        y = offset + rng.integers(0, rng.integers(1, 6), n)
        return y, y + rng.integers(0, 4, n) / 4
    classes = rng.integers(2, 6) if name in _ANY_CLASSES else 2
    y = rng.integers(0, rng.integers(1, classes + 1), n)
    if METRICS[name].needs == "decision" or (METRICS[name].needs == "proba" and classes == 2):
        return y, np.round(y + rng.normal(size=n), 1)
    if METRICS[name].needs == "proba":
        return y, np.round(rng.dirichlet(np.ones(classes), n), 1)
    guess = rng.integers(0, rng.integers(1, classes + 1), n)
    return y, np.where(rng.random(n) < 0.5, y, guess).astype(float)


def expected(name, y, p):
    """The value of scikit-learn, NaN where ours is to be undefined."""
    if METRICS[name].needs in ("proba", "decision") and len(np.unique(y)) < 2:
        return np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are absent
        return REFERENCE[name](y, p)


def ours(name, y, p):
    try:
        return of_all(AGGREGATES[name], y, p)
    except DataError:
        return np.nan


def test_every_metric_that_is_no_mean_is_there():
    assert set(AGGREGATES) == set(REFERENCE) == {m for m in METRICS if not METRICS[m].decomposable}
    assert weighted(METRICS["accuracy"]) is None
    assert weighted(metric(lambda y, p: 0.0, "classification", direction="maximize")) is None
    assert (
        weighted(METRICS["f1"])
        is weighted(metric(sk.f1_score, "classification"))
        is AGGREGATES["f1"]
    )


@pytest.mark.parametrize("name", AGGREGATES)
@settings(max_examples=15)
@given(seed=SEEDS, n=st.integers(2, 30))
def test_the_value_is_that_of_scikit_learn(name, seed, n):
    y, p = data(name, np.random.default_rng(seed), n)
    assert ours(name, y, p) == pytest.approx(expected(name, y, p), nan_ok=True, **CLOSE)


@pytest.mark.parametrize("name", AGGREGATES)
@settings(max_examples=15)
@given(seed=SEEDS, n=st.integers(2, 30))
def test_weights_count_rows(name, seed, n):
    rng = np.random.default_rng(seed)
    y, p = data(name, rng, n)
    if np.isnan(expected(name, y, p)):
        return
    drawn = np.sort(rng.integers(n, size=n))
    weights = np.bincount(drawn, minlength=n)[None].astype(float)
    found = AGGREGATES[name](y, p)(np.concatenate([weights, np.ones((1, n)), 3 * weights]))
    assert found[0] == pytest.approx(expected(name, y[drawn], p[drawn]), nan_ok=True, **CLOSE)
    assert found[1] == pytest.approx(of_all(AGGREGATES[name], y, p), **CLOSE)
    assert found[2] == pytest.approx(found[0], nan_ok=True, **CLOSE)


def contest(name, rng, n=40):
    """Four fits that are right here and there."""
    needs, classes = METRICS[name].needs, 3 if name in _ANY_CLASSES else 2
    if name in _REGRESSION:
        y = np.arange(n) % 5
        return y, y + rng.normal(size=(4, n)) / 4
    y = np.arange(n) % classes
    if needs == "decision":
        return y, y + rng.normal(size=(4, n))
    if needs == "proba":
        return y, rng.dirichlet(np.ones(classes), (4, n))
    return y, np.where(rng.random((4, n)) < 0.5, y, rng.integers(0, classes, (4, n))).astype(float)


def draws_of(y, kind):
    """Rows drawn again in one way; every one of them may lack a class but the strata."""
    if kind == "strata":
        return stratified(y)
    n = len(y)
    return {"rows": Independent(n), "groups": grouped(np.arange(n) // 2), "time": ordered(n)}[kind]


@pytest.mark.parametrize("kind", ["rows", "strata", "groups", "time"])
@pytest.mark.parametrize("name", AGGREGATES)
def test_the_interval_is_that_of_the_metric_called_on_every_resample(name, kind):
    y, p = contest(name, np.random.default_rng(3))
    signed = -1.0 if METRICS[name].direction == "minimize" else 1.0

    def many(y, p):
        values = AGGREGATES[name](y, p)
        return lambda weights: signed * values(weights)

    rows = draws_of(y, kind)
    fast, slow = (
        gain(y, p[:2], p[2:], one, rows, np.random.default_rng(0), draws=100)
        for gain, one in (
            (gain_from_weighted, many),
            (gain_from_statistic, lambda y, p: signed * ours(name, y, p)),
        )
    )
    for part in ("gain", "control", "selected"):
        one, other = getattr(fast, part), getattr(slow, part)
        found, wanted = ((i.estimate, i.low, i.high, i.se) for i in (one, other))
        assert tuple(found) == pytest.approx(tuple(wanted), rel=1e-9, abs=1e-12)
    assert fast.gain.low < fast.gain.high


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "roc_auc_ovr"])
def test_resamples_without_a_class_are_undefined_and_not_zero(name):
    y, p = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
    weights = np.array([[1.0, 3, 0, 0], [0, 0, 2, 2], [1, 1, 1, 1]])
    assert np.isnan(AGGREGATES[name](y, p)(weights)).tolist() == [True, True, False]


def test_a_class_that_a_resample_lacks_is_left_out_of_the_mean():
    y = np.array([0, 1, 2, 0, 1, 2])
    p = np.random.default_rng(0).dirichlet([1, 1, 1], 6)
    left = np.array([0, 1, 3, 4])
    weights = np.isin(np.arange(6), left)[None].astype(float)
    for name in ("roc_auc_ovr", "f1_macro", "balanced_accuracy"):
        given_p = p if name == "roc_auc_ovr" else np.array([0.0, 1, 2, 1, 1, 0])
        found = AGGREGATES[name](y, given_p)(weights)[0]
        assert found == pytest.approx(expected(name, y[left], given_p[left]), **CLOSE)


@pytest.mark.parametrize("name", ["r2", "explained_variance"])
def test_a_small_spread_far_from_zero_is_not_lost(name):
    rng = np.random.default_rng(0)
    y = 1e6 + rng.normal(size=200)
    p = y + 0.1 * rng.normal(size=200) - 2.0
    assert ours(name, y, p) == pytest.approx(REFERENCE[name](y, p), **CLOSE)


def test_resamples_of_equal_targets_have_no_spread_left_by_rounding():
    y, p = np.array([0.1, 0.1, 7.3, 2.9]), np.array([0.1, 0.2, 7.0, 3.0])
    often = np.arange(1.0, 50)[:, None]
    assert set(AGGREGATES["r2"](y, p)(often * [1, 1, 0, 0])) == {0.0}
    assert set(AGGREGATES["r2"](y, p)(often * [1, 0, 0, 0])) == {1.0}
    assert set(AGGREGATES["explained_variance"](y, p)(often * [0, 1, 0, 0])) == {1.0}


def test_a_single_row_has_no_share_of_variance():
    with pytest.raises(DataError, match="at least 2"):
        of_all(AGGREGATES["r2"], np.array([1.0]), np.array([1.0]))
