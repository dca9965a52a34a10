"""Run tuners on problems; what is done already is not done again.

    python -m benchmarks.search.run random optuna-tpe --seeds 10 --budget 200 --data PATH

One process, one thread, one run after the other: seed by seed, so that a part of it is a balanced
part. Every tuner meets the same seeds, and on noisy problems the same noise. Times are CPU times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
import traceback
import warnings
import zlib
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.search import problems, results
from benchmarks.search.params import Param
from benchmarks.search.tuners import TUNERS

HERE = Path(__file__).resolve().parent
DIGITS = 8


def main(arguments=None):
    given = _arguments(arguments)
    if given.data:
        os.environ["SEARCH_DATA"] = given.data
    warnings.filterwarnings("ignore")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # for what is loaded later
    chosen = problems.listed(given.problems)
    with threadpool_limits(1):
        for tuner in given.tuners:
            _warm_up(tuner)
            _run_all(tuner, chosen, given)


def _arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tuners", nargs="+", choices=sorted(TUNERS), metavar="TUNER")
    parser.add_argument("--problems", default=HERE / "dev.txt", help="a file with one a line")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--budget", type=int, default=200, help="trials of a run")
    parser.add_argument("--data", help="folder with the surrogates and tables")
    parser.add_argument("--out", type=Path, default=results.FOLDER)
    parser.add_argument("--run-seconds", type=float, default=3600, help="CPU limit of a run")
    return parser.parse_args(arguments)


def _run_all(tuner, chosen, given):
    rows = results.read(given.out, tuner)
    done = {(row["problem"], row["seed"]) for row in rows if row["budget"] >= given.budget}
    todo = [(p, s) for s in range(given.seeds) for p in chosen if (p, s) not in done]
    failed = 0
    for i, (name, seed) in enumerate(todo, 1):
        start = time.process_time()
        try:
            row = run(tuner, name, seed, given.budget, given.run_seconds)
        except Exception:
            failed += 1
            print(f"{tuner} failed on {name}, seed {seed}:", file=sys.stderr)
            traceback.print_exc(limit=-3)
            continue
        if row is not None:
            results.append(given.out, tuner, row)
        spent = time.process_time() - start
        print(f"{tuner} {i}/{len(todo)} {name} seed {seed}: {spent:.1f} CPU s", flush=True)
    if not failed:
        results.pack(given.out, tuner)


def _warm_up(tuner):
    """Let libraries load and compile what they want before anything is measured."""
    space = [Param("x", "float")]
    if TUNERS[tuner].choices:
        space.append(Param("c", "cat", choices=("a", "b")))
    optimizer = TUNERS[tuner].make(space, 1, 0, 14)
    for _ in range(14):
        optimizer.tell([optimizer.ask()["x"]])


def run(tuner, name, seed, budget, most_seconds):
    """One run as a row of results; None if the tuner cannot search such a problem.

    `best` is the true loss of the incumbent after each trial, the incumbent being what looked best
    to the tuner; of two objectives it is minus the hypervolume in the units of `references.json`.
    A run that meets the CPU limit is `truncated`.
    """
    problem, peer = problems.load(name), TUNERS[tuner]
    if not peer.takes(problem):
        return None
    salt = zlib.crc32(f"{name}|{seed}".encode()) % 2**31
    random.seed(salt)
    np.random.seed(salt)  # noqa: NPY002 - some tuners draw from the global generator
    noise = np.random.default_rng(salt + 1) if problem.noisy else None
    optimizer = peer.make(problem.space, problem.objectives, salt, budget)
    progress = _Front(problem) if problem.objectives > 1 else _Incumbent(problem)
    best, asks, tells = [], [], []
    while len(best) < budget and sum(asks) + sum(tells) < most_seconds:
        start = time.process_time()
        config = optimizer.ask()
        asked = time.process_time()
        losses = problem.losses(config, noise)
        measured = time.process_time()
        optimizer.tell(losses)
        tells.append(time.process_time() - measured)
        asks.append(asked - start)
        best.append(float(f"{progress.after(config, losses):.{DIGITS}g}"))
    row = {
        "problem": name,
        "family": problem.family,
        "tuner": tuner,
        "version": _version(peer.package),
        "seed": seed,
        "budget": budget,
        "best": best,
        "ask_ms": [round(1e3 * s, 2) for s in asks],
        "tell_ms": [round(1e3 * s, 2) for s in tells],
    }
    return row | ({"truncated": True} if len(best) < budget else {})


class _Incumbent:
    def __init__(self, problem):
        self.problem, self.seen, self.true = problem, np.inf, np.inf

    def after(self, config, losses):
        if losses[0] < self.seen:
            self.seen = losses[0]
            self.true = self.problem.true_losses(config)[0] if self.problem.noisy else losses[0]
        return self.true


class _Front:
    def __init__(self, problem):
        reference = json.loads((HERE / "references.json").read_text())[problem.name]
        self.ideal, self.worst = np.array(reference["ideal"]), np.array(reference["ref"])
        self.points = []

    def after(self, config, losses):
        scaled = (np.array(losses) - self.ideal) / (self.worst - self.ideal)
        self.points.append(tuple(scaled.tolist()))
        return -problems.hypervolume(self.points, (1.0, 1.0))


def _version(package):
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:  # not installed but on the path
        return f"{package} {import_module(package).__version__}"


if __name__ == "__main__":
    main()
