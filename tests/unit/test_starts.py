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
from assay.sklearn.starting import MOST, _Loss, given_first, lent

X, y = load_diabetes(return_X_y=True)
SPACE = {"C": Float(1e-2, 1e5, log=True), "epsilon": Float(1e-3, 1e3, log=True)}


def borrowed(estimator, space, *, X=X, y=y):
    found = candidates(estimator, space, rows=len(X), control=True)
    return lent(found, estimator, X, y, metric="r2")


def queued(estimator, space, *, X=X, y=y):
    found = borrowed(estimator, space, X=X, y=y)
    return list(found.arms.values()) if found else []


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
    assert found
    assert all(one.known.source for one in found)
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
    mine = dict(queued(KNeighborsRegressor(), space)[1].config)
    found = candidates(KNeighborsRegressor(), space, rows=len(X), control=True)
    assert given_first(found, [mine])[0].source == ""
    settings = {"n_trials": 12, "cv": 3, "evidence": None, "random_state": 0, "given": [mine]}
    history = SearchCV(KNeighborsRegressor(), space, **settings).fit(X, y).study_.history
    configs = [dict(history.config(number)) for number in range(12)]
    assert configs[1] == mine
    assert configs.count(mine) == 1
    assert sum(bool(source_of(history, number)) for number in range(12)) == MOST - 1


def test_one_of_several_grids_borrows_nothing():
    grids = [{"C": [1.0, 10.0]}, {"C": [1.0], "gamma": [0.1, 1.0]}]
    assert queued(SVR(), grids) == []


@pytest.fixture(scope="module")
def search():
    settings = {"n_trials": MOST + 3, "cv": 3, "evidence": None, "random_state": 0}
    return SearchCV(SVR(), WIDTHS, **settings).fit(X, y)


WIDTHS = {"C": loguniform(1e-2, 1e5), "gamma": loguniform(1e-4, 10)}


def test_a_search_tries_them_after_the_control_and_says_where_they_are_from(search):
    history = search.study_.history
    sources = [source_of(history, number) for number in range(MOST + 3)]
    assert [bool(source) for source in sources] == [False] + [True] * MOST + [False] * 2
    assert "svr" in sources[1]
    assert search.study_.verify() == []
    settings = {"n_trials": 4, "cv": 3, "evidence": None, "random_state": 0}
    alone = SearchCV(SVR(), WIDTHS, portfolio=False, **settings).fit(X, y)
    assert not any(source_of(alone.study_.history, number) for number in range(4))


def test_what_comes_next_follows_from_the_log_alone(search):
    from dataclasses import replace

    history = search.study_.history
    found = borrowed(SVR(), WIDTHS)
    for floor in (None, 0.0, -0.4):
        known = replace(found, floor=floor)
        one, other = (
            [known.next(history.at(at)).config for at, _ in history.queue] for _ in range(2)
        )
        assert one == other
        if floor == 0.0:
            assert (
                sum(a == dict(e.config) for a, (_, e) in zip(one, history.queue, strict=True)) >= 6
            )
    assert found.next(history) is None


def test_what_is_borrowed_does_not_depend_on_the_number_of_jobs(search):
    settings = {"n_trials": MOST + 3, "cv": 3, "evidence": None, "random_state": 0, "n_jobs": 2}
    side_by_side = SearchCV(SVR(), WIDTHS, **settings).fit(X, y)
    assert side_by_side.cv_results_["params"] == search.cv_results_["params"]


def test_several_at_once_are_taken_from_the_list_too():
    settings = {"n_trials": 10, "cv": 3, "evidence": None, "random_state": 0, "batch": 3}
    history = SearchCV(SVR(), WIDTHS, **settings).fit(X, y).study_.history
    configs = [str(history.config(number)) for number in range(10)]
    assert len(set(configs)) == 10
    assert [bool(source_of(history, n)) for n in range(10)] == [False] + [True] * MOST + [False]


@pytest.mark.parametrize(
    ("metric", "control", "score", "loss"),
    [
        ("neg_log_loss", -0.5, -0.25, 0.25),
        ("neg_log_loss", -0.5, -0.0, 1e-6),
        ("accuracy", 0.9, 0.95, 0.05),
        ("score", -3.0, -1.0, 1.0),
        ("score", 0.5, 0.75, 0.25),
        ("neg_mean_squared_error", -9.0, -4.0, 2.0),
        ("r2", -0.2, 0.75, 0.5),
        ("score", 7.0, 8.0, None),
        ("accuracy", None, 0.5, None),
        ("accuracy", 0.9, None, None),
        ("r2", 0.5, float("nan"), None),
    ],
)
def test_a_score_is_a_loss_by_its_name_or_its_sign(metric, control, score, loss):
    assert _Loss(metric, control)(score) == pytest.approx(loss or np.nan, nan_ok=True)


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
