"""The connection to a PostgreSQL server: the one place that knows psycopg.

Every call is one statement that commits by itself and may be sent again: when the connection breaks
and nobody can tell whether it was carried out, it is repeated, and the server's functions see to it
that the second time changes nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, cast
from weakref import WeakSet

from assay.core.errors import StoreError
from assay.stores.postgres.address import Address
from assay.stores.postgres.failures import (
    LOST_SEAT,
    PATIENCE_S,
    code_of,
    explain,
    is_passing,
    is_starting,
)

try:
    import psycopg
except ModuleNotFoundError as error:
    raise StoreError(
        "PostgreSQL needs psycopg, which is not installed: pip install 'assay[postgres]'."
    ) from error

OLDEST = 130000
_START_S = 15.0
_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
_BEHAVIOUR = {
    "application_name": "assay",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""What holds unless the address says otherwise: a peer that is cut off is given up after 10 to 15 s."""
_SET = {
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
"""Settings of the session, as far as the address or the server has set none."""
_UNSET = ("0", "7200", "75", "9")  # a system's own keepalives wait for two hours

_Rows = list[tuple[Any, ...]]


class LostSeatError(Exception):
    """Another driver took the study over; nothing was changed."""


class Link:
    """One connection, made again when it breaks; the threads of a process take turns.

    Args:
        address: of the database.
        readonly: the server is asked to refuse every change.

    Raises:
        StoreError: the database cannot be used; the message says why and what to do.
    """

    def __init__(self, address: Address, *, readonly: bool = False) -> None:
        self.address = address
        self._readonly = readonly
        self._mutex = threading.RLock()
        self._db: psycopg.Connection[Any] | None = None
        self._channels: dict[str, bool] = {}
        self._gone = ""
        with self._mutex:
            self._first()
        _open.add(self)

    def ask(self, query: str, *values: object, patience_s: float = PATIENCE_S) -> _Rows:
        """The rows that a statement gives; `{s}` in it stands for the schema.

        Args:
            query: may be carried out twice without harm.
            values: its parameters.
            patience_s: how long to try again while the server is away; once at least.

        Raises:
            LostSeatError: the driver that asks is none any more.
            StoreError: the server refuses, or was away for too long.
        """
        text = query.replace("{s}", self.address.quoted)
        with self._mutex:
            start = time.monotonic()
            pause = _PAUSE_S
            tries = 0
            while True:
                try:
                    return self._asked(text, values)
                except psycopg.Error as error:
                    tries += 1
                    waited = time.monotonic() - start
                    last = tries > 1 and waited + pause > patience_s
                    self._judge(error, waited, last=last)
                if tries > 1:
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE_S)

    def call(self, function: str, *values: object, patience_s: float = PATIENCE_S) -> _Rows:
        """The rows that a function of ours gives; see `ask`."""
        return self.ask(_calling(function, len(values)), *values, patience_s=patience_s)

    def script(self, texts: Sequence[str]) -> None:
        """Carry out statements as one transaction; the caller sees to it that they may be repeated.

        Raises:
            StoreError: the server refuses; nothing was changed.
        """
        with self._mutex:
            try:
                db = self._connected()
                with db.transaction():
                    for text in texts:
                        db.execute(text.replace("{s}", self.address.quoted).encode())
            except psycopg.Error as error:
                self._judge(error, 0.0, last=True)

    def listen(self, channel: str) -> bool:
        """Whether something was said on a channel since the last time; True the first time.

        This costs no way to the server: it only looks at what has arrived.
        """
        with self._mutex:
            if channel not in self._channels:
                self.ask(f'listen "{channel}"', patience_s=0)
                self._channels[channel] = True
            if self._db is None:
                return True
            try:
                self._db.pgconn.consume_input()
                while (said := self._db.pgconn.notifies()) is not None:
                    self._channels[said.relname.decode()] = True
            except psycopg.Error:
                return True  # the next call finds out what is wrong
            heard, self._channels[channel] = self._channels[channel], False
            return heard

    def close(self) -> None:
        """Let go of the connection."""
        with self._mutex:
            self._drop()
            self._gone = self._gone or "is closed"

    def forsake(self) -> None:
        """In a fork: leave the connection to the process that opened it, and keep it unused."""
        _forsaken.append(self._db)
        self._db = None
        self._mutex = threading.RLock()  # another thread may have held the old one
        self._gone = "was opened before this process was forked"

    def _first(self) -> None:
        """Connect for the first time: wait only for a server that says that it is about to start."""
        until = time.monotonic() + _START_S
        while True:
            try:
                self._connected()
            except psycopg.Error as error:
                starting = is_starting(code_of(error.sqlstate, str(error)))
                self._judge(error, 0.0, last=not starting or time.monotonic() > until)
                time.sleep(_PAUSE_S)
            else:
                return

    def _asked(self, text: str, values: Sequence[object]) -> _Rows:
        with self._connected().cursor(binary=True) as cursor:
            cursor.execute(text.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def _connected(self) -> psycopg.Connection[Any]:
        if self._gone:
            raise StoreError(f"The store of {self.address.shown} {self._gone}. Open it again.")
        if self._db is None:
            self._db = self._made()
            self._db.add_notify_handler(self._hear)
        return self._db

    def _made(self) -> psycopg.Connection[Any]:
        given = psycopg.conninfo.conninfo_to_dict(self.address.conninfo)
        wanted = {**_BEHAVIOUR, **given}
        db = psycopg.connect(**cast(Any, wanted), autocommit=True)
        try:
            with db.cursor() as cursor:
                cursor.execute(_prepared(self._readonly))
                *_, number, version, encoding = cursor.fetchall()[0]
                self._check(number, version, encoding)
                for channel in self._channels:
                    cursor.execute(f'listen "{channel}"'.encode())
                    self._channels[channel] = True
        except BaseException:
            db.close()
            raise
        return db

    def _check(self, number: int, version: str, encoding: str) -> None:
        if number < OLDEST:
            raise StoreError(
                f"{self.address.shown}: the server is PostgreSQL {version}; Assay needs "
                f"{OLDEST // 10000} or newer. Upgrade it, or name another."
            )
        if encoding != "UTF8":
            raise StoreError(
                f"{self.address.shown}: the database keeps text as {encoding}, and names of studies "
                "need UTF8. Make another: createdb --encoding UTF8 --template template0 NAME."
            )

    def _hear(self, said: psycopg.Notify) -> None:
        self._channels[said.channel] = True

    def _judge(self, error: psycopg.Error, waited_s: float, *, last: bool) -> None:
        """Nothing, when it is right to try again; a broken connection is gone then.

        Raises:
            LostSeatError, StoreError: it is not.
        """
        said = str(error)
        if error.sqlstate == LOST_SEAT:
            raise LostSeatError from None
        code = code_of(error.sqlstate, said)
        if self._db is None or self._db.broken or self._db.closed:
            self._drop()
        if last or not is_passing(code):
            role = self._db.info.user if self._db else "ROLE"
            raise explain(self.address.shown, code, said, waited_s, role=role) from error

    def _drop(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


def _prepared(readonly: bool) -> bytes:
    """A query that sets up a session, and tells the server's version and the database's encoding."""
    sets = [
        f"set_config('{name}', case when current_setting('{name}') in {_UNSET} then '{value}'"
        f" else current_setting('{name}') end, false)"
        for name, value in _SET.items()
    ]
    if readonly:
        sets.append("set_config('default_transaction_read_only', 'on', false)")
    facts = "current_setting('server_version_num')::int, current_setting('server_version'),"
    return f"select {', '.join(sets)}, {facts} current_setting('server_encoding')".encode()


@cache
def _calling(function: str, count: int) -> str:
    marks = ", ".join(["%s"] * count)
    return f"select * from {{s}}.{function}({marks})"  # noqa: S608 - our own names


_open: WeakSet[Link] = WeakSet()
_forsaken: list[Any] = []


def _after_fork() -> None:
    for link in list(_open):
        link.forsake()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
