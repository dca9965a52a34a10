"""Synchronous successive halving, and Hyperband: a rung decides when all its trials are there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from assay.core.fidelity import Fidelity
from assay.core.runs import Go, Pause, Resume, Run, Sign, Verdict
from assay.schedulers.brackets import Shape, checked, shape
from assay.schedulers.field import Field
from assay.schedulers.rungs import Limits, Rungs, check_sign


@dataclass(frozen=True)
class Halving:
    """Brackets of fixed size, one after the other: of each rung, the best 1/eta go on together.

    Every trial waits until the last of its rung is there, so the budget of a bracket is exact and
    the outcome does not depend on who was faster. A slot that is free meanwhile starts the next
    bracket. For few workers and trials that take about equally long.

    Args:
        fidelity: of which trials get more.
        sign: 1 if values are minimised, -1 if they are maximised; several objectives: one for each.
        eta: one in so many goes on.
        brackets: 1: all brackets begin at the lowest rung: successive halving. None: they begin at
            each rung in turn, the lowest first: Hyperband. Or so many of the lowest.
        limits: of several objectives: who keeps to them comes before all who do not.

    Raises:
        SpecError: so many brackets that there are no rungs for them.

    Source: Jamieson and Talwalkar 2016, arXiv:1502.07943; Li et al. 2018, JMLR 18(185), algorithm 1
    with the sizes of its table 1. Differs: a slot never idles at the end of a rung.
    """

    fidelity: Fidelity
    sign: Sign = 1.0
    eta: int = 3
    brackets: int | None = 1
    limits: Limits = ()

    def __post_init__(self) -> None:
        check_sign(self.sign)
        checked(self.fidelity, self.eta, self.brackets)

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The brackets in the order in which they are started; after the last the first again."""
        rungs = len(self.fidelity.rungs(self.eta))
        count = checked(self.fidelity, self.eta, self.brackets)
        return tuple(shape(rungs, self.eta, first) for first in range(count))

    @cached_property
    def _rungs(self) -> tuple[Rungs, ...]:
        return tuple(
            Rungs(self.fidelity, self.sign, self.eta, s.first, self.limits) for s in self.shapes
        )

    @cached_property
    def _field(self) -> Field:
        return Field(self._bracket_of, self._rungs_of)

    def start(self, runs: Sequence[Run]) -> int:
        """The lowest rung of the bracket to which the next trial belongs."""
        number = self._bracket_of(self._field.follow(runs).size)
        return self._kind(number)[0].start

    def judge(self, runs: Sequence[Run], trial: int) -> Verdict:
        """Go until the step that was granted, then pause."""
        run = runs[trial]
        if run.protected or run.step < run.until or run.step >= self.fidelity.most:
            return Go()
        field = self._field.follow(runs)
        number = field.bracket(trial)
        rungs, _ = self._kind(number)
        rank = field.rank(number, rungs.rung_of(run), run.step)
        return Pause(
            f"{rungs.shown(run.step)}: place {rank.place(trial) + 1} of {rank.size} so far with "
            f"{rungs.value(run, run.step)}; when all are there, one in {self.eta} goes on"
        )

    def resume(self, runs: Sequence[Run]) -> Resume | None:
        """The best paused trial of a complete rung, of the oldest bracket first."""
        field = self._field.follow(runs)
        for number in field.open():
            rungs, sizes = self._kind(number)
            for found in _promotions(rungs, sizes, field.runs(number)):
                return found
        return None

    def over(self, runs: Sequence[Run], coming: int | None) -> list[int]:
        """The paused trials that will not be given more, whatever comes: enough are better already."""
        field, found = self._field.follow(runs), list[int]()
        for number in field.open():
            rungs, sizes = self._kind(number)
            for rung, follow in enumerate(sizes[1:], start=rungs.first):
                for step in field.steps(number, rung):
                    found += field.rank(number, rung, step).order.lost(follow)
        return found

    def _rungs_of(self, number: int) -> Rungs:
        return self._kind(number)[0]

    def _kind(self, number: int) -> tuple[Rungs, tuple[int, ...]]:
        """The rungs of a bracket, and how many trials it has on each of them."""
        kind = number % len(self.shapes)
        return self._rungs[kind], self.shapes[kind].sizes

    def _bracket_of(self, index: int) -> int:
        """The number of the bracket to which trial `index` belongs."""
        sizes = [s.sizes[0] for s in self.shapes]
        cycles, index = divmod(index, sum(sizes))
        return cycles * len(sizes) + bisect_right(list(accumulate(sizes)), index)


def _promotions(rungs: Rungs, sizes: tuple[int, ...], members: list[Run]) -> Iterator[Resume]:
    """Who may go on, rung by rung as far as rungs are complete, each with the best first."""
    expected = sizes[0]
    for rung, follow in enumerate(sizes[1:], start=rungs.first):
        standing = rungs.standing(members, _step_at(rungs.steps[rung], members))
        if standing.size < expected:
            return
        until = rungs.steps[rung + 1]
        chosen = standing.trials[:follow]
        by_trial = {run.trial: run for run in members}
        for place, trial in enumerate(chosen):
            run = by_trial[trial]
            if run.state == "paused" and rungs.rung_of(run) == rung:
                yield Resume(
                    trial,
                    until,
                    f"{rungs.shown(standing.step)}: place {place + 1} of {standing.size} with "
                    f"{rungs.value(run, standing.step)}; the best {follow} go on to {until}",
                )
        members = [by_trial[trial] for trial in chosen]
        expected = len(members)


def _step_at(rung: int, members: list[Run]) -> int:
    """The step at which trials are compared on a rung: the first that one of them reported there."""
    steps = [step for run in members for step, _ in run.curve if step >= rung]
    return min(steps, default=rung)
