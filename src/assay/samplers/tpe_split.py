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
_RECENT = 25
_MOST_MEASURED = 64


@dataclass(frozen=True, eq=False)
class Split:
    """Numbers of the good trials and of the bad ones, with their weights."""

    good: Numbers
    good_weights: Array
    bad: Numbers
    bad_weights: Array


def split(past: Past, running: list[int]) -> Split:
    """The best trials, best first, and the others: worse, failed and running ones.

    Running trials count as bad, so that parallel proposals keep apart. Of very many bad trials,
    2,048 stand for all, evenly chosen in the order in which they ended.
    """
    failed = np.isnan(past.losses[:, 0])
    told = np.flatnonzero(~failed)
    losses = past.losses[told]
    count = good_count(len(told))
    single = losses.shape[1] == 1
    best = best_places(losses[:, 0], count) if single else best_front(losses, count)
    is_good = np.zeros(len(failed), dtype=np.bool_)
    is_good[told[best]] = True
    bad = np.append(past.ended[~is_good], np.array(running, dtype=np.intp))
    chosen = np.linspace(0, len(bad) - 1, min(len(bad), _MOST_BAD)).astype(np.intp)
    return Split(
        past.ended[told[best]],
        rank_weights(count) if single else np.ones(count),
        bad[chosen],
        age_weights(len(bad))[chosen],
    )


def good_count(told: int) -> int:
    """How many of so many trials are good: 15 % but 25 at most, and from 200 on by the root.

    >>> [good_count(n) for n in (10, 100, 200, 800)]
    [2, 15, 25, 50]
    """
    if told < _FEW_TRIALS:
        return min(math.ceil(0.15 * told), _MOST_GOOD)
    return math.ceil(_MOST_GOOD * math.sqrt(told / _FEW_TRIALS))


def rank_weights(count: int) -> Array:
    """Weights of the good trials, best first: falling with the logarithm of the rank, of mean 1.

    In the place of the improvements over the threshold that Watanabe 2023, arXiv:2304.11127, takes:
    with ranks, no scale of the losses matters.

    >>> rank_weights(4).round(2).tolist()
    [2.12, 1.14, 0.57, 0.17]
    """
    weights = np.log(count + 0.5) - np.log(np.arange(1, count + 1))
    return np.asarray(weights / weights.mean())


def age_weights(count: int) -> Array:
    """Weights of the bad trials, oldest first: 1 for the newest 25, older ones less and less.

    Where the search has just been counts for more, which drives it on. The linear forgetting of
    hyperopt and Optuna.

    >>> age_weights(28).round(2).tolist()[:5]
    [0.04, 0.52, 1.0, 1.0, 1.0]
    """
    weights = np.ones(count)
    if count > _RECENT:
        weights[:-_RECENT] = np.linspace(1 / count, 1, count - _RECENT)
    return weights


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
