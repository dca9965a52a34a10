"""Notebooks for real: a kernel, and JupyterLab in a browser whose line to it is cut while a study runs.

They need ipykernel, nbclient, jupyterlab, playwright and Chromium, and are skipped where one is missing.
The results stand in results/notebook.json.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest

RESULTS = Path(__file__).parent / "results" / "notebook.json"
SETUP = """
import time, assay
space = assay.Space({"x<img src=x onerror=alert(1)>": assay.Float(0, 1, default=0.5)})
def slow(trial):
    time.sleep(WAIT)
    return (list(trial.config.values())[0] - 0.3) ** 2
"""
RUN = """
study = assay.optimize(slow, space, budget=TRIALS, isolation="none", sampler="sobol", evidence=None)
"""
SHOWN = {
    "study": "study",
    "trial": "study.best",
    "figure": "assay.plot.history(study)",
    "parallel": "assay.plot.parallel_coordinate(study)",
    "verdict": "assay.optimize(slow, space, budget=12, isolation='none', progress=False).verdict",
}

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def tools():
    pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")


def cells(*sources):
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    return notebook


def kept(name, found):
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    tools = {n: version(n) for n in ("ipykernel", "jupyterlab", "nbclient")}
    RESULTS.write_text(json.dumps({**known, name: {**found, "tools": tools}}, indent=1) + "\n")


def markup(output):
    return "".join(output.get("data", {}).get("text/html", ""))


def test_a_kernel_shows_studies_and_keeps_a_running_cell_up_to_date():
    nbclient = pytest.importorskip("nbclient")
    notebook = cells(SETUP.replace("WAIT", "0.2"), RUN.replace("TRIALS", "80"), *SHOWN.values())
    updates = []

    class Client(nbclient.NotebookClient):
        def process_message(self, message, cell, index):
            if message["msg_type"] == "update_display_data" and index == 1:
                updates.append(message["content"]["transient"]["display_id"])
            return super().process_message(message, cell, index)

    Client(notebook, timeout=300, kernel_name="python3").execute()
    running = notebook.cells[1].outputs
    assert len(running) == 1, "one output that is shown anew"
    assert "80 trials" in markup(running[0])
    assert len(set(updates)) == 1
    assert len(updates) >= 2
    found = {"updates of a cell that ran for 16 s and more": len(updates)}
    for name, cell in zip(SHOWN, notebook.cells[2:], strict=True):
        shown = markup(cell.outputs[0])
        assert {"trial": "<table>", "verdict": "<strong>"}.get(name, "assay-snippet") in shown, name
        assert not re.search(r"<script|<img|javascript:", shown), name
        assert len(shown) < 200_000
        found[f"bytes of {name}"] = len(shown)
    kept("kernel", found)


class Line:
    """A relay between browser and server that can be cut, and mended."""

    def __init__(self, to):
        self._to, self._open, self._pairs = to, True, []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            if not self._open:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._to))
            self._pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(a, b), daemon=True).start()

    @staticmethod
    def _carry(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for one in (a, b):
            Line._end(one)

    @staticmethod
    def _end(one):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()

    def cut(self):
        self._open = False
        for one in (one for pair in self._pairs for one in pair):
            self._end(one)
        self._pairs.clear()

    def mend(self):
        self._open = True

    def close(self):
        self.cut()
        self._server.close()


@pytest.fixture
def lab(tmp_path):
    """JupyterLab with a notebook that runs a study of about 40 seconds, behind a line."""
    pytest.importorskip("jupyterlab")
    notebook = cells(SETUP.replace("WAIT", "0.4"), RUN.replace("TRIALS", "100"), "study")
    import nbformat

    nbformat.write(notebook, tmp_path / "live.ipynb")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = os.environ | {"JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "JUPYTER_DATA_DIR": str(tmp_path / "data"),
                        "JUPYTER_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)}  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ServerApp.port_retries=0",
         "--IdentityProvider.token=look", f"--ServerApp.root_dir={tmp_path}", "--allow-root",
         "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"],
        env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    line = Line(port)
    try:
        until(lambda: answers(port), 90)
        yield line
    finally:
        line.close()
        server.terminate()
        server.wait(30)


def answers(port):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token=look", timeout=3)
    except OSError:
        return False
    return True


def until(holds, most_s):
    give_up = time.monotonic() + most_s
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.2)


def run_first(page):
    """Run the first cell; a kernel that is not there yet takes no notice, or JupyterLab says so."""
    if page.locator(".jp-Dialog").count():
        page.locator(".jp-Dialog .jp-mod-accept").first.click()
    page.locator(".jp-CodeCell").first.click()
    page.keyboard.press("Shift+Enter")
    page.wait_for_timeout(3000)
    return re.search(r"\[\d+\]", page.locator(".jp-CodeCell .jp-InputPrompt").first.text_content())


@contextmanager
def notebook_of(lab):
    """The notebook in JupyterLab in Chromium, its first cell run; and the dialogs it opened."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(60_000)
        dialogs = []
        page.on("dialog", lambda d: (dialogs.append(d.message), d.accept()))
        page.goto(f"http://127.0.0.1:{lab.port}/lab/tree/live.ipynb?token=look")
        ready(page)
        until(lambda: run_first(page), 120)
        yield page
        assert page.locator(".assay-snippet img").count() == 0
        assert [said for said in dialogs if said] == []
        browser.close()


def ready(page):
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=120_000)
    page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=120_000)


def trials_of(page):
    """How many trials the output of the running cell shows."""
    spent = page.locator(".jp-OutputArea-output .assay-snippet").first.locator(".spent")
    return int(re.match(r"\d+", spent.text_content()).group())


def test_jupyterlab_shows_a_running_study_and_goes_on_after_the_line_was_cut(lab):
    with notebook_of(lab) as page:
        for _ in range(2):
            page.keyboard.press("Shift+Enter")
        shown = page.locator(".jp-OutputArea-output .assay-snippet").first
        shown.wait_for()

        def trials():
            return trials_of(page)

        first = trials()
        until(lambda: trials() > first, 60)
        before = trials()
        lab.cut()
        page.wait_for_timeout(4000)
        frozen = trials()
        lab.mend()
        until(lambda: trials() > frozen, 60)
        after = trials()
        until(lambda: page.locator(".jp-OutputArea-output .assay-snippet").count() >= 2, 120)
        until(lambda: trials() == 100, 60)
        if picture := os.environ.get("NOTEBOOK_PICTURE"):
            page.screenshot(path=picture)
    assert before < after < 100
    kept("jupyterlab", {"trials when the line was cut": before, "trials shown while it was cut for 4 s": frozen,
                        "trials shown when it was mended": after, "at the end": 100})  # fmt: skip


def test_a_page_loaded_anew_while_a_cell_runs_shows_what_was_saved_and_the_study_goes_on(lab):
    """JupyterLab gives what a kernel says to the page that ran the cell, and to no later one.

    So the output of the running cell stays as it was saved, while the study goes on, and every cell
    run after it shows all of it.
    """
    with notebook_of(lab) as page:
        page.keyboard.press("Shift+Enter")
        page.locator(".jp-OutputArea-output .assay-snippet").first.wait_for()
        until(lambda: trials_of(page) > 5, 60)
        page.keyboard.press("Control+s")
        page.wait_for_timeout(3000)
        saved = trials_of(page)
        page.reload()
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=120_000)
        page.locator(".jp-OutputArea-output .assay-snippet").first.wait_for()
        shown = trials_of(page)
        page.wait_for_timeout(6000)
        later = trials_of(page)
        ready(page)
        page.locator(".jp-CodeCell").nth(2).click()
        page.keyboard.press("Shift+Enter")
        last = page.locator(".jp-CodeCell").nth(2).locator(".assay-snippet .spent")
        last.wait_for(timeout=120_000)
        at_the_end = int(re.match(r"\d+", last.text_content()).group())
    assert 0 < shown <= saved
    assert at_the_end == 100
    kept("loaded anew", {"trials when it was saved": saved, "trials shown when it was loaded anew": shown,
                         "trials shown 6 s later": later, "trials that the next cell shows": at_the_end})  # fmt: skip
