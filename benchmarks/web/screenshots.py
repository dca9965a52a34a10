"""Makes the pictures of the documentation: python -m benchmarks.web.screenshots.

They show what a reader would see: a study made from events, in headless Chromium.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from assay.stores.sqlite import SqliteStore
from assay.web.lab import key_of
from benchmarks.web.studies import events_of, spec_of

INTO = Path(__file__).resolve().parents[2] / "docs" / "images"
PICTURES = (
    ("dashboard-overview", "", "light", "[data-figure=history] canvas", 620),
    ("dashboard-explore", "/explore", "dark", "[data-figure=slice] canvas", 760),
    ("dashboard-trial", "/trials/78", "light", "table", 620),
)


def main() -> None:
    from PIL import Image
    from playwright.sync_api import sync_playwright

    INTO.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="assay-pictures-") as folder:
        spec = spec_of(100)
        store = SqliteStore(Path(folder, "lab.db"))
        store.append("churn", events_of(spec, 100, curves=20, running=2), after=0)
        store.close()
        server = subprocess.Popen(
            [sys.executable, "-m", "assay", "dashboard", "lab.db"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=os.environ | {"ASSAY_HOME": folder},
        )  # fmt: skip
        link = re.search(r"http://\S+", server.stdout.readline()).group()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
                )
                page = browser.new_page(viewport={"width": 960, "height": 620})
                page.goto(link)
                base = link.partition("/login")[0]
                for name, path, theme, ready, height in PICTURES:
                    page.emulate_media(color_scheme=theme)
                    page.set_viewport_size({"width": 960, "height": height})
                    page.goto(f"{base}/s/{key_of('churn')}{path}")
                    page.wait_for_selector(ready)
                    page.wait_for_timeout(800)
                    picture = INTO / f"{name}.png"
                    page.screenshot(path=picture)
                    Image.open(picture).convert("RGB").quantize(64).save(picture, optimize=True)
                    print(picture, picture.stat().st_size)
                browser.close()
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
