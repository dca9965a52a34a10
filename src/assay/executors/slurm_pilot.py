"""What a Slurm job runs: a pilot, which does one job of ours after the other.

Driver and pilot share a folder, and speak through files that only grow:

    session/
        parcel                  the objective
        driver                  touched while the driver lives
        pilots/TICKET.START/    one for each start of a pilot; Slurm may start a job twice
            orders              frames for the pilot
            reports             frames for the driver
            beat                touched while the pilot lives

Files are opened anew for each look, which is when a network file system shows what others wrote. No
clocks are compared: a file that has not changed for so long by one's own clock is one that is silent.
"""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import msgspec
from msgspec import Struct

from assay.executors.frames import Frames, framed
from assay.executors.remote import carry_out, forget

_LOOK_S = 0.1
_BEAT_S = 1.0


class Run(Struct, frozen=True, tag="run"):
    """Do this job."""

    job: int
    order: bytes


class Stop(Struct, frozen=True, tag="stop"):
    """Kill this job."""

    job: int


class End(Struct, frozen=True, tag="end"):
    """That was all."""


Errand: TypeAlias = Run | Stop | End


def pilot(folder: str, session: str, ticket: str, silent_s: float) -> None:
    """Do what the driver asks for, until it says that is all, or falls silent."""
    crew = Path(folder) / "pilots"
    name = f"{ticket}.{uuid4().hex}"
    hidden = crew / f".{name}"
    hidden.mkdir()
    for file in ("orders", "reports", "beat"):
        (hidden / file).touch()
    hidden.rename(crew / name)
    try:
        _Pilot(Path(folder), crew / name, silent_s).work()
    finally:
        forget(session)


class Growing:
    """A file that somebody else appends frames to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._frames = Frames()

    def new(self) -> list[bytes]:
        """The frames that were completed since the last look."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return []
        self._read += len(data)
        return self._frames.feed(data)


class Pulse:
    """Somebody else touches a file as long as he lives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: tuple[int, int] | None = None
        self._seen = time.monotonic()

    def silent_s(self) -> float:
        """Seconds since it was last seen to change."""
        try:
            facts = self._path.stat()
            now = (facts.st_mtime_ns, facts.st_size)
        except FileNotFoundError:
            now = (0, -1)
        if now != self._last:
            self._last, self._seen = now, time.monotonic()
        return time.monotonic() - self._seen


def append(path: Path, frame: bytes) -> None:
    """Add a message to a growing file."""
    with path.open("ab") as file:
        file.write(framed(frame))


def beat(path: Path) -> None:
    """Show that this process lives; the size changes too, for file systems with coarse times."""
    size = path.stat().st_size if path.exists() else 0
    with path.open("wb") as file:
        file.write(b"." * (1 - size))


class _Pilot:
    def __init__(self, folder: Path, own: Path, silent_s: float) -> None:
        self._parcel = (folder / "parcel").read_bytes()
        self._own = own
        self._orders = Growing(own / "orders")
        self._driver = Pulse(folder / "driver")
        self._silent_s = silent_s
        self._decode = msgspec.msgpack.Decoder(Errand).decode
        self._runs: deque[Run] = deque()
        self._stopped: set[int] = set()
        self._over = False
        self._look_due = self._beat_due = 0.0

    def work(self) -> None:
        while not self._look():
            if not self._runs:
                time.sleep(_LOOK_S)
                continue
            run = self._runs.popleft()
            carry_out(
                run.order,
                self._parcel,
                lambda report: append(self._own / "reports", report),
                lambda run=run: self._look() or run.job in self._stopped,  # type: ignore[misc]
            )

    def _look(self) -> bool:
        """Take new errands and show a sign of life; true when there is nothing more to do."""
        now = time.monotonic()
        if now < self._look_due:
            return self._over
        self._look_due = now + _LOOK_S / 2
        for frame in self._orders.new():
            match self._decode(frame):
                case Run() as run:
                    self._runs.append(run)
                case Stop(job):
                    self._stopped.add(job)
                case End():
                    self._over = True
        if now >= self._beat_due:
            self._beat_due = now + _BEAT_S
            beat(self._own / "beat")
            self._over |= self._driver.silent_s() > self._silent_s
        self._over |= not os.path.exists(self._own)
        return self._over
