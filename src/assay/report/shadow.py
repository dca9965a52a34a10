"""What the shadow set says of the search, in words and numbers. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.analysis.overtuning import Overtuning, overtuning
from assay.core import units
from assay.core.errors import StoreError
from assay.core.events import CONTROL
from assay.core.history import History
from assay.core.rng import stream
from assay.core.spec import StudySpec
from assay.math.resampling import gain_from_losses
from assay.math.rows import Independent
from assay.report import words
from assay.report.answer import Gain, metric_name
from assay.report.corrected import Rows
from assay.report.plots.form import Plot
from assay.report.plots.shadow import trace

_DRAWS = 1000
_NEAR = 1e-4  # rows are stored in single precision


@dataclass(frozen=True)
class ShadowView:
    """The trace of the incumbents in the search and on the shadow set, and what it says.

    `gain`: of the last incumbent over the first on the shadow set, with an interval where its rows are
    independent and the metric is a mean over rows.
    """

    rows: int
    measures: Overtuning
    gain: Gain
    plot: Plot
    sentences: tuple[str, ...]


def shadow(spec: StudySpec, history: History, rows: Rows | None) -> ShadowView | None:
    """What the shadow set says; None without one, or before an incumbent was scored on it."""
    measures = overtuning(spec, history)
    if measures is None:
        return None
    gain = _gain(spec, history, measures, rows)
    size = int((spec.data or {})[units.SHADOW]["rows"])
    plot = trace(spec, history, measures)
    return ShadowView(size, measures, gain, plot, _sentences(spec, measures, gain, size))


def _gain(spec: StudySpec, history: History, measures: Overtuning, rows: Rows | None) -> Gain:
    first, last = measures.incumbents[0], measures.incumbents[-1]
    plain = Gain(spec.signs[0] * (first.shadow - last.shadow), None, None, 1 - spec.alpha)
    kind = ((spec.data or {}).get("splits") or {}).get("kind")
    if rows is None or first is last or kind in ("grouped", "forward"):
        return plain
    losses = [_losses(history, one.trial, rows) for one in (first, last)]
    if losses[0] is None or losses[1] is None:
        return plain
    drawn = Independent(losses[0].size)
    rng = stream(spec.seed, units.SHADOW)
    found = gain_from_losses(
        losses[0], losses[1], drawn, rng, level=1 - spec.alpha, draws=_DRAWS
    ).gain
    return Gain(found.estimate, found.low, found.high, found.level)


def _losses(history: History, number: int, rows: Rows) -> np.ndarray | None:
    """The stored losses of the shadow rows, shape (1, rows); None if the metric is no mean of them."""
    (fit,) = history.units(number, units.SHADOW).values()
    if not fit.rows:
        return None
    try:
        stored = np.asarray(rows(fit.rows), dtype=np.float64).ravel()
    except StoreError:
        return None  # a missing blob is for `verify` to report
    mean = float(stored.mean())
    near = np.isclose([mean, 1 - mean], fit.value, rtol=_NEAR, atol=_NEAR).any()
    return stored[None] if near else None


def _sentences(spec: StudySpec, measures: Overtuning, gain: Gain, size: int) -> tuple[str, ...]:
    found, metric = measures.incumbents, metric_name(spec)
    last = found[-1]
    if len(found) == 1:
        only = (
            f"{_who(last.trial)} still the best of the search; on the {size:,} shadow rows "
            f"{metric} is {words.score(last.shadow)}."
        )
        return (only,)
    seen = spec.signs[0] * (found[0].search - last.search)
    first = "the defaults" if found[0].trial == CONTROL else f"trial {found[0].trial}"
    said = (
        f"{len(found):,} configs were the best of the search in turn, and {size:,} rows that it never "
        f"used judge them. The last, trial {last.trial}, gains {gain} there over {first}, where the "
        f"search saw {words.signed(seen)}."
    )
    noise = (
        "These rows chose none of them; but each value is one fit, judged on few rows, so small differences "
        "are noise."
    )
    return said, _lost(spec, measures), noise


def _who(trial: int, were: str = "are", was: str = "is") -> str:
    return f"The defaults {were}" if trial == CONTROL else f"Trial {trial} {was}"


def _lost(spec: StudySpec, measures: Overtuning) -> str:
    if measures.lost <= 0:
        return "None of the earlier ones is better there: no overtuning is seen."
    best = min(measures.incumbents, key=lambda one: spec.signs[0] * one.shadow)
    said = f"{_who(best.trial, were='were', was='was')} better there by {words.number(measures.lost, 3)}: "
    if measures.relative is None:
        return f"{said}that much was lost, and tuning gained next to nothing on these rows."
    if measures.severe:
        return f"{said}severe overtuning, as the search ended below where it began."
    return f"{said}overtuning, {100 * measures.relative:.0f} % of what tuning had gained there."
