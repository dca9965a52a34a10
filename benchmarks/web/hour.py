"""An hour of updates in a few minutes: the page's clock is moved on, its server is a recording.

The page updates each panel at most once a second, so an hour is 3,600 updates. Its own code runs,
with the answers that the real dashboard gave while its study grew by a dozen trials, one after
the other, again and again; only time, the open line and the network are played.

`served` is the other half: the real server, while its study really grows by as many trials and every
panel is asked for after each, by six lines at a time as a browser does.
"""

from __future__ import annotations

import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from benchmarks.web.servers import Dashboard
from benchmarks.web.visits import OURS, collected

_RECORDED = 12
_LINES = 6
_PLAYED = """
window.EventSource = class {
  constructor() { window.line = this; this.readyState = 1; setTimeout(() => this.onopen?.()); }
  close() {}
};
const real = window.fetch;
window.answered = 0;
window.fetch = async (address, more) => {
  const path = new URL(address, location.href).pathname;
  const answers = window.recording?.[path];
  if (!answers) return real(address, more);
  window.answered += 1;
  const kind = path.includes("/figure/") ? "application/json" : "text/html";
  return new Response(answers[window.turn % answers.length], {headers: {"Content-Type": kind, "ETag": `"${window.turn}"`}});
};
window.push = (turn, pulse) => { window.turn = turn; window.line.onmessage({data: JSON.stringify(pulse)}); };
"""


def recorded(dashboard: Dashboard, paths: list[str]) -> dict[str, list[str]]:
    """What the dashboard answers to each address while its study grows."""
    found: dict[str, list[str]] = {path: [] for path in paths}
    for _ in range(_RECORDED):
        dashboard.grow()
        for path in paths:
            found[path].append(answer(dashboard, path).decode())
    return found


def panels_of(dashboard: Dashboard, page: str = "") -> list[str]:
    """The address of each panel of the overview, or of another page of the study."""
    path = "/s/" + dashboard.study.rpartition("/")[2]
    found = re.findall(r'data-(figure|part)="(\w+)"', answer(dashboard, path + page).decode())
    return [f"{path}/{kind}/{name}" for kind, name in found]


def answer(dashboard: Dashboard, path: str) -> bytes:
    """What the dashboard answers to whoever has its token."""
    request = urllib.request.Request(dashboard.study.partition("/s/")[0] + path)
    request.add_header("Authorization", f"Bearer {dashboard.token}")
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


def served(dashboard: Dashboard, paths: list[str], *, updates: int) -> list[dict[str, Any]]:
    """The server's memory and CPU time over so many updates, every panel asked for after each."""
    server = psutil.Process(dashboard.pid)
    marks = []
    with ThreadPoolExecutor(_LINES) as lines:
        for turn in range(1, updates + 1):
            dashboard.grow()
            list(lines.map(lambda path: answer(dashboard, path), paths))
            if _is_mark(turn, updates):
                cpu = server.cpu_times()
                spent = round(cpu.user + cpu.system, 1)
                marks.append({"updates": turn, "cpu_s": spent, **dashboard.account()})
    return marks


def _is_mark(turn: int, updates: int) -> bool:
    return turn % max(updates // 12, 1) == 0 or turn == 60


def hour(browser: Any, dashboard: Dashboard, trials: int, *, updates: int = 3600) -> dict[str, Any]:
    """The page's memory over an hour of updates, all panels of the overview in view."""
    page = browser.new_page(viewport={"width": 1400, "height": 4000})
    page.add_init_script(_PLAYED)
    page.clock.install()
    page.goto(dashboard.link)
    page.goto(dashboard.study)
    page.clock.run_for(3000)
    page.wait_for_selector(OURS["chart"], timeout=120_000)
    paths = panels_of(dashboard)
    page.evaluate("r => { window.recording = r; window.turn = 0; }", recorded(dashboard, paths))
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    pulse = {"length": 10 * trials, "trials": trials, "ended": trials, "phase": "search", "done": trials,
             "total": 10 * trials, "driver": "", "steered": ""}  # fmt: skip
    marks = []
    for turn in range(1, updates + 1):
        now = {**pulse, "length": pulse["length"] + turn, "ended": trials + turn}
        page.evaluate("([turn, pulse]) => window.push(turn, pulse)", [turn, now])
        page.clock.run_for(1000)
        if _is_mark(turn, updates):
            marks.append({"updates": turn, **collected(client)})
    answered = page.evaluate("window.answered")
    page.close()
    for mark in marks:
        mark["task_s"] = round(mark["task_s"], 2)
    return {
        "trials": trials,
        "updates": updates,
        "panels": len(paths),
        "answers": answered,
        "page": marks,
    }
