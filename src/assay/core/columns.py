"""The grown past behind histories: columns that are only ever appended to."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Any

from assay.core.events import Broke, Enqueued, Event, Failed, Measured, Retried, Told

NEVER = 2**62
"""The time at which a trial ends that has not ended."""


class Columns:
    """The grown past: one entry a trial, and the other events by what they speak of."""

    __slots__ = (
        "asked", "broke", "configs", "curves", "ended_at", "found", "found_upto", "given", "length",
        "measured", "memos", "milestones", "open", "order", "order_at", "outcomes", "queue", "retries",
        "sampled",
    )  # fmt: skip

    def __init__(self) -> None:
        self.length = 0
        self.asked: list[tuple[int, int, str, Any]] = []  # (seq, seen, origin, why) of each trial
        self.configs: list[dict[str, Any]] = []
        self.ended_at = array("q")
        self.outcomes: list[Told | Failed | None] = []
        self.order = array("q")  # trial numbers in the order in which they ended
        self.order_at = array("q")
        self.open: set[int] = set()  # trials that run, at the newest length
        self.sampled = array("q")  # numbers of the trials that a sampler proposed
        self.given = array("q")  # seq at which the next queued config was taken
        self.queue: list[tuple[int, Enqueued]] = []
        self.curves: dict[int, list[tuple[int, int, float]]] = {}
        self.measured: dict[int, list[tuple[int, Measured]]] = {}
        self.broke: list[tuple[int, Broke]] = []
        self.retries: dict[int, list[tuple[int, Retried]]] = {}
        self.milestones: list[tuple[int, Event]] = []
        self.found: dict[str, int] = {}  # key of a config -> first trial that has it
        self.found_upto = 0
        self.memos: dict[Any, Any] = {}  # what others derive from these columns; see History.memo

    def until(self, length: int) -> Columns:
        """A copy that ends before event number `length`."""
        new = Columns()
        new.length = length
        n = bisect_left(self.asked, length, key=lambda entry: entry[0])
        done = bisect_left(self.order_at, length)
        new.asked, new.configs = self.asked[:n], self.configs[:n]
        new.order, new.order_at = self.order[:done], self.order_at[:done]
        new.ended_at = array("q", (at if at < length else NEVER for at in self.ended_at[:n]))
        new.outcomes = [
            outcome if at < length else None
            for outcome, at in zip(self.outcomes[:n], self.ended_at[:n], strict=True)
        ]
        new.open = {t for t, at in enumerate(new.ended_at) if at == NEVER}
        new.sampled = array("q", (t for t in self.sampled if t < n))
        new.given = array("q", (at for at in self.given if at < length))
        new.queue = before(self.queue, length)
        new.curves = each_before(self.curves, length)
        new.measured = each_before(self.measured, length)
        new.broke = before(self.broke, length)
        new.retries = each_before(self.retries, length)
        new.milestones = before(self.milestones, length)
        return new


def before(entries: list[Any], length: int) -> list[Any]:
    """The (number of the event, …) entries from before event number `length`."""
    return [entry for entry in entries if entry[0] < length]


def each_before(entries: dict[int, list[Any]], length: int) -> dict[int, list[Any]]:
    """The same by trial, without trials that had none yet."""
    return {trial: found for trial, e in entries.items() if (found := before(e, length))}
