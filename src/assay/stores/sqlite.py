"""The log as a table in one SQLite file, which may hold many studies."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from assay.core.errors import StoreError
from assay.core.events import Event, Reported
from assay.core.history import History
from assay.core.protocols import Blobs, Row
from assay.stores.board_sqlite import SqliteBoard
from assay.stores.chain import extend, genesis
from assay.stores.database import Database, copy
from assay.stores.decoding import decoded, no_garbage
from assay.stores.entry import body, check_blobs, check_length, check_name, check_read
from assay.stores.envelope import actor, now
from assay.stores.lease import BEAT_S, Driver, Holder, beat, driver_of, give_back, take
from assay.stores.reader import Reader
from assay.stores.snapshot import recall, remember
from assay.stores.turns import turn

_LAST = "select seq, hash from event where study = ? order by seq desc limit 1"
_HASH = "select cast(hash as text) from event where study = ? and seq = ?"
_INSERT = "insert into event values (?, ?, ?, ?, ?, cast(? as text), ?)"
_EVENTS = (
    "select seq, cast(body as blob) from event where study = ? and seq >= ? order by seq limit ?"
)
_ROWS = (
    "select seq, cast(time as text), cast(actor as text), version, cast(body as blob),"
    " cast(hash as text) from event where study = ? and seq >= ? order by seq limit ?"
)
_STUDIES = """
with recursive name(study) as (
    select min(study) from event
    union all select (select min(study) from event where event.study > name.study)
    from name where study is not null
)
select study from name where study is not null
order by (select time from event where event.study = name.study order by seq limit 1), study
"""  # steps from study to study along the primary key instead of looking at every row


class SqliteStore:
    """A store in one file on a local disk.

    An append is on the disk when it returns (WAL, synchronous=FULL) and survives the end of any
    process; it survives a loss of power as far as the disk keeps its word. Reports of running
    trials survive the end of any process, too, but do not wait for the disk: the next append does,
    for all before it. Threads may share a store; a fork may not use it and opens its own.

    Args:
        path: the file; it is made if it is missing, its folder is not.
        readonly: look only. Makes no file, also reads while another process writes.
        guarded: see `Database`; only for tests.

    Raises:
        StoreError: the file cannot be opened; the message says why and what to do. What is not a
            study file is left as it was.

    >>> import tempfile
    >>> from assay.core.events import Noted
    >>> folder = tempfile.TemporaryDirectory()
    >>> store = SqliteStore(Path(folder.name, "lab.db"))
    >>> store.append("lab", [Noted("hello")], after=0)
    1
    >>> store.read("lab")
    [Noted(text='hello', trial=None)]
    >>> store.close(); folder.cleanup()
    """

    def __init__(
        self, path: str | os.PathLike[str], *, readonly: bool = False, guarded: bool | None = None
    ) -> None:
        self.path = Path(path)
        self._driver = Driver()
        self._beats: dict[str, float] = {}
        self._file: Database | Reader = (
            Reader(self.path) if readonly else Database(self.path, guarded=guarded)
        )
        # A connection that nobody closes would be closed by Python, without the lock.
        self._end = weakref.finalize(self, self._file.close)

    def append(
        self, study: str, events: Sequence[Event], *, after: int, blobs: Blobs | None = None
    ) -> int:
        check_name(study)
        blobs = blobs or {}
        check_blobs(blobs)
        bodies = [body(event) for event in events]
        volume = sum(map(len, bodies)) + sum(map(len, blobs.values()))
        waits = bool(blobs) or not all(isinstance(event, Reported) for event in events)
        with self._file.write(volume, waits=waits) as db:
            last = db.execute(_LAST, (study,)).fetchone()
            length, prev = (last[0] + 1, last[1]) if last else (0, genesis(study))
            check_length(study, length, after)
            for item in blobs.items():
                db.execute("insert into blob values (?, ?)", item)
            for row in extend(study, prev, bodies, after=after, time=now(), actor=actor()):
                db.execute(_INSERT, (study, *row))
            if self._due(study):
                self._beat(db, study)
        return after + len(bodies)

    def read(self, study: str, *, after: int = 0, most: int | None = None) -> list[Event]:
        check_name(study)
        self.touch(study)
        return self._file.read(lambda db: self._decoded(db, study, after, most))

    def _decoded(
        self, db: sqlite3.Connection, study: str, after: int, most: int | None
    ) -> list[Event]:
        with no_garbage():
            found = db.execute(_EVENTS, (study, after, -1 if most is None else most))
            return decoded(found, study, after=after, where=self.path)

    def rows(self, study: str, *, after: int = 0, most: int | None = None) -> list[Row]:
        check_name(study)
        with no_garbage():
            return self._file.read(
                lambda db: [
                    Row(*row)
                    for row in db.execute(_ROWS, (study, after, -1 if most is None else most))
                ]
            )

    def studies(self) -> list[str]:
        return self._file.read(lambda db: [name for (name,) in db.execute(_STUDIES)])

    def blob(self, sha256: str) -> bytes:
        query = "select data from blob where hash = ?"
        row = self._file.read(lambda db: db.execute(query, (sha256,)).fetchone())
        return check_read(sha256, bytes(row[0]) if row else None, str(self.path))

    def acquire(self, study: str) -> None:
        check_name(study)
        with self._file.write() as db:
            take(db, study, self._driver)
            self._beats[study] = time.monotonic()

    def release(self, study: str) -> None:
        if study in self._beats:
            with self._file.write() as db:
                give_back(db, study, self._driver)
                del self._beats[study]

    def driver(self, study: str) -> Holder | None:
        """The process that drives a study now; None if none does."""
        return self._file.read(lambda db: driver_of(db, study))

    def touch(self, study: str) -> None:
        """Say that this store still drives the study, if it does and did not say so just now.

        Appends and reads do this by themselves. A driver that does neither for a minute calls it:
        from another machine or container, it would be taken for dead.

        Raises:
            StateError: another process took the study over.
        """
        if self._due(study):
            with self._file.write() as db:
                self._beat(db, study)

    def _due(self, study: str) -> bool:
        last = self._beats.get(study)
        return last is not None and time.monotonic() - last >= BEAT_S

    def _beat(self, db: sqlite3.Connection, study: str) -> None:
        beat(db, study, self._driver)
        self._beats[study] = time.monotonic()

    def check(self) -> list[str]:
        """What SQLite finds wrong with the file itself; nothing when it is sound."""
        found = self._file.read(lambda db: db.execute("pragma integrity_check").fetchall())
        return [text for (text,) in found if text != "ok"]

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the whole file to `path`, as it is at this moment, also while others write.

        Raises:
            StoreError: something is there already, or it cannot be written.
        """
        target = Path(path)
        if target.exists():
            raise StoreError(f"{target} exists. Name a new file for the backup.")
        self._file.read(lambda db: copy(db, target))

    def turn(self, study: str, *, patience_s: float = 60.0) -> AbstractContextManager[bool]:
        """The turn to make a proposal, for those who ask the same study; see `assay.stores.turns`."""
        path = self.path.with_name(f"{self.path.name}-turn-{genesis(study)[:12]}")
        return turn(path, patience_s=patience_s)

    def recall(self, study: str) -> History | None:
        """The history of the first events of a study, from a snapshot beside the file, if one fits."""
        return recall(self.path, study, lambda number: self._hash(study, number))

    def remember(self, study: str, history: History) -> bool:
        """Keep a snapshot of a long history beside the file; False if that cannot be done."""
        head = self._hash(study, history.length - 1)
        writable = isinstance(self._file, Database)
        return writable and head is not None and remember(self.path, study, history, head)

    def _hash(self, study: str, number: int) -> str | None:
        row = self._file.read(lambda db: db.execute(_HASH, (study, number)).fetchone())
        return row[0] if row else None

    def board(self, study: str) -> SqliteBoard:
        """Where the driver of a study and workers of this machine meet."""
        return SqliteBoard(self._file, check_name(study), self.touch)

    def close(self) -> None:
        for study in list(self._beats):
            self.release(study)
        self._end()
