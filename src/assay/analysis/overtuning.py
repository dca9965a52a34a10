"""Overtuning: what the incumbents of a search are worth on rows that it never saw. Pure.

An incumbent is the best trial so far. By validation each one is better than the last; whether it is on
other rows, a shadow set shows, which only incumbents are scored on. Source: Schneider, Bischl and Feurer
2025, arXiv:2506.19540.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.analysis.outcomes import losses, numbers_of_ended
from assay.core import units
from assay.core.events import Told
from assay.core.history import History
from assay.core.spec import StudySpec

_NO_PROGRESS = 0.2
"""Share of the smallest gain below which tuning gained nothing: 0.001, as in the source, of 0.005."""


def incumbents(spec: StudySpec, history: History) -> list[int]:
    """The trials that were the best when they ended, in that order, each better than the last.

    In strict order by number, as far as every trial has ended, so that any number of workers has the
    same.
    """
    loss, numbers = losses(spec, history), numbers_of_ended(history)
    if spec.lag is not None:
        by_number = np.argsort(numbers)
        numbers = numbers[by_number]
        known = int(np.cumprod(numbers == np.arange(len(numbers))).sum())
        loss, numbers = loss[by_number][:known], numbers[:known]
    loss = np.where(np.isnan(loss), np.inf, loss)
    best = np.minimum.accumulate(loss)
    new = loss < np.concatenate([[np.inf], best[:-1]])
    return [int(number) for number in numbers[new]]


@dataclass(frozen=True)
class Incumbent:
    """The best trial so far: its value in the search, and on the shadow set, in the user's direction."""

    trial: int
    search: float
    shadow: float


@dataclass(frozen=True)
class Overtuning:
    """The measures of overtuning, in units of the objective; what is positive is bad.

    Attributes:
        incumbents: those that were scored on the shadow set, oldest first.
        optimism: how much better the last looked in the search than on the shadow set.
        lost: how much better the best of them is there than the last; 0: nothing was lost.
        relative: `lost` as a share of the most that tuning gained there over the first; None where it
            gained nothing.
    """

    incumbents: tuple[Incumbent, ...]
    optimism: float
    lost: float
    relative: float | None

    @property
    def severe(self) -> bool:
        """Whether the last incumbent is worse than what the search began with."""
        return self.relative is not None and self.relative > 1


def overtuning(spec: StudySpec, history: History) -> Overtuning | None:
    """What the shadow set says of the search so far; None before the first incumbent was scored."""
    found = []
    for number in incumbents(spec, history) if units.shadow(spec) else ():
        outcome, fits = history.outcome(number), history.units(number, units.SHADOW)
        if isinstance(outcome, Told) and fits:
            (fit,) = fits.values()
            found.append(Incumbent(number, outcome.values[0], fit.value))
    if not found:
        return None
    sign, last = spec.signs[0], found[-1]
    loss = [sign * one.shadow for one in found]
    lost, gained = loss[-1] - min(loss), loss[0] - min(loss)
    worth = gained > _NO_PROGRESS * spec.smallest_gain
    optimism = sign * (last.shadow - last.search)
    return Overtuning(tuple(found), optimism, lost, lost / gained if worth else None)
