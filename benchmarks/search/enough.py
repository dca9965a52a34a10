"""How often going on brings more than `enough` said, and guards that hold where they were not chosen.

    SEARCH_DATA=PATH python -m benchmarks.search.enough --seeds 2   # minutes; resumable
    python -m benchmarks.search.enough                              # the page alone

Searches of surrogates by `auto`, 100 trials. After 20, 30, 40 and 50 of them, where `enough` would speak (5
+ 3 d trials, 90 % intervals that cover 80 % of the trials), it is asked for the least tolerance with which it
would end: the quantile 0.95 of its regrets. That is held against what as many trials again brought. Guards
are chosen on the problems of FIRST, and the chosen one is looked up on those of SECOND. Writes
benchmarks/results/enough.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import assay
from assay.analysis.going_on import going_on
from assay.samplers.enough import COVERED, Enough
from assay.samplers.random import Random

HERE = Path(__file__).parent
OUT = HERE.parent / "results" / "enough.md"
RAW = HERE.parent / "results" / "enough.jsonl"
TRIALS, TIMES = 100, (20, 30, 40, 50)


def _surrogates(*names):
    return tuple(f"yahpo:{name}" for name in names)


FIRST = _surrogates(
    "lcbench/167168/val_accuracy", "lcbench/189873/val_cross_entropy", "lcbench/126026/val_accuracy",
    "lcbench/34539/val_cross_entropy", "rbv2_svm_pre/1468/mmce", "rbv2_svm_pre/1462/logloss",
    "rbv2_xgboost/12/acc", "rbv2_xgboost/40981/logloss",
)  # fmt: skip
SECOND = _surrogates(
    "lcbench/3945/val_cross_entropy", "lcbench/168331/val_accuracy", "lcbench/7593/val_accuracy",
    "lcbench/189906/val_cross_entropy", "rbv2_svm_pre/12/mmce", "rbv2_svm_pre/40499/logloss",
    "rbv2_xgboost/1501/logloss", "rbv2_xgboost/16/acc",
)  # fmt: skip


def asked(name, seed):
    """What was said at each time, and what came."""
    from benchmarks.search.problems import load
    from benchmarks.search.tuners import _ours

    problem, rule = load(name), Enough(Random(), 1.0)
    space = assay.Space({p.name: _ours(p) for p in problem.space})
    study, losses, said = assay.Study(space, seed=seed), [], {}
    for number in range(1, TRIALS + 1):
        trial = study.ask()
        losses.append(problem.losses(trial.config)[0])
        study.tell(trial, losses[-1])
        if number in TIMES and (seen := rule.outlook(space, study.history)) is not None:
            found = going_on(losses)
            said[number] = {
                "q95": float(np.quantile(seen.regrets, 0.95, method="higher")),
                "q50": float(np.median(seen.regrets)),
                "covered": round(seen.covered, 3),
                "record": found.most if found else 0.0,
            }
    best = np.minimum.accumulate(losses)
    return [
        {"problem": name, "seed": seed, "trials": n, **what, "gain": float(best[n - 1] - best[2 * n - 1]),
         "range": float(np.quantile(losses[:20], 0.75) - best[-1])}
        for n, what in said.items()
    ]  # fmt: skip


def run(seeds):
    rows = [json.loads(line) for line in RAW.read_text().splitlines()] if RAW.exists() else []
    known = {(row["problem"], row["seed"]) for row in rows}
    for seed in range(seeds):
        for name in [one for pair in zip(FIRST, SECOND, strict=True) for one in pair]:
            if (name, seed) not in known:
                new = asked(name, seed)
                with RAW.open("a") as out:
                    out.writelines(json.dumps(row) + "\n" for row in new)
                print(name, seed, len(new), flush=True)


FACTORS = (1, 2, 4, 8, 16, 32)
RULES = {
    "the process": lambda row: row["q95"],
    "the record": lambda row: row["record"],
    "both": lambda row: max(row["q95"], row["record"]),
}
ALLOWED = 0.1
TOLERANCES = (0.02, 0.05, 0.1)


def passed(rows, problems, rule, factor):
    """The share of forecasts that were passed, and an interval by drawing problems again."""
    found = {}
    for row in rows:
        if row["problem"] in problems:
            found.setdefault(row["problem"], []).append(row["gain"] > factor * RULES[rule](row))
    means = [np.mean(found[name]) for name in found]
    drawn = np.random.default_rng(0).choice(means, (10_000, len(means))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    share = np.mean([wrong for one in found.values() for wrong in one])
    return share, f"{100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def ended(rows, problems, tolerance, rule, factor):
    """With a tolerance in units of what the search ranged over: where it would end, and where it is wrong."""
    mine = [row for row in rows if row["problem"] in problems and row["range"] > 0]
    there = [r for r in mine if factor * RULES[rule](r) <= tolerance * r["range"]]
    wrong = sum(row["gain"] > tolerance * row["range"] for row in there)
    return f"{len(there)} of {len(mine)}, {wrong} wrong"


def page():
    rows = [json.loads(line) for line in RAW.read_text().splitlines()]
    rows = [row for row in rows if row["covered"] >= COVERED]
    halves = [{p for p in half if any(r["problem"] == p for r in rows)} for half in (FIRST, SECOND)]
    counts = [sum(row["problem"] in half for row in rows) for half in halves]
    chosen = next(f for f in FACTORS if passed(rows, halves[0], "both", f)[0] <= ALLOWED)
    lines = [
        "# What is enough", "",
        (f"`auto` on {len(halves[0])} and {len(halves[1])} surrogates, {counts[0]} and {counts[1]} forecasts after 20, 30, 40 and 50 trials, where "
         "`enough` would speak. *The process*: the least tolerance with which it would end there, the 0.95 quantile of its "
         "regrets. *The record*: what the halvings of the search so far brought. *Both*: the larger. The share of forecasts in "
         "which as many trials again brought more than that times a factor; 95 % intervals by drawing problems again. "
         "Written by `python -m benchmarks.search.enough`."), "",
        "| factor | " + " | ".join(f"{rule}, {half} half" for half in ("first", "second") for rule in RULES) + " |",
        "|---|" + "---|" * 6,
    ]  # fmt: skip
    for factor in FACTORS:
        cells = [passed(rows, half, rule, factor)[1] for half in halves for rule in RULES]
        lines.append(f"| {factor} | " + " | ".join(cells) + " |")
    lines += [
        "", (f"Chosen on the first half: the least factor with which both are passed by at most {100 * ALLOWED:.0f} %, {chosen}. Looked up "
        f"on the second: {passed(rows, halves[1], 'both', chosen)[1]}. So 0.95 of its functions were not 95 % of the searches, and are "
        "not now: a look-up on half of the problems is not a promise for others. The first two of four seeds, on both halves, were "
        "seen before it was settled that both are asked with one factor. What is not in these problems is not covered, and forecasts of one search are not independent."), "",
        ("What that costs, both halves; a tolerance as a part of the way from the upper quartile of the first 20 trials to the best "
        "of 100; how many forecasts would end the search (probes and the look back aside), and how many of these wrongly:"), "",
        "| tolerance | process alone, first half | with the guards, first half | process alone, second half | with the guards, second half |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for tolerance in TOLERANCES:
        cells = [
            ended(rows, half, tolerance, rule, factor)
            for half in halves for rule, factor in (("the process", 1), ("both", chosen))
        ]  # fmt: skip
        lines.append(f"| {tolerance} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=0)
    run(parser.parse_args().seeds)
    OUT.write_text(page())
