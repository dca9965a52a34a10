"""The dashboard beside optuna-dashboard: the same trials in both, in one run, in one browser.

    python -m benchmarks.web.dashboards --trials 10000 --out benchmarks/web/results.json

Each server is a process of its own. Measured in headless Chromium, with a warm server:
time from navigation to the first useful paint (our verdict card and history; there: the first
plot of the study's page), main-thread time of an update when a trial ends (sum of tasks over 50 ms
and the longest), bytes that an update moves, and the heap after many updates.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

from assay.core.events import Asked, Told
from assay.stores.sqlite import SqliteStore
from assay.web.lab import key_of
from benchmarks.web.studies import SPACE, events_of, spec_of, trial_events

LONG_TASKS = """
window.tasks = [];
new PerformanceObserver(list => { for (const e of list.getEntries()) window.tasks.push(e.duration); })
  .observe({entryTypes: ['longtask']});
"""


def ours(path: Path, trials: int):
    spec = spec_of(trials + 10_000)
    store = SqliteStore(path)
    store.append("bench", events_of(spec, trials), after=0)
    return spec, store


def theirs(url: str, events) -> None:
    """The same trials as an Optuna study."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=journal(url), study_name="bench", direction="minimize")
    study.add_trials(list(optuna_trials(events)))


def journal(path: str):
    """Optuna's faster storage: 10,000 trials take minutes to be put into its SQLite."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(path))


def optuna_trials(events):
    import optuna

    distributions = {}
    for name in SPACE:
        form = SPACE[name].to_json()
        if "values" in form:
            distributions[name] = optuna.distributions.CategoricalDistribution(form["values"])
        elif form["type"] == "int":
            distributions[name] = optuna.distributions.IntDistribution(form["low"], form["high"])
        else:
            distributions[name] = optuna.distributions.FloatDistribution(
                form["low"], form["high"], log=form["scale"] == "log"
            )
    configs = {}
    for event in events:
        if isinstance(event, Asked):
            configs[event.trial] = event.config
        elif isinstance(event, Told):
            config = configs.pop(event.trial)
            yield optuna.trial.create_trial(
                params=config,
                distributions={n: distributions[n] for n in config},
                value=event.values[0],
            )


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{url} does not answer")


def measure(page, url, ready, *, visits, update, updates, rest_s):
    paints = []
    for _ in range(visits):
        began = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_selector(ready, timeout=120_000)
        paints.append(time.perf_counter() - began)
    page.wait_for_timeout(3000)
    client = page.context.new_cdp_session(page)
    client.send(
        "Performance.enable", {"timeDomain": "threadTicks"}
    )  # CPU time, whoever else is busy
    heap = []

    def collected() -> float:
        client.send("HeapProfiler.collectGarbage")
        found = {m["name"]: m["value"] for m in client.send("Performance.getMetrics")["metrics"]}
        return found["JSHeapUsedSize"] / 1e6, found["TaskDuration"]

    heap.append(collected())
    page.evaluate("window.tasks = []")
    moved = []
    page.on("response", lambda r: moved.append(int(r.headers.get("content-length") or 0)))
    for i in range(updates):
        update()
        page.wait_for_timeout(int(rest_s * 1000))
        if i % max(updates // 10, 1) == 0:
            heap.append(collected())
    tasks = page.evaluate("window.tasks")
    heap.append(collected())
    measures = json.loads(
        page.evaluate(
            "JSON.stringify(performance.getEntriesByType('measure').map(m => m.duration))"
        )
    )
    return {
        "first_useful_paint_s": round(statistics.median(paints), 3),
        "updates": updates,
        "main_thread_ms_per_update": round(1000 * (heap[-1][1] - heap[0][1]) / max(updates, 1), 1),
        "longest_task_ms": round(max(tasks, default=0.0), 1),
        "longest_draw_ms": round(max(measures, default=0.0), 1) if measures else None,
        "kilobytes_per_update": round(sum(moved) / 1000 / max(updates, 1), 1),
        "heap_mb": [round(one[0], 2) for one in heap],
    }


def bench(trials: int, updates: int, rest_s: float, *, optuna: bool) -> dict:
    from playwright.sync_api import sync_playwright

    found: dict = {"trials": trials}
    with tempfile.TemporaryDirectory(prefix="assay-web-") as folder:
        spec, store = ours(Path(folder, "lab.db"), trials)
        rng = np.random.default_rng(7)
        state = {"n": trials}

        def grow() -> list:
            events = trial_events(spec, state["n"], rng, 1)
            store.append("bench", events, after=len_of(store))
            state["n"] += 1
            return events

        length = {"n": None}

        def len_of(store) -> int:
            if length["n"] is None:
                length["n"] = len(store.read("bench"))
            else:
                length["n"] += 2
            return length["n"]

        env = os.environ | {"ASSAY_HOME": folder}
        servers = []
        ours_server = subprocess.Popen(
            [sys.executable, "-m", "assay", "dashboard", f"{folder}/lab.db", "--port", str(free_port())],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env,
        )  # fmt: skip
        servers.append(ours_server)
        link = re.search(r"http://\S+", ours_server.stdout.readline()).group()
        their_url = f"{folder}/optuna.log"
        if optuna:
            theirs(their_url, events_of(spec, trials))
            port = free_port()
            servers.append(
                subprocess.Popen(
                    [Path(sys.executable).with_name("optuna-dashboard"), their_url, "--port", str(port)],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
            )  # fmt: skip
            wait_for(f"http://127.0.0.1:{port}/")
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"),
                    args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
                )
                page = browser.new_page(viewport={"width": 1400, "height": 1000})
                page.add_init_script(LONG_TASKS)
                page.goto(link)
                base = link.partition("/login")[0]
                study = f"{base}/s/{key_of('bench')}"
                page.goto(study)  # warm
                page.wait_for_selector("[data-figure=history] canvas", timeout=120_000)
                found["assay_card"] = measure(
                    page,
                    study,
                    "[data-part=card] .claim",
                    visits=5,
                    update=grow,
                    updates=0,
                    rest_s=0,
                )["first_useful_paint_s"]
                found["assay"] = measure(
                    page, study, "[data-figure=history] canvas", visits=5, update=grow,
                    updates=updates, rest_s=rest_s,
                )  # fmt: skip
                page.close()
                print(json.dumps(found), file=sys.stderr, flush=True)
                if optuna:
                    import optuna as package

                    living = package.load_study(storage=journal(their_url), study_name="bench")

                    def tell() -> None:
                        living.add_trials(
                            list(optuna_trials(trial_events(spec, state["n"], rng, 1)))
                        )
                        state["n"] += 1

                    page = browser.new_page(viewport={"width": 1400, "height": 1000})
                    page.add_init_script(LONG_TASKS)
                    there = (
                        f"http://127.0.0.1:{port}/dashboard/studies/0"  # a journal counts from 0
                    )
                    page.goto(there)
                    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=120_000)
                    found["optuna_dashboard"] = measure(
                        page, there, ".js-plotly-plot .main-svg", visits=3, update=tell,
                        updates=max(min(updates, 10), 1), rest_s=max(rest_s, 11),
                    )  # fmt: skip
                browser.close()
        finally:
            for server in servers:
                server.terminate()
                server.wait(20)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[10_000])
    parser.add_argument("--updates", type=int, default=30)
    parser.add_argument("--rest", type=float, default=1.5, help="seconds between updates")
    parser.add_argument("--alone", action="store_true", help="without optuna-dashboard")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    runs = [bench(n, given.updates, given.rest, optuna=not given.alone) for n in given.trials]
    found = {
        "machine": f"{platform.system()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end",
        "runs": runs,
    }
    text = json.dumps(found, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
