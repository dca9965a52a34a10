"""Trials on a Ray cluster, each in a child process of ours inside a Ray actor.

An actor is one place: it keeps its child warm, and Ray never starts it a second time. The driver always
has one call out to each actor that waits for reports, so that they come as soon as they are made.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from assay.core.errors import StateError
from assay.core.jobs import Evaluate
from assay.executors.ray_local import demand_token, local_ray
from assay.executors.remote import carry_out, forget
from assay.executors.remote_driver import Lost, RemoteExecutor, by_carrier, no_code, not_installed

_LOOK_EVERY_S = 1.0
_STOP_S = 1.0
_FORGET_S = 5.0
_TOGETHER_S = 0.001


def ray_executor(
    evaluate: Evaluate,
    address: str,
    *,
    workers: int = 1,
    slots: int | None = None,
    cpus: int | None = None,
    gpus: float | None = None,
    memory_mb: float | None = None,
) -> RemoteExecutor:
    """Runs jobs on a Ray cluster.

    Args:
        evaluate: as for `LocalExecutor`.
        address: "auto" for the cluster that this machine belongs to; "ray://host:10001" for one that
            is reached through Ray's client server; "local" starts one of `workers` CPUs on this
            machine, which nobody can reach from elsewhere, and ends it at close.
        workers: size of the local cluster.
        slots: most jobs at once; None for as many as fit the cluster.
        cpus, gpus: of each job, as Ray counts them; None: 1 CPU, and no GPU.
        memory_mb: as for `LocalExecutor`.

    Raises:
        SpecError: Ray is not installed, or `evaluate` cannot be sent.
        StateError: there is no cluster, or it does not start.
    """
    needs = {"CPU": float(cpus or 1), **({"GPU": float(gpus)} if gpus else {})}
    local = workers * (cpus or 1) if address == "local" else None

    def carrier(parcel: bytes, session: str) -> RayCarrier:
        return RayCarrier(address, parcel, session, needs=needs, slots=slots, cpus_here=local)

    return by_carrier(evaluate, carrier, memory_mb=memory_mb, threads=cpus or 1)


class Place:
    """An actor: runs the jobs of one session, one after the other."""

    def __init__(self, parcel: bytes, session: str) -> None:
        self._parcel, self._session = parcel, session
        self._reports: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._stopped: set[int] = set()

    def run(self, job: int, order: bytes) -> None:
        carry_out(order, self._parcel, self._reports.put, lambda: job in self._stopped)

    def hear(self) -> list[bytes]:
        """What there is to report, as soon as there is something."""
        reports = [self._reports.get()]
        with suppress(queue.Empty):
            while True:
                reports.append(self._reports.get(timeout=_TOGETHER_S))
        return reports

    def stop(self, job: int) -> None:
        self._stopped.add(job)

    def end(self) -> None:
        forget(self._session)


@dataclass(eq=False)
class _Actor:
    """A place: the call that waits for its reports, and the job that it has."""

    handle: Any
    hearing: Any
    job: int | None = None
    run: Any = None
    stopped: bool = False


class RayCarrier:
    """Takes jobs to actors of one Ray cluster, which it makes as they are needed."""

    patience_s = 300.0

    def __init__(
        self,
        address: str,
        parcel: bytes,
        session: str,
        *,
        needs: dict[str, float],
        slots: int | None,
        cpus_here: int | None,
    ) -> None:
        if cpus_here is not None:
            demand_token()
        self._ray = _ray()
        self._session, self._needs, self._most = session, needs, slots
        self._actors: list[_Actor] = []
        self._lost: list[Lost] = []
        self._there = 0
        self._look_due = 0.0
        self._leave = _joined(self._ray, address, cpus_here)
        self._closed = False
        try:
            self._parcel = self._ray.put(parcel)
        except BaseException:
            self._leave()
            raise

    @property
    def slots(self) -> int:
        """As many jobs as fit the nodes that are there; at most what was asked for."""
        if not self._closed and time.monotonic() >= self._look_due:
            self._look_due = time.monotonic() + _LOOK_EVERY_S
            nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
            self._there = sum(_room(node, self._needs) for node in nodes)
        return self._there if self._most is None else min(self._there, self._most)

    def start(self, job: int, order: bytes) -> None:
        """Give a job to an idle actor, or to a new one."""
        actor = next((a for a in self._actors if a.job is None), None) or self._new_actor()
        actor.job, actor.stopped = job, False
        actor.run = actor.handle.run.options(concurrency_group="work").remote(job, order)

    def hear(self, timeout_s: float) -> Sequence[bytes | Lost]:
        """Reports that arrived, and jobs whose actor died."""
        lost: list[bytes | Lost] = list(self._lost)
        self._lost = []
        waits = {actor.hearing: actor for actor in self._actors}
        if not waits:
            time.sleep(0.0 if lost else timeout_s)
            return lost
        patience = 0.0 if lost else timeout_s
        ready, _ = self._ray.wait(list(waits), num_returns=1, timeout=patience)
        if ready and len(waits) > 1:
            ready, _ = self._ray.wait(list(waits), num_returns=len(waits), timeout=0)
        return lost + [item for ref in ready for item in self._heard(waits[ref])]

    def stop(self, job: int) -> None:
        """Ask the actor to kill the job."""
        for actor in self._actors:
            if actor.job == job:
                actor.stopped = True
                actor.handle.stop.options(concurrency_group="stop").remote(job)

    def ended(self, job: int) -> None:
        """The actor is free again; one that does not let go of a stopped job is killed."""
        for actor in [a for a in self._actors if a.job == job]:
            actor.job = None
            if actor.stopped and not self._ray.wait([actor.run], timeout=_STOP_S)[0]:
                self._drop(actor)
            actor.run = None

    def close(self) -> None:
        """End what runs in the actors, then the actors, and leave the cluster."""
        if self._closed:
            return
        self._closed = True
        try:
            with suppress(Exception):  # an actor may be dead, and was never there if it had no room
                ends = [
                    a.handle.end.options(concurrency_group="stop").remote() for a in self._actors
                ]
                self._ray.wait(ends, num_returns=len(ends), timeout=_FORGET_S)
            for actor in list(self._actors):
                self._drop(actor)
            del self._parcel
        finally:
            self._leave()

    def _new_actor(self) -> _Actor:
        make = self._ray.remote(
            num_cpus=self._needs["CPU"],
            num_gpus=self._needs.get("GPU", 0),
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={"work": 1, "hear": 1, "stop": 1},
        )(Place)
        handle = make.remote(self._parcel, self._session)
        actor = _Actor(handle, _hearing(handle))
        self._actors.append(actor)
        return actor

    def _heard(self, actor: _Actor) -> list[bytes | Lost]:
        try:
            reports: list[bytes | Lost] = self._ray.get(actor.hearing)
        except self._ray.exceptions.RayActorError as error:
            self._drop(actor)
            if self._broken_code(error):
                raise no_code("Ray", error) from error
            return (
                [Lost(actor.job, f"The Ray actor died: {error}")] if actor.job is not None else []
            )
        except self._ray.exceptions.RayError as error:
            raise no_code("Ray", error) from error
        actor.hearing = _hearing(actor.handle)
        return reports

    def _broken_code(self, error: Exception) -> bool:
        """Did the actor fail in its beginning, as it does where Assay cannot be imported?"""
        return "creation task" in str(error)

    def _drop(self, actor: _Actor) -> None:
        self._actors.remove(actor)
        with suppress(Exception):  # it may be dead
            self._ray.kill(actor.handle)


def _hearing(handle: Any) -> Any:
    return handle.hear.options(concurrency_group="hear").remote()


def _room(node: dict[str, float], needs: dict[str, float]) -> int:
    return min(int(node.get(name, 0.0) / need + 1e-9) for name, need in needs.items())


def _joined(ray: Any, address: str, cpus_here: int | None) -> Any:
    """Join a cluster; the function that leaves it."""
    if cpus_here is not None:
        return local_ray(ray, cpus_here)
    if ray.is_initialized():
        return lambda: None  # the user's own connection
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except Exception as error:  # what Ray raises here has no common class
        raise StateError(
            f"No Ray cluster answers at {address!r} ({type(error).__name__}: {error}). Start one with"
            " `ray start --head`, or use ray://local for one here."
        ) from error
    return ray.shutdown


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise not_installed("Ray", "ray") from error
    return ray
