"""What a trial of several losses promises: the log expected growth of the dominated hypervolume.

    y          the losses of a point: independent and normal, with means mu_j and sds sigma_j
    r          the reference; what lies beyond it counts for nothing
    boxes      cover what no point of the front dominates below r, without overlap: l_b <= y < u_b
    H_j(c)     E[(c - y_j)+] = sigma_j h((c - mu_j) / sigma_j); h as in `assay.math.acquisition`

The volume that y adds inside box b is the product over j of (u_bj - max(l_bj, y_j))+. As the losses
are independent, its expectation is the product of the H_j(u_bj) - H_j(l_bj), and the boxes add up.
So two losses need no more sampling than one does.

Source: Emmerich, Deutz and Klinkenberg 2011, "Hypervolume-based expected improvement" (CEC,
2147-2154), with the strips of a front as boxes; its gradient as in Yang et al. 2019, "Multi-objective
Bayesian global optimization using expected hypervolume improvement gradient", section 4. Differs:
logarithms where numbers would underflow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import NamedTuple

import numpy as np

from assay.math.acquisition import log_h
from assay.math.checks import Array
from assay.math.encoding import Indices

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_UNDERFLOW = 1e-200
MOST_LOSSES = 2


class Cuts(NamedTuple):
    """The different finite corners in one loss, and where each box has its own among them.

    0 stands for a lower corner at minus infinity; the first finite one is 1.
    """

    at: Array
    low: Indices
    high: Indices


@dataclass(frozen=True, eq=False)
class Boxes:
    """Lower and upper corners, shape (B, m) each; a lower corner may be at minus infinity."""

    lower: Array
    upper: Array

    @cached_property
    def cuts(self) -> list[Cuts]:
        """The corners of each loss."""
        return [_cuts(*corners) for corners in zip(self.lower.T, self.upper.T, strict=True)]


def _cuts(lower: Array, upper: Array) -> Cuts:
    at, place = np.unique(np.concatenate([lower, upper]), return_inverse=True)
    place = place.reshape(-1)
    if math.isinf(at[0]):
        at = at[1:]
    else:
        place = place + 1
    return Cuts(at, place[: len(lower)], place[len(lower) :])


def boxes(front: Array, reference: Array) -> Boxes:
    """What no point of `front` (k, m) dominates below the reference (m,), as boxes; m is 1 or 2.

    The front may hold dominated points, and points beyond the reference; neither makes a box.

    >>> found = boxes(np.array([[1.0, 3.0], [2.0, 1.0]]), np.array([4.0, 4.0]))
    >>> found.upper.tolist()
    [[1.0, 4.0], [2.0, 3.0], [4.0, 1.0]]
    """
    if len(reference) == 1:
        best = np.min([*front, reference], axis=0)
        return Boxes(np.full((1, 1), -np.inf), best[None])
    inside = np.unique(front[(front < reference).all(axis=1)], axis=0)
    lowest = np.minimum.accumulate(inside[:, 1])
    first, second = inside[np.append(np.inf, lowest)[:-1] > inside[:, 1]].T
    right, height = np.append(first, reference[0]), np.append(reference[1], second)
    left = np.append(-np.inf, first)
    lower = np.stack([left, np.full_like(left, -np.inf)], axis=1)
    return Boxes(lower, np.stack([right, height], axis=1))


def log_ehvi(means: Array, variances: Array, cover: Boxes) -> Array:
    """The log expected hypervolume improvement, shape (n,).

    Args:
        means, variances: shape (n, m); variances > 0.
        cover: what is not dominated.

    >>> cover = boxes(np.array([[0.0, 0.0]]), np.array([1.0, 1.0]))
    >>> log_ehvi(np.array([[-1.0, -1.0], [9.0, 9.0]]), np.full((2, 2), 1e-6), cover).round(1).tolist()
    [1.1, -72500051.1]
    """
    sizes = []
    for mean, variance, cuts in zip(means.T, variances.T, cover.cuts, strict=True):
        below = _below(mean, variance, cuts)[0]
        sizes.append(below[:, cuts.high] - below[:, cuts.low])
    volume = _product(sizes).sum(axis=1)
    far = ~(volume > _UNDERFLOW)
    found = np.log(np.where(far, 1.0, volume))
    if far.any():
        found[far] = _by_logarithms(means[far], variances[far], cover)[0]
    return np.asarray(found)


def log_ehvi_with_slopes(
    means: Array, variances: Array, cover: Boxes
) -> tuple[Array, Array, Array]:
    """The same, and its derivatives by means and by variances, shape (n, m) each."""
    growth = [
        _growth(mean, variance, cuts)
        for mean, variance, cuts in zip(means.T, variances.T, cover.cuts, strict=True)
    ]
    sizes = [part.size for part in growth]
    volume = _product(sizes).sum(axis=1)
    by_mean, by_sigma = np.empty_like(means), np.empty_like(means)
    for j, part in enumerate(growth):
        others = _product([np.ones_like(part.size), *sizes[:j], *sizes[j + 1 :]])
        by_mean[:, j] = np.einsum("nb,nb->n", others, part.by_mean)
        by_sigma[:, j] = np.einsum("nb,nb->n", others, part.by_sigma)
    far = ~(volume > _UNDERFLOW)
    safe = np.where(far, 1.0, volume)
    found, by_mean, by_sigma = np.log(safe), by_mean / safe[:, None], by_sigma / safe[:, None]
    if far.any():
        found[far], by_mean[far], by_sigma[far] = _by_logarithms(means[far], variances[far], cover)
    return found, by_mean, by_sigma / (2 * np.sqrt(variances))


def _product(factors: Sequence[Array]) -> Array:
    return np.asarray(reduce(np.multiply, factors))


class _Growth(NamedTuple):
    """H(u) - H(l) of one loss for each point and box, and its derivatives, shape (n, B) each."""

    size: Array
    by_mean: Array
    by_sigma: Array


def _growth(mean: Array, variance: Array, cuts: Cuts) -> _Growth:
    below = _below(mean, variance, cuts)
    size, down, by_sigma = below[:, :, cuts.high] - below[:, :, cuts.low]
    return _Growth(size, -down, by_sigma)


def _below(mean: Array, variance: Array, cuts: Cuts) -> Array:
    """H at minus infinity and at each cut, and -dH/d mu and dH/d sigma, shape (3, n, cuts + 1)."""
    from scipy.special import ndtr

    sigma = np.sqrt(variance)[:, None]
    z = (cuts.at - mean[:, None]) / sigma
    found = np.zeros((3, len(z), len(cuts.at) + 1))
    found[1, :, 1:] = ndtr(z)
    found[2, :, 1:] = np.exp(-0.5 * z**2 - _LOG_SQRT_2PI)
    found[0, :, 1:] = sigma * (found[2, :, 1:] + z * found[1, :, 1:])
    return found


# --- by logarithms, where numbers would underflow


def _by_logarithms(means: Array, variances: Array, cover: Boxes) -> tuple[Array, Array, Array]:
    """The logarithm, and its derivatives by means and by standard deviations."""
    sigma = np.sqrt(variances)
    parts = [_log_growth(means[:, [j]], sigma[:, [j]], cuts) for j, cuts in enumerate(cover.cuts)]
    total = np.sum([part.size for part in parts], axis=0)
    found = np.logaddexp.reduce(total, axis=1)
    share = np.exp(total - found[:, None])

    def weighed(slopes: Array) -> Array:
        return np.asarray(np.where(share > 0, share * slopes, 0.0).sum(axis=1))

    by_mean = np.stack([weighed(part.by_mean) for part in parts], axis=1)
    by_sigma = np.stack([weighed(part.by_sigma) for part in parts], axis=1)
    return found, by_mean, by_sigma


def _log_growth(mean: Array, sigma: Array, cuts: Cuts) -> _Growth:
    """ln(H(u) - H(l)), and its derivatives."""
    from scipy.special import log_ndtr

    z, low, high = (cuts.at - mean) / sigma, cuts.low, cuts.high
    log = _after_nothing(np.log(sigma) + log_h(z))
    below, density = _after_nothing(log_ndtr(z)), _after_nothing(-0.5 * z**2 - _LOG_SQRT_2PI)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gap = np.exp(log[:, low] - log[:, high])
        size = log[:, high] + np.log1p(-np.minimum(gap, 1.0))
        by_mean = np.exp(below[:, low] - size) - np.exp(below[:, high] - size)
        by_sigma = np.exp(density[:, high] - size) - np.exp(density[:, low] - size)
    return _Growth(size, by_mean, by_sigma)


def _after_nothing(logs: Array) -> Array:
    """With a first column for the logarithm of 0."""
    return np.concatenate([np.full((len(logs), 1), -np.inf), logs], axis=1)
