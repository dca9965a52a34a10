"""Trials on a Dask cluster, each in a child process of ours inside a Dask task.

Every job is pinned to one worker process, which the driver chooses: when that dies, Dask has nowhere
to run the task again, and the study decides what becomes of the trial. Reports travel as events of a
topic; large ones stay with the worker until the driver fetches them, since a scheduler keeps the last
thousand events.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from uuid import uuid4

from assay.core.errors import StateError
from assay.core.jobs import Evaluate
from assay.executors.dask_local import LocalCluster
from assay.executors.remote import carry_out, forget
from assay.executors.remote_driver import Lost, RemoteExecutor, by_carrier, no_code, not_installed

_LARGE = 4096
_CONNECT_S = 30.0
_GRACE_S = 5.0
_LOOK_EVERY_S = 1.0


def dask_executor(
    evaluate: Evaluate,
    address: str,
    *,
    workers: int = 1,
    slots: int | None = None,
    threads: int | None = None,
    memory_mb: float | None = None,
) -> RemoteExecutor:
    """Runs jobs on a Dask cluster.

    Args:
        evaluate: as for `LocalExecutor`.
        address: "tcp://host:8786" of a scheduler; "local" starts a cluster of `workers` on this
            machine, which nobody can reach from elsewhere, and ends it at close.
        workers: size of the local cluster.
        slots: most jobs at once; None for as many as the cluster has threads.
        threads: how many of a Dask worker's threads a job takes, and its libraries may use.
        memory_mb: as for `LocalExecutor`.

    Raises:
        SpecError: Dask is not installed, or `evaluate` cannot be sent.
        StateError: nobody answers there, or there is no worker.
    """

    def carrier(parcel: bytes, session: str) -> DaskCarrier:
        return DaskCarrier(
            address, parcel, session, workers=workers, slots=slots, threads=threads or 1
        )

    return by_carrier(evaluate, carrier, memory_mb=memory_mb, threads=threads or 1)


class _Place(NamedTuple):
    """A worker process: its address may be used again, its folder never is."""

    folder: str
    slots: int


class _Sent(NamedTuple):
    address: str
    folder: str
    future: Any


class _Settled(NamedTuple):
    """Dask says that the task of a job is over."""

    job: int


class DaskCarrier:
    """Takes jobs to the workers of one Dask scheduler."""

    patience_s = 300.0

    def __init__(
        self,
        address: str,
        parcel: bytes,
        session: str,
        *,
        workers: int,
        slots: int | None,
        threads: int,
    ) -> None:
        self._data, self._session, self._topic = parcel, session, f"assay-{session}"
        self._most, self._threads = slots, threads
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._sent: dict[int, _Sent] = {}
        self._stopped: set[int] = set()
        self._silent: dict[int, float] = {}
        self._there: dict[str, _Place] = {}
        self._unsent: list[Lost] = []
        self._parcel: Any = None
        self._look_due = 0.0
        _distributed()
        self._local = LocalCluster(workers) if address == "local" else None
        self._client: Any = None
        try:
            self._connect(self._local.address if self._local else address, workers)
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        """Threads of the workers that are there, by `threads` each; at most what was asked for."""
        self._look()
        there = sum(place.slots for place in self._there.values())
        return there if self._most is None else min(there, self._most)

    def start(self, job: int, order: bytes) -> None:
        """Send a job to the place with most room."""
        if not self._there:
            self._unsent.append(Lost(job, "The last Dask worker went away."))
            return
        try:
            self._keep_parcel()
        except Exception as error:  # the workers went away in the meantime; Dask raises many kinds
            self._unsent.append(Lost(job, f"The objective could not be brought to Dask: {error}"))
            return
        busy = [sent.folder for sent in self._sent.values()]
        address, place = max(
            self._there.items(), key=lambda item: item[1].slots - busy.count(item[1].folder)
        )
        future = self._client.submit(
            _task,
            order,
            self._parcel,
            self._topic,
            place.folder,
            key=f"assay-{uuid4().hex}",
            workers=[address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        self._sent[job] = _Sent(address, place.folder, future)
        future.add_done_callback(lambda _: self._arrived.put(_Settled(job)))

    def _keep_parcel(self) -> None:
        """Bring the objective there; again if its last holder died, since Dask cannot make it anew."""
        if self._parcel is None or self._parcel.status != "finished":
            self._parcel = self._client.scatter(self._data, hash=False, timeout=_GRACE_S)

    def hear(self, timeout_s: float) -> Sequence[bytes | Lost]:
        """Reports that arrived, and jobs whose worker is gone."""
        self._look()
        heard = [*self._unsent, *self._gone()]
        self._unsent.clear()
        patience = min([timeout_s, _LOOK_EVERY_S, *self._until_given_up()])
        with suppress(queue.Empty):
            item = self._arrived.get(timeout=0.0 if heard else max(0.0, patience))
            while True:
                heard += self._understood(item)
                item = self._arrived.get_nowait()
        return heard + self._given_up()

    def stop(self, job: int) -> None:
        """Cancel the task: its thread goes on, sees that, and kills the job."""
        if job in self._sent:
            self._stopped.add(job)
            self._sent[job].future.cancel()

    def ended(self, job: int) -> None:
        """Let Dask forget the task."""
        sent = self._sent.pop(job, None)
        self._stopped.discard(job)
        self._silent.pop(job, None)
        if sent is not None:
            sent.future.release()

    def close(self) -> None:
        """Cancel what runs, end our processes at all workers, and let the cluster go."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # the cluster may be gone
                client.cancel([sent.future for sent in self._sent.values()])
                client.run(_forget, self._session, on_error="ignore")
                client.unsubscribe_topic(self._topic)
            self._sent.clear()
            self._parcel = None
            client.close()
        if self._local is not None:
            self._local.close()

    def _connect(self, address: str, workers: int) -> None:
        client = _distributed().Client
        try:
            self._client = client(address, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise StateError(
                f"No Dask scheduler answers at {address} ({error}). Start one with `dask scheduler`"
                " and give its address, as in dask://host:8786; or dask://local for a cluster here."
            ) from error
        needed = workers if self._local else 1
        with suppress(TimeoutError):
            self._client.wait_for_workers(needed, timeout=_CONNECT_S)
        self._client.subscribe_topic(self._topic, lambda event: self._arrived.put(event[1]))
        if not self.slots:
            raise StateError(
                f"The Dask scheduler at {address} has no workers with {self._threads} threads. Start"
                f" some with `dask worker {address}`."
            )
        if self._local is not None:
            self._local.check_loopback(self._there)

    def _look(self) -> None:
        """See which workers are there, once a second.

        The scheduler's topic "all" would tell at once, but some of its events cannot be sent, and then
        it hangs up on the subscriber (distributed 2026.8).
        """
        if self._client is None or time.monotonic() < self._look_due:
            return
        try:
            workers = self._client.scheduler_info()["workers"]
        except OSError:
            workers = {}
        self._look_due = time.monotonic() + _LOOK_EVERY_S
        self._there = {
            address: _Place(facts["local_directory"], facts["nthreads"] // self._threads)
            for address, facts in workers.items()
        }

    def _gone(self) -> list[bytes | Lost]:
        folders = {place.folder for place in self._there.values()}
        return [
            Lost(job, f"The Dask worker {sent.address} went away while it had the job.")
            for job, sent in self._sent.items()
            if sent.folder not in folders
        ]

    def _understood(self, item: Any) -> list[bytes | Lost]:
        if isinstance(item, bytes):
            return [item]
        if isinstance(item, _Settled):
            return self._settled(item.job)
        return self._fetched(*item)

    def _settled(self, job: int) -> list[bytes | Lost]:
        """A task is over: usually its last report is here, or about to come."""
        sent = self._sent.get(job)
        if sent is None or job in self._stopped:
            return []
        if sent.future.status == "error":
            return [self._failed(job, sent.future.exception())]
        self._silent[job] = time.monotonic() + _GRACE_S
        return []

    def _failed(self, job: int, error: BaseException) -> Lost:
        if isinstance(error, _distributed().KilledWorker):
            return Lost(job, f"Dask gave the job up: {error}")
        raise no_code("Dask", error) from error

    def _until_given_up(self) -> list[float]:
        return [until - time.monotonic() for until in self._silent.values()]

    def _given_up(self) -> list[bytes | Lost]:
        now = time.monotonic()
        late = [job for job, until in self._silent.items() if now >= until]
        return [
            Lost(job, "Dask ended the job's task, and nothing was heard of it.") for job in late
        ]

    def _fetched(self, address: str, token: str) -> list[bytes | Lost]:
        """A report that was too large for an event."""
        got = self._client.run(_fetch, token, workers=[address], on_error="ignore")
        return [data for data in got.values() if data is not None]


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise not_installed("Dask", "dask") from error
    return distributed


def serve(workers: int) -> None:
    """The process of a `LocalCluster`: says where it is, and lives until its standard input closes."""
    cluster = _distributed().LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        memory_limit=0,
    )
    os.write(1, f"{cluster.scheduler_address}\n".encode())
    sys.stdin.buffer.read()
    with suppress(Exception):  # whoever started us is gone or in a hurry
        cluster.close(timeout=_GRACE_S)
    os._exit(0)


# --- what runs at the worker

_KEPT: dict[str, bytes] = {}


def _task(order: bytes, parcel: bytes, topic: str, folder: str) -> None:
    worker = _distributed().get_worker()
    if worker.local_directory != folder:
        return  # another process at the address of the one that this was meant for
    key = worker.get_current_task()

    def send(data: bytes) -> None:
        if len(data) <= _LARGE:
            worker.log_event(topic, data)
            return
        token = uuid4().hex
        _KEPT[token] = data
        worker.log_event(topic, [worker.address, token])

    def stopped() -> bool:
        # Dask never interrupts a thread; it marks the task, also when the client has died
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled" or worker.status.name not in _ALIVE

    carry_out(order, parcel, send, stopped)


_ALIVE = ("running", "paused", "closing_gracefully")


def _fetch(token: str) -> bytes | None:
    return _KEPT.pop(token, None)


async def _forget(session: str) -> None:
    await asyncio.to_thread(forget, session)
