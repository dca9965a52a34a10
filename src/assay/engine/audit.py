"""What to do next in the study of an audit: the path from a control to a winner. Pure."""

from __future__ import annotations

from collections.abc import Collection

from assay.analysis.audit import AGAIN, FRESH, SOURCE, Measured, needed, once_more
from assay.core.events import CONTROL, Enqueued, Failed
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.engine.plan import Ask, Command, Finish, Key, Record, Wait, missing_search, next_repeat


def plan_audit(
    spec: StudySpec,
    history: History,
    *,
    busy: Collection[Key] = (),
    seconds: float = 0.0,
    stopping: bool = False,
    fresh: int,
) -> Command:
    """The next command; each config is measured on `fresh` units at least."""
    if stopping:
        return Wait() if busy else Finish("interrupted")
    if history.n_trials <= CONTROL + 1 or history.waiting:
        return Ask()  # the control, the winner, and what was queued
    at_work = {number for number, stage, _ in busy if stage == "search"}
    for number in history.running():
        if number not in at_work:
            return missing_search(spec, history, busy, number)
    for number in (CONTROL, CONTROL + 1):
        if isinstance(outcome := history.outcome(number), Failed):
            return Finish(f"trial {number} of the audit failed: {outcome.reason}", failed=True)
    if history.running() and any(n in (CONTROL, CONTROL + 1) for n in history.running()):
        return Wait()
    return _path(Measured(spec, history, fresh), busy) or (Wait() if busy else Finish("complete"))


def _path(measured: Measured, busy: Collection[Key]) -> Command | None:
    history = measured.history
    wanted = needed(measured)
    for config in wanted.configs if wanted else ():
        number = history.find(config)
        if number is None:
            return Record(Enqueued(config, SOURCE))
        if command := next_repeat(number, FRESH, measured.lacks(number), busy):
            return command
    if wanted:
        return Wait()
    for number, left in once_more(measured):
        if command := next_repeat(number, AGAIN, left, busy):
            return command
    return None
