"""What came of each trial, kept up to date as the history grows, for all figures of a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.analysis.effects import Effect, Effects, control_noise, has_control
from assay.analysis.noise import Noise
from assay.core.events import CONTROL, Told
from assay.core.history import History
from assay.core.space import Space
from assay.core.spec import StudySpec

Array = NDArray[np.float64]


class Outcomes:
    """The trials that ended with values, as columns in the order in which they ended.

    An update looks only at what is new, so a live page of a long study stays cheap. It may go to
    a longer history of the same study, never to a shorter one.

    Attributes:
        numbers: their trial numbers.
        effects: the gain of each over the control, by number; empty without a control.
        noise: the noise of the control; None without one.
        looks: independent looks a trial, where stored rows told; else 1.
    """

    def __init__(self, spec: StudySpec, history: History) -> None:
        self.spec = spec
        self.history = history
        self.numbers: list[int] = []
        self.effects: dict[int, Effect] = {}
        self.noise: Noise | None = None
        self.looks = 1.0
        self._values: list[tuple[float, ...]] = []
        self._feasible: list[bool] = []
        self._coordinates: list[list[float | None]] = []
        self._ended = 0
        self._control: tuple[int, int] = (-1, -1)
        self.update(history)

    def update(self, history: History) -> Outcomes:
        """Take in what is new."""
        self.history = history
        new = []
        for number, outcome in self._told(history):
            new.append(number)
            self._values.append(outcome.values)
            self._feasible.append(history.meets(outcome))
        self.numbers += new
        self._ended = history.n_ended
        if self.spec.single and has_control(history):
            self._judge(history, new)
        return self

    def _told(self, history: History) -> Iterator[tuple[int, Told]]:
        """What is new: all of it in one go, a little of it one by one."""
        if not self._ended:
            yield from history.told()
            return
        for number in history.ended[self._ended :]:
            if isinstance(outcome := history.outcome(number), Told):
                yield number, outcome

    def _judge(self, history: History, new: Sequence[int]) -> None:
        """The effects of new trials; of all when the noise, by which they are judged, has changed."""
        key = (min(history.n_ended, 12), len(history.units(CONTROL)))
        if self._control != key:
            before, self.noise = self.noise, control_noise(self.spec, history)
            new = new if before == self.noise else self.numbers
            self._control = key
        assert self.noise is not None
        found = Effects(self.spec, history, self.noise)
        self.effects |= {number: one for number in new if (one := found.get(number))}

    @property
    def values(self) -> Array:
        """Their values, shape (trials, objectives)."""
        return np.array(self._values, dtype=np.float64).reshape(
            len(self._values), len(self.spec.directions)
        )

    @property
    def losses(self) -> Array:
        """The first objective, so that lower is better, shape (trials,)."""
        return self.values[:, 0] * self.spec.signs[0]

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Which of them meet the constraints, shape (trials,)."""
        return np.array(self._feasible, dtype=np.bool_)

    @property
    def coordinates(self) -> Array:
        """Their configs in the unit cube, shape (trials, parameters); NaN where not active."""
        space = self.spec.space
        for number in self.numbers[len(self._coordinates) :]:
            self._coordinates.append(_placed(space, self.history.config(number)))
        return np.array(self._coordinates, dtype=np.float64).reshape(-1, len(space))

    @property
    def order(self) -> NDArray[np.intp]:
        """Places of the trials, best first; the infeasible ones last."""
        return np.lexsort((self.losses, ~self.feasible))

    def goodness(self) -> Array:
        """The share of trials that each is better than: 1 for the best, 0 for the worst."""
        ranks = np.empty(len(self.numbers))
        ranks[self.order] = np.arange(len(self.numbers))
        return 1 - ranks / max(len(self.numbers) - 1, 1)


def _placed(space: Space, config: Mapping[str, Any]) -> list[float | None]:
    """A config in the unit cube; a value that the space does not hold has no place."""
    found: list[float | None] = []
    for name in space:
        try:
            found.append(space[name].to_unit(config[name]) if name in config else None)
        except (TypeError, ValueError, ArithmeticError):
            found.append(None)
    return found


def telling(outcomes: Outcomes, most: int, within: NDArray[np.bool_] | None = None) -> list[int]:
    """Places of at most so many trials: the best half, and a fair sample of the others, in order."""
    order = outcomes.order
    if within is not None:
        order = order[within[order]]
    if len(order) <= most:
        return sorted(int(i) for i in order)
    best, others = order[: most // 2], np.sort(order[most // 2 :])
    step = np.linspace(0, len(others) - 1, most - most // 2).astype(int)
    return sorted({*map(int, best), *map(int, others[step])})
