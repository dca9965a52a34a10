"""ablate: what each component of a system contributes when every variant gets its own tuning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assay.analysis.attribution import attribution
from assay.api.ablation_searches import Say, Searches, Wanted, ablations_in, planned
from assay.api.parts import sampler_settings, slots_for, store_at
from assay.api.prepare import Wishes
from assay.api.session import driving
from assay.api.study import Study
from assay.api.systems import Function, System, Trained
from assay.core.components import Component, checked
from assay.core.designs import Design, reference
from assay.core.errors import SpecError, StateError
from assay.core.events import Ablated, Attributed
from assay.core.history import History, fold
from assay.core.jsonform import digest
from assay.core.protocols import Store
from assay.core.space import Space
from assay.core.spec import Budget, Limits, StudySpec, directions_of
from assay.evaluation.splits import Splits
from assay.executors.slots import Slots
from assay.inputs import from_arrays

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
        if not known:
            raise SpecError(
                "This design has no effects of single components: its main effects are in "
                ".result['factors']."
            )
        raise SpecError(f"No component {component!r}. Known: {', '.join(known)}.")

    def report(self, path: str | Path | None = None) -> str:
        """The report as one HTML page; written to `path` if given."""
        return self.study.report(path)

    def __str__(self) -> str:
        from assay.report.ablation import ablation_text, ablation_view

        return ablation_text(ablation_view(self.result))


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
    racing: bool = False,
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
        racing: for design="path": a variant gets no further search once a paired test says that it can
            hardly be the one missed least. Saves searches; what left has had a smaller budget.
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
    ...     components=[Component("normalise")], budget=30, smallest_gain=0.05)
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
    wanted = wanted_of(components, design, budget, searches, fresh, sampler, racing=racing)
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
    racing: bool = False,
    sampler: str | Mapping[str, Any] = "random",
    workers: int | str = 1,
    isolation: str = "process",
    progress: bool | None = None,
) -> Ablation:
    """The ablation of a study that `tune` or `optimize` made in this process; see `ablate`.

    Args:
        budget: of each search; None: that of the study's own search.

    Raises:
        StateError: it was opened from a storage, so its data or objective is not at hand.
    """
    if study.system is None:
        raise StateError(
            f"Study {study.name!r} was opened from its storage, which holds neither the data nor the "
            "objective. Make the same call of tune or optimize again, or use assay.ablate."
        )
    limit = budget if budget is not None else study.spec.budget
    if limit is None:
        raise SpecError("This study has no budget; say how much each variant may spend: budget=40.")
    wanted = wanted_of(components, design, limit, searches, fresh, sampler, racing=racing)
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
    *,
    racing: bool = False,
) -> Wanted:
    """The wishes, checked.

    Raises:
        SpecError: something does not fit.
    """
    drawn = _SAMPLER if sampler == "random" else sampler_settings(sampler)
    limit = budget if isinstance(budget, Budget) else Budget(trials=budget)
    return Wanted(checked(components), design, limit, searches, fresh, drawn, racing)


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
    _check_objective(wishes, groups, time)
    spec = StudySpec(
        space=space,
        directions=directions_of(direction or "minimize"),
        seed=wishes.seed,
        smallest_gain=wishes.smallest_gain or 0.0,
        limits=wishes.limits,
    )
    return Function(model, spec, seeding)


def _check_objective(wishes: Wishes, groups: Any, time: Any) -> None:
    """Refuse what only a model with data has."""
    given = {
        "metric": wishes.metric != "auto",
        "task": wishes.task is not None,
        "splits": wishes.splits is not None,
        "groups": groups is not None,
        "time": time is not None,
    }
    for word, is_given in given.items():
        if is_given:
            raise SpecError(
                f"{word}=… is for an estimator with X and y; an objective measures for itself. Leave "
                "it out, or give X and y."
            )


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
    whole = planned(system.arm(wanted.components, first), wanted)
    form = wanted.plan(whole.spec)
    event = Ablated(digest(form), form)
    if parent is None:
        _check_free(store, name, event)
    study = parent or Study.of(
        replace(whole.spec, control=whole.defaults), store, name, source=source
    )
    if event.ablation not in ablations_in(study.history):
        study.ledger.add(event)
    known = _result(study.history, event.ablation)
    if known is not None:
        return Ablation(study, known)
    run = Searches(system, wanted, store, study, event, slots, isolation, progress, say)
    with driving(study):
        measured = run.all()
        result = attribution(
            whole.spec,
            wanted.components,
            wanted.design,
            measured,
            held=whole.held,
            racing=wanted.racing,
        )
        study.ledger.add(Attributed(event.ablation, result))
    return Ablation(study, result)


def _check_free(store: Store, name: str, wished: Ablated) -> None:
    """Refuse a name that is taken, before anything is written."""
    stored = fold(store.read(name)) if name in list(store.studies()) else None
    if stored is None or wished.ablation in ablations_in(stored):
        return
    what = "another ablation" if ablations_in(stored) else "a study"
    raise SpecError(
        f"The name {name!r} is taken by {what}. Use another name; or to go on with an ablation the same "
        "components, design, budget, searches and fresh as it began with."
    )


def _result(history: History, ablation: str) -> Mapping[str, Any] | None:
    for event in history.milestones():
        if isinstance(event, Attributed) and event.ablation == ablation:
            return event.result
    return None
