"""Taking turns to ask: of many processes that want a proposal of one study, one makes it at a time.

A proposal that is made while another process writes one comes too late and has to be made again. With a
sampler that thinks, most of the work would be lost, and who is slow might never get through. Turns save
that work, and nothing else depends on them: what may be written the log alone decides. So one who has
the turn and does not move, because its process was stopped, is waited for a minute and no longer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.stores import oslocks

_FIRST_PAUSE_S = 0.02
_LAST_PAUSE_S = 0.002
"""Who has waited longer looks more often, and so comes first, mostly."""


@contextmanager
def turn(path: Path, *, patience_s: float = 60.0) -> Iterator[bool]:
    """Wait for the turn, and have it until the end of the block; the kernel takes it from the dead.

    Args:
        path: of the lock file, which is made if it is missing and stays.
        patience_s: go on without the turn when nobody else got it for so long.

    Yields:
        Whether this is the only one; False where it waited in vain, or cannot write there.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        yield False
        return
    try:
        yield _waited(file, patience_s)
    finally:
        os.close(file)


def _waited(file: int, patience_s: float) -> bool:
    """Until the lock is ours (True), or the number of turns has stood still for too long."""
    turns, since, pause_s = _turns(file), time.monotonic(), _FIRST_PAUSE_S
    while not oslocks.taken(file):
        if (now := _turns(file)) != turns:
            turns, since = now, time.monotonic()
        elif time.monotonic() - since > patience_s:
            return False
        time.sleep(pause_s)
        pause_s = max(0.8 * pause_s, _LAST_PAUSE_S)
    turns = _turns(file)
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, (turns + 1).to_bytes(8, "big"))
    return True


def _turns(file: int) -> int:
    os.lseek(file, 0, os.SEEK_SET)
    return int.from_bytes(os.read(file, 8), "big")
