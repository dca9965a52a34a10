"""tune: from data and a model to an honest verdict."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from assay.analysis.conclusion import conclude
from assay.analysis.procedure import final_of
from assay.api.borrowing import enqueued, lent_for
from assay.api.earlier import LearnFrom, learned_from
from assay.api.inspecting import check_overrides, inspected
from assay.api.opening import open_test
from assay.api.parts import (
    at_once,
    check_execution,
    executor_of,
    on_this_machine,
    order_settings,
    slots_for,
    store_at,
)
from assay.api.prepare import Prepared, Wishes, prepare
from assay.api.procedure import estimate
from assay.api.sealing import seal
from assay.api.session import driving, run_plan, same_call, say_how_to_resume
from assay.api.study import Study
from assay.api.systems import Trained
from assay.core.beliefs import Belief
from assay.core.errors import SealError
from assay.core.events import CONTROL, Concluded, Created, Event, Frozen, Sealed
from assay.core.familiar import ARGUMENTS, MODEL_ARGUMENTS, familiar
from assay.core.protocols import Executor, Store
from assay.core.rates import Rates
from assay.core.space import Space
from assay.core.spec import Budget, Evidence, Limits
from assay.engine.plan import plan
from assay.evaluation.splits import Splits
from assay.executors.slots import Slots
from assay.inputs import from_arrays


@familiar(**ARGUMENTS, **MODEL_ARGUMENTS)
def tune(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    budget: Budget | int | None = None,
    space: Space | None = None,
    metric: str | Callable[..., Any] = "auto",
    direction: str | None = None,
    task: str | None = None,
    splits: Splits | None = None,
    test: float | None = None,
    final: str | None = None,
    shadow: float | None = None,
    groups: Any = None,
    time: Any = None,
    smallest_gain: float | None = None,
    seed: int = 0,
    sampler: str | Mapping[str, Any] = "auto",
    scheduler: str | Mapping[str, Any] | None = None,
    storage: str | Store | None = None,
    name: str | None = None,
    given: Sequence[Mapping[str, Any]] = (),
    known: bool = False,
    portfolio: bool = False,
    beliefs: Mapping[str, Belief] | None = None,
    learn_from: LearnFrom = (),
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
    open_test: bool = True,
    reason: str = "",
    checks: bool | str = True,
    overrides: Mapping[str, str] | None = None,
) -> Study:
    """Tune a model on data it may see, and say on data it never saw whether that helped.

    The estimator as you give it is the control group. Part of the rows is sealed before anything is
    fitted and opened once, at the end, for the control and the best challenger.

    Args:
        estimator: any scikit-learn estimator or pipeline, or the name of a built-in model.
        X, y: features and target: arrays, DataFrames or lists.
        budget: Budget(trials=60, …), or a number of trials; None: 60 trials.
        space: what is searched; None: the built-in space of the estimator.
        metric: "auto", a scikit-learn scorer name, a scorer, or f(y, prediction) with `direction`.
        direction: of a metric function of your own.
        task: "classification" or "regression"; None: from the target.
        splits: Splits.kfold(5), .repeated(5, 3), .holdout(), .grouped(5), .forward(5).
        scheduler: "racing" ends a trial on the way through its folds when it can hardly become the
            best on all of them. Such a trial has no value and is never selected; the sampler sees
            what is expected of it. None: every trial is evaluated on all folds.
        test: share of rows to seal; 0 for none; None: by the number of rows.
        final: what the verdict rests on. "test" (as None): the sealed rows. Where none can be spared,
            "bbc": the validation rows of the search, each choice judged on rows left out of it, for no
            further fit; "nested": the whole study once more on each outer fold, as many times the cost.
            The verdict is then about the procedure, not about the fitted model.
        shadow: share of the other rows that the search never uses, such as 0.1. Only the best so far
            are scored on it, each once: the report then shows whether later ones are better on rows
            that did not choose them. The last fits, for the test, use these rows too. None: no such set.
        groups: one label a row; rows of one group are never split.
        time: one value a row that orders it; models are trained on the past only.
        smallest_gain: the smallest gain worth having, in units of the metric.
        known: try published configurations of the model first (docs/known.md). They count as trials,
            are labelled with their sources, and the verdict says if they were enough.
        portfolio: the same with our own list of configs that did well on many public data sets.
        evidence: None: a search and nothing after it, no test set and no verdict.
        seed: as for `optimize`, like all that is not named here. The sealed rows never leave this
            machine: the test is run here.
        open_test: False leaves the test set sealed; open it later with `assay unseal`.
        reason: why rows that served another study may be sealed or opened; marks the result.
        checks: look for faults in the data first, about a second; "full": with all 18 checks of
            `preflight`, those that fit the model some dozens of times too. They stand in the report.
        overrides: reasons to tune in spite of a check that says to fix the data first, by its code:
            {"PF03": "each row is a person"}. They are kept as deviations.

    Returns:
        The study: `.verdict`, `.best.config`, `.report("report.html")`.

    Raises:
        SpecError, SpaceError, DataError: the plan or the data is wrong.
        SealError: test rows were development rows of an earlier study.
        StateError: the control or every trial fails, or another process drives this study.
    """
    slots = slots_for(
        workers,
        cpus=cpus_per_trial,
        gpus=gpus_per_trial,
        isolation=isolation,
        limits=limits,
        executor=executor,
    )
    check_execution(workers=slots, isolation=isolation, limits=limits)
    table = from_arrays(X, y, groups=groups, time=time)
    wishes = Wishes(
        metric=metric,
        direction=direction,
        task=task,
        space=space,
        budget=budget if isinstance(budget, Budget) or budget is None else Budget(trials=budget),
        splits=splits,
        test=test,
        final=final,
        shadow=shadow,
        smallest_gain=smallest_gain,
        seed=seed,
        sampler=sampler,
        beliefs=beliefs or {},
        evidence=evidence,
        limits=limits,
        scheduler=scheduler,
        rates=rates,
        order=order_settings(order, lag, slots),
    )
    prepared = prepare(table, estimator, wishes)
    store = store_at(storage)
    study = begin(
        prepared,
        store,
        name or "study",
        given=[*given, *lent_for(prepared, known=known, portfolio=portfolio)],
        learn_from=learn_from,
        reason=reason,
        checks=checks,
        overrides=overrides,
    )
    study.system = Trained(prepared.dev, estimator, wishes)
    complete = run_data(
        study,
        prepared,
        workers=slots,
        isolation=isolation,
        progress=progress,
        open_at_end=open_test,
        reason=reason,
    )
    if not complete:
        say_how_to_resume(same_call(study))
    return study


def begin(
    prepared: Prepared,
    store: Store,
    name: str,
    *,
    given: Sequence[Mapping[str, Any]] = (),
    learn_from: LearnFrom = (),
    reason: str = "",
    source: Mapping[str, Any] | None = None,
    checks: bool | str = True,
    overrides: Mapping[str, str] | None = None,
) -> Study:
    """The study of this plan: sealed and created if it is new, else the stored one.

    Args:
        given: configs, or {"config": …, "source": …, "note": …}.
        learn_from: earlier studies in the store.
        source: how to load the data again.
        checks: look at the data first; "full": with fits of the model.
        overrides: reasons to go on in spite of a check, by its code.

    Raises:
        DataError: a check says to fix the data first, and no reason is given to go on.
    """
    check_overrides(overrides or {})
    found = [] if _exists(store, name) else inspected(prepared, overrides or {}, checks)
    events: list[Event] = [*found, *(enqueued(prepared.spec.space, config) for config in given)]
    events += learned_from(prepared.spec, store, name, learn_from)
    if prepared.test is not None and not _exists(store, name):
        made = seal(name, prepared.development, prepared.test, store, reason=reason)
        events.insert(0, made.event)
        if made.warning:
            warnings.warn(made.warning, stacklevel=3)
    return Study.of(prepared.spec, store, name, events, source)


def run_data(
    study: Study,
    prepared: Prepared,
    *,
    workers: int | Slots = 1,
    isolation: str = "process",
    progress: bool | None = None,
    open_at_end: bool = True,
    reason: str = "",
) -> bool:
    """Run a study on data until its plan is complete, open its test set, and conclude it.

    Returns:
        Whether it came to the end: False when the user interrupted it.
    """
    from assay.api.fleet import with_workers
    from assay.progress import showing

    spec = study.spec

    def executor(evaluate: Any, at: int | Slots = workers) -> Executor:
        return executor_of(evaluate, workers=at, isolation=isolation, limits=spec.limits)

    here = partial(executor, at=on_this_machine(workers))

    with driving(study), showing(spec, workers=at_once(workers), wanted=progress) as watch:
        history = study.ledger.history
        if not history.last(Frozen) and not history.last(Concluded):
            finish = run_plan(
                study,
                lambda: with_workers(study, executor(prepared.worker())),
                watch=watch,
                decide=plan,
                options={"open_test": False},
            )
            if finish.reason == "interrupted":
                return False
        return _finish(study, prepared, here, open_at_end, reason, watch)


def _finish(
    study: Study,
    prepared: Prepared,
    executor: Callable[[Any], Executor],
    open_at_end: bool,
    reason: str,
    watch: Any,
) -> bool:
    history = study.ledger.history
    if history.last(Concluded) and not history.half_open:
        return True
    if not history.last(Sealed) and final_of(study.spec):
        return estimate(study, prepared, executor, watch=watch)
    if study.spec.evidence is None:
        return True
    if not history.last(Sealed):
        study.ledger.decide(lambda now: [conclude(study.spec, now)])
    elif history.last(Frozen).contenders == (CONTROL,) and not history.half_open:
        said = "there is nothing to test on it."
        study.ledger.decide(lambda now: [conclude(study.spec, now, refused=said)])
    elif open_at_end or history.half_open:
        try:
            return open_test(study, prepared, executor, reason=reason, watch=watch)
        except SealError as refused:
            said = str(refused)
            study.ledger.decide(lambda now: [conclude(study.spec, now, refused=said)])
    return True


def _exists(store: Store, name: str) -> bool:
    return any(isinstance(event, Created) for event in store.read(name, most=1))
