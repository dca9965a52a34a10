"""The dashboard in a real browser: live, reconnecting, by keyboard, in every size and theme."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.web.studies import events_of, spec_of
from tests.web.conftest import filled

import assay
from assay.core.events import Noted, Steered
from assay.web.lab import Lab, key_of

ROOT = Path(__file__).resolve().parents[2]
SLOW_MS = 30_000


class Seen:
    """What a page did that it must not do."""

    def __init__(self, page, url):
        self.faults, self.asked = [], []
        page.on("console", lambda m: m.type in ("error", "warning") and self.faults.append(m.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda d: (self.faults.append(d.message), d.dismiss()))
        page.on("request", lambda r: self.asked.append(r.url))
        self.url = url

    def check(self):
        assert self.faults == []
        assert [url for url in self.asked if not url.startswith((self.url, "data:"))] == []


@contextmanager
def opened(browser, server, path="/", *, width=1280, height=900, theme="light"):
    """A page of the dashboard, logged in, with what it did wrong."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    context.set_default_timeout(SLOW_MS)
    context.add_cookies([server.cookie])
    page = context.new_page()
    seen = Seen(page, server.url)
    page.goto(server.url + path)
    try:
        yield page, seen
    finally:
        context.close()


def drawn(page, figure):
    """Wait until a figure is on its canvas."""
    page.locator(f"[data-figure={figure}]").scroll_into_view_if_needed()
    page.wait_for_selector(f"[data-figure={figure}] canvas")


def until(page, holds, arg=None):
    """Wait until this JavaScript holds; the page's policy lets nothing else wait inside it."""
    give_up = time.monotonic() + SLOW_MS / 1000
    while not page.evaluate(holds, arg):
        assert time.monotonic() < give_up, holds
        page.wait_for_timeout(50)


def violations(page, axe):
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A storage with a study of 10,000 trials."""
    path = tmp_path_factory.mktemp("many") / "lab.db"
    spec = spec_of(10_000)
    filled(path, "many", events_of(spec, 10_000, running=2))
    return path


@pytest.fixture(scope="module")
def labs(lab, many, serve):
    """A dashboard of each storage."""
    return {"many": serve(many), **dict.fromkeys(("empty", "one", "hundred", "two"), serve(lab))}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1920])
@pytest.mark.parametrize("name", ["empty", "one", "hundred", "many", "two"])
def test_every_size_fits_and_is_usable_by_all(name, width, theme, labs, browser, axe):
    with opened(browser, labs[name], width=width, theme=theme) as (page, seen):
        for path in ("", "/explore"):
            page.goto(f"{labs[name].url}/s/{key_of(name)}{path}")
            page.wait_for_selector('.live[data-state="live"]')
            if name not in ("empty", "one"):
                first = "pareto_front" if name == "two" else "history"
                drawn(page, "parallel_coordinate" if path else first)
            until(
                page,
                "[...document.querySelectorAll('.about')].slice(0, 1).every(e => e.textContent)",
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert violations(page, axe) == []
        seen.check()


@pytest.mark.parametrize("name", ["hundred", "two", "empty"])
def test_the_report_is_usable_by_all(name, lab, browser, axe, tmp_path):
    with assay.open_study(str(lab), name, readonly=True) as study:
        study.report(tmp_path / "report.html")
    context = browser.new_context(bypass_csp=True, viewport={"width": 360, "height": 800})
    page = context.new_page()
    seen = Seen(page, "file:")
    page.goto((tmp_path / "report.html").as_uri())
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert violations(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    seen.check()
    context.close()


@pytest.mark.parametrize("size", [0, 1, 100, 10_000])
def test_a_study_is_seen_as_it_grows(size, growing, serve, browser):
    path, grow = growing(size)
    server = serve(path)
    with opened(browser, server, f"/s/{key_of('live')}") as (page, seen):
        page.wait_for_selector('.live[data-state="live"]')
        ended = page.locator("[data-pulse=ended]")
        assert ended.text_content() == f"{size:,}"
        before = page.locator("[data-figure=history] .about").text_content()
        grow(15)
        now = f"{size + 15:,}"
        until(page, "now => document.querySelector('[data-pulse=ended]').textContent === now", now)
        drawn(page, "history")
        until(
            page,
            "before => document.querySelector('[data-figure=history] .about').textContent !== before",
            before,
        )
        until(
            page,
            "now => document.querySelector('[data-part=card] .spent').textContent.startsWith(`${now} trials`)",
            now,
        )
        spent = [
            m["duration"]
            for m in json.loads(
                page.evaluate("JSON.stringify(performance.getEntriesByType('measure'))")
            )
        ]
        assert spent
        seen.check()


def test_the_list_of_studies_is_seen_as_it_grows(growing, serve, browser):
    path, grow = growing(5)
    server = serve(path)
    trials = "document.querySelector('[data-of=trials]')?.textContent"
    with opened(browser, server) as (page, seen):
        page.wait_for_selector('.live[data-state="live"]')
        page.locator("input[name=study]").check()
        page.locator("th a").focus()
        grow(4)
        until(page, f"{trials} === '9'")
        assert page.locator("input[name=study]").is_checked(), "what was chosen stays chosen"
        assert page.evaluate("document.activeElement.tagName") == "A", "the focus stays too"
        server.stop()
        page.wait_for_selector('.live[data-state="lost"]')
        filled(path, "younger", events_of(spec_of(3), 3))
        server.start()
        until(page, f"{trials} === '3'")
        assert page.locator("input[name=study]").count() == 2
        seen.faults.clear()  # the browser's own words about the line that was cut
        seen.check()


def test_a_list_without_studies_shows_the_first_one_by_itself(tmp_path, serve, browser):
    path = tmp_path / "later.db"
    server = serve(path)
    with opened(browser, server) as (page, seen):
        page.wait_for_selector('.live[data-state="live"]')
        assert "No study is here yet" in page.locator("main").text_content()
        filled(path, "first", events_of(spec_of(3), 3))
        page.wait_for_selector("table.studies")
        seen.check()


def test_a_page_goes_on_when_the_server_was_started_again(growing, serve, browser):
    path, grow = growing(5)
    server = serve(path)
    with opened(browser, server, f"/s/{key_of('live')}") as (page, _):
        page.wait_for_selector('.live[data-state="live"]')
        server.stop()
        page.wait_for_selector('.live[data-state="lost"]')
        grow(4)
        server.start()
        page.wait_for_selector('.live[data-state="live"]')
        until(page, "document.querySelector('[data-pulse=ended]').textContent === '9'")


def test_brushing_an_axis_filters_and_the_filter_can_be_taken_back(labs, browser):
    with opened(browser, labs["hundred"], f"/s/{key_of('hundred')}/explore") as (page, seen):
        drawn(page, "parallel_coordinate")
        drawn(page, "slice")
        said = page.locator("[data-figure=slice] .about")
        until(page, "document.querySelector('[data-figure=slice] .about').textContent")
        canvas = page.locator("[data-figure=parallel_coordinate] canvas").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + 34, box["y"] + 120)
        page.mouse.down()
        page.mouse.move(box["x"] + 34, box["y"] + 160, steps=5)
        page.mouse.move(box["x"] + 34, box["y"] + 200, steps=5)
        page.mouse.up()
        page.wait_for_selector("#filters li")
        assert "learning_rate" in page.locator("#filters").text_content()
        until(
            page,
            "/^\\d+ trials? across/.test(document.querySelector('[data-figure=parallel_coordinate] .about').textContent) && !document.querySelector('[data-figure=parallel_coordinate] .about').textContent.startsWith('97 ')",
        )
        page.get_by_role("button", name=re.compile("Remove")).click()
        until(
            page,
            "document.querySelector('[data-figure=parallel_coordinate] .about').textContent.startsWith('97 ')",
        )
        assert said.text_content()
        seen.check()


def test_everything_works_by_keyboard(growing, serve, browser):
    path, _ = growing(12)
    server = serve(path)
    with opened(browser, server, f"/s/{key_of('live')}/explore", width=900) as (page, seen):
        page.wait_for_selector('.live[data-state="live"]')
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        for _ in range(3):
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.name") in ("name", "low", "high")
        page.locator("#filter [name=name]").focus()
        page.keyboard.press("Tab")
        page.keyboard.type("0.001")
        page.keyboard.press("Tab")
        page.keyboard.type("1")
        page.keyboard.press("Enter")
        page.wait_for_selector("#filters li")
        page.locator("#filters button").focus()
        page.keyboard.press("Enter")
        until(page, "!document.querySelector('#filters li')")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        page.keyboard.press("Tab")
        assert page.evaluate(outline) != "none", "the focus is seen"
        page.goto(f"{server.url}/s/{key_of('live')}")
        page.locator("form[data-act=note] textarea").focus()
        page.keyboard.type("by keyboard <b>alone</b>")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        until(page, "document.querySelector('form[data-act=note] output').textContent === 'Noted.'")
        seen.check()
    with assay.open_study(str(path), "live", readonly=True) as study:
        assert study.history.last(Noted).text == "by keyboard <b>alone</b>"


def test_hostile_names_stay_text(lab, labs, browser):
    name = next(n for n in Lab(str(lab)).names() if "img" in n)
    for path in ("", "/explore", "/trials/1"):
        with opened(browser, labs["hundred"], f"/s/{key_of(name)}{path}") as (page, seen):
            page.wait_for_selector('.live[data-state="live"]')
            if path != "/trials/1":
                drawn(page, "history" if not path else "parallel_coordinate")
                first = page.locator("[data-figure] canvas").first
                first.scroll_into_view_if_needed()
                box = first.bounding_box()
                for share in (0.1, 0.3, 0.5, 0.7, 0.9):
                    page.mouse.move(
                        box["x"] + share * box["width"], box["y"] + share * box["height"]
                    )
            assert page.locator("main img, main svg script, main iframe").count() == 0
            seen.check()


def until_there(look):
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            if look():
                return
        except assay.StoreError:
            pass  # it is being made
        time.sleep(0.05)


def slow(trial):
    time.sleep(0.05)
    return trial.config["x"]


def test_a_running_study_is_paused_and_stopped_from_the_page(tmp_path, serve, browser):
    path = str(tmp_path / "lab.db")
    space = assay.Space(x=assay.Float(0, 1, default=0.5))
    done = []

    def drive():
        done.append(
            assay.optimize(
                slow, space, budget=2000, storage=path, name="live", isolation="none",
                sampler="random", evidence=None,
            )
        )  # fmt: skip

    driver = threading.Thread(target=drive)
    driver.start()
    until_there(lambda: Lab(path).names())
    server = serve(path)
    with opened(browser, server, f"/s/{key_of('live')}") as (page, seen):
        page.get_by_role("button", name="Pause").click()
        until(
            page, "document.querySelector('.acts output').textContent.startsWith('Asked process')"
        )
        until(
            page, "document.querySelector('[data-pulse=steered]').textContent === 'Asked to pause.'"
        )
        page.get_by_role("button", name="Stop").click()
        driver.join(20)
        assert not driver.is_alive()
        seen.check()
    rows = done[0].store.rows("live")
    steered = [row for row in rows if row.body.startswith(b'{"type":"steered"')]
    assert [row.actor.endswith("by dashboard") for row in steered] == [True, True]
    assert done[0].history.last(Steered).wish == "stop"


def test_the_command_prints_a_link_that_opens_it_once(lab, browser, tmp_path):
    env = os.environ | {"ASSAY_HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(
        [sys.executable, "-m", "assay", "dashboard", str(lab)],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        link = re.search(r"http://\S+", process.stdout.readline()).group()
        token = process.stdout.readline().split()[-1]
        context = browser.new_context()
        page = context.new_page()
        page.goto(link)
        assert page.locator("h1").text_content() == "Studies"
        assert "login" not in page.url
        context.close()
        again = browser.new_context()
        page = again.new_page()
        assert page.goto(link).status == 401
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_selector("table.studies")
        again.close()
    finally:
        process.terminate()
        assert process.wait(15) is not None
        process.stdout.close()
        process.stderr.close()


def test_a_thousand_pages_may_listen(growing, serve):
    import socket

    import psutil

    path, grow = growing(5)
    server = serve(path)
    cookie = f"{server.cookie['name']}={server.cookie['value']}"
    ask = f"GET /s/{key_of('live')}/stream HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nCookie: {cookie}\r\n\r\n"
    before = psutil.Process().memory_info().rss
    held = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(200)]
    try:
        for one in held:
            one.sendall(ask.encode())
        for one in held:
            assert b"200 OK" in one.recv(200)
        grow(1)
        for one in held:
            text = b""
            while b'"ended":6' not in text:
                text += one.recv(4000)
        assert psutil.Process().memory_info().rss - before < 50e6
    finally:
        for one in held:
            one.close()
