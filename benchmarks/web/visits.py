"""What a browser sees of a dashboard: how soon it paints, and what an update costs the page."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from benchmarks.web.servers import Dashboard

OURS = {
    "card": "[data-part=card] .claim",
    "history": "[data-figure=history] .canvas > svg, [data-figure=history] .canvas canvas",
    "chart": "[data-figure=history] .canvas canvas",
}
THEIRS = {"chart": ".js-plotly-plot .main-svg"}
"""What to wait for: of ours the verdict, the history as the server drew it, and the live chart."""

_PATIENCE_MS = 180_000
_WATCH = """
window.wanted = %s; window.painted = {}; window.tasks = [];
const look = () => {
  for (const [name, selector] of Object.entries(window.wanted)) {
    if (name in window.painted || !document.querySelector(selector)) continue;
    window.painted[name] = null;
    requestAnimationFrame(() => setTimeout(() => { window.painted[name] = performance.now(); }));
  }
};
new MutationObserver(look).observe(document, {childList: true, subtree: true});
new PerformanceObserver((list) => { for (const e of list.getEntries()) window.tasks.push(e.duration); })
  .observe({entryTypes: ["longtask"]});
"""


@contextmanager
def chromium() -> Iterator[Any]:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


def page_of(browser: Any, dashboard: Dashboard, wanted: dict[str, str], **more: Any) -> Any:
    """A page that is logged in and has been there once."""
    page = browser.new_page(**({"viewport": {"width": 1400, "height": 1000}} | more))
    page.set_default_timeout(_PATIENCE_MS)
    page.add_init_script(_WATCH % json.dumps(wanted))
    page.goto(dashboard.link)
    page.goto(dashboard.study)
    page.wait_for_selector(wanted["chart"])
    page.wait_for_timeout(1000)
    return page


class Watch:
    """A page of a dashboard, and what it and its server have spent."""

    def __init__(self, page: Any, dashboard: Dashboard) -> None:
        self.page, self.dashboard = page, dashboard
        self.server = psutil.Process(dashboard.pid)
        self.client = page.context.new_cdp_session(page)
        self.client.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.open = self.answers = self.moved = 0
        page.on("request", self._began)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)
        page.on("response", self._answered)

    def _began(self, request: Any) -> None:
        self.open += request.resource_type != "eventsource"

    def _ended(self, request: Any) -> None:
        self.open -= request.resource_type != "eventsource"

    def _answered(self, response: Any) -> None:
        self.answers += 1
        self.moved += int(response.headers.get("content-length") or 0)

    def spent(self) -> tuple[float, float]:
        """CPU seconds of the page's main thread and of the server."""
        found = {
            m["name"]: m["value"] for m in self.client.send("Performance.getMetrics")["metrics"]
        }
        cpu = self.server.cpu_times()
        return found["TaskDuration"], cpu.user + cpu.system

    def visit(self) -> dict[str, float]:
        """One visit: seconds from navigation to the frame with each thing, by the browser's own clock.

        With them the CPU seconds of page and server until all of them were there. The page is left
        again, so that it does not disturb the other dashboard.
        """
        server = self.spent()[1]
        self.page.goto(self.dashboard.study, wait_until="commit")
        names = list(self.page.evaluate("Object.keys(window.wanted)"))
        while not all(self.page.evaluate("window.painted").get(name) for name in names):
            self.page.wait_for_timeout(25)
        after = self.spent()
        painted = self.page.evaluate("window.painted")
        self.leave()
        return {
            **{name: at / 1000 for name, at in painted.items()},
            "page_cpu": after[0], "server_cpu": after[1] - server,
        }  # fmt: skip

    def leave(self) -> None:
        """Go to an empty page."""
        self.page.goto("about:blank")
        self.open = 0
        self.page.wait_for_timeout(300)

    def updates(self, count: int) -> dict[str, float]:
        """What one more trial costs while the page is open, the mean of so many; and its heap.

        A panel that took long is drawn anew only after a while, so one update may be paid for in
        the time of the next: all of them are measured in one.
        """
        self.page.goto(self.dashboard.study)
        self.page.wait_for_selector(next(iter(self.page.evaluate("window.wanted").values())))
        self._rest()
        heap = collected(self.client)["heap_mb"]
        self.page.evaluate("window.tasks = []")
        before, moved = self.spent(), self.moved
        for _ in range(count):
            answers = self.answers
            self.dashboard.grow()
            give_up = time.monotonic() + _PATIENCE_MS / 1000
            while self.answers == answers and time.monotonic() < give_up:
                self.page.wait_for_timeout(100)
            self._rest()
        after = self.spent()
        found = {
            "main_thread_ms": 1000 * (after[0] - before[0]) / count,
            "server_ms": 1000 * (after[1] - before[1]) / count,
            "moved_kb": (self.moved - moved) / 1000 / count,
            "longest_task_ms": max(self.page.evaluate("window.tasks"), default=0.0),
            "heap_before_mb": heap,
            "heap_after_mb": collected(self.client)["heap_mb"],
        }
        self.leave()
        return found

    def _rest(self) -> None:
        """Until nothing is under way: no request, and the page's main thread idle for two seconds."""
        give_up, quiet = time.monotonic() + _PATIENCE_MS / 1000, 0
        before = self.spent()[0]
        while quiet < 4 and time.monotonic() < give_up:
            self.page.wait_for_timeout(500)
            now = self.spent()[0]
            quiet = 0 if self.open > 0 or now - before > 0.015 else quiet + 1
            before = now


def collected(client: Any) -> dict[str, float]:
    """The page's memory after a collection."""
    client.send("HeapProfiler.collectGarbage")
    found = {m["name"]: m["value"] for m in client.send("Performance.getMetrics")["metrics"]}
    return {
        "heap_mb": round(found["JSHeapUsedSize"] / 1e6, 2),
        "nodes": int(found["Nodes"]),
        "listeners": int(found["JSEventListeners"]),
        "task_s": found["TaskDuration"],
    }
