"""Callbacks of light libraries, each with the real one; the heavy ones are in tests/slow."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, SGDClassifier, SGDRegressor
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale
from tests.integration import callback_story as story

import assay
from assay.callbacks.reports import Reports
from assay.core.errors import SpecError

MOST = 9
X, y = load_breast_cancer(return_X_y=True)
X = scale(X)
TRAIN_X, VALID_X, TRAIN_Y, VALID_Y = train_test_split(X, y, random_state=0, stratify=y)
SPACE = story.rate_space(0.01, 0.5, MOST)


def lightgbm(trial):
    lgb = pytest.importorskip("lightgbm")
    train, valid = lgb.Dataset(TRAIN_X, TRAIN_Y), lgb.Dataset(VALID_X, VALID_Y)
    params = {
        "objective": "binary",
        "learning_rate": trial.config["rate"],
        "num_leaves": 7,
        "verbose": -1,
        "num_threads": 1,
    }
    call = assay.callbacks.lightgbm(trial)
    model = lgb.train(
        params, train, 100, valid_sets=[train, valid], init_model=call.model, callbacks=[call]
    )
    return log_loss(VALID_Y, model.predict(VALID_X))


def xgboost(trial):
    xgb = pytest.importorskip("xgboost")
    train, valid = xgb.DMatrix(TRAIN_X, TRAIN_Y), xgb.DMatrix(VALID_X, VALID_Y)
    params = {
        "objective": "binary:logistic",
        "eta": trial.config["rate"],
        "max_depth": 3,
        "nthread": 1,
    }
    call = assay.callbacks.xgboost(trial)
    model = xgb.train(
        params, train, 100, evals=[(train, "train"), (valid, "valid")], xgb_model=call.model,
        callbacks=[call], verbose_eval=False,
    )  # fmt: skip
    return log_loss(VALID_Y, model.predict(valid))


def loss(model, X, y):
    return log_loss(y, model.predict_proba(X))


def by_steps(model, **options):
    return lambda trial: assay.callbacks.sklearn(
        trial,
        model(trial.config["rate"], trial.seed),
        (TRAIN_X, TRAIN_Y),
        (VALID_X, VALID_Y),
        value=loss,
        **options,
    )


def own_loop(trial):
    """Logistic regression by gradient steps: any state that can be pickled, as in JAX."""
    state = assay.callbacks.kept(trial, lambda: np.zeros(X.shape[1]))
    chance = lambda X: 1 / (1 + np.exp(-X @ state.value))  # noqa: E731
    for step in state.steps:
        slope = TRAIN_X.T @ (chance(TRAIN_X) - TRAIN_Y) / len(TRAIN_Y)
        state.value = state.value - trial.config["rate"] * slope
        trial.report(step, value := log_loss(VALID_Y, chance(VALID_X)))
        if trial.should_stop():
            break
    return value


TRAININGS = {
    "lightgbm": lightgbm,
    "xgboost": xgboost,
    "partial_fit": by_steps(
        lambda rate, seed: SGDClassifier(loss="log_loss", alpha=rate, random_state=seed)
    ),
    "warm_start": by_steps(
        lambda rate, seed: GradientBoostingClassifier(
            learning_rate=rate, max_depth=2, random_state=seed
        )
    ),
    "own loop": own_loop,
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("training", TRAININGS.values(), ids=TRAININGS)
class TestTheStory:
    def test_it_reports_each_step(self, training):
        story.it_reports_each_step(training, {"rate": 0.1}, MOST)

    def test_it_ends_when_it_is_to_end(self, training):
        story.it_ends_when_it_is_to_end(training, {"rate": 0.1}, MOST)

    def test_it_goes_on_where_it_was_paused(self, training):
        story.it_goes_on_where_it_was_paused(training, SPACE)


def test_a_forest_grows_by_the_parameter_that_is_named():
    grown = by_steps(
        lambda rate, seed: RandomForestClassifier(max_features=rate, random_state=seed),
        size="n_estimators",
    )
    story.it_reports_each_step(grown, {"rate": 0.3}, 4)


def test_a_regressor_is_passed_over_without_classes():
    def objective(trial):
        return assay.callbacks.sklearn(
            trial, SGDRegressor(alpha=trial.config["rate"]), (TRAIN_X, TRAIN_Y), (VALID_X, VALID_Y),
            value=lambda model, X, y: float(np.mean((model.predict(X) - y) ** 2)),
        )  # fmt: skip

    story.it_reports_each_step(objective, {"rate": 1e-3}, 3)


def test_a_model_that_cannot_be_trained_on_is_refused():
    with pytest.raises(SpecError, match="LinearRegression has no partial_fit"):
        story.alone(by_steps(lambda rate, seed: LinearRegression()), {"rate": 0.1}, 3)


def test_xgboost_models_take_it_too():
    xgb = pytest.importorskip("xgboost")

    def objective(trial):
        call = assay.callbacks.xgboost(trial, "auc")
        model = xgb.XGBClassifier(
            n_estimators=20, n_jobs=1, callbacks=[call], eval_metric=["logloss", "auc"]
        )
        model.fit(TRAIN_X, TRAIN_Y, eval_set=[(VALID_X, VALID_Y)], verbose=False)
        return model.evals_result()["validation_0"]["auc"][-1]

    story.it_reports_each_step(objective, {}, 5)


def test_lightgbm_models_take_it_too():
    lgb = pytest.importorskip("lightgbm")

    def objective(trial):
        call = assay.callbacks.lightgbm(trial, "auc", every=2)
        model = lgb.LGBMClassifier(n_estimators=20, n_jobs=1, num_leaves=4, verbose=-1)
        watched = {"eval_X": VALID_X, "eval_y": VALID_Y}  # from 4.7 on
        if "eval_X" not in inspect.signature(model.fit).parameters:
            watched = {"eval_set": [(VALID_X, VALID_Y)]}
        model.fit(TRAIN_X, TRAIN_Y, **watched, eval_metric="auc", callbacks=[call])
        return model.booster_.num_trees()

    trees, reports = story.alone(objective, {}, 5)
    assert trees == 5
    assert list(reports) == [2, 4, 5]


# --- which value judges


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ((None, None), {("valid", "auc"): 1, ("valid", "loss"): 2}),
        ((None, None), {("train", "auc"): 1}),
        (("loss", None), {("a", "loss"): 1, ("b", "loss"): 2}),
        (("f1", None), {("valid", "loss"): 1}),
        ((None, None), {}),
    ],
)
def test_what_is_not_clear_is_refused_with_what_there_is(asked, found):
    trial = assay.OpenTrial(0, {}, 0, lambda step, value: None)
    with pytest.raises(SpecError, match=r"Which value judges the trial\?"):
        Reports(trial, *asked).tell(1, found)


def test_training_rows_do_not_judge():
    said = []
    trial = assay.OpenTrial(0, {}, 0, lambda step, value: said.append(value))
    Reports(trial, None).tell(1, {("training", "loss"): 1.0, ("valid", "loss"): 2.0})
    Reports(trial, "loss", "b").tell(1, {("a", "loss"): 3.0, ("b", "loss"): 4.0})
    assert said == [2.0, 4.0]


@pytest.mark.parametrize("every", [0, -1, True, 1.5])
def test_every_is_a_whole_number(every):
    with pytest.raises(SpecError, match="every needs a whole number"):
        Reports(assay.OpenTrial(0, {}, 0, print), None, every=every)
