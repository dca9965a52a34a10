"""What each event does to the past, and which events it refuses. The only place where states change."""

from __future__ import annotations

import math
from sys import intern
from typing import Any

from assay.core.columns import NEVER, Columns, Move
from assay.core.errors import SealError, StateError
from assay.core.events import (
    FLOOR,
    Ablated,
    Asked,
    Attributed,
    Audited,
    Broke,
    Concluded,
    Created,
    Deviated,
    Ended,
    Enqueued,
    Environment,
    Estimated,
    Event,
    Exhausted,
    Failed,
    Frozen,
    Inspected,
    Joined,
    Learned,
    Measured,
    Metered,
    Noted,
    Opened,
    Opening,
    Paused,
    Reported,
    Resumed,
    Retried,
    Sealed,
    Selected,
    Steered,
    Stopped,
    Told,
    Varied,
    Voided,
)
from assay.core.moves import fidelity_of

_LARGEST = 2**62  # step


def _asked(past: Columns, seq: int, event: Asked) -> None:
    if event.trial != len(past.asked_at):
        raise StateError(
            f"Trial {event.trial} was asked out of order; next is {len(past.asked_at)}."
        )
    if not 0 <= event.seen <= seq:
        raise StateError(f"Trial {event.trial} claims to have seen {event.seen} of {seq} events.")
    if (bound := event.results_before) is not None:
        _all_ended(past, event.trial, bound)
    if event.origin == "given" and len(past.given) == len(past.queue):
        raise StateError(f"Trial {event.trial} is said to be a given config, but none is waiting.")
    _refuse_when_frozen(past, "ask for another trial")
    if event.until is not None:
        _check_grant(past, event.trial, event.until)
    past.asked_at.append(seq)
    past.seen.append(event.seen)
    past.origins.append(intern(event.origin))
    past.add_why(event.why)
    past.configs.append(tuple(event.config), event.config.values())
    past.ended_at.append(NEVER)
    past.last_report.append(-1)
    past.open.add(event.trial)
    past.granted.append(event.until or 0)
    _touch(past, event.trial)
    if event.origin == "sampler":
        past.sampled.append(event.trial)
    elif event.origin == "given":
        past.given.append(seq)


def _all_ended(past: Columns, number: int, bound: int) -> None:
    missing = [trial for trial in past.open if trial < bound]
    if missing or not 0 <= bound <= number:
        which = f"trial {min(missing)} has not ended" if missing else "there are none"
        raise StateError(
            f"Trial {number} claims to have seen the results before trial {bound}, but {which}."
        )


def _ends(past: Columns, seq: int, event: Told | Failed) -> None:
    _running(past, event.trial)
    if isinstance(event, Told):
        _finite(event.trial, *event.values, *(event.extra or {}).values())
        _complete(past, event.trial)
    past.ended_at[event.trial] = seq
    _touch(past, event.trial)
    past.open.discard(event.trial)
    past.order.append(event.trial)
    past.order_at.append(seq)
    past.add_end(event)
    _count(past, event)


def _count(past: Columns, event: Told | Failed) -> None:
    """What the search has used, with this trial that ended."""
    units = {e.unit: e.cpu_s for _, e in past.measured.get(event.trial, ()) if e.stage == "search"}
    looks, cpu_s = (past.looks[-1], past.cpu_s[-1]) if past.looks else (0, 0.0)
    past.looks.append(looks + max(len(units), 1))
    past.cpu_s.append(cpu_s + max(sum(units.values()), event.cpu_s))


def _finite(number: int, *values: float) -> None:
    """JSON has no NaN and no infinity: such a value could be written but not read back."""
    if not all(map(math.isfinite, values)):
        raise StateError(f"Trial {number} cannot have the values {values}: one is not finite.")


def _running(past: Columns, number: int) -> None:
    if not 0 <= number < len(past.asked_at):
        raise StateError(
            f"There is no trial {number}; the study has {len(past.asked_at)}, from 0 on."
        )
    if past.ended_at[number] != NEVER:
        state = "done" if isinstance(past.outcome(number), Told) else "failed"
        raise StateError(f"Trial {number} is already {state}; it can no longer change.")
    if moves := past.moves.get(number):
        _not_cut(number, moves[-1][1])


def _not_cut(number: int, last: Move) -> None:
    if isinstance(last, Stopped):
        raise StateError(f"Trial {number} was stopped at step {last.step}; it has no value.")
    if isinstance(last, Paused):
        raise StateError(f"Trial {number} is paused at step {last.step}; resume it first.")


def _complete(past: Columns, number: int) -> None:
    """A value is that of the full fidelity, or of a trial that was free to go there."""
    fidelity = fidelity_of(past)
    until = _granted(past, number)
    if fidelity and 0 < until < fidelity.most:
        raise StateError(
            f"Trial {number} was to run until step {until} of {fidelity.most}, so its value is not "
            "one of the full fidelity. Pause it instead."
        )


def _granted(past: Columns, number: int) -> int:
    """The step to which a trial may run; 0: all."""
    resumed = [m.until for _, m in past.moves.get(number, ()) if isinstance(m, Resumed)]
    return resumed[-1] if resumed else past.granted[number]


def _check_grant(past: Columns, number: int, until: int) -> None:
    fidelity = fidelity_of(past)
    if fidelity is None:
        raise StateError(f"Trial {number} has no fidelity, so it cannot run until step {until}.")
    if not fidelity.least <= until <= fidelity.most:
        raise StateError(
            f"Trial {number} cannot run until step {until}: {fidelity.name} goes from "
            f"{fidelity.least} to {fidelity.most}."
        )


def _cut(past: Columns, seq: int, event: Paused | Stopped) -> None:
    _running(past, event.trial)
    if fidelity_of(past) is None:
        raise StateError(f"Trial {event.trial} has no fidelity, so nothing can cut it short.")
    if event.step < 1:
        raise StateError(f"Trial {event.trial} cannot be cut at step {event.step}, before any.")
    past.moves.setdefault(event.trial, []).append((seq, event))
    past.open.discard(event.trial)
    _touch(past, event.trial)


def _resumed(past: Columns, seq: int, event: Resumed) -> None:
    moves = past.moves.get(event.trial)
    last = moves[-1][1] if moves else None
    if moves is None or not isinstance(last, Paused):
        raise StateError(f"Trial {event.trial} is not paused, so it cannot be resumed.")
    _check_grant(past, event.trial, event.until)
    if not 0 <= event.since <= last.step < event.until:
        raise StateError(
            f"Trial {event.trial} is paused at step {last.step}: it cannot go on from step "
            f"{event.since} to step {event.until}."
        )
    moves.append((seq, event))
    past.open.add(event.trial)
    _touch(past, event.trial)


def _touch(past: Columns, number: int) -> None:
    """What a scheduler sees of a trial has changed."""
    if number >= 0 and fidelity_of(past):
        past.touched.add(number)


def _reported(past: Columns, seq: int, event: Reported) -> None:
    _running(past, event.trial)
    _finite(event.trial, event.value, *event.others)
    further = _further(past)
    if event.others and len(event.others) != further:
        raise StateError(
            f"Trial {event.trial} cannot report {len(event.others) + 1} values at step {event.step}: "
            f"the study has {further + 1} objectives."
        )
    if not -_LARGEST <= event.step <= _LARGEST:
        raise StateError(f"Trial {event.trial} cannot report a step {event.step}: it is too large.")
    past.report_at.append(seq)
    past.report_step.append(event.step)
    past.report_value.append(event.value)
    past.report_others.extend(event.others or [math.nan] * further)
    past.report_before.append(past.last_report[event.trial])
    past.last_report[event.trial] = len(past.report_at) - 1
    _touch(past, event.trial)


def _further(past: Columns) -> int:
    """The objectives of the plan beside the first."""
    first = past.milestones[0][1] if past.milestones else None
    return max(len(first.spec.get("directions", ())) - 1, 0) if isinstance(first, Created) else 0


def _measured(past: Columns, seq: int, event: Measured) -> None:
    if not FLOOR <= event.trial < len(past.asked_at):
        raise StateError(f"There is no trial {event.trial} to measure.")
    if event.stage == "search":
        _running(past, event.trial)
    if event.stage == "test" and not _open(past):
        raise SealError("A test result without an opening of the seal.")
    _finite(event.trial, event.value, event.train or 0.0)
    past.measured.setdefault(event.trial, []).append((seq, event))
    _touch(past, event.trial)


def _retried(past: Columns, seq: int, event: Retried) -> None:
    _running(past, event.trial)
    past.retries.setdefault(event.trial, []).append((seq, event))


def _broke(past: Columns, seq: int, event: Broke) -> None:
    past.broke.append((seq, event))


def _enqueued(past: Columns, seq: int, event: Enqueued) -> None:
    _refuse_when_frozen(past, "queue a config")
    past.queue.append((seq, event))


def _created(past: Columns, seq: int, event: Created) -> None:
    if seq != 0:
        raise StateError("A study is created once, by its first event.")
    _milestone(past, seq, event)


def _milestone(past: Columns, seq: int, event: Event) -> None:
    past.milestones.append((seq, event))
    past.kinds.setdefault(type(event), []).append((seq, event))


def _sealed(past: Columns, seq: int, event: Sealed) -> None:
    if past.asked_at or past.measured:
        raise SealError("The test set must be sealed before anything is fitted.")
    if _has(past, Sealed):
        raise SealError("This study has a sealed test set already.")
    _milestone(past, seq, event)


def _learned(past: Columns, seq: int, event: Learned) -> None:
    if past.asked_at:
        raise StateError("A study learns from earlier ones before its first trial, not later.")
    if len(event.configs) != len(event.losses):
        raise StateError(
            f"{len(event.configs)} configs of study {event.study!r} come with {len(event.losses)} losses."
        )
    _milestone(past, seq, event)


def _selected(past: Columns, seq: int, event: Selected) -> None:
    for number in (event.trial, event.challenger):
        if not 0 <= number < len(past.asked_at) or not isinstance(past.outcome(number), Told):
            raise StateError(f"Trial {number} has no value, so it cannot be selected.")
    _refuse_when_frozen(past, "select again")
    _milestone(past, seq, event)


def _frozen(past: Columns, seq: int, event: Frozen) -> None:
    if not _has(past, Selected):
        raise StateError("A study is frozen after its selection, not before.")
    _refuse_when_frozen(past, "freeze it again")
    _milestone(past, seq, event)


def _opening(past: Columns, seq: int, event: Opening) -> None:
    looks = sum(isinstance(e, Opening) for _, e in past.milestones)
    if not _has(past, Sealed) or not _has(past, Frozen):
        raise SealError("The test set is opened after the contenders are frozen, not before.")
    if _has(past, Voided):
        raise SealError("The seal of this study was given up; there is no test set to open.")
    if event.look != looks + 1:
        raise SealError(f"This would be look {looks + 1} at the test set, not {event.look}.")
    if _open(past):
        raise SealError("The test set is being opened already; resume that opening.")
    if event.look > 1 and not event.reason.strip():
        raise SealError("The test set was opened before; another look needs a reason.")
    _milestone(past, seq, event)


def _opened(past: Columns, seq: int, event: Opened) -> None:
    if not _open(past):
        raise SealError("A test result without an opening of the seal.")
    _milestone(past, seq, event)


def _metered(past: Columns, seq: int, event: Metered) -> None:
    if not all(math.isfinite(x) and x >= 0 for x in (event.kwh, event.seconds, event.cpu_s)):
        raise StateError(f"A meter cannot have counted {event.kwh} kWh in {event.seconds} s.")
    _milestone(past, seq, event)


def _ablated(past: Columns, seq: int, event: Ablated) -> None:
    if any(e.ablation == event.ablation for e in _of(past, Ablated)):
        raise StateError("This ablation is in the log already; go on with it.")
    _milestone(past, seq, event)


def _varied(past: Columns, seq: int, event: Varied) -> None:
    plan = next((e.plan for e in _of(past, Ablated) if e.ablation == event.ablation), None)
    if plan is None:
        raise StateError(f"Study {event.study!r} is a variant of an ablation that was not planned.")
    if event.budget != plan.get("budget"):
        raise StateError(
            f"Variant {event.study!r} cannot have the budget {event.budget}: every variant of an "
            f"ablation has the same, and this one has {plan.get('budget')}."
        )
    if any(e.study == event.study for e in _of(past, Varied)):
        raise StateError(f"Study {event.study!r} is a variant already.")
    _milestone(past, seq, event)


def _attributed(past: Columns, seq: int, event: Attributed) -> None:
    if not any(e.ablation == event.ablation for e in _of(past, Ablated)):
        raise StateError("A result of an ablation that was not planned.")
    if any(e.ablation == event.ablation for e in _of(past, Attributed)):
        raise StateError("This ablation has its result already.")
    _milestone(past, seq, event)


def _audited(past: Columns, seq: int, event: Audited) -> None:
    if not _has(past, Selected):
        raise StateError("An audit of a winner that was not selected.")
    _milestone(past, seq, event)


def _estimated(past: Columns, seq: int, event: Estimated) -> None:
    if _has(past, Sealed):
        raise StateError(
            "This study has a sealed test set: that is what says how good its result is."
        )
    if not _has(past, Selected):
        raise StateError("The procedure is estimated when its search is over and a trial selected.")
    if _has(past, Estimated):
        raise StateError("This study has its estimate already.")
    _milestone(past, seq, event)


def _of(past: Columns, kind: type[Any]) -> list[Any]:
    return [event for _, event in past.kinds.get(kind, ())]


def _open(past: Columns) -> bool:
    for _, event in reversed(past.milestones):
        if isinstance(event, Opened):
            return False
        if isinstance(event, Opening):
            return True
    return False


def _has(past: Columns, kind: type[Any]) -> bool:
    return kind in past.kinds


def _refuse_when_frozen(past: Columns, what: str) -> None:
    if _has(past, Frozen):
        raise StateError(f"This study is frozen: you cannot {what}. Start a new study instead.")


APPLY: dict[type[Any], Any] = {
    Created: _created, Environment: _milestone, Joined: _milestone, Sealed: _sealed, Inspected: _milestone, Enqueued: _enqueued,
    Learned: _learned, Asked: _asked, Reported: _reported, Measured: _measured, Told: _ends,
    Failed: _ends, Paused: _cut, Stopped: _cut, Resumed: _resumed, Broke: _broke,
    Retried: _retried, Exhausted: _milestone, Ended: _milestone, Selected: _selected,
    Frozen: _frozen, Opening: _opening, Opened: _opened, Voided: _milestone, Deviated: _milestone,
    Metered: _metered, Ablated: _ablated, Varied: _varied, Attributed: _attributed, Audited: _audited, Estimated: _estimated, Noted: _milestone, Steered: _milestone,
    Concluded: _milestone,
}  # fmt: skip
