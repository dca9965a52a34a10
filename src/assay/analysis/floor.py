"""Does the model learn anything from the features? The control against a model that looks at none. Pure."""

from __future__ import annotations

from assay.analysis.effects import by_noise, control_noise, fresh_interval, has_control
from assay.core import units
from assay.core.events import CONTROL, FLOOR
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.math.intervals import Interval


def above_floor(spec: StudySpec, history: History) -> Interval | None:
    """How much better the control is than the dummy model, on the units of the search.

    None without data, or while one of the two was not measured. A positive gain is better. With one
    unit the noise of the control stands in for the spread.
    """
    if not spec.data or not spec.single or not has_control(history):
        return None
    dummy, control = (units.search_values(spec, history, n) for n in (FLOOR, CONTROL))
    common = [unit for unit in units.search(spec) if unit in dummy and unit in control]
    gains = [spec.signs[0] * (dummy[unit] - control[unit]) for unit in common]
    if not gains:
        return None
    if len(gains) > 1:
        return fresh_interval(spec, gains)
    return by_noise(gains[0], control_noise(spec, history).floor or 0.0)


def floor_warning(spec: StudySpec, history: History) -> str:
    """A warning if the control is not better than the dummy model beyond noise; else empty."""
    found = above_floor(spec, history)
    if found is None or found.low > 0:
        return ""
    dummy, control = (units.search_values(spec, history, n) for n in (FLOOR, CONTROL))
    own, none = (
        sum(values[unit] for unit in units.search(spec)) / len(units.search(spec))
        for values in (control, dummy)
    )
    (metric,) = spec.objectives
    best = 1.0 if spec.signs[0] < 0 else 0.0
    if none == best:  # as recall is where all rows are called positive
        return (
            f"A model that looks at no column and says the same of every row has {metric} {none:.4g}, the "
            "best there is: this metric alone cannot show whether anything is learnt."
        )
    return (
        "Warning: with its default settings the model is not shown to learn anything from these "
        f"columns: beyond noise it is no better than one that looks at none ({metric} {own:.4g} "
        f"against {none:.4g}). Other columns or another model may do more than tuning."
    )
