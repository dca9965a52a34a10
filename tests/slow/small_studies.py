"""Small studies on real data whose truth is known from rows that no study sees.

    python -m tests.slow.small_studies RAW.jsonl --repetitions 16

writes one line for each (data set, learner, repetition) and goes on where it stopped. Every config of
a study is fitted on the same folds, on a holdout that is the same for all, on a holdout of its own, and
on the hidden rows; the best of each search and the control are measured again on fresh folds. All
rules of selection can then be compared on the same numbers. `summary.py` makes the committed results.
"""

from __future__ import annotations

import argparse
import json
from functools import cache
from pathlib import Path

import numpy as np
from tests.slow.real_data import INDEPENDENT, data_set

from assay.core.jobs import Job
from assay.core.rng import derived_seed, stream
from assay.evaluation.splits import Splits
from assay.learners import scoring
from assay.learners.fitting import FinalEvaluator, FoldEvaluator, Recipe
from assay.learners.spaces import defaults_of, space_for

TRIALS, TOP, RECHECKS = 60, 6, 10
DEV, HIDDEN = 150, 1_000
LEARNERS = ("tree", "neighbours", "linear")


@cache
def learner(name: str, task: str):
    """(estimator, prefix of its parameters, parameters that are searched or None for all)."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    classes = task == "classification"
    if name == "tree":
        return (DecisionTreeClassifier() if classes else DecisionTreeRegressor()), ""
    if name == "neighbours":
        core = KNeighborsClassifier() if classes else KNeighborsRegressor()
    else:
        core = LogisticRegression() if classes else Ridge()
    return make_pipeline(StandardScaler(), core), f"{type(core).__name__.lower()}__"


class Measured:
    """Values of configs by cross-validation: (value, per-row losses) of each unit, kept."""

    def __init__(self, evaluator, configs, seed):
        self.evaluator, self.configs, self.seed = evaluator, configs, seed
        self.known = {}

    def __call__(self, config: int, repeat: int):
        """The folds of one repeat: values (folds,), and the losses of all validated rows."""
        if (config, repeat) not in self.known:
            folds = range(len(self.evaluator.folds(repeat)))
            found = []
            job = Job(
                id=0, trial=config, stage="search", config=self.configs[config],
                units=tuple((repeat, fold, 0) for fold in folds),
                seeds=(derived_seed(self.seed, "unit", 0),) * len(folds),
            )  # fmt: skip
            self.evaluator(job, found.append)
            losses = np.concatenate([np.frombuffer(m.rows, "<f4") for m in found])
            self.known[config, repeat] = ([m.value for m in found], losses)
        return self.known[config, repeat]


def one_study(
    data, kind: str, repetition: int, trials: int = TRIALS, most_hidden: int = HIDDEN
) -> dict:
    """Everything measured in one study; losses, so that lower is better, in units of the summary."""
    seed = derived_seed(repetition, data.name, kind)
    rng = stream(seed, "rows")
    order = rng.permutation(len(data.y))
    n_dev = min(DEV, len(order) // 2)
    dev, hidden = order[:n_dev], order[n_dev : n_dev + most_hidden]
    if data.task == "classification" and not _enough(data.y[dev], data.y[hidden]):
        raise ValueError("a class is too rare in the rows drawn")
    metric = scoring.metric(
        "accuracy" if data.task == "classification" else "mse", data.task, data.y
    )
    estimator, prefix = learner(kind, data.task)
    recipe = Recipe(estimator, metric, data.task, prefix)
    space = space_for(estimator, prefix=prefix, rows=n_dev)
    X, y = data.X[dev], data.y[dev]
    draw = stream(seed, "configs")
    configs = [space.settle(defaults_of(estimator, space, prefix=prefix))]
    configs += [space.from_unit(draw.random(len(space)).tolist()) for _ in range(trials - 1)]
    unit = 1.0 if data.task == "classification" else float(np.var(data.y[hidden]))
    folds = Measured(FoldEvaluator(X, y, recipe, Splits.kfold(5), seed), configs, seed)
    holds = Measured(FoldEvaluator(X, y, recipe, Splits.holdout(0.25), seed), configs, seed)
    final = FinalEvaluator(X, y, data.X[hidden], data.y[hidden], recipe)
    searches = {
        "cv": np.array([_losses(metric, folds(c, 0)[0]) for c in range(trials)]) / unit,
        "fixed": np.array([_losses(metric, holds(c, 0)[0]) for c in range(trials)]) / unit,
        "reshuffled": np.array([_losses(metric, holds(c, 100 + c)[0]) for c in range(trials)]) / unit,
    }  # fmt: skip
    truth = np.array([_truth(metric, final, configs[c], c, seed) for c in range(trials)]) / unit
    fresh = {}
    for name, losses in searches.items():
        measured, repeats = (folds, (1, 2)) if name == "cv" else (holds, range(1, 11))
        best = [int(c) for c in np.argsort(losses.mean(axis=1), kind="stable") if c][:TOP]
        fresh[name] = {
            c: np.concatenate([_losses(metric, measured(c, r)[0]) for r in repeats]) / unit
            for c in (0, *best)
        }
    rows = np.array([folds(c, 0)[1] for c in range(trials)], np.float64).T / unit
    return {
        "data": data.name, "learner": kind, "repetition": repetition, "dev": n_dev,
        "hidden": len(hidden), "task": data.task, "parameters": len(space),
        "cv": _short(searches["cv"]), "fixed": _short(searches["fixed"].mean(axis=1)),
        "reshuffled": _short(searches["reshuffled"].mean(axis=1)), "truth": _short(truth),
        "fresh": {n: {str(c): _short(v) for c, v in f.items()} for n, f in fresh.items()},
        "changed": [sum(configs[c][k] != configs[0][k] for k in configs[c]) for c in range(trials)],
        **_estimates(rows, searches["cv"], seed),
    }  # fmt: skip


def _estimates(rows, by_fold, seed):
    """What each estimate says of the winner's loss."""
    from assay.math.selection_luck import bbc, tibshirani_bias

    naive = float(by_fold.mean(axis=1).min())
    return {
        "bbc": round(bbc(rows, stream(seed, "bbc"), draws=400).estimate, 5),
        "tibshirani": round(naive + tibshirani_bias(by_fold.T), 5),
    }


def _losses(metric, values):
    return 1 - np.array(values) if metric.direction == "maximize" else np.array(values)


def _truth(metric, final, config, number, seed):
    found = []
    job = Job(id=0, trial=number, stage="test", config=config,
              seeds=(derived_seed(seed, "unit", 0),))  # fmt: skip
    final(job, found.append)
    return float(_losses(metric, [found[0].value])[0])


def _enough(dev, hidden):
    classes, counts = np.unique(dev, return_counts=True)
    return counts.min() >= 8 and set(np.unique(hidden)) <= set(classes)


def _short(values):
    return np.round(values, 5).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("raw", type=Path)
    parser.add_argument("--repetitions", type=int, default=16)
    wanted = parser.parse_args()
    wanted.raw.parent.mkdir(parents=True, exist_ok=True)
    done = set()
    if wanted.raw.exists():
        done = {tuple(json.loads(line)["key"]) for line in wanted.raw.read_text().splitlines()}
    with wanted.raw.open("a", encoding="utf-8") as out:
        for repetition in range(wanted.repetitions):
            for name in INDEPENDENT:
                for kind in LEARNERS:
                    key = (name, kind, repetition)
                    if key in done:
                        continue
                    try:
                        found = one_study(data_set(name), kind, repetition)
                    except Exception as refused:  # a draw without enough rows of a class
                        found = {"refused": str(refused)[:200]}
                    out.write(json.dumps({"key": key, **found}, separators=(",", ":")) + "\n")
                    out.flush()


if __name__ == "__main__":
    main()
