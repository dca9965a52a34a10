"""Several objectives under a scheduler: the volume that a front dominates, for so many steps.

    SEARCH_DATA=PATH python -m benchmarks.fidelity.several --seeds 6   # minutes; resumable
    python -m benchmarks.fidelity.several                              # the page alone

Validation accuracy and the logarithm of the training time of networks (YAHPO Gym, LCBench), 52 epochs;
log loss and the same time of boosted trees on 1 to 27 of 27 parts of the rows; trees fold by fold
(`folds.py`). The volume is below the upper decile of each loss among 500 random configs in full, above their least, as
a share of all there is. Only complete trials count. Writes ../results/several.md.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import cache
from pathlib import Path

import numpy as np

import assay
from assay.math.pareto import hypervolume
from benchmarks.search.params import sample
from benchmarks.search.tuners import _ours

HERE = Path(__file__).resolve().parent
RAW = HERE / "results-several.jsonl"
OUT = HERE.parent / "results" / "several.md"
PROBLEMS = ("yahpo:lcbench/167152/val_accuracy+time", "yahpo:lcbench/167168/val_accuracy+time")
SUBSETS = (
    "yahpo:rbv2_xgboost/1468/logloss+timetrain", "yahpo:rbv2_xgboost/1510/logloss+timetrain",
)  # fmt: skip
FOLDS = ("folds:breast_cancer", "folds:digits")
BUDGET, LONG = 20, 60
STEP_1 = {"name": "asha-stopping"}
PROMOTING = {"name": "asha", "parts": 13}
ARMS = {
    "full": ("auto", None, LONG),
    "auto": ("auto", "auto", BUDGET),
    "asha from a 13th": ("auto", PROMOTING, BUDGET),
    "asha-stopping from step 1": ("auto", STEP_1, BUDGET),
    "full, random configs": ("random", None, LONG),
    "auto, random configs": ("random", "auto", BUDGET),
    "asha from a 13th, random configs": ("random", PROMOTING, BUDGET),
    "asha-stopping from step 1, random configs": ("random", STEP_1, BUDGET),
}
SUBSET_ARMS = {
    **{name: ARMS[name] for name in ("full", "full, random configs")},
    "asha": ("auto", "asha", BUDGET),
    "asha, random configs": ("random", "asha", BUDGET),
}
FOLD_ARMS = {
    **{name: ARMS[name] for name in ("full", "full, random configs")},
    "asha-stopping": ("auto", "asha-stopping", BUDGET),
    "racing": ("auto", "racing", BUDGET),
    "asha-stopping, random configs": ("random", "asha-stopping", BUDGET),
    "racing, random configs": ("random", "racing", BUDGET),
}
KINDS = ((PROBLEMS, ARMS), (SUBSETS, SUBSET_ARMS), (FOLDS, FOLD_ARMS))


@cache
def loaded(name):
    """A problem; its losses are kept from one run to the next."""
    from benchmarks.fidelity.curves import Curve
    from benchmarks.fidelity.folds import Folds

    return Folds(name) if name.startswith("folds:") else Curve(name)


@cache
def frame(name):
    """The least and the upper decile of each loss of random configs."""
    problem, rng = loaded(name), np.random.default_rng(0)
    count = 200 if name in FOLDS else 500
    losses = np.array(problem.many([sample(problem.space, rng) for _ in range(count)]))
    return losses.min(axis=0), np.quantile(losses, 0.9, axis=0)


def course(problem, seed, sampler, scheduler, full):
    """(steps spent, volume) at each complete trial, and how many trials there were."""
    space = assay.Space({p.name: _ours(p) for p in problem.space}, fidelity=problem.fidelity)
    names = {"error": "minimize", "seconds": "minimize"}
    study = assay.Study(space, direction=names, seed=seed, sampler=sampler, scheduler=scheduler)
    low, high = frame(problem.name)
    most, kind = problem.fidelity.most, problem.fidelity.kind
    spent, front, found, numbers = 0, [], [], set()
    while spent < full * most:
        trial = study.ask()
        numbers.add(trial.number)
        losses = problem.losses_until(trial.config, trial.to_step)
        for step in range(trial.from_step + 1, trial.to_step + 1):
            spent += 1
            if scheduler is not None and kind != "subset":
                trial.report(step, dict(zip(names, losses[step - 1], strict=True)))
                if trial.should_stop():
                    break
        else:
            value = np.mean(losses, axis=0).tolist() if kind == "folds" else losses[-1]
            study.tell(trial, value)
            if step == most and spent <= full * most:
                front.append((np.array(value) - low) / (high - low))
                found.append((spent / most, hypervolume(front, [1.0, 1.0])))
    return found, len(numbers)


def run(seeds):
    rows = [json.loads(line) for line in RAW.read_text().splitlines()] if RAW.exists() else []
    known = {(r["problem"], r["arm"], r["seed"]) for r in rows}
    for seed in range(seeds):
        wanted = [(name, arm, arms[arm]) for names, arms in KINDS for name in names for arm in arms]
        for name, arm, (sampler, scheduler, full) in wanted:
            if (name, arm, seed) not in known:
                start = time.process_time()
                found, trials = course(loaded(name), seed, sampler, scheduler, full)
                row = {
                    "problem": name, "arm": arm, "seed": seed, "trials": trials,
                    "course": [[round(at, 3), round(volume, 5)] for at, volume in found],
                    "cpu_s": round(time.process_time() - start, 2),
                }  # fmt: skip
                with RAW.open("a") as out:
                    out.write(json.dumps(row) + "\n")
                print(name, arm, seed, trials, found[-1:], row["cpu_s"], flush=True)


def at(row, full):
    """The volume after the steps of so many full evaluations."""
    return max([volume for spent, volume in row["course"] if spent <= full], default=0.0)


def sooner(row, goal):
    """The full evaluations' worth of steps after which a volume is there; None: not within the budget."""
    return next(
        (spent for spent, volume in row["course"] if volume >= goal and spent <= BUDGET), None
    )


HEAD = (
    "| problem | scheduler | pairs | trials | full's volume | difference | w-t-l | steps to that of 20 | of 10 | worth |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def page():
    rows = [json.loads(line) for line in RAW.read_text().splitlines()]
    by = {(r["problem"], r["arm"], r["seed"]): r for r in rows}
    rng = np.random.default_rng(0)
    return "\n".join([
        "# Several objectives, evaluated in part", "",
        ("Validation accuracy and the logarithm of the training time of networks (YAHPO Gym, LCBench), 52 epochs; complete "
         "trials alone count. The volume is below the upper decile of each loss among 500 random configs in full, above "
         "their least, as a share of that box; a search can do better than their least. The first rung of `auto`, a 13th, "
         "and its eta of 2 were chosen among seven variants on two other tasks (126026 and 7593, 3 seeds, random "
         "configs, 2 with the model); nothing was chosen on those below. One trial at a time. Written by "
         "`python -m benchmarks.fidelity.several`."), "",
        (f"Against full evaluations with the same sampler, by seed; 95 % "
         f"intervals by drawing pairs again. *Volume*: after the steps of {BUDGET} full evaluations, theirs and the mean "
         f"difference. *Steps*: after how many full evaluations' worth of steps the volume was there that full evaluations "
         f"have after {BUDGET} and after 10; median, where it was not there within {BUDGET} counted as more. *Worth*: after how "
         f"many full evaluations the same seed had the volume of these {BUDGET}; median, {LONG} the most that can be seen."),
        "", *HEAD, *_rows(by, PROBLEMS, ARMS, rng), "",
        "## Subsets and folds", "",
        ("Log loss and the logarithm of the training time of boosted trees (YAHPO Gym, rbv2_xgboost), 1 to 27 of 27 parts of "
         "the rows, each a training anew. Squared error of the chances and the logarithm of the leaves of trees, 10 folds of "
         "real tables, one after the other (the box is that of 200 random configs). Until these were seen, `auto` was "
         "`asha` and `asha-stopping` there."), "",
        *HEAD, *_rows(by, SUBSETS, SUBSET_ARMS, rng), *_rows(by, FOLDS, FOLD_ARMS, rng), "",
    ])  # fmt: skip


def _rows(by, problems, arms, rng):
    """Each arm but the full ones on each problem, and on both."""
    return [
        _row(by, problems, name, arm, rng)
        for name in (*problems, "both") for arm in arms if not arm.startswith("full")
    ]  # fmt: skip


def _row(by, problems, name, arm, rng):
    basis = "full, random configs" if "random" in arm else "full"
    pairs = [
        (by[p, basis, s], row) for (p, a, s), row in by.items()
        if a == arm and p in problems and name in (p, "both") and (p, basis, s) in by
    ]  # fmt: skip
    theirs = np.array([at(full, BUDGET) for full, _ in pairs])
    gains = np.array([at(row, BUDGET) for _, row in pairs]) - theirs
    low, high = np.quantile(rng.choice(gains, (10_000, len(gains))).mean(axis=1), [0.025, 0.975])
    counts = "-".join(str(int((np.sign(gains) == x).sum())) for x in (1, 0, -1))
    cells = []
    for goal in (BUDGET, 10):
        found = [sooner(row, at(full, goal)) for full, row in pairs]
        middle = np.median([np.inf if f is None else f for f in found])
        cells.append(f"{middle:.1f}" if np.isfinite(middle) else f"> {BUDGET}")
    worth = [
        next((n for n in range(1, LONG) if at(full, n) >= at(row, BUDGET)), LONG)
        for full, row in pairs
    ]
    return (
        f"| {name.removeprefix('yahpo:')} | {arm} | {len(pairs)} | {np.median([r['trials'] for _, r in pairs]):.0f} | "
        f"{theirs.mean():.3f} | {gains.mean():+.3f} [{low:+.3f}, {high:+.3f}] | {counts} | {cells[0]} | {cells[1]} | "
        f"{np.median(worth):.0f} |"
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=0)
    run(parser.parse_args().seeds)
    OUT.write_text(page())


if __name__ == "__main__":
    main()
