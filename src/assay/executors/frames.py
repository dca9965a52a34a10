"""Messages on a byte stream: a mark, the length and a checksum, then the message.

What else somebody writes to the stream is noticed when the next message comes at the latest.
"""

from __future__ import annotations

import struct
import zlib

_HEAD = struct.Struct(">4sII")
_MARK = b"\xa5say"
_LIMIT = 1 << 30  # a longer one is either garbage on the stream or a mistake


def framed(message: bytes) -> bytes:
    """The message with its length in front.

    Raises:
        ValueError: it is longer than 1 GiB.
    """
    if len(message) > _LIMIT:
        raise ValueError(f"A message of {len(message):,} bytes is too long; the limit is 1 GiB.")
    return _HEAD.pack(_MARK, len(message), zlib.crc32(message)) + message


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
        while len(buffer) >= start + _HEAD.size:
            mark, length, checksum = _HEAD.unpack_from(buffer, start)
            if mark != _MARK or length > _LIMIT:
                raise ValueError(f"not a message: it begins with {bytes(buffer[start:][:12])!r}")
            end = start + _HEAD.size + length
            if len(buffer) < end:
                break
            message = bytes(buffer[start + _HEAD.size : end])
            if zlib.crc32(message) != checksum:
                raise ValueError("a message arrived damaged")
            messages.append(message)
            start = end
        del buffer[:start]
        return messages
