"""learn_from: the earlier studies of a storage that a new one takes something over from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from assay.analysis.earlier import learned
from assay.api.parts import check_knowing
from assay.core.errors import SpecError, did_you_mean
from assay.core.events import Created, Learned
from assay.core.history import fold
from assay.core.protocols import Store
from assay.core.spec import StudySpec

LearnFrom: TypeAlias = str | Sequence[str]

ALL = "*"
MOST_STUDIES = 10


def learned_from(spec: StudySpec, store: Store, name: str, sources: LearnFrom) -> list[Learned]:
    """What a new study `name` of this plan takes over; nothing if it is in the store already.

    Args:
        sources: names of studies in the store; "*": those that fit, the newest ten at most.

    Raises:
        SpecError: no such study, or one that has nothing to say here; or the sampler makes no use of it.
    """
    known = list(store.studies())
    if not sources or name in known:
        return []
    check_knowing(spec, "learn_from")
    if ALL in sources:
        return _all(spec, store, known)
    named = [sources] if isinstance(sources, str) else list(dict.fromkeys(sources))
    for source in named:
        if source not in known:
            hint = did_you_mean(str(source), known) if known else "It holds none yet."
            raise SpecError(f"learn_from: the storage has no study {source!r}. {hint}")
    return [_from_one(spec, store, source) for source in named]


def _all(spec: StudySpec, store: Store, known: Sequence[str]) -> list[Learned]:
    found: list[Learned] = []
    for source in reversed(known):
        try:
            found.append(_from_one(spec, store, source))
        except SpecError:
            continue
        if len(found) == MOST_STUDIES:
            break
    return found


def _from_one(spec: StudySpec, store: Store, source: str) -> Learned:
    events = store.read(source)
    if not events or not isinstance(events[0], Created):
        raise SpecError(f"The log of {source!r} does not begin with a plan; run `assay verify`.")
    head = store.rows(source, after=len(events) - 1)[0].hash
    return learned(spec, source, head, StudySpec.from_json(events[0].spec), fold(events))
