"""What checks need to be measured: cheap models on the table, and the user's model on its folds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.api.prepare import Prepared
from assay.checks import columns, rows, target
from assay.checks.finding import Finding
from assay.checks.subject import (
    MOST_ROWS,
    Fold,
    Subject,
    cells_of,
    forward_folds,
    shuffled_folds,
    thinned,
    unit_folds,
)
from assay.core.jobs import Job, Measurement
from assay.core.rng import derived_seed, stream
from assay.inputs import Table
from assay.learners.fitting import FoldEvaluator

_WIDE = 300  # features; of wider tables those most correlated with the target are looked at alone
_TIME_NAME = re.compile(
    r"(^|[_\W])(date|time|timestamp|year|month|day|week|ordinal_date)s?($|[_\W])", re.IGNORECASE
)


@dataclass(frozen=True)
class Given:
    """Splits that are given as they are, for `FoldEvaluator`."""

    parts: tuple[Fold, ...]

    def for_task(self, task: str) -> Given:
        return self

    def folds(
        self, repeat: int, *, n: int, y: Any, groups: Any, time: Any, seed: int
    ) -> list[Fold]:
        return list(self.parts)


def subject_of(prepared: Prepared) -> Subject:
    """The development rows as the checks see them."""
    dev = prepared.dev
    cells, words = cells_of(_features(dev))
    classes = None if prepared.classes is None else len(prepared.classes)
    return Subject(
        names=dev.names,
        cells=cells,
        words=words,
        y=prepared.codes(dev.y),
        classes=classes,
        folds=tuple(prepared.evaluator().folds(0)),
        splits=prepared.splits.kind,
        known_groups=dev.groups is not None,
        known_time=dev.time is not None,
    )


def quick_findings(prepared: Prepared, subject: Subject) -> list[Finding]:
    """The checks that need no fit of the user's model."""
    rng = stream(prepared.spec.seed, "checks")
    some = thinned(len(subject))
    X, targets = subject.filled[some], subject.targets[some]
    folds = shuffled_folds(len(some), rng)
    return [
        rows.twins(subject, _test_twins(prepared), len(prepared.test or ())),
        rows.contradictions(subject),
        _units(subject, rng),
        _alone(subject, X, targets, folds),
        _answers(subject, X, targets, some, folds),
        _future(subject, X, targets, some, folds),
        columns.useless(subject),
        columns.gaps(subject),
        target.rare_classes(subject, prepared.recipe.metric.name),
        columns.shifted(subject, _domain(subject, rng), rng),
        columns.prepared_outside(subject, _all_cells(prepared), _fitted(prepared)),
    ]


def measured(
    prepared: Prepared,
    config: Mapping[str, Any],
    folds: Sequence[Fold] | None = None,
    *,
    repeat: int = 0,
    count: int | None = None,
    seed_index: int = 0,
    y: NDArray[Any] | None = None,
    trial: int = 0,
) -> list[Measurement]:
    """The user's model with this config on the folds of a repeat, or on these folds."""
    dev = prepared.dev
    evaluator = prepared.evaluator()
    if folds is not None or y is not None:
        parts = tuple(folds if folds is not None else evaluator.folds(repeat))
        given = Given(parts)
        target_ = dev.y if y is None else y
        evaluator = FoldEvaluator(dev.X, target_, prepared.recipe, given, prepared.spec.seed)
    chosen = list(range(len(evaluator.folds(repeat))))[:count]
    seed = derived_seed(prepared.spec.seed, "unit", seed_index)
    found: list[Any] = []
    job = Job(
        id=0,
        trial=trial,
        stage="search",
        config=dict(config),
        units=tuple((repeat, fold, seed_index) for fold in chosen),
        seeds=(seed,) * len(chosen),
    )
    evaluator(job, found.append)
    return found


def _features(table: Table) -> dict[str, Any]:
    named = set(table.names)
    return {name: v for name, v in table.columns().items() if name in named}


def _test_twins(prepared: Prepared) -> float | None:
    """The share of the sealed rows that equal a development row; nothing else is looked at."""
    if prepared.test is None:
        return None
    target_ = prepared.codes(np.concatenate([prepared.dev.y, prepared.test.y]))
    codes = rows.row_codes(np.column_stack([_all_cells(prepared), target_]))
    n = len(prepared.dev)
    return float(np.isin(codes[n:], codes[:n]).mean())


def _all_cells(prepared: Prepared) -> Any:
    parts = [prepared.dev, *([prepared.test] if prepared.test is not None else [])]
    features = [_features(part) for part in parts]
    together = {
        name: np.concatenate([np.asarray(columns[name]) for columns in features])
        for name in prepared.dev.names
    }
    return cells_of(together)[0]


def _fitted(prepared: Prepared) -> tuple[str, ...]:
    from assay.learners.probing import fitted_parts

    return fitted_parts(prepared.recipe.estimator)


def _units(subject: Subject, rng: np.random.Generator) -> Finding:
    from assay.learners.probing import forest

    units = (
        None if subject.known_groups or subject.known_time else rows.suspected_units(subject, rng)
    )
    if units is None:
        return rows.repeated_units(subject, None)
    some = thinned(len(subject), 2 * MOST_ROWS) if _long(units.labels) else thinned(len(subject))
    some = _whole_units(units.labels, some, rng)
    X, targets, labels = subject.filled[some], subject.targets[some], units.labels[some]
    _, apart = forest(X, targets, unit_folds(labels, rng))
    _, mixed = forest(X, targets, shuffled_folds(len(some), rng))
    return rows.repeated_units(subject, units, apart, mixed)


def _long(labels: NDArray[np.intp]) -> bool:
    return len(labels) > 10 * (int(labels.max()) + 1)


def _whole_units(
    labels: NDArray[np.intp], some: NDArray[np.intp], rng: np.random.Generator
) -> NDArray[np.intp]:
    """About as many rows, but whole units: thinning would tear apart what belongs together."""
    if len(some) == len(labels):
        return some
    order = rng.permutation(int(labels.max()) + 1)
    kept = order[: max(5, round(len(order) * len(some) / len(labels)))]
    return np.flatnonzero(np.isin(labels, kept))


def _alone(subject: Subject, X: Any, targets: Any, folds: tuple[Fold, ...]) -> Finding:
    from assay.learners.probing import each_alone, forest

    if X.shape[1] > _WIDE:
        centred = targets - targets.mean(axis=0)
        strength = np.abs((X - X.mean(axis=0)).T @ centred).max(axis=1) / (X.std(axis=0) + 1e-12)
        near = np.sort(np.argsort(-strength)[:_WIDE])
    else:
        near = np.arange(X.shape[1])
    alone = np.full(X.shape[1], -np.inf)
    alone[near] = each_alone(X[:, near], targets, folds)
    whole = float("inf")  # the forest is worth its time only where one feature stands out
    if len(alone) > 1 and alone.max() >= 0.5 and np.sort(alone)[-2] <= 0.6 * alone.max():
        whole = float(forest(X, targets, folds)[1].mean())
    return columns.single_features(subject, alone, whole)


def _answers(
    subject: Subject, X: Any, targets: Any, some: NDArray[np.intp], folds: tuple[Fold, ...]
) -> Finding:
    from assay.learners.probing import forest, small_tree

    order = small_tree(some[:, None].astype(float), targets, folds)
    mask = np.isnan(subject.cells[some]).astype(float)
    mask = mask[:, mask.mean(axis=0) > 0.01]
    by_gaps = small_tree(mask, targets, folds) if mask.shape[1] else None
    whole = None
    if by_gaps is not None and by_gaps > 0.35:
        whole = float(forest(X, targets, folds)[1].mean())
    return columns.hidden_answers(subject, by_gaps, order, whole)


def _future(
    subject: Subject, X: Any, targets: Any, some: NDArray[np.intp], folds: tuple[Fold, ...]
) -> Finding:
    from assay.learners.probing import forest

    if subject.known_time or subject.known_groups:
        return columns.future(subject, None, None, None)
    column = _time_column(subject)
    if column is None:
        return columns.future(subject, None, None, None)
    order = np.argsort(subject.cells[some, subject.names.index(column)], kind="stable")
    _, ahead = forest(X, targets, forward_folds(order))
    _, mixed = forest(X, targets, folds)
    return columns.future(subject, column, ahead, mixed)


def _time_column(subject: Subject) -> str | None:
    """A numeric column that is called like a time and has many values, or that orders the file."""
    n = len(subject)
    for name, values, words in zip(subject.names, subject.cells.T, subject.words, strict=True):
        if words or np.isnan(values).any():
            continue
        distinct = len(np.unique(values))
        steps = np.diff(values)
        sorted_ = bool((steps >= 0).all() or (steps <= 0).all())
        if (sorted_ and distinct >= max(20, 0.9 * n)) or (
            _TIME_NAME.search(name) and distinct >= max(30, n / 20)
        ):
            return name
    return None


def _domain(subject: Subject, rng: np.random.Generator) -> float | None:
    """How well a forest tells the last validation part from its training part; None for random splits."""
    from assay.learners.probing import told_apart

    if subject.splits not in ("grouped", "forward"):
        return None
    train, valid = subject.folds[-1]
    both = np.concatenate([train, valid])
    second = np.arange(len(both)) >= len(train)
    some = rng.permutation(len(both))[: MOST_ROWS // 2]
    folds = shuffled_folds(len(some), rng)
    return told_apart(subject.filled[both[some]], second[some], folds)
