"""Run tuners on problems with a fidelity; resumable: a run that is there is not done again.

python -m benchmarks.fidelity.run assay-auto optuna-hyperband --seeds 10 --full 12 --data PATH
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROBLEMS = (
    "yahpo:lcbench/167152/val_accuracy",
    "yahpo:rbv2_xgboost/1468/logloss",
    "yahpo:lcbench/167168/val_accuracy",
    "training:mlp-digits",
    "training:lightgbm-randhie",
    "training:sgd-segments",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tuners", nargs="+")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--full", type=float, default=12, help="Budget in full evaluations.")
    parser.add_argument("--data")
    parser.add_argument("--problems", nargs="*", default=PROBLEMS)
    given = parser.parse_args()
    if given.data:
        os.environ["SEARCH_DATA"] = given.data

    if set(given.tuners) & {"dehb", "smac"}:  # where they are installed, Assay may not be
        from benchmarks.fidelity.peers import dehb, smac

        TUNERS = {"dehb": dehb, "smac": smac}
    else:
        from benchmarks.fidelity.tuners import TUNERS

    for seed in range(given.seeds):
        for tuner in given.tuners:
            file = HERE / "results" / f"{tuner}.jsonl"
            lines = file.read_text().splitlines() if file.exists() else []
            known = {(r["problem"], r["seed"]) for r in map(json.loads, lines)}
            for name in given.problems:
                problem = problem_of(name)
                if (name, seed) not in known and suits(tuner, problem):
                    row = one(TUNERS[tuner], problem, seed, given.full)
                    with file.open("a") as out:
                        out.write(json.dumps({"problem": name, "seed": seed, **row}) + "\n")
                    print(tuner, name, seed, row["best"], row["cpu_s"], flush=True)


def problem_of(name):
    """A surrogate's curves, or trainings made on the spot."""
    if name.startswith("training:"):
        from benchmarks.fidelity.trainings import Training

        return Training(name)
    from benchmarks.fidelity.curves import Curve

    return Curve(name)


def suits(tuner, problem):
    """Whether a tuner can do a problem: without values on the way nothing is thawed."""
    return problem.fidelity.goes_on or tuner != "assay-thaw"


def one(run, problem, seed, full):
    """One run: the steps at which the best complete evaluation got better, and its loss."""
    most, start = problem.fidelity.most, time.process_time()
    found = run(problem, seed, round(full * most))
    took = time.process_time() - start
    course, best = [], None
    for spent, loss, step in found:
        if step == most and (best is None or loss < best):
            best = loss
            course.append([spent, loss])
    return {
        "most": most, "steps": found[-1][0], "evaluations": len(found),
        "complete": sum(step == most for _, _, step in found),
        "best": best, "course": course, "cpu_s": round(took, 2),
    }  # fmt: skip


if __name__ == "__main__":
    main()
