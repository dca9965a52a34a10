"""Processes of one study in a PostgreSQL database, and what must be true of it at its end."""

from __future__ import annotations

import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path

from tests.integration.crew import Crew

from assay import open_study
from assay.core.events import Asked, Concluded, Event, Measured, Told
from assay.stores.postgres.store import PostgresStore

PATIENCE_S = 120.0


class ServerFleet(Crew):
    """Drivers and workers of one study in a database."""

    def __init__(
        self, home: Path, url: str, *, trials: int, seconds: float, name: str = "study"
    ) -> None:
        super().__init__(home, PATIENCE_S)
        self.url, self.trials, self.seconds, self.name = url, trials, seconds, name

    def start(self, role: str, *before: str, url: str | None = None) -> subprocess.Popen[str]:
        """A process of the study; `before` are words to put before its command."""
        words = (role, url or self.url, self.seconds, self.trials, self.name)
        return self.begin(*words, before=before)

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
