"""Messages on a byte stream: four bytes of length, then the message."""

from __future__ import annotations

import struct

_LENGTH = struct.Struct(">I")
_LIMIT = 1 << 30  # a longer one is either garbage on the stream or a mistake


def framed(message: bytes) -> bytes:
    """The message with its length in front.

    Raises:
        ValueError: it is longer than 1 GiB.
    """
    if len(message) > _LIMIT:
        raise ValueError(f"A message of {len(message):,} bytes is too long; the limit is 1 GiB.")
    return _LENGTH.pack(len(message)) + message


class Frames:
    """Puts messages together again, however the stream was cut into pieces.

    >>> frames = Frames()
    >>> frames.feed(framed(b"one") + framed(b"two")[:5])
    [b'one']
    >>> frames.feed(framed(b"two")[5:])
    [b'two']
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes.

        Raises:
            ValueError: the stream holds something else than framed messages.
        """
        buffer, messages, start = self._buffer, [], 0
        buffer += data
        while len(buffer) >= start + _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, start)
            if length > _LIMIT:
                raise ValueError(f"not a message: it claims a length of {length:,} bytes")
            end = start + _LENGTH.size + length
            if len(buffer) < end:
                break
            messages.append(bytes(buffer[start + _LENGTH.size : end]))
            start = end
        del buffer[:start]
        return messages
