"""The driver's side of jobs that run elsewhere: which are under way, and what they said."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self
from uuid import uuid4

import msgspec

from assay.core.errors import SpecError, StateError
from assay.core.jobs import Broken, Done, Evaluate, Job, Message
from assay.executors.handle import job_frame
from assay.executors.remote import Begun, Order, Report, Unfit, parcel_of, versions

_GRACE_S = 5.0


class Lost(NamedTuple):
    """A job of which nothing more will be heard."""

    job: int
    reason: str


class Carrier(Protocol):
    """Brings orders to the places of an engine, and reports back.

    It starts a job once. If the engine starts it again all the same, the second start is told apart
    by its reports.
    """

    patience_s: float
    """How long there may be no place at all before the study is stopped."""

    @property
    def slots(self) -> int:
        """How many jobs run at once on the places that are there now."""
        ...

    def start(self, job: int, order: bytes) -> None: ...

    def hear(self, timeout_s: float) -> Sequence[bytes | Lost]:
        """Reports, and jobs that were lost, as soon as there are any; in the order of each place."""
        ...

    def stop(self, job: int) -> None:
        """Have a job killed; its report says when that is done."""
        ...

    def ended(self, job: int) -> None:
        """Nothing more is expected of a job."""
        ...

    def close(self) -> None:
        """Kill what runs, and leave nothing behind."""
        ...


@dataclass
class _Running:
    """A job that was sent; `start` is the one that counts, `doomed` when its end is taken as given."""

    job: Job
    start: str | None = None
    doomed: float | None = None


class RemoteExecutor:
    """Runs jobs at the places of a carrier, each in a child process of ours.

    A job counts once, however often an engine starts it: only its first start is listened to.
    A place that dies ends its job as `Broken(kind="lost")`, and the study decides what then.

    Args:
        carrier: of Dask, Ray or Slurm.
        session: a name that no other executor has.
        memory_mb, threads: as for `LocalExecutor`, for each job.
    """

    def __init__(
        self,
        carrier: Carrier,
        *,
        session: str | None = None,
        memory_mb: float | None = None,
        threads: int | None = None,
    ) -> None:
        self._carrier = carrier
        self._session = session or uuid4().hex
        self._memory_mb, self._threads = memory_mb, threads
        self._running: dict[int, _Running] = {}
        self._inbox: list[tuple[int, Message]] = []
        self._decode = msgspec.msgpack.Decoder(Report).decode
        self._deserted: float | None = None
        self._closed = False
        self._promised = 0
        self.refused = 0
        """Starts that did not count: another start of the same job came first, or its end."""

    @property
    def free(self) -> int:
        """How many jobs can be submitted now; changes as places come and go.

        Whoever was told that there is room may submit: if the place has gone since, its job is lost.
        """
        self._promised = 0 if self._closed else self._carrier.slots
        return max(0, self._promised - len(self._running))

    def submit(self, job: Job) -> None:
        """Send a job; a time limit counts from when its process is ready.

        Raises:
            StateError: no place is free, or the executor is closed.
            SpecError: the config cannot be sent.
        """
        if len(self._running) >= self._promised and not self.free:
            why = "is closed" if self._closed else f"has {len(self._running)} jobs and no more room"
            raise StateError(f"Job {job.id} was submitted to an executor that {why}.")
        job_frame(job)
        order = Order(
            session=self._session,
            job=job,
            memory_mb=self._memory_mb,
            threads=self._threads,
            versions=versions(),
        )
        self._running[job.id] = _Running(job)
        self._carrier.start(job.id, msgspec.msgpack.encode(order))

    def poll(self, timeout_s: float) -> list[tuple[int, Message]]:
        """Messages by job id, in order, as soon as there are any; [] after `timeout_s` without.

        Every job ends with exactly one Done or Broken. With no job under way it returns at once,
        unless there is no place for one either.

        Raises:
            SpecError: the objective cannot run at the places.
            StateError: there was no place for too long.
        """
        until = time.monotonic() + timeout_s
        while not self._closed:
            waiting = bool(self._running) or not self._carrier.slots
            at_once = bool(self._inbox) or not waiting
            due = min([until, *self._doom()])
            self._attend(0.0 if at_once else max(0.0, due - time.monotonic()))
            if self._inbox or not waiting or time.monotonic() >= until:
                break
        messages, self._inbox = self._inbox, []
        return messages

    def cancel(self, job_id: int) -> None:
        """Have a running job killed; `poll` then gives its Broken. Does nothing if it has ended."""
        self._attend(0.0)
        running = self._running.get(job_id)
        if running is None or running.doomed is not None:
            return
        running.doomed = time.monotonic() + _GRACE_S
        self._carrier.stop(job_id)
        if running.start is None:
            self._end(job_id, _cancelled("The job was cancelled before it began."))

    def close(self) -> None:
        """Kill what still runs and let go of everything; again is harmless."""
        if self._closed:
            return
        self._closed = True
        self._promised = 0
        self._running.clear()
        self._inbox.clear()
        self._carrier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _doom(self) -> list[float]:
        return [running.doomed for running in self._running.values() if running.doomed is not None]

    def _attend(self, timeout_s: float) -> None:
        for item in self._carrier.hear(timeout_s):
            if isinstance(item, Lost):
                self._lose(item)
            else:
                self._hear(self._decode(item))
        now = time.monotonic()
        for number, running in list(self._running.items()):
            if running.doomed is not None and now >= running.doomed:
                reason = f"The job was cancelled; its place did not confirm it in {_GRACE_S:g} s."
                self._end(number, _cancelled(reason))
        self._check_deserted(now)

    def _hear(self, report: Report) -> None:
        running = self._running.get(report.job)
        if running is not None and running.start is None:
            running.start = report.start
        if running is None or running.start != report.start:
            self.refused += isinstance(report.news[0], Begun)
            return
        for news in report.news:
            if isinstance(news, Unfit):
                raise SpecError(news.reason)
            if isinstance(news, Done | Broken):
                self._end(report.job, news)
                return
            if not isinstance(news, Begun):
                self._inbox.append((report.job, news))

    def _lose(self, lost: Lost) -> None:
        running = self._running.get(lost.job)
        if running is not None:
            ended = Broken(kind="lost", reason=lost.reason)
            self._end(lost.job, ended if running.doomed is None else _cancelled(lost.reason))

    def _end(self, number: int, message: Done | Broken) -> None:
        del self._running[number]
        self._inbox.append((number, message))
        self._carrier.ended(number)

    def _check_deserted(self, now: float) -> None:
        if self._carrier.slots:
            self._deserted = None
            return
        self._deserted = self._deserted or now
        if now - self._deserted > self._carrier.patience_s:
            raise StateError(
                f"There has been no worker to run trials for {self._carrier.patience_s:g} s. Start"
                " some, and go on with the same study: nothing is lost."
            )


def by_carrier(
    evaluate: Evaluate,
    carrier: Callable[[bytes, str], Carrier],
    *,
    memory_mb: float | None,
    threads: int,
) -> RemoteExecutor:
    """An executor by the carrier that is made for an objective, packed, and the name of a session.

    Raises:
        SpecError: `evaluate` cannot be sent.
    """
    parcel, session = parcel_of(evaluate), uuid4().hex
    return RemoteExecutor(
        carrier(parcel, session), session=session, memory_mb=memory_mb, threads=threads
    )


def not_installed(engine: str, scheme: str) -> SpecError:
    """The error for an extra that is missing."""
    return SpecError(
        f"{engine} is not installed, and executor={scheme}://… needs it: pip install"
        f" 'assay[{scheme}]'"
    )


def no_code(engine: str, error: BaseException) -> SpecError:
    """The error for workers that do not have what our code needs."""
    return SpecError(
        f"{engine} cannot run our code at its workers: {type(error).__name__}: {error}. Install the"
        " same version of Assay there as here."
    )


def _cancelled(reason: str) -> Broken:
    return Broken(kind="cancelled", reason=reason)
