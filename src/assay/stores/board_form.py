"""Jobs and messages as bytes, as boards keep them; the same for every store."""

from __future__ import annotations

from msgspec import MsgspecError, msgpack

from assay.core.errors import SpecError
from assay.core.jobs import Broken, Done, Job, Message

_encode = msgpack.Encoder().encode
_job = msgpack.Decoder(Job).decode
_message = msgpack.Decoder(Message).decode


def pack_job(job: Job) -> bytes:
    """The bytes of a job.

    Raises:
        SpecError: its config holds a value that cannot be sent.
    """
    try:
        return _encode(job)
    except (TypeError, ValueError, OverflowError, MsgspecError) as error:
        raise SpecError(
            f"The config of trial {job.trial} cannot be sent to a worker: {error}. Use numbers"
            f" below 2**64, text, lists and dicts. The config: {job.config!r:.200}"
        ) from error


def unpack_job(packed: bytes) -> Job:
    """The job that `pack_job` packed.

    >>> unpack_job(pack_job(Job(id=1, trial=0, stage="search", config={"x": 0.5}))).config
    {'x': 0.5}
    """
    return _job(packed)


def pack_message(message: Message) -> bytes:
    """The bytes of a message."""
    return _encode(message)


def unpack_message(packed: bytes) -> Message:
    """The message that `pack_message` packed.

    >>> unpack_message(pack_message(Done(values={"value": 0.5})))
    Done(values={'value': 0.5}, cpu_s=0.0, wall_s=0.0)
    """
    message: Message = _message(packed)
    return message


def is_last(message: Message) -> bool:
    """Whether a task ends with this message."""
    return isinstance(message, Done | Broken)
