"""The tables of a study file, and how a file is recognised as one.

The file says by itself what it is: `application_id` is ours, `user_version` counts the layouts. A
later layout adds a numbered script here, run once, forward only, after a backup. Scripts never change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.core.errors import StoreError

APPLICATION_ID = 0x41535359  # "ASSY"
USER_VERSION = 2
_SMALLEST_PAGE = 512

_FIRST = f"""
create table event (
    study text not null,
    seq integer not null,
    time text not null,
    actor text not null,
    version integer not null,
    body text not null,
    hash text not null,
    primary key (study, seq)
) without rowid;

create table blob (
    hash text not null primary key,
    data blob not null
);

create table lease (
    study text not null primary key,
    token text not null,
    pid integer not null,
    birth text not null,
    place text not null,
    host text not null,
    since text not null,
    beat real not null
) without rowid;

-- "insert or replace" deletes without firing a delete trigger, hence the triggers on insert.
create trigger event_stays before delete on event
begin select raise(abort, 'events are never deleted'); end;
create trigger event_unchanged before update on event
begin select raise(abort, 'events are never changed'); end;
create trigger event_once before insert on event
when exists (select 1 from event where study = new.study and seq = new.seq)
begin select raise(abort, 'events are never replaced'); end;
create trigger blob_stays before delete on blob
begin select raise(abort, 'blobs are never deleted'); end;
create trigger blob_unchanged before update on blob
begin select raise(abort, 'blobs are never changed'); end;
create trigger blob_once before insert on blob
when exists (select 1 from blob where hash = new.hash)
begin select raise(ignore); end;

pragma application_id = {APPLICATION_ID};
pragma user_version = 1;
"""  # noqa: S608 - numbers of our own

_BOARD = """
-- "autoincrement": the number of a task or letter is never used again.
create table task (
    number integer primary key autoincrement,
    study text not null,
    job blob not null,
    worker text,
    ended integer not null default 0
);
create index task_of_study on task (study, number);
create index task_of_worker on task (study, worker);

create table letter (
    number integer primary key autoincrement,
    study text not null,
    task integer not null,
    message blob not null
);
create index letter_of_study on letter (study, number);
create index letter_of_task on letter (task);

create table member (
    number integer primary key autoincrement,
    study text not null,
    worker text not null,
    host text not null,
    place text not null,
    pid integer not null,
    birth text not null,
    slots integer not null,
    differs text not null,
    beats integer not null default 0,
    unique (study, worker)
);

pragma user_version = 2;
"""
_SCRIPTS = (_FIRST, _BOARD)
"""The script at place n makes layout n + 1 of layout n."""
BOARD_TABLES = ("task", "letter", "member")


class ForeignFileError(StoreError):
    """The file is not a study file; nothing in it was touched."""


def recognise(db: sqlite3.Connection, path: Path) -> bool:
    """Whether the file holds our tables; False when it holds none at all.

    Raises:
        ForeignFileError: it is the database of another program.
        StoreError: it is from a newer version of Assay.
    """
    with _one_moment(db):  # or another process lays it out between two of these questions
        (application,) = db.execute("pragma application_id").fetchone()
        (version,) = db.execute("pragma user_version").fetchone()
        (tables,) = db.execute("select count(*) from sqlite_master").fetchone()
    if application == APPLICATION_ID and version > USER_VERSION:
        raise StoreError(
            f"{path} was written by a newer version of Assay (layout {version}; this version reads "
            f"up to {USER_VERSION}). Upgrade: pip install --upgrade assay."
        )
    if application == 0 and version == 0 and tables == 0:
        _refuse_scrap(path)
        return False
    if application != APPLICATION_ID or version < 1 or tables == 0:
        raise ForeignFileError(
            f"{path} is an SQLite database, but not a study file (application_id {application:#x}, "
            f"user_version {version}, {tables} tables and indexes). Give another path."
        )
    return True


@contextmanager
def _one_moment(db: sqlite3.Connection) -> Iterator[None]:
    """All questions within see the file as it is at one moment; the caller's transaction does too."""
    if db.in_transaction:
        yield
        return
    db.execute("begin")
    try:
        yield
    finally:
        if db.in_transaction:  # an error may have ended it
            db.execute("rollback")


def _refuse_scrap(path: Path) -> None:
    """SQLite takes any file that is shorter than its smallest page for an empty database.

    Raises:
        ForeignFileError: there is something in it all the same.
    """
    size = path.stat().st_size
    if 0 < size < _SMALLEST_PAGE:
        raise ForeignFileError(
            f"{path} holds {size} bytes and is not a study file. Give another path, or remove the "
            "file if it is not needed."
        )


def layout(db: sqlite3.Connection) -> int:
    """Which layout the file has; 0 for an empty one."""
    (version,) = db.execute("pragma user_version").fetchone()
    return int(version)


def lay_out(db: sqlite3.Connection) -> None:
    """Bring a file, empty or of an older layout, to the present one; inside the caller's transaction."""
    for script in _SCRIPTS[layout(db) :]:
        for statement in _statements(script):
            db.execute(statement)


def _statements(script: str) -> list[str]:
    """The single statements: `executescript` would commit the caller's transaction first."""
    found, text = [], ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            found.append(text)
            text = ""
    return found
