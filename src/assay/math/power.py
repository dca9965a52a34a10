"""What the data can show before any money is spent."""

from __future__ import annotations

from math import ceil, sqrt

from assay.core.errors import SpecError
from assay.math.checks import at_least, not_negative, probability
from assay.math.intervals import normal_quantile, t_quantile


def smallest_detectable_gain(
    sd: float, n_units: int, test_train_ratio: float, level: float = 0.95, power: float = 0.8
) -> float:
    """The true gain that `corrected_paired` would find with the given power.

    (t_level + t_power) * sd * sqrt(1/J + n2/n1), df = J - 1. As J grows it stops at
    2.8 * sd * sqrt(n2/n1): more repeats cannot buy more evidence than the data hold.

    Args:
        sd: standard deviation of the paired differences between two equal configs.
        n_units: J, planned units, >= 2.
        test_train_ratio: n2/n1.
        level: of the interval that must exclude zero.
        power: probability of finding the gain.

    Raises:
        SpecError: a value out of its range.

    >>> round(smallest_detectable_gain(0.01, n_units=10, test_train_ratio=0.25), 4)
    0.0186
    """
    df = at_least(n_units, 2, "n_units") - 1
    t = t_quantile((1 + probability(level, "level")) / 2, df)
    t += t_quantile(probability(power, "power"), df)
    ratio = not_negative(test_train_ratio, "test_train_ratio")
    return t * not_negative(sd, "sd") * sqrt(1 / n_units + ratio)


def rows_needed(p_disagree: float, gain: float, level: float = 0.95, power: float = 0.8) -> int:
    """Test rows that show an accuracy gain of `gain` with the given power.

    (z_level + z_power)^2 * (p - gain^2) / gain^2, where p is the share of rows on which exactly
    one of the two models is right.

    Raises:
        SpecError: p_disagree is not in (0, 1], or the gain not in (0, p_disagree].

    Source: Connor 1987, Biometrics 43, 207-211, without its refinement under the null.

    >>> rows_needed(0.10, 0.02), rows_needed(0.10, 0.01)
    (1955, 7842)
    """
    if not 0 < p_disagree <= 1:
        raise SpecError(f"p_disagree must lie in (0, 1], got {p_disagree!r}.")
    if not 0 < gain <= p_disagree:
        raise SpecError(
            f"gain must lie in (0, p_disagree = {p_disagree}], got {gain!r}: accuracy cannot "
            "change on more rows than the models disagree on."
        )
    z = normal_quantile((1 + probability(level, "level")) / 2)
    z += normal_quantile(probability(power, "power"))
    return max(1, ceil(z * z * (p_disagree - gain * gain) / (gain * gain)))
