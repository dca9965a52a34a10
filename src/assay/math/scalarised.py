"""What a trial of many losses promises, by one number for all of them.

    y          the losses: independent and normal, with means mu_j and sds sigma_j
    r, e       the worst of each loss so far, and its extent
    s(y)       max_j (y_j - r_j) / (e_j w_j): how far y goes from r in the direction w, below 0
    best       the least s so far; the expected improvement on it is
               E[(best - s(y))+] = integral over v > 0 of prod_j Phi((r_j + (best - v) e_j w_j - mu_j)
               / sigma_j), as s is below a number where every loss is below its own

Over all directions the m-th powers of -s add up to the hypervolume below r, so each direction is a
share of it. The integral is taken by a fixed rule over v, so that its gradient is exact for the rule.

Source: Zhang and Golovin 2020, arXiv:2006.04655, lemma 5. Differs: the losses keep a model each, and
the improvement of s is that of independent normal losses.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Self

import numpy as np

from assay.math.checks import Array

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_STEPS = np.append(0.0, np.geomspace(1e-3, 3.0, 15))
_WIDTHS = (np.append(np.diff(_STEPS), 0.0) + np.append(0.0, np.diff(_STEPS))) / 2
LEAST_WEIGHT, LEAST_EXTENT = 1e-3, 1e-3


class Scale(NamedTuple):
    """`tops` (steps, m): what each loss must be below for an improvement of at least each step."""

    tops: Array

    @classmethod
    def of(cls, losses: Array, direction: Array) -> Self:
        """The scale of some losses (n, m) for a direction (m,), a unit vector without negatives.

        >>> diagonal = np.full(2, 0.5**0.5)
        >>> Scale.of(np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]), diagonal).tops[0].tolist()
        [0.5, 0.5]
        """
        worst, extent = losses.max(axis=0), np.maximum(np.ptp(losses, axis=0), LEAST_EXTENT)
        unit = extent * np.maximum(direction, LEAST_WEIGHT)
        best = float(((losses - worst) / unit).max(axis=1).min())
        return cls(worst + (best - _STEPS[:, None]) * unit)


def log_ei_of_worst(means: Array, variances: Array, scale: Scale) -> Array:
    """The log expected improvement, shape (n,); means and variances > 0 have shape (n, m).

    >>> losses, diagonal = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]), np.full(2, 0.5**0.5)
    >>> scale = Scale.of(losses, diagonal)
    >>> np.exp(log_ei_of_worst(np.zeros((1, 2)), np.full((1, 2), 1e-4), scale)).round(1)
    array([0.7])
    """
    return np.asarray(np.logaddexp.reduce(_by_step(means, variances, scale), axis=1))


def log_ei_of_worst_with_slopes(
    means: Array, variances: Array, scale: Scale
) -> tuple[Array, Array, Array]:
    """The same, and its derivatives by means and by variances, shape (n, m) each."""
    from scipy.special import log_ndtr

    logs = _by_step(means, variances, scale)
    found = np.logaddexp.reduce(logs, axis=1)
    share = np.exp(logs - found[:, None])
    sigma = np.sqrt(variances)[:, None]
    z = (scale.tops - means[:, None]) / sigma
    ratio = np.exp(-0.5 * z**2 - _LOG_SQRT_2PI - log_ndtr(z))
    by_mean = np.einsum("ns,nsj->nj", share, -ratio / sigma)
    by_variance = np.einsum("ns,nsj->nj", share, -ratio * z / (2 * sigma**2))
    return found, by_mean, by_variance


def _by_step(means: Array, variances: Array, scale: Scale) -> Array:
    """The logarithm of each summand of the rule, shape (n, steps)."""
    from scipy.special import log_ndtr

    z = (scale.tops - means[:, None]) / np.sqrt(variances)[:, None]
    return np.asarray(log_ndtr(z).sum(axis=2) + np.log(_WIDTHS))
