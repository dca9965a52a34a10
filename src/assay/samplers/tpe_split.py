"""Which trials of a history count as good, by how much, and which as bad."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from assay.math.pareto import contributions, crowding, front_ranks
from assay.samplers.tpe_past import Past

Array: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = npt.NDArray[np.intp]

_FEW_TRIALS = 200
_MOST_GOOD = 25
_MOST_BAD = 2048
_MOST_MEASURED = 64


@dataclass(frozen=True, eq=False)
class Split:
    """Numbers of the good trials with their weights (mean 1), and of the bad ones."""

    good: Numbers
    weights: Array
    bad: Numbers


def split(past: Past, running: list[int]) -> Split:
    """The best trials, and the others: worse, failed and running ones.

    Running trials count as bad, so that parallel proposals keep apart. Of very many bad trials,
    2,048 stand for all, evenly chosen in the order in which they ended.
    """
    failed = np.isnan(past.losses[:, 0])
    told = np.flatnonzero(~failed)
    losses = past.losses[told]
    count = good_count(len(told))
    best = best_places(losses[:, 0], count) if losses.shape[1] == 1 else best_front(losses, count)
    is_good = np.zeros(len(failed), dtype=np.bool_)
    is_good[told[best]] = True
    bad = np.append(past.ended[~is_good], np.array(running, dtype=np.intp))
    if len(bad) > _MOST_BAD:
        bad = bad[np.linspace(0, len(bad) - 1, _MOST_BAD).astype(np.intp)]
    weights = rank_weights(count) if losses.shape[1] == 1 else np.ones(count)
    return Split(past.ended[told[best]], weights, bad)


def good_count(told: int) -> int:
    """How many of so many trials are good: 15 % but 25 at most, and from 200 on by the root.

    >>> [good_count(n) for n in (10, 100, 200, 800)]
    [2, 15, 25, 50]
    """
    if told < _FEW_TRIALS:
        return min(math.ceil(0.15 * told), _MOST_GOOD)
    return math.ceil(_MOST_GOOD * math.sqrt(told / _FEW_TRIALS))


def rank_weights(count: int) -> Array:
    """Weights of the good trials, best first: falling linearly, the last ones alike, of mean 1.

    The improvement over the threshold of Watanabe 2023, arXiv:2304.11127, section 3.2, in ranks, so
    that no scale of the losses matters.

    >>> rank_weights(4).round(2).tolist()
    [1.75, 1.25, 0.75, 0.25]
    """
    weights = np.maximum(1 - (np.arange(count) + 0.5) / count, 0.05)
    return np.asarray(weights / weights.mean())


def best_places(losses: Array, count: int) -> Numbers:
    """Places of the lowest `count` losses (n,), lowest first; of equal ones the earlier."""
    bar = np.partition(losses, count - 1)[count - 1]
    near = np.flatnonzero(losses <= bar)
    return near[np.argsort(losses[near], kind="stable")[:count]]


def best_front(losses: Array, count: int) -> Numbers:
    """Places of `count` of several losses (n, m): by front, then by hypervolume contribution.

    Where a front does not fit, the point that contributes least is left out again and again, as in
    Ozaki et al. 2022 (JAIR 73, 1209-1250). Above three losses, or for very large fronts, crowding
    distance stands for the contribution.
    """
    ranks = front_ranks(losses, least=count)
    last = int(np.sort(ranks)[count - 1])
    whole = np.flatnonzero(ranks < last)
    tied = np.flatnonzero(ranks == last)
    return np.concatenate([whole, tied[_most_volume(losses[tied], count - len(whole))]])


def _most_volume(front: Array, count: int) -> Numbers:
    kept = np.arange(len(front))
    if front.shape[1] > 3 or len(front) > _MOST_MEASURED:
        return np.sort(np.argsort(-crowding(front), kind="stable")[:count])
    span = np.ptp(front, axis=0)
    reference = front.max(axis=0) + 0.1 * np.where(span > 0, span, 1.0)
    while len(kept) > count:
        kept = np.delete(kept, np.argmin(contributions(front[kept], reference)))
    return kept
