"""Racing over folds in `tune`: cheaper, and never unfair. What judges a row: test_leakage.py."""

from __future__ import annotations

import pytest
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

import assay
from assay import Budget, Choice, Evidence, Int, Space, Splits
from assay.core.errors import SpecError
from assay.core.events import Measured, Stopped, Told

QUICK = Evidence(repeats=1, seeds=1, top=1, rechecks=2, refits=1)
TREE = Space(
    max_depth=Int(1, 12, default=5),
    min_samples_leaf=Int(1, 60, log=True, default=1),
    criterion=Choice(["gini", "entropy"], default="gini"),
)


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """No study of these tests has to do with rows that were sealed before."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))


def iris(scheduler, **options):
    X, y = load_iris(return_X_y=True)
    settings = {"budget": 25, "sampler": "random", "evidence": QUICK, "isolation": "none"}
    return assay.tune(
        DecisionTreeClassifier(max_depth=5, random_state=0), X, y, space=TREE, splits=Splits.kfold(5), test=0,
        scheduler=scheduler, progress=False, **(settings | options),
    )  # fmt: skip


def log_of(study, *kinds):
    return [event for event in study.store.read(study.name) if isinstance(event, kinds)]


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_bad_trials_are_not_evaluated_on_all_folds(isolation):
    study = iris("racing", isolation=isolation)
    whole = iris(None)
    stopped = log_of(study, Stopped)
    assert stopped
    fits = [e for e in log_of(study, Measured) if e.stage == "search"]
    assert len(fits) < 25 * 5
    for cut in stopped:
        trial = study.trials[cut.trial]
        assert (trial.state, trial.value) == ("stopped", None)
        assert 1 <= cut.step == len(study.history.units(cut.trial, "search")) < 5
        assert trial.number not in {effect.trial for effect in study.effects()}
    for told in log_of(study, Told):
        assert len(study.history.units(told.trial, "search")) == 5
    # what was evaluated in full has the value that it has without racing, on the same folds
    for trial in study.trials:
        if trial.state == "done":
            assert trial.value == whole.trials[trial.number].value
    assert study.best.state == "done"
    assert study.verify() == []


def test_a_budget_of_fits_counts_the_folds_that_were_evaluated():
    study = iris("racing", budget=Budget(looks=120))
    fits = [e for e in log_of(study, Measured) if e.stage == "search"]
    assert len(fits) <= 120
    assert study.history.n_trials > 120 / 5


def test_what_does_not_suit_folds_is_refused():
    with pytest.raises(SpecError, match="where a trial is measured fold by fold"):
        iris("asha")
    X, y = load_iris(return_X_y=True)
    with pytest.raises(SpecError, match="One fold cannot be cut short"):
        assay.tune(
            DecisionTreeClassifier(),
            X,
            y,
            splits=Splits.holdout(),
            scheduler="racing",
            progress=False,
        )
