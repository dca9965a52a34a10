"""Whole studies of objectives whose truth is known: how often is a gain claimed that is not there?

A/A studies: no config differs from the defaults. A/B studies: configs are better by known amounts.
The interval is judged on the *chosen* challenger, so the search and the recheck are part of what is
tested. Figures go to results/aa_*.json; docs/evidence.md says what they mean.
"""

from __future__ import annotations

import faulthandler
import json
import math
from collections import Counter
from pathlib import Path
from time import process_time

import numpy as np
import pytest

import assay

pytestmark = pytest.mark.slow

STUDIES = 400
TRIALS = 20
SIZES = (0.0, 0.5, 1.0, 2.0)
"""True gain of the best config, in standard deviations of the noise."""
RESULTS = Path(__file__).with_name("results")
SPACE = assay.Space(x=assay.Float(0, 1, default=0))


def normal(rng, shared, truth):
    """Luck that a seed shares between configs, and luck of each config."""
    return truth + shared.normal() + rng.normal()


def skewed(rng, shared, truth):
    return truth + shared.normal() + (rng.lognormal(0, 0.75) - math.exp(0.75**2 / 2)) / 1.15


def uneven(rng, shared, truth):
    """Noise grows as configs leave the defaults."""
    return truth + (0.3 - truth) * rng.normal()


def coarse(rng, shared, truth):
    """The error rate on 30 rows: equal values are common."""
    return rng.binomial(30, 0.4 + 0.09 * truth) / 30 / 0.09


def quiet(rng, shared, truth, *, control):
    """The defaults have no noise at all; every other config has."""
    return truth + (0.0 if control else rng.normal())


KINDS = {
    "normal": normal,
    "skewed": skewed,
    "uneven": uneven,
    "coarse": coarse,
    "quiet": quiet,
    "adaptive": normal,
}
"""All search by Sobol, which no change of a model moves; "adaptive" with the default sampler."""
BETTER = ("BETTER", "BETTER_MAYBE_TOO_LITTLE")


def study_of(kind, size, number):
    """One study; minimised, so that the true gain of a config is size * x."""

    def objective(trial):
        own = np.random.default_rng([number, trial.seed, trial.number])
        shared = np.random.default_rng([number, trial.seed])
        options = {"control": trial.number == 0} if kind == "quiet" else {}
        return KINDS[kind](own, shared, -size * trial.config["x"], **options)

    return assay.optimize(
        objective,
        SPACE,
        budget=TRIALS,
        seed=number,
        sampler="auto" if kind == "adaptive" else "sobol",
        isolation="none",
        progress=False,
    )


def simulated(kind, size):
    """What so many studies said, beside the truth."""
    begun, claims, actions = process_time(), Counter(), Counter()
    covered, found, true, searched = [], [], [], []
    first = 10_000 * (1 + 10 * list(KINDS).index(kind) + SIZES.index(size))
    for number in range(first, first + STUDIES):
        study = study_of(kind, size, number)
        verdict, challenger = study.verdict, study.challenger
        claims[verdict.claim.name] += 1
        actions[verdict.action.name] += 1
        truth = size * challenger.config["x"]
        covered.append(verdict.gain.low <= truth <= verdict.gain.high)
        found.append(verdict.gain.estimate)
        true.append(truth)
        searched.append(study.trials[0].value - challenger.value)
    return {
        "kind": kind,
        "gain_of_the_best_config": size,
        "studies": STUDIES,
        "coverage": float(np.mean(covered)),
        "claimed_better": sum(claims[name] for name in BETTER) / STUDIES,
        "advised_to_use_the_tuned": actions["USE_TUNED"] / STUDIES,
        "advised_to_keep_the_defaults": actions["KEEP_DEFAULTS"] / STUDIES,
        "claimed": {name: count / STUDIES for name, count in sorted(claims.items())},
        "mean_true_gain_of_the_chosen": round(float(np.mean(true)), 4),
        "mean_gain_measured": round(float(np.mean(found)), 4),
        "mean_gain_seen_by_the_search": round(float(np.mean(searched)), 4),
        "cpu_seconds": round(process_time() - begun, 1),
    }


def keep(found):
    """Write the figures of one kind; tests in other processes write theirs."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"aa_{found[0]['kind']}.json").write_text(json.dumps(found, indent=1) + "\n")


@pytest.mark.parametrize("kind", KINDS)
def test_gains_are_claimed_where_there_are_some(kind):
    faulthandler.cancel_dump_traceback_later()  # minutes on a busy machine
    found = [simulated(kind, size) for size in SIZES]
    keep(found)
    none, *real = found
    assert none["claimed_better"] <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / STUDIES)
    assert none["advised_to_use_the_tuned"] <= 0.05
    assert none["advised_to_keep_the_defaults"] >= 0.95
    assert none["mean_gain_seen_by_the_search"] > 0.2  # what the search alone would have reported
    for one in found:
        assert 0.92 <= one["coverage"] <= 0.98, one
        assert abs(one["mean_gain_measured"] - one["mean_true_gain_of_the_chosen"]) < 0.1, one
    power = [one["claimed_better"] for one in real]
    assert power == sorted(power)
    assert power[-1] > 0.5
