"""The log as a list, for studies that need not outlive their process."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from assay.core.events import Event
from assay.core.protocols import Blobs, Row
from assay.stores.board_memory import MemoryBoard
from assay.stores.chain import extend, genesis
from assay.stores.entry import body, check_blobs, check_length, check_name, check_read
from assay.stores.envelope import actor, utc


class MemoryStore:
    """A store that ends with its process.

    Nothing is copied or encoded before someone asks for `rows`, so that an append costs next to
    nothing: events are values, do not change the dicts inside them.

    >>> from assay.core.events import Noted
    >>> store = MemoryStore()
    >>> store.append("lab", [Noted("hello")], after=0)
    1
    >>> store.read("lab")
    [Noted(text='hello', trial=None)]
    """

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        self._blobs: dict[str, bytes] = {}
        self._boards: dict[str, MemoryBoard] = {}
        self._lock = threading.Lock()

    def append(
        self, study: str, events: Sequence[Event], *, after: int, blobs: Blobs | None = None
    ) -> int:
        with self._lock:
            log = self._logs.get(study) or _Log(check_name(study))
            check_length(study, len(log.events), after)
            if blobs:
                check_blobs(blobs)
                self._blobs.update(blobs)
            if events:
                log.add(events)
                self._logs[study] = log
            return len(log.events)

    def read(self, study: str, *, after: int = 0, most: int | None = None) -> list[Event]:
        log = self._logs.get(check_name(study))
        return log.events[after : None if most is None else after + most] if log else []

    def rows(self, study: str, *, after: int = 0, most: int | None = None) -> list[Row]:
        log = self._logs.get(check_name(study))
        if log is None:
            return []
        with self._lock:
            return log.chained()[after : None if most is None else after + most]

    def studies(self) -> list[str]:
        return list(self._logs)

    def blob(self, sha256: str) -> bytes:
        return check_read(sha256, self._blobs.get(sha256), "this store")

    def acquire(self, study: str) -> None:
        """Always granted: no other process can reach this store."""

    def release(self, study: str) -> None:
        """Nothing to give back."""

    def driver(self, study: str) -> None:
        """Nobody who could be named: this process drives what it wants to."""

    def board(self, study: str) -> MemoryBoard:
        """For workers that are threads of this process."""
        with self._lock:
            return self._boards.setdefault(check_name(study), MemoryBoard())

    def close(self) -> None:
        """Nothing to let go of."""


class _Log:
    """The events of one study, when each batch of them came, and the rows made of them so far."""

    def __init__(self, study: str) -> None:
        self.events: list[Event] = []
        self._study = study
        self._batches: list[tuple[int, float]] = []
        self._rows: list[Row] = []

    def add(self, events: Sequence[Event]) -> None:
        self.events.extend(events)
        self._batches.append((len(self.events), time.time()))

    def chained(self) -> list[Row]:
        rows = self._rows
        for end, seconds in self._batches:
            bodies = [body(event) for event in self.events[len(rows) : end]]
            prev = rows[-1].hash if rows else genesis(self._study)
            stamp = utc(seconds)
            rows += extend(self._study, prev, bodies, after=len(rows), time=stamp, actor=actor())
        self._batches.clear()
        return rows
