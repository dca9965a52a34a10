"""Fitting in the worker: a config becomes fits on training rows and scores on held-out rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import Any, Protocol, TypeAlias

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from sklearn.base import is_classifier, is_regressor

from assay.core.errors import DataError, SpecError
from assay.core.events import FLOOR
from assay.core.jobs import Emit, Job, Measurement, Step, Unit
from assay.core.units import SHADOW
from assay.learners import estimators, scoring
from assay.learners.averaged import Averaged
from assay.learners.formulas import Numbers
from assay.learners.scoring import Metric
from assay.learners.shadow_rows import pack
from assay.learners.watching import fit_watching, stops_by_watching

Rows: TypeAlias = NDArray[np.intp]

_TRAIN_ROWS = 2_000  # enough to see overfitting; all of them would cost as much as the fit


class Divides(Protocol):
    """What the splits must offer; `assay.evaluation.splits.Splits` does."""

    def for_task(self, task: str) -> Divides:
        """The same splits, stratified or not as the task wants."""
        ...

    def folds(
        self, repeat: int, *, n: int, y: Any, groups: Any, time: Any, seed: int
    ) -> list[tuple[Rows, Rows]]:
        """The (train, validation) rows of one repeat."""
        ...


@dataclass(frozen=True)
class Recipe:
    """How a config becomes a fitted model and a score.

    Attributes:
        estimator: any scikit-learn estimator or pipeline; cloned for each fit.
        metric: what is measured.
        task: "classification" or "regression".
        prefix: put before the names of a config to give names of `estimator.get_params()`.

    Raises:
        SpecError: no estimator, one for another task, or one without what the metric needs.
    """

    estimator: Any
    metric: Metric
    task: str
    prefix: str = ""

    def __post_init__(self) -> None:
        methods = ("fit", "get_params", "set_params")
        if isinstance(self.estimator, type) or not all(hasattr(self.estimator, m) for m in methods):
            raise SpecError(
                f"A model needs fit and get_params like scikit-learn's, got {self.estimator!r:.80}. "
                "An instance, not a class, is wanted."
            )
        other = {"classification": is_regressor, "regression": is_classifier}[self.task]
        if other(self.estimator):
            raise SpecError(f"{type(self.estimator).__name__} is not made for {self.task}.")
        scoring.check_model(self.metric, self.estimator)

    @property
    def deterministic(self) -> bool:
        """Whether no part of the estimator has a random_state."""
        return estimators.deterministic(self.estimator)

    def fit(
        self,
        X: Any,
        y: Any,
        config: dict[str, Any],
        seed: int,
        *,
        groups: Any = None,
        time: Any = None,
    ) -> Any:
        """The model of `config`, fitted; also for the user who wants the winner.

        Args:
            seed: sets every `random_state` in it, whatever the estimator had.
            groups, time: of these rows, for a model that stops by watching some of them; see
                `assay.learners.watching`.
        """
        params = {self.prefix + name: value for name, value in config.items()}
        with _silence():
            model = estimators.build(self.estimator, params, seed)
            if stops_by_watching(model):
                return fit_watching(model, X, y, groups=groups, time=time, seed=seed)
            return model.fit(X, y)

    def floor(self, X: Any, y: Any) -> Any:
        """The dummy model, fitted: what can be had without looking at any feature."""
        return estimators.dummy(self.task, self.metric, y).fit(X, y)

    def describe(self) -> dict[str, Any]:
        """The estimator in JSON, for the plan."""
        return estimators.describe(self.estimator)


@dataclass
class FoldEvaluator:
    """Evaluates a config by cross-validation; called in the worker for each job.

    Emits a Measurement for each unit (repeat, fold, seed index) and returns the mean value. Its
    `rows` are float32 in the order of the validation rows: losses if the metric is a mean over
    rows, else the predictions that the metric looks at (n × C for three classes and more), from
    which `scoring.value` gives the value again; none for a scorer of the user's own. Trial FLOOR
    is the dummy model. `train` is the value on up to 2,000 training rows.

    Args:
        X, y: development rows only: the sealed test rows never get here.
        recipe: estimator, metric and task.
        splits: see Divides.
        seed: the study's seed, for the splits alone.
        groups, time: passed on to the splits.
    """

    X: Any
    y: NDArray[Any]
    recipe: Recipe
    splits: Divides
    seed: int
    groups: Any = None
    time: Any = None
    _splits: Divides = field(init=False, repr=False)
    _target: _Target = field(init=False, repr=False)
    _repeats: dict[int, list[tuple[Rows, Rows]]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._splits = self.splits.for_task(self.recipe.task)
        self._target = _Target.of(self.y, self.recipe.task)
        self._repeats = {}

    def __call__(self, job: Job, emit: Emit) -> float:
        """The mean value over the job's units."""
        return _measure_all(job, emit, self._measure)

    def folds(self, repeat: int) -> list[tuple[Rows, Rows]]:
        """The (train, validation) rows of a repeat; the last few repeats are remembered."""
        if repeat not in self._repeats:
            if len(self._repeats) >= 4:
                self._repeats.clear()
            self._repeats[repeat] = self._splits.folds(
                repeat,
                n=len(self.y),
                y=self.y if self.recipe.task == "classification" else None,
                groups=self.groups,
                time=self.time,
                seed=self.seed,
            )
        return self._repeats[repeat]

    def _measure(self, job: Job, unit: Unit, seed: int) -> Measurement:
        train, valid = self.folds(unit[0])[unit[1]]
        return _measured(
            self.recipe,
            job,
            unit,
            seed,
            _part(self, self._target, train),
            _part(self, self._target, valid),
        )


@dataclass
class FinalEvaluator:
    """Evaluates a config on the sealed test rows: fitted on all development rows, for each seed.

    Emits Measurement(unit=(0, 0, s)) with the value on the test rows and their per-row values as
    FoldEvaluator does, and returns the mean over seeds.

    Args:
        X, y: all development rows.
        X_test, y_test: the rows from the vault.
        recipe: estimator, metric and task.
        groups, time: of the development rows, as in FoldEvaluator.
        members: configs, by the number of a trial, whose models stand for it together: the mean of
            their predictions is judged.
    """

    X: Any
    y: NDArray[Any]
    X_test: Any
    y_test: NDArray[Any]
    recipe: Recipe
    groups: Any = None
    time: Any = None
    members: Mapping[int, Sequence[dict[str, Any]]] = field(default_factory=dict)

    def __call__(self, job: Job, emit: Emit) -> float:
        """The mean value over the job's seeds."""
        return _measure_all(job, emit, self._measure)

    def _measure(self, job: Job, unit: Unit, seed: int) -> Measurement:
        target = _Target.of(np.concatenate([self.y, self.y_test]), self.recipe.task)
        codes = target.codes[: len(self.y)]
        dev = _Part(self.X, self.y, codes, target.classes, self.groups, self.time)
        test = _Part(self.X_test, self.y_test, target.codes[len(self.y) :], target.classes)
        return _measured(self.recipe, job, unit, seed, dev, test, self.members.get(job.trial, ()))


@dataclass
class ShadowedEvaluator:
    """Evaluates the search by `folds`, and its incumbents by `shadow`, on rows that no fold has.

    The `rows` of an incumbent are as `shadow_rows.pack` lays them out: the report makes an interval of
    them while the search lasts, and has nothing but the log.

    Args:
        groups: of the shadow rows; None where each is drawn on its own.
    """

    folds: FoldEvaluator
    shadow: FinalEvaluator
    groups: Any = None

    def __call__(self, job: Job, emit: Emit) -> float:
        """The mean value over the job's units."""
        if job.stage != SHADOW:
            return self.folds(job, emit)

        def kept(found: Measurement | Step) -> None:
            if isinstance(found, Measurement):
                found = replace(found, rows=self._kept(found.rows))
            emit(found)

        return self.shadow(job, kept)

    def _kept(self, rows: bytes | None) -> bytes | None:
        scored = self.shadow
        if rows is None:
            return None
        if scored.recipe.metric.decomposable:
            return pack(rows, n=len(scored.y_test), groups=self.groups)
        both = np.concatenate([scored.y, scored.y_test])
        truth = _Target.of(both, scored.recipe.task).codes[len(scored.y) :]
        return pack(rows, n=len(truth), truth=truth, groups=self.groups)


@dataclass(frozen=True)
class _Target:
    """The target as numbers: codes of the sorted classes, or itself for regression."""

    codes: NDArray[Any]
    classes: NDArray[Any] | None

    @staticmethod
    def of(y: NDArray[Any], task: str) -> _Target:
        if task != "classification":
            return _Target(np.asarray(y, dtype=float), None)
        classes, codes = np.unique(y, return_inverse=True)
        return _Target(codes, classes)


@dataclass(frozen=True)
class _Part:
    """Some rows: features, target as given, target as numbers, and how rows belong together."""

    X: Any
    y: NDArray[Any]
    codes: NDArray[Any]
    classes: NDArray[Any] | None
    groups: Any = None
    time: Any = None


def _part(data: FoldEvaluator, target: _Target, rows: Rows) -> _Part:
    belonging = [None if c is None else np.asarray(c)[rows] for c in (data.groups, data.time)]
    features = _rows(data.X, rows)
    return _Part(features, data.y[rows], target.codes[rows], target.classes, *belonging)


def _rows(X: Any, rows: Rows) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _measure_all(job: Job, emit: Emit, measure: Callable[[Job, Unit, int], Measurement]) -> float:
    values: list[float] = []
    for unit, seed in zip(job.units, job.seeds, strict=True):
        measurement = measure(job, unit, seed)
        emit(measurement)
        values.append(measurement.value)
    return float(np.mean(values))


def _measured(
    recipe: Recipe,
    job: Job,
    unit: Unit,
    seed: int,
    train: _Part,
    held: _Part,
    members: Sequence[dict[str, Any]] = (),
) -> Measurement:
    cpu, wall = process_time(), perf_counter()
    if job.trial == FLOOR:
        model = recipe.floor(train.X, train.y)
    elif members:
        fitted = [recipe.fit(train.X, train.y, config, seed) for config in members]
        model = Averaged(fitted, train.classes)
    else:
        model = recipe.fit(train.X, train.y, job.config, seed, groups=train.groups, time=train.time)
    with _silence():
        value, rows = _judged(recipe.metric, model, held)
        seen = _train_value(recipe.metric, model, train)
    return Measurement(
        unit=unit,
        value=value,
        train=seen,
        rows=None if rows is None else rows.astype("<f4").tobytes(),
        cpu_s=process_time() - cpu,
        wall_s=perf_counter() - wall,
    )


def _judged(metric: Metric, model: Any, part: _Part) -> tuple[float, Numbers | None]:
    """The value on these rows, and what is stored of each row."""
    if metric.needs == "model" and metric.function is not None:
        return float(metric.function(model, part.X, part.y)), None
    prediction = scoring.predict(model, part.X, metric, part.classes)
    value = scoring.value(metric, part.codes, prediction, classes=part.classes)
    losses = scoring.per_row(metric, part.codes, prediction)
    return value, prediction if losses is None else losses


def _train_value(metric: Metric, model: Any, train: _Part) -> float | None:
    """The value on evenly spaced training rows; None if it is not defined on them."""
    rows = np.unique(np.linspace(0, len(train.y) - 1, _TRAIN_ROWS).astype(np.intp))
    part = _Part(_rows(train.X, rows), train.y[rows], train.codes[rows], train.classes)
    try:
        return _judged(metric, model, part)[0]
    except DataError:
        return None


@contextmanager
def _silence() -> Iterator[None]:
    """No warnings of estimators: hundreds of fits would say the same thing hundreds of times."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
