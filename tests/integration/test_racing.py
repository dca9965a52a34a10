"""Racing over folds in `tune`: cheaper, never unfair, and no row is judged by a model that saw it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

import assay
from assay import Budget, Choice, Evidence, Float, Int, Space, Splits
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


# --- leakage


class Witness(RegressorMixin, BaseEstimator):
    """Knows its training rows by their first column, and refuses to predict one of them."""

    fitted: list[frozenset[int]] = []  # noqa: RUF012 - one record for all that are fitted here
    predicted: list[tuple[frozenset[int], frozenset[int]]] = []  # noqa: RUF012

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y):
        self.rows_ = frozenset(np.asarray(X)[:, 0].astype(int).tolist())
        self.mean_ = float(np.mean(y))
        Witness.fitted.append(self.rows_)
        return self

    def predict(self, X):
        rows = frozenset(np.asarray(X)[:, 0].astype(int).tolist())
        Witness.predicted.append((self.rows_, rows))
        return np.full(len(X), self.mean_ + self.shift) + 0.01 * np.asarray(X)[:, 1]


SPLITS = {
    "kfold": (Splits.kfold(4), {}),
    "repeated": (Splits.repeated(3, 2), {}),
    "holdout": (Splits.holdout(0.3), {}),
    "grouped": (Splits.grouped(4), {"groups": np.arange(90) // 6}),
    "forward": (Splits.forward(4), {"time": np.arange(90)}),
}


@pytest.mark.parametrize("scheduler", [None, "racing"])
@pytest.mark.parametrize("kind", SPLITS)
def test_no_training_row_is_in_the_fold_that_judges(kind, scheduler):
    if kind == "holdout" and scheduler:
        return
    splits, told = SPLITS[kind]
    rng = np.random.default_rng(0)
    X = np.column_stack([np.arange(90), rng.normal(size=90)])
    y = rng.normal(size=90)
    Witness.fitted.clear()
    Witness.predicted.clear()
    study = assay.tune(
        Witness(), X, y, space=Space(shift=Float(-1, 1, default=0.0)), splits=splits, test=0.2,
        budget=12, sampler="random", evidence=QUICK, isolation="none", scheduler=scheduler,
        open_test=False, progress=False, **told,
    )  # fmt: skip
    assert not any(trial.state == "failed" for trial in study.trials)
    assert len(Witness.predicted) > 12
    sealed = frozenset(range(90)) - frozenset().union(*Witness.fitted)
    for trained, judged in Witness.predicted:
        if trained != judged:  # scores on the training rows themselves are reported as such
            assert not trained & judged
            assert not judged & sealed or kind in ("holdout", "forward")
        if "groups" in told and trained != judged:
            assert not {row // 6 for row in trained} & {row // 6 for row in judged}
        if "time" in told and trained != judged:
            assert max(trained) < min(judged)
    # the folds that judge are the same for every trial
    search = [judged for trained, judged in Witness.predicted if trained != judged]
    assert len(set(search)) < len(search)
    held_out = study.spec.data["seal"]["rows"]
    assert held_out >= 15
    seen = frozenset().union(*Witness.fitted, *(judged for _, judged in Witness.predicted))
    assert len(seen) <= 90 - held_out
