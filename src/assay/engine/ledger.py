"""A study's log and its fold, kept together: the one place that appends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import RLock
from typing import Any

from assay.core.errors import ConflictError, StateError
from assay.core.events import Event
from assay.core.history import History, fold
from assay.core.protocols import Blobs, Store

_AT_ONCE = 20_000
"""Events that are read as one: as objects they take ten times the room that they take in a history."""
LONG = 100_000
"""So many events that were read one by one are worth a snapshot: it saves half a second."""
_CROWDED = 16
"""So many appends after one that was overtaken, the next is tried without lining up first."""


class Ledger:
    """Reads what others appended, checks what we append, and appends it.

    Events can be staged first: they are checked and part of `history` at once, and durable after
    `flush`. A result and the next proposal then cost one durable commit, not two. Threads may share
    a ledger as long as none stages: `refresh` and `decide` take turns.
    """

    def __init__(self, store: Store, study: str) -> None:
        self.store = store
        self.study = study
        self.history = self._recalled()
        self._durable = self.history
        self._staged: list[Event] = []
        self._blobs: dict[str, bytes] = {}
        self._turn = RLock()
        self._crowded = 0
        known = self.history.length
        if self.refresh().length - known >= LONG:
            self._remember()

    def _recalled(self) -> History:
        """What the store remembers of the log; a store need not be able to."""
        recall = getattr(self.store, "recall", None)
        return (recall(self.study) if recall else None) or History()

    def _remember(self) -> None:
        remember = getattr(self.store, "remember", None)
        if remember:
            remember(self.study, self.history)

    def refresh(self) -> History:
        """The history with everything that is in the store by now; nothing may be staged."""
        with self._turn:
            while new := self.store.read(self.study, after=self.history.length, most=_AT_ONCE):
                self.history = fold(new, self.history)
                if len(new) < _AT_ONCE:
                    break
            return self.history

    def stage(self, events: Sequence[Event], blobs: Blobs | None = None) -> None:
        """Add events to `history`, to be written by the next `flush`.

        Raises:
            StateError: an event does not fit; none was staged.
        """
        history = fold(events, self.history)
        if not self._staged:
            self._durable = self.history
        self.history = history
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
        self.history = self._durable
        self.refresh()
        return events, blobs

    def turn(self) -> AbstractContextManager[Any]:
        """For a decision that takes long: wait for other processes that are about the same."""
        turn = getattr(self.store, "turn", None)
        return turn(self.study) if turn else nullcontext()

    def add(self, *events: Event) -> None:
        """Append what holds whatever others write meanwhile.

        Raises:
            StateError: an event does not fit; nothing was written.
        """
        with self._turn:
            try:
                self.decide(lambda _: events, stands=lambda *_: True)
            except StateError:
                known = self.history.length
                if self.refresh().length == known:
                    raise
                self.add(*events)  # it may fit to what others wrote

    def decide(
        self,
        decision: Callable[[History], Sequence[Event]],
        *,
        stands: Callable[[History, History], bool] | None = None,
    ) -> Sequence[Event]:
        """Append what `decision` makes of the present; decided anew when another writer was first.

        Args:
            stands: whether a decision on one history stands in a later one, with what others wrote
                since. It is written as it is then; without this it never stands.

        Raises:
            StateError: an event does not fit; nothing was written.
        """
        with self._turn:
            while True:
                seen = self.history
                events = decision(seen)
                if stands is None:
                    if self._written(events):
                        return events
                    self.refresh()
                    continue
                with self._in_line():
                    while self.history is seen or stands(seen, self.history):
                        if self._written(events):
                            return events
                        self._catch_up()

    @contextmanager
    def _in_line(self) -> Iterator[None]:
        """Come to one's turn if others overtake us; for one who has nothing to do but to append."""
        try:
            if self._crowded:
                self._catch_up()
            yield
        finally:
            leave = getattr(self.store, "leave_line", None)
            if leave:
                leave(self.study)

    def _catch_up(self) -> None:
        """Read what others wrote; those that come later wait, where the store can do that."""
        line_up = getattr(self.store, "line_up", None)
        if line_up:
            new = line_up(self.study, after=self.history.length, most=_AT_ONCE)
            self.history = fold(new, self.history)
            if len(new) < _AT_ONCE:
                return
        self.refresh()

    def _written(self, events: Sequence[Event]) -> bool:
        """Whether these could be appended; if not, all is as before."""
        before = self.history
        self.stage(events)
        try:
            self.flush()
        except BaseException as error:
            self._staged, self._blobs = [], {}
            self.history = before.apart()
            if isinstance(error, ConflictError):
                self._crowded = _CROWDED
                return False
            raise
        self._crowded = max(0, self._crowded - 1)
        return True
