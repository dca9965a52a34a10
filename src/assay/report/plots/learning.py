"""The score of the defaults by the number of training rows, with what more rows would bring."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from assay.core.spec import StudySpec
from assay.report import words
from assay.report.answer import metric_name
from assay.report.plots.axes import better
from assay.report.plots.form import Axis, Panel, Plot, Table, line, points

_POINTS = 40
_MORE = (1.25, 2.0)


def learning_curve(spec: StudySpec, numbers: Mapping[str, float]) -> Plot | None:
    """What check PF14 measured and the power law through it; None where it was not measured.

    Args:
        numbers: of the check: `rows_1`, `loss_1`, … for each part, and `limit`, `factor`, `power` of
            loss = limit + factor * rows^-power where it fits.
    """
    parts = [n for n in range(1, 10) if {f"rows_{n}", f"loss_{n}"} <= numbers.keys()]
    if len(parts) < 2:
        return None
    sign = spec.signs[0]
    measured = [(numbers[f"rows_{n}"], sign * numbers[f"loss_{n}"]) for n in parts]
    title, metric = "What more rows would bring", metric_name(spec)
    rows = [(f"{n:,.0f}", words.number(v), "measured") for n, v in measured]
    marks = [points("better", "measured, on parts of the training rows", measured)]
    most = max(n for n, _ in measured)
    about = f"The defaults on {len(parts)} parts of their training rows"
    if {"limit", "factor", "power"} <= numbers.keys():

        def law(n: float) -> float:
            return float(sign * (numbers["limit"] + numbers["factor"] * n ** -numbers["power"]))

        least = min(n for n, _ in measured)
        known, ahead = np.geomspace(least, most, _POINTS), np.geomspace(most, 2 * most, _POINTS)
        marks += [
            line("record", "fitted", [(float(n), law(float(n))) for n in known]),
            line("luck", "forecast", [(float(n), law(float(n))) for n in ahead]),
        ]
        rows += [(f"{k * most:,.0f}", words.number(law(k * most)), "forecast") for k in _MORE]
        gains = [sign * (law(most) - law(k * most)) for k in _MORE]
        about += (
            f"; a quarter more rows would bring {words.signed(gains[0], 2)}, twice as many "
            f"{words.signed(gains[1], 2)}"
        )
    panel = Panel(Axis("training rows", low=0.0), Axis(f"{metric} ({better(spec)})"), tuple(marks))
    table = Table(title, ("training rows", metric, "how"), tuple(rows))
    note = (
        "A guide, no promise: a + b·n⁻ᶜ through a few points, each the mean of a few folds."
        if len(marks) > 1
        else "Flat or uneven: no curve goes through these points, so nothing is forecast."
    )
    return Plot("learning_curve", title, f"{about}.", (panel,), table, notes=(note,))
