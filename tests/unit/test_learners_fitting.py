"""Fitting: no validation row is ever trained on, and what is stored gives the score again."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import make_scorer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from assay.core.errors import SpecError
from assay.core.events import FLOOR
from assay.core.jobs import Job
from assay.evaluation.splits import Splits
from assay.learners import estimators, scoring
from assay.learners.fitting import FinalEvaluator, FoldEvaluator, Recipe
from assay.learners.scoring import metric

N = 60
RNG = np.random.default_rng(0)
X = np.column_stack([np.arange(N), RNG.normal(size=(N, 2))])
LABELS = np.array(["no", "yes"], dtype=object)[(X[:, 1] + RNG.normal(size=N) / 2 > 0).astype(int)]
CLASSES = np.array(["a", "b", "c"])[np.digitize(X[:, 1], [-0.4, 0.4])]
NUMBERS = X[:, 1] * 3 + RNG.normal(size=N)
SEEN: list[tuple[str, frozenset[int]]] = []


class Recorder(ClassifierMixin, BaseEstimator):
    """Notes the row ids (first column) that it is fitted on and asked about."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        SEEN.append(("fit", frozenset(X[:, 0].astype(int))))
        return self

    def predict(self, X):
        SEEN.append(("predict", frozenset(X[:, 0].astype(int))))
        return np.full(len(X), self.classes_[0])


class RecordingScaler(StandardScaler):
    def fit(self, X, y=None, sample_weight=None):
        SEEN.append(("scale", frozenset(X[:, 0].astype(int))))
        return super().fit(X, y, sample_weight)


def job(config=None, *, trial=1, repeats=1, folds=3, seeds=1):
    units = [(r, f, s) for r in range(repeats) for f in range(folds) for s in range(seeds)]
    numbers = tuple(100 + s for _, _, s in units)
    return Job(
        id=0, trial=trial, stage="search", config=config or {}, units=tuple(units), seeds=numbers
    )


def evaluator(estimator, name="accuracy", y=LABELS, task="classification", data=X, **options):
    chosen = name if isinstance(name, scoring.Metric) else metric(name, task, y)
    splits = options.pop("splits", Splits.kfold(3))
    recipe = Recipe(estimator, chosen, task, options.pop("prefix", ""))
    return FoldEvaluator(data, y, recipe, splits, seed=5, **options)


def run(evaluate, *args, **options):
    messages = []
    mean = evaluate(job(*args, **options), messages.append)
    return mean, messages


@pytest.mark.parametrize(
    ("splits", "columns"),
    [
        (Splits.kfold(3), {}),
        (Splits.grouped(3), {"groups": np.arange(N) % 7}),
        (Splits.forward(3, gap=2), {"time": np.arange(N)}),
    ],
    ids=["kfold", "grouped", "forward"],
)
def test_no_validation_row_is_trained_on_not_even_by_preprocessing(splits, columns):
    SEEN.clear()
    model = make_pipeline(RecordingScaler(with_mean=False, with_std=False), Recorder())
    evaluate = evaluator(model, splits=splits, **columns)
    run(evaluate, repeats=2)
    used = [evaluate.folds(r)[f] for r in range(2) for f in range(3)]
    fits = [rows for what, rows in SEEN if what in ("scale", "fit")]
    asked = [rows for what, rows in SEEN if what == "predict"]
    assert len(fits) == 2 * len(used)
    for (train, valid), scaled, fitted, held in zip(
        used, fits[::2], fits[1::2], asked[::2], strict=True
    ):
        assert scaled == fitted == frozenset(train)
        assert held == frozenset(valid)
        assert not fitted & held


def test_a_measurement_for_each_unit_and_the_mean_of_their_values():
    mean, messages = run(evaluator(LogisticRegression()), repeats=2, seeds=2)
    assert [m.unit for m in messages] == list(job(repeats=2, seeds=2).units)
    assert mean == pytest.approx(np.mean([m.value for m in messages]))
    assert all(m.cpu_s >= 0 and m.wall_s >= 0 and 0 <= m.train <= 1 for m in messages)


@pytest.mark.parametrize(
    ("name", "model", "y", "task"),
    [
        ("accuracy", LogisticRegression(), LABELS, "classification"),
        ("log_loss", LogisticRegression(), CLASSES, "classification"),
        ("brier", LogisticRegression(), LABELS, "classification"),
        ("mse", Ridge(), NUMBERS, "regression"),
        ("mae", Ridge(), NUMBERS, "regression"),
    ],
)
def test_the_losses_of_the_rows_recompose_to_the_value(name, model, y, task):
    evaluate = evaluator(model, name, y, task)
    for message in run(evaluate)[1]:
        losses = np.frombuffer(message.rows, "<f4")
        assert len(losses) == len(evaluate.folds(0)[message.unit[1]][1])
        assert scoring.recompose(evaluate.recipe.metric, losses) == pytest.approx(
            message.value, rel=1e-6
        )


@pytest.mark.parametrize(
    ("name", "y", "task", "width"),
    [
        ("roc_auc", LABELS, "classification", 1),
        ("f1", LABELS, "classification", 1),
        ("roc_auc", CLASSES, "classification", 3),
        ("f1_macro", CLASSES, "classification", 1),
        ("rmse", NUMBERS, "regression", 1),
        ("r2", NUMBERS, "regression", 1),
    ],
)
def test_stored_predictions_give_the_value_again(name, y, task, width):
    model = Ridge() if task == "regression" else LogisticRegression()
    evaluate = evaluator(model, name, y, task)
    codes = np.unique(y, return_inverse=True)[1] if task == "classification" else y
    for message in run(evaluate)[1]:
        valid = evaluate.folds(0)[message.unit[1]][1]
        stored = np.frombuffer(message.rows, "<f4").astype(float)
        stored = stored.reshape(len(valid), width) if width > 1 else stored
        again = scoring.value(evaluate.recipe.metric, codes[valid], stored)
        assert again == pytest.approx(message.value, rel=1e-5)


def test_the_same_seed_gives_the_same_score_and_another_one_another():
    forest = RandomForestClassifier(n_estimators=5, random_state=77)
    first, again = (run(evaluator(forest, "log_loss"), seeds=2)[1] for _ in range(2))
    assert [m.value for m in first] == [m.value for m in again]
    assert [m.rows for m in first] == [m.rows for m in again]
    assert first[0].value != first[1].value
    assert forest.random_state == 77


def test_every_random_state_and_n_jobs_is_set_deep_inside():
    inner = Pipeline([("scale", StandardScaler()), ("sgd", SGDClassifier())])
    model = VotingClassifier(
        [("a", inner), ("b", RandomForestClassifier(n_jobs=2)), ("c", DecisionTreeClassifier())]
    )
    built = estimators.build(model, {"b__max_depth": 3}, seed=9)
    params = built.get_params()
    states = [params[f"{part}__random_state"] for part in ("a__sgd", "b", "c")]
    assert len(set(states)) == 3
    assert all(isinstance(state, int) for state in states)
    assert params["b__n_jobs"] == 2
    assert params["n_jobs"] == params["a__sgd__n_jobs"] == 1
    assert params["b__max_depth"] == 3
    assert not estimators.deterministic(model)
    assert estimators.deterministic(make_pipeline(StandardScaler()))


def test_a_config_sets_parameters_behind_the_prefix():
    model = make_pipeline(StandardScaler(), LogisticRegression())
    evaluate = evaluator(model, "log_loss", prefix="logisticregression__")
    assert run(evaluate, {"C": 1e-4})[0] != run(evaluate, {"C": 10.0})[0]
    fitted = evaluate.recipe.fit(X, LABELS, {"C": 3.0}, seed=1)
    assert fitted[-1].C == 3.0


@pytest.mark.parametrize(
    ("name", "y", "task", "floor"),
    [
        ("accuracy", LABELS, "classification", np.mean(LABELS == "no")),
        ("roc_auc", LABELS, "classification", 0.5),
        ("rmse", NUMBERS, "regression", np.std(NUMBERS)),
        ("mae", NUMBERS, "regression", np.mean(np.abs(NUMBERS - np.median(NUMBERS)))),
    ],
)
def test_the_floor_is_a_model_without_features(name, y, task, floor):
    model = Ridge() if task == "regression" else LogisticRegression()
    mean, _ = run(evaluator(model, name, y, task), trial=FLOOR)
    assert mean == pytest.approx(max(floor, 1 - floor) if name == "accuracy" else floor, rel=0.06)


def test_data_frames_are_kept_as_they_are():
    frame = pd.DataFrame(X, columns=["id", "u", "v"], index=np.arange(N)[::-1])
    one = run(evaluator(LogisticRegression(), "log_loss", data=frame))
    two = run(evaluator(LogisticRegression(), "log_loss"))
    assert one[0] == pytest.approx(two[0])


def test_own_scorers_and_metrics():
    def share_of_no(y, prediction):
        return np.mean((y == "no") == (prediction == "no"))

    own = metric(share_of_no, "classification", direction="maximize")
    mean, messages = run(evaluator(LogisticRegression(), own))
    assert mean == pytest.approx(run(evaluator(LogisticRegression()))[0])
    assert messages[0].rows is not None
    scorer = metric(make_scorer(share_of_no), "classification")
    again, messages = run(evaluator(LogisticRegression(), scorer))
    assert again == pytest.approx(mean)
    assert messages[0].rows is None


def test_warnings_of_estimators_are_not_passed_on(capsys):
    class Loud(DecisionTreeClassifier):
        def fit(self, X, y):
            warnings.warn("no convergence", ConvergenceWarning, stacklevel=2)
            return super().fit(X, y)

    run(evaluator(Loud()))  # warnings are errors in these tests
    assert capsys.readouterr() == ("", "")


def test_an_evaluator_survives_a_pickle():
    evaluate = evaluator(RandomForestClassifier(n_estimators=3), "roc_auc")
    expected = run(evaluate)[0]
    assert run(pickle.loads(pickle.dumps(evaluate)))[0] == expected


def test_many_integer_classes_are_stratified():
    y = np.tile(np.arange(25), 6)
    evaluate = evaluator(LogisticRegression(), "accuracy", y, data=np.zeros((150, 1)))
    assert all(len(np.unique(y[valid])) == 25 for _, valid in evaluate.folds(0))


def test_the_final_evaluator_trains_on_all_development_rows_and_judges_the_test_rows():
    SEEN.clear()
    dev, test = np.arange(40), np.arange(40, N)
    recipe = Recipe(Recorder(), metric("accuracy", "classification"), "classification")
    final = FinalEvaluator(X[dev], LABELS[dev], X[test], LABELS[test], recipe)
    mean, messages = run(final, folds=1, seeds=2)
    assert [m.unit for m in messages] == [(0, 0, 0), (0, 0, 1)]
    assert all(rows == frozenset(dev) for what, rows in SEEN if what == "fit")
    assert SEEN[1] == ("predict", frozenset(test))
    assert np.frombuffer(messages[0].rows, "<f4").shape == (20,)
    assert mean == pytest.approx(np.mean(LABELS[test] == "no"))


@pytest.mark.parametrize(
    ("words", "estimator", "name", "task"),
    [
        ("instance, not a class", LogisticRegression, "accuracy", "classification"),
        ("needs fit and get_params", "logistic", "accuracy", "classification"),
        ("Ridge is not made for classification", Ridge(), "accuracy", "classification"),
        ("LogisticRegression is not made for regression", LogisticRegression(), "r2", "regression"),
        ("has no predict_proba", SGDClassifier(), "log_loss", "classification"),
    ],
)
def test_recipes_that_cannot_work(words, estimator, name, task):
    with pytest.raises(SpecError, match=words):
        Recipe(estimator, metric(name, task), task)


def test_a_description_is_json_and_the_same_each_time():
    from assay.core.jsonform import canonical

    model = make_pipeline(StandardScaler(), RandomForestClassifier(max_features=0.5))
    found = estimators.describe(model)
    assert canonical(found) == canonical(estimators.describe(model))
    assert found["class"] == "sklearn.pipeline.Pipeline"
    assert found["parts"]["standardscaler"].endswith("StandardScaler")
    assert found["params"]["randomforestclassifier__max_features"] == 0.5
    assert "steps" not in found["params"]
    assert "scikit-learn" in found["versions"]
    assert " at 0x" not in canonical(estimators.describe(evaluator_with_function()))


def evaluator_with_function():
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(FunctionTransformer(lambda X: X), Ridge())
