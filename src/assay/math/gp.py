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

import numpy as np

from assay.math.checks import Array
from assay.math.encoding import Indices

LEAST_VARIANCE = 1e-10
JITTERS = (0.0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)


class SingularError(ArithmeticError):
    """A kernel matrix is not positive definite, or not finite."""


@dataclass(frozen=True)
class Hyperparameters:
    """A lengthscale for each searched parameter, shape (d,), and the variance of the noise."""

    lengths: Array
    noise: float


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


class Posterior:
    """The process after seeing targets `t` at rows `Z`.

    Args:
        rows: shape (n, D).
        targets: shape (n,).
        owner: the lengthscale of each column, by number, shape (D,).
        hyper: lengthscales and noise.

    Raises:
        SingularError: the kernel matrix cannot be inverted, whatever is added to its diagonal.

    >>> one = Hyperparameters(np.array([1.0]), 1e-6)
    >>> process = Posterior(np.array([[0.0], [1.0]]), np.array([-1.0, 1.0]), np.array([0]), one)
    >>> process.predict(np.array([[0.0], [0.5]]))[0].round(3)
    array([-1.,  0.])
    """

    def __init__(self, rows: Array, targets: Array, owner: Indices, hyper: Hyperparameters) -> None:
        self.scale = 1.0 / hyper.lengths[owner]
        self.scaled = rows * self.scale
        self.targets = targets
        correlation = matern(squared_distances(self.scaled, self.scaled))
        self.noise, self.inverse = _inverted(correlation, hyper.noise)
        self.mean = profiled_mean(self.inverse, targets)
        self.weights = self.inverse @ (targets - self.mean)
        if not np.isfinite(self.weights).all():
            raise SingularError("The weights of the process are not finite.")

    def correlations(self, rows: Array) -> Array:
        """The correlation of each of `rows` (m, D) with each row of the data, shape (m, n)."""
        return matern(squared_distances(rows * self.scale, self.scaled))

    def distances(self, rows: Array) -> Array:
        """Distances to the rows of the data in lengthscales, shape (m, n)."""
        return np.sqrt(squared_distances(rows * self.scale, self.scaled))

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
        scaled = rows * self.scale
        r = squared_distances(scaled, self.scaled)
        r *= 5.0
        np.sqrt(r, out=r)
        slope = np.exp(-r)
        k = polynomial(r) * slope
        r += 1.0
        slope *= r
        slope *= -5.0 / 3.0
        v = k @ self.inverse
        mean = self.mean + k @ self.weights
        variance = np.maximum(1.0 - np.einsum("ij,ij->i", v, k), LEAST_VARIANCE)
        d_mean = self._pulled(slope * self.weights, scaled)
        d_variance = -2.0 * self._pulled(slope * v, scaled)
        return mean, variance, d_mean, d_variance

    def _pulled(self, weights: Array, scaled: Array) -> Array:
        total = weights.sum(axis=1)[:, None]
        return np.asarray((total * scaled - weights @ self.scaled) * self.scale)

    def fitted(self) -> Array:
        """Means at the rows of the data: t - noise a, shape (n,)."""
        return np.asarray(self.targets - self.noise * self.weights)

    def left_out(self) -> tuple[Array, Array]:
        """Mean and variance of each target, noise included, given all others, shape (n,).

        Rasmussen and Williams 2006, eq. 5.12; the mean `m` is not taken again.
        """
        precision = np.diagonal(self.inverse)
        return self.targets - self.weights / precision, 1.0 / precision


def _inverted(correlation: Array, noise: float) -> tuple[float, Array]:
    """The noise that was enough, and the inverse of the matrix with it on its diagonal."""
    n = len(correlation)
    for jitter in JITTERS:
        matrix = correlation.copy()
        matrix.flat[:: n + 1] = 1.0 + noise + jitter
        try:
            return noise + jitter, inverse(matrix).matrix
        except SingularError:
            continue
    raise SingularError("The kernel matrix cannot be inverted with any jitter up to 0.001.")
