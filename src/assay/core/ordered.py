"""A log put in order: what two runs of the same plan in strict order have in common. Pure.

Their logs differ in who was faster, in what it took, and in what broke on the way and was done again.
What is left is the same, whatever ran it: the plan, each trial with its config, its reports, its values
or the kind of its failure, every unit that was measured with the hash of its rows, and the selection.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from assay.core.events import (
    FLOOR,
    Asked,
    Created,
    Event,
    Exhausted,
    Failed,
    Measured,
    Reported,
    Selected,
    Told,
)
from assay.core.history import History
from assay.core.jsonform import digest


def ordered(history: History) -> list[Event]:
    """The events of a history by trial and unit, without times, costs and what a failure printed."""
    return [*_plan(history), *_trials(history), *_after(history)]


def ordered_digest(history: History) -> str:
    """The hash of the ordered log: equal for any two whole runs of a plan in strict order."""
    return digest([msgspec.to_builtins(event) for event in ordered(history)])


def _plan(history: History) -> Iterator[Event]:
    created: Created | None = history.last(Created)
    if created:
        yield Created(created.spec, created.plan)
    yield from history.learned
    yield from (event for _, event in history.queue)


def _trials(history: History) -> Iterator[Event]:
    for number in range(history.n_trials):
        trial = history.trial(number)
        why = dict(trial.why) if trial.why is not None else None
        yield Asked(number, dict(trial.config), 0, trial.origin, why)
        yield from (
            Reported(number, step, first, tuple(others))
            for step, (first, *others) in sorted(history.reports(number).items())
        )
        yield from _units(history, number, "search")
        if trial.values is not None:
            yield Told(number, trial.values, dict(trial.extra) or None)
        elif trial.failure:
            yield Failed(number, trial.failure.kind, "")


def _after(history: History) -> Iterator[Event]:
    for stage in ("floor", "probe", "control", "recheck", "confirm", "outer", "shadow", "test"):
        for number in range(FLOOR, history.n_trials):
            yield from _units(history, number, stage)
    yield from (event for kind in (Exhausted, Selected) if (event := history.last(kind)))


def _units(history: History, number: int, stage: str) -> Iterator[Event]:
    for unit, event in sorted(history.units(number, stage).items()):
        yield Measured(number, stage, unit, event.value, event.train, event.rows)
