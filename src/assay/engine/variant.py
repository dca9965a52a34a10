"""What to do next in a study that is one search of an ablation. Pure.

The search as in any study; then its best config, and the one that it was given from the reference,
on fresh units that no search of the ablation uses; and in a race its best config on further ones.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from assay.analysis.ablation import FRESH, RACE, borrowed, fresh_units, winner
from assay.analysis.path import race_units
from assay.core.history import History
from assay.core.jobs import Unit
from assay.core.spec import StudySpec
from assay.engine.plan import Command, Evaluate, Finish, Key, Wait, lost, next_repeat, plan


def plan_variant(
    spec: StudySpec,
    history: History,
    *,
    busy: Collection[Key] = (),
    seconds: float = 0.0,
    stopping: bool = False,
    fresh: int,
    racing: bool = False,
) -> Command:
    """The next command; `fresh` units are measured at the end, at least, and those of a race."""
    command = plan(spec, history, busy=busy, seconds=seconds, stopping=stopping)
    if not isinstance(command, Finish) or command.failed or command.reason == "interrupted":
        return command
    best, lent = winner(spec, history), borrowed(history)
    wanted = [(number, FRESH, fresh_units(spec, fresh)) for number in dict.fromkeys((best, lent))]
    if racing:
        wanted.append((best, RACE, race_units(spec, fresh)))
    for number, stage, units in wanted:
        if number is not None and (missing := _missing(spec, history, busy, number, stage, units)):
            return missing
    if any(stage in (FRESH, RACE) for _, stage, _ in busy):
        return Wait()
    return command


def _missing(
    spec: StudySpec,
    history: History,
    busy: Collection[Key],
    number: int,
    stage: str,
    units: Sequence[Unit],
) -> Evaluate | None:
    """One repeat of these units of a trial that nobody measures yet."""
    if history.outcome(number) is None or not history.feasible(number):
        return None  # it failed in the search: it will not do better now
    done = history.units(number, stage).keys() | lost(spec, history, number, stage)
    left = (unit for unit in units if unit not in done)
    return next_repeat(number, stage, left, busy)
