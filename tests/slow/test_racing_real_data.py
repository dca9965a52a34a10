"""T12: stopping cross-validation early is free (Bergman, Purucker and Hutter 2024, arXiv:2405.03389).

The figures on real data are those of `benchmarks.fidelity.racing`; the generated data are made here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.fidelity.racing import RULES, of_study, race
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

import assay
from assay import Evidence, Int, Space, Splits

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "benchmarks" / "results" / "racing.json").read_text("utf-8"))
QUICK = Evidence(repeats=1, seeds=1, top=1, rechecks=1, refits=1)


def test_racing_is_free_on_real_data():
    assert FOUND["data sets"] >= 6
    ours = FOUND["all"]["both (the default)"]
    assert ours["fits"][2] < 0.60
    assert abs(ours["lost"][0]) < 0.1
    assert ours["lost"][1] < 0 < ours["lost"][2]


def test_so_it_is_on_the_half_that_had_no_part_in_choosing_alpha():
    ours = FOUND["odd repetitions"]["both (the default)"]
    assert ours["fits"][2] < 0.60
    assert ours["lost"][1] < 0 < ours["lost"][2]


def test_a_rule_that_compares_with_the_mean_is_not():
    greedy = FOUND["all"]["stop when the mean is worse"]
    assert greedy["fits"][0] < 0.5
    assert greedy["lost"][1] > 0


def generated(repetition):
    """60 random trees on 150 rows, the default first: losses by fold, and on rows nobody saw."""
    X, y = make_classification(
        1150, 15, n_informative=5, flip_y=0.2, random_state=1000 + repetition
    )
    rng = np.random.default_rng(repetition)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=repetition).split(X[:150], y[:150]))
    by_fold, truth = [], []
    for number in range(60):
        depth, leaf, share = rng.integers(1, 20), rng.integers(1, 33), rng.uniform(0.1, 1)
        drawn = {"max_depth": depth, "min_samples_leaf": leaf, "max_features": share}
        tree = DecisionTreeClassifier(random_state=0, **(drawn if number else {}))
        by_fold.append([1 - tree.fit(X[a], y[a]).score(X[b], y[b]) for a, b in folds])
        truth.append(1 - tree.fit(X[:150], y[:150]).score(X[150:], y[150:]))
    return {"cv": by_fold, "truth": truth}


def test_racing_is_free_on_generated_data():
    found = [of_study(generated(repetition)) for repetition in range(12)]
    for rule in ("forgiving", "both (the default)"):
        assert np.mean([one[rule]["fits"] for one in found]) <= 0.65
        assert np.mean([one[rule]["lost"] for one in found]) < 0.5


def test_the_engine_decides_as_the_replay_does(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    X, y = load_breast_cancer(return_X_y=True)

    def searched(scheduler):
        return assay.tune(
            DecisionTreeClassifier(max_depth=5, random_state=0), X[:150], y[:150],
            space=Space(max_depth=Int(1, 12, default=5), min_samples_leaf=Int(1, 60, default=1)),
            splits=Splits.kfold(5), test=0, budget=25, sampler="random", evidence=QUICK,
            isolation="none", scheduler=scheduler, progress=False,
        )  # fmt: skip

    whole, raced = searched(None), searched("racing")
    sign = 1 if whole.spec.directions[whole.spec.objectives[0]] == "minimize" else -1
    by_fold = np.array([
        [sign * whole.history.units(t, "search")[0, fold, 0].value for fold in range(5)]
        for t in range(25)
    ])  # fmt: skip
    fits, winner = race(by_fold, RULES["both (the default)"])
    assert fits == sum(len(raced.history.units(t, "search")) for t in range(25))
    done = [trial.number for trial in raced.trials if trial.state == "done"]
    assert min(done, key=lambda t: (by_fold[t].mean(), t)) == winner
