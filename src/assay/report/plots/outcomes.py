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
from assay.report.evidence import Point, gains, values
from assay.report.looks import Looks

Array = NDArray[np.float64]
_CHUNK = 10_000


class Outcomes:
    """The trials that ended with values, as columns in the order in which they ended.

    An update looks only at what is new, so a live page of a long study stays cheap. It may go to
    a longer history of the same study, never to a shorter one.

    Attributes:
        numbers: their trial numbers.
        effects: the gain of each over the control, by number; empty without a control.
        noise: the noise of the control; None without one.
        looks: the independent looks of its trials, where stored rows told.
        points: what the history shows of each: its gain, or its value where there is no control.
    """

    def __init__(self, spec: StudySpec, history: History) -> None:
        self.spec = spec
        self.history = history
        self.numbers: list[int] = []
        self.effects: dict[int, Effect] = {}
        self.noise: Noise | None = None
        self.looks: Looks | None = None
        self.points: list[Point] = []
        self._values = _Rows(len(spec.directions), np.float64)
        self._feasible = _Rows(1, np.bool_)
        self._coordinates = _Rows(len(spec.space), np.float64)
        self._order: NDArray[np.intp] | None = None
        self._of_gains = False
        self._ended = 0
        self._control: tuple[int, int] = (-1, -1)
        self.update(history)

    def update(self, history: History) -> Outcomes:
        """Take in what is new."""
        self.history = history
        told = list(self._told(history))
        new = [number for number, _ in told]
        self._values.extend([outcome.values for _, outcome in told])
        self._feasible.extend([(history.meets(outcome),) for _, outcome in told])
        self.numbers += new
        self._ended = history.n_ended
        self._order = None
        if self.spec.single:
            self._point(new)
        return self

    def _told(self, history: History) -> Iterator[tuple[int, Told]]:
        """What is new: all of it in one go, a little of it one by one."""
        if not self._ended:
            yield from history.told()
            return
        for number in history.ended[self._ended :]:
            if isinstance(outcome := history.outcome(number), Told):
                yield number, outcome

    def _point(self, new: Sequence[int]) -> None:
        """The points of new trials; of all when they were judged anew, or there is a control at last."""
        of_gains = has_control(self.history)
        judged = self._judge(self.history, new) if of_gains else new
        if of_gains != self._of_gains or len(judged) > len(new):
            self.points, self._of_gains, judged = [], of_gains, self.numbers
        if of_gains:
            self.points += gains(self.effects, judged)
        else:
            first = len(self.numbers) - len(judged)
            new_values, fine = self.values[first:, 0], self.feasible[first:]
            self.points += values(np.array(judged, dtype=int), new_values, fine)

    def _judge(self, history: History, new: Sequence[int]) -> Sequence[int]:
        """Find the effects of new trials, or of all when the noise by which they are judged has changed.

        Returns:
            Whose effects were found.
        """
        key = (min(history.n_ended, 12), len(history.units(CONTROL)))
        if self._control != key:
            before, self.noise = self.noise, control_noise(self.spec, history)
            new = new if before == self.noise else self.numbers
            self._control = key
        assert self.noise is not None
        found = Effects(self.spec, history, self.noise)
        self.effects |= {number: one for number in new if (one := found.get(number))}
        return new

    @property
    def values(self) -> Array:
        """Their values, shape (trials, objectives)."""
        return self._values.held

    @property
    def losses(self) -> Array:
        """The first objective, so that lower is better, shape (trials,)."""
        return self.values[:, 0] * self.spec.signs[0]

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Which of them meet the constraints, shape (trials,)."""
        return self._feasible.held[:, 0]

    @property
    def coordinates(self) -> Array:
        """Their configs in the unit cube, shape (trials, parameters); NaN where not active."""
        space = self.spec.space
        left = self.numbers[len(self._coordinates.held) :]
        for start in range(0, len(left), _CHUNK):
            some = left[start : start + _CHUNK]
            self._coordinates.extend([_placed(space, self.history.config(n)) for n in some])
        return self._coordinates.held

    @property
    def order(self) -> NDArray[np.intp]:
        """Places of the trials, best first; the infeasible ones last."""
        if self._order is None:
            self._order = np.lexsort((self.losses, ~self.feasible))
        return self._order

    def goodness(self) -> Array:
        """The share of trials that each is better than: 1 for the best, 0 for the worst."""
        ranks = np.empty(len(self.numbers))
        ranks[self.order] = np.arange(len(self.numbers))
        return 1 - ranks / max(len(self.numbers) - 1, 1)


class _Rows:
    """Rows of numbers that grow: room is doubled, so that adding one costs little.

    Attributes:
        held: the rows so far, a view that nobody changes.
    """

    def __init__(self, width: int, kind: type[np.generic]) -> None:
        self._room: NDArray[Any] = np.empty((16, width), dtype=kind)
        self.held: NDArray[Any] = self._room[:0]

    def extend(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows; None becomes NaN."""
        if not rows:
            return
        old, size = self.held, len(self.held) + len(rows)
        if size > len(self._room):
            width = self._room.shape[1]
            self._room = np.empty((max(2 * len(old), size), width), dtype=self._room.dtype)
            self._room[: len(old)] = old
        self._room[len(old) : size] = rows
        self.held = self._room[:size]


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
