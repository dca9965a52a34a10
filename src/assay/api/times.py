"""When things happened: the times of rows, which are no part of the events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.api.study import Study
    from assay.core.protocols import Row, Store

_BEGINS = (b'"asked"', b'"resumed"')
_ENDS = (b'"told"', b'"failed"', b'"stopped"', b'"paused"')
_AT_ONCE = 20_000


class Times:
    """When each trial began and ended, in seconds since the first began; `update` reads what is new.

    A trial that is paused has ended for as long as nobody goes on with it.

    Attributes:
        start: when the first began, in seconds since 1970; None before.
    """

    def __init__(self) -> None:
        self.by_trial: dict[int, tuple[float, float | None]] = {}
        self.start: float | None = None
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
            began = any(word in head for word in _BEGINS)
            if began or any(word in head for word in _ENDS):
                self._take(row, began=began)
            self._read = row.seq + 1
        return self.by_trial

    @property
    def read(self) -> int:
        """How many rows were taken in."""
        return self._read

    def _take(self, row: Row, *, began: bool) -> None:
        trial = _WHOSE.decode(row.body).trial
        at = datetime.fromisoformat(row.time).timestamp()
        self.start = at if self.start is None else self.start
        if began:
            first = self.by_trial.get(trial, (at - self.start, None))[0]
            self.by_trial[trial] = (first, None)
        elif trial in self.by_trial:
            self.by_trial[trial] = (self.by_trial[trial][0], at - self.start)

    def milliseconds(self, trial: int) -> tuple[int, int | None]:
        """When a trial that was seen began and ended, since 1970; None: it has not."""
        assert self.start is not None
        began, ended = self.by_trial[trial]
        end = None if ended is None else round((self.start + ended) * 1000)
        return round((self.start + began) * 1000), end


def milliseconds(time: str) -> int:
    """The time of a row in milliseconds since 1970."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)


class _Whose(msgspec.Struct):
    """Of an event only the trial that it is about: the rest of a million need not be read."""

    trial: int


_WHOSE = msgspec.json.Decoder(_Whose)


def times(study: Study) -> dict[int, tuple[float, float | None]]:
    """When each trial of a study began and ended."""
    return Times().follow(study.store, study.name)
