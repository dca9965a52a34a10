"""What the results say, as `benchmarks/results/search.md`.

    python -m benchmarks.search.summary [--against assay-auto]

Normalised regret of a run after so many trials: 0 is the least loss that is known, 1 what random
search reaches in 10 trials on average (`references.json`), 2 the most that is counted. Intervals are
95 % bootstrap intervals in which problems are drawn, and seeds within each.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.search import problems, results

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "results" / "search.md"
BUDGETS = (25, 50, 100, 200)
SHOWN = 100  # trials for the tables of families and problems
WORST = 2.0
DRAWS = 4000


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=results.FOLDER)
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--against", default="assay-auto", help="the tuner to compare with others")
    parser.add_argument("--problems", default=HERE / "dev.txt")
    given = parser.parse_args(arguments)
    rows = [
        row
        for tuner in results.tuners_in(given.results)
        for row in results.read(given.results, tuner)
    ]
    wanted = set(problems.listed(given.problems))
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(page([row for row in rows if row["problem"] in wanted], given.against))


def page(rows, against):
    parts = ["# Search: Assay and other tuners", "", *_facts(rows), ""]
    for title, chosen in (
        ("One objective", [row for row in rows if not _several(row)]),
        ("Two objectives", [row for row in rows if _several(row)]),
    ):
        if chosen:
            parts += [f"## {title}", "", *section(chosen, against)]
    return "\n".join(parts).rstrip() + "\n"


def _several(row):
    return row["problem"].startswith("mo:") or "+" in row["problem"]


def _facts(rows):
    versions = sorted({row["version"] for row in rows})
    return [
        "Written by `python -m benchmarks.search.summary`. Regret 0 is the least loss known, 1 what",
        "random search reaches in 10 trials, 2 the most that is counted; lower is better, and so is a",
        "lower rank. In brackets 95 % bootstrap intervals over problems, and over seeds within them.",
        "Times are CPU times, one thread. Versions: " + ", ".join(versions) + ".",
    ]


def section(rows, against):
    table = Table(rows)
    return [
        *_pooled(table), "",
        *_ranks(table), "",
        *_differences(table, against),
        *_means(table, "family", table.families), "",
        *_family_differences(table, against),
        *_means(table, "problem", {name: [name] for name in table.problems}), "",
        *_beaten(table),
    ]  # fmt: skip


class Table:
    """Regrets of all runs.

    Attributes:
        regret: (tuner, trials) -> problem -> seed -> normalised regret.
        beaten: problems on which a run found less than the least loss that was known.
    """

    def __init__(self, rows):
        self.rows = rows
        self.tuners = sorted({row["tuner"] for row in rows})
        self.problems = sorted({row["problem"] for row in rows})
        self.families = defaultdict(list)
        for name, family in sorted({(row["problem"], row["family"]) for row in rows}):
            self.families[family].append(name)
        references = json.loads((HERE / "references.json").read_text())
        self.references = {name: references[name] for name in self.problems}
        self.best, self.beaten = self._least()
        self.regret = self._regrets()

    def _least(self):
        best = {name: found["best"] for name, found in self.references.items()}
        beaten = set()
        for row in self.rows:
            name, found = row["problem"], min(row["best"])
            if found < best[name] - 1e-9 * abs(best[name]) and not self.references[name]["exact"]:
                best[name] = found
                beaten.add(name)
        return best, sorted(beaten)

    def _regrets(self):
        found = defaultdict(lambda: defaultdict(dict))
        for row in self.rows:
            name = row["problem"]
            unit = self.references[name]["rs10"] - self.best[name]
            for trials in BUDGETS:
                if trials <= row["budget"]:  # of a run that was cut short, what it had by then
                    loss = row["best"][:trials][-1]
                    regret = min(max((loss - self.best[name]) / unit, 0.0), WORST)
                    found[row["tuner"], trials][name][row["seed"]] = regret
        return found

    def mean(self, tuner, trials, names):
        """The mean over problems of the means over seeds; None if one was not run."""
        found = self.regret[tuner, trials]
        if not names or any(name not in found for name in names):
            return None
        return float(np.mean([np.mean(list(found[name].values())) for name in names]))

    def complete(self, trials):
        """The tuners with runs of so many trials on every problem."""
        return [t for t in self.tuners if self.mean(t, trials, self.problems) is not None]


def interval(groups, rng):
    """A 95 % interval of the mean over groups of their means; groups are drawn, and members within."""
    draws = np.empty(DRAWS)
    resampled = [
        np.mean(rng.choice(group, (DRAWS, len(group))), axis=1) for group in map(np.array, groups)
    ]
    means = np.stack(resampled, axis=1)
    chosen = rng.integers(len(groups), size=(DRAWS, len(groups)))
    draws = np.take_along_axis(means, chosen, axis=1).mean(axis=1)
    return np.quantile(draws, [0.025, 0.975])


def _pooled(table):
    rng = np.random.default_rng(0)
    lines = []
    for tuner in table.tuners:
        rows = [row for row in table.rows if row["tuner"] == tuner]
        cells = []
        for trials in BUDGETS:
            mean = table.mean(tuner, trials, table.problems)
            if mean is None:
                cells.append("–")
                continue
            groups = [[*seeds.values()] for seeds in table.regret[tuner, trials].values()]
            low, high = interval(groups, rng)
            cells.append(f"{mean:.3f} [{low:.2f}, {high:.2f}]")
        ask = np.mean(np.concatenate([row["ask_ms"] for row in rows]))
        late = np.mean(np.concatenate([row["ask_ms"][-len(row["ask_ms"]) // 5 :] for row in rows]))
        tell = np.mean(np.concatenate([row["tell_ms"] for row in rows]))
        lines.append([tuner, len(rows), *cells, f"{ask + tell:.1f}", f"{late + tell:.1f}"])
    lines.sort(key=lambda line: [_key(line[2 + BUDGETS.index(SHOWN)]), line[0]])
    head = ["tuner", "runs", *(f"regret at {b}" for b in BUDGETS), "CPU ms a trial", "at the end"]
    return [f"Mean normalised regret over {len(table.problems)} problems.", "", *_grid(head, lines)]


def _key(cell):
    return math.inf if cell == "–" else float(cell.split()[0])


def _ranks(table):
    """Mean ranks at each budget, among the tuners that have it."""
    rng = np.random.default_rng(2)
    ranked = {}
    for trials in BUDGETS:
        tuners = table.complete(trials)
        if not tuners:
            continue
        regrets = [[table.mean(t, trials, [name]) for t in tuners] for name in table.problems]
        ranks = _rank(np.array(regrets))
        ranked[trials] = {t: _with_interval(ranks[:, i], rng) for i, t in enumerate(tuners)}
    lines = [
        [t, *(ranked[b].get(t, "–") if b in ranked else "–" for b in BUDGETS)] for t in table.tuners
    ]
    lines.sort(key=lambda line: [_key(line[1 + BUDGETS.index(SHOWN)]), line[0]])
    among = ", ".join(f"{len(found)} at {trials}" for trials, found in ranked.items())
    head = ["tuner", *(f"rank at {b}" for b in BUDGETS)]
    return [
        f"Mean rank over problems of the mean over seeds, among {among}.",
        "",
        *_grid(head, lines),
    ]


def _with_interval(values, rng):
    low, high = interval([[v] for v in values], rng)
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}]"


def _rank(rows):
    """Ranks within rows; equal ones share their mean."""
    less = (rows[:, None, :] < rows[:, :, None] - 1e-12).sum(axis=2)
    equal = (abs(rows[:, None, :] - rows[:, :, None]) <= 1e-12).sum(axis=2)
    return less + (equal + 1) / 2


def _differences(table, against):
    if against not in table.tuners:
        return []
    rng = np.random.default_rng(1)
    lines = []
    for tuner in table.tuners:
        if tuner != against:
            cells = [_difference(table, against, tuner, trials, rng) for trials in BUDGETS]
            lines.append([tuner, *cells])
    head = [f"{against} −", *(f"at {b}" for b in BUDGETS)]
    said = (
        f"Regret of {against} less that of another, on the same problems and seeds: below zero is "
        "better. In parentheses the problems on which it is better and worse."
    )
    return [said, "", *_grid(head, lines), ""]


def _family_differences(table, against):
    """The same by family; drawn again are runs, as a family has few problems."""
    others = [t for t in table.complete(SHOWN) if t != against]
    if against not in table.complete(SHOWN) or not others:
        return []
    rng = np.random.default_rng(3)
    lines = []
    for family, names in table.families.items():
        cells = []
        for tuner in others:
            runs = [x for group in _pairs(table, against, tuner, SHOWN, names) for x in group]
            low, high = interval([[x] for x in runs], rng) if runs else (0.0, 0.0)
            cells.append(f"{np.mean(runs):+.3f} [{low:+.2f}, {high:+.2f}]" if runs else "–")
        lines.append([family, *cells])
    said = f"{against} less the other at {SHOWN}, by family; intervals over runs."
    return [said, "", *_grid(["family", *others], lines), ""]


def _pairs(table, ours, theirs, trials, names):
    """Differences of regret by problem, on the seeds that both have."""
    mine, other = table.regret[ours, trials], table.regret[theirs, trials]
    return [
        [mine[name][seed] - other[name][seed] for seed in mine[name].keys() & other[name].keys()]
        for name in names
        if name in mine and name in other
    ]


def _difference(table, ours, theirs, trials, rng):
    pairs = _pairs(table, ours, theirs, trials, table.problems)
    pairs = [group for group in pairs if group]
    if not pairs:
        return "–"
    means = np.array([np.mean(group) for group in pairs])
    low, high = interval(pairs, rng)
    return (
        f"{means.mean():+.3f} [{low:+.2f}, {high:+.2f}] ({(means < 0).sum()}/{(means > 0).sum()})"
    )


def _means(table, what, groups):
    everywhere = {t: table.mean(t, SHOWN, table.problems) for t in table.tuners}
    tuners = sorted((t for t, m in everywhere.items() if m is not None), key=everywhere.get)
    lines = []
    for label, names in groups.items():
        means = [table.mean(t, SHOWN, names) for t in tuners]
        least = min((m for m in means if m is not None), default=None)
        cells = ["–" if m is None else f"**{m:.3f}**" if m == least else f"{m:.3f}" for m in means]
        lines.append([label, len(names), *cells] if what == "family" else [label, *cells])
    head = [what, "problems", *tuners] if what == "family" else [what, *tuners]
    return [f"Mean regret at {SHOWN} by {what}.", "", *_grid(head, lines)]


def _beaten(table):
    if not table.beaten:
        return []
    names = ", ".join(f"`{name}`" for name in table.beaten)
    return [f"A run beat the least loss known before on {names}; its value is 0 here.", ""]


def _grid(head, lines):
    rows = [head, ["---"] * len(head), *lines]
    return ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


if __name__ == "__main__":
    main()
