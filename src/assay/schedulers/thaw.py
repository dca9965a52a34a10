"""Freeze and thaw: whoever promises most for the steps that are left goes on.

What a trial promises is `Run.promise`: its expected improvement in full for each step that is left
to it, against that of a new trial for each of its steps. A model over configs and steps says it,
given as `forecast`; where there is none, or it cannot speak yet, ranks decide as in ASHA.

Source: Swersky et al. 2014, arXiv:1406.3896 (freeze-thaw: to choose between going on and beginning
anew by one model). Differs: improvement per step to the end, not entropy; rungs, not single steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from assay.core.errors import SpecError
from assay.core.fidelity import Fidelity
from assay.core.protocols import Forecast
from assay.core.runs import Go, Pause, Resume, Run, Stop, Verdict
from assay.schedulers.asha import Asha, AshaStopping
from assay.schedulers.rungs import Rungs, check_single, ladder

if TYPE_CHECKING:
    from assay.core.history import History

ETA = 2


def _check(fidelity: Fidelity, sign: float, parts: int) -> None:
    check_single(sign, "Thawing", "'asha' where trials keep checkpoints, else 'asha-stopping'")
    if fidelity.kind != "epochs":
        raise SpecError(
            f"Thawing needs values on the way, and fidelity {fidelity.name!r} of kind "
            f"{fidelity.kind!r} has none. Use 'asha', or 'racing' for folds."
        )
    ladder(fidelity, parts)


def _informed(forecast: Forecast | None, history: History, trial: int | None) -> Sequence[Run]:
    runs = history.runs()
    if forecast is None:
        return runs
    promises = forecast.promises(history, trial)
    return [replace(r, promise=p) for r, p in zip(runs, promises, strict=True)]


@dataclass(frozen=True)
class _Thawing:
    """The rungs at which trials wait or are judged."""

    fidelity: Fidelity
    sign: float = 1.0
    parts: int = 8
    forecast: Forecast | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        _check(self.fidelity, self.sign, self.parts)

    @property
    def steps(self) -> tuple[int, ...]:
        """The rungs."""
        return self._rungs.steps

    @cached_property
    def _rungs(self) -> Rungs:
        return Rungs(ladder(self.fidelity, self.parts), self.sign, ETA)


@dataclass(frozen=True)
class Thaw(_Thawing):
    """Pauses every trial at each rung; a free slot goes to the paused trial that promises most.

    Or to a new trial, if that promises more. For one or a few workers and objectives that go on from
    a checkpoint.

    Args:
        fidelity: of which trials get more, of kind "epochs".
        sign: 1 if values are minimised, -1 if they are maximised.
        parts: the first rung is this part of the full fidelity, and each rung about twice the one
            before.
        forecast: says what trials promise; None: ranks decide.

    Raises:
        SpecError: a fidelity of another kind, or `parts` is no whole number >= 2.
    """

    @cached_property
    def _by_rank(self) -> Asha:
        return Asha(ladder(self.fidelity, self.parts), self.sign, ETA)

    def look(self, history: History, trial: int | None) -> Sequence[Run]:
        """The runs, with promises where a slot is free."""
        return history.runs() if trial is not None else _informed(self.forecast, history, None)

    def start(self, runs: Sequence[Run]) -> int:
        """The first rung."""
        return self._rungs.start

    def judge(self, runs: Sequence[Run], trial: int) -> Verdict:
        """Go until the step that was granted, then pause."""
        said, run = self._by_rank.judge(runs, trial), runs[trial]
        if self.forecast is None or not isinstance(said, Pause):
            return said
        where = f"{self._rungs.shown(run.step)} with {self._rungs.value(run, run.step)}"
        return Pause(f"{where}: goes on when nothing else, old or new, promises more per step")

    def resume(self, runs: Sequence[Run]) -> Resume | None:
        """The paused trial that promises most, if a new trial does not promise more."""
        if self.forecast is None:
            return self._by_rank.resume(runs)
        waiting = [
            (run.promise, -run.trial, run.step)
            for run in runs
            if run.state == "paused" and run.promise is not None
        ]
        promise, number, step = max(waiting, default=(-math.inf, 0, 0))
        if promise < 0:
            return None
        until = next(rung for rung in self.steps if rung > step)
        return Resume(-number, until, f"{self._rungs.shown(step)}: {_said(promise)}")


@dataclass(frozen=True)
class ThawStopping(_Thawing):
    """Stops a trial at a rung if a new one promises more for each step.

    Nothing is paused, so it needs no checkpoints.

    Args:
        fidelity: of which trials get more, of kind "epochs".
        sign: 1 if values are minimised, -1 if they are maximised.
        parts: the first rung is this part of the full fidelity, and each rung about twice the one
            before.
        forecast: says what trials promise; where it is silent, or None, ranks decide.

    Raises:
        SpecError: a fidelity of another kind, or `parts` is no whole number >= 2.
    """

    parts: int = 13

    @cached_property
    def _by_rank(self) -> AshaStopping:
        return AshaStopping(ladder(self.fidelity, self.parts), self.sign, ETA)

    def look(self, history: History, trial: int | None) -> Sequence[Run]:
        """The runs, with promises where one has come to a rung."""
        runs = history.runs()
        if trial is None or runs[trial].protected or self._rungs.reached(runs[trial]) is None:
            return runs
        return _informed(self.forecast, history, trial)

    def start(self, runs: Sequence[Run]) -> int:
        """The full fidelity."""
        return self.fidelity.most

    def judge(self, runs: Sequence[Run], trial: int) -> Verdict:
        """Go or stop, by what the trial promises at the rung that its newest report reached."""
        run = runs[trial]
        if run.promise is None:
            return self._by_rank.judge(runs, trial)
        if run.protected or run.step >= self.fidelity.most or run.promise >= 0:
            return Go()
        return Stop(f"{self._rungs.shown(run.step)}: {_said(run.promise)}")

    def resume(self, runs: Sequence[Run]) -> Resume | None:
        """Nothing: nothing was paused."""
        return None


def _said(promise: float) -> str:
    """A promise in words."""
    if math.isinf(promise):
        word = "best" if promise > 0 else "not the best"
        return f"expected to be {word} of those under way, and none is complete"
    times = math.exp(min(abs(promise), 50.0))
    if promise >= 0:
        return f"promises {times:.3g} times the improvement per step of a new trial"
    return f"a new trial promises {times:.3g} times its improvement per step"
