"""The loop: plan, submit, collect, append. Knows no store, sampler or executor by name."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic, sleep
from typing import Any, Protocol

from assay.core import units
from assay.core.errors import ConflictError
from assay.core.events import (
    Asked,
    Broke,
    Event,
    Exhausted,
    Failed,
    Frozen,
    Measured,
    Opening,
    Reported,
    Retried,
    Selected,
    Steered,
    Told,
)
from assay.core.history import History
from assay.core.jobs import Broken, BrokenKind, Done, Job, Measurement, Message, Step, Unit
from assay.core.protocols import Executor, Sampler
from assay.core.spec import StudySpec
from assay.engine.ledger import Ledger
from assay.engine.plan import Ask, Command, Evaluate, Finish, Key, Record, Wait, plan, told
from assay.engine.propose import propose

_TICK_S = 0.25
_LOOK_S = 1.0
_DECISIONS = (Asked, Exhausted, Selected, Frozen, Opening)


class Clock(Protocol):
    """Wall-clock time that the search has used, earlier sessions included."""

    def __call__(self) -> float: ...


class Watch(Protocol):
    """Is shown the history after every change."""

    def __call__(self, history: History) -> None: ...


@dataclass
class _Running:
    """A job that was submitted, what the log has of its trial, and the events that it gave so far."""

    job: Job
    retries: list[BrokenKind] = field(default_factory=list)
    steps: dict[int, float] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    @property
    def measured(self) -> dict[Unit, Measured]:
        """What it has measured so far."""
        return {event.unit: event for event in self.events if isinstance(event, Measured)}

    @property
    def left(self) -> tuple[Unit, ...]:
        """The units it has not measured."""
        return tuple(unit for unit in self.job.units if unit not in self.measured)


class Loop:
    """Drives one study until its plan is complete, it cannot go on, or it is told to stop."""

    def __init__(
        self,
        spec: StudySpec,
        ledger: Ledger,
        sampler: Sampler,
        executor: Executor,
        *,
        clock: Clock,
        watch: Watch | None = None,
        decide: Callable[..., Command] = plan,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._spec, self._ledger, self._sampler = spec, ledger, sampler
        self._executor, self._clock, self._watch = executor, clock, watch
        self._decide, self._options = decide, dict(options or {})
        self._running: dict[int, _Running] = {}
        self._busy: set[Key] = set()
        self._next_job = 0
        self._looked = monotonic()
        self.stopping = False

    def run(self) -> Finish:
        """Run until nothing is left; first Ctrl-C lets running jobs end, the second kills them."""
        with self._ctrl_c():
            while True:
                finish = self._fill()
                if not self._flush():
                    continue
                if finish and not self._running:
                    self._executor.poll(0)  # acknowledges the last messages
                    self._flush()
                    return finish
                self._collect(self._executor.poll(_TICK_S))
                if self._paused and not self._running:
                    sleep(_TICK_S)
                self._look()

    def _fill(self) -> Finish | None:
        """Start what can be started; the reason to end when nothing can."""
        while True:
            command = self._command()
            match command:
                case Finish():
                    return command
                case Wait():
                    return None
                case Record(event):
                    self._ledger.stage([event])
                    self._flush()
                case Ask() if self._executor.free:
                    self._ask()
                case Evaluate(trial, stage, wanted) if self._executor.free:
                    self._submit(trial, stage, wanted)
                case _:
                    return None

    def _look(self) -> None:
        """See now and then what others have added to the log, such as a wish to stop."""
        if monotonic() - self._looked < _LOOK_S or not self._flush():
            return
        before = self._ledger.history.length
        history = self._ledger.refresh()
        self._looked = monotonic()
        self.stopping = self.stopping or self._wish == "stop"
        if self._watch and history.length > before:
            self._watch(history)

    @property
    def _wish(self) -> str | None:
        steered: Steered | None = self._ledger.history.last(Steered)
        return steered.wish if steered else None

    @property
    def _paused(self) -> bool:
        return self._wish == "pause" and not self.stopping

    def _command(self) -> Command:
        if self._paused:
            return Wait()
        return self._decide(
            self._spec,
            self._ledger.history,
            busy=self._busy,
            seconds=self._clock(),
            stopping=self.stopping,
            **self._options,
        )

    def _ask(self) -> None:
        """Stage the next proposal with the results that led to it, and write them as one."""
        event = propose(self._spec, self._ledger.history, self._sampler)
        self._ledger.stage([event])
        if self._flush() and isinstance(event, Asked):
            self._submit(event.trial, "search", units.search(self._spec))

    def _submit(self, trial: int, stage: str, wanted: Sequence[tuple[int, int, int]]) -> None:
        config = dict(self._ledger.history.config(trial)) if trial >= 0 else {}
        job = Job(
            id=self._next_job,
            trial=trial,
            stage=stage,
            config=config,
            units=tuple(wanted),
            seeds=tuple(units.seed_of(self._spec, unit) for unit in wanted),
            timeout_s=self._spec.limits.seconds,
        )
        self._next_job += 1
        past = self._ledger.history
        self._running[job.id] = (
            _Running(job, past.retries(trial), dict(past.curve(trial)))
            if trial >= 0
            else _Running(job)
        )
        self._busy.update((trial, stage, unit) for unit in wanted)
        self._executor.submit(job)

    def _collect(self, messages: Sequence[tuple[int, Message]]) -> None:
        """Stage what arrived as one batch; it is written with the proposals that it leads to."""
        events: list[Event] = []
        blobs: dict[str, bytes] = {}
        for job_id, message in messages:
            running = self._running[job_id]
            new, blob = self._events(running, message)
            running.events += new
            events += new
            blobs |= blob
            if isinstance(message, Done | Broken):
                self._end(job_id)
        if events:
            self._ledger.stage(events, blobs)

    def _end(self, job_id: int) -> None:
        """Forget a job; what it leaves unmeasured is started again by the plan, if at all."""
        job = self._running.pop(job_id).job
        self._busy.difference_update((job.trial, job.stage, unit) for unit in job.units)

    def _events(self, running: _Running, message: Message) -> tuple[list[Event], dict[str, bytes]]:
        job = running.job
        match message:
            case Step():
                if job.stage != "search" or running.steps.get(message.step) == message.value:
                    return [], {}  # a resumed trial reports what the log already holds
                running.steps[message.step] = message.value
                return [Reported(job.trial, message.step, message.value)], {}
            case Measurement():
                return _measured(job, message) if message.unit in running.left else ([], {})
            case Done():
                return self._done(running, message), {}
            case Broken():
                return self._broken(running, message), {}

    def _done(self, running: _Running, message: Done) -> list[Event]:
        job, spec = running.job, self._spec
        if spec.data:
            ended = self._told(running)
            return [ended] if ended else []
        wrong = _wrong_names(message.values, spec)
        if wrong:
            broken = Broken(
                kind="invalid", reason=wrong, cpu_s=message.cpu_s, wall_s=message.wall_s
            )
            return self._broken(running, broken)
        values = _values(message.values, spec)
        if job.stage == "search":
            extra = {
                k: v for k, v in message.values.items() if k not in spec.directions and k != "value"
            }
            return [Told(job.trial, values, extra or None, message.cpu_s, message.wall_s)]
        unit = job.units[0]
        cost = (message.cpu_s, message.wall_s)
        return [Measured(job.trial, job.stage, unit, values[0], None, None, *cost)]

    def _told(self, running: _Running) -> Told | None:
        """How a trial on data ends, if this job measured what was still missing of it."""
        job = running.job
        if job.stage != "search":
            return None
        return told(
            self._spec,
            job.trial,
            self._ledger.history.units(job.trial, "search") | running.measured,
        )

    def _broken(self, running: _Running, message: Broken) -> list[Event]:
        job, kind = running.job, message.kind
        said = (kind, message.reason, message.output, message.cpu_s, message.wall_s)
        if kind == "cancelled":
            return []  # what is missing is measured when the study is resumed
        if job.stage != "search":
            left = running.left
            return [Broke(job.trial, job.stage, left, *said)] if left else []
        if ended := self._told(running):  # it broke after its last measurement
            return [ended]
        before = [(k == "lost") == (kind == "lost") for k in running.retries]
        if sum(before) < self._spec.limits.again(kind):
            return [Retried(job.trial, len(before) + 1, kind, message.reason)]
        return [Failed(job.trial, *said)]

    def _flush(self) -> bool:
        """Write what is staged; False if another writer was first.

        Results are staged again then, but a proposal is dropped: it did not see what the other wrote.
        """
        try:
            self._ledger.flush()
        except ConflictError:
            events, blobs = self._ledger.unstage()
            self._ledger.stage([e for e in events if not isinstance(e, _DECISIONS)], blobs)
            return False
        if self._watch:
            self._watch(self._ledger.history)
        return True

    @contextmanager
    def _ctrl_c(self) -> Iterator[None]:
        """First Ctrl-C: stop asking. Second: cancel what runs, by the default KeyboardInterrupt."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(signum: int, frame: Any) -> None:
            if self.stopping:
                raise KeyboardInterrupt
            self.stopping = True
            sys.stderr.write(
                "\nStopping when the running trials have ended. Ctrl-C again: at once.\n"
            )

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def _measured(job: Job, message: Measurement) -> tuple[list[Event], dict[str, bytes]]:
    rows = sha256(message.rows).hexdigest() if message.rows is not None else None
    event = Measured(
        job.trial,
        job.stage,
        message.unit,
        message.value,
        message.train,
        rows,
        message.cpu_s,
        message.wall_s,
    )
    return [event], {rows: message.rows} if rows and message.rows is not None else {}


def _wrong_names(values: Mapping[str, float], spec: StudySpec) -> str | None:
    own = () if spec.single and "value" in values else spec.objectives
    needed = [*own, *(bound.name for bound in spec.bounds if bound.name not in spec.directions)]
    if all(name in values for name in needed):
        return None
    return (
        f"the objective returned {sorted(values)}, but the study needs {needed}. "
        "Return a dict with these names."
    )


def _values(values: Mapping[str, float], spec: StudySpec) -> tuple[float, ...]:
    if spec.single:
        (name,) = spec.objectives
        return (values[name] if name in values else values["value"],)
    return tuple(values[name] for name in spec.objectives)
