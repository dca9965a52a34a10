"""What the halvings of a search brought."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def brought(losses: Sequence[float]) -> float:
    """The gain of the second half of the trials, or half of that of the second quarter if that is more.

    Args:
        losses: at least four, in order; infinite where there is none. If the first quarter has no
            finite one, so is what was brought.

    >>> brought([1.0] * 5 + [0.5] * 5 + [0.4] * 10)
    0.25
    """
    n = len(losses)
    best = np.minimum.accumulate(losses)
    quarter, half, whole = best[n // 4 - 1], best[n // 2 - 1], best[-1]
    return float(max(half - whole, (quarter - half) / 2)) if np.isfinite(quarter) else float("inf")
