"""Studies carried from Optuna to here and back; what either cannot say is listed, and needs a yes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from assay.api.parts import store_at
from assay.api.study import Study
from assay.core.constraints import Constraint
from assay.core.errors import SpaceError, SpecError
from assay.core.events import CONTROL
from assay.core.history import Trial
from assay.core.protocols import Store
from assay.core.space import Space
from assay.core.spec import StudySpec
from assay.optuna.shape import Basis
from assay.optuna.values import distribution_of, simple, space_seen


def import_study(
    url: str,
    name: str | None = None,
    *,
    storage: str | Store | None = None,
    study: str | None = None,
    allow_lossy: bool = False,
) -> tuple[Study, list[str]]:
    """An Optuna study as one of ours, which you can go on with by ask and tell.

    Only values are read: parameters, distributions, values, states, intermediate values. What other
    programs pickled into its attributes is left where it is. Its constraints become ours, "name <= 0";
    a trial without one that others have breaks it.

    Args:
        url: "sqlite:///optuna.db", another database that SQLAlchemy knows, or "journal:///file.log".
        name: of the Optuna study; may be left out when there is one.
        storage, study: where it goes, and under which name.
        allow_lossy: go on where something cannot be kept; else that is an error.

    Returns:
        The study, and what was lost, in words.

    Raises:
        SpecError: no such study, or a loss that was not allowed.
    """
    theirs = _loaded(url, name)
    trials = theirs.get_trials(deepcopy=False)
    space = _space_of(trials)
    lost = [*_lost_of_trials(trials, space), *_lost_of_study(theirs)]
    _agree(lost, allow_lossy=allow_lossy, what=f"Optuna's study {theirs.study_name!r}")
    ways = [way.name.lower() for way in theirs.directions]
    ours = Study(
        space, direction=ways[0] if len(ways) == 1 else ways, storage=store_at(storage),
        name=study or theirs.study_name, constraints=list(map(str, _bounds(trials).values())),
    )  # fmt: skip
    if ours.history.n_trials:
        raise SpecError(
            f"There is a study {ours.name!r} with trials in this storage. Give another name."
        )
    for trial in trials:
        if trial.state.is_finished() and _config(trial, space) is not None:
            _carry(ours, trial, f"{url} {theirs.study_name}", _bounds(trials))
    return ours, lost


def export_study(study: Study, url: str, *, allow_lossy: bool = False) -> list[str]:
    """Write a study as an Optuna study of the same name; what was lost, in words.

    Args:
        url: as for `import_study`; made if it is not there.

    Raises:
        SpecError: a study of that name is there, or a loss that was not allowed.
    """
    distributions: dict[str, BaseDistribution] = {}
    lost: list[str] = []
    for name in study.spec.space:
        distributions[name], less = distribution_of(study.spec.space[name])
        lost += [f"{name}: {what}" for what in less]
    lost += _lost_of_ours(study)
    _agree(lost, allow_lossy=allow_lossy, what=f"Study {study.name!r}")
    storage = _storage(url, new=True)
    if any(study.name == s for s in optuna.get_all_study_names(storage)):
        raise SpecError(f"There is a study {study.name!r} at {url}. Name another place.")
    theirs = optuna.create_study(
        storage=storage, study_name=study.name, directions=list(study.spec.directions.values())
    )
    if len(study.spec.directions) > 1 or "value" not in study.spec.directions:
        theirs.set_metric_names(list(study.spec.objectives))
    theirs.set_user_attr("assay:plan", study.spec.plan)
    for trial in study.trials:
        if trial.state != "running":
            theirs.add_trial(_frozen(trial, distributions, study.spec))
    return lost


# --- reading


def _storage(url: str, *, new: bool = False) -> BaseStorage:
    if url.startswith("journal:///"):
        path = url.removeprefix("journal:///")
        _must_exist(path, new)
        return JournalStorage(JournalFileBackend(path))
    if url.startswith("sqlite:///"):
        _must_exist(url.removeprefix("sqlite:///"), new)
    elif "://" not in url:
        raise SpecError(
            f"Cannot tell what storage {url!r} is. Use 'sqlite:///optuna.db' or 'journal:///file.log'."
        )
    try:
        return RDBStorage(url)
    except Exception as error:
        raise SpecError(f"Optuna cannot open {url!r}: {str(error).splitlines()[0]}") from error


def _must_exist(path: str, new: bool) -> None:
    if not new and not Path(path).is_file():
        raise SpecError(f"There is no file {path!r}.")


def _loaded(url: str, name: str | None) -> optuna.Study:
    storage = _storage(url)
    names = optuna.get_all_study_names(storage)
    if name is None and len(names) != 1:
        raise SpecError(
            f"{url!r} holds {len(names)} studies; name one: {', '.join(map(repr, names[:20]))}"
            if names
            else f"{url!r} holds no study."
        )
    wanted = names[0] if name is None else name
    if wanted not in names:
        raise SpecError(
            f"{url!r} holds no study {wanted!r}, but {', '.join(map(repr, names[:20]))}."
        )
    return optuna.load_study(study_name=wanted, storage=storage)


def _space_of(trials: Sequence[FrozenTrial]) -> Space:
    """The space that the trials show, with the newest distribution of each name."""
    basis: Basis = {}
    for trial in trials:
        basis |= trial.distributions
    whole = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    space = space_seen(basis, whole)
    if space is None:
        raise SpecError("The study has no finished trial with parameters, so its space is unknown.")
    return space


def _config(trial: FrozenTrial, space: Space) -> dict[str, Any] | None:
    """A trial's parameters as a config; None if they do not fit the space."""
    try:
        known = {name: value for name, value in trial.params.items() if name in space.names}
        return space.settle(known) if set(space.active(known)) == set(known) else None
    except SpaceError:
        return None


def _carry(ours: Study, trial: FrozenTrial, source: str, bounds: Mapping[str, Constraint]) -> None:
    config = _config(trial, ours.spec.space)
    assert config is not None
    ours.enqueue(config, source=source, note=f"trial {trial.number}")
    number = ours.ask().number
    for step, value in sorted(trial.intermediate_values.items()):
        if math.isfinite(value) and step >= 0:
            ours.report_step(number, step, value)
    values = trial.values
    if trial.state == TrialState.COMPLETE and values and all(map(math.isfinite, values)):
        told = dict(zip(ours.spec.objectives, values, strict=True))
        for key, bound in bounds.items():
            told[bound.name] = bound.bound + bound.sign * trial.constraints.get(key, math.inf)
        ours.tell(number, told)
    else:
        ours.tell(number, failed=trial.state.name.lower())


def _bounds(trials: Sequence[FrozenTrial]) -> dict[str, Constraint]:
    """Ours for each constraint that any trial has a number for, as far as it can have one."""
    keys = dict.fromkeys(key for t in trials if t.state.is_finished() for key in t.constraints)
    return {key: bound for key in keys if (bound := _bound(key))}


def _bound(key: str) -> Constraint | None:
    """The constraint of ours that was exported under this name, or "name <= 0"; None for neither."""
    try:
        return Constraint.parse(key if set(key) & set("<>=") else f"{key} <= 0")
    except SpecError:
        return None


# --- what is lost


def _lost_of_trials(trials: Sequence[FrozenTrial], space: Space) -> Iterator[str]:
    count: Counter[str] = Counter()
    for trial in trials:
        if not trial.state.is_finished():
            count["trials that run or wait"] += 1
            continue
        if _config(trial, space) is None:
            count["trials that do not fit the newest ranges and conditions"] += 1
        if trial.state == TrialState.PRUNED:
            count["pruned trials, which count as failed; their intermediate values are kept"] += 1
        if trial.user_attrs:
            count["user attributes of trials"] += 1
        if any(_bound(key) is None for key in trial.constraints):
            count["constraints with a name that none of ours can have"] += 1
        if any(not math.isfinite(v) for v in trial.intermediate_values.values()):
            count["intermediate values that are not finite"] += 1
    yield from (f"{what} ({n})" for what, n in count.items())


def _lost_of_study(theirs: optuna.Study) -> Iterator[str]:
    if theirs.user_attrs:
        yield f"user attributes of the study ({len(theirs.user_attrs)})"


def _lost_of_ours(study: Study) -> Iterator[str]:
    history = study.history
    if study.spec.space.forbidden or study.spec.space.required:
        yield "forbidden and required combinations"
    if strict := [str(bound) for bound in study.spec.bounds if "=" not in bound.relation]:
        yield f"that these bounds themselves are not allowed: {', '.join(strict)}"
    if history.running():
        yield f"trials that run ({len(history.running())})"
    if study.spec.evidence is not None and history.measured and study.verdict is not None:
        yield "the control's noise, the recheck and the verdict"


def _agree(lost: Sequence[str], *, allow_lossy: bool, what: str) -> None:
    if lost and not allow_lossy:
        raise SpecError(
            f"{what} cannot be carried over whole. Lost would be: {'; '.join(lost)}. "
            "Say allow_lossy=True or --allow-lossy to go on without."
        )


# --- writing


def _frozen(
    trial: Trial, distributions: dict[str, BaseDistribution], spec: StudySpec
) -> FrozenTrial:
    done = trial.state == "done"
    attributes: dict[str, Any] = {"assay:trial": trial.number, "assay:origin": trial.origin}
    if trial.failure is not None:
        attributes["assay:reason"] = trial.failure.reason[:2000]
    if trial.number == CONTROL and trial.origin == "control":
        attributes["assay:control"] = True
    attributes |= {f"assay:extra:{name}": value for name, value in trial.extra.items()}
    return create_trial(
        state=TrialState.COMPLETE if done else TrialState.FAIL,
        values=list(trial.values) if trial.values else None,
        params={name: simple(value) for name, value in trial.config.items()},
        distributions={name: distributions[name] for name in trial.config},
        user_attrs=attributes,
        intermediate_values=dict(trial.curve),
        constraints=_excesses(trial, spec) if done else {},
    )


def _excesses(trial: Trial, spec: StudySpec) -> dict[str, float]:
    """How far the numbers of a trial lie beyond each bound, by the bound's text; inf without one."""
    numbers = {**trial.extra, **dict(zip(spec.objectives, trial.values or (), strict=True))}
    missing = {bound.name: bound.sign * math.inf for bound in spec.bounds}
    return {str(bound): bound.excess((missing | numbers)[bound.name]) for bound in spec.bounds}
