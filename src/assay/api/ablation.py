"""ablate: what each component of a system contributes when every variant gets its own tuning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.analysis.ablation import BORROWED, Search, failures, fresh_units, search_of, winner
from assay.analysis.attribution import Measured, attribution
from assay.api.parts import executor_of, sampler_settings, slots_for, store_at
from assay.api.prepare import Wishes
from assay.api.session import driving, run_plan, same_call, say_how_to_resume
from assay.api.study import Study
from assay.api.systems import Arm, Function, System, Trained
from assay.core.components import Component, Variant, called, checked
from assay.core.designs import Design, next_steps, reference, variants
from assay.core.errors import SpaceError, SpecError, StateError
from assay.core.events import Ablated, Attributed, Enqueued, Event, Varied
from assay.core.history import History, fold
from assay.core.jsonform import digest
from assay.core.parameters import UNSET, Parameter
from assay.core.protocols import Store
from assay.core.rng import derived_seed
from assay.core.space import Space
from assay.core.spec import Budget, Limits, StudySpec, directions_of
from assay.engine.variant import plan_variant
from assay.evaluation.splits import Splits
from assay.executors.slots import Slots
from assay.inputs import from_arrays

Say = Callable[[str], None]

DEFAULTS = "the defaults"
_SAMPLER = {"name": "random", "by_name": True}


@dataclass(frozen=True)
class Ablation:
    """What an ablation found; `print(ablation)` says it in sentences and a table.

    Attributes:
        study: the study whose log holds the plan and the result; it has the report.
        result: all numbers, in JSON: effects, variants, curves, shifts, roles, notes.
    """

    study: Study
    result: Mapping[str, Any]

    def effect(self, component: str) -> Mapping[str, Any]:
        """The effect of one component: "untuned", "retuned", "misattribution", "flag", "sentence".

        Raises:
            SpecError: there is no such component.
        """
        for one in self.result["effects"]:
            if one["component"] == component:
                return dict(one)
        known = [one["component"] for one in self.result["effects"]]
        raise SpecError(f"No component {component!r}. Known: {', '.join(known)}.")

    def report(self, path: str | Path | None = None) -> str:
        """The report as one HTML page; written to `path` if given."""
        return self.study.report(path)

    def __str__(self) -> str:
        from assay.report.ablation import ablation_text, ablation_view

        return ablation_text(ablation_view(self.result))


@dataclass(frozen=True)
class Wanted:
    """How an ablation is to be done: what `ablate` is given beside the system."""

    components: tuple[Component, ...]
    design: Design
    budget: Budget
    searches: int
    fresh: int
    sampler: Mapping[str, Any]

    def __post_init__(self) -> None:
        for word, least in (("searches", 1), ("fresh", 2)):
            n = getattr(self, word)
            if isinstance(n, bool) or not isinstance(n, int) or n < least:
                raise SpecError(f"{word} needs a whole number >= {least}, got {n!r}.")
        reference(self.components, self.design)

    def plan(self, spec: StudySpec) -> dict[str, Any]:
        """What is fixed before the first search, in JSON."""
        return {
            "components": [c.to_json() for c in self.components],
            "design": self.design,
            "budget": spec.to_json()["budget"],
            "searches": self.searches,
            "fresh": len(fresh_units(spec, self.fresh)),
            "sampler": dict(self.sampler),
        }


def ablate(
    model: Any,
    X: Any = None,
    y: Any = None,
    *,
    components: Sequence[Component],
    space: Space | None = None,
    design: Design = "leave-one-out",
    budget: Budget | int = 40,
    searches: int = 3,
    fresh: int = 20,
    metric: str | Callable[..., Any] = "auto",
    direction: str | None = None,
    task: str | None = None,
    splits: Splits | None = None,
    groups: Any = None,
    time: Any = None,
    smallest_gain: float | None = None,
    seed: int = 0,
    sampler: str | Mapping[str, Any] = "random",
    storage: str | Store | None = None,
    name: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    workers: int | str = 1,
    isolation: str = "process",
    progress: bool | None = None,
) -> Ablation:
    """Take a system apart, tune every variant anew, and say what each component contributes.

    Every variant is a study of its own, with the same budget, the same splits and seeds, and the same
    draws for the parameters that it shares. The best config of each search is measured again on fresh
    splits that no search has seen, and so are the whole system's settings in each variant: the
    difference between the two is what was tuning and not the component.

    Args:
        model: an estimator or pipeline, or the name of a built-in model, with X and y; or an
            objective, a function of a trial that finds each component in `trial.config`.
        X, y: features and target. All rows are used; keep rows for a final test elsewhere.
        components: what to ask about.
        space: what is tuned in every variant; needed for an objective.
        design: "leave-one-out", "add-one-in", "path", "factorial" (up to 4 components) or
            "fraction" (4 to 8).
        budget: of each search: Budget(trials=40), or a number of trials. The log refuses another.
        searches: how often each variant is tuned, with other seeds: search luck is part of the error.
        fresh: evaluations on fresh splits (or seeds) behind each score, at least.
        direction: for an objective, "minimize" (the default) or "maximize".
        sampler: "random" draws parameters of the same name alike in all variants.
        metric, task, splits, groups, time, smallest_gain, seed, storage, name, limits, workers,
            isolation, progress: as for `tune` and `optimize`.

    Returns:
        The ablation: `print(...)`, `.effect("scaler")`, `.report("ablation.html")`.

    Raises:
        SpecError, SpaceError, DataError: a component or the plan is wrong.
        StateError: the whole system cannot be trained, or it was interrupted: call again to go on.

    >>> from assay import Component, Float, Space
    >>> def loss(trial):
    ...     rate = trial.config["rate"] * (1 if trial.config["normalise"] else 100)
    ...     return (rate - 0.5) ** 2
    >>> found = ablate(loss, space=Space(rate=Float(0.001, 1, log=True)), isolation="none",
    ...     components=[Component("normalise")], budget=30, smallest_gain=0.01)
    >>> found.effect("normalise")["flag"]
    'not needed'
    """
    system = _system(
        model,
        X,
        y,
        space,
        direction,
        groups,
        time,
        Wishes(
            metric=metric,
            direction=direction,
            task=task,
            space=space,
            splits=splits,
            smallest_gain=smallest_gain,
            seed=seed,
            limits=limits,
        ),
        seeding=isolation == "process",
    )
    wanted = wanted_of(components, design, budget, searches, fresh, sampler)
    slots = slots_for(workers, isolation=isolation, limits=limits)
    return run_ablation(
        system,
        wanted,
        store_at(storage),
        name or "ablation",
        slots=slots,
        isolation=isolation,
        progress=progress,
    )


def ablate_study(
    study: Study,
    components: Sequence[Component],
    *,
    design: Design = "leave-one-out",
    budget: Budget | int | None = None,
    searches: int = 3,
    fresh: int = 20,
    sampler: str | Mapping[str, Any] = "random",
    workers: int | str = 1,
    isolation: str = "process",
    progress: bool | None = None,
) -> Ablation:
    """The ablation of a study that `tune` or `optimize` made; `budget` None: that of its search.

    Raises:
        StateError: its data or objective is not at hand.
    """
    if study.system is None:
        raise StateError(
            f"Study {study.name!r} was opened from its storage, which holds neither the data nor the "
            "objective. Make the same call of tune or optimize again, or use assay.ablate."
        )
    limit = budget if budget is not None else study.spec.budget
    if limit is None:
        raise SpecError("This study has no budget; say how much each variant may spend: budget=40.")
    wanted = wanted_of(components, design, limit, searches, fresh, sampler)
    slots = slots_for(workers, isolation=isolation, limits=study.spec.limits)
    return run_ablation(
        study.system,
        wanted,
        study.store,
        study.name,
        parent=study,
        slots=slots,
        isolation=isolation,
        progress=progress,
    )


def wanted_of(
    components: Sequence[Component],
    design: Design,
    budget: Budget | int,
    searches: int,
    fresh: int,
    sampler: str | Mapping[str, Any],
) -> Wanted:
    """The wishes, checked.

    Raises:
        SpecError: something does not fit.
    """
    drawn = _SAMPLER if sampler == "random" else sampler_settings(sampler)
    limit = budget if isinstance(budget, Budget) else Budget(trials=budget)
    return Wanted(checked(components), design, limit, searches, fresh, drawn)


def _system(
    model: Any,
    X: Any,
    y: Any,
    space: Space | None,
    direction: str | None,
    groups: Any,
    time: Any,
    wishes: Wishes,
    *,
    seeding: bool,
) -> System:
    if X is not None:
        return Trained(from_arrays(X, y, groups=groups, time=time), model, wishes)
    if not callable(model) or space is None:
        raise SpecError(
            "ablate needs an estimator with X and y, or an objective with space=Space(…). "
            f"Got {model!r:.80}{'' if space else ' without a space'}."
        )
    spec = StudySpec(
        space=space,
        directions=directions_of(direction or "minimize"),
        seed=wishes.seed,
        smallest_gain=wishes.smallest_gain or 0.0,
        limits=wishes.limits,
    )
    return Function(model, spec, seeding)


def run_ablation(
    system: System,
    wanted: Wanted,
    store: Store,
    name: str,
    *,
    parent: Study | None = None,
    slots: int | Slots = 1,
    isolation: str = "process",
    progress: bool | None = None,
    say: Say | None = None,
    source: Mapping[str, Any] | None = None,
) -> Ablation:
    """Run or go on with an ablation; its plan and result are in the log of `parent`.

    Raises:
        StateError: it was interrupted, or the reference cannot be trained.
    """
    first = reference(wanted.components, wanted.design)
    whole = _planned(system.arm(wanted.components, first), wanted)
    form = wanted.plan(whole.spec)
    event = Ablated(digest(form), form)
    if parent is None:
        _check_free(store, name, event)
    study = parent or Study.of(
        replace(whole.spec, control=whole.defaults), store, name, source=source
    )
    if event.ablation not in _of(study.history):
        study.ledger.decide(lambda _: [event])
    known = _result(study.history, event.ablation)
    if known is not None:
        return Ablation(study, known)
    run = _Run(system, wanted, store, study, event, slots, isolation, progress, say)
    with driving(study):
        measured = run.all()
        result = attribution(
            whole.spec, wanted.components, wanted.design, measured, held=whole.held
        )
        study.ledger.decide(lambda _: [Attributed(event.ablation, result)])
    return Ablation(study, result)


def _planned(arm: Arm, wanted: Wanted) -> Arm:
    """The arm as every search of the ablation has it: no control, no recheck, the same budget."""
    spec = replace(
        arm.spec, budget=wanted.budget, sampler=dict(wanted.sampler), control=None, evidence=None
    )
    return replace(arm, spec=spec)


def _of(history: History) -> list[str]:
    """The ablations in a log, oldest first."""
    return [e.ablation for e in history.milestones() if isinstance(e, Ablated)]


def _check_free(store: Store, name: str, wished: Ablated) -> None:
    """Refuse a name that is taken, before anything is written."""
    stored = fold(store.read(name)) if name in list(store.studies()) else None
    if stored is None or wished.ablation in _of(stored):
        return
    what = "another ablation" if _of(stored) else "a study"
    raise SpecError(
        f"The name {name!r} is taken by {what}. Use another name; or to go on with an ablation the same "
        "components, design, budget, searches and fresh as it began with."
    )


def _result(history: History, ablation: str) -> Mapping[str, Any] | None:
    for event in history.milestones():
        if isinstance(event, Attributed) and event.ablation == ablation:
            return event.result
    return None


@dataclass
class _Run:
    """One sitting of an ablation."""

    system: System
    wanted: Wanted
    store: Store
    study: Study
    event: Ablated
    slots: int | Slots
    isolation: str
    progress: bool | None
    say: Say | None

    def all(self) -> dict[Variant, Measured]:
        """Every variant of the design, measured; the reference first."""
        parts, design = self.wanted.components, self.wanted.design
        order = list(variants(parts, design))
        measured: dict[Variant, Measured] = {}
        lent: list[Mapping[str, Any]] = []
        while order:
            on = order.pop(0)
            measured[on] = self._variant(on, lent)
            if not lent:
                lent = self._best_of(on, measured[on])
            if design == "path" and not order:
                order = self._next(measured)
        return measured

    def _next(self, measured: Mapping[Variant, Measured]) -> list[Variant]:
        """The next step of a path: from the step that costs least, by what the searches found."""
        parts = self.wanted.components
        sign = -self.study.spec.signs[0]
        longest = min(len(on) for on in measured)
        last = [on for on in measured if len(on) == longest]
        found = {on: [s.values[s.best] for s in measured[on].searches if s.best is not None]
                 for on in last}  # fmt: skip
        scored = [on for on in last if found[on]]
        if not scored or not longest:
            return []
        best = max(scored, key=lambda on: sign * sum(v or 0.0 for v in found[on]) / len(found[on]))
        return [on for on in next_steps(parts, best) if on not in measured]

    def _best_of(self, on: Variant, found: Measured) -> list[Mapping[str, Any]]:
        configs = [s.configs[s.best] for s in found.searches if s.best is not None]
        if len(configs) < len(found.searches):
            raise StateError(
                f"Variant {called(self.wanted.components, on)!r}, which the others are compared with, "
                f"cannot be trained: {found.why or 'no trial has a value'}."
            )
        return configs

    def _variant(self, on: Variant, lent: Sequence[Mapping[str, Any]]) -> Measured:
        arm = _planned(self.system.arm(self.wanted.components, on), self.wanted)
        searches: list[Search] = []
        names: list[str] = []
        why = ""
        for index in range(self.wanted.searches):
            child = self._child(arm, on, index, lent[index] if lent else None)
            self._search(child, arm)
            history = child.history
            searches.append(search_of(child.spec, history))
            names.append(child.name)
            if winner(child.spec, history) is None:
                why = failures(history)
        return Measured(tuple(searches), arm.space, tuple(names), why)

    def _child(self, arm: Arm, on: Variant, index: int, lent: Mapping[str, Any] | None) -> Study:
        """The study of one search, linked in the parent's log before it is made."""
        name = f"{self._prefix}/{called(self.wanted.components, on)}"
        if self.wanted.searches > 1:
            name += f"#{index + 1}"
        seed = arm.spec.seed if index == 0 else derived_seed(arm.spec.seed, "search", index)
        spec = replace(arm.spec, seed=seed)
        link = Varied(
            self.event.ablation,
            name,
            spec.plan,
            tuple(sorted(on)),
            index,
            self.event.plan["budget"],
        )
        known = {e.study: e for e in self.study.history.milestones() if isinstance(e, Varied)}
        if name not in known:
            self.study.ledger.decide(lambda _: [link])
        elif known[name].plan != spec.plan:
            raise SpecError(
                f"Variant {name!r} has another plan now than when it began: the data, the model or "
                "the space differ. Restore them, or use another name."
            )
        return Study.of(spec, self.store, name, _first(spec, arm.defaults, lent))

    @property
    def _prefix(self) -> str:
        """The parent's name; of its later ablations with their number."""
        number = _of(self.study.history).index(self.event.ablation) + 1
        return self.study.name if number == 1 else f"{self.study.name}/{number}"

    def _search(self, child: Study, arm: Arm) -> None:
        from assay.progress import showing

        if self.say:
            self.say(child.name)
        with driving(child), showing(child.spec, wanted=self.progress) as watch:
            try:
                finish = run_plan(
                    child,
                    lambda: executor_of(
                        arm.evaluate(),
                        workers=self.slots,
                        isolation=self.isolation,
                        limits=child.spec.limits,
                    ),
                    watch=watch,
                    decide=plan_variant,
                    options={"fresh": self.wanted.fresh},
                )
            except StateError:
                if winner(child.spec, child.history) is None and child.history.n_ended:
                    return  # nothing can be trained in this variant: that is a finding
                raise
        if finish.reason == "interrupted":
            say_how_to_resume(same_call(self.study))
            raise KeyboardInterrupt


def _first(
    spec: StudySpec, defaults: Mapping[str, Any] | None, lent: Mapping[str, Any] | None
) -> list[Event]:
    """What a search tries first: the defaults, and the reference's best settings as far as they fit."""
    events: list[Event] = []
    if defaults is not None:
        events.append(Enqueued(spec.space.settle(defaults), DEFAULTS))
    if lent is not None and (config := fitted(spec.space, lent)) is not None:
        events.append(Enqueued(config, BORROWED))
    return events


def fitted(space: Space, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """A config of another space as far as it fits this one, with defaults where it does not.

    None where a default is missing, or the combination is not allowed.
    """
    found: dict[str, Any] = {}
    for name, node in space.nodes.items():
        if not node.active(found):
            continue
        value = _settled(node.parameter, config.get(name, UNSET))
        if value is UNSET:
            return None
        found[name] = value
    return found if space.allowed(found) else None


def _settled(parameter: Parameter, value: Any) -> Any:
    """The value if it fits, else the default, which may be unset."""
    try:
        return parameter.settle(value) if value is not UNSET else parameter.default
    except SpaceError:
        return parameter.default
