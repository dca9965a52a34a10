"""What a further trial promises while others run: improvement averaged over how these may end.

    waiting   rows that wait for a value (q)      y_s   one of S draws of all their values together
    mu_s, sigma   mean given y_s, and standard deviation: only the mean depends on y_s
    tau_s         the least mean given y_s at a row of data or waiting: what is to be improved on
    z_s           (tau_s - mu_s) / sigma, so that the improvement is the mean over s of sigma h(z_s)

Given y_s all is in closed form; only what the others will bring is drawn.

Source: Snoek et al. 2012, arXiv:1206.2944, section 3.2, average over draws in this way. Differs: all
draws share one kernel matrix, and so cost one more column of weights each; each has its own
incumbent; the logarithm of the mean, see `assay.math.acquisition`.
"""

from __future__ import annotations

import numpy as np

from assay.math.acquisition import log_mean_h
from assay.math.checks import Array
from assay.math.gp import LEAST_VARIANCE, Posterior


class Fantasies:
    """The log expected improvement over draws of the values that are waited for.

    Args:
        known: the process given the data.
        posterior: the same, and at the waiting rows, which come last, what `known` expects there.
        waiting: those rows, shape (q, D).
        normals: standard normal numbers to draw with, shape (S, q).

    Attributes:
        values: of all rows in each draw, noise included, shape (n + q, S).
        bests: tau_s, shape (S,).

    >>> from assay.math.gp import Hyperparameters
    >>> one, owner = Hyperparameters(np.array([0.3]), 1e-4), np.array([0])
    >>> x, waiting = np.array([[0.0], [1.0]]), np.array([[0.4]])
    >>> known = Posterior(x, np.array([-1.0, 1.0]), owner, one)
    >>> expected = np.append(known.targets, known.predict(waiting)[0])
    >>> posterior = Posterior(np.concatenate([x, waiting]), expected, owner, one)
    >>> fantasies = Fantasies(known, posterior, waiting, np.array([[-1.0], [0.0], [1.0]]))
    >>> fantasies.value(np.array([[0.4], [0.2]])).round(1)
    array([-6.6, -2.3])
    """

    def __init__(
        self, known: Posterior, posterior: Posterior, waiting: Array, normals: Array
    ) -> None:
        covariance = known.joint(waiting)[1]
        surprise = _root(covariance, posterior.noise) @ normals.T
        q = len(waiting)
        self.posterior = posterior
        self.weights = posterior.weights[:, None] + posterior.inverse[:, -q:] @ surprise
        self.values = np.repeat(posterior.targets[:, None], len(normals), axis=1)
        self.values[-q:] += surprise
        noise = posterior.noise + posterior.variances
        self.bests = (self.values - noise[:, None] * self.weights).min(axis=0)

    def value(self, rows: Array) -> Array:
        """Log expected improvement at `rows` (m, D), shape (m,)."""
        k = self.posterior.correlations(rows)
        explained = np.einsum("ij,ij->i", k @ self.posterior.inverse, k)
        sigma = np.sqrt(np.maximum(1.0 - explained, LEAST_VARIANCE))
        return np.asarray(np.log(sigma) + log_mean_h(self._z(k, sigma))[0])

    def with_gradient(self, rows: Array) -> tuple[Array, Array]:
        """The same and its gradient, shape (m, D)."""
        seen = self.posterior.look(rows)
        sigma = np.sqrt(seen.variance)
        z = self._z(seen.k, sigma)
        value, by_z = log_mean_h(z)
        by_mean = -by_z / sigma[:, None]
        by_variance = (1.0 - (by_z * z).sum(axis=1)) / (2.0 * seen.variance)
        pull = by_mean @ self.weights.T - 2.0 * by_variance[:, None] * seen.v
        return np.log(sigma) + value, self.posterior.pulled(seen.slope * pull, seen)

    def _z(self, k: Array, sigma: Array) -> Array:
        means = self.posterior.mean + k @ self.weights
        return np.asarray((self.bests - means) / sigma[:, None])


def _root(covariance: Array, noise: float) -> Array:
    """A square root of the covariance with noise; of its positive part, as it may be singular."""
    values, vectors = np.linalg.eigh(covariance + noise * np.eye(len(covariance)))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
