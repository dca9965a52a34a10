"""Shares with a known truth: PED-ANOVA, Sobol's indices, and functions drawn from a process."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.math.gp import Hyperparameters, Posterior
from assay.math.gp_paths import Paths
from assay.math.ped_anova import best_of, explained, kernels, shares
from assay.math.sobol_indices import indices
from assay.samplers.sobol import Sobol


def cube(n, dims, seed=0):
    return np.array([Sobol(seed).point(index, dims) for index in range(n)])


def one_share(x, losses, *, ordered=True, top=0.1, **more):
    found = shares(x[:, None], [ordered], losses, np.random.default_rng(0), top=top, **more)
    return found[0]


# --- PED-ANOVA


def test_what_alone_decides_explains_nearly_all_and_what_does_not_next_to_nothing():
    x = np.random.default_rng(1).random((400, 2))
    decides, idle = shares(x, [True, True], x[:, 0], np.random.default_rng(0))
    assert decides.value > 0.8
    assert idle.value < 0.03
    assert idle.low == 0.0


def test_the_share_is_the_pearson_divergence_of_the_paper():
    # two equal values, 15 of 20 best ones at the first: D = sum q (p/q - 1)^2 = 0.25
    x = np.repeat([0.25, 0.75], 50)
    best = np.zeros((1, 100))
    best[0, :15] = best[0, 50:55] = 1
    cells = kernels(x, best[0] > 0, ordered=False)
    raw = explained(cells, best, np.ones((1, 100))).raw[0]
    g = 0.2
    assert raw == pytest.approx(g**2 * 0.25 / (g * (1 - g)))


def test_a_condition_weighs_by_the_share_of_the_trials_that_meet_it():
    # within the half that has the parameter all is decided by it; g = 1/4
    x = np.concatenate([np.repeat([0.25, 0.75], 50), np.full(100, np.nan)])
    best = np.zeros((1, 200))
    best[0, :50] = 1
    cells = kernels(x, best[0] > 0, ordered=False)
    found = explained(cells, best, np.ones((1, 200)))
    alpha, beta, g, divergence = 1.0, 0.5, 0.25, 1.0
    assert found.raw[0] == pytest.approx(alpha**2 / beta * divergence * g / (1 - g))
    assert found.adjusted[0] == pytest.approx(found.raw[0], rel=0.02)


def test_by_chance_nothing_is_explained_on_average():
    rng = np.random.default_rng(2)
    x, category = rng.random(60), rng.integers(0, 5, 60) / 5
    best = np.zeros((500, 60))
    for row in best:
        row[rng.choice(60, 6, replace=False)] = 1
    some = np.where(np.arange(60) < 30, x, np.nan)
    first = best[0] > 0
    for column, ordered in ((x, True), (some, True), (category, False)):
        cells = kernels(column, first, ordered=ordered)
        found = explained(cells, best, np.ones((500, 60)))
        assert found.raw.mean() > 0.03
        assert abs(found.adjusted.mean()) < 0.01


def test_a_category_needs_no_order():
    rng = np.random.default_rng(3)
    kind = rng.integers(0, 4, 200)
    losses = np.where(kind == 2, 0.0, 1.0) + 0.1 * rng.random(200)
    renamed = np.array([3, 0, 1, 2])[kind]
    first, second = (one_share(k / 4, losses, ordered=False) for k in (kind, renamed))
    assert first == pytest.approx(second)
    assert first.low > 0.1


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.exp, np.cbrt, lambda y: 5 * y - 3]))
def test_only_the_order_of_losses_and_of_values_counts(seed, bend):
    rng = np.random.default_rng(seed)
    x, losses = rng.random(40), rng.normal(size=40)
    plain = one_share(x, losses, draws=20)
    assert one_share(x, bend(losses), draws=20) == plain
    assert one_share(bend(x), losses, draws=20) == plain
    assert 0 <= plain.low <= plain.value <= plain.high <= 1


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    # a third of the truth is noise: y = x + N(0, 1/2), whose best tenth x explains to 8.5 %
    rng = np.random.default_rng(4)
    idle = decides = 0
    for _ in range(40):
        x = rng.random((100, 2))
        found = shares(x, [True, True], x[:, 0] + rng.normal(0, 0.5, 100), rng, draws=100)
        decides += found[0].low <= 0.085 <= found[0].high
        idle += found[1].low == 0.0
    assert decides >= 34
    assert idle >= 37


def test_equal_losses_are_among_the_best_together():
    losses = np.array([0.0] * 8 + [1.0] * 12)
    assert best_of(losses, np.ones((1, 20)), 0.1).sum() == 8


def test_a_parameter_that_no_trial_has_explains_nothing():
    nowhere = one_share(np.full(30, np.nan), np.arange(30.0))
    assert nowhere == (0.0, 0.0, 0.0)


def test_a_value_for_each_trial_explains_nothing():
    assert one_share(np.arange(30) / 30, np.arange(30.0), ordered=False).value == 0.0


# --- Sobol's indices


def ishigami(x):
    x = (2 * x - 1) * np.pi
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def g_function(x):
    a = np.array([0.0, 1.0, 4.5, 9.0])
    return np.prod((np.abs(4 * x - 2) + a) / (1 + a), axis=1)


def g_truth():
    v = 1 / (3 * (1 + np.array([0.0, 1.0, 4.5, 9.0])) ** 2)
    whole = np.prod(1 + v) - 1
    return v / whole, v * np.prod(1 + v) / (1 + v) / whole


@pytest.mark.parametrize(
    ("function", "alone", "total"),
    [
        (ishigami, [0.314, 0.442, 0.0], [0.558, 0.442, 0.244]),
        (g_function, *g_truth()),
    ],
)
def test_the_indices_of_known_functions(function, alone, total):
    points = cube(2048, 2 * len(alone))
    found = indices(lambda x: function(x)[:, None], *np.hsplit(points, 2))
    assert found.alone[:, 0] == pytest.approx(alone, abs=0.02)
    assert found.total[:, 0] == pytest.approx(total, abs=0.02)


# --- functions drawn from a process


def test_drawn_functions_have_the_mean_and_variance_of_the_process():
    rng = np.random.default_rng(5)
    rows = rng.random((12, 2))
    process = Posterior(
        rows, np.sin(6 * rows[:, 0]), np.array([0, 1]), Hyperparameters(np.array([0.4, 0.8]), 0.05)
    )
    at = rng.random((20, 2))
    drawn = Paths(process, 4000, rng).values(at)
    mean, variance = process.predict(at)
    assert drawn[:, 0] == pytest.approx(mean)
    assert drawn[:, 1:].mean(axis=1) == pytest.approx(mean, abs=0.05)
    assert drawn[:, 1:].std(axis=1) == pytest.approx(np.sqrt(variance), rel=0.25, abs=0.02)
