"""Scales that bend: the formula, its slopes, and that a fit bends what was declared badly."""

from __future__ import annotations

import numpy as np
import pytest

from assay.math.bends import bend, bend_with_slopes
from assay.math.gp import Hyperparameters, Posterior
from assay.math.gp_fit import Density, bent_fit, fit, prior_start

OWNER = np.arange(2)
BOTH = np.arange(2)


def standard(targets):
    return (targets - targets.mean()) / targets.std()


def test_powers_of_one_change_nothing():
    x = np.random.default_rng(0).random((20, 3))
    assert np.allclose(bend(x, np.zeros((2, 3))), x)


@pytest.mark.parametrize("seed", range(3))
def test_it_rises_from_0_to_1(seed):
    powers = np.random.default_rng(seed).uniform(-0.7, 1.0, (2, 4))
    bent = bend(np.linspace(0, 1, 101)[:, None] * np.ones(4), powers)
    assert (np.diff(bent, axis=0) >= 0).all()
    assert np.allclose(bent[0], 0, atol=0.01)
    assert np.allclose(bent[-1], 1, atol=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_the_slopes(seed):
    rng = np.random.default_rng(seed)
    x, powers = rng.uniform(0.05, 0.95, (8, 3)), rng.normal(0, 0.7, (2, 3))
    bent = bend_with_slopes(x, powers)
    assert np.allclose(bent.value, bend(x, powers))

    def difference(dx, da, db):
        step = 1e-6
        more = bend(x + step * dx, powers + step * np.array([[da], [db]]))
        less = bend(x - step * dx, powers - step * np.array([[da], [db]]))
        return (more - less) / (2 * step)

    assert np.allclose(bent.by_x, difference(1, 0, 0), rtol=1e-5, atol=1e-7)
    assert np.allclose(bent.by_a, difference(0, 1, 0), rtol=1e-5, atol=1e-7)
    assert np.allclose(bent.by_b, difference(0, 0, 1), rtol=1e-5, atol=1e-7)


def test_the_edges_are_finite():
    bent = bend_with_slopes(np.array([[0.0], [1.0]]), np.log([[0.2], [5.0]]))
    assert all(np.isfinite(part).all() for part in bent)


def test_the_gradient_of_a_fit_with_bends_and_known_variances():
    rng = np.random.default_rng(0)
    rows = rng.random((20, 3))
    targets = standard(np.log(rows[:, 0] + 1e-3) + rows[:, 1])
    density = Density(rows, targets, np.arange(3), 3, rng.random(20), np.array([0, 2]))
    theta = rng.normal(0, 0.5, 8) - [0, 0, 0, 3, 0, 0, 0, 0]
    steps = 1e-6 * np.eye(8)
    numeric = [(density.of(theta + s)[0] - density.of(theta - s)[0]) / 2e-6 for s in steps]
    assert np.allclose(density.of(theta)[1], numeric, rtol=1e-4, atol=1e-5)


def test_the_gradient_of_predictions_on_bent_scales():
    rng = np.random.default_rng(1)
    rows, at = rng.random((15, 2)), rng.uniform(0.1, 0.9, (5, 2))
    hyper = Hyperparameters(np.array([0.4, 0.8]), 1e-3, rng.normal(0, 0.6, (2, 2)))
    process = Posterior(rows, standard(np.sin(4 * rows.sum(axis=1))), OWNER, hyper)
    *_, d_mean, d_variance = process.predict_with_gradient(at)
    for i in range(2):
        step = 1e-6 * np.eye(2)[i]
        more, less = process.predict(at + step), process.predict(at - step)
        assert np.allclose(d_mean[:, i], (more[0] - less[0]) / 2e-6, rtol=1e-4, atol=1e-5)
        assert np.allclose(d_variance[:, i], (more[1] - less[1]) / 2e-6, rtol=1e-4, atol=1e-5)


def test_a_bad_scale_is_bent_and_a_good_one_is_not():
    rng = np.random.default_rng(2)
    rows = rng.random((40, 2))

    def found(targets):
        straight = fit(rows, targets, OWNER, prior_start(2))
        return bent_fit(rows, targets, OWNER, straight, BOTH), straight

    noise = 0.1 * rng.normal(size=40)
    good, straight = found(standard(np.sin(4 * rows[:, 0]) + rows[:, 1] + noise))
    assert good is straight
    bad, _ = found(standard((np.log10(rows[:, 0] + 1e-4) + 2) ** 2 + 0.3 * rows[:, 1]))
    assert bad.bends is not None
    assert bad.bends[0, 0] < -0.5  # a small power: the low end is stretched
    again = fit(rows, standard(np.log(rows[:, 0])), OWNER, bad)
    assert again.bends is not None
