"""The searches of an ablation: each variant in studies of its own, linked in the parent's log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assay.analysis.ablation import (
    BORROWED,
    FEWEST_TRIALS,
    Search,
    failures,
    fresh_units,
    search_of,
    winner,
)
from assay.analysis.attribution import Measured
from assay.analysis.path import ALPHA, path_taken, race, race_units
from assay.api.ablation_pool import Every, Part
from assay.api.parts import executor_of
from assay.api.reporting import stored_rows
from assay.api.session import driving, run_plan, same_call, say_how_to_resume
from assay.api.study import Study
from assay.api.systems import Arm, System
from assay.core.components import Component, Variant, called
from assay.core.designs import Design, next_steps, reference, variants
from assay.core.errors import SpaceError, SpecError, StateError
from assay.core.events import Ablated, Enqueued, Event, Varied
from assay.core.history import History
from assay.core.parameters import UNSET, Parameter
from assay.core.protocols import Executor, Store
from assay.core.rng import derived_seed
from assay.core.space import Space
from assay.core.spec import Budget, StudySpec
from assay.engine.variant import plan_variant
from assay.executors.resources import forks
from assay.executors.slots import Slots

Say = Callable[[str], None]

DEFAULTS = "the defaults"


@dataclass(frozen=True)
class Wanted:
    """How an ablation is to be done: what `ablate` is given beside the system."""

    components: tuple[Component, ...]
    design: Design
    budget: Budget
    searches: int
    fresh: int
    sampler: Mapping[str, Any]
    racing: bool = False

    def __post_init__(self) -> None:
        for word, least in (("searches", 1), ("fresh", 2)):
            n = getattr(self, word)
            if isinstance(n, bool) or not isinstance(n, int) or n < least:
                raise SpecError(f"{word} needs a whole number >= {least}, got {n!r}.")
        reference(self.components, self.design)
        if not isinstance(self.racing, bool):
            raise SpecError(f"racing needs True or False, got {self.racing!r:.40}.")
        if self.racing and (self.design != "path" or self.searches < 2):
            raise SpecError(
                "racing is for design='path' with at least two searches of each variant: what leaves a "
                f"race is spared the others. Got design={self.design!r}, searches={self.searches}."
            )
        if self.budget.trials is not None and self.budget.trials < FEWEST_TRIALS:
            raise SpecError(
                f"A search of an ablation needs at least {FEWEST_TRIALS} trials, for the defaults, the best "
                f"settings of the whole system and one of its own; got {self.budget.trials}."
            )

    def plan(self, spec: StudySpec) -> dict[str, Any]:
        """What is fixed before the first search, in JSON."""
        form = {
            "components": [c.to_json() for c in self.components],
            "design": self.design,
            "budget": spec.to_json()["budget"],
            "searches": self.searches,
            "fresh": len(fresh_units(spec, self.fresh)),
            "sampler": dict(self.sampler),
        }
        if self.racing:
            form["race"] = {"alpha": ALPHA, "units": len(race_units(spec, self.fresh))}
        return form


def planned(arm: Arm, wanted: Wanted) -> Arm:
    """The arm as every search of the ablation has it: no control, no recheck, the same budget."""
    spec = replace(
        arm.spec, budget=wanted.budget, sampler=dict(wanted.sampler), control=None, evidence=None
    )
    return replace(arm, spec=spec)


def ablations_in(history: History) -> list[str]:
    """The ablations in a log, oldest first."""
    return [e.ablation for e in history.milestones() if isinstance(e, Ablated)]


@dataclass
class Searches:
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
    _pool: Executor | None = None

    def all(self) -> dict[Variant, Measured]:
        """Every variant of the design, measured; the reference first."""
        try:
            return self._all()
        finally:
            if self._pool:
                self._pool.close()
                self._pool = None

    def _all(self) -> dict[Variant, Measured]:
        parts, design = self.wanted.components, self.wanted.design
        order = list(variants(parts, design))
        first = order.pop(0)
        measured = {first: self._variant(first, ())}
        lent = self._best_of(first, measured[first])
        while order:
            if self.wanted.racing:
                self._race(order, lent, measured)
            else:
                measured |= {on: self._variant(on, lent) for on in order if on not in measured}
            order = self._next(measured) if design == "path" else []
        return measured

    def _next(self, measured: Mapping[Variant, Measured]) -> list[Variant]:
        """The next step of a path: from the step that costs least, by what the searches found."""
        parts = self.wanted.components
        return next_steps(parts, path_taken(self.study.spec, parts, _searches(measured))[-1])

    def _race(
        self,
        step: Sequence[Variant],
        lent: Sequence[Mapping[str, Any]],
        measured: dict[Variant, Measured],
    ) -> None:
        """One search of each variant, then another of each that may still be missed least, and so on."""
        parts, total = self.wanted.components, self.wanted.searches
        for on in step:
            measured.setdefault(on, self._variant(on, lent, range(0)))
        for index in range(total):
            alive, _ = race(self.study.spec, parts, _searches(measured), total)
            for on in alive:
                if len(measured[on].searches) == index:
                    more = self._variant(on, lent, range(index, index + 1), racing=len(step) > 1)
                    measured[on] = measured[on].with_more(more)

    def _best_of(self, on: Variant, found: Measured) -> list[Mapping[str, Any]]:
        configs = [s.configs[s.best] for s in found.searches if s.best is not None]
        if len(configs) < len(found.searches):
            raise StateError(
                f"Variant {called(self.wanted.components, on)!r}, which the others are compared with, "
                f"cannot be trained: {found.why or 'no trial has a value'}."
            )
        return configs

    def _variant(
        self,
        on: Variant,
        lent: Sequence[Mapping[str, Any]],
        those: range | None = None,
        *,
        racing: bool = False,
    ) -> Measured:
        """What its searches found; `those` of them, or all."""
        arm = planned(self.system.arm(self.wanted.components, on), self.wanted)
        searches: list[Search] = []
        names: list[str] = []
        why = ""
        for index in range(self.wanted.searches) if those is None else those:
            child = self._child(arm, on, index, lent[index] if lent else None)
            self._search(child, arm, on, racing=racing)
            history = child.history
            searches.append(search_of(child.spec, history, stored_rows(child)))
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
            self.study.ledger.add(link)
        elif known[name].plan != spec.plan:
            raise SpecError(
                f"Variant {name!r} has another plan now than when it began: the data, the model or "
                "the space differ. Restore them, or use another name."
            )
        return Study.of(spec, self.store, name, _first(spec, arm.defaults, lent))

    @property
    def _prefix(self) -> str:
        """The parent's name; of its later ablations with their number."""
        number = ablations_in(self.study.history).index(self.event.ablation) + 1
        return self.study.name if number == 1 else f"{self.study.name}/{number}"

    def _search(self, child: Study, arm: Arm, on: Variant, *, racing: bool) -> None:
        from assay.progress import showing

        if self.say:
            self.say(child.name)
        with driving(child), showing(child.spec, wanted=self.progress) as watch:
            try:
                finish = run_plan(
                    child,
                    lambda: self._executor(arm, on),
                    watch=watch,
                    decide=plan_variant,
                    options={"fresh": self.wanted.fresh, "racing": racing},
                )
            except StateError:
                if winner(child.spec, child.history) is None and child.history.n_ended:
                    return  # nothing can be trained in this variant: that is a finding
                raise
        if finish.reason == "interrupted":
            say_how_to_resume(same_call(self.study))
            raise KeyboardInterrupt

    def _executor(self, arm: Arm, on: Variant) -> Executor:
        """What evaluates one search: its part of the pool, or this process."""
        limits = arm.spec.limits
        if self.isolation != "process" or not forks():
            return executor_of(
                arm.evaluate(), workers=self.slots, isolation=self.isolation, limits=limits
            )
        if self._pool is None:
            every = Every(self.system, self.wanted.components)
            self._pool = executor_of(
                every, workers=self.slots, isolation=self.isolation, limits=limits
            )
        return Part(self._pool, on)


def _searches(measured: Mapping[Variant, Measured]) -> dict[Variant, tuple[Search, ...]]:
    return {on: m.searches for on, m in measured.items()}


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
