"""What the best of n trials is expected to be, from N independent ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from assay.math.checks import Array, finite


def expected_best(values: npt.ArrayLike) -> Array:
    """E[best of n] for n = 1 .. N, higher is better, shape (N,).

    sum_i v_(i) C(i-1, n-1) / C(N, n): the mean over all ways to draw n of the N trials without
    replacement, which has no bias. Only for trials that were drawn independently: what a model
    proposes depends on what came before.

    Args:
        values: one per trial, shape (N,).

    Raises:
        DataError: no value, or one that is not finite.

    Source: Tang, Lee, Bansal and Lin 2020, Showing Your Work Doesn't Always Work, ACL, eq. 7; the
    idea of the curve from Dodge et al. 2019, EMNLP, whose estimate is biased.

    >>> expected_best([1.0, 2.0, 4.0]).round(3).tolist()
    [2.333, 3.333, 4.0]
    """
    v = np.sort(finite(values, "values", ndim=1))
    total = v.size
    rank = np.arange(1, total + 1)
    # weight of rank i for n + 1 from that for n: the ratio of the binomials, without factorials
    weight = np.full(total, 1.0 / total)
    best = np.empty(total)
    for n in range(1, total + 1):
        best[n - 1] = weight @ v
        weight = weight * np.clip(rank - n, 0, None) / n * (n + 1) / max(total - n, 1)
    return best


def band(
    values: npt.ArrayLike, rng: np.random.Generator, *, level: float = 0.95, draws: int = 200
) -> tuple[Array, Array]:
    """How far the expected best could lie from its estimate: percentiles over resampled trials.

    >>> low, high = band([1.0, 2.0, 4.0], np.random.default_rng(0))
    >>> bool((low <= high).all())
    True
    """
    v = finite(values, "values", ndim=1)
    drawn = [expected_best(rng.choice(v, v.size)) for _ in range(draws)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def crossing(ours: npt.ArrayLike, theirs: npt.ArrayLike, *, least: float = 0.0) -> int | None:
    """The first n from which the other of two curves leads, to the end; None if one leads throughout.

    Args:
        least: a lead of no more than this is none.

    >>> crossing([3, 3, 3, 3], [1, 2, 3.5, 4])
    3
    """
    a, b = (finite(curve, "curve", ndim=1) for curve in (ours, theirs))
    n = min(a.size, b.size)
    lead = a[:n] - b[:n]
    ahead = np.where(np.abs(lead) > least, np.sign(lead), 0)
    told = np.flatnonzero(ahead)
    if not told.size or ahead[told[0]] == ahead[told[-1]]:
        return None
    other = told[ahead[told] != ahead[told[-1]]]
    return int(other[-1] + 2)
