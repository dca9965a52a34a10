"""Whole functions drawn from a Gaussian process that has seen data, to be read at any number of rows.

    f(z) = m + phi(z)'w + k(z, Z) K^-1 (t - m - phi(Z)'w - e)

    phi     features: sqrt(2/F) cos(z'omega + phase), so that phi(a)'phi(b) is about k(a, b)
    w, e    drawn from N(0, 1) and N(0, noise); the rest as in `assay.math.gp`

Source: Wilson et al. 2020, arXiv:2002.09309: a draw from the prior, moved to the data.
Features: Rahimi and Recht 2007; the spectral density of the Matern-5/2 kernel is Student's t with 5
degrees of freedom (Rasmussen and Williams 2006, eq. 4.15).
"""

from __future__ import annotations

import math

import numpy as np

from assay.math.checks import Array
from assay.math.gp import Posterior

FEATURES = 400


class Paths:
    """The posterior mean, and functions drawn around it.

    Args:
        posterior: the process with its data.
        count: how many functions are drawn.
        rng: the only source of chance.

    >>> from assay.math.gp import Hyperparameters
    >>> one = Hyperparameters(np.array([1.0]), 1e-6)
    >>> process = Posterior(np.array([[0.0], [1.0]]), np.array([-1.0, 1.0]), np.array([0]), one)
    >>> paths = Paths(process, 3, np.random.default_rng(0))
    >>> paths.values(np.array([[0.0], [1.0]])).round(1)
    array([[-1., -1., -1., -1.],
           [ 1.,  1.,  1.,  1.]])
    """

    def __init__(self, posterior: Posterior, count: int, rng: np.random.Generator) -> None:
        self._posterior = posterior
        n, columns = posterior.scaled.shape
        directions = rng.standard_normal((columns, FEATURES))
        self._omega = directions / np.sqrt(rng.chisquare(5, FEATURES) / 5)
        self._phase = rng.uniform(0, 2 * math.pi, FEATURES)
        # the first function is the mean: nothing is drawn for it
        self._prior = np.zeros((FEATURES, count + 1))
        self._prior[:, 1:] = rng.standard_normal((FEATURES, count))
        noise = math.sqrt(posterior.noise) * rng.standard_normal((n, count))
        rest = posterior.targets[:, None] - posterior.mean
        moved = rest - self._features(posterior.scaled) @ self._prior[:, 1:] - noise
        self._weights = posterior.inverse @ np.hstack([rest, moved])

    def values(self, rows: Array) -> Array:
        """The mean, then each draw, at `rows` (m, D), shape (m, count + 1)."""
        posterior = self._posterior
        prior = self._features(posterior.place(rows)) @ self._prior
        return np.asarray(posterior.mean + prior + posterior.correlations(rows) @ self._weights)

    def _features(self, scaled: Array) -> Array:
        return np.asarray(math.sqrt(2 / FEATURES) * np.cos(scaled @ self._omega + self._phase))
