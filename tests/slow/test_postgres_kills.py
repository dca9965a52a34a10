"""Kills of a PostgreSQL server, of one backend or of all, while a driver and workers use it.

Passed when every study ends as it should, nothing that could be read before a kill is missing after
it, nothing is counted twice, and every chain and proposal verifies. Counts are added to
`postgres_kills.json`; a run goes on until there are enough.
"""

from __future__ import annotations

import faulthandler
import json
import os
import random
import signal
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
from tests.integration.server_fleet import ServerFleet
from tests.postgres import Server, running

from assay.core.errors import StoreError

KILLS = 500
RESULTS = Path(__file__).with_name("postgres_kills.json")
ZERO = {
    "kills_of_single_backends": 0,
    "kills_of_the_postmaster": 0,
    "immediate_restarts": 0,
    "studies": 0,
    "acknowledged_events_checked": 0,
    "acknowledged_events_lost": 0,
    "results_counted_twice": 0,
    "broken_chains": 0,
}
MADE = ("kills_of_single_backends", "kills_of_the_postmaster", "immediate_restarts")


def backends(server: Server) -> list[psutil.Process]:
    """The server's processes that serve a client of ours."""
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(server.pid).children()
        return [c for c in children if _serves(c)]
    return []


def _serves(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any("127.0.0.1(" in word for word in process.cmdline())
    return False


def kill(server: Server, rng: random.Random) -> str | None:
    """One kill, and the server is there again; what it was, or None if there was nothing to kill."""
    how = rng.choice(MADE)
    if how == "kills_of_single_backends":
        serving = backends(server)
        if not serving:
            return None
        with suppress(psutil.NoSuchProcess):
            rng.choice(serving).send_signal(signal.SIGKILL)
        time.sleep(0.05)  # the postmaster ends the others and starts anew by itself
    elif how == "kills_of_the_postmaster":
        server.kill()
        server.come_back()
    else:
        server.restart()
    return how


def stored(fleet: ServerFleet):
    """What can be read now; a server that is just starting is waited for."""
    while True:
        with suppress(StoreError):
            return fleet.events()
        time.sleep(0.02)


def alive(fleet: ServerFleet, role: str, process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """The process, or another in its place if it began while there was no server."""
    if process.poll() in (None, 0):
        return process
    _, err = process.communicate()
    assert "did not answer" in err, err
    return fleet.start(role)


def one_study(server: Server, home: Path, rng: random.Random, counts: dict[str, int]) -> None:
    """A study under kills, 0.2 to 0.5 s apart, to its end."""
    url = server.new()
    with closing(ServerFleet(home, url, trials=60, seconds=0.1)) as fleet:
        crew = {"drive": fleet.start("drive"), "work": fleet.start("work")}
        fleet.until(lambda: fleet.told() > 0 and fleet.crew() > 0)
        while crew["drive"].poll() is None:
            time.sleep(rng.uniform(0.2, 0.5))
            seen = stored(fleet)
            how = kill(server, rng)
            if how:
                counts[how] += 1
            now = stored(fleet)
            assert now[: len(seen)] == seen
            counts["acknowledged_events_checked"] += len(seen)
            crew = {role: alive(fleet, role, process) for role, process in crew.items()}
        assert fleet.finish(crew["drive"]) == "60"
        assert fleet.finish(crew["work"]) == "complete"
        fleet.check_whole()
    counts["studies"] += 1


@pytest.mark.slow
def test_kills_of_the_server(tmp_path):
    faulthandler.cancel_dump_traceback_later()
    counts = json.loads(RESULTS.read_text()) if RESULTS.exists() else dict(ZERO)
    if sum(counts[how] for how in MADE) >= KILLS:
        counts = dict(ZERO)
    until = time.monotonic() + float(os.environ.get("ASSAY_KILLS_S", "3600"))
    with running() as server:
        while sum(counts[how] for how in MADE) < KILLS and time.monotonic() < until:
            home = tmp_path / str(counts["studies"])
            home.mkdir()
            one_study(server, home, random.Random(counts["studies"]), counts)
            RESULTS.write_text(json.dumps(counts, indent=1) + "\n")
