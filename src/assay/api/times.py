"""When things happened: the times of rows, which are no part of the events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from assay.core.events import Asked, Failed, Told, decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.api.study import Study
    from assay.core.protocols import Row

_ENDS = (b'"told"', b'"failed"')


class Times:
    """When each trial began and ended, in seconds since the first began; `update` reads what is new."""

    def __init__(self) -> None:
        self.by_trial: dict[int, tuple[float, float | None]] = {}
        self._start: float | None = None
        self._read = 0

    def update(self, rows: Sequence[Row]) -> dict[int, tuple[float, float | None]]:
        """Take in rows that follow those seen before."""
        for row in rows:
            head = row.body[:24]
            if b'"asked"' in head or any(word in head for word in _ENDS):
                self._take(row)
            self._read = row.seq + 1
        return self.by_trial

    @property
    def read(self) -> int:
        """How many rows were taken in."""
        return self._read

    def _take(self, row: Row) -> None:
        event = decode(row.body)
        at = datetime.fromisoformat(row.time).timestamp()
        self._start = at if self._start is None else self._start
        if isinstance(event, Asked):
            self.by_trial[event.trial] = (at - self._start, None)
        elif isinstance(event, Told | Failed) and event.trial in self.by_trial:
            self.by_trial[event.trial] = (self.by_trial[event.trial][0], at - self._start)


def times(study: Study) -> dict[int, tuple[float, float | None]]:
    """When each trial of a study began and ended."""
    return Times().update(study.store.rows(study.name))
