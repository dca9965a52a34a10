"""Whether a worker is as good as new after a job: what a job may leave behind, and what is mended."""

from __future__ import annotations

import os
import resource
import signal
import threading
from contextlib import suppress

from assay.executors import processes

_GROWTH_FACTOR = 2
_GROWTH_BYTES = 512 << 20
_STANDARD = (0, 1, 2)
_SIGNALS = [s for s in signal.valid_signals() if s not in (signal.SIGKILL, signal.SIGSTOP)]
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_LIMITS = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
_OFF = (signal.SIG_DFL, signal.SIG_IGN)


class Health:
    """What a process is like when it starts, to compare with after each job.

    Libraries may keep what they need: handlers for signals, daemon threads, variables. What would
    make the next trial fail or slow, or wait for the wrong thing, means a new process.
    """

    def __init__(self) -> None:
        self._memory: int | None = None
        self._standard = _identities()
        self._handlers = _handlers()
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        self._limits = _limits()
        self._mask = _umask()
        self._folder: str | None = None
        with suppress(OSError):
            self._folder = os.getcwd()

    def renew(self) -> None:
        """Back to the folder and the file mode that every job begins with."""
        if self._folder is not None:
            with suppress(OSError):  # deleted: then every process is as badly off
                os.chdir(self._folder)
        os.umask(self._mask)

    def good(self) -> bool:
        """Nothing of the last job is left over that would disturb the next."""
        return (
            self._small()
            and not _has_children()
            and not _has_threads()
            and not any(signal.getitimer(timer)[0] for timer in _TIMERS)
            and _identities() == self._standard
            and signal.pthread_sigmask(signal.SIG_BLOCK, []) == self._blocked
            and not any(
                now in _OFF and now != old
                for now, old in zip(_handlers(), self._handlers, strict=True)
            )
            and not any(_below(now, old) for now, old in zip(_limits(), self._limits, strict=True))
        )

    def _small(self) -> bool:
        """Is memory not far above its level after the first job?"""
        used = processes.resident_bytes(os.getpid())
        if self._memory is None:
            self._memory = max(_GROWTH_FACTOR * used, used + _GROWTH_BYTES)
        return used <= self._memory


def _has_children() -> bool:
    """Are there child processes? Reaps those that ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _has_threads() -> bool:
    """Are there threads that somebody should have waited for?"""
    return sum(not thread.daemon for thread in threading.enumerate()) > 1


def _identities() -> list[tuple[int, int] | None]:
    """What the standard streams are, by device and inode; None for a closed one."""
    found: list[tuple[int, int] | None] = []
    for fd in _STANDARD:
        try:
            status = os.fstat(fd)
            found.append((status.st_dev, status.st_ino))
        except OSError:
            found.append(None)
    return found


def _handlers() -> list[object]:
    return [signal.getsignal(number) for number in _SIGNALS]


def _limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(limit) for limit in _LIMITS]


def _below(now: tuple[int, int], old: tuple[int, int]) -> bool:
    """Is a limit lower than it was? -1 is infinity."""
    return any(a != -1 and (b == -1 or a < b) for a, b in zip(now, old, strict=True))


def _umask() -> int:
    """The file mode mask; it can only be read by setting it."""
    mask = os.umask(0o77)
    os.umask(mask)
    return mask
