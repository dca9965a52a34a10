"""Define-by-run objectives, as they are: the space is learnt from what they ask for."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import TrialPruned
from optuna.trial import FrozenTrial, TrialState, create_trial

from assay.api.opened import open_study
from assay.api.parts import store_at
from assay.api.study import Study
from assay.core.errors import SpecError, StateError
from assay.core.events import Enqueued
from assay.core.familiar import RUN_ARGUMENTS, familiar
from assay.core.history import Trial
from assay.core.protocols import Store
from assay.core.rng import stream
from assay.core.space import Space
from assay.core.spec import directions_of
from assay.optuna.shape import outward, parameter_of
from assay.optuna.values import distribution_of, simple, space_seen

Objective = Callable[[Any], Any]

_SOURCE = "define by run"
_WHY = "why"


class RunTrial:
    """A trial as Optuna's objectives know it. Nothing is pruned: `should_prune` is False.

    Attributes:
        number, params, distributions, user_attrs, constraints, datetime_start: as in Optuna.
    """

    def __init__(self, number: int, proposal: Mapping[str, Any], seed: int) -> None:
        self.number, self._proposal, self._seed = number, proposal, seed
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}
        self.user_attrs: dict[str, Any] = {}
        self.constraints: dict[str, float] = {}
        self.datetime_start = datetime.now().astimezone()
        self.curve: dict[int, float] = {}
        self.surprised = False

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number between `low` and `high`."""
        return float(self._suggest(name, FloatDistribution(low, high, log=log, step=step)))

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """A whole number between `low` and `high`."""
        return int(self._suggest(name, IntDistribution(low, high, log=log, step=step)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices."""
        return self._suggest(name, CategoricalDistribution(choices))

    def suggest_uniform(self, name: str, low: float, high: float) -> float:
        """An older name of `suggest_float`."""
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> float:
        """An older name of `suggest_float` with `log`."""
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> float:
        """An older name of `suggest_float` with `step`."""
        return self.suggest_float(name, low, high, step=q)

    def report(self, value: float, step: int) -> None:
        """Record an intermediate value."""
        self.curve[int(step)] = float(value)

    def should_prune(self) -> bool:
        """False: every trial runs to its end."""
        return False

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep a note with the trial while it runs."""
        self.user_attrs[key] = value

    def set_constraint(self, key: str, value: float) -> None:
        """A number that is to be zero or less.

        Raises:
            ValueError: NaN, or a name that no constraint of ours can have.
        """
        if math.isnan(number := float(value)):
            raise ValueError(f"The constraint {key!r} needs a number, got NaN.")
        if not key or key != key.strip() or set(key) & set("<>="):
            raise ValueError(f"A constraint needs a name without '<', '>' and '=', got {key!r}.")
        self.constraints.setdefault(key, number)

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if name in self.params:
            if self.distributions[name] != distribution:
                raise ValueError(f"{name!r} was suggested before with {self.distributions[name]}.")
            return self.params[name]
        value = self._proposed(name, distribution)
        self.params[name], self.distributions[name] = value, distribution
        return value

    def _proposed(self, name: str, distribution: BaseDistribution) -> Any:
        if distribution.single():
            return outward(distribution, parameter_low(distribution))
        if name in self._proposal:
            for value in _matching(self._proposal[name], distribution):
                return value
        self.surprised = True
        rng = stream(self._seed, "alone", self.number, name)
        return outward(distribution, parameter_of(distribution).from_unit(rng.random()))


@familiar(**RUN_ARGUMENTS)
def run(
    objective: Objective,
    n_trials: int,
    *,
    timeout: float | None = None,
    direction: str | Sequence[str] | Mapping[str, str] = "minimize",
    seed: int = 0,
    sampler: str | Mapping[str, Any] = "auto",
    storage: str | Store | None = None,
    name: str = "study",
    startup: int = 10,
    catch: tuple[type[Exception], ...] = (Exception,),
) -> Study:
    """Run an Optuna objective, unchanged, in a study of ours.

    The first trials are drawn at random while the space is learnt; then a study with that space
    begins, and takes them over. Parameters that are there in some trials only become conditional. If
    a later trial asks for something that was never asked for, a new study `name-2` begins with the
    wider space and all trials so far, and a warning says so. Numbers given to `trial.set_constraint`
    become constraints of the study; a trial without one that others have counts as breaking it. Where
    every config of a finite space was tried, the run ends.

    The same call with the same storage and name goes on where it was; a trial that was under way is
    run again. Until the space is learnt nothing is kept: a run that ends before begins anew.

    Args:
        objective: `objective(trial)` with `trial.suggest_…`; may raise `optuna.TrialPruned`.
        n_trials: how many there are to be, those of an earlier call included.
        timeout: seconds after which no further trial begins.
        direction: "minimize" or "maximize"; a list or a dict by name for several objectives.
        seed, sampler, storage, name: as for `assay.Study`.
        startup: trials from which the space is learnt.
        catch: errors that fail a trial; others end the run.

    Returns:
        The study with the final space and every trial.

    Raises:
        SpecError: `n_trials` is not positive, none of the first trials ended with a value or asked
            for a parameter, or the study of this name was made in another way or with other settings.

    >>> study = run(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=20)
    >>> study.history.n_trials, study.best.value < 0.05
    (20, True)
    """
    if n_trials < 1 or startup < 1:
        raise SpecError(f"n_trials and startup need whole numbers >= 1, got {n_trials}, {startup}.")
    began = monotonic()
    runner = _Runner(objective, direction, seed, sampler, store_at(storage), name, catch)
    for number in range(runner.resume(), n_trials):
        if number and timeout is not None and monotonic() - began > timeout:
            break
        if number < min(startup, n_trials) or runner.study is None:
            runner.learn(number, last=number + 1 == min(startup, n_trials))
        elif not runner.go_on(number):
            break
    return runner.finished()


class _Runner:
    """The trials so far, and the study that holds them."""

    def __init__(
        self,
        objective: Objective,
        direction: Any,
        seed: int,
        sampler: Any,
        store: Store,
        name: str,
        catch: tuple[type[Exception], ...],
    ) -> None:
        self._objective, self._direction, self._seed, self._sampler = (
            objective,
            direction,
            seed,
            sampler,
        )
        self._store, self._name, self._catch = store, name, catch
        self._objectives = len(directions_of(direction))
        self._basis: dict[str, BaseDistribution] = {}
        self._bounds: dict[str, None] = {}
        self._past: list[FrozenTrial] = []
        self._versions = 0
        self.study: Study | None = None

    def resume(self) -> int:
        """Take up the newest study of this name; how many trials it has."""
        known = list(self._store.studies())
        while self._called(self._versions + 1) in known:
            self._versions += 1
        if not self._versions:
            return 0
        name = self._called(self._versions)
        spec = open_study(self._store, name).spec
        space, self._bounds = spec.space, dict.fromkeys(bound.name for bound in spec.bounds)
        self.study = self._study(space, name)
        events = self._store.read(name)
        if not any(isinstance(e, Enqueued) and e.source == _SOURCE for e in events):
            raise SpecError(
                f"There is a study {name!r} in this storage that was not made by run. Give another name."
            )
        self._basis = {n: distribution_of(space[n])[0] for n in space}
        for trial in self.study.trials:
            if trial.state == "running":
                outcome = self._evaluate(RunTrial(trial.number, trial.config, self._seed))
                self._keep(*outcome)
                _end(self.study, trial.number, self._past[-1])
            else:
                self._past.append(_recalled(trial, self._basis, self._bounds))
        return self.study.history.n_trials

    def _called(self, version: int) -> str:
        return self._name if version == 1 else f"{self._name}-{version}"

    def _study(self, space: Space, name: str) -> Study:
        return Study(
            space, direction=self._direction, seed=self._seed, sampler=self._sampler,
            storage=self._store, name=name, constraints=[f"{key} <= 0" for key in self._bounds],
        )  # fmt: skip

    def learn(self, number: int, *, last: bool) -> None:
        self._keep(*self._evaluate(RunTrial(number, {}, self._seed)))
        if last:
            self._begin()

    def go_on(self, number: int) -> bool:
        """Run the next trial; False if there is none, because all of the space was tried."""
        assert self.study is not None
        try:
            asked = self.study.ask()
        except StateError:
            return False
        trial, outcome = self._evaluate(RunTrial(number, asked.config, self._seed))
        self._keep(trial, outcome)
        ran = {k: simple(v) for k, v in trial.params.items() if k in self.study.spec.space.names}
        bounded = {bound.name for bound in self.study.spec.bounds} == set(self._bounds)
        if not trial.surprised and ran == asked.config and bounded:
            _end(self.study, asked.number, self._past[-1])
            return True
        reason = "the objective asked for other parameters or constraints than the study has"
        self.study.tell(asked.number, failed=reason)
        before = self.study.name
        self._begin()
        warnings.warn(
            f"Trial {number} of study {before!r}: {reason}. Study {self.study.name!r} goes on, with "
            "all trials so far.",
            stacklevel=4,
        )
        return True

    def finished(self) -> Study:
        if self.study is None:
            self._begin()
        if self.study is None:
            raise SpecError(
                "No trial ended with a value and asked for a parameter: nothing to search."
            )
        return self.study

    def _evaluate(self, trial: RunTrial) -> tuple[RunTrial, Any]:
        try:
            return trial, self._objective(trial)
        except TrialPruned:
            return trial, TrialPruned()
        except self._catch as error:
            return trial, error

    def _keep(self, trial: RunTrial, outcome: Any) -> None:
        values = _finite(outcome, self._objectives)
        self._past.append(
            create_trial(
                state=TrialState.FAIL if values is None else TrialState.COMPLETE,
                values=values,
                params=dict(trial.params),
                distributions=dict(trial.distributions),
                user_attrs={_WHY: _why(outcome, self._objectives)} if values is None else {},
                constraints=dict(trial.constraints),
                intermediate_values=trial.curve,
            )
        )
        self._basis |= trial.distributions
        self._bounds |= dict.fromkeys(trial.constraints)

    def _begin(self) -> None:
        """A study with the space as it is known now, and the trials so far."""
        whole = [trial for trial in self._past if trial.state == TrialState.COMPLETE]
        if not whole:
            raise SpecError(
                f"None of the first {len(self._past)} trials ended with a value; the last one: "
                f"{str(self._past[-1].user_attrs[_WHY]).rstrip('.')}. Mend the objective; nothing was kept."
            )
        space = space_seen(self._basis, whole)
        if space is None:
            return
        self._versions += 1
        self.study = self._study(space, self._called(self._versions))
        for number, trial in enumerate(self._past):
            _take_over(self.study, space, number, trial)


def _recalled(
    trial: Trial, basis: Mapping[str, BaseDistribution], bounds: Mapping[str, None]
) -> FrozenTrial:
    """A trial of a study as it was when its objective had run."""
    done = trial.state == "done"
    return create_trial(
        state=TrialState.COMPLETE if done else TrialState.FAIL,
        values=list(trial.values) if trial.values else None,
        params={name: simple(value) for name, value in trial.config.items()},
        distributions={name: basis[name] for name in trial.config},
        user_attrs={} if done else {_WHY: trial.failure.reason if trial.failure else trial.state},
        constraints={name: trial.extra[name] for name in bounds if name in trial.extra},
        intermediate_values=dict(trial.curve),
    )


def _take_over(study: Study, space: Space, number: int, trial: FrozenTrial) -> None:
    known = {k: simple(v) for k, v in trial.params.items() if k in space.names}
    if set(space.active(known)) != set(known) or not space.contains(known):
        return  # a trial that broke before it had asked for all
    study.enqueue(known, source=_SOURCE, note=f"trial {number}")
    _end(study, study.ask().number, trial)


def _end(study: Study, number: int, trial: FrozenTrial) -> None:
    for step, value in sorted(trial.intermediate_values.items()):
        if math.isfinite(value) and step >= 0:
            study.report_step(number, step, value)
    if trial.state == TrialState.COMPLETE:
        told = dict(zip(study.spec.objectives, trial.values, strict=True))
        for bound in study.spec.bounds:  # a trial that said nothing of one breaks it
            told[bound.name] = trial.constraints.get(bound.name, math.inf)
        study.tell(number, told)
    else:
        study.tell(number, failed=str(trial.user_attrs.get(_WHY, "failed")))


def _finite(outcome: Any, objectives: int) -> list[float] | None:
    """One finite number for each objective; None if it is anything else."""
    if isinstance(outcome, (BaseException, bool)):
        return None
    several = isinstance(outcome, Sequence) and not isinstance(outcome, str)
    try:
        values = [float(value) for value in (outcome if several else [outcome])]
    except (TypeError, ValueError):
        return None
    return values if len(values) == objectives and all(map(math.isfinite, values)) else None


def _why(outcome: Any, objectives: int) -> str:
    if isinstance(outcome, TrialPruned):
        return "pruned"
    if isinstance(outcome, BaseException):
        return f"{type(outcome).__name__}: {outcome}"
    if objectives == 1 and isinstance(outcome, tuple | list):
        return f"it returned {outcome!r:.80}; for several objectives give a list as direction"
    wanted = "a finite number" if objectives == 1 else f"{objectives} finite numbers"
    return f"it returned {outcome!r:.80}, not {wanted}"


def _matching(value: Any, distribution: BaseDistribution) -> list[Any]:
    """The value as the distribution has it; empty if it has not."""
    if isinstance(distribution, CategoricalDistribution):
        return [c for c in distribution.choices if simple(c) == value and type(c) is type(value)][
            :1
        ]
    try:
        fits = distribution._contains(distribution.to_internal_repr(value))
    except (TypeError, ValueError):
        return []
    return [value] if fits else []


def parameter_low(distribution: BaseDistribution) -> Any:
    """Our value of a distribution that has one value only."""
    return 0 if isinstance(distribution, CategoricalDistribution) else distribution.low  # type: ignore[attr-defined]
