"""What a search tries first: figures in the units of the data, for the models they were found for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.kernel_ridge import KernelRidge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from assay import Float, Int, Space
from assay.analysis.borrowed import source_of
from assay.learners.starts import measured, starts, units_of
from assay.sklearn import SearchCV
from assay.sklearn.candidates import candidates
from assay.sklearn.starting import MOST, first

X, y = load_diabetes(return_X_y=True)
SPACE = {"C": Float(1e-2, 1e5, log=True), "epsilon": Float(1e-3, 1e3, log=True)}


def queued(estimator, space, given=(), *, more=True, X=X, y=y):
    found = candidates(estimator, space, rows=len(X), control=True)
    return first(found, estimator, X, y, given, more=more)


def test_every_entry_is_whole():
    assert len({one.name for one in starts()}) == len(starts())
    for one in starts():
        assert one.config, one.name
        assert one.units.keys() <= one.config.keys(), one.name
        assert set(one.units.values()) <= {"kernel", "target"}, one.name
        assert all((one.model, one.estimators, one.source, one.data, one.licence)), one.name


def test_the_unit_of_a_kernel_is_what_scikit_learn_calls_scale():
    model = SVR(gamma="scale").fit(X, y)
    assert units_of(X, y, standardised=False)["kernel"] == pytest.approx(model._gamma)
    assert units_of(X, y, standardised=True)["kernel"] == 1 / X.shape[1]


@pytest.mark.parametrize(
    ("X", "y", "known"),
    [
        (np.array([["a"], ["b"]]), np.array([1.0, 2.0]), {"target"}),
        (np.ones((3, 2)), np.array([1.0, 1.0, 1.0]), set()),
        (np.array([[1.0], [np.nan]]), None, set()),
        (np.array([[1.0], [2.0]]), np.array(["a", "b"]), {"kernel"}),
    ],
)
def test_units_that_cannot_be_told_are_left_out(X, y, known):
    assert units_of(X, y, standardised=False).keys() == known


def test_figures_become_numbers_in_these_units():
    one = next(one for one in starts() if one.estimators == ("SVR",))
    now = measured(one, {"kernel": 0.5, "target": 200.0})
    assert now.config["C"] == pytest.approx(200 * one.config["C"], rel=1e-3)
    assert now.config["gamma"] == pytest.approx(one.config["gamma"] / 2, rel=1e-3)
    assert measured(one, {"kernel": 0.5}) is None


def test_the_scale_of_the_target_scales_what_is_tried():
    small, large = (queued(SVR(), SPACE, y=y * factor) for factor in (1, 10))
    for a, b in zip(small, large, strict=True):
        assert b.config["C"] == pytest.approx(10 * a.config["C"], rel=1e-3)


def test_steps_of_a_pipeline_have_theirs():
    space = {"svr__C": SPACE["C"], "svr__epsilon": SPACE["epsilon"], "svr__gamma": [0.01, 0.1]}
    found = queued(make_pipeline(StandardScaler(), SVR()), space)
    assert 1 <= len(found) <= MOST
    assert all(one.source for one in found)
    assert all(set(one.config) >= set(space) for one in found)


WHOLE = {**SPACE, "gamma": Float(1e-4, 10.0, log=True)}


@pytest.mark.parametrize(
    ("estimator", "space"),
    [
        (SVR(kernel="linear"), WHOLE),
        (KernelRidge(), {"alpha": SPACE["C"], "gamma": WHOLE["gamma"]}),
        (TransformedTargetRegressor(SVR()), {f"regressor__{k}": v for k, v in WHOLE.items()}),
    ],
)
def test_nothing_is_borrowed_for_another_kernel_or_another_target(estimator, space):
    assert queued(SVR(), WHOLE)
    assert queued(estimator, space) == []


def test_what_the_user_gives_comes_first_and_is_not_tried_again():
    space = {"n_neighbors": Int(1, 200), "weights": ["uniform", "distance"], "p": [1, 2]}
    plain = queued(KNeighborsRegressor(), space)
    mine = queued(KNeighborsRegressor(), space, [plain[1].config])
    assert mine[0].config == plain[1].config
    assert not mine[0].source
    assert [one.config for one in mine].count(plain[1].config) == 1


def test_one_of_several_grids_borrows_nothing():
    grids = [{"C": [1.0, 10.0]}, {"C": [1.0], "gamma": [0.1, 1.0]}]
    assert queued(SVR(), grids) == []


def test_a_search_tries_them_after_the_control_and_says_where_they_are_from():
    space = {"C": loguniform(1e-2, 1e5), "gamma": loguniform(1e-4, 10)}
    settings = {"n_trials": 9, "cv": 3, "evidence": None, "random_state": 0}
    search = SearchCV(SVR(), space, **settings).fit(X, y)
    lent = [source_of(search.study_.history, number) for number in range(9)]
    many = len(queued(SVR(), space))
    assert 1 < many <= MOST
    assert [bool(source) for source in lent] == [False] + [True] * many + [False] * (8 - many)
    assert "svr" in lent[1]
    assert search.study_.verify() == []
    alone = SearchCV(SVR(), space, portfolio=False, **settings).fit(X, y)
    assert not any(source_of(alone.study_.history, number) for number in range(9))


def test_a_grid_is_still_tried_once_and_whole():
    grid = {"C": [1.0, 10.0, 100.0], "gamma": [0.01, 0.1, 1.0]}
    search = SearchCV(SVC(), grid, n_trials=20, cv=3, evidence=None, random_state=0)
    tried = search.fit(X, (y > 140).astype(int)).cv_results_["params"]
    assert len(tried) == len({tuple(sorted(map(str, one.items()))) for one in tried}) == 10


def test_own_values_outside_of_the_space_are_no_hindrance():
    space = Space(C=Float(2.0, 1e5, log=True), gamma=Float(1e-4, 10, log=True))
    search = SearchCV(SVR(), space, n_trials=4, cv=3, evidence=None, random_state=0).fit(X, y)
    assert search.cv_results_["params"][0]["C"] == 1.0
    assert source_of(search.study_.history, 1)
