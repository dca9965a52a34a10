"""The field: who takes part, in which bracket, and who stands where, kept from one decision to the next.

A scheduler is asked after each report, and of all trials one has changed. So what changed is found by
identity, and only that is sorted in. What is answered depends on the runs alone.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import compress
from operator import is_not

from assay.core.runs import Run
from assay.schedulers.fronts import Fronts, Losses
from assay.schedulers.rungs import Rungs

_MOST_RANKS = 64
"""Trials that report at odd steps are compared at many: those asked for longest ago are forgotten."""


def changes(known: Sequence[Run], now: Sequence[Run]) -> list[int]:
    """The trials of which both have runs, and not the same."""
    return list(compress(range(len(now)), map(is_not, known, now)))


class Line:
    """Trials by one loss, and which of them wait, the best first."""

    def __init__(self) -> None:
        self.places: list[tuple[float, int]] = []
        self.waiting: list[tuple[float, int]] = []

    def put(self, trial: int, losses: Losses) -> None:
        """Take in a trial."""
        insort(self.places, (losses[0], trial))

    def drop(self, trial: int, losses: Losses) -> None:
        """Forget a trial."""
        _take(self.places, (losses[0], trial))

    def wait(self, trial: int, losses: Losses, waits: bool) -> None:
        """Say whether a trial waits."""
        _take(self.waiting, (losses[0], trial))
        if waits:
            insort(self.waiting, (losses[0], trial))

    def before(self, losses: Losses) -> int:
        """How many trials are strictly better."""
        return bisect_left(self.places, (losses[0], -1))

    def place(self, trial: int, losses: Losses) -> int:
        """The place of a trial, 0 for the best."""
        return bisect_left(self.places, (losses[0], trial))

    def trials(self, most: int) -> list[int]:
        """The best trials, so many of them."""
        return [trial for _, trial in self.places[:most]]

    def earned(self, most: int) -> int | None:
        """The best trial that waits, if it is among so many."""
        first = self.waiting[:1]
        return first[0][1] if first and bisect_left(self.places, first[0]) < most else None

    def lost(self, place: int) -> list[int]:
        """The trials that wait, and will not come before this place whoever else comes."""
        if place >= len(self.places):
            return []
        return [trial for _, trial in self.waiting[bisect_left(self.waiting, self.places[place]) :]]


class Rank:
    """Who came to one rung, by what they had at one step, and which of them wait there."""

    def __init__(self, rungs: Rungs, rung: int, step: int, runs: Sequence[Run]) -> None:
        self.rungs, self.rung, self.step = rungs, rung, step
        self.order = Fronts() if isinstance(rungs.sign, tuple) else Line()
        self._losses: dict[int, Losses] = {}
        self._missed: set[int] = set()
        for run in runs:
            self.put(run)

    @property
    def size(self) -> int:
        """How many came to the rung or failed on the way."""
        return len(self._losses) + len(self._missed)

    def place(self, trial: int) -> int:
        """The place of a trial that stands here, 0 for the best."""
        return self.order.place(trial, self._losses[trial])

    def better(self, trial: int) -> int:
        """How many are strictly better than a trial that stands here."""
        return self.order.before(self._losses[trial])

    def put(self, run: Run) -> None:
        """Take in how a run stands now."""
        trial, rungs = run.trial, self.rungs
        came = rungs.came(run, self.rung)
        losses = rungs.losses(run, self.step) if came else None
        known = self._losses.get(trial)
        if known is not None and known != losses:
            self.order.wait(trial, known, False)
            self.order.drop(trial, known)
            del self._losses[trial]
        if losses is not None:
            if known != losses:
                self._losses[trial] = losses
                self.order.put(trial, losses)
            self.order.wait(trial, losses, run.state == "paused" and run.step == self.step)
        self._missed.discard(trial)
        if came and losses is None and run.state == "failed":
            self._missed.add(trial)


class Field:
    """The trials that take part, by bracket.

    Args:
        bracket_of: the bracket of the trial with an index among those that take part.
        rungs_of: the rungs of a bracket.
    """

    def __init__(self, bracket_of: Callable[[int], int], rungs_of: Callable[[int], Rungs]) -> None:
        self._bracket_of, self._rungs_of = bracket_of, rungs_of
        self._forget()

    def __reduce__(self) -> tuple[type[Field], tuple[Callable[[int], int], Callable[[int], Rungs]]]:
        return Field, (self._bracket_of, self._rungs_of)

    def _forget(self) -> None:
        self._runs: tuple[Run, ...] = ()
        self._bracket: list[int] = []  # of each trial; -1: it takes no part
        self._ranks: dict[tuple[int, int, int], Rank] = {}
        self._waits: dict[int, int] = {}  # the step at which a trial waits
        self._paused: dict[int, Counter[int]] = {}  # by bracket: how many wait at a step
        self.size = 0
        self.members: dict[int, list[int]] = {}

    def follow(self, runs: Sequence[Run]) -> Field:
        """Take in what changed since the last call."""
        if runs is self._runs:
            return self
        now, known = tuple(runs), self._runs
        changed = changes(known, now)
        if len(now) < len(known) or any(known[t].protected != now[t].protected for t in changed):
            self._forget()
            changed, known = [], ()
        self._runs = now
        for run in now[len(known) :]:
            self._add(run)
        for trial in changed:
            self._change(now[trial])
        return self

    def _add(self, run: Run) -> None:
        bracket = -1 if run.protected else self._bracket_of(self.size)
        self._bracket.append(bracket)
        if not run.protected:
            self.size += 1
            self.members.setdefault(bracket, []).append(run.trial)
            self._change(run)

    def _change(self, run: Run) -> None:
        bracket = self._bracket[run.trial]
        if bracket < 0:
            return
        waiting = self._paused.setdefault(bracket, Counter())
        if (step := self._waits.pop(run.trial, None)) is not None:
            waiting[step] -= 1
        if run.state == "paused":
            self._waits[run.trial] = run.step
            waiting[run.step] += 1
        for (of, _, _), rank in self._ranks.items():
            if of == bracket:
                rank.put(run)

    def bracket(self, trial: int) -> int:
        """The bracket of a trial that takes part."""
        return self._bracket[trial]

    def runs(self, bracket: int) -> list[Run]:
        """The runs of a bracket, by trial."""
        return [self._runs[trial] for trial in self.members.get(bracket, ())]

    def open(self) -> list[int]:
        """The brackets in which trials wait, the oldest first."""
        return sorted(bracket for bracket, waiting in self._paused.items() if any(waiting.values()))

    def steps(self, bracket: int, rung: int) -> list[int]:
        """The steps at which trials wait on a rung of a bracket, the lowest first."""
        waiting, rungs = self._paused.get(bracket, Counter()), self._rungs_of(bracket)
        return sorted(step for step, count in waiting.items() if count and rungs.at(step) == rung)

    def rank(self, bracket: int, rung: int, step: int) -> Rank:
        """How those stand that came to a rung of a bracket, by what they had at a step."""
        key = (bracket, rung, step)
        if key not in self._ranks:
            if len(self._ranks) >= _MOST_RANKS:
                del self._ranks[next(iter(self._ranks))]
            self._ranks[key] = Rank(self._rungs_of(bracket), rung, step, self.runs(bracket))
        return self._ranks[key]


def _take(places: list[tuple[float, int]], place: tuple[float, int]) -> None:
    at = bisect_left(places, place)
    if at < len(places) and places[at] == place:
        del places[at]
