"""What to do next, from the plan and the past alone. Pure.

A study is a list of measurements that its plan calls for. `plan` names the next one that is missing,
so a study that was interrupted anywhere goes on where it stopped, and nothing is done twice.
Phases are barriers: the control before the search, the search before the recheck, and so on.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from assay.analysis.effects import has_control
from assay.analysis.overtuning import incumbents
from assay.analysis.selection import none_feasible, select, shortlist
from assay.analysis.spending import searched
from assay.core import units
from assay.core.events import (
    CONTROL,
    FLOOR,
    Created,
    Deviated,
    Ended,
    Event,
    Exhausted,
    Failed,
    Frozen,
    Measured,
    Opened,
    Opening,
    Sealed,
    Selected,
    Told,
    Voided,
)
from assay.core.history import APART, History
from assay.core.jobs import Unit
from assay.core.jsonform import digest
from assay.core.protocols import Scheduler
from assay.core.spec import StudySpec
from assay.engine.grants import has_room, last_ones, more, verdict
from assay.engine.known import awaited, known

Key: TypeAlias = tuple[int, str, Unit]
_GIVE_UP_AFTER = 10


@dataclass(frozen=True)
class Evaluate:
    """Measure these units of a trial."""

    trial: int
    stage: str
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class Ask:
    """Ask for another trial."""


@dataclass(frozen=True)
class Grant:
    """Let a paused trial go on until a step, when there is a free slot."""

    trial: int
    until: int
    reason: str


@dataclass(frozen=True)
class Record:
    """Append this event."""

    event: Event


@dataclass(frozen=True)
class Wait:
    """Nothing can start until something that runs has ended."""


@dataclass(frozen=True)
class Finish:
    """Nothing is left to do, or nothing more can be done."""

    reason: str
    failed: bool = False


Command: TypeAlias = Evaluate | Ask | Grant | Record | Wait | Finish


def plan(
    spec: StudySpec,
    history: History,
    *,
    busy: Collection[Key] = (),
    seconds: float = 0.0,
    stopping: bool = False,
    open_test: bool = True,
    scheduler: Scheduler | None = None,
    search_first: bool = False,
) -> Command:
    """The next command.

    Args:
        busy: what is being measured now.
        seconds: wall-clock time that the search has used.
        stopping: the user asked to stop: start nothing new.
        open_test: whether the sealed test set is opened at the end of the plan.
        scheduler: of the plan, if it has one.
        search_first: to measure after the search what only the verdict needs: the floor, and more of
            the control than of any candidate.
    """
    if stopping:
        return Wait() if busy else Finish("interrupted")
    before: Ended | None = history.last(Ended)
    used = max(seconds, before.seconds) if before else seconds
    sitting = _Sitting(busy, used, open_test, scheduler)
    searching = (_shadow, _search)
    begin: tuple[_Phase, ...] = (_floor, _first, _control, *searching)
    if search_first:
        begin = (_first, *searching, _floor, _control)
    for phase in (*begin, _recheck, _confirm, _test):
        command = phase(spec, history, sitting)
        if command is not None:
            return command
    return Wait() if busy else Finish("complete")


@dataclass(frozen=True)
class _Sitting:
    """What only the edge can know, and the scheduler."""

    busy: Collection[Key]
    seconds: float
    open_test: bool
    scheduler: Scheduler | None


_Phase: TypeAlias = Callable[[StudySpec, History, _Sitting], Command | None]


def _floor(spec: StudySpec, history: History, now: _Sitting) -> Command | None:
    if not spec.data:
        return None
    return missing(spec, history, now.busy, FLOOR, "floor", units.search(spec))


def _first(spec: StudySpec, history: History, now: _Sitting) -> Command | None:
    """The control as a candidate."""
    if spec.control is None:
        return None
    if history.n_trials == 0:
        return Ask()
    outcome = history.outcome(CONTROL)
    if outcome is None:
        return missing_search(spec, history, now.busy, CONTROL)
    if isinstance(outcome, Failed) and not units.may_lack_control(spec):
        return Finish(f"the control failed: {outcome.reason}", failed=True)
    return None


def _control(spec: StudySpec, history: History, now: _Sitting) -> Command | None:
    """More of the control than of any candidate, for its noise."""
    if spec.evidence is None or not spec.single or not has_control(history):
        return None
    if history.last(Selected):  # a challenger that turns out noisy now changes nothing about it
        return None
    probing = missing(spec, history, now.busy, CONTROL, "probe", units.probe(), each=True)
    if probing is not None:
        return probing
    fixed = bool(units.deterministic(spec, history))
    return missing(spec, history, now.busy, CONTROL, "control", units.control(spec, fixed=fixed))


def control_left(spec: StudySpec, history: History) -> bool:
    """Whether more of the control is to be measured, which comes late in a plan with `search_first`."""
    return isinstance(_control(spec, history, _Sitting((), 0.0, False, None)), Evaluate)


def _shadow(spec: StudySpec, history: History, now: _Sitting) -> Command | None:
    """An incumbent that was not scored on the shadow set yet; the search does not wait for it."""
    if not (wanted := units.shadow(spec)):
        return None
    for number in incumbents(spec, history):
        command = missing(spec, history, now.busy, number, units.SHADOW, wanted)
        if isinstance(command, Evaluate) or (command and history.last(Selected)):
            return command
    return None


def _search(spec: StudySpec, history: History, now: _Sitting) -> Command | None:
    if history.last(Selected):
        return None
    running = history.running()
    at_work = {number for number, stage, _ in now.busy if stage == "search"}
    for number in running:
        if number not in at_work:
            return _again(spec, history, now, number)
    if awaited(spec, history) is not None:
        return Wait()
    if _all_failed(seen := known(spec, history)):
        return Finish(_why_all_failed(history, seen), failed=True)
    spent_up = _spent_up(spec, history, now.seconds)
    if now.scheduler and not spent_up and (given := more(spec, history, now.scheduler)):
        return Grant(given.trial, given.until, given.reason)
    if not _over(spec, history, now):
        return Ask()
    if running:
        return Wait()
    if now.scheduler and (given := last_ones(spec, history)):
        return Grant(given.trial, given.until, given.reason)
    if ended(history) is None:
        return Record(_end(spec, history, now))
    return _in_vain(spec, history)


def _in_vain(spec: StudySpec, history: History) -> Finish | None:
    """Why a search that is over has nothing to select from; None if it has."""
    if not any(True for _ in history.told()):
        return Finish("no trial ended with a value", failed=True)
    if spec.bounds and not any(map(history.feasible, range(history.n_trials))):
        return Finish(none_feasible(spec, history), failed=True)
    return None


def ended(history: History) -> Ended | None:
    """What the log says of the end of the search; None if it goes on, or goes on again."""
    for event in reversed(history.milestones()):
        if isinstance(event, Ended):
            return event if event.trials == history.n_trials else None
        if isinstance(event, Deviated) and event.what == "budget":
            return None
    return None


def _end(spec: StudySpec, history: History, now: _Sitting) -> Ended:
    timed = spec.budget is not None and spec.budget.seconds is not None
    used = math.ceil(now.seconds * 1e3) / 1e3  # never less than the limit that it has reached
    return Ended(history.n_trials, used if timed else 0.0)


def _again(spec: StudySpec, history: History, now: _Sitting, number: int) -> Command:
    """A trial that nobody works on: what its last report led to is asked again, or it is started."""
    if now.scheduler and history.runs()[number].step:
        cut = verdict(history, now.scheduler, number)
        if cut:
            return Record(cut)
    return missing_search(spec, history, now.busy, number)


def _over(spec: StudySpec, history: History, now: _Sitting) -> bool:
    """Whether no new trial may begin."""
    return (
        bool(history.last(Exhausted))
        or _spent_up(spec, history, now.seconds, new=True)
        or not has_room(spec, history, now.scheduler)
    )


def _recheck(spec: StudySpec, history: History, now: _Sitting) -> Command | None:
    if history.last(Selected) or spec.evidence is None or not spec.single:
        return None
    if not spec.data and has_control(history):
        for number in shortlist(spec, history)[:1]:
            probing = _probe(spec, history, now.busy, number)
            if probing is not None:
                return probing
    if has_control(history) and (spec.data or not units.deterministic(spec, history)):
        fresh = units.rechecks(spec)
        for number in (CONTROL, *shortlist(spec, history)):
            command = missing(spec, history, now.busy, number, "recheck", fresh)
            if isinstance(command, Evaluate):
                return command
        if now.busy:
            return Wait()
    return Record(select(spec, history))


def _confirm(spec: StudySpec, history: History, now: _Sitting) -> Command | None:
    selected = history.last(Selected)
    if spec.data or not selected or selected.rule == "best":
        return None
    fresh = units.confirms(spec)
    for number in (CONTROL, selected.challenger):
        command = missing(spec, history, now.busy, number, "confirm", fresh)
        if command is not None:
            return command
    return None


def _test(spec: StudySpec, history: History, now: _Sitting) -> Command | None:
    selected, sealed = history.last(Selected), history.last(Sealed)
    if not sealed or not selected or history.last(Voided):
        return None
    if not history.last(Frozen):
        probing = _probe(spec, history, now.busy, selected.challenger)
        if probing is not None:
            return probing
        return Record(freeze(spec, history, selected))
    if history.looks == 0:
        return Record(opening(history)) if now.open_test else None
    return missing_test(spec, history, now.busy)


def _probe(spec: StudySpec, history: History, busy: Collection[Key], number: int) -> Command | None:
    """What shows that the challenger has noise although the control has none."""
    if not units.deterministic(spec, history):
        return None
    return missing(spec, history, busy, number, "probe", units.probe(number), each=True)


def freeze(spec: StudySpec, history: History, selected: Selected) -> Frozen:
    """Names the contenders: always the control, and the best challenger even if the guard held."""
    contenders = tuple(dict.fromkeys((CONTROL, selected.challenger)))
    fixed = bool(units.deterministic(spec, history))
    created: Created = history.last(Created)
    return Frozen(contenders, len(units.refits(spec, 1, fixed=fixed)), created.plan)


def opening(history: History, reason: str = "", contenders: tuple[int, ...] = ()) -> Opening:
    """The intent to look at the test set once (more)."""
    frozen: Frozen = history.last(Frozen)
    words = [list(frozen.contenders), frozen.refits, frozen.plan]
    return Opening(history.looks + 1, digest(words), contenders or frozen.contenders, reason)


def missing_test(
    spec: StudySpec, history: History, busy: Collection[Key], *, forgiven: int = 0
) -> Command | None:
    """What the present opening still has to measure; None when it is complete or closed.

    `forgiven`: so many of the study's breakages, the oldest, are tried once more.
    """
    intent, result = history.last(Opening), history.last(Opened)
    if result and result.look == intent.look:
        return None
    fixed = bool(units.deterministic(spec, history))
    fits = units.refits(spec, intent.look, fixed=fixed)
    for number in intent.contenders:
        command = missing(spec, history, busy, number, "test", fits, each=True, forgiven=forgiven)
        if isinstance(command, Evaluate):
            return command
    return Wait() if busy else None


def told(spec: StudySpec, number: int, found: Mapping[Unit, Measured]) -> Told | None:
    """How a trial on data ends: with the mean over its units; None while one is missing."""
    wanted = units.search(spec)
    if not spec.data or not set(wanted) <= found.keys():
        return None
    ours = [found[unit] for unit in wanted]
    value = sum(event.value for event in ours) / len(ours)
    cpu, wall = sum(event.cpu_s for event in ours), sum(event.wall_s for event in ours)
    return Told(number, (value,), None, cpu, wall)


def missing_search(
    spec: StudySpec, history: History, busy: Collection[Key], number: int
) -> Command:
    """What the search still has to measure of a trial, or how it ended."""
    wanted = units.search(spec)
    if any((number, "search", unit) in busy for unit in wanted):
        return Wait()
    done = history.units(number, "search")
    if complete := told(spec, number, done):  # the driver was stopped between two appends
        return Record(complete)
    return Evaluate(number, "search", tuple(unit for unit in wanted if unit not in done))


def missing(
    spec: StudySpec,
    history: History,
    busy: Collection[Key],
    number: int,
    stage: str,
    wanted: Iterable[Unit],
    *,
    each: bool = False,
    forgiven: int = 0,
) -> Evaluate | Wait | None:
    """The next repeat (or, with `each`, unit) of `wanted` that was neither measured nor lost."""
    own = stage in (*APART, "floor")
    done = set(history.units(number, stage if own else None))
    if not own and number >= 0 and isinstance(history.outcome(number), Told):
        done.add((0, 0, 0))
    gone = lost(spec, history, number, stage, forgiven)
    left = [unit for unit in wanted if unit not in done and unit not in gone]
    return next_repeat(number, stage, left, busy, each=each) or (Wait() if left else None)


def next_repeat(
    number: int, stage: str, left: Iterable[Unit], busy: Collection[Key], *, each: bool = False
) -> Evaluate | None:
    """The first repeat (or, with `each`, unit) of what is left that nobody measures yet."""
    free = [unit for unit in left if (number, stage, unit) not in busy]
    if not free:
        return None
    repeat, _, seed = free[0]
    group = free[:1] if each else [u for u in free if (u[0], u[2]) == (repeat, seed)]
    return Evaluate(number, stage, tuple(group))


def lost(
    spec: StudySpec, history: History, number: int, stage: str, forgiven: int = 0
) -> set[Unit]:
    """The units that broke for good: by an error of the model, or more often than may be retried."""
    broken = [
        (unit, b.kind)
        for b in history.breakages()[forgiven:]
        if (b.trial, b.stage) == (number, stage)
        for unit in b.units
    ]
    times = Counter((unit, kind == "lost") for unit, kind in broken)
    return {u for u, kind in broken if times[u, kind == "lost"] > spec.limits.again(kind)}


def _spent_up(spec: StudySpec, history: History, seconds: float, *, new: bool = False) -> bool:
    """Whether time or evaluations are spent; with `new` also the number of trials."""
    if spec.budget is None:
        return False
    limits = spec.budget
    if new and limits.trials is not None and history.n_trials >= limits.trials:
        return True
    if limits.seconds is not None and seconds >= limits.seconds:
        return True
    if limits.looks is None and limits.cpu_seconds is None:
        return False
    each = len(units.search(spec))
    if spec.lag is not None:  # one that failed half way counts whole, whenever it is heard of
        return limits.looks is not None and (history.n_trials + 1) * each > limits.looks
    used = searched(spec, history)
    running = history.running()
    to_come = each * len(running)
    if spec.data:
        to_come -= sum(len(history.units(number, "search")) for number in running)
    if limits.looks is not None and used.looks + to_come + each > limits.looks:
        return True
    return limits.cpu_seconds is not None and used.cpu_seconds >= limits.cpu_seconds


def _all_failed(history: History) -> bool:
    return history.n_ended >= _GIVE_UP_AFTER and not any(True for _ in history.told())


def _why_all_failed(history: History, seen: History) -> str:
    outcome = history.outcome(seen.ended[-1])
    reason = outcome.reason if isinstance(outcome, Failed) else ""
    return f"each of the first {seen.n_ended} trials failed; the last with: {reason}"
