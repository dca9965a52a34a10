"""What a log says, without what no two runs share: costs, and where it ran."""

from __future__ import annotations

from typing import Any

import msgspec

from assay.core.events import Broke, Environment, Event, Retried
from assay.stores.sqlite import SqliteStore


def events_of(path: Any, study: str = "killed") -> list[Event]:
    """The events of a stored study."""
    store = SqliteStore(path, readonly=True)
    try:
        return list(store.read(study))
    finally:
        store.close()


def story(events: list[Event]) -> list[dict[str, Any]]:
    """The events in JSON form, without costs and environments."""
    told = [msgspec.to_builtins(event) for event in events if not isinstance(event, Environment)]
    return [{k: v for k, v in form.items() if k not in ("cpu_s", "wall_s")} for form in told]


def outcomes(events: list[Event]) -> list[dict[str, Any]]:
    """The story without what broke and was run again, and without the log positions that it shifts."""
    kept = [event for event in events if not isinstance(event, Retried | Broke)]
    return [{k: v for k, v in form.items() if k != "seen"} for form in story(kept)]
