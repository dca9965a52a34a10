"""Memory that is free goes back to the system: the C library would keep it for each thread."""

from __future__ import annotations

import asyncio
import ctypes
import sys
from functools import cache
from typing import Any

from anyio import to_thread

_EACH_S = 30.0


async def give_back_now_and_then() -> None:
    """Give back free memory every half minute, until it is cancelled.

    Answers are made by a few dozen threads, and glibc keeps what one of them has freed for that
    thread: over an hour of updates that grows to twice what is in use.
    """
    while trim() is not None:
        await asyncio.sleep(_EACH_S)
        await to_thread.run_sync(give_back)


def give_back() -> bool:
    """Give back what is free; whether there was something, or a way to."""
    found = trim()
    return found is not None and bool(found(0))


@cache
def trim() -> Any:
    """`malloc_trim` of glibc; None where the C library has none."""
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
