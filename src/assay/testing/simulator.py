"""A study at 1,000 workers in seconds: the real engine over simulated workers and a virtual clock.

For authors of samplers and schedulers. The loop, the plan, the ledger, the store and the sampler
are those of any study; only the workers are made up, and with them the time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from assay.api.parts import sampler_of, scheduler_of
from assay.core.errors import SpecError
from assay.core.events import Created, Event, Told
from assay.core.history import History
from assay.core.jobs import Job
from assay.core.protocols import Sampler, Scheduler, Store
from assay.core.spec import StudySpec
from assay.engine.ledger import Ledger
from assay.engine.plan import Command, Finish, plan
from assay.engine.run import Loop
from assay.stores.memory import MemoryStore
from assay.testing.simulator_workers import (
    Crew,
    Duration,
    SimulatedWorkers,
    by_config,
    constant,
    log_normal,
    per_step,
)

__all__ = [
    "Crew", "Duration", "SimulatedWorkers", "Simulation", "by_config", "constant", "log_normal",
    "per_step", "simulate",
]  # fmt: skip

STUDY = "simulated"


@dataclass(frozen=True)
class Simulation:
    """What a simulated study did.

    Attributes:
        finish: how it ended.
        history: everything in its log.
        spec: its plan.
        seconds: virtual time that it took.
        utilisation: share of the workers' time that went into jobs.
        ended_at: virtual seconds at which trials ended, in the order of `history.ended`; of those
            that ended in this sitting.
        events: how many events of each kind its log holds.
    """

    finish: Finish
    history: History
    spec: StudySpec
    seconds: float
    utilisation: float
    ended_at: tuple[float, ...]
    events: Counter[str]

    @property
    def quality(self) -> list[tuple[float, float]]:
        """The best value of the first objective over time: (virtual second, value) at each gain."""
        first = self.history.n_ended - len(self.ended_at)
        sign = self.spec.signs[0]
        found: list[tuple[float, float]] = []
        for number, time in zip(self.history.ended[first:], self.ended_at, strict=True):
            outcome = self.history.outcome(number)
            if not isinstance(outcome, Told):
                continue
            value = outcome.values[0]
            if not found or sign * value < sign * found[-1][1]:
                found.append((time, value))
        return found

    def time_to(self, value: float) -> float | None:
        """The virtual second at which a trial was at least as good as `value`; None if none was."""
        sign = self.spec.signs[0]
        return next((t for t, best in self.quality if sign * best <= sign * value), None)


def simulate(
    spec: StudySpec,
    objective: Callable[[Job], Any],
    crew: Crew,
    *,
    sampler: Sampler | None = None,
    scheduler: Scheduler | None = None,
    store: Store | None = None,
    stop_at: float = math.inf,
) -> Simulation:
    """Run a study without data to its end on simulated workers.

    Equal arguments give an equal study; the time on the clock of this machine plays no part.

    Args:
        spec: the plan, with a budget.
        objective: what a job gives: a number, numbers by name, or a list of these, of which each is
            reported on the way and the last is the value. What it raises breaks the job.
            With a scheduler it gives the list of a job's steps, from `job.since` + 1 to `job.until`.
        sampler: the sampler to look at; None: that of the plan.
        scheduler: the scheduler to look at; None: that of the plan, if it has one.
        store: where the log lies. A study that it has already goes on.
        stop_at: the virtual second, of this sitting, at which the study is interrupted as by Ctrl-C.

    Raises:
        SpecError: the plan has data, or no budget.
        StateError: all workers are gone for ever before the study has ended.

    >>> from assay.core.parameters import Float
    >>> from assay.core.space import Space
    >>> from assay.core.spec import Budget
    >>> space = Space(x=Float(0, 1))
    >>> plan = StudySpec(space, {"value": "minimize"}, sampler={"name": "random"},
    ...                  budget=Budget(trials=20))
    >>> found = simulate(plan, lambda job: job.config["x"], Crew(workers=5))
    >>> found.finish.reason, found.seconds, found.utilisation
    ('complete', 4.0, 1.0)
    """
    if spec.data is not None or spec.budget is None:
        raise SpecError("A simulated study has a budget and no data; give Budget(trials=…).")
    ledger = Ledger(store or MemoryStore(), STUDY)
    if not ledger.history.length:
        ledger.add(Created(spec.to_json(), spec.plan))
    workers = SimulatedWorkers(objective, crew)
    already = ledger.history.n_ended
    ended_at: list[float] = []

    def watch(history: History) -> None:
        ended_at.extend([workers.now] * (history.n_ended - already - len(ended_at)))

    def decide(*given: Any, stopping: bool, **options: Any) -> Command:
        return plan(*given, stopping=stopping or workers.now >= stop_at, **options)

    finish = Loop(
        spec,
        ledger,
        sampler or sampler_of(spec),
        workers,
        scheduler=scheduler or scheduler_of(spec),
        clock=lambda: workers.now,
        watch=watch,
        decide=decide,
    ).run()
    return Simulation(
        finish,
        ledger.history,
        spec,
        workers.now,
        workers.busy_s / workers.present_s if workers.present_s else 0.0,
        tuple(ended_at),
        Counter(map(_kind, ledger.store.read(STUDY))),
    )


def _kind(event: Event) -> str:
    return type(event).__name__.lower()
