"""Whether ending early saves more in a longer search, and what perfect stopping would save there.

    python -m benchmarks.fidelity.longer --data PATH    # 20 CPU minutes; writes ../results/longer.md

Eleven networks of LCBench on which rules were chosen, five seeds: `auto` with the steps of 50 full
evaluations, and 200 full evaluations.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "results" / "longer.md"
RAW = HERE / "results-longer.jsonl"
TASKS = (126026, 189862, 7593, 168331, 126025, 146212, 167104, 168868, 189873, 34539, 189906)
PROBLEMS = tuple(f"yahpo:lcbench/{task}/val_accuracy" for task in TASKS)
SEEDS, TRIALS, BUDGET = 5, 200, 50
COSTS = (6, 12, 25, 50)
SEARCHES = (25, 50, 100, 200)
PART = 13  # of a full evaluation: where `auto` judges first
DRAWS = 10_000


def done(problem, seed):
    """One seed on one problem: the course of `auto`, and all that full evaluations came to."""
    from benchmarks.fidelity.oracle import searched
    from benchmarks.fidelity.run import one
    from benchmarks.fidelity.tuners import TUNERS

    most = problem.fidelity.most
    part = one(TUNERS["assay-auto"], problem, seed, BUDGET)
    configs, _, _ = searched(problem, None, seed, TRIALS * most)
    ends = [problem.loss_at(config, most) for config in configs]
    return {"most": most, "auto": part["course"], "complete": part["complete"],
            "trials": part["evaluations"], "full": ends}  # fmt: skip


def reached(run, cost):
    """The best complete loss of `auto` for the steps of so many full evaluations; inf: none is complete."""
    losses = [loss for steps, loss in run["auto"] if steps <= cost * run["most"]]
    return losses[-1] if losses else np.inf


def worth(courses, loss):
    """How many full evaluations have a median as good; a half where nothing is complete."""
    if np.isinf(loss):
        return 0.5
    return int(np.argmax(np.append(np.median(courses, axis=0) <= loss, True))) + 1


def perfect(ends, most):
    """The cost of a search, as a share, if no trial went on that will not be a new best."""
    bests = int((np.diff(np.minimum.accumulate(ends)) < 0).sum()) + 1
    first = (most // PART) / most
    return (bests + (len(ends) - bests) * first) / len(ends)


def told(ends):
    """The share of a search after which its best was found."""
    return (int(np.argmin(ends)) + 1) / len(ends)


def between(values):
    """Geometric mean and a 95 % interval by drawing again."""
    logs = np.log(values)
    draws = np.random.default_rng(0).choice(logs, (DRAWS, len(logs))).mean(axis=1)
    low, high = np.exp(np.quantile(draws, [0.025, 0.975]))
    return f"{np.exp(logs.mean()):.2f} [{low:.2f}, {high:.2f}]"


def page(runs):
    """Both tables in words."""
    courses = {
        name: np.minimum.accumulate([run["full"] for (n, _), run in runs.items() if n == name], 1)
        for name in {name for name, _ in runs}
    }
    ratios = [
        f"| {cost} | {len(runs)} | "
        + between([worth(courses[n], reached(run, cost)) / cost for (n, _), run in runs.items()])
        + " |"
        for cost in COSTS
    ]
    bounds = []
    for trials in SEARCHES:
        most = next(iter(runs.values()))["most"]
        searches = [run["full"][:trials] for run in runs.values()]
        shares = np.array([(perfect(ends, most), told(ends)) for ends in searches])
        bounds.append(
            f"| {trials} | {np.mean([np.count_nonzero(np.diff(np.minimum.accumulate(e))) + 1 for e in searches]):.0f} "
            f"| {shares[:, 0].mean():.2f} | {between(shares[:, 1] / shares[:, 0])} |"
        )
    trials, complete = (
        np.mean([run[key] for run in runs.values()]) for key in ("trials", "complete")
    )
    return "\n".join([
        "# Ending early in longer searches", "",
        (f"Eleven networks of LCBench on which rules were chosen, {SEEDS} seeds each. *Worth*: the number of full "
         "evaluations whose median has the best complete loss that `auto` has for the steps of so many full evaluations, "
         f"over that number (geometric mean of the runs, 95 % interval by drawing them again; at most {TRIALS + 1}). "
         f"4 would be a quarter of the cost. `auto` began {trials:.0f} trials and completed {complete:.0f} for the steps "
         f"of {BUDGET}. Written by `python -m benchmarks.fidelity.longer`."), "",
        "| steps of so many full evaluations | runs | worth, times as many |", "|---|---|---|", *ratios, "",
        ("Perfect stopping: the searches in full, if at a 13th of each trial it were known whether it will be a new best, "
         "and no other went on. *Saves*: how many times cheaper that is than the full evaluations up to the best one."), "",
        "| full evaluations | new bests | cost as a share | saves, times |", "|---|---|---|---|", *bounds, "",
    ])  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data")
    parser.add_argument("--problems", nargs="*", default=PROBLEMS)
    given = parser.parse_args()
    if given.data:
        os.environ["SEARCH_DATA"] = given.data
    from benchmarks.fidelity.run import problem_of

    lines = RAW.read_text().splitlines() if RAW.exists() else []
    known = {(r["problem"], r["seed"]): r for r in map(json.loads, lines)}
    for seed in range(SEEDS):
        for name in given.problems:
            if (name, seed) not in known:
                known[name, seed] = {"problem": name, "seed": seed, **done(problem_of(name), seed)}
                with RAW.open("a") as out:
                    out.write(json.dumps(known[name, seed]) + "\n")
                print(name, seed, flush=True)
    OUT.write_text(page(known))


if __name__ == "__main__":
    main()
