"""One trial as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.analysis.effects import Effect, has_control
from assay.core.events import CONTROL, Failed, Measured, Noted
from assay.core.parameters import Choice, Ordinal
from assay.core.spec import StudySpec
from assay.report import why, words
from assay.report.answer import Change, compared
from assay.report.plots.axes import objective_axis
from assay.report.plots.draw import Figure, drawn
from assay.report.plots.form import Axis, Panel, Plot, Table, line
from assay.report.plots.outcomes import Outcomes
from assay.report.trials import evaluations

_MOST_UNITS = 200


@dataclass(frozen=True)
class TrialPage:
    """All that is known of a trial, in words."""

    number: int
    state: str
    origin: str
    values: tuple[tuple[str, str], ...]
    extra: tuple[tuple[str, str], ...]
    gain: str
    standing: str
    cost: str
    why: str
    against_control: tuple[Change, ...]
    control: bool
    neighbour: int | None
    against_neighbour: tuple[Change, ...]
    units: tuple[tuple[str, str, str, str, str], ...]
    more_units: int
    failure: str
    output: tuple[str, ...]
    retries: tuple[str, ...]
    notes: tuple[str, ...]
    blobs: tuple[str, ...]
    curve: Figure | None


def trial_page(spec: StudySpec, outcomes: Outcomes, number: int) -> TrialPage:
    """The page of a trial."""
    history = outcomes.history
    trial = history.trial(number)
    control = has_control(history) and number != CONTROL
    near = nearest(outcomes, number)
    outcome = history.outcome(number)
    failed = outcome if isinstance(outcome, Failed) else None
    measured = evaluations(history, number)
    effect = outcomes.effects.get(number)
    values = zip(spec.objectives, trial.values or (), strict=False)
    other = compared(history.config(near), trial.config) if near is not None else ()
    return TrialPage(
        number=number,
        state=trial.state if trial.feasible is not False else "infeasible",
        origin=words.name(trial.origin),
        values=tuple((words.name(n), words.number(v, 8)) for n, v in values),
        extra=tuple((words.name(n), words.number(v, 6)) for n, v in trial.extra.items()),
        gain=_gain(effect) if effect and number != CONTROL else "",
        standing=effect.standing if effect else "",
        cost=f"{words.seconds(trial.cpu_s)} of CPU time, {words.seconds(trial.wall_s)} on the clock",
        why=why.in_words(trial, [words.name(o) for o in spec.objectives]),
        against_control=compared(history.config(CONTROL) if control else {}, trial.config),
        control=control,
        neighbour=near,
        against_neighbour=tuple(change for change in other if change.differs),
        units=tuple(_unit(event) for event in measured[:_MOST_UNITS]),
        more_units=max(len(measured) - _MOST_UNITS, 0),
        failure=words.name(f"{failed.kind}: {failed.reason}", 2000) if failed else "",
        output=tuple(words.lines(failed.output)) if failed else (),
        retries=tuple(map(str, history.retries(number))),
        notes=tuple(
            words.name(e.text, 2000)
            for e in history.milestones()
            if isinstance(e, Noted) and e.trial == number
        ),
        blobs=tuple(words.name(event.rows) for event in measured if event.rows),
        curve=_curve(spec, outcomes, number),
    )


def _unit(event: Measured) -> tuple[str, str, str, str, str]:
    repeat, fold, seed = event.unit
    train = "–" if event.train is None else words.number(event.train, 6)
    where = f"repeat {repeat}, fold {fold}, seed {seed}"
    value = words.number(event.value, 6)
    return words.name(event.stage, 20), where, value, train, words.seconds(event.cpu_s)


def _gain(effect: Effect) -> str:
    interval = effect.interval
    ends = (interval.low, interval.high) if interval else (None, None)
    return words.span(effect.gain, *ends)


def nearest(outcomes: Outcomes, number: int) -> int | None:
    """The trial with a value whose config differs least, by Gower's distance; None if there is none.

    Each parameter counts its share of the range, a choice 0 or 1, and one that is active in only
    one of them 1. Source: Gower 1971, Biometrics 27, 857-871.
    """
    numbers = np.array(outcomes.numbers, dtype=int)
    if not len(numbers) or not len(outcomes.spec.space):
        return None
    space = outcomes.spec.space
    config = outcomes.history.config(number)
    own = np.array(
        [space[n].to_unit(config[n]) if n in config else np.nan for n in space], dtype=np.float64
    )
    others = outcomes.coordinates
    apart = np.abs(others - own)
    for i, name in enumerate(space):
        if isinstance(space[name], Choice) and not isinstance(space[name], Ordinal):
            apart[:, i] = (apart[:, i] > 1e-12).astype(float)
    both_off = np.isnan(others) & np.isnan(own)
    apart = np.where(both_off, 0.0, np.where(np.isnan(apart), 1.0, apart))
    far = apart.sum(axis=1)
    far[numbers == number] = np.inf
    place = int(far.argmin())
    return int(numbers[place]) if np.isfinite(far[place]) else None


def _curve(spec: StudySpec, outcomes: Outcomes, number: int) -> Figure | None:
    reports = sorted(outcomes.history.reports(number).items())
    if len(reports) < 2:
        return None
    every = -(-len(reports) // 500)
    panels = []
    places = range(min(len(values) for _, values in reports))
    for place in places:
        xy = [(float(step), values[place]) for step, values in reports[::every]]
        panels.append(Panel(Axis("step"), objective_axis(spec, place), (line("record", "", xy),)))
    rows = tuple(
        (f"{step:,}", *(words.number(values[k], 6) for k in places))
        for step, values in reports[-100:]
    )
    heads = ("value",) if spec.single else tuple(words.name(o, 40) for o in spec.objectives)
    table = Table("Reported values", ("step", *heads[: len(places)]), rows)
    (first, begun), (_, last) = reports[0], reports[-1]
    about = f"From {words.number(begun[0])} at step {first} to {words.number(last[0])}."
    return drawn(Plot("curve", "Learning curve", about, tuple(panels), table))
