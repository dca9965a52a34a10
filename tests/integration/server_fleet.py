"""Processes of one study in a PostgreSQL database, and what must be true of it at its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from assay import open_study
from assay.core.events import Asked, Concluded, Event, Measured, Told
from assay.stores.postgres.store import PostgresStore

PROGRAM = Path(__file__).with_name("fleet_program.py")
PATIENCE_S = 120.0


class ServerFleet:
    """Drivers and workers of one study, all ended at the end of the test."""

    def __init__(
        self, home: Path, url: str, *, trials: int, seconds: float, name: str = "study"
    ) -> None:
        self.home, self.url, self.trials, self.seconds, self.name = home, url, trials, seconds, name
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, role: str, *before: str, url: str | None = None) -> subprocess.Popen[str]:
        """A process of the study; `before` are words to put before its command."""
        words = (role, url or self.url, str(self.seconds), str(self.trials), self.name)
        process = subprocess.Popen(
            [*before, sys.executable, str(PROGRAM), *words],
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "ASSAY_HOME": str(self.home)},
        )
        self.processes.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> str:
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err
        return out.strip()

    def until(self, seen, seconds: float = PATIENCE_S) -> None:
        """Wait until something can be seen from outside."""
        end = time.monotonic() + seconds
        while not seen():
            assert time.monotonic() < end, [p.communicate() for p in self.processes if p.poll()]
            time.sleep(0.05)

    def events(self) -> list[Event]:
        with closing(PostgresStore(self.url, readonly=True)) as store:
            return store.read(self.name)

    def told(self) -> int:
        return sum(isinstance(event, Told) for event in self.events())

    def crew(self) -> int:
        with closing(PostgresStore(self.url)) as store:
            return len(store.board(self.name).crew())

    def check_whole(self) -> None:
        """Every budget is exact, nothing is counted twice, nothing is left lying about."""
        events = self.events()
        asked = [event.trial for event in events if isinstance(event, Asked)]
        told = [event.trial for event in events if isinstance(event, Told)]
        assert asked == list(range(self.trials))
        assert sorted(told) == list(range(self.trials))
        counted = Counter((e.trial, e.stage, e.unit) for e in events if isinstance(e, Measured))
        assert set(counted.values()) <= {1}
        assert sum(isinstance(event, Concluded) for event in events) == 1
        with closing(PostgresStore(self.url)) as store:
            board = store.board(self.name)
            assert (board.tasks(), board.letters()) == ([], [])
        with open_study(self.url, self.name) as study:
            assert study.verify() == []

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
