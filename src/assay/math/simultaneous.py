"""Intervals of several effects at once: the chance that any of them misses is bounded, not of each.

Effects that were measured on the same units are correlated, which makes the family of comparisons
smaller than it looks. The largest of several t values has the distribution of a multivariate t with
that correlation, whose quantile replaces that of Student's t.

Source: Hothorn, Bretz and Westfall 2008, Simultaneous inference in general parametric models,
Biometrical Journal 50(3), 346-363.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from assay.math.checks import Array, finite, not_negative, probability
from assay.math.intervals import ROUNDING, Interval, student

_DRAWS = 40_000
METHOD = "max-t over a family of effects"


@dataclass(frozen=True)
class Adjusted:
    """An effect with its simultaneous interval, and how probable so large a t is by chance in any."""

    interval: Interval
    p: float


def simultaneous(
    blocks: npt.ArrayLike, test_train_ratio: float, rng: np.random.Generator, level: float = 0.95
) -> list[Adjusted]:
    """The mean of each effect, with intervals that hold for all of them at once.

    The variance of a mean has two parts: units, corrected for the training rows that splits share
    (Nadeau and Bengio 2003), and searches, where a whole search was repeated:
    s^2_units * (1/J + n2/n1) + s^2_searches / S, df by Satterthwaite's rule. The
    second holds a little of the first; that makes the interval longer, never shorter.

    Args:
        blocks: differences, shape (effects, searches, units): the same units for all effects.
        test_train_ratio: n2/n1, rows in validation over rows in training; 0 for independent units.
        rng: for the quantile of the largest of several correlated t values.
        level: that all intervals hold.

    Raises:
        DataError: fewer than two units, or a difference that is not finite.

    >>> d = [[[0.1, 0.2, 0.15]], [[0.0, 0.1, 0.05]]]
    >>> [round(a.interval.estimate, 2) for a in simultaneous(d, 0.0, np.random.default_rng(0))]
    [0.15, 0.05]
    """
    probability(level, "level")
    ratio = not_negative(test_train_ratio, "test_train_ratio")
    array = finite(blocks, "differences", ndim=3)
    cov, df = _covariance(array, ratio)
    se = np.sqrt(np.diag(cov))
    moving = se > ROUNDING * np.maximum(np.abs(array).max(axis=(1, 2)), 1e-300)
    least = float(df[moving].min()) if moving.any() else float(array.shape[2] - 1)
    largest = _largest(cov[np.ix_(moving, moving)], least, rng)
    widen = _quantile(largest, least, level)
    means = array.mean(axis=(1, 2))
    family = _Family(least, widen, largest, array.shape[2], level)
    return [
        _adjusted(float(mean), float(error) if moves else 0.0, family)
        for mean, error, moves in zip(means, se, moving, strict=True)
    ]


@dataclass(frozen=True)
class _Family:
    """What all effects share: degrees of freedom, the widened quantile, and draws behind it."""

    df: float
    widen: float | None
    largest: Array
    units: int
    level: float


def _adjusted(mean: float, se: float, of: _Family) -> Adjusted:
    if se == 0:
        point = Interval(mean, mean, mean, 0.0, None, "no spread", of.units, of.level)
        return Adjusted(point, 1.0 if mean == 0 else 0.0)
    if of.widen is None:
        alone = student(mean, se, of.df, "corrected t", of.units, of.level)
        return Adjusted(alone, one_t(mean, se, of.df))
    half = of.widen * se
    larger = np.count_nonzero(of.largest >= abs(mean) / se)
    interval = Interval(mean, mean - half, mean + half, se, of.df, METHOD, of.units, of.level)
    return Adjusted(interval, float((larger + 1) / (of.largest.size + 1)))


def _covariance(array: Array, ratio: float) -> tuple[Array, Array]:
    """Of the means, and the degrees of freedom of each."""
    _, searches, units = array.shape
    by_unit, by_search = array.mean(axis=1), array.mean(axis=2)
    if units < 2:
        finite(by_unit[0], "units", ndim=1, least=2)
    part = np.atleast_2d(np.cov(by_unit)) * (1 / units + ratio)
    luck = np.zeros_like(part)
    if searches > 1:
        luck = np.atleast_2d(np.cov(by_search)) / searches
    a, b = np.diag(part), np.diag(luck)
    below = a**2 / (units - 1) + b**2 / max(searches - 1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        df = np.where(below > 0, (a + b) ** 2 / below, units - 1.0)
    return part + luck, df


def _largest(cov: Array, df: float, rng: np.random.Generator) -> Array:
    """Draws of the largest absolute t value of a family without effects; empty for one or none."""
    k = len(cov)
    if k < 2:
        return np.empty(0)
    se = np.sqrt(np.diag(cov))
    values, vectors = np.linalg.eigh(cov / np.outer(se, se))
    root = vectors * np.sqrt(np.clip(values, 0, None))
    normal = rng.standard_normal((_DRAWS, k)) @ root.T
    scale = np.sqrt(rng.chisquare(df, _DRAWS) / df)
    return np.asarray(np.abs(normal).max(axis=1) / scale)


def _quantile(largest: Array, df: float, level: float) -> float | None:
    """None where Student's own is meant. Never below it: the draws are finite in number."""
    if not largest.size:
        return None
    own = student(0.0, 1.0, df, "", 2, level).high
    return max(float(np.quantile(largest, level)), own)


def holm(p_values: npt.ArrayLike) -> list[float]:
    """P values adjusted by Holm's step-down rule, in the order given: needs no correlation.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    >>> holm([0.01, 0.04])
    [0.02, 0.04]
    """
    p = finite(p_values, "p values", ndim=1)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(x) for x in adjusted]


def benjamini_hochberg(p_values: npt.ArrayLike) -> list[float]:
    """P values adjusted for the share of false findings, for what is only explored.

    Source: Benjamini and Hochberg 1995, JRSS B 57, 289-300.

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    [0.03, 0.04, 0.04]
    """
    p = finite(p_values, "p values", ndim=1)
    order = np.argsort(p, kind="stable")[::-1]
    ranks = p.size - np.arange(p.size)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(p[order] * p.size / ranks), 1.0)
    return [float(x) for x in adjusted]


def one_t(mean: float, se: float, df: float) -> float:
    """The two-sided p value of one t value; 0 or 1 without any spread."""
    from scipy.special import stdtr

    if se == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(df, -abs(mean) / se))
