"""Log expected improvement against quadrature, its tails and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from assay.math.acquisition import log_ei, log_ei_with_gradient, log_h


@pytest.mark.parametrize(
    ("mean", "sd", "best"), [(0.0, 1.0, 0.0), (1.3, 0.4, 0.2), (-2.0, 0.1, 1.0), (0.5, 2.0, -6.0)]
)
def test_it_is_the_log_of_the_expected_improvement(mean, sd, best):
    def integrand(y):
        return (best - y) * norm.pdf(y, mean, sd)

    expected, _ = quad(integrand, mean - 12 * sd, best, epsabs=0, epsrel=1e-10)
    found = log_ei(np.array([mean]), np.array([sd**2]), best)
    assert np.exp(found[0]) == pytest.approx(expected, rel=1e-7)


def test_far_out_it_follows_the_series():
    """h(z) = phi(z) / z^2 (1 - 3/z^2 + 15/z^4 - ...)."""
    z = -np.logspace(1.5, 8, 60)
    series = (
        -0.5 * z**2 - 0.5 * np.log(2 * np.pi) - 2 * np.log(-z) + np.log1p(-3 / z**2 + 15 / z**4)
    )
    assert np.allclose(log_h(z), series, rtol=1e-9, atol=1e-7)


def test_high_up_it_is_the_improvement_itself():
    assert np.allclose(log_h(np.array([10.0, 1e6])), np.log([10.0, 1e6]))


@pytest.mark.parametrize("seam", [-1.0, -1e4])
def test_the_ranges_meet(seam):
    below, above = log_h(np.array([np.nextafter(seam, -np.inf), np.nextafter(seam, np.inf)]))
    assert above == pytest.approx(below, rel=1e-9)


@given(st.floats(-1e7, 1e7), st.floats(1e-6, 1e3))
def test_it_rises_with_z(z, step):
    low, high = log_h(np.array([z, z + step]))
    assert np.isfinite([low, high]).all()
    assert high >= low - 1e-9 * abs(low)


@pytest.mark.parametrize("best", [0.0, -3.0, -40.0, 5.0, -1e5])
def test_the_gradient(best):
    """With the mean and variance of a made-up model: x and 0.3 + x^2."""

    def value(x):
        return float(log_ei(np.array([x]), np.array([0.3 + x * x]), best)[0])

    x, step = 0.4, 1e-5
    found, gradient = log_ei_with_gradient(
        np.array([x]), np.array([0.3 + x * x]), np.array([[1.0]]), np.array([[2 * x]]), best
    )
    assert found[0] == pytest.approx(value(x))
    by_hand = (value(x + step) - value(x - step)) / (2 * step)
    assert gradient[0, 0] == pytest.approx(by_hand, rel=1e-4)


def test_more_variance_and_a_lower_mean_are_better():
    assert log_ei(np.array([1.0]), np.array([2.0]), 0.0) > log_ei(
        np.array([1.0]), np.array([1.0]), 0.0
    )
    assert log_ei(np.array([0.5]), np.array([1.0]), 0.0) > log_ei(
        np.array([1.0]), np.array([1.0]), 0.0
    )
