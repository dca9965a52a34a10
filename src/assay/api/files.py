"""Studies on data files: from options to a study, and from a stored study back to its data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.api.borrowing import borrowed_line, lent_for
from assay.api.choices import Chosen
from assay.api.data import begin, run_data
from assay.api.opened import open_study
from assay.api.opening import check_may_open, open_test
from assay.api.options import TuneOptions, options_from
from assay.api.parts import executor_of, order_settings, slots_for, store_at
from assay.api.prepare import Prepared, Wishes, prepare
from assay.api.session import driving
from assay.api.study import Study
from assay.core.errors import DataError, SpecError
from assay.core.events import Created
from assay.core.rates import Rates
from assay.core.space import Space
from assay.core.spec import TOTALS, Budget, Evidence, Limits
from assay.evaluation.splits import Splits
from assay.executors.slots import Slots, check_wishes
from assay.inputs import load
from assay.progress import showing
from assay.stores.postgres.address import without_password

if TYPE_CHECKING:
    from assay.api.audit import Audit

Say = Callable[[tuple[Chosen, ...], Study], None]


def prepared_from(options: TuneOptions) -> Prepared:
    """The plan that these options make of their data file.

    Raises:
        DataError, SpecError, SpaceError: something does not fit; says what and what to do.
    """
    check_wishes(options.workers, options.cpus_per_trial, options.gpus_per_trial)
    if options.gap < 0:
        raise SpecError(f"gap needs a number of rows >= 0, got {options.gap}.")
    table = load(
        options.data,
        options.target,
        groups=options.groups,
        time=options.time,
        drop=options.drop,
        encoding=options.encoding or "utf-8",
    )
    return prepare(table, options.model, wishes_from(options))


def wishes_from(options: TuneOptions) -> Wishes:
    """What these options say of the study, beside its data and its model.

    Raises:
        SpecError, SpaceError: something does not fit.
    """
    return Wishes(
        metric=options.metric,
        task=options.task,
        space=Space.from_json(_space_form(options.space)) if options.space else None,
        budget=_budget(options),
        splits=splits_of(options.splits, options.gap) if options.splits else None,
        test=options.test,
        final=options.final,
        shadow=options.shadow,
        smallest_gain=options.smallest_gain,
        seed=options.seed,
        sampler=options.sampler,
        beliefs=options.beliefs,
        evidence=_evidence(options.evidence),
        limits=Limits(options.timeout, options.memory_mb, options.retries),
        rates=Rates.from_json(options.rates) if options.rates else None,
        horizon=max(options.gap, 1),
        order=order_settings(options.order, options.lag),
        scheduler=options.scheduler,
    )


def tune_file(
    options: TuneOptions, *, say: Say | None = None, progress: bool | None = None
) -> Study:
    """Run the study that these options describe, or go on with it.

    Args:
        say: is given the choices and the study before anything runs.

    Raises:
        KeyboardInterrupt: it was stopped by Ctrl-C; the log is whole.
    """
    prepared = prepared_from(options)
    slots = slots_in(options)
    store = store_at(options.storage)
    known = set(store.studies())
    name = options.study
    if name is None:
        name = free_name(Path(options.data).stem, known, store, prepared.spec.plan)
    lent = lent_for(prepared, known=options.known, portfolio=options.portfolio)
    study = begin(
        prepared,
        store,
        name,
        given=[*options.given, *lent],
        learn_from=options.learn_from,
        reason=options.reason,
        source=_source(options),
        checks=options.checks,
        overrides=dict.fromkeys(options.override, options.reason),
    )
    if say:
        lines = (borrowed_line(lent),) if options.known or options.portfolio else ()
        say((*prepared.chosen, *lines, *_bound(slots)), study)
    _drive(study, prepared, options, workers=slots, progress=progress)
    return study


def resume_file(
    storage: str,
    name: str | None,
    *,
    workers: int | str | None = None,
    cpus_per_trial: int | None = None,
    gpus_per_trial: float | None = None,
    executor: str | None = None,
    progress: bool | None = None,
) -> Study:
    """Go on with a stored study on a data file.

    Args:
        storage, name: of the study.
        workers, cpus_per_trial, gpus_per_trial, executor: as for `tune`; None: as it began.
        progress: show progress.

    Raises:
        SpecError: the study was made in Python, or its file has changed.
        KeyboardInterrupt: it was stopped by Ctrl-C; the log is whole.
    """
    study, prepared, options = reopened(storage, name)
    here = replace(
        options,
        workers=options.workers if workers is None else workers,
        cpus_per_trial=options.cpus_per_trial if cpus_per_trial is None else cpus_per_trial,
        gpus_per_trial=options.gpus_per_trial if gpus_per_trial is None else gpus_per_trial,
        executor=options.executor if executor is None else executor,
    )
    slots = slots_in(here)
    _drive(study, prepared, options, workers=slots, progress=progress)
    return study


def unseal_file(
    storage: str,
    name: str | None,
    *,
    reason: str,
    trial: int | None = None,
    workers: int = 1,
    progress: bool | None = None,
) -> Study:
    """Open the test set of a stored study, for the first time or with a reason again.

    Raises:
        SealError: it was opened before, and no reason is given.
        KeyboardInterrupt: it was stopped by Ctrl-C; the same call goes on.
    """
    check_may_open(open_study(storage, name, readonly=True).history, reason)
    study, prepared, _ = reopened(storage, name)
    executor = partial(executor_of, workers=workers, isolation="process", limits=study.spec.limits)
    with driving(study), showing(study.spec, workers=workers, wanted=progress) as watch:
        opened = open_test(study, prepared, executor, reason=reason, trial=trial, watch=watch)
    if not opened:
        raise KeyboardInterrupt
    return study


def audit_file(
    storage: str,
    name: str | None,
    *,
    fresh: int,
    workers: int | str = 1,
    progress: bool | None = None,
) -> Audit:
    """The change audit of a stored study on a data file; see `audit_study`.

    Raises:
        SpecError, DataError: its data cannot be had again.
        StateError: it has no winner.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    from assay.api.audit import audit_prepared

    study, prepared, options = reopened(storage, name)
    slots = slots_in(replace(options, workers=workers))
    return audit_prepared(study, prepared, fresh=fresh, slots=slots, progress=progress)


def reopened(storage: str, name: str | None) -> tuple[Study, Prepared, TuneOptions]:
    """A stored study with its data loaded again, checked to be the same."""
    study = open_study(storage, name)
    created: Created = study.history.last(Created)
    if not created.source or "options" not in created.source:
        raise SpecError(
            f"Study {study.name!r} was made by a Python program, which holds its objective or its "
            "data. Make the same call again with the same storage and name to go on. To help with it: "
            "assay worker --objective FILE:FUNCTION."
        )
    options = options_from({**created.source["options"], "storage": storage, "study": study.name})
    prepared = prepared_from(options)
    if prepared.spec.plan != created.plan:
        stored, now = created.spec["data"]["fingerprint"], (prepared.spec.data or {})["fingerprint"]
        if stored != now:
            raise DataError(
                f"The file {options.data!r} has changed since study {study.name!r} began: it had "
                f"{stored['rows']:,} rows with content {stored['content'][:12]}, and has "
                f"{now['rows']:,} with {now['content'][:12]}. Restore it, or start a new study."
            )
        raise SpecError(
            f"The plan of study {study.name!r} cannot be made again with this version and these "
            "libraries. Use the environment in which it began (assay log shows it)."
        )
    return study, prepared, options


def _drive(
    study: Study,
    prepared: Prepared,
    options: TuneOptions,
    *,
    workers: Slots,
    progress: bool | None,
) -> None:
    complete = run_data(
        study,
        prepared,
        workers=workers,
        progress=progress,
        open_at_end=options.open_test,
        reason="" if options.override else options.reason,  # that one is about the check
    )
    if not complete:
        raise KeyboardInterrupt


def free_name(stem: str, known: set[str], store: Any, plan: str) -> str:
    """The file's name, or with a number: the study of this plan if there is one, else a new one."""
    for number in count(1):
        name = stem if number == 1 else f"{stem}-{number}"
        if name not in known:
            return name
        (created,) = store.read(name, most=1)
        if isinstance(created, Created) and created.plan == plan:
            return name
    raise AssertionError


def splits_of(text: str, gap: int = 0) -> Splits:
    """Splits from a word such as "kfold:5", "repeated:5x3", "holdout:0.25", "grouped:5", "forward:5".

    >>> splits_of("repeated:5x3").repeats
    3
    """
    kind, _, size = text.partition(":")
    try:
        if kind == "kfold":
            return Splits.kfold(int(size or 5))
        if kind == "repeated":
            folds, _, repeats = (size or "5x3").partition("x")
            return Splits.repeated(int(folds), int(repeats or 3))
        if kind == "holdout":
            return Splits.holdout(float(size or 0.25))
        if kind == "grouped":
            return Splits.grouped(int(size or 5))
        if kind == "forward":
            return Splits.forward(int(size or 5), gap=gap)
    except ValueError as error:
        if isinstance(error, SpecError):
            raise
    raise SpecError(
        f"Cannot read splits {text!r}. Use kfold:5, repeated:5x3, holdout:0.25, grouped:5 or forward:5."
    )


def slots_in(options: TuneOptions) -> Slots:
    """How many trials of these options run at once here, and what each has."""
    return slots_for(
        options.workers,
        cpus=options.cpus_per_trial,
        gpus=options.gpus_per_trial,
        limits=Limits(options.timeout, options.memory_mb, options.retries),
        executor=options.executor,
    )


def _bound(slots: Slots) -> tuple[Chosen, ...]:
    return (Chosen("workers", str(slots.count), slots.why, "--workers"),) if slots.why else ()


def _budget(options: TuneOptions) -> Budget | None:
    names = ("trials", "looks", "seconds", "cpu_seconds", *TOTALS)
    limits = {name: getattr(options, name) for name in names}
    return Budget(**limits) if any(limit is not None for limit in limits.values()) else None


def _evidence(form: dict[str, Any] | bool) -> Evidence | None:
    from dataclasses import fields

    from assay.core.errors import did_you_mean

    if isinstance(form, bool):
        return Evidence() if form else None
    known = {f.name for f in fields(Evidence)}
    for name in form:
        if name not in known:
            raise SpecError(f"evidence has no entry {name!r}. {did_you_mean(name, known)}")
    return Evidence(**form)


def _space_form(form: dict[str, Any]) -> dict[str, Any]:
    return form if "parameters" in form else {"parameters": form}


def _source(options: TuneOptions) -> dict[str, Any]:
    """What a later sitting needs; a password is no part of a log."""
    options = replace(options, storage=without_password(options.storage))
    absolute = {**options.to_json(), "data": str(Path(options.data).resolve())}
    return {"options": absolute}
