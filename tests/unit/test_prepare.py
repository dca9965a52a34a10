"""From data and a model to a plan."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.tree import DecisionTreeClassifier
from tests.unit.lab import rows_of

from assay import Budget, DataError, Float, Int, Space, SpecError, Splits
from assay.api.prepare import Wishes, prepare
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.inputs import from_arrays

TREE = DecisionTreeClassifier(max_depth=6)
SPACE = Space(max_depth=Int(1, 8, default=3))


def made(model=TREE, task="two", n=100, *, groups=None, time=None, **wishes):
    wishes.setdefault("space", SPACE if model is TREE else None)
    table = from_arrays(*rows_of(task, n=n), groups=groups, time=time)
    return prepare(table, model, Wishes(**wishes))


def line(prepared, what):
    return next(line for line in prepared.chosen if line.what == what)


def test_every_choice_is_named_with_its_option():
    prepared = made("auto", space=None)
    whats = [line.what for line in prepared.chosen]
    assert {
        "rows",
        "task",
        "metric",
        "model",
        "space",
        "splits",
        "test set",
        "smallest gain",
    } <= set(whats)
    assert len(whats) == len(set(whats))
    assert all(line.option.startswith("--") for line in prepared.chosen)
    assert all(line.value for line in prepared.chosen)


def test_the_plan_is_plain_json_and_makes_itself_again():
    spec = made().spec
    form = json.loads(json.dumps(spec.to_json(), allow_nan=False))
    assert StudySpec.from_json(form).plan == spec.plan
    assert made().spec.plan == spec.plan


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"n": 101}, {"test": 0.4}, {"metric": "f1"}, {"splits": Splits.kfold(4)},
               {"budget": Budget(trials=3)}, {"smallest_gain": 0.5},
               {"model": DecisionTreeClassifier(max_depth=5)}],
    ids=str,
)  # fmt: skip
def test_whatever_is_chosen_otherwise_is_another_plan(change):
    assert made(**change).spec.plan != made().spec.plan


def test_development_and_test_rows_share_nothing_and_lack_nothing():
    prepared = made(n=100, test=0.3)
    dev, test = (set(part.X[:, 0]) for part in (prepared.dev, prepared.test))
    assert not dev & test
    assert len(dev | test) == 100
    assert len(test) == 30
    assert prepared.spec.data["rows"] == 70
    assert prepared.spec.data["seal"] == {"rows": 30}


def test_without_test_rows_all_are_developed_on():
    prepared = made(test=0)
    assert prepared.test is None
    assert len(prepared.dev) == 100
    assert line(prepared, "test set").value == "none"


def test_the_control_is_the_estimator_as_given_not_the_default_of_the_space():
    assert made().spec.control == {"max_depth": 6}


def test_a_control_outside_of_the_space_is_refused():
    with pytest.raises(SpecError, match="outside"):
        made(space=Space(max_depth=Int(1, 4, default=3)))


def test_what_is_no_space_is_refused_with_the_way_out():
    with pytest.raises(SpecError, match=r"needs a Space, got dict.*sklearn\.SearchCV"):
        made(space={"max_depth": [1, 2, 3]})


def test_the_data_decides_on_the_splits():
    assert made().splits.kind == "kfold"
    assert made(groups=np.repeat(np.arange(25), 4)).splits.kind == "grouped"
    assert made(Ridge(), "numbers", time=np.arange(100)).splits.kind == "forward"


@pytest.mark.parametrize("splits", ["kfold:5", 5, [1, 2]])
def test_what_are_no_splits_is_refused(splits):
    with pytest.raises(SpecError, match="kfold"):
        made(splits=splits)


def test_the_ratio_of_the_correction_is_that_of_the_folds():
    assert made(splits=Splits.kfold(5), test=0).spec.data["ratio"] == 0.25
    assert made(splits=Splits.holdout(0.25), test=0).spec.data["ratio"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("task", "metric", "expected"),
    [("two", "auto", 0.005), ("two", "accuracy", 0.005), ("numbers", "r2", 0.005)],
)
def test_half_a_point_of_a_score_is_the_smallest_gain(task, metric, expected):
    model = Ridge() if task == "numbers" else TREE
    space = Space(alpha=Float(0.1, 10.0, log=True)) if task == "numbers" else SPACE
    assert made(model, task, metric=metric, space=space).spec.smallest_gain == expected


def test_a_hundredth_of_the_floor_is_the_smallest_gain_of_an_error():
    prepared = made(Ridge(), "numbers", metric="rmse", space=Space(alpha=Float(0.1, 10.0)))
    spread = float(np.std(prepared.dev.y))
    assert prepared.spec.smallest_gain == pytest.approx(0.01 * spread, rel=0.2)


def test_what_is_said_is_taken():
    prepared = made(smallest_gain=0.03, budget=Budget(looks=50), sampler="halton", seed=4)
    spec = prepared.spec
    assert (spec.smallest_gain, spec.budget, spec.seed) == (0.03, Budget(looks=50), 4)
    assert spec.sampler == {"name": "halton"}
    assert line(prepared, "smallest gain").why == "you chose it"


def test_a_scorer_of_models_cannot_judge_single_test_rows():
    scorer = make_scorer(accuracy_score)
    with pytest.raises(SpecError, match="test=0"):
        made(metric=scorer)
    assert made(metric=scorer, test=0).test is None


def test_a_test_set_that_can_have_no_interval_is_refused_before_it_is_sealed():
    with pytest.raises((DataError, SpecError)):
        made(
            groups=np.repeat([0, 1, 2, 3, 4, 5], [60, 10, 10, 10, 5, 5]),
            splits=Splits.grouped(2),
            test=0.05,
        )


def test_the_evaluator_of_the_search_holds_the_development_rows_alone():
    prepared = made(test=0.3)
    held = prepared.evaluator()
    assert held.X.shape == (70, 4)
    final = prepared.final_evaluator(prepared.test, History())
    assert (final.X.shape, final.X_test.shape) == ((70, 4), (30, 4))


def test_targets_become_what_the_metric_sees():
    table = from_arrays(rows_of()[0], np.where(rows_of()[1], "yes", "no"))
    prepared = prepare(table, LogisticRegression(), Wishes(space=Space(C=Float(0.1, 2.0))))
    assert prepared.codes(np.array(["yes", "no"])).tolist() == [1, 0]
    numbers = made(Ridge(), "numbers", space=Space(alpha=Float(0.1, 10.0)))
    assert numbers.codes(np.array([1.5, 2.0])).tolist() == [1.5, 2.0]


def test_a_judge_scores_as_the_metric_does():
    prepared = made(metric="accuracy")
    judge = prepared.judge()
    assert (judge.decomposable, judge.maximize, judge.weighted) == (True, True, None)
    assert judge.score(np.array([0, 1]), np.array([0.0, 1.0])) == 0.5
    ranks = made(metric="roc_auc").judge()
    y, scores = np.array([0, 1, 1]), np.array([0.1, 0.4, 0.1])
    assert ranks.weighted(y, scores)(np.ones((1, 3)))[0] == ranks.score(y, scores) == 0.75


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"task": "clustering"}, "task"),
        ({"metric": "rmse"}, "does not fit"),
        ({"metric": "accurracy"}, "Did you mean"),
        ({"test": 1.0}, "test"),
        ({"test": "half"}, "test"),
        ({"splits": Splits.kfold(60)}, "folds"),
        ({"sampler": "soboll"}, "sobol"),
        ({"seed": -1}, "seed"),
        ({"smallest_gain": float("inf")}, "smallest_gain"),
    ],
    ids=str,
)
def test_wrong_wishes_are_refused(wishes, words):
    task = wishes.pop("task", None)
    table = from_arrays(*rows_of())
    with pytest.raises((SpecError, DataError)) as error:
        prepare(table, TREE, Wishes(space=SPACE, task=task, **wishes))
    assert words in str(error.value)
