"""What the best of n trials is expected to be, from N independent ones: as seen, and on other rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from assay.core.errors import SpecError
from assay.math.checks import Array, at_least, finite


def expected_best(values: npt.ArrayLike, counts: Sequence[int] | None = None) -> Array:
    """E[best of n], higher is better, for each n of `counts`, shape (counts,).

    sum_i v_(i) C(i-1, n-1) / C(N, n): the mean over all ways to draw n of the N trials without
    replacement, which has no bias. Only for trials that were drawn independently: what a model
    proposes depends on what came before.

    Args:
        values: one per trial, shape (N,).
        counts: each from 1 to N; None: 1 .. N.

    Raises:
        DataError: no value, or one that is not finite.
        SpecError: a count is not a whole number from 1 to N.

    Source: Tang, Lee, Bansal and Lin 2020, Showing Your Work Doesn't Always Work, ACL, eq. 7; the
    idea of the curve from Dodge et al. 2019, EMNLP, whose estimate is biased.

    >>> expected_best([1.0, 2.0, 4.0]).round(3).tolist()
    [2.333, 3.333, 4.0]
    >>> expected_best([1.0, 2.0, 4.0], [2]).round(3).tolist()
    [3.333]
    """
    ranked = np.sort(finite(values, "values", ndim=1))[::-1]
    total = ranked.size
    found = []
    for count in range(1, total + 1) if counts is None else counts:
        n = at_least(count, 1, "n")
        if n > total:
            raise SpecError(f"n must not exceed the {total} values given, got {n}.")
        # C(N-1, n-1) / C(N, n) = n / N, and each step down multiplies by (i - n + 1) / i, that is
        # by less than 1 - (n - 1) / N: so many steps leave less than a float can hold.
        most = min(total, 1 + int(40 * total / max(n - 1, 1)))
        i = np.arange(total - 1, total - most, -1)
        steps = np.clip((i - n + 1) / i, 0.0, None)
        weights = n / total * np.concatenate([[1.0], np.cumprod(steps)])
        found.append(weights @ ranked[:most])
    return np.array(found)


def honest_best(
    losses: npt.ArrayLike,
    counts: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    reference: int,
    level: float = 0.95,
    draws: int = 200,
) -> tuple[Array, Array, Array]:
    """The gain over a reference that the best of n trials has on rows that did not choose it.

    Each draw resamples the rows, ranks the trials on the rows drawn, and scores each on the rows
    left out; over all ways to take n of the trials the winner's gain is a weighted mean of these.
    Where the curve falls, more trials choose noise: overtuning.

    Args:
        losses: per row and trial, lower is better, shape (rows, trials).
        counts: n, each from 1 to the number of trials.
        reference: the trial over which gains are.
        level: of the band, percentiles over the draws.

    Returns:
        Mean, lower and upper end for each n.

    Raises:
        DataError: fewer than two rows, or values that are not finite.

    Source: the draws are those of Tsamardinos et al. 2018, Machine Learning 107, 1895-1922; the
    weights those of `expected_best`.

    >>> same = np.tile([2.0, 1.0, 0.0], (20, 1))  # without noise it is what one sees
    >>> honest_best(same, [1, 3], np.random.default_rng(0), reference=0)[0].tolist()
    [1.0, 2.0]
    """
    found = [
        fresh[reference] - best_of for fresh, best_of in _fresh_bests(losses, counts, rng, draws)
    ]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.mean(found, axis=0), low, high


def honest_draws(
    losses: npt.ArrayLike, counts: npt.ArrayLike, rng: np.random.Generator, *, draws: int = 200
) -> Array:
    """The loss that the best of n trials has on rows that did not choose it, draw by draw.

    As `honest_best`, without a reference: shape (draws, counts), but for draws without a row left out.

    >>> same = np.tile([2.0, 1.0, 0.0], (20, 1))
    >>> honest_draws(same, [1, 3], np.random.default_rng(0), draws=2).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    return np.array([best_of for _, best_of in _fresh_bests(losses, counts, rng, draws)])


def _fresh_bests(
    losses: npt.ArrayLike, counts: npt.ArrayLike, rng: np.random.Generator, draws: int
) -> Iterator[tuple[Array, Array]]:
    """Of each draw: the losses of the trials on the rows left out, and that of the best of n."""
    table = finite(losses, "losses", ndim=2, least=2)
    rows, trials = table.shape
    weights = _weights(np.asarray(counts, dtype=int), trials)
    for _ in range(draws):
        drawn = np.bincount(rng.integers(rows, size=rows), minlength=rows)
        out = drawn == 0
        if not out.any():
            continue
        worst_first = np.argsort(-(drawn @ table), kind="stable")
        fresh = out @ table / out.sum()
        yield fresh, weights @ fresh[worst_first]


def _weights(counts: npt.NDArray[np.int_], total: int) -> Array:
    """C(i-1, n-1) / C(N, n) for each n and each rank i from the worst, shape (counts, N)."""
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, total + 1)))])
    rank, n = np.arange(1, total + 1)[None, :], counts[:, None]
    reach = np.maximum(rank - n, 0)
    all_ways = log_factorial[total] - log_factorial[n] - log_factorial[total - n]
    ways = log_factorial[rank - 1] - log_factorial[n - 1] - log_factorial[reach]
    return np.asarray(np.where(rank >= n, np.exp(ways - all_ways), 0.0))


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
