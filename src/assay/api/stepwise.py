"""Ask and tell under a scheduler: trials that get more, wait, or are stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assay.core import units
from assay.core.events import Asked, Event, Failed, Reported, Resumed, Told
from assay.core.history import History
from assay.core.protocols import Scheduler
from assay.core.spec import StudySpec
from assay.engine.grants import ends_itself, more, verdict
from assay.engine.ledger import Ledger
from assay.engine.trial import OpenTrial, Reports


def resumption(spec: StudySpec, history: History, scheduler: Scheduler | None) -> list[Event]:
    """The event that gives a paused trial more; nothing if none has earned it."""
    given = more(spec, history, scheduler) if scheduler else None
    if given is None:
        return []
    step = history.runs()[given.trial].step
    since = step if history.fidelity and history.fidelity.goes_on else 0
    return [Resumed(given.trial, given.until, given.reason, since)]


def open_trial(
    spec: StudySpec, ledger: Ledger, event: Asked | Resumed, report: Callable[[int, Reports], None]
) -> OpenTrial:
    """The trial that was asked for, or that goes on."""
    history, number = ledger.history, event.trial
    return OpenTrial(
        number,
        history.config(number),
        units.seed_of(spec, (0, 0, 0)),
        report,
        from_step=event.since if isinstance(event, Resumed) else 0,
        to_step=history.runs()[number].until if history.fidelity else None,
        should_stop=lambda: ledger.refresh().state(number) == "stopped",
    )


def pause(ledger: Ledger, scheduler: Scheduler | None, end: Told | Failed) -> bool:
    """Pause a trial that was told its value where it was to go no further yet; whether it was one."""
    if scheduler is None or isinstance(end, Failed):
        return False
    history, number, (first, *others) = ledger.refresh(), end.trial, end.values
    if not 0 <= number < history.n_trials:
        return False
    run, fidelity = history.runs()[number], history.fidelity
    if fidelity is None or run.state != "running":
        return False
    part = run.until < fidelity.most
    if run.step != run.until and (part or not fidelity.goes_on):
        ledger.add(Reported(number, run.until, first, tuple(others)))
    if not part:
        return False
    ledger.decide(lambda now: _cut(now, scheduler, number))
    return True


def report(
    ledger: Ledger,
    scheduler: Scheduler | None,
    number: int,
    step: int,
    values: tuple[float, ...],
) -> None:
    """Record what a trial reports; pause or stop it, if the scheduler says so."""
    if scheduler:
        ledger.refresh()
    ledger.add(Reported(number, step, values[0], values[1:]))
    fidelity = ledger.history.fidelity
    if scheduler is None or fidelity is None:
        return
    if not ends_itself(fidelity, ledger.history.runs()[number]):
        ledger.decide(lambda now: _cut(now, scheduler, number))


def _cut(history: History, scheduler: Scheduler, number: int) -> Sequence[Event]:
    cut = verdict(history, scheduler, number)
    return [cut] if cut else []
