"""The median and other percentiles: a trial whose best is worse than most were on average is stopped."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assay.core.errors import SpecError
from assay.core.fidelity import Fidelity
from assay.core.runs import Go, Resume, Run, Sign, Stop, Verdict, signs_of
from assay.schedulers.fronts import Fronts, Losses
from assay.schedulers.rungs import Limits, check_sign, limited, mean


@dataclass(frozen=True)
class Percentile:
    """Stops a trial whose best value so far is worse than a percentile of earlier trials' means so far.

    At a step s: the best of the trial's values up to s, against the means of the values up to s of
    all trials that ended in full. So a spike in the others' curves does not count, and one in the
    trial's own is forgiven. Trials that were stopped are no measure: they have no later values.

    With several objectives best and mean are taken of each, and ranks by fronts stand for values: a
    trial is stopped when so many of the others' means are ahead of its best that it falls behind the
    percentile of their places.

    Args:
        fidelity: of which trials get more; one that is reported on the way.
        sign: 1 if values are minimised, -1 if they are maximised; several objectives: one for each.
        percent: how many of the earlier trials would go on, in percent; 50 is the median rule.
        warm_up: no trial is stopped before this step; None: the least fidelity.
        least_trials: so many trials must have ended in full before one is stopped.
        limits: of several objectives: who keeps to them comes before all who do not.

    Raises:
        SpecError: a fidelity of kind "subset" or "folds", or a setting out of its range.

    Source: Golovin et al. 2017, doi:10.1145/3097983.3098043, section 3.2.2 (median stopping rule). The
    least number of trials is Optuna's.
    """

    fidelity: Fidelity
    sign: Sign = 1.0
    percent: float = 50.0
    warm_up: int | None = None
    least_trials: int = 5
    limits: Limits = ()

    def __post_init__(self) -> None:
        check_sign(self.sign)
        if self.fidelity.kind != "epochs":
            raise SpecError(
                f"Percentiles compare curves, and fidelity {self.fidelity.name!r} of kind "
                f"{self.fidelity.kind!r} has none. Use 'asha', or 'racing' for folds."
            )
        if isinstance(self.percent, bool) or not 0 < self.percent < 100:
            raise SpecError(f"percent needs a number between 0 and 100, got {self.percent!r}.")
        for word, least in (("warm_up", 0), ("least_trials", 1)):
            number = getattr(self, word)
            if word == "warm_up" and number is None:
                continue
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise SpecError(f"{word} needs a whole number >= {least}, got {number!r}.")

    def start(self, runs: Sequence[Run]) -> int:
        """The full fidelity."""
        return self.fidelity.most

    def judge(self, runs: Sequence[Run], trial: int) -> Verdict:
        """Go or stop, at every step from the warm-up on."""
        run, most = runs[trial], self.fidelity.most
        warm_up = self.fidelity.least if self.warm_up is None else self.warm_up
        if run.protected or run.step >= most or run.step < warm_up:
            return Go()
        known = {
            other.trial: tuple(map(mean, losses))
            for other in runs
            if other.state == "done" and (losses := self._losses(other, run.step))
        }
        if len(known) < self.least_trials:
            return Go()
        best = tuple(map(min, self._losses(run, run.step)))
        where = f"{self.fidelity.name} {run.step} of {most}"
        if isinstance(self.sign, tuple):
            return self._by_fronts(where, run.trial, best, known)
        cutoff = float(np.percentile([loss for (loss,) in known.values()], self.percent))
        if best[0] <= cutoff:
            return Go()
        return Stop(
            f"{where}: its best value {self.sign * best[0]:.6g} is "
            f"worse than {self.sign * cutoff:.6g}, which {self.percent:g} % of {len(known)} trials "
            "reached on average up to there"
        )

    def _by_fronts(
        self, where: str, trial: int, best: Losses, known: Mapping[int, Losses]
    ) -> Verdict:
        assert isinstance(self.sign, tuple)
        fronts = Fronts()
        for other, losses in (*known.items(), (trial, best)):
            fronts.put(other, limited(losses, self.sign, self.limits))
        ahead = fronts.before(limited(best, self.sign, self.limits))
        if ahead <= math.ceil((len(known) - 1) * self.percent / 100):
            return Go()
        return Stop(
            f"{where}: of {len(known)} trials {ahead} are on average ahead of its best, and "
            f"{self.percent:g} % would let it go on"
        )

    def resume(self, runs: Sequence[Run]) -> Resume | None:
        """Nothing: nothing was paused."""
        return None

    def _losses(self, run: Run, step: int) -> list[list[float]]:
        """What a run had up to a step, for each objective; empty if it had nothing."""
        upto = bisect_right(run.curve, step, key=lambda point: point[0])
        values = [[value for _, value in run.curve[:upto]], *zip(*run.others[:upto], strict=True)]
        signed = zip(signs_of(self.sign), values, strict=True)
        return [[s * x for x in of] for s, of in signed] if upto else []
