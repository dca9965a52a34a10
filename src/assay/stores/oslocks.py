"""The system's lock on an open file, which it frees when the holder dies: POSIX's and Windows'."""

from __future__ import annotations

import os

from assay.core.errors import StoreError

try:
    import fcntl
except ModuleNotFoundError:
    fcntl = None  # type: ignore[assignment]

_PLACE = 1 << 30
"""Windows locks bytes, and nobody else can read those: one far behind whatever the file holds."""


def taken(fd: int) -> bool:
    """Whether the lock is ours now; False where another holds it. It is never waited for.

    Raises:
        StoreError: this system has no lock on files that is known here.
    """
    try:
        if fcntl is not None:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            _on_windows(fd, "LK_NBLCK")
    except (BlockingIOError, PermissionError):
        return False
    return True


def given_back(fd: int) -> None:
    """Let go of a lock that is ours."""
    if fcntl is not None:
        fcntl.flock(fd, fcntl.LOCK_UN)
    else:
        _on_windows(fd, "LK_UNLCK")


def _on_windows(fd: int, mode: str) -> None:
    try:
        import msvcrt
    except ModuleNotFoundError as error:
        raise StoreError(
            "This Python has neither fcntl nor msvcrt, so that no file can be locked, and a study in "
            "SQLite would not be safe. Use PostgreSQL, or leave storage out to keep the study in memory."
        ) from error
    os.lseek(fd, _PLACE, os.SEEK_SET)
    msvcrt.locking(fd, getattr(msvcrt, mode), 1)  # type: ignore[attr-defined,unused-ignore]
