"""A Gaussian process given data: predictions, their gradients, and leave-one-out predictions.

    Z       rows of the data (n, D)             t       targets, about mean 0 and sd 1 (n,)
    l       lengthscale of each column (D,)     noise   variance of the noise; the signal's is 1
    A       Z / l                               r       sqrt(5) times the distance of two rows of A
    k(r)    (1 + r + r^2/3) exp(-r): Matern-5/2 (Rasmussen and Williams 2006, eq. 4.17)
    K       k of the data + noise I             m       mean, with a N(0, 1) prior, at its best
    a       K^-1 (t - m)

Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1 and
eq. 5.10 to 5.12. Differs: K^-1 is formed, as it serves gradients and leaving out, too; the mean is
profiled out: m = 1'K^-1 t / (1'K^-1 1 + 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from assay.math.bends import bend, bend_with_slopes
from assay.math.checks import Array
from assay.math.encoding import Indices

LEAST_VARIANCE = 1e-10
JITTERS = (0.0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)


class SingularError(ArithmeticError):
    """A kernel matrix is not positive definite, or not finite."""


@dataclass(frozen=True)
class Hyperparameters:
    """A lengthscale for each searched parameter, shape (d,), and the variance of the noise.

    `bends` are ln a and ln b of each column of a row, shape (2, D), see `assay.math.bends`; None where
    all scales are as declared.
    """

    lengths: Array
    noise: float
    bends: Array | None = None


def bent_columns(hyper: Hyperparameters) -> Indices:
    """The columns of a row whose scale is bent."""
    if hyper.bends is None:
        return np.zeros(0, np.intp)
    return np.flatnonzero((hyper.bends != 0).any(axis=0))


@dataclass(frozen=True)
class Inverse:
    """K^-1, and half the logarithm of the determinant of K."""

    matrix: Array
    half_log_det: float


def matern(squared: Array) -> Array:
    """The Matern-5/2 correlation at squared scaled distances.

    >>> matern(np.array([0.0, 1.0])).round(4)
    array([1.   , 0.524])
    """
    r = np.sqrt(5.0 * squared)
    return polynomial(r) * np.exp(-r)


def polynomial(r: Array) -> Array:
    """1 + r + r^2/3, without more arrays than needed: this is where most of the time goes."""
    value = r / 3.0
    value += 1.0
    value *= r
    value += 1.0
    return np.asarray(value)


def squared_distances(a: Array, b: Array) -> Array:
    """Squared distances of all rows of `a` (m, D) to all of `b` (n, D), shape (m, n)."""
    products = a @ b.T
    products *= -2.0
    products += np.einsum("ij,ij->i", a, a)[:, None]
    products += np.einsum("ij,ij->i", b, b)
    return np.maximum(products, 0.0, out=products)


def inverse(matrix: Array) -> Inverse:
    """The inverse of a symmetric matrix that is positive definite, by its Cholesky factor.

    Raises:
        SingularError: it is not.
    """
    from scipy.linalg.lapack import dpotrf, dpotri

    # its transpose is itself, but in the order that LAPACK works on in place
    factor, failed = dpotrf(np.array(matrix).T, lower=1, clean=1, overwrite_a=1)
    if failed:
        raise SingularError("The kernel matrix is not positive definite.")
    half_log_det = float(np.log(np.diagonal(factor)).sum())
    lower, failed = dpotri(factor, lower=1, overwrite_c=1)
    if failed or not math.isfinite(half_log_det):
        raise SingularError("The kernel matrix cannot be inverted.")
    full = lower.T + lower
    full.flat[:: len(full) + 1] *= 0.5
    return Inverse(full, half_log_det)


def profiled_mean(inverse: Array, targets: Array) -> float:
    """The mean that suits the targets best, drawn towards 0 by its N(0, 1) prior."""
    weights = inverse.sum(axis=1)
    return float(weights @ targets / (weights.sum() + 1.0))


class Look(NamedTuple):
    """Rows against those of the data: `slope` is 2 dk/dR, `v` is k K^-1; shape (m, n) each.

    `stretch` is the derivative of a place by its row: one over the lengthscale, where nothing is bent.
    """

    scaled: Array
    stretch: Array
    k: Array
    slope: Array
    v: Array
    variance: Array


class Posterior:
    """The process after seeing targets `t` at rows `Z`.

    Args:
        rows: shape (n, D).
        targets: shape (n,).
        owner: the lengthscale of each column, by number, shape (D,).
        hyper: lengthscales and noise.
        variances: known variances of the targets, besides the noise, shape (n,); None: there are none.

    Raises:
        SingularError: the kernel matrix cannot be inverted, whatever is added to its diagonal.

    >>> one = Hyperparameters(np.array([1.0]), 1e-6)
    >>> process = Posterior(np.array([[0.0], [1.0]]), np.array([-1.0, 1.0]), np.array([0]), one)
    >>> process.predict(np.array([[0.0], [0.5]]))[0].round(3)
    array([-1.,  0.])
    """

    def __init__(
        self,
        rows: Array,
        targets: Array,
        owner: Indices,
        hyper: Hyperparameters,
        variances: Array | None = None,
    ) -> None:
        self.scale = 1.0 / hyper.lengths[owner]
        self.bends = hyper.bends
        self._bent = bent_columns(hyper)
        self.scaled = self.place(rows)
        self.targets = targets
        known = np.zeros(len(rows)) if variances is None else variances
        correlation = matern(squared_distances(self.scaled, self.scaled))
        self.noise, self.inverse = _inverted(correlation, hyper.noise, known)
        self.variances = known
        self.mean = profiled_mean(self.inverse, targets)
        self.weights = self.inverse @ (targets - self.mean)
        if not np.isfinite(self.weights).all():
            raise SingularError("The weights of the process are not finite.")

    def place(self, rows: Array) -> Array:
        """`rows` (m, D) where the kernel has them: on bent scales, in lengthscales."""
        placed = rows * self.scale
        if self.bends is not None:
            bent = self._bent
            placed[:, bent] = bend(rows[:, bent], self.bends[:, bent]) * self.scale[bent]
        return placed

    def correlations(self, rows: Array) -> Array:
        """The correlation of each of `rows` (m, D) with each row of the data, shape (m, n)."""
        return matern(squared_distances(self.place(rows), self.scaled))

    def distances(self, rows: Array) -> Array:
        """Distances to the rows of the data in lengthscales, shape (m, n)."""
        return np.sqrt(squared_distances(self.place(rows), self.scaled))

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Means and variances, without noise, at `rows` (m, D)."""
        k = self.correlations(rows)
        explained = np.einsum("ij,ij->i", k @ self.inverse, k)
        return self.mean + k @ self.weights, np.maximum(1.0 - explained, LEAST_VARIANCE)

    def predict_with_gradient(self, rows: Array) -> tuple[Array, Array, Array, Array]:
        """Means, variances, and the gradients of both, shape (m, D).

        With dk/dR = -(5/6) (1 + r) exp(-r), R the squared distance, and V = k K^-1:
        d mu / dz = sum_j 2 dk/dR a_j (z - z_j) / l,  d var / dz = -4 sum_j dk/dR V_j (z - z_j) / l.
        """
        seen = self.look(rows)
        mean = self.mean + seen.k @ self.weights
        d_mean = self.pulled(seen.slope * self.weights, seen)
        d_variance = -2.0 * self.pulled(seen.slope * seen.v, seen)
        return mean, seen.variance, d_mean, d_variance

    def look(self, rows: Array) -> Look:
        """What values and gradients at `rows` (m, D) are made of."""
        scaled, stretch = self._place_with_stretch(rows)
        r = squared_distances(scaled, self.scaled)
        r *= 5.0
        np.sqrt(r, out=r)
        slope = np.exp(-r)
        k = polynomial(r) * slope
        r += 1.0
        slope *= r
        slope *= -5.0 / 3.0
        v = k @ self.inverse
        variance = np.maximum(1.0 - np.einsum("ij,ij->i", v, k), LEAST_VARIANCE)
        return Look(scaled, stretch, k, slope, v, variance)

    def _place_with_stretch(self, rows: Array) -> tuple[Array, Array]:
        placed = rows * self.scale
        if self.bends is None:
            return placed, self.scale
        bent, stretch = self._bent, np.tile(self.scale, (len(rows), 1))
        by = bend_with_slopes(rows[:, bent], self.bends[:, bent])
        placed[:, bent] = by.value * self.scale[bent]
        stretch[:, bent] *= by.by_x
        return placed, stretch

    def pulled(self, weights: Array, seen: Look) -> Array:
        """sum_j w_j (z - z_j) / l with the weights w (m, n) of the rows that were looked at."""
        total = weights.sum(axis=1)[:, None]
        return np.asarray((total * seen.scaled - weights @ self.scaled) * seen.stretch)

    def joint(self, rows: Array) -> tuple[Array, Array]:
        """Means (m,) and covariance (m, m), without noise, of the values at `rows` (m, D)."""
        k = self.correlations(rows)
        scaled = self.place(rows)
        covariance = matern(squared_distances(scaled, scaled)) - k @ self.inverse @ k.T
        return self.mean + k @ self.weights, covariance

    def fitted(self) -> Array:
        """Means at the rows of the data: t - noise a, known variances included, shape (n,)."""
        return np.asarray(self.targets - (self.noise + self.variances) * self.weights)

    def left_out(self) -> tuple[Array, Array]:
        """Mean and variance of each target, noise included, given all others, shape (n,).

        Rasmussen and Williams 2006, eq. 5.12; the mean `m` is not taken again.
        """
        precision = np.diagonal(self.inverse)
        return self.targets - self.weights / precision, 1.0 / precision


def _inverted(correlation: Array, noise: float, variances: Array) -> tuple[float, Array]:
    """The noise that was enough, and the inverse of the matrix with it on its diagonal."""
    n = len(correlation)
    for jitter in JITTERS:
        matrix = correlation.copy()
        matrix.flat[:: n + 1] = 1.0 + noise + jitter + variances
        try:
            return noise + jitter, inverse(matrix).matrix
        except SingularError:
            continue
    raise SingularError("The kernel matrix cannot be inverted with any jitter up to 0.001.")
