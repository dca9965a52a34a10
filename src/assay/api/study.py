"""A study: its plan, its log, and what both say. The user's handle on everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from assay.analysis.effects import Effect, effects, has_control
from assay.analysis.selection import best_trial, members
from assay.analysis.verdict import Verdict
from assay.api import stepwise
from assay.api.budgets import budget_now, changed_budget
from assay.api.earlier import LearnFrom, learned_from
from assay.api.parts import (
    allowed_defaults,
    order_settings,
    sampler_of,
    sampler_settings,
    scheduler_of,
    scheduler_settings,
    store_at,
)
from assay.core.beliefs import Belief
from assay.core.errors import SpecError, StateError
from assay.core.events import (
    Asked,
    Concluded,
    Created,
    Enqueued,
    Environment,
    Event,
    Exhausted,
    Noted,
    Resumed,
    Selected,
    Wish,
)
from assay.core.familiar import ARGUMENTS, STUDY, TELL_ARGUMENTS, Familiar, familiar
from assay.core.history import History, Trial, Trials
from assay.core.jsonform import whole
from assay.core.protocols import Sampler, Scheduler, Store
from assay.core.space import Space
from assay.core.spec import StudySpec, directions_of
from assay.engine.ledger import Ledger
from assay.engine.propose import propose, stands
from assay.engine.trial import OpenTrial, Reports
from assay.report.phase import over

if TYPE_CHECKING:
    from assay.analysis.importance import Importances
    from assay.api.ablation import Ablation
    from assay.api.audit import Audit
    from assay.api.preflight import Preflight
    from assay.api.systems import System
    from assay.core.components import Component


class Study(Familiar, elsewhere=STUDY):
    """A study that you drive yourself by `ask` and `tell`, or that `optimize` or `tune` made.

    Args:
        space: what is searched.
        direction: "minimize" or "maximize"; a list or a dict by name for several objectives.
        seed: the same seed and the same results give the same proposals.
        sampler: "auto", "gp", "tpe", "cmaes", "evolution", "random", "sobol", "halton",
            "grid", or a dict with settings ({"name": "grid", "points": 3}).
        scheduler: what stops or pauses bad trials early, for a space with a fidelity: "auto",
            "thaw", "thaw-stopping", "asha", "asha-stopping", "halving", "hyperband", "median",
            "percentile", "racing", or a dict with settings ({"name": "asha", "eta": 4}). After `trial.report(step, value)` ask
            `trial.should_stop()`; tell a trial its value at `trial.to_step`. None: all in full.
        storage: "sqlite:///lab.db", a file ending in .db, or a store; None: in memory.
        name: the study's name in its storage. A study with this name and the same plan goes on.
        control: the config to compare with; None: the defaults of the space, if all have one.
        constraints: bounds on numbers told by name, ["latency_ms <= 10", "memory_mb < 500"]. A
            trial that breaks one is infeasible: it informs the search, but is never the best.
        beliefs: what you think good, {"lr": assay.Belief(0.03)}: the search starts there, and turns
            away where the trials say otherwise. For the samplers "auto" and "gp".
        learn_from: earlier studies in the same storage by name, or "*" for those that fit: their best
            configs come first, and what they found guides the search while it agrees with the trials.
        order: "asynchronous": a proposal sees every result that was told. "strict": proposal n sees the
            results of the trials before n - `lag` and of no others, so that the trials are the same
            for any number of workers, whoever is faster. `ask` needs these results to be told.
        lag: with "strict", how many of the last results a proposal does without; up to `lag` + 1
            trials can be under way at once.

    Raises:
        SpaceError, SpecError: the plan is wrong, or differs from the one that is stored.
        StoreError: the storage cannot be used.

    >>> from assay import Float, Space
    >>> study = Study(Space(x=Float(-1, 1, default=0.5)), seed=0)
    >>> trial = study.ask()
    >>> trial.config
    {'x': 0.5}
    >>> study.tell(trial, trial.config["x"] ** 2)
    >>> study.best.value
    0.25
    """

    @familiar(**ARGUMENTS)
    def __init__(
        self,
        space: Space,
        *,
        direction: str | Sequence[str] | Mapping[str, str] = "minimize",
        seed: int = 0,
        sampler: str | Mapping[str, Any] = "auto",
        scheduler: str | Mapping[str, Any] | None = "auto",
        storage: str | Store | None = None,
        name: str | None = None,
        control: Mapping[str, Any] | None = None,
        constraints: Sequence[str] = (),
        beliefs: Mapping[str, Belief] | None = None,
        learn_from: LearnFrom = (),
        order: str = "asynchronous",
        lag: int | None = None,
    ) -> None:
        if not isinstance(space, Space):
            raise SpecError(
                f"A study needs a Space, got {type(space).__name__}. "
                "Write assay.Space(lr=assay.Float(1e-4, 1.0, log=True), …)."
            )
        directions = directions_of(direction)
        spec = StudySpec(
            space=space,
            directions=directions,
            seed=seed,
            sampler=sampler_settings(sampler),
            control=space.settle(control) if control is not None else allowed_defaults(space),
            constraints=constraints,
            beliefs=beliefs or {},
            order=order_settings(order, lag),
            scheduler=scheduler_settings(
                scheduler, space, single=len(directions) == 1, strict=order == "strict"
            ),
        )
        store, name = store_at(storage), name or "study"
        self._settle(spec, store, name, learned_from(spec, store, name, learn_from))

    @classmethod
    def of(
        cls,
        spec: StudySpec,
        store: Store,
        name: str,
        events: Sequence[Event] = (),
        source: Mapping[str, Any] | None = None,
    ) -> Study:
        """The study with this plan, made with `events` after its creation if it is new."""
        study = cls.__new__(cls)
        study._settle(spec, store, name, events, source)
        return study

    def _settle(
        self,
        spec: StudySpec,
        store: Store,
        name: str,
        events: Sequence[Event] = (),
        source: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.system: System | None = None
        """What an ablation would take apart; known to who made the study."""
        self._store = store
        self._sampler = sampler_of(spec)  # refused, if need be, before anything is written
        self._scheduler = scheduler_of(spec)
        self._ledger = Ledger(store, name)
        self.spec = self._born(spec, events, source)

    def _born(
        self, spec: StudySpec, events: Sequence[Event], source: Mapping[str, Any] | None
    ) -> StudySpec:
        """Create the study, or check that the stored one has the same plan."""

        def birth(history: History) -> Sequence[Event]:
            if history.length:
                return changed_budget(history, spec)
            return [Created(spec.to_json(), spec.plan, dict(source) if source else None), *events]

        self._ledger.decide(birth)
        return replace(spec, budget=budget_now(self._ledger.history, spec))

    def ask(self) -> OpenTrial:
        """The next trial: the defaults first, then given configs, then the sampler's.

        With a scheduler that pauses trials it may be one that was paused, to go on to its `to_step`.

        Raises:
            StateError: every config of the space was tried; in strict order, a result that the
                proposal has to see was not told yet.
        """
        with self._ledger.turn():
            self._ledger.refresh()
            (event,) = self._ledger.decide(self._next, stands=None if self._scheduler else stands)
        assert isinstance(event, Asked | Resumed)
        number = event.trial

        def report(step: int, value: Reports) -> None:
            self.report_step(number, step, value)

        return stepwise.open_trial(self.spec, self._ledger, event, report)

    def _next(self, history: History) -> Sequence[Event]:
        if given := stepwise.resumption(self.spec, history, self._scheduler):
            return given
        event = propose(self.spec, history, self._sampler, self._scheduler)
        if isinstance(event, Exhausted):
            raise StateError(f"There is nothing left to ask: {event.reason}.")
        return [event]

    @familiar(**TELL_ARGUMENTS)
    def tell(
        self,
        trial: OpenTrial | int,
        value: float | Sequence[float] | Mapping[str, float] | None = None,
        *,
        failed: str | None = None,
    ) -> None:
        """End a trial with its value (several: a list, or a dict by name), or as failed.

        A value that is NaN or infinite ends the trial as failed. One at a `to_step` below the full
        fidelity pauses it: `ask` gives it again if it earns more.

        Raises:
            SpecError: not a number; the trial goes on, tell it again.
            StateError: there is no such trial, or it has ended.
        """
        from assay.api.values import ending, number_of

        event = ending(number_of(trial), value, failed, self.spec)
        if not stepwise.pause(self._ledger, self._scheduler, event):
            self._ledger.add(event)

    def report_step(self, trial: int, step: int, value: Reports) -> None:
        """Record an intermediate value of trial number `trial`; with several objectives as in `tell`."""
        from assay.api.values import step_values

        stepwise.report(self._ledger, self._scheduler, trial, *step_values(step, value, self.spec))

    def enqueue(self, config: Mapping[str, Any], *, source: str = "", note: str = "") -> None:
        """Try this config before the sampler's own; missing parameters take their defaults.

        Args:
            source: where it comes from, such as the address of a paper; kept and shown.

        Raises:
            SpaceError: it does not fit the space.
        """
        event = Enqueued(self.spec.space.settle(config), whole(source), whole(note))
        self._ledger.add(event)

    def note(self, text: str, *, trial: int | None = None) -> None:
        """Keep a remark in the log."""
        self._ledger.add(Noted(whole(text), trial))

    def steer(self, wish: Wish, reason: str = "") -> None:
        """Ask whoever drives the study to "pause", to "go on", or to "stop" when running trials end.

        It is heard within a second or two. `resume`, or the same call again, goes on after a stop.
        """
        from assay.api.steering import wished

        event = wished(wish, reason)
        self._ledger.add(event)

    @property
    def history(self) -> History:
        """Everything so far, with what other processes added to the storage."""
        return self._ledger.refresh()

    @property
    def trials(self) -> Trials:
        """All trials, by number."""
        return self.history.trials

    @property
    def best(self) -> Trial:
        """The trial to use: what the verdict recommends; before it the selected one, or the best value.

        When the verdict is to keep the defaults this is the control; see `challenger`.

        Raises:
            StateError: no trial has a value yet, or there are several objectives.
        """
        if not self.spec.single:
            raise StateError("With several objectives there is no one best trial; see `front`.")
        return self.trials[best_trial(self.spec, self.history)]

    @property
    def challenger(self) -> Trial | None:
        """The best settings found, as compared with the control; None while nothing is selected."""
        selected = self.history.last(Selected)
        return self.trials[selected.challenger] if selected else None

    @property
    def members(self) -> list[Trial]:
        """The trials whose predictions are averaged, by select="ensemble_topk"; else none."""
        return [self.trials[number] for number in members(self.history)]

    @property
    def front(self) -> list[Trial]:
        """The feasible trials that no other one beats in every objective."""
        from assay.analysis.pareto import front

        return [self.trials[number] for number in front(self.spec, self.history)]

    def hypervolume(self, reference: Sequence[float] | Mapping[str, float]) -> float:
        """The volume between the front and a reference: larger is better, 0 for no front.

        Args:
            reference: for each objective a value that is just good enough, in its own units and
                direction; trials that are not better than it in every objective add nothing.

        Raises:
            SpecError: not one finite number for each objective.

        >>> from assay import Float, Space
        >>> study = Study(Space(x=Float(0, 1)), direction={"loss": "minimize", "gain": "maximize"})
        >>> for value in ({"loss": 1, "gain": 3}, {"loss": 2, "gain": 5}):
        ...     study.tell(study.ask(), value)
        >>> study.hypervolume({"loss": 4, "gain": 2})
        7.0
        """
        from assay.api.values import volume

        return volume(self.spec, self.front, reference)

    def table(self) -> dict[str, list[Any]]:
        """All trials as columns: number, state, values, gain with its interval, cost, config.

        Each library of tables takes it: `pandas.DataFrame(study.table())`. A parameter that a trial
        does not have is None.

        >>> from assay import Float, Space
        >>> study = Study(Space(x=Float(0, 1)), direction={"loss": "minimize"}, sampler="random")
        >>> study.tell(study.ask(), 0.5)
        >>> table = study.table()
        >>> table["number"], table["value loss"], len(table["config x"])
        ([0], [0.5], 1)
        """
        from assay.api.exporting import table

        return table(self)

    @property
    def control(self) -> Trial | None:
        """The control group: the trial with the default settings; None without defaults."""
        history = self.history
        return history.trial(0) if self.spec.control is not None and history.n_trials else None

    @property
    def verdict(self) -> Verdict | None:
        """What the study concluded; None while it has not."""
        concluded = self.history.last(Concluded)
        return Verdict.from_json(concluded.verdict) if concluded else None

    def effects(self) -> list[Effect]:
        """The gain of each trial over the control, with its noise; empty without a control."""
        history = self.history
        return effects(self.spec, history) if has_control(history) else []

    def importance(
        self,
        method: str = "ped-anova",
        *,
        top: float = 0.1,
        level: float = 0.95,
        objective: str | None = None,
    ) -> Importances:
        """How much each parameter matters, as a share from 0 to 1 with its interval, highest first.

        Args:
            method: "ped-anova": how much of *being among the best trials* each parameter explains by
                itself; "gp": how much of the *variance of the value over the space*, with its
                interactions, by a Gaussian process.
            top: the share of the trials that count as the best, at least 5; for "ped-anova".
            objective: its name, needed if there are several.

        Raises:
            SpecError: an unknown method or objective, or `top` or `level` not between 0 and 1.
            StateError: too few trials with a value, or too little in them to say what matters.

        >>> from assay import Float, Space
        >>> study = Study(Space(x=Float(0, 1), y=Float(0, 1)), sampler="random")
        >>> for _ in range(100):
        ...     trial = study.ask()
        ...     study.tell(trial, trial.config["x"] ** 2)
        >>> list(study.importance())
        ['x', 'y']
        """
        from assay.api.explaining import importance

        return importance(
            self.spec, self.history, method=method, top=top, level=level, objective=objective
        )

    def ablate(self, components: Sequence[Component], **wishes: Any) -> Ablation:
        """What each component contributes when every variant gets its own tuning.

        The wishes are those of `ablate_study`. The variants use the development rows of this study
        and its splits, never its sealed rows; the result is in its log and its report.
        """
        from assay.api.ablation import ablate_study

        return ablate_study(self, components, **wishes)

    def audit(self, **wishes: Any) -> Audit:
        """Which changes of the winner did the work; the wishes are those of `audit_study`."""
        from assay.api.audit import audit_study

        return audit_study(self, **wishes)

    def report(self, path: str | Path | None = None) -> str:
        """The report as one HTML page; written to `path` if given.

        A path that ends in .md, .json or .pdf gets that form; SpecError if no browser prints a PDF.
        """
        from assay.api.reporting import saved

        return saved(self, path)

    def outlook(self) -> str:
        """What going on with the search can still bring, in a sentence; empty if that cannot be said."""
        from assay.report.going_on import going_on

        return going_on(self.spec, self.history)

    def _repr_html_(self) -> str:
        from assay.api.reporting import snippet

        return snippet(self)

    def preflight(self) -> Preflight | None:
        """What was found in the data before the first trial; None where nothing was looked at."""
        from assay.api.inspecting import stored_preflight

        return stored_preflight(self.history)

    def verify(self) -> list[str]:
        """What is wrong with the log: chain, blobs, transitions, proposals; empty if nothing is."""
        from assay.api.verifying import verify

        return verify(self)

    @property
    def store(self) -> Store:
        """The store that holds the log."""
        return self._store

    @property
    def ledger(self) -> Ledger:
        """The log and its fold; for the engine."""
        return self._ledger

    @property
    def scheduler(self) -> Scheduler | None:
        """The scheduler; for the engine."""
        return self._scheduler

    @property
    def sampler(self) -> Sampler:
        """The sampler; for the engine."""
        return self._sampler

    def close(self) -> None:
        """Let go of the storage."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __copy__(self) -> Self:
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __getstate__(self) -> NoReturn:
        raise TypeError(
            f"A study cannot be pickled or copied in depth: it lives in its storage. Open {self.name!r} "
            "again where it is needed, by assay.open_study(storage, name). SearchCV can be pickled."
        )

    def __repr__(self) -> str:
        history = self._ledger.history
        return f"<study {self.name!r}: {history.n_trials} trials, {over(history)} ended>"


__all__ = ["Environment", "Study"]
