"""tune: what it refuses, and what it says then."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from tests.unit.lab import rows_of

from assay import (
    DataError,
    Evidence,
    Int,
    Space,
    SpaceError,
    SpecError,
    Splits,
    StateError,
    open_study,
    tune,
)
from assay.core.events import Sealed
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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metric": "acuracy"}, "Did you mean 'accuracy'"),
        ({"metric": "r2"}, "does not fit"),
        ({"task": "clustering"}, "task"),
        ({"test": 1.5}, "test"),
        ({"test": -0.1}, "test"),
        ({"budget": 0}, "trials"),
        ({"splits": "kfold"}, "splits"),
        ({"splits": Splits.kfold(80)}, "folds"),
        ({"space": Space(max_dept=Int(1, 3, default=2))}, "max_depth"),
        ({"given": [{"max_depht": 3}]}, "max_depth"),
        ({"sampler": "sobl"}, "sobol"),
        ({"sampler": {"name": "tpe", "start": 0}}, "start"),
        ({"workers": 0}, "workers"),
        ({"workers": 2}, "isolation"),
        ({"isolation": "thread"}, "thread"),
        ({"smallest_gain": -1.0}, "smallest_gain"),
    ],
    ids=str,
)
def test_wrong_options_say_what_to_use_instead_before_anything_is_sealed(change, words, home):
    store = MemoryStore()
    with pytest.raises((SpecError, SpaceError, DataError)) as error:
        tuned(storage=store, **change)
    assert words in str(error.value)
    assert store.studies() == []
    assert not home.exists(), "no test set is remembered"


def test_an_unknown_model_is_answered_with_the_nearest():
    with pytest.raises(SpecError, match="logistic_regression"):
        tuned("logistic_regresion", *rows_of())
    with pytest.raises(SpecError):
        tuned(object(), *rows_of(), space=SPACE)
    with pytest.raises(SpecError):
        tuned(DecisionTreeRegressor(), *rows_of(), space=SPACE, task="classification")


def broken_table(what):
    X, y = rows_of("two")
    if what == "one class":
        return X, np.ones(90)
    if what == "constant target":
        return X, np.full(90, 2.5)
    if what == "no target value":
        return X, np.full(90, np.nan)
    if what == "infinite":
        X[3, 1] = np.inf
        return X, y
    if what == "target among the features":
        return np.column_stack([X, y]), y
    if what == "lengths":
        return X, y[:-1]
    if what == "few rows":
        return X[:12], y[:12]
    if what == "one row of a class":
        y = np.zeros(90, dtype=int)
        y[5] = 1
        return X, y
    if what == "empty":
        return np.empty((0, 4)), np.empty(0)
    if what == "no features":
        return np.empty((90, 0)), y
    assert what == "ragged"
    return [[1.0], [1.0, 2.0]] * 45, y


@pytest.mark.parametrize(
    "what",
    ["one class", "constant target", "no target value", "infinite", "target among the features",
     "lengths", "few rows", "one row of a class", "empty", "no features", "ragged"],
)  # fmt: skip
def test_data_that_cannot_be_learnt_from_is_refused_before_anything_is_sealed(what, home):
    store = MemoryStore()
    with pytest.raises((DataError, SpecError)) as error:
        tuned(X=broken_table(what)[0], y=broken_table(what)[1], storage=store)
    assert len(str(error.value)) > 20
    assert store.studies() == []


def test_columns_without_values_or_twice_the_same_do_not_stop_a_built_in_model():
    X, y = rows_of("two")
    frame = pd.DataFrame({"a": X[:, 0], "a2": X[:, 0], "none": np.nan, "same": 1.0})
    study = tuned("decision_tree", frame, y, budget=3)
    assert study.verdict is not None
    assert any("none" in note for note in study.spec.data["notes"])


def test_a_model_that_cannot_be_fitted_stops_the_study_with_its_reason():
    space = Space(constant=Int(0, 5, default=5))
    model = DummyClassifier(strategy="constant", constant=5)
    store = MemoryStore()
    with pytest.raises(StateError, match="control"):
        tuned(model, *rows_of(), space=space, metric="accuracy", storage=store)
    assert store.read("study")


def test_words_in_a_column_of_a_model_that_takes_numbers_say_what_to_put_before_it():
    X, y = rows_of("two")
    frame = pd.DataFrame(X).add_prefix("x").assign(city=np.where(X[:, 0] > 0, "Oslo", "Rome"))
    with pytest.raises(StateError, match=r"'(Oslo|Rome)'.*OrdinalEncoder.*built-in model"):
        tuned(TREE, frame, y)
    assert tuned("decision_tree", frame, y, budget=2).verdict is not None


def test_where_every_other_trial_failed_the_test_set_stays_closed():
    space = Space(constant=Int(0, 5, default=1))
    model = DummyClassifier(strategy="constant", constant=1)
    study = tuned(
        model, *rows_of(), space=space, metric="accuracy", given=[{"constant": 5}], budget=2
    )
    assert [trial.state for trial in study.trials] == ["done", "failed"]
    assert study.history.last(Sealed)
    assert not study.history.looks
    assert "The only other trial failed with: " in study.verdict.sentence
    assert "The test set stays closed: there is nothing to test on it." in study.verdict.sentence
    assert study.verdict.badge == "TEST SET NOT OPENED"
    assert study.verify() == []


def test_two_drivers_at_once_are_refused(tmp_path):
    path = str(tmp_path / "lab.db")
    tuned(storage=path, test=0, budget=3).close()
    with open_study(path) as one:
        one.store.acquire("study")
        program = (
            "import sys; from assay.stores.sqlite import SqliteStore\n"
            "SqliteStore(sys.argv[1]).acquire('study')"
        )
        import subprocess
        import sys

        tried = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=60
        )
        assert "StateError" in tried.stderr


def test_another_plan_or_other_data_on_the_same_study_is_refused():
    store = MemoryStore()
    X, y = rows_of()
    tuned(X=X, y=y, storage=store, test=0, budget=3)
    with pytest.raises(SpecError, match="metric"):
        tuned(X=X, y=y, storage=store, test=0, budget=3, metric="f1")
    X = X.copy()
    X[0, 0] += 1
    with pytest.raises(SpecError, match=r"another plan: the data\."):
        tuned(X=X, y=y, storage=store, test=0, budget=3)
