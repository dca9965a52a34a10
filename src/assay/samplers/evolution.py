"""Evolution: children of the better trials, for one objective or several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from assay.core.errors import SpecError
from assay.core.protocols import Proposal
from assay.core.space import Space
from assay.math.pareto import crowding, front_ranks
from assay.math.parzen import Axis
from assay.samplers.constraints import Limit, limits_of
from assay.samplers.cube import first_allowed
from assay.samplers.sobol import Sobol
from assay.samplers.tpe_past import Past, past_of
from assay.samplers.tpe_tree import Tree

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History

Array: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Evolution:
    """A child of two parents, each the winner of a tournament among the population.

    One objective: the population are the newest trials, so that a lucky one ages out (regularised
    evolution). Several: those on the best fronts, the loneliest first where a front does not fit
    (NSGA-II). Either way there are no generations: every result can be a parent at once, which
    suits any number of workers. A failed trial is never a parent.

    Args:
        signs: for each objective 1 to minimise, -1 to maximise.
        population: how many trials can be parents; so many evenly spread ones come first.
        tournament: how many are drawn, of which the best becomes a parent.
        seed: of the first, evenly spread configs.
        constraints: bounds as a study gives them; feasible trials count as better than others.

    Source: Real et al. 2019, AAAI 33, 4780-4789; Deb et al. 2002, IEEE TEC 6, 182-197, with its
    simulated binary crossover and polynomial mutation. Differs: no generations; wider steps (eta 5 for
    both, where 15 and 20 are usual), for budgets of hundreds; a category comes from either parent,
    and mutates to any other one.

    >>> from assay.core.history import History
    >>> from assay.core.parameters import Float
    >>> from assay.core.rng import stream
    >>> Evolution().ask(Space(x=Float(0, 1)), History(), stream(0, "trial", 0)).why
    {'sampler': 'evolution', 'start': 0}
    """

    signs: tuple[float, ...] = (1.0,)
    population: int = 20
    tournament: int = 4
    seed: int = 0
    constraints: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "signs", tuple(self.signs))
        object.__setattr__(self, "constraints", limits_of(self.constraints))
        for name in ("population", "tournament"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int) or number < 2:
                raise SpecError(f"Evolution({name}=…) needs a whole number >= 2, got {number!r}.")

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """A child that the clauses allow, or an evenly spread config as long as there are few trials.

        Raises:
            SpaceError: the clauses allow next to nothing.
        """
        past = past_of(space, history, self.signs, self.constraints)
        told = np.flatnonzero(~np.isnan(past.losses[:, 0]))
        if len(told) < self.population:
            config, why = Sobol(self.seed).ask(space, history, rng)
            return Proposal(config, {"sampler": "evolution", "start": (why or {})["index"]})
        places, order = self._parents(past, told)
        pairs: list[list[int]] = []
        config, misses = first_allowed(space, self._children(past, places, order, pairs, rng))
        why = {"sampler": "evolution", "parents": pairs[misses]}
        return Proposal(config, why | {"misses": misses} if misses else why)

    def _parents(self, past: Past, told: Numbers) -> tuple[Numbers, Numbers]:
        """Numbers of the trials that can be parents, and the place of each in the order of merit."""
        if len(self.signs) == 1:
            newest = told[-self.population :]
            order = np.argsort(past.losses[newest, 0], kind="stable")
        else:
            newest = fittest(past.losses[told], self.population)
            newest, order = told[newest], np.arange(len(newest))
        merit = np.empty(len(order), dtype=np.intp)
        merit[order] = np.arange(len(order))
        return past.ended[newest], merit

    def _children(
        self, past: Past, parents: Numbers, merit: Numbers, pairs: list[list[int]], rng: Generator
    ) -> Iterator[list[float]]:
        """Children as points of the unit cube; the numbers of their parents are put in `pairs`."""
        while True:
            drawn = rng.integers(len(parents), size=(2, self.tournament))
            mother, father = (row[np.argmin(merit[row])] for row in drawn)
            pairs.append([int(parents[mother]), int(parents[father])])
            points = past.points[[parents[mother], parents[father]]]
            points = np.where(np.isnan(points), rng.random(points.shape), points)
            yield mutated(past.tree, crossed(past.tree, points, rng), rng).tolist()


def fittest(losses: Array, count: int) -> Numbers:
    """Places of the best `count` of the rows of losses (n, m), best first.

    By front, and within a front the loneliest first; lower is better.
    """
    ranks = front_ranks(losses, least=count)
    lonely = np.zeros(len(losses))
    for rank in range(int(np.sort(ranks)[min(count, len(ranks)) - 1]) + 1):
        front = np.flatnonzero(ranks == rank)
        lonely[front] = crowding(losses[front])
    return np.asarray(np.lexsort((-lonely, ranks))[:count])


def crossed(tree: Tree, parents: Array, rng: Generator, *, eta: float = 5.0) -> Array:
    """A child of two points (2, d): simulated binary crossover in half of the coordinates.

    Deb and Agrawal 1995; a larger `eta` keeps children nearer to their parents.
    """
    u, swap, cross = rng.random((3, parents.shape[1]))
    with np.errstate(divide="ignore"):
        beta = np.where(u < 0.5, 2 * u, 0.5 / (1 - u)) ** (1 / (eta + 1))
    low, high = parents
    mixed = ((1 + beta) * low + (1 - beta) * high) / 2
    numeric = np.array([axis.kind != "category" for axis in tree.axes])
    child = np.where(numeric & (cross < 0.5), mixed, np.where(swap < 0.5, low, high))
    return np.asarray(np.clip(child, 0.0, 1.0))


def mutated(tree: Tree, point: Array, rng: Generator, *, eta: float = 5.0) -> Array:
    """The point (d,) with one coordinate changed for certain and others with chance 1/d.

    Numbers by polynomial mutation (Deb and Goyal 1996), at least to the next value where there are
    few; a category becomes another one.
    """
    d = len(point)
    chosen = rng.random(d) < 1 / d
    chosen[rng.integers(d)] = True
    child = point.copy()
    for j in np.flatnonzero(chosen):
        axis, u = tree.axes[j], rng.random()
        if axis.kind == "category":
            child[j] = (point[j] + (1 + int(u * (axis.size - 1))) / axis.size) % 1.0
        elif u < 0.5:
            child[j] = point[j] - point[j] * (1 - (2 * u) ** (1 / (eta + 1)))
        else:
            child[j] = point[j] + (1 - point[j]) * (1 - (2 - 2 * u) ** (1 / (eta + 1)))
        if axis.kind == "ordered":
            child[j] = _another(axis, point[j], child[j])
    return child


def _another(axis: Axis, before: float, after: float) -> float:
    """`after`, or the value next to `before` in its direction if both are in one cell."""
    codes = axis.codes(np.array([before, after]))
    if codes[0] != codes[1] or axis.positions is None or axis.size == 1:
        return after
    step = 1 if after > before else -1
    place = codes[0] + step
    return float(axis.positions[place if 0 <= place < axis.size else codes[0] - step])
