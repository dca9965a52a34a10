"""What the shadow set says of the search, in words and numbers. Pure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np

from assay.analysis.final import drawn_rows, signed
from assay.analysis.overtuning import Overtuning, overtuning
from assay.analysis.row_losses import Rows
from assay.core import units
from assay.core.errors import DataError, SpecError, StoreError
from assay.core.events import CONTROL
from assay.core.history import History
from assay.core.rng import stream
from assay.core.spec import StudySpec
from assay.learners.aggregates import AGGREGATES, of_all
from assay.learners.shadow_rows import ShadowRows, unpack
from assay.math.intervals import Interval
from assay.math.resampling import Weighted, gain_from_losses, gain_from_weighted
from assay.report import words
from assay.report.answer import Gain, metric_name
from assay.report.plots.form import Plot
from assay.report.plots.shadow import trace

_DRAWS = 1000
_MOST_CELLS = 5_000_000
"""Draws times rows, but 200 draws at least: a page asks for this at each update."""
_NEAR = 1e-4  # rows are stored in single precision


@dataclass(frozen=True)
class ShadowView:
    """The trace of the incumbents in the search and on the shadow set, and what it says.

    `gain`: of the last incumbent over the first on the shadow set, with an interval over rows that are
    drawn again as those of a test set; without one for a metric of the user's own.
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
    if first is not last and rows is not None:
        with suppress(DataError, SpecError):  # too few rows, or of one class, for any interval
            fits = [_fit(spec, history, one.trial, rows) for one in (first, last)]
            if fits[0] is not None and fits[1] is not None:
                found = _over_rows(spec, fits[0], fits[1])
                return Gain(found.estimate, found.low, found.high, found.level)
    return Gain(spec.signs[0] * (first.shadow - last.shadow), None, None, 1 - spec.alpha)


def _over_rows(spec: StudySpec, first: ShadowRows, last: ShadowRows) -> Interval:
    """The gain with an interval over rows, drawn again as those of a test set are."""
    data, metric = spec.data or {}, _aggregate(spec)
    drawn = drawn_rows(
        first.truth,
        groups=first.groups if data.get("groups") else None,
        time=bool(data.get("time")),
        horizon=data.get("horizon", 1),
        classes=metric is not None and data.get("task") == "classification",
    )
    rng, level = stream(spec.seed, units.SHADOW), 1 - spec.alpha
    draws = min(_DRAWS, max(200, _MOST_CELLS // drawn.n))
    one, other = first.stored[None], last.stored[None]
    if metric is None:
        return gain_from_losses(one, other, drawn, rng, level=level, draws=draws).gain
    turned = partial(signed, -spec.signs[0], metric)
    return gain_from_weighted(
        first.truth, one, other, turned, drawn, rng, level=level, draws=draws
    ).gain


def _aggregate(spec: StudySpec) -> Weighted | None:
    """The metric where it is no mean over rows."""
    return AGGREGATES.get(((spec.data or {}).get("metric") or {}).get("name", ""))


def _fit(spec: StudySpec, history: History, number: int, rows: Rows) -> ShadowRows | None:
    """The stored rows of a fit; None where the value does not follow from them, as of a user's own metric."""
    (fit,) = history.units(number, units.SHADOW).values()
    if not fit.rows:
        return None
    try:
        found = unpack(rows(fit.rows), int((spec.data or {})[units.SHADOW]["rows"]))
    except StoreError:
        return None  # a missing blob is for `verify` to report
    if found is None:
        return None
    metric = _aggregate(spec)
    mean = float(found.stored.mean())
    values = [mean, 1 - mean] if metric is None else [of_all(metric, found.truth, found.stored)]
    near = np.isclose(values, fit.value, rtol=_NEAR, atol=_NEAR).any()
    return found if near else None


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
