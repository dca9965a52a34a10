"""How much of being among the best trials each parameter explains by itself: PED-ANOVA.

    y_i     1 if trial i is among the best, else 0; their mean is g
    x_i     the value of the parameter in trial i, as its rank among all trials, or its category
    K_ic    the mass of a kernel around x_i in cell c; each row sums to 1
    q_c     mean of K_ic over all trials; p_c, the same over the best
    m_c     g p_c / q_c: the chance of being among the best, given that the parameter is in cell c
    R^2     sum_c q_c (m_c - g)^2 / (g (1 - g)): the variance of m as a share of that of y

Source: Watanabe et al. 2023, arXiv:2304.10255: g^2 times the Pearson divergence of p from q,
sum_c q_c (p_c / q_c - 1)^2, is the variance of m. Conditional parameters: arXiv:2601.20800, theorem
4.2: what counts is the variance among the trials that have the parameter, weighted by their share;
what having it does is its parent's.

Differs: (1) Divided by g (1 - g), so that it is a share of 1 at most, whatever g is. (2) Both
densities use the same kernels, in ranks: the divergence does not change with the scale of x, and
ranks look closer where there are more trials. (3) No prior, but an adjustment for chance, as for
the R^2 of a regression: a few trials picked blindly are never spread like all, so that without it
every parameter seems to matter when trials are few. As it pays for narrow kernels, they have a
third of Scott's width: wide ones blur, and what matters most looks less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from assay.math.checks import Array
from assay.math.encoding import Mask

CELLS = 100
WIDTH = 0.35 * 1.059  # Scott 1992: 1.059 sd n^(-1/5)
LEAST_BEST = 5


class Explained(NamedTuple):
    """R^2 as it is, and adjusted for chance, each of shape (draws,)."""

    raw: Array
    adjusted: Array


class Share(NamedTuple):
    """A share between 0 and 1, and its interval."""

    value: float
    low: float
    high: float


def shares(
    points: Array,
    ordered: Sequence[bool],
    losses: Array,
    rng: np.random.Generator,
    *,
    top: float = 0.1,
    level: float = 0.95,
    draws: int = 200,
) -> list[Share]:
    """What each parameter explains, with bootstrap intervals over trials.

    In every draw the best are found again. Half the width of an interval is the `level`-quantile of
    how far the draws are from what they were drawn from. It covers the chance in which trials were
    made, not the blur of the kernels.

    Args:
        points: coordinates of the trials, shape (trials, parameters); NaN where not active.
        ordered: for each parameter, whether neighbouring values resemble each other.
        losses: lower is better, shape (trials,), not all equal.
        top: the share of the trials that count as the best; at least 5 do, and equal losses together.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.random((200, 2))
    >>> found = shares(x, [True, True], x[:, 0], rng)
    >>> found[0].low > 0.5, found[1].low
    (True, 0.0)
    """
    n = len(losses)
    once, again = np.ones((1, n)), rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(float)
    best, best_again = best_of(losses, once, top), best_of(losses, again, top)
    found = []
    for column, is_ordered in zip(points.T, ordered, strict=True):
        cells = kernels(column, best[0] > 0, ordered=is_ordered)
        whole = explained(cells, best, once)
        away = np.abs(explained(cells, best_again, again).adjusted - whole.raw)
        found.append(_share(float(whole.adjusted[0]), float(np.quantile(away, level))))
    return found


def _share(value: float, half: float) -> Share:
    low, value, high = (min(max(x, 0.0), 1.0) for x in (value - half, value, value + half))
    return Share(value, low, high)


def best_of(losses: Array, weights: Array, top: float) -> Array:
    """1 for the trials that are among the best in each draw, shape (draws, trials).

    >>> best_of(np.arange(6.0), np.ones((1, 6)), 0.1)
    array([[1., 1., 1., 1., 1., 0.]])
    """
    order = np.argsort(losses, kind="stable")
    upto = np.cumsum(weights[:, order], axis=1)
    wanted = max(math.ceil(top * len(losses) - 1e-9), LEAST_BEST)
    bar = losses[order][np.argmax(upto >= wanted, axis=1)]
    return np.asarray(losses <= bar[:, None], float)


def explained(cells: Array, best: Array, weights: Array) -> Explained:
    """R^2 over all trials.

    Args:
        cells: K, shape (trials, cells); rows of zeros for trials without the parameter.
        best: y in each draw, shape (draws, trials).
        weights: how often a trial counts in each draw, shape (draws, trials).

    Returns:
        0 where all trials are among the best. An adjusted value may be a little below 0.

    >>> best = np.array([[True, True, False, False]])
    >>> cells = kernels(np.array([0.1, 0.2, 0.8, 0.9]), best[0], ordered=True)
    >>> explained(cells, best, np.ones((1, 4))).raw.round(3)
    array([1.])
    """
    chosen = weights * best
    rate = chosen.sum(axis=1) / weights.sum(axis=1)
    variance = weights.sum(axis=1) * rate * (1 - rate)
    mass, hits = weights @ cells, chosen @ cells
    having, best_having = mass.sum(axis=1), hits.sum(axis=1)
    within = _ratio(hits**2, mass).sum(axis=1) - _ratio(best_having**2, having)
    raw = _ratio(within, variance)
    most = _ratio(best_having * (1 - _ratio(best_having, having)), variance)
    freedom = _ratio(weights @ cells**2, mass).sum(axis=1) - 1
    by_chance = np.clip(_ratio(freedom, having - 1), 0.0, 1.0)
    return Explained(raw, _ratio(raw - by_chance * most, 1 - by_chance))


def kernels(coordinates: Array, best: Mask, *, ordered: bool) -> Array:
    """K for the values of one parameter, shape (trials, cells); zeros where it is not active.

    Args:
        coordinates: shape (trials,), NaN where the parameter is not active.
        best: which trials are among the best, shape (trials,).
        ordered: whether neighbouring values resemble each other; else each has its own cell.
    """
    has = ~np.isnan(coordinates)
    _, which, counts = np.unique(coordinates[has], return_inverse=True, return_counts=True)
    found = np.zeros((len(coordinates), CELLS if ordered else len(counts)))
    if not ordered:
        found[has, which] = 1.0
    elif len(counts):
        ranks = ((np.cumsum(counts) - counts / 2) / counts.sum())[which]
        found[has] = _normal(ranks, _width(ranks[best[has]]))
    return found


def _normal(ranks: Array, width: float) -> Array:
    centres = (np.arange(CELLS) + 0.5) / CELLS
    squared = ((centres - ranks[:, None]) / width) ** 2
    near = np.exp(-0.5 * (squared - squared.min(axis=1, keepdims=True)))
    return np.asarray(near / near.sum(axis=1, keepdims=True))


def _width(ranks: Array) -> float:
    """The width of the kernels for the best trials, but at least that of a cell."""
    if len(ranks) < 2:
        return 1.0
    low, high = np.quantile(ranks, [0.25, 0.75])
    spread = min(float(ranks.std(ddof=1)), float(high - low) / 1.34)
    return max(WIDTH * spread * math.pow(len(ranks), -0.2), 1 / CELLS)


def _ratio(a: Array, b: Array) -> Array:
    """The ratio of `a` to `b`, and 0 where `b` is 0."""
    return np.divide(a, b, out=np.zeros(np.shape(a)), where=b != 0)
