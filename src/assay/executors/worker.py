"""A worker: receives jobs on a socket, answers each, and stays warm for the next.

Runs in a process forked from the zygote. Every frame that it sends is (job id, message, retire):
the last of a job says whether this process should be replaced before the next one.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import suppress
from typing import Any

import msgspec

from assay.core.jobs import Broken, Done, Evaluate, Job, Measurement, Step
from assay.executors import processes
from assay.executors.frames import Frames, framed
from assay.executors.perform import diagnosis, perform
from assay.executors.results import InvalidResult, checked

_RECEIVE = 1 << 16
_GROWTH_FACTOR = 2
_GROWTH_BYTES = 512 << 20


def serve(connection: socket.socket, evaluate: Evaluate) -> None:
    """Answer jobs until the driver hangs up."""
    outlet = Outlet(connection)
    health = Health()
    jobs = msgspec.msgpack.Decoder(Job)
    frames = Frames()
    while data := connection.recv(_RECEIVE):
        for frame in frames.feed(data):
            job = jobs.decode(frame)
            answer = _answer(job, evaluate, outlet)
            _flush()
            outlet.send(job, answer, retire=not health.good())


class Outlet:
    """Sends messages of a job; safe to use from the objective's threads and in its forks."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._encode = msgspec.msgpack.Encoder().encode
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def send(self, job: Job, message: Any, *, retire: bool = False) -> None:
        data = framed(self._encode((job.id, message, retire)))
        with self._lock:
            self._connection.sendall(data)

    def emit(self, job: Job, message: Measurement | Step) -> None:
        """Check a message and send it at once."""
        if not self.is_here():
            raise InvalidResult(
                "A process forked by the objective tried to report. Report from the objective's"
                " own process only."
            )
        self.send(job, checked(message))

    def is_here(self) -> bool:
        """Is this the worker, not a fork of it made by the objective?"""
        return os.getpid() == self._pid


class Health:
    """Says whether this process is as good as new."""

    def __init__(self) -> None:
        self._limit: int | None = None

    def good(self) -> bool:
        """No child processes left over, and memory not far above its level after the first job."""
        used = processes.resident_bytes(os.getpid())
        if self._limit is None:
            self._limit = max(_GROWTH_FACTOR * used, used + _GROWTH_BYTES)
        return used <= self._limit and not _has_children()


def _answer(job: Job, evaluate: Evaluate, outlet: Outlet) -> Done | Broken:
    try:
        answer = perform(job, evaluate, lambda message: outlet.emit(job, message))
    except KeyboardInterrupt as error:  # no keyboard here: the objective raised it
        kind, reason = diagnosis(error)
        answer = Broken(kind=kind, reason=reason)
    if not outlet.is_here():
        os._exit(0)  # the objective forked, and the child came back out of it as well
    return answer


def _has_children() -> bool:
    """Are there child processes? Reaps those that ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the objective may have closed or replaced the stream
            stream.flush()
