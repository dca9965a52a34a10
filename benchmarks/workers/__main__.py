"""Run every case, taking turns, and write results/workers.json and workers.md.

    python -m benchmarks.workers [--postgres URL] [cost] [efficiency] [first]

Lines of other groups and stores stay as they are; each line is written when it is measured. A database of its own is made for each case in the PostgreSQL server that the URL names.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parent.parent / "results"
WORKERS = (1, 2, 4, 8)
REPORTS = (0, 10)
CASES = ("engine", "assay-apart", "optuna-apart")
TRIALS = {"engine": 2000, "assay-apart": 800, "optuna-apart": 80}
COUNTED = (
    "Milliseconds of CPU of all processes of the study, the PostgreSQL server's included. *engine*: one "
    "driver and so many workers (`optimize(workers=…)`). *apart*: so many processes that each ask and "
    "tell by themselves, as Optuna is used."
)
PROMISED = {"SQLite": 20, "PostgreSQL": 5}


def program(*words: object, env: dict[str, str] | None = None) -> str:
    """What a measured program prints, in a fresh process and folder."""
    command = [sys.executable, "-m", "benchmarks.workers.programs", *map(str, words)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, **(env or {})}
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
    if "database is locked" in done.stderr and words[0] != "optuna-apart":
        sys.exit(f"{' '.join(command)} printed 'database is locked':\n{done.stderr[-4000:]}")
    return done.stdout


def cost(postgres: str | None, runs_of_each: int, at: Sequence[int]) -> Iterator[dict]:
    """CPU milliseconds a trial of every way to run it."""
    for store in ("SQLite", *(["PostgreSQL"] if postgres else [])):
        for workers in at:
            for reports in REPORTS:
                runs: dict[str, list[dict]] = {case: [] for case in CASES}
                for _ in range(runs_of_each):
                    for case in CASES:
                        with Place(store, postgres, case) as url:
                            said = program(case, url, workers, reports, TRIALS[case])
                            runs[case].append(json.loads(said))
                found = {
                    case: {
                        key: statistics.median(run[key] for run in runs[case])
                        for key in runs[case][0]
                    }
                    for case in CASES
                }
                yield {"store": store, "workers": workers, "reports": reports, **found}


def efficiency(postgres: str | None, runs_of_each: int, at: Sequence[int]) -> Iterator[dict]:
    for store in ("SQLite", *(["PostgreSQL"] if postgres else [])):
        found = []
        for _ in range(runs_of_each):
            with Place(store, postgres, "efficiency") as url:
                found.append(json.loads(program("efficiency", url, 2, 200))["efficiency"])
        yield {"store": store, "efficiency": statistics.median(found), "all": found}


def first(postgres: str | None, runs_of_each: int, at: Sequence[int]) -> Iterator[dict]:
    """Seconds from the start of the command to the first line of the first trial."""
    tools = ["assay", "optuna", *(["ray"] if _installed("ray") else [])]
    found: dict[str, list[float]] = {tool: [] for tool in tools}
    for _ in range(runs_of_each + 1):
        for tool in tools:
            with Place("SQLite", postgres, tool) as url:
                mark = Path(tempfile.mkdtemp(), "first")
                start = time.time()
                program(f"first_{tool}", url, 2, env={"FIRST_TRIAL": str(mark)})
                found[tool].append(float(mark.read_text().split()[0]) - start)
    for tool in tools:
        times = found[tool][1:]  # the first run reads the programs from the disk
        yield {"tool": tool, "seconds": statistics.median(times), "all": times}


class Place:
    """The address of an empty store."""

    def __init__(self, store: str, postgres: str | None, case: str) -> None:
        self._server = postgres if store == "PostgreSQL" else None
        self._folder = tempfile.TemporaryDirectory(prefix="assay-bench-")
        self._name = f"bench_{case.replace('-', '_')}_{os.getpid()}_{time.time_ns()}"
        self._case = case

    def __enter__(self) -> str:
        if self._server is None:
            return f"sqlite:///{self._folder.name}/study.db"
        self._admin(f'create database "{self._name}"')
        url = self._server.rsplit("/", 1)[0] + f"/{self._name}"
        return (
            url.replace("postgresql://", "postgresql+psycopg://") if "optuna" in self._case else url
        )

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._admin(f'drop database "{self._name}" with (force)')
        self._folder.cleanup()

    def _admin(self, sql: str) -> None:
        import psycopg

        with psycopg.connect(self._server, autocommit=True) as db:
            db.execute(sql)


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


GROUPS = {f.__name__: f for f in (cost, efficiency, first)}


def main() -> None:
    """Run the groups that are named, or all; the others' results stay as they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP")
    parser.add_argument("--postgres", metavar="URL", help="a server to make databases in")
    parser.add_argument("--runs", type=int, default=3, help="of each case; the median counts")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS, help="lines of `cost`")
    given = parser.parse_args()
    path = RESULTS / "workers.json"
    facts = json.loads(path.read_text()) if path.exists() else {}
    for name in given.groups or GROUPS:
        for line in GROUPS[name](given.postgres, given.runs, given.workers):
            line |= {"runs": given.runs, "load": os.getloadavg()[1]}
            print(line, flush=True)
            old = [one for one in facts.get(name, []) if _key(one) != _key(line)]
            facts[name] = sorted([*old, line], key=_key)
            facts["versions"] = {"Python": platform.python_version()} | {
                package: version(package)
                for package in ("optuna", "ray", "psycopg", "sqlalchemy")
                if _installed(package)
            }
            path.write_text(json.dumps(facts, indent=1) + "\n")
            path.with_suffix(".md").write_text(page(facts))


def _key(line: dict) -> tuple:
    """What a line is about; SQLite first."""
    store = {"SQLite": 0, "PostgreSQL": 1}.get(line.get("store"), 2)
    return store, line.get("workers", 0), line.get("reports", 0), line.get("tool", "")


def page(facts: dict) -> str:
    """The results in words and tables."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    head = (
        f"Written by `python -m benchmarks.workers`. {versions}. Every run is a fresh process, and the "
        "tools take turns; the median of the runs counts. An empty objective with 10 parameters, random "
        "search. *Load* is the mean number of processes at work in the last five minutes when the line "
        f"was measured, on {os.cpu_count()} cores; CPU times rise a little with it, wall times a lot."
    )
    lines = ["# Workers", "", head, ""]
    lines += _costs(facts.get("cost", [])) + _efficiency(facts.get("efficiency", []))
    return "\n".join(lines + _first(facts.get("first", []))) + "\n"


def _costs(found: list[dict]) -> list[str]:
    if not found:
        return []
    lines = [
        "## CPU time of a trial",
        "",
        COUNTED,
        "",
        "| store | worker processes | reports a trial | engine | apart | Optuna | Optuna ÷ engine | Optuna ÷ apart | promised | runs | load |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        ours, apart_, theirs = (one[case]["client_ms"] + one[case]["server_ms"] for case in CASES)
        met = "" if theirs / ours >= PROMISED[one["store"]] else ", **missed**"
        lines.append(
            f"| {one['store']} | {one['workers']} | {one['reports']} | {ours:.2f} | {apart_:.2f} | "
            f"{theirs:.1f}{_fallen(one)} | {theirs / ours:.0f} × | {theirs / apart_:.0f} × | "
            f"≥ {PROMISED[one['store']]} × {met}| {_when(one)}"
        )
    return [*lines, ""]


def _efficiency(found: list[dict]) -> list[str]:
    if not found:
        return []
    lines = [
        "## Two workers, 50 ms of CPU a trial",
        "",
        "Share of the time of two cores that the objective gets (promised: 0.95).",
        "",
        "| store | efficiency | runs | load |",
        "|---|---|---|---|",
    ]
    rows = (f"| {one['store']} | {one['efficiency']:.3f} | {_when(one)}" for one in found)
    return [*lines, *rows, ""]


def _first(found: list[dict]) -> list[str]:
    if not found:
        return []
    lines = [
        "## From the command to the first trial",
        "",
        "Wall seconds from the start of Python to the first line of the objective, two workers. The first",
        "run of each tool, which reads it from the disk, does not count (promised: half of Ray Tune's).",
        "",
        "| tool | seconds | runs | load |",
        "|---|---|---|---|",
    ]
    rows = (f"| {one['tool']} | {one['seconds']:.2f} | {_when(one)}" for one in found)
    return [*lines, *rows, ""]


def _fallen(one: dict) -> str:
    """How many of Optuna's processes ended with an error, which does happen with SQLite."""
    fallen = one["optuna-apart"].get("fallen", 0)
    return (
        f" ({fallen:.0f} of {one['workers']} processes fell: database is locked)" if fallen else ""
    )


def _when(one: dict) -> str:
    return f"{one['runs']} | {one['load']:.0f} |"


if __name__ == "__main__":
    main()
