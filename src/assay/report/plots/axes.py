"""Axes of parameters and objectives, and how their values are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from assay.core.errors import SpecError, did_you_mean
from assay.core.parameters import Choice
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.plots.form import Axis, Table
from assay.report.plots.outcomes import Outcomes

_MOST_TICKS = 12
_MOST_ROWS = 100


def parameter_axis(outcomes: Outcomes, name: str) -> Axis:
    """The axis of a parameter from 0 to 1, on its own scale, with its values as ticks."""
    parameter = outcomes.spec.space[name]
    shown = parameter.points(5)
    if isinstance(parameter, Choice) and len(shown) > _MOST_TICKS:
        shown = shown[:: -(-len(shown) // _MOST_TICKS)]
    ticks = tuple((parameter.to_unit(value), _tick(value)) for value in shown)
    return Axis(words.name(name, 60), ticks, 0.0, 1.0)


def _tick(value: Any) -> str:
    if isinstance(value, float):
        return words.number(value, 3)
    return words.name(words.value(value), 24)


def objective_axis(spec: StudySpec, place: int = 0) -> Axis:
    """The axis of an objective."""
    return Axis(words.name(spec.objectives[place], 60))


def better(spec: StudySpec, place: int = 0) -> str:
    """Which way is better."""
    return "lower is better" if spec.signs[place] > 0 else "higher is better"


def chosen(outcomes: Outcomes, params: Iterable[str] | None) -> list[str]:
    """The parameters to show: those named, or all with more than one value.

    Raises:
        SpecError: one of them does not exist.
    """
    space = outcomes.spec.space
    if params is None:
        return [name for name in space if space[name].size > 1]
    listed = [params] if isinstance(params, str) else list(params)
    for name in listed:
        if name not in space.nodes:
            raise SpecError(f"There is no parameter {name!r}. {did_you_mean(name, space.nodes)}")
    return listed


def tried(outcomes: Outcomes, places: Sequence[int], name: str) -> tuple[Any, ...]:
    """The values of a parameter at these places; None where it was not active."""
    return tuple(outcomes.history.config(outcomes.numbers[i]).get(name) for i in places)


def trial_table(outcomes: Outcomes, names: Sequence[str], caption: str) -> Table:
    """The best trials with their values of some parameters."""
    best = [int(i) for i in outcomes.order[:_MOST_ROWS]]
    values = outcomes.values
    rows = []
    for i in best:
        config = outcomes.history.config(outcomes.numbers[i])
        told = [words.number(v, 6) for v in values[i]]
        cells = [words.value(config[n]) if n in config else "not active" for n in names]
        rows.append((f"trial {outcomes.numbers[i]}", *told, *cells))
    objectives = [words.name(o, 60) for o in outcomes.spec.objectives]
    heads = ("trial", *objectives, *(words.name(n, 60) for n in names))
    more = f", the best {len(rows)}" if len(outcomes.numbers) > len(rows) else ""
    return Table(f"{caption}{more}", heads, tuple(rows))


def drawn_of(drawn: int, all_of: int, what: str = "trial") -> str:
    """A note where not everything is drawn; else empty."""
    if drawn >= all_of:
        return ""
    return f"{drawn:,} of {words.count(all_of, what)} are drawn: the best, and a fair sample."
