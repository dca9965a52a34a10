"""Who drives a study: one process at a time, known by its number and its time of birth."""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple
from weakref import WeakSet

from assay.core.errors import StateError
from assay.stores.envelope import now

BEAT_S = 10.0
_SILENT_S = 60.0
_BORN = 19  # the place of "starttime" in /proc/PID/stat, counted from after the name in parentheses


class Driver:
    """One that may hold leases: an open store of this process."""

    def __init__(self) -> None:
        self.token = secrets.token_hex(8)
        _drivers.add(self)


_drivers: WeakSet[Driver] = WeakSet()


class Holder(NamedTuple):
    """A row of the table `lease`, without the study's name."""

    token: str
    pid: int
    birth: str
    place: str
    host: str
    since: str
    beat: float


def take(db: sqlite3.Connection, study: str, driver: Driver) -> None:
    """Write the lease for `driver`; inside the caller's transaction.

    Raises:
        StateError: someone who lives has it.
    """
    holder = _holder(db, study)
    if holder is not None and holder.token != driver.token and lives(holder):
        raise StateError(taken(study, holder))
    mine = Holder(
        driver.token, os.getpid(), birth(os.getpid()) or "", place(), socket.gethostname(), now(),
        time.time(),
    )  # fmt: skip
    db.execute("insert or replace into lease values (?, ?, ?, ?, ?, ?, ?, ?)", (study, *mine))


def beat(db: sqlite3.Connection, study: str, driver: Driver) -> None:
    """Note that `driver` still lives; inside the caller's transaction.

    Raises:
        StateError: another took the lease over in the meantime.
    """
    done = db.execute(
        "update lease set beat = ? where study = ? and token = ?",
        (time.time(), study, driver.token),
    )
    if done.rowcount == 0:
        holder = _holder(db, study)
        raise StateError(
            taken(study, holder)
            if holder
            else f"Study {study!r} was released by someone else. Open it again to go on."
        )


def driver_of(db: sqlite3.Connection, study: str) -> Holder | None:
    """Who drives a study now; None if nobody does."""
    holder = _holder(db, study)
    return holder if holder is not None and lives(holder) else None


def give_back(db: sqlite3.Connection, study: str, driver: Driver) -> None:
    """Remove the lease if `driver` has it; inside the caller's transaction."""
    db.execute("delete from lease where study = ? and token = ?", (study, driver.token))


def _holder(db: sqlite3.Connection, study: str) -> Holder | None:
    row = db.execute(
        "select token, pid, birth, place, host, since, beat from lease where study = ?", (study,)
    ).fetchone()
    return Holder(*row) if row else None


def taken(study: str, holder: Holder) -> str:
    """What to say to one that finds the seat taken."""
    if (holder.pid, holder.place) == (os.getpid(), place()):
        return (
            f"Study {study!r} is driven by this very process (pid {holder.pid}) since "
            f"{holder.since}, through another open store. Close that one first."
        )
    return (
        f"Study {study!r} is driven by process {holder.pid} on {holder.host} since {holder.since}. "
        "To help with it, start a worker: assay worker, or assay.work in Python. To drive it instead, "
        f"wait until it ends, or end it there (kill {holder.pid}), and try again. Looking at the "
        "study is possible at any time."
    )


def lives(holder: Holder, *, silent_s: float = _SILENT_S) -> bool:
    """Whether a holder can still be at work.

    A process of this machine can be looked up. One elsewhere is believed dead when it was silent
    for a minute, or for `silent_s`.
    """
    if holder.place != place():
        return abs(time.time() - holder.beat) < silent_s
    if holder.pid == os.getpid() and holder.birth == (birth(os.getpid()) or ""):
        return any(driver.token == holder.token for driver in _drivers)
    born = birth(holder.pid)
    return born is not None and born == holder.birth


def birth(pid: int) -> str | None:
    """When a process was born, in the system's own units; None when it does not live.

    Numbers of processes are used again; a number with a time of birth is not.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return _birth_elsewhere(pid) if not Path("/proc/self/stat").exists() else None
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else fields[_BORN - 1]


def _birth_elsewhere(pid: int) -> str | None:
    """The same where there is no /proc."""
    import psutil

    try:
        return str(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


@cache
def place() -> str:
    """Within what the number of a process means something: this boot, this container.

    The host's name would not do: containers may share one, and each counts processes anew.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()
