"""Which part of a long history is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from assay.report import chart
from assay.report.evidence import Course, Point

T = TypeVar("T")

_MOST = 2000
_BUCKETS = 200
_SAMPLE = 1200


def shown_range(course: Course) -> tuple[float, float, int]:
    """The bounds of the chart, and how many points lie beyond them.

    A few trials that went badly wrong must not flatten the rest: the bad side ends where it is as
    far from the 20 % point as that is from the best.
    """
    sign = 1.0 if course.higher_is_better else -1.0
    goodness = np.sort([sign * point.y for point in course.points])
    bad, best = float(goodness[len(goodness) // 5]), float(goodness[-1])
    fence = bad - max(best - bad, 1e-12 + abs(bad) * 1e-6)
    kept = sign * goodness[np.searchsorted(goodness, fence) :]
    extra = [0.0] if course.of_gains else []
    if course.band:
        extra += [course.band, -course.band]
    extra += [gain for _, gain in course.luck[-1:]]
    extra += [point.y for point in course.shadow]
    low, high = chart.around([float(kept.min()), float(kept.max()), *extra])
    beyond = np.count_nonzero((sign * goodness < low) | (sign * goodness > high))
    return low, high, int(beyond)


def thinned(points: Sequence[Point], keep: Sequence[Point]) -> list[Point]:
    """All points, or where they are too many, `keep`, a fair sample, and the extremes of each stretch."""
    if len(points) <= _MOST:
        return list(points)
    trials, y = np.array([p.trial for p in points]), np.array([p.y for p in points])
    stretch = (trials - trials.min()) * _BUCKETS // (np.ptp(trials) + 1)
    order = np.lexsort((y, stretch))
    first = np.flatnonzero(np.diff(stretch[order], prepend=-1))
    extremes = order[np.concatenate([first, first[1:] - 1, [-1]])]
    kept = [*_every(points, _SAMPLE), *(points[i] for i in extremes), *keep]
    by_trial = {p.trial: p for p in kept}
    return [by_trial[trial] for trial in sorted(by_trial)]


def _every(found: Sequence[T], most: int) -> Sequence[T]:
    """Evenly spaced ones, at most so many."""
    return found[:: max(1, -(-len(found) // most))]
