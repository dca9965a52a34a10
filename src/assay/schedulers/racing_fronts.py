"""Racing over folds with several objectives: a trial is stopped once another is surely ahead in all.

A trial of the front, with all folds, leaves another behind if it is ahead on the mean of all folds in
each objective. What is not known of that are the missing folds, as in `assay.schedulers.racing`: in one
objective the other still passes it with the chance that `chance_to_win` gives, so in any of them with at
most the sum of these chances, however the objectives depend on each other. A trial is stopped when that
sum is below alpha / looks for one of the front.

Where the objectives are measured in other units, or named in another order, nothing changes. A trial
that breaks a limit on an objective stops none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from assay.core.errors import SpecError
from assay.core.fidelity import Fidelity
from assay.core.runs import Go, Resume, Run, Sign, Stop, Verdict, signs_of
from assay.math.checks import Array
from assay.math.pareto import front_ranks
from assay.math.race import chance_to_win
from assay.schedulers.racing import check_racing
from assay.schedulers.rungs import Limits, in_words, limited, values_at


@dataclass(frozen=True)
class RacingFronts:
    """Stops a trial before its last fold when a complete one is clearly ahead in every objective.

    Args:
        fidelity: of kind "folds".
        sign: of each objective 1 if it is minimised, -1 if it is maximised.
        alpha: by one complete trial, at most this share is stopped of the trials that would have passed
            it in some objective.
        limits: (place of the objective, sign, sign * bound) of each constraint on an objective.

    Raises:
        SpecError: a fidelity of another kind, or an alpha not between 0 and 1.

    Source: the test of `assay.schedulers.racing`; Bonferroni's bound over objectives.
    """

    fidelity: Fidelity
    sign: Sign = (1.0, 1.0)
    alpha: float = 0.2
    limits: Limits = ()

    def __post_init__(self) -> None:
        check_racing(self.fidelity, self.alpha)
        if len(signs_of(self.sign)) < 2:
            raise SpecError("Fronts need several objectives. Use 'racing'.")

    def start(self, runs: Sequence[Run]) -> int:
        """All folds."""
        return self.fidelity.most

    def judge(self, runs: Sequence[Run], trial: int) -> Verdict:
        """Go or stop, against each trial of the front of those that have all folds."""
        run, folds = runs[trial], self.fidelity.most
        if run.protected or not 2 <= run.step < folds or len(run.others) != run.step:
            return Go()
        ours, past = by_fold(self.sign, run), self._past.follow(runs)
        limit = self.alpha / (folds - 2)
        for rival in past.front:
            behind = ours - past.losses[rival][: run.step]
            chance = sum(
                chance_to_win(column.tolist(), folds, earlier)
                for column, earlier in zip(behind.T, past.variances(rival), strict=True)
            )
            if chance < limit:
                said = in_words(values_at(self.fidelity, run, run.step) or ())
                return Stop(
                    f"{self.fidelity.name} {run.step} of {folds}: with {said} behind trial "
                    f"{rival} in every objective, and the chance to pass it in one on the other "
                    f"{folds - run.step} is {chance:.2g} (< {limit:.2g})"
                )
        return Go()

    def resume(self, runs: Sequence[Run]) -> Resume | None:
        """Nothing: nothing was paused."""
        return None

    @cached_property
    def _past(self) -> _Past:
        return _Past(self.fidelity, self.sign, self.limits)


class _Past:
    """The trials that have all folds and keep to the limits, kept from one decision to the next.

    Attributes:
        losses: of each, shape (folds, objectives).
        front: those that no other dominates on the means, the oldest first.
    """

    def __init__(self, fidelity: Fidelity, sign: Sign, limits: Limits) -> None:
        self._fidelity, self._sign, self._limits = fidelity, sign, limits
        self._forget()

    def __reduce__(self) -> tuple[type[_Past], tuple[Fidelity, Sign, Limits]]:
        return _Past, (self._fidelity, self._sign, self._limits)

    def _forget(self) -> None:
        self._runs: Sequence[Run] = ()
        self.losses: dict[int, Array] = {}
        self.front: list[int] = []

    def follow(self, runs: Sequence[Run]) -> _Past:
        """Take in what changed since the last call."""
        if runs is self._runs:
            return self
        if any(runs[n] is not self._runs[n] for n in self.losses if n < len(runs)) or (
            len(runs) < len(self._runs)
        ):
            self._forget()
        self._runs = tuple(runs)
        new = [run for run in runs if run.trial not in self.losses and self._counts(run)]
        for run in new:
            self.losses[run.trial] = by_fold(self._sign, run)
        if new:
            trials = sorted(self.losses)
            ranks = front_ranks([self.losses[trial].mean(axis=0) for trial in trials])
            self.front = [trial for trial, rank in zip(trials, ranks, strict=True) if rank == 0]
        return self

    def _counts(self, run: Run) -> bool:
        if run.state != "done" or len(run.others) != self._fidelity.most:
            return False
        signs = signs_of(self._sign)
        means = by_fold(self._sign, run).mean(axis=0).tolist()
        return bool(np.isfinite(limited(tuple(means), signs, self._limits)).all())

    def variances(self, rival: int) -> list[float] | list[None]:
        """The variance of fold differences that others have to one, by objective; None: no others."""
        theirs = self.losses[rival]
        others = [own - theirs for trial, own in self.losses.items() if trial != rival]
        if not others:
            return [None] * theirs.shape[1]
        found: list[float] = np.var(others, axis=1, ddof=1).mean(axis=0).tolist()
        return found


def by_fold(sign: Sign, run: Run) -> Array:
    """The losses of a run, shape (folds, objectives)."""
    values = [(first, *rest) for (_, first), rest in zip(run.curve, run.others, strict=True)]
    return np.asarray(values, float) * signs_of(sign)
