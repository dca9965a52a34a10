"""Whole studies of objectives whose truth is known: how often is a gain claimed that is not there?

A/A studies: no config differs from the defaults. A/B studies: configs are better by known amounts.
The interval is judged on the *chosen* challenger, so the search and the recheck are part of what is
tested. Figures go to results/aa_studies.json; docs/evidence.md says what they mean.
"""

from __future__ import annotations

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
RESULTS = Path(__file__).with_name("results") / "aa_studies.json"
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


def rare(rng, shared, truth):
    """Hardly any noise, but one evaluation in ten goes wrong."""
    return truth + 0.02 * rng.normal() + 3.3 * (rng.random() < 0.1)


def mostly_fixed(rng, shared, truth):
    """No noise in nine evaluations of ten."""
    return truth + 3.3 * (rng.random() < 0.1)


KINDS = {
    "normal": normal,
    "skewed": skewed,
    "uneven": uneven,
    "coarse": coarse,
    "quiet": quiet,
    "rare": rare,
    "mostly_fixed": mostly_fixed,
}
BETTER = ("BETTER", "BETTER_MAYBE_TOO_LITTLE")


def study_of(kind, size, number):
    """One study; minimised, so that the true gain of a config is size * x."""

    def objective(trial):
        rng = np.random.default_rng([number, trial.seed, trial.number])
        shared = np.random.default_rng([number, trial.seed])
        options = {"control": trial.number == 0} if kind == "quiet" else {}
        return KINDS[kind](rng, shared, -size * trial.config["x"], **options)

    return assay.optimize(
        objective, SPACE, budget=TRIALS, seed=number, isolation="none", progress=False
    )


def simulated(kind, size, studies=STUDIES):
    """What so many studies said, beside the truth."""
    begun, claims, actions = process_time(), Counter(), Counter()
    covered, found, true, searched, exact = [], [], [], [], 0
    for number in range(studies):
        study = study_of(kind, size, number)
        verdict, challenger = study.verdict, study.challenger
        claims[verdict.claim.name] += 1
        actions[verdict.action.name] += 1
        exact += study.selected_rule == "best" if hasattr(study, "selected_rule") else 0
        if verdict.gain is None:
            continue
        truth = size * challenger.config["x"]
        covered.append(verdict.gain.low <= truth <= verdict.gain.high)
        found.append(verdict.gain.estimate)
        true.append(truth)
        searched.append(study.trials[0].value - challenger.value)
    return {
        "studies": studies,
        "gain_of_the_best_config": size,
        "claimed_better": sum(claims[name] for name in BETTER) / studies,
        "advised_to_use_tuned": actions["USE_TUNED"] / studies,
        "cannot_tell": claims["CANNOT_TELL"] / studies,
        "worse": claims["WORSE"] / studies,
        "intervals": len(covered),
        "coverage": float(np.mean(covered)),
        "mean_true_gain_of_the_chosen": float(np.mean(true)),
        "mean_gain_measured": float(np.mean(found)),
        "mean_gain_seen_by_the_search": float(np.mean(searched)),
        "cpu_seconds": round(process_time() - begun, 1),
    }
