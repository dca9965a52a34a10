"""How much of a record is luck, and what the best config is worth once that is taken off.

T configs that are equally good still differ on the same rows by chance, and the best of them
looks better than it is. Losses are minimised here; `expected_best` maximises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import e, exp, inf, log, sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from assay.core.errors import DataError, SpecError
from assay.math.checks import Array, at_least, finite, not_negative, probability
from assay.math.intervals import Interval
from assay.math.rows import Independent, Rows

ByTrial: TypeAlias = Callable[[Array], Array]
"""Weights of rows, (draws, rows), to the value of each trial, (draws, trials); NaN where undefined."""

_EULER = 0.5772156649015329
_MOST_LOOKS = 1e300
_CHUNK_CELLS = 1_000_000
_DRAWS = 1000
_MOST_PAIRED = 1000
_NEAR = 8
"""How fast two trials cease to be near as they differ; 1 to 8 hardly differ, but for few rows."""


def luck_line(sigma: float, looks: float) -> float:
    """What the best of `looks` equally good configs is expected to show above their mean.

    sigma * [(1 - g) * z(1 - 1/T) + g * z(1 - 1/(e*T))], g = 0.5772 (Euler), z = normal quantile;
    0 for a single look.

    Args:
        sigma: standard deviation of one config's value due to noise: that of a paired
            difference between two equal configs, divided by sqrt(2).
        looks: T, number of independent looks (see `effective_looks`), >= 1.

    Raises:
        SpecError: sigma is negative or looks < 1.

    Source: Bailey and Lopez de Prado 2014, Journal of Portfolio Management 40(5), 94-107.

    >>> round(luck_line(1.0, 60), 2)
    2.35
    """
    from scipy.special import ndtri

    sigma = not_negative(sigma, "sigma")
    if not looks >= 1:
        raise SpecError(f"looks must be >= 1, got {looks!r}.")
    # -z(p) = z(1 - p), which keeps its digits for p near 0.
    z, z_e = -float(ndtri(1 / looks)), -float(ndtri(1 / (looks * e)))
    # Below two looks the formula, made for many, may fall under zero (minus infinity at one).
    return sigma * max(0.0, (1 - _EULER) * z + _EULER * z_e) if looks > 1 else 0.0


def looks_for(ratio: float) -> float:
    """The fewest looks after which luck alone is expected to reach `ratio` = gain / sigma.

    The budget of an experiment in looks. Infinite where the number has more than 300 digits.

    >>> [looks_for(ratio) for ratio in (0.0, 1.0, 1.5, 2.0)]
    [1.0, 4.0, 9.0, 26.0]
    """
    if not_negative(ratio, "ratio") == 0:
        return 1.0
    if luck_line(1.0, _MOST_LOOKS) < ratio:
        return inf
    low, high = 1, 2
    while luck_line(1.0, high) < ratio:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if luck_line(1.0, middle) >= ratio else (middle, high)
    return float(high)


def effective_looks(losses: npt.ArrayLike) -> float:
    """How many independent looks the trials amount to, from 1 to their number: see `looks_among`.

    >>> rng = np.random.default_rng(0)
    >>> apart = rng.normal(size=(2000, 12))
    >>> round(effective_looks(apart)), round(effective_looks(np.repeat(apart, 3, axis=1)))
    (11, 12)
    >>> round(effective_looks(np.hstack([np.repeat(apart[:, :1], 20, axis=1), apart])))
    11
    """
    trials = finite(losses, "losses", ndim=2, least=4).shape[1]
    return looks_among(losses, [trials])[0]


def looks_among(losses: npt.ArrayLike, counts: Sequence[int]) -> list[float]:
    """How many independent looks the first n trials amount to, from 1 to n; see `looks_both`.

    >>> apart = np.random.default_rng(0).normal(size=(2000, 12))
    >>> [round(n) for n in looks_among(np.repeat(apart, 3, axis=1), [1, 3, 18, 36])]
    [1, 1, 6, 12]
    """
    return looks_both(losses, counts)[0]


def looks_both(losses: npt.ArrayLike, counts: Sequence[int]) -> tuple[list[float], list[float]]:
    """How many independent looks the first n trials amount to, and n trials at random; from 1 to n.

    The number whose `luck_line` is the expected best of normal values with the covariance that the
    rows show. Trials that predict alike count once between them. The same losses give the same numbers.

    Args:
        losses: out-of-fold losses on common rows, or their differences to the control, shape
            (rows, trials), at least 4 rows; trials in their order.
        counts: each n, from 1 to the number of trials.

    What all trials share on a row (its difficulty, or the noise of the control) cannot make one of
    them the winner, so the mean over trials is taken off each row first. The noise of one trial is
    that of the difference of two, over sqrt(2); trials that are alike, of which a search that converges
    has many, count in it as one.

    Raises:
        DataError: fewer than 4 rows, or values that are not finite.

    Source: Gaussian multipliers, Chernozhukov, Chetverikov and Kato 2013 (Annals of Statistics 41,
    2786-2819). Counts from eigenvalues (participation ratio; Nyholt 2004, Am. J. Human Genetics 74,
    765-769) come out too low: few strong directions hide many weak ones, which make records, too.

    >>> same = np.repeat(np.random.default_rng(0).normal(size=(2000, 1)), 4, axis=1)
    >>> looks_both(same, [1, 4])
    ([1.0, 1.0], [1.0, 1.0])
    """
    values = finite(losses, "losses", ndim=2, least=4)
    values = values / max(1e-300, float(np.abs(values).max(initial=0.0)))
    values -= values.mean(axis=1, keepdims=True)
    values -= values.mean(axis=0)
    noise = _noise_of_one(values)
    if noise <= 1e-9:  # trials that are the same on every row
        return [1.0 for _ in counts], [1.0 for _ in counts]
    in_order, in_any = _expected_best_of(values / noise)
    looks = [
        [float(np.clip(_looks_with(best[n - 1]), 1.0, n)) for n in counts]
        for best in (in_order, in_any)
    ]
    return looks[0], looks[1]


def _noise_of_one(apart: Array) -> float:
    """The root of half the mean squared distance of two columns, where crowded ones count less.

    Each column counts 1 / (how many are near it). `apart` is (rows, trials); of many trials some.
    """
    trials = apart.shape[1]
    some = apart[:, np.linspace(0, trials - 1, min(trials, _MOST_PAIRED)).astype(int)]
    inner = some.T @ some
    own = np.diagonal(inner)
    squared = np.maximum(own[:, None] + own - 2 * inner, 0.0)
    if not squared.any():
        return 0.0
    far = float((squared**2).sum() / squared.sum())  # that of two that are not near
    weight = 1 / (np.maximum(0.0, 1 - squared / far) ** _NEAR).sum(axis=1)
    pairs = np.outer(weight, weight)
    np.fill_diagonal(pairs, 0.0)
    return sqrt(float((pairs * squared).sum() / pairs.sum()) / 2)


def _expected_best_of(apart: Array) -> tuple[Array, Array]:
    """The expected best of the first 1, 2, … normal values with covariance apart' apart, and of any so many.

    `apart` is (rows, trials).
    """
    rng, shuffling, (rows, trials) = np.random.default_rng(0), np.random.default_rng(1), apart.shape
    apart, size = apart.astype(np.float32), max(1, _CHUNK_CELLS // trials)
    totals = np.zeros((2, trials))
    for done in range(0, _DRAWS, size):
        drawn = rng.standard_normal((min(size, _DRAWS - done), rows), dtype=np.float32) @ apart
        for place, values in enumerate((drawn, shuffling.permuted(drawn, axis=1))):
            # The lowest of normal values is, turned over, another draw of the best.
            best, worst = (of.accumulate(values, axis=1) for of in (np.maximum, np.minimum))
            totals[place] += (best - worst).sum(axis=0, dtype=np.float64) / 2
    return totals[0] / _DRAWS, totals[1] / _DRAWS


def _looks_with(best: float) -> float:
    """The number of looks, not a whole one, with this `luck_line` of noise 1."""
    from scipy.optimize import brentq

    if best <= 0:
        return 1.0
    log_looks = brentq(lambda x: luck_line(1.0, exp(x)) - best, 0.0, log(_MOST_LOOKS))
    return exp(float(log_looks))


def bbc(
    losses: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    rows: Rows | None = None,
    level: float = 0.95,
    draws: int = 2000,
) -> Interval:
    """The expected loss of the trial with the lowest mean loss, freed of its selection luck.

    Each draw picks the best trial on resampled rows and takes its loss on the rows left out. The
    estimate is the mean of these, the interval their percentiles. It corrects selection among the
    trials given, not what an adaptive search learned from the same rows.

    Args:
        losses: out-of-fold losses, lower is better, shape (rows, trials).
        rng: the only source of chance.
        rows: how rows are drawn; independently if None, else such as `grouped(ids)`.
        level: coverage of the interval.
        draws: number of resamples.

    Raises:
        DataError: fewer than two rows, shapes that do not fit, or values that are not finite.
        SpecError: level or draws out of range.

    Source: Tsamardinos, Greasidou and Borboudakis 2018, Machine Learning 107, 1895-1922.
    Differs: losses of rows are averaged, so it is for metrics that are means.

    >>> rng = np.random.default_rng(0)
    >>> pure_noise = rng.normal(size=(200, 50))
    >>> bool(pure_noise.mean(axis=0).min() < -0.1), bool(abs(bbc(pure_noise, rng).estimate) < 0.05)
    (True, True)
    """
    values = finite(losses, "losses", ndim=2, least=2)
    rows = Independent(len(values)) if rows is None else rows
    if rows.n != len(values):
        raise DataError(f"losses has {len(values)} rows, but {rows.n} rows are to be drawn.")
    return bbc_of(mean_losses(values), rows, rng, level=level, draws=draws).winner


@dataclass(frozen=True, slots=True)
class LeftOut:
    """On the rows left out of each choice: the winner's value, the first trial's, and what was gained."""

    winner: Interval
    first: Interval
    gain: Interval


def mean_losses(losses: Array) -> ByTrial:
    """The weighted mean loss of each trial, from losses of shape (rows, trials)."""
    return lambda weights: np.asarray((weights @ losses) / weights.sum(axis=1, keepdims=True))


def bbc_of(
    values: ByTrial,
    rows: Rows,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    draws: int = 2000,
) -> LeftOut:
    """`bbc` of any metric, and the winner's gain over the first trial on the same rows left out.

    Args:
        values: of every trial, lower is better; the first is what the winner is compared with.
        rows: how rows are drawn.

    Raises:
        DataError: the metric is not defined on most of the rows left out.

    >>> rng = np.random.default_rng(0)
    >>> found = bbc_of(mean_losses(rng.normal(size=(200, 50))), Independent(200), rng, draws=200)
    >>> found.gain.low < 0 < found.gain.high
    True
    """
    left, size = at_least(draws, 100, "draws"), max(1, _CHUNK_CELLS // rows.n)
    chunks = []
    while left:
        counts = rows.weights(rows.draw(rng, min(size, left)))
        chunks.append(_winner_and_first(values, counts))
        left -= len(counts)
    drawn = np.concatenate(chunks)
    if 2 * len(drawn) < draws:
        raise DataError(
            "The metric is not defined on most of the rows left out: there are too few of them, or of "
            "one class. Use more rows, or a metric such as log loss."
        )
    winner, first = drawn.T
    of = (winner, first, first - winner)
    return LeftOut(*(_percentiles(one, rows, level) for one in of))


def _percentiles(drawn: Array, rows: Rows, level: float) -> Interval:
    tail = (1 - probability(level, "level")) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    mean, se = float(drawn.mean()), float(drawn.std())
    method = f"bootstrap bias correction over {rows.kind}"
    return Interval(mean, float(low), float(high), se, None, method, rows.n, level)


def tibshirani_bias(fold_errors: npt.ArrayLike) -> float:
    """How much too low the mean error of the best trial is, from its errors fold by fold.

    mean over folds of [error of the overall winner - lowest error on that fold]; add it to the
    winner's mean error. A cross-check only: it over-corrects when folds are small.

    Args:
        fold_errors: lower is better, shape (folds, trials).

    Raises:
        DataError: not two dimensions, or values that are not finite.

    Source: Tibshirani and Tibshirani 2009, Annals of Applied Statistics 3, 822-829.

    >>> tibshirani_bias([[1.0, 2.0], [2.0, 1.5], [1.0, 2.0]]).__round__(4)
    0.1667
    """
    errors = finite(fold_errors, "fold_errors", ndim=2)
    winner = int(errors.mean(axis=0).argmin())
    return float((errors[:, winner] - errors.min(axis=1)).mean())


def _winner_and_first(values: ByTrial, counts: Array) -> Array:
    """The values, on the rows with count zero, of the trial that wins on the others, and of the first."""
    out = (counts == 0).astype(float)
    some = out.any(axis=1)
    counts, out = counts[some], out[some]
    winners = np.nan_to_num(values(counts), nan=inf).argmin(axis=1)
    left_out = values(out)
    found = np.stack([left_out[np.arange(len(out)), winners], left_out[:, 0]], axis=1)
    return np.asarray(found[np.isfinite(found).all(axis=1)])
