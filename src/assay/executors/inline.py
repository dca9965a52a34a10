"""Runs jobs in this process: nothing to start, nothing to send, and nothing to stop a job with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TypeAlias

from assay.core.errors import SpecError, StateError
from assay.core.jobs import Broken, Evaluate, Job, Measurement, Message, Step
from assay.executors.perform import Cancelled, perform
from assay.executors.results import checked

Listener: TypeAlias = Callable[[int, Measurement | Step], None]
"""Is called with the number of a job and what it says."""


class InlineExecutor:
    """One job at a time, evaluated inside `poll`, in this process.

    What the objective does to the process stays done: a crash ends the study's driver, and output
    goes to the terminal. Ctrl-C interrupts the objective and is passed on.

    Args:
        evaluate: called with (job, emit); returns a finite number, or finite numbers by name.

    >>> from assay.core.jobs import Job
    >>> with InlineExecutor(lambda job, emit: job.config["x"] ** 2) as executor:
    ...     executor.submit(Job(id=1, trial=0, stage="search", config={"x": 3}))
    ...     [(job_id, done)] = executor.poll(0)
    >>> job_id, done.values
    (1, {'value': 9.0})
    """

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._waiting: Job | None = None
        self._cancelled: list[tuple[int, Message]] = []
        self._running: int | None = None
        self._cut = False
        self._listener: Listener | None = None
        self._closed = False

    @property
    def free(self) -> int:
        """How many jobs can be submitted now."""
        return 0 if self._waiting or self._closed else 1

    def submit(self, job: Job) -> None:
        """Take a job; the next `poll` runs it.

        Raises:
            StateError: there is one already, or the executor is closed.
            SpecError: the job has a time limit.
        """
        if not self.free:
            why = "is closed" if self._closed else "runs one job at a time and has one"
            raise StateError(f"Job {job.id} was submitted to an executor that {why}.")
        if job.timeout_s is not None:
            raise SpecError(
                f"Trial {job.trial} has a time limit of {job.timeout_s:g} s, which cannot be kept"
                ' inside this process. Use isolation="process", or set no time limit.'
            )
        self._waiting = job

    def listen(self, listener: Listener) -> None:
        """Pass messages on while the job runs, not at its end, so that it can be cancelled."""
        self._listener = listener

    def poll(self, timeout_s: float) -> list[tuple[int, Message]]:
        """Run the waiting job to its end, however long it takes, and return its messages."""
        messages, self._cancelled = self._cancelled, []
        job, self._waiting = self._waiting, None
        if job is not None:
            self._running, self._cut = job.id, False
            hear = self._listener or (lambda *heard: messages.append(heard))

            def emit(message: Measurement | Step) -> None:
                if not self._cut:
                    hear(job.id, checked(message))
                if self._cut:
                    raise Cancelled

            answer = perform(job, self._evaluate, emit)
            self._running = None
            messages.append((job.id, answer))
        return messages

    def cancel(self, job_id: int) -> None:
        """Drop a job that does not run yet, or end one at what it reports; others are left alone."""
        if self._running == job_id:
            self._cut = True
        if self._waiting is not None and self._waiting.id == job_id:
            self._waiting = None
            broken = Broken(kind="cancelled", reason="The job was cancelled before it began.")
            self._cancelled.append((job_id, broken))

    def close(self) -> None:
        """Take no more jobs."""
        self._waiting = None
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
