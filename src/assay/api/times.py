"""When things happened: the times of rows, which are no part of the events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.api.study import Study
    from assay.core.protocols import Row, Store

_ENDS = (b'"told"', b'"failed"')
_AT_ONCE = 20_000


class Times:
    """When each trial began and ended, in seconds since the first began; `update` reads what is new."""

    def __init__(self) -> None:
        self.by_trial: dict[int, tuple[float, float | None]] = {}
        self._start: float | None = None
        self._read = 0

    def follow(self, store: Store, name: str) -> dict[int, tuple[float, float | None]]:
        """Take in all rows of a study that were not seen yet, a part of them at a time."""
        while rows := store.rows(name, after=self._read, most=_AT_ONCE):
            self.update(rows)
        return self.by_trial

    def update(self, rows: Sequence[Row]) -> dict[int, tuple[float, float | None]]:
        """Take in rows that follow those seen before."""
        for row in rows:
            head = row.body[:24]
            if b'"asked"' in head or any(word in head for word in _ENDS):
                self._take(row, began=b'"asked"' in head)
            self._read = row.seq + 1
        return self.by_trial

    @property
    def read(self) -> int:
        """How many rows were taken in."""
        return self._read

    def _take(self, row: Row, *, began: bool) -> None:
        trial = _WHOSE.decode(row.body).trial
        at = datetime.fromisoformat(row.time).timestamp()
        self._start = at if self._start is None else self._start
        if began:
            self.by_trial[trial] = (at - self._start, None)
        elif trial in self.by_trial:
            self.by_trial[trial] = (self.by_trial[trial][0], at - self._start)


class _Whose(msgspec.Struct):
    """Of an event only the trial that it is about: the rest of a million need not be read."""

    trial: int


_WHOSE = msgspec.json.Decoder(_Whose)


def times(study: Study) -> dict[int, tuple[float, float | None]]:
    """When each trial of a study began and ended."""
    return Times().follow(study.store, study.name)
