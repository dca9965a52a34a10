"""Fronts: who is ahead where several losses count.

Who is dominated by fewer comes first: the front that nothing dominates, then the one that only that
dominates, and so on. Within a front the first is the best compromise, the one whose places among all,
one for each loss, are nearest to the first place in each; and each next is the one whose places are
farthest from those before it. So a share of a front covers it. As places alone count, neither the
units nor the order of the objectives matter.

Source: Schmucker et al. 2021, arXiv:2106.12639 (asynchronous halving by non-dominated sorting and
an epsilon-net); Li et al. 2017, IEEE TEC 21, 426-438 (a new point moves others down front by front).
Differs: the net is of places, and starts at the compromise.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.math.pareto import front_ranks

Losses: TypeAlias = tuple[float, ...]
Points: TypeAlias = NDArray[np.float64]


class Fronts:
    """Trials by their losses, all of one length; equal losses share a place."""

    def __init__(self) -> None:
        self._at: dict[Losses, list[int]] = {}
        # distinct losses by front; None: to be sorted anew
        self._levels: list[Points] | None = None
        self._order: dict[int, list[Losses]] = {}  # of the fronts whose order was asked for
        self._counts: dict[int, int] = {}  # trials on the fronts that were counted
        self._waiting: dict[int, Losses] = {}

    def put(self, trial: int, losses: Losses) -> None:
        """Take in a trial."""
        self._order.clear()
        held = self._at.setdefault(losses, [])
        insort(held, trial)
        if self._levels is None:
            return
        new = len(held) == 1
        moved = _rise(self._levels, np.array([losses])) if new else [self.front(losses)]
        for at in moved:
            self._counts.pop(at, None)

    def drop(self, trial: int, losses: Losses) -> None:
        """Forget a trial."""
        self._order.clear()
        self._at[losses].remove(trial)
        if not self._at[losses]:
            del self._at[losses]
            self._levels = None
        self._counts.clear()

    def wait(self, trial: int, losses: Losses, waits: bool) -> None:
        """Say whether a trial waits."""
        self._waiting.pop(trial, None)
        if waits:
            self._waiting[trial] = losses

    def earned(self, most: int) -> int | None:
        """The first trial that waits, if it is among so many."""
        if not self._waiting:
            return None
        return next((trial for trial in self.trials(most) if trial in self._waiting), None)

    def lost(self, place: int) -> list[int]:
        """The trials that wait, and will not come before this place whoever else comes."""
        return [t for t, own in sorted(self._waiting.items()) if self._ahead_of(own) >= place]

    def front(self, losses: Losses) -> int:
        """The front of a trial with these losses, 0 for the first."""
        levels, point = self._sorted(), np.array(losses)
        return _first(levels, point)

    def before(self, losses: Losses) -> int:
        """How many trials come before those with these losses."""
        at = self.front(losses)
        ahead = self._ordered(at)
        mine = ahead[: ahead.index(losses)]
        return sum(map(self._count, range(at))) + sum(len(self._at[other]) for other in mine)

    def place(self, trial: int, losses: Losses) -> int:
        """The place of a trial, 0 for the best; of equal ones the older comes first."""
        return self.before(losses) + self._at[losses].index(trial)

    def trials(self, most: int | None = None) -> list[int]:
        """The trials, the best first, so many of them."""
        found: list[int] = []
        for at in range(len(self._sorted())):
            if most is not None and len(found) >= most:
                break
            for losses in self._ordered(at):
                found += self._at[losses]
        return found[:most]

    def _ahead_of(self, losses: Losses) -> int:
        """How many trials dominate these losses: they come before them whatever else is put in."""
        point = np.array(losses)
        found = 0
        for level in self._sorted():
            better = _dominating(level, point)
            if not better.any():
                break
            found += sum(len(self._at[tuple(other)]) for other in level[better].tolist())
        return found

    def _count(self, at: int) -> int:
        """How many trials are on a front."""
        if at not in self._counts:
            level = self._sorted()[at].tolist()
            self._counts[at] = sum(len(self._at[tuple(losses)]) for losses in level)
        return self._counts[at]

    def _sorted(self) -> list[Points]:
        if self._levels is None:
            points = np.array(list(self._at))
            ranks = _ranked(points)
            self._levels = [points[ranks == at] for at in range(max(ranks, default=-1) + 1)]
        return self._levels

    def _ordered(self, at: int) -> list[Losses]:
        """The losses of a front, the best first."""
        if at not in self._order:
            level = [tuple(point) for point in self._sorted()[at].tolist()]
            level.sort(key=lambda losses: self._at[losses][0])
            everyone, mine = np.sort(np.array(list(self._at)), axis=0), np.array(level)
            places = [np.searchsorted(*both) for both in zip(everyone.T, mine.T, strict=True)]
            self._order[at] = [level[i] for i in net(np.stack(places, axis=1))]
        return self._order[at]


def net(places: NDArray[np.intp]) -> list[int]:
    """The rows of an array of whole numbers, the best compromise first, then each farthest from those before.

    >>> net(np.array([[0, 9], [4, 4], [9, 0], [5, 3]]))
    [1, 0, 2, 3]
    """
    chosen = [int((places**2).sum(axis=1).argmin())]
    apart = np.full(len(places), np.iinfo(np.int64).max)
    while len(chosen) < len(places):
        apart = np.minimum(apart, ((places - places[chosen[-1]]) ** 2).sum(axis=1))
        apart[chosen[-1]] = -1
        chosen.append(int(apart.argmax()))
    return chosen


def by_fronts(losses: Mapping[int, Losses], most: int | None = None) -> list[int]:
    """The trials, the best first, so many of them.

    >>> by_fronts({0: (3.0, 3.0), 1: (1.0, 4.0), 2: (2.0, 2.0), 3: (4.0, 1.0)})
    [2, 1, 3, 0]
    """
    fronts = Fronts()
    for trial, own in losses.items():
        fronts.put(trial, own)
    return fronts.trials(most)


def _ranked(points: Points) -> NDArray[np.intp]:
    """The front of each point; losses that are infinite are the worst there are."""
    if not len(points):
        return np.zeros(0, dtype=np.intp)
    places = [np.unique(column, return_inverse=True)[1] for column in points.T]
    return front_ranks(np.stack(places, axis=1).astype(np.float64))


def _dominating(level: Points, point: Points) -> NDArray[np.bool_]:
    """Which points of a front dominate a point."""
    return np.asarray((level <= point).all(axis=1) & (level < point).any(axis=1))


def _first(levels: list[Points], point: Points) -> int:
    """The first front of which nothing dominates a point: each behind it is dominated by one before it."""
    low, high = 0, len(levels)
    while low < high:
        middle = (low + high) // 2
        level = levels[middle]
        if _dominating(level, point).any():
            low = middle + 1
        else:
            high = middle
    return low


def _rise(levels: list[Points], moving: Points) -> range:
    """Put a new point in its front; what it dominates there moves to the next one, and so on.

    Returns the fronts that changed.
    """
    first = at = _first(levels, moving[0])
    while len(moving):
        if at == len(levels):
            levels.append(moving)
            return range(first, at + 1)
        level = levels[at]
        down = np.zeros(len(level), dtype=np.bool_)
        for point in moving:
            down |= (level >= point).all(axis=1) & (level > point).any(axis=1)
        levels[at] = np.concatenate([level[~down], moving])
        moving, at = level[down], at + 1
    return range(first, at)
