"""The report as PDF, printed by a Chromium that is installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from assay.core.errors import SpecError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_LONGEST_S = 120


def printed(page: str) -> bytes:
    """A page as PDF. The page is ours and holds no script; the browser is given no network.

    Raises:
        SpecError: there is no Chromium, or it cannot print.
    """
    browser = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if browser is None:
        raise SpecError(
            "A PDF is printed by Chromium or Chrome, and none is installed here. Install one (Debian: "
            "apt-get install chromium), or write HTML (--format html) and print it in any browser."
        )
    with tempfile.TemporaryDirectory(prefix="assay-print-") as folder:
        source, target = Path(folder, "report.html"), Path(folder, "report.pdf")
        source.write_text(page, encoding="utf-8")
        words = [
            browser, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer",
            "--disable-background-networking", "--proxy-server=127.0.0.1:9", "--disable-extensions",
            f"--user-data-dir={folder}/profile", f"--print-to-pdf={target}", source.as_uri(),
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            words.insert(1, "--no-sandbox")  # Chromium refuses to sandbox for root
        try:
            done = subprocess.run(words, capture_output=True, timeout=_LONGEST_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SpecError(f"{browser} could not print: {error}. Write HTML instead.") from None
        if done.returncode or not target.exists():
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise SpecError(
                f"{browser} could not print (exit code {done.returncode}): {' '.join(said)}. Write HTML "
                "instead, and print it in any browser."
            )
        return target.read_bytes()
