"""The driver's side of one worker."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping

import msgspec

from assay.core.errors import SpecError
from assay.core.jobs import Broken, Job, Message
from assay.executors.frames import Frames, framed
from assay.executors.output import Output

_RECEIVE = 1 << 18


class Handle:
    """One worker: the job it has, since when, and what it sent.

    Args:
        number: of the worker.
        environment: variables that it is to have, beside what all workers have.
    """

    def __init__(self, number: int, environment: Mapping[str, str]) -> None:
        self.number = number
        self.connection, self.far_end = socket.socketpair()
        self.output = Output()
        self.pid: int | None = None
        self.job: Job | None = None
        self.since: float | None = None
        self.deadline: float | None = None
        self.sentence: Broken | None = None
        self.spent_cpu_s = 0.0
        self._frames = Frames()
        self._decode = msgspec.msgpack.Decoder(tuple[int, Message, bool]).decode
        self.connection.sendall(framed(msgspec.msgpack.encode(dict(environment))))

    def send_far_ends(self) -> None:
        """Let go of the child's ends, which are now its own."""
        self.far_end.close()
        self.output.close_write_end()

    def begin(self, job: Job, frame: bytes) -> None:
        """Send a job. Its clock starts now, or when the worker exists."""
        self.output.clear()
        self.job = job
        try:
            self.connection.sendall(frame)
        except ConnectionError:
            return  # it has just died; the zygote will say so
        if self.pid is not None:
            self._start_clock()

    def forked(self, pid: int) -> None:
        """The process exists, and begins with the job that it was sent."""
        self.pid = pid
        if self.sentence is None:
            self._start_clock()

    def condemn(self, sentence: Broken, patience_s: float) -> None:
        """Its job will end with `sentence`, at the latest after `patience_s`."""
        self.sentence = sentence
        self.deadline = time.monotonic() + patience_s

    def elapsed_s(self) -> float:
        return 0.0 if self.since is None else time.monotonic() - self.since

    def finish(self, cpu_s: float) -> None:
        """The job is over and took `cpu_s`; ready for the next one."""
        self.spent_cpu_s += cpu_s
        self.job = self.since = self.deadline = self.sentence = None

    def receive(self) -> list[tuple[int, Message, bool]] | None:
        """Messages that arrived, or None if nothing can come any more.

        Raises:
            ValueError: the worker sent something else than messages.
        """
        try:
            data = self.connection.recv(_RECEIVE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except ConnectionError:
            return None
        return [self._decode(frame) for frame in self._frames.feed(data)] if data else None

    def close(self) -> None:
        self.connection.close()
        self.output.close()

    def _start_clock(self) -> None:
        self.since = time.monotonic()
        if self.job is not None and self.job.timeout_s is not None:
            self.deadline = self.since + self.job.timeout_s


def job_frame(job: Job) -> bytes:
    """The job as a frame.

    Raises:
        SpecError: its config holds a value that cannot be sent.
    """
    try:
        return framed(msgspec.msgpack.encode(job))
    except (TypeError, ValueError, OverflowError) as error:
        raise SpecError(
            f"The config of trial {job.trial} cannot be sent to a worker: {error}. Use numbers"
            f" below 2**64, text, lists and dicts. The config: {job.config!r:.200}"
        ) from error
