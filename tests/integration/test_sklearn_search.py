"""SearchCV: scikit-learn's contract, and what a study adds to it."""

from __future__ import annotations

import inspect
import pickle
import re
from contextlib import suppress

import numpy as np
import pytest
from scipy.stats import loguniform, norm, randint, uniform
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_breast_cancer, load_diabetes, make_classification
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - opens the next import
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, make_scorer, mean_squared_error, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupShuffleSplit,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    TimeSeriesSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from assay import (
    AssayError,
    Choice,
    Evidence,
    Float,
    Space,
    SpaceError,
    SpecError,
    When,
    open_study,
    progress,
)
from assay.analysis.overtuning import incumbents
from assay.analysis.verdict import Action
from assay.core.events import FLOOR, Measured, Selected
from assay.core.familiar import SEARCH_ARGUMENTS
from assay.core.history import fold
from assay.core.rng import derived_seed
from assay.core.units import SHADOW
from assay.evaluation.splits import hold_out
from assay.report.phase import standing
from assay.sklearn import SearchCV

X, y = load_diabetes(return_X_y=True)
ALPHA = {"alpha": loguniform(1e-4, 10)}


def fitted(**given):
    settings = {"n_trials": 6, "random_state": 0, "cv": 3, "sampler": "random", **given}
    return SearchCV(
        settings.pop("estimator", Ridge()), settings.pop("space", ALPHA), **settings
    ).fit(X, y)


@pytest.fixture(scope="module")
def ridge():
    return fitted()


def test_the_estimator_as_given_is_the_first_candidate_and_the_control(ridge):
    own = cross_validate(Ridge(), X, y, cv=3)["test_score"]
    assert ridge.cv_results_["params"][0] == {"alpha": 1.0} == ridge.control_["params"]
    assert [ridge.cv_results_[f"split{i}_test_score"][0] for i in range(3)] == pytest.approx(own)
    assert ridge.control_["score"] == pytest.approx(own.mean())


def test_every_candidate_scores_what_cross_validation_gives_it(ridge):
    for params, mean in zip(
        ridge.cv_results_["params"], ridge.cv_results_["mean_test_score"], strict=True
    ):
        assert cross_validate(Ridge(**params), X, y, cv=3)["test_score"].mean() == pytest.approx(
            mean
        )


def test_the_study_holds_the_same_and_its_log_verifies(ridge):
    told = [trial.value for trial in ridge.study_.trials]
    assert told == pytest.approx(list(ridge.cv_results_["mean_test_score"]))
    assert ridge.study_.verify() == []
    assert ridge.verdict_.sentence in ridge.report()


def test_who_looks_on_sees_the_control_being_measured(ridge):
    log = list(ridge.study_.store.read(ridge.study_.name))
    seen = []
    for length in range(1, len(log) + 1):
        now = standing(ridge.study_.spec, fold(log[:length]))
        if not seen or now.phase != seen[-1].phase:
            seen.append(now)
    assert [now.phase for now in seen] == ["control", "search", "control", "recheck", "finished"]


class Watched(Ridge):
    """Notes what whoever looks at the study's file sees while it is fitted."""

    file = ""
    seen: list = []  # noqa: RUF012 - clones share it

    def fit(self, X, y):
        with suppress(AssayError):  # there is no study yet
            study = open_study(self.file, "search")
            self.seen.append(standing(study.spec, study.history).phase)
        return super().fit(X, y)


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({}, 3),
        ({"scoring": "neg_mean_squared_error", "smallest_gain": 1.0}, 3),
        ({"scoring": ["r2", "explained_variance"], "refit": "r2"}, 3),
        ({"scoring": make_scorer(r2_score)}, 3),
        ({"scoring": "neg_mean_squared_error"}, 0),  # its error is what the plan asks 1 % of
        ({"scoring": make_scorer(mean_squared_error, greater_is_better=False)}, 0),
        ({"scoring": lambda model, X, y: {"r2": model.score(X, y)}, "refit": False}, 0),
    ],
)
def test_the_study_is_there_before_the_control_is_fitted(tmp_path, options, first):
    Watched.file, Watched.seen = f"sqlite:///{tmp_path}/lab.db", []
    fitted(estimator=Watched(), storage=Watched.file, n_trials=3, **options)
    assert Watched.seen[:first] == ["control"] * first
    assert Watched.seen[first : first + 6] == ["search"] * 6


def test_verbose_shows_the_phases_and_without_it_nothing_is_said(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_LIVE_S", 0.0)  # a search of milliseconds, and each change shown
    monkeypatch.setattr(progress, "_SHARE", float("inf"))
    fitted(n_trials=3)
    assert capsys.readouterr() == ("", "")
    fitted(n_trials=3, verbose=1)
    lines = capsys.readouterr().err.splitlines()
    shown = [line.split(":")[0] for line in lines if re.search(r" (trials|evaluations)\b", line)]
    assert shown == [
        "measuring the defaults", "searching", "measuring the defaults",
        "measuring the best again", "done",
    ]  # fmt: skip
    assert lines[0] == "measuring the defaults: 0/3 evaluations"


def test_verbose_shows_a_control_that_is_fitted_before_the_plan(capsys):
    fitted(n_trials=1, verbose=1, scoring="neg_mean_squared_error")
    assert capsys.readouterr().err.startswith("measuring the defaults: 0/3 evaluations\n")


def test_the_best_were_measured_again_on_splits_that_the_search_never_saw(ridge):
    history = ridge.study_.history
    fresh = history.units(0, "recheck")
    assert len(fresh) >= 10
    assert min(repeat for repeat, _, _ in fresh) == 1
    seen = {history.units(0, "search")[unit].value for unit in history.units(0, "search")}
    assert seen.isdisjoint(event.value for event in fresh.values())


def test_what_only_the_verdict_needs_is_fitted_after_the_search(ridge):
    log = ridge.study_.store.read(ridge.study_.name)
    stages = [event.stage for event in log if isinstance(event, Measured)]
    last = max(i for i, stage in enumerate(stages) if stage == "search")
    assert set(stages[: last + 1]) == {"search"}
    assert {"floor", "probe", "recheck"} <= set(stages[last + 1 :])


@pytest.mark.parametrize("seed", [0, 2])  # a gain of more than one standard error, and none
def test_the_guard_alone_keeps_a_gain_that_is_likely_and_not_shown(seed):
    rows, labels = make_classification(150, 8, flip_y=0.2, random_state=seed)
    search = SearchCV(
        DecisionTreeClassifier(random_state=0),
        {"max_depth": range(2, 8), "min_samples_leaf": range(1, 20)},
        n_trials=8,
        cv=3,
        sampler="random",
        select="guard",
        random_state=seed,
    ).fit(rows, labels)
    selected = search.study_.history.last(Selected)
    (best,) = (row for row in selected.table if row["trial"] == selected.challenger)
    assert search.verdict_.action is Action.KEEP_DEFAULTS, "the verdict takes the control"
    passes = best["fresh_gain"] > best["se"]
    assert passes is (seed == 0)
    assert search.best_index_ == search._place[selected.challenger if passes else 0]


def test_defaults_stay_unless_a_gain_was_shown():
    # a guess by another seed is no better guess, so whichever scores best was lucky
    guess = DummyClassifier(strategy="stratified", random_state=0)
    settings = {"n_trials": 12, "cv": 3, "sampler": "random", "random_state": 0}
    kept, best = (
        SearchCV(guess, {"random_state": range(30)}, **settings, select=select).fit(A, b)
        for select in ("verdict", "score")
    )
    assert kept.verdict_.action is not Action.USE_TUNED, kept.verdict_
    assert kept.best_index_ == 0
    assert kept.best_estimator_.random_state == 0
    assert best.best_score_ == max(best.cv_results_["mean_test_score"])
    assert best.best_index_ != 0


def test_results_do_not_depend_on_n_jobs_and_do_on_the_seed(ridge):
    again, parallel, other = fitted(), fitted(n_jobs=2), fitted(random_state=1)
    params = [s.cv_results_["params"] for s in (ridge, again, parallel, other)]
    assert params[0] == params[1] == params[2] != params[3]
    assert parallel.verdict_ == ridge.verdict_


def test_batches_try_as_many_candidates(ridge):
    search = fitted(batch=4)
    assert len(search.cv_results_["params"]) == 6
    assert search.study_.verify() == []


def test_an_estimator_outside_of_the_space_is_tried_once_and_nowhere_else():
    space = {"max_depth": randint(1, 5), "ccp_alpha": uniform(0, 50)}
    search = fitted(estimator=DecisionTreeRegressor(random_state=0), space=space, n_trials=9)
    depths = [params["max_depth"] for params in search.cv_results_["params"]]
    assert depths[0] is None
    assert set(depths[1:]) <= {1, 2, 3, 4}
    assert search.verdict_ is not None
    assert search.study_.verify() == []


def test_values_may_be_any_object_and_come_back_as_they_are():
    scalers = [StandardScaler(), MinMaxScaler(), "passthrough"]
    pipe = make_pipeline(StandardScaler(), Ridge())
    search = fitted(
        estimator=pipe,
        space={"standardscaler": scalers, "ridge__alpha": np.logspace(-3, 1, 5)},
        n_trials=10,
    )
    tried = search.cv_results_["param_standardscaler"][1:]
    assert all(any(value is scaler for scaler in scalers) for value in tried)
    assert all(type(a) is np.float64 for a in search.cv_results_["param_ridge__alpha"][1:])


def test_several_grids_are_one_space_and_each_candidate_follows_one():
    grids = [{"alpha": [1.0]}, {"fit_intercept": [False], "alpha": [0.1, 10.0, 100.0]}]
    search = fitted(space=grids, n_trials=10, control=False)
    found = {tuple(sorted(p.items())) for p in search.cv_results_["params"]}
    assert found == {
        (("alpha", 1.0),),
        *((("alpha", a), ("fit_intercept", False)) for a in (0.1, 10.0, 100.0)),
    }


def test_distributions_keep_their_range_and_others_become_quantiles():
    space = {"alpha": norm(10, 1)}
    tried = [p["alpha"] for p in fitted(space=space, n_trials=12).cv_results_["params"]][1:]
    assert all(7 < a < 13 for a in tried)
    assert len(set(tried)) == 11


def test_conditions_of_a_space_are_kept():
    space = Space(
        fit_intercept=Choice([False, True], default=True),
        alpha=When("fit_intercept", True, Float(0.1, 10, log=True, default=1.0)),
    )
    search = fitted(space=space, n_trials=8)
    assert {tuple(p) for p in search.cv_results_["params"]} == {
        ("fit_intercept", "alpha"),
        ("fit_intercept",),
    }


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("alpha", r"'alpha' for estimator Pipeline\. Did you mean 'ridge__alpha'\?"),
        ("Ridge__alpha", r"Did you mean 'ridge__alpha'\?"),
        ("nothing", r"Invalid parameter 'nothing'"),
    ],
)
def test_a_name_without_its_step_is_told_the_whole_name(name, says):
    with pytest.raises(SpaceError, match=says):
        fitted(estimator=make_pipeline(StandardScaler(), Ridge()), space={name: [0.1, 1.0]})


class Lenient(Ridge):
    """Takes more than it gives, as CatBoost does."""

    def set_params(self, **params):
        return super().set_params(**{{"a": "alpha"}.get(k, k): v for k, v in params.items()})


def test_a_name_that_only_set_params_knows_is_taken():
    search = fitted(estimator=Lenient(), space={"a": [0.1, 5.0]}, n_trials=3)
    assert {"a": 5.0} in search.cv_results_["params"]


def test_a_class_in_the_place_of_an_estimator_is_told_to_be_called():
    with pytest.raises(TypeError, match=r"got the class Ridge\. Write Ridge\(\)"):
        fitted(estimator=Ridge)


def test_given_parameters_come_after_the_control():
    assert fitted(given=[{"alpha": 0.25}]).cv_results_["params"][1] == {"alpha": 0.25}


def test_a_value_given_that_the_space_lacks_is_told_with_its_parameter():
    with pytest.raises(SpaceError, match=r"Parameter 'alpha': 5 is not one of"):
        fitted(space={"alpha": [0.1, 1.0]}, given=[{"alpha": 5}])


@pytest.mark.parametrize(
    "scoring",
    [
        "neg_mean_squared_error",
        ["neg_mean_squared_error"],
        {"loss": "neg_mean_squared_error"},
        make_scorer(mean_squared_error, greater_is_better=False),
    ],
)
def test_one_percent_of_an_error_is_the_smallest_gain_whatever_it_is_called(scoring):
    refit = next(iter(scoring)) if isinstance(scoring, list | dict) else True
    search = fitted(scoring=scoring, refit=refit, n_trials=2)
    assert search.study_.spec.smallest_gain == pytest.approx(
        -search.control_["score"] / 100, rel=0.05
    )


def test_several_scores_are_led_by_the_one_that_refit_names():
    scoring = {"r2": "r2", "mae": "neg_mean_absolute_error"}
    search = fitted(scoring=scoring, refit="mae")
    assert search.multimetric_
    assert search.study_.spec.objectives == ("mae",)
    assert {"mean_test_r2", "rank_test_mae"} <= search.cv_results_.keys()
    assert search.score(X, y) == pytest.approx(search.scorer_["mae"](search.best_estimator_, X, y))
    without = fitted(scoring=scoring, refit=False)
    assert not hasattr(without, "best_index_")
    assert without.study_.spec.objectives == ("r2",)


def test_refit_may_choose():
    assert fitted(refit=lambda results: 2).best_index_ == 2


class Fragile(ClassifierMixin, BaseEstimator):
    def __init__(self, depth=1):
        self.depth = depth

    def fit(self, X, y):
        if self.depth == 2:
            raise ValueError("two is not possible")
        self.inner_ = DecisionTreeClassifier(max_depth=self.depth).fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict(self, X):
        return self.inner_.predict(X)


A, b = make_classification(n_samples=90, random_state=0)


def test_a_candidate_that_fails_is_a_failed_trial_and_scores_error_score():
    search = SearchCV(
        Fragile(), {"depth": [1, 2, 3, 4]}, n_trials=4, cv=3, random_state=0, error_score=-1.0
    )
    with pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 12"):
        search.fit(A, b)
    failed = [
        p["depth"]
        for p, m in zip(
            search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
        )
        if m == -1
    ]
    assert failed == [2]
    assert [t.state for t in search.study_.trials].count("failed") == 1


def test_a_control_that_fails_does_not_end_the_search():
    search = SearchCV(Fragile(2), {"depth": [1, 2, 3]}, n_trials=3, cv=3, random_state=0)
    with (
        pytest.warns(FitFailedWarning, match="3 fits failed"),
        pytest.warns(UserWarning, match="finite"),
    ):
        search.fit(A, b)
    assert search.verdict_ is None
    assert search.best_params_["depth"] in (1, 3)
    assert [trial.state for trial in search.study_.trials] == ["failed", "done", "done"]
    log = list(search.study_.store.read(search.study_.name))
    phases = [standing(search.study_.spec, fold(log[:n])).phase for n in range(1, len(log) + 1)]
    assert list(dict.fromkeys(phases)) == ["control", "search", "recheck", "finished"]
    assert "the defaults failed" in search.report()


def test_errors_are_raised_if_wished_and_when_nothing_fits():
    with pytest.raises(ValueError, match="two is not possible"):
        SearchCV(Fragile(2), {"depth": [2]}, n_trials=3, cv=3, error_score="raise").fit(A, b)
    with pytest.raises(ValueError, match="fits failed"):
        SearchCV(Fragile(2), {"depth": [2]}, n_trials=3, cv=3).fit(A, b)


def test_a_metric_in_the_place_of_a_scorer_is_named():
    with pytest.raises(ValueError, match="Write scoring='neg_mean_squared_error'"):
        fitted(scoring=mean_squared_error)


def test_a_splitter_with_one_way_gives_no_verdict_and_the_best_score():
    search = fitted(cv=TimeSeriesSplit(3))
    assert search.verdict_ is None
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])
    with pytest.raises(SpecError, match="one way to split"):
        fitted(cv=TimeSeriesSplit(3), evidence=Evidence())


def test_groups_stay_together_in_fresh_splits_too():
    groups = np.arange(len(y)) % 9
    seen = []

    class Spy(GroupShuffleSplit):
        def split(self, X, y=None, groups=None):
            for train, test in super().split(X, y, groups):
                seen.append(set(groups[train]) & set(groups[test]))
                yield train, test

    search = SearchCV(Ridge(), ALPHA, n_trials=4, cv=Spy(3), random_state=0).fit(
        X, y, groups=groups
    )
    assert search.verdict_ is not None
    assert len(seen) > 6
    assert not any(seen)


def test_a_shadow_set_shows_what_the_best_so_far_are_worth_on_rows_that_no_candidate_was_fitted_on():
    told = {
        "estimator": DecisionTreeRegressor(random_state=0),
        "space": {"max_depth": randint(1, 30)},
    }
    search = fitted(**told, shadow=0.2, evidence=None, n_trials=8, select="score")
    seen = [one.trial for one in search.shadow_.incumbents]
    assert len(seen) > 1
    assert seen == incumbents(search.study_.spec, search.study_.history)
    assert search.study_.spec.data["shadow"] == {"rows": 88}
    assert search.study_.spec.data["rows"] == 442 - 88
    assert search.study_.verify() == []
    assert "88 rows that it never used" in search.report()
    kept, apart = hold_out(0.2, n=442, seed=derived_seed(search.study_.spec.seed, SHADOW))
    for one in search.shadow_.incumbents:
        params = search.cv_results_["params"][search._place[one.trial]]
        model = clone(told["estimator"]).set_params(**params)
        folds = cross_validate(model, X[kept], y[kept], cv=3)["test_score"]
        assert one.search == pytest.approx(folds.mean())
        assert one.shadow == pytest.approx(model.fit(X[kept], y[kept]).score(X[apart], y[apart]))
    again = pickle.loads(pickle.dumps(search))
    assert again.shadow_ == search.shadow_
    assert fitted(evidence=None).shadow_ is None


@pytest.mark.parametrize("splitter", [GroupShuffleSplit(3, random_state=0), TimeSeriesSplit(3)])
def test_shadow_rows_are_whole_groups_or_the_last_rows(splitter):
    grouped = isinstance(splitter, GroupShuffleSplit)
    groups = np.arange(len(y)) // 10
    seen = []

    class Watching(Ridge):
        def fit(self, X, y):
            seen.append(set(X[:, 0].astype(int)))
            return super().fit(X, y)

        def score(self, X, y):
            seen.append(set(X[:, 0].astype(int)))
            return super().score(X, y)

    numbered = np.column_stack([np.arange(len(y)), X])
    settings = {"n_trials": 4, "random_state": 0, "cv": splitter, "evidence": None, "shadow": 0.2}
    search = SearchCV(Watching(), ALPHA, **settings, refit=False)
    search.fit(numbered, y, **({"groups": groups} if grouped else {}))
    biggest = max(seen, key=len)
    apart = set(range(len(y))) - biggest
    assert apart in seen
    assert all(rows <= biggest or rows == apart for rows in seen)
    if grouped:
        assert not {row // 10 for row in apart} & {row // 10 for row in biggest}
    else:
        assert min(apart) > max(biggest)


def test_racing_batches_and_the_evidence_go_with_a_shadow_set():
    told = {
        "estimator": DecisionTreeRegressor(random_state=0),
        "space": {"max_depth": randint(1, 30)},
    }
    search = fitted(
        **told, shadow=0.2, scheduler="racing", batch=3, n_trials=9, cv=KFold(4, shuffle=True)
    )
    assert search.verdict_ is not None
    assert search.study_.verify() == []
    weighted = fitted(shadow=0.25, evidence=None)
    weights = np.ones(len(y))
    again = SearchCV(
        Ridge(),
        ALPHA,
        n_trials=6,
        random_state=0,
        cv=3,
        sampler="random",
        shadow=0.25,
        evidence=None,
    )
    again.fit(X, y, sample_weight=weights)
    assert again.shadow_.incumbents[0].shadow == pytest.approx(
        weighted.shadow_.incumbents[0].shadow
    )


def test_it_nests_clones_and_pickles(ridge):
    inner = SearchCV(Ridge(), ALPHA, n_trials=4, cv=3, random_state=0, evidence=None)
    outer = cross_validate(inner, X, y, cv=KFold(3), return_estimator=True)
    assert len(outer["estimator"]) == 3
    assert clone(ridge).get_params()["n_trials"] == 6
    assert not hasattr(clone(ridge), "study_")
    copy = pickle.loads(pickle.dumps(ridge))
    assert copy.verdict_ == ridge.verdict_
    assert copy.study_.verify() == []
    assert np.array_equal(copy.predict(X), ridge.predict(X))


def test_the_log_is_kept_where_it_is_said_and_not_written_twice(tmp_path):
    place = {"storage": str(tmp_path / "lab.db"), "study_name": "ridge"}
    fitted(**place).study_.close()
    with pytest.raises(SpecError, match="study_name"):
        fitted(**place)


def test_the_built_in_space_of_a_known_estimator():
    search = SearchCV(LogisticRegression(), n_trials=4, cv=3, random_state=0).fit(A, b)
    assert set(search.cv_results_["params"][0]) == {"C", "class_weight"}


def test_callbacks_see_every_fit():
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn >= 1.9")
    assert callback.FitCallback
    ended = []

    class Count:
        def setup(self, estimator, context):
            ended.append("setup")

        def on_fit_task_begin(self, estimator, context, **_):
            pass

        def on_fit_task_end(self, estimator, context, **_):
            ended.append(context.task_name)

        def teardown(self, estimator, context):
            ended.append("teardown")

    search = SearchCV(Ridge(), ALPHA, n_trials=4, cv=3, random_state=0).set_callbacks(Count())
    search.fit(X, y)
    assert ended[0] == "setup"
    assert ended[-1] == "teardown"
    assert ended.count("candidate-split-evaluation") == 12


HOPELESS = {"alpha": loguniform(1e-3, 1e5)}  # most of it shrinks the model to a constant


def test_racing_fits_a_hopeless_candidate_on_some_splits_only():
    race = {"space": HOPELESS, "n_trials": 12, "cv": 5, "scheduler": "racing"}
    search, found = fitted(**race), fitted(**race, n_jobs=2, batch=1)
    results = search.cv_results_
    splits = np.array([results[f"split{i}_test_score"] for i in range(5)])
    states = [trial.state for trial in search.study_.trials]
    cut = np.array([state == "stopped" for state in states])
    assert cut.any()
    assert not cut.all()
    assert np.array_equal(np.isnan(results["mean_test_score"]), cut)
    assert np.array_equal(np.isnan(splits).any(axis=0), cut)
    assert np.isfinite(splits[0]).all()  # every candidate is fitted once at least
    assert np.isfinite(splits[:, 0]).all()  # the control is never cut
    for i in np.flatnonzero(np.isfinite(splits).any(axis=0)):
        own = cross_validate(Ridge(**results["params"][i]), X, y, cv=5)["test_score"]
        measured = np.isfinite(splits[:, i])
        assert splits[measured, i] == pytest.approx(own[measured])
    assert results["rank_test_score"][cut].min() > results["rank_test_score"][~cut].max()
    assert not cut[search.best_index_]
    assert search.study_.verify() == []
    assert found.cv_results_["params"] == results["params"]
    assert found.verdict_ == search.verdict_


def test_racing_with_batches_several_scores_and_failures():
    scoring = {"r2": "r2", "mae": "neg_mean_absolute_error"}
    race = {"space": HOPELESS, "n_trials": 12, "cv": 5, "scheduler": "racing"}
    several = fitted(**race, batch=4, scoring=scoring, refit="mae", return_train_score=True)
    r2, mae = (several.cv_results_[f"mean_{name}"] for name in ("train_r2", "test_mae"))
    assert np.isnan(r2).any()
    assert np.array_equal(np.isnan(r2), np.isnan(mae))
    search = SearchCV(
        Fragile(), {"depth": [1, 2, 3, 4]}, n_trials=4, cv=3, random_state=0, scheduler="racing"
    )
    with pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 12"):
        search.fit(A, b)
    assert [trial.state for trial in search.study_.trials].count("failed") == 1


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"scheduler": "asha"}, SpecError, "fold by fold"),
        ({"space": {"alpha": "high"}}, SpaceError, "alpha"),
        ({"space": {"alpha": []}}, SpaceError, "empty"),
        ({"space": "all"}, SpecError, "auto"),
        ({"select": "luck"}, SpecError, "luck"),
        ({"evidence": 3}, SpecError, "evidence"),
        ({"batch": 0}, SpecError, "batch"),
        ({"n_trials": 0}, SpecError, "trials"),
        ({"sampler": "magic"}, SpecError, "magic"),
        ({"shadow": 2}, SpecError, "share"),
        ({"shadow": 0.1, "cv": [(np.arange(300), np.arange(300, 400))]}, SpecError, "by number"),
    ],
)
def test_a_mistake_is_named(wrong, error, says):
    with pytest.raises(error, match=says):
        fitted(**wrong)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"param_grid": ALPHA}, "'param_grid'. Here: space="),
        ({"param_distributions": ALPHA}, "'param_distributions'. Here: space="),
        ({"n_iter": 40}, "'n_iter'. Here: n_trials="),
        ({"max_iter": 40}, 'scheduler="racing"'),
        ({"study": None}, "storage="),
        ({"n_trails": 40}, "Did you mean 'n_trials'"),
        ({"colour": "red"}, "Known: 'batch', 'control'"),
    ],
)
def test_an_option_of_another_search_is_told_its_name_here(given, says):
    with pytest.raises(TypeError, match=says):
        SearchCV(Ridge(), **given)


def test_every_option_of_the_searches_people_know_is_here_or_has_a_hint():
    theirs = [GridSearchCV, RandomizedSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV]
    ours = set(inspect.signature(SearchCV).parameters)
    missing = {
        name
        for search in theirs
        for name in inspect.signature(search).parameters
        if name not in ours
    }
    assert {"param_grid", "param_distributions", "n_iter"} <= missing <= SEARCH_ARGUMENTS.keys()
    assert not SEARCH_ARGUMENTS.keys() & ours


def test_a_subclass_may_have_options_of_its_own():
    class Mine(SearchCV):
        def __init__(self, estimator, space="auto", *, colour="red", **rest):
            super().__init__(estimator, space, **rest)
            self.colour = colour

    assert Mine(Ridge(), colour="blue").colour == "blue"
    with pytest.raises(TypeError, match="no argument 'n_iter'"):
        Mine(Ridge(), n_iter=3)


def test_set_params_explains_the_words_of_other_searches():
    search = SearchCV(Ridge())
    with pytest.raises(ValueError, match=r"no parameter 'n_iter'. Here: n_trials=") as found:
        search.set_params(n_iter=3)
    assert "Valid parameters are" in str(found.value.__cause__), "scikit-learn's own is kept"
    with pytest.raises(ValueError, match="Valid parameters are"):
        search.set_params(wibble=3)
    assert search.set_params(n_trials=3, estimator__alpha=2.0).n_trials == 3
    assert search.estimator.alpha == 2.0


@pytest.mark.parametrize(
    "scoring", ["f1", make_scorer(f1_score, pos_label=0)], ids=["name", "scorer"]
)
def test_a_model_that_learns_is_no_worse_than_a_class_that_changes_from_split_to_split(scoring):
    X, y = load_breast_cancer(return_X_y=True)
    model = LogisticRegression(max_iter=3000)
    search = SearchCV(model, {"C": [0.1, 1.0]}, n_trials=2, cv=5, scoring=scoring, random_state=0)
    said = search.fit(X[:250, :8], y[:250]).study_.verdict.sentence
    assert "learn anything" not in said
    floor = [unit.value for unit in search.study_.history.units(FLOOR, "floor").values()]
    assert floor == pytest.approx([2 / 3] * 5, abs=0.02)
