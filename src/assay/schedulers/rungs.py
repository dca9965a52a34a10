"""Rungs: the steps at which trials are compared, each only with what others had at the same step.

A trial reaches a rung with its first report at that step or later: reports every second epoch reach
rung 9 at epoch 10, and are compared with what others had at epoch 10.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from assay.core.errors import SpecError
from assay.core.fidelity import Fidelity
from assay.core.runs import Run


@dataclass(frozen=True)
class Standing:
    """Who stands on a rung.

    Args:
        step: the step at which they are compared.
        places: (loss, trial), the best first; of equal losses the older trial first.
        missed: how many failed on the way there: they count as worst.
    """

    step: int
    places: Sequence[tuple[float, int]]
    missed: int

    @property
    def size(self) -> int:
        """How many came to the rung or failed on the way."""
        return len(self.places) + self.missed

    def better(self, loss: float) -> int:
        """How many are strictly better."""
        return bisect_left(self.places, loss, key=lambda place: place[0])

    def place(self, trial: int) -> int:
        """The place of a trial that stands here, 0 for the best."""
        return next(i for i, (_, other) in enumerate(self.places) if other == trial)


@dataclass(frozen=True)
class Rungs:
    """The rungs of one bracket.

    Args:
        fidelity: of which trials get more.
        sign: 1 if values are minimised, -1 if they are maximised.
        eta: one in so many goes on from a rung to the next.
        first: the number of the rung at which trials begin.
    """

    fidelity: Fidelity
    sign: float
    eta: int
    first: int = 0

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """The steps of all rungs; the last is the full fidelity."""
        return self.fidelity.rungs(self.eta)

    @property
    def start(self) -> int:
        """The step to which a trial first runs."""
        return self.steps[self.first]

    def reached(self, run: Run) -> int | None:
        """The rung that the newest report of a run reached; None if it reached none anew."""
        place = bisect_left(run.curve, run.step, key=lambda point: point[0])
        before = run.curve[place - 1][0] if place else 0
        rung = bisect_right(self.steps, run.step) - 1
        return rung if rung >= self.first and before < self.steps[rung] else None

    def rung_of(self, run: Run) -> int:
        """The highest rung that a run has reached; -1 if none."""
        return self.at(run.step)

    def at(self, step: int) -> int:
        """The highest rung that a step reaches; -1 if none."""
        return bisect_right(self.steps, step) - 1

    def came(self, run: Run, rung: int) -> bool:
        """Whether a run has reached a rung, or ended by itself or failed on the way to it.

        One that ended counts no further up: there it would be no measure for those that got so far.
        """
        last = run.curve[-1][0] if run.curve else 0
        if last >= self.steps[rung]:
            return True
        below = 0 if rung == self.first else self.steps[rung - 1]
        return run.state in ("done", "failed") and last >= below

    def standing(self, runs: Iterable[Run], step: int) -> Standing:
        """How runs that came to one rung stand at the step at which they are compared there."""
        places: list[tuple[float, int]] = []
        missed = 0
        for run in runs:
            loss = loss_at(self.fidelity, self.sign, run, step)
            if loss is not None:
                places.append((loss, run.trial))
            elif run.state == "failed":
                missed += 1
        return Standing(step, tuple(sorted(places)), missed)

    def shown(self, step: int) -> str:
        """A step in words.

        >>> Rungs(Fidelity("epochs", 1, 81), 1.0, 3).shown(9)
        'epochs 9 of 81'
        """
        return f"{self.fidelity.name} {step} of {self.fidelity.most}"

    def value(self, loss: float) -> str:
        """A loss as a value in the user's direction."""
        return f"{self.sign * loss:.6g}"


def loss_at(fidelity: Fidelity, sign: float, run: Run, step: int) -> float | None:
    """The loss that a run had at a step; None if it has none there.

    With folds it is the mean over all folds up to there. A run that ended by itself before keeps the
    loss with which it ended: it would have no other with more.

    >>> run = Run(0, "paused", 2, 2, ((1, 0.5), (2, 0.25)))
    >>> loss_at(Fidelity("epochs", 1, 9), 1.0, run, 2)
    0.25
    >>> loss_at(Fidelity("fold", 1, 5, "folds"), 1.0, run, 2)
    0.375
    """
    curve = run.curve
    if fidelity.kind == "folds":
        found = [value for at, value in curve if at <= step]
        return sign * mean(found) if len(found) == step else None
    place = bisect_left(curve, step, key=lambda point: point[0])
    if place < len(curve):
        return sign * curve[place][1] if curve[place][0] == step else None
    return sign * curve[-1][1] if run.state == "done" and curve else None


def mean(values: Sequence[float]) -> float:
    """The mean, never outside the values: rounding must not make equal trials differ.

    >>> sum([0.1] * 3) / 3, mean([0.1] * 3)
    (0.10000000000000002, 0.1)
    """
    return min(max(sum(values) / len(values), min(values)), max(values))


def check_sign(sign: float) -> None:
    """Refuse what is no direction.

    Raises:
        SpecError: not 1 and not -1.
    """
    if sign not in (1, -1):
        raise SpecError(f"sign is 1 to minimise and -1 to maximise, got {sign!r}.")
