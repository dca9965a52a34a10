"""Metrics: equal to scikit-learn's, in the direction people read, per row where that is possible."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as sk
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVC

from assay.core.errors import DataError, SpecError
from assay.learners import scoring
from assay.learners.scoring import (
    METRICS,
    check_model,
    default_smallest_gain,
    metric,
    per_row,
    predict,
    recompose,
    value,
)

RNG = np.random.default_rng(0)
BINARY, CLASSES, NUMBERS = (
    RNG.integers(0, 2, 80),
    RNG.integers(0, 3, 80),
    RNG.uniform(1, 9, 80),
)
P2 = RNG.uniform(0.01, 0.99, 80)
P3 = RNG.dirichlet([1, 1, 1], 80)
GUESS2, GUESS3 = RNG.integers(0, 2, 80).astype(float), RNG.integers(0, 3, 80).astype(float)
GUESS = NUMBERS + RNG.normal(size=80) / 3

REFERENCE = {
    "accuracy": (CLASSES, GUESS3, sk.accuracy_score),
    "balanced_accuracy": (CLASSES, GUESS3, sk.balanced_accuracy_score),
    "matthews_corrcoef": (CLASSES, GUESS3, sk.matthews_corrcoef),
    "f1": (BINARY, GUESS2, sk.f1_score),
    "precision": (BINARY, GUESS2, sk.precision_score),
    "recall": (BINARY, GUESS2, sk.recall_score),
    "jaccard": (BINARY, GUESS2, sk.jaccard_score),
    **{
        f"{name}_{average}": (
            CLASSES,
            GUESS3,
            lambda y, p, f=function, a=average: f(y, p, average=a),
        )
        for name, function in [
            ("f1", sk.f1_score),
            ("precision", sk.precision_score),
            ("recall", sk.recall_score),
        ]
        for average in ("macro", "micro", "weighted")
        if f"{name}_{average}" in METRICS
    },
    "roc_auc": (BINARY, P2, sk.roc_auc_score),
    "average_precision": (BINARY, P2, sk.average_precision_score),
    "roc_auc_ovr": (CLASSES, P3, lambda y, p: sk.roc_auc_score(y, p, multi_class="ovr")),
    "roc_auc_ovr_weighted": (
        CLASSES,
        P3,
        lambda y, p: sk.roc_auc_score(y, p, multi_class="ovr", average="weighted"),
    ),
    "log_loss": (CLASSES, P3, sk.log_loss),
    "brier": (BINARY, P2, sk.brier_score_loss),
    "rmse": (NUMBERS, GUESS, sk.root_mean_squared_error),
    "mse": (NUMBERS, GUESS, sk.mean_squared_error),
    "mae": (NUMBERS, GUESS, sk.mean_absolute_error),
    "median_absolute_error": (NUMBERS, GUESS, sk.median_absolute_error),
    "max_error": (NUMBERS, GUESS, sk.max_error),
    "mape": (NUMBERS, GUESS, sk.mean_absolute_percentage_error),
    "msle": (NUMBERS, GUESS, sk.mean_squared_log_error),
    "rmsle": (NUMBERS, GUESS, sk.root_mean_squared_log_error),
    "r2": (NUMBERS, GUESS, sk.r2_score),
    "explained_variance": (NUMBERS, GUESS, sk.explained_variance_score),
}


@pytest.mark.parametrize("name", METRICS)
def test_values_are_those_of_scikit_learn(name):
    y, prediction, reference = REFERENCE[name]
    assert value(METRICS[name], y, prediction) == pytest.approx(reference(y, prediction))


@pytest.mark.parametrize("name", METRICS)
def test_losses_of_rows_recompose_to_the_value_even_as_float32(name):
    y, prediction, _ = REFERENCE[name]
    losses = per_row(METRICS[name], y, prediction)
    assert (losses is None) == (not METRICS[name].decomposable)
    if losses is not None:
        assert losses.shape == y.shape
        stored = losses.astype(np.float32)
        found = recompose(METRICS[name], stored)
        assert found == pytest.approx(value(METRICS[name], y, prediction), rel=1e-6)


@pytest.mark.parametrize("name", METRICS)
def test_a_better_prediction_has_a_better_value_in_the_direction_of_the_metric(name):
    y, worse, _ = REFERENCE[name]
    perfect = np.eye(3)[y] if worse.ndim == 2 else y.astype(float)
    sign = 1 if METRICS[name].direction == "maximize" else -1
    gain = value(METRICS[name], y, perfect) - value(METRICS[name], y, worse)
    assert sign * gain > 0


def test_binary_log_loss_and_three_class_brier():
    assert value(METRICS["log_loss"], BINARY, P2) == pytest.approx(sk.log_loss(BINARY, P2))
    expected = np.mean(((P3 - np.eye(3)[CLASSES]) ** 2).sum(axis=1))
    assert value(METRICS["brier"], CLASSES, P3) == pytest.approx(expected)


def test_an_auc_over_the_classes_that_are_there():
    y = np.where(CLASSES == 2, 1, CLASSES)
    expected = np.mean([sk.roc_auc_score(y == c, P3[:, c]) for c in (0, 1)])
    assert value(METRICS["roc_auc_ovr"], y, P3) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_a_ranking_of_one_class_is_not_defined(name):
    with pytest.raises(DataError, match="one class"):
        value(METRICS[name], np.zeros(9), P2[:9])


def test_a_log_error_of_negative_numbers_is_refused():
    with pytest.raises(DataError, match="above -1"):
        value(METRICS["msle"], np.array([-2.0, 1.0]), np.ones(2))


@pytest.mark.parametrize("name", [*scoring.ALIASES, *METRICS])
def test_aliases_and_names_are_found_for_their_task(name):
    task = (
        "regression" if scoring.ALIASES.get(name, name) in scoring._REGRESSION else "classification"
    )
    assert metric(name, task).name == scoring.ALIASES.get(name, name)


@pytest.mark.parametrize(
    ("task", "y", "name", "why"),
    [
        ("regression", NUMBERS, "rmse", "usual"),
        ("classification", BINARY, "roc_auc", "two classes"),
        ("classification", CLASSES, "accuracy", "3 classes"),
        ("classification", [0] * 50 + [1] * 50 + [2] * 10, "balanced_accuracy", "10 rows"),
    ],
)
def test_the_metric_is_chosen_with_a_reason(task, y, name, why):
    found = metric("auto", task, y)
    assert found.name == name
    assert why in found.why


@pytest.mark.parametrize(
    ("words", "args"),
    [
        ("Did you mean 'roc_auc'", ("roc_uac", "classification", BINARY)),
        ("does not fit regression", ("accuracy", "regression", NUMBERS)),
        ("does not fit classification with 3 classes", ("f1", "classification", CLASSES)),
        ("does not fit classification with 2 classes", ("rmse", "classification", BINARY)),
        ("needs y", ("auto", "classification")),
        ("Say direction", (sk.mean_pinball_loss, "regression")),
        (r"takes 1", (lambda y: 0, "regression")),
    ],
)
def test_metrics_that_do_not_fit(words, args):
    with pytest.raises(SpecError, match=words):
        metric(*args)


def test_an_auc_of_three_classes_becomes_one_against_rest_and_says_so():
    found = metric("roc_auc", "classification", CLASSES)
    assert found.name == "roc_auc_ovr"
    assert "3 classes" in found.why


def test_directions_that_contradict():
    with pytest.raises(SpecError, match="contradicts"):
        metric("rmse", "regression", direction="maximize")
    with pytest.raises(SpecError, match="maximised by convention"):
        metric(lambda model, X, y: 0.0, "regression", direction="minimize")


def test_scorers_and_functions_of_the_user():
    scorer = metric(sk.make_scorer(sk.fbeta_score, beta=2), "classification")
    assert (scorer.needs, scorer.direction, scorer.name) == ("model", "maximize", "fbeta_score")
    assert metric("neg_mean_poisson_deviance", "regression").needs == "model"
    pinball = metric(sk.mean_pinball_loss, "regression", direction="minimize")
    assert value(pinball, NUMBERS, GUESS) == sk.mean_pinball_loss(NUMBERS, GUESS)
    labels = np.array(["no", "yes"])
    exact = metric(lambda y, p: sk.f1_score(y, p, pos_label="no"), "x", direction="maximize")
    expected = sk.f1_score(labels[BINARY], labels[GUESS2.astype(int)], pos_label="no")
    assert value(exact, BINARY, GUESS2, classes=labels) == expected
    assert per_row(exact, BINARY, GUESS2) is None


def test_predictions_have_the_form_that_the_metric_needs():
    X = RNG.normal(size=(80, 2))
    labels = np.array(["a", "b", "c"], dtype=object)
    model = LogisticRegression().fit(X, labels[CLASSES])
    assert predict(model, X, METRICS["log_loss"], labels).shape == (80, 3)
    codes = predict(model, X, METRICS["accuracy"], labels)
    assert np.array_equal(labels[codes.astype(int)], model.predict(X))
    two = labels[:2]
    model = LogisticRegression().fit(X, two[BINARY])
    assert predict(model, X, METRICS["log_loss"], two).shape == (80,)
    scores = predict(model, X, METRICS["roc_auc"], two)
    assert np.allclose(scores, model.decision_function(X))
    unseen = DummyClassifier().fit(X[:9], labels[[0, 2] * 4 + [0]])
    assert np.all(predict(unseen, X, METRICS["log_loss"], labels)[:, 1] == 0)


def test_models_that_cannot_give_what_a_metric_needs():
    with pytest.raises(SpecError, match="SVC has no predict_proba, which log_loss needs"):
        check_model(METRICS["log_loss"], SVC())
    check_model(METRICS["roc_auc"], SVC())
    check_model(METRICS["rmse"], Ridge())


def test_a_model_that_predicts_nan():
    class Broken:
        def predict(self, X):
            return np.full(len(X), np.nan)

    with pytest.raises(DataError, match="predicts NaN"):
        predict(Broken(), np.zeros((3, 1)), METRICS["rmse"], None)


def test_the_smallest_gain():
    assert default_smallest_gain(METRICS["accuracy"], 0.6) == 0.005
    assert default_smallest_gain(METRICS["r2"], 0.0) == 0.005
    assert default_smallest_gain(METRICS["log_loss"], 0.69) == pytest.approx(0.0069)
    assert default_smallest_gain(METRICS["mae"], 0.0) == 0.005


@pytest.mark.parametrize(
    ("function", "task", "name"),
    [
        (sk.accuracy_score, "classification", "accuracy"),
        (sk.f1_score, "classification", "f1"),
        (sk.log_loss, "classification", "log_loss"),
        (sk.roc_auc_score, "classification", "roc_auc"),
        (sk.mean_squared_error, "regression", "mse"),
        (sk.r2_score, "regression", "r2"),
    ],
)
def test_a_metric_function_of_scikit_learn_stands_for_its_name(function, task, name):
    target = BINARY if task == "classification" else NUMBERS
    found = metric(function, task, target)
    assert found == metric(name, task, target)
    other = "minimize" if found.direction == "maximize" else "maximize"
    with pytest.raises(SpecError, match="contradicts"):
        metric(function, task, target, direction=other)


def test_what_has_no_name_here_stays_a_function():
    found = metric(sk.mean_poisson_deviance, "regression", NUMBERS, direction="minimize")
    assert (found.function, found.direction) == (sk.mean_poisson_deviance, "minimize")
