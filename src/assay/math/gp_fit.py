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
from dataclasses import dataclass, field, replace

import numpy as np

from assay.math.bends import LIMIT as BEND
from assay.math.bends import SD as BEND_SD
from assay.math.bends import bend_with_slopes
from assay.math.checks import Array
from assay.math.encoding import Indices
from assay.math.gp import (
    Hyperparameters,
    SingularError,
    bent_columns,
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
BEND_GAIN, BEND_GAIN_EACH = 2.0, 0.5
NEAR_ONE = 0.1  # of the logarithm of a power
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
    variances: Array | None = None,
) -> Hyperparameters:
    """The most probable lengthscales and noise near `start`, and bends of the scales that it bends.

    Args:
        rows: shape (n, D).
        targets: mean 0, sd 1, shape (n,).
        owner: the lengthscale of each column, by number, shape (D,).
        start: where to begin.
        iterations: at most so many steps of the search.
        variances: known variances of the targets besides the noise, shape (n,).

    >>> x = np.linspace(0, 1, 12)[:, None]
    >>> found = fit(x, np.sin(9 * x[:, 0]), np.array([0]), prior_start(1))
    >>> bool(0.1 < found.lengths[0] < 1.0), bool(found.noise < 1e-2)
    (True, True)
    """
    density = Density(rows, targets, owner, len(start.lengths), variances, bent_columns(start))
    return density.hyper(_least(density, start, iterations)[0])


def bent_fit(
    rows: Array,
    targets: Array,
    owner: Indices,
    straight: Hyperparameters,
    numbers: Indices,
    *,
    iterations: int = 30,
    variances: Array | None = None,
) -> Hyperparameters:
    """The same with bent scales of the columns `numbers`, or `straight` if that is as good.

    As good: bends gain no more than two nats and half a nat for each power that is not near 1.
    """
    without = Density(
        rows, targets, owner, len(straight.lengths), variances, bent_columns(straight)
    )
    density = replace(without, bent=numbers)
    theta, value = _least(density, straight, iterations)
    moved = np.count_nonzero(np.abs(theta[density.d + 1 :]) > NEAR_ONE)
    gain = without.of(_theta(straight, without.bent))[0] - value
    return density.hyper(theta) if gain > BEND_GAIN + BEND_GAIN_EACH * moved else straight


def _least(density: Density, start: Hyperparameters, iterations: int) -> tuple[Array, float]:
    lower, upper = _bounds(density.d, len(density.bent))
    theta, value = minimise(
        density.of_all,
        np.clip(_theta(start, density.bent), lower, upper)[None],
        lower=lower,
        upper=upper,
        iterations=iterations,
        tolerance=1e-2,
        small=1e-3,
        first_step=1.0,
    )
    return theta[0], float(value[0])


@dataclass(frozen=True)
class Density:
    """Minus the log posterior density of theta: ln l, ln noise, and ln a and ln b of bent columns."""

    rows: Array
    targets: Array
    owner: Indices
    d: int
    variances: Array | None = None
    bent: Indices = field(default_factory=lambda: np.zeros(0, np.intp))

    def hyper(self, theta: Array) -> Hyperparameters:
        """What theta stands for."""
        d, bends = self.d, None
        if len(self.bent):
            bends = np.zeros((2, self.rows.shape[1]))
            bends[:, self.bent] = theta[d + 1 :].reshape(2, -1)
        return Hyperparameters(np.exp(theta[:d]), math.exp(theta[d]), bends)

    def of_all(self, thetas: Array, _which: Indices) -> tuple[Array, Array]:
        """For each of `thetas` (b, size); gradients too, shape (b, size)."""
        found = [self.of(theta) for theta in thetas]
        return np.array([f for f, _ in found]), np.array([g for _, g in found])

    def of(self, theta: Array) -> tuple[float, Array]:
        """NLP and its gradient at theta, shape (size,)."""
        d, n, owner = self.d, len(self.targets), self.owner
        scale = np.exp(-theta[:d])[owner]
        noise = math.exp(theta[d])
        a = self.rows * scale
        powers = theta[d + 1 :].reshape(2, -1)
        if len(self.bent):
            bent = bend_with_slopes(self.rows[:, self.bent], powers)
            a[:, self.bent] = bent.value * scale[self.bent]
        r = squared_distances(a, a)
        r *= 5.0
        np.sqrt(r, out=r)
        decay = np.exp(-r)
        kernel = polynomial(r) * decay
        kernel.flat[:: n + 1] = 1.0 + noise + (0.0 if self.variances is None else self.variances)
        try:
            solved = inverse(kernel)
        except SingularError:
            return FAILED, np.zeros(len(theta))
        mean = profiled_mean(solved.matrix, self.targets)
        rest = self.targets - mean
        weights = solved.matrix @ rest
        value = 0.5 * float(rest @ weights) + solved.half_log_det + 0.5 * mean**2
        m = solved.matrix
        m -= np.outer(weights, weights)
        gradient = np.empty(len(theta))
        gradient[d] = 0.5 * noise * np.trace(m)
        r += 1.0
        m *= r
        m *= decay
        m *= -5.0 / 12.0
        by_place = 4.0 * (m.sum(axis=1)[:, None] * a - m @ a)
        gradient[:d] = -np.bincount(owner, np.einsum("ij,ij->j", by_place, a), d)
        if len(self.bent):
            by_bent = by_place[:, self.bent] * scale[self.bent]
            by_powers = [np.einsum("ij,ij->j", by_bent, s) for s in (bent.by_a, bent.by_b)]
            gradient[d + 1 :] = np.concatenate(by_powers)
        prior, d_prior = _negative_log_prior(theta, d)
        return value + prior, gradient + d_prior


def _negative_log_prior(theta: Array, d: int) -> tuple[float, Array]:
    """Log-normal densities of all of theta, without what does not depend on theta."""
    bends = len(theta) - d - 1
    mu = np.concatenate([np.full(d, _length_mu(d)), [NOISE_MU], np.zeros(bends)])
    sd = np.concatenate([np.full(d, LENGTH_SD), [NOISE_SD], np.full(bends, BEND_SD)])
    z = (theta - mu) / sd
    linear = np.zeros(len(theta))
    linear[:d] = 1.0  # the density is one of l; those of the others are of their logarithms
    return float(0.5 * z @ z + linear @ theta), z / sd + linear


def _theta(hyper: Hyperparameters, columns: Indices) -> Array:
    bends = np.zeros((2, len(columns))) if hyper.bends is None else hyper.bends[:, columns]
    return np.concatenate([np.log(hyper.lengths), [math.log(hyper.noise)], bends.ravel()])


def _length_mu(d: int) -> float:
    return math.sqrt(2.0) + 0.5 * math.log(d)


def _bounds(d: int, bent: int) -> tuple[Array, Array]:
    limits = np.array([np.log(LENGTHS)] * d + [np.log(NOISES)] + [[-BEND, BEND]] * (2 * bent))
    return limits[:, 0], limits[:, 1]


def thinned(targets: Array, most: int) -> Indices:
    """The numbers of at most `most` targets: the best half of them, and of the rest every so-many-th.

    >>> thinned(np.array([3.0, 0.0, 4.0, 1.0, 5.0, 2.0]), 4)
    array([1, 2, 3, 5])
    """
    n = len(targets)
    if n <= most:
        return np.arange(n)
    order = np.argsort(targets, kind="stable")
    best = most // 2
    rest = order[best:]
    spread = np.linspace(0, len(rest), most - best, endpoint=False).astype(np.intp)
    return np.sort(np.concatenate([order[:best], rest[spread]]))
