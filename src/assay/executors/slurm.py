"""Trials in Slurm jobs, which submitit submits: each Slurm job is a pilot that does many of ours.

So a trial does not wait in Slurm's queue, and its child stays warm. Pilots that end, because their
time is over or their node failed, are replaced by new ones as long as the study goes on.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from assay.core.errors import SpecError, StateError
from assay.core.jobs import Evaluate
from assay.executors.remote_driver import Lost, RemoteExecutor, by_carrier, not_installed
from assay.executors.slurm_pilot import End, Errand, Growing, Pulse, Run, Stop, append, beat, pilot

SILENT_S = 60.0
_LOOK_S = 0.02
_CREW_S = 1.0
_END_S = 10.0
_STILLBORN = 3


def slurm_executor(
    evaluate: Evaluate,
    *,
    folder: str = "assay-slurm",
    workers: int = 1,
    settings: Mapping[str, Any] | None = None,
    cluster: str = "slurm",
    silent_s: float = SILENT_S,
    threads: int | None = None,
    memory_mb: float | None = None,
) -> RemoteExecutor:
    """Runs jobs in Slurm jobs.

    Args:
        evaluate: as for `LocalExecutor`.
        folder: a folder that this machine and the nodes of the cluster share; what is written there
            is removed at the end, but for submitit's own logs.
        workers: pilots, each a Slurm job that runs one job of ours at a time.
        settings: for submitit, such as {"slurm_partition": "short", "timeout_min": 60}.
        cluster: "slurm", or "local" for pilots on this machine without Slurm.
        silent_s: a pilot or driver of which nothing is seen for so long is taken for dead.
        threads, memory_mb: as for `LocalExecutor`; threads are also asked of Slurm.

    Raises:
        SpecError: submitit or Slurm is not there, a setting is unknown, or `evaluate` cannot be sent.
    """
    asked = {"name": "assay", "cpus_per_task": threads or 1, **(settings or {})}
    starter = _starter(folder, cluster, asked)

    def carrier(parcel: bytes, session: str) -> SlurmCarrier:
        return SlurmCarrier(
            starter, Path(folder), parcel, session, pilots=workers, silent_s=silent_s
        )

    return by_carrier(evaluate, carrier, memory_mb=memory_mb, threads=threads or 1)


@dataclass(eq=False)
class _Pilot:
    """A start of a pilot, known by its folder."""

    ticket: str
    folder: Path
    reports: Growing
    pulse: Pulse
    job: int | None = None

    def tell(self, errand: Errand) -> None:
        with suppress(FileNotFoundError):
            append(self.folder / "orders", msgspec.msgpack.encode(errand))


class SlurmCarrier:
    """Takes jobs to pilots through a shared folder."""

    patience_s = float("inf")  # Slurm's queue may take days

    def __init__(
        self,
        starter: Any,
        folder: Path,
        parcel: bytes,
        session: str,
        *,
        pilots: int,
        silent_s: float,
    ) -> None:
        self._starter, self._session, self._wanted = starter, session, pilots
        self._silent_s = silent_s
        self._folder = folder.resolve() / f"assay-{session}"
        (self._folder / "pilots").mkdir(parents=True)
        self._folder.chmod(0o700)
        (self._folder / "parcel").write_bytes(parcel)
        self._submitted: dict[str, Any] = {}
        self._pilots: dict[str, _Pilot] = {}
        self._known: set[str] = set()
        self._stillborn = 0
        self._beat_due = self._crew_due = 0.0
        self._closed = False
        self._lost: list[Lost] = []
        self._look_at_crew()

    @property
    def slots(self) -> int:
        """Pilots that work now."""
        return 0 if self._closed else len(self._pilots)

    def start(self, job: int, order: bytes) -> None:
        """Give a job to an idle pilot; pilots do not wait for others' jobs."""
        idle = next((p for p in self._pilots.values() if p.job is None), None)
        if idle is None:  # a pilot died since its slot was counted
            self._lost.append(Lost(job, "The Slurm job that was to run it ended."))
            return
        idle.job = job
        idle.tell(Run(job, order))

    def hear(self, timeout_s: float) -> Sequence[bytes | Lost]:
        """Reports that arrived, and jobs whose pilot is gone."""
        until = time.monotonic() + timeout_s
        while True:
            self._look_at_crew()
            news: list[bytes | Lost] = [r for p in self._pilots.values() for r in p.reports.new()]
            lost, self._lost = self._lost, []
            news += lost
            if news or time.monotonic() >= until:
                return news
            time.sleep(min(_LOOK_S, max(0.0, until - time.monotonic())))

    def stop(self, job: int) -> None:
        """Have its pilot kill the job."""
        for one in self._pilots.values():
            if one.job == job:
                one.tell(Stop(job))

    def ended(self, job: int) -> None:
        """Its pilot is idle again."""
        for one in self._pilots.values():
            if one.job == job:
                one.job = None

    def close(self) -> None:
        """End the pilots and their jobs, cancel Slurm jobs that wait, and remove the files."""
        if self._closed:
            return
        self._closed = True
        for one in self._pilots.values():
            one.tell(End())
        self._wait_for([self._submitted[one.ticket] for one in self._pilots.values()])
        for job in self._submitted.values():
            with suppress(Exception):  # it has ended
                job.cancel(check=False)
        if self._starter.cluster == "local":  # they are our own children
            self._wait_for(list(self._submitted.values()))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait_for(self, jobs: Sequence[Any]) -> None:
        until = time.monotonic() + _END_S
        while not all(job.done() for job in jobs) and time.monotonic() < until:
            time.sleep(_LOOK_S)

    def _look_at_crew(self) -> None:
        """Show a sign of life; find pilots that came or went; keep as many as were asked for."""
        now = time.monotonic()
        if now < self._crew_due:
            return
        self._crew_due = now + _CREW_S
        beat(self._folder / "driver")
        for folder in sorted((self._folder / "pilots").glob("[!.]*")):
            if folder.name not in self._known:
                self._greet(folder)
        for ticket in [ticket for ticket, job in self._submitted.items() if job.done()]:
            self._bury(ticket, self._submitted.pop(ticket))
        for one in list(self._pilots.values()):
            if one.pulse.silent_s() > self._silent_s:
                one.tell(End())
                self._dismiss(one, f"Its Slurm job was silent for {self._silent_s:g} s.")
        while len(self._submitted) < self._wanted:
            self._submit()

    def _submit(self) -> None:
        ticket = uuid4().hex[:12]
        self._submitted[ticket] = self._starter.submit(
            pilot, str(self._folder), self._session, ticket, self._silent_s
        )

    def _greet(self, folder: Path) -> None:
        ticket = folder.name.partition(".")[0]
        self._known.add(folder.name)
        self._stillborn = 0
        if before := self._pilots.get(ticket):
            self._dismiss(before, "Slurm started its job again.")
        reports, pulse = Growing(folder / "reports"), Pulse(folder / "beat")
        self._pilots[ticket] = _Pilot(ticket, folder, reports, pulse)

    def _bury(self, ticket: str, job: Any) -> None:
        """A Slurm job is over: its time, its node, or it never came so far as to be a pilot."""
        if one := self._pilots.get(ticket):
            self._dismiss(one, f"Its Slurm job {job.job_id} ended ({job.state}).")
            return
        self._stillborn += 1
        if self._stillborn >= _STILLBORN:
            said = ""
            with suppress(Exception):  # the log may not exist
                said = (job.stderr() or "")[-1500:]
            raise StateError(
                f"{_STILLBORN} Slurm jobs ended before they ran anything; the last is {job.job_id}"
                f" ({job.state}). It says: {said}"
            )

    def _dismiss(self, one: _Pilot, why: str) -> None:
        del self._pilots[one.ticket]
        if one.job is not None:
            self._lost.append(Lost(one.job, why))


def _starter(folder: str, cluster: str, settings: Mapping[str, Any]) -> Any:
    try:
        import submitit
    except ImportError as error:
        raise not_installed("submitit", "slurm") from error
    os.makedirs(folder, exist_ok=True)
    try:
        starter = submitit.AutoExecutor(folder=folder, cluster=cluster)
        starter.update_parameters(**settings)
    except Exception as error:  # submitit raises RuntimeError, NameError, ValueError, …
        raise SpecError(f"Slurm cannot be used here: {error}") from error
    return starter
