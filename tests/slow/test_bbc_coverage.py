"""T17 without a test set: does the interval of `final="bbc"` hold the true gain in 95 % of whole studies?

The studies of test_final_coverage.py, with all their rows searched. The verdict speaks of the procedure, so the truth is the
gain of the config that the study chose over the defaults when both are fitted on fresh rows, as many as the study had: the mean
of twenty such fits, on 20,000 further rows. Beside it stand the gain of models fitted on the study's own rows, and what the
interval would hold if it were as narrow as a mean over all rows has it. Figures go to results/bbc_*.json.
"""

from __future__ import annotations

import faulthandler
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import pytest
from tests.slow.raw_rows import go_on
from tests.slow.test_final_coverage import (
    FUTURE,
    KINDS,
    RESULTS,
    STUDIES,
    TRIALS,
    TRUE_FITS,
    fitted,
    score,
)

import assay
from assay.core.events import Estimated

pytestmark = pytest.mark.slow

FRESH = 20
NARROWER = (0.368 / 0.632) ** 0.5
"""A mean over the 36.8 % of rows that are left out of a draw scatters 1.31 times as much as one over all."""

NAMES = ("tree_accuracy", "tree_roc_auc", "ridge_rmse", "grouped_tree_accuracy")


def line_of(name, number, future):
    """What one study said, beside the truth; its gain is None where nothing was estimated."""
    begun = process_time()
    kind = KINDS[name]
    X, y = kind.draw(np.random.default_rng([37, number, *map(ord, name)]), kind.rows)
    with TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", home)
        study = assay.tune(
            kind.model(), X, y, metric=kind.metric, space=kind.space, budget=TRIALS, final="bbc",
            seed=number, isolation="none", progress=False, checks=False, **kind.known(len(y)),
        )  # fmt: skip
    estimated = study.history.last(Estimated)
    configs = (study.trials[0].config, study.challenger.config)

    def gain_on(rows, seed):
        control, chosen = (score(kind, fitted(kind, one, seed, *rows), *future) for one in configs)
        return float(chosen - control)

    fresh = (kind.draw(np.random.default_rng([43, number, n]), kind.rows) for n in range(FRESH))
    gain = estimated and [
        estimated.results["gain"][key] for key in ("low", "estimate", "high", "se")
    ]
    return {
        "number": number,
        "truth": float(np.mean([gain_on(rows, seed) for seed, rows in enumerate(fresh)])),
        "own": float(np.mean([gain_on((X, y), seed) for seed in range(TRUE_FITS)])),
        "gain": gain,
        "claim": study.verdict.claim.name,
        "cpu_s": process_time() - begun,
    }


def future_of(name):
    return KINDS[name].draw(np.random.default_rng([41, *map(ord, name)]), FUTURE)


def summary(name, lines):
    held = [line for line in lines if line["gain"] is not None]
    low, estimate, high, se = np.transpose([line["gain"] for line in held])
    truth, own = (np.array([line[key] for line in held]) for key in ("truth", "own"))
    narrow = [estimate + NARROWER * (end - estimate) for end in (low, high)]
    better = [line["claim"].startswith("BETTER") for line in lines]
    return {
        "kind": name,
        "rows": KINDS[name].rows,
        "studies": len(lines),
        "studies_with_an_interval": len(held),
        "coverage": round(float(np.mean((low <= truth) & (truth <= high))), 4),
        "coverage_if_narrower": round(
            float(np.mean((narrow[0] <= truth) & (truth <= narrow[1]))), 4
        ),
        "coverage_of_the_gain_on_its_own_rows": round(
            float(np.mean((low <= own) & (own <= high))), 4
        ),
        "truth_below_the_interval": round(float(np.mean(truth < low)), 4),
        "truth_above_the_interval": round(float(np.mean(truth > high)), 4),
        "mean_true_gain": round(float(truth.mean()), 4),
        "mean_gain_estimated": round(float(estimate.mean()), 4),
        "spread_of_errors_over_standard_error": round(
            float((estimate - truth).std() / se.mean()), 3
        ),
        "mean_width": round(float((high - low).mean()), 4),
        "claimed_better": float(np.mean(better)),
        "cpu_seconds": round(sum(line["cpu_s"] for line in lines), 1),
    }


def kept(name, lines):
    found = summary(name, lines)
    (RESULTS / f"bbc_{name}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_intervals_of_bbc_cover_the_true_gain(name):
    faulthandler.cancel_dump_traceback_later()  # minutes on a busy machine
    future = future_of(name)
    found = kept(name, [line_of(name, number, future) for number in range(STUDIES)])
    # what 200 draws of 95 % stay above in 999 of 1,000 simulations; that it is too wide for some is known
    assert found["coverage"] >= 0.895, found


if __name__ == "__main__":  # KIND RAW.jsonl MOST: so many further studies, to go on with later
    wanted, raw, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    ahead = future_of(wanted)
    if (done := go_on(raw, most, STUDIES, lambda n: line_of(wanted, n, ahead))) is not None:
        kept(wanted, done)
