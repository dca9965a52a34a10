"""work: take jobs of a study that another process drives, on this machine or on another one."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from assay.api.fleet import differences
from assay.api.opened import open_study
from assay.api.parts import executor_of, slots_for
from assay.api.session import same_call, say_how_to_resume, seconds_before
from assay.api.study import Study
from assay.core.errors import SpecError, StateError
from assay.core.events import Concluded, Environment, Selected, Steered
from assay.core.jobs import Evaluate
from assay.core.protocols import Member, Store
from assay.engine.plan import Finish, plan
from assay.engine.trial import Objective, OpenTrial
from assay.executors.serving import Serving
from assay.executors.slots import Slots, check_wishes

if TYPE_CHECKING:
    from assay.api.programs import ProgramOptions
    from assay.programs.program import Program

WAIT_S = 300.0
_LOOK_S = 0.5
_FREE = "the driver's seat is free"
Say: TypeAlias = Callable[[str], None]


def _silent(said: str) -> None:
    """Say nothing."""


def work(
    objective: Callable[[OpenTrial], Any],
    *,
    storage: str | Store,
    study: str | None = None,
    workers: int | str = 1,
    cpus_per_trial: int | None = None,
    gpus_per_trial: float | None = None,
    wait_s: float = WAIT_S,
    drive: bool = False,
    say: Say = _silent,
) -> str:
    """Evaluate trials of a study that another process drives with `optimize`; why it ended.

    Args:
        objective: the same function that the driver was given.
        storage, study: where the study is, and its name.
        workers, cpus_per_trial, gpus_per_trial: as for `optimize`: how many trials run here at once,
            and what each has. Several workers on one machine do not know of each other: give each
            its cores and GPUs, or start one with all of them.
        wait_s: how long to stay while nobody drives the study, or until it begins.
        drive: drive the study from here whenever nobody else does. Start the same call on several
            machines: as long as one of them lives, the study goes on.
        say: is told, in a sentence, what it waits for and when it begins to work or to drive.

    Raises:
        SpecError: there is no such study, or the objective cannot be sent to a process.
        StoreError: the storage cannot be used, or was away for five minutes.
    """
    from assay.api.objective import run_objective

    if not callable(objective):
        raise SpecError(f"work needs a function of a trial, got {objective!r:.80}.")
    check_wishes(workers, cpus_per_trial, gpus_per_trial)  # before it waits for a study
    found = _awaited(lambda: open_study(storage, study), wait_s, say)
    slots = _slots(found, workers, cpus_per_trial, gpus_per_trial)

    def drive_it() -> None:
        if not run_objective(found, objective, workers=slots):
            say_how_to_resume(same_call(found))

    evaluate = Objective(objective, seeding=True)
    again = drive_it if drive else None
    return _share(found, evaluate, again, slots=slots, wait_s=wait_s, say=say)


def work_on_file(
    storage: str,
    name: str | None,
    *,
    workers: int | str = 1,
    cpus_per_trial: int | None = None,
    gpus_per_trial: float | None = None,
    wait_s: float = WAIT_S,
    drive: bool = False,
    progress: bool | None = None,
    say: Say = _silent,
) -> str:
    """The same for a study on a data file, which is loaded again and has to be the same, or of a program.

    Raises:
        DataError: the file has changed.
        SpecError: there is no such study, its program is not here, or it was made in Python.
    """
    from assay.api.data import run_data
    from assay.api.files import reopened
    from assay.api.programs import stored_program

    if (found := _awaited(lambda: stored_program(storage, name), wait_s, say)) is not None:
        return work(
            _here(found), storage=storage, study=found.study, workers=workers, wait_s=wait_s, drive=drive,
            cpus_per_trial=cpus_per_trial, gpus_per_trial=gpus_per_trial, say=say,
        )  # fmt: skip
    study, prepared, options = _awaited(lambda: reopened(storage, name), wait_s, say)
    slots = _slots(study, workers, cpus_per_trial, gpus_per_trial)

    def drive_it() -> None:
        run_data(
            study,
            prepared,
            workers=slots,
            progress=progress,
            open_at_end=options.open_test,
            reason=options.reason,
        )

    again = drive_it if drive else None
    evaluate = prepared.worker()
    return _share(study, evaluate, again, slots=slots, wait_s=wait_s, say=say)


def _here(options: ProgramOptions) -> Program:
    """The program of a study, seen to be on this machine."""
    from assay.api.programs import program_of, space_of

    program = program_of(options)
    program.check(space_of(options.space).names)
    return program


def _slots(study: Study, workers: int | str, cpus: int | None, gpus: float | None) -> Slots:
    return slots_for(workers, cpus=cpus, gpus=gpus, limits=study.spec.limits)


def _awaited(opened: Callable[[], Any], wait_s: float, say: Say) -> Any:
    """What is opened, as soon as it is there."""
    begin, told = time.monotonic(), False
    while True:
        try:
            return opened()
        except SpecError as missing:
            if not _not_there_yet(missing) or time.monotonic() - begin > wait_s:
                raise
            if not told:
                say(
                    f"{str(missing).partition('. ')[0].rstrip('.')}. Waiting up to {wait_s:g} s for it."
                )
                told = True
        time.sleep(_LOOK_S)


def _not_there_yet(error: SpecError) -> bool:
    return str(error).startswith(("There is no study", "The storage holds no study"))


def _share(
    study: Study,
    evaluate: Evaluate,
    drive: Callable[[], None] | None,
    *,
    slots: Slots,
    wait_s: float,
    say: Say,
) -> str:
    """Work for whoever drives the study; drive it, if wished, when nobody does."""
    rest = _Rest(study, wait_s, leaving=drive is not None)
    while True:
        reason = rest.begun()
        if reason is None:
            say(f"At work for study {study.name!r}, {_many(slots.count)}. Ctrl-C ends it.")
            reason = _serve(study, evaluate, rest, slots)
        if reason != _FREE or drive is None:
            return reason
        if _seated(study):
            say(f"Nobody drives study {study.name!r}: it is driven from here now.")
            drive()
            return "it was driven from here" if rest.finish() else "stopped"


def _many(trials: int) -> str:
    return "one trial at a time" if trials == 1 else f"{trials} trials at once"


def _seated(study: Study) -> bool:
    try:
        study.store.acquire(study.name)
    except StateError:
        return False
    return True


def _serve(study: Study, evaluate: Evaluate, rest: _Rest, slots: Slots) -> str:
    limits = study.spec.limits
    executor = executor_of(evaluate, workers=slots, isolation="process", limits=limits)
    differs = differences(study)
    try:
        serving = Serving(
            study.store.board(study.name),
            executor,
            lambda: _member(slots.count, differs),
            ended=rest,
        )
        with _stopped_by_signals(serving):
            return serving.run()
    finally:
        executor.close()


def _member(slots: int, differs: tuple[str, ...]) -> Member:
    """What this process says of itself, under a new name."""
    from assay.stores.lease import birth, place

    host, pid = socket.gethostname(), os.getpid()
    name = f"{host}:{pid}:{secrets.token_hex(4)}"
    return Member(name, host, place(), pid, birth(pid) or "", slots, differs)


class _Rest:
    """Says when there is nothing left to wait for."""

    def __init__(self, study: Study, wait_s: float, *, leaving: bool) -> None:
        self._study, self._wait_s, self._leaving = study, wait_s, leaving
        self._alone_since: float | None = None

    def begun(self) -> str | None:
        """None as soon as the study has been driven; else why to wait no longer."""
        while self._study.history.last(Environment) is None:
            if (reason := self()) is not None:
                return reason
            time.sleep(_LOOK_S)
        return None

    def __call__(self) -> str | None:
        study = self._study
        steered = study.history.last(Steered)
        if study.store.driver(study.name) is not None:
            self._alone_since = None
            return None
        finish = self.finish()
        if finish is not None and not (self._leaving and self._unsaid()):
            return finish.reason
        if steered is not None and steered.wish == "stop":
            return "the study was stopped"
        if self._leaving:
            return _FREE
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if now - self._alone_since < self._wait_s:
            return None
        return f"nobody drove the study for {self._wait_s:g} s"

    def finish(self) -> Finish | None:
        """How the plan has ended; None while something is left to do."""
        study = self._study
        command = plan(study.spec, study.history, seconds=self._seconds(), open_test=False)
        return command if isinstance(command, Finish) else None

    def _unsaid(self) -> bool:
        """Whether a driver died, or may have died, between its last result and the verdict."""
        history = self._study.history
        return history.last(Selected) is not None and history.last(Concluded) is None

    def _seconds(self) -> float:
        study = self._study
        timed = study.spec.budget is not None and study.spec.budget.seconds is not None
        return seconds_before(study.store, study.name) if timed else 0.0


@contextmanager
def _stopped_by_signals(serving: Serving) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the jobs, say so on the board, and then the worker."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: Any) -> None:
        serving.stopping = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
