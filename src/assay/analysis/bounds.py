"""What values a metric can have at all, and what follows for what is shown of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from assay.math.intervals import ROUNDING, Interval


@dataclass(frozen=True)
class Bounds:
    """The least and the largest value of a metric; infinite where there is none, or it is not known.

    Intervals from resamples or a t distribution know no bounds: on few rows an AUC of 0.94 reaches
    beyond 1. What lies there is cut off when a result is written, since nobody can have it.
    """

    least: float = -inf
    most: float = inf

    def ends(self, low: float, high: float) -> tuple[float, float]:
        """The ends of an interval of a value, neither beyond what is possible.

        >>> Bounds(0.0, 1.0).ends(0.77, 1.01)
        (0.77, 1.0)
        """
        return max(low, self.least), min(high, self.most)

    def of_gain(self, gain: Interval) -> Interval:
        """The interval of a difference of two values, neither end beyond what is possible."""
        widest = self.most - self.least
        return replace(gain, low=max(gain.low, -widest), high=min(gain.high, widest))

    def best(self, *, maximize: bool) -> float:
        """The best value that there can be."""
        return self.most if maximize else self.least

    def blind(self, *arms: Mapping[str, Any], maximize: bool) -> bool:
        """Whether each value is the same on any draw of the rows, and not the best that there can be.

        F1 is 0 on all draws where no positive row is found, the AUC of equal scores is always 0.5: such
        rows show no noise because the metric sees nothing in them, not because there is none.

        Args:
            arms: the "low" and "high" of the interval of each.

        >>> [Bounds(0.0, 1.0).blind({"low": f1, "high": f1}, maximize=True) for f1 in (0.0, 1.0)]
        [True, False]
        """
        best = self.best(maximize=maximize)
        return all(_stuck(arm["low"], arm["high"], best) for arm in arms)


UNKNOWN = Bounds()


def _stuck(low: float, high: float, best: float) -> bool:
    nothing = ROUNDING * max(1.0, abs(low))
    return high - low <= nothing and abs(low - best) > nothing
