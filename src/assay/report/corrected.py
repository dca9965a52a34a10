"""What the winner of the search, and of any part of it, is worth without its selection luck. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.analysis.procedure import cross_check
from assay.core import units
from assay.core.errors import StoreError
from assay.core.events import CONTROL, Estimated
from assay.core.history import History
from assay.core.rng import stream
from assay.core.spec import StudySpec
from assay.math.expected_best import honest_best
from assay.math.selection_luck import bbc
from assay.report import words
from assay.report.answer import Bar

Rows: TypeAlias = Callable[[str], NDArray[np.float32]]
"""The stored per-row values behind a hash."""

_MOST_CELLS = 2_000_000  # rows times trials: about a second of computing
_DRAWS = 1000
_CURVE_POINTS = 30
_LABEL = "The search, corrected"
_NEAR = 1e-4  # rows are stored in single precision


def corrected_bar(spec: StudySpec, history: History, rows: Rows | None) -> Bar | None:
    """The corrected estimate in units of the metric.

    None where it cannot be had; see `row_losses`. Where the plan estimates the procedure, that estimate.
    """
    estimated: Estimated | None = history.last(Estimated)
    if estimated is not None:
        score, said = estimated.results["score"], f"on rows left out ({estimated.final})"
        return Bar("corrected", _LABEL, said, score["score"], score["low"], score["high"])
    known = row_losses(spec, history, rows)
    if known is None:
        return None
    found = bbc(known.losses, stream(spec.seed, "report"), level=1 - spec.alpha, draws=_DRAWS)
    turned = known.turned
    ends = (1 - found.high, 1 - found.low) if turned else (found.low, found.high)
    estimate = 1 - found.estimate if turned else found.estimate
    check = cross_check(spec, history)
    beside = f"; Tibshirani's check takes off {words.number(check, 2)}" if check is not None else ""
    note = f"selection luck taken off (BBC{beside})"
    return Bar("corrected", _LABEL, note, estimate, *ends)


def honest_curve(spec: StudySpec, history: History, rows: Rows | None) -> tuple[Honest, ...]:
    """The gain of the best of n trials on rows that did not choose it; empty as `corrected_bar`."""
    known = row_losses(spec, history, rows)
    if known is None:
        return ()
    most = len(known.trials)
    counts = sorted({round(n) for n in np.geomspace(1, most, _CURVE_POINTS)})
    rng = stream(spec.seed, "honest curve")
    place = known.trials.index(CONTROL)
    curve = honest_best(known.losses, counts, rng, reference=place, level=1 - spec.alpha)
    return tuple(Honest(n, *map(float, ends)) for n, *ends in zip(counts, *curve, strict=True))


@dataclass(frozen=True)
class Honest:
    """What the best of n trials gains on rows that did not choose it, with its band."""

    n: int
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class RowLosses:
    """The losses of trials on common rows, lower is better, shape (rows, trials).

    `turned`: whether the metric is 1 minus the mean loss.
    """

    trials: list[int]
    losses: NDArray[np.float64]
    turned: bool


def row_losses(spec: StudySpec, history: History, rows: Rows | None) -> RowLosses | None:
    """The stored losses of all complete trials.

    None where there are none, where rows belong together or follow in time, where the metric is not
    the mean of its rows (or 1 minus that mean), or where there are too many of them.
    """
    kind = ((spec.data or {}).get("splits") or {}).get("kind")
    if rows is None or not spec.single or kind in (None, "grouped", "forward"):
        return None
    trials = [number for number, _ in history.told() if _complete(spec, history, number)]
    if CONTROL not in trials or len(trials) < 3:
        return None
    try:
        first = _losses(spec, history, CONTROL, rows)
        turned = _turned(spec, history, first)
        if turned is None or sum(map(len, first)) * len(trials) > _MOST_CELLS:
            return None
        columns = [np.concatenate(_losses(spec, history, n, rows)) for n in trials]
    except StoreError:
        return None  # a missing blob is for `verify` to report
    losses = np.column_stack(columns).astype(np.float64)
    return RowLosses(trials, losses, turned)


def _complete(spec: StudySpec, history: History, number: int) -> bool:
    found = history.units(number, "search")
    return all(unit in found and found[unit].rows for unit in units.search(spec))


def _losses(
    spec: StudySpec, history: History, number: int, rows: Rows
) -> list[NDArray[np.float32]]:
    """The per-row losses of each fold; every trial has the same folds, so rows match."""
    found = history.units(number, "search")
    return [np.asarray(rows(str(found[unit].rows))).ravel() for unit in units.search(spec)]


def _turned(spec: StudySpec, history: History, losses: list[NDArray[np.float32]]) -> bool | None:
    """Whether the metric is 1 minus the mean loss; False if it is the mean, None if neither."""
    found = history.units(CONTROL, "search")
    values = [found[unit].value for unit in units.search(spec)]
    means = [float(fold.mean(dtype=np.float64)) for fold in losses]
    if spec.signs[0] > 0 and np.allclose(values, means, rtol=_NEAR, atol=_NEAR):
        return False
    if spec.signs[0] < 0 and np.allclose(values, 1 - np.array(means), rtol=_NEAR, atol=_NEAR):
        return True
    return None
