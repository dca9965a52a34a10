"""The grown past behind histories: columns that are only ever appended to."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from math import isnan
from typing import Any, NamedTuple, TypeAlias

from assay.core.events import (
    Broke,
    Enqueued,
    Event,
    Failed,
    Measured,
    Paused,
    Resumed,
    Retried,
    Stopped,
    Told,
)
from assay.core.packed import Column, Packed

Move: TypeAlias = Paused | Stopped | Resumed
"""What a scheduler did with a trial."""
NEVER = 2**62
"""The time at which a trial ends that has not ended."""
_NONE = ("none",)
_FAILED = ("failed",)


class Ends(NamedTuple):
    """How trials ended that have equally many values, and extra values of the same names, as columns.

    `places` are theirs in the order of ends. `values` are empty for trials that failed.
    """

    places: array[int]
    values: list[Column]
    cpu_s: Column
    wall_s: Column


class Columns:
    """The grown past: one entry a trial, and the other events by what they speak of.

    Of a trial numbers are kept, not objects: 500,000 trials of ten numbers take 100 MB.
    """

    __slots__ = (
        "asked_at", "broke", "configs", "cpu_s", "ended_at", "ends", "found", "found_upto", "given",
        "granted", "kinds", "last_report", "length", "looks", "measured", "memos", "milestones", "moves",
        "open", "order",
        "order_at", "origins", "queue", "report_at", "report_before", "report_others", "report_step",
        "report_value",
        "retries", "sampled", "seen", "touched", "whys",
    )  # fmt: skip

    def __init__(self) -> None:
        self.length = 0
        self.asked_at = array("q")  # number of the event that asked for each trial
        self.seen = array("q")
        self.origins: list[str] = []
        self.whys = Packed()
        self.configs = Packed()
        self.ended_at = array("q")
        self.order = array("q")  # trial numbers in the order in which they ended
        self.order_at = array("q")
        self.ends = Packed()  # how they ended, in that order
        self.looks = array("q")  # units that the search evaluated up to each end, in ended trials
        self.cpu_s = array("d")  # and what they took
        self.open: set[int] = set()  # trials that run, at the newest length
        self.sampled = array("q")  # numbers of the trials that a sampler proposed
        self.given = array("q")  # seq at which the next queued config was taken
        self.queue: list[tuple[int, Enqueued]] = []
        self.report_at = array("q")  # of each report: number of its event, step, value,
        self.report_step = array("q")
        self.report_value = array("d")
        self.report_others = array("d")  # equally many of each report; NaN: it had one value alone
        self.report_before = array("q")  # and the place of the one before of its trial; -1: none
        self.last_report = array("q")  # of each trial: the place of its newest report; -1: none
        self.measured: dict[int, list[tuple[int, Measured]]] = {}
        self.broke: list[tuple[int, Broke]] = []
        self.retries: dict[int, list[tuple[int, Retried]]] = {}
        self.granted = array("q")  # of each trial: the step to which it was first to run; 0: all
        self.moves: dict[int, list[tuple[int, Move]]] = {}
        self.touched: set[int] = set()  # trials of which a run must be made anew; see `core.moves`
        self.milestones: list[tuple[int, Event]] = []
        self.kinds: dict[type[Any], list[tuple[int, Event]]] = {}  # milestones by kind
        self.found: dict[str, int] = {}  # key of a config -> first trial that has it
        self.found_upto = 0
        self.memos: dict[Any, Any] = {}  # what others derive from these columns; see History.memo

    # --- what is kept as numbers, as the objects that it stands for

    def config(self, number: int) -> dict[str, Any]:
        """The config of a trial."""
        names, values = self.configs[number]
        return dict(zip(names, values, strict=True))

    def why(self, number: int) -> dict[str, Any] | None:
        """What the proposer of a trial said."""
        names, values = self.whys[number]
        return None if names is _NONE or names == _NONE else dict(zip(names, values, strict=True))

    def outcome(self, number: int) -> Told | Failed | None:
        """How a trial ended, at the newest length."""
        at = self.ended_at[number]
        if at == NEVER:
            return None
        return _outcome(number, *self.ends[bisect_left(self.order_at, at)])

    def outcomes(self, ended: int) -> Iterator[Told | Failed]:
        """How the first `ended` trials that ended did so."""
        for number, (shape, values) in zip(self.order, self.ends.first(ended), strict=False):
            yield _outcome(number, shape, values)

    def tables(self, ended: int) -> Iterator[Ends]:
        """How the first `ended` trials that ended did so, as columns: no object a trial."""
        for shape, places, columns in self.ends.tables_of(ended):
            count = 0 if shape == _FAILED else shape[0]
            yield Ends(places, columns[:count], columns[-2], columns[-1])

    def add_why(self, why: Mapping[str, Any] | None) -> None:
        """Keep what the proposer of the next trial said."""
        if why is None:
            self.whys.append(_NONE, ())
        else:
            self.whys.append(tuple(why), why.values())

    def add_end(self, event: Told | Failed) -> None:
        """Keep how the next trial ended."""
        cost = (event.cpu_s, event.wall_s)
        if isinstance(event, Failed):
            self.ends.append(_FAILED, (event.kind, event.reason, event.output, *cost))
            return
        extra = event.extra
        shape = (len(event.values), None if extra is None else tuple(extra))
        self.ends.append(shape, (*event.values, *(extra or {}).values(), *cost))

    def find_open(self) -> None:
        """Find the trials that run: neither ended nor paused nor stopped."""
        waiting = {t for t, moves in self.moves.items() if not isinstance(moves[-1][1], Resumed)}
        self.open = {t for t, at in enumerate(self.ended_at) if at == NEVER} - waiting

    def until(self, length: int) -> Columns:
        """A copy that ends before event number `length`."""
        new = Columns()
        new.length = length
        n = bisect_left(self.asked_at, length)
        done = bisect_left(self.order_at, length)
        for name in ("asked_at", "seen", "origins", "granted"):
            setattr(new, name, getattr(self, name)[:n])
        new.whys, new.configs = self.whys.until(n), self.configs.until(n)
        for name in ("order", "order_at", "looks", "cpu_s"):
            setattr(new, name, getattr(self, name)[:done])
        new.ends = self.ends.until(done)
        new.ended_at = array("q", (at if at < length else NEVER for at in self.ended_at[:n]))
        new.moves = each_before(self.moves, length)
        new.find_open()
        new.sampled = array("q", (t for t in self.sampled if t < n))
        new.given = array("q", (at for at in self.given if at < length))
        new.queue = before(self.queue, length)
        self._cut_reports(new, n)
        new.measured = each_before(self.measured, length)
        new.broke = before(self.broke, length)
        new.retries = each_before(self.retries, length)
        new.milestones = before(self.milestones, length)
        new.kinds = each_before(self.kinds, length)
        return new

    @property
    def further(self) -> int:
        """How many values of a report are kept beside the first."""
        return len(self.report_others) // max(len(self.report_at), 1)

    def report_places(self, trial: int, length: int) -> dict[int, int]:
        """Where the newest report of each step of a trial is among all reports, the newest first."""
        latest: dict[int, int] = {}
        place = self.last_report[trial]
        while place >= 0:
            if self.report_at[place] < length:
                latest.setdefault(self.report_step[place], place)
            place = self.report_before[place]
        return latest

    def report(self, place: int) -> tuple[float, ...]:
        """The values of a report; of one with one value alone no others."""
        k = self.further
        others = self.report_others[place * k : (place + 1) * k]
        first = self.report_value[place]
        return (first,) if k == 0 or isnan(others[0]) else (first, *others)

    def _cut_reports(self, new: Columns, n: int) -> None:
        kept = bisect_left(self.report_at, new.length)
        for name in ("report_at", "report_step", "report_value", "report_before"):
            setattr(new, name, getattr(self, name)[:kept])
        new.report_others = self.report_others[: kept * self.further]
        for place in self.last_report[:n]:
            while place >= kept:
                place = self.report_before[place]  # noqa: PLW2901 - back along the chain
            new.last_report.append(place)


def _outcome(number: int, shape: Any, values: tuple[Any, ...]) -> Told | Failed:
    if shape == _FAILED:
        return Failed(number, *values)
    count, names = shape
    extra = None if names is None else dict(zip(names, values[count:-2], strict=True))
    return Told(number, values[:count], extra, values[-2], values[-1])


def before(entries: list[Any], length: int) -> list[Any]:
    """The (number of the event, …) entries from before event number `length`."""
    return [entry for entry in entries if entry[0] < length]


def each_before(entries: dict[Any, list[Any]], length: int) -> dict[Any, list[Any]]:
    """The same by trial or kind, without those that had none yet."""
    return {key: found for key, e in entries.items() if (found := before(e, length))}
