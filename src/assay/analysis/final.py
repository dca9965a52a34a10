"""What the sealed test set says: every contender's score, and the gain with an interval of the right kind. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.analysis.bounds import UNKNOWN, Bounds
from assay.core.errors import DataError
from assay.core.events import CONTROL
from assay.math.intervals import Interval
from assay.math.resampling import (
    FinalGain,
    Values,
    Weighted,
    gain_from_losses,
    gain_from_statistic,
    gain_from_weighted,
)
from assay.math.rows import Independent, Rows, grouped, ordered, stratified

Array = NDArray[np.float64]
DRAWS = 2000


@dataclass(frozen=True)
class Judge:
    """How stored per-row values of the test rows become scores.

    Attributes:
        metric: its name.
        maximize: whether higher is better.
        decomposable: the stored values are losses, and the score follows from their mean.
        score: (y, stored values of one fit) -> score, in the metric's own direction.
        weighted: the score for many weightings of the rows at once, which saves most of the time.
        bounds: of the score.
    """

    metric: str
    maximize: bool
    decomposable: bool
    score: Callable[[NDArray[Any], Array], float]
    weighted: Weighted | None = None
    bounds: Bounds = UNKNOWN


def drawn_rows(
    y: NDArray[Any], *, groups: NDArray[Any] | None, time: bool, horizon: int, classes: bool
) -> Rows:
    """How the test rows are drawn again: whole groups, blocks in time, within classes, or singly."""
    if groups is not None:
        return grouped(groups)
    if time:
        return ordered(len(y), max(1, min(horizon, len(y) // 2)))
    return stratified(y) if classes else Independent(len(y))


def final_results(
    judge: Judge,
    y: NDArray[Any],
    arms: Mapping[int, Array],
    rows: Rows,
    rng: np.random.Generator,
    *,
    alpha: float,
) -> dict[str, Any]:
    """What `Opened` keeps of a look at the test set.

    Args:
        y: (n,) the true values of the test rows.
        arms: stored values of each contender by trial number, shape (refits, n); the control first.
        rows: how rows are drawn again for the intervals.

    Returns:
        The metric, the number of rows, the score of each contender with its interval, whether the rows
        are `blind`, and the gain of the last contender over the control (positive is better).
    """
    challenger = next((number for number in arms if number != CONTROL), CONTROL)
    gain = _gain(judge, y, arms[CONTROL], arms[challenger], rows, rng, alpha)
    scores = {CONTROL: gain.control, challenger: gain.selected}
    contenders = {n: _contender(judge, y, arms[n], scores[n]) for n in scores}
    return {
        "metric": judge.metric,
        "rows": len(y),
        "drawn": rows.kind,
        "contenders": {str(number): one for number, one in contenders.items()},
        "blind": judge.bounds.blind(*contenders.values(), maximize=judge.maximize),
        "gain": {
            **_interval(judge.bounds.of_gain(gain.gain)),
            "se_rows": gain.se_rows,
            "se_seeds": gain.se_seeds,
            "challenger": challenger,
        },
    }


def _gain(
    judge: Judge,
    y: NDArray[Any],
    control: Array,
    selected: Array,
    rows: Rows,
    rng: np.random.Generator,
    alpha: float,
) -> FinalGain:
    level = 1 - alpha
    if judge.decomposable:
        return gain_from_losses(control, selected, rows, rng, level=level, draws=DRAWS)
    sign = 1.0 if judge.maximize else -1.0
    if judge.weighted is not None:
        weighted = partial(signed, sign, judge.weighted)
        return gain_from_weighted(
            y, control, selected, weighted, rows, rng, level=level, draws=DRAWS
        )

    def statistic(truth: NDArray[Any], prediction: NDArray[Any]) -> float:
        try:
            return sign * judge.score(truth, prediction)
        except DataError:
            return float("nan")  # not defined for this resample

    return gain_from_statistic(y, control, selected, statistic, rows, rng, level=level, draws=DRAWS)


def signed(sign: float, metric: Weighted, y: NDArray[Any], stored: Array) -> Values:
    """The metric times `sign`: higher is better."""
    values = metric(y, stored)
    return lambda weights: sign * values(weights)


def _contender(judge: Judge, y: NDArray[Any], stored: Array, found: Interval) -> dict[str, Any]:
    """The scores of the refits; the interval turned from losses into the metric's own direction."""
    scores = [judge.score(y, one) for one in stored]
    score = sum(scores) / len(scores)
    turned = judge.maximize if judge.decomposable else not judge.maximize
    above, below = found.high - found.estimate, found.estimate - found.low
    low, high = (score - above, score + below) if turned else (score - below, score + above)
    low, high = judge.bounds.ends(low, high)
    return {"score": score, "low": low, "high": high, "scores": scores}


def _interval(interval: Interval) -> dict[str, Any]:
    return asdict(interval)
