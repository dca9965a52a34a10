"""Intervals for means and paired differences, each with the standard error its data deserve.

Notation: d = differences (selected minus control, so that a gain is positive whenever higher
values are better), J = their number, n1 and n2 = rows in training and in validation,
rho = n2 / n1, s = standard deviation with divisor J - 1.

If all values are equal, s = 0 and the interval is a point: the data hold no sign of noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from assay.core.errors import DataError
from assay.math.checks import Array, at_least, finite, not_negative, probability

ROUNDING = 1e-12
"""Values that differ by a smaller share of their size are equal but for rounding."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence interval, in the units of what was measured.

    `df` is None where no t distribution was used; `n` counts what was averaged (rows, folds,
    seeds); `method` is the plain name of the method, for the report.
    """

    estimate: float
    low: float
    high: float
    se: float
    df: float | None
    method: str
    n: int
    level: float = 0.95

    def __post_init__(self) -> None:
        numbers = (self.estimate, self.low, self.high, self.se)
        if not all(map(isfinite, numbers)) or self.low > self.high or self.se < 0:
            raise DataError(
                "An interval needs finite numbers, low <= high and se >= 0, got estimate, low, "
                f"high, se = {numbers}."
            )
        probability(self.level, "level")

    @property
    def half_width(self) -> float:
        """Half the distance between the two ends."""
        return (self.high - self.low) / 2


def mean_t(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The mean of independent values, with Student's t interval (df = n - 1).

    Raises:
        DataError: fewer than two values, or one that is not finite.

    >>> mean_t([1.0, 2.0, 3.0]).estimate
    2.0
    """
    return _student_of(_several(values, "values"), 0.0, level, "Student t")


def paired_t(differences: npt.ArrayLike, level: float = 0.95) -> Interval:
    """The mean of independent paired differences, with the classic paired t interval.

    For differences on independent rows of a test set. Scores of overlapping training sets (folds,
    repeats) are not independent: use `corrected_paired` there.

    Raises:
        DataError: fewer than two differences, or one that is not finite.

    >>> paired_t([0.1, 0.3]).df
    1.0
    """
    return _student_of(_several(differences, "differences"), 0.0, level, "paired t")


def corrected_paired(
    differences: npt.ArrayLike, test_train_ratio: float, level: float = 0.95
) -> Interval:
    """The mean difference over resampled splits, with the corrected resampled t interval.

    se = s * sqrt(1/J + n2/n1), df = J - 1. The term n2/n1 stands for the training rows that splits
    share; it does not shrink with J, so repeating splits cannot make evidence out of nothing.

    Args:
        differences: one per unit on common splits, shape (J,), J >= 2.
        test_train_ratio: n2/n1, rows in validation over rows in training; 1/(K-1) for K folds,
            0 for independent units.
        level: coverage asked for.

    Raises:
        DataError: J < 2, or a difference that is not finite.
        SpecError: the ratio is negative, or the level not between 0 and 1.

    Source: Nadeau and Bengio 2003, Machine Learning 52, 239-281.

    >>> corrected_paired([0.01, 0.02, 0.03, 0.02, 0.02], test_train_ratio=0.25).low > 0
    True
    """
    ratio = not_negative(test_train_ratio, "test_train_ratio")
    return _student_of(_several(differences, "differences"), ratio, level, "corrected paired t")


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """A proportion, with Wilson's score interval; never empty, never outside [0, 1].

    `estimate` is the plain proportion, `se` the plain binomial standard error.

    Raises:
        SpecError: n < 1, or successes not a whole number from 0 to n.

    Source: Wilson 1927, JASA 22, 209-212.

    >>> interval = wilson(0, 10)
    >>> interval.low, round(interval.high, 3)
    (0.0, 0.278)
    """
    n = at_least(n, 1, "n")
    successes = at_least(successes, 0, "successes")
    at_least(n - successes, 0, "n - successes")
    z = normal_quantile((1 + probability(level, "level")) / 2)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At the two ends the formula gives exactly 0 and 1; rounding would miss them by 1e-17.
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(p, low, high, sqrt(p * (1 - p) / n), None, "Wilson", n, level)


def diebold_mariano(
    losses_control: npt.ArrayLike,
    losses_selected: npt.ArrayLike,
    horizon: int = 1,
    level: float = 0.95,
) -> Interval:
    """The gain (mean loss of the control minus that of the selected) over rows in order of time.

    Errors of forecasts `horizon` steps ahead overlap, so their first horizon - 1 autocovariances
    enter the variance; a small-sample factor and a t distribution with n - 1 df follow.

    Args:
        losses_control: one loss per row in order of time, shape (n,), lower is better.
        losses_selected: the same rows, shape (n,).
        horizon: steps ahead that were forecast, 1 <= horizon < n.
        level: coverage asked for.

    Raises:
        DataError: shapes differ, fewer than two rows, or values that are not finite.
        SpecError: the horizon is not a whole number from 1 to n - 1.

    Source: Diebold and Mariano 1995 (JBES 13, 253-263); factor and df of Harvey, Leybourne and
    Newbold 1997 (IJF 13, 281-291). Differs: where the sum of autocovariances is not
    positive, Bartlett weights replace it, which cannot go below zero.

    >>> diebold_mariano([1.0, 2.0, 1.5, 2.5], [0.9, 1.8, 1.6, 2.0]).estimate.__round__(3)
    0.175
    """
    control = _several(losses_control, "losses_control")
    selected = _several(losses_selected, "losses_selected")
    if control.shape != selected.shape:
        raise DataError(
            "losses_control and losses_selected must cover the same rows, got "
            f"{control.size} and {selected.size}."
        )
    n = control.size
    at_least(n - 1 - at_least(horizon, 1, "horizon"), 0, f"rows - 1 - horizon ({horizon})")
    d = control - selected
    factor = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    se = sqrt(_long_run_variance(d, horizon) / n / factor)
    return student(float(d.mean()), se, n - 1, "Diebold-Mariano", n, level)


class Posterior(NamedTuple):
    """Three probabilities that add up to one: the selected config is worse, equal, better."""

    worse: float
    equal: float
    better: float


def posterior(differences: npt.ArrayLike, test_train_ratio: float, rope: float) -> Posterior:
    """How probable it is that the true difference is below -rope, within it, or above rope.

    The Bayesian twin of `corrected_paired`: Student t with J - 1 df around the mean difference,
    scale s * sqrt(1/J + n2/n1). Without any variance all probability lies on the mean itself.

    Args:
        differences: one per unit on common splits, higher is better, shape (J,), J >= 2.
        test_train_ratio: n2/n1.
        rope: half-width of the region of practical equivalence (the smallest gain), >= 0.

    Raises:
        DataError: J < 2, or a difference that is not finite.
        SpecError: the ratio or the rope is negative.

    Source: Benavoli et al. 2017, JMLR 18(77), with correlation n2/(n1+n2).

    >>> posterior([0.02, 0.02, 0.02], 0.25, rope=0.01)
    Posterior(worse=0.0, equal=0.0, better=1.0)
    """
    from scipy.special import stdtr

    rope = not_negative(rope, "rope")
    d = corrected_paired(differences, test_train_ratio)
    if d.se == 0:
        worse, better = float(d.estimate < -rope), float(d.estimate > rope)
    else:
        worse = float(stdtr(d.df, (-rope - d.estimate) / d.se))
        better = float(stdtr(d.df, (d.estimate - rope) / d.se))
    return Posterior(worse, max(0.0, 1.0 - worse - better), better)


def student(estimate: float, se: float, df: float, method: str, n: int, level: float) -> Interval:
    """The interval estimate +- t(df) * se.

    >>> round(student(0.0, 1.0, 10, "t", 11, 0.95).high, 3)
    2.228
    """
    half = t_quantile((1 + probability(level, "level")) / 2, df) * se
    return Interval(estimate, estimate - half, estimate + half, se, float(df), method, n, level)


def t_quantile(p: float, df: float) -> float:
    """The p-quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def normal_quantile(p: float) -> float:
    """The p-quantile of the standard normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(p))


def spread(values: Array) -> float:
    """Standard deviation with divisor n - 1; exactly 0 if all values are equal but for rounding.

    >>> spread(np.array([0.1, 0.1, 0.3 - 0.2]))
    0.0
    """
    # Equal differences, and the mean of equal floats, may be off by bits: that would fake a variance.
    apart = np.ptp(values) > ROUNDING * np.abs(values).max()
    return float(values.std(ddof=1)) if apart else 0.0


def _student_of(values: Array, ratio: float, level: float, method: str) -> Interval:
    se = spread(values) * sqrt(1 / values.size + ratio)
    return student(float(values.mean()), se, values.size - 1, method, values.size, level)


def _several(values: npt.ArrayLike, name: str) -> Array:
    array = finite(values, name, ndim=1)
    if array.size < 2:
        raise DataError(
            f"{name} holds a single value, which says nothing about noise. "
            "Measure at least two units (folds, repeats or seeds)."
        )
    return array


def _long_run_variance(d: Array, horizon: int) -> float:
    if np.ptp(d) == 0:
        return 0.0
    centred = d - d.mean()
    gamma = np.array([centred[k:] @ centred[: d.size - k] for k in range(horizon)]) / d.size
    plain = gamma[0] + 2 * gamma[1:].sum()
    if plain > 0:
        return float(plain)
    weights = 1 - np.arange(1, horizon) / horizon
    return float(gamma[0] + 2 * (weights * gamma[1:]).sum())
