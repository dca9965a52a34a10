"""Whole searches with borrowed configs and without, on tables that the lists were built without.

    python -m benchmarks.portfolio.searches      # half an hour; goes on where it stopped, then prints the table

30 candidates, no evidence, the folds on which the pool was measured. The target is 90 % of the way from the
model as it comes to the best of the pool; what counts are CPU seconds of the process until a candidate has
it, twice the whole time if none has. The tables are small ones of `tables.py`.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from math import isfinite
from pathlib import Path
from unittest import mock

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import KFold, StratifiedKFold

from assay import Choice, Float, Int
from assay.learners import starts
from assay.sklearn import SearchCV, starting
from benchmarks.portfolio import tables
from benchmarks.sklearn.clock import Clock

RAW = Path(__file__).resolve().parent / "results" / "searches.jsonl"
MOST, SEEDS, TRIALS = (0, 4, 8, 12), (0, 1), 30
NAMES = {
    "svr": "engel trump macro sparse linear numbers1 numbers3 numbers8 numbers14 training",
    "kernel-ridge": "star98 co2 chicks invest numbers3 numbers6 numbers10 numbers19 numbers22 scurve",
    "neighbours-numbers": "star98 engel waterflow numbers1 numbers8 numbers10 earnings benefits",
    "svc": "iris phishing circles class3 classes3 classes7 classes10 classes21",
    "lightgbm-classes": "iris mroz wages_union classes3 classes7",
}


def space(learner, model, X, y):
    """The pool's ranges in the units of the data."""
    unit = {"kernel": 1 / X.shape[1], "target": float(np.std(y))}
    step = f"{model.steps[-1][0]}__" if hasattr(model, "steps") else ""
    found = {}
    for name, where in learner.space.items():
        if isinstance(where, list):
            whole = name == "n_neighbors"
            found[step + name] = Int(1, 200, log=True) if whole else Choice(where)
            continue
        low, high, scale = where
        factor = unit[learner.units[name]] if name in learner.units else 1
        if scale == "log whole":
            found[step + name] = Int(low, high, log=True)
        else:
            found[step + name] = Float(low * factor, high * factor, log=scale == "log")
    return found


def without(learner, name):
    """The list of a learner as it is without a table, and what is then known of it."""
    measured = tables.read(learner)
    others = measured.names != name
    listed = tables.greedy(measured.scores[others], measured.costs[others], tables.LISTED)
    pool, kept = tables.pool(learner), starts.lists()
    one = {**kept[learner.name], "configs": [pool[place] for place in listed]}
    return {**kept, learner.name: one}, measured.but(others, listed)


def search(learner, name, most, seed):
    """CPU seconds until the target, None: never; the number of that candidate; and of the whole search."""
    X, y = tables.table(learner, name)
    lists, seen = without(learner, name)
    model = learner.model()
    kind = StratifiedKFold if is_classifier(learner.estimator) else KFold
    rows = next(
        row["rows"]
        for row in map(json.loads, tables.RESULTS.read_text().splitlines())
        if (row["learner"], row["table"]) == (learner.name, name)
    )
    scoring = "neg_root_mean_squared_error"
    if is_classifier(learner.estimator):
        scoring = "neg_log_loss" if len(rows[0][0]) == 2 else "accuracy"
    losses = np.array([row[0][0] for row in rows])
    target = losses[0] - tables.SHARE * (losses[0] - losses.min())
    starts.starts.cache_clear()
    with (
        mock.patch.object(starts, "lists", return_value=lists),
        mock.patch.object(starting, "seen", return_value=seen),
        mock.patch.object(starting, "MOST", most),
    ):
        clock = Clock(scoring)
        found = SearchCV(
            model, space(learner, model, X, y), n_trials=TRIALS, scoring=clock, evidence=None,
            cv=kind(3, shuffle=True, random_state=0), random_state=seed, refit=False,
        ).fit(X, y)  # fmt: skip
        took = clock.cpu_s
    starts.starts.cache_clear()
    for number, (at, _, score) in enumerate(clock.matched(found.cv_results_)):
        loss = 1 - score if scoring == "accuracy" else -score
        if isfinite(loss) and loss <= target:
            return {"hit": round(at, 4), "k": number, "took": round(took, 3)}
    return {"hit": None, "k": None, "took": round(took, 3)}


def main():
    warnings.filterwarnings("ignore")
    learners = {one.name: one for one in tables.LEARNERS}
    done = {(r["learner"], r["table"], r["most"], r["seed"]) for r in read()}
    search(learners["svr"], "engel", MOST[-1], 99)  # imports come before the clock
    for seed in SEEDS:
        for of, names in NAMES.items():
            for name in names.split():
                for most in MOST:
                    if (of, name, most, seed) not in done:
                        row = {"learner": of, "table": name, "most": most, "seed": seed}
                        row |= search(learners[of], name, most, seed)
                        with RAW.open("a") as out:
                            out.write(json.dumps(row) + "\n")
    print(report(read()))


def read():
    return [json.loads(line) for line in RAW.read_text().splitlines()] if RAW.exists() else []


def report(rows):
    """Geometric means of the ratio to the same searches that borrow nothing, tables drawn again."""
    found = defaultdict(dict)
    for row in rows:
        seconds = 2 * row["took"] if row["hit"] is None else row["hit"]
        found[row["learner"], row["table"], row["seed"]][row["most"]] = np.log(seconds)
    lines = ["| kind | pairs | " + " | ".join(f"up to {most}" for most in MOST[1:]) + " |"]
    lines.append("|---|---|" + "---|" * (len(MOST) - 1))
    rng = np.random.default_rng(tables.SEED)
    for of in (*NAMES, "all"):
        whole = {
            key: one
            for key, one in found.items()
            if of in (key[0], "all") and len(one) == len(MOST)
        }
        if not whole:
            continue
        cells = []
        for most in MOST[1:]:
            by_table = defaultdict(list)
            for (learner, table, _), one in whole.items():
                by_table[learner, table].append(one[most] - one[0])
            logs = np.array([np.mean(values) for values in by_table.values()])
            mean, low, high = np.exp(tables.interval(logs, rng))
            cells.append(f"{mean:.2f} [{low:.2f}, {high:.2f}]")
        lines.append(f"| {of} | {len(whole)} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
