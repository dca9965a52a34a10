"""The catalogue: every model copes with real tables; every space holds its own defaults."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from assay.core.errors import DataError, SpecError
from assay.core.jobs import Job
from assay.core.parameters import Choice, Float, Int
from assay.core.rng import stream
from assay.core.space import Space
from assay.evaluation.splits import Splits
from assay.learners.fitting import FoldEvaluator, Recipe
from assay.learners.models import ALIASES, MODELS, model, names, page
from assay.learners.scoring import metric
from assay.learners.spaces import RANGES, SOURCES, defaults_of, ranges_of, space_for

N = 60
BOOSTED = [n + k for n in ("LGBM", "XGB", "CatBoost") for k in ("Classifier", "Regressor")]
EVERY = [(name, task) for task in ("classification", "regression") for name in names(task)]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with threadpool_limits(1):  # waiting for a second processor costs more than it brings
        yield


def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=N),
            "hole": np.where(rng.random(N) < 0.2, np.nan, rng.normal(size=N)),
            "whole": rng.integers(0, 9, N),
            "flag": rng.random(N) < 0.5,
            "text": rng.choice(["red", "green", "blue"], N),
            "rare": [f"c{i}" if i % 10 == 0 else "common" for i in range(N)],
        }
    )
    frame["kind"] = pd.Series(np.where(rng.random(N) < 0.2, None, "x"), dtype=object).astype(
        "category"
    )
    y = frame["number"] + (frame["text"] == "red") + rng.normal(size=N) / 3
    return frame, y.to_numpy()


def target(task):
    y = table()[1]
    return np.array(["low", "high"])[(y > 0.3).astype(int)] if task == "classification" else y


def score(built, X, task, config):
    name = "roc_auc" if task == "classification" else "rmse"
    y = target(task)
    recipe = Recipe(built.estimator, metric(name, task, y), task, built.prefix)
    evaluate = FoldEvaluator(X, y, recipe, Splits.holdout(0.3), seed=1)
    return evaluate(Job(id=0, trial=1, stage="search", config=config), lambda _: None)


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_every_model_fits_missing_values_and_categories_by_default_and_at_random(name, task):
    X, _ = table()
    built = model(name, task, X)
    rng = stream(3, name)
    configs = [built.space.from_unit(rng.random(len(built.space))) for _ in range(2)]
    for config in ({}, *configs):
        assert np.isfinite(score(built, X, task, config))


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_the_control_is_the_default_of_the_library(name, task):
    built = model(name, task, table()[0])
    defaults = built.space.defaults()
    assert defaults == defaults_of(built.estimator, built.space, prefix=built.prefix)
    plain = {name: default for name, _, default in MODELS[name].searched(task)}
    assert {k: tuple(v) if isinstance(v, list) else v for k, v in defaults.items()} == {
        k: plain[k] for k in defaults
    }


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_arrays_of_numbers_work_too(name, task):
    X = table()[0][["number", "hole", "whole"]].to_numpy()
    built = model(name, task, X)
    assert np.isfinite(score(built, X, task, built.space.defaults()))


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_every_range_names_a_known_source(name, task):
    built = model(name, task, table()[0])
    assert set(built.sources) == set(built.space.names)
    assert all(any(short in text for short in SOURCES) for text in built.sources.values())


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_categories_are_used_even_if_some_were_never_seen_in_training(name, task):
    rng = np.random.default_rng(0)
    text = rng.choice([*"abcd"], 200)
    y = np.isin(text, ["b", "d"]) + rng.normal(size=200) / 10
    text[:3] = ["new", "newer", "newest"]
    X = pd.DataFrame({"text": text, "noise": rng.normal(size=200)})
    if task == "classification":
        y = (y > 0.5).astype(int)
    built = model(name, task, X)
    best = built.space.defaults() | ({"alpha": 0.01} if name == "elastic_net" else {})
    fitted = built.estimator.set_params(**{built.prefix + k: v for k, v in best.items()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unknown categories are announced
        assert fitted.fit(X[3:], y[3:]).score(X, y) > 0.7


@pytest.mark.parametrize("name", ["decision_tree", "hist_gradient_boosting"])
@pytest.mark.parametrize("dtype", ["string", "object", "category"])
def test_text_with_the_missing_value_of_pandas_is_a_category(name, dtype):
    text = pd.Series([*"abc", pd.NA] * 50, dtype="string").astype(dtype)
    X = pd.DataFrame({"text": text, "number": np.arange(200.0) % 7})
    built = model(name, "classification", X)
    y = text.isna().to_numpy()
    fitted = built.estimator.fit(X[:100], y[:100])
    assert fitted.score(X[100:], y[100:]) == 1.0
    assert len(fitted["prepare"].get_feature_names_out()) >= 2


def test_boosting_is_told_which_columns_are_categories():
    built = model("auto", "regression", table()[0])
    assert built.estimator["model"].categorical_features == [0, 1, 2, 3]
    names = built.estimator["prepare"].fit(table()[0]).get_feature_names_out()
    assert [n.split("__")[0] for n in names] == ["categories"] * 4 + ["remainder"] * 3


def test_auto_is_boosting():
    assert model("auto", "regression", np.zeros((30, 2))).name == "hist_gradient_boosting"


def test_aliases_point_to_models():
    assert set(ALIASES.values()) <= set(MODELS)
    assert not set(ALIASES) & set(MODELS)
    assert model("Random-Forest", "regression", np.zeros((30, 2))).name == "random_forest"


def test_models_that_do_not_exist_or_fit():
    with pytest.raises(SpecError, match="Did you mean 'random_forest'"):
        model("random_forst", "regression", np.zeros((30, 2)))
    with pytest.raises(SpecError, match="ridge is not for classification"):
        model("ridge", "classification", np.zeros((30, 2)))
    with pytest.raises(DataError, match="must hold numbers"):
        model("ridge", "regression", np.array([["a"]], dtype=object))
    with pytest.raises(DataError, match="'took' holds timedelta64"):
        model("ridge", "regression", pd.DataFrame({"took": pd.to_timedelta([1], unit="s")}))


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("name", ["ridge", "hist_gradient_boosting"])
def test_dates_are_days_since_1970_as_in_a_file(name, zone):
    days = np.arange(60.0) * 3 % 61
    when = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D"))
    when = when.dt.tz_localize(zone)
    frame = pd.DataFrame({"when": when, "more": days % 7, "kind": list("ab") * 30})
    frame.loc[5, "when"] = pd.NaT
    plain = when.dt.tz_convert(None) if zone else when
    numbers = (plain - pd.Timestamp(0)) / pd.Timedelta(days=1)
    numbered = frame.assign(when=numbers.mask(frame["when"].isna()))
    y = days + (days % 7)
    one, two = (model(name, "regression", X).estimator.fit(X, y) for X in (frame, numbered))
    np.testing.assert_allclose(one.predict(frame), two.predict(numbered), rtol=1e-6)
    assert np.ptp(one.predict(frame)) > 30


def test_neighbours_are_bounded_by_the_rows():
    assert model("knn", "regression", np.zeros((60, 2))).space["n_neighbors"].high == 20
    assert model("knn", "regression", np.zeros((900, 2))).space["n_neighbors"].high == 50


def test_the_page_in_the_docs_is_up_to_date():
    docs = Path(__file__).parents[2] / "docs" / "models.md"
    assert docs.read_text("utf-8") == page()


@pytest.mark.parametrize(("package", "name"), [("lightgbm", "LGBM"), ("xgboost", "XGB"), ("catboost", "CatBoost")])  # fmt: skip
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_what_is_written_of_boosted_trees_is_what_they_do(package, name, task):
    kind = "Classifier" if task == "classification" else "Regressor"
    plain = getattr(pytest.importorskip(package), name + kind)()
    wanted = {parameter: default for parameter, _, default in MODELS[package].searched(task)}
    X, y = np.arange(400.0).reshape(200, 2), np.arange(200) % 2
    if package == "catboost":
        told = plain.set_params(verbose=False, thread_count=1, allow_writing_files=False).fit(X, y)
        there = {n: v for n, v in told.get_all_params().items() if n != "learning_rate"}
    elif package == "xgboost":  # None stands for what the library takes; its own words are these
        import json

        learner = json.loads(plain.fit(X, y).get_booster().save_config())["learner"]
        tree = learner["gradient_booster"]["tree_train_param"]
        there = {n: float(tree[n]) for n in wanted if n in tree} | {"n_estimators": 100}
        assert len(there) == len(wanted)
    else:
        there = plain.get_params()
    assert {n: v for n, v in wanted.items() if n in there} == pytest.approx(
        {n: there[n] for n in wanted if n in there}
    )


def test_a_boosted_estimator_of_yours_gets_its_space_and_keeps_its_values():
    xgboost = pytest.importorskip("xgboost")
    space = space_for(make_pipeline(StandardScaler(), xgboost.XGBRegressor(max_depth=3)))
    assert space.defaults()["xgbregressor__max_depth"] == 3
    assert space.defaults()["xgbregressor__learning_rate"] == 0.3


@pytest.mark.parametrize("name", [name for name in RANGES if name not in BOOSTED])
def test_every_estimator_with_ranges_has_a_space_with_its_own_values(name):
    from sklearn.utils import all_estimators

    estimator = dict(all_estimators())[name]()
    space = space_for(estimator)
    assert space.defaults() == defaults_of(estimator, space)
    assert set(space.names) == set(RANGES[name])


def test_a_space_of_a_pipeline_has_the_values_that_were_given():
    pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(min_samples_leaf=7))
    space = space_for(pipeline)
    assert set(space.names) == {
        f"randomforestclassifier__{n}" for n in RANGES["RandomForestClassifier"]
    }
    assert space.defaults()["randomforestclassifier__min_samples_leaf"] == 7
    assert set(ranges_of(pipeline)) == set(space.names)


def test_spaces_that_cannot_be_built():
    with pytest.raises(SpecError, match=r"no built-in space for LinearRegression; give space="):
        space_for(LinearRegression())
    with pytest.raises(SpecError, match=r"learning_rate=5.0, which is outside"):
        space_for(HistGradientBoostingClassifier(learning_rate=5.0))


def test_the_control_of_an_own_space_is_the_estimator_as_given():
    space = Space(alpha=Float(0.1, 10, log=True), solver=Choice(["auto", "svd"]))
    assert defaults_of(Ridge(alpha=2), space) == {"alpha": 2.0, "solver": "auto"}
    with pytest.raises(SpecError, match=r"Ridge has no parameter 'alhpa'. Did you mean 'alpha'"):
        defaults_of(Ridge(), Space(alhpa=Float(0, 1)))
    with pytest.raises(SpecError, match=r"alpha=1.0, which is outside"):
        defaults_of(Ridge(), Space(alpha=Float(2, 3)))
    with pytest.raises(SpecError, match="max_depth=None"):
        defaults_of(RandomForestClassifier(), Space(max_depth=Int(1, 9)))
    with pytest.raises(SpecError, match="outside of the space"):
        defaults_of(Ridge(), Space(alpha=Float(0.1, 10), tol=Float(0, 1), forbid="alpha > tol"))
