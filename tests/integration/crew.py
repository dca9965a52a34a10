"""Processes of one study, started, watched, held and ended by a test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROGRAM = Path(__file__).with_name("fleet_program.py")


class Crew:
    """Drivers and workers of one study, all ended at the end of the test."""

    def __init__(self, home: Path, patience_s: float) -> None:
        self.home, self.patience_s = home, patience_s
        self.processes: list[subprocess.Popen[str]] = []

    def begin(self, *words: object, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """A process of `fleet_program.py`; `before` are words to put before its command."""
        process = subprocess.Popen(
            [*before, sys.executable, str(PROGRAM), *map(str, words)],
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ASSAY_HOME": str(self.home)},
        )
        self.processes.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> str:
        out, err = process.communicate(timeout=self.patience_s)
        assert process.returncode == 0, err
        return out.strip()

    def until(self, seen: Callable[[], object], seconds: float | None = None) -> None:
        """Wait until something can be seen from outside."""
        end = time.monotonic() + (seconds or self.patience_s)
        while not seen():
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)

    def said(self) -> object:
        """What helps to understand why something was not seen."""
        return [process.communicate() for process in self.processes if process.poll()]

    def crew(self) -> int:
        """How many workers have joined."""
        raise NotImplementedError

    def hold(self) -> None:
        """What a driver evaluates itself does not end, until `gather`."""
        (self.home / "hold").touch()

    def gather(self, crew: int) -> None:
        """Let it end when so many workers have joined, however slow the machine is."""
        try:
            self.until(lambda: self.crew() == crew)
        finally:
            (self.home / "hold").unlink()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
