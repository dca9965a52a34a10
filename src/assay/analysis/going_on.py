"""What as many trials again are expected to bring, from the record of a search alone.

    n      trials that have ended           b(m)   best loss after m of them
    s      max(b(n/2) - b(n), (b(n/4) - b(n/2)) / 2): what the halvings of the search brought

b(n) - b(2n) is at most s in about four of five searches, and at most s / 5 in half of them. Both were
chosen on 24 problems, and hold on 22 others and for other samplers: benchmarks/results/going_on.md,
which also has why no Gaussian process is asked: what it takes for the most that is left is
passed far too often.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from assay.core.history import History
from assay.math.halvings import brought

FEWEST = 20
MIDDLE = 0.2


@dataclass(frozen=True)
class GoingOn:
    """What as many trials again bring, in units of the objective.

    Attributes:
        trials: that have ended, and as many again.
        middle: in half of such searches no more than this.
        most: in four of five no more than this; above 0.
    """

    trials: int
    middle: float
    most: float


def going_on(losses: list[float]) -> GoingOn | None:
    """The forecast; None for fewer than 20 trials, or if the last three quarters brought nothing.

    Args:
        losses: of all trials that have ended, in the order of their numbers; infinite: failed.

    >>> going_on([1.0] * 5 + [0.5] * 5 + [0.4] * 10)
    GoingOn(trials=20, middle=0.05, most=0.25)
    """
    n = len(losses)
    if n < FEWEST:
        return None
    most = brought(losses)
    return GoingOn(n, MIDDLE * most, most) if 0 < most < math.inf else None


def losses_of(history: History, sign: float) -> list[float]:
    """The losses of the trials that have ended; sign -1 if values are maximised."""
    told = {number: sign * end.values[0] for number, end in history.told()}
    ended = sorted({*told, *history.failed})
    return [told.get(number, float("inf")) for number in ended]
