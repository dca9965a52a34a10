"""Why the corrected paired t still raises too many false alarms on some tables (T7), and on which.

The correction takes the correlation of fold scores to be that of rows drawn by chance: n2/n1 = 1/9 for ten folds.
Scores of folds also share the luck of their training rows, which are nearly the same rows. Where two samples of a
table make models of different worth (an unstable learner), this is most of the noise and no fold shows it.

For two equal learners on rows of their own, for many samples of a table: the false alarms, the ratio that the
correction should have used (from how the mean difference really scatters), the ratio that the scatter of true
accuracies predicts (from rows in no sample), and the alarms of a plain paired t when every fold is trained on rows
of its own. Figures: results/fold_correlation.json.
"""

from __future__ import annotations

import faulthandler
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.slow.real_data import data_set

from assay.math.intervals import corrected_paired, paired_t

pytestmark = pytest.mark.slow

RESULTS = Path(__file__).parent / "results" / "fold_correlation.json"
SAMPLES, HALF, FOLDS, REPEATS, FUTURE = 100, 75, 10, 3, 1000
UNITS = FOLDS * REPEATS
FOUND_ON = ("bananas", "solar", "yeast", "phishing", "anes96", "fair")
"""The tables on which the cause was looked for; the others are there to confirm it."""
CONFIRMED_ON = ("mroz", "meps", "wages_union")
LEARNERS = ("linear", "bayes")


def learner(name):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.naive_bayes import GaussianNB

    if name == "linear":
        return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)
    return GaussianNB()


class Table:
    """The two commonest classes of a table, drawn from with equal shares."""

    def __init__(self, name, learner_name):
        data = data_set(name)
        self.rng = np.random.default_rng([7, *map(ord, name + learner_name)])
        self.X = data.X / (data.X.std(axis=0) + 1e-12)
        y = np.unique(data.y, return_inverse=True)[1]
        self.classes = [
            np.flatnonzero(y == label) for label in np.argsort(np.bincount(y))[::-1][:2]
        ]
        self.learner = learner_name

    def draw(self, half):
        """Rows and labels, so many of each class; drawn with replacement, so that all samples are alike."""
        rows = np.concatenate([self.rng.choice(one, half) for one in self.classes])
        return self.X[rows], np.repeat([0, 1], half)

    def right(self, X, y, X_new, y_new):
        return float((learner(self.learner).fit(X, y).predict(X_new) == y_new).mean())


def folds(y, rng):
    from sklearn.model_selection import RepeatedStratifiedKFold

    splits = RepeatedStratifiedKFold(
        n_splits=FOLDS, n_repeats=REPEATS, random_state=int(rng.integers(2**31))
    )
    return list(splits.split(y, y))


def one_sample(table):
    """Fold scores of a learner on one sample, on folds with training rows of their own, and in truth."""
    X, y = table.draw(HALF)
    splits = folds(y, np.random.default_rng(table.rng.integers(2**31)))
    shared = [table.right(X[t], y[t], X[v], y[v]) for t, v in splits]
    kept = (HALF * 9) // 10
    own = [table.right(*table.draw(kept), X[v], y[v]) for _, v in splits[:FOLDS]]
    truth = table.right(X, y, *table.draw(FUTURE // 2))
    return shared, own, truth


def alarms(intervals):
    return float(np.mean([not i.low <= 0 <= i.high for i in intervals]))


def measured(table_name, learner_name, samples=SAMPLES):
    table = Table(table_name, learner_name)
    drawn = [[one_sample(table) for _ in range(2)] for _ in range(samples)]
    pairs = [[np.subtract(a[i], b[i]) for i in range(3)] for a, b in drawn]
    shared, own = (np.array([p[i] for p in pairs]) for i in range(2))
    shared, own = (d[np.ptp(d, axis=1) > 0] for d in (shared, own))
    of_folds = float(shared.var(axis=1, ddof=1).mean())
    accuracy = float(np.mean([one[2] for pair in drawn for one in pair]))
    # true accuracies scatter between samples by the rows they were trained on; the rest is the FUTURE rows
    unlike = float(np.mean([p[2] ** 2 for p in pairs]))
    instability = max(unlike - 2 * accuracy * (1 - accuracy) / FUTURE, 0.0)
    rows = 2 * accuracy * (1 - accuracy) / (2 * HALF)
    return {
        "accuracy": round(accuracy, 3),
        "comparisons": len(shared),
        "naive t": alarms([paired_t(d) for d in shared]),
        "corrected t": alarms([corrected_paired(d, test_train_ratio=1 / (FOLDS - 1)) for d in shared]),
        "plain t, training rows of their own": alarms([paired_t(d) for d in own]),
        "ratio found": round(float((shared.mean(axis=1) ** 2).mean()) / of_folds - 1 / UNITS, 3),
        "ratio predicted": round((rows + instability) / of_folds - 1 / UNITS, 3),
        "true accuracies scatter by": round(float(np.sqrt(instability / 2)), 4),
    }  # fmt: skip


def all_measured(known, keys):
    for table, kind in keys:
        if f"{table}, {kind}" not in known:
            known[f"{table}, {kind}"] = measured(table, kind)
            RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return known


KEYS = [(table, kind) for table in (*FOUND_ON, *CONFIRMED_ON) for kind in LEARNERS]


@pytest.fixture(scope="module")
def found():
    faulthandler.cancel_dump_traceback_later()  # minutes on a busy machine
    return all_measured({}, KEYS)


def of(found, tables):
    return [one for key, one in found.items() if key.split(", ")[0] in tables]


@pytest.mark.parametrize("tables", [FOUND_ON, CONFIRMED_ON])
def test_the_training_rows_that_folds_share_make_the_alarms(found, tables):
    """With training rows of their own a plain t keeps its 5 %; with shared ones it does not."""
    own = np.mean([one["plain t, training rows of their own"] for one in of(found, tables)])
    naive = np.mean([one["naive t"] for one in of(found, tables)])
    assert own <= 0.08
    assert naive > 0.15


@pytest.mark.parametrize("tables", [FOUND_ON, CONFIRMED_ON])
def test_the_correction_is_too_small_where_true_accuracies_scatter(found, tables):
    """Alarms above 10 % come only where the ratio that those accuracies predict exceeds the correction's."""
    for key, one in found.items():
        if key.split(", ")[0] in tables and one["corrected t"] > 0.1:
            assert one["ratio predicted"] > 1 / (FOLDS - 1), key


if __name__ == "__main__":  # [FROM TO]: some of the keys, to go on with later
    first, last = map(int, sys.argv[1:] or (0, len(KEYS)))
    all_measured(
        json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}, KEYS[first:last]
    )
