"""What a browser sees of a dashboard: how soon it paints, and what an update costs the page."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

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


def paints(
    page: Any, dashboard: Dashboard, *, visits: int, before: Callable[[], None] | None = None
) -> dict[str, float]:
    """Seconds from navigation to the frame with each thing that is wanted, by the browser's own clock.

    The median of several visits; `before`: what happens before each.
    """
    found: dict[str, list[float]] = {}
    for _ in range(visits):
        if before:
            before()
        page.goto(dashboard.study, wait_until="commit")
        names = list(page.evaluate("Object.keys(window.wanted)"))
        while not all(page.evaluate("window.painted").get(name) for name in names):
            page.wait_for_timeout(25)
        painted = page.evaluate("window.painted")
        first = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        for name, at in {**painted, "anything": page.evaluate(first)}.items():
            if at is not None:
                found.setdefault(name, []).append(at / 1000)
        page.wait_for_timeout(500)
    return {name: round(statistics.median(times), 3) for name, times in sorted(found.items())}


def updates(page: Any, grow: Callable[[], None], *, count: int, rest_s: float) -> dict[str, Any]:
    """What one more trial costs the page, CPU time of its main thread, whoever else is busy."""
    page.wait_for_timeout(3000)
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.evaluate("window.tasks = []")
    moved: list[int] = []
    page.on("response", lambda r: moved.append(int(r.headers.get("content-length") or 0)))
    heap = [collected(client)]
    for i in range(count):
        grow()
        page.wait_for_timeout(int(rest_s * 1000))
        if i % max(count // 5, 1) == 0:
            heap.append(collected(client))
    heap.append(collected(client))
    tasks = page.evaluate("window.tasks")
    return {
        "updates": count,
        "main_thread_ms_per_update": round(
            1000 * (heap[-1]["task_s"] - heap[0]["task_s"]) / count, 1
        ),
        "longest_task_ms": round(max(tasks, default=0.0), 1),
        "kilobytes_per_update": round(sum(moved) / 1000 / count, 1),
        "heap_mb": [one["heap_mb"] for one in heap],
    }


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
