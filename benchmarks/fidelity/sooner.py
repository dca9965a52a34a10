"""Whether `thaw` is sooner than `thaw-stopping` where objectives keep checkpoints, goal by goal.

    python -m benchmarks.fidelity.sooner     # seconds, from the committed runs

Writes ../results/sooner.md.
"""

from __future__ import annotations

import json

import numpy as np

from benchmarks.fidelity.summary import BUDGET, DRAWS, GOALS, HERE, _loss, _short, _win

OUT = HERE.parent / "results" / "sooner.md"
BUDGETS = (3, 6, 9, 12)


def runs_of(tuner):
    rows = map(json.loads, (HERE / "results" / f"{tuner}.jsonl").read_text().splitlines())
    return {(row["problem"], row["seed"]): row for row in rows}


def cost(row, goal):
    """The full evaluations' worth of steps after which a loss is reached; more than there are: not at all."""
    reached = (steps / row["most"] for steps, loss in row["course"] if loss <= goal)
    at = next(reached, np.inf)
    return at if at <= BUDGET else np.inf


def shares(found, problems):
    """The share of pairs that `thaw` wins, with an interval, and on each problem."""
    wins = np.array(list(found.values()))
    drawn = np.random.default_rng(0).choice(wins, (DRAWS, len(wins))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    each = [np.mean([w for (p, _), w in found.items() if p == problem]) for problem in problems]
    return f"{len(wins)} | {wins.mean():.2f} | {low:.2f} to {high:.2f} | " + " | ".join(
        f"{share:.2f}" for share in each
    )


def page():
    stopping, thaw, full = map(runs_of, ("assay-auto", "assay-thaw", "assay-full"))
    pairs = sorted(stopping.keys() & thaw.keys())
    problems = sorted({problem for problem, _ in pairs})
    names = " | ".join(map(_short, problems))
    lines = [
        "# Thaw or thaw-stopping", "",
        ("Share of pairs of the same seed in which `thaw`, which pauses trials and needs checkpoints, is there before "
         "`thaw-stopping`, which `auto` is (a tie is half; 95 % intervals by drawing pairs again). A goal is the median of "
         f"`assay-full` after so many full evaluations; who is not there within {BUDGET:.0f} ties with who is not either. Two problems: "
         "what holds for both need not hold for others. Written by `python -m benchmarks.fidelity.sooner`."), "",
        f"| goal, full evaluations | pairs | thaw sooner | interval | {names} | not there: thaw, thaw-stopping |",
        "|---|---|---|---|" + "---|" * (len(problems) + 1),
    ]  # fmt: skip
    for goal in GOALS:
        wanted = {
            p: np.median([_loss(row, goal) for (of, _), row in full.items() if of == p]) for p in problems
        }  # fmt: skip
        costs = {k: (cost(thaw[k], wanted[k[0]]), cost(stopping[k], wanted[k[0]])) for k in pairs}
        late = " and ".join(str(sum(np.isinf(both[i]) for both in costs.values())) for i in (0, 1))
        won = shares({k: _win(*both) for k, both in costs.items()}, problems)
        lines.append(f"| {goal} | {won} | {late} |")
    lines += [
        "", "The same by the best complete loss after so many full evaluations' worth of steps:", "",
        f"| after | pairs | thaw better | interval | {names} |", "|---|---|---|---|" + "---|" * len(problems),
    ]  # fmt: skip
    for budget in BUDGETS:
        found = {k: _win(_loss(thaw[k], budget), _loss(stopping[k], budget)) for k in pairs}
        lines.append(f"| {budget} | {shares(found, problems)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    OUT.write_text(page())
