"""Who and when: what a store notes beside every event."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache

_way: ContextVar[str] = ContextVar("way", default="")


def now() -> str:
    """The time as it is stored."""
    return utc(time.time())


def utc(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 text, in UTC, to the microsecond.

    >>> utc(0)
    '1970-01-01T00:00:00.000000Z'
    """
    stamp = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return stamp.isoformat(timespec="microseconds") + "Z"


def actor() -> str:
    """The user, the machine and this process, as "user@host:pid", with the way it came if it has one."""
    way = _way.get()
    return f"{_user_and_host()}:{os.getpid()}{f' by {way}' if way else ''}"


@contextmanager
def by_way_of(way: str) -> Iterator[None]:
    """What this thread or task writes meanwhile says that it came by this way, such as "dashboard".

    >>> with by_way_of("dashboard"):
    ...     actor().endswith(" by dashboard")
    True
    """
    before = _way.set(way)
    try:
        yield
    finally:
        _way.reset(before)


@cache
def _user_and_host() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
