"""Does the 95 % interval of the final gain hold the true gain in about 95 % of studies?

Simulated studies whose true gain is known. Every kind of data has noise of rows, of seeds, and of
rows within seeds. RESULTS.md holds the figures of the last run.
"""

import numpy as np
import pytest
from scipy.special import ndtr

from assay.math.auc import RankedScores
from assay.math.resampling import gain_from_losses, gain_from_statistic, gain_from_weighted
from assay.math.rows import Independent, grouped, ordered, stratified

pytestmark = pytest.mark.slow

REFITS = 5
STUDIES = 1000
DRAWS = 1000


def noise(rng, shape, size):
    return {
        "normal": lambda: rng.normal(size=size),
        "exponential": lambda: rng.exponential(size=size) - 1,
        "lognormal": lambda: np.exp(rng.normal(size=size)) - np.exp(0.5),
    }[shape]()


def mean_loss(rng, *, shape, rows, seeds, within, n=200):
    gains = 0.3 + seeds * rng.normal(size=(REFITS, 1))
    gains = gains + rows * noise(rng, shape, (1, n)) + within * rng.normal(size=(REFITS, n))
    selected = rng.exponential(size=(1, n)) + np.zeros((REFITS, 1))
    return gain_from_losses(selected + gains, selected, Independent(n), rng, draws=DRAWS), 0.3


def accuracy(rng, *, within, seeds, n=300):
    difficulty = 1.5 * rng.normal(size=(1, n))
    total = np.sqrt(1.5**2 + within**2 + seeds**2)

    def wrong(skill):
        margin = (
            skill + seeds * rng.normal(size=(REFITS, 1)) + within * rng.normal(size=(REFITS, n))
        )
        return (margin + difficulty < 0).astype(float)

    truth = ndtr(-1.0 / total) - ndtr(-1.25 / total)
    return gain_from_losses(wrong(1.0), wrong(1.25), Independent(n), rng, draws=DRAWS), truth


def auc(rng, *, positives, seeds, within=0.7, n=300):
    y = (np.arange(n) < positives * n).astype(int)
    common = 0.7 * rng.normal(size=(1, n))
    total = np.sqrt(2 * (0.7**2 + within**2) + seeds**2)

    def scores(skill):
        of_refit = skill + seeds * rng.normal(size=(REFITS, 1))
        return of_refit * y + common + within * rng.normal(size=(REFITS, n))

    truth = ndtr(1.3 / total) - ndtr(1.0 / total)

    def area(y, scores):
        return RankedScores(y, scores).auc

    arms = scores(1.0), scores(1.3)
    return gain_from_weighted(y, *arms, area, stratified(y), rng, draws=DRAWS), truth


def callable_statistic(rng, n=150):
    """The general path: a statistic given as a callable, on predictions (here minus the MSE)."""
    y = rng.normal(size=n)
    seeds = 0.1 * rng.normal(size=(2, REFITS, 1))
    common = 0.5 * rng.normal(size=n)
    far, near = (
        y + shift + common + error * rng.normal(size=(REFITS, n))
        for shift, error in zip(seeds, (0.6, 0.5), strict=True)
    )
    found = gain_from_statistic(
        y, far, near, lambda y, p: -np.mean((y - p) ** 2), Independent(n), rng, draws=300
    )
    return found, 0.6**2 - 0.5**2


def groups(rng, *, count, shape, n=400):
    of_row = np.concatenate([np.arange(count), rng.integers(count, size=n - count)])
    gains = 0.3 + 0.1 * rng.normal(size=(REFITS, 1)) + 0.5 * noise(rng, shape, count)[of_row]
    gains = gains + rng.normal(size=(REFITS, n))
    found = gain_from_losses(gains, np.zeros_like(gains), grouped(of_row), rng, draws=DRAWS)
    return found, 0.3


def time(rng, *, memory=0.0, horizon=1, n=300):
    shocks = rng.normal(size=n + 100)
    if horizon > 1:
        series = np.convolve(shocks, np.ones(horizon))[100 : -horizon + 1] / np.sqrt(horizon)
    else:
        series = shocks.copy()
        for i in range(1, n + 100):
            series[i] += memory * series[i - 1]
        series = series[100:]
    gains = 0.3 + 0.1 * rng.normal(size=(REFITS, 1)) + series + 0.5 * rng.normal(size=(REFITS, n))
    found = gain_from_losses(gains, np.zeros_like(gains), ordered(n, horizon), rng, draws=DRAWS)
    return found, 0.3


KINDS = {
    "losses, normal, rows only": lambda rng: mean_loss(
        rng, shape="normal", rows=1, seeds=0, within=0
    ),
    "losses, normal, rows and seeds": lambda rng: mean_loss(
        rng, shape="normal", rows=1, seeds=0.1, within=0.3
    ),
    "losses, normal, mostly seeds": lambda rng: mean_loss(
        rng, shape="normal", rows=0.3, seeds=0.3, within=1
    ),
    "losses, exponential": lambda rng: mean_loss(
        rng, shape="exponential", rows=1, seeds=0.05, within=0.3
    ),
    "losses, lognormal, rows only": lambda rng: mean_loss(
        rng, shape="lognormal", rows=1, seeds=0, within=0
    ),
    "losses, lognormal": lambda rng: mean_loss(
        rng, shape="lognormal", rows=1, seeds=0.1, within=0.3
    ),
    "accuracy, refits alike": lambda rng: accuracy(rng, within=0.1, seeds=0.0),
    "accuracy, refits differ": lambda rng: accuracy(rng, within=0.5, seeds=0.1),
    "AUC, balanced": lambda rng: auc(rng, positives=0.5, seeds=0.05),
    "AUC, 15 % positive": lambda rng: auc(rng, positives=0.15, seeds=0.1),
    "callable statistic": callable_statistic,
    "12 groups, normal": lambda rng: groups(rng, count=12, shape="normal"),
    "40 groups, exponential": lambda rng: groups(rng, count=40, shape="exponential"),
    "time, AR(0.5)": lambda rng: time(rng, memory=0.5),
    "time, horizon 6": lambda rng: time(rng, horizon=6),
}


def coverage(study, studies, seed):
    rng = np.random.default_rng(seed)
    held = 0
    for _ in range(studies):
        found, truth = study(rng)
        held += found.gain.low <= truth <= found.gain.high
    return held / studies


@pytest.mark.parametrize("kind", KINDS)
def test_the_interval_covers_the_true_gain(kind):
    assert 0.92 <= coverage(KINDS[kind], STUDIES, seed=17) <= 0.98


def whole_study(rng, population):
    """Search, refit, test: decision trees, 12 configs by 5-fold CV on 150 rows, 300 test rows."""
    from sklearn.model_selection import cross_val_score
    from sklearn.tree import DecisionTreeClassifier

    X, y = population
    drawn = rng.permutation(len(y))
    dev, test, future = drawn[:150], drawn[150:450], drawn[450:6450]

    def tree(config, seed):
        return DecisionTreeClassifier(random_state=int(seed), **config)

    configs = [
        {"max_depth": int(rng.integers(2, 12)), "min_samples_leaf": int(rng.integers(1, 20)),
         "max_features": float(rng.uniform(0.2, 1.0))}
        for _ in range(12)
    ]  # fmt: skip
    control = {"max_features": 0.5}
    cv = [cross_val_score(tree(c, 0), X[dev], y[dev], cv=5).mean() for c in configs]
    selected = configs[int(np.argmax(cv))]

    def losses(config, rows, refits):
        seeds = rng.integers(2**31, size=refits)
        fits = [tree(config, seed).fit(X[dev], y[dev]) for seed in seeds]
        return np.array([fit.predict(X[rows]) != y[rows] for fit in fits], dtype=float)

    found = gain_from_losses(
        losses(control, test, REFITS), losses(selected, test, REFITS), Independent(300), rng
    )
    truth = losses(control, future, 40).mean() - losses(selected, future, 40).mean()
    return found, truth


def test_the_interval_covers_the_true_gain_of_whole_studies():
    from sklearn.datasets import make_classification

    population = make_classification(20_000, 15, n_informative=6, flip_y=0.2, random_state=0)
    covered = coverage(lambda rng: whole_study(rng, population), 200, seed=17)
    assert 0.92 <= covered <= 0.98
