"""What one driver costs at many workers: the real engine and store, simulated workers, virtual time.

    python -m benchmarks.core.drivers      # some minutes; writes ../results/drivers.json and .md

CPU of the driver alone, without that of talking to workers; each case in a fresh process. Durations are
log-normal, so that results come one by one: no two share a commit, which is the dearest case.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from assay import Budget, Float, Space
from assay.core.spec import StudySpec
from assay.stores.memory import MemoryStore
from assay.stores.sqlite import SqliteStore
from assay.testing.simulator import Crew, log_normal, simulate
from benchmarks.core.cases import cpu

RESULTS = Path(__file__).resolve().parent.parent / "results"
CASES = [  # workers, trials, sampler, reports, store
    (1, 2000, "random", 0, "memory"),
    (10, 2000, "random", 0, "memory"),
    (100, 2000, "random", 0, "memory"),
    (1000, 3000, "random", 0, "memory"),
    (10_000, 12_000, "random", 0, "memory"),
    (100, 2000, "random", 0, "sqlite"),
    (1000, 2000, "random", 0, "sqlite"),
    (1000, 1000, "random", 10, "sqlite"),
    (1000, 2000, "tpe", 0, "memory"),
]  # fmt: skip


def case(workers, trials, sampler, reports, store):
    spec = StudySpec(
        Space({f"x{i}": Float(0, 1) for i in range(10)}),
        {"value": "minimize"},
        sampler={"name": sampler},
        budget=Budget(trials=trials),
    )

    def objective(job):
        value = sum((x - 0.3) ** 2 for x in job.config.values())
        return [value + 1 / step for step in range(1, reports + 1)] if reports else value

    crew = Crew(workers, duration=log_normal(60.0, 0.5))
    with tempfile.TemporaryDirectory(prefix="assay-drivers-") as folder:
        place = MemoryStore() if store == "memory" else SqliteStore(Path(folder, "lab.db"))
        simulate(spec, objective, Crew(2), store=MemoryStore(), stop_at=0.5)  # loads what is loaded
        start = cpu()
        found = simulate(spec, objective, crew, store=place)
        used = cpu() - start
        place.close()
    return {
        "workers": workers,
        "trials": trials,
        "sampler": sampler,
        "reports": reports,
        "store": store,
        "cpu_ms_per_trial": 1e3 * used / trials,
        "cpu_ms_per_event": 1e3 * used / found.history.length,
        "trials_per_cpu_s": trials / used,
    }


def run():
    rows = []
    for given in CASES:
        command = [sys.executable, "-m", "benchmarks.core.drivers", json.dumps(given)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(done.stdout))
        print(rows[-1], flush=True)
    return rows


def page(rows):
    lines = [
        "# One driver at many workers",
        "",
        "Written by `python -m benchmarks.core.drivers`. CPU of the driver (plan, sampler, fold, store; not",
        "the connections to workers), ten parameters, results that come one by one.",
        "",
        "| workers | trials | sampler | reports a trial | store | CPU ms a trial | CPU ms an event | trials a CPU second |",
        "|---" * 8 + "|",
    ]
    for r in rows:
        lines.append(
            f"| {r['workers']:,} | {r['trials']:,} | {r['sampler']} | {r['reports']} | {r['store']} "
            f"| {r['cpu_ms_per_trial']:.2f} | {r['cpu_ms_per_event']:.3f} | {r['trials_per_cpu_s']:,.0f} |"
        )
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) > 1:
        print(json.dumps(case(*json.loads(sys.argv[1]))))
        return
    rows = run()
    (RESULTS / "drivers.json").write_text(json.dumps(rows, indent=1) + "\n")
    (RESULTS / "drivers.md").write_text(page(rows))


if __name__ == "__main__":
    main()
