"""What parameters have to do with values: parallel coordinates, slices, contours, ranks, importance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from assay.core.errors import SpecError
from assay.report import words
from assay.report.influence import Influence
from assay.report.plots.axes import (
    better,
    chosen,
    drawn_of,
    objective_axis,
    parameter_axis,
    trial_table,
    tried,
)
from assay.report.plots.form import Axis, Lines, Mark, Panel, Plot, Table
from assay.report.plots.outcomes import Array, Outcomes, telling

MOST_LINES = 500
_MOST_POINTS = 3000
_MOST_SLICES = 24
_GRID = 24
_SAMPLE = 1500
_WIDTH = 0.09  # of the smoothing kernel, in shares of the range of each parameter
_LEAST_NEAR = 0.15  # of one trial at the very place: less than this is not known
_KEPT = 0.95  # of the trials lie within the shown range of values

Within = Any
"""Which trials are looked at, as truth values by place; None: all."""


def parallel_coordinate(
    outcomes: Outcomes,
    params: Iterable[str] | None = None,
    *,
    most: int = MOST_LINES,
    within: Within = None,
) -> Plot:
    """Each trial as a line across its parameters and its value."""
    names = chosen(outcomes, params)
    spec = outcomes.spec
    places = telling(outcomes, most, within)
    coordinates, values = outcomes.coordinates, outcomes.values
    column = {name: i for i, name in enumerate(spec.space)}
    axes = [parameter_axis(outcomes, name) for name in names]
    axes += [_value_axis(outcomes, i) for i in range(len(spec.objectives))]
    rows = []
    for i in places:
        of = [coordinates[i, column[name]] for name in names]
        row = [None if np.isnan(u) else round(float(u), 5) for u in of]
        told = [
            _clamped(float(v), axis) for v, axis in zip(values[i], axes[len(names) :], strict=True)
        ]
        rows.append((*row, *told))
    goodness = outcomes.goodness()
    shade = tuple(round(float(goodness[i]), 4) for i in places)
    numbers = tuple(outcomes.numbers[i] for i in places)
    lines = Lines(tuple(axes), (*names, *spec.objectives), tuple(rows), numbers, shade)
    count = len(outcomes.numbers) if within is None else int(np.sum(within))
    about = f"{words.count(count, 'trial')} across {words.count(len(names), 'parameter')}."
    table = trial_table(outcomes, names, "Settings and values")
    plot = Plot("parallel_coordinate", "Parallel coordinates", about, (), table, lines)
    return plot.with_notes(drawn_of(len(places), count))


def _value_axis(outcomes: Outcomes, place: int) -> Axis:
    axis = objective_axis(outcomes.spec, place)
    low, high = _range(outcomes, place)
    return Axis(axis.label, (), low, high)


def _range(outcomes: Outcomes, place: int = 0) -> tuple[float, float]:
    """The range of values that is shown: a few very bad trials must not flatten the rest."""
    if not outcomes.numbers:
        return 0.0, 1.0
    values = outcomes.values[:, place]
    best, worst = (values.min(), values.max())[:: int(outcomes.spec.signs[place])]
    sign = outcomes.spec.signs[place]
    edge = float(np.quantile(sign * values, _KEPT)) * sign
    span = abs(edge - best)
    far = edge + sign * 0.5 * span if span else worst
    end = far if sign * (worst - far) > 0 else worst
    low, high = sorted((float(best), float(end)))
    room = 0.04 * (high - low) or abs(high) * 0.04 or 1.0
    return low - room, high + room


def _clamped(value: float, axis: Axis) -> float:
    assert axis.low is not None
    assert axis.high is not None
    return min(max(value, axis.low), axis.high)


def slice_(
    outcomes: Outcomes, params: Iterable[str] | None = None, *, within: Within = None
) -> Plot:
    """The value against each parameter by itself; later trials have the stronger colour."""
    names = chosen(outcomes, params)
    places = telling(outcomes, max(_MOST_POINTS // max(len(names), 1), 300), within)
    y = _value_axis(outcomes, 0)
    panels = tuple(_slice(outcomes, places, name, y) for name in names[:_MOST_SLICES])
    about = f"{outcomes.spec.objectives[0]} against {words.count(len(names), 'parameter')}, {better(outcomes.spec)}."
    table = trial_table(outcomes, names, "Settings and values")
    plot = Plot("slice", "Slices", words.name(about), panels if places else (), table)
    more = f"The first {_MOST_SLICES} parameters are drawn." if len(names) > _MOST_SLICES else ""
    beyond = int(sum(not y.low <= v <= y.high for v in outcomes.values[places, 0]))
    edge = f"{words.count(beyond, 'trial')} beyond the edge." if beyond else ""
    return plot.with_notes(drawn_of(len(places), len(outcomes.numbers)), edge, more)


def _slice(outcomes: Outcomes, places: Sequence[int], name: str, y: Axis) -> Panel:
    column = list(outcomes.spec.space).index(name)
    at = outcomes.coordinates[places, column] if places else np.array([])
    values = outcomes.values[places, 0] if places else np.array([])
    assert y.low is not None
    assert y.high is not None
    kept = ~np.isnan(at) & (values >= y.low) & (values <= y.high)
    mine = [place for place, keep in zip(places, kept, strict=True) if keep]
    last = max(len(outcomes.numbers) - 1, 1)
    mark = Mark(
        "points",
        "shaded",
        "the stronger the colour, the later the trial",
        tuple(np.round(at[kept], 5).tolist()),
        tuple(values[kept].tolist()),
        trials=tuple(outcomes.numbers[i] for i in mine),
        shade=tuple(round(i / last, 4) for i in mine),
        at=tried(outcomes, mine, name),
    )
    return Panel(parameter_axis(outcomes, name), y, (mark,), words.name(name, 60))


def contour(outcomes: Outcomes, params: Sequence[str] | None = None) -> Plot:
    """The value over two parameters: the smoothed mean of trials nearby, blank where none is near.

    Args:
        params: two names; None: the first two.

    The mean is weighted with a Gaussian kernel (Nadaraya 1964, Watson 1964) over ranks of values,
    so that a few very bad trials do not drown the rest.
    """
    one, other = _pair(outcomes, params)
    places = telling(outcomes, _SAMPLE)
    points = _pair_points(outcomes, places, one, other)
    title = f"Contour of {words.name(one, 40)} and {words.name(other, 40)}"
    panel = Panel(parameter_axis(outcomes, one), parameter_axis(outcomes, other), ())
    table = trial_table(outcomes, [one, other], "Settings and values")
    about = "Shaded by the share of trials that a config there is better than."
    if not points.trials:
        return Plot("contour", title, "No trial with both parameters has a value yet.", (), table)
    heat = _surface(points)
    marks = (heat, points)
    plot = Plot(
        "contour", title, about, (Panel(panel.x, panel.y, marks),), table,
        notes=("Blank: no trial is near. The stronger the colour, the better; a surface through noisy trials is a guess.",),
    )  # fmt: skip
    return plot.with_notes(drawn_of(len(places), len(outcomes.numbers)))


def rank(outcomes: Outcomes, params: Sequence[str] | None = None) -> Plot:
    """Trials over two parameters, shaded by the rank of their values."""
    one, other = _pair(outcomes, params)
    places = telling(outcomes, _SAMPLE)
    points = _pair_points(outcomes, places, one, other)
    title = f"Ranks over {words.name(one, 40)} and {words.name(other, 40)}"
    table = trial_table(outcomes, [one, other], "Settings and values")
    panel = Panel(parameter_axis(outcomes, one), parameter_axis(outcomes, other), (points,))
    about = "Trials over two parameters; the stronger the colour, the better."
    plot = Plot("rank", title, about, (panel,) if points.x else (), table)
    return plot.with_notes(drawn_of(len(places), len(outcomes.numbers)))


def _pair(outcomes: Outcomes, params: Sequence[str] | None) -> tuple[str, str]:
    names = chosen(outcomes, params)
    if params is None:
        names = names[:2]
    if len(names) != 2:
        raise SpecError(f"This figure needs two parameters, got {len(names)}. Name two.")
    return names[0], names[1]


def _pair_points(outcomes: Outcomes, places: Sequence[int], one: str, other: str) -> Mark:
    listed = list(outcomes.spec.space)
    columns = [listed.index(one), listed.index(other)]
    at = outcomes.coordinates[places][:, columns] if places else np.empty((0, 2))
    kept = np.asarray(~np.isnan(at).any(axis=1))
    mine = [place for place, keep in zip(places, kept, strict=True) if keep]
    goodness = outcomes.goodness() if mine else np.array([])
    return Mark(
        "points",
        "shaded",
        "a trial; the stronger the colour, the better",
        tuple(np.round(at[kept, 0], 5).tolist()),
        tuple(np.round(at[kept, 1], 5).tolist()),
        trials=tuple(outcomes.numbers[i] for i in mine),
        shade=tuple(round(float(goodness[i]), 4) for i in mine),
        at=tried(outcomes, mine, one),
    )


def _surface(points: Mark) -> Mark:
    centres = (np.arange(_GRID) + 0.5) / _GRID
    x, y = np.array(points.x), np.array(points.y)
    by_x, by_y = (np.exp(-0.5 * ((centres[:, None] - p) / _WIDTH) ** 2) for p in (x, y))
    good = np.array(points.shade, dtype=np.float64)
    near: Array = by_y @ by_x.T
    mean = by_y @ (by_x * good).T / np.maximum(near, 1e-300)
    shade = [
        round(float(m), 3) if weight >= _LEAST_NEAR else None
        for m, weight in zip(mean.ravel(), near.ravel(), strict=True)
    ]
    ticks = tuple(centres.round(4).tolist())
    return Mark("heat", "shaded", "", ticks, ticks, shade=tuple(shade))


def param_importances(found: Influence) -> Plot:
    """The share of being among the best that each parameter explains, with its interval."""
    title = "Importance of the parameters"
    names = [name for name, *_ in found.rows]
    count = len(names)
    y = tuple(float(count - 1 - i) for i in range(count))
    ticks = tuple(zip(y, names, strict=True))
    mark = Mark(
        "bars",
        "bar",
        f"share, with its {100 * found.level:g} % interval",
        tuple(value for _, value, _, _ in found.rows),
        y,
        tuple(low for _, _, low, _ in found.rows),
        tuple(high for _, _, _, high in found.rows),
    )
    rows = tuple(
        (name, f"{100 * value:.0f} %", f"{100 * low:.0f} % to {100 * high:.0f} %")
        for name, value, low, high in found.rows
    )
    heads = ("parameter", "share", f"{100 * found.level:g} % interval")
    about = (
        f"How much of being among the best {found.best} of {words.count(found.trials, 'trial')} "
        "each parameter explains by itself."
    )
    percent = tuple((share, f"{100 * share:.0f} %") for share in (0.0, 0.25, 0.5, 0.75, 1.0))
    panel = Panel(Axis("share", percent, 0.0, 1.0), Axis("", ticks, -0.6, count - 0.4), (mark,))
    return Plot("param_importances", title, about, (panel,), Table(title, heads, rows))
