"""Would another interval of a gain in rmse hold better where errors have a long tail, and is randhie such a table?

T17 asks for 95 % over studies, each with one test set. Here the models of a study stay as they are and 40 test sets of
90 rows are drawn for it, so that 50 studies tell the coverage of their intervals to a point. Beside the package's
percentiles stand the intervals that were tried instead. Figures go to results/skewed_rmse.json.
"""

from __future__ import annotations

import faulthandler
import json
import sys
from functools import partial
from math import sqrt
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np
import pytest
from scipy.special import stdtrit
from sklearn.tree import DecisionTreeRegressor
from tests.slow.raw_rows import go_on
from tests.slow.test_final_coverage import FUTURE, fitted, study_of
from tests.slow.test_final_real_data import KINDS as REAL

from assay.analysis.final import DRAWS, signed
from assay.evaluation.splits import hold_out
from assay.learners.aggregates import AGGREGATES
from assay.math.refits import Measured
from assay.math.resampling import gain_from_weighted
from assay.math.rows import Independent

pytestmark = pytest.mark.slow

STUDIES, TEST_SETS, ROWS, REFITS, TRUE_FITS = 50, 40, 90, 5, 10
RESULTS = Path(__file__).with_name("results") / "skewed_rmse.json"
TRIED = ("percentile", "t", "Johnson", "Hall", "studentised", "symmetric")


# --- studies: a function that fits each config with a seed, and the rows from which test sets are drawn


def generated(noise, number):
    """A tree with single rows in its leaves, and one with twelve, on 210 rows."""
    rng = np.random.default_rng([43, number, *map(ord, noise)])
    (X, y), rest = (with_noise(noise, rng, n) for n in (210, FUTURE))

    def fit(arm, seed):
        leaf = (1, 12)[arm]
        return DecisionTreeRegressor(
            max_features=0.8, min_samples_leaf=leaf, random_state=seed
        ).fit(X, y)

    return fit, rest


def with_noise(noise, rng, n):
    X = rng.normal(size=(n, 10))
    signal = X[:, 0] + 0.5 * X[:, 1] + np.maximum(X[:, 2], 0)
    if noise == "counts":
        return X, np.log1p(rng.negative_binomial(0.6, 1 / (1 + np.exp(0.5 * signal) / 0.6)))
    errors = {
        "normal": lambda: rng.normal(size=n),
        "lognormal": lambda: np.exp(rng.normal(size=n)),
        "t3": lambda: rng.standard_t(3, size=n),
        "rare": lambda: rng.normal(size=n) + 8 * (rng.random(n) < 0.03),
    }[noise]()
    return X, signal + errors


def of_real_studies(name, number):
    """The configs and the development rows of a study of test_final_real_data.py."""
    kind = REAL[name]
    (X, y), rest = kind.draw(np.random.default_rng([29, number, *map(ord, name)]), kind.rows)
    with TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", home)
        study = study_of(kind, X, y, number)
    dev, _ = hold_out(0.3, n=len(y), y=None, seed=number)
    configs = study.trials[0].config, study.challenger.config
    return lambda arm, seed: fitted(kind, configs[arm], seed, X[dev], y[dev]), rest


KINDS = {
    **{noise: partial(generated, noise) for noise in ("normal", "counts", "rare", "lognormal", "t3")},
    "randhie": partial(of_real_studies, "randhie_tree_rmse"),
}  # fmt: skip


# --- intervals


def tried(y, control, selected, rng):
    """The two ends of each interval for the rmse of the control less that of the selected config."""
    rows, rmse = Independent(len(y)), partial(signed, -1.0, AGGREGATES["rmse"])
    found = gain_from_weighted(y, control, selected, rmse, rows, rng, draws=DRAWS).gain
    squares = (np.concatenate([control, selected]) - y) ** 2
    point, variance, of_row = by_delta(squares, np.ones((1, len(y))))
    drawn, variances, _ = by_delta(squares, rows.draw(rng, DRAWS))
    total = gain_of(point[0], drawn)
    estimate, n, of_seeds = total.estimate, len(y), total.seeds_noise(rng, DRAWS)
    se = sqrt(variance[0] * n / (n - 1) + total.seeds_variance)
    quantile = float(stdtrit(n - 1, 0.975))
    around = sqrt(variance[0]) * total.deviations / np.sqrt(variances) + of_seeds
    skew = float((of_row**3).mean() / (of_row**2).mean() ** 1.5)
    shift = se * skew * (1 + 2 * quantile**2) / (6 * sqrt(n))
    low, high = np.quantile(around, [0.025, 0.975])
    widest = float(np.quantile(np.abs(around), 0.95))
    return {
        "percentile": (found.low, found.high),
        "t": (estimate - quantile * se, estimate + quantile * se),
        "Johnson": (estimate + shift - quantile * se, estimate + shift + quantile * se),
        "Hall": tuple(estimate - se * hall(q, skew, n) for q in (quantile, -quantile)),
        "studentised": (estimate - high, estimate - low),
        "symmetric": (estimate - widest, estimate + widest),
    }


def gain_of(point, drawn):
    """What the package makes of the rmse of each refit, on the rows as they are and on resamples of them."""
    control, selected = (
        Measured(point[arm], drawn[:, arm]) for arm in (slice(REFITS), slice(REFITS, None))
    )
    return control.minus(selected)


def by_delta(squares, counts):
    """The rmse of each refit under counts of rows, the variance of the gain by the delta method, and each row's part
    in the gain of the first."""
    n = squares.shape[1]
    means = counts @ squares.T / n
    roots = np.sqrt(means)
    weights = np.repeat([1.0, -1.0], REFITS) / REFITS / (2 * roots)
    pairs = counts @ (squares[:, None] * squares[None]).reshape(-1, n).T / n
    spread = pairs.reshape(-1, 2 * REFITS, 2 * REFITS) - means[:, :, None] * means[:, None]
    variance = np.einsum("di,dij,dj->d", weights, spread, weights) / n
    return roots, variance, weights[0] @ (squares - means[0][:, None])


def hall(quantile, skew, n):
    """Student's quantile where the mean is skewed: the cubic of Hall 1992 (JRSS B 54, 221-228), turned round."""
    if abs(skew) < 1e-9:
        return quantile
    at = quantile / sqrt(n) - skew / (6 * n)
    return sqrt(n) * (np.cbrt(1 + skew * at) - 1) / (skew / 3)


def line_of(name, number):
    """Of one study, for each interval: the shares of test sets with the truth in it, below and above, and its widths."""
    begun = process_time()
    fit, (X, y) = KINDS[name](number)
    seeds = range(TRUE_FITS + REFITS)
    predictions = np.array([[fit(arm, seed).predict(X) for seed in seeds] for arm in (0, 1)])
    rmse = np.sqrt(((predictions[:, :TRUE_FITS] - y) ** 2).mean(axis=2)).mean(axis=1)
    truth = float(rmse[0] - rmse[1])
    rng = np.random.default_rng([47, number])
    ends = {one: [] for one in TRIED}
    for _ in range(TEST_SETS):
        rows = rng.choice(len(y), ROWS, replace=False)
        for one, found in tried(y[rows], *predictions[:, TRUE_FITS:, rows], rng).items():
            ends[one].append(found)
    said = {}
    for one, found in ends.items():
        low, high = np.transpose(found)
        said[one] = {
            "below": float(np.mean(truth < low)),
            "above": float(np.mean(truth > high)),
            "widths": list(high - low),
        }
    return {"truth": truth, "cpu_s": process_time() - begun, "intervals": said}


def summary(lines):
    widths = {
        one: np.concatenate([line["intervals"][one]["widths"] for line in lines]) for one in TRIED
    }
    found = {}
    for one in TRIED:
        below, above = (
            np.array([line["intervals"][one][side] for line in lines])
            for side in ("below", "above")
        )
        held = 1 - below - above
        found[one] = {
            "coverage": round(float(held.mean()), 4),
            "standard_error": round(float(held.std(ddof=1) / sqrt(len(held))), 4),
            "truth_below": round(float(below.mean()), 4),
            "truth_above": round(float(above.mean()), 4),
            "mean_width": round(float(widths[one].mean() / widths["percentile"].mean()), 3),
            "median_width": round(float(np.median(widths[one] / widths["percentile"])), 3),
        }
    return {
        "studies": len(lines),
        "test_sets_of_each": TEST_SETS,
        "mean_true_gain": round(float(np.mean([line["truth"] for line in lines])), 4),
        "cpu_seconds": round(sum(line["cpu_s"] for line in lines), 1),
        "intervals": found,
    }  # fmt: skip


def kept(name, lines):
    every = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    every[name] = summary(lines)
    ordered = {one: every[one] for one in KINDS if one in every}
    RESULTS.write_text(json.dumps(ordered, indent=1) + "\n", "utf-8")
    return every[name]["intervals"]


@pytest.mark.parametrize("name", KINDS)
def test_intervals_of_rmse_over_many_test_sets(name):
    faulthandler.cancel_dump_traceback_later()  # minutes on a busy machine
    found = kept(name, [line_of(name, number) for number in range(STUDIES)])
    # Squares of a lognormal or of t with three degrees of freedom have no variance worth the name.
    least = 0.85 if name in ("lognormal", "t3") else 0.92
    assert least <= found["percentile"]["coverage"] <= 0.98


if __name__ == "__main__":  # KIND RAW.jsonl MOST: so many further studies, to go on with later
    wanted, raw, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if (done := go_on(raw, most, STUDIES, partial(line_of, wanted))) is not None:
        kept(wanted, done)
