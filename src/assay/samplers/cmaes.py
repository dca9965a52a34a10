"""CMA-ES: a normal distribution over numeric parameters that learns its shape from ranks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from assay.core.errors import SpaceError, SpecError
from assay.core.events import Told
from assay.core.parameters import Choice, Ordinal
from assay.core.protocols import Proposal
from assay.core.rng import stream
from assay.core.space import Space
from assay.samplers.cmaes_state import State, restarted, started, updated, warm_started
from assay.samplers.cube import first_allowed

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History

Array: TypeAlias = npt.NDArray[np.float64]

_LEAST_SPREAD = 0.25  # of a cell: a whole number still changes in one draw of twenty
_DRAWS = 100


@dataclass(frozen=True)
class CmaEs:
    """Configs drawn from a normal distribution whose mean, size and shape follow the better half.

    For numeric parameters without conditions, and budgets of hundreds of trials. Each group of
    `population` results, in the order in which they came, is one generation, so that it works with
    any number of workers; failures rank last. When it has converged it starts again elsewhere with
    twice the population. Trials of other samplers before its first, if there are ten or more, tell
    it where to start.

    Args:
        signs: (1,) to minimise, (-1,) to maximise.
        sigma: first standard deviation, as a share of each parameter's range.
        seed: chooses where restarts begin.

    Source: Hansen 2016, arXiv:1604.00772; restarts of Auger and Hansen 2005 (CEC, 1769-1776); start
    from earlier trials of Nomura et al. 2021, arXiv:2012.06932. Differs: points outside the bounds
    are drawn again (then clipped), and whole numbers keep a least spread of a quarter of their cell.

    >>> from assay.core.history import History
    >>> from assay.core.parameters import Float
    >>> space = Space(x=Float(0, 1), y=Float(0, 1))
    >>> CmaEs().ask(space, History(), stream(0, "trial", 0)).why["generation"]
    0
    """

    signs: tuple[float, ...] = (1.0,)
    sigma: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "signs", tuple(self.signs))
        if len(self.signs) != 1:
            raise SpecError(
                f"CMA-ES is for one objective, got {len(self.signs)}. Use 'evolution' or 'tpe'."
            )
        if not 0 < self.sigma <= 1:
            raise SpecError(
                f"CmaEs(sigma=…) needs a share of the range in (0, 1], got {self.sigma!r}."
            )

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """A draw from the distribution after the last complete generation.

        Raises:
            SpaceError: a categorical or conditional parameter, or clauses that allow next to nothing.
        """
        run = history.memo(("cma-es", id(space), self), lambda: _Run(space, self))
        state, after = run.at(history)
        config, misses = first_allowed(space, run.points(state, rng))
        why = {
            "sampler": "cma-es", "generation": state.generation, "restarts": state.restarts,
            "population": state.population, "sigma": float(f"{state.sigma:.3g}"), "after": after,
        }  # fmt: skip
        return Proposal(config, why | {"misses": misses} if misses else why)


class _Run:
    """The states of a study so far: facts about its columns, each written once."""

    def __init__(self, space: Space, settings: CmaEs) -> None:
        self.space, self.settings = space, settings
        self.names = sorted(space.names)
        self.free = _free(space)
        self.cells = np.array([1 / space[self.names[i]].size for i in self.free])
        self.own: list[int] = []  # places among the ended trials of those that are ours
        self._looked = 0
        self.first: int | None = None  # number of the first trial that is ours
        self._asked = 0
        self.states: list[State] = []
        self._upto: list[int] = []  # how many of `own` each state knows

    def at(self, history: History) -> tuple[State, int]:
        """The state for the next draw, and how many trials had ended when the run began."""
        self._look(history)
        if self.first is None or self.first >= history.n_trials:
            return self._start(history, history.n_ended), history.n_ended
        after = _why(history, self.first)["after"]
        if not self.states:
            self.states, self._upto = [self._start(history, after)], [0]
        known = bisect_right(self.own, history.n_ended - 1)
        while self._upto[-1] + self.states[-1].population <= known:
            self._advance(history)
        return self.states[bisect_right(self._upto, known) - 1], after

    def _look(self, history: History) -> None:
        while self.first is None and self._asked < history.n_trials:
            if _is_own(history, self._asked):
                self.first = self._asked
            self._asked += 1
        for place, number in enumerate(history.ended[self._looked :], start=self._looked):
            if _is_own(history, number):
                self.own.append(place)
        self._looked = max(self._looked, history.n_ended)

    def _advance(self, history: History) -> None:
        state, upto = self.states[-1], self._upto[-1]
        ended, places = history.ended, self.own[upto : upto + state.population]
        numbers = [ended[place] for place in places]
        losses = np.array([self._loss(history, number) for number in numbers])
        points = np.array([self._point(history, number) for number in numbers])
        state = updated(state, points, losses, self._stretch(state))
        if state.converged:
            place = stream(self.settings.seed, "cma-es", state.restarts + 1)
            state = restarted(state, place.random(len(self.free)), self.settings.sigma)
        self.states.append(state)
        self._upto.append(upto + len(places))

    def _start(self, history: History, after: int) -> State:
        ended = history.ended[:after]
        told = [n for n in ended if isinstance(history.outcome(n), Told)]
        if len(told) < 10:
            return started(np.full(len(self.free), 0.5), self.settings.sigma)
        losses = np.array([self._loss(history, n) for n in told])
        best = np.argsort(losses, kind="stable")[: int(np.ceil(0.1 * len(told)))]
        return warm_started(np.array([self._point(history, told[i]) for i in best]))

    def _loss(self, history: History, number: int) -> float:
        outcome = history.outcome(number)
        return self.settings.signs[0] * outcome.values[0] if isinstance(outcome, Told) else np.inf

    def _point(self, history: History, number: int) -> list[float]:
        config = history.config(number)
        names = [self.names[i] for i in self.free]
        return [self.space[name].to_unit(config[name]) for name in names]

    def _stretch(self, state: State) -> Array:
        """By how much each coordinate is drawn wider, so that whole numbers do not freeze."""
        return np.maximum(1.0, _LEAST_SPREAD * self.cells / state.spread)

    def points(self, state: State, rng: Generator) -> Iterator[list[float]]:
        """Points of the unit cube, one coordinate for each parameter in alphabetical order."""
        while True:
            draws = state.mean + self._stretch(state) * state.draws(rng, _DRAWS)
            inside = ((draws >= 0) & (draws <= 1)).all(axis=1)
            chosen = draws[np.argmax(inside)]  # the first, when none is inside
            point = np.full(len(self.names), 0.5)
            point[self.free] = np.clip(chosen, 0, 1)
            yield point.tolist()


def _free(space: Space) -> list[int]:
    """The places of the parameters that vary.

    Raises:
        SpaceError: one that has no order, or that is not always active, or none.
    """
    free = []
    for place, name in enumerate(sorted(space.names)):
        parameter = space[name]
        if space.nodes[name].conditions:
            raise SpaceError(f"CMA-ES cannot search the conditional parameter {name!r}. Use 'tpe'.")
        if parameter.size == 1:
            continue
        if isinstance(parameter, Choice) and not isinstance(parameter, Ordinal):
            raise SpaceError(f"CMA-ES cannot search the choice {name!r}. Use 'tpe', or an Ordinal.")
        free.append(place)
    if not free:
        raise SpaceError("CMA-ES needs a parameter that varies; all of this space are constant.")
    return free


def _why(history: History, number: int) -> Any:
    return history.trial(number).why or {}


def _is_own(history: History, number: int) -> bool:
    """Whether the config is a draw of ours, and not one that replaced it."""
    why = _why(history, number)
    return why.get("sampler") == "cma-es" and "repeats" not in why
