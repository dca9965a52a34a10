"""What limits ending early: how well steps on the way tell, and what perfect decisions would reach.

    python -m benchmarks.fidelity.oracle --data PATH      # half an hour; writes ../results/oracle.md

On each problem a search in full makes 50 configs; then all curves of these configs are looked at, with
what no tuner has: their end. Steps are given as parts of a full evaluation.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np

import assay
from benchmarks.fidelity.run import PROBLEMS, problem_of

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "results" / "oracle.md"
RAW = HERE / "results-oracle.jsonl"
DEVELOPMENT = tuple(f"yahpo:lcbench/{n}/val_accuracy" for n in (126026, 189862, 7593, 168331))
TREES = tuple(f"yahpo:rbv2_xgboost/{n}/logloss" for n in (1053, 1462, 16))
CONFIRMING = (
    "yahpo:lcbench/167152/val_accuracy",
    "yahpo:lcbench/167168/val_accuracy",
    "yahpo:rbv2_xgboost/1468/logloss",
)
TRAININGS = tuple(name for name in PROBLEMS if name.startswith("training:"))
TRIALS, BUDGET, SEEDS, STARTS = 50, 12, 4, 10
PARTS = (13, 7, 3, 2)


def searched(problem, scheduler, seed, steps):
    """The configs of a search in order, the steps that each got, and the best complete loss."""
    from benchmarks.search.tuners import _ours

    space = assay.Space({p.name: _ours(p) for p in problem.space}, fidelity=problem.fidelity)
    study = assay.Study(space, seed=seed, scheduler=scheduler)
    whole, most, spent, best = problem.fidelity.goes_on, problem.fidelity.most, 0, np.inf
    configs, got = {}, {}
    while spent < steps:
        trial = study.ask()
        losses = problem.losses_until(trial.config, trial.to_step)
        configs[trial.number] = dict(trial.config)
        first, step = trial.from_step if whole else 0, trial.to_step
        if scheduler is None or not whole:
            study.tell(trial, losses[-1])
        else:
            for step in range(first + 1, trial.to_step + 1):
                trial.report(step, losses[step - 1])
                if trial.should_stop():
                    break
            else:
                study.tell(trial, losses[-1])
        spent += step - first
        got[trial.number] = step
        if step == most and spent <= steps:
            best = min(best, losses[step - 1])
    return list(configs.values()), list(got.values()), best


def spearman(a, b):
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def halved(curves, first, whole):
    """Successive halving of all configs at once by thirds: (cost in full evaluations, the loss reached)."""
    most = curves.shape[1]
    steps = sorted({*(round(first * 3**k) for k in range(9) if first * 3**k < most / 1.5), most})
    left, before, cost = np.arange(len(curves)), 0, 0
    for step in steps:
        cost += len(left) * (step - before if whole else step)
        before = step
        order = left[np.argsort(curves[left, step - 1], kind="stable")]
        left = order[: max(1, -(-len(order) // 3))]
    return cost / most, float(curves[left[0], -1])


def new_bests(ends):
    """How many of the trials were better than all before them."""
    return int((np.diff(np.r_[np.inf, np.minimum.accumulate(ends)]) < 0).sum())


def looked_at(problem, seed):
    """All that is known of one seed on one problem."""
    from benchmarks.search.params import sample

    most, whole = problem.fidelity.most, problem.fidelity.goes_on
    configs, _, _ = searched(problem, None, seed, TRIALS * most)
    curves = np.array([problem.losses_until(config, most) for config in configs])
    ends = curves[:, -1]
    rng = np.random.default_rng(seed)
    random = np.array([problem.losses_until(sample(problem.space, rng), most) for _ in range(60)])
    best = np.minimum.accumulate(ends)
    bests = new_bests(ends)
    first = max(most // 13, 1)
    steps = [max(most // part, 1) for part in PARTS]
    top = np.argsort(ends, kind="stable")[:15]
    proposed, got, reached = searched(problem, "auto", seed, BUDGET * most)
    again = 0 if whole else first  # what has to be trained anew
    return {
        "course": best.tolist(),
        "random": [spearman(random[:, s - 1], random[:, -1]) for s in steps],
        "proposed": [spearman(curves[STARTS:, s - 1], ends[STARTS:]) for s in steps],
        "top": [spearman(curves[top, s - 1], ends[top]) for s in steps],
        "place": [int((curves[:, s - 1] < curves[ends.argmin(), s - 1]).sum()) + 1 for s in steps],
        "bests": bests,
        "perfect": (bests * (most + again) + (TRIALS - bests) * first) / most,
        "halved": halved(curves, first, whole),
        "auto": {
            "best": reached, "trials": len(got), "complete": sum(step == most for step in got),
            "best of all": min(problem.losses_until(config, most)[-1] for config in proposed),
        },
    }  # fmt: skip


def worth(courses, loss):
    """The first number of full evaluations whose median is as good; None if that of none is."""
    reached = np.flatnonzero(np.median(courses, axis=0) <= loss)
    return int(reached[0]) + 1 if len(reached) else None


def _worth(courses, losses):
    found = worth(courses, np.median(losses))
    return f"{found}" if found else f"> {TRIALS}"


def row(name, found):
    """One problem as a line of each table."""
    courses = np.array([one["course"] for one in found])

    def means(key):
        return " / ".join(
            f"{np.mean([one[key][k] for one in found]):.2f}" for k in range(len(PARTS))
        )

    places = " / ".join(
        f"{np.median([one['place'][k] for one in found]):.0f}" for k in range(len(PARTS))
    )
    short = name.split(":")[1].rsplit("/", 1)[0]
    tells = f"| {short} | {means('random')} | {means('proposed')} | {means('top')} | {places} |"
    auto = [one["auto"] for one in found]
    reaches = (
        f"| {short} | {np.mean([one['bests'] for one in found]):.0f} "
        f"| {np.mean([one['perfect'] for one in found]):.1f} "
        f"| {_worth(courses, [one['halved'][1] for one in found])} for {np.mean([one['halved'][0] for one in found]):.1f} "
        f"| {np.mean([a['trials'] for a in auto]):.0f}, {np.mean([a['complete'] for a in auto]):.0f} "
        f"| {_worth(courses, [a['best'] for a in auto])} | {_worth(courses, [a['best of all'] for a in auto])} |"
    )
    return tells, reaches


def page(rows):
    """Both tables in words."""
    parts = " / ".join(f"1/{part}" for part in PARTS)
    return "\n".join([
        "# What limits ending early", "",
        (f"Searches of {TRIALS} full evaluations, {SEEDS} seeds a problem; `{parts}` of a full evaluation. Rank "
         "correlation of the loss there with that in full, among 60 random configs, among those that the search "
         "proposed after its first ten, and among its best 15; and the place that the config that is best of all 50 in "
         "the end has at that step (median over seeds). Written by `python -m benchmarks.fidelity.oracle`."), "",
        "| problem | random | proposed | best 15 | place of the best |", "|---|---|---|---|---|",
        *(tells for tells, _ in rows), "",
        ("What perfect knowledge would reach. *New bests*: how many of the 50 were better than all before them. *Perfect "
         "stopping*: the cost, in full evaluations, of the same 50 configs if at 1/13 it were known of each whether it "
         "will be a new best, and no other went on; 12.5 would be a quarter. *Halving*: all 50 at once, from 1/13 on, the "
         "best third goes on: what it finds is worth so many full evaluations, for the cost given. Such a search cannot "
         "be had: full evaluations made its configs. *auto*: trials and complete ones for 12 full evaluations' worth of "
         "steps; what its best complete trial is worth; and what the best of all its configs would be worth if each were "
         "complete."), "",
        "| problem | new bests | perfect stopping | halving, worth | auto: trials, complete | worth | best of all its configs |",
        "|---|---|---|---|---|---|---|",
        *(reaches for _, reaches in rows), "",
    ])  # fmt: skip


def arguments(words, problems):
    """What the command line says."""
    parser = argparse.ArgumentParser(description=words.splitlines()[0])
    parser.add_argument("--data")
    parser.add_argument("--problems", nargs="*", default=problems)
    given = parser.parse_args()
    if given.data:
        os.environ["SEARCH_DATA"] = given.data
    return given


def kept(raw, problems, seeds, made):
    """By problem and seed what `made` says of them, from the file `raw`, or made now and added to it."""
    lines = raw.read_text().splitlines() if raw.exists() else []
    known = {(r["problem"], r["seed"]): r for r in map(json.loads, lines)}
    for seed in range(seeds):
        for name in problems:
            if (name, seed) not in known:
                row = {"problem": name, "seed": seed, **made(problem_of(name), seed)}
                known[name, seed] = row
                with raw.open("a") as out:
                    out.write(json.dumps(row) + "\n")
                print(name, seed, flush=True)
    return known


def main():
    given = arguments(__doc__, (*DEVELOPMENT, *TREES, *CONFIRMING, *TRAININGS))
    known = kept(RAW, given.problems, SEEDS, looked_at)
    rows = [row(n, [known[n, s] for s in range(SEEDS)]) for n in given.problems]
    OUT.write_text(page(rows))


if __name__ == "__main__":
    main()
