"""What a model reads of a history: encoded configs and losses, kept from one ask to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from assay.core.events import Told
from assay.core.history import History
from assay.core.space import Space
from assay.math.pareto import feasible_first, violation
from assay.samplers.constraints import Limit, excesses
from assay.samplers.tpe_tree import Tree

Array: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = npt.NDArray[np.intp]
T = TypeVar("T", np.float64, np.intp)


@dataclass(frozen=True, eq=False)
class Past:
    """A history as arrays.

    Args:
        tree: of the space.
        points: of all trials by number, shape (trials, columns), NaN where inactive.
        ended: numbers of the trials that ended, in that order.
        losses: of those, shape (ended, objectives), lower is better; NaN where a trial failed.
            Infeasible ones come after all feasible ones, by how far they are from them.
    """

    tree: Tree
    points: Array
    ended: Numbers
    losses: Array

    def nearest(self, point: Array) -> int:
        """The number of the ended trial nearest to a point (columns,), NaN where inactive.

        Another category, or a parameter that only one of the two has, counts as far as the whole
        range of a number.
        """
        gaps = self.points - point
        for column, axis in enumerate(self.tree.axes):
            gap = gaps[:, column]
            if axis.kind == "category":
                gap[:] = gap != 0  # true for NaN, too
            if column in self.tree.conditional:
                missing = np.isnan(self.points[:, column])
                alone = ~missing if np.isnan(point[column]) else missing
                gap[:] = np.where(alone, 1.0, np.where(missing, 0.0, gap))
        squares = np.einsum("ij,ij->i", gaps, gaps)
        return int(self.ended[np.argmin(squares[self.ended])])


def past_of(
    space: Space,
    history: History,
    signs: tuple[float, ...],
    constraints: tuple[Limit, ...] = (),
) -> Past:
    """The arrays of `history`; what earlier asks encoded is not encoded again.

    Args:
        space: of all configs in the history.
        history: any; an older one than that of the last ask too.
        signs: 1 for each objective to minimise, -1 for each to maximise.
        constraints: bounds on numbers of a trial.
    """
    # by identity, as hashing a space writes it out; the record holds the space, so it stays alive
    key = ("past", id(space), signs, constraints)
    record = history.memo(key, lambda: _Record(space, signs, constraints))
    record.grow(history)
    losses = record.losses[: history.n_ended]
    if constraints:
        losses = feasible_first(losses, violation(record.excess[: history.n_ended]))
    return Past(
        record.tree,
        record.points[: history.n_trials],
        record.ended[: history.n_ended],
        losses,
    )


class _Record:
    """Arrays that only grow, with facts that are written once."""

    def __init__(
        self, space: Space, signs: tuple[float, ...], constraints: tuple[Limit, ...]
    ) -> None:
        self.space, self.signs, self.tree = space, signs, Tree(space)
        self.constraints = constraints
        self.excess = np.empty((0, len(constraints)))
        self.points = np.empty((0, len(space)))
        self.ended = np.empty(0, dtype=np.intp)
        self.losses = np.empty((0, len(signs)))
        self._trials = self._done = 0

    def grow(self, history: History) -> None:
        if history.n_trials > self._trials:
            self.points = _roomy(self.points, history.n_trials)
            for number in range(self._trials, history.n_trials):
                self.points[number] = self.tree.encoded(self.space, history.config(number))
            self._trials = history.n_trials
        if history.n_ended > self._done:
            self.ended = _roomy(self.ended, history.n_ended)
            self.losses = _roomy(self.losses, history.n_ended)
            self.excess = _roomy(self.excess, history.n_ended)
            for i, number in enumerate(history.ended[self._done :], start=self._done):
                self.ended[i] = number
                self.losses[i] = self._loss(history, number)
                self.excess[i] = self._excess(history, number)
            self._done = history.n_ended

    def _loss(self, history: History, number: int) -> list[float]:
        outcome = history.outcome(number)
        if not isinstance(outcome, Told):
            return [np.nan] * len(self.signs)
        return [s * value for s, value in zip(self.signs, outcome.values, strict=True)]

    def _excess(self, history: History, number: int) -> list[float]:
        outcome = history.outcome(number)
        if not isinstance(outcome, Told):
            return [np.nan] * len(self.constraints)
        return excesses(outcome, self.constraints)


def _roomy(array: npt.NDArray[T], length: int) -> npt.NDArray[T]:
    """The array with room for `length` entries; doubled when it was full."""
    if length <= len(array):
        return array
    grown = np.empty((max(length, 2 * len(array)), *array.shape[1:]), dtype=array.dtype)
    grown[: len(array)] = array
    return grown
