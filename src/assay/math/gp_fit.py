"""Lengthscales and noise of a Gaussian process: those that are most probable given the data.

    theta   ln l_1, ..., ln l_d, ln noise       NLP     minus the log posterior density of theta
    M       K^-1 - a a'                         R       squared distances of the rows of A
    The rest as in `assay.math.gp`.

    NLP = 1/2 (t-m)'a + 1/2 ln|K| + 1/2 m^2 - ln p(theta)
    G   = 1/2 M o dK/dR = -(5/12) M o ((1 + r) exp(-r))
    T   = 4 (diag(G 1) A - G A), the gradient by A, so that no n x n x d array is ever formed
    dNLP / d ln l_i = -sum over columns c of i and rows j of T_jc A_jc;  d ln noise: 1/2 noise tr(M)

Source: Rasmussen and Williams 2006, eq. 5.9. Priors: Hvarfner et al. 2024, arXiv:2402.02229, eq. 6
(lengthscales: LogNormal(sqrt 2 + ln(d)/2, sqrt 3)), and for the noise LogNormal(-4, 1), as BoTorch
ships both. Differs: the signal's variance is fixed at 1, for targets of sd 1.
"""

from __future__ import annotations

import math

import numpy as np

from assay.math.checks import Array
from assay.math.encoding import Indices
from assay.math.gp import (
    Hyperparameters,
    SingularError,
    inverse,
    polynomial,
    profiled_mean,
    squared_distances,
)
from assay.math.lbfgs import minimise

LENGTH_SD = math.sqrt(3.0)
LENGTHS = (0.02, 100.0)
SHORTEST_START = 0.3
NOISE_MU, NOISE_SD = -4.0, 1.0
NOISES = (1e-5, 2.0)
NOISE_START = 1e-2
FAILED = 1e10  # stands for a density of 0: the search steps back from it


def prior_start(d: int) -> Hyperparameters:
    """Where a fit begins when nothing is known: the mode of the prior, but not too short.

    >>> prior_start(4).lengths.round(2)
    array([0.41, 0.41, 0.41, 0.41])
    """
    mode = math.exp(_length_mu(d) - LENGTH_SD**2)
    return Hyperparameters(np.full(d, max(mode, SHORTEST_START)), NOISE_START)


def fit(
    rows: Array,
    targets: Array,
    owner: Indices,
    start: Hyperparameters,
    *,
    iterations: int = 30,
) -> Hyperparameters:
    """The most probable lengthscales and noise near `start`.

    Args:
        rows: shape (n, D).
        targets: mean 0, sd 1, shape (n,).
        owner: the lengthscale of each column, by number, shape (D,).
        start: where to begin.
        iterations: at most so many steps of the search.

    >>> x = np.linspace(0, 1, 12)[:, None]
    >>> found = fit(x, np.sin(9 * x[:, 0]), np.array([0]), prior_start(1))
    >>> bool(0.1 < found.lengths[0] < 1.0), bool(found.noise < 1e-2)
    (True, True)
    """

    def function(thetas: Array, _which: Indices) -> tuple[Array, Array]:
        found = [negative_log_posterior(theta, rows, targets, owner) for theta in thetas]
        return np.array([f for f, _ in found]), np.array([g for _, g in found])

    lower, upper = _bounds(len(start.lengths))
    theta = np.clip(np.append(np.log(start.lengths), math.log(start.noise)), lower, upper)
    best, _ = minimise(
        function,
        theta[None],
        lower=lower,
        upper=upper,
        iterations=iterations,
        tolerance=1e-2,
        small=1e-3,
        first_step=1.0,
    )
    return Hyperparameters(np.exp(best[0, :-1]), math.exp(best[0, -1]))


def negative_log_posterior(
    theta: Array, rows: Array, targets: Array, owner: Indices
) -> tuple[float, Array]:
    """NLP and its gradient at theta, shape (d + 1,)."""
    d, n = len(theta) - 1, len(targets)
    a = rows * np.exp(-theta[:d])[owner]
    noise = math.exp(theta[d])
    r = squared_distances(a, a)
    r *= 5.0
    np.sqrt(r, out=r)
    decay = np.exp(-r)
    kernel = polynomial(r) * decay
    kernel.flat[:: n + 1] = 1.0 + noise
    try:
        solved = inverse(kernel)
    except SingularError:
        return FAILED, np.zeros(d + 1)
    mean = profiled_mean(solved.matrix, targets)
    rest = targets - mean
    weights = solved.matrix @ rest
    value = 0.5 * float(rest @ weights) + solved.half_log_det + 0.5 * mean**2
    m = solved.matrix
    m -= np.outer(weights, weights)
    gradient = np.empty(d + 1)
    gradient[d] = 0.5 * noise * np.trace(m)
    r += 1.0
    m *= r
    m *= decay
    m *= -5.0 / 12.0
    by_row = m.sum(axis=1)[:, None] * a - m @ a
    gradient[:d] = -4.0 * np.bincount(owner, np.einsum("ij,ij->j", by_row, a), d)
    prior, d_prior = _negative_log_prior(theta)
    return value + prior, gradient + d_prior


def _negative_log_prior(theta: Array) -> tuple[float, Array]:
    """Log-normal densities of lengthscales and noise, without what does not depend on theta."""
    d = len(theta) - 1
    mu = np.append(np.full(d, _length_mu(d)), NOISE_MU)
    sd = np.append(np.full(d, LENGTH_SD), NOISE_SD)
    z = (theta - mu) / sd
    linear = np.append(np.ones(d), 0.0)  # the density is one of l; that of the noise is of ln noise
    return float(0.5 * z @ z + linear @ theta), z / sd + linear


def _length_mu(d: int) -> float:
    return math.sqrt(2.0) + 0.5 * math.log(d)


def _bounds(d: int) -> tuple[Array, Array]:
    limits = np.log([LENGTHS] * d + [NOISES])
    return limits[:, 0], limits[:, 1]
