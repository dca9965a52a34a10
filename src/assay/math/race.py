"""Whether one of two that are measured unit by unit can still win. Pure.

K, k    units in all, and those done        d_f   loss of one minus the other's, unit f
m, s    mean and sd of the d_f done         D     mean of the d_f of all units, not yet known

Whichever k of the K units come first, (m - D) / se with se = s sqrt(1/k - 1/K) has Student's t
distribution for normal d_f, whatever D is: the missing units are all that is uncertain. Units are folds
of a trial, or searches of a variant.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

PRIOR_DF = 3.0
"""What the differences of others count for, in degrees of freedom of s (Smyth 2004)."""


def chance_to_win(differences: Sequence[float], units: int, earlier: float | None) -> float:
    """The chance that the mean difference over all units is below 0, from that of the first of them.

    Args:
        differences: losses minus those of the other on the units done, fewer than `units`: at least
            two, or one where `earlier` is known.
        units: in all.
        earlier: the variance of such differences among others; None: not known.

    Source: Smyth 2004, doi:10.2202/1544-6115.1027 (shrunken variances). Differs: a finite number of units.

    >>> round(chance_to_win([0.1, 0.2, 0.1], 10, None), 3)
    0.021
    >>> chance_to_win([0.1, 0.1], 10, None)
    0.0
    >>> round(chance_to_win([0.1], 3, 0.01), 3)
    0.154
    """
    from scipy.special import stdtr

    k = len(differences)
    mean, own = sum(differences) / k, variance(differences)
    df = float(k - 1)
    if earlier is not None:
        own, df = (PRIOR_DF * earlier + df * own) / (PRIOR_DF + df), PRIOR_DF + df
    se = sqrt(own * (1 / k - 1 / units))
    if se == 0:
        return 0.5 if mean == 0 else float(mean < 0)
    return float(stdtr(df, -mean / se))


def variance(values: Sequence[float]) -> float:
    """The variance with divisor n - 1; exactly 0 for equal values."""
    if min(values) == max(values):
        return 0.0
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)
