"""Stored events as values again: the same for every store that keeps bytes."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from assay.core.errors import StoreError, TamperError
from assay.core.events import Event, decode


def decoded(
    rows: Iterable[tuple[int, bytes]], study: str, *, after: int, where: object
) -> list[Event]:
    """The events of rows (number, body), which must be numbered from `after` without a gap.

    Raises:
        TamperError: a row is missing, or cannot be read.
    """
    events: list[Event] = []
    number = after
    for seq, text in rows:
        if seq != number:
            raise _damaged(study, number, where, f"the next one is row {seq}")
        try:
            events.append(decode(text))
        except StoreError as error:
            raise _damaged(study, number, where, str(error)) from None
        number += 1
    return events


def _damaged(study: str, number: int, where: object, why: str) -> TamperError:
    return TamperError(
        f"Row {number} of study {study!r} in {where} is missing or was changed: {why}. "
        "Verify the study to see all that is wrong, and restore a backup."
    )


@contextmanager
def no_garbage() -> Iterator[None]:
    """No search for garbage meanwhile.

    Among 200,000 new events there is none, but seeing that takes half of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
