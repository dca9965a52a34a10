"""Published findings about tuning that the statistics of a study must reproduce.

RESULTS.md holds the figures of the last run.
"""

import numpy as np
import pytest

from assay.analysis.verdict import Claim, claim
from assay.math.intervals import corrected_paired, paired_t
from assay.math.resampling import gain_from_losses
from assay.math.rows import Independent
from assay.math.selection_luck import effective_looks, luck_line
from assay.math.significance import mcnemar_exact

pytestmark = pytest.mark.slow


def significant(control, selected):
    return mcnemar_exact(int((selected > control).sum()), int((control > selected).sum())) < 0.05


def equal_configs(repetition):
    """60 'configs' that differ by their seed alone, and what each way of comparing makes of them."""
    from sklearn.datasets import make_classification
    from sklearn.tree import DecisionTreeClassifier

    X, y = make_classification(
        2150, 15, n_informative=5, flip_y=0.2, random_state=1000 + repetition
    )
    train, valid, test = np.split(np.arange(2150), [100, 150])

    def losses(seed, rows, train=train):
        fit = DecisionTreeClassifier(max_features=0.5, random_state=seed).fit(X[train], y[train])
        return (fit.predict(X[rows]) != y[rows]).astype(float)

    searched = np.array([losses(seed, valid) for seed in range(60)])
    values = 1 - searched.mean(axis=1)
    winner = int(values.argmax())
    control, selected = (
        np.array([losses(seed, test) for seed in range(first, first + 10)]) for first in (100, 200)
    )
    rng = np.random.default_rng(repetition)
    splits = [np.split(rng.permutation(150), [120]) for _ in range(10)]
    recheck = corrected_paired(
        [
            losses(300 + i, v, t).mean() - losses(400 + i, v, t).mean()
            for i, (t, v) in enumerate(splits)
        ],
        test_train_ratio=30 / 120,
    )
    final = gain_from_losses(control, selected, Independent(2000), rng).gain
    return {
        "apparent": values[winner] - values[0],
        "true": control[0].mean() - selected[0].mean(),
        "mcnemar on validation": significant(searched[0], searched[winner]),
        "mcnemar on test": significant(control[0], selected[0]),
        "ten seeds": not final.low <= 0 <= final.high,
        "guard passed": recheck.estimate > recheck.se,
        "verdict BETTER": recheck.estimate > recheck.se and claim(final, 0.005) is Claim.BETTER,
        "record": values.max() - values.mean(),
        "luck line": luck_line(values.std(ddof=1), effective_looks(searched.T)),
    }


@pytest.fixture(scope="module")
def equals():
    found = [equal_configs(repetition) for repetition in range(60)]
    return {name: np.mean([one[name] for one in found]) for name in found[0]}


def test_a_test_of_two_fits_is_no_test_of_two_configs(equals):
    """T5; Bouthillier et al. 2021, arXiv:2103.03098."""
    assert equals["apparent"] > 0.08
    assert abs(equals["true"]) < 0.02
    assert equals["mcnemar on validation"] > 0.2
    assert equals["mcnemar on test"] > 0.3
    assert equals["ten seeds"] <= 0.10
    assert equals["verdict BETTER"] == 0


def test_the_luck_line_predicts_the_record(equals):
    """T6."""
    assert 0.85 < equals["luck line"] / equals["record"] < 1.15


def folds_of_two_equal_learners(rng):
    """Accuracy differences of two LDAs on equally informative, disjoint features; 3 x 10 folds."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import RepeatedStratifiedKFold

    y = np.arange(150) % 2
    X = rng.normal(size=(150, 10)) + 0.4 * y[:, None]
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=3, random_state=int(rng.integers(2**31)))

    def scores(columns):
        return np.array([
            LinearDiscriminantAnalysis()
            .fit(X[train][:, columns], y[train])
            .score(X[valid][:, columns], y[valid])
            for train, valid in folds.split(X, y)
        ])  # fmt: skip

    return scores(slice(5)) - scores(slice(5, 10))


def false_alarms(datasets=150):
    rng = np.random.default_rng(7)
    found = [folds_of_two_equal_learners(rng) for _ in range(datasets)]
    naive = [paired_t(d) for d in found]
    corrected = [corrected_paired(d, test_train_ratio=1 / 9) for d in found]
    return [float(np.mean([not i.low <= 0 <= i.high for i in kind])) for kind in (naive, corrected)]


def test_the_paired_t_test_on_folds_needs_its_correction():
    """T7; Nadeau and Bengio 2003, Machine Learning 52, 239-281."""
    naive, corrected = false_alarms()
    assert naive > 0.15
    assert corrected <= 0.08
