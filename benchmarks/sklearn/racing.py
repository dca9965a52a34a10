"""CPU seconds of `SearchCV(scheduler="racing")` beside those without it, in turn on the same tasks and folds.

    python -m benchmarks.sklearn.racing       # three minutes; goes on where it stopped, then prints the table

60 candidates, no evidence. Rows: results/racing.jsonl.
"""

from __future__ import annotations

import json
import time
import warnings
from collections import defaultdict

import numpy as np

from assay.sklearn import SearchCV
from benchmarks.sklearn.clock import sealed
from benchmarks.sklearn.run import RESULTS, TRIALS
from benchmarks.sklearn.tasks import TASKS
from benchmarks.sklearn.tuners import _ours

NAMES, SEEDS = ("diabetes", "bananas", "breast_cancer", "friedman"), (0, 1, 2)
RAW = RESULTS / "racing.jsonl"


def one(task, seed, scheduler):
    """CPU seconds of a search, its fold fits, and its winner's score on rows that it did not see."""
    X, _, y, _ = task.rows(seed)
    began = time.process_time()
    search = SearchCV(
        task.model(), {n: _ours(r) for n, r in task.space.items()}, n_trials=TRIALS,
        scoring=task.scoring, cv=task.splitter(seed), random_state=seed, refit=False,
        evidence=None, scheduler=scheduler,
    ).fit(X, y)  # fmt: skip
    took = time.process_time() - began
    folds = [k for k in search.cv_results_ if k.startswith("split") and k.endswith("_test_score")]
    fits = sum(int(np.isfinite(np.asarray(search.cv_results_[k], float)).sum()) for k in folds)
    score = round(sealed(task, seed, search.best_params_), 6)
    return {"cpu_s": round(took, 2), "fits": fits, "sealed": score}


def main():
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    tasks = {task.name: task for task in TASKS}
    known = RAW.read_text().splitlines() if RAW.exists() else []
    done = {(r["task"], r["seed"], r["scheduler"]) for r in map(json.loads, known)}
    for scheduler in (None, "racing"):  # imports come before the clock
        one(tasks[NAMES[0]], 99, scheduler)
    for seed in SEEDS:
        for name in NAMES:
            for scheduler in (None, "racing")[:: -1 if seed % 2 else 1]:
                if (name, seed, scheduler) not in done:
                    row = {"task": name, "seed": seed, "scheduler": scheduler}
                    with RAW.open("a") as out:
                        out.write(json.dumps(row | one(tasks[name], seed, scheduler)) + "\n")
    print(table([json.loads(line) for line in RAW.read_text().splitlines()]))


def table(rows):
    """Medians over seeds, and of the ratios of pairs."""
    found = defaultdict(dict)
    for row in rows:
        found[row["task"], row["seed"]][row["scheduler"]] = row
    lines = ["| task | CPU s without | with racing | ratio, each seed | fits saved | sealed score, difference |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for name in NAMES:
        pairs = [pair for seed in SEEDS if len(pair := found[name, seed]) == 2]
        plain, raced = ([pair[s] for pair in pairs] for s in (None, "racing"))
        ratios = ", ".join(
            f"{b['cpu_s'] / a['cpu_s']:.2f}" for a, b in zip(plain, raced, strict=True)
        )
        saved = np.median([1 - b["fits"] / a["fits"] for a, b in zip(plain, raced, strict=True)])
        lost = [b["sealed"] - a["sealed"] for a, b in zip(plain, raced, strict=True)]
        cells = [f"{np.median([r['cpu_s'] for r in rows]):.1f}" for rows in (plain, raced)]
        shown = ", ".join(f"{x:+.4f}" for x in lost)
        lines.append(f"| {name} | {' | '.join(cells)} | {ratios} | {100 * saved:.0f} % | {shown} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
