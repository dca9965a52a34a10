"""Run every case several times, alternating the tools, and write results/core.json and core.md."""

from __future__ import annotations

import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
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


def main() -> None:
    lines: list[dict] = []

    def add(what: str, ours: float, theirs: float | None, unit: str, target: str, ok: bool) -> None:
        line = {
            "what": what,
            "assay": ours,
            "optuna": theirs,
            "unit": unit,
            "target": target,
            "met": ok,
        }
        lines.append(line)
        print(line, flush=True)

    runs = paired("import", ["assay", "study", "optuna"], 0)
    a, s, o = (median(runs[t], "cpu_s") for t in ("assay", "study", "optuna"))
    add("import", a, o, "CPU s", "≤ 0.6 ×", a <= 0.6 * o)
    add("import and first use of Study", s, o, "CPU s", "none", True)

    runs = paired("memory", ["assay", "optuna"], 100_000)
    a, o = (median(runs[t], "us_per_trial") for t in ("assay", "optuna"))
    add("random ask + tell in memory after 100,000 trials", a, o, "µs CPU", "≤ 0.5 ×", a <= 0.5 * o)

    runs = paired("sqlite", ["assay", "optuna"], 300)
    a, o = (median(runs[t], "us_per_trial") for t in ("assay", "optuna"))
    add("random ask + tell, SQLite, durable", a, o, "µs CPU", "≤ 1/20 ×", a <= o / 20)
    journal = paired("journal", ["optuna"], 300)
    j = median(journal["optuna"], "us_per_trial")
    add("the same against Optuna's journal file", a, j, "µs CPU", "≤ 1/3 ×", a <= j / 3)

    folder = Path(tempfile.mkdtemp(prefix="assay-bench-"))
    once("fill", "assay", 100_000, folder)
    once("fill", "journal", 100_000, folder)
    runs = paired("open", ["assay", "journal"], 100_000, folder)
    shutil.rmtree(folder, ignore_errors=True)
    for key, unit, share in (("cpu_s", "CPU s", 0.2), ("mb", "MB", 0.5)):
        a, o = (median(runs[t], key) for t in ("assay", "journal"))
        add(
            "open a study of 100,000 trials, read its best",
            a,
            o,
            unit,
            f"≤ {share} ×",
            a <= share * o,
        )

    engine = paired("engine", ["assay"], 1000)
    a = median(engine["assay"], "ms_per_trial")
    add("engine, warm worker, all processes", a, None, "ms CPU a trial", "≤ 2", a <= 2)
    efficiency = paired("efficiency", ["assay"], 400)
    a = median(efficiency["assay"], "efficiency")
    add("two workers, 20 ms of CPU a trial", a, None, "efficiency", "≥ 0.9", a >= 0.9)
    write(lines)


def write(lines: list[dict]) -> None:
    RESULTS.mkdir(exist_ok=True)
    facts = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "optuna": version("optuna"),
        "runs": RUNS,
        "lines": lines,
    }
    (RESULTS / "core.json").write_text(json.dumps(facts, indent=1) + "\n")
    rows = [
        f"| {x['what']} | {x['assay']:.4g} | {'–' if x['optuna'] is None else format(x['optuna'], '.4g')} "
        f"| {x['unit']} | {x['target']} | {'yes' if x['met'] else '**no**'} |"
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
