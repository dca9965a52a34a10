"""CPU time of a trial over PostgreSQL beside Optuna's RDBStorage over the same server.

    python -m benchmarks.workers.postgres [RUNS]

Starts a server of its own (Debian's, its default settings, fsync on) and writes
results/workers-postgres.json and .md after every case; what is there already is not run again.

Counted: all processes of the study, and of this server the backends that serve it, the ended ones
included, its checkpointer and its WAL writer; other servers of the machine are not.
"""

from __future__ import annotations

import json
import statistics
import sys
from importlib.metadata import version

import psutil
from tests.postgres import running

from benchmarks.workers.__main__ import RESULTS, Place, program
from benchmarks.workers.programs import FEW

CASES = ("engine", "assay-apart", "optuna-apart")
TRIALS = {"engine": 400, "assay-apart": 200, "optuna-apart": 40}
PLACES = [(reports, workers) for workers in (1, 2, 4, 8) for reports in (0, 10)]
FILE = RESULTS / "workers-postgres.json"


def server_cpu(postmaster: int) -> float:
    """CPU seconds of one server, of its ended backends too."""
    while True:
        try:
            return _server_cpu(psutil.Process(postmaster))
        except psutil.NoSuchProcess:  # a backend ended meanwhile: its time is its parent's now
            continue


def _server_cpu(first: psutil.Process) -> float:
    own = first.cpu_times()
    children = [child.cpu_times() for child in first.children()]
    ended = own.children_user + own.children_system
    return own.user + own.system + ended + sum(times.user + times.system for times in children)


def measured(postmaster: int, url: str, case: str, workers: int, reports: int) -> dict[str, float]:
    """One run: milliseconds a trial of the study's processes, and of the server."""
    before = server_cpu(postmaster)
    with Place("PostgreSQL", url, case) as place:
        said = json.loads(program(case, place, workers, reports, TRIALS[case]))
        after = server_cpu(postmaster)
    # All trials that it served count, those before the client's part is measured too.
    served = TRIALS[case] + (2 * FEW if case == "engine" else workers)
    said["server_ms"] = (after - before) / served * 1e3
    return said


def main() -> None:
    """Run what is missing."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    found = json.loads(FILE.read_text()) if FILE.exists() else {"cost": []}
    with running() as server:
        for reports, workers in PLACES:
            if any((c["reports"], c["workers"]) == (reports, workers) for c in found["cost"]):
                continue
            made = {
                case: [
                    measured(server.pid, server.url(), case, workers, reports) for _ in range(runs)
                ]
                for case in CASES
            }
            middle = {
                case: {key: statistics.median(run[key] for run in some) for key in some[0]}
                for case, some in made.items()
            }
            found["cost"].append({"workers": workers, "reports": reports, "runs": runs, **middle})
            found["versions"] = {
                name: version(name) for name in ("optuna", "psycopg", "sqlalchemy")
            }
            FILE.write_text(json.dumps(found, indent=1) + "\n")
            FILE.with_suffix(".md").write_text(page(found))
            print(found["cost"][-1], flush=True)


def page(found: dict) -> str:
    """The results in words and a table."""
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    lines = [
        "# CPU time of a trial over PostgreSQL",
        "",
        (
            f"An empty objective with 10 parameters, random search. {versions}. Milliseconds of CPU: "
            "client (all processes of the study) + server (this server alone, its ended backends and the "
            "making of tables included). *engine*: one driver and so many processes; *apart*: so many "
            f"processes that each ask and tell by themselves, as Optuna is used. Trials: {TRIALS}. "
            "Goal: Optuna ÷ engine ≥ 5. Run by `python -m benchmarks.workers.postgres`."
        ),
        "",
        "| processes | reports a trial | runs | engine | apart | Optuna | Optuna ÷ engine | Optuna ÷ apart |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found["cost"]:
        parts = [(one[case]["client_ms"], one[case]["server_ms"]) for case in CASES]
        ours, apart, theirs = (sum(part) for part in parts)
        shown = " | ".join(f"{client:.2f} + {server:.2f}" for client, server in parts)
        lines.append(
            f"| {one['workers']} | {one['reports']} | {one['runs']} | {shown} | "
            f"{theirs / ours:.1f} × | {theirs / apart:.1f} × |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
