"""What runs inside a task of Dask, Ray or Slurm: one job, in a child process of ours.

    driver ──── order ────► task of the engine ──── LocalExecutor(workers=1) ──► zygote ──► worker
      ▲                          │
      └──────── reports ─────────┘

So a time limit, a memory cap, a crash, a stop and the last lines printed are the same everywhere,
and none of them touches the engine's own process.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, cast
from uuid import uuid4

import msgspec
from msgspec import Struct

from assay import __version__
from assay.core.errors import SpecError
from assay.core.jobs import Broken, Done, Evaluate, Job, Message
from assay.executors.local import LocalExecutor
from assay.executors.parcel import packed

_TICK_S = 0.05
_IDLE_S = 60.0
_PATIENCE_S = 10.0


class Order(Struct, frozen=True, kw_only=True):
    """A job for a place elsewhere. A session is one executor; its parcel never changes."""

    session: str
    job: Job
    memory_mb: float | None
    threads: int | None
    versions: tuple[str, str]


class Begun(Struct, frozen=True, tag="begun"):
    """A job is about to start here; sent before anything else of this start."""

    host: str
    pid: int


class Unfit(Struct, frozen=True, tag="unfit"):
    """No job of this session can ever run here."""

    reason: str


News: TypeAlias = Begun | Unfit | Message


class Report(Struct, frozen=True):
    """What one start of a job has to tell. An engine may start a job again: then `start` differs."""

    job: int
    start: str
    news: list[News]


def versions() -> tuple[str, str]:
    """What driver and place must have in common: Python's minor version, and ours."""
    return f"{sys.version_info.major}.{sys.version_info.minor}", __version__


def parcel_of(evaluate: Evaluate) -> bytes:
    """`evaluate`, packed once for all places.

    Raises:
        SpecError: it cannot be pickled.
    """
    with packed(evaluate) as file:
        file.seek(0)
        return file.read()


def carry_out(
    data: bytes, parcel: bytes, send: Callable[[bytes], None], stopped: Callable[[], bool]
) -> None:
    """Run one job to its end.

    Args:
        data: an Order.
        parcel: what `parcel_of` made of the objective.
        send: takes a Report, in order; called as soon as there is news.
        stopped: looked at every 50 ms; once it is true the job is killed.
    """
    order = msgspec.msgpack.decode(data, type=Order)
    start = uuid4().hex

    def tell(*news: News) -> None:
        send(msgspec.msgpack.encode(Report(order.job.id, start, list(news))))

    if wrong := _differs(order.versions):
        tell(Unfit(wrong))
        return
    session = _session(order.session)
    tell(Begun(socket.gethostname(), os.getpid()))
    try:
        with session.executor(order, parcel) as executor:
            _run(executor, order.job, tell, lambda: stopped() or session.over.is_set())
    except SpecError as error:
        tell(Unfit(str(error)))


def forget(session: str) -> None:
    """Stop what runs here for a session and end its processes; back when they are gone."""
    with _LOCK:
        known = _SESSIONS.pop(session, None)
    if known is not None:
        known.end()


def _run(
    executor: LocalExecutor,
    job: Job,
    tell: Callable[..., None],
    stopped: Callable[[], bool],
) -> None:
    if stopped():
        tell(Broken(kind="cancelled", reason="The job was cancelled before it began."))
        return
    executor.submit(job)
    while True:
        news = [message for _, message in executor.poll(_TICK_S)]
        if news:
            tell(*news)
            if isinstance(news[-1], Done | Broken):
                return
        if stopped():
            executor.cancel(job.id)


class _Parcel:
    """Turns into what it holds when it is unpickled: the objective is loaded by the zygote only."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return pickle.loads, (self._data,)


class _Session:
    """The executors of a session in this process: a few that work, and some warm ones.

    One that is not needed for a minute is closed, since nobody tells a place that a driver died.
    """

    def __init__(self) -> None:
        self.over = threading.Event()
        self._warm: list[tuple[LocalExecutor, threading.Timer]] = []
        self._working = 0
        self._changed = threading.Condition()

    @contextmanager
    def executor(self, order: Order, parcel: bytes) -> Iterator[LocalExecutor]:
        """A warm one, or a new one; closed if what is done with it fails."""
        with self._changed:
            self._working += 1
            executor, timer = self._warm.pop() if self._warm else (None, None)
        if timer is not None:
            timer.cancel()
        try:
            executor = executor or _new(order, parcel)
            try:
                yield executor
            except BaseException:
                executor.close()
                raise
            self._keep(executor)
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    def _keep(self, executor: LocalExecutor) -> None:
        timer = threading.Timer(_IDLE_S, self._retire, [executor])
        timer.daemon = True
        with self._changed:
            self._warm.append((executor, timer))
        timer.start()

    def end(self) -> None:
        self.over.set()
        with self._changed:
            self._changed.wait_for(lambda: self._working == 0, _PATIENCE_S)
            warm, self._warm = self._warm, []
        for executor, timer in warm:
            timer.cancel()
            executor.close()

    def _retire(self, executor: LocalExecutor) -> None:
        with self._changed:
            before = len(self._warm)
            self._warm = [pair for pair in self._warm if pair[0] is not executor]
            mine = len(self._warm) < before
        if mine:
            executor.close()


def _new(order: Order, parcel: bytes) -> LocalExecutor:
    return LocalExecutor(
        cast(Evaluate, _Parcel(parcel)), memory_mb=order.memory_mb, threads_per_worker=order.threads
    )


_SESSIONS: dict[str, _Session] = {}
_LOCK = threading.Lock()


def _session(name: str) -> _Session:
    with _LOCK:
        return _SESSIONS.setdefault(name, _Session())


def _differs(wanted: tuple[str, str]) -> str:
    here = versions()
    if here == wanted:
        return ""
    return (
        f"Host {socket.gethostname()} has Python {here[0]} and Assay {here[1]}, but the driver has"
        f" Python {wanted[0]} and Assay {wanted[1]}. An objective that was packed by one cannot be"
        " relied on to run in the other. Install the same versions on both."
    )
