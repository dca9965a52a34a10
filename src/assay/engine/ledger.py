"""A study's log and its fold, kept together: the one place that appends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock

from assay.core.errors import ConflictError
from assay.core.events import Event
from assay.core.history import History, fold
from assay.core.protocols import Blobs, Store


class Ledger:
    """Reads what others appended, checks what we append, and appends it.

    Events can be staged first: they are checked and part of `history` at once, and durable after
    `flush`. A result and the next proposal then cost one durable commit, not two. Threads may share
    a ledger as long as none stages: `refresh` and `decide` take turns.
    """

    def __init__(self, store: Store, study: str) -> None:
        self.store = store
        self.study = study
        self.history = History()
        self._staged: list[Event] = []
        self._blobs: dict[str, bytes] = {}
        self._turn = RLock()
        self.refresh()

    def refresh(self) -> History:
        """The history with everything that is in the store by now; nothing may be staged."""
        with self._turn:
            new = self.store.read(self.study, after=self.history.length)
            if new:
                self.history = fold(new, self.history)
            return self.history

    def stage(self, events: Sequence[Event], blobs: Blobs | None = None) -> None:
        """Add events to `history`, to be written by the next `flush`.

        Raises:
            StateError: an event does not fit; none was staged.
        """
        self.history = fold(events, self.history)
        self._staged += events
        self._blobs |= blobs or {}

    def flush(self) -> None:
        """Write what is staged, durably.

        Raises:
            ConflictError: another writer was first; `unstage`, `refresh` and decide again.
        """
        if not self._staged:
            return
        after = self.history.length - len(self._staged)
        self.store.append(self.study, self._staged, after=after, blobs=self._blobs)
        self._staged, self._blobs = [], {}

    def unstage(self) -> tuple[list[Event], dict[str, bytes]]:
        """Take back what is staged, and read what others wrote instead."""
        events, blobs = self._staged, self._blobs
        self._staged, self._blobs = [], {}
        self.history = fold(self.store.read(self.study))
        return events, blobs

    def decide(self, decision: Callable[[History], Sequence[Event]]) -> Sequence[Event]:
        """Append what `decision` makes of the present; decided anew when another writer was first.

        Raises:
            StateError: an event does not fit; nothing was written.
        """
        with self._turn:
            while True:
                before = self.history
                events = decision(before)
                self.stage(events)
                try:
                    self.flush()
                except ConflictError:
                    self._staged, self._blobs = [], {}
                    self.history = before
                    self.refresh()
                    continue
                except BaseException:
                    self._staged, self._blobs = [], {}
                    self.history = before
                    raise
                return events
