"""Studies to look at, dashboards to ask, and a browser."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import httpx
import pytest
import uvicorn
from benchmarks.web.studies import events_of, spec_of

from assay.core.events import Noted
from assay.core.parameters import Choice, Float
from assay.core.space import Space
from assay.core.spec import StudySpec
from assay.stores.sqlite import SqliteStore
from assay.web.app import application
from assay.web.keys import Door

PORT = 8765
HOST = f"127.0.0.1:{PORT}"
KEY = bytes(range(32))
APART = ThreadPoolExecutor(1)

HOSTILE = (
    "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "'\"><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}", "${7*7}", "javascript:alert(1)", "a\r\nSet-Cookie: x=1", "\x1b[2J\x1b[31mred",
    "\u202egnp.exe\u2066", "nul\x00nul", "=cmd|' /C calc'!A0", "+1+1", "-1-1", "@SUM(A1)", "\t=1",
    "%0d%0aX: y", "../../../etc/passwd", "..\\..\\windows", "x" * 65536, "</textarea></style></title>",
    "&lt;b&gt;", "\u2028\u2029", "\ufeff\ufffe", "🙂" * 50, "a'); drop table event; --", "{b|red}",
    "<!--", "]]>", "constructor", "__proto__",
)  # fmt: skip


def hostile_names():
    """200 names: these, and pairs of them."""
    short = [name for name in HOSTILE if len(name) < 200]
    pairs = [a + b for a in short for b in short if a != b]
    return [*HOSTILE, *pairs][:200]


def filled(path, name, events):
    store = SqliteStore(path)
    store.append(name, events, after=0)
    store.close()


def hostile_study():
    """A study with 200 hostile names as parameters and as values."""
    names = hostile_names()
    stored = [n.replace("\x00", "\\0") for n in names]
    space = Space(
        {name: Choice([name, f"{name}2"], default=name) for name in names[:60]}
        | {f"v{i}": Choice([name, "plain"], default=name) for i, name in enumerate(names[60:])}
        | {"x": Float(0, 1, default=0.5)}
    )
    spec = StudySpec(space, {names[0]: "minimize"}, control=space.defaults(), seed=1)
    from assay.core import events as kinds

    found = [
        kinds.Created(spec.to_json(), spec.plan),
        kinds.Environment({n: n for n in stored[:40]}),
        kinds.Inspected(stored[0], stored[1], tuple(
            {"code": code, "level": "care", "text": text, "advice": text, "numbers": {text: 0.5}}
            for code, text in zip(("PF01", "PF14", *stored[:40]), stored[2:44], strict=True)
        )),
        kinds.Deviated("check PF01", stored[3], stored[4], stored[5]),
    ]  # fmt: skip
    for i in range(12):
        config = (
            space.defaults()
            if i == 0
            else space.from_unit([((i * 7 + j) % 10) / 10 for j in range(len(space))])
        )
        found.append(
            kinds.Asked(i, config, 1, "control" if i == 0 else "sampler", {names[i]: names[i + 1]})
        )
        if i == 5:
            found.append(kinds.Failed(i, "raised", names[2], "\n".join(stored[:20])))
        else:
            found += [kinds.Reported(i, 1, 1.0), kinds.Reported(i, 2, 0.5)]
            found.append(kinds.Told(i, (float(i % 7),), {names[3]: 1.0}, 0.1, 0.1))
    found += [Noted(text, i % 12) for i, text in enumerate(stored[:30])]
    return spec, found


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A storage with studies of several sizes, one of them hostile in every name."""
    place = tmp_path_factory.mktemp("lab")
    path = place / "lab.db"
    for name, trials, more in (
        ("empty", 0, {}), ("one", 1, {}), ("hundred", 100, {"curves": 12, "running": 2}),
    ):  # fmt: skip
        spec = spec_of(trials)
        filled(path, name, events_of(spec, trials, **more))
    two = spec_of(60, objectives=2)
    filled(path, "two", events_of(two, 60))
    _, events = hostile_study()
    filled(path, HOSTILE[0] + "\u202e" + HOSTILE[6], events)
    return path


def asgi(storage, *, readonly=False, scope="test"):
    door = Door(KEY, scope)
    app = application(
        str(storage), door=door, hosts=[HOST, f"localhost:{PORT}"], port=PORT, readonly=readonly
    )
    return app, door


class Asker:
    """Asks the application without a network."""

    def __init__(self, app, headers):
        self.app, self.headers = app, headers

    def __call__(self, method, path, *, headers=None, **more):
        async def ask():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
                merged = {**self.headers, **(headers or {})}
                shown = {k: v for k, v in merged.items() if v is not None}
                return await client.request(method, path, headers=shown, **more)

        # in a thread: the browser of other tests keeps a loop in this one
        return APART.submit(asyncio.run, ask()).result()

    def get(self, path, **more):
        return self("GET", path, **more)

    def post(self, path, form, **more):
        headers = {"origin": f"http://{HOST}", **more.pop("headers", {})}
        return self("POST", path, json=form, headers=headers, **more)


@pytest.fixture
def ask(lab):
    """`ask.get(path)` as a browser that is logged in."""
    app, door = asgi(lab)
    return Asker(app, {"cookie": f"assay-{PORT}={door.session()}"})


@pytest.fixture
def stranger(lab):
    """The same as somebody who is not logged in."""
    return Asker(asgi(lab)[0], {})


class Server:
    """A dashboard on a real socket, in a thread, that can be stopped and started again."""

    def __init__(self, storage, *, readonly=False):
        self.storage, self.readonly = storage, readonly
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.door = Door(KEY, "test")
        self.start()

    def start(self):
        app = application(
            str(self.storage), door=self.door, hosts=[f"127.0.0.1:{self.port}"], port=self.port,
            readonly=self.readonly,
        )  # fmt: skip
        config = uvicorn.Config(
            app, host="127.0.0.1", port=self.port, log_level="critical",
            timeout_graceful_shutdown=1, ws="none", http="h11",
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until = time.monotonic() + 60
        while not self.server.started:
            assert time.monotonic() < until
            time.sleep(0.02)

    def stop(self):
        self.server.should_exit = True
        self.thread.join(15)

    @property
    def cookie(self):
        return {"name": f"assay-{self.port}", "value": self.door.session(), "url": self.url}


@pytest.fixture(scope="session")
def serve():
    """`serve(storage)`: a dashboard on a socket; stopped at the end."""
    running = []

    def start(storage, **more):
        running.append(Server(storage, **more))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def missing(what):
    """Skip where a tool is missing, but not in CI, where it must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and in CI it must be there")
    pytest.skip(f"{what} is not installed")


@pytest.fixture(scope="session")
def chromium():
    """The path of an installed Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return missing("Chromium")


@pytest.fixture(scope="session")
def browser(chromium):
    """Headless Chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core, which finds what people with disabilities could not use."""
    try:
        found = files("axe_playwright_python").joinpath("axe.min.js")
    except ImportError:
        missing("axe-playwright-python")
    return found.read_text("utf-8")


@pytest.fixture
def growing(tmp_path):
    """`growing(n)`: a study of n trials, and a function that lets it grow."""
    import numpy as np
    from benchmarks.web.studies import trial_events

    stores = []

    def make(trials, name="live", budget=None):
        path = tmp_path / "live.db"
        spec = spec_of(budget or trials + 50)
        filled(path, name, events_of(spec, trials, curves=5))
        store = SqliteStore(path)
        stores.append(store)
        rng = np.random.default_rng(99)
        state = {"n": trials}

        def grow(count=1):
            for _ in range(count):
                after = len(store.rows(name))
                events = trial_events(spec, state["n"], rng, 1)
                store.append(name, events, after=after)
                state["n"] += 1
            return state["n"]

        return path, grow

    yield make
    for store in stores:
        store.close()


__all__ = ["HOSTILE", "Asker", "Server", "asgi", "sys"]
