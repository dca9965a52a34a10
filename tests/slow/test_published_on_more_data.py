"""T5, T6 and T7 on real tables, none of them used when the rules were designed. Figures: results/more_published.json."""

from __future__ import annotations

import faulthandler
import json
from pathlib import Path

import numpy as np
import pytest
from tests.slow.real_data import data_set

from assay.analysis.verdict import Claim, claim
from assay.math.intervals import corrected_paired, paired_t
from assay.math.resampling import gain_from_losses
from assay.math.rows import Independent
from assay.math.selection_luck import effective_looks, luck_line
from assay.math.significance import mcnemar_exact

pytestmark = pytest.mark.slow

RESULTS = Path(__file__).parent / "results" / "more_published.json"
DATA = ("bananas", "phishing", "segments", "yeast", "anes96", "fair", "solar")
REPETITIONS = 30
TRAIN, VALID, TEST, CONFIGS, FITS = 100, 50, 600, 60, 10


def significant(control, selected):
    return mcnemar_exact(int((selected > control).sum()), int((control > selected).sum())) < 0.05


def luck_by_simulation(losses, rng, draws=2000):
    """How far above their mean the best of equal trials is expected, from losses (rows, trials) and normal noise.

    Draws from a normal distribution with the covariance that the rows show, without a number of looks.
    Source: Gaussian multipliers; Chernozhukov, Chetverikov and Kato 2013 (Annals of Statistics 41, 2786-2819).
    """
    rows = len(losses)
    apart = losses - losses.mean(axis=1, keepdims=True)
    apart -= apart.mean(axis=0)
    drawn = rng.normal(size=(draws, rows)) @ apart / np.sqrt(rows * (rows - 1))
    return float((drawn.max(axis=1) - drawn.mean(axis=1)).mean())


def equal_configs(data, repetition):
    """60 'configs' that differ by their seed alone, on rows of this table, and what is made of them."""
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng([5, repetition, *map(ord, data.name)])
    drawn = rng.permutation(len(data.y))
    train, valid, test = np.split(drawn[: TRAIN + VALID + TEST], [TRAIN, TRAIN + VALID])
    X, y = data.X, data.y

    def losses(seed, rows, train=train):
        fit = DecisionTreeClassifier(max_features=0.5, random_state=seed).fit(X[train], y[train])
        return (fit.predict(X[rows]) != y[rows]).astype(float)

    searched = np.array([losses(seed, valid) for seed in range(CONFIGS)])
    values = 1 - searched.mean(axis=1)
    winner = int(values.argmax())
    control, selected = (
        np.array([losses(seed, test) for seed in range(first, first + FITS)])
        for first in (100, 200)
    )
    dev = np.concatenate([train, valid])
    splits = [np.split(rng.permutation(dev), [120]) for _ in range(10)]
    fresh = [
        losses(300 + i, v, t).mean() - losses(400 + i, v, t).mean()
        for i, (t, v) in enumerate(splits)
    ]
    recheck = corrected_paired(fresh, test_train_ratio=30 / 120)
    final = gain_from_losses(control, selected, Independent(len(test)), rng).gain
    passed = recheck.estimate > recheck.se
    return {
        "apparent": values[winner] - values[0],
        "true": control.mean() - selected.mean(),
        "mcnemar on test": significant(control[0], selected[0]),
        "ten seeds": not final.low <= 0 <= final.high,
        "verdict BETTER": passed and claim(final, 0.005) is Claim.BETTER,
        "record": values.max() - values.mean(),
        "luck line": luck_line(values.std(ddof=1), effective_looks(searched.T)),
        "luck by simulation": luck_by_simulation(
            searched.T, np.random.default_rng([6, repetition])
        ),
    }


def equal_learners(data, rng):
    """Accuracy differences, 3 x 10 folds, of two equal learners on equally informative, disjoint features.

    A row's features are those of one row of the table beside those of another of its class, so that
    the two halves are copies in distribution, and independent given the class.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import RepeatedStratifiedKFold

    major, minor = np.argsort(np.bincount(data.y))[::-1][:2]
    rows = [rng.choice(np.flatnonzero(data.y == label), size=150) for label in (major, minor)]
    A, B = (
        np.concatenate([half[:75] for half in rows]),
        np.concatenate([half[75:] for half in rows]),
    )
    y = np.repeat([0, 1], 75)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=3, random_state=int(rng.integers(2**31)))
    scale = data.X.std(axis=0) + 1e-12

    def scores(rows):
        X = data.X[rows] / scale
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)
        return np.array([model.fit(X[t], y[t]).score(X[v], y[v]) for t, v in folds.split(X, y)])

    return scores(A) - scores(B)


def false_alarms(data, repetitions=100):
    rng = np.random.default_rng([7, *map(ord, data.name)])
    found = [d for d in (equal_learners(data, rng) for _ in range(repetitions)) if np.ptp(d) > 0]
    naive = [paired_t(d) for d in found]
    corrected = [corrected_paired(d, test_train_ratio=1 / 9) for d in found]
    if not found:  # both learners were always right
        return {"comparisons": 0}
    wrong = [
        float(np.mean([not i.low <= 0 <= i.high for i in kind])) for kind in (naive, corrected)
    ]
    return {"naive t": wrong[0], "corrected t": wrong[1], "comparisons": len(found)}


def measured(name):
    data = data_set(name)
    runs = [equal_configs(data, repetition) for repetition in range(REPETITIONS)]
    means = {key: round(float(np.mean([one[key] for one in runs])), 4) for key in runs[0]}
    return means | false_alarms(data)


def all_measured(known):
    """Every data set that is not known yet, kept one by one."""
    for name in DATA:
        if name not in known:
            known[name] = measured(name)
            RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return known


@pytest.fixture(scope="module")
def found():
    faulthandler.cancel_dump_traceback_later()  # minutes on a busy machine
    return all_measured({})


def mean(found, key):
    return float(np.mean([one[key] for one in found.values() if key in one]))


def test_a_test_of_two_fits_is_no_test_of_two_configs(found):
    """T5."""
    assert mean(found, "apparent") > 0.04
    assert abs(mean(found, "true")) < 0.01
    assert mean(found, "mcnemar on test") > 0.2
    assert mean(found, "ten seeds") <= 0.10
    assert mean(found, "verdict BETTER") <= 0.025


def test_the_luck_line_predicts_the_record(found):
    """T6: within 15 % over all data sets, and within 25 % on each."""
    assert 0.85 < mean(found, "luck line") / mean(found, "record") < 1.15
    for name, one in found.items():
        assert 0.75 < one["luck line"] / one["record"] < 1.25, name


def test_luck_simulated_from_the_rows_predicts_the_record(found):
    """T6 without a number of looks, with the same limits: the noise of the rows is that of the values."""
    assert 0.85 < mean(found, "luck by simulation") / mean(found, "record") < 1.15
    for name, one in found.items():
        assert 0.75 < one["luck by simulation"] / one["record"] < 1.25, name


def test_the_paired_t_test_on_folds_needs_its_correction(found):
    """T7."""
    assert mean(found, "naive t") > 0.15
    assert mean(found, "corrected t") <= 0.08


if __name__ == "__main__":
    all_measured(json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {})
