"""A/A studies on data of each kind: how often is a gain claimed where no config differs from the defaults?

A study is `assay.tune` on fresh rows, or on rows of a real table. Its model is a tree whose one parameter is a lottery ticket: it
changes the luck of the fit and nothing else, so every config is as good as the defaults. Figures go
to results/aa_data_*.json.
"""

from __future__ import annotations

import faulthandler
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from tests.slow.raw_rows import go_on
from tests.slow.real_data import data_set
from tests.slow.test_final_coverage import classes, classes_of_families, families, numbers, series

import assay

pytestmark = pytest.mark.slow

STUDIES = 400
TRIALS = 12
RESULTS = Path(__file__).with_name("results")
TICKETS = assay.Space(ticket=assay.Int(0, 10**6, default=0))


class _Lottery(BaseEstimator):
    def __init__(self, ticket=0, random_state=None):
        self.ticket = ticket
        self.random_state = random_state

    def _tree(self):
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        kind = (
            DecisionTreeClassifier if isinstance(self, ClassifierMixin) else DecisionTreeRegressor
        )
        luck = np.random.default_rng([self.ticket, self.random_state or 0]).integers(2**31)
        return kind(max_features=0.4, min_samples_leaf=4, random_state=int(luck))

    def fit(self, X, y):
        self.tree_ = self._tree().fit(X, y)
        if isinstance(self, ClassifierMixin):
            self.classes_ = self.tree_.classes_
        return self

    def predict(self, X):
        return self.tree_.predict(X)


class Chances(ClassifierMixin, _Lottery):
    def predict_proba(self, X):
        return self.tree_.predict_proba(X)


class Numbers(RegressorMixin, _Lottery):
    pass


def rows_of(table):
    """Some of its rows, none twice."""

    def draw(rng, n):
        data = data_set(table)
        rows = rng.choice(len(data.y), n, replace=False)
        return data.X[rows], data.y[rows]

    return draw


def men(rng, n, target=None):
    """Men of a panel, eight years of each; the target is their wage, or a column."""
    data = data_set("wages")
    chosen = rng.choice(len(np.unique(data.groups)), n // 8, replace=False)
    rows = np.concatenate([np.flatnonzero(data.groups == man) for man in chosen])
    if target is None:
        return data.X[rows], data.y[rows]
    kept = [c for c in data.columns if c != target]
    at = [data.columns.index(c) for c in kept]
    return data.X[rows][:, at], data.X[rows, data.columns.index(target)].astype(int)


def window_of(table):
    """So many rows that follow each other, from anywhere in the series."""

    def draw(rng, n):
        data = data_set(table)
        first = int(rng.integers(len(data.y) - n + 1))
        return data.X[first : first + n], data.y[first : first + n]

    return draw


@dataclass(frozen=True)
class Kind:
    """What a study is of; `unit` is how many rows of one unit follow each other where there are groups."""

    draw: Callable
    model: type
    rows: int
    metric: str
    of_rows: str | None = None
    unit: int = 10

    def known(self):
        if self.of_rows is None:
            return {}
        return {
            self.of_rows: np.arange(self.rows) // (self.unit if self.of_rows == "groups" else 1)
        }


KINDS = {
    "accuracy": Kind(classes, Chances, 300, "accuracy"),
    "roc_auc": Kind(classes, Chances, 300, "roc_auc"),
    "f1": Kind(classes, Chances, 300, "f1"),
    "rmse": Kind(numbers, Numbers, 300, "rmse"),
    "grouped_accuracy": Kind(classes_of_families, Chances, 500, "accuracy", "groups"),
    "grouped_roc_auc": Kind(classes_of_families, Chances, 500, "roc_auc", "groups"),
    "grouped_rmse": Kind(families, Numbers, 500, "rmse", "groups"),
    "time_rmse": Kind(series, Numbers, 400, "rmse", "time"),
    "time_mae": Kind(series, Numbers, 400, "mae", "time"),
    "phishing_roc_auc": Kind(rows_of("phishing"), Chances, 300, "roc_auc"),
    "meps_f1": Kind(rows_of("meps"), Chances, 300, "f1"),
    "wages_rmse": Kind(men, Numbers, 480, "rmse", "groups", unit=8),
    "unions_accuracy": Kind(
        partial(men, target="union"), Chances, 480, "accuracy", "groups", unit=8
    ),
    "waterflow_rmse": Kind(window_of("waterflow"), Numbers, 400, "rmse", "time"),
    "co2_mae": Kind(window_of("co2"), Numbers, 400, "mae", "time"),
}
"""The last six are of real tables, none of which had a part in the design."""
BETTER = ("BETTER", "BETTER_MAYBE_TOO_LITTLE")


def study_of(name, number, **how):
    kind = KINDS[name]
    X, y = kind.draw(np.random.default_rng([23, number, *map(ord, name)]), kind.rows)
    return assay.tune(
        kind.model(), X, y, metric=kind.metric, space=TICKETS, budget=TRIALS, sampler="random",
        smallest_gain=0.0, seed=number, isolation="none", progress=False, checks=False,
        **({"test": 0.3} | how), **kind.known(),
    )  # fmt: skip


def said(name, number, **how):
    """What one study of nothing said; it knows of no other, or rows that both have would be refused."""
    begun = process_time()
    with TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", home)
        study = study_of(name, number, **how)
    verdict, gain = study.verdict, study.verdict.gain
    return {
        "number": number,
        "claim": verdict.claim.name,
        "action": verdict.action.name,
        "shown": abs(study.trials[0].value - study.challenger.value),
        "gain": None if gain is None else [gain.low, gain.estimate, gain.high, gain.se],
        "cpu_s": process_time() - begun,
    }


def summary(name, lines):
    """The figures of so many studies."""
    held = [line["gain"] for line in lines if line["gain"] is not None]
    low, estimate, high, se = np.transpose(held) + 0.0
    share = {c: sum(line["claim"] == c for line in lines) / len(lines) for c in (*BETTER, "WORSE")}
    return {
        "kind": name,
        "studies": len(lines),
        "claimed_better": sum(share[claim] for claim in BETTER),
        "claimed_worse": share["WORSE"],
        "advised_to_use_the_tuned": sum(line["action"] == "USE_TUNED" for line in lines)
        / len(lines),
        "coverage": round(float(np.mean((low <= 0) & (high >= 0))), 4),
        "studies_with_an_interval": len(held),
        "spread_of_errors_over_standard_error": round(float(estimate.std() / se.mean()), 3),
        "mean_gain_seen_by_the_search": round(float(np.mean([line["shown"] for line in lines])), 4),
        "cpu_seconds": round(sum(line["cpu_s"] for line in lines), 1),
    }


def keep(found, name):
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"aa_data_{name}.json").write_text(json.dumps(found, indent=1) + "\n")


@pytest.mark.parametrize("name", KINDS)
def test_no_gain_is_claimed_where_there_is_none(name):
    faulthandler.cancel_dump_traceback_later()  # minutes on a busy machine
    found = summary(name, [said(name, number) for number in range(STUDIES)])
    keep(found, name)
    noise = 2 * math.sqrt(0.05 * 0.95 / STUDIES)
    assert found["claimed_better"] <= 0.05
    assert found["advised_to_use_the_tuned"] <= 0.05
    assert 0.95 - 2 * noise <= found["coverage"] <= 0.99
    assert (
        found["mean_gain_seen_by_the_search"] > 0.005
    )  # what the search alone would have reported


if __name__ == "__main__":  # KIND RAW.jsonl MOST [bbc | nested]: a part, to go on with later
    kind, place, most, *final = sys.argv[1:]
    how = {"test": None, "final": final[0]} if final else {}
    raw = Path(place)
    if (done := go_on(raw, int(most), STUDIES, partial(said, kind, **how))) is not None:
        keep(summary(kind, done), raw.stem)
