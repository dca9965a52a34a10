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
MOST = 50
OURS = ("assay-auto", "assay-thaw")
DRAWS = 10_000
GOALS = (5, 10, 15, 20, 30, 40, 50)
PARTS = {"Surrogates": "yahpo:", "Real trainings": "training:"}


def main():
    runs = {}
    for file in sorted((HERE / "results").glob("*.jsonl")):
        for row in map(json.loads, file.read_text().splitlines()):
            runs[file.stem, row["problem"], row["seed"]] = row
    rules = (HERE / "README.md").read_text().split("## Rules\n")[1]
    lines = ["# Evaluating in part", "", rules.strip(), ""]
    for title, prefix in PARTS.items():
        part = {key: run for key, run in runs.items() if key[1].startswith(prefix)}
        lines += [f"## {title}", "", *_part(part)]
    OUT.write_text("\n".join(lines))


def _part(runs):
    """All tables of some problems."""
    problems = sorted({key[1] for key in runs})
    tuners = sorted({key[0] for key in runs})
    lines = [*_medians(runs, tuners, problems), ""]
    for ours in OURS:
        if ours in tuners:
            lines += [*_pairs(runs, tuners, problems, ours), ""]
    return [
        *lines,
        *_worth(runs, tuners, problems),
        "",
        *_shares(runs, tuners, problems),
        "",
        *_to_full(runs, tuners),
        "",
    ]


def _medians(runs, tuners, problems):
    """What each tuner reaches."""
    lines = [
        "Median over seeds of the best complete loss after 12 full evaluations' worth of steps (lower",
        "is better); `assay-full` evaluates every trial in full; in brackets the number of seeds.",
        "",
        "| tuner | " + " | ".join(map(_short, problems)) + " |",
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
    return lines


def _pairs(runs, tuners, problems, ours):
    """How often one tuner is better than each other one at equal cost."""
    lines = [
        f"Share of seeds, the same for both, on which `{ours}` is better than the other after as many",
        "steps (a tie is half), with a 95 % interval by drawing (problem, seed) pairs again; wins, ties",
        "and losses; and the share on each problem. Against `assay-full`: what ending early gains.",
        "",
        "| against | pairs | better | interval | w-t-l | "
        + " | ".join(map(_short, problems))
        + " |",
        "|---|---|---|---|---|" + "---|" * len(problems),
    ]
    rng = np.random.default_rng(0)
    for tuner in tuners:
        wins = {
            (p, s): _win(_loss(runs[ours, p, s], BUDGET), _loss(r, BUDGET))
            for (t, p, s), r in runs.items()
            if t == tuner and t != ours and (ours, p, s) in runs
        }
        if wins:
            found = np.array(list(wins.values()))
            low, high = np.quantile(
                rng.choice(found, (DRAWS, len(found))).mean(axis=1), [0.025, 0.975]
            )
            counts = "-".join(str(int((found == x).sum())) for x in (1.0, 0.5, 0.0))
            each = [[w for (p, _), w in wins.items() if p == problem] for problem in problems]
            cells = [f"{np.mean(e):.2f}" if e else "–" for e in each]
            lines.append(
                f"| {tuner} | {len(found)} | {found.mean():.2f} | {low:.2f} to {high:.2f} | {counts} | "
                + " | ".join(cells)
                + " |"
            )
    return lines


def _worth(runs, tuners, problems):
    """How many full evaluations a tuner's steps are worth."""
    lines = [
        "What the steps of 12 full evaluations are worth: the number of full evaluations after which the",
        "median of `assay-full` is as good as the median of the tuner; in brackets a 95 % interval by",
        "drawing seeds of both again. 48 would be the same quality for a quarter of the cost; 50 is the",
        "most that can be seen.",
        "",
        "| tuner | " + " | ".join(map(_short, problems)) + " |",
        "|---|" + "---|" * len(problems),
    ]
    rng = np.random.default_rng(0)
    full = {
        p: np.array([_steps(r) for (t, q, _), r in runs.items() if (t, q) == ("assay-full", p)])
        for p in problems
    }
    for tuner in tuners:
        cells = []
        for problem in problems:
            ours = np.array(
                [_loss(r, BUDGET) for (t, p, _), r in runs.items() if (t, p) == (tuner, problem)]
            )
            theirs = full[problem]
            if not len(ours) or not len(theirs):
                cells.append("–")
                continue
            drawn = [
                _equal(
                    rng.choice(ours, len(ours)), theirs[rng.integers(len(theirs), size=len(theirs))]
                )
                for _ in range(1000)
            ]
            low, high = np.quantile(drawn, [0.025, 0.975], method="nearest")
            cells.append(f"{_equal(ours, theirs)} ({low} to {high})")
        lines.append(f"| {tuner} | " + " | ".join(cells) + " |")
    return lines


def _shares(runs, tuners, problems):
    """What a quality costs that a number of full evaluations reaches."""
    goals = " | ".join(f"{goal}" for goal in GOALS)
    lines = [
        "The same for other goals: how many full evaluations' worth of steps until the median is as good as",
        "that of `assay-full` after 5, 10, ... 50 full evaluations; `–`: not within 12.",
        "",
        f"| tuner, problem | {goals} |",
        "|---|" + "---|" * len(GOALS),
    ]
    costs = np.arange(0.5, BUDGET + 0.01, 0.5)
    for tuner in (ours for ours in OURS if ours in tuners):
        for problem in problems:
            rows = [r for (t, p, _), r in runs.items() if (t, p) == (tuner, problem)]
            full = [r for (t, p, _), r in runs.items() if (t, p) == ("assay-full", problem)]
            reached = [np.median([_loss(r, cost) for r in rows]) for cost in costs] if rows else []
            cells = []
            for goal in GOALS:
                wanted = np.median([_loss(r, goal) for r in full])
                there = np.flatnonzero(reached <= wanted) if rows else []
                cells.append(f"{costs[there[0]]:.1f}" if len(there) else "–")
            if rows:
                lines.append(f"| {tuner}, {_short(problem)} | " + " | ".join(cells) + " |")
    return lines


def _steps(row):
    """The best loss after 1, 2, ... 50 full evaluations."""
    return [_loss(row, n) for n in range(1, MOST + 1)]


def _equal(ours, theirs):
    """The first number of full evaluations whose median is as good; MOST if none is."""
    reached = np.flatnonzero(np.median(theirs, axis=0) <= np.median(ours))
    return int(reached[0]) + 1 if len(reached) else MOST


def _short(problem):
    return problem.split(":", 1)[-1]


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
