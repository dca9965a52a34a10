"""An Optuna study as one of our histories.

Optuna learns its search space while objectives run; ours is known before the first trial. So a space
is inferred from the trials that ended, and the history is written in it. Both only grow, unless a
trial shows that the space is another one than it seemed.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from assay.api.parts import sampler_of
from assay.core.events import Asked, Event, Failed, Told
from assay.core.history import History, fold
from assay.core.parameters import Float
from assay.core.protocols import ExhaustedError, Sampler
from assay.core.space import Space
from assay.core.spec import Direction, StudySpec, directions_of
from assay.optuna.shape import Basis, Shape, inferred
from assay.samplers.random import Random

_SHOWING = (TrialState.COMPLETE, TrialState.PRUNED)  # a trial that failed may lack parameters


class Follower:
    """An Optuna study as a history of ours, kept up to date."""

    def __init__(self, settings: Mapping[str, Any], seed: int, ways: Sequence[Direction]) -> None:
        self._settings, self._seed = settings, seed
        self._directions = directions_of(ways)
        self._sign = -1.0 if ways[0] == "maximize" else 1.0
        self._ended: list[FrozenTrial] = []
        self._taken: set[int] = set()
        self._upto = 0  # all trials before this number have ended and are taken
        self._latest: Basis = {}  # the newest distribution of each name, by first appearance
        self._settled: Basis = {}  # those of them that did not just change
        self._constraints: list[str] = []  # their names, by first appearance
        self._proposed: dict[int, dict[str, Any]] = {}  # of trials that have not ended
        self._sampler_for(Shape({}, Space(x=Float(0, 1))))  # what it cannot do, it says now
        self._become(Shape({}, None))

    def _become(self, shape: Shape) -> None:
        """Begin the history anew, in this space."""
        self.shape, self._sampler = shape, self._sampler_for(shape)
        self._history = History()
        self._ours: dict[int, int] = {}  # Optuna's number of a trial -> its number in the history
        self._losses: list[float] = []  # of complete trials, sorted
        for trial in self._ended:
            self._end(trial)

    def _sampler_for(self, shape: Shape) -> Sampler | None:
        if shape.space is None:
            return None
        spec = StudySpec(
            shape.space,
            self._directions,
            seed=self._seed,
            sampler=self._settings,
            constraints=[f"c{i} <= 0" for i in range(len(self._constraints))],
        )
        return sampler_of(spec)

    def propose(self, number: int, rng: Any) -> dict[str, Any]:
        """A config for trial `number`; empty while there is no space."""
        space = self.shape.space
        if self._sampler is None or space is None:
            return {}
        try:
            config = self._sampler.ask(space, self._history, rng).config
        except ExhaustedError:  # Optuna's studies go on
            config = Random().ask(space, self._history, rng).config
        self._proposed[number] = config
        return config

    def follow(self, trials: Sequence[FrozenTrial], current: int) -> None:
        """Take in what is new in `trials`, which are all of the study, without the current one."""
        fresh = [
            t for t in trials[self._upto :] if t.state.is_finished() and t.number not in self._taken
        ]
        known = len(self._constraints)
        self._take(fresh)
        shape, told_more = self._shape_after(fresh), len(self._constraints) > known
        if shape is not self.shape or told_more or any(map(self._differs, fresh)):
            self._become(shape)
        else:
            for trial in fresh:
                self._end(trial)
        for trial in trials[self._upto :]:
            if trial.state == TrialState.RUNNING and trial.number != current:
                self._start(trial)

    def _take(self, fresh: Iterable[FrozenTrial]) -> None:
        for trial in fresh:
            self._ended.append(trial)
            self._taken.add(trial.number)
            self._proposed.pop(trial.number, None)
            if trial.state in _SHOWING:
                self._settle(trial.distributions)
                self._constraints += [c for c in trial.constraints if c not in self._constraints]
        while self._upto in self._taken:
            self._taken.remove(self._upto)
            self._upto += 1

    def _settle(self, distributions: Mapping[str, BaseDistribution]) -> None:
        for name, distribution in distributions.items():
            if distribution.single():
                continue
            if self._latest.setdefault(name, distribution) == distribution:
                self._settled.setdefault(name, distribution)
            else:
                self._settled.pop(name, None)
                self._latest[name] = distribution

    def _shape_after(self, fresh: Iterable[FrozenTrial]) -> Shape:
        """The shape as it is, if the new trials fit in; otherwise the one that all trials show."""
        showing = [t for t in fresh if t.state in _SHOWING]
        if self._settled == self.shape.basis and all(map(self.shape.agrees, showing)):
            return self.shape
        basis = {name: self._settled[name] for name in self._latest if name in self._settled}
        return inferred(basis, [t for t in self._ended if t.state in _SHOWING])

    def _differs(self, trial: FrozenTrial) -> bool:
        """Whether a trial ended with another config than the history has for it."""
        ours = self._ours.get(trial.number)
        return ours is not None and self.shape.config(trial.params) != self._history.config(ours)

    def _start(self, trial: FrozenTrial) -> None:
        """Write down a trial that runs, once all of its parameters are known."""
        if trial.number in self._ours:
            return
        known = self.shape.outward(self._proposed.get(trial.number, {})) | trial.params
        if (config := self.shape.config(known)) is not None:
            self._write([self._asked(trial.number, config)])

    def _end(self, trial: FrozenTrial) -> None:
        config = self.shape.config(trial.params)
        if config is None:
            return
        new = [] if trial.number in self._ours else [self._asked(trial.number, config)]
        self._write([*new, self._outcome(trial)])

    def _asked(self, number: int, config: dict[str, Any]) -> Asked:
        ours = self._ours[number] = self._history.n_trials
        return Asked(ours, config, self._history.length)

    def _write(self, events: Sequence[Event]) -> None:
        self._history = fold(events, self._history)

    def _outcome(self, trial: FrozenTrial) -> Told | Failed:
        ours = self._ours[trial.number]
        if trial.state == TrialState.FAIL:
            return Failed(ours, "raised", "failed")
        values = self._pruned(trial) if trial.state == TrialState.PRUNED else trial.values
        if not values or not all(map(math.isfinite, values)):
            return Failed(ours, "invalid", "has no finite value")
        if trial.state == TrialState.COMPLETE:
            insort(self._losses, self._sign * values[0])
        return Told(ours, tuple(values), self._excesses(trial) or None)

    def _excesses(self, trial: FrozenTrial) -> dict[str, float]:
        found = trial.constraints
        names = enumerate(self._constraints)
        return {f"c{i}": found[n] for i, n in names if math.isfinite(found.get(n, math.nan))}

    def _pruned(self, trial: FrozenTrial) -> list[float]:
        """The last reported value, or the median of the complete trials if that is worse."""
        if trial.last_step is None:
            return []
        loss = self._sign * trial.intermediate_values[trial.last_step]
        if self._losses:
            loss = max(loss, self._losses[len(self._losses) // 2])
        return [self._sign * loss]
