"""tune: from data and a model to a verdict on rows that nothing was chosen on."""

from __future__ import annotations

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from tests.unit.lab import rows_of

from assay import (
    Budget,
    Evidence,
    Float,
    Int,
    Limits,
    SealError,
    Space,
    SpecError,
    Splits,
    refit,
    tune,
)
from assay.analysis.verdict import Action
from assay.api.prepare import Wishes, prepare
from assay.core import units
from assay.core.events import (
    CONTROL,
    FLOOR,
    Concluded,
    Frozen,
    Measured,
    Opened,
    Opening,
    Sealed,
    Selected,
    Told,
)
from assay.executors.inline import InlineExecutor
from assay.inputs import from_arrays
from assay.report.phase import Standing, standing
from assay.stores.memory import MemoryStore

SPACE = Space(max_depth=Int(1, 8, default=6), min_samples_leaf=Int(1, 16, default=1))
TREE = DecisionTreeClassifier(max_depth=6, random_state=0)
FAST = Evidence(repeats=2, seeds=1, top=2, rechecks=4, refits=2)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A memory of seals of its own for each test; and few draws, which is enough for all but coverage."""
    monkeypatch.setattr("assay.analysis.final.DRAWS", 200)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def tuned(model=TREE, X=None, y=None, **options):
    if X is None:
        X, y = rows_of("two")
    if model is TREE:
        options.setdefault("space", SPACE)
    settings = {
        "budget": 5,
        "splits": Splits.kfold(3),
        "evidence": FAST,
        "isolation": "none",
        "progress": False,
    }
    return tune(model, X, y, **(settings | options))


def values_of(study):
    return [(trial.config, trial.value) for trial in study.trials]


def of(study, kind):
    return [event for event in study.store.read(study.name) if isinstance(event, kind)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A complete study on data, with its table; for tests that only look."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", str(tmp_path_factory.mktemp("home")))
        X, y = rows_of("two")
        return tuned(X=X, y=y, metric="accuracy"), X, y


# --- the course of a study


def test_the_story_goes_from_seal_to_verdict_in_order(finished):
    study, _, _ = finished
    kinds = [type(event) for event in of(study, object)]
    order = [Sealed, Selected, Frozen, Opening, Opened, Concluded]
    places = [kinds.index(kind) for kind in order]
    assert places == sorted(places)
    assert all(kinds.count(kind) == 1 for kind in order)
    assert places[0] < kinds.index(Measured), "the seal comes before any fit"
    assert study.verify() == []
    assert study.verdict.look == 1


@pytest.mark.parametrize("test", [None, 0])
def test_without_evidence_it_is_a_search_and_no_verdict(test):
    study = tuned(evidence=None, test=test, metric="accuracy")
    kinds = {type(event) for event in of(study, object)}
    assert kinds.isdisjoint({Sealed, Selected, Frozen, Concluded})
    assert study.verdict is None
    assert len(study.trials) == 5
    best = max(study.trials, key=lambda trial: (trial.value, -trial.number))
    assert study.best.number == best.number
    assert standing(study.spec, study.history) == Standing("finished", 5, 5)
    assert study.verify() == []
    with pytest.raises(SpecError, match=r"final='bbc' asks for a verdict"):
        tuned(evidence=None, final="bbc")


def test_a_shadow_set_larger_than_what_is_left_is_remarked():
    X, y = rows_of("two")
    table = from_arrays(X, y)
    for share, remarked in ((0.6, True), (0.1, False)):
        chosen = prepare(table, TREE, Wishes(space=SPACE, shadow=share)).chosen
        (line,) = [c for c in chosen if c.what == "shadow set"]
        assert ("more than the search has" in line.why) is remarked


def test_every_trial_has_every_fold_and_its_mean(finished):
    study, _, _ = finished
    for trial in study.trials:
        values = [
            event.value
            for event in of(study, Measured)
            if (event.trial, event.stage) == (trial.number, "search")
        ]
        assert len(values) == 3
        assert trial.value == pytest.approx(np.mean(values))


def test_floor_and_control_are_measured_and_the_control_repeated(finished):
    study, _, _ = finished
    assert len(study.history.units(FLOOR, "floor")) == 3
    assert set(study.history.units(CONTROL)) >= set(units.control(study.spec, fixed=True))


def test_the_verdict_is_what_the_stored_losses_say_by_hand(finished):
    study, _, y = finished
    opened = of(study, Opened)[0].results
    losses = {}
    for number in study.history.last(Frozen).contenders:
        fits = study.history.units(number, "test").values()
        stored = [np.frombuffer(study.store.blob(event.rows), "<f4") for event in fits]
        losses[number] = np.mean(stored)
        assert opened["contenders"][str(number)]["score"] == pytest.approx(1 - losses[number])
    chosen = study.challenger.number
    gain = losses[CONTROL] - losses[chosen]
    assert study.verdict.gain.estimate == pytest.approx(gain)
    assert opened["rows"] == len(y) - study.spec.data["rows"] == of(study, Sealed)[0].rows


def test_the_score_on_the_test_rows_is_that_of_a_fit_by_hand(finished):
    study, X, y = finished
    from sklearn.base import clone

    from assay.evaluation.splits import hold_out

    dev, test = hold_out(0.3, n=len(y), y=y, seed=0)
    assert len(dev) == study.spec.data["rows"]
    for number in study.history.last(Frozen).contenders:
        seed = units.seed_of(study.spec, (0, 0, 0))
        model = clone(TREE).set_params(**study.trials[number].config, random_state=seed)
        score = model.fit(X[dev], y[dev]).score(X[test], y[test])
        first = study.history.units(number, "test")[(0, 0, 0)]
        assert first.value == pytest.approx(score)


def test_the_same_seed_gives_the_same_study():
    one, two = (tuned(seed=1, storage=MemoryStore(), test=0) for _ in range(2))
    assert values_of(one) == values_of(two)
    assert str(one.verdict) == str(two.verdict)


def test_processes_give_what_this_process_gives():
    one = tuned(seed=1, test=0, budget=3)
    two = tuned(seed=1, test=0, budget=3, isolation="process")
    assert values_of(one) == values_of(two)


# --- models, data, metrics, splits


@pytest.mark.parametrize("task", ["two", "three", "numbers"])
def test_arrays_and_frames_give_the_same_study(task):
    model = DecisionTreeRegressor(max_depth=6, random_state=0) if task == "numbers" else TREE
    X, y = rows_of(task)
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(4)])
    options = {"test": 0, "space": SPACE, "budget": 3}
    one = tuned(model, X, y, **options)
    two = tuned(model, frame, pd.Series(y), **options)
    assert values_of(one) == values_of(two)


def test_a_frame_with_categories_and_gaps_goes_through_a_built_in_model():
    X, y = rows_of("two")
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "p", "q"), "c": X[:, 2]})
    frame.loc[::7, "c"] = np.nan
    frame["d"] = pd.Categorical(np.where(X[:, 3] > 0, "u", "v"))
    study = tuned("logistic_regression", frame, np.where(y, "yes", "no"), budget=3)
    assert study.verdict.look == 1
    assert study.verify() == []


def test_whole_numbers_as_names_of_columns_are_names_and_not_places():
    X, y = rows_of("numbers")
    text = pd.DataFrame(X, columns=list("abcd"))
    text.insert(2, "kind", pd.Categorical(np.where(X[:, 0] > 0, "u", "v")))
    numbered = text.set_axis([4, 2, 0, 9, 1], axis=1)
    one, two = (tuned("ridge", frame, y, budget=3) for frame in (text, numbered))
    assert values_of(one) == values_of(two)
    assert two.verify() == []
    expected = refit(one, text, y).predict(text)
    np.testing.assert_array_equal(refit(two, numbered, y).predict(numbered), expected)


def test_a_pipeline_is_tuned_by_the_names_of_its_steps():
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5))
    space = Space(logisticregression__C=Float(1e-3, 10.0, log=True))
    study = tuned(model, *rows_of(), space=space, budget=3)
    assert study.control.config == {"logisticregression__C": 0.5}


def test_the_control_is_the_estimator_as_it_was_given():
    study = tuned(
        DecisionTreeClassifier(max_depth=2, random_state=0), *rows_of(), space=SPACE, test=0
    )
    assert study.control.config == {"max_depth": 2, "min_samples_leaf": 1}


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        ("two", "accuracy"),
        ("two", "roc_auc"),
        ("two", "f1"),
        ("two", "log_loss"),
        ("three", "accuracy"),
        ("three", "roc_auc"),
        ("three", "f1_macro"),
        ("numbers", "r2"),
        ("numbers", "rmse"),
        ("numbers", "mae"),
    ],
)
def test_every_kind_of_metric_reaches_a_verdict_in_its_own_direction(task, metric):
    X, y = rows_of(task)
    model = Ridge() if task == "numbers" else LogisticRegression(C=1e-4)
    name = "alpha" if task == "numbers" else "C"
    space = Space(**{name: Float(1e-5, 100.0, log=True)})
    study = tuned(model, X, y, metric=metric, space=space, budget=4)
    (objective,) = study.spec.objectives
    lower = study.spec.directions[objective] == "minimize"
    assert lower == (metric in ("log_loss", "rmse", "mae"))
    result = of(study, Opened)[0].results
    scores = [result["contenders"][str(n)]["score"] for n in (0, result["gain"]["challenger"])]
    gain = (scores[0] - scores[1]) if lower else (scores[1] - scores[0])
    assert result["gain"]["estimate"] == pytest.approx(gain, abs=1e-5)
    for one in result["contenders"].values():
        assert one["low"] <= one["score"] <= one["high"]
    assert study.verify() == []


def test_a_metric_of_ones_own_needs_a_direction():
    def most(y, prediction):
        return float(np.max(np.abs(y - prediction)))

    X, y = rows_of("numbers")
    options = {"metric": most, "space": Space(alpha=Float(1e-3, 10.0, log=True, default=1.0))}
    with pytest.raises(SpecError, match="direction"):
        tuned(Ridge(), X, y, **options)
    study = tuned(Ridge(), X, y, direction="minimize", budget=3, **options)
    assert list(study.spec.directions.values()) == ["minimize"]
    assert study.verdict.look == 1


@pytest.mark.parametrize(
    ("splits", "folds"),
    [
        (Splits.kfold(3), 3),
        (Splits.repeated(2, 2), 4),
        (Splits.holdout(0.3), 1),
    ],
    ids=["kfold", "repeated", "holdout"],
)
def test_every_kind_of_splits_measures_its_units(splits, folds):
    study = tuned(splits=splits, budget=3)
    for trial in study.trials:
        assert len(study.history.units(trial.number, "search")) == folds
    assert study.verdict.look == 1


def test_groups_stay_together_and_carry_the_interval():
    X, y = rows_of("two", n=120)
    groups = np.repeat(np.arange(30), 4)
    study = tuned(X=X, y=y, groups=groups, splits=None, budget=3)
    assert study.spec.data["splits"]["kind"] == "grouped"
    assert of(study, Opened)[0].results["drawn"] != "rows"
    assert of(study, Sealed)[0].rows % 4 == 0


def test_time_is_never_turned_round():
    X, y = rows_of("numbers", n=120)
    study = tuned(Ridge(), X, y, time=np.arange(120), splits=None, budget=3)
    assert study.spec.data["splits"]["kind"] == "forward"
    test = study.history.last(Sealed).rows
    from assay.api.sealing import sealed_rows

    assert sealed_rows(study.store, study.history.last(Sealed)).X == pytest.approx(X[-test:])


def test_groups_or_time_refuse_splits_that_ignore_them():
    X, y = rows_of("two", n=120)
    with pytest.raises(SpecError, match="groups"):
        tuned(X=X, y=y, groups=np.repeat(np.arange(30), 4))
    with pytest.raises(SpecError, match="time"):
        tuned(X=X, y=y, time=np.arange(120))


# --- the seal


def test_without_test_rows_nothing_is_sealed_and_the_verdict_says_so():
    study = tuned(test=0)
    assert not of(study, Sealed) + of(study, Opening)
    assert study.spec.data["rows"] == 90
    assert study.verdict.badge != "CONFIRMATORY"


def test_a_worker_of_the_search_is_not_given_a_single_test_row():
    X, y = rows_of("numbers", n=100)
    table = from_arrays(X, y)
    prepared = prepare(table, Ridge(), Wishes(space=Space(alpha=Float(0.1, 1.0)), test=0.3))
    payload = cloudpickle.dumps(prepared.evaluator())
    assert len(prepared.test) == 30
    for row in range(30):
        for value in (*prepared.test.X[row], prepared.test.y[row]):
            assert np.float64(value).tobytes() not in payload
    assert np.float64(prepared.dev.X[0, 0]).tobytes() in payload


def test_the_test_set_can_be_left_closed_and_opened_later():
    store = MemoryStore()
    study = tuned(storage=store, open_test=False)
    assert study.verdict is None
    assert of(study, Frozen)
    assert not of(study, Opening)
    again = tuned(storage=store)
    assert again.verdict.look == 1
    assert len(of(again, Opening)) == len(of(again, Concluded)) == 1


def test_test_rows_are_sealed_once_however_often_the_study_is_called(tmp_path):
    path = str(tmp_path / "lab.db")
    for opens in (False, False, True, True):
        tuned(storage=path, budget=3, open_test=opens).close()
    assert len(list((tmp_path / "lab.db.vault").iterdir())) == 1


def test_a_finished_study_is_not_run_or_opened_again():
    store = MemoryStore()
    tuned(storage=store)
    before = list(store.read("study"))
    again = tuned(storage=store)
    assert list(store.read("study")) == before
    assert again.verdict.look == 1


def test_the_same_rows_as_test_set_of_a_second_study_are_refused_and_marked():
    tuned()
    second = tuned(budget=4)
    assert not of(second, Opening)
    assert "100 %" in second.verdict.sentence
    assert second.verdict.badge != "CONFIRMATORY"
    third = tuned(budget=6, reason="the first study had a bug")
    assert of(third, Opening)[0].reason == "the first study had a bug"
    assert third.verdict.look == 2
    assert third.verdict.badge != "CONFIRMATORY"


def test_rows_that_a_study_was_developed_on_are_no_test_set_of_another():
    tuned()
    with pytest.raises(SealError, match="tuning"):
        tuned(seed=7)
    study = tuned(seed=7, reason="the first was only a try")
    assert study.verdict.badge != "CONFIRMATORY"
    assert study.verdict.look == 2


class Stop(BaseException):
    """Ends the driver."""


@pytest.mark.parametrize("at", [1, 2, 4, 5, 7, 10, 13, -2, -1])  # from the end: fits of the test
def test_a_study_cut_off_anywhere_ends_as_if_it_had_not_been_with_one_look(
    at, monkeypatch, tmp_path
):
    X, y = rows_of()
    store, calls, poll = MemoryStore(), [], InlineExecutor.poll
    last = None

    def dying(self, timeout_s):
        calls.append(1)
        if last and len(calls) == (at if at > 0 else last + 1 + at):
            raise Stop
        return poll(self, timeout_s)

    monkeypatch.setattr(InlineExecutor, "poll", dying)
    calm = tuned(X=X, y=y, metric="accuracy")
    last = len(calls)
    calls.clear()
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "another"))
    with pytest.raises(Stop):
        tuned(X=X, y=y, metric="accuracy", storage=store)
    study = tuned(X=X, y=y, metric="accuracy", storage=store)
    assert values_of(study) == values_of(calm)
    assert str(study.verdict) == str(calm.verdict)
    assert [event.look for event in of(study, Opening)] == [1]
    assert len(of(study, Opened)) == len(of(study, Selected)) == len(of(study, Frozen)) == 1
    assert study.verify() == []


def test_given_configs_keep_their_source():
    given = [{"max_depth": 2}, {"config": {"max_depth": 3}, "source": "https://a.example"}]
    study = tuned(given=given, test=0)
    assert [t.config["max_depth"] for t in study.trials][1:3] == [2, 3]
    assert study.trials[2].why["source"] == "https://a.example"


def test_a_budget_of_looks_counts_folds():
    study = tuned(budget=Budget(looks=11), test=0)
    assert len(study.trials) == 3
    assert len(of(study, Told)) == 3


def test_limits_that_need_a_process_are_refused_inside_this_one():
    with pytest.raises(SpecError, match="isolation"):
        tuned(limits=Limits(seconds=5), test=0)


def test_the_advice_follows_the_verdict(finished):
    study, _, _ = finished
    kept = study.verdict.action is Action.KEEP_DEFAULTS
    assert (study.best.number == CONTROL) == kept
