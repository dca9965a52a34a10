"""Whether what a study says of going on comes true.

    python -m benchmarks.search.going_on                        # seconds, from the committed runs
    SEARCH_DATA=PATH python -m benchmarks.search.going_on --run # the model's forecasts too; minutes

At n trials it is forecast what as many again bring, and looked up in the same run whether they did.
Writes benchmarks/results/going_on.md. The factors of the rule were chosen on the problems of `results`;
those of `results-fresh` had no part in it. `--run` asks the Gaussian process of `auto enough=…` after 30
and 60 trials of searches of surrogates how much better any config may be, and goes on to twice as many.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

import numpy as np

import assay
from assay.analysis.going_on import MIDDLE, going_on

HERE = Path(__file__).parent
OUT = HERE.parent / "results" / "going_on.md"
RAW = HERE.parent / "results" / "going_on_model.jsonl"
TIMES = (20, 30, 40, 50, 100)
RUNS = (
    ("chosen on", "results", "assay-auto"),
    ("fresh", "results-fresh", "assay-auto"),
    ("fresh", "results-fresh", "optuna-tpe"),
    ("fresh", "results-fresh", "random"),
    ("the problems chosen on", "results", "assay-tpe"),
    ("the problems chosen on", "results", "assay-evolution"),
)
SEEDS, ASKED = 3, (30, 60)
PROBLEMS = tuple(
    f"yahpo:{name}"
    for name in (
        "lcbench/167168/val_accuracy", "lcbench/189873/val_cross_entropy",
        "lcbench/3945/val_cross_entropy", "lcbench/126026/val_accuracy", "rbv2_xgboost/12/acc",
        "rbv2_xgboost/1501/logloss", "rbv2_xgboost/40499/logloss", "rbv2_svm_pre/1468/mmce",
        "rbv2_svm_pre/12/mmce", "iaml_super_pre/40981/mmce", "iaml_super_pre/1489/logloss",
    )
)  # fmt: skip


def courses(folder, tuner):
    """(problem, best loss after each trial) of all runs for one objective."""
    with gzip.open(HERE / folder / f"{tuner}.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    several = ("mo:", "+")
    return [
        (row["problem"], row["best"])
        for row in rows
        if not any(sign in row["problem"] for sign in several)
    ]


def checked(runs, n):
    """By problem: for each run that the rule speaks about, (gain <= most, gain <= middle); and the silent."""
    found, silent = {}, 0
    for problem, best in runs:
        if len(best) < 2 * n:
            continue
        forecast = going_on(best[:n])
        if forecast is None:
            silent += 1
            continue
        gain = best[n - 1] - best[2 * n - 1]
        found.setdefault(problem, []).append((gain <= forecast.most, gain <= forecast.middle))
    return found, silent


def line(label, tuner, n, found, silent):
    """A row of the table; the interval is by drawing problems again."""
    means = np.array([np.mean(pairs, axis=0) for pairs in found.values()])
    rng = np.random.default_rng(0)
    drawn = means[rng.integers(len(means), size=(10_000, len(means)))].mean(axis=1)
    low, high = np.quantile(drawn[:, 0], [0.025, 0.975])
    spoken = sum(map(len, found.values()))
    most, middle = means.mean(axis=0)
    return (
        f"| {label} | {tuner} | {n} | {len(means)}, {spoken} | {silent} | {100 * most:.0f} % "
        f"[{100 * low:.0f}, {100 * high:.0f}] | {100 * middle:.0f} % | {100 * means[:, 0].min():.0f} % |"
    )


def page():
    """The tables in words."""
    lines = [
        "# What going on brings", "",
        ("At n trials, s is what the second half of them brought, or half of what the second quarter brought if that is "
         f"more. A study says that as many trials again bring no more than s in four of five searches, and about {MIDDLE} s in "
         "the middle; nothing where s is 0. Runs of `benchmarks/search`, one objective, true losses; 95 % intervals by drawing "
         "problems again. Written by `python -m benchmarks.search.going_on`."), "",
        "| problems | search | n | problems, runs | silent | gain at most s | at most 0.2 s | at most s, worst problem |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for label, folder, tuner in RUNS:
        runs = courses(folder, tuner)
        for n in TIMES:
            found, silent = checked(runs, n)
            if found:
                lines.append(line(label, tuner, n, found, silent))
    rows = [json.loads(text) for text in RAW.read_text().splitlines()]
    passed = [row["gain"] > row["high"] for row in rows if row["covered"] >= 0.8]
    names = {row["problem"] for row in rows}
    lines += ["", (
        f"The Gaussian process of `auto enough=…`, asked instead how much better any config may be: of {len(passed)} "
        f"forecasts on {len(names)} surrogates (30 and 60 trials, where 5 + 3 d had ended and its 90 % intervals held 80 % of "
        f"the trials), the gain of as many trials again lay above the upper end of its 80 % interval in {sum(passed)}, "
        f"{100 * np.mean(passed):.0f} %; 10 % would be right. So a study does not say what it believes, and a search that is "
        "ended by `enough` asks for more than that belief."
    ), ""]  # fmt: skip
    return "\n".join(lines)


def by_model(name, seed):
    """What the process forecast at each time of asking, beside the gain of twice as many trials."""
    from assay.samplers.enough import Enough
    from assay.samplers.random import Random
    from benchmarks.search.problems import load
    from benchmarks.search.tuners import _ours

    problem, rule = load(name), Enough(Random(), 1.0)
    space = assay.Space({p.name: _ours(p) for p in problem.space})
    study, losses, said = assay.Study(space, seed=seed), [], {}
    for number in range(1, 2 * ASKED[-1] + 1):
        trial = study.ask()
        losses.append(problem.losses(trial.config)[0])
        study.tell(trial, losses[-1])
        if number in ASKED and (seen := rule.outlook(space, study.history)) is not None:
            said[number] = {
                "expected": float(seen.regrets.mean()),
                "high": float(np.quantile(seen.regrets, 0.9)),
                "covered": seen.covered,
            }
    best = np.minimum.accumulate(losses)
    return [
        {"problem": name, "seed": seed, "trials": n, **forecast, "gain": float(best[n - 1] - best[2 * n - 1])}
        for n, forecast in said.items()
    ]  # fmt: skip


def run():
    """Resumable."""
    lines = RAW.read_text().splitlines() if RAW.exists() else []
    known = {(row["problem"], row["seed"]) for row in map(json.loads, lines)}
    for seed in range(SEEDS):
        for name in PROBLEMS:
            if (name, seed) not in known:
                with RAW.open("a") as out:
                    out.writelines(json.dumps(row) + "\n" for row in by_model(name, seed))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", action="store_true")
    if parser.parse_args().run:
        run()
    OUT.write_text(page())


if __name__ == "__main__":
    main()
