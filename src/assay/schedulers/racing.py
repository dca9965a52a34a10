"""Racing over folds: a trial is stopped once it can hardly become the best on all folds.

Every trial is evaluated on the same folds in the same order, so trials are compared fold by fold,
by `assay.math.race`: the best trial loses its place if D, the mean over all folds of the losses of the
trial minus the best trial's, is below 0. A trial is stopped when P(D < 0) < alpha / looks, with
looks = K - 2 for the number of times at which that is asked. So of the trials that would have won, at
most a share alpha is stopped. Variances shrunken to those of earlier trials make that hold for
variances that are alike, and let two folds decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import fsum

from assay.core.errors import SpecError
from assay.core.fidelity import Fidelity
from assay.core.runs import Go, Resume, Run, Stop, Verdict
from assay.math.race import chance_to_win, variance
from assay.schedulers.field import changes
from assay.schedulers.rungs import check_single, loss_at


@dataclass(frozen=True)
class Racing:
    """Stops a trial on data before its last fold, when the best trial so far is clearly better.

    Two rules, the second an option. A paired test on the folds done; see the head of this module.
    And the forgiving rule: stop if the mean so far is worse than the best trial's worst single fold.

    Args:
        fidelity: of kind "folds".
        sign: 1 if values are minimised, -1 if they are maximised.
        alpha: of the trials that would have become the best, at most this share is stopped by the
            test. The forgiving rule has no such bound.
        forgiving: whether the forgiving rule is used too; it alone can decide after one fold.

    Raises:
        SpecError: a fidelity of another kind, or an alpha not between 0 and 1.

    Source: Bergman, Purucker and Hutter 2024, arXiv:2405.03389 (the forgiving rule); Smyth 2004,
    doi:10.2202/1544-6115.1027 (shrunken variances). Differs: a finite number of folds.
    """

    fidelity: Fidelity
    sign: float = 1.0
    alpha: float = 0.2
    forgiving: bool = True

    def __post_init__(self) -> None:
        check_single(self.sign, "Racing", "RacingFronts")
        check_racing(self.fidelity, self.alpha)

    def start(self, runs: Sequence[Run]) -> int:
        """All folds."""
        return self.fidelity.most

    def judge(self, runs: Sequence[Run], trial: int) -> Verdict:
        """Go or stop, against the best trial that has all folds."""
        run, folds = runs[trial], self.fidelity.most
        if run.protected or run.step >= folds:
            return Go()
        mean, past = loss_at(self.fidelity, self.sign, run, run.step), self._past.follow(runs)
        if mean is None or past.best is None:
            return Go()
        best, theirs = past.best, past.losses[past.best]
        where = f"{self.fidelity.name} {run.step} of {folds}: mean {self.sign * mean:.6g}"
        if self.forgiving and mean > max(theirs):
            return Stop(
                f"{where} is worse than the worst single fold of the best trial {best}, "
                f"{self.sign * max(theirs):.6g}"
            )
        if run.step < 2:
            return Go()
        differences = _minus(losses_of(self.sign, run), theirs)
        chance = chance_to_win(differences, folds, past.variance)
        limit = self.alpha / (folds - 2)
        if chance >= limit:
            return Go()
        return Stop(
            f"{where}; fold by fold {abs(sum(differences)) / run.step:.6g} worse than the best trial "
            f"{best}, and the chance to pass it on the other {folds - run.step} is {chance:.2g} "
            f"(< {limit:.2g})"
        )

    def resume(self, runs: Sequence[Run]) -> Resume | None:
        """Nothing: nothing was paused."""
        return None

    @cached_property
    def _past(self) -> _Past:
        return _Past(self.sign, self.fidelity.most)


class _Past:
    """The trials that have all folds, kept from one decision to the next.

    Args:
        sign: 1 if values are minimised, -1 if they are maximised.
        folds: in all.

    Attributes:
        losses: of each such trial, fold by fold.
        best: the one with the best mean, the oldest of equals; None: there is none.
    """

    def __init__(self, sign: float, folds: int) -> None:
        self._sign, self._folds = sign, folds
        self._forget()

    def __reduce__(self) -> tuple[type[_Past], tuple[float, int]]:
        return _Past, (self._sign, self._folds)

    def _forget(self) -> None:
        self._runs: tuple[Run, ...] = ()
        self.losses: dict[int, list[float]] = {}
        self.best: int | None = None
        self._variances: dict[int, float] = {}  # of the differences to the best

    def follow(self, runs: Sequence[Run]) -> _Past:
        """Take in what changed since the last call."""
        if runs is self._runs:
            return self
        now, changed = tuple(runs), changes(self._runs, runs)
        if len(now) < len(self._runs) or any(trial in self.losses for trial in changed):
            self._forget()
            changed = []
        new = [now[trial] for trial in changed] + list(now[len(self._runs) :])
        self._runs = now
        for run in new:
            if run.state == "done" and len(run.curve) == self._folds:
                self._add(run)
        return self

    def _add(self, run: Run) -> None:
        self.losses[run.trial] = losses_of(self._sign, run)
        last, self.best = self.best, min(
            (t for t in (self.best, run.trial) if t is not None),
            key=lambda trial: (sum(self.losses[trial]), trial),
        )  # fmt: skip
        theirs = self.losses[self.best]
        for trial in self.losses if last != self.best else (run.trial,):
            self._variances[trial] = variance(_minus(self.losses[trial], theirs))
        self._variances.pop(self.best, None)

    @property
    def variance(self) -> float | None:
        """The variance of fold differences that the others have to the best; None: no others."""
        found = self._variances.values()
        return fsum(found) / len(found) if found else None


def check_racing(fidelity: Fidelity, alpha: float) -> None:
    """Refuse what nothing can be raced over.

    Raises:
        SpecError: a fidelity of another kind, or an alpha not between 0 and 1.
    """
    if fidelity.kind != "folds":
        raise SpecError(
            f"Racing is for folds, and fidelity {fidelity.name!r} is of kind "
            f"{fidelity.kind!r}. Use 'asha', or a fidelity of kind 'folds'."
        )
    if isinstance(alpha, bool) or not 0 < alpha < 1:
        raise SpecError(f"alpha needs a number between 0 and 1, got {alpha!r}.")


def losses_of(sign: float, run: Run) -> list[float]:
    """The losses of a run, fold by fold."""
    return [sign * value for _, value in run.curve]


def _minus(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(ours, theirs, strict=False)]
