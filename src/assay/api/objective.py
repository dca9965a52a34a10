"""optimize: tune any function, as a controlled experiment over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay.analysis.conclusion import conclude
from assay.api.borrowing import enqueued
from assay.api.earlier import LearnFrom, learned_from
from assay.api.metering import settled
from assay.api.parts import (
    allowed_defaults,
    at_once,
    check_execution,
    executor_of,
    order_settings,
    sampler_settings,
    scheduler_settings,
    slots_for,
    store_at,
)
from assay.api.session import driving, run_plan, same_call, say_how_to_resume
from assay.api.study import Study
from assay.api.systems import Function
from assay.core.beliefs import Belief
from assay.core.errors import SpecError
from assay.core.events import Concluded, Event, Selected
from assay.core.familiar import ARGUMENTS, familiar
from assay.core.protocols import Store
from assay.core.rates import Rates
from assay.core.space import Space
from assay.core.spec import Budget, Direction, Evidence, Limits, StudySpec, directions_of
from assay.engine.trial import Objective, OpenTrial
from assay.executors.slots import Slots
from assay.programs.program import Program

Given = Mapping[str, Any]


@familiar(**ARGUMENTS)
def optimize(
    objective: Callable[[OpenTrial], Any],
    space: Space,
    *,
    budget: Budget | int,
    direction: str | Sequence[str] | Mapping[str, str] = "minimize",
    seed: int = 0,
    sampler: str | Mapping[str, Any] = "auto",
    scheduler: str | Mapping[str, Any] | None = "auto",
    storage: str | Store | None = None,
    name: str | None = None,
    control: Given | None = None,
    constraints: Sequence[str] = (),
    given: Sequence[Given] = (),
    beliefs: Mapping[str, Belief] | None = None,
    learn_from: LearnFrom = (),
    smallest_gain: float = 0.0,
    evidence: Evidence | None = Evidence(),  # noqa: B008 - frozen
    limits: Limits = Limits(),  # noqa: B008 - frozen
    rates: Rates | None = None,
    workers: int | str = 1,
    cpus_per_trial: int | None = None,
    gpus_per_trial: float | None = None,
    executor: str = "local",
    isolation: str = "process",
    order: str = "asynchronous",
    lag: int | None = None,
    progress: bool | None = None,
) -> Study:
    """Find settings that make `objective` better than its defaults, and say whether they do.

    Args:
        objective: a function of a trial; `trial.config` are its settings, `trial.seed` is for what
            is random. Returns a number, or numbers by name.
        space: what is searched. Its defaults are the control group, measured first.
        budget: Budget(trials=100, …), or a number of trials.
        direction: "minimize" or "maximize"; a list or a dict by name for several objectives.
        seed, sampler, storage, name, control: as for `Study`. The same call on a stored study
            goes on where it stopped.
        scheduler: what stops or pauses bad trials early, as for `Study`: the objective calls
            `trial.report(step, value)` as it trains, at best `for step in trial.steps`. It needs a
            space with a fidelity. None: every trial is evaluated in full.
        constraints: bounds on numbers that the objective returns by name, as for `Study`.
        given: configs to try before the sampler's own, or {"config": …, "source": …, "note": …} as
            `known` makes them.
        beliefs, learn_from: what was known before, as for `Study`.
        smallest_gain: the smallest gain worth having, in units of the objective.
        evidence: how the control is repeated and the winner rechecked; None: neither, no verdict.
        limits: time, memory and retries of one evaluation.
        rates: how CPU time becomes energy, CO2 and money; needed for a budget of CO2 or money.
        workers: how many trials run at once, each in a process of its own; "auto" for as many as
            fit the cores of this machine or container, its GPUs and, with a memory limit, its
            memory.
        cpus_per_trial: cores of each: the threads that its libraries may use.
        gpus_per_trial: GPUs of each: a whole number, or 0.5 for two trials on one. A trial sees
            its own only. None: every trial sees all of them.
        executor: where trials run: "local" for this machine, or a cluster, such as
            "dask://host:8786", "ray://auto" or "slurm://partition"; see docs/clusters.md.
        isolation: "process", or "none" to run trials in this process.
        order, lag: "asynchronous": a proposal sees all results that are there, so the trials depend on
            which was faster; the log says what each saw. "strict": proposal n sees the results of
            the trials before n - `lag` and of no others: any number of workers, up to `lag` + 1 of
            which are busy, gives the same trials, whatever breaks and is run again.
        progress: show progress; None: on a terminal only.

    Returns:
        The study: `.best.config`, `.verdict`, `.trials`, `.report("report.html")`.

    Raises:
        SpecError, SpaceError: the plan is wrong.
        StateError: the control or every trial fails, or another process drives this study.

    >>> from assay import Budget, Float, Space
    >>> space = Space(x=Float(-1, 1, default=0.9))
    >>> study = optimize(lambda t: t.config["x"] ** 2, space, budget=Budget(trials=8), isolation="none")
    >>> study.best.value < 0.81
    True
    """
    if not callable(objective):
        raise SpecError(f"optimize needs a function of a trial, got {objective!r:.80}.")
    if not isinstance(space, Space):
        raise SpecError(
            f"optimize needs a Space, got {type(space).__name__}: {space!r:.80}. "
            "Write assay.Space(lr=assay.Float(1e-4, 1.0, log=True), …)."
        )
    slots = slots_for(
        workers,
        cpus=cpus_per_trial,
        gpus=gpus_per_trial,
        isolation=isolation,
        limits=limits,
        executor=executor,
    )
    directions = _aims(objective, space, direction)
    spec = StudySpec(
        space=space,
        directions=directions,
        seed=seed,
        sampler=sampler_settings(sampler),
        budget=budget if isinstance(budget, Budget) else Budget(trials=budget),
        control=space.settle(control) if control is not None else allowed_defaults(space),
        constraints=constraints,
        beliefs=beliefs or {},
        smallest_gain=smallest_gain,
        evidence=evidence,
        limits=limits,
        rates=settled(rates),
        order=order_settings(order, lag, slots),
        scheduler=scheduler_settings(
            scheduler, space, single=len(directions) == 1, strict=order == "strict"
        ),
    )
    check_execution(workers=slots, isolation=isolation, limits=limits)
    store, name = store_at(storage), name or "study"
    queued = [enqueued(space, config) for config in given]
    first: list[Event] = [*learned_from(spec, store, name, learn_from), *queued]
    study = Study.of(spec, store, name, first)
    study.system = Function(objective, spec, seeding=isolation == "process")
    if not run_objective(study, objective, workers=slots, isolation=isolation, progress=progress):
        say_how_to_resume(same_call(study))
    return study


def _aims(
    objective: Any, space: Space, direction: str | Sequence[str] | Mapping[str, str]
) -> dict[str, Direction]:
    """The directions; a program's number is called as the program calls it."""
    if isinstance(objective, Program):
        objective.check(space.names)
        if isinstance(direction, str):
            return directions_of({objective.metrics[0]: direction})
    return directions_of(direction)


def run_objective(
    study: Study,
    objective: Callable[[OpenTrial], Any],
    *,
    workers: int | Slots = 1,
    isolation: str = "process",
    progress: bool | None = None,
) -> bool:
    """Run a study of an objective until its plan is complete, and conclude it.

    Returns:
        Whether it came to the end: False when the user interrupted it.
    """
    from assay.api.fleet import with_workers
    from assay.progress import showing

    spec = study.spec
    evaluate = Objective(objective, seeding=isolation == "process")
    with driving(study), showing(spec, workers=at_once(workers), wanted=progress) as watch:
        finish = run_plan(
            study,
            lambda: with_workers(
                study,
                executor_of(evaluate, workers=workers, isolation=isolation, limits=spec.limits),
            ),
            watch=watch,
        )
        if finish.reason == "interrupted":
            return False
        history = study.ledger.history
        if history.last(Selected) and not history.last(Concluded):
            study.ledger.decide(lambda now: [conclude(spec, now)])
        return True
