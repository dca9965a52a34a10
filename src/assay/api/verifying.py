"""verify: recompute everything a log claims."""

from __future__ import annotations

from assay.api.study import Study
from assay.analysis.selection import select
from assay.core.changes import changes, in_words
from assay.core.errors import AssayError, TamperError
from assay.core.events import Asked, Created, Event, Measured, Selected
from assay.core.history import History, fold
from assay.core.rng import stream
from assay.core.spec import StudySpec, plan_hash
from assay.engine.propose import propose
from assay.stores.chain import verify as verify_chain


def verify(study: Study, *, head: str | None = None) -> list[str]:
    """Everything that is wrong with a study's log; empty if nothing is.

    The hash chain, the blobs, the legality of every transition, and every proposal and selection,
    which are derived again from the plan, the seed and what the log held at that time.

    Args:
        head: hash of the last row as it was printed in a report; with it a cut tail is found too.
    """
    rows = study.store.rows(study.name)
    findings = [str(finding) for finding in verify_chain(study.name, rows, anchored_head=head)]
    events = list(study.store.read(study.name))
    findings += _blobs(study, events)
    findings += _replay(study, events)
    return findings


def _blobs(study: Study, events: list[Event]) -> list[str]:
    found = []
    for number, event in enumerate(events):
        if isinstance(event, Measured) and event.rows:
            try:
                study.store.blob(event.rows)
            except TamperError as error:
                found.append(f"row {number}: {error}")
    return found


def _replay(study: Study, events: list[Event]) -> list[str]:
    """Fold the log, and decide anew whatever was decided from it."""
    found: list[str] = []
    if events and isinstance(events[0], Created):
        found += _plan_hash(events[0])
    present, seen = History(), History()
    for number, event in enumerate(events):
        if isinstance(event, Asked) and seen.length <= event.seen <= number:
            seen = fold(events[seen.length : event.seen], seen)
            found += _proposal(study, seen, event, number)
        try:
            if isinstance(event, Selected):
                found += _selection(study.spec, present, event, number)
            present = fold([event], present)
        except AssayError as error:
            return [*found, f"row {number}: {error}"]
    return found


def _plan_hash(created: Created) -> list[str]:
    if plan_hash(created.spec) == created.plan:
        return []
    return ["row 0: the plan does not have the hash that is stored with it"]


def _proposal(study: Study, seen: History, event: Asked, number: int) -> list[str]:
    spec = study.spec
    try:
        if seen.n_trials == event.trial:
            again = propose(spec, seen, study.sampler)
            config = again.config if isinstance(again, Asked) else None
        else:  # it was asked without seeing the latest trials
            config = study.sampler.ask(spec.space, seen, stream(spec.seed, "trial", event.trial)).config
    except AssayError as error:
        return [f"row {number}: trial {event.trial} cannot be proposed again: {error}"]
    if config == event.config:
        return []
    differs = in_words(changes(event.config, config or {}))
    return [f"row {number}: trial {event.trial} is not what the sampler proposes: {differs}"]


def _selection(spec: StudySpec, present: History, event: Selected, number: int) -> list[str]:
    again = select(spec, present)
    if (again.trial, again.challenger) == (event.trial, event.challenger):
        return []
    return [f"row {number}: the rule selects trial {again.trial}, not {event.trial}"]
