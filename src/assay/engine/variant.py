"""What to do next in a study that is one search of an ablation. Pure.

The search as in any study; then its best config, and the one that it was given from the reference,
on fresh units that no search of the ablation uses.
"""

from __future__ import annotations

from collections.abc import Collection

from assay.analysis.ablation import FRESH, borrowed, fresh_units, winner
from assay.core.history import History
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
) -> Command:
    """The next command; `fresh` units are measured at the end, at least."""
    command = plan(spec, history, busy=busy, seconds=seconds, stopping=stopping)
    if not isinstance(command, Finish) or command.failed or command.reason == "interrupted":
        return command
    for number in dict.fromkeys((winner(spec, history), borrowed(history))):
        if number is not None and (missing := _missing(spec, history, busy, number, fresh)):
            return missing
    if any(stage == FRESH for _, stage, _ in busy):
        return Wait()
    return command


def _missing(
    spec: StudySpec, history: History, busy: Collection[Key], number: int, fresh: int
) -> Evaluate | None:
    """One repeat of the fresh units of a trial that nobody measures yet."""
    if history.outcome(number) is None or not history.feasible(number):
        return None  # it failed in the search: it will not do better now
    done = history.units(number, FRESH).keys() | lost(spec, history, number, FRESH)
    left = (unit for unit in fresh_units(spec, fresh) if unit not in done)
    return next_repeat(number, FRESH, left, busy)
