"""One connection to a study file: opening, transactions, checkpoints, closing."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar
from weakref import WeakSet

from assay.core.errors import StoreError
from assay.stores.failures import explain, explained
from assay.stores.filesystems import refuse_network
from assay.stores.locks import FileLock, affected
from assay.stores.schema import (
    BOARD_TABLES,
    USER_VERSION,
    ForeignFileError,
    lay_out,
    layout,
    recognise,
)

T = TypeVar("T")

_BUSY_S = 30.0
_PAGE = 4096
_PAGES_A_COMMIT = 4  # a leaf, the nodes above it, a page that is split
_CHECKPOINT_PAGES = 1000


class Database:
    """The one connection that a process writes a study file with; its threads take turns.

    Args:
        path: the file; it is made if it is missing, its folder is not.
        guarded: whether a lock file is held around every commit, checkpoint, open and close. By
            default it is when the linked SQLite has the WAL-reset bug, and also when a lock file
            lies there: then another program, with another SQLite, may need it.

    Raises:
        StoreError: the file cannot be opened for writing; the message says why.
    """

    def __init__(self, path: Path, *, guarded: bool | None = None) -> None:
        refuse_unwritable(path)
        refuse_network(path)
        self.path = path
        self._mutex = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._gone = "is closed"
        lock = lock_path(path)
        first = not lock.exists()
        if guarded is None:
            guarded = affected(sqlite3.sqlite_version_info) or not first
        self._guard = FileLock(lock) if guarded else None
        self._pages = 0
        try:
            with self._alone():
                self._db = self._opened()
        except BaseException as error:
            self._let_go()
            if first and isinstance(error, ForeignFileError):
                lock.unlink(missing_ok=True)
            raise
        _open.add(self)

    def _opened(self) -> sqlite3.Connection:
        db = connect(self.path, "rwc")
        try:
            with explained(self.path):
                _prepare(db, self.path, guarded=self._guard is not None)
        except BaseException:
            db.close()
            raise
        self._pages = size(self.path, "-wal") // _PAGE
        return db

    @contextmanager
    def write(self, volume: int = 0, *, waits: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction of the one writer: all of it is on disk at the end, or nothing is.

        Args:
            volume: about how many bytes will be written.
            waits: for the disk. Otherwise it survives the end of any process, but a loss of power
                may take it, until the next transaction that waits: that one waits for both.
        """
        with self._alone():
            db = self._present()
            with explained(self.path), nullcontext() if waits else _without_waiting(db):
                db.execute("begin immediate")
                try:
                    yield db
                    db.execute("commit")
                except BaseException:
                    if db.in_transaction:
                        db.execute("rollback")
                    raise
            self._pages += _PAGES_A_COMMIT + volume // _PAGE
            if self._guard is not None and self._pages >= _CHECKPOINT_PAGES:
                self._checkpoint(db)

    def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer to `question`, which sees the file as it is at one moment."""
        with self._mutex:
            db = self._present()
            with explained(self.path):
                return question(db)

    def close(self) -> None:
        """Let go of the file; merges the WAL into it when this was the last connection."""
        with self._mutex:
            if self._db is None:
                return
            with self._guard or nullcontext():
                if self._guard is not None:
                    self._checkpoint(self._db)
                self._db.close()
            self._db = None
            self._let_go()

    def forsake(self) -> None:
        """In a fork: leave the connection to the process that opened it.

        Closing it here could checkpoint behind that process's back; so it is kept, unused.
        """
        if self._db is not None:
            _forsaken.append(self._db)
            self._db = None
            self._gone = "was opened before this process was forked"
            self._mutex = threading.Lock()  # another thread may have held the old one
            self._let_go()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        guard: AbstractContextManager[None] = self._guard or nullcontext()
        with self._mutex, guard:
            yield

    def _present(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError(f"The store of {self.path} {self._gone}. Open it again.")
        return self._db

    def _checkpoint(self, db: sqlite3.Connection) -> None:
        """Move the WAL into the file as far as no reader needs it; under the lock."""
        self._pages = 0
        try:
            db.execute("pragma wal_checkpoint(passive)").fetchall()
        except sqlite3.Error:
            pass  # what was committed stays safe in the WAL; the next time will do, too

    def _let_go(self) -> None:
        if self._guard is not None:
            self._guard.close()
            self._guard = None


_open: WeakSet[Database] = WeakSet()
_forsaken: list[sqlite3.Connection] = []


def _after_fork() -> None:
    for database in list(_open):
        database.forsake()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def lock_path(path: Path) -> Path:
    """The lock file that belongs to a study file."""
    return path.with_name(path.name + "-lock")


def refuse_unwritable(path: Path) -> None:
    """Nothing, when a study file can be written, or made, at `path`.

    Raises:
        StoreError: it cannot.
    """
    if "\0" in str(path):
        raise StoreError(f"The path {str(path)!r} holds a NUL character. Leave it out.")
    if path.is_dir():
        raise StoreError(f"{path} is a folder. Name a file in it, such as {path / 'study.db'}.")
    if not path.parent.is_dir():
        raise StoreError(
            f"The folder {path.parent} does not exist. Make it: mkdir -p {path.parent}"
        )
    for place in (path, path.parent):
        if place.exists() and not os.access(place, os.W_OK):
            raise StoreError(
                f"{place} is read-only for you. Give yourself the right to write (chmod u+w), copy "
                "the study elsewhere, or open it read-only to look at it."
            )


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection in autocommit mode; transactions are begun and ended in words."""
    try:
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise explain(path, error) from error
    db.text_factory = _text
    return db


def _text(raw: bytes) -> str:
    """Text as stored; bytes that are no text stay visible, for the chain to find."""
    return raw.decode(errors="backslashreplace")


@contextmanager
def _without_waiting(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("pragma synchronous = normal")
    try:
        yield
    finally:
        db.execute("pragma synchronous = full")


def _prepare(db: sqlite3.Connection, path: Path, *, guarded: bool) -> None:
    """Recognise the file before anything in it is touched, then set it up and lay it out."""
    try:
        ours = recognise(db, path)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
            raise ForeignFileError(str(explain(path, error))) from error
        raise
    _use_wal(db, path)
    db.execute("pragma synchronous = full")
    db.execute("pragma foreign_keys = on")
    db.execute("pragma trusted_schema = off")
    if guarded:
        db.execute("pragma wal_autocheckpoint = 0")
    if not ours or layout(db) < USER_VERSION:
        if ours:
            _keep_old_layout(db, path)
        db.execute("begin immediate")
        recognise(db, path)  # another process may have been first
        lay_out(db)
        db.execute("commit")


def _keep_old_layout(db: sqlite3.Connection, path: Path) -> None:
    """A backup of a file whose layout is about to change, beside it, unless there is one."""
    target = path.with_name(f"{path.name}.layout-{layout(db)}")
    if not target.exists():
        copy(db, target)


def copy(db: sqlite3.Connection, target: Path) -> None:
    """A copy of the whole file, as it is at this moment; nobody drives it or works on it."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    with explained(target), closing(connect(part, "rwc")) as made:
        db.backup(made)
        there = {name for (name,) in made.execute("select name from sqlite_master")}
        for table in {"lease", *BOARD_TABLES} & there:
            made.execute(f"delete from {table}")  # noqa: S608 - names of our own
    os.replace(part, target)


def _use_wal(db: sqlite3.Connection, path: Path) -> None:
    """Switch to WAL mode. SQLite does not wait for others here, so that we do."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            (mode,) = db.execute("pragma journal_mode = wal").fetchone()
            break
        except sqlite3.OperationalError as error:
            busy = str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
    if mode != "wal":
        raise StoreError(
            f"{path}: this file system does not carry SQLite's write-ahead log (journal mode is "
            f"{mode!r}). Put the study on a local disk."
        )


def size(path: Path, suffix: str) -> int:
    """How many bytes a file beside a study file has; 0 when it is not there."""
    try:
        return os.stat(f"{path}{suffix}").st_size
    except FileNotFoundError:
        return 0
