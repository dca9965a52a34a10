"""SearchCV: a scikit-learn search whose candidates are proposed, compared and judged by a study."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import _fit_context, clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _MultimetricScorer,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils import check_random_state, indexable
from sklearn.utils.parallel import Parallel
from sklearn.utils.validation import _check_method_params, _num_samples, check_is_fitted

from assay.analysis.overtuning import overtuning
from assay.analysis.selection import best_trial
from assay.core.errors import SpecError
from assay.core.events import Selected
from assay.core.familiar import SEARCH_ARGUMENTS, familiar
from assay.core.history import History
from assay.learners.scoring import name_of
from assay.sklearn.apart import shadow_split
from assay.sklearn.bench import Bench
from assay.sklearn.callbacks import Callbacks
from assay.sklearn.candidates import Candidates, candidates
from assay.sklearn.executor import Fits
from assay.sklearn.experiment import Wishes, control_of, run
from assay.sklearn.keeping import restored, stored


class SearchCV(BaseSearchCV):  # type: ignore[misc]  # it ships no types
    """A search over hyperparameters with a control group and a verdict, in scikit-learn's own form.

    It is used like `RandomizedSearchCV`: `fit`, `predict`, `score`, `best_params_`, `cv_results_`.
    The candidates are proposed by Assay's samplers. The estimator as you give it is the first one,
    the control; the best few are measured again beside it on fresh splits, and the verdict says
    whether their gain is more than noise.

    Args:
        estimator: anything with `fit`, such as a pipeline.
        space: "auto" for the built-in ranges of known estimators; a dict of lists, distributions of
            scipy.stats or Assay's parameters by parameter name, or a list of such dicts; or an
            `assay.Space`, which may have conditions.
        scoring, n_jobs, cv, pre_dispatch, error_score, return_train_score: as in
            scikit-learn's searches. Of several scores, the one that `refit` names leads the search,
            else the first.
        verbose: 1 shows what is being done and how far it is, on standard error or in the notebook;
            from 2 on each fit is told, too, as in scikit-learn's searches.
        refit: True, False, the name of a score, or a function of `cv_results_` that gives
            `best_index_`.
        n_trials: candidates to try, the control included.
        timeout: seconds after which no new candidate is begun.
        sampler: name, or name and settings, as in `assay.Study`.
        scheduler: "racing" fits a candidate split by split, and no further once it can hardly become
            the best: two fits of five are saved, see `benchmarks/results/racing.md`. What was not
            fitted is NaN in `cv_results_`, and such a candidate ranks last. Splits of one candidate
            are then not fitted side by side; use `batch` with `n_jobs`.
        random_state: of the proposals and of the fresh splits; models keep their own.
        select: "verdict" for what the verdict recommends, which is the estimator's own values unless
            a gain was shown; "guard" for the best on fresh splits if it gained more than one standard
            error there, which keeps more of the gains and more of the luck; "score" for the best mean
            score, as other searches do.
        control: False leaves the estimator's own values out, and with them the verdict.
        evidence: "auto" measures the best three and the control on ten fresh fits each; an
            `assay.Evidence` says it in detail; None measures nothing again.
        smallest_gain: the smallest gain worth having; None: 0.005, or 1 % of the control's error.
        shadow: share of the rows that the search never uses, such as 0.1: each new best candidate is
            fitted once more and scored on them, so that one sees overtuning (`shadow_`). Whole groups
            where `cv` goes by groups, the last rows for `TimeSeriesSplit`. They choose nothing, and the
            last fit uses all rows.
        given: parameters to try first.
        portfolio: after these try up to eight configs that did well for the same kind of model on
            other tables, as far as the space has them, each labelled with its source: for LightGBM,
            support vectors, nearest neighbours and kernel ridge with an RBF kernel. Next comes what
            did well on tables where the candidates before did as they do here; for that a model
            without features is fitted on one split. The verdict says
            if they were enough. See `benchmarks/results/starts.md`.
        batch: candidates that are proposed and fitted together, for machines with more processors
            than `cv` has splits. Results do not depend on `n_jobs`, but on this.
        storage, study_name: where to keep the study's log; see `assay.Study`. None: in memory.

    Attributes:
        verdict_: the `assay.Verdict`; None without evidence.
        control_: parameters, score and index of the control; None without one.
        shadow_: what the shadow set says, an `assay.analysis.overtuning.Overtuning`: the incumbents with
            their scores, `optimism`, `lost`, `relative`; None without one. `report` and
            `assay.plot.shadow(search.study_)` show it.
        study_: the study, with every trial, its noise and its log.
        cv_results_: as in scikit-learn's searches, and so are `best_estimator_`, `best_params_`,
            `best_score_`, `best_index_`, `scorer_`, `n_splits_`, `refit_time_`, `multimetric_`,
            `classes_`, `n_features_in_` and `feature_names_in_`.

    A splitter that knows one way to split, such as `TimeSeriesSplit` or a list of splits, has no
    fresh splits: then there is no verdict, and the best score is taken.

    Raises:
        SpaceError, SpecError: a space or an option that cannot be.
        ValueError: every fit failed; and what scikit-learn's own searches raise.
        TypeError: an option that is not there; it says what those of other searches are called here.

    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = SearchCV(Ridge(), {"alpha": loguniform(1e-4, 10)}, n_trials=12, random_state=0)
    >>> search.fit(X, y).control_["params"]
    {'alpha': 1.0}
    >>> search.verdict_.claim.value
    'BETTER'
    """

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's name and form
        **BaseSearchCV._parameter_constraints,
        **dict.fromkeys(
            (
                "space", "n_trials", "timeout", "sampler", "scheduler", "select", "control", "evidence",
                "smallest_gain", "shadow", "given", "portfolio", "batch", "storage", "study_name",
            ),
            "no_validation",  # checked by the study, whose messages say more
        ),
        "random_state": ["random_state"],
    }  # fmt: skip

    @familiar(**SEARCH_ARGUMENTS)
    def __init__(
        self,
        estimator: Any,
        space: Any = "auto",
        *,
        scoring: Any = None,
        n_trials: int = 60,
        timeout: float | None = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        sampler: Any = "auto",
        scheduler: Any = None,
        random_state: Any = None,
        select: str = "verdict",
        control: bool = True,
        evidence: Any = "auto",
        smallest_gain: float | None = None,
        shadow: float | None = None,
        given: Any = (),
        portfolio: bool = True,
        batch: int = 1,
        storage: Any = None,
        study_name: str | None = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.space = space
        self.n_trials = n_trials
        self.timeout = timeout
        self.sampler = sampler
        self.scheduler = scheduler
        self.random_state = random_state
        self.select = select
        self.control = control
        self.evidence = evidence
        self.smallest_gain = smallest_gain
        self.shadow = shadow
        self.given = given
        self.portfolio = portfolio
        self.batch = batch
        self.storage = storage
        self.study_name = study_name

    def set_params(self, **params: Any) -> Self:
        """As in every estimator; a word of another search ends in what it is called here."""
        own = self.get_params(deep=False)
        elsewhere = next((n for n in params if n in SEARCH_ARGUMENTS and n not in own), None)
        try:
            return super().set_params(**params)  # type: ignore[no-any-return]
        except ValueError as error:
            if elsewhere is None:
                raise
            here = f"SearchCV has no parameter {elsewhere!r}. Here: {SEARCH_ARGUMENTS[elsewhere]}."
            raise ValueError(here) from error

    @_fit_context(prefer_skip_nested_validation=False)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, measure the best again, judge, and fit what is kept on all of the data.

        Args:
            X: (n, features), or what the estimator takes.
            y: (n,) or (n, outputs) target; None for none.
            params: passed on to the estimator, the scorer and the splitter, such as `groups` and
                `sample_weight`, by scikit-learn's rules.
        """
        scorer, refit_metric = _scorers(self)
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        wishes = Wishes.of(self)
        found = candidates(self.estimator, self.space, rows=_num_samples(X), control=self.control)
        callbacks = Callbacks(self, X, y, params)
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        apart = shadow_split(self, X, y, splitter, routed.splitter.split, seed)
        with Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch) as parallel:
            bench = Bench(
                self,
                X,
                y,
                splitter,
                scorer,
                routed.estimator.fit,
                routed.scorer.score,
                routed.splitter.split,
                parallel,
                seed,
                apart,
            )
            self.n_splits_ = bench.n_splits
            with callbacks.searching() as progress:
                fits = Fits(bench, None, found.params, batch=wishes.batch, progress=progress)
                study = run(wishes, bench, found, fits)
        self._settle(fits, found, study, refit_metric)
        if self.refit:
            self._refit(X, y, routed.estimator.fit, callbacks)
        self.scorer_ = scorer._scorers if isinstance(scorer, _MultimetricScorer) else scorer
        callbacks.end()
        return self

    def _settle(self, fits: Fits, found: Candidates, study: Any, refit_metric: str) -> None:
        """Set what is known when the search is over."""
        _warn_or_raise_about_fit_failures(fits.results, self.error_score)
        if callable(self.scoring):
            _insert_error_scores(fits.results, self.error_score)
        with warnings.catch_warnings():
            if self.scheduler is not None:  # splits that were not fitted have no score
                warnings.filterwarnings("ignore", "One or more of the t", UserWarning)
            results = self._format_results(fits.candidates, self.n_splits_, fits.results)
        first = fits.results[0]["test_scores"]
        self.multimetric_ = isinstance(first, Mapping)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(first)
            refit_metric = self.refit
        self.study_, self._place = study, fits.place
        self.verdict_ = study.verdict if study is not None else None
        self.shadow_ = overtuning(study.spec, study.history) if study is not None else None
        self.control_ = control_of(results, found, fits.metric) if found.control else None
        if self.refit or not self.multimetric_:
            self.best_index_ = self._best(refit_metric, results)
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = results["params"][self.best_index_]
        self.cv_results_ = results

    def _best(self, metric: str, results: Mapping[str, Any]) -> int:
        if callable(self.refit) or self.select == "score" or self.verdict_ is None:
            return int(self._select_best_index(self.refit, metric, results))
        history: History = self.study_.history
        if self.select == "guard" and (selected := history.last(Selected)):
            return self._place[selected.trial]
        return self._place[best_trial(self.study_.spec, history)]

    def _refit(self, X: Any, y: Any, fit_params: Mapping[str, Any], callbacks: Callbacks) -> None:
        self.best_estimator_ = clone(self.estimator).set_params(
            **clone(self.best_params_, safe=False)
        )
        began = time.time()
        with callbacks.refitting(self.best_estimator_):
            if y is None:
                self.best_estimator_.fit(X, **fit_params)
            else:
                self.best_estimator_.fit(X, y, **fit_params)
        self.refit_time_ = time.time() - began
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    def report(self, path: str | Path | None = None) -> str:
        """The study's report as one HTML page; written to `path` if given.

        Raises:
            NotFittedError: it is not fitted.
            AttributeError: every measurement of the control failed.
        """
        check_is_fitted(self, "study_")
        return str(self.study_.report(path))

    def __getstate__(self) -> dict[str, Any]:
        return stored(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(restored(state))


def _scorers(search: BaseSearchCV) -> tuple[Any, str]:
    """The scorer of a search, and under which name its results are ranked."""
    if name := name_of(search.scoring):
        raise SpecError(
            f"scoring={search.scoring.__name__} is a metric, f(y, prediction), and a scorer is "
            f"f(model, X, y). Write scoring={name!r}."
        )
    settings = inspect.signature(search._get_scorers).parameters
    scorer, metric = (
        search._get_scorers(convert_multimetric=True) if settings else search._get_scorers()
    )
    return scorer, metric


__all__ = ["SearchCV"]
