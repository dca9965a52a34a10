"""Quality against workers: 1, 4, 16 and 64 asynchronous workers in virtual time.

    python -m benchmarks.search.parallel --seeds 5 --data PATH      # runs, then writes the page
    python -m benchmarks.search.parallel --page                     # the page alone

A free worker asks at once and knows what has ended by then. A trial takes a log-normal time of mean
1 (sigma 0.5), drawn by problem, seed and number: every tuner meets the same. `assay-strict` is
assay-auto in strict order with as much lag as workers; they wait where a result is missing. Runs are
kept in `results-parallel/`; what is there already is not run again. Writes ../results/parallel.md.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import time
import warnings
import zlib
from itertools import product
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from assay.engine.known import awaited
from benchmarks.search import problems, results
from benchmarks.search.params import active
from benchmarks.search.peers import Random
from benchmarks.search.summary import WORST, interval
from benchmarks.search.tuners import Assay

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "results-parallel"
PAGE = HERE.parent / "results" / "parallel.md"
WORKERS = (1, 4, 16, 64)
TRIALS = 200
SIGMA = 0.5
AT_TRIALS = (50, 100, 200)
AT_TIMES = (3, 6, 12, 50)
PROBLEMS = (
    "bbob:f8/d5",
    "bbob:f15/d5",
    "bbob:f21/d2",
    "tab:hpolib/protein_structure",
    "yahpo:lcbench/167168/val_accuracy",
    "yahpo:rbv2_svm_pre/1468/mmce",
)


class Ours:
    """A study of ours with several trials under way."""

    def __init__(self, space, seed, workers):
        self.study = self.made(space, seed, workers)

    def made(self, space, seed, workers):
        return Assay(space, 1, seed, TRIALS, "auto").study

    def ask(self):
        trial = self.study.ask()
        return trial, trial.config

    def tell(self, trial, loss):
        self.study.tell(trial, loss)


class Strict(Ours):
    """The same in strict order."""

    def made(self, space, seed, workers):
        return Assay(space, 1, seed, TRIALS, "auto", order="strict", lag=workers).study

    def ask(self):
        return None if awaited(self.study.spec, self.study.history) is not None else super().ask()


class Optuna:
    """Optuna's TPE, which counts running trials as bad ones."""

    def __init__(self, space, seed, workers):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        self.space, self.study = space, optuna.create_study(sampler=sampler)

    def ask(self):
        trial, config = self.study.ask(), {}
        for param in self.space:
            if active(param, config):
                config[param.name] = self._suggested(trial, param)
        return trial, config

    def _suggested(self, trial, param):
        if param.kind == "cat":
            return trial.suggest_categorical(param.name, list(param.choices))
        suggest = trial.suggest_int if param.kind == "int" else trial.suggest_float
        return suggest(param.name, param.low, param.high, log=param.log)

    def tell(self, trial, loss):
        self.study.tell(trial, loss)


class Chance:
    def __init__(self, space, seed, workers):
        self.sampler = Random(space, 1, seed, TRIALS)

    def ask(self):
        return None, self.sampler.ask()

    def tell(self, trial, loss):
        pass


TUNERS = {"assay-auto": Ours, "assay-strict": Strict, "optuna-tpe": Optuna, "random": Chance}


def run(tuner, workers, name, seed):
    """One run as a row: the true loss of the incumbent after each end, and when that was."""
    problem = problems.load(name)
    salt = zlib.crc32(f"{name}|{seed}".encode()) % 2**31
    lengths = np.random.default_rng(salt + 2).lognormal(-(SIGMA**2) / 2, SIGMA, TRIALS)
    noise = np.random.default_rng(salt + 1) if problem.noisy else None
    optimizer = TUNERS[tuner](problem.space, salt, workers)
    under_way, best, at, asked, number = [], [], [], 0.0, 0
    seen = true = np.inf
    while len(best) < TRIALS:
        if number < TRIALS and len(under_way) < workers:
            start = time.process_time()
            found = optimizer.ask()
            asked += time.process_time() - start
            if found is not None:
                begun = at[-1] if at else 0.0
                heapq.heappush(under_way, (begun + lengths[number], number, *found))
                number += 1
                continue
        now, _, trial, config = heapq.heappop(under_way)
        loss = problem.losses(config, noise)[0]
        optimizer.tell(trial, loss)
        if loss < seen:
            seen = loss
            true = problem.true_losses(config)[0] if problem.noisy else loss
        best.append(float(f"{true:.8g}"))
        at.append(round(now, 4))
    return {
        "problem": name,
        "tuner": tuner,
        "workers": workers,
        "seed": seed,
        "best": best,
        "at": at,
        "ask_ms": round(1e3 * asked / TRIALS, 2),
    }


def run_all(seeds, tuners):
    done = {
        (row["tuner"], row["workers"], row["problem"], row["seed"])
        for tuner in tuners
        for row in results.read(FOLDER, tuner)
    }
    for seed, name, tuner, workers in product(range(seeds), PROBLEMS, tuners, WORKERS):
        if (tuner, workers, name, seed) not in done:
            row = run(tuner, workers, name, seed)
            results.append(FOLDER, tuner, row)
            print(tuner, workers, name, seed, f"{row['ask_ms']} ms an ask", flush=True)


def page():
    rows = [row for tuner in TUNERS for row in results.read(FOLDER, tuner)]
    complete = _complete(rows)
    regret = _regrets(complete)
    seeds = len({row["seed"] for row in complete})
    head = [
        "# Quality against workers",
        "",
        "Written by `python -m benchmarks.search.parallel`. Asynchronous workers in virtual time; a",
        f"trial takes 1 on average (log-normal, sigma {SIGMA}). {len(PROBLEMS)} problems, {seeds} seeds,",
        f"{TRIALS} trials. Regret 0 is the least loss known, 1 what random search reaches in 10 trials;",
        "in brackets 95 % bootstrap intervals over problems, and over seeds within them.",
        "`assay-strict`: in strict order, lag = workers.",
        "",
    ]
    parts = [*head, "## At equal numbers of ended trials", "", *_table(regret, AT_TRIALS, "trials")]
    parts += ["", "## At equal virtual time", "", *_table(regret, AT_TIMES, "time"), ""]
    parts += ["## What an ask costs", "", *_costs(complete), "", *_each(regret)]
    PAGE.write_text("\n".join(parts) + "\n")


def _complete(rows):
    """The rows of those seeds that every tuner has for every problem and number of workers."""
    wanted = len(TUNERS) * len(WORKERS) * len(PROBLEMS)
    seeds = [row["seed"] for row in rows]
    return [row for row in rows if seeds.count(row["seed"]) == wanted]


def _regrets(rows):
    """(tuner, workers, what, point) -> problem -> regrets of the seeds."""
    references = json.loads((HERE / "references.json").read_text())
    found = {}
    for row in rows:
        name, ends = row["problem"], np.array(row["at"])
        known = references[name]
        least = min([known["best"], *(min(r["best"]) for r in rows if r["problem"] == name)])
        counts = [("trials", n, n) for n in AT_TRIALS]
        counts += [("time", t, int(np.searchsorted(ends, t, side="right"))) for t in AT_TIMES]
        for what, point, count in counts:
            regret = WORST  # nothing has ended
            if count:
                regret = (row["best"][count - 1] - least) / (known["rs10"] - least)
            key = (row["tuner"], row["workers"], what, point)
            found.setdefault(key, {}).setdefault(name, []).append(min(max(regret, 0.0), WORST))
    return found


def _table(regret, points, what):
    rng = np.random.default_rng(0)
    lines = []
    for tuner, workers in product(TUNERS, WORKERS):
        cells = []
        for point in points:
            groups = list(regret[tuner, workers, what, point].values())
            low, high = interval(groups, rng)
            cells.append(f"{np.mean([np.mean(g) for g in groups]):.3f} [{low:.2f}, {high:.2f}]")
        lines.append([tuner, workers, *cells])
    return _grid(["tuner", "workers", *(f"{what} {p}" for p in points)], lines)


def _costs(rows):
    lines = []
    for tuner in TUNERS:
        ms = [
            np.mean([r["ask_ms"] for r in rows if (r["tuner"], r["workers"]) == (tuner, workers)])
            for workers in WORKERS
        ]
        lines.append([tuner, *(f"{x:.1f}" for x in ms)])
    return _grid(["CPU ms", *(f"{w} workers" for w in WORKERS)], lines)


def _each(regret):
    lines = [
        [name, *(f"{np.mean(regret[t, w, 'trials', TRIALS][name]):.3f}" for t in TUNERS
                 for w in WORKERS)]
        for name in PROBLEMS
    ]  # fmt: skip
    head = ["problem", *(f"{tuner}, {workers}" for tuner in TUNERS for workers in WORKERS)]
    return [f"## By problem, after {TRIALS} trials", "", *_grid(head, lines)]


def _grid(head, lines):
    rows = [head, ["---"] * len(head), *lines]
    return ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tuners", nargs="+", default=list(TUNERS), choices=list(TUNERS))
    parser.add_argument("--data", help="folder with the surrogates and tables")
    parser.add_argument("--page", action="store_true", help="write the page and run nothing")
    given = parser.parse_args()
    if given.data:
        os.environ["SEARCH_DATA"] = given.data
    warnings.filterwarnings("ignore")
    if not given.page:
        with threadpool_limits(1):
            run_all(given.seeds, given.tuners)
    page()


if __name__ == "__main__":
    main()
