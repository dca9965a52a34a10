"""Run every case several times, alternating the tools, and write results/core.json and core.md."""

from __future__ import annotations

import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent.parent / "results"
RUNS = 5


def once(case: str, tool: str, n: int, folder: Path | None = None) -> dict[str, float]:
    """One measured program in a fresh process."""
    own = folder or Path(tempfile.mkdtemp(prefix="assay-bench-"))
    command = [sys.executable, "-m", "benchmarks.core.cases", case, tool, str(n), str(own)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{case} {tool} failed:\n{error.stderr}")
    finally:
        if folder is None:
            shutil.rmtree(own, ignore_errors=True)
    return json.loads(done.stdout.splitlines()[-1])


def paired(
    case: str, tools: list[str], n: int, folder: Path | None = None
) -> dict[str, list[dict]]:
    """RUNS runs of each tool, taking turns."""
    found: dict[str, list[dict]] = {tool: [] for tool in tools}
    for _ in range(RUNS):
        for tool in tools:
            found[tool].append(once(case, tool, n, folder))
    return found


def median(runs: list[dict], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def line(
    what: str, ours: float, theirs: float | None, unit: str, target: str, ok: bool | None
) -> dict:
    """One line of the table; `ok` is None where nothing was promised."""
    return {
        "what": what,
        "assay": ours,
        "optuna": theirs,
        "unit": unit,
        "target": target,
        "met": ok,
    }


def imports() -> Iterator[dict]:
    runs = paired("import", ["assay", "study", "optuna"], 0)
    a, s, o = (median(runs[t], "cpu_s") for t in ("assay", "study", "optuna"))
    yield line("import", a, o, "CPU s", "≤ 0.6 ×", a <= 0.6 * o)
    yield line("import and first use of Study", s, o, "CPU s", "–", None)


def memory() -> Iterator[dict]:
    runs = paired("memory", ["assay", "optuna"], 100_000)
    a, o = (median(runs[t], "us_per_trial") for t in ("assay", "optuna"))
    what = "random ask + tell in memory after 100,000 trials"
    yield line(what, a, o, "µs CPU", "≤ 0.5 ×", a <= 0.5 * o)


def stores() -> Iterator[dict]:
    runs = paired("sqlite", ["assay", "optuna"], 300)
    a, o = (median(runs[t], "us_per_trial") for t in ("assay", "optuna"))
    yield line("random ask + tell, SQLite, durable", a, o, "µs CPU", "≤ 1/20 ×", a <= o / 20)
    j = median(paired("journal", ["optuna"], 300)["optuna"], "us_per_trial")
    yield line("the same against Optuna's journal file", a, j, "µs CPU", "≤ 1/3 ×", a <= j / 3)


def opening() -> Iterator[dict]:
    folder = Path(tempfile.mkdtemp(prefix="assay-bench-"))
    once("fill", "assay", 100_000, folder)
    once("fill", "journal", 100_000, folder)
    runs = paired("open", ["assay", "journal"], 100_000, folder)
    shutil.rmtree(folder, ignore_errors=True)
    for key, unit, share in (("cpu_s", "CPU s", 0.2), ("mb", "MB", 0.5)):
        a, o = (median(runs[t], key) for t in ("assay", "journal"))
        what = "open a study of 100,000 trials, read its best"
        yield line(what, a, o, unit, f"≤ {share} ×", a <= share * o)


def engine() -> Iterator[dict]:
    a = median(paired("engine", ["assay"], 1000)["assay"], "ms_per_trial")
    what = "engine, warm worker, all processes"
    yield line(what, a, None, "ms CPU a trial", "≤ 2", a <= 2)


def workers() -> Iterator[dict]:
    a = median(paired("efficiency", ["assay"], 400)["assay"], "efficiency")
    yield line("two workers, 20 ms of CPU a trial", a, None, "efficiency", "≥ 0.9", a >= 0.9)


GROUPS = {f.__name__: f for f in (imports, memory, stores, opening, engine, workers)}


def main() -> None:
    """Run the groups that are named, or all; other lines of the results stay as they are."""
    for name in sys.argv[1:] or GROUPS:
        found = []
        for one in GROUPS[name]():
            found.append({"group": name, **one})
            print(one, flush=True)
        write(name, found)


def write(group: str, found: list[dict]) -> None:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "core.json"
    old = json.loads(path.read_text())["lines"] if path.exists() else []
    by_group = {name: [x for x in old if x["group"] == name] for name in GROUPS} | {group: found}
    lines = [x for name in GROUPS for x in by_group[name]]
    facts = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "optuna": version("optuna"),
        "runs": RUNS,
        "lines": lines,
    }
    path.write_text(json.dumps(facts, indent=1) + "\n")
    said = {True: "yes", False: "**no**", None: "–"}
    rows = [
        f"| {x['what']} | {x['assay']:.4g} | {'–' if x['optuna'] is None else format(x['optuna'], '.4g')} "
        f"| {x['unit']} | {x['target']} | {said[x['met']]} |"
        for x in lines
    ]
    versions = f"Python {facts['python']}, Optuna {facts['optuna']}"
    head = [
        f"Medians of {RUNS} alternating runs, each in a fresh process. {versions}.",
        "",
        "| what | assay | Optuna | unit | target | met |",
        "|---|---|---|---|---|---|",
    ]
    (RESULTS / "core.md").write_text("\n".join([*head, *rows]) + "\n")


if __name__ == "__main__":
    main()
