"""The Gaussian process: formulas against brute force, gradients against differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assay.math.gp import (
    Hyperparameters,
    Posterior,
    SingularError,
    inverse,
    matern,
    squared_distances,
)
from assay.math.gp_fit import Density, fit, prior_start
from assay.math.lbfgs import minimise

OWNER = np.array([0, 1, 2, 2, 2])
HYPER = Hyperparameters(np.array([0.4, 1.3, 0.9]), 0.02)


def data(n=14, seed=0):
    rng = np.random.default_rng(seed)
    rows = np.hstack([rng.random((n, 2)), np.eye(3)[rng.integers(3, size=n)] * math.sqrt(0.5)])
    targets = np.sin(5 * rows[:, 0]) + rows[:, 1] ** 2 + rows[:, 2] + 0.1 * rng.normal(size=n)
    return rows, (targets - targets.mean()) / targets.std()


def process(n=14, hyper=HYPER):
    rows, targets = data(n)
    return Posterior(rows, targets, OWNER, hyper)


def kernel(a, b, lengths):
    """Matern-5/2 written out pair by pair."""
    out = np.empty((len(a), len(b)))
    for i, x in enumerate(a):
        for j, z in enumerate(b):
            r = math.sqrt(
                5 * sum(((p - q) / lengths[o]) ** 2 for p, q, o in zip(x, z, OWNER, strict=True))
            )
            out[i, j] = (1 + r + r**2 / 3) * math.exp(-r)
    return out


def differences(function, x, step=1e-6):
    return np.array(
        [(function(x + step * e) - function(x - step * e)) / (2 * step) for e in np.eye(len(x))]
    )


# --- the process


def test_correlations_are_the_kernel():
    posterior, (rows, _) = process(), data()
    assert np.allclose(posterior.correlations(rows[:4]), kernel(rows[:4], rows, HYPER.lengths))


def test_matern_falls_from_one_to_nothing():
    values = matern(np.linspace(0, 400, 200))
    assert values[0] == 1
    assert (np.diff(values) < 0).all()
    assert values[-1] < 1e-15


def test_squared_distances_are_never_negative():
    a = 1e3 + np.random.default_rng(0).random((30, 4)) * 1e-7
    assert squared_distances(a, a).min() >= 0


def test_predictions_are_those_of_the_joint_normal():
    (rows, targets), (new, _) = data(), data(5, seed=9)
    k = kernel(rows, rows, HYPER.lengths) + HYPER.noise * np.eye(len(rows))
    cross = kernel(new, rows, HYPER.lengths)
    ones = np.ones(len(rows))
    mean = ones @ np.linalg.solve(k, targets) / (ones @ np.linalg.solve(k, ones) + 1)
    posterior = process()
    means, variances = posterior.predict(new)
    assert posterior.mean == pytest.approx(mean)
    assert np.allclose(means, mean + cross @ np.linalg.solve(k, targets - mean))
    assert np.allclose(variances, 1 - np.diag(cross @ np.linalg.solve(k, cross.T)))


def test_gradients_of_predictions():
    posterior, (new, _) = process(), data(4, seed=9)
    mean, variance, d_mean, d_variance = posterior.predict_with_gradient(new)
    assert np.allclose((mean, variance), posterior.predict(new))
    for i, row in enumerate(new):
        by_hand = differences(lambda x: float(posterior.predict(x[None])[0][0]), row)
        assert np.allclose(d_mean[i], by_hand, atol=1e-6)
        by_hand = differences(lambda x: float(posterior.predict(x[None])[1][0]), row)
        assert np.allclose(d_variance[i], by_hand, atol=1e-6)


def test_the_gradient_is_finite_on_top_of_the_data():
    posterior, (rows, _) = process(), data()
    assert all(np.isfinite(part).all() for part in posterior.predict_with_gradient(rows))


def test_fitted_is_the_prediction_at_the_data():
    posterior, (rows, _) = process(), data()
    assert np.allclose(posterior.fitted(), posterior.predict(rows)[0])


def test_left_out_is_what_the_others_predict():
    rows, targets = data()
    posterior = process()
    means, variances = posterior.left_out()
    k = kernel(rows, rows, HYPER.lengths) + HYPER.noise * np.eye(len(rows))
    for i in range(len(rows)):
        rest = np.delete(np.arange(len(rows)), i)
        solved = np.linalg.solve(k[np.ix_(rest, rest)], k[rest, i])
        mean = posterior.mean + solved @ (targets[rest] - posterior.mean)
        assert means[i] == pytest.approx(mean)
        assert variances[i] == pytest.approx(k[i, i] - solved @ k[rest, i])


def test_repeated_rows_without_noise_are_borne():
    rows = np.repeat(data(4)[0], 5, axis=0)
    posterior = Posterior(rows, np.tile([0.0, 1.0], 10), OWNER, Hyperparameters(np.ones(3), 0.0))
    assert posterior.noise > 0
    assert np.isfinite(posterior.predict(rows)[0]).all()


def test_what_cannot_be_inverted_is_said():
    with pytest.raises(SingularError):
        inverse(-np.eye(3))
    with pytest.raises(SingularError):
        inverse(np.full((3, 3), np.nan))
    with pytest.raises(SingularError):
        Posterior(np.full((3, 5), np.nan), np.zeros(3), OWNER, HYPER)


def test_the_inverse_and_its_determinant():
    root = np.random.default_rng(1).normal(size=(6, 6))
    matrix = root @ root.T + np.eye(6)
    kept = matrix.copy()
    found = inverse(matrix)
    assert np.allclose(found.matrix @ matrix, np.eye(6))
    assert 2 * found.half_log_det == pytest.approx(np.linalg.slogdet(matrix)[1])
    assert np.array_equal(matrix, kept)


# --- the fit


@pytest.mark.parametrize("seed", range(4))
def test_the_gradient_of_the_fit(seed):
    rows, targets = data(20, seed)
    theta = np.random.default_rng(seed).normal(0, 0.7, 4) - [0, 0, 0, 3]

    def value(at):
        return Density(rows, targets, OWNER, 3).of(at)[0]

    _, gradient = Density(rows, targets, OWNER, 3).of(theta)
    assert np.allclose(gradient, differences(value, theta, 1e-5), rtol=1e-6, atol=1e-6)


def test_the_value_of_the_fit_is_the_log_density():
    """By the marginal of t when the mean is N(0, 1), at its profile, and the written-out priors."""
    rows, targets = data(8)
    theta = np.log([0.5, 1.0, 2.0, 0.05])
    k = kernel(rows, rows, np.exp(theta[:3])) + 0.05 * np.eye(8)

    def joint(mean):
        rest = targets - mean
        return 0.5 * rest @ np.linalg.solve(k, rest) + 0.5 * mean**2

    best = min(joint(mean) for mean in np.linspace(-2, 2, 4001))
    z = (theta[:3] - (math.sqrt(2) + 0.5 * math.log(3))) / math.sqrt(3)
    prior = 0.5 * z @ z + theta[:3].sum() + 0.5 * (theta[3] + 4) ** 2
    expected = best + 0.5 * np.linalg.slogdet(k)[1] + prior
    assert Density(rows, targets, OWNER, 3).of(theta)[0] == pytest.approx(expected, abs=1e-5)


def test_a_fit_goes_down_and_tells_what_matters():
    rng = np.random.default_rng(3)
    rows = rng.random((60, 3))
    targets = np.sin(6 * rows[:, 0])
    targets = (targets - targets.mean()) / targets.std()
    owner = np.arange(3)
    start = prior_start(3)
    found = fit(rows, targets, owner, start)

    def value(hyper):
        theta = np.append(np.log(hyper.lengths), math.log(hyper.noise))
        return Density(rows, targets, owner, len(theta) - 1).of(theta)[0]

    assert value(found) < value(start)
    assert found.lengths[0] < 1 < min(found.lengths[1:])
    assert found.noise < 1e-3
    again = fit(rows, targets, owner, found)
    assert value(again) > value(found) - 0.5


def test_noise_is_found():
    rng = np.random.default_rng(4)
    rows = rng.random((120, 1))
    targets = np.sin(6 * rows[:, 0]) + 0.5 * rng.normal(size=120)
    sd = targets.std()
    found = fit(rows, (targets - targets.mean()) / sd, np.array([0]), prior_start(1))
    assert 0.5 < found.noise * sd**2 / 0.25 < 1.6


def test_a_fit_to_constant_targets_ends():
    rows, _ = data(10)
    found = fit(rows, np.zeros(10), OWNER, prior_start(3))
    assert np.isfinite(found.lengths).all()


# --- the search below it


def rosenbrock(x, _which):
    a, b = x[:, 0], x[:, 1]
    value = (1 - a) ** 2 + 10 * (b - a * a) ** 2
    gradient = np.stack([-2 * (1 - a) - 40 * a * (b - a * a), 20 * (b - a * a)], axis=1)
    return value, gradient


def test_minimise_finds_the_bottom_from_all_starts():
    start = np.random.default_rng(0).uniform(-2, 2, (8, 2))
    x, value = minimise(
        rosenbrock, start, lower=-2.0, upper=2.0, iterations=200, tolerance=1e-6, small=0.0
    )
    assert (np.abs(x - 1).max(axis=1) < 1e-2).sum() >= 6
    assert np.allclose(value, rosenbrock(x, None)[0])


def test_minimise_never_goes_up_or_out():
    start = np.random.default_rng(1).uniform(0, 0.5, (6, 2))
    x, value = minimise(rosenbrock, start, lower=0.0, upper=0.5)
    assert (value <= rosenbrock(start, None)[0]).all()
    assert x.min() >= 0
    assert x.max() <= 0.5
    assert np.allclose(x[:, 0], 0.5, atol=1e-3)  # the bottom of the box is on its edge


def test_minimise_does_each_start_as_if_alone():
    start = np.random.default_rng(2).uniform(-2, 2, (5, 2))
    together = minimise(rosenbrock, start, lower=-2.0, upper=2.0)[0]
    alone = [minimise(rosenbrock, s[None], lower=-2.0, upper=2.0)[0][0] for s in start]
    assert np.allclose(together, alone, atol=1e-9)


def test_minimise_leaves_flat_functions_and_constants_alone():
    start = np.array([[0.2, 0.4]])
    x, value = minimise(
        lambda x, _: (np.ones(len(x)), np.zeros_like(x)), start, lower=0.0, upper=1.0
    )
    assert np.array_equal(x, start)
    assert value.tolist() == [1.0]
