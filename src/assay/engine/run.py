"""The loop: plan, submit, collect, append. Knows no store, sampler or executor by name."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Protocol

from msgspec.structs import replace

from assay.core import units
from assay.core.errors import ConflictError
from assay.core.events import (
    Asked,
    Ended,
    Event,
    Exhausted,
    Failed,
    Frozen,
    Opening,
    Paused,
    Resumed,
    Retried,
    Selected,
    Steered,
)
from assay.core.history import History
from assay.core.jobs import Broken, Done, Job, Message, Step
from assay.core.protocols import Executor, Sampler, Scheduler
from assay.core.spec import StudySpec
from assay.engine.grants import ends_itself, verdict, without_hope
from assay.engine.heard import Heard, Running, is_part
from assay.engine.ledger import Ledger
from assay.engine.plan import Ask, Command, Evaluate, Finish, Grant, Key, Record, Wait, plan
from assay.engine.propose import propose

_TICK_S = 0.25
_LOOK_S = 1.0
_DECISIONS = (Asked, Resumed, Exhausted, Ended, Selected, Frozen, Opening)


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
        self._running: dict[int, Running] = {}
        self._busy: set[Key] = set()
        self._next_job = 0
        self._looked = self._paced = monotonic()
        self._rested_s = 0.0
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
                self._pace()
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

    def _pace(self) -> None:
        """Let the clock of the search stand still while a person has it wait."""
        before, self._paced = self._paced, monotonic()
        if self._paused:
            self._rested_s += self._paced - before

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
            seconds=self._clock() - self._rested_s,
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
            Running(job, past.retries(trial), past.reports(trial)) if trial >= 0 else Running(job)
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
        new = [] if running.cut else self._answer(running, message)
        if isinstance(message, Done | Broken):
            if isinstance(message, Done) and not running.cut and is_part(running.job, self._spec):
                self._pause(running, message)
            self._end(job_id)
        elif new and self._scheduler and not running.cut and running.job.stage == "search":
            self._judge(running, message)

    def _answer(self, running: Running, message: Message) -> list[Event]:
        """Stage what a message says, and end the job if what it reported is no value."""
        heard = Heard(self._spec, self._ledger.history, running, self._scheduler is not None)
        new, blobs = heard.events(message)
        if new:
            running.hold(new)
            self._ledger.stage(new, blobs)
        if isinstance(message, Step) and any(isinstance(e, Retried | Failed) for e in new):
            self._cut(running)
        return new

    def _cut(self, running: Running) -> None:
        running.cut = True
        self._executor.cancel(running.job.id)

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

    def _judge(self, running: Running, message: Message) -> None:
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
        self._cut(running)

    def _pause(self, running: Running, message: Done) -> None:
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
