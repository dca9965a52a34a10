"""Write `../results/sklearn.md` from the runs in `results/`.

python -m benchmarks.sklearn.summary
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "results" / "sklearn.md"
TASKS = ("digits", "breast_cancer", "wine", "diabetes", "fair", "randhie", "bananas", "friedman")
TUNERS = ("assay", "grid", "random", "halving", "optuna", "flaml")
DRAWS, SEEDS = 10_000, 7


def main():
    targets = {task: row for (task, _), row in _rows("reference").items()}
    runs = {
        name: {pair: run for pair, run in _rows(name).items() if pair[0] in targets}
        for name in TUNERS
    }
    OUT.write_text("\n".join(page(runs, targets)) + "\n")
    print(OUT)


def _rows(name):
    file = HERE / "results" / f"{name}.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return {(row["task"], row["seed"]): row for row in map(json.loads, lines)}


def pairs_of(runs, tuner):
    """(task, seed) of what both Assay and another have run."""
    return sorted(runs["assay"].keys() & runs[tuner].keys())


def reached(run, target):
    """CPU seconds until what the tuner would give had the target quality on sealed rows; None: never."""
    return next((at for at, _, sealed in run["course"] if sealed >= target), None)


def counted(run, target):
    """The same as a number: a run that never got there counts twice its whole time."""
    at = reached(run, target)
    return 2 * run["cpu_s"] if at is None else at


def page(runs, targets):
    rules = (HERE / "README.md").read_text().split("## Rules\n")[1].strip()
    yield from ("# Time to target in scikit-learn's form", "", rules, "")
    many = [len(pairs_of(runs, tuner)) for tuner in TUNERS[1:]]
    if min(many) < SEEDS * len(TASKS):
        told = ", ".join(f"{n} with {tuner}" for n, tuner in zip(many, TUNERS[1:], strict=True))
        yield (
            f"**Not complete.** Of {SEEDS * len(TASKS)} pairs for each tuner (8 tasks, {SEEDS} seeds) there are: "
            f"{told}. What follows shows no more than these can."
        )
        yield ""
    yield from times(runs, targets)
    yield from ratios(runs, targets)
    yield from answers(runs, targets)


def times(runs, targets):
    yield from ("## CPU seconds to the target", "")
    yield (
        "Geometric mean over the seeds; in brackets how many of how many runs got there at all. The "
        "fewest seconds of a task are **bold** where all tuners have the same seeds."
    )
    yield from ("", f"| task | {' | '.join(TUNERS)} |", "|---|" + "---|" * len(TUNERS))
    fewest = dict.fromkeys(TUNERS, 0)
    for task in TASKS:
        cells, means, seeds = [], {}, set()
        for tuner in TUNERS:
            mine = [run for (name, _), run in sorted(runs[tuner].items()) if name == task]
            seeds.add(frozenset(s for name, s in runs[tuner] if name == task))
            if not mine:
                cells.append("")
                continue
            target = targets[task]["target"]
            means[tuner] = float(np.exp(np.mean([np.log(counted(run, target)) for run in mine])))
            there = sum(reached(run, target) is not None for run in mine)
            cells.append(f"{means[tuner]:.2f} ({there} of {len(mine)})")
        if len(means) == len(TUNERS) and len(seeds) == 1:
            best = min(means, key=means.get)
            fewest[best] += 1
            cells[TUNERS.index(best)] = f"**{cells[TUNERS.index(best)]}**"
        yield f"| {task} | {' | '.join(cells)} |"
    yield "| tasks with the fewest | " + " | ".join(str(fewest[t]) for t in TUNERS) + " |"


def ratios(runs, targets):
    yield from ("", "## Assay's time over another's", "")
    yield (
        "Geometric mean of the ratio of paired runs, with the 95 % interval of a bootstrap over tasks "
        "and seeds. Below 1 Assay is quicker. *Wins*: pairs in which it was."
    )
    yield from ("", "| against | ratio | wins |", "|---|---|---|")
    rng = np.random.default_rng(0)
    for tuner in TUNERS[1:]:
        logs = {}
        for task, seed in pairs_of(runs, tuner):
            ours, theirs = runs["assay"][task, seed], runs[tuner][task, seed]
            target = targets[task]["target"]
            logs.setdefault(task, []).append(
                np.log(counted(ours, target) / counted(theirs, target))
            )
        if not logs:
            continue
        tasks, mean = sorted(logs), np.mean([np.mean(one) for one in logs.values()])
        drawn = [
            np.mean(
                [rng.choice(logs[t], len(logs[t])).mean() for t in rng.choice(tasks, len(tasks))]
            )
            for _ in range(DRAWS)
        ]
        low, high = np.exp(np.quantile(drawn, [0.025, 0.975]))
        every = np.concatenate(list(logs.values()))
        wins = f"{(every < 0).sum()} of {len(every)}"
        yield f"| {tuner} | {np.exp(mean):.2f} [{low:.2f}, {high:.2f}] | {wins} |"


def answers(runs, targets):
    yield from ("", "## At the end of a run", "")
    yield (
        "Score on sealed rows of what each tuner gives at the end (mean over seeds; higher is better), "
        "and the CPU seconds of its whole run. `assay` gives what its verdict recommends; its seconds "
        "hold the fits of the control and the best three on fresh splits. *Default* is the model as it "
        "comes; *target* is 90 % of the way from there to the mean of the ten best of 200 at random."
    )
    head = "| task | default | target | "
    yield from ("", f"{head}{' | '.join(TUNERS)} |", "|---|---|---|" + "---|" * len(TUNERS))
    for task in TASKS:
        cells = []
        for tuner in TUNERS:
            mine = [run for (name, _), run in runs[tuner].items() if name == task]
            scores = [run.get("answer", run["course"][-1][2]) for run in mine]
            took = [run["cpu_s"] for run in mine]
            cells.append(f"{np.mean(scores):.4f} ({np.mean(took):.1f} s)" if mine else "")
        if any(cells):
            row = targets[task]
            yield f"| {task} | {row['default']:.4f} | {row['target']:.4f} | {' | '.join(cells)} |"
    claims = [run["claim"] for run in runs["assay"].values()]
    told = ", ".join(f"{claims.count(c)} times {c or 'none'}" for c in sorted(set(claims), key=str))
    yield from ("", f"Assay's claims on {len(claims)} runs: {told}.")


if __name__ == "__main__":
    main()
