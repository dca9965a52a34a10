"""A fitted search in a pickle: the study as its events, because stores hold files and locks."""

from __future__ import annotations

from typing import Any

from assay.api.opened import open_study
from assay.api.study import Study
from assay.core.events import decode, encode
from assay.stores.memory import MemoryStore


def stored(state: dict[str, Any]) -> dict[str, Any]:
    """The state without open stores."""
    if not isinstance(study := state.get("study_"), Study):
        return state
    events = [encode(event) for event in study.store.read(study.name)]
    return {**state, "study_": (study.name, events)}


def restored(state: dict[str, Any]) -> dict[str, Any]:
    """The state that `stored` made, with the study in memory."""
    if not isinstance(kept := state.get("study_"), tuple):
        return state
    name, events = kept
    store = MemoryStore()
    store.append(name, [decode(event) for event in events], after=0)
    return {**state, "study_": open_study(store, name)}
