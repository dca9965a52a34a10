"""Asynchronous successive halving: nobody waits for the others of a rung.

Source: Li et al. 2020, arXiv:1810.05934 (ASHA), and its section on asynchronous Hyperband.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from assay.core.errors import SpecError
from assay.core.fidelity import Fidelity
from assay.core.runs import Go, Pause, Resume, Run, Sign, Stop, Verdict
from assay.schedulers.brackets import bracket_of, checked, shares
from assay.schedulers.field import Field
from assay.schedulers.rungs import Limits, Rungs, check_sign, ladder


@dataclass(frozen=True)
class _Brackets:
    """The brackets of a study without barriers: which trials are in which, and their rungs."""

    fidelity: Fidelity
    sign: Sign
    eta: int
    count: int
    limits: Limits

    @cached_property
    def rungs(self) -> tuple[Rungs, ...]:
        return tuple(
            Rungs(self.fidelity, self.sign, self.eta, f, self.limits) for f in range(self.count)
        )

    @property
    def parts(self) -> tuple[float, ...]:
        return shares(len(self.rungs[0].steps), self.eta, self.count)

    def of(self, index: int) -> int:
        return bracket_of(index, self.parts)

    @cached_property
    def field(self) -> Field:
        """Who takes part, as of the last look."""
        return Field(self.of, self.rungs.__getitem__)


def _ladder_of(of: Asha | AshaStopping) -> Fidelity:
    return of.fidelity if of.parts is None else ladder(of.fidelity, of.parts)


def _brackets_of(of: Asha | AshaStopping) -> _Brackets:
    """The brackets by the settings of a scheduler."""
    steps = _ladder_of(of)
    return _Brackets(steps, of.sign, of.eta, checked(steps, of.eta, of.brackets), of.limits)


@dataclass(frozen=True)
class AshaStopping:
    """Stops a trial at a rung unless it is among the best 1/eta of those that came there so far.

    Nothing is paused, so it needs no checkpoints. While fewer than eta trials have come to a rung,
    all go on. Of equal values none is stopped for the other.

    Args:
        fidelity: of which trials get more; one that is reported on the way.
        sign: 1 if values are minimised, -1 if they are maximised; several objectives: one for each.
        eta: one in so many goes on.
        brackets: 1: all begin at the lowest rung. More: some are first judged at a higher rung, in
            Hyperband's shares. None: a bracket for each rung.
        parts: the first rung is this part of the full fidelity; None: its least.
        limits: of several objectives: who keeps to them comes before all who do not.

    Raises:
        SpecError: a fidelity of kind "subset", or so many brackets that there are no rungs for them, or wrong parts.
    """

    fidelity: Fidelity
    sign: Sign = 1.0
    eta: int = 3
    brackets: int | None = 1
    parts: int | None = None
    limits: Limits = ()

    def __post_init__(self) -> None:
        check_sign(self.sign)
        if self.fidelity.kind == "subset":
            raise SpecError(
                f"Fidelity {self.fidelity.name!r} is reported at the end of an evaluation only, so "
                "there is nothing to stop. Use 'asha', 'halving' or 'hyperband'."
            )
        checked(_ladder_of(self), self.eta, self.brackets)

    @cached_property
    def _brackets(self) -> _Brackets:
        return _brackets_of(self)

    def start(self, runs: Sequence[Run]) -> int:
        """The full fidelity."""
        return self.fidelity.most

    def judge(self, runs: Sequence[Run], trial: int) -> Verdict:
        """Go or stop, by the rank at the rung that the newest report reached."""
        run = runs[trial]
        if run.protected or run.step >= self.fidelity.most:
            return Go()
        field = self._brackets.field.follow(runs)
        own = field.bracket(trial)
        rungs = self._brackets.rungs[own]
        rung = rungs.reached(run)
        if rung is None or rungs.losses(run, run.step) is None:
            return Go()
        rank = field.rank(own, rung, run.step)
        keep = rank.size // self.eta
        better = rank.better(trial)
        if keep == 0 or better < keep:
            return Go()
        last = runs[rank.order.trials(keep)[-1]]
        return Stop(
            f"{rungs.shown(run.step)}: {better} of {rank.size} are {rungs.better_than} "
            f"{rungs.value(run, run.step)}; the best {keep} go on, up to {rungs.value(last, run.step)}"
        )

    def resume(self, runs: Sequence[Run]) -> Resume | None:
        """Nothing: nothing was paused."""
        return None


@dataclass(frozen=True)
class Asha:
    """Pauses every trial at each rung, and lets the best 1/eta of those that came there go on.

    A free slot goes to the highest rung at which a paused trial is among the best 1/eta, and to a
    new trial where there is none. So more is never given to a trial just because it was early.

    Args:
        fidelity: of which trials get more.
        sign: 1 if values are minimised, -1 if they are maximised; several objectives: one for each.
        eta: one in so many goes on.
        brackets: 1: all begin at the lowest rung. More: some begin at a higher rung, in Hyperband's
            shares. None: a bracket for each rung.
        parts: the first rung is this part of the full fidelity; None: its least.
        limits: of several objectives: who keeps to them comes before all who do not.

    Raises:
        SpecError: so many brackets that there are no rungs for them, or wrong parts.
    """

    fidelity: Fidelity
    sign: Sign = 1.0
    eta: int = 3
    brackets: int | None = 1
    parts: int | None = None
    limits: Limits = ()

    def __post_init__(self) -> None:
        check_sign(self.sign)
        checked(_ladder_of(self), self.eta, self.brackets)

    @cached_property
    def _brackets(self) -> _Brackets:
        return _brackets_of(self)

    def start(self, runs: Sequence[Run]) -> int:
        """The lowest rung of the bracket to which the next trial belongs."""
        return self._brackets.rungs[self._brackets.of(self._brackets.field.follow(runs).size)].start

    def judge(self, runs: Sequence[Run], trial: int) -> Verdict:
        """Go until the step that was granted, then pause."""
        run = runs[trial]
        if run.protected or run.step < run.until or run.step >= self.fidelity.most:
            return Go()
        rungs, field = self._brackets.rungs[0], self._brackets.field.follow(runs)
        rank = field.rank(field.bracket(trial), rungs.rung_of(run), run.step)
        return Pause(
            f"{rungs.shown(run.step)}: place {rank.place(trial) + 1} of {rank.size} with "
            f"{rungs.value(run, run.step)}; the best {rank.size // self.eta} go on"
        )

    def resume(self, runs: Sequence[Run]) -> Resume | None:
        """The best paused trial of the highest rung at which one has earned more."""
        field = self._brackets.field.follow(runs)
        waiting = field.open()
        for rung in reversed(range(len(self._brackets.rungs[0].steps) - 1)):
            for bracket in waiting:
                if found := self._earned(runs, field, bracket, rung):
                    return found
        return None

    def over(self, runs: Sequence[Run], coming: int | None) -> list[int]:
        """The paused trials that will not be given more, whatever comes.

        Args:
            runs: all trials.
            coming: how many more trials can begin. None: not known; then each rung is expected to
                grow to twice its size at most, and a trial that is given more all the same begins anew.
        """
        field, found = self._brackets.field.follow(runs), list[int]()
        for bracket in field.open():
            rungs = self._brackets.rungs[bracket]
            for rung in range(len(rungs.steps) - 1):
                for step in field.steps(bracket, rung):
                    rank = field.rank(bracket, rung, step)
                    all_of_them = len(field.members[bracket])
                    most = 2 * rank.size if coming is None else all_of_them + coming
                    found += rank.order.lost(most // self.eta)
        return found

    def _earned(self, runs: Sequence[Run], field: Field, bracket: int, rung: int) -> Resume | None:
        rungs = self._brackets.rungs[bracket]
        for step in reversed(field.steps(bracket, rung)):
            rank = field.rank(bracket, rung, step)
            keep = rank.size // self.eta
            trial = rank.order.earned(keep)
            if trial is not None:
                until = rungs.steps[rung + 1]
                reason = (
                    f"{rungs.shown(step)}: place {rank.place(trial) + 1} of {rank.size} with "
                    f"{rungs.value(runs[trial], step)}; the best {keep} go on to {until}"
                )
                return Resume(trial, until, reason)
        return None
