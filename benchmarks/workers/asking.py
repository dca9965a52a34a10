"""Asking under contention: many processes ask and tell one study with a Gaussian process.

    python -m benchmarks.workers.asking                   # writes ../results/asking.json and .md
    python -m benchmarks.workers.asking --postgres        # the same in PostgreSQL
    python -m benchmarks.workers.asking --processes 8     # prints

Each process opens the study by itself, asks, waits as long as its trial takes, and tells. With trials
that take no time everybody asks at once, always: the worst case.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import random
import statistics
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import running

import assay

RESULTS = Path(__file__).resolve().parent.parent / "results"
SPACE = assay.Space({f"x{i}": assay.Float(0, 1) for i in range(4)})
BEFORE = 30
EACH = 6


def worker(storage, number, seconds, gate, out):
    """One process: EACH trials; how long each ask took, and how many proposals were made for it."""
    made, waits, told = [], [], []
    with assay.Study(SPACE, sampler="gp", storage=storage) as study:
        sampler, count = study._sampler, [0]

        class Counted:
            def ask(self, *given):
                count[0] += 1
                return sampler.ask(*given)

        study._sampler = Counted()
        rng = random.Random(number)
        gate.wait()
        cpu = time.process_time()
        for _ in range(EACH):
            count[0], start = 0, time.perf_counter()
            trial = study.ask()
            waits.append(time.perf_counter() - start)
            made.append(count[0])
            time.sleep(seconds * rng.lognormvariate(-0.125, 0.5))
            start = time.perf_counter()
            study.tell(trial, sum((x - 0.3) ** 2 for x in trial.config.values()))
            told.append(time.perf_counter() - start)
        out.put((made, waits, told, time.process_time() - cpu))


@contextmanager
def files():
    """A new file each time that one is asked for."""
    with tempfile.TemporaryDirectory(prefix="assay-asking-") as folder:
        numbers = itertools.count()
        yield lambda: f"{folder}/{next(numbers)}.db"


@contextmanager
def servers():
    """A new place in a PostgreSQL server each time."""
    with running() as server:
        yield server.new


def measured(processes, seconds, storage):
    context = multiprocessing.get_context("fork")
    with assay.Study(SPACE, sampler="gp", storage=storage) as study:
        for _ in range(BEFORE):
            trial = study.ask()
            study.tell(trial, sum((x - 0.3) ** 2 for x in trial.config.values()))
    assay.core.rng.stream(0)
    gate, out = context.Barrier(processes + 1), context.Queue()
    team = [
        context.Process(target=worker, args=(storage, number, seconds, gate, out))
        for number in range(processes)
    ]
    for process in team:
        process.start()
    gate.wait()
    start = time.perf_counter()
    found = [out.get() for _ in team]
    wall = time.perf_counter() - start
    for process in team:
        process.join()
    with assay.open_study(storage) as study:
        assert study.verify() == []
        assert len(study.trials) == BEFORE + processes * EACH
    made = [m for each, *_ in found for m in each]
    waits = sorted(w for _, each, *_ in found for w in each)
    told = sorted(t for _, _, each, _ in found for t in each)
    return {
        "processes": processes,
        "trial_s": seconds,
        "asks": len(made),
        "asks_per_s": len(made) / wall,
        "proposals_per_ask": statistics.mean(made),
        "most_proposals": max(made),
        "median_wait_s": statistics.median(waits),
        "longest_wait_s": waits[-1],
        "longest_tell_s": told[-1],
        "cpu_ms_per_trial": 1e3 * sum(cpu for *_, cpu in found) / len(made),
    }


def page(facts):
    lines = [
        "# Asking under contention",
        "",
        "Written by `python -m benchmarks.workers.asking`: processes that share one study in SQLite and",
        f"drive it by ask and tell, sampler `gp`, four parameters, {BEFORE} trials before and {EACH} a process.",
        "*Trial*: what a trial takes, log-normal. Where it takes nothing, everybody asks all the time.",
        "Proposals an ask: how often the sampler was run until a proposal could be written. The waits are",
        "wall time on a machine with two cores that had other work too; the CPU time is all of a trial's.",
        "",
        *_table(facts["rows"]),
        "",
        "## In PostgreSQL",
        "",
        "By `--postgres`, on one machine with the server, at a load of 15 on two cores, where these processes",
        "got 6 % of a core; the lines above had more. Who waits is served in the order of coming: the longest",
        "wait is twice the median one.",
        "",
        *_table(facts.get("postgres", [])),
        "",
        "## Before",
        "",
        f"On SQLite at commit {facts['before']['commit']}, without turns, every proposal decided anew after each",
        "write of another, on the same busy machine.",
        "",
        *_table(facts["before"]["rows"]),
    ]
    return "\n".join(lines) + "\n"


def _table(rows):
    lines = [
        "| processes | trial, s | asks a second | proposals an ask | most | median wait, s | longest wait, s | longest tell, s | CPU ms a trial |",
        "|---" * 9 + "|",
    ]
    for r in rows:
        lines.append(
            f"| {r['processes']} | {r['trial_s']:g} | {r['asks_per_s']:.1f} | {r['proposals_per_ask']:.2f} "
            f"| {r['most_proposals']} | {r['median_wait_s']:.2f} | {r['longest_wait_s']:.2f} "
            f"| {r['longest_tell_s']:.2f} | {r['cpu_ms_per_trial']:.0f} |"
        )
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+")
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    rows = []
    with servers() if given.postgres else files() as new:
        for processes in given.processes or (1, 8, 32):
            for seconds in (0.0, 2.0):
                rows.append(measured(processes, seconds, new()))
                print(rows[-1], flush=True)
    if given.processes is None:
        file = RESULTS / "asking.json"
        facts = json.loads(file.read_text()) | {"postgres" if given.postgres else "rows": rows}
        file.write_text(json.dumps(facts, indent=1) + "\n")
        (RESULTS / "asking.md").write_text(page(facts))
    else:
        print("\n".join(_table(rows)))


if __name__ == "__main__":
    main()
