"""Simulated workers: an executor with a clock of its own, in which no time passes but virtual time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from assay.core.errors import StateError
from assay.core.jobs import Broken, BrokenKind, Done, Job, Message, Step
from assay.core.rng import stream

if TYPE_CHECKING:
    from numpy.random import Generator

Duration: TypeAlias = Callable[[Job, "Generator"], float]
"""How many seconds a job takes."""


def constant(seconds: float = 1.0) -> Duration:
    """Every job takes as long."""
    return log_normal(seconds, 0.0)


def log_normal(mean: float = 1.0, sigma: float = 0.5) -> Duration:
    """Log-normal durations with this mean; `sigma` is the standard deviation of the logarithm.

    >>> log_normal(2.0, 0.0)(Job(id=0, trial=0, stage="search", config={}), stream(0))
    2.0
    """

    def duration(job: Job, rng: Generator) -> float:
        return _drawn(mean, sigma, rng)

    return duration


def by_config(
    mean: Callable[[dict[str, Any]], float], sigma: Callable[[dict[str, Any]], float]
) -> Duration:
    """Log-normal durations whose mean and spread depend on the config."""

    def duration(job: Job, rng: Generator) -> float:
        return _drawn(mean(job.config), sigma(job.config), rng)

    return duration


def per_step(seconds: float = 1.0, sigma: float = 0.0) -> Duration:
    """Log-normal durations whose mean is that of so many steps of the fidelity as the job goes.

    >>> per_step(2.0)(Job(id=0, trial=0, stage="search", config={}, since=3, until=9), stream(0))
    12.0
    """

    def duration(job: Job, rng: Generator) -> float:
        steps = 1 if job.until is None else job.until - job.since
        return _drawn(seconds * steps, sigma, rng)

    return duration


def _drawn(mean: float, sigma: float, rng: Generator) -> float:
    return mean * math.exp(sigma * rng.standard_normal() - sigma**2 / 2) if sigma else mean


@dataclass(frozen=True)
class Crew:
    """Workers, how long their jobs take, and what goes wrong.

    Args:
        workers: how many there are at the start.
        duration: of a job in virtual seconds; see `constant`, `log_normal` and `by_config`.
        fails: share of the jobs whose objective raises.
        crashes: share of the jobs whose process dies; a study may run them again.
        lost: share of the jobs whose worker is lost with them.
        away_s: how long a lost worker stays away; by default it never comes back.
        straggles: share of the jobs that take `slow` times as long.
        shifts: (second, change): workers that join (+) or leave (-) at a time. One that leaves in
            the middle of a job is lost to the study with it; idle ones leave first.
        seed: of all that is drawn.

    >>> Crew(1000, duration=log_normal(60, 1.0), fails=0.1, shifts=[(3600, -500)]).workers
    1000
    """

    workers: int = 4
    duration: Duration = field(default_factory=constant)
    fails: float = 0.0
    crashes: float = 0.0
    lost: float = 0.0
    away_s: float = math.inf
    straggles: float = 0.0
    slow: float = 10.0
    shifts: Sequence[tuple[float, int]] = ()
    seed: int = 0


class SimulatedWorkers:
    """An executor over a crew. `poll` goes to the next moment at which something is heard.

    Attributes:
        now: the virtual time in seconds.
        busy_s: worker seconds that went into jobs so far, those of failed and lost jobs too.
        present_s: worker seconds that were there to be used.
    """

    def __init__(self, objective: Callable[[Job], Any], crew: Crew) -> None:
        self._objective, self._crew = objective, crew
        self._present = crew.workers
        self._jobs: dict[int, float] = {}  # the jobs under way, and when each began
        self._agenda: list[tuple[float, int, int | None, Any]] = []  # (time, order, job, what)
        self._order = count()
        self.now = self.busy_s = self.present_s = 0.0
        for time, change in crew.shifts:
            self._expect(time, None, change)

    def _expect(self, time: float, job: int | None, what: Message | int) -> None:
        heapq.heappush(self._agenda, (time, next(self._order), job, what))

    @property
    def free(self) -> int:
        return max(self._present - len(self._jobs), 0)

    def submit(self, job: Job) -> None:
        crew, rng = self._crew, stream(self._crew.seed, "job", job.id)
        seconds = crew.duration(job, rng) * (crew.slow if rng.random() < crew.straggles else 1.0)
        self._jobs[job.id] = self.now
        kind, lived = self._fate(rng.random()), seconds * rng.random()
        if kind is not None:
            self._expect_end(job, kind, "as simulated", lived)
            return
        try:
            result = self._objective(job)
        except Exception as error:
            self._expect_end(job, "raised", f"{type(error).__name__}: {error}", lived)
            return
        self._expect_all(job, result, seconds)

    def _expect_end(self, job: Job, kind: BrokenKind, reason: str, lived: float) -> None:
        broken = Broken(kind=kind, reason=reason, cpu_s=lived, wall_s=lived)
        self._expect(self.now + lived, job.id, broken)

    def _fate(self, drawn: float) -> BrokenKind | None:
        shares: dict[BrokenKind, float] = {
            "raised": self._crew.fails,
            "crashed": self._crew.crashes,
            "lost": self._crew.lost,
        }
        for kind, share in shares.items():
            if drawn < share:
                return kind
            drawn -= share
        return None

    def _expect_all(self, job: Job, result: Any, seconds: float) -> None:
        """The steps of a job, evenly spread, and its end. The last number of a list is its value."""
        numbers = result if isinstance(result, Sequence) else ()
        for place, value in enumerate(numbers, 1):
            at = self.now + seconds * (place / len(numbers))  # the last not after the end
            told = dict(value) if isinstance(value, Mapping) else float(value)
            self._expect(at, job.id, Step(step=job.since + place, value=told))
        end = numbers[-1] if numbers else result
        named = dict(end) if isinstance(end, Mapping) else {"value": float(end)}
        done = Done(values=named, cpu_s=seconds, wall_s=seconds)
        self._expect(self.now + seconds, job.id, done)

    def poll(self, timeout_s: float) -> list[tuple[int, Message]]:
        """What is heard at the next moment; it comes at once, however far away it is.

        With no time to wait, what is heard now.

        Raises:
            StateError: nothing is under way and nobody will come.
        """
        if timeout_s <= 0:
            return self._heard()
        if not self._agenda:
            raise StateError(
                f"Nothing more can happen at virtual second {self.now:g}: no job is under way and "
                f"{self._present} workers are left. Let workers come back (away_s, shifts)."
            )
        self._advance(self._agenda[0][0])
        return self._heard()

    def _heard(self) -> list[tuple[int, Message]]:
        heard: list[tuple[int, Message]] = []
        while self._agenda and self._agenda[0][0] <= self.now:
            _, _, job, what = heapq.heappop(self._agenda)
            if job is None:
                heard += self._change(what)
            elif job in self._jobs:  # else it was cancelled, or its worker left
                heard.append((job, what))
                self._account(job, what)
        return heard

    def _advance(self, time: float) -> None:
        passed = max(time - self.now, 0.0)
        self.busy_s += len(self._jobs) * passed
        self.present_s += max(self._present, len(self._jobs)) * passed
        self.now += passed

    def _account(self, job: int, message: Message) -> None:
        if isinstance(message, Done | Broken):
            del self._jobs[job]
        if isinstance(message, Broken) and message.kind == "lost":
            self._present -= 1
            if self._crew.away_s < math.inf:
                self._expect(self.now + self._crew.away_s, None, 1)

    def _change(self, change: int) -> list[tuple[int, Message]]:
        self._present = max(self._present + change, 0)
        leaving = list(self._jobs)[self._present :]
        heard: list[tuple[int, Message]] = [
            (job, self._broken(job, "lost", "its worker left")) for job in leaving
        ]
        for job in leaving:
            del self._jobs[job]
        return heard

    def _broken(self, job: int, kind: BrokenKind, reason: str) -> Broken:
        lived = self.now - self._jobs[job]
        return Broken(kind=kind, reason=reason, cpu_s=lived, wall_s=lived)

    def cancel(self, job_id: int) -> None:
        """End a job; the next `poll` says so."""
        if job_id in self._jobs:
            self._expect(self.now, job_id, self._broken(job_id, "cancelled", "it was cancelled"))

    def close(self) -> None:
        """Nothing to let go of."""
