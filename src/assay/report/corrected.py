"""What the winner of the search, and of any part of it, is worth without its selection luck. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.analysis.procedure import complete, cross_check
from assay.analysis.row_losses import RowLosses, Rows
from assay.analysis.row_losses import row_losses as stored
from assay.core.events import CONTROL, Estimated
from assay.core.history import History
from assay.core.rng import stream
from assay.core.spec import StudySpec
from assay.math.expected_best import honest_best
from assay.math.selection_luck import bbc
from assay.report import words
from assay.report.answer import Bar

_DRAWS = 1000
_CURVE_POINTS = 30
_LABEL = "The search, corrected"


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


def row_losses(spec: StudySpec, history: History, rows: Rows | None) -> RowLosses | None:
    """The stored losses of all complete trials, of three with the control at least.

    None where there are none, where rows belong together or follow in time, where the metric is not
    the mean of its rows (or 1 minus that mean), or where there are too many of them.
    """
    trials = complete(spec, history)
    if CONTROL not in trials or len(trials) < 3:
        return None
    found = stored(spec, history, rows, trials)
    return found if isinstance(found, RowLosses) else None
