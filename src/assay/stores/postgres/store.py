"""The log in a PostgreSQL database, which may hold many studies and be reached from many machines."""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from assay.core.errors import StateError
from assay.core.events import Event
from assay.core.history import History
from assay.core.protocols import Blobs, Row
from assay.stores.chain import extend, genesis
from assay.stores.decoding import decoded, no_garbage
from assay.stores.entry import body, check_blobs, check_length, check_name, check_read
from assay.stores.envelope import actor, now
from assay.stores.lease import Driver, Holder
from assay.stores.postgres.address import parse
from assay.stores.postgres.board import PostgresBoard
from assay.stores.postgres.layout import Layout
from assay.stores.postgres.link import Link, LostSeatError
from assay.stores.postgres.seat import Pulse, driver_of, lost, take
from assay.stores.postgres.turns import turn
from assay.stores.postgres.vault import PostgresVault
from assay.stores.seals import home
from assay.stores.snapshot import recall, remember

_NUMBER = "select number from {s}.study where digest = sha256(convert_to(%s, 'UTF8'))"
_LAST = "select seq + 1, hash from {s}.event where study = %s order by seq desc limit 1"
_EVENTS = "select seq, body from {s}.event where study = %s and seq >= %s order by seq limit %s"
_ROWS = (
    "select seq, time, actor, version, body, hash from {s}.event where study = %s and seq >= %s"
    " order by seq limit %s"
)
_STUDIES = (
    "select s.name from {s}.study s join {s}.event e on e.study = s.number and e.seq = 0"
    " order by e.time, s.number"
)
_HASH = "select hash from {s}.event where study = %s and seq = %s"
_BLOB = "select data from {s}.blob where hash = %s"
_LINE_MS = 1000  # who is first in line has to add one statement
_ALONE_S = 60.0  # without lining up, after somebody did not move


class PostgresStore:
    """A store in a database of a PostgreSQL server.

    An append is on the server's disk when it returns (as far as the server keeps fsync and
    synchronous_commit on) and survives the end of any process, also of the server's. While the
    server is away, calls wait up to five minutes. Threads may share a store; a fork opens its own.

    Args:
        url: such as "postgresql://user@host/database"; see `assay.stores.postgres.address`.
        readonly: look only.

    Raises:
        StoreError: the database cannot be used; the message says why and what to do.
        SpecError: the address cannot be read.
    """

    def __init__(self, url: str, *, readonly: bool = False) -> None:
        self._link = Link(parse(url), readonly=readonly)
        self._layout = Layout(self._link)
        self._driver = Driver()
        self._numbers: dict[str, int] = {}
        self._heads: dict[str, tuple[int, str]] = {}
        self._seats: dict[str, Pulse] = {}
        self._in_line: set[str] = set()
        self._alone_until = 0.0
        self._end = weakref.finalize(self, _let_go, self._link, self._seats)

    @property
    def shown(self) -> str:
        """The address without its password."""
        return self._link.address.shown

    def append(
        self, study: str, events: Sequence[Event], *, after: int, blobs: Blobs | None = None
    ) -> int:
        check_name(study)
        blobs = blobs or {}
        check_blobs(blobs)
        bodies = [body(event) for event in events]
        number = self.entered(study)
        length, head = self._heads.get(study, (-1, ""))
        if length != after:
            length, head = self._last(study, number)
        while True:
            check_length(study, length, after)
            stamp, who = now(), actor()
            rows = extend(study, head, bodies, after=after, time=stamp, actor=who)
            new = (after + len(rows), rows[-1].hash if rows else head)
            found = self._append(study, number, after, head, rows, blobs, (stamp, who))
            self._heads[study] = found
            if found == new:
                return new[0]
            length, head = found

    def _append(
        self,
        study: str,
        number: int,
        after: int,
        prev: str,
        rows: list[Row],
        blobs: Blobs,
        stamp: tuple[str, str],
    ) -> tuple[int, str]:
        """Length and head of the log after the attempt: those of `rows` if they are in it."""
        version = rows[0].version if rows else 0
        bodies, hashes = [row.body for row in rows], [row.hash for row in rows]
        contents = (bodies, hashes, list(blobs), list(blobs.values()))
        token = self.token(study)
        function = "log_append_in_line" if study in self._in_line else "log_append"
        ((length, head),) = self.driving(
            study, function, number, token, after, prev, *stamp, version, *contents
        )
        self._in_line.discard(study)
        return length, head or genesis(study)

    def line_up(self, study: str, *, after: int, most: int) -> list[Event]:
        """What `read` gives; as far as possible, the next append of this store has no other before it.

        For one who was overtaken while appending, and has nothing to do but to append. `leave_line`
        ends it without an append. One who does not move keeps the others waiting for a moment only.
        """
        if study in self._in_line or time.monotonic() < self._alone_until:
            return self.read(study, after=after, most=most)
        number = self.entered(study)
        (got, _, _), *rows = self._link.call("log_line", number, after, most, _LINE_MS)
        if got:
            self._in_line.add(study)
        else:
            self._alone_until = time.monotonic() + _ALONE_S
        with no_garbage():
            return decoded((row[1:] for row in rows), study, after=after, where=self.shown)

    def leave_line(self, study: str) -> None:
        """Let the next in line append, if this store was before it."""
        if study in self._in_line:
            self._in_line.discard(study)
            self._link.call("log_line_end", self.entered(study))

    def _last(self, study: str, number: int) -> tuple[int, str]:
        rows = self._link.ask(_LAST, number)
        return rows[0] if rows else (0, genesis(study))

    def read(self, study: str, *, after: int = 0, most: int | None = None) -> list[Event]:
        number = self._known(study)
        if number is None:
            return []
        with no_garbage():
            rows = self._link.ask(_EVENTS, number, after, most)
            return decoded(rows, study, after=after, where=self.shown)

    def rows(self, study: str, *, after: int = 0, most: int | None = None) -> list[Row]:
        number = self._known(study)
        if number is None:
            return []
        with no_garbage():
            return [Row(*row) for row in self._link.ask(_ROWS, number, after, most)]

    def studies(self) -> list[str]:
        return [name for (name,) in self._link.ask(_STUDIES)] if self._layout.exists() else []

    def blob(self, sha256: str) -> bytes:
        rows = self._link.ask(_BLOB, sha256) if self._layout.exists() else []
        return check_read(sha256, rows[0][0] if rows else None, self.shown)

    def acquire(self, study: str) -> None:
        number = self.entered(study)
        take(self._link, study, number, self._driver)
        if study not in self._seats:
            self._seats[study] = Pulse(self._link, number, self._driver)

    def release(self, study: str) -> None:
        pulse = self._seats.pop(study, None)
        if pulse is not None:
            pulse.stop()
            self._link.call("lease_end", self.entered(study), self._driver.token)

    def driver(self, study: str) -> Holder | None:
        """The process that drives a study now; None if none does."""
        number = self._known(study)
        return None if number is None else driver_of(self._link, number)

    def touch(self, study: str) -> None:
        """See that this store still drives the study, if it did.

        Raises:
            StateError: another process took the study over.
        """
        if self.token(study) is not None:
            self.driving(study, "lease_beat", self.entered(study), self.token(study))

    def turn(self, study: str, *, patience_s: float = 60.0) -> AbstractContextManager[bool]:
        """The turn to make a proposal, for those who ask the same study."""
        at_once = {"at_once_s": 10.0} if self._seats else {}  # a driver has to beat meanwhile
        return turn(self._link, self.entered(study), patience_s=patience_s, **at_once)

    def recall(self, study: str) -> History | None:
        """The history of the first events of a study, from a snapshot on this machine, if one fits."""
        path = self._cache()
        return recall(path, study, lambda number: self._hash(study, number)) if path else None

    def remember(self, study: str, history: History) -> bool:
        """Keep a snapshot of a long history on this machine; False if that cannot be done."""
        path, head = self._cache(), self._hash(study, history.length - 1)
        if path is None or head is None:
            return False
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return remember(path, study, history, head)

    def _cache(self) -> Path | None:
        """Where this machine keeps snapshots of this database: no right there is needed for them."""
        with suppress(RuntimeError):  # a user without a home
            return home() / "cache" / sha256(self.shown.encode()).hexdigest()[:16]
        return None

    def _hash(self, study: str, seq: int) -> str | None:
        number = self._known(study)
        rows = self._link.ask(_HASH, number, seq) if number is not None else []
        return rows[0][0] if rows else None

    def board(self, study: str) -> PostgresBoard:
        """Where the driver of a study and its workers meet."""
        return PostgresBoard(self, self._link, check_name(study))

    def vault(self) -> PostgresVault:
        """Where test sets are kept: any machine that drives a study can open its own."""
        self._layout.make()
        return PostgresVault(self._link)

    def close(self) -> None:
        for study in list(self._seats):
            self.release(study)
        self._end()

    # for the board too

    def entered(self, study: str) -> int:
        """The number of a study, which is given it now if it had none."""
        number = self._known(study)
        if number is None:
            self._layout.make()
            ((number,),) = self._link.call("study_enter", study)
            self._numbers[study] = number
        return number

    def token(self, study: str) -> str | None:
        """What this driver shows to the server; None if it drives something else, or nothing."""
        return self._driver.token if study in self._seats else None

    def driving(self, study: str, function: str, *values: object) -> list[tuple[Any, ...]]:
        """What a function says that is for a study's driver.

        Raises:
            StateError: another process took the study over.
        """
        try:
            return self._link.call(function, *values)
        except LostSeatError:
            error: StateError = lost(self._link, study, self.entered(study))
        raise error

    def _known(self, study: str) -> int | None:
        number = self._numbers.get(check_name(study))
        if number is None and self._layout.exists():
            for (found,) in self._link.ask(_NUMBER, study):
                number = self._numbers[study] = found
        return number


def _let_go(link: Link, seats: dict[str, Pulse]) -> None:
    for pulse in seats.values():
        pulse.stop()
    link.close()
