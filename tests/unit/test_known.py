"""Published configurations: each entry whole, each fitted into a space or left out, never bent far."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from assay import Choice, Evidence, Float, Int, Space, SpecError, Splits, known, optimize, tune
from assay.analysis.borrowed import source_of
from assay.core.events import Concluded, Selected
from assay.learners.known import arms, arms_for, named, nearest, page, portfolio, published
from assay.learners.models import model
from assay.learners.spaces import defaults_of, space_for
from assay.report.trials import trial_table

LIBRARIES = {
    "LGBM": "lightgbm",
    "XGB": "xgboost",
    "CatBoost": "catboost",
    "Decision": "sklearn.tree",
    "Random": "sklearn.ensemble",
    "Hist": "sklearn.ensemble",
    "SV": "sklearn.svm",
    "KN": "sklearn.neighbors",
    "MLP": "sklearn.neural_network",
}


EVERY = (*published(), *portfolio())


def test_every_entry_is_whole():
    assert len(published()) >= 30
    assert len({one.name for one in EVERY}) == len(EVERY)
    for one in EVERY:
        assert one.config, one.name
        assert one.link.startswith("https://"), one.name
        assert all((one.model, one.source, one.licence, one.data)), one.name
        assert not one.source.endswith("."), one.name


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_the_figures_are_parameters_of_the_estimators(one):
    for name in one.estimators:
        home = next(module for start, module in LIBRARIES.items() if name.startswith(start))
        library = pytest.importorskip(home) if "." not in home else import_module(home)
        estimator = getattr(library, name)()
        estimator.set_params(**one.config)
        if home.startswith("sklearn"):
            assert set(one.config) <= set(estimator.get_params()), name


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("decision_tree", "classification"),
        ("decision_tree", "regression"),
        ("random_forest", "classification"),
        ("random_forest", "regression"),
        ("svm", "classification"),
        ("k_neighbors", "classification"),
        ("hist_gradient_boosting", "classification"),
        ("hist_gradient_boosting", "regression"),
        ("lightgbm", "classification"),
        ("lightgbm", "regression"),
        ("xgboost", "classification"),
        ("mlp", "classification"),
        ("mlp", "regression"),
    ],
)
def test_each_built_in_model_has_arms_that_fit(name, task):
    if name in ("lightgbm", "xgboost"):
        pytest.importorskip(name)
    built = model(name, task, load_diabetes().data)
    control = built.space.settle(defaults_of(built.estimator, built.space, prefix=built.prefix))
    found = arms_for(published(), built.estimator, built.space, control, prefix=built.prefix)
    assert found
    for arm in found:
        assert built.space.contains(arm.config)
        assert arm.config != control


def test_a_pipeline_names_its_parameters_by_step():
    pipe = make_pipeline(StandardScaler(), DecisionTreeClassifier())
    space = space_for(pipe)
    (rpart, tunability) = arms_for(published(), pipe, space, defaults_of(pipe, space))
    assert rpart.config["decisiontreeclassifier__min_samples_split"] == 20
    assert tunability.config["decisiontreeclassifier__min_samples_leaf"] == 12


def test_what_moved_and_what_is_missing_is_said():
    (svm,) = named("tunability-svm")
    estimator = SVC()
    space = space_for(estimator)
    (arm,) = arms_for([svm], estimator, space, defaults_of(estimator, space))
    assert arm.moved == (("gamma", 0.005, 0.003),)
    assert "gamma 0.005 moved to 0.003" in arm.given()["note"]
    (small,) = arms([svm], Space(C=Float(0.1, 1000.0, log=True, default=1.0)))
    assert small.missing == ("gamma",)
    assert "without gamma" in small.given()["note"]


def test_a_figure_as_good_as_none_becomes_the_least_there_is():
    (one,) = named("xgb-td-classification")
    space = Space(min_child_weight=Float(0.001, 128.0, log=True, default=1.0),
                  max_depth=Int(1, 20, default=6), subsample=Float(0.1, 1.0, default=1.0),
                  learning_rate=Float(1e-4, 1.0, log=True, default=0.3))  # fmt: skip
    (arm,) = arms([one], space)
    assert arm.config["min_child_weight"] == 0.001
    assert ("min_child_weight", 5e-6, 0.001) in arm.moved
    assert arms([replace(one, negligible=())], space) == []


def test_what_does_not_fit_is_left_out():
    (svm,) = named("tunability-svm")
    narrow = Space(C=Float(0.1, 1.0, log=True, default=1.0), gamma=Float(0.001, 1.0, default=0.1))
    assert arms([svm], narrow) == []  # 682 is far beyond 1
    foreign = Space(depth=Int(1, 9, default=3))
    assert arms([svm], foreign) == []
    assert arms([svm], Space(C=Float(0.1, 1000.0))) == []  # no defaults to stand on
    forbidden = Space(
        {
            "C": Float(0.1, 1e3, log=True, default=1.0),
            "gamma": Float(1e-4, 1.0, log=True, default=0.1),
        },
        forbid=["C > 500"],
    )
    assert arms([svm], forbidden) == []


@pytest.mark.parametrize(
    ("parameter", "value", "found"),
    [
        (Int(1, 50, log=True), 60, 50),
        (Int(1, 50, log=True), 5000, None),
        (Float(0.0, 1.0, step=0.25), 0.3, 0.25),
        (Choice([1, 100]), 10, None),
        (Float(0.001, 1.0, log=True), 0.0, 0.001),
        (Choice(["a", "b"]), "c", None),
        (Choice([True, False]), 1.0, None),
        (Float(0.1, 1.0, log=True), -1, None),
    ],
)
def test_numbers_move_to_near_ones_only(parameter, value, found):
    assert nearest(parameter, value) == found


def test_a_portfolio_is_tried_in_its_order():
    estimator = SVC()
    space = space_for(estimator)
    found = arms_for(portfolio(), estimator, space, defaults_of(estimator, space))
    order = [int(arm.known.name.removeprefix("portfolio-svm-")) for arm in found]
    assert order == sorted(order)
    assert order[0] == 1
    assert (
        len(order) >= 5
    )  # a gamma beyond the list does not fit, and some are the same after moving


def test_unknown_models_are_named():
    with pytest.raises(SpecError, match="Did you mean 'xgboost'"):
        named("xgbost")


def test_the_page_is_the_file():
    assert (Path(__file__).parents[2] / "docs" / "known.md").read_text("utf-8") == page()


SPACE = Space(lr=Float(1e-6, 1e-2, log=True, default=1e-2), epochs=Int(1, 9, default=1))


def loss(trial):
    """Best at the published 3e-5; the epochs do nothing."""
    noise = trial.seed % 97 / 97 / 1000
    return abs(trial.config["lr"] - 3e-5) + noise


def test_an_objective_of_its_own_borrows_by_the_usual_names():
    study = optimize(
        loss,
        SPACE,
        budget=8,
        given=known("fine-tuning", SPACE),
        smallest_gain=1e-4,
        isolation="none",
        progress=False,
    )
    assert study.trials[1].config == {"lr": 3e-5, "epochs": 3}
    assert study.history.origin(1) == "given"
    assert "BERT" in source_of(study.history, 1)
    assert "The published settings were enough" in study.verdict.sentence


def test_the_best_borrowed_arm_is_measured_again_even_when_others_lead():
    def better_elsewhere(trial):
        return abs(trial.config["lr"] - 1e-3) + trial.seed % 97 / 97 / 1e6

    study = optimize(
        better_elsewhere,
        SPACE,
        budget=30,
        given=known("bert-3e-5", SPACE),
        evidence=Evidence(top=2),
        smallest_gain=1e-9,
        isolation="none",
        progress=False,
    )
    assert {row["trial"] for row in study.history.last(Selected).table} >= {1}
    assert "published settings" not in study.verdict.sentence  # they lose clearly


def test_the_table_calls_them_borrowed():
    study = optimize(loss, SPACE, budget=4, given=known("bert-3e-5", SPACE), evidence=None,
                     isolation="none", progress=False)  # fmt: skip
    table = trial_table(study.spec, study.history, {})
    assert [row.origin for row in table.rows] == ["control", "borrowed", "sampler", "sampler"]


def test_an_estimator_can_be_given(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    X, y = load_diabetes(return_X_y=True)
    study = tune(
        DecisionTreeRegressor(random_state=0),
        X,
        y,
        budget=2,
        given=[DecisionTreeRegressor(min_samples_leaf=9)],
        evidence=Evidence(repeats=2, seeds=1, top=1, rechecks=3, refits=1),
        splits=Splits.kfold(3),
        isolation="none",
        progress=False,
    )
    assert study.trials[1].config["min_samples_leaf"] == 9
    assert source_of(study.history, 1) == "get_params of DecisionTreeRegressor"


def test_tuning_a_tree_adds_nothing_to_published_settings(tmp_path, monkeypatch):
    """End to end on real data: the default tree loses, the published one is as good as the tuned one."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    X, y = load_diabetes(return_X_y=True)
    study = tune(
        DecisionTreeRegressor(random_state=0),
        X,
        y,
        budget=12,
        known=True,
        metric="r2",
        smallest_gain=0.02,
        isolation="none",
        progress=False,
    )
    lent = [n for n in range(study.history.n_trials) if source_of(study.history, n)]
    assert lent == [1]
    assert study.trials[1].config["min_samples_split"] == 20
    assert study.history.last(Concluded) is not None
    assert "The published settings were enough" in study.verdict.sentence, study.verdict
