"""Run tuners on the tasks; resumable: a run that is there is not done again.

python -m benchmarks.sklearn.run reference
python -m benchmarks.sklearn.run assay grid random halving optuna flaml --seeds 10
"""

from __future__ import annotations

import argparse
import gc
import json
import time
import warnings
from functools import cache, partial
from pathlib import Path

from sklearn.model_selection import ParameterSampler, cross_val_score

from benchmarks.sklearn.clock import Clock, sealed
from benchmarks.sklearn.tasks import SMALL, TASKS
from benchmarks.sklearn.tuners import TUNERS, _scipy

RESULTS = Path(__file__).resolve().parent / "results"
TRIALS, MANY, TOP, OTHER = 60, 200, 10, 12345


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tuners", nargs="+", choices=["reference", *TUNERS])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", type=int, metavar="SEED", help="One seed instead of all.")
    parser.add_argument("--tasks", nargs="*", default=[task.name for task in TASKS])
    given = parser.parse_args()
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    for seed in range(given.seeds) if given.only is None else [given.only]:
        for place, task in enumerate(task for task in TASKS if task.name in given.tasks):
            for name in by_turns(given.tuners, seed + place):
                run = reference if name == "reference" else partial(one, TUNERS[name])
                once(name, task, seed, run)


def by_turns(tuners, turn):
    """All tuners, another one first at each turn: what the machine does meanwhile meets them alike."""
    first = turn % len(tuners)
    return [*tuners[first:], *tuners[:first]]


def once(name, task, seed, run):
    """Run what is not in the results yet, and add it to them."""
    file = RESULTS / f"{name}.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    if any((row["task"], row["seed"]) == (task.name, seed) for row in rows):
        return
    row = {"task": task.name, "seed": seed, **run(task, seed)}
    with file.open("a") as out:
        out.write(json.dumps(row) + "\n")
    print(name, task.name, seed, {k: v for k, v in row.items() if k != "course"}, flush=True)


def one(tuner, task, seed):
    """One run: when the candidate that the tuner would give changed, and its score on sealed rows."""
    task.rows(seed)
    warm(tuner)
    gc.collect()  # what the run before has left is not this one's
    clock = Clock(task.scoring)
    found, extra = tuner(task, seed, clock, TRIALS)
    took = clock.cpu_s
    if "answer" in extra:
        extra["answer"] = round(sealed(task, seed, extra["answer"]), 6)
    return {
        "cpu_s": round(took, 3),
        "fits": len(clock.calls),
        "course": [
            [round(t, 4), round(cv, 6), round(sealed(task, seed, p), 6)] for t, p, cv in found
        ],
        **extra,
    }


@cache
def warm(tuner):
    """Once before the clock runs: imports, and what a library does at its first use."""
    tuner(SMALL, 0, Clock(SMALL.scoring), 15)


def reference(task, seed):
    """The sealed score of the model as it comes, and of the ten best by other folds of 200 at random."""
    X, _, y, _ = task.rows(seed)
    space = {name: _scipy(where) for name, where in task.space.items()}
    began, scored = time.process_time(), []
    for params in ParameterSampler(space, MANY, random_state=OTHER + seed):
        model = task.model().set_params(**params)
        folds = cross_val_score(model, X, y, cv=task.splitter(OTHER + seed), scoring=task.scoring)
        scored.append((folds.mean(), params))
    best = sorted(scored, key=lambda one: -one[0])[:TOP]
    good, default = sum(sealed(task, seed, p) for _, p in best) / TOP, sealed(task, seed, {})
    return {
        "default": round(default, 6),
        "good": round(good, 6),
        "cpu_s": round(time.process_time() - began, 1),
    }


if __name__ == "__main__":
    main()
