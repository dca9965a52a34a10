"""Write `../results/sklearn.md` from the runs in `results/`.

python -m benchmarks.sklearn.summary
"""

from __future__ import annotations

import json
from math import inf
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "results" / "sklearn.md"
TASKS = ("digits", "breast_cancer", "wine", "diabetes", "fair", "randhie", "bananas", "friedman")
TUNERS = ("assay", "grid", "random", "halving", "optuna", "flaml")
DRAWS, SEEDS, SHARE = 2_000, 10, 0.9


def main():
    rows = {name: _rows(name) for name in ("reference", *TUNERS)}
    OUT.write_text("\n".join(page(rows)) + "\n")
    print(OUT)


def _rows(name):
    file = HERE / "results" / f"{name}.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return {(row["task"], row["seed"]): row for row in map(json.loads, lines)}


def page(rows):
    rules = (HERE / "README.md").read_text().split("## Rules\n")[1].strip()
    yield from ("# Time to target in scikit-learn's form", "", rules, "")
    seeds = common_seeds(rows)
    missing = {task: SEEDS - len(own) for task, own in seeds.items() if len(own) < SEEDS}
    if missing:
        told = ", ".join(f"{task} {n}" for task, n in missing.items())
        yield f"**Not complete.** Of {SEEDS} seeds of all tuners are missing: {told}."
        yield ""
    seeds = {task: own for task, own in seeds.items() if own}
    found = {task: np.array(_times(rows, task, own)) for task, own in seeds.items()}
    drawn = {
        task: np.array([_times(rows, task, one) for one in _draws(own)])
        for task, own in seeds.items()
    }
    yield from times(rows, seeds, found, drawn)
    yield from ratios(found, drawn)
    yield from each_run(rows, seeds)
    yield from answers(rows, seeds)


def common_seeds(rows):
    """The seeds of each task that have the reference and the runs of all tuners."""
    return {
        task: sorted(set.intersection(*({s for t, s in rows[name] if t == task} for name in rows)))
        for task in TASKS
    }


def target(rows, task, seeds):
    """The quality wanted of a task, as a mean over the seeds."""
    default, good = (
        np.mean([rows["reference"][task, seed][what] for seed in seeds])
        for what in ("default", "good")
    )
    return float(default + SHARE * (good - default))


def reached(courses, wanted):
    """CPU seconds until what the runs would give has, on average, the quality wanted; None: never.

    A run that would not give anything yet has the worst of qualities.
    """
    now = [-inf] * len(courses)
    changes = ((at, i, score) for i, course in enumerate(courses) for at, _, score in course)
    for at, i, score in sorted(changes):
        now[i] = score
        if sum(now) / len(now) >= wanted:
            return at
    return None


def counted(runs, wanted):
    """The same as a number: what never gets there counts twice its whole time."""
    at = reached([run["course"] for run in runs], wanted)
    return 2 * float(np.mean([run["cpu_s"] for run in runs])) if at is None else at


def times(rows, seeds, found, drawn):
    yield from ("## CPU seconds to the target", "")
    yield (
        "Until what a tuner would give has the target quality on average over the seeds; in brackets 95 % of a bootstrap "
        "over the seeds, *never* where it does not get there. The fewest seconds of a task are **bold**, beside them the share "
        "of drawn sets of seeds in which they are the fewest."
    )
    yield from ("", f"| task | {' | '.join(TUNERS)} |", "|---|" + "---|" * len(TUNERS))
    fewest = dict.fromkeys(TUNERS, 0)
    for task, own in seeds.items():
        best = int(np.argmin(found[task]))
        fewest[TUNERS[best]] += 1
        each = zip(TUNERS, found[task], drawn[task].T, strict=True)
        cells = [_told(rows, task, own, *one) for one in each]
        share = np.mean(np.argmin(drawn[task], axis=1) == best)
        cells[best] = f"**{cells[best]}** {share:.0%}"
        yield f"| {task} | {' | '.join(cells)} |"
    yield "| tasks with the fewest | " + " | ".join(str(fewest[t]) for t in TUNERS) + " |"


def _told(rows, task, seeds, tuner, seconds, drawn):
    runs = [rows[tuner][task, seed]["course"] for seed in seeds]
    if reached(runs, target(rows, task, seeds)) is None:
        return f"never ({seconds:.2f})"
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{seconds:.2f} [{low:.2f}, {high:.2f}]"


def _times(rows, task, seeds):
    wanted = target(rows, task, seeds)
    return [counted([rows[tuner][task, seed] for seed in seeds], wanted) for tuner in TUNERS]


def _draws(seeds):
    """Sets of seeds as large as the given one, drawn from it with replacement."""
    rng = np.random.default_rng(0)
    return [sorted(map(int, rng.choice(seeds, len(seeds)))) for _ in range(DRAWS)]


def ratios(found, drawn):
    yield from ("", "## Assay's time over another's", "")
    yield (
        "Geometric mean over the tasks of the ratio of these times, with the 95 % interval of a bootstrap over tasks "
        "and seeds. Below 1 Assay is quicker."
    )
    yield from ("", "| against | ratio |", "|---|---|")
    rng, names = np.random.default_rng(1), list(found)
    picked = [
        np.mean([np.log(drawn[task][at]) for task in rng.choice(names, len(names))], axis=0)
        for at in range(DRAWS)
    ]
    mean = np.mean([np.log(found[task]) for task in names], axis=0)
    for place, tuner in enumerate(TUNERS[1:], start=1):
        low, high = np.exp(np.quantile([one[0] - one[place] for one in picked], [0.025, 0.975]))
        yield f"| {tuner} | {np.exp(mean[0] - mean[place]):.2f} [{low:.2f}, {high:.2f}] |"


def each_run(rows, seeds):
    yield from ("", "## Run by run", "")
    yield (
        "As it was counted before: the geometric mean over the seeds of the time at which a run has the target of its own "
        "sealed rows; in brackets how many runs got there at all. Single rows decide much of it. *No gain*: seeds in which the "
        "good configs are no better than the default on these rows. *Pairs*: runs in which Assay was quicker than the other "
        "on the same seed."
    )
    head = f"| task | no gain | {' | '.join(TUNERS)} |"
    yield from ("", head, "|---|---|" + "---|" * len(TUNERS))
    fewest, won = dict.fromkeys(TUNERS, 0), dict.fromkeys(TUNERS[1:], 0)
    for task, own in seeds.items():
        wanted = {seed: target(rows, task, [seed]) for seed in own}
        took = {t: [counted([rows[t][task, s]], wanted[s]) for s in own] for t in TUNERS}
        means = {t: float(np.exp(np.mean(np.log(took[t])))) for t in TUNERS}
        best = min(means, key=means.get)
        fewest[best] += 1
        for tuner in won:
            won[tuner] += sum(a < b for a, b in zip(took["assay"], took[tuner], strict=True))
        cells = []
        for tuner in TUNERS:
            there = sum(
                reached([rows[tuner][task, s]["course"]], wanted[s]) is not None for s in own
            )
            cell = f"{means[tuner]:.2f} ({there} of {len(own)})"
            cells.append(f"**{cell}**" if tuner == best else cell)
        pointless = sum(
            row["good"] <= row["default"] for row in (rows["reference"][task, s] for s in own)
        )
        yield f"| {task} | {pointless} | {' | '.join(cells)} |"
    yield "| tasks with the fewest | | " + " | ".join(str(fewest[t]) for t in TUNERS) + " |"
    pairs = sum(map(len, seeds.values()))
    yield f"| pairs of {pairs} | | | " + " | ".join(str(won[t]) for t in TUNERS[1:]) + " |"


def answers(rows, seeds):
    yield from ("", "## At the end of a run", "")
    yield (
        "Score on sealed rows of what each tuner gives at the end (mean over seeds; higher is better), "
        "and the CPU seconds of its whole run. `assay` gives what its verdict recommends; its seconds "
        "hold the fits of the control and the best three on fresh splits. *Default* is the model as it "
        "comes; *target* is 90 % of the way from there to the mean of the ten best of 200 at random."
    )
    head = "| task | default | target | "
    yield from ("", f"{head}{' | '.join(TUNERS)} |", "|---|---|---|" + "---|" * len(TUNERS))
    for task, own in seeds.items():
        cells = []
        for tuner in TUNERS:
            mine = [rows[tuner][task, seed] for seed in own]
            scores = [run.get("answer", run["course"][-1][2]) for run in mine]
            took = [run["cpu_s"] for run in mine]
            cells.append(f"{np.mean(scores):.4f} ({np.mean(took):.1f} s)")
        default = np.mean([rows["reference"][task, seed]["default"] for seed in own])
        yield f"| {task} | {default:.4f} | {target(rows, task, own):.4f} | {' | '.join(cells)} |"
    claims = [rows["assay"][task, seed]["claim"] for task, own in seeds.items() for seed in own]
    told = ", ".join(f"{claims.count(c)} times {c or 'none'}" for c in sorted(set(claims), key=str))
    yield from ("", f"Assay's claims on {len(claims)} runs: {told}.")


if __name__ == "__main__":
    main()
