"""The dashboard beside optuna-dashboard, an hour of updates, and 100,000 trials: all of it, in one command.

    python -m benchmarks.web

Writes results.json and the tables of README.md, each part when it is measured. It takes about half
an hour; times of painting mean something on a quiet machine only, so the load is kept beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from assay.api.opened import open_study
from benchmarks.web.hour import answer, hour, panels_of, served
from benchmarks.web.servers import (
    NAME,
    OPTUNA_DASHBOARD,
    Dashboard,
    assay_dashboard,
    assay_storage,
    dashboard_of,
    optuna_dashboard,
)
from benchmarks.web.visits import OURS, THEIRS, Watch, chromium, page_of

HERE = Path(__file__).parent
RESULTS, README = HERE / "results.json", HERE / "README.md"
_BEGIN, _END = "<!-- measured -->", "<!-- until here -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", help=f"some of {', '.join(PARTS)}; all if none is named"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small studies, to see that it runs; nothing is kept"
    )
    given = parser.parse_args()
    if not (OPTUNA_DASHBOARD.exists() and shutil.which("chromium")):
        raise SystemExit(
            "This needs Chromium, playwright and optuna-dashboard: pip install optuna-dashboard"
        )
    for name in given.parts or PARTS:
        begun = os.getloadavg()[0]
        found = PARTS[name](given.quick)
        known = {} if given.quick or not RESULTS.exists() else json.loads(RESULTS.read_text())
        known[name] = {
            **found,
            "machine": _machine(),
            "load": [round(begun, 1), round(os.getloadavg()[0], 1)],
        }
        print(json.dumps({name: known[name]}, indent=1), file=sys.stderr, flush=True)
        if not given.quick:
            RESULTS.write_text(json.dumps(known, indent=1) + "\n")
            README.write_text(_with_tables(README.read_text("utf-8"), known), "utf-8")


def _machine() -> str:
    return f"{platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}"


# --- parts


def _beside(quick: bool) -> dict[str, Any]:
    return _paired(500, rounds=1, updates=(2, 1)) if quick else _paired(10_000)


def _many(quick: bool) -> dict[str, Any]:
    return _paired(1000, rounds=1, updates=(2, 1)) if quick else _paired(100_000, rounds=3, times=3)


def _paired(
    trials: int, *, rounds: int = 9, updates: tuple[int, int] = (6, 2), times: int = 5
) -> dict[str, Any]:
    """Both dashboards, each on the same trials, in one run and by turns.

    A visit of each so many times, then a visit of each after a trial has ended, then, `times` times,
    so many updates of each while it alone is open.
    """
    with (
        tempfile.TemporaryDirectory(prefix="assay-web-") as folder,
        assay_dashboard(Path(folder), trials) as ours,
        optuna_dashboard(Path(folder), trials) as theirs,
        chromium() as browser,
    ):
        watches = {
            "assay": Watch(page_of(browser, ours, OURS), ours),
            "optuna_dashboard": Watch(page_of(browser, theirs, THEIRS), theirs),
        }
        found: dict[str, Any] = {name: {} for name in watches}
        for watch in watches.values():
            watch.leave()
        for part in ("visit", "visit_after_a_trial"):
            for _ in range(rounds):
                for name, watch in watches.items():
                    if part == "visit_after_a_trial":
                        watch.dashboard.grow()
                    _gather(found[name].setdefault(part, {}), watch.visit())
                    print(name, part, file=sys.stderr, flush=True)
        for _ in range(1 if rounds == 1 else times):
            for count, (name, watch) in zip(updates, watches.items(), strict=True):
                _gather(found[name].setdefault("update", {}), watch.updates(count))
                print(name, "updates", file=sys.stderr, flush=True)
    return {"trials": trials, "rounds": rounds, "updates": updates, "times": times, **found}


def _gather(kept: dict[str, list[float]], new: dict[str, float]) -> None:
    for name, amount in new.items():
        kept.setdefault(name, []).append(round(amount, 4))


def _hour(quick: bool) -> dict[str, Any]:
    trials, times = (500, 60) if quick else (10_000, 3600)
    with (
        tempfile.TemporaryDirectory(prefix="assay-web-") as folder,
        assay_dashboard(Path(folder), trials) as dashboard,
        chromium() as browser,
    ):
        return hour(browser, dashboard, trials, updates=times)


def _served(quick: bool) -> dict[str, Any]:
    trials, times = (500, 60) if quick else (10_000, 3600)
    with (
        tempfile.TemporaryDirectory(prefix="assay-web-") as folder,
        assay_dashboard(Path(folder), trials) as dashboard,
    ):
        found = served(dashboard, panels_of(dashboard), updates=times)
    return {"trials": trials, "updates": times, "server": found, "fresh_mb": _fresh(trials + times)}


def _fresh(trials: int) -> float:
    """Memory of a dashboard that was started on a study of this length, all panels asked for once."""
    with (
        tempfile.TemporaryDirectory(prefix="assay-web-") as folder,
        assay_dashboard(Path(folder), trials) as dashboard,
    ):
        return served(dashboard, panels_of(dashboard), updates=1)[-1]["rss_mb"]


def _million(quick: bool) -> dict[str, Any]:
    """Both ways to open a study of a million events: by its log, and by the snapshot of a driver."""
    trials = 2_000 if quick else 500_000
    with (
        tempfile.TemporaryDirectory(prefix="assay-web-") as folder,
        assay_storage(Path(folder), trials) as (path, grow),
    ):
        with dashboard_of(path, grow) as found:
            by_log = _answered(found)
        open_study(str(path), NAME).close()
        with dashboard_of(path, grow) as found:
            by_snapshot = _answered(found)
    return {"trials": trials, "log": by_log, "snapshot": by_snapshot}


def _answered(dashboard: Dashboard) -> dict[str, Any]:
    """CPU seconds of the server for the pages and all that they ask for, and its memory after each."""
    server = psutil.Process(dashboard.pid)
    found, spent = {}, 0.0
    for turn in ("first", "after a trial"):
        if turn != "first":
            dashboard.grow()
        for page in ("overview", "explore"):
            for path in panels_of(dashboard, "" if page == "overview" else f"/{page}"):
                answer(dashboard, path)
            cpu = server.cpu_times()
            now = cpu.user + cpu.system
            rss = server.memory_info().rss / 1e6
            found[f"{page}, {turn}"] = {"cpu_s": round(now - spent, 2), "rss_mb": round(rss, 1)}
            spent = now
    return found


PARTS: dict[str, Callable[[bool], dict[str, Any]]] = {
    "beside": _beside,
    "hour": _hour,
    "served": _served,
    "many": _many,
    "million": _million,
}


# --- the tables of the page


def _with_tables(text: str, known: dict[str, Any]) -> str:
    tables = [TABLES[name](known[name]) for name in PARTS if name in known]
    made = "\n\n".join((_BEGIN, *tables, _END))
    return re.sub(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", lambda _: made, text, flags=re.DOTALL)


def _said(run: dict[str, Any]) -> str:
    begun, ended = run["load"]
    return f"{run['machine']}; load {begun} when it began, {ended} when it ended."


def _spread(amounts: list[float], unit: str, digits: int) -> str:
    """The median, and the lowest and the highest."""
    shown = [f"{x:,.{digits}f}" for x in (statistics.median(amounts), min(amounts), max(amounts))]
    return f"{shown[0]} {unit} ({shown[1]} to {shown[2]})"


_VISIT = (
    ("verdict card is painted", "card", None),
    ("history is painted, as the server drew it", "history", None),
    ("live chart", "chart", "chart"),
    ("CPU time of the page until then", "page_cpu", "page_cpu"),
    ("CPU time of the server until then", "server_cpu", "server_cpu"),
)
_UPDATE = (
    ("main thread, CPU time", "main_thread_ms", "ms", 0),
    ("server, CPU time", "server_ms", "ms", 0),
    ("longest task, wall clock", "longest_task_ms", "ms", 0),
    ("moved", "moved_kb", "kB", 0),
    ("heap before", "heap_before_mb", "MB", 1),
    ("heap after", "heap_after_mb", "MB", 1),
)


def _paired_table(head: str, run: dict[str, Any]) -> str:
    """The median and the range of both, by turns in one run."""
    ours, theirs = run["assay"], run["optuna_dashboard"]
    rows = [f"| {run['trials']:,} trials | Assay | optuna-dashboard |", "|---|---|---|"]
    for part, when in (
        ("visit", "a visit"),
        ("visit_after_a_trial", "a visit after a trial ended"),
    ):
        for what, one, other in _VISIT:
            there = _spread(theirs[part][other], "s", 2) if other else "–"
            rows.append(f"| {when}: {what} | {_spread(ours[part][one], 's', 2)} | {there} |")
    for what, name, unit, digits in _UPDATE:
        both = (_spread(one["update"][name], unit, digits) for one in (ours, theirs))
        rows.append(f"| an update: {what} | {' | '.join(both)} |")
    few, fewer = run["updates"]
    said = (
        f"Median (lowest to highest) of {run['rounds']} visits of each kind, by turns, and of the means of "
        f"{few} and {fewer} updates, {run.get('times', 5)} times each."
    )
    return "\n".join([f"**{head}.** {_said(run)} {said}", "", *rows])


def _hour_table(run: dict[str, Any]) -> str:
    rows = [
        "| updates | heap | DOM nodes | listeners | CPU time of the main thread |",
        "|---|---|---|---|---|",
        *(
            f"| {m['updates']:,} | {m['heap_mb']} MB | {m['nodes']:,} | {m['listeners']} | {m['task_s']} s |"
            for m in run["page"]
        ),
    ]  # fmt: skip
    head = (
        f"**An hour.** {run['updates']:,} updates of a page of {run['trials']:,} trials with {run['panels']} panels in "
        f"view, {run['answers']:,} answers drawn. {_said(run)}"
    )
    return "\n".join([head, "", *rows])


def _served_table(run: dict[str, Any]) -> str:
    rows = [
        "| updates | server's memory (RSS) | in use | free, but kept | blocks of Python's objects | its CPU time |",
        "|---|---|---|---|---|---|",
        *(
            f"| {m['updates']:,} | {m['rss_mb']} MB | {m['in_use_mb']} MB | {m['free_mb']} MB "
            f"| {m['python_blocks']:,} | {m['cpu_s']} s |"
            for m in run["server"]
        ),
    ]
    head = (
        f"**The server's hour.** The study of {run['trials']:,} trials grew by {run['updates']:,}, and after each all "
        f"panels were asked for. A dashboard that is started on the grown study holds {run['fresh_mb']} MB. {_said(run)}"
    )
    return "\n".join([head, "", *rows])


def _million_table(run: dict[str, Any]) -> str:
    rows = [
        f"| {run['trials']:,} trials | by the log | by the snapshot of a driver | memory after it (RSS) |",
        "|---|---|---|---|",
        *(
            f"| {name} | {one['cpu_s']} s | {run['snapshot'][name]['cpu_s']} s "
            f"| {one['rss_mb']:.0f} and {run['snapshot'][name]['rss_mb']:.0f} MB |"
            for name, one in run["log"].items()
        ),
    ]
    said = "CPU seconds of the server for a page and every panel of it; the first holds the start."
    return "\n".join([f"**A million events.** {_said(run)} {said}", "", *rows])


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "beside": lambda run: _paired_table("Beside each other", run),
    "hour": _hour_table,
    "served": _served_table,
    "million": _million_table,
    "many": lambda run: _paired_table("Many trials", run),
}


if __name__ == "__main__":
    main()
