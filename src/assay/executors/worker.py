"""A worker: receives jobs on a socket, answers each, and stays warm for the next.

Runs in a process forked from the zygote. The first frame that it gets are the environment variables
of its slot. Every frame that it sends is (job id, message, retire): the last of a job says whether
this process should be replaced before the next one.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from assay.core.jobs import Broken, Done, Evaluate, Job, Measurement, Step
from assay.executors.frames import Frames, framed
from assay.executors.health import Health
from assay.executors.perform import diagnosis, perform
from assay.executors.results import InvalidResult, checked

_RECEIVE = 1 << 16


def serve(connection: socket.socket, evaluate: Evaluate) -> None:
    """Answer jobs until the driver hangs up."""
    outlet = Outlet(connection)
    health = Health()
    jobs = msgspec.msgpack.Decoder(Job)
    frames = _received(connection)
    for frame in frames:
        os.environ.update(msgspec.msgpack.decode(frame, type=dict[str, str]))
        break
    for frame in frames:
        job = jobs.decode(frame)
        health.renew()
        answer = _answer(job, evaluate, outlet)
        _flush()
        outlet.send(job, answer, retire=not health.good())


def _received(connection: socket.socket) -> Iterator[bytes]:
    """Frames until the driver hangs up."""
    frames = Frames()
    while data := connection.recv(_RECEIVE):
        yield from frames.feed(data)


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


def _answer(job: Job, evaluate: Evaluate, outlet: Outlet) -> Done | Broken:
    try:
        answer = perform(job, evaluate, lambda message: outlet.emit(job, message))
    except KeyboardInterrupt as error:  # no keyboard here: the objective raised it
        kind, reason = diagnosis(error)
        answer = Broken(kind=kind, reason=reason)
    if not outlet.is_here():
        os._exit(0)  # the objective forked, and the child came back out of it as well
    return answer


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the objective may have closed or replaced the stream
            stream.flush()
