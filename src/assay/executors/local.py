"""Runs jobs in warm child processes of this machine."""

from __future__ import annotations

import selectors
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from msgspec.structs import replace

from assay.core.errors import SpecError, StateError
from assay.core.jobs import Broken, BrokenKind, Done, Evaluate, Job, Message
from assay.executors import processes
from assay.executors.control import Ended, Forked, Refused, Unloadable
from assay.executors.handle import Handle, job_frame
from assay.executors.holders import Holders
from assay.executors.output import Output
from assay.executors.parcel import packed
from assay.executors.template import Template, thread_settings

_KILL_PATIENCE_S = 5.0  # a process in the middle of a disk or network call may take its time
_MEMORY_EVERY_S = 0.05
_MB = 1 << 20


class LocalExecutor:
    """Runs up to `workers` jobs at once, each in a process of its own that is reused while healthy.

    `evaluate` is sent by value, once, to a clean process that forks the workers: a lambda, a
    closure or a notebook function will do, large data is shared between workers, and scripts need
    no `if __name__ == "__main__"`. Whatever a job does — hang, crash, exit, flood its output —
    ends that job alone, as a `Broken` with the last lines that it printed. A worker is replaced
    when it dies or is killed, leaves child processes behind, or has grown far above its memory
    after its first job. When this process dies, by any signal, so do all of the workers.

    Use it from one thread, and close it, or use it in a `with` statement.

    Args:
        evaluate: called with (job, emit); returns a finite number, or finite numbers by name.
        workers: how many jobs run at the same time.
        memory_mb: a job whose processes together hold more (MiB; data shared with other workers
            counts by share) is stopped; None for no cap. Looked at every 50 ms.
        threads_per_worker: for BLAS and OpenMP; by default the cores are shared out equally, and
            thread variables that are set in the environment are left alone.
        environments: variables of each of the workers, such as the GPUs that are its own. No two
            living processes ever have the same one.

    Raises:
        SpecError: an option is out of range, or `evaluate` cannot be sent.

    >>> from assay.core.jobs import Job
    >>> with LocalExecutor(lambda job, emit: job.config["x"] ** 2) as executor:
    ...     executor.submit(Job(id=1, trial=0, stage="search", config={"x": 3}))
    ...     [(job_id, done)] = executor.poll(60)
    >>> job_id, done.values
    (1, {'value': 9.0})
    """

    def __init__(
        self,
        evaluate: Evaluate,
        *,
        workers: int = 1,
        memory_mb: float | None = None,
        threads_per_worker: int | None = None,
        environments: Sequence[Mapping[str, str]] = (),
    ) -> None:
        _check(workers=workers, memory_mb=memory_mb, threads_per_worker=threads_per_worker)
        self._places = workers
        self._cap_bytes = None if memory_mb is None else int(memory_mb * _MB)
        self._memory_due = 0.0
        self._environment = thread_settings(workers, threads_per_worker)
        self._slots = Holders(environments)
        self._parcel = packed(evaluate)
        self._selector = selectors.DefaultSelector()
        self._handles: dict[int, Handle] = {}
        self._started = 0
        self._inbox: list[tuple[int, Message]] = []
        self._closed = False
        self._template: Template | None = self._start_template()

    @property
    def free(self) -> int:
        """How many jobs can be submitted now."""
        return 0 if self._closed else self._places - len(self._busy())

    def submit(self, job: Job) -> None:
        """Start a job; a time limit counts from when its process is ready.

        Raises:
            StateError: no worker is free, or the executor is closed.
            SpecError: the config cannot be sent, or `evaluate` cannot be loaded by the workers.
        """
        if not self.free:
            why = "is closed" if self._closed else f"has all of its {self._places} workers busy"
            raise StateError(f"Job {job.id} was submitted to an executor that {why}.")
        frame = job_frame(job)
        self._attend(0)  # an idle worker may have died since
        idle = (h for h in self._handles.values() if h.job is None and h.sentence is None)
        (next(idle, None) or self._new_worker()).begin(job, frame)

    def poll(self, timeout_s: float) -> list[tuple[int, Message]]:
        """Messages by job id, in order, as soon as there are any; [] after `timeout_s` without.

        Every job ends with exactly one Done or Broken. With no job under way it returns at once.

        Raises:
            SpecError: `evaluate` cannot be loaded by the workers; no job can run.
        """
        until = time.monotonic() + timeout_s
        self._attend(0 if self._inbox else self._patience(until))
        while not self._inbox and self._busy() and time.monotonic() < until:
            self._attend(self._patience(until))
        messages, self._inbox = self._inbox, []
        return messages

    def cancel(self, job_id: int) -> None:
        """Kill a running job; `poll` then gives its Broken. Does nothing if it has ended."""
        for handle in self._busy():
            if handle.job is not None and handle.job.id == job_id and handle.sentence is None:
                self._condemn(handle, "cancelled", "The job was cancelled.")

    def close(self) -> None:
        """Kill what still runs and let go of everything; again is harmless."""
        if self._closed:
            return
        self._closed = True
        self._end_template()
        for handle in list(self._handles.values()):
            self._drop(handle)
        self._inbox.clear()
        self._selector.close()
        self._parcel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # The selector keeps, for each source, the method to call when it can be read.

    def _attend(self, timeout_s: float) -> None:
        """Wait for anything to happen, and handle what did."""
        sources = self._selector.get_map()
        for key, _ in self._selector.select(timeout_s):
            if key.fd in sources:  # not dropped a moment ago
                key.data()
        now = time.monotonic()
        for handle in self._busy():
            if handle.deadline is not None and now >= handle.deadline:
                self._overdue(handle)
        if self._cap_bytes is not None and now >= self._memory_due:
            self._memory_due = now + _MEMORY_EVERY_S
            self._check_memory(self._cap_bytes)

    def _patience(self, until: float) -> float:
        """Seconds until something has to be done even if nothing happens."""
        busy = self._busy()
        if not busy:
            return 0.0
        due = [until, *(h.deadline for h in busy if h.deadline is not None)]
        if self._cap_bytes is not None:
            due.append(self._memory_due)
        return max(0.0, min(due) - time.monotonic())

    def _busy(self) -> list[Handle]:
        return [handle for handle in self._handles.values() if handle.job is not None]

    def _watch_output(self, output: Output) -> None:
        def read() -> None:
            if not output.read():
                self._selector.unregister(output)

        self._selector.register(output, selectors.EVENT_READ, read)

    def _forget(self, source: Any) -> None:
        if source in self._selector.get_map():
            self._selector.unregister(source)

    # Beginning and ending workers

    def _start_template(self) -> Template:
        template = Template(self._parcel, self._environment)
        self._selector.register(template, selectors.EVENT_READ, lambda: self._hear_all(template))
        self._watch_output(template.output)
        return template

    def _end_template(self) -> str:
        """End the zygote and so the workers; says how it ended."""
        template, self._template = self._template, None
        if template is None:
            return ""
        self._forget(template)
        self._forget(template.output)
        ending = template.close()
        if not ending.orderly:
            for handle in self._handles.values():
                if handle.pid is not None:
                    processes.end(handle.pid)
        return ending.account

    def _new_worker(self) -> Handle:
        self._wait_for_a_place()
        if self._template is None:
            self._template = self._start_template()
        self._started += 1
        handle = Handle(self._started, self._slots.take(self._started))
        self._template.fork(handle.number, handle.far_end, handle.output.write_end)
        handle.send_far_ends()
        self._handles[handle.number] = handle
        self._selector.register(handle.connection, selectors.EVENT_READ, lambda: self._read(handle))
        self._watch_output(handle.output)
        return handle

    def _wait_for_a_place(self) -> None:
        """Until a worker that was replaced has really gone, with what it held of its slot."""
        until = time.monotonic() + _KILL_PATIENCE_S
        while not self._slots.any_free and time.monotonic() < until:
            self._attend(max(0.0, until - time.monotonic()))
        if not self._slots.any_free:  # the system does not let go of one
            self._slots.keep(self._handles)

    def _drop(self, handle: Handle) -> None:
        del self._handles[handle.number]
        self._forget(handle.connection)
        self._forget(handle.output)
        handle.close()

    def _retire(self, handle: Handle) -> None:
        """End a worker that has no job; the next job gets a new one."""
        self._kill(handle)
        self._drop(handle)

    def _kill(self, handle: Handle) -> None:
        if self._template is not None:
            self._template.kill(handle.number)

    def _condemn(self, handle: Handle, kind: BrokenKind, reason: str) -> None:
        """Kill a worker with its job, which ends as soon as the process is gone."""
        self._kill(handle)
        handle.condemn(Broken(kind=kind, reason=reason), _KILL_PATIENCE_S)

    def _bury(self, handle: Handle, broken: Broken, *, cpu_s: float = 0.0) -> None:
        """The worker is gone: hear its last messages, end its job, forget it."""
        while handle.number in self._handles and self._read(handle):
            pass
        if handle.number in self._handles:
            last = handle.sentence or broken
            self._finish(handle, replace(last, cpu_s=cpu_s, wall_s=handle.elapsed_s()))
            self._drop(handle)

    # Limits

    def _overdue(self, handle: Handle) -> None:
        if handle.sentence is not None:  # killed, but the system does not let go of it
            self._slots.release(handle.number)
            self._bury(handle, handle.sentence)
        elif handle.job is not None:
            reason = (
                f"The job took longer than its time limit of {handle.job.timeout_s:g} s and was"
                " stopped. Raise the limit, or make the evaluation shorter."
            )
            self._condemn(handle, "timeout", reason)

    def _check_memory(self, cap_bytes: int) -> None:
        for handle in self._busy():
            if handle.pid is None or handle.sentence is not None:
                continue
            held = processes.family_bytes(handle.pid, cap_bytes)
            if held > cap_bytes:
                reason = (
                    f"The job held {held // _MB:,} MB, more than its cap of"
                    f" {cap_bytes // _MB:,} MB, and was stopped. Raise memory_mb, or let it use"
                    " less."
                )
                self._condemn(handle, "memory", reason)

    # What workers say

    def _read(self, handle: Handle) -> bool:
        """Take messages from a worker; False when there are no more now."""
        try:
            messages = handle.receive()
        except ValueError as error:
            reason = f"Something else wrote to the worker's connection ({error}). It was stopped."
            self._condemn(handle, "crashed", reason)
            messages = None
        if messages is None:
            if handle.job is None:  # not for the next job to find out
                self._retire(handle)
            else:
                self._forget(handle.connection)  # the zygote will say how it ended
            return False
        for job_id, message, retire in messages:
            if handle.job is None or handle.job.id != job_id or handle.sentence is not None:
                continue  # from a thread that a job left behind, or too late
            if isinstance(message, Done | Broken):
                self._finish(handle, message)
            else:
                self._inbox.append((job_id, message))
            if retire:
                self._retire(handle)
                return False
        return bool(messages)

    def _finish(self, handle: Handle, message: Done | Broken) -> None:
        if handle.job is None:
            return
        if isinstance(message, Broken):
            message = replace(message, output=handle.output.text())
        self._inbox.append((handle.job.id, message))
        handle.finish(message.cpu_s)

    # What the zygote says

    def _hear_all(self, template: Template) -> None:
        news = template.news()
        if news is None:
            self._lost_template()
            return
        for item in news:
            if isinstance(item, Unloadable):
                self._cannot_load(item.reason)
                continue
            if not isinstance(item, Forked):
                self._slots.release(item.worker)
            if item.worker in self._handles:
                self._hear(item, self._handles[item.worker])

    def _hear(self, news: Forked | Refused | Ended, handle: Handle) -> None:
        if isinstance(news, Forked):
            handle.forked(news.pid)
        elif isinstance(news, Refused):
            reason = f"The system gives no process for a worker: {news.reason}."
            self._bury(handle, Broken(kind="crashed", reason=reason))
        else:
            cpu_s = max(0.0, news.cpu_s - handle.spent_cpu_s)
            self._bury(handle, _post_mortem(news.code), cpu_s=cpu_s)

    def _cannot_load(self, reason: str) -> None:
        self._end_template()
        for handle in list(self._handles.values()):
            self._drop(handle)
        raise SpecError(
            "The objective cannot be loaded in a worker process. Make what it imports importable"
            f' there, or run with isolation="none". It says: {reason}'
        )

    def _lost_template(self) -> None:
        """The zygote died by itself, and its workers with it; the next job starts another."""
        loaded = self._template is not None and self._template.loaded
        broken = _without_template(self._end_template(), loaded=loaded)
        self._slots.keep(())
        for handle in list(self._handles.values()):
            self._bury(handle, broken)


def _without_template(account: str, *, loaded: bool) -> Broken:
    """What jobs end with when the zygote dies: no fault of theirs, once it had loaded the objective."""
    reason = f"The process that workers are forked from died ({account})"
    if not loaded:
        reason += (
            " while it loaded the objective. Import what the objective needs in a Python of its"
            " own to see what ends it."
        )
        return Broken(kind="crashed", reason=reason)
    reason += (
        ", and another is started. It was ended from outside; if that comes again, most often"
        " memory is short: use fewer workers."
    )
    return Broken(kind="lost", reason=reason)


def _post_mortem(code: int) -> Broken:
    if code >= 0:
        reason = f"The process ended itself with exit code {code}. Raise an exception instead."
        return Broken(kind="exited", reason=reason)
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    reason = f"The process was ended by {name}."
    if -code == signal.SIGKILL:
        reason += (
            " It did not come from here; most often the system was out of memory: use fewer"
            " workers, or set memory_mb below what the machine has."
        )
    return Broken(kind="crashed", reason=reason)


def _check(*, workers: int, memory_mb: float | None, threads_per_worker: int | None) -> None:
    if workers < 1:
        raise SpecError(f"An executor needs at least 1 worker, got workers={workers}.")
    if memory_mb is not None and not memory_mb > 0:
        raise SpecError(f"The memory cap must be above 0 MB, got memory_mb={memory_mb}.")
    if threads_per_worker is not None and threads_per_worker < 1:
        raise SpecError(
            f"A worker needs at least 1 thread, got threads_per_worker={threads_per_worker}."
        )
