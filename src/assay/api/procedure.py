"""What stands in for a test set that could not be spared: rows left out of choices, or outer folds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.analysis.conclusion import conclude
from assay.analysis.procedure import (
    OuterFold,
    by_bootstrap,
    by_outer_folds,
    complete,
    final_of,
)
from assay.api.prepare import Prepared, part_of
from assay.api.session import driving, run_plan
from assay.api.study import Study
from assay.core import units
from assay.core.errors import StateError
from assay.core.events import CONTROL, Estimated, Event, Selected
from assay.core.history import History
from assay.core.protocols import Executor
from assay.core.rng import stream
from assay.core.spec import StudySpec
from assay.engine.outer import OUTER, plan_outer
from assay.engine.plan import plan
from assay.engine.run import Watch
from assay.learners import scoring
from assay.math.selection_luck import ByTrial, mean_losses

Rows = NDArray[np.intp]
Run = Callable[[Any], Executor]


def estimate(study: Study, prepared: Prepared, executor: Run, *, watch: Watch | None) -> bool:
    """Estimate the procedure as the plan says, and conclude the study.

    Args:
        executor: makes the executor for an evaluator.

    Returns:
        Whether it came to the end: False when the user interrupted it.

    Raises:
        StateError: a study of an outer fold cannot go on.
    """
    history = study.ledger.history
    challenger = history.last(Selected).challenger
    final = final_of(study.spec)
    if challenger != CONTROL and not history.last(Estimated):
        results = (
            _nested(study, prepared, executor, watch)
            if final == "nested"
            else _bbc(study, prepared, history)
        )
        if results is None:
            return False
        study.ledger.decide(lambda now: _concluded(study.spec, now, Estimated(str(final), results)))
    else:
        study.ledger.decide(lambda now: [conclude(study.spec, now)])
    return True


def _concluded(spec: StudySpec, history: History, estimated: Estimated) -> list[Event]:
    return [estimated, conclude(spec, history, estimated=estimated)]


# --- the bootstrap over stored rows


def _bbc(study: Study, prepared: Prepared, history: History) -> dict[str, Any]:
    """Choices made on drawn rows, each judged on the rows that were not drawn."""
    spec, trials = study.spec, complete(study.spec, history)
    if not trials or trials[0] != CONTROL:
        raise StateError("The rows of the control's validation parts are not stored.")
    evaluator = prepared.evaluator()
    valid = [evaluator.folds(repeat)[fold][1] for repeat, fold, _ in units.search(spec)]
    stored = [_stored(study, history, number, valid) for number in trials]
    order = _in_order(prepared, np.unique(np.concatenate(valid)))
    place = np.full(len(prepared.dev), -1)
    place[order] = np.arange(len(order))
    parts = [place[rows] for rows in valid]
    rows = prepared.drawn(prepared.dev.take(order))
    rng = stream(spec.seed, "procedure")
    values = _by_trial(prepared, stored, parts, order)
    return by_bootstrap(spec, trials, values, rows, rng, bounds=prepared.bounds)


def _in_order(prepared: Prepared, rows: Rows) -> Rows:
    """Rows in the order in which they are drawn: that of time where there is one."""
    time = prepared.dev.time
    return rows if time is None else rows[np.argsort(np.asarray(time)[rows], kind="stable")]


def _stored(
    study: Study, history: History, number: int, valid: Sequence[Rows]
) -> list[NDArray[np.float64]]:
    """The stored values of a trial, one array for each unit of the search."""
    found = history.units(number, "search")
    blobs = [study.store.blob(str(found[unit].rows)) for unit in units.search(study.spec)]
    values = [np.frombuffer(blob, "<f4").astype(float) for blob in blobs]
    return [
        one if len(one) == len(rows) else one.reshape(len(rows), -1)
        for one, rows in zip(values, valid, strict=True)
    ]


def _by_trial(
    prepared: Prepared,
    stored: Sequence[Sequence[NDArray[np.float64]]],
    parts: Sequence[Rows],
    order: Rows,
) -> ByTrial:
    """The trials' values under weightings of the rows, lower is better."""
    metric = prepared.recipe.metric
    if metric.decomposable:
        losses = np.column_stack([_averaged(one, parts, len(order)) for one in stored])
        # a share such as accuracy is 1 minus its mean loss, and its sign is turned like every score's
        return mean_losses(losses - (prepared.spec.signs[0] < 0))
    weighted = scoring.weighted(metric)
    assert weighted is not None, "checked when the plan was made"
    sign = prepared.spec.signs[0]
    y = prepared.codes(prepared.dev.y)[order]
    of_parts = [
        [weighted(y[rows], one) for rows, one in zip(parts, trial, strict=True)] for trial in stored
    ]

    def values(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.array(
            [
                [part(weights[:, rows]) for rows, part in zip(parts, trial, strict=True)]
                for trial in of_parts
            ]
        )
        return sign * _mean_of_defined(found).T

    return values


def _averaged(
    losses: Sequence[NDArray[np.float64]], parts: Sequence[Rows], n: int
) -> NDArray[np.float64]:
    """The loss of each row, a mean where several repeats validated it."""
    total, times = np.zeros(n), np.zeros(n)
    for rows, found in zip(parts, losses, strict=True):
        total[rows] += found
        times[rows] += 1
    return total / times


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means over the second axis, without what is not defined; NaN where nothing is."""
    there = np.isfinite(values)
    counted = there.sum(axis=1)
    total = np.where(there, values, 0.0).sum(axis=1)
    return np.asarray(np.where(counted, total / np.maximum(counted, 1), np.nan))


# --- the whole study again, on the training rows of outer folds


def _nested(
    study: Study, prepared: Prepared, executor: Run, watch: Watch | None
) -> dict[str, Any] | None:
    """Every outer fold's study, from its first trial to its choice; None when interrupted."""
    outer = prepared.outer_folds()
    found = []
    for k, (train, valid) in enumerate(outer):
        inner = part_of(prepared, train, k)
        child = Study.of(inner.spec, study.store, f"{study.name}/outer-{k + 1}")
        with driving(child):
            for decide in (plan, plan_outer):
                past = child.ledger.history
                evaluator = (
                    inner.worker()
                    if decide is plan
                    else inner.final_evaluator(prepared.development.take(valid), past)
                )
                run = partial(executor, evaluator)
                finish = run_plan(child, run, watch=watch, decide=decide)
                if finish.reason == "interrupted":
                    return None
        found.append(_outer_fold(child, len(valid)))
    ratio = float(np.mean([len(valid) / len(train) for train, valid in outer]))
    return by_outer_folds(study.spec, found, ratio, prepared.splits.kind, bounds=prepared.bounds)


def _outer_fold(child: Study, rows: int) -> OuterFold:
    history = child.ledger.history
    trial = history.last(Selected).trial
    values = [[event.value for event in history.units(n, OUTER).values()] for n in (CONTROL, trial)]
    if not all(values):
        reasons = [b.reason for b in history.breakages() if b.stage == OUTER]
        raise StateError(
            f"The choice of study {child.name!r} could not be fitted: {reasons[-1] if reasons else ''}"
        )
    control, selected = (sum(found) / len(found) for found in values)
    return OuterFold(child.name, trial, rows, control, selected)
