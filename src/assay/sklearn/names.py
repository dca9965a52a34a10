"""What other searches call the options of `SearchCV`: who types one of their names is told ours."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from assay.core.errors import did_you_mean

_SPACE = "It is called 'space' here, and takes the same dicts of lists and distributions."
_TRIALS = "It is called 'n_trials' here, and counts the estimator's own values as the first."
_SECONDS = "It is called 'timeout' here, in seconds."
_SAMPLER = "Say sampler=… here: a name, or a name and its settings."
_RACING = "Say scheduler='racing' here: a hopeless candidate is fitted on some splits only."
_STORED = "Say storage=… and study_name=… here; after fit the study is `study_`."

ELSEWHERE = {
    "param_grid": _SPACE,
    "param_distributions": _SPACE,
    "search_spaces": _SPACE,
    "n_iter": _TRIALS,
    "n_candidates": _TRIALS,
    "max_trials": _TRIALS,
    "max_time": _SECONDS,
    "time_budget": _SECONDS,
    "time_budget_s": _SECONDS,
    "metric": "It is called 'scoring' here, as in scikit-learn.",
    "seed": "It is called 'random_state' here, as in scikit-learn.",
    "study": _STORED,
    "search_optimization": _SAMPLER,
    "optimizer_kwargs": _SAMPLER,
    "n_points": "It is called 'batch' here.",
    "enable_pruning": _RACING,
    "early_stopping": _RACING,
    "resource": _RACING,
    "min_resources": _RACING,
    "max_resources": _RACING,
    "max_iter": _RACING,
    "factor": _RACING,
    "aggressive_elimination": _RACING,
    "callbacks": "Say `search.set_callbacks(…)` here, as in scikit-learn 1.9.",
    "fit_params": "Give them to `fit`: `search.fit(X, y, sample_weight=…)`.",
    "iid": "The mean over splits is never weighted here; leave it out.",
}
"""By the names of GridSearchCV, RandomizedSearchCV, the halving searches, OptunaSearchCV,
BayesSearchCV and TuneSearchCV."""

P = ParamSpec("P")
S = TypeVar("S")


def told_by_name(init: Callable[Concatenate[S, P], None]) -> Callable[Concatenate[S, P], None]:
    """An `__init__` that says what an option is called here if it has it under another name.

    scikit-learn reads an estimator's parameters from the signature of `__init__`, which stays as it is.

    Raises (the function that is returned):
        TypeError: an option that is not there.
    """
    known = list(inspect.signature(init).parameters)[1:]

    @functools.wraps(init)
    def checked(self: S, /, *args: P.args, **options: P.kwargs) -> None:
        for name in options.keys() - set(known):
            hint = ELSEWHERE.get(name) or did_you_mean(name, known)
            raise TypeError(f"{type(self).__name__} has no argument {name!r}. {hint}")
        init(self, *args, **options)

    return checked
