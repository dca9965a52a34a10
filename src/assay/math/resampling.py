"""The interval of the final gain: control against selected config, over rows and refits.

Each config was refitted with several seeds and every refit was scored on the same rows. The
interval speaks about the *config*: new rows (see `rows`) and new seeds (see `refits`), with the
training rows given.

Which interval is used, and why (coverage measured over simulated studies with known truth):
- means of per-row losses: studentised; percentile intervals cover too little of skewed losses;
- losses of 0 and 1: percentile, plus the noise of one row, without which a handful of
  disagreements gives intervals that are far too narrow;
- rows in order of time, and any other statistic (AUC, F1, R2): percentile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from assay.core.errors import DataError
from assay.math.checks import Array, at_least, finite, probability
from assay.math.intervals import Interval
from assay.math.refits import Measured, Resampling, Total, percentile, studentised
from assay.math.rows import Ordered, Rows

Values: TypeAlias = Callable[[Array], Array]
"""Weights of rows, shape (draws, n), to a value for each draw, NaN where it is undefined."""

Weighted: TypeAlias = Callable[[npt.NDArray[Any], Array], Values]
"""The truth and one prediction, prepared once, to their values under many weightings of the rows."""

# Counts of units, shape (draws, units), to what is measured on them, each (draws, refits).
_Measure: TypeAlias = Callable[[Rows, Array], list[Array]]

_CHUNK_CELLS = 250_000  # counts held at once: two megabytes stay in the cache of a core
_MOST_UNDEFINED = 0.05  # share of resamples on which a statistic may be undefined


@dataclass(frozen=True, slots=True)
class FinalGain:
    """The gain with its interval, both configs on their own, and where the noise comes from.

    `gain` is positive if the selected config is better. `control` and `selected` are in the units
    of the input (mean loss, AUC, the statistic). se_rows^2 + se_seeds^2 = gain.se^2.
    """

    gain: Interval
    control: Interval
    selected: Interval
    se_rows: float
    se_seeds: float


def gain_from_losses(
    losses_control: npt.ArrayLike,
    losses_selected: npt.ArrayLike,
    rows: Rows,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    draws: int = 2000,
) -> FinalGain:
    """The mean loss of the control minus that of the selected config, over rows and refits.

    Args:
        losses_control: per-row losses, lower is better, shape (refits, rows).
        losses_selected: the same rows, shape (refits, rows). With equal numbers of refits, the
            k-th of both are taken as a pair; otherwise the seeds of the two are independent.
        rows: how rows are drawn, such as `Independent(n)`, `grouped(ids)`, `ordered(n, horizon)`.
        rng: the only source of chance.
        level: coverage asked for.
        draws: number of resamples, >= 100.

    Raises:
        DataError: shapes do not fit, or values that are not finite.
        SpecError: level or draws out of range.

    >>> from assay.math.rows import Independent
    >>> rng = np.random.default_rng(0)
    >>> control, selected = rng.random((5, 400)) + 0.5, rng.random((5, 400))
    >>> final = gain_from_losses(control, selected, Independent(400), rng)
    >>> bool(0.4 < final.gain.low < 0.5 < final.gain.high < 0.6)
    True
    """
    control = _by_refit(losses_control, "losses_control", rows)
    selected = _by_refit(losses_selected, "losses_selected", rows)
    of = _resampling(rows, rng, level, draws)
    both = np.concatenate([control, selected])

    def means(rows: Rows, counts: Array) -> list[Array]:
        sizes = rows.sums(np.ones((1, rows.n)))
        drawn = (counts @ rows.sums(both).T) / (counts @ sizes.T)
        return [drawn[:, : len(control)], drawn[:, len(control) :]]

    if bool(np.isin(both, (0.0, 1.0)).all()):
        return _by_percentile(means, of, higher_is_better=False, one_row=1 / rows.n)
    if isinstance(rows, Ordered):
        return _by_percentile(means, of, higher_is_better=False)
    gains = control.mean(axis=0) - selected.mean(axis=0)

    def means_and_variance(rows: Rows, counts: Array) -> list[Array]:
        return [*means(rows, counts), _variance_of_mean(rows, counts, gains)[:, None]]

    *arms, variance = _measured(means_and_variance, of)
    total = arms[0].minus(arms[1])
    gain = studentised(total, float(variance.point[0]), variance.draws[:, 0], of)
    alone = [Total((arm,)) for arm in arms]
    return _final(gain, total, [percentile(one, one, of) for one in alone])


def gain_from_weighted(
    y: npt.ArrayLike,
    predictions_control: npt.ArrayLike,
    predictions_selected: npt.ArrayLike,
    metric: Weighted,
    rows: Rows,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    draws: int = 2000,
) -> FinalGain:
    """The metric of the selected config minus that of the control, over rows and refits.

    For metrics that value many weightings of the same rows at once; calls `metric` once for each
    refit.

    Args:
        y: the truth, shape (rows,) or (rows, ...).
        predictions_control: shape (refits, rows) or (refits, rows, classes).
        predictions_selected: the same rows.
        metric: `metric(y, prediction)` turns weights of rows, (draws, rows), into values,
            (draws,); higher is better; NaN where undefined. Weights are whole numbers.
        rows: how rows are drawn; `stratified(y)` for AUC, F1 and their like.
        rng, level, draws: as in `gain_from_losses`.

    Raises:
        DataError: shapes do not fit, the metric is undefined on the rows themselves, or on more
            than 5 % of the resamples.

    >>> from assay.math.auc import RankedScores
    >>> from assay.math.rows import stratified
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 2
    >>> good, poor = y + rng.normal(size=(2, 200)), y + 3 * rng.normal(size=(2, 200))
    >>> auc = lambda y, scores: RankedScores(y, scores).auc
    >>> gain_from_weighted(y, poor, good, auc, stratified(y), rng).gain.low > 0
    True
    """
    truth = np.asarray(y)
    arms = [np.asarray(predictions_control), np.asarray(predictions_selected)]
    for name, arm in zip(("predictions_control", "predictions_selected"), arms, strict=True):
        _check_shape(arm, name, rows)
    if truth.shape[:1] != (rows.n,):
        raise DataError(f"y needs one entry for each of {rows.n} rows, got shape {truth.shape}.")
    prepared = [[metric(truth, one) for one in arm] for arm in arms]

    def values(rows: Rows, counts: Array) -> list[Array]:
        # The draws of one row side by side: metrics that sort rows take them row by row.
        weights = np.asfortranarray(rows.weights(counts))
        return [np.stack([value(weights) for value in arm], axis=1) for arm in prepared]

    return _by_percentile(values, _resampling(rows, rng, level, draws), higher_is_better=True)


def gain_from_statistic(
    y: npt.ArrayLike,
    predictions_control: npt.ArrayLike,
    predictions_selected: npt.ArrayLike,
    statistic: Callable[[npt.NDArray[Any], npt.NDArray[Any]], float],
    rows: Rows,
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    draws: int = 2000,
) -> FinalGain:
    """The statistic of the selected config minus that of the control, over rows and refits.

    Calls `statistic` draws x refits x 2 times: use `gain_from_losses` for means of per-row losses
    and `gain_from_weighted` for metrics of weighted rows.

    Args:
        statistic: called as statistic(y, prediction); higher is better; NaN if undefined.
        y, predictions_control, predictions_selected, rows, rng, level, draws: as in
            `gain_from_weighted`.

    Raises:
        DataError: as in `gain_from_weighted`.

    >>> from assay.math.rows import Independent
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=100)
    >>> r2 = lambda y, p: 1 - np.mean((y - p) ** 2) / np.var(y)
    >>> far, near = y + rng.normal(size=(5, 100)), y + 0.1 * rng.normal(size=(5, 100))
    >>> gain_from_statistic(y, far, near, r2, Independent(100), rng, draws=200).gain.low > 0
    True
    """

    def one_by_one(truth: npt.NDArray[Any], prediction: Array) -> Values:
        def value(weights: Array) -> Array:
            drawn = [np.repeat(np.arange(len(truth)), row) for row in weights.astype(np.intp)]
            return np.array([statistic(truth[i], prediction[i]) for i in drawn], dtype=float)

        return value

    return gain_from_weighted(
        y,
        predictions_control,
        predictions_selected,
        one_by_one,
        rows,
        rng,
        level=level,
        draws=draws,
    )


def _by_percentile(
    measure: _Measure, of: Resampling, *, higher_is_better: bool, one_row: float = 0.0
) -> FinalGain:
    short = _measured(measure, of)
    rows = of.rows.longer()
    longer = short if rows is of.rows else _measured(measure, replace(of, rows=rows))
    total, twice = (_gain(arms, higher_is_better) for arms in (short, longer))
    each = [
        percentile(Total((a,)), Total((b,)), of, one_row)
        for a, b in zip(short, longer, strict=True)
    ]
    return _final(percentile(total, twice, of, one_row), total, each)


def _gain(arms: list[Measured], higher_is_better: bool) -> Total:
    control, selected = arms
    return selected.minus(control) if higher_is_better else control.minus(selected)


def _final(gain: Interval, total: Total, each: list[Interval]) -> FinalGain:
    se_seeds = sqrt(total.seeds_variance)
    control, selected = each
    return FinalGain(gain, control, selected, sqrt(max(0.0, gain.se**2 - se_seeds**2)), se_seeds)


def _measured(measure: _Measure, of: Resampling) -> list[Measured]:
    units = of.rows.sums(np.ones(of.rows.n)).size
    points = [of_arm[0] for of_arm in measure(of.rows, np.ones((1, units)))]
    if not all(np.isfinite(point).all() for point in points):
        raise DataError(f"The statistic is undefined on the {of.rows.n} test rows themselves.")
    chunks = []
    size = max(1, _CHUNK_CELLS // of.rows.n)
    for start in range(0, of.draws, size):
        counts = of.rows.draw(of.rng, min(size, of.draws - start))
        chunks.append(measure(of.rows, counts))
    drawn = [np.concatenate(of_arm) for of_arm in zip(*chunks, strict=True)]
    defined = np.isfinite(np.hstack(drawn)).all(axis=1)
    if defined.mean() < 1 - _MOST_UNDEFINED:
        raise DataError(
            f"The statistic is undefined on {1 - defined.mean():.0%} of the resampled test sets "
            "(such as when a class is missing). Use a larger test set or another metric."
        )
    return [Measured(p, d[defined]) for p, d in zip(points, drawn, strict=True)]


def _variance_of_mean(rows: Rows, counts: Array, gains: Array) -> Array:
    """Sum of (g - mean * size)^2 over the units drawn, by the square of their total size."""
    sizes, g = rows.sums(np.ones(rows.n)), rows.sums(gains)
    size, of_g, gg, gs, ss = (counts @ np.stack([sizes, g, g * g, g * sizes, sizes**2], 1)).T
    mean = of_g / size
    squares = gg - 2 * mean * gs + mean**2 * ss
    # Where all units agree the three terms cancel up to rounding.
    squares[squares < 1e-12 * gg] = 0.0
    return np.asarray(squares / size**2)


def _resampling(rows: Rows, rng: np.random.Generator, level: float, draws: int) -> Resampling:
    return Resampling(rows, rng, probability(level, "level"), at_least(draws, 100, "draws"))


def _by_refit(values: npt.ArrayLike, name: str, rows: Rows) -> Array:
    array = finite(values, name, ndim=2)
    _check_shape(array, name, rows)
    return array


def _check_shape(array: npt.NDArray[Any], name: str, rows: Rows) -> None:
    if array.ndim < 2 or array.shape[0] < 1 or array.shape[1] != rows.n:
        raise DataError(
            f"{name} needs shape (refits, {rows.n} rows), got {array.shape}. "
            "Give a single refit as values[None]."
        )
