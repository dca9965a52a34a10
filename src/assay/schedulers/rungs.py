"""Rungs: the steps at which trials are compared, each only with what others had at the same step.

A trial reaches a rung with its first report at that step or later: reports every second epoch reach
rung 9 at epoch 10, and are compared with what others had at epoch 10.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from heapq import nsmallest
from math import inf
from typing import TypeAlias

from assay.core.errors import SpecError
from assay.core.fidelity import Fidelity
from assay.core.runs import Run, Sign, signs_of
from assay.schedulers.fronts import Losses, by_fronts

Limits: TypeAlias = tuple[tuple[int, float, float], ...]
"""What an objective must keep to: its place, the sign of the bound, and sign * bound."""


@dataclass(frozen=True)
class Standing:
    """Who stands on a rung.

    Args:
        step: the step at which they are compared.
        trials: the best first; of equal ones the older first.
        missed: how many failed on the way there: they count as worst.
    """

    step: int
    trials: Sequence[int]
    missed: int

    @property
    def size(self) -> int:
        """How many came to the rung or failed on the way."""
        return len(self.trials) + self.missed


@dataclass(frozen=True)
class Rungs:
    """The rungs of one bracket.

    Args:
        fidelity: of which trials get more.
        sign: 1 if values are minimised, -1 if they are maximised; one for each of several objectives.
        eta: one in so many goes on from a rung to the next.
        first: the number of the rung at which trials begin.
        limits: of the objectives, where there are several: who keeps to them comes first.
    """

    fidelity: Fidelity
    sign: Sign
    eta: int
    first: int = 0
    limits: Limits = ()

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
        losses: dict[int, Losses] = {}
        missed = 0
        for run in runs:
            own = self.losses(run, step)
            if own is not None:
                losses[run.trial] = own
            elif run.state == "failed":
                missed += 1
        return Standing(step, tuple(best_first(losses)), missed)

    def losses(self, run: Run, step: int) -> Losses | None:
        """What a run is compared by at a step; None if it has nothing there."""
        return losses_at(self.fidelity, self.sign, run, step, self.limits)

    def shown(self, step: int) -> str:
        """A step in words.

        >>> Rungs(Fidelity("epochs", 1, 81), 1.0, 3).shown(9)
        'epochs 9 of 81'
        """
        return f"{self.fidelity.name} {step} of {self.fidelity.most}"

    @property
    def better_than(self) -> str:
        """What is said of those before another."""
        return "ahead of" if isinstance(self.sign, tuple) else "better than"

    def value(self, run: Run, step: int) -> str:
        """What a run had at a step, in words."""
        return in_words(values_at(self.fidelity, run, step) or ())


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
    found = values_at(fidelity, run, step)
    return None if found is None else sign * found[0]


def values_at(fidelity: Fidelity, run: Run, step: int) -> tuple[float, ...] | None:
    """The same of all objectives, in the user's direction.

    >>> run = Run(0, "paused", 2, 2, ((1, 0.5), (2, 0.25)), others=((8.0,), (9.0,)))
    >>> values_at(Fidelity("epochs", 1, 9), run, 2)
    (0.25, 9.0)
    """
    curve, others = run.curve, run.others
    if fidelity.kind == "folds":
        count = bisect_right(curve, step, key=lambda point: point[0])
        if count != step:
            return None
        first = mean([value for _, value in curve[:count]])
        return (first, *map(mean, zip(*others[:count], strict=True)))
    place = bisect_left(curve, step, key=lambda point: point[0])
    if place == len(curve):
        if run.state != "done" or not curve:
            return None
        place -= 1
    elif curve[place][0] != step:
        return None
    return (curve[place][1], *others[place]) if others else (curve[place][1],)


def losses_at(
    fidelity: Fidelity, sign: Sign, run: Run, step: int, limits: Limits = ()
) -> Losses | None:
    """What a run is compared by at a step, lower is better; None if it has nothing there.

    >>> run = Run(0, "paused", 1, 1, ((1, 0.5),), others=((8.0,),))
    >>> epochs = Fidelity("epochs", 1, 9)
    >>> losses_at(epochs, (1.0, 1.0), run, 1), losses_at(epochs, (1.0, 1.0), run, 1, ((1, 1.0, 6.0),))
    ((0.5, 8.0), (2.0, inf, inf))
    """
    values = values_at(fidelity, run, step)
    if values is None:
        return None
    signs = signs_of(sign)
    return limited(tuple(s * value for s, value in zip(signs, values, strict=True)), signs, limits)


def limited(losses: Losses, signs: Sequence[float], limits: Limits) -> Losses:
    """By how much each limit is broken, and then the losses, if none is.

    So who breaks none comes before all who do, and of these who breaks them less.
    """
    broken = tuple(
        max(way * signs[place] * losses[place] - bound, 0.0) for place, way, bound in limits
    )
    return broken + ((inf,) * len(losses) if any(broken) else losses)


def best_first(losses: Mapping[int, Losses], most: int | None = None) -> list[int]:
    """The trials, the best first, of equal ones the older first; so many of them.

    >>> best_first({0: (2.0,), 1: (1.0,), 2: (2.0,)})
    [1, 0, 2]
    """
    if any(len(own) > 1 for own in losses.values()):
        return by_fronts(losses, most)
    return nsmallest(most or len(losses), losses, key=lambda trial: (losses[trial], trial))


def in_words(values: Sequence[float]) -> str:
    """Values in the order of the objectives.

    >>> in_words([0.25]), in_words([0.25, 8.0])
    ('0.25', '(0.25, 8)')
    """
    words = [f"{value:.6g}" for value in values]
    return words[0] if len(words) == 1 else f"({', '.join(words)})"


def mean(values: Sequence[float]) -> float:
    """The mean, never outside the values: rounding must not make equal trials differ.

    >>> sum([0.1] * 3) / 3, mean([0.1] * 3)
    (0.10000000000000002, 0.1)
    """
    return min(max(sum(values) / len(values), min(values)), max(values))


def ladder(fidelity: Fidelity, parts: int) -> Fidelity:
    """The same fidelity from a `parts`-th of the full amount on, or from its least if that is more.

    Raises:
        SpecError: no whole number >= 2, or folds, which begin with the first.

    >>> ladder(Fidelity("epochs", 1, 52), 8).rungs(2)
    (6, 12, 25, 52)
    """
    if isinstance(parts, bool) or not isinstance(parts, int) or parts < 2:
        raise SpecError(f"parts needs a whole number >= 2, got {parts!r}.")
    if fidelity.kind == "folds":
        raise SpecError(f"Folds begin with the first; leave parts={parts} out.")
    return replace(fidelity, least=max(fidelity.least, fidelity.most // parts))


def check_sign(sign: Sign) -> None:
    """Refuse what is no direction.

    Raises:
        SpecError: not 1 and not -1.
    """
    if any(one not in (1, -1) for one in signs_of(sign)):
        raise SpecError(f"sign is 1 to minimise and -1 to maximise, got {sign!r}.")


def check_single(sign: Sign, name: str, instead: str) -> None:
    """Refuse several objectives, for a scheduler that expects one value.

    Raises:
        SpecError: there are several.
    """
    check_sign(sign)
    if isinstance(sign, tuple):
        raise SpecError(
            f"{name} expects one value of a trial, and this study has {len(sign)} objectives. "
            f"Use {instead}."
        )
