"""Each tuner as its own documentation would have it used: the same model, space, folds and seeds."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.stats import loguniform, randint, uniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    cross_val_score,
)

from assay import Choice, Float, Int
from assay.sklearn import SearchCV
from benchmarks.sklearn.clock import course
from benchmarks.sklearn.tasks import FOLDS


def assay(task, seed, clock, trials):
    """`SearchCV` as it comes: control, search, fresh measurements, verdict."""
    X, _, y, _ = task.rows(seed)
    search = SearchCV(
        task.model(), {n: _ours(r) for n, r in task.space.items()}, n_trials=trials,
        scoring=clock, cv=task.splitter(seed), random_state=seed, refit=False,
    ).fit(X, y)  # fmt: skip
    verdict = search.verdict_
    return course(clock.matched(search.cv_results_)), {
        "answer": search.best_params_,
        "claim": verdict.claim.value if verdict else None,
    }


def grid(task, seed, clock, trials):
    """Every candidate of the grid, as many as there are."""
    return _fitted(
        GridSearchCV(task.model(), task.grid, **_same(task, seed, clock)), task, seed, clock
    )


def random(task, seed, clock, trials):
    search = RandomizedSearchCV(
        task.model(), {n: _scipy(r) for n, r in task.space.items()}, n_iter=trials,
        random_state=seed, **_same(task, seed, clock),
    )  # fmt: skip
    return _fitted(search, task, seed, clock)


def halving(task, seed, clock, trials):
    """What it would give is known after each rung: the best of that rung."""
    X, _, y, _ = task.rows(seed)
    search = HalvingRandomSearchCV(
        task.model(), {n: _scipy(r) for n, r in task.space.items()}, n_candidates=trials,
        min_resources="exhaust", return_train_score=False, random_state=seed,
        **_same(task, seed, clock),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # candidates that cannot be fitted on few rows
        search.fit(X, y)
    return list(_rungs(search.cv_results_, clock)), {}


def _rungs(results, clock):
    """(CPU seconds at its end, best params, its score) of each rung; a fit that failed was not scored."""
    scores = np.array([results[f"split{i}_test_score"] for i in range(FOLDS)])
    told = 0
    for rung in range(max(results["iter"]) + 1):
        here = np.flatnonzero(results["iter"] == rung)
        told += int(np.isfinite(scores[:, here]).sum())
        means = np.nan_to_num(results["mean_test_score"][here], nan=-np.inf)
        if np.isfinite(means.max()):
            best = here[means.argmax()]
            yield clock.calls[told - 1][0], results["params"][best], means.max()


def optuna(task, seed, clock, trials):
    """`OptunaSearchCV`, which samples by TPE."""
    import optuna
    from optuna_integration import OptunaSearchCV

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is experimental
        search = OptunaSearchCV(
            task.model(), {n: _optuna(r) for n, r in task.space.items()}, n_trials=trials,
            random_state=seed, **_same(task, seed, clock),
        )  # fmt: skip
        return _fitted(search, task, seed, clock)


def flaml(task, seed, clock, trials):
    """`flaml.tune` with BlendSearch, told what is cheap; twice the trials, since its first are small."""
    import flaml.tune
    from flaml import BlendSearch

    X, _, y, _ = task.rows(seed)
    splitter = task.splitter(seed)

    def evaluate(config):
        model = task.model().set_params(**config)
        return {"score": cross_val_score(model, X, y, cv=splitter, scoring=clock).mean()}

    search = BlendSearch(
        metric="score", mode="max", space={n: _flaml(r) for n, r in task.space.items()},
        low_cost_partial_config=dict(task.cheap), seed=seed,
    )  # fmt: skip
    flaml.tune.run(evaluate, search_alg=search, num_samples=2 * trials, verbose=0)
    return course(clock.candidates()), {}


TUNERS = {one.__name__: one for one in (assay, grid, random, halving, optuna, flaml)}


def _same(task, seed, clock):
    return {"scoring": clock, "cv": task.splitter(seed), "refit": False}


def _fitted(search, task, seed, clock):
    X, _, y, _ = task.rows(seed)
    search.fit(X, y)
    return course(clock.candidates()), {}


def _ours(where):
    if isinstance(where, list):
        return Choice(where)
    return (Int if where.whole else Float)(where.low, where.high, log=where.log)


class _LogWhole:
    """Whole numbers, log-uniform: scipy has no such distribution."""

    def __init__(self, low, high):
        self._of = loguniform(low - 0.5, high + 0.5)

    def rvs(self, *args, **kwargs):
        return round(self._of.rvs(*args, **kwargs))


def _scipy(where):
    if isinstance(where, list):
        return where
    if where.whole:
        return (_LogWhole if where.log else randint)(where.low, where.high + (not where.log))
    return loguniform(*where[:2]) if where.log else uniform(where.low, where.high - where.low)


def _optuna(where):
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(where, list):
        return CategoricalDistribution(where)
    return (IntDistribution if where.whole else FloatDistribution)(*where[:2], log=where.log)


def _flaml(where):
    from flaml import tune

    if isinstance(where, list):
        return tune.choice(where)
    if where.whole:
        return (tune.lograndint if where.log else tune.randint)(where.low, where.high + 1)
    return (tune.loguniform if where.log else tune.uniform)(where.low, where.high)
