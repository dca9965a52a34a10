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
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.web.hour import hour, panels_of, served
from benchmarks.web.servers import OPTUNA_DASHBOARD, Dashboard, assay_dashboard, optuna_dashboard
from benchmarks.web.visits import OURS, THEIRS, chromium, page_of, paints, updates

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
    known = {} if given.quick or not RESULTS.exists() else json.loads(RESULTS.read_text())
    for name in given.parts or PARTS:
        begun = os.getloadavg()[0]
        found = PARTS[name](given.quick)
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
    trials = 500 if quick else 10_000
    return {
        "trials": trials,
        "assay": _ours(trials, quick=quick),
        "optuna_dashboard": _measured(
            optuna_dashboard, trials, THEIRS, visits=1 if quick else 5, count=1 if quick else 6, rest_s=11
        ),
    }  # fmt: skip


def _many(quick: bool) -> dict[str, Any]:
    trials = 1000 if quick else 100_000
    return {"trials": trials, "assay": _ours(trials, quick=quick)}


def _ours(trials: int, *, quick: bool) -> dict[str, Any]:
    visits, count = (2, 2) if quick else (9, 30)
    rest_s = 1.5 if trials <= 10_000 else 8.0
    return _measured(assay_dashboard, trials, OURS, visits=visits, count=count, rest_s=rest_s)


def _measured(
    serve: Callable[[Path, int], AbstractContextManager[Dashboard]],
    trials: int,
    wanted: dict[str, str],
    *,
    visits: int,
    count: int,
    rest_s: float,
) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="assay-web-") as folder,
        serve(Path(folder), trials) as dashboard,
        chromium() as browser,
    ):
        page = page_of(browser, dashboard, wanted)
        return {
            "paint_s": paints(page, dashboard, visits=visits),
            "paint_after_a_trial_s": paints(page, dashboard, visits=visits, before=dashboard.grow),
            **updates(page, dashboard.grow, count=count, rest_s=rest_s),
        }


def _hour(quick: bool) -> dict[str, Any]:
    trials, times = (500, 60) if quick else (10_000, 3600)
    with (
        tempfile.TemporaryDirectory(prefix="assay-web-") as folder,
        assay_dashboard(Path(folder), trials) as dashboard,
        chromium() as browser,
    ):
        found = hour(browser, dashboard, trials, updates=times)
    return {**found, "fresh_mb": _fresh(trials + times)}


def _fresh(trials: int) -> float:
    """Memory of a dashboard that was started on a study of this length, all panels asked for once."""
    with (
        tempfile.TemporaryDirectory(prefix="assay-web-") as folder,
        assay_dashboard(Path(folder), trials) as dashboard,
    ):
        return served(dashboard, panels_of(dashboard), updates=1)[-1]["rss_mb"]


PARTS: dict[str, Callable[[bool], dict[str, Any]]] = {
    "beside": _beside,
    "hour": _hour,
    "many": _many,
}


# --- the tables of the page


def _with_tables(text: str, known: dict[str, Any]) -> str:
    tables = [TABLES[name](known[name]) for name in PARTS if name in known]
    made = "\n\n".join((_BEGIN, *tables, _END))
    return re.sub(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", lambda _: made, text, flags=re.DOTALL)


def _said(run: dict[str, Any]) -> str:
    begun, ended = run["load"]
    return f"{run['machine']}; load {begun} when it began, {ended} when it ended."


def _row(head: str, run: dict[str, Any], key: str, of: str) -> str:
    found = run.get(of, {}).get(key)
    return f"| {head} | {'–' if found is None else f'{found:.2f} s'} |"


def _beside_table(run: dict[str, Any]) -> str:
    ours, theirs = run["assay"], run["optuna_dashboard"]

    def paint(head: str, key: str, of: str, there: str) -> str:
        return f"| {head} | {ours[of][key]:.2f} s | {there} |"

    same, grown = theirs["paint_s"]["chart"], theirs["paint_after_a_trial_s"]["chart"]
    rows = [
        f"| {run['trials']:,} trials | Assay | optuna-dashboard |",
        "|---|---|---|",
        paint("verdict card and history are painted", "history", "paint_s", "–"),
        paint("live chart", "chart", "paint_s", f"{same:.2f} s"),
        paint("card and history, a trial ended since the last visit", "history", "paint_after_a_trial_s", "–"),
        paint("live chart, the same", "chart", "paint_after_a_trial_s", f"{grown:.2f} s"),
        *(
            f"| {head} | {ours[key]:,} {unit} | {theirs[key]:,} {unit} |"
            for head, key, unit in (
                ("main thread per update, CPU time", "main_thread_ms_per_update", "ms"),
                ("longest task, wall clock", "longest_task_ms", "ms"),
                ("moved per update", "kilobytes_per_update", "kB"),
            )
        ),
        (f"| heap before and after ({ours['updates']} and {theirs['updates']} updates) "
        f"| {ours['heap_mb'][0]} and {ours['heap_mb'][-1]} MB | {theirs['heap_mb'][0]} and {theirs['heap_mb'][-1]} MB |"),
    ]  # fmt: skip
    return "\n".join([f"**Beside each other.** {_said(run)}", "", *rows])


def _many_table(run: dict[str, Any]) -> str:
    ours = run["assay"]
    rows = [
        f"| {run['trials']:,} trials | Assay |",
        "|---|---|",
        _row("verdict card and history are painted", ours, "history", "paint_s"),
        _row("live chart", ours, "chart", "paint_s"),
        _row("card and history, a trial ended since", ours, "history", "paint_after_a_trial_s"),
        f"| main thread per update, CPU time | {ours['main_thread_ms_per_update']} ms |",
        f"| moved per update | {ours['kilobytes_per_update']:,} kB |",
        f"| heap before and after | {ours['heap_mb'][0]} and {ours['heap_mb'][-1]} MB |",
    ]
    return "\n".join([f"**Many trials.** {_said(run)}", "", *rows])


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
    server = [
        "| updates | server's memory (RSS) | its CPU time |",
        "|---|---|---|",
        *(f"| {m['updates']:,} | {m['rss_mb']} MB | {m['cpu_s']} s |" for m in run["server"]),
    ]
    said = (
        "The server, while the study grew by one trial for each update and all panels were asked for "
        f"(a dashboard that is started on the grown study holds {run['fresh_mb']} MB):"
    )
    return "\n".join([head, "", *rows, "", said, "", *server])


TABLES = {"beside": _beside_table, "hour": _hour_table, "many": _many_table}


if __name__ == "__main__":
    main()
