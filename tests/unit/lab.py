"""A make-believe laboratory: plans, events and executors for tests of the engine."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from assay.api.parts import sampler_of
from assay.core.events import (
    FLOOR,
    Asked,
    Broke,
    Created,
    Event,
    Failed,
    Measured,
    Sealed,
    Told,
)
from assay.core.history import History, fold
from assay.core.jobs import Broken, Done, Job, Measurement, Message, Unit
from assay.core.parameters import Float
from assay.core.protocols import Sampler
from assay.core.space import Space
from assay.core.spec import Budget, Evidence, StudySpec
from assay.engine.plan import Ask, Finish, Record, Wait, plan, told
from assay.engine.propose import propose

SPACE = Space(x=Float(0.0, 1.0, default=0.5))


def spec_of(**changes: Any) -> StudySpec:
    """A plan over one number with defaults as control; no data, ten trials.

    By Sobol: what is proposed does not depend on the order in which results come.
    """
    space = changes.pop("space", SPACE)
    plan: dict[str, Any] = {
        "space": space,
        "directions": {"value": "minimize"},
        "seed": 3,
        "budget": Budget(trials=10),
        "control": space.defaults(),
        "evidence": Evidence(),
        "sampler": {"name": "sobol"},
    }
    return StudySpec(**(plan | changes))


def data_of(folds: int = 3, repeats: int = 1, ratio: float = 0.5) -> dict[str, Any]:
    """What the plan says of data, as far as the engine looks at it."""
    return {"rows": 120, "folds": folds, "repeats": repeats, "ratio": ratio}


def born(spec: StudySpec, *, sealed: bool = False) -> list[Event]:
    """The first events of a study with this plan."""
    events: list[Event] = [Created(spec.to_json(), spec.plan)]
    return [*events, Sealed("s1", 30, "memory", "00", "11")] if sealed else events


def asked(number: int, config: dict[str, Any], origin: str = "sampler") -> Asked:
    """A proposal that claims to have seen nothing."""
    return Asked(number, config, 0, "control" if number == 0 else origin)


def history_of(
    spec: StudySpec, values: Sequence[float | None], *further: Event, control: bool = True
) -> History:
    """A history of ended trials with these values (None: failed) and then `further` events."""
    events = born(spec)
    for number, value in enumerate(values):
        x = spec.control["x"] if number == 0 and spec.control else (number * 0.618) % 1
        origin = "control" if number == 0 and control else "sampler"
        events.append(Asked(number, {"x": x}, 0, origin))
        events.append(Failed(number, "raised", "no") if value is None else Told(number, (value,)))
    return fold([*events, *further])


def measured(number: int, stage: str, values: dict[Unit, float]) -> list[Measured]:
    """Measurements of a trial in one stage."""
    return [Measured(number, stage, unit, value) for unit, value in values.items()]


def sampler_for(spec: StudySpec) -> Sampler:
    """The sampler that the plan names."""
    return sampler_of(spec)


def score(config: dict[str, Any], unit: Unit, *, noise: float = 0.3) -> float:
    """A value of config and unit alone: a slope, and noise that no two units or configs share."""
    words = repr((sorted(config.items()), unit)).encode()
    luck = int.from_bytes(hashlib.blake2b(words, digest_size=4).digest(), "big") / 2**32
    return float(config.get("x", 2.0)) + noise * (luck - 0.5)


class Scripted:
    """An executor that answers in an order of its own, and may fail, or lose its driver.

    Args:
        value: of (job, unit); what it raises breaks the job.
        data: report each unit by itself, as a study on data does.
        rng: chooses which job goes on; None: the oldest.
        dies_at: after so many messages `poll` raises `Killed`.
    """

    def __init__(
        self,
        value: Callable[[Job, Unit], Any],
        *,
        data: bool = False,
        slots: int = 1,
        rng: Random | None = None,
        dies_at: int | None = None,
    ) -> None:
        self.value, self.data, self.slots = value, data, slots
        self.rng, self.dies_at = rng, dies_at
        self.jobs: dict[int, list[Message]] = {}
        self.submitted: list[Job] = []
        self.sent = 0

    @property
    def free(self) -> int:
        """How many jobs can be submitted now."""
        return self.slots - len(self.jobs)

    def submit(self, job: Job) -> None:
        """Take a job and write down what it will say."""
        assert self.free, "more jobs than slots"
        assert job.units, "a job without anything to measure"
        assert len(job.units) == len(job.seeds)
        self.submitted.append(job)
        self.jobs[job.id] = self._answers(job)

    def _answers(self, job: Job) -> list[Message]:
        answers: list[Message] = []
        found: Any = None
        for unit in job.units:
            found = self.value(job, unit)
            if isinstance(found, Broken):
                return [*answers, found]
            if isinstance(found, list):
                answers += found[:-1]
                found = found[-1]
            if self.data:
                answers.append(Measurement(unit=unit, value=found, cpu_s=1.0))
        values = found if isinstance(found, dict) else {"value": found}
        return [*answers, Done(values=values, cpu_s=1.0)]

    def poll(self, timeout_s: float) -> list[tuple[int, Message]]:
        """The next message of one job; none at once, so that jobs run beside each other."""
        if not timeout_s:
            return []
        if self.dies_at is not None and self.sent >= self.dies_at:
            raise Killed
        numbers = sorted(self.jobs)
        if not numbers:
            return []
        number = self.rng.choice(numbers) if self.rng else numbers[0]
        message = self.jobs[number].pop(0)
        if not self.jobs[number]:
            del self.jobs[number]
        self.sent += 1
        return [(number, message)]

    def cancel(self, job_id: int) -> None:
        """Forget a job."""
        self.jobs.pop(job_id, None)

    def close(self) -> None:
        """Forget all jobs."""
        self.jobs.clear()


class Killed(BaseException):
    """The driver was killed."""


class Run:
    """A study carried out by a driver that may be killed, with workers that end in any order."""

    def __init__(
        self,
        spec: StudySpec,
        rng: Random,
        *,
        sealed: bool = False,
        workers: int = 2,
        kills: int = 0,
        fails: Callable[[dict[str, Any]], bool] = lambda config: False,
        open_test: bool = True,
        search_first: bool = False,
    ) -> None:
        self.spec, self.rng, self.workers, self.kills = spec, rng, workers, kills
        self.fails = fails
        self.options = {"open_test": open_test, "search_first": search_first}
        self.same_for_all_seeds = False
        self.sampler = sampler_for(spec)
        self.history = fold(born(spec, sealed=sealed))
        self.busy = []
        self.finish = None
        self.stages = []

    def run(self):
        while True:
            if self.kills and self.busy and self.rng.random() < 0.15:
                self.kills -= 1
                self.busy.clear()
            command = plan(self.spec, self.history, busy=self._keys(), **self.options)
            if isinstance(command, Finish):
                assert not self.busy or command.failed
                self.finish = command
                return self
            if isinstance(command, Wait):
                assert self.busy, "waits for nothing"
            if isinstance(command, Wait) or len(self.busy) >= self.workers:
                self._go_on()
            elif isinstance(command, Record):
                self._append(command.event)
            elif isinstance(command, Ask):
                self._append(propose(self.spec, self.history, self.sampler))
            else:
                self._check(command)
                self.stages.append(command.stage)
                self.busy.append((command, list(command.units)))
                if self.rng.random() < 0.5:
                    self._go_on()

    def _keys(self):
        return {(job.trial, job.stage, u) for job, left in self.busy for u in job.units}

    def _check(self, job):
        assert job.units
        assert not {(job.trial, job.stage, u) for u in job.units} & self._keys()
        own = job.stage in ("floor", "probe", "shadow", "test")
        done = self.history.units(job.trial, job.stage if own else None)
        assert not set(job.units) & set(done)
        lost = {(b.trial, b.stage, u) for b in self.history.breakages() for u in b.units}
        assert not {(job.trial, job.stage, u) for u in job.units} & lost

    def _append(self, *events):
        self.history = fold(events, self.history)

    def _go_on(self):
        """One running job measures its next unit, or ends."""
        at = self.rng.randrange(len(self.busy))
        job, left = self.busy[at]
        config = self.history.config(job.trial) if job.trial >= 0 else {}
        if self.fails(config) and job.trial > 0:
            del self.busy[at]
            if job.stage == "search":
                self._append(Failed(job.trial, "raised", "no"))
            else:
                self._append(Broke(job.trial, job.stage, tuple(left), "raised", "no"))
            return
        if left and (self.spec.data or job.stage != "search"):
            unit = left.pop(0)
            luck = (unit[0], unit[1], 0) if self.same_for_all_seeds else unit
            found = score(config, luck)
            self._append(Measured(job.trial, job.stage, unit, found, cpu_s=1.0))
            if left or self.spec.data:
                return
        del self.busy[at]
        if job.stage == "search":
            done = told(self.spec, job.trial, self.history.units(job.trial, "search"))
            found = score(config, (0, 0, 0))
            self._append(done or Told(job.trial, (found,), None, 1.0))

    def measurements(self):
        """(config, stage, unit, value) of all that was measured; proposals may differ in order."""
        found = Counter()
        for number in range(FLOOR, self.history.n_trials):
            config = self.history.config(number).get("x") if number >= 0 else None
            for stage in ("floor", "probe", "search", "control", "recheck", "confirm", "test"):
                for unit, event in self.history.units(number, stage).items():
                    found[(config, stage, unit, event.value)] += 1
        return found

    def outcomes(self):
        return [
            (number, self.history.config(number)["x"], self.history.outcome(number))
            for number in range(self.history.n_trials)
        ]


def rows_of(task: str = "two", n: int = 90, seed: int = 0) -> tuple[Any, Any]:
    """A small table to learn from, "two" or "three" classes or "numbers": two of four columns count."""
    import numpy as np

    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    slope = X[:, 0] + 0.5 * X[:, 1] + 0.5 * rng.normal(size=n)
    if task == "numbers":
        return X, slope
    return X, np.digitize(slope, [0.0] if task == "two" else [-0.5, 0.5])
