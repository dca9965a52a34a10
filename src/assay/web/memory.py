"""Memory that is free goes back to the system: the C library would keep it for each thread."""

from __future__ import annotations

import asyncio
import ctypes
import sys
from functools import cache
from typing import Any

from anyio import to_thread

_EACH_S = 30.0
_LARGE_BYTES = 131_072
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # names of `mallopt` in glibc's malloc.h


async def give_back_now_and_then() -> None:
    """Give back free memory every half minute, until it is cancelled.

    Answers are made by a few dozen threads, and glibc keeps what one of them has freed for that
    thread: over an hour of updates that grows to twice what is in use.
    """
    give_large_back_at_once()
    while trim() is not None:
        await asyncio.sleep(_EACH_S)
        await to_thread.run_sync(give_back)


def give_large_back_at_once() -> bool:
    """Let arrays go back when they are freed, for this whole process; whether there was a way to.

    glibc keeps what is smaller than the largest array that was freed so far, up to 32 MB; here it
    keeps what is smaller than 128 kB, whatever was freed.
    """
    if (options := _of_c("mallopt")) is None:
        return False
    large = [options(name, _LARGE_BYTES) for name in (_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD)]
    return all(large)


def give_back() -> bool:
    """Give back what is free; whether there was something, or a way to."""
    found = trim()
    return found is not None and bool(found(0))


@cache
def trim() -> Any:
    """`malloc_trim` of glibc; None where the C library has none."""
    return _of_c("malloc_trim")


def _of_c(name: str) -> Any:
    """A function of the C library; None where it has none of this name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
