"""Intervals that hold for new rows and new seeds: a mean over refits, measured on common rows.

Rows are resampled. Refits are too few for that: five seeds drawn from five show 80 % of their
variance and none of the tails. What they add is taken from a t distribution instead, with the
variance seen between refits less the part that is only rows in disguise (the price of two refits
is then a t with one degree of freedom, that is a very wide interval; five are enough):

    var = var_rows + var_seeds,   var_seeds = max(0, s^2_refits - var_rows_apart) / R

where var_rows comes from resamples of the mean over refits, and var_rows_apart, the row noise
that refits do not have in common, from resamples of single refits. To draw rows and refits both
with replacement would count that share up to three times (Owen 2007, Annals of Applied
Statistics 1, 386-411).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from assay.math.checks import Array
from assay.math.intervals import Interval, normal_quantile, t_quantile
from assay.math.rows import Rows


@dataclass(frozen=True, slots=True)
class Resampling:
    """How rows are drawn, with what chance, for which level, how often."""

    rows: Rows
    rng: np.random.Generator
    level: float
    draws: int


@dataclass(frozen=True, slots=True)
class Measured:
    """A quantity of each refit: on the rows as they are, (R,), and on resamples, (draws, R)."""

    point: Array
    draws: Array

    def minus(self, other: Measured) -> Total:
        """The difference: of pairs if both have equally many refits, else of independent seeds."""
        if self.point.size == other.point.size:
            return Total((Measured(self.point - other.point, self.draws - other.draws),))
        return Total((self, Measured(-other.point, -other.draws)))

    def seeds(self) -> tuple[float, int]:
        """The variance that seeds give to the mean over refits, and its degrees of freedom."""
        refits = self.point.size
        if refits == 1:
            return 0.0, 1
        single, mean = self.draws.var(axis=0).mean(), self.draws.mean(axis=1).var()
        apart = (single - mean) * refits / (refits - 1)
        excess = float(self.point.var(ddof=1) - apart)
        rounding = 1e-12 * float(np.abs(self.point).max())
        return (excess / refits if excess > rounding**2 else 0.0), refits - 1


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of parts that share their resamples of rows but not their seeds."""

    parts: tuple[Measured, ...]

    @property
    def estimate(self) -> float:
        """The sum of the means over refits."""
        return float(sum(part.point.mean() for part in self.parts))

    @property
    def deviations(self) -> Array:
        """How far each resample of the rows lies from the estimate, shape (draws,)."""
        drawn = np.sum([part.draws.mean(axis=1) for part in self.parts], axis=0)
        return np.asarray(drawn - self.estimate)

    @property
    def seeds_variance(self) -> float:
        """The variance due to seeds."""
        return sum(part.seeds()[0] for part in self.parts)

    def seeds_noise(self, rng: np.random.Generator, draws: int) -> Array:
        """Draws of what other seeds would have added."""
        noise = np.zeros(draws)
        for variance, df in map(Measured.seeds, self.parts):
            noise += sqrt(variance) * rng.standard_t(df, draws)
        return noise


def percentile(total: Total, longer: Total, of: Resampling, one_row: float = 0.0) -> Interval:
    """The interval between percentiles of resamples, stretched for what resamples lack.

    They are stretched by t / z * sqrt(m / (m - 1)) for m independent units (Hesterberg 2015, The
    American Statistician 69, 371-386, there as a change of level), and by what blocks of time
    twice as long show beyond the short ones. `one_row` is the weight of one row: noise of that
    size is added where values are so coarse that a resample may show none.
    """
    deviations = total.deviations
    m, upper = of.rows.independent, (1 + of.level) / 2
    beyond = _extrapolated(deviations, longer.deviations)
    stretch = beyond * t_quantile(upper, m - 1) / normal_quantile(upper) * sqrt(m / (m - 1))
    around = stretch * deviations + one_row * of.rng.standard_normal(deviations.size)
    se_rows = sqrt(beyond**2 * deviations.var() + one_row**2)
    return _between(total, around, se_rows, of, "percentile")


def studentised(total: Total, variance: float, variances: Array, of: Resampling) -> Interval:
    """The interval from resamples of t = deviation / standard error; holds for skewed values.

    Args:
        total: the mean that is estimated.
        variance: its variance over rows, estimated on the rows as they are.
        variances: the same estimated on each resample, shape (draws,).
        of: how it was resampled.

    Source: Efron 1981, Canadian Journal of Statistics 9, 139-158. Differs: the noise of seeds is
    added to the distribution that the pivots of the rows imply.
    """
    deviations = total.deviations
    # A resample that drew equal units only has no standard error: leave it out.
    known = variances > 0
    pivots = deviations[known] / np.sqrt(variances[known])
    around = -sqrt(variance) * pivots if pivots.size else np.zeros(1)
    return _between(total, around, sqrt(variance), of, "studentised")


def _between(total: Total, around: Array, se_rows: float, of: Resampling, how: str) -> Interval:
    estimate = total.estimate
    around = around + total.seeds_noise(of.rng, around.size)
    low, high = np.quantile(around, [(1 - of.level) / 2, (1 + of.level) / 2])
    se = sqrt(se_rows**2 + total.seeds_variance)
    method = f"{how} bootstrap of {of.rows.kind} and refits"
    ends = estimate + float(low), estimate + float(high)
    return Interval(estimate, *ends, se, None, method, of.rows.n, of.level)


def _extrapolated(short: Array, longer: Array) -> float:
    """sqrt((2 v_long - v_short) / v_short), at least 1; see `rows.Ordered`."""
    v_short, v_long = float(short.var()), float(longer.var())
    return sqrt(max(1.0, 2 * v_long / v_short - 1)) if v_short > 0 else 1.0
