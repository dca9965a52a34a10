"""From data and a model to a plan: every choice made, each with its reason and how to change it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.analysis.bounds import Bounds
from assay.analysis.final import Judge, drawn_rows
from assay.analysis.procedure import FINALS
from assay.analysis.selection import members
from assay.api import choices
from assay.api.choices import Chosen
from assay.api.metering import settled
from assay.api.parts import sampler_of, sampler_settings, scheduler_settings
from assay.api.sealing import parted
from assay.api.shadow import set_apart, shadow_facts
from assay.core.errors import SpecError, did_you_mean
from assay.core.events import FLOOR, Selected
from assay.core.fidelity import Fidelity
from assay.core.history import History
from assay.core.jobs import Job
from assay.core.rates import Rates
from assay.core.rng import derived_seed, stream
from assay.core.space import Space
from assay.core.spec import Budget, Evidence, Limits, StudySpec
from assay.engine.outer import OUTER
from assay.evaluation.fingerprint import fingerprint
from assay.evaluation.splits import Fold, Splits, seal_share
from assay.inputs import Table, task
from assay.learners import scoring
from assay.learners.fitting import FinalEvaluator, FoldEvaluator, Recipe, ShadowedEvaluator
from assay.learners.models import model
from assay.learners.spaces import defaults_of, space_for
from assay.math.rows import Rows

_TRIALS = 60
_OUTER = 5
"""Outer folds where the search has a single split."""
_BY_FOLD = ("auto", "racing", "asha-stopping", "median", "percentile")
"""The schedulers that pause nothing: the folds of a trial are measured by one job."""


@dataclass(frozen=True)
class Wishes:
    """What a user may say about a study on data; None is chosen here."""

    metric: str | Callable[..., Any] = "auto"
    direction: str | None = None
    task: str | None = None
    space: Space | None = None
    budget: Budget | None = None
    splits: Splits | None = None
    test: float | None = None
    final: str | None = None
    shadow: float | None = None
    smallest_gain: float | None = None
    seed: int = 0
    sampler: str | Mapping[str, Any] = "auto"
    beliefs: Mapping[str, Any] = field(default_factory=dict)
    evidence: Evidence | None = field(default_factory=Evidence)
    limits: Limits = field(default_factory=Limits)
    rates: Rates | None = None
    horizon: int = 1
    order: Mapping[str, Any] | None = None
    scheduler: str | Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Prepared:
    """A study on data that is ready to be sealed and run.

    Attributes:
        dev: the rows that the search may use.
        test: the rows to seal.
        shadow: rows on which only incumbents are scored while the search lasts.
        together: both `dev` and `shadow`, in their order; None without a shadow set.
    """

    spec: StudySpec
    recipe: Recipe
    splits: Splits
    dev: Table
    test: Table | None
    chosen: tuple[Chosen, ...]
    classes: NDArray[Any] | None
    horizon: int = 1
    chosen_gain: bool = False
    shadow: Table | None = None
    together: Table | None = None

    @property
    def development(self) -> Table:
        """All rows but those of the test set, for what is done when the search is over."""
        return self.dev if self.together is None else self.together

    def worker(self) -> FoldEvaluator | ShadowedEvaluator:
        """What a worker runs in the search: folds, and incumbents on the shadow set where there is one."""
        folds, dev, shadow = self.evaluator(), self.dev, self.shadow
        if shadow is None:
            return folds
        scored = FinalEvaluator(dev.X, dev.y, shadow.X, shadow.y, self.recipe, dev.groups, dev.time)
        return ShadowedEvaluator(folds, scored, shadow.groups)

    def evaluator(self) -> FoldEvaluator:
        """What evaluates by folds: it holds the rows of the search only."""
        dev = self.dev
        return FoldEvaluator(
            dev.X, dev.y, self.recipe, self.splits, self.spec.seed, dev.groups, dev.time
        )

    def outer_folds(self) -> list[Fold]:
        """The (study, left out) rows of nested cross-validation, of all development rows.

        They are divided as the search divides.
        """
        rule = self.splits if self.splits.kind != "holdout" else Splits.kfold(_OUTER)
        seed = derived_seed(self.spec.seed, "outer")
        dev = self.development
        return FoldEvaluator(dev.X, dev.y, self.recipe, rule, seed, dev.groups, dev.time).folds(0)

    def final_evaluator(self, test: Table, history: History) -> FinalEvaluator:
        """What a worker runs when the seal is opened: an ensemble stands for its best member."""
        dev = self.development
        configs = [dict(history.config(number)) for number in members(history)]
        averaged = {history.last(Selected).challenger: configs} if configs else {}
        return FinalEvaluator(
            dev.X, dev.y, test.X, test.y, self.recipe, dev.groups, dev.time, averaged
        )

    @property
    def bounds(self) -> Bounds:
        """What values the metric can have."""
        return Bounds(*scoring.bounds(self.recipe.metric))

    def judge(self) -> Judge:
        """How the stored values of test rows become scores."""
        metric, classes = self.recipe.metric, self.classes

        def score(y: NDArray[Any], stored: NDArray[np.float64]) -> float:
            if metric.decomposable:
                return scoring.recompose(metric, stored)
            return scoring.value(metric, y, stored, classes=classes)

        maximize, weighted = metric.direction == "maximize", scoring.weighted(metric)
        return Judge(metric.name, maximize, metric.decomposable, score, weighted, self.bounds)

    def drawn(self, test: Table) -> Rows:
        """How the test rows are drawn again for the intervals.

        Raises:
            DataError: there are too few of them, or of one class, for any interval.
        """
        return drawn_rows(
            self.codes(test.y),
            groups=test.groups,
            time=test.time is not None,
            horizon=self.horizon,
            classes=self.classes is not None and not self.recipe.metric.decomposable,
        )

    def codes(self, y: NDArray[Any]) -> NDArray[Any]:
        """The target as the metric sees it: class codes, or numbers."""
        if self.classes is None:
            return np.asarray(y, dtype=float)
        return np.searchsorted(self.classes, y)


def prepare(table: Table, estimator: Any, wishes: Wishes, *, prefix: str = "") -> Prepared:
    """Choose what was not said, and write the plan.

    Args:
        estimator: a scikit-learn estimator or pipeline, or the name of a built-in model.
        prefix: put before the names of the space to give parameters of the estimator; a built-in
            model knows its own.

    Raises:
        SpecError, SpaceError, DataError: something does not fit; says what and what to do.
    """
    kind, kind_why = task(table.y, wishes.task)
    metric = _metric(wishes, kind, table)
    built = model(estimator, kind, table.X) if isinstance(estimator, str) else None
    whole, prefix = (built.estimator, built.prefix) if built else (estimator, prefix)
    recipe = Recipe(whole, metric, kind, prefix)
    known = built.space if built else None
    space = _own_space(wishes) or known or space_for(whole, prefix=prefix, rows=len(table))
    control = space.settle(defaults_of(whole, space, prefix=prefix))
    splits, splits_why = _splits(wishes, table, kind)
    development, test, test_line = _divide(table, kind, wishes)
    dev, shadow = set_apart(development, wishes.shadow, kind=kind, seed=wishes.seed)
    labels = dev.y if kind == "classification" else None
    evaluator = FoldEvaluator(dev.X, dev.y, recipe, splits, wishes.seed, dev.groups, dev.time)
    facts = described(dev, evaluator)
    folds = facts["folds"]
    space = by_fold(space, wishes.scheduler, folds * splits.repeats)
    gain, gain_why = _smallest_gain(wishes, metric, evaluator)
    advice = splits.advice(n=len(dev), y=labels, groups=dev.groups)
    data = {
        **facts,
        "repeats": splits.repeats,
        "task": kind,
        "metric": metric.to_json(),
        "model": {"name": built.name if built else None, "prefix": prefix, **recipe.describe()},
        "splits": splits.to_json(),
        "horizon": wishes.horizon,
        "seal": {"rows": len(test)} if test is not None else None,
        "groups": table.groups is not None,
        "time": table.time is not None,
        "notes": [*table.notes, *advice],
        # plans from before there was a choice keep their hashes
        **({"final": wishes.final} if wishes.final in FINALS else {}),
        **shadow_facts(shadow),
        "fingerprint": fingerprint(table.columns()).to_json(),
    }
    spec = _spec(wishes, metric, space, control, gain, data)
    name = built.name if built else type(estimator).__name__
    chosen = (
        Chosen("rows", f"{len(table):,}, {len(table.names)} features", "", "--drop"),
        Chosen("task", kind, kind_why, "--task"),
        Chosen("metric", f"{metric.name} ({metric.direction})", metric.why, "--metric"),
        choices.model_line(name, estimator),
        choices.space_line(space, own=wishes.space is not None),
        choices.splits_line(splits, folds, splits_why),
        test_line,
        *choices.shadow_line(dev, shadow),
        Chosen("smallest gain", f"{gain:.4g} {metric.name}", gain_why, "--smallest-gain"),
        *choices.search_lines(spec, own_budget=wishes.budget is not None),
    )
    classes = np.unique(table.y) if kind == "classification" else None
    own = wishes.smallest_gain is not None
    prepared = Prepared(spec, recipe, splits, dev, test, chosen, classes, wishes.horizon, own)
    if shadow is not None:
        prepared = replace(prepared, shadow=shadow, together=development)
    _check(prepared, wishes.final)
    return prepared


def described(dev: Table, evaluator: FoldEvaluator) -> dict[str, Any]:
    """What a plan says of the rows to develop on and of how they are divided."""
    splits = evaluator.splits
    assert isinstance(splits, Splits)
    return {
        "rows": len(dev),
        "folds": len(evaluator.folds(0)),
        "ratio": splits.test_train_ratio(len(dev)),
        "fingerprint": fingerprint(dev.columns()).to_json(),
    }


def _check(prepared: Prepared, final: str | None) -> None:
    """Refuse what cannot go well before anything is sealed."""
    spec = prepared.spec
    sampler_of(spec).ask(spec.space, History(), stream(spec.seed, "trial", 0))
    if prepared.test is not None:
        prepared.drawn(prepared.test)
    _check_final(prepared, final)


def _check_final(prepared: Prepared, final: str | None) -> None:
    """Refuse what could not be estimated at the end."""
    spec, metric = prepared.spec, prepared.recipe.metric
    if final == "bbc" and spec.evidence and spec.evidence.select == "ensemble_topk":
        raise SpecError(
            "final='bbc' judges single trials, and select='ensemble_topk' averages several. Use "
            "final='nested', or another rule."
        )
    if final == "bbc":
        if not metric.decomposable and scoring.weighted(metric) is None:
            raise SpecError(
                "final='bbc' draws rows again, and a metric of your own cannot be weighted by row. Use "
                "final='nested', or one of the metrics that Assay knows."
            )
        prepared.drawn(prepared.dev)
    if final == "nested":
        if spec.budget is not None and spec.budget.totals:
            raise SpecError(
                f"A budget of {next(iter(spec.budget.totals))} bounds one study, and final='nested' runs "
                "one more for every outer fold. Give trials, looks, seconds or cpu_seconds, of each."
            )
        outer = prepared.outer_folds()
        if len(outer) < 2:
            raise SpecError(
                "final='nested' needs two outer folds or more, and these splits make one."
            )
        for k, (train, _) in enumerate(outer):
            # each inner study can be divided as the outer one is
            _part(prepared, train, k).evaluator().folds(0)


def part_of(prepared: Prepared, train: NDArray[np.intp], k: int) -> Prepared:
    """The same plan for some of the development rows, with a seed of its own and nothing beyond it.

    Its shadow set, if there is one, has the same share of these rows.
    """
    own = _part(prepared, train, k)
    spec = own.spec
    data = {name: fact for name, fact in (spec.data or {}).items() if name != "final"}
    data |= described(own.dev, own.evaluator()) | shadow_facts(own.shadow)
    return replace(own, spec=replace(spec, data=data))


def _part(prepared: Prepared, train: NDArray[np.intp], k: int) -> Prepared:
    spec = replace(prepared.spec, seed=derived_seed(prepared.spec.seed, OUTER, k))
    rows, apart = prepared.development.take(train), prepared.shadow
    if apart is None:
        return replace(prepared, spec=spec, dev=rows)
    share = len(apart) / len(prepared.development)
    dev, shadow = set_apart(rows, share, kind=prepared.recipe.task, seed=spec.seed)
    return replace(prepared, spec=spec, dev=dev, shadow=shadow, together=rows)


_NO_EVIDENCE = "nothing is measured after the search, so there is nothing to test"


def _without_evidence(wishes: Wishes) -> None:
    """Refuse what only evidence after the search could answer."""
    for word, given in (("test", wishes.test), ("final", wishes.final)):
        if given:
            raise SpecError(
                f"{word}={given!r} asks for a verdict, and evidence=None (--evidence none) for a search "
                "without one. Give one of the two."
            )


def _metric(wishes: Wishes, kind: str, table: Table) -> scoring.Metric:
    metric = scoring.metric(
        wishes.metric,
        kind,
        table.y,
        direction=wishes.direction,  # type: ignore[arg-type]
    )
    if (
        metric.needs == "model"
        and wishes.test != 0
        and wishes.final != "nested"
        and wishes.evidence
    ):
        raise SpecError(
            "A scorer f(model, X, y) says nothing about single rows, so the sealed test could have no "
            "interval. Give a function f(y, prediction) with direction=…, or test=0 or final='nested'."
        )
    return metric


def _spec(
    wishes: Wishes,
    metric: scoring.Metric,
    space: Space,
    control: dict[str, Any],
    gain: float,
    data: dict[str, Any],
) -> StudySpec:
    return StudySpec(
        space=space,
        directions={metric.name: metric.direction},
        seed=wishes.seed,
        sampler=sampler_settings(wishes.sampler),
        budget=wishes.budget or Budget(trials=_TRIALS),
        control=control,
        smallest_gain=gain,
        evidence=wishes.evidence,
        limits=wishes.limits,
        rates=settled(wishes.rates),
        data=data,
        beliefs=wishes.beliefs,
        order=wishes.order,
        scheduler=scheduler_settings(wishes.scheduler, space, strict=wishes.order is not None),
    )


def by_fold(space: Space, scheduler: str | Mapping[str, Any] | None, folds: int) -> Space:
    """The space with the number of folds as its fidelity, if trials may end before the last.

    Raises:
        SpecError: a scheduler that does not go by folds, or one fold.
    """
    if scheduler is None:
        return space
    name = scheduler if isinstance(scheduler, str) else scheduler.get("name")
    if name not in _BY_FOLD:
        raise SpecError(
            f"Scheduler {name!r} is not for studies on data, where a trial is measured fold by fold. "
            f"{did_you_mean(str(name), _BY_FOLD)}"
        )
    if folds < 2:
        raise SpecError("One fold cannot be cut short: use more folds, or leave the scheduler out.")
    return space.with_fidelity(Fidelity("folds", 1, folds, "folds"))


def _splits(wishes: Wishes, table: Table, kind: str) -> tuple[Splits, str]:
    if wishes.splits is not None:
        _check_splits(wishes.splits, table)
        return wishes.splits.for_task(kind), "you chose them"
    if table.groups is not None:
        return Splits.grouped(5), "rows of one group stay together"
    if table.time is not None:
        return Splits.forward(5), "rows are ordered in time: train on the past only"
    return Splits.kfold(5).for_task(kind), "each development row is validated once"


def _check_splits(splits: Splits, table: Table) -> None:
    if not isinstance(splits, Splits):
        raise SpecError(f"splits needs Splits such as assay.Splits.kfold(5), got {splits!r:.80}.")
    if table.groups is not None and splits.kind != "grouped":
        raise SpecError(
            f"groups are given, but {splits.kind} splits ignore them: rows of one group would be on "
            "both sides. Use grouped splits, or leave groups out."
        )
    if table.time is not None and splits.kind != "forward":
        raise SpecError(
            f"A time column is given, but {splits.kind} splits ignore it: models would be trained "
            "on the future. Use forward splits, or leave the time column out."
        )


def _divide(table: Table, kind: str, wishes: Wishes) -> tuple[Table, Table | None, Chosen]:
    if wishes.evidence is None:
        _without_evidence(wishes)
        return table, None, Chosen("test set", "none", _NO_EVIDENCE, "--evidence")
    if wishes.final is not None and wishes.final != "test":
        return table, None, _without_test(wishes)
    advised, reasons = seal_share(len(table))
    share = advised if wishes.test is None else wishes.test
    why = "you chose it" if wishes.test is not None else "; ".join(reasons)
    if not share:
        return table, None, Chosen("test set", "none", why, "--test")
    dev, test = parted(table, share, kind=kind, seed=wishes.seed)
    line = Chosen(
        "test set", f"{len(test):,} rows sealed, {len(dev):,} to develop on", why, "--test"
    )
    return dev, test, line


def _without_test(wishes: Wishes) -> Chosen:
    """The line of the plan that says what stands in for a test set."""
    if wishes.final not in FINALS:
        raise SpecError(
            f"final needs 'test', 'bbc' or 'nested', got {wishes.final!r}. "
            f"{did_you_mean(str(wishes.final), ('test', *FINALS))}"
        )
    if wishes.test:
        raise SpecError(
            f"final={wishes.final!r} is for data of which no test set can be spared, and test="
            f"{wishes.test!r} sets one aside. Give one of the two."
        )
    why = {
        "bbc": "the search's own rows, each choice judged on rows left out of it",
        "nested": "the whole study once more on each outer fold, judged on the rows left out",
    }[wishes.final]
    return Chosen("test set", f"none, {wishes.final} instead", why, "--final")


def _own_space(wishes: Wishes) -> Space | None:
    if not isinstance(wishes.space, Space | None):
        raise SpecError(
            f"space needs a Space, got {type(wishes.space).__name__}: {wishes.space!r:.80}. Write "
            "assay.Space(max_depth=assay.Int(1, 12)), or give dicts of lists and distributions to "
            "assay.sklearn.SearchCV."
        )
    return wishes.space


def _smallest_gain(
    wishes: Wishes, metric: scoring.Metric, evaluator: FoldEvaluator
) -> tuple[float, str]:
    if wishes.smallest_gain is not None:
        return float(wishes.smallest_gain), "you chose it"
    if metric.direction == "maximize" and metric.function is None:
        return scoring.default_smallest_gain(metric, 0.0), "half a point"
    floor = evaluator(Job(id=0, trial=FLOOR, stage="floor", config={}), lambda _: None)
    gain = scoring.default_smallest_gain(metric, floor)
    return float(f"{gain:.2g}"), "1 % of what a model without features scores"
