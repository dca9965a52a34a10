"""verify: recompute everything a log claims."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from assay.analysis.overtuning import incumbents
from assay.analysis.selection import select
from assay.api.parts import sampler_of, scheduler_of
from assay.api.stored import chosen_study, existing
from assay.core.changes import changes, in_words
from assay.core.errors import AssayError, SpecError, StoreError, TamperError
from assay.core.events import (
    Asked,
    Created,
    Environment,
    Event,
    Measured,
    Paused,
    Selected,
    Stopped,
    decode,
)
from assay.core.history import History, fold
from assay.core.ordered import ordered_digest
from assay.core.protocols import ExhaustedError, Row, Sampler, Scheduler
from assay.core.rng import stream
from assay.core.space import LostPredicate
from assay.core.spec import StudySpec, plan_hash
from assay.core.units import SHADOW, shadow
from assay.engine.grants import verdict
from assay.engine.known import bound
from assay.engine.propose import propose
from assay.stores.chain import from_line, verify_lines
from assay.stores.chain import head as head_of
from assay.stores.chain import verify as verify_chain
from assay.stores.environment import changed, environment

if TYPE_CHECKING:
    from assay.api.study import Study

_MODELS = {"acquisition", "good", "generation"}
"""What a proposal of the Gaussian process, of TPE and of CMA-ES says of itself, and no other."""


@dataclass(frozen=True)
class Checked:
    """What `verify` found. `what` says what was checked; `head` is the hash of the last row.

    `unchecked` says what could not be checked, why, and how to; empty if all was. `trials` is the hash
    of the ordered log of a study in strict order: equal for every whole run of the same plan.
    """

    study: str
    rows: int
    head: str
    findings: tuple[str, ...]
    what: str
    unchecked: str = ""
    trials: str = ""


def verify(study: Study, *, head: str | None = None) -> list[str]:
    """Everything that is wrong with a study's log; empty if nothing is.

    The hash chain, the blobs, the legality of every transition, and every proposal and selection,
    which are derived again from the plan, the seed and what the log held at that time. A space with
    a Python predicate must be at hand for that: a warning says so if the study was opened without it.

    Args:
        head: hash of the last row as it was printed in a report; with it a cut tail is found too.
    """
    rows = study.store.rows(study.name)
    findings = [str(finding) for finding in verify_chain(study.name, rows, anchored_head=head)]
    found, unchecked = _recomputed(rows, study.store.blob, study.spec)
    if unchecked:
        warnings.warn(unchecked, stacklevel=3)
    return findings + found


def verify_stored(storage: str, name: str | None, *, head: str | None = None) -> Checked:
    """The same for a study in a storage, also when its log cannot be read as a study any more.

    Raises:
        SpecError: there is no such study.
        StoreError: the file itself cannot be read.
    """
    store = existing(storage)
    study = chosen_study(store, name)
    rows = store.rows(study)
    findings = [str(finding) for finding in verify_chain(study, rows, anchored_head=head)]
    found, unchecked = _recomputed(rows, store.blob)
    what = f"chain, steps{'' if unchecked else ', proposals'} and stored rows"
    wrong = (*findings, *found)
    trials = "" if wrong else _ordered_digest(rows)
    return Checked(study, len(rows), head_of(study, rows), wrong, what, unchecked, trials)


def verify_export(path: str | Path, *, name: str | None = None, head: str | None = None) -> Checked:
    """The same for an exported log.jsonl, whose blobs stayed behind.

    Args:
        name: of the study, which the chain begins with; None: from the plan.json beside the log.

    Raises:
        SpecError: the file cannot be read, or the name of the study is not known.
    """
    log = Path(path)
    study = name if name is not None else _name_beside(log)
    try:
        lines = log.read_bytes().splitlines()
    except OSError as error:
        raise SpecError(f"Cannot read {str(log)!r}: {error.strerror or error}.") from None
    try:
        rows = [from_line(line)[1] for line in lines]
        findings = [str(f) for f in verify_lines(study, lines, anchored_head=head)]
    except TamperError as error:
        return Checked(study, len(lines), "", (str(error),), "chain")
    found, unchecked = _recomputed(rows, None)
    what = f"chain{' and steps' if unchecked else ', steps and proposals'}"
    wrong = (*findings, *found)
    trials = "" if wrong else _ordered_digest(rows)
    return Checked(study, len(rows), head_of(study, rows), wrong, what, unchecked, trials)


def _ordered_digest(rows: Sequence[Row]) -> str:
    history = fold(decode(row.body) for row in rows)
    strict = StudySpec.from_json(history.last(Created).spec).lag is not None
    return ordered_digest(history) if strict else ""


def _name_beside(log: Path) -> str:
    try:
        return str(json.loads(log.with_name("plan.json").read_text("utf-8"))["study"])
    except (OSError, ValueError, KeyError, TypeError):
        raise SpecError(
            f"The name of the study in {str(log)!r} is not known: there is no plan.json from the same "
            "export beside it. Give it: --name STUDY."
        ) from None


def _recomputed(
    rows: Sequence[Row], blob: Callable[[str], bytes] | None, known: StudySpec | None = None
) -> tuple[list[str], str]:
    """What is wrong with the events themselves, as far as they can be read, and what is not checked.

    `known`: the plan in memory, whose space has the Python predicates that no file holds.
    """
    found: list[str] = []
    events: list[Event] = []
    for row in rows:
        try:
            events.append(decode(row.body))
        except StoreError as error:
            found.append(f"row {row.seq}: {error}")
            break
    if blob is not None:
        found += _blobs(events, blob)
    if not events or not isinstance(events[0], Created):
        return [*found, "row 0: the log does not begin with a plan"], ""
    try:
        spec = StudySpec.from_json(events[0].spec)
        if known and known.space.to_json() == spec.space.to_json():
            spec = replace(spec, space=known.space)
        sampler, scheduler = sampler_of(spec), scheduler_of(spec)
    except (AssayError, LookupError, TypeError, ValueError) as error:
        return [*found, f"row 0: the plan cannot be read: {error}"], ""
    unchecked = _unchecked(spec, events)
    found += _plan_hash(events[0])
    faults, rounded = _replay(spec, _Lost() if unchecked else sampler, scheduler, events)
    return found + faults, unchecked or rounded


class _LostError(Exception):
    """A proposal would need the code of a predicate."""


class _Lost:
    """Stands for the sampler of a space that has lost the code of a predicate."""

    def ask(self, *_: object) -> NoReturn:
        raise _LostError


def _unchecked(spec: StudySpec, events: Sequence[Event]) -> str:
    """Which proposals cannot be made again, and how they can; empty where all can."""
    clauses = (*spec.space.forbidden, *spec.space.required)
    lost = list(dict.fromkeys(repr(c.name) for c in clauses if isinstance(c, LostPredicate)))
    if not lost or not any(isinstance(event, Asked) for event in events):
        return ""
    one = len(lost) == 1
    return (
        f"Not checked: whether the sampler proposes its configs again. The space uses the Python "
        f"predicate{'' if one else 's'} {', '.join(lost)}, and a study file does not hold code. To "
        "check it, make the study in Python again by the same call, with its space, storage and name, "
        "and call study.verify()."
    )


def _blobs(events: Sequence[Event], blob: Callable[[str], bytes]) -> list[str]:
    found = []
    for number, event in enumerate(events):
        if isinstance(event, Measured) and event.rows:
            try:
                blob(event.rows)
            except TamperError as error:
                found.append(f"row {number}: {error}")
    return found


def _replay(
    spec: StudySpec, sampler: Sampler, scheduler: Scheduler | None, events: Sequence[Event]
) -> tuple[list[str], str]:
    """Fold the log, and decide anew whatever was decided from it: faults, and what may be rounding."""
    found: list[str] = []
    rounded: list[str] = []
    present, seen = History(), History()
    for number, event in enumerate(events):
        if isinstance(event, Asked) and 0 <= event.seen <= number:
            if event.seen < seen.length:
                seen = History()
            seen = fold(events[seen.length : event.seen], seen)
            found += _order(spec, event, number)
            wrong = _proposal(spec, sampler, scheduler, seen, event, number)
            elsewhere = _elsewhere(event, present.last(Environment)) if wrong else ""
            rounded += [elsewhere] if elsewhere else []
            found += [] if elsewhere else wrong
        try:
            if isinstance(event, Selected):
                found += _selection(spec, present, event, number)
            if isinstance(event, Measured) and event.stage == SHADOW:
                found += _shadowed(spec, present, event, number)
            if scheduler and isinstance(event, Paused | Stopped):
                found += _verdict(present, scheduler, event, number)
            present = fold([event], present)
        except AssayError as error:
            return [*found, f"row {number}: {error}"], _in_short(rounded)
    return found, _in_short(rounded)


def _elsewhere(event: Asked, made: Environment | None) -> str:
    """Why a model may have proposed something else here; empty where it should not have.

    Models add and solve, and the last digits of that differ between processors and versions.
    """
    if not _MODELS & (event.why or {}).keys():
        return ""
    if made is None:
        return "the log does not say with which versions"
    return ", ".join(changed(_arithmetic(made.facts), _arithmetic(environment())))


def _arithmetic(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the last digits of a result depend on."""
    packages = facts.get("packages") or {}
    return {
        **{name: facts.get(name) for name in ("assay", "cpu", "blas")},
        "packages": {name: packages.get(name) for name in ("numpy", "scipy")},
    }


def _in_short(rounded: Sequence[str]) -> str:
    if not rounded:
        return ""
    many = "one proposal" if len(rounded) == 1 else f"{len(rounded)} proposals"
    return (
        f"Not checked: {many} of a model, which gives others here. That is no fault where it ran with "
        f"other versions or on another machine ({rounded[0]}): their last digits differ. To check, "
        "run `assay verify` there."
    )


def _plan_hash(created: Created) -> list[str]:
    if plan_hash(created.spec) == created.plan:
        return []
    return ["row 0: the plan does not have the hash that is stored with it"]


def _order(spec: StudySpec, event: Asked, number: int) -> list[str]:
    before = bound(spec, event.trial)
    if event.results_before == before:
        return []
    said = f"trial {event.trial} says that it saw the results before trial {event.results_before}"
    return [f"row {number}: {said}, but the order of the plan says {before}"]


def _proposal(
    spec: StudySpec,
    sampler: Sampler,
    scheduler: Scheduler | None,
    seen: History,
    event: Asked,
    number: int,
) -> list[str]:
    try:
        if seen.n_trials == event.trial or spec.lag is not None:
            again = propose(spec, seen, sampler, scheduler)
            config = again.config if isinstance(again, Asked) else None
        else:  # it was asked without seeing the latest trials
            config = sampler.ask(spec.space, seen, stream(spec.seed, "trial", event.trial)).config
    except _LostError:
        return []
    except (AssayError, ExhaustedError) as error:
        return [f"row {number}: trial {event.trial} cannot be proposed again: {error}"]
    if config == event.config:
        return []
    differs = in_words(changes(event.config, config or {}))
    return [f"row {number}: trial {event.trial} is not what the sampler proposes: {differs}"]


def _verdict(
    present: History, scheduler: Scheduler, event: Paused | Stopped, number: int
) -> list[str]:
    again = verdict(present, scheduler, event.trial) if event.trial < present.n_trials else None
    if type(again) is type(event):
        return []
    did = "pauses" if isinstance(event, Paused) else "stops"
    return [f"row {number}: the scheduler does not say what {did} trial {event.trial} there"]


def _shadowed(spec: StudySpec, present: History, event: Measured, number: int) -> list[str]:
    """Only incumbents may be scored on the shadow set, and each once."""
    again = event.unit in present.units(event.trial, SHADOW)
    if shadow(spec) and event.trial in incumbents(spec, present) and not again:
        return []
    why = "a second time" if again else "although it was not the best of the search"
    said = why if shadow(spec) else "although the plan has no shadow set"
    return [f"row {number}: trial {event.trial} was scored on the shadow set {said}"]


def _selection(spec: StudySpec, present: History, event: Selected, number: int) -> list[str]:
    again = select(spec, present)
    if (again.trial, again.challenger) == (event.trial, event.challenger):
        return []
    return [f"row {number}: the rule selects trial {again.trial}, not {event.trial}"]
