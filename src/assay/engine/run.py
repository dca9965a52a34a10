"""The loop: plan, submit, collect, append. Knows no store, sampler or executor by name."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Protocol

from msgspec.structs import replace

from assay.core import units
from assay.core.errors import ConflictError, SpecError
from assay.core.events import (
    Asked,
    Broke,
    Event,
    Exhausted,
    Failed,
    Frozen,
    Measured,
    Opening,
    Paused,
    Reported,
    Resumed,
    Retried,
    Selected,
    Steered,
    Told,
)
from assay.core.history import History
from assay.core.jobs import Broken, BrokenKind, Done, Job, Measurement, Message, Step, Unit
from assay.core.protocols import Executor, Sampler, Scheduler
from assay.core.spec import StudySpec
from assay.engine.grants import ends_itself, verdict, without_hope
from assay.engine.ledger import Ledger
from assay.engine.plan import Ask, Command, Evaluate, Finish, Grant, Key, Record, Wait, plan, told
from assay.engine.propose import propose
from assay.engine.reported import reported

_TICK_S = 0.25
_LOOK_S = 1.0
_DECISIONS = (Asked, Resumed, Exhausted, Selected, Frozen, Opening)


_GOES_ON_NO_MORE = ("done", "failed", "stopped")


class Clock(Protocol):
    """Wall-clock time that the search has used, earlier sessions included."""

    def __call__(self) -> float: ...


class Places(Protocol):
    """Where trials leave what they go on from; see `assay.stores.checkpoints`."""

    def begin(self, trial: int, job: int, sealed: str | None = None) -> Path: ...
    def holds(self, trial: int, sealed: str | None) -> bool: ...
    def seal(self, trial: int, job: int) -> str | None: ...
    def leave(self, trial: int, job: int) -> None: ...
    def drop(self, trial: int) -> None: ...
    def clear(self) -> None: ...


class Watch(Protocol):
    """Is shown the history after every change."""

    def __call__(self, history: History) -> None: ...


@dataclass
class _Running:
    """A job that was submitted, what the log has of its trial, and the events that it gave so far.

    `cut`: its trial is paused or stopped; what it says from now on is not heard.
    """

    job: Job
    retries: list[BrokenKind] = field(default_factory=list)
    steps: dict[int, tuple[float, ...]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    cut: bool = False

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
        scheduler: Scheduler | None = None,
        checkpoints: Places | None = None,
    ) -> None:
        self._spec, self._ledger, self._sampler = spec, ledger, sampler
        self._executor, self._clock, self._watch = executor, clock, watch
        self._decide, self._options = decide, dict(options or {})
        self._scheduler, self._checkpoints = scheduler, checkpoints
        if scheduler:
            self._options["scheduler"] = scheduler
            if listen := getattr(executor, "listen", None):  # it runs a job to its end in one poll
                listen(self._hear)
        self._running: dict[int, _Running] = {}
        self._busy: set[Key] = set()
        self._next_job = 0
        self._looked = monotonic()
        self.stopping = False

    def run(self) -> Finish:
        """Run until nothing is left; first Ctrl-C lets running jobs end, the second kills them."""
        with self._ctrl_c():
            while True:
                jobs = self._next_job
                finish = self._fill()
                if not self._flush():
                    continue
                if finish and not self._running:
                    self._executor.poll(0)  # acknowledges the last messages
                    self._flush()
                    if finish.reason == "complete" and self._checkpoints:
                        self._checkpoints.clear()
                    return finish
                more = self._next_job > jobs and self._executor.free
                self._collect(self._executor.poll(0 if more else _TICK_S))
                if self._paused and not self._running:
                    sleep(_TICK_S)
                self._look()

    def _fill(self) -> Finish | None:
        """Start what can be started, up to the first decision; the reason to end when nothing can.

        No further: what ends while a proposal is made is heard before the next, which sees it.
        """
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
                case Grant() if self._executor.free:
                    self._go_on(command)
                    return None
                case Ask() if self._executor.free:
                    self._ask()
                    return None
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
        event = propose(self._spec, self._ledger.history, self._sampler, self._scheduler)
        self._ledger.stage([event])
        if self._flush() and isinstance(event, Asked):
            self._submit(event.trial, "search", units.search(self._spec))

    def _go_on(self, grant: Grant) -> None:
        """Resume a paused trial, from its checkpoint if that is there."""
        paused = self._ledger.history.last_move(grant.trial)
        assert isinstance(paused, Paused), "only a paused trial is granted more"
        kept = self._checkpoints
        whole = kept is not None and kept.holds(grant.trial, paused.checkpoint)
        since = paused.step if whole else 0
        self._ledger.stage([Resumed(grant.trial, grant.until, grant.reason, since)])
        if self._flush():
            self._submit(grant.trial, "search", units.search(self._spec))

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
            **self._course(trial, stage),
        )
        self._next_job += 1
        past = self._ledger.history
        self._running[job.id] = (
            _Running(job, past.retries(trial), past.reports(trial)) if trial >= 0 else _Running(job)
        )
        self._busy.update((trial, stage, unit) for unit in wanted)
        self._executor.submit(job)

    def _course(self, trial: int, stage: str) -> dict[str, Any]:
        """From where to where a job goes, for spaces with a fidelity that is no number of folds."""
        fidelity = self._spec.space.fidelity
        if fidelity is None or self._spec.data:
            return {}
        if trial < 0 or stage != "search":
            course: dict[str, Any] = {"until": fidelity.most}
            sealed = None
        else:
            since, sealed = self._checkpoint(trial)
            course = {"since": since, "until": self._ledger.history.runs()[trial].until}
        if self._checkpoints and trial >= 0:
            course["checkpoint"] = str(self._checkpoints.begin(trial, self._next_job, sealed))
        return course

    def _checkpoint(self, trial: int) -> tuple[int, str | None]:
        """The step from which a trial goes on, and the hash of what it has from there."""
        history, kept = self._ledger.history, self._checkpoints
        resumed = history.last_move(trial)
        if not isinstance(resumed, Resumed) or not resumed.since or kept is None:
            return 0, None
        sealed = next(m.checkpoint for m in reversed(history.moves(trial)) if isinstance(m, Paused))
        return (resumed.since, sealed) if kept.holds(trial, sealed) else (0, None)

    def _collect(self, messages: Sequence[tuple[int, Message]]) -> None:
        """Stage what arrived; it is written with the proposals that it leads to."""
        for job_id, message in messages:
            self._hear(job_id, message)

    def _hear(self, job_id: int, message: Message) -> None:
        running = self._running[job_id]
        new, blobs = ([], {}) if running.cut else self._events(running, message)
        if new:
            running.events += new
            self._ledger.stage(new, blobs)
        if isinstance(message, Done | Broken):
            if isinstance(message, Done) and self._is_part(running):
                self._pause(running, message)
            self._end(job_id)
        elif new and self._scheduler and not running.cut and running.job.stage == "search":
            self._judge(running, message)

    def _end(self, job_id: int) -> None:
        """Forget a job; what it leaves unmeasured is started again by the plan, if at all."""
        job = self._running.pop(job_id).job
        self._busy.difference_update((job.trial, job.stage, unit) for unit in job.units)
        if self._checkpoints and job.checkpoint:
            self._checkpoints.leave(job.trial, job.id)
            if job.stage == "search" and self._ledger.history.state(job.trial) in _GOES_ON_NO_MORE:
                self._checkpoints.drop(job.trial)
            elif job.stage == "search" and self._scheduler:
                for trial in without_hope(self._spec, self._ledger.history, self._scheduler):
                    self._checkpoints.drop(trial)

    # --- what a scheduler decides

    def _judge(self, running: _Running, message: Message) -> None:
        """Ask what becomes of a trial that has just reported, and end its job if it is cut."""
        trial, history = running.job.trial, self._ledger.history
        fidelity = self._spec.space.fidelity
        assert self._scheduler is not None
        assert fidelity is not None
        if ends_itself(fidelity, history.runs()[trial]):
            return
        cut = verdict(history, self._scheduler, trial)
        if cut is None:
            return
        if isinstance(message, Step):
            cut = replace(cut, cpu_s=message.cpu_s, wall_s=message.wall_s)
        self._ledger.stage([cut])
        running.cut = True
        self._executor.cancel(running.job.id)

    def _is_part(self, running: _Running) -> bool:
        """Whether a job was to bring its trial to a step below the full fidelity, and no further."""
        job, fidelity = running.job, self._spec.space.fidelity
        part = job.until is not None and fidelity is not None and job.until < fidelity.most
        return part and job.stage == "search" and not running.cut

    def _pause(self, running: _Running, message: Done) -> None:
        """A trial came to the step that it was granted: keep what it left, and let it wait."""
        trial = running.job.trial
        if self._ledger.history.state(trial) != "running":
            return  # its value was not one
        assert self._scheduler is not None
        cut = verdict(self._ledger.history, self._scheduler, trial)
        assert cut is not None, "a trial cannot just go on from the step that it was granted"
        if isinstance(cut, Paused) and self._checkpoints:
            cut = replace(cut, checkpoint=self._checkpoints.seal(trial, running.job.id))
        self._ledger.stage([replace(cut, cpu_s=message.cpu_s, wall_s=message.wall_s)])

    def _events(self, running: _Running, message: Message) -> tuple[list[Event], dict[str, bytes]]:
        job = running.job
        match message:
            case Step():
                return self._step(running, message) if job.stage == "search" else [], {}
            case Measurement():
                return _measured(job, message) if message.unit in running.left else ([], {})
            case Done():
                return self._done(running, message), {}
            case Broken():
                return self._broken(running, message), {}

    def _step(self, running: _Running, message: Step) -> list[Event]:
        job = running.job
        try:
            values = reported(message.value, self._spec)
        except SpecError as error:
            running.cut = True
            self._executor.cancel(job.id)
            wrong = Broken(
                kind="invalid", reason=str(error), cpu_s=message.cpu_s, wall_s=message.wall_s
            )
            return self._broken(running, wrong)
        if running.steps.get(message.step) == values:
            return []  # a resumed trial reports what the log already holds
        running.steps[message.step] = values
        return [Reported(job.trial, message.step, values[0], values[1:])]

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
            reached = self._reached(running, values)
            if self._is_part(running):
                return reached
            extra = {
                k: v for k, v in message.values.items() if k not in spec.directions and k != "value"
            }
            ended = Told(job.trial, values, extra or None, message.cpu_s, message.wall_s)
            return [*reached, ended]
        unit = job.units[0]
        cost = (message.cpu_s, message.wall_s)
        return [Measured(job.trial, job.stage, unit, values[0], None, None, *cost)]

    def _reached(self, running: _Running, values: tuple[float, ...]) -> list[Event]:
        """The value as a report, of a trial that did not report at the step that it was granted.

        One that reported on the way and may go all the way has ended by itself, and reached no more.
        """
        job = running.job
        if self._scheduler is None or job.until is None or job.until in running.steps:
            return []
        run = self._ledger.history.runs()[job.trial]
        goes_on = self._spec.space.fidelity is not None and self._spec.space.fidelity.goes_on
        if goes_on and not self._is_part(running) and run.step > job.since:
            return []
        return [Reported(job.trial, job.until, values[0], values[1:])]

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
