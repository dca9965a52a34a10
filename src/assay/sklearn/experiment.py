"""One search as a study: its plan, its run, and what it says of the control."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics._scorer import _BaseScorer

from assay.analysis.conclusion import conclude
from assay.analysis.effects import has_control
from assay.api.parts import sampler_of, sampler_settings, scheduler_settings, store_at
from assay.api.prepare import by_fold
from assay.api.session import driving, run_plan
from assay.api.study import Study
from assay.core.errors import SpecError, StateError
from assay.core.events import Concluded, Created
from assay.core.history import History, fold
from assay.core.protocols import Store
from assay.core.rng import stream
from assay.core.spec import Budget, Evidence, StudySpec
from assay.core.units import SHADOW
from assay.engine.run import Watch
from assay.learners.estimators import describe
from assay.progress import showing
from assay.sklearn.bench import Bench, failure, score
from assay.sklearn.candidates import Candidates
from assay.sklearn.executor import Fits
from assay.sklearn.starting import Lent, given_first, lent, trying

LIGHT = Evidence(repeats=1, seeds=1, top=3, rechecks=10)
"""What a search measures again unless it is told: about 45 fits on top of the candidates."""

_SELECT = ("verdict", "guard", "score")

SEARCH_FIRST = {"search_first": True}
"""What only the verdict needs is fitted after the search: who waits for a notebook sees it sooner."""


@dataclass(frozen=True)
class Wishes:
    """What the user of a search wants of its study, checked."""

    budget: Budget
    sampler: Mapping[str, Any]
    scheduler: str | Mapping[str, Any] | None
    evidence: Evidence | None
    demanded: bool
    select: str
    smallest_gain: float | None
    given: tuple[Mapping[str, Any], ...]
    portfolio: bool
    batch: int
    store: Store
    name: str

    @property
    def trials(self) -> int:
        assert self.budget.trials is not None
        return self.budget.trials

    @staticmethod
    def of(search: Any) -> Wishes:
        """The wishes of a `SearchCV`.

        Raises:
            SpecError: one that cannot be.
        """
        if search.select not in _SELECT:
            raise SpecError(f"select needs one of {_SELECT}, got {search.select!r}.")
        light, evidence = search.evidence == "auto", search.evidence
        if not (light or evidence is None or isinstance(evidence, Evidence)):
            raise SpecError(
                f"evidence needs 'auto', an assay.Evidence or None, got {evidence!r:.80}."
            )
        batch = search.batch
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise SpecError(f"batch needs a whole number >= 1, got {batch!r}.")
        return Wishes(
            Budget(trials=search.n_trials, seconds=search.timeout),
            sampler_settings(search.sampler),
            search.scheduler,
            LIGHT if light else evidence,
            not light and evidence is not None,
            search.select,
            search.smallest_gain,
            tuple(search.given),
            bool(search.portfolio),
            batch,
            store_at(search.storage),
            search.study_name or "search",
        )


def run(wishes: Wishes, bench: Bench, found: Candidates, fits: Fits) -> Study:
    """Search, measure again and judge, and show it if the search is verbose.

    Raises:
        SpecError: evidence that the splitter cannot give, or a study that is there already.
        KeyboardInterrupt: the user stopped it.
    """
    if wishes.demanded and not bench.renews:
        raise SpecError(
            f"evidence needs fresh splits, and {bench.splitter} knows one way to split. Use a "
            "splitter with random_state, or leave evidence out."
        )
    scale = _measured_first(wishes, bench, found, fits)
    spec = _spec(wishes, bench, found, fits.metric or "score", scale)
    if any(True for _ in wishes.store.read(wishes.name, most=1)):
        raise SpecError(
            f"There is a study {wishes.name!r} in this storage, and a search begins anew each time it "
            "is fitted. Give another study_name."
        )
    sampler_of(spec).ask(spec.space, History(), stream(spec.seed, "trial", 0))
    study = Study.of(spec, wishes.store, wishes.name, given_first(found, wishes.given))
    decide = trying(_lent(wishes, bench, found, fits), wishes.batch)
    try:
        with driving(study), _showing(bench, spec, wishes.batch) as watch:
            options = {"decide": decide, "options": SEARCH_FIRST}
            finish = run_plan(study, lambda: fits, watch=watch, **options)
            if finish.reason == "interrupted":
                raise KeyboardInterrupt
            history = study.ledger.history
            if spec.evidence and has_control(history) and not history.last(Concluded):
                study.ledger.decide(lambda now: [conclude(spec, now)])
            if watch:
                watch(study.ledger.history)
    except StateError:
        if not _all_broken(fits):
            raise
    return study


def _showing(bench: Bench, spec: StudySpec, batch: int) -> AbstractContextManager[Watch | None]:
    """What shows the phases, as for `assay.tune`; None for a search that is not verbose."""
    at_once = min(effective_n_jobs(bench.search.n_jobs), bench.n_splits * batch)
    return showing(spec, workers=at_once, wanted=bench.search.verbose > 0)


def _measured_first(wishes: Wishes, bench: Bench, found: Candidates, fits: Fits) -> float | None:
    """The size of the control's score, where there is no plan without it; else None, and nothing is fitted.

    Of an error the smallest gain is a share, and what a function of the user gives shows when it is
    called. Everything else is known before, so that who looks on sees the control being measured.
    """
    scoring = bench.search.scoring
    fits.metric = _lead(bench, None)
    share = wishes.smallest_gain is None and _is_error(bench, fits.metric)
    named = not callable(scoring) or isinstance(scoring, _BaseScorer)
    if found.control is None or (named and not share):
        return None
    spec = _spec(wishes, bench, found, fits.metric, None)
    with _showing(bench, spec, wishes.batch) as watch:
        if watch:
            watch(fold([Created(spec.to_json(), spec.plan)]))
        first = fits.measure_first(found.own)
    fits.metric = _lead(bench, first)
    if failure(first, fits.metric) is not None:
        return None
    return abs(sum(score(fit, fits.metric) for fit in first) / len(first))


def _lent(wishes: Wishes, bench: Bench, found: Candidates, fits: Fits) -> Lent | None:
    """What the search may borrow; for that one fit of no features says what its score is worth."""
    if not wishes.portfolio:
        return None
    own, metric = bench.search.estimator, fits.metric or "score"
    if bench.search.scoring is None and is_regressor(own):
        metric = "r2"  # what their method `score` gives
    borrowed = lent(found, own, bench.X, bench.y, metric=metric)
    return borrowed and replace(borrowed, floor=fits.floor())


def _lead(bench: Bench, first: Any) -> str:
    """The score that the search follows: the one that `refit` names, else the first."""
    if isinstance(bench.search.refit, str):
        return str(bench.search.refit)
    several = getattr(bench.scorer, "_scorers", None)
    if several is None and first is not None and isinstance(first[0]["test_scores"], Mapping):
        several = first[0]["test_scores"]
    if several:
        return str(next(iter(several)))
    named = bench.search.scoring
    return named if isinstance(named, str) else "score"


def _is_error(bench: Bench, metric: str) -> bool:
    """Whether a score is an error with its sign turned: a scorer knows, of a function its name tells."""
    scorer = getattr(bench.scorer, "_scorers", {}).get(metric, bench.scorer)
    sign = getattr(scorer, "_sign", None)
    return bool(sign < 0) if sign is not None else metric.startswith("neg_")


def _spec(
    wishes: Wishes,
    bench: Bench,
    found: Candidates,
    metric: str,
    scale: float | None,
) -> StudySpec:
    gain = wishes.smallest_gain
    if gain is None:
        gain = float(f"{0.01 * scale:.2g}") if scale and _is_error(bench, metric) else 0.005
    space = by_fold(found.space, wishes.scheduler, bench.n_splits)
    return StudySpec(
        space=space,
        directions={metric: "maximize"},
        seed=bench.seed,
        sampler=wishes.sampler,
        budget=wishes.budget,
        control=found.control,
        smallest_gain=gain,
        evidence=wishes.evidence if found.control is not None and bench.renews else None,
        data=_data(bench, metric),
        scheduler=scheduler_settings(wishes.scheduler, space),
    )


def _data(bench: Bench, metric: str) -> dict[str, Any]:
    splits, estimator = bench.splits(0), bench.search.estimator
    tasks = {"classification": is_classifier, "regression": is_regressor}
    return {
        "rows": len({int(row) for _, test in splits for row in np.asarray(test)}),
        "folds": bench.n_splits,
        "repeats": 1,
        "ratio": bench.ratio(splits),
        "task": next((task for task, of in tasks.items() if of(estimator)), "other"),
        "metric": {"name": metric, "direction": "maximize"},
        "model": {"name": None, "prefix": "", **describe(estimator)},
        "splits": {"kind": type(bench.splitter).__name__, "sha256": _hash(splits)},
        "seal": None,
        "control": "may fail",
        **({} if bench.shadow is None else {SHADOW: {"rows": len(bench.shadow[1])}}),
    }


def _hash(splits: Any) -> str:
    rows = hashlib.sha256()
    for pair in splits:
        for part in pair:
            rows.update(np.asarray(part).astype("<i8").tobytes() + b"|")
    return rows.hexdigest()


def _all_broken(fits: Fits) -> bool:
    return all(fit["fit_error"] is not None for fit in fits.results) or not any(
        math.isfinite(score(fit, fits.metric or "score")) for fit in fits.results
    )


def control_of(results: Mapping[str, Any], found: Candidates, metric: str | None) -> dict[str, Any]:
    """What is known of the control, which is the first candidate."""
    name = metric if f"mean_test_{metric}" in results else "score"
    return {"params": dict(found.own), "score": float(results[f"mean_test_{name}"][0]), "index": 0}
