"""Which of the changes did the work: the path from the control to the winner, and back. Pure.

Forward, the change that gains most is made first, then the one that gains most beside it, and so on
(Fawcett and Hoos 2016, Analysing differences between algorithm configurations through ablation,
J. Heuristics 22). Backward, the change that costs least to take back goes first. Both race: after the first
step, a change is measured again only while what it last gained, and a standard error, exceeds the
best of those that were measured in this step. So a change that comes to matter late only beside others can be
missed; the first step is whole.

All is measured in a study of its own whose trial 0 is the control, on splits that nothing was chosen
on; the winner is the first config that it is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from assay.analysis.effects import fresh_interval
from assay.core import units
from assay.core.events import CONTROL, Told
from assay.core.history import History
from assay.core.jobs import Unit
from assay.core.parameters import value_key
from assay.core.space import Space
from assay.core.spec import StudySpec
from assay.math.intervals import Interval

Config: TypeAlias = Mapping[str, Any]
Standing: TypeAlias = Literal["leave at default", "no loss shown", "needed"]

FRESH = "audit"
"""The stage in which a config of an objective is measured with more seeds."""
AGAIN = "audit again"
"""The stage in which the smallest set of changes is measured once more, as it was chosen on the path."""
SOURCE = "the path from the control to the winner"
WINNER = "the winner"


@dataclass(frozen=True)
class Step:
    """One change on a path.

    Attributes:
        name: the parameter.
        gain: what making it gains where it stands (backward: what taking it back costs).
        total: the gain over the control after it.
    """

    name: str
    gain: Interval
    total: Interval


@dataclass(frozen=True)
class Needed:
    """Configs that have to be measured before the path can go on."""

    configs: tuple[dict[str, Any], ...]


class _MissingError(Exception):
    """A path cannot go on without these configs."""

    def __init__(self, configs: Sequence[dict[str, Any]]) -> None:
        super().__init__()
        self.configs = tuple(configs)


def changed(space: Space, control: Config, winner: Config) -> list[str]:
    """The parameters that differ and are active in both: those that can be changed by themselves.

    A parameter that is active in one of them only follows the change that brings it or takes it away.
    """
    return [
        name
        for name in space
        if name in control
        and name in winner
        and value_key(control[name]) != value_key(winner[name])
    ]


def mixed(
    space: Space, control: Config, winner: Config, on: frozenset[str]
) -> dict[str, Any] | None:
    """The control with some of the winner's changes; None where the space does not allow it.

    >>> from assay.core.parameters import Int
    >>> space = Space(a=Int(0, 9), b=Int(0, 9))
    >>> mixed(space, {"a": 1, "b": 1}, {"a": 2, "b": 3}, frozenset("b"))
    {'a': 1, 'b': 3}
    """
    config: dict[str, Any] = {}
    for name, node in space.nodes.items():
        if node.active(config):
            first, second = (winner, control) if name in on else (control, winner)
            if name not in first and name not in second:
                return None
            config[name] = first.get(name, second.get(name))
    return config if space.allowed(config) else None


@dataclass(frozen=True)
class Measured:
    """What the study of an audit has measured so far.

    Args:
        fresh: how many units each config is measured on, at least.
    """

    spec: StudySpec
    history: History
    fresh: int

    @property
    def control(self) -> dict[str, Any]:
        return self.history.config(CONTROL)

    @property
    def winner(self) -> dict[str, Any]:
        return self.history.config(CONTROL + 1)

    @property
    def names(self) -> list[str]:
        """The changes."""
        return changed(self.spec.space, self.control, self.winner)

    def wanted(self) -> tuple[Unit, ...]:
        """The units on which the path is measured."""
        return self._units(self.first)

    def again(self) -> tuple[Unit, ...]:
        """Other units, for what is measured once more."""
        return self._units(self.first + self._times)

    @property
    def first(self) -> int:
        """The first repeat of the path. Forward splits begin with the same one, whatever the seed."""
        return 1 if self.spec.data and self.spec.data["splits"]["kind"] == "forward" else 0

    @property
    def _times(self) -> int:
        if not self.spec.data:
            return self.fresh
        folds = units.folds(self.spec)
        return max(-(-self.fresh // folds), 1)

    def _units(self, first: int) -> tuple[Unit, ...]:
        those = range(first, first + self._times)
        if not self.spec.data:
            return tuple((0, 0, seed) for seed in those)
        return tuple((r, f, 0) for r in those for f in range(units.folds(self.spec)))

    def number(self, on: frozenset[str]) -> int | None:
        """The trial with these changes; None where there cannot be one."""
        config = mixed(self.spec.space, self.control, self.winner, on)
        if config is None:
            return None
        number = self.history.find(config)
        if number is None or self.history.outcome(number) is None or self.lacks(number):
            raise _MissingError([config])
        return number if isinstance(self.history.outcome(number), Told) else None

    def lacks(self, number: int) -> list[Unit]:
        """The units of the path that a trial with a value still lacks, and has not lost."""
        if not isinstance(self.history.outcome(number), Told):
            return []
        known = units.search_values(self.spec, self.history, number).keys()
        gone = lost(self.history, number)
        return [unit for unit in self.wanted() if unit not in known and unit not in gone]

    def gain(
        self, on: frozenset[str], over: frozenset[str], where: Sequence[Unit] | None = None
    ) -> Interval | None:
        """How much better some changes are than others; None where one of them has no value."""
        ours, theirs = self.number(on), self.number(over)
        if ours is None or theirs is None:
            return None
        return self._between(ours, theirs, self.wanted() if where is None else where)

    def _between(self, ours: int, theirs: int, where: Sequence[Unit]) -> Interval | None:
        a, b = (units.search_values(self.spec, self.history, n) for n in (ours, theirs))
        sign = self.spec.signs[0]
        gains = [sign * (b[unit] - a[unit]) for unit in where if unit in a and unit in b]
        return fresh_interval(self.spec, gains) if gains else None


def lost(history: History, number: int) -> set[Unit]:
    """The units of a trial that broke outside the search."""
    return {unit for broke in history.breakages() if broke.trial == number for unit in broke.units}


def forward(measured: Measured) -> Iterator[Step]:
    """The path from the control to the winner, the change that gains most first."""
    yield from _path(measured, backward=False)


def backward(measured: Measured) -> Iterator[Step]:
    """The path from the winner to the control, the change that costs least to take back first."""
    yield from _path(measured, backward=True)


def _path(measured: Measured, *, backward: bool) -> Iterator[Step]:
    left = list(measured.names)
    here = frozenset(left) if backward else frozenset[str]()
    last: dict[str, Interval | None] = {}
    while left:
        found = _measured_step(measured, here, left, last)
        last |= found
        best = _best(found)
        if best is None:
            return  # no single change is possible from here
        gain = found[best]
        assert gain is not None
        here = here ^ {best}
        total = measured.gain(here, frozenset())
        assert total is not None, "it was measured"
        yield Step(best, _turned(gain) if backward else gain, total)
        left.remove(best)


def _measured_step(
    measured: Measured,
    here: frozenset[str],
    left: Sequence[str],
    last: Mapping[str, Interval | None],
) -> dict[str, Interval | None]:
    """What each change gains from here, as far as it can still be the best.

    In the first step all are measured; those that are missing are asked for together.
    """
    if not last:
        together = [_missing(measured, here ^ {name}) for name in left]
        if wanted := [config for configs in together for config in configs]:
            raise _MissingError(wanted)
    found: dict[str, Interval | None] = {}
    for name in sorted(left, key=lambda n: -_hope(last.get(n))):
        best = _best(found)
        known = found[best] if best is not None else None
        if known is not None and last and _hope(last.get(name)) <= known.estimate:
            break
        found[name] = measured.gain(here ^ {name}, here)
    return found


def _missing(measured: Measured, on: frozenset[str]) -> tuple[dict[str, Any], ...]:
    try:
        measured.number(on)
    except _MissingError as missing:
        return missing.configs
    return ()


def _hope(gain: Interval | None) -> float:
    return gain.estimate + gain.se if gain is not None else float("-inf")


def _best(found: Mapping[str, Interval | None]) -> str | None:
    known = {name: gain.estimate for name, gain in found.items() if gain is not None}
    return max(known, key=lambda name: known[name]) if known else None


def _turned(gain: Interval) -> Interval:
    """The cost, of a gain."""
    form = asdict(gain)
    return Interval(**form | {"estimate": -gain.estimate, "low": -gain.high, "high": -gain.low})


def smallest(measured: Measured) -> frozenset[str]:
    """The fewest changes on the way back that lose no more than the smallest gain, or a standard error."""
    every = frozenset(measured.names)
    here, found = every, every
    for step in backward(measured):
        here = here - {step.name}
        loss = measured.gain(every, here)
        if loss is not None and loss.estimate <= max(measured.spec.smallest_gain, loss.se):
            found = here
    return found


def needed(measured: Measured) -> Needed | None:
    """The configs to measure next; None when the paths are whole."""
    try:
        every = frozenset(measured.names)
        if measured.number(frozenset()) is None or measured.number(every) is None:
            return None  # one of the ends has no value here
        for _ in forward(measured):
            pass
        measured.number(smallest(measured))
    except _MissingError as missing:
        return Needed(missing.configs)
    return None


def once_more(measured: Measured) -> list[tuple[int, list[Unit]]]:
    """Trials and units that are measured once more: the control, the winner and the smallest set."""
    found = []
    ends = (frozenset[str](), frozenset(measured.names))
    for on in dict.fromkeys((*ends, smallest(measured))):
        number = measured.number(on)
        if number is None:
            return []
        known = measured.history.units(number).keys() | lost(measured.history, number)
        if left := [unit for unit in measured.again() if unit not in known]:
            found.append((number, left))
    return found


def standing(cost: Interval, smallest_gain: float) -> Standing:
    """Whether a change is needed, from what taking it back costs."""
    if cost.high < smallest_gain:
        return "leave at default"
    return "needed" if cost.low > 0 else "no loss shown"


def audited(measured: Measured, trial: int) -> dict[str, Any]:
    """The whole audit in JSON, as the log keeps it.

    Args:
        trial: the winner's number in its own study.
    """
    control, winner, names = measured.control, measured.winner, measured.names
    every = frozenset(names)
    least = smallest(measured)
    looks, cpu_s = measured.history.used
    spec = measured.spec
    return {
        "trial": trial,
        "metric": spec.objectives[0],
        "maximize": spec.signs[0] < 0,
        "smallest_gain": spec.smallest_gain,
        "changes": {name: [control[name], winner[name]] for name in names},
        "follow": {
            name: [control.get(name), winner.get(name)]
            for name in spec.space
            if (name in control) != (name in winner)
        },
        "same": [n for n in spec.space if n in control and n in winner and n not in every],
        "forward": [_step(step) for step in forward(measured)],
        "backward": [_step(step) for step in backward(measured)],
        "alone": [_alone(measured, every, name) for name in names],
        "smallest": _smallest(measured, least, every),
        "configs": measured.history.n_trials,
        "evaluations": looks,
        "cpu_s": cpu_s,
    }


def _step(step: Step) -> dict[str, Any]:
    return {"name": step.name, "gain": asdict(step.gain), "total": asdict(step.total)}


def _alone(measured: Measured, every: frozenset[str], name: str) -> dict[str, Any]:
    """What it costs to take back one change and keep all others."""
    cost = measured.gain(every, every - {name})
    form: dict[str, Any] = {"name": name, "cost": asdict(cost) if cost else None}
    return form | {"standing": standing(cost, measured.spec.smallest_gain) if cost else "needed"}


def _smallest(measured: Measured, least: frozenset[str], every: frozenset[str]) -> dict[str, Any]:
    """The smallest set of changes, with its gain and its loss on units that did not choose it."""
    number = measured.number(least)
    assert number is not None, "it was measured"
    gain = measured.gain(least, frozenset(), measured.again())
    loss = measured.gain(every, least, measured.again())
    return {
        "changes": [name for name in measured.names if name in least],
        "config": measured.history.config(number),
        "gain": asdict(gain) if gain else None,
        "loss": asdict(loss) if loss else None,
    }
