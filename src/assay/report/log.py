"""The log in words, an event a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from assay.analysis.ablation_words import findings
from assay.core.events import (
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
    decode,
)
from assay.core.protocols import Row
from assay.report import words


def log_lines(rows: Iterable[Row]) -> list[str]:
    """Number, time (to the second) and words of each stored event."""
    return [f"{row.seq:>6}  {row.time[:19]}  {in_words(decode(row.body))}" for row in rows]


def in_words(event: Event) -> str:
    """What an event says, on one line.

    >>> in_words(Told(3, (0.5,)))
    'trial 3 ended: 0.5'
    """
    return _SAYS[type(event)](event)


def _asked(event: Asked) -> str:
    config = ", ".join(f"{words.name(n, 40)}={words.value(v)}" for n, v in event.config.items())
    who = {"control": "the defaults", "given": "given"}.get(event.origin, event.origin)
    return f"trial {event.trial} asked ({words.name(who, 20)}): {config[:300]}"


def _told(event: Told) -> str:
    cost = f" ({words.seconds(event.cpu_s)} CPU)" if event.cpu_s else ""
    return f"trial {event.trial} ended: {', '.join(words.number(v, 6) for v in event.values)}{cost}"


def _measured(event: Measured) -> str:
    who = f"trial {event.trial}" if event.trial >= 0 else "dummy model"
    repeat, fold, seed = event.unit
    where = f"repeat {repeat}, fold {fold}, seed {seed}"
    return (
        f"{who} measured ({words.name(event.stage, 20)}; {where}): {words.number(event.value, 6)}"
    )


def _broke(event: Broke) -> str:
    where = f"{words.name(event.stage, 20)} of trial {event.trial}"
    lost = words.count(len(event.units), "evaluation")
    return f"{where} broke, {lost} lost ({event.kind}): {words.name(event.reason)}"


def _deviated(event: Deviated) -> str:
    change = f"{words.exact(event.before)} → {words.exact(event.after)}"
    return f"off plan, {words.name(event.what, 60)}: {change} ({words.name(event.reason)})"


def _noted(event: Noted) -> str:
    of = f" on trial {event.trial}" if event.trial is not None else ""
    return f"note{of}: {words.name(event.text, 500)}"


def _inspected(event: Inspected) -> str:
    found = ", ".join(f"{f['code']} {f['level']}" for f in event.findings if f["level"] in _TELLING)
    told = f": {words.name(found, 300)}" if found else ", nothing found"
    return f"data checked ({words.name(event.scope, 20)}), {words.name(event.verdict, 40)}{told}"


def _opening(event: Opening) -> str:
    arms = ", ".join(map(str, event.contenders))
    why = f": {words.name(event.reason)}" if event.reason else ""
    return f"the test set is opened, look {event.look}, for trials {arms}{why}"


def _concluded(event: Concluded) -> str:
    claim = str(event.verdict.get("claim") or "no claim").replace("_", " ")
    return f"verdict: {words.name(claim, 60)}. {words.name(str(event.verdict.get('sentence', '')), 500)}"


def _attributed(event: Attributed) -> str:
    found = findings(event.result)
    return ", ".join(f"{words.name(str(f['component']), 40)} {f['flag']}" for f in found)


_TELLING = ("fix", "care", "note")

_SAYS: dict[type[Any], Callable[[Any], str]] = {
    Created: lambda e: f"study created, plan {words.name(e.plan, 12)}",
    Environment: lambda _: "environment recorded",
    Joined: lambda e: (
        f"worker joined from {words.name(e.host, 60)}, where "
        f"{words.count(len(e.differs), 'thing')} of the environment differ: "
        f"{words.name(', '.join(e.differs), 300)}"
    ),
    Sealed: lambda e: f"{words.count(e.rows, 'test row')} sealed ({words.name(e.level, 60)})",
    Inspected: _inspected,
    Enqueued: lambda e: f"config queued: {words.exact(e.config)}",
    Learned: lambda e: (
        f"learned from study {words.name(e.study, 60)}: "
        f"{len(e.configs)} of its {words.count(e.trials, 'trial')}"
    ),
    Asked: _asked,
    Paused: lambda e: f"trial {e.trial} paused at step {e.step}: {words.name(e.reason, 300)}",
    Stopped: lambda e: f"trial {e.trial} stopped at step {e.step}: {words.name(e.reason, 300)}",
    Resumed: lambda e: (
        f"trial {e.trial} goes on from step {e.since} to step {e.until}: {words.name(e.reason, 300)}"
    ),
    Reported: lambda e: (
        f"trial {e.trial}, step {e.step}: "
        + ", ".join(words.number(value, 6) for value in (e.value, *e.others))
    ),
    Measured: _measured,
    Told: _told,
    Failed: lambda e: f"trial {e.trial} failed ({e.kind}): {words.name(e.reason)}",
    Broke: _broke,
    Retried: lambda e: (
        f"trial {e.trial} starts again, attempt {e.attempt + 1} ({e.kind}): {words.name(e.reason)}"
    ),
    Exhausted: lambda e: f"nothing is left to try: {words.name(e.reason)}",
    Ended: lambda e: (
        f"the search is over after {words.count(e.trials, 'trial')}"
        + (f" and {words.seconds(e.seconds)}" if e.seconds else "")
    ),
    Selected: lambda e: (
        f"trial {e.trial} selected ({words.name(e.rule, 40)}): {words.name(e.reason, 300)}"
    ),
    Frozen: lambda e: f"contenders named: trials {', '.join(map(str, e.contenders))}",
    Opening: _opening,
    Opened: lambda e: f"test result of look {e.look} recorded",
    Voided: lambda e: f"the seal was given up: {words.name(e.reason)}",
    Metered: lambda e: (
        f"{words.name(e.source, 60)} counted {words.number(e.kwh, 3)} kWh in {words.seconds(e.seconds)}"
    ),
    Ablated: lambda e: (
        f"ablation planned: {words.name(str(e.plan.get('design')), 40)}, "
        f"{words.count(len(e.plan.get('components', ())), 'component')}"
    ),
    Varied: lambda e: (
        f"variant begun: study {words.name(e.study, 80)}, with "
        f"{words.name(', '.join(e.on), 200) if e.on else 'no component on'}"
    ),
    Attributed: lambda e: f"ablation done: {_attributed(e)}",
    Audited: lambda e: (
        f"changes of trial {e.trial} audited in study {words.name(e.study, 80)}: "
        f"{words.count(len(e.result.get('changes', ())), 'change')}"
    ),
    Estimated: lambda e: f"the procedure estimated without a test set ({words.name(e.final, 20)})",
    Deviated: _deviated,
    Noted: _noted,
    Steered: lambda e: f"asked to {e.wish}" + (f": {words.name(e.reason)}" if e.reason else ""),
    Concluded: _concluded,
}
