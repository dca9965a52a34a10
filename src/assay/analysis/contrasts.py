"""What each trial changed, and what single changes did: neighbours, and trials that differ in one thing. Pure.

Distances are Gower's (1971, A general coefficient of similarity, Biometrics 27): the mean over the parameters
of the difference as a share of the range (on its scale), or of 0 or 1 for categories and for what is
active in one of the two only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.analysis.effects import by_noise, control_noise, fresh_interval, has_control
from assay.core import units
from assay.core.history import History
from assay.core.parameters import Ordinal
from assay.core.space import Space
from assay.core.spec import StudySpec
from assay.math.intervals import Interval

Array = NDArray[np.float64]

NEAR = 0.05
"""What counts as equal: a difference of at most this share of a range."""
_MOST = 2000
"""Of longer studies the newest trials are compared; it takes time by the square."""


@dataclass(frozen=True)
class Neighbour:
    """The nearest earlier trial with a value, and the gain over it where both have the same units."""

    trial: int
    distance: float
    gain: Interval | None


@dataclass(frozen=True)
class Contrast:
    """Two trials that differ in one parameter; `gain` of the second, which has the later value.

    Of numbers the higher value is the later one, of categories the one listed later.
    """

    parameter: str
    first: int
    second: int
    before: Any
    after: Any
    gain: Interval | None


@dataclass(frozen=True)
class Effect:
    """What the contrasts of a parameter say together.

    Attributes:
        move: the step, in words: "raising x", "x from 'gini' to 'entropy'".
        helped: in how many the later value was better.
        sure: in how many the interval excludes 0.
        middle: the median gain.
    """

    parameter: str
    move: str
    contrasts: tuple[Contrast, ...]
    helped: int
    sure: int
    middle: float

    @property
    def sentence(self) -> str:
        """The effect in words."""
        n = len(self.contrasts)
        times = "matched comparison" if n == 1 else "matched comparisons"
        sure = f"; in {self.sure} the interval excludes 0" if self.sure else ", all inside noise"
        middle = f"{self.middle:+.3g}".replace("-", "−") if self.middle else "0"
        return f"{self.move} helped in {self.helped} of {n} {times} (median {middle}){sure}."


def neighbours(spec: StudySpec, history: History) -> dict[int, Neighbour]:
    """The nearest earlier trial of each trial with a value."""
    numbers, points = _points(spec.space, history)
    found = {}
    gain = _Gains(spec, history)
    for row in range(1, len(numbers)):
        away = _differences(spec.space, points[:row], points[row]).mean(axis=1)
        near = int(np.argmin(away))
        pair = numbers[near], numbers[row]
        found[pair[1]] = Neighbour(pair[0], float(away[near]), gain(*pair))
    return found


def contrasts(spec: StudySpec, history: History) -> list[Contrast]:
    """All pairs of trials that differ in one parameter, while the others are equal or near."""
    numbers, points = _points(spec.space, history)
    return list(_pairs(spec, history, numbers, points))


def _pairs(
    spec: StudySpec, history: History, numbers: list[int], points: Array
) -> Iterator[Contrast]:
    names = list(spec.space)
    gain = _Gains(spec, history)
    for row in range(1, len(numbers)):
        moved = _differences(spec.space, points[:row], points[row]) > NEAR
        for other in np.flatnonzero(moved.sum(axis=1) == 1):
            column = int(np.flatnonzero(moved[other])[0])
            at, to = points[other, column], points[row, column]
            if np.isnan(at) or np.isnan(to):
                continue  # it is active in one of them only
            first, second = numbers[int(other)], numbers[row]
            if at > to:
                first, second = second, first
            name = names[column]
            before, after = history.config(first)[name], history.config(second)[name]
            yield Contrast(name, first, second, before, after, gain(first, second))


def effects_of(spec: StudySpec, found: list[Contrast]) -> list[Effect]:
    """The contrasts by parameter (of categories by pair), those with most contrasts first."""
    grouped: dict[tuple[str, str], list[Contrast]] = defaultdict(list)
    for one in found:
        if one.gain is not None:
            grouped[one.parameter, _move(spec.space, one)].append(one)
    effects = [_effect(name, move, ones) for (name, move), ones in grouped.items()]
    return sorted(effects, key=lambda e: (-len(e.contrasts), e.parameter, e.move))


def _effect(name: str, move: str, ones: list[Contrast]) -> Effect:
    gains = [one.gain for one in ones if one.gain is not None]
    helped = sum(gain.estimate > 0 for gain in gains)
    sure = sum(gain.low > 0 or gain.high < 0 for gain in gains)
    middle = float(median(gain.estimate for gain in gains))
    return Effect(name, move, tuple(ones), helped, sure, middle)


def _move(space: Space, one: Contrast) -> str:
    if _ordered(space, one.parameter):
        return f"raising {one.parameter}"
    return f"{one.parameter} from {one.before!r} to {one.after!r}"


def _ordered(space: Space, name: str) -> bool:
    parameter = space[name]
    return isinstance(parameter, Ordinal) or not hasattr(parameter, "values")


class _Gains:
    """The gain of one trial over another on the units of the search that both have."""

    def __init__(self, spec: StudySpec, history: History) -> None:
        self._spec, self._history = spec, history
        self._floor = control_noise(spec, history).floor if has_control(history) else None
        self._known: dict[int, Mapping[Any, float]] = {}

    def __call__(self, first: int, second: int) -> Interval | None:
        a, b = self._values(first), self._values(second)
        sign = self._spec.signs[0]
        gains = [sign * (a[u] - b[u]) for u in units.search(self._spec) if u in a and u in b]
        if len(gains) > 1:
            return fresh_interval(self._spec, gains)
        return by_noise(gains[0], self._floor) if gains and self._floor is not None else None

    def _values(self, number: int) -> Mapping[Any, float]:
        if number not in self._known:
            self._known[number] = units.search_values(self._spec, self._history, number)
        return self._known[number]


def _points(space: Space, history: History) -> tuple[list[int], Array]:
    """The trials with a value, and where each lies: (n, d); NaN where a parameter is not active."""
    numbers = sorted(number for number, told in history.told() if history.meets(told))[-_MOST:]
    rows = [_point(space, history.config(number)) for number in numbers]
    return numbers, np.array(rows, dtype=float).reshape(len(numbers), len(space))


def _point(space: Space, config: Mapping[str, Any]) -> list[float]:
    return [
        float("nan") if name not in config else _at(space, name, config[name]) for name in space
    ]


def _at(space: Space, name: str, value: Any) -> float:
    parameter = space[name]
    if _ordered(space, name):
        return float(parameter.to_unit(value))
    return float(parameter.index(value))  # type: ignore[union-attr]


def _differences(space: Space, points: Array, point: Array) -> Array:
    """How far each parameter of each point is from that of another, in [0, 1]."""
    apart = np.abs(points - point)
    for column, name in enumerate(space):
        if not _ordered(space, name):
            apart[:, column] = apart[:, column] > 0
    one_only = np.isnan(points) != np.isnan(point)
    return np.where(one_only, 1.0, np.nan_to_num(apart, nan=0.0))
