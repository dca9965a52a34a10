"""Who drives a study in the database: a row with a token, kept fresh by a thread of the driver."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any
from weakref import ref

from assay.core.errors import StateError, StoreError
from assay.stores.envelope import now
from assay.stores.lease import Driver, Holder, birth, lives, place, taken
from assay.stores.postgres.link import Link, LostSeatError

BEAT_S = 5.0
SILENT_S = 30.0
"""So long a driver of another machine may be silent, by the server's clock."""

_OF = "select * from {s}.lease_of(%s)"


def take(link: Link, study: str, number: int, driver: Driver) -> None:
    """Take the seat of a study.

    Raises:
        StateError: someone who lives has it.
    """
    dead = None
    while True:
        mine = (driver.token, os.getpid(), birth(os.getpid()) or "", place(), socket.gethostname())
        rows = link.call("lease_take", number, *mine, now(), dead, SILENT_S)
        if not rows:
            return
        holder = _holder(rows[0])
        if _lives(holder):
            raise StateError(taken(study, holder))
        dead = holder.token


def driver_of(link: Link, number: int) -> Holder | None:
    """Who drives a study now; None if nobody does."""
    rows = link.ask(_OF, number)
    holder = _holder(rows[0]) if rows else None
    return holder if holder is not None and _lives(holder) else None


def lost(link: Link, study: str, number: int) -> StateError:
    """What to say to a driver that has lost its seat."""
    rows = link.ask(_OF, number)
    if rows:
        return StateError(taken(study, _holder(rows[0])))
    return StateError(f"Study {study!r} was released by someone else. Open it again to go on.")


def _holder(row: tuple[Any, ...]) -> Holder:
    """With its silence, which the server counted, told by the clock of this machine."""
    token, pid, born, where, host, since, silent_s = row
    return Holder(token, pid, born, where, host, since, time.time() - silent_s)


def _lives(holder: Holder) -> bool:
    return lives(holder, silent_s=SILENT_S)


class Pulse:
    """Beats for a driver as long as it lives, whatever its other threads do."""

    def __init__(self, link: Link, number: int, driver: Driver) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(
            target=_beat, args=(ref(link), number, ref(driver), self._over), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """No more beats."""
        self._over.set()


def _beat(link: ref[Link], number: int, driver: ref[Driver], over: threading.Event) -> None:
    while not over.wait(BEAT_S):
        to, who = link(), driver()
        if to is None or who is None:
            return
        try:
            to.call("lease_beat", number, who.token, patience_s=0)
        except LostSeatError:
            return  # the next call of the driver is told
        except StoreError:
            pass  # the server is away; silence counts from when it is back
        del to, who
