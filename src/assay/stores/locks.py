"""A lock between processes, and which SQLite libraries need it.

SQLite 3.7.0 to 3.51.2 can lose commits, or damage a database in WAL mode, when one connection
commits and thereby starts the WAL anew while another is checkpointing
(https://www.sqlite.org/wal.html, "The WAL-Reset Bug"). Where the linked library has this bug, one
lock is held around every commit, checkpoint, open and close: they never happen at the same time.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType

from assay.core.errors import StoreError
from assay.stores import oslocks

_FIRST_PAUSE_S = 0.0002
_LONGEST_PAUSE_S = 0.01


def affected(version: tuple[int, ...]) -> bool:
    """Whether this version of SQLite has the WAL-reset bug.

    Source: the release notes of SQLite 3.51.3; the fix is also in 3.44.6 and 3.50.7.

    >>> affected((3, 40, 1)), affected((3, 44, 6)), affected((3, 51, 3))
    (True, False, False)
    """
    if (3, 44, 6) <= version < (3, 45) or (3, 50, 7) <= version < (3, 51):
        return False
    return (3, 7, 0) <= version < (3, 51, 3)


class FileLock:
    """A lock that one holder at a time has, in whatever process or thread; for `with`.

    The kernel frees it when the holder dies. The file stays: a lock file that is removed would let
    two holders in, each with a lock on a file of the same name.
    """

    def __init__(self, path: Path, *, timeout_s: float = 30.0) -> None:
        self._path = path
        self._timeout_s = timeout_s
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(
                f"Cannot open the lock file {path}: {error.strerror}. A study file needs a "
                "writable lock file beside it while it is written."
            ) from error

    def __enter__(self) -> None:
        deadline = time.monotonic() + self._timeout_s
        pause_s = _FIRST_PAUSE_S
        while not oslocks.taken(self._fd):
            if time.monotonic() > deadline:
                raise StoreError(
                    f"Another process has kept {self._path} locked for {self._timeout_s:g} s. "
                    "Look for one that is stopped or hangs (`fuser` names it), end it, try again."
                )
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        oslocks.given_back(self._fd)

    def close(self) -> None:
        """Give the file back; in a fork this leaves the lock with the process that holds it."""
        os.close(self._fd)
