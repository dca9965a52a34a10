"""Runs that were made without us, as a study that others learn from."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assay.api.parts import sampler_settings, store_at
from assay.api.study import Study
from assay.core.errors import SpaceError, SpecError
from assay.core.parameters import Float, Int, Parameter
from assay.core.protocols import Store
from assay.core.space import Space
from assay.core.spec import StudySpec, directions_of

if TYPE_CHECKING:
    from assay.tracking.mlflow import Past


def import_runs(
    uri: str,
    space: Space,
    *,
    metric: str,
    direction: str = "minimize",
    experiment: str | None = None,
    storage: str | Store | None = None,
    study: str | None = None,
    allow_lossy: bool = False,
) -> tuple[Study, list[str]]:
    """Runs of MLflow as a study: `learn_from` it, or go on with it by ask and tell.

    Args:
        uri: of the tracking server or folder.
        space: which parameters are read, and as what; runs keep them as text.
        metric: the one that is the value; its newest figure counts.
        experiment: its name; may be left out when there is one.
        storage, study: where it goes, and under which name; None: that of the experiment.
        allow_lossy: go on where something cannot be kept; else that is an error.

    Returns:
        The study, and what was lost, in words.

    Raises:
        SpecError: no such experiment, no run with these parameters or this metric, or a loss that was
            not allowed.
        StoreError: MLflow cannot be reached there, or refuses.
    """
    from assay.tracking.mlflow import runs_of

    theirs, runs = runs_of(uri, experiment)
    lost: Counter[str] = Counter()
    found = [(run, _config(run.params, space, lost)) for run in runs if run.params]
    usable = [(run, config) for run, config in found if config is not None]
    if not usable:
        raise SpecError(
            f"None of {len(runs)} runs has parameters of this space: {', '.join(space.names)}."
        )
    if not any(metric in run.metrics for run, _ in usable):
        there = ", ".join(sorted({repr(name) for run, _ in usable for name in run.metrics}))
        raise SpecError(f"No run has a metric {metric!r}. There is: {there or 'none'}.")
    said = [f"{what} ({many})" for what, many in lost.items()]
    if said and not allow_lossy:
        raise SpecError(
            f"These runs cannot be carried over whole. Lost would be: {'; '.join(said)}. "
            "Say allow_lossy=True or --allow-lossy to go on without."
        )
    name = study or theirs
    spec = StudySpec(
        space=space, directions=directions_of(direction), sampler=sampler_settings("auto"),
    )  # fmt: skip # without a control: what the defaults would have given, nobody knows
    ours = Study.of(spec, store_at(storage), name)
    if ours.history.n_trials:
        raise SpecError(f"There is a study {name!r} with trials in this storage. Name another.")
    _carry(ours, usable, metric, uri)
    return ours, said


def _carry(ours: Study, runs: Sequence[tuple[Past, dict[str, Any]]], metric: str, uri: str) -> None:
    for run, config in runs:
        ours.enqueue(config, source=uri, note=run.name)
        number = ours.ask().number
        value = run.metrics.get(metric)
        if run.status == "FINISHED" and value is not None and math.isfinite(value):
            ours.tell(number, value)
        else:
            ours.tell(number, failed=run.status.lower() if value is not None else f"no {metric}")


def _config(params: Mapping[str, str], space: Space, lost: Counter[str]) -> dict[str, Any] | None:
    """The parameters of a run as a config of the space; None if they are none."""
    for name in params.keys() - set(space.names):
        lost[f"parameter {name!r}, which the space has not"] += 1
    try:
        known = {
            name: _value(space[name], text) for name, text in params.items() if name in space.names
        }
        if set(space.active(known)) == set(known):
            return dict(space.settle(known))
    except SpaceError:
        pass
    lost["runs that do not fit the space"] += 1
    return None


def _value(parameter: Parameter, text: str) -> Any:
    """The value that a text stands for.

    Raises:
        SpaceError: none of the parameter.
    """
    try:
        if isinstance(parameter, Float):
            return float(text)
        if isinstance(parameter, Int):
            return int(text)
    except ValueError:
        raise SpaceError(f"{text!r} is no number.") from None
    for value in parameter.values:
        if text in (value, str(value), json.dumps(value)):
            return value
    raise SpaceError(f"{text!r} is none of the choices.")
