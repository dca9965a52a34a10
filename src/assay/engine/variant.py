"""What to do next in a study that is one search of an ablation. Pure.

The search as in any study; then its best config, and the one that it was given from the reference,
on fresh units that no search of the ablation uses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from assay.analysis.ablation import FRESH, borrowed, fresh_units, winner
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.engine.plan import Command, Evaluate, Finish, Key, Wait, plan


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
    done = history.units(number, FRESH).keys() | _lost(spec, history, number)
    left = [u for u in fresh_units(spec, fresh) if u not in done and (number, FRESH, u) not in busy]
    if not left:
        return None
    repeat, _, seed = left[0]
    return Evaluate(number, FRESH, tuple(u for u in left if (u[0], u[2]) == (repeat, seed)))


def _lost(spec: StudySpec, history: History, number: int) -> set[tuple[int, int, int]]:
    """Units that broke more often than may be tried again."""
    broken = [
        (unit, broke.kind)
        for broke in history.breakages()
        if (broke.trial, broke.stage) == (number, FRESH)
        for unit in broke.units
    ]
    times = Counter((unit, kind == "lost") for unit, kind in broken)
    return {u for u, kind in broken if times[u, kind == "lost"] > spec.limits.again(kind)}
