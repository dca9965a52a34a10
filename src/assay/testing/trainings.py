"""Made-up trainings under a scheduler, on a virtual clock: hours of many workers in milliseconds."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from assay.core.fidelity import Fidelity
from assay.core.protocols import Scheduler
from assay.core.runs import Pause, Resume, Run, RunState, Stop, Verdict

Curve = Callable[[int, int], Any]
"""The value of a trial at a step, or a tuple of several objectives' values; None: it fails there."""


class Said(NamedTuple):
    """A verdict, and the runs that it was asked of."""

    runs: tuple[Run, ...]
    trial: int
    verdict: Verdict


@dataclass
class Trainings:
    """A search under a scheduler. `run` goes to its end; the rest says what happened.

    Args:
        scheduler: under test.
        fidelity: of the trials.
        curve: their values.
        trials: so many are started.
        workers: so many run at a time.
        pace: the virtual seconds that a step of a trial takes.
        protected: trials that are evaluated in full in any case.
        seconds: nothing happens after that.

    Attributes:
        runs: all trials as they stand.
        said: every verdict, in the order in which they were asked for.
        resumed: every trial that got more, in that order.
        spent: the steps that were worked, all trials together.
        now: the virtual time.
    """

    scheduler: Scheduler
    fidelity: Fidelity
    curve: Curve
    trials: int
    workers: int = 1
    pace: Callable[[int], float] = lambda _trial: 1.0
    protected: Collection[int] = ()
    seconds: float = float("inf")
    runs: list[Run] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    resumed: list[Resume] = field(default_factory=list)
    spent: int = 0
    now: float = 0.0
    _due: list[tuple[float, int, int]] = field(default_factory=list)  # (time, trial, step)

    def run(self) -> Trainings:
        """Until all trials have started and nobody gets more."""
        while self._fill():
            self.now, trial, step = heapq.heappop(self._due)
            if self.now > self.seconds:
                break
            self._report(trial, step)
        return self

    def of(self, state: RunState) -> list[int]:
        """The trials in a state."""
        return [run.trial for run in self.runs if run.state == state]

    @property
    def full(self) -> list[int]:
        """The trials that got the full fidelity."""
        most = self.fidelity.most
        return [r.trial for r in self.runs if r.curve and r.curve[-1][0] == most]

    def _fill(self) -> bool:
        """Give every free worker something to do; whether any has something."""
        while len(self._due) < self.workers:
            runs = tuple(self.runs)
            if given := self.scheduler.resume(runs):
                self._resume(given)
            elif len(runs) < self.trials:
                safe = len(runs) in self.protected
                until = self.fidelity.most if safe else self.scheduler.start(runs)
                self.runs.append(Run(len(runs), "running", until, protected=safe))
                self._go_on(len(runs), 0)
            else:
                break
        return bool(self._due)

    def _resume(self, given: Resume) -> None:
        run = self.runs[given.trial]
        assert run.state == "paused", f"trial {run.trial} is {run.state}, so it cannot go on"
        assert run.step < given.until <= self.fidelity.most, "it goes on, and not too far"
        self.resumed.append(given)
        self.runs[run.trial] = replace(run, state="running", until=given.until)
        self._go_on(run.trial, run.step if self.fidelity.goes_on else 0)

    def _go_on(self, trial: int, done: int) -> None:
        """The next report of a trial that has reached step `done`."""
        step = done + 1 if self.fidelity.kind != "subset" else self.runs[trial].until
        work = step - done
        self.spent += work
        heapq.heappush(self._due, (self.now + work * self.pace(trial), trial, step))

    def _report(self, trial: int, step: int) -> None:
        run, value = self.runs[trial], self.curve(trial, step)
        if value is None:
            self.runs[trial] = replace(run, state="failed")
            return
        state: RunState = "done" if step == self.fidelity.most else "running"
        first, *others = value if isinstance(value, tuple) else (value,)
        self.runs[trial] = replace(
            run,
            step=step,
            curve=(*run.curve, (step, first)),
            others=(*run.others, tuple(others)) if others else (),
            state=state,
        )
        runs = tuple(self.runs)
        verdict = self.scheduler.judge(runs, trial)
        self.said.append(Said(runs, trial, verdict))
        if state == "done":
            return
        if isinstance(verdict, Stop | Pause):
            cut: RunState = "stopped" if isinstance(verdict, Stop) else "paused"
            self.runs[trial] = replace(self.runs[trial], state=cut)
            return
        assert step < run.until, f"trial {trial} was to run until {run.until}; nobody granted more"
        self._go_on(trial, step)
