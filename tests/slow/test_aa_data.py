"""A/A studies on data of each kind: how often is a gain claimed where no config differs from the defaults?

A study is `assay.tune` on fresh rows. Its model is a tree whose one parameter is a lottery ticket: it
changes the luck of the fit and nothing else, so every config is as good as the defaults. Figures go
to results/aa_data_*.json.
"""

from __future__ import annotations

import faulthandler
import json
import math
import sys
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
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


KINDS = {
    "accuracy": (classes, Chances, 300, None),
    "roc_auc": (classes, Chances, 300, None),
    "f1": (classes, Chances, 300, None),
    "rmse": (numbers, Numbers, 300, None),
    "grouped_accuracy": (classes_of_families, Chances, 500, "groups"),
    "grouped_roc_auc": (classes_of_families, Chances, 500, "groups"),
    "grouped_rmse": (families, Numbers, 500, "groups"),
    "time_rmse": (series, Numbers, 400, "time"),
    "time_mae": (series, Numbers, 400, "time"),
}
BETTER = ("BETTER", "BETTER_MAYBE_TOO_LITTLE")


def known(of_rows, n):
    return {of_rows: np.arange(n) // (10 if of_rows == "groups" else 1)} if of_rows else {}


def study_of(name, number, **how):
    draw, model, n, of_rows = KINDS[name]
    X, y = draw(np.random.default_rng([23, number, *map(ord, name)]), n)
    return assay.tune(
        model(), X, y, metric=name.removeprefix("grouped_").removeprefix("time_"), space=TICKETS,
        budget=TRIALS, sampler="random", smallest_gain=0.0, seed=number, isolation="none",
        progress=False, checks=False, **({"test": 0.3} | how), **known(of_rows, n),
    )  # fmt: skip


def said(name, number, **how):
    """What one study of nothing said."""
    begun = process_time()
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


def go_on(name, raw, most, **how):
    """At most so many further studies, one line each; the summary is kept when all are there."""
    lines = [json.loads(line) for line in raw.read_text().splitlines()] if raw.exists() else []
    with raw.open("a") as file:
        for number in range(len(lines), min(len(lines) + most, STUDIES)):
            lines.append(said(name, number, **how))
            file.write(json.dumps(lines[-1]) + "\n")
            file.flush()
    if len(lines) == STUDIES:
        keep(summary(name, lines), raw.stem)


@pytest.mark.parametrize("name", KINDS)
def test_no_gain_is_claimed_where_there_is_none(name, tmp_path, monkeypatch):
    faulthandler.cancel_dump_traceback_later()  # minutes on a busy machine
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    found = summary(name, [said(name, number) for number in range(STUDIES)])
    keep(found, name)
    noise = 2 * math.sqrt(0.05 * 0.95 / STUDIES)
    assert found["claimed_better"] <= 0.05
    assert found["advised_to_use_the_tuned"] <= 0.05
    assert 0.95 - 2 * noise <= found["coverage"] <= 0.99
    assert (
        found["mean_gain_seen_by_the_search"] > 0.005
    )  # what the search alone would have reported


if (
    __name__ == "__main__"
):  # KIND RAW.jsonl MOST [bbc | nested]: a part of the studies, to go on with later
    kind, raw, most, *final = sys.argv[1:]
    go_on(kind, Path(raw), int(most), **({"test": None, "final": final[0]} if final else {}))
