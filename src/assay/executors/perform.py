"""One job, from call to answer: the only place that catches what an objective raises."""

from __future__ import annotations

import pickle
import time

from msgspec.structs import replace

from assay.core.jobs import Broken, BrokenKind, Done, Emit, Evaluate, Job, Measurement, Step
from assay.executors.results import InvalidResult, numbers_by_name
from assay.executors.text import REASON_LENGTH, account, harmless, short

_NOT_BY_NAME = (
    "Other processes find a function by its name, and what a script defines has none in a worker:"
    " define it in a module of its own, and import that."
)


class Cancelled(BaseException):
    """Ends a job that runs in the driver's own process; no exception that an objective handles."""


def perform(job: Job, evaluate: Evaluate, emit: Emit) -> Done | Broken:
    """Evaluate a job in this process; whatever the objective does, the answer is a message.

    Times are CPU seconds of this process and of its finished children, and wall seconds.

    Raises:
        KeyboardInterrupt: the user wants to stop; it is not the objective's fault.

    >>> perform(Job(id=0, trial=0, stage="search", config={}), lambda job, emit: 0.5, print).values
    {'value': 0.5}
    """
    cpu_s, wall_s = cpu_seconds(), time.monotonic()

    def costed(message: Measurement | Step) -> None:
        if isinstance(message, Step):
            took = {"cpu_s": cpu_seconds() - cpu_s, "wall_s": time.monotonic() - wall_s}
            message = replace(message, **took)
        emit(message)

    try:
        done = Done(values=numbers_by_name(evaluate(job, costed)))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        kind, reason = diagnosis(error)
        return Broken(
            kind=kind,
            reason=reason,
            cpu_s=cpu_seconds() - cpu_s,
            wall_s=time.monotonic() - wall_s,
        )
    return Done(values=done.values, cpu_s=cpu_seconds() - cpu_s, wall_s=time.monotonic() - wall_s)


def diagnosis(error: BaseException) -> tuple[BrokenKind, str]:
    """The kind of failure that an exception means, and the reason in words."""
    if isinstance(error, Cancelled):
        return "cancelled", "The job was cancelled."
    if isinstance(error, InvalidResult):
        return "invalid", harmless(str(error))[:REASON_LENGTH]
    if isinstance(error, MemoryError):
        return "memory", f"{account(error)}\nIt asked for more memory than there is."
    if isinstance(error, pickle.PicklingError) and "__main__" in str(error):
        return "raised", f"{account(error)}\n{_NOT_BY_NAME}"
    if isinstance(error, SystemExit):
        code = short(error.code)
        return "exited", f"The objective called sys.exit({code}). Raise an exception instead."
    return "raised", account(error)


def cpu_seconds() -> float:
    """CPU time of this process and of its finished children so far, user and system."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows counts no children
        return time.process_time()
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
