"""Taking turns to ask a study in the database; see `assay.stores.turns` for why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from assay.stores.postgres.link import Link

_LONGEST_WAIT_S = 45.0  # below the limit of a statement


@contextmanager
def turn(
    link: Link, number: int, *, patience_s: float, at_once_s: float = _LONGEST_WAIT_S
) -> Iterator[bool]:
    """Wait for the turn, first come, first served, and have it until the end of the block.

    Args:
        link: its session has the turn, and loses it when it breaks.
        number: of the study.
        patience_s: go on without the turn when the same session had it for so long.
        at_once_s: how long the link, which other threads may need, waits in one piece.

    Yields:
        Whether this is the only one; False where it waited in vain.
    """
    alone = _waited(link, number, patience_s, at_once_s)
    try:
        yield alone
    finally:
        if alone:
            link.call("turn_end", number)


def _waited(link: Link, number: int, patience_s: float, at_once_s: float) -> bool:
    before, since = None, time.monotonic()
    while True:
        piece_ms = max(1, int(1000 * min(patience_s, at_once_s)))
        ((got, holder),) = link.call("turn_take", number, piece_ms)
        if got:
            return True
        if holder != before:
            before, since = holder, time.monotonic() - piece_ms / 1000
        if time.monotonic() - since >= patience_s:
            return False
