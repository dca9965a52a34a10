"""The last lines that a worker printed."""

from __future__ import annotations

import os

from assay.executors.text import harmless

_KEPT = 8192
_CHUNK = 1 << 16
_CHUNKS_AT_ONCE = 64


class Output:
    """The read end of a pipe, of which only the last 8 kB are kept; `write_end` is for the child.

    Memory stays bounded whatever is printed, and no bytes are unprintable.
    """

    def __init__(self) -> None:
        self._fd, self.write_end = os.pipe()
        os.set_blocking(self._fd, False)
        self._tail = b""

    def fileno(self) -> int:
        return self._fd

    def read(self) -> bool:
        """Take one chunk, if there is one; False when every writer is gone."""
        return self._take() != b""

    def clear(self) -> None:
        """Forget what was printed until now."""
        self._drain()
        self._tail = b""

    def text(self) -> str:
        """The tail as text that is safe to show."""
        self._drain()
        return harmless(self._tail.decode("utf-8", errors="replace"))

    def close_write_end(self) -> None:
        os.close(self.write_end)

    def close(self) -> None:
        os.close(self._fd)

    def _drain(self) -> None:
        for _ in range(_CHUNKS_AT_ONCE):  # bounded: a process left over may print for ever
            if not self._take():
                return

    def _take(self) -> bytes | None:
        try:
            chunk = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return None
        self._tail = (self._tail + chunk)[-_KEPT:]
        return chunk
