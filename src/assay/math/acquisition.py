"""What a trial at a point promises: the logarithm of its expected improvement, and its gradient.

    mu, sigma   mean and standard deviation of the model at a point
    tau         the value to improve on: lower is better
    z           (tau - mu) / sigma
    h(z)        phi(z) + z Phi(z), so that the expected improvement is sigma h(z)

Source: Ament et al. 2023, arXiv:2310.20708, eq. 8 and 9.
"""

from __future__ import annotations

import math

import numpy as np

from assay.math.checks import Array

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_NEAR = -1.0
_FAR = -1e4  # beyond it 1 - sqrt(pi/2) |z| erfcx(|z|/sqrt(2)) is rounding noise; it is 1/z^2
_UNDERFLOW = -5.0  # of h as written; at -5 it has 13 digits


def log_h(z: Array) -> Array:
    """ln(phi(z) + z Phi(z)) for any z, to about ten digits.

    Three ranges: as written near and above 0; for negative z, phi(z) is taken out and what is left
    goes through the scaled complementary error function; far out by the first term of its series.

    >>> log_h(np.array([-50.0, 0.0, 3.0])).round(4)
    array([-1.2587442e+03, -9.1890000e-01,  1.0987000e+00])
    """
    from scipy.special import ndtr

    z = np.asarray(z, float)
    near = np.maximum(z, _NEAR)
    direct = np.log(np.exp(-0.5 * near**2 - _LOG_SQRT_2PI) + near * ndtr(near))
    tail = np.minimum(z, _NEAR)
    return np.where(z > _NEAR, direct, -0.5 * tail**2 - _LOG_SQRT_2PI + _log_rest(tail))


def _log_rest(z: Array) -> Array:
    """ln(1 + z Phi(z) / phi(z)) for z <= -1."""
    from scipy.special import erfcx

    within = np.maximum(z, _FAR)
    rest = math.sqrt(math.pi / 2) * erfcx(-within / math.sqrt(2)) * within
    return np.where(z > _FAR, np.log1p(rest), -2.0 * np.log(-z))


def log_ei(mean: Array, variance: Array, best: float) -> Array:
    """The log expected improvement on `best`; lower values are better, higher log EI is.

    Args:
        mean, variance: of the model, shape (m,); variance > 0.
        best: the value to improve on, in the same units.

    >>> log_ei(np.array([0.0]), np.array([1.0]), 0.0).round(4)
    array([-0.9189])
    """
    sigma = np.sqrt(variance)
    return np.asarray(np.log(sigma) + log_h((best - mean) / sigma))


def log_ei_with_gradient(
    mean: Array, variance: Array, d_mean: Array, d_variance: Array, best: float
) -> tuple[Array, Array]:
    """The same and its gradient, shape (m, D), from those of mean and variance.

    d logEI = d sigma / sigma + (Phi(z) / h(z)) dz,  dz = -(d mu + z d sigma) / sigma.
    """
    from scipy.special import log_ndtr

    sigma = np.sqrt(variance)
    z = (best - mean) / sigma
    log = log_h(z)
    ratio = np.exp(log_ndtr(z) - log)  # about |z| far out: no overflow
    d_sigma = d_variance / (2 * sigma)[:, None]
    d_z = -(d_mean + z[:, None] * d_sigma) / sigma[:, None]
    return np.log(sigma) + log, d_sigma / sigma[:, None] + ratio[:, None] * d_z


def log_mean_h(z: Array) -> tuple[Array, Array]:
    """The ln of the mean over s of h(z_s) in each row (m, S), and its derivatives by z, shape (m, S).

    As written where the largest z of a row is not far out (there smaller ones may underflow), else
    by logarithms.

    >>> value, slope = log_mean_h(np.array([[0.0, 0.0], [-50.0, -50.0]]))
    >>> value.round(3), slope.round(1)
    (array([-9.190000e-01, -1.258744e+03]), array([[ 0.6,  0.6],
           [25. , 25. ]]))
    """
    from scipy.special import log_ndtr, ndtr

    below = ndtr(z)
    total = np.maximum(np.exp(-0.5 * z**2 - _LOG_SQRT_2PI) + z * below, 0.0).sum(axis=1)
    far = z.max(axis=1) < _UNDERFLOW
    total[far] = 1.0
    value, slope = np.log(total), below / total[:, None]
    if far.any():
        logs = log_h(z[far])
        value[far] = np.logaddexp.reduce(logs, axis=1)
        slope[far] = np.exp(log_ndtr(z[far]) - value[far][:, None])
    return value - math.log(z.shape[1]), slope
