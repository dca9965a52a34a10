"""Whether ending early saves more in a longer search, and what perfect stopping would save there.

    python -m benchmarks.fidelity.longer --data PATH    # 20 CPU minutes; writes ../results/longer.md

Eleven networks of LCBench on which rules were chosen, five seeds: `auto` with the steps of 50 full
evaluations, and 200 full evaluations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.fidelity.oracle import PARTS, arguments, kept, new_bests, searched, worth
from benchmarks.fidelity.run import one
from benchmarks.fidelity.summary import DRAWS, _loss

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "results" / "longer.md"
RAW = HERE / "results-longer.jsonl"
TASKS = (126026, 189862, 7593, 168331, 126025, 146212, 167104, 168868, 189873, 34539, 189906)
PROBLEMS = tuple(f"yahpo:lcbench/{task}/val_accuracy" for task in TASKS)
SEEDS, TRIALS, BUDGET = 5, 200, 50
COSTS = (6, 12, 25, 50)
SEARCHES = (25, 50, 100, 200)


def searches(problem, seed):
    """One seed on one problem: what `auto` came to, and every end of the full evaluations."""
    from benchmarks.fidelity.tuners import TUNERS

    most = problem.fidelity.most
    run = one(TUNERS["assay-auto"], problem, seed, BUDGET)
    configs, _, _ = searched(problem, None, seed, TRIALS * most)
    full = [problem.loss_at(config, most) for config in configs]
    return {**{k: run[k] for k in ("most", "course", "complete", "evaluations")}, "full": full}


def times(courses, run, cost):
    """How many times as many full evaluations have a median as good; half of one if none is complete."""
    loss = _loss(run, cost)
    return (0.5 if np.isinf(loss) else worth(courses, loss) or TRIALS + 1) / cost


def perfect(ends, most):
    """The cost of a search, as a share, if no trial went on that will not be a new best."""
    bests = new_bests(ends)
    return (bests + (len(ends) - bests) * (most // PARTS[0]) / most) / len(ends)


def found_at(ends):
    """The share of a search after which its best was found."""
    return (int(np.argmin(ends)) + 1) / len(ends)


def between(values):
    """Geometric mean and a 95 % interval by drawing again."""
    logs = np.log(values)
    draws = np.random.default_rng(0).choice(logs, (DRAWS, len(logs))).mean(axis=1)
    low, high = np.exp(np.quantile(draws, [0.025, 0.975]))
    return f"{np.exp(logs.mean()):.2f} [{low:.2f}, {high:.2f}]"


def worths(runs):
    """A line of the first table for each cost."""
    courses = {
        name: np.minimum.accumulate([run["full"] for (n, _), run in runs.items() if n == name], 1)
        for name in {name for name, _ in runs}
    }
    for cost in COSTS:
        ratios = [times(courses[name], run, cost) for (name, _), run in runs.items()]
        yield f"| {cost} | {len(runs)} | {between(ratios)} |"


def bounds(runs):
    """A line of the second table for each length of a search."""
    for trials in SEARCHES:
        ends = [run["full"][:trials] for run in runs.values()]
        costs = np.array([perfect(e, r["most"]) for e, r in zip(ends, runs.values(), strict=True)])
        saves = between(np.array([found_at(e) for e in ends]) / costs)
        bests = np.mean([new_bests(e) for e in ends])
        yield f"| {trials} | {bests:.0f} | {costs.mean():.2f} | {saves} |"


def page(runs):
    """Both tables in words."""
    trials, complete = (
        np.mean([run[key] for run in runs.values()]) for key in ("evaluations", "complete")
    )
    return "\n".join([
        "# Ending early in longer searches", "",
        (f"Eleven networks of LCBench on which rules were chosen, {SEEDS} seeds each. *Worth*: the number of full "
         "evaluations whose median has the best complete loss that `auto` has for the steps of so many full evaluations, "
         f"over that number (geometric mean of the runs, 95 % interval by drawing them again; at most {TRIALS + 1}). "
         f"4 would be a quarter of the cost. `auto` began {trials:.0f} trials and completed {complete:.0f} for the steps "
         f"of {BUDGET}. Written by `python -m benchmarks.fidelity.longer`."), "",
        "| steps of so many full evaluations | runs | worth, times as many |", "|---|---|---|", *worths(runs), "",
        ("Perfect stopping: the searches in full, if at a 13th of each trial it were known whether it will be a new best, "
         "and no other went on. *Saves*: how many times cheaper that is than the full evaluations up to the best one."), "",
        "| full evaluations | new bests | cost as a share | saves, times |", "|---|---|---|---|", *bounds(runs), "",
    ])  # fmt: skip


def main():
    given = arguments(__doc__, PROBLEMS)
    OUT.write_text(page(kept(RAW, given.problems, SEEDS, searches)))


if __name__ == "__main__":
    main()
