"""What each trial did relative to the control, on the same units. Pure.

A gain is positive when the trial is better than the control, whatever the direction of the
objective.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from assay.analysis.noise import Noise, noise
from assay.core import units
from assay.core.events import CONTROL, Told
from assay.core.history import History
from assay.core.jobs import Unit
from assay.core.spec import StudySpec
from assay.math.intervals import Interval, corrected_paired, paired_t

Standing: TypeAlias = Literal["control", "better", "inside noise", "worse", "unclear"]

_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Effect:
    """A trial's gain over the control. `interval` is None where the noise is not known yet."""

    trial: int
    gain: float
    interval: Interval | None
    standing: Standing
    multiple: float | None
    """The gain as a multiple of the noise floor; None when there is no floor to compare with."""


def has_control(history: History) -> bool:
    """Whether trial 0 is a control that is feasible: others can be compared with it, or give way to it."""
    return (
        history.n_trials > 0 and history.origin(CONTROL) == "control" and history.feasible(CONTROL)
    )


def gain_name(taken: Collection[str]) -> str:
    """What the gain over the control is called beside a study's own numbers."""
    return "gain" if "gain" not in taken else "assay.gain"


def ratio(spec: StudySpec) -> float:
    """Rows of validation over rows of training; 0 for a study without data."""
    return float(spec.data["ratio"]) if spec.data else 0.0


def differences(
    spec: StudySpec, history: History, trial: int, on: Iterable[Unit] | None = None
) -> dict[Unit, float]:
    """Gain of `trial` over the control on each unit that both have, or on those of `on`."""
    sign = spec.signs[0]
    ours = units.search_values(spec, history, trial)
    theirs = units.search_values(spec, history, CONTROL)
    wanted = (
        ours.keys() & theirs.keys() if on is None else [u for u in on if u in ours and u in theirs]
    )
    return {unit: sign * (theirs[unit] - ours[unit]) for unit in sorted(wanted)}


def control_noise(spec: StudySpec, history: History) -> Noise:
    """The noise floor as it is known so far."""
    fixed = units.deterministic(spec, history)
    first = []
    if spec.data:  # without data a trial has one unit, which says nothing of its spread
        numbers = (n for n in range(1, history.n_trials) if isinstance(history.outcome(n), Told))
        first = [
            units.search_values(spec, history, n) for n, _ in zip(numbers, range(10), strict=False)
        ]
    return noise(
        units.search_values(spec, history, CONTROL),
        first,
        search=units.search(spec),
        ratio=ratio(spec),
        fixed=fixed,
    )


class Effects(Mapping[int, Effect]):
    """The effects on the search units, by number; each is found when it is looked at.

    Those trials have one that are feasible, if there is a control. Several folds: corrected paired
    interval (Nadeau and Bengio). One unit: the noise floor stands in.
    """

    def __init__(self, spec: StudySpec, history: History, floor: Noise | None = None) -> None:
        self._spec, self._history = spec, history
        self._theirs = {}
        if has_control(history):
            self._theirs = units.search_values(spec, history, CONTROL)
            self._floor = floor or control_noise(spec, history)
        self._units = sorted(units.search(spec))

    def __getitem__(self, number: int) -> Effect:
        known = self._theirs and 0 <= number < self._history.n_trials
        found = self._found(number) if known and self._history.feasible(number) else None
        if found is None:
            raise KeyError(number)
        return found

    def __iter__(self) -> Iterator[int]:
        return (number for number in range(self._history.n_trials) if number in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _found(self, trial: int) -> Effect | None:
        if trial == CONTROL:
            return Effect(trial, 0.0, None, "control", None)
        sign, theirs, floor = self._spec.signs[0], self._theirs, self._floor
        ours = units.search_values(self._spec, self._history, trial)
        gains = [sign * (theirs[u] - ours[u]) for u in self._units if u in ours and u in theirs]
        if not gains:
            return None
        gain = sum(gains) / len(gains)
        multiple = gain / floor.floor if floor.floor else None
        interval = _interval(self._spec, gains, floor)
        return Effect(trial, gain, interval, _standing(interval, floor), multiple)


def effect(spec: StudySpec, history: History, trial: int, floor: Noise) -> Effect | None:
    """The effect of one trial; None if it has none."""
    return Effects(spec, history, floor).get(trial)


def effects(spec: StudySpec, history: History) -> list[Effect]:
    """The effect of every trial that has one."""
    return list(Effects(spec, history).values())


def fresh_interval(spec: StudySpec, gains: Sequence[float]) -> Interval:
    """The interval of a mean gain over fresh units: corrected for shared rows on data, else plain."""
    if len(set(gains)) == 1:
        return _point(gains[0], len(gains), "no spread")
    level = 1 - spec.alpha
    if spec.data:
        return corrected_paired(gains, ratio(spec), level)
    return paired_t(gains, level)


def by_noise(gain: float, se: float) -> Interval:
    """The interval of a gain on one unit, whose standard error is known from the control."""
    if se == 0:
        return _point(gain, 1, "deterministic")
    half = _Z * se
    return Interval(gain, gain - half, gain + half, se, None, "noise floor of the control", 1)


def _interval(spec: StudySpec, gains: Sequence[float], floor: Noise) -> Interval | None:
    if len(gains) > 1:
        return fresh_interval(spec, gains)
    if floor.floor is None:
        return None
    return by_noise(gains[0], floor.floor)


def _point(gain: float, n: int, method: str) -> Interval:
    return Interval(gain, gain, gain, 0.0, None, method, n)


def _standing(interval: Interval | None, floor: Noise) -> Standing:
    """Better or worse if the interval says so; inside noise if equal arms differ as much; else unclear."""
    if interval is None:
        return "unclear"
    if interval.low > 0:
        return "better"
    if interval.high < 0:
        return "worse"
    within = floor.floor is None or abs(interval.estimate) <= _Z * floor.floor
    return "inside noise" if within else "unclear"
