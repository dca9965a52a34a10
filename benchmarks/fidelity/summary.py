"""Write `../results/fidelity.md` from the runs in `results/`.

python -m benchmarks.fidelity.summary
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "results" / "fidelity.md"
BUDGET = 12.0
DRAWS = 10_000


def main():
    runs = {}
    for file in sorted((HERE / "results").glob("*.jsonl")):
        for row in map(json.loads, file.read_text().splitlines()):
            runs[file.stem, row["problem"], row["seed"]] = row
    problems = sorted({key[1] for key in runs})
    tuners = sorted({key[0] for key in runs})
    lines = [
        "# Evaluating in part",
        "",
        (HERE / "README.md").read_text().split("## Rules\n")[1],
        "",
    ]
    lines += [
        "Median over seeds of the best complete loss after 12 full evaluations' worth of steps (lower",
        "is better); `assay-full` evaluates every trial in full; in brackets the number of seeds.",
        "",
        "| tuner | " + " | ".join(p.removeprefix("yahpo:") for p in problems) + " |",
        "|---|" + "---|" * len(problems),
    ]
    for tuner in tuners:
        cells = []
        for problem in problems:
            found = [
                _loss(r, BUDGET) for (t, p, _), r in runs.items() if (t, p) == (tuner, problem)
            ]
            cells.append(f"{np.median(found):.4g} ({len(found)})" if found else "–")
        lines.append(f"| {tuner} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Share of seeds, the same for both, on which `assay-asha` is better than the other after as many",
        "steps (a tie is half), all problems together, with a 95 % interval by drawing (problem, seed)",
        "pairs again. Pairs with `assay-full` show what ending early gains at equal cost.",
        "",
        "| against | pairs | better | interval |",
        "|---|---|---|---|",
    ]
    rng = np.random.default_rng(0)
    for tuner in tuners:
        if tuner == "assay-asha":
            continue
        wins = [
            _win(_loss(runs["assay-asha", p, s], BUDGET), _loss(r, BUDGET))
            for (t, p, s), r in runs.items()
            if t == tuner and ("assay-asha", p, s) in runs
        ]
        if wins:
            drawn = rng.choice(wins, (DRAWS, len(wins))).mean(axis=1)
            low, high = np.quantile(drawn, [0.025, 0.975])
            lines.append(
                f"| {tuner} | {len(wins)} | {np.mean(wins):.2f} | {low:.2f} to {high:.2f} |"
            )
    lines += ["", *_to_full(runs, tuners), ""]
    OUT.write_text("\n".join(lines))


def _to_full(runs, tuners):
    """How many steps it takes to reach what full evaluations reach with 50."""
    lines = [
        "Steps to reach what `assay-full` reaches with 50 full evaluations on the same seed, as a share of",
        "the steps that `assay-full` itself took to get there: the share of seeds that got there within",
        "12 evaluations' worth, and within a quarter of its steps.",
        "",
        "| tuner | pairs | got there | within 1/4 |",
        "|---|---|---|---|",
    ]
    for tuner in tuners:
        if tuner == "assay-full":
            continue
        ratios = []
        for (t, p, s), row in runs.items():
            full = runs.get(("assay-full", p, s))
            if t == tuner and full:
                when, goal = full["course"][-1]
                at = next((steps for steps, loss in row["course"] if loss <= goal), None)
                ratios.append(None if at is None else at / when)
        if ratios:
            there = [r for r in ratios if r is not None]
            quarter = sum(r <= 0.25 for r in there)
            lines.append(f"| {tuner} | {len(ratios)} | {len(there)} | {quarter} |")
    return lines


def _loss(row, full):
    reached = [loss for steps, loss in row["course"] if steps <= full * row["most"]]
    return reached[-1] if reached else float("inf")


def _win(ours, theirs):
    return 0.5 if ours == theirs else float(ours < theirs)


if __name__ == "__main__":
    main()
