"""Where candidates are fitted and scored: scikit-learn's own way, with what the study asks on top."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import process_time
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection._validation import _fit_and_score
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.parallel import Parallel, delayed

from assay.core.rng import derived_seed
from assay.learners.scoring import positive_class
from assay.sklearn.apart import rows_of
from assay.sklearn.fresh import reshuffled

Split = tuple[Any, Any]
Fit = dict[str, Any]

_KNOWN = frozenset(inspect.signature(_fit_and_score).parameters)


@dataclass(frozen=True)
class Work:
    """One fit: on which split, of what, and with which callbacks."""

    params: Mapping[str, Any]
    split: Split
    seed: int | None = None
    """None: as the estimator is; else every `random_state` in it is derived from this."""
    progress: Any = None
    place: tuple[int, int] | None = None
    """Which split of which candidate, for what `verbose` prints; None: nothing is printed."""


@dataclass
class Bench:
    """Fits and scores candidates on splits of the data, in parallel.

    Attributes:
        search: the search that is fitted: estimator, `error_score`, `verbose` and so on.
        X, y: the data.
        splitter: scikit-learn's.
        scorer: one scorer, or scikit-learn's for several.
        fit_params, score_params, split_params: what is passed on with each call.
        parallel: runs them.
        seed: of the fresh splits.
        n_splits: how many splits a candidate is fitted on.
        shadow: the rows of the search and those that it never uses; None where it uses all.
    """

    search: Any
    X: Any
    y: Any
    splitter: Any
    scorer: Any
    fit_params: Mapping[str, Any]
    score_params: Mapping[str, Any]
    split_params: Mapping[str, Any]
    parallel: Parallel
    seed: int
    shadow: Split | None = None
    n_splits: int = field(init=False)
    _splits: dict[int, list[Split]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        X, y, params = self.searched
        self.n_splits = self.splitter.get_n_splits(X, y, **params)

    def splits(self, repeat: int) -> list[Split]:
        """The (train, test) rows of a repeat; repeat 0 is as the user said.

        Raises:
            ValueError: there are more or fewer than the splitter says.
        """
        if repeat not in self._splits:
            way = (
                reshuffled(self.splitter, derived_seed(self.seed, "splits", repeat))
                if repeat
                else self.splitter
            )
            X, y, params = self.searched
            found = list(way.split(X, y, **params))
            if self.shadow is not None:
                found = [(self.shadow[0][train], self.shadow[0][test]) for train, test in found]
            if not found:
                raise ValueError(
                    "No fits were performed. Was the CV iterator empty? Were there no candidates?"
                )
            if len(found) != self.n_splits:
                raise ValueError(
                    "cv.split and cv.get_n_splits return inconsistent results. Expected "
                    f"{self.n_splits} splits, got {len(found)}"
                )
            self._splits[repeat] = found
        return self._splits[repeat]

    @property
    def searched(self) -> tuple[Any, Any, Mapping[str, Any]]:
        """The rows that the search uses, and what its splitter gets with them."""
        if self.shadow is None:
            return self.X, self.y, self.split_params
        return rows_of(self.shadow[0], self.X, self.y, self.split_params)

    @property
    def renews(self) -> bool:
        """Whether there are splits that the search does not see."""
        return reshuffled(self.splitter, 0) is not None

    def ratio(self, splits: Sequence[Split]) -> float:
        """Rows to test on over rows to train on."""
        return float(sum(len(b) for _, b in splits) / sum(len(a) for a, _ in splits))

    def run(self, work: Sequence[Work], estimator: Any = None) -> list[Fit]:
        """What scikit-learn says of each fit, and the CPU seconds that it took.

        Raises:
            Exception: what the estimator raised, if `error_score` is "raise".
        """
        model = clone(self.search.estimator) if estimator is None else estimator
        jobs = (delayed(_timed)(clone(model), one, self._how(one)) for one in work)
        found: list[Fit] = self.parallel(jobs)
        return found

    def dummies(self, metric: str) -> Any:
        """The model that looks at no feature; None where there is none for this task.

        It says the positive class where the `metric` is about that alone: the most frequent class may be
        another in each split, and recall 0 and 1 by turns.
        """
        if is_classifier(self.search.estimator):
            scorer = getattr(self.scorer, "_scorers", {}).get(metric, self.scorer)
            binary = type_of_target(self.y) == "binary"
            labels = np.unique(self.y).tolist() if binary else [None]
            positive = positive_class(metric, labels, scorer)
            if positive is not None:
                return DummyClassifier(strategy="constant", constant=positive)
            return DummyClassifier(strategy="prior")
        return DummyRegressor() if is_regressor(self.search.estimator) else None

    def _how(self, work: Work) -> dict[str, Any]:
        search = self.search
        how = {
            "X": self.X,
            "y": self.y,
            "scorer": self.scorer,
            "train": work.split[0],
            "test": work.split[1],
            "fit_params": self.fit_params,
            "score_params": self.score_params,
            "return_train_score": search.return_train_score,
            "return_n_test_samples": True,
            "return_times": True,
            "return_parameters": False,
            "error_score": search.error_score,
            "verbose": 0 if work.place is None else search.verbose,
            "split_progress": (work.place[1], self.n_splits) if work.place else None,
            "candidate_progress": (work.place[0], search.n_trials) if work.place else None,
            "caller": search if work.progress is not None else None,
            "callback_ctx": work.progress,
        }
        return {name: value for name, value in how.items() if name in _KNOWN}


def failure(fits: Sequence[Fit], metric: str) -> str | None:
    """Why a candidate has no value: a fit that failed, or a score that is not finite."""
    for fit in fits:
        if fit["fit_error"] is not None:
            return str(fit["fit_error"]).strip().splitlines()[-1]
    scores = [score(fit, metric) for fit in fits]
    wrong = [value for value in scores if not math.isfinite(value)]
    return f"the score is {wrong[0]} on {len(wrong)} of {len(fits)} splits" if wrong else None


def score(fit: Fit, metric: str, which: str = "test_scores") -> float:
    """One score of a fit; of several the one named `metric`, else the first."""
    found = fit[which]
    if isinstance(found, Mapping):
        return float(found[metric] if metric in found else next(iter(found.values())))
    return float(found)


def not_run(like: Fit) -> Fit:
    """A fit that was not run, in the form of one that was: there is no score and no time."""

    def nothing(value: Any) -> Any:
        return dict.fromkeys(value, math.nan) if isinstance(value, Mapping) else math.nan

    numbers = ("test_scores", "train_scores", "fit_time", "score_time")
    return {**like, **{name: nothing(like[name]) for name in numbers if name in like}}


def _timed(estimator: Any, work: Work, how: Mapping[str, Any]) -> Fit:
    params = dict(work.params)
    if work.seed is not None:
        params |= _seeds(clone(estimator).set_params(**clone(params, safe=False)), work.seed)
    before = process_time()
    found: Fit = _fit_and_score(estimator, parameters=params, **how)
    found["cpu_time"] = process_time() - before
    return found


def _seeds(estimator: Any, seed: int) -> dict[str, int]:
    names = sorted(
        name
        for name in estimator.get_params(deep=True)
        if name == "random_state" or name.endswith("__random_state")
    )
    states = np.random.SeedSequence(seed).generate_state(len(names))
    return {name: int(state % 2**31) for name, state in zip(names, states, strict=True)}
